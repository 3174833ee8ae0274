//! Files of the controller: finding them, digests, and writing whole or not at all.

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::{Component, Path, PathBuf};

use sha1::Digest;

use crate::modules::ModuleError;
use crate::modules::step::Content;
use crate::vault::Keyring;

/// Of an encrypted file up to this size nothing is shown, when a task prints it.
const LOOKED_FOR: usize = 64 * 1024;

/// Finds a file the user named: as it is when absolute, else in each folder's `kind` and in the folder itself.
pub fn find(name: &str, kind: &str, search: &[PathBuf]) -> Result<PathBuf, ModuleError> {
    let path = expand_home(name);
    if path.is_absolute() {
        return match path.symlink_metadata() {
            Ok(_) => Ok(path),
            Err(e) => Err(ModuleError::failed(format!("could not find src={name}: {e}"))),
        };
    }
    let mut tried = Vec::new();
    for folder in search {
        for candidate in [folder.join(kind).join(&path), folder.join(&path)] {
            if candidate.symlink_metadata().is_ok() {
                return Ok(candidate);
            }
            tried.push(candidate.display().to_string());
        }
    }
    Err(ModuleError::failed(format!(
        "could not find or access `{name}`; searched in: {}",
        tried.join(", ")
    )))
}

/// `~` and `~/…` of the controller's user.
pub fn expand_home(name: &str) -> PathBuf {
    let rest = match name.strip_prefix('~') {
        Some("") => Some(""),
        Some(rest) => rest.strip_prefix('/'),
        None => None,
    };
    match (rest, std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(name),
    }
}

/// Digests of a file's content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Digests {
    /// SHA-1, hexadecimal.
    pub sha1: String,
    /// MD5, hexadecimal.
    pub md5: String,
    /// Bytes.
    pub size: u64,
}

/// Digests of bytes.
pub fn digest(bytes: &[u8]) -> Digests {
    Digests {
        sha1: hex(&sha1::Sha1::digest(bytes)),
        md5: hex(&md5::Md5::digest(bytes)),
        size: bytes.len() as u64,
    }
}

/// Digests of a file, read in pieces.
pub fn digest_file(path: &Path) -> Result<Digests, ModuleError> {
    let fail = |e: io::Error| ModuleError::failed(format!("cannot read `{}`: {e}", path.display()));
    let mut file = File::open(path).map_err(fail)?;
    let (mut sha1, mut md5, mut size) = (sha1::Sha1::new(), md5::Md5::new(), 0_u64);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = file.read(&mut buffer).map_err(fail)?;
        if count == 0 {
            break;
        }
        let part = buffer.get(..count).unwrap_or_default();
        sha1.update(part);
        md5.update(part);
        size = size.saturating_add(count as u64);
    }
    Ok(Digests {
        sha1: hex(&sha1.finalize()),
        md5: hex(&md5.finalize()),
        size,
    })
}

/// A file of the controller for a host: what is encrypted in it when it is encrypted and `decrypt` says so, else the
/// file as it is. Its digests are those of what is sent.
#[derive(Debug)]
pub struct Source {
    /// What is sent.
    pub content: Content,
    /// Digests and size of that.
    pub digests: Digests,
    /// It was encrypted: no difference may be shown.
    pub is_hidden: bool,
}

impl Source {
    /// Reads the file at `path`.
    pub fn read(path: &Path, vault: &Keyring, decrypt: bool) -> Result<Self, ModuleError> {
        let plain = if decrypt { vault.content(path)? } else { None };
        Ok(match plain {
            Some(plain) => Self {
                digests: reveal(&plain, vault),
                content: Content::Bytes(plain.as_slice().into()),
                is_hidden: true,
            },
            None => {
                let digests = digest_file(path)?;
                Self {
                    content: Content::File {
                        path: path.to_owned(),
                        size: digests.size,
                    },
                    digests,
                    is_hidden: false,
                }
            }
        })
    }
}

/// What is sent must not be shown afterwards, either, as far as it can be looked for. Gives its digests.
fn reveal(plain: &[u8], vault: &Keyring) -> Digests {
    if let (true, Ok(text)) = (plain.len() <= LOOKED_FOR, std::str::from_utf8(plain)) {
        vault.revealed().add(text);
    }
    digest(plain)
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|b| [b >> 4, b & 15]);
    digits
        .filter_map(|digit| char::from_digit(u32::from(digit), 16))
        .collect()
}

/// A file of the controller that appears whole under its name, or not at all.
#[derive(Debug)]
pub struct Incoming {
    file: tempfile::NamedTempFile,
    sha1: sha1::Sha1,
    size: u64,
}

impl Incoming {
    /// Begins one beside `target`; its directories are made.
    pub fn beside(target: &Path) -> io::Result<Self> {
        let folder = target
            .parent()
            .filter(|p| !p.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        let file = tempfile::Builder::new().prefix(".batchssh-").tempfile_in(folder)?;
        Ok(Self {
            file,
            sha1: sha1::Sha1::new(),
            size: 0,
        })
    }

    /// Takes what came.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sha1.update(bytes);
        self.size = self.size.saturating_add(bytes.len() as u64);
        self.file.write_all(bytes)
    }

    /// Bytes so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// SHA-1 of the bytes so far.
    pub fn sha1(&self) -> String {
        hex(&self.sha1.clone().finalize())
    }

    /// Puts it in place with the permissions new files have.
    pub fn finish(self, target: &Path) -> io::Result<()> {
        use std::os::unix::fs::PermissionsExt;
        self.file.as_file().sync_all()?;
        let mode = 0o666 & !umask();
        self.file
            .as_file()
            .set_permissions(std::fs::Permissions::from_mode(mode))?;
        self.file.persist(target).map_err(|e| e.error)?;
        Ok(())
    }
}

/// The process's umask, without changing it.
fn umask() -> u32 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("Umask:"));
    line.and_then(|value| u32::from_str_radix(value.trim(), 8).ok())
        .unwrap_or(0o022)
}

/// A remote path as a path below a local folder: no `..`, no root. What the host says never decides it.
pub fn below(remote: &str) -> Option<PathBuf> {
    let mut out = PathBuf::new();
    for part in Path::new(remote).components() {
        match part {
            Component::Normal(name) => out.push(name),
            Component::RootDir | Component::CurDir => {}
            Component::ParentDir | Component::Prefix(_) => return None,
        }
    }
    (!out.as_os_str().is_empty()).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_the_known_ones() {
        let digests = digest(b"changed\n");
        assert_eq!(digests.sha1, "2f6933b5ee0f5fdd823d9717d8729f3c2523811b");
        assert_eq!(digest(b"").md5, "d41d8cd98f00b204e9800998ecf8427e");
    }

    #[test]
    fn a_remote_path_cannot_climb_out() {
        assert_eq!(below("/etc/../x"), None);
        assert_eq!(below("/etc//./motd"), Some(PathBuf::from("etc/motd")));
        assert_eq!(below("/"), None);
    }

    #[test]
    fn files_are_found_in_their_kind_first() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("files")).unwrap();
        std::fs::write(dir.path().join("a"), "").unwrap();
        std::fs::write(dir.path().join("files/a"), "").unwrap();
        std::fs::write(dir.path().join("b"), "").unwrap();
        let search = [dir.path().to_owned()];
        assert_eq!(find("a", "files", &search).unwrap(), dir.path().join("files/a"));
        assert_eq!(find("b", "files", &search).unwrap(), dir.path().join("b"));
        assert!(
            find("c", "files", &search)
                .unwrap_err()
                .to_string()
                .contains("searched in")
        );
    }
}
