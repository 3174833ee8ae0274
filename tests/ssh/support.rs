//! Short words for the tests of this folder.

use std::time::Duration;

use batchssh::deadline::{CancelToken, Deadline};
use batchssh::names::{HostName, Stream};
use batchssh::shell::Command;
use batchssh::transport::ssh::SshTransport;
use batchssh::transport::{
    ConnectError, ConnectSettings, Exec, ExitStatus, HostKeyCheck, Session, SessionError, Transport,
};

use crate::sshd::Sshd;

pub fn me() -> String {
    let out = std::process::Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

pub fn deadline(limit: u64) -> Deadline {
    Deadline::none(CancelToken::new()).within("task timeout", Duration::from_millis(limit))
}

pub fn settings(sshd: &Sshd) -> ConnectSettings {
    ConnectSettings {
        name: HostName::from("host"),
        address: sshd.address.clone(),
        port: sshd.port,
        user: me(),
        password: None,
        key_files: vec![sshd.path("id")],
        passphrase: None,
        agent: None,
        identities_only: false,
        known_hosts: vec![sshd.path("known_hosts")],
        host_key_check: HostKeyCheck::Strict,
        host_key_alias: None,
        jumps: vec![],
        proxy_command: None,
        timeout: Duration::from_secs(10),
        retries: 0,
        local: false,
    }
}

pub fn connect(settings: &ConnectSettings) -> Result<Box<dyn Session>, ConnectError> {
    SshTransport::new().unwrap().connect(settings, &deadline(20_000))
}

pub fn session(sshd: &Sshd) -> Box<dyn Session> {
    connect(&settings(sshd)).unwrap_or_else(|error| panic!("{error}\n{}", sshd.log()))
}

#[derive(Debug)]
pub struct Ran {
    pub status: Result<ExitStatus, SessionError>,
    pub out: Vec<u8>,
    pub err: Vec<u8>,
}

pub fn exec(session: &mut dyn Session, request: Exec<'_>, deadline: &Deadline) -> Ran {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let status = session.exec(request, deadline, &mut |stream, bytes| match stream {
        Stream::Stdout => out.extend_from_slice(bytes),
        Stream::Stderr => err.extend_from_slice(bytes),
    });
    Ran { status, out, err }
}

pub fn run(session: &mut dyn Session, script: &str) -> Ran {
    exec(session, Exec::new(&Command::raw_script(script)), &deadline(30_000))
}

/// True when a process is there and is not just waiting to be buried.
fn is_running(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

/// True when a process ends soon: a signal was sent, and the kernel may take a moment to deliver it.
pub fn ends_soon(pid: &str) -> bool {
    let until = std::time::Instant::now() + Duration::from_secs(2);
    while is_running(pid) {
        if std::time::Instant::now() > until {
            return false;
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
    true
}
