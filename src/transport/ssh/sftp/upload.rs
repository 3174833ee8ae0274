//! Uploads: each file is written to a temporary name beside its target, checked, and renamed over it. Many files are
//! on their way at once, so that a small file does not cost its three round trips alone; the local side has one file
//! open at a time.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::time::Duration;

use crate::deadline::{CancelToken, Deadline, Stop};
use crate::transport::SessionError;
use crate::transport::files::{Answers, Content, FileError, FileErrorKind, Progress, Upload, parent, temporary_beside};
use crate::transport::local_file::open_regular;
use crate::transport::ssh::sftp::client::{SftpClient, expect_attributes, expect_status, wrong_type};
use crate::transport::ssh::sftp::operations::{protocol_times, quoted, rename};
use crate::transport::ssh::sftp::packet::{Attributes, Response, kind, open};

/// Files on their way at once.
const FILES: usize = 64;

/// Bytes written and not yet confirmed. It must cover the line: 4 MiB are 200 MiB/s at 20 ms.
const IN_FLIGHT: usize = 4 << 20;

/// Bytes read from local files and not yet sent.
const QUEUED: usize = 512 << 10;

/// How long temporary files may be cleaned up after a time-out, and after the user stopped the run.
const CLEAN_UP: Duration = Duration::from_secs(2);
const CLEAN_UP_CANCELLED: Duration = Duration::from_millis(150);

/// Where one file is on its way. Failures go `Writing` → `Closing` → `Removing`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The temporary file is being created.
    Opening,
    /// Content, mode, sync, look and close are sent; all must be answered.
    Writing,
    /// A server said a wrong size: looked at once more after everything was answered.
    Checking,
    /// The temporary file takes the target's name.
    Renaming,
    /// After a failure: the handle is closed.
    Closing,
    /// After a failure: the temporary file is removed.
    Removing,
}

struct Slot {
    temporary: Vec<u8>,
    handle: Option<Vec<u8>>,
    stage: Stage,
    /// Next byte to send.
    offset: u64,
    /// Everything, the close included, is sent.
    all_sent: bool,
    unanswered: usize,
    wrong_size: bool,
    failure: Option<FileError>,
}

/// What an answer is to.
enum Asked {
    Open,
    Write(usize),
    Owner,
    Mode,
    Sync,
    Look,
    Close,
    LookAgain,
    Rename,
    Remove,
}

struct Uploader<'a, 'b> {
    files: &'a [Upload<'a>],
    chunk: usize,
    next: usize,
    slots: HashMap<usize, Slot>,
    asked: HashMap<u32, (usize, Asked)>,
    /// Files whose content is to be sent, in order.
    feeding: std::collections::VecDeque<usize>,
    local: Option<(usize, File)>,
    in_flight: usize,
    results: Vec<Option<Result<(), FileError>>>,
    progress: Progress<'b>,
}

pub(super) fn upload(
    client: &mut SftpClient,
    files: &[Upload<'_>],
    progress: Progress<'_>,
    deadline: &Deadline,
) -> Answers<()> {
    let chunk = if files.iter().any(|f| f.size > 32 * 1024) {
        client.limits(deadline)?.write
    } else {
        32 * 1024
    };
    let mut uploader = Uploader {
        files,
        chunk,
        next: 0,
        slots: HashMap::new(),
        asked: HashMap::new(),
        feeding: std::collections::VecDeque::new(),
        local: None,
        in_flight: 0,
        results: vec![None; files.len()],
        progress,
    };
    if let Err(error) = uploader.run(client, deadline) {
        uploader.clean_up(client, &error);
        let first = uploader.slots.iter().min_by_key(|(index, _)| **index);
        let place = match first.and_then(|(index, slot)| Some((files.get(*index)?.target, slot))) {
            Some((target, slot)) => format!(
                "while {} was uploaded (it is as before, or new and complete; {} may be left)",
                quoted(target),
                quoted(&slot.temporary)
            ),
            None => "while files were uploaded".to_owned(),
        };
        return Err(in_doubt_when_lost(error, &place));
    }
    let results = uploader.results.into_iter();
    Ok(results
        .zip(files)
        .map(|(result, file)| {
            let error = match result {
                Some(Ok(())) => return Ok(()),
                Some(Err(error)) => error,
                None => FileError::failed("the upload did not come to its end"),
            };
            // "Failure" is all that many servers say about a full disk.
            let vague = error.kind == FileErrorKind::Failed && error.reason.ends_with(": failure");
            let why = vague
                .then(|| client.explain_failure(parent(file.target), deadline))
                .flatten();
            Err(match why {
                Some(why) => FileError::failed(format!("{}; {why}", error.reason)),
                None => error,
            })
        })
        .collect())
}

/// A connection that was lost after changes were asked for leaves the host in doubt.
pub(super) fn in_doubt_when_lost(error: SessionError, when: &str) -> SessionError {
    match error {
        SessionError::Lost { reason } => SessionError::InDoubt {
            reason: format!("the connection was lost {when}: {reason}"),
        },
        SessionError::Refused { reason } => SessionError::InDoubt {
            reason: format!("the SFTP channel broke {when}: {reason}"),
        },
        SessionError::Stopped { .. }
        | SessionError::InDoubt { .. }
        | SessionError::File { .. }
        | SessionError::Local(_) => error,
    }
}

impl Uploader<'_, '_> {
    fn run(&mut self, client: &mut SftpClient, deadline: &Deadline) -> Result<(), SessionError> {
        loop {
            while self.slots.len() < FILES && self.next < self.files.len() {
                self.begin(client, self.next);
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
                    let step = self.answer(index, &asked, &response);
                    self.step(client, index, step);
                }
                None => client.pump(deadline)?,
            }
        }
    }

    fn begin(&mut self, client: &mut SftpClient, index: usize) {
        let Some(file) = self.files.get(index) else { return };
        let temporary = match temporary_beside(file.target) {
            Ok(name) => name,
            Err(error) => return self.finish(index, Err(error)),
        };
        let id = client.request(kind::OPEN, |w| {
            let private = Attributes {
                mode: Some(0o600),
                ..Attributes::default()
            };
            w.string(&temporary)
                .u32(open::WRITE | open::CREATE | open::EXCLUSIVE)
                .attributes(&private)
        });
        self.asked.insert(id, (index, Asked::Open));
        let slot = Slot {
            temporary,
            handle: None,
            stage: Stage::Opening,
            offset: 0,
            all_sent: false,
            unanswered: 1,
            wrong_size: false,
            failure: None,
        };
        self.slots.insert(index, slot);
    }

    /// Sends content of the first file that has some left, while the line is not full.
    fn feed(&mut self, client: &mut SftpClient) {
        while self.in_flight < IN_FLIGHT && client.unsent() < QUEUED {
            let Some(&index) = self.feeding.front() else { return };
            let done = match self.feed_one(client, index) {
                Ok(done) => done,
                Err(error) => {
                    if let Some(slot) = self.slots.get_mut(&index) {
                        slot.failure.get_or_insert(error);
                    }
                    true
                }
            };
            if done {
                self.feeding.pop_front();
                self.local = None;
                self.move_on(client, index);
            }
        }
    }

    /// Sends one piece. True when nothing more is to be sent for this file.
    fn feed_one(&mut self, client: &mut SftpClient, index: usize) -> Result<bool, FileError> {
        let (Some(file), Some(slot)) = (self.files.get(index), self.slots.get_mut(&index)) else {
            return Ok(true);
        };
        let Some(handle) = slot.handle.clone() else {
            return Ok(true);
        };
        if slot.failure.is_some() {
            return Ok(true);
        }
        let left = file.size.saturating_sub(slot.offset);
        let want = usize::try_from(left).unwrap_or(usize::MAX).min(self.chunk);
        let mut buffer = Vec::new();
        let piece: &[u8] = match file.content {
            Content::Bytes(bytes) => {
                let from = usize::try_from(slot.offset).unwrap_or(usize::MAX);
                bytes
                    .get(from..from.saturating_add(want))
                    .ok_or_else(|| FileError::local("fewer bytes than announced"))?
            }
            Content::Path(path) => {
                let local = match &mut self.local {
                    Some((open, local)) if *open == index => local,
                    _ => &mut self.local.insert((index, open_regular(path, file.size)?)).1,
                };
                buffer.resize(want, 0);
                local.read_exact(&mut buffer).map_err(|e| match e.kind() {
                    std::io::ErrorKind::UnexpectedEof => {
                        FileError::local("the local file became shorter while it was read")
                    }
                    _ => FileError::local(format!("cannot read the local file: {e}")),
                })?;
                if left == want as u64 && local.read(&mut [0]).is_ok_and(|more| more > 0) {
                    return Err(FileError::local("the local file grew while it was read"));
                }
                &buffer
            }
        };
        if want > 0 {
            let id = client.request(kind::WRITE, |w| w.string(&handle).u64(slot.offset).string(piece));
            self.asked.insert(id, (index, Asked::Write(want)));
            slot.unanswered = slot.unanswered.saturating_add(1);
            slot.offset = slot.offset.saturating_add(want as u64);
            self.in_flight = self.in_flight.saturating_add(want);
        }
        if slot.offset < file.size {
            return Ok(false);
        }
        if let Some(owner) = file.owner {
            // Before the mode, whose set-user-id bit a change of owner clears.
            let attributes = Attributes {
                owner: Some(owner),
                ..Attributes::default()
            };
            let id = client.request(kind::FSETSTAT, |w| w.string(&handle).attributes(&attributes));
            self.asked.insert(id, (index, Asked::Owner));
            slot.unanswered = slot.unanswered.saturating_add(1);
        }
        let attributes = Attributes {
            mode: Some(file.mode & 0o7777),
            times: file.mtime.map(protocol_times).transpose()?,
            ..Attributes::default()
        };
        // The server does what is asked of one handle in order, so nothing of this waits for an answer.
        let id = client.request(kind::FSETSTAT, |w| w.string(&handle).attributes(&attributes));
        self.asked.insert(id, (index, Asked::Mode));
        slot.unanswered = slot.unanswered.saturating_add(1);
        if file.sync && client.extensions().fsync {
            let id = client.request(kind::EXTENDED, |w| w.string(b"fsync@openssh.com").string(&handle));
            self.asked.insert(id, (index, Asked::Sync));
            slot.unanswered = slot.unanswered.saturating_add(1);
        }
        let id = client.request(kind::FSTAT, |w| w.string(&handle));
        self.asked.insert(id, (index, Asked::Look));
        let id = client.request(kind::CLOSE, |w| w.string(&handle));
        self.asked.insert(id, (index, Asked::Close));
        slot.unanswered = slot.unanswered.saturating_add(2);
        slot.handle = None;
        slot.all_sent = true;
        Ok(true)
    }

    /// Reads one answer. The error is the first failure of the file.
    fn answer(&mut self, index: usize, asked: &Asked, response: &Response<'_>) -> Result<(), FileError> {
        let size = self.files.get(index).map_or(0, |file| file.size);
        let Some(slot) = self.slots.get_mut(&index) else {
            return Ok(());
        };
        slot.unanswered = slot.unanswered.saturating_sub(1);
        match asked {
            Asked::Open => match response {
                Response::Handle(handle) => {
                    slot.handle = Some(handle.to_vec());
                    slot.stage = Stage::Writing;
                    self.feeding.push_back(index);
                    Ok(())
                }
                other => {
                    expect_status("create a temporary file beside it", other)?;
                    Err(wrong_type("create a temporary file beside it"))
                }
            },
            Asked::Write(bytes) => {
                self.in_flight = self.in_flight.saturating_sub(*bytes);
                expect_status("write", response)?;
                (self.progress)(*bytes as u64);
                Ok(())
            }
            Asked::Mode => expect_status("set mode", response),
            Asked::Sync => match expect_status("write to disk", response) {
                Err(error) if error.kind == FileErrorKind::Unsupported => Ok(()),
                other => other,
            },
            Asked::Look => {
                let seen = expect_attributes("look at the temporary file", response)?;
                slot.wrong_size = seen.and_then(|a| a.size) != Some(size);
                Ok(())
            }
            Asked::Close => expect_status("close", response),
            Asked::LookAgain => {
                let seen = expect_attributes("look at the temporary file", response)?.and_then(|a| a.size);
                slot.wrong_size = false;
                match seen {
                    Some(seen) if seen == size => Ok(()),
                    Some(seen) => Err(FileError::failed(format!("{seen} of {size} bytes arrived"))),
                    None => Err(FileError::failed("the temporary file is gone")),
                }
            }
            Asked::Rename => expect_status("rename the temporary file to it", response),
            // Only root may give files away, anybody else keeps them; and a file that was to be removed may never
            // have been made: the first failure is the one to tell.
            Asked::Owner | Asked::Remove => Ok(()),
        }
    }

    fn step(&mut self, client: &mut SftpClient, index: usize, step: Result<(), FileError>) {
        if let (Err(error), Some(slot)) = (step, self.slots.get_mut(&index)) {
            slot.failure.get_or_insert(error);
        }
        self.move_on(client, index);
    }

    /// Takes the next stage when everything of the former one is answered.
    fn move_on(&mut self, client: &mut SftpClient, index: usize) {
        let Some(slot) = self.slots.get_mut(&index) else { return };
        if slot.unanswered > 0 {
            return;
        }
        let failed = slot.failure.is_some();
        let (id, asked) = match (slot.stage, failed) {
            (Stage::Opening, _) => {
                // Nothing was made.
                let failure = slot.failure.take();
                return self.finish(index, failure.map_or(Ok(()), Err));
            }
            (Stage::Writing, false) if !slot.all_sent => return,
            (Stage::Writing | Stage::Checking, false) if slot.wrong_size => {
                slot.stage = Stage::Checking;
                (
                    client.request(kind::STAT, |w| w.string(&slot.temporary)),
                    Asked::LookAgain,
                )
            }
            (Stage::Writing | Stage::Checking, false) => {
                let Some(file) = self.files.get(index) else { return };
                slot.stage = Stage::Renaming;
                (rename(client, &slot.temporary, file.target), Asked::Rename)
            }
            (Stage::Writing, true) if slot.handle.is_some() => {
                slot.stage = Stage::Closing;
                let handle = slot.handle.take().unwrap_or_default();
                (client.request(kind::CLOSE, |w| w.string(&handle)), Asked::Close)
            }
            (Stage::Writing | Stage::Checking | Stage::Renaming | Stage::Closing, true) => {
                slot.stage = Stage::Removing;
                (
                    client.request(kind::REMOVE, |w| w.string(&slot.temporary)),
                    Asked::Remove,
                )
            }
            (Stage::Renaming | Stage::Closing | Stage::Removing, _) => {
                let failure = slot.failure.take();
                return self.finish(index, failure.map_or(Ok(()), Err));
            }
        };
        slot.unanswered = slot.unanswered.saturating_add(1);
        self.asked.insert(id, (index, asked));
    }

    fn finish(&mut self, index: usize, result: Result<(), FileError>) {
        self.slots.remove(&index);
        self.feeding.retain(|i| *i != index);
        if let Some(place) = self.results.get_mut(index) {
            *place = Some(result);
        }
    }

    /// After a time-out or a stop by the user: removes the temporary files, as far as the host lets us.
    fn clean_up(&mut self, client: &mut SftpClient, error: &SessionError) {
        client.abandon_all();
        let SessionError::Stopped { stop, .. } = error else {
            return;
        };
        let limit = match stop {
            Stop::TimedOut { .. } => CLEAN_UP,
            Stop::Cancelled => CLEAN_UP_CANCELLED,
        };
        let mut left: Vec<_> = self.slots.iter().collect();
        left.sort_by_key(|(index, _)| **index);
        for (_, slot) in left {
            if let Some(handle) = &slot.handle {
                client.request_and_forget(kind::CLOSE, |w| w.string(handle));
            }
            client.request_and_forget(kind::REMOVE, |w| w.string(&slot.temporary));
        }
        client.settle(&Deadline::none(CancelToken::new()).within("clean-up", limit));
    }
}
