//! Values of INI inventories: what reads as a Python literal is one (`8080`, `True`, `[1, 2]`, `{'a': 1}`, `"text"`),
//! anything else is text.

use crate::source::Span;
use crate::yaml::{Kind, Node, Text, TextUse};

/// Deepest nesting of lists and dicts.
const DEPTH: u32 = 50;

/// The value of `text`, at `span`.
pub(super) fn value(text: &str, span: &Span) -> Node {
    let kind = literal(text, span).unwrap_or_else(|| plain_text(text));
    Node {
        span: span.clone(),
        kind,
    }
}

/// Text that may be a template.
pub(super) fn plain_text(text: &str) -> Kind {
    Kind::Text(Text {
        value: text.into(),
        use_as: TextUse::Template,
        quoted: true,
    })
}

fn literal(text: &str, span: &Span) -> Option<Kind> {
    let first = *text.trim_start_matches([' ', '\t']).as_bytes().first()?;
    // Nearly all values are words: they are told apart by their first letter. Templates are never literals.
    let word = first.is_ascii_alphabetic() && !b"TFNbBrRuU".contains(&first);
    if word || first >= 0x80 || text.trim_start().starts_with("{{") {
        return None;
    }
    let mut reader = Reader {
        rest: text.trim_start_matches([' ', '\t']),
        span,
    };
    let mut items = vec![reader.value(0)?];
    reader.blanks();
    // `1, 2` is a tuple.
    let mut tuple = false;
    while reader.take(',') {
        tuple = true;
        reader.blanks();
        if reader.rest.is_empty() {
            break;
        }
        items.push(reader.value(0)?);
        reader.blanks();
    }
    if !reader.rest.is_empty() {
        return None;
    }
    if tuple {
        Some(Kind::List(items))
    } else {
        items.pop().map(|node| node.kind)
    }
}

struct Reader<'a> {
    rest: &'a str,
    span: &'a Span,
}

impl Reader<'_> {
    fn blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\u{c}']);
        if self.rest.starts_with('#') {
            self.rest = "";
        }
    }

    fn take(&mut self, c: char) -> bool {
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn node(&self, kind: Kind) -> Node {
        Node {
            span: self.span.clone(),
            kind,
        }
    }

    fn value(&mut self, depth: u32) -> Option<Node> {
        if depth > DEPTH {
            return None;
        }
        self.blanks();
        let kind = match self.rest.chars().next()? {
            '[' => {
                self.take('[');
                Kind::List(self.items(']', depth)?.0)
            }
            '(' => {
                self.take('(');
                let (mut items, comma) = self.items(')', depth)?;
                // `(1)` is 1, `(1,)` a tuple.
                if items.len() == 1 && !comma {
                    items.pop()?.kind
                } else {
                    Kind::List(items)
                }
            }
            '{' => {
                self.take('{');
                self.braces(depth)?
            }
            '.' if self.rest.starts_with("...") => {
                self.rest = self.rest.get(3..)?;
                plain_text("...")
            }
            '+' | '-' | '0'..='9' | '.' => self.number()?,
            _ => self.word()?,
        };
        Some(self.node(kind))
    }

    /// Items to the closing bracket, and whether a comma stood behind the last one.
    fn items(&mut self, close: char, depth: u32) -> Option<(Vec<Node>, bool)> {
        let mut items = Vec::new();
        let mut comma = false;
        loop {
            self.blanks();
            if self.take(close) {
                return Some((items, comma));
            }
            if !items.is_empty() && !comma {
                return None;
            }
            items.push(self.value(depth + 1)?);
            self.blanks();
            comma = self.take(',');
        }
    }

    /// A dict, or a set (which becomes a list).
    fn braces(&mut self, depth: u32) -> Option<Kind> {
        let mut entries: Vec<(Node, Node)> = Vec::new();
        let mut items = Vec::new();
        let mut comma = true;
        loop {
            self.blanks();
            if self.take('}') {
                break;
            }
            if !comma {
                return None;
            }
            let key = self.value(depth + 1)?;
            self.blanks();
            if self.take(':') {
                if matches!(key.kind, Kind::List(_) | Kind::Map(_)) || !items.is_empty() {
                    return None;
                }
                let value = self.value(depth + 1)?;
                let name = key.scalar_text();
                // As in Python, the last one of equal keys wins.
                match entries.iter_mut().find(|(known, _)| known.scalar_text() == name) {
                    Some(entry) => entry.1 = value,
                    None => entries.push((key, value)),
                }
            } else {
                if !entries.is_empty() || matches!(key.kind, Kind::List(_) | Kind::Map(_)) {
                    return None;
                }
                items.push(key);
            }
            self.blanks();
            comma = self.take(',');
        }
        Some(if items.is_empty() {
            Kind::Map(entries)
        } else {
            Kind::List(items)
        })
    }

    fn number(&mut self) -> Option<Kind> {
        let start = self.rest;
        let mut negative = false;
        while let Some(sign) = self.rest.chars().next().filter(|c| matches!(c, '+' | '-')) {
            negative ^= sign == '-';
            self.take(sign);
            self.blanks();
        }
        let end = self
            .rest
            .char_indices()
            .find(|(at, c)| {
                let exponent = || {
                    self.rest
                        .get(..*at)
                        .is_some_and(|b| b.ends_with(['e', 'E']) && !b.starts_with("0x") && !b.starts_with("0X"))
                };
                !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.') || matches!(c, '+' | '-') && exponent())
            })
            .map_or(self.rest.len(), |(at, _)| at);
        let (digits, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        let used = start.get(..start.len() - rest.len())?;
        number(digits, negative, used)
    }

    fn word(&mut self) -> Option<Kind> {
        for (word, kind) in [
            ("True", Kind::Bool(true)),
            ("False", Kind::Bool(false)),
            ("None", Kind::Null),
        ] {
            if let Some(rest) = self.rest.strip_prefix(word)
                && !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_')
            {
                self.rest = rest;
                return Some(kind);
            }
        }
        let mut text = self.string()?;
        // Neighbouring strings are one.
        loop {
            self.blanks();
            if !self.rest.starts_with(['\'', '"']) {
                break;
            }
            text.push_str(&self.string()?);
        }
        Some(plain_text(&text))
    }

    fn string(&mut self) -> Option<String> {
        let at = self.rest.find(['\'', '"']).filter(|at| *at <= 2)?;
        let (prefix, rest) = self.rest.split_at_checked(at)?;
        let prefix = prefix.to_ascii_lowercase();
        if !matches!(prefix.as_str(), "" | "r" | "u" | "b" | "br" | "rb") {
            return None;
        }
        let quote = rest.chars().next()?;
        let triple: String = [quote; 3].iter().collect();
        let close = if rest.starts_with(&triple) {
            triple
        } else {
            quote.to_string()
        };
        self.rest = rest.get(close.len()..)?;
        let mut out = String::new();
        loop {
            if let Some(rest) = self.rest.strip_prefix(close.as_str()) {
                self.rest = rest;
                return Some(out);
            }
            let c = self.next()?;
            match c {
                '\\' if prefix.contains('r') => {
                    out.push(c);
                    out.push(self.next()?);
                }
                '\\' => self.escape(&mut out)?,
                c => out.push(c),
            }
        }
    }

    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let c = chars.next();
        self.rest = chars.as_str();
        c
    }

    fn escape(&mut self, out: &mut String) -> Option<()> {
        let c = self.next()?;
        let code = |digits: usize, reader: &mut Self| {
            let (number, rest) = reader.rest.split_at_checked(digits)?;
            reader.rest = rest;
            u32::from_str_radix(number, 16).ok().and_then(char::from_u32)
        };
        match c {
            '\n' => {}
            '\\' | '\'' | '"' => out.push(c),
            'a' => out.push('\u{7}'),
            'b' => out.push('\u{8}'),
            'f' => out.push('\u{c}'),
            'n' => out.push('\n'),
            'r' => out.push('\r'),
            't' => out.push('\t'),
            'v' => out.push('\u{b}'),
            'x' => out.push(code(2, self)?),
            'u' => out.push(code(4, self)?),
            'U' => out.push(code(8, self)?),
            '0'..='7' => {
                let mut number = c.to_digit(8)?;
                for _ in 0..2 {
                    match self.rest.chars().next().and_then(|c| c.to_digit(8)) {
                        Some(digit) => {
                            number = number * 8 + digit;
                            self.next();
                        }
                        None => break,
                    }
                }
                out.push(char::from_u32(number)?);
            }
            // Python keeps what it does not know.
            c => out.extend(['\\', c]),
        }
        Some(())
    }
}

/// A number without its signs. What is too large for a whole number stays text, as it was written.
fn number(digits: &str, negative: bool, written: &str) -> Option<Kind> {
    let lower = digits.to_ascii_lowercase();
    // Underscores only between digits.
    if lower.starts_with('_') || lower.ends_with('_') || lower.contains("__") || lower.contains("_.") {
        return None;
    }
    let clean = lower.replace('_', "");
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(rest) = clean.strip_prefix(prefix) {
            let n = i64::from_str_radix(rest, radix)
                .ok()
                .filter(|_| !rest.starts_with(['+', '-']))?;
            return Some(Kind::Int(if negative { n.checked_neg()? } else { n }));
        }
    }
    if clean.bytes().all(|b| b.is_ascii_digit()) && !clean.is_empty() {
        // `007` is no number in Python; `00` is.
        if clean.len() > 1 && clean.starts_with('0') && clean.bytes().any(|b| b != b'0') {
            return None;
        }
        let signed = if negative { format!("-{clean}") } else { clean };
        return Some(signed.parse().map_or_else(|_| plain_text(written.trim()), Kind::Int));
    }
    let float_like = clean.bytes().all(|b| b.is_ascii_digit() || b".e+-".contains(&b));
    if !float_like || !clean.contains(|c: char| c.is_ascii_digit()) || clean.starts_with('e') {
        return None;
    }
    let n: f64 = clean.parse().ok()?;
    Some(Kind::Float(if negative { -n } else { n }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceFile;
    use proptest::prelude::*;

    fn show(node: &Node) -> String {
        match &node.kind {
            Kind::Null => "None".into(),
            Kind::Bool(b) => b.to_string(),
            Kind::Int(n) => n.to_string(),
            Kind::Float(n) => format!("{n:?}"),
            Kind::Text(t) => format!("'{}'", t.value),
            Kind::List(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(", ")),
            Kind::Map(entries) => format!(
                "{{{}}}",
                entries
                    .iter()
                    .map(|(k, v)| format!("{}: {}", show(k), show(v)))
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
        }
    }

    fn read(text: &str) -> String {
        show(&value(text, &Span::new(&SourceFile::new("t", text), 1, 1)))
    }

    #[test]
    fn values_have_the_type_python_gives_them() {
        for (text, expected) in [
            ("8080", "8080"),
            ("-1", "-1"),
            ("- 1", "-1"),
            ("0644", "'0644'"),
            ("00", "0"),
            ("0x1F", "31"),
            ("0o17", "15"),
            ("1_000", "1000"),
            ("1__0", "'1__0'"),
            ("1.5", "1.5"),
            (".5", "0.5"),
            ("1.", "1.0"),
            ("1e3", "1000.0"),
            ("1e-3", "0.001"),
            ("1.2.3", "'1.2.3'"),
            ("10.0.0.1", "'10.0.0.1'"),
            ("99999999999999999999", "'99999999999999999999'"),
            ("True", "true"),
            ("true", "'true'"),
            ("yes", "'yes'"),
            ("None", "None"),
            ("Nonesuch", "'Nonesuch'"),
            ("[1, 2]", "[1, 2]"),
            ("[1, 2,]", "[1, 2]"),
            ("[]", "[]"),
            ("[,]", "'[,]'"),
            ("(1, 'a')", "[1, 'a']"),
            ("(1)", "1"),
            ("(1,)", "[1]"),
            ("80,443", "[80, 443]"),
            ("{'a': 1, 'b': [True]}", "{'a': 1, 'b': [true]}"),
            ("{1, 2}", "[1, 2]"),
            ("{}", "{}"),
            ("[web]", "'[web]'"),
            ("\"x y\"", "'x y'"),
            ("'8080'", "'8080'"),
            ("'a' 'b'", "'ab'"),
            ("'a\\tb\\x41\\u00e9'", "'a\tbAé'"),
            ("r'a\\tb'", "'a\\tb'"),
            ("u'x'", "'x'"),
            ("f'x'", "'f'x''"),
            ("\"\"\"q\"\"\"", "'q'"),
            ("'open", "''open'"),
            ("some words here", "'some words here'"),
            ("8080 # the port", "8080"),
            ("text # stays", "'text # stays'"),
            ("{{ other }}", "'{{ other }}'"),
            ("{{'a'}}", "'{{'a'}}'"),
            ("", "''"),
            ("...", "'...'"),
            ("/srv/x", "'/srv/x'"),
            ("root", "'root'"),
            ("bob", "'bob'"),
            ("-e foo", "'-e foo'"),
            ("2026-11-21", "'2026-11-21'"),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn deep_nesting_is_text() {
        let deep = "[".repeat(10_000);
        assert_eq!(read(&deep), format!("'{deep}'"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[\\[\\]{}()'\"\\\\a-zTFN0-9._,:+# é-]{0,30}") {
            let _ = read(&text);
        }
    }
}
