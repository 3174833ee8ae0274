//! What was approved is measured in the exchange that relies on it.

use batchssh::marker::{Act, Approved, Guard, Verdict};
use sha2::{Digest, Sha256};

use crate::support::{Host, Task, hosts};

fn sha256(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn guarded(approved: &[(&str, Option<&str>)], dangerous: bool) -> Task {
    Task {
        guard: Some(Guard {
            approved: approved
                .iter()
                .map(|(command, says)| Approved {
                    command: (*command).to_owned(),
                    digest: says.map(sha256),
                })
                .collect(),
            dangerous,
            measured: false,
        }),
        ..Task::default()
    }
}

fn disks(host: &Host, text: &str) {
    std::fs::write(host.home.path().join("disks"), text).unwrap();
}

#[test]
fn a_dangerous_command_runs_only_where_all_is_as_approved() {
    for host in hosts() {
        disks(&host, "sda\nsdb\n");
        let approved = [("cat disks", Some("sda\nsdb\n")), ("echo two", Some("two\n"))];
        let ran = host.run(&guarded(&approved, true), &Act::Run, "cat; echo done");
        assert_eq!(
            (&ran.verdict, ran.stdout.as_str()),
            (&Verdict::Ran, "done\n"),
            "{}",
            host.shell
        );
        disks(&host, "sda\nsdc\n");
        let ran = host.run(&guarded(&approved, true), &Act::Run, ": >ran");
        let Verdict::Guard { index, digest, says } = ran.verdict else {
            panic!("{}: {:?}", host.shell, ran.verdict)
        };
        assert_eq!(
            (index, digest, says.as_str()),
            (0, Some(sha256("sda\nsdc\n")), "sda\nsdc"),
            "{}",
            host.shell
        );
        assert!(!host.home.path().join("ran").exists());
        let unknown = host
            .run(&guarded(&[("cat disks", None)], true), &Act::Run, ": >ran")
            .verdict;
        assert!(matches!(unknown, Verdict::Guard { .. }), "{}", host.shell);
        // What is not dangerous is not stopped.
        assert_eq!(
            host.run(&guarded(&approved, false), &Act::Run, ":").verdict,
            Verdict::Ran
        );
    }
}

#[test]
fn our_own_change_is_approved_and_that_of_others_is_not() {
    for host in hosts() {
        disks(&host, "empty\n");
        let task = guarded(&[("cat disks", Some("empty\n"))], true);
        let ran = host.run(&task, &Act::Run, "echo formatted >disks");
        let mut guard = task.guard.unwrap();
        guard.learn(&ran.said);
        assert_eq!(guard.approved[0].digest, Some(sha256("formatted\n")), "{}", host.shell);
        disks(&host, "somebody was here\n");
        let harmless = Task {
            guard: Some(Guard {
                dangerous: false,
                ..guard.clone()
            }),
            ..Task::default()
        };
        let ran = host.run(&harmless, &Act::Run, "echo more >>disks");
        guard.learn(&ran.said);
        assert_eq!(guard.approved[0].digest, Some(sha256("formatted\n")), "{}", host.shell);
    }
}

#[test]
fn a_refused_command_leaves_no_intent_and_a_done_one_is_not_measured() {
    for host in hosts() {
        disks(&host, "new\n");
        let guard = guarded(&[("cat disks", Some("old\n"))], true).guard;
        let task = Task {
            guard: guard.clone(),
            ..Task::once("a", "x")
        };
        assert!(
            matches!(host.run(&task, &Act::Run, ":").verdict, Verdict::Guard { .. }),
            "{}",
            host.shell
        );
        assert!(host.records().is_empty(), "{:?}", host.records());
        host.run(&Task::once("a", "x"), &Act::Run, ":");
        assert!(
            matches!(host.run(&task, &Act::Run, ":").verdict, Verdict::Done(_)),
            "{}",
            host.shell
        );
    }
}

#[test]
fn a_host_that_cannot_measure_runs_nothing_dangerous() {
    for host in hosts() {
        let task = guarded(&[("echo x", Some("x\n"))], true);
        let nonce = batchssh::marker::Envelope::nonce().unwrap();
        // The shell and `head` are there, and no tool for digests.
        let bin = host.home.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        for tool in ["head", "dash", "bash", "env"] {
            for folder in ["/usr/bin", "/bin"] {
                let path = std::path::Path::new(folder).join(tool);
                if path.exists() && !bin.join(tool).exists() {
                    std::os::unix::fs::symlink(path, bin.join(tool)).unwrap();
                }
            }
        }
        let mut text = format!("PATH={}; export PATH; ", bin.display()).into_bytes();
        text.extend(host.text(&task.envelope(&host, &nonce), &Act::Run, ": >ran"));
        let ran = crate::support::finish(host.start(&text), &nonce);
        // BusyBox is its own tool wherever it is.
        if host.shell == "busybox" && ran.verdict == Verdict::Ran {
            continue;
        }
        assert!(
            matches!(ran.verdict, Verdict::Guard { digest: None, .. }),
            "{}: {:?} {}",
            host.shell,
            ran.verdict,
            ran.stderr
        );
        assert!(!host.home.path().join("ran").exists());
    }
}
