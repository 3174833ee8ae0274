//! Digests of the controller's files, made once however many hosts ask.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};

use sha2::{Digest, Sha256};

use crate::modules::local::hex;

/// Most files that are remembered.
const MOST: usize = 100_000;

/// A file, and what it was when it was read: device, inode, size, last change in seconds and nanoseconds.
type Key = (PathBuf, [u64; 3], [i64; 2]);
type Known = HashMap<Key, Arc<OnceLock<Option<String>>>>;

/// SHA-256 of a file, in hexadecimal; `None` when it cannot be read.
pub(super) fn digest(path: &Path) -> Option<String> {
    static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);
    let meta = std::fs::metadata(path).ok()?;
    let key = (
        path.to_owned(),
        [meta.dev(), meta.ino(), meta.size()],
        [meta.mtime(), meta.mtime_nsec()],
    );
    let slot = {
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        Arc::clone(known.entry(key).or_default())
    };
    // Hosts that ask for the same file wait for the one that reads it, and for no other.
    slot.get_or_init(|| read(path)).clone()
}

fn read(path: &Path) -> Option<String> {
    let mut file = File::open(path).ok()?;
    let mut sha256 = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Some(hex(&sha256.finalize())),
            Ok(got) => sha256.update(buffer.get(..got)?),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_changed_is_read_again_and_a_missing_one_has_no_digest() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        assert_eq!(digest(&path), None);
        std::fs::write(&path, "a").unwrap();
        let first = digest(&path).unwrap();
        assert_eq!(first, hex(&Sha256::digest("a")));
        assert_eq!(digest(&path), Some(first.clone()));
        std::fs::write(&path, "bb").unwrap();
        assert_ne!(digest(&path), Some(first));
    }
}
