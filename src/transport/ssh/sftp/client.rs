//! The connection to an SFTP server: requests go out with an id, answers come back in any order. Many requests are in
//! flight at once; what they are for is the business of the pipelines in the files beside this one.

use std::collections::HashSet;
use std::ops::Range;

use crate::deadline::Deadline;
use crate::transport::files::{FileError, FileErrorKind};
use crate::transport::ssh::sftp::packet::{Attributes, MAX_PACKET, Reader, Response, Writer, kind, status};
use crate::transport::{Duplex, SessionError};

/// Requests in flight for small operations.
const BATCH: usize = 128;

/// What the server can do beside the protocol's version 3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    /// `posix-rename@openssh.com`: a rename that replaces.
    pub posix_rename: bool,
    /// `fsync@openssh.com`.
    pub fsync: bool,
    /// `statvfs@openssh.com`.
    pub statvfs: bool,
    /// `limits@openssh.com`.
    pub limits: bool,
    /// `hardlink@openssh.com`.
    pub hardlink: bool,
    /// `lsetstat@openssh.com`.
    pub lsetstat: bool,
}

/// How much one request may carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// Bytes of one read.
    pub read: usize,
    /// Bytes of one write.
    pub write: usize,
}

impl Limits {
    /// What every server takes.
    const SAFE: Self = Self {
        read: 32 * 1024,
        write: 32 * 1024,
    };
    /// Larger requests gain nothing: SSH cuts them into packets of 32 KiB anyway.
    const MOST: usize = 128 * 1024;
}

/// An SFTP client over one channel.
pub struct SftpClient {
    duplex: Box<dyn Duplex>,
    /// Requests, from `sent` on not sent yet.
    out: Vec<u8>,
    sent: usize,
    /// What arrived, from `taken` on not looked at yet.
    input: Vec<u8>,
    taken: usize,
    ended: bool,
    next_id: u32,
    waiting: HashSet<u32>,
    /// Requests nobody waits for any more; their answers are dropped.
    abandoned: HashSet<u32>,
    /// Why this connection cannot be used any more.
    broken: Option<String>,
    extensions: Extensions,
    limits: Option<Limits>,
}

impl SftpClient {
    /// Greets the server behind `duplex`, a channel on which the `sftp` subsystem was started.
    pub fn start(duplex: Box<dyn Duplex>, deadline: &Deadline) -> Result<Self, SessionError> {
        let mut client = Self {
            duplex,
            out: Vec::new(),
            sent: 0,
            input: Vec::new(),
            taken: 0,
            ended: false,
            next_id: 0,
            waiting: HashSet::new(),
            abandoned: HashSet::new(),
            broken: None,
            extensions: Extensions::default(),
            limits: None,
        };
        let mut hello = Writer::new(&mut client.out, kind::INIT);
        hello.u32(3);
        hello.finish();
        let packet = loop {
            if let Some(packet) = client.next_packet()? {
                break packet;
            }
            if client.ended {
                let reason = "the SFTP server ended before it greeted: does the host offer SFTP?";
                return Err(client.break_with(reason.to_owned()));
            }
            client.pump(deadline)?;
        };
        let greeting = read_greeting(client.input.get(packet.clone()).unwrap_or_default());
        client.taken = packet.end;
        match greeting {
            Ok(extensions) => client.extensions = extensions,
            Err(reason) => return Err(client.break_with(reason)),
        }
        Ok(client)
    }

    /// What the server can do.
    pub fn extensions(&self) -> Extensions {
        self.extensions
    }

    /// As if the server had none.
    #[cfg(test)]
    pub(super) fn forget_extensions(&mut self) {
        self.extensions = Extensions::default();
    }

    /// False once the channel cannot be used any more: a new one must be opened.
    pub fn is_usable(&self) -> bool {
        self.broken.is_none() && !self.ended
    }

    /// Asks the server once how large requests may be.
    pub(super) fn limits(&mut self, deadline: &Deadline) -> Result<Limits, SessionError> {
        if let Some(limits) = self.limits {
            return Ok(limits);
        }
        let mut limits = Limits::SAFE;
        if self.extensions.limits {
            let asked = self.call(
                kind::EXTENDED,
                |w| w.string(b"limits@openssh.com"),
                deadline,
                |r| {
                    let Response::Extended(body) = r else { return None };
                    let mut reader = Reader(body);
                    let numbers =
                        (|| Ok::<_, super::packet::BadPacket>([reader.u64()?, reader.u64()?, reader.u64()?]))();
                    numbers.ok()
                },
            )?;
            if let Some([packet, read, write]) = asked {
                // 0 says nothing. The packet has a header and the handle beside the data.
                let most = if packet == 0 {
                    u64::MAX
                } else {
                    packet.saturating_sub(1024)
                };
                let pick = |said: u64| {
                    let said = if said == 0 { Limits::SAFE.read as u64 } else { said };
                    let said = usize::try_from(said.min(most)).unwrap_or(usize::MAX);
                    said.clamp(1024, Limits::MOST)
                };
                limits = Limits {
                    read: pick(read),
                    write: pick(write),
                };
            }
        }
        self.limits = Some(limits);
        Ok(limits)
    }

    /// Queues a request and gives its id.
    pub(super) fn request(
        &mut self,
        kind: u8,
        fill: impl for<'w, 'x> FnOnce(&'w mut Writer<'x>) -> &'w mut Writer<'x>,
    ) -> u32 {
        // An id comes round after 4 billion requests; one still in use is stepped over.
        while self.waiting.contains(&self.next_id) || self.abandoned.contains(&self.next_id) {
            self.next_id = self.next_id.wrapping_add(1);
        }
        let id = self.next_id;
        self.next_id = self.next_id.wrapping_add(1);
        let mut writer = Writer::new(&mut self.out, kind);
        writer.u32(id);
        fill(&mut writer);
        writer.finish();
        self.waiting.insert(id);
        id
    }

    /// Queues a request whose answer does not matter.
    pub(super) fn request_and_forget(
        &mut self,
        kind: u8,
        fill: impl for<'w, 'x> FnOnce(&'w mut Writer<'x>) -> &'w mut Writer<'x>,
    ) {
        let id = self.request(kind, fill);
        self.waiting.remove(&id);
        self.abandoned.insert(id);
    }

    /// Nobody waits any more for what is in flight.
    pub(super) fn abandon_all(&mut self) {
        self.abandoned.extend(self.waiting.drain());
    }

    /// Moves bytes until all abandoned requests are answered or the deadline passes. For cleaning up.
    pub(super) fn settle(&mut self, deadline: &Deadline) {
        while self.is_usable() && !(self.abandoned.is_empty() && self.unsent() == 0) {
            match self.take_answer() {
                Ok(Some(_)) => {}
                Ok(None) => {
                    if self.abandoned.is_empty() || self.pump(deadline).is_err() {
                        return;
                    }
                }
                Err(_) => return,
            }
        }
    }

    /// Bytes queued and not yet sent.
    pub(super) fn unsent(&self) -> usize {
        self.out.len().saturating_sub(self.sent)
    }

    /// Moves bytes once in each direction; waits when nothing moves.
    pub(super) fn pump(&mut self, deadline: &Deadline) -> Result<(), SessionError> {
        if let Some(reason) = &self.broken {
            return Err(SessionError::Refused { reason: reason.clone() });
        }
        if self.ended {
            return Err(self.break_with("the SFTP server ended in the middle of its work".to_owned()));
        }
        deadline
            .remaining()
            .map_err(|stop| SessionError::Stopped { stop, survivor: None })?;
        if self.taken > 0 {
            self.input.drain(..self.taken);
            self.taken = 0;
        }
        let unsent = self.out.get(self.sent..).unwrap_or_default();
        let moved = match self.duplex.pump(unsent, &mut self.input, deadline) {
            Ok(moved) => moved,
            Err(error) => {
                if !matches!(error, SessionError::Stopped { .. }) {
                    self.broken = Some(error.to_string());
                }
                return Err(error);
            }
        };
        self.sent = self.sent.saturating_add(moved.sent).min(self.out.len());
        if self.sent == self.out.len() {
            self.out.clear();
            self.sent = 0;
        } else if self.sent > 1 << 20 {
            self.out.drain(..self.sent);
            self.sent = 0;
        }
        self.ended = moved.eof;
        Ok(())
    }

    /// The next answer that somebody waits for, if it has arrived in full.
    pub(super) fn take_answer(&mut self) -> Result<Option<(u32, Response<'_>)>, SessionError> {
        let (id, kind, body) = loop {
            let Some(packet) = self.next_packet()? else {
                return Ok(None);
            };
            self.taken = packet.end;
            let mut reader = Reader(self.input.get(packet.clone()).unwrap_or_default());
            let (Ok(kind), Ok(id)) = (reader.u8(), reader.u32()) else {
                return Err(self.protocol_error("a packet ends too early"));
            };
            if self.waiting.remove(&id) {
                break (id, kind, packet.start.saturating_add(5)..packet.end);
            }
            if !self.abandoned.remove(&id) {
                return Err(self.protocol_error("an answer to a request that was not made"));
            }
        };
        let body = self.input.get(body).unwrap_or_default();
        match Response::decode(kind, body) {
            Ok(response) => Ok(Some((id, response))),
            Err(bad) => {
                let reason = format!("the SFTP server does not follow the protocol: {bad}");
                self.broken = Some(reason.clone());
                Err(SessionError::Refused { reason })
            }
        }
    }

    /// One request and its answer; `None` from `read` is an answer of the wrong type.
    pub(super) fn call<T>(
        &mut self,
        kind: u8,
        fill: impl for<'w, 'x> FnOnce(&'w mut Writer<'x>) -> &'w mut Writer<'x>,
        deadline: &Deadline,
        read: impl FnOnce(Response<'_>) -> T,
    ) -> Result<T, SessionError> {
        let id = self.request(kind, fill);
        loop {
            match self.take_answer() {
                Ok(Some((answer, response))) if answer == id => return Ok(read(response)),
                Ok(Some(_)) => return Err(self.protocol_error("an answer nobody waits for")),
                Ok(None) => {}
                Err(error) => return Err(error),
            }
            if let Err(error) = self.pump(deadline) {
                self.abandon_all();
                return Err(error);
            }
        }
    }

    /// `count` small requests with many in flight; the answers in the order of the requests.
    pub(super) fn batch<T>(
        &mut self,
        count: usize,
        deadline: &Deadline,
        mut ask: impl FnMut(&mut Self, usize) -> Result<u32, T>,
        mut read: impl FnMut(usize, Response<'_>) -> T,
    ) -> Result<Vec<T>, SessionError> {
        let mut answers: Vec<Option<T>> = Vec::new();
        answers.resize_with(count, || None);
        let mut asked = std::collections::HashMap::new();
        let mut next = 0;
        loop {
            while next < count && asked.len() < BATCH {
                match ask(self, next) {
                    Ok(id) => drop(asked.insert(id, next)),
                    Err(answer) => set(&mut answers, next, answer),
                }
                next = next.saturating_add(1);
            }
            if asked.is_empty() && next == count {
                break;
            }
            let step = match self.take_answer() {
                Ok(Some((id, response))) => {
                    if let Some(index) = asked.remove(&id) {
                        let answer = read(index, response);
                        set(&mut answers, index, answer);
                    }
                    Ok(())
                }
                Ok(None) => self.pump(deadline),
                Err(error) => Err(error),
            };
            if let Err(error) = step {
                self.abandon_all();
                return Err(error);
            }
        }
        let answers: Option<Vec<T>> = answers.into_iter().collect();
        answers.ok_or_else(|| self.protocol_error("an answer is missing"))
    }

    /// Why a write may have failed, when the server only says "failure": is the disk full?
    pub(super) fn explain_failure(&mut self, dir: &[u8], deadline: &Deadline) -> Option<String> {
        if !self.extensions.statvfs {
            return None;
        }
        let answer = self.call(
            kind::EXTENDED,
            |w| w.string(b"statvfs@openssh.com").string(dir),
            deadline,
            |r| {
                let Response::Extended(body) = r else { return None };
                let mut reader = Reader(body);
                let mut numbers = [0; 8];
                for number in &mut numbers {
                    *number = reader.u64().ok()?;
                }
                Some(numbers)
            },
        );
        let [_, fragment, _, _, free_blocks, _, _, free_inodes] = answer.ok()??;
        let free = free_blocks.saturating_mul(fragment);
        if free < 1 << 20 {
            return Some(format!("{free} bytes are free on its file system"));
        }
        (free_inodes == 0).then(|| "no inode is free on its file system".to_owned())
    }

    /// Where the next complete packet is in `input`, without its length.
    fn next_packet(&mut self) -> Result<Option<Range<usize>>, SessionError> {
        let arrived = self.input.get(self.taken..).unwrap_or_default();
        let mut reader = Reader(arrived);
        let Ok(length) = reader.u32() else {
            return Ok(None);
        };
        let size = usize::try_from(length).unwrap_or(usize::MAX);
        if !(5..=MAX_PACKET).contains(&size) {
            let start = arrived.get(..arrived.len().min(60)).unwrap_or_default();
            let text = start
                .get(..4)
                .is_some_and(|b| b.iter().all(|b| matches!(b, b' '..=b'~' | b'\n')));
            let reason = if text {
                let start = crate::transport::files::show_path(start);
                format!(
                    "the host sent text (`{start}`) where SFTP is expected: does a shell start-up file print something?"
                )
            } else {
                format!("the SFTP server sent a packet of {size} bytes, from 5 to {MAX_PACKET} are allowed")
            };
            return Err(self.break_with(reason));
        }
        let start = self.taken.saturating_add(4);
        let end = start.saturating_add(size);
        Ok((self.input.len() >= end).then_some(start..end))
    }

    pub(super) fn protocol_error(&mut self, what: &str) -> SessionError {
        self.break_with(format!("the SFTP server does not follow the protocol: {what}"))
    }

    fn break_with(&mut self, reason: String) -> SessionError {
        self.broken = Some(reason.clone());
        SessionError::Refused { reason }
    }
}

fn set<T>(answers: &mut [Option<T>], index: usize, answer: T) {
    if let Some(place) = answers.get_mut(index) {
        *place = Some(answer);
    }
}

/// Reads the version packet: the version must be 3, the extensions are name and version pairs.
fn read_greeting(packet: &[u8]) -> Result<Extensions, String> {
    let mut reader = Reader(packet);
    let bad = |e| format!("the SFTP server's greeting cannot be read: {e}");
    if reader.u8().map_err(bad)? != kind::VERSION {
        return Err("the SFTP server did not greet".to_owned());
    }
    let version = reader.u32().map_err(bad)?;
    if version != 3 {
        return Err(format!("the SFTP server speaks version {version}, 3 is needed"));
    }
    let mut extensions = Extensions::default();
    while !reader.is_empty() {
        let name = reader.string().map_err(bad)?;
        let version = reader.string().map_err(bad)?;
        match (name, version) {
            (b"posix-rename@openssh.com", b"1") => extensions.posix_rename = true,
            (b"fsync@openssh.com", b"1") => extensions.fsync = true,
            (b"statvfs@openssh.com", b"2") => extensions.statvfs = true,
            (b"limits@openssh.com", b"1") => extensions.limits = true,
            (b"hardlink@openssh.com", b"1") => extensions.hardlink = true,
            (b"lsetstat@openssh.com", b"1") => extensions.lsetstat = true,
            _ => {}
        }
    }
    Ok(extensions)
}

/// The error in a status, said with what was tried. `None`: success.
pub(super) fn status_error(what: &str, code: u32, message: &[u8]) -> Option<FileError> {
    let (kind, meaning) = match code {
        status::OK => return None,
        status::EOF => (FileErrorKind::Failed, "end of file"),
        status::NO_SUCH_FILE => (FileErrorKind::Missing, "no such file or directory"),
        status::PERMISSION_DENIED => (FileErrorKind::Denied, "permission denied"),
        status::FAILURE => (FileErrorKind::Failed, "failure"),
        status::OP_UNSUPPORTED => (FileErrorKind::Unsupported, "the SFTP server cannot do this"),
        _ => (FileErrorKind::Failed, "the server gives a reason that is not known"),
    };
    let said = crate::transport::files::show_path(message.get(..message.len().min(500)).unwrap_or_default());
    // OpenSSH sends the name of the code, others the text of the operating system.
    let plain = said.trim().trim_end_matches('.');
    let reason = if plain.is_empty() || plain.eq_ignore_ascii_case(meaning) || plain == "No such file" {
        format!("{what}: {meaning}")
    } else if code == status::FAILURE {
        format!("{what}: {plain}")
    } else {
        format!("{what}: {meaning} ({plain})")
    };
    Some(FileError { kind, reason })
}

/// An answer that must be a status.
pub(super) fn expect_status(what: &str, response: &Response<'_>) -> Result<(), FileError> {
    match response {
        Response::Status { code, message } => status_error(what, *code, message).map_or(Ok(()), Err),
        _ => Err(wrong_type(what)),
    }
}

/// An answer that must be attributes; `None`: there is no such file.
pub(super) fn expect_attributes(what: &str, response: &Response<'_>) -> Result<Option<Attributes>, FileError> {
    match response {
        Response::Attributes(attributes) => Ok(Some(*attributes)),
        Response::Status { code, message } => match status_error(what, *code, message) {
            Some(error) if error.kind == FileErrorKind::Missing => Ok(None),
            Some(error) => Err(error),
            None => Err(wrong_type(what)),
        },
        _ => Err(wrong_type(what)),
    }
}

pub(super) fn wrong_type(what: &str) -> FileError {
    FileError::failed(format!("{what}: the SFTP server's answer is of the wrong type"))
}
