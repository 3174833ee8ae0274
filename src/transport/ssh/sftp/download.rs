//! Downloads: many files and many reads are on their way at once. A file is complete only when as many bytes came as
//! the server itself says it has.

use std::collections::{HashMap, VecDeque};

use crate::deadline::Deadline;
use crate::transport::SessionError;
use crate::transport::files::{Download, DownloadSink, FileError, FileKind};
use crate::transport::ssh::sftp::client::{SftpClient, expect_attributes, expect_status, wrong_type};
use crate::transport::ssh::sftp::packet::{Attributes, Response, kind, open, status};

/// Files on their way at once.
const FILES: usize = 64;

/// Bytes asked for and not yet here.
const IN_FLIGHT: u64 = 4 << 20;

/// Reads in flight.
const READS: usize = 128;

struct Slot {
    handle: Vec<u8>,
    /// How many bytes the file has, as far as known.
    expected: u64,
    /// Next byte to ask for.
    offset: u64,
    received: u64,
    /// Where the last piece ends. Pieces do not overlap, so there is a gap when this is more than was received.
    end: u64,
    unanswered: usize,
    /// Size unknown: one read after the other up to the end of the file.
    sequential: bool,
    at_end: bool,
    closing: bool,
    failure: Option<FileError>,
}

enum Asked {
    Open,
    Look,
    Read { offset: u64, length: u64 },
    Close,
}

struct Downloader<'a, 'b> {
    files: &'a [Download<'a>],
    sink: &'b mut dyn DownloadSink,
    chunk: u64,
    next: usize,
    slots: HashMap<usize, Slot>,
    opening: usize,
    asked: HashMap<u32, (usize, Asked)>,
    feeding: VecDeque<usize>,
    /// Parts that a short answer left out.
    again: VecDeque<(usize, u64, u64)>,
    in_flight: u64,
    reads: usize,
}

pub(super) fn download(
    client: &mut SftpClient,
    files: &[Download<'_>],
    sink: &mut dyn DownloadSink,
    deadline: &Deadline,
) -> Result<(), SessionError> {
    let chunk = if files.iter().any(|f| f.size > 32 * 1024) {
        client.limits(deadline)?.read as u64
    } else {
        32 * 1024
    };
    let mut downloader = Downloader {
        files,
        sink,
        chunk,
        next: 0,
        slots: HashMap::new(),
        opening: 0,
        asked: HashMap::new(),
        feeding: VecDeque::new(),
        again: VecDeque::new(),
        in_flight: 0,
        reads: 0,
    };
    let result = downloader.run(client, deadline);
    if result.is_err() {
        client.abandon_all();
        let mut open: Vec<_> = downloader.slots.into_iter().collect();
        open.sort_by_key(|(index, _)| *index);
        for (_, slot) in open {
            if !slot.closing {
                client.request_and_forget(kind::CLOSE, |w| w.string(&slot.handle));
            }
        }
    }
    result
}

impl Downloader<'_, '_> {
    fn run(&mut self, client: &mut SftpClient, deadline: &Deadline) -> Result<(), SessionError> {
        loop {
            while self.slots.len().saturating_add(self.opening) < FILES {
                let Some(file) = self.files.get(self.next) else { break };
                let id = client.request(kind::OPEN, |w| {
                    w.string(file.path).u32(open::READ).attributes(&Attributes::default())
                });
                self.asked.insert(id, (self.next, Asked::Open));
                self.opening = self.opening.saturating_add(1);
                self.next = self.next.saturating_add(1);
            }
            self.feed(client);
            if self.asked.is_empty() && self.next == self.files.len() {
                return Ok(());
            }
            match client.take_answer()? {
                Some((id, response)) => {
                    let Some((index, asked)) = self.asked.remove(&id) else {
                        return Err(client.protocol_error("an answer nobody waits for"));
                    };
                    let look = match self.answer(index, &asked, &response) {
                        Ok(look) => look,
                        Err(what) => return Err(client.protocol_error(what)),
                    };
                    if look {
                        self.look(client, index);
                    }
                    self.move_on(client, index);
                }
                None => client.pump(deadline)?,
            }
        }
    }

    fn look(&mut self, client: &mut SftpClient, index: usize) {
        if let Some(slot) = self.slots.get_mut(&index) {
            let id = client.request(kind::FSTAT, |w| w.string(&slot.handle));
            slot.unanswered = slot.unanswered.saturating_add(1);
            self.asked.insert(id, (index, Asked::Look));
        }
    }

    /// Asks for content while the line is not full.
    fn feed(&mut self, client: &mut SftpClient) {
        while self.in_flight < IN_FLIGHT && self.reads < READS {
            let (index, offset, length) = if let Some(part) = self.again.pop_front() {
                part
            } else {
                let Some(&index) = self.feeding.front() else { return };
                let Some(slot) = self.slots.get_mut(&index) else {
                    self.feeding.pop_front();
                    continue;
                };
                let left = slot.expected.saturating_sub(slot.offset);
                if slot.failure.is_some() || slot.sequential || left == 0 {
                    self.feeding.pop_front();
                    continue;
                }
                let length = left.min(self.chunk);
                let offset = slot.offset;
                slot.offset = offset.saturating_add(length);
                (index, offset, length)
            };
            self.read(client, index, offset, length);
        }
    }

    fn read(&mut self, client: &mut SftpClient, index: usize, offset: u64, length: u64) {
        let Some(slot) = self.slots.get_mut(&index) else { return };
        let id = client.request(kind::READ, |w| {
            w.string(&slot.handle)
                .u64(offset)
                .u32(u32::try_from(length).unwrap_or(u32::MAX))
        });
        slot.unanswered = slot.unanswered.saturating_add(1);
        self.asked.insert(id, (index, Asked::Read { offset, length }));
        self.in_flight = self.in_flight.saturating_add(length);
        self.reads = self.reads.saturating_add(1);
    }

    /// Takes one answer. True: the file was opened, ask what it is. The error is a broken protocol.
    fn answer(&mut self, index: usize, asked: &Asked, response: &Response<'_>) -> Result<bool, &'static str> {
        let Some(file) = self.files.get(index) else {
            return Ok(false);
        };
        if matches!(asked, Asked::Open) {
            self.opening = self.opening.saturating_sub(1);
            let Response::Handle(handle) = response else {
                let error = match expect_status("open", response) {
                    Err(error) => error,
                    Ok(()) => wrong_type("open"),
                };
                self.sink.finish(index, Err(error));
                return Ok(false);
            };
            let slot = Slot {
                handle: handle.to_vec(),
                expected: file.size,
                offset: 0,
                received: 0,
                end: 0,
                unanswered: 0,
                sequential: file.size == 0,
                at_end: false,
                closing: false,
                failure: None,
            };
            self.slots.insert(index, slot);
            self.feeding.push_back(index);
            return Ok(true);
        }
        let Some(slot) = self.slots.get_mut(&index) else {
            return Ok(false);
        };
        slot.unanswered = slot.unanswered.saturating_sub(1);
        match asked {
            Asked::Open | Asked::Close => {}
            Asked::Look => match expect_attributes("look at the open file", response) {
                Ok(Some(attributes)) => {
                    let is_file = attributes
                        .mode
                        .and_then(FileKind::of_mode)
                        .is_none_or(|k| k == FileKind::File);
                    let size = attributes.size.unwrap_or(slot.expected);
                    if !is_file {
                        slot.failure
                            .get_or_insert(FileError::failed("it is not a file any more"));
                    } else if size > 0 {
                        slot.sequential = false;
                        slot.expected = size;
                        self.feeding.push_back(index);
                    } else {
                        slot.expected = 0;
                        // Where reads are on their way already it had a size, and is empty now.
                        slot.sequential = slot.offset == 0;
                    }
                    check_limit(slot, file.limit);
                }
                Ok(None) => drop(slot.failure.get_or_insert(FileError::failed("it is gone"))),
                Err(error) => drop(slot.failure.get_or_insert(error)),
            },
            Asked::Read { offset, length } => {
                self.in_flight = self.in_flight.saturating_sub(*length);
                self.reads = self.reads.saturating_sub(1);
                match response {
                    Response::Data(bytes) => {
                        let got = bytes.len() as u64;
                        if got > *length {
                            return Err("more bytes than were asked for");
                        }
                        if got == 0 {
                            slot.failure
                                .get_or_insert(FileError::failed("read: the server sent nothing and no end"));
                            return Ok(false);
                        }
                        slot.received = slot.received.saturating_add(got);
                        slot.end = slot.end.max(offset.saturating_add(got));
                        check_limit(slot, file.limit);
                        if slot.failure.is_none() {
                            if let Err(error) = self.sink.write(index, *offset, bytes) {
                                slot.failure = Some(error);
                            } else if slot.sequential {
                                slot.offset = offset.saturating_add(got);
                            } else if got < *length {
                                self.again
                                    .push_back((index, offset.saturating_add(got), length.saturating_sub(got)));
                            }
                        }
                    }
                    Response::Status { code: status::EOF, .. } => slot.at_end = true,
                    other => {
                        let error = match expect_status("read", other) {
                            Err(error) => error,
                            Ok(()) => wrong_type("read"),
                        };
                        slot.failure.get_or_insert(error);
                    }
                }
            }
        }
        if let Asked::Close = asked {
            let closed = expect_status("close", response);
            let result = match slot.failure.take() {
                Some(error) => Err(error),
                None => closed.map(|()| slot.received),
            };
            self.slots.remove(&index);
            self.sink.finish(index, result);
        }
        Ok(false)
    }

    /// Closes a file of which everything is here, or that failed.
    fn move_on(&mut self, client: &mut SftpClient, index: usize) {
        let Some(slot) = self.slots.get_mut(&index) else { return };
        if slot.unanswered > 0 || slot.closing {
            return;
        }
        if slot.failure.is_none() {
            if slot.sequential && !slot.at_end {
                let (offset, length) = (slot.offset, self.chunk);
                return self.read(client, index, offset, length);
            }
            let waits = slot.offset < slot.expected || self.again.iter().any(|(i, _, _)| *i == index);
            if !slot.sequential && waits && !slot.at_end {
                return;
            }
            if !slot.sequential && slot.received != slot.expected {
                let reason = format!(
                    "the server sent {} bytes of a file of {} bytes",
                    slot.received, slot.expected
                );
                slot.failure = Some(FileError::failed(reason));
            } else if slot.end != slot.received {
                slot.failure = Some(FileError::failed("the server left out a part of the file"));
            }
        }
        self.again.retain(|(i, _, _)| *i != index);
        slot.closing = true;
        let id = client.request(kind::CLOSE, |w| w.string(&slot.handle));
        slot.unanswered = slot.unanswered.saturating_add(1);
        self.asked.insert(id, (index, Asked::Close));
    }
}

fn check_limit(slot: &mut Slot, limit: u64) {
    if slot.expected.max(slot.received) > limit && slot.failure.is_none() {
        slot.failure = Some(FileError::failed(format!(
            "larger than the {limit} bytes it may have at most"
        )));
    }
}
