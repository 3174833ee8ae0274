//! SSH by libssh2: the only folder that names `ssh2`. Takes [`ConnectSettings`], gives a [`Session`].
//!
//! One limit covers name, TCP, greeting, key exchange, host key and login. libssh2's own time-outs, known_hosts, agent
//! and exit status are not relied on; a watchdog cuts connections that overstay, and a session is left by shutting its
//! socket first, so that nothing waits for a dead peer.

mod agent;
mod auth;
mod bastion;
mod channel;
pub mod config;
mod diagnose;
mod duplex;
mod exec;
mod fault;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod handshake;
mod keys;
mod keyscan;
pub mod known_hosts;
mod link;
mod net;
mod offered;
mod proxy;
mod pump;
pub mod sftp;
mod watchdog;

use std::sync::Arc;
use std::time::Duration;

pub use channel::{openssl_version, version as libssh2_version};
pub use duplex::ChannelDuplex;
pub use offered::Offered;

use crate::deadline::Deadline;
use crate::shell::elevate::Become;
use crate::transport::conversation::Conversation;
use crate::transport::shell_files::ShellFiles;
use crate::transport::ssh::sftp::SftpClient;
use crate::transport::{
    ConnectError, ConnectSettings, ConnectionInfo, Exec, ExitStatus, KeyKind, OnOutput, Session, SessionError,
    ShownKeys, Stage, Transport, files,
};
use bastion::Bastions;
use channel::Channel;
use exec::{Failed, Wire, kill_limit};
use fault::Fault;
use handshake::Established;
use keys::KeyStore;
use known_hosts::KnownHosts;
use link::Link;
use watchdog::Watchdog;

/// The oldest libssh2 whose known memory errors are fixed.
const OLDEST: (u32, u32, u32) = (1, 11, 2);
/// What a subsystem may send ahead of our reading.
const SUBSYSTEM_WINDOW: u32 = 2 * 1024 * 1024;

/// Connects to hosts by SSH. One per run: it keeps known_hosts, decrypted keys and jump hosts for all workers.
pub struct SshTransport {
    shared: Arc<Shared>,
}

/// What all connections of a run share.
pub(crate) struct Shared {
    known_hosts: KnownHosts,
    keys: KeyStore,
    bastions: Bastions,
}

impl SshTransport {
    /// A transport with nothing read yet. Fails when the linked libssh2 is too old to be trusted.
    pub fn new() -> Result<Self, String> {
        let version = libssh2_version();
        if !is_new_enough(&version) {
            return Err(format!(
                "libssh2 {version} is linked, which has known holes: build with libssh2 {}.{}.{} or later",
                OLDEST.0, OLDEST.1, OLDEST.2
            ));
        }
        Ok(Self {
            shared: Arc::new(Shared {
                known_hosts: KnownHosts::new(),
                keys: KeyStore::default(),
                bastions: Bastions::default(),
            }),
        })
    }
}

fn is_new_enough(version: &str) -> bool {
    let mut numbers = version
        .split(['.', '_', '-'])
        .map_while(|part| part.parse::<u32>().ok());
    let mut next = || numbers.next().unwrap_or(0);
    (next(), next(), next()) >= OLDEST
}

impl Shared {
    /// One try to get a logged-in session.
    fn establish(&self, settings: &ConnectSettings, deadline: &Deadline) -> Result<Established, Fault> {
        let link = self.dial(settings, deadline)?;
        handshake::establish(link, settings, self, deadline)
    }

    fn dial(&self, settings: &ConnectSettings, deadline: &Deadline) -> Result<Link, Fault> {
        if !settings.jumps.is_empty() {
            return self
                .bastions
                .open(self, &settings.jumps, &settings.address, settings.port, deadline);
        }
        if let Some(command) = &settings.proxy_command {
            return proxy::start(command);
        }
        let addresses = net::resolve(&settings.address, settings.port, deadline)?;
        let (socket, peer) = net::connect(&addresses, deadline)?;
        Ok(Link::tcp(socket, peer.to_string()))
    }

    fn connect(&self, settings: &ConnectSettings, deadline: &Deadline) -> Result<Established, ConnectError> {
        persist(settings, deadline, |deadline| self.establish(settings, deadline))
    }
}

/// Tries as often as the settings say, inside one deadline.
fn persist<T>(
    settings: &ConnectSettings,
    deadline: &Deadline,
    attempt: impl Fn(&Deadline) -> Result<T, Fault>,
) -> Result<T, ConnectError> {
    let deadline = deadline.within("connect timeout", settings.timeout);
    let mut tries = 1;
    loop {
        let fault = match attempt(&deadline) {
            Ok(done) => return Ok(done),
            Err(fault) => fault,
        };
        let pause = net::backoff(tries);
        if !fault.retry || tries > settings.retries || !net::worth_waiting(&deadline, pause) {
            return Err(fault.into_error(tries));
        }
        if deadline.sleep(pause).is_err() {
            return Err(fault.into_error(tries));
        }
        tries = tries.saturating_add(1);
    }
}

impl Transport for SshTransport {
    fn connect(&self, target: &ConnectSettings, deadline: &Deadline) -> Result<Box<dyn Session>, ConnectError> {
        if let Err(stop) = deadline.remaining() {
            return Err(Fault::stopped(Stage::Connect, "no connection", stop).into_error(1));
        }
        let established = self.shared.connect(target, deadline)?;
        Ok(Box::new(SshSession::new(established)))
    }

    fn host_keys(
        &self,
        target: &ConnectSettings,
        kinds: &[KeyKind],
        deadline: &Deadline,
    ) -> Result<ShownKeys, ConnectError> {
        keyscan::scan(&self.shared, target, kinds, deadline)
    }
}

/// One logged-in connection.
pub struct SshSession {
    link: Arc<Link>,
    session: ssh2::Session,
    info: ConnectionInfo,
    /// The connection cannot be used any more.
    broken: bool,
    /// Channels whose close the host has not answered yet.
    rest: Vec<Channel>,
    /// The SFTP client, once files were asked for.
    sftp: Option<SftpClient>,
    /// The host has no SFTP.
    refuses_sftp: bool,
}

impl SshSession {
    fn new(established: Established) -> Self {
        Self {
            link: Arc::new(established.link),
            session: established.session,
            info: established.info,
            broken: false,
            rest: Vec::new(),
            sftp: None,
            refuses_sftp: false,
        }
    }

    /// Starts a subsystem (`sftp`) and gives the bytes of its channel.
    pub fn subsystem(&mut self, name: &str, deadline: &Deadline) -> Result<ChannelDuplex, SessionError> {
        self.check()?;
        let wire = Wire {
            session: &self.session,
            link: &self.link,
        };
        match wire.start(SUBSYSTEM_WINDOW, c"subsystem", name.as_bytes(), deadline) {
            Ok(channel) => Ok(ChannelDuplex::new(self.session.clone(), self.link.clone(), channel)),
            Err(failed) => {
                self.broken |= failed.broken;
                self.rest.extend(failed.rest);
                Err(failed.error)
            }
        }
    }

    /// Opens SFTP when it is not open. A host that refuses it is asked only once.
    fn has_sftp(&mut self, deadline: &Deadline) -> Result<bool, SessionError> {
        if self.sftp.as_ref().is_some_and(SftpClient::is_usable) {
            return Ok(true);
        }
        self.sftp = None;
        if self.refuses_sftp {
            return Ok(false);
        }
        let opened = self
            .subsystem("sftp", deadline)
            .and_then(|channel| SftpClient::start(Box::new(channel), deadline));
        match opened {
            Ok(client) => {
                self.sftp = Some(client);
                Ok(true)
            }
            Err(SessionError::Refused { reason }) => {
                tracing::debug!("no SFTP: {reason}; files go through the shell");
                self.refuses_sftp = true;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    fn check(&mut self) -> Result<(), SessionError> {
        if self.broken {
            return Err(SessionError::Lost {
                reason: "the connection is closed".to_owned(),
            });
        }
        let rest = std::mem::take(&mut self.rest);
        self.rest = rest
            .into_iter()
            .filter_map(|channel| channel.try_free().err())
            .collect();
        Ok(())
    }

    /// After a command failed: kills what still runs, and says what is known.
    fn after(
        &mut self,
        failed: Failed,
        talk: &Conversation,
        elevate: Option<&Become>,
        deadline: &Deadline,
    ) -> SessionError {
        let Failed {
            error,
            broken,
            rest,
            started,
        } = failed;
        self.broken |= broken;
        self.rest.extend(rest);
        // A connection that the watchdog cut at the end of the time is a time-out, not a loss.
        let stop = match (&error, deadline.remaining()) {
            (SessionError::Stopped { stop, .. }, _) => stop.clone(),
            (SessionError::InDoubt { .. } | SessionError::Lost { .. }, Err(stop)) if broken => stop,
            _ => return error,
        };
        let survivor = if !started {
            None
        } else if self.broken {
            Some("the command may still be running on the host: the connection is unusable".to_owned())
        } else {
            let wire = Wire {
                session: &self.session,
                link: &self.link,
            };
            let survivor = wire.kill(talk.pids(), elevate, kill_limit(&stop));
            // A host that does not even answer a kill is connected to anew.
            self.broken |= survivor.is_some();
            survivor
        };
        SessionError::Stopped { stop, survivor }
    }
}

impl Session for SshSession {
    fn exec(
        &mut self,
        request: Exec<'_>,
        deadline: &Deadline,
        on_output: OnOutput<'_>,
    ) -> Result<ExitStatus, SessionError> {
        self.check()?;
        deadline
            .remaining()
            .map_err(|stop| SessionError::Stopped { stop, survivor: None })?;
        let mut talk = Conversation::new(&request)?;
        // libssh2 reads as long as something comes: a flood would hold the call. The time for the kill comes on top.
        let grace = Duration::from_millis(1500);
        let _guard = Watchdog::global()
            .guard(self.link.socket(), deadline, grace)
            .map_err(|error| SessionError::Local(format!("cannot start a thread: {error}")))?;
        let wire = Wire {
            session: &self.session,
            link: &self.link,
        };
        let elevate = request.elevate;
        match wire.run(&mut talk, request.stdin, deadline, on_output) {
            Ok(status) => Ok(status),
            Err(failed) => Err(self.after(failed, &talk, elevate, deadline)),
        }
    }

    fn files<'s>(
        &'s mut self,
        elevate: Option<&Become>,
        deadline: &Deadline,
    ) -> Result<Box<dyn files::Files + 's>, SessionError> {
        if elevate.is_some() || !self.has_sftp(deadline)? {
            return Ok(Box::new(ShellFiles::new(self, elevate)));
        }
        match &mut self.sftp {
            Some(client) => Ok(Box::new(client)),
            None => Err(SessionError::Refused {
                reason: "SFTP was closed again".to_owned(),
            }),
        }
    }

    fn info(&self) -> &ConnectionInfo {
        &self.info
    }

    fn is_alive(&self) -> bool {
        !self.broken
    }
}

impl Drop for SshSession {
    fn drop(&mut self) {
        // A goodbye as far as it goes without waiting; then the socket, before anything of libssh2 is freed.
        if !self.broken {
            let _ = self.session.disconnect(None, "done", None);
        }
        self.link.shutdown();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_libraries_are_refused() {
        assert!(is_new_enough("1.11.2_DEV") && is_new_enough("1.12.0"));
        assert!(!is_new_enough("1.11.1_DEV") && !is_new_enough("1.10.0") && !is_new_enough("unknown"));
        assert!(SshTransport::new().is_ok());
    }
}
