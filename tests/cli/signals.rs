//! Ctrl-C, SIGTERM, and a reader that goes away.

use std::path::Path;
use std::time::Instant;

use rustix::process::Signal;

use crate::support::{Desk, Running, events, wait_for};

/// Says when it begins and when it ends.
fn start(desk: &Desk, seconds: &str, form: &str) -> Running {
    let running = desk
        .cmd("exec -i hosts.ini -f 1")
        .arg(form)
        .arg("--")
        .arg(format!("echo $$ > begun; sleep {seconds}; touch ended"))
        .spawn();
    wait_for("the first host", || desk.host_file("a", "begun").ends_with('\n'));
    running
}

#[test]
fn r23_the_first_ctrl_c_lets_running_tasks_end_and_starts_nothing_new() {
    let desk = Desk::hosts(&["a", "b", "c"]);
    let running = start(&desk, "1", "--output=csv");
    running.signal(Signal::INT);
    let ran = running.wait().code(130);
    assert!(
        ran.err.contains("SIGINT: running tasks finish, nothing new is started"),
        "{}",
        ran.err
    );
    assert!(desk.home("a").join("ended").exists());
    assert!(!desk.home("b").join("begun").exists());
    assert_eq!(desk.read("batchssh.retry"), "b  # not started\nc  # not started\n");
    let journal = events(&desk.journal());
    let last = journal.last().unwrap();
    assert!(last["event"] == "run_finished" && last["exit_code"] == 130, "{last}");
}

#[test]
fn r23_sigterm_drains_with_its_own_exit_code() {
    let desk = Desk::hosts(&["a", "b"]);
    let running = start(&desk, "0.7", "-v");
    running.signal(Signal::TERM);
    running.wait().code(143);
    assert!(desk.home("a").join("ended").exists());
    assert_eq!(desk.read("batchssh.retry"), "b  # not started\n");
}

#[test]
fn r23_the_second_ctrl_c_ends_at_once_and_the_host_is_not_called_good() {
    let desk = Desk::hosts(&["a", "b"]);
    let mut running = start(&desk, "300", "-v");
    running.signal(Signal::INT);
    wait_for("the drain", || desk.journal().contains("run_cancelled"));
    assert!(running.is_running());
    let begun = Instant::now();
    running.signal(Signal::INT);
    running.wait().code(130);
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
    let retry = desk.read("batchssh.retry");
    let lines: Vec<&str> = retry.lines().collect();
    assert_eq!(lines.len(), 2, "{retry}");
    assert!(lines[0].starts_with("a  # "), "{retry}");
    assert_eq!(lines[1], "b  # not started");
    let process = format!("/proc/{}", desk.host_file("a", "begun").trim());
    wait_for("the end of the command on the host", || !Path::new(&process).exists());
    assert!(!desk.home("a").join("ended").exists());
}

#[test]
fn r27_a_reader_that_goes_away_stops_neither_the_run_nor_its_journal() {
    let names: Vec<String> = (1..=6).map(|n| format!("h{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let desk = Desk::hosts(&names);
    let mut running = desk
        .cmd("exec -i hosts.ini -f 1 --")
        .arg("seq 2000; touch ended")
        .spawn();
    assert_eq!(running.line(), "h1 | 1\n");
    running.close_output();
    let ran = running.wait().code(0);
    assert!(!ran.err.contains("panic"), "{}", ran.err);
    for name in names {
        assert!(desk.home(name).join("ended").exists(), "{name}");
    }
    let journal = events(&desk.journal());
    let done = journal.iter().filter(|event| event["event"] == "host_done").count();
    assert_eq!(done, 6);
}
