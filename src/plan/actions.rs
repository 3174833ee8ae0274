//! What a task does: a module, or one of the actions that are language.

use std::path::PathBuf;

use crate::modules;
use crate::plan::compile::{CompileOptions, Compiler, Here, Scene};
use crate::plan::tasks::missing_file;
use crate::plan::{Action, Keywords, Meta};
use crate::playbook::arguments::Style;
use crate::playbook::known::{self, ENGINE, Known, LANGUAGE, short};
use crate::playbook::{Reader, Task};
use crate::source::{Diagnostic, nearest};
use crate::yaml::Node;

/// Keywords that mean something on a dynamic include; others would be dropped without a word.
const ON_INCLUDES: &[&str] = &[
    "args",
    "collections",
    "debugger",
    "ignore_errors",
    "listen",
    "loop_control",
    "name",
    "no_log",
    "register",
    "run_once",
    "tags",
    "timeout",
    "vars",
    "when",
];

const INCLUDE_VARS: &[&str] = &[
    "_raw_params",
    "_variable_params",
    "depth",
    "dir",
    "extensions",
    "file",
    "files_matching",
    "hash_behaviour",
    "ignore_files",
    "ignore_unknown_extensions",
    "name",
];

const METAS: &[(&str, Meta)] = &[
    ("clear_facts", Meta::ClearFacts),
    ("clear_host_errors", Meta::ClearHostErrors),
    ("end_batch", Meta::EndBatch),
    ("end_host", Meta::EndHost),
    ("end_play", Meta::EndPlay),
    ("end_role", Meta::EndRole),
    ("flush_handlers", Meta::FlushHandlers),
    ("noop", Meta::Noop),
    ("refresh_inventory", Meta::RefreshInventory),
    ("reset_connection", Meta::ResetConnection),
];

/// What is known about an action of that name. Modules that stand in one of the `libraries` are known, but not built.
pub(super) fn known(name: &str, options: &CompileOptions, libraries: &[PathBuf]) -> Option<Known> {
    let plain = short(name);
    if let Some(spec) = (options.find)(name) {
        let style = if spec.free_form { Style::Free } else { Style::Pairs };
        return Some(Known { style });
    }
    if LANGUAGE.contains(&plain) {
        let is_role = matches!(plain, "include_role" | "import_role");
        let style = if is_role { Style::Pairs } else { Style::Mixed };
        return Some(Known { style });
    }
    if ENGINE.contains(&plain) {
        return Some(Known { style: Style::Pairs });
    }
    let is_plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let in_library = || {
        let files = ["py", "sh", "ps1", ""].map(|kind| match kind {
            "" => name.to_owned(),
            kind => format!("{name}.{kind}"),
        });
        libraries
            .iter()
            .any(|folder| files.iter().any(|file| folder.join(file).is_file()))
    };
    // Nobody knows how it takes its arguments, so every form is taken.
    (known::is_ansible(name) || is_plain && in_library()).then_some(Known { style: Style::Free })
}

impl Compiler<'_> {
    /// The action of a task that is no import.
    pub(super) fn action(&mut self, task: &Task, keywords: &Keywords, here: &Here) -> Option<Action> {
        let args = task.args.clone();
        let plain = short(&task.action);
        match plain {
            "include_tasks" => return self.include_tasks(task, keywords, here),
            "include_role" => return self.include_role(task, keywords, here),
            "include_vars" => {
                self.check_names(&args, plain, INCLUDE_VARS);
                return Some(Action::IncludeVars { args });
            }
            "meta" => return self.meta(task),
            _ => {}
        }
        self.check_literal_disks(task, keywords);
        self.makes_files |= matches!(plain, "fetch" | "get") || keywords.delegate_to.is_some();
        if let Some(spec) = (self.options.find)(&task.action) {
            self.check_module(spec, task, keywords, here);
            return Some(Action::Module { spec, args });
        }
        if let Some(name) = ENGINE.iter().find(|name| **name == plain) {
            return Some(Action::Engine { name, args });
        }
        if self.told.insert(plain.to_owned()) {
            let warning = Diagnostic::new(format!("the module `{}` is not built; its tasks fail", task.action));
            let warning = warning.at(task.action_at.clone());
            // A name of a collection may be misspelt, too: `community.general.partde`.
            let near = task.action.rsplit_once('.').and_then(|(collection, short)| {
                let specs = modules::MODULES.iter().filter(|spec| spec.collection == collection);
                nearest(short, specs.map(|spec| spec.name)).map(|near| format!("{collection}.{near}"))
            });
            self.warnings.push(match near {
                Some(near) => warning.help(format!("did you mean `{near}`?")),
                None => warning,
            });
        }
        let name = task.action.clone();
        Some(Action::Missing { name, args })
    }

    fn meta(&mut self, task: &Task) -> Option<Action> {
        let word = task.args.get("_raw_params").and_then(Node::as_str).unwrap_or_default();
        if let Some((_, meta)) = METAS.iter().find(|(name, _)| *name == word.trim()) {
            return Some(Action::Meta(*meta));
        }
        let mistake = Diagnostic::new(format!("unknown `meta` action `{}`", word.trim())).at(task.args.span.clone());
        let names = METAS.iter().map(|(name, _)| *name);
        let help = match nearest(word.trim(), names.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known are: {}", names.collect::<Vec<_>>().join(", ")),
        };
        self.report(mistake.help(help));
        None
    }

    fn include_tasks(&mut self, task: &Task, keywords: &Keywords, here: &Here) -> Option<Action> {
        self.check_include_keywords(task);
        let file = self.included_file(task)?;
        let apply = self.apply(task, here);
        let inside = Here {
            keywords: apply.clone(),
            ..here.clone()
        };
        let conditional = !keywords.when.is_empty() || task.repeat.is_some();
        let name = file.as_str().filter(|_| !file.has_template());
        if let Some(name) = name {
            match self.find_tasks(name, here) {
                Ok(path) => self.look_ahead(conditional || here.caught, |compiler| {
                    let role = inside.role.as_ref().map(|role| role.path.clone());
                    let lenient = compiler.lenient > 0;
                    // A file is looked at once, and again when it is looked at more strictly.
                    let is_first = compiler.checked.insert((path.clone(), role, lenient));
                    let step = inside.chain.follow(&path, conditional);
                    if is_first || matches!(step, super::cycle::Step::Never(_)) {
                        compiler.tasks_of(&path, inside, &file, conditional);
                    }
                }),
                Err(_) if conditional => {}
                Err(folders) => {
                    let caught = self.is_caught(keywords, here);
                    self.scene.doubtful.push((missing_file(&file, name, &folders), caught));
                }
            }
        }
        Some(Action::IncludeTasks {
            file,
            apply: Box::new(apply),
        })
    }

    /// Compiles something that is included when it is reached, for its mistakes alone.
    pub(super) fn look_ahead(&mut self, may_not_run: bool, look: impl FnOnce(&mut Self)) {
        let uses = self.scene.uses.len();
        let roles = self.scene.roles.len();
        let handlers = self.scene.handlers.len();
        let makes_files = self.makes_files;
        self.lenient += u32::from(may_not_run);
        look(self);
        self.lenient -= u32::from(may_not_run);
        self.makes_files = makes_files;
        let scene: &mut Scene = &mut self.scene;
        scene.uses.truncate(uses);
        scene.roles.truncate(roles);
        scene.handlers.truncate(handlers);
    }

    /// What the tasks of an include inherit: `apply`, and what is around the include.
    pub(super) fn apply(&mut self, task: &Task, here: &Here) -> Keywords {
        let Some(apply) = task.args.get("apply").filter(|apply| !apply.is_null()) else {
            return here.keywords.clone();
        };
        let knows = |_: &str| None;
        let mut reader = Reader::new(&knows);
        let fields = reader.apply(apply);
        let mistakes = std::mem::take(&mut reader.errors);
        self.report_all(mistakes);
        self.check_fields(&fields);
        self.keywords(&fields, &here.keywords)
    }

    pub(super) fn check_include_keywords(&mut self, task: &Task) {
        for (name, value) in task.fields.iter() {
            if !ON_INCLUDES.contains(&name) {
                let mistake = value.error(format!("`{name}` has no effect on `{}`", short(&task.action)));
                self.report(mistake.help(format!(
                    "to set it for the included tasks, write it under `apply:` of `{}`",
                    short(&task.action)
                )));
            }
        }
    }

    /// Checks names of arguments of an action that is no module.
    pub(super) fn check_names(&mut self, args: &Node, action: &str, names: &[&str]) {
        for (key, _) in args.as_map().unwrap_or_default() {
            let name = key.scalar_text().unwrap_or_default();
            if names.contains(&name.as_str()) {
                continue;
            }
            let mistake = key.error(format!("unsupported parameters for `{action}`: `{name}`"));
            let shown: Vec<&str> = names.iter().copied().filter(|name| !name.starts_with('_')).collect();
            let help = match nearest(&name, shown.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("supported are: {}", shown.join(", ")),
            };
            self.report(mistake.help(help));
        }
    }
}
