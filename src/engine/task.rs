//! One task on one host: `when`, loops, `until`, `register`, `changed_when`, `failed_when`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value as Json};

use crate::deadline::Deadline;
use crate::engine::host::HostRun;
use crate::engine::outcome::{self, Outcome};
use crate::engine::play::PlayRun;
use crate::engine::shared::Shared;
use crate::engine::{link, perform, scope};
use crate::event::{EventKind, Status, TaskReport};
use crate::names::HostName;
use crate::plan::{Action, Loop, Meta, Task, Until};
use crate::source::Diagnostic;
use crate::vars::templar::{from_json, to_json};
use crate::vars::{Scope, Value, Var, VarMap};
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

    /// The task once, or once per item.
    fn all_passes(&self, host: &mut HostRun, scope: &Scope) -> (Outcome, bool) {
        let Some(repeat) = &self.task.repeat else {
            return (self.pass(host, scope), false);
        };
        let items = match self.items(repeat, scope) {
            Ok(items) => items,
            // As in Ansible: items that cannot be made do not matter when the task is skipped anyway.
            Err(error) => {
                return match self.conditions(&self.task.keywords.when, scope) {
                    Ok(Some(condition)) => (Outcome::skipped("Conditional result was False", Some(condition)), false),
                    Ok(None) | Err(_) => (Outcome::failed(explain(&error)), false),
                };
            }
        };
        let mut outcomes = Vec::new();
        let mut scope = scope.clone();
        for (index, item) in items.iter().enumerate() {
            if index > 0
                && let Err(stop) = self.pause(repeat, &scope)
            {
                outcomes.push(Outcome::failed(stop));
                break;
            }
            let begun = Instant::now();
            let pass_scope = scope.with(Arc::new(loop_vars(repeat, &items, index)));
            let mut outcome = self.pass(host, &pass_scope);
            outcome.values.insert(repeat.var.clone(), to_json(item));
            outcome
                .values
                .insert("ansible_loop_var".into(), repeat.var.clone().into());
            if let Some(name) = &repeat.index_var {
                outcome.values.insert(name.clone(), index.into());
                outcome.values.insert("ansible_index_var".into(), name.clone().into());
            }
            let label = match &repeat.label {
                Some(label) => match self.shared.templar.render(label, &pass_scope) {
                    Ok(value) => to_json(&value),
                    Err(_) => to_json(item),
                },
                None => to_json(item),
            };
            let mut report = self.report(host, &pass_scope, &outcome, begun);
            report.item = Some(label);
            (self.shared.tell)(EventKind::ItemResult(Box::new(report)));
            // What one pass learns, the next one sees (`set_fact` that adds to a list).
            let mut learnt = Learnt::default();
            collect_facts(&self.task.action, &outcome, &mut learnt);
            if !learnt.facts.is_empty() && outcome.status.is_good() {
                learn(self.shared, host, &learnt);
                if let Ok(built) = scope::build(self.shared, self.play, &host.name, &host.vars, Some(self.task)) {
                    scope = built;
                }
            }
            let stop = matches!(outcome.status, Status::Unreachable | Status::InDoubt)
                || self.shared.cancel.is_cancelled()
                || self.breaks(repeat, &pass_scope, &outcome);
            outcomes.push(outcome);
            if stop {
                break;
            }
        }
        (outcome::of_loop(outcomes), true)
    }

    fn breaks(&self, repeat: &Loop, scope: &Scope, outcome: &Outcome) -> bool {
        !repeat.break_when.is_empty()
            && self
                .conditions(&repeat.break_when, &self.with_result(scope, outcome))
                .is_ok_and(|failed| failed.is_none())
    }

    fn pause(&self, repeat: &Loop, scope: &Scope) -> Result<(), String> {
        let Some(pause) = &repeat.pause else { return Ok(()) };
        let seconds = self.number(Some(pause), scope, 0.0).map_err(|e| explain(&e))?;
        let time = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        self.shared.deadline.sleep(time).map_err(|stop| stop.to_string())
    }

    /// The items of a loop.
    fn items(&self, repeat: &Loop, scope: &Scope) -> Result<Vec<Value>, Diagnostic> {
        if let Some(lookup) = &repeat.lookup {
            let terms = self.shared.templar.render(&repeat.items, scope)?;
            return self.shared.templar.lookup(lookup, &terms, &[], scope).map_err(|error| {
                if error.at.is_some() {
                    error
                } else {
                    error.at(repeat.items.span.clone())
                }
            });
        }
        let value = self.shared.templar.render(&repeat.items, scope)?;
        match (value.kind(), value.try_iter()) {
            (minijinja::value::ValueKind::Seq | minijinja::value::ValueKind::Iterable, Ok(items)) => {
                Ok(items.collect())
            }
            _ => Err(repeat
                .items
                .error(format!("`loop` needs a list; it is {value}"))
                .help("did you mean `with_items`, or a filter such as `| list` or `| dict2items`?")),
        }
    }

    /// `ansible_delegated_vars`, for tasks that run on another host.
    fn delegated(&self, host: &HostRun, scope: &Scope) -> Option<Scope> {
        let node = self.task.keywords.delegate_to.as_ref()?;
        let name = HostName::new(self.shared.templar.render(node, scope).ok()?.to_string());
        if name == host.name {
            return None;
        }
        let published = self.shared.published(&name);
        let other = scope::connection(self.shared, self.play, &name, &published).ok()?;
        let mut vars: Vec<(String, Value)> = vec![("inventory_hostname".to_owned(), name.as_str().into())];
        for key in ["ansible_host", "ansible_port", "ansible_user"] {
            if let Ok(Some(value)) = self.shared.templar.variable(key, &other) {
                vars.push((key.to_owned(), value));
            }
        }
        let mut map = VarMap::new();
        let inner: Value = vars.into_iter().collect();
        map.insert(
            "ansible_delegated_vars".into(),
            Var::Data([(name.to_string(), inner)].into_iter().collect()),
        );
        Some(scope.with(Arc::new(map)))
    }

    /// One pass: condition, module, `until`.
    fn pass(&self, host: &mut HostRun, scope: &Scope) -> Outcome {
        let delegated = self.delegated(host, scope);
        let scope = delegated.as_ref().unwrap_or(scope);
        match self.conditions(&self.task.keywords.when, scope) {
            Ok(None) => {}
            Ok(Some(condition)) => return Outcome::skipped("Conditional result was False", Some(condition)),
            Err(error) => return Outcome::failed(explain(&error)),
        }
        let Some(until) = &self.task.until else {
            return self.attempt(host, scope);
        };
        self.until(host, scope, until)
            .unwrap_or_else(|error| Outcome::failed(explain(&error)))
    }

    fn until(&self, host: &mut HostRun, scope: &Scope, until: &Until) -> Result<Outcome, Diagnostic> {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to the range before"
        )]
        let retries = self.number(until.retries.as_ref(), scope, 3.0)?.clamp(0.0, 1_000_000.0) as u32;
        let delay =
            Duration::try_from_secs_f64(self.number(until.delay.as_ref(), scope, 5.0)?.max(0.0)).unwrap_or_default();
        let mut attempt = 1;
        loop {
            let mut outcome = self.attempt(host, scope);
            outcome.values.insert("attempts".into(), attempt.into());
            if matches!(outcome.status, Status::Unreachable | Status::InDoubt | Status::Skipped) {
                return Ok(outcome);
            }
            let met = if until.conditions.is_empty() {
                outcome.status.is_good()
            } else {
                self.conditions(&until.conditions, &self.with_result(scope, &outcome))?
                    .is_none()
            };
            if met {
                return Ok(outcome);
            }
            if attempt > retries {
                // Ansible counts the tries that were allowed, not the first one.
                outcome.values.insert("attempts".into(), retries.into());
                outcome.values.insert("failed".into(), true.into());
                if outcome.status.is_good() {
                    outcome.status = Status::Failed;
                    outcome
                        .values
                        .entry("msg")
                        .or_insert_with(|| format!("`until` was not met in {attempt} tries").into());
                }
                return Ok(outcome);
            }
            (self.shared.tell)(EventKind::TaskRetrying {
                host: host.name.clone(),
                task: self.name.to_owned(),
                retries_left: retries + 1 - attempt,
            });
            if let Err(stop) = self.shared.deadline.sleep(delay) {
                return Ok(Outcome::failed(stop.to_string()));
            }
            attempt += 1;
        }
    }

    /// One try, with `changed_when` and `failed_when` applied.
    fn attempt(&self, host: &mut HostRun, scope: &Scope) -> Outcome {
        let mut outcome = match &self.task.action {
            Action::Module { spec, args } => perform::perform(self, host, spec, args, scope),
            Action::IncludeVars { args } => crate::engine::include::variables(self, args, scope),
            Action::Engine { name, args } => self.engine_action(name, args, scope),
            Action::Missing { name, .. } => {
                Outcome::failed(format!("the module `{name}` is not built into this program"))
            }
            Action::IncludeTasks { .. } | Action::IncludeRole { .. } | Action::Meta(_) => {
                Outcome::failed("not a module")
            }
        };
        if matches!(outcome.status, Status::Skipped | Status::Unreachable | Status::InDoubt) {
            return outcome;
        }
        if let Err(error) = self.redefine(scope, &mut outcome) {
            let mut failed = Outcome::failed(explain(&error));
            for (key, value) in outcome.values {
                failed.values.entry(key).or_insert(value);
            }
            return failed;
        }
        outcome
    }

    fn redefine(&self, scope: &Scope, outcome: &mut Outcome) -> Result<(), Diagnostic> {
        if let Some(conditions) = &self.task.changed_when {
            match self.conditions(conditions, &self.with_result(scope, outcome)) {
                Ok(unmet) => {
                    let changed = unmet.is_none();
                    outcome.values.insert("changed".into(), changed.into());
                    if outcome.status.is_good() {
                        outcome.status = if changed { Status::Changed } else { Status::Ok };
                    }
                }
                // A failure may lack what the condition asks for; it is the failure that is worth telling.
                Err(error) if outcome.status.is_good() => return Err(error),
                Err(_) => {}
            }
        }
        if let Some(conditions) = &self.task.failed_when {
            let failed = self
                .conditions(conditions, &self.with_result(scope, outcome))?
                .is_none();
            outcome.values.insert("failed_when_result".into(), failed.into());
            outcome.values.insert("failed".into(), failed.into());
            outcome.status = match (failed, outcome.changed()) {
                (true, _) => Status::Failed,
                (false, true) => Status::Changed,
                (false, false) => Status::Ok,
            };
            if !failed && let Some(when) = &self.task.changed_when {
                let changed = self.conditions(when, &self.with_result(scope, outcome))?.is_none();
                outcome.values.insert("changed".into(), changed.into());
                outcome.status = if changed { Status::Changed } else { Status::Ok };
            }
        }
        Ok(())
    }

    /// What the engine does itself.
    fn engine_action(&self, name: &str, args: &Node, scope: &Scope) -> Outcome {
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

    /// The first condition that does not hold; `None`: all hold.
    pub fn conditions(&self, conditions: &[Node], scope: &Scope) -> Result<Option<String>, Diagnostic> {
        for condition in conditions {
            if !self.shared.templar.condition(condition, scope)? {
                return Ok(Some(condition.scalar_text().unwrap_or_default()));
            }
        }
        Ok(None)
    }

    /// The variables with the result so far under its `register` name.
    fn with_result(&self, scope: &Scope, outcome: &Outcome) -> Scope {
        let Some(name) = &self.task.register else {
            return scope.clone();
        };
        let mut map = VarMap::new();
        map.insert(name.clone(), Var::Data(registered(outcome)));
        scope.with(Arc::new(map))
    }

    /// A numeric keyword.
    fn number(&self, node: Option<&Node>, scope: &Scope, default: f64) -> Result<f64, Diagnostic> {
        let Some(node) = node else { return Ok(default) };
        let value = self.shared.templar.render(node, scope)?;
        let number = value
            .as_str()
            .map_or_else(|| f64::try_from(value.clone()).ok(), |text| text.trim().parse().ok());
        number.ok_or_else(|| node.error(format!("a number is needed here; it is `{value}`")))
    }

    /// A boolean keyword.
    pub fn flag(&self, node: Option<&Node>, scope: &Scope, default: bool) -> Result<bool, Diagnostic> {
        let Some(node) = node else { return Ok(default) };
        let value = self.shared.templar.render(node, scope)?;
        link::truth(&value).ok_or_else(|| node.error(format!("a boolean is needed here; it is `{value}`")))
    }

    /// The limit for one pass of this task.
    pub fn limit(&self, scope: &Scope) -> Result<Deadline, Diagnostic> {
        let own = self.number(self.task.keywords.timeout.as_ref(), scope, 0.0)?;
        let run = &self.shared.deadline;
        if own > 0.0 {
            let limit = Duration::try_from_secs_f64(own).unwrap_or(Duration::MAX);
            return Ok(run.within("the task (timeout)", limit));
        }
        Ok(match self.shared.options.task_timeout {
            Some(limit) => run.within("the task (--task-timeout)", limit),
            None => run.clone(),
        })
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

    /// The task failed after it was run: what it wanted to include cannot be.
    pub fn fail(&self, host: &mut HostRun, msg: &str) -> Next {
        let outcome = Outcome::failed(msg);
        let mut report = self.report(host, &Scope::new(), &outcome, Instant::now());
        let next = if report.ignored {
            Next::Advance
        } else {
            report.rescued = host.cursor.after_failure() == crate::engine::cursor::AfterFailure::Rescued;
            Next::Fail
        };
        host.judge(&report);
        // Ansible counts an include that cannot be as a failure, also where a rescue follows.
        report.rescued = false;
        (self.shared.tell)(EventKind::TaskResult(Box::new(report)));
        next
    }

    /// Registers, learns facts, notifies, tells the result, and says how the host goes on.
    fn finish(
        &self,
        host: &mut HostRun,
        outcome: &Outcome,
        scope: &Scope,
        begun: Instant,
        looped: bool,
    ) -> (Next, Learnt) {
        let mut learnt = Learnt::default();
        if let Some(name) = &self.task.register {
            let value = registered(outcome);
            learnt.registered = Some((name.clone(), value));
        }
        if outcome.status.is_good() || outcome.values.contains_key("results") {
            collect_facts(&self.task.action, outcome, &mut learnt);
            learnt.variables.extend(outcome.variables.clone());
        }
        if let Some(other) = self.facts_go_to(host, scope) {
            self.shared.give(&other, &std::mem::take(&mut learnt.facts));
        }
        learn(self.shared, host, &learnt);
        let mut report = self.report(host, scope, outcome, begun);
        report.looped = looped;
        if outcome.changed() && outcome.status == Status::Changed {
            report.notified = self.notify(host, scope, &mut report.warnings);
        }
        if let Some(missing) = report.warnings.iter().find(|w| w.starts_with(NO_HANDLER)).cloned() {
            report.warnings.clear();
            report.status = Status::Failed;
            report.msg = missing;
        }
        if let Some(role) = &self.task.role
            && report.status != Status::Skipped
        {
            host.cursor.role_ran(role);
        }
        let next = if report.status.is_good() || report.ignored {
            Next::Advance
        } else if matches!(report.status, Status::Unreachable | Status::InDoubt) {
            Next::Out
        } else {
            report.rescued = host.cursor.after_failure() == crate::engine::cursor::AfterFailure::Rescued;
            if report.rescued {
                let failed_task = serde_json::json!({ "name": self.name, "action": self.task.action_name });
                let result = registered(outcome);
                host.learn(self.shared, |vars| {
                    vars.set("ansible_failed_task", from_json(&failed_task));
                    vars.set("ansible_failed_result", result);
                });
            }
            Next::Fail
        };
        host.judge(&report);
        (self.shared.tell)(EventKind::TaskResult(Box::new(report)));
        (next, learnt)
    }

    /// `delegate_facts`: the host that gets this task's facts instead.
    fn facts_go_to(&self, host: &HostRun, scope: &Scope) -> Option<HostName> {
        let keywords = &self.task.keywords;
        let node = keywords.delegate_to.as_ref()?;
        if !self
            .flag(keywords.delegate_facts.as_ref(), scope, false)
            .unwrap_or(false)
        {
            return None;
        }
        let name = self.shared.templar.render(node, scope).ok()?.to_string();
        (name != host.name.as_str()).then(|| HostName::new(name))
    }

    /// Marks the handlers that `notify` names.
    fn notify(&self, host: &mut HostRun, scope: &Scope, problems: &mut Vec<String>) -> Vec<String> {
        let mut told = Vec::new();
        if self.task.notify.is_empty() {
            return told;
        }
        let handlers = self.play.handlers();
        for node in &self.task.notify {
            let names = match self.shared.templar.render(node, scope) {
                Ok(value) if value.as_str().is_none() && value.try_iter().is_ok() => value
                    .try_iter()
                    .map(|items| items.map(|item| item.to_string()).collect())
                    .unwrap_or_default(),
                Ok(value) => vec![value.to_string()],
                Err(error) => {
                    problems.push(explain(&error));
                    continue;
                }
            };
            for name in names {
                let found = handlers.find(&name);
                if found.is_empty() {
                    problems.push(format!(
                        "{NO_HANDLER} '{name}' was not found in either the main handlers list nor in the listening handlers list"
                    ));
                }
                for index in found {
                    host.cursor.notify(index);
                }
                told.push(name);
            }
        }
        told
    }

    fn report(&self, host: &HostRun, scope: &Scope, outcome: &Outcome, begun: Instant) -> TaskReport {
        let keywords = &self.task.keywords;
        let censored = self.flag(keywords.no_log.as_ref(), scope, false).unwrap_or(true);
        let bad = !outcome.status.is_good();
        let ignored = match outcome.status {
            Status::Failed | Status::TimedOut => self
                .flag(keywords.ignore_errors.as_ref(), scope, false)
                .unwrap_or(false),
            Status::Unreachable => self
                .flag(keywords.ignore_unreachable.as_ref(), scope, false)
                .unwrap_or(false),
            Status::Skipped | Status::Ok | Status::Changed | Status::InDoubt => false,
        };
        let delegated_to = keywords.delegate_to.as_ref().and_then(|node| {
            let value = self.shared.templar.render(node, scope).ok()?;
            Some(value.to_string())
        });
        let module = match &self.task.action {
            Action::Module { spec, .. } => spec.name.to_owned(),
            _ => self.task.action_name.clone(),
        };
        let verbose = !bad && outcome.values.get("_ansible_verbose_always") == Some(&Json::Bool(true));
        let mut report = TaskReport {
            host: host.name.clone(),
            task: self.name.to_owned(),
            module,
            path: format!("{}:{}", self.task.at.file.path.display(), self.task.at.line),
            status: outcome.status,
            ignored,
            rescued: false,
            rc: None,
            stdout: String::new(),
            stderr: String::new(),
            stdout_b64: None,
            stderr_b64: None,
            msg: String::new(),
            seconds: begun.elapsed().as_secs_f64(),
            item: None,
            result: Json::Null,
            diff: Vec::new(),
            notified: Vec::new(),
            looped: false,
            warnings: Vec::new(),
            verbose,
            delegated_to,
        };
        outcome::fill(&mut report, outcome, censored);
        if !self
            .flag(keywords.diff.as_ref(), scope, self.shared.options.diff)
            .unwrap_or(false)
        {
            report.diff.clear();
        }
        self.hide_secrets(&mut report);
        report
    }

    fn hide_secrets(&self, report: &mut TaskReport) {
        let mask = &self.shared.mask;
        if mask.is_empty() {
            return;
        }
        for text in [
            &mut report.stdout,
            &mut report.stderr,
            &mut report.msg,
            &mut report.task,
        ] {
            *text = mask.text(text);
        }
        for raw in [&mut report.stdout_b64, &mut report.stderr_b64] {
            // Raw bytes that could hold a secret are not told at all.
            if raw.is_some() {
                *raw = None;
            }
        }
        mask.value(&mut report.result);
        if let Some(item) = &mut report.item {
            mask.value(item);
        }
        for diff in &mut report.diff {
            if let crate::event::Diff::Text { before, after, .. } = diff {
                *before = mask.text(before);
                *after = mask.text(after);
            }
        }
    }
}

/// How a notification of an unknown handler begins.
const NO_HANDLER: &str = "The requested handler";

/// A result as `register` stores it: private keys left out.
fn registered(outcome: &Outcome) -> Value {
    let map: Map<String, Json> = outcome
        .values
        .iter()
        .filter(|(key, _)| !key.starts_with('_'))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    from_json(&Json::Object(map))
}

/// Facts of the result and, for loops, of each pass.
fn collect_facts(action: &Action, outcome: &Outcome, learnt: &mut Learnt) {
    if matches!(action, Action::IncludeVars { .. }) {
        return;
    }
    let gathered = !matches!(action, Action::Module { spec, .. } if spec.name == "set_fact");
    let mut add = |values: &Map<String, Json>| {
        if let Some(Json::Object(facts)) = values.get("ansible_facts") {
            learnt.facts.push((gathered, facts.clone()));
        }
    };
    add(&outcome.values);
    for item in outcome
        .values
        .get("results")
        .and_then(Json::as_array)
        .into_iter()
        .flatten()
    {
        if let Json::Object(values) = item {
            add(values);
        }
    }
}

/// Stores what was learnt.
pub fn learn(shared: &Shared, host: &mut HostRun, learnt: &Learnt) {
    if learnt.registered.is_none() && learnt.facts.is_empty() && learnt.variables.is_empty() {
        return;
    }
    host.learn(shared, |vars| {
        for map in &learnt.variables {
            Arc::make_mut(&mut vars.own).extend(map.iter().map(|(k, v)| (k.clone(), v.clone())));
        }
        vars.learn(&learnt.facts);
        if let Some((name, value)) = &learnt.registered {
            vars.set(name, value.clone());
        }
    });
}

/// The variables of one pass of a loop.
fn loop_vars(repeat: &Loop, items: &[Value], index: usize) -> VarMap {
    let mut map = VarMap::new();
    let item = items.get(index).cloned().unwrap_or_default();
    map.insert(repeat.var.clone(), Var::Data(item));
    map.insert("ansible_loop_var".into(), Var::Data(repeat.var.as_str().into()));
    if let Some(name) = &repeat.index_var {
        map.insert(name.clone(), Var::Data(index.into()));
        map.insert("ansible_index_var".into(), Var::Data(name.as_str().into()));
    }
    if repeat.extended {
        let count = items.len();
        let mut extended: Vec<(&str, Value)> = vec![
            ("allitems", items.iter().cloned().collect()),
            ("index", (index + 1).into()),
            ("index0", index.into()),
            ("first", (index == 0).into()),
            ("last", (index + 1 == count).into()),
            ("length", count.into()),
            ("revindex", (count - index).into()),
            ("revindex0", (count - index - 1).into()),
        ];
        if let Some(previous) = index.checked_sub(1).and_then(|i| items.get(i)) {
            extended.push(("previtem", previous.clone()));
        }
        if let Some(next) = items.get(index + 1) {
            extended.push(("nextitem", next.clone()));
        }
        map.insert("ansible_loop".into(), Var::Data(extended.into_iter().collect()));
    }
    map
}

/// A mistake as the message of a result, with its place.
pub fn explain(error: &Diagnostic) -> String {
    let place = error.at.as_ref().map(|at| format!(" ({at})")).unwrap_or_default();
    let help = error.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
    format!("{}{help}{place}", error.message)
}
