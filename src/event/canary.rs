//! What the comparison of a play's waves tells.

use serde::{Deserialize, Serialize};

use crate::event::preflight::Decision;
use crate::names::HostName;

/// A wave and its place among the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WavePlace {
    /// Number of the play, from 1.
    pub number: u32,
    /// Number of the wave, from 1.
    pub wave: usize,
    /// How many waves there are.
    pub waves: usize,
}

/// What a wave is compared in.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Subject {
    /// How a task ended.
    Task {
        /// Digest of the task as written.
        id: String,
        /// How often the host had come to it before in this play.
        nth: u32,
    },
    /// What a check was answered.
    Check {
        /// Its name.
        name: String,
    },
}

/// A wave, compared with those before it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CanaryVerdict {
    /// The play's name, or its pattern.
    pub play: String,
    /// Which wave.
    #[serde(flatten)]
    pub place: WavePlace,
    /// Its hosts, those of this run.
    pub hosts: Vec<HostName>,
    /// How many of them went through the play and were compared.
    pub compared: usize,
    /// What follows. Never [`Decision::Drop`]: the hosts of a wave are done, and nobody can be left out.
    pub decision: Decision,
    /// What is not as in the waves before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub found: Vec<CanaryFound>,
    /// What there is more of it than is told.
    #[serde(default)]
    pub more: usize,
    /// Everything that the wave showed: what later waves, also those of a later run, are compared with.
    pub kinds: Vec<CanaryKind>,
    /// The verdict in one line.
    pub msg: String,
    /// The way on, when it is not passed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub help: Vec<String>,
}

/// One thing that is not as in the waves before.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CanaryFound {
    /// The task or the check.
    pub name: String,
    /// It is a check.
    pub check: bool,
    /// `file:line` it is written at.
    pub path: String,
    /// On which hosts.
    pub hosts: Vec<HostName>,
    /// What it is.
    pub reason: String,
    /// They did not answer.
    #[serde(default)]
    pub silent: bool,
    /// How many hosts of the waves before were as most of them.
    #[serde(default)]
    pub usual: usize,
    /// What is otherwise than there: `- ` lines are missing, `+ ` lines are there instead. Numbers, dates and names are
    /// masked, as they are for the comparison.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub difference: Vec<String>,
}

/// One kind of result or answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CanaryKind {
    /// Of what.
    pub subject: Subject,
    /// The task or the check, as shown.
    pub name: String,
    /// `file:line` it is written at.
    pub path: String,
    /// The task runs once for a whole wave.
    #[serde(default, skip_serializing_if = "is_false")]
    pub once: bool,
    /// SHA-256 of its lines, hexadecimal.
    pub digest: String,
    /// The lines, normalised and cut; empty when a wave before has told them, and where there are too many kinds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
    /// How many hosts of the wave showed it.
    pub hosts: usize,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde's skip_serializing_if wants a reference"
)]
fn is_false(value: &bool) -> bool {
    !*value
}
