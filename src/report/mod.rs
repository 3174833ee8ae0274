//! Outputs. Each is a [`Sink`] fed by events, one after the other, by one thread. A sink never asks the engine.

use std::io;

use crate::event::Event;

/// Appends formatted text to a `String`, which cannot fail.
macro_rules! put {
    ($out:expr, $($arg:tt)*) => {{
        use std::fmt::Write as _;
        let _ = write!($out, $($arg)*);
    }};
}

pub mod ansible;
mod canary;
pub mod csv;
pub mod delivery;
pub mod feed;
pub mod human;
pub mod journal;
pub mod jsonl;
pub mod junit;
pub mod lines;
pub mod live;
pub mod oneline;
pub mod page;
pub mod past;
pub mod patient;
pub mod progress;
pub mod results;
pub mod retry_file;
pub mod terminal;

mod diff;
pub(crate) mod fold;
pub(crate) mod json;
mod minimal;
mod preflight;
pub(crate) mod text;
pub(crate) mod words;

#[cfg(test)]
pub(crate) mod testing;

/// One output.
pub trait Sink: Send {
    /// How errors call it: `the journal`, `standard output`.
    fn name(&self) -> &'static str;

    /// Without this output the run must not go on: nothing new is started when it breaks.
    fn is_essential(&self) -> bool {
        false
    }

    /// Takes one event.
    fn event(&mut self, event: &Event) -> io::Result<()>;

    /// Writes for good what it was given, so that not even a power cut loses it. For sinks on which going on depends.
    fn keep(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Called every so often while nothing happens, so that a progress line can move.
    fn tick(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Called once after the last event, on every sink, also when another sink failed.
    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}
