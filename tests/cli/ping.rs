//! `ping --duplicates`: names that mean one machine, and how a machine says which it is.

use std::path::Path;
use std::process::Command;

use batchssh::shell::snippets;
use serde_json::Value;

use crate::support::{Desk, text};

/// The hosts of the fleet are names of this machine.
#[test]
fn names_of_one_machine_are_found_by_its_id_and_its_boot() {
    let desk = Desk::hosts(&["web1", "web2", "db"]);
    let ran = desk.cmd("ping -i hosts.ini --duplicates").run().code(0);
    assert!(
        ran.err
            .contains("duplicates: db,web[1,2] are names of one machine (machine id ")
            || ran
                .err
                .contains("duplicates: web[1,2],db are names of one machine (machine id "),
        "{}",
        ran.err
    );
    // `--strict` makes it a failure, for scripts.
    let ran = desk
        .cmd("ping -i hosts.ini --duplicates --strict --output json")
        .run()
        .code(2);
    let events = ran.events();
    let found: Vec<&Value> = events
        .iter()
        .filter(|event| event["event"] == "duplicates_found")
        .collect();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["likeness"], "machine");
    assert_eq!(found[0]["hosts"], serde_json::json!(["web1", "web2", "db"]));
    let result = events.iter().find(|event| event["event"] == "task_result").unwrap();
    assert_eq!(found[0]["machine_id"], result["result"]["identity"]["machine_id"]);
    assert!(text(&result["result"]["host_key"]).starts_with("SHA256:"), "{result}");
    // The journal has it, too.
    let ran = desk.cmd("runs show").run().well();
    assert!(ran.out.contains("are names of one machine"), "{}", ran.out);
}

#[test]
fn one_name_for_a_machine_is_no_duplicate() {
    let desk = Desk::hosts(&["web1", "web2"]);
    let ran = desk.cmd("ping web1 -i hosts.ini --duplicates --strict").run().code(0);
    assert!(!ran.err.contains("names of one machine"), "{}", ran.err);
    let ran = desk.cmd("ping -i hosts.ini --duplicates --tcp").run().code(1);
    assert!(ran.err.contains("cannot be used with"), "{}", ran.err);
}

/// The shells of the hosts, as far as they are on this machine.
fn shells() -> Vec<Vec<&'static str>> {
    [vec!["dash"], vec!["bash", "--posix"], vec!["busybox", "sh"]]
        .into_iter()
        .filter(|shell| {
            Command::new(shell[0])
                .args(&shell[1..])
                .args(["-c", "exit 0"])
                .output()
                .is_ok()
        })
        .collect()
}

/// The fields of the answer.
fn identity(shell: &[&str], root: &Path) -> Vec<String> {
    let out = Command::new(shell[0])
        .args(&shell[1..])
        .args(["-c", snippets::IDENTITY, "identity"])
        .arg(root)
        .output()
        .unwrap();
    assert!(out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout).unwrap();
    let mut rest = text.split_once("batchssh-answer-1\n").unwrap().1;
    let mut fields = Vec::new();
    while let Some((length, after)) = rest.split_once(':') {
        let (field, after) = after.split_at(length.parse().unwrap());
        fields.push(field.to_owned());
        rest = after.strip_prefix(',').unwrap();
    }
    fields
}

#[test]
fn a_machine_says_its_id_its_boot_and_never_what_makers_forgot_to_fill_in() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    let write = |path: &str, text: &str| {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    assert!(!shells().is_empty());
    for shell in shells() {
        let _ = std::fs::remove_dir_all(root.join("etc"));
        let _ = std::fs::remove_dir_all(root.join("proc"));
        assert_eq!(identity(&shell, root), ["", "", " ", "end"], "{shell:?}");
        write("proc/sys/kernel/random/boot_id", "b00t\n");
        let only_boot = ["/proc/sys/kernel/random/boot_id", "b00t", "b00t ", "end"];
        assert_eq!(identity(&shell, root), only_boot, "{shell:?}");
        // An image before its first start, and one whose id is no id.
        for text in ["", "uninitialized\n", "\u{1b}[31m\n", "$(id)\n"] {
            write("etc/machine-id", text);
            assert_eq!(identity(&shell, root), only_boot, "{shell:?} {text:?}");
        }
        write("etc/machine-id", "4b1dcafe\n");
        let known = ["/etc/machine-id", "4b1dcafe", "b00t ", "end"];
        assert_eq!(identity(&shell, root), known, "{shell:?}");
        write("etc/machine-id", "4b1dcafe");
        assert_eq!(identity(&shell, root), known, "{shell:?}: without a line feed");
    }
}
