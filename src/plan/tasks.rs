//! Tasks and blocks with what is around them merged in.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::plan::compile::{Compiler, Here};
use crate::plan::cycle::Step;
use crate::plan::keywords::several;
use crate::plan::{Action, Block, Detach, Entry, Keywords, Loop, Task, Until};
use crate::playbook::keywords::{boolean, is_template, is_variable_name};
use crate::playbook::known::short;
use crate::playbook::{self, Item};
use crate::source::{Diagnostic, nearest};
use crate::yaml::{Kind, Node};

/// Most tasks of a plan: more come from files that import each other again and again.
const MOST_TASKS: usize = 100_000;

/// Most blocks and files of tasks one inside of the other.
const DEEPEST: u16 = 60;

/// The keys of `loop_control`.
const LOOP_CONTROL: &[&str] = &[
    "break_when",
    "extended",
    "extended_allitems",
    "index_var",
    "label",
    "loop_var",
    "pause",
];

impl Compiler<'_> {
    /// Compiles a list of tasks and blocks.
    pub(super) fn entries(&mut self, items: &[Item], here: &Here) -> Vec<Entry> {
        if here.nested > DEEPEST {
            if let Some(item) = items.first() {
                let mistake = Diagnostic::new(format!("blocks and files are nested deeper than {DEEPEST} levels"));
                self.report(mistake.at(place_of(item).clone()));
            }
            return Vec::new();
        }
        let mut entries = Vec::with_capacity(items.len());
        for item in items {
            match item {
                Item::Block(block) => {
                    let block = self.block(block, here);
                    entries.push(Entry::Block(Arc::new(block)));
                }
                Item::Task(task) => self.task(task, here, &mut entries),
            }
        }
        entries
    }

    fn block(&mut self, block: &playbook::Block, here: &Here) -> Block {
        self.check_fields(&block.fields);
        let fields = &block.fields;
        let keywords = self.keywords(fields, &here.keywords);
        let notify = fields.get("notify").cloned().map(several);
        let inside = Here {
            keywords,
            notify: notify.unwrap_or_else(|| here.notify.clone()),
            nested: here.nested + 1,
            ..here.clone()
        };
        let body = Here {
            caught: here.caught || !block.rescue.is_empty(),
            ..inside.clone()
        };
        Block {
            name: fields.get("name").cloned(),
            body: self.entries(&block.body, &body),
            rescue: self.entries(&block.rescue, &inside),
            always: self.entries(&block.always, &inside),
            at: fields.at.clone(),
        }
    }

    fn task(&mut self, task: &playbook::Task, here: &Here, entries: &mut Vec<Entry>) {
        self.tasks += 1;
        if self.tasks > MOST_TASKS {
            if self.tasks == MOST_TASKS + 1 {
                let mistake = format!("more than {MOST_TASKS} tasks; do files import each other again and again?");
                self.report(Diagnostic::new(mistake).at(task.fields.at.clone()));
            }
            return;
        }
        self.check_fields(&task.fields);
        self.check_arguments(task);
        let mut keywords = self.keywords(&task.fields, &here.keywords);
        if task.local {
            keywords.delegate_to = Some(Node::text("localhost", &task.action_at));
        }
        match short(&task.action) {
            "import_tasks" => self.import_tasks(task, keywords, here, entries),
            "import_role" => self.import_role(task, keywords, here, entries),
            _ => {
                let Some(action) = self.action(task, &keywords, here) else {
                    return;
                };
                let task = self.finish_task(task, action, keywords, here);
                entries.push(Entry::Task(Arc::new(task)));
            }
        }
    }

    fn finish_task(&mut self, task: &playbook::Task, action: Action, keywords: Keywords, here: &Here) -> Task {
        let fields = &task.fields;
        let get = |name: &str| fields.get(name).cloned();
        let notify = get("notify").map(several);
        let until = Until {
            conditions: get("until").map(several).unwrap_or_default(),
            retries: get("retries"),
            delay: get("delay"),
        };
        Task {
            name: get("name"),
            role: here.role.clone(),
            action,
            action_name: task.action.clone(),
            at: fields.at.clone(),
            repeat: self.repeat(task),
            until: (!until.conditions.is_empty() || until.retries.is_some()).then_some(until),
            detach: get("async").filter(|seconds| !is_zero(seconds)).map(|seconds| Detach {
                seconds,
                poll: get("poll"),
            }),
            register: get("register").and_then(|name| name.scalar_text()),
            changed_when: get("changed_when").map(several),
            failed_when: get("failed_when").map(several),
            notify: notify.unwrap_or_else(|| here.notify.clone()),
            listen: get("listen").map(several).unwrap_or_default(),
            keywords,
            include_vars: here.include_vars.clone(),
            search: self.search(here),
            implicit: false,
            depth: here.depth,
        }
    }

    fn repeat(&mut self, task: &playbook::Task) -> Option<Loop> {
        let mut repeat = Loop {
            lookup: None,
            items: Node::text("", &task.fields.at),
            var: "item".to_owned(),
            index_var: None,
            label: None,
            pause: None,
            extended: false,
            break_when: Vec::new(),
        };
        let control = task.fields.get("loop_control");
        for (key, value) in control.and_then(Node::as_map).unwrap_or_default() {
            match key.as_str().unwrap_or_default() {
                "loop_var" => repeat.var = self.variable_name("loop_var", value).unwrap_or(repeat.var),
                "index_var" => repeat.index_var = self.variable_name("index_var", value),
                "label" => repeat.label = Some(value.clone()),
                "pause" => {
                    let number = match &value.kind {
                        Kind::Int(n) => *n >= 0,
                        Kind::Float(n) => *n >= 0.0,
                        Kind::Text(text) => is_template(value) || text.value.trim().parse::<f64>().is_ok(),
                        _ => false,
                    };
                    if !number {
                        self.report(value.error("`pause` of `loop_control` must be a number of seconds"));
                    }
                    repeat.pause = Some(value.clone());
                }
                "extended" => match boolean(value) {
                    Some(yes) => repeat.extended = yes,
                    // Whether it is needed is not known yet; having more variables does no harm.
                    None if is_template(value) => repeat.extended = true,
                    None => self.report(value.error("`extended` of `loop_control` must be a boolean")),
                },
                "extended_allitems" => {}
                "break_when" => repeat.break_when = several(value.clone()),
                other => {
                    let mistake = key.error(format!("unknown key `{other}` in `loop_control`"));
                    let help = match nearest(other, LOOP_CONTROL.iter().copied()) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("known keys: {}", LOOP_CONTROL.join(", ")),
                    };
                    self.report(mistake.help(help));
                }
            }
        }
        let (lookup, items) = task.repeat.clone()?;
        repeat.lookup = lookup.map(|name| short(&name).to_owned());
        repeat.items = items;
        Some(repeat)
    }

    fn variable_name(&mut self, what: &str, value: &Node) -> Option<String> {
        let name = value.as_str().filter(|name| is_variable_name(name));
        if name.is_none() {
            self.report(value.error(format!(
                "`{what}` must be the name of a variable (letters, digits, `_`)"
            )));
        }
        name.map(str::to_owned)
    }

    fn import_tasks(&mut self, task: &playbook::Task, keywords: Keywords, here: &Here, entries: &mut Vec<Entry>) {
        if !self.is_import_plain(task) {
            return;
        }
        let Some(file) = self.included_file(task) else { return };
        let inside = Here {
            keywords,
            ..here.clone()
        };
        let Some(name) = self.static_name(&file, &inside, "import_tasks") else {
            return;
        };
        match self.find_tasks(&name, here) {
            Ok(path) => entries.extend(self.tasks_of(&path, inside, &file, false)),
            Err(folders) => self.report(missing_file(&file, &name, &folders)),
        }
    }

    /// Loops cannot be known before hosts are.
    pub(super) fn is_import_plain(&mut self, task: &playbook::Task) -> bool {
        let plain = task.repeat.is_none();
        if !plain {
            let action = short(&task.action);
            let mistake = Diagnostic::new(format!("`{action}` cannot have a loop"));
            let help = format!(
                "use `{}`, which is read when it is reached",
                action.replace("import", "include")
            );
            self.report(mistake.at(task.action_at.clone()).help(help));
        }
        plain
    }

    /// The tasks of a file, in the place `here`.
    pub(super) fn tasks_of(&mut self, path: &Path, here: Here, named: &Node, conditional: bool) -> Vec<Entry> {
        let chain = match here.chain.follow(path, conditional) {
            Step::On(chain) => chain,
            Step::Conditional => return Vec::new(),
            Step::Never(message) => {
                self.report(named.error(message));
                return Vec::new();
            }
        };
        let role = here.role.as_ref().map(|role| role.path.clone());
        let Some(items) = self.items(path, role.as_deref()) else {
            return Vec::new();
        };
        let inside = Here {
            chain,
            dir: path.parent().unwrap_or(Path::new("")).to_owned(),
            nested: here.nested + 1,
            ..here
        };
        self.entries(&items, &inside)
    }

    /// The file that an import or include names.
    pub(super) fn included_file(&mut self, task: &playbook::Task) -> Option<Node> {
        let action = short(&task.action);
        let mut file = None;
        for (key, value) in task.args.as_map().unwrap_or_default() {
            match key.as_str().unwrap_or_default() {
                "_raw_params" | "file" => file = Some(value),
                "apply" if action == "include_tasks" => {}
                other => {
                    let mistake = key.error(format!("unsupported parameters for `{action}`: `{other}`"));
                    self.report(mistake.help("variables for the file stand under `vars:` of the task"));
                    return None;
                }
            }
        }
        match file {
            Some(file) if file.as_str().is_some_and(|name| !name.trim().is_empty()) => Some(file.clone()),
            _ => {
                let mistake = Diagnostic::new(format!("`{action}` needs the name of a file"));
                self.report(mistake.at(task.action_at.clone()));
                None
            }
        }
    }
}

/// What to say about a file of tasks that is not there.
pub(super) fn missing_file(named: &Node, name: &str, folders: &[PathBuf]) -> Diagnostic {
    named
        .error(format!("no file of tasks `{name}`"))
        .help(format!("searched in: {}", listed(folders)))
}

/// Folders for a message.
pub(super) fn listed(folders: &[PathBuf]) -> String {
    let shown = folders.iter().map(|folder| {
        if folder.as_os_str().is_empty() {
            ".".to_owned()
        } else {
            folder.display().to_string()
        }
    });
    shown.collect::<Vec<_>>().join(", ")
}

fn place_of(item: &Item) -> &crate::source::Span {
    match item {
        Item::Task(task) => &task.fields.at,
        Item::Block(block) => &block.fields.at,
    }
}

fn is_zero(seconds: &Node) -> bool {
    matches!(seconds.kind, Kind::Int(0))
}
