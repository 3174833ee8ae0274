//! `scan-keys`: what is found of real servers, what is written, and when.

use std::process::Command;

use crate::pty::Terminal;
use crate::sshd::{self, Options, Sshd};
use crate::support::{Cmd, Desk, mode};
use crate::vault::Bench;

const ALL: &[&str] = &["ed25519", "ecdsa", "rsa"];

/// A bench with an inventory of these servers.
fn bench(servers: &[(&str, &Sshd)]) -> Bench {
    let bench = Bench::new();
    let lines: String = servers
        .iter()
        .map(|(name, sshd)| format!("{name} ansible_host={} ansible_port={}\n", sshd.address, sshd.port))
        .collect();
    let key = servers[0].1.path("id");
    let vars = format!("[all:vars]\nansible_ssh_private_key_file={}\n", key.display());
    bench.write("hosts.ini", format!("{lines}{vars}"), 0o644);
    bench
}

fn scan(bench: &Bench, words: &str) -> Cmd {
    let mut cmd = bench
        .cmd("scan-keys -i hosts.ini --known-hosts kh --no-retry-file")
        .args(words);
    cmd.command.env("XDG_STATE_HOME", bench.path("home"));
    cmd
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    lines.sort_unstable();
    lines
}

#[test]
fn the_keys_are_those_of_ssh_keyscan_and_nobody_logs_in() {
    let options = Options {
        host_keys: ALL,
        ..Options::default()
    };
    let (one, two) = (Sshd::start(&options), Sshd::start(&options));
    let bench = bench(&[("web1", &one), ("web2", &two)]);
    let printed = scan(&bench, "--print").run().code(0);
    let mut expected = String::new();
    for sshd in [&one, &two] {
        let scanned = Command::new(sshd::program("ssh-keyscan", "openssh-client"))
            .args(["-p", &sshd.port.to_string(), &sshd.address])
            .output()
            .unwrap();
        expected += &String::from_utf8(scanned.stdout).unwrap();
        for word in ["Accepted", "Failed", "publickey", "Invalid user"] {
            assert!(!sshd.log().contains(word), "{}", sshd.log());
        }
    }
    assert_eq!(sorted(&printed.out), sorted(&expected));
    assert_eq!(printed.out.lines().count(), 6);
    assert!(
        printed.err.contains("new           2 hosts     web[1,2]"),
        "{}",
        printed.err
    );
    // Only one type: nothing else is asked for.
    let printed = scan(&bench, "--print --types rsa").run().code(0);
    assert!(printed.out.lines().count() == 2 && printed.out.lines().all(|line| line.contains(" ssh-rsa ")));
    assert!(!bench.path("kh").exists());
}

#[test]
fn keys_are_written_when_that_is_said_and_are_known_afterwards() {
    let sshd = Sshd::start(&Options {
        host_keys: ALL,
        ..Options::default()
    });
    let bench = bench(&[("web1", &sshd)]);
    // Somebody's own lines stay.
    bench.write("kh", "# mine\nelsewhere ssh-ed25519 AAAA", 0o640);
    let shown = scan(&bench, "").run().code(0);
    assert_eq!(
        (shown.out.as_str(), bench.read("kh").lines().count()),
        ("new           1 host      web1\n", 2)
    );
    for (words, added) in [("--types ed25519 --write", 1), ("--write --hash", 2)] {
        let ran = scan(&bench, words).run().code(0);
        assert!(
            ran.out.ends_with(&format!("{added} keys written to kh\n")),
            "{}",
            ran.out
        );
    }
    let kh = bench.read("kh");
    let name = format!("[{}]:{}", sshd.address, sshd.port);
    assert!(kh.starts_with("# mine\nelsewhere ssh-ed25519 AAAA\n"), "{kh}");
    assert_eq!(
        (kh.lines().count(), kh.matches(&name).count(), kh.matches("|1|").count()),
        (5, 1, 2),
        "{kh}"
    );
    assert_eq!(mode(&bench.path("kh")), 0o640);
    assert_eq!(
        scan(&bench, "--write").run().code(0).out,
        "known         1 host      web1\n"
    );
    let mut cmd = bench.cmd("exec -i hosts.ini --known-hosts kh --no-retry-file -- true");
    cmd.command.env("XDG_STATE_HOME", bench.path("home"));
    cmd.run().code(0);
}

#[test]
fn a_changed_key_is_an_alarm_and_is_replaced_only_when_that_is_said() {
    let sshd = Sshd::start(&Options {
        host_keys: &["ed25519", "rsa"],
        ..Options::default()
    });
    let bench = bench(&[("web1", &sshd)]);
    let other = bench.path("other");
    sshd::key(&other, "ed25519", "");
    let key = std::fs::read_to_string(other.with_extension("pub")).unwrap();
    let name = format!("[{}]:{}", sshd.address, sshd.port);
    let before = format!("{name},10.9.9.9 {key}");
    bench.write("kh", &before, 0o600);
    for words in ["", "--write"] {
        let ran = scan(&bench, words).run().code(2);
        assert!(
            ran.out.contains("CHANGED       1 host      web1") && ran.out.contains("CHANGED; see kh:1"),
            "{}",
            ran.out
        );
        // Not even the key of the other type: the server did not show that it is the known one.
        assert_eq!(bench.read("kh"), before);
    }
    let ran = scan(&bench, "--write --replace-changed").run().code(0);
    assert!(
        ran.out
            .contains("2 keys written to kh, 1 lines taken out (the old file is "),
        "{}",
        ran.out
    );
    assert_eq!(bench.read("kh.old"), before);
    assert!(
        bench.read("kh").starts_with(&format!("10.9.9.9 {}", key.trim_end())),
        "{}",
        bench.read("kh")
    );
    scan(&bench, "").run().code(0);
    // A revoked key is never written.
    let own = std::fs::read_to_string(sshd.path("host_ed25519.pub")).unwrap();
    bench.write("kh", format!("@revoked * {own}"), 0o600);
    let ran = scan(&bench, "--write --replace-changed --accept-shared").run().code(2);
    assert!(ran.out.contains("REVOKED       1 host      web1"), "{}", ran.out);
    assert_eq!(bench.read("kh"), format!("@revoked * {own}"));
}

#[test]
fn a_key_that_several_machines_show_is_not_taken_by_itself() {
    // All hosts of a fleet are one server, so they have one key.
    let desk = Desk::hosts(&["web1", "web2"]);
    let scan = |words: &str| {
        let cmd = desk.cmd("scan-keys -i hosts.ini --known-hosts kh --types ed25519 --no-retry-file");
        cmd.args(words).run()
    };
    for words in ["", "--write"] {
        let ran = scan(words).code(2);
        assert!(
            ran.out.contains("SHARED        ssh-ed25519 SHA256:") && ran.out.contains(" web[1,2]\n"),
            "{}",
            ran.out
        );
        assert!(!desk.path("kh").exists());
    }
    let ran = scan("--write --accept-shared").code(0);
    assert!(ran.out.ends_with("2 keys written to kh\n"), "{}", ran.out);
    // A host that is new under another's key is suspicious as well.
    let kh = desk.read("kh");
    let line = kh.lines().next().unwrap();
    let key = line.split_once(' ').unwrap().1;
    desk.write("kh", &format!("gone.example {key}\n"));
    let ran = desk
        .cmd("scan-keys web1 -i hosts.ini --known-hosts kh --types ed25519 --write --no-retry-file")
        .run()
        .code(2);
    assert!(
        ran.out.contains("web1; also known as gone.example (kh:1)"),
        "{}",
        ran.out
    );
    assert_eq!(desk.read("kh").lines().count(), 1);
}

#[test]
fn hosts_that_do_not_answer_are_told_and_the_others_are_written() {
    let sshd = Sshd::start(&Options::default());
    let bench = bench(&[("web1", &sshd)]);
    bench.write(
        "hosts.ini",
        format!("{}dead ansible_host=127.0.77.1 ansible_port=1\n[dead]\ndead\n", {
            let text = bench.read("hosts.ini");
            text.split("[all:vars]").next().unwrap().to_owned()
        }),
        0o644,
    );
    let ran = scan(&bench, "--write --timeout 2").run().code(4);
    assert!(
        ran.out.contains("unreachable   1 host      dead") && ran.out.contains("1 keys written"),
        "{}",
        ran.out
    );
    // As events, for programs.
    let ran = scan(&bench, "web1 --output json").run().code(0);
    let events = ran.events();
    let result = events.iter().find(|event| event["event"] == "task_result").unwrap();
    assert_eq!(result["result"]["keys"][0]["verdict"], "known", "{result}");
    assert!(
        result["result"]["keys"][0]["fingerprint"]
            .as_str()
            .unwrap()
            .starts_with("SHA256:")
    );
}

#[test]
fn on_a_terminal_it_asks_before_it_writes() {
    let sshd = Sshd::start(&Options::default());
    let bench = bench(&[("web1", &sshd)]);
    for (answer, lines) in [("n", 0), ("", 0), ("y", 1)] {
        let cmd = scan(&bench, "");
        let mut terminal = Terminal::start(&cmd.command);
        terminal.expect("write 1 key to kh? [y/N] ").enter(answer);
        let (code, shown) = terminal.end();
        let written = std::fs::read_to_string(bench.path("kh")).unwrap_or_default();
        assert_eq!((code, written.lines().count()), (0, lines), "{answer:?}: {shown}");
    }
}
