//! Keywords of tasks that hold conditions, numbers and booleans, rendered for a host.

use std::sync::Arc;
use std::time::Duration;

use crate::deadline::Deadline;
use crate::engine::link;
use crate::engine::outcome::Outcome;
use crate::engine::task::Work;
use crate::engine::tell::registered;
use crate::source::Diagnostic;
use crate::vars::templar::Templar;
use crate::vars::{Scope, Var, VarMap};
use crate::yaml::Node;

/// The first condition that does not hold; `None`: all hold.
pub(super) fn first_false(templar: &Templar, conditions: &[Node], scope: &Scope) -> Result<Option<String>, Diagnostic> {
    for condition in conditions {
        if !templar.condition(condition, scope)? {
            return Ok(Some(condition.scalar_text().unwrap_or_default()));
        }
    }
    Ok(None)
}

impl Work<'_> {
    /// The first condition that does not hold; `None`: all hold.
    pub fn conditions(&self, conditions: &[Node], scope: &Scope) -> Result<Option<String>, Diagnostic> {
        first_false(&self.shared.templar, conditions, scope)
    }

    /// The variables with the result so far under its `register` name.
    pub(super) fn with_result(&self, scope: &Scope, outcome: &Outcome) -> Scope {
        let Some(name) = &self.task.register else {
            return scope.clone();
        };
        let mut map = VarMap::new();
        map.insert(name.clone(), Var::Data(registered(outcome)));
        scope.with(Arc::new(map))
    }

    /// A numeric keyword.
    pub(super) fn number(&self, node: Option<&Node>, scope: &Scope, default: f64) -> Result<f64, Diagnostic> {
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
}
