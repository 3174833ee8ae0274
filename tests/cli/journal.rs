//! The journal: what was shown is in it, and what was begun is in it before it was begun.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Desk, events, text, wait_for};

/// The events of one kind.
fn of<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["event"] == kind).collect()
}

#[test]
fn r22_a_task_that_must_not_be_repeated_is_in_the_journal_before_the_host_sees_it() {
    let desk = Desk::hosts(&["a"]);
    let running = desk
        .cmd("exec -i hosts.ini --")
        .arg("echo x >> ran; sleep 30; echo y >> ran")
        .spawn();
    wait_for("the command", || !desk.host_file("a", "ran").is_empty());
    running.signal(Signal::KILL);
    let journal = events(&desk.journal());
    let acting = of(&journal, "task_acting");
    assert_eq!(acting.len(), 1);
    assert_eq!(acting[0]["host"], "a");
    assert_eq!(acting[0]["command"], "echo x >> ran; sleep 30; echo y >> ran");
    assert_eq!(acting[0]["repeatable"], false);
    assert!(of(&journal, "task_result").is_empty());
}

const SITE: &str = r"
- hosts: all
  gather_facts: false
  tasks:
    - name: lines
      copy: {dest: '~/motd', content: hello}
    - name: asks
      command: cat motd
      changed_when: false
    - name: once made
      command: touch made
      args: {creates: made, chdir: '~'}
    - name: hidden
      shell: echo secret
      no_log: true
    - name: items
      shell: echo {{ item }}
      loop: [p, q]
";

#[test]
fn results_say_which_commands_ran_which_files_were_sent_and_what_may_be_repeated() {
    let desk = Desk::hosts(&["a"]);
    desk.write("site.yml", SITE);
    let ran = desk.cmd("run site.yml -i hosts.ini --output json").run().well();
    let events = ran.events();
    let results = of(&events, "task_result");
    let did = |name: &str| &results.iter().find(|event| event["task"] == name).unwrap()["did"];
    let file = &did("lines")["files"][0];
    assert!(text(&file["path"]).ends_with("motd"), "{file}");
    assert_eq!(file["size"], 5);
    assert_eq!(
        file["sha256"],
        "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    );
    assert_eq!(did("asks")["commands"], json!(["cat motd"]));
    assert_eq!(did("once made")["commands"], json!(["cd '~' && touch made"]));
    assert_eq!(did("hidden")["commands"], Value::Null);
    let repeatable = ["lines", "asks", "once made", "hidden", "items"].map(|name| did(name)["repeatable"].clone());
    assert_eq!(json!(repeatable), json!([true, true, true, null, null]));
    let items: Vec<&Value> = of(&events, "item_result")
        .iter()
        .map(|event| &event["did"]["commands"][0])
        .collect();
    assert_eq!(items, ["/bin/sh -c 'echo p'", "/bin/sh -c 'echo q'"]);
    let acting: Vec<(&str, &Value)> = of(&events, "task_acting")
        .iter()
        .map(|event| (text(&event["task"]), &event["command"]))
        .collect();
    assert!(acting.contains(&("hidden", &json!(""))), "{acting:?}");
    assert!(!ran.out.contains("echo secret"), "{}", ran.out);
}
