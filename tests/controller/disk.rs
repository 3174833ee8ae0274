//! R25: the disk of the controller is full or cannot be written to.

use std::process::{Command, Stdio};

use crate::support::{Cmd, Desk, events};

/// The command where the folder of states is a disk of its own, mounted with `options`; `None`: only root can mount.
fn on_a_disk(desk: &Desk, options: &str, words: &str) -> Option<Cmd> {
    let tried = Command::new("unshare")
        .args(["-m", "true"])
        .stderr(Stdio::null())
        .status();
    if !rustix::process::geteuid().is_root() || !tried.is_ok_and(|status| status.success()) {
        eprintln!("skipped: no mount namespaces here");
        return None;
    }
    let state = desk.path("state").display().to_string();
    let mount = "mount -t tmpfs -o \"$1\" tmpfs \"$2\" && shift 2 && exec \"$@\"";
    Some(
        desk.cmd(words)
            .under("unshare", &["-m", "sh", "-c", mount, "sh", options, &state]),
    )
}

const COUNT: &str = "- hosts: web\n  gather_facts: false\n  tasks:\n    - shell: echo x >> $HOME/log\n";

#[test]
fn r25_where_no_journal_can_be_written_no_host_is_touched() {
    let desk = Desk::hosts(&["web1"]);
    desk.write("site.yml", COUNT);
    let Some(run) = on_a_disk(&desk, "ro", "run site.yml -i hosts.ini") else {
        return;
    };
    let ran = run.run().code(1);
    assert!(
        ran.err.contains("no journal can be written in ")
            && ran.err.contains("Read-only file system")
            && ran.err.contains("XDG_STATE_HOME"),
        "{}",
        ran.err
    );
    assert_eq!(desk.host_file("web1", "log"), "");
    // Looks and ad-hoc commands need none, and say so.
    for words in ["run site.yml --check -i hosts.ini", "exec web -i hosts.ini -- true"] {
        let ran = on_a_disk(&desk, "ro", words).unwrap().run().code(0);
        assert!(ran.err.contains("no journal is written"), "{words}: {}", ran.err);
    }
}

#[test]
fn r25_when_the_disk_fills_up_running_tasks_end_and_nothing_new_begins() {
    let desk = Desk::hosts(&["h1", "h2", "h3", "h4", "h5", "h6"]);
    desk.write(
        "site.yml",
        "- hosts: web\n  gather_facts: false\n  strategy: free\n  tasks:\n    - shell: echo x >> $HOME/log; seq 4000\n    - shell: echo y >> $HOME/log; seq 4000\n",
    );
    let words = "run site.yml -i hosts.ini -f 2 --output json";
    let Some(run) = on_a_disk(&desk, "size=64k", words) else {
        return;
    };
    let ran = run.run();
    assert!(
        ran.err.contains("the journal") && ran.err.contains("No space left on device"),
        "{}\n{}",
        ran.code,
        ran.err
    );
    assert!(!ran.err.contains("panicked"), "{}", ran.err);
    assert_eq!(ran.code, 74, "{}", ran.err);
    // What a host did is on standard output; who is left is in the retry file.
    let shown = events(&ran.out);
    let results = |host: &str| {
        let of_host = |event: &&serde_json::Value| {
            event["event"] == "task_result" && event["host"] == host && event["status"] == "changed"
        };
        shown.iter().filter(of_host).count()
    };
    let retry = desk.read("site.retry");
    let mut left = 0;
    for host in desk.fleet.hosts() {
        let log = desk.host_file(&host.name, "log").lines().count();
        assert_eq!(log, results(&host.name), "{}\n{}", host.name, ran.err);
        let listed = retry
            .lines()
            .any(|line| line.split_whitespace().next() == Some(&host.name));
        // One that did everything may be listed all the same: the journal does not have it.
        assert!(listed || log == 2, "{}: {log}\n{retry}", host.name);
        left += usize::from(log == 0);
    }
    assert!(left > 0, "the disk was never full\n{retry}");
    let finished = shown.iter().find(|event| event["event"] == "run_finished").unwrap();
    assert_eq!(finished["exit_code"], 74);
}
