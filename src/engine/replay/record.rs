//! One task on one host, as the journals tell it.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use crate::engine::outcome::Outcome;
use crate::engine::replay::Found;
use crate::event::{Status, TaskReport};

/// Which task: the play, the digest of the task as written, and how often the host had come to it before.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Number of the play.
    pub play: u32,
    /// Digest of the task as written.
    pub id: String,
    /// How often the host had come to it.
    pub nth: u32,
}

/// One pass of a loop, or the only one.
#[derive(Clone, Debug, Default)]
pub struct Pass {
    /// Steps that must not be repeated were begun, and no result followed.
    pub begun: bool,
    /// Steps of any kind were begun, and no result followed.
    pub open: bool,
    /// What it came to.
    pub result: Option<TaskReport>,
    /// What was found out about it.
    pub found: Option<Found>,
    /// What its steps were, as long as nobody saw them end.
    pub acting: Option<Box<Acting>>,
    /// It was in doubt when the run at hand began.
    pub doubted: bool,
    /// The run at hand began steps of it.
    pub touched: bool,
}

/// What was told when steps were about to be taken.
#[derive(Clone, Debug, Default)]
pub struct Acting {
    /// Label of the loop item.
    pub item: Option<Json>,
    /// The commands, for people.
    pub command: String,
    /// As whom, where it was not the login user.
    pub became: Option<String>,
    /// Name of the marker.
    pub marker: Option<String>,
}

impl Pass {
    /// The marker on the host, where it has one.
    pub fn marker(&self) -> Option<&str> {
        let told = self.result.as_ref().and_then(|report| report.result.get("once"));
        let told = told.and_then(|once| once.get("name")).and_then(Json::as_str);
        told.or_else(|| self.acting.as_ref()?.marker.as_deref())
    }

    /// A run begins: what was left in doubt before it stays so until something is known.
    pub(super) fn run_begins(&mut self) {
        self.doubted = self.is_in_doubt();
        self.touched = false;
    }

    /// A result has come. One that says nothing about a task in doubt, because it was refused or not even reached, leaves it
    /// in doubt.
    pub(super) fn ends(&mut self, report: TaskReport) {
        let says_nothing = report.refused.is_some() || !self.touched;
        if self.doubted && says_nothing && !is_final(&report) && report.status != Status::InDoubt {
            self.begun = true;
            return;
        }
        let acting = self.acting.take().filter(|_| report.status == Status::InDoubt);
        *self = Self {
            result: Some(report),
            acting,
            ..Self::default()
        };
    }

    /// It came to a result with which the host went on.
    pub fn is_final(&self) -> bool {
        self.result.as_ref().is_some_and(is_final)
    }

    /// Steps were begun and nobody saw them end: when there is nothing left to do, it is they that did it.
    pub fn may_have_changed(&self) -> bool {
        let cut =
            |report: &TaskReport| matches!(report.status, Status::InDoubt | Status::TimedOut | Status::Unreachable);
        let acted = |report: &TaskReport| !report.did.commands.is_empty() || report.did.repeatable;
        self.open || self.result.as_ref().is_some_and(|report| cut(report) && acted(report))
    }

    /// Nobody knows whether it was done.
    pub fn is_in_doubt(&self) -> bool {
        let doubtful = |report: &TaskReport| report.status == Status::InDoubt && !report.did.repeatable;
        self.begun || self.result.as_ref().is_some_and(doubtful)
    }
}

/// A result with which a host went on.
pub(super) fn is_final(report: &TaskReport) -> bool {
    report.status.is_good() || report.ignored || report.rescued
}

/// One task on one host.
#[derive(Clone, Debug)]
pub struct Record {
    /// Which task.
    pub key: Key,
    /// As it was shown.
    pub task: String,
    /// `file:line` it was written at.
    pub path: String,
    /// The run that began it.
    pub run: String,
    /// The task as a whole.
    pub whole: Pass,
    /// The passes of its loop.
    pub passes: BTreeMap<u32, Pass>,
    /// Steps that must not be repeated were taken.
    pub acted: bool,
    /// Steps of any kind were taken: the host was held.
    pub began: bool,
}

impl Record {
    /// The host went on behind it.
    pub fn is_final(&self) -> bool {
        self.whole.is_final()
    }

    /// It was done, or maybe done.
    pub fn matters(&self) -> bool {
        self.is_final()
            || self.whole.is_in_doubt()
            || self.passes.values().any(|pass| pass.is_final() || pass.is_in_doubt())
    }

    /// Doing it again does no harm: it changed nothing, and took no step that must not be repeated.
    pub fn only_looked(&self) -> bool {
        let good = |report: &TaskReport| matches!(report.status, Status::Ok | Status::Skipped);
        !self.acted && self.whole.result.as_ref().is_some_and(good)
    }
}

/// The result of a report, as the task gave it. What was lost on the way is left out.
pub fn outcome(report: &TaskReport) -> Outcome {
    let mut values = Map::new();
    let has = |key: &str| report.did.keys.iter().any(|have| have == key);
    if has("rc") {
        values.insert("rc".into(), report.rc.into());
    }
    for (key, text) in [("stdout", &report.stdout), ("stderr", &report.stderr)] {
        let lines = format!("{key}_lines");
        if has(key) {
            values.insert(key.into(), text.as_str().into());
        }
        if has(&lines) {
            values.insert(lines, text.lines().map(Json::from).collect());
        }
    }
    if has("failed") {
        values.insert("failed".into(), (!report.status.is_good()).into());
    }
    if has("warnings") {
        values.insert("warnings".into(), report.warnings.clone().into());
    }
    if let Json::Object(rest) = &report.result {
        values.extend(rest.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
    values
        .entry("changed")
        .or_insert_with(|| (report.status == Status::Changed).into());
    Outcome {
        status: report.status,
        values,
        diff: Vec::new(),
        variables: None,
        refused: report.refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Refusal;

    fn report(status: Status, refused: Option<Refusal>) -> TaskReport {
        TaskReport {
            refused,
            ..TaskReport::bare(&"h".into(), "t", status, "")
        }
    }

    #[test]
    fn a_doubt_ends_with_what_is_known_and_not_with_a_run_that_found_out_nothing() {
        let doubt = || {
            let mut pass = Pass {
                begun: true,
                ..Pass::default()
            };
            pass.run_begins();
            pass
        };
        for (status, refused) in [
            (Status::Unreachable, None),
            (Status::Failed, Some(Refusal::Guard)),
            (Status::Failed, Some(Refusal::Locked)),
        ] {
            let mut pass = doubt();
            pass.ends(report(status, refused));
            assert!(pass.is_in_doubt() && !pass.is_final(), "{status:?} {refused:?}");
        }
        let mut refused_again = doubt();
        refused_again.touched = true;
        refused_again.ends(report(Status::Failed, Some(Refusal::Guard)));
        assert!(refused_again.is_in_doubt());
        let mut failed = doubt();
        failed.touched = true;
        failed.ends(report(Status::Failed, None));
        assert!(!failed.is_in_doubt(), "it ran, and failed");
        let mut done = doubt();
        done.ends(report(Status::Ok, None));
        assert!(!done.is_in_doubt() && done.is_final());
    }
}
