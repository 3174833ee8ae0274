//! Runs that are over: `runs show`, `runs diff`, `history`, `report`. No host is asked again.

use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{Desk, Ran, events, text, wait_for};

const SITE: &str = r"
- hosts: all
  name: storage
  gather_facts: false
  tasks:
    - name: message of the day
      copy: {dest: '~/motd', content: hello}
    - name: asks
      shell: cat says
      changed_when: false
    - name: stops
      command: test -e good
      changed_when: false
";

/// Three hosts that say something; `c` is not good.
fn desk() -> Desk {
    let desk = Desk::hosts(&["a", "b", "c"]);
    desk.write("site.yml", SITE);
    for host in ["a", "b", "c"] {
        say(&desk, host, "kernel 3.10\n");
    }
    for host in ["a", "b"] {
        std::fs::write(desk.home(host).join("good"), "").unwrap();
    }
    desk
}

fn say(desk: &Desk, host: &str, what: &str) {
    std::fs::write(desk.home(host).join("says"), what).unwrap();
}

fn site(desk: &Desk, code: i32) -> String {
    desk.cmd("run site.yml -i hosts.ini --no-retry-file").run().code(code);
    let runs = desk.runs();
    runs.last().unwrap().file_name().unwrap().to_str().unwrap().to_owned()
}

fn sha256(path: &Path) -> String {
    let digest = Sha256::digest(std::fs::read(path).unwrap());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[track_caller]
fn has(ran: &Ran, parts: &[&str]) {
    for part in parts {
        assert!(ran.out.contains(part), "{part}\n---\n{}", ran.out);
    }
}

#[test]
fn a_run_is_shown_with_who_when_what_was_run_where_and_what_was_sent() {
    let desk = desk();
    desk.write("group_vars/web.yml", "x: 1\n");
    let run = site(&desk, 2);
    let ran = desk.cmd("runs show").run().well();
    let vars = format!("{}  ./group_vars/web.yml\n", sha256(&desk.path("group_vars/web.yml")));
    let vars: String = Sha256::digest(vars).iter().map(|byte| format!("{byte:02x}")).collect();
    has(
        &ran,
        &[
            &format!("run        {run}\n"),
            "command    batchssh run site.yml -i hosts.ini --no-retry-file\n",
            &format!("playbook   site.yml  sha256 {}\n", sha256(&desk.path("site.yml"))),
            &format!("inventory  hosts.ini  sha256 {}\n", sha256(&desk.path("hosts.ini"))),
            &format!("inventory  ./group_vars  sha256 {vars}\n"),
            "journal    whole\n",
            "came to    2 changed, 1 failed; exit code 2\n",
            "  failed       c\n               stops: rc=1, nothing was said\n",
            "  changed      a,b\n",
            "message of the day: 3 changed  (storage, site.yml:6)\n",
            "  changed      a,b,c\n      $ write ",
            "/{host}/motd  5 bytes  sha256 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824\n",
            "      $ /bin/sh -c 'cat says'\n",
            "stops: 1 failed, 2 ok  (storage, site.yml:11)\n",
        ],
    );
    // With a filter it is told what was printed, too.
    let ran = desk.cmd("runs show last --host a --task ASKS").run().well();
    has(&ran, &["  ok           a\n", "      | kernel 3.10\n"]);
    assert!(!ran.out.contains("motd"), "{}", ran.out);
    let ran = desk.cmd("runs show --host nobody").run().code(1);
    assert!(ran.err.contains("`nobody` is no host of run"), "{}", ran.err);
    let ran = desk.cmd("runs show --json").run().well();
    let json: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(json["batchssh_run"], 1);
    assert_eq!(json["journal"]["verdict"], "whole");
    assert_eq!(
        json["hosts"][2],
        json!({"host": "c", "status": "failed", "task": "stops", "reason": "rc=1, nothing was said"})
    );
    let results = &json["tasks"][1]["results"];
    assert_eq!(results[0]["hosts"], json!(["a", "b", "c"]));
    assert_eq!(results[0]["commands"], json!(["/bin/sh -c 'cat says'"]));
}

#[test]
fn a_run_is_named_by_the_begin_of_its_id_by_last_or_by_a_path() {
    let desk = desk();
    let (first, second) = (site(&desk, 2), site(&desk, 2));
    let shown = |wanted: &str| {
        let ran = desk.cmd("runs show").arg(wanted).run().well();
        ran.out.lines().next().unwrap().to_owned()
    };
    assert_eq!(shown("last"), format!("run        {second}"));
    assert_eq!(shown(&first), format!("run        {first}"));
    let folder = format!("state/batchssh/runs/{first}");
    assert_eq!(shown(&folder), format!("run        {first}"));
    assert_eq!(
        shown(&format!("{folder}/journal.ndjson")),
        format!("run        {first}")
    );
    let ran = desk.cmd("runs show 20").run().code(1);
    assert!(
        ran.err.contains("2 runs begin with `20`:") && ran.err.contains(&first) && ran.err.contains(&second),
        "{}",
        ran.err
    );
    let ran = desk.cmd("runs show ./nothing").run().code(1);
    assert!(ran.err.contains("there is no journal `./nothing`"), "{}", ran.err);
    let ran = desk.cmd("runs show 19").run().code(1);
    assert!(ran.err.contains("there is no run `19`"), "{}", ran.err);
}

#[test]
fn a_killed_run_shows_who_is_in_doubt_and_while_it_goes_on_nobody_is() {
    let desk = Desk::hosts(&["a"]);
    let running = desk.cmd("exec -i hosts.ini --").arg("echo x > ran; sleep 30").spawn();
    wait_for("the command", || !desk.host_file("a", "ran").is_empty());
    let ran = desk.cmd("runs show").run().well();
    has(
        &ran,
        &[
            "journal    unbroken so far; the run goes on\n",
            "came to    1 not done; still running\n",
        ],
    );
    running.signal(Signal::KILL);
    running.killed();
    let ran = desk.cmd("runs show").run().well();
    has(
        &ran,
        &[
            "came to    1 in doubt; killed\n",
            "in doubt     a\n",
            "nobody saw its end\n",
            "      $ echo x > ran; sleep 30\n",
        ],
    );
    let ran = desk.cmd("history a").run().well();
    has(&ran, &["in doubt", "    $ echo x > ran; sleep 30\n"]);
    let ran = desk.cmd("report --junit -").run().well();
    has(&ran, &["<error type=\"in_doubt\"", "message=\"the run was killed\""]);
}

#[test]
fn a_damaged_journal_is_shown_up_to_the_damage_and_said_to_be_damaged() {
    let desk = desk();
    let run = site(&desk, 2);
    let path = desk.path("state/batchssh/runs").join(&run).join("journal.ndjson");
    let whole = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    let write = |text: &str| std::fs::write(&path, text).unwrap();

    // A line changed: it can be read, and the chain says so.
    write(&whole.replacen("kernel 3.10", "kernel 9.99", 1));
    let ran = desk.cmd("runs show").run().well();
    has(&ran, &["journal    BROKEN at line "]);

    // A line that is none any more.
    let at = lines
        .iter()
        .position(|line| line.contains("\"task_result\"") && line.contains("\"asks\""))
        .unwrap();
    write(&format!(
        "{}garbage\u{1b}\n{}",
        lines[..at].concat(),
        lines[at + 1..].concat()
    ));
    let ran = desk.cmd("runs show").run().code(1);
    has(
        &ran,
        &[
            "message of the day: 3 changed",
            "came to    3 not done; how it ended cannot be read\n",
        ],
    );
    let place = format!("journal.ndjson:{}: not a line of a journal", at + 1);
    assert!(
        ran.err.contains(&place) && ran.err.contains("`batchssh runs verify`"),
        "{}",
        ran.err
    );
    for command in ["history a", "runs diff last last", "report --csv -", "report --json -"] {
        let ran = desk.cmd(command).run().code(1);
        assert!(ran.err.contains(&place), "{command}: {}", ran.err);
    }
    let ran = desk.cmd("report --junit -").run().code(1);
    has(&ran, &["name=\"the journal can be read\"", "errors=\"5\""]);

    // Cut in the middle of a line, as by a full disk: what is whole is shown.
    write(&whole[..whole.len() - 30]);
    let ran = desk.cmd("runs show").run().well();
    has(&ran, &["journal    CUT: ", "; killed\n"]);

    write("");
    let ran = desk.cmd("runs show").run().code(1);
    assert!(ran.err.contains("it has no whole line"), "{}", ran.err);
    write("{\"event\":\"task_result\"}\n");
    desk.cmd("runs show").run().code(1);
}

#[test]
fn two_runs_are_compared_and_hosts_with_the_same_difference_are_one_group() {
    let desk = desk();
    let first = site(&desk, 2);
    let second = site(&desk, 2);
    let ran = desk.cmd("runs diff").arg(&first).arg(&second).run().code(2);
    // The file was there already the second time.
    has(
        &ran,
        &[
            "storage: message of the day\n  a,b,c  changed -> ok\n",
            "6 results are the same\n",
        ],
    );
    let ran = desk.cmd("runs diff --task asks").arg(&first).run().well();
    has(&ran, &["nothing is different: 3 results are the same\n"]);

    say(&desk, "a", "kernel 4.18\n");
    say(&desk, "b", "kernel 4.18\n");
    std::fs::write(desk.home("c").join("good"), "").unwrap();
    desk.write(
        "site.yml",
        &SITE
            .replace("cat says", "cat ./says")
            .replace("content: hello", "content: hullo"),
    );
    site(&desk, 0);
    let ran = desk.cmd("runs diff").arg(&second).run().code(2);
    has(
        &ran,
        &[
            "  a,b,c  ok -> changed\n",
            "/{host}/motd",
            "      + > ",
            "motd  sha256 ",
            "  a,b\n      - kernel 3.10\n      + kernel 4.18\n",
            "      ~ $ /bin/sh -c 'cat {+./+}says'\n",
            "  c  failed -> ok\n      - rc=1, nothing was said\n",
        ],
    );
    let ran = desk
        .cmd("runs diff --normalise number --task asks --json")
        .arg(&second)
        .run()
        .code(2);
    let json: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(json["batchssh_runs_diff"], 1);
    assert_eq!(json["changes"].as_array().unwrap().len(), 1);
    assert_eq!(json["changes"][0]["hosts"], json!(["a", "b", "c"]));
    assert_eq!(json["changes"][0]["output"], Value::Null);

    // Hosts and tasks that only one of them has.
    desk.write(
        "less.yml",
        "- hosts: a\n  name: storage\n  gather_facts: false\n  tasks:\n    - name: other\n      command: 'true'\n",
    );
    desk.cmd("run less.yml -i hosts.ini").run().code(0);
    let ran = desk.cmd("runs diff").arg(&second).run().code(2);
    has(
        &ran,
        &[
            "\n- hosts  b,c\n",
            "- task  storage: asks  (on 3 hosts)\n",
            "+ task  storage: other  (on 1 host)\n",
        ],
    );
}

#[test]
fn the_history_of_a_host_is_everything_that_ran_there_the_oldest_first() {
    let desk = desk();
    let run = site(&desk, 2);
    desk.cmd("exec a -i hosts.ini -- echo on a").run().well();
    desk.cmd("exec b -i hosts.ini -- echo on b").run().well();
    desk.write(
        "delegated.yml",
        "- hosts: b\n  gather_facts: false\n  tasks:\n    - name: on another\n      command: echo for b\n      delegate_to: a\n    - name: left out\n      command: x\n      when: false\n",
    );
    desk.cmd("run delegated.yml -i hosts.ini").run().code(0);
    let tasks = |ran: &Ran| -> Vec<String> {
        events(&ran.out)
            .iter()
            .map(|entry| format!("{} {}", text(&entry["host"]), text(&entry["task"])))
            .collect()
    };
    let ran = desk.cmd("history a --json").run().well();
    let all = ["a message of the day", "a asks", "a stops", "a raw", "b on another"];
    assert_eq!(tasks(&ran), all);
    let entries = events(&ran.out);
    assert_eq!(entries[0]["run"], run.as_str());
    assert_eq!(entries[0]["files"][0]["size"], 5);
    assert_eq!(entries[3]["commands"], json!(["echo on a"]));
    let ran = desk.cmd("history a").run().well();
    has(
        &ran,
        &[
            "  ok  asks  (site.yml)\n    $ /bin/sh -c 'cat says'\n",
            "    for b\n    $ echo for b\n",
        ],
    );
    assert!(!ran.out.contains("on b\n"), "{}", ran.out);
    // What was delegated away did not run there.
    let ran = desk.cmd("history b --json --all").run().well();
    assert_eq!(tasks(&ran).last().unwrap(), "b left out");
    assert!(!tasks(&ran).contains(&"b on another".to_owned()));

    assert_eq!(tasks(&desk.cmd("history a --json -n 2").run().well()), all[3..]);
    assert_eq!(tasks(&desk.cmd("history a --json --task *day").run().well()), all[..1]);
    assert_eq!(tasks(&desk.cmd("history a --json --since 1h").run().well()), all);
    assert_eq!(desk.cmd("history a --since 2099-01-01").run().well().out, "");
    let ran = desk.cmd("history aa").run().code(1);
    assert!(
        ran.err.contains("none of 4 runs in ") && ran.err.contains("did you mean `a`?"),
        "{}",
        ran.err
    );
    let ran = desk.cmd("history a --since yesterday").run().code(1);
    assert!(ran.err.contains("examples: `7d`"), "{}", ran.err);
}

#[test]
fn a_report_is_written_later_in_every_form() {
    let desk = desk();
    desk.write(
        "site.yml",
        &format!("{SITE}\n    - name: loops\n      command: echo {{{{ item }}}}\n      loop: ['<p>', q]\n"),
    );
    site(&desk, 2);
    desk.cmd("report last --html r.html --csv r.csv --junit r.xml --json r.json")
        .run()
        .well();
    let csv = desk.read("r.csv");
    assert!(csv.starts_with("host,task,status,rc,seconds,message\n"), "{csv}");
    assert_eq!(csv.lines().count(), 1 + 9 + 2);
    let row = csv.lines().find(|row| row.starts_with("c,stops")).unwrap();
    assert!(
        row.starts_with("c,stops,failed,1,") && row.ends_with(",\"rc=1, nothing was said\""),
        "{row}"
    );

    let report: Value = serde_json::from_str(&desk.read("r.json")).unwrap();
    assert_eq!(
        (&report["batchssh_report"], &report["exit_code"]),
        (&json!(1), &json!(2))
    );
    let results = report["results"].as_array().unwrap();
    assert_eq!(results.len(), 11);
    let looped = results.iter().find(|result| result["task"] == "loops").unwrap();
    assert_eq!(looped["commands"], json!(["echo '<p>'", "echo q"]));
    assert_eq!(looped["stdout"], "(<p>) <p>\n(q) q\n");

    let junit = desk.read("r.xml");
    assert!(
        junit.contains("<testsuite name=\"storage\" tests=\"11\" failures=\"1\" errors=\"0\" skipped=\"0\" "),
        "{junit}"
    );
    assert_eq!(junit.matches("<testcase ").count(), 2 + 11);
    match Command::new("xmllint")
        .args(["--noout", "r.xml"])
        .current_dir(&desk.dir)
        .output()
    {
        Ok(out) => assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr)),
        Err(_) => eprintln!("skipped: there is no xmllint on this machine, which reads the test results as XML"),
    }
    let html = desk.read("r.html");
    assert!(
        html.contains("2 changed, 1 failed; exit code 2") && html.contains("&#39;&lt;p&gt;&#39;"),
        "{html}"
    );

    let ran = desk.cmd("report --csv - --junit -").run().code(1);
    assert!(
        ran.err.contains("only one thing can be written to standard output"),
        "{}",
        ran.err
    );
    let ran = desk.cmd("report --html nowhere/x.html").run().code(1);
    assert!(ran.err.contains("there is no directory `nowhere`"), "{}", ran.err);
    let ran = desk.cmd("report").run().code(1);
    assert!(ran.err.contains("--junit FILE"), "{}", ran.err);
}

/// Every command that shows a run afterwards, in every form.
fn everything(desk: &Desk, host: &str) -> String {
    let mut all = String::new();
    for words in [
        "runs show -v",
        "runs show --json",
        &format!("runs show -v --host {host}"),
        "runs diff 2 last -v",
        "runs diff 2 last --json",
        &format!("history {host} --all"),
        &format!("history {host} --all --json"),
        "report --csv -",
        "report --junit -",
        "report --json -",
        "report --html -",
    ] {
        let first = desk.runs()[0].file_name().unwrap().to_str().unwrap().to_owned();
        let words = words.replace("diff 2", &format!("diff {first}"));
        let ran = desk.cmd(&words).run();
        assert!(matches!(ran.code, 0 | 2), "{words}: {}", ran.err);
        assert!(ran.out.len() > 60, "{words}: {}", ran.out);
        all += &ran.out;
        all += &ran.err;
    }
    all
}

#[test]
fn no_secret_and_nothing_of_no_log_is_shown_afterwards() {
    let desk = Desk::hosts(&["a"]);
    desk.write("pass", "open\n");
    let value = desk
        .cmd("vault encrypt_string --vault-password-file pass CANARY-vault")
        .run()
        .code(0)
        .out;
    let value = value.trim_end().trim_start_matches(|c| c != '!').to_owned();
    let site = |word: &str| {
        format!(
            "- hosts: all\n  gather_facts: false\n  vars:\n    secret: {}\n  tasks:\n    - name: hidden\n      shell: echo CANARY-nolog {word}\n      no_log: true\n    - name: hidden file\n      copy: {{dest: '~/f', content: 'CANARY-nolog {word}'}}\n      no_log: true\n    - name: uses it\n      shell: echo {{{{ secret }}}} {word}; false\n    - name: never\n      debug: {{msg: x}}\n",
            value.replace('\n', "\n    ")
        )
    };
    for word in ["one", "two"] {
        desk.write("site.yml", &site(word));
        desk.cmd("run site.yml -i hosts.ini --vault-password-file pass -D -vvv")
            .run()
            .code(2);
    }
    assert!(desk.host_file("a", "f").contains("CANARY-nolog"));
    let all = everything(&desk, "a");
    let at = all.find("CANARY");
    assert!(at.is_none(), "{}", &all[at.unwrap_or(0).saturating_sub(300)..]);
    // Their digests would tell short ones apart.
    assert!(!all.contains(&sha256(&desk.home("a").join("f"))));
    assert!(all.contains("hidden") && all.contains("uses it"));
}

#[test]
fn what_hosts_say_drives_no_terminal_afterwards() {
    let desk = Desk::hosts(&["a"]);
    for word in ["one", "two"] {
        let command = format!("printf '\\033]0;{word}\\007\\033[2J\\302\\233x\\n'; printf '\\033[31mred' >&2; exit 3");
        desk.cmd("exec -i hosts.ini --").arg(command).run().code(2);
    }
    let all = everything(&desk, "a");
    assert!(!all.chars().any(|c| c.is_control() && c != '\n'), "{all:?}");
    assert!(all.contains("\\u{1b}"));
}
