//! Connections that end, or go quiet, in the middle of the work.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::{Desk, status_of, wait_for};
use crate::wire::Wire;

/// One host behind a wire.
struct Wired {
    desk: Desk,
    wire: Wire,
}

impl Wired {
    fn new() -> Self {
        let desk = Desk::hosts(&["far"]);
        let host = desk.fleet.host("far").unwrap().address;
        let wire = Wire::to(SocketAddr::V4(host));
        let inventory = desk.fleet.inventory("web");
        let (_, vars) = inventory.split_once("\n\n").unwrap();
        let line = format!(
            "[web]\nfar ansible_host=127.0.0.1 ansible_port={} ansible_ssh_extra_args='-o HostKeyAlias=[{}]:{}'\n\n{vars}",
            wire.address.port(),
            host.ip(),
            host.port()
        );
        desk.write("hosts.ini", &line);
        Self { desk, wire }
    }
}

#[test]
fn r05_a_command_whose_end_was_not_seen_is_in_doubt_and_never_a_success() {
    let wired = Wired::new();
    let desk = &wired.desk;
    let running = desk
        .cmd("exec -i hosts.ini --output json -- ")
        .arg("echo $$ > begun; sleep 1; echo done > ended")
        .spawn();
    wait_for("the command", || !desk.host_file("far", "begun").is_empty());
    wired.wire.cut();
    let ran = running.end().code(11);
    assert_eq!(status_of(&ran, "far"), "in_doubt");
    assert!(
        desk.read("batchssh.retry").starts_with("far  # in doubt"),
        "{}",
        desk.read("batchssh.retry")
    );

    // Half closed: the host can say nothing more, and nobody is fooled.
    let _ = std::fs::remove_file(desk.home("far").join("begun"));
    let running = desk
        .cmd("exec -i hosts.ini --output json --task-timeout 5 -- ")
        .arg("echo $$ > begun; sleep 1; echo done")
        .spawn();
    wait_for("the command", || !desk.host_file("far", "begun").is_empty());
    wired.wire.half_close();
    let ran = running.end();
    assert!(ran.code == 11, "{ran:?}");
}

#[test]
fn r05_a_signal_is_a_failure_with_its_name() {
    let desk = Desk::hosts(&["a"]);
    let ran = desk
        .cmd("exec -i hosts.ini --output json --")
        .arg("kill -SEGV $$")
        .run()
        .code(2);
    assert_eq!(status_of(&ran, "a"), "failed");
    assert!(ran.out.contains("SEGV"), "{}", ran.out);
}

#[test]
fn r03_silence_from_one_moment_to_the_next_ends_with_the_task() {
    let wired = Wired::new();
    let desk = &wired.desk;
    let running = desk
        .cmd("exec -i hosts.ini --output json --task-timeout 2 --")
        .arg("echo $$ > begun; while :; do echo x; sleep 0.1; done")
        .spawn();
    let begun = Instant::now();
    wait_for("the command", || !desk.host_file("far", "begun").is_empty());
    wired.wire.mute(true);
    let ran = running.end();
    assert!(begun.elapsed() < Duration::from_millis(5500), "{:?}", begun.elapsed());
    assert_eq!(status_of(&ran, "far"), "timed_out");
    assert!(ran.out.contains("may still be running"), "{}", ran.out);
    wired.wire.mute(false);
}

#[test]
fn r16_a_put_that_is_cut_anywhere_leaves_the_old_file_or_the_new_one() {
    let wired = Wired::new();
    let desk = &wired.desk;
    let old = "old\n".repeat(20_000);
    let new = "brand new\n".repeat(30_000);
    desk.write("file", &new);
    let target = desk.home("far").join("file");
    std::fs::write(&target, &old).unwrap();
    let put = |desk: &Desk| desk.cmd("put file file -i hosts.ini --output json --task-timeout 10 -T 5");
    let before = wired.wire.passed();
    put(desk).run().code(0);
    let whole = wired.wire.passed() - before;
    let mut verdicts = std::collections::BTreeMap::new();
    for step in 0..24 {
        std::fs::write(&target, &old).unwrap();
        wired.wire.cut_after(whole * step / 24 + 17 * step);
        let ran = put(desk).run();
        *verdicts.entry(status_of(&ran, "far")).or_insert(0) += 1;
        let is = std::fs::read_to_string(&target).unwrap();
        assert!(is == old || is == new, "step {step}: {} bytes: {ran:?}", is.len());
        if ran.code == 0 {
            assert_eq!(is, new, "step {step}: {ran:?}");
        }
        wired.wire.cut_after(u64::MAX);
    }
    assert!(
        verdicts
            .keys()
            .all(|v| ["unreachable", "in_doubt", "failed", "changed"].contains(&v.as_str())),
        "{verdicts:?}"
    );
    assert!(verdicts.len() > 1, "{verdicts:?}");
    put(desk).run().code(0);
    assert_eq!(std::fs::read_to_string(&target).unwrap(), new);
}

#[test]
fn r17_a_get_that_is_cut_anywhere_leaves_no_half_file_under_its_name() {
    let wired = Wired::new();
    let desk = &wired.desk;
    let text = "what the host has\n".repeat(20_000);
    std::fs::write(desk.home("far").join("file"), &text).unwrap();
    let get = |desk: &Desk| desk.cmd("get file got -i hosts.ini --output json --task-timeout 10 -T 5");
    let before = wired.wire.passed();
    get(desk).run().code(0);
    let whole = wired.wire.passed() - before;
    for step in 0..16 {
        let _ = std::fs::remove_dir_all(desk.path("got"));
        wired.wire.cut_after(whole * step / 16 + 13 * step);
        let ran = get(desk).run();
        let got = std::fs::read_to_string(desk.path("got/far/file"));
        match got {
            Ok(got) => assert_eq!(got, text, "step {step}: {ran:?}"),
            Err(_) => assert_ne!(ran.code, 0, "step {step}: {ran:?}"),
        }
        wired.wire.cut_after(u64::MAX);
    }
}

#[test]
fn r23_ctrl_c_twice_while_the_network_is_silent_ends_within_a_second_or_so() {
    let wired = Wired::new();
    let desk = &wired.desk;
    let running = desk
        .cmd("exec -i hosts.ini --output json --")
        .arg("echo $$ > begun; sleep 60")
        .spawn();
    wait_for("the command", || !desk.host_file("far", "begun").is_empty());
    wired.wire.mute(true);
    running.signal(Signal::INT);
    std::thread::park_timeout(Duration::from_millis(200));
    let begun = Instant::now();
    running.signal(Signal::INT);
    let ran = running.end().code(130);
    assert!(begun.elapsed() < Duration::from_millis(2500), "{:?}", begun.elapsed());
    assert_eq!(status_of(&ran, "far"), "in_doubt");
    wired.wire.mute(false);
}
