//! `exec`: lines, exit codes, modules.

use batchssh::cli::demo::fleet::{Behaviour, HostSpec};

use crate::support::{Desk, sorted};

#[test]
fn each_line_on_a_pipe_begins_with_its_host() {
    let desk = Desk::hosts(&["web1", "web2"]);
    let ran = desk
        .cmd("exec -i hosts.ini --forks 1 --")
        .arg("echo one; printf 'two\\nno end'; echo oops >&2")
        .run()
        .code(0);
    assert_eq!(
        ran.out,
        "web1 | one\nweb1 | two\nweb1 | no end\nweb2 | one\nweb2 | two\nweb2 | no end\n"
    );
    assert_eq!(ran.err, "web1 | oops\nweb2 | oops\n");
}

#[test]
fn the_words_of_a_command_are_joined_as_ssh_joins_them() {
    let desk = Desk::hosts(&["web1"]);
    let ran = desk
        .cmd("exec web1 -i hosts.ini -- printf [%s]")
        .arg("'a  b'")
        .arg("{{c}}; pwd")
        .run()
        .well();
    let home = desk.home("web1");
    assert_eq!(ran.out, format!("web1 | [a  b][{{{{c}}}}]{}\n", home.display()));
}

#[test]
fn r29_the_exit_code_tells_failed_from_unreachable_and_both() {
    let desk = Desk::new(&[
        HostSpec::new("good"),
        HostSpec::new("shut").behaving(Behaviour::RefusesLogin),
    ]);
    let run = |pattern: &str, command: &str| {
        desk.cmd("exec -i hosts.ini --no-retry-file")
            .arg(pattern)
            .arg("--")
            .arg(command)
            .run()
    };
    run("good", "true").code(0);
    let shut = "shut | unreachable: login as `USER` was refused: key `FLEET/etc/client_key` was not accepted; the \
                server takes publickey";
    let ran = run("good", "echo out; echo why >&2; exit 3").code(2);
    assert_eq!(ran.out, "good | out\n");
    assert_eq!(ran.err, "good | why\ngood | failed: rc=3: why\n");
    let ran = run("all", "true").code(4);
    assert_eq!(desk.plain(&ran.err), format!("{shut}\n"));
    let ran = run("all", "false").code(6);
    assert_eq!(
        sorted(&desk.plain(&ran.err)),
        ["good | failed: rc=1, nothing was said", shut]
    );
    run("good", "kill -9 $$").code(2);
}

#[test]
fn a_module_gets_its_arguments_and_changes_only_once() {
    let desk = Desk::hosts(&["web1"]);
    let file = desk.home("web1").join("a file");
    let copy = |check: &str| {
        desk.cmd("exec -i hosts.ini -m copy -a")
            .arg(format!("dest='{}' content='{{{{ 6 * 7 }}}}' mode=0640", file.display()))
            .arg(check)
            .run()
            .well()
            .out
    };
    assert_eq!(copy("--check"), "web1 | changed\n");
    assert!(!file.exists());
    assert_eq!(copy("--diff").lines().last(), Some("web1 | changed"));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "42");
    assert_eq!(crate::support::mode(&file), 0o640);
    assert_eq!(copy("--forks=1"), "web1 | ok\n");
    let json = format!(r#"{{"path": "{}", "state": "absent"}}"#, file.display());
    desk.cmd("exec -i hosts.ini -m file -a").arg(json).run().well();
    assert!(!file.exists());
}

#[test]
fn a_command_that_takes_too_long_is_ended_on_the_host_too() {
    let desk = Desk::hosts(&["web1"]);
    let ran = desk
        .cmd("exec -i hosts.ini --task-timeout 1 --")
        .arg("echo $$ > pid; sleep 300; echo late > late")
        .run()
        .code(2);
    assert!(
        ran.err.contains("web1 | timed out: ") && ran.err.contains("1s"),
        "{}",
        ran.err
    );
    let pid = desk.host_file("web1", "pid");
    crate::support::wait_for("the end of the command", || {
        !std::path::Path::new(&format!("/proc/{}", pid.trim())).exists()
    });
    assert!(desk.read("batchssh.retry").starts_with("web1  # timed out at `raw`: "));
}
