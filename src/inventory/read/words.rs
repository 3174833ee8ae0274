//! A host line split into words, as Python's `shlex` does it with comments.

/// The words of a line. `#` outside of quotes ends it, also inside of a word.
pub(super) fn split(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '#' => break,
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some('\'') => break,
                        Some(c) => word.push(c),
                        None => return Err("a quote `'` is not closed".to_owned()),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some('"') => break,
                        Some('\\') => match chars.next() {
                            Some(c @ ('"' | '\\')) => word.push(c),
                            Some(c) => word.extend(['\\', c]),
                            None => return Err("a quote `\"` is not closed".to_owned()),
                        },
                        Some(c) => word.push(c),
                        None => return Err("a quote `\"` is not closed".to_owned()),
                    }
                }
            }
            '\\' => match chars.next() {
                Some(c) => word.get_or_insert_default().push(c),
                None => return Err("nothing follows the `\\` at the end of the line".to_owned()),
            },
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_are_those_of_shlex() {
        for (line, expected) in [
            ("foo=bar#baz", vec!["foo=bar"]),
            ("a b=\"x # y\" # c", vec!["a", "b=x # y"]),
            ("a b=c\\ d", vec!["a", "b=c d"]),
            ("a b=\"\\n\\\"\"", vec!["a", "b=\\n\""]),
            ("a b='it''s'", vec!["a", "b=its"]),
            ("a b=", vec!["a", "b="]),
            ("a \"\" c", vec!["a", "", "c"]),
            ("  a\tb  ", vec!["a", "b"]),
            ("", vec![]),
        ] {
            assert_eq!(split(line).unwrap(), expected, "{line}");
        }
        assert!(split("a b=\"c").unwrap_err().contains("not closed"));
        assert!(split("a b='c").unwrap_err().contains("not closed"));
        assert!(split("a \\").is_err());
    }

    proptest! {
        #[test]
        fn no_line_panics(line in ".{0,40}") {
            let _ = split(&line);
        }
    }
}
