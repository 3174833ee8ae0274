//! `batchssh runs list`: the runs, the newest first. Only the first and the last line of each journal are read.

use clap::Args;

use crate::cli::exit_code::ExitCode;
use crate::cli::run::print;
use crate::cli::runs::store::{Head, Store};
use crate::event::{EventKind, HostRecap, Status};
use crate::report::journal;
use crate::source::{Diagnostics, visible};

/// `batchssh runs list`.
#[derive(Clone, Debug, Default, Args)]
pub struct ListArgs {
    /// How many [default: 20]
    #[arg(short = 'n', long, value_name = "N")]
    last: Option<usize>,
    /// Every run there is
    #[arg(long, conflicts_with = "last")]
    all: bool,
}

/// Shows the list.
pub fn list(args: &ListArgs) -> Result<ExitCode, Diagnostics> {
    let store = Store::open()?;
    let most = if args.all { usize::MAX } else { args.last.unwrap_or(20) };
    let mut rows = vec![["RUN", "BEGAN (UTC)", "BY", "HOSTS", "CAME TO", "WHAT"].map(str::to_owned)];
    for run in store.ids().into_iter().rev().take(most) {
        rows.push(row(&store, &run));
    }
    if rows.len() == 1 {
        return print(&format!("no run in {}\n", store.dir.display()));
    }
    print(&table(&rows))
}

fn row(store: &Store, run: &str) -> [String; 6] {
    let unknown = |why: &str| [run, "", "", "", why, ""].map(str::to_owned);
    match store.head(run) {
        Ok(Some(head)) => {
            let by = match (head.origin.user.as_str(), head.origin.controller.as_str()) {
                ("", controller) => controller.to_owned(),
                (user, "") => user.to_owned(),
                (user, controller) => format!("{user}@{controller}"),
            };
            let mut what = visible(&head.title);
            if head.check {
                what += " (check)";
            }
            if let Some(parent) = &head.origin.parent {
                what += &format!(" (goes on with {})", visible(parent));
            }
            [
                run.to_owned(),
                head.time.get(..16).unwrap_or_default().replace('T', " "),
                visible(&by),
                head.hosts.len().to_string(),
                came_to(store, &head),
                what,
            ]
        }
        Ok(None) => unknown("killed before it began"),
        Err(_) => unknown("its journal cannot be read"),
    }
}

/// What a run came to, in few words.
pub fn came_to(store: &Store, head: &Head) -> String {
    let path = store.journal(&head.run);
    match journal::last(&path) {
        Ok(Some(event)) => match event.kind {
            EventKind::RunFinished { recap, exit_code, .. } => counted(&recap, head.hosts.len(), exit_code),
            _ if journal::is_open(&path).unwrap_or(false) => "still running".to_owned(),
            _ => "killed".to_owned(),
        },
        Ok(None) | Err(_) => "killed".to_owned(),
    }
}

/// Hosts by how they ended.
fn counted(recap: &[HostRecap], hosts: usize, exit_code: u8) -> String {
    let count = |wanted: &[Status]| {
        let is = |host: &&HostRecap| host.status.is_some_and(|status| wanted.contains(&status));
        recap.iter().filter(is).count()
    };
    let good = count(&[Status::Ok, Status::Changed, Status::Skipped]);
    let parts = [
        (count(&[Status::Failed, Status::TimedOut]), "failed"),
        (count(&[Status::Unreachable]), "unreachable"),
        (count(&[Status::InDoubt]), "in doubt"),
        (
            hosts.saturating_sub(recap.iter().filter(|host| host.status.is_some()).count()),
            "not done",
        ),
    ];
    let bad: Vec<String> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    let stopped = if exit_code >= 128 { "stopped: " } else { "" };
    match (bad.is_empty(), good) {
        (true, _) => format!("{stopped}{good} ok"),
        (false, 0) => format!("{stopped}{}", bad.join(", ")),
        (false, good) => format!("{stopped}{good} ok, {}", bad.join(", ")),
    }
}

/// Columns, the last one as wide as it is.
pub fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(unicode_width::UnicodeWidthStr::width(cell.as_str()));
        }
    }
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            let room = width.saturating_sub(unicode_width::UnicodeWidthStr::width(cell.as_str()));
            line += cell;
            line.extend(std::iter::repeat_n(' ', room + 2));
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}
