//! Asking a host which machine it is.

use serde_json::{Value as Json, json};

use crate::deadline::Deadline;
use crate::modules::ModuleError;
use crate::modules::answer::Answer;
use crate::shell::{Command, snippets};
use crate::transport::{Exec, ExitStatus, Session};

/// A machine: its id, and what tells it from its copies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Where on the host the id stands: `/etc/machine-id`.
    pub source: String,
    /// The id.
    pub id: String,
    /// The boot, and the namespace of a container; empty: it is not known.
    pub instance: String,
}

/// An answer is a few lines; what is longer is none.
const LARGEST: usize = 16 * 1024;
/// No id and no name of a boot or namespace is longer.
const LONGEST: usize = 128;

impl Identity {
    /// Asks over an open session. `None`: the host knows no id.
    pub fn ask(session: &mut dyn Session, deadline: &Deadline) -> Result<Option<Self>, ModuleError> {
        let command = Command::snippet("identity", snippets::IDENTITY).arg("");
        let mut out = Vec::new();
        let status = session.exec(Exec::new(&command), deadline, &mut |stream, bytes| {
            if stream == crate::names::Stream::Stdout && out.len() + bytes.len() <= LARGEST {
                out.extend_from_slice(bytes);
            }
        })?;
        let rc = match status {
            ExitStatus::Code(code) => code,
            ExitStatus::Signal(_) => -1,
        };
        Self::read(&out, rc)
    }

    fn read(out: &[u8], rc: i32) -> Result<Option<Self>, ModuleError> {
        let mut answer = Answer::find(out, rc, b"")?;
        let (source, id, instance) = (answer.text()?, answer.text()?, answer.text()?);
        if answer.field()? != b"end" {
            return Err(ModuleError::failed("the host's answer is damaged: it does not end"));
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if id.is_empty() || id.len() > LONGEST || !id.chars().all(plain) {
            return Ok(None);
        }
        let instance = instance.trim();
        let known = instance.len() <= LONGEST && instance.chars().all(|c| c.is_ascii_graphic() || c == ' ');
        Ok(Some(Self {
            source: source.chars().filter(char::is_ascii_graphic).take(LONGEST).collect(),
            id: id.to_ascii_lowercase(),
            instance: if known { instance.to_owned() } else { String::new() },
        }))
    }

    /// As results have it.
    pub fn value(&self) -> Json {
        json!({ "machine_id": self.id, "machine_id_from": self.source, "instance": self.instance })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(fields: [&str; 3]) -> Result<Option<Identity>, ModuleError> {
        let mut text = "\nbatchssh-answer-1\n".to_owned();
        for field in fields.iter().chain([&"end"]) {
            text += &format!("{}:{field},", field.len());
        }
        Identity::read(text.as_bytes(), 0)
    }

    #[test]
    fn an_id_is_what_looks_like_one() {
        let is = answer(["/etc/machine-id", "0A1b", "boot uts:[7]"]).unwrap().unwrap();
        assert_eq!((is.id.as_str(), is.instance.as_str()), ("0a1b", "boot uts:[7]"));
        for id in ["", "\u{1b}[31m", "a b", &"x".repeat(200)] {
            assert_eq!(answer(["/etc/machine-id", id, "boot"]).unwrap(), None, "{id}");
        }
        assert!(Identity::read(b"motd\n", 0).is_err());
    }
}
