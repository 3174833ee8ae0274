//! A pattern taken apart into its terms.

use super::super::name::{is_ipv6, short};
use crate::source::Diagnostic;

/// Longest pattern.
const LONGEST: usize = 16 * 1024 * 1024;

/// Takes a pattern apart. With a comma in it only commas separate, else colons and blanks do, but for those of an
/// address, of brackets and of a regular expression's groups.
pub(in super::super) fn split(pattern: &str) -> Result<Vec<String>, Diagnostic> {
    if pattern.len() > LONGEST {
        return Err(Diagnostic::new(format!(
            "the pattern of hosts is longer than {LONGEST} bytes"
        )));
    }
    let pattern = pattern.trim();
    let commas = cut(pattern, |c| c == ',')?;
    let parts = if commas.len() > 1 || is_address(pattern) {
        commas
    } else {
        cut(pattern, |c| c == ':' || c.is_whitespace())?
    };
    Ok(parts
        .into_iter()
        .map(|part| part.trim().to_owned())
        .filter(|part| !part.is_empty())
        .collect())
}

/// An address, maybe with a mark before it or a port behind it: its colons separate nothing.
fn is_address(pattern: &str) -> bool {
    let name = pattern.strip_prefix(['!', '&']).unwrap_or(pattern);
    // Ranges of an address are hexadecimal digits to it.
    let mut plain = String::with_capacity(name.len());
    let mut depth = 0;
    for c in name.chars() {
        match c {
            '[' => {
                depth += 1;
                plain.push('1');
            }
            ']' => depth -= 1,
            c if depth == 0 => plain.push(c),
            _ => {}
        }
    }
    let port = plain.split_once(':').is_some_and(|(host, port)| {
        !host.is_empty()
            && !port.is_empty()
            && port.bytes().all(|b| b.is_ascii_digit())
            && host
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-'))
    });
    is_ipv6(name) || is_ipv6(&plain) || port && !pattern.starts_with(['!', '&'])
}

fn cut(pattern: &str, separates: impl Fn(char) -> bool) -> Result<Vec<&str>, Diagnostic> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut brackets = Brackets::default();
    for (at, c) in pattern.char_indices() {
        if brackets.is_outside() && separates(c) {
            parts.push(pattern.get(start..at).unwrap_or(""));
            start = at + c.len_utf8();
            brackets = Brackets::default();
        } else {
            brackets.take(c);
        }
    }
    if !brackets.is_outside() {
        let part = pattern.get(start..).unwrap_or("");
        return Err(Diagnostic::new(format!(
            "a bracket is not closed in the pattern `{}`",
            short(part)
        )));
    }
    parts.push(pattern.get(start..).unwrap_or(""));
    Ok(parts)
}

/// Which brackets are open: in a `~regex` all of them count, else only square ones.
#[derive(Default)]
struct Brackets {
    begun: bool,
    regex: bool,
    escaped: bool,
    class: bool,
    open: u32,
}

impl Brackets {
    fn is_outside(&self) -> bool {
        !self.class && self.open == 0 && !self.escaped
    }

    fn take(&mut self, c: char) {
        if !self.begun {
            if matches!(c, '!' | '&') || c.is_whitespace() {
                return;
            }
            self.begun = true;
            if c == '~' {
                self.regex = true;
                return;
            }
        }
        if self.escaped {
            self.escaped = false;
            return;
        }
        match c {
            '\\' if self.regex => self.escaped = true,
            ']' => self.class = false,
            _ if self.class => {}
            '[' => self.class = true,
            '(' | '{' if self.regex => self.open = self.open.saturating_add(1),
            ')' | '}' if self.regex => self.open = self.open.saturating_sub(1),
            _ => {}
        }
    }
}
