//! Modules: some are dangerous by themselves, some by the commands they run.

use serde_json::{Map, Value as Json};

use super::{Danger, Found, devices, files, lines};
use crate::shell::script::{self, Simple, Word};

/// Modules that change what is on disks, whatever their arguments say.
const ALWAYS: &[&str] = &["filesystem", "luks_device", "lvg", "lvol", "mdadm", "zpool"];

/// The last part of a full name: `parted` of `community.general.parted`.
pub fn short(module: &str) -> &str {
    module.rsplit('.').next().unwrap_or(module)
}

/// The simple commands that a module runs, as far as its arguments say.
pub fn commands(module: &str, args: &Map<String, Json>) -> Vec<Simple> {
    let text = |key: &str| filled(args, key);
    let line = || text("_raw_params").or_else(|| text("cmd"));
    match short(module) {
        "shell" | "raw" | "audit" => line().map(script::commands).unwrap_or_default(),
        "command" => script::words(line().map_or_else(|| argv(args), script::line_words)),
        // The script's name and its arguments; what the script holds is not looked at.
        "script" => script::words(line().map(script::line_words).unwrap_or_default()),
        "expect" => script::words(text("command").map(script::line_words).unwrap_or_default()),
        _ => Vec::new(),
    }
}

/// What the module and its arguments say.
pub fn look(module: &str, args: &Map<String, Json>) -> Option<Found> {
    let by_module = |what: String| {
        Some(Found {
            danger: Danger::Disk,
            what,
            disks: devices::in_args(args),
        })
    };
    match short(module) {
        "parted" if filled(args, "state").is_none_or(|state| state == "info") => None,
        name @ "parted" => by_module(format!("the module `{name}`")),
        name if ALWAYS.contains(&name) => by_module(format!("the module `{name}`")),
        "file" => {
            let path = ["path", "dest", "name"].iter().find_map(|key| filled(args, key))?;
            let absent = filled(args, "state") == Some("absent") && files::is_tree(path);
            let all = args.get("recurse").is_some_and(is_true) && files::is_owned_tree(path);
            match (absent, all) {
                (true, _) => by_module(format!("`file` with `state: absent` for `{path}`")),
                (false, true) => by_module(format!("`file` with `recurse` for `{path}`")),
                (false, false) => None,
            }
        }
        _ => lines::judge(&commands(module, args), filled(args, "chdir")),
    }
}

/// The text of an argument, when it has any.
fn filled<'a>(args: &'a Map<String, Json>, key: &str) -> Option<&'a str> {
    args.get(key)
        .and_then(Json::as_str)
        .filter(|text| !text.trim().is_empty())
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
