//! What a pre-flight approved, when part of a dangerous loop was done, failed, or is in doubt: going on does the rest, and
//! nothing twice.

use rustix::process::Signal;

use crate::support::{Desk, events, text, wait_for};

/// `format` changes what the check looks at. It waits for as long as there is a file `hold`, and fails where an item is in
/// `broken`.
const PLAY: &str = r"
- hosts: web
  gather_facts: false
  preflight:
    - {name: disks, command: cat disks, same: true}
  tasks:
    - name: format
      shell: echo {{ item }} >> disks; while [ -e hold ]; do sleep 0.02; done; ! grep -q {{ item }} broken
      loop: [one, two]
      danger: disk
      once: format
";

fn desk() -> Desk {
    let desk = Desk::hosts(&["a", "b", "c"]);
    desk.write("site.yml", PLAY);
    for host in ["a", "b", "c"] {
        std::fs::write(desk.home(host).join("disks"), "").unwrap();
        std::fs::write(desk.home(host).join("broken"), "").unwrap();
    }
    desk
}

#[test]
fn what_the_items_of_a_loop_did_is_how_the_run_left_the_host() {
    let desk = desk();
    std::fs::write(desk.home("b").join("broken"), "two\n").unwrap();
    let ran = desk.cmd("run site.yml -i hosts.ini --output human").run().code(2);
    assert!(
        ran.out.contains("1 of 2 items failed: rc=1, nothing was said"),
        "{}",
        ran.out
    );
    let run = desk.runs()[0].file_name().unwrap().to_str().unwrap().to_owned();
    assert!(
        ran.out.contains(&format!("  run again   batchssh retry {run}\n")),
        "{}",
        ran.out
    );
    assert_eq!(
        desk.read("site.retry"),
        "b  # failed at `format`: 1 of 2 items failed: rc=1, nothing was said\n"
    );
    std::fs::write(desk.home("b").join("broken"), "").unwrap();
    let ran = desk.cmd("retry --output json").run().code(0);
    let told = ran.events();
    let verdict = told.iter().find(|event| event["event"] == "preflight_verdict").unwrap();
    assert_eq!(text(&verdict["notes"][0]["text"]), "as the run before left it");
    assert_eq!(desk.host_file("b", "disks"), "one\ntwo\ntwo\n");
    assert_eq!(desk.host_file("a", "disks"), "one\ntwo\n");
}

#[test]
fn a_doubt_that_is_decided_lets_dangerous_tasks_go_on_in_the_same_run() {
    for (verify, count) in [("", "one\ntwo\n"), ("      verify: 'false'\n", "one\none\ntwo\n")] {
        let desk = desk();
        desk.write("site.yml", &format!("{PLAY}{verify}"));
        std::fs::write(desk.home("b").join("hold"), "").unwrap();
        let running = desk.cmd("run site.yml -i hosts.ini").spawn();
        wait_for("the command", || desk.host_file("b", "disks") == "one\n");
        wait_for("the others", || {
            let journal = desk.journal();
            let done = events(&journal[..=journal.rfind('\n').unwrap()]);
            done.iter().filter(|event| event["event"] == "task_result").count() == 2
        });
        running.signal(Signal::KILL);
        running.killed();
        let markers = desk.home("b").join(".batchssh/markers");
        let files = |ending: &str| -> Vec<_> {
            let names = std::fs::read_dir(&markers).unwrap().flatten().map(|entry| entry.path());
            names
                .filter(|path| path.extension().is_some_and(|end| end == ending))
                .collect()
        };
        std::fs::remove_file(desk.home("b").join("hold")).unwrap();
        wait_for("the record of its end", || !files("d").is_empty());
        if !verify.is_empty() {
            // It came to its end, and nobody wrote that down.
            for path in files("d") {
                std::fs::remove_file(path).unwrap();
            }
        }
        let ran = desk.cmd("resume --output json").run().code(0);
        let told = ran.events();
        let verdict = told.iter().find(|event| event["event"] == "preflight_verdict").unwrap();
        let mut notes = verdict["notes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|note| text(&note["text"]));
        assert!(notes.any(|note| note.contains("a task is in doubt")), "{verdict}");
        assert_eq!(desk.host_file("b", "disks"), count, "{}", ran.out);
        assert_eq!(desk.host_file("a", "disks"), "one\ntwo\n");
        desk.cmd("runs verify").run().well();
    }
}

#[test]
fn where_nobody_can_tell_the_rest_of_a_dangerous_loop_is_not_begun() {
    let desk = desk();
    desk.write("site.yml", &PLAY.replace("once: format", "verify: exit 5"));
    std::fs::write(desk.home("b").join("hold"), "").unwrap();
    let running = desk.cmd("run site.yml -i hosts.ini").spawn();
    wait_for("the command", || desk.host_file("b", "disks") == "one\n");
    running.signal(Signal::KILL);
    running.killed();
    std::fs::remove_file(desk.home("b").join("hold")).unwrap();
    let markers = desk.home("b").join(".batchssh/markers");
    let ends = || -> Vec<_> {
        let names = std::fs::read_dir(&markers).unwrap().flatten().map(|entry| entry.path());
        names
            .filter(|path| path.extension().is_some_and(|end| end == "d"))
            .collect()
    };
    wait_for("the end of the command", || !ends().is_empty());
    for path in ends() {
        std::fs::remove_file(path).unwrap();
    }
    // Nobody can tell what became of the first one: the second is not begun.
    let ran = desk.cmd("resume").run().code(11);
    assert_eq!(desk.host_file("b", "disks"), "one\n", "{}", ran.out);
    assert!(ran.out.contains("`verify` does not know either"), "{}", ran.out);
}
