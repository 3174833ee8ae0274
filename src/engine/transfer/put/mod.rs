//! Putting a local tree on a host: look, compare, change the difference. Directories are made from the top down and
//! get their modes from the bottom up, so that a read-only directory can be filled first.

mod change;
mod look;

use crate::deadline::Deadline;
use crate::engine::transfer::local_tree::{LocalEntry, LocalKind, LocalTree};
use crate::engine::transfer::{ChangeKind, TransferReport};
use crate::shell::elevate::Become;
use crate::transport::files::{FileError, Progress, RemoteStat};
use crate::transport::{Session, SessionError};

/// Up to so many files each is written to the host's disk before it takes its name.
const FEW: usize = 64;

/// When the host is asked to write a file to its disk (fsync) before the file takes its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// For up to 64 files; a whole tree would wait for the disk once a file.
    #[default]
    Auto,
    /// For every file.
    Always,
    /// Never.
    Never,
}

/// How to put.
#[derive(Clone, Debug, Default)]
pub struct PutOptions {
    /// Set times of last change to those of the local files.
    pub preserve_times: bool,
    /// Only say what would change.
    pub dry_run: bool,
    /// Waiting for the host's disk.
    pub durability: Durability,
    /// Permission bits for every file instead of its own.
    pub mode: Option<u32>,
    /// Permission bits for every directory instead of its own.
    pub directory_mode: Option<u32>,
}

/// Brings `tree` to a host. Entries that fail are in the report; an error ends the whole work.
pub fn put(
    session: &mut dyn Session,
    tree: &LocalTree,
    options: &PutOptions,
    elevate: Option<&Become>,
    progress: Progress<'_>,
    deadline: &Deadline,
) -> Result<TransferReport, SessionError> {
    let mut put = Put {
        tree,
        options,
        report: TransferReport::default(),
        remote: vec![Remote::Unknown; tree.entries.len()],
        wanted: vec![Wanted::Nothing; tree.entries.len()],
        touched: false,
    };
    for warning in &tree.warnings {
        put.report.warn(warning.clone());
    }
    match put.run(session, elevate, progress, deadline) {
        Ok(()) => Ok(put.report),
        // A host that was changed in part is not merely out of reach.
        Err(SessionError::Lost { reason }) if put.touched => Err(SessionError::InDoubt {
            reason: format!("the connection was lost while files were put: {reason}"),
        }),
        Err(error) => Err(error),
    }
}

/// What is on the host.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Remote {
    Unknown,
    Missing,
    There(RemoteStat),
    /// Something stands in the way, or something above it: reported.
    Blocked,
}

/// What is to be done with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Nothing,
    Create,
    Replace,
    Attributes,
}

struct Put<'a> {
    tree: &'a LocalTree,
    options: &'a PutOptions,
    report: TransferReport,
    remote: Vec<Remote>,
    wanted: Vec<Wanted>,
    /// The host was asked to change something.
    touched: bool,
}

impl Put<'_> {
    fn run(
        &mut self,
        session: &mut dyn Session,
        elevate: Option<&Become>,
        progress: Progress<'_>,
        deadline: &Deadline,
    ) -> Result<(), SessionError> {
        let missing_parents = {
            let mut files = session.files(elevate, deadline)?;
            let missing_parents = self.look_at_parents(&mut *files, deadline)?;
            self.look(&mut *files, deadline)?;
            self.compare_links(&mut *files, deadline)?;
            missing_parents
        };
        self.compare_files(session, elevate, deadline)?;
        self.compare_attributes();
        if self.options.dry_run {
            self.tell(&missing_parents);
            return Ok(());
        }
        let mut files = session.files(elevate, deadline)?;
        self.make_parents(&mut *files, &missing_parents, deadline)?;
        self.make_directories(&mut *files, deadline)?;
        self.upload(&mut *files, progress, deadline)?;
        self.make_links(&mut *files, deadline)?;
        self.set_attributes(&mut *files, deadline)?;
        self.report.unchanged = self
            .wanted
            .iter()
            .zip(&self.remote)
            .filter(|(w, r)| is_right(**w, r))
            .count();
        Ok(())
    }

    fn entries(&self) -> impl Iterator<Item = (usize, &LocalEntry)> + use<'_> {
        self.tree.entries.iter().enumerate()
    }

    /// What a real run would change.
    fn tell(&mut self, missing_parents: &[Vec<u8>]) {
        for dir in missing_parents {
            self.report.change(dir, ChangeKind::Created);
        }
        for i in 0..self.tree.entries.len() {
            if let (Some(entry), Some(wanted)) = (self.tree.entries.get(i), self.wanted.get(i).copied()) {
                if let (LocalKind::File { size, .. }, Wanted::Create | Wanted::Replace) = (&entry.kind, wanted) {
                    self.report.files += 1;
                    self.report.bytes = self.report.bytes.saturating_add(*size);
                }
                self.changed(i, wanted);
            }
        }
        self.report.unchanged = self
            .wanted
            .iter()
            .zip(&self.remote)
            .filter(|(w, r)| is_right(**w, r))
            .count();
    }

    fn mode(&self, entry: &LocalEntry) -> u32 {
        let instead = match entry.kind {
            LocalKind::Directory => self.options.directory_mode,
            LocalKind::File { .. } | LocalKind::Link(_) => self.options.mode,
        };
        instead.unwrap_or(entry.mode) & 0o7777
    }

    fn is_there(&self, i: usize) -> bool {
        matches!(self.remote.get(i), Some(Remote::There(_)))
    }

    fn is_below_blocked(&self, i: usize) -> bool {
        let parent = self.tree.entries.get(i).and_then(|entry| entry.parent);
        parent.is_some_and(|parent| self.remote.get(parent) == Some(&Remote::Blocked))
    }

    fn wants(&self, i: usize, wanted: Wanted) -> bool {
        self.wanted.get(i) == Some(&wanted)
    }

    fn wants_entry(&self, i: usize) -> bool {
        self.wanted.get(i).is_some_and(|wanted| *wanted != Wanted::Nothing)
    }

    fn want(&mut self, i: usize, wanted: Wanted) {
        if let Some(place) = self.wanted.get_mut(i) {
            *place = wanted;
        }
    }

    fn block(&mut self, i: usize) {
        self.want(i, Wanted::Nothing);
        if let Some(place) = self.remote.get_mut(i) {
            *place = Remote::Blocked;
        }
    }

    fn done(&mut self, i: usize) {
        if let Some(wanted) = self.wanted.get(i).copied() {
            self.changed(i, wanted);
        }
    }

    fn changed(&mut self, i: usize, wanted: Wanted) {
        let Some(entry) = self.tree.entries.get(i) else { return };
        let kind = match wanted {
            Wanted::Nothing => return,
            Wanted::Create => ChangeKind::Created,
            Wanted::Replace => ChangeKind::Updated,
            Wanted::Attributes => ChangeKind::Attributes,
        };
        self.report.change(&entry.remote, kind);
    }

    fn fail(&mut self, i: usize, error: &FileError) {
        let path = self.tree.entries.get(i).map_or(&b""[..], |entry| &entry.remote);
        self.report.fail(path, error);
    }
}

fn is_right(wanted: Wanted, remote: &Remote) -> bool {
    wanted == Wanted::Nothing && *remote != Remote::Blocked
}
