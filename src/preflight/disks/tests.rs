//! Machines that are files: a tree with /sys, /proc and /dev, which the real snippet looks at under every shell.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use super::facts::Machine;
use super::rules::{Finding, judge};
use crate::plan::preflight::DiskRules;
use crate::shell::snippets;
use crate::yaml::parse_text;

/// Folders, then files with what they hold, then links.
struct Tree {
    dir: tempfile::TempDir,
}

impl Tree {
    fn new() -> Self {
        let tree = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        for folder in ["sys/block", "proc/self", "dev/disk/by-id", "dev/disk/by-path"] {
            std::fs::create_dir_all(tree.dir.path().join(folder)).unwrap();
        }
        tree
    }

    fn write(&self, path: &str, text: &str) -> &Self {
        let path = self.dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    /// A disk of whole gigabytes whose node is an empty file.
    fn disk(&self, name: &str, gigabytes: u64, number: &str) -> &Self {
        let sys = format!("sys/block/{name}");
        self.write(
            &format!("{sys}/size"),
            &format!("{}\n", gigabytes * 1_000_000_000 / 512),
        )
        .write(&format!("{sys}/removable"), "0\n")
        .write(&format!("{sys}/ro"), "0\n")
        .write(&format!("{sys}/queue/rotational"), "1\n")
        .write(&format!("{sys}/device/model"), "ST4000NM0033    \n")
        .write(&format!("{sys}/dev"), number);
        let node = std::fs::File::create(self.dir.path().join("dev").join(name)).unwrap();
        node.set_len(1 << 20).unwrap();
        self
    }

    fn part(&self, disk: &str, part: &str, number: &str) -> &Self {
        let sys = format!("sys/block/{disk}/{part}");
        self.write(&format!("{sys}/partition"), "1\n")
            .write(&format!("{sys}/size"), "2048\n")
            .write(&format!("{sys}/dev"), number)
    }

    fn link(&self, kind: &str, name: &str, disk: &str) -> &Self {
        let link = self.dir.path().join(format!("dev/disk/by-{kind}/{name}"));
        symlink(format!("../../{disk}"), link).unwrap();
        self
    }

    /// A machine with the system on LVM on sda2, and two empty data disks.
    fn usual() -> Self {
        let tree = Self::new();
        tree.disk("sda", 480, "8:0")
            .part("sda", "sda1", "8:1")
            .part("sda", "sda2", "8:2")
            .disk("sdb", 4000, "8:16")
            .disk("sdc", 4000, "8:32")
            .write("sys/block/dm-0/dev", "253:0\n")
            .write("sys/block/dm-0/dm/name", "rhel-root\n")
            .write("sys/block/dm-0/slaves/sda2/x", "")
            .write(
                "proc/self/mountinfo",
                "17 1 253:0 / / rw,relatime shared:1 - xfs /dev/mapper/rhel-root rw\n\
                 18 17 8:1 / /boot rw - xfs /dev/sda1 rw\n\
                 19 17 0:3 / /proc rw - proc proc rw\n",
            )
            .link("id", "ata-ST4000_Z1", "sdb")
            .link("id", "wwn-0x5000c500000000b2", "sdb")
            .link("id", "wwn-0x5000c500000000a1", "sdc")
            .link("id", "wwn-0x5000c500000000a1-part1", "sdc1")
            .link("id", "lvm-pv-uuid-xyz", "sdc")
            .link("path", "pci-0000:00:1f.2-ata-10", "sdb")
            .link("path", "pci-0000:00:1f.2-ata-9", "sdc");
        tree
    }

    /// What the snippet says under a shell; `lsblk` is what stands for it, empty: nothing does.
    fn told(&self, shell: &[&str], lsblk: &str) -> Option<String> {
        let bin = self.dir.path().join("bin");
        let path = if lsblk.is_empty() {
            // The tools of this machine without lsblk.
            std::fs::create_dir_all(&bin).unwrap();
            for tool in ["ls", "sed", "sort", "tr", "dd", "blkid", "wipefs", "cat"] {
                let found = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"]
                    .map(|folder| Path::new(folder).join(tool))
                    .into_iter()
                    .find(|path| path.exists());
                if let Some(found) = found {
                    let _ = symlink(found, bin.join(tool));
                }
            }
            bin.display().to_string()
        } else {
            self.write("bin/lsblk", &format!("#!/bin/sh\n{lsblk}\n"));
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(bin.join("lsblk"), mode).unwrap();
            format!("{}:/usr/bin:/bin:/usr/sbin:/sbin", bin.display())
        };
        // The snippet adds the usual folders to PATH, where a real lsblk is.
        let text = match lsblk {
            "" => snippets::DISKS.replace(":/usr/sbin:/sbin:/usr/bin:/bin", ""),
            _ => snippets::DISKS.to_owned(),
        };
        let (program, options) = shell.split_first()?;
        let found = Command::new("sh")
            .args(["-c", &format!("command -v {program}")])
            .output()
            .ok()?;
        let program = String::from_utf8(found.stdout).ok()?.trim().to_owned();
        if program.is_empty() {
            eprintln!("{shell:?} is not on this machine: not tried");
            return None;
        }
        let out = Command::new(program)
            .args(options)
            .args(["-c", &text, "batchssh"])
            .arg(self.dir.path())
            .env("PATH", path)
            .output()
            .unwrap();
        assert!(
            out.status.success(),
            "{shell:?}: {}",
            String::from_utf8_lossy(&out.stderr)
        );
        assert_eq!(String::from_utf8_lossy(&out.stderr), "", "{shell:?}");
        Some(String::from_utf8(out.stdout).unwrap())
    }

    /// The same under every shell there is; all of them must say the same.
    fn machine_with(&self, lsblk: &str) -> Machine {
        let shells: [&[&str]; 3] = [&["dash"], &["bash", "--posix"], &["busybox", "sh"]];
        let told: Vec<String> = shells.iter().filter_map(|shell| self.told(shell, lsblk)).collect();
        for other in &told {
            assert_eq!(*other, told[0]);
        }
        Machine::read(&told[0]).unwrap_or_else(|error| panic!("{error}\n{}", told[0]))
    }

    fn judged(&self, rules: &str) -> Finding {
        self.judged_with("", rules)
    }

    fn judged_with(&self, lsblk: &str, rules: &str) -> Finding {
        let (rules, mistakes) = DiskRules::read(&parse_text("t.yml", rules).unwrap());
        assert!(mistakes.is_empty(), "{mistakes:?}");
        judge(&rules, &self.machine_with(lsblk))
    }
}

fn has_tools() -> bool {
    let found = Command::new("sh")
        .args(["-c", "command -v blkid || command -v wipefs"])
        .output();
    let found = found.is_ok_and(|out| out.status.success());
    if !found {
        eprintln!("neither blkid nor wipefs is on this machine: not tried");
    }
    found
}

#[test]
fn the_system_disk_is_found_through_lvm_and_data_disks_are_called_by_names_that_stay() {
    if !has_tools() {
        return;
    }
    let finding = Tree::usual().judged("{system: not sdm, data: {count: 2, empty: true, min_size: 4TB}}");
    assert_eq!(finding.problems, Vec::<String>::new());
    assert_eq!(
        finding.lines[0],
        "system: sda  480.0 GB  hdd  2 partitions, part of dm-0, mounted at / /boot"
    );
    assert_eq!(finding.lines[1], "data: sdb, sdc  2 × 4.0 TB  hdd  empty");
    // By slot: port 9 before port 10, whatever the kernel calls them.
    assert_eq!(
        finding.roles["data"],
        serde_json::json!([
            "/dev/disk/by-id/wwn-0x5000c500000000a1",
            "/dev/disk/by-id/wwn-0x5000c500000000b2"
        ])
    );
    assert_eq!(finding.roles["system"], "/dev/sda");
    assert_eq!(
        finding.roles["facts"]["/dev/disk/by-id/wwn-0x5000c500000000a1"]["name"],
        "sdc"
    );
    assert!(finding.note.unwrap().starts_with("no name in /dev/disk/by-id: sda;"));
}

#[test]
fn rules_that_do_not_hold_say_which_disk_and_why() {
    if !has_tools() {
        return;
    }
    let tree = Tree::usual();
    let problems = |rules: &str| tree.judged(rules).problems.join(" | ");
    assert_eq!(
        problems("{system: not sda}"),
        "the system disk is sda: it must not be sda"
    );
    assert_eq!(problems("{system: nvme*}"), "the system disk is sda: it must be nvme*");
    assert_eq!(
        problems("{system: {max_size: 200GB}}"),
        "the system disk is sda: 480.0 GB is more than 200.0 GB"
    );
    assert_eq!(problems("{data: {count: 12}}"), "2 data disks instead of 12");
    assert_eq!(
        problems("{data: {min_size: 5TB}}"),
        "sdb, sdc: 4.0 TB is less than 5.0 TB"
    );
    assert_eq!(
        problems("{data: {count: 2, pick: {rotational: false}}}"),
        "0 data disks instead of 2; not counted: sdc (it turns), sdb (it turns)"
    );
    assert_eq!(
        problems("{data: {model: WD*}}"),
        "sdb, sdc: its model is `ST4000NM0033`"
    );
    tree.write(
        "proc/swaps",
        "Filename Type Size Used Priority\n/dev/sdb partition 1 0 -2\n",
    );
    assert_eq!(
        problems("{system: {count: 1}, data: {count: 2}}"),
        "2 system disks (sda, sdb) instead of 1 | 1 data disks instead of 2"
    );
}

#[test]
fn a_signature_a_mount_and_a_volume_are_each_not_empty() {
    if !has_tools() {
        return;
    }
    let tree = Tree::usual();
    let made = Command::new("mkfs.ext4")
        .args(["-q", "-F", "-L", "data07"])
        .arg(tree.dir.path().join("dev/sdb"))
        .output();
    if !made.is_ok_and(|out| out.status.success()) {
        eprintln!("no mkfs.ext4 on this machine: not tried");
        return;
    }
    let empty = "{data: {count: 2, empty: true}}";
    assert_eq!(tree.judged(empty).problems, ["sdb: not empty: ext4, labelled data07"]);
    let ours = "{data: {count: 2, empty_or_label: data*}}";
    assert_eq!(tree.judged(ours).problems, Vec::<String>::new());
    assert_eq!(
        tree.judged("{data: {count: 2, empty_or_label: backup*}}").problems,
        ["sdb: not empty: ext4, labelled data07"]
    );
    // Mounted, it is in use; a disk of an earlier run counts all the same.
    let mounts = std::fs::read_to_string(tree.dir.path().join("proc/self/mountinfo")).unwrap();
    tree.write(
        "proc/self/mountinfo",
        &format!("{mounts}20 17 8:16 / /data/07 rw - ext4 /dev/sdb rw\n"),
    );
    assert_eq!(
        tree.judged(empty).problems,
        ["1 data disks instead of 2; not counted: sdb (ext4, labelled data07, mounted)"]
    );
    assert_eq!(tree.judged(ours).problems, Vec::<String>::new());
    // A member of an array.
    tree.write("sys/block/md127/slaves/sdc/x", "")
        .write("sys/block/md127/dev", "9:127\n");
    let problems = tree.judged("{data: {in_use: true, empty: true}}").problems.join(" | ");
    assert!(problems.contains("sdc: not empty: part of md127"), "{problems}");
}

#[test]
fn a_disk_that_nobody_can_look_at_is_not_empty() {
    let tree = Tree::usual();
    std::fs::remove_file(tree.dir.path().join("dev/sdb")).unwrap();
    let problems = tree.judged("{data: {count: 2, empty: true}}").problems.join(" | ");
    assert!(
        problems.contains("nobody can tell whether it is empty: there is no /dev/sdb"),
        "{problems}"
    );
}

#[test]
fn a_machine_whose_system_disk_is_unknown_does_not_pass_unless_that_is_right() {
    let tree = Tree::new();
    tree.disk("sdb", 4000, "8:16");
    let problems = |rules: &str| tree.judged(rules).problems;
    assert!(problems("{data: {count: 1}}")[0].contains("nobody can tell which one is the system's"));
    assert!(problems("{system: none, data: {count: 1}}").is_empty());
}

/// lsblk of RHEL 6: few columns, no parents.
const RHEL_6: &str = r#"case $* in *PKNAME*) exit 1 ;; esac
cat <<'END'
KNAME="cciss/c0d0" TYPE="disk" SIZE="146778685440" RO="0" RM="0" ROTA="1" MOUNTPOINT="" FSTYPE="" LABEL="" MODEL=""
KNAME="cciss/c0d0p1" TYPE="part" SIZE="524288000" RO="0" RM="0" ROTA="1" MOUNTPOINT="/" FSTYPE="ext4" LABEL="" MODEL=""
KNAME="sdb" TYPE="disk" SIZE="4000000000000" RO="0" RM="0" ROTA="1" MOUNTPOINT="" FSTYPE="" LABEL="" MODEL="ST4000\x20NM"
KNAME="sr0" TYPE="rom" SIZE="1073741312" RO="0" RM="1" ROTA="1" MOUNTPOINT="" FSTYPE="" LABEL="" MODEL="DVD"
END"#;

#[test]
fn an_lsblk_of_rhel_6_is_enough_with_what_sys_knows() {
    if !has_tools() {
        return;
    }
    let tree = Tree::new();
    tree.disk("sdb", 4000, "8:16")
        .write("sys/block/cciss!c0d0/size", "286677120\n")
        .write("sys/block/cciss!c0d0/removable", "0\n")
        .write("sys/block/cciss!c0d0/dev", "104:0\n")
        .part("cciss!c0d0", "cciss!c0d0p1", "104:1");
    let finding = tree.judged_with(RHEL_6, "{system: cciss/c0d0, data: {count: 1, empty: true}}");
    assert_eq!(finding.problems, Vec::<String>::new());
    assert_eq!(
        finding.lines,
        [
            "system: cciss/c0d0  146.7 GB  hdd  1 partition, ext4, mounted at /",
            "data: sdb  4.0 TB  hdd  empty"
        ]
    );
}

/// A stand-in for lsblk that speaks of another machine than /sys does.
const STAND_IN: &str = r#"cat <<'END'
KNAME="sda" PKNAME="" TYPE="disk" SIZE="4000787030016" RO="0" RM="0" ROTA="1" MOUNTPOINT="" FSTYPE="" LABEL="" MODEL="" SERIAL="Z1" WWN=""
KNAME="sdm" PKNAME="" TYPE="disk" SIZE="480103981056" RO="0" RM="0" ROTA="0" MOUNTPOINT="" FSTYPE="" LABEL="" MODEL="" SERIAL="P1" WWN=""
KNAME="sdm2" PKNAME="sdm" TYPE="part" SIZE="479029010432" RO="0" RM="0" ROTA="0" MOUNTPOINT="" FSTYPE="LVM2_member" LABEL="" MODEL="" SERIAL="" WWN=""
KNAME="dm-0" PKNAME="sdm2" TYPE="lvm" SIZE="53687091200" RO="0" RM="0" ROTA="0" MOUNTPOINT="/" FSTYPE="xfs" LABEL="" MODEL="" SERIAL="" WWN=""
END"#;

#[test]
fn where_lsblk_and_sys_speak_of_different_disks_lsblk_is_asked_alone() {
    let finding = Tree::usual().judged_with(STAND_IN, "{system: sdm, data: {count: 1, empty: true}}");
    assert_eq!(finding.problems, Vec::<String>::new());
    assert_eq!(finding.roles["system"], "/dev/sdm");
    assert_eq!(finding.lines[1], "data: sda  4.0 TB  hdd  empty");
}

#[test]
fn the_text_is_the_same_when_nothing_changed() {
    let tree = Tree::usual();
    let Some(first) = tree.told(&["dash"], "") else { return };
    tree.write("proc/uptime", "1 2\n")
        .write("sys/block/sdb/stat", "1 2 3\n");
    assert_eq!(tree.told(&["dash"], ""), Some(first.clone()));
    tree.part("sdb", "sdb1", "8:17");
    assert_ne!(tree.told(&["dash"], ""), Some(first));
}

#[test]
fn nothing_that_a_host_says_is_more_than_an_error() {
    for text in [
        "",
        "batchssh-disks 1",
        "batchssh-disks 1\nrow x",
        "batchssh-disks 1\nend\n",
        "no\nend\n",
    ] {
        assert!(Machine::read(text).is_err(), "{text:?}");
    }
    let odd = "batchssh-disks 1\nrow KNAME=\"a\" TYPE=\"disk\" SIZE=\"99999999999999999999\"\nrow KNAME=\"b\" PKNAME=\"b\" \
               TYPE=\"disk\" SIZE=\"7\"\nsys\ndev\nword a\npart\nslave x x\nslave x y\nslave y x\nmount\nused\nprobe\nid\nend\n";
    let machine = Machine::read(odd).unwrap();
    assert_eq!(machine.disks.len(), 1);
    let cut = odd.strip_suffix("end\n").unwrap();
    assert!(Machine::read(cut).is_err());
}
