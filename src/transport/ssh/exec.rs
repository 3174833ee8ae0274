//! Running one command on a channel: both outputs drained while the input is sent, a verdict only from what the host
//! said, and an end at the deadline whatever the host does.

use std::time::{Duration, Instant};

use super::channel::{Attempt, Channel, Open, Trouble};
use super::link::Link;
use crate::deadline::{CancelToken, Deadline, Stop};
use crate::names::Stream;
use crate::shell::elevate::{Become, kill_groups};
use crate::transport::conversation::Conversation;
use crate::transport::feed::Feed;
use crate::transport::{Exec, ExitStatus, OnOutput, SessionError, Stdin};

/// What the host may send of one command's output ahead of our reading.
const WINDOW: u32 = 512 * 1024;
const BUFFER: usize = 32 * 1024;
/// Reads of one stream in a row before the other one, the input and the deadline get their turn.
const BURST: usize = 8;
/// A command that ended while something it started keeps its output open: how long silence is waited out.
const LINGER: Duration = Duration::from_secs(2);
/// The same when the output is complete and only the close is missing.
const LINGER_AT_END: Duration = Duration::from_millis(250);

/// What a command runs on.
pub(super) struct Wire<'a> {
    pub(super) session: &'a ssh2::Session,
    pub(super) link: &'a Link,
}

/// How a run on the wire ended when it did not end well.
pub(super) struct Failed {
    pub(super) error: SessionError,
    /// The connection cannot be used any more.
    pub(super) broken: bool,
    /// A channel that is still open on our side, with input half sent: it must be served before others can send.
    pub(super) rest: Option<Channel>,
    /// The host may have started the command.
    pub(super) started: bool,
}

impl Failed {
    fn plain(error: SessionError) -> Self {
        Self {
            error,
            broken: false,
            rest: None,
            started: true,
        }
    }

    /// The same for a command: one that was asked for over a connection that was then lost may run.
    fn unheard(mut self) -> Self {
        if let SessionError::Lost { reason } = &self.error
            && self.started
        {
            let reason = format!("the connection was lost before the host said whether it runs the command: {reason}");
            self.error = SessionError::InDoubt { reason };
        }
        self
    }
}

/// Longest time after the deadline for killing what was started.
pub(super) fn kill_limit(stop: &Stop) -> Duration {
    match stop {
        Stop::TimedOut { limit, .. } => limit
            .checked_div(10)
            .unwrap_or_default()
            .clamp(Duration::from_millis(500), Duration::from_secs(1)),
        Stop::Cancelled => Duration::from_secs(1),
    }
}

impl Wire<'_> {
    /// Calls `attempt` until it is done, waiting for the socket in between.
    pub(super) fn until<T>(&self, deadline: &Deadline, mut attempt: impl FnMut() -> Attempt<T>) -> Result<T, Halt> {
        loop {
            if let Some(done) = attempt()? {
                return Ok(done);
            }
            self.link.wait(self.wants_to_write(), super::link::SLICE, deadline)?;
        }
    }

    /// True when libssh2 holds a packet the socket did not take yet.
    pub(super) fn wants_to_write(&self) -> bool {
        matches!(
            self.session.block_directions(),
            ssh2::BlockDirections::Outbound | ssh2::BlockDirections::Both
        )
    }

    /// Opens a session channel.
    pub(super) fn open(&self, window: u32, deadline: &Deadline) -> Result<Channel, Failed> {
        self.until(deadline, || {
            // Said before each wait: the server's answer is acknowledged at once, and its Nagle lets go 40 ms earlier.
            self.link.quick_ack();
            Channel::open(self.session, Open::Session { window })
        })
        .map_err(|halt| match halt {
            Halt::Trouble(trouble) if trouble.is_refusal() => Failed::plain(SessionError::Refused {
                reason: format!("the server refuses another channel: {}", trouble.text),
            }),
            halt => halt.before_start(),
        })
    }

    /// Opens a channel and asks for a command or a subsystem on it; returns once the server agreed.
    pub(super) fn start(
        &self,
        window: u32,
        request: &std::ffi::CStr,
        what: &[u8],
        deadline: &Deadline,
    ) -> Result<Channel, Failed> {
        let channel = self.open(window, deadline)?;
        let mut waited = false;
        let started = self.until(deadline, || {
            let answer = channel.start(request, what);
            waited |= matches!(answer, Ok(None));
            answer
        });
        match started {
            Ok(()) => Ok(channel),
            Err(Halt::Trouble(trouble)) if trouble.is_refusal() => Err(Failed::plain(SessionError::Refused {
                reason: format!(
                    "the server refuses the {} request: {}",
                    request.to_string_lossy(),
                    trouble.text
                ),
            })),
            Err(Halt::Trouble(trouble)) if !waited && trouble.never_left() => Err(Halt::from(trouble).before_start()),
            // The request left, and nobody knows whether the host acts on it.
            Err(halt) => Err(Failed {
                started: true,
                ..halt.before_start()
            }),
        }
    }

    /// Runs `request` to its end, or to the deadline; does not kill.
    pub(super) fn run(
        &self,
        talk: &mut Conversation,
        stdin: Stdin<'_>,
        deadline: &Deadline,
        on_output: OnOutput<'_>,
    ) -> Result<ExitStatus, Failed> {
        let channel = self
            .start(WINDOW, c"exec", talk.script(), deadline)
            .map_err(Failed::unheard)?;
        let mut run = Run {
            wire: self,
            channel: &channel,
            feed: Feed::new(stdin),
            password: None,
            input: Input::Waiting,
            buffer: vec![0; BUFFER],
            ended: None,
        };
        match run.drive(talk, deadline, on_output) {
            Ok(status) => {
                // What cannot be freed without waiting is freed with the session.
                drop(channel);
                talk.finish(status, on_output).map_err(Failed::plain)
            }
            Err(mut failed) => {
                let half_sent = run.finish_packet(&failed);
                failed.broken |= half_sent;
                talk.flush(on_output);
                failed.rest = channel.try_free().err();
                Err(failed)
            }
        }
    }

    /// Kills the process groups of `pids`; `Some` says why they may still be running.
    pub(super) fn kill(&self, pids: &[u32], elevate: Option<&Become>, limit: Duration) -> Option<String> {
        let maybe = |why: &str| Some(format!("the command may still be running on the host: {why}"));
        if pids.is_empty() {
            return maybe("it did not tell its process id");
        }
        // The run's own deadline and cancel are over already: this one has its own.
        let deadline = Deadline::none(CancelToken::new()).within("kill", limit);
        let command = kill_groups(pids);
        let mut request = Exec::new(&command);
        request.elevate = elevate;
        let mut said = Vec::new();
        let mut collect = |stream: Stream, bytes: &[u8]| {
            if stream == Stream::Stdout && said.len() < 1024 {
                said.extend_from_slice(bytes);
            }
        };
        let result = Conversation::new(&request)
            .map_err(Failed::plain)
            .and_then(|mut talk| self.run(&mut talk, Stdin::Empty, &deadline, &mut collect));
        match result {
            Ok(_) => match String::from_utf8_lossy(&said).trim() {
                "killed" | "gone" => None,
                "alive" => maybe("this login may not kill it"),
                _ => maybe("the kill was not confirmed"),
            },
            // Not elevated, root's login at least can; and a plain user's own part is killed.
            Err(_) if elevate.is_some() && deadline.remaining().is_ok() => {
                self.kill(pids, None, limit.checked_div(2).unwrap_or(limit))
            }
            Err(failed) => match failed.error {
                SessionError::Stopped { .. } => maybe("the host did not answer the kill in time"),
                error => maybe(&error.to_string()),
            },
        }
    }
}

/// Why a wait on the wire ended.
pub(super) enum Halt {
    Trouble(Trouble),
    Stop(Stop),
}

impl From<Trouble> for Halt {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl From<Stop> for Halt {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

impl Halt {
    /// Nothing was started: lost, or stopped with a half-made channel that spoils the session.
    fn before_start(self) -> Failed {
        let error = match self {
            Self::Trouble(trouble) => SessionError::Lost { reason: trouble.text },
            Self::Stop(stop) => SessionError::Stopped { stop, survivor: None },
        };
        Failed {
            error,
            broken: true,
            rest: None,
            started: false,
        }
    }

    /// The command was started.
    fn after_start(self) -> Failed {
        match self {
            Self::Trouble(trouble) => Failed {
                error: SessionError::InDoubt {
                    reason: format!("the connection was lost while the command ran: {}", trouble.text),
                },
                broken: true,
                rest: None,
                started: true,
            },
            Self::Stop(stop) => Failed::plain(SessionError::Stopped { stop, survivor: None }),
        }
    }
}

#[derive(PartialEq, Eq)]
enum Input {
    /// The command may not read yet, or the window is full.
    Waiting,
    /// A packet is half sent: the same bytes must be offered again before anything else can leave.
    HalfSent,
    /// All was sent; end of file is to follow.
    AtEnd,
    /// End of file was sent, or nobody reads.
    Closed,
}

struct Run<'a, 'b> {
    wire: &'a Wire<'a>,
    channel: &'a Channel,
    feed: Feed<'b>,
    password: Option<zeroize::Zeroizing<Vec<u8>>>,
    input: Input,
    buffer: Vec<u8>,
    /// When an exit status was there and nothing more came.
    ended: Option<Instant>,
}

impl Run<'_, '_> {
    fn drive(
        &mut self,
        talk: &mut Conversation,
        deadline: &Deadline,
        on_output: OnOutput<'_>,
    ) -> Result<ExitStatus, Failed> {
        loop {
            if let Err(stop) = deadline.remaining() {
                return Err(Halt::from(stop).after_start());
            }
            let mut moved = false;
            for (number, stream) in [(0, Stream::Stdout), (1, Stream::Stderr)] {
                for _ in 0..BURST {
                    let got = match self.channel.read(number, &mut self.buffer) {
                        Ok(Some(0) | None) => break,
                        Ok(Some(got)) => got,
                        Err(trouble) => return self.verdict_or(trouble),
                    };
                    moved = true;
                    let bytes = self.buffer.get(..got).unwrap_or_default();
                    talk.feed(stream, bytes, on_output).map_err(Failed::plain)?;
                }
            }
            moved |= self.send(talk)?;
            if self.channel.is_eof() && !moved {
                match self.channel.is_closed() {
                    Ok(Some(())) => return self.verdict("the channel was closed without an exit status"),
                    Ok(None) => {}
                    Err(trouble) => return self.verdict_or(trouble),
                }
            }
            if moved {
                self.ended = None;
                continue;
            }
            let mut nap = super::link::SLICE;
            if self.has_ended() {
                let since = self.ended.get_or_insert_with(Instant::now).elapsed();
                // At its end the output is complete, and only the close is missing.
                let enough = if self.channel.is_eof() { LINGER_AT_END } else { LINGER };
                if since >= enough {
                    return self.verdict("no exit status");
                }
                nap = nap.min(enough.saturating_sub(since));
            }
            self.wire
                .link
                .wait(self.wants_to_write(), nap, deadline)
                .map_err(|stop| Halt::from(stop).after_start())?;
        }
    }

    fn wants_to_write(&self) -> bool {
        self.input == Input::HalfSent && self.wire.wants_to_write()
    }

    fn has_ended(&self) -> bool {
        self.channel.exit_code().is_some() || self.channel.exit_signal().is_some()
    }

    /// Sends what may be sent; true when something left.
    fn send(&mut self, talk: &mut Conversation) -> Result<bool, Failed> {
        let mut moved = false;
        for _ in 0..BURST {
            if self.password.is_none() {
                self.password = talk.password();
            }
            let bytes: &[u8] = match &self.password {
                Some(password) => password,
                None if self.input == Input::Closed || !talk.may_send() => return Ok(moved),
                None => self.feed.next().map_err(Failed::plain)?,
            };
            if bytes.is_empty() {
                if self.password.take().is_some() {
                    continue;
                }
                self.input = Input::AtEnd;
                match self.channel.send_eof() {
                    Ok(None) => {}
                    Ok(Some(())) | Err(_) => self.input = Input::Closed,
                }
                return Ok(moved);
            }
            match self.channel.write(bytes) {
                Ok(Some(0)) => {
                    self.input = Input::Waiting;
                    return Ok(moved);
                }
                Ok(Some(sent)) => {
                    moved = true;
                    self.input = Input::Waiting;
                    match &mut self.password {
                        Some(password) => {
                            let gone = sent.min(password.len());
                            password.drain(..gone);
                        }
                        None => self.feed.advance(sent),
                    }
                }
                Ok(None) => {
                    // With a full window libssh2 waits for reading only.
                    self.input = if self.wire.wants_to_write() {
                        Input::HalfSent
                    } else {
                        Input::Waiting
                    };
                    return Ok(moved);
                }
                // The command does not read any more, or the connection is gone; reading will tell which.
                Err(_) => {
                    self.input = Input::Closed;
                    return Ok(moved);
                }
            }
        }
        Ok(moved)
    }

    /// What the host said about the end; without a word it is in doubt.
    fn verdict(&self, otherwise: &str) -> Result<ExitStatus, Failed> {
        if let Some(signal) = self.channel.exit_signal() {
            return Ok(ExitStatus::Signal(signal));
        }
        match self.channel.exit_code() {
            Some(code) => Ok(ExitStatus::Code(code)),
            None => Err(Failed::plain(SessionError::InDoubt {
                reason: otherwise.to_owned(),
            })),
        }
    }

    /// The connection broke: a status that came before it counts if the output was complete.
    fn verdict_or(&self, trouble: Trouble) -> Result<ExitStatus, Failed> {
        if self.channel.is_eof()
            && let Ok(status) = self.verdict("")
        {
            return Ok(status);
        }
        Err(Halt::from(trouble).after_start())
    }

    /// Tries to get a half-sent packet out, because nothing else can leave before it. True when it stays.
    fn finish_packet(&mut self, failed: &Failed) -> bool {
        if failed.broken || self.input != Input::HalfSent {
            return false;
        }
        let deadline = Deadline::none(CancelToken::new()).within("flush", Duration::from_millis(200));
        let bytes: &[u8] = match &self.password {
            Some(password) => password,
            None => self.feed.next().unwrap_or_default(),
        };
        self.wire.until(&deadline, || self.channel.write(bytes)).is_err()
    }
}
