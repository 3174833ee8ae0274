//! Plays, blocks, lists of tasks and lines of roles.

use crate::playbook::keywords::{self, Form, Keyword, Place};
use crate::playbook::known::{Known, short};
use crate::playbook::{Block, Fields, Import, Item, Play, RoleUse, Top};
use crate::source::Diagnostic;
use crate::yaml::{Kind, Node};

/// Reads what a playbook, a task file or a role says, and collects every mistake. What is given back is what could be
/// read: with a mistake anywhere it is good for finding more of them, and for nothing else.
pub struct Reader<'a> {
    /// What is known about an action; `None`: there is none of that name.
    pub knows: &'a dyn Fn(&str) -> Option<Known>,
    /// The mistakes so far.
    pub errors: Vec<Diagnostic>,
}

impl<'a> Reader<'a> {
    /// A reader without mistakes yet.
    pub fn new(knows: &'a dyn Fn(&str) -> Option<Known>) -> Self {
        Self {
            knows,
            errors: Vec::new(),
        }
    }

    /// Reads a whole playbook.
    pub fn playbook(&mut self, root: &Node) -> Vec<Top> {
        let Some(plays) = root.as_list() else {
            let mistake = match root.kind {
                Kind::Null => root.error("the playbook is empty; a list of plays is expected"),
                _ => root.error(format!("a list of plays is expected, not {}", root.kind_name())),
            };
            self.errors.push(mistake.help("begin each play with `- hosts: ...`"));
            return Vec::new();
        };
        if plays.is_empty() {
            self.errors
                .push(root.error("the playbook is empty; a list of plays is expected"));
        }
        plays.iter().filter_map(|play| self.top(play)).collect()
    }

    fn top(&mut self, node: &Node) -> Option<Top> {
        let Some(entries) = node.as_map() else {
            self.errors
                .push(node.error(format!("a play is a mapping, not {}", node.kind_name())));
            return None;
        };
        let import = entries
            .iter()
            .find(|(key, _)| key.as_str().map(short) == Some("import_playbook"));
        if let Some((_, file)) = import {
            return self.import(node, entries, file).map(Top::Import);
        }
        if let Some((key, _)) = entries.iter().find(|(key, _)| key.as_str() == Some("include")) {
            let mistake = key.error("`include` of a playbook is not supported");
            self.errors.push(mistake.help("use `import_playbook`"));
            return None;
        }
        Some(Top::Play(self.play(node, entries)))
    }

    fn import(&mut self, node: &Node, entries: &[(Node, Node)], file: &Node) -> Option<Import> {
        let before = self.errors.len();
        let mut fields = Fields::none(&node.span);
        for (key, value) in entries {
            let Some(name) = self.key(key) else { continue };
            if short(&name) == "import_playbook" {
                if value.as_str().is_none_or(str::is_empty) {
                    let mistake = format!(
                        "`import_playbook` must be the name of a file, not {}",
                        value.kind_name()
                    );
                    self.errors.push(value.error(mistake));
                }
            } else if let Some(keyword) = keywords::find(&name, Place::Import) {
                self.keyword(&mut fields, keyword, value);
            } else {
                self.errors.push(keywords::unknown(key, Place::Import));
            }
        }
        (self.errors.len() == before).then(|| Import {
            file: file.clone(),
            fields,
        })
    }

    fn play(&mut self, node: &Node, entries: &[(Node, Node)]) -> Play {
        let mut play = Play {
            fields: Fields::none(&node.span),
            pre_tasks: Vec::new(),
            roles: Vec::new(),
            tasks: Vec::new(),
            post_tasks: Vec::new(),
            handlers: Vec::new(),
        };
        for (key, value) in entries {
            let Some(name) = self.key(key) else { continue };
            let Some(keyword) = keywords::find(&name, Place::Play) else {
                self.errors.push(keywords::unknown(key, Place::Play));
                continue;
            };
            if let Err(mistake) = keywords::check(keyword, value) {
                self.errors.push(mistake);
                continue;
            }
            match keyword.name {
                "pre_tasks" => play.pre_tasks = self.items(value),
                "tasks" => play.tasks = self.items(value),
                "post_tasks" => play.post_tasks = self.items(value),
                "handlers" => play.handlers = self.items(value),
                "roles" => play.roles = self.roles(value),
                // The old name.
                "user" => play.fields.push("remote_user", value.clone()),
                known => play.fields.push(known, value.clone()),
            }
        }
        let hosts = entries.iter().find(|(key, _)| key.as_str() == Some("hosts"));
        if hosts.is_none_or(|(_, hosts)| is_empty(hosts)) {
            let at = hosts.map_or(node, |(key, _)| key);
            let mistake = at.error("a play without `hosts`");
            self.errors
                .push(mistake.help("name the hosts or groups it is for: `hosts: all`"));
        }
        play
    }

    /// Reads a list of tasks and blocks; an empty place is an empty list.
    pub fn items(&mut self, node: &Node) -> Vec<Item> {
        match &node.kind {
            Kind::Null => Vec::new(),
            Kind::List(items) => items.iter().filter_map(|item| self.item(item)).collect(),
            _ => {
                let mistake = node.error(format!("a list of tasks is expected, not {}", node.kind_name()));
                self.errors.push(mistake.help("begin each task with `- `"));
                Vec::new()
            }
        }
    }

    fn item(&mut self, node: &Node) -> Option<Item> {
        let Some(entries) = node.as_map() else {
            // An empty list item is passed over, as Ansible does.
            if !node.is_null() {
                let mistake = node.error(format!("a task is a mapping, not {}", node.kind_name()));
                self.errors
                    .push(mistake.help("a task is a module with its arguments: `command: uptime`"));
            }
            return None;
        };
        let has = |name| entries.iter().any(|(key, _)| key.as_str() == Some(name));
        if has("block") || has("rescue") || has("always") {
            return Some(Item::Block(self.block(node, entries)));
        }
        if let Some((key, _)) = entries
            .iter()
            .find(|(key, _)| key.as_str().map(short) == Some("include"))
        {
            let mistake = key.error("`include` is not supported");
            self.errors
                .push(mistake.help("use `import_tasks` (read at once) or `include_tasks` (read when it is reached)"));
            return None;
        }
        if has("hosts") && (has("tasks") || has("roles")) {
            let mistake = node.error("a play stands where a task is expected");
            self.errors
                .push(mistake.help("a file of tasks has no `hosts`; use `import_playbook` for whole playbooks"));
            return None;
        }
        self.task(node, entries).map(Item::Task)
    }

    fn block(&mut self, node: &Node, entries: &[(Node, Node)]) -> Block {
        let mut block = Block {
            fields: Fields::none(&node.span),
            body: Vec::new(),
            rescue: Vec::new(),
            always: Vec::new(),
        };
        for (key, value) in entries {
            let Some(name) = self.key(key) else { continue };
            let Some(keyword) = keywords::find(&name, Place::Block) else {
                self.errors.push(keywords::unknown(key, Place::Block));
                continue;
            };
            if let Err(mistake) = keywords::check(keyword, value) {
                self.errors.push(mistake);
                continue;
            }
            match keyword.name {
                "block" => block.body = self.items(value),
                "rescue" => block.rescue = self.items(value),
                "always" => block.always = self.items(value),
                known => block.fields.push(known, value.clone()),
            }
        }
        if !entries.iter().any(|(key, _)| key.as_str() == Some("block")) {
            self.errors
                .push(node.error("`rescue` and `always` need a `block` in the same mapping"));
        }
        block
    }

    /// Reads `apply` of an include: keywords of a block.
    pub fn apply(&mut self, node: &Node) -> Fields {
        let mut fields = Fields::none(&node.span);
        let Some(entries) = node.as_map() else {
            self.errors
                .push(node.error(format!("`apply` must be a mapping, not {}", node.kind_name())));
            return fields;
        };
        for (key, value) in entries {
            let Some(name) = self.key(key) else { continue };
            match keywords::find(&name, Place::Block).filter(|keyword| keyword.form != Form::Tasks) {
                Some(keyword) => self.keyword(&mut fields, keyword, value),
                None => self.errors.push(keywords::unknown(key, Place::Block)),
            }
        }
        fields
    }

    /// Reads `roles` of a play, or `dependencies` of a role.
    pub fn roles(&mut self, node: &Node) -> Vec<RoleUse> {
        match &node.kind {
            Kind::Null => Vec::new(),
            Kind::List(items) => items.iter().filter_map(|item| self.role(item)).collect(),
            _ => {
                self.errors
                    .push(node.error(format!("a list of roles is expected, not {}", node.kind_name())));
                Vec::new()
            }
        }
    }

    fn role(&mut self, node: &Node) -> Option<RoleUse> {
        let Some(entries) = node.as_map() else {
            if node.as_str().is_none_or(|name| name.trim().is_empty()) {
                self.errors.push(node.error(format!(
                    "a role's name or a mapping is expected, not {}",
                    node.kind_name()
                )));
                return None;
            }
            return Some(RoleUse {
                name: node.clone(),
                fields: Fields::none(&node.span),
                params: Vec::new(),
            });
        };
        let mut fields = Fields::none(&node.span);
        let mut params = Vec::new();
        let has_role = entries.iter().any(|(key, _)| key.as_str() == Some("role"));
        let mut named = None;
        for (key, value) in entries {
            let Some(name) = self.key(key) else { continue };
            if name == "role" || name == "name" && !has_role {
                named = Some(value);
            } else if let Some(keyword) = keywords::find(&name, Place::Role) {
                self.keyword(&mut fields, keyword, value);
            } else {
                params.push((key.clone(), value.clone()));
            }
        }
        let Some(name) = named.filter(|name| name.as_str().is_some_and(|name| !name.trim().is_empty())) else {
            self.errors
                .push(node.error("a role without a name").help("name it: `- role: common`"));
            return None;
        };
        Some(RoleUse {
            name: name.clone(),
            fields,
            params,
        })
    }

    /// A key's text. Keys of other kinds are mistakes here.
    pub(super) fn key(&mut self, key: &Node) -> Option<String> {
        if let Some(text) = key.as_str() {
            return Some(text.to_owned());
        }
        let shown = key.scalar_text().unwrap_or_default();
        self.errors
            .push(key.error(format!("a keyword must be text, not {} `{shown}`", key.kind_name())));
        None
    }

    /// Keeps a keyword, or the mistake in its value.
    pub(super) fn keyword(&mut self, fields: &mut Fields, keyword: &'static Keyword, value: &Node) {
        match keywords::check(keyword, value) {
            Ok(()) => fields.push(keyword.name, value.clone()),
            Err(mistake) => self.errors.push(mistake),
        }
    }
}

fn is_empty(hosts: &Node) -> bool {
    match &hosts.kind {
        Kind::Null => true,
        Kind::Text(text) => text.value.trim().is_empty(),
        Kind::List(items) => items.is_empty(),
        Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::Map(_) => false,
    }
}
