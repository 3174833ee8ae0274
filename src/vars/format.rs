//! Python's two ways to fill values into text: `'%s' % x` and `'{}'.format(x)`.

use crate::vars::Value;
use crate::vars::fault::{Fault, Res};
use crate::vars::filters::Args;
use crate::vars::jinja::{check_length, item};
use crate::vars::objects::{defined, is_map, map_get};
use crate::vars::python::{Num, float_text, number, repr, text, type_name};

/// The largest width or precision.
const WIDEST: usize = 100_000;

/// What stands after `%`.
#[derive(Clone, Copy)]
pub(in crate::vars) enum Operand<'a> {
    /// Several values.
    Many(&'a [Value]),
    /// One, or a mapping.
    One(&'a Value),
}

/// A number rounded to so many digits, halves to even, as Python rounds it.
pub(in crate::vars) fn round_half_even(number: f64, digits: i32) -> f64 {
    if !number.is_finite() {
        return number;
    }
    if let Ok(digits) = usize::try_from(digits) {
        format!("{number:.digits$}").parse().unwrap_or(number)
    } else {
        let scale = 10_f64.powi(-digits);
        (number / scale).round_ties_even() * scale
    }
}

#[derive(Debug, Default)]
struct Spec {
    fill: Option<char>,
    align: Option<char>,
    sign: Option<char>,
    alternate: bool,
    zero: bool,
    width: usize,
    comma: Option<char>,
    precision: Option<usize>,
    kind: Option<char>,
}

/// `text % operand`.
pub(in crate::vars) fn percent(pattern: &str, operand: Operand<'_>) -> Res<String> {
    let mut out = String::new();
    let mut chars = pattern.chars().peekable();
    let mut next = 0;
    let mut used_map = false;
    let mut take = || -> Res<Value> {
        let value = match operand {
            Operand::Many(values) => values.get(next),
            Operand::One(value) => Some(value).filter(|_| next == 0),
        };
        next += 1;
        defined(
            value
                .cloned()
                .ok_or_else(|| Fault::new("not enough arguments for format string"))?,
        )
    };
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut named = None;
        if chars.peek() == Some(&'(') {
            chars.next();
            let name: String = chars.by_ref().take_while(|c| *c != ')').collect();
            let Operand::One(map) = operand else {
                return Err(Fault::new("format requires a mapping"));
            };
            if !is_map(map) {
                return Err(Fault::new("format requires a mapping"));
            }
            let found = map_get(map, &Value::from(name.as_str()))?;
            named = Some(defined(
                found.ok_or_else(|| Fault::new(format!("no key '{name}' for the format")))?,
            )?);
            used_map = true;
        }
        let mut spec = Spec::default();
        while let Some(flag) = chars.peek().copied().filter(|c| "-+ #0".contains(*c)) {
            chars.next();
            match flag {
                '-' => spec.align = Some('<'),
                '+' => spec.sign = Some('+'),
                ' ' => spec.sign = spec.sign.or(Some(' ')),
                '#' => spec.alternate = true,
                _ => spec.zero = true,
            }
        }
        let mut count = |chars: &mut std::iter::Peekable<std::str::Chars<'_>>| -> Res<Option<usize>> {
            if chars.peek() == Some(&'*') {
                chars.next();
                let width = number(&take()?).map_or(0.0, Num::float);
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "limited before")]
                return Ok(Some(width.clamp(0.0, 1e5) as usize));
            }
            let mut digits = String::new();
            while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                digits.push(digit);
            }
            if digits.is_empty() {
                return Ok(None);
            }
            digits
                .parse()
                .ok()
                .filter(|n| *n <= WIDEST)
                .map(Some)
                .ok_or_else(|| Fault::new("the width is too large"))
        };
        spec.width = count(&mut chars)?.unwrap_or(0);
        if chars.peek() == Some(&'.') {
            chars.next();
            spec.precision = Some(count(&mut chars)?.unwrap_or(0));
        }
        while chars.next_if(|c| "hlL".contains(*c)).is_some() {}
        let kind = chars.next().ok_or_else(|| Fault::new("incomplete format"))?;
        if kind == '%' {
            out.push('%');
            continue;
        }
        let value = match named {
            Some(value) => value,
            None => take()?,
        };
        let right = spec.align.is_none();
        let filled = match kind {
            's' | 'r' | 'a' => {
                let shown = if kind == 's' { text(&value)? } else { repr(&value)? };
                spec.zero = false;
                pad(&cut(&shown, spec.precision), &spec, right)
            }
            'd' | 'i' | 'u' => {
                let digits = number(&value).ok_or_else(|| {
                    Fault::new(format!(
                        "%{kind} format: a real number is required, not {}",
                        type_name(&value)
                    ))
                    .help("convert it first: `| int`")
                })?;
                signed(&whole_text(digits)?, &spec, right)
            }
            'x' | 'X' | 'o' => {
                let Some(Num::Int(digits)) = number(&value) else {
                    return Err(Fault::new(format!(
                        "%{kind} format: an integer is required, not {}",
                        type_name(&value)
                    )));
                };
                signed(&radix_text(digits, kind, spec.alternate), &spec, right)
            }
            'e' | 'E' | 'f' | 'F' | 'g' | 'G' => {
                let digits = number(&value).ok_or_else(|| {
                    Fault::new(format!("must be real number, not {}", type_name(&value)))
                        .help("convert it first: `| float`")
                })?;
                signed(
                    &float_as(digits.float(), kind, spec.precision.unwrap_or(6), spec.alternate),
                    &spec,
                    right,
                )
            }
            'c' => pad(&text(&value)?, &spec, right),
            other => return Err(Fault::new(format!("unsupported format character '{other}'"))),
        };
        out.push_str(&filled);
        check_length(out.len())?;
    }
    let left = match operand {
        Operand::Many(values) => next < values.len(),
        Operand::One(value) => next == 0 && !used_map && !is_map(value),
    };
    if left {
        return Err(Fault::new("not all arguments converted during string formatting"));
    }
    Ok(out)
}

fn cut(text: &str, most: Option<usize>) -> String {
    match most {
        Some(most) => text.chars().take(most).collect(),
        None => text.to_owned(),
    }
}

#[allow(clippy::cast_possible_truncation, reason = "what int() does; infinities are refused")]
fn whole_text(number: Num) -> Res<String> {
    match number {
        Num::Int(n) => Ok(n.to_string()),
        Num::Float(n) if n.is_finite() => Ok((n.trunc() as i128).to_string()),
        Num::Float(_) => Err(Fault::new("cannot convert infinity or nan to an integer")),
    }
}

fn radix_text(number: i128, kind: char, alternate: bool) -> String {
    let sign = if number < 0 { "-" } else { "" };
    let size = number.unsigned_abs();
    let (prefix, digits) = match kind {
        'x' => ("0x", format!("{size:x}")),
        'X' => ("0X", format!("{size:X}")),
        'b' => ("0b", format!("{size:b}")),
        _ => ("0o", format!("{size:o}")),
    };
    format!("{sign}{}{digits}", if alternate { prefix } else { "" })
}

/// A float in `e`, `f` or `g` notation.
fn float_as(number: f64, kind: char, precision: usize, alternate: bool) -> String {
    if !number.is_finite() {
        return float_text(number);
    }
    let precision = precision.min(1000);
    let exponential = |digits: usize| {
        let raw = format!("{number:.digits$e}");
        let (mantissa, exponent) = raw.split_once('e').unwrap_or((&raw, "0"));
        let exponent: i32 = exponent.parse().unwrap_or(0);
        let sign = if exponent < 0 { '-' } else { '+' };
        (
            mantissa.to_owned(),
            exponent,
            format!("{mantissa}e{sign}{:02}", exponent.abs()),
        )
    };
    let shown = match kind.to_ascii_lowercase() {
        'f' => format!("{number:.precision$}"),
        'e' => exponential(precision).2,
        _ => {
            let precision = precision.max(1);
            let (_, exponent, _) = exponential(precision - 1);
            let limit = i32::try_from(precision).unwrap_or(i32::MAX);
            if exponent < -4 || exponent >= limit {
                let (mantissa, _, _) = exponential(precision - 1);
                let sign = if exponent < 0 { '-' } else { '+' };
                let mantissa = if alternate { mantissa } else { bare(&mantissa) };
                format!("{mantissa}e{sign}{:02}", exponent.abs())
            } else {
                let digits = usize::try_from(limit - 1 - exponent).unwrap_or(0);
                let fixed = format!("{number:.digits$}");
                if alternate { fixed } else { bare(&fixed) }
            }
        }
    };
    if kind.is_ascii_uppercase() {
        shown.to_uppercase()
    } else {
        shown
    }
}

/// Without zeros at the end of the fraction.
fn bare(number: &str) -> String {
    if number.contains('.') {
        number.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        number.to_owned()
    }
}

/// Sign, zeros and blanks around a number.
fn signed(number: &str, spec: &Spec, right: bool) -> String {
    let (sign, digits) = match number.strip_prefix('-') {
        Some(digits) => ("-".to_owned(), digits),
        None => (
            spec.sign.filter(|s| *s != '-').map(String::from).unwrap_or_default(),
            number,
        ),
    };
    if spec.zero && spec.align.is_none() {
        let room = spec.width.saturating_sub(sign.chars().count() + digits.chars().count());
        return format!("{sign}{}{digits}", "0".repeat(room));
    }
    pad(&format!("{sign}{digits}"), spec, right)
}

fn pad(text: &str, spec: &Spec, right: bool) -> String {
    let room = spec.width.saturating_sub(text.chars().count());
    let fill = spec.fill.unwrap_or(' ').to_string();
    match spec.align.unwrap_or(if right { '>' } else { '<' }) {
        '>' | '=' => format!("{}{text}", fill.repeat(room)),
        '^' => format!("{}{text}{}", fill.repeat(room / 2), fill.repeat(room - room / 2)),
        _ => format!("{text}{}", fill.repeat(room)),
    }
}

/// `pattern.format(args)`.
pub(in crate::vars) fn braces(pattern: &str, args: &Args) -> Res<String> {
    let mut next = 0;
    fill(pattern, args, &mut next, 0)
}

fn fill(pattern: &str, args: &Args, next: &mut usize, depth: u32) -> Res<String> {
    if depth > 2 {
        return Err(Fault::new("max string recursion exceeded"));
    }
    let mut out = String::new();
    let mut rest = pattern;
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(rest.get(..at).unwrap_or(""));
        let tail = rest.get(at..).unwrap_or("");
        if tail.starts_with("{{") || tail.starts_with("}}") {
            out.push_str(tail.get(..1).unwrap_or(""));
            rest = tail.get(2..).unwrap_or("");
            continue;
        }
        if tail.starts_with('}') {
            return Err(Fault::new("single '}' encountered in format string"));
        }
        let mut level = 0;
        let end = tail.char_indices().find_map(|(i, c)| {
            level += match c {
                '{' => 1,
                '}' => -1,
                _ => 0,
            };
            (level == 0).then_some(i)
        });
        let end = end.ok_or_else(|| Fault::new("single '{' encountered in format string"))?;
        let field = tail.get(1..end).unwrap_or("");
        rest = tail.get(end + 1..).unwrap_or("");
        let (field, spec) = field.split_once(':').unwrap_or((field, ""));
        let (field, conversion) = field.split_once('!').map_or((field, None), |(f, c)| (f, Some(c)));
        let value = lookup(field, args, next)?;
        let spec = fill(spec, args, next, depth + 1)?;
        let value = match conversion {
            None => value,
            Some("s") => Value::from(text(&value)?),
            Some("r" | "a") => Value::from(repr(&value)?),
            Some(other) => return Err(Fault::new(format!("unknown conversion specifier '{other}'"))),
        };
        out.push_str(&formatted(&value, &spec)?);
        check_length(out.len())?;
    }
    out.push_str(rest);
    Ok(out)
}

/// The value of `0`, `name`, `a.b`, `a[0]`.
fn lookup(field: &str, args: &Args, next: &mut usize) -> Res {
    let head_end = field.find(['.', '[']).unwrap_or(field.len());
    let (head, mut path) = field.split_at(head_end);
    let found = if head.is_empty() {
        *next += 1;
        args.pos.get(*next - 1)
    } else if let Ok(index) = head.parse::<usize>() {
        args.pos.get(index)
    } else {
        args.named
            .iter()
            .find(|(name, _)| &**name == head)
            .map(|(_, value)| value)
    };
    let mut value = found
        .cloned()
        .ok_or_else(|| Fault::new(format!("no argument for the placeholder `{{{field}}}`")))?;
    while !path.is_empty() {
        let (key, tail) = if let Some(tail) = path.strip_prefix('.') {
            tail.split_at(tail.find(['.', '[']).unwrap_or(tail.len()))
        } else if let Some((key, tail)) = path.strip_prefix('[').and_then(|tail| tail.split_once(']')) {
            (key, tail)
        } else {
            return Err(Fault::new(format!("bad placeholder `{{{field}}}`")));
        };
        let key = key.parse::<i64>().map_or_else(|_| Value::from(key), Value::from);
        value = item(&value, &key)?;
        path = tail;
    }
    defined(value)
}

/// A value in the format `[[fill]align][sign][#][0][width][,][.precision][type]`.
fn formatted(value: &Value, spec: &str) -> Res<String> {
    if let Some(moment) = value
        .downcast_object_ref::<crate::vars::datetime::Moment>()
        .filter(|_| !spec.is_empty())
    {
        return moment.format(spec);
    }
    if spec.is_empty() {
        return text(value);
    }
    let bad = || Fault::new(format!("invalid format specifier '{spec}'"));
    let spec_chars: Vec<char> = spec.chars().collect();
    let mut parsed = Spec::default();
    let mut i = 0;
    let at = |i: usize| spec_chars.get(i).copied();
    let is_align = |c: Option<char>| c.is_some_and(|c| "<>^=".contains(c));
    if is_align(at(1)) {
        parsed.fill = at(0);
        parsed.align = at(1);
        i = 2;
    } else if is_align(at(0)) {
        parsed.align = at(0);
        i = 1;
    }
    if let Some(sign) = at(i).filter(|c| "+- ".contains(*c)) {
        parsed.sign = Some(sign);
        i += 1;
    }
    if at(i) == Some('#') {
        parsed.alternate = true;
        i += 1;
    }
    if at(i) == Some('0') {
        parsed.zero = true;
        i += 1;
    }
    let digits = |i: &mut usize| -> Res<Option<usize>> {
        let run: String = spec_chars
            .get(*i..)
            .unwrap_or(&[])
            .iter()
            .take_while(|c| c.is_ascii_digit())
            .collect();
        *i += run.len();
        if run.is_empty() {
            return Ok(None);
        }
        run.parse().ok().filter(|n| *n <= WIDEST).map(Some).ok_or_else(bad)
    };
    parsed.width = digits(&mut i)?.unwrap_or(0);
    if let Some(comma) = at(i).filter(|c| ",_".contains(*c)) {
        parsed.comma = Some(comma);
        i += 1;
    }
    if at(i) == Some('.') {
        i += 1;
        parsed.precision = Some(digits(&mut i)?.ok_or_else(bad)?);
    }
    parsed.kind = at(i);
    if i + usize::from(parsed.kind.is_some()) != spec_chars.len() {
        return Err(bad());
    }
    let Some(number) = number(value).filter(|_| parsed.kind != Some('s')) else {
        if parsed.kind.is_some_and(|kind| kind != 's') {
            let kind = parsed.kind.unwrap_or('s');
            let name = type_name(value);
            return Err(Fault::new(format!(
                "unknown format code '{kind}' for object of type '{name}'"
            )));
        }
        if parsed.zero && parsed.fill.is_none() {
            parsed.fill = Some('0');
        }
        return Ok(pad(&cut(&text(value)?, parsed.precision), &parsed, false));
    };
    let shown = match (parsed.kind, number) {
        (Some(kind @ ('x' | 'X' | 'o' | 'b')), Num::Int(n)) => radix_text(n, kind, parsed.alternate),
        (Some('d') | None, Num::Int(_)) => whole_text(number)?,
        (Some('%'), number) => format!(
            "{}%",
            float_as(number.float() * 100.0, 'f', parsed.precision.unwrap_or(6), false)
        ),
        (Some(kind @ ('e' | 'E' | 'f' | 'F' | 'g' | 'G')), number) => {
            float_as(number.float(), kind, parsed.precision.unwrap_or(6), parsed.alternate)
        }
        (None, Num::Float(n)) => match parsed.precision {
            Some(precision) => float_as(n, 'g', precision, false),
            None => float_text(n),
        },
        (Some('c'), Num::Int(n)) => {
            let c = u32::try_from(n).ok().and_then(char::from_u32);
            c.map(String::from).ok_or_else(bad)?
        }
        _ => return Err(bad()),
    };
    let shown = match parsed.comma {
        Some(comma) => grouped(&shown, comma),
        None => shown,
    };
    if parsed.align == Some('=') || (parsed.zero && parsed.align.is_none()) {
        // The fill stands between sign and digits.
        let (sign, digits) = match shown.strip_prefix('-') {
            Some(digits) => ("-".to_owned(), digits),
            None => (
                parsed.sign.filter(|s| *s != '-').map(String::from).unwrap_or_default(),
                shown.as_str(),
            ),
        };
        let fill = parsed.fill.unwrap_or(if parsed.zero { '0' } else { ' ' }).to_string();
        let room = parsed
            .width
            .saturating_sub(sign.chars().count() + digits.chars().count());
        return Ok(format!("{sign}{}{digits}", fill.repeat(room)));
    }
    if parsed.zero {
        parsed.fill = parsed.fill.or(Some('0'));
    }
    Ok(signed(&shown, &parsed, true))
}

/// Digits in groups of three.
fn grouped(number: &str, comma: char) -> String {
    let (sign, rest) = number.strip_prefix('-').map_or(("", number), |rest| ("-", rest));
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (whole, tail) = rest.split_at(end);
    let mut out = String::new();
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            out.push(comma);
        }
        out.push(digit);
    }
    format!("{sign}{out}{tail}")
}
