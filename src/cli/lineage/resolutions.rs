//! What people found out about tasks in doubt: `resolutions.ndjson` in the folder of a run.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cli::runs::store::Store;
use crate::engine::replay::{Found, Resolution};
use crate::names::HostName;
use crate::report::delivery::now;
use crate::source::Diagnostic;

/// The file's name.
const FILE_NAME: &str = "resolutions.ndjson";
/// More than anybody types in a lifetime.
const LARGEST: u64 = 64 * 1024 * 1024;

/// One line.
#[derive(Serialize, Deserialize)]
struct Line {
    host: String,
    path: String,
    task: String,
    verdict: Verdict,
    /// Who said so.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    by: String,
    /// When, RFC 3339.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    time: String,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Done,
    NotDone,
}

fn path(store: &Store, run: &str) -> PathBuf {
    store.dir.join(run).join(FILE_NAME)
}

/// What was found out while a run was the newest of its chain. No file: nothing.
pub fn read(store: &Store, run: &str) -> Result<Vec<Resolution>, Diagnostic> {
    let path = path(store, run);
    let wrong = |error: &dyn std::fmt::Display| Diagnostic::new(format!("cannot read {}: {error}", path.display()));
    let file = match std::fs::File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(wrong(&error)),
    };
    let mut found = Vec::new();
    for (number, line) in (1..).zip(BufReader::new(file.take(LARGEST)).lines()) {
        let line = line.map_err(|error| wrong(&error))?;
        if line.trim().is_empty() {
            continue;
        }
        let line: Line = serde_json::from_str(&line).map_err(|error| wrong(&format!("line {number}: {error}")))?;
        found.push(Resolution {
            host: HostName::from(line.host.as_str()),
            path: line.path,
            task: line.task,
            found: match line.verdict {
                Verdict::Done => Found::Done,
                Verdict::NotDone => Found::NotDone,
            },
        });
    }
    Ok(found)
}

/// Adds to what was found out; it outlasts a power cut when this returns.
pub fn add(store: &Store, run: &str, found: &[Resolution], by: &str) -> Result<(), Diagnostic> {
    let path = path(store, run);
    let mut text = Vec::new();
    for one in found {
        let line = Line {
            host: one.host.to_string(),
            path: one.path.clone(),
            task: one.task.clone(),
            verdict: match one.found {
                Found::Done => Verdict::Done,
                Found::NotDone => Verdict::NotDone,
            },
            by: by.to_owned(),
            time: now(),
        };
        text.extend(serde_json::to_vec(&line).unwrap_or_default());
        text.push(b'\n');
    }
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
        file.write_all(&text)?;
        file.sync_all()?;
        // The file may be new: its name, too.
        File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
    };
    write().map_err(|error| Diagnostic::new(format!("cannot write {}: {error}", path.display())))
}
