//! Regular expressions of `lineinfile`, `replace` and `blockinfile`: Python's, on text that need not be UTF-8.

use fancy_regex::{Captures, Regex, RegexBuilder};

use crate::modules::ModuleError;

/// A file's text. Bytes that are not UTF-8 become one character each, and the same bytes again when it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// The characters.
    pub chars: String,
    bytewise: bool,
}

impl Text {
    /// Reads bytes.
    pub fn of(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self {
                chars: text.to_owned(),
                bytewise: false,
            },
            Err(_) => Self {
                chars: bytes.iter().map(|&b| char::from(b)).collect(),
                bytewise: true,
            },
        }
    }

    /// What the user wrote, in the characters of this text.
    pub fn own(&self, written: &str) -> String {
        if self.bytewise {
            written.bytes().map(char::from).collect()
        } else {
            written.to_owned()
        }
    }

    /// Other characters as the bytes of this text.
    pub fn bytes(&self, chars: &str) -> Vec<u8> {
        if self.bytewise {
            // Every character came from a byte.
            chars
                .chars()
                .map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?'))
                .collect()
        } else {
            chars.as_bytes().to_vec()
        }
    }
}

/// Compiles a pattern. `multiline`: `^` and `$` match at every line.
pub fn compile(pattern: &str, multiline: bool) -> Result<Regex, ModuleError> {
    let flags = if multiline { "(?m)" } else { "" };
    let own_flags = pattern.strip_prefix("(?").and_then(|rest| rest.split(')').next());
    let lines = multiline || own_flags.is_some_and(|f| f.bytes().all(|b| b.is_ascii_lowercase()) && f.contains('m'));
    RegexBuilder::new(&format!("{flags}{}", translate(pattern, lines)))
        .backtrack_limit(5_000_000)
        .build()
        .map_err(|e| ModuleError::failed(format!("bad regular expression `{pattern}`: {e}")))
}

/// What differs from Python: `\Z`, `$` before a last line end, `{,n}`, and braces that count nothing.
fn translate(pattern: &str, multiline: bool) -> String {
    let mut out = String::with_capacity(pattern.len().saturating_add(8));
    let mut rest = pattern;
    let mut class = false;
    while let Some(c) = rest.chars().next() {
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
        match c {
            '\\' => {
                let next = rest.chars().next();
                rest = next.map_or(rest, |next| rest.get(next.len_utf8()..).unwrap_or_default());
                match next {
                    Some('Z') => out.push_str("\\z"),
                    // Python takes a backslash before any other mark as the mark itself.
                    Some(
                        mark @ ('"' | '\'' | '/' | ':' | ';' | ',' | '=' | '@' | '!' | '%' | '<' | '>' | '`' | '_'
                        | ' '),
                    ) => {
                        out.push(mark);
                    }
                    Some(other) => out.extend(['\\', other]),
                    None => out.push_str("\\\\"),
                }
            }
            '[' if !class => {
                class = true;
                out.push('[');
                for first in ['^', ']'] {
                    if let Some(after) = rest.strip_prefix(first) {
                        rest = after;
                        out.push_str(if first == ']' { "\\]" } else { "^" });
                    }
                }
            }
            ']' if class => {
                class = false;
                out.push(']');
            }
            // Operations on sets in this engine, plain characters in Python.
            '[' | '&' | '~' if class => out.extend(['\\', c]),
            '$' if !class && !multiline => out.push_str("(?=\\n?\\z)"),
            '{' if !class => {
                let inner = rest
                    .split('}')
                    .next()
                    .filter(|inner| inner.len() < rest.len())
                    .unwrap_or("x");
                let (low, high) = inner.split_once(',').unwrap_or((inner, "0"));
                let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
                let counts = digits(low) && digits(high) && inner.bytes().any(|b| b.is_ascii_digit());
                out.push_str(match (counts, low) {
                    (true, "") => "{0",
                    (true, _) => "{",
                    (false, _) => "\\{",
                });
            }
            other => out.push(other),
        }
    }
    out
}

/// Whether a pattern is found in a text.
pub fn is_match(regex: &Regex, text: &str) -> Result<bool, ModuleError> {
    regex
        .is_match(text)
        .map_err(|e| ModuleError::failed(format!("the regular expression failed: {e}")))
}

/// The first match in a text.
pub fn captures<'t>(regex: &Regex, text: &'t str) -> Result<Option<Captures<'t, str>>, ModuleError> {
    regex
        .captures(text)
        .map_err(|e| ModuleError::failed(format!("the regular expression failed: {e}")))
}

/// A replacement with what its groups matched: `\1`, `\g<1>`, `\g<name>`, and the usual escapes.
pub fn expand(replacement: &str, captures: &Captures<'_, str>) -> Result<String, ModuleError> {
    let mut out = String::new();
    let mut chars = replacement.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        let name = match chars.next() {
            Some('g') if chars.peek() == Some(&'<') => {
                chars.next();
                chars.by_ref().take_while(|c| *c != '>').collect::<String>()
            }
            Some(first) if first.is_ascii_digit() => {
                let mut name = first.to_string();
                name.extend(chars.next_if(char::is_ascii_digit));
                name
            }
            Some('n') => {
                out.push('\n');
                continue;
            }
            Some('t') => {
                out.push('\t');
                continue;
            }
            Some('r') => {
                out.push('\r');
                continue;
            }
            Some('\\') | None => {
                out.push('\\');
                continue;
            }
            Some(other) => {
                out.extend(['\\', other]);
                continue;
            }
        };
        let found = match name.parse::<usize>() {
            Ok(number) if number < captures.len() => captures.get(number),
            Ok(_) => {
                return Err(ModuleError::failed(format!(
                    "invalid group reference {name} in `{replacement}`"
                )));
            }
            Err(_) => captures.name(&name),
        };
        out.push_str(found.map_or("", |found| found.as_str()));
    }
    Ok(out)
}

/// A text with every match replaced, and how many there were.
pub fn replace_all(regex: &Regex, text: &str, replacement: &str) -> Result<(String, usize), ModuleError> {
    let mut out = String::with_capacity(text.len());
    let (mut copied, mut count) = (0_usize, 0_usize);
    for found in regex.captures_iter(text) {
        let found = found.map_err(|e| ModuleError::failed(format!("the regular expression failed: {e}")))?;
        let Some(whole) = found.get(0) else { continue };
        out.push_str(text.get(copied..whole.start()).unwrap_or_default());
        out.push_str(&expand(replacement, &found)?);
        copied = whole.end();
        count = count.saturating_add(1);
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    Ok((out, count))
}

/// Lines with their ends.
pub fn lines(text: &str) -> Vec<String> {
    text.split_inclusive('\n').map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_pythons() {
        for (pattern, text, expected) in [
            ("^a=1$", "a=1\n", true),
            ("^a=1$", "a=1\nb\n", false),
            (r"x\Z", "x", true),
            ("a{,2}b", "aab", true),
            ("{a}", "{a}", true),
            (r"\[b\]", "[b]", true),
            ("[]x]", "]", true),
            ("[[a]", "[", true),
            (r"(?i)HEAD", "head", true),
            (r"path\/x\=y", "path/x=y", true),
            (r"(\w)\1", "aa", true),
            (r"(?<!a)b", "ab", false),
        ] {
            let regex = compile(pattern, false).unwrap();
            assert_eq!(is_match(&regex, text).unwrap(), expected, "{pattern} on {text:?}");
        }
        assert!(compile("(", false).is_err());
    }

    #[test]
    fn groups_are_put_in() {
        let regex = compile(r"(?P<k>\w+) = (\d+)", false).unwrap();
        let (text, count) = replace_all(&regex, "a = 1; b = 22", r"\g<k>=\2\g<2>\n\\").unwrap();
        assert_eq!((text.as_str(), count), ("a=11\n\\; b=2222\n\\", 2));
        assert!(replace_all(&regex, "a = 1", r"\7").is_err());
    }

    #[test]
    fn bytes_that_are_no_text_stay_as_they_are() {
        let text = Text::of(b"a\xff\xc3b");
        assert_eq!(text.bytes(&text.chars), b"a\xff\xc3b");
        assert_eq!(text.bytes(&text.own("é")), "é".as_bytes());
    }
}
