//! Set theory over lists. The order is that of the lists, which Ansible leaves to chance.

use std::collections::HashSet;
use std::sync::Arc;

use crate::vars::Value;
use crate::vars::context::Ctx;
use crate::vars::fault::Res;
use crate::vars::filters::lists::{all_defined, quick_key, unique_by};
use crate::vars::filters::{Args, Entry, items};
use crate::vars::objects::list;
use crate::vars::python::equal;

pub(super) const FILTERS: &[Entry] = &[
    ("union", &["b"], union),
    ("intersect", &["b"], |_, value, args| {
        let (a, b) = both(value, args)?;
        chosen(a, &b, true).map(list)
    }),
    ("difference", &["b"], |_, value, args| {
        let (a, b) = both(value, args)?;
        chosen(a, &b, false).map(list)
    }),
    ("symmetric_difference", &["b"], |_, value, args| {
        let (a, b) = both(value, args)?;
        let mut out = chosen(a.clone(), &b, false)?;
        out.extend(chosen(b, &a, false)?);
        Ok(list(out))
    }),
];

fn both(value: &Value, args: &Args) -> Res<(Vec<Value>, Vec<Value>)> {
    let (a, b) = (items(value)?, items(args.need(0, "b")?)?);
    all_defined(&a)?;
    all_defined(&b)?;
    Ok((a, b))
}

fn union(_: &Arc<Ctx>, value: &Value, args: &Args) -> Res {
    let (mut a, b) = both(value, args)?;
    a.extend(b);
    distinct(a).map(list)
}

fn distinct(items: Vec<Value>) -> Res<Vec<Value>> {
    unique_by(items.into_iter().map(|item| (item.clone(), item)).collect())
}

/// The items of `a` that are (or are not) in `b`, each once.
fn chosen(a: Vec<Value>, b: &[Value], wanted: bool) -> Res<Vec<Value>> {
    let quick: HashSet<String> = b.iter().filter_map(quick_key).collect();
    let slow: Vec<&Value> = b.iter().filter(|item| quick_key(item).is_none()).collect();
    let mut out = Vec::new();
    for item in a {
        let mut inside = quick_key(&item).is_some_and(|key| quick.contains(&key));
        for other in &slow {
            inside = inside || equal(&item, other)?;
        }
        if inside == wanted {
            out.push(item);
        }
    }
    distinct(out)
}

/// True when every item of `a` is in `b`.
pub(in crate::vars) fn is_subset(a: &Value, b: &Value) -> Res<bool> {
    let (a, b) = (items(a)?, items(b)?);
    Ok(chosen(a, &b, false)?.is_empty())
}
