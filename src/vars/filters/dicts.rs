//! Filters over mappings.

use std::sync::Arc;

use indexmap::IndexMap;

use crate::vars::Value;
use crate::vars::context::Ctx;
use crate::vars::fault::{Fault, Res};
use crate::vars::filters::lists::{flat, sort_by_keys};
use crate::vars::filters::{Args, Entry, items, pairs};
use crate::vars::jinja::item;
use crate::vars::objects::{defined, dict, is_list, is_map, is_undef, list, list_items, map_get, map_pairs};
use crate::vars::python::{repr, text, type_name};
use crate::vars::stack;

pub(super) const FILTERS: &[Entry] = &[
    ("combine", &["*"], combine),
    ("dict2items", &["key_name", "value_name"], dict2items),
    ("items2dict", &["key_name", "value_name"], items2dict),
    ("dictsort", &["case_sensitive", "by", "reverse"], dictsort),
    ("items", &[], |_, value, _| {
        Ok(list(pairs(value)?.into_iter().map(|(k, v)| list(vec![k, v])).collect()))
    }),
    ("extract", &["container", "morekeys"], extract),
    ("subelements", &["subelements", "skip_missing"], subelements),
    ("rekey_on_member", &["key", "duplicates"], rekey),
];

fn combine(_: &Arc<Ctx>, value: &Value, args: &Args) -> Res {
    let recursive = args.flag(usize::MAX, "recursive", false)?;
    let list_merge = args.text(usize::MAX, "list_merge", "replace")?;
    if let Some((other, _)) = args
        .named
        .iter()
        .find(|(n, _)| !matches!(&**n, "recursive" | "list_merge"))
    {
        return Err(Fault::new(format!("got an unexpected argument '{other}'"))
            .help("'recursive' and 'list_merge' are the only named ones"));
    }
    if !matches!(
        list_merge.as_str(),
        "replace" | "keep" | "append" | "prepend" | "append_rp" | "prepend_rp"
    ) {
        return Err(Fault::new(format!("`{list_merge}` is no way to merge lists"))
            .help("ways: replace, keep, append, prepend, append_rp, prepend_rp"));
    }
    let mut terms = vec![value.clone()];
    terms.extend(args.pos.iter().cloned());
    let mut maps = Vec::new();
    flat(&list(terms), Some(1), true, &mut maps, 0)?;
    let mut merged: Option<Value> = None;
    for map in maps {
        let map = defined(map)?;
        pairs(&map)?;
        merged = Some(match merged {
            None => map,
            Some(lower) => merge(&lower, &map, recursive, &list_merge)?,
        });
    }
    Ok(merged.unwrap_or_else(|| dict([])))
}

/// `high` over `low`.
fn merge(low: &Value, high: &Value, recursive: bool, list_merge: &str) -> Res {
    if stack::is_low() {
        return Err(Fault::new("the dictionaries are nested too deeply"));
    }
    let mut out: IndexMap<Value, Value> = pairs(low)?.into_iter().collect();
    for (key, new) in pairs(high)? {
        let value = match out.get(&key) {
            Some(old) if recursive && is_map(old) && is_map(&new) => merge(old, &new, true, list_merge)?,
            Some(old) if is_list(old) && is_list(&new) => merge_lists(old, &new, list_merge)?,
            _ => new,
        };
        out.insert(key, value);
    }
    Ok(dict(out))
}

fn merge_lists(old: &Value, new: &Value, how: &str) -> Res {
    let (a, b) = (
        list_items(old)?.unwrap_or_default(),
        list_items(new)?.unwrap_or_default(),
    );
    let without = |from: Vec<Value>, these: &[Value]| -> Res<Vec<Value>> {
        let mut kept = Vec::new();
        for item in from {
            let mut inside = false;
            for other in these {
                inside = inside || crate::vars::python::equal(&item, other)?;
            }
            if !inside {
                kept.push(item);
            }
        }
        Ok(kept)
    };
    Ok(list(match how {
        "keep" => a,
        "append" => [a, b].concat(),
        "prepend" => [b, a].concat(),
        "append_rp" => [without(a, &b)?, b].concat(),
        "prepend_rp" => {
            let rest = without(a, &b)?;
            [b, rest].concat()
        }
        _ => b,
    }))
}

fn dict2items(_: &Arc<Ctx>, value: &Value, args: &Args) -> Res {
    let key_name = Value::from(args.text(0, "key_name", "key")?);
    let value_name = Value::from(args.text(1, "value_name", "value")?);
    let entry = |(k, v)| dict([(key_name.clone(), k), (value_name.clone(), v)]);
    Ok(list(pairs(value)?.into_iter().map(entry).collect()))
}

fn items2dict(_: &Arc<Ctx>, value: &Value, args: &Args) -> Res {
    let key_name = args.text(0, "key_name", "key")?;
    let value_name = args.text(1, "value_name", "value")?;
    if !is_list(value) {
        return Err(Fault::new(format!("requires a list, got {}", type_name(value))));
    }
    let mut out = Vec::new();
    for entry in items(value)? {
        if !is_map(&entry) {
            return Err(Fault::new("requires a list of dictionaries"));
        }
        let part = |name: &str| {
            map_get(&entry, &Value::from(name))?.ok_or_else(|| {
                Fault::new(format!(
                    "requires each dictionary in the list to contain the keys '{key_name}' and '{value_name}'"
                ))
            })
        };
        out.push((defined(part(&key_name)?)?, part(&value_name)?));
    }
    Ok(dict(out))
}

fn dictsort(_: &Arc<Ctx>, value: &Value, args: &Args) -> Res {
    let (case, by, reverse) = (
        args.flag(0, "case_sensitive", false)?,
        args.text(1, "by", "key")?,
        args.flag(2, "reverse", false)?,
    );
    if by != "key" && by != "value" {
        return Err(Fault::new("you can only sort by either 'key' or 'value'"));
    }
    let keyed = pairs(value)?.into_iter().map(|(k, v)| {
        let key = if by == "key" { k.clone() } else { v.clone() };
        let key = match key.as_str() {
            Some(text) if !case => Value::from(text.to_lowercase()),
            _ => key,
        };
        (vec![key], list(vec![k, v]))
    });
    sort_by_keys(keyed.collect(), reverse).map(list)
}

fn extract(_: &Arc<Ctx>, value: &Value, args: &Args) -> Res {
    let mut keys = vec![value.clone()];
    if let Some(more) = args.get(1, "morekeys").filter(|m| !m.is_none()) {
        match list_items(more)? {
            Some(more) => keys.extend(more),
            None => keys.push(more.clone()),
        }
    }
    keys.iter()
        .try_fold(args.need(0, "container")?.clone(), |value, key| item(&value, key))
}

fn subelements(_: &Arc<Ctx>, value: &Value, args: &Args) -> Res {
    let skip = args.flag(1, "skip_missing", false)?;
    let path = args.need(0, "subelements")?;
    subelements_of(value, path, skip).map(list)
}

/// Pairs of each element and each item of a list below it.
pub(in crate::vars) fn subelements_of(value: &Value, path: &Value, skip: bool) -> Res<Vec<Value>> {
    let elements = match map_pairs(value)? {
        Some(pairs) => pairs.into_iter().map(|(_, element)| element).collect(),
        None if is_list(value) => items(value)?,
        None => return Err(Fault::new("a list of dictionaries or a dictionary of them is expected")),
    };
    let path: Vec<Value> = match path.as_str() {
        Some(path) => path.split('.').map(Value::from).collect(),
        None => items(path)?,
    };
    let mut out = Vec::new();
    for element in elements {
        let mut inner = Some(element.clone());
        for key in &path {
            let Some(value) = &inner else { break };
            if !is_map(value) {
                let (key, kind) = (text(key)?, type_name(value));
                return Err(Fault::new(format!(
                    "the key {key} should point to a dictionary, got '{kind}'"
                )));
            }
            let found = map_get(value, key)?.filter(|found| !is_undef(found));
            if found.is_none() && !skip {
                return Err(Fault::new(format!(
                    "could not find {} key in iterated item",
                    repr(key)?
                )));
            }
            inner = found;
        }
        let Some(inner) = inner else { continue };
        let Some(inner) = list_items(&inner)? else {
            return Err(Fault::new(format!(
                "the key should point to a list, got '{}'",
                type_name(&inner)
            )));
        };
        out.extend(inner.into_iter().map(|item| list(vec![element.clone(), item])));
    }
    Ok(out)
}

fn rekey(_: &Arc<Ctx>, value: &Value, args: &Args) -> Res {
    let key = args.need(0, "key")?;
    let duplicates = args.text(1, "duplicates", "error")?;
    if duplicates != "error" && duplicates != "overwrite" {
        return Err(Fault::new("duplicates must be 'error' or 'overwrite'"));
    }
    let elements = match map_pairs(value)? {
        Some(pairs) => pairs.into_iter().map(|(_, element)| element).collect(),
        None => items(value)?,
    };
    let mut out: IndexMap<Value, Value> = IndexMap::new();
    for element in elements {
        pairs(&element)?;
        let found = map_get(&element, key)?.ok_or_else(|| Fault::new(format!("key {key} was not found")))?;
        let found = defined(found)?;
        if duplicates == "error" && out.contains_key(&found) {
            return Err(Fault::new(format!("key {} is not unique", repr(&found)?)));
        }
        out.insert(found, element);
    }
    Ok(dict(out))
}
