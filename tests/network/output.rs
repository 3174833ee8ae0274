//! Commands that run too long, print too much, or leave processes behind.

use std::time::{Duration, Instant};

use crate::support::{Desk, status_of, wait_for};

#[test]
fn r03_progress_does_not_extend_the_time_limit() {
    let desk = Desk::hosts(&["a"]);
    let begun = Instant::now();
    let ran = desk
        .cmd("exec -i hosts.ini --task-timeout 2 --output json --")
        .arg("while :; do echo x; sleep 0.1; done")
        .run()
        .code(2);
    assert!(begun.elapsed() < Duration::from_millis(4200), "{:?}", begun.elapsed());
    assert_eq!(status_of(&ran, "a"), "timed_out");
}

#[test]
fn r04_no_process_of_the_task_is_alive_after_its_time() {
    let desk = Desk::hosts(&["a"]);
    desk.cmd("exec -i hosts.ini --task-timeout 1 --output json --")
        .arg("sleep 1000 & echo $! > one; sleep 1001 & echo $! > two; echo $$ > three; wait")
        .run()
        .code(2);
    for file in ["one", "two", "three"] {
        let pid = desk.host_file("a", file);
        wait_for("the end of a process", || {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
            stat.is_empty() || stat.contains(") Z ")
        });
    }
}

#[test]
fn r07_a_flood_of_output_is_kept_in_part_and_in_little_memory() {
    let desk = Desk::hosts(&["a"]);
    // A quarter of a gibibyte here; BATCHSSH_FLOOD_MIB=1024 for the whole.
    let mib = std::env::vars()
        .find(|(name, _)| name == "BATCHSSH_FLOOD_MIB")
        .map_or_else(|| "256".to_owned(), |(_, value)| value);
    let running = desk
        .cmd("exec -i hosts.ini --output json --")
        .arg(format!("head -c {mib}M /dev/zero | tr '\\0' x; echo the end"))
        .spawn();
    let peak = running.peak();
    let ran = running.end().code(0);
    let most = peak.join().unwrap();
    assert!(most < 128 * 1024, "{most} KiB");
    assert!(most > 0);
    let result = ran
        .events()
        .into_iter()
        .find(|event| event["event"] == "task_result")
        .unwrap();
    let stdout = result["stdout"].as_str().unwrap();
    assert!(stdout.len() < 9 << 20, "{} bytes kept", stdout.len());
    assert!(
        stdout.starts_with('x') && stdout.ends_with("the end\n"),
        "{:?}",
        &stdout[stdout.len() - 40..]
    );
    assert!(stdout.contains("left out"), "what is missing is said");
}

#[test]
fn r08_eight_mebibytes_on_any_stream_in_any_order_end() {
    let desk = Desk::hosts(&["a"]);
    for script in [
        "head -c 8M /dev/zero | tr '\\0' e >&2; head -c 8M /dev/zero | tr '\\0' o",
        "head -c 8M /dev/zero | tr '\\0' o; head -c 8M /dev/zero | tr '\\0' e >&2",
    ] {
        let ran = desk
            .cmd("exec -i hosts.ini --task-timeout 40 --output json --")
            .arg(script)
            .run()
            .code(0);
        assert_eq!(status_of(&ran, "a"), "changed");
    }
    desk.write("stdin.yml", &format!(
        "- hosts: web\n  gather_facts: false\n  tasks:\n    - shell: sleep 0.5; cat >&2\n      args: {{stdin: \"{{{{ 'x' * {} }}}}\"}}\n",
        8 << 20
    ));
    desk.cmd("run stdin.yml -i hosts.ini --task-timeout 40").run().code(0);
}
