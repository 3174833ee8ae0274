//! Which variables a task sees on a host: Ansible's order of precedence, and the magic variables.

use std::path::PathBuf;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, ObjectRepr};

use crate::engine::play::PlayRun;
use crate::engine::shared::{HostVars, Shared};
use crate::names::HostName;
use crate::plan::{Role, Task};
use crate::source::Diagnostic;
use crate::vars::{Scope, Value, Var, VarMap};
use crate::yaml::Node;

/// The variables of `task` on `host`. Without a task: those of the play.
pub fn build(
    shared: &Shared,
    play: &PlayRun,
    host: &HostName,
    vars: &HostVars,
    task: Option<&Task>,
) -> Result<Scope, Diagnostic> {
    let mut scope = Scope::new();
    let roles = play.roles();
    for role in roles.iter() {
        scope.push(role.defaults.clone());
    }
    if let Some(role) = task.and_then(|task| task.role.as_ref()) {
        push_roles(&mut scope, role, &|role| role.defaults.clone());
    }
    scope.push(shared.inventory.vars_of(host, Some(&play.play.playbook_dir))?);
    scope.push(vars.facts.clone());
    scope.push(play.play.vars.clone());
    push_vars_files(shared, play, host, &mut scope)?;
    for role in roles.iter() {
        scope.push(role.vars.clone());
    }
    if let Some(task) = task {
        if let Some(role) = &task.role {
            push_roles(&mut scope, role, &|role| role.vars.clone());
        }
        for layer in &task.keywords.vars {
            scope.push(layer.clone());
        }
    }
    scope.push(vars.own.clone());
    if let Some(task) = task {
        if let Some(role) = &task.role {
            push_roles(&mut scope, role, &|role| role.params.clone());
        }
        for layer in &task.include_vars {
            scope.push(layer.clone());
        }
    }
    scope.push(shared.options.extra_vars.clone());
    scope.push(play.magic.clone());
    scope.push(play.host_magic(shared, host));
    if let Some(task) = task {
        scope.push(Arc::new(task_magic(play, task)));
    }
    Ok(scope)
}

/// What `hostvars[host]` shows: no play, no task.
fn hostvars_scope(shared: &Shared, run_magic: &Arc<VarMap>, host: &HostName) -> Result<Scope, Diagnostic> {
    let published = shared.published(host);
    let mut scope = Scope::new();
    scope.push(shared.inventory.vars_of(host, None)?);
    scope.push(published.facts.clone());
    scope.push(published.own.clone());
    scope.push(shared.options.extra_vars.clone());
    scope.push(run_magic.clone());
    scope.push(Arc::new(host_magic(shared, host)));
    Ok(scope)
}

/// What decides about connecting to a host that a task is delegated to: its own variables, not the task's.
pub fn connection(shared: &Shared, play: &PlayRun, host: &HostName, vars: &HostVars) -> Result<Scope, Diagnostic> {
    let mut scope = Scope::new();
    if shared.inventory.hosts.contains_key(host) {
        scope.push(shared.inventory.vars_of(host, Some(&play.play.playbook_dir))?);
    }
    scope.push(vars.facts.clone());
    scope.push(vars.own.clone());
    scope.push(shared.options.extra_vars.clone());
    scope.push(play.magic.clone());
    scope.push(Arc::new(host_magic(shared, host)));
    Ok(scope)
}

/// A host's own variables, outside of any play.
pub fn of_host(shared: &Shared, host: &HostName) -> Result<Scope, Diagnostic> {
    let mut scope = Scope::new();
    scope.push(shared.inventory.vars_of(host, None)?);
    scope.push(shared.options.extra_vars.clone());
    scope.push(Arc::new(host_magic(shared, host)));
    Ok(scope)
}

fn push_roles(scope: &mut Scope, role: &Arc<Role>, layer: &dyn Fn(&Role) -> Arc<VarMap>) {
    for parent in &role.parents {
        push_roles(scope, parent, layer);
    }
    scope.push(layer(role));
}

/// `vars_files`: of a list the first file that exists is read. A name whose variables are not known yet (facts) is
/// left out until they are.
fn push_vars_files(shared: &Shared, play: &PlayRun, host: &HostName, scope: &mut Scope) -> Result<(), Diagnostic> {
    if play.play.vars_files.is_empty() {
        return Ok(());
    }
    let names = scope
        .with(shared.options.extra_vars.clone())
        .with(play.host_magic(shared, host));
    for entry in &play.play.vars_files {
        let candidates = entry.as_list().unwrap_or(std::slice::from_ref(entry));
        let mut missing = Vec::new();
        let mut found = false;
        for candidate in candidates {
            let rendered = match shared.templar.render(candidate, &names) {
                Ok(value) => value.to_string(),
                Err(_) if candidate.has_template() => {
                    found = true;
                    break;
                }
                Err(error) => return Err(error),
            };
            let path = ["", "vars"]
                .iter()
                .map(|sub| play.play.playbook_dir.join(sub).join(&rendered))
                .find(|p| p.exists());
            if let Some(path) = path {
                scope.push(shared.variables_of(&path)?);
                found = true;
                break;
            }
            missing.push(rendered);
        }
        if !found {
            return Err(entry.error(format!("vars file `{}` was not found", missing.join("`, `"))));
        }
    }
    Ok(())
}

fn data(value: impl Into<Value>) -> Var {
    Var::Data(value.into())
}

/// A list of texts as a value.
pub fn texts<'a>(items: impl IntoIterator<Item = &'a str>) -> Value {
    items.into_iter().map(Value::from).collect()
}

/// Magic variables that are the same for all hosts of a run.
pub fn run_magic(shared: &Arc<Shared>) -> VarMap {
    let options = &shared.options;
    let mut map = VarMap::new();
    let groups: std::collections::BTreeMap<String, Value> = shared
        .inventory
        .group_members()
        .into_iter()
        .map(|(name, hosts)| (name, texts(hosts.iter().map(HostName::as_str))))
        .collect();
    map.insert("groups".into(), data(Value::from_iter(groups)));
    map.insert("omit".into(), Var::Data(crate::vars::templar::omit()));
    map.insert("ansible_check_mode".into(), data(options.check));
    map.insert("ansible_diff_mode".into(), data(options.diff));
    map.insert("ansible_verbosity".into(), data(options.verbosity));
    map.insert("ansible_forks".into(), data(options.forks));
    map.insert("ansible_run_tags".into(), Var::Data(texts(tags_or_all(&options.tags))));
    map.insert(
        "ansible_skip_tags".into(),
        Var::Data(texts(options.skip_tags.iter().map(String::as_str))),
    );
    let version = serde_json::json!({
        "full": "2.19.14", "string": "2.19.14", "major": 2, "minor": 19, "revision": 14,
    });
    map.insert(
        "ansible_version".into(),
        Var::Data(crate::vars::templar::from_json(&version)),
    );
    map.insert("ansible_config_file".into(), data(()));
    if let Some(limit) = &options.limit_text {
        map.insert("ansible_limit".into(), data(limit.as_str()));
    }
    map
}

fn tags_or_all(tags: &[String]) -> Vec<&str> {
    if tags.is_empty() {
        vec!["all"]
    } else {
        tags.iter().map(String::as_str).collect()
    }
}

/// Magic variables of one host.
pub fn host_magic(shared: &Shared, host: &HostName) -> VarMap {
    let mut map = VarMap::new();
    let name = host.as_str();
    map.insert("inventory_hostname".into(), data(name));
    let is_address = name.parse::<std::net::IpAddr>().is_ok();
    let short = if is_address {
        name
    } else {
        name.split('.').next().unwrap_or(name)
    };
    map.insert("inventory_hostname_short".into(), data(short));
    let groups = shared.inventory.group_names(host);
    map.insert(
        "group_names".into(),
        Var::Data(texts(groups.iter().map(String::as_str))),
    );
    if let Some(file) = shared.inventory.source_of(host) {
        let file = std::path::absolute(&file).unwrap_or(file);
        let dir = if file.is_dir() {
            Some(file.as_path())
        } else {
            file.parent()
        };
        map.insert("inventory_file".into(), data(file.display().to_string()));
        if let Some(dir) = dir {
            map.insert("inventory_dir".into(), data(dir.display().to_string()));
        }
    }
    map
}

/// Magic variables of one task.
fn task_magic(play: &PlayRun, task: &Task) -> VarMap {
    let mut map = VarMap::new();
    if let Some(role) = &task.role {
        map.insert("role_name".into(), data(role.name.as_str()));
        map.insert("ansible_role_name".into(), data(role.name.as_str()));
        map.insert("role_path".into(), data(role.path.display().to_string()));
        let parents = role.parents.iter().map(|parent| parent.name.as_str());
        map.insert("ansible_parent_role_names".into(), Var::Data(texts(parents)));
    }
    let mut search: Vec<PathBuf> = task.search.clone();
    if !search.contains(&play.play.playbook_dir) {
        search.push(play.play.playbook_dir.clone());
    }
    let search: Vec<String> = search.iter().map(|dir| dir.display().to_string()).collect();
    map.insert(
        "ansible_search_path".into(),
        Var::Data(texts(search.iter().map(String::as_str))),
    );
    map
}

/// `environment`: the mappings of play, blocks and task, the inner ones winning.
pub fn environment(shared: &Shared, nodes: &[Node], scope: &Scope) -> Result<Vec<(String, String)>, Diagnostic> {
    let mut merged = indexmap::IndexMap::new();
    for node in nodes {
        let value = crate::vars::templar::to_json(&shared.templar.render(node, scope)?);
        let maps = match value {
            serde_json::Value::Object(map) => vec![map],
            serde_json::Value::Array(items) => items
                .into_iter()
                .filter_map(|item| {
                    if let serde_json::Value::Object(map) = item {
                        Some(map)
                    } else {
                        None
                    }
                })
                .collect(),
            serde_json::Value::Null => Vec::new(),
            serde_json::Value::String(text) if text.is_empty() => Vec::new(),
            _ => return Err(node.error("`environment` is a mapping of names to values")),
        };
        for (name, value) in maps.into_iter().flatten() {
            let text = match value {
                serde_json::Value::String(text) => text,
                serde_json::Value::Bool(true) => "True".to_owned(),
                serde_json::Value::Bool(false) => "False".to_owned(),
                other => other.to_string(),
            };
            merged.insert(name, text);
        }
    }
    Ok(merged.into_iter().collect())
}

/// `hostvars`: every host's variables, each made when it is asked for.
pub struct HostVarsObject {
    shared: std::sync::Weak<Shared>,
    run_magic: Arc<VarMap>,
}

impl HostVarsObject {
    /// The value of the variable `hostvars`. It holds the run weakly: the run holds it in turn.
    pub fn value(shared: &Arc<Shared>, run_magic: &Arc<VarMap>) -> Value {
        Value::from_object(Self {
            shared: Arc::downgrade(shared),
            run_magic: run_magic.clone(),
        })
    }
}

impl std::fmt::Debug for HostVarsObject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("hostvars")
    }
}

impl Object for HostVarsObject {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let shared = self.shared.upgrade()?;
        let name = HostName::new(key.as_str()?);
        if !shared.inventory.hosts.contains_key(&name) {
            return None;
        }
        let scope = hostvars_scope(&shared, &self.run_magic, &name).ok()?;
        Some(shared.templar.scope_value(&scope))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let Some(shared) = self.shared.upgrade() else {
            return Enumerator::Empty;
        };
        Enumerator::Values(
            shared
                .inventory
                .hosts
                .keys()
                .map(|name| Value::from(name.as_str()))
                .collect(),
        )
    }
}
