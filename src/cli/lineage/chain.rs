//! A chain of runs: the first one, and those that went on with it, one after the other.

use std::collections::{HashMap, HashSet};

use crate::cli::runs::store::{Head, Store, unreadable};
use crate::event::{EventKind, Status};
use crate::names::HostName;
use crate::process::Process;
use crate::report::delivery::now;
use crate::report::journal::register::{self, Entry, State};
use crate::report::journal::{self, verify};
use crate::source::Diagnostic;

/// The runs of one chain, the oldest first. There is at least one.
#[derive(Debug)]
pub struct Chain {
    /// The first events of its runs.
    pub runs: Vec<Head>,
}

/// How far the hosts of a chain are.
#[derive(Debug, Default)]
pub struct Stand {
    /// Those that have not succeeded, in inventory order.
    pub left: Vec<HostName>,
    /// Of those: the run that had them last saw them fail, and went on without them.
    pub failed: HashSet<HostName>,
    /// The newest run was killed or stopped before it was through.
    pub interrupted: bool,
}

/// The first event of a run that must have one.
pub fn head(store: &Store, run: &str) -> Result<Head, Diagnostic> {
    store.head(run)?.ok_or_else(|| {
        Diagnostic::new(format!(
            "run {run} was killed before it began: there is nothing to go on with"
        ))
        .help("give its command again")
    })
}

fn is_failure(status: Status) -> bool {
    matches!(status, Status::Failed | Status::TimedOut | Status::Unreachable)
}

impl Chain {
    /// The chain that a run belongs to.
    pub fn of(store: &Store, run: &str) -> Result<Self, Diagnostic> {
        let root = head(store, run)?.root().to_owned();
        let mut runs = Vec::new();
        for id in store.ids() {
            // Runs that are older than the root cannot go on with it, and one that cannot be read is not ours to name.
            if id < root {
                continue;
            }
            if let Ok(Some(head)) = store.head(&id)
                && head.root() == root
            {
                runs.push(head);
            }
        }
        if runs.is_empty() {
            runs.push(head(store, &root)?);
        }
        Ok(Self { runs })
    }

    /// The id of the first run.
    pub fn root(&self) -> &str {
        self.runs.first().map_or("", |head| head.run.as_str())
    }

    /// The first run: its command is what is given again.
    pub fn first(&self) -> &Head {
        self.runs.first().expect("a chain has at least one run")
    }

    /// The last run.
    pub fn newest(&self) -> &Head {
        self.runs.last().expect("a chain has at least one run")
    }

    /// An error when one of its runs still goes on.
    pub fn refuse_alive(&self, store: &Store) -> Result<(), Diagnostic> {
        for head in &self.runs {
            let path = store.journal(&head.run);
            let open = journal::is_open(&path).map_err(|error| unreadable(&path, &error))?;
            let process = head.origin.process.as_ref();
            let alive = process.is_some_and(|process| Process::find(process.pid).as_ref() == Some(process));
            let ended = || {
                let last = journal::last(&path).ok().flatten();
                last.is_some_and(|event| matches!(event.kind, EventKind::RunFinished { .. }))
            };
            if !open && (!alive || ended()) {
                continue;
            }
            let process = match process {
                Some(process) if alive => format!("process {} ", process.pid),
                Some(_) | None => String::new(),
            };
            return Err(Diagnostic::new(format!(
                "run {} still goes on: {process}of {}@{}, begun {}",
                head.run, head.origin.user, head.origin.controller, head.time
            ))
            .help("wait for its end, or stop it with Ctrl-C where it runs"));
        }
        Ok(())
    }

    /// Writes down how far the journals of killed runs came, so that a later cut of them is noticed.
    pub fn close_killed(&self, store: &Store) -> Result<(), Diagnostic> {
        let cannot = |error: std::io::Error| Diagnostic::new(format!("cannot use {}: {error}", store.dir.display()));
        let register = register::read(&store.dir).map_err(cannot)?;
        for head in &self.runs {
            let mut entries = register.entries.iter().filter(|entry| entry.run == head.run).peekable();
            if entries.peek().is_none() || entries.any(|entry| entry.state != State::Begun) {
                continue;
            }
            let checked = verify::check(&store.journal(&head.run), &head.run).map_err(cannot)?;
            let entry = Entry {
                run: head.run.clone(),
                state: State::Closed,
                time: now(),
                lines: checked.lines,
                last: checked.last,
            };
            register::add(&store.dir, &entry).map_err(cannot)?;
        }
        Ok(())
    }

    /// How far its hosts are.
    pub fn stand(&self, store: &Store) -> Result<Stand, Diagnostic> {
        let mut good: HashMap<HostName, bool> = HashMap::new();
        let mut stand = Stand::default();
        for head in &self.runs {
            let path = store.journal(&head.run);
            for host in &head.hosts {
                good.insert(host.clone(), false);
                stand.failed.remove(host);
            }
            stand.interrupted = true;
            let mut stopped = false;
            for event in journal::read(&path).map_err(|error| unreadable(&path, &error))? {
                match event.map_err(|error| unreadable(&path, &error))?.kind {
                    EventKind::HostDone { host, status, .. } => {
                        good.insert(host.clone(), status.is_good());
                        if !stopped && is_failure(status) {
                            stand.failed.insert(host);
                        }
                    }
                    EventKind::TaskResult(report)
                        if !stopped && is_failure(report.status) && !report.ignored && !report.rescued =>
                    {
                        stand.failed.insert(report.host);
                    }
                    // What fails from here on may have been stopped.
                    EventKind::RunCancelled { .. } => stopped = true,
                    EventKind::RunFinished { exit_code, .. } => stand.interrupted = exit_code >= 128,
                    _ => {}
                }
            }
        }
        let first = self.runs.first().map(|head| head.hosts.as_slice()).unwrap_or_default();
        stand.left = first
            .iter()
            .filter(|host| good.get(*host) == Some(&false))
            .cloned()
            .collect();
        Ok(stand)
    }
}
