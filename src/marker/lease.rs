//! The lease of a run on a host.

use std::time::Duration;

use crate::marker::answer::Said;
use crate::marker::record::{escape, unescape};

/// What a run says to get or keep a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The run.
    pub run: String,
    /// The first run of its chain: all of a chain share the lease.
    pub root: String,
    /// `user@host` of the controller.
    pub who: String,
    /// The process of the run, as [`crate::process::seat`] names it.
    pub seat: Option<String>,
    /// The process of another run that is known to be gone: its lease ends when no command of it is at work.
    pub gone: Option<String>,
    /// What the run calls the host.
    pub name: String,
    /// After so long without a sign of life, and without a process of it, it is over.
    pub expiry: Duration,
    /// Nothing may run where it cannot be kept.
    pub required: bool,
    /// This run has it already.
    pub held: Option<Held>,
}

/// A lease that a run has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The file on the host, as the host told it.
    pub file: String,
    /// Signs of life since it was last looked at in full.
    pub beats: u32,
}

/// After so many signs of life they are tidied up.
const TIDY: u32 = 30;
/// Longest name of a file that is sent back to the host.
const LONGEST: usize = 1024;

/// Who has a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// The run.
    pub run: String,
    /// `user@host` of its controller.
    pub who: String,
    /// Its process; empty when it told none.
    pub seat: String,
    /// Since when, RFC 3339.
    pub since: String,
    /// Seconds since its last sign of life.
    pub silent: Option<i64>,
}

impl Lease {
    /// The arguments of `keep.sh`, which is enough for most exchanges of the run that has it.
    pub(super) fn kept(&self) -> Option<Vec<Vec<u8>>> {
        let held = self.held.as_ref()?;
        let fits = held.beats < TIDY && held.file.starts_with('/') && held.file.len() < LONGEST;
        fits.then(|| vec![held.file.clone().into(), word(&self.root).into()])
    }

    /// Takes in what was said about it; `Some(why)`: none can be kept there.
    pub fn learn(&mut self, said: &Said) -> Option<String> {
        let words = said.last("lease").and_then(|words| words.split_once(' '));
        if let Some((_, file)) = words {
            let before = self.kept().and(self.held.as_ref()).map_or(0, |held| held.beats);
            self.held = Some(Held {
                file: file.to_owned(),
                beats: before + 1,
            });
        }
        said.last("nolease").map(str::to_owned)
    }

    /// The arguments of `lease.sh`.
    pub(super) fn arguments(&self) -> Vec<Vec<u8>> {
        let flag = |on: bool| if on { "1" } else { "0" };
        vec![
            word(&self.root).into(),
            flag(self.held.is_some()).into(),
            self.expiry.as_secs().max(1).to_string().into(),
            flag(self.required).into(),
            self.facts().into(),
            crate::marker::file_name(&self.name).into(),
            word(self.gone.as_deref().unwrap_or_default()).into(),
        ]
    }

    /// The lines of its record about the run.
    fn facts(&self) -> String {
        let seat = self.seat.as_deref().map_or_else(String::new, word);
        format!("run {}\nwho {}\nseat {seat}\n", word(&self.run), word(&self.who))
    }
}

impl Owner {
    /// As the host told it.
    pub(super) fn heard(said: &Said, silent: &str) -> Self {
        let value = |key: &str| {
            let found = said
                .all("h")
                .filter_map(|line| line.split_once(' '))
                .filter(|(k, _)| *k == key);
            found.last().map(|(_, value)| unescape(value)).unwrap_or_default()
        };
        Self {
            run: value("run"),
            who: value("who"),
            seat: value("seat"),
            since: value("since"),
            silent: silent.parse().ok(),
        }
    }
}

/// A value without blanks at its ends, in one line.
fn word(text: &str) -> String {
    escape(text.trim())
}
