//! The only counter in the program: what a run came to, as a fold of its events.

use indexmap::IndexMap;

use crate::event::preflight::Decision;
use crate::event::{EventKind, HostRecap, Refusal, Status, TaskReport};
use crate::names::HostName;

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub struct RunSummary {
    hosts: IndexMap<HostName, HostRecap>,
    refused: bool,
    locked: bool,
}

impl RunSummary {
    /// Takes one event into account.
    pub fn observe(&mut self, event: &EventKind) {
        match event {
            EventKind::TaskResult(report) => self.count(report),
            EventKind::Included { hosts, .. } => {
                for host in hosts {
                    self.host(host).ok += 1;
                }
            }
            EventKind::TaskRestored { hosts, .. } => {
                for host in hosts {
                    self.host(host).restored += 1;
                }
            }
            EventKind::HostDone { host, status, .. } => self.host(host).status = Some(*status),
            EventKind::PolicyChecked { refused, .. } => self.refused |= !refused.is_empty(),
            EventKind::CanaryVerdict(verdict) => self.refused |= verdict.decision == Decision::Stop,
            EventKind::CanaryDecided { accepted, .. } => self.refused |= !accepted,
            EventKind::RunStarted { .. }
            | EventKind::PlayStarted { .. }
            | EventKind::PlaybookRead { .. }
            | EventKind::PlaySkipped { .. }
            | EventKind::PreflightStarted { .. }
            | EventKind::PreflightAnswer(_)
            | EventKind::PreflightVerdict(_)
            | EventKind::WaveStarted { .. }
            | EventKind::CanaryAnswer(_)
            | EventKind::TaskStarted { .. }
            | EventKind::HostStarted { .. }
            | EventKind::HostConnected { .. }
            | EventKind::TaskRetrying { .. }
            | EventKind::TaskActing { .. }
            | EventKind::ItemResult(_)
            | EventKind::DuplicatesFound(_)
            | EventKind::Message { .. }
            | EventKind::Controlled { .. }
            | EventKind::RunCancelled { .. }
            | EventKind::RunFinished { .. } => {}
        }
    }

    fn count(&mut self, report: &TaskReport) {
        match report.refused {
            Some(Refusal::Guard) if !report.ignored && !report.rescued => self.refused = true,
            Some(Refusal::Locked) if !report.ignored && !report.rescued => self.locked = true,
            Some(_) | None => {}
        }
        let recap = self.host(&report.host);
        match report.status {
            Status::Ok => recap.ok += 1,
            Status::Changed => {
                recap.ok += 1;
                recap.changed += 1;
            }
            Status::Skipped => recap.skipped += 1,
            Status::Unreachable if !report.ignored => recap.unreachable += 1,
            Status::InDoubt if !report.ignored => recap.in_doubt += 1,
            Status::Failed | Status::TimedOut if report.rescued => recap.rescued += 1,
            Status::Failed | Status::TimedOut if !report.ignored => recap.failed += 1,
            Status::Failed | Status::TimedOut | Status::Unreachable | Status::InDoubt => {
                recap.ok += 1;
                recap.ignored += 1;
                if report.result.get("changed").and_then(serde_json::Value::as_bool) == Some(true) {
                    recap.changed += 1;
                }
            }
        }
    }

    fn host(&mut self, host: &HostName) -> &mut HostRecap {
        self.hosts.entry(host.clone()).or_insert_with(|| HostRecap {
            host: host.to_string(),
            ..HostRecap::default()
        })
    }

    /// The counts of every host that had a result, in the order they were first heard of.
    pub fn recap(&self) -> Vec<HostRecap> {
        self.hosts.values().cloned().collect()
    }

    /// The exit code of `CONTRACT.md` §2 for what the hosts came to. Signals and refusals are the caller's to add.
    pub fn exit_code(&self) -> u8 {
        let any = |wanted: &[Status]| {
            self.hosts
                .values()
                .any(|h| h.status.is_some_and(|s| wanted.contains(&s)))
        };
        if self.locked {
            return 12;
        }
        if any(&[Status::InDoubt]) {
            return 11;
        }
        if self.refused {
            return 10;
        }
        let failed = any(&[Status::Failed, Status::TimedOut]);
        let unreachable = any(&[Status::Unreachable]);
        2 * u8::from(failed) + 4 * u8::from(unreachable)
    }
}
