//! What earlier runs of a chain did, for a run that goes on with them (`retry`, `resume`): the fold of their events. The
//! engine walks the playbook as usual; [`Track`] says of each task whether its result is there already.

mod approved;
mod fold;
mod others;
mod record;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use crate::engine::canary::PastWaves;
use crate::engine::shared::HostVars;
use crate::names::HostName;
use crate::preflight::PriorEvidence;

pub use fold::Fold;
pub use record::{Acting, Key, Pass, Record, outcome as outcome_of};

/// A task that was done once for all hosts of a batch.
#[derive(Debug)]
struct Once {
    hosts: Arc<HashSet<HostName>>,
    record: Arc<Record>,
}

/// What somebody found out about a task in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// It was done.
    Done,
    /// It was not.
    NotDone,
}

/// What somebody found out, and about what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// On which host.
    pub host: HostName,
    /// `file:line` of the task.
    pub path: String,
    /// The task as shown.
    pub task: String,
    /// What was found.
    pub found: Found,
}

/// Everything to go on from.
#[derive(Debug, Default)]
pub struct Replay {
    hosts: Mutex<HashMap<HostName, Track>>,
    once: HashMap<Key, Vec<Once>>,
    /// Variables of hosts that are not in this run.
    others: HashMap<HostName, Arc<HostVars>>,
    /// Hosts that the last run with them could not give back.
    open: HashSet<HostName>,
    /// What its pre-flight checks approved, and what was seen since.
    pub prior: PriorEvidence,
    /// What is known about the waves of its plays.
    pub waves: PastWaves,
    /// The user said that what the wave showed that was stopped is right.
    pub accept_wave: bool,
}

impl Replay {
    /// The records of a host; they are the host's from here on.
    pub fn track(&self, host: &HostName) -> Option<Track> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner).remove(host)
    }

    /// The last run with this host could not give it back.
    pub fn is_open(&self, host: &HostName) -> bool {
        self.open.contains(host)
    }

    /// Variables of hosts that are not in this run.
    pub fn others(&self) -> impl Iterator<Item = (&HostName, &Arc<HostVars>)> {
        self.others.iter()
    }

    /// What a host of the same batch did for all of them.
    pub fn once(&self, key: &Key, host: &HostName) -> Option<Arc<Record>> {
        let done = self.once.get(key)?;
        let mine = done.iter().rev().find(|once| once.hosts.contains(host))?;
        mine.record.is_final().then(|| mine.record.clone())
    }
}

/// The records of one host, in the order in which they were made.
#[derive(Debug, Default)]
pub struct Track {
    records: Vec<Arc<Record>>,
    by_key: HashMap<Key, usize>,
    used: HashSet<usize>,
    accept: bool,
}

/// What the records say about a task that a host has come to.
#[derive(Debug)]
pub enum Says {
    /// It was done; it is not done again.
    Done(Arc<Record>),
    /// It was begun, or it failed: it is to be done, and all that follows.
    Unfinished(Arc<Record>),
    /// It was never begun: it is to be done, and all that follows.
    New,
    /// It is not in the records, but tasks that follow it are: the user accepted that.
    Inserted,
    /// The same, but nobody accepted it. The task that follows.
    Strange(Arc<Record>),
}

impl Track {
    fn new(records: Vec<Arc<Record>>, accept: bool) -> Self {
        let by_key = records
            .iter()
            .enumerate()
            .map(|(index, record)| (record.key.clone(), index))
            .collect();
        Self {
            records,
            by_key,
            used: HashSet::new(),
            accept,
        }
    }

    /// A task that another host did for all: what this one knows about it does not matter.
    pub fn pass_over(&mut self, key: &Key) {
        self.used.extend(self.by_key.get(key));
    }

    /// What is known about a task; each is asked about once, in the order of the playbook.
    pub fn says(&mut self, key: &Key) -> Says {
        let found = self.by_key.get(key).copied();
        if let Some(index) = found
            && let Some(record) = self.records.get(index)
            && self.used.insert(index)
        {
            return if record.is_final() {
                Says::Done(record.clone())
            } else {
                Says::Unfinished(record.clone())
            };
        }
        let rest = self.records.iter().enumerate();
        let mut rest = rest.filter(|(index, record)| record.matters() && !self.used.contains(index));
        match rest.next() {
            None => Says::New,
            Some(_) if self.accept => Says::Inserted,
            Some((_, record)) => Says::Strange(record.clone()),
        }
    }
}
