//! `put` and `get`: what arrives is what was sent, by name, bytes, permissions and links, and a second time nothing
//! is sent.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Permissions};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use sha2::Digest as _;

use crate::sshd::{Options, Sshd};
use crate::support::{Desk, Ran, mode, text};

/// Names that a shell, a terminal or a line-based protocol would stumble over.
const NAMES: &[&[u8]] = &[
    b"new\nline",
    b"\n",
    b"quo'te\"s",
    b"-rf",
    b"--",
    b" spaces  around ",
    b"*",
    b"?[a-z]",
    b"$(touch x)`id`;&|",
    b"back\\slash\\n",
    b"tab\tand\x1b[2Jescape",
    b"\xff\xfe not UTF-8",
    b"\xc3\xbcml\xc3\xa4ut",
    b"...",
    b"~",
    b"#{{ x }}",
    b"%s%n",
    b".hidden",
];

fn write(path: &Path, content: &[u8], mode: u32) {
    fs::write(path, content).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn make_dir(path: &Path) {
    fs::create_dir_all(path).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
}

/// A tree with every kind of thing; its links stay inside.
fn odd_tree(root: &Path) {
    make_dir(root);
    for (number, name) in NAMES.iter().enumerate() {
        write(
            &root.join(OsStr::from_bytes(name)),
            format!("{number}\n").as_bytes(),
            0o644,
        );
        let dir = root.join("dirs").join(OsStr::from_bytes(name));
        make_dir(&root.join("dirs"));
        make_dir(&dir);
        write(&dir.join(OsStr::from_bytes(name)), name, 0o600);
    }
    let long = OsString::from_vec(vec![b'n'; 255]);
    write(&root.join(long), b"long", 0o644);
    write(&root.join("empty"), b"", 0o644);
    write(&root.join("secret"), b"s", 0o400);
    write(&root.join("program"), b"#!/bin/sh\n", 0o755);
    write(
        &root.join("binary"),
        &(0..=255).cycle().take(100_000).collect::<Vec<u8>>(),
        0o664,
    );
    make_dir(&root.join("hollow/still"));
    fs::set_permissions(root.join("hollow"), Permissions::from_mode(0o700)).unwrap();
    make_dir(&root.join("fixed/below"));
    write(&root.join("fixed/below/file"), b"f", 0o444);
    symlink("program", root.join("link")).unwrap();
    symlink("../secret", root.join("fixed/up")).unwrap();
    symlink("hollow/still", root.join("to dir")).unwrap();
    symlink("no\nwhere", root.join("dangling")).unwrap();
    for dir in ["fixed/below", "fixed"] {
        fs::set_permissions(root.join(dir), Permissions::from_mode(0o555)).unwrap();
    }
}

/// Everything below a folder: kind, permissions, content or target.
fn tree(root: &Path) -> BTreeMap<Vec<u8>, String> {
    let mut all = BTreeMap::new();
    for entry in walkdir::WalkDir::new(root) {
        let entry = entry.unwrap();
        let path = entry.path();
        let kind = entry.file_type();
        let line = if kind.is_symlink() {
            format!("-> {}", fs::read_link(path).unwrap().display())
        } else if kind.is_dir() {
            format!("{:o} directory", mode(path))
        } else {
            let sum: String = sha2::Sha256::digest(fs::read(path).unwrap())
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            format!("{:o} {sum}", mode(path))
        };
        all.insert(path.strip_prefix(root).unwrap().as_os_str().as_bytes().to_vec(), line);
    }
    all
}

#[track_caller]
fn assert_same(left: &Path, right: &Path) {
    let (left, right) = (tree(left), tree(right));
    for (path, line) in &left {
        assert_eq!(right.get(path), Some(line), "{}", String::from_utf8_lossy(path));
    }
    assert_eq!(left.len(), right.len());
}

/// `host status` of each result, of a command that must end well.
fn results(ran: Ran) -> String {
    let ran = ran.well();
    let results = ran.results().join(" ");
    let changed = ran
        .events()
        .iter()
        .filter(|event| event["event"] == "task_result")
        .any(|event| event["result"]["changed"] == true);
    assert_eq!(changed, results.contains("changed"), "{}", ran.out);
    results
}

#[test]
fn an_odd_tree_arrives_as_it_is_and_comes_back_as_it_was() {
    let desk = Desk::hosts(&["web1", "web2"]);
    let src = desk.path("tree");
    odd_tree(&src);
    let put = || results(desk.cmd("put tree copy/of/it -i hosts.ini --output json").run());
    assert_eq!(put(), "web1 changed web2 changed");
    for host in ["web1", "web2"] {
        assert_same(&src, &desk.home(host).join("copy/of/it"));
        assert_eq!(mode(&desk.home(host).join("copy/of")), 0o755);
    }
    assert_eq!(put(), "web1 ok web2 ok");
    let get = || results(desk.cmd("get copy/of/it back -i hosts.ini --output json").run());
    assert_eq!(get(), "web1 changed web2 changed");
    assert_same(&src, &desk.path("back/web1/it"));
    assert_same(&src, &desk.path("back/web2/it"));
    assert_eq!(get(), "web1 ok web2 ok");

    // One byte, one right and one link at one host: only they are mended, and only there.
    let copy = desk.home("web2").join("copy/of/it");
    fs::set_permissions(copy.join("secret"), Permissions::from_mode(0o640)).unwrap();
    write(&copy.join("program"), b"#!/bin/sH\n", 0o755);
    fs::remove_file(copy.join("link")).unwrap();
    symlink("secret", copy.join("link")).unwrap();
    assert_eq!(put(), "web1 ok web2 changed");
    assert_same(&src, &copy);
    // Nothing else of the host is touched: what only it has stays.
    fs::write(copy.join("of its own"), "x").unwrap();
    assert_eq!(put(), "web1 ok web2 ok");
    assert!(copy.join("of its own").exists());
    assert!(
        !desk.path("x").exists() && !desk.home("web1").join("x").exists(),
        "a name was run"
    );
}

#[test]
fn links_that_lead_out_are_sent_as_they_are_and_never_made_on_the_controller() {
    let desk = Desk::hosts(&["web1"]);
    let src = desk.path("tree");
    make_dir(&src);
    fs::write(src.join("z"), "z").unwrap();
    symlink("/etc/hostname", src.join("absolute")).unwrap();
    symlink("../../../outside", src.join("up")).unwrap();
    assert_eq!(
        results(desk.cmd("put tree tree -i hosts.ini --output json").run()),
        "web1 changed"
    );
    assert_same(&src, &desk.home("web1").join("tree"));
    assert_eq!(
        results(desk.cmd("put tree tree -i hosts.ini --output json").run()),
        "web1 ok"
    );
    let ran = desk.cmd("get tree back -i hosts.ini").run().code(2);
    assert!(
        ran.err.contains("tree/absolute") || ran.out.contains("tree/absolute"),
        "{}{}",
        ran.out,
        ran.err
    );
    assert_eq!(desk.read("back/web1/tree/z"), "z");
    assert_eq!(tree(&desk.path("back/web1/tree")).len(), 2);
}

#[test]
fn thousands_of_small_files_arrive_and_are_not_sent_again() {
    let desk = Desk::hosts(&["web1"]);
    let src = desk.path("many");
    for dir in 0..40 {
        let dir = src.join(format!("d{dir}"));
        fs::create_dir_all(dir.join("empty")).unwrap();
        for file in 0..100 {
            fs::write(dir.join(format!("f{file}")), format!("{file}\n")).unwrap();
        }
    }
    let put = || results(desk.cmd("put many many -i hosts.ini --output json").run());
    assert_eq!(put(), "web1 changed");
    assert_same(&src, &desk.home("web1").join("many"));
    assert_eq!(put(), "web1 ok");
    let get = || results(desk.cmd("get many back -i hosts.ini --output json").run());
    assert_eq!(get(), "web1 changed");
    assert_same(&src, &desk.path("back/web1/many"));
    assert_eq!(get(), "web1 ok");
}

fn same_bytes(left: &Path, right: &Path) -> bool {
    Command::new("cmp").arg(left).arg(right).status().unwrap().success()
}

#[test]
fn a_file_of_one_gibibyte_arrives_and_comes_back() {
    let desk = Desk::hosts(&["web1"]);
    let src = desk.path("big");
    let file = File::create(&src).unwrap();
    file.set_len((1 << 30) + 12_345).unwrap();
    for at in [0, 1 << 20, (1 << 29) + 7, (1 << 30) - 3] {
        file.write_all_at(b"something that is not zero", at).unwrap();
    }
    let put = || results(desk.cmd("put big big -i hosts.ini --output json").run());
    assert_eq!(put(), "web1 changed");
    assert!(same_bytes(&src, &desk.home("web1").join("big")));
    assert_eq!(put(), "web1 ok");
    assert_eq!(
        results(desk.cmd("get big back -i hosts.ini --output json").run()),
        "web1 changed"
    );
    assert!(same_bytes(&src, &desk.path("back/web1/big")));
}

#[test]
fn where_a_copy_goes_follows_from_the_words_alone() {
    let desk = Desk::hosts(&["web1"]);
    desk.write("a", "a");
    desk.write("dir/b", "b");
    let home = desk.home("web1");
    let put = |words: &str| results(desk.cmd("put").args(words).args("-i hosts.ini --output json").run());
    let there = |path: &str| home.join(path).exists();
    for (words, file) in [
        ("a new", "new"),
        ("a in/", "in/a"),
        ("dir copy", "copy/b"),
        ("dir in/", "in/dir/b"),
        ("dir/ copy2", "copy2/b"),
        ("a dir both", "both/dir/b"),
        ("a dir both2/", "both2/a"),
        ("dir copy", "copy/b"),
        ("dir in/", "in/dir/b"),
    ] {
        let expected = if there(file) { "web1 ok" } else { "web1 changed" };
        assert_eq!(put(words), expected, "{words}");
        assert!(there(file), "{words}");
    }
    assert!(there("both/a") && !there("copy/dir") && !there("in/dir/dir"));
    let absolute = home.join("in/absolute");
    for status in ["web1 changed", "web1 ok"] {
        assert_eq!(put(&format!("a {}", absolute.display())), status);
    }
    assert_eq!(fs::read_to_string(absolute).unwrap(), "a");
    // The directory of a single file must be there: a slip of the pen makes no new one.
    let ran = desk.cmd("put a no/such -i hosts.ini").run().code(2);
    assert!(ran.out.contains("no/such: ") && !there("no"), "{}{}", ran.out, ran.err);

    let ran = desk.cmd("get nothing/here back -i hosts.ini").run().code(2);
    assert!(
        ran.err.contains("nothing/here") || ran.out.contains("nothing/here"),
        "{}{}",
        ran.out,
        ran.err
    );
    assert_eq!(
        results(desk.cmd("get new back -i hosts.ini --output json").run()),
        "web1 changed"
    );
    assert_eq!(desk.read("back/web1/new"), "a");
}

#[test]
fn a_host_without_sftp_gets_and_gives_the_same_tree() {
    let desk = Desk::hosts(&[]);
    let home = desk.path("host");
    fs::create_dir(&home).unwrap();
    let config = format!(
        "ForceCommand cd {0} && HOME={0} exec sh -c \"$SSH_ORIGINAL_COMMAND\"",
        home.display()
    );
    let sshd = Sshd::start(&Options {
        config: &config,
        no_sftp: true,
        ..Options::default()
    });
    desk.write(
        "hosts.ini",
        &format!(
            "bare ansible_host={} ansible_port={} ansible_user={} ansible_ssh_private_key_file={}\n",
            sshd.address,
            sshd.port,
            desk.fleet.user(),
            sshd.path("id").display()
        ),
    );
    let src = desk.path("tree");
    odd_tree(&src);
    let run = |words: &str| {
        let known = sshd.path("known_hosts").display().to_string();
        let ran = desk
            .cmd(words)
            .args("-i hosts.ini --output json --known-hosts")
            .arg(known)
            .run()
            .code(0);
        let events = ran.events();
        let result = events.iter().find(|event| event["event"] == "task_result").unwrap();
        text(&result["status"]).to_owned()
    };
    assert_eq!(run("put tree copy"), "changed");
    assert_same(&src, &home.join("copy"));
    assert_eq!(run("put tree copy"), "ok");
    assert_eq!(run("get copy back"), "changed");
    assert_same(&src, &desk.path("back/bare/copy"));
    assert_eq!(run("get copy back"), "ok");
    let log = sshd.log();
    assert!(
        log.contains("sftp") && log.contains("subsystem not found"),
        "SFTP was not refused: {log}"
    );
}
