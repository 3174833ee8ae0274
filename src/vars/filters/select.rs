//! Filters that run other filters and tests over a list: `map`, `select`, `selectattr`, `groupby`, …

use std::sync::Arc;

use crate::vars::Value;
use crate::vars::context::Ctx;
use crate::vars::fault::{Fault, Res};
use crate::vars::filters::lists::sort_by_keys;
use crate::vars::filters::{Args, Entry, apply, items, known};
use crate::vars::jinja::path;
use crate::vars::objects::{Group, defined, is_undef, list};
use crate::vars::python::{equal, text, truth};
use crate::vars::tests;

pub(super) const FILTERS: &[Entry] = &[
    ("map", &["*"], map),
    ("select", &["*"], |ctx, value, args| {
        select(ctx, value, args, false, true)
    }),
    ("reject", &["*"], |ctx, value, args| {
        select(ctx, value, args, false, false)
    }),
    ("selectattr", &["*"], |ctx, value, args| {
        select(ctx, value, args, true, true)
    }),
    ("rejectattr", &["*"], |ctx, value, args| {
        select(ctx, value, args, true, false)
    }),
    ("groupby", &["attribute", "default", "case_sensitive"], groupby),
];

fn map(ctx: &Arc<Ctx>, value: &Value, args: &Args) -> Res {
    let items = items(value)?;
    if args.pos.is_empty() {
        let attribute = args
            .get(usize::MAX, "attribute")
            .ok_or_else(|| Fault::new("the name of a filter, or `attribute=`, is missing"))?;
        let default = args.get(usize::MAX, "default");
        if let Some((other, _)) = args
            .named
            .iter()
            .find(|(n, _)| !matches!(&**n, "attribute" | "default"))
        {
            return Err(Fault::new(format!("got an unexpected argument '{other}'")));
        }
        let mapped = items.iter().map(|item| {
            let found = path(item, attribute)?;
            Ok(match default {
                Some(default) if is_undef(&found) => default.clone(),
                _ => found,
            })
        });
        return mapped.collect::<Res<Vec<Value>>>().map(list);
    }
    let name = args.need_text(0, "filter")?;
    let name = known(&name)?;
    let inner = Args {
        pos: args.pos.iter().skip(1).cloned().collect(),
        named: args.named.clone(),
    };
    let mapped = items.iter().map(|item| apply(ctx, name, item, &inner));
    mapped.collect::<Res<Vec<Value>>>().map(list)
}

fn select(ctx: &Arc<Ctx>, value: &Value, args: &Args, by_attribute: bool, wanted: bool) -> Res {
    let mut rest = args.pos.iter();
    let attribute = if by_attribute {
        Some(
            rest.next()
                .ok_or_else(|| Fault::new("the name of an attribute is missing"))?,
        )
    } else {
        None
    };
    let test = rest.next().map(text).transpose()?;
    if let Some(test) = &test {
        tests::known(test)?;
    }
    let inner = Args {
        pos: rest.cloned().collect(),
        named: args.named.clone(),
    };
    let mut out = Vec::new();
    for item in items(value)? {
        let looked_at = match attribute {
            Some(attribute) => path(&item, attribute)?,
            None => item.clone(),
        };
        let answer = match &test {
            Some(test) => truth(&tests::apply(ctx, tests::known(test)?, &looked_at, &inner)?)?,
            None => truth(&looked_at)?,
        };
        if answer == wanted {
            out.push(item);
        }
    }
    Ok(list(out))
}

fn groupby(_: &Arc<Ctx>, value: &Value, args: &Args) -> Res {
    let attribute = args.need(0, "attribute")?;
    let default = args.get(1, "default").filter(|d| !d.is_none());
    let case = args.flag(2, "case_sensitive", false)?;
    let mut keyed = Vec::new();
    for item in items(value)? {
        let found = path(&item, attribute)?;
        let found = match default {
            Some(default) if is_undef(&found) => default.clone(),
            _ => defined(found)?,
        };
        let key = match found.as_str() {
            Some(text) if !case => Value::from(text.to_lowercase()),
            _ => found.clone(),
        };
        keyed.push((vec![key.clone()], list(vec![key, found, item])));
    }
    let mut groups: Vec<(Value, Value, Vec<Value>)> = Vec::new();
    for entry in sort_by_keys(keyed, false)? {
        let entry = items(&entry)?;
        let [key, shown, item] = entry.as_slice() else {
            continue;
        };
        match groups.last_mut() {
            Some((last, _, group)) if equal(last, key)? => group.push(item.clone()),
            _ => groups.push((key.clone(), shown.clone(), vec![item.clone()])),
        }
    }
    Ok(list(
        groups
            .into_iter()
            .map(|(_, grouper, group)| {
                Value::from_object(Group {
                    grouper,
                    list: list(group),
                })
            })
            .collect(),
    ))
}
