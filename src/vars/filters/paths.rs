//! Filters over paths of the controller's kind, and of Windows.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use crate::vars::Value;
use crate::vars::context::Ctx;
use crate::vars::fault::{Fault, Res};
use crate::vars::filters::{Args, Entry, items};
use crate::vars::lookups::files::glob;
use crate::vars::objects::{is_list, list};
use crate::vars::python::{text, type_name};

pub(super) const FILTERS: &[Entry] = &[
    ("basename", &[], |_, value, _| Ok(Value::from(basename(&text(value)?)))),
    ("dirname", &[], |_, value, _| Ok(Value::from(dirname(&text(value)?)))),
    ("expanduser", &[], expanduser),
    ("expandvars", &[], expandvars),
    ("realpath", &["strict"], |_, value, _| {
        Ok(Value::from(realpath(&text(value)?)?))
    }),
    ("relpath", &["start"], relpath),
    ("normpath", &[], |_, value, _| Ok(Value::from(normal(&text(value)?)))),
    ("splitext", &[], splitext),
    ("win_basename", &[], |_, value, _| {
        let text = text(value)?;
        let name = text.rsplit(['\\', '/']).next().unwrap_or("");
        let name = if name.len() == text.len() && name.as_bytes().get(1) == Some(&b':') {
            name.get(2..).unwrap_or("")
        } else {
            name
        };
        Ok(Value::from(name))
    }),
    ("win_dirname", &[], |_, value, _| {
        let text = text(value)?;
        let cut = text.rfind(['\\', '/']).map_or("", |at| text.get(..=at).unwrap_or(""));
        let bare = cut.trim_end_matches(['\\', '/']);
        let root = bare.is_empty() || bare.ends_with(':');
        Ok(Value::from(if root { cut } else { bare }))
    }),
    ("win_splitdrive", &[], |_, value, _| {
        let text = text(value)?;
        let at = if text.as_bytes().get(1) == Some(&b':') { 2 } else { 0 };
        let (drive, rest) = text.split_at_checked(at).unwrap_or(("", &text));
        Ok(list(vec![Value::from(drive), Value::from(rest)]))
    }),
    ("path_join", &[], |_, value, _| {
        if value.as_str().is_some() {
            return Ok(value.clone());
        }
        if !is_list(value) {
            return Err(Fault::new(format!(
                "expects a text or a list, got '{}'",
                type_name(value)
            )));
        }
        let parts: Vec<String> = items(value)?.iter().map(text).collect::<Res<_>>()?;
        Ok(Value::from(join(&parts)))
    }),
    ("commonpath", &[], commonpath),
    ("fileglob", &[], |ctx, value, _| {
        if ctx.shared.options.isolated {
            return Err(Fault::new("files may not be looked for here"));
        }
        Ok(list(
            glob(Path::new(&text(value)?))?
                .into_iter()
                .map(|p| Value::from(p.to_string_lossy().into_owned()))
                .collect(),
        ))
    }),
];

/// What comes after the last slash.
pub(in crate::vars) fn basename(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or("")
}

/// What comes before the last slash.
pub(in crate::vars) fn dirname(path: &str) -> &str {
    let Some(at) = path.rfind('/') else { return "" };
    let head = path.get(..=at).unwrap_or("");
    let bare = head.trim_end_matches('/');
    if bare.is_empty() { head } else { bare }
}

/// Parts put together; an absolute one starts anew.
pub(in crate::vars) fn join(parts: &[String]) -> String {
    let mut out = String::new();
    for (i, part) in parts.iter().enumerate() {
        if part.starts_with('/') || i == 0 {
            out.clone_from(part);
        } else {
            if !out.is_empty() && !out.ends_with('/') {
                out.push('/');
            }
            out.push_str(part);
        }
    }
    out
}

/// A path without `.`, `..` and double slashes, without looking at any file.
pub(super) fn normal(path: &str) -> String {
    let absolute = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if absolute => {}
            part => parts.push(part),
        }
    }
    let body = parts.join("/");
    match (absolute, body.is_empty()) {
        (true, _) => format!("/{body}"),
        (false, true) => ".".to_owned(),
        (false, false) => body,
    }
}

fn absolute(path: &str) -> Res<String> {
    if path.starts_with('/') {
        return Ok(normal(path));
    }
    let here = std::env::current_dir().map_err(|e| Fault::new(format!("no current directory: {e}")))?;
    Ok(normal(&format!("{}/{path}", here.display())))
}

/// The path without links, as far as it exists.
fn realpath(path: &str) -> Res<String> {
    let path = absolute(path)?;
    let mut done = PathBuf::from("/");
    let mut missing = false;
    for part in Path::new(&path).components() {
        if let Component::Normal(part) = part {
            done.push(part);
            if !missing {
                match std::fs::canonicalize(&done) {
                    Ok(real) => done = real,
                    Err(_) => missing = true,
                }
            }
        }
    }
    Ok(done.to_string_lossy().into_owned())
}

fn relpath(_: &Arc<Ctx>, value: &Value, args: &Args) -> Res {
    let path = absolute(&text(value)?)?;
    let start = absolute(&args.text(0, "start", ".")?)?;
    let split = |path: &str| {
        path.split('/')
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let (path, start) = (split(&path), split(&start));
    let common = path.iter().zip(&start).take_while(|(a, b)| a == b).count();
    let mut parts = vec!["..".to_owned(); start.len() - common];
    parts.extend(path.into_iter().skip(common));
    Ok(Value::from(if parts.is_empty() {
        ".".to_owned()
    } else {
        parts.join("/")
    }))
}

fn splitext(_: &Arc<Ctx>, value: &Value, _: &Args) -> Res {
    let path = text(value)?;
    let name_at = path.rfind('/').map_or(0, |at| at + 1);
    let name = path.get(name_at..).unwrap_or("");
    let leading = name.len() - name.trim_start_matches('.').len();
    let at = match name.rfind('.') {
        Some(at) if at >= leading && leading < name.len() && at > 0 => name_at + at,
        _ => path.len(),
    };
    let (root, extension) = path.split_at_checked(at).unwrap_or((&path, ""));
    Ok(list(vec![Value::from(root), Value::from(extension)]))
}

fn expanduser(ctx: &Arc<Ctx>, value: &Value, _: &Args) -> Res {
    let path = text(value)?;
    let home = ctx.shared.options.environment.get("HOME");
    Ok(match (path.strip_prefix('~'), home) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => Value::from(format!("{home}{rest}")),
        _ => Value::from(path),
    })
}

fn expandvars(ctx: &Arc<Ctx>, value: &Value, _: &Args) -> Res {
    let text = text(value)?;
    let regex = crate::vars::regex::compile(ctx, r"\$(?:(\w+)|\{([^}]*)\})", false, false)?;
    let environment = &ctx.shared.options.environment;
    let expanded = regex.replace_all(&text, |captures: &fancy_regex::Captures<'_, str>| {
        let name = captures.get(1).or(captures.get(2)).map_or("", |m| m.as_str());
        let whole = captures.get(0).map_or("", |m| m.as_str());
        environment.get(name).cloned().unwrap_or_else(|| whole.to_owned())
    });
    Ok(Value::from(expanded.into_owned()))
}

fn commonpath(_: &Arc<Ctx>, value: &Value, _: &Args) -> Res {
    if !is_list(value) {
        return Err(Fault::new(format!("expects a list, got '{}'", type_name(value))));
    }
    let paths: Vec<String> = items(value)?.iter().map(text).collect::<Res<_>>()?;
    let Some(first) = paths.first() else {
        return Err(Fault::new("the list of paths is empty"));
    };
    let absolute = first.starts_with('/');
    if paths.iter().any(|path| path.starts_with('/') != absolute) {
        return Err(Fault::new("absolute and relative paths cannot be mixed"));
    }
    let split = |path: &str| -> Vec<String> {
        path.split('/')
            .filter(|part| !part.is_empty() && *part != ".")
            .map(str::to_owned)
            .collect()
    };
    let mut common = split(first);
    for path in &paths {
        let parts = split(path);
        let same = common.iter().zip(&parts).take_while(|(a, b)| a == b).count();
        common.truncate(same);
    }
    Ok(Value::from(format!(
        "{}{}",
        if absolute { "/" } else { "" },
        common.join("/")
    )))
}
