//! The table of file systems under concurrent runs, killed runs and locks that nobody holds any more. No root needed.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use batchssh::modules::words::token;
use batchssh::shell::snippets;
use serde_json::{Value as Json, json};

use crate::machine::Machine;

fn entry(path: &str, fstab: &str) -> Json {
    json!({"path": path, "src": "tmpfs", "fstype": "tmpfs", "fstab": fstab, "state": "present"})
}

/// How often each line is there that begins with `tmpfs`, in order of the alphabet.
fn entries(machine: &Machine) -> Vec<String> {
    let text = std::fs::read_to_string(machine.path("fstab")).unwrap();
    let mut lines: Vec<String> = text
        .lines()
        .filter(|l| l.starts_with("tmpfs"))
        .map(str::to_owned)
        .collect();
    lines.sort();
    lines
}

fn names(machine: &Machine) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(machine.path(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn many_runs_at_the_same_moment_write_each_entry_once_and_lose_none() {
    const EACH: usize = 8;
    let machine = Machine::new();
    std::fs::write(machine.path("fstab"), "# kept\n").unwrap();
    // The second name of the same table.
    std::os::unix::fs::symlink("fstab", machine.path("other")).unwrap();
    std::thread::scope(|scope| {
        for shell in &machine.shells {
            for number in 0..EACH {
                let machine = &machine;
                scope.spawn(move || {
                    let own = format!("/mnt/{}-{number}", shell.name);
                    for path in [own.as_str(), "/mnt/shared"] {
                        let table = machine.text(if number % 2 == 0 { "fstab" } else { "other" });
                        let done = machine.run(shell, "mount", &entry(path, &table));
                        assert_eq!(done.error, None);
                    }
                });
            }
        }
    });
    let mut expected: Vec<String> = machine
        .shells
        .iter()
        .flat_map(|shell| (0..EACH).map(move |number| format!("tmpfs /mnt/{}-{number} tmpfs defaults 0 0", shell.name)))
        .collect();
    expected.push("tmpfs /mnt/shared tmpfs defaults 0 0".to_owned());
    expected.sort();
    assert_eq!(entries(&machine), expected);
    assert!(
        std::fs::read_to_string(machine.path("fstab"))
            .unwrap()
            .starts_with("# kept\n")
    );
    assert_eq!(names(&machine), ["fstab", "other"], "something was left behind");
}

/// What the lock's text has to say about a process of this machine.
fn owner(pid: u32) -> (String, String, String) {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let space = std::fs::read_link("/proc/self/ns/pid").unwrap().display().to_string();
    let space = space.trim_start_matches("pid:[").trim_end_matches(']').to_owned();
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let since = stat.rsplit(") ").next().unwrap().split(' ').nth(19).unwrap().to_owned();
    (boot.trim().to_owned(), space, since)
}

fn hold(machine: &Machine, text: &str) {
    std::os::unix::fs::symlink(text, machine.path(".fstab.batchssh-lock")).unwrap();
}

#[test]
fn a_lock_of_an_earlier_boot_or_a_process_that_is_gone_holds_nobody_up() {
    let machine = Machine::new();
    let own = std::process::id();
    let (boot, space, since) = owner(own);
    let mut gone = Command::new("true").spawn().unwrap();
    let gone_pid = gone.id();
    gone.wait().unwrap();
    let stale = [
        format!("11111111-2222-3333-4444-555555555555,{space},{own},{since}"),
        format!("{boot},{space},{gone_pid},{since}"),
        // The number was given to another process.
        format!("{boot},{space},{own},7"),
    ];
    for text in &stale {
        for shell in &machine.shells {
            hold(&machine, text);
            // Who was about to break the lock is gone, too.
            std::os::unix::fs::symlink(&stale[1], machine.path(&format!(".fstab.batchssh-lock.{text}"))).unwrap();
            std::fs::write(machine.path("fstab"), "").unwrap();
            std::thread::scope(|scope| {
                for number in 0..3 {
                    let machine = &machine;
                    scope.spawn(move || {
                        let args = entry(&format!("/mnt/{number}"), &machine.text("fstab"));
                        let done = machine.run(shell, "mount", &args);
                        assert_eq!(done.error, None, "{} {text}", shell.name);
                    });
                }
            });
            assert_eq!(entries(&machine).len(), 3, "{} {text}", shell.name);
            assert_eq!(names(&machine), ["fstab"], "{} {text}", shell.name);
        }
    }
}

#[test]
fn a_lock_that_is_held_is_waited_for() {
    let machine = Machine::new();
    let (boot, space, since) = owner(std::process::id());
    std::fs::write(machine.path("fstab"), "").unwrap();
    for held in [
        format!("{boot},{space},{},{since}", std::process::id()),
        // Of a container: nobody here can tell whether it lives.
        format!("{boot},1{space},999999999,{since}"),
    ] {
        hold(&machine, &held);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                let done = machine.run(
                    &machine.shells[0],
                    "mount",
                    &entry(&format!("/mnt/{}", held.len()), &machine.text("fstab")),
                );
                assert_eq!(done.error, None);
                Instant::now()
            });
            std::thread::park_timeout(Duration::from_millis(400));
            let before = entries(&machine).len();
            let freed = Instant::now();
            std::fs::remove_file(machine.path(".fstab.batchssh-lock")).unwrap();
            assert!(waiting.join().unwrap() > freed, "it did not wait");
            assert_eq!(entries(&machine).len(), before + 1);
        });
    }
}

#[test]
fn a_run_killed_at_any_moment_leaves_a_whole_table_and_the_next_one_ends_it() {
    let machine = Machine::new();
    let shell = &machine.shells[0];
    let before = format!("# {}\n", "x".repeat(50_000));
    let after = format!("{before}tmpfs /mnt/a tmpfs defaults 0 0\n");
    let mut killed = 0;
    for round in 0..24_u64 {
        std::fs::write(machine.path("fstab"), &before).unwrap();
        let mut child = Command::new(&shell.words[0])
            .args([
                "-c",
                snippets::MOUNT,
                "batchssh",
                "act",
                &token().unwrap(),
                "present",
                "/mnt/a",
                "tmpfs",
                "tmpfs",
            ])
            .args(["0", "0", &machine.text("fstab"), "0", "1"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"defaults").unwrap();
        std::thread::park_timeout(Duration::from_micros(round * 1500));
        child.kill().unwrap();
        killed += u32::from(child.wait().unwrap().code().is_none());
        let now = std::fs::read_to_string(machine.path("fstab")).unwrap();
        assert!(now == before || now == after, "the table is torn after {round}");
        let done = machine.run(shell, "mount", &entry("/mnt/a", &machine.text("fstab")));
        assert_eq!(done.error, None, "round {round}");
        assert_eq!(
            std::fs::read_to_string(machine.path("fstab")).unwrap(),
            after,
            "round {round}"
        );
    }
    assert!(killed > 5, "only {killed} were killed in the middle");
    // Who looks and finds everything right takes no lock, and so breaks none.
    let done = machine.run(shell, "mount", &entry("/mnt/b", &machine.text("fstab")));
    assert_eq!(done.error, None);
    assert_eq!(names(&machine), ["fstab"], "something was left behind");
}
