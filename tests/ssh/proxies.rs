use std::time::{Duration, Instant};

use batchssh::transport::ssh::SshTransport;
use batchssh::transport::{Stage, Transport};

use crate::sshd::{self, Options, Sshd};
use crate::support::{connect, deadline, run, settings};

#[test]
fn a_proxy_command_carries_the_connection_and_leaves_nothing_behind() {
    let sshd = Sshd::start(&Options::default());
    let mut settings = settings(&sshd);
    let ssh = sshd::program("ssh", "openssh-client");
    let (id, known) = (sshd.path("id"), sshd.path("known_hosts"));
    settings.proxy_command = Some(format!(
        "{} -F none -q -i {} -o UserKnownHostsFile={} -p {} -W {}:{} {}",
        ssh.display(),
        id.display(),
        known.display(),
        sshd.port,
        sshd.address,
        sshd.port,
        sshd.address
    ));
    let mut session = connect(&settings).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(run(&mut *session, "echo through").out, b"through\n");
    drop(session);
    settings.proxy_command = Some("echo no route >&2; exit 7".to_owned());
    let error = connect(&settings).err().unwrap();
    assert_eq!(error.stage, Stage::Connect);
    assert!(error.message.contains("no route"), "{error}");
    settings.proxy_command = Some("sleep 1010".to_owned());
    settings.timeout = Duration::from_millis(400);
    let start = Instant::now();
    assert!(connect(&settings).is_err());
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    let out = std::process::Command::new("pgrep")
        .args(["-fx", "sleep 1010"])
        .output()
        .unwrap();
    assert!(out.stdout.is_empty(), "the command was left behind");
}

#[test]
fn hosts_behind_a_jump_host_share_its_connection() {
    let bastion = Sshd::start(&Options::default());
    let sshd = Sshd::start(&Options::default());
    let mut target = settings(&sshd);
    target.jumps = vec![settings(&bastion)];
    let transport = SshTransport::new().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut session = transport
                    .connect(&target, &deadline(30_000))
                    .unwrap_or_else(|e| panic!("{e}"));
                let ran = run(&mut *session, "head -c 2000000 /dev/zero");
                assert_eq!(ran.out.len(), 2_000_000);
            });
        }
    });
    let logins = bastion.log().matches("Accepted publickey").count();
    assert!((1..=3).contains(&logins), "{logins} logins on the jump host");
    let logins = sshd.log().matches("Accepted publickey").count();
    assert_eq!(logins, 8);
}

#[test]
fn what_the_jump_host_cannot_reach_is_said_and_others_go_on() {
    let bastion = Sshd::start(&Options::default());
    let sshd = Sshd::start(&Options::default());
    let mut target = settings(&sshd);
    target.jumps = vec![settings(&bastion)];
    let mut dead = target.clone();
    dead.port = 1;
    let transport = SshTransport::new().unwrap();
    let error = transport.connect(&dead, &deadline(10_000)).err().unwrap();
    assert_eq!(error.stage, Stage::Connect);
    assert!(error.message.contains("jump host host cannot reach"), "{error}");
    assert!(transport.connect(&target, &deadline(10_000)).is_ok());
}

#[test]
fn a_jump_host_whose_connection_died_is_connected_to_anew() {
    let bastion = Sshd::start(&Options::default());
    let sshd = Sshd::start(&Options::default());
    let mut target = settings(&sshd);
    target.jumps = vec![settings(&bastion)];
    let transport = SshTransport::new().unwrap();
    let session = transport
        .connect(&target, &deadline(10_000))
        .unwrap_or_else(|e| panic!("{e}"));
    drop(session);
    // The connection's own server process; its parent goes on listening.
    let out = std::process::Command::new("pgrep")
        .args(["-P", &bastion.pid().to_string()])
        .output()
        .unwrap();
    for pid in String::from_utf8(out.stdout).unwrap().split_whitespace() {
        std::process::Command::new("kill").args(["-9", pid]).status().unwrap();
    }
    assert!(transport.connect(&target, &deadline(10_000)).is_ok());
}

#[test]
fn jump_hosts_can_follow_one_another() {
    let (first, second, sshd) = (
        Sshd::start(&Options::default()),
        Sshd::start(&Options::default()),
        Sshd::start(&Options::default()),
    );
    let mut target = settings(&sshd);
    target.jumps = vec![settings(&first), settings(&second)];
    let mut session = connect(&target).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(run(&mut *session, "echo far").out, b"far\n");
    assert!(
        [&first, &second]
            .iter()
            .all(|jump| jump.log().contains("Accepted publickey"))
    );
}

#[test]
fn a_refused_jump_host_names_itself() {
    let bastion = Sshd::start(&Options::default());
    let sshd = Sshd::start(&Options::default());
    let mut target = settings(&sshd);
    let mut jump = settings(&bastion);
    jump.port = 1;
    target.jumps = vec![jump];
    let error = connect(&target).err().unwrap();
    assert!(error.message.contains("jump host host: cannot connect to"), "{error}");
}
