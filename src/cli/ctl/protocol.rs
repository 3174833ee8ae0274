//! What is said over the socket of a run: one JSON object a line, asked by `batchssh ctl` and answered by the run.
//!
//! The run greets with a [`Hello`]. Each [`Ask`] gets one [`Answer`], in order. After the answer to `attach` the
//! connection carries the run's events, one a line as in its journal, and further questions are not read.

use serde::{Deserialize, Serialize};

/// The version of this protocol; another one is not spoken.
pub const VERSION: u32 = 1;
/// A longer question is not read.
pub const LONGEST_ASK: usize = 64 * 1024;

/// The first line from the run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Hello {
    /// The version of the program that the run is made by.
    pub batchssh: String,
    /// The version of the protocol.
    pub protocol: u32,
    /// The run's id.
    pub run: String,
}

/// A question, or a wish.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Ask {
    /// How far is it?
    Status,
    /// More, fewer or so many workers: `+10`, `-10`, `=20`.
    Forks {
        /// The change.
        change: String,
    },
    /// No host is to begin a task.
    Pause,
    /// All may go on.
    Resume,
    /// Running tasks are to end, and nothing new to start.
    Drain,
    /// These hosts' remaining tasks are not to run.
    Skip {
        /// The hosts.
        hosts: Vec<String>,
    },
    /// Tell me everything from now on.
    Attach,
}

/// The answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Answer {
    /// It was done.
    pub ok: bool,
    /// What was done, or why not.
    pub said: String,
    /// To `status`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// To `attach`: where the events up to now stand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attached: Option<Attached>,
}

/// Where a watcher begins.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Attached {
    /// The number of the last event that is not told here, because it is in the journal.
    pub seq: u64,
}

/// How far a run is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    /// Its id.
    pub run: String,
    /// What people call it.
    pub title: String,
    /// Seconds since it began.
    pub seconds: f64,
    /// `running`, `paused`, `stopping`, `finished`.
    pub state: String,
    /// Most hosts at work at once.
    pub forks: usize,
    /// Hosts at work.
    pub working: usize,
    /// Hosts of the run.
    pub hosts: usize,
    /// Hosts through with everything, good or bad.
    pub done: usize,
    /// Of them: that failed.
    pub failed: usize,
    /// Of them: that could not be reached.
    pub unreachable: usize,
    /// Of them: of which nobody knows.
    pub in_doubt: usize,
    /// The play.
    pub play: String,
    /// The task that was begun last.
    pub task: String,
    /// The hosts that have been at work for longest.
    pub slowest: Vec<Slow>,
}

/// A host at work.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Slow {
    /// Which.
    pub host: String,
    /// On what.
    pub task: String,
    /// For how many seconds.
    pub seconds: f64,
}

impl Answer {
    /// It was done.
    pub fn yes(said: impl Into<String>) -> Self {
        Self {
            ok: true,
            said: said.into(),
            status: None,
            attached: None,
        }
    }

    /// It was not.
    pub fn no(said: impl Into<String>) -> Self {
        Self {
            ok: false,
            ..Self::yes(said)
        }
    }
}
