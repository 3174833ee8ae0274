//! Playbooks as they were written when they ran.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One file of a playbook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenFile {
    /// Its path, as results name it.
    pub path: String,
    /// SHA-256 of the whole file, hexadecimal.
    pub sha256: String,
    /// Its plays or tasks.
    pub entries: Vec<WrittenEntry>,
}

/// A task, a block without what is in it, or a play without its tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenEntry {
    /// Its line, from 1.
    pub line: u32,
    /// Its digest.
    pub id: String,
    /// Its name, else its first key.
    pub name: String,
    /// The tasks in it, by the key they stand under (`tasks`, `block`, `rescue`, …).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inside: BTreeMap<String, Vec<WrittenEntry>>,
}
