//! The shell text around one command: only the pieces that are needed, and the lines that call them in their order.

use std::sync::LazyLock;

use crate::marker::guard::Guard;
use crate::marker::lease::Lease;
use crate::marker::task::Marker;
use crate::modules::{ModuleError, words};
use crate::shell::{Command, snippets};

/// What an exchange does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Looks at the marker: nothing is run or written.
    Look,
    /// The same, and a task in doubt is decided about: `verify` is run, and what it comes to is written down.
    Probe,
    /// Takes or refreshes the lease, and nothing else.
    Hold,
    /// All of it: lease, marker, guard, the command, its end.
    Run,
    /// All that comes before the command, which follows in exchanges of its own.
    Claim,
    /// Says how the attempt ended that this nonce claimed.
    Decide {
        /// Of the exchange that claimed it.
        nonce: String,
        /// It was done.
        done: bool,
        /// The exit code, for the record.
        rc: i32,
    },
    /// Gives the lease back, and forgets the markers whose file names begin like this (empty: none).
    Release(String),
}

/// What goes around a command in one exchange.
#[derive(Clone, Debug)]
pub struct Envelope<'a> {
    /// The first word of every line by which it speaks.
    pub nonce: String,
    /// Where the host keeps its records; `None`: where it usually does.
    pub store: Option<&'a str>,
    /// The run's lease on the host.
    pub lease: Option<&'a Lease>,
    /// The task's marker.
    pub marker: Option<&'a Marker>,
    /// What was approved.
    pub guard: Option<&'a Guard>,
}

impl Envelope<'_> {
    /// A nonce of its own for an exchange.
    pub fn nonce() -> Result<String, ModuleError> {
        Ok(format!("batchssh-{}{}", words::token()?, words::token()?))
    }

    /// True when there is nothing to put around a command.
    pub fn is_empty(&self) -> bool {
        self.lease.is_none() && self.marker.is_none() && self.guard.is_none()
    }

    /// The text for the host. `inner` is run with `exports` (shell text that sets its environment) before it.
    pub fn command(&self, act: &Act, inner: &Command, exports: &[u8]) -> Command {
        let mut text = HEAD.clone();
        let mut arguments: Vec<Vec<u8>> = vec![self.nonce.clone().into(), [exports, inner.for_host()].concat()];
        let kept = self.lease.and_then(|lease| lease.kept().filter(|_| may_keep(act)));
        if self.lease.is_some() || self.marker.is_some() {
            text += &PROCESS;
        }
        if (self.lease.is_some() && kept.is_none()) || self.marker.is_some() {
            text += &STORE;
            arguments.push(self.store.unwrap_or_default().into());
        }
        let is_kept = kept.is_some();
        match (self.lease, kept) {
            (None, _) => {}
            (Some(_), Some(kept)) => {
                text += &KEEP;
                arguments.extend(kept);
            }
            (Some(lease), None) => {
                text += &LEASE;
                arguments.extend(lease.arguments());
            }
        }
        if let Some(marker) = self.marker {
            text += &MARKER;
            arguments.extend(marker.arguments(&self.nonce, *act == Act::Look));
        }
        if let Some(guard) = self.guard {
            text += &GUARD;
            arguments.extend(guard.arguments());
        }
        match act {
            Act::Decide { nonce, done, rc } => {
                let end = if *done { "done" } else { "failed" };
                arguments.extend([nonce.clone().into(), end.into(), rc.to_string().into()]);
            }
            Act::Release(prefix) => arguments.push(prefix.clone().into()),
            Act::Look | Act::Probe | Act::Hold | Act::Run | Act::Claim => {}
        }
        let hold = if is_kept { "b_keep" } else { "b_hold" };
        for line in self.calls(act, hold) {
            text += line;
            text.push('\n');
        }
        Command::around(&text, arguments, inner)
    }

    /// The lines that call the pieces, in the order that holds for all of them: lease, marker, guard, intent, the
    /// command, done, measure.
    fn calls(&self, act: &Act, hold: &'static str) -> Vec<&'static str> {
        let (lease, marker, guard) = (self.lease.is_some(), self.marker.is_some(), self.guard.is_some());
        let mut calls = Vec::new();
        let mut call = |wanted: bool, line: &'static str| {
            if wanted {
                calls.push(line);
            }
        };
        match act {
            Act::Look | Act::Probe => {
                call(true, "b_open look");
                call(true, "case $? in 0) b_probe ;; 2) b_stop store \"$b_why\" ;; esac");
                call(true, "b_stop would \"$b_last\"");
            }
            Act::Hold => {
                call(true, hold);
                call(true, "b_stop held");
            }
            Act::Run | Act::Claim => {
                call(lease, hold);
                call(marker, "b_open run || b_stop store \"$b_why\"");
                call(marker, "b_probe");
                call(guard, "b_guard \"$@\"");
                call(marker, "b_claim");
                if *act == Act::Claim {
                    call(true, "b_stop ready");
                } else if marker || guard {
                    call(true, "b_run");
                    call(marker, "b_finish");
                    call(!marker, "b_say ran \"$b_rc\"");
                    call(guard, "b_after \"$@\"");
                    call(true, "exit \"$b_rc\"");
                } else {
                    call(true, "b_exec");
                }
            }
            Act::Decide { .. } => {
                call(true, "b_open run || b_stop store \"$b_why\"");
                call(true, "b_decide \"$@\"");
            }
            Act::Release(_) => call(true, "b_release \"$1\""),
        }
        calls
    }
}

/// True where the short form of the lease will do.
fn may_keep(act: &Act) -> bool {
    matches!(act, Act::Run | Act::Claim | Act::Hold)
}

static HEAD: LazyLock<String> = LazyLock::new(|| bare(snippets::ENVELOPE));
static PROCESS: LazyLock<String> = LazyLock::new(|| bare(snippets::PROCESS));
static KEEP: LazyLock<String> = LazyLock::new(|| bare(snippets::KEEP));
static STORE: LazyLock<String> = LazyLock::new(|| bare(snippets::STORE));
static LEASE: LazyLock<String> = LazyLock::new(|| bare(snippets::LEASE));
static MARKER: LazyLock<String> = LazyLock::new(|| bare(snippets::MARKER));
static GUARD: LazyLock<String> = LazyLock::new(|| bare(snippets::GUARD));

/// A snippet without what only people read: comments and the blanks that lines begin with.
fn bare(text: &str) -> String {
    let lines = text.lines().map(str::trim_start);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.flat_map(|line| [line, "\n"]).collect()
}
