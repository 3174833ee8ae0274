//! R31: the wall clock of either side is wrong, or jumps.

use std::path::PathBuf;

use batchssh::cli::demo::fleet::HostSpec;

use crate::support::{Cmd, Desk};

/// libfaketime, which lies about the wall clock and leaves the monotonic one alone.
fn library() -> Option<PathBuf> {
    let found = std::fs::read_dir("/usr/lib").ok()?.flatten().find_map(|entry| {
        let path = entry.path().join("faketime/libfaketimeMT.so.1");
        path.exists().then_some(path)
    });
    if found.is_none() {
        eprintln!("skipped: libfaketime is not installed");
    }
    found
}

fn at(desk: &Desk, library: &std::path::Path, offset: &str, words: &str) -> Cmd {
    let mut cmd = desk.cmd(words);
    cmd.command
        .env("LD_PRELOAD", library)
        .env("FAKETIME", offset)
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    cmd
}

/// The first task is done once; the second works from the second time on.
const TWICE: &str = "- hosts: web\n  gather_facts: false\n  tasks:\n    - name: count\n      shell: echo x >> $HOME/log\n      once: counted\n    \
- name: second time\n      shell: test -e $HOME/again || { touch $HOME/again; exit 3; }\n";

#[test]
fn r31_a_controller_ten_years_off_decides_as_ever_and_goes_on_with_the_run_that_was_last() {
    let Some(library) = library() else { return };
    for (first, then) in [("-10y", "+10y"), ("+10y", "-10y"), ("+10y", "+0")] {
        let desk = Desk::hosts(&["web1", "web2"]);
        desk.write("site.yml", TWICE);
        desk.write(
            "other.yml",
            "- hosts: web1\n  gather_facts: false\n  tasks:\n    - shell: 'false'\n",
        );
        at(&desk, &library, first, "run other.yml -i hosts.ini").run().code(2);
        // The clock was set in the meantime. The last run is the one that was begun last.
        at(&desk, &library, then, "run site.yml -i hosts.ini").run().code(2);
        at(&desk, &library, then, "retry").run().code(0);
        for host in ["web1", "web2"] {
            assert_eq!(desk.host_file(host, "log"), "x\n", "{first} {then} {host}");
        }
        let verified = at(&desk, &library, first, "runs verify").run().code(0);
        assert!(!verified.out.contains("damaged"), "{}", verified.out);
        // A lease of the past or of the future would hold the host.
        at(&desk, &library, first, "run site.yml -i hosts.ini --lock-wait 0")
            .run()
            .code(0);
    }
}

#[test]
fn r31_a_clock_that_jumps_under_a_run_changes_nothing() {
    let Some(library) = library() else { return };
    let desk = Desk::hosts(&["web1"]);
    desk.write(
        "site.yml",
        "- hosts: web\n  gather_facts: false\n  tasks:\n    - shell: touch $HOME/begun; while [ ! -e $HOME/go ]; do sleep 0.05; done\n    - shell: touch $HOME/second\n",
    );
    for jump in ["+10y", "-10y"] {
        let clock = desk.path("clock");
        std::fs::write(&clock, "+0\n").unwrap();
        let mut cmd = desk.cmd("run site.yml -i hosts.ini --task-timeout 30 --max-time 60");
        cmd.command
            .env("LD_PRELOAD", &library)
            .env("FAKETIME_TIMESTAMP_FILE", &clock)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        let running = cmd.spawn();
        crate::support::wait_for("the task", || desk.home("web1").join("begun").exists());
        std::fs::write(&clock, format!("{jump}\n")).unwrap();
        std::fs::write(desk.home("web1").join("go"), "").unwrap();
        running.end().code(0);
        assert!(desk.home("web1").join("second").exists(), "{jump}");
        for name in ["begun", "go", "second"] {
            std::fs::remove_file(desk.home("web1").join(name)).unwrap();
        }
        desk.cmd("runs verify").run().code(0);
    }
}

#[test]
fn r31_hosts_years_apart_get_the_same_verdicts_and_keep_their_markers() {
    let Some(library) = library() else { return };
    let off = |name: &str, offset: &str| {
        HostSpec::new(name).entered_by(format!(
            "#!/bin/sh\nexec env LD_PRELOAD={} FAKETIME={offset} FAKETIME_DONT_FAKE_MONOTONIC=1 \"$@\"\n",
            library.display()
        ))
    };
    let desk = Desk::new(&[off("past", "-10y"), HostSpec::new("now"), off("future", "+10y")]);
    desk.write("site.yml", TWICE);
    let years = desk
        .cmd("exec web -i hosts.ini --output json -- date +%Y")
        .run()
        .code(0);
    let mut seen: Vec<String> = years
        .events()
        .iter()
        .filter(|event| event["event"] == "task_result")
        .map(|event| crate::support::text(&event["stdout"]).trim().to_owned())
        .collect();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 3, "the clocks are not apart: {seen:?}");
    desk.cmd("run site.yml -i hosts.ini").run().code(2);
    desk.cmd("run site.yml -i hosts.ini --lock-wait 0").run().code(0);
    for host in ["past", "now", "future"] {
        assert_eq!(desk.host_file(host, "log"), "x\n", "{host}");
    }
}
