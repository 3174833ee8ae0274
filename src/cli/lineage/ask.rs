//! Asks on a terminal about tasks in doubt, before anything is contacted.

use std::collections::{HashMap, HashSet};
use std::io::{self, BufRead, IsTerminal, Write};

use crate::cli::lineage::chain::Chain;
use crate::cli::lineage::changes::every_task;
use crate::cli::lineage::resolutions;
use crate::cli::origin;
use crate::cli::runs::store::Store;
use crate::engine::replay::{Fold, Found, Resolution};
use crate::names::HostName;
use crate::plan::Plan;
use crate::source::{Diagnostic, visible};

/// Tasks that nothing but a person can decide about, each with its hosts. Without a terminal nobody is asked, and they
/// stay in doubt.
pub fn about_doubts(
    store: &Store,
    chain: &Chain,
    plan: &Plan,
    fold: &Fold,
    running: &HashSet<HostName>,
) -> Result<Vec<Resolution>, Diagnostic> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Ok(Vec::new());
    }
    // The host knows, or a command finds out.
    let mut decided = HashSet::new();
    every_task(plan, &mut |task| {
        if task.keywords.once.is_some() || task.keywords.verify.is_some() {
            decided.insert(format!("{}:{}", task.at.file.path.display(), task.at.line));
        }
    });
    let mut doubts: HashMap<(&str, &str), Vec<HostName>> = HashMap::new();
    for (host, records) in fold.records().filter(|(host, _)| running.contains(*host)) {
        for record in records {
            let open = |pass: &crate::engine::replay::Pass| pass.is_in_doubt() && pass.found.is_none();
            let is_open = open(&record.whole) || record.passes.values().any(open);
            if is_open && !decided.contains(&record.path) {
                doubts
                    .entry((&record.task, &record.path))
                    .or_default()
                    .push(host.clone());
            }
        }
    }
    let mut doubts: Vec<_> = doubts.into_iter().collect();
    doubts.sort();
    let mut found = Vec::new();
    for ((task, path), mut hosts) in doubts {
        hosts.sort();
        for host in hosts {
            let answer = ask(&format!(
                "`{}` ({}) was begun on {host}, and nobody saw its end. Was it done? [y]es, [n]o, [l]eave it in doubt: ",
                visible(task),
                visible(path)
            ))?;
            if let Some(answer) = answer {
                found.push(Resolution {
                    host,
                    path: path.to_owned(),
                    task: task.to_owned(),
                    found: answer,
                });
            }
        }
    }
    if !found.is_empty() {
        resolutions::add(store, &chain.newest().run, &found, &origin::who())?;
    }
    Ok(found)
}

fn ask(question: &str) -> Result<Option<Found>, Diagnostic> {
    let cannot = |error: io::Error| Diagnostic::new(format!("cannot ask: {error}"));
    loop {
        let mut err = io::stderr();
        err.write_all(question.as_bytes())
            .and_then(|()| err.flush())
            .map_err(cannot)?;
        let mut line = String::new();
        if io::stdin().lock().read_line(&mut line).map_err(cannot)? == 0 {
            return Ok(None);
        }
        match line.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" => return Ok(Some(Found::Done)),
            "n" | "no" => return Ok(Some(Found::NotDone)),
            "l" | "leave" => return Ok(None),
            _ => {}
        }
    }
}
