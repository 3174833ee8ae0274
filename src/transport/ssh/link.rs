//! The bytes under an SSH connection: a TCP socket, or one end of a socket pair with a proxy behind it. All can be
//! shut down, which ends every call that waits on them.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::bastion::Tunnel;
use super::proxy::ProxyChild;
use crate::deadline::{Deadline, Stop};

/// Longest wait that does not look at the deadline and the user's cancel.
pub(super) const SLICE: Duration = Duration::from_millis(100);

/// An open byte stream to a host's SSH server.
pub(super) struct Link {
    socket: Arc<OwnedFd>,
    /// The address that answered, for people.
    pub(super) peer: String,
    /// A TCP socket: the only kind that knows `TCP_QUICKACK`.
    is_tcp: bool,
    /// What must live as long as the link; dropped after the socket was shut.
    child: Option<ProxyChild>,
    _tunnel: Option<Tunnel>,
}

/// A raw descriptor of a socket somebody shares, as `ssh2` wants it.
pub(super) struct SharedSocket(Arc<OwnedFd>);

impl AsRawFd for SharedSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl Link {
    /// A connected TCP socket.
    pub(super) fn tcp(socket: OwnedFd, peer: String) -> Self {
        Self {
            socket: Arc::new(socket),
            peer,
            is_tcp: true,
            child: None,
            _tunnel: None,
        }
    }

    /// A socket pair with a `ProxyCommand` on its other end.
    pub(super) fn child(socket: OwnedFd, child: ProxyChild) -> Self {
        Self {
            socket: Arc::new(socket),
            peer: "ProxyCommand".to_owned(),
            is_tcp: false,
            child: Some(child),
            _tunnel: None,
        }
    }

    /// A socket pair with a jump host on its other end.
    pub(super) fn tunnel(socket: OwnedFd, tunnel: Tunnel, peer: String) -> Self {
        Self {
            socket: Arc::new(socket),
            peer,
            is_tcp: false,
            child: None,
            _tunnel: Some(tunnel),
        }
    }

    /// The socket.
    pub(super) fn socket(&self) -> &Arc<OwnedFd> {
        &self.socket
    }

    /// The socket for `ssh2::Session::set_tcp_stream`.
    pub(super) fn for_ssh2(&self) -> SharedSocket {
        SharedSocket(self.socket.clone())
    }

    /// Ends both directions at once; nothing waits on this link afterwards.
    pub(super) fn shutdown(&self) {
        let _ = rustix::net::shutdown(&*self.socket, rustix::net::Shutdown::Both);
    }

    /// Acknowledge what comes next at once. Linux forgets it soon, so it is said again before every wait.
    pub(super) fn quick_ack(&self) {
        if self.is_tcp {
            let _ = rustix::net::sockopt::set_tcp_quickack(&*self.socket, true);
        }
    }

    /// What the proxy behind this link wrote to its stderr and how it ended, if there is one.
    pub(super) fn proxy_complaint(&mut self) -> Option<String> {
        self.child.as_mut().and_then(ProxyChild::complaint)
    }

    /// Waits until the socket can be read (and written, with `write`), at most [`SLICE`] or `most`.
    /// Returning early is allowed; the deadline is looked at.
    pub(super) fn wait(&self, write: bool, most: Duration, deadline: &Deadline) -> Result<(), Stop> {
        let nap = deadline.slice(most.min(SLICE))?;
        let mut flags = PollFlags::IN;
        if write {
            flags |= PollFlags::OUT;
        }
        let mut fds = [PollFd::new(&*self.socket, flags)];
        // An interrupted poll is an early return.
        let _ = poll(&mut fds, Some(&timespec(nap)));
        Ok(())
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.shutdown();
    }
}

/// A `poll` time-out; rounded up to a whole millisecond so that nobody spins at the end of a deadline.
pub(super) fn timespec(time: Duration) -> Timespec {
    let time = time.max(Duration::from_millis(1));
    Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(time.subsec_nanos()),
    }
}
