//! `once`: what a marker is called, and what can be known to be wrong with it before anything runs.

use std::collections::HashMap;
use std::sync::Arc;

use crate::plan::check::each_task;
use crate::plan::{Action, Play, Task};
use crate::playbook::keywords::boolean;
use crate::source::{Diagnostic, Span};
use crate::yaml::{Kind, Node};

/// The task's name as written, with its role's: the same for every host.
pub fn written_name(task: &Task) -> Option<String> {
    let name = text(task.name.as_ref()?);
    Some(match &task.role {
        Some(role) => format!("{} : {name}", role.name),
        None => name,
    })
}

/// The marker's name under `once: true`: playbook, play and task.
pub fn default_name(play: &Play, task: &Task) -> Option<String> {
    let playbook = play.playbook.file_name().unwrap_or_default().to_string_lossy();
    let name = text(play.name.as_ref().unwrap_or(&play.hosts));
    Some(format!("{playbook}/{name}/{}", written_name(task)?))
}

fn text(node: &Node) -> String {
    match &node.kind {
        Kind::List(items) => items.iter().filter_map(Node::scalar_text).collect::<Vec<_>>().join(","),
        Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::Text(_) | Kind::Map(_) => {
            node.scalar_text().unwrap_or_default()
        }
    }
}

/// Mistakes of all plays together: a marker that belongs to two tasks would call the second one done.
pub(super) fn check(plays: &[Arc<Play>]) -> Vec<Diagnostic> {
    let mut mistakes = Vec::new();
    let mut names: HashMap<(String, bool), Span> = HashMap::new();
    for play in plays {
        let mut look = |task: &Task| {
            if let Some(mistake) = of_task(task) {
                mistakes.push(mistake);
                return;
            }
            let Some(name) = name(play, task) else { return };
            // A task and a loop never share a marker: each item has its own.
            let known = names
                .entry((name.clone(), task.repeat.is_some()))
                .or_insert_with(|| task.at.clone());
            if known.to_string() != task.at.to_string() {
                let text = format!("two tasks have the marker `{name}`: this one and the one at {known}");
                mistakes.push(
                    Diagnostic::new(text)
                        .at(task.at.clone())
                        .help("give one of them another name: `once: NAME`"),
                );
            }
        };
        each_task(&play.body, &mut look);
        each_task(&play.handlers, &mut look);
    }
    mistakes
}

/// What is wrong with one task.
pub(super) fn of_task(task: &Task) -> Option<Diagnostic> {
    let keywords = &task.keywords;
    let once = keywords.once.as_ref().filter(|once| boolean(&once.name) != Some(false));
    let here = |at: &Node, message: String| Some(Diagnostic::new(message).at(at.span.clone()));
    if let (Some(on_change), None) = (&keywords.on_change, &keywords.once) {
        let mistake = here(on_change, "`on_change` means nothing without `once`".to_owned());
        return mistake.map(|mistake| mistake.help("say `once: NAME` beside it"));
    }
    let once = once?;
    let on_host = matches!(&task.action, Action::Module { spec, .. } if !spec.local);
    if !on_host {
        // What stands around tasks is about those that can have a marker.
        if once.inherited {
            return None;
        }
        let text = format!(
            "`once` is for tasks that run on the host; `{}` does not",
            task.action_name
        );
        return here(&once.name, text);
    }
    let is_named = boolean(&once.name).is_none() && !once.inherited;
    if !is_named && task.name.is_none() {
        let text = "a task that is done `once` needs a `name`: its marker is called by it".to_owned();
        return Some(Diagnostic::new(text).at(task.at.clone()));
    }
    None
}

/// The name, when it is known already.
fn name(play: &Play, task: &Task) -> Option<String> {
    let Action::Module { .. } = task.action else {
        return None;
    };
    let once = task.keywords.once.as_ref()?;
    if once.name.has_template() {
        return None;
    }
    match boolean(&once.name) {
        Some(false) => None,
        Some(true) => default_name(play, task),
        None if once.inherited => Some(format!("{}/{}", text(&once.name), written_name(task)?)),
        None => Some(text(&once.name)),
    }
}
