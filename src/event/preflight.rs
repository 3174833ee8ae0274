//! What pre-flight checks tell.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::event::Status;
use crate::names::HostName;

/// What one host answered to one check. Masked and cut: the digest is of the whole answer as it came.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PreflightAnswer {
    /// Which host.
    pub host: HostName,
    /// Which check.
    pub check: String,
    /// What was asked, for people.
    pub command: String,
    /// `ok`: it answered, whether or not as demanded; `skipped`: it was not asked; else why there is no answer.
    pub status: Status,
    /// Exit code, when it ended.
    #[serde(default)]
    pub rc: Option<i32>,
    /// SHA-256 of its whole output, hexadecimal; what dangerous tasks are bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// What it said, or the beginning of it.
    #[serde(default)]
    pub answer: String,
    /// Why it is no answer, or what in it is not as demanded.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub msg: String,
    /// The variable `disk` that follows from it.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub disk: Value,
    /// How long the host took for all checks of the play.
    pub seconds: f64,
}

/// What one check came to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PreflightVerdict {
    /// Which check.
    pub check: String,
    /// `file:line` it is written at.
    pub path: String,
    /// What follows.
    pub decision: Decision,
    /// How many hosts were asked.
    pub hosts: usize,
    /// Hosts with the same answer, the smallest group first. Only the first and the last ones have their lines.
    pub layouts: Vec<PreflightLayout>,
    /// Hosts that did not pass, in groups with the same reason.
    pub refused: Vec<PreflightRefusal>,
    /// What was good to know on some hosts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<PreflightNote>,
    /// The verdict in one line.
    pub msg: String,
    /// The way on, when it is not passed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub help: Vec<String>,
}

/// What follows from a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// All hosts go on.
    Passed,
    /// Those that passed go on without the others.
    Drop,
    /// Somebody is asked.
    Ask,
    /// Nothing is done.
    Stop,
}

/// Hosts with the same answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PreflightLayout {
    /// Which.
    pub hosts: Vec<HostName>,
    /// What they answered, normalised and cut; empty where there are too many layouts to show each.
    pub lines: Vec<String>,
    /// SHA-256 of all lines, hexadecimal: equal in two runs when hosts said the same in both.
    #[serde(default)]
    pub digest: String,
    /// They did not pass.
    pub odd: bool,
    /// What is otherwise than in the most common layout: `- ` lines are missing, `+ ` lines are there instead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub difference: Vec<String>,
}

/// Hosts that did not pass for the same reason.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PreflightRefusal {
    /// Which.
    pub hosts: Vec<HostName>,
    /// Why.
    pub reason: String,
    /// They did not answer.
    #[serde(default)]
    pub silent: bool,
}

/// Something good to know about hosts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PreflightNote {
    /// Which.
    pub hosts: Vec<HostName>,
    /// What.
    pub text: String,
}
