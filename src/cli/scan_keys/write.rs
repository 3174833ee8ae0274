//! Which keys are written, and writing them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::cli::scan_keys::args::ScanKeysArgs;
use crate::cli::scan_keys::found::{Host, SharedKey, Verdict};
use crate::source::{Diagnostic, visible};
use crate::transport::ssh::known_hosts::{NewKey, write_keys};

/// The keys for each file.
#[derive(Debug, Default)]
pub(super) struct Plan {
    files: BTreeMap<PathBuf, Vec<NewKey>>,
}

impl Plan {
    /// Nothing to write.
    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// `12 keys to ~/.ssh/known_hosts`.
    pub(super) fn words(&self) -> String {
        let one = |(file, keys): (&PathBuf, &Vec<NewKey>)| {
            let keys = match keys.len() {
                1 => "1 key".to_owned(),
                number => format!("{number} keys"),
            };
            format!("{keys} to {}", file.display())
        };
        let all: Vec<String> = self.files.iter().map(one).collect();
        all.join(", ")
    }
}

/// New keys, and what the options let in beside them. A host with one key that is not fine gets none written.
pub(super) fn plan(hosts: &[Host], shared: &[SharedKey], args: &ScanKeysArgs) -> Plan {
    let suspicious: BTreeSet<&str> = shared.iter().map(|key| key.fingerprint.as_str()).collect();
    let mut plan = Plan::default();
    for host in hosts {
        let Some(file) = &host.file else { continue };
        let fine = host.keys.iter().all(|key| match key.verdict {
            Verdict::Known | Verdict::New | Verdict::Added => {
                args.accept_shared || key.verdict == Verdict::Known || !suspicious.contains(key.fingerprint.as_str())
            }
            Verdict::Changed => {
                args.replace_changed && (args.accept_shared || !suspicious.contains(key.fingerprint.as_str()))
            }
            Verdict::Revoked => false,
        });
        if !fine {
            continue;
        }
        for key in host.keys.iter().filter(|key| key.verdict != Verdict::Known) {
            // It was made of the key, so it can be read.
            let Ok(blob) = STANDARD.decode(&key.blob) else { continue };
            plan.files.entry(file.clone()).or_default().push(NewKey {
                name: host.known_as.clone(),
                key: blob,
                replace: key.verdict == Verdict::Changed,
            });
        }
    }
    plan
}

/// Writes, and says what was written.
pub(super) fn write(plan: &Plan, hash: bool) -> Result<String, Diagnostic> {
    let mut out = String::new();
    for (file, keys) in &plan.files {
        let written = write_keys(file, keys, hash).map_err(Diagnostic::new)?;
        let _ = write!(out, "{} keys written to {}", written.added, file.display());
        if written.removed > 0 {
            let _ = write!(out, ", {} lines taken out", written.removed);
        }
        if let Some(old) = &written.old {
            let _ = write!(out, " (the old file is {})", old.display());
        }
        out.push('\n');
        for refused in &written.refused {
            let _ = writeln!(out, "not written: {}", visible(refused));
        }
    }
    Ok(out)
}
