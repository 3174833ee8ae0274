//! What an ssh-agent holds, asked with a limit: libssh2's own question waits for ever.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use crate::deadline::Deadline;

const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
/// Agents answer from memory.
const LIMIT: Duration = Duration::from_secs(2);
const MOST: usize = 1024 * 1024;

/// The public keys the agent at `socket` holds.
pub(super) fn identities(socket: &Path, deadline: &Deadline) -> Result<Vec<Vec<u8>>, String> {
    let say = |error: std::io::Error| error.to_string();
    let limit = deadline.slice(LIMIT).map_err(|stop| stop.to_string())?;
    let mut stream = UnixStream::connect(socket).map_err(say)?;
    stream
        .set_read_timeout(Some(limit.max(Duration::from_millis(1))))
        .map_err(say)?;
    stream
        .set_write_timeout(Some(limit.max(Duration::from_millis(1))))
        .map_err(say)?;
    stream.write_all(&[0, 0, 0, 1, REQUEST_IDENTITIES]).map_err(say)?;
    let mut length = [0u8; 4];
    stream.read_exact(&mut length).map_err(say)?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length == 0 || length > MOST {
        return Err("its answer has a wrong length".to_owned());
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer).map_err(say)?;
    parse(&answer).ok_or_else(|| "its answer cannot be understood".to_owned())
}

fn parse(answer: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (&kind, mut rest) = answer.split_first()?;
    if kind != IDENTITIES_ANSWER {
        return None;
    }
    let count = number(&mut rest)?;
    let mut keys = Vec::new();
    for _ in 0..count {
        keys.push(string(&mut rest)?.to_vec());
        string(&mut rest)?;
    }
    Some(keys)
}

fn number(rest: &mut &[u8]) -> Option<u32> {
    let (head, tail) = rest.split_first_chunk::<4>()?;
    *rest = tail;
    Some(u32::from_be_bytes(*head))
}

fn string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(number(rest)?).ok()?;
    let (head, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    Some(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_answer_is_refused() {
        let good = [12, 0, 0, 0, 1, 0, 0, 0, 2, 7, 7, 0, 0, 0, 1, b'c'];
        assert_eq!(parse(&good), Some(vec![vec![7, 7]]));
        for end in 0..good.len() {
            assert_eq!(parse(&good[..end]), None, "cut at {end}");
        }
        assert_eq!(parse(&[12, 255, 255, 255, 255]), None);
    }

    #[test]
    fn a_silent_agent_does_not_hold_us() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("agent");
        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let deadline = Deadline::none(crate::deadline::CancelToken::new()).within("test", Duration::from_millis(200));
        let start = std::time::Instant::now();
        assert!(identities(&path, &deadline).is_err());
        assert!(start.elapsed() < Duration::from_secs(2));
    }
}
