//! Every way out of a run: whichever it is, the journal has its end and the retry file has exactly the hosts that are left.

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Desk, Running, events, text, wait_for};

/// `a` is well, `b` fails, `c` works until there is a file `go`, and `d` is not begun: there is one worker.
const COMMAND: &str = "case $PWD in \
    */b) exit 3;; \
    */c) echo $$ > begun; while [ ! -e go ]; do sleep 0.02; done;; \
    esac";

/// A run that is at `c`. A list of an earlier day is there: one of its hosts is not in the inventory any more.
fn begun() -> (Desk, Running) {
    let desk = Desk::hosts(&["d", "a", "b", "c"]);
    desk.write("batchssh.retry", "old  # failed: long ago\nd  # failed: yesterday\n");
    let running = desk
        .cmd("exec a:b:c:d -i hosts.ini -f 1 --output json --")
        .arg(COMMAND)
        .spawn();
    wait_for("the third host", || desk.host_file("c", "begun").ends_with('\n'));
    (desk, running)
}

fn go(desk: &Desk) {
    std::fs::write(desk.home("c").join("go"), "").unwrap();
}

/// Waits until the journal has this event.
fn wait_for_event(desk: &Desk, event: &str) {
    wait_for(event, || desk.journal().contains(&format!("\"event\":\"{event}\"")));
}

/// The retry file, and the journal to its end.
#[track_caller]
fn assert_whole(desk: &Desk, code: i32, retry: &[&str]) {
    let journal = events(&desk.journal());
    let last = journal.last().unwrap();
    assert_eq!(
        (text(&last["event"]), &last["exit_code"]),
        ("run_finished", &Value::from(code))
    );
    desk.cmd("runs verify").run().well();
    let told = desk.read("batchssh.retry");
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), retry.len(), "{told}");
    for (line, wanted) in lines.iter().zip(retry) {
        assert!(line.starts_with(wanted), "{told}\n{wanted}");
    }
    // Its names are a limit; one that is not there any more is said, and is nobody.
    let names: Vec<&str> = lines.iter().filter_map(|line| line.split_whitespace().next()).collect();
    let known: Vec<&str> = names.into_iter().filter(|name| *name != "old").collect();
    let listed = desk
        .cmd("exec all -i hosts.ini --list-hosts --limit @batchssh.retry -- true")
        .run()
        .code(0);
    for name in ["a", "b", "c", "d"] {
        let is_listed = listed.out.lines().any(|line| line.trim() == name);
        assert_eq!(is_listed, known.contains(&name), "{name}\n{}", listed.out);
    }
    // Nothing half written stays behind.
    let names = std::fs::read_dir(&desk.dir).unwrap().flatten();
    let left: Vec<_> = names
        .map(|entry| entry.file_name().into_string().unwrap())
        .filter(|name| name.contains("retry") && name != "batchssh.retry")
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn r24_a_run_that_ends_leaves_its_list_and_its_journal() {
    let (desk, running) = begun();
    go(&desk);
    running.end().code(2);
    assert_whole(&desk, 2, &["b  # failed at `raw`: rc=3", "old  # failed: long ago"]);
}

#[test]
fn r24_one_signal_leaves_the_list_and_the_journal_whichever_it_is() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let (desk, running) = begun();
        running.signal(signal);
        wait_for_event(&desk, "run_cancelled");
        go(&desk);
        running.end().code(code);
        assert_whole(
            &desk,
            code,
            &[
                "d  # not started",
                "b  # failed at `raw`: rc=3",
                "old  # failed: long ago",
            ],
        );
    }
}

#[test]
fn r24_two_signals_leave_the_list_and_the_journal() {
    let (desk, running) = begun();
    running.signal(Signal::INT);
    wait_for_event(&desk, "run_cancelled");
    running.signal(Signal::INT);
    running.end().code(130);
    assert_whole(
        &desk,
        130,
        &[
            "d  # not started",
            "b  # failed at `raw`: rc=3",
            "c  # in doubt",
            "old  # failed: long ago",
        ],
    );
}

#[test]
fn r24_a_reader_that_goes_away_changes_neither_the_list_nor_the_journal() {
    let (desk, mut running) = begun();
    running.close_output();
    go(&desk);
    running.wait().code(2);
    assert_whole(&desk, 2, &["b  # failed at `raw`: rc=3", "old  # failed: long ago"]);
}

#[test]
fn r24_after_kill_9_the_journal_has_what_the_list_would_have() {
    let (desk, running) = begun();
    running.signal(Signal::KILL);
    running.killed();
    // Nobody could write it, and nobody wrote half of it.
    assert_eq!(
        desk.read("batchssh.retry"),
        "old  # failed: long ago\nd  # failed: yesterday\n"
    );
    desk.cmd("resume --show").run().code(0);
    let run = desk.runs()[0].clone();
    let hosts = std::fs::read_to_string(run.join("retry-hosts")).unwrap();
    let mut names: Vec<&str> = hosts
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["c", "d"], "{hosts}");
    go(&desk);
    wait_for("the end of the command", || {
        let pid = desk.host_file("c", "begun");
        !std::path::Path::new(&format!("/proc/{}", pid.trim())).exists()
    });
    // `c` was begun and nobody saw its end, `d` is done now, and `b` had failed: nobody is forgotten.
    desk.cmd("resume").run().code(11);
    let told = desk.read("batchssh.retry");
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), 3, "{told}");
    assert!(lines[0].starts_with("c  # in doubt at `raw`"), "{told}");
    assert!(lines[1].starts_with("b  # failed at `raw`: rc=3"), "{told}");
    assert_eq!(lines[2], "old  # failed: long ago");
    desk.cmd("runs verify").run().well();
}
