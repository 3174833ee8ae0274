//! Proves that a journal is as it was written: no line changed, taken out or put in, none cut off its end.

use std::io;
use std::path::Path;

use super::chain::Chain;
use super::read::Lines;
use super::register::{Entry, Register, State};
use super::{FILE_NAME, is_open};
use crate::event::{Event, EventKind};

/// What is known about the journal of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every line is as it was written, and none is missing.
    Whole,
    /// Every line is as it was written. The run was killed, so nobody wrote down which line was the last: lines missing
    /// at the end would not be noticed.
    OpenEnd {
        /// It ends with half a line, as after a kill or a power cut.
        torn: bool,
    },
    /// The run goes on.
    Running,
    /// This line does not follow from the one before.
    Broken {
        /// Which, from 1.
        line: u64,
        /// How.
        how: String,
    },
    /// Lines are missing at the end.
    Cut {
        /// Lines that are there.
        has: u64,
        /// Lines there were.
        had: u64,
    },
    /// There are lines behind the last one.
    Longer {
        /// Lines that are there.
        has: u64,
        /// Lines there were.
        had: u64,
    },
    /// The run is in the register, and its journal is gone.
    Removed,
    /// The journal is there, and the register does not know the run.
    Unregistered,
    /// The journal is there and empty, and the register does not know the run: it was killed before it began.
    NotBegun,
    /// It was written by a version that had no chain.
    Unchained,
}

impl Verdict {
    /// Nothing speaks against the journal.
    pub fn is_sound(&self) -> bool {
        match self {
            Self::Whole | Self::OpenEnd { .. } | Self::Running | Self::NotBegun => true,
            Self::Broken { .. }
            | Self::Cut { .. }
            | Self::Longer { .. }
            | Self::Removed
            | Self::Unregistered
            | Self::Unchained => false,
        }
    }

    /// In words.
    pub fn words(&self) -> String {
        let lines = |n: &u64| format!("{n} line{}", if *n == 1 { "" } else { "s" });
        match self {
            Self::Whole => "whole".to_owned(),
            Self::OpenEnd { torn: false } => {
                "unbroken, but the run was killed: lines missing at its end cannot be noticed".to_owned()
            }
            Self::OpenEnd { torn: true } => {
                "unbroken up to half a line: the run was killed while it wrote; lines missing at its end cannot be noticed"
                    .to_owned()
            }
            Self::Running => "unbroken so far; the run goes on".to_owned(),
            Self::Broken { line, how } => format!("BROKEN at line {line}: {how}"),
            Self::Cut { has, had } => format!("CUT: {} of {} are there", has, lines(had)),
            Self::Longer { has, had } => format!("BROKEN: {} are there, the run wrote {had}", lines(has)),
            Self::Removed => "REMOVED: the register knows it, its journal is gone".to_owned(),
            Self::NotBegun => "killed before it began: nothing was done".to_owned(),
            Self::Unregistered => "UNKNOWN: the register of runs does not know it".to_owned(),
            Self::Unchained => "not chained: written by an older version, nothing can be proved".to_owned(),
        }
    }
}

/// A journal, read through.
#[derive(Debug)]
pub struct Checked {
    /// Whole lines.
    pub lines: u64,
    /// The hash of the last one.
    pub last: String,
    /// Half a line stands at the end.
    pub torn: bool,
    /// The first line that does not follow, and how.
    broken: Option<(u64, String)>,
    /// The first line has no hash.
    unchained: bool,
}

impl Checked {
    /// What is known without the register, as of a journal that was copied somewhere: whether it is unbroken, in words.
    pub fn alone(&self) -> (bool, String) {
        match &self.broken {
            Some(_) if self.unchained => (false, Verdict::Unchained.words()),
            Some((line, how)) => {
                let (line, how) = (*line, how.clone());
                (false, Verdict::Broken { line, how }.words())
            }
            None => {
                let end = "whether lines are missing at its end only the register of runs can tell";
                (true, format!("unbroken; {end}"))
            }
        }
    }
}

/// Reads the journal of a run through.
pub fn check(path: &Path, run: &str) -> io::Result<Checked> {
    let mut lines = Lines::open(path)?;
    let mut chain = Chain::begin(run);
    let mut checked = Checked {
        lines: 0,
        last: chain.last(),
        torn: false,
        broken: None,
        unchained: false,
    };
    let mut seq = 0;
    while let Some(line) = lines.next() {
        let line = line?;
        checked.lines = lines.number();
        let how = match chain.follow(&line) {
            Some(true) => None,
            Some(false) => Some(how(&line, seq)),
            None if checked.lines == 1 => {
                checked.unchained = true;
                Some(String::new())
            }
            None => Some("it is no line of a journal, or has no hash".to_owned()),
        };
        if let Some(how) = how
            && checked.broken.is_none()
        {
            checked.broken = Some((checked.lines, how));
        }
        seq += 1;
    }
    checked.last = chain.last();
    checked.torn = lines.is_torn();
    Ok(checked)
}

/// Why a line with a hash does not follow from the one before, which was line `before`.
fn how(line: &[u8], before: u64) -> String {
    match serde_json::from_slice::<Event>(line) {
        Ok(event) if event.seq > before + 1 => match event.seq - before - 1 {
            1 => "the line before it was removed".to_owned(),
            missing => format!("{missing} lines before it were removed"),
        },
        Ok(event) if event.seq <= before => "it stands there a second time, or was moved".to_owned(),
        Ok(Event {
            kind: EventKind::RunStarted { run, .. },
            ..
        }) => format!("it was changed, or belongs to another run ({run})"),
        Ok(_) => "it or the line before it was changed".to_owned(),
        Err(_) => "it was changed".to_owned(),
    }
}

/// What is known about a run, from its journal and from what the register says about it.
pub fn verify(runs: &Path, run: &str, register: &Register) -> io::Result<Verdict> {
    let entries: Vec<&Entry> = register.entries.iter().filter(|entry| entry.run == run).collect();
    let path = runs.join(run).join(FILE_NAME);
    let checked = match check(&path, run) {
        Ok(checked) => checked,
        // Killed between the folder and the journal.
        Err(error) if error.kind() == io::ErrorKind::NotFound && entries.is_empty() => return Ok(Verdict::NotBegun),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Verdict::Removed),
        Err(error) => return Err(error),
    };
    if checked.unchained && checked.lines > 0 {
        return Ok(if entries.is_empty() {
            Verdict::Unchained
        } else {
            Verdict::Broken {
                line: 1,
                how: "it has no hash".to_owned(),
            }
        });
    }
    if let Some((line, how)) = checked.broken {
        return Ok(Verdict::Broken { line, how });
    }
    if entries.is_empty() && checked.lines == 0 {
        return Ok(Verdict::NotBegun);
    }
    if entries.is_empty() {
        return Ok(Verdict::Unregistered);
    }
    let end = entries.iter().rev().find(|entry| entry.state != State::Begun);
    let Some(end) = end else {
        return Ok(if is_open(&path)? {
            Verdict::Running
        } else {
            Verdict::OpenEnd { torn: checked.torn }
        });
    };
    let (has, had) = (checked.lines, end.lines);
    Ok(match has.cmp(&had) {
        std::cmp::Ordering::Less => Verdict::Cut { has, had },
        std::cmp::Ordering::Greater => Verdict::Longer { has, had },
        std::cmp::Ordering::Equal if checked.last == end.last => Verdict::Whole,
        std::cmp::Ordering::Equal => Verdict::Broken {
            line: had,
            how: "the whole journal was written anew: its last hash is not the one that the run wrote down".to_owned(),
        },
    })
}
