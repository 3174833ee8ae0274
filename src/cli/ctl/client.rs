//! The other end: finds the run, asks, and reads the answer.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::place::connect;
use super::protocol::{Answer, Ask, Hello, VERSION};
use crate::cli::runs::store::Store;
use crate::source::Diagnostic;

/// Longest time that a run may take for an answer: it only looks.
const PATIENCE: Duration = Duration::from_secs(10);

/// The first line from a run.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Greeting {
    Hello(Hello),
    Refused(Answer),
}

/// A conversation with a run.
pub struct Line {
    /// The run's id.
    pub run: String,
    reader: BufReader<UnixStream>,
}

impl Line {
    /// Finds the run: the only one that is going on, or the one whose id begins so.
    pub fn open(store: &Store, wanted: Option<&str>) -> Result<Self, Diagnostic> {
        if let Some(wanted) = wanted {
            let id = store.find(Some(wanted))?;
            return Self::to(store, &id).map_err(|error| {
                let is_foreign = error.kind() == io::ErrorKind::PermissionDenied;
                let what = if is_foreign {
                    "cannot be reached"
                } else {
                    "is not going on"
                };
                Diagnostic::new(format!("run {id} {what} ({error})")).help("`batchssh runs list` shows what it came to")
            });
        }
        // Few are open at a time; each that is gone is told by one look at its folder.
        let mut live: Vec<Self> = store
            .ids()
            .iter()
            .rev()
            .filter_map(|id| Self::to(store, id).ok())
            .collect();
        match (live.pop(), live.is_empty()) {
            (Some(only), true) => Ok(only),
            (None, _) => Err(Diagnostic::new("no run is going on").help("`batchssh runs` lists the ones that were")),
            (Some(last), false) => {
                let ids: Vec<&str> = live.iter().chain([&last]).map(|line| line.run.as_str()).collect();
                Err(
                    Diagnostic::new(format!("{} runs are going on: {}", ids.len(), ids.join(", ")))
                        .help(format!("say which: `batchssh ctl {} …`", last.run)),
                )
            }
        }
    }

    fn to(store: &Store, id: &str) -> io::Result<Self> {
        let stream = connect(&store.dir.join(id))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut line = Self {
            run: id.to_owned(),
            reader: BufReader::new(stream),
        };
        let hello = match line.read()? {
            Greeting::Hello(hello) => hello,
            Greeting::Refused(answer) => return Err(io::Error::new(io::ErrorKind::PermissionDenied, answer.said)),
        };
        if hello.protocol != VERSION {
            let text = format!(
                "it is run by batchssh {}, which speaks another protocol",
                hello.batchssh
            );
            return Err(io::Error::other(text));
        }
        Ok(line)
    }

    fn read<T: serde::de::DeserializeOwned>(&mut self) -> io::Result<T> {
        let mut text = String::new();
        if self.reader.read_line(&mut text)? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it has just ended"));
        }
        serde_json::from_str(&text).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    /// Asks, and reads the answer.
    pub fn ask(&mut self, ask: &Ask) -> Result<Answer, Diagnostic> {
        let said = serde_json::to_string(ask).map_err(io::Error::other).and_then(|text| {
            writeln!(self.reader.get_mut(), "{text}")?;
            self.read::<Answer>()
        });
        let answer = said.map_err(|error| Diagnostic::new(format!("no answer from run {}: {error}", self.run)))?;
        if answer.ok {
            Ok(answer)
        } else {
            Err(Diagnostic::new(answer.said))
        }
    }

    /// The stream of events that follows the answer to `attach`.
    pub fn events(self) -> io::Result<BufReader<UnixStream>> {
        // Nothing may happen for long.
        self.reader.get_ref().set_read_timeout(None)?;
        Ok(self.reader)
    }
}
