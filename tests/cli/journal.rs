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

/// Three runs on one host.
fn three_runs() -> Desk {
    let desk = Desk::hosts(&["a"]);
    for word in ["one", "two", "three"] {
        desk.cmd("exec -i hosts.ini -- echo").arg(word).run().well();
    }
    desk
}

#[test]
fn runs_verify_proves_that_nothing_was_changed_or_removed() {
    let desk = three_runs();
    let runs = desk.runs();
    let name = |index: usize| runs[index].file_name().unwrap().to_str().unwrap().to_owned();
    let path = runs[1].join("journal.ndjson");
    let whole = std::fs::read_to_string(&path).unwrap();
    let ran = desk.cmd("runs verify").run().well();
    assert!(
        ran.out.starts_with("3 runs whole\nregister  6 lines, head "),
        "{}",
        ran.out
    );
    let head = ran.out.split_whitespace().last().unwrap().to_owned();
    desk.cmd("runs verify --head").arg(&head).run().well();

    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    let verdict = |text: &str| {
        std::fs::write(&path, text).unwrap();
        let ran = desk.cmd("runs verify").arg(name(1)).run().code(2);
        ran.out.lines().next().unwrap().replace(&name(1), "RUN")
    };
    assert_eq!(
        verdict(&[&lines[..2], &lines[3..]].concat().concat()),
        "RUN  BROKEN at line 3: the line before it was removed"
    );
    assert_eq!(
        verdict(&whole.replacen("echo two", "echo TWO", 1)),
        "RUN  BROKEN at line 1: it was changed, or belongs to another run (RUN)"
    );
    assert_eq!(
        verdict(&whole.replace(r#""stdout":"two"#, r#""stdout":"two!"#))
            .split(':')
            .next(),
        Some("RUN  BROKEN at line 7")
    );
    let all = lines.len();
    assert_eq!(
        verdict(&lines[..all - 1].concat()),
        format!("RUN  CUT: {} of {all} lines are there", all - 1)
    );
    let other = std::fs::read_to_string(runs[2].join("journal.ndjson")).unwrap();
    assert!(verdict(&other).contains("it was changed, or belongs to another run"));
    std::fs::write(&path, &whole).unwrap();
    desk.cmd("runs verify").run().well();

    std::fs::remove_dir_all(&runs[0]).unwrap();
    let ran = desk.cmd("runs verify").run().code(2);
    assert!(
        ran.out.starts_with(&format!("{}  REMOVED: ", name(0))) && ran.out.contains("2 runs whole"),
        "{}",
        ran.out
    );
    // Without its lines in the register it is not missed, but the register is.
    let register = desk.path("state/batchssh/runs/chain");
    let text = std::fs::read_to_string(&register).unwrap();
    let rest: String = text.split_inclusive('\n').skip(2).collect();
    std::fs::write(&register, rest).unwrap();
    let ran = desk.cmd("runs verify").run().code(2);
    assert!(ran.out.contains("register  BROKEN at line 1"), "{}", ran.out);
    std::fs::remove_file(&register).unwrap();
    let ran = desk.cmd("runs verify --head").arg(&head).run().code(2);
    assert!(ran.out.contains("the head you gave is not in it"), "{}", ran.out);
}

#[test]
fn a_killed_run_has_an_open_end_and_a_running_one_is_told_from_it() {
    let desk = Desk::hosts(&["a"]);
    let running = desk.cmd("exec -i hosts.ini --").arg("echo x > ran; sleep 30").spawn();
    wait_for("the command", || !desk.host_file("a", "ran").is_empty());
    let verdict = || desk.cmd("runs verify").run().well().out;
    assert!(verdict().contains("unbroken so far; the run goes on"), "{}", verdict());
    assert!(desk.cmd("runs").run().well().out.contains("still running"));
    running.signal(Signal::KILL);
    running.killed();
    assert!(verdict().contains("unbroken, but the run was killed"), "{}", verdict());
    let journal = desk.runs()[0].join("journal.ndjson");
    let text = std::fs::read_to_string(&journal).unwrap();
    std::fs::write(&journal, format!("{text}{{\"event\":\"tas")).unwrap();
    assert!(verdict().contains("unbroken up to half a line"), "{}", verdict());
    assert!(desk.cmd("runs").run().well().out.contains("killed"));
}
