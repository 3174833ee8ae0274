//! Plain texts that were encrypted and must not be shown. What is told goes through a mask that knows them.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A text of fewer characters is not searched for: replacing every `1` would make all output unreadable.
const SHORTEST: usize = 4;
/// A number of fewer digits is not either: it is a port, a year, a count.
const SHORTEST_NUMBER: usize = 6;
/// A line of a longer text, and what stands around a template, is hidden by itself from this length on.
const SHORTEST_PART: usize = 12;
/// Words that are no secrets, whoever encrypts them: hiding them would only make reports unreadable.
const ORDINARY: [&str; 48] = [
    "true",
    "false",
    "none",
    "null",
    "absent",
    "present",
    "started",
    "stopped",
    "restarted",
    "enabled",
    "disabled",
    "default",
    "latest",
    "always",
    "never",
    "root",
    "admin",
    "administrator",
    "user",
    "users",
    "guest",
    "nobody",
    "localhost",
    "local",
    "host",
    "hosts",
    "http",
    "https",
    "test",
    "testing",
    "staging",
    "prod",
    "production",
    "development",
    "debug",
    "info",
    "warn",
    "warning",
    "error",
    "critical",
    "linux",
    "mysql",
    "postgres",
    "postgresql",
    "name",
    "password",
    "127.0.0.1",
    "0.0.0.0",
];

/// The plain texts that came out of encrypted ones so far. Grows while a run goes on: a value is decrypted when it is
/// used.
#[derive(Debug, Default)]
pub struct Revealed {
    texts: Mutex<Texts>,
    count: AtomicUsize,
}

#[derive(Default)]
struct Texts {
    known: HashSet<std::sync::Arc<str>>,
    /// In the order they came.
    all: Vec<std::sync::Arc<str>>,
}

impl std::fmt::Debug for Texts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} texts", self.all.len())
    }
}

impl Revealed {
    fn texts(&self) -> MutexGuard<'_, Texts> {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in a plain text. Words that everybody uses and short ones are passed over; of a longer text each line
    /// counts as well, and of a template what stands around its expressions.
    pub fn add(&self, text: &str) {
        let mut texts = self.texts();
        if text.contains("{{") || text.contains("{%") {
            for part in literals(text) {
                texts.add_part(part);
            }
        } else {
            texts.add(text);
        }
        if text.trim().contains('\n') {
            text.lines().for_each(|line| texts.add_part(line));
        }
        self.count.store(texts.all.len(), Ordering::Release);
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Those that came after the first `seen`.
    pub fn since(&self, seen: usize) -> Vec<std::sync::Arc<str>> {
        self.texts().all.get(seen..).unwrap_or_default().to_vec()
    }
}

impl Texts {
    fn add(&mut self, text: &str) {
        let text = text.trim();
        if is_telling(text) && !self.known.contains(text) {
            let text: std::sync::Arc<str> = text.into();
            self.known.insert(text.clone());
            self.all.push(text);
        }
    }

    fn add_part(&mut self, text: &str) {
        if text.trim().chars().count() >= SHORTEST_PART {
            self.add(text);
        }
    }
}

/// Whether a text is worth hiding.
fn is_telling(text: &str) -> bool {
    let length = text.chars().count();
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    length >= SHORTEST
        && (!is_number || length >= SHORTEST_NUMBER)
        && !ORDINARY.iter().any(|word| word.eq_ignore_ascii_case(text))
}

/// What stands outside of `{{ }}`, `{% %}` and `{# #}`.
fn literals(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut rest = text;
    loop {
        let opening = ["{{", "{%", "{#"].into_iter().filter_map(|open| rest.find(open)).min();
        let Some(at) = opening else {
            out.push(rest);
            return out;
        };
        let (before, inside) = rest.split_at(at);
        out.push(before);
        let closing = match inside.as_bytes().get(1) {
            Some(b'{') => "}}",
            Some(b'%') => "%}",
            _ => "#}",
        };
        match inside.split_once(closing) {
            Some((_, after)) => rest = after,
            None => return out,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(texts: &[&str]) -> Vec<String> {
        let revealed = Revealed::default();
        for text in texts {
            revealed.add(text);
        }
        assert_eq!(revealed.count(), revealed.since(0).len());
        revealed.since(0).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn short_and_ordinary_words_do_not_count() {
        let none: Vec<String> = Vec::new();
        assert_eq!(
            kept(&["yes", "1", "", " \n", "True", "PRODUCTION", "5432", "root", "127.0.0.1"]),
            none
        );
        assert_eq!(
            kept(&["s3cr", "123456", "s3cr", "production1"]),
            ["s3cr", "123456", "production1"]
        );
    }

    #[test]
    fn of_a_longer_text_each_line_counts() {
        assert_eq!(
            kept(&["-----BEGIN KEY-----\nAAAABBBBCCCC\nx\n-----END KEY-----\n"]),
            [
                "-----BEGIN KEY-----\nAAAABBBBCCCC\nx\n-----END KEY-----",
                "-----BEGIN KEY-----",
                "AAAABBBBCCCC",
                "-----END KEY-----"
            ]
        );
    }

    #[test]
    fn of_a_template_counts_what_stands_around_its_expressions() {
        assert_eq!(
            kept(&["{{ user }}", "mysql://app:hunter22@{{ host }}/x", "{{ open"]),
            ["mysql://app:hunter22@"]
        );
    }
}
