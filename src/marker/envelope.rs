//! The shell text around one command: only the pieces that are needed, and the lines that call them in their order.

use std::sync::LazyLock;

use crate::marker::digest::TaskParts;
use crate::marker::record::escape;
use crate::modules::{ModuleError, words};
use crate::shell::{Command, snippets};

/// What is done about a task that was done and was changed since (`on_change`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnChange {
    /// It is refused.
    Stop,
    /// It is done again.
    Rerun,
    /// It counts as done.
    Keep,
}

/// Who says whether a command that ended was the task done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judge {
    /// The host: rc 0 is done.
    Host,
    /// The host: every rc is done (`failed_when: false`).
    Any,
    /// The controller, afterwards (`failed_when`, several steps).
    Controller,
}

/// The marker of one task on one host.
#[derive(Clone, Debug)]
pub struct Marker {
    /// Its name.
    pub name: String,
    /// Its file name, see [`super::file_name`].
    pub file: String,
    /// What the task is.
    pub parts: TaskParts,
    /// Further facts for the record, as keys and values: who, in which run.
    pub facts: Vec<(&'static str, String)>,
    /// What is done when the task is another one than the one that was done.
    pub on_change: OnChange,
    /// A task in doubt is done again (`--in-doubt rerun`).
    pub rerun: bool,
    /// Shell text that decides about a task in doubt: 0 it was done, 1 it was not.
    pub verify: Option<Vec<u8>>,
    /// Who says what was done.
    pub judge: Judge,
}

/// What an exchange does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Looks at the marker: nothing is run or written.
    Look,
    /// Looks, claims, runs the command, writes its end down.
    Run,
    /// Looks and claims: the command comes later, in exchanges of its own.
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
}

/// What goes around a command in one exchange.
#[derive(Clone, Debug)]
pub struct Envelope<'a> {
    /// The first word of every line by which it speaks.
    pub nonce: String,
    /// Where the host keeps its records; `None`: where it usually does.
    pub store: Option<String>,
    /// The task's marker.
    pub marker: Option<&'a Marker>,
}

impl Envelope<'_> {
    /// An envelope with a nonce of its own.
    pub fn new<'a>(store: Option<&str>, marker: Option<&'a Marker>) -> Result<Envelope<'a>, ModuleError> {
        Ok(Envelope {
            nonce: format!("batchssh-{}{}", words::token()?, words::token()?),
            store: store.map(str::to_owned),
            marker,
        })
    }

    /// The text for the host. `inner` is run with `exports` (shell text that sets its environment) before it.
    pub fn command(&self, act: &Act, inner: &Command, exports: &[u8]) -> Command {
        let mut text = String::new();
        let mut arguments: Vec<Vec<u8>> = vec![self.nonce.clone().into(), [exports, inner.for_host()].concat()];
        text += &HEAD;
        let mut calls = String::new();
        if let Some(marker) = self.marker {
            text += &STORE;
            text += &MARKER;
            arguments.push(self.store.clone().unwrap_or_default().into());
            arguments.extend(marker.arguments(&self.nonce, act));
            calls += match act {
                Act::Look => "b_open look && b_probe\nb_stop would \"$b_last\"\n",
                Act::Run | Act::Claim => "b_open run\nb_probe\nb_claim\n",
                Act::Decide { .. } => "b_open run\nb_decide \"$@\"\n",
            };
            if let Act::Decide { nonce, done, rc } = act {
                let end = if *done { "done" } else { "failed" };
                arguments.extend([nonce.clone().into(), end.into(), rc.to_string().into()]);
            }
        }
        match act {
            Act::Run => {
                calls += "b_run\n";
                if self.marker.is_some() {
                    calls += "b_finish\n";
                }
                calls += "exit \"$b_rc\"\n";
            }
            Act::Look | Act::Claim | Act::Decide { .. } => {}
        }
        text += &calls;
        Command::around(&text, arguments, inner)
    }
}

impl Marker {
    fn arguments(&self, nonce: &str, act: &Act) -> Vec<Vec<u8>> {
        let mut facts = format!(
            "name {}\nnonce {nonce}\ndigest {}\n",
            escape(&self.name),
            self.parts.digest()
        );
        for (key, value) in &self.facts {
            facts += &format!("{key} {}\n", escape(value));
        }
        facts += &self.parts.lines(nonce);
        let change = match self.on_change {
            OnChange::Stop => "stop",
            OnChange::Rerun => "rerun",
            OnChange::Keep => "keep",
        };
        let judge = match self.judge {
            Judge::Host => "host",
            Judge::Any => "any",
            Judge::Controller => "controller",
        };
        vec![
            if *act == Act::Look { "look" } else { "run" }.into(),
            self.file.clone().into(),
            self.parts.digest().into(),
            facts.into(),
            change.into(),
            if self.rerun { "rerun" } else { "stop" }.into(),
            self.verify.clone().unwrap_or_default(),
            judge.into(),
        ]
    }
}

static HEAD: LazyLock<String> = LazyLock::new(|| bare(snippets::ENVELOPE));
static STORE: LazyLock<String> = LazyLock::new(|| bare(snippets::STORE));
static MARKER: LazyLock<String> = LazyLock::new(|| bare(snippets::MARKER));

/// A snippet without what only people read: comments and the blanks that lines begin with.
fn bare(text: &str) -> String {
    let lines = text.lines().map(str::trim_start);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.flat_map(|line| [line, "\n"]).collect()
}
