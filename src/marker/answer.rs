//! What the text around a command said, taken out of the command's standard error.

use crate::marker::lease::Owner;
use crate::marker::record::Record;

/// Most lines of one answer that are kept.
const MOST: usize = 1000;

/// The lines of one exchange.
#[derive(Clone, Debug, Default)]
pub struct Said {
    lines: Vec<String>,
}

/// Makes a verdict of a record.
type Make = fn(Record) -> Verdict;

/// What became of the task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The host said nothing at all: the text was not run, or not to its end.
    Silence,
    /// The marker is claimed, and nothing is known after that.
    Claimed,
    /// Nothing stands against the command, which follows or was run by the last line.
    Ready,
    /// Another run has the host.
    Locked(Owner),
    /// This run had the host, and does not have it any more.
    Lost,
    /// The host's lease cannot be used; why.
    NoLock(String),
    /// Something is not as it was approved: which, and its digest now.
    Guard {
        /// Which one.
        index: usize,
        /// Its SHA-256 now; `None`: the host has no tool that can tell.
        digest: Option<String>,
        /// What it says now, the beginning.
        says: String,
    },
    /// It would be run.
    Would,
    /// It ran to its end, and that is written down.
    Ran,
    /// It ran to its end, and that could not be written down; why.
    Unwritten(String),
    /// It was done before.
    Done(Record),
    /// It was done before, was changed since, and counts as done.
    Kept(Record),
    /// In doubt, and `verify` says that it was done.
    Verified(Record),
    /// In doubt, and somebody looked and said that it was done.
    Resolved(Record),
    /// It was done before, and was changed since.
    Changed(Record),
    /// Nobody knows.
    Doubt(Doubt),
    /// The store cannot be used; why.
    Store(String),
    /// The controller's verdict is written down.
    Settled,
}

/// What is known about a task in doubt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Doubt {
    /// Why: `intent`, `running`, `unsettled`, `killed`, `lost`, `damaged …`, `verify RC`.
    pub why: String,
    /// The record, where it could be read.
    pub record: Record,
    /// Processes of it: their ids and command lines.
    pub alive: Vec<(u32, String)>,
    /// What `verify` printed.
    pub said: String,
}

impl Said {
    /// Takes the lines with `nonce` out of a command's standard error.
    pub fn take(nonce: &str, stderr: &mut Vec<u8>) -> Self {
        let mark = format!("{nonce} ");
        let mut lines = Vec::new();
        let mut kept = Vec::with_capacity(stderr.len());
        let mut rest = stderr.as_slice();
        while let Some(at) = find(rest, mark.as_bytes()) {
            kept.extend_from_slice(&rest[..at]);
            let line = &rest[at + mark.len()..];
            let end = line.iter().position(|&b| b == b'\n').unwrap_or(line.len());
            if lines.len() < MOST {
                lines.push(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            rest = line.get(end + 1..).unwrap_or_default();
        }
        kept.extend_from_slice(rest);
        *stderr = kept;
        Self { lines }
    }

    /// The rest of each line that begins with `word`.
    pub fn all<'a>(&'a self, word: &str) -> impl Iterator<Item = &'a str> {
        self.lines.iter().filter_map(move |line| {
            let rest = line.strip_prefix(word)?;
            if rest.is_empty() {
                Some("")
            } else {
                rest.strip_prefix(' ')
            }
        })
    }

    /// The rest of the last line that begins with `word`.
    pub fn last(&self, word: &str) -> Option<&str> {
        self.all(word).last()
    }

    /// What the lines come to.
    pub fn verdict(&self) -> Verdict {
        if let Some(verdict) = self.refusal() {
            return verdict;
        }
        if let Some(words) = self.last("unwritten") {
            return Verdict::Unwritten(words.to_owned());
        }
        if self.last("did").is_some() || self.last("ran").is_some() {
            return Verdict::Ran;
        }
        if let Some(words) = self.last("store") {
            return Verdict::Store(words.to_owned());
        }
        if let Some(why) = self.last("doubt") {
            return Verdict::Doubt(Doubt {
                why: why.to_owned(),
                record: self.record(),
                alive: self.all("alive").filter_map(process).collect(),
                said: self.all("v").collect::<Vec<_>>().join("\n"),
            });
        }
        let with_record: [(&str, Make); 5] = [
            ("done", Verdict::Done),
            ("kept", Verdict::Kept),
            ("verified", Verdict::Verified),
            ("resolved", Verdict::Resolved),
            ("changed", Verdict::Changed),
        ];
        for (word, make) in with_record {
            if self.last(word).is_some() {
                return make(self.record());
            }
        }
        for (word, verdict) in [
            ("settled", Verdict::Settled),
            ("would", Verdict::Would),
            ("ready", Verdict::Ready),
            ("released", Verdict::Ready),
            ("claimed", Verdict::Claimed),
            ("lease", Verdict::Ready),
            ("nolease", Verdict::Ready),
            ("before", Verdict::Ready),
        ] {
            if self.last(word).is_some() {
                return verdict;
            }
        }
        Verdict::Silence
    }

    /// What stands against the command before the marker is asked, or after.
    fn refusal(&self) -> Option<Verdict> {
        if let Some(words) = self.last("locked") {
            return Some(match words.split_once(' ') {
                Some(("damaged", file)) => Verdict::NoLock(format!("{file} is damaged")),
                _ if words == "raced" => Verdict::NoLock("others take it again and again".to_owned()),
                _ => Verdict::Locked(Owner::heard(self, words)),
            });
        }
        if self.last("lost").is_some() {
            return Some(Verdict::Lost);
        }
        if let Some(words) = self.last("nolock") {
            return Some(Verdict::NoLock(words.to_owned()));
        }
        let (index, digest) = self.last("guard")?.split_once(' ')?;
        Some(Verdict::Guard {
            index: index.parse().ok()?,
            digest: (digest != "-").then(|| digest.to_owned()),
            says: self.all("g").collect::<Vec<_>>().join("\n"),
        })
    }

    /// The last whole record that was told.
    fn record(&self) -> Record {
        let mut text = String::new();
        for line in self.all("r") {
            if line.starts_with("batchssh-record ") {
                text.clear();
            }
            text += line;
            text.push('\n');
        }
        Record::parse(&text)
    }
}

fn process(line: &str) -> Option<(u32, String)> {
    let (pid, command) = line.split_once(' ').unwrap_or((line, ""));
    Some((pid.parse().ok()?, command.trim().to_owned()))
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_lines_are_taken_out_wherever_they_stand() {
        let mut stderr = b"N claimed 1\nhalf a lineN did 1 0 done\nrest\n".to_vec();
        let said = Said::take("N", &mut stderr);
        assert_eq!(stderr, b"half a linerest\n");
        assert_eq!(said.verdict(), Verdict::Ran);
    }

    #[test]
    fn a_cut_answer_is_no_success() {
        let mut stderr = b"N claimed 1\nwords".to_vec();
        assert_eq!(Said::take("N", &mut stderr).verdict(), Verdict::Claimed);
        assert_eq!(
            Said::take("N", &mut b"sh: 1: syntax error".to_vec()).verdict(),
            Verdict::Silence
        );
    }
}
