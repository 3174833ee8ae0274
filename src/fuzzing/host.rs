//! A host that answers every command with the next piece of the input.

use crate::deadline::Deadline;
use crate::fuzzing::input::SEPARATOR;
use crate::modules::ModuleError;
use crate::modules::step::Link;
use crate::names::Stream;
use crate::shell::elevate::Become;
use crate::transport::files::Files;
use crate::transport::shell_files::ShellFiles;
use crate::transport::{ConnectionInfo, Exec, ExitStatus, OnOutput, Session, SessionError, Stdin};

/// The session.
pub(crate) struct Liar<'d> {
    answers: Vec<&'d [u8]>,
    info: ConnectionInfo,
}

impl<'d> Liar<'d> {
    /// The answers stand behind each other, with separators between.
    pub(crate) fn new(data: &'d [u8]) -> Self {
        let mut answers: Vec<&[u8]> = data.split(|b| *b == SEPARATOR).take(64).collect();
        answers.reverse();
        Self {
            answers,
            info: ConnectionInfo::default(),
        }
    }

    /// One answer, whatever bytes it has.
    pub(crate) fn whole(answer: &'d [u8]) -> Self {
        Self {
            answers: vec![answer],
            info: ConnectionInfo::default(),
        }
    }
}

impl Link for Liar<'_> {
    fn session(&mut self) -> Result<&mut dyn Session, ModuleError> {
        Ok(self)
    }
}

impl Session for Liar<'_> {
    /// The first byte of an answer says how the command ends, and whether the rest comes on the other stream.
    fn exec(&mut self, request: Exec<'_>, _: &Deadline, on_output: OnOutput<'_>) -> Result<ExitStatus, SessionError> {
        if let Stdin::Reader(reader) = request.stdin {
            let _ = std::io::copy(reader, &mut std::io::sink());
        }
        let Some((end, output)) = self.answers.pop().and_then(<[u8]>::split_first) else {
            return Err(SessionError::Lost {
                reason: "there is no more input".to_owned(),
            });
        };
        let output = with_nonce(output, request.command.for_host());
        let stream = if end & 0x40 == 0 {
            Stream::Stdout
        } else {
            Stream::Stderr
        };
        // In pieces that fit nothing.
        for piece in output.chunks(if end & 0x20 == 0 { usize::MAX } else { 7 }) {
            on_output(stream, piece);
        }
        match end & 0x1f {
            1 => Ok(ExitStatus::Code(1)),
            2 => Ok(ExitStatus::Signal("KILL".to_owned())),
            3 => Err(SessionError::InDoubt {
                reason: "no status".to_owned(),
            }),
            4 => Err(SessionError::Refused {
                reason: "no channel".to_owned(),
            }),
            5 => Ok(ExitStatus::Code(i32::MIN)),
            _ => Ok(ExitStatus::Code(0)),
        }
    }

    fn files<'s>(&'s mut self, elevate: Option<&Become>, _: &Deadline) -> Result<Box<dyn Files + 's>, SessionError> {
        Ok(Box::new(ShellFiles::new(self, elevate)))
    }

    fn info(&self) -> &ConnectionInfo {
        &self.info
    }

    fn is_alive(&self) -> bool {
        true
    }
}

/// `\x01T` in an answer stands for the nonce of the command that is answered: hexadecimal digits, 16 of them.
fn with_nonce(output: &[u8], command: &[u8]) -> Vec<u8> {
    let nonce = command
        .split(|b| !b.is_ascii_hexdigit())
        .rfind(|word| word.len() == 16)
        .unwrap_or(b"T");
    let mut out = Vec::with_capacity(output.len());
    let mut rest = output;
    while let Some((first, after)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix(b"\x01T") {
            out.extend_from_slice(nonce);
            rest = after;
        } else {
            out.push(*first);
            rest = after;
        }
    }
    out
}

/// A deadline that only a hang would reach.
pub(crate) fn soon() -> Deadline {
    use crate::deadline::CancelToken;
    Deadline::none(CancelToken::new()).within("fuzzing", std::time::Duration::from_secs(20))
}
