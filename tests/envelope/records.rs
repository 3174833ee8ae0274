//! R42: a record that is not whole, not ours or of another version is never "done", and nothing runs because of it.

use std::path::Path;

use batchssh::marker::{Act, Verdict};

use crate::marker::rewrite;
use crate::support::{Host, Task, host, hosts, lines};

fn doubt(host: &Host, task: &Task) -> Option<String> {
    let verdict = host.run(task, &Act::Run, "echo x >>count").verdict;
    assert_eq!(
        lines(&host.home.path().join("count")),
        1,
        "{}: it ran again",
        host.shell
    );
    match verdict {
        Verdict::Doubt(doubt) => Some(doubt.why),
        Verdict::Done(_) => None,
        other => panic!("{}: {other:?}", host.shell),
    }
}

fn done(host: &Host) -> Task {
    let task = Task::once("a", "x");
    host.run(&task, &Act::Run, "echo x >>count");
    task
}

#[test]
fn r42_no_record_cut_or_changed_at_any_byte_is_taken_for_whole() {
    // In one shell that reads records as every exchange does; all bytes for the first, every seventh for the others.
    for (number, host) in hosts().into_iter().enumerate() {
        done(&host);
        let whole = std::fs::read(host.record(".1.d")).unwrap();
        let folder = host.home.path().join("bad");
        std::fs::create_dir(&folder).unwrap();
        for at in (0..whole.len()).step_by(if number == 0 { 1 } else { 7 }) {
            let mut changed = whole.clone();
            changed[at] ^= 0x15;
            std::fs::write(folder.join(format!("cut{at}")), &whole[..at]).unwrap();
            std::fs::write(folder.join(format!("changed{at}")), changed).unwrap();
        }
        std::fs::write(folder.join("whole"), &whole).unwrap();
        let script = format!(
            "b_nl='\n'\nset -- x\n{}\nfor f in bad/*; do b_load \"$f\" && echo \"$f\"; done",
            batchssh::shell::snippets::STORE
        );
        let output = host.script(&script);
        assert_eq!(output, "bad/whole\n", "{}", host.shell);
    }
}

#[test]
fn r42_a_record_cut_or_changed_is_in_doubt() {
    let host = host();
    let task = done(&host);
    for ending in [".1.d", ".1.i"] {
        let path = host.record(ending);
        let whole = std::fs::read(&path).unwrap();
        if ending == ".1.i" {
            // Without a done record it is the intent that counts.
            std::fs::remove_file(host.record(".1.d")).unwrap();
        }
        for at in (0..whole.len()).step_by(37) {
            let mut changed = whole.clone();
            changed[at] ^= 0x15;
            for bytes in [&whole[..at], &changed] {
                std::fs::write(&path, bytes).unwrap();
                let why = doubt(&host, &task).unwrap_or_else(|| panic!("{ending}, byte {at}: done"));
                assert!(why.starts_with("damaged"), "{ending}, byte {at}: {why}");
            }
        }
        std::fs::write(&path, &whole).unwrap();
    }
}

#[test]
fn r42_every_shell_sees_what_is_wrong_with_a_record() {
    for host in hosts() {
        let task = done(&host);
        let path = host.record(".1.d");
        let whole = std::fs::read(&path).unwrap();
        let mut more = whole.clone();
        more.extend_from_slice(b"more\n");
        let twice = [whole.as_slice(), &whole].concat();
        let bad: [&[u8]; 8] = [
            b"",
            b"\n",
            b"\0\0\0",
            &whole[..whole.len() - 1],
            &whole[..whole.len() / 2],
            &whole[1..],
            &more,
            &twice,
        ];
        for bytes in bad {
            std::fs::write(&path, bytes).unwrap();
            let why = doubt(&host, &task).unwrap_or_else(|| panic!("{}: {bytes:?} is done", host.shell));
            assert!(why.starts_with("damaged"), "{}: {why}", host.shell);
        }
        std::fs::write(&path, &whole).unwrap();
        assert_eq!(doubt(&host, &task), None, "{}", host.shell);
        rewrite(&path, "batchssh-record", "batchssh-record 2");
        assert!(
            doubt(&host, &task).unwrap().contains("another version"),
            "{}",
            host.shell
        );
    }
}

#[test]
fn r42_a_foreign_record_is_in_doubt() {
    for host in hosts() {
        let task = done(&host);
        let path = host.record(".1.d");
        let aside = host.home.path().join("aside");
        std::fs::rename(&path, &aside).unwrap();
        std::os::unix::fs::symlink(&aside, &path).unwrap();
        assert!(doubt(&host, &task).unwrap().contains("no plain file"), "{}", host.shell);
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(doubt(&host, &task).unwrap().contains("no plain file"), "{}", host.shell);
        std::fs::remove_dir(&path).unwrap();
        std::fs::rename(&aside, &path).unwrap();
        if !give_away(&path) {
            eprintln!("skipped: only root can give files away");
            continue;
        }
        assert!(doubt(&host, &task).unwrap().contains("another user"), "{}", host.shell);
    }
}

#[test]
fn r42_a_missing_done_record_leaves_the_intent_in_doubt() {
    for host in hosts() {
        let task = done(&host);
        std::fs::remove_file(host.record(".1.d")).unwrap();
        assert_eq!(doubt(&host, &task).as_deref(), Some("intent"), "{}", host.shell);
        // And no record at all is a task that was never begun.
        std::fs::remove_file(host.record(".1.i")).unwrap();
        assert_eq!(host.run(&task, &Act::Run, ":").verdict, Verdict::Ran);
    }
}

/// Makes a file another user's; false where that is not allowed.
pub fn give_away(path: &Path) -> bool {
    std::os::unix::fs::lchown(path, Some(65534), None).is_ok()
}
