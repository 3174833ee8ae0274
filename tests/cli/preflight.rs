//! Pre-flight checks on real hosts: all are asked before anything is done on any of them.

use batchssh::cli::demo::disks::{SystemDisk, commands};
use batchssh::cli::demo::fleet::{Behaviour, FakeCommand, HostSpec};
use serde_json::Value;

use crate::support::{Desk, Ran, text};

/// A play that writes `done` on every host it gets to.
fn play(preflight: &str) -> String {
    format!(
        "- hosts: web\n  gather_facts: false\n  preflight:\n{preflight}  tasks:\n    \
         - {{name: act, shell: echo was here >> done}}\n"
    )
}

/// Hosts whose command `which` prints what is said.
fn desk(answers: &[(&str, &str)]) -> Desk {
    let spec = |(name, answer): &(&str, &str)| {
        HostSpec::new(*name).with_commands(vec![FakeCommand::program(
            "which-kernel",
            format!("#!/bin/sh\n{answer}\n"),
        )])
    };
    Desk::new(&answers.iter().map(spec).collect::<Vec<_>>())
}

const SAME: &str = "    - {name: kernels, command: which-kernel, same: true}\n";

fn run(desk: &Desk, preflight: &str, words: &str) -> Ran {
    desk.write("play.yml", &play(preflight));
    desk.cmd("run play.yml -i hosts.ini -T 5").args(words).run()
}

/// Hosts on which the task ran, one letter each time.
fn done_on(desk: &Desk) -> String {
    desk.fleet
        .hosts()
        .iter()
        .map(|host| host.name.repeat(desk.host_file(&host.name, "done").lines().count()))
        .collect()
}

fn of<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["event"] == kind).collect()
}

#[test]
fn r45_a_pre_flight_that_fails_on_one_host_is_told_before_anything_is_done_on_any() {
    let desk = desk(&[("a", "echo 3.10"), ("b", "echo 2.6"), ("c", "echo 3.10")]);
    // One batch a host: the odd one would be reached second.
    desk.write("play.yml", &play(SAME).replace("  tasks:", "  serial: 1\n  tasks:"));
    let ran = desk.cmd("run play.yml -i hosts.ini").run().code(10);
    assert_eq!(done_on(&desk), "");
    for words in [
        "CHECK [kernels]",
        "refused: b (1 host)",
        "its answer is not that of most hosts",
        "    | - 3.10\n    | + 2.6\n",
        "stopped: 1 of 3 hosts is odd; nothing was changed on any host",
        "--limit 'all:!b'",
        "`on_mismatch: drop`",
    ] {
        assert!(ran.out.contains(words), "{words}\n{}", ran.out);
    }
    assert!(!ran.out.contains("TASK [act]"), "{}", ran.out);
    let retry = desk.read("play.retry");
    let lines: Vec<&str> = retry.lines().collect();
    assert_eq!(lines.len(), 3, "{retry}");
    assert!(
        lines[1].starts_with("b  # failed at `pre-flight`: check `kernels`: its answer"),
        "{retry}"
    );
    assert!(
        lines[0].contains("not begun: the pre-flight check `kernels` stopped the run"),
        "{retry}"
    );
}

#[test]
fn r45_a_host_that_is_silent_or_too_slow_has_not_passed() {
    let specs = [
        HostSpec::new("a").with_commands(vec![FakeCommand::program("which-kernel", "#!/bin/sh\necho 3.10\n")]),
        HostSpec::new("b").behaving(Behaviour::NeverAnswers),
        // It says what all say, and then hangs: whether that was all is not known.
        HostSpec::new("c").with_commands(vec![FakeCommand::program(
            "which-kernel",
            "#!/bin/sh\necho 3.10\nexec sleep 30\n",
        )]),
    ];
    let desk = Desk::new(&specs);
    let check = "    - {name: kernels, command: which-kernel, same: true, timeout: 1}\n";
    desk.write("play.yml", &play(check));
    let ran = desk.cmd("run play.yml -i hosts.ini -T 1 --output json").run().code(10);
    assert_eq!(done_on(&desk), "");
    let events = ran.events();
    let mut answers: Vec<String> = of(&events, "preflight_answer")
        .iter()
        .map(|answer| format!("{} {}", text(&answer["host"]), text(&answer["status"])))
        .collect();
    answers.sort();
    assert_eq!(answers, ["a ok", "b unreachable", "c timed_out"]);
    let verdict = of(&events, "preflight_verdict")[0];
    assert_eq!(verdict["decision"], "stop");
    assert_eq!(verdict["layouts"].as_array().unwrap().len(), 1);
    assert_eq!(verdict["layouts"][0]["hosts"], serde_json::json!(["a"]));
    assert!(of(&events, "task_started").is_empty());
    assert!(
        desk.read("play.retry").contains("b  # unreachable at `pre-flight`"),
        "{}",
        desk.read("play.retry")
    );
}

#[test]
fn hosts_that_are_alike_pass_and_the_evidence_is_in_the_journal() {
    let desk = desk(&[("a", "echo $((1 + 1)) a"), ("b", "echo 2 b")]);
    let check = "    - {name: kernels, command: which-kernel, same: true, normalise: hostname}\n";
    let ran = run(&desk, check, "--output json").well();
    assert_eq!(done_on(&desk), "ab");
    let events = ran.events();
    let answer = of(&events, "preflight_answer")[0];
    let digest = text(&answer["digest"]);
    let known = if answer["host"] == "a" { b"2 a\n" } else { b"2 b\n" };
    assert_eq!(digest, batchssh::preflight::Evidence::digest(known));
    assert_eq!(of(&events, "preflight_verdict")[0]["msg"], "2 hosts, 1 layout");
    assert!(desk.journal().contains(digest));
    assert!(!desk.path("play.retry").exists());
}

#[test]
fn drop_leaves_the_odd_ones_out_and_does_the_rest() {
    let desk = desk(&[
        ("a", "echo 1"),
        ("b", "echo 2"),
        ("c", "echo 1"),
        ("d", "exit 3"),
        ("e", "echo 1"),
    ]);
    let check = "    - {name: kernels, command: which-kernel, same: true, on_mismatch: drop}\n";
    let ran = run(&desk, check, "").code(10);
    assert_eq!(done_on(&desk), "ace");
    assert!(ran.out.contains("the others go on without them"), "{}", ran.out);
    let retry = desk.read("play.retry");
    let names: Vec<&str> = retry.lines().map(|line| &line[..1]).collect();
    assert_eq!(names, ["b", "d"]);
    assert!(retry.contains("rc=3, and nothing was said"), "{retry}");
    // What is left must be more than half, and one layout must be the usual one.
    let without = "    - {name: kernels, command: which-kernel, same: true, on_mismatch: drop, when: \"inventory_hostname in 'ab'\"}\n";
    run(&desk, without, "").code(10);
    assert_eq!(done_on(&desk), "ace");
}

#[test]
fn a_check_runs_in_check_mode_and_for_the_limit_only() {
    let desk = desk(&[("a", "echo 1"), ("b", "echo 2")]);
    run(&desk, SAME, "--check").code(10);
    run(&desk, SAME, "--limit a").well();
    assert_eq!(done_on(&desk), "a");
    // A play of which tags leave nothing has nothing to be asked for.
    desk.write("play.yml", &play(SAME).replace("act,", "act, tags: never,"));
    desk.cmd("run play.yml -i hosts.ini").run().well();
}

#[test]
fn nothing_of_a_later_play_is_done_either() {
    let desk = desk(&[("a", "echo 1"), ("b", "echo 2"), ("c", "echo 1")]);
    let first = "- hosts: web\n  gather_facts: false\n  tasks:\n    - shell: echo first >> first\n";
    let later = "- hosts: c\n  gather_facts: false\n  tasks:\n    - shell: echo later >> done\n";
    desk.write(
        "play.yml",
        &format!("{first}{}{later}", play(SAME).replace("hosts: web", "hosts: 'a,b'")),
    );
    desk.cmd("run play.yml -i hosts.ini").run().code(10);
    assert_eq!(desk.host_file("c", "first"), "first\n");
    assert_eq!(done_on(&desk), "");
    assert!(
        desk.read("play.retry").contains("c  # failed: not begun"),
        "{}",
        desk.read("play.retry")
    );
}

#[test]
fn all_checks_of_a_host_are_one_exchange() {
    let desk = Desk::hosts(&["a"]);
    let checks = "    - {command: uname -s, expect: Linux}\n    - {shell: 'echo $PPID', max_layouts: 9}\n    \
                  - {shell: 'ps -o ppid= -p $PPID', max_layouts: 9}\n    - {programs: [sh, cat]}\n    - {space: {/: 1kB}}\n";
    let ran = run(&desk, checks, "--output json").well();
    let events = ran.events();
    let answers = of(&events, "preflight_answer");
    let said = |index: usize| text(&answers[index]["answer"]).trim().to_owned();
    assert_eq!(answers.len(), 5);
    assert_eq!(said(3), "sh: there\ncat: there");
    assert_eq!(said(4), "/: 1.0 kB free");
    // Both are children of the same shell.
    assert_eq!(answers[1]["rc"], 0);
    assert_eq!(of(&events, "host_connected").len(), 1);
}

#[test]
fn answers_are_held_against_what_each_host_must_say() {
    let desk = desk(&[("a", "echo 4 cores"), ("b", "echo 2 cores")]);
    desk.write("right.txt", "4 cores\n");
    desk.write(
        "cores.json",
        "{\"batchssh_baseline\":1,\"subject\":\"\",\"layouts\":[{\"lines\":[\"4 cores\"],\"hosts\":[\"a\"]}]}",
    );
    let refused = |check: &str| {
        let ran = run(
            &desk,
            &format!("    - {{name: x, command: which-kernel, {check}}}\n"),
            "--output json",
        )
        .code(10);
        let events = ran.events();
        let refused = of(&events, "preflight_verdict")[0]["refused"].clone();
        let all: Vec<String> = refused
            .as_array()
            .unwrap()
            .iter()
            .map(|one| format!("{} {}", one["hosts"], text(&one["reason"])))
            .collect();
        desk.plain(&all.join("; "))
    };
    assert_eq!(
        refused("expect: 4 cores"),
        "[\"b\"] it is `2 cores` instead of `4 cores`"
    );
    assert_eq!(
        refused("expect: ['{{ 3 + 1 }} cores', 8 cores]"),
        "[\"b\"] it is `2 cores` instead of `4 cores` or `8 cores`"
    );
    assert_eq!(
        refused("that: ['answer.rc == 0', 'answer.stdout.split()[0] | int >= 4']"),
        "[\"b\"] not true: answer.stdout.split()[0] | int >= 4"
    );
    assert_eq!(
        refused("baseline: right.txt"),
        "[\"b\"] not as in the baseline `right.txt`: - 4 cores | + 2 cores"
    );
    assert_eq!(
        refused("baseline: cores.json"),
        "[\"b\"] the baseline `cores.json` does not know this host"
    );
    assert_eq!(done_on(&desk), "");
    run(
        &desk,
        "    - {command: which-kernel, expect: '{{ 4 if inventory_hostname == \"a\" else 2 }} cores'}\n",
        "",
    )
    .well();
    run(
        &desk,
        "    - {shell: which-kernel; exit 4, that: answer.rc == 4, rc: [0, 4]}\n",
        "",
    )
    .well();
    assert_eq!(done_on(&desk), "aabb");
}

#[test]
fn every_output_tells_the_verdict() {
    let desk = desk(&[("a", "echo 1"), ("b", "echo 2"), ("c", "echo 1")]);
    let out = |form: &str| run(&desk, SAME, &format!("--output {form}")).code(10).out;
    let human = out("human");
    assert!(
        human.contains("refused: b (1 host)") && human.contains("│ + 2"),
        "{human}"
    );
    assert!(human.contains("stopped: 1 of 3 hosts is odd"), "{human}");
    assert!(out("oneline").starts_with("PRE-FLIGHT | kernels | stopped: 1 of 3 hosts is odd"));
    let csv = out("csv");
    assert!(
        csv.lines().any(|line| line.starts_with("a,pre-flight: kernels,ok,0,")),
        "{csv}"
    );
    assert!(
        csv.lines().any(|line| line.starts_with("b,pre-flight,failed,")),
        "{csv}"
    );
}

#[test]
fn a_secret_in_an_answer_is_not_told() {
    let desk = desk(&[("a", "echo key hunter2hunter2"), ("b", "echo key other")]);
    let ran = desk.cmd("run play.yml -i hosts.ini --output json -e ansible_become_password=hunter2hunter2");
    desk.write("play.yml", &play(SAME));
    let ran = ran.run().code(10);
    assert!(!ran.out.contains("hunter2"), "{}", ran.out);
    assert!(!desk.journal().contains("hunter2"));
    let hidden = "    - {name: kernels, command: which-kernel, same: true, no_log: true}\n";
    let ran = run(&desk, hidden, "--output json").code(10);
    assert!(!ran.out.contains("key other"), "{}", ran.out);
}

#[test]
fn an_answer_that_does_not_end_is_no_answer() {
    let desk = desk(&[("a", "head -c 2000000 /dev/zero | tr '\\0' x"), ("b", "kill -9 $PPID")]);
    let ran = run(&desk, SAME, "--output json").code(10);
    let events = ran.events();
    let reasons: Vec<String> = of(&events, "preflight_answer")
        .iter()
        .map(|a| text(&a["msg"]).to_owned())
        .collect();
    assert!(
        reasons.iter().any(|reason| reason.contains("more than 1048576 bytes")),
        "{reasons:?}"
    );
    assert!(reasons.iter().any(|reason| reason.contains("rc=137")), "{reasons:?}");
    assert_eq!(done_on(&desk), "");
}

/// Storage servers; of `odd` the system is on the last disk.
fn storage(names: &[&str], odd: &[&str]) -> Desk {
    let specs: Vec<HostSpec> = names
        .iter()
        .zip(1..)
        .map(|(name, number)| {
            let system = if odd.contains(name) {
                SystemDisk::Last
            } else {
                SystemDisk::First
            };
            HostSpec::new(*name).with_commands(commands(number, system))
        })
        .collect();
    Desk::new(&specs)
}

const DISKS: &str = "    - name: data disks are the same everywhere\n      command: lsblk -P -b -o NAME,SIZE,TYPE,ROTA,MOUNTPOINT\n      \
                     same: true\n      normalise: [serial, uuid, hostname]\n      on_mismatch: stop\n    \
                     - disks: { system: not sdm, data: { count: 12, empty: true, min_size: 4TB }, root: /nowhere }\n";

#[test]
fn two_machines_with_the_system_disk_elsewhere_stop_the_formatting() {
    let desk = storage(&["s1", "s2", "s3", "s4", "s5"], &["s2", "s4"]);
    let ran = run(&desk, DISKS, "--output json").code(10);
    assert_eq!(done_on(&desk), "");
    let events = ran.events();
    let verdicts = of(&events, "preflight_verdict");
    assert_eq!(verdicts.len(), 2);
    assert_eq!(verdicts[0]["refused"][0]["hosts"], serde_json::json!(["s2", "s4"]));
    assert_eq!(
        verdicts[1]["refused"][0]["reason"],
        "the system disk is sdm: it must not be sdm"
    );
    let difference = verdicts[1]["layouts"][0]["difference"].to_string();
    assert!(
        difference.contains("~ system: [-sda-]{+sdm+}  480.1 GB  ssd"),
        "{difference}"
    );
    run(&desk, DISKS, "--limit all:!s2:!s4").well();
    assert_eq!(done_on(&desk), "s1s3s5");
}

#[test]
fn disks_are_variables_by_what_they_are_for() {
    let desk = storage(&["s1", "s2"], &["s2"]);
    let checks = "    - disks: { data: { count: 12, empty: true }, root: /nowhere }\n";
    desk.write(
        "play.yml",
        &play(checks).replace(
            "shell: echo was here >> done",
            "shell: 'echo {{ disk.system }} {{ disk.data[0] }} {{ disk.data | length }} \
             {{ disk.facts[disk.data[11]].name }} >> done'",
        ),
    );
    desk.cmd("run play.yml -i hosts.ini --syntax-check").run().code(0);
    let ran = desk.cmd("run play.yml -i hosts.ini").run().well();
    assert_eq!(
        desk.host_file("s1", "done"),
        "/nowhere/dev/sda /nowhere/dev/sdb 12 sdm\n"
    );
    assert_eq!(
        desk.host_file("s2", "done"),
        "/nowhere/dev/sdm /nowhere/dev/sda 12 sdl\n"
    );
    assert!(
        ran.out
            .contains("note: s[1,2] (2 hosts)\n    no name in /dev/disk/by-id"),
        "{}",
        ran.out
    );
}

/// Three hosts whose state is looked at, changed by the first task, and needed by the second, which fails on `b` as long
/// as there is no file `mended`.
fn changing() -> Desk {
    let desk = Desk::hosts(&["a", "b", "c"]);
    for host in ["a", "b", "c"] {
        std::fs::write(desk.home(host).join("state"), "new\n").unwrap();
    }
    desk.write(
        "play.yml",
        "- hosts: web\n  gather_facts: false\n  preflight:\n    - {name: state, command: cat state, same: true}\n  tasks:\n    \
         - {name: one, shell: echo formatted > state; echo one >> done}\n    \
         - {name: two, shell: \"test {{ inventory_hostname }} != b -o -e mended && echo two >> done\"}\n",
    );
    desk.cmd("run play.yml -i hosts.ini").run().code(2);
    desk
}

#[test]
fn retry_accepts_what_the_run_before_left() {
    let desk = changing();
    std::fs::write(desk.home("b").join("mended"), "").unwrap();
    let ran = desk.cmd("retry --output json").run().code(0);
    let events = ran.events();
    let verdict = of(&events, "preflight_verdict")[0];
    assert_eq!(verdict["notes"][0]["text"], "as the run before left it");
    assert_eq!(desk.host_file("b", "done"), "one\ntwo\n");
}

#[test]
fn retry_refuses_a_host_that_somebody_else_has_changed() {
    let desk = changing();
    std::fs::write(desk.home("b").join("mended"), "").unwrap();
    std::fs::write(desk.home("b").join("state"), "somebody was here\n").unwrap();
    let ran = desk.cmd("retry").run().code(10);
    assert!(
        ran.out
            .contains("its answer is none of those that the run before approved"),
        "{}",
        ran.out
    );
    assert!(
        ran.out
            .contains("neither as the run before approved it nor as it left it"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("`batchssh run` instead of retry"), "{}", ran.out);
    assert_eq!(desk.host_file("b", "done"), "one\n");
}

#[test]
fn hosts_that_were_left_out_are_not_usual_when_they_are_alone_in_the_retry() {
    let desk = desk(&[
        ("a", "echo 1"),
        ("b", "echo 2"),
        ("c", "echo 1"),
        ("d", "echo 2"),
        ("e", "echo 1"),
    ]);
    let check = "    - {name: kernels, command: which-kernel, same: true, on_mismatch: drop}\n";
    run(&desk, check, "").code(10);
    assert_eq!(done_on(&desk), "ace");
    desk.cmd("retry").run().code(10);
    assert_eq!(done_on(&desk), "ace", "two odd hosts are alike, and odd all the same");
    // Mended, they are as the others were.
    for host in ["b", "d"] {
        let program = desk.fleet.dir().join("bin").join(host).join("which-kernel");
        std::fs::write(program, "#!/bin/sh\necho 1\n").unwrap();
    }
    desk.cmd("retry").run().well();
    assert_eq!(done_on(&desk), "abcde");
}

/// Whether a program is there; a test that needs it is not tried without.
#[expect(clippy::print_stderr, reason = "a test that is not tried says so")]
fn there(program: &str) -> bool {
    let found = std::process::Command::new("sh")
        .args(["-c", &format!("command -v {program}")])
        .output();
    let found = found.is_ok_and(|out| out.status.success());
    if !found {
        eprintln!("`{program}` is not on this machine: not tried");
    }
    found
}

/// Runs a command line of the desk in a shell.
fn shell(desk: &Desk, line: &str) -> (Option<i32>, String) {
    let line = line.replace("batchssh", env!("CARGO_BIN_EXE_batchssh"));
    let out = std::process::Command::new("sh")
        .args(["-c", &line])
        .current_dir(&desk.dir)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
        .env("HOME", desk.path("home"))
        .env("XDG_STATE_HOME", desk.path("state"))
        .env("LC_ALL", "C.UTF-8")
        .output()
        .unwrap();
    let text = [out.stdout, out.stderr].concat();
    (out.status.code(), String::from_utf8_lossy(&text).into_owned())
}

const ASK: &str = "    - {name: kernels, command: which-kernel, same: true, on_mismatch: ask}\n";

#[test]
fn ask_without_a_terminal_is_stop_with_a_hint() {
    if !there("setsid") {
        return;
    }
    let desk = desk(&[("a", "echo 1"), ("b", "echo 2"), ("c", "echo 1")]);
    desk.write("play.yml", &play(ASK));
    let (code, text) = shell(&desk, "setsid -w batchssh run play.yml -i hosts.ini </dev/null");
    assert_eq!(code, Some(10), "{text}");
    assert!(text.contains("needs a terminal, and there is none"), "{text}");
    assert_eq!(done_on(&desk), "");
}

#[test]
fn ask_asks_at_the_terminal_with_the_hosts_named() {
    if !there("script") {
        return;
    }
    let desk = desk(&[("a", "echo 1"), ("b", "echo 2"), ("c", "echo 1")]);
    desk.write("play.yml", &play(ASK));
    // The answer is typed when the question is there.
    let at_terminal = |answer: &str| {
        let _ = std::fs::remove_file(desk.path("screen"));
        shell(
            &desk,
            &format!(
                "{{ n=0; until grep -q 'go on without' screen 2>/dev/null || [ $n -gt 200 ]; do sleep 0.05; n=$((n + 1)); done; \
                 echo {answer}; sleep 1; }} | script -qefc 'batchssh run play.yml -i hosts.ini -T 5' screen"
            ),
        )
    };
    let (code, text) = at_terminal("n");
    assert_eq!(code, Some(10), "{text}");
    assert!(text.contains("1 of 3 hosts did not pass: b"), "{text}");
    assert!(text.contains("not approved: nothing is done on any host"), "{text}");
    assert_eq!(done_on(&desk), "");
    let (code, text) = at_terminal("yes");
    assert_eq!(code, Some(10), "{text}");
    assert!(text.contains("approved to go on without 1 of 3 hosts"), "{text}");
    assert_eq!(done_on(&desk), "ac");
}
