//! Takes steps: the only place that changes a host. File steps that follow each other become one exchange, in which new
//! contents travel through standard input, never through arguments.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::engine::enclose::{Enclosure, Halt};
use crate::engine::sent;
use crate::engine::transfer::{self, GetOptions, GetRequest, LocalTree, PutOptions, TransferReport};
use crate::event::SentFile;
use crate::modules::answer::Answer;
use crate::modules::local::Incoming;
use crate::modules::look::Seen;
use crate::modules::step::{Content, Reader, Stamp, Step, Taken, Transfer, Write};
use crate::modules::{ModuleError, Values, words};
use crate::shell::{Command, quote, snippets};
use crate::transport::Stdin;

/// Argument text of one exchange; see `look::ROOM`.
const ROOM: usize = 24 * 1024;
/// Contents of one exchange that has several; a larger one travels alone, without a copy on the way.
const SPOOLED: u64 = 8 * 1024 * 1024;

/// Takes all steps with nothing around them.
pub fn take(steps: &[Step], host: &mut Reader<'_>) -> Result<Vec<Taken>, ModuleError> {
    take_in(steps, host, &mut Enclosure::nothing()).map_err(Halt::into_error)
}

/// Takes all steps, in order; stops at the first that fails. One [`Taken`] for each.
pub fn take_in(steps: &[Step], host: &mut Reader<'_>, around: &mut Enclosure) -> Result<Vec<Taken>, Halt> {
    let mut taken = Vec::with_capacity(steps.len());
    let mut batch = Batch::default();
    for step in steps {
        host.deadline.remaining().map_err(stopped)?;
        match step {
            Step::Run { command, stdin, plain } => {
                batch.send(host, &mut taken, around)?;
                taken.push(run(command, stdin, *plain, host, around)?);
            }
            Step::Put(transfer) | Step::Get(transfer) => {
                batch.send(host, &mut taken, around)?;
                let up = matches!(step, Step::Put(_));
                taken.push(move_tree(transfer, up, false, host)?);
            }
            Step::Fetch { path, to, sha1 } => {
                batch.send(host, &mut taken, around)?;
                taken.push(fetch(path, to, sha1.as_deref(), host)?);
            }
            Step::Write(write) => {
                let size = write.content.size().unwrap_or(0);
                if batch.contents.iter().filter_map(Content::size).sum::<u64>() + size > SPOOLED {
                    batch.send(host, &mut taken, around)?;
                }
                batch.add(step)?;
                if size > SPOOLED {
                    batch.send(host, &mut taken, around)?;
                }
            }
            Step::MakeDir { .. }
            | Step::MakeEmpty { .. }
            | Step::SetMode { .. }
            | Step::SetOwner { .. }
            | Step::Symlink { .. }
            | Step::HardLink { .. }
            | Step::Remove { .. }
            | Step::Touch { .. }
            | Step::SetTree { .. }
            | Step::Tell { .. } => batch.add(step)?,
        }
        if batch.room() > ROOM {
            batch.send(host, &mut taken, around)?;
        }
    }
    batch.send(host, &mut taken, around)?;
    Ok(taken)
}

/// What the steps would change, when they can tell without changing it: `put` and `get`.
pub fn preview(steps: &[Step], host: &mut Reader<'_>) -> Result<Option<Vec<Taken>>, ModuleError> {
    let mut taken = Vec::new();
    for step in steps {
        let (Step::Put(transfer) | Step::Get(transfer)) = step else {
            return Ok(None);
        };
        taken.push(move_tree(transfer, matches!(step, Step::Put(_)), true, host)?);
    }
    Ok(Some(taken))
}

/// `put` and `get`: recursive transfers.
fn move_tree(order: &Transfer, up: bool, dry_run: bool, host: &mut Reader<'_>) -> Result<Taken, ModuleError> {
    let started = Timestamp::now();
    let session = host.link.session()?;
    let mut silent = |_: u64| {};
    let mut sent = Vec::new();
    let report = if up {
        let sources: Vec<PathBuf> = order.sources.iter().map(PathBuf::from).collect();
        let tree = LocalTree::shared(&sources, order.dest.as_bytes()).map_err(ModuleError::failed)?;
        let options = PutOptions {
            preserve_times: order.times,
            dry_run,
            mode: order.mode,
            directory_mode: order.directory_mode,
            ..PutOptions::default()
        };
        let report = transfer::put(session, &tree, &options, host.elevate, &mut silent, host.deadline)?;
        if !dry_run {
            sent = sent::files(&tree, &report);
        }
        report
    } else {
        let source = order.sources.first().map(String::as_bytes).unwrap_or_default();
        let options = GetOptions {
            preserve_times: order.times,
            dry_run,
            ..GetOptions::default()
        };
        let request = GetRequest {
            source,
            dest: Path::new(&order.dest),
            host: &order.host,
        };
        transfer::get(session, request, &options, host.elevate, &mut silent, host.deadline)?
    };
    Ok(Taken {
        started: Some(started),
        ended: Some(Timestamp::now()),
        transfer: Some(report_values(&report)),
        sent,
        ..Taken::default()
    })
}

/// What a transfer did, as return keys.
fn report_values(report: &TransferReport) -> Values {
    let mut values = Values::new();
    values.insert("changed".into(), report.is_changed().into());
    values.insert("changed_paths".into(), report.changed.into());
    values.insert("unchanged_paths".into(), report.unchanged.into());
    values.insert("files".into(), report.files.into());
    values.insert("bytes".into(), report.bytes.into());
    values.insert("msg".into(), report.message().into());
    if !report.warnings.is_empty() {
        values.insert("warnings".into(), report.warnings.clone().into());
    }
    if report.is_failed() {
        let failures: Vec<String> = report
            .failures
            .iter()
            .map(|(path, why)| format!("{path}: {why}"))
            .collect();
        values.insert("failures".into(), failures.into());
    }
    values
}

/// Receives one file: it appears under its name when it is complete and has the right digest.
fn fetch(path: &[u8], to: &Path, sha1: Option<&str>, host: &mut Reader<'_>) -> Result<Taken, ModuleError> {
    let local = |e: io::Error| {
        ModuleError::from(crate::transport::SessionError::Local(format!(
            "cannot write `{}`: {e}",
            to.display()
        )))
    };
    let started = Timestamp::now();
    let mut incoming = Incoming::beside(to).map_err(local)?;
    let seen = host.receive(path, &mut |part| incoming.write(part))?;
    let name = String::from_utf8_lossy(path).into_owned();
    let Some(found) = seen.followed().found() else {
        return Err(ModuleError::failed(format!("{name}: the file vanished")));
    };
    // Files of /proc say that they are empty.
    if incoming.size() < found.stat.size {
        let arrived = incoming.size();
        return Err(ModuleError::failed(format!(
            "{name}: {arrived} of {} bytes arrived",
            found.stat.size
        )));
    }
    let is = incoming.sha1();
    if sha1.is_some_and(|sha1| sha1 != is) {
        return Err(ModuleError::failed(format!(
            "checksum mismatch: {name} changed while it was received, or was damaged on its way; it was not kept"
        )));
    }
    incoming.finish(to).map_err(local)?;
    let mut values = Values::new();
    values.insert("checksum".into(), is.into());
    Ok(Taken {
        started: Some(started),
        ended: Some(Timestamp::now()),
        transfer: Some(values),
        ..Taken::default()
    })
}

fn stopped(stop: crate::deadline::Stop) -> ModuleError {
    crate::transport::SessionError::Stopped { stop, survivor: None }.into()
}

fn run(
    command: &Command,
    stdin: &Content,
    plain: bool,
    host: &mut Reader<'_>,
    around: &mut Enclosure,
) -> Result<Taken, Halt> {
    let started = Timestamp::now();
    let output = around.around(command, plain, host, |command, host| {
        let mut sender = Sender::new(std::slice::from_ref(stdin));
        let stdin = match stdin {
            Content::Bytes(bytes) if bytes.is_empty() => Stdin::Empty,
            Content::Bytes(bytes) => Stdin::Bytes(bytes),
            Content::File { .. } | Content::Remote(_) => Stdin::Reader(&mut sender),
        };
        host.run(command, stdin, plain)
    })?;
    Ok(Taken {
        rc: output.rc,
        stdout: output.stdout,
        stderr: output.stderr,
        started: Some(started),
        ended: Some(Timestamp::now()),
        ..Taken::default()
    })
}

/// File steps on their way into one exchange.
#[derive(Default)]
struct Batch {
    /// How many.
    steps: usize,
    /// Operations and their arguments.
    arguments: Vec<Vec<u8>>,
    /// What travels through standard input.
    contents: Vec<Content>,
    /// The files that come of it, by the number of their step.
    files: Vec<(usize, SentFile)>,
    token: String,
}

impl Batch {
    fn room(&self) -> usize {
        self.arguments.iter().map(|a| a.len() + 3).sum()
    }

    fn push<const N: usize>(&mut self, arguments: [&[u8]; N]) {
        self.arguments.extend(arguments.map(<[u8]>::to_vec));
        self.steps += 1;
    }

    fn add(&mut self, step: &Step) -> Result<(), ModuleError> {
        if self.token.is_empty() {
            self.token = words::token()?;
        }
        match step {
            Step::Write(write) => self.add_write(write)?,
            Step::MakeDir { path } => self.push([b"dir", path]),
            Step::MakeEmpty { path } => self.push([b"empty", path]),
            Step::SetMode { path, mode } => self.push([b"mode", path, mode.as_bytes()]),
            Step::SetOwner { path, owner, link } => {
                self.push([b"own", path, owner.as_bytes(), if *link { b"h" } else { b"-" }]);
            }
            Step::Symlink { path, target } => {
                let tmp = self.temporary(path);
                self.push([b"link", path, &tmp, target]);
            }
            Step::HardLink { path, target } => {
                let tmp = self.temporary(path);
                self.push([b"hard", path, &tmp, target]);
            }
            Step::Remove { path } => self.push([b"remove", path]),
            Step::Touch {
                path,
                access,
                modification,
                link,
            } => self.push([
                b"touch",
                path,
                stamp(access).as_bytes(),
                stamp(modification).as_bytes(),
                if *link { b"h" } else { b"-" },
            ]),
            Step::SetTree { path, mode, owner } => self.push([
                b"tree",
                path,
                mode.as_deref().unwrap_or_default().as_bytes(),
                owner.as_deref().unwrap_or_default().as_bytes(),
            ]),
            Step::Tell { path, algorithm } => self.push([b"tell", path, algorithm.unwrap_or("-").as_bytes()]),
            // `take` sends these by themselves.
            Step::Run { .. } | Step::Fetch { .. } | Step::Put(_) | Step::Get(_) => {}
        }
        Ok(())
    }

    fn add_write(&mut self, write: &Write) -> Result<(), ModuleError> {
        let tmp = self.temporary(&write.path);
        let validate = match &write.validate {
            Some(text) => validate(text, &tmp)?,
            None => Vec::new(),
        };
        let (size, source): (String, &[u8]) = match &write.content {
            Content::Remote(path) => ("-".to_owned(), path),
            other => (other.size().unwrap_or(0).to_string(), b""),
        };
        let mode = write.mode.map(|bits| format!("{bits:04o}")).unwrap_or_default();
        let keep = write.keep.map(|(uid, gid)| format!("{uid}:{gid}")).unwrap_or_default();
        self.push([
            b"file",
            &write.path,
            &tmp,
            size.as_bytes(),
            b"sha1",
            write.sha1.as_deref().unwrap_or_default().as_bytes(),
            mode.as_bytes(),
            keep.as_bytes(),
            write.owner.as_deref().unwrap_or_default().as_bytes(),
            if write.backup { b"1" } else { b"" },
            &validate,
            source,
            if write.unsafe_writes { b"1" } else { b"" },
        ]);
        if let Some(file) = sent::file(write) {
            self.files.push((self.steps - 1, file));
        }
        if !matches!(write.content, Content::Remote(_)) {
            self.contents.push(write.content.clone());
        }
        Ok(())
    }

    /// A name in the same directory. The ending stays, because programs that validate look at it; the leading dot keeps
    /// it out of `*.conf`.
    fn temporary(&self, path: &[u8]) -> Vec<u8> {
        let split = path.iter().rposition(|&b| b == b'/').map_or(0, |at| at + 1);
        let (folder, name) = path.split_at(split);
        let ending = match name.iter().rposition(|&b| b == b'.') {
            Some(at) if at > 0 && name.len() - at <= 16 => &name[at..],
            _ => b"",
        };
        let mut tmp = folder.to_vec();
        tmp.extend_from_slice(format!(".batchssh-{}-{}", self.token, self.steps).as_bytes());
        tmp.extend_from_slice(ending);
        tmp
    }

    fn send(&mut self, host: &mut Reader<'_>, taken: &mut Vec<Taken>, around: &mut Enclosure) -> Result<(), Halt> {
        let batch = std::mem::take(self);
        if batch.steps == 0 {
            return Ok(());
        }
        let spool = if batch.contents.len() > 1 { "1" } else { "0" };
        let command = Command::snippet("apply", snippets::APPLY)
            .arg(&batch.token)
            .arg(spool)
            .args(&batch.arguments);
        let started = Timestamp::now();
        let output = around.around(&command, false, host, |command, host| {
            let mut sender = Sender::new(&batch.contents);
            let stdin = match batch.contents.as_slice() {
                [] => Stdin::Empty,
                [Content::Bytes(bytes)] => Stdin::Bytes(bytes),
                _ => Stdin::Reader(&mut sender),
            };
            let output = host.ask(command, stdin)?;
            match sender.error.take() {
                Some(error) => Err(crate::transport::SessionError::Local(error).into()),
                None => Ok(output),
            }
        })?;
        let mut answer = Answer::find(&output.stdout, output.rc, &output.stderr)?;
        let ended = Timestamp::now();
        for number in 0..batch.steps {
            let files = batch.files.iter().filter(|(step, _)| *step == number);
            let mut one = Taken {
                started: Some(started),
                ended: Some(ended),
                sent: files.map(|(_, file)| file.clone()).collect(),
                ..Taken::default()
            };
            loop {
                match answer.field()? {
                    b"backup" => one.backup = Some(answer.text()?),
                    b"tell" => one.seen = Some(Seen::read(&mut answer)?),
                    b"ok" => {
                        answer.field()?;
                        break;
                    }
                    b"fail" => return Err(failure(&mut answer)?.into()),
                    other => {
                        return Err(ModuleError::failed(format!(
                            "the host's answer is damaged: `{}`",
                            String::from_utf8_lossy(other)
                        ))
                        .into());
                    }
                }
            }
            taken.push(one);
        }
        match answer.field()? {
            b"end" => Ok(()),
            _ => Err(ModuleError::failed("the host's answer is damaged: it does not end").into()),
        }
    }
}

/// An operation that failed, in its own words.
fn failure(answer: &mut Answer<'_>) -> Result<ModuleError, ModuleError> {
    let path = answer.text()?;
    let said = answer.text()?;
    let rc = answer.text()?;
    let output = answer.text()?;
    let whole = ["Destination", "failed to validate", "Copied file"];
    let msg = if whole.iter().any(|w| said.starts_with(w)) || said.contains(&path) {
        said
    } else {
        format!("{path}: {said}")
    };
    let mut values = Values::new();
    if let Ok(rc) = rc.parse::<i32>() {
        values.insert("exit_status".into(), rc.into());
        values.insert("stdout".into(), output.into());
        values.insert("stderr".into(), "".into());
    }
    Ok(ModuleError::Failed {
        msg,
        values: Box::new(values),
    })
}

fn stamp(stamp: &Stamp) -> String {
    match stamp {
        Stamp::Keep => "-".to_owned(),
        Stamp::Now => "now".to_owned(),
        Stamp::At(text) => text.clone(),
    }
}

/// The command that checks a new file, as shell text: its words are quoted, `%s` is the file's path.
fn validate(text: &str, tmp: &[u8]) -> Result<Vec<u8>, ModuleError> {
    if !text.contains("%s") {
        return Err(ModuleError::failed(format!("validate must contain %s: {text}")));
    }
    let mut out = Vec::new();
    for word in words::split(text).map_err(ModuleError::failed)? {
        if !out.is_empty() {
            out.push(b' ');
        }
        for (i, part) in word.split("%s").enumerate() {
            if i > 0 {
                out.extend(quote(tmp));
            }
            if !part.is_empty() {
                out.extend(crate::shell::expand::word(part.replace("%%", "%").as_bytes()));
            }
        }
        if word.is_empty() {
            out.extend_from_slice(b"''");
        }
    }
    Ok(out)
}

/// Several contents as one stream. A file that became shorter or vanished is noticed here; what is missing is not
/// replaced by anything, so the host sees too few bytes and leaves the old file alone.
struct Sender<'a> {
    contents: &'a [Content],
    at: usize,
    offset: usize,
    open: Option<io::Take<File>>,
    left: u64,
    error: Option<String>,
}

impl<'a> Sender<'a> {
    fn new(contents: &'a [Content]) -> Self {
        Self {
            contents,
            at: 0,
            offset: 0,
            open: None,
            left: 0,
            error: None,
        }
    }

    fn give_up(&mut self, error: String) -> io::Error {
        self.error = Some(error.clone());
        io::Error::other(error)
    }
}

impl Read for Sender<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let Some(content) = self.contents.get(self.at) else {
                return Ok(0);
            };
            match content {
                Content::Bytes(bytes) => {
                    let rest = bytes.get(self.offset..).unwrap_or_default();
                    if !rest.is_empty() {
                        let count = rest.len().min(buffer.len());
                        buffer[..count].copy_from_slice(&rest[..count]);
                        self.offset += count;
                        return Ok(count);
                    }
                }
                Content::File { path, size } => {
                    if self.open.is_none() {
                        match File::open(path) {
                            Ok(file) => {
                                self.open = Some(file.take(*size));
                                self.left = *size;
                            }
                            Err(e) => return Err(self.give_up(format!("cannot read `{}`: {e}", path.display()))),
                        }
                    }
                    let count = match self.open.as_mut().map(|file| file.read(buffer)) {
                        Some(Ok(count)) => count,
                        Some(Err(e)) => return Err(self.give_up(format!("cannot read `{}`: {e}", path.display()))),
                        None => 0,
                    };
                    self.left = self.left.saturating_sub(count as u64);
                    if count > 0 {
                        return Ok(count);
                    }
                    if self.left > 0 {
                        return Err(self.give_up(format!("`{}` became shorter while it was sent", path.display())));
                    }
                }
                Content::Remote(_) => {}
            }
            self.at += 1;
            self.offset = 0;
            self.open = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_travel_one_after_the_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, "middle").unwrap();
        let contents = [
            Content::Bytes(b"first ".as_slice().into()),
            Content::File { path, size: 6 },
            Content::empty(),
            Content::Bytes(b" last".as_slice().into()),
        ];
        let mut text = String::new();
        Sender::new(&contents).read_to_string(&mut text).unwrap();
        assert_eq!(text, "first middle last");
    }

    #[test]
    fn a_file_that_became_shorter_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, "short").unwrap();
        let contents = [Content::File { path, size: 60 }];
        let mut sender = Sender::new(&contents);
        assert!(sender.read_to_end(&mut Vec::new()).is_err());
        assert!(sender.error.unwrap().contains("became shorter"));
    }

    #[test]
    fn validate_runs_words_not_shell_text() {
        let text = validate("visudo -cf %s; 'a b'", b"/etc/.x y").unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), "visudo -cf '/etc/.x y'';' 'a b'");
        assert!(
            validate("true", b"/x")
                .unwrap_err()
                .to_string()
                .contains("must contain %s")
        );
    }
}
