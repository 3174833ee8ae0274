//! Getting a remote tree: list, compare, fetch the difference. Nothing is created, changed or followed outside
//! `DEST/HOST`, whatever the server says; what cannot be taken is reported, its siblings arrive.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{FileType, Stat};

use crate::deadline::Deadline;
use crate::engine::transfer::beneath::{Beneath, set_attributes};
use crate::engine::transfer::compare::{LocalSide, Pair, same};
use crate::engine::transfer::local_tree::remote_path;
use crate::engine::transfer::{ChangeKind, TransferReport};
use crate::names::HostName;
use crate::shell::elevate::Become;
use crate::transport::files::{
    Download, DownloadSink, FileError, FileKind, Progress, RemoteStat, WalkEntry, WalkLimits, bad_name, join,
    show_path, temporary_beside,
};
use crate::transport::manifest::SumKind;
use crate::transport::{Session, SessionError};

/// A file whose size the host does not know (`/proc`) may have so many bytes.
const UNKNOWN_SIZE: u64 = 64 << 20;

/// How to get.
#[derive(Clone, Debug)]
pub struct GetOptions {
    /// Set times of last change to those of the remote files.
    pub preserve_times: bool,
    /// Only say what would change.
    pub dry_run: bool,
    /// How far the remote tree is walked.
    pub limits: WalkLimits,
    /// All files together may have so many bytes.
    pub max_bytes: u64,
}

impl Default for GetOptions {
    fn default() -> Self {
        Self {
            preserve_times: false,
            dry_run: false,
            limits: WalkLimits::default(),
            max_bytes: 1 << 40,
        }
    }
}

/// What to get, and where to.
#[derive(Clone, Copy, Debug)]
pub struct GetRequest<'a> {
    /// The remote path; `~/` is the home directory.
    pub source: &'a [u8],
    /// The local directory for all hosts; made when missing.
    pub dest: &'a Path,
    /// The host's directory in it.
    pub host: &'a HostName,
}

/// Fetches `source` to `dest/<host>/<last part of source>`. Entries that fail are in the report; an error ends the
/// whole work.
pub fn get(
    session: &mut dyn Session,
    request: GetRequest<'_>,
    options: &GetOptions,
    elevate: Option<&Become>,
    progress: Progress<'_>,
    deadline: &Deadline,
) -> Result<TransferReport, SessionError> {
    let source = remote_path(request.source);
    let name = source.rsplit(|b| *b == b'/').next().unwrap_or_default().to_vec();
    if bad_name(&name).is_some() {
        let reason = "it has no last part to name the copy by: name a file or directory";
        return Err(FileError::failed(reason).at(&source));
    }
    let walk = session
        .files(elevate, deadline)?
        .walk(&source, options.limits, deadline)?;
    let local = |e: FileError| SessionError::Local(e.reason);
    let mut get = Get {
        source: &source,
        name: &name,
        options,
        entries: walk.entries,
        inside: Beneath::open(request.dest, request.host.as_str().as_bytes(), !options.dry_run).map_err(local)?,
        report: TransferReport::default(),
        blocked: HashSet::new(),
        directories: HashSet::new(),
        progress,
    };
    for (path, error) in walk.failures {
        get.report.fail(&join(&name, &path), error);
    }
    get.run(session, elevate, deadline)?;
    Ok(get.report)
}

struct Get<'a, 'p> {
    source: &'a [u8],
    /// The last part of the source.
    name: &'a [u8],
    options: &'a GetOptions,
    entries: Vec<WalkEntry>,
    inside: Beneath,
    report: TransferReport,
    /// Directories that could not be made here.
    blocked: HashSet<Vec<u8>>,
    /// Directories of the remote tree, as local paths.
    directories: HashSet<Vec<u8>>,
    progress: Progress<'p>,
}

/// A file to fetch or to compare.
struct Wanted {
    /// Where it is on the host.
    remote: Vec<u8>,
    /// Its path here.
    path: Vec<u8>,
    stat: RemoteStat,
    /// What is here now.
    here: Option<Stat>,
}

impl Get<'_, '_> {
    fn run(
        &mut self,
        session: &mut dyn Session,
        elevate: Option<&Become>,
        deadline: &Deadline,
    ) -> Result<(), SessionError> {
        let entries = std::mem::take(&mut self.entries);
        let mut files = Vec::new();
        let mut links = Vec::new();
        let mut made = Vec::new();
        for entry in &entries {
            let path = join(self.name, &entry.path);
            let above = path
                .iter()
                .rposition(|b| *b == b'/')
                .and_then(|slash| path.get(..slash));
            if above.is_some_and(|above| self.blocked.contains(above)) {
                self.report.failed += 1;
                self.blocked.insert(path);
                continue;
            }
            match entry.stat.kind {
                FileKind::Directory => self.directory(path, &entry.stat, &mut made),
                FileKind::File => files.push(entry),
                FileKind::Link => links.push((path, entry)),
                FileKind::Special => {
                    let warning = format!("`{}` is {}: not copied", show_path(&path), entry.stat.kind);
                    self.report.warn(warning);
                }
            }
            deadline
                .remaining()
                .map_err(|stop| SessionError::Stopped { stop, survivor: None })?;
        }
        let wanted = self.look(files);
        let wanted = self.compare(session, wanted, elevate, deadline)?;
        let total = wanted
            .iter()
            .fold(0_u64, |sum, file| sum.saturating_add(file.stat.size));
        if total > self.options.max_bytes {
            let reason = format!(
                "{total} bytes are to be fetched, {} are allowed",
                self.options.max_bytes
            );
            return Err(FileError::failed(reason).at(self.source));
        }
        if self.options.dry_run {
            for file in &wanted {
                let kind = if file.here.is_some() {
                    ChangeKind::Updated
                } else {
                    ChangeKind::Created
                };
                self.report.change(&file.path, kind);
                self.report.files += 1;
            }
            self.report.bytes = total;
        } else {
            self.fetch(session, &wanted, elevate, deadline)?;
        }
        for (path, entry) in links {
            self.link(&path, entry);
        }
        // The deepest first: a read-only directory cannot be written to any more.
        for (path, mode, mtime) in made.into_iter().rev() {
            if let Err(error) = self.inside.set_directory(&path, mode, mtime) {
                self.report.fail(&path, error);
            }
        }
        Ok(())
    }

    fn directory(&mut self, path: Vec<u8>, stat: &RemoteStat, made: &mut Vec<(Vec<u8>, u32, Option<i64>)>) {
        let mode = stat.mode & 0o777;
        let here = match self.inside.look(&path) {
            Ok(here) => here,
            Err(error) => {
                self.report.fail(&path, error);
                self.blocked.insert(path);
                return;
            }
        };
        let is_directory = |stat: &Stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        if here.as_ref().is_some_and(|here| !is_directory(here)) {
            let reason = "there is something here that is not a directory: remove it first";
            self.report.fail(&path, reason);
            self.blocked.insert(path);
            return;
        }
        let mtime = self.options.preserve_times.then_some(stat.mtime);
        let change = match &here {
            None => Some(ChangeKind::Created),
            Some(here) => {
                let wrong = here.st_mode & 0o777 != mode || mtime.is_some_and(|t| t != here.st_mtime);
                wrong.then_some(ChangeKind::Attributes)
            }
        };
        if self.options.dry_run {
            match change {
                Some(change) => self.report.change(&path, change),
                None => self.report.unchanged += 1,
            }
            self.directories.insert(path);
            return;
        }
        if let Err(error) = self.inside.make_directory(&path) {
            self.report.fail(&path, error);
            self.blocked.insert(path);
            return;
        }
        if here.is_some_and(|here| here.st_mode & 0o700 != 0o700) {
            // To be filled; where that is not possible the files in it say so.
            let _ = self.inside.set_directory(&path, mode | 0o700, None);
        }
        match change {
            Some(change) => self.report.change(&path, change),
            None => self.report.unchanged += 1,
        }
        self.directories.insert(path.clone());
        made.push((path, mode, mtime));
    }

    /// Looks at what is here in place of the files.
    fn look(&mut self, files: Vec<&WalkEntry>) -> Vec<Wanted> {
        let mut wanted = Vec::new();
        let mut seen = HashSet::new();
        for entry in files {
            let path = join(self.name, &entry.path);
            if !seen.insert(entry.path.clone()) {
                self.report.fail(&path, "the server listed it twice");
                continue;
            }
            let reason = match self.inside.look(&path) {
                Ok(None) => None,
                Ok(Some(here)) => match FileType::from_raw_mode(here.st_mode) {
                    FileType::RegularFile | FileType::Symlink => {
                        wanted.push(Wanted {
                            remote: join(self.source, &entry.path),
                            path,
                            stat: entry.stat.clone(),
                            here: Some(here),
                        });
                        continue;
                    }
                    _ => Some("there is something here that is not a file: remove it first".to_owned()),
                },
                Err(error) => Some(error.reason),
            };
            match reason {
                Some(reason) => self.report.fail(&path, reason),
                None => wanted.push(Wanted {
                    remote: join(self.source, &entry.path),
                    path,
                    stat: entry.stat.clone(),
                    here: None,
                }),
            }
        }
        wanted
    }

    /// Takes out the files that are here already.
    fn compare(
        &mut self,
        session: &mut dyn Session,
        wanted: Vec<Wanted>,
        elevate: Option<&Become>,
        deadline: &Deadline,
    ) -> Result<Vec<Wanted>, SessionError> {
        // A size of 0 may mean that the host does not know it.
        let could_be_same = |file: &Wanted| {
            file.here.as_ref().is_some_and(|here| {
                let is_file = FileType::from_raw_mode(here.st_mode) == FileType::RegularFile;
                is_file && u64::try_from(here.st_size).is_ok_and(|size| size == file.stat.size)
            })
        };
        let (candidates, mut different): (Vec<Wanted>, Vec<Wanted>) = wanted.into_iter().partition(could_be_same);
        if candidates.is_empty() {
            return Ok(different);
        }
        let pairs: Vec<_> = candidates
            .iter()
            .map(|file| Pair {
                remote: &file.remote,
                size: file.stat.size,
            })
            .collect();
        let local = Local {
            inside: std::cell::RefCell::new(&mut self.inside),
            files: &candidates,
        };
        let same = same(session, elevate, &pairs, &local, deadline)?;
        for (file, same) in candidates.into_iter().zip(same) {
            if same {
                self.attributes(&file);
            } else {
                different.push(file);
            }
        }
        Ok(different)
    }

    /// A file whose content is right: its mode and time.
    fn attributes(&mut self, file: &Wanted) {
        let mode = file.stat.mode & 0o777;
        let mtime = self.options.preserve_times.then_some(file.stat.mtime);
        let right = file
            .here
            .as_ref()
            .is_some_and(|here| here.st_mode & 0o7777 == mode && mtime.is_none_or(|t| t == here.st_mtime));
        if right {
            self.report.unchanged += 1;
        } else if self.options.dry_run {
            self.report.change(&file.path, ChangeKind::Attributes);
        } else {
            match self.inside.set_file(&file.path, mode, mtime) {
                Ok(()) => self.report.change(&file.path, ChangeKind::Attributes),
                Err(error) => self.report.fail(&file.path, error),
            }
        }
    }

    fn fetch(
        &mut self,
        session: &mut dyn Session,
        wanted: &[Wanted],
        elevate: Option<&Become>,
        deadline: &Deadline,
    ) -> Result<(), SessionError> {
        if wanted.is_empty() {
            return Ok(());
        }
        let left = self.options.max_bytes;
        let downloads: Vec<_> = wanted
            .iter()
            .map(|file| Download {
                path: &file.remote,
                size: file.stat.size,
                limit: if file.stat.size == 0 {
                    UNKNOWN_SIZE.min(left)
                } else {
                    // A file that grows meanwhile (a log) may do so within reason.
                    file.stat.size.saturating_mul(2).saturating_add(UNKNOWN_SIZE).min(left)
                },
            })
            .collect();
        let mut landing = Landing {
            inside: &mut self.inside,
            report: &mut self.report,
            options: self.options,
            wanted,
            open: HashMap::new(),
            progress: &mut *self.progress,
        };
        let result = session
            .files(elevate, deadline)?
            .download(&downloads, &mut landing, deadline);
        landing.clean_up();
        result
    }

    /// A link is made only when it leads to a place inside the host's directory.
    fn link(&mut self, path: &[u8], entry: &WalkEntry) {
        let Some(target) = &entry.link else {
            // A failed read of the link is in the report already.
            return;
        };
        if let Err(reason) = self.leads_inside(path, target) {
            let reason = format!("symbolic link to `{}`: {reason}: not made", show_path(target));
            return self.report.fail(path, reason);
        }
        let change = match self.inside.look(path) {
            Ok(None) => ChangeKind::Created,
            Ok(Some(here)) => match FileType::from_raw_mode(here.st_mode) {
                FileType::Symlink if self.inside.read_link(path).is_ok_and(|found| found == **target) => {
                    self.report.unchanged += 1;
                    return;
                }
                FileType::Symlink | FileType::RegularFile => ChangeKind::Updated,
                _ => {
                    let reason = "there is something here that is not a link: remove it first";
                    return self.report.fail(path, reason);
                }
            },
            Err(error) => return self.report.fail(path, error),
        };
        if !self.options.dry_run {
            let made = temporary_beside(path).and_then(|temporary| {
                self.inside.symlink(target, &temporary)?;
                self.inside
                    .rename(&temporary, path)
                    .inspect_err(|_| self.inside.remove(&temporary))
            });
            if let Err(error) = made {
                return self.report.fail(path, error);
            }
        }
        self.report.change(path, change);
    }

    /// `..` counts only from places known to be real directories of this tree: from anywhere else it could lead out
    /// by way of another link.
    fn leads_inside(&self, path: &[u8], target: &[u8]) -> Result<(), &'static str> {
        if target.starts_with(b"/") {
            return Err("it leads outside");
        }
        let mut at: Vec<&[u8]> = path.split(|b| *b == b'/').collect();
        at.pop();
        for part in target.split(|b| *b == b'/') {
            match part {
                b"" | b"." => {}
                b".." => {
                    if !at.is_empty() && !self.directories.contains(&at.join(&b'/')) {
                        return Err("`..` after something that is not a directory of the tree");
                    }
                    if at.pop().is_none() {
                        return Err("it leads outside");
                    }
                }
                name => at.push(name),
            }
        }
        Ok(())
    }
}

/// The local files of the pairs to compare.
struct Local<'a> {
    inside: std::cell::RefCell<&'a mut Beneath>,
    files: &'a [Wanted],
}

impl LocalSide for Local<'_> {
    fn sum(&self, pair: usize, kind: SumKind) -> Result<String, FileError> {
        let mut file = self.open(pair)?;
        kind.of_reader(&mut file).map_err(|e| FileError::local(e.to_string()))
    }

    fn open(&self, pair: usize) -> Result<File, FileError> {
        let file = self.files.get(pair).ok_or_else(|| FileError::local("no such file"))?;
        self.inside.borrow_mut().open_file(&file.path)
    }
}

/// Where fetched files land: a temporary file in the right directory, renamed when it is complete.
struct Landing<'a> {
    inside: &'a mut Beneath,
    report: &'a mut TransferReport,
    options: &'a GetOptions,
    wanted: &'a [Wanted],
    open: HashMap<usize, (File, Vec<u8>)>,
    progress: Progress<'a>,
}

impl Landing<'_> {
    fn file(&mut self, index: usize) -> Result<&File, FileError> {
        if !self.open.contains_key(&index) {
            let wanted = self.wanted.get(index).ok_or_else(|| FileError::local("no such file"))?;
            let made = self.inside.create_temporary(&wanted.path)?;
            self.open.insert(index, made);
        }
        match self.open.get(&index) {
            Some((file, _)) => Ok(file),
            None => Err(FileError::local("no such file")),
        }
    }

    fn land(&mut self, index: usize) -> Result<(), FileError> {
        // An empty file had no bytes to open it.
        self.file(index)?;
        let (Some((file, temporary)), Some(wanted)) = (self.open.remove(&index), self.wanted.get(index)) else {
            return Err(FileError::local("no such file"));
        };
        let mtime = self.options.preserve_times.then_some(wanted.stat.mtime);
        let landed = set_attributes(file.as_fd(), wanted.stat.mode, mtime)
            .and_then(|()| self.inside.rename(&temporary, &wanted.path));
        landed.inspect_err(|_| self.inside.remove(&temporary))
    }

    /// Removes the files that did not become complete.
    fn clean_up(&mut self) {
        let mut left: Vec<_> = self.open.drain().collect();
        left.sort_by_key(|(index, _)| *index);
        for (_, (_, temporary)) in left {
            self.inside.remove(&temporary);
        }
    }
}

impl DownloadSink for Landing<'_> {
    fn write(&mut self, index: usize, offset: u64, bytes: &[u8]) -> Result<(), FileError> {
        self.file(index)?
            .write_all_at(bytes, offset)
            .map_err(|e| FileError::local(format!("cannot write it here: {e}")))?;
        (self.progress)(bytes.len() as u64);
        Ok(())
    }

    fn finish(&mut self, index: usize, result: Result<u64, FileError>) {
        let Some(wanted) = self.wanted.get(index) else { return };
        match result.and_then(|bytes| self.land(index).map(|()| bytes)) {
            Ok(bytes) => {
                self.report.files += 1;
                self.report.bytes = self.report.bytes.saturating_add(bytes);
                let kind = if wanted.here.is_some() {
                    ChangeKind::Updated
                } else {
                    ChangeKind::Created
                };
                self.report.change(&wanted.path, kind);
            }
            Err(error) => {
                if let Some((_, temporary)) = self.open.remove(&index) {
                    self.inside.remove(&temporary);
                }
                self.report.fail(&wanted.path, error);
            }
        }
    }
}
