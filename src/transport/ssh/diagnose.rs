//! What a server offers, read from its first packet: for the message when we have nothing in common with it.

use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, poll};

use super::link::{SLICE, timespec};
use super::net;
use crate::deadline::Deadline;

const MOST: usize = 64 * 1024;

/// Asks the server and puts its offer into words. `None` when it does not tell.
pub(super) fn offer(address: &str, port: u16, deadline: &Deadline) -> Option<String> {
    ask(address, port, deadline).map(|lists| words(&lists))
}

/// The host key algorithms that the server offers. `None` when it does not tell.
pub(super) fn host_keys(address: &str, port: u16, deadline: &Deadline) -> Option<Vec<String>> {
    let lists = ask(address, port, deadline)?;
    Some(lists.get(1)?.split(',').map(str::to_owned).collect())
}

/// The name lists of the server's first packet.
fn ask(address: &str, port: u16, deadline: &Deadline) -> Option<Vec<String>> {
    let addresses = net::resolve(address, port, deadline).ok()?;
    let (socket, _) = net::connect(&addresses, deadline).ok()?;
    rustix::io::write(&socket, b"SSH-2.0-batchssh\r\n").ok()?;
    let mut bytes = Vec::new();
    let mut buffer = [0u8; 4096];
    while bytes.len() < MOST {
        if let Some(lists) = lists(&bytes) {
            return Some(lists);
        }
        let nap = deadline.slice(SLICE).ok()?;
        let mut fds = [PollFd::new(&socket, PollFlags::IN)];
        if poll(&mut fds, Some(&timespec(nap))).ok()? == 0 {
            continue;
        }
        match rustix::io::read(socket.as_fd(), &mut buffer) {
            Ok(0) => return None,
            Ok(count) => bytes.extend_from_slice(buffer.get(..count)?),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
            Err(_) => return None,
        }
    }
    None
}

/// The name lists of a KEXINIT packet after the greeting.
fn lists(bytes: &[u8]) -> Option<Vec<String>> {
    let mut rest = bytes;
    loop {
        let end = rest.iter().position(|&b| b == b'\n')?;
        let (line, tail) = rest.split_at_checked(end.saturating_add(1))?;
        rest = tail;
        if line.starts_with(b"SSH-") {
            break;
        }
    }
    let (length, rest) = number(rest)?;
    let packet = rest.get(..length)?;
    // One byte of padding length, one of type, sixteen of cookie.
    if packet.get(1) != Some(&20) {
        return None;
    }
    let mut rest = packet.get(18..)?;
    let mut lists = Vec::new();
    for _ in 0..6 {
        let (length, tail) = number(rest)?;
        let (list, tail) = tail.split_at_checked(length)?;
        lists.push(super::auth::clean(&String::from_utf8_lossy(list)));
        rest = tail;
    }
    Some(lists)
}

fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (head, tail) = bytes.split_first_chunk::<4>()?;
    Some((usize::try_from(u32::from_be_bytes(*head)).ok()?, tail))
}

fn words(lists: &[String]) -> String {
    let get = |index: usize| lists.get(index).map_or("", String::as_str);
    format!(
        "the host offers only kex {}; host keys {}; ciphers {}; macs {} (SHA-1 and older are not supported)",
        get(0),
        get(1),
        get(3),
        get(5)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_offer_is_read_and_a_cut_one_is_not() {
        let mut packet = vec![4, 20];
        packet.extend([0; 16]);
        for list in ["dh-sha1", "ssh-dss", "3des", "3des", "md5", "md5"] {
            packet.extend(u32::try_from(list.len()).unwrap().to_be_bytes());
            packet.extend(list.as_bytes());
        }
        let mut bytes = b"hello\r\nSSH-2.0-old\r\n".to_vec();
        bytes.extend(u32::try_from(packet.len()).unwrap().to_be_bytes());
        bytes.extend(packet);
        for cut in 0..bytes.len() {
            assert!(lists(&bytes[..cut]).is_none());
        }
        let said = words(&lists(&bytes).unwrap());
        assert!(
            said.contains("kex dh-sha1; host keys ssh-dss; ciphers 3des; macs md5"),
            "{said}"
        );
    }
}
