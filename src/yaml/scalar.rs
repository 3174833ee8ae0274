//! What a plain scalar means in YAML 1.1, as PyYAML reads it.

use crate::yaml::Kind;

/// The value of a plain scalar; `None`: it is text.
pub fn plain(text: &str) -> Option<Kind> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Some(Kind::Null),
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => return Some(Kind::Bool(true)),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => return Some(Kind::Bool(false)),
        _ => {}
    }
    let first = text.bytes().next()?;
    if !(first.is_ascii_digit() || b"+-.".contains(&first)) {
        return None;
    }
    int(text).map(Kind::Int).or_else(|| float(text).map(Kind::Float))
}

fn int(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let clean = digits.replace('_', "");
    let starts_with_digit = digits.bytes().next()?.is_ascii_digit();
    let value = if !starts_with_digit {
        return None;
    } else if digits == "0" {
        0
    } else if let Some(binary) = clean.strip_prefix("0b") {
        i64::from_str_radix(binary, 2).ok()?
    } else if let Some(hex) = clean.strip_prefix("0x") {
        i64::from_str_radix(hex, 16).ok()?
    } else if let Some(octal) = clean.strip_prefix('0').filter(|rest| !rest.is_empty()) {
        i64::from_str_radix(octal, 8).ok()?
    } else if clean.contains(':') {
        sexagesimal(&clean)?
    } else {
        clean.parse().ok()?
    };
    Some(if negative { -value } else { value })
}

/// `[1-9][0-9_]*(:[0-5]?[0-9])+`: `1:30` is 90.
fn sexagesimal(text: &str) -> Option<i64> {
    let mut value: i64 = 0;
    for (i, part) in text.split(':').enumerate() {
        let number: i64 = part.parse().ok()?;
        if part.is_empty() || part.starts_with(['+', '-']) || i > 0 && (number > 59 || part.len() > 2) {
            return None;
        }
        value = value.checked_mul(60)?.checked_add(number)?;
    }
    Some(value)
}

fn float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    match unsigned {
        ".inf" | ".Inf" | ".INF" => {
            return Some(if text.starts_with('-') {
                f64::NEG_INFINITY
            } else {
                f64::INFINITY
            });
        }
        ".nan" | ".NaN" | ".NAN" => return Some(f64::NAN),
        _ => {}
    }
    // PyYAML wants a dot, and a sign in the exponent: `1e3` is text.
    let dot = unsigned.find('.')?;
    let (whole, rest) = unsigned.split_at(dot);
    let (fraction, exponent) = match rest[1..].find(['e', 'E']) {
        Some(e) => (&rest[1..=e], Some(&rest[e + 2..])),
        None => (&rest[1..], None),
    };
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    let exponent_fits = exponent.is_none_or(|e| {
        e.strip_prefix(['+', '-'])
            .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    });
    if !digits(whole) || !digits(fraction) || !exponent_fits || whole.is_empty() && fraction.is_empty() {
        return None;
    }
    text.replace('_', "").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        plain(text).map_or_else(|| "text".to_owned(), |kind| format!("{kind:?}"))
    }

    #[test]
    fn plain_scalars_mean_what_pyyaml_says() {
        for (text, expected) in [
            ("yes", "Bool(true)"),
            ("Off", "Bool(false)"),
            ("y", "text"),
            ("0644", "Int(420)"),
            ("0o644", "text"),
            ("0x1F", "Int(31)"),
            ("1_000", "Int(1000)"),
            ("-7", "Int(-7)"),
            ("09", "text"),
            ("1:30", "Int(90)"),
            ("1.5", "Float(1.5)"),
            ("1e3", "text"),
            ("1.0e+3", "Float(1000.0)"),
            ("1.2.3", "text"),
            ("10.0.0.1", "text"),
            (".5", "Float(0.5)"),
            (".", "text"),
            ("~", "Null"),
            ("-", "text"),
            ("2026-11-21", "text"),
            ("99999999999999999999", "text"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }
}
