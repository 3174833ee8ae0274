//! `parted` on real devices.

use serde_json::{Value as Json, json};

use crate::harness::Outcome;
use crate::machine::{Loop, Machine, can, program};
use crate::session::Shell;

/// What the module finds to do, in check mode and then really.
#[track_caller]
fn done(machine: &Machine, shell: &Shell, args: &Json, change: &str) -> Outcome {
    let checked = machine.check(shell, "parted", args);
    assert_eq!(checked.error, None, "{} {args}", shell.name);
    let done = machine.run(shell, "parted", args);
    assert_eq!(done.error, None, "{} {args}", shell.name);
    assert_eq!((checked.change, done.change), (change, change), "{} {args}", shell.name);
    if change == "needed" {
        // What is foreseen is what is done.
        assert_eq!(checked.values["script"], done.values["script"], "{} {args}", shell.name);
    }
    done
}

#[track_caller]
fn refused(machine: &Machine, shell: &Shell, args: &Json, why: &str) {
    let before = table(args["device"].as_str().unwrap());
    let outcome = machine.run(shell, "parted", args);
    let error = outcome
        .error
        .unwrap_or_else(|| panic!("{} {args}: not refused", shell.name));
    assert!(error.contains(why), "{} {args}: {error}", shell.name);
    assert_eq!(table(args["device"].as_str().unwrap()), before, "{} {args}", shell.name);
}

/// What parted prints about a disk.
fn table(device: &str) -> String {
    let output = std::process::Command::new("/usr/sbin/parted")
        .args(["-s", "-m", device, "unit", "s", "print"])
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn partitions_are_made_changed_and_removed_once() {
    if !can("partitions_are_made_changed_and_removed_once", &["parted", "blkid"]) {
        return;
    }
    let machine = Machine::new();
    for shell in &machine.shells {
        let disk = Loop::new(&machine, "disk.img", 64);
        let part = |number: u64, more: Json| {
            let mut args =
                json!({"device": disk.device, "label": "gpt", "number": number, "state": "present", "unit": "MiB"});
            args.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            args
        };
        let one = part(
            1,
            json!({"part_start": "1MiB", "part_end": "11MiB", "name": "one: \\ \"é", "flags": ["esp"]}),
        );
        let outcome = done(&machine, shell, &one, "needed");
        let made = &outcome.values["partitions"][0];
        assert_eq!(
            (&made["begin"], &made["end"], &made["name"]),
            (&json!(1.0), &json!(11.0), &json!("one: \\ \"é"))
        );
        assert_eq!(made["flags"], json!(["boot", "esp"]));
        done(&machine, shell, &one, "none");
        assert!(std::path::Path::new(&format!("{}p1", disk.device)).exists());
        let two = part(2, json!({"part_start": "11MiB", "part_end": "50%"}));
        done(&machine, shell, &two, "needed");
        done(&machine, shell, &two, "none");
        // Grows to the end, which is where parted's rounding puts it.
        let grown = part(2, json!({"part_end": "100%", "resize": true}));
        done(&machine, shell, &grown, "needed");
        done(&machine, shell, &grown, "none");
        let flags = part(1, json!({"flags": ["lvm"]}));
        done(&machine, shell, &flags, "needed");
        done(&machine, shell, &flags, "none");
        let info = done(&machine, shell, &json!({"device": disk.device, "unit": "MiB"}), "none");
        assert_eq!(info.values["disk"]["table"], "gpt");
        assert_eq!(info.values["partitions"][0]["flags"], json!(["lvm"]));
        let gone = json!({"device": disk.device, "number": 1, "state": "absent"});
        done(&machine, shell, &gone, "needed");
        done(&machine, shell, &gone, "none");
        assert!(table(&disk.device).contains("\n2:"), "{}", shell.name);
    }
}

#[test]
fn a_table_with_partitions_is_replaced_only_when_the_task_says_so() {
    let programs = &["parted", "mkfs.ext4", "blkid", "pvcreate"];
    if !can(
        "a_table_with_partitions_is_replaced_only_when_the_task_says_so",
        programs,
    ) {
        return;
    }
    let machine = Machine::new();
    for shell in machine.first_and_last() {
        let disk = Loop::new(&machine, "disk.img", 64);
        program(&[
            "parted",
            "-s",
            &disk.device,
            "mklabel",
            "gpt",
            "mkpart",
            "data",
            "1MiB",
            "40MiB",
        ]);
        // The label is forgotten: Ansible would write an msdos table.
        let forgotten = json!({"device": disk.device, "number": 1, "state": "present"});
        refused(
            &machine,
            shell,
            &forgotten,
            "has a partition table (gpt) with 1 partition (1: 2048s - 81919s  name data)",
        );
        refused(
            &machine,
            shell,
            &forgotten,
            "say `label: gpt` to keep the table, or `destroy: true` to lose it",
        );
        let destroy = json!({"device": disk.device, "number": 1, "state": "present", "destroy": true});
        // Not while it is in use.
        let part = format!("{}p1", disk.device);
        let place = machine.text("place");
        std::fs::create_dir_all(&place).unwrap();
        program(&["mkfs.ext4", "-q", "-F", &part]);
        program(&["mount", &part, &place]);
        refused(
            &machine,
            shell,
            &destroy,
            "is in use, its partition table was not replaced: of its partition loop",
        );
        let gone = json!({"device": disk.device, "number": 1, "state": "absent"});
        refused(
            &machine,
            shell,
            &gone,
            "is in use, it was not removed: it is mounted on ",
        );
        program(&["umount", &place]);
        done(&machine, shell, &destroy, "needed");
        assert!(table(&disk.device).contains(":msdos:"), "{}", shell.name);
        done(&machine, shell, &destroy, "none");
        // An empty table may go.
        done(&machine, shell, &gone, "needed");
        let other = json!({"device": disk.device, "label": "gpt", "number": 1, "state": "present"});
        done(&machine, shell, &other, "needed");
        // What lies on the whole disk is worth something, too.
        program(&["wipefs", "-q", "-a", &part]);
        program(&["wipefs", "-q", "-a", &disk.device]);
        program(&["mkfs.ext4", "-q", "-F", &disk.device]);
        refused(&machine, shell, &other, "has a partition table (loop) with 1 partition");
        if shell.name != "busybox" {
            program(&["wipefs", "-q", "-a", &disk.device]);
            program(&["pvcreate", "-q", "-f", &disk.device]);
            refused(&machine, shell, &other, "has LVM2_member on the whole disk");
        }
    }
}

#[test]
fn a_step_taken_twice_makes_one_partition_and_never_replaces_another_table() {
    let name = "a_step_taken_twice_makes_one_partition_and_never_replaces_another_table";
    if !can(name, &["parted", "blkid"]) {
        return;
    }
    let machine = Machine::new();
    for shell in machine.first_and_last() {
        let disk = Loop::new(&machine, "disk.img", 64);
        let args = json!({"device": disk.device, "label": "gpt", "number": 1, "part_end": "20MiB", "state": "present",
            "name": "one", "flags": ["lvm"]});
        let steps = machine.check(shell, "parted", &args).steps;
        assert_eq!(machine.take(shell, &steps), b"yes", "{}", shell.name);
        let made = table(&disk.device);
        assert_eq!(machine.take(shell, &steps), b"no", "{}", shell.name);
        assert_eq!(table(&disk.device), made, "{}", shell.name);
        // Stopped between the table and the partition, or between the partition and its name: the rest is done.
        program(&["parted", "-s", &disk.device, "name", "1", "other"]);
        assert_eq!(machine.take(shell, &steps), b"yes", "{}", shell.name);
        assert_eq!(table(&disk.device), made, "{}", shell.name);
        program(&["parted", "-s", &disk.device, "rm", "1"]);
        assert_eq!(machine.take(shell, &steps), b"yes", "{}", shell.name);
        assert_eq!(table(&disk.device), made, "{}", shell.name);
        // Somebody else made another table since the look.
        program(&[
            "parted",
            "-s",
            &disk.device,
            "mklabel",
            "msdos",
            "mkpart",
            "primary",
            "1MiB",
            "9MiB",
        ]);
        assert_eq!(machine.take(shell, &steps), b"fail", "{}", shell.name);
        assert!(table(&disk.device).contains(":msdos:"), "{}", shell.name);
        // And another partition than the one that was to be removed.
        let gone = json!({"device": disk.device, "number": 1, "state": "absent"});
        let steps = machine.check(shell, "parted", &gone).steps;
        program(&[
            "parted",
            "-s",
            &disk.device,
            "rm",
            "1",
            "mkpart",
            "primary",
            "11MiB",
            "19MiB",
        ]);
        assert_eq!(machine.take(shell, &steps), b"fail", "{}", shell.name);
        assert!(table(&disk.device).contains("\n1:"), "{}", shell.name);
        let steps = machine.check(shell, "parted", &gone).steps;
        assert_eq!(machine.take(shell, &steps), b"yes", "{}", shell.name);
        assert_eq!(machine.take(shell, &steps), b"no", "{}", shell.name);
    }
}
