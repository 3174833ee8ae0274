//! The snippets are POSIX `sh`, as far as `shellcheck` can tell; skipped where it is not installed.

use std::io::Write;
use std::process::{Command, Stdio};

use batchssh::shell::snippets;

#[test]
fn snippets_are_clean_under_shellcheck() {
    if Command::new("shellcheck").arg("--version").output().is_err() {
        return;
    }
    for (name, text) in snippets::ALL {
        // SC2317 and SC2329: functions of the common part that one snippet does not use.
        let mut child = Command::new("shellcheck")
            .args(["-s", "sh", "-e", "SC2317,SC2329", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "{name}: {}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
}

#[test]
fn snippets_can_be_parsed_by_every_shell() {
    for shell in [&["dash"][..], &["bash", "--posix"][..], &["busybox", "sh"][..]] {
        for (name, text) in snippets::ALL {
            let Ok(output) = Command::new(shell[0])
                .args(&shell[1..])
                .args(["-n", "-c", text])
                .output()
            else {
                continue;
            };
            assert!(
                output.status.success(),
                "{name} under {shell:?}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }
}
