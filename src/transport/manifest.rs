//! What many remote files are, and their checksums, by one command: the snippet `manifest.sh`. An answer that is not
//! whole is no answer.

use std::collections::HashMap;

use sha2::Digest;

use crate::deadline::Deadline;
use crate::names::Stream;
use crate::shell::Command;
use crate::shell::elevate::Become;
use crate::transport::files::{
    FileError, FileErrorKind, FileKind, RemoteStat, Walk, WalkEntry, WalkLimits, bad_name, show_path,
};
use crate::transport::{Exec, ExitStatus, Session, SessionError, Stdin};

const MANIFEST: &str = include_str!("../shell/snippets/manifest.sh");

/// The longest record: a path and a little more.
const RECORD: usize = 16 * 1024;

/// How much of a command's complaints is kept.
const COMPLAINTS: usize = 16 * 1024;

/// A kind of checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SumKind {
    /// SHA-256.
    Sha256,
    /// SHA-1.
    Sha1,
    /// MD5: good enough to see that a file is as it was put.
    Md5,
}

impl SumKind {
    /// Checksums what `read` gives, piece by piece; `None` from it is the end.
    pub fn of_reader(self, reader: &mut dyn std::io::Read) -> std::io::Result<String> {
        match self {
            Self::Sha256 => digest(sha2::Sha256::new(), reader),
            Self::Sha1 => digest(sha1::Sha1::new(), reader),
            Self::Md5 => digest(md5::Md5::new(), reader),
        }
    }
}

fn digest<D: Digest>(mut digest: D, reader: &mut dyn std::io::Read) -> std::io::Result<String> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(hex(&digest.finalize())),
            Ok(n) => digest.update(buffer.get(..n).unwrap_or_default()),
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

/// Checksums of remote files.
#[derive(Clone, Debug)]
pub struct Checksums {
    /// Which checksum the host has a tool for.
    pub kind: SumKind,
    /// In the order of the paths, in lower-case hexadecimal digits; `None`: the host could not read it.
    pub sums: Vec<Option<String>>,
}

/// Checksums of the regular files among `paths`, in one command. `None`: this host cannot say, because it runs no
/// commands or has no tool for it.
pub fn checksums(
    session: &mut dyn Session,
    elevate: Option<&Become>,
    paths: &[&[u8]],
    deadline: &Deadline,
) -> Result<Option<Checksums>, SessionError> {
    let names: Vec<_> = paths.iter().map(|path| shell_path(path)).collect();
    let places: HashMap<&[u8], usize> = names.iter().enumerate().map(|(i, name)| (name.as_slice(), i)).collect();
    let mut sums = vec![None; paths.len()];
    let command = Command::snippet("manifest", MANIFEST).arg("sum");
    let run = run(session, elevate, &command, &nul_list(&names), deadline, &mut |record| {
        if let Some((path, sum)) = record.strip_prefix(b"H ").and_then(sum_record)
            && let Some(place) = places.get(path.as_slice()).and_then(|i| sums.get_mut(*i))
        {
            *place = Some(sum);
        }
        Ok(())
    });
    let ended = match run {
        Ok(ended) => ended,
        // An account without commands may still have files.
        Err(SessionError::Refused { .. } | SessionError::InDoubt { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let kind = match ended.tool.as_str() {
        "sha256sum" => SumKind::Sha256,
        "sha1sum" => SumKind::Sha1,
        "md5sum" => SumKind::Md5,
        _ => return Ok(None),
    };
    Ok(ended.is_whole.then_some(Checksums { kind, sums }))
}

/// What each path is, links not followed.
pub(super) fn stat_all(
    session: &mut dyn Session,
    elevate: Option<&Become>,
    paths: &[&[u8]],
    deadline: &Deadline,
) -> Result<Vec<Result<Option<RemoteStat>, FileError>>, SessionError> {
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<_> = paths.iter().map(|path| shell_path(path)).collect();
    let places: HashMap<&[u8], usize> = names.iter().enumerate().map(|(i, name)| (name.as_slice(), i)).collect();
    let mut found: Vec<Option<RemoteStat>> = vec![None; paths.len()];
    let command = Command::snippet("manifest", MANIFEST).arg("stat");
    let ended = run(session, elevate, &command, &nul_list(&names), deadline, &mut |record| {
        if let Some((path, stat)) = stat_record(record)
            && let Some(place) = places.get(path).and_then(|i| found.get_mut(*i))
        {
            *place = Some(stat);
        }
        Ok(())
    })?;
    if !ended.is_whole {
        return Err(ended.refusal("cannot look at files"));
    }
    // A path that was not found and one that may not be looked at are both silent on standard output.
    let denied = ended.complaints.contains("Permission denied");
    let answer = |stat| match stat {
        None if denied => Err(FileError {
            kind: FileErrorKind::Denied,
            reason: "cannot look at it: permission denied".to_owned(),
        }),
        stat => Ok(stat),
    };
    // Where paths were asked for twice the first place is empty.
    let twice: Vec<_> = names.iter().map(|name| places.get(name.as_slice()).copied()).collect();
    let resolved = twice
        .into_iter()
        .map(|i| i.and_then(|i| found.get(i).cloned().flatten()));
    Ok(resolved.map(answer).collect())
}

/// What each symbolic link says.
pub(super) fn links_all(
    session: &mut dyn Session,
    elevate: Option<&Become>,
    paths: &[&[u8]],
    deadline: &Deadline,
) -> Result<Vec<Result<Vec<u8>, FileError>>, SessionError> {
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<_> = paths.iter().map(|path| shell_path(path)).collect();
    let mut targets: HashMap<Vec<u8>, Vec<u8>> = HashMap::new();
    let mut link = None;
    let command = Command::snippet("manifest", MANIFEST).arg("stat");
    let ended = run(session, elevate, &command, &nul_list(&names), deadline, &mut |record| {
        if let Some(target) = record.strip_prefix(b">") {
            if let Some(link) = link.take() {
                targets.insert(link, target.to_vec());
            }
        } else if let Some(path) = record.strip_prefix(b"L ") {
            link = Some(path.to_vec());
        } else if record.starts_with(b"S ")
            && let Some((path, stat)) = stat_record(record)
        {
            link = (stat.kind == FileKind::Link).then(|| path.to_vec());
        }
        Ok(())
    })?;
    if !ended.is_whole {
        return Err(ended.refusal("cannot read symbolic links"));
    }
    let answer = |name: &Vec<u8>| match targets.get(name) {
        Some(target) if !target.is_empty() => Ok(target.clone()),
        _ => Err(FileError::failed("read link: it is not a symbolic link")),
    };
    Ok(names.iter().map(answer).collect())
}

/// Everything below `root`, in one command.
pub(super) fn tree(
    session: &mut dyn Session,
    elevate: Option<&Become>,
    root: &[u8],
    limits: WalkLimits,
    deadline: &Deadline,
) -> Result<Walk, SessionError> {
    let mut collector = Tree {
        root: shell_path(root),
        limits,
        walk: Walk::default(),
        wait: None,
        by_path: HashMap::new(),
        seen: 0,
    };
    let command = Command::snippet("manifest", MANIFEST)
        .arg("tree")
        .arg(&collector.root)
        .arg(limits.depth.to_string());
    let ended = run(session, elevate, &command, b"", deadline, &mut |record| {
        collector.record(record)
    })?;
    if let Some(why) = &ended.stopped {
        return Err(FileError::failed(why.clone()).at(root));
    }
    if !ended.is_whole {
        let missing = ended.complaints.contains("No such file");
        let error = FileError {
            kind: if missing {
                FileErrorKind::Missing
            } else {
                FileErrorKind::Failed
            },
            reason: ended.reason("cannot list it"),
        };
        return Err(error.at(root));
    }
    let mut walk = collector.walk;
    if walk.entries.is_empty() {
        return Err(FileError::failed("the host's listing of it is empty").at(root));
    }
    for line in ended
        .complaints
        .lines()
        .filter(|line| line.contains("Permission denied"))
        .take(1000)
    {
        walk.failures
            .push((Vec::new(), FileError::failed(show_path(line.as_bytes()))));
    }
    Ok(walk)
}

/// Collects the records of a tree.
struct Tree {
    root: Vec<u8>,
    limits: WalkLimits,
    walk: Walk,
    /// The entry the next record is the link target of.
    wait: Option<usize>,
    /// Entries whose link target comes later, by their whole path.
    by_path: HashMap<Vec<u8>, usize>,
    seen: usize,
}

impl Tree {
    fn record(&mut self, record: &[u8]) -> Result<(), String> {
        if let Some(target) = record.strip_prefix(b">") {
            if let Some(entry) = self.wait.take().and_then(|i| self.walk.entries.get_mut(i))
                && entry.stat.kind == FileKind::Link
                && !target.is_empty()
            {
                entry.link = Some(target.into());
            }
        } else if let Some(root) = record.strip_prefix(b"R ") {
            self.root = root.to_vec();
        } else if let Some(path) = record.strip_prefix(b"L ") {
            self.wait = self.by_path.get(path).copied();
        } else if let Some((path, stat)) = stat_record(record) {
            self.seen = self.seen.saturating_add(1);
            if self.seen > self.limits.entries.saturating_add(1) {
                return Err(format!("more than {} paths are listed: given up", self.limits.entries));
            }
            let place = self.entry(path, stat);
            if record.starts_with(b"S ") {
                self.wait = place;
            }
        }
        Ok(())
    }

    fn entry(&mut self, path: &[u8], stat: RemoteStat) -> Option<usize> {
        let relative = path.strip_prefix(self.root.as_slice()).map(|rest| match rest {
            b"" => Some(&b""[..]),
            rest if self.root.ends_with(b"/") => Some(rest),
            rest => rest.strip_prefix(b"/"),
        });
        let index = self.walk.entries.len();
        let Some(Some(relative)) = relative else {
            self.fail(path, "the host listed a path that is not in the tree");
            return None;
        };
        if relative.is_empty() != (index == 0) {
            self.fail(path, "the host listed the tree in a wrong order");
            return None;
        }
        if !relative.is_empty() {
            if let Some(why) = relative.split(|b| *b == b'/').find_map(bad_name) {
                self.fail(relative, why);
                return None;
            }
            let depth = relative.split(|b| *b == b'/').count();
            if stat.kind == FileKind::Directory && depth >= self.limits.depth && self.limits.depth > 1 {
                let why = format!("deeper than {} directories: not looked into", self.limits.depth);
                self.fail(relative, &why);
            }
        }
        if stat.kind == FileKind::Link {
            self.by_path.insert(path.to_vec(), index);
        }
        self.walk.entries.push(WalkEntry {
            path: relative.into(),
            stat,
            link: None,
        });
        Some(index)
    }

    fn fail(&mut self, path: &[u8], why: &str) {
        self.walk.failures.push((path.to_vec(), FileError::failed(why)));
    }
}

/// How a run of the manifest ended.
struct Ended {
    /// The first and the last record were there.
    is_whole: bool,
    tool: String,
    complaints: String,
    status: ExitStatus,
    /// Why the records were not taken any more.
    stopped: Option<String>,
}

impl Ended {
    fn reason(&self, what: &str) -> String {
        let said = self.complaints.lines().next().unwrap_or("").trim();
        if !said.is_empty() {
            return format!("{what}: {}", show_path(said.as_bytes()));
        }
        match &self.status {
            ExitStatus::Code(0) => format!("{what}: the host's answer makes no sense"),
            ExitStatus::Code(code) => format!("{what}: its shell ended with code {code}"),
            ExitStatus::Signal(name) => format!("{what}: its shell was ended by signal {name}"),
        }
    }

    fn refusal(&self, what: &str) -> SessionError {
        SessionError::Refused {
            reason: self.reason(what),
        }
    }
}

/// Runs the snippet and hands out its records between the first and the last.
fn run(
    session: &mut dyn Session,
    elevate: Option<&Become>,
    command: &Command,
    stdin: &[u8],
    deadline: &Deadline,
    on_record: &mut dyn FnMut(&[u8]) -> Result<(), String>,
) -> Result<Ended, SessionError> {
    let mut ended = Ended {
        is_whole: false,
        tool: String::new(),
        complaints: String::new(),
        status: ExitStatus::Code(0),
        stopped: None,
    };
    let mut started = false;
    let mut garbage = false;
    let mut last = false;
    let mut splitter = Splitter::default();
    let mut complaints = Vec::new();
    let request = Exec {
        command,
        stdin: Stdin::Bytes(stdin),
        elevate,
        environment: &[],
        must_start: true,
    };
    ended.status = session.exec(request, deadline, &mut |stream, bytes| match stream {
        Stream::Stderr => {
            let room = COMPLAINTS.saturating_sub(complaints.len());
            complaints.extend_from_slice(bytes.get(..bytes.len().min(room)).unwrap_or_default());
        }
        Stream::Stdout => splitter.feed(bytes, &mut |record| {
            if garbage || ended.stopped.is_some() {
            } else if !started {
                match record.strip_prefix(b"batchssh-manifest 1 ") {
                    Some(tool) => ended.tool = String::from_utf8_lossy(tool).into_owned(),
                    None => garbage = true,
                }
                started = true;
            } else if last {
                // Something followed the last record.
                garbage = true;
            } else if record == b"end" {
                last = true;
            } else if let Err(why) = on_record(record) {
                ended.stopped = Some(why);
            }
        }),
    })?;
    ended.complaints = String::from_utf8_lossy(&complaints).into_owned();
    let whole = started && last && !garbage && splitter.is_clean() && ended.stopped.is_none();
    ended.is_whole = whole && ended.status == ExitStatus::Code(0);
    Ok(ended)
}

/// Cuts output into records ended by NUL.
#[derive(Default)]
pub(super) struct Splitter {
    start: Vec<u8>,
    too_long: bool,
}

impl Splitter {
    pub(super) fn feed(&mut self, mut bytes: &[u8], on_record: &mut dyn FnMut(&[u8])) {
        while let Some(end) = bytes.iter().position(|b| *b == 0) {
            let (front, rest) = bytes.split_at(end);
            bytes = rest.get(1..).unwrap_or_default();
            if self.start.is_empty() {
                on_record(front);
            } else {
                self.keep(front);
                let record = std::mem::take(&mut self.start);
                on_record(&record);
            }
        }
        self.keep(bytes);
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.start.len().saturating_add(bytes.len()) > RECORD {
            self.too_long = true;
        } else {
            self.start.extend_from_slice(bytes);
        }
    }

    /// True when every record was ended and none was too long.
    pub(super) fn is_clean(&self) -> bool {
        self.start.is_empty() && !self.too_long
    }
}

/// `S f 644 12 1600000000.5 0 0 PATH` or `s 81a4 12 1600000000 0 0 PATH`.
fn stat_record(record: &[u8]) -> Option<(&[u8], RemoteStat)> {
    let (gnu, rest) = match record.split_at_checked(2)? {
        (b"S ", rest) => (true, rest),
        (b"s ", rest) => (false, rest),
        _ => return None,
    };
    let mut words = rest.splitn(if gnu { 7 } else { 6 }, |b| *b == b' ');
    let mut word = || std::str::from_utf8(words.next()?).ok();
    let (kind, mode) = if gnu {
        let kind = match word()? {
            "f" => FileKind::File,
            "d" => FileKind::Directory,
            "l" => FileKind::Link,
            _ => FileKind::Special,
        };
        (kind, u32::from_str_radix(word()?, 8).ok()?)
    } else {
        let mode = u32::from_str_radix(word()?, 16).ok()?;
        (FileKind::of_mode(mode)?, mode)
    };
    let size = word()?.parse().ok()?;
    let mtime = word()?.split('.').next()?.parse().ok()?;
    let uid = word()?.parse().ok()?;
    let gid = word()?.parse().ok()?;
    let path = words.next()?;
    let mode = mode & 0o7777;
    Some((
        path,
        RemoteStat {
            kind,
            size,
            mode,
            mtime,
            uid,
            gid,
        },
    ))
}

/// `SUM  PATH` or `SUM *PATH`; with `\` in front, `\\`, `\n` and `\r` in the path are escapes (GNU).
fn sum_record(record: &[u8]) -> Option<(Vec<u8>, String)> {
    let (escaped, record) = match record.strip_prefix(b"\\") {
        Some(rest) => (true, rest),
        None => (false, record),
    };
    let space = record.iter().position(|b| *b == b' ')?;
    let (sum, path) = record.split_at_checked(space)?;
    let path = path.get(2..)?;
    if sum.len() < 32 || !sum.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let sum = String::from_utf8_lossy(sum).to_ascii_lowercase();
    if !escaped {
        return Some((path.to_vec(), sum));
    }
    let mut plain = Vec::with_capacity(path.len());
    let mut bytes = path.iter();
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'\\' => match bytes.next()? {
                b'n' => b'\n',
                b'r' => b'\r',
                b'\\' => b'\\',
                _ => return None,
            },
            byte => *byte,
        });
    }
    Some((plain, sum))
}

/// A path as an operand that no tool can take for an option or an operator.
pub(super) fn shell_path(path: &[u8]) -> Vec<u8> {
    if path.starts_with(b"/") {
        return path.to_vec();
    }
    let mut safe = b"./".to_vec();
    safe.extend_from_slice(path);
    safe
}

fn nul_list(names: &[Vec<u8>]) -> Vec<u8> {
    let mut list = Vec::new();
    for name in names {
        list.extend_from_slice(name);
        list.push(0);
    }
    list
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_checksum_line_with_escapes_gives_the_name_as_it_is() {
        let sum = "0123456789abcdef0123456789abcdef";
        let line = format!("\\{sum}  ./a\\\\b\\nc");
        assert_eq!(
            sum_record(line.as_bytes()),
            Some((b"./a\\b\nc".to_vec(), sum.to_owned()))
        );
        let line = format!("{sum} *./a b");
        assert_eq!(sum_record(line.as_bytes()), Some((b"./a b".to_vec(), sum.to_owned())));
        assert_eq!(sum_record(b"short  ./a"), None);
    }

    proptest! {
        #[test]
        fn no_record_panics(record in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = stat_record(&[b"s ", &record[..]].concat());
            let _ = stat_record(&[b"S ", &record[..]].concat());
            let _ = sum_record(&record);
        }

        #[test]
        fn records_are_the_same_however_they_are_cut(
            records in proptest::collection::vec(proptest::collection::vec(1_u8..=255, 0..20), 0..20),
            piece in 1_usize..10,
        ) {
            let whole = nul_list(&records);
            let mut splitter = Splitter::default();
            let mut seen = Vec::new();
            for piece in whole.chunks(piece) {
                splitter.feed(piece, &mut |record| seen.push(record.to_vec()));
            }
            prop_assert_eq!(seen, records);
            prop_assert!(splitter.is_clean());
        }
    }
}
