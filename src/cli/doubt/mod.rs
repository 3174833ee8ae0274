//! `batchssh doubt`: tasks that were begun and whose end nobody saw, as the journals tell, as the hosts know, and as
//! somebody decides who looked.

mod args;
mod contact;
mod open;
mod plan;
mod view;

use crate::cli::exit_code::ExitCode;
use crate::cli::lineage::{Chain, resolve};
use crate::cli::origin;
use crate::cli::run::print;
use crate::cli::runs::store::Store;
use crate::engine::replay::{Found, Resolution};
use crate::inventory::matches_glob;
use crate::source::{Diagnostic, Diagnostics};

pub use args::{Asked, DoubtArgs};
pub use contact::contact;

use args::{ListArgs, ResolveArgs, What};
use open::{Doubt, Open};

/// Lists what is in doubt, or decides about it.
pub fn doubt(args: &DoubtArgs) -> Result<ExitCode, Diagnostics> {
    match &args.what {
        What::List(args) => list(args),
        What::Resolve(args) => decide(args),
    }
}

fn list(args: &ListArgs) -> Result<ExitCode, Diagnostics> {
    let store = Store::open()?;
    let open = match &args.run {
        Some(wanted) => {
            let run = store.find(Some(wanted))?;
            let one = Open::of(&store, Chain::of(&store, &run)?)?;
            if one.doubts.is_empty() && !args.json {
                return print(&format!("run {}: nothing is in doubt\n", one.chain.newest().run));
            }
            vec![one]
        }
        None => open::latest(&store)?,
    };
    if !args.look {
        return if args.json {
            print(&view::json(&open, None))
        } else {
            print(&view::list(&open, None))
        };
    }
    let open: Vec<Open> = open.into_iter().filter(|one| !one.doubts.is_empty()).collect();
    match open.as_slice() {
        [one] if one.doubts.iter().any(|doubt| doubt.marker.is_some()) => contact::give(
            &store,
            &one.chain,
            &one.doubts,
            &Asked {
                run: one.chain.newest().run.clone(),
                json: args.json,
                ..Asked::default()
            },
        ),
        [] | [_] if args.json => print(&view::json(&open, None)),
        [] | [_] => print(&view::list(&open, None)),
        many => {
            let runs: Vec<&str> = many.iter().map(|one| one.chain.newest().run.as_str()).collect();
            Err(
                Diagnostic::new(format!("{} runs have tasks in doubt: {}", many.len(), runs.join(", ")))
                    .help("`--look` asks the hosts of one run: name it, `batchssh doubt list RUN --look`")
                    .into(),
            )
        }
    }
}

/// The doubts that somebody decides about.
fn chosen<'a>(doubts: &'a [Doubt], hosts: &str, task: Option<&str>) -> Vec<&'a Doubt> {
    let host = |doubt: &Doubt| {
        let mut patterns = hosts.split(',').map(str::trim).filter(|pattern| !pattern.is_empty());
        patterns.any(|pattern| pattern == "all" || matches_glob(pattern, doubt.host.as_str()))
    };
    let named = |doubt: &Doubt| task.is_none_or(|task| task == doubt.task || task == doubt.path);
    doubts.iter().filter(|doubt| host(doubt) && named(doubt)).collect()
}

fn decide(args: &ResolveArgs) -> Result<ExitCode, Diagnostics> {
    let store = Store::open()?;
    let run = store.find(Some(&args.run))?;
    let chain = Chain::of(&store, &run)?;
    chain.refuse_alive(&store)?;
    let open = Open::of(&store, chain)?;
    let run = open.chain.newest().run.clone();
    let doubts = chosen(&open.doubts, &args.host, args.task.as_deref());
    if doubts.is_empty() {
        let what = args
            .task
            .as_ref()
            .map(|task| format!(" at the task `{task}`"))
            .unwrap_or_default();
        let help = if open.doubts.is_empty() {
            "nothing of this run is in doubt".to_owned()
        } else {
            format!("`batchssh doubt list {run}` shows what is")
        };
        return Err(
            Diagnostic::new(format!("nothing is in doubt on `{}`{what} in run {run}", args.host))
                .help(help)
                .into(),
        );
    }
    let mut tasks: Vec<&str> = doubts.iter().map(|doubt| doubt.path.as_str()).collect();
    tasks.sort_unstable();
    tasks.dedup();
    if tasks.len() > 1 && args.task.is_none() {
        let names: Vec<String> = tasks
            .iter()
            .filter_map(|path| doubts.iter().find(|doubt| doubt.path == *path))
            .map(|doubt| format!("`{}` ({})", doubt.task, doubt.path))
            .collect();
        return Err(Diagnostic::new(format!(
            "{} tasks are in doubt on `{}`: {}",
            tasks.len(),
            args.host,
            names.join(", ")
        ))
        .help("say which one: its name, or its place `FILE:LINE`, behind the host")
        .into());
    }
    let found = if args.done { Found::Done } else { Found::NotDone };
    let by = origin::who();
    let (marked, bare): (Vec<&Doubt>, Vec<&Doubt>) = doubts.into_iter().partition(|doubt| doubt.marker.is_some());
    if !bare.is_empty() {
        let held = resolve::hold(&store, &open.chain)?;
        let said: Vec<Resolution> = bare.iter().map(|doubt| doubt.resolution(found)).collect();
        resolve::add(&store, &open.chain, &said, &by)?;
        drop(held);
        print(&view::decided(&bare, found))?;
    }
    if marked.is_empty() {
        return print(&view::go_on(&store, &open.chain)?);
    }
    // The host has a record of it, too: the command of the run leads there.
    let marked: Vec<Doubt> = marked.into_iter().cloned().collect();
    let asked = Asked {
        run,
        say: Some(args.done),
        hosts: Some(args.host.clone()),
        task: args.task.clone(),
        json: false,
    };
    contact::give(&store, &open.chain, &marked, &asked)
}
