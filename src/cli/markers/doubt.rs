//! `batchssh doubt`: tasks that journals say were begun, and whose end nobody saw.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::{Args, Subcommand};

use crate::cli::exit_code::ExitCode;
use crate::cli::lineage::{Chain, resolve};
use crate::cli::run::print;
use crate::cli::runs::store::Store;
use crate::engine::replay::{Found, Record, Resolution};
use crate::names::HostName;
use crate::source::{Diagnostic, Diagnostics, visible};

/// `batchssh doubt`.
#[derive(Clone, Debug, Args)]
pub struct DoubtArgs {
    /// What to do
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    /// List tasks in doubt: hosts, task, run
    List(ListArgs),
    /// Say what became of them; `retry` and `resume` go on from that
    Resolve(ResolveArgs),
}

#[derive(Clone, Debug, Args)]
struct ListArgs {
    /// Which run; its id or the begin of it [default: the last one]
    run: Option<String>,
}

#[derive(Clone, Debug, Args)]
struct ResolveArgs {
    /// Which run; its id or the begin of it
    run: String,
    /// On which hosts
    #[arg(required = true)]
    hosts: Vec<String>,
    /// It was done
    #[arg(long, conflicts_with = "not_done", required_unless_present = "not_done")]
    done: bool,
    /// It was not done, and runs again
    #[arg(long)]
    not_done: bool,
    /// Only the task of this name
    #[arg(long, value_name = "NAME")]
    task: Option<String>,
}

/// Lists what is in doubt, or decides about it.
pub fn doubt(args: &DoubtArgs) -> Result<ExitCode, Diagnostics> {
    match &args.what {
        What::List(args) => list(args),
        What::Resolve(args) => decide(args),
    }
}

/// One task in doubt on one host.
struct Doubt {
    host: HostName,
    task: String,
    path: String,
    run: String,
    found: Option<Found>,
}

fn doubts(store: &Store, chain: &Chain) -> Result<Vec<Doubt>, Diagnostics> {
    let fold = resolve::fold(store, chain)?;
    let mut doubts = Vec::new();
    for (host, records) in fold.records() {
        for record in records {
            if let Some(found) = open(record) {
                doubts.push(Doubt {
                    host: host.clone(),
                    task: record.task.clone(),
                    path: record.path.clone(),
                    run: record.run.clone(),
                    found,
                });
            }
        }
    }
    doubts.sort_by(|a, b| (&a.path, &a.task, &a.host).cmp(&(&b.path, &b.task, &b.host)));
    Ok(doubts)
}

/// `Some`: it is in doubt, and this is what somebody said about it.
fn open(record: &Record) -> Option<Option<Found>> {
    let mut passes = record.passes.values().chain([&record.whole]).filter(|pass| pass.is_in_doubt() && !pass.is_final());
    passes.next().map(|pass| pass.found)
}

fn list(args: &ListArgs) -> Result<ExitCode, Diagnostics> {
    let store = Store::open()?;
    let run = store.find(args.run.as_deref())?;
    let chain = Chain::of(&store, &run)?;
    let doubts = doubts(&store, &chain)?;
    if doubts.is_empty() {
        return print(&format!("run {}: nothing is in doubt\n", chain.newest().run));
    }
    let mut groups: BTreeMap<(String, String, String, &'static str), Vec<String>> = BTreeMap::new();
    for doubt in &doubts {
        let said = match doubt.found {
            None => "",
            Some(Found::Done) => ", said to be done",
            Some(Found::NotDone) => ", said not to be done",
        };
        let key = (doubt.path.clone(), doubt.task.clone(), doubt.run.clone(), said);
        groups.entry(key).or_default().push(doubt.host.to_string());
    }
    let mut text = String::new();
    for ((path, task, run, said), hosts) in &groups {
        let _ = writeln!(
            text,
            "{} ({}), begun by run {}{said}: {}",
            visible(task),
            visible(path),
            visible(run),
            hosts.iter().map(|host| visible(host)).collect::<Vec<_>>().join(" ")
        );
    }
    let _ = writeln!(
        text,
        "look at the hosts, and say `batchssh doubt resolve {} HOST... --done` or `--not-done`",
        chain.newest().run
    );
    print(&text)
}

fn decide(args: &ResolveArgs) -> Result<ExitCode, Diagnostics> {
    let store = Store::open()?;
    let run = store.find(Some(&args.run))?;
    let chain = Chain::of(&store, &run)?;
    chain.refuse_alive(&store)?;
    let found = if args.done { Found::Done } else { Found::NotDone };
    let mut resolutions = Vec::new();
    let doubts = doubts(&store, &chain)?;
    for wanted in &args.hosts {
        let before = resolutions.len();
        for doubt in doubts.iter().filter(|doubt| doubt.host.as_str() == wanted) {
            if args.task.as_ref().is_none_or(|task| *task == doubt.task) {
                resolutions.push(Resolution {
                    host: doubt.host.clone(),
                    path: doubt.path.clone(),
                    task: doubt.task.clone(),
                    found,
                });
            }
        }
        if resolutions.len() == before {
            return Err(Diagnostic::new(format!("nothing is in doubt on {wanted} in run {run}"))
                .help("`batchssh doubt list` shows what is")
                .into());
        }
    }
    resolve::add(&store, &chain, &resolutions)?;
    let mut text = String::new();
    for one in &resolutions {
        let word = if args.done { "done" } else { "not done" };
        let _ = writeln!(text, "{}: {word}: {} ({})", one.host, visible(&one.task), visible(&one.path));
    }
    let _ = writeln!(text, "go on with `batchssh retry {}`", chain.newest().run);
    print(&text)
}
