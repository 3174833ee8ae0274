//! JSON as Python writes it, and between values and `serde_json`.

use minijinja::value::ValueKind;
use std::fmt::Write as _;

use crate::vars::Value;
use crate::vars::fault::{Fault, Res};
use crate::vars::objects::{LONGEST_TEXT, Omit, is_list, is_map, list_items, map_pairs, undef};
use crate::vars::python::{self, Num, float_text, strict_number, type_name};
use crate::vars::{datetime, stack};

/// How JSON is written.
#[derive(Clone, Debug, Default)]
pub(in crate::vars) struct Style {
    /// Blanks for each level; `None`: all on one line.
    pub(in crate::vars) indent: Option<usize>,
    /// Keys in order of the alphabet.
    pub(in crate::vars) sorted: bool,
    /// Everything but ASCII as escapes.
    pub(in crate::vars) ascii: bool,
    /// What stands between items, and between keys and values.
    pub(in crate::vars) separators: Option<(String, String)>,
}

/// Writes a value.
pub(in crate::vars) fn write(value: &Value, style: &Style) -> Res<String> {
    let mut out = String::new();
    item(&mut out, value, style, 0)?;
    Ok(out)
}

fn newline(out: &mut String, style: &Style, level: usize) {
    if let Some(indent) = style.indent {
        out.push('\n');
        out.push_str(&" ".repeat(indent.saturating_mul(level)));
    }
}

fn item(out: &mut String, value: &Value, style: &Style, level: usize) -> Res<()> {
    if stack::is_low() || out.len() > LONGEST_TEXT {
        return Err(Fault::new("the value is too large or nested too deeply"));
    }
    if let Some(undef) = undef(value) {
        return Err(undef.fault());
    }
    let (comma, colon) = match &style.separators {
        Some((comma, colon)) => (comma.as_str(), colon.as_str()),
        None if style.indent.is_some() => (",", ": "),
        None => (", ", ": "),
    };
    let is_omit = |value: &Value| value.downcast_object_ref::<Omit>().is_some();
    if let Some(text) = value.as_str() {
        string(out, text, style.ascii);
    } else if is_list(value) {
        let items = list_items(value)?.unwrap_or_default();
        let mut first = true;
        out.push('[');
        for inner in items.iter().filter(|inner| !is_omit(inner)) {
            if !first {
                out.push_str(comma);
            }
            first = false;
            newline(out, style, level + 1);
            item(out, inner, style, level + 1)?;
        }
        if !first {
            newline(out, style, level);
        }
        out.push(']');
    } else if is_map(value) {
        let mut pairs: Vec<(String, Value)> = Vec::new();
        for (k, v) in map_pairs(value)?.unwrap_or_default() {
            if !is_omit(&v) {
                pairs.push((key_text(&k)?, v));
            }
        }
        if style.sorted {
            pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
        }
        out.push('{');
        for (i, (key, inner)) in pairs.iter().enumerate() {
            if i > 0 {
                out.push_str(comma);
            }
            newline(out, style, level + 1);
            string(out, key, style.ascii);
            out.push_str(colon);
            item(out, inner, style, level + 1)?;
        }
        if !pairs.is_empty() {
            newline(out, style, level);
        }
        out.push('}');
    } else if datetime::is_time(value) {
        string(out, &python::text(value)?, style.ascii);
    } else {
        match (value.kind(), strict_number(value)) {
            (ValueKind::None, _) => out.push_str("null"),
            (ValueKind::Bool, _) => out.push_str(if value.is_true() { "true" } else { "false" }),
            (_, Some(Num::Int(n))) => out.push_str(&n.to_string()),
            (_, Some(Num::Float(n))) => out.push_str(&json_float(n)),
            (ValueKind::Bytes, _) => {
                string(
                    out,
                    &String::from_utf8_lossy(value.as_bytes().unwrap_or_default()),
                    style.ascii,
                );
            }
            _ => {
                let kind = type_name(value);
                return Err(Fault::new(format!("object of type '{kind}' is not JSON serializable")));
            }
        }
    }
    Ok(())
}

fn json_float(number: f64) -> String {
    if number.is_nan() {
        "NaN".to_owned()
    } else if number.is_infinite() {
        if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
    } else {
        float_text(number)
    }
}

/// A mapping's key as JSON has it.
fn key_text(key: &Value) -> Res<String> {
    Ok(match (key.kind(), strict_number(key)) {
        (ValueKind::None, _) => "null".to_owned(),
        (ValueKind::Bool, _) => if key.is_true() { "true" } else { "false" }.to_owned(),
        (_, Some(Num::Float(n))) => json_float(n),
        _ => python::text(key)?,
    })
}

fn string(out: &mut String, text: &str, ascii: bool) {
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
            c if (c as u32) < 0x20 || ascii && (c as u32) > 0x7e => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Reads JSON; nothing in it is ever a template.
pub(in crate::vars) fn parse(text: &str) -> Res {
    let parsed: serde_json::Value = serde_json::from_str(text).map_err(|e| {
        let fault = Fault::new(format!("not valid JSON: {e}"));
        if text.trim().is_empty() {
            fault.help("the text is empty")
        } else {
            fault
        }
    })?;
    Ok(from_serde(&parsed))
}

/// A value of `serde_json` as one of templates.
pub(in crate::vars) fn from_serde(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::from(()),
        serde_json::Value::Bool(b) => Value::from(*b),
        serde_json::Value::Number(n) => n
            .as_i64()
            .map(Value::from)
            .or_else(|| n.as_u64().map(Value::from))
            .or_else(|| n.as_f64().map(Value::from))
            .unwrap_or_default(),
        serde_json::Value::String(text) => Value::from(text.as_str()),
        serde_json::Value::Array(items) => Value::from_object(items.iter().map(from_serde).collect::<Vec<_>>()),
        serde_json::Value::Object(entries) => entries.iter().map(|(k, v)| (k.as_str(), from_serde(v))).collect(),
    }
}

/// A value of templates as one of `serde_json`. What JSON cannot say becomes text or null.
pub(in crate::vars) fn to_serde(value: &Value) -> serde_json::Value {
    to_serde_at(value, 0)
}

fn to_serde_at(value: &Value, depth: u32) -> serde_json::Value {
    use serde_json::Value as Json;
    if depth > 500 {
        return Json::Null;
    }
    if let Some(text) = value.as_str() {
        return Json::from(text);
    }
    if is_list(value) {
        let items = list_items(value).ok().flatten().unwrap_or_default();
        return Json::Array(items.iter().map(|item| to_serde_at(item, depth + 1)).collect());
    }
    if is_map(value) {
        let pairs = map_pairs(value).ok().flatten().unwrap_or_default();
        let pairs = pairs
            .iter()
            .map(|(k, v)| (key_text(k).unwrap_or_default(), to_serde_at(v, depth + 1)));
        return Json::Object(pairs.collect());
    }
    match (value.kind(), strict_number(value)) {
        (ValueKind::Bool, _) => Json::from(value.is_true()),
        (_, Some(Num::Int(n))) => match (i64::try_from(n), u64::try_from(n)) {
            (Ok(n), _) => Json::from(n),
            (_, Ok(n)) => Json::from(n),
            _ => serde_json::Number::from_f64(Num::Int(n).float()).map_or(Json::Null, Json::Number),
        },
        (_, Some(Num::Float(n))) => serde_json::Number::from_f64(n).map_or(Json::Null, Json::Number),
        (ValueKind::Bytes, _) => Json::from(String::from_utf8_lossy(value.as_bytes().unwrap_or_default()).as_ref()),
        _ if datetime::is_time(value) => python::text(value).map_or(Json::Null, Json::from),
        _ => Json::Null,
    }
}
