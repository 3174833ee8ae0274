//! The vocabulary of what gets told. The engine makes events, sinks read them; the journal, `--output json`, the
//! console, the retry file and the exit code are folds of the same stream. Every type here is `serde` both ways.

pub mod canary;
mod did;
mod origin;
mod playbook;
pub mod preflight;
pub mod summary;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::event::canary::{CanaryVerdict, WavePlace};
use crate::event::preflight::{PreflightAnswer, PreflightVerdict};
use crate::names::HostName;

pub use did::{Did, Lost, Seen, SentFile};
pub use origin::{HashedFile, Origin};
pub use playbook::{WrittenEntry, WrittenFile};

/// One line of the story, numbered in the order it is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Event {
    /// What happened. Flattened: the line has the field `event` and the fields of the kind.
    #[serde(flatten)]
    pub kind: EventKind,
    /// Number of the event in its run, from 1.
    pub seq: u64,
    /// Wall-clock time, RFC 3339 in UTC. For people; decisions use the monotonic clock.
    pub time: String,
}

/// What can happen.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// The first event.
    RunStarted {
        /// Name of the run: its folder under the state directory.
        run: String,
        /// The words of the command line, secrets removed.
        command: Vec<String>,
        /// The folder it was given in.
        #[serde(default)]
        folder: String,
        /// What people call the run: the playbook's path or the ad-hoc command.
        title: String,
        /// Hosts of the whole run in inventory order.
        hosts: Vec<HostName>,
        /// Nothing is to be changed.
        check: bool,
        /// Workers.
        forks: usize,
        /// True for `exec`, `put`, `get`: there are no PLAY and TASK lines to show.
        adhoc: bool,
        /// Who started it, where, and which run it goes on with.
        #[serde(default)]
        origin: Box<Origin>,
    },
    /// The tasks of the run as they were written, told once: a later run that goes on finds out what was changed since.
    PlaybookRead {
        /// The files that are known before the first task runs.
        files: Vec<WrittenFile>,
    },
    /// The policies were asked, before anybody was contacted; again when a wave of `serial` may not begin at its time.
    PolicyChecked {
        /// The files.
        policies: Vec<PolicyFile>,
        /// What is against them, with its places; empty: nothing, and the run begins.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        refused: Vec<String>,
    },
    /// A play begins (once per batch of `serial`).
    PlayStarted {
        /// Its name, or its pattern.
        play: String,
        /// The hosts of this batch.
        hosts: Vec<HostName>,
        /// Its number in the run, from 1. All batches of a play have the same.
        #[serde(default)]
        number: u32,
    },
    /// The pre-flight checks of a play are asked of all its hosts, those of all batches, before its first task.
    PreflightStarted {
        /// The play's name, or its pattern.
        play: String,
        /// The names of the checks.
        checks: Vec<String>,
        /// Who is asked.
        hosts: Vec<HostName>,
    },
    /// A host answered to a check, or did not.
    PreflightAnswer(Box<PreflightAnswer>),
    /// A check's verdict over all hosts.
    PreflightVerdict(Box<PreflightVerdict>),
    /// A wave of a play with `canary` begins.
    WaveStarted {
        /// Which.
        #[serde(flatten)]
        place: WavePlace,
        /// How many hosts the play has.
        total: usize,
        /// The hosts of the wave.
        hosts: Vec<HostName>,
    },
    /// A host of a wave answered to a check, or did not.
    CanaryAnswer(Box<PreflightAnswer>),
    /// A wave was compared with those before it.
    CanaryVerdict(Box<CanaryVerdict>),
    /// Somebody said how to go on behind a wave that was not like those before it.
    CanaryDecided {
        /// Which.
        #[serde(flatten)]
        place: WavePlace,
        /// It is right: later waves may be like it. Else: no further wave.
        accepted: bool,
        /// Who said so; empty: there was nobody to ask.
        by: String,
    },
    /// No host of the inventory matched the play.
    PlaySkipped {
        /// Its name, or its pattern.
        play: String,
    },
    /// A task begins on the first of its hosts.
    TaskStarted {
        /// Its name as shown: `role : name`.
        task: String,
        /// `file:line` it is written at.
        path: String,
        /// It is a handler.
        handler: bool,
    },
    /// A host begins to work on a task; for the progress line.
    HostStarted {
        /// Which host.
        host: HostName,
        /// On what.
        task: String,
    },
    /// A connection was opened.
    HostConnected {
        /// Which host.
        host: HostName,
        /// What is known about it (`transport::ConnectionInfo`).
        info: Value,
        /// How long connect to login took.
        seconds: f64,
    },
    /// `until` was not met, the task will run again.
    TaskRetrying {
        /// Which host.
        host: HostName,
        /// Which task.
        task: String,
        /// Tries left.
        retries_left: u32,
    },
    /// Steps are about to be taken. When the task must not be repeated, this is in the journal before they are.
    TaskActing {
        /// Which host.
        host: HostName,
        /// Number of the play.
        play: u32,
        /// Which task, as shown.
        task: String,
        /// `file:line` it is written at.
        path: String,
        /// Digest of the task as written.
        #[serde(default)]
        id: String,
        /// How often the host had come to the task before in this play.
        #[serde(default, skip_serializing_if = "is_zero")]
        nth: u32,
        /// Label of the loop item.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        item: Option<Value>,
        /// Number of the loop's pass, from 0.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        index: Option<u32>,
        /// As whom, where it is not the login user; masked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        became: Option<String>,
        /// Name of the task's marker on the host.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        marker: Option<String>,
        /// Doing it twice does no harm: nobody is in doubt when its end is not seen.
        repeatable: bool,
        /// The exact command, for people; masked, and empty under `no_log`.
        command: String,
    },
    /// A task was done in an earlier run of the chain and is not done again: its results are as they were.
    TaskRestored {
        /// Number of the play.
        play: u32,
        /// Which task, as shown.
        task: String,
        /// `file:line` it is written at.
        path: String,
        /// Digest of the task as written.
        #[serde(default)]
        id: String,
        /// On which hosts.
        hosts: Vec<HostName>,
    },
    /// One pass of a loop ended.
    ItemResult(Box<TaskReport>),
    /// A task ended on a host. The fields of [`TaskReport`] stand in the event itself.
    TaskResult(Box<TaskReport>),
    /// A file of tasks was included for these hosts.
    Included {
        /// The file.
        file: String,
        /// For whom.
        hosts: Vec<HostName>,
    },
    /// A host is through, or out.
    HostDone {
        /// Which host.
        host: HostName,
        /// The worst of its results; else `changed` when anything changed, else `ok`.
        status: Status,
        /// Why, when it is not `ok` or `changed`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        msg: Option<String>,
        /// The task it stopped at.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        task: Option<String>,
        /// Time from its first task to its last.
        seconds: f64,
    },
    /// Names of the same machine, or machines that are copies of each other (`ping --duplicates`).
    DuplicatesFound(Box<Duplicates>),
    /// Something worth knowing that is no result.
    Message {
        /// How much it matters.
        severity: Severity,
        /// The text.
        text: String,
    },
    /// Somebody changed, while the run went on, how it goes on.
    Controlled {
        /// What was changed.
        change: Control,
        /// By whom: a user (`batchssh ctl`), or a signal.
        by: String,
    },
    /// The user asked to stop.
    RunCancelled {
        /// By what: `SIGINT`, `SIGTERM`, …
        reason: String,
    },
    /// The last event.
    RunFinished {
        /// Counts of every host.
        recap: Vec<HostRecap>,
        /// The exit code that follows from the story.
        exit_code: u8,
        /// Whole time.
        seconds: f64,
    },
}

/// What can be changed while a run goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Control {
    /// Most hosts at work at once.
    Forks {
        /// Before.
        from: usize,
        /// From now on.
        to: usize,
    },
    /// No host begins a task.
    Paused,
    /// All go on.
    Resumed,
    /// Running tasks end, nothing new is started.
    Draining,
    /// A host's remaining tasks are not run.
    Skipped {
        /// Which host.
        host: HostName,
    },
}

impl Control {
    /// The change in words.
    pub fn words(&self) -> String {
        match self {
            Self::Forks { from, to } => format!("forks {from} -> {to}"),
            Self::Paused => "paused: running tasks end, no host begins another".to_owned(),
            Self::Resumed => "resumed".to_owned(),
            Self::Draining => "draining: running tasks end, nothing new is started".to_owned(),
            Self::Skipped { host } => format!("{host} is left out from its next task on"),
        }
    }
}

/// A file of rules that applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyFile {
    /// Where it is.
    pub path: String,
    /// SHA-256 of its text, hexadecimal.
    pub sha256: String,
}

/// How a task ended on a host. The order is from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nothing to do, by `when` or tags.
    Skipped,
    /// As wanted already, or a look that succeeded.
    Ok,
    /// It was changed (in check mode: it would be).
    Changed,
    /// It failed.
    Failed,
    /// It took too long and was stopped.
    TimedOut,
    /// The host could not be reached.
    Unreachable,
    /// It was started, and nobody knows how it ended.
    InDoubt,
}

impl Status {
    /// The host goes on after this.
    pub fn is_good(self) -> bool {
        matches!(self, Self::Skipped | Self::Ok | Self::Changed)
    }

    /// The word used in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skipped => "skipped",
            Self::Ok => "ok",
            Self::Changed => "changed",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Unreachable => "unreachable",
            Self::InDoubt => "in_doubt",
        }
    }
}

/// One result, as shown and as kept. Masked already: no secret reaches an event.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TaskReport {
    /// Which host.
    pub host: HostName,
    /// Which task, as shown.
    pub task: String,
    /// Its module's short name (`copy`).
    pub module: String,
    /// `file:line` it is written at.
    pub path: String,
    /// How it ended.
    pub status: Status,
    /// The user said to go on regardless (`ignore_errors`, `ignore_unreachable`).
    #[serde(default, skip_serializing_if = "is_false")]
    pub ignored: bool,
    /// A `rescue` section takes over from here: counted as rescued, not as failed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub rescued: bool,
    /// Exit code of the command, if it had one. Always written, as are the next two and `msg`: readers rely on them.
    #[serde(default)]
    pub rc: Option<i64>,
    /// Standard output; lossy UTF-8 when `stdout_b64` is there too.
    #[serde(default)]
    pub stdout: String,
    /// Standard error.
    #[serde(default)]
    pub stderr: String,
    /// The bytes of `stdout` when they are not UTF-8, base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout_b64: Option<String>,
    /// The bytes of `stderr` when they are not UTF-8, base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stderr_b64: Option<String>,
    /// The message: never empty for a result that is not good.
    #[serde(default)]
    pub msg: String,
    /// How long it took.
    pub seconds: f64,
    /// Label of the loop item, for `ItemResult`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<Value>,
    /// All further return keys of the module, for `-v`, `debug` and the journal. Under `no_log` only the censored notice.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub result: Value,
    /// What changed, under `--diff`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diff: Vec<Diff>,
    /// Names of the handlers this result notifies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notified: Vec<String>,
    /// It has items whose results were told one by one (`ItemResult`).
    #[serde(default, skip_serializing_if = "is_false")]
    pub looped: bool,
    /// Warnings and deprecations of the module.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The console shows `result` in full although nothing failed (`debug`, `-v`).
    #[serde(default, skip_serializing_if = "is_false")]
    pub verbose: bool,
    /// Ran on another host (`delegate_to`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegated_to: Option<String>,
    /// It was not the host that failed: we refused to run it there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refusal>,
    /// What was done, for the history, and what going on needs to know about the task.
    #[serde(default, skip_serializing_if = "Did::is_empty")]
    pub did: Box<Did>,
}

impl TaskReport {
    /// A result of our own, with nothing in it but its verdict.
    pub fn bare(host: &HostName, task: impl Into<String>, status: Status, msg: impl Into<String>) -> Self {
        Self {
            host: host.clone(),
            task: task.into(),
            module: String::new(),
            path: String::new(),
            status,
            ignored: false,
            rescued: false,
            rc: None,
            stdout: String::new(),
            stderr: String::new(),
            stdout_b64: None,
            stderr_b64: None,
            msg: msg.into(),
            seconds: 0.0,
            item: None,
            result: Value::Null,
            diff: Vec::new(),
            notified: Vec::new(),
            looped: false,
            warnings: Vec::new(),
            verbose: false,
            delegated_to: None,
            refused: None,
            did: Box::default(),
        }
    }
}

/// Why a task was refused before it changed anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// By a pre-flight check, a policy, a marker or a guard: exit code 10.
    Guard,
    /// Another run holds the host: exit code 12.
    Locked,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde's skip_serializing_if wants a reference"
)]
fn is_false(value: &bool) -> bool {
    !*value
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde's skip_serializing_if wants a reference"
)]
fn is_zero(value: &u32) -> bool {
    *value == 0
}

/// What a change does to one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Diff {
    /// The text of a file.
    Text {
        /// Headline of the old side.
        before_header: String,
        /// Headline of the new side.
        after_header: String,
        /// Old text.
        before: String,
        /// New text.
        after: String,
    },
    /// Anything said in words.
    Words(String),
    /// There is one, but `no_log` or its size hides it; the reason.
    Hidden(String),
}

/// Inventory names that have something in common which should tell machines apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Duplicates {
    /// What that means.
    pub likeness: Likeness,
    /// The names, in inventory order.
    pub hosts: Vec<HostName>,
    /// The machine id, when they have the same.
    #[serde(default)]
    pub machine_id: Option<String>,
    /// The fingerprint of the host key, when they have the same.
    #[serde(default)]
    pub host_key: Option<String>,
}

/// What it means that inventory names have something in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Likeness {
    /// They are names of one machine.
    Machine,
    /// They are machines with the same machine id and the same host key: copies of one image.
    Image,
    /// They are machines with the same machine id.
    MachineId,
    /// They are machines with the same host key.
    HostKey,
}

/// How much a message matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// For `-v`.
    Debug,
    /// Good to know.
    Info,
    /// Probably not what was meant.
    Warning,
    /// Something went wrong outside any host.
    Error,
}

/// The recap's counts of one host, with Ansible's meanings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostRecap {
    /// Which host.
    pub host: String,
    /// Tasks that ended well, changed ones included.
    pub ok: u32,
    /// Tasks that changed something.
    pub changed: u32,
    /// Times it could not be reached.
    pub unreachable: u32,
    /// Tasks that failed (timed out ones included).
    pub failed: u32,
    /// Tasks skipped.
    pub skipped: u32,
    /// Failures taken over by `rescue`.
    pub rescued: u32,
    /// Failures the user said to ignore.
    pub ignored: u32,
    /// Tasks nobody knows the end of.
    pub in_doubt: u32,
    /// Tasks that were done in an earlier run of the chain, and not again. They are in no other count.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub restored: u32,
    /// The host's last word, as in its `host_done` event.
    pub status: Option<Status>,
}
