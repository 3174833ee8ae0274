//! Methods of Python's texts, lists and mappings that templates call.

use std::sync::Arc;

use crate::vars::Value;
use crate::vars::context::Ctx;
use crate::vars::datetime::{Elapsed, Moment};
use crate::vars::fault::{Fault, Res};
use crate::vars::filters::Args;
use crate::vars::format;
use crate::vars::jinja::check_length;
use crate::vars::lazy::Lazy;
use crate::vars::objects::{
    MOST_ITEMS, PyDict, PyList, dict, is_list, is_map, iterate, list, list_items, lock, map_get, map_keys, map_pairs,
};
use crate::vars::python::{self, equal, order, size, text};

/// Calls a method; `None`: there is none of that name.
pub(in crate::vars) fn call(_: &Arc<Ctx>, object: &Value, name: &str, args: &Args) -> Res<Option<Value>> {
    if let Some(string) = object.as_str() {
        return string_method(string, name, args);
    }
    if is_map(object) {
        return dict_method(object, name, args);
    }
    if is_list(object) {
        return list_method(object, name, args);
    }
    if let Some(moment) = object.downcast_object_ref::<Moment>() {
        return moment.method(name, args);
    }
    if let Some(elapsed) = object.downcast_object_ref::<Elapsed>() {
        return Ok(elapsed.method(name));
    }
    if let (Some(python::Num::Float(n)), "is_integer") = (python::number(object), name) {
        return Ok(Some(Value::from(n.fract() == 0.0)));
    }
    Ok(None)
}

/// First letter large, the rest small.
pub(in crate::vars) fn capitalize(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars.flat_map(char::to_lowercase)).collect(),
        None => String::new(),
    }
}

/// At most `count` replacements; negative: all.
pub(in crate::vars) fn replace(text: &str, old: &str, new: &str, count: i64) -> Res<String> {
    let hits = if old.is_empty() {
        text.chars().count() + 1
    } else {
        text.matches(old).count()
    };
    let hits = usize::try_from(count).map_or(hits, |count| count.min(hits));
    check_length(text.len().saturating_add(hits.saturating_mul(new.len())))?;
    Ok(text.replacen(old, new, hits))
}

/// Text in the middle of a width, as `str.center` places it.
pub(in crate::vars) fn center(text: &str, width: usize, fill: char) -> String {
    let length = text.chars().count();
    let room = width.saturating_sub(length);
    let left = room / 2 + (room & width & 1);
    let blanks = |count: usize| fill.to_string().repeat(count);
    format!("{}{text}{}", blanks(left), blanks(room - left))
}

fn split(text: &str, args: &Args, from_right: bool) -> Res<Value> {
    let most = usize::try_from(args.int(1, "maxsplit", -1)?).unwrap_or(usize::MAX);
    let parts: Vec<&str> = match args.opt_text(0, "sep")? {
        Some(sep) if sep.is_empty() => return Err(Fault::new("empty separator")),
        Some(sep) if from_right => {
            let mut parts: Vec<&str> = text.rsplitn(most.saturating_add(1), sep.as_str()).collect();
            parts.reverse();
            return Ok(list(parts.into_iter().map(Value::from).collect()));
        }
        Some(sep) => {
            return Ok(list(
                text.splitn(most.saturating_add(1), sep.as_str())
                    .map(Value::from)
                    .collect(),
            ));
        }
        None => {
            let mut parts = Vec::new();
            let mut rest = if from_right { text.trim_end() } else { text.trim_start() };
            while !rest.is_empty() {
                let cut = if from_right {
                    rest.rfind(char::is_whitespace)
                } else {
                    rest.find(char::is_whitespace)
                };
                let Some(at) = cut.filter(|_| parts.len() < most) else {
                    parts.push(if from_right { rest.trim_start() } else { rest.trim_end() });
                    break;
                };
                if from_right {
                    let start = at + rest.get(at..).and_then(|t| t.chars().next()).map_or(1, char::len_utf8);
                    parts.push(rest.get(start..).unwrap_or(""));
                    rest = rest.get(..at).unwrap_or("").trim_end();
                } else {
                    parts.push(rest.get(..at).unwrap_or(""));
                    rest = rest.get(at..).unwrap_or("").trim_start();
                }
            }
            if from_right {
                parts.reverse();
            }
            parts
        }
    };
    Ok(list(parts.into_iter().map(Value::from).collect()))
}

fn splitlines(text: &str, keep: bool) -> Value {
    let mut out = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(['\n', '\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}']);
        let (line, mark) = match end {
            None => (rest, 0),
            Some(at) => {
                let tail = rest.get(at..).unwrap_or("");
                let mark = if tail.starts_with("\r\n") {
                    2
                } else {
                    tail.chars().next().map_or(0, char::len_utf8)
                };
                (rest.get(..at).unwrap_or(""), mark)
            }
        };
        let whole = rest.get(..line.len() + mark).unwrap_or(rest);
        out.push(Value::from(if keep { whole } else { line }));
        rest = rest.get(line.len() + mark..).unwrap_or("");
    }
    list(out)
}

fn affixes(args: &Args) -> Res<Vec<String>> {
    let first = args.need(0, "prefix")?;
    match list_items(first)? {
        Some(items) => items.iter().map(text).collect(),
        None => Ok(vec![text(first)?]),
    }
}

fn expandtabs(text: &str, width: usize) -> String {
    let mut out = String::new();
    let mut column = 0_usize;
    for c in text.chars() {
        match c {
            '\t' => {
                let room = width.saturating_sub(column.checked_rem(width).unwrap_or(0));
                out.push_str(&" ".repeat(room));
                column += room;
            }
            c => {
                column = if c == '\n' { 0 } else { column + 1 };
                out.push(c);
            }
        }
    }
    out
}

fn title(text: &str) -> String {
    let mut inside = false;
    let mut out = String::new();
    for c in text.chars() {
        if inside {
            out.extend(c.to_lowercase());
        } else {
            out.extend(c.to_uppercase());
        }
        inside = c.is_alphabetic();
    }
    out
}

fn string_method(string: &str, name: &str, args: &Args) -> Res<Option<Value>> {
    let all = |test: fn(char) -> bool| Value::from(!string.is_empty() && string.chars().all(test));
    let cased = |lower: bool| {
        let wrong = string
            .chars()
            .any(|c| if lower { c.is_uppercase() } else { c.is_lowercase() });
        let right = string
            .chars()
            .any(|c| if lower { c.is_lowercase() } else { c.is_uppercase() });
        Value::from(right && !wrong)
    };
    let place = |at: Option<usize>| match at {
        Some(at) => size(string.get(..at).map_or(0, |head| head.chars().count())),
        None => Value::from(-1),
    };
    let chars = |args: &Args| args.opt_text(0, "chars");
    let fill = |args: &Args| -> Res<char> { Ok(args.text(1, "fillchar", " ")?.chars().next().unwrap_or(' ')) };
    let width = |args: &Args| args.size(0, "width", 0);
    Ok(Some(match name {
        "upper" => Value::from(string.to_uppercase()),
        "lower" | "casefold" => Value::from(string.to_lowercase()),
        "capitalize" => Value::from(capitalize(string)),
        "title" => Value::from(title(string)),
        "swapcase" => Value::from(string.chars().fold(String::new(), |mut out, c| {
            if c.is_uppercase() {
                out.extend(c.to_lowercase());
            } else {
                out.extend(c.to_uppercase());
            }
            out
        })),
        "strip" | "lstrip" | "rstrip" => {
            let chars = chars(args)?;
            let drop = |c: char| chars.as_ref().map_or(c.is_whitespace(), |chars| chars.contains(c));
            Value::from(match name {
                "strip" => string.trim_matches(drop),
                "lstrip" => string.trim_start_matches(drop),
                _ => string.trim_end_matches(drop),
            })
        }
        "split" => split(string, args, false)?,
        "rsplit" => split(string, args, true)?,
        "splitlines" => splitlines(string, args.flag(0, "keepends", false)?),
        "partition" | "rpartition" => {
            let sep = args.need_text(0, "sep")?;
            let found = if name == "partition" {
                string.split_once(&*sep)
            } else {
                string.rsplit_once(&*sep)
            };
            let (a, b, c) = match found {
                Some((a, c)) => (a, &*sep, c),
                None if name == "partition" => (string, "", ""),
                None => ("", "", string),
            };
            list(vec![Value::from(a), Value::from(b), Value::from(c)])
        }
        "startswith" => Value::from(affixes(args)?.iter().any(|p| string.starts_with(p.as_str()))),
        "endswith" => Value::from(affixes(args)?.iter().any(|p| string.ends_with(p.as_str()))),
        "removeprefix" => Value::from(
            string
                .strip_prefix(args.need_text(0, "prefix")?.as_str())
                .unwrap_or(string),
        ),
        "removesuffix" => Value::from(
            string
                .strip_suffix(args.need_text(0, "suffix")?.as_str())
                .unwrap_or(string),
        ),
        "replace" => {
            let (old, new) = (args.need_text(0, "old")?, args.need_text(1, "new")?);
            Value::from(replace(string, &old, &new, args.int(2, "count", -1)?)?)
        }
        "find" => place(string.find(&*args.need_text(0, "sub")?)),
        "rfind" => place(string.rfind(&*args.need_text(0, "sub")?)),
        "index" | "rindex" => {
            let part = args.need_text(0, "sub")?;
            let found = if name == "index" {
                string.find(&*part)
            } else {
                string.rfind(&*part)
            };
            place(Some(found.ok_or_else(|| Fault::new("substring not found"))?))
        }
        "count" => {
            let part = args.need_text(0, "sub")?;
            size(if part.is_empty() {
                string.chars().count() + 1
            } else {
                string.matches(&*part).count()
            })
        }
        "join" => {
            let mut out = String::new();
            for (i, item) in iterate(args.need(0, "iterable")?)?.iter().enumerate() {
                let part = crate::vars::objects::defined(item.clone())?;
                let Some(part) = part.as_str() else {
                    let kind = python::type_name(&part);
                    return Err(
                        Fault::new(format!("sequence item {i}: expected str instance, {kind} found"))
                            .help("use the filter `join`, which converts"),
                    );
                };
                if i > 0 {
                    out.push_str(string);
                }
                out.push_str(part);
                check_length(out.len())?;
            }
            Value::from(out)
        }
        "format" => Value::from(format::braces(string, args)?),
        "zfill" => {
            let (sign, digits) = match string.strip_prefix(['-', '+']) {
                Some(digits) => string.split_at(string.len() - digits.len()),
                None => ("", string),
            };
            let room = width(args)?.saturating_sub(string.chars().count());
            Value::from(format!("{sign}{}{digits}", "0".repeat(room)))
        }
        "ljust" | "rjust" => {
            let room = width(args)?.saturating_sub(string.chars().count());
            let blanks = fill(args)?.to_string().repeat(room);
            Value::from(if name == "ljust" {
                format!("{string}{blanks}")
            } else {
                format!("{blanks}{string}")
            })
        }
        "center" => Value::from(center(string, width(args)?, fill(args)?)),
        "expandtabs" => Value::from(expandtabs(string, args.size(0, "tabsize", 8)?.min(1000))),
        "encode" | "decode" => Value::from(string),
        "isdigit" | "isdecimal" | "isnumeric" => all(char::is_numeric),
        "isalpha" => all(char::is_alphabetic),
        "isalnum" => all(char::is_alphanumeric),
        "isspace" => all(char::is_whitespace),
        "isascii" => Value::from(string.is_ascii()),
        "isidentifier" => Value::from(
            string.chars().all(|c| c.is_alphanumeric() || c == '_')
                && string.chars().next().is_some_and(|c| !c.is_numeric()),
        ),
        "islower" => cased(true),
        "isupper" => cased(false),
        "istitle" => Value::from(string.chars().any(char::is_alphabetic) && title(string) == string),
        _ => return Ok(None),
    }))
}

/// True for methods that change their list or mapping.
pub(in crate::vars) fn changes(name: &str) -> bool {
    matches!(
        name,
        "append"
            | "extend"
            | "insert"
            | "pop"
            | "remove"
            | "sort"
            | "reverse"
            | "clear"
            | "update"
            | "setdefault"
            | "popitem"
    )
}

/// A copy that methods may change, of a list or mapping that they may not; `None`: no copy is needed.
pub(in crate::vars) fn changeable_copy(value: &Value) -> Res<Option<Value>> {
    let changes_itself = value.downcast_object_ref::<PyList>().is_some()
        || value.downcast_object_ref::<PyDict>().is_some()
        || value.downcast_object_ref::<Lazy>().is_some();
    if changes_itself {
        return Ok(None);
    }
    if let Some(items) = list_items(value)? {
        return Ok(Some(list(items)));
    }
    Ok(map_pairs(value)?.map(dict))
}

/// The changeable list behind a value.
fn changeable(object: &Value) -> Res<Value> {
    if let Some(lazy) = object.downcast_object_ref::<Lazy>() {
        return lazy.to_changeable();
    }
    Ok(object.clone())
}

fn fixed(name: &str) -> Fault {
    Fault::new(format!(
        "`{name}` cannot change this value, it was not made in a template"
    ))
    .help("make a new one: `x + [y]`, or `x | combine(y)`")
}

fn position(items: &[Value], wanted: &Value) -> Res<Option<usize>> {
    for (i, item) in items.iter().enumerate() {
        if equal(item, wanted)? {
            return Ok(Some(i));
        }
    }
    Ok(None)
}

fn list_method(object: &Value, name: &str, args: &Args) -> Res<Option<Value>> {
    match name {
        "index" => {
            let items = iterate(object)?;
            let found = position(&items, args.need(0, "value")?)?;
            return found
                .map(|at| Some(size(at)))
                .ok_or_else(|| Fault::new("the value is not in the list"));
        }
        "count" => {
            let wanted = args.need(0, "value")?;
            let mut count = 0;
            for item in iterate(object)? {
                count += usize::from(equal(&item, wanted)?);
            }
            return Ok(Some(size(count)));
        }
        "copy" => return Ok(Some(list(iterate(object)?))),
        "append" | "extend" | "insert" | "pop" | "remove" | "sort" | "reverse" | "clear" => {}
        _ => return Ok(None),
    }
    let target = changeable(object)?;
    let Some(target) = target.downcast_object_ref::<PyList>() else {
        return Err(fixed(name));
    };
    let none = Ok(Some(Value::from(())));
    let place = |index: i64, len: usize| -> Option<usize> {
        if index < 0 {
            len.checked_sub(usize::try_from(index.unsigned_abs()).ok()?)
        } else {
            usize::try_from(index).ok()
        }
    };
    match name {
        "append" => {
            let value = args.need(0, "object")?.clone();
            if depth(&value, 0) > 100 {
                return Err(Fault::new("lists are nested too deeply"));
            }
            lock(&target.0).push(value);
        }
        "extend" => {
            let more = iterate(args.need(0, "iterable")?)?;
            lock(&target.0).extend(more);
        }
        "insert" => {
            let (index, value) = (args.int(0, "index", 0)?, args.need(1, "object")?.clone());
            let mut items = lock(&target.0);
            let at = place(index, items.len()).unwrap_or(0).min(items.len());
            items.insert(at, value);
        }
        "pop" => {
            let mut items = lock(&target.0);
            let at = place(args.int(0, "index", -1)?, items.len()).filter(|at| *at < items.len());
            let at = at.ok_or_else(|| Fault::new("pop from an empty list, or index out of range"))?;
            return Ok(Some(items.remove(at)));
        }
        "remove" => {
            let items = lock(&target.0).clone();
            let at = position(&items, args.need(0, "value")?)?;
            let at = at.ok_or_else(|| Fault::new("the value is not in the list"))?;
            lock(&target.0).remove(at);
        }
        "sort" => {
            let mut items = lock(&target.0).clone();
            let mut failed = None;
            items.sort_by(|a, b| match order(a, b, "<") {
                Ok(found) => found.unwrap_or(std::cmp::Ordering::Equal),
                Err(fault) => {
                    failed.get_or_insert(fault);
                    std::cmp::Ordering::Equal
                }
            });
            if let Some(fault) = failed {
                return Err(fault);
            }
            if args.flag(usize::MAX, "reverse", false)? {
                items.reverse();
            }
            *lock(&target.0) = items;
        }
        "reverse" => lock(&target.0).reverse(),
        _ => lock(&target.0).clear(),
    }
    if lock(&target.0).len() > MOST_ITEMS {
        return Err(Fault::new("the list is too long"));
    }
    none
}

/// How deep lists nest in their first items; enough to stop ones that grow inwards.
fn depth(value: &Value, so_far: u32) -> u32 {
    if so_far > 100 {
        return so_far;
    }
    let first = value
        .downcast_object_ref::<PyList>()
        .and_then(|list| lock(&list.0).last().cloned());
    first.map_or(so_far, |first| depth(&first, so_far + 1))
}

fn dict_method(object: &Value, name: &str, args: &Args) -> Res<Option<Value>> {
    match name {
        "items" => {
            let pairs = map_pairs(object)?.unwrap_or_default();
            return Ok(Some(list(pairs.into_iter().map(|(k, v)| list(vec![k, v])).collect())));
        }
        "keys" => return Ok(Some(list(map_keys(object).unwrap_or_default()))),
        "values" => {
            let pairs = map_pairs(object)?.unwrap_or_default();
            return Ok(Some(list(pairs.into_iter().map(|(_, v)| v).collect())));
        }
        "get" => {
            let found = map_get(object, args.need(0, "key")?)?;
            let default = || args.get(1, "default").cloned().unwrap_or_else(|| Value::from(()));
            return Ok(Some(found.unwrap_or_else(default)));
        }
        "copy" => return Ok(Some(dict(map_pairs(object)?.unwrap_or_default()))),
        "update" | "pop" | "setdefault" | "clear" | "popitem" => {}
        _ => return Ok(None),
    }
    let target = changeable(object)?;
    let Some(target) = target.downcast_object_ref::<PyDict>() else {
        return Err(fixed(name));
    };
    let mut entries = lock(&target.0);
    Ok(Some(match name {
        "update" => {
            for source in &args.pos {
                let is_same = source
                    .downcast_object_ref::<PyDict>()
                    .is_some_and(|other| std::ptr::eq(other, target));
                if is_same {
                    continue;
                }
                let more = if let Some(more) = map_pairs(source)? {
                    more
                } else {
                    let mut more = Vec::new();
                    for pair in iterate(source)? {
                        match iterate(&pair)?.as_slice() {
                            [key, value] => more.push((key.clone(), value.clone())),
                            _ => return Err(Fault::new("update() takes a mapping or a list of pairs")),
                        }
                    }
                    more
                };
                entries.extend(more);
            }
            entries.extend(args.named.iter().map(|(k, v)| (Value::from(k.clone()), v.clone())));
            Value::from(())
        }
        "pop" => {
            let key = args.need(0, "key")?;
            match (entries.shift_remove(key), args.get(1, "default")) {
                (Some(value), _) => value,
                (None, Some(default)) => default.clone(),
                (None, None) => return Err(Fault::new(format!("no key {} to pop", python::repr(key)?))),
            }
        }
        "setdefault" => {
            let default = args.get(1, "default").cloned().unwrap_or_else(|| Value::from(()));
            entries.entry(args.need(0, "key")?.clone()).or_insert(default).clone()
        }
        "popitem" => {
            let (key, value) = entries.pop().ok_or_else(|| Fault::new("the dictionary is empty"))?;
            list(vec![key, value])
        }
        _ => {
            entries.clear();
            Value::from(())
        }
    }))
}
