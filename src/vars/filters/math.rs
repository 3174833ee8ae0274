//! Filters over numbers.

use std::sync::Arc;

use crate::vars::Value;
use crate::vars::context::Ctx;
use crate::vars::fault::{Fault, Res};
use crate::vars::filters::{Args, Entry};
use crate::vars::format::round_half_even;
use crate::vars::python::{self, Num, number, type_name};

pub(super) const FILTERS: &[Entry] = &[
    ("abs", &[], |_, value, _| {
        Ok(match need(value)? {
            Num::Int(n) => python::int(n.saturating_abs()),
            Num::Float(n) => Value::from(n.abs()),
        })
    }),
    ("round", &["precision", "method"], round),
    ("log", &["base"], log),
    ("pow", &["y"], |_, value, args| {
        let y = need(args.need(0, "y")?)?.float();
        finite(need(value)?.float().powf(y))
    }),
    ("root", &["base"], |_, value, args| {
        let base = args.get(0, "base").map_or(Ok(2.0), |base| need(base).map(Num::float))?;
        let x = need(value)?.float();
        if x < 0.0 || base == 0.0 {
            return Err(Fault::new("can only be used on positive numbers"));
        }
        #[allow(clippy::float_cmp, reason = "exactly two has a function of its own")]
        finite(if base == 2.0 { x.sqrt() } else { x.powf(1.0 / base) })
    }),
    ("human_readable", &["isbits", "unit"], human_readable),
    ("human_to_bytes", &["default_unit", "isbits"], human_to_bytes),
];

fn need(value: &Value) -> Res<Num> {
    number(value).ok_or_else(|| {
        let kind = type_name(value);
        Fault::new(format!("a number is expected, got '{kind}'")).help("convert it first: `| int` or `| float`")
    })
}

fn finite(number: f64) -> Res {
    if number.is_nan() {
        return Err(Fault::new("math domain error"));
    }
    Ok(Value::from(number))
}

fn round(_: &Arc<Ctx>, value: &Value, args: &Args) -> Res {
    let precision = i32::try_from(args.int(0, "precision", 0)?)
        .ok()
        .filter(|p| p.abs() <= 300);
    let precision = precision.ok_or_else(|| Fault::new("the precision is out of range"))?;
    let method = args.text(1, "method", "common")?;
    let number = need(value)?;
    Ok(Value::from(match method.as_str() {
        "common" => match number {
            Num::Int(n) if precision >= 0 => return Ok(python::int(n)),
            #[allow(clippy::cast_possible_truncation, reason = "a whole number, rounded")]
            Num::Int(n) => return Ok(python::int(round_half_even(Num::Int(n).float(), precision) as i128)),
            Num::Float(n) => round_half_even(n, precision),
        },
        "ceil" | "floor" => {
            let factor = 10_f64.powi(precision);
            let scaled = number.float() * factor;
            (if method == "ceil" {
                scaled.ceil()
            } else {
                scaled.floor()
            }) / factor
        }
        _ => return Err(Fault::new("method must be common, ceil or floor")),
    }))
}

fn log(_: &Arc<Ctx>, value: &Value, args: &Args) -> Res {
    let x = need(value)?.float();
    if x <= 0.0 {
        return Err(Fault::new("math domain error"));
    }
    finite(match args.get(0, "base") {
        None => x.ln(),
        Some(base) => {
            let base = need(base)?.float();
            #[allow(clippy::float_cmp, reason = "exactly these bases have functions of their own")]
            if base == 10.0 {
                x.log10()
            } else if base <= 0.0 || base == 1.0 {
                return Err(Fault::new("math domain error"));
            } else {
                x.ln() / base.ln()
            }
        }
    })
}

const UNITS: [(&str, u32); 8] = [
    ("Y", 80),
    ("Z", 70),
    ("E", 60),
    ("P", 50),
    ("T", 40),
    ("G", 30),
    ("M", 20),
    ("K", 10),
];

#[allow(clippy::cast_possible_wrap, reason = "exponents up to 80")]
fn factor(bits: u32) -> f64 {
    2_f64.powi(bits as i32)
}

fn human_readable(_: &Arc<Ctx>, value: &Value, args: &Args) -> Res {
    let size = match value.as_str() {
        Some(text) => text
            .trim()
            .parse::<f64>()
            .map_err(|_| Fault::new("a number of bytes is expected"))?,
        None => need(value)?.float(),
    };
    let base = if args.flag(0, "isbits", false)? {
        "bits"
    } else {
        "Bytes"
    };
    let unit = args.opt_text(1, "unit")?;
    let found = UNITS.iter().find(|(name, bits)| match &unit {
        None => size >= factor(*bits),
        Some(unit) => unit.to_uppercase().starts_with(name),
    });
    let small = if base == "bits" { "b" } else { "B" };
    Ok(Value::from(match found {
        Some((name, bits)) => format!("{:.2} {name}{small}", size / factor(*bits)),
        None => format!("{size:.2} {base}"),
    }))
}

fn human_to_bytes(_: &Arc<Ctx>, value: &Value, args: &Args) -> Res {
    let text = python::text(value)?;
    let clean = text.trim();
    let split = clean
        .find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-'))
        .unwrap_or(clean.len());
    let (digits, unit) = clean.split_at(split);
    let bad = || Fault::new(format!("can't interpret '{text}'")).help("examples: 512, 10K, 1.5 MB");
    let size: f64 = digits.parse().map_err(|_| bad())?;
    let unit = match unit.trim() {
        "" => args.text(0, "default_unit", "B")?,
        unit => unit.to_owned(),
    };
    let is_bits = args.flag(1, "isbits", false)?;
    let upper = unit.to_uppercase();
    let first = upper.chars().next().unwrap_or('B');
    let scale = if first == 'B' {
        1.0
    } else {
        let known = UNITS.iter().find(|(name, _)| name.starts_with(first));
        factor(known.ok_or_else(bad)?.1)
    };
    let tail = unit.get(1..).unwrap_or("");
    let wanted = if is_bits { "b" } else { "B" };
    let fits = if first == 'B' {
        matches!(upper.as_str(), "B" | "BYTE" | "BYTES" | "BIT" | "BITS") && (unit.len() > 1 || unit == wanted)
    } else {
        tail.is_empty() || tail == wanted || {
            let whole = tail.to_lowercase();
            if is_bits {
                whole.starts_with("bit") || whole.ends_with("bit")
            } else {
                whole.ends_with("byte") || whole.ends_with("bytes")
            }
        }
    };
    if !fits {
        return Err(bad());
    }
    let bytes = (size * scale).round();
    #[allow(clippy::cast_possible_truncation, reason = "the range is checked")]
    if bytes.abs() < 1e30 {
        Ok(python::int(bytes as i128))
    } else {
        Err(bad())
    }
}
