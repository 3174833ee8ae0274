//! Filters about what a value is: `default`, `bool`, `int`, `string`, `length`, `ternary`, …

use std::sync::Arc;

use crate::vars::Value;
use crate::vars::context::Ctx;
use crate::vars::fault::{Fault, Res};
use crate::vars::filters::{Args, Entry, items};
use crate::vars::jinja::render::finish;
use crate::vars::objects::{is_undef, length, list, undef};
use crate::vars::python::{self, Num, number, strict_number, text, truth, type_name};

pub(super) const FILTERS: &[Entry] = &[
    ("default", &["default_value", "boolean"], default),
    ("d", &["default_value", "boolean"], default),
    ("mandatory", &["msg"], mandatory),
    ("ternary", &["true_val", "false_val", "none_val"], ternary),
    ("type_debug", &[], |_, value, _| Ok(Value::from(type_name(value)))),
    ("bool", &[], |_, value, _| Ok(Value::from(to_bool(value)))),
    ("int", &["default", "base"], to_int),
    ("float", &["default"], |_, value, args| Ok(to_float(value, args))),
    ("string", &[], |_, value, _| text(value).map(Value::from)),
    ("length", &[], count),
    ("count", &[], count),
    ("list", &[], |_, value, _| items(value).map(list)),
    ("attr", &["name"], attr),
    ("safe", &[], |_, value, _| Ok(value.clone())),
    ("pprint", &["verbose"], |_, value, _| {
        python::repr(&finish(value)?).map(Value::from)
    }),
];

fn default(_: &Arc<Ctx>, value: &Value, args: &Args) -> Res {
    let instead = || args.get(0, "default_value").cloned().unwrap_or_else(|| Value::from(""));
    let boolean = match args.get(1, "boolean") {
        None => false,
        Some(flag) if flag.kind() == minijinja::value::ValueKind::Bool => flag.is_true(),
        Some(flag) => {
            let kind = type_name(flag);
            return Err(Fault::new(format!(
                "the argument 'boolean' must be true or false, not '{kind}'"
            )));
        }
    };
    if is_undef(value) || (boolean && !truth(value)?) {
        return Ok(instead());
    }
    Ok(value.clone())
}

fn mandatory(_: &Arc<Ctx>, value: &Value, args: &Args) -> Res {
    let Some(undef) = undef(value) else {
        return Ok(value.clone());
    };
    Err(Fault::new(match args.opt_text(0, "msg")? {
        Some(message) => message,
        None => format!("mandatory variable not defined: {}", undef.message),
    }))
}

fn ternary(_: &Arc<Ctx>, value: &Value, args: &Args) -> Res {
    let (yes, no) = (args.need(0, "true_val")?, args.need(1, "false_val")?);
    let none = args.get(2, "none_val").filter(|none| !none.is_none());
    let chosen = match none {
        Some(none) if value.is_none() => none,
        _ if truth(value)? => yes,
        _ => no,
    };
    Ok(chosen.clone())
}

/// `yes`, `on`, `true`, `1` and their opposites; everything else is false.
pub(in crate::vars) fn to_bool(value: &Value) -> bool {
    if let Some(text) = value.as_str() {
        return matches!(text.to_lowercase().as_str(), "yes" | "on" | "true" | "1");
    }
    #[allow(clippy::float_cmp, reason = "1.0 is exactly 1")]
    number(value).is_some_and(|n| n.float() == 1.0)
}

fn to_int(_: &Arc<Ctx>, value: &Value, args: &Args) -> Res {
    let default = || args.get(0, "default").cloned().unwrap_or_else(|| Value::from(0));
    let base = args.int(1, "base", 10)?;
    if let Some(written) = value.as_str() {
        let clean = written.trim();
        let (negative, digits) = match clean.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, clean.strip_prefix('+').unwrap_or(clean)),
        };
        let radix = u32::try_from(base).ok().filter(|b| (2..=36).contains(b));
        let Some(radix) = radix else {
            return Ok(default());
        };
        let lower = digits.to_lowercase();
        let prefix = match radix {
            16 => "0x",
            8 => "0o",
            2 => "0b",
            _ => "",
        };
        let lower = lower.strip_prefix(prefix).unwrap_or(&lower);
        let signed = lower.starts_with(['+', '-']);
        if let Some(found) = i128::from_str_radix(&lower.replace('_', ""), radix)
            .ok()
            .filter(|_| !signed)
        {
            return Ok(python::int(if negative { -found } else { found }));
        }
        return Ok(clean.parse::<f64>().ok().and_then(whole_part).unwrap_or_else(default));
    }
    Ok(match number(value) {
        Some(Num::Int(n)) => python::int(n),
        Some(Num::Float(n)) => whole_part(n).unwrap_or_else(default),
        None => default(),
    })
}

#[allow(clippy::cast_possible_truncation, reason = "the range is checked")]
fn whole_part(number: f64) -> Option<Value> {
    (number.is_finite() && number.abs() < 1e38).then(|| python::int(number.trunc() as i128))
}

fn to_float(value: &Value, args: &Args) -> Value {
    let default = || args.get(0, "default").cloned().unwrap_or_else(|| Value::from(0.0));
    if let Some(text) = value.as_str() {
        let text = text.trim().replace('_', "");
        return text.parse::<f64>().map_or_else(|_| default(), Value::from);
    }
    number(value).map_or_else(default, |n| Value::from(n.float()))
}

fn count(_: &Arc<Ctx>, value: &Value, _: &Args) -> Res {
    if let Some(length) = length(value) {
        Ok(python::size(length))
    } else {
        let fault = Fault::new(format!("object of type '{}' has no len()", type_name(value)));
        Err(if strict_number(value).is_some() {
            fault.help("convert it first: `x | string | length`")
        } else {
            fault
        })
    }
}

fn attr(_: &Arc<Ctx>, value: &Value, args: &Args) -> Res {
    // In Jinja2 `attr` never looks into a mapping.
    let name = args.need(0, "name")?;
    Ok(crate::vars::jinja::no_attribute(value, name))
}
