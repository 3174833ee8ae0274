//! From the events of a chain of runs, the oldest first, to what can be gone on from.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::engine::canary::PastWaves;
use crate::engine::replay::approved::{Approved, Ended};
use crate::engine::replay::record::{Acting, Key, Pass, Record, is_final};
use crate::engine::replay::{Once, Replay, Resolution, Track, others};
use crate::event::{EventKind, Status, TaskReport};
use crate::names::HostName;

/// The hosts of a batch.
type Batch = Arc<HashSet<HostName>>;

/// Takes the events in. Memory grows with the results.
#[derive(Debug, Default)]
pub struct Fold {
    hosts: HashMap<HostName, Vec<Record>>,
    once: HashMap<Key, Vec<(Batch, Record)>>,
    /// The batches of the run at hand, by the number of their play.
    batches: HashMap<u32, Vec<Batch>>,
    run: String,
    /// Hosts that the last run with them could not give back.
    open: HashSet<HostName>,
    approved: Approved,
    waves: PastWaves,
}

impl Fold {
    /// Takes one event into account.
    pub fn observe(&mut self, event: EventKind) {
        self.waves.observe(&event);
        match event {
            EventKind::RunStarted { run, origin, hosts, .. } => {
                self.run = run;
                self.batches.clear();
                for record in self.hosts.values_mut().flatten() {
                    record.whole.run_begins();
                    record.passes.values_mut().for_each(Pass::run_begins);
                }
                self.open.extend(hosts.iter().cloned());
                self.approved.run(&hosts, origin.from_start);
                if origin.from_start {
                    for host in &hosts {
                        self.hosts.remove(host);
                    }
                    self.once.clear();
                }
            }
            EventKind::PlayStarted { hosts, number, .. } => {
                let batch = Arc::new(hosts.into_iter().collect());
                self.batches.entry(number).or_default().push(batch);
            }
            EventKind::TaskActing {
                host,
                play,
                task,
                path,
                id,
                nth,
                index,
                repeatable,
                item,
                command,
                became,
                marker,
            } => {
                // As it is before this task: one that is begun is in doubt until it ends.
                let in_doubt = self.is_in_doubt(&host);
                self.approved.begun(&host, in_doubt);
                let key = Key { play, id, nth };
                if let Some(record) = self.live(&host, key, &task, &path) {
                    record.acted |= !repeatable;
                    record.began = true;
                    let pass = match index {
                        Some(index) => record.passes.entry(index).or_default(),
                        None => &mut record.whole,
                    };
                    *pass = Pass {
                        begun: !repeatable,
                        open: true,
                        doubted: pass.doubted,
                        touched: true,
                        found: pass.found.filter(|_| pass.doubted),
                        acting: Some(Box::new(Acting {
                            item,
                            command,
                            became,
                            marker,
                        })),
                        ..Pass::default()
                    };
                }
            }
            EventKind::HostDone { host, status, .. } => {
                if status.is_good() || status == Status::Failed {
                    self.open.remove(&host);
                }
            }
            EventKind::PreflightAnswer(answer) => self.approved.answer(*answer),
            EventKind::PreflightVerdict(verdict) => self.approved.verdict(*verdict),
            EventKind::TaskRetrying { host, .. } => self.attempt_ended(&host),
            EventKind::ItemResult(report) => {
                let ended = Ended::of(&report);
                let in_doubt = self.is_in_doubt(&report.host);
                self.approved.result(&ended, in_doubt);
                let index = report.did.index.unwrap_or_default();
                if let Some(record) = self.of_report(&report) {
                    record.passes.entry(index).or_default().ends(*report);
                }
            }
            EventKind::TaskResult(report) => {
                let ended = Ended::of(&report);
                let host = report.host.clone();
                self.result(*report);
                let in_doubt = self.is_in_doubt(&host);
                self.approved.result(&ended, in_doubt);
            }
            EventKind::PlaySkipped { .. }
            | EventKind::TaskStarted { .. }
            | EventKind::PlaybookRead { .. }
            | EventKind::PolicyChecked { .. }
            | EventKind::PreflightStarted { .. }
            | EventKind::WaveStarted { .. }
            | EventKind::CanaryAnswer(_)
            | EventKind::CanaryVerdict(_)
            | EventKind::CanaryDecided { .. }
            | EventKind::HostStarted { .. }
            | EventKind::HostConnected { .. }
            | EventKind::TaskRestored { .. }
            | EventKind::Included { .. }
            | EventKind::Controlled { .. }
            | EventKind::DuplicatesFound(_)
            | EventKind::Message { .. }
            | EventKind::RunCancelled { .. }
            | EventKind::RunFinished { .. } => {}
        }
    }

    /// Nobody knows what became of a task of this host. Asked only as long as it matters.
    fn is_in_doubt(&self, host: &HostName) -> bool {
        self.approved.is_open(host) && self.hosts.get(host).is_some_and(|records| in_doubt(records))
    }

    /// One try of `until` ended without meeting it: its end was seen.
    fn attempt_ended(&mut self, host: &HostName) {
        let Some(record) = self.hosts.get_mut(host).and_then(|records| records.last_mut()) else {
            return;
        };
        record.whole.begun = false;
        for pass in record.passes.values_mut() {
            pass.begun = false;
        }
    }

    fn result(&mut self, report: TaskReport) {
        // What is included is looked up anew; a wish that came to nothing needs no record.
        if matches!(report.module.rsplit('.').next(), Some("include_tasks" | "include_role")) {
            return;
        }
        if report.did.run_once {
            self.done_once(&report);
        }
        if let Some(record) = self.of_report(&report) {
            record.whole.ends(report);
        }
    }

    fn done_once(&mut self, report: &TaskReport) {
        let key = key_of(report);
        let batches = self.batches.get(&report.did.play);
        let Some(batch) = batches.and_then(|all| all.iter().find(|batch| batch.contains(&report.host))) else {
            return;
        };
        let mut record = self.empty(key.clone(), &report.task, &report.path);
        record.whole.result = Some(report.clone());
        self.once.entry(key).or_default().push((batch.clone(), record));
    }

    fn of_report(&mut self, report: &TaskReport) -> Option<&mut Record> {
        let key = key_of(report);
        if report.did.again {
            // Only looked at once more: what follows it stays as it is.
            let known = self.hosts.get_mut(&report.host)?.iter_mut();
            return known.filter(|_| is_final(report)).find(|record| record.key == key);
        }
        self.live(&report.host, key, &report.task, &report.path)
    }

    /// The record of a task that is worked on now. What an earlier run did behind it does not count any more.
    fn live(&mut self, host: &HostName, key: Key, task: &str, path: &str) -> Option<&mut Record> {
        // Old journals do not say which play and task it is.
        if key.play == 0 {
            return None;
        }
        let empty = self.empty(key, task, path);
        let records = self.hosts.entry(host.clone()).or_default();
        match records.iter().rposition(|record| record.key == empty.key) {
            Some(index) => {
                records.truncate(index + 1);
                if let Some(record) = records.last_mut() {
                    record.run = empty.run;
                }
            }
            None => records.push(empty),
        }
        records.last_mut()
    }

    fn empty(&self, key: Key, task: &str, path: &str) -> Record {
        Record {
            key,
            task: task.to_owned(),
            path: path.to_owned(),
            run: self.run.clone(),
            whole: Pass::default(),
            passes: std::collections::BTreeMap::new(),
            acted: false,
            began: false,
        }
    }

    /// Takes into account what was found out about tasks that are in doubt so far.
    pub fn resolve(&mut self, resolutions: &[Resolution]) {
        for one in resolutions {
            let records = self.hosts.get_mut(&one.host).into_iter().flatten();
            for record in records.filter(|record| record.path == one.path && record.task == one.task) {
                let passes = record.passes.values_mut().chain([&mut record.whole]);
                for pass in passes.filter(|pass| pass.is_in_doubt()) {
                    pass.found = Some(one.found);
                }
            }
        }
    }

    /// The records of each host, for those who want to show them.
    pub fn records(&self) -> impl Iterator<Item = (&HostName, &[Record])> {
        self.hosts.iter().map(|(host, records)| (host, records.as_slice()))
    }

    /// Hosts with a failure that nothing took over: the run went on without them.
    pub fn failed(&self) -> HashSet<HostName> {
        let failed = |records: &[Record]| {
            let mut results = records.iter().filter_map(|record| record.whole.result.as_ref());
            results.any(|report| {
                let bad = matches!(report.status, Status::Failed | Status::TimedOut | Status::Unreachable);
                bad && !report.ignored && !report.rescued
            })
        };
        self.records()
            .filter(|(_, records)| failed(records))
            .map(|(host, _)| host.clone())
            .collect()
    }

    /// Ready to go on from, with these hosts. `accept`: tasks that are not in the records are no reason to stop.
    pub fn finish(self, accept: bool, running: &HashSet<HostName>) -> Replay {
        let doubtful = self.hosts.iter().filter(|(_, records)| in_doubt(records));
        let prior = self.approved.finish(doubtful.map(|(host, _)| host));
        let (tracked, others): (HashMap<_, _>, HashMap<_, _>) =
            self.hosts.into_iter().partition(|(host, _)| running.contains(host));
        let hosts = tracked.into_iter().map(|(host, records)| {
            let records = records.into_iter().map(Arc::new).collect();
            (host, Track::new(records, accept))
        });
        let others = others
            .into_iter()
            .map(|(host, records)| (host, Arc::new(others::variables(&records))));
        let once = self.once.into_iter().map(|(key, done)| {
            let done = done.into_iter().map(|(hosts, record)| Once {
                hosts,
                record: Arc::new(record),
            });
            (key, done.collect())
        });
        Replay {
            hosts: std::sync::Mutex::new(hosts.collect()),
            once: once.collect(),
            others: others.collect(),
            open: self.open,
            prior,
            waves: self.waves,
            accept_wave: false,
        }
    }
}

fn in_doubt(records: &[Record]) -> bool {
    let passes = |record: &Record| record.whole.is_in_doubt() || record.passes.values().any(Pass::is_in_doubt);
    records.iter().any(passes)
}

fn key_of(report: &TaskReport) -> Key {
    Key {
        play: report.did.play,
        id: report.did.id.clone(),
        nth: report.did.nth,
    }
}
