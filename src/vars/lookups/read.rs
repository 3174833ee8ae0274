//! Lookups that read files of the controller: `file`, `template`, `fileglob`, `first_found`.

use std::path::PathBuf;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::vars::context::Ctx;
use crate::vars::fault::{Fault, Res};
use crate::vars::jinja::render;
use crate::vars::lookups::files::{self, candidates, find, glob, need, read_text};
use crate::vars::lookups::{Call, words};
use crate::vars::objects::{defined, is_map, list_items, map_get, map_pairs};
use crate::vars::templar::FileOptions;
use crate::vars::{Value, Var, python};

pub(super) const LOOKUPS: &[(&str, super::Lookup)] = &[
    ("file", file),
    ("unvault", unvault),
    ("template", template),
    ("fileglob", fileglob),
    ("first_found", first_found),
];

fn file(call: &Call<'_>) -> Res<Vec<Value>> {
    let (left, right) = (call.flag("lstrip", false)?, call.flag("rstrip", true)?);
    let mut out = Vec::new();
    for term in &call.terms {
        let path = need(call.ctx, "files", &files::name(term)?)?;
        let text = read_text(call.ctx, &path)?;
        let text = if left { text.trim_start() } else { &text };
        out.push(Value::from(if right { text.trim_end() } else { text }));
    }
    Ok(out)
}

/// The whole text of files, encrypted or not.
fn unvault(call: &Call<'_>) -> Res<Vec<Value>> {
    let terms = call.terms.iter();
    terms
        .map(|term| {
            let path = need(call.ctx, "files", &files::name(term)?)?;
            read_text(call.ctx, &path).map(Value::from)
        })
        .collect()
}

fn template(call: &Call<'_>) -> Res<Vec<Value>> {
    let mut options = FileOptions::default();
    let set = |name: &str, place: &mut String| -> Res<()> {
        if let Some(text) = call.text(name)? {
            *place = text;
        }
        Ok(())
    };
    set("variable_start_string", &mut options.variable_start)?;
    set("variable_end_string", &mut options.variable_end)?;
    set("block_start_string", &mut options.block_start)?;
    set("block_end_string", &mut options.block_end)?;
    set("comment_start_string", &mut options.comment_start)?;
    set("comment_end_string", &mut options.comment_end)?;
    options.trim_blocks = call.flag("trim_blocks", options.trim_blocks)?;
    options.lstrip_blocks = call.flag("lstrip_blocks", options.lstrip_blocks)?;
    let mut scope = call.ctx.scope.clone();
    if let Some(more) = call.options.get(usize::MAX, "template_vars") {
        let pairs = map_pairs(more)?.ok_or_else(|| Fault::new("template_vars must be a dictionary"))?;
        let mut layer = IndexMap::new();
        for (key, value) in pairs {
            layer.insert(python::text(&key)?, Var::Data(render::finish(&value)?));
        }
        scope.push(Arc::new(layer));
    }
    let mut out = Vec::new();
    for term in &call.terms {
        let source = files::template_source(call.ctx, &files::name(term)?)?;
        let folder = source.path.parent().map(std::path::Path::to_path_buf);
        let ctx = Ctx::in_folder(&call.ctx.shared, &scope, folder);
        let value = render::file(&ctx, &source.path, &source.text, &options)?;
        out.push(Value::from(if value.is_none() {
            String::new()
        } else {
            python::text(&value)?
        }));
    }
    Ok(out)
}

fn fileglob(call: &Call<'_>) -> Res<Vec<Value>> {
    let mut out = Vec::new();
    for term in call.texts()? {
        // The first folder that has the pattern's own folder decides.
        let mut found: Vec<PathBuf> = Vec::new();
        for place in candidates(call.ctx, "files", &term) {
            found = glob(&place)?;
            if !found.is_empty() {
                break;
            }
        }
        out.extend(found.iter().map(|path| files::value(path)));
    }
    Ok(out)
}

/// Texts of a list, or of one text with commas, semicolons or colons between.
fn names(value: &Value, marks: &[char]) -> Res<Vec<String>> {
    let value = defined(value.clone())?;
    match list_items(&value)? {
        Some(items) => {
            let mut out = Vec::new();
            for item in &items {
                out.extend(names(item, marks)?);
            }
            Ok(out)
        }
        None => Ok(python::text(&value)?
            .split(marks)
            .map(str::to_owned)
            .filter(|name| !name.is_empty())
            .collect()),
    }
}

fn first_found(call: &Call<'_>) -> Res<Vec<Value>> {
    let mut wanted: Vec<String> = Vec::new();
    let mut skip = call.flag("skip", false)?;
    let mut add = |files: &Value, paths: Option<&Value>| -> Res<()> {
        let files = names(files, &[',', ';'])?;
        let paths = paths.map_or(Ok(Vec::new()), |paths| names(paths, &[',', ';', ':']))?;
        for file in &files {
            if paths.is_empty() {
                wanted.push(file.clone());
            }
        }
        for path in &paths {
            for file in &files {
                wanted.push(format!("{}/{file}", path.trim_end_matches('/')));
            }
        }
        Ok(())
    };
    if let Some(files) = call.options.get(usize::MAX, "files") {
        add(files, call.options.get(usize::MAX, "paths"))?;
    }
    let mut terms = Vec::new();
    for term in &call.terms {
        match list_items(term)? {
            Some(items) => terms.extend(items),
            None => terms.push(term.clone()),
        }
    }
    for term in &terms {
        if is_map(term) {
            let files = map_get(term, &"files".into())?.unwrap_or_else(|| Value::from_object(Vec::<Value>::new()));
            add(&files, map_get(term, &"paths".into())?.as_ref())?;
            if let Some(flag) = map_get(term, &"skip".into())? {
                skip = skip || python::truth(&flag)?;
            }
        } else {
            add(term, call.options.get(usize::MAX, "paths"))?;
        }
    }
    for name in &wanted {
        let found = find(call.ctx, "files", name)
            .or_else(|| find(call.ctx, "templates", name))
            .or_else(|| find(call.ctx, "vars", name))
            .or_else(|| find(call.ctx, "tasks", name));
        if let Some(path) = found {
            return Ok(vec![files::value(&path)]);
        }
    }
    if skip {
        return Ok(Vec::new());
    }
    Err(Fault::new(format!(
        "no file was found when using first_found: {}",
        wanted.join(", ")
    ))
    .help("add `skip: true` when none is fine"))
}

/// `term key=value …` of the lookups over tables.
pub(super) fn term_and_pairs(term: &str) -> Res<(String, Vec<(String, String)>)> {
    let mut words = words(term)?.into_iter();
    let key = words
        .next()
        .ok_or_else(|| Fault::new("a key to search for is required but was not found"))?;
    let mut pairs = Vec::new();
    let mut key = key;
    for word in words {
        if let Some((name, value)) = word.split_once('=') {
            pairs.push((name.to_owned(), value.to_owned()));
        } else {
            // Words without a sign belong to the key.
            key.push(' ');
            key.push_str(&word);
        }
    }
    Ok((key, pairs))
}
