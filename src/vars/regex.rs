//! Python's regular expressions, as far as they differ from those of the engine used.

use std::fmt::Write as _;
use std::sync::Arc;

use fancy_regex::{Captures, Regex, RegexBuilder};

use crate::vars::context::Ctx;
use crate::vars::fault::{Fault, Res};
use crate::vars::objects::lock;

/// How many compiled patterns are kept.
const KEPT: usize = 1024;

/// A compiled pattern; those in use are kept.
pub(in crate::vars) fn compile(ctx: &Ctx, pattern: &str, ignorecase: bool, multiline: bool) -> Res<Arc<Regex>> {
    let flags = match (ignorecase, multiline) {
        (true, true) => "(?im)",
        (true, false) => "(?i)",
        (false, true) => "(?m)",
        (false, false) => "",
    };
    let key = format!("{flags}{pattern}");
    if let Some(found) = lock(&ctx.shared.patterns).get(&key) {
        return Ok(found.clone());
    }
    let translated = format!("{flags}{}", translate(pattern, multiline));
    let built = RegexBuilder::new(&translated).backtrack_limit(2_000_000).build();
    let regex = Arc::new(built.map_err(|e| Fault::new(format!("bad regular expression '{pattern}': {e}")))?);
    let mut kept = lock(&ctx.shared.patterns);
    if kept.len() >= KEPT {
        kept.clear();
    }
    kept.insert(key, regex.clone());
    Ok(regex)
}

/// True when a pattern is found: anywhere, at the start, or as the whole.
pub(in crate::vars) fn is_match(ctx: &Ctx, pattern: &str, text: &str, kind: &str, flags: (bool, bool)) -> Res<bool> {
    let anchored = match kind {
        "match" => format!("\\A(?:{pattern})"),
        "fullmatch" => format!("\\A(?:{pattern})\\Z"),
        _ => pattern.to_owned(),
    };
    let regex = compile(ctx, &anchored, flags.0, flags.1)?;
    regex
        .is_match(text)
        .map_err(|e| Fault::new(format!("the regular expression takes too long or failed: {e}")))
}

/// All matches in order, at most `most` (0: all). As in Python an empty match may follow a match directly.
pub(in crate::vars) fn all<'t>(regex: &Regex, text: &'t str, most: usize) -> Res<Vec<Captures<'t, str>>> {
    let mut found = Vec::new();
    let mut from = 0;
    while from <= text.len() && (most == 0 || found.len() < most) {
        let captures = regex
            .captures_from_pos(text, from)
            .map_err(|e| Fault::new(format!("the regular expression takes too long or failed: {e}")))?;
        let Some(captures) = captures else { break };
        let Some(whole) = captures.get(0) else { break };
        from = whole.end();
        if whole.start() == whole.end() {
            from += text
                .get(whole.end()..)
                .and_then(|rest| rest.chars().next())
                .map_or(1, char::len_utf8);
        }
        found.push(captures);
    }
    Ok(found)
}

/// Python's pattern in the engine's words.
fn translate(pattern: &str, multiline: bool) -> String {
    let multiline =
        multiline || pattern.starts_with("(?") && pattern.split(')').next().is_some_and(|f| f.contains('m'));
    let mut out = String::with_capacity(pattern.len() + 8);
    let chars: Vec<char> = pattern.chars().collect();
    let at = |i: usize| chars.get(i).copied();
    let mut i = 0;
    let mut class: Option<usize> = None;
    while let Some(c) = at(i) {
        i += 1;
        match c {
            '\\' => {
                let Some(next) = at(i) else {
                    out.push('\\');
                    break;
                };
                i += 1;
                escape_sequence(&mut out, next, &chars, &mut i, class.is_some());
            }
            '[' if class.is_none() => {
                out.push('[');
                if at(i) == Some('^') {
                    out.push('^');
                    i += 1;
                }
                class = Some(i);
                if at(i) == Some(']') {
                    out.push_str("\\]");
                    i += 1;
                }
            }
            ']' if class.is_some() => {
                class = None;
                out.push(']');
            }
            // Set operations of the engine are plain characters in Python.
            '[' | '&' | '~' if class.is_some() => {
                out.push('\\');
                out.push(c);
            }
            '$' if class.is_none() && !multiline => out.push_str("(?=\\n?\\z)"),
            '{' if class.is_none() => {
                let rest: String = chars
                    .get(i..)
                    .unwrap_or(&[])
                    .iter()
                    .take_while(|c| **c != '}')
                    .collect();
                let closed = at(i + rest.chars().count()) == Some('}');
                let (low, high) = rest.split_once(',').unwrap_or((&rest, "0"));
                let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
                let counts = closed
                    && is_number(low)
                    && is_number(high)
                    && !(low.is_empty() && (high.is_empty() || !rest.contains(',')));
                if counts {
                    out.push('{');
                    if low.is_empty() {
                        out.push('0');
                    }
                } else {
                    out.push_str("\\{");
                }
            }
            c => out.push(c),
        }
    }
    out
}

fn escape_sequence(out: &mut String, next: char, chars: &[char], i: &mut usize, in_class: bool) {
    match next {
        'Z' => out.push_str("\\z"),
        'b' if in_class => out.push_str("\\x08"),
        'a' => out.push_str("\\x07"),
        'v' => out.push_str("\\x0B"),
        '0' => out.push_str("\\x00"),
        'u' | 'U' => {
            let count = if next == 'u' { 4 } else { 8 };
            let digits: String = chars.get(*i..).unwrap_or(&[]).iter().take(count).collect();
            *i += count;
            let _ = write!(out, "\\x{{{digits}}}");
        }
        c if c.is_ascii_alphanumeric() => {
            out.push('\\');
            out.push(c);
        }
        c if "\\.+*?()|[]{}^$#&-~".contains(c) => {
            out.push('\\');
            out.push(c);
        }
        c => out.push(c),
    }
}

/// Text that matches itself, as Python's `re.escape` writes it.
pub(in crate::vars) fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        if "()[]{}?*+-|^$\\.&~# \t\n\r\u{b}\u{c}".contains(c) {
            out.push('\\');
        }
        out.push(c);
        out
    })
}

/// Writes a replacement: `\1`, `\g<1>`, `\g<name>`, `\n`.
pub(in crate::vars) fn expand(out: &mut String, replacement: &str, captures: &Captures<'_, str>) -> Res<()> {
    let mut chars = replacement.chars().peekable();
    let group = |name: &str| -> Res<String> {
        let exists = match name.parse::<usize>() {
            Ok(number) => number < captures.len(),
            Err(_) => captures.name(name).is_some() || !name.is_empty(),
        };
        if !exists {
            return Err(Fault::new(format!("invalid group reference {name}")));
        }
        let found = match name.parse::<usize>() {
            Ok(number) => captures.get(number),
            Err(_) => captures.name(name),
        };
        Ok(found.map_or_else(String::new, |m| m.as_str().to_owned()))
    };
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('g') if chars.peek() == Some(&'<') => {
                chars.next();
                let name: String = chars.by_ref().take_while(|c| *c != '>').collect();
                out.push_str(&group(&name)?);
            }
            Some('0') => out.push('\0'),
            Some(digit @ '1'..='9') => {
                let mut name = digit.to_string();
                if let Some(second) = chars.peek().filter(|c| c.is_ascii_digit()) {
                    name.push(*second);
                    chars.next();
                }
                out.push_str(&group(&name)?);
            }
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('\\') => out.push('\\'),
            Some(c) if c.is_ascii_alphabetic() => {
                return Err(Fault::new(format!("bad escape \\{c} in the replacement")));
            }
            Some(c) => {
                out.push('\\');
                out.push(c);
            }
            None => return Err(Fault::new("bad escape (end of pattern) in the replacement")),
        }
    }
    Ok(())
}
