use super::*;
use crate::event::{Diff, Status};
use crate::report::testing::{Paper, bad, command, done, feed, finished, play, report, result, started, task, warning};

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
                (_, 100..=104) => continue,
                (0, 200) => bad(host, name, Status::Unreachable, "connect timeout took longer than 10s"),
                (_, 200) => continue,
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
