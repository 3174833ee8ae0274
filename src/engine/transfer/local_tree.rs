//! What is to be put, looked at once for all hosts. Names are bytes.

use std::fs::Metadata;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::transport::files::{FileError, join, parent, show_path};
use crate::transport::local_file::open_regular;
use crate::transport::manifest::SumKind;

/// Longer remote paths are refused: no system takes them.
const LONGEST: usize = 4000;

/// What one local path is.
#[derive(Debug)]
pub enum LocalKind {
    /// A file of so many bytes.
    File {
        /// Bytes.
        size: u64,
        /// Checksums made so far.
        sums: Mutex<Vec<(SumKind, String)>>,
    },
    /// A directory.
    Directory,
    /// A symbolic link, and what it says.
    Link(Vec<u8>),
}

/// One local path and its place on the hosts.
#[derive(Debug)]
pub struct LocalEntry {
    /// Here.
    pub local: PathBuf,
    /// There.
    pub remote: Vec<u8>,
    /// What it is.
    pub kind: LocalKind,
    /// Permission bits.
    pub mode: u32,
    /// Last change, seconds since the epoch.
    pub mtime: i64,
    /// The entry of the directory it is in; `None`: a source itself.
    pub parent: Option<usize>,
    /// Directories between the source and it.
    pub depth: usize,
}

impl LocalEntry {
    /// The checksum of a file, made once however many hosts ask.
    pub fn sum(&self, kind: SumKind) -> Result<String, FileError> {
        let LocalKind::File { size, sums } = &self.kind else {
            return Err(FileError::local(format!("`{}` is not a file", self.local.display())));
        };
        // Held while reading: hosts that ask at the same time wait for the one that reads.
        let mut sums = sums.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, sum)) = sums.iter().find(|(k, _)| *k == kind) {
            return Ok(sum.clone());
        }
        let mut file = open_regular(&self.local, *size)?;
        let sum = kind
            .of_reader(&mut file)
            .map_err(|e| FileError::local(format!("cannot read `{}`: {e}", self.local.display())))?;
        sums.push((kind, sum.clone()));
        Ok(sum)
    }
}

/// Everything that is to be put, every directory before what is in it.
#[derive(Debug)]
pub struct LocalTree {
    /// The entries.
    pub entries: Vec<LocalEntry>,
    /// The directory that must be there before; it and those above it are made when missing.
    pub into: Option<Vec<u8>>,
    /// What was left out, for people.
    pub warnings: Vec<String>,
}

impl LocalTree {
    /// Looks at `sources`. `dest` names the copy itself; with a trailing `/`, or with several sources, it is the
    /// directory to put them into. `~/` is the home directory. The error is for people.
    pub fn scan(sources: &[PathBuf], dest: &[u8]) -> Result<Arc<Self>, String> {
        if sources.is_empty() {
            return Err("nothing to put: name at least one file or directory".to_owned());
        }
        let into = sources.len() > 1 || dest.ends_with(b"/") || dest == b"~";
        let dest = remote_dest(dest)?;
        let mut tree = Self {
            entries: Vec::new(),
            into: into.then(|| dest.clone()),
            warnings: Vec::new(),
        };
        let mut names = std::collections::HashMap::new();
        for source in sources {
            let remote = if into {
                let name = last_name(source)?;
                if let Some(other) = names.insert(name.clone(), source) {
                    return Err(format!(
                        "`{}` and `{}` would both become `{}`",
                        other.display(),
                        source.display(),
                        show_path(&join(&dest, &name))
                    ));
                }
                join(&dest, &name)
            } else {
                dest.clone()
            };
            tree.add_source(source, &remote)?;
        }
        if let (None, Some(LocalKind::Directory)) = (&tree.into, tree.entries.first().map(|e| &e.kind)) {
            tree.into = Some(parent(&dest).to_vec()).filter(|dir| !matches!(dir.as_slice(), b"." | b"/"));
        }
        Ok(Arc::new(tree))
    }

    fn add_source(&mut self, source: &Path, remote: &[u8]) -> Result<(), String> {
        let cannot = |e: std::io::Error| format!("cannot read `{}`: {e}", source.display());
        // A source that is a link stands for what it leads to; one that leads nowhere is copied as a link.
        let meta = std::fs::metadata(source)
            .or_else(|_| std::fs::symlink_metadata(source))
            .map_err(cannot)?;
        if !meta.is_dir() {
            if !self.add(source, remote.to_vec(), &meta, None, 0)? {
                return Err(format!(
                    "`{}` is a FIFO, socket or device: it cannot be copied",
                    source.display()
                ));
            }
            return Ok(());
        }
        // Of each directory on the way down: its depth and entry.
        let mut parents: Vec<usize> = Vec::new();
        let walk = walkdir::WalkDir::new(source)
            .follow_root_links(true)
            .sort_by_file_name();
        for found in walk {
            let found = found.map_err(|e| {
                let path = e.path().unwrap_or(source).display().to_string();
                match e.into_io_error() {
                    Some(io) => format!("cannot read `{path}`: {io}"),
                    None => format!("cannot read `{path}`"),
                }
            })?;
            let depth = found.depth();
            parents.truncate(depth);
            let below = found.path().strip_prefix(source).unwrap_or(Path::new(""));
            let path = join(remote, below.as_os_str().as_bytes());
            let meta = if depth == 0 {
                meta.clone()
            } else {
                found
                    .path()
                    .symlink_metadata()
                    .map_err(|e| format!("cannot read `{}`: {e}", found.path().display()))?
            };
            let index = self.entries.len();
            self.add(found.path(), path, &meta, parents.last().copied(), depth)?;
            if meta.is_dir() {
                parents.push(index);
            }
        }
        Ok(())
    }

    /// Adds one path. False: it is of a type that is not copied.
    fn add(
        &mut self,
        local: &Path,
        remote: Vec<u8>,
        meta: &Metadata,
        parent: Option<usize>,
        depth: usize,
    ) -> Result<bool, String> {
        if remote.len() > LONGEST {
            return Err(format!(
                "`{}` would have a path of {} bytes on the host, {LONGEST} are possible",
                local.display(),
                remote.len()
            ));
        }
        let kind = if meta.is_dir() {
            LocalKind::Directory
        } else if meta.is_file() {
            LocalKind::File {
                size: meta.len(),
                sums: Mutex::default(),
            }
        } else if meta.is_symlink() {
            let target = std::fs::read_link(local).map_err(|e| format!("cannot read `{}`: {e}", local.display()))?;
            LocalKind::Link(target.into_os_string().into_vec())
        } else {
            self.warnings.push(format!(
                "`{}` is a FIFO, socket or device: not copied",
                show_path(local.as_os_str().as_bytes())
            ));
            return Ok(false);
        };
        self.entries.push(LocalEntry {
            local: local.to_owned(),
            remote,
            kind,
            mode: meta.mode() & 0o7777,
            mtime: meta.mtime(),
            parent,
            depth,
        });
        Ok(true)
    }
}

/// The name a source has inside a directory.
fn last_name(source: &Path) -> Result<Vec<u8>, String> {
    if let Some(name) = source.file_name() {
        return Ok(name.as_bytes().to_vec());
    }
    // `.`, `..`, `a/..`
    let real = source
        .canonicalize()
        .map_err(|e| format!("cannot read `{}`: {e}", source.display()))?;
    match real.file_name() {
        Some(name) => Ok(name.as_bytes().to_vec()),
        None => Err(format!(
            "`{}` has no name to put it under: name the copy itself, without a trailing `/`",
            source.display()
        )),
    }
}

/// The destination as the host takes it: relative paths and `~/` start at the home directory, `/` at the end is gone.
fn remote_dest(dest: &[u8]) -> Result<Vec<u8>, String> {
    if dest.contains(&0) {
        return Err("the destination holds a NUL byte".to_owned());
    }
    let path = remote_path(dest);
    if path.is_empty() {
        return Err("the destination is empty: name a file or directory on the host".to_owned());
    }
    Ok(path)
}

/// A remote path as written by the user: `~/x` is `x` below the home directory; no `/` at the end.
pub(super) fn remote_path(path: &[u8]) -> Vec<u8> {
    let path = match path {
        b"~" | b"~/" => b".",
        path => match path.strip_prefix(b"~/") {
            Some(rest) => {
                let start = rest.iter().position(|b| *b != b'/').unwrap_or(rest.len());
                match rest.get(start..) {
                    None | Some(b"") => b".",
                    Some(rest) => rest,
                }
            }
            None => path,
        },
    };
    match path.iter().rposition(|b| *b != b'/') {
        Some(last) => path.get(..=last).unwrap_or(path).to_vec(),
        None if path.is_empty() => Vec::new(),
        None => b"/".to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(sources: &[&Path], dest: &str) -> Result<Arc<LocalTree>, String> {
        let sources: Vec<_> = sources.iter().map(|p| p.to_path_buf()).collect();
        LocalTree::scan(&sources, dest.as_bytes())
    }

    fn remotes(tree: &LocalTree) -> Vec<String> {
        tree.entries.iter().map(|e| show_path(&e.remote)).collect()
    }

    #[test]
    fn the_destination_names_the_copy_or_with_a_slash_its_directory() {
        let dir = tempfile::tempdir().unwrap();
        let src = dir.path().join("src");
        std::fs::create_dir_all(src.join("sub")).unwrap();
        std::fs::write(src.join("sub/x"), "x").unwrap();
        let named = scan(&[&src], "/srv/app").unwrap();
        assert_eq!(remotes(&named), ["/srv/app", "/srv/app/sub", "/srv/app/sub/x"]);
        assert_eq!(named.into.as_deref(), Some(&b"/srv"[..]));
        let inside = scan(&[&src], "/srv/app/").unwrap();
        assert_eq!(
            remotes(&inside),
            ["/srv/app/src", "/srv/app/src/sub", "/srv/app/src/sub/x"]
        );
        assert_eq!(inside.into.as_deref(), Some(&b"/srv/app"[..]));
        let home = scan(&[&src.join("sub/x")], "~/y").unwrap();
        assert_eq!((remotes(&home), home.into.as_deref()), (vec!["y".to_owned()], None));
        let many = scan(&[&src.join("sub/x"), &src], "etc").unwrap();
        assert_eq!(remotes(&many)[..2], ["etc/x", "etc/src"]);
    }

    #[test]
    fn two_sources_with_one_name_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        for sub in ["a", "b"] {
            std::fs::create_dir(dir.path().join(sub)).unwrap();
            std::fs::write(dir.path().join(sub).join("x"), sub).unwrap();
        }
        let error = scan(&[&dir.path().join("a/x"), &dir.path().join("b/x")], "/d").unwrap_err();
        assert!(error.contains("would both become `/d/x`"), "{error}");
    }

    #[test]
    fn a_source_that_is_not_there_is_an_error_and_a_special_one_too() {
        assert!(
            scan(&[Path::new("/nonexistent/x")], "/d")
                .unwrap_err()
                .contains("cannot read")
        );
        assert!(scan(&[Path::new("/dev/null")], "/d").unwrap_err().contains("device"));
    }

    #[test]
    fn a_checksum_is_of_the_file_that_was_scanned() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("x");
        std::fs::write(&file, "abc").unwrap();
        let tree = scan(&[&file], "/x").unwrap();
        std::fs::write(&file, "abcd").unwrap();
        assert!(
            tree.entries[0]
                .sum(SumKind::Md5)
                .unwrap_err()
                .reason
                .contains("changed")
        );
        std::fs::write(&file, "abc").unwrap();
        assert_eq!(
            tree.entries[0].sum(SumKind::Md5).unwrap(),
            "900150983cd24fb0d6963f7d28e17f72"
        );
    }
}
