//! What the journals leave in doubt.

use std::collections::HashSet;

use serde_json::Value as Json;

use crate::cli::lineage::{Chain, resolve};
use crate::cli::runs::store::Store;
use crate::engine::replay::{Fold, Found, Pass, Record, Resolution};
use crate::event::{EventKind, Status};
use crate::names::HostName;
use crate::report::journal;
use crate::source::Diagnostic;

/// Chains of runs that are looked through when none is named.
const LATEST: usize = 20;

/// One task in doubt on one host; one item of a loop.
#[derive(Clone, Debug)]
pub struct Doubt {
    /// On which host.
    pub host: HostName,
    /// Number of the play.
    pub play: u32,
    /// The task as shown.
    pub task: String,
    /// `file:line` it was written at.
    pub path: String,
    /// The run that began it.
    pub run: String,
    /// The item of the loop.
    pub item: Option<String>,
    /// The commands, for people.
    pub command: String,
    /// As whom, where it was not the login user.
    pub became: Option<String>,
    /// The marker on the host.
    pub marker: Option<String>,
    /// What somebody said about it already.
    pub found: Option<Found>,
}

/// A chain of runs, and what it leaves in doubt.
#[derive(Debug)]
pub struct Open {
    /// The runs.
    pub chain: Chain,
    /// What is in doubt, by task and host.
    pub doubts: Vec<Doubt>,
    /// One of the runs still goes on: what it is at looks as if it were in doubt.
    pub alive: bool,
}

impl Doubt {
    fn new(host: &HostName, record: &Record, pass: &Pass) -> Self {
        let report = pass.result.as_ref();
        let acting = pass.acting.as_deref();
        let item = report.and_then(|report| report.item.as_ref());
        let item = item.or_else(|| acting?.item.as_ref());
        let item = item.map(|item| match item {
            Json::String(text) => text.clone(),
            other => other.to_string(),
        });
        let command = acting.map(|acting| acting.command.clone()).unwrap_or_default();
        Self {
            host: host.clone(),
            play: record.key.play,
            task: record.task.clone(),
            path: record.path.clone(),
            run: record.run.clone(),
            item,
            command,
            became: acting.and_then(|acting| acting.became.clone()),
            marker: pass.marker().map(str::to_owned),
            found: pass.found,
        }
    }

    /// What somebody says about it, for the record.
    pub fn resolution(&self, found: Found) -> Resolution {
        Resolution {
            host: self.host.clone(),
            path: self.path.clone(),
            task: self.task.clone(),
            found,
        }
    }
}

/// Everything in doubt, by task and host. Of a loop its items, where they are known.
fn doubts(fold: &Fold) -> Vec<Doubt> {
    let mut doubts = Vec::new();
    for (host, records) in fold.records() {
        for record in records {
            let open = |pass: &&Pass| pass.is_in_doubt() && !pass.is_final();
            let mut passes: Vec<&Pass> = record.passes.values().filter(open).collect();
            if passes.is_empty() && !record.is_final() {
                passes.extend(Some(&record.whole).filter(open));
            }
            doubts.extend(passes.into_iter().map(|pass| Doubt::new(host, record, pass)));
        }
    }
    doubts.sort_by(|a, b| {
        (a.play, &a.path, &a.task, &a.host, &a.item).cmp(&(b.play, &b.path, &b.task, &b.host, &b.item))
    });
    doubts
}

impl Open {
    /// What a chain leaves in doubt.
    pub fn of(store: &Store, chain: Chain) -> Result<Self, Diagnostic> {
        let alive = chain.refuse_alive(store).is_err();
        let doubts = doubts(&resolve::fold(store, &chain)?);
        Ok(Self { chain, doubts, alive })
    }
}

/// The latest chains in which something is in doubt, the newest first.
pub fn latest(store: &Store) -> Result<Vec<Open>, Diagnostic> {
    let mut seen = HashSet::new();
    let mut open = Vec::new();
    for run in store.ids().into_iter().rev() {
        // One that cannot be read is not ours to name: `runs verify` does.
        let Ok(Some(head)) = store.head(&run) else { continue };
        if !seen.insert(head.root().to_owned()) {
            continue;
        }
        if seen.len() > LATEST {
            break;
        }
        // The newest run of its chain: when all its hosts succeeded, nothing is in doubt any more.
        let last = journal::last(&store.journal(&run)).ok().flatten();
        if let Some(EventKind::RunFinished { recap, exit_code, .. }) = last.map(|event| event.kind)
            && exit_code < 128
            && recap.iter().all(|host| host.status.is_some_and(Status::is_good))
        {
            continue;
        }
        let one = Open::of(store, Chain::of(store, &run)?)?;
        if !one.doubts.is_empty() {
            open.push(one);
        }
    }
    Ok(open)
}
