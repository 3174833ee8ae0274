//! A task once, once per item, and until it is as wanted: `when`, loops, `until`, `changed_when`, `failed_when`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::enclose::is_open;
use crate::engine::held::is_held;
use crate::engine::host::HostRun;
use crate::engine::outcome::{self, Outcome};
use crate::engine::recall::{Decision, Recalled};
use crate::engine::task::{Learnt, Work, explain};
use crate::engine::tell::{collect_facts, learn};
use crate::engine::{perform, scope};
use crate::event::{EventKind, Status};
use crate::names::HostName;
use crate::plan::{Action, Loop, Until};
use crate::settings::InDoubt;
use crate::source::Diagnostic;
use crate::vars::templar::to_json;
use crate::vars::{Scope, Value, Var, VarMap};

impl Work<'_> {
    /// The task once, or once per item.
    pub(super) fn all_passes(&self, host: &mut HostRun, scope: &Scope) -> (Outcome, bool) {
        let Some(repeat) = &self.task.repeat else {
            let mut outcome = self.pass(host, scope);
            self.take_up(host, &mut outcome);
            return (outcome, false);
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
        let record = match std::mem::take(&mut host.recalled) {
            Recalled::Passes(record) => Some(record),
            Recalled::Nothing | Recalled::Ends(_) => None,
        };
        let mut outcomes = Vec::new();
        let mut scope = scope.clone();
        for (index, item) in items.iter().enumerate() {
            if index > 0
                && record.is_none()
                && let Err(stop) = self.pause(repeat, &scope)
            {
                outcomes.push(Outcome::failed(stop));
                break;
            }
            host.pass = index;
            let begun = Instant::now();
            let pass_scope = scope.with(Arc::new(loop_vars(repeat, &items, index)));
            let label = match &repeat.label {
                Some(label) => match self.shared.templar.render(label, &pass_scope) {
                    Ok(value) => to_json(&value),
                    Err(_) => to_json(item),
                },
                None => to_json(item),
            };
            host.doing.begin(Some(label.clone()), u32::try_from(index).ok());
            let number = u32::try_from(index).unwrap_or(u32::MAX);
            let past = record.as_ref().map(|record| {
                let pass = record.passes.get(&number);
                self.decide_pass(host, record, pass, &to_json(item), &repeat.var)
            });
            let restored = matches!(past, Some(Decision::Done(..)));
            let mut outcome = match past {
                Some(Decision::Done(outcome, lost)) => {
                    host.doing.lost = host.doing.lost.or(lost);
                    *outcome
                }
                Some(Decision::Not(outcome)) => *outcome,
                Some(Decision::Run) | None => {
                    let mut outcome = self.pass(host, &pass_scope);
                    self.take_up(host, &mut outcome);
                    outcome
                }
            };
            outcome.values.insert(repeat.var.clone(), to_json(item));
            outcome
                .values
                .insert("ansible_loop_var".into(), repeat.var.clone().into());
            if let Some(name) = &repeat.index_var {
                outcome.values.insert(name.clone(), index.into());
                outcome.values.insert("ansible_index_var".into(), name.clone().into());
            }
            let mut report = self.report(host, &pass_scope, &outcome, begun);
            report.item = Some(label);
            if !restored {
                (self.shared.tell)(EventKind::ItemResult(Box::new(report)));
            }
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
        // What was done stands in the results of the items.
        host.doing.begin(None, None);
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
    pub(super) fn items(&self, repeat: &Loop, scope: &Scope) -> Result<Vec<Value>, Diagnostic> {
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
            let mut outcome = self.attempt(host, scope);
            self.settle(host, &mut outcome);
            return outcome;
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
            if matches!(outcome.status, Status::Unreachable | Status::InDoubt | Status::Skipped) || is_held(&outcome) {
                return Ok(outcome);
            }
            let met = if until.conditions.is_empty() {
                outcome.status.is_good()
            } else {
                self.conditions(&until.conditions, &self.with_result(scope, &outcome))?
                    .is_none()
            };
            self.settle_as(host, &mut outcome, met);
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
    pub(super) fn attempt(&self, host: &mut HostRun, scope: &Scope) -> Outcome {
        let mut outcome = match &self.task.action {
            Action::Module { spec, args } => {
                let mut outcome = perform::perform(self, host, spec, args, scope);
                if outcome.status == Status::InDoubt && !is_held(&outcome) {
                    self.show_the_way(&mut outcome);
                }
                // The user said that tasks may run twice (`--in-doubt rerun`): once more, on a new connection.
                let again = outcome.status == Status::InDoubt
                    && self.shared.options.in_doubt == InDoubt::Rerun
                    && !is_held(&outcome)
                    && !self.shared.cancel.is_cancelled();
                if again {
                    perform::perform(self, host, spec, args, scope)
                } else {
                    outcome
                }
            }
            Action::IncludeVars { args } => crate::engine::include::variables(self, args, scope),
            Action::Engine { name, args } => self.engine_action(name, args, scope),
            Action::Missing { name, .. } => {
                Outcome::failed(format!("the module `{name}` is not built into this program"))
            }
            Action::IncludeTasks { .. } | Action::IncludeRole { .. } | Action::Meta(_) => {
                Outcome::failed("not a module")
            }
        };
        if matches!(outcome.status, Status::Skipped | Status::Unreachable | Status::InDoubt) || is_held(&outcome) {
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

    /// Says how to go on from a command whose end was not seen.
    fn show_the_way(&self, outcome: &mut Outcome) {
        let keywords = &self.task.keywords;
        let way = if keywords.once.is_some() || keywords.verify.is_some() {
            "`batchssh retry` finds out what became of it"
        } else {
            "look at the host, then `batchssh retry` with `--in-doubt rerun` (it may run twice) or `--in-doubt skip`"
        };
        let msg = format!("{}; {way}", outcome.msg());
        outcome.values.insert("msg".into(), msg.into());
    }

    /// Writes down on the host what the task came to, where the host could not know.
    fn settle(&self, host: &mut HostRun, outcome: &mut Outcome) {
        let done = outcome.status.is_good();
        self.settle_as(host, outcome, done);
    }

    fn settle_as(&self, host: &mut HostRun, outcome: &mut Outcome, done: bool) {
        let Some(pending) = host.pending.take() else { return };
        if is_open(outcome) {
            return;
        }
        if let Some(warning) = pending.settle(self.shared, host, outcome, done) {
            outcome.warn(warning);
        }
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
}

/// The variables of one pass of a loop.
pub(super) fn loop_vars(repeat: &Loop, items: &[Value], index: usize) -> VarMap {
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
