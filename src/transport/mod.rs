//! The narrow door to a host: [`Transport`] connects, [`Session`] runs commands and moves files.
//! One session belongs to one thread at a time. Nothing above this room sees an `ssh2` type.

// What hosts send cannot make this room panic: see docs/reliability.md.
#![cfg_attr(
    not(any(test, feature = "fuzzing")),
    warn(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::string_slice,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::deadline::{Deadline, Stop};
use crate::names::{HostName, Stream};
use crate::secret::Secret;
use crate::shell::Command;
use crate::shell::elevate::Become;

/// What the inventory, the playbook and the command line say about a connection. `None` says nothing; ssh_config
/// and the defaults fill it in (`ssh::config`).
#[derive(Clone, Debug, Default)]
pub struct ConnectRequest {
    /// `ansible_host`: what ssh_config is asked about.
    pub address: String,
    /// `ansible_port`.
    pub port: Option<u16>,
    /// `ansible_user`, `-u`.
    pub user: Option<String>,
    /// `ansible_password`, `-k`.
    pub password: Option<Secret<String>>,
    /// `ansible_ssh_private_key_file`, `--private-key`: tried first, and no default keys after it.
    pub key_file: Option<PathBuf>,
    /// Pass phrase for encrypted keys (`ansible_ssh_private_key_passphrase`).
    pub passphrase: Option<Secret<String>>,
    /// `--known-hosts`, `ansible_ssh_user_known_hosts_file` …: instead of the files of ssh_config.
    pub known_hosts: Option<PathBuf>,
    /// `ansible_host_key_checking`, `--host-key-checking`.
    pub host_key_check: Option<HostKeyCheck>,
    /// `-o`, `-J`, `-p`, `-i` words of `--ssh-common-args`, `ansible_ssh_common_args`, `ansible_ssh_extra_args`.
    pub ssh_args: Vec<String>,
    /// `--timeout`, `ansible_timeout`.
    pub timeout: Option<Duration>,
    /// How often a failed connection is tried again, inside the same deadline (`ansible_ssh_retries`).
    pub retries: Option<u32>,
    /// `ansible_connection: local`.
    pub local: bool,
}

/// Everything needed to connect, with nothing left to look up.
#[derive(Clone, Debug)]
pub struct ConnectSettings {
    /// The host's inventory name, for messages.
    pub name: HostName,
    /// Host name or address to connect to.
    pub address: String,
    /// TCP port.
    pub port: u16,
    /// Login name.
    pub user: String,
    /// Password for `password` and `keyboard-interactive` logins.
    pub password: Option<Secret<String>>,
    /// Private keys in the order to try them. Missing default keys are left out already.
    pub key_files: Vec<PathBuf>,
    /// Pass phrase for encrypted keys.
    pub passphrase: Option<Secret<String>>,
    /// The agent's socket; `None`: no agent.
    pub agent: Option<PathBuf>,
    /// Only keys named in `key_files` may be used from the agent.
    pub identities_only: bool,
    /// Files to look host keys up in; new keys go to the first.
    pub known_hosts: Vec<PathBuf>,
    /// What to do about a key that is not known.
    pub host_key_check: HostKeyCheck,
    /// Name to look host keys up under instead of the address (`HostKeyAlias`).
    pub host_key_alias: Option<String>,
    /// Jump hosts, the first one first (`ProxyJump`).
    pub jumps: Vec<ConnectSettings>,
    /// A local command whose stdin and stdout are the connection (`ProxyCommand`), `%h` and `%p` filled in.
    pub proxy_command: Option<String>,
    /// One limit over resolve, connect, banner, key exchange, host key and login.
    pub timeout: Duration,
    /// Further tries after a failed one, inside the same limit.
    pub retries: u32,
    /// Run commands on this machine instead of connecting.
    pub local: bool,
}

/// What happens when a host's key is not in known_hosts. A changed or revoked key is refused in every case but `Off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostKeyCheck {
    /// Refuse.
    Strict,
    /// Write it down and go on.
    AcceptNew,
    /// Accept everything (`host_key_checking = False`).
    Off,
}

/// Which part of connecting a host failed in: `batchssh ping` shows each with its own verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Name to address.
    Resolve,
    /// TCP, or the proxy.
    Connect,
    /// The server's greeting and the key exchange.
    Handshake,
    /// The host's key against known_hosts.
    HostKey,
    /// Login.
    Login,
}

/// Why a host could not be reached. Its text says what, where and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ConnectError {
    /// Where it stopped.
    pub stage: Stage,
    /// What happened, with address and limit.
    pub message: String,
    /// Set when a deadline or the user ended it.
    pub stop: Option<Stop>,
}

/// Connects to hosts.
pub trait Transport: Send + Sync {
    /// Opens a session within `deadline` and the settings' own time-out, whichever is earlier.
    fn connect(&self, target: &ConnectSettings, deadline: &Deadline) -> Result<Box<dyn Session>, ConnectError>;

    /// The host keys that a host shows, without logging in: nothing is sent that it could use. `kinds` are the types
    /// that are wanted.
    fn host_keys(
        &self,
        target: &ConnectSettings,
        kinds: &[KeyKind],
        deadline: &Deadline,
    ) -> Result<ShownKeys, ConnectError> {
        let _ = (target, kinds, deadline);
        Err(ConnectError {
            stage: Stage::HostKey,
            message: "it is not reached by SSH, so it has no host keys".to_owned(),
            stop: None,
        })
    }
}

/// A type of host key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// `ssh-ed25519`.
    Ed25519,
    /// `ecdsa-sha2-nistp256`, `-nistp384` and `-nistp521`.
    Ecdsa,
    /// `ssh-rsa`, with signatures of SHA-2.
    Rsa,
}

/// What a host shows.
#[derive(Clone, Debug)]
pub struct ShownKeys {
    /// The name its keys are looked up under, as it stands in known_hosts.
    pub name: String,
    /// The file new keys go to.
    pub file: Option<PathBuf>,
    /// The address that answered.
    pub peer: String,
    /// Its keys, in the order of the types that were asked for.
    pub keys: Vec<ShownKey>,
}

/// One host key.
#[derive(Clone, Debug)]
pub struct ShownKey {
    /// Its type: `ssh-ed25519`, …
    pub kind: String,
    /// The key as the protocol has it.
    pub key: Vec<u8>,
    /// What the known_hosts files say about it.
    pub answer: ssh::known_hosts::Answer,
    /// Other names under which the files have this very key, with their places.
    pub elsewhere: Vec<String>,
}

/// What a command reads.
pub enum Stdin<'a> {
    /// Nothing: end of file at once.
    Empty,
    /// These bytes.
    Bytes(&'a [u8]),
    /// What a reader gives, to its end.
    Reader(&'a mut dyn Read),
}

/// One command to run.
pub struct Exec<'a> {
    /// The command: run by the login shell as `sh -c`, so shell text is fine.
    pub command: &'a Command,
    /// What it reads.
    pub stdin: Stdin<'a>,
    /// As whom.
    pub elevate: Option<&'a Become>,
    /// Variables set for the command (and its elevated form), in order.
    pub environment: &'a [(String, String)],
    /// A good exit code counts only when our text said that it began: a forced command or a restricted shell that
    /// answers in its place is a refusal. Without it whatever answers is taken (`raw`).
    pub must_start: bool,
}

impl<'a> Exec<'a> {
    /// A command with nothing special about it.
    pub fn new(command: &'a Command) -> Self {
        Self {
            command,
            stdin: Stdin::Empty,
            elevate: None,
            environment: &[],
            must_start: false,
        }
    }
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// It exited with this code.
    Code(i32),
    /// A signal ended it; the name without `SIG`.
    Signal(String),
}

/// Why a session could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The deadline passed or the user cancelled. `survivor` is set when the remote processes may still be running.
    #[error("{stop}{}", .survivor.as_ref().map_or(String::new(), |s| format!("; {s}")))]
    Stopped {
        /// Which limit, or the user.
        stop: Stop,
        /// Why what was started may still be running on the host.
        survivor: Option<String>,
    },
    /// The command was started and nobody knows how it ended: in doubt.
    #[error("in doubt: {reason}")]
    InDoubt {
        /// What was seen.
        reason: String,
    },
    /// The connection is gone, and the command was not started: unreachable.
    #[error("connection lost: {reason}")]
    Lost {
        /// What was seen.
        reason: String,
    },
    /// The host refuses (no channel, no SFTP, `become` failed): the host answered, so it is a failure.
    #[error("{reason}")]
    Refused {
        /// What it said.
        reason: String,
    },
    /// A file operation failed: which, where and why.
    #[error("{path}: {reason}")]
    File {
        /// The remote path, lossy for people.
        path: String,
        /// What the server said.
        reason: String,
    },
    /// Something on this machine: a local file, memory, descriptors.
    #[error("{0}")]
    Local(String),
}

/// What is known about an open connection.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ConnectionInfo {
    /// The server's greeting.
    pub banner: Option<String>,
    /// The key exchange that was agreed on.
    pub kex: Option<String>,
    /// The host key's fingerprint (`SHA256:…`).
    pub fingerprint: Option<String>,
    /// The address that answered.
    pub peer: Option<String>,
}

/// Receives a command's output as it comes.
pub type OnOutput<'a> = &'a mut dyn FnMut(Stream, &[u8]);

/// One open connection, used by one thread at a time. Dropping it never waits for the peer.
pub trait Session: Send {
    /// Runs a command to its end. Both outputs are drained; a missing exit status is [`SessionError::InDoubt`];
    /// when the deadline passes the remote process group is killed.
    fn exec(
        &mut self,
        request: Exec<'_>,
        deadline: &Deadline,
        on_output: OnOutput<'_>,
    ) -> Result<ExitStatus, SessionError>;

    /// The host's files: by SFTP, or by `sh` where there is no SFTP server or `elevate` is given.
    /// A value for one piece of work: the fallback borrows the session to run its commands.
    fn files<'s>(
        &'s mut self,
        elevate: Option<&Become>,
        deadline: &Deadline,
    ) -> Result<Box<dyn files::Files + 's>, SessionError>;

    /// What is known about the connection.
    fn info(&self) -> &ConnectionInfo;

    /// False once the connection is known to be dead: the engine then connects anew.
    fn is_alive(&self) -> bool;
}

/// Bytes both ways over one channel: what the SFTP client runs on. One call moves both directions, so a peer that
/// waits for us to read cannot block our writes.
pub trait Duplex: Send {
    /// Sends from `out` and appends what arrives to `input`; returns as soon as anything moved, else waits up to the
    /// deadline.
    fn pump(&mut self, out: &[u8], input: &mut Vec<u8>, deadline: &Deadline) -> Result<Pumped, SessionError>;
}

/// What one [`Duplex::pump`] moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pumped {
    /// Bytes taken from the front of `out`.
    pub sent: usize,
    /// Bytes appended to `input`.
    pub received: usize,
    /// The peer sends nothing more.
    pub eof: bool,
}

pub mod any;
mod conversation;
mod feed;
pub mod files;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
pub mod local;
pub mod local_file;
pub mod manifest;
mod scan;
pub mod shell_files;
pub mod ssh;

#[cfg(test)]
pub(crate) mod testing;
