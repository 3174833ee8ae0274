//! Filters over lists.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::vars::Value;
use crate::vars::context::Ctx;
use crate::vars::fault::{Fault, Res};
use crate::vars::filters::{Args, Entry, items};
use crate::vars::jinja::{Op, binary, check_length, path};
use crate::vars::objects::{MOST_ITEMS, Undef, defined, is_list, is_map, list, map_keys, undef};
use crate::vars::python::{self, equal, order, text};

pub(super) const FILTERS: &[Entry] = &[
    ("first", &[], |_, value, _| {
        Ok(items(value)?
            .into_iter()
            .next()
            .unwrap_or_else(|| Undef::value("no first item, sequence was empty")))
    }),
    ("last", &[], |_, value, _| {
        Ok(items(value)?
            .pop()
            .unwrap_or_else(|| Undef::value("no last item, sequence was empty")))
    }),
    ("join", &["d", "attribute"], join),
    ("reverse", &[], reverse),
    ("sort", &["reverse", "case_sensitive", "attribute"], sort),
    ("unique", &["case_sensitive", "attribute"], unique),
    ("min", &["case_sensitive", "attribute"], |_, value, args| {
        extreme(value, args, Ordering::Less)
    }),
    ("max", &["case_sensitive", "attribute"], |_, value, args| {
        extreme(value, args, Ordering::Greater)
    }),
    ("sum", &["attribute", "start"], sum),
    ("batch", &["linecount", "fill_with"], batch),
    ("slice", &["slices", "fill_with"], slice),
    ("flatten", &["levels", "skip_nulls"], flatten),
    ("zip", &["*"], zip),
    ("zip_longest", &["*"], zip_longest),
    ("product", &["*"], product),
    ("permutations", &["r"], |_, value, args| choices(value, args, true)),
    ("combinations", &["r"], |_, value, args| choices(value, args, false)),
];

fn join(_: &Arc<Ctx>, value: &Value, args: &Args) -> Res {
    let between = args.text(0, "d", "")?;
    let attribute = args.get(1, "attribute").filter(|a| !a.is_none());
    let mut out = String::new();
    for (i, item) in items(value)?.iter().enumerate() {
        if i > 0 {
            out.push_str(&between);
        }
        let item = match attribute {
            Some(attribute) => path(item, attribute)?,
            None => item.clone(),
        };
        out.push_str(&text(&item)?);
        check_length(out.len())?;
    }
    Ok(Value::from(out))
}

fn reverse(_: &Arc<Ctx>, value: &Value, _: &Args) -> Res {
    if let Some(text) = value.as_str() {
        return Ok(Value::from(text.chars().rev().collect::<String>()));
    }
    let mut items = items(value)?;
    items.reverse();
    Ok(list(items))
}

/// What an item is compared by: one of its attributes, and without case unless it matters.
fn key(item: &Value, attribute: Option<&Value>, case_sensitive: bool) -> Res {
    let value = match attribute {
        Some(attribute) => path(item, attribute)?,
        None => item.clone(),
    };
    let value = defined(value)?;
    Ok(match value.as_str() {
        Some(text) if !case_sensitive => Value::from(text.to_lowercase()),
        _ => value,
    })
}

/// Sorts by keys; the first error of a comparison ends it.
pub(super) fn sort_by_keys(mut keyed: Vec<(Vec<Value>, Value)>, reverse: bool) -> Res<Vec<Value>> {
    let mut failed = None;
    keyed.sort_by(|(a, _), (b, _)| {
        for (x, y) in a.iter().zip(b) {
            match order(x, y, "<") {
                Ok(Some(Ordering::Equal)) => {}
                Ok(Some(found)) => return if reverse { found.reverse() } else { found },
                Ok(None) => return Ordering::Equal,
                Err(fault) => {
                    failed.get_or_insert(fault);
                    return Ordering::Equal;
                }
            }
        }
        Ordering::Equal
    });
    match failed {
        Some(fault) => Err(fault),
        None => Ok(keyed.into_iter().map(|(_, item)| item).collect()),
    }
}

fn sort(_: &Arc<Ctx>, value: &Value, args: &Args) -> Res {
    let (reverse, case) = (args.flag(0, "reverse", false)?, args.flag(1, "case_sensitive", false)?);
    let attribute = args.get(2, "attribute").filter(|a| !a.is_none());
    // Several attributes stand with commas between.
    let attributes: Vec<Option<Value>> = match attribute {
        None => vec![None],
        Some(name) => match name.as_str() {
            Some(names) => names.split(',').map(|name| Some(Value::from(name))).collect(),
            None => vec![Some(name.clone())],
        },
    };
    let mut keyed = Vec::new();
    for item in items(value)? {
        let keys = attributes.iter().map(|attribute| key(&item, attribute.as_ref(), case));
        keyed.push((keys.collect::<Res<Vec<Value>>>()?, item));
    }
    sort_by_keys(keyed, reverse).map(list)
}

/// A key that equal values share, for those that have one that is quick to compare.
pub(super) fn quick_key(value: &Value) -> Option<String> {
    if let Some(text) = value.as_str() {
        return Some(format!("s{text}"));
    }
    python::whole(value).map(|number| format!("n{number}"))
}

/// Keeps the first of equal items.
pub(super) fn unique_by(items: Vec<(Value, Value)>) -> Res<Vec<Value>> {
    let mut quick = std::collections::HashSet::new();
    let mut slow: Vec<Value> = Vec::new();
    let mut out = Vec::new();
    for (key, item) in items {
        if let Some(key) = quick_key(&key) {
            if quick.insert(key) {
                out.push(item);
            }
            continue;
        }
        let mut seen = false;
        for other in &slow {
            seen |= equal(other, &key)?;
        }
        if !seen {
            slow.push(key);
            out.push(item);
        }
    }
    Ok(out)
}

fn unique(_: &Arc<Ctx>, value: &Value, args: &Args) -> Res {
    let case = args.flag(0, "case_sensitive", false)?;
    let attribute = args.get(1, "attribute").filter(|a| !a.is_none());
    let keyed = items(value)?
        .into_iter()
        .map(|item| Ok((key(&item, attribute, case)?, item)));
    unique_by(keyed.collect::<Res<Vec<_>>>()?).map(list)
}

fn extreme(value: &Value, args: &Args, wanted: Ordering) -> Res {
    let case = args.flag(0, "case_sensitive", false)?;
    let attribute = args.get(1, "attribute").filter(|a| !a.is_none());
    let mut best: Option<(Value, Value)> = None;
    for item in items(value)? {
        let key = key(&item, attribute, case)?;
        let better = match &best {
            None => true,
            Some((best, _)) => order(&key, best, if wanted.is_lt() { "<" } else { ">" })? == Some(wanted),
        };
        if better {
            best = Some((key, item));
        }
    }
    Ok(best.map_or_else(
        || Undef::value("no aggregated item, sequence was empty"),
        |(_, item)| item,
    ))
}

fn sum(_: &Arc<Ctx>, value: &Value, args: &Args) -> Res {
    let attribute = args.get(0, "attribute").filter(|a| !a.is_none());
    let mut total = args.get(1, "start").cloned().unwrap_or_else(|| Value::from(0));
    for item in items(value)? {
        let item = match attribute {
            Some(attribute) => path(&item, attribute)?,
            None => item,
        };
        total = binary(Op::Add, &total, &item)?;
    }
    Ok(total)
}

fn batch(_: &Arc<Ctx>, value: &Value, args: &Args) -> Res {
    args.need(0, "linecount")?;
    let size = args.size(0, "linecount", 1)?.max(1);
    let fill = args.get(1, "fill_with").filter(|f| !f.is_none());
    let items = items(value)?;
    let rows = items.chunks(size).map(|row| {
        let mut row = row.to_vec();
        if let Some(fill) = fill {
            row.resize(size.min(row.len() + MOST_ITEMS), fill.clone());
        }
        list(row)
    });
    Ok(list(rows.collect()))
}

fn slice(_: &Arc<Ctx>, value: &Value, args: &Args) -> Res {
    args.need(0, "slices")?;
    let slices = args.size(0, "slices", 1)?.max(1);
    let fill = args.get(1, "fill_with").filter(|f| !f.is_none());
    let items = items(value)?;
    let (each, more) = (items.len() / slices, items.len() % slices);
    let mut out = Vec::new();
    let mut rest = items.as_slice();
    for i in 0..slices {
        let (part, tail) = rest.split_at((each + usize::from(i < more)).min(rest.len()));
        rest = tail;
        let mut part = part.to_vec();
        if let Some(fill) = fill.filter(|_| i >= more && more > 0) {
            part.push(fill.clone());
        }
        out.push(list(part));
    }
    Ok(list(out))
}

fn flatten(_: &Arc<Ctx>, value: &Value, args: &Args) -> Res {
    let (levels, skip) = (args.opt_int(0, "levels")?, args.flag(1, "skip_nulls", true)?);
    if is_map(value) {
        return Ok(list(map_keys(value).unwrap_or_default()));
    }
    let mut out = Vec::new();
    flat(value, levels, skip, &mut out, 0)?;
    Ok(list(out))
}

/// The items of `value` with inner lists opened, down to `levels`.
pub(in crate::vars) fn flatten_value(value: &Value, levels: Option<i64>) -> Res<Vec<Value>> {
    let mut out = Vec::new();
    flat(value, levels, false, &mut out, 0)?;
    Ok(out)
}

/// Puts the items of `value` into `out`, those of inner lists too, down to `levels`.
pub(super) fn flat(value: &Value, levels: Option<i64>, skip: bool, out: &mut Vec<Value>, depth: u32) -> Res<()> {
    if depth > 200 || out.len() > MOST_ITEMS {
        return Err(Fault::new("the list is too large or nested too deeply"));
    }
    for item in items(value)? {
        let null = item.is_none() || matches!(item.as_str(), Some("None" | "null"));
        if skip && null {
            continue;
        }
        if is_list(&item) && levels.is_none_or(|levels| levels >= 1) {
            flat(&item, levels.map(|levels| levels - 1), skip, out, depth + 1)?;
        } else {
            out.push(item);
        }
    }
    Ok(())
}

fn columns(value: &Value, args: &Args) -> Res<Vec<Vec<Value>>> {
    let mut columns = vec![items(value)?];
    for other in &args.pos {
        columns.push(items(other)?);
    }
    Ok(columns)
}

fn zip(_: &Arc<Ctx>, value: &Value, args: &Args) -> Res {
    let columns = columns(value, args)?;
    let rows = columns.iter().map(Vec::len).min().unwrap_or(0);
    Ok(list(
        (0..rows)
            .map(|row| list(columns.iter().filter_map(|c| c.get(row)).cloned().collect()))
            .collect(),
    ))
}

fn zip_longest(_: &Arc<Ctx>, value: &Value, args: &Args) -> Res {
    let fill = args
        .get(usize::MAX, "fillvalue")
        .cloned()
        .unwrap_or_else(|| Value::from(()));
    let columns = columns(value, args)?;
    let rows = columns.iter().map(Vec::len).max().unwrap_or(0);
    let row = |row: usize| list(columns.iter().map(|c| c.get(row).unwrap_or(&fill).clone()).collect());
    Ok(list((0..rows).map(row).collect()))
}

/// Refuses results that would be too large to make.
pub(in crate::vars) fn cartesian(columns: &[Vec<Value>]) -> Res<Vec<Vec<Value>>> {
    let total = columns
        .iter()
        .try_fold(1_usize, |total, column| total.checked_mul(column.len()));
    if total.is_none_or(|total| total > MOST_ITEMS / 10) {
        return Err(Fault::new("there are too many combinations"));
    }
    let mut rows: Vec<Vec<Value>> = vec![Vec::new()];
    for column in columns {
        let longer = rows.iter().flat_map(|row| {
            column.iter().map(move |item| {
                let mut row = row.clone();
                row.push(item.clone());
                row
            })
        });
        rows = longer.collect();
    }
    Ok(rows)
}

fn product(_: &Arc<Ctx>, value: &Value, args: &Args) -> Res {
    let once = columns(value, args)?;
    let repeat = args.size(usize::MAX, "repeat", 1)?;
    if repeat > 64 {
        return Err(Fault::new("there are too many combinations"));
    }
    let columns: Vec<Vec<Value>> = (0..repeat).flat_map(|_| once.iter().cloned()).collect();
    Ok(list(cartesian(&columns)?.into_iter().map(list).collect()))
}

fn choices(value: &Value, args: &Args, ordered: bool) -> Res {
    let items = items(value)?;
    let size = args.size(0, "r", items.len())?;
    if !ordered {
        args.need(0, "r")?;
    }
    let mut out = Vec::new();
    let mut picked = Vec::new();
    if size <= items.len() {
        choose(&items, size, ordered, &mut picked, &mut out)?;
    }
    Ok(list(out))
}

fn choose(items: &[Value], size: usize, ordered: bool, picked: &mut Vec<usize>, out: &mut Vec<Value>) -> Res<()> {
    if out.len() > MOST_ITEMS / 10 || size > 64 {
        return Err(Fault::new("there are too many combinations"));
    }
    if picked.len() == size {
        out.push(list(picked.iter().filter_map(|i| items.get(*i)).cloned().collect()));
        return Ok(());
    }
    let from = if ordered {
        0
    } else {
        picked.last().map_or(0, |last| last + 1)
    };
    for i in from..items.len() {
        if ordered && picked.contains(&i) {
            continue;
        }
        picked.push(i);
        choose(items, size, ordered, picked, out)?;
        picked.pop();
    }
    Ok(())
}

/// The first undefined item's error, for filters whose result would hide it.
pub(super) fn all_defined(items: &[Value]) -> Res<()> {
    items.iter().find_map(undef).map_or(Ok(()), |undef| Err(undef.fault()))
}
