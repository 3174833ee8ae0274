//! Who starts a run, where, and by which process.

use std::path::Path;

use crate::engine::shared::RunOptions;
use crate::event::{Origin, Process};

/// The origin of a run that this process starts.
pub fn here(options: &RunOptions) -> Origin {
    let uname = rustix::system::uname();
    Origin {
        parent: None,
        root: options.root_run_id.clone(),
        from_start: false,
        user: user(),
        controller: uname.nodename().to_string_lossy().into_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        inventory: Vec::new(),
        process: process(std::process::id()),
    }
}

/// `user@host` of the one who runs this.
pub fn who() -> String {
    format!("{}@{}", user(), rustix::system::uname().nodename().to_string_lossy())
}

/// The name of the user on the controller, else the number.
pub fn user() -> String {
    user_name(rustix::process::getuid())
}

/// The name of a user on the controller, else the number.
pub fn user_name(id: rustix::process::Uid) -> String {
    let id = id.as_raw();
    let known = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named = known.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(id)).then(|| name.to_owned())
    });
    named.unwrap_or_else(|| id.to_string())
}

/// A process by its number; `None` when it is not there, or the system does not tell.
pub fn process(pid: u32) -> Option<Process> {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?;
    // The name in parentheses may hold anything, parentheses too; what follows the last one is plain.
    let (_, fields) = stat.rsplit_once(')')?;
    // One that was killed and whose parent did not look yet does nothing any more.
    if matches!(fields.split_whitespace().next(), Some("Z" | "X")) {
        return None;
    }
    let started = fields.split_whitespace().nth(19)?.parse().ok()?;
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(Process {
        pid,
        started,
        boot: boot.trim().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_found_and_one_that_is_gone_is_not() {
        let pid = std::process::id();
        let Some(found) = process(pid) else {
            eprintln!("skipped: this system has no /proc");
            return;
        };
        assert_eq!(found.pid, pid);
        assert_eq!(process(pid), Some(found));
        assert_eq!(process(u32::MAX), None);
    }
}
