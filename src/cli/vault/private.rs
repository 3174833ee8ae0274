//! A place for plain text while an editor works on it.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Seek as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use tempfile::TempDir;
use zeroize::Zeroizing;

use crate::cli::vault::replace::read_all;
use crate::settings::Environment;
use crate::source::Diagnostic;

/// File systems that live in memory: `tmpfs` and `ramfs` (statfs(2)).
const IN_MEMORY: [u64; 2] = [0x0102_1994, 0x8584_58f6];

/// Overwrites what a file holds. Where the file system writes elsewhere (copy on write, flash), the old content may
/// be found on the device all the same.
pub(super) fn wipe(file: &mut File) -> io::Result<()> {
    let mut left = file.metadata()?.len();
    let noise = [0xAA; 16 * 1024];
    file.rewind()?;
    while left > 0 {
        let piece = usize::try_from(left).unwrap_or(usize::MAX).min(noise.len());
        file.write_all(noise.get(..piece).unwrap_or_default())?;
        left -= piece as u64;
    }
    file.sync_data()
}

/// A folder for plain text that nobody else can enter, in memory where there is such a place. When it goes, what is in
/// it is overwritten first.
pub(super) struct PrivateFolder {
    dir: TempDir,
    /// It does not lie in memory.
    pub(super) is_on_disk: bool,
}

impl PrivateFolder {
    /// Makes one.
    pub(super) fn new(environment: &Environment) -> Result<Self, Diagnostic> {
        let places = environment
            .runtime_dir
            .clone()
            .into_iter()
            .chain([PathBuf::from("/dev/shm")]);
        let in_memory = places
            .filter(|place| is_in_memory(place))
            .find_map(|place| folder_in(&place).ok());
        if let Some(dir) = in_memory {
            return Ok(Self { dir, is_on_disk: false });
        }
        let place = std::env::temp_dir();
        let dir = folder_in(&place)
            .map_err(|error| Diagnostic::new(format!("cannot make a folder in `{}`: {error}", place.display())))?;
        Ok(Self { dir, is_on_disk: true })
    }

    /// Writes a new file, 0600.
    pub(super) fn write(&self, name: &str, content: &[u8]) -> Result<PathBuf, Diagnostic> {
        let path = self.dir.path().join(name);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let written = options.open(&path).and_then(|mut file| file.write_all(content));
        written.map_err(|error| Diagnostic::new(format!("cannot write `{}`: {error}", path.display())))?;
        Ok(path)
    }

    /// Reads the file an editor left under that name. `None`: there is none.
    pub(super) fn read(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, Diagnostic> {
        let cannot = |error: io::Error| Diagnostic::new(format!("cannot read `{}`: {error}", path.display()));
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let mut file = match rustix::fs::open(path, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(error) => return Err(cannot(error.into())),
        };
        let meta = file.metadata().map_err(cannot)?;
        if !meta.is_file() {
            return Err(cannot(io::Error::other(
                "the editor made something else than a file of it",
            )));
        }
        read_all(&mut file, meta.len()).map(Some).map_err(cannot)
    }
}

impl Drop for PrivateFolder {
    fn drop(&mut self) {
        // Editors leave copies: swap files, backups.
        for entry in walkdir::WalkDir::new(self.dir.path()).into_iter().flatten() {
            if entry.file_type().is_file() {
                let _ = OpenOptions::new()
                    .write(true)
                    .open(entry.path())
                    .and_then(|mut file| wipe(&mut file));
            }
        }
    }
}

fn folder_in(place: &Path) -> io::Result<TempDir> {
    tempfile::Builder::new()
        .prefix("batchssh-vault-")
        .permissions(Permissions::from_mode(0o700))
        .tempdir_in(place)
}

#[expect(clippy::allow_attributes, reason = "the type of the field depends on the system")]
fn is_in_memory(place: &Path) -> bool {
    #[allow(clippy::useless_conversion, clippy::unnecessary_cast, clippy::cast_sign_loss)]
    rustix::fs::statfs(place).is_ok_and(|told| IN_MEMORY.contains(&(told.f_type as u64)))
}
