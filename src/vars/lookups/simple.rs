//! Lookups over values: `items`, `dict`, `nested`, `sequence`, `vars`, …

use crate::vars::Value;
use crate::vars::fault::{Fault, Res};
use crate::vars::filters::{cartesian, flatten_value, pick, subelements_of};
use crate::vars::format::{Operand, percent};
use crate::vars::lookups::{Call, words};
use crate::vars::objects::{
    MOST_ITEMS, defined, dict, is_map, iterate, list, list_items, map_get, map_keys, map_pairs,
};
use crate::vars::{python, regex};

pub(super) const LOOKUPS: &[(&str, super::Lookup)] = &[
    ("env", env),
    ("vars", vars),
    ("varnames", varnames),
    ("items", |call| flatten_value(&list(call.terms.clone()), Some(1))),
    ("list", |call| Ok(call.terms.clone())),
    ("flattened", |call| flatten_value(&list(call.terms.clone()), None)),
    ("dict", dict_items),
    ("nested", nested),
    ("cartesian", nested),
    ("together", together),
    ("indexed_items", |call| {
        let items = flatten_value(&list(call.terms.clone()), Some(1))?;
        Ok(items
            .into_iter()
            .enumerate()
            .map(|(i, item)| list(vec![python::size(i), item]))
            .collect())
    }),
    ("subelements", subelements),
    ("sequence", sequence),
    ("random_choice", |call| {
        Ok(if call.terms.is_empty() {
            Vec::new()
        } else {
            vec![pick(&call.terms)?]
        })
    }),
    ("inventory_hostnames", hostnames),
];

fn env(call: &Call<'_>) -> Res<Vec<Value>> {
    let default = call
        .options
        .get(usize::MAX, "default")
        .cloned()
        .unwrap_or_else(|| Value::from(""));
    let environment = &call.ctx.shared.options.environment;
    let names = call.texts()?;
    let found = names.iter().map(|name| {
        let name = name.split_whitespace().next().unwrap_or("");
        environment
            .get(name)
            .map_or_else(|| default.clone(), |value| Value::from(value.as_str()))
    });
    Ok(found.collect())
}

fn vars(call: &Call<'_>) -> Res<Vec<Value>> {
    let default = call.options.get(usize::MAX, "default");
    let mut out = Vec::new();
    for name in call.texts()? {
        match (call.ctx.variable(&name)?, default) {
            (Some(value), _) => out.push(value),
            (None, Some(default)) => out.push(default.clone()),
            (None, None) => return Err(Fault::undefined(format!("no variable found with this name: {name}"))),
        }
    }
    Ok(out)
}

fn varnames(call: &Call<'_>) -> Res<Vec<Value>> {
    let mut out = Vec::new();
    let names = call.ctx.scope.names();
    for pattern in call.texts()? {
        for name in &names {
            if regex::is_match(call.ctx, &pattern, name, "search", (false, false))? {
                out.push(Value::from(*name));
            }
        }
    }
    Ok(out)
}

fn dict_items(call: &Call<'_>) -> Res<Vec<Value>> {
    let mut out = Vec::new();
    for term in flatten_value(&list(call.terms.clone()), Some(1))? {
        let term = defined(term)?;
        let Some(pairs) = map_pairs(&term)? else {
            let kind = python::type_name(&term);
            return Err(Fault::new(format!("a dictionary is expected, got '{kind}'")));
        };
        out.extend(
            pairs
                .into_iter()
                .map(|(k, v)| dict([("key".into(), k), ("value".into(), v)])),
        );
    }
    Ok(out)
}

fn columns(call: &Call<'_>) -> Res<Vec<Vec<Value>>> {
    let column = |term: &Value| Ok(list_items(&defined(term.clone())?)?.unwrap_or_else(|| vec![term.clone()]));
    call.terms.iter().map(column).collect()
}

fn nested(call: &Call<'_>) -> Res<Vec<Value>> {
    let columns = columns(call)?;
    if columns.is_empty() {
        return Err(Fault::new("needs at least one list"));
    }
    let rows = cartesian(&columns)?;
    rows.into_iter()
        .map(|row| flatten_value(&list(row), Some(1)).map(list))
        .collect()
}

fn together(call: &Call<'_>) -> Res<Vec<Value>> {
    let columns = columns(call)?;
    if columns.is_empty() {
        return Err(Fault::new("needs at least one list"));
    }
    let rows = columns.iter().map(Vec::len).max().unwrap_or(0);
    let cell = |column: &Vec<Value>, row: usize| column.get(row).cloned().unwrap_or_else(|| Value::from(()));
    Ok((0..rows)
        .map(|row| list(columns.iter().map(|column| cell(column, row)).collect()))
        .collect())
}

fn subelements(call: &Call<'_>) -> Res<Vec<Value>> {
    let [elements, path, rest @ ..] = call.terms.as_slice() else {
        return Err(Fault::new("needs a list or dictionary and the name of a key"));
    };
    let mut skip = call.flag("skip_missing", false)?;
    if let Some(flags) = rest.first().filter(|flags| is_map(flags))
        && let Some(flag) = map_get(flags, &"skip_missing".into())?
    {
        skip = python::truth(&flag)?;
    }
    subelements_of(&defined(elements.clone())?, path, skip)
}

/// `start=1 end=5 stride=2 format=web%02d`, `count=3`, `5`, `2-10/2:web%02d`.
fn sequence(call: &Call<'_>) -> Res<Vec<Value>> {
    let mut out = Vec::new();
    let terms = if call.terms.is_empty() {
        vec![String::new()]
    } else {
        call.texts()?
    };
    for term in terms {
        let (mut start, mut end, mut stride, mut count, mut format) = (None, None, None, None, None);
        for key in ["start", "end", "stride", "count"] {
            if let Some(text) = call.text(key)? {
                let number = Some(whole(&text)?);
                match key {
                    "start" => start = number,
                    "end" => end = number,
                    "stride" => stride = number,
                    _ => count = number,
                }
            }
        }
        format = call.text("format")?.or(format.take());
        if term.contains('=') {
            for word in words(&term)? {
                let (key, text) = word
                    .split_once('=')
                    .ok_or_else(|| Fault::new(format!("can't understand '{word}' in a sequence")))?;
                match key {
                    "start" => start = Some(whole(text)?),
                    "end" => end = Some(whole(text)?),
                    "stride" => stride = Some(whole(text)?),
                    "count" => count = Some(whole(text)?),
                    "format" => format = Some(text.to_owned()),
                    other => return Err(Fault::new(format!("unrecognized argument to sequence: {other}"))),
                }
            }
        } else if !term.is_empty() {
            let (numbers, shape) = term
                .split_once(':')
                .map_or((term.as_str(), None), |(a, b)| (a, Some(b)));
            let (numbers, step) = numbers.split_once('/').map_or((numbers, None), |(a, b)| (a, Some(b)));
            match numbers.split_once('-') {
                Some((from, to)) if !from.is_empty() => {
                    start = Some(whole(from)?);
                    end = Some(whole(to)?);
                }
                _ => end = Some(whole(numbers)?),
            }
            stride = step.map(whole).transpose()?.or(stride);
            format = shape.map(str::to_owned).or(format);
        }
        let start = start.unwrap_or(1);
        let stride = stride.unwrap_or(if end.is_some_and(|end| end < start) && count.is_none() {
            -1
        } else {
            1
        });
        let end = match (end, count) {
            (Some(_), Some(_)) => return Err(Fault::new("can't specify both count and end in a sequence")),
            (Some(end), None) => end,
            (None, Some(0)) => continue,
            (None, Some(count)) => {
                let last = count
                    .checked_sub(1)
                    .and_then(|n| n.checked_mul(stride))
                    .and_then(|n| n.checked_add(start));
                last.ok_or_else(|| Fault::new("the sequence is too long"))?
            }
            (None, None) => return Err(Fault::new("must specify count or end in a sequence")),
        };
        if stride == 0 || (stride > 0 && end < start) || (stride < 0 && end > start) {
            if stride == 0 {
                continue;
            }
            let word = if stride > 0 { "backwards" } else { "forward" };
            return Err(Fault::new(format!("to count {word} the stride needs the other sign")));
        }
        let format = format.unwrap_or_else(|| "%d".to_owned());
        let steps = (i128::from(end) - i128::from(start)) / i128::from(stride);
        if steps > i128::try_from(MOST_ITEMS / 10).unwrap_or(0) {
            return Err(Fault::new("the sequence is too long"));
        }
        for step in 0..=steps {
            let number = python::int(i128::from(start) + step * i128::from(stride));
            out.push(Value::from(percent(&format, Operand::One(&number))?));
        }
    }
    Ok(out)
}

fn whole(text: &str) -> Res<i64> {
    let clean = text.trim();
    let number = match clean.get(..2) {
        Some("0x" | "0X") => i64::from_str_radix(clean.get(2..).unwrap_or(""), 16),
        Some("0o" | "0O") => i64::from_str_radix(clean.get(2..).unwrap_or(""), 8),
        _ => clean.parse(),
    };
    number.map_err(|_| Fault::new(format!("can't parse '{text}' as a whole number")))
}

/// Hosts of a pattern: names and groups, `!` takes away, `&` keeps only.
fn hostnames(call: &Call<'_>) -> Res<Vec<Value>> {
    let Some(groups) = call.ctx.variable("groups")? else {
        return Err(Fault::new("the inventory is not known here"));
    };
    let members = |name: &str| -> Res<Vec<Value>> {
        let all = || map_get(&groups, &"all".into());
        if name == "*" {
            return all()?.map_or(Ok(Vec::new()), |all| iterate(&all));
        }
        if let Some(group) = map_get(&groups, &Value::from(name))? {
            return iterate(&group);
        }
        let mut out = Vec::new();
        for key in map_keys(&groups).unwrap_or_default() {
            let fits = key
                .as_str()
                .is_some_and(|key| super::files::fits(name.as_bytes(), key.as_bytes()));
            if fits && let Some(group) = map_get(&groups, &key)? {
                out.extend(iterate(&group)?);
            }
        }
        for host in all()?.map_or(Ok(Vec::new()), |all| iterate(&all))? {
            if host
                .as_str()
                .is_some_and(|host| super::files::fits(name.as_bytes(), host.as_bytes()))
            {
                out.push(host);
            }
        }
        Ok(out)
    };
    let mut found: Vec<Value> = Vec::new();
    for pattern in call.texts()? {
        let parts: Vec<&str> = pattern
            .split([':', ','])
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .collect();
        let plain = parts.iter().filter(|part| !part.starts_with(['!', '&']));
        for part in plain {
            for host in members(part)? {
                if !found.contains(&host) {
                    found.push(host);
                }
            }
        }
        for part in &parts {
            if let Some(name) = part.strip_prefix('&') {
                let kept = members(name)?;
                found.retain(|host| kept.contains(host));
            } else if let Some(name) = part.strip_prefix('!') {
                let dropped = members(name)?;
                found.retain(|host| !dropped.contains(host));
            }
        }
    }
    Ok(found)
}
