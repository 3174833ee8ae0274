//! Small operations on many paths, with many requests in flight.

use crate::deadline::Deadline;
use crate::transport::SessionError;
use crate::transport::files::{Answers, FileError, FileErrorKind, FileOp, RemoteStat, show_path};
use crate::transport::ssh::sftp::client::{SftpClient, expect_attributes, expect_status, wrong_type};
use crate::transport::ssh::sftp::packet::{Attributes, Response, kind};

pub(super) fn lstat_all(client: &mut SftpClient, paths: &[&[u8]], deadline: &Deadline) -> Answers<Option<RemoteStat>> {
    client.batch(
        paths.len(),
        deadline,
        |client, i| Ok(client.request(kind::LSTAT, |w| w.string(at(paths, i)))),
        |_, response| remote_stat(expect_attributes("lstat", &response)?),
    )
}

pub(super) fn stat(
    client: &mut SftpClient,
    path: &[u8],
    deadline: &Deadline,
) -> Result<Option<RemoteStat>, SessionError> {
    let answer = client.call(
        kind::STAT,
        |w| w.string(path),
        deadline,
        |response| remote_stat(expect_attributes("stat", &response)?),
    )?;
    answer.map_err(|e| e.at(path))
}

/// A missing type is an error: nothing may be done with a path without knowing what it is.
fn remote_stat(attributes: Option<Attributes>) -> Result<Option<RemoteStat>, FileError> {
    match attributes {
        None => Ok(None),
        Some(attributes) => match attributes.stat() {
            Some(stat) => Ok(Some(stat)),
            None => Err(FileError::failed("the SFTP server does not say what it is")),
        },
    }
}

pub(super) fn read_links(client: &mut SftpClient, paths: &[&[u8]], deadline: &Deadline) -> Answers<Vec<u8>> {
    client.batch(
        paths.len(),
        deadline,
        |client, i| Ok(client.request(kind::READLINK, |w| w.string(at(paths, i)))),
        |_, response| link_target(&response),
    )
}

/// What a symbolic link says, from the answer to a readlink request.
pub(super) fn link_target(response: &Response<'_>) -> Result<Vec<u8>, FileError> {
    match response {
        Response::Names(names) => match names.as_slice() {
            [(target, _)] if !target.is_empty() && !target.contains(&0) => Ok(target.to_vec()),
            _ => Err(FileError::failed("read link: the SFTP server's answer makes no sense")),
        },
        other => match expect_status("read link", other) {
            Err(error) => Err(error),
            Ok(()) => Err(wrong_type("read link")),
        },
    }
}

pub(super) fn apply(client: &mut SftpClient, ops: &[FileOp], deadline: &Deadline) -> Answers<()> {
    let answers = client.batch(
        ops.len(),
        deadline,
        |client, i| match ops.get(i) {
            Some(op) => ask(client, op),
            None => Err(Err(FileError::failed("no such operation"))),
        },
        |i, response| expect_status(ops.get(i).map_or("", what), &response),
    );
    // Of a lost connection nobody knows what was done.
    answers.map_err(|error| super::upload::in_doubt_when_lost(error, "while files were changed"))
}

fn what(op: &FileOp) -> &'static str {
    match op {
        FileOp::MakeDir { .. } => "make directory",
        FileOp::Symlink { .. } => "make symbolic link",
        FileOp::HardLink { .. } => "make hard link",
        FileOp::SetAttributes { .. } => "set mode or time",
        FileOp::Rename { .. } => "rename",
        FileOp::RemoveFile { .. } => "remove",
        FileOp::RemoveDir { .. } => "remove directory",
    }
}

fn ask(client: &mut SftpClient, op: &FileOp) -> Result<u32, Result<(), FileError>> {
    let extensions = client.extensions();
    Ok(match op {
        FileOp::MakeDir { path, mode } => client.request(kind::MKDIR, |w| {
            w.string(path).attributes(&Attributes {
                mode: Some(*mode),
                ..Attributes::default()
            })
        }),
        // The protocol says link first; OpenSSH and those who follow it take the target first.
        FileOp::Symlink { target, path } => client.request(kind::SYMLINK, |w| w.string(target).string(path)),
        FileOp::HardLink { from, to } if extensions.hardlink => client.request(kind::EXTENDED, |w| {
            w.string(b"hardlink@openssh.com").string(from).string(to)
        }),
        FileOp::HardLink { .. } => return Err(Err(unsupported("hard links"))),
        FileOp::SetAttributes {
            path,
            mode,
            mtime,
            follow,
        } => {
            let attributes = Attributes {
                mode: *mode,
                times: mtime.map(protocol_times).transpose().map_err(Err)?,
                ..Attributes::default()
            };
            if *follow {
                client.request(kind::SETSTAT, |w| w.string(path).attributes(&attributes))
            } else if extensions.lsetstat {
                client.request(kind::EXTENDED, |w| {
                    w.string(b"lsetstat@openssh.com").string(path).attributes(&attributes)
                })
            } else {
                return Err(Err(unsupported("setting the time of a symbolic link")));
            }
        }
        FileOp::Rename { from, to } => rename(client, from, to),
        FileOp::RemoveFile { path } => client.request(kind::REMOVE, |w| w.string(path)),
        FileOp::RemoveDir { path } => client.request(kind::RMDIR, |w| w.string(path)),
    })
}

/// Asks for a rename that replaces, when the server has one. The plain rename never replaces: it fails and both
/// files stay as they were.
pub(super) fn rename(client: &mut SftpClient, from: &[u8], to: &[u8]) -> u32 {
    if client.extensions().posix_rename {
        client.request(kind::EXTENDED, |w| {
            w.string(b"posix-rename@openssh.com").string(from).string(to)
        })
    } else {
        client.request(kind::RENAME, |w| w.string(from).string(to))
    }
}

/// The protocol's times are 32 bits without sign.
pub(super) fn protocol_times(mtime: i64) -> Result<(u32, u32), FileError> {
    let mtime = u32::try_from(mtime).map_err(|_| {
        FileError::local(format!(
            "the time of change {mtime} is outside 1970 to 2106: SFTP cannot say it"
        ))
    })?;
    Ok((mtime, mtime))
}

fn unsupported(what: &str) -> FileError {
    FileError {
        kind: FileErrorKind::Unsupported,
        reason: format!("the SFTP server does not offer {what}"),
    }
}

fn at<'a>(paths: &[&'a [u8]], index: usize) -> &'a [u8] {
    paths.get(index).copied().unwrap_or_default()
}

/// A path in a message.
pub(super) fn quoted(path: &[u8]) -> String {
    format!("`{}`", show_path(path))
}
