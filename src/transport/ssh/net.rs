//! Name to addresses, and addresses to a connected TCP socket: every address is tried, and nothing outlives the
//! deadline.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use super::fault::Fault;
use super::link::{SLICE, timespec};
use crate::deadline::{Deadline, Stop};
use crate::names::show_duration;
use crate::transport::Stage;

/// A peer that acknowledges nothing for this long is gone.
const USER_TIMEOUT: Duration = Duration::from_secs(60);

/// Looks a name up, in a thread of its own because the system's resolver knows no deadline.
pub(super) fn resolve(host: &str, port: u16, deadline: &Deadline) -> Result<Vec<SocketAddr>, Fault> {
    let literal = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    if let Ok(address) = literal.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c == '\0') {
        return Err(Fault::new(
            Stage::Resolve,
            format!("`{host}` is not a host name or address"),
        ));
    }
    let (tell, answer) = mpsc::sync_channel(1);
    let name = host.to_owned();
    std::thread::Builder::new()
        .name("resolve".to_owned())
        .stack_size(256 * 1024)
        .spawn(move || {
            let found = (name.as_str(), port).to_socket_addrs().map(Iterator::collect::<Vec<_>>);
            // Nobody listens when the deadline passed first.
            let _ = tell.send(found);
        })
        .map_err(|error| {
            Fault::new(
                Stage::Resolve,
                format!("cannot start a thread to look up `{host}`: {error}"),
            )
        })?;
    loop {
        let nap = deadline.slice(SLICE).map_err(|stop| {
            Fault::stopped(
                Stage::Resolve,
                &format!("no answer from the resolver for `{host}`"),
                stop,
            )
        })?;
        match answer.recv_timeout(nap) {
            Ok(Ok(found)) if found.is_empty() => {
                return Err(Fault::new(Stage::Resolve, format!("`{host}` has no address")));
            }
            Ok(Ok(mut found)) => {
                found.dedup();
                return Ok(found);
            }
            Ok(Err(error)) => {
                let text = error.to_string();
                let text = text
                    .strip_prefix("failed to lookup address information: ")
                    .unwrap_or(&text)
                    .to_owned();
                return Err(Fault::new(
                    Stage::Resolve,
                    format!("cannot resolve `{host}`: {text} (set `ansible_host` to an address, or check the name)"),
                ));
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                return Err(Fault::new(
                    Stage::Resolve,
                    format!("cannot resolve `{host}`: the resolver gave up"),
                ));
            }
        }
    }
}

/// Connects to the first address that answers. A silent one gets its share of the time only, so that a dead IPv6
/// address does not eat the time of a good IPv4 one.
pub(super) fn connect(addresses: &[SocketAddr], deadline: &Deadline) -> Result<(OwnedFd, SocketAddr), Fault> {
    let mut reasons: Vec<String> = Vec::new();
    let mut retry = false;
    for (position, address) in addresses.iter().enumerate() {
        let left = u32::try_from(addresses.len().saturating_sub(position)).unwrap_or(1);
        let share = match deadline.remaining() {
            Ok(Some(time)) if left > 1 => deadline.within("address", time.checked_div(left).unwrap_or(time)),
            Ok(_) => deadline.clone(),
            Err(stop) => return Err(stopped(addresses, &reasons, stop)),
        };
        match connect_one(*address, &share) {
            Ok(socket) => return Ok((socket, *address)),
            Err(Failure::Stopped(stop)) => {
                // The whole time is over, or only this address's share.
                if let Err(stop) = deadline.remaining() {
                    return Err(stopped(addresses, &reasons, stop));
                }
                reasons.push(match stop {
                    Stop::TimedOut { limit, .. } => format!("{address}: no answer within {}", show_duration(limit)),
                    Stop::Cancelled => format!("{address}: {stop}"),
                });
            }
            Err(Failure::Os(error)) => {
                retry |= matches!(
                    error,
                    rustix::io::Errno::CONNREFUSED | rustix::io::Errno::CONNRESET | rustix::io::Errno::TIMEDOUT
                );
                reasons.push(format!("{address}: {}", explain(error)));
            }
        }
    }
    let fault = Fault::new(Stage::Connect, format!("cannot connect to {}", reasons.join("; ")));
    Err(if retry { fault.again() } else { fault })
}

fn stopped(addresses: &[SocketAddr], reasons: &[String], stop: Stop) -> Fault {
    let shown: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    let mut what = format!("cannot connect to {}: no answer", shown.join(", "));
    if !reasons.is_empty() {
        what = format!("{what} ({})", reasons.join("; "));
    }
    Fault::stopped(Stage::Connect, &what, stop)
}

fn explain(error: rustix::io::Errno) -> String {
    let text = std::io::Error::from(error).to_string();
    let text = text.split(" (os error").next().unwrap_or(&text).to_lowercase();
    match error {
        rustix::io::Errno::CONNREFUSED => format!("{text} (is sshd running, is the port right?)"),
        rustix::io::Errno::MFILE | rustix::io::Errno::NFILE => format!("{text} (raise `ulimit -n` or lower `--forks`)"),
        _ => text,
    }
}

enum Failure {
    Stopped(Stop),
    Os(rustix::io::Errno),
}

impl From<rustix::io::Errno> for Failure {
    fn from(error: rustix::io::Errno) -> Self {
        Self::Os(error)
    }
}

fn connect_one(address: SocketAddr, deadline: &Deadline) -> Result<OwnedFd, Failure> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    prepare(&socket);
    match rustix::net::connect(&socket, &address) {
        Ok(()) => return Ok(socket),
        Err(rustix::io::Errno::INPROGRESS | rustix::io::Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    loop {
        let nap = deadline.slice(SLICE).map_err(Failure::Stopped)?;
        let mut fds = [PollFd::new(&socket, PollFlags::OUT)];
        match poll(&mut fds, Some(&timespec(nap))) {
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => {
                sockopt::socket_error(&socket)??;
                return Ok(socket);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Options that make small packets leave at once and dead peers noticed. None is worth failing for.
fn prepare(socket: &OwnedFd) {
    let _ = sockopt::set_tcp_nodelay(socket, true);
    let _ = sockopt::set_socket_keepalive(socket, true);
    let _ = sockopt::set_tcp_keepidle(socket, Duration::from_secs(30));
    let _ = sockopt::set_tcp_keepintvl(socket, Duration::from_secs(10));
    let _ = sockopt::set_tcp_keepcnt(socket, 3);
    let _ = sockopt::set_tcp_user_timeout(socket, u32::try_from(USER_TIMEOUT.as_millis()).unwrap_or(60_000));
}

/// The pause before try number `attempt` (from 1): doubling from 150 ms to 2 s, half to one and a half times of it,
/// so that a fleet's hosts behind one overloaded server do not come back together.
pub(super) fn backoff(attempt: u32) -> Duration {
    let base = 150u64.saturating_mul(1 << attempt.saturating_sub(1).min(6)).min(2000);
    let mut random = [0u8; 2];
    // Without randomness the pause is the plain one.
    let share = match getrandom::fill(&mut random) {
        Ok(()) => u64::from(u16::from_le_bytes(random)) % 1000,
        Err(_) => 500,
    };
    Duration::from_millis((base / 2).saturating_add(base.saturating_mul(share) / 1000))
}

/// True when waiting `pause` would leave time for another try.
pub(super) fn worth_waiting(deadline: &Deadline, pause: Duration) -> bool {
    deadline
        .instant()
        .is_none_or(|at| at.saturating_duration_since(Instant::now()) > pause.saturating_add(Duration::from_millis(50)))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::deadline::CancelToken;

    fn deadline(ms: u64) -> Deadline {
        Deadline::none(CancelToken::new()).within("connect timeout", Duration::from_millis(ms))
    }

    #[test]
    fn an_address_needs_no_resolver() {
        assert_eq!(resolve("127.0.0.1", 22, &deadline(0)).unwrap().len(), 1);
        assert_eq!(resolve("[::1]", 22, &deadline(0)).unwrap()[0].to_string(), "[::1]:22");
        assert!(
            resolve("a b", 22, &deadline(50))
                .unwrap_err()
                .message
                .contains("not a host name")
        );
    }

    #[test]
    fn every_address_is_tried() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let good = listener.local_addr().unwrap();
        let bad = "127.0.0.1:1".parse().unwrap();
        let (_, answered) = connect(&[bad, good], &deadline(2000)).unwrap();
        assert_eq!(answered, good);
        let fault = connect(&[bad], &deadline(2000)).unwrap_err();
        assert!(fault.retry && fault.message.contains("connection refused"), "{fault:?}");
    }

    #[test]
    fn pauses_grow_and_are_bounded() {
        for attempt in 1..20 {
            assert!(backoff(attempt) <= Duration::from_secs(3));
            assert!(backoff(attempt) >= Duration::from_millis(75));
        }
    }
}
