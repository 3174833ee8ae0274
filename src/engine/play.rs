//! One play while it runs: its hosts, its handlers, and the variables all of its hosts share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::engine::canary::Watch;
use crate::engine::scope;
use crate::engine::shared::Shared;
use crate::event::TaskReport;
use crate::names::HostName;
use crate::plan::{Entry, Play, Role, Task};
use crate::vars::{Scope, Var, VarMap};

/// One batch of a play.
#[derive(Debug)]
pub struct PlayRun {
    /// The play.
    pub play: Arc<Play>,
    /// Its name as shown.
    pub name: String,
    /// Its number in the run, from 1; 0: none.
    pub number: u32,
    /// What its hosts show, when waves are compared.
    pub watch: Option<Watch>,
    /// Magic variables of run and play.
    pub magic: Arc<VarMap>,
    /// What of them is not the play's.
    pub run_magic: Arc<VarMap>,
    /// Roles whose defaults and variables every task sees: those of the play, and public included ones.
    roles: Mutex<Arc<Vec<Arc<Role>>>>,
    /// Handlers; included roles add theirs.
    handlers: Mutex<Arc<Handlers>>,
    /// Magic variables of each host of the batch.
    host_magic: Mutex<HashMap<HostName, Arc<VarMap>>>,
}

/// The handlers of a play, and how notifications find them.
#[derive(Clone, Debug, Default)]
pub struct Handlers {
    /// The handlers in the order they run.
    pub tasks: Vec<Arc<Task>>,
    names: HashMap<String, usize>,
    topics: HashMap<String, Vec<usize>>,
}

impl Handlers {
    /// Adds the handlers of a list, blocks taken apart.
    fn add(&mut self, entries: &[Entry], shared: &Shared, scope: &Scope) {
        for entry in entries {
            match entry {
                Entry::Block(block) => self.add(&block.body, shared, scope),
                Entry::Task(task) => {
                    let index = self.tasks.len();
                    let scope = &with_role(scope, task);
                    if let Some(name) = &task.name {
                        let shown = shared
                            .templar
                            .render(name, scope)
                            .map_or_else(|_| name.scalar_text().unwrap_or_default(), |value| value.to_string());
                        if let Some(role) = &task.role {
                            self.names.insert(format!("{} : {shown}", role.name), index);
                        }
                        self.names.insert(shown, index);
                    }
                    for topic in &task.listen {
                        let shown = shared
                            .templar
                            .render(topic, scope)
                            .map_or_else(|_| topic.scalar_text().unwrap_or_default(), |value| value.to_string());
                        self.topics.entry(shown).or_default().push(index);
                    }
                    self.tasks.push(task.clone());
                }
            }
        }
    }

    /// The handlers that a notification means: the last one of that name, and all that listen to it.
    pub fn find(&self, name: &str) -> Vec<usize> {
        let mut found: Vec<usize> = self.names.get(name).copied().into_iter().collect();
        found.extend(self.topics.get(name).into_iter().flatten());
        found.sort_unstable();
        found.dedup();
        found
    }
}

impl PlayRun {
    /// Makes a batch ready. `all` are the hosts of the play, `batch` those of this batch.
    pub fn new(
        shared: &Arc<Shared>,
        play: &Arc<Play>,
        run_magic: &Arc<VarMap>,
        all: &[HostName],
        batch: &[HostName],
    ) -> Self {
        let mut magic = run_magic.as_ref().clone();
        let names = |hosts: &[HostName]| Var::Data(scope::texts(hosts.iter().map(HostName::as_str)));
        let text = |text: String| Var::Data(text.into());
        let dir = std::path::absolute(&play.playbook_dir).unwrap_or_else(|_| play.playbook_dir.clone());
        magic.insert("playbook_dir".into(), text(dir.display().to_string()));
        magic.insert("ansible_play_hosts_all".into(), names(all));
        magic.insert("ansible_play_hosts".into(), names(all));
        magic.insert("ansible_play_batch".into(), names(batch));
        magic.insert("play_hosts".into(), names(batch));
        let roles: Vec<&str> = play.roles.iter().map(|role| role.name.as_str()).collect();
        magic.insert(
            "ansible_play_role_names".into(),
            Var::Data(scope::texts(roles.iter().copied())),
        );
        magic.insert("role_names".into(), Var::Data(scope::texts(roles.iter().copied())));
        let mut names_scope = Scope::new();
        names_scope.push(play.vars.clone());
        names_scope.push(shared.options.extra_vars.clone());
        let name = play_name(shared, play, &names_scope);
        magic.insert("ansible_play_name".into(), text(name.clone()));
        let magic = Arc::new(magic);
        names_scope.push(magic.clone());
        let mut handlers = Handlers::default();
        handlers.add(&play.handlers, shared, &names_scope);
        Self {
            play: play.clone(),
            name,
            number: 0,
            watch: None,
            magic,
            run_magic: run_magic.clone(),
            roles: Mutex::new(Arc::new(play.roles.clone())),
            handlers: Mutex::new(Arc::new(handlers)),
            host_magic: Mutex::default(),
        }
    }

    /// The handlers as they are now.
    pub fn handlers(&self) -> Arc<Handlers> {
        self.handlers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The roles as they are now.
    pub fn roles(&self) -> Arc<Vec<Arc<Role>>> {
        self.roles.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A task ended on a host, in this run (`live`) or in an earlier one that it goes on with.
    pub fn note(&self, report: &TaskReport, live: bool) {
        if let Some(watch) = &self.watch {
            watch.note(report, live);
        }
    }

    /// Adds a role that was included as public.
    pub fn add_roles(&self, roles: &[Arc<Role>]) {
        let mut guard = self.roles.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::make_mut(&mut guard).extend(roles.iter().cloned());
    }

    /// Adds the handlers of an included role.
    pub fn add_handlers(&self, entries: &[Entry], shared: &Shared) {
        let mut scope = Scope::new();
        scope.push(self.play.vars.clone());
        scope.push(shared.options.extra_vars.clone());
        let mut guard = self.handlers.lock().unwrap_or_else(PoisonError::into_inner);
        let known: Vec<Arc<Task>> = guard.tasks.clone();
        let fresh: Vec<Entry> = entries
            .iter()
            .filter(|entry| match entry {
                Entry::Task(task) => !known
                    .iter()
                    .any(|k| k.at.to_string() == task.at.to_string() && same_role(k, task)),
                Entry::Block(_) => true,
            })
            .cloned()
            .collect();
        Arc::make_mut(&mut guard).add(&fresh, shared, &scope);
    }

    /// Magic variables of one host.
    pub fn host_magic(&self, shared: &Shared, host: &HostName) -> Arc<VarMap> {
        let mut known = self.host_magic.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .entry(host.clone())
            .or_insert_with(|| Arc::new(scope::host_magic(shared, host)))
            .clone()
    }
}

/// The variables that a handler's name may use: with those of its role.
fn with_role(play: &Scope, task: &Task) -> Scope {
    let Some(role) = &task.role else { return play.clone() };
    let mut scope = Scope::new();
    for role in role.parents.iter().chain([role]) {
        scope.push(role.defaults.clone());
    }
    for layer in play.layers() {
        scope.push(layer.clone());
    }
    for role in role.parents.iter().chain([role]) {
        scope.push(role.vars.clone());
        scope.push(role.params.clone());
    }
    for layer in task.keywords.vars.iter().chain(&task.include_vars) {
        scope.push(layer.clone());
    }
    scope
}

fn same_role(a: &Task, b: &Task) -> bool {
    a.role.as_ref().map(|role| &role.name) == b.role.as_ref().map(|role| &role.name)
}

/// A play's name as shown: its `name`, else its pattern.
pub fn play_name(shared: &Shared, play: &Play, scope: &Scope) -> String {
    let node = play.name.as_ref().unwrap_or(&play.hosts);
    if let Some(items) = node.as_list() {
        return items
            .iter()
            .filter_map(crate::yaml::Node::scalar_text)
            .collect::<Vec<_>>()
            .join(",");
    }
    shared
        .templar
        .render(node, scope)
        .map_or_else(|_| node.scalar_text().unwrap_or_default(), |value| value.to_string())
}
