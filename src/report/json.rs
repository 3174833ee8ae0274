//! JSON as text: the lines of the journal, and values in the look of Python's `json.dumps` that Ansible shows.

use std::io;

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{Formatter, Serializer};

use super::text::push_json_char;

/// Compact JSON in which also C1 controls, DEL and direction marks are escapes, so that a line is safe on a terminal.
struct SafeJson;

impl Formatter for SafeJson {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        // Plain ASCII is the usual case; quotes and controls below space never come here. DEL is the one exception.
        if fragment.bytes().all(|b| b.is_ascii() && b != 0x7f) {
            return writer.write_all(fragment.as_bytes());
        }
        let mut out = String::with_capacity(fragment.len());
        for c in fragment.chars() {
            push_json_char(&mut out, c);
        }
        writer.write_all(out.as_bytes())
    }
}

/// One value as one line, without the line feed.
pub(crate) fn line(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut out = Vec::with_capacity(256);
    value.serialize(&mut Serializer::with_formatter(&mut out, SafeJson))?;
    Ok(out)
}

/// A value as Ansible shows it: keys sorted, `", "` and `": "` between, or indented by `indent`.
pub(crate) fn dump(value: &Value, indent: Option<usize>) -> String {
    let mut out = String::new();
    write(&mut out, value, indent, 1);
    out
}

fn write(out: &mut String, value: &Value, indent: Option<usize>, depth: usize) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Number(n) => out.push_str(&n.to_string()),
        Value::String(s) => string(out, s),
        Value::Array(items) if items.is_empty() => out.push_str("[]"),
        Value::Object(map) if map.is_empty() => out.push_str("{}"),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                between(out, i, indent, depth);
                write(out, item, indent, depth + 1);
            }
            close(out, indent, depth, ']');
        }
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|entry| entry.0);
            out.push('{');
            for (i, (key, item)) in entries.into_iter().enumerate() {
                between(out, i, indent, depth);
                string(out, key);
                out.push_str(": ");
                write(out, item, indent, depth + 1);
            }
            close(out, indent, depth, '}');
        }
    }
}

fn between(out: &mut String, index: usize, indent: Option<usize>, depth: usize) {
    match indent {
        Some(n) => {
            out.push_str(if index > 0 { ",\n" } else { "\n" });
            out.extend(std::iter::repeat_n(' ', n * depth));
        }
        None if index > 0 => out.push_str(", "),
        None => {}
    }
}

fn close(out: &mut String, indent: Option<usize>, depth: usize, bracket: char) {
    if let Some(n) = indent {
        out.push('\n');
        out.extend(std::iter::repeat_n(' ', n * (depth - 1)));
    }
    out.push(bracket);
}

fn string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        push_json_char(out, c);
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn values_look_as_python_writes_them() {
        let value = json!({"msg": "a\n\"é\u{9b}", "changed": false, "list": [1, {}], "empty": []});
        assert_eq!(
            dump(&value, None),
            r#"{"changed": false, "empty": [], "list": [1, {}], "msg": "a\n\"é\u009b"}"#
        );
        assert_eq!(
            dump(&json!({"msg": "hi", "n": {"a": [1]}}), Some(4)),
            "{\n    \"msg\": \"hi\",\n    \"n\": {\n        \"a\": [\n            1\n        ]\n    }\n}"
        );
    }

    proptest! {
        #[test]
        fn a_line_is_one_line_and_reads_back(text in any::<String>()) {
            let value = json!({"stdout": text, text.clone(): [text]});
            let bytes = line(&value).unwrap();
            let shown = String::from_utf8(bytes).unwrap();
            prop_assert!(!shown.chars().any(char::is_control));
            prop_assert_eq!(&serde_json::from_str::<Value>(&shown).unwrap(), &value);
            prop_assert_eq!(serde_json::from_str::<Value>(&dump(&value, Some(4))).unwrap(), value);
        }
    }
}
