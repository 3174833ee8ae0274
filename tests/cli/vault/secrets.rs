//! Canaries: what was encrypted, and the passwords, are searched for in everything that is written, printed, or visible
//! in `/proc` while a run goes on. The hosts are on this machine, so both sides are looked at.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::{Desk, pause, text};
use crate::vault::{Bench, files_with, inline, sealed};

const PASSWORD: &str = "vAuLt-cAnArY-a1b2";
const INLINE: &str = "inLiNe-cAnArY-c3d4";
const WHOLE: &str = "wHoLe-cAnArY-e5f6";
const COPIED: &str = "cOpIeD-cAnArY-a7b8";
const STRING: &str = "sTrInG-cAnArY-c9d0";

/// Looks at the arguments and environments of all processes until it is told to stop; gives what it saw of `secrets`.
fn watch<'s>(stop: &AtomicBool, secrets: &[&'s str]) -> BTreeSet<&'s str> {
    let mut seen = BTreeSet::new();
    while !stop.load(Ordering::Relaxed) {
        for process in std::fs::read_dir("/proc").unwrap().flatten() {
            for part in ["cmdline", "environ"] {
                let bytes = std::fs::read(process.path().join(part)).unwrap_or_default();
                let holds = |secret: &&&str| bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
                seen.extend(secrets.iter().filter(holds));
            }
        }
        pause();
    }
    seen
}

const PLAY: &str = r#"
- hosts: web
  gather_facts: false
  vars_files: [vars.yml]
  tasks:
    - name: "a title with {{ whole }}"
      copy: {content: "{{ whole }} {{ pw }}\n", dest: both}
    - copy: {src: sealed, dest: copied}
    - template: {src: t.j2, dest: rendered}
    - command: cat both copied
      register: seen
    - command: cat both
      loop: ["{{ pw }}", two]
    - set_fact: {kept: "<{{ pw }}>"}
    - debug: {var: kept}
    - debug: {msg: "{{ hostvars[inventory_hostname].kept }} {{ seen.stdout }} {{ whole | b64encode }} {{ pw | urlencode }}"}
    - include_vars: late.yml
    - debug: {msg: "{{ lookup('unvault', 'sealed') }} {{ pin }}"}
    - shell: "sleep 0.3; printf '{\"a\": \"%s\", \"\\377\": 1}' $(cat both); cat both >&2; exit 3"
      ignore_errors: true
    - copy: {src: "nowhere-{{ pw }}", dest: x}
      ignore_errors: true
    - fail: {msg: "it was {{ pw }}"}
"#;

#[test]
fn r38_what_was_encrypted_is_found_nowhere_but_where_the_play_puts_it() {
    let desk = Desk::hosts(&["web1"]);
    desk.write("pass", PASSWORD);
    std::fs::set_permissions(desk.path("pass"), std::fs::Permissions::from_mode(0o600)).unwrap();
    desk.write("host_vars/web1.yml", &inline("pw", INLINE, PASSWORD, None));
    desk.write("vars.yml", &sealed(format!("whole: {WHOLE}\n"), PASSWORD, None));
    desk.write("vars/late.yml", &sealed("pin: 907\n", PASSWORD, None));
    desk.write("files/sealed", &sealed(COPIED, PASSWORD, None));
    desk.write(
        "templates/t.j2",
        &sealed(format!("{COPIED} {{{{ pw }}}}\n"), PASSWORD, None),
    );
    desk.write("play.yml", PLAY);
    let secrets = [PASSWORD, INLINE, WHOLE, COPIED];
    for form in ["human", "ansible", "json"] {
        for host in ["both", "copied", "rendered"] {
            let _ = std::fs::remove_file(desk.home("web1").join(host));
        }
        let stop = AtomicBool::new(false);
        let (ran, seen) = std::thread::scope(|scope| {
            let watcher = scope.spawn(|| watch(&stop, &secrets));
            let ran = desk
                .cmd("run play.yml -i hosts.ini --vault-password-file pass -vvvv --diff --log-file log --output")
                .arg(form)
                .run();
            stop.store(true, Ordering::Relaxed);
            (ran, watcher.join().unwrap())
        });
        let ran = ran.code(2);
        assert!(seen.is_empty(), "{form}: in /proc: {seen:?}");
        // The play did its work with the real values.
        assert_eq!(desk.host_file("web1", "both"), format!("{WHOLE} {INLINE}\n"));
        assert_eq!(desk.host_file("web1", "copied"), COPIED);
        assert_eq!(desk.host_file("web1", "rendered"), format!("{COPIED} {INLINE}\n"));
        for secret in secrets {
            assert!(!ran.out.contains(secret), "{form}: {secret} in {}", ran.out);
            assert!(!ran.err.contains(secret), "{form}: {secret} in {}", ran.err);
            for folder in ["state", "tmp", "home", "log", "play.retry"] {
                let found = files_with(&desk.path(folder), secret);
                assert!(found.is_empty(), "{form}: {secret} in {found:?}");
            }
        }
        assert!(!ran.out.contains("aW5MaU5l"), "{form}: base64 in {}", ran.out);
        assert!(ran.out.contains("********"), "{form}: {}", ran.out);
        if form == "json" {
            let events = ran.events();
            // Short, but of an encrypted file: the task that reads it tells nothing.
            let late = events.iter().find(|event| event["module"] == "include_vars").unwrap();
            assert!(text(&late["result"]["censored"]).contains("hidden"), "{late}");
            // Bytes that are no text are told all the same, without the secret.
            assert!(
                events.iter().any(|event| event["stdout_b64"].is_string()),
                "{}",
                ran.out
            );
        }
    }
    // What the hosts were left with is what the play put there.
    let home = desk.home("web1");
    for secret in secrets {
        for path in files_with(&home, secret) {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            assert!(["both", "copied", "rendered"].contains(&name.as_str()), "{path:?}");
        }
    }
}

#[test]
fn ordinary_words_that_were_encrypted_are_shown() {
    let desk = Desk::hosts(&["web1"]);
    desk.write("pass", PASSWORD);
    desk.write(
        "group_vars/web.yml",
        &sealed(
            "env: production\nport: 5432\nyes_no: 'yes'\nuser: root\nansible_python_interpreter: /usr/bin/python-7\n",
            PASSWORD,
            None,
        ),
    );
    let ran = desk
        .cmd("exec -i hosts.ini --vault-password-file pass --no-retry-file -m debug -a")
        .arg("msg='{{ env }} {{ port }} {{ yes_no }} {{ user }} {{ ansible_python_interpreter }}'")
        .run()
        .code(0);
    assert!(
        ran.out.contains("production 5432 yes root /usr/bin/python-7"),
        "{}",
        ran.out
    );
}

#[test]
fn r38_batchssh_vault_leaves_no_plain_text_and_no_password_behind() {
    let bench = Bench::new();
    bench.write("pass", PASSWORD, 0o600);
    bench.write("plain", STRING, 0o600);
    bench.write("editor", "#!/bin/sh\nsleep 0.3\necho >>\"$1\"\n", 0o700);
    let memory = tempfile::tempdir_in("/dev/shm").ok();
    let secrets = [PASSWORD, STRING];
    for (words, stdin) in [
        ("vault encrypt plain", None),
        ("vault edit plain", None),
        ("vault view plain --vault-id x@prints", None),
        ("vault rekey plain --new-vault-password-file prints", None),
        (
            "vault encrypt_string --stdin-name x --output out.yml",
            Some("plain-copy"),
        ),
    ] {
        bench.write("prints", "#!/bin/sh\nsleep 0.1\ncat pass\n", 0o700);
        if let Some(name) = stdin {
            bench.write(name, STRING, 0o600);
        }
        let stop = AtomicBool::new(false);
        let (ran, seen) = std::thread::scope(|scope| {
            let watcher = scope.spawn(|| watch(&stop, &secrets));
            let mut cmd = bench.cmd(words).args("--vault-password-file pass");
            cmd.command.env("EDITOR", bench.path("editor"));
            if let Some(memory) = &memory {
                cmd.command.env("XDG_RUNTIME_DIR", memory.path());
            }
            if let Some(name) = stdin {
                cmd.command.stdin(std::fs::File::open(bench.path(name)).unwrap());
            }
            let ran = cmd.run().code(0);
            stop.store(true, Ordering::Relaxed);
            (ran, watcher.join().unwrap())
        });
        assert!(seen.is_empty(), "{words}: in /proc: {seen:?}");
        let is_view = words.contains("view");
        assert!(is_view || !ran.out.contains(STRING), "{words}: {}", ran.out);
        assert!(
            !ran.err.contains(STRING) && !ran.err.contains(PASSWORD) && !ran.out.contains(PASSWORD),
            "{words}"
        );
        if let Some(name) = stdin {
            std::fs::remove_file(bench.path(name)).unwrap();
        }
        let found = files_with(&bench.path(""), STRING);
        assert!(found.is_empty(), "{words}: {found:?}");
        assert_eq!(files_with(&bench.path(""), PASSWORD), [bench.path("pass")], "{words}");
        if let Some(memory) = &memory {
            assert!(files_with(memory.path(), STRING).is_empty(), "{words}");
        }
    }
}
