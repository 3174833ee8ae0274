//! How far a run is right now, as a fold of its events: for the progress line, and for whoever asks from outside.

use std::time::Instant;

use indexmap::IndexMap;

use super::text;
use crate::event::{Control, EventKind, Status};
use crate::names::HostName;

/// What a run is at.
#[derive(Clone, Debug)]
pub struct Live {
    /// When it began.
    pub begun: Instant,
    /// Its name.
    pub run: String,
    /// What people call it.
    pub title: String,
    /// How many hosts it is for.
    pub hosts: usize,
    /// Hosts through with everything.
    pub done: usize,
    /// Of them, those that succeeded.
    pub succeeded: usize,
    /// Those that failed or took too long.
    pub failed: usize,
    /// Those that could not be reached.
    pub unreachable: usize,
    /// Those of which nobody knows.
    pub in_doubt: usize,
    /// An ad-hoc command: it has no tasks to speak of.
    pub adhoc: bool,
    /// The play.
    pub play: String,
    /// Hosts of its batch.
    pub play_hosts: usize,
    /// The task that was begun last.
    pub task: String,
    /// When that was.
    pub task_begun: Instant,
    /// Hosts that ended it.
    pub task_done: usize,
    /// Hosts at work, since when, on what.
    pub running: IndexMap<HostName, (Instant, String)>,
    /// It winds down.
    pub stopping: bool,
    /// No host begins a task.
    pub paused: bool,
    /// Its last event was told.
    pub finished: bool,
}

impl Live {
    /// Before the first event.
    pub fn new(now: Instant) -> Self {
        Self {
            begun: now,
            run: String::new(),
            title: String::new(),
            hosts: 0,
            done: 0,
            succeeded: 0,
            failed: 0,
            unreachable: 0,
            in_doubt: 0,
            adhoc: false,
            play: String::new(),
            play_hosts: 0,
            task: String::new(),
            task_begun: now,
            task_done: 0,
            running: IndexMap::new(),
            stopping: false,
            paused: false,
            finished: false,
        }
    }

    /// Takes one event into account.
    pub fn observe(&mut self, kind: &EventKind, now: Instant) {
        match kind {
            EventKind::RunStarted {
                run,
                title,
                hosts,
                adhoc,
                ..
            } => {
                (self.hosts, self.play_hosts, self.adhoc, self.begun) = (hosts.len(), hosts.len(), *adhoc, now);
                self.run.clone_from(run);
                self.title = text::one_line(title);
            }
            EventKind::PlayStarted { play, hosts, .. } => {
                self.play_hosts = hosts.len();
                self.play = text::one_line(play);
            }
            EventKind::PreflightStarted { hosts, .. } => {
                (self.play_hosts, self.task_begun, self.task_done) = (hosts.len(), now, 0);
                "pre-flight".clone_into(&mut self.task);
            }
            EventKind::PreflightAnswer(answer) | EventKind::CanaryAnswer(answer) => {
                // The answers of a host come together.
                self.task_done += usize::from(self.running.swap_remove(&answer.host).is_some());
            }
            EventKind::TaskStarted { task, .. } => {
                (self.task_begun, self.task_done) = (now, 0);
                self.task = text::one_line(task);
            }
            EventKind::HostStarted { host, task } => {
                self.running.insert(host.clone(), (now, text::one_line(task)));
            }
            EventKind::TaskResult(report) => {
                self.running.swap_remove(&report.host);
                self.task_done += 1;
            }
            // What is left is said by no result.
            EventKind::CanaryVerdict(verdict) => self.task = text::one_line(&verdict.msg),
            EventKind::HostDone { host, status, .. } => {
                self.running.swap_remove(host);
                self.done += 1;
                match status {
                    Status::Unreachable => self.unreachable += 1,
                    Status::InDoubt => self.in_doubt += 1,
                    Status::Failed | Status::TimedOut => self.failed += 1,
                    Status::Skipped | Status::Ok | Status::Changed => self.succeeded += 1,
                }
            }
            EventKind::Controlled { change, .. } => match change {
                Control::Paused => self.paused = true,
                Control::Resumed => self.paused = false,
                Control::Forks { .. } | Control::Draining | Control::Skipped { .. } => {}
            },
            EventKind::RunCancelled { .. } => self.stopping = true,
            EventKind::RunFinished { .. } => self.finished = true,
            _ => {}
        }
    }
}
