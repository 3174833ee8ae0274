//! Reads journals back, line by line: a journal of 7 000 hosts never stands in memory as a whole.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::event::Event;

/// A longer line was not written by us: both outputs of a command at their largest, every byte escaped, fit twice.
const LONGEST: u64 = 128 * 1024 * 1024;

/// Lines of a journal, as they stand.
pub struct Lines {
    reader: BufReader<File>,
    path: PathBuf,
    number: u64,
    over: bool,
    torn: bool,
}

impl Lines {
    /// Opens a journal.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            reader: BufReader::with_capacity(256 * 1024, File::open(path)?),
            path: path.to_owned(),
            number: 0,
            over: false,
            torn: false,
        })
    }

    /// Number of the last line that was read, from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The last line has no end: the program was killed while it wrote it.
    pub fn is_torn(&self) -> bool {
        self.torn
    }

    /// An error about the last line that was read.
    pub fn error(&self, what: &str) -> io::Error {
        let text = format!(
            "{}:{}: not a line of a journal: {what}",
            self.path.display(),
            self.number
        );
        io::Error::new(io::ErrorKind::InvalidData, text)
    }
}

impl Iterator for Lines {
    type Item = io::Result<Vec<u8>>;

    /// The next whole line, without its line feed. A torn last line is the end.
    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let mut line = Vec::new();
        match self.reader.by_ref().take(LONGEST).read_until(b'\n', &mut line) {
            Err(error) => {
                self.over = true;
                Some(Err(error))
            }
            Ok(_) if line.last() == Some(&b'\n') => {
                self.number += 1;
                line.pop();
                Some(Ok(line))
            }
            Ok(read) => {
                self.over = true;
                if u64::try_from(read).is_ok_and(|read| read >= LONGEST) {
                    self.number += 1;
                    return Some(Err(self.error("it is too long")));
                }
                self.torn = read > 0;
                None
            }
        }
    }
}

/// The last whole line of a journal, without reading what is before it.
pub fn last(path: &Path) -> io::Result<Option<Event>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut size = 64 * 1024;
    loop {
        let start = length.saturating_sub(size);
        file.seek(SeekFrom::Start(start))?;
        let mut tail = Vec::new();
        (&file).take(size).read_to_end(&mut tail)?;
        let end = tail.iter().rposition(|byte| *byte == b'\n');
        let before = end.and_then(|end| tail.get(..end));
        let begin = before.and_then(|before| before.iter().rposition(|byte| *byte == b'\n'));
        match (before, begin) {
            (Some(before), Some(begin)) => return Ok(serde_json::from_slice(&before[begin + 1..]).ok()),
            (Some(before), None) if start == 0 => return Ok(serde_json::from_slice(before).ok()),
            (None, _) if start == 0 => return Ok(None),
            _ if size >= LONGEST => return Ok(None),
            _ => size *= 8,
        }
    }
}

/// Reads a journal, event by event. A torn last line (the program was killed) is the end of it; a broken line with
/// others after it is an error that names the line.
pub fn read(path: &Path) -> io::Result<impl Iterator<Item = io::Result<Event>> + use<>> {
    let mut lines = Lines::open(path)?;
    let mut over = false;
    Ok(std::iter::from_fn(move || {
        if over {
            return None;
        }
        let event = lines.next()?.and_then(|line| {
            // A power cut can leave zeroes where the last line should be.
            serde_json::from_slice(&line).map_err(|error| lines.error(&error.to_string()))
        });
        over = event.is_err();
        Some(event)
    }))
}
