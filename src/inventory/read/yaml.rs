//! YAML inventories: groups with `hosts`, `vars` and `children` at every level.

use std::sync::Arc;

use super::super::build::Builder;
use super::json;
use crate::source::{SourceFile, nearest};
use crate::vars::Var;
use crate::yaml::{Kind, Node, parse};

/// Reads a YAML inventory.
pub(super) fn read(file: &Arc<SourceFile>, builder: &mut Builder) {
    match parse(file) {
        Ok(root) => tree(&root, builder),
        Err(error) => builder.error(error),
    }
}

/// The groups of the uppermost level.
pub(super) fn tree(root: &Node, builder: &mut Builder) {
    let groups = match &root.kind {
        Kind::Map(groups) => groups,
        Kind::Null => return,
        Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::Text(_) | Kind::List(_) => {
            let error = root.error(format!("an inventory is a mapping of groups, not {}", root.kind_name()));
            builder.error(error.help("all:\n  hosts:\n    web1:"));
            return;
        }
    };
    if let Some(plugin) = root.get("plugin").filter(|plugin| plugin.as_str().is_some()) {
        let error = plugin.error("this is the configuration of an inventory plugin, which is Python and cannot be run");
        builder
            .error(error.help("use a script that prints the hosts as JSON (`--list`), or `ansible-inventory --list`"));
        return;
    }
    // What `ansible-inventory --list` prints has lists of hosts.
    if json::is_script_output(root) {
        return json::tree(root, builder);
    }
    for (name, body) in groups {
        group(name, body, builder);
    }
}

fn group(name: &Node, body: &Node, builder: &mut Builder) -> Option<usize> {
    let text = key_text(name, "group", builder)?;
    let group = builder.group(&text, &name.span)?;
    let sections = match &body.kind {
        Kind::Map(sections) => sections,
        Kind::Null => return Some(group),
        Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::Text(_) | Kind::List(_) => {
            let error = body.error(format!(
                "the group `{text}` is {}; a mapping with `hosts`, `vars` or `children` is expected",
                body.kind_name()
            ));
            builder.error(error);
            return Some(group);
        }
    };
    for (key, value) in sections {
        match key.as_str() {
            Some("hosts") => each(key, value, &text, builder, |name, vars, builder| {
                hosts(group, name, vars, builder);
            }),
            Some("children") => each(key, value, &text, builder, |name, body, builder| {
                if let Some(child) = self::group(name, body, builder) {
                    builder.nest(group, child, &name.span);
                }
            }),
            Some("vars") => each(key, value, &text, builder, |name, value, builder| {
                if let Some(name_text) = key_text(name, "variable", builder) {
                    builder.set_group(group, &name_text, Var::Source(Arc::new(value.clone())), &value.span);
                }
            }),
            other => unknown_key(other, key, &text, builder),
        }
        if builder.is_full() {
            break;
        }
    }
    Some(group)
}

fn unknown_key(text: Option<&str>, key: &Node, group: &str, builder: &mut Builder) {
    let shown = text.map_or_else(|| key.scalar_text().unwrap_or_default(), str::to_owned);
    let help = nearest(&shown, ["hosts", "vars", "children"]).map_or_else(
        || "variables of a group stand under `vars:`, groups in it under `children:`".to_owned(),
        |near| format!("did you mean `{near}`?"),
    );
    let error = key.error(format!("unknown key `{shown}` in the group `{group}`"));
    builder.error(error.help(help));
}

/// Calls `take` for each entry of a section. A name alone is the mapping of that name to nothing.
fn each(
    key: &Node,
    value: &Node,
    group: &str,
    builder: &mut Builder,
    mut take: impl FnMut(&Node, &Node, &mut Builder),
) {
    let section = key.as_str().unwrap_or("");
    match &value.kind {
        Kind::Null => {}
        Kind::Map(entries) => {
            for (name, value) in entries {
                take(name, value, builder);
                if builder.is_full() {
                    return;
                }
            }
        }
        Kind::Text(_) if section != "vars" => {
            let nothing = Node {
                span: value.span.clone(),
                kind: Kind::Null,
            };
            take(value, &nothing, builder);
        }
        Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::Text(_) | Kind::List(_) => {
            let mut error = value.error(format!(
                "`{section}` of the group `{group}` is {}; a mapping is expected",
                value.kind_name()
            ));
            if matches!(value.kind, Kind::List(_)) && section != "vars" {
                error = error.help("write each as a key: `web1:` instead of `- web1`");
            }
            builder.error(error);
        }
    }
}

fn hosts(group: usize, name: &Node, vars: &Node, builder: &mut Builder) {
    let Some(text) = key_text(name, "host", builder) else {
        return;
    };
    let hosts = builder.entry(&text, &name.span);
    for &host in &hosts {
        builder.put(host, group);
    }
    match &vars.kind {
        Kind::Null => {}
        Kind::Map(entries) => {
            for (key, value) in entries {
                if let Some(key_text) = key_text(key, "variable", builder) {
                    let shared = Var::Source(Arc::new(value.clone()));
                    builder.set_hosts(&hosts, &key_text, &shared, &value.span);
                }
            }
        }
        Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::Text(_) | Kind::List(_) => {
            builder.error(vars.error(format!(
                "the variables of the host `{text}` are {}; a mapping is expected",
                vars.kind_name()
            )));
        }
    }
}

/// Numbers and booleans are no names: YAML may have changed them (`0123`, `on`).
fn key_text(key: &Node, what: &str, builder: &mut Builder) -> Option<String> {
    if let Some(text) = key.as_str() {
        return Some(text.to_owned());
    }
    let shown = key.scalar_text().unwrap_or_else(|| "null".to_owned());
    let error = key.error(format!(
        "the name of a {what} is text, `{shown}` is {}",
        key.kind_name()
    ));
    builder.error(error.help("put it into quotes"));
    None
}

#[cfg(test)]
mod tests {
    use super::super::super::Inventory;
    use proptest::prelude::*;

    fn error(text: &str) -> String {
        Inventory::from_text("hosts.yml", text).unwrap_err().to_string()
    }

    #[test]
    fn nested_groups_are_read_in_file_order() {
        let inventory = Inventory::from_text(
            "hosts.yml",
            "all:\n  vars: {region: eu}\n  hosts:\n    h3: {ansible_host: 127.0.0.13}\n  children:\n    web:\n      hosts:\n        h1: {ports: [80]}\n        'w[1:2]:22':\n      vars: {role: front}\n      children:\n        canary:\n          hosts: h2\n    empty:\n",
        )
        .unwrap();
        let names = |group: &str| {
            inventory
                .members(group)
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(names("all"), "h3 h1 w1 w2 h2");
        assert_eq!(names("web"), "h1 w1 w2 h2");
        assert_eq!(names("ungrouped"), "h3");
        assert_eq!(names("empty"), "");
        assert_eq!(inventory.group_names(&"h2".into()), ["canary", "web"]);
        assert!(inventory.hosts.get("w2").unwrap().vars.contains_key("ansible_port"));
        assert_eq!(inventory.groups.get("canary").unwrap().depth, 2);
    }

    #[test]
    fn mistakes_have_a_line_and_a_reason() {
        for (text, line, words) in [
            (
                "all:\n  hosts:\n    - a\n    - b\n",
                "hosts.yml:3",
                "a list; a mapping is expected",
            ),
            (
                "all:\n  hosts:\n    a: {x: 1}\n    b:\n    a:\n",
                "hosts.yml:5",
                "`a` stands here twice",
            ),
            ("all: &x\n  children:\n    sub: *x\n", "hosts.yml:3", "alias"),
            (
                "all: !!python/object/apply:os.system [x]\n",
                "hosts.yml:1",
                "unknown YAML tag",
            ),
            ("all:\n\thosts:\n", "hosts.yml:2", "tab"),
            ("- a\n", "hosts.yml:1", "mapping of groups"),
            ("all:\n  childern:\n    a:\n", "hosts.yml:2", "did you mean `children`"),
            ("all:\n  hosts:\n    10:\n", "hosts.yml:3", "put it into quotes"),
            ("all:\n  hosts:\n    a: 5\n", "hosts.yml:3", "variables of the host `a`"),
            (
                "all:\n  hosts:\n    a: {ansible_port: 0}\n",
                "hosts.yml:3",
                "1 to 65535",
            ),
            ("web: [a]\n", "hosts.yml:1", "the group `web` is a list"),
            ("plugin: aws_ec2\n", "hosts.yml:1", "plugin"),
            (
                "all:\n  children:\n    a:\n      children:\n        b:\n          children:\n            a:\n",
                "hosts.yml",
                "cycle",
            ),
        ] {
            let shown = error(text);
            assert!(shown.contains(line) && shown.contains(words), "{text}: {shown}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(all|hosts|vars|children|a|b|:|\n|  | |-|\\{|\\}|\\[|\\]|,|&x|\\*x|1){0,40}") {
            let _ = Inventory::from_text("hosts.yml", &text);
        }
    }
}
