//! What can be checked before anything runs: templates, arguments of modules, files that must be there.

use std::path::PathBuf;

use crate::modules::{Spec, args};
use crate::plan::compile::{Compiler, Here};
use crate::plan::keywords::several;
use crate::plan::variables::read_vars_file;
use crate::plan::{Action, Entry, Keywords, Task};
use crate::playbook::keywords::{boolean, is_variable_name};
use crate::playbook::known::short;
use crate::playbook::{self, Fields};
use crate::vars::{Var, VarMap};
use crate::yaml::{Kind, Node};

impl Compiler<'_> {
    /// Checks templates and conditions in keywords.
    pub(super) fn check_fields(&mut self, fields: &Fields) {
        for (name, value) in fields.iter() {
            match name {
                "when" | "changed_when" | "failed_when" | "until" => self.check_conditions(value),
                "loop_control" => {
                    for (key, value) in value.as_map().unwrap_or_default() {
                        match key.as_str() {
                            Some("break_when") => self.check_conditions(value),
                            _ => self.check_templates(value),
                        }
                    }
                }
                // Merged into the arguments of the task, which are checked.
                "args" => {}
                _ => self.check_templates(value),
            }
        }
    }

    /// Checks templates in the arguments and the loop of a task.
    pub(super) fn check_arguments(&mut self, task: &playbook::Task) {
        if let Some((_, items)) = &task.repeat {
            self.check_templates(items);
        }
        let is_assert = short(&task.action) == "assert";
        for (key, value) in task.args.as_map().unwrap_or_default() {
            self.check_templates(key);
            if is_assert && key.as_str() == Some("that") {
                self.check_conditions(value);
            } else {
                self.check_templates(value);
            }
        }
    }

    fn check_templates(&mut self, node: &Node) {
        if let Err(mistake) = self.options.templar.check(node) {
            self.report(mistake);
        }
    }

    fn check_conditions(&mut self, node: &Node) {
        for condition in several(node.clone()) {
            if let Err(mistake) = self.options.templar.check_condition(&condition) {
                self.report(mistake);
            }
        }
    }

    /// A role's variables may hold what is never used, so a bad template is only a warning here.
    pub(super) fn check_role_vars(&mut self, vars: &VarMap) {
        for var in vars.values() {
            if let Var::Source(node) = var
                && let Err(mistake) = self.options.templar.check(node)
            {
                self.warnings.push(mistake);
            }
        }
    }

    /// True when the playbook reckons with the failure of this task.
    pub(super) fn is_caught(&self, keywords: &Keywords, here: &Here) -> bool {
        let ignored = keywords.ignore_errors.as_ref();
        here.caught || self.lenient > 0 || ignored.is_some_and(|ignored| boolean(ignored) != Some(false))
    }

    /// Checks names, required ones and literal values of a module's arguments, and the local files it names.
    pub(super) fn check_module(
        &mut self,
        spec: &'static Spec,
        task: &playbook::Task,
        keywords: &Keywords,
        here: &Here,
    ) {
        let caught = self.is_caught(keywords, here);
        let mistakes = args::check(spec, &with_defaults(spec, &task.args, keywords));
        for mistake in mistakes {
            let mistake = match &mistake.at {
                // Arguments on the next line, or none at all: the task's name is the better place.
                Some(at) if task.args.as_map().is_none_or(<[_]>::is_empty) && at.line != task.action_at.line => {
                    mistake.at(task.action_at.clone())
                }
                Some(_) | None => mistake,
            };
            self.scene.doubtful.push((mistake, caught));
        }
        if keywords.when.is_empty() && task.repeat.is_none() && !self.makes_files {
            self.check_local_file(spec, task, caught, here);
        }
    }

    /// A relative file of the controller that nothing before could have made must be there.
    fn check_local_file(&mut self, spec: &Spec, task: &playbook::Task, caught: bool, here: &Here) {
        let args = &task.args;
        let (named, kind) = match spec.name {
            "copy" if args.get("remote_src").is_none() && args.get("content").is_none() => (args.get("src"), "files"),
            "template" => (args.get("src"), "templates"),
            "script" => (args.get("cmd").or_else(|| args.get("_raw_params")), "files"),
            _ => return,
        };
        let Some(node) = named.filter(|node| !node.has_template()) else {
            return;
        };
        let text = node.as_str().unwrap_or_default().trim();
        let name = match spec.name {
            "script" => text.split_whitespace().next().unwrap_or_default(),
            _ => text,
        };
        if name.is_empty() || name.starts_with(['/', '~', '"', '\'']) {
            return;
        }
        let found = self.search(here).into_iter().find_map(|folder| {
            let places = [folder.join(kind).join(name), folder.join(name)];
            places.into_iter().find(|path| path.exists())
        });
        if let Some(path) = found {
            let decrypts = args.get("decrypt").is_none_or(|flag| boolean(flag) != Some(false));
            let vault = self.options.templar.vault();
            if decrypts
                && path.is_file()
                && let Err(mistake) = vault.content(&path)
            {
                self.scene.doubtful.push((mistake, caught));
            }
        } else {
            let folders: Vec<String> = self
                .search(here)
                .iter()
                .map(|folder| folder.display().to_string())
                .collect();
            let help = format!("searched in `{kind}/` of and in: {}", folders.join(", "));
            let mistake = node
                .error(format!("no file `{name}` for `{}` here", spec.name))
                .help(help);
            self.scene.doubtful.push((mistake, caught));
        }
    }

    /// Files of variables whose names are known must be there and readable.
    pub(super) fn check_vars_files(&mut self, files: &[Node]) {
        for node in files {
            let names = several(node.clone());
            if names.iter().any(Node::has_template) {
                self.check_templates(node);
                continue;
            }
            let texts: Vec<String> = names.iter().filter_map(Node::scalar_text).collect();
            let dir = self.scene.dir.clone();
            let places = |name: &String| -> [PathBuf; 2] { [dir.join(name), dir.join("vars").join(name)] };
            if let Some(path) = texts.iter().flat_map(places).find(|path| path.is_file()) {
                let read = read_vars_file(&path, self.options);
                if let Some(vars) = self.note(read) {
                    self.check_role_vars(&vars);
                }
            } else {
                let mistake = node.error(format!("no file of variables `{}`", texts.join("`, `")));
                let folders = super::tasks::listed(std::slice::from_ref(&self.scene.dir));
                self.report(mistake.help(format!("searched in: {folders}")));
            }
        }
    }

    /// Each of `vars_prompt` asks for a variable.
    pub(super) fn check_prompts(&mut self, prompts: &Node) {
        const KEYS: &[&str] = &[
            "confirm",
            "default",
            "encrypt",
            "name",
            "private",
            "prompt",
            "salt",
            "salt_size",
            "unsafe",
        ];
        for prompt in several(prompts.clone()) {
            self.check_names(&prompt, "vars_prompt", KEYS);
            let name = prompt.get("name").and_then(Node::as_str);
            if name.is_none_or(|name| !is_variable_name(name)) {
                let mistake = prompt.error("`vars_prompt` needs `name`: the variable to ask for");
                self.report(mistake);
            }
        }
    }

    /// Refuses notifications of handlers that cannot be there. Where roles or files are included while running, they may
    /// bring the handler: then it is an error only when it happens.
    pub(super) fn check_notified(&mut self, body: &[Entry], handlers: &[Entry]) {
        let mut names = Vec::new();
        let mut all_known = true;
        each_task(handlers, &mut |task| {
            let own = task.name.iter().chain(&task.listen);
            for name in own {
                all_known &= !name.has_template();
                names.extend(name.scalar_text());
                if let (Some(role), Some(text)) = (&task.role, name.scalar_text()) {
                    names.push(format!("{} : {text}", role.name));
                }
            }
            let included = matches!(task.action, Action::IncludeTasks { .. } | Action::IncludeRole { .. });
            all_known &= !included;
        });
        let mut mistakes = Vec::new();
        let mut look = |task: &Task| {
            all_known &= !matches!(task.action, Action::IncludeRole { .. } | Action::IncludeTasks { .. });
            for notified in &task.notify {
                let text = notified.scalar_text().unwrap_or_default();
                if !notified.has_template() && !names.contains(&text) {
                    let mistake = notified.error(format!("no handler `{text}`"));
                    let near = crate::source::nearest(&text, names.iter().map(String::as_str));
                    mistakes.push(match near {
                        Some(near) => mistake.help(format!("did you mean `{near}`?")),
                        None => {
                            mistake.help("handlers are named under `handlers` of the play or in handlers/ of a role")
                        }
                    });
                }
            }
        };
        each_task(body, &mut look);
        each_task(handlers, &mut look);
        if all_known {
            for mistake in mistakes {
                self.report(mistake);
            }
        }
    }
}

/// Calls `look` with every task of blocks and their rescues.
pub fn each_task(entries: &[Entry], look: &mut impl FnMut(&Task)) {
    for entry in entries {
        match entry {
            Entry::Task(task) => look(task),
            Entry::Block(block) => {
                for part in [&block.body, &block.rescue, &block.always] {
                    each_task(part, look);
                }
            }
        }
    }
}

/// The arguments with those of `module_defaults` that are not given.
fn with_defaults(spec: &Spec, args: &Node, keywords: &Keywords) -> Node {
    let mut entries = args.as_map().unwrap_or_default().to_vec();
    for defaults in &keywords.module_defaults {
        let open = (
            Node::text("_variable_params", &args.span),
            Node::text("{{ module_defaults }}", &args.span),
        );
        let Some(modules) = defaults.as_map() else {
            entries.push(open);
            continue;
        };
        for (name, values) in modules {
            let name = name.scalar_text().unwrap_or_default();
            let is_group = name.starts_with("group/") || name.contains("{{");
            match (&values.kind, spec.names().contains(&name)) {
                (Kind::Map(values), true) => {
                    for (key, value) in values {
                        let name = key.scalar_text();
                        if !entries.iter().any(|(known, _)| known.scalar_text() == name) {
                            entries.push((key.clone(), value.clone()));
                        }
                    }
                }
                (_, true) => entries.push(open.clone()),
                (_, false) if is_group => entries.push(open.clone()),
                (_, false) => {}
            }
        }
    }
    Node {
        span: args.span.clone(),
        kind: Kind::Map(entries),
    }
}
