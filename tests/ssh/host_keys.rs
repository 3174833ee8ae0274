use std::process::{Command, Stdio};

use batchssh::transport::{ConnectError, ConnectSettings, HostKeyCheck, Stage};

use crate::sshd::{self, Options, Sshd};
use crate::support::{connect, settings};

/// What `ssh` itself says to the same files.
fn ssh_accepts(sshd: &Sshd, known_hosts: &std::path::Path) -> bool {
    Command::new(sshd::program("ssh", "openssh-client"))
        .args([
            "-F",
            "none",
            "-o",
            "BatchMode=yes",
            "-o",
            "StrictHostKeyChecking=yes",
            "-o",
        ])
        .arg(format!("UserKnownHostsFile={}", known_hosts.display()))
        .args(["-o", "GlobalKnownHostsFile=/dev/null", "-o", "UpdateHostKeys=no", "-i"])
        .arg(sshd.path("id"))
        .args(["-p", &sshd.port.to_string(), &sshd.address, "true"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap()
        .success()
}

fn error(settings: &ConnectSettings) -> Option<ConnectError> {
    connect(settings).err()
}

#[test]
fn r13_every_kind_of_line_is_judged_as_by_ssh() {
    let sshd = Sshd::start(&Options {
        host_keys: &["ed25519", "rsa", "ecdsa"],
        ..Options::default()
    });
    let key = |kind: &str| {
        let text = std::fs::read_to_string(sshd.path(&format!("host_{kind}.pub"))).unwrap();
        text.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
    };
    sshd::key(&sshd.path("wrong"), "ed25519", "");
    sshd::key(&sshd.path("wrong_rsa"), "rsa", "");
    let public = |name: &str| std::fs::read_to_string(sshd.path(name)).unwrap();
    let (wrong, wrong_rsa) = (public("wrong.pub"), public("wrong_rsa.pub"));
    let name = format!("[{}]:{}", sshd.address, sshd.port);
    let net: String = sshd.address.rsplit_once('.').unwrap().0.to_owned();
    let (e, r, c) = (key("ed25519"), key("rsa"), key("ecdsa"));
    let file = sshd.path("matrix");
    let hashed = {
        std::fs::write(&file, format!("{name} {e}\n")).unwrap();
        let done = Command::new("ssh-keygen")
            .args(["-q", "-H", "-f"])
            .arg(&file)
            .status()
            .unwrap();
        assert!(done.success());
        std::fs::read_to_string(&file).unwrap()
    };
    let cases = [
        ("plain", format!("{name} {e}\n")),
        ("hashed", hashed),
        ("list", format!("other,{name},10.0.0.1 {e}\n")),
        ("without the port", format!("{} {e}\n", sshd.address)),
        ("only rsa", format!("{name} {r}\n")),
        ("only ecdsa", format!("{name} {c}\n")),
        ("wildcard", format!("[{net}.*]:{} {e}\n", sshd.port)),
        ("negated", format!("[{net}.*]:{},!{name} {e}\n", sshd.port)),
        ("revoked", format!("@revoked * {e}\n{name} {e}\n")),
        ("revoked by another key", format!("@revoked * {wrong}{name} {e}\n")),
        (
            "odd line first",
            format!("{name} ssh-ed25519\n{name} ssh-ed25519 AAAA\n{name} {e}\n"),
        ),
        ("carriage returns", format!("{name} {e}\r\n")),
        ("comment and blanks", format!("# x\n\n  {name}   {e}   a comment\n")),
        ("wrong key", format!("{name} {wrong}")),
        ("wrong and right", format!("{name} {wrong}{name} {e}\n")),
        ("wrong of another type", format!("{name} {wrong_rsa}")),
        ("empty", String::new()),
        ("another port", format!("[{}]:1 {e}\n", sshd.address)),
        ("another host", format!("elsewhere {e}\n")),
        ("upper case", format!("{} {e}\n", name.to_uppercase())),
        ("unknown marker", format!("@what {name} {e}\n")),
    ];
    let mut settings = settings(&sshd);
    settings.known_hosts = vec![file.clone()];
    for (what, text) in cases {
        std::fs::write(&file, &text).unwrap();
        let theirs = ssh_accepts(&sshd, &file);
        let ours = error(&settings);
        assert_eq!(ours.is_none(), theirs, "{what}: {ours:?}\n{text}");
        if let Some(error) = ours {
            assert_eq!(error.stage, Stage::HostKey, "{what}: {error}");
            assert!(
                error.message.contains("host key") && error.message.contains("SHA256:"),
                "{what}: {error}"
            );
        }
    }
}

#[test]
fn r12_an_unknown_key_gets_no_login_and_accept_new_writes_it_once() {
    let sshd = Sshd::start(&Options::default());
    let mut settings = settings(&sshd);
    let file = sshd.path("new/known_hosts");
    settings.known_hosts = vec![file.clone()];
    let refused = error(&settings).unwrap();
    assert!(refused.message.contains("is not known"), "{refused}");
    assert!(!sshd.log().contains("publickey"), "{}", sshd.log());
    settings.host_key_check = HostKeyCheck::AcceptNew;
    assert!(connect(&settings).is_ok() && connect(&settings).is_ok());
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(ssh_accepts(&sshd, &file));
    // A changed one is refused all the same, and nothing is written.
    let other = sshd.path("other");
    sshd::key(&other, "ed25519", "");
    let line = format!("[{}]:{} {}", sshd.address, sshd.port, {
        std::fs::read_to_string(other.with_extension("pub")).unwrap()
    });
    std::fs::write(&file, &line).unwrap();
    let refused = error(&settings).unwrap();
    assert!(
        refused.message.contains("CHANGED") && refused.message.contains("known_hosts:1"),
        "{refused}"
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), line);
    settings.host_key_check = HostKeyCheck::Off;
    assert!(connect(&settings).is_ok());
}

#[test]
fn r13_an_authority_alone_is_refused_with_its_place() {
    let sshd = Sshd::start(&Options::default());
    let mut settings = settings(&sshd);
    let line = format!(
        "@cert-authority * {}",
        std::fs::read_to_string(sshd.path("host_ed25519.pub")).unwrap()
    );
    std::fs::write(sshd.path("known_hosts"), line).unwrap();
    let refused = error(&settings).unwrap();
    assert!(refused.message.contains("@cert-authority line at") && refused.message.contains("known_hosts:1"));
    // A host certificate beside a known plain key is no false alarm.
    settings.known_hosts = vec![sshd.path("plain")];
    std::fs::write(sshd.path("plain"), sshd.known_hosts_lines()).unwrap();
    assert!(connect(&settings).is_ok());
}

#[test]
fn r13_a_key_that_is_revoked_without_the_port_is_refused_where_new_keys_are_accepted() {
    let sshd = Sshd::start(&Options::default());
    let mut settings = settings(&sshd);
    let file = sshd.path("revoked");
    let key = std::fs::read_to_string(sshd.path("host_ed25519.pub")).unwrap();
    let text = format!("@revoked {} {key}", sshd.address);
    std::fs::write(&file, &text).unwrap();
    settings.known_hosts = vec![file.clone()];
    settings.host_key_check = HostKeyCheck::AcceptNew;
    let refused = error(&settings).unwrap();
    assert!(
        refused.message.contains("revoked at") || refused.message.contains("REVOKED"),
        "{refused}"
    );
    assert!(!sshd.log().contains("publickey"), "{}", sshd.log());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    assert!(!ssh_accepts(&sshd, &file));
}
