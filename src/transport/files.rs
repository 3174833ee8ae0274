//! The host's files, whatever protocol reaches them: SFTP ([`super::ssh::sftp`]) or `sh` ([`super::shell_files`]).
//! Names are bytes. The operations take many paths at once, so that a slow line costs a few round trips a tree and
//! not a few a file. An error of one path is a [`FileError`] in its place; a [`SessionError`] ends the whole work.

use std::fmt;
use std::path::Path;

use crate::deadline::Deadline;
use crate::transport::SessionError;

/// What a remote path is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// A FIFO, device, socket: never followed, never opened.
    Special,
}

impl FileKind {
    /// The kind in the `S_IFMT` bits of a mode, when they are there.
    pub fn of_mode(mode: u32) -> Option<Self> {
        Some(match mode & 0o170_000 {
            0 => return None,
            0o100_000 => Self::File,
            0o040_000 => Self::Directory,
            0o120_000 => Self::Link,
            _ => Self::Special,
        })
    }
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "a file",
            Self::Directory => "a directory",
            Self::Link => "a symbolic link",
            Self::Special => "a FIFO, socket or device",
        })
    }
}

/// What the server says about one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteStat {
    /// What it is.
    pub kind: FileKind,
    /// Bytes.
    pub size: u64,
    /// Permission bits.
    pub mode: u32,
    /// Last change, seconds since the epoch.
    pub mtime: i64,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// What sort of failure an operation on one path ended in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileErrorKind {
    /// There is no such path.
    Missing,
    /// The user may not.
    Denied,
    /// The host cannot do this at all.
    Unsupported,
    /// Anything else the host says.
    Failed,
    /// The trouble is on this machine.
    Local,
}

/// Why an operation on one path failed. Its siblings go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct FileError {
    /// The sort of failure.
    pub kind: FileErrorKind,
    /// What was tried and what the host said.
    pub reason: String,
}

impl FileError {
    /// An error of the host without a better name.
    pub fn failed(reason: impl Into<String>) -> Self {
        Self {
            kind: FileErrorKind::Failed,
            reason: reason.into(),
        }
    }

    /// An error of this machine.
    pub fn local(reason: impl Into<String>) -> Self {
        Self {
            kind: FileErrorKind::Local,
            reason: reason.into(),
        }
    }

    /// The same as the error of a whole operation on `path`.
    pub fn at(self, path: &[u8]) -> SessionError {
        match self.kind {
            FileErrorKind::Local => SessionError::Local(self.reason),
            FileErrorKind::Missing | FileErrorKind::Denied | FileErrorKind::Unsupported | FileErrorKind::Failed => {
                SessionError::File {
                    path: show_path(path),
                    reason: self.reason,
                }
            }
        }
    }
}

/// One small change. The changes of one [`Files::apply`] may happen in any order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileOp {
    /// Makes a directory; one that exists is an error.
    MakeDir {
        /// Where.
        path: Vec<u8>,
        /// Permission bits, before the host's umask.
        mode: u32,
    },
    /// Makes a symbolic link; a path that exists is an error.
    Symlink {
        /// What the link says, verbatim.
        target: Vec<u8>,
        /// Where.
        path: Vec<u8>,
    },
    /// Makes a hard link; a path that exists is an error.
    HardLink {
        /// The file.
        from: Vec<u8>,
        /// Its new name.
        to: Vec<u8>,
    },
    /// Sets permission bits and time of last change.
    SetAttributes {
        /// Where.
        path: Vec<u8>,
        /// Permission bits.
        mode: Option<u32>,
        /// Seconds since the epoch.
        mtime: Option<i64>,
        /// Follow a symbolic link. Without it `mode` must be `None`.
        follow: bool,
    },
    /// Renames, replacing a file or link at `to` in one step, or failing with `to` unchanged.
    Rename {
        /// The old name.
        from: Vec<u8>,
        /// The new name, in the same file system.
        to: Vec<u8>,
    },
    /// Removes a file or link.
    RemoveFile {
        /// Which.
        path: Vec<u8>,
    },
    /// Removes an empty directory.
    RemoveDir {
        /// Which.
        path: Vec<u8>,
    },
}

impl FileOp {
    /// The path it is about.
    pub fn path(&self) -> &[u8] {
        match self {
            Self::MakeDir { path, .. }
            | Self::Symlink { path, .. }
            | Self::SetAttributes { path, .. }
            | Self::RemoveFile { path }
            | Self::RemoveDir { path }
            | Self::HardLink { to: path, .. }
            | Self::Rename { to: path, .. } => path,
        }
    }
}

/// Where the bytes of an upload are.
#[derive(Clone, Copy, Debug)]
pub enum Content<'a> {
    /// In a local file, read while it is sent.
    Path(&'a Path),
    /// In memory.
    Bytes(&'a [u8]),
}

/// One file to upload: written to a temporary name beside the target, checked, then renamed over it.
#[derive(Clone, Debug)]
pub struct Upload<'a> {
    /// The bytes.
    pub content: Content<'a>,
    /// How many they are. A local file of another size is an error: it changed.
    pub size: u64,
    /// The remote path, which is replaced in one step.
    pub target: &'a [u8],
    /// Its permission bits.
    pub mode: u32,
    /// Its time of last change; `None`: now.
    pub mtime: Option<i64>,
    /// Owner and group to keep from the file it replaces, where the user may give files away.
    pub owner: Option<(u32, u32)>,
    /// Have the host write it to its disk before the rename, where it can.
    pub sync: bool,
}

/// One file to download.
#[derive(Clone, Debug)]
pub struct Download<'a> {
    /// The remote path.
    pub path: &'a [u8],
    /// Its size as last seen; 0 may mean that the host does not know (`/proc`).
    pub size: u64,
    /// More bytes than this are an error.
    pub limit: u64,
}

/// Takes what [`Files::download`] brings. `index` counts the files of the call.
pub trait DownloadSink {
    /// A piece of file `index`. Pieces may come in any order; together they cover the file without overlap.
    /// An error ends that file.
    fn write(&mut self, index: usize, offset: u64, bytes: &[u8]) -> Result<(), FileError>;

    /// File `index` is complete with so many bytes, or failed. Called once for each file.
    fn finish(&mut self, index: usize, result: Result<u64, FileError>);
}

/// How far [`Files::walk`] goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalkLimits {
    /// Directories inside directories; 0 is the root alone.
    pub depth: usize,
    /// Paths in all. More are an error of the whole walk: a listing that never ends.
    pub entries: usize,
}

impl Default for WalkLimits {
    fn default() -> Self {
        Self {
            depth: 64,
            entries: 1_000_000,
        }
    }
}

/// One path below the root of a walk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalkEntry {
    /// Relative to the root, `/` between its checked names; empty: the root itself.
    pub path: Box<[u8]>,
    /// What it is, links not followed (but for the root).
    pub stat: RemoteStat,
    /// What a symbolic link says.
    pub link: Option<Box<[u8]>>,
}

/// A remote tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Walk {
    /// The root first, every directory before what is in it.
    pub entries: Vec<WalkEntry>,
    /// Paths (relative, as the server gave them) that were left out, and why.
    pub failures: Vec<(Vec<u8>, FileError)>,
}

/// Called with the number of bytes moved since the last call.
pub type Progress<'a> = &'a mut dyn FnMut(u64);

/// The answers to an operation on many paths, in the order of the paths.
pub type Answers<T> = Result<Vec<Result<T, FileError>>, SessionError>;

/// A host's files.
pub trait Files {
    /// What each path is, links not followed. `None`: there is no such path.
    fn lstat_all(&mut self, paths: &[&[u8]], deadline: &Deadline) -> Answers<Option<RemoteStat>>;

    /// What `path` is, links followed. `None`: there is no such path, or a link leads nowhere.
    fn stat(&mut self, path: &[u8], deadline: &Deadline) -> Result<Option<RemoteStat>, SessionError>;

    /// What each symbolic link says.
    fn read_links(&mut self, paths: &[&[u8]], deadline: &Deadline) -> Answers<Vec<u8>>;

    /// Everything below `root`, links not followed but for `root` itself. A missing root is an error.
    fn walk(&mut self, root: &[u8], limits: WalkLimits, deadline: &Deadline) -> Result<Walk, SessionError>;

    /// Makes small changes, in any order.
    fn apply(&mut self, ops: &[FileOp], deadline: &Deadline) -> Answers<()>;

    /// Uploads files, each replaced in one step or left as it was. When the connection is lost on the way it is
    /// [`SessionError::InDoubt`].
    fn upload(&mut self, files: &[Upload<'_>], progress: Progress<'_>, deadline: &Deadline) -> Answers<()>;

    /// Downloads files into `sink`.
    fn download(
        &mut self,
        files: &[Download<'_>],
        sink: &mut dyn DownloadSink,
        deadline: &Deadline,
    ) -> Result<(), SessionError>;

    /// What `path` is, links not followed. `None`: there is no such path.
    fn lstat(&mut self, path: &[u8], deadline: &Deadline) -> Result<Option<RemoteStat>, SessionError> {
        match self.lstat_all(&[path], deadline)?.pop() {
            Some(answer) => answer.map_err(|e| e.at(path)),
            None => Err(no_answer(path)),
        }
    }

    /// What is in the directory `path`: names (checked) and what they are.
    fn list(
        &mut self,
        path: &[u8],
        entries: usize,
        deadline: &Deadline,
    ) -> Result<Vec<(Vec<u8>, RemoteStat)>, SessionError> {
        let walk = self.walk(path, WalkLimits { depth: 1, entries }, deadline)?;
        if let Some((name, error)) = walk.failures.into_iter().next() {
            return Err(error.at(&join(path, &name)));
        }
        if walk
            .entries
            .first()
            .is_some_and(|root| root.stat.kind != FileKind::Directory)
        {
            return Err(FileError::failed("not a directory").at(path));
        }
        let below = walk.entries.into_iter().skip(1);
        Ok(below.map(|entry| (entry.path.into_vec(), entry.stat)).collect())
    }

    /// One small change.
    fn apply_one(&mut self, op: FileOp, deadline: &Deadline) -> Result<(), SessionError> {
        let path = op.path().to_vec();
        match self.apply(&[op], deadline)?.pop() {
            Some(answer) => answer.map_err(|e| e.at(&path)),
            None => Err(no_answer(&path)),
        }
    }

    /// Uploads one file.
    fn upload_one(&mut self, file: Upload<'_>, deadline: &Deadline) -> Result<(), SessionError> {
        let path = file.target.to_vec();
        match self.upload(&[file], &mut |_| {}, deadline)?.pop() {
            Some(answer) => answer.map_err(|e| e.at(&path)),
            None => Err(no_answer(&path)),
        }
    }

    /// The content of one file, at most `limit` bytes. `None`: there is no such file.
    fn read(&mut self, path: &[u8], limit: usize, deadline: &Deadline) -> Result<Option<Vec<u8>>, SessionError> {
        let Some(stat) = self.stat(path, deadline)? else {
            return Ok(None);
        };
        if stat.kind != FileKind::File {
            return Err(FileError::failed(format!("{} where a file is expected", stat.kind)).at(path));
        }
        let mut memory = Memory {
            bytes: Vec::new(),
            limit,
            result: None,
        };
        let file = Download {
            path,
            size: stat.size,
            limit: limit as u64,
        };
        self.download(&[file], &mut memory, deadline)?;
        match memory.result {
            Some(Ok(size)) if size == memory.bytes.len() as u64 => Ok(Some(memory.bytes)),
            Some(Err(error)) if error.kind == FileErrorKind::Missing => Ok(None),
            Some(Err(error)) => Err(error.at(path)),
            Some(Ok(_)) | None => Err(no_answer(path)),
        }
    }
}

/// Collects one file in memory.
struct Memory {
    bytes: Vec<u8>,
    limit: usize,
    result: Option<Result<u64, FileError>>,
}

impl DownloadSink for Memory {
    fn write(&mut self, _index: usize, offset: u64, bytes: &[u8]) -> Result<(), FileError> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let to = from.saturating_add(bytes.len());
        if to > self.limit {
            return Err(FileError::failed(format!("larger than {} bytes", self.limit)));
        }
        if self.bytes.len() < to {
            self.bytes.resize(to, 0);
        }
        if let Some(place) = self.bytes.get_mut(from..to) {
            place.copy_from_slice(bytes);
        }
        Ok(())
    }

    fn finish(&mut self, _index: usize, result: Result<u64, FileError>) {
        self.result = Some(result);
    }
}

fn no_answer(path: &[u8]) -> SessionError {
    FileError::failed("the host did not say what became of it").at(path)
}

/// A path for people: bytes that are not UTF-8 and control characters are escaped.
pub fn show_path(path: &[u8]) -> String {
    let mut out = String::new();
    for chunk in path.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() {
                out.extend(c.escape_default());
            } else {
                out.push(c);
            }
        }
        for byte in chunk.invalid() {
            out.push_str("\\x");
            out.push_str(&crate::transport::manifest::hex(&[*byte]));
        }
    }
    out
}

/// `dir/name`; an empty `dir` or `name` adds nothing.
pub fn join(dir: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = dir.to_vec();
    if !dir.is_empty() && !name.is_empty() && !dir.ends_with(b"/") {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}

/// The directory a path is in: `.` for a bare name, `/` for what is in the root.
pub fn parent(path: &[u8]) -> &[u8] {
    let end = path
        .iter()
        .rposition(|b| *b != b'/')
        .map_or(0, |last| last.saturating_add(1));
    let path = path.get(..end).unwrap_or(path);
    match path.iter().rposition(|b| *b == b'/') {
        None if path.is_empty() => b"/",
        None => b".",
        Some(slash) => {
            let dir = path.get(..slash).unwrap_or(b"");
            let end = dir
                .iter()
                .rposition(|b| *b != b'/')
                .map_or(0, |last| last.saturating_add(1));
            match dir.get(..end) {
                None | Some(b"") => b"/",
                Some(dir) => dir,
            }
        }
    }
}

/// Why a name in a server's listing cannot be the name of one file, if so.
pub fn bad_name(name: &[u8]) -> Option<&'static str> {
    match name {
        b"" => Some("the server listed an empty name"),
        b"." | b".." => Some("the server listed `.` or `..` as a file"),
        _ if name.contains(&b'/') => Some("the server listed a name with `/` in it"),
        _ if name.contains(&0) => Some("the server listed a name with a NUL byte in it"),
        _ if name.len() > 4096 => Some("the server listed a name of more than 4096 bytes"),
        _ => None,
    }
}

/// A temporary name in the directory of `target` that nobody can guess.
pub fn temporary_beside(target: &[u8]) -> Result<Vec<u8>, FileError> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|e| FileError::local(format!("no random bytes for a file name: {e}")))?;
    let name = format!(".batchssh-{:016x}.tmp", u64::from_ne_bytes(random));
    Ok(match parent(target) {
        b"." if !target.starts_with(b".") => name.into_bytes(),
        dir => join(dir, name.as_bytes()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r21_a_temporary_file_is_in_the_directory_of_its_target() {
        for (target, dir) in [
            (&b"/etc/motd"[..], &b"/etc/.batchssh-"[..]),
            (b"/motd", b"/.batchssh-"),
            (b"motd", b".batchssh-"),
            (b"./motd", b"./.batchssh-"),
            (b"a//b//", b"a/.batchssh-"),
        ] {
            let name = temporary_beside(target).unwrap();
            assert!(name.starts_with(dir), "{}", show_path(&name));
            assert_eq!(name.len(), dir.len() + 16 + 4);
        }
    }

    #[test]
    fn a_name_that_could_lead_elsewhere_is_bad() {
        for bad in [&b""[..], b".", b"..", b"../x", b"/tmp/x", b"a/b", b"trailing/", b"a\0b"] {
            assert!(bad_name(bad).is_some(), "{}", show_path(bad));
        }
        for good in [&b"a"[..], b"...", b"-rf", b"a\nb", b"\xff", b"~root", b"a\\..\\b"] {
            assert_eq!(bad_name(good), None);
        }
    }

    #[test]
    fn a_path_for_people_cannot_drive_the_terminal() {
        assert_eq!(show_path(b"a\x1b[0m\xff\n"), "a\\u{1b}[0m\\xff\\n");
    }
}
