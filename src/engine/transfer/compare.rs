//! Which files are the same on both sides: by the host's checksums, in one exchange; where the host has none, by
//! reading them.

use std::fs::File;
use std::os::unix::fs::FileExt;

use crate::deadline::Deadline;
use crate::shell::elevate::Become;
use crate::transport::files::{Download, DownloadSink, FileError};
use crate::transport::manifest::{SumKind, checksums};
use crate::transport::{Session, SessionError};

/// One pair of files of the same size.
pub(super) struct Pair<'a> {
    pub(super) remote: &'a [u8],
    pub(super) size: u64,
}

/// The local side of the pairs, by their number.
pub(super) trait LocalSide {
    fn sum(&self, pair: usize, kind: SumKind) -> Result<String, FileError>;
    fn open(&self, pair: usize) -> Result<File, FileError>;
}

/// For each pair whether the files are the same. A file the host does not let us read is not.
pub(super) fn same(
    session: &mut dyn Session,
    elevate: Option<&Become>,
    pairs: &[Pair<'_>],
    local: &dyn LocalSide,
    deadline: &Deadline,
) -> Result<Vec<bool>, SessionError> {
    // Empty files of one size are the same.
    let asked: Vec<usize> = (0..pairs.len())
        .filter(|i| pairs.get(*i).is_some_and(|p| p.size > 0))
        .collect();
    let mut same: Vec<bool> = pairs.iter().map(|pair| pair.size == 0).collect();
    if asked.is_empty() {
        return Ok(same);
    }
    let asked_pairs: Vec<&Pair<'_>> = asked.iter().filter_map(|i| pairs.get(*i)).collect();
    let paths: Vec<_> = asked_pairs.iter().map(|pair| pair.remote).collect();
    if let Some(found) = checksums(session, elevate, &paths, deadline)? {
        for (&pair, sum) in asked.iter().zip(found.sums) {
            let here = sum.is_some().then(|| local.sum(pair, found.kind).ok()).flatten();
            if let Some(place) = same.get_mut(pair) {
                *place = here.is_some() && here == sum;
            }
            deadline
                .remaining()
                .map_err(|stop| SessionError::Stopped { stop, survivor: None })?;
        }
        return Ok(same);
    }
    let files: Vec<_> = asked_pairs
        .iter()
        .map(|pair| Download {
            path: pair.remote,
            size: pair.size,
            limit: pair.size,
        })
        .collect();
    let mut reader = Reading {
        local,
        asked: &asked,
        open: None,
        same: &mut same,
    };
    session
        .files(elevate, deadline)?
        .download(&files, &mut reader, deadline)?;
    Ok(same)
}

/// Compares what comes with the local file.
struct Reading<'a> {
    local: &'a dyn LocalSide,
    asked: &'a [usize],
    open: Option<(usize, File)>,
    same: &'a mut [bool],
}

impl DownloadSink for Reading<'_> {
    fn write(&mut self, index: usize, offset: u64, bytes: &[u8]) -> Result<(), FileError> {
        let different = || FileError::failed("it is different");
        let Some(&pair) = self.asked.get(index) else {
            return Err(different());
        };
        let file = match &mut self.open {
            Some((open, file)) if *open == index => file,
            _ => &mut self.open.insert((index, self.local.open(pair)?)).1,
        };
        let mut here = vec![0; bytes.len()];
        match file.read_exact_at(&mut here, offset) {
            Ok(()) if here == bytes => Ok(()),
            Ok(()) | Err(_) => Err(different()),
        }
    }

    fn finish(&mut self, index: usize, result: Result<u64, FileError>) {
        if let Some(place) = self.asked.get(index).and_then(|pair| self.same.get_mut(*pair)) {
            *place = result.is_ok();
        }
    }
}
