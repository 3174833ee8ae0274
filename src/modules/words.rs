//! Words: splitting a command line as Python's `shlex.split` does, and names nobody can guess.

use crate::modules::ModuleError;

/// What separates words; other white space is text, as to a shell.
const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];

/// Splits a command line into words: quotes and backslashes mean what they mean to a shell, nothing else does.
pub fn split(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            '\\' => match chars.next() {
                Some(next) => word.get_or_insert_default().push(next),
                None => return Err("no escaped character at the end of the command".to_owned()),
            },
            '\'' | '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        None => return Err(format!("no closing quotation ({c}) in the command")),
                        Some(end) if end == c => break,
                        Some('\\') if c == '"' => match chars.next() {
                            Some(next @ ('"' | '\\')) => word.push(next),
                            Some(next) => word.extend(['\\', next]),
                            None => return Err(format!("no closing quotation ({c}) in the command")),
                        },
                        Some(other) => word.push(other),
                    }
                }
            }
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Ok(words)
}

/// The first word of a command line, and the untouched rest.
pub fn first(text: &str) -> Result<(String, &str), String> {
    let text = text.trim_matches(BLANKS);
    let mut quote = None;
    let mut escaped = false;
    let end = text.char_indices().find(|(_, c)| {
        if escaped {
            escaped = false;
            return false;
        }
        match (quote, c) {
            (Some(open), c) if open == *c => quote = None,
            (Some('\''), _) => {}
            (_, '\\') => escaped = true,
            (None, '\'' | '"') => quote = Some(*c),
            (None, ' ' | '\t' | '\r' | '\n') => return true,
            _ => {}
        }
        false
    });
    let end = end.map_or(text.len(), |(at, _)| at);
    let (begin, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    let word = split(begin)?.into_iter().next().unwrap_or_default();
    Ok((word, rest.trim_start_matches(BLANKS)))
}

/// A name for a temporary file, not to be guessed.
pub fn token() -> Result<String, ModuleError> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|e| ModuleError::failed(format!("no random numbers on this machine: {e}")))?;
    Ok(crate::modules::local::hex(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_by_shlex() {
        for (text, expected) in [
            ("a  b\tc\nd", vec!["a", "b", "c", "d"]),
            ("touch 'a b' \"c d\" e\\ f", vec!["touch", "a b", "c d", "e f"]),
            ("x'y'\"z\"", vec!["xyz"]),
            ("'' \"\"", vec!["", ""]),
            (r#""a\"b\\c\d""#, vec![r#"a"b\c\d"#]),
            (r"'a\b'", vec![r"a\b"]),
            ("a | b > c; $x", vec!["a", "|", "b", ">", "c;", "$x"]),
            ("a # b", vec!["a", "#", "b"]),
            ("", vec![]),
        ] {
            assert_eq!(split(text).unwrap(), expected, "{text}");
        }
        assert_eq!(
            first("'a b'.sh one 'two words'").unwrap(),
            ("a b.sh".to_owned(), "one 'two words'")
        );
        assert_eq!(first("x").unwrap(), ("x".to_owned(), ""));
        assert!(split("it's").is_err());
        assert!(split("a\\").is_err());
    }
}
