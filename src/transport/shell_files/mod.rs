//! The host's files by nothing but `sh`: for hosts without an SFTP server, and for files of another user (`become`).
//! Looking is the snippet `manifest.sh`; changing, sending and receiving are the functions of `files.sh`, called by
//! text on the standard input of one shell, so that many small files are one command.

mod receive;
mod script;

use std::io::Read;
use std::time::Duration;

use crate::deadline::{CancelToken, Deadline, Stop};
use crate::names::Stream;
use crate::shell::elevate::Become;
use crate::shell::{Command, quote};
use crate::transport::files::{
    Answers, Content, Download, DownloadSink, FileError, FileErrorKind, FileKind, FileOp, Files, Progress, RemoteStat,
    Upload, Walk, WalkLimits, show_path, temporary_beside,
};
use crate::transport::local_file::open_regular;
use crate::transport::manifest::{self, Splitter, shell_path};
use crate::transport::{Exec, Session, SessionError, Stdin};

const FUNCTIONS: &str = include_str!("../../shell/snippets/files.sh");

/// Files up to this size go as shell text, many in one command; larger ones have a command of their own.
const SMALL: u64 = 8 * 1024;

/// How much of a command's complaints is kept.
const COMPLAINTS: usize = 4096;

/// Files by `sh` over a session's commands.
pub struct ShellFiles<'s> {
    session: &'s mut dyn Session,
    elevate: Option<Become>,
}

impl<'s> ShellFiles<'s> {
    /// The files as the session's user sees them, or as the user to become does.
    pub fn new(session: &'s mut dyn Session, elevate: Option<&Become>) -> Self {
        Self {
            session,
            elevate: elevate.cloned(),
        }
    }

    /// Runs a command whose standard output is answers; the rest of its output is why answers are missing.
    fn answers(
        &mut self,
        command: &Command,
        stdin: &mut dyn Read,
        answers: &mut [Option<Result<(), FileError>>],
        deadline: &Deadline,
    ) -> Result<(), SessionError> {
        let mut splitter = Splitter::default();
        let mut complaints = Vec::new();
        let request = Exec {
            command,
            stdin: Stdin::Reader(stdin),
            elevate: self.elevate.as_ref(),
            environment: &[],
            must_start: true,
        };
        let status = self
            .session
            .exec(request, deadline, &mut |stream, bytes| match stream {
                Stream::Stdout => splitter.feed(bytes, &mut |record| {
                    if let Some((index, answer)) = read_answer(record)
                        && let Some(place) = answers.get_mut(index)
                        && place.is_none()
                    {
                        *place = Some(answer);
                    }
                }),
                Stream::Stderr => {
                    let room = COMPLAINTS.saturating_sub(complaints.len());
                    complaints.extend_from_slice(bytes.get(..bytes.len().min(room)).unwrap_or_default());
                }
            })?;
        let said = show_path(complaints.split(|b| *b == b'\n').next().unwrap_or_default());
        let reason = if said.is_empty() {
            format!("the host's shell did not do it ({status:?})")
        } else {
            format!("the host's shell did not do it: {said}")
        };
        for answer in answers.iter_mut().filter(|answer| answer.is_none()) {
            *answer = Some(Err(FileError::failed(reason.clone())));
        }
        Ok(())
    }

    /// Uploads the small files of `files` (by their places) in one command.
    fn upload_small(
        &mut self,
        files: &[Upload<'_>],
        places: &[usize],
        results: &mut [Option<Result<(), FileError>>],
        progress: Progress<'_>,
        deadline: &Deadline,
    ) -> Result<(), SessionError> {
        let mut script = script::UploadScript::new(files, places, progress);
        let mut answers = vec![None; files.len()];
        let command = shell();
        let ran = self.answers(&command, &mut script, &mut answers, deadline);
        let failures = std::mem::take(&mut script.failures);
        let temporaries = std::mem::take(&mut script.temporaries);
        if let Err(error) = ran {
            self.clean_up(&temporaries, &error);
            return Err(error);
        }
        for &place in places {
            if let (Some(result), Some(answer)) = (results.get_mut(place), answers.get_mut(place)) {
                *result = answer.take();
            }
        }
        for (place, error) in failures {
            if let Some(result) = results.get_mut(place) {
                *result = Some(Err(error));
            }
        }
        Ok(())
    }

    /// Uploads one file as the standard input of a command.
    fn upload_large(
        &mut self,
        file: &Upload<'_>,
        progress: Progress<'_>,
        deadline: &Deadline,
    ) -> Result<Result<(), FileError>, SessionError> {
        let temporary = match temporary_beside(&shell_path(file.target)) {
            Ok(name) => name,
            Err(error) => return Ok(Err(error)),
        };
        let mut local: Box<dyn Read> = match file.content {
            Content::Bytes(bytes) => Box::new(bytes),
            Content::Path(path) => match open_regular(path, file.size) {
                // One byte more, so that a file that grows is seen.
                Ok(local) => Box::new(local.take(file.size.saturating_add(1))),
                Err(error) => return Ok(Err(error)),
            },
        };
        let mut counted = Counted {
            inner: &mut local,
            bytes: 0,
            error: None,
            progress,
        };
        let command = Command::snippet("upload", &format!("{FUNCTIONS}\nreceive \"$@\"\n"))
            .arg(&temporary)
            .args(script::upload_words(file))
            .arg(shell_path(file.target));
        let mut answers = [None];
        let ran = self.answers(&command, &mut counted, &mut answers, deadline);
        let (bytes, read_error) = (counted.bytes, counted.error.take());
        if let Err(error) = ran {
            self.clean_up(std::slice::from_ref(&temporary), &error);
            return Err(error);
        }
        if let Some(error) = read_error {
            return Ok(Err(FileError::local(format!("cannot read the local file: {error}"))));
        }
        if bytes > file.size {
            return Ok(Err(FileError::local("the local file grew while it was read")));
        }
        let [answer] = answers;
        Ok(match answer {
            Some(Err(_)) if bytes < file.size && matches!(file.content, Content::Path(_)) && bytes > 0 => {
                // Either side may be the reason: the host's words are kept.
                answer.unwrap_or(Ok(()))
            }
            Some(answer) => answer,
            None => Err(FileError::failed("the host did not say what became of it")),
        })
    }

    /// After a time-out or a stop by the user: removes temporary files, as far as the host lets us.
    fn clean_up(&mut self, temporaries: &[Vec<u8>], error: &SessionError) {
        let SessionError::Stopped { stop, .. } = error else {
            return;
        };
        let limit = match stop {
            Stop::TimedOut { .. } => Duration::from_secs(2),
            Stop::Cancelled => Duration::from_millis(150),
        };
        let deadline = Deadline::none(CancelToken::new()).within("clean-up", limit);
        let command = Command::new("rm").arg("-f").args(temporaries);
        let request = Exec {
            command: &command,
            stdin: Stdin::Empty,
            elevate: self.elevate.as_ref(),
            environment: &[],
            must_start: true,
        };
        // Nothing more can be done about a failure here.
        let _ = self.session.exec(request, &deadline, &mut |_, _| {});
    }
}

impl Files for ShellFiles<'_> {
    fn lstat_all(&mut self, paths: &[&[u8]], deadline: &Deadline) -> Answers<Option<RemoteStat>> {
        manifest::stat_all(self.session, self.elevate.as_ref(), paths, deadline)
    }

    fn stat(&mut self, path: &[u8], deadline: &Deadline) -> Result<Option<RemoteStat>, SessionError> {
        let stat = self.lstat(path, deadline)?;
        if stat.as_ref().is_none_or(|stat| stat.kind != FileKind::Link) {
            return Ok(stat);
        }
        // The root of a tree is followed.
        let limits = WalkLimits { depth: 0, entries: 10 };
        let walk = manifest::tree(self.session, self.elevate.as_ref(), path, limits, deadline)?;
        let target = walk.entries.into_iter().next().map(|entry| entry.stat);
        Ok(target.filter(|stat| stat.kind != FileKind::Link))
    }

    fn read_links(&mut self, paths: &[&[u8]], deadline: &Deadline) -> Answers<Vec<u8>> {
        manifest::links_all(self.session, self.elevate.as_ref(), paths, deadline)
    }

    fn walk(&mut self, root: &[u8], limits: WalkLimits, deadline: &Deadline) -> Result<Walk, SessionError> {
        manifest::tree(self.session, self.elevate.as_ref(), root, limits, deadline)
    }

    fn apply(&mut self, ops: &[FileOp], deadline: &Deadline) -> Answers<()> {
        if ops.is_empty() {
            return Ok(Vec::new());
        }
        let mut text = FUNCTIONS.as_bytes().to_vec();
        for (number, op) in ops.iter().enumerate() {
            script::operation(&mut text, number, op);
        }
        let mut answers = vec![None; ops.len()];
        self.answers(&shell(), &mut text.as_slice(), &mut answers, deadline)?;
        Ok(whole(answers))
    }

    fn upload(&mut self, files: &[Upload<'_>], progress: Progress<'_>, deadline: &Deadline) -> Answers<()> {
        let mut results = vec![None; files.len()];
        let (small, large): (Vec<usize>, Vec<usize>) =
            (0..files.len()).partition(|i| files.get(*i).is_some_and(|file| file.size <= SMALL));
        let mut begun = false;
        // A connection found dead before the second command is lost after the first one: in doubt.
        let doubt = |error, begun: bool| {
            if begun { in_doubt_when_lost(error) } else { error }
        };
        if !small.is_empty() {
            self.upload_small(files, &small, &mut results, &mut *progress, deadline)?;
            begun = true;
        }
        for place in large {
            let (Some(file), Some(result)) = (files.get(place), results.get_mut(place)) else {
                continue;
            };
            let answer = self
                .upload_large(file, &mut *progress, deadline)
                .map_err(|e| doubt(e, begun))?;
            *result = Some(answer);
            begun = true;
        }
        Ok(whole(results))
    }

    fn download(
        &mut self,
        files: &[Download<'_>],
        sink: &mut dyn DownloadSink,
        deadline: &Deadline,
    ) -> Result<(), SessionError> {
        if files.is_empty() {
            return Ok(());
        }
        let mark = receive::mark()?;
        let mut text = FUNCTIONS.as_bytes().to_vec();
        for (number, file) in files.iter().enumerate() {
            text.extend_from_slice(format!("send {number} ").as_bytes());
            text.extend(quote(shell_path(file.path)));
            text.extend_from_slice(format!(" {mark}\n").as_bytes());
        }
        let mut receiver = receive::Receiver::new(files, &mark, sink);
        let command = shell();
        let request = Exec {
            command: &command,
            stdin: Stdin::Bytes(&text),
            elevate: self.elevate.as_ref(),
            environment: &[],
            must_start: true,
        };
        let ran = self.session.exec(request, deadline, &mut |stream, bytes| match stream {
            Stream::Stdout => receiver.feed(bytes),
            Stream::Stderr => {}
        });
        receiver.end();
        ran.map(drop)
    }
}

/// The shell that reads its commands from standard input.
fn shell() -> Command {
    Command::new("sh").arg("-s")
}

fn in_doubt_when_lost(error: SessionError) -> SessionError {
    match error {
        SessionError::Lost { reason } => SessionError::InDoubt {
            reason: format!("the connection was lost while files were uploaded: {reason}"),
        },
        SessionError::Stopped { .. }
        | SessionError::InDoubt { .. }
        | SessionError::Refused { .. }
        | SessionError::File { .. }
        | SessionError::Local(_) => error,
    }
}

/// No place stays without an answer.
fn whole(answers: Vec<Option<Result<(), FileError>>>) -> Vec<Result<(), FileError>> {
    let missing = || Err(FileError::failed("the host did not say what became of it"));
    answers
        .into_iter()
        .map(|answer| answer.unwrap_or_else(missing))
        .collect()
}

/// `NUMBER ok` or `NUMBER failed REASON`.
fn read_answer(record: &[u8]) -> Option<(usize, Result<(), FileError>)> {
    let space = record.iter().position(|b| *b == b' ')?;
    let (number, rest) = record.split_at_checked(space)?;
    let number = std::str::from_utf8(number).ok()?.parse().ok()?;
    if rest == b" ok" {
        return Some((number, Ok(())));
    }
    Some((number, Err(failure(rest.strip_prefix(b" failed")?))))
}

/// What a tool complained about, as an error.
fn failure(reason: &[u8]) -> FileError {
    let reason = String::from_utf8_lossy(reason.trim_ascii()).replace('\n', "; ");
    let kind = if reason.contains("No such file or directory") {
        FileErrorKind::Missing
    } else if reason.contains("Permission denied") || reason.contains("Operation not permitted") {
        FileErrorKind::Denied
    } else {
        FileErrorKind::Failed
    };
    let reason = match reason.as_str() {
        "" => "the host's shell gives no reason".to_owned(),
        said => show_path(said.as_bytes()),
    };
    FileError { kind, reason }
}

/// Counts what is read and keeps a read error.
struct Counted<'a, 'p> {
    inner: &'a mut dyn Read,
    bytes: u64,
    error: Option<std::io::Error>,
    progress: Progress<'p>,
}

impl Read for Counted<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self.inner.read(buffer) {
            Ok(n) => {
                self.bytes = self.bytes.saturating_add(n as u64);
                (self.progress)(n as u64);
                Ok(n)
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                // The end of input makes the host notice that bytes are missing and clean up.
                self.error = Some(error);
                Ok(0)
            }
        }
    }
}
