//! From what a module returned to what is registered and told.

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use crate::deadline::Stop;
use crate::event::{Diff, Refusal, Status, TaskReport};
use crate::modules::{ModuleError, Values};
use crate::transport::SessionError;
use crate::vars::VarMap;

/// How a task (or one pass of its loop) ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The verdict.
    pub status: Status,
    /// Return keys, as `register` stores them.
    pub values: Values,
    /// What changed.
    pub diff: Vec<Diff>,
    /// Variables as the user wrote them (`include_vars`): they may hold templates.
    pub variables: Option<Arc<VarMap>>,
    /// It was not the host that failed: we refused.
    pub refused: Option<Refusal>,
}

/// Where in a task something went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing was changed yet.
    Looking,
    /// Steps were being taken.
    Acting,
}

impl Outcome {
    /// Ended well.
    pub fn done(mut values: Values, changed: bool, diff: Vec<Diff>) -> Self {
        values.entry("changed").or_insert(Json::Bool(changed));
        let changed = values.get("changed").and_then(Json::as_bool).unwrap_or(changed);
        values.insert("failed".into(), Json::Bool(false));
        Self {
            status: if changed { Status::Changed } else { Status::Ok },
            values,
            diff,
            variables: None,
            refused: None,
        }
    }

    /// Skipped, with the reason as Ansible words it.
    pub fn skipped(reason: &str, condition: Option<String>) -> Self {
        let mut values = Map::new();
        values.insert("changed".into(), false.into());
        values.insert("skipped".into(), true.into());
        values.insert("skip_reason".into(), reason.into());
        if let Some(condition) = condition {
            values.insert("false_condition".into(), condition.into());
        }
        Self {
            status: Status::Skipped,
            values,
            diff: Vec::new(),
            variables: None,
            refused: None,
        }
    }

    /// Failed before or outside of any module.
    pub fn failed(msg: impl Into<String>) -> Self {
        let mut values = Map::new();
        values.insert("changed".into(), false.into());
        values.insert("failed".into(), true.into());
        values.insert("msg".into(), msg.into().into());
        Self {
            status: Status::Failed,
            values,
            diff: Vec::new(),
            variables: None,
            refused: None,
        }
    }

    /// What an error means, depending on whether anything was changed already.
    pub fn of_error(error: ModuleError, phase: Phase) -> Self {
        let (status, mut values, msg) = match error {
            ModuleError::Connect(error) => (Status::Unreachable, Map::new(), error.message),
            ModuleError::Session(error) => (session_status(&error, phase), Map::new(), error.to_string()),
            ModuleError::Failed { msg, values } => (Status::Failed, *values, msg),
            ModuleError::CannotTellYet(why) => {
                let mut values = Map::new();
                values.insert("changed".into(), true.into());
                values.insert("msg".into(), format!("would change (cannot tell before {why})").into());
                return Self {
                    status: Status::Changed,
                    values,
                    diff: Vec::new(),
                    variables: None,
                    refused: None,
                };
            }
            ModuleError::Arguments(diagnostic) => {
                let place = diagnostic.at.map(|at| format!(" ({at})")).unwrap_or_default();
                let help = diagnostic.help.map(|help| format!("; {help}")).unwrap_or_default();
                (
                    Status::Failed,
                    Map::new(),
                    format!("{}{help}{place}", diagnostic.message),
                )
            }
        };
        values.entry("changed").or_insert(Json::Bool(false));
        if status == Status::Unreachable {
            values.insert("unreachable".into(), true.into());
        } else {
            values.insert("failed".into(), true.into());
        }
        if status == Status::InDoubt {
            values.insert("in_doubt".into(), true.into());
        }
        values.insert("msg".into(), msg.into());
        Self {
            status,
            values,
            diff: Vec::new(),
            variables: None,
            refused: None,
        }
    }

    /// Adds a warning.
    pub fn warn(&mut self, text: String) {
        let warnings = self.values.entry("warnings").or_insert_with(|| json!([]));
        if let Json::Array(warnings) = warnings {
            warnings.push(text.into());
        }
    }

    /// The message of the result.
    pub fn msg(&self) -> String {
        match self.values.get("msg") {
            Some(Json::String(text)) => text.clone(),
            Some(Json::Null) | None => String::new(),
            Some(other) => other.to_string(),
        }
    }

    /// True when the result says `changed`.
    pub fn changed(&self) -> bool {
        self.values.get("changed").and_then(Json::as_bool).unwrap_or(false)
    }
}

fn session_status(error: &SessionError, phase: Phase) -> Status {
    match error {
        SessionError::Stopped {
            stop: Stop::TimedOut { .. },
            ..
        } => Status::TimedOut,
        SessionError::Stopped {
            stop: Stop::Cancelled, ..
        }
        | SessionError::InDoubt { .. }
            if phase == Phase::Acting =>
        {
            Status::InDoubt
        }
        // A look that was cut off changed nothing.
        SessionError::InDoubt { .. } | SessionError::Lost { .. } => Status::Unreachable,
        SessionError::Stopped {
            stop: Stop::Cancelled, ..
        }
        | SessionError::Refused { .. }
        | SessionError::File { .. }
        | SessionError::Local(_) => Status::Failed,
    }
}

/// The outcomes of a loop as one.
pub fn of_loop(items: Vec<Outcome>) -> Outcome {
    if items.is_empty() {
        let mut none = Outcome::skipped("No items in the list", None);
        none.values.remove("skip_reason");
        none.values
            .insert("skipped_reason".into(), "No items in the list".into());
        none.values.insert("results".into(), json!([]));
        return none;
    }
    let any = |status: Status| items.iter().any(|item| item.status == status);
    let bad = items
        .iter()
        .map(|item| item.status)
        .filter(|status| !status.is_good())
        .max();
    let changed = items.iter().any(Outcome::changed);
    let skipped = items.iter().all(|item| item.status == Status::Skipped);
    let status = match bad {
        Some(bad) => bad,
        None if skipped => Status::Skipped,
        None if any(Status::Changed) || changed => Status::Changed,
        None => Status::Ok,
    };
    let msg = match status {
        Status::Skipped => "All items skipped".to_owned(),
        Status::Ok | Status::Changed => "All items completed".to_owned(),
        Status::Unreachable | Status::InDoubt => items
            .iter()
            .find(|item| item.status == status)
            .map(Outcome::msg)
            .unwrap_or_default(),
        Status::Failed | Status::TimedOut => "One or more items failed".to_owned(),
    };
    let refused = items.iter().find_map(|item| item.refused);
    let mut values = Map::new();
    values.insert("changed".into(), changed.into());
    match status {
        Status::Skipped => values.insert("skipped".into(), true.into()),
        Status::Unreachable => values.insert("unreachable".into(), true.into()),
        _ => values.insert("failed".into(), bad.is_some().into()),
    };
    values.insert("msg".into(), msg.into());
    let warnings: Vec<Json> = items
        .iter()
        .filter_map(|item| item.values.get("warnings")?.as_array().cloned())
        .flatten()
        .collect();
    if !warnings.is_empty() {
        values.insert("warnings".into(), warnings.into());
    }
    let mut diff = Vec::new();
    let mut results = Vec::new();
    let mut variables: Option<VarMap> = None;
    for item in items {
        if let Some(map) = item.variables {
            variables
                .get_or_insert_default()
                .extend(map.iter().map(|(k, v)| (k.clone(), v.clone())));
        }
        diff.extend(item.diff);
        results.push(Json::Object(item.values));
    }
    values.insert("results".into(), results.into());
    Outcome {
        status,
        values,
        diff,
        variables: variables.map(Arc::new),
        refused,
    }
}

/// Keys that stand in the report itself, or are private.
const OWN_KEYS: [&str; 6] = ["stdout", "stderr", "stdout_lines", "stderr_lines", "rc", "failed"];

/// Which of the keys that stand in the report itself the registered value has.
pub fn own_keys(outcome: &Outcome) -> Vec<String> {
    let own = OWN_KEYS.iter().chain(&["warnings"]);
    own.filter(|key| outcome.values.contains_key(**key))
        .map(|key| (*key).to_owned())
        .collect()
}

/// How many items of a loop failed, and why the first of them did; `None` for a task without a loop. What is registered
/// keeps Ansible's words.
fn first_bad(outcome: &Outcome) -> Option<String> {
    let items = outcome.values.get("results")?.as_array()?;
    let mut bad = items
        .iter()
        .filter(|item| item.get("failed").and_then(Json::as_bool) == Some(true));
    let first = bad.next()?;
    let text = |key: &str| first.get(key).and_then(Json::as_str).unwrap_or_default().trim();
    let last = |key: &'static str| text(key).lines().next_back().filter(|line| !line.is_empty());
    let why = match (text("msg"), first.get("rc").and_then(Json::as_i64)) {
        ("" | "non-zero return code", Some(rc)) => match last("stderr").or_else(|| last("stdout")) {
            Some(said) => format!("rc={rc}: {said}"),
            None => format!("rc={rc}, nothing was said"),
        },
        (msg, _) => msg.to_owned(),
    };
    Some(format!("{} of {} items failed: {why}", bad.count() + 1, items.len()))
}

/// Puts an outcome into a report.
pub fn fill(report: &mut TaskReport, outcome: &Outcome, censored: bool) {
    report.status = outcome.status;
    if censored {
        report.result = json!({
            "censored": "the output has been hidden due to the fact that 'no_log: true' was specified for this result",
            "changed": outcome.changed(),
        });
        if !outcome.status.is_good() {
            "the output has been hidden due to the fact that 'no_log: true' was specified for this result"
                .clone_into(&mut report.msg);
        }
        if !outcome.diff.is_empty() {
            report.diff = vec![Diff::Hidden("'no_log: true' was specified".to_owned())];
        }
        return;
    }
    let text = |key: &str| {
        outcome
            .values
            .get(key)
            .and_then(Json::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let optional = |key: &str| outcome.values.get(key).and_then(Json::as_str).map(str::to_owned);
    report.rc = outcome.values.get("rc").and_then(Json::as_i64);
    report.stdout = text("stdout");
    report.stderr = text("stderr");
    report.stdout_b64 = optional("_stdout_b64");
    report.stderr_b64 = optional("_stderr_b64");
    report.msg = outcome.msg();
    report.diff.clone_from(&outcome.diff);
    if let Some(Json::Array(warnings)) = outcome.values.get("warnings") {
        report.warnings = warnings.iter().filter_map(Json::as_str).map(str::to_owned).collect();
    }
    let rest: Values = outcome
        .values
        .iter()
        .filter(|(key, _)| !OWN_KEYS.contains(&key.as_str()) && !key.starts_with('_') && *key != "warnings")
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    report.result = Json::Object(rest);
    if matches!(outcome.status, Status::Failed | Status::TimedOut)
        && let Some(why) = first_bad(outcome)
    {
        report.msg = why;
    }
    if report.msg.is_empty() && !outcome.status.is_good() {
        report.msg = match report.rc {
            Some(rc) => format!("non-zero return code {rc}"),
            None => "failed without a message".to_owned(),
        };
    }
}
