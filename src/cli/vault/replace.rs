//! Reading and replacing files: whole or not at all, with owner and permissions kept, and nothing but the result of the
//! user's own may be read by others.

use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Gid, Uid};
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use crate::cli::vault::private::wipe;
use crate::source::Diagnostic;

/// Largest file that is encrypted or decrypted.
const LARGEST: u64 = 512 << 20;

/// True for `-`.
pub(super) fn is_stdio(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Reads a file, or standard input.
pub(super) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Diagnostic> {
    if is_stdio(path) {
        return read_all(&mut io::stdin().lock(), 0)
            .map_err(|error| Diagnostic::new(format!("cannot read standard input: {error}")));
    }
    let cannot = |error: io::Error| Diagnostic::new(format!("cannot read `{}`: {error}", path.display()));
    let mut file = File::open(path).map_err(cannot)?;
    let size = file.metadata().map_err(cannot)?.len();
    read_all(&mut file, size).map_err(cannot)
}

pub(super) fn read_all(from: &mut impl Read, size: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    // Room for all of it: what a vector leaves behind when it grows is not wiped.
    let room = usize::try_from(size.min(LARGEST)).unwrap_or(0);
    let mut bytes = Zeroizing::new(Vec::with_capacity(room + 1));
    from.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::other(format!("it is larger than {} MiB", LARGEST >> 20)));
    }
    Ok(bytes)
}

/// Writes a result where `--output` says; without it, and for `-`, to standard output.
pub(super) fn write_output(output: Option<&Path>, content: &[u8]) -> Result<(), Diagnostic> {
    let Some(path) = output.filter(|path| !is_stdio(path) && path.as_os_str() != "/dev/stdout") else {
        let mut out = io::stdout().lock();
        return match out.write_all(content).and_then(|()| out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Diagnostic::new(format!("cannot write to standard output: {error}")))
            }
            _ => Ok(()),
        };
    };
    let cannot = |error: io::Error| Diagnostic::new(format!("cannot write `{}`: {error}", path.display()));
    if let Ok(meta) = std::fs::metadata(path)
        && !meta.is_file()
    {
        if meta.is_dir() {
            return Err(Diagnostic::new(format!("`{}` is a directory", path.display())));
        }
        // A pipe or a device cannot be replaced.
        let mut out = OpenOptions::new().write(true).open(path).map_err(cannot)?;
        return out.write_all(content).map_err(cannot);
    }
    let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut temp = beside(&real).map_err(cannot)?;
    put(&mut temp, content, None).map_err(cannot)?;
    temp.persist(&real).map_err(|error| cannot(error.error))?;
    settle(&real);
    Ok(())
}

/// A file that is going to be replaced. Whatever could keep that from happening is found out before the work on the
/// new content begins.
pub(super) struct Replacement {
    /// As the user named it.
    shown: PathBuf,
    /// Where links lead in the end: that is what is replaced.
    real: PathBuf,
    meta: Metadata,
    old: Zeroizing<Vec<u8>>,
    temp: NamedTempFile,
}

impl Replacement {
    /// Reads the file and makes room for its successor, with the same owner.
    pub(super) fn of(path: &Path) -> Result<Self, Diagnostic> {
        let shown = path.display();
        let cannot = |error: io::Error| Diagnostic::new(format!("cannot read `{shown}`: {error}"));
        let real = std::fs::canonicalize(path).map_err(cannot)?;
        let mut file = File::open(&real).map_err(cannot)?;
        let meta = file.metadata().map_err(cannot)?;
        if !meta.is_file() {
            return Err(Diagnostic::new(format!("`{shown}` is no regular file")));
        }
        let old = read_all(&mut file, meta.len()).map_err(cannot)?;
        let cannot = |error: io::Error| {
            let folder = real.parent().unwrap_or(Path::new("/")).display();
            Diagnostic::new(format!(
                "cannot replace `{shown}`: its folder `{folder}` cannot be written to: {error}"
            ))
        };
        let temp = beside(&real).map_err(cannot)?;
        let own = temp.as_file().metadata().map_err(cannot)?;
        if (own.uid(), own.gid()) != (meta.uid(), meta.gid()) {
            let (user, group) = (Uid::from_raw(meta.uid()), Gid::from_raw(meta.gid()));
            rustix::fs::fchown(temp.as_file(), Some(user), Some(group)).map_err(|error| {
                let owner = format!("user {}, group {}", meta.uid(), meta.gid());
                Diagnostic::new(format!(
                    "cannot replace `{shown}` and keep its owner ({owner}): {error}"
                ))
                .help("do it as that user, or as root")
            })?;
        }
        Ok(Self {
            shown: path.to_owned(),
            real,
            meta,
            old,
            temp,
        })
    }

    /// What the file held when it was read.
    pub(super) fn old(&self) -> &[u8] {
        &self.old
    }

    /// True for the same file, whatever its name.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.real == other.real
    }

    /// Puts the new content in place, whole or not at all. With `overwrite` the old content is overwritten when it has
    /// no other name.
    pub(super) fn finish(mut self, content: &[u8], overwrite: bool) -> Result<(), Diagnostic> {
        let shown = self.shown.display();
        let cannot = |error: io::Error| Diagnostic::new(format!("cannot write `{shown}`: {error}"));
        if *read(&self.real)? != *self.old {
            return Err(Diagnostic::new(format!(
                "`{shown}` was changed by somebody else meanwhile, so it is left as it is"
            )));
        }
        put(&mut self.temp, content, Some(self.meta.mode() & 0o7777)).map_err(cannot)?;
        let old = overwrite
            .then(|| OpenOptions::new().write(true).open(&self.real).ok())
            .flatten();
        self.temp.persist(&self.real).map_err(|error| cannot(error.error))?;
        settle(&self.real);
        if let Some(mut old) = old {
            // With another name left it is still somebody's file.
            if old.metadata().is_ok_and(|meta| meta.nlink() == 0) {
                let _ = wipe(&mut old);
            }
        }
        Ok(())
    }
}

/// A temporary file in the same folder, 0600.
fn beside(path: &Path) -> io::Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    tempfile::Builder::new()
        .prefix(".batchssh-vault-")
        .tempfile_in(folder.unwrap_or(Path::new(".")))
}

fn put(temp: &mut NamedTempFile, content: &[u8], mode: Option<u32>) -> io::Result<()> {
    temp.write_all(content)?;
    if let Some(mode) = mode {
        temp.as_file().set_permissions(Permissions::from_mode(mode))?;
    }
    temp.as_file().sync_all()
}

/// The new name is on the disk, too.
fn settle(path: &Path) {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let _ = File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all());
}
