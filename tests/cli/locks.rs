//! Two controllers and one host: the second one waits or is refused, and no lock outlives what it is for.

use rustix::process::{Pid, Signal, getpgid, kill_process_group};

use crate::support::{Cmd, Desk, Ran, Running, pause, text, wait_for};

/// A playbook whose task works until there is a file `go` in the home of the host.
const WAITING: &str = "- hosts: web\n  gather_facts: false\n  tasks:\n    - shell: echo $$ > $HOME/pid; while [ ! -e $HOME/go ]; do sleep 0.05; done\n";
const QUICK: &str = "- hosts: web\n  gather_facts: false\n  tasks:\n    - shell: echo x >> $HOME/count\n";

fn desk() -> Desk {
    let desk = Desk::hosts(&["web1"]);
    desk.write("waiting.yml", WAITING);
    desk.write("quick.yml", QUICK);
    desk
}

/// A run that has the host.
fn begun(desk: &Desk) -> Running {
    let running = desk.cmd("run waiting.yml -i hosts.ini").spawn();
    wait_for("the task", || !desk.host_file("web1", "pid").is_empty());
    running
}

fn quick(desk: &Desk, words: &str) -> Cmd {
    desk.cmd("run quick.yml -i hosts.ini --output json").args(words)
}

fn message(ran: &Ran) -> String {
    let events = ran.events();
    let result = events.iter().find(|event| event["event"] == "task_result").unwrap();
    text(&result["msg"]).to_owned()
}

fn go(desk: &Desk) {
    std::fs::write(desk.home("web1").join("go"), "").unwrap();
}

fn kill_command(desk: &Desk) {
    let pid = desk.host_file("web1", "pid").trim().parse().unwrap();
    let group = getpgid(Pid::from_raw(pid)).unwrap();
    kill_process_group(group, Signal::KILL).unwrap();
}

/// Puts another value into the lease of web1.
fn rewrite(desk: &Desk, key: &str, value: &str) {
    let lease = desk.home("web1").join(".batchssh/lease.1");
    let text = std::fs::read_to_string(&lease).unwrap();
    assert!(text.contains(&format!("\n{key} ")), "{text}");
    let lines = text.lines().map(|line| match line.split_once(' ') {
        Some((found, _)) if found == key => format!("{key} {value}\n"),
        _ => format!("{line}\n"),
    });
    std::fs::write(&lease, lines.collect::<String>()).unwrap();
}

/// The lease of web1 as if its run had been started on another machine: nobody here can know whether it is gone.
fn from_elsewhere(desk: &Desk) {
    rewrite(desk, "seat", "11111111-1111-1111-1111-111111111111/1/2/3");
}

/// How many leases somebody has.
fn leases(desk: &Desk) -> usize {
    let store = desk.home("web1").join(".batchssh");
    let files = std::fs::read_dir(store).unwrap().map(|entry| entry.unwrap().path());
    files
        .filter(|file| file.file_name().unwrap().to_string_lossy().contains("lease"))
        .filter(|file| {
            let text = std::fs::read_to_string(file).unwrap();
            let lines = |word: &str| text.lines().filter(|line| line.starts_with(word)).count();
            lines("holds ") > lines("gives ")
        })
        .count()
}

#[test]
fn r30_two_runs_on_one_host_the_second_is_refused_with_the_owners_name() {
    let desk = desk();
    let first = begun(&desk);
    let run = desk.runs()[0].file_name().unwrap().to_string_lossy().into_owned();
    let refused = quick(&desk, "--lock-wait 0").run().code(12);
    let msg = message(&refused);
    assert!(
        msg.starts_with(&format!("locked by run {run} of ")) && msg.contains("--lock-wait"),
        "{msg}"
    );
    // A look, an ad-hoc command and a run without locks go on as ever.
    quick(&desk, "--check").run().code(0);
    desk.cmd("exec web -i hosts.ini -- true").run().code(0);
    quick(&desk, "--host-lock off").run().code(0);
    assert_eq!(desk.host_file("web1", "count"), "x\n");
    go(&desk);
    first.wait().code(0);
    assert_eq!(leases(&desk), 0);
    quick(&desk, "--lock-wait 0").run().code(0);
}

#[test]
fn r30_a_run_stands_in_line_as_long_as_it_is_told() {
    let desk = desk();
    let first = begun(&desk);
    quick(&desk, "--lock-wait 1").run().code(12);
    let second = quick(&desk, "--lock-wait 30 --task-timeout 20").spawn();
    pause();
    go(&desk);
    first.wait().code(0);
    second.wait().code(0);
    assert_eq!(desk.host_file("web1", "count"), "x\n");
    assert_eq!(leases(&desk), 0);
}

#[test]
fn r30_a_lock_without_an_owner_ends_by_age_and_never_while_its_command_is_there() {
    let desk = desk();
    let mut first = desk.cmd("run waiting.yml -i hosts.ini");
    first.command.env("BATCHSSH_LOCK_EXPIRY", "1");
    let first = first.spawn();
    wait_for("the task", || !desk.host_file("web1", "pid").is_empty());
    first.signal(Signal::KILL);
    from_elsewhere(&desk);
    // Past its age: the command is at work all the same.
    quick(&desk, "--lock-wait 3").run().code(12);
    kill_command(&desk);
    quick(&desk, "--lock-wait 10").run().code(0);
    assert_eq!(leases(&desk), 0);
}

#[test]
fn r30_a_lock_of_another_boot_is_none() {
    let desk = desk();
    let first = begun(&desk);
    first.signal(Signal::KILL);
    kill_command(&desk);
    from_elsewhere(&desk);
    quick(&desk, "--lock-wait 0").run().code(12);
    rewrite(&desk, "boot", "00000000-0000-0000-0000-000000000000");
    quick(&desk, "--lock-wait 0").run().code(0);
}

#[test]
fn r30_the_lock_of_a_run_that_was_killed_here_ends_with_its_command() {
    let desk = desk();
    let first = begun(&desk);
    first.signal(Signal::KILL);
    // The command is at work all the same.
    quick(&desk, "--lock-wait 0").run().code(12);
    assert_eq!(desk.host_file("web1", "count"), "");
    kill_command(&desk);
    quick(&desk, "--lock-wait 0").run().code(0);
    assert_eq!(desk.host_file("web1", "count"), "x\n");
    assert_eq!(leases(&desk), 0);
}

#[test]
fn r30_a_run_that_lost_its_lock_runs_nothing_more() {
    let desk = desk();
    desk.write(
        "two.yml",
        &format!("{WAITING}    - shell: echo second >> $HOME/count\n"),
    );
    let first = desk.cmd("run two.yml -i hosts.ini --output json").spawn();
    wait_for("the task", || !desk.host_file("web1", "pid").is_empty());
    std::fs::remove_file(desk.home("web1").join(".batchssh/lease.1")).unwrap();
    go(&desk);
    first.wait().code(12);
    assert_eq!(desk.host_file("web1", "count"), "");
}

#[test]
fn where_no_lock_can_be_kept_a_plain_run_says_so_once_and_goes_on() {
    let desk = desk();
    std::os::unix::fs::symlink("/tmp", desk.home("web1").join(".batchssh")).unwrap();
    let ran = quick(&desk, "--lock-wait 0").run().code(0);
    let events = ran.events();
    let told: Vec<&str> = events
        .iter()
        .filter(|event| event["event"] == "message")
        .map(|event| text(&event["text"]))
        .collect();
    assert!(
        told.len() == 1 && told[0].contains("no lock can be kept there") && told[0].contains("symbolic link"),
        "{told:?}"
    );
    let refused = quick(&desk, "--host-lock require").run().code(12);
    assert!(message(&refused).contains("symbolic link"));
}
