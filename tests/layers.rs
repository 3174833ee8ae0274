//! The arrows between the rooms of `src/`, and the things that only one place may name. ARCHITECTURE.md tells why.
//!
//! Test code is left out: `#[cfg(test)] mod tests` at the foot of a file, `tests.rs`, and folders called `tests`; and so
//! are the fuzz targets, the folder `fuzzing` and the files called `fuzz.rs`, which no build for use has.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::fs;
use std::path::{Path, PathBuf};

/// The rooms from the ground up, and what each may import besides itself and the ground. A room imports only rooms
/// that stand above it in this table, so there can be no cycle.
const ARROWS: &[(&str, &[&str])] = &[
    ("source", &[]),
    ("names", &[]),
    ("secret", &[]),
    ("process", &[]),
    ("deadline", &["names"]),
    ("vault", &[]),
    ("yaml", &[]),
    ("event", &[]),
    ("layout", &[]),
    ("shell", &[]),
    ("danger", &["yaml", "shell"]),
    ("settings", &["vault", "yaml"]),
    ("vars", &["vault", "yaml"]),
    ("transport", &["settings", "shell"]),
    ("inventory", &["vault", "yaml", "settings", "vars"]),
    (
        "modules",
        &["vault", "yaml", "danger", "vars", "shell", "transport", "event"],
    ),
    ("marker", &["shell", "transport", "modules"]),
    ("playbook", &["yaml", "settings", "vars", "inventory", "modules"]),
    (
        "plan",
        &[
            "vault",
            "inventory",
            "playbook",
            "modules",
            "marker",
            "danger",
            "layout",
            "shell",
            "settings",
            "vars",
            "yaml",
        ],
    ),
    ("policy", &["inventory", "plan", "modules", "danger", "shell", "yaml"]),
    (
        "preflight",
        &["plan", "danger", "modules", "shell", "transport", "layout", "event"],
    ),
    ("canary", &["plan", "preflight", "layout", "event"]),
    ("report", &["event", "layout"]),
    (
        "engine",
        &[
            "vault",
            "plan",
            "policy",
            "danger",
            "preflight",
            "canary",
            "marker",
            "modules",
            "playbook",
            "inventory",
            "transport",
            "shell",
            "vars",
            "settings",
            "yaml",
            "event",
            "layout",
            "report",
        ],
    ),
    (
        "cli",
        &[
            "vault",
            "yaml",
            "event",
            "layout",
            "shell",
            "settings",
            "vars",
            "transport",
            "inventory",
            "modules",
            "marker",
            "playbook",
            "plan",
            "policy",
            "danger",
            "preflight",
            "report",
            "engine",
        ],
    ),
];

/// The rooms that every room but themselves may import.
const GROUND: &[&str] = &["source", "names", "secret", "process", "deadline"];

/// What may be written only in some places: the text, where, and why.
const CONFINED: &[(&str, &[&str], &str)] = &[
    ("ssh2::", &["transport/ssh/"], "the transport hides libssh2"),
    ("libssh2_sys::", &["transport/ssh/"], "the transport hides libssh2"),
    ("clap::", &["cli/", "main.rs"], "options are read once, at the edge"),
    ("indicatif::", &["report/progress.rs"], "one place draws the bar"),
    ("rayon::", &["engine/"], "only the engine spreads work over threads"),
    (
        "println!",
        &["cli/", "report/", "main.rs"],
        "what happens is told by events",
    ),
    (
        "print!",
        &["cli/", "report/", "main.rs"],
        "what happens is told by events",
    ),
    (
        "env::var",
        &["settings/load.rs"],
        "the environment is a layer of settings, read once",
    ),
    ("env::set_var", &[], "it changes the process under other threads"),
    (
        "env::set_current_dir",
        &[],
        "it is process-wide; resolve paths against the file they are written in",
    ),
    ("process::exit", &["main.rs"], "destructors and sinks would not run"),
    ("thread::sleep", &[], "use Deadline::sleep, which can be cancelled"),
    (
        "unsafe {",
        &["transport/ssh/channel.rs"],
        "one file holds the foreign functions",
    ),
    (
        "unsafe extern",
        &["transport/ssh/channel.rs"],
        "one file holds the foreign functions",
    ),
    (
        "Arc<RwLock<",
        &[],
        "workers own their host; what is shared is immutable or a channel",
    ),
];

#[test]
fn rooms_import_only_along_the_arrows() {
    let mut wrong = Vec::new();
    for file in sources(Path::new(env!("CARGO_MANIFEST_DIR")).join("src").as_path()) {
        wrong.extend(wrong_arrows(&file));
    }
    assert!(
        wrong.is_empty(),
        "arrows that ARCHITECTURE.md does not have:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn some_names_stay_in_their_place() {
    let mut wrong = Vec::new();
    for file in sources(Path::new(env!("CARGO_MANIFEST_DIR")).join("src").as_path()) {
        wrong.extend(misplaced(&file));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_has_no_cycle() {
    for (i, (room, allowed)) in ARROWS.iter().enumerate() {
        for other in *allowed {
            let above = ARROWS.iter().take(i).any(|(name, _)| name == other);
            assert!(above, "`{room}` may import `{other}`, which does not stand above it");
        }
    }
}

#[test]
fn the_laws_fire() {
    let tree = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = tree.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("lib.rs", "pub mod report;\nuse crate::engine::Engine;\n");
    write(
        "report/console.rs",
        "use crate::event::Event;\nuse crate::engine::Engine;\nuse crate::{names::HostName, plan::Plan};\n\
         // use crate::cli::Options;\n#[cfg(test)]\nmod tests {\n    use crate::transport::Session;\n}\n",
    );
    write(
        "shell/mod.rs",
        "fn f() { let x = crate::transport::connect(); }\nuse crate::{\n    names::HostName,\n    report::{Sink, x},\n};\n",
    );
    write("attic/mod.rs", "");
    write(
        "engine/mod.rs",
        "use rayon::prelude::*;\nfn f() { println!(); let s = ssh2::Session::new(); }\n",
    );
    write(
        "names.rs",
        "fn f() { std::env::var(\"HOME\"); }\nuse crate::names::x;\nuse clap::Parser;\n",
    );
    let files = sources(tree.path());
    let mut arrows: Vec<String> = files.iter().flat_map(wrong_arrows).collect();
    arrows.sort();
    assert_eq!(
        arrows,
        [
            "attic/mod.rs: the room `attic` is not in the table of tests/layers.rs",
            "report/console.rs:2: `report` may not import `engine`",
            "report/console.rs:3: `report` may not import `plan`",
            "shell/mod.rs:1: `shell` may not import `transport`",
            "shell/mod.rs:2: `shell` may not import `report`",
        ]
    );
    let mut names: Vec<String> = files.iter().flat_map(misplaced).collect();
    names.sort();
    assert_eq!(
        names,
        [
            "engine/mod.rs:2: `println!` is for cli/ report/ main.rs only: what happens is told by events",
            "engine/mod.rs:2: `ssh2::` is for transport/ssh/ only: the transport hides libssh2",
            "names.rs:1: `env::var` is for settings/load.rs only: the environment is a layer of settings, read once",
            "names.rs:3: `clap::` is for cli/ main.rs only: options are read once, at the edge",
        ]
    );
}

/// A source file: its path below `src/`, and its lines of code with their numbers.
struct Source {
    path: String,
    lines: Vec<(usize, String)>,
}

/// Every file of Rust under `root` that is not test code, in the order of their paths.
fn sources(root: &Path) -> Vec<Source> {
    let mut paths: Vec<PathBuf> = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                paths.push(path);
            }
        }
    }
    paths.sort();
    paths
        .into_iter()
        .map(|path| Source {
            lines: code(&fs::read_to_string(&path).unwrap()),
            path: path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/"),
        })
        .filter(|file| !file.path.ends_with("tests.rs") && !file.path.contains("/tests/"))
        .filter(|file| !file.path.ends_with("/fuzz.rs") && !file.path.starts_with("fuzzing/"))
        .collect()
}

/// The lines of code: no comments, and nothing from `#[cfg(test)] mod … {` on.
fn code(text: &str) -> Vec<(usize, String)> {
    let mut out: Vec<(usize, String)> = Vec::new();
    let mut test_only = false;
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if test_only && line.starts_with("mod ") && line.ends_with('{') {
            break;
        }
        test_only = line.starts_with("#[cfg(test)]") || (test_only && line.starts_with("#["));
        if line.starts_with("//") {
            continue;
        }
        // A `use` over several lines counts as one line, the first.
        match out.last_mut() {
            Some((_, open)) if is_open_use(open) => open.push_str(line),
            _ => out.push((number, line.to_owned())),
        }
    }
    out
}

fn is_open_use(line: &str) -> bool {
    let start = line
        .strip_prefix("pub(crate) ")
        .or(line.strip_prefix("pub "))
        .unwrap_or(line);
    start.starts_with("use ") && !line.contains(';')
}

/// The room that a file belongs to; `lib.rs` and `main.rs` stand outside.
fn room(path: &str) -> Option<&str> {
    if path == "lib.rs" || path == "main.rs" {
        return None;
    }
    Some(path.split('/').next().unwrap_or(path).trim_end_matches(".rs"))
}

fn wrong_arrows(file: &Source) -> Vec<String> {
    let Some(room) = room(&file.path) else {
        return Vec::new();
    };
    let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == room) else {
        return vec![format!(
            "{}: the room `{room}` is not in the table of tests/layers.rs",
            file.path
        )];
    };
    let on_ground = GROUND.contains(&room);
    let mut out = Vec::new();
    for (number, line) in &file.lines {
        for other in imported(line) {
            let is_room = ARROWS.iter().any(|(name, _)| *name == other);
            let fine =
                other == room || allowed.contains(&other.as_str()) || (!on_ground && GROUND.contains(&other.as_str()));
            if is_room && !fine {
                out.push(format!("{}:{number}: `{room}` may not import `{other}`", file.path));
            }
        }
    }
    out
}

/// The rooms that a line names: `crate::x::…` and `crate::{x::…, y}`.
fn imported(line: &str) -> Vec<String> {
    let word = |text: &str| -> String { text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect() };
    let mut out = Vec::new();
    for (at, found) in line.match_indices("crate::") {
        let rest = &line[at + found.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            out.push(word(rest));
            continue;
        };
        let mut depth = 0;
        let mut first = true;
        for (i, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => first = true,
                c if first && !c.is_whitespace() => {
                    out.push(word(&group[i..]));
                    first = false;
                }
                _ => {}
            }
        }
    }
    out
}

fn misplaced(file: &Source) -> Vec<String> {
    let mut out = Vec::new();
    for (number, line) in &file.lines {
        for (text, places, why) in CONFINED {
            if names(line, text) && !places.iter().any(|place| file.path.starts_with(place)) {
                let places = places.join(" ");
                let places = if places.is_empty() { "nobody" } else { &places };
                out.push(format!("{}:{number}: `{text}` is for {places} only: {why}", file.path));
            }
        }
    }
    out
}

/// Whether a line has the text as a word of its own: `libssh2::` does not name `ssh2::`.
fn names(line: &str, text: &str) -> bool {
    line.match_indices(text).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}
