//! Where the hosts of a fleet listen: addresses of the loopback device, and a port that is free at all of them.

use std::net::{Ipv4Addr, TcpListener};

use super::{FleetError, io};

/// How many ports are tried before giving up.
pub(super) const PORT_TRIES: usize = 20;

/// An address for each host, and what to add to the port: 127.0.77.N where the whole of 127.0.0.0/8 is loopback
/// (Linux), else 127.0.0.1 with a port for each.
pub(super) fn addresses(count: usize) -> Vec<(Ipv4Addr, u16)> {
    let whole = TcpListener::bind((Ipv4Addr::new(127, 0, 77, 1), 0)).is_ok();
    (0..u16::try_from(count).unwrap_or(u16::MAX))
        .map(|i| {
            let [block, last] = [i / 250, i % 250 + 1].map(|part| u8::try_from(part).unwrap_or(u8::MAX));
            if whole {
                (Ipv4Addr::new(127, 0, 77_u8.saturating_add(block), last), 0)
            } else {
                (Ipv4Addr::LOCALHOST, i)
            }
        })
        .collect()
}

/// A port that is free at every address now.
pub(super) fn free_port(addresses: &[(Ipv4Addr, u16)]) -> Result<u16, FleetError> {
    for _ in 0..PORT_TRIES {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|listener| listener.local_addr())
            .map_err(io("find a free port"))?
            .port();
        let free = |&(ip, offset): &(Ipv4Addr, u16)| {
            port.checked_add(offset)
                .is_some_and(|port| TcpListener::bind((ip, port)).is_ok())
        };
        if addresses.iter().all(free) {
            return Ok(port);
        }
    }
    Err(FleetError::Server {
        reason: format!("no port is free at all {} addresses", addresses.len()),
    })
}
