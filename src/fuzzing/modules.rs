//! Modules and a host that answers anything: whatever comes, it is an answer or an error.

use serde_json::{Map, Value as Json, json};

use crate::engine::take::take;
use crate::fuzzing::host::{Liar, soon};
use crate::fuzzing::input::{self, Cut};
use crate::modules::step::Reader;
use crate::modules::{Change, Given, ModuleError, Step, convert, find};
use crate::names::HostName;
use crate::source::{SourceFile, Span};
use crate::vars::Scope;
use crate::vars::templar::{from_json, to_json};
use crate::yaml::Node;

/// Every way in which a module reads answers.
pub(super) fn cases() -> Vec<(&'static str, Json)> {
    vec![
        ("stat", json!({"path": "/etc/hosts"})),
        (
            "stat",
            json!({"path": "/etc/hosts", "checksum_algorithm": "sha256", "follow": true}),
        ),
        (
            "file",
            json!({"path": "/srv/x", "state": "directory", "mode": "u=rwX,g-w", "owner": "root"}),
        ),
        (
            "file",
            json!({"path": "/srv/x", "state": "directory", "recurse": true, "mode": "0755"}),
        ),
        (
            "file",
            json!({"path": "/srv/x", "src": "/srv/y", "state": "link", "force": true}),
        ),
        ("file", json!({"path": "/srv/x", "src": "/srv/y", "state": "hard"})),
        ("file", json!({"path": "/srv/x", "state": "absent"})),
        ("file", json!({"path": "/srv/x", "state": "touch"})),
        (
            "copy",
            json!({"content": "hello\n", "dest": "/srv/x", "mode": "0644", "backup": true}),
        ),
        (
            "copy",
            json!({"content": "hello\n", "dest": "/srv/d", "validate": "true %s"}),
        ),
        ("copy", json!({"src": "/srv/a/", "dest": "/srv/b", "remote_src": true})),
        ("copy", json!({"src": "/srv/a", "dest": "/srv/b", "remote_src": true})),
        (
            "find",
            json!({"paths": "/var/log", "patterns": "*.log", "age": "-1d", "size": "1k", "recurse": true}),
        ),
        (
            "find",
            json!({"paths": ["/a", "/b"], "file_type": "any", "get_checksum": true, "contains": "x", "limit": 3}),
        ),
        (
            "lineinfile",
            json!({"path": "/etc/x", "regexp": "^a(.*)", "line": "a\\1b", "backrefs": true}),
        ),
        (
            "lineinfile",
            json!({"path": "/etc/x", "line": "new", "insertafter": "^\\[main\\]", "create": true}),
        ),
        (
            "lineinfile",
            json!({"path": "/etc/x", "search_string": "x", "state": "absent"}),
        ),
        (
            "blockinfile",
            json!({"path": "/etc/x", "block": "a\nb", "insertbefore": "BOF"}),
        ),
        (
            "blockinfile",
            json!({"path": "/etc/x", "block": "", "marker": "# {mark}"}),
        ),
        (
            "replace",
            json!({"path": "/etc/x", "regexp": "(a+)b", "replace": "\\1c", "after": "x", "before": "y"}),
        ),
        ("slurp", json!({"src": "/etc/hosts"})),
        ("tempfile", json!({"state": "directory"})),
        ("command", json!({"_raw_params": "ls", "creates": "/x*", "chdir": "/"})),
        ("shell", json!({"_raw_params": "ls | wc", "removes": "/x"})),
        ("raw", json!({"_raw_params": "ls"})),
        ("wait_for", json!({"port": 22, "timeout": 0})),
        ("wait_for", json!({"path": "/x", "search_regex": "a(b)", "timeout": 0})),
        ("ping", json!({})),
        ("setup", json!({"gather_subset": ["all"]})),
        (
            "setup",
            json!({"gather_subset": ["!all", "hardware"], "filter": ["ansible_m*", "[!a]x?"]}),
        ),
        ("audit", json!({"subject": "time"})),
        ("audit", json!({"path": "/etc/hosts"})),
        ("audit", json!({"cmd": "ls"})),
        ("markers", json!({"full": true})),
        ("markers", json!({"act": "clear", "names": ["a*"]})),
    ]
}

/// The first byte chooses the module, the second how it is used; the rest are the host's answers.
pub(super) fn answers(data: &[u8]) {
    let mut cut = Cut::new(data);
    let cases = cases();
    let (name, args) = &cases[usize::from(cut.byte()) % cases.len()];
    let flags = cut.byte();
    run(name, args, flags, &mut Liar::new(cut.rest()));
}

/// Facts alone, all of them: fields as the snippet writes them, made of a simpler form (`name`, separator, `value`, …).
pub(super) fn facts(data: &[u8]) {
    let mut answer = b"\0\nbatchssh-answer-1\n".to_vec();
    for part in data.split(|b| *b == input::SEPARATOR).chain([&b"end"[..], b""]) {
        answer.extend_from_slice(format!("{}:", part.len()).as_bytes());
        answer.extend_from_slice(part);
        answer.push(b',');
    }
    run(
        "setup",
        &json!({"gather_subset": ["all"]}),
        0,
        &mut Liar::whole(&answer),
    );
}

fn run(name: &str, args: &Json, flags: u8, host: &mut Liar<'_>) {
    let spec = find(name).expect("the module is there");
    let span = Span::new(&SourceFile::new("task.yml", ""), 1, 1);
    let raw = Node::text("", &span);
    let Json::Object(args) = args.clone() else { return };
    let args: Map<String, Json> = args.into_iter().filter(|(name, _)| !name.is_empty()).collect();
    let args = convert::convert(spec, args, &span).expect("the arguments are good");
    let templar = crate::vars::fuzz::templar();
    let given = Given {
        args,
        raw: &raw,
        span: &span,
        templar: &templar,
        scope: &Scope::new(),
        host: &HostName::from("web1"),
        search: &[],
        diff: flags & 1 != 0,
        check: flags & 2 != 0,
        verbosity: 0,
    };
    let module = (spec.read)(&given).expect("the arguments are good");
    let deadline = soon();
    let mut reader = Reader {
        link: host,
        elevate: None,
        environment: &[],
        deadline: &deadline,
    };
    let change = match module.inspect(&mut reader) {
        Ok(change) => change,
        Err(error) => return told(&error),
    };
    let (steps, mut values) = match change {
        Change::None { values } | Change::Skipped { values } => (Vec::new(), values),
        Change::Needed { steps, values, .. } | Change::Opaque { steps, values } => (steps, values),
    };
    // Steps that would write files of this machine are left out.
    let here = steps
        .iter()
        .any(|step| matches!(step, Step::Fetch { .. } | Step::Get(_) | Step::Put(_)));
    if !here {
        match take(&steps, &mut reader) {
            Ok(taken) => {
                if let Err(error) = module.conclude(&taken, &mut values) {
                    told(&error);
                }
            }
            Err(error) => told(&error),
        }
    }
    // Values become variables, and variables become values, unchanged.
    let json = Json::Object(values);
    assert_eq!(to_json(&from_json(&json)).to_string(), json.to_string());
}

/// An error becomes a message; its values can be written.
fn told(error: &ModuleError) {
    let _ = error.to_string();
    if let ModuleError::Failed { values, .. } = error {
        let _ = serde_json::to_string(values).expect("values can be written");
    }
}
