//! One task: which of its keys is the action, and what else it says.

use crate::playbook::arguments::normalize;
use crate::playbook::keywords::{self, Place};
use crate::playbook::known;
use crate::playbook::read::Reader;
use crate::playbook::{Fields, Task};
use crate::source::{Diagnostic, nearest};
use crate::yaml::{Kind, Node};

/// The part of a `with_NAME` key after the underscore, for all names there are.
const LOOPS: &[&str] = &[
    "dict",
    "env",
    "file",
    "fileglob",
    "filetree",
    "first_found",
    "flattened",
    "indexed_items",
    "inventory_hostnames",
    "items",
    "lines",
    "list",
    "nested",
    "cartesian",
    "password",
    "pipe",
    "random_choice",
    "sequence",
    "subelements",
    "template",
    "together",
    "url",
    "varnames",
    "vars",
];

/// Keywords of tasks that are not offered for a misspelled module.
const NOT_MODULES: &str = "args";

impl Reader<'_> {
    /// Reads the mapping of a task.
    pub(super) fn task(&mut self, node: &Node, entries: &[(Node, Node)]) -> Option<Task> {
        let before = self.errors.len();
        let mut fields = Fields::none(&node.span);
        let mut repeat = None;
        let mut candidates: Vec<(&Node, &Node)> = Vec::new();
        for (key, value) in entries {
            let Some(name) = self.key(key) else { continue };
            if let Some(keyword) = keywords::find(&name, Place::Task) {
                match keyword.name {
                    "action" | "local_action" => candidates.push((key, value)),
                    "loop" => self.repeat(&mut repeat, None, key, value),
                    _ => self.keyword(&mut fields, keyword, value),
                }
            } else if let Some(lookup) = name.strip_prefix("with_") {
                self.repeat(&mut repeat, Some(lookup), key, value);
            } else {
                candidates.push((key, value));
            }
        }
        let (key, value) = self.choose(node, &candidates)?;
        let written = key.as_str().unwrap_or_default();
        let local = written == "local_action";
        let (action, action_at, value) = if local || written == "action" {
            let (name, value) = self.named_action(written, value)?;
            (name, value.span.clone(), value)
        } else {
            (written.to_owned(), key.span.clone(), value.clone())
        };
        let Some(known) = (self.knows)(&action) else {
            self.errors
                .push(unknown_module(&Node::text(action.as_str(), &action_at), false));
            return None;
        };
        let args = match normalize(&action, &value, fields.get("args"), known.style) {
            Ok(args) => args,
            Err(mistake) => {
                self.errors.push(mistake);
                return None;
            }
        };
        (self.errors.len() == before).then_some(Task {
            fields,
            action,
            action_at,
            args,
            local,
            repeat,
        })
    }

    fn repeat(&mut self, repeat: &mut Option<(Option<String>, Node)>, lookup: Option<&str>, key: &Node, value: &Node) {
        if repeat.is_some() {
            self.errors
                .push(key.error("a second loop in one task; one is expected"));
            return;
        }
        let mistake = match lookup {
            None => match &value.kind {
                Kind::List(_) => None,
                Kind::Text(_) if value.has_template() => None,
                _ => Some(
                    value
                        .error(format!("`loop` must be a list, not {}", shown(value)))
                        .help("write a list, or a template that gives one"),
                ),
            },
            Some(lookup) if lookup.contains('.') || LOOPS.contains(&lookup) => None,
            Some(lookup) => {
                let mistake = key.error(format!("unknown loop `with_{lookup}`"));
                Some(match nearest(lookup, LOOPS.iter().copied()) {
                    Some(near) => mistake.help(format!("did you mean `with_{near}`?")),
                    None => mistake,
                })
            }
        };
        match mistake {
            Some(mistake) => self.errors.push(mistake),
            None => *repeat = Some((lookup.map(str::to_owned), value.clone())),
        }
    }

    /// The one key that is the action; all others that are no keywords are mistakes.
    fn choose<'n>(&mut self, task: &Node, candidates: &[(&'n Node, &'n Node)]) -> Option<(&'n Node, &'n Node)> {
        let is_action = |key: &Node| {
            let name = key.as_str().unwrap_or_default();
            matches!(name, "action" | "local_action") || (self.knows)(name).is_some()
        };
        let (actions, others): (Vec<_>, Vec<_>) = candidates.iter().partition(|(key, _)| is_action(key));
        if candidates.is_empty() {
            let mistake = task.error("a task without a module");
            self.errors
                .push(mistake.help("a task is a module with its arguments: `command: uptime`"));
            return None;
        }
        for (key, _) in &others {
            self.errors.push(if actions.is_empty() {
                unknown_module(key, others.len() == 1)
            } else {
                keywords::unknown(key, Place::Task)
            });
        }
        let first = actions.first()?;
        if let Some(second) = actions.get(1) {
            let name = |found: &(&Node, &Node)| found.0.as_str().unwrap_or_default().to_owned();
            self.errors.push(
                second
                    .0
                    .error(format!(
                        "conflicting modules `{}` and `{}` in one task",
                        name(first),
                        name(second)
                    ))
                    .help("make two tasks of it"),
            );
            return None;
        }
        Some(*first)
    }

    /// `action: module a=b`, `action: {module: name, a: b}`.
    fn named_action(&mut self, key: &str, value: &Node) -> Option<(String, Node)> {
        match &value.kind {
            Kind::Text(text) => {
                let line = text.value.trim();
                let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
                let mut args = Node::text(rest.trim_start(), &value.span);
                if let Kind::Text(part) = &mut args.kind {
                    part.use_as = text.use_as;
                }
                Some((name.to_owned(), args))
            }
            Kind::Map(entries) => {
                let Some(name) = value.get("module").and_then(Node::as_str) else {
                    self.errors
                        .push(value.error(format!("`{key}` needs `module`: the name of the module")));
                    return None;
                };
                let rest = entries.iter().filter(|(key, _)| key.as_str() != Some("module"));
                Some((
                    name.to_owned(),
                    Node {
                        span: value.span.clone(),
                        kind: Kind::Map(rest.cloned().collect()),
                    },
                ))
            }
            Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::List(_) => {
                self.errors
                    .push(value.error(format!("`{key}` must be text or a mapping, not {}", value.kind_name())));
                None
            }
        }
    }
}

fn shown(value: &Node) -> String {
    let short = value.scalar_text().filter(|text| text.chars().count() <= 60);
    short.map_or_else(|| value.kind_name().to_owned(), |text| format!("`{text}`"))
}

/// What to say about a key that is neither a keyword nor a module.
fn unknown_module(key: &Node, alone: bool) -> Diagnostic {
    let name = key.scalar_text().unwrap_or_default();
    let keyword = nearest(&name, keywords::names(Place::Task).filter(|word| *word != NOT_MODULES));
    let module = nearest(known::short(&name), known::names());
    // The only key that could be the module is taken for a keyword only when no module is near.
    if let (Some(near), true) = (keyword, !alone || module.is_none()) {
        return key
            .error(format!("unknown keyword `{name}` in a task"))
            .help(format!("did you mean `{near}`?"));
    }
    let mistake = key.error(format!("unknown module `{name}`"));
    match module {
        Some("include") => mistake.help("did you mean `include_tasks`?"),
        Some(near) => mistake.help(format!("did you mean `{near}`?")),
        None => mistake.help("`batchssh doc` lists the modules"),
    }
}
