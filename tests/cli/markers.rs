//! `once` and `verify`: done is done, and what nobody knows is in doubt.

use std::os::unix::fs::PermissionsExt;

use crate::support::{Desk, pause, text, wait_for};

/// A playbook whose one task counts how often it ran.
fn counting(desk: &Desk, keywords: &str) {
    desk.write(
        "site.yml",
        &format!(
            "- name: All\n  hosts: web\n  gather_facts: false\n  tasks:\n    - name: count\n      shell: echo x >> $HOME/count; echo out; echo err >&2\n      register: r\n{keywords}"
        ),
    );
}

fn count(desk: &Desk, host: &str) -> usize {
    desk.host_file(host, "count").lines().count()
}

/// The only result of `--output json`.
fn result(desk: &Desk, words: &str, code: i32) -> serde_json::Value {
    let ran = desk.cmd(words).args("--output json").run().code(code);
    let mut results: Vec<_> = ran
        .events()
        .into_iter()
        .filter(|event| event["event"] == "task_result")
        .collect();
    assert_eq!(results.len(), 1, "{}", ran.out);
    results.remove(0)
}

#[test]
fn what_was_done_once_is_not_done_again() {
    let desk = Desk::hosts(&["web1"]);
    counting(&desk, "      once: counted\n");
    let first = result(&desk, "run site.yml -i hosts.ini", 0);
    assert_eq!(
        (text(&first["status"]), text(&first["stdout"]), text(&first["stderr"])),
        ("changed", "out", "err")
    );
    let second = result(&desk, "run site.yml -i hosts.ini", 0);
    assert_eq!(text(&second["status"]), "ok");
    assert!(text(&second["msg"]).starts_with("done by run 2"), "{second}");
    assert_eq!(second["result"]["once"]["name"], "counted");
    assert_eq!(count(&desk, "web1"), 1);
    let mode = |name: &str| {
        std::fs::metadata(desk.home("web1").join(name))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(mode(".batchssh"), 0o700);
    let check = result(&desk, "run site.yml -i hosts.ini --check", 0);
    assert_eq!(text(&check["status"]), "ok");
}

#[test]
fn a_failed_attempt_is_over_and_runs_again() {
    let desk = Desk::hosts(&["web1"]);
    desk.write(
        "site.yml",
        "- hosts: web\n  gather_facts: false\n  tasks:\n    - name: count\n      shell: echo x >> $HOME/count; test -e $HOME/good\n      once: true\n",
    );
    result(&desk, "run site.yml -i hosts.ini", 2);
    result(&desk, "run site.yml -i hosts.ini", 2);
    desk.write("../hosts/web1/good", "");
    result(&desk, "run site.yml -i hosts.ini", 0);
    result(&desk, "run site.yml -i hosts.ini", 0);
    assert_eq!(count(&desk, "web1"), 3);
}

#[test]
fn a_task_that_was_changed_is_refused_and_told_how() {
    let desk = Desk::hosts(&["web1"]);
    let playbook = |command: &str, more: &str| {
        desk.write(
            "site.yml",
            &format!(
                "- hosts: web\n  gather_facts: false\n  tasks:\n    - name: count\n      shell: {command}\n      once: counted\n{more}"
            ),
        );
    };
    playbook("echo x >> $HOME/count", "");
    result(&desk, "run site.yml -i hosts.ini", 0);
    playbook("echo yy >> $HOME/count", "");
    let refused = result(&desk, "run site.yml -i hosts.ini", 10);
    let msg = text(&refused["msg"]);
    assert!(
        msg.contains("cmd was `echo x >> $HOME/count` and is `echo yy >> $HOME/count`")
            && msg.contains("on_change: rerun"),
        "{msg}"
    );
    assert_eq!(refused["refused"], "guard");
    playbook("echo yy >> $HOME/count", "      on_change: keep\n");
    assert_eq!(text(&result(&desk, "run site.yml -i hosts.ini", 0)["status"]), "ok");
    playbook("echo yy >> $HOME/count", "      on_change: rerun\n");
    assert_eq!(
        text(&result(&desk, "run site.yml -i hosts.ini", 0)["status"]),
        "changed"
    );
    assert_eq!(text(&result(&desk, "run site.yml -i hosts.ini", 0)["status"]), "ok");
    assert_eq!(desk.host_file("web1", "count"), "x\nyy\n");
}

#[test]
fn a_task_whose_end_nobody_saw_is_in_doubt_until_verify_decides() {
    let desk = Desk::hosts(&["web1"]);
    let playbook = |more: &str| {
        desk.write(
            "site.yml",
            &format!(
                "- hosts: web\n  gather_facts: false\n  tasks:\n    - name: count\n      shell: echo x >> $HOME/count; echo $$ > $HOME/pid; sleep 600\n      once: counted\n{more}"
            ),
        );
    };
    playbook("");
    let running = desk.cmd("run site.yml -i hosts.ini").spawn();
    wait_for("the task", || !desk.host_file("web1", "pid").is_empty());
    running.signal(rustix::process::Signal::KILL);
    // The command is still there: it is named, and nothing decides over it.
    playbook("      verify: 'true'\n");
    let alive = result(&desk, "run site.yml -i hosts.ini --in-doubt rerun --host-lock off", 11);
    let msg = text(&alive["msg"]);
    assert!(msg.contains("still runs there") && msg.contains("sleep 600"), "{msg}");
    let pid = desk.host_file("web1", "pid").trim().parse().unwrap();
    let group = rustix::process::getpgid(rustix::process::Pid::from_raw(pid)).unwrap();
    rustix::process::kill_process_group(group, rustix::process::Signal::KILL).unwrap();
    pause();
    playbook("");
    let doubt = result(&desk, "run site.yml -i hosts.ini --host-lock off", 11);
    let msg = text(&doubt["msg"]);
    assert_eq!(text(&doubt["status"]), "in_doubt");
    assert!(
        msg.contains("nobody saw its end") && msg.contains("batchssh doubt resolve 2"),
        "{msg}"
    );
    playbook("      verify: echo what is this; exit 7\n");
    let doubt = result(&desk, "run site.yml -i hosts.ini --host-lock off", 11);
    assert!(text(&doubt["msg"]).contains("(rc 7): what is this"), "{doubt}");
    assert_eq!(count(&desk, "web1"), 1);
    playbook("      verify: test -s $HOME/count\n");
    let verified = result(&desk, "run site.yml -i hosts.ini --host-lock off", 0);
    assert!(
        text(&verified["msg"]).contains("`verify` says that it was done"),
        "{verified}"
    );
    playbook("");
    assert_eq!(
        text(&result(&desk, "run site.yml -i hosts.ini --host-lock off", 0)["status"]),
        "ok"
    );
    assert_eq!(count(&desk, "web1"), 1);
}
