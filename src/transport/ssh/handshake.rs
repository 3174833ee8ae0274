//! From an open byte stream to a server that is known: greeting, key exchange, host key, login. libssh2 works in
//! blocking mode here and the watchdog holds the deadline.

use std::time::Duration;

use libssh2_sys as raw;

use super::Shared;
use super::auth::{Login, clean, code};
use super::diagnose;
use super::fault::Fault;
use super::known_hosts::{Answer, fingerprint, key_type, lookup_name};
use super::link::Link;
use super::watchdog::Watchdog;
use crate::deadline::Deadline;
use crate::transport::{ConnectSettings, ConnectionInfo, HostKeyCheck, Stage};

/// What we offer, best first. No CBC, no SHA-1, no MD5; no host certificates, which are not checked here.
pub(super) const CIPHERS: &str = "chacha20-poly1305@openssh.com,aes256-gcm@openssh.com,aes128-gcm@openssh.com,aes256-ctr,aes192-ctr,\
                       aes128-ctr";
/// The same for message authentication codes.
pub(super) const MACS: &str = "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,hmac-sha2-256,hmac-sha2-512";
/// The same for host keys.
pub(super) const HOST_KEYS: [&str; 6] = [
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
];

/// A connection that is logged in.
pub(super) struct Established {
    pub(super) session: ssh2::Session,
    pub(super) link: Link,
    pub(super) info: ConnectionInfo,
}

/// Whether the server's key is the known one.
enum Trust {
    Full,
    /// Let pass although it is not: `host_key_checking` is off.
    None,
}

/// Makes `link` a logged-in session.
pub(super) fn establish(
    link: Link,
    settings: &ConnectSettings,
    shared: &Shared,
    deadline: &Deadline,
) -> Result<Established, Fault> {
    let _guard = Watchdog::global()
        .guard(link.socket(), deadline, Duration::ZERO)
        .map_err(|error| Fault::new(Stage::Connect, format!("cannot start a thread: {error}")))?;
    let failed = |error: ssh2::Error| Fault::new(Stage::Handshake, format!("cannot start SSH: {}", error.message()));
    let mut session = ssh2::Session::new().map_err(failed)?;
    prefer(&session, settings, shared)?;
    session.set_tcp_stream(link.for_ssh2());
    let mut link = link;
    if let Err(error) = session.handshake() {
        return Err(handshake_fault(&error, &session, &mut link, settings, deadline));
    }
    let mut info = ConnectionInfo {
        banner: session.banner_bytes().map(greeting_text),
        kex: session.methods(ssh2::MethodType::Kex).map(str::to_owned),
        fingerprint: None,
        peer: Some(link.peer.clone()),
    };
    let key = session.host_key().map(|(key, _)| key.to_vec());
    let key = key.ok_or_else(|| Fault::new(Stage::HostKey, "the server showed no host key"))?;
    info.fingerprint = Some(fingerprint(&key));
    let trust = check_host_key(&key, settings, shared)?;
    let login = Login {
        session: &session,
        settings,
        keys: &shared.keys,
        deadline,
        may_send_password: matches!(trust, Trust::Full),
    };
    login.run()?;
    deadline.remaining().map_err(|stop| {
        Fault::stopped(
            Stage::Login,
            &format!("no end of the login as `{}`", settings.user),
            stop,
        )
    })?;
    session.set_blocking(false);
    Ok(Established { session, link, info })
}

/// The key that the server shows for one host key algorithm, and the address that answered. Nobody is logged in.
/// `None`: the key exchange failed, as it does when the server has no such key.
pub(super) fn shown_key(
    link: Link,
    algorithm: &str,
    settings: &ConnectSettings,
    deadline: &Deadline,
) -> Result<Option<(Vec<u8>, String)>, Fault> {
    let _guard = Watchdog::global()
        .guard(link.socket(), deadline, Duration::ZERO)
        .map_err(|error| Fault::new(Stage::Connect, format!("cannot start a thread: {error}")))?;
    let failed = |error: ssh2::Error| Fault::new(Stage::Handshake, format!("cannot start SSH: {}", error.message()));
    let mut session = ssh2::Session::new().map_err(failed)?;
    offer(&session, algorithm)?;
    session.set_tcp_stream(link.for_ssh2());
    let mut link = link;
    let shaken = session.handshake();
    let key = session.host_key().map(|(key, _)| key.to_vec());
    let result = match (shaken, key) {
        (Ok(()), Some(key)) => Ok(Some((key, link.peer.clone()))),
        (Ok(()), None) => Err(Fault::new(Stage::HostKey, "the server showed no host key")),
        (Err(error), _)
            if deadline.remaining().is_ok()
                && matches!(
                    code(&error),
                    raw::LIBSSH2_ERROR_KEX_FAILURE | raw::LIBSSH2_ERROR_METHOD_NONE | raw::LIBSSH2_ERROR_HOSTKEY_INIT
                ) =>
        {
            Ok(None)
        }
        (Err(error), _) => Err(handshake_fault(&error, &session, &mut link, settings, deadline)),
    };
    // Before anything of libssh2 is freed, so that nothing waits for the peer.
    link.shutdown();
    result
}

/// Says what we want, host keys of a known type first: a server with several is then matched by the known one.
fn prefer(session: &ssh2::Session, settings: &ConnectSettings, shared: &Shared) -> Result<(), Fault> {
    let name = lookup_name(&settings.address, settings.port, settings.host_key_alias.as_deref());
    let known = shared
        .known_hosts
        .types(&settings.known_hosts, &name)
        .map_err(|why| Fault::new(Stage::HostKey, why))?;
    let mut order: Vec<&str> = Vec::new();
    for kind in &known {
        match kind.as_str() {
            "ssh-rsa" => order.extend(["rsa-sha2-512", "rsa-sha2-256"]),
            kind => order.extend(HOST_KEYS.iter().filter(|&&name| name == kind)),
        }
    }
    let rest: Vec<&str> = HOST_KEYS.iter().copied().filter(|name| !order.contains(name)).collect();
    order.extend(rest);
    offer(session, &order.join(","))
}

/// Says what we want, with these host key algorithms.
fn offer(session: &ssh2::Session, host_keys: &str) -> Result<(), Fault> {
    let wanted = [
        (ssh2::MethodType::HostKey, host_keys.to_owned()),
        (ssh2::MethodType::CryptCs, CIPHERS.to_owned()),
        (ssh2::MethodType::CryptSc, CIPHERS.to_owned()),
        (ssh2::MethodType::MacCs, MACS.to_owned()),
        (ssh2::MethodType::MacSc, MACS.to_owned()),
    ];
    for (method, names) in wanted {
        session
            .method_pref(method, &names)
            .map_err(|error| Fault::new(Stage::Handshake, format!("cannot set up SSH: {}", error.message())))?;
    }
    Ok(())
}

/// A greeting for people: what can be printed of it, and no more than a line.
fn greeting_text(bytes: &[u8]) -> String {
    let text = bytes.iter().filter(|b| b.is_ascii_graphic() || **b == b' ').take(120);
    text.map(|&b| char::from(b)).collect()
}

fn handshake_fault(
    error: &ssh2::Error,
    session: &ssh2::Session,
    link: &mut Link,
    settings: &ConnectSettings,
    deadline: &Deadline,
) -> Fault {
    let peer = link.peer.clone();
    let greeting = session.banner_bytes().map(greeting_text);
    if let Err(stop) = deadline.remaining() {
        let what = match greeting {
            None => format!("no SSH greeting from {peer}"),
            Some(_) => format!("no key exchange with {peer}"),
        };
        return Fault::stopped(Stage::Handshake, &what, stop);
    }
    if let Some(complaint) = link.proxy_complaint() {
        return Fault::new(Stage::Connect, format!("ProxyCommand: {complaint}"));
    }
    let said = greeting
        .as_ref()
        .map_or(String::new(), |text| format!(" (it says `{text}`)"));
    match code(error) {
        raw::LIBSSH2_ERROR_SOCKET_DISCONNECT
        | raw::LIBSSH2_ERROR_SOCKET_RECV
        | raw::LIBSSH2_ERROR_SOCKET_SEND
        | raw::LIBSSH2_ERROR_BANNER_SEND => {
            let when = if greeting.is_some() {
                "during the key exchange"
            } else {
                "before its SSH greeting"
            };
            let message = format!(
                "{peer} closed the connection {when}{said} (too many connections at once? see MaxStartups in its \
                 sshd_config, and lower --forks)"
            );
            Fault::new(Stage::Handshake, message).again()
        }
        raw::LIBSSH2_ERROR_BANNER_RECV => Fault::new(
            Stage::Handshake,
            format!("{peer} does not answer as an SSH server{said}: is the port right?"),
        ),
        raw::LIBSSH2_ERROR_KEX_FAILURE
        | raw::LIBSSH2_ERROR_KEY_EXCHANGE_FAILURE
        | raw::LIBSSH2_ERROR_METHOD_NONE
        | raw::LIBSSH2_ERROR_HOSTKEY_INIT => {
            let mut message = format!("no key exchange with {peer}{said}: {}", clean(error.message()));
            // What the server offers is in its first packet, which libssh2 keeps to itself: asked for once more.
            if settings.jumps.is_empty()
                && settings.proxy_command.is_none()
                && let Some(offer) = diagnose::offer(&settings.address, settings.port, deadline)
            {
                message = format!("{message}; {offer}");
            }
            Fault::new(Stage::Handshake, message)
        }
        _ => Fault::new(
            Stage::Handshake,
            format!("SSH with {peer} failed{said}: {}", clean(error.message())),
        ),
    }
}

/// Holds the server's key against known_hosts. Nothing was sent yet that the server could use.
fn check_host_key(key: &[u8], settings: &ConnectSettings, shared: &Shared) -> Result<Trust, Fault> {
    let name = lookup_name(&settings.address, settings.port, settings.host_key_alias.as_deref());
    let shown = fingerprint(key);
    let kind = key_type(key).map_or_else(|| "unknown".to_owned(), clean);
    let refuse = |message: String| Err(Fault::new(Stage::HostKey, message));
    let mut answer = shared
        .known_hosts
        .check(&settings.known_hosts, &name, key)
        .map_err(|why| Fault::new(Stage::HostKey, why))?;
    if settings.host_key_check == HostKeyCheck::AcceptNew && matches!(answer, Answer::Unknown { by_authority: None }) {
        let Some(file) = settings.known_hosts.first() else {
            return refuse(format!(
                "the host key of {name} ({kind} {shown}) is new and there is no known_hosts file"
            ));
        };
        answer = shared
            .known_hosts
            .remember(file, &name, key)
            .map_err(|why| Fault::new(Stage::HostKey, why))?;
        if answer == Answer::Known {
            tracing::info!("{name}: new host key {kind} {shown} written to {}", file.display());
        }
    }
    if answer == Answer::Known {
        return Ok(Trust::Full);
    }
    if settings.host_key_check == HostKeyCheck::Off {
        // As ssh: a changed key is let pass, a password is not.
        return Ok(match answer {
            Answer::Known | Answer::Unknown { .. } => Trust::Full,
            Answer::Changed { .. } | Answer::Revoked { .. } => Trust::None,
        });
    }
    match answer {
        Answer::Known => Ok(Trust::Full),
        Answer::Unknown { by_authority: Some(at) } => refuse(format!(
            "host key of {name} is not known: {kind} {shown}; the @cert-authority line at {at} is about host \
             certificates, which are not supported: add the host's own key"
        )),
        Answer::Unknown { by_authority: None } => refuse(format!(
            "host key of {name} is not known: {kind} {shown}; check it and add it to {} (or run with accept-new)",
            settings
                .known_hosts
                .first()
                .map_or_else(|| "known_hosts".to_owned(), |file| file.display().to_string())
        )),
        Answer::Changed { at, known } => refuse(format!(
            "host key of {name} has CHANGED: it shows {kind} {shown}, but {at} has another {known} key: somebody may be \
             in between, or the host was installed anew; if so remove that line"
        )),
        Answer::Revoked { at } => refuse(format!("host key of {name} is REVOKED at {at}: {kind} {shown}")),
    }
}
