//! Roles: finding them, reading their files, and giving their tasks to the play, dependencies first.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::plan::compile::{Compiler, Here};
use crate::plan::cycle::Step;
use crate::plan::role_files::{find_file, missing_role};
use crate::plan::variables::to_vars;
use crate::plan::{Action, Entry, Keywords, Role};
use crate::playbook::known::short;
use crate::playbook::{RoleUse, Task};
use crate::source::Diagnostic;
use crate::vars::VarMap;
use crate::yaml::{Kind, Node};

/// One use of a role in the play.
pub(super) struct Use {
    key: Arc<str>,
    /// The conditions it stands under.
    when: Vec<String>,
    /// The tags it stands under.
    tags: Vec<String>,
    role: Arc<Role>,
}

/// Which files of a role are meant.
#[derive(Clone, Debug)]
pub(super) struct From {
    pub tasks: String,
    pub vars: String,
    pub defaults: String,
    pub handlers: String,
    /// The `tasks_from` as written, for messages.
    pub named: bool,
}

impl Default for From {
    fn default() -> Self {
        let main = || "main".to_owned();
        Self {
            tasks: main(),
            vars: main(),
            defaults: main(),
            handlers: main(),
            named: false,
        }
    }
}

/// What a role is used with.
pub(super) struct Wanted<'a> {
    pub name: String,
    /// Where it is named.
    pub at: &'a Node,
    pub from: From,
    pub params: VarMap,
    /// What tells uses apart, beside the role and its parameters.
    pub distinct: String,
    /// `allow_duplicates` of an include or import: they say it, not the role.
    pub allow_duplicates: Option<bool>,
    /// Another role depends on it.
    pub is_dependency: bool,
}

/// Names of arguments of `include_role` and `import_role`.
const ARGUMENTS: &[&str] = &[
    "_variable_params",
    "allow_duplicates",
    "apply",
    "defaults_from",
    "handlers_from",
    "name",
    "public",
    "role",
    "rolespec_validate",
    "tasks_from",
    "vars_from",
];

impl Compiler<'_> {
    /// One line of `roles` or `dependencies`.
    pub(super) fn role(&mut self, line: &RoleUse, here: &Here) -> (Option<Arc<Role>>, Vec<Entry>) {
        let nothing = (None, Vec::new());
        self.check_fields(&line.fields);
        let mut keywords = self.keywords(&line.fields, &here.keywords);
        // `vars` of the line are parameters of the role.
        let own = keywords.vars.split_off(here.keywords.vars.len());
        let mut params = VarMap::new();
        for layer in own {
            params.extend(layer.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
        let further = Node {
            span: line.fields.at.clone(),
            kind: Kind::Map(line.params.clone()),
        };
        if let Err(mistake) = self.options.templar.check(&further) {
            self.report(mistake);
        }
        if let Some(more) = self.note(to_vars(&further)) {
            params.extend(more);
        }
        let Some(name) = self.static_name(&line.name, here, "role") else {
            return nothing;
        };
        let said = line
            .fields
            .iter()
            .filter(|(name, _)| matches!(*name, "when" | "tags" | "vars"));
        let distinct = said
            .map(|(name, value)| format!("{name}={}", shape(value)))
            .collect::<Vec<_>>();
        let wanted = Wanted {
            name,
            at: &line.name,
            from: From::default(),
            params,
            distinct: format!("{} {}", distinct.join(" "), shape(&further)),
            allow_duplicates: None,
            is_dependency: here.role.is_some(),
        };
        let inside = Here {
            keywords,
            ..here.clone()
        };
        self.use_role(&wanted, &inside)
    }

    /// `import_role`.
    pub(super) fn import_role(&mut self, task: &Task, keywords: Keywords, here: &Here, entries: &mut Vec<Entry>) {
        if !self.is_import_plain(task) {
            return;
        }
        self.check_names(&task.args, "import_role", ARGUMENTS);
        let inside = Here {
            keywords,
            ..here.clone()
        };
        let Some(wanted) = self.wanted(task, &inside) else {
            return;
        };
        let (_, found) = self.use_role(&wanted, &inside);
        entries.extend(found);
    }

    /// `include_role`: the role is looked at now, when its name is known, and used when the task is reached.
    pub(super) fn include_role(&mut self, task: &Task, keywords: &Keywords, here: &Here) -> Option<Action> {
        self.check_include_keywords(task);
        self.check_names(&task.args, "include_role", ARGUMENTS);
        let apply = self.apply(task, here);
        let named = task.args.get("name").or_else(|| task.args.get("role"));
        let is_open = task.args.get("_variable_params").is_some();
        if named.is_none() && !is_open {
            let mistake = Diagnostic::new("missing required arguments for `include_role`: name");
            self.report(mistake.at(task.action_at.clone()));
            return None;
        }
        let is_literal = [
            "name",
            "role",
            "tasks_from",
            "vars_from",
            "defaults_from",
            "handlers_from",
        ];
        let is_literal = is_literal
            .iter()
            .all(|name| task.args.get(name).is_none_or(|value| !value.has_template()));
        if is_literal && !is_open {
            let conditional = !keywords.when.is_empty() || task.repeat.is_some();
            let inside = Here {
                keywords: apply.clone(),
                ..here.clone()
            };
            let exists = named
                .and_then(Node::scalar_text)
                .map(|name| self.find_role(&name, &inside).map_err(|folders| (name, folders)));
            match exists {
                Some(Err(_)) if conditional => {}
                Some(Err((name, folders))) => {
                    let caught = self.is_caught(keywords, here);
                    let at = named.unwrap_or(&task.args);
                    self.scene.doubtful.push((missing_role(at, &name, &folders), caught));
                }
                _ => self.look_ahead(conditional || here.caught, |compiler| {
                    if let Some(wanted) = compiler.wanted(task, &inside) {
                        compiler.look_at_role(&wanted, &inside, conditional);
                    }
                }),
            }
        }
        Some(Action::IncludeRole {
            args: task.args.clone(),
            apply: Box::new(apply),
        })
    }

    fn look_at_role(&mut self, wanted: &Wanted<'_>, here: &Here, conditional: bool) {
        let Ok(folder) = self.find_role(&wanted.name, here) else {
            return;
        };
        let lenient = self.lenient > 0;
        let tasks = find_file(&folder.join("tasks"), &wanted.from.tasks).unwrap_or_else(|| folder.clone());
        let is_first = self.checked.insert((tasks.clone(), Some(folder), lenient));
        let never = matches!(here.chain.follow(&tasks, conditional), Step::Never(_));
        if is_first || never {
            // Going round is fine when a condition stands on the way.
            let chain = match here.chain.follow(&tasks, conditional) {
                Step::Conditional => return,
                Step::On(_) | Step::Never(_) => here.chain.clone(),
            };
            let inside = Here { chain, ..here.clone() };
            self.use_role(wanted, &inside);
        }
    }

    /// Reads the arguments of `import_role` or of an `include_role` that can be known.
    fn wanted<'t>(&mut self, task: &'t Task, here: &Here) -> Option<Wanted<'t>> {
        let action = short(&task.action).to_owned();
        let Some(at) = task.args.get("name").or_else(|| task.args.get("role")) else {
            let mistake = Diagnostic::new(format!("missing required arguments for `{action}`: name"));
            self.report(mistake.at(task.action_at.clone()));
            return None;
        };
        let name = self.static_name(at, here, &action)?;
        let mut from = From::default();
        for (key, place) in [
            ("tasks_from", &mut from.tasks),
            ("vars_from", &mut from.vars),
            ("defaults_from", &mut from.defaults),
            ("handlers_from", &mut from.handlers),
        ] {
            if let Some(value) = task.args.get(key).filter(|value| !value.is_null()) {
                *place = self.static_name(value, here, key)?;
            }
        }
        from.named = task.args.get("tasks_from").is_some();
        let allow = task.args.get("allow_duplicates");
        let allow = allow.is_none_or(|allow| crate::playbook::keywords::boolean(allow) != Some(false));
        Some(Wanted {
            name,
            at,
            from,
            params: VarMap::new(),
            distinct: "included".to_owned(),
            allow_duplicates: Some(allow),
            is_dependency: false,
        })
    }

    /// The role with its dependencies: everything goes to the play, the tasks are given back.
    pub(super) fn use_role(&mut self, wanted: &Wanted<'_>, here: &Here) -> (Option<Arc<Role>>, Vec<Entry>) {
        let folder = match self.find_role(&wanted.name, here) {
            Ok(folder) => folder,
            Err(folders) => {
                self.report(missing_role(wanted.at, &wanted.name, &folders));
                return (None, Vec::new());
            }
        };
        let path = super::files::absolute(&folder);
        let meta = self.meta_of(&folder);
        let allow_duplicates = wanted.allow_duplicates.unwrap_or(meta.allow_duplicates);
        let key: Arc<str> = format!("{} {} {:?}", path.display(), wanted.distinct, wanted.from.tasks).into();
        let when: Vec<String> = here.keywords.when.iter().map(shape).collect();
        // An earlier use that runs wherever this one would makes this one needless.
        let uses = &self.scene.uses;
        let mut same = uses.iter().filter(|earlier| earlier.key == key);
        let is_first = same.clone().next().is_none();
        let earlier =
            same.find(|earlier| when.starts_with(&earlier.when) && self.reaches(earlier, &here.keywords.tags));
        if let Some(earlier) = earlier.filter(|_| !allow_duplicates) {
            return (Some(earlier.role.clone()), Vec::new());
        }
        let mut entries = Vec::new();
        let mut parents = Vec::new();
        // A marker on the chain for the role itself: dependencies must not lead back to it.
        let marker = folder.join("meta");
        let chain = match here.chain.follow(&marker, false) {
            Step::On(chain) => chain,
            // A role may import another file of itself, but that must not go on for ever.
            Step::Conditional | Step::Never(_) if wanted.from.named => here.chain.clone(),
            Step::Conditional => return (None, Vec::new()),
            Step::Never(_) => {
                let message = format!(
                    "the role `{}` needs itself: {}",
                    wanted.name,
                    Self::way_of_roles(here, &path)
                );
                self.report(wanted.at.error(message).help("remove one of the dependencies"));
                return (None, Vec::new());
            }
        };
        // The parameters of the role that depends on this one reach it, too.
        let dependent = here.role.as_ref().filter(|_| wanted.is_dependency);
        let mut params = dependent.map_or_else(VarMap::new, |role| (*role.params).clone());
        params.extend(wanted.params.iter().map(|(name, value)| (name.clone(), value.clone())));
        let params = Arc::new(params);
        let name = folder
            .file_name()
            .map_or_else(|| wanted.name.clone(), |name| name.to_string_lossy().into_owned());
        let defaults = self.role_vars(&folder.join("defaults"), &wanted.from.defaults, wanted.at);
        let vars = self.role_vars(&folder.join("vars"), &wanted.from.vars, wanted.at);
        let mut role = Role {
            name,
            path: path.clone(),
            defaults,
            vars,
            params,
            parents: Vec::new(),
            key: key.clone(),
            allow_duplicates,
        };
        let mut dependents = vec![path];
        dependents.extend(here.dependents.iter().cloned());
        let around_dependencies = Here {
            role: Some(Arc::new(role.clone())),
            dependents,
            dir: folder.join("meta"),
            chain: chain.clone(),
            ..here.clone()
        };
        for line in &meta.dependencies {
            let (parent, found) = self.role(line, &around_dependencies);
            parents.extend(parent);
            entries.extend(found);
        }
        role.parents = parents;
        let role = Arc::new(role);
        self.scene.uses.push(Use {
            key,
            when,
            tags: here.keywords.tags.clone(),
            role: role.clone(),
        });
        self.scene.roles.push(role.clone());
        let inside = Here {
            role: Some(role.clone()),
            chain,
            ..here.clone()
        };
        // Handlers are there once for all uses of the role.
        let handlers = find_file(&folder.join("handlers"), &wanted.from.handlers);
        if let Some(path) = handlers.filter(|_| is_first) {
            let handlers = self.tasks_of(&path, inside.clone(), wanted.at, false);
            self.scene.handlers.extend(handlers);
        }
        match find_file(&folder.join("tasks"), &wanted.from.tasks) {
            Some(path) => entries.extend(self.tasks_of(&path, inside, wanted.at, false)),
            None if wanted.from.named => {
                let message = format!("the role `{}` has no file `tasks/{}`", wanted.name, wanted.from.tasks);
                let help = format!("searched in: {}", folder.join("tasks").display());
                self.report(wanted.at.error(message).help(help));
            }
            None => {}
        }
        (Some(role), entries)
    }

    /// True when tags let the earlier use run wherever one with these tags would.
    fn reaches(&self, earlier: &Use, tags: &[String]) -> bool {
        let (only, skip) = &self.options.tags;
        let all_run = only.is_empty() && skip.is_empty() && !earlier.tags.iter().any(|tag| tag == "never");
        earlier.tags == tags || all_run
    }

    /// `a -> b -> a`.
    fn way_of_roles(here: &Here, back_to: &Path) -> String {
        let mut way: Vec<&Path> = here.dependents.iter().map(PathBuf::as_path).collect();
        way.reverse();
        let from = way.iter().position(|folder| *folder == back_to).unwrap_or(0);
        way.drain(..from);
        way.push(back_to);
        let name = |folder: &&Path| folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        way.iter().map(name).collect::<Vec<_>>().join(" -> ")
    }
}

/// A value without its places, for comparing.
pub(super) fn shape(node: &Node) -> String {
    match &node.kind {
        Kind::Null => "null".to_owned(),
        Kind::Bool(yes) => yes.to_string(),
        Kind::Int(n) => n.to_string(),
        Kind::Float(n) => n.to_string(),
        Kind::Text(text) => format!("{:?}", text.value),
        Kind::List(items) => format!("[{}]", items.iter().map(shape).collect::<Vec<_>>().join(", ")),
        Kind::Map(entries) => {
            let entry = |(key, value): &(Node, Node)| format!("{}: {}", shape(key), shape(value));
            format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
    }
}
