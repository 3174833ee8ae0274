//! Ansible's tests: what stands after `is`.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::io::Read as _;
use std::sync::{Arc, LazyLock};

use minijinja::value::ValueKind;

use crate::source::nearest;
use crate::vars::context::Ctx;
use crate::vars::fault::{Fault, Res};
use crate::vars::filters::{Args, fits, is_subset, known as known_filter};
use crate::vars::jinja::{Cmp, compare, contains};
use crate::vars::objects::{is_list, is_map, is_undef, iterate, list_items, map_get, undef};
use crate::vars::python::{Num, equal, number, strict_number, text, truth, type_name, whole};
use crate::vars::{Value, regex, version};
use crate::vault::{HEADER, is_vault};

type Test = fn(&Arc<Ctx>, &Value, &Args) -> Res<bool>;
type Entry = (&'static str, &'static [&'static str], Test);

const TESTS: &[Entry] = &[
    ("defined", &[], |_, value, _| Ok(!is_undef(value))),
    ("undefined", &[], |_, value, _| Ok(is_undef(value))),
    ("none", &[], |_, value, _| Ok(value.is_none())),
    ("string", &[], |_, value, _| Ok(value.as_str().is_some())),
    ("number", &[], |_, value, _| Ok(number(value).is_some())),
    ("integer", &[], |_, value, _| {
        Ok(matches!(strict_number(value), Some(Num::Int(_))))
    }),
    ("float", &[], |_, value, _| {
        Ok(matches!(strict_number(value), Some(Num::Float(_))))
    }),
    ("boolean", &[], |_, value, _| Ok(value.kind() == ValueKind::Bool)),
    ("true", &[], |_, value, _| {
        Ok(value.kind() == ValueKind::Bool && value.is_true())
    }),
    ("false", &[], |_, value, _| {
        Ok(value.kind() == ValueKind::Bool && !value.is_true())
    }),
    ("mapping", &[], |_, value, _| Ok(is_map(value))),
    ("iterable", &[], |_, value, _| {
        Ok(is_list(value) || is_map(value) || value.as_str().is_some())
    }),
    ("sequence", &[], |_, value, _| {
        Ok(is_list(value) || is_map(value) || value.as_str().is_some())
    }),
    ("callable", &[], |_, value, _| Ok(value.kind() == ValueKind::Plain)),
    ("escaped", &[], |_, _, _| Ok(false)),
    ("filter", &[], |_, value, _| Ok(known_filter(&text(value)?).is_ok())),
    ("test", &[], |_, value, _| Ok(known(&text(value)?).is_ok())),
    ("lower", &[], |_, value, _| case(value, false)),
    ("upper", &[], |_, value, _| case(value, true)),
    ("even", &[], |_, value, _| rest(value, 2).map(|rest| rest == 0)),
    ("odd", &[], |_, value, _| rest(value, 2).map(|rest| rest != 0)),
    ("divisibleby", &["num"], |_, value, args| {
        let by = whole(args.need(0, "num")?).filter(|by| *by != 0);
        let by = by.ok_or_else(|| Fault::new("a whole number that is not zero is expected"))?;
        rest(value, by).map(|rest| rest == 0)
    }),
    ("eq", &["b"], |_, value, args| {
        compare(Cmp::Eq, value, args.need(0, "b")?)
    }),
    ("ne", &["b"], |_, value, args| {
        compare(Cmp::Ne, value, args.need(0, "b")?)
    }),
    ("lt", &["b"], |_, value, args| {
        compare(Cmp::Lt, value, args.need(0, "b")?)
    }),
    ("le", &["b"], |_, value, args| {
        compare(Cmp::Le, value, args.need(0, "b")?)
    }),
    ("gt", &["b"], |_, value, args| {
        compare(Cmp::Gt, value, args.need(0, "b")?)
    }),
    ("ge", &["b"], |_, value, args| {
        compare(Cmp::Ge, value, args.need(0, "b")?)
    }),
    ("in", &["seq"], |_, value, args| contains(args.need(0, "seq")?, value)),
    ("contains", &["value"], |_, value, args| {
        contains(value, args.need(0, "value")?)
    }),
    ("sameas", &["other"], |_, value, args| {
        let other = args.need(0, "other")?;
        Ok(type_name(value) == type_name(other) && equal(value, other)?)
    }),
    ("subset", &["b"], |_, value, args| is_subset(value, args.need(0, "b")?)),
    ("superset", &["b"], |_, value, args| {
        is_subset(args.need(0, "b")?, value)
    }),
    ("all", &[], |_, value, _| {
        for item in iterate(value)? {
            if !truth(&item)? {
                return Ok(false);
            }
        }
        Ok(true)
    }),
    ("any", &[], |_, value, _| {
        for item in iterate(value)? {
            if truth(&item)? {
                return Ok(true);
            }
        }
        Ok(false)
    }),
    ("truthy", &["convert_bool"], |_, value, args| truthy(value, args)),
    ("falsy", &["convert_bool"], |_, value, args| {
        truthy(value, args).map(|is| !is)
    }),
    ("failed", &[], |_, value, _| flag(value, "failed")),
    ("succeeded", &[], |_, value, _| {
        flag(value, "failed").map(|failed| !failed)
    }),
    ("changed", &[], |_, value, _| changed(value)),
    ("skipped", &[], |_, value, _| flag(value, "skipped")),
    ("unreachable", &[], |_, value, _| flag(value, "unreachable")),
    ("reachable", &[], |_, value, _| flag(value, "unreachable").map(|is| !is)),
    ("timedout", &[], |_, value, _| {
        result(value)?;
        match map_get(value, &"timedout".into())? {
            Some(timedout) if is_map(&timedout) => {
                map_get(&timedout, &"period".into())?.map_or(Ok(false), |period| truth(&period))
            }
            _ => Ok(false),
        }
    }),
    ("started", &[], |_, value, _| begun(value, "started")),
    ("finished", &[], |_, value, _| begun(value, "finished")),
    ("match", &["pattern", "ignorecase", "multiline"], |ctx, value, args| {
        matches_regex(ctx, value, args, "match")
    }),
    ("search", &["pattern", "ignorecase", "multiline"], |ctx, value, args| {
        matches_regex(ctx, value, args, "search")
    }),
    (
        "regex",
        &["pattern", "ignorecase", "multiline", "match_type"],
        |ctx, value, args| {
            let kind = args.text(3, "match_type", "search")?;
            matches_regex(ctx, value, args, &kind)
        },
    ),
    (
        "version",
        &["version", "operator", "strict", "version_type"],
        version::test,
    ),
    ("abs", &[], |_, value, _| Ok(text(value)?.starts_with('/'))),
    ("file", &[], |_, value, _| {
        Ok(std::path::Path::new(&text(value)?).is_file())
    }),
    ("directory", &[], |_, value, _| {
        Ok(std::path::Path::new(&text(value)?).is_dir())
    }),
    ("exists", &[], |_, value, _| {
        Ok(std::path::Path::new(&text(value)?).exists())
    }),
    ("link", &[], |_, value, _| {
        Ok(std::path::Path::new(&text(value)?).is_symlink())
    }),
    ("link_exists", &[], |_, value, _| {
        Ok(std::fs::symlink_metadata(text(value)?).is_ok())
    }),
    ("mount", &[], |_, value, _| Ok(is_mount(&text(value)?))),
    ("same_file", &["path"], |_, value, args| {
        same_file(&text(value)?, &args.need_text(0, "path")?)
    }),
    ("url", &["schemes"], url),
    ("uri", &["schemes"], |_, value, args| uri(value, args)),
    ("urn", &[], |_, value, _| {
        Ok(text(value)?.to_lowercase().starts_with("urn:"))
    }),
    // Of the value of a variable: whether it was written as `!vault`.
    ("vault_encrypted", &[], |ctx, value, _| {
        Ok(value.as_str().is_some_and(|text| ctx.shared.options.vault.gave(text)))
    }),
    ("vaulted_file", &[], |ctx, value, _| {
        let path = text(value)?;
        if ctx.shared.options.isolated {
            return Err(Fault::new("files may not be read here"));
        }
        let mut begin = Vec::new();
        std::fs::File::open(&path)
            .and_then(|file| file.take(HEADER.len() as u64).read_to_end(&mut begin))
            .map_err(|e| Fault::new(format!("cannot read `{path}`: {e}")))?;
        Ok(is_vault(&begin))
    }),
    ("nan", &[], |_, value, _| {
        Ok(number(value).is_some_and(|n| n.float().is_nan()))
    }),
];

/// Other names of the same tests.
const ALIASES: &[(&str, &str)] = &[
    ("equalto", "eq"),
    ("==", "eq"),
    ("!=", "ne"),
    ("lessthan", "lt"),
    ("<", "lt"),
    ("<=", "le"),
    ("greaterthan", "gt"),
    (">", "gt"),
    (">=", "ge"),
    ("failure", "failed"),
    ("success", "succeeded"),
    ("successful", "succeeded"),
    ("change", "changed"),
    ("skip", "skipped"),
    ("version_compare", "version"),
    ("issubset", "subset"),
    ("issuperset", "superset"),
    ("is_file", "file"),
    ("is_dir", "directory"),
    ("is_abs", "abs"),
    ("is_link", "link"),
    ("is_mount", "mount"),
    ("is_same_file", "same_file"),
    ("isnan", "nan"),
];

static ALL: LazyLock<HashMap<&'static str, &'static Entry>> =
    LazyLock::new(|| TESTS.iter().map(|entry| (entry.0, entry)).collect());

/// The plain name of a test, which may be written with its collection or as an alias.
pub(in crate::vars) fn known(name: &str) -> Res<&'static str> {
    let plain = name
        .strip_prefix("ansible.builtin.")
        .or_else(|| name.strip_prefix("ansible.legacy."))
        .unwrap_or(name);
    let plain = ALIASES
        .iter()
        .find(|(alias, _)| *alias == plain)
        .map_or(plain, |(_, name)| *name);
    if let Some(entry) = ALL.get(plain) {
        return Ok(entry.0);
    }
    let fault = Fault::new(format!("no test named `{name}`"));
    let names = TESTS
        .iter()
        .map(|entry| entry.0)
        .chain(ALIASES.iter().map(|(alias, _)| *alias));
    Err(match nearest(plain, names) {
        Some(near) => fault.help(format!("did you mean `{near}`?")),
        None => fault,
    })
}

/// Runs a test. What is undefined stays so, except for those that ask about it.
pub(in crate::vars) fn apply(ctx: &Arc<Ctx>, name: &str, value: &Value, args: &Args) -> Res {
    ctx.spend(1)?;
    let (name, params, test) = match ALL.get(name) {
        Some(entry) => *entry,
        None => ALL[known(name)?],
    };
    if !matches!(*name, "defined" | "undefined") {
        if is_undef(value) {
            return Ok(value.clone());
        }
        if let Some(undefined) = args.first_undef() {
            return Ok(undefined);
        }
    }
    let answer = fits(params, args).and_then(|()| test(ctx, value, args));
    answer.map(Value::from).map_err(|mut fault| {
        if !fault.undefined {
            fault.message = format!("the test '{name}' failed: {}", fault.message);
        }
        fault
    })
}

fn case(value: &Value, upper: bool) -> Res<bool> {
    let text = text(value)?;
    let wrong = text
        .chars()
        .any(|c| if upper { c.is_lowercase() } else { c.is_uppercase() });
    let right = text
        .chars()
        .any(|c| if upper { c.is_uppercase() } else { c.is_lowercase() });
    Ok(right && !wrong)
}

fn rest(value: &Value, by: i128) -> Res<i128> {
    let number = whole(value).ok_or_else(|| {
        let kind = type_name(value);
        Fault::new(format!("a whole number is expected, got '{kind}'")).help("convert it with `| int`")
    })?;
    Ok(number.checked_rem(by).unwrap_or(0))
}

fn truthy(value: &Value, args: &Args) -> Res<bool> {
    if args.flag(0, "convert_bool", false)?
        && let Some(word) = value.as_str().map(str::to_lowercase)
    {
        let yes = ["y", "yes", "on", "1", "true", "t", "1.0"];
        let no = ["n", "no", "off", "0", "false", "f", "0.0"];
        if yes.contains(&word.as_str()) || no.contains(&word.as_str()) {
            return Ok(yes.contains(&word.as_str()));
        }
        return truth(value);
    }
    truth(value)
}

/// A task's result.
fn result(value: &Value) -> Res<()> {
    if is_map(value) {
        return Ok(());
    }
    let kind = type_name(value);
    Err(Fault::new(format!("expects a dictionary, got '{kind}'")).help("give it the whole registered result"))
}

fn flag(value: &Value, name: &str) -> Res<bool> {
    result(value)?;
    map_get(value, &Value::from(name))?.map_or(Ok(false), |flag| truth(&flag))
}

fn changed(value: &Value) -> Res<bool> {
    result(value)?;
    if map_get(value, &"changed".into())?.is_some() {
        return flag(value, "changed");
    }
    let Some(results) = map_get(value, &"results".into())? else {
        return Ok(false);
    };
    for result in list_items(&results)?.unwrap_or_default() {
        if is_map(&result) && flag(&result, "changed")? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn begun(value: &Value, name: &str) -> Res<bool> {
    result(value)?;
    match map_get(value, &Value::from(name))? {
        Some(flag) => truth(&flag),
        None => Ok(true),
    }
}

fn matches_regex(ctx: &Arc<Ctx>, value: &Value, args: &Args, kind: &str) -> Res<bool> {
    if let Some(undef) = undef(value) {
        return Err(undef.fault());
    }
    let pattern = args.text(0, "pattern", "")?;
    let flags = (args.flag(1, "ignorecase", false)?, args.flag(2, "multiline", false)?);
    regex::is_match(ctx, &pattern, &text(value)?, kind, flags)
}

fn is_mount(path: &str) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let Ok(meta) = std::fs::symlink_metadata(path) else {
        return false;
    };
    let above = std::fs::symlink_metadata(std::path::Path::new(path).join(".."));
    !meta.is_symlink() && above.is_ok_and(|above| above.dev() != meta.dev() || above.ino() == meta.ino())
}

fn same_file(a: &str, b: &str) -> Res<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let meta = |path: &str| std::fs::metadata(path).map_err(|e| Fault::new(format!("cannot look at `{path}`: {e}")));
    let (a, b) = (meta(a)?, meta(b)?);
    Ok(a.dev() == b.dev() && a.ino() == b.ino())
}

fn uri(value: &Value, args: &Args) -> Res<bool> {
    let text = text(value)?;
    let Some((scheme, rest)) = text.split_once(':') else {
        return Ok(false);
    };
    let scheme = scheme.to_lowercase();
    let wanted = match args.get(0, "schemes").filter(|schemes| !schemes.is_none()) {
        Some(schemes) => contains(schemes, &Value::from(scheme.as_str()))?,
        None => true,
    };
    let is_word = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    Ok(wanted && is_word && !rest.is_empty())
}

fn url(_: &Arc<Ctx>, value: &Value, args: &Args) -> Res<bool> {
    let text = text(value)?;
    let host = text
        .split_once("://")
        .map(|(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or(""));
    Ok(uri(value, args)? && host.is_some_and(|host| !host.is_empty()))
}

/// The answer of a comparison operator.
pub(in crate::vars) fn holds(operator: &str, found: Ordering) -> Option<bool> {
    Some(match operator {
        "==" | "=" | "eq" => found.is_eq(),
        "!=" | "<>" | "ne" => found.is_ne(),
        "<" | "lt" => found.is_lt(),
        "<=" | "le" => found.is_le(),
        ">" | "gt" => found.is_gt(),
        ">=" | "ge" => found.is_ge(),
        _ => return None,
    })
}
