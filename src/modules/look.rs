//! Looking at paths: kind, owner, permissions, times, digest, link target, of many paths in one exchange.

use crate::modules::answer::Answer;
use crate::modules::step::Reader;
use crate::modules::{ModuleError, Values};
use crate::shell::{Command, snippets};
use crate::transport::Stdin;

/// A path to look at.
#[derive(Clone, Debug)]
pub struct Sight {
    /// Which; `~` and set variables are expanded by the host.
    pub path: Vec<u8>,
    /// Digest to compute of a regular file: `sha1`, `sha256`, …
    pub algorithm: Option<&'static str>,
    /// Only when the file has this size: others are different anyway.
    pub if_size: Option<u64>,
}

impl Sight {
    /// A path without a digest.
    pub fn of(path: impl Into<Vec<u8>>) -> Self {
        Self {
            path: path.into(),
            algorithm: None,
            if_size: None,
        }
    }
}

/// What was seen at one path.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// The path, expanded.
    pub path: Vec<u8>,
    /// What is there.
    pub state: State,
}

/// What is at a path.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// Nothing.
    Absent,
    /// Nobody knows: a directory on the way may not be searched, or `stat` failed. What it said.
    Denied(String),
    /// Anything but a link.
    Found(Box<Found>),
    /// A symbolic link.
    Link {
        /// The link itself.
        stat: Box<Stat>,
        /// Its text.
        target: Vec<u8>,
        /// What it leads to.
        real: Box<Seen>,
    },
}

/// Something that is no link.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// What `stat` says.
    pub stat: Stat,
    /// The user may read it.
    pub readable: bool,
    /// The user may write it.
    pub writeable: bool,
    /// The user may execute or search it.
    pub executable: bool,
    /// The digest that was asked for.
    pub digest: Option<String>,
}

/// What `stat` says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stat {
    /// Type and permission bits (`st_mode`).
    pub mode: u32,
    /// Names of it.
    pub links: u64,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Bytes.
    pub size: u64,
    /// Last access, last change, last change of the inode: seconds.
    pub times: [f64; 3],
    /// The same as the host writes them: `2026-11-21 05:06:54.123456789 +0000`.
    pub times_text: [String; 3],
    /// Device it is on.
    pub device: u64,
    /// Inode.
    pub inode: u64,
    /// Blocks of 512 bytes.
    pub blocks: u64,
    /// Preferred size of a read.
    pub block_size: u64,
    /// Device it is (`st_rdev`).
    pub device_type: u64,
    /// Owner's name.
    pub user: String,
    /// Group's name.
    pub group: String,
}

impl Stat {
    /// True when the type bits are these.
    pub fn is(&self, kind: u32) -> bool {
        self.mode & 0o170_000 == kind
    }
}

/// Type bits of a directory.
pub const DIRECTORY: u32 = 0o040_000;
/// Type bits of a regular file.
pub const REGULAR: u32 = 0o100_000;

impl Seen {
    /// Reads one sight of an answer.
    pub fn read(answer: &mut Answer<'_>) -> Result<Self, ModuleError> {
        Self::read_nested(answer, false)
    }

    fn read_nested(answer: &mut Answer<'_>, inner: bool) -> Result<Self, ModuleError> {
        let path = answer.field()?.to_vec();
        let state = match answer.field()? {
            b"absent" => State::Absent,
            b"denied" => State::Denied(answer.text()?),
            b"found" => {
                let stat = Stat::read(&answer.text()?)?;
                let access = answer.text()?;
                let digest = answer.text()?;
                State::Found(Box::new(Found {
                    stat,
                    readable: access.contains('r'),
                    writeable: access.contains('w'),
                    executable: access.contains('x'),
                    digest: Some(digest).filter(|d| !d.is_empty() && d.bytes().all(|b| b.is_ascii_hexdigit())),
                }))
            }
            b"link" if !inner => State::Link {
                stat: Box::new(Stat::read(&answer.text()?)?),
                target: answer.field()?.to_vec(),
                real: Box::new(Self::read_nested(answer, true)?),
            },
            other => {
                return Err(ModuleError::failed(format!(
                    "the host's answer is damaged: unknown kind `{}`",
                    String::from_utf8_lossy(other)
                )));
            }
        };
        Ok(Self { path, state })
    }

    /// The path as text, lossy.
    pub fn name(&self) -> String {
        String::from_utf8_lossy(&self.path).into_owned()
    }

    /// Nothing is there, not even a broken link.
    pub fn is_absent(&self) -> bool {
        self.state == State::Absent
    }

    /// It is a link.
    pub fn is_link(&self) -> bool {
        matches!(self.state, State::Link { .. })
    }

    /// What a link leads to, else itself.
    pub fn followed(&self) -> &Seen {
        match &self.state {
            State::Link { real, .. } => real,
            State::Absent | State::Denied(_) | State::Found(_) => self,
        }
    }

    /// What is there, when it is no link.
    pub fn found(&self) -> Option<&Found> {
        match &self.state {
            State::Found(found) => Some(found),
            State::Absent | State::Denied(_) | State::Link { .. } => None,
        }
    }

    /// What `stat` says, of a link about the link.
    pub fn stat(&self) -> Option<&Stat> {
        match &self.state {
            State::Found(found) => Some(&found.stat),
            State::Link { stat, .. } => Some(stat),
            State::Absent | State::Denied(_) => None,
        }
    }

    /// It is a directory, or a link to one.
    pub fn is_dir(&self) -> bool {
        self.followed().found().is_some_and(|found| found.stat.is(DIRECTORY))
    }

    /// Ansible's word for it.
    pub fn word(&self) -> &'static str {
        match &self.state {
            State::Absent | State::Denied(_) => "absent",
            State::Link { .. } => "link",
            State::Found(found) if found.stat.is(DIRECTORY) => "directory",
            State::Found(found) if found.stat.links > 1 => "hard",
            State::Found(_) => "file",
        }
    }

    /// An error when nobody knows what is there.
    pub fn known(&self) -> Result<&Self, ModuleError> {
        match &self.state {
            State::Denied(said) => Err(ModuleError::failed(format!("cannot look at {}: {said}", self.name()))),
            State::Absent | State::Found(_) | State::Link { .. } => Ok(self),
        }
    }

    /// Adds the return keys that say what a file is: owner, group, mode, size, state.
    pub fn describe(&self, values: &mut Values) {
        let Some(stat) = self.stat() else {
            return;
        };
        values.insert("uid".into(), stat.uid.into());
        values.insert("gid".into(), stat.gid.into());
        values.insert("owner".into(), stat.user.clone().into());
        values.insert("group".into(), stat.group.clone().into());
        values.insert("mode".into(), crate::modules::mode::show(stat.mode).into());
        values.insert("state".into(), self.word().into());
        values.insert("size".into(), stat.size.into());
    }
}

impl Stat {
    /// Reads a line of the snippets' `stat`.
    pub fn read(line: &str) -> Result<Self, ModuleError> {
        let damaged = || ModuleError::failed(format!("the host's `stat` answered `{line}`, which cannot be read"));
        let mut parts = line.split('|');
        let numbers: Vec<&str> = parts.next().unwrap_or_default().split_ascii_whitespace().collect();
        let number = |at: usize| -> u64 { numbers.get(at).and_then(|n| n.parse().ok()).unwrap_or(0) };
        let hex = |at: usize| -> u64 {
            numbers
                .get(at)
                .and_then(|n| u64::from_str_radix(n, 16).ok())
                .unwrap_or(0)
        };
        let id = |at: usize| -> Result<u32, ModuleError> {
            numbers.get(at).and_then(|n| n.parse().ok()).ok_or_else(damaged)
        };
        let mode = numbers
            .first()
            .and_then(|n| u32::from_str_radix(n, 16).ok())
            .ok_or_else(damaged)?;
        let user = parts.next().unwrap_or_default().to_owned();
        let group = parts.next().unwrap_or_default().to_owned();
        let mut times = [0.0; 3];
        let mut times_text = [String::new(), String::new(), String::new()];
        for (i, text) in parts.take(3).enumerate() {
            // Whole seconds come as a number; the fraction is only in the text.
            let fraction = text
                .split('.')
                .nth(1)
                .map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default())
                .and_then(|digits| format!("0.{digits}").parse::<f64>().ok())
                .unwrap_or(0.0);
            let seconds: f64 = numbers
                .get(i.saturating_add(5))
                .and_then(|n| n.parse().ok())
                .unwrap_or(0.0);
            if let (Some(time), Some(kept)) = (times.get_mut(i), times_text.get_mut(i)) {
                *time = seconds + fraction;
                text.clone_into(kept);
            }
        }
        Ok(Self {
            mode,
            links: number(1),
            uid: id(2)?,
            gid: id(3)?,
            size: numbers.get(4).and_then(|n| n.parse().ok()).ok_or_else(damaged)?,
            times,
            times_text,
            device: number(8),
            inode: number(9),
            blocks: number(10),
            block_size: number(11),
            device_type: hex(12) << 8 | hex(13),
            user,
            group,
        })
    }
}

/// What was seen in one exchange.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// The user's umask.
    pub umask: u32,
    /// The user.
    pub uid: u32,
    /// The user's group.
    pub gid: u32,
    /// All groups of the user.
    pub groups: Vec<u32>,
    /// One for each path, in order.
    pub seen: Vec<Seen>,
    /// The content that was asked for.
    pub content: Body,
}

/// A file's content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Body {
    /// Not asked for, or no readable regular file.
    #[default]
    Nothing,
    /// Larger than the limit.
    Large,
    /// These bytes.
    Bytes(Vec<u8>),
}

/// Largest text of which a difference is shown, as in Ansible.
pub const LARGEST_DIFF: u64 = 104_448;

/// So much argument text goes into one exchange; the system's limit for one argument is 128 KiB, and the text is quoted
/// twice on its way.
const ROOM: usize = 24 * 1024;

impl Reader<'_> {
    /// Looks at paths; and at the content of one, when it is not larger than the limit beside it.
    pub fn look(&mut self, sights: &[Sight], content: Option<(&[u8], u64)>) -> Result<Look, ModuleError> {
        let mut look = Look::default();
        let mut rest = sights;
        loop {
            let mut bytes = 0_usize;
            let count = rest.iter().take_while(|sight| {
                bytes = sight
                    .path
                    .len()
                    .saturating_mul(2)
                    .saturating_add(20)
                    .saturating_add(bytes);
                bytes < ROOM
            });
            let count = count.count().max(1).min(rest.len());
            let (now, later) = rest.split_at(count);
            let last = later.is_empty();
            let part = self.look_once(now, content.filter(|_| last))?;
            look = Look {
                seen: [look.seen, part.seen].concat(),
                ..part
            };
            if last {
                return Ok(look);
            }
            rest = later;
        }
    }

    fn look_once(&mut self, sights: &[Sight], content: Option<(&[u8], u64)>) -> Result<Look, ModuleError> {
        let mut command = Command::snippet("look", snippets::LOOK);
        command = match content {
            Some((path, limit)) => command.arg(limit.to_string()).expanding_arg(path),
            None => command.arg("0").arg(""),
        };
        for sight in sights {
            command = command
                .arg(sight.algorithm.unwrap_or("-"))
                .arg(sight.if_size.map_or_else(|| "-".to_owned(), |size| size.to_string()))
                .expanding_arg(&sight.path);
        }
        let output = self.ask(&command, Stdin::Empty)?;
        let mut answer = Answer::find(&output.stdout, output.rc, &output.stderr)?;
        let umask = u32::from_str_radix(answer.text()?.trim(), 8).unwrap_or(0o022);
        let uid = answer.number()?;
        let gid = answer.number()?;
        let groups = answer
            .text()?
            .split_ascii_whitespace()
            .filter_map(|g| g.parse().ok())
            .collect();
        let mut seen = Vec::with_capacity(sights.len());
        for _ in sights {
            seen.push(Seen::read(&mut answer)?);
        }
        if answer.field()? != b"end" {
            return Err(ModuleError::failed("the host's answer is damaged: it does not end"));
        }
        let content = match answer.rest() {
            b"" => Body::Nothing,
            b"large\n" => Body::Large,
            rest => match rest.strip_prefix(b"content\n").and_then(|r| r.strip_suffix(b"\nend")) {
                Some(bytes) => Body::Bytes(bytes.to_vec()),
                None => return Err(ModuleError::failed("the host's answer is not complete")),
            },
        };
        Ok(Look {
            umask,
            uid,
            gid,
            groups,
            seen,
            content,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_is_read_with_fractions() {
        let line = "81a4 1 0 5 42 100 200 300 2049 77 8 4096 0 0|root|games|1970-01-01 00:01:40.5 +0000|1970-01-01 00:03:20.250000000 +0000|1970-01-01 00:05:00";
        let stat = Stat::read(line).unwrap();
        assert_eq!((stat.mode, stat.size, stat.gid), (0o100_644, 42, 5));
        assert_eq!(format!("{:?}", stat.times), "[100.5, 200.25, 300.0]");
        assert_eq!((stat.user.as_str(), stat.group.as_str()), ("root", "games"));
        assert!(stat.is(REGULAR));
    }

    #[test]
    fn a_stat_line_without_its_mode_is_an_error() {
        for bad in ["", "zz 1 0 0 1", "81a4 1 x 0 1", "81a4 1 0 0"] {
            assert!(Stat::read(bad).is_err(), "{bad}");
        }
    }
}
