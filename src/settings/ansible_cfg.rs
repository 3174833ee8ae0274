//! `ansible.cfg`: the keys that have a counterpart here. Others are named once in a warning.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use super::keys::{KEYS, Settings};
use super::value::{Color, Raw};
use super::{Base, Source};
use crate::source::{Diagnostic, SourceFile, Span};

/// Keys that mean nothing without Python or plugins: nothing is lost, so nothing is said.
const SILENT: [(&str, &str); 20] = [
    ("defaults", "interpreter_python"),
    ("defaults", "fact_caching"),
    ("defaults", "fact_caching_connection"),
    ("defaults", "fact_caching_timeout"),
    ("defaults", "callbacks_enabled"),
    ("defaults", "callback_whitelist"),
    ("defaults", "nocows"),
    ("defaults", "cow_selection"),
    ("defaults", "deprecation_warnings"),
    ("defaults", "system_warnings"),
    ("defaults", "command_warnings"),
    ("defaults", "library"),
    ("defaults", "collections_path"),
    ("defaults", "collections_paths"),
    ("defaults", "local_tmp"),
    ("defaults", "remote_tmp"),
    ("ssh_connection", "pipelining"),
    ("connection", "pipelining"),
    ("ssh_connection", "control_path"),
    ("inventory", "enable_plugins"),
];
/// Sections in which nothing concerns this program.
const SILENT_SECTIONS: [&str; 6] = [
    "colors",
    "galaxy",
    "selinux",
    "persistent_connection",
    "paramiko_connection",
    "tags",
];
/// How many ignored keys the warning names.
const NAMED: usize = 10;

/// Lays what the file says over `settings`.
pub(super) fn read(
    file: &Arc<SourceFile>,
    home: Option<&Path>,
    settings: &mut Settings,
    errors: &mut Vec<Diagnostic>,
    warnings: &mut Vec<Diagnostic>,
) {
    let folder = file.path.parent().filter(|dir| !dir.as_os_str().is_empty());
    let base = Base {
        folder: folder.unwrap_or(Path::new(".")),
        home,
    };
    let mut ignored = Vec::new();
    for entry in entries(file, errors) {
        let Entry {
            section,
            key,
            value,
            at,
        } = entry;
        let rows = || {
            KEYS.iter()
                .filter(|row| row.ansible_cfg.contains(&(section.as_str(), key.as_str())))
        };
        let mut known = false;
        for row in rows() {
            known = true;
            // An empty value says nothing.
            let fits =
                value.is_empty() || (row.set)(settings, &Raw::Text(value.clone()), base, Source::File(at.clone()));
            if !fits {
                match row.name {
                    // Any plugin may stand there; the default is as good as the one that is missing.
                    "output" => ignored.push(format!("{key}={value}")),
                    _ => errors.push(Diagnostic::new(format!("`{key}` must be {}", row.expected)).at(at.clone())),
                }
            }
        }
        let place = (section.as_str(), key.as_str());
        match place {
            ("defaults", "nocolor" | "force_color") => {
                if is_true(&value) {
                    let color = if key == "nocolor" { Color::Never } else { Color::Always };
                    settings.color.set(color, Source::File(at));
                }
            }
            ("ssh_connection", "timeout") => {
                let timeout = KEYS.iter().find(|row| row.name == "timeout");
                if let Some(row) = timeout
                    && !value.is_empty()
                    && !(row.set)(settings, &Raw::Text(value), base, Source::File(at.clone()))
                {
                    errors.push(Diagnostic::new(format!("`{key}` must be {}", row.expected)).at(at));
                }
            }
            ("defaults", "hash_behaviour") if value.eq_ignore_ascii_case("merge") => {
                let error = Diagnostic::new("`hash_behaviour = merge` is not supported: mappings are replaced whole");
                errors.push(error.at(at).help("merge where it is meant, with the filter `combine`"));
            }
            ("defaults", "hash_behaviour") => {}
            _ if known || SILENT.contains(&place) || SILENT_SECTIONS.contains(&place.0) => {}
            _ => ignored.push(format!("[{section}] {key}")),
        }
    }
    if !ignored.is_empty() {
        let more = ignored.len().saturating_sub(NAMED);
        ignored.truncate(NAMED);
        let rest = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        let message = format!("`{}`: ignored: {}{rest}", file.path.display(), ignored.join(", "));
        warnings.push(Diagnostic::new(message));
    }
}

fn is_true(text: &str) -> bool {
    matches!(text.trim().to_ascii_lowercase().as_str(), "true" | "yes" | "on" | "1")
}

struct Entry {
    section: String,
    key: String,
    value: String,
    at: Span,
}

/// What Python's `configparser` reads: `key = value` or `key: value`, lines that go on indented, comments.
fn entries(file: &Arc<SourceFile>, errors: &mut Vec<Diagnostic>) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut section = String::new();
    let mut seen = HashSet::new();
    let mut goes_on = false;
    for (number, line) in (1_u32..).zip(file.text.lines()) {
        let at = Span::new(file, number, 1);
        let trimmed = line.trim();
        if trimmed.starts_with(['#', ';']) {
            continue;
        }
        if trimmed.is_empty() {
            goes_on = false;
            continue;
        }
        // A comment behind a value begins with ` ;`.
        let text = trimmed.split(" ;").next().unwrap_or(trimmed).trim();
        if line.starts_with([' ', '\t']) && goes_on {
            if let Some(entry) = entries.last_mut() {
                if !entry.value.is_empty() && !entry.value.ends_with(',') {
                    entry.value.push(' ');
                }
                entry.value.push_str(text);
            }
            continue;
        }
        if let Some(name) = text.strip_prefix('[') {
            goes_on = false;
            match name.split_once(']') {
                Some((name, _)) => name.trim().clone_into(&mut section),
                None => errors.push(Diagnostic::new(format!("the section `{text}` is not closed with `]`")).at(at)),
            }
            continue;
        }
        let Some((key, value)) = text.split_once(['=', ':']) else {
            errors.push(Diagnostic::new(format!("`{text}` is not a setting: `name = value` is expected")).at(at));
            continue;
        };
        let key = key.trim().to_ascii_lowercase();
        if !seen.insert((section.clone(), key.clone())) {
            errors.push(Diagnostic::new(format!("`{key}` stands twice in the section `[{section}]`")).at(at));
            continue;
        }
        goes_on = true;
        entries.push(Entry {
            section: section.clone(),
            key,
            value: value.trim().to_owned(),
            at,
        });
    }
    entries
}
