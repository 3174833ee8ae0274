//! Where runs are kept, and how they are named on the command line.

use std::path::{Path, PathBuf};

use crate::cli::setup::outside;
use crate::event::{Event, EventKind, Origin};
use crate::names::HostName;
use crate::report::journal::{self, register};
use crate::settings;
use crate::source::{Diagnostic, Diagnostics};

/// The folder of all runs.
#[derive(Clone, Debug)]
pub struct Store {
    /// Where it is.
    pub dir: PathBuf,
}

/// The first event of a run.
#[derive(Clone, Debug)]
pub struct Head {
    /// Its id.
    pub run: String,
    /// When it began, RFC 3339 in UTC.
    pub time: String,
    /// The words of the command line, secrets removed.
    pub command: Vec<String>,
    /// The folder it was given in.
    pub folder: PathBuf,
    /// What people call it.
    pub title: String,
    /// Its hosts in inventory order.
    pub hosts: Vec<HostName>,
    /// Nothing was to be changed.
    pub check: bool,
    /// Who started it, and where.
    pub origin: Origin,
}

impl Head {
    /// The first run of its chain.
    pub fn root(&self) -> &str {
        if self.origin.root.is_empty() {
            &self.run
        } else {
            &self.origin.root
        }
    }
}

impl Store {
    /// The folder in the program's folder of states.
    pub fn at(state_dir: &Path) -> Self {
        Self {
            dir: state_dir.join("runs"),
        }
    }

    /// The folder that the environment and the configuration say.
    pub fn open() -> Result<Self, Diagnostics> {
        let loaded = settings::load(None)?;
        let outside = outside(&loaded.environment, loaded.settings.color.value)?;
        Ok(Self::at(&outside.state_dir))
    }

    /// The ids of all runs, the oldest first: in the order of the register, for the clock may have been set since. Those that
    /// it does not know, by their names.
    pub fn ids(&self) -> Vec<String> {
        let mut ids: Vec<String> = std::fs::read_dir(&self.dir)
            .into_iter()
            .flatten()
            .filter_map(|entry| {
                let entry = entry.ok()?;
                entry.file_type().ok()?.is_dir().then_some(())?;
                entry.file_name().into_string().ok()
            })
            .collect();
        let register = register::read(&self.dir).unwrap_or_default();
        let mut begun = std::collections::HashMap::new();
        for (number, entry) in register.entries.iter().enumerate() {
            begun.entry(entry.run.as_str()).or_insert(number);
        }
        ids.sort_by(|a, b| (begun.get(a.as_str()), a).cmp(&(begun.get(b.as_str()), b)));
        ids
    }

    /// The newest run, or the one whose id begins so.
    pub fn find(&self, wanted: Option<&str>) -> Result<String, Diagnostic> {
        let mut ids = self.ids();
        if let Some(wanted) = wanted {
            if ids.iter().any(|id| id == wanted) {
                return Ok(wanted.to_owned());
            }
            ids.retain(|id| id.starts_with(wanted));
            if ids.len() > 1 {
                return Err(
                    Diagnostic::new(format!("{} runs begin with `{wanted}`", ids.len())).help("give more of the id")
                );
            }
        }
        ids.pop().ok_or_else(|| match wanted {
            Some(wanted) => Diagnostic::new(format!("there is no run `{wanted}` in {}", self.dir.display()))
                .help("`batchssh runs` lists them"),
            None => Diagnostic::new(format!("there is no run in {}", self.dir.display()))
                .help("runs are recorded by every command that contacts hosts"),
        })
    }

    /// The journal of a run.
    pub fn journal(&self, run: &str) -> PathBuf {
        self.dir.join(run).join(journal::FILE_NAME)
    }

    /// What the first line of a run's journal says. `None`: it has none, the run was killed before it was written.
    pub fn head(&self, run: &str) -> Result<Option<Head>, Diagnostic> {
        let path = self.journal(run);
        let first = journal::read(&path).map_err(|error| unreadable(&path, &error))?.next();
        let Some(first) = first else { return Ok(None) };
        let Event { kind, time, .. } = first.map_err(|error| unreadable(&path, &error))?;
        let EventKind::RunStarted {
            run: named,
            command,
            folder,
            title,
            hosts,
            check,
            origin,
            ..
        } = kind
        else {
            return Err(Diagnostic::new(format!(
                "{}:1: a journal begins with the start of its run",
                path.display()
            )));
        };
        if named != run {
            return Err(Diagnostic::new(format!(
                "{}:1: this is the journal of the run {named}",
                path.display()
            )));
        }
        Ok(Some(Head {
            run: named,
            time,
            command,
            folder: PathBuf::from(folder),
            title,
            hosts,
            check,
            origin: *origin,
        }))
    }
}

/// A journal cannot be read.
pub fn unreadable(path: &Path, error: &std::io::Error) -> Diagnostic {
    if error.kind() == std::io::ErrorKind::InvalidData {
        return Diagnostic::new(error.to_string()).help("`batchssh runs verify` says what is wrong with it");
    }
    Diagnostic::new(format!("cannot read {}: {error}", path.display()))
}
