//! What `batchssh inventory` prints: `--list` (JSON or YAML), `--graph` and `--host`, in the form of
//! `ansible-inventory`. Templates and encrypted values are shown as they were written.

mod json;
mod yaml;

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use super::read::json_of;
use super::{Inventory, LOCALHOST, Limit};
use crate::names::HostName;
use crate::source::{Diagnostic, nearest, visible};
use crate::vars::{Var, VarMap, templar};

/// What is shown, and how.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    /// Only these hosts (`--limit`).
    pub limit: Option<&'a Limit>,
    /// A folder whose `group_vars` and `host_vars` count as well (`--playbook-dir`).
    pub playbook_dir: Option<&'a Path>,
    /// Variables of groups stay with the groups (`--export`).
    pub export: bool,
    /// YAML instead of JSON (`--yaml`).
    pub yaml: bool,
    /// Variables in the graph (`--vars`).
    pub vars: bool,
}

type Object = serde_json::Map<String, Value>;

/// Every host and group: what `--list` prints, without the last line feed.
pub fn list(inventory: &Inventory, options: &Options<'_>) -> Result<String, Diagnostic> {
    let hosts = inventory.select_limited("all", options.limit)?.hosts;
    let shown: HashSet<&HostName> = hosts.iter().collect();
    if options.yaml {
        let mut lister = Yaml {
            inventory,
            options,
            shown: &shown,
            seen_groups: HashSet::new(),
            seen_hosts: HashSet::new(),
        };
        let mut root = Object::new();
        lister.group("all", &mut root)?;
        return Ok(yaml::dump(&Value::Object(root)));
    }
    let mut root = Object::new();
    // Groups in the order they are reached from `all`; the keys are sorted in the end.
    let mut waiting = vec!["all"];
    let mut seen: HashSet<&str> = HashSet::from(["all"]);
    while let Some(name) = waiting.pop() {
        let Some(group) = inventory.groups.get(name) else {
            continue;
        };
        let mut body = Object::new();
        if name != "all" {
            let hosts = group.hosts.iter().filter(|host| shown.contains(host));
            body.insert("hosts".into(), hosts.map(HostName::as_str).collect());
        }
        body.insert("children".into(), group.children.iter().map(String::as_str).collect());
        if options.export {
            body.insert("vars".into(), Value::Object(group_vars(inventory, name, options)?));
        }
        body.retain(|_, value| !is_empty(value));
        if !body.is_empty() {
            root.insert(name.to_owned(), Value::Object(body));
        }
        waiting.extend(
            group
                .children
                .iter()
                .map(String::as_str)
                .filter(|child| seen.insert(child)),
        );
    }
    let mut hostvars = Object::new();
    for host in &hosts {
        let vars = host_vars(inventory, host, options)?;
        if !vars.is_empty() {
            hostvars.insert(host.to_string(), Value::Object(vars));
        }
    }
    let mut meta = Object::new();
    meta.insert("hostvars".into(), Value::Object(hostvars));
    meta.insert("profile".into(), "inventory_legacy".into());
    root.insert("_meta".into(), Value::Object(meta));
    Ok(json::dump(&Value::Object(root)))
}

/// The variables of one host: what `--host` prints, without the last line feed.
pub fn host(inventory: &Inventory, name: &str, options: &Options<'_>) -> Result<String, Diagnostic> {
    let known = inventory.hosts.get_key_value(name).map(|(host, _)| host.clone());
    let implicit = LOCALHOST.contains(&name).then(|| HostName::new(name));
    let Some(host) = known.or(implicit) else {
        let error = Diagnostic::new(format!("there is no host `{name}` in the inventory"));
        return Err(match nearest(name, inventory.hosts.keys().map(HostName::as_str)) {
            Some(near) => error.help(format!("did you mean `{near}`?")),
            None => error.help("`--host` takes the name of one host"),
        });
    };
    let vars = Value::Object(host_vars(inventory, &host, options)?);
    Ok(if options.yaml {
        yaml::dump(&vars)
    } else {
        json::dump(&vars)
    })
}

/// The tree below a group: what `--graph` prints, without the last line feed.
pub fn graph(inventory: &Inventory, group: &str, options: &Options<'_>) -> Result<String, Diagnostic> {
    if !inventory.groups.contains_key(group) {
        let error = Diagnostic::new(format!("there is no group `{group}` in the inventory"));
        return Err(match nearest(group, inventory.groups.keys().map(String::as_str)) {
            Some(near) => error.help(format!("did you mean `{near}`?")),
            None => error.help("`--graph` takes the name of a group"),
        });
    }
    let mut lines = String::new();
    branch(inventory, group, 0, options, &mut lines)?;
    lines.pop();
    Ok(lines)
}

/// Lines of the longest graph: a group may stand in it many times.
const MOST_LINES: usize = 5_000_000;

fn branch(
    inventory: &Inventory,
    name: &str,
    depth: usize,
    options: &Options<'_>,
    out: &mut String,
) -> Result<(), Diagnostic> {
    let line = |depth: usize, text: &str, out: &mut String| {
        let _ = match depth {
            0 => writeln!(out, "{}", visible(text)),
            _ => writeln!(out, "{}--{}", "  |".repeat(depth), visible(text)),
        };
    };
    let Some(group) = inventory.groups.get(name) else {
        return Ok(());
    };
    if out.len() > MOST_LINES * 20 || depth > 1000 {
        return Err(Diagnostic::new(
            "the graph is too large: groups stand in it in too many ways",
        ));
    }
    line(depth, &format!("@{name}:"), out);
    for child in &group.children {
        branch(inventory, child, depth + 1, options, out)?;
    }
    if name != "all" {
        for host in &group.hosts {
            line(depth + 1, host.as_str(), out);
            if options.vars {
                for text in var_lines(host_vars(inventory, host, options)?) {
                    line(depth + 2, &text, out);
                }
            }
        }
    }
    if options.vars {
        for text in var_lines(group_vars(inventory, name, options)?) {
            line(depth + 1, &text, out);
        }
    }
    Ok(())
}

/// `{name = value}`, sorted by name, values as Python shows them.
fn var_lines(vars: Object) -> Vec<String> {
    let sorted: BTreeMap<String, Value> = vars.into_iter().collect();
    sorted
        .iter()
        .map(|(name, value)| format!("{{{name} = {}}}", python(value, true)))
        .collect()
}

fn python(value: &Value, top: bool) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) => json::number(number),
        Value::String(text) if top => text.clone(),
        Value::String(text) if text.contains('\'') && !text.contains('"') => format!("\"{text}\""),
        Value::String(text) => format!(
            "'{}'",
            text.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n")
        ),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| python(item, false)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(entries) => {
            let entry = |(key, value): (&String, &Value)| {
                format!(
                    "{}: {}",
                    python(&Value::String(key.clone()), false),
                    python(value, false)
                )
            };
            let entries: Vec<String> = entries.iter().map(entry).collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

/// `--list --yaml`: each host with its variables where it stands first.
struct Yaml<'a> {
    inventory: &'a Inventory,
    options: &'a Options<'a>,
    shown: &'a HashSet<&'a HostName>,
    seen_groups: HashSet<String>,
    seen_hosts: HashSet<HostName>,
}

impl Yaml<'_> {
    fn group(&mut self, name: &str, into: &mut Object) -> Result<(), Diagnostic> {
        let inventory = self.inventory;
        let Some(group) = inventory.groups.get(name) else {
            return Ok(());
        };
        let mut children = Object::new();
        for child in &group.children {
            if self.seen_groups.contains(child) {
                children.insert(child.clone(), Value::Object(Object::new()));
            } else {
                self.group(child, &mut children)?;
                self.seen_groups.insert(child.clone());
            }
        }
        let mut hosts = Object::new();
        if name != "all" {
            for host in group.hosts.iter().filter(|host| self.shown.contains(host)) {
                let vars = if self.seen_hosts.insert(host.clone()) {
                    host_vars(inventory, host, self.options)?
                } else {
                    Object::new()
                };
                hosts.insert(host.to_string(), Value::Object(vars));
            }
        }
        let mut body = Object::new();
        body.insert("children".into(), Value::Object(children));
        body.insert("hosts".into(), Value::Object(hosts));
        if self.options.export {
            body.insert("vars".into(), Value::Object(group_vars(inventory, name, self.options)?));
        }
        body.retain(|_, value| !is_empty(value));
        if !body.is_empty() {
            into.insert(name.to_owned(), Value::Object(body));
        }
        Ok(())
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// With `--export` only what is the host's own.
fn host_vars(inventory: &Inventory, host: &HostName, options: &Options<'_>) -> Result<Object, Diagnostic> {
    let vars = if options.export {
        inventory.own_vars(host, options.playbook_dir)?
    } else {
        inventory.vars_of(host, options.playbook_dir)?
    };
    Ok(object(&vars))
}

fn group_vars(inventory: &Inventory, group: &str, options: &Options<'_>) -> Result<Object, Diagnostic> {
    let mut vars = object(&inventory.vars_of_group(group, options.playbook_dir)?);
    if let Some(group) = inventory.groups.get(group).filter(|group| group.priority != 1) {
        vars.insert("ansible_group_priority".into(), group.priority.into());
    }
    Ok(vars)
}

fn object(vars: &VarMap) -> Object {
    let json = |value: &Var| match value {
        Var::Source(node) => json_of(node),
        Var::Data(value) => templar::to_json(value),
    };
    vars.iter().map(|(name, value)| (name.clone(), json(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inventory() -> Inventory {
        Inventory::from_text(
            "h",
            "lone\n[web]\nh1 port=80 name='é \"q\"' l=\"['a', 1.5, None]\"\nh2\n[db]\nh2\n[site:children]\nweb\ndb\n[empty]\n[site:vars]\nx={{ y }}\n",
        )
        .unwrap()
    }

    #[test]
    fn the_list_is_that_of_ansible_inventory() {
        let expected = r#"{
    "_meta": {
        "hostvars": {
            "h1": {
                "l": [
                    "a",
                    1.5,
                    null
                ],
                "name": "é \"q\"",
                "port": 80,
                "x": "{{ y }}"
            },
            "h2": {
                "x": "{{ y }}"
            }
        },
        "profile": "inventory_legacy"
    },
    "all": {
        "children": [
            "ungrouped",
            "site",
            "empty"
        ]
    },
    "db": {
        "hosts": [
            "h2"
        ]
    },
    "site": {
        "children": [
            "web",
            "db"
        ]
    },
    "ungrouped": {
        "hosts": [
            "lone"
        ]
    },
    "web": {
        "hosts": [
            "h1",
            "h2"
        ]
    }
}"#;
        assert_eq!(list(&inventory(), &Options::default()).unwrap(), expected);
    }

    #[test]
    fn the_graph_is_that_of_ansible_inventory() {
        let expected = "@all:\n  |--@ungrouped:\n  |  |--lone\n  |--@site:\n  |  |--@web:\n  |  |  |--h1\n  |  |  |--h2\n  |  |--@db:\n  |  |  |--h2\n  |--@empty:";
        assert_eq!(graph(&inventory(), "all", &Options::default()).unwrap(), expected);
        let with_vars = Options {
            vars: true,
            ..Options::default()
        };
        let shown = graph(&inventory(), "web", &with_vars).unwrap();
        assert!(shown.contains("  |  |--{l = ['a', 1.5, None]}\n"), "{shown}");
        assert!(
            graph(&inventory(), "wbe", &with_vars)
                .unwrap_err()
                .to_string()
                .contains("`web`")
        );
    }

    #[test]
    fn one_host_and_yaml_are_shown() {
        let shown = host(&inventory(), "h2", &Options::default()).unwrap();
        assert_eq!(shown, "{\n    \"x\": \"{{ y }}\"\n}");
        assert!(host(&inventory(), "h9", &Options::default()).is_err());
        let yaml = Options {
            yaml: true,
            ..Options::default()
        };
        let shown = list(&inventory(), &yaml).unwrap();
        assert!(shown.starts_with("all:\n  children:\n"), "{shown}");
        // What is printed can be read again.
        let again = Inventory::from_text("h.yml", &shown).unwrap_or_else(|e| panic!("{e}\n{shown}"));
        assert_eq!(again.members("web"), inventory().members("web"));
    }
}
