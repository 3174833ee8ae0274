//! `batchssh runs diff`: what one run did otherwise than another one. No host is contacted.

use clap::Args;
use serde::Serialize;

use crate::cli::exit_code::ExitCode;
use crate::cli::run::print;
use crate::cli::runs::show::{cannot_write, damaged, moment};
use crate::cli::runs::store::{Located, Store};
use crate::cli::runs::wanted::WantedArgs;
use crate::layout::{Mask, Normaliser};
use crate::names::HostName;
use crate::report::past::compare::{Change, Difference, Side, compare};
use crate::report::{fold, text};
use crate::source::{Diagnostic, Diagnostics};

/// Lines of one difference that are shown without `-v`.
const MOST_LINES: usize = 20;
/// Groups of hosts with different differences in one task that are shown without `-v`.
const MOST_GROUPS: usize = 12;
/// Columns of a list of hosts.
const NAMES: usize = 90;

/// `batchssh runs diff`.
#[derive(Clone, Debug, Args)]
pub struct DiffArgs {
    /// The earlier run: its id or the begin of it, or a path
    #[arg(value_name = "RUN1")]
    old: String,
    /// The later run [default: last]
    #[arg(value_name = "RUN2")]
    new: Option<String>,
    /// Which results.
    #[command(flatten)]
    wanted: WantedArgs,
    /// Differences of outputs that do not count: hostname, uuid, mac, date, ip, serial, number
    #[arg(long, value_name = "KIND,…", value_delimiter = ',')]
    normalise: Vec<Mask>,
    /// One object of JSON
    #[arg(long)]
    json: bool,
    /// Everything, however long
    #[arg(short, long)]
    verbose: bool,
}

/// What `--json` writes.
#[derive(Serialize)]
struct Json<'a> {
    batchssh_runs_diff: u8,
    runs: [Named<'a>; 2],
    #[serde(flatten)]
    difference: &'a Difference,
}

#[derive(Serialize)]
struct Named<'a> {
    run: &'a str,
    time: &'a str,
    title: &'a str,
}

impl<'a> Named<'a> {
    fn of(side: &'a Side<'_>) -> Self {
        Self {
            run: &side.run,
            time: &side.time,
            title: &side.title,
        }
    }

    fn line(&self) -> String {
        let title = text::one_line(self.title);
        format!("{}  {} UTC  {title}", text::one_line(self.run), moment(self.time))
    }
}

/// Compares, and shows what is different. The exit code is 2 when something is.
pub fn diff(args: &DiffArgs) -> Result<ExitCode, Diagnostics> {
    let store = Store::open()?;
    let (old, new) = (store.locate(Some(&args.old))?, store.locate(args.new.as_deref())?);
    let wanted = args.wanted.wanted();
    let normaliser = Normaliser::new(args.normalise.iter().copied());
    let (mut before, mut after) = (Side::new(&wanted, &normaliser), Side::new(&wanted, &normaliser));
    let damage = [read(&old, &mut before)?, read(&new, &mut after)?];
    let mut difference = compare(&before, &after);
    let runs = [Named::of(&before), Named::of(&after)];
    if args.json {
        let json = Json {
            batchssh_runs_diff: 1,
            runs,
            difference: &difference,
        };
        let line = crate::report::json::line(&json).map_err(|error| cannot_write(&error))?;
        print(&format!("{}\n", String::from_utf8_lossy(&line)))?;
    } else {
        difference.fold();
        print(&shown(&runs, &difference, args.verbose))?;
    }
    let [first, second] = damage;
    damaged(first.or(second))?;
    Ok(if difference.is_empty() {
        ExitCode::Ok
    } else {
        ExitCode::Hosts(2)
    })
}

fn read(located: &Located, side: &mut Side<'_>) -> Result<Option<String>, Diagnostic> {
    let running = located.is_running();
    let damage = located.read(&mut |event| {
        side.observe(event);
        Ok(())
    })?;
    if !running && damage.is_none() {
        side.close();
    }
    Ok(damage)
}

fn shown(runs: &[Named<'_>; 2], difference: &Difference, all: bool) -> String {
    let mut out = format!("--- {}\n+++ {}\n", runs[0].line(), runs[1].line());
    for (sign, hosts) in ["-", "+"].iter().zip(&difference.hosts_only) {
        if !hosts.is_empty() {
            out += &format!("\n{sign} hosts  {}\n", names(hosts, all));
        }
    }
    for (sign, tasks) in ["-", "+"].iter().zip(&difference.tasks_only) {
        if !tasks.is_empty() {
            out.push('\n');
        }
        for task in tasks {
            out += &format!(
                "{sign} task  {}  (on {})\n",
                called(&task.play, &task.task),
                text::hosts(task.hosts)
            );
        }
    }
    let mut last = None;
    let mut groups = 0;
    let mut hidden = 0;
    for change in &difference.changes {
        let task = (&change.play, &change.task);
        if last != Some(task) {
            tell_hidden(&mut out, &mut hidden);
            out += &format!("\n{}\n", called(&change.play, &change.task));
            (last, groups) = (Some(task), 0);
        }
        groups += 1;
        if groups > MOST_GROUPS && !all {
            hidden += 1;
            continue;
        }
        out += &one(change, all);
    }
    tell_hidden(&mut out, &mut hidden);
    let same = text::count(difference.same);
    let s = if difference.same == 1 { " is" } else { "s are" };
    let no = if difference.is_empty() {
        "nothing is different: "
    } else {
        ""
    };
    out += &format!("\n{no}{same} result{s} the same\n");
    out
}

fn tell_hidden(out: &mut String, hidden: &mut usize) {
    if *hidden > 0 {
        *out += &format!("  … {} more groups of hosts; -v shows all\n", text::count(*hidden));
    }
    *hidden = 0;
}

fn one(change: &Change, all: bool) -> String {
    let mut out = format!("  {}", names(&change.hosts, all));
    if let Some([was, is]) = &change.verdict {
        out += &format!("  {was} -> {is}");
    }
    out.push('\n');
    let most = if all { usize::MAX } else { MOST_LINES };
    for (what, lines) in [("", &change.output), ("$ ", &change.commands), ("> ", &change.files)] {
        for line in lines.iter().take(most) {
            let (sign, rest) = line.split_at_checked(2).unwrap_or(("", line));
            out += &format!("      {}\n", text::one_line(&format!("{sign}{what}{rest}")));
        }
        if lines.len() > most {
            let more = text::count(lines.len() - most);
            out += &format!("      … {more} more lines; -v shows all\n");
        }
    }
    out
}

fn called(play: &str, task: &str) -> String {
    let name = if play.is_empty() {
        task.to_owned()
    } else {
        format!("{play}: {task}")
    };
    text::one_line(&name)
}

fn names(hosts: &[HostName], all: bool) -> String {
    let hosts = hosts.iter().map(HostName::as_str);
    let folded = if all {
        fold::fold(hosts)
    } else {
        fold::fold_into(hosts, NAMES, 1).join(" ")
    };
    text::one_line(&folded)
}
