//! Which tasks can destroy what cannot be brought back.

use serde_json::{Map, Value as Json};

/// What a task can destroy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Danger {
    /// What is on a disk.
    Disk,
}

/// What a task can destroy, from its module's short name, its (rendered) arguments and its keyword `danger`.
pub fn of(module: &str, args: &Map<String, Json>, keyword: Option<&str>) -> Option<Danger> {
    let _ = (module, args);
    match keyword {
        Some("disk") => Some(Danger::Disk),
        _ => None,
    }
}
