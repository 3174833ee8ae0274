//! SFTP version 3 packets: requests are built, answers are taken apart. Nothing a server sends can make this panic or
//! take more memory than the packet itself.

use crate::transport::files::{FileKind, RemoteStat};

/// The largest packet that is accepted: what OpenSSH sends at most, and a little more for its header.
pub(super) const MAX_PACKET: usize = 256 * 1024 + 1024;

/// Types of packets.
pub(super) mod kind {
    pub(in crate::transport::ssh::sftp) const INIT: u8 = 1;
    pub(in crate::transport::ssh::sftp) const VERSION: u8 = 2;
    pub(in crate::transport::ssh::sftp) const OPEN: u8 = 3;
    pub(in crate::transport::ssh::sftp) const CLOSE: u8 = 4;
    pub(in crate::transport::ssh::sftp) const READ: u8 = 5;
    pub(in crate::transport::ssh::sftp) const WRITE: u8 = 6;
    pub(in crate::transport::ssh::sftp) const LSTAT: u8 = 7;
    pub(in crate::transport::ssh::sftp) const FSTAT: u8 = 8;
    pub(in crate::transport::ssh::sftp) const SETSTAT: u8 = 9;
    pub(in crate::transport::ssh::sftp) const FSETSTAT: u8 = 10;
    pub(in crate::transport::ssh::sftp) const OPENDIR: u8 = 11;
    pub(in crate::transport::ssh::sftp) const READDIR: u8 = 12;
    pub(in crate::transport::ssh::sftp) const REMOVE: u8 = 13;
    pub(in crate::transport::ssh::sftp) const MKDIR: u8 = 14;
    pub(in crate::transport::ssh::sftp) const RMDIR: u8 = 15;
    pub(in crate::transport::ssh::sftp) const STAT: u8 = 17;
    pub(in crate::transport::ssh::sftp) const RENAME: u8 = 18;
    pub(in crate::transport::ssh::sftp) const READLINK: u8 = 19;
    pub(in crate::transport::ssh::sftp) const SYMLINK: u8 = 20;
    pub(in crate::transport::ssh::sftp) const STATUS: u8 = 101;
    pub(in crate::transport::ssh::sftp) const HANDLE: u8 = 102;
    pub(in crate::transport::ssh::sftp) const DATA: u8 = 103;
    pub(in crate::transport::ssh::sftp) const NAME: u8 = 104;
    pub(in crate::transport::ssh::sftp) const ATTRS: u8 = 105;
    pub(in crate::transport::ssh::sftp) const EXTENDED: u8 = 200;
    pub(in crate::transport::ssh::sftp) const EXTENDED_REPLY: u8 = 201;
}

/// Status codes.
pub(super) mod status {
    pub(in crate::transport::ssh::sftp) const OK: u32 = 0;
    pub(in crate::transport::ssh::sftp) const EOF: u32 = 1;
    pub(in crate::transport::ssh::sftp) const NO_SUCH_FILE: u32 = 2;
    pub(in crate::transport::ssh::sftp) const PERMISSION_DENIED: u32 = 3;
    pub(in crate::transport::ssh::sftp) const FAILURE: u32 = 4;
    pub(in crate::transport::ssh::sftp) const OP_UNSUPPORTED: u32 = 8;
}

/// Flags of an open request.
pub(super) mod open {
    pub(in crate::transport::ssh::sftp) const READ: u32 = 1;
    pub(in crate::transport::ssh::sftp) const WRITE: u32 = 2;
    pub(in crate::transport::ssh::sftp) const CREATE: u32 = 8;
    pub(in crate::transport::ssh::sftp) const EXCLUSIVE: u32 = 0x20;
}

const ATTR_SIZE: u32 = 1;
const ATTR_UID_GID: u32 = 2;
const ATTR_PERMISSIONS: u32 = 4;
const ATTR_TIMES: u32 = 8;
const ATTR_EXTENDED: u32 = 0x8000_0000;

/// A packet that does not follow the protocol, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct BadPacket(pub(super) &'static str);

/// Attributes of a file; what is not said is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Attributes {
    /// Bytes.
    pub(super) size: Option<u64>,
    /// Owner and group.
    pub(super) owner: Option<(u32, u32)>,
    /// Type and permission bits.
    pub(super) mode: Option<u32>,
    /// Last access and last change, seconds since the epoch.
    pub(super) times: Option<(u32, u32)>,
}

impl Attributes {
    /// As the rest of the program sees it; `None` when the type is missing.
    pub(super) fn stat(&self) -> Option<RemoteStat> {
        let mode = self.mode?;
        let (uid, gid) = self.owner.unwrap_or((0, 0));
        Some(RemoteStat {
            kind: FileKind::of_mode(mode)?,
            size: self.size.unwrap_or(0),
            mode: mode & 0o7777,
            mtime: self.times.map_or(0, |(_, mtime)| i64::from(mtime)),
            uid,
            gid,
        })
    }
}

/// Appends one request to a buffer. [`Writer::finish`] fills in the length.
pub(super) struct Writer<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
}

impl<'a> Writer<'a> {
    /// Starts a packet.
    pub(super) fn new(out: &'a mut Vec<u8>, kind: u8) -> Self {
        let start = out.len();
        out.extend_from_slice(&[0, 0, 0, 0, kind]);
        Self { out, start }
    }

    /// A 32-bit number.
    pub(super) fn u32(&mut self, value: u32) -> &mut Self {
        self.out.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// A 64-bit number.
    pub(super) fn u64(&mut self, value: u64) -> &mut Self {
        self.out.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// Bytes with their length in front. Callers keep them far below 4 GiB.
    pub(super) fn string(&mut self, bytes: &[u8]) -> &mut Self {
        self.u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        self.out.extend_from_slice(bytes);
        self
    }

    /// Attributes.
    pub(super) fn attributes(&mut self, attributes: &Attributes) -> &mut Self {
        let Attributes {
            size,
            owner,
            mode,
            times,
        } = attributes;
        let flag = |is_set: bool, bit: u32| if is_set { bit } else { 0 };
        self.u32(
            flag(size.is_some(), ATTR_SIZE)
                | flag(owner.is_some(), ATTR_UID_GID)
                | flag(mode.is_some(), ATTR_PERMISSIONS)
                | flag(times.is_some(), ATTR_TIMES),
        );
        if let Some(size) = size {
            self.u64(*size);
        }
        if let Some((uid, gid)) = owner {
            self.u32(*uid).u32(*gid);
        }
        if let Some(mode) = mode {
            self.u32(*mode);
        }
        if let Some((atime, mtime)) = times {
            self.u32(*atime).u32(*mtime);
        }
        self
    }

    /// Ends the packet.
    pub(super) fn finish(self) {
        let packet = self.out.get_mut(self.start..).unwrap_or_default();
        if let Some((place, body)) = packet.split_first_chunk_mut::<4>() {
            *place = u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes();
        }
    }
}

/// Takes a packet apart from the front.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], BadPacket> {
        let (front, rest) = self
            .0
            .split_at_checked(count)
            .ok_or(BadPacket("a packet ends too early"))?;
        self.0 = rest;
        Ok(front)
    }

    /// One byte.
    pub(super) fn u8(&mut self) -> Result<u8, BadPacket> {
        Ok(self.take(1)?.first().copied().unwrap_or(0))
    }

    /// A 32-bit number.
    pub(super) fn u32(&mut self) -> Result<u32, BadPacket> {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(self.take(4)?);
        Ok(u32::from_be_bytes(bytes))
    }

    /// A 64-bit number.
    pub(super) fn u64(&mut self) -> Result<u64, BadPacket> {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(self.take(8)?);
        Ok(u64::from_be_bytes(bytes))
    }

    /// Bytes with their length in front.
    pub(super) fn string(&mut self) -> Result<&'a [u8], BadPacket> {
        let length = self.u32()?;
        self.take(usize::try_from(length).unwrap_or(usize::MAX))
    }

    /// True when nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Attributes; extended ones are skipped.
    pub(super) fn attributes(&mut self) -> Result<Attributes, BadPacket> {
        let flags = self.u32()?;
        let mut attributes = Attributes::default();
        if flags & ATTR_SIZE != 0 {
            attributes.size = Some(self.u64()?);
        }
        if flags & ATTR_UID_GID != 0 {
            attributes.owner = Some((self.u32()?, self.u32()?));
        }
        if flags & ATTR_PERMISSIONS != 0 {
            attributes.mode = Some(self.u32()?);
        }
        if flags & ATTR_TIMES != 0 {
            attributes.times = Some((self.u32()?, self.u32()?));
        }
        if flags & ATTR_EXTENDED != 0 {
            // A wrong count ends with the packet.
            for _ in 0..self.u32()? {
                self.string()?;
                self.string()?;
            }
        }
        Ok(attributes)
    }
}

/// One answer of the server, without its id.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Response<'a> {
    /// How a request ended.
    Status {
        /// See [`status`].
        code: u32,
        /// What the server says about it; may be empty.
        message: &'a [u8],
    },
    /// An open file or directory.
    Handle(&'a [u8]),
    /// Content of a file.
    Data(&'a [u8]),
    /// Names with their attributes.
    Names(Vec<(&'a [u8], Attributes)>),
    /// Attributes of a file.
    Attributes(Attributes),
    /// The answer to an extended request.
    Extended(&'a [u8]),
}

impl<'a> Response<'a> {
    /// Takes apart what follows the id of an answer of type `kind`.
    pub(super) fn decode(kind: u8, body: &'a [u8]) -> Result<Self, BadPacket> {
        let mut reader = Reader(body);
        Ok(match kind {
            kind::STATUS => Self::Status {
                code: reader.u32()?,
                // Very old servers leave the text out.
                message: reader.string().unwrap_or(b""),
            },
            kind::HANDLE => {
                let handle = reader.string()?;
                if handle.len() > 256 {
                    return Err(BadPacket("a file handle is longer than 256 bytes"));
                }
                Self::Handle(handle)
            }
            kind::DATA => Self::Data(reader.string()?),
            kind::NAME => {
                let mut names = Vec::new();
                for _ in 0..reader.u32()? {
                    let name = reader.string()?;
                    let _long = reader.string()?;
                    names.push((name, reader.attributes()?));
                }
                Self::Names(names)
            }
            kind::ATTRS => Self::Attributes(reader.attributes()?),
            kind::EXTENDED_REPLY => Self::Extended(body),
            _ => return Err(BadPacket("an answer has an unknown type")),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn attributes_come_back_as_they_were_written() {
        let attributes = Attributes {
            size: Some(1 << 40),
            owner: Some((1, 2)),
            mode: Some(0o100_644),
            times: Some((3, 4)),
        };
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out, kind::SETSTAT);
        writer.attributes(&attributes);
        writer.finish();
        assert_eq!(out[..5], [0, 0, 0, 33, kind::SETSTAT]);
        assert_eq!(Reader(&out[5..]).attributes(), Ok(attributes));
    }

    #[test]
    fn a_count_of_names_that_is_a_lie_is_refused() {
        assert_eq!(
            Response::decode(kind::NAME, &[0xff; 4]),
            Err(BadPacket("a packet ends too early"))
        );
    }

    proptest! {
        #[test]
        fn no_bytes_panic(kind in 99_u8..=202, body in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Response::decode(kind, &body);
        }

        #[test]
        fn no_bytes_with_small_numbers_panic(kind in 99_u8..=202, body in proptest::collection::vec(0_u8..4, 0..300)) {
            let _ = Response::decode(kind, &body);
        }
    }
}
