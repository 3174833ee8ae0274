//! Records as the host keeps them: lines `KEY VALUE`. What is read here was checked on the host, and is not trusted all
//! the same: it is shown, and never used as a path or as shell text.

pub(super) use crate::shell::escape::{escape, unescape};

/// Most lines of a record that are looked at.
const MOST: usize = 200;

/// A record of a marker store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    lines: Vec<(String, String)>,
}

/// One part of the task that a record is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OldPart {
    pub(super) name: String,
    pub(super) hash: String,
    /// Its text, where it may be shown.
    pub(super) text: Option<String>,
}

impl Record {
    /// Reads a record's text. What is no line of a record is left out.
    pub fn parse(text: &str) -> Self {
        let lines = text.lines().take(MOST).filter_map(|line| {
            let (key, value) = line.split_once(' ')?;
            Some((key.to_owned(), value.to_owned()))
        });
        Self { lines: lines.collect() }
    }

    /// A value, unescaped.
    pub fn get(&self, key: &str) -> Option<String> {
        let found = self.lines.iter().find(|(known, _)| known == key);
        found
            .map(|(_, value)| unescape(value))
            .filter(|value| !value.is_empty())
    }

    /// True when there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    pub(super) fn parts(&self) -> Vec<OldPart> {
        let parts = self.lines.iter().filter(|(key, _)| key == "part");
        let parts = parts.filter_map(|(_, value)| {
            let mut words = value.splitn(3, ' ');
            let (name, hash) = (words.next()?, words.next()?);
            let text = words.next().filter(|text| !text.is_empty());
            Some(OldPart {
                name: unescape(name),
                hash: hash.to_owned(),
                text: text.map(unescape),
            })
        });
        parts.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_as_they_were() {
        for value in ["plain words", "100%", "a\nb\u{1b}[0m", "é", "%41"] {
            let record = Record::parse(&format!("batchssh-record 1\nname {}\n", escape(value)));
            assert_eq!(record.get("name").as_deref(), Some(value));
        }
    }
}
