//! Where a run comes from.

use serde::{Deserialize, Serialize};

use crate::process::Process;

/// Who started a run, where, and which run it goes on with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The run it goes on with (`retry`, `resume`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// The first run of the chain; its own id when there is no other.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub root: String,
    /// It began at the first task again (`retry --from-start`): nothing of the parent is taken over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub from_start: bool,
    /// The user on the controller.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// The controller.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub controller: String,
    /// Version of the program.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// The files that told the hosts and their variables, as they were read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inventory: Vec<HashedFile>,
    /// The process, to tell a run that goes on from one that was killed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<Process>,
}

/// A file as it was when it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HashedFile {
    /// Its path; that of a folder for the files in it together.
    pub path: String,
    /// SHA-256 of its bytes, hexadecimal; of a folder that of the lines that `sha256sum` writes about its files.
    pub sha256: String,
}
