//! `edit` and `create`: where the plain text lies while the editor has it, and what comes of it.

use std::path::Path;

use rustix::process::Signal;

use crate::pty::Terminal;
use crate::support::{Cmd, mode, wait_for};
use crate::vault::{Bench, ONE, TWO, files_with};

/// `batchssh vault …` with an editor, whose private folders lie below `run` of the bench, or in memory below a folder
/// of this test.
fn with_editor(bench: &Bench, words: &str, script: &str) -> Cmd {
    let mut cmd = bench.cmd(words);
    cmd.command.env("EDITOR", bench.editor(script));
    cmd
}

/// A folder in memory that no other test uses. `None`: this machine has no place for it.
#[expect(clippy::print_stderr, reason = "what is skipped is told")]
fn memory() -> Option<tempfile::TempDir> {
    let dir = tempfile::tempdir_in("/dev/shm").ok();
    if dir.is_none() {
        eprintln!("skipped in part: there is no /dev/shm to write to");
    }
    dir
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().next().is_none()
}

#[test]
fn the_plain_text_lies_in_memory_for_nobody_else_while_it_is_edited() {
    let bench = Bench::new();
    bench.sealed("secret.yml", "a: 1\n", TWO, Some("prod"), 0o640);
    let memory = memory();
    let script = "stat -c '%a %n' \"$1\" \"$(dirname \"$1\")\" >seen; stat -f -c %T \"$1\" >>seen; echo 'b: 2' >>\"$1\"; \
                  cp \"$1\" \"$1~\"";
    let mut cmd = with_editor(&bench, "vault edit secret.yml --vault-id prod@p2", script);
    if let Some(memory) = &memory {
        cmd.command.env("XDG_RUNTIME_DIR", memory.path());
    }
    let ran = cmd.run().code(0);
    let seen = bench.read("seen");
    let lines: Vec<&str> = seen.lines().collect();
    assert!(
        lines[0].starts_with("600 ") && lines[0].ends_with("/secret.yml"),
        "{seen}"
    );
    assert!(lines[1].starts_with("700 "), "{seen}");
    if let Some(memory) = &memory {
        assert_eq!(ran.err, "");
        assert!(
            lines[0].contains(memory.path().to_str().unwrap()) && lines[2] == "tmpfs",
            "{seen}"
        );
        assert!(
            is_empty(memory.path()),
            "the folder is gone, with the copy of the editor"
        );
    }
    // Label, mode and password are as before.
    assert_eq!(
        (bench.first("secret.yml").as_str(), mode(&bench.path("secret.yml"))),
        ("$ANSIBLE_VAULT;1.2;AES256;prod", 0o640)
    );
    assert_eq!(bench.opened("secret.yml", TWO), b"a: 1\nb: 2\n");
    assert!(is_empty(&bench.path("tmp")));
}

#[test]
fn without_a_place_in_memory_it_says_so_and_leaves_nothing() {
    let bench = Bench::new();
    if Path::new("/dev/shm").is_dir() {
        eprintln!("skipped: this machine has a place in memory");
        return;
    }
    bench.sealed("f", "a: 1\n", ONE, None, 0o600);
    let ran = with_editor(&bench, "vault edit f --vault-password-file p1", "echo x >\"$1\"")
        .run()
        .code(0);
    assert!(ran.err.contains("lies on a disk"), "{}", ran.err);
    assert!(is_empty(&bench.path("tmp")));
}

#[test]
fn what_the_editor_does_not_finish_changes_nothing() {
    let bench = Bench::new();
    bench.sealed("f", "a: 1\n", ONE, None, 0o600);
    let before = bench.read("f");
    for (script, code, words) in [
        (
            "echo 'lost: 1' >\"$1\"; exit 3",
            1,
            "the editor ended with exit status: 3; `f` is unchanged",
        ),
        ("rm \"$1\"", 1, "the editor left no file; `f` is unchanged"),
        ("rm \"$1\"; ln -s /etc/passwd \"$1\"", 1, "cannot read `"),
        ("rm \"$1\"; mkfifo \"$1\"", 1, "something else than a file"),
        ("cat \"$1\" >copy", 0, ""),
    ] {
        let ran = with_editor(&bench, "vault edit f --vault-password-file p1", script)
            .run()
            .code(code);
        assert!(ran.err.contains(words), "{script}: {}", ran.err);
        // Not even encrypted anew.
        assert_eq!(bench.read("f"), before, "{script}");
    }
    assert_eq!(bench.read("copy"), "a: 1\n");
    let mut cmd = bench.cmd("vault edit f --vault-password-file p1");
    cmd.command.env("EDITOR", "/nonexistent/vi -x");
    let ran = cmd.run().code(1);
    assert!(
        ran.err.starts_with("error: cannot run the editor `/nonexistent/vi -x`"),
        "{}",
        ran.err
    );
    assert!(is_empty(&bench.path("tmp")) && files_with(&bench.path("home"), "a: 1").is_empty());
}

#[test]
fn a_file_that_changed_meanwhile_is_left_and_the_work_is_kept_encrypted() {
    let bench = Bench::new();
    bench.sealed("f", "a: 1\n", ONE, None, 0o600);
    let script = "echo other >f; echo 'mine: 2' >\"$1\"";
    let ran = with_editor(&bench, "vault edit f --vault-password-file p1", script)
        .run()
        .code(1);
    assert!(
        ran.err.contains("was changed by somebody else meanwhile"),
        "{}",
        ran.err
    );
    assert_eq!(bench.read("f"), "other\n");
    let kept = ran.err.split('`').rev().nth(1).unwrap();
    std::fs::copy(kept, bench.path("kept")).unwrap();
    assert_eq!(bench.opened("kept", ONE), b"mine: 2\n");
}

#[test]
fn signals_remove_the_plain_text_and_keep_the_file() {
    let bench = Bench::new();
    bench.sealed("f", "a: 1\n", ONE, None, 0o600);
    let before = bench.read("f");
    let Some(memory) = memory() else { return };
    // An editor that does as it is told, and one that does not care.
    for (signal, code, trap) in [(Signal::HUP, 129, ""), (Signal::TERM, 143, "trap '' TERM;")] {
        let script = format!("{trap} echo 'x: 2' >\"$1\"; echo $$ >pid; while :; do sleep 0.05; done");
        let mut cmd = with_editor(&bench, "vault edit f --vault-password-file p1", &script);
        cmd.command.env("XDG_RUNTIME_DIR", memory.path());
        let running = cmd.spawn();
        wait_for("the editor", || {
            !std::fs::read_to_string(bench.path("pid"))
                .unwrap_or_default()
                .is_empty()
        });
        assert!(!files_with(memory.path(), "x: 2").is_empty());
        running.signal(signal);
        let ran = running.wait().code(code);
        assert!(ran.err.contains("`f` is unchanged"), "{}", ran.err);
        assert_eq!(bench.read("f"), before);
        assert!(is_empty(memory.path()));
        let pid = bench.read("pid").trim().to_owned();
        wait_for("the editor's end", || !Path::new("/proc").join(&pid).exists());
        std::fs::remove_file(bench.path("pid")).unwrap();
    }
}

#[test]
fn ctrl_c_is_the_editors() {
    let bench = Bench::new();
    bench.sealed("f", "a: 1\n", ONE, None, 0o600);
    let script = "trap 'echo caught' INT; echo ready; read x; echo 'c: 3' >>\"$1\"";
    let cmd = with_editor(&bench, "vault edit f --vault-password-file p1", script);
    let mut terminal = Terminal::start(&cmd.command);
    // Ctrl-C reaches everybody on the terminal.
    terminal.expect("ready").enter("\u{3}");
    terminal.expect("caught");
    terminal.enter("");
    let (code, shown) = terminal.end();
    assert_eq!(code, 0, "{shown}");
    assert_eq!(bench.opened("f", ONE), b"a: 1\nc: 3\n");
}

#[test]
fn create_makes_a_new_file_and_never_replaces_one() {
    let bench = Bench::new();
    bench.write("there", "x", 0o600);
    let create = "vault create --skip-tty-check --vault-id prod@p2";
    let ran = with_editor(&bench, create, "false").arg("there").run().code(1);
    assert_eq!(
        ran.err,
        "error: `there` exists\nhelp: `batchssh vault edit there` changes it\n"
    );
    let ran = with_editor(&bench, create, "echo 'n: 1' >\"$1\"")
        .arg("sub/new.yml")
        .run()
        .code(0);
    assert_eq!(ran.err, "warning: the folder `sub` does not exist, it is made\n");
    assert_eq!(bench.opened("sub/new.yml", TWO), b"n: 1\n");
    assert_eq!(mode(&bench.path("sub/new.yml")), 0o600);
    with_editor(&bench, create, "exit 1").arg("never").run().code(1);
    assert!(!bench.path("never").exists());
    // Somebody else was quicker.
    let ran = with_editor(&bench, create, "echo 1 >race").arg("race").run().code(1);
    assert!(ran.err.contains("was made by somebody else"), "{}", ran.err);
    assert_eq!(bench.read("race"), "1\n");
    let ran = bench.cmd("vault create x --vault-id prod@p2").run().code(1);
    assert!(ran.err.contains("--skip-tty-check"), "{}", ran.err);
}
