//! What pre-flight checks approved in earlier runs of the chain, and what was seen of it since.

use std::collections::HashMap;

use crate::event::preflight::{Decision, PreflightAnswer, PreflightVerdict};
use crate::event::{Seen, Status, TaskReport};
use crate::names::HostName;
use crate::preflight::PriorEvidence;
use crate::preflight::evidence::Prior;

/// The fold of what concerns evidence. An answer counts as approved when its host has begun a task after it: a run that
/// was stopped by its checks approved nothing.
#[derive(Debug, Default)]
pub(super) struct Approved {
    prior: PriorEvidence,
    /// Answers of hosts that have not begun a task since.
    answers: HashMap<HostName, Vec<(String, Prior)>>,
    /// Layouts that are approved as soon as a host begins.
    layouts: Vec<(String, Vec<String>)>,
}

/// What of a result matters here.
#[derive(Debug)]
pub(super) struct Ended {
    host: HostName,
    /// It is about the checks themselves: they refused the host.
    is_check: bool,
    evidence: Vec<Seen>,
}

impl Ended {
    /// Of a report.
    pub fn of(report: &TaskReport) -> Self {
        Self {
            host: report.host.clone(),
            is_check: report.module == "preflight",
            evidence: report.did.evidence.clone(),
        }
    }
}

impl Approved {
    /// Something is to be approved as soon as the host goes on.
    pub fn is_open(&self, host: &HostName) -> bool {
        self.answers.contains_key(host)
    }

    /// A run begins.
    pub fn run(&mut self, hosts: &[HostName], from_start: bool) {
        self.answers.clear();
        self.layouts.clear();
        if from_start {
            for host in hosts {
                self.prior.forget(host);
            }
        }
    }

    /// A host answered.
    pub fn answer(&mut self, answer: PreflightAnswer) {
        if answer.status != Status::Ok || answer.digest.is_none() {
            return;
        }
        let prior = Prior {
            approved: answer.digest,
            disk: answer.disk,
            ..Prior::default()
        };
        self.answers.entry(answer.host).or_default().push((answer.check, prior));
    }

    /// A check was judged.
    pub fn verdict(&mut self, verdict: PreflightVerdict) {
        if verdict.decision == Decision::Stop {
            self.layouts.clear();
            return;
        }
        let usual = verdict.layouts.into_iter().filter(|layout| !layout.odd);
        self.layouts
            .push((verdict.check, usual.map(|layout| layout.digest).collect()));
    }

    /// A host begins a task. `in_doubt`: nobody knows what became of a task of it. Then an answer that differs is not
    /// approved by going on: it is as soon as the doubt is over.
    pub fn begun(&mut self, host: &HostName, in_doubt: bool) {
        for (check, layouts) in self.layouts.drain(..) {
            // What an earlier run of the chain approved stays approved.
            let mut all: Vec<String> = self.prior.layouts(&check).unwrap_or_default().to_vec();
            all.extend(
                layouts
                    .into_iter()
                    .filter(|layout| !all.contains(layout))
                    .collect::<Vec<_>>(),
            );
            self.prior.approve(&check, all);
        }
        let mut open = Vec::new();
        for (check, prior) in self.answers.remove(host).unwrap_or_default() {
            let known = self.prior.of(host, &check);
            let differs = known.is_some_and(|known| {
                known.approved.is_some() && known.approved != prior.approved && known.left != prior.approved
            });
            if in_doubt && differs {
                open.push((check, prior));
            } else {
                self.prior.insert(host.clone(), check, prior);
            }
        }
        if !open.is_empty() {
            self.answers.insert(host.clone(), open);
        }
    }

    /// A task ended; `in_doubt` as the host is with that.
    pub fn result(&mut self, ended: &Ended, in_doubt: bool) {
        if ended.is_check {
            self.answers.remove(&ended.host);
            return;
        }
        self.begun(&ended.host, in_doubt);
        for seen in &ended.evidence {
            if let Some(prior) = self.prior.of_mut(&ended.host, &seen.check) {
                prior.left.clone_from(&seen.digest);
            }
        }
    }

    /// All that is known; on these hosts a task is in doubt.
    pub fn finish<'a>(mut self, in_doubt: impl Iterator<Item = &'a HostName>) -> PriorEvidence {
        for host in in_doubt {
            self.prior.doubt(host);
        }
        self.prior
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preflight::evidence::Standing;

    fn answered(approved: &mut Approved, host: &str, digest: &str) {
        approved.answer(PreflightAnswer {
            host: host.into(),
            check: "disks".to_owned(),
            command: String::new(),
            status: Status::Ok,
            rc: Some(0),
            digest: Some(digest.to_owned()),
            answer: String::new(),
            msg: String::new(),
            disk: serde_json::Value::Null,
            seconds: 0.0,
        });
    }

    fn ended(approved: &mut Approved, host: &str, module: &str, digest: Option<&str>) {
        let mut report = TaskReport {
            module: module.to_owned(),
            ..TaskReport::bare(&host.into(), "t", Status::Ok, "")
        };
        report.did.evidence = vec![Seen {
            check: "disks".to_owned(),
            digest: digest.map(str::to_owned),
        }];
        approved.result(&Ended::of(&report), false);
    }

    #[test]
    fn an_answer_is_approved_when_its_host_begins_and_left_as_it_was_last_seen() {
        let mut approved = Approved::default();
        approved.run(&[], false);
        for host in ["a", "b", "c"] {
            answered(&mut approved, host, "before");
        }
        ended(&mut approved, "a", "command", Some("after"));
        approved.begun(&"b".into(), false);
        ended(&mut approved, "c", "preflight", None);
        let (a, b, c) = ("a".into(), "b".into(), "c".into());
        let prior = approved.finish([&b].into_iter());
        let standing = |host: &HostName, digest| prior.of(host, "disks").map(|prior| prior.standing(digest));
        assert_eq!(standing(&a, "before"), Some(Standing::AsApproved));
        assert_eq!(standing(&a, "after"), Some(Standing::AsLeft));
        assert_eq!(standing(&a, "other"), Some(Standing::Changed));
        assert_eq!(standing(&b, "other"), Some(Standing::InDoubt));
        assert_eq!(standing(&c, "before"), None, "it was refused");
    }

    #[test]
    fn an_answer_that_differs_is_approved_only_when_nothing_is_in_doubt_any_more() {
        let mut approved = Approved::default();
        let a: HostName = "a".into();
        approved.run(&[], false);
        answered(&mut approved, "a", "before");
        approved.begun(&a, false);
        for run in 0..2 {
            approved.run(&[], false);
            answered(&mut approved, "a", "half");
            approved.begun(&a, true);
            let known = approved.prior.of(&a, "disks").and_then(|prior| prior.approved.clone());
            assert_eq!(known.as_deref(), Some("before"), "run {run}");
        }
        approved.begun(&a, false);
        let known = approved.prior.of(&a, "disks").and_then(|prior| prior.approved.clone());
        assert_eq!(known.as_deref(), Some("half"));
    }

    #[test]
    fn from_the_start_means_that_nothing_is_known_about_the_hosts_and_all_about_the_fleet() {
        let mut approved = Approved::default();
        answered(&mut approved, "a", "before");
        approved.layouts = vec![("disks".to_owned(), vec!["usual".to_owned()])];
        approved.begun(&"a".into(), false);
        approved.run(&["a".into()], true);
        let prior = approved.finish(std::iter::empty());
        assert_eq!(prior.of(&"a".into(), "disks"), None);
        assert_eq!(prior.layouts("disks"), Some(["usual".to_owned()].as_slice()));
    }
}
