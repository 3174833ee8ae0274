//! What was changed in a playbook since tasks of it were done. Changes behind what was done are what one does after a
//! failure, and are fine; a change in front of it would make "done" mean something else.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::cli::lineage::chain::Chain;
use crate::engine::replay::Fold;
use crate::engine::written::Written;
use crate::event::{WrittenEntry, WrittenFile};
use crate::names::HostName;
use crate::plan::{Entry, Plan, Task};
use crate::source::{Diagnostic, Diagnostics, SourceFile};
use crate::transport::manifest::hex;

/// Calls `each` for every task that is known before the run.
pub fn every_task(plan: &Plan, each: &mut dyn FnMut(&Task)) {
    fn entries(list: &[Entry], each: &mut dyn FnMut(&Task)) {
        for entry in list {
            match entry {
                Entry::Task(task) => each(task),
                Entry::Block(block) => {
                    for list in [&block.body, &block.rescue, &block.always] {
                        entries(list, each);
                    }
                }
            }
        }
    }
    for play in &plan.plays {
        entries(&play.body, each);
        entries(&play.handlers, each);
    }
}

/// The files of a plan, each once.
pub fn sources(plan: &Plan) -> Vec<Arc<SourceFile>> {
    let mut seen = HashSet::new();
    let mut files = Vec::new();
    let mut add = |file: &Arc<SourceFile>| {
        if seen.insert(file.path.clone()) {
            files.push(file.clone());
        }
    };
    for play in &plan.plays {
        add(&play.at.file);
    }
    every_task(plan, &mut |task| add(&task.at.file));
    files
}

/// A file as it is written down.
pub fn written(file: &Arc<SourceFile>) -> WrittenFile {
    WrittenFile {
        path: file.path.display().to_string(),
        sha256: hex(&Sha256::digest(file.text.as_bytes())),
        entries: Written::read(file).entries,
    }
}

/// Tasks that were done, or maybe done, by `file:line`, with the number of hosts.
type Done<'a> = HashMap<&'a str, usize>;

/// Mistakes, all together, when something was changed in front of what was done on the hosts of this run.
pub fn check(
    chain: &Chain,
    before: &[WrittenFile],
    plan: &Plan,
    fold: &Fold,
    running: &HashSet<HostName>,
) -> Result<(), Diagnostics> {
    let mut done: Done<'_> = HashMap::new();
    for (_, records) in fold.records().filter(|(host, _)| running.contains(*host)) {
        for record in records.iter().filter(|record| record.matters()) {
            *done.entry(record.path.as_str()).or_default() += 1;
        }
    }
    let now: HashMap<String, WrittenFile> = sources(plan)
        .iter()
        .map(|file| (file.path.display().to_string(), written(file)))
        .collect();
    let mut changed = Vec::new();
    for old in before {
        match now.get(&old.path) {
            Some(new) if new.sha256 == old.sha256 => {}
            Some(new) => compare(&old.path, &old.entries, &new.entries, &done, &mut changed),
            None => compare(&old.path, &old.entries, &[], &done, &mut changed),
        }
    }
    if changed.is_empty() {
        return Ok(());
    }
    let root = chain.newest();
    let help = "`--accept-changes` goes on all the same: what was done stays done, new tasks run; `--from-start` runs everything";
    let mistakes = changed
        .into_iter()
        .map(|what| Diagnostic::new(format!("{what} since run {}", root.run)).help(help));
    Err(Diagnostics(mistakes.collect()))
}

/// How many hosts have done the entry, or something in it.
fn hosts(path: &str, entry: &WrittenEntry, done: &Done<'_>) -> usize {
    let own = done
        .get(format!("{path}:{}", entry.line).as_str())
        .copied()
        .unwrap_or_default();
    let inside = entry.inside.values().flatten().map(|entry| hosts(path, entry, done));
    inside.fold(own, usize::max)
}

/// Compares a list up to the last entry of it that was done.
fn compare(path: &str, old: &[WrittenEntry], new: &[WrittenEntry], done: &Done<'_>, changed: &mut Vec<String>) {
    let Some(last) = old.iter().rposition(|entry| hosts(path, entry, done) > 0) else {
        return;
    };
    let empty = BTreeMap::new();
    for (index, was) in old.iter().enumerate().take(last + 1) {
        let is = new.get(index);
        if is.is_none_or(|is| is.id != was.id) {
            let count = hosts(path, was, done);
            let host = if count == 1 { "host" } else { "hosts" };
            let place = is.map_or_else(|| path.to_owned(), |is| format!("{path}:{}", is.line));
            let what = if new.iter().any(|is| is.id == was.id) {
                let inserted = is.map_or("something", |is| is.name.as_str());
                format!("{place}: `{inserted}` was put before `{}`", was.name)
            } else {
                format!("{place}: `{}` was changed or removed", was.name)
            };
            let then = if count > 0 {
                format!(", which was done already on {count} {host},")
            } else {
                ", in front of tasks that were done already,".to_owned()
            };
            changed.push(format!("{what}{then}"));
            return;
        }
        for (key, inside) in &was.inside {
            let now = is.map_or(&empty, |is| &is.inside).get(key).map(Vec::as_slice);
            compare(path, inside, now.unwrap_or_default(), done, changed);
        }
    }
}
