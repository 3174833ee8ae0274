//! The retry file, and `retry`.

use batchssh::cli::demo::fleet::{Behaviour, HostSpec};

use crate::support::{Desk, soon};

const REFUSED: &str = "# unreachable at `raw`: login as `USER` was refused: key `FLEET/etc/client_key` was not accepted; \
                       the server takes publickey";

fn desk() -> Desk {
    Desk::new(&[
        HostSpec::new("d"),
        HostSpec::new("b").behaving(Behaviour::RefusesLogin),
        HostSpec::new("a"),
        HostSpec::new("c"),
    ])
}

/// Counts its runs on each host; fails on `c` while there is no file `mended`.
const COMMAND: &str = "echo x >> ran; case $PWD in */c) [ -e mended ] || { echo broken >&2; exit 1; }; esac";

#[test]
fn the_retry_file_has_the_bad_hosts_in_inventory_order_shrinks_and_goes_away() {
    let mut desk = desk();
    let run = |desk: &Desk, more: &str, code| {
        desk.cmd("exec -i hosts.ini")
            .arg(more)
            .arg("--")
            .arg(COMMAND)
            .run()
            .code(code)
    };
    run(&desk, "--no-retry-file", 6);
    assert!(!desk.path("batchssh.retry").exists());
    run(&desk, "--retry-file=other.retry", 6);
    assert!(!desk.path("batchssh.retry").exists());
    run(&desk, "-f2", 6);
    assert_eq!(
        desk.plain(&desk.read("batchssh.retry")),
        format!("b  {REFUSED}\nc  # failed at `raw`: rc=1: broken\n")
    );
    assert_eq!(desk.read("batchssh.retry"), desk.read("other.retry"));

    let listed = desk.cmd("exec -i batchssh.retry --list-hosts -- x").run().well();
    assert_eq!(listed.out, "  hosts (2):\n    b\n    c\n");

    desk.fleet.repair("b", &soon()).unwrap();
    run(&desk, "--limit=@batchssh.retry", 2);
    assert_eq!(desk.read("batchssh.retry"), "c  # failed at `raw`: rc=1: broken\n");
    std::fs::write(desk.home("c").join("mended"), "").unwrap();
    run(&desk, "--limit=@batchssh.retry", 0);
    assert!(!desk.path("batchssh.retry").exists());
    let counts: Vec<usize> = ["a", "b", "c", "d"]
        .iter()
        .map(|host| desk.host_file(host, "ran").lines().count())
        .collect();
    assert_eq!(counts, [3, 1, 5, 3]);
    // An empty or missing list is nobody, never everybody.
    let ran = run(&desk, "--limit=@batchssh.retry", 1);
    assert!(ran.err.contains("cannot read `batchssh.retry`"), "{}", ran.err);
    desk.write("batchssh.retry", "# nobody\n");
    run(&desk, "--limit=@batchssh.retry", 1);
    assert_eq!(desk.host_file("a", "ran").lines().count(), 3);
}

#[test]
fn retry_runs_the_bad_hosts_again_with_the_arguments_of_the_last_run() {
    let mut desk = desk();
    desk.cmd("exec d:b:c -i hosts.ini --output json --")
        .arg(COMMAND)
        .run()
        .code(6);
    desk.fleet.repair("b", &soon()).unwrap();
    let shown = desk.cmd("retry --show").run().well();
    let run = desk.runs()[0].display().to_string();
    assert_eq!(
        desk.plain(&shown.out),
        desk.plain(&format!(
            "cd {} && batchssh exec d:b:c -i hosts.ini --output json --limit @{run}/retry-hosts -- '{}'\n",
            desk.dir.display(),
            COMMAND
        ))
    );
    let ran = desk.cmd("retry").run().code(2);
    assert_eq!(ran.results(), ["b changed", "c failed"]);
    std::fs::write(desk.home("c").join("mended"), "").unwrap();
    let ran = desk.cmd("retry").run().well();
    assert_eq!(ran.results(), ["c changed"]);
    assert!(!desk.path("batchssh.retry").exists());
    let ran = desk.cmd("retry").run().well();
    assert!(
        ran.out.ends_with("every host succeeded, there is nothing to retry\n"),
        "{}",
        ran.out
    );
    let counts: Vec<usize> = ["a", "b", "c", "d"]
        .iter()
        .map(|host| desk.host_file(host, "ran").lines().count())
        .collect();
    assert_eq!(counts, [0, 1, 3, 1]);
}

#[test]
fn retry_of_an_earlier_run_takes_its_hosts() {
    let desk = desk();
    desk.cmd("exec c -i hosts.ini --no-retry-file --")
        .arg(COMMAND)
        .run()
        .code(2);
    let first = desk.runs()[0].file_name().unwrap().to_str().unwrap().to_owned();
    desk.cmd("exec a -i hosts.ini -- false").run().code(2);
    let shown = desk.cmd("retry --show").arg(&first).run().well();
    assert!(
        shown
            .out
            .contains("batchssh exec c -i hosts.ini --no-retry-file --limit"),
        "{}",
        shown.out
    );
    let ran = desk.cmd("retry no-such-run").run().code(1);
    assert!(ran.err.starts_with("error: "), "{}", ran.err);
}
