//! Every phase of a marker, and what happens when things end in the middle.

use std::io::Read as _;

use batchssh::marker::{Act, Envelope, Judge, OnChange, Verdict, WhenInDoubt};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::support::{Host, Task, finish, hosts, lines, wait_for};

const COUNT: &str = "echo x >>count";

fn count(host: &Host) -> usize {
    lines(&host.home.path().join("count"))
}

fn why(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Doubt(doubt) => doubt.why.clone(),
        other => format!("{other:?}"),
    }
}

#[test]
fn a_command_keeps_its_input_output_and_exit_code() {
    for host in hosts() {
        let inner = "cat; echo err >&2; printf 'no line end' >&2; echo \"$0 $# ${b_nonce-none}\"; exit 7";
        let ran = host.run_with(&Task::once("a", ""), &Act::Run, inner, b"in\0put\n");
        assert_eq!(ran.rc, Some(7), "{}", host.shell);
        assert_eq!(ran.stdout.lines().next(), Some("in\0put"), "{}", host.shell);
        assert!(ran.stdout.ends_with(" 0 none\n"), "{}: {}", host.shell, ran.stdout);
        assert_eq!(ran.stderr, "err\nno line end", "{}", host.shell);
        assert_eq!(ran.verdict, Verdict::Ran);
    }
}

#[test]
fn done_is_done_and_failed_is_not() {
    for host in hosts() {
        let task = Task::once("a", "x");
        assert_eq!(host.run(&task, &Act::Look, "").verdict, Verdict::Would);
        assert!(!host.store().exists(), "a look leaves nothing behind");
        host.run(&task, &Act::Run, "echo x >>count; exit 3");
        assert_eq!(host.run(&task, &Act::Look, "").verdict, Verdict::Would);
        host.run(&task, &Act::Run, COUNT);
        for act in [Act::Run, Act::Look, Act::Claim] {
            let Verdict::Done(record) = host.run(&task, &act, COUNT).verdict else {
                panic!("{}", host.shell)
            };
            assert_eq!(
                (record.get("run").unwrap(), record.get("name").unwrap()),
                ("r1".into(), "a".into())
            );
            assert_eq!(record.get("attempt").unwrap(), "2");
        }
        assert_eq!(count(&host), 2, "{}", host.shell);
        // Only the last attempt is kept.
        assert_eq!(host.records().len(), 2, "{:?}", host.records());
    }
}

#[test]
fn another_task_under_the_name_is_refused_kept_or_run() {
    for host in hosts() {
        host.run(&Task::once("a", "old"), &Act::Run, COUNT);
        let new = |on_change| Task::once("a", "new").with(|marker| marker.on_change = on_change);
        let run = |on_change| host.run(&new(on_change), &Act::Run, COUNT).verdict;
        assert!(matches!(run(OnChange::Stop), Verdict::Changed(_)), "{}", host.shell);
        assert!(matches!(run(OnChange::Keep), Verdict::Kept(_)), "{}", host.shell);
        assert_eq!(count(&host), 1);
        assert_eq!(run(OnChange::Rerun), Verdict::Ran);
        assert!(matches!(run(OnChange::Stop), Verdict::Done(_)), "{}", host.shell);
        assert_eq!(count(&host), 2);
    }
}

#[test]
fn of_many_commands_at_once_exactly_one_runs() {
    for host in hosts() {
        for round in 0..5 {
            let task = Task::once(&format!("race {round}"), "x");
            let started: Vec<_> = (0..8)
                .map(|_| {
                    let nonce = Envelope::nonce().unwrap();
                    let text = host.text(
                        &task.envelope(&host, &nonce),
                        &Act::Run,
                        &format!("echo x >>count{round}; sleep 0.2"),
                    );
                    (host.start(&text), nonce)
                })
                .collect();
            let ended: Vec<_> = started
                .into_iter()
                .map(|(child, nonce)| finish(child, &nonce).verdict)
                .collect();
            let ran = ended.iter().filter(|verdict| **verdict == Verdict::Ran).count();
            assert_eq!(
                (ran, lines(&host.home.path().join(format!("count{round}")))),
                (1, 1),
                "{}: {ended:?}",
                host.shell
            );
            let others = ended.iter().all(|verdict| {
                matches!(verdict, Verdict::Ran | Verdict::Done(_))
                    || matches!(verdict, Verdict::Doubt(doubt) if doubt.why == "running")
            });
            assert!(others, "{}: {ended:?}", host.shell);
        }
    }
}

#[test]
fn a_failed_attempt_is_taken_up_by_exactly_one_of_many() {
    for host in hosts() {
        let task = Task::once("a", "x");
        host.run(&task, &Act::Run, "exit 1");
        let started: Vec<_> = (0..8)
            .map(|_| {
                let nonce = Envelope::nonce().unwrap();
                let text = host.text(&task.envelope(&host, &nonce), &Act::Run, "echo x >>count; sleep 0.2");
                (host.start(&text), nonce)
            })
            .collect();
        for (child, nonce) in started {
            finish(child, &nonce);
        }
        assert_eq!(count(&host), 1, "{}", host.shell);
    }
}

/// Starts a task that waits, and gives it when it works.
fn begun(host: &Host, task: &Task) -> (std::process::Child, String) {
    let nonce = Envelope::nonce().unwrap();
    let _ = std::fs::remove_file(host.home.path().join("begun"));
    let text = host.text(
        &task.envelope(host, &nonce),
        &Act::Run,
        "echo x >>count; : >begun; sleep 600",
    );
    let child = host.start(&text);
    wait_for("the command", || host.home.path().join("begun").exists());
    (child, nonce)
}

#[test]
fn a_killed_group_leaves_a_doubt_that_verify_decides() {
    for host in hosts() {
        let task = Task::once("a", "x");
        let (mut child, _) = begun(&host, &task);
        kill_process_group(Pid::from_child(&child), Signal::KILL).unwrap();
        child.wait().unwrap();
        let ran = host.run(&task, &Act::Run, COUNT);
        assert_eq!(
            (why(&ran.verdict).as_str(), ran.rc),
            ("intent", Some(0)),
            "{}",
            host.shell
        );
        let verify = |text: &str| {
            let task = task.clone().with(|marker| marker.verify = Some(text.into()));
            host.run(&task, &Act::Run, COUNT).verdict
        };
        let Verdict::Doubt(doubt) = verify("echo who; echo knows >&2; exit 5") else {
            panic!("{}", host.shell)
        };
        assert_eq!(
            (doubt.why.as_str(), doubt.said.as_str()),
            ("verify 5", "who\nknows"),
            "{}",
            host.shell
        );
        assert_eq!(count(&host), 1);
        assert_eq!(verify("exit 1"), Verdict::Ran, "{}", host.shell);
        assert_eq!(count(&host), 2);
        let (mut child, _) = begun(&host, &Task::once("b", "x"));
        kill_process_group(Pid::from_child(&child), Signal::KILL).unwrap();
        child.wait().unwrap();
        let b = Task::once("b", "x").with(|marker| marker.verify = Some("test -s count".into()));
        assert!(
            matches!(host.run(&b, &Act::Look, "").verdict, Verdict::Doubt(_)),
            "a look decides nothing"
        );
        assert!(
            matches!(host.run(&b, &Act::Run, COUNT).verdict, Verdict::Verified(_)),
            "{}",
            host.shell
        );
        assert!(matches!(
            host.run(&Task::once("b", "x"), &Act::Run, COUNT).verdict,
            Verdict::Done(_)
        ));
        assert_eq!(count(&host), 3);
    }
}

#[test]
fn what_still_runs_is_named_and_nothing_decides_over_it() {
    for host in hosts() {
        let task = Task::once("a", "x");
        let (mut child, _) = begun(&host, &task);
        // The shell around it dies, the command stays.
        kill_process(Pid::from_child(&child), Signal::KILL).unwrap();
        child.wait().unwrap();
        let group = Pid::from_child(&child);
        let asked = task.clone().with(|marker| {
            marker.verify = Some("exit 1".into());
            marker.in_doubt = WhenInDoubt::Rerun;
        });
        let Verdict::Doubt(doubt) = host.run(&asked, &Act::Run, COUNT).verdict else {
            panic!("{}", host.shell)
        };
        assert_eq!(doubt.why, "running", "{}", host.shell);
        assert!(
            doubt.alive.iter().any(|(_, command)| command.contains("sleep 600")),
            "{doubt:?}"
        );
        kill_process_group(group, Signal::KILL).unwrap();
        wait_for("its end", || kill_process_group(group, Signal::HUP).is_err());
        assert_eq!(
            host.run(&asked, &Act::Run, COUNT).verdict,
            Verdict::Ran,
            "{}",
            host.shell
        );
    }
}

#[test]
fn after_another_boot_nothing_of_it_runs() {
    for host in hosts() {
        let task = Task::once("a", "x");
        let (mut child, _) = begun(&host, &task);
        let verdict = |host: &Host| why(&host.run(&task, &Act::Run, COUNT).verdict);
        assert_eq!(verdict(&host), "running");
        rewrite(
            &host.record(".1.i"),
            "boot ",
            "boot 00000000-0000-0000-0000-000000000000",
        );
        assert_eq!(verdict(&host), "intent", "{}", host.shell);
        kill_process_group(Pid::from_child(&child), Signal::KILL).unwrap();
        child.wait().unwrap();
    }
}

/// Another value in a record, with a sum that fits.
pub fn rewrite(path: &std::path::Path, key: &str, line: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    let body: String = text
        .lines()
        .filter(|line| !line.starts_with("sum "))
        .map(|old| format!("{}\n", if old.starts_with(key) { line } else { old }))
        .collect();
    let mut sum = std::process::Command::new("cksum")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut sum.stdin.take().unwrap(), body.as_bytes()).unwrap();
    let sum = String::from_utf8(sum.wait_with_output().unwrap().stdout).unwrap();
    std::fs::write(path, format!("{body}sum {}\n", sum.trim())).unwrap();
}

#[test]
fn a_failure_that_nobody_could_hear_of_proves_nothing() {
    for host in hosts() {
        let task = Task::once("a", "x");
        let nonce = Envelope::nonce().unwrap();
        let text = host.text(
            &task.envelope(&host, &nonce),
            &Act::Run,
            "echo x >>count; sleep 0.3; echo out; exit 1",
        );
        let mut child = host.start(&text);
        wait_for("the command", || count(&host) == 1);
        // As when the connection is lost: nobody reads any more.
        drop((child.stdout.take(), child.stderr.take(), child.stdin.take()));
        child.wait().unwrap();
        assert_eq!(
            why(&host.run(&task, &Act::Run, COUNT).verdict),
            "lost",
            "{}",
            host.shell
        );
        // What ended well is done, heard or not.
        let nonce = Envelope::nonce().unwrap();
        let task = Task::once("b", "x");
        let text = host.text(&task.envelope(&host, &nonce), &Act::Run, "echo x >>count; sleep 0.3");
        let mut child = host.start(&text);
        wait_for("the command", || count(&host) == 2);
        drop((child.stdout.take(), child.stderr.take(), child.stdin.take()));
        child.wait().unwrap();
        assert!(
            matches!(host.run(&task, &Act::Run, COUNT).verdict, Verdict::Done(_)),
            "{}",
            host.shell
        );
    }
}

#[test]
fn what_was_killed_is_looked_at_before_it_runs_again() {
    for host in hosts() {
        let killed = "echo x >>count; kill -KILL $$";
        let task = Task::once("a", "x").with(|marker| marker.verify = Some("test -s count".into()));
        assert_eq!(host.run(&task, &Act::Run, killed).rc, Some(137), "{}", host.shell);
        let again = host.run(&task, &Act::Run, COUNT).verdict;
        assert!(matches!(again, Verdict::Verified(_)), "{}: {again:?}", host.shell);
        assert_eq!(count(&host), 1, "{}", host.shell);
        // Where it had not done its work, it runs; and without a `verify` it has failed, as ever.
        for task in [
            Task::once("b", "x").with(|marker| marker.verify = Some("exit 1".into())),
            Task::once("c", "x"),
        ] {
            host.run(&task, &Act::Run, "kill -KILL $$");
            assert_eq!(
                host.run(&task, &Act::Run, COUNT).verdict,
                Verdict::Ran,
                "{}",
                host.shell
            );
        }
        assert_eq!(count(&host), 3, "{}", host.shell);
    }
}

#[test]
fn nothing_begins_when_nobody_is_there_any_more() {
    for host in hosts() {
        let task = Task::once("a", "x");
        let nonce = Envelope::nonce().unwrap();
        let text = host.text(&task.envelope(&host, &nonce), &Act::Run, COUNT);
        let mut child = host.start(&text);
        drop((child.stdout.take(), child.stderr.take(), child.stdin.take()));
        child.wait().unwrap();
        assert_eq!(count(&host), 0, "{}", host.shell);
        assert_eq!(
            host.run(&task, &Act::Run, COUNT).verdict,
            Verdict::Ran,
            "{}",
            host.shell
        );
    }
}

#[test]
fn the_controller_decides_where_the_exit_code_does_not() {
    for host in hosts() {
        let task = Task::once("a", "x").with(|marker| marker.judge = Judge::Controller);
        let run = |inner: &str| {
            let nonce = Envelope::nonce().unwrap();
            let child = host.start(&host.text(&task.envelope(&host, &nonce), &Act::Run, inner));
            (finish(child, &nonce).verdict, nonce)
        };
        let (verdict, _) = run(COUNT);
        assert_eq!(verdict, Verdict::Ran);
        assert_eq!(why(&run(COUNT).0), "unsettled", "{}", host.shell);
        let decide = |nonce: &str, done| {
            let nonce = nonce.to_owned();
            host.run(&task, &Act::Decide { nonce, done, rc: 0 }, "").verdict
        };
        assert!(matches!(decide("another", true), Verdict::Store(_)));
        let rerun = task.clone().with(|marker| marker.in_doubt = WhenInDoubt::Rerun);
        let nonce = Envelope::nonce().unwrap();
        finish(
            host.start(&host.text(&rerun.envelope(&host, &nonce), &Act::Run, COUNT)),
            &nonce,
        );
        assert_eq!(decide(&nonce, false), Verdict::Settled, "{}", host.shell);
        let (verdict, nonce) = run(COUNT);
        assert_eq!(
            (verdict, decide(&nonce, true)),
            (Verdict::Ran, Verdict::Settled),
            "{}",
            host.shell
        );
        assert!(matches!(run(COUNT).0, Verdict::Done(_)), "{}", host.shell);
        assert_eq!(count(&host), 3);
        // `failed_when: false`: whatever it ends with.
        let any = Task::once("any", "x").with(|marker| marker.judge = Judge::Any);
        host.run(&any, &Act::Run, "exit 9");
        assert!(matches!(host.run(&any, &Act::Run, COUNT).verdict, Verdict::Done(_)));
    }
}

#[test]
fn several_exchanges_are_one_attempt() {
    for host in hosts() {
        let task = Task::once("a", "x").with(|marker| marker.judge = Judge::Controller);
        let nonce = Envelope::nonce().unwrap();
        let claim = finish(
            host.start(&host.text(&task.envelope(&host, &nonce), &Act::Claim, "")),
            &nonce,
        );
        assert_eq!(claim.verdict, Verdict::Ready, "{}", host.shell);
        assert_eq!(
            why(&host.run(&task, &Act::Claim, "").verdict),
            "intent",
            "{}",
            host.shell
        );
        let decide = Act::Decide {
            nonce,
            done: true,
            rc: 0,
        };
        assert_eq!(host.run(&task, &decide, "").verdict, Verdict::Settled, "{}", host.shell);
        assert!(
            matches!(host.run(&task, &Act::Look, "").verdict, Verdict::Done(_)),
            "{}",
            host.shell
        );
    }
}

#[test]
fn a_command_dies_of_a_signal_as_it_always_did() {
    for host in hosts() {
        let ran = host.run(&Task::once("a", "x"), &Act::Run, "kill -TERM $$");
        assert_eq!((ran.rc, ran.stderr.as_str()), (Some(143), ""), "{}", host.shell);
        assert_eq!(ran.verdict, Verdict::Ran);
        // A lease alone does not stand between: it is the command that dies.
        let ran = host.run(&Task::leased("r1"), &Act::Run, "kill -TERM $$");
        assert_eq!((ran.rc, ran.stderr.as_str()), (None, ""), "{}", host.shell);
    }
}

#[test]
fn words_of_the_command_cannot_be_taken_for_ours() {
    for host in hosts() {
        let nonce = Envelope::nonce().unwrap();
        let task = Task::once("a", "x");
        let text = host.text(
            &task.envelope(&host, &nonce),
            &Act::Run,
            "echo batchssh-1 did 1 0 done >&2; exit 4",
        );
        let mut child = host.start(&text);
        let mut stderr = Vec::new();
        child.stderr.take().unwrap().read_to_end(&mut stderr).unwrap();
        let said = batchssh::marker::Said::take(&nonce, &mut stderr);
        assert_eq!(String::from_utf8_lossy(&stderr), "batchssh-1 did 1 0 done\n");
        assert_eq!(said.last("did"), Some("1 4 failed"), "{}", host.shell);
        child.wait().unwrap();
    }
}
