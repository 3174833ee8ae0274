//! Run time: rendered arguments become what a module's table says, with Ansible's conversions and words.

use serde_json::{Map, Number, Value as Json};

use crate::modules::args::{Param, ParamKind};
use crate::modules::given::text_of;
use crate::modules::{ModuleError, Spec};
use crate::source::{Diagnostic, Span};

/// Resolves aliases, checks names, required ones and choices, converts types and fills in defaults. Null values count as
/// not given, as in Ansible. What the table does not know is refused, except for `set_fact`.
pub fn convert(spec: &Spec, rendered: Map<String, Json>, span: &Span) -> Result<Map<String, Json>, ModuleError> {
    let mut out = Map::new();
    let mut unknown = Vec::new();
    for (name, value) in rendered {
        match spec
            .params
            .iter()
            .find(|p| p.name == name || p.aliases.contains(&name.as_str()))
        {
            Some(param) => {
                // The name itself wins over an alias, whatever their order.
                if param.name == name || !out.contains_key(param.name) {
                    out.insert(param.name.to_owned(), value);
                }
            }
            None if name == "_raw_params" && (spec.free_form || text_of(&value).trim().is_empty()) => {
                out.insert(name, value);
            }
            None if is_open(spec) => {
                out.insert(name, value);
            }
            None => unknown.push(name),
        }
    }
    if !unknown.is_empty() {
        unknown.sort();
        let mut known: Vec<String> = spec
            .params
            .iter()
            .filter(|p| !p.name.starts_with('_'))
            .map(shown)
            .collect();
        known.sort();
        return Err(wrong(
            span,
            format!(
                "Unsupported parameters for ({}) module: {}. Supported parameters include: {}.",
                spec.name,
                unknown.join(", "),
                known.join(", ")
            ),
        ));
    }
    let missing: Vec<&str> = spec
        .params
        .iter()
        .filter(|p| p.required && out.get(p.name).is_none_or(Json::is_null))
        .map(|p| p.name)
        .collect();
    if !missing.is_empty() {
        return Err(wrong(
            span,
            format!("missing required arguments: {}", missing.join(", ")),
        ));
    }
    for param in spec.params {
        let given = out.shift_remove(param.name).filter(|value| !value.is_null());
        let value = match given {
            Some(value) => one(param, value).map_err(|message| wrong(span, message))?,
            None if param.default.is_empty() => continue,
            None => default(param),
        };
        out.insert(param.name.to_owned(), value);
    }
    Ok(out)
}

/// True for modules that take any name: every argument is a variable.
pub fn is_open(spec: &Spec) -> bool {
    spec.name == "set_fact"
}

fn wrong(span: &Span, message: String) -> ModuleError {
    Diagnostic::new(message).at(span.clone()).into()
}

fn shown(param: &Param) -> String {
    if param.aliases.is_empty() {
        param.name.to_owned()
    } else {
        format!("{} ({})", param.name, param.aliases.join(", "))
    }
}

/// The default, which the table writes as YAML.
fn default(param: &Param) -> Json {
    let text = param.default.trim_matches('"');
    match param.kind {
        ParamKind::Bool => Json::Bool(matches!(text, "true" | "yes")),
        ParamKind::Int => text.parse::<i64>().map_or(Json::Null, Json::from),
        ParamKind::Float => text.parse::<f64>().map_or(Json::Null, Json::from),
        ParamKind::List => serde_json::from_str(text).unwrap_or_else(|_| Json::Array(Vec::new())),
        ParamKind::Map => Json::Object(Map::new()),
        ParamKind::Text | ParamKind::Path | ParamKind::Mode | ParamKind::Raw => Json::String(unescape(text)),
    }
}

/// `\n` in a default of the table.
fn unescape(text: &str) -> String {
    text.replace("\\n", "\n").replace("\\r", "\r")
}

/// One value as its parameter wants it.
fn one(param: &Param, value: Json) -> Result<Json, String> {
    let value = match param.kind {
        ParamKind::Text | ParamKind::Path => Json::String(text_of(&value)),
        ParamKind::Bool => Json::Bool(boolean(&value).ok_or_else(|| cannot(param, &value, "bool"))?),
        ParamKind::Int => whole(&value).ok_or_else(|| cannot(param, &value, "int"))?,
        ParamKind::Float => float(&value).ok_or_else(|| cannot(param, &value, "float"))?,
        ParamKind::List => list(value),
        ParamKind::Map => mapping(&value).ok_or_else(|| cannot(param, &value, "dict"))?,
        ParamKind::Mode => match value {
            Json::Number(_) | Json::String(_) => value,
            other => return Err(cannot(param, &other, "a mode like \"0644\"")),
        },
        ParamKind::Raw => value,
    };
    if !param.choices.is_empty() {
        let items = match &value {
            Json::Array(items) => items.clone(),
            single => vec![single.clone()],
        };
        for item in &items {
            let text = text_of(item);
            if !param.choices.contains(&text.as_str()) {
                return Err(format!(
                    "value of {} must be one of: {}, got: `{text}`",
                    param.name,
                    param.choices.join(", ")
                ));
            }
        }
    }
    Ok(value)
}

fn cannot(param: &Param, value: &Json, wanted: &str) -> String {
    format!(
        "argument '{}' is of type {} and we were unable to convert to {wanted}: {}",
        param.name,
        python_type(value),
        text_of(value)
    )
}

/// Python's word for a value's type, as Ansible's messages have it.
fn python_type(value: &Json) -> &'static str {
    match value {
        Json::Null => "NoneType",
        Json::Bool(_) => "bool",
        Json::Number(number) if number.is_f64() => "float",
        Json::Number(_) => "int",
        Json::String(_) => "str",
        Json::Array(_) => "list",
        Json::Object(_) => "dict",
    }
}

/// What Ansible takes for a boolean.
pub fn boolean(value: &Json) -> Option<bool> {
    match value {
        Json::Bool(value) => Some(*value),
        Json::Number(number) => match number.as_f64() {
            Some(1.0) => Some(true),
            Some(0.0) => Some(false),
            _ => None,
        },
        Json::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" | "on" | "1" | "true" | "t" | "1.0" => Some(true),
            "n" | "no" | "off" | "0" | "false" | "f" | "0.0" => Some(false),
            _ => None,
        },
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

fn whole(value: &Json) -> Option<Json> {
    match value {
        Json::Number(number) if number.is_i64() || number.is_u64() => Some(value.clone()),
        Json::Number(number) => number
            .as_f64()
            .filter(|n| n.fract() == 0.0 && n.abs() < 9e15)
            .and_then(|n| format!("{n:.0}").parse::<i64>().ok())
            .map(Json::from),
        Json::String(text) => text.trim().parse::<i64>().ok().map(Json::from),
        Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
    }
}

fn float(value: &Json) -> Option<Json> {
    match value {
        Json::Number(_) => Some(value.clone()),
        Json::String(text) => text
            .trim()
            .parse::<f64>()
            .ok()
            .and_then(Number::from_f64)
            .map(Json::Number),
        Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
    }
}

fn list(value: Json) -> Json {
    match value {
        Json::Array(_) => value,
        Json::String(text) => text
            .split(',')
            .map(|part| Json::String(part.trim().to_owned()))
            .collect(),
        Json::Null => Json::Array(Vec::new()),
        other => Json::Array(vec![other]),
    }
}

/// A mapping; JSON text and `a=1, b=2` are fine, too.
fn mapping(value: &Json) -> Option<Json> {
    match value {
        Json::Object(_) => Some(value.clone()),
        Json::String(text) if text.trim_start().starts_with('{') => {
            serde_json::from_str::<Map<String, Json>>(text).ok().map(Json::Object)
        }
        Json::String(text) => {
            let mut out = Map::new();
            for part in text.split(',') {
                let (key, value) = part.split_once('=')?;
                out.insert(key.trim().to_owned(), Json::String(value.trim().to_owned()));
            }
            Some(Json::Object(out))
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Array(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modules::find;
    use crate::source::SourceFile;
    use serde_json::json;

    fn converted(module: &str, args: Json) -> Result<Map<String, Json>, String> {
        let file = SourceFile::new("site.yml", "- file:\n");
        let Json::Object(args) = args else { panic!() };
        convert(find(module).unwrap(), args, &Span::new(&file, 1, 1)).map_err(|e| e.to_string())
    }

    #[test]
    fn aliases_become_names_and_types_become_right() {
        let args = converted("file", json!({"dest": "/x", "recurse": "yes", "mode": 420, "owner": 0})).unwrap();
        assert_eq!(args["path"], "/x");
        assert_eq!(args["recurse"], true);
        assert_eq!(args["mode"], 420);
        assert_eq!(args["owner"], "0");
        assert_eq!(args["follow"], true);
        assert!(!args.contains_key("dest"));
    }

    #[test]
    fn mistakes_are_told_in_ansibles_words() {
        assert_eq!(
            converted("file", json!({"state": "absent"})).unwrap_err(),
            "missing required arguments: path"
        );
        assert_eq!(
            converted("file", json!({"path": "/x", "state": "sideways"})).unwrap_err(),
            "value of state must be one of: absent, directory, file, hard, link, touch, got: `sideways`"
        );
        let unknown = converted("file", json!({"path": "/x", "colour": "red"})).unwrap_err();
        assert!(
            unknown.starts_with("Unsupported parameters for (file) module: colour. Supported parameters include: "),
            "{unknown}"
        );
        assert!(unknown.contains("path (dest, name)"), "{unknown}");
        assert_eq!(
            converted("file", json!({"path": "/x", "force": "maybe"})).unwrap_err(),
            "argument 'force' is of type str and we were unable to convert to bool: maybe"
        );
    }

    #[test]
    fn null_is_not_given() {
        assert!(converted("file", json!({"path": null})).is_err());
        assert!(
            !converted("file", json!({"path": "/x", "owner": null}))
                .unwrap()
                .contains_key("owner")
        );
    }

    #[test]
    fn lists_and_mappings_come_from_text() {
        assert_eq!(list(json!("a, b")), json!(["a", "b"]));
        assert_eq!(list(json!(7)), json!([7]));
        assert_eq!(mapping(&json!("a=1, b=2")), Some(json!({"a": "1", "b": "2"})));
        assert_eq!(mapping(&json!("{\"a\": 1}")), Some(json!({"a": 1})));
        assert_eq!(mapping(&json!("x")), None);
    }
}
