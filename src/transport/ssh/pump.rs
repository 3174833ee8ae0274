//! The thread behind a jump host: opens channels, and moves bytes between them and the socket pairs of the hosts'
//! sessions. The only one that touches the jump host's session.

use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};

use super::bastion::Signals;
use super::channel::{Channel, Open, Trouble};
use super::link::{Link, timespec};

const BUFFER: usize = 64 * 1024;

/// A channel somebody wants.
pub(super) struct Request {
    pub(super) host: CString,
    pub(super) port: u16,
    /// Our end of the socket pair.
    pub(super) socket: OwnedFd,
    pub(super) reply: mpsc::SyncSender<Result<(), Trouble>>,
}

/// One open channel and its socket.
struct Pipe {
    channel: Channel,
    socket: OwnedFd,
    to_host: Vec<u8>,
    to_us: Vec<u8>,
    /// libssh2 holds a part of a packet of this channel: it must be offered again before anything else can leave.
    half_sent: bool,
    /// The host's session is over.
    left: bool,
    /// The host closed.
    ended: bool,
}

pub(super) struct Pump {
    session: ssh2::Session,
    link: Link,
    requests: mpsc::Receiver<Request>,
    signals: Arc<Signals>,
    opening: Option<Request>,
    pipes: Vec<Pipe>,
    /// Channels that are being closed.
    closing: Vec<Channel>,
    buffer: Vec<u8>,
}

impl Pump {
    pub(super) fn new(
        session: ssh2::Session,
        link: Link,
        requests: mpsc::Receiver<Request>,
        signals: Arc<Signals>,
    ) -> Self {
        Self {
            session,
            link,
            requests,
            signals,
            opening: None,
            pipes: Vec::new(),
            closing: Vec::new(),
            buffer: vec![0; BUFFER],
        }
    }

    /// Works until the line is dropped or the connection is gone.
    pub(super) fn run(mut self) {
        loop {
            if self.signals.stop.load(Ordering::Acquire) {
                break;
            }
            match self.turn() {
                Ok(true) => {}
                Ok(false) => {
                    let spent = self.signals.unusable.load(Ordering::Acquire);
                    if spent && self.pipes.is_empty() {
                        break;
                    }
                    self.wait();
                }
                Err(_) => break,
            }
        }
        self.signals.unusable.store(true, Ordering::Release);
        // The socket first, or freeing the channels would wait for the peer.
        self.link.shutdown();
    }

    /// One look at everything; true when something moved.
    fn turn(&mut self) -> Result<bool, Trouble> {
        let mut moved = self.open_next()?;
        let mut index = 0;
        while index < self.pipes.len() {
            let Some(pipe) = self.pipes.get_mut(index) else { break };
            moved |= pipe.turn(&self.session, &mut self.buffer)?;
            if pipe.is_over() {
                let pipe = self.pipes.swap_remove(index);
                self.closing.push(pipe.channel);
                moved = true;
            } else {
                index = index.saturating_add(1);
            }
        }
        let closing = std::mem::take(&mut self.closing);
        self.closing = closing
            .into_iter()
            .filter_map(|channel| channel.try_free().err())
            .collect();
        Ok(moved)
    }

    fn open_next(&mut self) -> Result<bool, Trouble> {
        if self.opening.is_none() {
            self.opening = self.requests.try_recv().ok();
        }
        let Some(request) = &self.opening else { return Ok(false) };
        self.link.quick_ack();
        let kind = Open::DirectTcpip {
            host: &request.host,
            port: request.port,
        };
        let opened = match Channel::open(&self.session, kind) {
            Ok(None) => return Ok(false),
            Ok(Some(channel)) => Ok(channel),
            Err(trouble) if trouble.is_refusal() => Err(trouble),
            Err(trouble) => return Err(trouble),
        };
        let Some(request) = self.opening.take() else {
            return Ok(true);
        };
        match opened {
            Ok(channel) => {
                // Who asked may have given up.
                let _ = rustix::io::ioctl_fionbio(&request.socket, true);
                if request.reply.send(Ok(())).is_ok() {
                    self.pipes.push(Pipe::new(channel, request.socket));
                } else {
                    self.closing.push(channel);
                }
            }
            Err(trouble) => {
                let _ = request.reply.send(Err(trouble));
            }
        }
        Ok(true)
    }

    fn wait(&self) {
        let pending = matches!(
            self.session.block_directions(),
            ssh2::BlockDirections::Outbound | ssh2::BlockDirections::Both
        );
        let sending = pending && (!self.closing.is_empty() || self.pipes.iter().any(|pipe| pipe.half_sent));
        let to_jump_host = if sending {
            PollFlags::IN | PollFlags::OUT
        } else {
            PollFlags::IN
        };
        let mut fds = vec![
            PollFd::new(&**self.link.socket(), to_jump_host),
            PollFd::new(&self.signals.wake, PollFlags::IN),
        ];
        for pipe in &self.pipes {
            let mut flags = PollFlags::empty();
            if pipe.to_host.is_empty() && !pipe.left {
                flags |= PollFlags::IN;
            }
            if !pipe.to_us.is_empty() {
                flags |= PollFlags::OUT;
            }
            if !flags.is_empty() {
                fds.push(PollFd::new(&pipe.socket, flags));
            }
        }
        let _ = poll(&mut fds, Some(&timespec(Duration::from_millis(500))));
        let mut count = [0u8; 8];
        let _ = rustix::io::read(&self.signals.wake, &mut count);
    }
}

impl Pipe {
    fn new(channel: Channel, socket: OwnedFd) -> Self {
        Self {
            channel,
            socket,
            to_host: Vec::new(),
            to_us: Vec::new(),
            half_sent: false,
            left: false,
            ended: false,
        }
    }

    fn is_over(&self) -> bool {
        !self.half_sent && (self.left || (self.ended && self.to_us.is_empty()))
    }

    fn turn(&mut self, session: &ssh2::Session, buffer: &mut [u8]) -> Result<bool, Trouble> {
        let mut moved = false;
        if self.to_host.is_empty() && !self.left {
            match rustix::io::read(&self.socket, &mut *buffer) {
                Ok(0) => self.left = true,
                Ok(count) => {
                    self.to_host.extend_from_slice(buffer.get(..count).unwrap_or_default());
                    moved = true;
                }
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
                Err(_) => self.left = true,
            }
        }
        if !self.to_host.is_empty() {
            match self.channel.write(&self.to_host) {
                Ok(Some(sent)) => {
                    self.half_sent = false;
                    self.to_host.drain(..sent.min(self.to_host.len()));
                    moved |= sent > 0;
                }
                Ok(None) => {
                    self.half_sent = matches!(
                        session.block_directions(),
                        ssh2::BlockDirections::Outbound | ssh2::BlockDirections::Both
                    );
                }
                Err(trouble) if is_own(&trouble) => {
                    self.half_sent = false;
                    self.ended = true;
                    self.to_host.clear();
                }
                Err(trouble) => return Err(trouble),
            }
        }
        if self.to_us.is_empty() && !self.ended {
            match self.channel.read(0, buffer) {
                Ok(Some(0)) => self.ended = self.channel.is_eof(),
                Ok(Some(count)) => {
                    self.to_us.extend_from_slice(buffer.get(..count).unwrap_or_default());
                    moved = true;
                }
                Ok(None) => {}
                Err(trouble) if is_own(&trouble) => self.ended = true,
                Err(trouble) => return Err(trouble),
            }
        }
        if !self.to_us.is_empty() {
            match rustix::net::send(&self.socket, &self.to_us, rustix::net::SendFlags::NOSIGNAL) {
                Ok(count) => {
                    self.to_us.drain(..count.min(self.to_us.len()));
                    moved |= count > 0;
                }
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
                Err(_) => {
                    self.left = true;
                    self.to_us.clear();
                }
            }
        }
        Ok(moved)
    }
}

/// True when only this channel is meant, not the connection.
fn is_own(trouble: &Trouble) -> bool {
    matches!(
        trouble.code,
        libssh2_sys::LIBSSH2_ERROR_CHANNEL_CLOSED | libssh2_sys::LIBSSH2_ERROR_CHANNEL_EOF_SENT
    ) || trouble.is_refusal()
}
