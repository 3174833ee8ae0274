//! What makes a task this task: its parts, one digest over all of them, and what a later run can say has changed.

use std::io::Read as _;

use sha2::{Digest, Sha256};

use crate::marker::record::{Record, escape};
use crate::modules::local::hex;
use crate::modules::step::Content;
use crate::source::visible;

/// Longest text of a part that is kept in a record.
const SHOWN: usize = 200;
/// Most parts a record names; all are in the digest.
const MOST: usize = 40;

/// The parts of a rendered task: its module, arguments, user, variables of the environment, files it sends.
#[derive(Clone, Debug, Default)]
pub struct TaskParts {
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
struct Part {
    name: String,
    value: Vec<u8>,
    /// What people may see of it.
    shown: Option<String>,
}

impl TaskParts {
    /// Adds a part; `shown` is what people may see of its value (secrets masked), `None`: nothing.
    pub fn add(&mut self, name: impl Into<String>, value: impl Into<Vec<u8>>, shown: Option<&str>) {
        let shown = shown.map(|text| text.chars().take(SHOWN).collect());
        let (name, value) = (name.into(), value.into());
        self.parts.push(Part { name, value, shown });
    }

    /// Adds what the task sends of the controller. A file that cannot be read has no digest: it will fail soon enough.
    pub fn add_content(&mut self, name: impl Into<String>, content: &Content) {
        let mut sha256 = Sha256::new();
        match content {
            Content::Bytes(bytes) => sha256.update(bytes),
            Content::File { path, .. } => {
                let Ok(mut file) = std::fs::File::open(path) else {
                    return;
                };
                let mut buffer = vec![0; 64 * 1024];
                while let Ok(got @ 1..) = file.read(&mut buffer) {
                    sha256.update(&buffer[..got]);
                }
            }
            Content::Remote(path) => sha256.update(path),
        }
        let digest = hex(&sha256.finalize());
        self.add(name, digest.as_bytes(), Some(&format!("sha256 {}", &digest[..16])));
    }

    /// One digest over all parts, SHA-256 in hexadecimal.
    pub fn digest(&self) -> String {
        let mut sha256 = Sha256::new();
        for part in &self.parts {
            for bytes in [part.name.as_bytes(), &part.value] {
                sha256.update((bytes.len() as u64).to_le_bytes());
                sha256.update(bytes);
            }
        }
        hex(&sha256.finalize())
    }

    /// Lines of a record: `part NAME HASH TEXT`. The hashes are salted with the record's nonce, so that two records do
    /// not tell that they hold the same secret.
    pub(super) fn lines(&self, nonce: &str) -> String {
        let lines = self.parts.iter().take(MOST).map(|part| {
            let text = part.shown.as_deref().map(escape).unwrap_or_default();
            format!("part {} {} {text}\n", escape(&part.name), part.hash(nonce))
        });
        lines.collect()
    }

    /// What differs from the task of a record, in words for people.
    pub fn differences(&self, record: &Record) -> Vec<String> {
        let nonce = record.get("nonce").unwrap_or_default();
        let old = record.parts();
        let mut words = Vec::new();
        for part in self.parts.iter().take(MOST) {
            let name = visible(&part.name);
            let is = part.shown.as_deref().map(|text| format!("`{}`", visible(text)));
            match old.iter().find(|old| old.name == part.name) {
                Some(old) if old.hash == part.hash(&nonce) => {}
                Some(old) => {
                    let was = old.text.as_deref().map(|text| format!("`{}`", visible(text)));
                    words.push(match (was, is) {
                        (Some(was), Some(is)) if was != is => format!("{name} was {was} and is {is}"),
                        _ => format!("{name} differs (it is not shown)"),
                    });
                }
                None => words.push(match is {
                    Some(is) => format!("{name} is new: {is}"),
                    None => format!("{name} is new"),
                }),
            }
        }
        for old in &old {
            if !self.parts.iter().any(|part| part.name == old.name) {
                words.push(format!("{} is gone", visible(&old.name)));
            }
        }
        words
    }
}

impl Part {
    fn hash(&self, salt: &str) -> String {
        let mut sha256 = Sha256::new();
        for bytes in [salt.as_bytes(), self.name.as_bytes(), &self.value] {
            sha256.update((bytes.len() as u64).to_le_bytes());
            sha256.update(bytes);
        }
        hex(&sha256.finalize())[..16].to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(cmd: &str, secret: &str) -> TaskParts {
        let mut parts = TaskParts::default();
        parts.add("module", "shell", Some("shell"));
        parts.add("cmd", cmd, Some(cmd));
        parts.add("env.TOKEN", secret, None);
        parts
    }

    #[test]
    fn a_record_tells_what_changed_and_no_secret() {
        let text = format!(
            "batchssh-record 1\nnonce 77\n{}",
            parts("mkfs /dev/x", "hunter2").lines("77")
        );
        assert!(!text.contains("hunter2"));
        let record = Record::parse(&text);
        assert!(parts("mkfs /dev/x", "hunter2").differences(&record).is_empty());
        assert_eq!(
            parts("mkfs /dev/y", "hunter3").differences(&record),
            [
                "cmd was `mkfs /dev/x` and is `mkfs /dev/y`",
                "env.TOKEN differs (it is not shown)"
            ]
        );
    }

    #[test]
    fn the_border_between_parts_counts() {
        let mut a = TaskParts::default();
        a.add("ab", "c", None);
        let mut b = TaskParts::default();
        b.add("a", "bc", None);
        assert_ne!(a.digest(), b.digest());
    }
}
