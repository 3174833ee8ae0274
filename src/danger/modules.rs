//! Modules: some are dangerous by themselves, some by the commands they run.

use serde_json::{Map, Value as Json};

use super::{Danger, Found, devices, files, lines};
use crate::shell::script::Word;

/// Modules that change what is on disks, whatever their arguments say.
const ALWAYS: &[&str] = &["filesystem", "luks_device", "lvg", "lvol", "mdadm", "zpool"];

/// The last part of a full name: `parted` of `community.general.parted`.
pub fn short(module: &str) -> &str {
    module.rsplit('.').next().unwrap_or(module)
}

/// What the module and its arguments say.
pub fn look(module: &str, args: &Map<String, Json>) -> Option<Found> {
    let name = short(module);
    let text = |key: &str| {
        args.get(key)
            .and_then(Json::as_str)
            .filter(|text| !text.trim().is_empty())
    };
    let line = || text("_raw_params").or_else(|| text("cmd"));
    let by_module = |what: String| {
        Some(Found {
            danger: Danger::Disk,
            what,
            disks: devices::in_args(args),
        })
    };
    match name {
        "parted" if text("state").is_none_or(|state| state == "info") => None,
        "parted" => by_module("the module `parted`".to_owned()),
        name if ALWAYS.contains(&name) => by_module(format!("the module `{name}`")),
        "shell" | "raw" => lines::of_script(line()?, text("chdir")),
        "command" => match line() {
            Some(line) => lines::of_words(split(line), text("chdir")),
            None => lines::of_words(argv(args), text("chdir")),
        },
        // The script's name and its arguments; what the script holds is not looked at.
        "script" => lines::of_words(split(line()?), text("chdir")),
        "expect" => lines::of_words(split(text("command")?), text("chdir")),
        "file" => {
            let path = ["path", "dest", "name"].iter().find_map(|key| text(key))?;
            let absent = text("state") == Some("absent") && files::is_tree(path);
            let all = args.get("recurse").is_some_and(is_true) && files::is_owned_tree(path);
            let what = match (absent, all) {
                (true, _) => format!("`file` with `state: absent` for `{path}`"),
                (false, true) => format!("`file` with `recurse` for `{path}`"),
                (false, false) => return None,
            };
            by_module(what)
        }
        _ => None,
    }
}

fn is_true(value: &Json) -> bool {
    match value {
        Json::Bool(value) => *value,
        Json::String(text) => ["yes", "true", "on", "1"].contains(&text.to_ascii_lowercase().as_str()),
        Json::Number(number) => number.as_i64() == Some(1),
        Json::Null | Json::Array(_) | Json::Object(_) => false,
    }
}

/// The words of `argv`.
fn argv(args: &Map<String, Json>) -> Vec<Word> {
    let items = args.get("argv").and_then(Json::as_array);
    items
        .into_iter()
        .flatten()
        .map(|item| match item {
            Json::String(text) => Word::plain(text),
            other => Word::plain(&other.to_string()),
        })
        .collect()
}

/// The words of a line, split as the module `command` does: no shell reads it, so `;` and `>` are characters.
fn split(line: &str) -> Vec<Word> {
    crate::shell::script::line_words(line)
}
