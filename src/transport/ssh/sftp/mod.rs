//! An own SFTP version 3 client over any [`Duplex`](crate::transport::Duplex): many requests in flight, also across
//! files; raw byte names; bounded listings; atomic replacement. It opens no channel and knows no login.

mod client;
mod download;
#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod fuzz;
mod operations;
mod packet;
mod upload;
mod walk;

#[cfg(test)]
mod tests;

pub use client::{Extensions, SftpClient};

use crate::deadline::Deadline;
use crate::transport::SessionError;
use crate::transport::files::{
    Answers, Download, DownloadSink, FileOp, Files, Progress, RemoteStat, Upload, Walk, WalkLimits,
};

impl Files for SftpClient {
    fn lstat_all(&mut self, paths: &[&[u8]], deadline: &Deadline) -> Answers<Option<RemoteStat>> {
        operations::lstat_all(self, paths, deadline)
    }

    fn stat(&mut self, path: &[u8], deadline: &Deadline) -> Result<Option<RemoteStat>, SessionError> {
        operations::stat(self, path, deadline)
    }

    fn read_links(&mut self, paths: &[&[u8]], deadline: &Deadline) -> Answers<Vec<u8>> {
        operations::read_links(self, paths, deadline)
    }

    fn walk(&mut self, root: &[u8], limits: WalkLimits, deadline: &Deadline) -> Result<Walk, SessionError> {
        walk::walk(self, root, limits, deadline)
    }

    fn apply(&mut self, ops: &[FileOp], deadline: &Deadline) -> Answers<()> {
        operations::apply(self, ops, deadline)
    }

    fn upload(&mut self, files: &[Upload<'_>], progress: Progress<'_>, deadline: &Deadline) -> Answers<()> {
        upload::upload(self, files, progress, deadline)
    }

    fn download(
        &mut self,
        files: &[Download<'_>],
        sink: &mut dyn DownloadSink,
        deadline: &Deadline,
    ) -> Result<(), SessionError> {
        download::download(self, files, sink, deadline)
    }
}

/// So that a session can lend its client.
impl Files for &mut SftpClient {
    fn lstat_all(&mut self, paths: &[&[u8]], deadline: &Deadline) -> Answers<Option<RemoteStat>> {
        (**self).lstat_all(paths, deadline)
    }

    fn stat(&mut self, path: &[u8], deadline: &Deadline) -> Result<Option<RemoteStat>, SessionError> {
        (**self).stat(path, deadline)
    }

    fn read_links(&mut self, paths: &[&[u8]], deadline: &Deadline) -> Answers<Vec<u8>> {
        (**self).read_links(paths, deadline)
    }

    fn walk(&mut self, root: &[u8], limits: WalkLimits, deadline: &Deadline) -> Result<Walk, SessionError> {
        (**self).walk(root, limits, deadline)
    }

    fn apply(&mut self, ops: &[FileOp], deadline: &Deadline) -> Answers<()> {
        (**self).apply(ops, deadline)
    }

    fn upload(&mut self, files: &[Upload<'_>], progress: Progress<'_>, deadline: &Deadline) -> Answers<()> {
        (**self).upload(files, progress, deadline)
    }

    fn download(
        &mut self,
        files: &[Download<'_>],
        sink: &mut dyn DownloadSink,
        deadline: &Deadline,
    ) -> Result<(), SessionError> {
        (**self).download(files, sink, deadline)
    }
}
