//! YAML in block form, keys sorted, two blanks for each level.

use serde_json::Value;

use super::json::number;
use crate::yaml::plain_scalar;

/// The value as a YAML document without the leading `---`.
pub(super) fn dump(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(entries) if !entries.is_empty() => mapping(entries, 0, &mut out),
        other => {
            out.push_str(&scalar(other));
            out.push('\n');
        }
    }
    out.pop();
    out
}

fn mapping(entries: &serde_json::Map<String, Value>, depth: usize, out: &mut String) {
    let mut sorted: Vec<_> = entries.iter().collect();
    sorted.sort_by(|a, b| a.0.cmp(b.0));
    for (key, value) in sorted {
        out.push_str(&"  ".repeat(depth));
        out.push_str(&text(key));
        out.push(':');
        below(value, depth, out);
    }
}

/// What was written as `!vault`.
fn encrypted(value: &Value) -> Option<&str> {
    let entries = value.as_object().filter(|entries| entries.len() == 1)?;
    entries.get("__ansible_vault")?.as_str()
}

fn vault(text: &str, depth: usize, out: &mut String) {
    out.push_str(" !vault |\n");
    for line in text.lines() {
        out.push_str(&"  ".repeat(depth + 1));
        out.push_str(line);
        out.push('\n');
    }
}

fn below(value: &Value, depth: usize, out: &mut String) {
    if let Some(text) = encrypted(value) {
        return vault(text, depth, out);
    }
    match value {
        Value::Object(entries) if !entries.is_empty() => {
            out.push('\n');
            mapping(entries, depth + 1, out);
        }
        Value::Array(items) if !items.is_empty() => {
            out.push('\n');
            list(items, depth, out);
        }
        other => {
            out.push(' ');
            out.push_str(&scalar(other));
            out.push('\n');
        }
    }
}

fn list(items: &[Value], depth: usize, out: &mut String) {
    for item in items {
        out.push_str(&"  ".repeat(depth));
        out.push('-');
        if let Some(text) = encrypted(item) {
            vault(text, depth, out);
            continue;
        }
        match item {
            Value::Object(entries) if !entries.is_empty() => {
                let mut inner = String::new();
                mapping(entries, depth + 1, &mut inner);
                out.push(' ');
                out.push_str(inner.trim_start_matches(' '));
            }
            Value::Array(items) if !items.is_empty() => {
                let mut inner = String::new();
                list(items, depth + 1, &mut inner);
                out.push(' ');
                out.push_str(inner.trim_start_matches(' '));
            }
            other => {
                out.push(' ');
                out.push_str(&scalar(other));
                out.push('\n');
            }
        }
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(b) => b.to_string(),
        Value::Number(n) => {
            let shown = number(n);
            // YAML 1.1 wants a dot before an exponent.
            match shown.split_once('e') {
                Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0e{exponent}"),
                _ => shown,
            }
        }
        Value::String(value) => text(value),
        Value::Array(_) => "[]".to_owned(),
        Value::Object(_) => "{}".to_owned(),
    }
}

/// What YAML takes as an escape only, or reads in two ways.
fn is_special(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// Text in double quotes, what cannot be seen as escapes. JSON's quoting would do but for DEL
/// and the controls behind it.
fn quoted(value: &str) -> String {
    let mut out = String::from("\"");
    for c in value.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if is_special(c) => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Text that reads back as this text.
fn text(value: &str) -> String {
    if value.chars().any(is_special) {
        return quoted(value);
    }
    let starts = value.starts_with(|c: char| "-?:,[]{}#&*!|>'\"%@`=~ ".contains(c));
    let special = value.contains(": ") || value.contains(" #") || value.ends_with([':', ' ']);
    let year = value.split('-').next().unwrap_or("");
    let looks_like_a_date = year.len() == 4 && year.len() < value.len() && year.bytes().all(|b| b.is_ascii_digit());
    let short_words = matches!(value, "y" | "Y" | "n" | "N" | "<<");
    if value.is_empty() || starts || special || looks_like_a_date || short_words || plain_scalar(value).is_some() {
        return format!("'{}'", value.replace('\'', "''"));
    }
    value.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nested_values_are_written_in_blocks() {
        let value = serde_json::json!({"b": [1, {"x": "yes", "z": []}, [true]], "a": {"k": "{{ t }}"}, "m": null});
        assert_eq!(
            dump(&value),
            "a:\n  k: '{{ t }}'\nb:\n- 1\n- x: 'yes'\n  z: []\n- - true\nm: null"
        );
    }

    proptest! {
        #[test]
        fn text_reads_back_as_itself(value in "([ -~é\n\t]|: | #|yes|null|0x1|- ){0,12}") {
            let shown = dump(&serde_json::json!({"k": value.clone()}));
            let node = crate::yaml::parse_text("t", &shown).unwrap();
            prop_assert_eq!(node.get("k").unwrap().as_str(), Some(value.as_str()), "{}", shown);
        }
    }
}
