//! Writing below one directory of this machine and never outside it, whatever names a server gives: every step goes
//! from a directory handle, and no symbolic link is followed.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Stat, Timespec, Timestamps, fchmod, futimens, mkdirat, openat,
    openat2, readlinkat, renameat, statat, symlinkat, unlinkat,
};
use rustix::io::Errno;

use crate::transport::files::{FileError, bad_name, temporary_beside};

/// A directory of this machine, and what is below it. Paths are relative to it, their names already checked.
#[derive(Debug)]
pub(super) struct Beneath {
    /// `None`: it is not there, and nothing was to be made.
    root: Option<OwnedFd>,
    /// The directory used last.
    last: Option<(Vec<u8>, OwnedFd)>,
    /// The kernel has no openat2 (before 5.6), or a sandbox forbids it.
    plain: bool,
}

impl Beneath {
    /// Opens the directory `name` in `dir`; with `make` both are made when missing, without it what is missing is
    /// empty. `name` is one name and may not be a link.
    pub(super) fn open(dir: &Path, name: &[u8], make: bool) -> Result<Self, FileError> {
        let cannot = |what: &str, e: &dyn std::fmt::Display| {
            let path = dir.join(std::ffi::OsStr::from_bytes(name));
            FileError::local(format!("cannot {what} `{}`: {e}", path.display()))
        };
        if let Some(why) = bad_name(name) {
            return Err(cannot("make", &why));
        }
        let none = Self {
            root: None,
            last: None,
            plain: false,
        };
        if make {
            std::fs::create_dir_all(dir).map_err(|e| cannot("make", &e))?;
        }
        let above = match openat(CWD, dir, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) {
            Err(Errno::NOENT) if !make => return Ok(none),
            other => other.map_err(|e| cannot("open", &e))?,
        };
        if make {
            match mkdirat(&above, name, Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(e) => return Err(cannot("make", &e)),
            }
        }
        match openat(above, name, DIRECTORY, Mode::empty()) {
            Err(Errno::NOENT) if !make => Ok(none),
            Err(e) => Err(cannot("open", &e)),
            Ok(root) => Ok(Self {
                root: Some(root),
                ..none
            }),
        }
    }

    fn root(&self) -> Result<BorrowedFd<'_>, Errno> {
        self.root.as_ref().map(AsFd::as_fd).ok_or(Errno::NOENT)
    }

    /// The directory at `path`; empty: the root.
    fn directory(&mut self, path: &[u8]) -> Result<BorrowedFd<'_>, Errno> {
        if path.is_empty() || path == b"." {
            return self.root();
        }
        if self.last.as_ref().is_none_or(|(last, _)| last != path) {
            let fd = self.open_directory(path)?;
            self.last = Some((path.to_vec(), fd));
        }
        match &self.last {
            Some((_, fd)) => Ok(fd.as_fd()),
            None => Err(Errno::NOENT),
        }
    }

    fn open_directory(&mut self, path: &[u8]) -> Result<OwnedFd, Errno> {
        if !self.plain {
            let inside = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
            match openat2(self.root()?, path, DIRECTORY, Mode::empty(), inside) {
                Err(Errno::NOSYS | Errno::PERM) => self.plain = true,
                other => return other,
            }
        }
        let mut at = None;
        for name in path.split(|b| *b == b'/') {
            if bad_name(name).is_some() {
                return Err(Errno::INVAL);
            }
            let from = match &at {
                Some(fd) => AsFd::as_fd(fd),
                None => self.root()?,
            };
            at = Some(openat(from, name, DIRECTORY, Mode::empty())?);
        }
        at.ok_or(Errno::INVAL)
    }

    /// The directory a path is in, and its name there.
    fn place<'p>(&mut self, path: &'p [u8]) -> Result<(BorrowedFd<'_>, &'p [u8]), FileError> {
        let (dir, name) = split(path);
        if let Some(why) = bad_name(name) {
            return Err(FileError::local(why));
        }
        let fd = self.directory(dir).map_err(|e| error("open the directory of", e))?;
        Ok((fd, name))
    }

    /// What is at `path`, links not followed.
    pub(super) fn look(&mut self, path: &[u8]) -> Result<Option<Stat>, FileError> {
        let (dir, name) = split(path);
        let dir = match self.directory(dir) {
            Ok(dir) => dir,
            Err(Errno::NOENT) => return Ok(None),
            Err(e) => return Err(error("open the directory of", e)),
        };
        match statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(e) => Err(error("look at", e)),
        }
    }

    /// Makes a directory, or takes one that is there and opens it for its owner. True: it was made.
    pub(super) fn make_directory(&mut self, path: &[u8]) -> Result<bool, FileError> {
        let (dir, name) = self.place(path)?;
        let made = match mkdirat(dir, name, Mode::RWXU) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(e) => return Err(error("make", e)),
        };
        if made {
            return Ok(true);
        }
        match self.look(path)? {
            Some(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => Ok(false),
            _ => Err(FileError::local(
                "there is something here that is not a directory: remove it first",
            )),
        }
    }

    /// A new file with an unguessable name in the directory of `path`; gives its path too.
    pub(super) fn create_temporary(&mut self, path: &[u8]) -> Result<(File, Vec<u8>), FileError> {
        let temporary = temporary_beside(path)?;
        let (dir, name) = self.place(&temporary)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(dir, name, flags, Mode::RUSR | Mode::WUSR).map_err(|e| error("make a file beside", e))?;
        Ok((File::from(file), temporary))
    }

    /// Opens a regular file for reading.
    pub(super) fn open_file(&mut self, path: &[u8]) -> Result<File, FileError> {
        let (dir, name) = self.place(path)?;
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = openat(dir, name, flags, Mode::empty()).map_err(|e| error("read", e))?;
        Ok(File::from(file))
    }

    /// Renames inside one directory, replacing a file or link.
    pub(super) fn rename(&mut self, from: &[u8], to: &[u8]) -> Result<(), FileError> {
        let (_, from) = split(from);
        let (dir, to) = self.place(to)?;
        renameat(dir, from, dir, to).map_err(|e| error("rename to", e))
    }

    /// Makes a symbolic link.
    pub(super) fn symlink(&mut self, target: &[u8], path: &[u8]) -> Result<(), FileError> {
        let (dir, name) = self.place(path)?;
        symlinkat(target, dir, name).map_err(|e| error("make the link", e))
    }

    /// What a symbolic link says.
    pub(super) fn read_link(&mut self, path: &[u8]) -> Result<Vec<u8>, FileError> {
        let (dir, name) = self.place(path)?;
        let target = readlinkat(dir, name, Vec::new()).map_err(|e| error("read the link", e))?;
        Ok(target.into_bytes())
    }

    /// Removes a file or link; one that is gone is fine.
    pub(super) fn remove(&mut self, path: &[u8]) {
        if let Ok((dir, name)) = self.place(path) {
            // What cannot be removed has an unguessable name and is reported as a failure already.
            let _ = unlinkat(dir, name, AtFlags::empty());
        }
    }

    /// Sets mode and time of a directory.
    pub(super) fn set_directory(&mut self, path: &[u8], mode: u32, mtime: Option<i64>) -> Result<(), FileError> {
        let dir = self.directory(path).map_err(|e| error("open", e))?;
        set_attributes(dir, mode, mtime)
    }

    /// Sets mode and time of a regular file that is there.
    pub(super) fn set_file(&mut self, path: &[u8], mode: u32, mtime: Option<i64>) -> Result<(), FileError> {
        let file = self.open_file(path)?;
        set_attributes(file.as_fd(), mode, mtime)
    }
}

/// Sets mode and time of an open file.
pub(super) fn set_attributes(file: BorrowedFd<'_>, mode: u32, mtime: Option<i64>) -> Result<(), FileError> {
    fchmod(file, Mode::from_raw_mode(mode & 0o777)).map_err(|e| error("set the mode of", e))?;
    if let Some(seconds) = mtime {
        let time = Timespec {
            tv_sec: seconds,
            tv_nsec: 0,
        };
        let times = Timestamps {
            last_access: time,
            last_modification: time,
        };
        futimens(file, &times).map_err(|e| error("set the time of", e))?;
    }
    Ok(())
}

const DIRECTORY: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|b| *b == b'/') {
        Some(slash) => (
            path.get(..slash).unwrap_or_default(),
            path.get(slash + 1..).unwrap_or_default(),
        ),
        None => (b"", path),
    }
}

fn error(what: &str, e: Errno) -> FileError {
    FileError::local(format!("cannot {what} it here: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_on_the_way_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let outside = dir.path().join("outside");
        std::fs::create_dir(&outside).unwrap();
        for plain in [false, true] {
            let mut beneath = Beneath::open(&dir.path().join("dest"), b"web1", true).unwrap();
            beneath.plain = plain;
            beneath.remove(b"out");
            beneath.symlink(outside.as_os_str().as_bytes(), b"out").unwrap();
            assert!(beneath.create_temporary(b"out/x").is_err());
            assert!(beneath.make_directory(b"out").is_err());
            assert!(beneath.make_directory(b"../y").is_err());
            assert!(beneath.make_directory(b"out/y").is_err());
            assert!(beneath.create_temporary(b"/tmp/x").is_err());
        }
        assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
    }

    #[test]
    fn a_host_name_that_leads_elsewhere_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        for name in [&b".."[..], b"a/b", b"", b"."] {
            assert!(Beneath::open(dir.path(), name, true).is_err());
        }
        std::os::unix::fs::symlink("/tmp", dir.path().join("web1")).unwrap();
        assert!(Beneath::open(dir.path(), b"web1", true).is_err());
    }
}
