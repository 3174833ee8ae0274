//! `policy.toml`, and dangerous tasks that name disks by their number.

use crate::support::{Desk, events, text};

const RULES: &str = "\
[[forbid]]
commands = ['touch forbidden*']
groups = ['web']
reason = 'nobody touches that'

[limits]
hosts = 1
";

const SITE: &str = "\
- hosts: web
  gather_facts: false
  tasks:
    - name: harmless
      command: touch harmless
    - name: against the rules
      shell: 'true && touch forbidden1'
";

#[test]
fn a_run_against_the_policy_contacts_nobody_and_says_all_that_is_wrong() {
    let desk = Desk::hosts(&["a", "b"]);
    desk.write("site.yml", SITE);
    desk.write("policy.toml", RULES);
    let ran = desk.cmd("run site.yml -i hosts.ini").run().code(10);
    assert_eq!(ran.out, "");
    assert_eq!(
        desk.plain(&ran.err),
        "error: `touch forbidden1` is forbidden (2 hosts: a,b)\n --> site.yml:6:7\n  |\n6 |     - name: against the rules\n  |       ^\n\
         help: the rule is policy.toml:1:1: nobody touches that\n\
         error: this run is for 2 hosts, and more than 1 need `--yes-hosts`\n\
         help: the rule is policy.toml:7:9\n      `--yes-hosts 2` when all of them are meant, `--limit` when not\n\n\
         refused by policy; nothing was contacted\n"
    );
    assert!(!desk.home("a").join("harmless").exists());
    let journal = events(&desk.journal());
    let kinds: Vec<&str> = journal.iter().map(|event| text(&event["event"])).collect();
    assert_eq!(kinds, ["run_started", "policy_checked", "run_finished"]);
    assert_eq!(journal[1]["refused"].as_array().unwrap().len(), 2);
    assert_eq!(journal[1]["policies"][0]["path"], "policy.toml");
    assert_eq!(journal[2]["exit_code"], 10);
    assert!(!desk.path("site.retry").exists());

    let ran = desk.cmd("plan site.yml -i hosts.ini").run().code(10);
    assert!(
        ran.out.ends_with(
            "\npolicy policy.toml: refused, 2 reasons\n  site.yml:6:7: `touch forbidden1` is forbidden (2 hosts: a,b) (the rule is \
             policy.toml:1:1: nobody touches that)\n  this run is for 2 hosts, and more than 1 need `--yes-hosts` (the rule is \
             policy.toml:7:9 `--yes-hosts 2` when all of them are meant, `--limit` when not)\n"
        ),
        "{}",
        ran.out
    );
}

#[test]
fn what_is_allowed_runs_and_the_journal_says_by_which_policy() {
    let desk = Desk::hosts(&["a", "b"]);
    desk.write("plays/site.yml", &SITE.replace("touch forbidden1", "touch fine"));
    desk.write("plays/policy.toml", RULES);
    desk.write("more.toml", "[limits]\nhosts = 5\n");
    desk.write("org.toml", "[[forbid]]\nmodules = 'script'\n");
    desk.write("batchssh.toml", "policy = [\"org.toml\"]\n");
    desk.cmd("run plays/site.yml -i hosts.ini").run().code(10);
    // Too small a number is as good as none.
    desk.cmd("run plays/site.yml -i hosts.ini --yes-hosts 1").run().code(10);
    desk.cmd("run plays/site.yml -i hosts.ini --limit a").run().code(0);
    let ran = desk
        .cmd("run plays/site.yml -i hosts.ini --yes-hosts 2 --policy more.toml --output json")
        .run()
        .code(0);
    let told = ran.events();
    let policy = told.iter().find(|event| event["event"] == "policy_checked").unwrap();
    let paths: Vec<String> = policy["policies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| text(&file["path"]).to_owned())
        .collect();
    assert_eq!(paths, ["more.toml", "org.toml", "plays/policy.toml"]);
    assert!(policy.get("refused").is_none());
    assert!(desk.home("b").join("fine").exists());
    let ran = desk.cmd("plan plays/site.yml -i hosts.ini --limit a").run().code(0);
    assert!(
        ran.out.ends_with("\npolicy org.toml, plays/policy.toml: allowed\n"),
        "{}",
        ran.out
    );
    // Ad-hoc commands keep the rules of the configuration and of the folder they are given in.
    let ran = desk.cmd("exec a -i hosts.ini -m script -a uptime").run().code(10);
    assert!(
        ran.err.contains("the module `script` is forbidden (1 host: a)"),
        "{}",
        ran.err
    );
    desk.write("policy.toml", RULES);
    desk.cmd("exec -i hosts.ini -- touch x").run().code(10);
    assert!(!desk.home("a").join("x").exists());
    // Nobody is changed by a look.
    desk.cmd("ping -i hosts.ini").run().code(0);
    desk.cmd("exec -i hosts.ini -C -- touch x").run().code(0);
}

#[test]
fn text_that_only_the_host_knows_is_judged_there_before_it_runs() {
    let desk = Desk::hosts(&["a", "b"]);
    desk.write(
        "policy.toml",
        "[[forbid]]\ncommands = ['touch forbidden*']\nreason = 'nobody touches that'\n",
    );
    desk.write(
        "site.yml",
        "\
- hosts: web
  gather_facts: false
  tasks:
    - command: cat name
      register: said
    - name: as the host says
      shell: touch {{ said.stdout }}
    - command: touch behind
",
    );
    for (host, name) in [("a", "forbidden"), ("b", "allowed")] {
        std::fs::write(desk.home(host).join("name"), name).unwrap();
    }
    let ran = desk.cmd("run site.yml -i hosts.ini --output json").run().code(10);
    let told = ran.events();
    let refused: Vec<&serde_json::Value> = told.iter().filter(|event| event["refused"] == "guard").collect();
    assert_eq!(refused.len(), 1);
    assert_eq!(
        (text(&refused[0]["host"]), text(&refused[0]["status"])),
        ("a", "failed")
    );
    assert_eq!(
        text(&refused[0]["msg"]),
        "refused by policy: `touch forbidden` is forbidden (policy.toml:1:1: nobody touches that)"
    );
    assert!(!desk.home("a").join("forbidden").exists());
    assert!(!desk.home("a").join("behind").exists());
    assert!(desk.home("b").join("allowed").exists() && desk.home("b").join("behind").exists());
    assert!(
        desk.read("site.retry").starts_with("a  # "),
        "{}",
        desk.read("site.retry")
    );
}

#[test]
fn no_limit_selects_nobody() {
    let desk = Desk::hosts(&["a"]);
    desk.write("site.yml", SITE);
    for command in ["run site.yml -i hosts.ini --limit", "exec -i hosts.ini --limit"] {
        let cmd = desk.cmd(command).arg("");
        let cmd = if command.starts_with("exec") {
            cmd.args("-- touch x")
        } else {
            cmd
        };
        let ran = cmd.run().code(1);
        assert!(ran.err.contains("error: "), "{}", ran.err);
        assert!(!desk.home("a").join("x").exists() && !desk.home("a").join("harmless").exists());
    }
}

#[test]
fn a_wrong_policy_is_a_mistake_of_the_input() {
    let desk = Desk::hosts(&["a"]);
    desk.write("site.yml", SITE);
    desk.write(
        "policy.toml",
        "[[forbit]]\ncommands = ['x']\n[limits]\nhosts = 'many'\n",
    );
    let ran = desk.cmd("run site.yml -i hosts.ini").run().code(1);
    for part in [
        "unknown key `forbit` in a policy\n --> policy.toml:1:3",
        "help: did you mean `forbid`?",
        "`hosts` must be a whole number, not below 0 (policy.toml:4:9)",
    ] {
        assert!(ran.err.contains(part), "{}", ran.err);
    }
    let ran = desk
        .cmd("run site.yml -i hosts.ini --policy nowhere.toml")
        .run()
        .code(1);
    assert!(ran.err.contains("cannot read `nowhere.toml`"), "{}", ran.err);
}

#[test]
fn a_dangerous_task_that_names_a_disk_by_its_number_is_refused_unless_the_policy_is_mild() {
    let desk = Desk::hosts(&["a"]);
    desk.write(
        "site.yml",
        "- hosts: web\n  gather_facts: false\n  tasks:\n    - command: test -n /dev/sdb\n    - command: mkfs.ext4 -V /dev/sdb\n    \
         - shell: 'true || mkfs.ext4 /dev/sdb'\n",
    );
    let ran = desk.cmd("run site.yml -i hosts.ini").run().code(1);
    assert!(
        ran.err
            .contains("`mkfs.ext4 /dev/sdb` is dangerous, and `/dev/sdb` may be another disk")
            && ran.err.contains(" --> site.yml:6:14")
            && ran.err.contains("`preflight: [{disks: {…}}]`"),
        "{}",
        ran.err
    );
    desk.write("policy.toml", "literal_disks = 'warn'\n");
    let ran = desk.cmd("run site.yml -i hosts.ini").run().code(0);
    assert!(ran.err.contains("`mkfs.ext4 /dev/sdb` is dangerous"), "{}", ran.err);
    desk.write("policy.toml", "literal_disks = 'allow'\n");
    desk.cmd("run site.yml -i hosts.ini").run().well();
}

#[test]
fn a_play_that_takes_longer_than_its_window_stops_between_two_waves() {
    let desk = Desk::hosts(&["a", "b", "c"]);
    let now = jiff::Timestamp::now();
    let shuts = now + jiff::SignedDuration::from_secs(5);
    // A full minute is told without its seconds.
    let clock = |time: jiff::Timestamp| {
        let time = time.to_zoned(jiff::tz::TimeZone::UTC).strftime("%H:%M:%S").to_string();
        time.strip_suffix(":00").map_or(time.clone(), str::to_owned)
    };
    let (from, to) = (clock(now - jiff::SignedDuration::from_hours(1)), clock(shuts));
    desk.write(
        "policy.toml",
        &format!("[[windows]]\nfrom = '{from}'\nto = '{to}'\ntimezone = 'UTC'\nreason = 'shops open'\n"),
    );
    let second = shuts.as_second();
    desk.write(
        "site.yml",
        &format!(
            "- hosts: web\n  gather_facts: false\n  serial: 1\n  tasks:\n    \
             - shell: 'echo one >> done; while [ $(date +%s) -le {second} ]; do sleep 0.1; done'\n    \
             - shell: echo two >> done\n- hosts: a\n  gather_facts: false\n  tasks:\n    - shell: echo later >> done\n"
        ),
    );
    let ran = desk.cmd("run site.yml -i hosts.ini --output json").run().code(10);
    // The wave that was begun is done to its end, and nothing behind it is begun.
    assert_eq!(desk.host_file("a", "done"), "one\ntwo\n", "{}{}", ran.out, ran.err);
    assert_eq!(desk.host_file("b", "done") + &desk.host_file("c", "done"), "");
    let told = ran.events();
    let refused: Vec<&serde_json::Value> = told.iter().filter(|event| event["refused"].is_array()).collect();
    assert_eq!(refused.len(), 1);
    let reason = text(&refused[0]["refused"][0]);
    assert_eq!(
        reason,
        format!("changes are allowed every day {from}-{to} UTC (policy.toml:1:1: shops open): b")
    );
    let retry = desk.read("site.retry");
    assert_eq!(retry.lines().count(), 3, "{retry}");
    assert!(
        retry.contains(&format!("b  # failed: not begun, refused by policy: {reason}"))
            && retry.contains("c  # failed: not begun, refused by policy"),
        "{retry}"
    );
    let policy = desk.read("policy.toml");
    desk.write("policy.toml", "");
    desk.cmd("retry").run().code(0);
    assert_eq!(desk.host_file("c", "done"), "one\ntwo\n");
    assert_eq!(desk.host_file("a", "done"), "one\ntwo\nlater\n");
    // Whoever only looks may come at any time.
    desk.write("policy.toml", &policy);
    desk.cmd("run site.yml -i hosts.ini --check").run().code(0);
}
