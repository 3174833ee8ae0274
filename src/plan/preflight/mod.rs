//! Pre-flight checks as a play writes them: what is asked of every host, and what the answers must be like.

mod disks;
mod read;
mod size;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::layout::{Baseline, Normaliser};
use crate::plan::Keywords;
use crate::source::Span;
use crate::yaml::Node;

pub(super) use read::{one_of, unknown_key};

pub use disks::{DataRule, DiskRules, Kind, SystemRule, fits};
pub use size::{parse_size, show_size};

/// One check: a look that every host of the play must pass before the first task.
#[derive(Debug)]
pub struct Check {
    /// Its name, or what it asks. No two checks of a play have the same.
    pub name: String,
    /// Where it stands.
    pub at: Span,
    /// What is asked.
    pub look: Look,
    /// What the answers must be like.
    pub demand: Demand,
    /// What may differ in answers that are equal.
    pub normaliser: Normaliser,
    /// The order of the lines means nothing (`lines: sort`).
    pub sorted: bool,
    /// What is done about hosts whose answer is not as demanded.
    pub on_mismatch: OnMismatch,
    /// What is done about hosts that did not answer.
    pub on_no_answer: OnMismatch,
    /// `when`: all must be true, or the host is not asked.
    pub when: Vec<Node>,
    /// `become` and the like, `no_log`: inside of the play's.
    pub keywords: Keywords,
    /// `timeout`: how long one host may take for the answer.
    pub timeout: Option<Duration>,
    /// `rc`: exit codes of an answer that counts; 0 unless it says otherwise.
    pub rc: Vec<i32>,
}

/// What a check asks.
#[derive(Debug)]
pub enum Look {
    /// `command`: a program with its words, no shell.
    Command(Node),
    /// `shell`: shell text.
    Shell(Node),
    /// `disks`: which disks there are, and what they are used for ([`DiskRules`]).
    Disks(Node),
    /// `programs`: that these are there.
    Programs(Node),
    /// `space`: paths, and how much must be free there.
    Space(Node),
}

impl Look {
    /// The key it is written under.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Command(_) => "command",
            Self::Shell(_) => "shell",
            Self::Disks(_) => "disks",
            Self::Programs(_) => "programs",
            Self::Space(_) => "space",
        }
    }
}

impl Look {
    /// It demands something of the answer by itself.
    pub fn demands(&self) -> bool {
        match self {
            Self::Command(_) | Self::Shell(_) => false,
            Self::Disks(value) => value.as_map().is_some_and(|rules| !rules.is_empty()) || value.has_template(),
            Self::Programs(_) | Self::Space(_) => true,
        }
    }
}

/// What the answers must be like. All that is said must hold.
#[derive(Debug, Default)]
pub struct Demand {
    /// At most so many different answers: 1 for `same`, else `max_layouts`.
    pub most: Option<usize>,
    /// `expect`: the answer must be one of these.
    pub expect: Vec<Node>,
    /// `that`: conditions over `answer`.
    pub that: Vec<Node>,
    /// `baseline`: the file, and what it says.
    pub baseline: Option<Arc<(PathBuf, Baseline)>>,
}

/// What is done about hosts that did not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnMismatch {
    /// Nothing is done on any host.
    Stop,
    /// The rest goes on without them, when the rest is more than half.
    Drop,
    /// Somebody at the terminal decides between the two.
    Ask,
}

impl OnMismatch {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Drop => "drop",
            Self::Ask => "ask",
        }
    }
}

impl Check {
    /// Whether an answer is fine or not by itself, whatever other hosts say.
    pub fn judges_each(&self) -> bool {
        let demand = &self.demand;
        demand.most.is_none()
            && (!demand.expect.is_empty()
                || !demand.that.is_empty()
                || demand.baseline.is_some()
                || self.look.demands())
    }

    /// Whether its evidence is about the disks: `disks`, or a command that lists them.
    pub fn sees_disks(&self) -> bool {
        match &self.look {
            Look::Disks(_) => true,
            Look::Command(text) | Look::Shell(text) => {
                crate::danger::reads_disks(&text.scalar_text().unwrap_or_default())
            }
            Look::Programs(_) | Look::Space(_) => false,
        }
    }
}
