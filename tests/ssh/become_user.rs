use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use batchssh::secret::Secret;
use batchssh::shell::Command;
use batchssh::shell::elevate::{Become, Method};
use batchssh::transport::{Exec, ExitStatus, SessionError, Stdin};

use crate::sshd::{Options, Sshd};
use crate::support::{Ran, deadline, ends_soon, exec, me, session};

/// A `sudo` that asks as the real one does and knows one password; it runs what it is given as the same user.
const FAKE: &str = r#"#!/bin/sh
while [ "$1" != -- ]; do
  case $1 in -p) prompt=$2; shift ;; -u) shift ;; -n) echo "sudo: a password is required" >&2; exit 1 ;; esac
  shift
done
shift
for try in 1 2 3; do
  printf '%s' "$prompt" >&2
  read -r word || exit 1
  echo >&2
  [ "$word" = right ] && exec "$@"
  echo "Sorry, try again." >&2
done
exit 1
"#;

fn fake(sshd: &Sshd, name: &str, text: &str) -> String {
    let path = sshd.path(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

fn elevate(exe: Option<String>, password: Option<&str>) -> Become {
    Become {
        method: Method::Sudo,
        user: "root".to_owned(),
        password: password.map(|word| Secret::new(word.to_owned())),
        flags: vec![],
        exe,
    }
}

fn run_as(sshd: &Sshd, script: &str, stdin: &[u8], elevate: &Become, limit: u64) -> Ran {
    let command = Command::raw_script(script);
    let request = Exec {
        stdin: Stdin::Bytes(stdin),
        elevate: Some(elevate),
        ..Exec::new(&command)
    };
    exec(&mut *session(sshd), request, &deadline(limit))
}

#[test]
fn sudo_gets_its_password_and_the_command_its_input() {
    let sshd = Sshd::start(&Options::default());
    let exe = fake(&sshd, "sudo", FAKE);
    let ran = run_as(
        &sshd,
        "cat; echo err >&2; exit 4",
        b"in\nput",
        &elevate(Some(exe.clone()), Some("right")),
        20_000,
    );
    assert_eq!(ran.status.unwrap(), ExitStatus::Code(4));
    assert_eq!(
        (ran.out.as_slice(), ran.err.as_slice()),
        (&b"in\nput"[..], &b"err\n"[..])
    );
    let ran = run_as(
        &sshd,
        "cat",
        b"input",
        &elevate(Some(exe.clone()), Some("wrong")),
        20_000,
    );
    assert!(
        ran.status
            .unwrap_err()
            .to_string()
            .contains("incorrect become password for `root`")
    );
    assert!(ran.out.is_empty() && ran.err.is_empty());
    let ran = run_as(&sshd, "cat", b"input", &elevate(Some(exe), None), 20_000);
    assert!(
        ran.status
            .unwrap_err()
            .to_string()
            .contains("needs a password to become `root`: -K")
    );
    let ran = run_as(&sshd, "cat", b"", &elevate(Some("/no/sudo".to_owned()), None), 20_000);
    assert!(ran.status.unwrap_err().to_string().contains("is not on this host"));
}

#[test]
fn r39_a_host_with_a_fake_prompt_gets_no_password() {
    let sshd = Sshd::start(&Options::default());
    let evil = format!(
        "#!/bin/sh\nprintf '[sudo] password for root: ' >&2\nprintf 'Password: '\ntimeout 1 cat > {0}\nexit 1\n",
        sshd.path("caught").display()
    );
    let exe = fake(&sshd, "evil", &evil);
    let ran = run_as(&sshd, "true", b"input", &elevate(Some(exe), Some("hunter2")), 20_000);
    let said = ran.status.unwrap_err().to_string();
    assert!(!said.contains("hunter2"), "{said}");
    assert_eq!(std::fs::read(sshd.path("caught")).unwrap_or_default(), b"");
}

#[test]
fn requiretty_is_named() {
    let sshd = Sshd::start(&Options::default());
    let exe = fake(
        &sshd,
        "tty",
        "#!/bin/sh\necho 'sudo: sorry, you must have a tty to run sudo' >&2; exit 1\n",
    );
    let ran = run_as(&sshd, "true", b"", &elevate(Some(exe), Some("right")), 20_000);
    assert!(ran.status.unwrap_err().to_string().contains("requiretty"));
}

#[test]
fn the_real_sudo_and_su_become_somebody_else() {
    if me() != "root" {
        return;
    }
    let sshd = Sshd::start(&Options::default());
    for method in [Method::Sudo, Method::Su] {
        let mut who = elevate(None, None);
        who.method = method;
        who.user = "nobody".to_owned();
        if method == Method::Su {
            // nobody has no shell to log in with.
            who.flags = vec!["-s".to_owned(), "/bin/sh".to_owned()];
        } else {
            crate::sshd::program("sudo", "sudo");
        }
        let ran = run_as(&sshd, "id -un; cat", b"input\n", &who, 20_000);
        assert_eq!(
            ran.status.unwrap(),
            ExitStatus::Code(0),
            "{method:?} {:?}",
            String::from_utf8_lossy(&ran.err)
        );
        assert_eq!(ran.out, b"nobody\ninput\n", "{method:?}");
        let start = Instant::now();
        let ran = run_as(&sshd, "sleep 1020 & echo $!; sleep 1021", b"", &who, 900);
        assert!(
            matches!(ran.status, Err(SessionError::Stopped { survivor: None, .. })),
            "{method:?} {:?}",
            ran.status
        );
        assert!(start.elapsed().as_millis() < 2900);
        assert!(ends_soon(&String::from_utf8(ran.out).unwrap()), "{method:?}");
    }
}

#[test]
fn a_user_that_is_not_there_is_a_refusal() {
    if me() != "root" {
        return;
    }
    let sshd = Sshd::start(&Options::default());
    let mut who = elevate(None, None);
    who.user = "no-such-user".to_owned();
    let ran = run_as(&sshd, "id", b"", &who, 20_000);
    let said = ran.status.unwrap_err().to_string();
    assert!(said.contains("no-such-user"), "{said}");
}
