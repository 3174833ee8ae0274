//! Values of settings, from what a file or the environment says.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Base;
use crate::names::{parse_duration, show_duration};

/// What a source says, before its type is known.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Raw {
    /// Text: all that the environment and `ansible.cfg` have.
    Text(String),
    /// `true` of TOML.
    Bool(bool),
    /// A whole number of TOML.
    Int(i64),
    /// A number of TOML.
    Float(f64),
    /// A list of texts of TOML.
    List(Vec<String>),
}

/// A type that settings have.
pub(super) trait FromRaw: Sized {
    /// What is expected, for messages.
    const EXPECTED: &'static str;
    /// The value; `None` when `raw` is something else.
    fn from_raw(raw: &Raw, base: Base<'_>) -> Option<Self>;
    /// The value for people.
    fn show(&self) -> String;
}

impl FromRaw for bool {
    const EXPECTED: &'static str = "`true` or `false`";
    fn from_raw(raw: &Raw, _: Base<'_>) -> Option<Self> {
        match raw {
            Raw::Bool(b) => Some(*b),
            Raw::Text(text) => match text.trim().to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "1" | "t" | "y" => Some(true),
                "false" | "no" | "off" | "0" | "f" | "n" => Some(false),
                _ => None,
            },
            Raw::Int(_) | Raw::Float(_) | Raw::List(_) => None,
        }
    }
    fn show(&self) -> String {
        self.to_string()
    }
}

fn int(raw: &Raw) -> Option<i64> {
    match raw {
        Raw::Int(n) => Some(*n),
        Raw::Text(text) => text.trim().parse().ok(),
        Raw::Bool(_) | Raw::Float(_) | Raw::List(_) => None,
    }
}

impl FromRaw for usize {
    const EXPECTED: &'static str = "a whole number, 1 or more";
    fn from_raw(raw: &Raw, _: Base<'_>) -> Option<Self> {
        int(raw)?.try_into().ok().filter(|n| *n > 0)
    }
    fn show(&self) -> String {
        self.to_string()
    }
}

impl FromRaw for u32 {
    const EXPECTED: &'static str = "a whole number, 0 or more";
    fn from_raw(raw: &Raw, _: Base<'_>) -> Option<Self> {
        int(raw)?.try_into().ok()
    }
    fn show(&self) -> String {
        self.to_string()
    }
}

impl FromRaw for Duration {
    const EXPECTED: &'static str = "a length of time: seconds, or `500ms`, `30s`, `5m`, `2h`";
    fn from_raw(raw: &Raw, _: Base<'_>) -> Option<Self> {
        match raw {
            Raw::Int(n) => Some(Self::from_secs((*n).try_into().ok()?)),
            Raw::Float(n) => Self::try_from_secs_f64(*n).ok(),
            Raw::Text(text) => parse_duration(text).ok(),
            Raw::Bool(_) | Raw::List(_) => None,
        }
        .filter(|time| !time.is_zero())
    }
    fn show(&self) -> String {
        show_duration(*self)
    }
}

impl FromRaw for String {
    const EXPECTED: &'static str = "text";
    fn from_raw(raw: &Raw, _: Base<'_>) -> Option<Self> {
        match raw {
            Raw::Text(text) if !text.chars().any(char::is_control) => Some(text.clone()),
            _ => None,
        }
    }
    fn show(&self) -> String {
        self.clone()
    }
}

impl FromRaw for PathBuf {
    const EXPECTED: &'static str = "a path";
    fn from_raw(raw: &Raw, base: Base<'_>) -> Option<Self> {
        match raw {
            Raw::Text(text) if !text.trim().is_empty() => Some(path(text.trim(), base)),
            _ => None,
        }
    }
    fn show(&self) -> String {
        self.display().to_string()
    }
}

fn path(text: &str, base: Base<'_>) -> PathBuf {
    let rest = text.strip_prefix("~/").or_else(|| (text == "~").then_some(""));
    match (rest, base.home) {
        (Some(rest), Some(home)) => home.join(rest),
        // What is given by the environment is relative to where the program runs, as on the command line.
        _ if base.folder == Path::new(".") => PathBuf::from(text),
        _ => base.folder.join(text),
    }
}

/// Sources of `-i`: paths, or lists of hosts, which have a comma.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources(pub Vec<String>);

impl FromRaw for Sources {
    const EXPECTED: &'static str = "the path of an inventory, or a list of them";
    fn from_raw(raw: &Raw, base: Base<'_>) -> Option<Self> {
        let one = |text: &str| path(text, base).display().to_string();
        match raw {
            // A trailing comma is a list of hosts, as on the command line; else commas separate paths.
            Raw::Text(text) if text.trim().ends_with(',') => Some(Self(vec![text.trim().to_owned()])),
            Raw::Text(text) => {
                let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
                let sources: Vec<String> = parts.map(one).collect();
                (!sources.is_empty()).then_some(Self(sources))
            }
            Raw::List(items) => {
                let one = |item: &String| if item.contains(',') { item.clone() } else { one(item) };
                Some(Self(items.iter().map(one).collect()))
            }
            Raw::Bool(_) | Raw::Int(_) | Raw::Float(_) => None,
        }
    }
    fn show(&self) -> String {
        self.0.join(", ")
    }
}

/// Words in an order that counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words(pub Vec<String>);

impl FromRaw for Words {
    const EXPECTED: &'static str = "words separated by commas, or a list of them";
    fn from_raw(raw: &Raw, _: Base<'_>) -> Option<Self> {
        match raw {
            Raw::Text(text) => {
                let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
                Some(Self(parts.map(str::to_owned).collect()))
            }
            Raw::List(items) => Some(Self(items.clone())),
            Raw::Bool(_) | Raw::Int(_) | Raw::Float(_) => None,
        }
    }
    fn show(&self) -> String {
        self.0.join(", ")
    }
}

/// Folders, in the order they are looked into.
impl FromRaw for Vec<PathBuf> {
    const EXPECTED: &'static str = "folders separated by `:`, or a list of them";
    fn from_raw(raw: &Raw, base: Base<'_>) -> Option<Self> {
        match raw {
            Raw::Text(text) => {
                let parts = text.split(':').map(str::trim).filter(|part| !part.is_empty());
                Some(parts.map(|part| path(part, base)).collect())
            }
            Raw::List(items) => Some(items.iter().map(|item| path(item, base)).collect()),
            Raw::Bool(_) | Raw::Int(_) | Raw::Float(_) => None,
        }
    }
    fn show(&self) -> String {
        let paths: Vec<String> = self.iter().map(|path| path.display().to_string()).collect();
        paths.join(":")
    }
}

impl<T: FromRaw> FromRaw for Option<T> {
    const EXPECTED: &'static str = T::EXPECTED;
    fn from_raw(raw: &Raw, base: Base<'_>) -> Option<Self> {
        T::from_raw(raw, base).map(Some)
    }
    fn show(&self) -> String {
        self.as_ref().map_or_else(|| "-".to_owned(), T::show)
    }
}

/// A limit of time where 0 means none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limit(pub Option<Duration>);

impl FromRaw for Limit {
    const EXPECTED: &'static str = "a length of time (`30s`, `5m`), or 0 for none";
    fn from_raw(raw: &Raw, base: Base<'_>) -> Option<Self> {
        match raw {
            Raw::Int(0) => Some(Self(None)),
            Raw::Text(text) if text.trim() == "0" => Some(Self(None)),
            raw => Duration::from_raw(raw, base).map(|time| Self(Some(time))),
        }
    }
    fn show(&self) -> String {
        self.0.map_or_else(|| "none".to_owned(), show_duration)
    }
}

/// Writes an enum whose values have names.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $expected:literal { $($(#[$variant_doc:meta])* $variant:ident = $word:literal $(| $alias:literal)*),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$variant_doc])* $variant),*
        }

        impl $name {
            /// The value of that name.
            pub fn parse(text: &str) -> Option<Self> {
                match text.trim().to_ascii_lowercase().as_str() {
                    $($word $(| $alias)* => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// Its name.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),*
                }
            }
        }

        impl FromRaw for $name {
            const EXPECTED: &'static str = $expected;
            fn from_raw(raw: &Raw, _: Base<'_>) -> Option<Self> {
                match raw {
                    Raw::Text(text) => Self::parse(text),
                    Raw::Bool(b) => Self::parse(&b.to_string()),
                    Raw::Int(_) | Raw::Float(_) | Raw::List(_) => None,
                }
            }
            fn show(&self) -> String {
                self.name().to_owned()
            }
        }
    };
}

words! {
    /// What happens when a host's key is not in known_hosts.
    HostKeyChecking, "`strict`, `accept-new` or `off`" {
        /// It is refused.
        Strict = "strict" | "true" | "yes" | "on" | "1" | "ask",
        /// It is written down.
        AcceptNew = "accept-new" | "accept_new",
        /// It is not looked at.
        Off = "off" | "false" | "no" | "0",
    }
}

words! {
    /// What is written to stdout.
    Output, "`human`, `ansible`, `json`, `csv` or `oneline`" {
        /// Equal results of many hosts folded.
        Human = "human",
        /// As `ansible-playbook`.
        Ansible = "ansible" | "default" | "yaml" | "debug" | "skippy" | "ansible.builtin.default",
        /// One event a line.
        Json = "json" | "ndjson" | "jsonl",
        /// One row for each host and task.
        Csv = "csv",
        /// One line for each host and task.
        Oneline = "oneline" | "minimal" | "ansible.builtin.oneline" | "ansible.builtin.minimal",
    }
}

words! {
    /// Whether a run must have the lock of a host to change it.
    HostLock, "`auto`, `require` or `off`" {
        /// Where one can be kept.
        Auto = "auto",
        /// Always: a host that can keep none is refused.
        Require = "require",
        /// Never.
        Off = "off",
    }
}

words! {
    /// When output is coloured.
    Color, "`auto`, `always` or `never`" {
        /// On a terminal, unless the environment says no.
        Auto = "auto",
        /// Always.
        Always = "always" | "true" | "yes",
        /// Never.
        Never = "never" | "false" | "no",
    }
}

words! {
    /// In which order hosts walk through tasks.
    Strategy, "`linear`, `free` or `host_pinned`" {
        /// Every host passes a task before any starts the next.
        Linear = "linear" | "ansible.builtin.linear",
        /// Each host at its own pace.
        Free = "free" | "ansible.builtin.free",
        /// As free, and a host that began is finished before the next one begins.
        HostPinned = "host_pinned" | "host-pinned" | "ansible.builtin.host_pinned",
    }
}

words! {
    /// Whether plays gather facts when they do not say.
    Gathering, "`implicit`, `explicit` or `smart`" {
        /// Yes.
        Implicit = "implicit",
        /// No.
        Explicit = "explicit",
        /// Once for each host.
        Smart = "smart",
    }
}

words! {
    /// What is done about a task of which nobody knows whether it ended.
    InDoubt, "`stop`, `rerun` or `skip`" {
        /// The host stops there.
        Stop = "stop",
        /// The task runs again.
        Rerun = "rerun",
        /// The host goes on behind it.
        Skip = "skip",
    }
}
