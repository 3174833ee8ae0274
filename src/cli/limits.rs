//! Descriptors: raised as far as the system allows, and checked before anything is contacted.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::source::Diagnostic;

/// What the program itself may have open: journal, outputs, playbook files.
const OWN: u64 = 64;
/// What a host at work may have open: its socket, a copy of it for the watchdog, and a file or a proxy.
const PER_HOST: u64 = 3;

/// Raises the soft limit to the hard one, and refuses more forks than there are descriptors for.
pub fn check(forks: usize, hosts: usize) -> Result<(), Diagnostic> {
    let limit = raise();
    let forks = u64::try_from(forks.min(hosts)).unwrap_or(u64::MAX);
    let Some(limit) = limit else { return Ok(()) };
    let most = limit.saturating_sub(OWN) / PER_HOST;
    if forks <= most {
        return Ok(());
    }
    let error = Diagnostic::new(format!(
        "{forks} forks need {} open files, and {limit} are allowed",
        forks.saturating_mul(PER_HOST).saturating_add(OWN)
    ));
    Err(if most == 0 {
        error.help("raise the limit: `ulimit -n 4096`")
    } else {
        error.help(format!("use --forks {most}, or raise the limit: `ulimit -n`"))
    })
}

/// The limit now in force; `None`: there is none.
fn raise() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let wanted = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    match setrlimit(Resource::Nofile, wanted) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    }
}

/// From here on the memory of the program is nobody's: no core dump, no debugger of the same user. To be called once
/// everything was read that may be named by a path of `/proc` (`-i <(command)`): those need the right to look, too.
pub fn no_core_dump() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        // A system without it has no core dumps to keep away.
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r26_more_forks_than_descriptors_are_refused_with_the_number_that_fits() {
        let limit = raise().unwrap_or(1024);
        let forks = usize::try_from(limit).unwrap();
        let error = check(forks, forks).unwrap_err();
        assert!(
            error
                .help
                .unwrap()
                .contains(&format!("--forks {}", (limit - OWN) / PER_HOST))
        );
        // Hosts that are not there need nothing.
        assert!(check(forks, 1).is_ok());
    }
}
