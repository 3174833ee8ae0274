//! `runs/chain`: one line when a run begins and one when it ends, with the last hash of its journal, chained like the
//! lines of a journal. So a run that was removed is named, and a journal that was cut is told from one whose run was
//! killed. Lines are only ever added; runs that begin at the same time take turns.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::chain::Chain;

/// Its name in the folder of the runs. No run can be called so.
pub const FILE_NAME: &str = "chain";
/// What its chain is tied to.
const NAME: &str = "runs";
/// A line that is longer was not written by us.
const LONGEST: u64 = 64 * 1024;

/// What became of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It began.
    Begun,
    /// It wrote its last line itself.
    Ended,
    /// It was killed; a later run that went on with it wrote down how far its journal came.
    Closed,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Which run.
    pub run: String,
    /// What became of it.
    pub state: State,
    /// When, RFC 3339 in UTC.
    pub time: String,
    /// Lines of its journal.
    pub lines: u64,
    /// The hash of the last of them.
    pub last: String,
}

/// Adds a line, on disk when this returns.
pub fn add(runs: &Path, entry: &Entry) -> io::Result<()> {
    let path = runs.join(FILE_NAME);
    let mut file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)?;
    // Held until the file is closed.
    flock(&file, FlockOperation::LockExclusive)?;
    let (mut chain, whole) = end(&file)?;
    // A torn line is one whose writer was killed: it was never part of the chain.
    if file.metadata()?.len() > whole {
        file.set_len(whole)?;
    }
    let mut line = serde_json::to_vec(entry)?;
    chain.seal(&mut line);
    line.push(b'\n');
    file.write_all(&line)?;
    file.sync_data()
}

/// The chain behind the last whole line, and where that line ends. Only the last line is looked at: it says its hash.
fn end(file: &File) -> io::Result<(Chain, u64)> {
    let length = file.metadata()?.len();
    let start = length.saturating_sub(LONGEST);
    let mut file = file;
    file.seek(SeekFrom::Start(start))?;
    let mut tail = Vec::new();
    file.take(LONGEST).read_to_end(&mut tail)?;
    let Some(at) = tail.iter().rposition(|byte| *byte == b'\n') else {
        return Ok((Chain::begin(NAME), start));
    };
    let begin = tail
        .get(..at)
        .and_then(|before| before.iter().rposition(|byte| *byte == b'\n'))
        .map_or(0, |at| at + 1);
    let mut chain = Chain::begin(NAME);
    // Whether the line is sound is for `verify` to say; a new line is tied to what it says.
    chain.follow(tail.get(begin..at).unwrap_or_default());
    Ok((chain, start + u64::try_from(at).unwrap_or(0) + 1))
}

/// What the file holds.
#[derive(Debug, Default)]
pub struct Register {
    /// Its entries, in order.
    pub entries: Vec<Entry>,
    /// Lines (from 1) that do not follow from the line before, or are no entries.
    pub broken: Vec<u64>,
    /// The hash of each whole line, in order: the last one is the head.
    pub hashes: Vec<String>,
}

impl Register {
    /// The hash of the last line; `None`: there is none.
    pub fn head(&self) -> Option<&str> {
        self.hashes.last().map(String::as_str)
    }
}

/// Reads the file. One that is not there has no entries. A torn last line is left out.
pub fn read(runs: &Path) -> io::Result<Register> {
    let mut register = Register::default();
    let file = match File::open(runs.join(FILE_NAME)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(register),
        Err(error) => return Err(error),
    };
    let mut reader = BufReader::new(file);
    let mut chain = Chain::begin(NAME);
    for number in 1.. {
        let mut line = Vec::new();
        reader.by_ref().take(LONGEST).read_until(b'\n', &mut line)?;
        if line.pop() != Some(b'\n') {
            break;
        }
        let follows = chain.follow(&line);
        match serde_json::from_slice::<Entry>(&line) {
            Ok(entry) if follows == Some(true) => register.entries.push(entry),
            Ok(entry) => {
                register.broken.push(number);
                register.entries.push(entry);
            }
            Err(_) => register.broken.push(number),
        }
        register.hashes.push(chain.last());
    }
    Ok(register)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(run: &str) -> Entry {
        Entry {
            run: run.to_owned(),
            state: State::Begun,
            time: "T".to_owned(),
            lines: 0,
            last: Chain::begin(run).last(),
        }
    }

    fn runs(register: &Register) -> Vec<&str> {
        register.entries.iter().map(|entry| entry.run.as_str()).collect()
    }

    #[test]
    fn lines_are_chained_and_a_torn_one_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        for run in ["r1", "r2"] {
            add(dir.path(), &entry(run)).unwrap();
        }
        let path = dir.path().join(FILE_NAME);
        let mut text = std::fs::read_to_string(&path).unwrap();
        text.push_str("{\"run\":\"r3\",\"sta");
        std::fs::write(&path, &text).unwrap();
        assert_eq!(runs(&read(dir.path()).unwrap()), ["r1", "r2"]);
        add(dir.path(), &entry("r4")).unwrap();
        let register = read(dir.path()).unwrap();
        assert_eq!(runs(&register), ["r1", "r2", "r4"]);
        assert!(register.broken.is_empty());
        assert_eq!(register.hashes.len(), 3);
    }

    #[test]
    fn a_line_that_was_taken_out_or_changed_is_named() {
        let dir = tempfile::tempdir().unwrap();
        for run in ["r1", "r2", "r3"] {
            add(dir.path(), &entry(run)).unwrap();
        }
        let path = dir.path().join(FILE_NAME);
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        std::fs::write(&path, [lines[0], lines[2]].concat()).unwrap();
        assert_eq!(read(dir.path()).unwrap().broken, [2]);
        std::fs::write(&path, text.replacen("r1", "rx", 1)).unwrap();
        assert_eq!(read(dir.path()).unwrap().broken, [1]);
        std::fs::write(&path, [lines[0], "garbage\n", lines[1]].concat()).unwrap();
        assert_eq!(read(dir.path()).unwrap().broken, [2]);
    }

    #[test]
    fn runs_that_begin_together_take_turns() {
        let dir = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for worker in 0..8 {
                let dir = dir.path();
                scope.spawn(move || {
                    for number in 0..10 {
                        add(dir, &entry(&format!("r{worker}-{number}"))).unwrap();
                    }
                });
            }
        });
        let register = read(dir.path()).unwrap();
        assert_eq!((register.entries.len(), register.broken.len()), (80, 0));
    }
}
