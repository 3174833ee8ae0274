//! ssh_config text into lines: keywords, arguments, quotes, and what `Include` brings in. Nothing is judged here.

use std::io::Read as _;
use std::path::{Path, PathBuf};

/// One line that says something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// The keyword in lower case.
    pub(super) keyword: String,
    /// Its arguments, unquoted.
    pub(super) words: Vec<String>,
    /// All after the keyword as written: for commands.
    pub(super) rest: String,
    /// `file:line`, for messages.
    pub(super) at: String,
    /// The files an `Include` brought in, in order.
    pub(super) included: Vec<Vec<Line>>,
}

/// `Include`s inside `Include`s: as many as ssh allows.
const DEPTH: u32 = 16;
/// Files in all: two that include each other twice would be sixty thousand.
const FILES: usize = 1000;
/// The largest file that is read.
const LARGEST: u64 = 16 << 20;

/// Reads a file and what it includes. `None`: there is no such file.
pub(super) fn read(path: &Path, home: &Path) -> Result<Option<Vec<Line>>, String> {
    let mut left = FILES;
    read_deep(path, home, 0, &mut left)
}

fn content(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path)?
        .take(LARGEST.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if read as u64 > LARGEST {
        return Err(std::io::Error::other("it is too large for a file of ssh_config"));
    }
    Ok(bytes)
}

fn read_deep(path: &Path, home: &Path, depth: u32, left: &mut usize) -> Result<Option<Vec<Line>>, String> {
    let text = match content(path) {
        Ok(bytes) => String::from_utf8(bytes).map_err(|_| format!("`{}` is not valid UTF-8", path.display()))?,
        Err(error)
            if matches!(
                error.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(format!("cannot read `{}`: {error}", path.display())),
    };
    // Relative to where files of that kind live.
    let base = if path.starts_with("/etc/ssh") {
        PathBuf::from("/etc/ssh")
    } else {
        home.join(".ssh")
    };
    let mut lines = Vec::new();
    for (number, text) in (1_usize..).zip(text.lines()) {
        let at = format!("{}:{number}", path.display());
        let Some(mut line) = split(text, &at)? else { continue };
        if line.keyword == "include" {
            if depth >= DEPTH {
                return Err(format!("{at}: too many nested Include lines"));
            }
            for word in &line.words {
                for file in glob(&expand(word, home, &base)) {
                    *left = left
                        .checked_sub(1)
                        .ok_or_else(|| format!("{at}: more than {FILES} files are included"))?;
                    line.included
                        .extend(read_deep(&file, home, depth.saturating_add(1), left)?);
                }
            }
        }
        lines.push(line);
    }
    Ok(Some(lines))
}

/// One `Keyword arguments` line; `None`: empty or a comment.
pub(super) fn split(text: &str, at: &str) -> Result<Option<Line>, String> {
    let text = text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\u{c}');
    if text.is_empty() || text.starts_with('#') {
        return Ok(None);
    }
    let end = text
        .find(|c: char| c.is_ascii_whitespace() || c == '=')
        .unwrap_or(text.len());
    let (keyword, rest) = text.split_at(end);
    let rest = rest.trim_start();
    let rest = rest.strip_prefix('=').unwrap_or(rest).trim_start();
    Ok(Some(Line {
        keyword: keyword.trim_matches('"').to_ascii_lowercase(),
        words: words(rest).map_err(|why| format!("{at}: {why}"))?,
        rest: rest.to_owned(),
        at: at.to_owned(),
        included: Vec::new(),
    }))
}

/// Splits arguments as ssh does: quotes of both kinds, a backslash before quotes, backslashes and spaces, and a
/// comment where a word would begin.
fn words(text: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut letters = text.chars().peekable();
    while let Some(&letter) = letters.peek() {
        if letter.is_ascii_whitespace() {
            letters.next();
            continue;
        }
        if letter == '#' {
            break;
        }
        let mut word = String::new();
        let mut quote: Option<char> = None;
        while let Some(&letter) = letters.peek() {
            match letter {
                '\\' => {
                    letters.next();
                    match letters.peek() {
                        Some(&next) if matches!(next, '\\' | '"' | '\'') || (next == ' ' && quote.is_none()) => {
                            word.push(next);
                            letters.next();
                        }
                        _ => word.push('\\'),
                    }
                    continue;
                }
                _ if quote == Some(letter) => quote = None,
                '"' | '\'' if quote.is_none() => quote = Some(letter),
                _ if quote.is_none() && letter.is_ascii_whitespace() => break,
                _ => word.push(letter),
            }
            letters.next();
        }
        if quote.is_some() {
            return Err("a quote that is not closed");
        }
        words.push(word);
    }
    Ok(words)
}

/// `~` and relative paths.
pub(super) fn expand(word: &str, home: &Path, base: &Path) -> PathBuf {
    match word.strip_prefix("~/") {
        Some(rest) => home.join(rest),
        None if word == "~" => home.to_owned(),
        None => base.join(word),
    }
}

/// The files a path with `*` and `?` in it names, sorted. A path without them names itself.
fn glob(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for part in pattern.components() {
        let part = part.as_os_str();
        let text = part.to_string_lossy();
        if !text.contains(['*', '?']) {
            for path in &mut found {
                path.push(part);
            }
            continue;
        }
        let mut next = Vec::new();
        for dir in &found {
            let Ok(entries) = std::fs::read_dir(dir) else { continue };
            for entry in entries.flatten() {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                let hidden = name.starts_with('.') && !text.starts_with('.');
                if !hidden && crate::transport::ssh::known_hosts::pattern::matches(&text, &name) {
                    next.push(entry.path());
                }
            }
        }
        next.sort();
        found = next;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_words(text: &str) -> Vec<String> {
        words(text).unwrap()
    }

    #[test]
    fn quotes_and_comments_are_as_in_ssh() {
        assert_eq!(read_words(r#"a "b c" 'd e' f\ g # no"#), ["a", "b c", "d e", "f g"]);
        assert_eq!(read_words(r#"x#y "a\"b""#), ["x#y", "a\"b"]);
        assert!(words("\"open").is_err());
    }

    #[test]
    fn an_equal_sign_may_follow_the_keyword() {
        for text in ["Port=22", "Port = 22", " port 22", "PORT\t22"] {
            let line = split(text, "x:1").unwrap().unwrap();
            assert_eq!(
                (line.keyword.as_str(), line.words.as_slice()),
                ("port", &["22".to_owned()][..])
            );
        }
    }

    #[test]
    fn an_include_takes_patterns_and_ends_somewhere() {
        let home = tempfile::tempdir().unwrap();
        let ssh = home.path().join(".ssh");
        std::fs::create_dir_all(ssh.join("conf.d")).unwrap();
        std::fs::write(ssh.join("conf.d/b"), "Port 2").unwrap();
        std::fs::write(ssh.join("conf.d/a"), "Port 1").unwrap();
        std::fs::write(ssh.join("config"), "Include conf.d/* none\n").unwrap();
        let lines = read(&ssh.join("config"), home.path()).unwrap().unwrap();
        let ports: Vec<&str> = lines[0].included.iter().map(|file| file[0].words[0].as_str()).collect();
        assert_eq!(ports, ["1", "2"]);
        std::fs::write(ssh.join("config"), "Include config\n").unwrap();
        assert!(read(&ssh.join("config"), home.path()).unwrap_err().contains("too many"));
        std::fs::write(ssh.join("config"), "Include config config\n").unwrap();
        let error = read(&ssh.join("config"), home.path()).unwrap_err();
        assert!(
            error.contains("too many") || error.contains("more than 1000"),
            "{error}"
        );
        std::fs::write(ssh.join("config"), "Include /dev/zero\n").unwrap();
        let error = read(&ssh.join("config"), home.path()).unwrap_err();
        assert!(error.contains("too large"), "{error}");
    }
}
