//! What a module may do: look ([`Reader`]) and ask for steps ([`Step`]).

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::deadline::Deadline;
use crate::modules::ModuleError;
use crate::modules::look::Seen;
use crate::modules::output::{Bounded, KEPT};
use crate::names::HostName;
use crate::names::Stream;
use crate::shell::Command;
use crate::shell::elevate::Become;
use crate::transport::{Exec, ExitStatus, Session, Stdin};

/// Gives the host's session; connects when it is first asked.
pub trait Link {
    /// The open session.
    fn session(&mut self) -> Result<&mut dyn Session, ModuleError>;
}

/// What a module may do while inspecting: look.
pub struct Reader<'a> {
    /// The way to the host.
    pub link: &'a mut dyn Link,
    /// As whom.
    pub elevate: Option<&'a Become>,
    /// The task's `environment`.
    pub environment: &'a [(String, String)],
    /// When to stop.
    pub deadline: &'a Deadline,
}

/// How a command ended and what it printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// Exit code; minus the number of the signal that ended it.
    pub rc: i32,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

/// An answer that a snippet may give at most: bounded, because the host could send without end.
const LARGEST_ANSWER: usize = 64 * 1024 * 1024;

impl<'a> Reader<'a> {
    /// Runs a command; its output goes to `on_output` as it comes.
    pub fn exec<'s>(
        &mut self,
        command: &'s Command,
        stdin: Stdin<'s>,
        on_output: &mut dyn FnMut(Stream, &[u8]),
    ) -> Result<i32, ModuleError>
    where
        'a: 's,
    {
        self.exec_in(command, stdin, false, on_output)
    }

    fn exec_in<'s>(
        &mut self,
        command: &'s Command,
        stdin: Stdin<'s>,
        plain: bool,
        on_output: &mut dyn FnMut(Stream, &[u8]),
    ) -> Result<i32, ModuleError>
    where
        'a: 's,
    {
        let request = Exec {
            command,
            stdin,
            elevate: self.elevate,
            environment: if plain { &[] } else { self.environment },
            must_start: !plain,
        };
        let status = self.link.session()?.exec(request, self.deadline, on_output)?;
        Ok(match status {
            ExitStatus::Code(code) => code,
            ExitStatus::Signal(name) => signal_number(&name).saturating_neg(),
        })
    }

    /// Runs a command and keeps beginning and end of its output. `plain` leaves the task's environment out.
    pub fn run<'s>(&mut self, command: &'s Command, stdin: Stdin<'s>, plain: bool) -> Result<Output, ModuleError>
    where
        'a: 's,
    {
        let mut stdout = Bounded::new(KEPT);
        let mut stderr = Bounded::new(KEPT);
        let rc = self.exec_in(command, stdin, plain, &mut |stream, bytes| match stream {
            Stream::Stdout => stdout.push(bytes),
            Stream::Stderr => stderr.push(bytes),
        })?;
        Ok(Output {
            rc,
            stdout: stdout.finish(),
            stderr: stderr.finish(),
        })
    }

    /// Runs a command that only reads.
    pub fn probe(&mut self, command: &Command) -> Result<Output, ModuleError> {
        self.run(command, Stdin::Empty, false)
    }

    /// Runs a snippet whose whole output is needed.
    pub fn ask<'s>(&mut self, command: &'s Command, stdin: Stdin<'s>) -> Result<Output, ModuleError>
    where
        'a: 's,
    {
        let mut stdout = Vec::new();
        let mut stderr = Bounded::new(64 * 1024);
        let mut over = false;
        let rc = self.exec(command, stdin, &mut |stream, bytes| match stream {
            Stream::Stdout if stdout.len().saturating_add(bytes.len()) > LARGEST_ANSWER => over = true,
            Stream::Stdout => stdout.extend_from_slice(bytes),
            Stream::Stderr => stderr.push(bytes),
        })?;
        if over {
            return Err(ModuleError::failed(format!(
                "the host answered with more than {LARGEST_ANSWER} bytes"
            )));
        }
        Ok(Output {
            rc,
            stdout,
            stderr: stderr.finish(),
        })
    }
}

/// Signals on Linux.
const SIGNALS: &[(&str, i32)] = &[
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ILL", 4),
    ("TRAP", 5),
    ("ABRT", 6),
    ("BUS", 7),
    ("FPE", 8),
    ("KILL", 9),
    ("USR1", 10),
    ("SEGV", 11),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
];

/// The number of a signal; 255 for an unknown name.
fn signal_number(name: &str) -> i32 {
    SIGNALS
        .iter()
        .find(|(n, _)| *n == name)
        .map_or(255, |(_, number)| *number)
}

/// The name of a signal, or its number.
pub(super) fn signal_name(number: i32) -> String {
    let known = SIGNALS.iter().find(|(_, n)| *n == number);
    known.map_or_else(|| number.to_string(), |(name, _)| (*name).to_owned())
}

/// Bytes for the host.
#[derive(Clone)]
pub enum Content {
    /// These.
    Bytes(Arc<[u8]>),
    /// A file of the controller. It must still have this size when it is sent.
    File {
        /// Which.
        path: PathBuf,
        /// Its size.
        size: u64,
    },
    /// A file of the host itself.
    Remote(Vec<u8>),
}

impl Content {
    /// Nothing.
    pub fn empty() -> Self {
        Self::Bytes(Arc::from([]))
    }

    /// How many bytes travel; `None` for a file of the host.
    pub fn size(&self) -> Option<u64> {
        match self {
            Self::Bytes(bytes) => Some(bytes.len() as u64),
            Self::File { size, .. } => Some(*size),
            Self::Remote(_) => None,
        }
    }
}

/// Something of the controller that a task sends.
#[derive(Clone, Debug)]
pub struct Sent {
    /// What the user calls it; never a place of this machine, because another checkout is the same task.
    pub name: String,
    /// What it is.
    pub content: Content,
    /// It was made of variables, or was encrypted: not even its digest is shown.
    pub is_hidden: bool,
}

/// Contents may be secret: only the size is shown.
impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::File { path, size } => write!(f, "{} ({size} bytes)", path.display()),
            Self::Remote(path) => write!(f, "remote {}", String::from_utf8_lossy(path)),
        }
    }
}

/// A file to be put in place, whole or not at all.
#[derive(Clone, Debug)]
pub struct Write {
    /// Where. Not a directory; a link there is replaced.
    pub path: Vec<u8>,
    /// What.
    pub content: Content,
    /// SHA-1 of the content, compared on the host when it has a tool for it.
    pub sha1: Option<String>,
    /// Permission bits it ends up with; `None`: 0600.
    pub mode: Option<u32>,
    /// User and group to keep when that is allowed, by number.
    pub keep: Option<(u32, u32)>,
    /// `user`, `user:group` or `:group` that it must get.
    pub owner: Option<String>,
    /// A copy of the old file stays beside it.
    pub backup: bool,
    /// A command that must accept the new file first; `%s` stands for its path.
    pub validate: Option<String>,
    /// The old file may be overwritten where it cannot be replaced.
    pub unsafe_writes: bool,
}

/// One of a file's two times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// As it is.
    Keep,
    /// The host's present.
    Now,
    /// `CCYYMMDDhhmm.SS` in the host's time zone.
    At(String),
}

/// One thing to do on the host. File steps that follow each other are one exchange, and stop at the first that fails.
#[derive(Clone, Debug)]
pub enum Step {
    /// Runs a command.
    Run {
        /// The command.
        command: Command,
        /// What it reads.
        stdin: Content,
        /// Without the task's environment (`raw`).
        plain: bool,
    },
    /// Puts a file in place.
    Write(Box<Write>),
    /// Makes one directory, unless there is one.
    MakeDir {
        /// Which.
        path: Vec<u8>,
    },
    /// Makes an empty file, unless something is there.
    MakeEmpty {
        /// Which.
        path: Vec<u8>,
    },
    /// Sets permissions; links are followed.
    SetMode {
        /// Of what.
        path: Vec<u8>,
        /// As `chmod` takes it.
        mode: String,
    },
    /// Sets user and group.
    SetOwner {
        /// Of what.
        path: Vec<u8>,
        /// As `chown` takes it.
        owner: String,
        /// Of the link itself.
        link: bool,
    },
    /// Makes a symbolic link; what is there is replaced, directories only when empty.
    Symlink {
        /// Where.
        path: Vec<u8>,
        /// Its text.
        target: Vec<u8>,
    },
    /// Gives a file another name; what is there is replaced.
    HardLink {
        /// Where.
        path: Vec<u8>,
        /// The file.
        target: Vec<u8>,
    },
    /// Removes a file or a whole tree.
    Remove {
        /// Which.
        path: Vec<u8>,
    },
    /// Sets times.
    Touch {
        /// Of what.
        path: Vec<u8>,
        /// The time of the last access.
        access: Stamp,
        /// The time of the last change.
        modification: Stamp,
        /// Of the link itself.
        link: bool,
    },
    /// Sets permissions and owner in a whole tree, links left alone.
    SetTree {
        /// Where.
        path: Vec<u8>,
        /// As `chmod` takes it.
        mode: Option<String>,
        /// As `chown` takes it.
        owner: Option<String>,
    },
    /// Tells what is there afterwards.
    Tell {
        /// What to look at.
        path: Vec<u8>,
        /// Digest of its content, too: `sha1`, `sha256`, …
        algorithm: Option<&'static str>,
    },
    /// Receives one file, whole or not at all.
    Fetch {
        /// Which.
        path: Vec<u8>,
        /// Where to.
        to: PathBuf,
        /// SHA-1 that it must have; `None`: nobody knows.
        sha1: Option<String>,
    },
    /// Sends files and directories of the controller (`put`).
    Put(Box<Transfer>),
    /// Receives a file or directory (`get`).
    Get(Box<Transfer>),
}

/// A recursive transfer.
#[derive(Clone, Debug)]
pub struct Transfer {
    /// `put`: paths of the controller; `get`: the one path of the host.
    pub sources: Vec<String>,
    /// `put`: the path on the host; `get`: the folder of the controller that gets one folder a host.
    pub dest: String,
    /// Whose folder it is (`get`).
    pub host: HostName,
    /// Permission bits of files instead of the source's.
    pub mode: Option<u32>,
    /// Permission bits of directories instead of the source's.
    pub directory_mode: Option<u32>,
    /// Times of last change are kept.
    pub times: bool,
}

/// What a step did.
#[derive(Clone, Debug, Default)]
pub struct Taken {
    /// Exit code of a command.
    pub rc: i32,
    /// Its output.
    pub stdout: Vec<u8>,
    /// Its errors.
    pub stderr: Vec<u8>,
    /// When it began, by the controller's clock.
    pub started: Option<jiff::Timestamp>,
    /// When it ended.
    pub ended: Option<jiff::Timestamp>,
    /// The copy that was kept of an old file.
    pub backup: Option<String>,
    /// What [`Step::Tell`] saw.
    pub seen: Option<Seen>,
    /// Files that were put on the host, for its history.
    pub sent: Vec<crate::event::SentFile>,
    /// What a transfer did: files sent or received, bytes, and whether anything changed.
    pub transfer: Option<serde_json::Map<String, serde_json::Value>>,
}
