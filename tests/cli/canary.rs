//! Canaries: the waves of a play are compared, and what is new stops before the next wave.

use batchssh::cli::demo::fleet::{Behaviour, FakeCommand, HostSpec};
use serde_json::Value;

use crate::support::{Desk, Ran, text, wait_for};

/// Eight hosts in waves of one, two and all others.
const HOSTS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

/// Hosts whose command `health` says `well`.
fn desk() -> Desk {
    let spec = |name: &&str| {
        HostSpec::new(*name).with_commands(vec![FakeCommand::program(
            "health",
            "#!/bin/sh\necho well $(cat said)\n",
        )])
    };
    Desk::new(&HOSTS.iter().map(spec).collect::<Vec<_>>())
}

/// A play that writes on every host it gets to, and does `tasks`.
fn play(canary: &str, tasks: &str) -> String {
    format!(
        "- hosts: web\n  gather_facts: false\n  serial: [1, 2, 100%]\n  canary: {canary}\n  tasks:\n    \
         - {{name: act, shell: echo was here >> done}}\n{tasks}"
    )
}

fn run(desk: &Desk, canary: &str, tasks: &str, words: &str) -> Ran {
    desk.write("play.yml", &play(canary, tasks));
    desk.cmd("run play.yml -i hosts.ini").args(words).run()
}

/// Hosts on which the first task ran, one letter each time.
fn done_on(desk: &Desk) -> String {
    HOSTS
        .iter()
        .map(|host| host.repeat(desk.host_file(host, "done").lines().count()))
        .collect()
}

fn of<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["event"] == kind).collect()
}

fn say(desk: &Desk, host: &str, words: &str) {
    std::fs::write(desk.home(host).join("said"), words).unwrap();
}

const HEALTH: &str = "[{name: healthy, command: health}]";
const STATE: &str = "    - {name: look, shell: cat said || true}\n";

#[test]
fn waves_that_are_alike_go_through_and_each_is_one_line() {
    let desk = desk();
    // Numbers, own names and the time are what differs between hosts that are alike.
    for (number, host) in HOSTS.iter().enumerate() {
        say(&desk, host, &format!("{host} has {} files\n", number * 7));
    }
    let checks = "[{name: healthy, command: health, normalise: [hostname, number]}]";
    let ran = run(&desk, checks, STATE, "").well();
    assert_eq!(done_on(&desk), "abcdefgh");
    for line in [
        "\nwave 1 of 3: 1 host, which the next waves are compared with\n",
        "\nwave 2 of 3: 2 hosts, like the waves before\n",
        "\nwave 3 of 3: 5 hosts, like the waves before\n",
    ] {
        assert!(ran.out.contains(line), "{line}{}", ran.out);
    }
    assert!(!desk.path("play.retry").exists());
    let journal = desk.journal();
    assert_eq!(journal.matches("\"event\":\"canary_verdict\"").count(), 3);
    assert_eq!(journal.matches("\"event\":\"canary_answer\"").count(), 8);
}

#[test]
fn a_new_answer_in_the_second_wave_stops_before_the_third() {
    let desk = desk();
    for host in HOSTS {
        say(&desk, host, "up");
    }
    say(&desk, "c", "down");
    let ran = run(&desk, HEALTH, "", "").code(10);
    assert_eq!(done_on(&desk), "abc");
    for words in [
        "CANARY [web]",
        "new at check `healthy`: c (1 host)\n    its answer is of a kind that no wave before has given",
        "    otherwise than on 1 host before:\n    | - well up\n    | + well down\n",
        "stopped: wave 2 of 3: 1 of 2 hosts is not like the waves before; the 5 hosts of later waves are not begun",
        "`batchssh retry --accept-wave`",
    ] {
        assert!(ran.out.contains(words), "{words}\n{}", ran.out);
    }
    let retry = desk.read("play.retry");
    let lines: Vec<&str> = retry.lines().collect();
    assert_eq!(lines.len(), 6, "{retry}");
    assert!(
        lines[0].starts_with(
            "c  # failed at `canary, wave 2`: its tasks are done; check `healthy`: its answer is of a kind"
        ),
        "{retry}"
    );
    assert_eq!(
        lines[1],
        "d  # failed: not begun: wave 2 of 3 was not like the waves before"
    );
    // It is mended, and gone on with: what was done is not done again.
    say(&desk, "c", "up");
    let ran = desk.cmd("retry").run().code(0);
    assert_eq!(done_on(&desk), "abcdefgh");
    assert!(
        ran.out.contains("wave 2 of 3: 1 host, like the waves before")
            && ran.out.contains("wave 3 of 3: 5 hosts, like the waves before"),
        "{}",
        ran.out
    );
    assert!(!desk.path("play.retry").exists());
}

#[test]
fn results_of_a_new_kind_stop_and_are_right_when_somebody_says_so() {
    let desk = desk();
    for host in HOSTS {
        say(&desk, host, &format!("{host}: 3 disks\n"));
    }
    for host in ["b", "f"] {
        say(&desk, host, "b: 3 discs\n");
    }
    let ran = run(&desk, "true", STATE, "").code(10);
    assert_eq!(done_on(&desk), "abc");
    assert!(
        ran.out.contains(
            "new at task `look`: b (1 host)\n    what it came to is of a kind that no wave before has shown\n    \
             otherwise than on 1 host before:\n    | ~ <hostname>: <number> [-disks-]{+discs+}\n"
        ),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("`canary: [{results: status}]`"), "{}", ran.out);
    // Once more is no way around it: nobody has said that it is right.
    desk.cmd("retry").run().code(10);
    assert_eq!(done_on(&desk), "abc");
    // Said once, it holds for the waves that follow: `f` is like `b` but for its name.
    say(&desk, "f", "f: 9 discs\n");
    let ran = desk.cmd("retry --accept-wave").run().code(0);
    assert_eq!(done_on(&desk), "abcdefgh");
    assert!(
        ran.out.contains("wave 3 of 3: 5 hosts, like the waves before"),
        "{}",
        ran.out
    );
    let err = desk.cmd("retry --accept-wave").run().code(0);
    assert!(err.out.contains("every host succeeded"), "{}", err.out);
}

#[test]
fn less_is_compared_when_the_play_says_so() {
    let desk = desk();
    for host in HOSTS {
        say(&desk, host, host);
    }
    say(&desk, "b", "something else");
    run(&desk, "[{results: status}]", STATE, "").well();
    assert_eq!(done_on(&desk), "abcdefgh");
    // A host on which there was nothing to do is of another kind, too.
    let once = "    - {name: make, file: {path: made, state: directory}}\n";
    std::fs::create_dir(desk.home("c").join("made")).unwrap();
    let ran = run(&desk, "[{results: status}]", once, "").code(10);
    assert!(
        ran.out.contains("new at task `make`: c (1 host)") && ran.out.contains("    | ~ outcome: [-changed-]{+ok+}\n")
            || ran.out.contains("    | - outcome: changed\n    | + outcome: ok\n"),
        "{}",
        ran.out
    );
    run(&desk, "[{results: failures}]", once, "").well();
}

#[test]
fn a_canary_that_died_stops_the_first_wave_whatever_may_fail() {
    let desk = desk();
    let tasks = "    - {name: die, shell: \"test {{ inventory_hostname }} != a || { echo boom >&2; exit 3; }\"}\n";
    for more in ["", "  max_fail_percentage: 90\n", "  any_errors_fatal: true\n"] {
        desk.write(
            "play.yml",
            &play("true", tasks).replace("  tasks:", &format!("{more}  tasks:")),
        );
        let ran = desk.cmd("run play.yml -i hosts.ini").run().code(10);
        assert!(
            ran.out
                .contains("new at task `die`: a (1 host)\n    it failed in the first wave")
                && ran.out.contains("| + stderr: boom\n"),
            "{more}{}",
            ran.out
        );
        let retry = desk.read("play.retry");
        assert!(
            retry.starts_with("a  # failed at `die`: rc=3: boom\nb  # failed: not begun: wave 1 of 3"),
            "{retry}"
        );
    }
    assert_eq!(done_on(&desk), "aaa");
}

#[test]
fn a_host_that_fails_in_a_later_wave_is_new_even_when_some_may_fail() {
    let desk = desk();
    let tasks =
        "    - {name: die, command: \"test {{ inventory_hostname }} != c\"}\n    - {name: behind, command: echo x}\n";
    desk.write(
        "play.yml",
        &play("true", tasks).replace("  tasks:", "  max_fail_percentage: 60\n  tasks:"),
    );
    let ran = desk.cmd("run play.yml -i hosts.ini --output json").run().code(10);
    let events = ran.events();
    let verdicts = of(&events, "canary_verdict");
    assert_eq!(verdicts.len(), 2);
    assert_eq!(verdicts[1]["decision"], "stop");
    let found = verdicts[1]["found"].as_array().unwrap();
    // That it did not come to what follows is no news.
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["hosts"], serde_json::json!(["c"]));
    assert_eq!(done_on(&desk), "abc");
    // A failure that the play takes over is as good as what it is compared with.
    let ignored = "    - {name: die, command: \"false\", ignore_errors: true}\n";
    run(&desk, "true", ignored, "").code(0);
}

#[test]
fn a_host_that_does_not_answer_has_not_passed() {
    let specs: Vec<HostSpec> = ["a", "b", "c"]
        .iter()
        .map(|name| {
            let slow = if *name == "b" { "exec sleep 30" } else { "echo well" };
            HostSpec::new(*name).with_commands(vec![FakeCommand::program("health", format!("#!/bin/sh\n{slow}\n"))])
        })
        .collect();
    let desk = Desk::new(&specs);
    let checks = "[{name: healthy, command: health, timeout: 1}]";
    let ran = run(&desk, checks, "", "").code(10);
    assert!(
        ran.out.contains("no answer at check `healthy`: b (1 host)"),
        "{}",
        ran.out
    );
    assert_eq!(
        desk.read("play.retry").lines().count(),
        1,
        "{}",
        desk.read("play.retry")
    );
    // One that cannot be reached at all fails its first task.
    let desk = Desk::new(&[
        HostSpec::new("a"),
        HostSpec::new("b").behaving(Behaviour::NeverAnswers),
        HostSpec::new("c"),
        HostSpec::new("d"),
    ]);
    let ran = run(&desk, "true", "", "-T 1").code(10);
    assert!(ran.out.contains("new at task `act`: b (1 host)"), "{}", ran.out);
    assert_eq!(desk.host_file("d", "done"), "");
}

#[test]
fn checks_may_demand_more_than_to_be_like_before() {
    let desk = desk();
    for (number, host) in HOSTS.iter().enumerate() {
        say(&desk, host, &format!("{}", number % 3));
    }
    // Each by itself: the answers may differ.
    run(&desk, "[{command: health, expect: [well 0, well 1, well 2]}]", "", "").well();
    let ran = run(&desk, "[{command: health, that: answer.stdout != 'well 2'}]", "", "").code(10);
    assert!(
        ran.out
            .contains(": c (1 host)\n    not true: answer.stdout != 'well 2'"),
        "{}",
        ran.out
    );
    // So many kinds over all waves.
    run(&desk, "[{command: health, max_layouts: 3}]", "", "").well();
    run(&desk, "[{command: health, max_layouts: 2}]", "", "").code(10);
    let counts: Vec<usize> = HOSTS
        .iter()
        .map(|host| desk.host_file(host, "done").lines().count())
        .collect();
    assert_eq!(counts, [4, 4, 4, 2, 2, 2, 2, 2]);
}

#[test]
fn a_wave_is_compared_in_check_mode_and_with_free_hosts() {
    let desk = desk();
    std::fs::create_dir(desk.home("b").join("made")).unwrap();
    let tasks = "    - {name: make, file: {path: made, state: directory}}\n";
    let ran = run(&desk, "true", tasks, "--check").code(10);
    assert!(ran.out.contains("new at task `make`: b (1 host)"), "{}", ran.out);
    desk.write(
        "play.yml",
        &play("true", tasks).replace("  tasks:", "  strategy: free\n  tasks:"),
    );
    let ran = desk.cmd("run play.yml -i hosts.ini").run().code(10);
    assert!(ran.out.contains("new at task `make`: b (1 host)"), "{}", ran.out);
    assert_eq!(done_on(&desk), "abc");
    // From a later task on, what was passed over is compared with nothing.
    let ran = desk
        .cmd("run play.yml -i hosts.ini --start-at-task make --limit a:c")
        .run()
        .code(0);
    assert!(ran.out.contains("like the waves before"), "{}", ran.out);
}

#[test]
fn what_runs_once_and_what_no_log_hides_makes_no_kinds() {
    let desk = desk();
    for host in HOSTS {
        say(
            &desk,
            host,
            &format!("secret of {host} is {}\n", "x".repeat(host.as_bytes()[0].into())),
        );
    }
    let tasks = "    - {name: first, command: echo once, run_once: true}\n    \
                 - {name: hidden, command: cat said, no_log: true}\n    \
                 - {name: each, command: \"echo {{ item }}\", loop: \"{{ range(0, 1 + (inventory_hostname == 'e')) | list }}\"}\n";
    run(&desk, "true", tasks, "").well();
    assert_eq!(done_on(&desk), "abcdefgh");
    assert!(!desk.journal().contains("secret of"), "no_log");
}

#[test]
fn a_later_play_is_not_begun_when_the_last_wave_is_new() {
    let desk = desk();
    for host in HOSTS {
        say(&desk, host, "up");
    }
    say(&desk, "h", "down");
    desk.write(
        "play.yml",
        &format!(
            "{}- hosts: web\n  gather_facts: false\n  tasks:\n    - shell: echo later >> later\n",
            play(HEALTH, "")
        ),
    );
    desk.cmd("run play.yml -i hosts.ini").run().code(10);
    assert_eq!(done_on(&desk), "abcdefgh");
    assert_eq!(desk.host_file("a", "later"), "");
    say(&desk, "h", "up");
    let ran = desk.cmd("retry").run().code(0);
    assert_eq!(done_on(&desk), "abcdefgh");
    assert_eq!(desk.host_file("a", "later"), "later\n");
    assert!(
        ran.out.contains("wave 3 of 3: 5 hosts, like the waves before"),
        "{}",
        ran.out
    );
}

#[test]
fn a_run_that_is_killed_in_a_wave_goes_on_in_that_wave_and_compares_all_of_it() {
    let desk = desk();
    for host in HOSTS {
        say(&desk, host, "up");
    }
    // `c` waits until it may go on; `b`, of the same wave, is through by then, and of a new kind.
    say(&desk, "b", "down");
    let tasks = "    - {name: look, shell: cat said}\n    \
                 - {name: wait, shell: \"test {{ inventory_hostname }} != c -o -e go || { echo > waiting; sleep 60; }\"}\n";
    desk.write("play.yml", &play("true", tasks));
    let running = desk.cmd("run play.yml -i hosts.ini").spawn();
    wait_for("the second wave", || desk.home("c").join("waiting").exists());
    running.signal(rustix::process::Signal::KILL);
    running.killed();
    std::fs::write(desk.home("c").join("go"), "").unwrap();
    let ran = desk.cmd("resume --in-doubt rerun").run().code(10);
    assert_eq!(done_on(&desk), "abc", "{}", ran.out);
    assert!(
        ran.out.contains("new at task `look`: b (1 host)")
            && ran
                .out
                .contains("stopped: wave 2 of 3: 1 of 2 hosts is not like the waves before"),
        "{}",
        ran.out
    );
    let ran = desk.cmd("retry --accept-wave").run().code(0);
    assert_eq!(done_on(&desk), "abcdefgh");
    assert!(
        ran.out.contains("wave 3 of 3: 5 hosts, like the waves before"),
        "{}",
        ran.out
    );
}

#[test]
fn every_output_tells_what_a_wave_came_to() {
    let desk = desk();
    for host in HOSTS {
        say(&desk, host, "up");
    }
    say(&desk, "b", "down");
    let out = |form: &str| run(&desk, HEALTH, "", &format!("--output {form}")).code(10).out;
    let human = out("human");
    assert!(
        human.contains("✓ wave 1 of 3: 1 host, which the next waves are compared with")
            && human.contains("new at check `healthy`: b (1 host)")
            && human.contains("✗ stopped: wave 2 of 3")
            && human.contains("│ + well down"),
        "{human}"
    );
    assert!(out("oneline").contains("CANARY | web | stopped: wave 2 of 3: 1 of 2 hosts is not"));
    let csv = out("csv");
    assert!(
        csv.lines().any(|line| line.starts_with("b,canary: healthy,ok,0,")),
        "{csv}"
    );
    assert!(
        csv.lines().any(|line| line.starts_with("b,\"canary, wave 2\",failed,")),
        "{csv}"
    );
    let json = run(&desk, HEALTH, "", "--output json").code(10);
    let events = json.events();
    let started = of(&events, "wave_started");
    assert_eq!(started.len(), 2);
    assert_eq!(
        (&started[1]["wave"], &started[1]["waves"]),
        (&Value::from(2), &Value::from(3))
    );
    assert_eq!(text(&of(&events, "canary_verdict")[0]["decision"]), "passed");
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

#[test]
fn ask_asks_at_the_terminal_and_stops_where_there_is_none() {
    for program in ["script", "setsid"] {
        let found = std::process::Command::new("sh")
            .args(["-c", &format!("command -v {program}")])
            .output();
        if !found.is_ok_and(|out| out.status.success()) {
            eprintln!("`{program}` is not on this machine: not tried");
            return;
        }
    }
    let desk = desk();
    for host in HOSTS {
        say(&desk, host, "up");
    }
    for host in ["b", "g"] {
        say(&desk, host, "down");
    }
    desk.write(
        "play.yml",
        &play("[{name: healthy, command: health, on_mismatch: ask}]", ""),
    );
    let (code, said) = shell(&desk, "setsid -w batchssh run play.yml -i hosts.ini </dev/null");
    assert_eq!(code, Some(10), "{said}");
    assert!(said.contains("needs a terminal, and there is none"), "{said}");
    assert_eq!(done_on(&desk), "abc");
    let at_terminal = |answer: &str| {
        let _ = std::fs::remove_file(desk.path("screen"));
        shell(
            &desk,
            &format!(
                "{{ n=0; until grep -q 'is that right' screen 2>/dev/null || [ $n -gt 200 ]; do sleep 0.05; n=$((n + 1)); done; \
                 echo {answer}; sleep 1; }} | script -qefc 'batchssh run play.yml -i hosts.ini -T 5' screen"
            ),
        )
    };
    let (code, said) = at_terminal("n");
    assert_eq!(code, Some(10), "{said}");
    assert!(
        said.contains("wave 2 of 3: 1 of 2 hosts are not like the waves before: b"),
        "{said}"
    );
    assert!(said.contains("not approved: no further wave is begun"), "{said}");
    assert_eq!(done_on(&desk), "aabbcc");
    // Approved once, `g` says nothing new.
    let (code, said) = at_terminal("yes");
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("approved wave 2: later waves may be like it"), "{said}");
    assert_eq!(done_on(&desk), "aaabbbcccdefgh");
}

#[test]
fn wrong_words_about_a_canary_contact_nobody() {
    let desk = Desk::hosts(&["a"]);
    let before = desk.fleet.log();
    let said = |text: &str| {
        desk.write("play.yml", text);
        desk.cmd("run play.yml -i hosts.ini").run().code(1).err
    };
    let err = said("- hosts: web\n  canary: true\n  tasks:\n    - ping:\n");
    assert_eq!(
        err,
        "error: `canary` compares the waves of `serial`, and this play has none\n --> play.yml:2:11\n  |\n2 |   canary: true\n  |           ^\n\
         help: add `serial: [1, 5, 10%]` for example: one host, then five, then a tenth of all at a time\n"
    );
    for (item, message) in [
        (
            "{command: uptime, on_mismatch: drop}",
            "`on_mismatch: drop` has no meaning in `canary`: the hosts of a wave are done, and nobody can be left out\n --> \
             play.yml:4:38",
        ),
        (
            "{comand: uptime}",
            "unknown key `comand` in a canary check\n --> play.yml:4:8",
        ),
        (
            "{results: word}",
            "`results` must be one of words, status, failures, not `word`\n --> play.yml:4:17",
        ),
        (
            "{results: status, on_mismatch: drop}",
            "`on_mismatch: drop` has no meaning",
        ),
        (
            "{results: status, name: x}",
            "unknown key `name` in `results` of a canary\n --> play.yml:4:25",
        ),
        (
            "{results: status}\n    - {results: words}",
            "`results` stands twice in `canary`\n --> play.yml:5:7",
        ),
        ("true", "a canary check is a mapping, not "),
    ] {
        let err = said(&format!(
            "- hosts: web\n  serial: 1\n  canary:\n    - {item}\n  tasks:\n    - ping:\n"
        ));
        assert!(err.contains(message), "{message}\n{err}");
    }
    let err = said("- hosts: web\n  serial: 1\n  canary: yes please\n  tasks:\n    - ping:\n");
    assert!(
        err.contains("`canary` must be `true` or a list of checks, not "),
        "{err}"
    );
    assert_eq!(desk.fleet.log(), before, "a host was contacted");
}

#[test]
fn the_plan_shows_the_waves_and_what_is_compared() {
    let desk = desk();
    desk.write(
        "play.yml",
        &play(
            "[{results: status, on_mismatch: ask}, {name: healthy, command: health}]",
            "",
        ),
    );
    let ran = desk.cmd("plan play.yml -i hosts.ini").run().well();
    for line in [
        "\n  waves: 3: 1, 2, 5\n",
        "\n  canary: results  [status]  play.yml:4  on mismatch: ask\n",
        "\n  canary: healthy  [command]  play.yml:4  on mismatch: stop\n",
    ] {
        assert!(ran.out.contains(line), "{line}{}", ran.out);
    }
}
