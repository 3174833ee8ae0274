//! What an operator's `policy.toml` allows: rules are read with their places, bound to the hosts of an inventory, and
//! checked on the plan before anybody is contacted ([`check()`]), and on each task as rendered before it acts
//! ([`Bound::judge`]). Several files apply together: every rule of each holds, and of two limits the smaller.
//!
//! A policy keeps people from mistakes. It is no wall against who writes the playbook.

mod bound;
mod check;
mod patterns;
mod read;
#[cfg(test)]
mod tests;
mod windows;

use std::path::PathBuf;

use crate::danger::{Danger, LiteralDisks};
use crate::source::Span;

pub use bound::{Asked, Bound, Refused};
pub use check::{Occasion, Violation, changes, check};
pub use patterns::Pattern;
pub use read::read;
pub use windows::Window;

/// The rules of all files that apply.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// The files, with what they held.
    pub files: Vec<File>,
    /// `literal_disks`: the strictest that was said.
    pub literal_disks: Option<LiteralDisks>,
    /// `[[forbid]]`.
    pub forbid: Vec<Forbid>,
    /// `[[require]]`.
    pub require: Vec<Require>,
    /// `limits.hosts`: more hosts need `--yes-hosts`.
    pub hosts: Option<Limit>,
    /// `limits.max_dangerous_hosts`: dangerous tasks on more hosts are refused.
    pub dangerous_hosts: Option<Limit>,
    /// `[[windows]]`.
    pub windows: Vec<Window>,
}

/// A file of rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Where it is.
    pub path: PathBuf,
    /// SHA-256 of its text, hexadecimal.
    pub digest: String,
}

/// Where a rule stands, for whom it is, and why it is there.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its place.
    pub at: Span,
    /// Patterns of hosts; none: all hosts.
    pub groups: Vec<String>,
    /// `reason`.
    pub reason: Option<String>,
}

/// What must not run.
#[derive(Clone, Debug)]
pub struct Forbid {
    /// The rule.
    pub rule: Rule,
    /// Commands.
    pub commands: Vec<Pattern>,
    /// Modules, by their short names.
    pub modules: Vec<String>,
    /// Everything that is dangerous in this way.
    pub danger: Option<Danger>,
}

/// What must be looked at before.
#[derive(Clone, Debug)]
pub struct Require {
    /// The rule.
    pub rule: Rule,
    /// The pre-flight check.
    pub preflight: Wanted,
    /// Only for tasks that are dangerous in this way; `None`: for every play.
    pub danger: Option<Danger>,
}

/// Which pre-flight check is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// One that looks at the disks.
    Disks,
    /// The one of this name.
    Named(String),
}

/// A largest number.
#[derive(Clone, Debug)]
pub struct Limit {
    /// The number.
    pub most: usize,
    /// Where it stands; `None`: a setting.
    pub at: Option<Span>,
}

impl Policy {
    /// Adds the rules of another file.
    pub fn add(&mut self, other: Self) {
        let before = self.files.len();
        self.files.extend(other.files);
        self.forbid.extend(other.forbid);
        self.require.extend(other.require);
        self.windows.extend(other.windows.into_iter().map(|window| Window {
            file: window.file + before,
            ..window
        }));
        self.literal_disks = match (self.literal_disks, other.literal_disks) {
            (Some(a), Some(b)) => Some(stricter(a, b)),
            (a, b) => a.or(b),
        };
        self.hosts = smaller(self.hosts.take(), other.hosts);
        self.dangerous_hosts = smaller(self.dangerous_hosts.take(), other.dangerous_hosts);
    }
}

/// The smaller of two limits.
pub fn smaller(a: Option<Limit>, b: Option<Limit>) -> Option<Limit> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if b.most < a.most { b } else { a }),
        (a, b) => a.or(b),
    }
}

fn stricter(a: LiteralDisks, b: LiteralDisks) -> LiteralDisks {
    let rank = |literal: LiteralDisks| match literal {
        LiteralDisks::Error => 2,
        LiteralDisks::Warn => 1,
        LiteralDisks::Allow => 0,
    };
    if rank(a) >= rank(b) { a } else { b }
}

impl Wanted {
    /// As it is written.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Disks => "disks",
            Self::Named(name) => name,
        }
    }
}
