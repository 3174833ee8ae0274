//! `audit`: what is shown, written, compared and refused, on real hosts with answers of their own.

use batchssh::cli::demo::fleet::HostSpec;
use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Desk, Ran, events, wait_for};

/// Hosts, each with a file `says` in its home folder.
fn saying(all: &[(&str, &str)]) -> Desk {
    let names: Vec<&str> = all.iter().map(|(host, _)| *host).collect();
    let desk = Desk::hosts(&names);
    for (host, text) in all {
        std::fs::write(desk.home(host).join("says"), text).unwrap();
    }
    desk
}

fn says(desk: &Desk, more: &str) -> Ran {
    desk.cmd("audit -i hosts.ini").args(more).args("-- cat says").run()
}

#[test]
fn every_subject_is_answered_in_one_look_that_leaves_nothing_behind() {
    let desk = Desk::hosts(&["web1", "web2"]);
    for subject in ["disks", "mounts", "os", "packages", "time", "users", "network"] {
        let ran = desk.cmd("audit -i hosts.ini").arg(subject).run();
        // A container may have no disk to be seen; that is said, and is no answer.
        assert!(ran.code == 0 || ran.code == 2, "{ran:?}");
        let answered = format!("{} of 2 hosts answered", if ran.code == 0 { 2 } else { 0 });
        assert!(ran.out.contains(&answered), "{subject}: {}", ran.out);
        if ran.code == 0 {
            assert!(
                ran.out.contains("\nall the same: web[1,2]  (2 hosts)\n"),
                "{subject}: {}",
                ran.out
            );
        }
    }
    for host in ["web1", "web2"] {
        assert_eq!(std::fs::read_dir(desk.home(host)).unwrap().count(), 0, "{host}");
    }
    // One task each, and it changed nothing.
    for run in desk.runs() {
        let journal = std::fs::read_to_string(run.join("journal.ndjson")).unwrap();
        let results: Vec<Value> = events(&journal)
            .into_iter()
            .filter(|event| event["event"] == "task_result")
            .collect();
        assert_eq!(results.len(), 2);
        assert!(results.iter().all(|result| result["status"] != "changed"), "{journal}");
    }
}

#[test]
fn hosts_that_differ_in_numbers_are_nearly_the_same_and_others_are_odd() {
    let desk = saying(&[
        ("web1", "kernel 3.10.0-1160\nI am web1\n"),
        ("web2", "kernel 3.10.0-1160\nI am web2\n"),
        ("web3", "kernel 3.10.0-957\nI am web3\n"),
        ("web4", "kernel 3.10.0-1160\nI am web4\n"),
        ("db1", "kernel 3.10.0-1160\nI am db1\nselinux off\n"),
    ]);
    assert_eq!(
        says(&desk, "").well().out,
        "cat says: 5 of 5 hosts answered, 5 layouts of 2 shapes\n\
         \n\
         odd: db1  (1 host, layout 1)\n    \
             + selinux off\n\
         \n\
         most common: web[1-4]  (4 hosts, 4 layouts of one shape)\n      \
               kernel 3.10.0-{1160|957}\n      \
               I am {web1|web2|web3|… 1 more}\n    \
             rare: kernel 3.10.0-957 instead of 1160: web3\n"
    );
    // Without the names there is a layout that most have.
    assert_eq!(
        says(&desk, "--normalise hostname").well().out,
        "cat says: 5 of 5 hosts answered, 3 layouts of 2 shapes\n\
         \n\
         odd: db1  (1 host, layout 1)\n    \
             + selinux off\n\
         \n\
         nearly: web3  (1 host, layout 2)\n    \
             ~ kernel 3.10.0-[-1160-]{+957+}\n\
         \n\
         most common: web[1,2,4]  (3 hosts)\n      \
               kernel 3.10.0-1160\n      \
               I am <hostname>\n"
    );
}

#[test]
fn a_host_without_an_answer_is_named_with_its_reason_and_equal_to_nobody() {
    let desk = saying(&[("web1", "x\n"), ("web2", "x\n"), ("web3", "x\n")]);
    std::fs::remove_file(desk.home("web2").join("says")).unwrap();
    let ran = says(&desk, "").code(2);
    assert_eq!(
        ran.out,
        "cat says: 2 of 3 hosts answered, 1 layout\n\
         \n\
         all the same: web[1,3]  (2 hosts)\n      x\n\
         \n\
         no answer:\n    web2  the command ended with 1: cat: says: No such file or directory\n"
    );
    assert!(
        desk.read("batchssh.retry").starts_with("web2  # failed"),
        "{}",
        desk.read("batchssh.retry")
    );
    // `retry` asks that host again.
    std::fs::write(desk.home("web2").join("says"), "x\n").unwrap();
    let ran = desk.cmd("retry").run().well();
    assert!(ran.out.contains("1 of 1 host answered"), "{}", ran.out);
}

#[test]
fn a_look_that_is_cut_is_not_in_doubt() {
    let desk = Desk::hosts(&["web1"]);
    let ran = desk
        .cmd("audit -i hosts.ini --")
        .args("kill -9 $PPID; sleep 5")
        .run()
        .code(4);
    assert!(ran.out.contains("\nno answer:\n    web1  "), "{}", ran.out);
    assert!(!desk.journal().contains("in_doubt\":1"), "{}", desk.journal());
}

#[test]
fn a_file_of_the_hosts_is_folded_with_its_owner() {
    let desk = saying(&[
        ("web1", "server ntp1\n"),
        ("web2", "server ntp1\n"),
        ("web3", "server ntp2\n"),
        ("web4", ""),
    ]);
    std::fs::remove_file(desk.home("web4").join("says")).unwrap();
    let ran = desk.cmd("audit ./says -i hosts.ini").run().well();
    assert!(
        ran.out
            .starts_with("./says: 4 of 4 hosts answered, 3 layouts of 2 shapes\n"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("\nodd: web4  (1 host, layout 2)\n"), "{}", ran.out);
    assert!(ran.out.contains("    + there is no such file\n"), "{}", ran.out);
    assert!(
        ran.out
            .contains("\nnearly: web3  (1 host, layout 1)\n    - server ntp1\n    + server ntp2\n"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("      -rw-"), "{}", ran.out);
}

#[test]
fn a_baseline_says_what_drifted_who_is_new_and_who_is_gone() {
    let desk = saying(&[
        ("web1", "a 1\nb\n"),
        ("web2", "a 1\nb\n"),
        ("web3", "c\n"),
        ("web4", "a 1\nb\n"),
    ]);
    let ran = says(&desk, "-l web1:web2:web3 --save-baseline base.json").well();
    assert!(ran.out.contains("most common: web[1,2]"), "{}", ran.out);
    let base: Value = serde_json::from_str(&desk.read("base.json")).unwrap();
    assert_eq!(base["batchssh_baseline"], 1);
    assert_eq!(base["subject"], "cat says");
    assert_eq!(base["layouts"][0]["hosts"], serde_json::json!(["web1", "web2"]));
    assert_eq!(base["layouts"][1]["lines"], serde_json::json!(["c"]));

    // A new host that is like the others is told and is no drift.
    assert_eq!(
        says(&desk, "--baseline base.json").well().out,
        "cat says: 4 of 4 hosts answered, as in base.json\n\nnew: web4  (1 host, like others)\n"
    );
    // Nothing said which hosts: who is missing has gone.
    desk.write(
        "fewer.ini",
        &desk
            .read("hosts.ini")
            .lines()
            .filter(|line| !line.starts_with("web3 "))
            .collect::<Vec<_>>()
            .join("\n"),
    );
    std::fs::write(desk.home("web2").join("says"), "a 2\nb\n").unwrap();
    std::fs::write(desk.home("web4").join("says"), "quite otherwise\n").unwrap();
    let ran = desk
        .cmd("audit -i fewer.ini --baseline base.json -- cat says")
        .run()
        .code(2);
    assert_eq!(
        ran.out,
        "cat says: 3 of 3 hosts answered, 1 host otherwise than in base.json, 1 host new and like no other\n\
         \n\
         drift: web2  (1 host)\n    - a 1\n    + a 2\n\
         \n\
         new: web4  (1 host, unlike all others)\n      quite otherwise\n\
         \n\
         vanished: web3  (1 host, not in the inventory any more)\n"
    );
    assert_eq!(ran.err, "");
    // The journal has the exit code, too.
    let last = desk.runs().pop().unwrap();
    let journal = std::fs::read_to_string(last.join("journal.ndjson")).unwrap();
    assert!(journal.lines().last().unwrap().contains("\"exit_code\":2"), "{journal}");
    // With a limit nobody has gone; numbers do not count when the baseline was made without them.
    assert!(
        !says(&desk, "-l web1 --baseline base.json")
            .well()
            .out
            .contains("vanished")
    );
    let two = "-l web1,web2";
    says(&desk, &format!("{two} --normalise number --save-baseline loose.json")).well();
    std::fs::write(desk.home("web1").join("says"), "a 77\nb\n").unwrap();
    says(&desk, &format!("{two} --baseline loose.json")).well();
    // And in JSON.
    let ran = says(&desk, "--baseline base.json --json").code(2);
    let all: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(all["drift"]["same"], 1);
    assert_eq!(all["drift"]["changed"].as_array().map(Vec::len), Some(2));
}

#[test]
fn the_baseline_of_a_command_is_demanded_by_a_preflight_check() {
    let desk = saying(&[("web1", "limit 5 of S3Z8NB0K1\n"), ("web2", "limit 5 of S3Z8NB0K2\n")]);
    says(&desk, "--normalise serial --save-baseline base.json").well();
    desk.write(
        "site.yml",
        "- hosts: all\n  gather_facts: false\n  preflight:\n    - command: cat says\n      baseline: base.json\n  tasks:\n    - command: touch ran\n",
    );
    desk.cmd("run site.yml -i hosts.ini").run().code(0);
    std::fs::write(desk.home("web2").join("says"), "limit 6 of S3Z8NB0K2\n").unwrap();
    std::fs::remove_file(desk.home("web1").join("ran")).unwrap();
    desk.cmd("run site.yml -i hosts.ini").run().code(10);
    assert!(!desk.home("web1").join("ran").exists());
}

#[test]
fn a_baseline_that_does_not_fit_is_refused_before_anybody_is_asked() {
    let desk = saying(&[("web1", "x\n")]);
    says(&desk, "--normalise serial --save-baseline base.json").well();
    desk.write("torn.json", "{\"batchssh_baseline\":1,");
    let before = desk.runs().len();
    let refused = |words: &str, message: &str| {
        let ran = desk.cmd("audit -i hosts.ini").args(words).run().code(1);
        assert!(ran.err.contains(message), "{}", ran.err);
        assert_eq!(ran.out, "");
    };
    refused(
        "os --baseline base.json",
        "the baseline `base.json` is of `cat says`, not of `os`",
    );
    refused("--baseline torn.json -- cat says", "`torn.json`: not a baseline");
    refused(
        "--baseline none.json -- cat says",
        "cannot read the baseline `none.json`",
    );
    refused(
        "--baseline base.json --normalise uuid -- cat says",
        "--normalise: `base.json` was made with serial normalised",
    );
    refused(
        "os --normalise serail",
        "`serail` cannot be normalised; there are hostname, uuid",
    );
    refused(
        "os --csv no/x.csv --html .",
        "--csv `no/x.csv`: there is no directory `no`",
    );
    refused("os --csv no/x.csv --html .", "--html `.` is a directory");
    refused(
        "os --csv - --json",
        "--csv and --json: only one thing can be written to standard output",
    );
    refused("os --csv - --output json", "--output and --csv: only one thing");
    refused("os -- uname", "both the audit `os` and a command after `--` were given");
    refused("os --baseline base.json -- mkfs.xfs /dev/sdb", "both the audit");
    refused(
        "-- sudo mkfs.xfs /dev/sdb",
        "an audit only looks, and `mkfs.xfs /dev/sdb` destroys",
    );
    refused("packges", "did you mean `packages`?");
    assert_eq!(desk.runs().len(), before);
}

#[test]
fn a_baseline_is_kept_when_the_audit_was_stopped() {
    let desk = saying(&[("web1", "x\n"), ("web2", "x\n")]);
    says(&desk, "--save-baseline base.json").well();
    let old = desk.read("base.json");
    let slow = desk
        .cmd("audit -i hosts.ini -f 1 --save-baseline base.json --")
        .args("touch started; sleep 2; echo y")
        .spawn();
    wait_for("the first host", || desk.home("web1").join("started").exists());
    slow.signal(Signal::INT);
    let ran = slow.wait().code(130);
    assert!(
        ran.err
            .contains("warning: no baseline: the audit was stopped; the old one is kept"),
        "{}",
        ran.err
    );
    assert_eq!(desk.read("base.json"), old);
}

#[test]
fn two_audits_are_compared_from_their_journals() {
    let desk = saying(&[("web1", "a\nb\n"), ("web2", "a\nb\n")]);
    says(&desk, "").well();
    std::fs::write(desk.home("web2").join("says"), "a\nb\nc\n").unwrap();
    says(&desk, "").well();
    desk.cmd("audit os -i hosts.ini").run().code(0);
    let ids: Vec<String> = desk
        .runs()
        .iter()
        .map(|run| run.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    // The hosts are not needed any more.
    std::fs::remove_file(desk.path("hosts.ini")).unwrap();
    let ran = desk.cmd("audit diff").arg(&ids[0]).arg(&ids[1]).run().code(2);
    assert_eq!(
        ran.out,
        format!(
            "cat says: 2 of 2 hosts answered, 1 host otherwise than in run {}\n\ndrift: web2  (1 host)\n    + c\n",
            ids[0]
        )
    );
    desk.cmd("audit diff").arg(&ids[1]).arg(&ids[1]).run().well();
    let ran = desk.cmd("audit diff").arg(&ids[1]).run().code(1);
    assert!(ran.err.contains("looked at `cat says`, run "), "{}", ran.err);
    // One of them again, in another form.
    let ran = desk.cmd("audit show --csv - ").arg(&ids[1]).run().well();
    assert_eq!(
        ran.out,
        "host,layout,answered,answer,reason\nweb1,1,yes,a; b,\nweb2,2,yes,a; b; c,\n"
    );
    let ran = desk.cmd("audit show").run().well();
    assert!(
        ran.out.starts_with("operating system: 2 of 2 hosts answered"),
        "{}",
        ran.out
    );
    let ran = desk.cmd("audit show nothing").run().code(1);
    assert!(ran.err.contains("there is no run `nothing`"), "{}", ran.err);
}

#[test]
fn answers_with_keys_are_columns() {
    let desk = saying(&[
        ("web1", "PORT=22\nUSER=\"root\"\n"),
        ("web2", "PORT=2222\n=1+1=2\n"),
        ("web3", "PORT=22\nX=1\nX=2\n"),
    ]);
    // web2 has a line that is no pair: then there is one column.
    let ran = says(&desk, "--csv -").well();
    assert_eq!(
        ran.out,
        "host,layout,answered,answer,reason\n\
         web1,1,yes,\"PORT=22; USER=\"\"root\"\"\",\nweb2,2,yes,PORT=2222; =1+1=2,\nweb3,3,yes,PORT=22; X=1; X=2,\n"
    );
    let ran = says(&desk, "-l web1,web3 --csv -").well();
    assert_eq!(
        ran.out,
        "host,layout,answered,PORT,X,USER,reason\nweb1,1,yes,22,,\"\"\"root\"\"\",\nweb3,2,yes,22,1; 2,,\n"
    );
    // A spreadsheet takes nothing for a formula.
    std::fs::write(desk.home("web2").join("says"), "=HYPERLINK(\"http://x\")\n").unwrap();
    let ran = says(&desk, "-l web2 --csv -").well();
    assert!(ran.out.contains(",yes,\"'=HYPERLINK("), "{}", ran.out);
}

#[test]
fn what_hosts_say_cannot_harm_whoever_reads_it() {
    let evil = "\u{1b}]0;owned\u{7}\u{1b}[2J \u{202e}txt.exe </script><script>alert(1)</script>\n=cmd|' /C calc'!A0\n";
    let desk = saying(&[("web1", evil), ("web2", "plain\n")]);
    let ran = says(&desk, "--csv t.csv --json=t.json --html t.html").well();
    for (name, text) in [
        ("text", ran.out.clone()),
        ("csv", desk.read("t.csv")),
        ("json", desk.read("t.json")),
        ("html", desk.read("t.html")),
    ] {
        let bad = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!text.contains(bad), "{name}: {text:?}");
    }
    assert!(ran.out.contains("\\u{1b}]0;owned"), "{}", ran.out);
    assert_eq!(desk.read("t.html").matches("<script").count(), 2);
    let json: Value = serde_json::from_str(&desk.read("t.json")).unwrap();
    // JSON has what the host said, for programs.
    let said: Vec<&str> = json["layouts"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|layout| layout["lines"][0].as_str())
        .collect();
    assert!(said.iter().any(|line| line.starts_with("\u{1b}]0;owned")), "{said:?}");
}

#[test]
fn events_and_files_go_together_and_check_mode_looks() {
    let desk = saying(&[("web1", "x\n"), ("web2", "y\n")]);
    let ran = says(&desk, "--check --output json --csv t.csv").well();
    assert_eq!(ran.results(), ["web1 ok", "web2 ok"]);
    assert_eq!(desk.read("t.csv").lines().count(), 3);
    // A configuration may ask for events.
    desk.write("batchssh.toml", "output = \"json\"\n");
    let ran = says(&desk, "--json").code(1);
    assert!(
        ran.err.contains("only one thing can be written to standard output"),
        "{}",
        ran.err
    );
}

#[test]
fn clocks_are_compared_with_ours() {
    use batchssh::cli::demo::fleet::FakeCommand;
    let late =
        "#!/bin/sh\ncase $1 in\n+%s.%N) echo $(($(/bin/date +%s) - 90)).0 ;;\n*) exec /bin/date \"$@\" ;;\nesac\n";
    let desk = Desk::new(&[
        HostSpec::new("web1"),
        HostSpec::new("web2").with_commands(vec![FakeCommand::program("date", late)]),
        HostSpec::new("web3"),
    ]);
    let ran = desk.cmd("audit time -i hosts.ini").run().well();
    assert!(ran.out.contains("\nodd: web2  (1 host, layout 1)\n"), "{}", ran.out);
    assert!(ran.out.contains("    + clock: behind by minutes\n"), "{}", ran.out);
    assert!(ran.out.contains("      clock: as here\n"), "{}", ran.out);
    let ran = desk.cmd("audit time -i hosts.ini --json").run().well();
    let all: Value = serde_json::from_str(&ran.out).unwrap();
    let offset = |host: usize| -> f64 {
        let text = all["hosts"][host]["values"]["clock_offset_seconds"].as_str().unwrap();
        text.parse().unwrap()
    };
    assert!((-93.0..-88.0).contains(&offset(1)), "{}", ran.out);
    assert!(offset(0).abs() < 2.0, "{}", ran.out);
}
