//! Putting a local tree on a host: look, compare, change the difference. Directories are made from the top down and
//! get their modes from the bottom up, so that a read-only directory can be filled first.

use std::fs::File;

use crate::deadline::Deadline;
use crate::engine::transfer::compare::{LocalSide, Pair, same};
use crate::engine::transfer::local_tree::{LocalEntry, LocalKind, LocalTree};
use crate::engine::transfer::{ChangeKind, TransferReport};
use crate::shell::elevate::Become;
use crate::transport::files::{
    Content, FileError, FileKind, FileOp, Files, Progress, RemoteStat, Upload, parent, temporary_beside,
};
use crate::transport::local_file::open_regular;
use crate::transport::manifest::SumKind;
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

    /// The directories to make before everything else, the outermost first.
    fn look_at_parents(&mut self, files: &mut dyn Files, deadline: &Deadline) -> Result<Vec<Vec<u8>>, SessionError> {
        let mut missing = Vec::new();
        let Some(into) = &self.tree.into else {
            return Ok(missing);
        };
        let mut dir = into.as_slice();
        loop {
            match files.stat(dir, deadline)? {
                Some(stat) if stat.kind == FileKind::Directory => break,
                Some(stat) => {
                    let reason = format!("it is {}, a directory is wanted", stat.kind);
                    return Err(FileError::failed(reason).at(dir));
                }
                None => missing.push(dir.to_vec()),
            }
            let above = parent(dir);
            if above == dir || matches!(above, b"." | b"/") {
                break;
            }
            dir = above;
        }
        missing.reverse();
        Ok(missing)
    }

    /// Finds out what is on the host. Nothing below a directory that is missing or blocked is asked for.
    fn look(&mut self, files: &mut dyn Files, deadline: &Deadline) -> Result<(), SessionError> {
        let sources: Vec<usize> = self
            .entries()
            .filter(|(_, e)| e.parent.is_none())
            .map(|(i, _)| i)
            .collect();
        self.look_at(files, &sources, deadline)?;
        for &source in &sources {
            let Some(entry) = self.tree.entries.get(source) else {
                continue;
            };
            let is_link = matches!(self.remote.get(source), Some(Remote::There(s)) if s.kind == FileKind::Link);
            // A destination directory may be a link to one, as with `cp` and `rsync`.
            if is_link && matches!(entry.kind, LocalKind::Directory) {
                let followed = files.stat(&entry.remote, deadline)?;
                if let (Some(stat), Some(place)) = (followed, self.remote.get_mut(source))
                    && stat.kind == FileKind::Directory
                {
                    *place = Remote::There(stat);
                }
            }
            self.classify(source);
        }
        let mut below = Vec::new();
        for (i, entry) in self.tree.entries.iter().enumerate() {
            let Some(parent) = entry.parent else { continue };
            // Sources come before what is in them, so the source's state is known; deeper ones follow it.
            let inherited = match self.remote.get(parent) {
                Some(Remote::Missing) => Remote::Missing,
                Some(Remote::Blocked) => Remote::Blocked,
                _ => Remote::Unknown,
            };
            if inherited == Remote::Unknown {
                below.push(i);
            }
            if let Some(place) = self.remote.get_mut(i) {
                *place = inherited;
            }
        }
        self.look_at(files, &below, deadline)?;
        for i in 0..self.tree.entries.len() {
            if self.tree.entries.get(i).is_some_and(|e| e.parent.is_some()) {
                self.classify(i);
            }
        }
        Ok(())
    }

    fn look_at(&mut self, files: &mut dyn Files, which: &[usize], deadline: &Deadline) -> Result<(), SessionError> {
        let paths: Vec<&[u8]> = which
            .iter()
            .filter_map(|i| self.tree.entries.get(*i))
            .map(|e| e.remote.as_slice())
            .collect();
        let answers = files.lstat_all(&paths, deadline)?;
        for (&i, answer) in which.iter().zip(answers) {
            let state = match answer {
                Ok(None) => Remote::Missing,
                Ok(Some(stat)) => Remote::There(stat),
                Err(error) => {
                    self.fail(i, &error);
                    Remote::Blocked
                }
            };
            if let Some(place) = self.remote.get_mut(i) {
                *place = state;
            }
        }
        Ok(())
    }

    /// Decides what an entry needs by its type and size; contents and attributes are compared later.
    fn classify(&mut self, i: usize) {
        let Some(entry) = self.tree.entries.get(i) else { return };
        if entry
            .parent
            .is_some_and(|parent| self.remote.get(parent) == Some(&Remote::Blocked))
        {
            // The directory that failed is named; what is below it is counted.
            self.report.failed += 1;
            self.block(i);
            return;
        }
        let wanted = match (&entry.kind, self.remote.get(i)) {
            (_, Some(Remote::Missing)) => Wanted::Create,
            (_, None | Some(Remote::Unknown | Remote::Blocked)) => Wanted::Nothing,
            (kind, Some(Remote::There(stat))) => match (kind, stat.kind) {
                (LocalKind::Directory, FileKind::Directory) | (LocalKind::Link(_), FileKind::Link) => Wanted::Nothing,
                (LocalKind::File { size, .. }, FileKind::File) if *size == stat.size => Wanted::Nothing,
                (LocalKind::File { .. } | LocalKind::Link(_), FileKind::File | FileKind::Link) => Wanted::Replace,
                (kind, found) => {
                    let wanted = match kind {
                        LocalKind::Directory => FileKind::Directory,
                        LocalKind::File { .. } => FileKind::File,
                        LocalKind::Link(_) => FileKind::Link,
                    };
                    let reason = format!("it is {found}, {wanted} is wanted: remove it first");
                    self.fail(i, &FileError::failed(reason));
                    self.block(i);
                    return;
                }
            },
        };
        self.want(i, wanted);
    }

    fn compare_links(&mut self, files: &mut dyn Files, deadline: &Deadline) -> Result<(), SessionError> {
        let links: Vec<usize> = self
            .entries()
            .filter(|(i, e)| {
                matches!(e.kind, LocalKind::Link(_)) && self.is_there(*i) && self.wants(*i, Wanted::Nothing)
            })
            .map(|(i, _)| i)
            .collect();
        let paths: Vec<&[u8]> = links
            .iter()
            .filter_map(|i| self.tree.entries.get(*i))
            .map(|e| e.remote.as_slice())
            .collect();
        let answers = files.read_links(&paths, deadline)?;
        for (&i, answer) in links.iter().zip(answers) {
            let Some(LocalKind::Link(target)) = self.tree.entries.get(i).map(|e| &e.kind) else {
                continue;
            };
            match answer {
                Ok(found) if found == *target => {}
                Ok(_) => self.want(i, Wanted::Replace),
                Err(error) => {
                    self.fail(i, &error);
                    self.block(i);
                }
            }
        }
        Ok(())
    }

    /// Files of the same size: are they the same?
    fn compare_files(
        &mut self,
        session: &mut dyn Session,
        elevate: Option<&Become>,
        deadline: &Deadline,
    ) -> Result<(), SessionError> {
        let mut which = Vec::new();
        let mut pairs = Vec::new();
        for (i, entry) in self.tree.entries.iter().enumerate() {
            if let LocalKind::File { size, .. } = entry.kind
                && self.is_there(i)
                && self.wants(i, Wanted::Nothing)
            {
                which.push(i);
                pairs.push(Pair {
                    remote: &entry.remote,
                    size,
                });
            }
        }
        let local = Local {
            tree: self.tree,
            which: &which,
        };
        let same = same(session, elevate, &pairs, &local, deadline)?;
        for (i, same) in which.into_iter().zip(same) {
            if !same {
                self.want(i, Wanted::Replace);
            }
        }
        Ok(())
    }

    fn compare_attributes(&mut self) {
        for (i, entry) in self.tree.entries.iter().enumerate() {
            let Some(Remote::There(stat)) = self.remote.get(i) else {
                continue;
            };
            if !self.wants(i, Wanted::Nothing) || matches!(entry.kind, LocalKind::Link(_)) {
                continue;
            }
            let mode = self.mode(entry);
            // A directory takes the set-group-id bit from the one above it.
            let mask = if matches!(entry.kind, LocalKind::Directory) && mode & 0o2000 == 0 {
                0o5777
            } else {
                0o7777
            };
            let wrong_time = self.options.preserve_times && stat.mtime != entry.mtime;
            if (stat.mode ^ mode) & mask != 0 || wrong_time {
                self.want(i, Wanted::Attributes);
            }
        }
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

    fn make_parents(
        &mut self,
        files: &mut dyn Files,
        missing: &[Vec<u8>],
        deadline: &Deadline,
    ) -> Result<(), SessionError> {
        for dir in missing {
            self.touched = true;
            let op = FileOp::MakeDir {
                path: dir.clone(),
                mode: 0o755,
            };
            files.apply_one(op, deadline)?;
            self.report.change(dir, ChangeKind::Created);
        }
        Ok(())
    }

    /// Makes directories level by level; opens read-only ones in which something is to change.
    fn make_directories(&mut self, files: &mut dyn Files, deadline: &Deadline) -> Result<(), SessionError> {
        let mut opened = Vec::new();
        for (_, entry) in self.entries().filter(|(i, _)| self.wants_entry(*i)) {
            if let Some(dir) = entry.parent
                && let (Some(Remote::There(stat)), Some(above)) = (self.remote.get(dir), self.tree.entries.get(dir))
                && stat.mode & 0o300 != 0o300
                && opened.last().is_none_or(|(last, _)| *last != dir)
            {
                let op = FileOp::SetAttributes {
                    path: above.remote.clone(),
                    mode: Some(stat.mode | 0o700),
                    mtime: None,
                    follow: true,
                };
                opened.push((dir, op));
            }
        }
        opened.sort_by_key(|(dir, _)| *dir);
        opened.dedup_by_key(|(dir, _)| *dir);
        if !opened.is_empty() {
            self.touched = true;
            let (dirs, ops): (Vec<usize>, Vec<FileOp>) = opened.into_iter().unzip();
            // Where this fails the changes inside may still work (root), or fail with a reason of their own.
            files.apply(&ops, deadline)?;
            for dir in dirs {
                if self.wants(dir, Wanted::Nothing) {
                    self.want(dir, Wanted::Attributes);
                }
            }
        }
        let deepest = self.tree.entries.iter().map(|e| e.depth).max().unwrap_or(0);
        for depth in 0..=deepest {
            let mut which = Vec::new();
            let mut ops = Vec::new();
            for i in 0..self.tree.entries.len() {
                let Some(entry) = self.tree.entries.get(i) else {
                    continue;
                };
                if entry.depth != depth || !matches!(entry.kind, LocalKind::Directory) {
                    continue;
                }
                if self.is_below_blocked(i) {
                    if self.remote.get(i) != Some(&Remote::Blocked) {
                        self.report.failed += 1;
                        self.block(i);
                    }
                } else if self.wants(i, Wanted::Create) {
                    which.push(i);
                    ops.push(FileOp::MakeDir {
                        path: entry.remote.clone(),
                        mode: 0o700,
                    });
                }
            }
            if ops.is_empty() {
                continue;
            }
            self.touched = true;
            for (&i, answer) in which.iter().zip(files.apply(&ops, deadline)?) {
                if let Err(error) = answer {
                    self.fail(i, &error);
                    self.block(i);
                }
            }
        }
        // What is below a directory that could not be made is not tried.
        for i in 0..self.tree.entries.len() {
            let is_directory = self
                .tree
                .entries
                .get(i)
                .is_some_and(|e| matches!(e.kind, LocalKind::Directory));
            if !is_directory && self.is_below_blocked(i) && self.remote.get(i) != Some(&Remote::Blocked) {
                self.report.failed += 1;
                self.block(i);
            }
        }
        Ok(())
    }

    fn upload(
        &mut self,
        files: &mut dyn Files,
        progress: Progress<'_>,
        deadline: &Deadline,
    ) -> Result<(), SessionError> {
        let mut which = Vec::new();
        let mut uploads = Vec::new();
        for (i, entry) in self.tree.entries.iter().enumerate() {
            let LocalKind::File { size, .. } = entry.kind else {
                continue;
            };
            if !self.wants(i, Wanted::Create) && !self.wants(i, Wanted::Replace) {
                continue;
            }
            let owner = match self.remote.get(i) {
                Some(Remote::There(stat)) if stat.kind == FileKind::File => Some((stat.uid, stat.gid)),
                _ => None,
            };
            which.push(i);
            uploads.push(Upload {
                content: Content::Path(&entry.local),
                size,
                target: &entry.remote,
                mode: self.mode(entry),
                mtime: self.options.preserve_times.then_some(entry.mtime),
                owner,
                sync: false,
            });
        }
        if uploads.is_empty() {
            return Ok(());
        }
        let sync = match self.options.durability {
            Durability::Always => true,
            Durability::Never => false,
            Durability::Auto => uploads.len() <= FEW,
        };
        for upload in &mut uploads {
            upload.sync = sync;
        }
        self.touched = true;
        let answers = files.upload(&uploads, progress, deadline)?;
        let sizes: Vec<u64> = uploads.iter().map(|upload| upload.size).collect();
        for ((i, answer), size) in which.into_iter().zip(answers).zip(sizes) {
            match answer {
                Ok(()) => {
                    self.report.files += 1;
                    self.report.bytes = self.report.bytes.saturating_add(size);
                    self.done(i);
                }
                Err(error) => {
                    self.fail(i, &error);
                    self.block(i);
                }
            }
        }
        Ok(())
    }

    /// Links: new ones are made in their place, others beside it and renamed over it.
    fn make_links(&mut self, files: &mut dyn Files, deadline: &Deadline) -> Result<(), SessionError> {
        let mut which = Vec::new();
        let mut ops = Vec::new();
        for i in 0..self.tree.entries.len() {
            let Some(entry) = self.tree.entries.get(i) else {
                continue;
            };
            let LocalKind::Link(target) = &entry.kind else { continue };
            let path = if self.wants(i, Wanted::Create) {
                entry.remote.clone()
            } else if self.wants(i, Wanted::Replace) {
                match temporary_beside(&entry.remote) {
                    Ok(path) => path,
                    Err(error) => {
                        self.fail(i, &error);
                        self.block(i);
                        continue;
                    }
                }
            } else {
                continue;
            };
            which.push(i);
            ops.push(FileOp::Symlink {
                target: target.clone(),
                path,
            });
        }
        if ops.is_empty() {
            return Ok(());
        }
        self.touched = true;
        let mut renames = Vec::new();
        for ((&i, op), answer) in which.iter().zip(&ops).zip(files.apply(&ops, deadline)?) {
            let Some(entry) = self.tree.entries.get(i) else {
                continue;
            };
            match answer {
                Err(error) => {
                    self.fail(i, &error);
                    self.block(i);
                }
                Ok(()) if op.path() == entry.remote => self.done(i),
                Ok(()) => renames.push((i, op.path().to_vec(), entry.remote.clone())),
            }
        }
        let ops: Vec<_> = renames
            .iter()
            .map(|(_, from, to)| FileOp::Rename {
                from: from.clone(),
                to: to.clone(),
            })
            .collect();
        let mut left = Vec::new();
        for ((i, from, _), answer) in renames.into_iter().zip(files.apply(&ops, deadline)?) {
            match answer {
                Ok(()) => self.done(i),
                Err(error) => {
                    self.fail(i, &error);
                    self.block(i);
                    left.push(FileOp::RemoveFile { path: from });
                }
            }
        }
        files.apply(&left, deadline)?;
        Ok(())
    }

    /// Modes and times of files that are otherwise right, then of directories, the deepest first.
    fn set_attributes(&mut self, files: &mut dyn Files, deadline: &Deadline) -> Result<(), SessionError> {
        let is_directory = |entry: &LocalEntry| matches!(entry.kind, LocalKind::Directory);
        let which = self
            .entries()
            .filter(|(i, e)| !is_directory(e) && self.wants(*i, Wanted::Attributes));
        let which: Vec<usize> = which.map(|(i, _)| i).collect();
        self.set(files, &which, deadline)?;
        let deepest = self.tree.entries.iter().map(|e| e.depth).max().unwrap_or(0);
        // Whatever was changed inside a directory has changed its time.
        let mut stale = vec![false; self.tree.entries.len()];
        if self.options.preserve_times {
            for (i, entry) in self.tree.entries.iter().enumerate() {
                if let Some(place) = entry.parent.and_then(|parent| stale.get_mut(parent)) {
                    *place |= self.wants(i, Wanted::Create) || self.wants(i, Wanted::Replace);
                }
            }
        }
        for depth in (0..=deepest).rev() {
            let which = self.entries().filter(|(i, e)| {
                let touched = self.wants_entry(*i) || stale.get(*i) == Some(&true);
                e.depth == depth && is_directory(e) && touched && self.remote.get(*i) != Some(&Remote::Blocked)
            });
            let which: Vec<usize> = which.map(|(i, _)| i).collect();
            self.set(files, &which, deadline)?;
        }
        Ok(())
    }

    fn set(&mut self, files: &mut dyn Files, which: &[usize], deadline: &Deadline) -> Result<(), SessionError> {
        if which.is_empty() {
            return Ok(());
        }
        let entries = which.iter().filter_map(|i| self.tree.entries.get(*i));
        let ops: Vec<_> = entries
            .map(|entry| FileOp::SetAttributes {
                path: entry.remote.clone(),
                mode: Some(self.mode(entry)),
                mtime: self.options.preserve_times.then_some(entry.mtime),
                follow: true,
            })
            .collect();
        self.touched = true;
        for (&i, answer) in which.iter().zip(files.apply(&ops, deadline)?) {
            match answer {
                Ok(()) => self.done(i),
                Err(error) => self.fail(i, &error),
            }
        }
        Ok(())
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

/// The local files of the pairs to compare.
struct Local<'a> {
    tree: &'a LocalTree,
    which: &'a [usize],
}

impl Local<'_> {
    fn entry(&self, pair: usize) -> Result<&LocalEntry, FileError> {
        let entry = self.which.get(pair).and_then(|i| self.tree.entries.get(*i));
        entry.ok_or_else(|| FileError::local("no such file"))
    }
}

impl LocalSide for Local<'_> {
    fn sum(&self, pair: usize, kind: SumKind) -> Result<String, FileError> {
        self.entry(pair)?.sum(kind)
    }

    fn open(&self, pair: usize) -> Result<File, FileError> {
        let entry = self.entry(pair)?;
        let LocalKind::File { size, .. } = entry.kind else {
            return Err(FileError::local("not a file"));
        };
        open_regular(&entry.local, size)
    }
}
