//! Stores that cannot be used, or must not: a clear verdict, and nothing runs.

use std::os::unix::fs::{PermissionsExt, symlink};

use batchssh::marker::{Act, Envelope, Verdict};

use crate::records::give_away;
use crate::support::{Host, Task, finish, hosts};

fn refusal(host: &Host) -> String {
    let ran = host.run(&Task::once("a", "x"), &Act::Run, ": >ran");
    assert!(!host.home.path().join("ran").exists(), "{}", host.shell);
    match ran.verdict {
        Verdict::Store(words) => words,
        other => panic!("{}: {other:?}", host.shell),
    }
}

#[test]
fn a_store_that_others_could_have_written_is_refused() {
    for host in hosts() {
        let store = host.store();
        std::fs::create_dir_all(store.join("markers")).unwrap();
        let mode =
            |path: &std::path::Path, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        mode(&store.join("markers"), 0o700);
        for bad in [0o777, 0o720, 0o702] {
            mode(&store, bad);
            assert!(refusal(&host).contains("can be written to by others"), "{}", host.shell);
        }
        mode(&store, 0o700);
        mode(&store.join("markers"), 0o770);
        assert!(refusal(&host).contains("can be written to by others"), "{}", host.shell);
        mode(&store.join("markers"), 0o700);
        assert_eq!(host.run(&Task::once("ok", "x"), &Act::Run, ":").verdict, Verdict::Ran);
        if give_away(&store) {
            assert!(refusal(&host).contains("belongs to another user"), "{}", host.shell);
        } else {
            eprintln!("skipped: only root can give folders away");
        }
    }
}

#[test]
fn a_store_behind_a_link_is_refused() {
    for host in hosts() {
        let aside = host.home.path().join("aside");
        std::fs::create_dir_all(aside.join("markers")).unwrap();
        symlink(&aside, host.store()).unwrap();
        assert!(refusal(&host).contains("symbolic link"), "{}", host.shell);
        std::fs::remove_file(host.store()).unwrap();
        std::fs::create_dir(host.store()).unwrap();
        symlink(aside.join("markers"), host.store().join("markers")).unwrap();
        assert!(refusal(&host).contains("symbolic link"), "{}", host.shell);
    }
}

#[test]
fn a_store_that_cannot_be_made_says_why() {
    for host in hosts() {
        std::fs::write(host.store(), "").unwrap();
        assert!(refusal(&host).contains("cannot be made"), "{}", host.shell);
        std::fs::remove_file(host.store()).unwrap();
        let file = host.home.path().join("file");
        std::fs::write(&file, "").unwrap();
        let nonce = Envelope::nonce().unwrap();
        let task = Task::once("a", "x");
        let mut envelope = task.envelope(&host, &nonce);
        let below = file.join("store").display().to_string();
        envelope.store = Some(&below);
        let ran = finish(host.start(&host.text(&envelope, &Act::Run, ":")), &nonce);
        assert!(
            matches!(&ran.verdict, Verdict::Store(words) if words.contains("cannot be made")),
            "{:?}",
            ran.verdict
        );
    }
}

#[test]
fn a_full_disk_stops_the_task_before_it_begins() {
    // /dev/full is a disk without room: the records' folder leads there by a bind mount only root could make, so a limit on
    // the size of files stands for it.
    for host in hosts() {
        let nonce = Envelope::nonce().unwrap();
        let task = Task::once("a", "x");
        let mut text = b"ulimit -f 0; trap '' XFSZ; ".to_vec();
        text.extend(host.text(&task.envelope(&host, &nonce), &Act::Run, "echo x"));
        let ran = finish(host.start(&text), &nonce);
        assert!(
            matches!(&ran.verdict, Verdict::Store(_)),
            "{}: {:?}",
            host.shell,
            ran.verdict
        );
        assert_eq!(ran.stdout, "", "{}", host.shell);
        assert_eq!(host.run(&task, &Act::Run, ":").verdict, Verdict::Ran, "{}", host.shell);
    }
}

#[test]
fn without_a_name_the_store_is_in_the_users_home_or_roots_own_place() {
    for host in hosts() {
        let nonce = Envelope::nonce().unwrap();
        let task = Task::once("where", "x");
        let mut envelope = task.envelope(&host, &nonce);
        envelope.store = None;
        if rustix::process::getuid().is_root() {
            // Looked at only: this machine's own store is left alone.
            let ran = finish(host.start(&host.text(&envelope, &Act::Look, "")), &nonce);
            assert_eq!(ran.verdict, Verdict::Would, "{}", host.shell);
            assert!(!host.store().exists());
        } else {
            let ran = finish(host.start(&host.text(&envelope, &Act::Run, ":")), &nonce);
            assert_eq!(ran.verdict, Verdict::Ran, "{}", host.shell);
            assert_eq!(host.records().len(), 2);
        }
    }
}
