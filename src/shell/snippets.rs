//! The scripts that run on hosts, embedded. POSIX `sh`, nothing else; `tests/shell.rs` of the room runs them under several
//! shells. Those that answer in fields (`modules::answer`) begin with `lib.sh`.

/// Tells about paths: kind, owner, mode, digest, link target.
pub const LOOK: &str = concat!(include_str!("snippets/lib.sh"), include_str!("snippets/look.sh"));
/// Changes files, one operation after the other.
pub const APPLY: &str = concat!(include_str!("snippets/lib.sh"), include_str!("snippets/apply.sh"));
/// Tells which modes and owners there are in a tree.
pub const WALK: &str = concat!(include_str!("snippets/lib.sh"), include_str!("snippets/walk.sh"));
/// Sends one file.
pub const READ: &str = concat!(include_str!("snippets/lib.sh"), include_str!("snippets/read.sh"));
/// Copies a tree on the host itself.
pub const COPY_TREE: &str = concat!(include_str!("snippets/lib.sh"), include_str!("snippets/copytree.sh"));
/// Looks at a device and makes, grows or removes what is on it.
pub const FILESYSTEM: &str = concat!(
    include_str!("snippets/lib.sh"),
    include_str!("snippets/device.sh"),
    include_str!("snippets/filesystem.sh")
);
/// Tells which machine this is.
pub const IDENTITY: &str = concat!(include_str!("snippets/lib.sh"), include_str!("snippets/identity.sh"));
/// Looks at a partition table and makes, resizes or removes one partition.
pub const PARTED: &str = concat!(
    include_str!("snippets/lib.sh"),
    include_str!("snippets/device.sh"),
    include_str!("snippets/parted.sh")
);
/// Looks at or changes one mount and its entry in a table of file systems.
pub const MOUNT: &str = concat!(
    include_str!("snippets/lib.sh"),
    include_str!("snippets/lock.sh"),
    include_str!("snippets/fstab.sh"),
    include_str!("snippets/mount.sh")
);
/// Gathers facts.
pub const FACTS: &str = concat!(include_str!("snippets/lib.sh"), include_str!("snippets/facts.sh"));
/// Lists what is below directories.
pub const FIND: &str = concat!(include_str!("snippets/lib.sh"), include_str!("snippets/find.sh"));
/// Tells which files have a line that fits.
pub const CONTAINS: &str = concat!(include_str!("snippets/lib.sh"), include_str!("snippets/contains.sh"));
/// Makes a private file or directory.
pub const TEMPFILE: &str = concat!(include_str!("snippets/lib.sh"), include_str!("snippets/tempfile.sh"));
/// Tries until a port or path is as wanted.
pub const WAIT: &str = concat!(include_str!("snippets/lib.sh"), include_str!("snippets/wait.sh"));
/// Tells which disks there are and what is on them.
pub const DISKS: &str = include_str!("snippets/disks.sh");
/// Runs a command unless `creates` or `removes` say otherwise.
pub const RUN: &str = include_str!("snippets/run.sh");
/// Runs a script that comes through standard input.
pub const SCRIPT: &str = include_str!("snippets/script.sh");
/// What goes around a command; the pieces that follow are put behind it as they are needed.
pub const ENVELOPE: &str = include_str!("snippets/envelope.sh");
/// A piece: processes.
pub const PROCESS: &str = include_str!("snippets/process.sh");
/// A piece: a lease that the run has is refreshed.
pub const KEEP: &str = include_str!("snippets/keep.sh");
/// A piece: records on the host.
pub const STORE: &str = include_str!("snippets/store.sh");
/// A piece: intent and done.
pub const MARKER: &str = include_str!("snippets/marker.sh");
/// A piece: whose host it is.
pub const LEASE: &str = include_str!("snippets/lease.sh");
/// A piece: what was approved is measured.
pub const GUARD: &str = include_str!("snippets/guard.sh");
/// What a host's store of records holds.
pub const MARKERS: &str = concat!(
    include_str!("snippets/lib.sh"),
    include_str!("snippets/process.sh"),
    include_str!("snippets/store.sh"),
    include_str!("snippets/markers.sh"),
);
/// All pieces together.
const WHOLE_ENVELOPE: &str = concat!(
    include_str!("snippets/envelope.sh"),
    include_str!("snippets/process.sh"),
    include_str!("snippets/store.sh"),
    include_str!("snippets/keep.sh"),
    include_str!("snippets/lease.sh"),
    include_str!("snippets/marker.sh"),
    include_str!("snippets/guard.sh"),
);

/// `audit`: the disks.
pub const AUDIT_DISKS: &str = concat!(
    include_str!("snippets/lib.sh"),
    include_str!("snippets/audit/common.sh"),
    include_str!("snippets/audit/disks.sh"),
);
/// `audit`: mounts against fstab.
pub const AUDIT_MOUNTS: &str = concat!(
    include_str!("snippets/lib.sh"),
    include_str!("snippets/audit/common.sh"),
    include_str!("snippets/audit/mounts.sh"),
);
/// `audit`: release, kernel, machine.
pub const AUDIT_OS: &str = concat!(
    include_str!("snippets/lib.sh"),
    include_str!("snippets/audit/common.sh"),
    include_str!("snippets/audit/os.sh"),
);
/// `audit`: installed packages.
pub const AUDIT_PACKAGES: &str = concat!(
    include_str!("snippets/lib.sh"),
    include_str!("snippets/audit/common.sh"),
    include_str!("snippets/audit/packages.sh"),
);
/// `audit`: the clock and who keeps it.
pub const AUDIT_TIME: &str = concat!(
    include_str!("snippets/lib.sh"),
    include_str!("snippets/audit/common.sh"),
    include_str!("snippets/audit/time.sh"),
);
/// `audit`: accounts.
pub const AUDIT_USERS: &str = concat!(
    include_str!("snippets/lib.sh"),
    include_str!("snippets/audit/common.sh"),
    include_str!("snippets/audit/users.sh"),
);
/// `audit`: interfaces, addresses, routes.
pub const AUDIT_NETWORK: &str = concat!(
    include_str!("snippets/lib.sh"),
    include_str!("snippets/audit/common.sh"),
    include_str!("snippets/audit/network.sh"),
);
/// `audit`: one file.
pub const AUDIT_FILE: &str = concat!(
    include_str!("snippets/lib.sh"),
    include_str!("snippets/audit/common.sh"),
    include_str!("snippets/audit/file.sh"),
);

/// All of them, for laws.
pub const ALL: &[(&str, &str)] = &[
    ("envelope", WHOLE_ENVELOPE),
    ("markers", MARKERS),
    ("look", LOOK),
    ("apply", APPLY),
    ("walk", WALK),
    ("read", READ),
    ("copytree", COPY_TREE),
    ("facts", FACTS),
    ("filesystem", FILESYSTEM),
    ("identity", IDENTITY),
    ("mount", MOUNT),
    ("parted", PARTED),
    ("find", FIND),
    ("contains", CONTAINS),
    ("tempfile", TEMPFILE),
    ("wait", WAIT),
    ("disks", DISKS),
    ("run", RUN),
    ("script", SCRIPT),
    ("audit_disks", AUDIT_DISKS),
    ("audit_mounts", AUDIT_MOUNTS),
    ("audit_os", AUDIT_OS),
    ("audit_packages", AUDIT_PACKAGES),
    ("audit_time", AUDIT_TIME),
    ("audit_users", AUDIT_USERS),
    ("audit_network", AUDIT_NETWORK),
    ("audit_file", AUDIT_FILE),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snippet_fits_one_argument() {
        for (name, text) in ALL {
            // Linux limits one argument to 128 KiB; quoting and the arguments need room, too.
            assert!(text.len() < 32 * 1024, "{name} has {} bytes", text.len());
        }
    }

    #[test]
    fn snippets_are_plain_ascii_without_tabs() {
        for (name, text) in ALL {
            assert!(text.bytes().all(|b| b == b'\n' || (b' '..=b'~').contains(&b)), "{name}");
        }
    }
}
