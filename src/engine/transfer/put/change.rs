//! Making the host as the tree is: directories, files, links, then modes and times.

use super::{Durability, FEW, Put, Remote, Wanted};
use crate::deadline::Deadline;
use crate::engine::transfer::ChangeKind;
use crate::engine::transfer::local_tree::{LocalEntry, LocalKind};
use crate::transport::SessionError;
use crate::transport::files::{Content, FileKind, FileOp, Files, Progress, Upload, temporary_beside};

impl Put<'_> {
    pub(super) fn make_parents(
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
    pub(super) fn make_directories(&mut self, files: &mut dyn Files, deadline: &Deadline) -> Result<(), SessionError> {
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

    pub(super) fn upload(
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
    pub(super) fn make_links(&mut self, files: &mut dyn Files, deadline: &Deadline) -> Result<(), SessionError> {
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
    pub(super) fn set_attributes(&mut self, files: &mut dyn Files, deadline: &Deadline) -> Result<(), SessionError> {
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
}
