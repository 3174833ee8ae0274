//! A command's standard input as chunks that stay in place until they were sent.

use std::io::Read;

use crate::transport::{SessionError, Stdin};

const CHUNK: usize = 32 * 1024;

/// What is left of a [`Stdin`].
pub(super) enum Feed<'a> {
    /// These bytes.
    Bytes(&'a [u8]),
    /// A reader, and the chunk read from it.
    Reader {
        from: &'a mut dyn Read,
        chunk: Vec<u8>,
        at: usize,
        ended: bool,
    },
}

impl<'a> Feed<'a> {
    /// Prepares `stdin`.
    pub(super) fn new(stdin: Stdin<'a>) -> Self {
        match stdin {
            Stdin::Empty => Self::Bytes(&[]),
            Stdin::Bytes(bytes) => Self::Bytes(bytes),
            Stdin::Reader(from) => Self::Reader {
                from,
                chunk: Vec::new(),
                at: 0,
                ended: false,
            },
        }
    }

    /// The next bytes to send; the same ones until [`advance`](Self::advance). Empty: the end.
    pub(super) fn next(&mut self) -> Result<&[u8], SessionError> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.get(..CHUNK).unwrap_or(bytes)),
            Self::Reader { from, chunk, at, ended } => {
                if *at >= chunk.len() && !*ended {
                    chunk.resize(CHUNK, 0);
                    let got = loop {
                        match from.read(chunk) {
                            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                            other => break other,
                        }
                    };
                    let got = got.map_err(|error| SessionError::Local(format!("cannot read the input: {error}")))?;
                    chunk.truncate(got);
                    *at = 0;
                    *ended = got == 0;
                }
                Ok(chunk.get(*at..).unwrap_or_default())
            }
        }
    }

    /// Says that `count` bytes of the last chunk were sent.
    pub(super) fn advance(&mut self, count: usize) {
        match self {
            Self::Bytes(bytes) => *bytes = bytes.get(count..).unwrap_or_default(),
            Self::Reader { at, .. } => *at = at.saturating_add(count),
        }
    }
}
