//! Runs that go on with earlier ones. `retry` and `resume` give the command again, with words of their own that are not
//! written down: which run it goes on with, and how.

mod ask;
mod chain;
mod changes;
mod resolutions;
pub mod resolve;

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::sync::Arc;

use clap::Args;
use rustix::fs::{FlockOperation, flock};

use crate::cli::runs::store::{Store, unreadable};
use crate::engine::replay::{Fold, Replay};
use crate::event::{EventKind, Origin, WrittenFile};
use crate::names::HostName;
use crate::plan::Plan;
use crate::report::Sink as _;
use crate::report::journal;
use crate::report::retry_file::{Entry, RetryFile};
use crate::source::{Diagnostic, Diagnostics};

pub use chain::{Chain, Stand};
pub use changes::{every_task, written};

/// The words that `retry` and `resume` add.
#[derive(Clone, Debug, Default, Args)]
pub struct LineageArgs {
    /// The run this one goes on with
    #[arg(long, value_name = "RUN", hide = true)]
    goes_on_with: Option<String>,
    /// Take nothing over from it
    #[arg(long, hide = true, requires = "goes_on_with")]
    from_start: bool,
    /// Tasks that were changed or added since are no reason to stop
    #[arg(long, hide = true, requires = "goes_on_with", conflicts_with = "from_start")]
    accept_changes: bool,
    /// Not to run anything: hosts are asked about its tasks in doubt (`batchssh doubt`)
    #[arg(long, value_name = "JSON", hide = true, conflicts_with = "goes_on_with")]
    doubts: Option<String>,
    /// What the wave showed that was stopped is right
    #[arg(long, hide = true, requires = "goes_on_with", conflicts_with = "from_start")]
    accept_wave: bool,
}

impl LineageArgs {
    /// The word for asking about doubts.
    pub fn doubts(asked: &str) -> String {
        format!("--doubts={asked}")
    }

    /// What hosts are to be asked instead of running anything.
    pub fn asked(&self) -> Option<&str> {
        self.doubts.as_deref()
    }

    /// The words for going on with a run.
    pub fn words(run: &str, from_start: bool, accept_changes: bool, accept_wave: bool) -> Vec<String> {
        let mut words = vec![format!("--goes-on-with={run}")];
        if from_start {
            words.push("--from-start".to_owned());
        }
        if accept_changes {
            words.push("--accept-changes".to_owned());
        }
        if accept_wave {
            words.push("--accept-wave".to_owned());
        }
        words
    }

    /// The words without those.
    pub fn strip(words: Vec<String>) -> Vec<String> {
        let ours = words
            .iter()
            .take_while(|word| *word != "--")
            .any(|word| word.starts_with("--goes-on-with="));
        if !ours {
            return words;
        }
        let mut command = false;
        let own = |word: &String| {
            let own = ["--from-start", "--accept-changes", "--accept-wave"];
            word.starts_with("--goes-on-with=") || own.contains(&word.as_str())
        };
        words
            .into_iter()
            .filter(|word| {
                command |= word == "--";
                command || !own(word)
            })
            .collect()
    }
}

/// The place of a run in its chain.
#[derive(Debug, Default)]
pub struct Lineage {
    args: LineageArgs,
    /// Held as long as the run goes on: a chain has one end.
    lock: Option<File>,
    /// Hosts that earlier runs of the chain left, and this one does not go on with.
    pub owed: Vec<Entry>,
}

impl Lineage {
    /// As the command line says.
    pub fn new(args: &LineageArgs) -> Self {
        Self {
            args: args.clone(),
            lock: None,
            owed: Vec::new(),
        }
    }

    /// The run this one goes on with.
    pub fn parent(&self) -> Option<&str> {
        self.args.goes_on_with.as_deref()
    }

    /// The first run of the chain; `own` when this run begins one.
    pub fn root(&self, store: &Store, own: &str) -> Result<String, Diagnostic> {
        match self.parent() {
            None => Ok(own.to_owned()),
            Some(parent) => Ok(chain::head(store, parent)?.root().to_owned()),
        }
    }

    /// Adds what it knows to the origin of a run.
    pub fn complete(&self, origin: &mut Origin) {
        origin.parent.clone_from(&self.args.goes_on_with);
        origin.from_start = self.args.from_start;
    }

    /// Reads what the chain did so far, and makes sure that nobody else goes on with it. `hosts` are those of this run.
    pub fn replay(&mut self, store: &Store, plan: &Plan, hosts: &[HostName]) -> Result<Replay, Diagnostics> {
        let Some(parent) = self.parent() else {
            return Ok(Replay::default());
        };
        let chain = Chain::of(store, parent)?;
        chain.refuse_alive(store)?;
        self.lock = Some(lock(store, chain.root())?);
        chain.close_killed(store)?;
        if self.args.from_start || chain.newest().check {
            return Ok(Replay::default());
        }
        let running: HashSet<HostName> = hosts.iter().cloned().collect();
        let mut fold = Fold::default();
        let mut files: Vec<WrittenFile> = Vec::new();
        let mut list = RetryFile::new("", []);
        for head in &chain.runs {
            let path = store.journal(&head.run);
            let wrong = |error: std::io::Error| unreadable(&path, &error);
            for event in journal::read(&path).map_err(wrong)? {
                let event = event.map_err(wrong)?;
                list.event(&event).map_err(wrong)?;
                let kind = event.kind;
                if let EventKind::PlaybookRead { files: read } = &kind {
                    files.retain(|file| read.iter().all(|newer| newer.path != file.path));
                    files.extend(read.iter().cloned());
                }
                fold.observe(kind);
            }
            fold.resolve(&resolutions::read(store, &head.run)?);
        }
        self.owed = list.left();
        self.owed.retain(|entry| !running.contains(&entry.host));
        if !self.args.accept_changes {
            changes::check(&chain, &files, plan, &fold, &running)?;
        }
        fold.resolve(&ask::about_doubts(store, &chain, plan, &fold, &running)?);
        let mut replay = fold.finish(self.args.accept_changes, &running);
        replay.accept_wave = self.args.accept_wave;
        if replay.accept_wave && !replay.waves.has_stopped() {
            let wrong = Diagnostic::new(format!("no wave of run {} was stopped by `canary`", chain.newest().run));
            return Err(wrong.help("leave `--accept-wave` away").into());
        }
        Ok(replay)
    }
}

/// Only one run at a time goes on with a chain.
fn lock(store: &Store, root: &str) -> Result<File, Diagnostic> {
    let path = store.dir.join(root).join("lock");
    let cannot = |error: std::io::Error| Diagnostic::new(format!("cannot lock {}: {error}", path.display()));
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .open(&path)
        .map_err(cannot)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(Diagnostic::new(format!(
            "another run goes on with run {root} right now"
        ))
        .help("`batchssh runs` lists it; wait for its end")),
        Err(error) => Err(cannot(error.into())),
    }
}

/// The files of a plan as they are now, for the journal.
pub fn files_of(plan: &Plan) -> Vec<WrittenFile> {
    changes::sources(plan)
        .iter()
        .map(|file| written(&Arc::clone(file)))
        .collect()
}
