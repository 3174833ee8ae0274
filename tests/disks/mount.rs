//! `mount` with real file systems.

use serde_json::{Value as Json, json};

use crate::machine::{Loop, Machine, can, mounted, program};

/// Two disks with file systems, a table, and the arguments for mounting the first.
struct Bench {
    one: Loop,
    two: Loop,
    args: Json,
    fstab: String,
    place: String,
}

fn bench(machine: &Machine) -> Bench {
    let (one, two) = (Loop::new(machine, "one.img", 8), Loop::new(machine, "two.img", 8));
    for disk in [&one, &two] {
        program(&["mkfs.ext4", "-q", "-F", &disk.device]);
    }
    let fstab = machine.text("fstab");
    std::fs::write(&fstab, "# the table\n").unwrap();
    let place = machine.text("deep/down/data");
    Bench {
        args: json!({"path": place, "src": one.device, "fstype": "ext4", "fstab": fstab, "state": "mounted"}),
        one,
        two,
        fstab,
        place,
    }
}

fn with(args: &Json, changes: &Json) -> Json {
    let mut args = args.clone();
    for (key, value) in changes.as_object().unwrap() {
        args[key] = value.clone();
    }
    args
}

#[test]
fn mounted_changed_moved_unmounted_and_gone() {
    if !can("mounted_changed_moved_unmounted_and_gone", &["mkfs.ext4"]) {
        return;
    }
    let machine = Machine::new();
    for shell in &machine.shells {
        let bench = bench(&machine);
        let about = shell.name;
        let table = || std::fs::read_to_string(&bench.fstab).unwrap();
        let step = |changes: &Json, change: &str| {
            let args = with(&bench.args, changes);
            let checked = machine.check(shell, "mount", &args);
            assert_eq!(
                (checked.error, checked.change),
                (None, change),
                "{about} check {changes}"
            );
            let done = machine.run(shell, "mount", &args);
            assert_eq!(
                (done.error.as_deref(), done.change),
                (None, change),
                "{about} {changes}"
            );
            done
        };
        let done = step(&json!({}), "needed");
        assert!(done.diff.contains("make the directory"), "{}", done.diff);
        assert!(mounted(&bench.place).unwrap().starts_with(&bench.one.device), "{about}");
        assert_eq!(
            table(),
            format!("# the table\n{} {} ext4 defaults 0 0\n", bench.one.device, bench.place)
        );
        step(&json!({}), "none");
        step(&json!({"path": format!("{}/", bench.place)}), "none");
        // Other options: mounted again, the same file system.
        std::fs::write(format!("{}/kept", bench.place), "kept").unwrap();
        step(&json!({"opts": "ro,noatime"}), "needed");
        let line = mounted(&bench.place).unwrap();
        assert!(line.contains(" ro,noatime"), "{about}: {line}");
        step(&json!({"opts": "ro,noatime"}), "none");
        // Another device.
        step(&json!({"src": bench.two.device}), "needed");
        assert!(mounted(&bench.place).unwrap().starts_with(&bench.two.device), "{about}");
        step(&json!({"src": bench.two.device}), "none");
        step(&json!({"state": "remounted", "opts": "ro"}), "needed");
        assert!(mounted(&bench.place).unwrap().contains(" ro,"), "{about}");
        step(&json!({"state": "remounted"}), "needed");
        assert!(mounted(&bench.place).unwrap().contains(" rw,"), "{about}");
        step(&json!({"state": "unmounted"}), "needed");
        assert_eq!(mounted(&bench.place), None, "{about}");
        step(&json!({"state": "unmounted"}), "none");
        step(&json!({"src": bench.two.device}), "needed");
        step(&json!({"state": "absent"}), "needed");
        assert_eq!(mounted(&bench.place), None, "{about}");
        assert!(!std::path::Path::new(&bench.place).exists(), "{about}");
        assert_eq!(table(), "# the table\n", "{about}");
        step(&json!({"state": "absent"}), "none");
        std::fs::remove_dir_all(machine.path("deep")).unwrap();
    }
}

#[test]
fn what_cannot_be_mounted_leaves_neither_entry_nor_directory() {
    if !can(
        "what_cannot_be_mounted_leaves_neither_entry_nor_directory",
        &["mkfs.ext4"],
    ) {
        return;
    }
    let machine = Machine::new();
    for shell in &machine.shells {
        let bench = bench(&machine);
        let args = with(&bench.args, &json!({"fstype": "xfs"}));
        let error = machine.run(shell, "mount", &args).error.unwrap();
        assert!(
            error.starts_with(&format!("Error mounting {}: ", bench.place)),
            "{error}"
        );
        assert_eq!(std::fs::read_to_string(&bench.fstab).unwrap(), "# the table\n");
        assert!(!machine.path("deep").exists());
    }
}

#[test]
fn another_device_that_is_mounted_is_left_alone_and_told_of() {
    if !can(
        "another_device_that_is_mounted_is_left_alone_and_told_of",
        &["mkfs.ext4"],
    ) {
        return;
    }
    let machine = Machine::new();
    for shell in &machine.shells {
        let bench = bench(&machine);
        std::fs::create_dir_all(&bench.place).unwrap();
        program(&["mount", &bench.two.device, &bench.place]);
        std::fs::write(&bench.fstab, format!("{} {} ext4\n", bench.one.device, bench.place)).unwrap();
        let done = machine.run(shell, "mount", &bench.args);
        assert_eq!(done.change, "none", "{:?}", done.error);
        let warning = done.values["warnings"][0].as_str().unwrap().to_owned();
        assert!(
            warning.contains(&format!("has {} mounted", bench.two.device)),
            "{warning}"
        );
        assert!(mounted(&bench.place).unwrap().starts_with(&bench.two.device));
        // And in use: the table is not changed when it cannot be unmounted.
        let open = std::fs::File::create(format!("{}/open", bench.place)).unwrap();
        std::fs::write(&bench.fstab, "").unwrap();
        let error = machine.run(shell, "mount", &bench.args).error.unwrap();
        assert!(
            error.starts_with(&format!("Error unmounting {}: ", bench.place)),
            "{error}"
        );
        assert_eq!(std::fs::read_to_string(&bench.fstab).unwrap(), "");
        drop(open);
    }
}

#[test]
fn ephemeral_mounts_leave_the_table_alone() {
    if !can("ephemeral_mounts_leave_the_table_alone", &["mkfs.ext4", "blkid"]) {
        return;
    }
    let machine = Machine::new();
    for shell in &machine.shells {
        let bench = bench(&machine);
        let uuid = program(&[
            "blkid",
            "-c",
            "/dev/null",
            "-o",
            "value",
            "-s",
            "UUID",
            &bench.one.device,
        ]);
        let args = with(
            &bench.args,
            &json!({"state": "ephemeral", "src": format!("UUID={uuid}")}),
        );
        for round in 0..2 {
            let done = machine.run(shell, "mount", &args);
            assert_eq!((done.error, done.change), (None, "needed"), "{} {round}", shell.name);
            assert_eq!(done.values["changed"], true);
            assert!(mounted(&bench.place).unwrap().starts_with(&bench.one.device));
        }
        let other = with(&args, &json!({"src": bench.two.device}));
        let error = machine.run(shell, "mount", &other).error.unwrap();
        assert!(error.contains("already mounted with a different source"), "{error}");
        assert_eq!(std::fs::read_to_string(&bench.fstab).unwrap(), "# the table\n");
    }
}

#[test]
fn a_bind_mount_is_known_by_what_it_shows() {
    if !can("a_bind_mount_is_known_by_what_it_shows", &["mkfs.ext4"]) {
        return;
    }
    let machine = Machine::new();
    for shell in &machine.shells {
        let bench = bench(&machine);
        for name in ["left", "right"] {
            std::fs::create_dir_all(machine.path(name)).unwrap();
        }
        let (left, right) = (machine.text("left"), machine.text("right"));
        let args = with(&bench.args, &json!({"src": left, "fstype": "none", "opts": "bind"}));
        assert_eq!(machine.run(shell, "mount", &args).change, "needed");
        std::fs::write(machine.path("left/file"), "").unwrap();
        assert!(
            std::path::Path::new(&bench.place).join("file").exists(),
            "{}",
            shell.name
        );
        assert_eq!(machine.run(shell, "mount", &args).change, "none");
        let moved = with(&args, &json!({"src": right}));
        let done = machine.run(shell, "mount", &moved);
        assert_eq!((done.error, done.change), (None, "needed"), "{}", shell.name);
        assert!(
            !std::path::Path::new(&bench.place).join("file").exists(),
            "{}",
            shell.name
        );
        let gone = with(&args, &json!({"state": "absent"}));
        assert_eq!(machine.run(shell, "mount", &gone).error, None);
        assert_eq!(mounted(&bench.place), None);
        std::fs::remove_dir_all(machine.path("deep")).unwrap();
    }
}
