//! Trees of files whose loss is the loss of the system: `/`, `/etc`, a home, `"$EMPTY"/`.

use crate::shell::script::{Part, Word};

/// Removing one of them, or all that is in it, destroys a system.
const TREES: &[&str] = &[
    "/",
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/home",
    "/lib",
    "/lib32",
    "/lib64",
    "/media",
    "/mnt",
    "/opt",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/srv",
    "/sys",
    "/usr",
    "/usr/bin",
    "/usr/include",
    "/usr/lib",
    "/usr/lib64",
    "/usr/libexec",
    "/usr/local",
    "/usr/sbin",
    "/usr/share",
    "/var",
    "/var/lib",
    "/var/spool",
];

/// Owners and modes are put there by packages: changing them through the whole tree breaks the system.
const OWNED: &[&str] = &[
    "/",
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib64",
    "/proc",
    "/sbin",
    "/sys",
    "/usr",
    "/usr/bin",
    "/usr/lib",
    "/usr/lib64",
    "/usr/sbin",
    "/var",
    "/var/lib",
];

/// The path without `//`, `/./`, `x/..` and a `/` at the end.
pub fn normal(path: &str) -> String {
    if !path.starts_with('/') {
        return path.to_owned();
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// True when everything in a tree that a system needs is meant: `/`, `/etc/*`, `/usr/`.
pub fn is_tree(path: &str) -> bool {
    TREES.contains(&whole(path).as_str())
}

/// The same for owners and modes.
pub fn is_owned_tree(path: &str) -> bool {
    OWNED.contains(&whole(path).as_str())
}

/// `/etc` of `/etc/*` and `/etc/.*`.
fn whole(path: &str) -> String {
    let path = normal(path);
    match path.rsplit_once('/') {
        Some((dir, "*" | ".*" | ".??*" | ".[!.]*" | ".[^.]*" | "{*,.*}" | "{,.}*")) => normal(&format!("{dir}/")),
        Some(_) | None => path,
    }
}

/// Why removing what the word names would destroy a system; `None`: nothing says so. `cwd`: the folder it is relative to,
/// when that is known. `unset_stops`: the shell stops at variables that are not set.
pub fn ruinous(word: &Word, cwd: Option<&str>, unset_stops: bool) -> bool {
    if let Some(text) = word.text() {
        let quoted = !word
            .0
            .iter()
            .any(|part| matches!(part, Part::Text { quoted: false, text } if text.starts_with('~')));
        if !quoted && is_home(&text) {
            return true;
        }
        if text.starts_with('/') {
            return is_tree(&text);
        }
        return cwd.is_some_and(|cwd| !text.is_empty() && is_tree(&format!("{cwd}/{text}")));
    }
    is_home_variable(word) || (!unset_stops && is_tree_when_empty(word))
}

/// `~`, `~/`, `~/*`, `~root`.
fn is_home(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('~') else {
        return false;
    };
    let user = rest.split('/').next().unwrap_or_default();
    let inside = rest.get(user.len()..).unwrap_or_default();
    user.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
        && ["", "/", "/*", "/.*", "/."].contains(&inside)
}

/// `$HOME`, `${HOME}/`, `"$HOME"/*`.
fn is_home_variable(word: &Word) -> bool {
    let mut parts = word
        .0
        .iter()
        .filter(|part| !matches!(part, Part::Text { text, .. } if text.is_empty()));
    let is_home = matches!(parts.next(), Some(Part::Variable { name, .. }) if name == "HOME");
    let rest: Option<String> = parts
        .map(|part| match part {
            Part::Text { text, .. } => Some(text.as_str()),
            Part::Variable { .. } | Part::Unknown => None,
        })
        .collect();
    is_home && rest.is_some_and(|rest| ["", "/", "/*", "/.*", "/."].contains(&rest.as_str()))
}

/// `$DIR/`, `"$DIR"/*`, `/$DIR`: when the variable is empty, a tree of the system is meant. A variable alone is none: then
/// there is nothing to remove.
fn is_tree_when_empty(word: &Word) -> bool {
    let mut text = String::new();
    for part in &word.0 {
        match part {
            Part::Text { text: more, .. } => text.push_str(more),
            Part::Variable { guarded: true, .. } | Part::Unknown => return false,
            Part::Variable {
                default: Some(default), ..
            } => text.push_str(default),
            // Arguments and `$$` are somebody else's to check.
            Part::Variable { name, .. } if name == "$" => return false,
            Part::Variable { .. } => {}
        }
    }
    text.starts_with('/') && is_tree(&text)
}
