//! Which files a step puts on a host, and what is in them: for the history of the host.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};

use sha2::{Digest, Sha256};

use crate::engine::transfer::{ChangeKind, LocalKind, LocalTree, TransferReport};
use crate::event::SentFile;
use crate::modules::step::{Content, Write};
use crate::transport::files::show_path;
use crate::transport::manifest::{SumKind, hex};

/// Files of the controller whose digests are remembered; every host of a fleet gets the same few.
const REMEMBERED: usize = 4096;
/// Files of one transfer that are told.
const TOLD: usize = crate::event::Did::MOST_FILES;

/// The file that `write` puts in place. `None`: its content was on the host already, or is gone here.
pub fn file(write: &Write) -> Option<SentFile> {
    let (sha256, size) = match &write.content {
        Content::Bytes(bytes) => (hex(&Sha256::digest(bytes)), bytes.len() as u64),
        Content::File { path, size } => (digest(path)?, *size),
        Content::Remote(_) => return None,
    };
    Some(SentFile {
        path: show_path(&write.path),
        sha256,
        size,
    })
}

/// The files that a transfer created or updated.
pub fn files(tree: &LocalTree, report: &TransferReport) -> Vec<SentFile> {
    let changed: HashMap<&str, &ChangeKind> = report
        .changes
        .iter()
        .filter(|(_, kind)| *kind != ChangeKind::Attributes)
        .map(|(path, kind)| (path.as_str(), kind))
        .collect();
    let sent = tree.entries.iter().filter_map(|entry| {
        let LocalKind::File { size, .. } = &entry.kind else {
            return None;
        };
        let path = show_path(&entry.remote);
        changed.get(path.as_str())?;
        let sha256 = entry.sum(SumKind::Sha256).ok()?;
        Some(SentFile {
            path,
            sha256,
            size: *size,
        })
    });
    sent.take(TOLD).collect()
}

/// A file as it was when its digest was made: path, device, inode, size, time of last change.
type Known = (PathBuf, u64, u64, u64, i64, i64);

fn digest(path: &Path) -> Option<String> {
    static DIGESTS: LazyLock<Mutex<HashMap<Known, String>>> = LazyLock::new(Mutex::default);
    let mut file = std::fs::File::open(path).ok()?;
    let meta = file.metadata().ok()?;
    let known = (
        path.to_owned(),
        meta.dev(),
        meta.ino(),
        meta.size(),
        meta.mtime(),
        meta.mtime_nsec(),
    );
    // Held while reading: hosts that ask at the same time wait for the one that reads.
    let mut digests = DIGESTS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = digests.get(&known) {
        return Some(found.clone());
    }
    let made = SumKind::Sha256.of_reader(&mut file).ok()?;
    if digests.len() >= REMEMBERED {
        digests.clear();
    }
    digests.insert(known, made.clone());
    Some(made)
}
