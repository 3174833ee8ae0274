//! What the fuzz targets need of this room: the parts of the template language one by one, and rendering in isolation.

use std::path::Path;
use std::sync::Arc;

use crate::fuzzing::input;
use crate::source::{SourceFile, Span};
use crate::vars::context::Ctx;
use crate::vars::filters::{self, Args};
use crate::vars::jinja::parser;
use crate::vars::templar::{FileOptions, Options, Templar, from_json, to_json};
use crate::vars::{Scope, Value, Var, VarMap, stack, tests, yaml_text};
use crate::yaml::{self, Node};

/// What a host said, in the form of a template; and what would be seen if anything rendered it. The product of two
/// primes can hardly come about in another way.
const SAID: &str = "{{ 99991 * 99989 }}{% set x = 1 %}";
const RENDERED: &str = "9998000099";

/// A renderer that opens nothing and starts nothing.
pub(crate) fn templar() -> Templar {
    Templar::with_options(Options {
        environment: [("HOME".to_owned(), "/root".to_owned())].into_iter().collect(),
        isolated: true,
        ..Options::default()
    })
}

/// Variables of every kind, some written by the user and some said by hosts.
fn scope() -> Scope {
    let written = "n: 7\nf: 1.5\ns: Hello World\nlist: [3, 1, 2, x]\nd: {a: 1, b: {c: [1, 2]}}\nt: \"{{ n + 1 }}\"\n\
                   loop: \"{{ loop2 }}\"\nloop2: \"{{ loop }}\"\nbig: 9223372036854775807\nnothing:\nyes_: true\n\
                   users: [{name: bob, uid: 1}, {name: al, uid: 2}]\nurl: http://u@h:8080/p?q#f\nip: 192.0.2.7/24\n\
                   when: 2026-11-21 05:06:54\nlines: \"a\\nb\\n\\nc\"\n";
    let mut map = VarMap::new();
    if let Ok(node) = yaml::parse(&SourceFile::new("vars.yml", written))
        && let Some(entries) = node.as_map()
    {
        for (key, value) in entries {
            if let Some(key) = key.as_str() {
                map.insert(key.to_owned(), Var::Source(Arc::new(value.clone())));
            }
        }
    }
    let said = serde_json::json!({"stdout": SAID, "stdout_lines": [SAID], "rc": 0, "failed": false, SAID: SAID});
    map.insert("said".to_owned(), Var::Data(from_json(&said)));
    map.insert("evil".to_owned(), Var::Data(Value::from(SAID)));
    let mut scope = Scope::new();
    scope.push(Arc::new(map));
    scope
}

/// Lexer and parser, in the three forms that templates have: in a playbook, as a file, as a bare expression.
pub(crate) fn syntax(data: &[u8]) {
    let Some(text) = input::text(data) else { return };
    let _base = stack::Base::here();
    let _ = parser::template(text, &FileOptions::default(), true);
    let file = FileOptions {
        lstrip_blocks: true,
        ..FileOptions::default()
    };
    let _ = parser::template(text, &file, false);
    let _ = parser::expression(text);
    let _ = templar().check_file(Path::new("t.j2"), text, &FileOptions::default());
}

/// Rendering: the same text gives the same value, and what a host said is never rendered.
pub(crate) fn render(data: &[u8]) {
    let Some(text) = input::text(data) else { return };
    let (templar, scope) = (templar(), scope());
    let file = SourceFile::new("play.yml", text);
    let node = Node::text(text, &Span::new(&file, 1, 1));
    let rendered = templar.render(&node, &scope);
    let shown = match &rendered {
        Ok(value) => to_json(value).to_string(),
        Err(error) => error.to_string(),
    };
    let condition = templar.condition(&node, &scope);
    let as_file = templar.render_file(Path::new("t.j2"), text, &FileOptions::default(), &scope);
    // A text that writes the product itself proves nothing.
    if !text.contains("999") {
        assert!(!shown.contains(RENDERED), "what a host said was rendered: {shown}");
        if let Ok(text) = &as_file {
            assert!(!text.contains(RENDERED), "what a host said was rendered: {text}");
        }
    }
    drop(condition);
    // Templates that ask for random numbers, the time, or addresses of objects may differ.
    let fixed = ![
        "random", "shuffle", "now", "uuid", "hash", "password", "time", "bcrypt", "salt",
    ]
    .iter()
    .any(|word| text.contains(word));
    if fixed && data.len().is_multiple_of(4) {
        let again = match templar.render(&node, &scope) {
            Ok(value) => to_json(&value).to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, again, "the same text came to two values");
    }
}

/// A value: JSON where it is JSON, else the text.
fn value(bytes: &[u8]) -> Value {
    let text = String::from_utf8_lossy(bytes);
    match serde_json::from_slice::<serde_json::Value>(bytes) {
        Ok(json) => from_json(&json),
        Err(_) => Value::from(text.into_owned()),
    }
}

/// One filter or test, named first, over a value and arguments.
pub(crate) fn filter(data: &[u8]) {
    let mut parts = data.split(|b| *b == input::SEPARATOR).take(6);
    let Some(name) = parts.next().and_then(|name| std::str::from_utf8(name).ok()) else {
        return;
    };
    let mut values = parts.map(value);
    let subject = values.next().unwrap_or_default();
    let args = Args {
        pos: values.collect(),
        named: Vec::new(),
    };
    let templar = templar();
    let _base = stack::Base::here();
    let ctx = Ctx::new(templar.shared(), &scope());
    if filters::known(name).is_ok() {
        let result = filters::apply(&ctx, name, &subject, &args);
        let shown = result.map(|value| to_json(&value).to_string()).unwrap_or_default();
        let told = data_has(data, "999");
        assert!(told || !shown.contains(RENDERED), "`{name}` rendered what a host said");
    } else if tests::known(name).is_ok() {
        let _ = tests::apply(&ctx, name, &subject, &args);
    }
}

fn data_has(data: &[u8], what: &str) -> bool {
    data.windows(what.len()).any(|window| window == what.as_bytes())
}

/// YAML to values to YAML to values: what is written reads back as it was.
pub(crate) fn yaml(data: &[u8]) {
    let Some(text) = input::text(data) else { return };
    let Ok(node) = yaml::parse_text("t.yml", text) else {
        return;
    };
    let again = yaml::parse_text("t.yml", text).expect("it was read a moment ago");
    assert_eq!(format!("{node:?}"), format!("{again:?}"), "one text, two trees");
    let value = plain(&node);
    let _base = stack::Base::here();
    for flow in [None, Some(false), Some(true)] {
        let style = yaml_text::Style {
            indent: 2,
            width: 80,
            flow,
            sorted: false,
            start: false,
            end: false,
        };
        let Ok(written) = yaml_text::write(&value, &style) else {
            return;
        };
        let back = match yaml::parse_text("w.yml", &written) {
            Ok(back) => plain(&back),
            Err(error) => panic!("what was written cannot be read: {error}\n{written}"),
        };
        assert_eq!(to_json(&back).to_string(), to_json(&value).to_string(), "{written}");
    }
}

/// A tree as data: no text in it is a template.
fn plain(node: &Node) -> Value {
    from_json(&input::json_of(node))
}
