//! Operators between values, as Python has them.

use crate::vars::datetime;
use crate::vars::fault::{Fault, Res};
use crate::vars::jinja::ast::{Cmp, Op};
use crate::vars::objects::{
    LONGEST_TEXT, MOST_ITEMS, Range, defined, is_list, is_map, iterate, list, list_items, map_get, undef,
};
use crate::vars::python::{Num, equal, int, number, order, type_name, whole};
use crate::vars::{Value, format};

/// Refuses texts that are too long.
pub(in crate::vars) fn check_length(bytes: usize) -> Res<()> {
    if bytes > LONGEST_TEXT {
        return Err(Fault::new("a text of more than 64 MiB is too long"));
    }
    Ok(())
}

fn unsupported(op: Op, a: &Value, b: &Value) -> Fault {
    let sign = match op {
        Op::Add => "+",
        Op::Sub => "-",
        Op::Mul => "*",
        Op::Div => "/",
        Op::FloorDiv => "//",
        Op::Rem => "%",
        Op::Pow => "**",
    };
    let fault = Fault::new(format!(
        "unsupported operand type(s) for {sign}: '{}' and '{}'",
        type_name(a),
        type_name(b)
    ));
    let (text, other) = if a.as_str().is_some() { (a, b) } else { (b, a) };
    match (op, text.as_str(), number(other)) {
        (Op::Add, Some(_), Some(_)) => fault.help("join texts with `~`, or convert the text with `| int`"),
        (_, Some(_), Some(_)) => fault.help("convert the text first: `| int` or `| float`"),
        _ => fault,
    }
}

/// `a op b`.
pub(in crate::vars) fn binary(op: Op, a: &Value, b: &Value) -> Res {
    if let Some(undef) = undef(a).or_else(|| undef(b)) {
        return Err(undef.fault());
    }
    if let Some(result) = datetime::binary(op, a, b)? {
        return Ok(result);
    }
    match op {
        Op::Add => {
            if let (Some(x), Some(y)) = (a.as_str(), b.as_str()) {
                check_length(x.len() + y.len())?;
                return Ok(Value::from(format!("{x}{y}")));
            }
            if is_list(a) && is_list(b) {
                let mut items = list_items(a)?.unwrap_or_default();
                items.extend(list_items(b)?.unwrap_or_default());
                return Ok(list(items));
            }
        }
        Op::Mul => {
            if let Some(times) = whole(b).filter(|_| a.as_str().is_some() || is_list(a)) {
                return repeat(a, times);
            }
            if let Some(times) = whole(a).filter(|_| b.as_str().is_some() || is_list(b)) {
                return repeat(b, times);
            }
        }
        Op::Rem => {
            if let Some(text) = a.as_str() {
                return format::percent(text, format::Operand::One(b)).map(Value::from);
            }
        }
        Op::Sub | Op::Div | Op::FloorDiv | Op::Pow => {}
    }
    match (number(a), number(b)) {
        (Some(x), Some(y)) => arithmetic(op, x, y).map(Num::value),
        _ => Err(unsupported(op, a, b)),
    }
}

fn repeat(value: &Value, times: i128) -> Res {
    let times = usize::try_from(times.max(0)).unwrap_or(usize::MAX);
    if let Some(text) = value.as_str() {
        check_length(text.len().saturating_mul(times))?;
        return Ok(Value::from(text.repeat(times)));
    }
    let items = list_items(value)?.unwrap_or_default();
    if items.len().saturating_mul(times) > MOST_ITEMS {
        return Err(Fault::new("the repeated list is too long"));
    }
    let mut out = Vec::with_capacity(items.len() * times);
    for _ in 0..times {
        out.extend(items.iter().cloned());
    }
    Ok(list(out))
}

fn arithmetic(op: Op, a: Num, b: Num) -> Res<Num> {
    let too_large = || Fault::new("the number is too large");
    let by_zero = || Fault::new("division by zero");
    if let (Num::Int(x), Num::Int(y)) = (a, b) {
        return match op {
            Op::Add => x.checked_add(y).map(Num::Int).ok_or_else(too_large),
            Op::Sub => x.checked_sub(y).map(Num::Int).ok_or_else(too_large),
            Op::Mul => x.checked_mul(y).map(Num::Int).ok_or_else(too_large),
            Op::Div if y == 0 => Err(by_zero()),
            Op::Div => Ok(Num::Float(a.float() / b.float())),
            Op::FloorDiv | Op::Rem => {
                let (q, r) = (x.checked_div(y), x.checked_rem(y));
                let (Some(q), Some(r)) = (q, r) else {
                    return Err(if y == 0 { by_zero() } else { too_large() });
                };
                // Python rounds down, and the rest has the divisor's sign.
                let down = r != 0 && (r < 0) != (y < 0);
                Ok(Num::Int(match op {
                    Op::FloorDiv => q - i128::from(down),
                    _ => r + if down { y } else { 0 },
                }))
            }
            Op::Pow if y < 0 && x == 0 => Err(Fault::new("0 cannot be raised to a negative power")),
            Op::Pow if y < 0 => Ok(Num::Float(a.float().powf(b.float()))),
            Op::Pow => {
                let y = u32::try_from(y).map_err(|_| too_large())?;
                x.checked_pow(y).map(Num::Int).ok_or_else(too_large)
            }
        };
    }
    let (x, y) = (a.float(), b.float());
    Ok(Num::Float(match op {
        Op::Add => x + y,
        Op::Sub => x - y,
        Op::Mul => x * y,
        Op::Div | Op::FloorDiv | Op::Rem if y == 0.0 => return Err(by_zero()),
        Op::Div => x / y,
        Op::FloorDiv => (x / y).floor(),
        Op::Rem => {
            let rest = x % y;
            if rest != 0.0 && (rest < 0.0) != (y < 0.0) {
                rest + y
            } else {
                rest
            }
        }
        Op::Pow => x.powf(y),
    }))
}

/// `-a`.
pub(in crate::vars) fn negative(a: &Value) -> Res {
    let a = defined(a.clone())?;
    match number(&a) {
        Some(Num::Int(n)) => n
            .checked_neg()
            .map(int)
            .ok_or_else(|| Fault::new("the number is too large")),
        Some(Num::Float(n)) => Ok(Value::from(-n)),
        None => Err(Fault::new(format!("bad operand type for unary -: '{}'", type_name(&a)))),
    }
}

/// `+a`.
pub(in crate::vars) fn positive(a: &Value) -> Res {
    let a = defined(a.clone())?;
    match number(&a) {
        Some(n) => Ok(n.value()),
        None => Err(Fault::new(format!("bad operand type for unary +: '{}'", type_name(&a)))),
    }
}

/// `needle in haystack`.
pub(in crate::vars) fn contains(haystack: &Value, needle: &Value) -> Res<bool> {
    let needle = defined(needle.clone())?;
    let haystack = defined(haystack.clone())?;
    if let Some(text) = haystack.as_str() {
        let Some(part) = needle.as_str() else {
            let kind = type_name(&needle);
            return Err(
                Fault::new(format!("'in <string>' requires string as left operand, not {kind}"))
                    .help("convert it: `x | string in …`"),
            );
        };
        return Ok(text.contains(part));
    }
    if is_map(&haystack) {
        return Ok(map_get(&haystack, &needle)?.is_some());
    }
    if let Some(range) = haystack.downcast_object_ref::<Range>() {
        let Some(number) = whole(&needle) else { return Ok(false) };
        let distance = number - i128::from(range.start);
        let step = i128::from(range.step);
        let len = i128::try_from(range.len).unwrap_or(i128::MAX);
        return Ok(distance % step == 0 && (0..len).contains(&(distance / step)));
    }
    if !is_list(&haystack) {
        let kind = type_name(&haystack);
        return Err(Fault::new(format!("argument of type '{kind}' is not iterable")));
    }
    for item in iterate(&haystack)? {
        if equal(&item, &needle)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// `a op b` for comparisons.
pub(in crate::vars) fn compare(op: Cmp, a: &Value, b: &Value) -> Res<bool> {
    Ok(match op {
        Cmp::Eq => equal(a, b)?,
        Cmp::Ne => !equal(a, b)?,
        Cmp::In => contains(b, a)?,
        Cmp::NotIn => !contains(b, a)?,
        Cmp::Lt => order(a, b, "<")?.is_some_and(std::cmp::Ordering::is_lt),
        Cmp::Le => order(a, b, "<=")?.is_some_and(std::cmp::Ordering::is_le),
        Cmp::Gt => order(a, b, ">")?.is_some_and(std::cmp::Ordering::is_gt),
        Cmp::Ge => order(a, b, ">=")?.is_some_and(std::cmp::Ordering::is_ge),
    })
}

/// `a[start:stop:step]` of lists and texts.
pub(in crate::vars) fn slice(value: &Value, [start, stop, step]: [Option<i64>; 3]) -> Res {
    let step = step.unwrap_or(1);
    if step == 0 {
        return Err(Fault::new("slice step cannot be zero"));
    }
    if !is_list(value) && value.as_str().is_none() {
        let kind = type_name(value);
        return Err(Fault::new(format!("'{kind}' object is not subscriptable with a slice")));
    }
    let items = iterate(value)?;
    let len = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let (low, high) = if step > 0 { (0, len) } else { (-1, len - 1) };
    let bound = |given: Option<i64>, default: i64| match given {
        None => default,
        Some(n) if n < 0 => n.saturating_add(len).clamp(low, high),
        Some(n) => n.clamp(low, high),
    };
    let (first, last) = if step > 0 { (low, high) } else { (high, low) };
    let mut at = bound(start, first);
    let stop = bound(stop, last);
    let mut out = Vec::new();
    while (step > 0 && at < stop) || (step < 0 && at > stop) {
        if let Some(item) = usize::try_from(at).ok().and_then(|i| items.get(i)) {
            out.push(item.clone());
        }
        at = at.saturating_add(step);
    }
    if value.as_str().is_some() {
        let text: String = out.iter().filter_map(Value::as_str).collect();
        return Ok(Value::from(text));
    }
    Ok(list(out))
}
