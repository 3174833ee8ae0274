//! The disks of a host: one snippet tells what is there ([`facts`]), the rules of the check are held against it
//! ([`rules`]), and disks get names that stay ([`roles`]). The snippet's text is the evidence.

pub mod facts;
pub mod roles;
pub mod rules;
#[cfg(test)]
mod tests;
mod text;

use crate::plan::preflight::DiskRules;
use crate::shell::{Command, snippets};

pub use facts::{Disk, Machine};
pub use rules::{Finding, judge};

/// `sh` text that tells which disks there are, in lines that change only when a disk does.
pub fn command(rules: &DiskRules) -> Vec<u8> {
    Command::snippet("disks", snippets::DISKS)
        .arg(&rules.root)
        .for_host()
        .to_vec()
}
