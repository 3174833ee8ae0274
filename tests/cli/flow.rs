//! Who does what, and when: tags, serial, strategies, run_once, delegation, failures.

use crate::support::{Desk, Ran, text};

/// `host: task` of every result, in the order it came; skipped ones are left out.
fn order(ran: &Ran) -> Vec<String> {
    ran.events()
        .iter()
        .filter(|event| event["event"] == "task_result" && event["status"] != "skipped")
        .map(|event| format!("{}: {}", text(&event["host"]), text(&event["task"])))
        .collect()
}

fn run(desk: &Desk, play: &str, words: &str, code: i32) -> Ran {
    desk.write("play.yml", play);
    desk.cmd("run play.yml -i hosts.ini --output json -f 1")
        .arg(words)
        .run()
        .code(code)
}

#[test]
fn tags_choose_the_tasks() {
    let desk = Desk::hosts(&["a"]);
    let play = "- hosts: web\n  gather_facts: false\n  tasks:\n    - {name: one, command: 'true', tags: [x, y]}\n    \
                - {name: two, command: 'true', tags: y}\n    - {name: three, command: 'true'}\n    \
                - {name: four, command: 'true', tags: always}\n    - {name: five, command: 'true', tags: never}\n";
    let names = |words: &str| order(&run(&desk, play, words, 0)).join(" ").replace("a: ", "");
    assert_eq!(names("--tags=x"), "one four");
    assert_eq!(names("--tags=y"), "one two four");
    assert_eq!(names("--skip-tags=x"), "two three four");
    assert_eq!(names("--tags=never"), "four five");
    assert_eq!(names("--start-at-task=three"), "three four");
}

const TWO: &str =
    "  gather_facts: false\n  tasks:\n    - {name: one, command: 'true'}\n    - {name: two, command: 'true'}\n";

#[test]
fn linear_goes_task_by_task_serial_batch_by_batch_and_free_host_by_host() {
    let desk = Desk::hosts(&["a", "b", "c"]);
    let play = |how: &str| order(&run(&desk, &format!("- hosts: web\n  {how}\n{TWO}"), "-v", 0)).join(", ");
    assert_eq!(
        play("strategy: linear"),
        "a: one, b: one, c: one, a: two, b: two, c: two"
    );
    assert_eq!(play("serial: 2"), "a: one, b: one, a: two, b: two, c: one, c: two");
    assert_eq!(play("strategy: free"), "a: one, a: two, b: one, b: two, c: one, c: two");
    assert_eq!(
        play("order: reverse_inventory"),
        "c: one, b: one, a: one, c: two, b: two, a: two"
    );
}

#[test]
fn a_failed_batch_ends_the_play_and_the_others_are_in_the_retry_file() {
    let desk = Desk::hosts(&["a", "b", "c"]);
    let play = "- hosts: web\n  gather_facts: false\n  serial: 1\n  tasks:\n    - {name: one, command: 'false'}\n";
    let ran = run(&desk, play, "-v", 2);
    assert_eq!(order(&ran), ["a: one"]);
    assert_eq!(
        desk.read("play.retry"),
        "a  # failed at `one`: rc=1, nothing was said\nb  # not started\nc  # not started\n"
    );
}

#[test]
fn a_failed_host_stops_alone_and_ignored_failures_stop_nobody() {
    let desk = Desk::hosts(&["a", "b"]);
    let play = "- hosts: web\n  gather_facts: false\n  tasks:\n    - {name: ignored, command: 'false', ignore_errors: true}\n    \
                - {name: one, command: 'false', when: inventory_hostname == 'a'}\n    - {name: two, command: 'true'}\n";
    let ran = run(&desk, play, "-v", 2);
    assert_eq!(order(&ran), ["a: ignored", "b: ignored", "a: one", "b: two"]);
    assert_eq!(
        desk.read("play.retry"),
        "a  # failed at `one`: rc=1, nothing was said\n"
    );
}

#[test]
fn run_once_runs_once_for_all_and_delegation_runs_elsewhere() {
    let desk = Desk::hosts(&["a", "b", "c"]);
    let play = "- hosts: web\n  gather_facts: false\n  tasks:\n    - name: once\n      shell: pwd | tee once\n      \
                run_once: true\n      register: where\n    - name: elsewhere\n      shell: echo {{ inventory_hostname }} >> \
                from\n      delegate_to: c\n    - name: here\n      command: id -u\n      delegate_to: localhost\n      \
                connection: local\n      when: inventory_hostname == 'b'\n    - name: said\n      shell: echo {{ \
                where.stdout | basename }} > said\n";
    let ran = run(&desk, play, "-v", 0);
    assert_eq!(order(&ran).iter().filter(|line| line.ends_with("once")).count(), 1);
    assert!(desk.home("a").join("once").exists() && !desk.home("b").join("once").exists());
    assert_eq!(desk.host_file("c", "from"), "a\nb\nc\n");
    assert!(!desk.home("a").join("from").exists());
    assert_eq!(desk.host_file("c", "said"), "a\n");
    let here = ran
        .events()
        .into_iter()
        .find(|event| event["task"] == "here" && event["rc"] == 0)
        .unwrap();
    assert_eq!((text(&here["host"]), text(&here["delegated_to"])), ("b", "localhost"));
}

#[test]
fn until_tries_again_and_facts_are_those_of_the_host() {
    let desk = Desk::hosts(&["a"]);
    let play = "- hosts: web\n  tasks:\n    - name: third time\n      shell: echo x >> tries; wc -l < tries\n      \
                register: tries\n      until: tries.stdout | int == 3\n      retries: 5\n      delay: 0\n    - name: facts\n      \
                shell: echo '{{ ansible_env.HOME }} {{ ansible_system }} {{ tries.attempts }}' > facts\n";
    run(&desk, play, "-v", 0);
    assert_eq!(
        desk.host_file("a", "facts"),
        format!("{} Linux 3\n", desk.home("a").display())
    );
}
