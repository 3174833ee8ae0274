//! Text for the remote `sh`. [`Command`] is the only way to build a command and [`quote`] the only function that
//! turns data into shell text. Every command renders twice: for the host, and for people (secrets as `***`).
//! Nothing here talks to a host.

pub mod elevate;
pub mod escape;
pub mod expand;
pub mod script;
pub mod snippets;

use std::fmt;

/// Data as one word of POSIX shell text. Any bytes but NUL arrive unchanged.
pub fn quote(word: impl AsRef<[u8]>) -> Vec<u8> {
    let word = word.as_ref();
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"_-./:=,+@%".contains(b);
    // A leading `=` is expanded by zsh, a leading `~` by all.
    if !word.is_empty() && word[0] != b'=' && word.iter().all(plain) {
        return word.to_vec();
    }
    let mut out = Vec::with_capacity(word.len() + 2);
    out.push(b'\'');
    for &byte in word {
        match byte {
            b'\'' => out.extend_from_slice(b"'\\''"),
            _ => out.push(byte),
        }
    }
    out.push(b'\'');
    out
}

/// [`quote`] for text.
pub fn quote_str(word: &str) -> String {
    String::from_utf8_lossy(&quote(word)).into_owned()
}

/// Splits text into words as `sh` does: blanks separate, quotes and backslashes keep.
pub fn split_words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some('\'') => break,
                        Some(c) => word.push(c),
                        None => return Err(format!("no closing quote in `{text}`")),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some('"') => break,
                        Some('\\') => match chars.next() {
                            Some(c @ ('"' | '\\' | '$' | '`')) => word.push(c),
                            Some(c) => word.extend(['\\', c]),
                            None => return Err(format!("no closing quote in `{text}`")),
                        },
                        Some(c) => word.push(c),
                        None => return Err(format!("no closing quote in `{text}`")),
                    }
                }
            }
            '\\' => match chars.next() {
                Some(c) => word.get_or_insert_default().push(c),
                None => return Err(format!("`{text}` ends with a backslash")),
            },
            c if c.is_whitespace() => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

/// One command for a host.
#[derive(Clone, PartialEq, Eq)]
pub struct Command {
    host: Vec<u8>,
    people: String,
}

impl Command {
    /// A program, to be found in `PATH` or by its path.
    pub fn new(program: impl AsRef<[u8]>) -> Self {
        let host = quote(program);
        let people = String::from_utf8_lossy(&host).into_owned();
        Self { host, people }
    }

    /// Shell text written by the user (the `shell` and `raw` modules): the one exception to quoting.
    pub fn raw_script(text: impl AsRef<[u8]>) -> Self {
        let host = text.as_ref().to_vec();
        let people = String::from_utf8_lossy(&host).into_owned();
        Self { host, people }
    }

    /// An embedded script with its arguments as `$1`, `$2`, …; `name` is what people see.
    pub fn snippet(name: &str, text: &str) -> Self {
        let mut host = b"sh -c ".to_vec();
        host.extend(quote(text));
        host.extend_from_slice(b" batchssh");
        Self {
            host,
            people: format!("<{name}>"),
        }
    }

    /// An embedded script that runs `inner`, which is somewhere in its `arguments`. People see what is run, not what is
    /// around it.
    pub fn around(text: &str, arguments: impl IntoIterator<Item = Vec<u8>>, inner: &Self) -> Self {
        let mut host = b"exec /bin/sh -c ".to_vec();
        host.extend(quote(text));
        host.extend_from_slice(b" batchssh");
        for word in arguments {
            host.push(b' ');
            host.extend(quote(word));
        }
        let people = inner.people.clone();
        Self { host, people }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, word: impl AsRef<[u8]>) -> Self {
        let word = quote(word);
        self.people.push(' ');
        self.people.push_str(&String::from_utf8_lossy(&word));
        self.host.push(b' ');
        self.host.extend(word);
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<W: AsRef<[u8]>>(self, words: impl IntoIterator<Item = W>) -> Self {
        words.into_iter().fold(self, Self::arg)
    }

    /// Adds one argument in which the host expands a leading `~` and the names of set variables, as Ansible does in paths
    /// and in words of `command` ([`expand::word`]). Nothing else in it means anything to the shell.
    #[must_use]
    pub fn expanding_arg(mut self, word: impl AsRef<[u8]>) -> Self {
        self.people.push(' ');
        self.people.push_str(&String::from_utf8_lossy(&quote(word.as_ref())));
        self.host.push(b' ');
        self.host.extend(expand::word(word.as_ref()));
        self
    }

    /// Adds an argument that people see as `***`. It is visible in the host's process list all the same:
    /// real secrets go through standard input.
    #[must_use]
    pub fn hidden_arg(mut self, word: impl AsRef<[u8]>) -> Self {
        self.people.push_str(" ***");
        self.host.push(b' ');
        self.host.extend(quote(word));
        self
    }

    /// People see this instead: the command itself, without what is wrapped around it.
    #[must_use]
    pub fn shown_as(mut self, people: impl Into<String>) -> Self {
        self.people = people.into();
        self
    }

    /// What the host gets: `sh` text.
    pub fn for_host(&self) -> &[u8] {
        &self.host
    }

    /// What events, logs and errors get.
    pub fn for_humans(&self) -> &str {
        &self.people
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.people)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_arrives_as_it_is() {
        assert_eq!(quote("plain-word.txt"), b"plain-word.txt");
        assert_eq!(quote(""), b"''");
        assert_eq!(quote("it's"), b"'it'\\''s'");
        assert_eq!(quote("=cmd"), b"'=cmd'");
        let bytes: Vec<u8> = (1..=255).collect();
        let mut script = b"printf %s ".to_vec();
        script.extend(quote(&bytes));
        let out = std::process::Command::new("sh")
            .arg("-c")
            .arg(std::os::unix::ffi::OsStrExt::from_bytes(&script[..]) as &std::ffi::OsStr)
            .output()
            .unwrap();
        assert_eq!(out.stdout, bytes);
    }

    #[test]
    fn words_are_split_as_the_shell_does() {
        assert_eq!(
            split_words("a 'b c'  \"d \\\"e\" f\\ g ''").unwrap(),
            ["a", "b c", "d \"e", "f g", ""]
        );
        assert!(split_words("'open").is_err());
    }

    #[test]
    fn people_do_not_see_hidden_arguments() {
        let command = Command::new("login").arg("bob").hidden_arg("hunter2");
        assert_eq!(command.for_humans(), "login bob ***");
        assert_eq!(command.for_host(), b"login bob hunter2");
    }
}
