//! Values as Python sees them: their types, truth, equality, order, and their text.

use std::cmp::Ordering;
use std::fmt::Write as _;

use minijinja::value::ValueKind;

use crate::vars::Value;
use crate::vars::datetime::{Elapsed, Moment};
use crate::vars::fault::{Fault, Res};
use crate::vars::lazy::Lazy;
use crate::vars::objects::{
    LONGEST_TEXT, Omit, Range, is_list, is_map, is_undef, length, list_items, map_get, map_keys, map_pairs, undef,
};
use crate::vars::stack;

/// A number as Python has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::vars) enum Num {
    /// Whole.
    Int(i128),
    /// Any other.
    Float(f64),
}

impl Num {
    /// As a float.
    #[allow(clippy::cast_precision_loss, reason = "what Python's float() does")]
    pub(in crate::vars) fn float(self) -> f64 {
        match self {
            Num::Int(n) => n as f64,
            Num::Float(n) => n,
        }
    }

    /// As a value.
    pub(in crate::vars) fn value(self) -> Value {
        match self {
            Num::Int(n) => int(n),
            Num::Float(n) => Value::from(n),
        }
    }
}

/// A whole number as a value.
pub(in crate::vars) fn int(number: i128) -> Value {
    i64::try_from(number).map_or_else(|_| Value::from(number), Value::from)
}

/// A length as a value.
pub(in crate::vars) fn size(number: usize) -> Value {
    Value::from(u64::try_from(number).unwrap_or(u64::MAX))
}

/// The number in a value; booleans are numbers in Python.
pub(in crate::vars) fn number(value: &Value) -> Option<Num> {
    match value.kind() {
        ValueKind::Bool => Some(Num::Int(i128::from(value.is_true()))),
        ValueKind::Number => strict_number(value),
        _ => None,
    }
}

/// The number in a value that is one and no boolean.
pub(in crate::vars) fn strict_number(value: &Value) -> Option<Num> {
    if value.kind() != ValueKind::Number {
        return None;
    }
    if value.is_integer() {
        i128::try_from(value.clone()).ok().map(Num::Int)
    } else {
        f64::try_from(value.clone()).ok().map(Num::Float)
    }
}

/// The whole number in a value; booleans count.
pub(in crate::vars) fn whole(value: &Value) -> Option<i128> {
    match number(value)? {
        Num::Int(n) => Some(n),
        Num::Float(_) => None,
    }
}

/// The name of a value's type in Python.
pub(in crate::vars) fn type_name(value: &Value) -> &'static str {
    if is_undef(value) {
        return "UndefinedMarker";
    }
    if value.downcast_object_ref::<Range>().is_some() {
        return "range";
    }
    if value.downcast_object_ref::<Moment>().is_some() {
        return "datetime";
    }
    if value.downcast_object_ref::<Elapsed>().is_some() {
        return "timedelta";
    }
    if value.downcast_object_ref::<Omit>().is_some() {
        return "Omit";
    }
    match value.kind() {
        ValueKind::None => "NoneType",
        ValueKind::Bool => "bool",
        ValueKind::Number if value.is_integer() => "int",
        ValueKind::Number => "float",
        ValueKind::String => "str",
        ValueKind::Bytes => "bytes",
        ValueKind::Seq | ValueKind::Iterable => "list",
        ValueKind::Map => "dict",
        _ => "object",
    }
}

/// Python's `bool()`.
pub(in crate::vars) fn truth(value: &Value) -> Res<bool> {
    if let Some(undef) = undef(value) {
        return if undef.soft { Ok(false) } else { Err(undef.fault()) };
    }
    if let Some(lazy) = value.downcast_object_ref::<Lazy>() {
        return Ok(lazy.len() > 0);
    }
    match value.kind() {
        ValueKind::Number => Ok(number(value).is_none_or(|n| n.float() != 0.0)),
        ValueKind::Plain => Ok(value
            .downcast_object_ref::<Elapsed>()
            .is_none_or(|span| !span.is_zero())),
        ValueKind::Invalid => crate::vars::objects::checked(value.clone()).map(|_| true),
        _ => Ok(value.is_true()),
    }
}

/// Python's `==`.
pub(in crate::vars) fn equal(a: &Value, b: &Value) -> Res<bool> {
    if let Some(undef) = undef(a).or_else(|| undef(b)) {
        return Err(undef.fault());
    }
    if stack::is_low() {
        return Err(Fault::new("values are nested too deeply to be compared"));
    }
    if let (Some(a), Some(b)) = (number(a), number(b)) {
        return Ok(match (a, b) {
            (Num::Int(a), Num::Int(b)) => a == b,
            #[allow(clippy::float_cmp, reason = "what Python does")]
            _ => a.float() == b.float(),
        });
    }
    if let (Some(a), Some(b)) = (a.as_str(), b.as_str()) {
        return Ok(a == b);
    }
    if is_list(a) && is_list(b) {
        if length(a) != length(b) {
            return Ok(false);
        }
        let (a, b) = (list_items(a)?.unwrap_or_default(), list_items(b)?.unwrap_or_default());
        for (a, b) in a.iter().zip(&b) {
            if !equal(a, b)? {
                return Ok(false);
            }
        }
        return Ok(a.len() == b.len());
    }
    if is_map(a) && is_map(b) {
        let pairs = map_pairs(a)?.unwrap_or_default();
        if pairs.len() != map_keys(b).unwrap_or_default().len() {
            return Ok(false);
        }
        for (key, value) in pairs {
            match map_get(b, &key)? {
                Some(other) if equal(&value, &other)? => {}
                _ => return Ok(false),
            }
        }
        return Ok(true);
    }
    if a.kind() != b.kind() || is_map(a) || is_list(a) {
        return Ok(false);
    }
    Ok(a == b)
}

/// Python's order; values of different kinds have none, which is an error.
pub(in crate::vars) fn order(a: &Value, b: &Value, operator: &str) -> Res<Option<Ordering>> {
    if let Some(undef) = undef(a).or_else(|| undef(b)) {
        return Err(undef.fault());
    }
    if let (Some(x), Some(y)) = (number(a), number(b)) {
        return Ok(match (x, y) {
            (Num::Int(x), Num::Int(y)) => Some(x.cmp(&y)),
            _ => x.float().partial_cmp(&y.float()),
        });
    }
    if let (Some(x), Some(y)) = (a.as_str(), b.as_str()) {
        return Ok(Some(x.cmp(y)));
    }
    if is_list(a) && is_list(b) && !stack::is_low() {
        let (x, y) = (list_items(a)?.unwrap_or_default(), list_items(b)?.unwrap_or_default());
        for (x, y) in x.iter().zip(&y) {
            if !equal(x, y)? {
                return order(x, y, operator);
            }
        }
        return Ok(Some(x.len().cmp(&y.len())));
    }
    if let (Some(x), Some(y)) = (a.downcast_object_ref::<Moment>(), b.downcast_object_ref::<Moment>()) {
        return Ok(Some(x.cmp(y)));
    }
    if let (Some(x), Some(y)) = (a.downcast_object_ref::<Elapsed>(), b.downcast_object_ref::<Elapsed>()) {
        return Ok(Some(x.cmp(y)));
    }
    let (x, y) = (type_name(a), type_name(b));
    let fault = Fault::new(format!(
        "'{operator}' not supported between instances of '{x}' and '{y}'"
    ));
    let mixed = (x == "str" && number(b).is_some()) || (y == "str" && number(a).is_some());
    Err(if mixed {
        fault.help("convert the text first: `| int` or `| float`")
    } else {
        fault
    })
}

/// Python's `str()`.
pub(in crate::vars) fn text(value: &Value) -> Res<String> {
    if let Some(text) = value.as_str() {
        return Ok(text.to_owned());
    }
    let mut out = String::new();
    write_repr(&mut out, value, true)?;
    Ok(out)
}

/// Python's `repr()`.
pub(in crate::vars) fn repr(value: &Value) -> Res<String> {
    let mut out = String::new();
    write_repr(&mut out, value, false)?;
    Ok(out)
}

fn write_repr(out: &mut String, value: &Value, outer: bool) -> Res<()> {
    if stack::is_low() || out.len() > LONGEST_TEXT {
        return Err(Fault::new("a value is too large or too deep to be written as text"));
    }
    if let Some(undef) = undef(value) {
        return if undef.soft && outer {
            Ok(())
        } else {
            Err(undef.fault())
        };
    }
    match value.kind() {
        ValueKind::None => out.push_str("None"),
        ValueKind::Bool => out.push_str(if value.is_true() { "True" } else { "False" }),
        ValueKind::Number => match strict_number(value) {
            Some(Num::Int(n)) => {
                let _ = write!(out, "{n}");
            }
            Some(Num::Float(n)) => out.push_str(&float_text(n)),
            None => out.push_str(&value.to_string()),
        },
        ValueKind::String => quote(out, value.as_str().unwrap_or_default()),
        ValueKind::Bytes => {
            let text = String::from_utf8_lossy(value.as_bytes().unwrap_or_default()).into_owned();
            if outer {
                out.push_str(&text);
            } else {
                out.push('b');
                quote(out, &text);
            }
        }
        ValueKind::Seq | ValueKind::Iterable => {
            if let Some(range) = value.downcast_object_ref::<Range>() {
                let stop = i128::from(range.start)
                    + i128::from(range.step) * i128::try_from(range.len).unwrap_or(i128::MAX >> 64);
                let _ = write!(out, "range({}, {stop}", range.start);
                if range.step != 1 {
                    let _ = write!(out, ", {}", range.step);
                }
                out.push(')');
                return Ok(());
            }
            out.push('[');
            for (i, item) in list_items(value)?.unwrap_or_default().iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                write_repr(out, item, false)?;
            }
            out.push(']');
        }
        ValueKind::Map => {
            out.push('{');
            for (i, (key, item)) in map_pairs(value)?.unwrap_or_default().iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                write_repr(out, key, false)?;
                out.push_str(": ");
                write_repr(out, item, false)?;
            }
            out.push('}');
        }
        ValueKind::Invalid => {
            crate::vars::objects::checked(value.clone())?;
        }
        _ => out.push_str(&value.to_string()),
    }
    Ok(())
}

/// A float as Python writes it: the shortest text that reads back the same.
pub(in crate::vars) fn float_text(number: f64) -> String {
    if number.is_nan() {
        return "nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let plain = format!("{number}");
        return if plain.contains('.') {
            plain
        } else {
            format!("{plain}.0")
        };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// Blanks and marks beyond ASCII that Python does not show.
fn is_unprintable(c: char) -> bool {
    matches!(c,
        '\u{a0}' | '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{1680}' | '\u{180e}'
        | '\u{2000}'..='\u{200f}' | '\u{2028}'..='\u{202f}' | '\u{205f}'..='\u{206f}' | '\u{3000}' | '\u{feff}'
        | '\u{e000}'..='\u{f8ff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{10ffff}')
}

/// A text with quotes and escapes, as Python's `repr` writes it.
fn quote(out: &mut String, text: &str) {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() || is_unprintable(c) => {
                let code = u32::from(c);
                let _ = match code {
                    0..=0xff => write!(out, "\\x{code:02x}"),
                    0x100..=0xffff => write!(out, "\\u{code:04x}"),
                    _ => write!(out, "\\U{code:08x}"),
                };
            }
            c => out.push(c),
        }
    }
    out.push(quote);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_written_as_python_writes_them() {
        for (number, text) in [
            (1.0, "1.0"),
            (1e16, "1e+16"),
            (1e15, "1000000000000000.0"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e-5, "1e-05"),
            (-2.5, "-2.5"),
            (1.5e300, "1.5e+300"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(float_text(number), text);
        }
    }

    #[test]
    fn text_inside_lists_is_quoted_as_python_quotes_it() {
        let list = Value::from_object(vec![
            Value::from("it's"),
            Value::from("a\"'"),
            Value::from("\u{1}\n"),
            Value::from(()),
        ]);
        assert_eq!(
            repr(&list).expect("plain values"),
            r#"["it's", 'a"\'', '\x01\n', None]"#
        );
    }

    #[test]
    fn booleans_are_numbers_and_text_is_not() {
        assert!(equal(&Value::from(true), &Value::from(1)).expect("comparable"));
        assert!(!equal(&Value::from("1"), &Value::from(1)).expect("comparable"));
        assert!(order(&Value::from("10"), &Value::from(5), ">").is_err());
    }
}
