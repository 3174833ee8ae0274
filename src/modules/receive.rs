//! Receiving one file of a host in one exchange, piece by piece, whatever its size.

use std::io;

use crate::modules::ModuleError;
use crate::modules::answer::{self, Answer};
use crate::modules::look::Seen;
use crate::modules::output::Bounded;
use crate::modules::step::Reader;
use crate::names::Stream;
use crate::shell::{Command, snippets};
use crate::transport::{SessionError, Stdin};

/// Where the bytes go.
pub type Sink<'a> = &'a mut dyn FnMut(&[u8]) -> io::Result<()>;

impl Reader<'_> {
    /// Tells what `path` is; when it is a regular file that may be read, all its bytes went to `sink`. A file that could
    /// not be read to its end is an error.
    pub fn receive(&mut self, path: &[u8], sink: Sink<'_>) -> Result<Seen, ModuleError> {
        let mut body = Body::default();
        let mut errors = Bounded::new(64 * 1024);
        let mut failed = None;
        let command = Command::snippet("read", snippets::READ).expanding_arg(path);
        let rc = self.exec(&command, Stdin::Empty, &mut |stream, bytes| match stream {
            Stream::Stdout if failed.is_none() => failed = body.push(bytes, sink).err(),
            Stream::Stdout => {}
            Stream::Stderr => errors.push(bytes),
        })?;
        let local =
            |e: io::Error| ModuleError::from(SessionError::Local(format!("cannot keep what was received: {e}")));
        if let Some(e) = failed {
            return Err(local(e));
        }
        let errors = errors.finish();
        let mut answer = Answer::find(&body.fields, rc, &errors)?;
        let seen = Seen::read(&mut answer)?;
        if !body.streaming {
            return match answer.field()? {
                b"end" => Ok(seen),
                _ => Err(ModuleError::failed("the host's answer is damaged")),
            };
        }
        // `\nend 0` and nothing behind it.
        match body.held.strip_suffix(b"\nend 0") {
            Some(content) => {
                sink(content).map_err(local)?;
                Ok(seen)
            }
            _ => Err(ModuleError::failed(format!(
                "{} could not be read to its end: {}",
                seen.name(),
                answer::reason(b"", &errors)
            ))),
        }
    }
}

/// An answer of `read.sh` as it comes: fields, then the content. Its end is held back until it is known which bytes are
/// the trailer.
#[derive(Default)]
struct Body {
    fields: Vec<u8>,
    held: Vec<u8>,
    streaming: bool,
}

/// Longer than the trailer `\nend 255`.
const TRAILER: usize = 16;
/// The fields before the content are far shorter.
const MOST_FIELDS: usize = 256 * 1024;
/// What stands before the content.
const CONTENT: &[u8] = b"7:content,";

impl Body {
    fn push(&mut self, bytes: &[u8], sink: Sink<'_>) -> io::Result<()> {
        if self.streaming {
            self.held.extend_from_slice(bytes);
        } else {
            self.fields.extend_from_slice(bytes);
            let Some(start) = self.content_start() else {
                return if self.fields.len() > MOST_FIELDS {
                    Err(io::Error::other("the host's answer is damaged"))
                } else {
                    Ok(())
                };
            };
            self.streaming = true;
            self.held = self.fields.split_off(start);
        }
        let sure = self.held.len().saturating_sub(TRAILER);
        sink(self.held.get(..sure).unwrap_or_default())?;
        self.held.drain(..sure);
        Ok(())
    }

    /// Where the content begins. The fields before it are read, not searched: a path may hold the same text.
    fn content_start(&self) -> Option<usize> {
        let mut answer = Answer::find(&self.fields, 0, b"").ok()?;
        Seen::read(&mut answer).ok()?;
        let rest = answer.rest();
        rest.starts_with(CONTENT).then(|| {
            self.fields
                .len()
                .saturating_sub(rest.len())
                .saturating_add(CONTENT.len())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_found_whatever_the_pieces() {
        let line = "81a4 1 0 0 3 1 1 1 1 1 1 1 0 0|r|r|x|x|x";
        let path = "/7:content,";
        let text = format!(
            "noise\nbatchssh-answer-1\n{}:{path},5:found,{}:{line},1:r,0:,7:content,{}\nend 0",
            path.len(),
            line.len(),
            "x".repeat(50)
        );
        for size in [1, 3, 7, 1000] {
            let mut body = Body::default();
            let mut got = Vec::new();
            for piece in text.as_bytes().chunks(size) {
                body.push(piece, &mut |bytes| {
                    got.extend_from_slice(bytes);
                    Ok(())
                })
                .unwrap();
            }
            got.extend_from_slice(&body.held);
            assert_eq!(
                String::from_utf8(got).unwrap(),
                format!("{}\nend 0", "x".repeat(50)),
                "{size}"
            );
        }
    }
}
