//! `batchssh markers`: what a fleet has done once, shown and forgotten.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::pty::Terminal;
use crate::support::{Desk, text};

const SITE: &str = r#"
- name: All
  hosts: web
  gather_facts: false
  tasks:
    - name: count
      shell: echo x >> $HOME/count
      once: counted
      environment: {TOKEN: hunter2}
    - name: disks
      shell: echo {{ item }} >> $HOME/disks; test {{ item }} != bad
      loop: [a, "{{ 'bad' if inventory_hostname == 'web3' else 'b' }}"]
      once: data disks
"#;

fn site(names: &[&str]) -> Desk {
    let desk = Desk::hosts(names);
    desk.write("site.yml", SITE);
    desk
}

fn count(desk: &Desk, host: &str) -> usize {
    desk.host_file(host, "count").lines().count()
}

/// How an attempt ended, as the host keeps it: the record of the marker of this name.
fn record(desk: &Desk, host: &str, name: &str) -> std::path::PathBuf {
    let folder = desk.home(host).join(".batchssh/markers");
    let words = format!("\nname {name}\n");
    let files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found = files.filter(|path| {
        std::fs::read_to_string(path).is_ok_and(|text| text.contains(&words) && text.contains("kind done"))
    });
    found.next().unwrap_or_else(|| panic!("no record of {name}"))
}

fn json(desk: &Desk, words: &str, code: i32) -> Value {
    let ran = desk.cmd(words).args("-i hosts.ini --json").run().code(code);
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {}", ran.out))
}

#[test]
fn equal_markers_of_a_fleet_are_one_line_and_the_ones_to_look_at_come_first() {
    let desk = site(&["web1", "web2", "web3"]);
    let nothing = desk.cmd("markers list -i hosts.ini").run().well();
    assert_eq!(
        nothing.out,
        "no markers\ntasks with `become` keep theirs with that user: `--become` looks there\n"
    );
    desk.cmd("run site.yml -i hosts.ini").run().code(2);
    let ran = desk.cmd("markers list -i hosts.ini").run().well();
    let run = desk.runs()[1].file_name().unwrap().to_str().unwrap().to_owned();
    let lines: Vec<String> = ran
        .out
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    let at = |line: &str| {
        let without_time = |l: &String| {
            l.split(' ')
                .filter(|word| !word.ends_with('Z'))
                .collect::<Vec<_>>()
                .join(" ")
        };
        lines
            .iter()
            .position(|l| without_time(l) == line)
            .unwrap_or_else(|| panic!("no line {line} in\n{}", ran.out))
    };
    assert_eq!(at("failed"), 0);
    assert_eq!(at(&format!("data disks (bad) run {run} web3")), 1);
    assert_eq!(at("rc 1"), 2);
    assert_eq!(at("done"), 3);
    assert_eq!(at(&format!("counted run {run} web[1-3]")), 4);
    assert_eq!(at(&format!("data disks (a) run {run} web[1-3]")), 5);
    assert_eq!(at(&format!("data disks (b) run {run} web[1,2]")), 6);
    // A look of its own: no retry file, and `retry` means the run that did something.
    assert!(!desk.path("batchssh.retry").exists());
    let shown = desk.cmd("retry --show").run().well();
    assert!(shown.out.contains("run site.yml"), "{}", shown.out);

    let some = json(&desk, "markers list web1:web3 --name data*", 0);
    let names: Vec<String> = some["markers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|marker| {
            format!(
                "{} {} {}",
                text(&marker["on"]),
                text(&marker["item"]),
                text(&marker["state"])
            )
        })
        .collect();
    assert_eq!(names, ["web1 a done", "web1 b done", "web3 a done", "web3 bad failed"]);
    let some = json(&desk, "markers list --state failed --state damaged", 0);
    assert_eq!(some["markers"].as_array().unwrap().len(), 1);
    assert_eq!(some["markers"][0]["rc"], "1");
}

#[test]
fn what_a_marker_says_is_shown_without_secrets() {
    let desk = site(&["web1"]);
    desk.cmd("run site.yml -i hosts.ini").run().code(0);
    let shown = desk.cmd("markers show -i hosts.ini --name counted").run().well();
    for words in [
        "web1: counted: done\n",
        "task      count (site.yml:6)\n",
        "    cmd: echo x >> $HOME/count\n",
        "    environment TOKEN: (not shown)\n",
        "    module: shell\n",
        "rc 0\n",
    ] {
        assert!(shown.out.contains(words), "{words}: {}", shown.out);
    }
    assert!(
        !shown.out.contains("hunter2") && !shown.out.contains("disks"),
        "{}",
        shown.out
    );
}

#[test]
fn a_marker_is_forgotten_only_when_somebody_says_which_and_agrees() {
    let desk = site(&["web1", "web2"]);
    desk.cmd("run site.yml -i hosts.ini").run().code(0);
    let which = desk.cmd("markers clear -i hosts.ini").run().code(1);
    assert!(which.err.contains("`--name NAME`"), "{}", which.err);
    // Nobody is there to be asked.
    let nobody = desk.cmd("markers clear -i hosts.ini --name counted").run().code(1);
    assert!(nobody.err.contains("--yes"), "{}", nobody.err);
    let check = desk
        .cmd("markers clear -i hosts.ini --name counted --check")
        .run()
        .well();
    assert!(check.out.contains("counted"), "{}", check.out);
    desk.cmd("run site.yml -i hosts.ini").run().code(0);
    assert_eq!((count(&desk, "web1"), count(&desk, "web2")), (1, 1));

    let cleared = desk
        .cmd("markers clear web1 -i hosts.ini --name counted --yes")
        .run()
        .well();
    assert_eq!(cleared.out, "forgotten: counted (it was done): web1\n");
    desk.cmd("run site.yml -i hosts.ini").run().code(0);
    assert_eq!((count(&desk, "web1"), count(&desk, "web2")), (2, 1));
    assert_eq!(desk.host_file("web1", "disks"), "a\nb\n");
    let gone = desk.cmd("markers clear -i hosts.ini --name nosuch --yes").run().well();
    assert_eq!(gone.out, "there is no such marker\n");
}

#[test]
fn somebody_at_a_terminal_sees_what_is_to_be_forgotten_and_is_asked() {
    let desk = site(&["web1"]);
    desk.cmd("run site.yml -i hosts.ini").run().code(0);
    let answer = |said: &str| {
        let command = desk.cmd("markers clear -i hosts.ini --name counted").command;
        let mut terminal = Terminal::start(&command);
        terminal
            .expect("counted")
            .expect("forget this marker, so that its task runs again");
        terminal.enter(said);
        terminal.end()
    };
    let (code, shown) = answer("n");
    assert!(code == 0 && shown.contains("nothing was forgotten"), "{code} {shown}");
    desk.cmd("run site.yml -i hosts.ini").run().code(0);
    assert_eq!(count(&desk, "web1"), 1);
    let (code, shown) = answer("y");
    assert!(code == 0 && shown.contains("forgotten: counted"), "{code} {shown}");
    desk.cmd("run site.yml -i hosts.ini").run().code(0);
    assert_eq!(count(&desk, "web1"), 2);
}

#[test]
fn r42_a_record_that_was_damaged_is_named_so_and_can_only_be_forgotten() {
    let desk = site(&["web1", "web2"]);
    desk.cmd("run site.yml -i hosts.ini").run().code(0);
    let path = record(&desk, "web1", "counted");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let name = path.file_name().unwrap().to_str().unwrap().to_owned();
    let list = desk.cmd("markers list -i hosts.ini").run().well();
    assert!(list.out.starts_with("damaged\n"), "{}", list.out);
    assert!(list.out.contains(&format!("{name} is damaged")), "{}", list.out);
    // Strangers' files are no markers, whatever they are called.
    let folder = path.parent().unwrap();
    for odd in ["README", "x.d", ".1.d", "a b.1.d", "..1.i"] {
        std::fs::write(folder.join(odd), "").unwrap();
    }
    let all = json(&desk, "markers list web1", 0);
    assert_eq!(all["markers"].as_array().unwrap().len(), 3);
    // What cannot be removed is a failure of that host, and no other's.
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    std::fs::write(path.join("inside"), "").unwrap();
    let failed = desk
        .cmd("markers clear -i hosts.ini --state damaged --state done --yes")
        .run()
        .code(2);
    assert!(failed.out.contains("cannot be changed"), "{}", failed.out);
    assert!(
        failed.out.contains("forgotten: counted (it was done): web2"),
        "{}",
        failed.out
    );
    std::fs::remove_dir_all(&path).unwrap();
    for odd in ["README", "x.d", ".1.d", "a b.1.d", "..1.i"] {
        assert!(folder.join(odd).exists(), "{odd}");
    }
}

#[test]
fn a_store_that_is_somebody_elses_or_open_to_all_is_a_verdict_for_that_host() {
    let desk = site(&["web1", "web2", "web3"]);
    desk.cmd("run site.yml -i hosts.ini").run().code(2);
    let store = |host: &str| desk.home(host).join(".batchssh");
    std::fs::set_permissions(store("web1"), std::fs::Permissions::from_mode(0o777)).unwrap();
    std::fs::rename(store("web2"), desk.home("web2").join("elsewhere")).unwrap();
    std::os::unix::fs::symlink(desk.home("web2").join("elsewhere"), store("web2")).unwrap();
    let list = desk.cmd("markers list -i hosts.ini").run().code(2);
    assert!(
        list.out.contains("web1  the store of markers cannot be used: ")
            && list.out.contains("can be written to by others"),
        "{}",
        list.out
    );
    assert!(
        list.out.contains("web2  the store of markers cannot be used: ") && list.out.contains("is a symbolic link"),
        "{}",
        list.out
    );
    assert!(list.out.contains("web3\n"), "{}", list.out);
    let all = json(&desk, "markers list", 2);
    let hosts: Vec<&str> = all["no_answer"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| text(&one["host"]))
        .collect();
    assert_eq!(hosts, ["web1", "web2"]);
    desk.cmd("markers clear -i hosts.ini --all --yes").run().code(2);
    assert!(desk.home("web2").join("elsewhere/markers").read_dir().unwrap().count() > 0);
}

#[test]
fn a_host_is_asked_in_one_exchange_and_a_task_with_a_marker_is_one_too() {
    let desk = Desk::hosts(&["web1"]);
    desk.write(
        "site.yml",
        "- hosts: web\n  gather_facts: false\n  tasks:\n    - {name: count, shell: 'echo x >> $HOME/count', once: true}\n",
    );
    desk.count_exchanges();
    let exchanges = |words: &str| {
        let before = desk.exchanges("web1");
        desk.cmd(words).args("-i hosts.ini").run().well();
        desk.exchanges("web1") - before
    };
    // The command with its records, and the host given back.
    assert_eq!(exchanges("run site.yml --host-lock off"), 1);
    assert_eq!(exchanges("run site.yml --host-lock off"), 1, "nothing to do");
    assert_eq!(exchanges("markers list"), 1);
    assert_eq!(exchanges("markers show"), 1);
    assert_eq!(exchanges("markers clear --all --yes"), 1);
    assert_eq!(exchanges("run site.yml"), 2, "the lock is given back");
    assert_eq!(desk.host_file("web1", "count"), "x\nx\n");
}
