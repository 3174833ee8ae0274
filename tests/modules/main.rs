//! Modules against real shells. Every file `tests/modules/MODULE/CASE.yml` is a case:
//!
//! - `args`: the arguments; `@BOX@` is the host's folder, `@HERE@` the controller's,
//! - `needs`: programs of this machine without which the case is skipped,
//! - `files`, `local`: what is there before, on the host and on the controller: text, or a mapping with `text`, `mode`,
//!   `dir`, `link`, `size` (of a file that is all holes),
//! - `check`: run in check mode,
//! - `change`: `none`, `needed`, `opaque` or `skipped`: what inspecting finds,
//! - `execs`: how many commands may be run,
//! - `values`: return keys (of a failure, too), `error`: a part of the message,
//! - `after`, `local_after`: what is there afterwards; `null`: nothing,
//! - `diff`: a part of the difference,
//! - `again`: what inspecting a second time finds; `none` unless said otherwise.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test says what went wrong by panicking, and what it does not try"
)]

mod harness;
mod session;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use batchssh::deadline::{CancelToken, Deadline};
use batchssh::engine::take::take;
use batchssh::modules::Values;
use batchssh::modules::step::Reader;
use batchssh::source::SourceFile;
use batchssh::yaml::{self, Kind, Node};
use harness::run;
use serde_json::{Map, Value as Json, json};
use session::{Local, Shell, shells};

fn json_of(node: &Node) -> Json {
    match &node.kind {
        Kind::Null => Json::Null,
        Kind::Bool(value) => json!(value),
        Kind::Int(value) => json!(value),
        Kind::Float(value) => json!(value),
        Kind::Text(text) => json!(&*text.value),
        Kind::List(items) => items.iter().map(json_of).collect(),
        Kind::Map(entries) => Json::Object(
            entries
                .iter()
                .map(|(key, value)| (key.scalar_text().unwrap(), json_of(value)))
                .collect(),
        ),
    }
}

fn cases() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/modules");
    let mut cases = Vec::new();
    for module in std::fs::read_dir(root).unwrap() {
        let module = module.unwrap().path();
        if module.is_dir() {
            cases.extend(std::fs::read_dir(module).unwrap().map(|case| case.unwrap().path()));
        }
    }
    cases.sort();
    assert!(cases.len() > 20, "the cases are missing");
    cases
}

fn place(folder: &Path, files: Option<&Json>, replace: &dyn Fn(&str) -> String) {
    let Some(Json::Object(files)) = files else { return };
    for (name, what) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let get = |key: &str| what.get(key);
        if let Some(target) = get("link").and_then(Json::as_str) {
            std::os::unix::fs::symlink(replace(target), &path).unwrap();
            continue;
        }
        if get("dir").is_some() {
            std::fs::create_dir_all(&path).unwrap();
        } else {
            let text = what
                .as_str()
                .or_else(|| get("text").and_then(Json::as_str))
                .unwrap_or_default();
            std::fs::write(&path, replace(text)).unwrap();
            if let Some(size) = get("size").and_then(Json::as_u64) {
                std::fs::File::options()
                    .write(true)
                    .open(&path)
                    .unwrap()
                    .set_len(size)
                    .unwrap();
            }
        }
        let default = if get("dir").is_some() { "0755" } else { "0644" };
        let mode = get("mode").and_then(Json::as_str).unwrap_or(default);
        let bits = u32::from_str_radix(mode, 8).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(bits)).unwrap();
    }
}

fn compare(folder: &Path, files: Option<&Json>, replace: &dyn Fn(&str) -> String, about: &str) {
    let Some(Json::Object(files)) = files else { return };
    for (name, what) in files {
        // `*` in a name: exactly one such file.
        let path = match name.split_once('*') {
            None => folder.join(name),
            Some((begin, end)) => {
                let parent = folder.join(begin).parent().unwrap().to_path_buf();
                let prefix = folder.join(begin).display().to_string();
                let found: Vec<PathBuf> = std::fs::read_dir(parent)
                    .unwrap()
                    .map(|e| e.unwrap().path())
                    .filter(|p| p.display().to_string().starts_with(&prefix) && p.display().to_string().ends_with(end))
                    .filter(|p| p.display().to_string().len() > prefix.len() + end.len())
                    .collect();
                assert_eq!(found.len(), 1, "{about}: {name} {found:?}");
                found[0].clone()
            }
        };
        let meta = path.symlink_metadata();
        if what.is_null() {
            assert!(meta.is_err(), "{about}: {name} is there");
            continue;
        }
        let meta = meta.unwrap_or_else(|e| panic!("{about}: {name}: {e}"));
        if let Some(target) = what.get("link").and_then(Json::as_str) {
            let is = std::fs::read_link(&path).unwrap_or_else(|e| panic!("{about}: {name}: {e}"));
            assert_eq!(is.display().to_string(), replace(target), "{about}: {name}");
            continue;
        }
        assert!(!meta.is_symlink(), "{about}: {name} is a link");
        assert_eq!(
            meta.is_dir(),
            what.get("dir").is_some(),
            "{about}: {name} is a directory"
        );
        if let Some(text) = what.as_str().or_else(|| what.get("text").and_then(Json::as_str)) {
            let is = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            assert_eq!(is, replace(text), "{about}: {name}");
        }
        if let Some(mode) = what.get("mode").and_then(Json::as_str) {
            assert_eq!(
                format!("{:04o}", meta.permissions().mode() & 0o7777),
                mode,
                "{about}: {name}"
            );
        }
    }
}

fn case(path: &Path, shell: &Shell) {
    let module = path.parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
    let about = format!(
        "{module}/{} under {}",
        path.file_stem().unwrap().to_str().unwrap(),
        shell.name
    );
    let case = json_of(&yaml::parse(&SourceFile::read(path).unwrap()).unwrap());
    let needs = case.get("needs").and_then(Json::as_array);
    for program in needs.into_iter().flatten().filter_map(Json::as_str) {
        if !["/usr/sbin", "/sbin", "/usr/bin", "/bin"]
            .iter()
            .any(|folder| Path::new(folder).join(program).exists())
        {
            eprintln!("SKIPPED {about}: it needs {program}");
            return;
        }
    }
    let scratch = tempfile::tempdir().unwrap();
    // A name that no careless quoting survives.
    let base = scratch.path().join("it's a $nothing *\u{e9}\n x");
    let (host, here) = (base.join("host"), base.join("here"));
    std::fs::create_dir_all(&host).unwrap();
    std::fs::create_dir_all(&here).unwrap();
    let replace = |text: &str| {
        text.replace("@BOX@", host.to_str().unwrap())
            .replace("@HERE@", here.to_str().unwrap())
    };
    place(&host, case.get("files"), &replace);
    place(&here, case.get("local"), &replace);
    let args = replace_in(case.get("args").unwrap_or(&json!({})), &replace);
    let check = case.get("check").is_some_and(|c| c == &json!(true));
    let mut session = Local::new(shell, host.clone());
    let outcome = run(&module, &args, check, &here, &mut session);
    match case.get("error").and_then(Json::as_str) {
        Some(error) => {
            let is = outcome
                .error
                .clone()
                .unwrap_or_else(|| panic!("{about}: no error, {:?}", outcome.values));
            assert!(is.contains(&replace(error)), "{about}: {is}");
        }
        None => assert_eq!(outcome.error, None, "{about}"),
    }
    if let Some(change) = case.get("change").and_then(Json::as_str) {
        assert_eq!(outcome.change, change, "{about}: {:?}", outcome.values);
    }
    if let Some(execs) = case.get("execs").and_then(Json::as_u64) {
        assert_eq!(session.count as u64, execs, "{about}: commands run");
    }
    if let Some(diff) = case.get("diff").and_then(Json::as_str) {
        assert!(outcome.diff.contains(&replace(diff)), "{about}: {}", outcome.diff);
    }
    if let Some(Json::Object(values)) = case.get("values") {
        compare_values(&outcome.values, values, &replace, &about);
    }
    compare(&host, case.get("after"), &replace, &about);
    compare(&here, case.get("local_after"), &replace, &about);
    leftovers(&base, &about);
    if outcome.error.is_none() && !check {
        let again = case.get("again").and_then(Json::as_str).unwrap_or("none");
        let second = run(&module, &args, false, &here, &mut session);
        assert_eq!(second.error, None, "{about}, again");
        assert_eq!(second.change, again, "{about}, again: {:?}", second.values);
    }
}

fn compare_values(is: &Values, expected: &Map<String, Json>, replace: &dyn Fn(&str) -> String, about: &str) {
    for (key, expected) in expected {
        let expected = replace_in(expected, replace);
        match (is.get(key), &expected) {
            (Some(Json::Object(inner)), Json::Object(expected)) => compare_values(inner, expected, replace, about),
            (value, Json::Null) => assert_eq!(value, None, "{about}: {key}"),
            (value, expected) => assert_eq!(value, Some(expected), "{about}: {key} of {is:?}"),
        }
    }
}

fn replace_in(value: &Json, replace: &dyn Fn(&str) -> String) -> Json {
    match value {
        Json::String(text) => json!(replace(text)),
        Json::Array(items) => items.iter().map(|item| replace_in(item, replace)).collect(),
        Json::Object(entries) => Json::Object(
            entries
                .iter()
                .map(|(key, item)| (key.clone(), replace_in(item, replace)))
                .collect(),
        ),
        other => other.clone(),
    }
}

/// Nothing of ours stays behind, whatever happened.
fn leftovers(folder: &Path, about: &str) {
    for entry in walkdir::WalkDir::new(folder) {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        assert!(!name.starts_with(".batchssh"), "{about}: {name} was left behind");
    }
}

#[test]
fn every_case_holds_under_every_shell_and_changes_nothing_the_second_time() {
    let scratch = tempfile::tempdir().unwrap();
    let only = option_env!("CASE").unwrap_or("");
    let mut failed = Vec::new();
    for shell in shells(scratch.path()) {
        for path in cases() {
            if !path.display().to_string().contains(only) {
                continue;
            }
            let result = std::panic::catch_unwind(|| case(&path, &shell));
            if let Err(panic) = result {
                let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
                failed.push(text);
            }
        }
    }
    assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn r20_any_bytes_can_be_a_name_and_a_content() {
    use batchssh::modules::look::Sight;
    use batchssh::modules::step::{Content, Step, Write};
    use std::os::unix::ffi::OsStrExt;
    let scratch = tempfile::tempdir().unwrap();
    let deadline = Deadline::none(CancelToken::new());
    for shell in shells(scratch.path()) {
        let home = scratch.path().join(format!("home of {}", shell.name));
        std::fs::create_dir_all(&home).unwrap();
        let bytes: Vec<u8> = (1..=255).filter(|b| *b != b'/').collect();
        let mut steps = Vec::new();
        let mut paths = Vec::new();
        for name in bytes.chunks(100) {
            let mut path = home.as_os_str().as_bytes().to_vec();
            path.push(b'/');
            path.extend_from_slice(name);
            steps.push(Step::Write(Box::new(Write {
                path: path.clone(),
                content: Content::Bytes([name, b"\0", name].concat().into()),
                sha1: None,
                mode: Some(0o640),
                keep: None,
                owner: None,
                backup: false,
                validate: Some("test -s %s".to_owned()),
                unsafe_writes: false,
            })));
            steps.push(Step::Tell {
                path: path.clone(),
                algorithm: Some("sha1"),
            });
            paths.push(path);
        }
        let mut session = Local::new(&shell, home);
        let mut reader = Reader {
            link: &mut session,
            elevate: None,
            environment: &[],
            deadline: &deadline,
        };
        let taken = take(&steps, &mut reader).unwrap_or_else(|e| panic!("{}: {e}", shell.name));
        let sights: Vec<Sight> = paths.iter().map(|path| Sight::of(path.clone())).collect();
        let look = reader.look(&sights, None).unwrap();
        assert_eq!(session.count, 2, "{}", shell.name);
        for (at, path) in paths.iter().enumerate() {
            let real = std::fs::read(std::ffi::OsStr::from_bytes(path)).unwrap();
            assert_eq!(
                real.len(),
                2 * (path.len() - path.iter().rposition(|b| *b == b'/').unwrap() - 1) + 1
            );
            assert_eq!(&look.seen[at].path, path, "{}", shell.name);
            assert_eq!(look.seen[at].stat().unwrap().mode & 0o7777, 0o640);
            let told = taken[2 * at + 1].seen.as_ref().unwrap().found().unwrap();
            let digest = batchssh::modules::local::digest(&real).sha1;
            assert_eq!(told.digest.as_deref(), Some(digest.as_str()), "{}", shell.name);
        }
    }
}

#[test]
fn a_content_that_is_cut_leaves_the_old_file() {
    use batchssh::modules::step::{Content, Step, Write};
    use std::os::unix::ffi::OsStrExt;
    let scratch = tempfile::tempdir().unwrap();
    let deadline = Deadline::none(CancelToken::new());
    for shell in shells(scratch.path()) {
        let home = scratch.path().join(format!("home of {}", shell.name));
        std::fs::create_dir_all(&home).unwrap();
        let old = home.join("old");
        std::fs::write(&old, "old").unwrap();
        let short = scratch.path().join("short");
        std::fs::write(&short, "shorter than it says").unwrap();
        let step = Step::Write(Box::new(Write {
            path: old.as_os_str().as_bytes().to_vec(),
            content: Content::File {
                path: short,
                size: 1000,
            },
            sha1: None,
            mode: None,
            keep: None,
            owner: None,
            backup: true,
            validate: None,
            unsafe_writes: false,
        }));
        let mut session = Local::new(&shell, home.clone());
        let mut reader = Reader {
            link: &mut session,
            elevate: None,
            environment: &[],
            deadline: &deadline,
        };
        let error = take(&[step], &mut reader).unwrap_err().to_string();
        assert!(error.contains("became shorter"), "{error}");
        assert_eq!(std::fs::read_to_string(&old).unwrap(), "old");
        assert_eq!(
            std::fs::read_dir(&home).unwrap().count(),
            1,
            "something was left behind"
        );
    }
}
