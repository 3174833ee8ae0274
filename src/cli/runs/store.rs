//! Where runs are kept, and how they are named on the command line.

use std::io;
use std::path::{Path, PathBuf};

use crate::cli::setup::outside;
use crate::event::{Event, EventKind, Origin};
use crate::names::HostName;
use crate::report::journal::{self, register};
use crate::settings;
use crate::source::{Diagnostic, Diagnostics, visible};

/// The newest run, as it can be called on the command line.
const LAST: &str = "last";
/// Most runs that are named when several are meant.
const MOST_NAMED: usize = 8;

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

    /// The newest run (also called `last`), or the one whose id begins so.
    pub fn find(&self, wanted: Option<&str>) -> Result<String, Diagnostic> {
        let mut ids = self.ids();
        let wanted = wanted.filter(|wanted| *wanted != LAST || ids.iter().any(|id| id == LAST));
        if let Some(wanted) = wanted {
            if ids.iter().any(|id| id == wanted) {
                return Ok(wanted.to_owned());
            }
            ids.retain(|id| id.starts_with(wanted));
            if ids.len() > 1 {
                return Err(self.ambiguous(wanted, &ids));
            }
        }
        ids.pop().ok_or_else(|| match wanted {
            Some(wanted) => Diagnostic::new(format!("there is no run `{wanted}` in {}", self.dir.display()))
                .help("`batchssh runs` lists them"),
            None => Diagnostic::new(format!("there is no run in {}", self.dir.display()))
                .help("runs are recorded by every command that contacts hosts"),
        })
    }

    /// Several runs begin like that: the newest of them are named.
    fn ambiguous(&self, wanted: &str, ids: &[String]) -> Diagnostic {
        let mut text = format!("{} runs begin with `{wanted}`:", ids.len());
        for id in ids.iter().rev().take(MOST_NAMED) {
            let title = self.head(id).ok().flatten().map(|head| visible(&head.title));
            text += &format!("\n  {id}  {}", title.unwrap_or_default().replace('\n', " "));
        }
        if ids.len() > MOST_NAMED {
            text += &format!("\n  … and {} older ones", ids.len() - MOST_NAMED);
        }
        Diagnostic::new(text).help("give more of the id; `last` is the newest run")
    }

    /// The run that is meant: by its id or the begin of it, `last`, or a path: the folder of a run, or a journal.
    pub fn locate(&self, wanted: Option<&str>) -> Result<Located, Diagnostic> {
        let Some(path) = wanted.filter(|wanted| wanted.contains('/')).map(Path::new) else {
            let run = self.find(wanted)?;
            return Ok(Located {
                journal: self.journal(&run),
                run: Some(run),
            });
        };
        let journal = if path.is_dir() {
            path.join(journal::FILE_NAME)
        } else {
            path.to_owned()
        };
        if !journal.is_file() {
            return Err(Diagnostic::new(format!("there is no journal `{}`", journal.display()))
                .help("a path is the folder of a run, or a journal; without a `/` it is the id of a run"));
        }
        Ok(Located { journal, run: None })
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

/// A run that was found.
#[derive(Clone, Debug)]
pub struct Located {
    /// Its journal.
    pub journal: PathBuf,
    /// Its id, when it is kept among the runs; a path may be a copy.
    pub run: Option<String>,
}

impl Located {
    /// Calls `each` with every event. A line that is none ends the reading: what is wrong is given back, and what was read
    /// so far holds.
    pub fn read(&self, each: &mut dyn FnMut(&Event) -> io::Result<()>) -> Result<Option<String>, Diagnostic> {
        let wrong = |error: io::Error| unreadable(&self.journal, &error);
        let mut any = false;
        for event in journal::read(&self.journal).map_err(wrong)? {
            match event {
                Ok(event) => {
                    if !any && !matches!(event.kind, EventKind::RunStarted { .. }) {
                        return Err(Diagnostic::new(format!(
                            "{}:1: a journal begins with the start of its run",
                            self.journal.display()
                        )));
                    }
                    any = true;
                    each(&event).map_err(|error| Diagnostic::new(format!("cannot write {error}")))?;
                }
                Err(error) if error.kind() == io::ErrorKind::InvalidData && any => {
                    return Ok(Some(visible(&error.to_string())));
                }
                Err(error) => return Err(wrong(error)),
            }
        }
        if any {
            return Ok(None);
        }
        let what = format!("{}: it has no whole line", self.journal.display());
        Err(Diagnostic::new(what).help("the run was killed before it began, or this is no journal"))
    }

    /// The run goes on right now.
    pub fn is_running(&self) -> bool {
        journal::is_open(&self.journal).unwrap_or(false)
    }
}

/// A journal cannot be read.
pub fn unreadable(path: &Path, error: &io::Error) -> Diagnostic {
    if error.kind() == io::ErrorKind::InvalidData {
        return Diagnostic::new(error.to_string()).help("`batchssh runs verify` says what is wrong with it");
    }
    Diagnostic::new(format!("cannot read {}: {error}", path.display()))
}
