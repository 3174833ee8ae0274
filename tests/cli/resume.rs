//! Going on: `retry` and `resume` do what is left to be done, and nothing twice.

use batchssh::cli::demo::fleet::HostSpec;
use rustix::process::Signal;

use crate::support::{Desk, Ran, events, text, wait_for};

/// What a host counted, in order: one word a task that ran there.
fn ran(desk: &Desk, host: &str) -> String {
    desk.host_file(host, "ran")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

/// `task host,host` of what was restored.
fn restored(ran: &Ran) -> Vec<String> {
    let told = ran.events();
    let told = told.iter().filter(|event| event["event"] == "task_restored");
    told.map(|event| {
        let hosts: Vec<&str> = event["hosts"].as_array().unwrap().iter().map(text).collect();
        format!("{} {}", text(&event["task"]), hosts.join(","))
    })
    .collect()
}

const STEPS: &str = r"
- hosts: all
  gather_facts: false
  tasks:
    - name: one
      shell: echo one >> ran; echo $PWD
      register: where
    - name: two
      shell: echo two >> ran
    - name: three
      shell: echo three >> ran; case $PWD in */b) test -e mended;; esac
    - name: four
      shell: 'echo four >> ran; echo {{ where.stdout }} > seen'
";

#[test]
fn r24_retry_goes_on_from_the_failed_task_and_only_where_it_failed() {
    let desk = Desk::hosts(&["a", "b"]);
    desk.write("site.yml", STEPS);
    desk.cmd("run site.yml -i hosts.ini").run().code(2);
    assert_eq!(
        desk.read("site.retry"),
        "b  # failed at `three`: rc=1, nothing was said\n"
    );
    std::fs::write(desk.home("b").join("mended"), "").unwrap();
    let again = desk.cmd("retry --show").run().well();
    assert!(!again.out.contains("--goes-on-with"), "{}", again.out);
    let retried = desk.cmd("retry").run().well();
    assert!(retried.out.contains("TASK [one] ***"), "{}", retried.out);
    assert!(retried.out.contains("\nrestored: [b]\n"), "{}", retried.out);
    assert!(
        retried.out.contains("b                          : ok=2    changed=2    unreachable=0    failed=0    skipped=0    rescued=0    ignored=0    restored=2"),
        "{}",
        retried.out
    );
    assert_eq!(ran(&desk, "a"), "one two three four");
    assert_eq!(ran(&desk, "b"), "one two three three four");
    assert_eq!(desk.host_file("b", "seen").trim(), desk.home("b").to_str().unwrap());
    assert!(!desk.path("site.retry").exists());
    let nothing = desk.cmd("retry").run().well();
    assert!(
        nothing
            .out
            .ends_with("every host succeeded, there is nothing to retry\n"),
        "{}",
        nothing.out
    );
    desk.cmd("runs verify").run().well();
}

#[test]
fn retry_from_start_runs_everything_again_where_it_failed() {
    let desk = Desk::hosts(&["a", "b"]);
    desk.write("site.yml", STEPS);
    desk.cmd("run site.yml -i hosts.ini").run().code(2);
    desk.cmd("retry --from-start").run().code(2);
    assert_eq!(ran(&desk, "a"), "one two three four");
    assert_eq!(ran(&desk, "b"), "one two three one two three");
    // The next one goes on from there.
    std::fs::write(desk.home("b").join("mended"), "").unwrap();
    desk.cmd("retry").run().well();
    assert_eq!(ran(&desk, "b"), "one two three one two three three four");
}

#[test]
fn a_retry_of_a_retry_takes_over_from_both_and_the_list_shrinks() {
    let desk = Desk::hosts(&["a", "b", "c"]);
    desk.write(
        "site.yml",
        r"
- hosts: all
  gather_facts: false
  tasks:
    - {name: one, shell: echo one >> ran}
    - {name: two, shell: echo two >> ran; test -e two}
    - {name: three, shell: echo three >> ran; test -e three}
",
    );
    let touch = |host: &str, name: &str| std::fs::write(desk.home(host).join(name), "").unwrap();
    touch("a", "two");
    touch("a", "three");
    desk.cmd("run site.yml -i hosts.ini").run().code(2);
    let root = desk.runs()[0].file_name().unwrap().to_str().unwrap().to_owned();
    touch("b", "two");
    touch("b", "three");
    touch("c", "two");
    let second = desk.cmd("retry --output json").run().code(2);
    assert_eq!(restored(&second), ["one b,c"]);
    touch("c", "three");
    // Also by the name of the first run: a chain has one end.
    desk.cmd("retry").arg(&root).run().well();
    assert_eq!(ran(&desk, "a"), "one two three");
    assert_eq!(ran(&desk, "b"), "one two two three");
    assert_eq!(ran(&desk, "c"), "one two two three three");
    let journal = std::fs::read_to_string(desk.runs()[2].join("journal.ndjson")).unwrap();
    let started = &events(&journal)[0];
    assert_eq!(text(&started["origin"]["root"]), root);
    assert_eq!(
        desk.runs()[1].file_name().unwrap().to_str().unwrap(),
        text(&started["origin"]["parent"])
    );
    assert_eq!(started["hosts"], serde_json::json!(["c"]));
    assert_eq!(
        started["command"],
        serde_json::json!([
            "run",
            "site.yml",
            "-i",
            "hosts.ini",
            "--limit",
            format!("@{}/retry-hosts", desk.runs()[1].display())
        ])
    );
}

const SLOW: &str = r"
- hosts: all
  gather_facts: false
  tasks:
    - {name: one, shell: echo one >> ran}
    - name: two
      shell: echo two >> ran; case $PWD in */b) test -e mended || sleep 30;; esac
    - {name: three, shell: echo three >> ran}
";

/// A run that was killed while `b` was in its second task.
fn killed(site: &str) -> Desk {
    let desk = Desk::hosts(&["a", "b"]);
    desk.write("site.yml", site);
    let running = desk.cmd("run site.yml -i hosts.ini").spawn();
    wait_for("the second task", || {
        ran(&desk, "a").contains("two") && ran(&desk, "b").contains("two")
    });
    // The result of `a` is on its way.
    wait_for("the result", || {
        desk.journal().matches("\"event\":\"task_result\"").count() >= 3
    });
    let refused = desk.cmd("resume").run().code(1);
    assert!(refused.err.contains(" still goes on: process "), "{}", refused.err);
    let refused = desk.cmd("retry").run().code(1);
    assert!(refused.err.contains(" still goes on: process "), "{}", refused.err);
    running.signal(Signal::KILL);
    running.killed();
    std::fs::write(desk.home("b").join("mended"), "").unwrap();
    desk
}

#[test]
fn resume_leaves_what_was_begun_in_doubt_and_does_the_rest() {
    let desk = killed(SLOW);
    let resumed = desk.cmd("resume --output json").run().code(11);
    assert_eq!(restored(&resumed), ["one a,b", "two a"]);
    assert_eq!(ran(&desk, "a"), "one two three");
    assert_eq!(ran(&desk, "b"), "one two");
    let msg = resumed
        .events()
        .iter()
        .find(|event| event["event"] == "task_result" && event["host"] == "b")
        .map(|event| text(&event["msg"]).to_owned())
        .unwrap();
    assert!(
        msg.contains("nobody saw its end") && msg.contains("--in-doubt rerun"),
        "{msg}"
    );
    // In doubt it stays, until somebody says what to do.
    desk.cmd("retry").run().code(11);
    assert_eq!(ran(&desk, "b"), "one two");
    desk.cmd("retry --in-doubt rerun").run().well();
    assert_eq!(ran(&desk, "b"), "one two two three");
    assert_eq!(ran(&desk, "a"), "one two three");
    desk.cmd("runs verify").run().well();
    desk.cmd("resume").run().code(1);
}

#[test]
fn what_somebody_found_out_decides_about_a_task_in_doubt() {
    for (verdict, counted) in [("done", "one two three"), ("not_done", "one two two three")] {
        let desk = killed(SLOW);
        let line = format!(
            "{{\"host\":\"b\",\"path\":\"{}/site.yml:6\",\"task\":\"two\",\"verdict\":\"{verdict}\"}}\n",
            desk.dir.display()
        );
        let line = if desk.journal().contains("\"path\":\"site.yml:6\"") {
            line.replace(&format!("{}/", desk.dir.display()), "")
        } else {
            line
        };
        std::fs::write(desk.runs()[0].join("resolutions.ndjson"), line).unwrap();
        desk.cmd("resume").run().well();
        assert_eq!(ran(&desk, "b"), counted);
        assert_eq!(ran(&desk, "a"), "one two three");
    }
}

#[test]
fn in_doubt_skip_goes_on_behind_and_never_calls_it_done() {
    let desk = killed(SLOW);
    desk.cmd("resume --in-doubt skip").run().code(11);
    assert_eq!(ran(&desk, "b"), "one two three");
    desk.cmd("retry").run().code(11);
    desk.cmd("retry --in-doubt skip").run().code(11);
    assert_eq!(ran(&desk, "b"), "one two three");
}

#[test]
fn a_changed_playbook_is_named_before_a_host_is_contacted() {
    let desk = Desk::hosts(&["a", "b"]);
    desk.write("site.yml", STEPS);
    desk.cmd("run site.yml -i hosts.ini").run().code(2);
    std::fs::write(desk.home("b").join("mended"), "").unwrap();
    let refused = |site: &str, what: &str| {
        desk.write("site.yml", site);
        let ran = desk.cmd("retry").run().code(1);
        assert!(ran.err.contains(what), "{}", ran.err);
        assert!(
            ran.err.contains("--accept-changes") && ran.err.contains("--from-start"),
            "{}",
            ran.err
        );
    };
    refused(
        &STEPS.replace("echo one >> ran;", "echo ONE >> ran;"),
        "site.yml:5: `one` was changed or removed, which was done already on 1 host, since run ",
    );
    let inserted = STEPS.replace(
        "    - name: two",
        "    - name: new\n      shell: echo new >> ran\n    - name: two",
    );
    refused(
        &inserted,
        "site.yml:8: `new` was put before `two`, which was done already on 1 host, since run ",
    );
    refused(
        &STEPS.replace("gather_facts: false", "gather_facts: no\n  vars: {x: 1}"),
        "site.yml:2: `hosts` was changed",
    );
    assert_eq!(ran(&desk, "b"), "one two three");
    // What failed may be mended, and what follows as well; comments are nothing.
    let mended = STEPS
        .replace("- hosts: all", "# a comment\n- hosts: all")
        .replace("echo three", "echo THREE")
        .replace("echo four", "echo FOUR");
    desk.write("site.yml", &mended);
    desk.cmd("retry").run().well();
    assert_eq!(ran(&desk, "b"), "one two three THREE FOUR");

    let desk = Desk::new(&[HostSpec::new("b")]);
    desk.write("site.yml", STEPS);
    desk.cmd("run site.yml -i hosts.ini").run().code(2);
    std::fs::write(desk.home("b").join("mended"), "").unwrap();
    desk.write("site.yml", &inserted);
    desk.cmd("retry --accept-changes").run().well();
    assert_eq!(ran(&desk, "b"), "one two three new three four");
}

#[test]
fn a_change_that_a_killed_run_made_still_notifies_and_the_host_is_given_back() {
    let desk = Desk::hosts(&["a"]);
    desk.write(
        "site.yml",
        r"
- hosts: all
  gather_facts: false
  tasks:
    - name: made
      shell: touch made; sleep 30
      args: {creates: made}
      notify: restart
      register: made
    - name: tells
      shell: 'echo {{ made is changed }} > told'
      changed_when: false
  handlers:
    - {name: restart, shell: echo restarted >> ran}
",
    );
    let running = desk.cmd("run site.yml -i hosts.ini").spawn();
    wait_for("the file", || desk.home("a").join("made").exists());
    running.signal(Signal::KILL);
    running.killed();
    let resumed = desk.cmd("resume").run().well();
    assert!(resumed.out.contains("changed: [a]"), "{}", resumed.out);
    assert_eq!(ran(&desk, "a"), "restarted");
    assert_eq!(desk.host_file("a", "told"), "True\n");
    // Nothing of the chain holds the host any more.
    desk.cmd("run site.yml -i hosts.ini").run().well();
    assert_eq!(ran(&desk, "a"), "restarted");
}

#[test]
fn a_run_that_was_killed_behind_its_last_task_gives_its_hosts_back_when_it_is_resumed() {
    let desk = Desk::hosts(&["a", "b"]);
    desk.write("site.yml", SLOW);
    std::fs::write(desk.home("b").join("mended"), "").unwrap();
    desk.cmd("run site.yml -i hosts.ini").run().well();
    let path = desk.runs()[0].join("journal.ndjson");
    let text = std::fs::read_to_string(&path).unwrap();
    let killed: String = text
        .split_inclusive('\n')
        .filter(|line| !line.contains("\"host_done\"") && !line.contains("\"run_finished\""))
        .collect();
    std::fs::write(&path, killed).unwrap();
    let resumed = desk.cmd("resume --output json").run().well();
    assert_eq!(restored(&resumed), ["one a,b", "two a,b", "three a,b"]);
    assert_eq!(resumed.results(), [""; 0]);
    let done: Vec<String> = resumed
        .events()
        .iter()
        .filter(|event| event["event"] == "host_done")
        .map(|event| format!("{} {}", text_of(event, "host"), text_of(event, "status")))
        .collect();
    assert_eq!(done, ["a changed", "b changed"]);
}

fn text_of(event: &serde_json::Value, key: &str) -> String {
    text(&event[key]).to_owned()
}
