//! One task on one host. `passes.rs` runs it, `tell.rs` ends it, `keywords.rs` reads what it says.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value as Json};

use crate::engine::host::HostRun;
use crate::engine::outcome::{self, Outcome};
use crate::engine::passes::loop_vars;
use crate::engine::play::PlayRun;
use crate::engine::recall::Recalled;
use crate::engine::scope;
use crate::engine::shared::Shared;
use crate::event::EventKind;
use crate::plan::{Action, Loop, Meta, Task};
use crate::source::Diagnostic;
use crate::vars::templar::to_json;
use crate::vars::{Scope, Value, VarMap};
use crate::yaml::Node;

/// What follows from a task for the host's way on.
#[derive(Debug)]
pub enum Next {
    /// It was not begun: the run is winding down.
    NotRun,
    /// On to the next task.
    Advance,
    /// It failed; the cursor decides about rescue.
    Fail,
    /// The host is out: unreachable, in doubt.
    Out,
    /// Tasks to include, one wish per pass of the loop.
    Include(Vec<Wish>),
    /// A `meta` action whose `when` holds.
    Meta(Meta),
}

/// A wish to include tasks.
#[derive(Clone, Debug)]
pub struct Wish {
    /// The rendered file, or the rendered arguments of `include_role`.
    pub what: Json,
    /// The task's variables and the loop's, for the included tasks.
    pub vars: Arc<VarMap>,
    /// Equal for hosts that include the same with the same loop item.
    pub key: String,
}

/// One task with everything around it.
pub struct Work<'a> {
    /// The run.
    pub shared: &'a Shared,
    /// The play.
    pub play: &'a PlayRun,
    /// The task.
    pub task: &'a Task,
    /// Its name as shown.
    pub name: &'a str,
    /// Digest of the task as written.
    pub id: String,
    /// It runs once for all hosts of the batch.
    pub once: bool,
}

/// Results that other hosts of the batch share under `run_once`.
#[derive(Debug, Default)]
pub struct Learnt {
    /// Registered variable and facts.
    pub registered: Option<(String, Value)>,
    /// Facts of `set_fact` and the like, by whether they are gathered facts.
    pub facts: Vec<(bool, Map<String, Json>)>,
    /// Variables of `include_vars`.
    pub variables: Vec<Arc<VarMap>>,
}

impl Work<'_> {
    /// Runs the task on the host, tells its results, and says how to go on.
    pub fn run(&self, host: &mut HostRun) -> (Next, Learnt) {
        let begun = Instant::now();
        if self.shared.cancel.is_winding_down() {
            return (Next::NotRun, Learnt::default());
        }
        host.started();
        host.pass = 0;
        host.doing.begin(None, None);
        let given = self.shared.take_given(&host.name);
        if !given.is_empty() {
            host.learn(self.shared, |vars| vars.learn(&given));
        }
        let scope = match scope::build(self.shared, self.play, &host.name, &host.vars, Some(self.task)) {
            Ok(scope) => scope,
            Err(error) => {
                let outcome = Outcome::failed(explain(&error));
                return self.finish(host, &outcome, &Scope::new(), begun, false);
            }
        };
        if let Recalled::Ends(outcome) = &mut host.recalled {
            let outcome = std::mem::replace(outcome.as_mut(), Outcome::failed(""));
            host.recalled = Recalled::Nothing;
            return self.finish(host, &outcome, &scope, begun, false);
        }
        match &self.task.action {
            Action::Meta(meta) => match self.conditions(&self.task.keywords.when, &scope) {
                Ok(None) => (Next::Meta(*meta), Learnt::default()),
                Ok(Some(_)) => (Next::Advance, Learnt::default()),
                Err(error) => self.finish(host, &Outcome::failed(explain(&error)), &scope, begun, false),
            },
            Action::IncludeTasks { .. } | Action::IncludeRole { .. } => self.include(host, &scope, begun),
            Action::Module { .. } | Action::IncludeVars { .. } | Action::Missing { .. } | Action::Engine { .. } => {
                if !self.play.name.is_empty() {
                    (self.shared.tell)(EventKind::HostStarted {
                        host: host.name.clone(),
                        task: self.name.to_owned(),
                    });
                }
                let (outcome, looped) = self.all_passes(host, &scope);
                self.finish(host, &outcome, &scope, begun, looped)
            }
        }
    }

    fn include(&self, host: &mut HostRun, scope: &Scope, begun: Instant) -> (Next, Learnt) {
        let (what, is_role) = match &self.task.action {
            Action::IncludeTasks { file, .. } => (file, false),
            Action::IncludeRole { args, .. } => (args, true),
            Action::Module { .. }
            | Action::IncludeVars { .. }
            | Action::Missing { .. }
            | Action::Engine { .. }
            | Action::Meta(_) => {
                return (Next::Advance, Learnt::default());
            }
        };
        let single = Loop {
            lookup: None,
            items: what.clone(),
            var: String::new(),
            index_var: None,
            label: None,
            pause: None,
            extended: false,
            break_when: Vec::new(),
        };
        let (repeat, items) = match &self.task.repeat {
            None => (&single, vec![Value::UNDEFINED]),
            Some(repeat) => match self.items(repeat, scope) {
                Ok(items) => (repeat, items),
                Err(error) => {
                    let outcome = match self.conditions(&self.task.keywords.when, scope) {
                        Ok(Some(condition)) => Outcome::skipped("Conditional result was False", Some(condition)),
                        Ok(None) | Err(_) => Outcome::failed(explain(&error)),
                    };
                    return self.finish(host, &outcome, scope, begun, false);
                }
            },
        };
        let mut wishes = Vec::new();
        let mut skipped = None;
        for index in 0..items.len() {
            let mut extra = VarMap::new();
            if !repeat.var.is_empty() {
                extra = loop_vars(repeat, &items, index);
            }
            let pass_scope = scope.with(Arc::new(extra.clone()));
            match self.conditions(&self.task.keywords.when, &pass_scope) {
                Ok(None) => {}
                Ok(Some(condition)) => {
                    skipped = Some(condition);
                    continue;
                }
                Err(error) => return self.finish(host, &Outcome::failed(explain(&error)), scope, begun, false),
            }
            let rendered = match self.shared.templar.render(what, &pass_scope) {
                Ok(value) => to_json(&value),
                Err(error) => return self.finish(host, &Outcome::failed(explain(&error)), scope, begun, false),
            };
            if !is_role && !rendered.is_string() {
                let outcome = Outcome::failed(format!("a file name is needed to include; it is {rendered}"));
                return self.finish(host, &outcome, scope, begun, false);
            }
            let mut vars = VarMap::new();
            for layer in &self.task.keywords.vars {
                vars.extend(layer.iter().map(|(k, v)| (k.clone(), v.clone())));
            }
            vars.extend(extra);
            let item = items
                .get(index)
                .map(|item| to_json(item).to_string())
                .unwrap_or_default();
            let key = format!("{rendered} {index} {item}");
            wishes.push(Wish {
                what: rendered,
                vars: Arc::new(vars),
                key,
            });
        }
        if wishes.is_empty() {
            let outcome = match skipped {
                Some(condition) if self.task.repeat.is_none() => {
                    Outcome::skipped("Conditional result was False", Some(condition))
                }
                _ => outcome::of_loop(Vec::new()),
            };
            return self.finish(host, &outcome, scope, begun, false);
        }
        (Next::Include(wishes), Learnt::default())
    }

    /// What the engine does itself.
    pub(super) fn engine_action(&self, name: &str, args: &Node, scope: &Scope) -> Outcome {
        if name != "pause" {
            return Outcome::failed(format!("`{name}` is not built into this program"));
        }
        let arguments = match self.shared.templar.render(args, scope) {
            Ok(value) => to_json(&value),
            Err(error) => return Outcome::failed(explain(&error)),
        };
        let number = |key: &str| {
            let value = arguments.get(key)?;
            value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())
        };
        // Without a time Ansible waits for Enter; a batch run has nobody to press it, so it goes on.
        let seconds = number("seconds")
            .or_else(|| number("minutes").map(|m| m * 60.0))
            .unwrap_or(0.0);
        let begun = Instant::now();
        let time = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or_default();
        if let Err(stop) = self.shared.deadline.sleep(time) {
            return Outcome::failed(stop.to_string());
        }
        let mut values = Map::new();
        values.insert("delta".into(), begun.elapsed().as_secs().into());
        values.insert("user_input".into(), "".into());
        Outcome::done(values, false, Vec::new())
    }
}

/// A mistake as the message of a result, with its place.
pub fn explain(error: &Diagnostic) -> String {
    let place = error.at.as_ref().map(|at| format!(" ({at})")).unwrap_or_default();
    let help = error.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
    format!("{}{help}{place}", error.message)
}
