//! The story against a stand-in for the program, which ends as the arguments ask.

use super::*;
use std::os::unix::fs::PermissionsExt;

fn play(script: &str) -> (u8, String, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("batchssh");
    std::fs::write(&program, format!("#!/bin/sh\n{script}")).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let deadline = Deadline::none(CancelToken::new()).within("the test", Duration::from_secs(60));
    let fleet = Fleet::start(&story::machines(), &deadline).unwrap();
    let root = fleet.dir().to_owned();
    let mut demo = Demo {
        folder: fleet.dir().join("work"),
        state: fleet.dir().join("state"),
        fleet,
        program,
        interrupt: Interrupt::listen().unwrap(),
        deadline,
        out: Vec::new(),
    };
    let code = match demo.play(&DemoOptions::default()) {
        Ok(code) => code,
        Err(Failed::Say(message)) => panic!("{message}"),
        Err(Failed::Print(error)) => panic!("{error}"),
    };
    let text = String::from_utf8(std::mem::take(&mut demo.out)).unwrap();
    (code, text, root)
}

#[test]
fn the_story_runs_to_its_end_when_every_command_ends_as_told() {
    let (code, text, root) = play(
        r#"
case "$*" in
*--limit*) rm site.retry; exit 0 ;;
run*)
    printf 'stor05  # refused\nstor14  # silent\n' >site.retry
    for host in stor01 stor07; do mkdir -p collected/$host; echo "plan of $host" >collected/$host/disk-plan; done
    exit 4 ;;
*) exit 4 ;;
esac
"#,
    );
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("\n$ batchssh audit disks -i hosts.ini -T 3\n(exit code 4)\n"),
        "{text}"
    );
    assert!(
        text.contains("\n$ cat site.retry\nstor05  # refused\nstor14  # silent\n"),
        "{text}"
    );
    assert!(text.contains("stor05 is mended\nstor14 is mended\n"), "{text}");
    assert!(!root.exists());
}

#[test]
fn a_command_that_ends_otherwise_stops_the_story() {
    let (code, text, root) = play("exit 0");
    assert_eq!(code, 70);
    assert!(text.contains("should have ended with exit code 4"), "{text}");
    assert!(!text.contains("site.yml\n"), "the next steps are not taken: {text}");
    assert!(!root.exists());
}
