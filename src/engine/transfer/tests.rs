//! Whole transfers over a real sftp-server and over real shells.

#![allow(
    clippy::cast_possible_truncation,
    clippy::naive_bytecount,
    reason = "numbers of tests are small"
)]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::*;
use crate::names::HostName;
use crate::transport::files::WalkLimits;
use crate::transport::testing::{LocalSession, soon};
use crate::transport::{Session, SessionError};

/// Names that break tools which split, glob, or take them for options.
const ODD: [&[u8]; 12] = [
    b"plain",
    b"with space",
    b"new\nline",
    b"-rf",
    b"quote'\"`$(id)",
    b"back\\slash\\n",
    b"\xff\xfe-not-utf8",
    b"*?[a]",
    b"\x1b[31m",
    b"cr\rtab\t",
    b" ",
    b"%s%n",
];

fn name(bytes: &[u8]) -> &OsStr {
    OsStr::from_bytes(bytes)
}

fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// A tree with everything that is hard to copy.
fn odd_tree(root: &Path) {
    std::fs::create_dir_all(root.join("empty dir")).unwrap();
    for (i, odd) in ODD.iter().enumerate() {
        let content: Vec<u8> = (0..i * 1000).map(|n| (n * 7 % 256) as u8).collect();
        std::fs::write(root.join(name(odd)), content).unwrap();
        let dir = root.join("dirs").join(name(odd));
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join(name(odd)), odd).unwrap();
        symlink(name(odd), root.join(format!("link{i}"))).unwrap();
    }
    std::fs::write(root.join("large"), vec![b'x'; 700_001]).unwrap();
    symlink("nowhere/at all\n", root.join("dangling")).unwrap();
    symlink("end", root.join("dirs/to-end")).unwrap();
    symlink("../plain", root.join("dirs/up")).unwrap();
    for (file, bits) in [("plain", 0o600), ("with space", 0o755), ("large", 0o444)] {
        mode(&root.join(file), bits);
    }
    mode(&root.join("empty dir"), 0o700);
    mode(&root.join("dirs/with space"), 0o555);
}

type Listing = BTreeMap<Vec<u8>, (u32, Vec<u8>)>;

/// Type and mode, and content or target, of everything below `root`.
fn listing(root: &Path) -> Listing {
    let walk = walkdir::WalkDir::new(root).min_depth(1).into_iter().map(Result::unwrap);
    walk.map(|found| {
        let meta = found.path().symlink_metadata().unwrap();
        let content = if meta.is_symlink() {
            std::fs::read_link(found.path())
                .unwrap()
                .into_os_string()
                .as_bytes()
                .to_vec()
        } else if meta.is_file() {
            std::fs::read(found.path()).unwrap()
        } else {
            Vec::new()
        };
        let path = found.path().strip_prefix(root).unwrap().as_os_str().as_bytes().to_vec();
        (path, (meta.mode(), content))
    })
    .collect()
}

fn assert_same(left: &Path, right: &Path, what: &str) {
    let (left, right) = (listing(left), listing(right));
    let short = |listing: &Listing| -> Vec<_> {
        let line = |(path, (mode, content)): (&Vec<u8>, &(u32, Vec<u8>))| {
            (
                crate::transport::files::show_path(path),
                format!("{mode:o}"),
                content.len(),
            )
        };
        listing.iter().map(line).collect()
    };
    assert_eq!(short(&left), short(&right), "{what}");
    assert!(left == right, "{what}: contents differ");
}

/// Every way to a host that this machine has.
fn sessions(home: &Path, programs: &Path) -> Vec<(&'static str, LocalSession)> {
    let mut sessions = Vec::new();
    if let Some(session) = LocalSession::sftp(home) {
        sessions.push(("sftp", session));
    }
    if let Some(mut session) = LocalSession::sftp(home) {
        session.no_exec = Some(0);
        sessions.push(("sftp without commands", session));
    }
    for shell in ["dash", "bash"] {
        if Path::new("/bin").join(shell).exists() {
            // `sh -s` inside must be that shell too.
            let bin = programs.join(shell);
            std::fs::create_dir_all(&bin).unwrap();
            let _ = symlink(Path::new("/bin").join(shell), bin.join("sh"));
            let mut session = LocalSession::shell(home, &[shell]);
            session.path = Some(format!("{}:/usr/bin:/bin", bin.display()));
            sessions.push((shell, session));
        }
    }
    if let Some(session) = LocalSession::busybox(home, &programs.join("busybox")) {
        sessions.push(("busybox", session));
    }
    assert!(!sessions.is_empty());
    sessions
}

struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        for dir in ["src", "home", "programs"] {
            std::fs::create_dir(place.path(dir)).unwrap();
        }
        place
    }

    fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(below)
    }
}

fn do_put(session: &mut LocalSession, tree: &LocalTree, options: &PutOptions) -> Result<TransferReport, SessionError> {
    put(session, tree, options, None, &mut |_| {}, &soon())
}

fn do_get(session: &mut dyn Session, source: &str, dest: &Path) -> Result<TransferReport, SessionError> {
    let host = HostName::from("web1");
    let options = GetOptions::default();
    let request = GetRequest {
        source: source.as_bytes(),
        dest,
        host: &host,
    };
    get(session, request, &options, None, &mut |_| {}, &soon())
}

fn scan(source: &Path, dest: &str) -> Arc<LocalTree> {
    LocalTree::scan(&[source.to_owned()], dest.as_bytes()).unwrap()
}

#[test]
fn an_odd_tree_goes_round_and_a_second_run_changes_nothing() {
    let place = Place::new();
    let src = place.path("src");
    odd_tree(&src);
    for (i, (what, mut session)) in sessions(&place.path("home"), &place.path("programs"))
        .into_iter()
        .enumerate()
    {
        let dest = format!("a/b {i}/copy");
        let tree = scan(&src, &dest);
        let options = PutOptions::default();
        let dry = PutOptions {
            dry_run: true,
            ..PutOptions::default()
        };
        let told = do_put(&mut session, &tree, &dry).unwrap();
        assert!(!place.path("home").join(&dest).exists(), "{what}");
        let report = do_put(&mut session, &tree, &options).unwrap();
        assert_eq!(report.failures, [], "{what}");
        assert_eq!(told.changed, report.changed, "{what}");
        assert_eq!(report.unchanged, 0, "{what}");
        let copy = place.path("home").join(&dest);
        assert_same(&src, &copy, what);
        let execs = session.execs;
        let again = do_put(&mut session, &tree, &options).unwrap();
        assert_eq!(
            (again.changed, again.failed, again.files),
            (0, 0, 0),
            "{what}: {:?}",
            again.changes
        );
        assert_eq!(again.unchanged, tree.entries.len(), "{what}");
        assert!(session.execs - execs <= 5, "{what}: {} commands", session.execs - execs);

        let got = place.path(format!("got{i}"));
        let report = do_get(&mut session, &dest, &got).unwrap();
        assert_eq!(report.failures, [], "{what}");
        assert_same(&src, &got.join("web1/copy"), what);
        let execs = session.execs;
        let again = do_get(&mut session, &dest, &got).unwrap();
        assert_eq!(
            (again.changed, again.failed, again.files),
            (0, 0, 0),
            "{what}: {:?}",
            again.changes
        );
        assert!(session.execs - execs <= 3, "{what}: {} commands", session.execs - execs);
        let left: Vec<_> = listing(&place.path("home"))
            .into_keys()
            .filter(|p| p.ends_with(b".tmp"))
            .collect();
        assert_eq!(left, Vec::<Vec<u8>>::new(), "{what}");
    }
}

#[test]
fn only_what_is_different_is_replaced() {
    let place = Place::new();
    let src = place.path("src");
    odd_tree(&src);
    for (i, (what, mut session)) in sessions(&place.path("home"), &place.path("programs"))
        .into_iter()
        .enumerate()
    {
        let dest = format!("copy{i}");
        let tree = scan(&src, &dest);
        let options = PutOptions {
            preserve_times: true,
            ..PutOptions::default()
        };
        do_put(&mut session, &tree, &options).unwrap();
        let copy = place.path("home").join(&dest);
        // The same size, another content; another mode; another target; a file in place of a link, and a link of a file.
        mode(&copy.join("dirs/with space"), 0o755);
        std::fs::write(copy.join("dirs/with space/with space"), "WITH SPACE").unwrap();
        mode(&copy.join("dirs/with space"), 0o555);
        mode(&copy.join("plain"), 0o644);
        std::fs::remove_file(copy.join("dangling")).unwrap();
        symlink("elsewhere", copy.join("dangling")).unwrap();
        std::fs::remove_file(copy.join("link0")).unwrap();
        std::fs::write(copy.join("link0"), "x").unwrap();
        std::fs::remove_file(copy.join("*?[a]")).unwrap();
        symlink("/etc", copy.join("*?[a]")).unwrap();
        let report = do_put(&mut session, &tree, &options).unwrap();
        assert_eq!(report.failures, [], "{what}");
        assert_eq!(report.files, 2, "{what}: {:?}", report.changes);
        assert_same(&src, &copy, what);
        let time = |path: &Path| path.symlink_metadata().unwrap().mtime();
        for path in ["plain", "dirs", "dirs/with space", "*?[a]"] {
            assert_eq!(time(&src.join(path)), time(&copy.join(path)), "{what}: {path}");
        }
        let again = do_put(&mut session, &tree, &options).unwrap();
        assert!(!again.is_changed(), "{what}: {:?}", again.changes);
    }
}

#[test]
fn a_directory_in_the_way_is_a_failure_and_stays() {
    let place = Place::new();
    let src = place.path("src");
    std::fs::create_dir(src.join("sub")).unwrap();
    std::fs::write(src.join("sub/x"), "x").unwrap();
    std::fs::write(src.join("file"), "new").unwrap();
    std::fs::write(src.join("good"), "good").unwrap();
    for (i, (what, mut session)) in sessions(&place.path("home"), &place.path("programs"))
        .into_iter()
        .enumerate()
    {
        let copy = place.path("home").join(format!("copy{i}"));
        std::fs::create_dir_all(copy.join("file")).unwrap();
        std::fs::write(copy.join("file/keep"), "keep").unwrap();
        std::fs::write(copy.join("sub"), "not a directory").unwrap();
        let report = do_put(&mut session, &scan(&src, &format!("copy{i}")), &PutOptions::default()).unwrap();
        assert_eq!(report.failed, 3, "{what}: {}", report.message());
        assert!(
            report.message().contains("it is a directory, a file is wanted"),
            "{}",
            report.message()
        );
        assert_eq!(std::fs::read(copy.join("good")).unwrap(), b"good");
        assert_eq!(std::fs::read(copy.join("file/keep")).unwrap(), b"keep");
        assert_eq!(std::fs::read(copy.join("sub")).unwrap(), b"not a directory");
    }
}

#[test]
fn one_file_takes_the_name_it_is_given_or_goes_into_a_directory() {
    let place = Place::new();
    let file = place.path("src/motd");
    std::fs::write(&file, "hello\n").unwrap();
    for (i, (what, mut session)) in sessions(&place.path("home"), &place.path("programs"))
        .into_iter()
        .enumerate()
    {
        let home = place.path("home");
        let options = PutOptions::default();
        for dest in [format!("named{i}"), format!("~/new{i}/deep/")] {
            assert!(
                do_put(&mut session, &scan(&file, &dest), &options)
                    .unwrap()
                    .is_changed(),
                "{what}"
            );
            let again = do_put(&mut session, &scan(&file, &dest), &options).unwrap();
            assert_eq!((again.changed, again.unchanged), (0, 1), "{what}: {:?}", again.changes);
        }
        assert_eq!(std::fs::read(home.join(format!("named{i}"))).unwrap(), b"hello\n");
        assert_eq!(
            std::fs::read(home.join(format!("new{i}/deep/motd"))).unwrap(),
            b"hello\n"
        );
        let lost = do_put(&mut session, &scan(&file, "no/such/dir"), &options).unwrap();
        assert!(lost.message().contains("no/such/dir: "), "{what}: {}", lost.message());
        assert!(lost.is_failed() && !home.join("no").exists(), "{what}");
        // A link in place of the file is replaced, not written through.
        std::fs::write(home.join("precious"), "precious").unwrap();
        symlink("precious", home.join(format!("to{i}"))).unwrap();
        do_put(&mut session, &scan(&file, &format!("to{i}")), &options).unwrap();
        assert_eq!(std::fs::read(home.join("precious")).unwrap(), b"precious");
        assert!(!home.join(format!("to{i}")).is_symlink(), "{what}");
        let got = do_get(&mut session, &format!("named{i}"), &place.path("got")).unwrap();
        assert_eq!((got.files, got.bytes), (1, 6), "{what}: {}", got.message());
    }
}

#[test]
fn a_fifo_is_skipped_on_both_sides() {
    let place = Place::new();
    let home = place.path("home");
    std::fs::create_dir(home.join("t")).unwrap();
    for dir in [place.path("src"), home.join("t")] {
        std::fs::write(dir.join("x"), "x").unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, dir.join("pipe"), rustix::fs::Mode::RWXU).unwrap();
    }
    for (i, (what, mut session)) in sessions(&home, &place.path("programs")).into_iter().enumerate() {
        let report = do_put(
            &mut session,
            &scan(&place.path("src"), &format!("c{i}")),
            &PutOptions::default(),
        )
        .unwrap();
        assert_eq!((report.failed, report.skipped, report.files), (0, 1, 1), "{what}");
        let report = do_get(&mut session, "t", &place.path(format!("got{i}"))).unwrap();
        assert_eq!((report.failed, report.skipped, report.files), (0, 1, 1), "{what}");
        assert!(report.message().contains("pipe"), "{}", report.message());
    }
}

#[test]
fn r18_links_that_lead_outside_are_not_made_and_their_siblings_arrive() {
    let place = Place::new();
    let home = place.path("home");
    std::fs::create_dir_all(home.join("t/deep/down")).unwrap();
    for (target, link) in [
        ("/etc", "out"),
        ("../../x", "far"),
        ("deep/down/up/../..", "by-way"),
        ("../..", "deep/down/up"),
        ("self", "self"),
        ("deep/../good", "around"),
    ] {
        symlink(target, home.join("t").join(link)).unwrap();
    }
    std::fs::write(home.join("t/good"), "good").unwrap();
    mode(&home.join("t/good"), 0o4755);
    for (i, (what, mut session)) in sessions(&home, &place.path("programs")).into_iter().enumerate() {
        let dest = place.path(format!("got{i}"));
        let report = do_get(&mut session, "t", &dest).unwrap();
        let mut failed: Vec<_> = report.failures.iter().map(|(path, _)| path.as_str()).collect();
        failed.sort_unstable();
        assert_eq!(failed, ["t/by-way", "t/far", "t/out"], "{what}");
        let root = dest.join("web1/t");
        assert!(root.join("self").is_symlink() && root.join("around").exists(), "{what}");
        assert_eq!(
            std::fs::metadata(root.join("good")).unwrap().mode() & 0o7777,
            0o755,
            "{what}"
        );
    }
}

#[test]
fn r19_a_tree_too_large_is_given_up_before_anything_is_fetched() {
    let place = Place::new();
    let home = place.path("home");
    std::fs::create_dir(home.join("t")).unwrap();
    for i in 0..50 {
        std::fs::write(home.join(format!("t/{i}")), "x").unwrap();
    }
    for (what, mut session) in sessions(&home, &place.path("programs")) {
        let host = HostName::from("web1");
        let dest = place.path("got");
        let request = GetRequest {
            source: b"t",
            dest: &dest,
            host: &host,
        };
        let mut options = GetOptions {
            limits: WalkLimits { depth: 64, entries: 20 },
            ..GetOptions::default()
        };
        let error = get(&mut session, request, &options, None, &mut |_| {}, &soon());
        assert!(error.unwrap_err().to_string().contains("more than 20 paths"), "{what}");
        options.limits = WalkLimits::default();
        options.max_bytes = 10;
        let error = get(&mut session, request, &options, None, &mut |_| {}, &soon());
        assert!(error.unwrap_err().to_string().contains("10 are allowed"), "{what}");
        assert!(!place.path("got/web1/t/1").exists(), "{what}");
    }
}

#[test]
fn a_host_that_answers_nothing_is_never_a_success() {
    let place = Place::new();
    std::fs::write(place.path("src/x"), "x").unwrap();
    for code in [0, 127] {
        let mut session = LocalSession::shell(&place.path("home"), &["sh"]);
        session.no_exec = Some(code);
        let put = do_put(&mut session, &scan(&place.path("src"), "d"), &PutOptions::default());
        assert!(matches!(put, Err(SessionError::Refused { .. })), "{put:?}");
        let got = do_get(&mut session, "d", &place.path("got"));
        assert!(matches!(got, Err(SessionError::File { .. })), "{got:?}");
    }
}

#[test]
fn a_source_that_is_not_there_is_a_failure() {
    let place = Place::new();
    for (what, mut session) in sessions(&place.path("home"), &place.path("programs")) {
        let error = do_get(&mut session, "no such thing", &place.path("got"))
            .unwrap_err()
            .to_string();
        assert!(error.to_lowercase().contains("no such file"), "{what}: {error}");
        let error = do_get(&mut session, "/", &place.path("got")).unwrap_err().to_string();
        assert!(error.contains("no last part"), "{what}: {error}");
    }
}

#[test]
fn a_local_file_that_changed_since_the_scan_fails_alone() {
    let place = Place::new();
    let src = place.path("src");
    for file in ["a", "b", "c"] {
        std::fs::write(src.join(file), vec![b'x'; 20_000]).unwrap();
    }
    for (i, (what, mut session)) in sessions(&place.path("home"), &place.path("programs"))
        .into_iter()
        .enumerate()
    {
        let tree = scan(&src, &format!("copy{i}"));
        std::fs::write(src.join("b"), "shorter").unwrap();
        let report = do_put(&mut session, &tree, &PutOptions::default()).unwrap();
        assert_eq!((report.failed, report.files), (1, 2), "{what}");
        assert!(
            report.message().contains("changed while it was read"),
            "{}",
            report.message()
        );
        let names = listing(&place.path("home").join(format!("copy{i}")));
        assert_eq!(names.len(), 2, "{what}: nothing of it is left");
        std::fs::write(src.join("b"), vec![b'x'; 20_000]).unwrap();
    }
}

/// The most memory this process ever had, in KiB.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
#[ignore = "takes a minute and 3 GiB of disk; run alone: cargo test large_transfers -- --ignored --nocapture"]
fn large_transfers_are_fast_and_take_little_memory() {
    let place = Place::new();
    let src = place.path("src");
    for i in 0..4000 {
        let dir = src.join(format!("d{}", i % 40));
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join(i.to_string()), vec![b'x'; 4096]).unwrap();
    }
    let large = place.path("large");
    let chunk: Vec<u8> = (0..1 << 20)
        .map(|n: u32| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let mut file = std::fs::File::create(&large).unwrap();
    for _ in 0..1024 {
        std::io::Write::write_all(&mut file, &chunk).unwrap();
    }
    for (what, mut session) in sessions(&place.path("home"), &place.path("programs")) {
        if what == "sftp without commands" {
            continue;
        }
        for (name, source, dest) in [("4000 files", &src, "many"), ("1 GiB", &large, "one")] {
            let tree = scan(source, dest);
            let mut time = std::time::Instant::now();
            let mut lap = |step: &str| {
                println!(
                    "{what:8} {name:10} {step:10} {:6.2?} s, peak {} MiB",
                    time.elapsed(),
                    peak_memory() / 1024
                );
                time = std::time::Instant::now();
            };
            assert!(
                do_put(&mut session, &tree, &PutOptions::default())
                    .unwrap()
                    .failures
                    .is_empty()
            );
            lap("put");
            assert!(
                !do_put(&mut session, &tree, &PutOptions::default())
                    .unwrap()
                    .is_changed()
            );
            lap("put again");
            assert!(
                do_get(&mut session, dest, &place.path("got"))
                    .unwrap()
                    .failures
                    .is_empty()
            );
            lap("get");
            assert!(!do_get(&mut session, dest, &place.path("got")).unwrap().is_changed());
            lap("get again");
        }
        std::fs::remove_dir_all(place.path("home")).unwrap();
        std::fs::remove_dir_all(place.path("got")).unwrap();
        std::fs::create_dir(place.path("home")).unwrap();
    }
}
