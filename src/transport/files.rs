//! The host's files, whatever protocol reaches them. Names are bytes.

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

/// A host's files. The room `ssh::sftp` has the SFTP client and the fallback by `sh`.
pub trait Files {
    /// What `path` is, links not followed. `None`: there is no such path.
    fn lstat(&mut self, path: &[u8], deadline: &Deadline) -> Result<Option<RemoteStat>, SessionError>;
}
