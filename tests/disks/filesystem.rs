//! `filesystem` on real devices.

use std::os::unix::fs::FileExt;

use serde_json::{Value as Json, json};

use crate::machine::{Loop, Machine, can, is_there, mounted, program};

fn blkid(device: &str, tag: &str) -> String {
    let output = std::process::Command::new("/usr/sbin/blkid")
        .args(["-c", "/dev/null", "-o", "value", "-s", tag, device])
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn args(disk: &Loop, fstype: &str) -> Json {
    json!({"dev": disk.device, "fstype": fstype})
}

/// What the module finds to do, and its message when it fails.
#[track_caller]
fn done(machine: &Machine, shell: &crate::session::Shell, args: &Json, change: &str) -> crate::harness::Outcome {
    let checked = machine.check(shell, "filesystem", args);
    let done = machine.run(shell, "filesystem", args);
    assert_eq!(done.error, None, "{} {args}", shell.name);
    assert_eq!((checked.change, done.change), (change, change), "{} {args}", shell.name);
    done
}

#[test]
fn every_type_is_made_once_known_again_and_wiped() {
    if !can(
        "every_type_is_made_once_known_again_and_wiped",
        &["mkfs.ext4", "blkid", "wipefs"],
    ) {
        return;
    }
    let machine = Machine::new();
    for (fstype, tool, size) in [
        ("ext2", "mkfs.ext2", 4),
        ("ext3", "mkfs.ext3", 8),
        ("ext4", "mkfs.ext4", 8),
        ("xfs", "mkfs.xfs", 320),
        ("btrfs", "mkfs.btrfs", 128),
        ("vfat", "mkfs.vfat", 8),
        ("swap", "mkswap", 8),
        ("f2fs", "mkfs.f2fs", 64),
        ("reiserfs", "mkfs.reiserfs", 64),
        ("lvm", "pvcreate", 16),
    ] {
        if !is_there(tool) {
            eprintln!("SKIPPED {fstype}: it needs {tool}");
            continue;
        }
        for shell in &machine.shells {
            // One shell tries them all; the others those that have shell text of their own.
            if shell.name != machine.shells[0].name && !["ext4", "swap", "lvm"].contains(&fstype) {
                continue;
            }
            let disk = Loop::new(&machine, "disk.img", size);
            let args = args(&disk, fstype);
            done(&machine, shell, &args, "needed");
            let found = blkid(&disk.device, "TYPE");
            assert_eq!(
                found,
                if fstype == "lvm" { "LVM2_member" } else { fstype },
                "{}",
                shell.name
            );
            done(&machine, shell, &args, "none");
            // Another one is not made over it, but by force.
            let other = json!({"dev": disk.device, "fstype": if fstype == "ext2" { "swap" } else { "ext2" }});
            let error = machine.run(shell, "filesystem", &other).error.unwrap();
            let expected = format!(
                "'{}' is already used as {found}, use force=true to overwrite",
                disk.device
            );
            assert_eq!(error, expected, "{}", shell.name);
            assert_eq!(blkid(&disk.device, "TYPE"), found);
            let absent = json!({"dev": disk.device, "state": "absent"});
            done(&machine, shell, &absent, "needed");
            assert_eq!(blkid(&disk.device, "TYPE"), "", "{} {fstype}", shell.name);
            done(&machine, shell, &absent, "none");
        }
    }
}

#[test]
fn a_device_that_is_in_use_is_never_written() {
    if !can(
        "a_device_that_is_in_use_is_never_written",
        &["mkfs.ext4", "mkswap", "swapon", "parted", "blkid"],
    ) {
        return;
    }
    let machine = Machine::new();
    for shell in &machine.shells {
        let disk = Loop::new(&machine, "disk.img", 32);
        let place = machine.text("my place");
        std::fs::create_dir_all(&place).unwrap();
        let refused = |dev: &str, why: &str| {
            for args in [
                json!({"dev": dev, "fstype": "xfs", "force": true}),
                json!({"dev": dev, "fstype": "ext4", "force": true}),
            ] {
                let outcome = machine.run(shell, "filesystem", &args);
                let error = outcome.error.unwrap_or_else(|| panic!("{} {args}: {why}", shell.name));
                assert!(error.contains("is in use, no file system was made: "), "{error}");
                assert!(error.contains(why), "{}: {error}", shell.name);
            }
        };
        let part = format!("{}p1", disk.device);
        program(&[
            "parted",
            "-s",
            &disk.device,
            "mklabel",
            "gpt",
            "mkpart",
            "one",
            "1MiB",
            "20MiB",
        ]);
        program(&["mkfs.ext4", "-q", "-F", &part]);
        // An idle disk with a table: by force only.
        let over = json!({"dev": disk.device, "fstype": "ext4"});
        let error = machine.run(shell, "filesystem", &over).error.unwrap();
        // BusyBox does not know the types of partition tables.
        let table = if shell.name == "busybox" { "unknown" } else { "gpt" };
        let expected = format!("is already used as a disk with a partition table ({table})");
        assert!(error.contains(&expected), "{error}");
        program(&["mount", &part, &place]);
        refused(&part, "it is mounted on ");
        refused(&disk.device, "of its partition loop");
        let wiped = machine.run(shell, "filesystem", &json!({"dev": part, "state": "absent"}));
        assert!(wiped.error.unwrap().contains("nothing was wiped"), "{}", shell.name);
        // As wanted already: nothing is written, so nothing is refused.
        done(&machine, shell, &json!({"dev": part, "fstype": "ext4"}), "none");
        program(&["umount", &place]);
        program(&["mkswap", "-f", &part]);
        program(&["swapon", &part]);
        refused(&part, "it is used as swap");
        program(&["swapoff", &part]);
        // The file behind a loop device.
        refused(&machine.text("disk.img"), &format!("it is attached to {}", disk.device));
        assert_eq!(mounted(&place), None);
    }
}

#[test]
fn a_file_system_grows_once_and_its_uuid_is_set_once() {
    if !can(
        "a_file_system_grows_once_and_its_uuid_is_set_once",
        &["mkfs.ext4", "tune2fs", "resize2fs", "blkid"],
    ) {
        return;
    }
    let machine = Machine::new();
    // BusyBox has a tune2fs of its own that cannot tell sizes.
    for shell in machine.shells.iter().filter(|shell| shell.name != "busybox") {
        let disk = Loop::new(&machine, "disk.img", 32);
        program(&["mkfs.ext4", "-q", "-F", &disk.device, "16384"]);
        let grow = json!({"dev": disk.device, "fstype": "ext4", "resizefs": true});
        let outcome = done(&machine, shell, &grow, "needed");
        assert!(
            outcome.values["msg"].as_str().unwrap().contains("is now"),
            "{outcome:?}"
        );
        let outcome = done(&machine, shell, &grow, "none");
        let whole = format!("Ext4 filesystem is using the whole device {}", disk.device);
        assert_eq!(outcome.values["msg"], whole);
        let uuid = "0b0a7e2e-4b65-4f0c-9d0c-6b6a3b8f6a11";
        let named = json!({"dev": disk.device, "fstype": "ext4", "uuid": uuid});
        done(&machine, shell, &named, "needed");
        assert_eq!(blkid(&disk.device, "UUID"), uuid);
        done(&machine, shell, &named, "none");
        done(
            &machine,
            shell,
            &json!({"dev": disk.device, "fstype": "ext4", "uuid": "random"}),
            "needed",
        );
        assert_ne!(blkid(&disk.device, "UUID"), uuid);
        // A new one gets it, too.
        done(
            &machine,
            shell,
            &json!({"dev": disk.device, "state": "absent"}),
            "needed",
        );
        done(&machine, shell, &named, "needed");
        assert_eq!(blkid(&disk.device, "UUID"), uuid);
    }
}

#[test]
fn xfs_grows_while_it_is_mounted_and_an_unfinished_one_is_made_again() {
    if !can(
        "xfs_grows_while_it_is_mounted_and_an_unfinished_one_is_made_again",
        &["mkfs.xfs", "xfs_growfs", "blkid"],
    ) {
        return;
    }
    let machine = Machine::new();
    let shell = &machine.shells[0];
    let disk = Loop::new(&machine, "disk.img", 600);
    let args = args(&disk, "xfs");
    program(&["mkfs.xfs", "-q", "-f", "-d", "size=320m", &disk.device]);
    let grow = json!({"dev": disk.device, "fstype": "xfs", "resizefs": true});
    let error = machine.run(shell, "filesystem", &grow).error.unwrap();
    assert_eq!(error, format!("{} needs to be mounted for XFS operations", disk.device));
    let place = machine.text("place");
    std::fs::create_dir_all(&place).unwrap();
    if std::process::Command::new("mount")
        .args([&disk.device, &place])
        .status()
        .unwrap()
        .success()
    {
        done(&machine, shell, &grow, "needed");
        done(&machine, shell, &grow, "none");
        program(&["umount", &place]);
    }
    done(&machine, shell, &args, "none");
    // What mkfs.xfs leaves when it is killed: the flag that says so.
    let device = std::fs::File::options().write(true).open(&disk.device).unwrap();
    device.write_all_at(&[1], 126).unwrap();
    device.sync_all().unwrap();
    done(&machine, shell, &args, "needed");
    done(&machine, shell, &args, "none");
}

#[test]
fn a_step_taken_twice_makes_the_file_system_once_and_never_over_something_else() {
    if !can(
        "a_step_taken_twice_makes_the_file_system_once_and_never_over_something_else",
        &["mkfs.ext4", "mkswap", "blkid"],
    ) {
        return;
    }
    let machine = Machine::new();
    for shell in &machine.shells {
        let disk = Loop::new(&machine, "disk.img", 32);
        for force in [false, true] {
            program(&["mkfs.ext4", "-q", "-F", &disk.device]);
            if !force {
                program(&["wipefs", "-a", &disk.device]);
            }
            let args = json!({"dev": disk.device, "fstype": "ext4", "force": force});
            let steps = machine.check(shell, "filesystem", &args).steps;
            assert_eq!(machine.take(shell, &steps), b"yes", "{}", shell.name);
            let uuid = blkid(&disk.device, "UUID");
            assert_eq!(machine.take(shell, &steps), b"no", "{}", shell.name);
            assert_eq!(blkid(&disk.device, "UUID"), uuid, "{}", shell.name);
            program(&["mkswap", "-f", &disk.device]);
            assert_eq!(machine.take(shell, &steps), b"fail", "{}", shell.name);
            assert_eq!(blkid(&disk.device, "TYPE"), "swap", "{}", shell.name);
        }
    }
}
