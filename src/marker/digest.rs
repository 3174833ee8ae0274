//! What makes a task this task: its parts, one digest over all of them, and what a later run can say has changed.

use sha2::{Digest, Sha256};

use crate::marker::file;
use crate::marker::record::{Record, escape};
use crate::modules::local::hex;
use crate::modules::step::{Content, Sent};
use crate::source::visible;

/// Longest text of a part that is kept in a record.
const SHOWN: usize = 200;
/// Most parts a record names; all are in the digest.
const MOST: usize = 40;
/// Most files of a task that are parts of their own; the others are one part together.
const FILES: usize = 20;
/// Longest name of a part; of a longer one the end is kept.
const NAME: usize = 100;

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

    /// Adds what the task sends of the controller. `hidden`: nothing of it may be shown.
    pub fn add_sent(&mut self, sent: &[Sent], hidden: bool) {
        let own = if sent.len() > FILES { FILES - 1 } else { FILES };
        for one in sent.iter().take(own) {
            let digest = digest_of(&one.content);
            let shown = format!("sha256 {}…", digest.get(..16).unwrap_or(&digest));
            let shown = (!hidden && !one.is_hidden).then_some(shown.as_str());
            self.add(format!("content of {}", end_of(&one.name)), digest.as_bytes(), shown);
        }
        let others = sent.get(own..).unwrap_or_default();
        if others.is_empty() {
            return;
        }
        let mut sha256 = Sha256::new();
        for one in others {
            for bytes in [one.name.as_bytes(), digest_of(&one.content).as_bytes()] {
                sha256.update((bytes.len() as u64).to_le_bytes());
                sha256.update(bytes);
            }
        }
        let digest = hex(&sha256.finalize());
        let shown = format!("{} files, sha256 {}…", others.len(), &digest[..16]);
        let shown = (!hidden && !others.iter().any(|one| one.is_hidden)).then_some(shown.as_str());
        self.add("content of the other files", digest.as_bytes(), shown);
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
            let name = escape(&part.name).replace(' ', "%20");
            format!("part {name} {} {text}\n", part.hash(nonce))
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

/// What stands for a content. A file that cannot be read has none: sending it will fail soon enough.
fn digest_of(content: &Content) -> String {
    match content {
        Content::Bytes(bytes) => hex(&Sha256::digest(bytes)),
        Content::File { path, .. } => file::digest(path).unwrap_or_else(|| "unreadable".to_owned()),
        Content::Remote(path) => hex(&Sha256::digest(path)),
    }
}

/// The end of a long name.
fn end_of(name: &str) -> String {
    let count = name.chars().count();
    if count <= NAME {
        return name.to_owned();
    }
    let end: String = name.chars().skip(count - NAME).collect();
    format!("…{end}")
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

    fn sent(files: &[(&str, &str)]) -> TaskParts {
        let files: Vec<Sent> = files
            .iter()
            .map(|(name, text)| Sent {
                name: (*name).to_owned(),
                content: Content::Bytes(text.as_bytes().into()),
                is_hidden: text.starts_with("secret"),
            })
            .collect();
        let mut parts = TaskParts::default();
        parts.add_sent(&files, false);
        parts
    }

    #[test]
    fn a_file_that_was_changed_is_named_and_a_hidden_one_shows_nothing() {
        let old = sent(&[("a", "1"), ("b", "1"), ("key", "secret 1")]);
        let record = Record::parse(&format!("nonce 7\n{}", old.lines("7")));
        let new = sent(&[("a", "1"), ("b", "2"), ("key", "secret 2"), ("c", "")]);
        let words = new.differences(&record);
        assert!(words[0].starts_with("content of b was `sha256 6b86b273ff34fce1…` and is `sha256 "));
        assert_eq!(words[1], "content of key differs (it is not shown)");
        assert!(words[2].starts_with("content of c is new"));
        assert_eq!(
            old.differences(&Record::parse(&format!("nonce 7\n{}", new.lines("7"))))
                .len(),
            3
        );
    }

    #[test]
    fn of_a_large_tree_all_files_count_and_the_record_stays_small() {
        let name = |n: usize| format!("{}/{n}", "x".repeat(300));
        let names: Vec<String> = (0..5000).map(name).collect();
        let with = |last: &str| {
            let mut files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "same")).collect();
            files.push(("last", last));
            sent(&files)
        };
        let (old, new) = (with("a"), with("b"));
        assert_ne!(old.digest(), new.digest());
        let lines = old.lines("7");
        assert!(lines.len() < 16 * 1024, "{}", lines.len());
        let words = new.differences(&Record::parse(&format!("nonce 7\n{lines}")));
        assert_eq!(words.len(), 1);
        assert!(
            words[0].starts_with("content of the other files was `4982 files, sha256 "),
            "{words:?}"
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
