//! Filters with regular expressions.

use std::sync::Arc;

use crate::vars::Value;
use crate::vars::context::Ctx;
use crate::vars::fault::{Fault, Res};
use crate::vars::filters::{Args, Entry};
use crate::vars::jinja::check_length;
use crate::vars::objects::list;
use crate::vars::python::text;
use crate::vars::regex::{all, compile, escape, expand};

pub(super) const FILTERS: &[Entry] = &[
    (
        "regex_replace",
        &[
            "pattern",
            "replacement",
            "ignorecase",
            "multiline",
            "count",
            "mandatory_count",
        ],
        replace,
    ),
    ("regex_search", &["*"], search),
    ("regex_findall", &["regex", "multiline", "ignorecase"], findall),
    ("regex_escape", &["re_type"], |_, value, args| {
        let text = text(value)?;
        Ok(Value::from(match args.text(0, "re_type", "python")?.as_str() {
            "python" => escape(&text),
            "posix_basic" => text.chars().fold(String::new(), |mut out, c| {
                if "[].^$*\\".contains(c) {
                    out.push('\\');
                }
                out.push(c);
                out
            }),
            other => return Err(Fault::new(format!("invalid regex type ({other})")).help("types: python, posix_basic")),
        }))
    }),
];

fn failed(error: &fancy_regex::Error) -> Fault {
    Fault::new(format!("the regular expression takes too long or failed: {error}"))
}

fn replace(ctx: &Arc<Ctx>, value: &Value, args: &Args) -> Res {
    let text = text(value)?;
    let (pattern, replacement) = (args.text(0, "pattern", "")?, args.text(1, "replacement", "")?);
    let (ignorecase, multiline) = (args.flag(2, "ignorecase", false)?, args.flag(3, "multiline", false)?);
    let (count, wanted) = (args.size(4, "count", 0)?, args.size(5, "mandatory_count", 0)?);
    let regex = compile(ctx, &pattern, ignorecase, multiline)?;
    let mut out = String::new();
    let (mut from, mut done) = (0, 0);
    for captures in all(&regex, &text, count)? {
        let Some(whole) = captures.get(0) else { continue };
        out.push_str(text.get(from..whole.start()).unwrap_or(""));
        expand(&mut out, &replacement, &captures)?;
        check_length(out.len())?;
        from = whole.end();
        done += 1;
    }
    out.push_str(text.get(from..).unwrap_or(""));
    if wanted > 0 && done != wanted {
        return Err(Fault::new(format!(
            "'{pattern}' should match {wanted} times, but matches {done} times"
        )));
    }
    Ok(Value::from(out))
}

fn search(ctx: &Arc<Ctx>, value: &Value, args: &Args) -> Res {
    let haystack = text(value)?;
    let pattern = args.need_text(0, "regex")?;
    let ignorecase = args.flag(usize::MAX, "ignorecase", false)?;
    let multiline = args.flag(usize::MAX, "multiline", false)?;
    if let Some((other, _)) = args
        .named
        .iter()
        .find(|(n, _)| !matches!(&**n, "regex" | "ignorecase" | "multiline"))
    {
        return Err(Fault::new(format!("got an unexpected argument '{other}'")));
    }
    let regex = compile(ctx, &pattern, ignorecase, multiline)?;
    let groups: Vec<String> = args.pos.iter().skip(1).map(text).collect::<Res<_>>()?;
    let Some(captures) = regex.captures(&haystack).map_err(|e| failed(&e))? else {
        return Ok(Value::from(()));
    };
    let found = |group: Option<fancy_regex::Match<'_>>| group.map_or(Value::from(()), |g| Value::from(g.as_str()));
    if groups.is_empty() {
        return Ok(found(captures.get(0)));
    }
    let mut out = Vec::new();
    for group in &groups {
        let named = group.strip_prefix("\\g<").and_then(|rest| rest.strip_suffix('>'));
        let name = named.or_else(|| group.strip_prefix('\\')).ok_or_else(|| {
            Fault::new(format!("unknown argument '{group}'")).help("groups are written as '\\1' or '\\g<name>'")
        })?;
        let exists = match name.parse::<usize>() {
            Ok(number) => number < regex.captures_len(),
            Err(_) => regex.capture_names().flatten().any(|known| known == name),
        };
        if !exists {
            return Err(Fault::new(format!("no such group: '{group}'")));
        }
        out.push(found(match name.parse::<usize>() {
            Ok(number) => captures.get(number),
            Err(_) => captures.name(name),
        }));
    }
    Ok(list(out))
}

fn findall(ctx: &Arc<Ctx>, value: &Value, args: &Args) -> Res {
    let haystack = text(value)?;
    let pattern = args.need_text(0, "regex")?;
    let (multiline, ignorecase) = (args.flag(1, "multiline", false)?, args.flag(2, "ignorecase", false)?);
    let regex = compile(ctx, &pattern, ignorecase, multiline)?;
    let mut out = Vec::new();
    for captures in all(&regex, &haystack, 0)? {
        let group = |i: usize| Value::from(captures.get(i).map_or("", |group| group.as_str()));
        out.push(match captures.len() {
            1 => group(0),
            2 => group(1),
            len => list((1..len).map(group).collect()),
        });
    }
    Ok(list(out))
}
