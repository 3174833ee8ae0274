use serde_json::{Map, Value as Json, json};

use super::{Danger, Found, devices, of, reads_disks, written};
use crate::yaml::parse_text;

fn args(value: &Json) -> Map<String, Json> {
    value.as_object().cloned().unwrap_or_default()
}

fn line(module: &str, text: &str) -> Option<Found> {
    of(module, &args(&json!({ "_raw_params": text })), None)
}

/// One script a line; `⏎` stands for the end of a line inside of it.
fn corpus(text: &str) -> Vec<String> {
    text.lines()
        .filter(|line| !line.is_empty())
        .map(|line| line.replace('⏎', "\n"))
        .collect()
}

#[test]
fn lines_that_destroy_are_recognised() {
    let lines = corpus(include_str!("../../tests/danger/harmful.txt"));
    assert!(lines.len() >= 150);
    let missed: Vec<&String> = lines.iter().filter(|text| line("shell", text).is_none()).collect();
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn lines_that_only_look_or_talk_are_not() {
    let lines = corpus(include_str!("../../tests/danger/harmless.txt"));
    assert!(lines.len() >= 150);
    let wrong: Vec<(&String, String)> = lines
        .iter()
        .filter_map(|text| line("shell", text).map(|found| (text, found.what)))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_was_found_is_said_with_its_disks() {
    let found = line(
        "shell",
        "lsblk /dev/sda; for d in sdb sdc; do sudo mkfs.ext4 /dev/$d; done",
    )
    .unwrap();
    assert_eq!(found.danger, Danger::Disk);
    assert_eq!(found.what, "`mkfs.ext4 /dev/sdb /dev/sdc`");
    assert_eq!(found.disks, ["/dev/sdb", "/dev/sdc"]);
    // By name and not by the kernel's number: that is what pre-flight checks give.
    let found = line("shell", "mkfs.ext4 /dev/disk/by-id/ata-X").unwrap();
    assert!(found.disks.is_empty());
    // Which disks the loop means, only the rest of the script says.
    let found = line(
        "shell",
        "echo /dev/sda; ls /dev/sdb | while read d; do wipefs -a $d; done",
    )
    .unwrap();
    assert_eq!(found.disks, ["/dev/sdb"]);
}

#[test]
fn the_module_command_has_no_shell() {
    assert!(line("command", "mkfs.ext4 /dev/sdb").is_some());
    assert!(line("command", "sh -c 'mkfs.ext4 /dev/sdb'").is_some());
    assert!(line("ansible.builtin.command", "echo a; mkfs.ext4 /dev/sdb").is_none());
    assert!(line("command", "cat x > /dev/sdb").is_none());
    assert!(of("command", &args(&json!({ "argv": ["wipefs", "-a", "/dev/sdb"] })), None).is_some());
    assert!(
        of(
            "command",
            &args(&json!({ "argv": ["echo", "wipefs -a /dev/sdb"] })),
            None
        )
        .is_none()
    );
    assert!(of("shell", &args(&json!({ "cmd": "rm -rf *", "chdir": "/etc" })), None).is_some());
}

#[test]
fn modules_are_dangerous_by_themselves() {
    for (module, arguments, is) in [
        ("parted", json!({ "device": "/dev/sdb", "state": "present" }), true),
        (
            "community.general.parted",
            json!({ "device": "/dev/sdb", "state": "absent" }),
            true,
        ),
        ("parted", json!({ "device": "/dev/sdb", "state": "info" }), false),
        ("parted", json!({ "device": "/dev/sdb" }), false),
        (
            "community.general.filesystem",
            json!({ "dev": "/dev/sdb1", "fstype": "ext4" }),
            true,
        ),
        ("lvg", json!({ "vg": "vg0", "pvs": "/dev/sdb,/dev/sdc" }), true),
        (
            "community.general.lvol",
            json!({ "vg": "vg0", "lv": "a", "size": "1g" }),
            true,
        ),
        ("mount", json!({ "src": "/dev/sdb1", "path": "/data" }), false),
        ("file", json!({ "path": "/etc", "state": "absent" }), true),
        ("file", json!({ "path": "/etc/x", "state": "absent" }), false),
        (
            "file",
            json!({ "path": "/usr", "state": "directory", "recurse": true }),
            true,
        ),
        (
            "copy",
            json!({ "dest": "/etc/fstab", "content": "/dev/sdb1 /data" }),
            false,
        ),
    ] {
        let found = of(module, &args(&arguments), None);
        assert_eq!(found.is_some(), is, "{module} {arguments}");
    }
    let found = of(
        "lvg",
        &args(&json!({ "vg": "vg0", "pvs": ["/dev/sdb", "/dev/sdc1"] })),
        None,
    )
    .unwrap();
    assert_eq!((found.what.as_str(), found.disks.len()), ("the module `lvg`", 2));
}

#[test]
fn the_keyword_decides() {
    assert!(of("debug", &args(&json!({})), Some("disk")).is_some());
    assert!(of("shell", &args(&json!({ "_raw_params": "rm -rf /" })), Some("none")).is_none());
}

#[test]
fn templates_are_not_known_yet() {
    let found = |yaml: &str| written("shell", &parse_text("x", &format!("cmd: {yaml}")).unwrap(), None);
    assert!(found("'mkfs.ext4 {{ disk }}'").unwrap().disks.is_empty());
    assert_eq!(found("'mkfs.ext4 /dev/{{ disk }}'").unwrap().disks.len(), 0);
    assert_eq!(found("'mkfs.ext4 /dev/sd{{ letter }}'").unwrap().disks, ["/dev/sd…"]);
    assert!(found("'{{ sudo }} mkfs.ext4 /dev/sdb'").is_some());
    assert!(found("'{% if x %}mkfs.ext4 /dev/sdb{% else %}true{% endif %}'").is_some());
    assert!(found("'echo {{ \"mkfs /dev/sdb\" }}'").is_none());
    assert!(found("'rm -rf {{ dir }}/'").is_none());
    assert!(found("'rm -rf {{ dir }}'").is_none());
    assert!(found("!unsafe 'docker inspect {{.Name}}; mkfs /dev/sdb'").is_some());
}

#[test]
fn names_of_the_kernel_are_told_from_others() {
    for (text, disks) in [
        ("/dev/sda", 1),
        ("/dev/sdb1,/dev/sdc1", 2),
        ("of=/dev/nvme0n1", 1),
        ("/dev/vda /dev/xvdf /dev/hda", 3),
        ("/dev/sd{{ x }}", 1),
        ("/dev/sd*", 1),
        ("/dev/sd[b-z]", 1),
        ("/dev/disk/by-id/ata-sda", 0),
        ("/dev/mapper/sda", 0),
        ("/dev/md0", 0),
        ("/dev/hdmi-x", 0),
        ("/srv/dev/sda", 0),
        ("/dev/sdcard-x", 0),
    ] {
        assert_eq!(devices::kernel_disks(text).len(), disks, "{text}");
    }
}

#[test]
fn checks_that_read_disks_are_told_from_others() {
    for line in [
        "lsblk -P",
        "cat /proc/partitions",
        "blkid",
        "sudo parted -l",
        "ls -l /dev/disk/by-id",
        "sort < /proc/partitions",
    ] {
        assert!(reads_disks(line), "{line}");
    }
    for line in ["uname -r", "echo lsblk", "df -h", "cat /proc/mounts"] {
        assert!(!reads_disks(line), "{line}");
    }
}
