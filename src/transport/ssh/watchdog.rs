//! One thread that cuts connections which overstay. libssh2's own time-out is looked at only when it would block, so
//! a peer that keeps the socket readable holds a call for ever; a socket that is shut down ends every such call.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::deadline::{CancelToken, Deadline};

/// How often cancels are looked for while something is watched.
const TICK: Duration = Duration::from_millis(100);

/// Watches sockets; see the module. One per process is enough: [`Watchdog::global`].
#[derive(Clone)]
pub(super) struct Watchdog(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    next: u64,
    watched: HashMap<u64, Watched>,
    /// The earliest moment in `watched`, never later than the truth.
    earliest: Option<Instant>,
    running: bool,
}

struct Watched {
    socket: Arc<OwnedFd>,
    at: Option<Instant>,
    cancel: CancelToken,
    grace: Duration,
}

/// Watches a socket until it is dropped.
pub(super) struct Guard {
    dog: Watchdog,
    id: u64,
}

impl Watchdog {
    /// The process's watchdog. Its thread starts with the first guard.
    pub(super) fn global() -> Self {
        static DOG: std::sync::OnceLock<Watchdog> = std::sync::OnceLock::new();
        DOG.get_or_init(|| {
            Self(Arc::new(Shared {
                state: Mutex::default(),
                changed: Condvar::new(),
            }))
        })
        .clone()
    }

    /// Shuts `socket` down `grace` after `deadline` passed or its run was cancelled, unless the guard is dropped first.
    pub(super) fn guard(&self, socket: &Arc<OwnedFd>, deadline: &Deadline, grace: Duration) -> std::io::Result<Guard> {
        let at = deadline.instant().and_then(|at| at.checked_add(grace));
        let mut state = self.lock();
        if !state.running {
            let dog = self.clone();
            std::thread::Builder::new()
                .name("watchdog".to_owned())
                .stack_size(128 * 1024)
                .spawn(move || dog.watch())?;
            state.running = true;
        }
        let id = state.next;
        state.next = state.next.saturating_add(1);
        state.watched.insert(
            id,
            Watched {
                socket: socket.clone(),
                at,
                cancel: deadline.cancel_token().clone(),
                grace,
            },
        );
        let sooner = match (state.earliest, at) {
            (Some(known), Some(at)) => at < known,
            (None, Some(_)) => true,
            (_, None) => false,
        };
        if sooner {
            state.earliest = at;
        }
        // The thread sleeps without a limit only while nothing is watched; else its tick finds the new one in time.
        let wake = state.watched.len() == 1;
        drop(state);
        if wake {
            self.0.changed.notify_one();
        }
        Ok(Guard { dog: self.clone(), id })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(&self) {
        let mut state = self.lock();
        loop {
            if state.watched.is_empty() {
                state.earliest = None;
                state = self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let now = Instant::now();
            Self::bite(&mut state, now);
            let nap = state
                .earliest
                .map_or(TICK, |at| at.saturating_duration_since(now).min(TICK));
            state = self
                .0
                .changed
                .wait_timeout(state, nap.max(Duration::from_millis(1)))
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    fn bite(state: &mut State, now: Instant) {
        let mut earliest: Option<Instant> = None;
        state.watched.retain(|_, watched| {
            if watched.cancel.is_cancelled() {
                let at = now.checked_add(watched.grace).unwrap_or(now);
                watched.at = Some(watched.at.map_or(at, |known| known.min(at)));
                // Cancelled once is enough: from now on only the moment counts.
                watched.cancel = CancelToken::new();
            }
            match watched.at {
                Some(at) if at <= now => {
                    let _ = rustix::net::shutdown(&*watched.socket, rustix::net::Shutdown::Both);
                    false
                }
                Some(at) => {
                    earliest = Some(earliest.map_or(at, |known| known.min(at)));
                    true
                }
                None => true,
            }
        });
        state.earliest = earliest;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.dog.lock().watched.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    use super::*;

    fn pair() -> (Arc<OwnedFd>, UnixStream) {
        let (a, b) = UnixStream::pair().unwrap();
        b.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        (Arc::new(a.into()), b)
    }

    #[test]
    fn a_socket_that_overstays_is_cut() {
        let (socket, mut peer) = pair();
        let deadline = Deadline::none(CancelToken::new()).within("test", Duration::from_millis(150));
        let _guard = Watchdog::global().guard(&socket, &deadline, Duration::ZERO).unwrap();
        let start = Instant::now();
        assert_eq!(peer.read(&mut [0; 1]).unwrap(), 0);
        assert!(start.elapsed() >= Duration::from_millis(140) && start.elapsed() < Duration::from_secs(2));
    }

    #[test]
    fn a_cancel_cuts_and_a_dropped_guard_does_not() {
        let (socket, mut peer) = pair();
        let (kept, mut other) = pair();
        let cancel = CancelToken::new();
        let deadline = Deadline::none(cancel.clone());
        let _guard = Watchdog::global().guard(&socket, &deadline, Duration::ZERO).unwrap();
        drop(Watchdog::global().guard(&kept, &deadline, Duration::ZERO).unwrap());
        cancel.cancel();
        assert_eq!(peer.read(&mut [0; 1]).unwrap(), 0);
        other.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        assert!(other.read(&mut [0; 1]).is_err(), "nothing came and nothing was closed");
    }

    #[test]
    fn thousands_of_entries_are_cheap() {
        let (socket, _peer) = pair();
        let deadline = Deadline::none(CancelToken::new()).within("test", Duration::from_secs(600));
        let start = Instant::now();
        let guards: Vec<_> = (0..10_000)
            .map(|_| Watchdog::global().guard(&socket, &deadline, Duration::ZERO).unwrap())
            .collect();
        drop(guards);
        assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    }
}
