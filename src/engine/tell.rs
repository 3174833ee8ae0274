//! The end of a task on a host: what is registered and learnt, who is notified, what is told.

use std::sync::Arc;
use std::time::Instant;

use serde_json::{Map, Value as Json};

use crate::engine::host::HostRun;
use crate::engine::outcome::{self, Outcome};
use crate::engine::shared::Shared;
use crate::engine::task::{Learnt, Next, Work, explain};
use crate::event::{EventKind, Status, TaskReport};
use crate::names::HostName;
use crate::plan::Action;
use crate::settings::InDoubt;
use crate::vars::templar::from_json;
use crate::vars::{Scope, Value};

/// How a notification of an unknown handler begins.
const NO_HANDLER: &str = "The requested handler";

impl Work<'_> {
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
        self.play.note(&report, true);
        // Ansible counts an include that cannot be as a failure, also where a rescue follows.
        report.rescued = false;
        (self.shared.tell)(EventKind::TaskResult(Box::new(report)));
        next
    }

    /// The host is left out from this task on: whoever asked for that wanted no rescue either.
    pub(super) fn leave_out(&self, host: &mut HostRun, by: &str) -> Next {
        let outcome = Outcome::failed(format!("left out during the run, by {by}"));
        let mut report = self.report(host, &Scope::new(), &outcome, Instant::now());
        report.ignored = false;
        host.judge(&report);
        (self.shared.tell)(EventKind::TaskResult(Box::new(report)));
        Next::LeftOut
    }

    /// Registers, learns facts, notifies, tells the result, and says how the host goes on.
    pub(super) fn finish(
        &self,
        host: &mut HostRun,
        outcome: &Outcome,
        scope: &Scope,
        begun: Instant,
        looped: bool,
    ) -> (Next, Learnt) {
        let mut learnt = Learnt::default();
        if let Some(name) = &self.task.register {
            let value = match host.doing.lost {
                Some(lost) => self.lost(lost),
                None => registered(outcome),
            };
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
        } else if report.status == Status::InDoubt && self.shared.options.in_doubt == InDoubt::Skip {
            // The verdict stays: in doubt is never counted as done.
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
        self.play.note(&report, true);
        (self.shared.tell)(EventKind::TaskResult(Box::new(report)));
        (next, learnt)
    }

    /// `delegate_facts`: the host that gets this task's facts instead.
    pub(super) fn facts_go_to(&self, host: &HostRun, scope: &Scope) -> Option<HostName> {
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

    pub(super) fn report(&self, host: &HostRun, scope: &Scope, outcome: &Outcome, begun: Instant) -> TaskReport {
        let keywords = &self.task.keywords;
        let hidden = outcome.values.get("_ansible_no_log") == Some(&Json::Bool(true));
        let censored = hidden || self.flag(keywords.no_log.as_ref(), scope, false).unwrap_or(true);
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
            path: self.path(),
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
            refused: outcome.refused,
            did: Box::default(),
        };
        outcome::fill(&mut report, outcome, censored);
        *report.did = self.did(host, outcome, &report, censored);
        if !self
            .flag(keywords.diff.as_ref(), scope, self.shared.options.diff)
            .unwrap_or(false)
        {
            report.diff.clear();
        }
        report
    }
}

/// Facts of the result and, for loops, of each pass.
pub(super) fn collect_facts(action: &Action, outcome: &Outcome, learnt: &mut Learnt) {
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

/// A result as `register` stores it: private keys left out.
pub(super) fn registered(outcome: &Outcome) -> Value {
    let map: Map<String, Json> = outcome
        .values
        .iter()
        .filter(|(key, _)| !key.starts_with('_'))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    from_json(&Json::Object(map))
}
