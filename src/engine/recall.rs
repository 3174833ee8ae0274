//! Going on from earlier runs: a task that was done is not done again, its effects are restored. One that was begun and
//! whose end nobody saw is in doubt until the host, a command, or the user says what became of it.

use std::sync::Arc;
use std::time::Instant;

use serde_json::Value as Json;

use crate::engine::held;
use crate::engine::host::HostRun;
use crate::engine::lease::Hold;
use crate::engine::link::Lookup;
use crate::engine::outcome::Outcome;
use crate::engine::replay::{Found, Key, Pass, Record, Says, outcome_of};
use crate::engine::scope;
use crate::engine::task::{Learnt, Next, Work};
use crate::engine::tell::{collect_facts, learn, registered};
use crate::event::{EventKind, Lost, Refusal, Status, TaskReport};
use crate::modules::ModuleError;
use crate::names::HostName;
use crate::plan::Action;
use crate::settings::InDoubt;
use crate::transport::SessionError;
use crate::vars::templar::{from_json, missing};
use crate::vars::{Scope, Value};

/// What earlier runs say about the task that a host has come to, when it is not simply done.
#[derive(Debug, Default)]
pub enum Recalled {
    /// Nothing that matters.
    #[default]
    Nothing,
    /// Some passes of its loop may be done.
    Passes(Arc<Record>),
    /// It is not to be run: this is what it comes to.
    Ends(Box<Outcome>),
}

/// What is to be done about a pass that an earlier run began.
pub enum Decision {
    /// It is to be run.
    Run,
    /// It was done.
    Done(Box<Outcome>, Option<Lost>),
    /// Nobody knows, or it must not be run.
    Not(Box<Outcome>),
}

impl Work<'_> {
    /// A host has come to the task. When it was done in an earlier run, its effects are restored and this is how the host
    /// goes on.
    pub(super) fn recall(&self, host: &mut HostRun) -> Option<Next> {
        host.recalled = Recalled::Nothing;
        host.doing.lost = None;
        host.taken_up = false;
        (host.decides, host.found) = (false, None);
        if matches!(self.task.action, Action::Meta(_)) {
            return None;
        }
        let nth = host.arrive(self.play.number, &self.id);
        (host.doing.did.nth, host.doing.did.again) = (nth, false);
        // What is included is looked up anew; only what it holds was done.
        if matches!(
            self.task.action,
            Action::IncludeTasks { .. } | Action::IncludeRole { .. }
        ) {
            return None;
        }
        let key = Key {
            play: self.play.number,
            id: self.id.clone(),
            nth,
        };
        let once = if self.once {
            self.shared.replay().and_then(|replay| replay.once(&key, &host.name))
        } else {
            None
        };
        if let Some(record) = once
            && let Some(report) = &record.whole.result
        {
            if let Some(track) = &mut host.track {
                track.pass_over(&key);
            }
            return self.done(host, &record, report);
        }
        let says = host.track.as_mut()?.says(&key);
        match says {
            Says::Done(record) => {
                let report = record.whole.result.as_ref()?;
                self.done(host, &record, report)
            }
            Says::Unfinished(record) if self.task.repeat.is_some() && !record.passes.is_empty() => {
                // Each pass decides; the first that is run makes this a task like any other.
                host.doing.did.again = true;
                host.recalled = Recalled::Passes(record);
                None
            }
            Says::Unfinished(record) => match self.decide(host, &record, Some(&record.whole)) {
                Decision::Run => None,
                Decision::Done(outcome, _) => {
                    if let Some(watch) = &self.play.watch {
                        let report = self.report(host, &Scope::new(), &outcome, Instant::now());
                        watch.came(&report);
                    }
                    Some(self.restore(host, &outcome, None))
                }
                Decision::Not(outcome) => {
                    host.doing.did.again = true;
                    host.recalled = Recalled::Ends(outcome);
                    None
                }
            },
            Says::New => {
                host.track = None;
                None
            }
            Says::Inserted => None,
            Says::Strange(next) => {
                host.doing.did.again = true;
                host.recalled = Recalled::Ends(Box::new(strange(&next)));
                None
            }
        }
    }

    /// What an earlier run began was all there was to do: it is a change all the same, and whoever waits for a change
    /// (`notify`, `when: x is changed`) must hear of it.
    pub(super) fn take_up(&self, host: &mut HostRun, outcome: &mut Outcome) {
        let taken_up = std::mem::take(&mut host.taken_up);
        let ours = outcome
            .values
            .get("once")
            .and_then(|once| once.get("root"))
            .is_none_or(|root| root.as_str() == Some(self.shared.options.root_run_id.as_str()));
        let nothing = outcome.status == Status::Ok && self.task.changed_when.is_none();
        if taken_up && nothing && ours {
            outcome.status = Status::Changed;
            outcome.values.insert("changed".into(), true.into());
        }
    }

    /// Tells that hosts have passed the task.
    pub(super) fn tell_restored(&self, hosts: Vec<HostName>) {
        if hosts.is_empty() {
            return;
        }
        (self.shared.tell)(EventKind::TaskRestored {
            play: self.play.number,
            task: self.name.to_owned(),
            path: self.path(),
            id: self.id.clone(),
            hosts,
        });
    }

    fn done(&self, host: &mut HostRun, record: &Record, report: &TaskReport) -> Option<Next> {
        let skipped = report.status == Status::Skipped;
        // Variables of files may hold templates: they are read again.
        let read_again = matches!(self.task.action, Action::IncludeVars { .. }) && !skipped;
        if read_again || (report.did.lost.is_some() && self.needs_value(report) && record.only_looked()) {
            host.doing.did.again = true;
            return None;
        }
        self.inherit(host, record, report);
        if !report.did.run_once || report.host == host.name {
            self.play.note(report, false);
        }
        let outcome = outcome_of(report);
        Some(self.restore(host, &outcome, Some(report)))
    }

    /// Notes that the host is to be given back, because the run that did the task could not.
    fn inherit(&self, host: &mut HostRun, record: &Record, report: &TaskReport) {
        let open = self.shared.replay().is_some_and(|replay| replay.is_open(&host.name));
        // Looking at variables is dear; one task for each user is enough.
        if !open || !record.began || self.task.keywords.delegate_to.is_some() {
            return;
        }
        let verified = self.task.keywords.verify.is_some();
        if !host.inherited.insert(report.did.became.clone()) && !verified {
            return;
        }
        let found = (|| {
            let scope = scope::build(self.shared, self.play, &host.name, &host.vars, Some(self.task)).ok()?;
            let folder = Some(self.play.play.playbook_dir.as_path());
            let lookup = Lookup::new(self.shared, &scope, &host.name, folder).ok()?;
            let settings = lookup.connect_settings(&host.name, &self.task.keywords).ok()?;
            let elevate = lookup.elevate(&self.task.keywords).ok()?;
            let store = self.shared.templar.variable("batchssh_store", &scope).ok()?;
            let store = store.filter(|value| !value.is_none()).map(|value| value.to_string());
            (!settings.local).then(|| Hold::new(&settings, elevate.as_ref(), store.as_deref()))
        })();
        if let Some(hold) = found {
            host.inherit(hold, verified);
        }
    }

    /// The result itself matters, not only that there was one.
    fn needs_value(&self, report: &TaskReport) -> bool {
        let gives_facts =
            matches!(self.task.action, Action::Module { spec, .. } if matches!(spec.name, "set_fact" | "setup"));
        self.task.register.is_some() || gives_facts || report.rescued
    }

    /// Restores what a result left behind.
    fn restore(&self, host: &mut HostRun, outcome: &Outcome, report: Option<&TaskReport>) -> Next {
        let mut learnt = Learnt::default();
        let lost = report.and_then(|report| report.did.lost);
        let value = match lost {
            Some(lost) => self.lost(lost),
            None => registered(outcome),
        };
        if let Some(name) = &self.task.register {
            learnt.registered = Some((name.clone(), value.clone()));
        }
        if lost.is_none() && (outcome.status.is_good() || outcome.values.contains_key("results")) {
            collect_facts(&self.task.action, outcome, &mut learnt);
        }
        if !learnt.facts.is_empty()
            && self.task.keywords.delegate_facts.is_some()
            && let Ok(scope) = scope::build(self.shared, self.play, &host.name, &host.vars, Some(self.task))
            && let Some(other) = self.facts_go_to(host, &scope)
        {
            self.shared.give(&other, &std::mem::take(&mut learnt.facts));
        }
        learn(self.shared, host, &learnt);
        let handlers = self.play.handlers();
        for name in report.iter().flat_map(|report| &report.notified) {
            for index in handlers.find(name) {
                host.cursor.notify(index);
            }
        }
        if let Some(role) = &self.task.role
            && outcome.status != Status::Skipped
        {
            host.cursor.role_ran(role);
        }
        let verdict = if outcome.status == Status::Changed {
            Status::Changed
        } else {
            Status::Ok
        };
        host.note(verdict, "", None);
        if !report.is_some_and(|report| report.rescued) {
            return Next::Advance;
        }
        let failed_task = serde_json::json!({ "name": self.name, "action": self.task.action_name });
        host.learn(self.shared, |vars| {
            vars.set("ansible_failed_task", from_json(&failed_task));
            vars.set("ansible_failed_result", value);
        });
        Next::Fail
    }

    /// What stands for a value that the journal does not have.
    pub(super) fn lost(&self, lost: Lost) -> Value {
        missing(&format!(
            "the result of `{}` was not kept in the journal of the earlier run: {}; run that task again with \
             `batchssh retry --from-start`",
            self.name,
            lost.because()
        ))
    }

    /// The same for a pass of a loop, whose item must be the one that it was.
    pub(super) fn decide_pass(
        &self,
        host: &mut HostRun,
        record: &Record,
        pass: Option<&Pass>,
        item: &Json,
        name: &str,
    ) -> Decision {
        let report = pass.and_then(|pass| pass.result.as_ref());
        let before = report
            .filter(|report| report.did.lost.is_none())
            .and_then(|report| report.result.get(name));
        if before.is_some_and(|before| before != item) {
            let mut outcome = Outcome::failed(format!(
                "the items of the loop are not those of run {}: nothing was done for this one; \
                 `batchssh retry --from-start` runs everything",
                record.run
            ));
            outcome.refused = Some(Refusal::Guard);
            return Decision::Not(Box::new(outcome));
        }
        self.decide(host, record, pass)
    }

    /// What is to be done about a pass of the task (`None`: it was never begun). When it is to be run, all that follows
    /// on this host is.
    pub(super) fn decide(&self, host: &mut HostRun, record: &Record, pass: Option<&Pass>) -> Decision {
        let run = |host: &mut HostRun| {
            host.track = None;
            host.doing.did.again = false;
            Decision::Run
        };
        (host.decides, host.found) = (false, None);
        let Some(pass) = pass else { return run(host) };
        host.taken_up = pass.may_have_changed();
        host.decides = pass.is_in_doubt();
        if let Some(report) = &pass.result
            && pass.is_final()
        {
            let looks = matches!(report.status, Status::Ok | Status::Skipped) && report.did.repeatable;
            if report.did.lost.is_some() && self.needs_value(report) && looks {
                return Decision::Run;
            }
            return Decision::Done(Box::new(outcome_of(report)), report.did.lost);
        }
        let keywords = &self.task.keywords;
        // The host has a record of what was done, or there is a command that finds out. What somebody said counts where
        // these do not decide.
        host.found = pass.found.filter(|_| pass.is_in_doubt());
        if !pass.is_in_doubt() || keywords.once.is_some() || keywords.verify.is_some() {
            return run(host);
        }
        match (pass.found, self.shared.options.in_doubt) {
            (Some(Found::Done), _) => {
                host.decided(Status::Changed);
                Decision::Done(Box::new(resolved()), None)
            }
            (Some(Found::NotDone), _) | (None, InDoubt::Rerun) => run(host),
            (None, InDoubt::Stop | InDoubt::Skip) => {
                Decision::Not(Box::new(in_doubt(record, &host.name, &self.shared.options.run_id)))
            }
        }
    }
}

/// Somebody said that it was done.
fn resolved() -> Outcome {
    let mut values = serde_json::Map::new();
    values.insert("msg".into(), "it was done: somebody looked and said so".into());
    Outcome::done(values, true, Vec::new())
}

/// It was begun, and nobody saw its end.
fn in_doubt(record: &Record, host: &HostName, own: &str) -> Outcome {
    let reason = format!(
        "nobody saw its end; look there, then say `{resolve} --done` or `--not-done`, and go on with `batchssh retry {own}`; or \
         go on at once with `--in-doubt rerun` (it may run twice) or `--in-doubt skip`; it was begun by run {run}",
        run = record.run,
        own = crate::shell::quote_str(own),
        resolve = held::resolve(own, host.as_str()),
    );
    Outcome::of_error(
        ModuleError::Session(SessionError::InDoubt { reason }),
        crate::engine::outcome::Phase::Acting,
    )
}

/// The host has come to a task that no earlier run knows, while tasks behind it were done.
fn strange(next: &Record) -> Outcome {
    let mut outcome = Outcome::failed(format!(
        "the playbook, or what it depends on, is not what run {run} was given: this task was not in it, and \
         `{task}` ({path}), which follows, was done already; nothing was done here now. \
         `batchssh retry --accept-changes` runs new tasks and goes on, `--from-start` runs everything",
        run = next.run,
        task = next.task,
        path = next.path
    ));
    outcome.refused = Some(Refusal::Guard);
    outcome
}
