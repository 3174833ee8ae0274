//! What is looked at, and how its answer is read.

use serde_json::Value as Json;

use super::disks;
use crate::event::TaskReport;
use crate::source::{Diagnostic, nearest};

/// The built-in subjects: name and what people call it.
const BUILTIN: &[(&str, &str)] = &[
    ("disks", "disk layout"),
    ("mounts", "mounts and fstab"),
    ("os", "operating system"),
    ("packages", "installed packages"),
    ("time", "clock"),
    ("users", "local accounts"),
    ("network", "network"),
];

/// What is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// One of the subjects that the module `audit` knows.
    Builtin(&'static str),
    /// A file of the hosts.
    File(String),
    /// What any command prints.
    Command(String),
}

/// An answer, read.
#[derive(Debug, Default)]
pub struct Read {
    /// What is compared and shown.
    pub lines: Vec<String>,
    /// What is the host's own (a serial number): for tables, not compared. Name and value.
    pub extra: Vec<(String, String)>,
    /// How it was looked.
    pub notes: Vec<String>,
}

impl Subject {
    /// From the words of the command line.
    pub fn typed(name: Option<&str>, command: &[String]) -> Result<Self, Diagnostic> {
        let help = || {
            let names: Vec<&str> = BUILTIN.iter().map(|(name, _)| *name).collect();
            format!(
                "there are {}; a path with a `/` is a file of the hosts; a command that only looks goes after two dashes: \
                 `batchssh audit -i hosts.txt -- uname -r`",
                names.join(", ")
            )
        };
        match (name, command.is_empty()) {
            (None, true) => Err(Diagnostic::new("what is to be looked at?").help(help())),
            (None, false) => Ok(Self::Command(command.join(" "))),
            (Some(name), false) => Err(Diagnostic::new(format!(
                "both the audit `{name}` and a command after `--` were given"
            ))
            .help("give one of them")),
            (Some(path), true) if path.contains('/') => Ok(Self::File(path.to_owned())),
            (Some(name), true) => match BUILTIN.iter().find(|(known, _)| *known == name) {
                Some((known, _)) => Ok(Self::Builtin(known)),
                None => Err(Diagnostic::new(format!("there is no audit `{name}`")).help(
                    match nearest(name, BUILTIN.iter().map(|(known, _)| *known)) {
                        Some(near) => format!("did you mean `{near}`? {}", help()),
                        None => help(),
                    },
                )),
            },
        }
    }

    /// From the result of the module `audit`, as a journal has it.
    pub fn told(report: &TaskReport) -> Option<Self> {
        let look = report.result.get("look")?;
        let text = |key: &str| look.get(key).and_then(Json::as_str);
        if let Some(name) = text("subject") {
            let known = BUILTIN.iter().find(|(known, _)| *known == name)?;
            return Some(Self::Builtin(known.0));
        }
        text("path")
            .map(|path| Self::File(path.to_owned()))
            .or_else(|| text("cmd").map(|command| Self::Command(command.to_owned())))
    }

    /// The argument of the module `audit` that means it.
    pub fn argument(&self) -> (&'static str, &str) {
        match self {
            Self::Builtin(name) => ("subject", name),
            Self::File(path) => ("path", path),
            Self::Command(command) => ("cmd", command),
        }
    }

    /// How a baseline calls it.
    pub fn name(&self) -> &str {
        self.argument().1
    }

    /// What people call it.
    pub fn title(&self) -> &str {
        match self {
            Self::Builtin(name) => BUILTIN
                .iter()
                .find(|(known, _)| known == name)
                .map_or(name, |(_, title)| title),
            Self::File(path) => path,
            Self::Command(command) => command,
        }
    }

    /// True for the disks: they can be drawn.
    pub fn is_disks(&self) -> bool {
        *self == Self::Builtin("disks")
    }

    /// Reads an answer.
    pub fn read(&self, report: &TaskReport) -> Read {
        let mut read = Read::default();
        if self.is_disks() {
            read.lines = disks::describe(&report.stdout);
            read.extra = disks::cells(&report.stdout);
        } else {
            read.lines = report.stdout.lines().map(|line| line.trim_end().to_owned()).collect();
        }
        let list = report.result.get("notes").and_then(Json::as_array);
        read.notes = list
            .into_iter()
            .flatten()
            .filter_map(Json::as_str)
            .map(str::to_owned)
            .collect();
        if let Some(Json::Object(extra)) = report.result.get("extra") {
            let shown = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            read.extra
                .extend(extra.iter().map(|(name, value)| (name.clone(), shown(value))));
        }
        read
    }

    /// A line as a column's name and the value in it; `None`: the line is no such pair.
    pub fn pair<'a>(&self, line: &'a str) -> Option<(&'a str, &'a str)> {
        match self {
            // The disks have columns of their own.
            Self::Builtin("disks") => None,
            Self::Builtin("packages") => line.split_once(' '),
            Self::Builtin(_) => line.split_once(": ").or_else(|| Some((line.strip_suffix(':')?, ""))),
            Self::File(_) | Self::Command(_) => {
                let (key, value) = line.split_once('=').or_else(|| line.split_once(':'))?;
                let key = key.trim();
                let plain = |c: char| c.is_alphanumeric() || "_.-/ ".contains(c);
                (!key.is_empty() && key.len() <= 64 && key.chars().all(plain)).then(|| (key, value.trim()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_with_a_slash_is_a_file() {
        let typed = |name| Subject::typed(Some(name), &[]);
        assert_eq!(typed("/etc/fstab").unwrap(), Subject::File("/etc/fstab".to_owned()));
        assert_eq!(typed("disks").unwrap(), Subject::Builtin("disks"));
        let error = typed("disk").unwrap_err();
        assert!(error.help.unwrap().starts_with("did you mean `disks`?"));
        assert!(Subject::typed(Some("disks"), &["x".to_owned()]).is_err());
        assert!(Subject::typed(None, &[]).is_err());
    }

    #[test]
    fn lines_are_columns() {
        let os = Subject::Builtin("os");
        assert_eq!(os.pair("kernel: 3.10: x"), Some(("kernel", "3.10: x")));
        assert_eq!(Subject::Builtin("time").pair("servers:"), Some(("servers", "")));
        assert_eq!(Subject::Builtin("packages").pair("bash 4 x86"), Some(("bash", "4 x86")));
        let command = Subject::Command(String::new());
        assert_eq!(command.pair("vm.swappiness = 60"), Some(("vm.swappiness", "60")));
        assert_eq!(command.pair("no pair here"), None);
        assert_eq!(command.pair("<html a=b"), None);
    }
}
