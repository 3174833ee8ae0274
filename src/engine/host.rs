//! One host while a run goes on: its variables, its place in the play, its sessions, its verdict.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use crate::engine::acting::Doing;
use crate::engine::cursor::{Cursor, Position};
use crate::engine::lease::Hold;
use crate::engine::link::Links;
use crate::engine::pending::Pending;
use crate::engine::recall::Recalled;
use crate::engine::replay::{Found, Track};
use crate::engine::shared::{HostVars, Shared};
use crate::event::{EventKind, Status, TaskReport};
use crate::names::HostName;
use crate::plan::Task;
use crate::preflight::Evidence;

/// One host's state. One worker at a time owns it.
#[derive(Debug)]
pub struct HostRun {
    /// Its inventory name.
    pub name: HostName,
    /// What was learnt about it.
    pub vars: Arc<HostVars>,
    /// Its place in the current play.
    pub cursor: Cursor,
    /// Its sessions.
    pub links: Links,
    /// What the play's pre-flight checks approved; dangerous tasks are bound to it.
    pub evidence: Vec<Evidence>,
    /// Stores of records on the host that this run works with.
    pub holds: Vec<Hold>,
    /// A task whose end on the host is still to be written down.
    pub pending: Option<Pending>,
    /// Which pass of a loop it is at.
    pub pass: usize,
    /// The task it works on.
    pub doing: Doing,
    /// What earlier runs did here, as long as it goes on from that.
    pub track: Option<Track>,
    /// What they say about the task it has come to.
    pub recalled: Recalled,
    /// An earlier run began the task, and nobody saw its end.
    pub taken_up: bool,
    /// The pass at hand decides what became of a task that was in doubt.
    pub decides: bool,
    /// A doubt was decided: the journal is to hold what the evidence is now.
    pub settled: bool,
    /// What somebody said about the task, which an earlier run left in doubt.
    pub found: Option<Found>,
    /// As whom earlier runs held it, as far as noted.
    pub inherited: HashSet<Option<String>>,
    /// How often it has come to each task.
    times: HashMap<(u32, String), u32>,
    /// Its next task, as last looked up.
    pub next: Option<(Position, Arc<Task>)>,
    /// It failed, was unreachable or is in doubt: no further play.
    pub out: bool,
    /// `meta: end_host`: no more tasks in this play.
    pub ended: bool,
    /// The run stopped before its tasks were done: it has no verdict, and goes to the retry file.
    pub cut: bool,
    /// `--start-at-task` was not met yet.
    pub before_start: bool,
    verdict: Option<Verdict>,
    first: Option<Instant>,
    told: bool,
}

#[derive(Debug)]
struct Verdict {
    status: Status,
    msg: String,
    task: Option<String>,
}

impl HostRun {
    /// A host that has done nothing yet.
    pub fn new(name: &HostName) -> Self {
        Self {
            name: name.clone(),
            vars: Arc::default(),
            cursor: Cursor::new(Arc::default()),
            links: Links::default(),
            evidence: Vec::new(),
            holds: Vec::new(),
            pending: None,
            pass: 0,
            doing: Doing::default(),
            track: None,
            recalled: Recalled::default(),
            taken_up: false,
            decides: false,
            settled: false,
            found: None,
            inherited: HashSet::new(),
            times: HashMap::new(),
            next: None,
            out: false,
            ended: false,
            cut: false,
            before_start: true,
            verdict: None,
            first: None,
            told: false,
        }
    }

    /// A play begins.
    pub fn begin(&mut self, cursor: Cursor) {
        self.cursor = cursor;
        self.next = None;
        self.ended = false;
    }

    /// It has come to a task of a play. Gives how often it had before.
    pub fn arrive(&mut self, play: u32, id: &str) -> u32 {
        let times = self.times.entry((play, id.to_owned())).or_default();
        let before = *times;
        *times = before.saturating_add(1);
        before
    }

    /// The pass at hand came to this. When it was one in doubt, and it is known now what became of it, what the pre-flight
    /// saw in this run is explained, and dangerous tasks may go on from there.
    pub fn decided(&mut self, status: Status) {
        if std::mem::take(&mut self.decides) && status.is_good() {
            self.evidence.iter_mut().for_each(Evidence::settle);
            self.settled = true;
        }
    }

    /// A task begins.
    pub fn started(&mut self) {
        self.first.get_or_insert_with(Instant::now);
    }

    /// Takes a result into the verdict: the worst one counts, ignored and rescued ones do not.
    pub fn judge(&mut self, report: &TaskReport) {
        let status = match report.status {
            bad if !bad.is_good() && (report.ignored || report.rescued) => Status::Ok,
            Status::Skipped => Status::Ok,
            status => status,
        };
        self.note(status, &report.msg, Some(&report.task));
    }

    /// Sets the verdict to `status` when it is worse than the one so far.
    pub fn note(&mut self, status: Status, msg: &str, task: Option<&str>) {
        if self.verdict.as_ref().is_none_or(|verdict| verdict.status < status) {
            self.verdict = Some(Verdict {
                status,
                msg: msg.to_owned(),
                task: task.map(str::to_owned),
            });
        }
    }

    /// A failure is forgotten (`meta: clear_host_errors`).
    pub fn forgive(&mut self) {
        self.out = false;
        if self.verdict.as_ref().is_some_and(|verdict| !verdict.status.is_good()) {
            self.verdict = None;
        }
        self.note(Status::Ok, "", None);
    }

    /// Tells the verdict, once. A host that did nothing has none.
    pub fn tell_done(&mut self, shared: &Shared) {
        if self.told {
            return;
        }
        let Some(verdict) = &self.verdict else { return };
        self.told = true;
        let bad = !verdict.status.is_good();
        (shared.tell)(EventKind::HostDone {
            host: self.name.clone(),
            status: verdict.status,
            msg: bad.then(|| verdict.msg.clone()),
            task: if bad { verdict.task.clone() } else { None },
            seconds: self.first.map_or(0.0, |first| first.elapsed().as_secs_f64()),
        });
    }

    /// True when nothing went wrong and nothing was left out.
    pub fn is_good(&self) -> bool {
        !self.cut && self.verdict.as_ref().is_none_or(|verdict| verdict.status.is_good())
    }

    /// True when it cannot be reached any more, as far as anybody knows.
    pub fn is_lost(&self) -> bool {
        let status = self.verdict.as_ref().map(|verdict| verdict.status);
        matches!(status, Some(Status::Unreachable | Status::InDoubt))
    }

    /// True when it did something in this run.
    pub fn has_verdict(&self) -> bool {
        self.verdict.is_some()
    }

    /// Changes what was learnt, and publishes it.
    pub fn learn(&mut self, shared: &Shared, change: impl FnOnce(&mut HostVars)) {
        change(Arc::make_mut(&mut self.vars));
        shared.publish(&self.name, &self.vars);
    }
}
