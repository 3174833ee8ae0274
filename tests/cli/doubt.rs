//! `batchssh doubt`: what nobody saw the end of is listed, looked at, and decided by somebody who looked.

use rustix::process::{Pid, Signal, getpgid, kill_process_group};
use serde_json::Value;

use crate::pty::Terminal;
use crate::support::{Desk, pause, text, wait_for};

fn lines(desk: &Desk, host: &str, name: &str) -> usize {
    desk.host_file(host, name).lines().count()
}

/// A task that counts and then waits, between two others; `more` are further keywords of it.
fn site(more: &str) -> String {
    format!(
        "- name: All\n  hosts: web\n  gather_facts: false\n  tasks:\n    - name: first\n      shell: echo x >> $HOME/first\n    \
         - name: count\n      shell: echo x >> $HOME/count; echo $$ > $HOME/pid; test -e $HOME/good || sleep 600\n{more}    \
         - name: last\n      shell: echo x >> $HOME/last\n"
    )
}

/// A run that was killed while its second task worked; the task's processes live on.
fn cut(desk: &Desk, site: &str) -> String {
    desk.write("site.yml", site);
    let running = desk.cmd("run site.yml -i hosts.ini").spawn();
    wait_for("the task", || !desk.host_file("web1", "pid").is_empty());
    // The result of another host is on its way.
    if desk.fleet.host("web2").is_some() {
        wait_for("the results", || {
            desk.journal().matches("\"event\":\"task_result\"").count() >= 3
        });
    }
    running.signal(Signal::KILL);
    running.killed();
    desk.write("../hosts/web1/good", "");
    desk.runs()[0].file_name().unwrap().to_str().unwrap().to_owned()
}

/// Kills what is left of the task on the host.
fn end(desk: &Desk) {
    let pid = desk.host_file("web1", "pid").trim().parse().unwrap();
    let group = getpgid(Pid::from_raw(pid)).unwrap();
    kill_process_group(group, Signal::KILL).unwrap();
    pause();
}

fn looked(desk: &Desk, run: &str, code: i32) -> Value {
    let ran = desk.cmd("doubt list --look --json").arg(run).run().code(code);
    let said: Value = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {}", ran.out));
    said["runs"][0]["doubts"][0].clone()
}

#[test]
fn a_task_without_a_marker_is_listed_and_goes_by_what_somebody_says() {
    for (flag, counted, words) in [
        ("--done", 1, "done: it is not run again"),
        ("--not-done", 2, "not done: the next retry runs it"),
    ] {
        let desk = Desk::hosts(&["web1", "web2"]);
        desk.write("../hosts/web2/good", "");
        let run = cut(&desk, &site(""));
        end(&desk);
        let list = desk.cmd("doubt list").run().well();
        for words in [
            format!("run {run}: site.yml, begun 2"),
            "  `count` (site.yml:7) on web1\n".to_owned(),
            "    command  /bin/sh -c 'echo x >> $HOME/count; ".to_owned(),
            "    marker   none: only you can tell, or a `verify:` of the task\n".to_owned(),
            format!("batchssh doubt resolve {run} web1 --done"),
            format!("batchssh retry {run}"),
        ] {
            assert!(list.out.contains(&words), "{words}: {}", list.out);
        }
        let resolved = desk.cmd("doubt resolve").arg(&run).args("web1").arg(flag).run().well();
        assert!(
            resolved.out.contains(&format!("web1: `count` (site.yml:7): {words}"))
                && resolved.out.contains(&format!("go on with: batchssh retry {run}\n")),
            "{}",
            resolved.out
        );
        let file = std::fs::read_to_string(desk.runs()[0].join("resolutions.ndjson")).unwrap();
        let line: Value = serde_json::from_str(&file).unwrap();
        assert!(
            text(&line["by"]).contains('@') && text(&line["time"]).starts_with("20"),
            "{file}"
        );
        desk.cmd("retry").run().well();
        assert_eq!(
            ["first", "count", "last"].map(|name| lines(&desk, "web1", name)),
            [1, counted, 1]
        );
        let list = desk.cmd("doubt list").run().well();
        assert_eq!(list.out, "nothing is in doubt in the latest runs\n");
    }
}

#[test]
fn what_still_runs_is_seen_and_cannot_be_decided_about() {
    let desk = Desk::hosts(&["web1"]);
    let run = cut(&desk, &site("      once: counted\n"));
    let list = desk.cmd("doubt list").run().well();
    assert!(
        list.out.contains("    marker   `counted`\n")
            && list.out.contains(&format!("batchssh doubt list {run} --look")),
        "{}",
        list.out
    );
    let look = desk.cmd("doubt list --look").run().well();
    assert!(
        look.out.contains("    host     it still runs there: process ") && look.out.contains("sleep 600"),
        "{}",
        look.out
    );
    let refused = desk.cmd("doubt resolve").arg(&run).args("web1 --done").run().code(2);
    assert!(
        refused
            .out
            .contains("not decided, because the host knows better: it still runs there"),
        "{}",
        refused.out
    );
    assert!(!desk.runs()[0].join("resolutions.ndjson").exists());
    end(&desk);
    let doubt = looked(&desk, &run, 0);
    assert_eq!(doubt["host_says"]["state"], "doubt");
    assert_eq!(doubt["host_says"]["marker"]["name"], "counted");
    assert_eq!(doubt["marker"], "counted");
}

#[test]
fn a_decision_is_written_to_the_marker_and_every_later_run_goes_by_it() {
    let desk = Desk::hosts(&["web1"]);
    let run = cut(&desk, &site("      once: counted\n"));
    end(&desk);
    let resolved = desk
        .cmd("doubt resolve")
        .arg(&run)
        .args("web1 count --done")
        .run()
        .well();
    assert!(
        resolved.out.contains("web1: `count` (site.yml:7): done"),
        "{}",
        resolved.out
    );
    let shown = desk.cmd("markers show -i hosts.ini --name counted").run().well();
    assert!(
        shown.out.starts_with("web1: counted: done\n") && shown.out.contains("said that it was done"),
        "{}",
        shown.out
    );
    // Another run than the one it was said about.
    let fresh = desk
        .cmd("run site.yml -i hosts.ini --host-lock off --output json")
        .run()
        .code(0);
    let events = fresh.events();
    let told = events
        .iter()
        .find(|event| event["event"] == "task_result" && event["task"] == "count")
        .unwrap();
    assert!(text(&told["msg"]).contains("said who looked"), "{told}");
    desk.cmd("retry").arg(&run).run().code(0);
    assert_eq!(lines(&desk, "web1", "count"), 1);
    assert_eq!(looked_at(&desk, &run), "nothing is in doubt");
}

fn looked_at(desk: &Desk, run: &str) -> String {
    let ran = desk.cmd("doubt list --look").arg(run).run().well();
    ran.out.trim().rsplit(": ").next().unwrap_or_default().to_owned()
}

#[test]
fn not_done_makes_the_task_run_again_at_the_next_retry_and_only_then() {
    let desk = Desk::hosts(&["web1"]);
    let run = cut(&desk, &site("      once: counted\n"));
    end(&desk);
    desk.cmd("resume").run().code(11);
    // What is said about a run is said about its chain.
    desk.cmd("doubt resolve").arg(&run).args("web1 --not-done").run().well();
    assert_eq!(lines(&desk, "web1", "count"), 1);
    desk.cmd("retry").run().well();
    assert_eq!(
        ["first", "count", "last"].map(|name| lines(&desk, "web1", name)),
        [1, 2, 1]
    );
}

#[test]
fn a_host_that_cannot_be_told_is_told_by_the_next_retry() {
    for (flag, counted) in [("--done", 1), ("--not-done", 2)] {
        let desk = Desk::hosts(&["web1"]);
        let run = cut(&desk, &site("      once: counted\n"));
        end(&desk);
        let inventory = desk.read("hosts.ini");
        let (before, port) = inventory.split_once("ansible_port=").unwrap();
        let rest = port.trim_start_matches(|c: char| c.is_ascii_digit());
        desk.write("hosts.ini", &format!("{before}ansible_port=1{rest}"));
        let told = desk.cmd("doubt resolve").arg(&run).args("web1").arg(flag).run().code(4);
        assert!(
            told.out.contains("the host could not be told (unreachable: ")
                && told.out.contains("the next retry tells it"),
            "{}",
            told.out
        );
        desk.write("hosts.ini", &inventory);
        desk.cmd("retry").arg(&run).run().well();
        assert_eq!(lines(&desk, "web1", "count"), counted, "{flag}");
        let list = desk.cmd("markers list -i hosts.ini --json").run().well();
        let list: Value = serde_json::from_str(&list.out).unwrap();
        assert_eq!(list["markers"][0]["state"], "done");
    }
}

#[test]
fn a_run_that_does_not_reach_the_host_leaves_its_doubts_as_they_were() {
    let desk = Desk::hosts(&["web1"]);
    let run = cut(&desk, &site("      once: counted\n"));
    end(&desk);
    let inventory = desk.read("hosts.ini");
    let (before, port) = inventory.split_once("ansible_port=").unwrap();
    let rest = port.trim_start_matches(|c: char| c.is_ascii_digit());
    desk.write("hosts.ini", &format!("{before}ansible_port=1{rest}"));
    desk.cmd("retry").run().code(4);
    desk.write("hosts.ini", &inventory);
    let list = desk.cmd("doubt list").run().well();
    assert!(
        list.out.contains("`count` (site.yml:7) on web1") && list.out.contains("    marker   `counted`\n"),
        "{}",
        list.out
    );
    assert_eq!(looked(&desk, &run, 0)["host_says"]["state"], "doubt");
}

#[test]
fn a_marker_of_the_run_alone_and_one_behind_an_include_are_found_too() {
    let desk = Desk::hosts(&["web1"]);
    let inner = "- name: count\n  shell: echo {{ item }} >> $HOME/count; echo $$ > $HOME/pid; test -e $HOME/good || sleep 600\n  \
                 loop: [one, two]\n  verify: 'exit 7'\n";
    desk.write("inner.yml", inner);
    let run = cut(
        &desk,
        "- hosts: web\n  gather_facts: false\n  tasks:\n    - include_tasks: inner.yml\n    - shell: echo x >> $HOME/last\n",
    );
    end(&desk);
    let doubt = looked(&desk, &run, 0);
    assert!(
        text(&doubt["marker"]).starts_with(&format!("run/{run}/web1/")),
        "{doubt}"
    );
    assert_eq!(
        (text(&doubt["item"]), text(&doubt["host_says"]["state"])),
        ("one", "doubt")
    );
    let resolved = desk.cmd("doubt resolve").arg(&run).args("web* --done").run().well();
    assert!(
        resolved.out.contains("web1: `count` (inner.yml:1) for `one`: done"),
        "{}",
        resolved.out
    );
    desk.cmd("resume").run().well();
    assert_eq!(desk.host_file("web1", "count"), "one\ntwo\n");
    assert_eq!(lines(&desk, "web1", "last"), 1);
}

#[test]
fn a_decision_about_nothing_or_about_too_much_is_a_mistake_that_says_what_there_is() {
    let desk = Desk::hosts(&["web1", "web2"]);
    desk.write("../hosts/web2/good", "");
    let run = cut(&desk, &site(""));
    end(&desk);
    for (words, wanted) in [
        ("web2 --done", "nothing is in doubt on `web2` in run "),
        (
            "web1 last --done",
            "nothing is in doubt on `web1` at the task `last` in run ",
        ),
        ("web1", "--done"),
        ("web1 --done --not-done", "cannot be used with"),
    ] {
        let wrong = desk.cmd("doubt resolve").arg(&run).args(words).run().code(1);
        assert!(wrong.err.contains(wanted), "{words}: {}", wrong.err);
    }
    assert!(!desk.runs()[0].join("resolutions.ndjson").exists());
    let unknown = desk.cmd("doubt list 1999").run().code(1);
    assert!(unknown.err.contains("there is no run `1999`"), "{}", unknown.err);
}

#[test]
fn resume_asks_somebody_at_a_terminal_what_only_people_can_tell() {
    for (answer, counted, code) in [("y", 1, 0), ("n", 2, 0), ("l", 1, 11)] {
        let desk = Desk::hosts(&["web1"]);
        cut(&desk, &site(""));
        end(&desk);
        let mut terminal = Terminal::start(&desk.cmd("resume").command);
        terminal
            .expect("`count` (site.yml:7) was begun on web1, and nobody saw its end. Was it done?")
            .enter("what?")
            .expect("Was it done?")
            .enter(answer);
        let (ended, shown) = terminal.end();
        assert_eq!(ended, code, "{answer}: {shown}");
        assert_eq!(lines(&desk, "web1", "count"), counted, "{answer}: {shown}");
        assert_eq!(
            lines(&desk, "web1", "last"),
            usize::from(code == 0),
            "{answer}: {shown}"
        );
    }
}

/// A playbook with a check, and two dangerous tasks; the first one is killed while it works.
fn guarded(more: &str) -> String {
    format!(
        "- hosts: web\n  gather_facts: false\n  preflight:\n    - {{name: disks, command: cat disks, max_layouts: 9}}\n  \
         tasks:\n    - name: wipe\n      shell: echo x >> $HOME/count; echo $$ > $HOME/pid; test -e $HOME/good || sleep 600; echo wiped >> $HOME/disks\n      \
         danger: disk\n{more}    - name: make\n      shell: echo x >> $HOME/last\n      danger: disk\n"
    )
}

#[test]
fn on_a_host_that_differs_and_has_a_task_in_doubt_nothing_dangerous_runs_until_that_is_decided() {
    let start = |more: &str| {
        let desk = Desk::hosts(&["web1"]);
        desk.write("../hosts/web1/disks", "sda\n");
        let run = cut(&desk, &guarded(more));
        end(&desk);
        // Half of it was done.
        desk.write("../hosts/web1/disks", "sda\nhalf\n");
        (desk, run)
    };
    let ran = |desk: &Desk| (lines(desk, "web1", "count"), lines(desk, "web1", "last"));

    // Nobody decided, however often it is asked: what is seen is not approved by that.
    let (desk, run) = start("      once: wiped\n");
    for words in ["resume", "retry", "retry"] {
        desk.cmd(words).run().code(11);
    }
    // Somebody looked: it was done, and what is there now is what it left.
    desk.cmd("doubt resolve").arg(&run).args("web1 --done").run().well();
    desk.cmd("retry").run().well();
    assert_eq!(ran(&desk), (1, 1));

    // Who leaves it out decides nothing.
    let (desk, _) = start("      once: wiped\n");
    desk.write(
        "site.yml",
        &guarded("      once: wiped\n").replace("once: wiped", "when: false"),
    );
    let refused = desk.cmd("retry --accept-changes").run().code(10);
    assert!(
        refused
            .out
            .contains("nobody knows whether this host is still what the pre-flight check `disks` approved")
            && refused.out.contains("batchssh doubt list"),
        "{}",
        refused.out
    );
    assert_eq!(ran(&desk), (1, 0));

    // Or it was not.
    let (desk, run) = start("      once: wiped\n");
    desk.cmd("doubt resolve").arg(&run).args("web1 --not-done").run().well();
    desk.cmd("retry").run().well();
    assert_eq!(ran(&desk), (2, 1));

    // A command decides, in the same exchange as the guard.
    for (verify, counted) in [("'true'", 1), ("'false'", 2)] {
        let (desk, _) = start(&format!("      verify: {verify}\n"));
        desk.cmd("resume").run().well();
        assert_eq!(ran(&desk), (counted, 1), "{verify}");
    }
    let (desk, _) = start("      verify: exit 7\n");
    desk.cmd("resume").run().code(11);
    assert_eq!(ran(&desk), (1, 0));
}

#[test]
fn what_others_change_after_the_check_stops_a_dangerous_task_and_our_own_changes_do_not() {
    let desk = Desk::hosts(&["web1", "web2"]);
    for host in ["web1", "web2"] {
        desk.write(&format!("../hosts/{host}/disks"), "sda\n");
    }
    let play = |between: &str| {
        format!(
            "- hosts: web\n  gather_facts: false\n  preflight:\n    - {{name: disks, command: cat disks, same: true}}\n  tasks:\n    - name: \
             ours\n      shell: echo ours >> $HOME/disks\n{between}    - name: wipe\n      shell: echo x >> $HOME/count\n      \
             danger: disk\n"
        )
    };
    desk.write("site.yml", &play(""));
    desk.cmd("run site.yml -i hosts.ini").run().well();
    assert_eq!(lines(&desk, "web1", "count") + lines(&desk, "web2", "count"), 2);
    let home = desk.home("web2").display().to_string();
    let theirs = format!(
        "    - name: theirs\n      shell: echo theirs >> {home}/disks\n      connection: local\n      when: inventory_hostname == 'web2'\n"
    );
    desk.write("site.yml", &play(&theirs));
    let refused = desk.cmd("run site.yml -i hosts.ini").run().code(10);
    assert!(
        refused
            .out
            .contains("this host is not any more what the pre-flight check `disks` approved")
            && refused.out.contains("sda | ours | ours | theirs"),
        "{}",
        refused.out
    );
    assert_eq!((lines(&desk, "web1", "count"), lines(&desk, "web2", "count")), (2, 1));
}

#[test]
fn verify_decides_about_a_module_of_several_exchanges_too() {
    let desk = Desk::hosts(&["web1"]);
    let play = |verify: &str| {
        let home = desk.home("web1").display().to_string();
        desk.write(
            "site.yml",
            &format!(
                "- hosts: web\n  gather_facts: false\n  tasks:\n    - name: conf\n      copy: {{content: new, dest: {home}/conf}}\n      \
                 once: conf\n{verify}"
            ),
        );
    };
    let unfinished = || {
        let folder = desk.home("web1").join(".batchssh/markers");
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ending| ending == "d") {
                std::fs::remove_file(path).unwrap();
            }
        }
        desk.write("../hosts/web1/conf", "old");
    };
    play("");
    desk.cmd("run site.yml -i hosts.ini").run().well();
    unfinished();
    desk.cmd("run site.yml -i hosts.ini").run().code(11);
    play("      verify: 'true'\n");
    desk.cmd("run site.yml -i hosts.ini --check").run().code(11);
    desk.cmd("run site.yml -i hosts.ini").run().well();
    assert_eq!(desk.host_file("web1", "conf"), "old", "it counts as done");
    unfinished();
    play("      verify: 'false'\n");
    desk.cmd("run site.yml -i hosts.ini").run().well();
    assert_eq!(desk.host_file("web1", "conf"), "new");
}
