//! Bytes both ways over a subsystem's channel: what the SFTP client runs on.

use std::sync::Arc;

use super::channel::Channel;
use super::exec::Wire;
use super::link::{Link, SLICE};
use crate::deadline::Deadline;
use crate::transport::{Duplex, Pumped, SessionError};

const BUFFER: usize = 64 * 1024;
/// Most bytes read in one pump, so that the reader's memory is bounded by what it asked for plus this.
const MOST: usize = 1024 * 1024;

/// A subsystem's channel together with the connection it runs on.
pub struct ChannelDuplex {
    channel: Channel,
    session: ssh2::Session,
    link: Arc<Link>,
}

impl ChannelDuplex {
    /// A channel of `session` over `link`.
    pub(super) fn new(session: ssh2::Session, link: Arc<Link>, channel: Channel) -> Self {
        Self { channel, session, link }
    }
}

impl Duplex for ChannelDuplex {
    fn pump(&mut self, out: &[u8], input: &mut Vec<u8>, deadline: &Deadline) -> Result<Pumped, SessionError> {
        let wire = Wire {
            session: &self.session,
            link: &self.link,
        };
        let mut pumped = Pumped::default();
        let lost = |trouble: super::channel::Trouble| SessionError::Lost { reason: trouble.text };
        let mut buffer = vec![0; BUFFER];
        loop {
            let mut full = false;
            while pumped.sent < out.len() {
                match self
                    .channel
                    .write(out.get(pumped.sent..).unwrap_or_default())
                    .map_err(lost)?
                {
                    Some(0) | None => {
                        full = wire.wants_to_write();
                        break;
                    }
                    Some(sent) => pumped.sent = pumped.sent.saturating_add(sent),
                }
            }
            while pumped.received < MOST {
                match self.channel.read(0, &mut buffer).map_err(lost)? {
                    Some(0) => {
                        pumped.eof = self.channel.is_eof();
                        break;
                    }
                    None => break,
                    Some(got) => {
                        input.extend_from_slice(buffer.get(..got).unwrap_or_default());
                        pumped.received = pumped.received.saturating_add(got);
                    }
                }
            }
            // What the server says on stderr is not part of the protocol, but it takes room in the window.
            while let Ok(Some(1..)) = self.channel.read(1, &mut buffer) {}
            if pumped.sent > 0 || pumped.received > 0 || pumped.eof {
                return Ok(pumped);
            }
            self.link
                .wait(full, SLICE, deadline)
                .map_err(|stop| SessionError::Stopped { stop, survivor: None })?;
        }
    }
}
