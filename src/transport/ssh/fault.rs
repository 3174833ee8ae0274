//! A failed try to connect, before it is known whether another one follows.

use crate::deadline::Stop;
use crate::names::show_duration;
use crate::transport::{ConnectError, Stage};

/// Why a try to connect failed.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) stage: Stage,
    pub(super) message: String,
    pub(super) stop: Option<Stop>,
    /// Trying again may help: the server was overloaded or restarting.
    pub(super) retry: bool,
}

impl Fault {
    /// A failure that another try would meet again.
    pub(super) fn new(stage: Stage, message: impl Into<String>) -> Self {
        Self {
            stage,
            message: message.into(),
            stop: None,
            retry: false,
        }
    }

    /// The time was over, or the user stopped the run, before `what` was there.
    pub(super) fn stopped(stage: Stage, what: &str, stop: Stop) -> Self {
        let message = match &stop {
            Stop::TimedOut { what: name, limit } => format!(
                "{what} within {} ({name}; is the host up? `--timeout` sets the limit)",
                show_duration(*limit)
            ),
            Stop::Cancelled => format!("{what}: {stop}"),
        };
        Self {
            stage,
            message,
            stop: Some(stop),
            retry: false,
        }
    }

    /// Says that another try may help.
    pub(super) fn again(mut self) -> Self {
        self.retry = true;
        self
    }

    /// For the caller; `tries` is how often it was tried.
    pub(super) fn into_error(self, tries: u32) -> ConnectError {
        let message = if tries > 1 {
            format!("{} (tried {tries} times)", self.message)
        } else {
            self.message
        };
        ConnectError {
            stage: self.stage,
            message,
            stop: self.stop,
        }
    }
}
