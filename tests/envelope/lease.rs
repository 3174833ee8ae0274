//! R30 on the host: whose it is.

use std::time::Duration;

use batchssh::marker::{Act, Envelope, Held, Verdict};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::support::{Host, Task, finish, hosts, wait_for};

/// The leases that somebody has.
fn leases(host: &Host) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(host.store())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.contains("lease"))
        .filter(|name| is_held(&std::fs::read_to_string(host.store().join(name)).unwrap()))
        .collect();
    names.sort();
    names
}

/// True unless every name that holds the lease gave it back.
fn is_held(lease: &str) -> bool {
    let mut names = std::collections::BTreeSet::new();
    for line in lease.lines() {
        match line.split_once(' ') {
            Some(("holds", name)) => drop(names.insert(name)),
            Some(("gives", name)) => drop(names.remove(name)),
            _ => {}
        }
    }
    !names.is_empty()
}

fn owner(verdict: &Verdict) -> &str {
    match verdict {
        Verdict::Locked(owner) => &owner.run,
        _ => "nobody",
    }
}

/// A run that has the host already, by the short form or in full.
fn held(host: &Host, root: &str, beats: u32) -> Task {
    let mut task = Task::leased(root);
    task.lease.as_mut().unwrap().held = Some(Held {
        file: host.store().join("lease.1").display().to_string(),
        beats,
    });
    task
}

const FULL: u32 = 1000;

#[test]
fn r30_a_host_belongs_to_one_chain_of_runs_until_it_is_given_back() {
    for host in hosts() {
        let run = |task: &Task| host.run(task, &Act::Run, "echo ran");
        assert_eq!(run(&Task::leased("r1")).stdout, "ran\n", "{}", host.shell);
        assert_eq!(run(&held(&host, "r1", 0)).stdout, "ran\n", "{}", host.shell);
        let refused = run(&Task::leased("r2"));
        assert_eq!(
            (owner(&refused.verdict), refused.stdout.as_str()),
            ("r1", ""),
            "{}",
            host.shell
        );
        // A resume of the same chain has it, and says who it is.
        let mut resume = Task::leased("r1");
        resume.lease.as_mut().unwrap().run = "r3".to_owned();
        assert_eq!(run(&resume).stdout, "ran\n");
        assert_eq!(owner(&run(&Task::leased("r2")).verdict), "r3", "{}", host.shell);
        // Not everybody may give it back.
        host.run(&Task::leased("r2"), &Act::Release(String::new()), "");
        assert_eq!(owner(&run(&Task::leased("r2")).verdict), "r3", "{}", host.shell);
        host.run(&held(&host, "r1", 0), &Act::Release(String::new()), "");
        assert_eq!(leases(&host), [""; 0], "{}", host.shell);
        assert_eq!(run(&Task::leased("r2")).stdout, "ran\n");
        assert_eq!(owner(&run(&held(&host, "r1", FULL)).verdict), "r2", "{}", host.shell);
        assert_eq!(run(&held(&host, "r1", 0)).verdict, Verdict::Lost, "{}", host.shell);
        host.run(&held(&host, "r2", 0), &Act::Release(String::new()), "");
        for beats in [0, FULL] {
            assert_eq!(run(&held(&host, "r1", beats)).verdict, Verdict::Lost, "{}", host.shell);
        }
    }
}

#[test]
fn r30_of_many_that_want_a_host_one_gets_it() {
    for host in hosts() {
        for round in 0..4 {
            let tasks: Vec<Task> = (0..8)
                .map(|number| Task::leased(&format!("r{round}-{number}")))
                .collect();
            let started: Vec<_> = tasks
                .iter()
                .map(|task| {
                    let nonce = Envelope::nonce().unwrap();
                    (
                        host.start(&host.text(&task.envelope(&host, &nonce), &Act::Run, "echo ran")),
                        nonce,
                    )
                })
                .collect();
            let ended: Vec<_> = started
                .into_iter()
                .map(|(child, nonce)| finish(child, &nonce))
                .collect();
            let ran: Vec<usize> = (0..8).filter(|number| ended[*number].stdout == "ran\n").collect();
            assert_eq!(ran.len(), 1, "{}: {ended:?}", host.shell);
            host.run(&tasks[ran[0]], &Act::Release(String::new()), "");
            assert_eq!(leases(&host), [""; 0], "{}", host.shell);
        }
    }
}

/// The lease as if its beats were that many seconds older.
fn age(host: &Host, seconds: i64) {
    let path = host.store().join(&leases(host)[0]);
    let text = std::fs::read_to_string(&path).unwrap();
    let lines = text.lines().map(|line| match line.strip_prefix("beat ") {
        Some(rest) => {
            let (up, more) = rest.split_once(' ').unwrap();
            format!("beat {} {more}\n", (up.parse::<i64>().unwrap() - seconds).max(0))
        }
        None => format!("{line}\n"),
    });
    std::fs::write(&path, lines.collect::<String>()).unwrap();
}

#[test]
fn r30_an_old_lease_is_over_unless_its_command_is_at_work() {
    for host in hosts() {
        let nonce = Envelope::nonce().unwrap();
        let first = Task::leased("r1");
        let mut child = host.start(&host.text(&first.envelope(&host, &nonce), &Act::Run, ": >begun; sleep 600"));
        wait_for("the command", || host.home.path().join("begun").exists());
        let run = |task: &Task| host.run(task, &Act::Run, "echo ran");
        assert_eq!(owner(&run(&Task::leased("r2")).verdict), "r1", "{}", host.shell);
        age(&host, 3600);
        assert_eq!(
            owner(&run(&Task::leased("r2")).verdict),
            "r1",
            "{}: at work",
            host.shell
        );
        kill_process_group(Pid::from_child(&child), Signal::KILL).unwrap();
        child.wait().unwrap();
        assert_eq!(run(&Task::leased("r2")).stdout, "ran\n", "{}", host.shell);
        assert_eq!(leases(&host), ["lease.2"], "{}", host.shell);
        // The first one comes back: it has nothing here any more.
        for beats in [0, FULL] {
            assert_eq!(run(&held(&host, "r1", beats)).stdout, "", "{}", host.shell);
        }
    }
}

#[test]
fn r30_of_many_that_find_an_old_lease_one_gets_it() {
    for host in hosts() {
        host.run(&Task::leased("r0"), &Act::Run, ":");
        age(&host, 3600);
        let tasks: Vec<Task> = (0..8).map(|number| Task::leased(&format!("s{number}"))).collect();
        let started: Vec<_> = tasks
            .iter()
            .map(|task| {
                let nonce = Envelope::nonce().unwrap();
                (
                    host.start(&host.text(&task.envelope(&host, &nonce), &Act::Run, "echo ran; sleep 0.3")),
                    nonce,
                )
            })
            .collect();
        let ended: Vec<_> = started
            .into_iter()
            .map(|(child, nonce)| finish(child, &nonce))
            .collect();
        let ran = ended.iter().filter(|ran| ran.stdout == "ran\n").count();
        assert_eq!(ran, 1, "{}: {ended:?}", host.shell);
    }
}

#[test]
fn beats_do_not_pile_up() {
    let host = crate::support::host();
    host.run(&Task::leased("r1"), &Act::Run, ":");
    for number in 0..60 {
        let mut task = held(&host, "r1", number % 45);
        let ran = host.run(&task, &Act::Run, ":");
        assert_eq!(task.lease.as_mut().unwrap().learn(&ran.said), None);
    }
    let text = std::fs::read_to_string(host.store().join(&leases(&host)[0])).unwrap();
    assert!(text.lines().count() < 60, "{text}");
    assert_eq!(owner(&host.run(&Task::leased("r2"), &Act::Run, ":").verdict), "r1");
}

#[test]
fn a_damaged_lease_refuses_and_names_the_file() {
    for host in hosts() {
        host.run(&Task::leased("r1"), &Act::Run, ":");
        let path = host.store().join(&leases(&host)[0]);
        std::fs::write(&path, "").unwrap();
        let verdict = host.run(&Task::leased("r2"), &Act::Run, ": >ran").verdict;
        assert!(
            matches!(&verdict, Verdict::NoLock(words) if words.contains("lease.1")),
            "{}: {verdict:?}",
            host.shell
        );
        assert!(!host.home.path().join("ran").exists());
    }
}

#[test]
fn a_run_gives_its_own_markers_back_with_the_host() {
    for host in hosts() {
        let root = "20260101-000000-abcdef";
        let name = format!("run/{root}/web1/site.yml:1:1#1.0");
        for name in [name.as_str(), "kept"] {
            host.run(&Task::once(name, "x"), &Act::Run, ":");
        }
        host.run(&Task::leased(root), &Act::Run, ":");
        host.run(
            &held(&host, root, 0),
            &Act::Release(batchssh::marker::run_prefix(root, "web1")),
            "",
        );
        let records = host.records();
        assert!(
            records.len() == 2 && records.iter().all(|name| name.starts_with("kept-")),
            "{records:?}"
        );
    }
}

#[test]
fn a_refresh_starts_no_process() {
    // What a task costs on the host beside its command: nothing that has to be started.
    let host = crate::support::host();
    host.run(&Task::leased("r1"), &Act::Run, ":");
    let nonce = Envelope::nonce().unwrap();
    let task = held(&host, "r1", 0);
    let text = host.text(&task.envelope(&host, &nonce), &Act::Run, "exec true");
    let strace = std::process::Command::new("strace").arg("-V").output();
    if strace.is_err() {
        eprintln!("skipped: there is no strace");
        return;
    }
    let trace = host.home.path().join("trace");
    let mut child = std::process::Command::new("strace")
        .args(["-f", "-qq", "-e", "trace=clone,fork,vfork,clone3", "-o"])
        .arg(&trace)
        .args(["sh", "-c"])
        .arg(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(&text))
        .env("HOME", host.home.path())
        .spawn()
        .unwrap();
    let until = std::time::Instant::now() + Duration::from_secs(20);
    while child.try_wait().unwrap().is_none() && std::time::Instant::now() < until {
        std::thread::park_timeout(Duration::from_millis(10));
    }
    let forks = std::fs::read_to_string(&trace).unwrap_or_default();
    assert_eq!(forks, "", "processes were started");
}

#[test]
fn what_goes_around_a_command_stays_small() {
    let host = crate::support::host();
    let nonce = Envelope::nonce().unwrap();
    let size = |task: &Task| host.text(&task.envelope(&host, &nonce), &Act::Run, "").len();
    let lease = size(&held(&host, "20260101-000000-abcdef", 0));
    let mut both = Task::once("a", "x");
    both.lease = held(&host, "20260101-000000-abcdef", 0).lease;
    assert!(lease < 4 * 1024, "{lease} bytes for a lease");
    assert!(
        size(&both) < 16 * 1024,
        "{} bytes for a lease and a marker",
        size(&both)
    );
}

/// A run that knows the host by this name.
fn named(root: &str, name: &str) -> Task {
    let mut task = Task::leased(root);
    name.clone_into(&mut task.lease.as_mut().unwrap().name);
    task
}

#[test]
fn names_of_one_machine_that_are_given_back_at_once_leave_no_lease() {
    for host in hosts() {
        for round in 0..5 {
            let tasks: Vec<Task> = (0..6).map(|number| named("r1", &format!("h{number}"))).collect();
            for task in &tasks {
                host.run(task, &Act::Run, ":");
            }
            let started: Vec<_> = tasks
                .iter()
                .map(|task| {
                    let nonce = Envelope::nonce().unwrap();
                    let act = Act::Release(String::new());
                    (host.start(&host.text(&task.envelope(&host, &nonce), &act, "")), nonce)
                })
                .collect();
            for (child, nonce) in started {
                finish(child, &nonce);
            }
            assert_eq!(leases(&host), [""; 0], "{}: round {round}", host.shell);
        }
    }
}

#[test]
fn a_lease_that_every_name_gave_back_is_over() {
    for host in hosts() {
        for name in ["h1", "h2"] {
            host.run(&named("r1", name), &Act::Run, ":");
        }
        let path = host.store().join("lease.1");
        let text = std::fs::read_to_string(&path).unwrap();
        let given: String = text
            .lines()
            .filter_map(|line| line.strip_prefix("holds "))
            .map(|name| format!("gives {name}\n"))
            .collect();
        std::fs::write(&path, text + &given).unwrap();
        let ran = host.run(&Task::leased("r2"), &Act::Run, "echo ran");
        assert_eq!(ran.stdout, "ran\n", "{}: {:?}", host.shell, ran.verdict);
    }
}

#[test]
fn r30_the_lease_of_a_controller_that_is_gone_is_over_when_its_command_is() {
    for host in hosts() {
        let nonce = Envelope::nonce().unwrap();
        let mut first = Task::leased("r1");
        first.lease.as_mut().unwrap().seat = Some("boot/1/2/3".into());
        let mut child = host.start(&host.text(&first.envelope(&host, &nonce), &Act::Run, ": >begun; sleep 600"));
        wait_for("the command", || host.home.path().join("begun").exists());
        let mut second = Task::leased("r2");
        let verdict = host.run(&second, &Act::Run, "echo ran").verdict;
        assert!(
            matches!(&verdict, Verdict::Locked(owner) if owner.seat == "boot/1/2/3"),
            "{}: {verdict:?}",
            host.shell
        );
        second.lease.as_mut().unwrap().gone = Some("boot/1/2/3".into());
        let verdict = host.run(&second, &Act::Run, "echo ran").verdict;
        assert_eq!(owner(&verdict), "r1", "{}: at work", host.shell);
        kill_process_group(Pid::from_child(&child), Signal::KILL).unwrap();
        child.wait().unwrap();
        second.lease.as_mut().unwrap().gone = Some("boot/1/2/4".into());
        let verdict = host.run(&second, &Act::Run, "echo ran").verdict;
        assert_eq!(owner(&verdict), "r1", "{}: another process", host.shell);
        second.lease.as_mut().unwrap().gone = Some("boot/1/2/3".into());
        assert_eq!(
            host.run(&second, &Act::Run, "echo ran").stdout,
            "ran\n",
            "{}",
            host.shell
        );
    }
}
