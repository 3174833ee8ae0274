//! Filters over text.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::vars::Value;
use crate::vars::context::Ctx;
use crate::vars::fault::{Fault, Res};
use crate::vars::filters::wrap::wordwrap;
use crate::vars::filters::{Args, Entry};
use crate::vars::jinja::check_length;
use crate::vars::objects::{iterate, list, map_pairs};
use crate::vars::python::{self, text};
use crate::vars::{format, methods};

pub(super) const FILTERS: &[Entry] = &[
    ("lower", &[], |_, value, _| Ok(Value::from(text(value)?.to_lowercase()))),
    ("upper", &[], |_, value, _| Ok(Value::from(text(value)?.to_uppercase()))),
    ("capitalize", &[], |_, value, _| {
        Ok(Value::from(methods::capitalize(&text(value)?)))
    }),
    ("title", &[], |_, value, _| Ok(Value::from(title(&text(value)?)))),
    ("trim", &["chars"], trim),
    ("replace", &["old", "new", "count"], replace),
    ("indent", &["width", "first", "blank"], indent),
    ("center", &["width"], center),
    ("truncate", &["length", "killwords", "end", "leeway"], truncate),
    ("wordcount", &[], |_, value, _| {
        let text = text(value)?;
        let words = text
            .split(|c: char| !(c.is_alphanumeric() || c == '_'))
            .filter(|word| !word.is_empty());
        Ok(python::size(words.count()))
    }),
    (
        "wordwrap",
        &["width", "break_long_words", "wrapstring", "break_on_hyphens"],
        wordwrap,
    ),
    (
        "comment",
        &[
            "style",
            "decoration",
            "prefix",
            "prefix_count",
            "postfix",
            "postfix_count",
            "beginning",
            "end",
            "newline",
        ],
        comment,
    ),
    ("quote", &[], |_, value, _| {
        let text = if value.is_none() { String::new() } else { text(value)? };
        Ok(Value::from(shell_quote(&text)))
    }),
    ("format", &["*"], |_, value, args| {
        let pattern = text(value)?;
        let filled = if args.named.is_empty() {
            format::percent(&pattern, format::Operand::Many(&args.pos))
        } else {
            let named = args.named.iter().map(|(k, v)| (Value::from(k.clone()), v.clone()));
            format::percent(&pattern, format::Operand::One(&crate::vars::objects::dict(named)))
        };
        filled.map(Value::from)
    }),
    ("escape", &[], |_, value, _| Ok(Value::from(escape(&text(value)?)))),
    ("e", &[], |_, value, _| Ok(Value::from(escape(&text(value)?)))),
    ("forceescape", &[], |_, value, _| Ok(Value::from(escape(&text(value)?)))),
    ("striptags", &[], |_, value, _| {
        Ok(Value::from(striptags(&text(value)?)))
    }),
    ("urlencode", &[], urlencode),
    ("urldecode", &[], |_, value, _| {
        Ok(Value::from(urldecode(&text(value)?)))
    }),
    ("split", &["sep", "maxsplit"], |ctx, value, args| {
        method(ctx, value, "split", args)
    }),
    ("splitlines", &["keepends"], |ctx, value, args| {
        method(ctx, value, "splitlines", args)
    }),
    ("regex_split", &["pattern"], |ctx, value, args| {
        let pattern = crate::vars::regex::compile(ctx, &args.need_text(0, "pattern")?, false, false)?;
        let text = text(value)?;
        let mut parts = Vec::new();
        let mut from = 0;
        for found in pattern.find_iter(&text) {
            let found = found.map_err(|e| Fault::new(e.to_string()))?;
            parts.push(Value::from(text.get(from..found.start()).unwrap_or("")));
            from = found.end();
        }
        parts.push(Value::from(text.get(from..).unwrap_or("")));
        Ok(list(parts))
    }),
    ("filesizeformat", &["binary"], filesizeformat),
];

fn method(ctx: &Arc<Ctx>, value: &Value, name: &str, args: &Args) -> Res {
    let text = Value::from(text(value)?);
    Ok(methods::call(ctx, &text, name, args)?.unwrap_or_default())
}

/// Words with a capital, as Jinja2's filter makes them: a word begins after a blank, a bracket or a hyphen.
fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut start = true;
    for c in text.chars() {
        if start {
            out.extend(c.to_uppercase());
        } else {
            out.extend(c.to_lowercase());
        }
        start = c.is_whitespace() || matches!(c, '-' | '(' | '{' | '[' | '<');
    }
    out
}

fn trim(_: &Arc<Ctx>, value: &Value, args: &Args) -> Res {
    let text = text(value)?;
    Ok(Value::from(match args.opt_text(0, "chars")? {
        None => text.trim().to_owned(),
        Some(chars) => text.trim_matches(|c| chars.contains(c)).to_owned(),
    }))
}

fn replace(_: &Arc<Ctx>, value: &Value, args: &Args) -> Res {
    let (old, new) = (args.need_text(0, "old")?, args.need_text(1, "new")?);
    let text = text(value)?;
    let count = args.int(2, "count", -1)?;
    methods::replace(&text, &old, &new, count).map(Value::from)
}

fn indent(_: &Arc<Ctx>, value: &Value, args: &Args) -> Res {
    let blanks = match args.get(0, "width") {
        Some(width) if width.as_str().is_some() => text(width)?,
        _ => " ".repeat(args.size(0, "width", 4)?.min(10_000)),
    };
    let (first, blank) = (args.flag(1, "first", false)?, args.flag(2, "blank", false)?);
    let text = text(value)?;
    let lines = text.matches('\n').count() + 1;
    check_length(text.len().saturating_add(lines.saturating_mul(blanks.len())))?;
    let mut out = String::with_capacity(text.len() + lines * blanks.len());
    for (i, line) in text.split('\n').enumerate() {
        if i > 0 {
            out.push('\n');
        }
        if if i == 0 { first } else { blank || !line.is_empty() } {
            out.push_str(&blanks);
        }
        out.push_str(line);
    }
    Ok(Value::from(out))
}

fn center(_: &Arc<Ctx>, value: &Value, args: &Args) -> Res {
    let width = args.size(0, "width", 80)?;
    Ok(Value::from(methods::center(&text(value)?, width, ' ')))
}

fn truncate(_: &Arc<Ctx>, value: &Value, args: &Args) -> Res {
    let (length, killwords) = (args.size(0, "length", 255)?, args.flag(1, "killwords", false)?);
    let (end, leeway) = (args.text(2, "end", "...")?, args.size(3, "leeway", 5)?);
    let text = text(value)?;
    let end_length = end.chars().count();
    if length < end_length {
        return Err(Fault::new(format!(
            "expected a length of at least {end_length}, got {length}"
        )));
    }
    if text.chars().count() <= length + leeway {
        return Ok(Value::from(text));
    }
    let cut: String = text.chars().take(length - end_length).collect();
    let kept = match cut.rfind(' ') {
        Some(at) if !killwords => cut.get(..at).unwrap_or(&cut),
        _ => &cut,
    };
    Ok(Value::from(format!("{kept}{end}")))
}

fn comment(_: &Arc<Ctx>, value: &Value, args: &Args) -> Res {
    let style = args.text(0, "style", "plain")?;
    let (beginning, decoration, end) = match style.as_str() {
        "plain" => ("", "# ", ""),
        "erlang" => ("", "% ", ""),
        "c" => ("", "// ", ""),
        "cblock" => ("/*", " * ", " */"),
        "xml" => ("<!--", " - ", "-->"),
        _ => {
            return Err(Fault::new(format!("invalid style '{style}'")).help("styles: plain, erlang, c, cblock, xml"));
        }
    };
    let text = text(value)?;
    let decoration = args.text(1, "decoration", decoration)?;
    let newline = args.text(8, "newline", "\n")?;
    let prefix = args.text(2, "prefix", decoration.trim_end())?;
    let prefix_count = args.size(3, "prefix_count", 1)?.min(1000);
    let postfix = args.text(4, "postfix", decoration.trim_end())?;
    let postfix_count = args.size(5, "postfix_count", 1)?.min(1000);
    let (beginning, end) = (args.text(6, "beginning", beginning)?, args.text(7, "end", end)?);
    let mut out = String::new();
    if !beginning.is_empty() {
        out.push_str(&beginning);
        out.push_str(&newline);
    }
    if !prefix.is_empty() {
        let line = if prefix == newline {
            newline.clone()
        } else {
            format!("{prefix}{newline}")
        };
        out.push_str(&line.repeat(prefix_count));
    }
    let body = text.replace(&newline, &format!("{newline}{decoration}"));
    let body = format!("{decoration}{body}").replace(
        &format!("{decoration}{newline}"),
        &format!("{}{newline}", decoration.trim_end()),
    );
    out.push_str(&body);
    for _ in 0..postfix_count {
        out.push_str(&newline);
        out.push_str(&postfix);
    }
    if !end.is_empty() {
        out.push_str(&newline);
        out.push_str(&end);
    }
    Ok(Value::from(out))
}

/// Text as one word of a shell command, as Python's `shlex.quote` writes it.
pub(in crate::vars) fn shell_quote(text: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if !text.is_empty() && text.chars().all(safe) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\"'\"'"))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&#34;")
        .replace('\'', "&#39;")
}

fn striptags(text: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for c in text.chars() {
        match c {
            '<' => inside = true,
            '>' if inside => inside = false,
            c if !inside => out.push(c),
            _ => {}
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn percent_encode(text: &str, also_safe: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        let c = char::from(byte);
        if c.is_ascii_alphanumeric() || "_.-~".contains(c) || also_safe.contains(c) {
            out.push(c);
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// `%41` and `+` as what they stand for.
fn urldecode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while let Some(byte) = bytes.get(i) {
        let code = text
            .get(i + 1..i + 3)
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (byte, code) {
            (b'%', Some(code)) => {
                out.push(code);
                i += 2;
            }
            (b'+', _) => out.push(b' '),
            (byte, _) => out.push(*byte),
        }
        i += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn urlencode(_: &Arc<Ctx>, value: &Value, _: &Args) -> Res {
    let pair = |key: &Value, value: &Value| -> Res<String> {
        let encode = |value: &Value| Ok(percent_encode(&text(value)?, "").replace("%20", "+"));
        Ok(format!("{}={}", encode(key)?, encode(value)?))
    };
    if let Some(pairs) = map_pairs(value)? {
        let parts: Vec<String> = pairs.iter().map(|(k, v)| pair(k, v)).collect::<Res<_>>()?;
        return Ok(Value::from(parts.join("&")));
    }
    if crate::vars::objects::is_list(value) {
        let mut parts = Vec::new();
        for entry in iterate(value)? {
            let entry = iterate(&entry)?;
            let [key, value] = entry.as_slice() else {
                return Err(Fault::new("a list must hold pairs"));
            };
            parts.push(pair(key, value)?);
        }
        return Ok(Value::from(parts.join("&")));
    }
    Ok(Value::from(percent_encode(&text(value)?, "/")))
}

fn filesizeformat(_: &Arc<Ctx>, value: &Value, args: &Args) -> Res {
    let bytes = match value.as_str() {
        Some(text) => text.trim().parse::<f64>().ok(),
        None => python::number(value).map(python::Num::float),
    };
    let bytes = bytes.ok_or_else(|| Fault::new("a number of bytes is expected"))?;
    let binary = args.flag(0, "binary", false)?;
    let base: f64 = if binary { 1024.0 } else { 1000.0 };
    #[allow(clippy::float_cmp, reason = "exactly one byte")]
    if bytes == 1.0 {
        return Ok(Value::from("1 Byte"));
    }
    if bytes < base {
        return Ok(Value::from(format!("{bytes:.0} Bytes")));
    }
    let mut size = bytes / base;
    let mut unit = 0;
    while size >= base && unit < 7 {
        size /= base;
        unit += 1;
    }
    let prefix = "kMGTPEZY".chars().nth(unit).unwrap_or('Y');
    let name = if binary {
        format!("{}iB", prefix.to_ascii_uppercase())
    } else {
        format!("{prefix}B")
    };
    Ok(Value::from(format!("{size:.1} {name}")))
}
