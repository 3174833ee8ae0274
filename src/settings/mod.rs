//! Settings: how to run, as opposed to variables, which say what to render. One table ([`KEYS`]) names every setting
//! with its default and the other names it has; [`load`](load::load) lays the sources over each other: defaults,
//! `ansible.cfg`, `batchssh.toml`, `ANSIBLE_*`, `BATCHSSH_*`. The command line puts its own on top ([`Setting::set`]).

mod ansible_cfg;
mod config_file;
mod environment;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod keys;
pub mod load;
mod value;

use std::fmt;
use std::path::Path;

use crate::source::Span;

pub use environment::Environment;
pub use keys::{KEYS, Key, Settings};
pub use load::{Loaded, load};
pub use value::{Color, Gathering, HostKeyChecking, HostLock, InDoubt, Limit, Output, Sources, Strategy, Words};

/// A value and who said it.
#[derive(Clone, Debug)]
pub struct Setting<T> {
    /// What it is.
    pub value: T,
    /// Who said it.
    pub from: Source,
}

impl<T> Setting<T> {
    /// What holds when nobody says anything.
    pub fn default_of(value: T) -> Self {
        Self {
            value,
            from: Source::Default,
        }
    }

    /// Takes the value of a stronger source.
    pub fn set(&mut self, value: T, from: Source) {
        *self = Self { value, from };
    }

    /// Takes what an option of the command line says, when it was given.
    pub fn set_option(&mut self, value: Option<T>, option: &'static str) {
        if let Some(value) = value {
            self.set(value, Source::CommandLine(option));
        }
    }

    /// True when nobody said anything.
    pub fn is_default(&self) -> bool {
        matches!(self.from, Source::Default)
    }
}

/// Who said a value.
#[derive(Clone, Debug)]
pub enum Source {
    /// Nobody.
    Default,
    /// A configuration file, at this place.
    File(Span),
    /// A variable of the environment.
    Environment(String),
    /// An option of the command line.
    CommandLine(&'static str),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(span) => span.fmt(f),
            Self::Environment(name) => f.write_str(name),
            Self::CommandLine(option) => f.write_str(option),
        }
    }
}

/// What relative paths of a source are relative to, and what `~` is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Base<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) home: Option<&'a Path>,
}
