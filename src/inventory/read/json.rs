//! JSON: an inventory as in YAML, or what inventory scripts print (`{"web": {"hosts": ["a"]}, "_meta": {…}}`).

use std::collections::HashSet;
use std::sync::Arc;

use super::super::build::Builder;
use super::yaml;
use crate::source::{Diagnostic, SourceFile, Span};
use crate::vars::Var;
use crate::yaml::{Kind, Node, Text, TextUse, parse};

/// How JSON writes what YAML writes as `!vault`.
const VAULT: &str = "__ansible_vault";

fn encrypted(text: &str) -> Kind {
    Kind::Text(Text {
        value: text.into(),
        use_as: TextUse::Vault,
        quoted: true,
    })
}

/// Reads a JSON file. JSON is YAML but for corner cases; the YAML reader knows the places of values.
pub(super) fn read(file: &Arc<SourceFile>, builder: &mut Builder) {
    match to_node(file) {
        Ok(root) if is_script_output(&root) || lists_hosts(&root) => tree(&root, builder),
        Ok(root) => yaml::tree(&root, builder),
        Err(error) => builder.error(error),
    }
}

/// The text as a tree: with places where the YAML reader accepts it.
pub(in super::super) fn to_node(file: &Arc<SourceFile>) -> Result<Node, Diagnostic> {
    parse(file).map(open_vaults).or_else(|yaml_error| {
        let json: serde_json::Value = serde_json::from_str(&file.text).map_err(|json_error| {
            // Duplicate keys are fine for the JSON reader, so the other error may be the better one.
            if file.text.trim_start().starts_with('{') || file.text.trim_start().starts_with('[') {
                let at = |n: usize| u32::try_from(n.max(1)).unwrap_or(u32::MAX);
                let text = json_error.to_string();
                let message = text.split(" at line ").next().unwrap_or(&text).to_owned();
                let span = Span::new(file, at(json_error.line()), at(json_error.column()));
                Diagnostic::new(format!("invalid JSON: {message}")).at(span)
            } else {
                yaml_error.clone()
            }
        })?;
        if yaml_error.message.contains("stands here twice") {
            return Err(yaml_error);
        }
        Ok(node_of(&json, &Span::new(file, 1, 1)))
    })
}

/// JSON as a tree whose values all stand at one place.
pub(super) fn node_of(json: &serde_json::Value, at: &Span) -> Node {
    let kind = match json {
        serde_json::Value::Null => Kind::Null,
        serde_json::Value::Bool(b) => Kind::Bool(*b),
        serde_json::Value::Number(n) => match (n.as_i64(), n.as_f64()) {
            (Some(n), _) => Kind::Int(n),
            (None, Some(n)) => Kind::Float(n),
            (None, None) => Node::text(n.to_string(), at).kind,
        },
        serde_json::Value::String(text) => Node::text(text.as_str(), at).kind,
        serde_json::Value::Array(items) => Kind::List(items.iter().map(|item| node_of(item, at)).collect()),
        serde_json::Value::Object(entries) if entries.len() == 1 && entries.contains_key(VAULT) => encrypted(
            entries
                .get(VAULT)
                .and_then(serde_json::Value::as_str)
                .unwrap_or_default(),
        ),
        serde_json::Value::Object(entries) => Kind::Map(
            entries
                .iter()
                .map(|(key, value)| (Node::text(key.as_str(), at), node_of(value, at)))
                .collect(),
        ),
    };
    Node { span: at.clone(), kind }
}

/// Makes encrypted text of what was read as a mapping `{"__ansible_vault": …}`.
fn open_vaults(node: Node) -> Node {
    let kind = match node.kind {
        Kind::Map(entries) => match entries.as_slice() {
            [(key, value)] if key.as_str() == Some(VAULT) => encrypted(value.as_str().unwrap_or_default()),
            _ => Kind::Map(
                entries
                    .into_iter()
                    .map(|(key, value)| (key, open_vaults(value)))
                    .collect(),
            ),
        },
        Kind::List(items) => Kind::List(items.into_iter().map(open_vaults).collect()),
        other => other,
    };
    Node { span: node.span, kind }
}

/// True when an encrypted text is in it.
pub(super) fn has_vault(node: &Node) -> bool {
    match &node.kind {
        Kind::Text(text) => text.use_as == TextUse::Vault,
        Kind::List(items) => items.iter().any(has_vault),
        Kind::Map(entries) => entries.iter().any(|(_, value)| has_vault(value)),
        Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) => false,
    }
}

/// Takes every text in it as it is: none is a template.
pub(super) fn make_literal(node: &mut Node) {
    match &mut node.kind {
        Kind::Text(text) if text.use_as == TextUse::Template => text.use_as = TextUse::Literal,
        Kind::List(items) => items.iter_mut().for_each(make_literal),
        Kind::Map(entries) => entries.iter_mut().for_each(|(_, value)| make_literal(value)),
        Kind::Text(_) | Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) => {}
    }
}

/// True when hosts are listed, as scripts do, and not keys, as in YAML inventories.
pub(super) fn is_script_output(root: &Node) -> bool {
    let Some(groups) = root.as_map() else { return false };
    groups.iter().any(|(name, _)| name.as_str() == Some("_meta"))
}

/// True when a group is a list of hosts, or has one: in JSON that is the form of scripts without `_meta`.
fn lists_hosts(root: &Node) -> bool {
    let groups = root.as_map().unwrap_or_default();
    let is_list = |node: &Node| node.as_list().is_some();
    groups
        .iter()
        .any(|(_, body)| is_list(body) || body.get("hosts").is_some_and(is_list))
}

/// A tree as JSON. Encrypted text stays encrypted, and is marked.
pub(in super::super) fn json_of(node: &Node) -> serde_json::Value {
    match &node.kind {
        Kind::Null => serde_json::Value::Null,
        Kind::Bool(b) => (*b).into(),
        Kind::Int(n) => (*n).into(),
        Kind::Float(n) => (*n).into(),
        Kind::Text(text) if text.use_as == TextUse::Vault => serde_json::json!({ VAULT: &*text.value }),
        Kind::Text(text) => serde_json::Value::String(text.value.to_string()),
        Kind::List(items) => items.iter().map(json_of).collect(),
        Kind::Map(entries) => {
            let entry = |(key, value): &(Node, Node)| {
                let name = key.scalar_text().unwrap_or_else(|| "null".to_owned());
                (name, json_of(value))
            };
            serde_json::Value::Object(entries.iter().map(entry).collect())
        }
    }
}

/// Reads the form that scripts print, from a tree whose values may be templates.
pub(super) fn tree(root: &Node, builder: &mut Builder) {
    script(root, builder, &|value| Var::Source(Arc::new(value.clone())));
}

/// Reads the form that scripts print. Gives the hosts that were told, in order.
pub(super) fn script(root: &Node, builder: &mut Builder, var: &dyn Fn(&Node) -> Var) -> Vec<usize> {
    let mut told = Vec::new();
    let Some(groups) = root.as_map() else {
        let error = root.error(format!("a mapping of groups is expected, not {}", root.kind_name()));
        builder.error(error);
        return told;
    };
    let mut meta = None;
    for (name, body) in groups {
        match name.as_str() {
            Some("_meta") => meta = Some(body),
            Some(name) => told.extend(script_group(name, body, builder, var)),
            None => builder.error(name.error("the name of a group is text")),
        }
        if builder.is_full() {
            return told;
        }
    }
    let Some(vars) = meta.and_then(|meta| meta.get("hostvars")) else {
        return told;
    };
    match &vars.kind {
        Kind::Map(hosts) => {
            let hosts_told: HashSet<usize> = told.iter().copied().collect();
            for (name, vars) in hosts {
                let Some(name_text) = name.as_str() else {
                    builder.error(name.error("the name of a host is text"));
                    continue;
                };
                // Variables alone do not tell a host: scripts keep those of hosts that are gone.
                if let Some(host) = builder.known_host(name_text).filter(|host| hosts_told.contains(host)) {
                    host_vars(host, name_text, vars, builder, var);
                }
            }
        }
        Kind::Null => {}
        Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::Text(_) | Kind::List(_) => {
            builder.error(vars.error(format!(
                "`_meta.hostvars` is {}; a mapping is expected",
                vars.kind_name()
            )));
        }
    }
    told
}

fn script_group(name: &str, body: &Node, builder: &mut Builder, var: &dyn Fn(&Node) -> Var) -> Vec<usize> {
    let mut told = Vec::new();
    let Some(group) = builder.group(name, &body.span) else {
        return told;
    };
    let wrong = |what: &str, node: &Node, expected: &str| {
        node.error(format!(
            "{what} of the group `{name}` is {}; {expected} is expected",
            node.kind_name()
        ))
    };
    let mut add_hosts = |hosts: &Node, builder: &mut Builder| match hosts.as_list() {
        Some(hosts) => {
            for host in hosts {
                match host.as_str() {
                    Some(text) => {
                        if let Some(host) = builder.host(text, &host.span) {
                            builder.put(host, group);
                            told.push(host);
                        }
                    }
                    None => builder.error(wrong("a host", host, "its name")),
                }
            }
        }
        None if hosts.is_null() => {}
        None => builder.error(wrong("`hosts`", hosts, "a list")),
    };
    match &body.kind {
        // The oldest form: a group is the list of its hosts.
        Kind::List(_) => add_hosts(body, builder),
        Kind::Map(sections) => {
            for (key, value) in sections {
                match key.as_str() {
                    Some("hosts") => add_hosts(value, builder),
                    Some("vars") => match &value.kind {
                        Kind::Map(vars) => {
                            for (key, value) in vars {
                                if let Some(key) = key.as_str() {
                                    builder.set_group(group, key, var(value), &value.span);
                                }
                            }
                        }
                        Kind::Null => {}
                        _ => builder.error(wrong("`vars`", value, "a mapping")),
                    },
                    Some("children") => {
                        for child in value.as_list().unwrap_or_default() {
                            let number = child.as_str().and_then(|name| builder.group(name, &child.span));
                            if let Some(number) = number {
                                builder.nest(group, number, &child.span);
                            }
                        }
                        if value.as_list().is_none() && !value.is_null() {
                            builder.error(wrong("`children`", value, "a list"));
                        }
                    }
                    // Scripts print more than is asked for.
                    _ => {}
                }
            }
        }
        Kind::Null => {}
        Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::Text(_) => {
            let error = body.error(format!("the group `{name}` is {}", body.kind_name()));
            builder.error(error.help("a group is {\"hosts\": [], \"vars\": {}, \"children\": []}"));
        }
    }
    told
}

/// Sets the variables of one host.
pub(super) fn host_vars(host: usize, name: &str, vars: &Node, builder: &mut Builder, var: &dyn Fn(&Node) -> Var) {
    match &vars.kind {
        Kind::Map(vars) => {
            for (key, value) in vars {
                if let Some(key) = key.as_str() {
                    builder.set_hosts(&[host], key, &var(value), &value.span);
                }
            }
        }
        Kind::Null => {}
        Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::Text(_) | Kind::List(_) => {
            builder.error(vars.error(format!(
                "the variables of the host `{name}` are {}; a mapping is expected",
                vars.kind_name()
            )));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::Inventory;

    #[test]
    fn both_forms_of_json_are_read() {
        let a = Inventory::from_text("h.json", "{\"all\": {\"hosts\": {\"a\": {\"x\": 1}}}}").unwrap();
        assert!(a.hosts.get("a").unwrap().vars.contains_key("x"));
        let b = Inventory::from_text(
            "h",
            "{\"web\": {\"hosts\": [\"a\", \"b\"], \"vars\": {\"v\": 2}, \"children\": [\"sub\"]}, \"sub\": [\"c\"],\n\t\"_meta\": {\"hostvars\": {\"b\": {\"x\": 1}, \"gone\": {}}}}",
        )
        .unwrap();
        let names: Vec<String> = b.members("web").iter().map(ToString::to_string).collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert!(b.hosts.get("b").unwrap().vars.contains_key("x"));
        assert!(!b.hosts.contains_key("gone"));
    }

    #[test]
    fn broken_json_has_a_place() {
        let error = Inventory::from_text("h.json", "{\"all\": {\n  \"hosts\": }\n}x")
            .unwrap_err()
            .to_string();
        assert!(error.contains("h.json:"), "{error}");
        let error = Inventory::from_text("h.json", "{\"web\": {\"hosts\": 5}, \"_meta\": {}}")
            .unwrap_err()
            .to_string();
        assert!(error.contains("`hosts` of the group `web`"), "{error}");
    }
}
