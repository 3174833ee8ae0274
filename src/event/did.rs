//! What a task did on a host: for the history, and for a later run that goes on behind it.

use serde::{Deserialize, Serialize};

/// Most commands that are told of one result.
const MOST_COMMANDS: usize = 20;
/// Longest command, in bytes; the rest is cut.
const LONGEST_COMMAND: usize = 4096;

/// What was done, and what going on needs to know about the task. Under `no_log` there are no commands and no files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Did {
    /// Number of the play in the run, from 1; 0: none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub play: u32,
    /// Digest of the task as written: it is found again in a playbook whose lines moved.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// How often the host had come to the task before in this play: a file that is included twice, a handler that runs
    /// twice.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub nth: u32,
    /// Number of the loop's pass, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
    /// It ran once for all hosts of its batch.
    #[serde(default, skip_serializing_if = "is_false")]
    pub run_once: bool,
    /// Doing it twice does no harm.
    #[serde(default, skip_serializing_if = "is_false")]
    pub repeatable: bool,
    /// Only told once more about what an earlier run did (it is still in doubt), or looked at again because that result
    /// could not be kept: what earlier runs did behind it still counts.
    #[serde(default, skip_serializing_if = "is_false")]
    pub again: bool,
    /// The exact commands, for people; masked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
    /// Commands that are not told: there were too many.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_commands: u32,
    /// Files that were put on the host.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<SentFile>,
    /// Files that are not told: there were too many.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_files: u32,
    /// As whom, when not as the login user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub became: Option<String>,
    /// What the play's pre-flight checks would see now, as far as known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Seen>,
    /// The variable that holds the result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub register: Option<String>,
    /// Which of `rc`, `stdout`, `stderr`, their lines and `failed` the registered value has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// Why the registered value cannot be had from the journal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<Lost>,
}

impl Did {
    /// Most files that are told of one result.
    pub const MOST_FILES: usize = 100;

    /// Nothing to tell.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds a command, within bounds.
    pub fn command(&mut self, mut text: String) {
        if self.commands.len() >= MOST_COMMANDS {
            self.more_commands = self.more_commands.saturating_add(1);
            return;
        }
        if text.len() > LONGEST_COMMAND {
            let cut = (0..=LONGEST_COMMAND)
                .rev()
                .find(|at| text.is_char_boundary(*at))
                .unwrap_or(0);
            let left = text.len() - cut;
            text.truncate(cut);
            text.push_str(&format!(" … {left} bytes more"));
        }
        self.commands.push(text);
    }

    /// Adds a file, within bounds.
    pub fn file(&mut self, file: SentFile) {
        if self.files.len() >= Self::MOST_FILES {
            self.more_files = self.more_files.saturating_add(1);
        } else {
            self.files.push(file);
        }
    }
}

/// A file that was put on a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentFile {
    /// Where; lossy UTF-8.
    pub path: String,
    /// SHA-256 of its content, hexadecimal.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
}

/// What one pre-flight check would see on the host now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The check.
    pub check: String,
    /// SHA-256 of its answer; `None`: nobody knows.
    pub digest: Option<String>,
}

/// Why a registered value is not in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lost {
    /// `no_log` hides it.
    NoLog,
    /// A secret in it was masked.
    Masked,
    /// It is too large.
    Large,
}

impl Lost {
    /// The reason in words: `the value was not kept, because …`.
    pub fn because(self) -> &'static str {
        match self {
            Self::NoLog => "`no_log` hides it",
            Self::Masked => "a secret in it was masked",
            Self::Large => "it is larger than 1 MiB",
        }
    }
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
