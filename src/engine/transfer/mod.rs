//! Recursive put and get. What is to be copied is compared with what is there, and only the difference is copied:
//! a second run changes nothing. One entry that fails does not stop its siblings.
//!
//! [`LocalTree::scan`] looks at the local side once for all hosts; [`put`] brings it to one of them; [`get`] brings a
//! remote tree to a directory of this machine and never writes outside it.

mod beneath;
mod compare;
mod get;
mod local_tree;
mod put;

#[cfg(test)]
mod tests;

pub use get::{GetOptions, GetRequest, get};
pub use local_tree::{LocalEntry, LocalKind, LocalTree};
pub use put::{Durability, PutOptions, put};

use std::fmt;

use crate::transport::files::show_path;

/// How many changes, failures and warnings are kept in full; the rest is counted.
const KEPT: usize = 200;

/// How many failures the message names.
const NAMED: usize = 3;

/// What was done, or would be, to one path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It was not there.
    Created,
    /// Its content was different.
    Updated,
    /// Its content was right, its mode or time was not.
    Attributes,
}

impl fmt::Display for ChangeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Attributes => "mode or time set",
        })
    }
}

/// What a transfer did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransferReport {
    /// The first changes, in the order of the tree: path for people, and what.
    pub changes: Vec<(String, ChangeKind)>,
    /// How many changes there are in all.
    pub changed: usize,
    /// Paths that were right already.
    pub unchanged: usize,
    /// Files whose content was sent or received.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// What was left out on purpose, for people.
    pub warnings: Vec<String>,
    /// How many paths were left out on purpose.
    pub skipped: usize,
    /// The first failures: path and reason for people.
    pub failures: Vec<(String, String)>,
    /// How many paths failed in all, those below a directory that failed included.
    pub failed: usize,
}

impl TransferReport {
    /// True when something was changed, or would be.
    pub fn is_changed(&self) -> bool {
        self.changed > 0
    }

    /// True when something failed.
    pub fn is_failed(&self) -> bool {
        self.failed > 0
    }

    /// One sentence for a task result: the first failures, or what was done.
    pub fn message(&self) -> String {
        if self.is_failed() {
            let named: Vec<_> = self
                .failures
                .iter()
                .take(NAMED)
                .map(|(path, why)| format!("{path}: {why}"))
                .collect();
            let rest = self.failed.saturating_sub(named.len());
            let rest = if rest > 0 {
                format!("; and {rest} more")
            } else {
                String::new()
            };
            return format!("{} failed: {}{rest}", count(self.failed, "path"), named.join("; "));
        }
        let mut message = if self.is_changed() {
            format!(
                "{} changed, {} unchanged, {} with {} bytes copied",
                self.changed,
                self.unchanged,
                count(self.files, "file"),
                self.bytes
            )
        } else {
            format!("{} unchanged", count(self.unchanged, "path"))
        };
        if let Some(first) = self.warnings.first() {
            let skipped = format!("; {} skipped: {first}", self.skipped);
            message.push_str(&skipped);
        }
        message
    }

    fn change(&mut self, path: &[u8], kind: ChangeKind) {
        self.changed += 1;
        if self.changes.len() < KEPT {
            self.changes.push((show_path(path), kind));
        }
    }

    fn fail(&mut self, path: &[u8], why: impl fmt::Display) {
        self.failed += 1;
        if self.failures.len() < KEPT {
            self.failures.push((show_path(path), why.to_string()));
        }
    }

    fn warn(&mut self, warning: String) {
        self.skipped += 1;
        if self.warnings.len() < KEPT {
            self.warnings.push(warning);
        }
    }
}

fn count(number: usize, what: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {what}{s}")
}
