//! One known_hosts file, parsed: plain names in a map, the rest in lists.

use std::collections::HashMap;
use std::path::Path;
use std::sync::OnceLock;

use super::entry::{self, Entry, Marker};
use super::pattern::{Hashed, PatternList};

/// Warnings told about one file; the rest is counted.
const MAX_WARNINGS: usize = 10;

#[derive(Default)]
pub(super) struct KnownFile {
    path: String,
    entries: Vec<Entry>,
    plain: HashMap<String, Vec<usize>>,
    patterns: Vec<(PatternList, usize)>,
    hashed: Vec<(Hashed, usize)>,
    lines: usize,
    /// Names by key, made when it is asked for.
    names: OnceLock<Names>,
}

/// Lines and names by key.
type Names = HashMap<Vec<u8>, Vec<(usize, String)>>;

impl KnownFile {
    /// Reads a file's bytes. What cannot be understood is skipped and warned about, with its place.
    pub(super) fn parse(text: &[u8], path: &Path) -> Self {
        let mut file = Self {
            path: path.display().to_string(),
            ..Self::default()
        };
        let mut skipped = 0usize;
        for (number, line) in (1..).zip(text.split(|&b| b == b'\n')) {
            if let Err(reason) = file.add(line, number) {
                skipped = skipped.saturating_add(1);
                if skipped <= MAX_WARNINGS {
                    tracing::warn!("{}:{number}: skipped: {reason}", file.path);
                }
            }
            // The text after the last newline is a line only if there is any.
            if !line.is_empty() || number == 1 {
                file.lines = number;
            }
        }
        if text.is_empty() {
            file.lines = 0;
        }
        if skipped > MAX_WARNINGS {
            tracing::warn!(
                "{}: {} more lines skipped",
                file.path,
                skipped.saturating_sub(MAX_WARNINGS)
            );
        }
        file
    }

    /// Adds a line this run wrote.
    pub(super) fn add_line(&mut self, line: &str, path: &Path, number: usize) {
        self.path = path.display().to_string();
        // The line is ours: it can be read.
        let _ = self.add(line.as_bytes(), number);
        self.lines = self.lines.saturating_add(1);
    }

    /// How many lines there are.
    pub(super) fn lines(&self) -> usize {
        self.lines
    }

    fn add(&mut self, line: &[u8], number: usize) -> Result<(), &'static str> {
        let line = std::str::from_utf8(line).map_err(|_| "not UTF-8")?;
        let Some((names, entry)) = entry::parse(line, number)? else {
            return Ok(());
        };
        self.names = OnceLock::new();
        let index = self.entries.len();
        if names.starts_with('|') {
            self.hashed
                .push((Hashed::parse(names).ok_or("a hashed name that cannot be read")?, index));
        } else if names.contains(['*', '?', '!']) {
            self.patterns.push((PatternList::parse(names), index));
        } else {
            for name in names.split(',').filter(|name| !name.is_empty()) {
                self.plain.entry(name.to_ascii_lowercase()).or_default().push(index);
            }
        }
        self.entries.push(entry);
        Ok(())
    }

    /// The plain names that have this key, with their lines.
    pub(super) fn names_of(&self, key: &[u8]) -> Vec<String> {
        let index = self.names.get_or_init(|| {
            let mut index = Names::new();
            #[expect(clippy::iter_over_hash_type, reason = "each list is sorted in the end")]
            for (name, places) in &self.plain {
                for entry in places.iter().filter_map(|place| self.entries.get(*place)) {
                    if entry.marker == Marker::None {
                        let names = index.entry(entry.key.clone()).or_default();
                        names.push((entry.line, name.clone()));
                    }
                }
            }
            #[expect(clippy::iter_over_hash_type, reason = "each list is sorted by itself")]
            for names in index.values_mut() {
                names.sort();
                names.dedup();
            }
            index
        });
        let names = index.get(key).map(Vec::as_slice).unwrap_or_default();
        names
            .iter()
            .map(|(line, name)| format!("{name} ({}:{line})", self.path))
            .collect()
    }

    /// Every line for `name`, in file order, each with the file's path.
    pub(super) fn matching(&self, name: &str) -> Vec<(String, Entry)> {
        let mut found: Vec<usize> = self.plain.get(name).cloned().unwrap_or_default();
        found.extend(
            self.patterns
                .iter()
                .filter(|(list, _)| list.matches(name))
                .map(|(_, index)| *index),
        );
        found.extend(
            self.hashed
                .iter()
                .filter(|(hashed, _)| hashed.matches(name))
                .map(|(_, index)| *index),
        );
        found.sort_unstable();
        found.dedup();
        found
            .into_iter()
            .filter_map(|index| Some((self.path.clone(), self.entries.get(index)?.clone())))
            .collect()
    }
}
