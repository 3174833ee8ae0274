//! The marker of one task on one host.

use crate::marker::digest::TaskParts;
use crate::marker::record::escape;

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

/// What is done about a task in doubt that nothing on the host decides about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenInDoubt {
    /// It is left alone.
    Stop,
    /// It is done again: somebody said so (`--in-doubt rerun`), or looked and said that it was not done.
    Rerun,
    /// It counts as done, and that is written down: somebody looked and said so.
    Done,
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
    /// What is done when it is in doubt.
    pub in_doubt: WhenInDoubt,
    /// Shell text that decides about a task in doubt: 0 it was done, 1 it was not.
    pub verify: Option<Vec<u8>>,
    /// Who says what was done.
    pub judge: Judge,
}

/// Longest value of a fact in a record, in characters: what is longer is cut, so that records stay small.
const LONGEST: usize = 500;

fn short(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

impl Marker {
    /// The arguments of `marker.sh`.
    pub(super) fn arguments(&self, nonce: &str, look: bool) -> Vec<Vec<u8>> {
        let digest = self.parts.digest();
        let mut facts = format!("name {}\nnonce {nonce}\ndigest {digest}\n", escape(&short(&self.name)));
        for (key, value) in &self.facts {
            facts += &format!("{key} {}\n", escape(&short(value)));
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
        let in_doubt = match self.in_doubt {
            WhenInDoubt::Stop => "stop",
            WhenInDoubt::Rerun => "rerun",
            WhenInDoubt::Done => "done",
        };
        vec![
            if look { "look" } else { "run" }.into(),
            self.file.clone().into(),
            digest.into(),
            facts.into(),
            change.into(),
            in_doubt.into(),
            self.verify.clone().unwrap_or_default(),
            judge.into(),
        ]
    }
}
