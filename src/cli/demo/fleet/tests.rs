//! The fleet against the `ssh` client of OpenSSH.

use super::*;
use crate::cli::demo::disks::{self, SystemDisk};
use std::net::TcpStream;
use std::process::Output;
use std::time::Instant;

fn deadline() -> Deadline {
    Deadline::none(CancelToken::new()).within("the test", Duration::from_secs(60))
}

fn start(specs: &[HostSpec]) -> Fleet {
    Fleet::start(specs, &deadline()).expect("sshd is installed (scripts/test sees to it)")
}

fn ssh(fleet: &Fleet, name: &str, command: &str) -> Output {
    let host = fleet.host(name).unwrap();
    Command::new("ssh")
        .args([
            "-F",
            "none",
            "-o",
            "BatchMode=yes",
            "-o",
            "IdentitiesOnly=yes",
            "-o",
            "ConnectTimeout=2",
        ])
        .args(["-o", "StrictHostKeyChecking=yes", "-o", "IdentityAgent=none"])
        .arg("-o")
        .arg(format!("UserKnownHostsFile={}", fleet.known_hosts_file().display()))
        .arg("-i")
        .arg(fleet.key_file())
        .args(["-p", &host.address.port().to_string(), "-l", fleet.user()])
        .args([&host.address.ip().to_string(), command])
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn stdout(out: &Output) -> String {
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).into_owned()
}

#[test]
fn every_host_has_a_home_and_commands_of_its_own() {
    let fleet = start(&[
        HostSpec::new("web1").with_commands(disks::commands(1, SystemDisk::First)),
        HostSpec::new("web2").with_commands(disks::commands(2, SystemDisk::Last)),
        HostSpec::new("web3").with_commands(vec![FakeCommand::program("hello", "#!/bin/sh\necho \"hello $1\"\n")]),
    ]);
    for name in ["web1", "web2", "web3"] {
        let home = fleet.host(name).unwrap().home.canonicalize().unwrap();
        assert_eq!(stdout(&ssh(&fleet, name, "pwd -P")).trim(), home.to_str().unwrap());
        assert_eq!(stdout(&ssh(&fleet, name, "touch here; ls ~")), "here\n");
    }
    let boot = "lsblk -P -o NAME,MOUNTPOINT | grep boot; uname -nr";
    assert_eq!(
        stdout(&ssh(&fleet, "web1", boot)),
        "NAME=\"sda1\" MOUNTPOINT=\"/boot\"\nweb1 3.10.0-1160.119.1.el7.x86_64\n"
    );
    assert_eq!(
        stdout(&ssh(&fleet, "web2", boot)),
        "NAME=\"sdm1\" MOUNTPOINT=\"/boot\"\nweb2 3.10.0-1160.119.1.el7.x86_64\n"
    );
    assert_eq!(stdout(&ssh(&fleet, "web3", "hello 'a  b'")), "hello a  b\n");
}

#[test]
fn sftp_lands_in_the_same_home() {
    let fleet = start(&[HostSpec::new("one"), HostSpec::new("two")]);
    let host = fleet.host("two").unwrap();
    let batch = fleet.dir().join("batch");
    fs::write(&batch, format!("put {} copy\n", batch.display())).unwrap();
    let out = Command::new("sftp")
        .args(["-q", "-F", "none", "-o", "IdentitiesOnly=yes", "-b"])
        .arg(&batch)
        .arg("-o")
        .arg(format!("UserKnownHostsFile={}", fleet.known_hosts_file().display()))
        .arg("-i")
        .arg(fleet.key_file())
        .args(["-P", &host.address.port().to_string()])
        .arg(format!("{}@{}", fleet.user(), host.address.ip()))
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert_eq!(fs::read(host.home.join("copy")).unwrap(), fs::read(&batch).unwrap());
}

#[test]
fn a_host_that_refuses_can_be_repaired() {
    let mut fleet = start(&[
        HostSpec::new("good"),
        HostSpec::new("bad").behaving(Behaviour::RefusesLogin),
    ]);
    let refused = ssh(&fleet, "bad", "true");
    assert_eq!(refused.status.code(), Some(255));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("Permission denied"));
    assert_eq!(ssh(&fleet, "good", "true").status.code(), Some(0));
    fleet.repair("bad", &deadline()).unwrap();
    assert_eq!(ssh(&fleet, "bad", "exit 7").status.code(), Some(7));
}

#[test]
fn a_silent_host_takes_the_connection_and_can_be_repaired() {
    let mut fleet = start(&[
        HostSpec::new("good"),
        HostSpec::new("mute").behaving(Behaviour::NeverAnswers),
    ]);
    let mute = fleet.host("mute").unwrap().address;
    assert!(TcpStream::connect(mute).is_ok());
    let begun = Instant::now();
    let out = ssh(&fleet, "mute", "true");
    assert_eq!(out.status.code(), Some(255));
    assert!(
        begun.elapsed() >= Duration::from_secs(2),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    fleet.repair("mute", &deadline()).unwrap();
    assert_eq!(ssh(&fleet, "mute", "exit 7").status.code(), Some(7));
}

#[test]
fn more_hosts_than_one_server_can_have() {
    let specs: Vec<_> = (1..=20).map(|i| HostSpec::new(format!("n{i}"))).collect();
    let fleet = start(&specs);
    assert!(fleet.hosts().iter().all(|host| host.address.ip().is_loopback()));
    assert_eq!(stdout(&ssh(&fleet, "n20", "basename \"$PWD\"")), "n20\n");
}

#[test]
fn where_only_one_address_is_loopback_every_host_has_a_port() {
    let specs = [
        HostSpec::new("one"),
        HostSpec::new("two"),
        HostSpec::new("mute").behaving(Behaviour::NeverAnswers),
    ];
    let addresses: Vec<_> = (0..3).map(|i| (Ipv4Addr::LOCALHOST, i)).collect();
    let fleet = Fleet::start_at(&specs, &addresses, &deadline()).unwrap();
    for name in ["one", "two"] {
        assert_eq!(stdout(&ssh(&fleet, name, "basename \"$PWD\"")), format!("{name}\n"));
    }
    assert_eq!(
        fleet
            .inventory("all_of_them")
            .matches("ansible_host=127.0.0.1 ")
            .count(),
        3
    );
}

#[test]
fn an_address_that_another_program_has_is_told() {
    let mut fleet = start(&[HostSpec::new("one")]);
    let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let taken = Host {
        address: SocketAddrV4::new(Ipv4Addr::LOCALHOST, other.local_addr().unwrap().port()),
        ..fleet.hosts()[0].clone()
    };
    let error = fleet.start_server(&[taken], &deadline()).unwrap_err().to_string();
    assert!(error.contains("in use"), "{error}");
}

#[test]
fn nothing_is_left_when_it_is_dropped() {
    let fleet = start(&[
        HostSpec::new("one"),
        HostSpec::new("mute").behaving(Behaviour::NeverAnswers),
    ]);
    let dir = fleet.dir().to_owned();
    let addresses: Vec<_> = fleet.hosts().iter().map(|host| host.address).collect();
    drop(fleet);
    assert!(!dir.exists());
    for address in addresses {
        assert!(TcpStream::connect(address).is_err(), "{address} still listens");
    }
}

#[test]
fn nothing_is_left_when_the_program_is_killed() {
    let mut fleet = start(&[HostSpec::new("one")]);
    let dir = fleet.dir().to_owned();
    let address = fleet.hosts()[0].address;
    // What the kernel does for a killed program: its end of the pipe is closed, and no word was sent before.
    drop(fleet.guard.stdin.take());
    fleet.guard.wait().unwrap();
    fleet.servers[0].wait().unwrap();
    assert!(!dir.exists());
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn a_name_that_could_leave_its_folder_is_refused() {
    for name in ["", "..", "a/b", "a b", "$(x)", "-n"] {
        assert!(matches!(
            Fleet::start(&[HostSpec::new(name)], &deadline()),
            Err(FleetError::Host(_))
        ));
    }
    let twice = Fleet::start(&[HostSpec::new("a"), HostSpec::new("a")], &deadline());
    assert_eq!(twice.unwrap_err().to_string(), "two hosts are called `a`");
}
