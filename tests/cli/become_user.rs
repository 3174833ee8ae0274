//! `--become` with a password: the task runs behind sudo, and the password is nowhere but in its pipe.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use batchssh::cli::demo::fleet::{FakeCommand, HostSpec};

use crate::support::{Desk, pause};

/// No part of it may be found anywhere.
const PASSWORD: &str = "cAnArY-7f3a9c";

/// A `sudo` that asks as the real one does, knows the password by its digest, notes how it was called, and runs what
/// it is given as the same user.
const SUDO: &str = r#"#!/bin/sh
{ printf '<%s>' "$@"; echo; env; } >> "$HOME/sudo.log"
while [ "$1" != -- ]; do
  case $1 in -p) prompt=$2; shift ;; -u) user=$2; shift ;; -n) echo "sudo: a password is required" >&2; exit 1 ;; esac
  shift
done
shift
for try in 1 2 3; do
  printf '%s' "$prompt" >&2
  read -r word || exit 1
  echo >&2
  if [ "$(printf %s "$word" | sha1sum | cut -d' ' -f1)" = DIGEST ]; then
    unset word
    echo "become $user" >> "$HOME/became"
    exec "$@"
  fi
  echo "Sorry, try again." >&2
done
exit 1
"#;

fn sudo() -> String {
    use sha1::Digest as _;
    let digest: String = sha1::Sha1::digest(PASSWORD)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    SUDO.replace("DIGEST", &digest)
}

fn desk(name_of_sudo: &str) -> Desk {
    let spec = |name| HostSpec::new(name).with_commands(vec![FakeCommand::program(name_of_sudo, sudo())]);
    let desk = Desk::new(&[spec("web1"), spec("web2")]);
    desk.write("password", &format!("{PASSWORD}\n"));
    desk
}

/// The files below a folder that hold the password.
fn holding(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in walkdir::WalkDir::new(dir) {
        let entry = entry.unwrap();
        if entry.file_type().is_file() {
            let bytes = std::fs::read(entry.path()).unwrap();
            if bytes.windows(PASSWORD.len()).any(|part| part == PASSWORD.as_bytes()) {
                found.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    found
}

/// The processes that show the password to those who look.
fn showing() -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        for file in ["cmdline", "environ"] {
            let bytes = std::fs::read(entry.path().join(file)).unwrap_or_default();
            if bytes.windows(PASSWORD.len()).any(|part| part == PASSWORD.as_bytes()) {
                found.push(format!("{file}: {}", String::from_utf8_lossy(&bytes)));
            }
        }
    }
    found
}

const PLAY: &str = r#"
- hosts: web
  gather_facts: false
  vars:
    ansible_become_exe: sudo-of-ours
    base: "{{ homes }}/{{ inventory_hostname }}"
  tasks:
    - {name: plain, command: "true", become: false}
    - {name: behind, shell: "sleep 0.5; cat stolen; echo {{ base }}"}
    - {name: written, copy: {content: "x\n", dest: "{{ base }}/x", mode: "0600"}}
    - {name: sent, put: {src: tree, dest: "{{ base }}/tree"}}
    - {name: as another, command: echo hi, become_user: app}
"#;

#[test]
fn r38_the_password_of_sudo_is_in_no_process_no_file_and_no_output() {
    let desk = desk("sudo-of-ours");
    desk.write(
        "group_vars/all.yml",
        &format!("homes: {}/hosts\n", desk.fleet.dir().display()),
    );
    desk.write("play.yml", PLAY);
    desk.write("tree/a", "a");
    for host in ["web1", "web2"] {
        std::fs::write(desk.home(host).join("stolen"), format!("it is {PASSWORD}\n")).unwrap();
    }
    for form in ["--output=json", "--output=ansible", "--output=human"] {
        let over = AtomicBool::new(false);
        let ran = std::thread::scope(|scope| {
            let watch = scope.spawn(|| {
                let mut seen = Vec::new();
                while !over.load(Ordering::SeqCst) {
                    seen.extend(showing());
                    pause();
                }
                seen
            });
            let ran = desk
                .cmd("run play.yml -i hosts.ini -b --become-password-file password -vvv --diff --log-file log")
                .arg(form)
                .run();
            over.store(true, Ordering::SeqCst);
            assert_eq!(watch.join().unwrap(), Vec::<String>::new());
            ran.code(0)
        });
        assert!(ran.out.contains("it is ***"), "{}", ran.out);
        assert!(
            !ran.out.contains(PASSWORD) && !ran.err.contains(PASSWORD),
            "{}\n{}",
            ran.out,
            ran.err
        );
    }
    assert_eq!(desk.host_file("web1", "tree/a"), "a");
    let became = desk.host_file("web1", "became");
    assert!(
        became.contains("become root\n") && became.ends_with("become app\n"),
        "{became}"
    );
    // What the test itself wrote, and nothing else.
    assert_eq!(holding(desk.fleet.dir()), ["password", "stolen", "stolen"]);
}

#[test]
fn a_wrong_and_a_missing_password_are_failures_that_say_so() {
    let desk = desk("sudo");
    desk.write("wrong", "nonsense\n");
    let run = |words: &str| {
        desk.cmd("exec web1 -i hosts.ini -b --no-retry-file")
            .args(words)
            .arg("--")
            .arg("touch x")
            .run()
    };
    let ran = run("--become-password-file wrong").code(2);
    assert!(ran.err.contains("incorrect become password for `root`"), "{}", ran.err);
    let ran = run("").code(2);
    assert!(ran.err.contains("needs a password to become `root`"), "{}", ran.err);
    assert!(!desk.home("web1").join("x").exists());
    run("--become-password-file password").code(0);
    assert!(desk.home("web1").join("x").exists());
}

#[test]
fn put_and_get_go_through_sudo_and_settle() {
    let desk = desk("sudo");
    let home = desk.home("web1");
    desk.write("tree/a", "a");
    desk.write("tree/sub/b\nc", "b");
    let results = |words: &str, dest: &Path| {
        let ran = desk
            .cmd("")
            .args(words)
            .arg(dest)
            .args("-i hosts.ini -l web1 -b --become-password-file password --output json")
            .run()
            .code(0);
        ran.results().join(" ")
    };
    assert_eq!(results("put tree", &home.join("copy")), "web1 changed");
    assert_eq!(desk.host_file("web1", "copy/sub/b\nc"), "b");
    assert_eq!(results("put tree", &home.join("copy")), "web1 ok");
    let ran = desk
        .cmd("get")
        .arg(home.join("copy"))
        .args("back -i hosts.ini -l web1 -b --become-password-file password")
        .run();
    ran.code(0);
    assert_eq!(desk.read("back/web1/copy/sub/b\nc"), "b");
    assert!(desk.host_file("web1", "became").lines().count() >= 3);
    assert_eq!(holding(desk.fleet.dir()), ["password"]);
}
