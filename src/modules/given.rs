//! Reading converted arguments: `convert` made their types right, so these only unwrap.

use serde_json::{Map, Value as Json};

use crate::modules::ModuleError;

/// Arguments after `convert`.
#[derive(Clone, Copy, Debug)]
pub struct Arguments<'a>(pub &'a Map<String, Json>);

impl<'a> Arguments<'a> {
    /// A text, or nothing.
    pub fn text(self, name: &str) -> Option<&'a str> {
        self.0.get(name).and_then(Json::as_str)
    }

    /// A text that is there and not empty.
    pub fn filled(self, name: &str) -> Option<&'a str> {
        self.text(name).filter(|text| !text.is_empty())
    }

    /// A text that is required.
    pub fn required(self, name: &str) -> Result<&'a str, ModuleError> {
        self.text(name)
            .ok_or_else(|| ModuleError::failed(format!("missing required arguments: {name}")))
    }

    /// A boolean; false when it is not given.
    pub fn flag(self, name: &str) -> bool {
        self.0.get(name).and_then(Json::as_bool).unwrap_or(false)
    }

    /// A number.
    pub fn int(self, name: &str) -> Option<i64> {
        self.0.get(name).and_then(Json::as_i64)
    }

    /// The texts of a list; empty when it is not given.
    pub fn list(self, name: &str) -> Vec<String> {
        let items = self.0.get(name).and_then(Json::as_array);
        items.into_iter().flatten().map(text_of).collect()
    }

    /// Any value that is not null.
    pub fn value(self, name: &str) -> Option<&'a Json> {
        self.0.get(name).filter(|value| !value.is_null())
    }
}

/// A value as Python's `str` writes it: what Ansible makes of numbers and booleans in text arguments.
pub fn text_of(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Bool(true) => "True".to_owned(),
        Json::Bool(false) => "False".to_owned(),
        Json::Null => String::new(),
        Json::Number(number) => number.to_string(),
        Json::Array(_) | Json::Object(_) => python_json(value),
    }
}

/// JSON with the blanks that Python's `json.dumps` writes. Characters beyond ASCII become escapes, as there.
pub fn python_json(value: &Json) -> String {
    let mut out = String::new();
    write_json(value, &mut out);
    out
}

fn write_json(value: &Json, out: &mut String) {
    match value {
        Json::Null | Json::Bool(_) | Json::Number(_) => out.push_str(&value.to_string()),
        Json::String(text) => write_string(text, out),
        Json::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                write_json(item, out);
            }
            out.push(']');
        }
        Json::Object(entries) => {
            out.push('{');
            for (i, (key, item)) in entries.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                write_string(key, out);
                out.push_str(": ");
                write_json(item, out);
            }
            out.push('}');
        }
    }
}

fn write_string(text: &str, out: &mut String) {
    let quoted = Json::String(text.to_owned()).to_string();
    let mut units = [0; 2];
    for c in quoted.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut units) {
                out.push_str("\\u");
                out.push_str(&crate::modules::local::hex(&unit.to_be_bytes()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_written_as_python_writes_it() {
        let value = serde_json::json!({"k": [1, true, null, "s\n"], "ž": {}, "🎉": 1.5});
        assert_eq!(
            python_json(&value),
            r#"{"k": [1, true, null, "s\n"], "\u017e": {}, "\ud83c\udf89": 1.5}"#
        );
    }
}
