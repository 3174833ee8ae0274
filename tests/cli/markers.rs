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
        msg.contains("nobody saw the end of `counted`")
            && msg.contains("batchssh doubt resolve 2")
            && msg.contains("--in-doubt rerun"),
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

/// A run of a task that counts and then waits, killed together with its command.
fn killed(desk: &Desk, keywords: &str) {
    desk.write(
        "site.yml",
        &format!(
            "- hosts: web\n  gather_facts: false\n  tasks:\n    - name: first\n      shell: echo x >> $HOME/first\n    - name: count\n      shell: echo x >> $HOME/count; echo $$ > $HOME/pid; test -e $HOME/good || sleep 600\n{keywords}    - name: last\n      shell: echo x >> $HOME/last\n"
        ),
    );
    let running = desk.cmd("run site.yml -i hosts.ini").spawn();
    wait_for("the task", || !desk.host_file("web1", "pid").is_empty());
    running.signal(rustix::process::Signal::KILL);
    let pid = desk.host_file("web1", "pid").trim().parse().unwrap();
    let group = rustix::process::getpgid(rustix::process::Pid::from_raw(pid)).unwrap();
    rustix::process::kill_process_group(group, rustix::process::Signal::KILL).unwrap();
    pause();
}

fn markers(desk: &Desk) -> Vec<String> {
    let folder = desk.home("web1").join(".batchssh/markers");
    let names = std::fs::read_dir(folder).unwrap();
    names
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect()
}

fn lines_of(desk: &Desk, name: &str) -> usize {
    desk.host_file("web1", name).lines().count()
}

#[test]
fn verify_alone_makes_a_task_exactly_once_for_resume() {
    let desk = Desk::hosts(&["web1"]);
    killed(&desk, "      verify: test -s $HOME/count\n");
    desk.cmd("resume").run().code(0);
    assert_eq!(["first", "count", "last"].map(|name| lines_of(&desk, name)), [1, 1, 1]);
    // The marker was the run's own, and the run succeeded.
    assert_eq!(markers(&desk), [""; 0]);
    // Another run is another matter.
    desk.write("../hosts/web1/good", "");
    desk.cmd("run site.yml -i hosts.ini").run().code(0);
    assert_eq!(lines_of(&desk, "count"), 2);
}

#[test]
fn r6_what_is_in_doubt_is_never_run_by_itself_and_is_counted_and_listed() {
    let desk = Desk::hosts(&["web1"]);
    killed(&desk, "      once: counted\n");
    for words in ["resume", "retry", "run site.yml -i hosts.ini --host-lock off"] {
        let ran = desk.cmd(words).run().code(11);
        assert_eq!(lines_of(&desk, "count"), 1, "{words}\n{}", ran.out);
        let retry = desk.read("site.retry");
        assert!(
            retry.starts_with("web1") && retry.contains("in doubt"),
            "{words}: {retry}"
        );
    }
    let run = |form: &str| {
        desk.cmd("run site.yml -i hosts.ini --host-lock off --output")
            .arg(form)
            .run()
            .code(11)
            .out
    };
    let last = |text: &str| text.lines().last().unwrap_or_default().to_owned();
    assert!(run("ansible").contains("indoubt=1"));
    assert!(run("human").contains("in doubt"), "{}", run("human"));
    assert!(last(&run("json")).contains("\"in_doubt\":1"));
    assert!(run("csv").contains("in_doubt"));
    assert!(run("oneline").to_lowercase().contains("doubt"), "{}", run("oneline"));
    // Only somebody who says so makes it run again.
    desk.write("../hosts/web1/good", "");
    desk.cmd("run site.yml -i hosts.ini --host-lock off --in-doubt rerun")
        .run()
        .code(0);
    assert_eq!(lines_of(&desk, "count"), 2);
}

#[test]
fn a_module_that_looks_first_is_decided_by_verify_too() {
    let desk = Desk::hosts(&["web1"]);
    desk.write(
        "site.yml",
        "- hosts: web\n  gather_facts: false\n  tasks:\n    - name: conf\n      copy: {content: x, dest: '{{ home }}/conf'}\n      once: conf\n      verify: test -e $HOME/conf\n",
    );
    let run = || {
        let home = desk.home("web1").display().to_string();
        desk.cmd("run site.yml -i hosts.ini --output json -e")
            .arg(format!("home={home}"))
            .run()
            .code(0)
    };
    // Nobody wrote its end down.
    let forget_the_end = || {
        let markers = desk.home("web1").join(".batchssh/markers");
        let paths = std::fs::read_dir(markers).unwrap().map(|entry| entry.unwrap().path());
        for path in paths.filter(|path| path.extension().is_some_and(|end| end == "d")) {
            std::fs::remove_file(path).unwrap();
        }
    };
    assert_eq!(run().results(), ["web1 changed"]);
    forget_the_end();
    let ran = run();
    assert!(ran.out.contains("`verify` says that it was done"), "{}", ran.out);
    forget_the_end();
    std::fs::remove_file(desk.home("web1").join("conf")).unwrap();
    assert_eq!(run().results(), ["web1 changed"]);
    assert_eq!(desk.host_file("web1", "conf"), "x");
}

#[test]
fn a_doubt_that_is_skipped_lets_the_host_go_on() {
    let desk = Desk::hosts(&["web1"]);
    killed(&desk, "      once: counted\n");
    desk.cmd("run site.yml -i hosts.ini --host-lock off --in-doubt skip")
        .run()
        .code(11);
    assert_eq!((lines_of(&desk, "count"), lines_of(&desk, "last")), (1, 1));
}

#[test]
fn failed_when_and_until_decide_what_done_is() {
    let desk = Desk::hosts(&["web1"]);
    let play = |command: &str, keywords: &str| {
        desk.write(
            "site.yml",
            &format!(
                "- hosts: web\n  gather_facts: false\n  tasks:\n    - name: count\n      shell: {command}\n      once: counted\n      register: r\n{keywords}"
            ),
        );
    };
    play(
        "echo x >> $HOME/count; echo BAD",
        "      failed_when: \"'BAD' in r.stdout\"\n",
    );
    result(&desk, "run site.yml -i hosts.ini", 2);
    result(&desk, "run site.yml -i hosts.ini", 2);
    assert_eq!(count(&desk, "web1"), 2);
    play(
        "echo x >> $HOME/count; exit 4",
        "      failed_when: r.rc not in [0, 4]\n",
    );
    result(&desk, "run site.yml -i hosts.ini", 0);
    assert!(text(&result(&desk, "run site.yml -i hosts.ini", 0)["msg"]).starts_with("done by"));
    assert_eq!(count(&desk, "web1"), 3);
    play(
        "echo x >> $HOME/until; wc -l < $HOME/until",
        "      until: r.stdout | int >= 3\n      delay: 0\n      retries: 5\n",
    );
    let changed = result(&desk, "run site.yml -i hosts.ini", 10);
    assert!(text(&changed["msg"]).contains("cmd was"), "{changed}");
    desk.write(
        "site.yml",
        &desk.read("site.yml").replace("once: counted", "once: until"),
    );
    assert_eq!(result(&desk, "run site.yml -i hosts.ini", 0)["result"]["attempts"], 3);
    assert!(text(&result(&desk, "run site.yml -i hosts.ini", 0)["msg"]).starts_with("done by"));
    assert_eq!(lines_of(&desk, "until"), 3);
}

#[test]
fn loops_blocks_and_names_with_templates_have_markers_of_their_own() {
    let desk = Desk::hosts(&["web1"]);
    desk.write(
        "site.yml",
        "- name: All\n  hosts: web\n  gather_facts: false\n  vars: {app: shop}\n  tasks:\n    - name: loop\n      shell: echo {{ item }} >> $HOME/count\n      loop: [a, b, c]\n      once: loop-{{ app }}\n    - block:\n        - name: inner\n          shell: echo inner >> $HOME/count\n        - name: often\n          shell: echo often >> $HOME/count\n          once: false\n      once: block\n    - name: named\n      shell: echo named >> $HOME/count\n      once: true\n",
    );
    desk.cmd("run site.yml -i hosts.ini").run().code(0);
    desk.cmd("run site.yml -i hosts.ini").run().code(0);
    assert_eq!(desk.host_file("web1", "count"), "a\nb\nc\ninner\noften\nnamed\noften\n");
    let mut names: Vec<String> = markers(&desk)
        .into_iter()
        .filter_map(|name| {
            let text = desk.host_file("web1", &format!(".batchssh/markers/{name}"));
            let name = text.lines().find_map(|line| line.strip_prefix("name "))?.to_owned();
            text.contains("kind done").then_some(name)
        })
        .collect();
    names.sort();
    assert_eq!(names.len(), 5, "{names:?}");
    assert_eq!(
        names[..2],
        ["block/inner", "loop-shop["].map(String::from).map(|name| names
            .iter()
            .find(|n| n.starts_with(&name))
            .unwrap()
            .clone())
    );
    assert_eq!(names[4], "site.yml/All/named");
}

#[test]
fn another_script_is_another_task_and_secrets_stay_here() {
    let desk = Desk::hosts(&["web1"]);
    desk.write("files/setup.sh", "#!/bin/sh\necho x >> $HOME/count\n");
    let play = |more: &str| {
        desk.write(
            "site.yml",
            &format!("- hosts: web\n  gather_facts: false\n  tasks:\n    - name: setup\n      script: setup.sh\n      once: setup\n      environment: {{TOKEN: hunter2-{more}}}\n"),
        );
    };
    play("a");
    result(&desk, "run site.yml -i hosts.ini", 0);
    desk.write("files/setup.sh", "#!/bin/sh\necho y >> $HOME/count\n");
    let msg = text(&result(&desk, "run site.yml -i hosts.ini", 10)["msg"]).to_owned();
    assert!(msg.contains("content of setup.sh was `sha256 "), "{msg}");
    desk.write("files/setup.sh", "#!/bin/sh\necho x >> $HOME/count\n");
    play("b");
    let msg = text(&result(&desk, "run site.yml -i hosts.ini", 10)["msg"]).to_owned();
    assert!(
        msg.contains("environment TOKEN differs (it is not shown)") && !msg.contains("hunter2"),
        "{msg}"
    );
    for name in markers(&desk) {
        assert!(
            !desk
                .host_file("web1", &format!(".batchssh/markers/{name}"))
                .contains("hunter2")
        );
    }
    assert_eq!(count(&desk, "web1"), 1);
}

#[test]
fn other_modules_are_done_once_too() {
    let desk = Desk::hosts(&["web1"]);
    desk.write("files/app.conf", "a\n");
    desk.write("tree/x", "x\n");
    desk.write(
        "site.yml",
        "- hosts: web\n  gather_facts: false\n  tasks:\n    - {name: file, file: {path: '{{ home }}/dir', state: directory}, once: one}\n    - {name: copy, copy: {src: app.conf, dest: '{{ home }}/app.conf'}, once: two}\n    - {name: again, file: {path: '{{ home }}/dir', state: directory}, once: three}\n    - {name: put, put: {src: tree, dest: '{{ home }}/tree'}, once: four}\n",
    );
    let home = desk.home("web1").display().to_string();
    let run = |code| {
        desk.cmd("run site.yml -i hosts.ini --output json -e")
            .arg(format!("home={home}"))
            .run()
            .code(code)
    };
    assert_eq!(
        run(0).results(),
        ["web1 changed", "web1 changed", "web1 changed", "web1 ok"]
    );
    std::fs::remove_file(desk.home("web1").join("app.conf")).unwrap();
    std::fs::remove_dir_all(desk.home("web1").join("dir")).unwrap();
    assert_eq!(run(0).results(), ["web1 ok"; 4]);
    // Done is done: nothing was put back.
    assert!(!desk.home("web1").join("dir").exists());
    desk.write("files/app.conf", "b\n");
    let ran = run(10);
    assert!(ran.out.contains("content of app.conf was `sha256 "), "{}", ran.out);
    desk.write("files/app.conf", "a\n");
    desk.write("tree/x", "y\n");
    let ran = run(10);
    assert!(ran.out.contains("content of tree/x was `sha256 "), "{}", ran.out);
}
