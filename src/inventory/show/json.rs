//! JSON as Python's `json.dumps(value, sort_keys=True, indent=4)` writes it.

use std::fmt::Write as _;

use serde_json::{Number, Value};

/// The value with keys sorted, four blanks for each level, and characters that nobody sees as escapes.
pub(super) fn dump(value: &Value) -> String {
    let mut out = String::new();
    write(value, 0, &mut out);
    out
}

fn write(value: &Value, depth: usize, out: &mut String) {
    let line = |depth: usize, out: &mut String| {
        out.push('\n');
        out.extend(std::iter::repeat_n("    ", depth));
    };
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Number(n) => out.push_str(&number(n)),
        Value::String(text) => string(text, out),
        Value::Array(items) if items.is_empty() => out.push_str("[]"),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                line(depth + 1, out);
                write(item, depth + 1, out);
            }
            line(depth, out);
            out.push(']');
        }
        Value::Object(entries) if entries.is_empty() => out.push_str("{}"),
        Value::Object(entries) => {
            let mut sorted: Vec<_> = entries.iter().collect();
            sorted.sort_by(|a, b| a.0.cmp(b.0));
            out.push('{');
            for (i, (key, value)) in sorted.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                line(depth + 1, out);
                string(key, out);
                out.push_str(": ");
                write(value, depth + 1, out);
            }
            line(depth, out);
            out.push('}');
        }
    }
}

/// A number as Python writes it: `1e+16`, `1e-05`.
pub(super) fn number(number: &Number) -> String {
    let text = match number.as_f64().filter(|_| number.is_f64()) {
        Some(float) => format!("{float:?}"),
        None => number.to_string(),
    };
    match text.split_once('e') {
        None => text,
        Some((digits, exponent)) => {
            let (sign, exponent) = match exponent.strip_prefix('-') {
                Some(rest) => ('-', rest),
                None => ('+', exponent),
            };
            let digits = digits.strip_suffix(".0").unwrap_or(digits);
            format!("{digits}e{sign}{exponent:0>2}")
        }
    }
}

/// Characters that would drive the terminal or change how the text around them is shown.
fn is_unseen(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if !is_unseen(c) => out.push(c),
            _ => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_numbers_are_written_as_by_python() {
        let value = serde_json::json!({"b": [], "a": {}, "t": "é😀\u{1b}\u{7f}\t/\u{202e}", "n": [1, 1.0, 1e16, 1e-5, 1.5e300]});
        let shown = dump(&value);
        assert!(shown.starts_with("{\n    \"a\": {},\n    \"b\": [],\n"), "{shown}");
        assert!(shown.contains("\"é😀\\u001b\\u007f\\t/\\u202e\""), "{shown}");
        assert!(
            shown.contains("1,\n        1.0,\n        1e+16,\n        1e-05,\n        1.5e+300"),
            "{shown}"
        );
    }
}
