//! When to stop, and why. Every call that can wait takes a [`Deadline`].

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::names::show_duration;

// 0: running.
const WINDING_DOWN: u8 = 1;
const CANCELLED: u8 = 2;

/// Says to everybody who holds a copy that the run is to wind down, or to stop at once.
#[derive(Clone, Debug, Default)]
pub struct CancelToken(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    level: AtomicU8,
    changed: Condvar,
    lock: Mutex<()>,
}

impl CancelToken {
    /// A token that says: go on.
    pub fn new() -> Self {
        Self::default()
    }

    /// No new host and no new task is to start; what runs may finish. Never lowers the level.
    pub fn wind_down(&self) {
        self.raise(WINDING_DOWN);
    }

    /// Every wait is to end now.
    pub fn cancel(&self) {
        self.raise(CANCELLED);
    }

    /// True after [`wind_down`](Self::wind_down) or [`cancel`](Self::cancel).
    pub fn is_winding_down(&self) -> bool {
        self.0.level.load(Ordering::Acquire) >= WINDING_DOWN
    }

    /// True after [`cancel`](Self::cancel).
    pub fn is_cancelled(&self) -> bool {
        self.0.level.load(Ordering::Acquire) >= CANCELLED
    }

    fn raise(&self, level: u8) {
        let _guard = self.0.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.level.fetch_max(level, Ordering::AcqRel);
        self.0.changed.notify_all();
    }
}

/// The moment a piece of work must be over. Deadlines only tighten on the way down.
#[derive(Clone, Debug)]
pub struct Deadline {
    at: Option<(Instant, Duration, &'static str)>,
    cancel: CancelToken,
}

/// Why work ended before it was done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stop {
    /// The limit named `what` was reached.
    #[error("{what} took longer than {}", show_duration(*.limit))]
    TimedOut {
        /// Which limit: `connect timeout`, `task timeout`, …
        what: &'static str,
        /// How long it was.
        limit: Duration,
    },
    /// The user stopped the run.
    #[error("stopped by the user")]
    Cancelled,
}

impl Deadline {
    /// No limit but the user's.
    pub fn none(cancel: CancelToken) -> Self {
        Self { at: None, cancel }
    }

    /// The earlier of this deadline and `limit` from now. The tighter one is named in the error.
    #[must_use]
    pub fn within(&self, what: &'static str, limit: Duration) -> Self {
        let candidate = Instant::now().checked_add(limit);
        let at = match (self.at, candidate) {
            (Some(outer), Some(inner)) if outer.0 <= inner => Some(outer),
            (_, Some(inner)) => Some((inner, limit, what)),
            (outer, None) => outer,
        };
        Self {
            at,
            cancel: self.cancel.clone(),
        }
    }

    /// Time left (`None`: no limit), or the reason to stop now.
    pub fn remaining(&self) -> Result<Option<Duration>, Stop> {
        if self.cancel.is_cancelled() {
            return Err(Stop::Cancelled);
        }
        match self.at {
            None => Ok(None),
            Some((at, limit, what)) => match at.checked_duration_since(Instant::now()) {
                Some(left) if !left.is_zero() => Ok(Some(left)),
                _ => Err(Stop::TimedOut { what, limit }),
            },
        }
    }

    /// Time left, at most `most`: for waits that must look at the deadline now and then.
    pub fn slice(&self, most: Duration) -> Result<Duration, Stop> {
        Ok(self.remaining()?.map_or(most, |left| left.min(most)))
    }

    /// The moment this deadline ends, if it has one.
    pub fn instant(&self) -> Option<Instant> {
        self.at.map(|(at, _, _)| at)
    }

    /// The token this deadline listens to.
    pub fn cancel_token(&self) -> &CancelToken {
        &self.cancel
    }

    /// Sleeps, unless the deadline or a cancel comes first.
    pub fn sleep(&self, time: Duration) -> Result<(), Stop> {
        let until = Instant::now() + time;
        let shared = &self.cancel.0;
        let mut guard = shared.lock.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let left = self.slice(left)?;
            if left.is_zero() {
                return Ok(());
            }
            guard = shared
                .changed
                .wait_timeout(guard, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tighter_limit_wins_and_is_named() {
        let outer = Deadline::none(CancelToken::new()).within("task timeout", Duration::ZERO);
        let inner = outer.within("connect timeout", Duration::from_secs(60));
        assert_eq!(
            inner.remaining(),
            Err(Stop::TimedOut {
                what: "task timeout",
                limit: Duration::ZERO
            })
        );
    }

    #[test]
    fn a_cancel_ends_a_sleep() {
        let cancel = CancelToken::new();
        let deadline = Deadline::none(cancel.clone());
        let sleeper = std::thread::spawn(move || deadline.sleep(Duration::from_secs(600)));
        cancel.cancel();
        assert_eq!(sleeper.join().unwrap(), Err(Stop::Cancelled));
    }

    #[test]
    fn winding_down_lets_running_work_finish() {
        let cancel = CancelToken::new();
        cancel.wind_down();
        assert_eq!(Deadline::none(cancel.clone()).remaining(), Ok(None));
        assert!(cancel.is_winding_down() && !cancel.is_cancelled());
    }
}
