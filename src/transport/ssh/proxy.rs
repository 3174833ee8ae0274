//! `ProxyCommand`: a local command whose stdin and stdout are the connection.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType};

use super::fault::Fault;
use super::link::Link;
use crate::deadline::{CancelToken, Deadline};
use crate::transport::Stage;

/// The command, in a process group of its own; killed when dropped.
pub(super) struct ProxyChild {
    child: Child,
    /// What it says on stderr; a file, so that a talkative command never waits for us.
    said: File,
}

/// Both ends of a socket pair, ours without waiting.
pub(super) fn socket_pair() -> std::io::Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = rustix::net::socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    rustix::io::ioctl_fionbio(&ours, true)?;
    Ok((ours, theirs))
}

/// Starts `command` by `sh` and gives the connection to it.
pub(super) fn start(command: &str) -> Result<Link, Fault> {
    let failed = |error: std::io::Error| {
        Fault::new(
            Stage::Connect,
            format!("cannot start the ProxyCommand `{command}`: {error}"),
        )
    };
    let (ours, theirs) = socket_pair().map_err(failed)?;
    let said = tempfile::tempfile().map_err(failed)?;
    let child = Command::new("/bin/sh")
        .arg("-c")
        .arg(format!("exec {command}"))
        .stdin(Stdio::from(theirs.try_clone().map_err(failed)?))
        .stdout(Stdio::from(theirs))
        .stderr(Stdio::from(said.try_clone().map_err(failed)?))
        .process_group(0)
        .spawn()
        .map_err(failed)?;
    Ok(Link::child(ours, ProxyChild { child, said }))
}

impl ProxyChild {
    /// How it ended and what it said, once it has ended.
    pub(super) fn complaint(&mut self) -> Option<String> {
        // The connection may be closed a moment before the process is gone.
        let pause = Deadline::none(CancelToken::new());
        let mut status = self.child.try_wait().ok()?;
        for _ in 0..20 {
            if status.is_some() || pause.sleep(Duration::from_millis(10)).is_err() {
                break;
            }
            status = self.child.try_wait().ok()?;
        }
        let status = status?;
        let mut text = vec![0; 2048];
        let mut length = 0;
        if self.said.seek(SeekFrom::Start(0)).is_ok() {
            length = self.said.read(&mut text).unwrap_or(0);
        }
        text.truncate(length);
        let text = String::from_utf8_lossy(&text).replace('\n', "; ");
        let text = text.trim_end_matches("; ");
        Some(if text.is_empty() {
            format!("it ended ({status})")
        } else {
            format!("{} ({status})", super::auth::clean(text))
        })
    }
}

impl Drop for ProxyChild {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            if let Some(group) = i32::try_from(self.child.id())
                .ok()
                .and_then(rustix::process::Pid::from_raw)
            {
                let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            }
            // Killed: this does not wait for anything else.
            let _ = self.child.wait();
        }
    }
}
