//! Machines with disks of their own, in mount namespaces of this one. See `machine.sh`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use batchssh::cli::demo::fleet::HostSpec;

use crate::support::{Desk, wait_for};

/// A machine to be: its name, its system disk and its data disks.
pub struct Machine {
    pub name: String,
    pub system: &'static str,
    pub data: &'static [&'static str],
}

/// Machines that run, each with an sshd; gone with all they have when dropped.
pub struct Machines {
    pub desk: Desk,
    holders: Vec<(Child, PathBuf)>,
    _dir: tempfile::TempDir,
}

/// Why machines cannot be made here; `None`: they can.
pub fn cannot() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("only root can make machines with disks of their own".to_owned());
    }
    let try_it = "set -e; dir=$(mktemp -d); truncate -s 1M $dir/d; loop=$(losetup -f --show $dir/d); losetup -d $loop
        rm -r $dir; command -v mkfs.ext4 blockdev nsenter chroot >/dev/null; unshare --mount --propagation private true";
    let out = Command::new("sh").arg("-c").arg(try_it).output().unwrap();
    let why = String::from_utf8_lossy(&out.stderr).trim().to_owned();
    (!out.status.success()).then(|| format!("no loop devices or mount namespaces here: {why}"))
}

impl Machines {
    /// Starts them.
    pub fn start(machines: &[Machine]) -> Self {
        let dir = tempfile::Builder::new().prefix("batchssh-story-").tempdir().unwrap();
        let folder = |machine: &Machine| dir.path().join(&machine.name);
        let specs: Vec<HostSpec> = machines
            .iter()
            .map(|machine| {
                let folder = folder(machine);
                let (pid, root) = (folder.join("pid"), folder.join("root"));
                let (pid, root) = (pid.display(), root.display());
                HostSpec::new(&machine.name).entered_by(format!(
                    "#!/bin/sh\nexec nsenter --mount=\"/proc/$(cat {pid})/ns/mnt\" chroot {root} \\\n    \
                     /bin/sh -c 'cd \"$HOME\" && exec \"$@\"' enter \"$@\"\n"
                ))
            })
            .collect();
        let desk = Desk::new(&specs);
        let mut holders = Vec::new();
        for machine in machines {
            let folder = folder(machine);
            let child = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/story/machine.sh"))
                .arg(&folder)
                .arg(desk.home(&machine.name))
                .arg(machine.system)
                .args(machine.data)
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            holders.push((child, folder.clone()));
        }
        for (child, folder) in &mut holders {
            wait_for("a machine", || {
                assert_eq!(child.try_wait().unwrap(), None, "a machine ended: {}", folder.display());
                folder.join("pid").exists()
            });
        }
        Self {
            desk,
            holders,
            _dir: dir,
        }
    }

    fn folder(&self, name: &str) -> &Path {
        let found = self.holders.iter().find(|(_, folder)| folder.ends_with(name));
        &found.unwrap().1
    }

    /// What a command prints on a machine, as somebody at its console would see it.
    pub fn see(&self, name: &str, line: &str) -> String {
        let folder = self.folder(name);
        let pid = fs::read_to_string(folder.join("pid")).unwrap();
        let out = Command::new("nsenter")
            .arg(format!("--mount=/proc/{}/ns/mnt", pid.trim()))
            .arg("chroot")
            .arg(folder.join("root"))
            .args(["/bin/sh", "-c", line])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        assert!(
            out.status.success(),
            "{name}: {line}: {text}{}",
            String::from_utf8_lossy(&out.stderr)
        );
        text
    }

    /// Makes a disk of a machine refuse to be written, or take it again.
    pub fn set_read_only(&self, name: &str, disk: &str, read_only: bool) {
        let loop_device = fs::read_to_string(self.folder(name).join(format!("{disk}.loop"))).unwrap();
        let done = Command::new("blockdev")
            .arg(if read_only { "--setro" } else { "--setrw" })
            .arg(loop_device.trim())
            .status()
            .unwrap();
        assert!(done.success());
    }
}

impl Drop for Machines {
    fn drop(&mut self) {
        for (child, _) in &mut self.holders {
            kill_inside(child.id());
            drop(child.stdin.take());
            let _ = child.wait();
        }
    }
}

/// Ends what still runs in the mount namespace of a process, and not that process.
fn kill_inside(holder: u32) {
    let namespace = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/mnt")).ok();
    let Some(own) = namespace(&holder.to_string()) else {
        return;
    };
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(pid) = name
            .to_str()
            .filter(|name| name.parse::<u32>().is_ok_and(|pid| pid != holder))
        else {
            continue;
        };
        if namespace(pid).as_ref() == Some(&own)
            && let Some(pid) = pid.parse().ok().and_then(rustix::process::Pid::from_raw)
        {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}

#[test]
fn machines_have_disks_of_their_own() {
    if let Some(why) = cannot() {
        eprintln!("skipped: {why}");
        return;
    }
    let machine = |name: &str, system, data| Machine {
        name: name.to_owned(),
        system,
        data,
    };
    let machines = Machines::start(&[
        machine("st1", "sda", &["sdb"]),
        machine("st2", "sda", &["sdb"]),
        machine("st3", "sdm", &["sda"]),
    ]);
    let ran = machines.desk.cmd("audit disks -i hosts.ini").run().code(0);
    assert!(ran.out.contains("odd: st3"), "{}", ran.out);
    assert_eq!(machines.see("st3", "findmnt -no SOURCE /").trim(), "/dev/sdm");
    machines
        .desk
        .cmd("exec -i hosts.ini -- mkfs.ext4 -q /dev/sdb")
        .run()
        .code(2);
    assert!(machines.see("st1", "blkid -p /dev/sdb").contains("ext4"));
    assert_eq!(machines.see("st3", "ls /dev/sdb || true"), "");
}
