//! Every playbook of `playbooks/` compiles with every inventory of `inventory/` that has its groups, and every
//! inventory can be read: by the program itself, as a user would ask it. Nothing is contacted.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The inventories that have all the groups of the playbooks.
const WHOLE: &[&str] = &["inventory/hosts.ini", "inventory/hosts.yml"];
/// The inventories, each with one of its hosts.
const INVENTORIES: &[(&str, &str)] = &[
    ("inventory/hosts.txt", "192.0.2.14"),
    ("inventory/hosts.ini", "stor007.example.org"),
    ("inventory/hosts.yml", "web03.example.org"),
    ("inventory/hosts.csv", "stor007.example.org"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn batchssh(args: &[&str]) -> Output {
    let state = tempfile::tempdir().unwrap();
    Command::new(env!("CARGO_BIN_EXE_batchssh"))
        .args(args)
        .current_dir(root())
        .env("XDG_STATE_HOME", state.path())
        .env("XDG_CONFIG_HOME", state.path())
        .output()
        .unwrap()
}

fn stdout(args: &[&str]) -> String {
    let out = batchssh(args);
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let errors = String::from_utf8_lossy(&out.stderr);
    assert!(
        out.status.success(),
        "batchssh {}: {}\n{text}{errors}",
        args.join(" "),
        out.status
    );
    text
}

fn playbooks() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(root().join("playbooks"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yml"))
        .map(|path| path.strip_prefix(root()).unwrap().to_owned())
        .collect();
    found.sort();
    assert!(found.len() >= 5, "the examples are gone: {found:?}");
    found
}

#[test]
fn every_playbook_passes_the_syntax_check() {
    for playbook in playbooks() {
        for inventory in WHOLE {
            stdout(&["run", playbook.to_str().unwrap(), "-i", inventory, "--syntax-check"]);
        }
    }
}

#[test]
fn every_playbook_has_a_plan_that_names_its_hosts() {
    for playbook in playbooks() {
        for inventory in WHOLE {
            let plan = stdout(&["plan", playbook.to_str().unwrap(), "-i", inventory]);
            assert!(plan.contains("example.org"), "{plan}");
        }
    }
}

#[test]
fn every_playbook_is_in_the_table() {
    let table = fs::read_to_string(root().join("playbooks/README.md")).unwrap();
    for playbook in playbooks() {
        let name = playbook.file_name().unwrap().to_str().unwrap();
        assert!(
            table.contains(&format!("| `{name}` |")),
            "playbooks/README.md says nothing of {name}"
        );
    }
}

#[test]
fn every_inventory_lists_its_hosts() {
    for (inventory, host) in INVENTORIES {
        let list = stdout(&["inventory", "--list", "-i", inventory]);
        assert!(list.contains(host), "{inventory} does not list {host}: {list}");
    }
}

#[test]
fn variables_of_groups_and_hosts_are_found_beside_the_inventory() {
    let vars = stdout(&[
        "inventory",
        "--host",
        "stor007.example.org",
        "-i",
        "inventory/hosts.ini",
    ]);
    assert!(vars.contains("\"mount_root\": \"/data\""), "{vars}");
    assert!(vars.contains("\"data_disks\": 11"), "the host's own value wins: {vars}");
}
