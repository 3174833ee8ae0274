//! Every call of the system that the controller makes for its records, failing once, at every place in turn: `strace`
//! makes the kernel say no. Nothing in the program is made for this: what fails is what would fail.

use std::process::{Command, Stdio};

use crate::support::{Cmd, Desk, Ran, text};

/// Tasks that can be counted, and know whether they were done.
const TASKS: [&str; 3] = ["one", "two", "three"];
const HOSTS: [&str; 2] = ["web1", "web2"];

fn playbook() -> String {
    let task = |name: &str| {
        format!(
            "    - shell: echo {name} >> $HOME/log\n      verify: grep -qx {name} $HOME/log\n    - fetch: {{src: log, dest: got-{name}/}}\n"
        )
    };
    let tasks: String = TASKS.iter().map(|name| task(name)).collect();
    format!("- hosts: web\n  gather_facts: false\n  tasks:\n{tasks}")
}

/// What the kernel says, and to which calls.
struct Fault {
    /// The calls, as strace names them.
    calls: &'static str,
    /// The error.
    error: &'static str,
    /// How far apart the places are that are tried always.
    step: usize,
}

fn can_trace() -> bool {
    let tried = Command::new("strace")
        .args([
            "-f",
            "-qq",
            "--seccomp-bpf",
            "-o",
            "/dev/null",
            "-e",
            "inject=rename:error=EIO:when=9",
            "true",
        ])
        .stderr(Stdio::null())
        .status();
    tried.is_ok_and(|status| status.success())
}

/// The command under strace, which lets the `n`th call of each thread fail, or that one and all after it.
fn injected(desk: &Desk, words: &str, fault: &Fault, when: &str) -> Cmd {
    let trace = desk.path("trace").display().to_string();
    let calls = format!("trace={}", fault.calls);
    let inject = format!("inject={}:error={}:when={when}", fault.calls, fault.error);
    let options = ["-f", "-qq", "--seccomp-bpf", "-o", &trace, "-e", &calls, "-e", &inject];
    desk.cmd(words).under("strace", &options)
}

/// What must be so whatever failed: an end by itself, no panic, nothing claimed that the host did not do, nothing done
/// twice.
fn judge(desk: &Desk, ran: &Ran, what: &str) {
    assert!(!ran.err.contains("panicked"), "{what}: {}", ran.err);
    assert_ne!(ran.code, 70, "{what}: {}", ran.err);
    for host in HOSTS {
        let log = desk.host_file(host, "log");
        let mut lines: Vec<&str> = log.lines().collect();
        let all = lines.len();
        lines.sort_unstable();
        lines.dedup();
        assert_eq!(lines.len(), all, "{what}: twice on {host}: {log}");
        if ran.code == 0 {
            assert_eq!(
                all,
                TASKS.len(),
                "{what}: a success, and {host} has {log:?}\n{}",
                ran.err
            );
        }
        // The last line may have been cut by what failed.
        let shown = ran
            .out
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let done = shown.filter(|event| {
            event["event"] == "task_result"
                && event["host"] == host
                && event["module"] == "shell"
                && text(&event["status"]) == "changed"
        });
        let done = done.count();
        assert!(
            done <= all,
            "{what}: {done} were shown as done on {host}, which has {log:?}"
        );
    }
}

/// Goes on until everything is done, as an operator would whose disk has room again.
fn finish(desk: &Desk, what: &str) {
    // Nobody can go on with a run that was never written down; its command is given again, when no host was touched.
    let untouched = HOSTS.iter().all(|host| desk.host_file(host, "log").is_empty());
    let recorded = desk
        .runs()
        .iter()
        .any(|run| run.join("journal.ndjson").metadata().is_ok_and(|meta| meta.len() > 0));
    assert!(untouched || recorded, "{what}: changed without a record");
    let ways: &[&str] = if recorded {
        &["resume --output json", "retry --output json"]
    } else {
        &["run site.yml -i hosts.ini --output json"]
    };
    let mut last = Vec::new();
    for words in ways {
        let ran = desk.cmd(words).run();
        judge(desk, &ran, &format!("{what}, then {words}"));
        if HOSTS
            .iter()
            .all(|host| desk.host_file(host, "log").lines().count() == TASKS.len())
        {
            return;
        }
        last.push(ran);
    }
    let told: Vec<String> = last
        .iter()
        .map(|ran| format!("{} {}\n{}", ran.code, ran.out, ran.err))
        .collect();
    panic!("{what}: it cannot be finished\n{}", told.join("\n"));
}

fn forget(desk: &Desk) {
    for host in HOSTS {
        let home = desk.home(host);
        for name in ["log", ".batchssh"] {
            let path = home.join(name);
            if path.is_dir() {
                std::fs::remove_dir_all(path).unwrap();
            } else if path.exists() {
                std::fs::remove_file(path).unwrap();
            }
        }
    }
    for name in ["state", "tmp"] {
        std::fs::remove_dir_all(desk.path(name)).unwrap();
        std::fs::create_dir_all(desk.path(name)).unwrap();
    }
    let _ = std::fs::remove_file(desk.path("batchssh.retry"));
}

/// One run with one fault; `false`: nothing failed, for there were fewer calls.
fn one(desk: &Desk, fault: &Fault, when: &str, told: bool) -> bool {
    forget(desk);
    let what = format!("{} of {} number {when}", fault.error, fault.calls);
    let ran = injected(desk, "run site.yml -i hosts.ini --output json", fault, when).run();
    let hit = desk.read("trace").contains("(INJECTED)");
    if told {
        let err = ran.err.lines().next().unwrap_or_default();
        eprintln!("{what}: exit {} hit {hit}: {err}", ran.code);
    }
    judge(desk, &ran, &what);
    if hit && ran.code != 0 {
        finish(desk, &what);
    }
    hit
}

/// Most places that are tried without `BATCHSSH_SWEEP`: the whole takes minutes.
const SOME: usize = 3;

/// Sweeps the places of one fault. `BATCHSSH_SWEEP=N` begins at the Nth and leaves none out.
fn sweep(fault: &Fault) {
    if !can_trace() {
        eprintln!("skipped: strace cannot let calls fail here");
        return;
    }
    let desk = Desk::hosts(&HOSTS);
    desk.write("site.yml", &playbook());
    #[expect(clippy::disallowed_methods, reason = "how much is tried is the tester's to say")]
    let whole = std::env::var("BATCHSSH_SWEEP")
        .ok()
        .and_then(|text| text.parse::<usize>().ok());
    let (mut n, step) = whole.map_or((1, fault.step), |begin| (begin, 1));
    let (mut tried, mut hits, mut misses) = (0, 0, 0);
    // Which thread makes a call varies, so one run without a fault is not the end.
    while misses < 4 && (whole.is_some() || tried < 2 * SOME) {
        for when in [n.to_string(), format!("{n}+")] {
            let hit = one(&desk, fault, &when, whole.is_some());
            misses = if hit { 0 } else { misses + 1 };
            hits += usize::from(hit);
            tried += 1;
        }
        n += step;
    }
    eprintln!("{} of {}: {hits} of {tried} runs were hit", fault.error, fault.calls);
    assert!(hits > 0, "no call failed");
}

#[test]
fn r26_a_file_that_cannot_be_opened_costs_no_record_and_nothing_is_done_twice() {
    sweep(&Fault {
        calls: "openat",
        error: "EMFILE",
        step: 12,
    });
}

#[test]
fn r25_a_write_that_fails_costs_no_record_and_nothing_is_done_twice() {
    sweep(&Fault {
        calls: "write,pwrite64,writev",
        error: "ENOSPC",
        step: 17,
    });
}

#[test]
fn r25_a_sync_that_fails_costs_no_record_and_nothing_is_done_twice() {
    sweep(&Fault {
        calls: "fsync,fdatasync",
        error: "EIO",
        step: 3,
    });
}

#[test]
fn r25_a_rename_that_fails_costs_no_record_and_nothing_is_done_twice() {
    sweep(&Fault {
        calls: "rename,renameat,renameat2,link,linkat",
        error: "EIO",
        step: 1,
    });
}

#[test]
fn r26_a_connection_that_cannot_be_made_costs_no_record_and_nothing_is_done_twice() {
    sweep(&Fault {
        calls: "connect,socket",
        error: "ENOBUFS",
        step: 1,
    });
}

#[test]
fn r26_a_thread_or_process_that_cannot_be_started_costs_no_record_and_nothing_is_done_twice() {
    sweep(&Fault {
        calls: "clone,clone3,fork,vfork",
        error: "EAGAIN",
        step: 2,
    });
}
