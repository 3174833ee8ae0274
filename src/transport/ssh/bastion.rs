//! `ProxyJump`: one connection to a jump host, shared by all hosts behind it. A thread owns its session and moves the
//! bytes of all its channels.
//!
//! libssh2 opens one channel at a time, and a jump host takes its time over a dead target. So that one dead host does
//! not hold up the others, a further connection is made when an open has to queue for long.

use std::collections::HashMap;
use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Shared;
use super::fault::Fault;
use super::handshake::Established;
use super::link::{Link, SLICE};
use super::pump::{Pump, Request};
use crate::deadline::Deadline;
use crate::transport::{ConnectSettings, Stage};

/// Connections to one jump host at most.
const MAX_LINES: usize = 16;
/// How long an open may queue before another connection is made for it.
const PATIENCE: Duration = Duration::from_millis(250);

/// The jump hosts of a run.
#[derive(Default)]
pub(super) struct Bastions {
    pools: Mutex<HashMap<String, Arc<Pool>>>,
}

#[derive(Default)]
struct Pool {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    lines: Vec<Arc<Line>>,
    connecting: usize,
    /// The last failed try to connect: who waited for it does not try again.
    failure: Option<(Instant, String)>,
}

/// One connection to a jump host.
pub(super) struct Line {
    requests: mpsc::Sender<Request>,
    signals: Arc<Signals>,
    socket: Arc<OwnedFd>,
    /// A channel is being opened, or somebody is about to ask for it.
    taken: AtomicBool,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What a line's thread and its users tell each other.
pub(super) struct Signals {
    /// Written to when there is something to do.
    pub(super) wake: OwnedFd,
    pub(super) stop: AtomicBool,
    /// No further channels: the connection is gone, or an open on it never ended.
    pub(super) unusable: AtomicBool,
}

/// Keeps a line alive as long as a link runs through it.
pub(super) struct Tunnel {
    _line: Arc<Line>,
}

impl Bastions {
    /// A byte stream to `host` through the jump hosts `jumps`, the last of which does the opening.
    pub(super) fn open(
        &self,
        shared: &Shared,
        jumps: &[ConnectSettings],
        host: &str,
        port: u16,
        deadline: &Deadline,
    ) -> Result<Link, Fault> {
        let Some((last, before)) = jumps.split_last() else {
            return Err(Fault::new(Stage::Connect, "no jump host"));
        };
        let pool = {
            let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
            pools.entry(key_of(jumps)).or_default().clone()
        };
        let mut last = last.clone();
        last.jumps = before.to_vec();
        let target = CString::new(host).map_err(|_| {
            Fault::new(
                Stage::Connect,
                format!("`{}` is not a host name", host.escape_default()),
            )
        })?;
        // A connection that died while nobody looked is made anew, once.
        let mut again = true;
        loop {
            let line = pool.take_line(shared, &last, deadline)?;
            match line.open(&target, port, &last, deadline) {
                Ok(socket) => {
                    pool.give_back(&line);
                    let peer = format!("{host}:{port} through {}", last.name);
                    return Ok(Link::tunnel(socket, Tunnel { _line: line }, peer));
                }
                Err(Refusal::Gone) if again => {
                    pool.give_back(&line);
                    again = false;
                }
                Err(Refusal::Gone) => {
                    pool.give_back(&line);
                    let message = format!("the connection to jump host {} was lost", last.name);
                    return Err(Fault::new(Stage::Connect, message).again());
                }
                Err(Refusal::Fault(fault)) => {
                    pool.give_back(&line);
                    return Err(fault);
                }
            }
        }
    }
}

fn key_of(jumps: &[ConnectSettings]) -> String {
    let parts: Vec<String> = jumps
        .iter()
        .map(|jump| {
            format!(
                "{}@{}:{}|{:?}|{:?}",
                jump.user, jump.address, jump.port, jump.key_files, jump.proxy_command
            )
        })
        .collect();
    parts.join(",")
}

enum Refusal {
    Gone,
    Fault(Fault),
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A line nobody else opens on at the moment.
    fn take_line(&self, shared: &Shared, jump: &ConnectSettings, deadline: &Deadline) -> Result<Arc<Line>, Fault> {
        let began = Instant::now();
        let mut state = self.lock();
        loop {
            state
                .lines
                .retain(|line| !line.signals.unusable.load(Ordering::Acquire));
            if let Some(line) = state.lines.iter().find(|line| !line.taken.swap(true, Ordering::AcqRel)) {
                return Ok(line.clone());
            }
            if let Some((when, why)) = &state.failure
                && *when >= began
            {
                return Err(Fault::new(Stage::Connect, why.clone()));
            }
            let may_connect = state.lines.is_empty() || began.elapsed() >= PATIENCE;
            if may_connect && state.connecting == 0 && state.lines.len() < MAX_LINES {
                state.connecting = state.connecting.saturating_add(1);
                drop(state);
                let made = Line::connect(shared, jump, deadline);
                state = self.lock();
                state.connecting = state.connecting.saturating_sub(1);
                let outcome = match made {
                    Ok(line) => {
                        let line = Arc::new(line);
                        state.lines.push(line.clone());
                        Ok(line)
                    }
                    Err(fault) => {
                        let stopped_alone = fault.stop.is_some();
                        let message = format!("jump host {}: {}", jump.name, fault.message);
                        // A time-out is this host's own; the others have times of theirs.
                        if !stopped_alone {
                            state.failure = Some((Instant::now(), message.clone()));
                        }
                        Err(Fault {
                            stage: Stage::Connect,
                            message,
                            ..fault
                        })
                    }
                };
                drop(state);
                self.changed.notify_all();
                return outcome;
            }
            let nap = deadline.slice(SLICE).map_err(|stop| {
                Fault::stopped(
                    Stage::Connect,
                    &format!("no connection to jump host {}", jump.name),
                    stop,
                )
            })?;
            state = self
                .changed
                .wait_timeout(state, nap)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    fn give_back(&self, line: &Line) {
        line.taken.store(false, Ordering::Release);
        self.changed.notify_all();
    }
}

impl Line {
    fn connect(shared: &Shared, jump: &ConnectSettings, deadline: &Deadline) -> Result<Self, Fault> {
        let deadline = deadline.within("connect timeout", jump.timeout);
        let Established { session, link, .. } = shared.establish(jump, &deadline)?;
        let failed = |error: std::io::Error| Fault::new(Stage::Connect, format!("cannot serve a jump host: {error}"));
        let flags = rustix::event::EventfdFlags::CLOEXEC | rustix::event::EventfdFlags::NONBLOCK;
        let wake = rustix::event::eventfd(0, flags).map_err(|error| failed(error.into()))?;
        let signals = Arc::new(Signals {
            wake,
            stop: AtomicBool::new(false),
            unusable: AtomicBool::new(false),
        });
        let socket = link.socket().clone();
        let (requests, incoming) = mpsc::channel();
        let pump = Pump::new(session, link, incoming, signals.clone());
        let thread = std::thread::Builder::new()
            .name("jump host".to_owned())
            .stack_size(256 * 1024)
            .spawn(move || pump.run())
            .map_err(failed)?;
        Ok(Self {
            requests,
            signals,
            socket,
            taken: AtomicBool::new(true),
            thread: Mutex::new(Some(thread)),
        })
    }

    fn open(&self, host: &CString, port: u16, jump: &ConnectSettings, deadline: &Deadline) -> Result<OwnedFd, Refusal> {
        let (reply, answer) = mpsc::sync_channel(1);
        let (ours, theirs) = super::proxy::socket_pair()
            .map_err(|error| Refusal::Fault(Fault::new(Stage::Connect, format!("no socket pair: {error}"))))?;
        let request = Request {
            host: host.clone(),
            port,
            socket: theirs,
            reply,
        };
        self.requests.send(request).map_err(|_| Refusal::Gone)?;
        self.signals.wake();
        let target = format!("{}:{port}", host.to_string_lossy());
        loop {
            let nap = match deadline.slice(SLICE) {
                Ok(nap) => nap,
                Err(stop) => {
                    // The open goes on and blocks the next one: this line takes no more.
                    self.signals.unusable.store(true, Ordering::Release);
                    self.signals.wake();
                    let what = format!("no answer from {target} through jump host {}", jump.name);
                    return Err(Refusal::Fault(Fault::stopped(Stage::Connect, &what, stop)));
                }
            };
            match answer.recv_timeout(nap) {
                Ok(Ok(())) => return Ok(ours),
                Ok(Err(trouble)) => {
                    let message = format!("jump host {} cannot reach {target}: {}", jump.name, trouble.text);
                    return Err(Refusal::Fault(Fault::new(Stage::Connect, message)));
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return Err(Refusal::Gone),
            }
        }
    }
}

impl Signals {
    pub(super) fn wake(&self) {
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.signals.stop.store(true, Ordering::Release);
        self.signals.wake();
        // Whatever the thread waits for ends now.
        let _ = rustix::net::shutdown(&*self.socket, rustix::net::Shutdown::Both);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}
