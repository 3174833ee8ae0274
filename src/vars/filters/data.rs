//! Filters between values and their written forms: JSON, YAML, base64.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, STANDARD, URL_SAFE};

use crate::source::SourceFile;
use crate::vars::context::Ctx;
use crate::vars::fault::{Fault, Res};
use crate::vars::filters::{Args, Entry};
use crate::vars::lazy::scalar;
use crate::vars::objects::list;
use crate::vars::python::{text, type_name};
use crate::vars::{Value, json, yaml_text};

pub(super) const FILTERS: &[Entry] = &[
    ("to_json", &["*"], |_, value, args| {
        let indent = args.opt_int(usize::MAX, "indent")?;
        let sorted = args.flag(usize::MAX, "sort_keys", false)?;
        write_json(value, args, indent, sorted)
    }),
    ("to_nice_json", &["indent", "sort_keys", "*"], |_, value, args| {
        let indent = args.int(0, "indent", 4)?;
        let sorted = args.flag(1, "sort_keys", true)?;
        write_json(value, args, Some(indent), sorted)
    }),
    ("from_json", &["*"], |_, value, _| {
        let text = source_text(value)?;
        json::parse(&text)
    }),
    ("to_yaml", &["*"], |_, value, args| write_yaml(value, args, 2, false)),
    ("to_nice_yaml", &["indent", "*"], |_, value, args| {
        write_yaml(value, args, 4, true)
    }),
    ("from_yaml", &[], |_, value, _| from_yaml(value)),
    ("from_yaml_all", &[], from_yaml_all),
    ("b64encode", &["encoding", "urlsafe"], |_, value, args| {
        let bytes = bytes(value)?;
        Ok(Value::from(engine(args)?.encode(bytes)))
    }),
    ("b64decode", &["encoding", "urlsafe"], b64decode),
];

/// The bytes of a text or of bytes.
pub(super) fn bytes(value: &Value) -> Res<Vec<u8>> {
    match value.as_bytes() {
        Some(bytes) => Ok(bytes.to_vec()),
        None => Ok(text(value)?.into_bytes()),
    }
}

fn source_text(value: &Value) -> Res<String> {
    if value.as_str().is_none() && value.as_bytes().is_none() {
        let kind = type_name(value);
        return Err(Fault::new(format!("a text is expected, got '{kind}'"))
            .help("the value is read already; use it without this filter"));
    }
    text(value)
}

fn write_json(value: &Value, args: &Args, indent: Option<i64>, sorted: bool) -> Res {
    let style = json::Style {
        indent: indent.and_then(|n| usize::try_from(n).ok()).map(|n| n.min(1000)),
        sorted,
        ascii: args.flag(usize::MAX, "ensure_ascii", true)?,
        separators: match args.get(usize::MAX, "separators") {
            Some(pair) if !pair.is_none() => {
                let pair = crate::vars::objects::iterate(pair)?;
                let [item, key] = pair.as_slice() else {
                    return Err(Fault::new("separators are a list of two texts"));
                };
                Some((text(item)?, text(key)?))
            }
            _ => None,
        },
    };
    json::write(value, &style).map(Value::from)
}

fn write_yaml(value: &Value, args: &Args, indent: i64, nice: bool) -> Res {
    let at = if nice { 0 } else { usize::MAX };
    let style = yaml_text::Style {
        indent: usize::try_from(args.int(at, "indent", indent)?)
            .ok()
            .filter(|n| (2..10).contains(n))
            .unwrap_or(2),
        width: usize::try_from(args.int(usize::MAX, "width", 80)?).unwrap_or(80),
        flow: match args.get(usize::MAX, "default_flow_style") {
            Some(flow) if flow.is_none() => None,
            Some(flow) => Some(crate::vars::python::truth(flow)?),
            None if nice => Some(false),
            None => None,
        },
        sorted: args.flag(usize::MAX, "sort_keys", true)?,
        start: args.flag(usize::MAX, "explicit_start", false)?,
        end: args.flag(usize::MAX, "explicit_end", false)?,
    };
    yaml_text::write(value, &style).map(Value::from)
}

/// YAML as a value; nothing in it is ever a template.
fn read_yaml(text: &str) -> Res {
    let file = SourceFile::new("the text given to from_yaml", text);
    let node = crate::yaml::parse(&file).map_err(|diagnostic| {
        let line = diagnostic
            .at
            .map(|at| format!(" (line {})", at.line))
            .unwrap_or_default();
        Fault::new(format!("{}{line}", diagnostic.message))
    })?;
    Ok(scalar(&node))
}

fn from_yaml(value: &Value) -> Res {
    if value.is_none() {
        return Ok(value.clone());
    }
    if value.as_str().is_none() {
        return Ok(value.clone());
    }
    read_yaml(&text(value)?)
}

fn from_yaml_all(_: &Arc<Ctx>, value: &Value, _: &Args) -> Res {
    if value.is_none() {
        return Ok(list(Vec::new()));
    }
    if value.as_str().is_none() {
        return Ok(value.clone());
    }
    let text = text(value)?;
    let mut documents = vec![String::new()];
    let mut started = false;
    for line in text.lines() {
        let is_mark = |mark: &str| line == mark || line.starts_with(&format!("{mark} "));
        if is_mark("---") {
            // The first mark begins the first document unless something stood before it.
            let has_content = documents.last().is_some_and(|d| !d.trim().is_empty());
            if started || has_content {
                documents.push(String::new());
            }
            started = true;
            if let (Some(document), Some(rest)) = (documents.last_mut(), line.get(4..)) {
                document.push_str(rest);
                document.push('\n');
            }
        } else if !is_mark("...")
            && let Some(document) = documents.last_mut()
        {
            document.push_str(line);
            document.push('\n');
        }
    }
    if !started && documents.iter().all(|document| document.trim().is_empty()) {
        return Ok(list(Vec::new()));
    }
    documents
        .iter()
        .map(|document| read_yaml(document))
        .collect::<Res<Vec<Value>>>()
        .map(list)
}

fn engine(args: &Args) -> Res<GeneralPurpose> {
    let encoding = args.text(0, "encoding", "utf-8")?.to_lowercase();
    if !matches!(encoding.as_str(), "utf-8" | "utf8" | "ascii") {
        return Err(Fault::new(format!("encoding '{encoding}' is not offered")).help("use utf-8"));
    }
    Ok(if args.flag(1, "urlsafe", false)? {
        URL_SAFE
    } else {
        STANDARD
    })
}

fn b64decode(_: &Arc<Ctx>, value: &Value, args: &Args) -> Res {
    let clean: Vec<u8> = bytes(value)?.into_iter().filter(|b| !b.is_ascii_whitespace()).collect();
    let decoded = engine(args)?
        .decode(clean)
        .map_err(|e| Fault::new(format!("not valid base64: {e}")))?;
    String::from_utf8(decoded)
        .map(Value::from)
        .map_err(|_| Fault::new("the decoded bytes are not UTF-8 text"))
}
