//! The looks of `audit` on machines of several kinds. A machine is a folder that stands for `/` and a folder of programs;
//! each is looked at by dash and bash with GNU tools and by BusyBox with its own, and all must say the same.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a panic is how a test fails, and what is skipped is said"
)]

mod machines;

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use batchssh::shell::snippets;
use machines::{ALPINE, DEBIAN, Machine, RHEL6, RHEL7, SLIM};

/// Programs every machine has.
const BASE: &[&str] = &[
    "awk",
    "cat",
    "date",
    "grep",
    "head",
    "id",
    "ls",
    "readlink",
    "sed",
    "sha256sum",
    "sort",
    "stat",
    "tail",
    "tr",
    "uname",
    "wc",
];

/// A shell with its tools.
struct Tools {
    shell: &'static str,
    args: &'static [&'static str],
    busybox: bool,
}

const TOOLS: &[Tools] = &[
    Tools {
        shell: "dash",
        args: &[],
        busybox: false,
    },
    Tools {
        shell: "bash",
        args: &[],
        busybox: false,
    },
    Tools {
        shell: "busybox",
        args: &["sh"],
        busybox: true,
    },
];

fn find(program: &str) -> Option<std::path::PathBuf> {
    let folders = ["/usr/bin", "/bin", "/usr/sbin", "/sbin"];
    folders
        .iter()
        .map(|folder| Path::new(folder).join(program))
        .find(|path| path.exists())
}

fn write(path: &Path, text: &str, mode: u32) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// The answer, or what was said instead of one.
fn look(machine: &Machine, tools: &Tools, snippet: &str, more: &[&str]) -> Option<Result<String, String>> {
    let shell = find(tools.shell)?;
    let dir = tempfile::tempdir().unwrap();
    let (root, bin) = (dir.path().join("root"), dir.path().join("bin"));
    for (path, text) in machine.files {
        match text.strip_prefix("-> ") {
            Some(target) => {
                let path = root.join(path);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                symlink(target.trim_end(), path).unwrap();
            }
            None => write(&root.join(path), text, 0o644),
        }
    }
    std::fs::create_dir_all(&bin).unwrap();
    for name in BASE {
        let program = if tools.busybox { find("busybox")? } else { find(name)? };
        symlink(program, bin.join(name)).unwrap();
    }
    for (name, script) in machine.programs {
        let _ = std::fs::remove_file(bin.join(name));
        write(&bin.join(name), &format!("#!{}{script}", shell_line(tools)), 0o755);
    }
    // Real hosts have the system's folders in their PATH, whatever it says.
    let text = snippet.replace(":/usr/sbin:/sbin:/usr/bin:/bin\n", "\n");
    assert_ne!(text, snippet);
    let out = Command::new(shell)
        .args(tools.args)
        .args(["-c", &text, "batchssh"])
        .arg(&root)
        .args(more)
        .env_clear()
        .env("PATH", &bin)
        .output()
        .unwrap();
    let (stdout, stderr) = (
        String::from_utf8(out.stdout).unwrap(),
        String::from_utf8(out.stderr).unwrap(),
    );
    if !out.status.success() {
        return Some(Err(stderr));
    }
    assert_eq!(stderr, "", "{}", tools.shell);
    let begun = stdout.split_once("\nbatchssh-answer-1\n").unwrap().1;
    let fields = fields(begun);
    assert_eq!(fields.last().map(|(name, _)| name.as_str()), Some("end"));
    let answers: BTreeMap<_, _> = fields.into_iter().collect();
    Some(Ok(answers["answer"].clone()))
}

fn shell_line(tools: &Tools) -> String {
    let shell = find(tools.shell).unwrap();
    format!("{} {}\n", shell.display(), tools.args.join(" "))
}

fn fields(mut rest: &str) -> Vec<(String, String)> {
    let mut texts = Vec::new();
    while let Some((length, after)) = rest.split_once(':') {
        let length: usize = length.parse().unwrap();
        texts.push(after[..length].to_owned());
        assert_eq!(&after[length..=length], ",");
        rest = &after[length + 1..];
    }
    texts.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
}

/// Looks with all tools that are here.
#[track_caller]
fn says(machine: &Machine, snippet: &str, more: &[&str], want: Result<&str, &str>) {
    let mut looked = 0;
    for tools in TOOLS {
        let Some(said) = look(machine, tools, snippet, more) else {
            eprintln!("skipped: {} is not on this machine", tools.shell);
            continue;
        };
        looked += 1;
        match (&said, want) {
            (Ok(said), Ok(want)) => assert_eq!(said, want, "{} with {}", machine.name, tools.shell),
            (Err(said), Err(want)) => assert!(said.contains(want), "{} with {}: {said}", machine.name, tools.shell),
            _ => panic!("{} with {}: {said:?}", machine.name, tools.shell),
        }
    }
    assert!(looked > 0, "no shell is on this machine");
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[test]
fn disks_are_told_by_lsblk_with_the_columns_it_knows() {
    says(
        &RHEL6,
        snippets::AUDIT_DISKS,
        &[],
        Ok("NAME=\"sda\" TYPE=\"disk\" SIZE=\"1000\" ROTA=\"1\" MOUNTPOINT=\"\"\n\
            NAME=\"sda1\" TYPE=\"part\" SIZE=\"900\" ROTA=\"1\" MOUNTPOINT=\"/\""),
    );
    says(
        &RHEL7,
        snippets::AUDIT_DISKS,
        &[],
        Ok("NAME=\"sda\" TYPE=\"disk\" FSTYPE=\"xfs\" MODEL=\"M\" SERIAL=\"S\""),
    );
}

#[test]
fn disks_are_told_by_sys_where_there_is_no_lsblk() {
    let unseen = if is_root() { "" } else { "SIGNATURES=\"unseen\"\n" };
    let ext4 = if is_root() { "ext4" } else { "" };
    says(
        &ALPINE,
        snippets::AUDIT_DISKS,
        &[],
        Ok(&format!(
            "note: there is no lsblk: /sys/block was read instead\n{unseen}\
             NAME=\"sda\" TYPE=\"disk\" SIZE=\"480103981056\" ROTA=\"0\" FSTYPE=\"\" MOUNTPOINT=\"\" \
             MODEL=\"INTEL SSD\" SERIAL=\"PHYF1\"\n\
             NAME=\"sda1\" TYPE=\"part\" SIZE=\"1073741824\" ROTA=\"0\" FSTYPE=\"ext4\" MOUNTPOINT=\"/boot\" MODEL=\"\" \
             SERIAL=\"\"\n\
             NAME=\"sda2\" TYPE=\"part\" SIZE=\"512000\" ROTA=\"0\" FSTYPE=\"\" MOUNTPOINT=\"\" MODEL=\"\" SERIAL=\"\"\n\
             NAME=\"vg-root\" TYPE=\"lvm\" SIZE=\"256000\" ROTA=\"0\" FSTYPE=\"ext4\" MOUNTPOINT=\"/\" MODEL=\"\" SERIAL=\"\"\n\
             NAME=\"sdb\" TYPE=\"disk\" SIZE=\"4000787030016\" ROTA=\"1\" FSTYPE=\"{ext4}\" MOUNTPOINT=\"\" MODEL=\"HGST\" \
             SERIAL=\"\"\n\
             NAME=\"sdc\" TYPE=\"disk\" SIZE=\"512000\" ROTA=\"1\" FSTYPE=\"swap\" MOUNTPOINT=\"[SWAP]\" MODEL=\"\" SERIAL=\"\""
        )),
    );
    says(
        &SLIM,
        snippets::AUDIT_DISKS,
        &[],
        Err("neither lsblk nor /sys/block tells the disks"),
    );
}

#[test]
fn mounts_are_compared_with_fstab() {
    says(
        &RHEL7,
        snippets::AUDIT_MOUNTS,
        &[],
        Ok("/: as in fstab: xfs, /dev/mapper/rhel-root, rw,relatime,attr2\n\
            /backup: in fstab as noauto, not mounted: ext4, LABEL=backup\n\
            /boot: as in fstab: xfs, by UUID, rw,relatime\n\
            /data1: not as in fstab, as ext4 where fstab says xfs, without noatime nodev: ext4, by UUID, rw,relatime\n\
            /data1: stands 2 times in fstab\n\
            /data2: in fstab, not mounted: xfs, by UUID\n\
            /data3: not as in fstab, read-only where fstab says writable: xfs, /dev/sdd1, ro,relatime\n\
            /mnt/my\\040disk: mounted, not in fstab: vfat, /dev/sdz1, rw\n\
            /tmp: as in fstab: tmpfs, tmpfs, rw,nosuid,nodev\n\
            swap: 1 in fstab, 1 in use"),
    );
    says(&SLIM, snippets::AUDIT_MOUNTS, &[], Err("/proc/mounts cannot be read"));
}

#[test]
fn the_system_is_told_on_every_kind_of_machine() {
    says(
        &RHEL6,
        snippets::AUDIT_OS,
        &[],
        Ok("release: Red Hat Enterprise Linux Server release 6.10 (Santiago)\n\
            kernel: 2.6.32-754.el6.x86_64\narch: x86_64\nmachine: PowerEdge R720\nfirmware: bios or other\n\
            processors: 2\nmemory: 126 GiB\nup: more than a year\nselinux: permissive, permissive at boot"),
    );
    says(
        &RHEL7,
        snippets::AUDIT_OS,
        &[],
        Ok(
            "release: CentOS Linux release 7.9.2009 (Core)\nkernel: 3.10.0-1160.el7.x86_64\narch: x86_64\nmachine: KVM\n\
            firmware: bios or other\nprocessors: 1\nmemory: 1024 MiB\nup: some days\nselinux: disabled, disabled at boot",
        ),
    );
    says(
        &DEBIAN,
        snippets::AUDIT_OS,
        &[],
        Ok(
            "release: Debian GNU/Linux 12 (bookworm), 12.5\nkernel: 6.1.0-18-amd64\narch: x86_64\n\
            firmware: uefi\nprocessors: 1\nmemory: 8 GiB\nup: less than a day\nselinux: not there\n\
            reboot: wanted by the package manager",
        ),
    );
    says(
        &ALPINE,
        snippets::AUDIT_OS,
        &[],
        Ok(
            "release: Alpine Linux v3.18, 3.18.4\nkernel: 6.1.0-virt\narch: aarch64\nfirmware: bios or other\n\
            processors: 0\nmemory: not told\nup: not told\nselinux: not there",
        ),
    );
}

#[test]
fn packages_come_from_the_database_of_the_machine() {
    says(
        &RHEL7,
        snippets::AUDIT_PACKAGES,
        &[],
        Ok("bash 4.2.46-35.el7_9 x86_64\nbind-libs 32:9.11.4-26.el7 x86_64\nkernel 3.10.0-1.el7 x86_64"),
    );
    says(
        &DEBIAN,
        snippets::AUDIT_PACKAGES,
        &[],
        Ok("bash 5.2.15-2+b2 amd64\nbroken 1.0 all (ok, half-configured)\nlinux-image 6.1 amd64"),
    );
    says(
        &ALPINE,
        snippets::AUDIT_PACKAGES,
        &[],
        Ok("busybox 1.36.1-r2\npy3-foo-bar 1.2.3_rc1-r0"),
    );
    says(
        &SLIM,
        snippets::AUDIT_PACKAGES,
        &[],
        Err("there is neither rpm nor dpkg-query nor apk on this host"),
    );
    says(&RHEL6, snippets::AUDIT_PACKAGES, &[], Err("rpm -qa failed"));
}

#[test]
fn the_keeper_of_the_clock_is_told() {
    says(
        &RHEL6,
        snippets::AUDIT_TIME,
        &[],
        Ok(
            "timezone: Europe/Berlin, +0100\nhardware clock: UTC\nservers: ntp1.example.org ntp2.example.org\n\
            daemon: ntpd\nsynchronised: yes",
        ),
    );
    says(
        &RHEL7,
        snippets::AUDIT_TIME,
        &[],
        Ok(
            "timezone: America/New_York, +0100\nservers: a.example.org b.example.org\ndaemon: chronyd\nsynchronised: no",
        ),
    );
    says(
        &DEBIAN,
        snippets::AUDIT_TIME,
        &[],
        Ok("timezone: Etc/UTC, +0100\nservers: 10.0.0.1 10.0.0.2\ndaemon: systemd-timesyncd\nsynchronised: yes"),
    );
    says(
        &ALPINE,
        snippets::AUDIT_TIME,
        &[],
        Ok("timezone: without a name, +0100\nservers: \ndaemon: ntpd\n\
            synchronised: not told (there is neither ntpstat nor ntpq)"),
    );
}

#[test]
fn accounts_are_told_without_their_hashes() {
    says(
        &RHEL6,
        snippets::AUDIT_USERS,
        &[],
        Ok("user root: uid 0, gid 0, /root, /bin/bash, password set\n\
            user toor: uid 0, gid 0, /root, /bin/sh, no password at all\n\
            user young: uid 500, gid 500, /home/young, /bin/bash, password locked\n\
            sudoers: %wheel ALL=(ALL) NOPASSWD: ALL\nsudoers: alice ALL=(root) /bin/true, /bin/false\nsudoers: deploy ALL=(ALL) ALL"),
    );
    says(
        &ALPINE,
        snippets::AUDIT_USERS,
        &[],
        Ok(
            "user alice: uid 1000, gid 10, /home/alice, /bin/ash, password not readable, in wheel docker\n\
            user root: uid 0, gid 0, /root, /bin/ash, password not readable, in wheel\n\
            sudoers: there is no sudo",
        ),
    );
}

#[test]
fn interfaces_addresses_and_routes_are_told() {
    says(
        &RHEL7,
        snippets::AUDIT_NETWORK,
        &[],
        Ok("bond0: up, mtu 9000, 10000 Mb/s, bond of eth0 eth1, 802.3ad\n\
            bond0 mac: 52:54:00:00:00:01\neth2: down, mtu 1500\n\
            bond0 address: 10.0.0.7/24\nbond0 address: 2001:db8::7/64\n\
            route 10.9.0.0/16: via 10.0.0.2 on bond0\nroute default: via 10.0.0.1 on bond0 metric 100\n\
            dns: 10.0.0.2 10.0.0.3\nsearch: example.org"),
    );
    says(
        &SLIM,
        snippets::AUDIT_NETWORK,
        &[],
        Ok(
            "eth0: up, mtu 1500\naddresses: not told (there is neither ip nor ifconfig)\n\
            route 10.1.0.0 mask 255.255.0.0: via 172.17.0.9 on eth0\nroute default: via 172.17.0.1 on eth0\n\
            dns: none",
        ),
    );
    says(
        &RHEL6,
        snippets::AUDIT_NETWORK,
        &[],
        Ok("note: there is no ip that lists addresses: ifconfig was asked\n\
            ens3 address: 10.1.2.4 mask 255.255.0.0\neth0 address: 10.1.2.3 mask 255.255.255.0\n\
            routes: not told (there is no ip)\ndns: there is no resolv.conf"),
    );
}

#[test]
fn a_file_is_told_with_its_owner_and_what_is_no_text_by_its_digest() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    write(Path::new(&path("text")), "a\n  b: c\n", 0o640);
    write(Path::new(&path("binary")), "a\0b", 0o600);
    write(Path::new(&path("long")), &"x".repeat(1_048_577), 0o644);
    symlink("nowhere", path("broken")).unwrap();
    let bare = Machine {
        name: "bare",
        files: &[("etc/x", "")],
        programs: &[],
    };
    // The owner of what this test writes.
    let owner = |name: &str| {
        let out = Command::new("stat")
            .args(["-c", "%U:%G", &path(name)])
            .output()
            .unwrap();
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    };
    let file = |name: &str, want: Result<&str, &str>| {
        let up = format!("/../../../../../../../../..{}", path(name));
        says(&bare, snippets::AUDIT_FILE, &[&up], want);
    };
    let who = owner("text");
    file("text", Ok(&format!("-rw-r----- {who}\na\n  b: c")));
    file(
        "binary",
        Ok(&format!(
            "-rw------- {who}\n3 bytes that are no text, sha256 \
             59b271ae1bbcb1d31d41929817f4b16fb439eb4f31520b5ad1d5ce98920a7138"
        )),
    );
    file("broken", Ok("link to nowhere, where there is nothing"));
    file("absent", Ok("there is no such file"));
    file("", Err("is a directory"));
}
