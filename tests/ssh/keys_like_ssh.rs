//! known_hosts files, made up by dice: whether a server's key is good is asked of `ssh`, against a real sshd, and of us.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use batchssh::transport::ssh::known_hosts::{Answer, KnownHosts, hash_name, lookup_name};

use crate::dice::Dice;
use crate::sshd::{self, Options, Sshd};

/// How `ssh` judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judged {
    Good,
    Bad,
    Revoked,
}

fn theirs(sshd: &Sshd, files: &[PathBuf], alias: Option<&str>) -> Judged {
    let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    let mut ssh = Command::new(sshd::program("ssh", "openssh-client"));
    ssh.args(["-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"])
        .args([
            "-o",
            "UpdateHostKeys=no",
            "-o",
            "CheckHostIP=no",
            "-o",
            "PreferredAuthentications=none",
        ])
        .args(["-o", "GlobalKnownHostsFile=/dev/null", "-o"])
        .arg(format!("UserKnownHostsFile={}", files.join(" ")))
        .args(["-p", &sshd.port.to_string()])
        .args(alias.map(|alias| format!("-oHostKeyAlias={alias}")))
        .args([&sshd.address, "true"])
        .stdin(Stdio::null());
    let said = String::from_utf8_lossy(&ssh.output().unwrap().stderr).into_owned();
    if said.contains("REVOKED HOST KEY DETECTED") {
        Judged::Revoked
    } else if said.contains("Host key verification failed") {
        Judged::Bad
    } else {
        // Nobody wanted to log in.
        assert!(said.contains("Permission denied"), "{said}");
        Judged::Good
    }
}

fn ours(files: &[PathBuf], name: &str, key: &[u8]) -> Judged {
    match KnownHosts::new().check(files, name, key).unwrap() {
        Answer::Known => Judged::Good,
        Answer::Revoked { .. } => Judged::Revoked,
        Answer::Unknown { .. } | Answer::Changed { .. } => Judged::Bad,
    }
}

/// The names of a line.
fn names(dice: &mut Dice, sshd: &Sshd) -> String {
    let (address, port) = (&sshd.address, sshd.port);
    let net = address.rsplit_once('.').unwrap().0;
    if dice.in_hundred(15) {
        let hashed = match dice.below(4) {
            0 => format!("[{address}]:{port}"),
            1 => "web1".to_owned(),
            2 => address.clone(),
            _ => "elsewhere".to_owned(),
        };
        return hash_name(&hashed).unwrap();
    }
    let count = 1 + dice.below(3);
    let mut all = Vec::new();
    for _ in 0..count {
        let pattern = match dice.below(18) {
            0..=3 => format!("[{address}]:{port}"),
            4 => address.clone(),
            5 => format!("[{address}]:1"),
            6 => format!("[{net}.*]:{port}"),
            7 => "*".to_owned(),
            8 => format!("[*]:{port}"),
            9 => format!("{net}.*"),
            10 => format!("[{net}.?]:{port}"),
            11..=12 => "web1".to_owned(),
            13 => "WEB1".to_owned(),
            14 => "web?".to_owned(),
            15 => "w*1".to_owned(),
            16 => "elsewhere".to_owned(),
            _ => String::new(),
        };
        let not = if dice.in_hundred(12) { "!" } else { "" };
        all.push(format!("{not}{pattern}"));
    }
    all.join(",")
}

/// The key of a line: the right one, another one, or none that can be read.
fn key(dice: &mut Dice, right: &str, wrong: &str, rsa: &str) -> String {
    let (kind, text) = right.split_once(' ').unwrap();
    match dice.below(20) {
        0..=11 => right.to_owned(),
        12..=14 => wrong.to_owned(),
        15 => rsa.to_owned(),
        16 => format!("ssh-rsa {text}"),
        17 => format!("{kind} {}", &text[..text.len() - 9]),
        18 => format!("{kind} !!!!"),
        _ => kind.to_owned(),
    }
}

fn file(dice: &mut Dice, sshd: &Sshd, keys: [&str; 3]) -> String {
    let mut text = String::new();
    for _ in 0..=dice.below(4) {
        if dice.in_hundred(10) {
            text.push_str(dice.one(&["# a comment\n", "\n", "   \n", "#[127.0.0.1]:22 ssh-ed25519 AAAA\n"]));
        }
        let marker = match dice.below(20) {
            0..=2 => "@revoked ",
            3 => "@cert-authority ",
            4 => "@what ",
            _ => "",
        };
        let before = dice.one(&["", "", "", " ", "\t"]);
        let between = dice.one(&[" ", " ", "\t", "   "]);
        let behind = dice.one(&["", "", " a comment", " # one", "\r", "  "]);
        let (names, key) = (names(dice, sshd), key(dice, keys[0], keys[1], keys[2]));
        writeln!(text, "{before}{marker}{names}{between}{key}{behind}").unwrap();
    }
    if dice.in_hundred(20) {
        text.pop();
    }
    text
}

fn public(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    text.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

#[test]
fn r13_a_host_key_is_good_or_bad_as_ssh_judges_it() {
    // Newer servers make those wait that come often and do not log in.
    let version = Command::new(sshd::program("ssh", "openssh-client"))
        .arg("-V")
        .output()
        .unwrap();
    let version = String::from_utf8_lossy(&version.stderr).into_owned();
    let number = version
        .strip_prefix("OpenSSH_")
        .and_then(|rest| rest.split(['p', ' ', ',']).next());
    let number: Vec<u32> = number
        .unwrap_or_default()
        .split('.')
        .filter_map(|part| part.parse().ok())
        .collect();
    let config = if number >= vec![9, 8] {
        "PerSourcePenalties no\n"
    } else {
        ""
    };
    let sshd = Sshd::start(&Options {
        config,
        ..Options::default()
    });
    sshd::key(&sshd.path("wrong"), "ed25519", "");
    sshd::key(&sshd.path("wrong_rsa"), "rsa", "");
    let right = public(&sshd.path("host_ed25519.pub"));
    let (wrong, rsa) = (public(&sshd.path("wrong.pub")), public(&sshd.path("wrong_rsa.pub")));
    let blob = STANDARD.decode(right.split_once(' ').unwrap().1).unwrap();
    let (sshd, right, wrong, rsa, blob) = (&sshd, &right, &wrong, &rsa, &blob);
    // Two at a time: a connection is mostly waiting.
    let workers: Vec<u64> = (0..4).collect();
    let judged: Vec<(u64, Judged, Judged, String)> = std::thread::scope(|scope| {
        let threads: Vec<_> = workers
            .iter()
            .map(|worker| {
                scope.spawn(move || {
                    let mut judged = Vec::new();
                    for case in (*worker + 1060..1160).step_by(4) {
                        let dice = &mut Dice::new(case);
                        let files: Vec<PathBuf> = (0..=dice.below(2))
                            .map(|number| {
                                let path = sshd.path(&format!("kh{worker}-{number}"));
                                std::fs::write(&path, file(dice, sshd, [right, wrong, rsa])).unwrap();
                                path
                            })
                            .collect();
                        let alias = dice.one(&[None, None, Some("web1"), Some("WEB1")].each_ref());
                        let name = lookup_name(&sshd.address, sshd.port, *alias);
                        let text: String = files
                            .iter()
                            .map(|file| std::fs::read_to_string(file).unwrap() + "--\n")
                            .collect();
                        let (theirs, ours) = (theirs(sshd, &files, *alias), ours(&files, &name, blob));
                        judged.push((case, theirs, ours, format!("{alias:?}\n{text}")));
                    }
                    judged
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let wrong: Vec<String> = judged
        .iter()
        .filter(|(_, theirs, ours, _)| theirs != ours)
        .map(|(case, theirs, ours, text)| format!("case {case}: ssh says {theirs:?}, we say {ours:?} {text}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // The dice know all three.
    for kind in [Judged::Good, Judged::Bad, Judged::Revoked] {
        let count = judged.iter().filter(|(_, theirs, _, _)| *theirs == kind).count();
        assert!(count > 5, "{kind:?}: {count}");
    }
}
