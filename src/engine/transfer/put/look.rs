//! What is on the host, and what of it is different.

use std::fs::File;

use super::{Put, Remote, Wanted};
use crate::deadline::Deadline;
use crate::engine::transfer::compare::{LocalSide, Pair, same};
use crate::engine::transfer::local_tree::{LocalEntry, LocalKind, LocalTree};
use crate::shell::elevate::Become;
use crate::transport::files::{FileError, FileKind, Files, parent};
use crate::transport::local_file::open_regular;
use crate::transport::manifest::SumKind;
use crate::transport::{Session, SessionError};

impl Put<'_> {
    /// The directories to make before everything else, the outermost first.
    pub(super) fn look_at_parents(
        &mut self,
        files: &mut dyn Files,
        deadline: &Deadline,
    ) -> Result<Vec<Vec<u8>>, SessionError> {
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
    pub(super) fn look(&mut self, files: &mut dyn Files, deadline: &Deadline) -> Result<(), SessionError> {
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

    pub(super) fn compare_links(&mut self, files: &mut dyn Files, deadline: &Deadline) -> Result<(), SessionError> {
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
    pub(super) fn compare_files(
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

    pub(super) fn compare_attributes(&mut self) {
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
