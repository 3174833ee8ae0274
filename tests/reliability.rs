//! The table of promises, `docs/reliability.md`, is true: every promise has a row, every test that a row names is there, and
//! every test that carries the number of a promise stands in its row. And two promises about the program as a whole.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use regex::Regex;

/// The last promise.
const LAST: u32 = 47;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file of these endings below a folder.
fn files(folder: &str, endings: &[&str]) -> Vec<PathBuf> {
    walkdir::WalkDir::new(root().join(folder))
        .into_iter()
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| {
            path.extension()
                .is_some_and(|end| endings.iter().any(|wanted| end == *wanted))
        })
        .collect()
}

/// The names of all functions below `src` and `tests`.
fn functions() -> BTreeSet<String> {
    let function = Regex::new(r"\bfn ([a-z0-9_]+)").unwrap();
    let sources = [files("src", &["rs"]), files("tests", &["rs"])].concat();
    let mut names = BTreeSet::new();
    for path in sources {
        let text = std::fs::read_to_string(path).unwrap();
        names.extend(function.captures_iter(&text).map(|found| found[1].to_owned()));
    }
    names
}

/// The numbers that the name of a test begins with: `r01_r03_…` is 1 and 3.
fn numbers(name: &str) -> Vec<u32> {
    let number = |part: &str| part.strip_prefix('r')?.parse().ok();
    name.split('_').map_while(number).collect()
}

/// The names in backticks of each promise's row, by its number.
fn rows() -> BTreeMap<u32, BTreeSet<String>> {
    let page = std::fs::read_to_string(root().join("docs/reliability.md")).unwrap();
    let (promise, name) = (
        Regex::new(r"\bR(\d+)\b").unwrap(),
        Regex::new("`([a-z0-9_]+)`").unwrap(),
    );
    let mut rows: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
    for line in page.lines().filter(|line| line.starts_with("| R")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').collect();
        assert_eq!(cells.len(), 4, "{line}");
        let names: BTreeSet<String> = name.captures_iter(cells[2]).map(|found| found[1].to_owned()).collect();
        assert!(!names.is_empty(), "a promise without a test: {line}");
        for number in promise.captures_iter(cells[0]) {
            let double = rows.insert(number[1].parse().unwrap(), names.clone());
            assert!(double.is_none(), "two rows: {line}");
        }
    }
    rows
}

#[test]
fn every_promise_has_a_row_and_every_test_in_it_is_there() {
    let (rows, functions) = (rows(), functions());
    let missing: Vec<u32> = (1..=LAST).filter(|number| !rows.contains_key(number)).collect();
    assert!(missing.is_empty(), "no row: {missing:?}");
    for (number, names) in &rows {
        for name in names {
            let is_fuzzed = root().join(format!("fuzz/fuzz_targets/{name}.rs")).exists();
            assert!(
                functions.contains(name) || is_fuzzed,
                "R{number}: there is no test `{name}`"
            );
        }
    }
}

#[test]
fn every_test_with_the_number_of_a_promise_stands_in_its_row() {
    let rows = rows();
    let mut left_out = Vec::new();
    for name in functions() {
        for number in numbers(&name) {
            if !rows.get(&number).is_some_and(|row| row.contains(&name)) {
                left_out.push(format!("R{number}: `{name}`"));
            }
        }
    }
    assert!(
        left_out.is_empty(),
        "not in docs/reliability.md:\n{}",
        left_out.join("\n")
    );
}

/// What decides when something is over asks a clock that nobody sets: the rooms with the time limits, the connections and
/// the locks know no other. (What a run shows has wall time: when a task began and ended, and a policy's windows are hours of
/// the day.)
#[test]
fn r31_no_time_limit_and_no_lock_asks_the_clock_on_the_wall() {
    let wall = Regex::new(r"SystemTime::now|Timestamp::now|Zoned::now|\bdate [-+]").unwrap();
    let shown = [
        "src/engine/take.rs",
        "src/engine/windows.rs",
        "src/shell/snippets/store.sh",
    ];
    let mut asked: BTreeSet<String> = BTreeSet::new();
    let rooms = [
        "src/deadline.rs",
        "src/engine",
        "src/transport",
        "src/marker",
        "src/shell/snippets",
    ];
    for path in rooms.iter().flat_map(|room| files(room, &["rs", "sh"])) {
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let is_look = name.contains("/audit/") || name.ends_with("facts.sh") || name.contains("tests");
        if wall.is_match(code) && !is_look {
            asked.insert(name);
        }
    }
    assert_eq!(asked.iter().map(String::as_str).collect::<Vec<_>>(), shown);
}

#[test]
fn r46_the_libraries_that_speak_ssh_are_pinned_and_named() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let pinned = Regex::new(r#"libssh2-sys = "=0\.(\d+)\.(\d+)""#).unwrap();
    let found = pinned.captures(&manifest).unwrap();
    let version: (u32, u32) = (found[1].parse().unwrap(), found[2].parse().unwrap());
    assert!(
        version >= (3, 4),
        "libssh2-sys 0.{}.{} has known holes",
        version.0,
        version.1
    );
    let out = Command::new(env!("CARGO_BIN_EXE_batchssh"))
        .arg("--version")
        .output()
        .unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    for part in ["batchssh ", "libssh2 1.", "OpenSSL "] {
        assert!(text.contains(part), "{text}");
    }
    assert!(
        text.to_lowercase().contains("curve25519-sha256"),
        "the key exchanges: {text}"
    );
}
