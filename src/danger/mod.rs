//! Which tasks can destroy what cannot be brought back: by their keyword `danger`, by their module, or by the commands
//! they run. Command lines are taken apart as a shell does ([`crate::shell::script`]), so that words which are only data
//! (`echo "mkfs /dev/sda"`) do not count and wrapped ones (`sudo sh -c 'mkfs …'`) do.
//!
//! What the program recognises is a net, not a proof: a script that it sends, a program that it does not know, or a device
//! in a variable of the host pass through. A task can say `danger: disk` itself.

mod devices;
mod files;
mod lines;
mod modules;
mod rules;
#[cfg(test)]
mod tests;
mod written;

use serde_json::{Map, Value as Json};

pub use devices::{kernel_disk, reads_disks};
pub use modules::commands;
pub use written::{arguments, in_node, written};

/// What a task can destroy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Danger {
    /// What is on a disk.
    Disk,
}

impl Danger {
    /// The word of the keyword and of `policy.toml`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disk => "disk",
        }
    }
}

/// What is done about a dangerous task that names a disk as the kernel happened to number it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LiteralDisks {
    /// It is a mistake.
    #[default]
    Error,
    /// It is told.
    Warn,
    /// Nothing.
    Allow,
}

/// Why a task is called dangerous.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What it can destroy.
    pub danger: Danger,
    /// What says so: the command (`mkfs.ext4 /dev/sdb1`), the module, the keyword.
    pub what: String,
    /// Names that the kernel gave to disks and that stand in it literally (`/dev/sdb`): after the next boot, or on the next
    /// host, they may mean another disk.
    pub disks: Vec<String>,
}

/// What a task can destroy, from its module's name (short or full), its rendered arguments (free-form text under
/// `_raw_params`) and its keyword `danger`: `disk` says so, `none` denies it, without it the arguments decide.
pub fn of(module: &str, args: &Map<String, Json>, keyword: Option<&str>) -> Option<Found> {
    match keyword {
        Some("none") => None,
        Some("disk") => Some(modules::look(module, args).unwrap_or_else(|| Found {
            danger: Danger::Disk,
            what: "`danger: disk`".to_owned(),
            disks: devices::in_args(args),
        })),
        Some(_) | None => modules::look(module, args),
    }
}
