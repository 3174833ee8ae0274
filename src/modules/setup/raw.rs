//! The raw text of `facts.sh`: names and values in order.

use crate::modules::ModuleError;
use crate::modules::answer::Answer;

/// Everything the host told.
#[derive(Debug, Default)]
pub(super) struct Raw(Vec<(String, String)>);

impl Raw {
    pub(super) fn read(stdout: &[u8], rc: i32, stderr: &[u8]) -> Result<Self, ModuleError> {
        let mut answer = Answer::find(stdout, rc, stderr)?;
        let mut all = Vec::new();
        loop {
            let name = answer.text()?;
            let value = answer.text()?;
            if name == "end" {
                return Ok(Self(all));
            }
            all.push((name, value));
        }
    }

    #[cfg(test)]
    pub(super) fn of(pairs: &[(&str, &str)]) -> Self {
        Self(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    /// The first value of that name; empty when there is none.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value.trim_end())
    }

    /// Whether the host said anything under that name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(n, _)| n == name)
    }

    /// All values of that name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Everything, in order.
    pub(super) fn pairs(&self) -> &[(String, String)] {
        &self.0
    }
}

/// Assignments of a shell file: `KEY="value"`.
pub(super) fn assignment<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let value = line.trim().strip_prefix(key)?.strip_prefix('=')?;
        Some(value.trim_matches(['"', '\'']))
    })
}
