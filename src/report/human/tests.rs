use super::*;
use crate::event::{Diff, Status};
use crate::report::testing::{
    Paper, bad, command, done, feed, finished, item, play, report, result, started, task, warning,
};

fn options() -> HumanOptions {
    HumanOptions {
        term: Terminal {
            is_tty: true,
            unicode: true,
            width: 72,
            ..Terminal::plain()
        },
        verbosity: 0,
        retry_file: Some("site.retry".into()),
        rerun: Some("batchssh retry 20261121-045100-7f3a".to_owned()),
    }
}

fn shown(options: HumanOptions, events: Vec<EventKind>) -> (String, String) {
    let (out, err) = (Paper::default(), Paper::default());
    feed(&mut Human::new(out.writer(), err.writer(), options), events);
    (out.text(), err.text())
}

fn fleet(number: usize) -> Vec<String> {
    (1..=number).map(|i| format!("web{i:03}")).collect()
}

/// For looking at: `cargo test --lib demo -- --ignored --nocapture` in a terminal.
#[test]
#[ignore = "takes its time; for looking at"]
fn demo() {
    use crate::deadline::{CancelToken, Deadline};
    use crate::report::delivery::Reporter;
    use crate::report::progress::Progress;
    use crate::report::terminal::TerminalEnv;

    let env = TerminalEnv {
        locale: Some("C.UTF-8".to_owned()),
        ..TerminalEnv::default()
    };
    let progress = Progress::new(Terminal::of(io::stderr(), &env));
    let screen = progress.screen();
    let options = HumanOptions {
        term: Terminal::of(io::stdout(), &env),
        ..options()
    };
    let human = Human::new(
        screen.over(Box::new(io::stdout())),
        screen.over(Box::new(io::stderr())),
        options,
    );
    let reporter = Reporter::start(vec![Box::new(human), Box::new(progress)]).unwrap();
    let (teller, deadline) = (reporter.teller(), Deadline::none(CancelToken::new()));
    let pause = |ms| deadline.sleep(Duration::from_millis(ms)).unwrap();
    let names = fleet(400);
    let hosts: Vec<&str> = names.iter().map(String::as_str).collect();
    teller.tell(started("site.yml", &hosts, false));
    teller.tell(play("common", &hosts));
    for (index, name) in [
        "nginx : install package",
        "nginx : write nginx.conf",
        "check disk layout",
    ]
    .iter()
    .enumerate()
    {
        teller.tell(task(name));
        for (number, host) in hosts.iter().enumerate() {
            teller.tell(EventKind::HostStarted {
                host: (*host).into(),
                task: (*name).to_owned(),
            });
            if number % 3 == 0 {
                pause(15);
            }
            if number == 5 {
                continue;
            }
            let mut outcome = match (index, number) {
                (0, 100..=104) => command(
                    host,
                    Status::Failed,
                    1,
                    "",
                    "Loaded plugins: fastestmirror\nError: No package nginx available.\n",
                ),
                (0, 200) => bad(host, name, Status::Unreachable, "connect timeout took longer than 10s"),
                (_, 100..=104 | 200) => continue,
                (1, n) if n % 7 == 0 => report(host, name, Status::Changed),
                (2, _) => {
                    let mut report = command(host, Status::Ok, 0, "", "");
                    report.warnings = vec![format!("{host}: 3 unknown block devices")];
                    report
                }
                _ => report(host, name, Status::Ok),
            };
            (*name).clone_into(&mut outcome.task);
            if outcome.status == Status::Changed {
                outcome.diff = vec![Diff::Text {
                    before_header: "/etc/nginx/nginx.conf".to_owned(),
                    after_header: "/etc/nginx/nginx.conf".to_owned(),
                    before: "worker_processes 1;\n".to_owned(),
                    after: "worker_processes auto;\n".to_owned(),
                }];
            }
            teller.tell(result(outcome.clone()));
            if !outcome.status.is_good() {
                teller.tell(done(host, outcome.status, &outcome.msg));
            }
        }
    }
    for (number, host) in hosts.iter().enumerate() {
        match number {
            5 | 100..=104 | 200 => {}
            n if n % 7 == 0 => teller.tell(done(host, Status::Changed, "")),
            _ => teller.tell(done(host, Status::Ok, "")),
        }
    }
    teller.tell(warning("1 host was still at work"));
    pause(1500);
    let (_, broken) = reporter.finish();
    assert!(broken.is_empty());
}

#[test]
#[ignore = "for looking at"]
fn demo_exec() {
    let names = fleet(400);
    let hosts: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut events = vec![started("uname -r", &hosts, true)];
    for (number, host) in hosts.iter().enumerate() {
        events.push(match number {
            7 => result(command(host, Status::Changed, 0, "3.10.0-957.el7.x86_64\n", "")),
            9 => result(command(host, Status::Failed, 127, "", "sh: uname: command not found\n")),
            11 => result(bad(host, "t", Status::Unreachable, "no route to host 10.0.0.11")),
            12 => result(bad(host, "t", Status::Unreachable, "no route to host 10.0.0.12")),
            _ => result(command(host, Status::Changed, 0, "3.10.0-1160.el7.x86_64\n", "")),
        });
        let status = match number {
            9 => Status::Failed,
            11 | 12 => Status::Unreachable,
            _ => Status::Changed,
        };
        events.push(done(host, status, ""));
    }
    events.push(finished());
    let mut options = options();
    options.term.colour = true;
    let mut human = Human::new(Box::new(io::stdout()), Box::new(io::stderr()), options);
    feed(&mut human, events);
}

fn at(host: &str, name: &str, status: Status) -> EventKind {
    result(report(host, name, status))
}

#[test]
fn a_play_is_folded_and_ends_on_one_screen() {
    let names = fleet(9);
    let hosts: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut events = vec![
        started("site.yml", &hosts, false),
        play("common", &hosts),
        task("install"),
    ];
    // In the order in which they happen to end.
    for number in [8, 0, 1, 2, 5] {
        events.push(at(hosts[number], "install", Status::Ok));
    }
    events.push(at("web005", "install", Status::Changed));
    for host in ["web008", "web004"] {
        let mut failed = command(
            host,
            Status::Failed,
            1,
            "",
            &format!("Loading\n{host}: disk full\u{1b}[2J\n"),
        );
        failed.task = "install".to_owned();
        events.push(result(failed));
        events.push(done(host, Status::Failed, "x"));
    }
    let mut ignored = bad("web007", "install", Status::Failed, "never mind");
    ignored.ignored = true;
    events.push(result(ignored));
    events.push(warning("mind the gap"));
    events.push(warning("mind the gap"));
    for host in ["web001", "web002", "web003", "web006"] {
        events.push(done(host, Status::Ok, ""));
    }
    events.push(done("web005", Status::Changed, ""));
    events.push(finished());
    let (out, err) = shown(options(), events);
    let expected = [
        "",
        "── play common · 9 hosts ───────────────────────────────────────────────",
        "",
        "install",
        "  ✓ ok          5  web[001-003,006,009]",
        "  ● changed     1  web005",
        "  ✗ ignored     1  web007",
        "    never mind",
        "  ✗ failed      2  web[004,008]",
        "    rc=1: web008: disk full\\u{1b}[2J (as on web008; others differ in",
        "    names or numbers)",
        "    │ Loading",
        "",
        "── site.yml · 9 hosts · 3m05s ──────────────────────────────────────────",
        "  ✓ 4 ok   ● 1 changed   · 2 interrupted   ✗ 2 failed",
        "  1 failure ignored",
        "",
        "  ✗ failed      2  web[004,008]",
        "    install · rc=1: web004: disk full\\u{1b}[2J (as on web004; others",
        "    differ in names or numbers)",
        "  · interrupted 2  web[007,009]",
        "",
        "  retry file  site.retry (4 hosts)",
        "  run again   batchssh retry 20261121-045100-7f3a",
        "",
    ];
    assert_eq!(out, expected.join("\n"));
    assert_eq!(err, "warning: mind the gap\n");
}

#[test]
fn a_run_without_trouble_says_little() {
    let mut debug = report("a1", "say", Status::Ok);
    debug.module = "debug".to_owned();
    debug.verbose = true;
    debug.result = serde_json::json!({"msg": "one\ntwo", "changed": false});
    let mut other = debug.clone();
    other.host = "a2".into();
    let mut changed = report("a1", "copy", Status::Changed);
    changed.diff = vec![Diff::Words("mode 0644 -> 0600".to_owned())];
    let (out, err) = shown(
        options(),
        vec![
            started("s.yml", &["a1", "a2"], false),
            play("p", &["a1", "a2"]),
            task("say"),
            result(debug),
            result(other),
            task("copy"),
            result(changed),
            item("x", report("a2", "copy", Status::Ok)),
            at("a2", "copy", Status::Skipped),
            done("a1", Status::Changed, ""),
            done("a2", Status::Ok, ""),
            finished(),
        ],
    );
    let expected = [
        "",
        "── play p · 2 hosts ────────────────────────────────────────────────────",
        "",
        "say",
        "  ✓ ok          2  a[1,2]",
        "    │ one",
        "    │ two",
        "",
        "copy",
        "  ○ skipped     1  a2",
        "  ● changed     1  a1",
        "    │ mode 0644 -> 0600",
        "",
        "── s.yml · 2 hosts · 3m05s ─────────────────────────────────────────────",
        "  ✓ 1 ok   ● 1 changed",
        "",
    ];
    assert_eq!(out, expected.join("\n"));
    assert_eq!(err, "");
}

#[test]
fn equal_output_is_shown_once_and_the_odd_one_stands_out() {
    let mut options = options();
    options.term.unicode = false;
    options.retry_file = None;
    options.rerun = None;
    let (out, _) = shown(
        options,
        vec![
            started("uname -r", &["n1", "n2", "n3", "n4", "n5"], true),
            task("uname -r"),
            result(command("n3", Status::Changed, 0, "3.10\n\n-- n1 --\n", "")),
            result(command("n2", Status::Changed, 0, "3.9\n", "old\n")),
            result(command("n1", Status::Changed, 0, "3.10\n\n-- n1 --\n", "")),
            result(command("n5", Status::Changed, 0, "", "")),
            result(bad("n4", "uname -r", Status::Unreachable, "connect timeout")),
            done("n1", Status::Changed, ""),
            done("n2", Status::Changed, ""),
            done("n3", Status::Changed, ""),
            done("n4", Status::Unreachable, "connect timeout"),
            done("n5", Status::Changed, ""),
            finished(),
        ],
    );
    let rule = |title: &str| format!("-- {title} {}", "-".repeat(72 - 4 - title.len()));
    let expected = [
        &rule("n[1,3], 2 hosts"),
        "  3.10",
        "",
        "  -- n1 --",
        &rule("n2"),
        "  3.9",
        "  ! old",
        &rule("n5"),
        "  (no output)",
        "  x unreachable 1  n4",
        "    connect timeout",
        "",
        &rule("uname -r, 5 hosts, 3m05s"),
        "  * 4 changed   x 1 unreachable",
        "",
        "  x unreachable 1  n4",
        "    connect timeout",
        "",
        "",
    ];
    assert_eq!(out, expected.join("\n"));
}

#[test]
fn failures_are_shown_before_the_task_is_over() {
    let (out, err) = (Paper::default(), Paper::default());
    let mut human = Human::new(out.writer(), err.writer(), options());
    let begun = Instant::now();
    let tell = |human: &mut Human, kind| {
        let event = Event {
            kind,
            seq: 1,
            time: String::new(),
        };
        human.observe(&event, begun).0
    };
    tell(&mut human, started("s", &["a", "b", "c"], false));
    tell(&mut human, task("t"));
    tell(&mut human, at("a", "t", Status::Ok));
    tell(&mut human, result(bad("b", "t", Status::Failed, "no")));
    assert_eq!(human.show_due(begun), "");
    assert_eq!(human.show_due(begun + WINDOW), "\nt\n  ✗ failed      1  b\n    no\n");
    // The next of its kind waits twice as long.
    tell(&mut human, result(bad("c", "t", Status::Failed, "no")));
    assert_eq!(human.show_due(begun + WINDOW), "");
    assert_eq!(human.show_due(begun + 2 * WINDOW), "  ✗ failed      1  c\n    no\n");
    assert_eq!(tell(&mut human, task("u")), "  ✓ ok          1  a\n");
}

#[test]
fn the_recap_fits_one_screen_whatever_goes_wrong() {
    let names = fleet(7000);
    let hosts: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut events = vec![started("s", &hosts, false), task("t")];
    for (number, host) in hosts.iter().enumerate() {
        let letters: String = format!("{number:04}").bytes().map(|d| char::from(d + 49)).collect();
        events.push(result(bad(host, "t", Status::Failed, &format!("reason {letters}"))));
        events.push(done(host, Status::Failed, ""));
    }
    let (out, _) = shown(options(), events);
    let recap = out.rsplit("── s").next().unwrap();
    assert!(recap.lines().count() < 45, "{recap}");
    assert!(recap.contains("and 6985 more reasons on 6985 hosts"), "{recap}");
}

proptest::proptest! {
    #[test]
    fn nothing_is_wider_than_the_terminal(
        width in 40usize..120, adhoc in proptest::bool::ANY,
        results in proptest::collection::vec((0usize..40, 0usize..6, ".{0,90}", ".{0,160}\n?.{0,9}"), 1..30),
    ) {
        let names = fleet(40);
        let hosts: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut options = options();
        options.term.width = width;
        let mut events = vec![started("a rather long title of a run that goes on", &hosts, adhoc), task("t")];
        let statuses = [
            Status::Ok, Status::Changed, Status::Failed, Status::Unreachable, Status::InDoubt, Status::TimedOut,
        ];
        for (host, status, msg, output) in results {
            let status = statuses[status];
            let mut one = command(hosts[host], status, 1, &output, &msg);
            one.msg.clone_from(&msg);
            if host % 2 == 0 {
                one.rc = None;
            }
            one.warnings = vec![output];
            events.push(warning(&msg));
            events.push(result(one));
            events.push(done(hosts[host], status, &msg));
        }
        let (out, err) = shown(options, events);
        for line in out.lines().chain(err.lines()) {
            proptest::prop_assert!(text::width(line) <= width || line.starts_with("  run again"), "{line:?}");
            proptest::prop_assert!(!line.chars().any(char::is_control), "{line:?}");
        }
    }
}
