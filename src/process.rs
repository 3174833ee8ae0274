//! Processes of the controller, told apart from later ones that have the same number.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// A process of the controller, not confused with a later one of the same number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// When it began, in clock ticks since the controller started (`/proc/PID/stat`, see proc(5)).
    pub started: u64,
    /// Which start of the controller (`/proc/sys/kernel/random/boot_id`).
    pub boot: String,
}

impl Process {
    /// A process by its number; `None` when it is not there, or the system does not tell.
    pub fn find(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?;
        // The name in parentheses may hold anything, parentheses too; what follows the last one is plain.
        let (_, fields) = stat.rsplit_once(')')?;
        // One that was killed and whose parent did not look yet does nothing any more.
        if matches!(fields.split_whitespace().next(), Some("Z" | "X")) {
            return None;
        }
        let started = fields.split_whitespace().nth(19)?.parse().ok()?;
        Some(Self {
            pid,
            started,
            boot: boot()?,
        })
    }
}

/// Names this process for others, in one word without blanks: boot, namespace of process ids, id, beginning. `None`
/// where the system does not tell: nobody can find out then whether it is gone.
pub fn seat() -> Option<String> {
    let own = Process::find(std::process::id())?;
    Some(format!("{}/{}/{}/{}", own.boot, namespace()?, own.pid, own.started))
}

/// True when the process of a [`seat`] was one of this machine, in this namespace, and is not there any more. Of others
/// nothing is known, which is false.
pub fn is_gone(seat: &str) -> bool {
    let mut words = seat.split('/');
    let (Some(its_boot), Some(its_namespace), Some(pid), Some(started), None) =
        (words.next(), words.next(), words.next(), words.next(), words.next())
    else {
        return false;
    };
    let (Ok(pid), Ok(started)) = (pid.parse::<u32>(), started.parse::<u64>()) else {
        return false;
    };
    let here = boot().is_some_and(|boot| boot == its_boot) && namespace().is_some_and(|own| own == its_namespace);
    here && Process::find(pid).is_none_or(|found| found.started != started)
}

fn boot() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(boot.trim().to_owned())
}

/// The namespace of process ids, by its inode: two containers on one machine have the same boot.
fn namespace() -> Option<String> {
    let name = fs::read_link("/proc/self/ns/pid").ok()?;
    let digits: String = name.to_str()?.chars().filter(char::is_ascii_digit).collect();
    (!digits.is_empty()).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_found_and_one_that_is_gone_is_not() {
        let pid = std::process::id();
        let Some(found) = Process::find(pid) else {
            eprintln!("skipped: this system has no /proc");
            return;
        };
        assert_eq!(found.pid, pid);
        assert_eq!(Process::find(pid), Some(found));
        assert_eq!(Process::find(u32::MAX), None);
    }

    #[test]
    fn gone_is_only_who_was_here() {
        let Some(own) = seat() else {
            eprintln!("skipped: this system has no /proc");
            return;
        };
        assert!(!is_gone(&own));
        let (place, started) = own.rsplit_once('/').unwrap();
        let (place, pid) = place.rsplit_once('/').unwrap();
        let (boot, namespace) = place.split_once('/').unwrap();
        // The number was given to another process since.
        assert!(is_gone(&format!(
            "{place}/{pid}/{}",
            started.parse::<u64>().unwrap() - 1
        )));
        assert!(is_gone(&format!("{place}/{}/{started}", u32::MAX)));
        // Another machine, another container, nonsense.
        assert!(!is_gone(&format!("other/{namespace}/{}/1", u32::MAX)));
        assert!(!is_gone(&format!("{boot}/1/{}/1", u32::MAX)));
        for nonsense in ["", "////", "a/b/c/d", &format!("{own}/1"), place] {
            assert!(!is_gone(nonsense), "{nonsense}");
        }
    }
}
