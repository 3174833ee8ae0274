//! Runs that are over, from their journals: what each task came to on each host, with everything it did there.
//!
//! [`Past`] puts together what the journal tells in pieces (the passes of a loop, a task whose end nobody saw). Everything
//! that shows a run afterwards is a fold of what it gives: [`overview`], [`compare`], and the writers of reports.

pub mod compare;
pub mod overview;

use std::collections::HashMap;
use std::sync::Arc;

use super::{text, words};
use crate::event::preflight::PreflightAnswer;
use crate::event::{Event, EventKind, Status, TaskReport};
use crate::names::HostName;

/// Most bytes of output that are kept of the passes of one loop.
const MOST_SAID: usize = 1024 * 1024;

/// Which results are looked at.
pub struct Wanted<'a> {
    /// Of these hosts.
    pub host: Box<dyn Fn(&HostName) -> bool + 'a>,
    /// Of these tasks.
    pub task: Box<dyn Fn(&TaskReport) -> bool + 'a>,
}

impl Wanted<'_> {
    /// Every result there is.
    pub fn all() -> Self {
        Self {
            host: Box::new(|_| true),
            task: Box::new(|_| true),
        }
    }

    /// No result: only what is told about hosts and the run.
    pub fn no_task() -> Self {
        Self {
            host: Box::new(|_| true),
            task: Box::new(|_| false),
        }
    }

    /// Whether this one is wanted.
    pub fn takes(&self, report: &TaskReport) -> bool {
        (self.host)(&report.host) && (self.task)(report)
    }
}

/// What one task came to on one host.
#[derive(Clone, Debug)]
pub struct Done {
    /// When that was known, RFC 3339 in UTC.
    pub time: String,
    /// Number of the play, from 1; 0: none.
    pub number: u32,
    /// The play's name, or its pattern.
    pub play: Arc<str>,
    /// The result. Of a loop it has the commands and files of all passes; of a task whose end nobody saw it says so.
    pub report: Box<TaskReport>,
    /// What was printed in the passes of a loop, each line behind its item.
    pub(crate) items: String,
}

impl Done {
    /// What it printed: output, then errors; of a loop that of all passes.
    pub fn said(&self) -> String {
        let mut said = self.items.clone();
        for part in [&self.report.stdout, &self.report.stderr] {
            if !said.is_empty() && !said.ends_with('\n') && !part.is_empty() {
                said.push('\n');
            }
            said.push_str(part);
        }
        said
    }

    /// Why it is not good, in one safe line; empty when it is.
    pub fn reason(&self) -> String {
        if self.report.status.is_good() {
            String::new()
        } else {
            words::reason(&self.report)
        }
    }

    /// The verdict as people read it, with what became of a failure.
    pub fn verdict(&self) -> String {
        let word = words::word(self.report.status);
        match (self.report.ignored, self.report.rescued) {
            (true, _) => format!("{word}, ignored"),
            (false, true) => format!("{word}, rescued"),
            (false, false) => word.to_owned(),
        }
    }
}

/// A task that was begun and not seen to end.
struct Begun {
    time: String,
    number: u32,
    task: String,
    path: String,
    commands: Vec<String>,
    repeatable: bool,
}

/// What is known about the task that a host is at.
#[derive(Default)]
struct Now {
    begun: Option<Begun>,
    items: String,
    passes: Vec<crate::event::Did>,
}

/// Puts results together. Fed with the events of one run, in order. It holds what the tasks in progress need, no more.
#[derive(Default)]
pub struct Past {
    plays: HashMap<u32, Arc<str>>,
    play: u32,
    /// The play that asks its pre-flight checks: that is before it begins.
    asking: Arc<str>,
    now: HashMap<HostName, Now>,
}

impl Past {
    /// Takes an event in, and gives the result it completes.
    pub fn observe(&mut self, event: &Event) -> Option<Done> {
        match &event.kind {
            EventKind::PlayStarted { play, number, .. } => {
                self.play = *number;
                self.plays.insert(*number, Arc::from(play.as_str()));
                None
            }
            EventKind::TaskActing {
                host,
                play,
                task,
                path,
                repeatable,
                command,
                ..
            } => {
                let now = self.now.entry(host.clone()).or_default();
                let command = Some(command.clone()).filter(|command| !command.is_empty());
                now.begun = Some(Begun {
                    time: event.time.clone(),
                    number: *play,
                    task: task.clone(),
                    path: path.clone(),
                    commands: command.into_iter().collect(),
                    repeatable: *repeatable,
                });
                None
            }
            // A try that did not meet `until`: its end was seen.
            EventKind::TaskRetrying { host, .. } => {
                if let Some(now) = self.now.get_mut(host) {
                    now.begun = None;
                }
                None
            }
            EventKind::ItemResult(report) => {
                let now = self.now.entry(report.host.clone()).or_default();
                now.begun = None;
                if now.items.len() < MOST_SAID {
                    let label = words::item(report).unwrap_or_default();
                    for line in report.stdout.lines().chain(report.stderr.lines()) {
                        put!(now.items, "({label}) {line}\n");
                    }
                }
                now.passes.push((*report.did).clone());
                None
            }
            EventKind::TaskResult(report) => Some(self.result(event, report)),
            EventKind::PreflightAnswer(answer) => {
                let mut done = self.done(event.time.clone(), 0, answered("pre-flight", answer), String::new());
                done.play = Arc::clone(&self.asking);
                Some(done)
            }
            EventKind::CanaryAnswer(answer) => {
                let report = answered("canary", answer);
                Some(self.done(event.time.clone(), self.play, report, String::new()))
            }
            EventKind::PreflightStarted { play, .. } => {
                self.asking = Arc::from(play.as_str());
                None
            }
            EventKind::RunStarted { .. }
            | EventKind::PlaybookRead { .. }
            | EventKind::PolicyChecked { .. }
            | EventKind::PreflightVerdict(_)
            | EventKind::WaveStarted { .. }
            | EventKind::DuplicatesFound(_)
            | EventKind::CanaryVerdict(_)
            | EventKind::CanaryDecided { .. }
            | EventKind::PlaySkipped { .. }
            | EventKind::TaskStarted { .. }
            | EventKind::HostStarted { .. }
            | EventKind::HostConnected { .. }
            | EventKind::TaskRestored { .. }
            | EventKind::Included { .. }
            | EventKind::HostDone { .. }
            | EventKind::Message { .. }
            | EventKind::Controlled { .. }
            | EventKind::RunCancelled { .. }
            | EventKind::RunFinished { .. } => None,
        }
    }

    /// The name of the play that is going on.
    fn playing(&self) -> Arc<str> {
        self.plays.get(&self.play).cloned().unwrap_or_default()
    }

    fn result(&mut self, event: &Event, report: &TaskReport) -> Done {
        let mut report = report.clone();
        let now = self.now.remove(&report.host).unwrap_or_default();
        let number = if report.did.play == 0 {
            self.play
        } else {
            report.did.play
        };
        if report.looped {
            for pass in now.passes {
                pass.commands
                    .into_iter()
                    .for_each(|command| report.did.command(command));
                pass.files.into_iter().for_each(|file| report.did.file(file));
                report.did.more_commands = report.did.more_commands.saturating_add(pass.more_commands);
                report.did.more_files = report.did.more_files.saturating_add(pass.more_files);
                report.did.became = report.did.became.take().or(pass.became);
            }
        }
        let items = if report.looped { now.items } else { String::new() };
        self.done(event.time.clone(), number, report, items)
    }

    fn done(&self, time: String, number: u32, report: TaskReport, items: String) -> Done {
        Done {
            time,
            number,
            play: self.plays.get(&number).cloned().unwrap_or_default(),
            report: Box::new(report),
            items,
        }
    }

    /// The tasks that were begun and whose end is not in the journal of a run that does not go on any more.
    pub fn unfinished(&mut self) -> Vec<Done> {
        let mut open: Vec<(HostName, Begun)> = std::mem::take(&mut self.now)
            .into_iter()
            .filter_map(|(host, now)| Some((host, now.begun?)))
            .collect();
        open.sort_by(|(a, begun_a), (b, begun_b)| (&begun_a.time, a).cmp(&(&begun_b.time, b)));
        open.into_iter()
            .map(|(host, begun)| {
                let (status, msg) = if begun.repeatable {
                    (
                        Status::Failed,
                        "the run was killed while this was done; doing it again does no harm",
                    )
                } else {
                    (
                        Status::InDoubt,
                        "the run was killed while this was done; nobody saw its end",
                    )
                };
                let mut report = TaskReport::bare(&host, begun.task, status, msg);
                report.path = begun.path;
                report.did.play = begun.number;
                report.did.commands = begun.commands;
                self.done(begun.time, begun.number, report, String::new())
            })
            .collect()
    }
}

/// An answer to a check as a result; `when` it was asked: `pre-flight`, `canary`.
pub(crate) fn answered(when: &str, answer: &PreflightAnswer) -> TaskReport {
    let task = format!("{when}: {}", answer.check);
    let mut report = TaskReport {
        rc: answer.rc.map(i64::from),
        stdout: answer.answer.clone(),
        seconds: answer.seconds,
        ..TaskReport::bare(&answer.host, task, answer.status, answer.msg.clone())
    };
    if !answer.command.is_empty() && answer.status != Status::Skipped {
        report.did.command(answer.command.clone());
    }
    report
}

/// The name of a task in one safe line: its own, else its module's.
pub(crate) fn task_name(report: &TaskReport) -> String {
    text::one_line(if report.task.is_empty() {
        &report.module
    } else {
        &report.task
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Did, SentFile};
    use crate::report::testing::{command, item, play, report, result};

    fn past(events: Vec<EventKind>) -> (Vec<Done>, Vec<Done>) {
        let mut past = Past::default();
        let mut done = Vec::new();
        for (seq, kind) in (1..).zip(events) {
            let time = format!("2026-11-21T04:51:{seq:02}.000Z");
            done.extend(past.observe(&Event { kind, seq, time }));
        }
        (done, past.unfinished())
    }

    fn acting(host: &str, repeatable: bool) -> EventKind {
        EventKind::TaskActing {
            host: host.into(),
            play: 1,
            task: "format".to_owned(),
            path: "site.yml:7".to_owned(),
            id: String::new(),
            nth: 0,
            item: None,
            index: None,
            became: None,
            marker: None,
            repeatable,
            command: "mkfs.xfs /dev/sdb".to_owned(),
        }
    }

    #[test]
    fn a_loop_is_one_result_with_the_commands_files_and_words_of_its_passes() {
        let pass = |label: &str| {
            let mut one = command("a", Status::Changed, 0, &format!("said {label}"), "");
            one.did.command(format!("echo {label}"));
            one.did.file(SentFile {
                path: format!("/{label}"),
                sha256: "00".to_owned(),
                size: 1,
            });
            item(label, one)
        };
        let mut whole = report("a", "t", Status::Changed);
        whole.looped = true;
        whole.did.play = 1;
        let (done, open) = past(vec![play("all", &["a"]), pass("p"), pass("q"), result(whole)]);
        assert_eq!((done.len(), open.len()), (1, 0));
        assert_eq!(done[0].report.did.commands, ["echo p", "echo q"]);
        assert_eq!(done[0].report.did.files.len(), 2);
        assert_eq!(done[0].said(), "(p) said p\n(q) said q\n");
        assert_eq!(&*done[0].play, "all");
    }

    #[test]
    fn a_task_without_a_result_is_in_doubt_unless_doing_it_again_does_no_harm() {
        let (done, open) = past(vec![
            play("all", &["a", "b", "c"]),
            acting("a", false),
            acting("b", true),
            acting("c", false),
            result(command("c", Status::Failed, 1, "", "")),
        ]);
        assert_eq!(done.len(), 1);
        let told: Vec<(&str, Status)> = open
            .iter()
            .map(|one| (one.report.host.as_str(), one.report.status))
            .collect();
        assert_eq!(told, [("a", Status::InDoubt), ("b", Status::Failed)]);
        assert_eq!(open[0].report.did.commands, ["mkfs.xfs /dev/sdb"]);
    }

    #[test]
    fn a_result_that_is_no_loop_keeps_nothing_of_a_loop_that_was_cut() {
        let (done, _) = past(vec![
            play("all", &["a"]),
            item("p", command("a", Status::Ok, 0, "from a loop", "")),
            result(TaskReport {
                did: Box::new(Did::default()),
                ..command("a", Status::Ok, 0, "x", "")
            }),
        ]);
        assert_eq!(done[0].said(), "x");
    }
}
