//! Pre-flight: the checks of a play are asked of all its hosts before the first task on any of them, all checks of a host
//! in one exchange. What they come to is told, and decides who goes on.

mod ask;
mod look;
mod way;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use indexmap::IndexMap;

use crate::engine::host::HostRun;
use crate::engine::play::PlayRun;
use crate::engine::{Engine, linear};
use crate::event::preflight::Decision;
use crate::event::{EventKind, Status};
use crate::names::HostName;
use crate::plan::preflight::Check;
use crate::plan::{Entry, Play};
use crate::preflight::verdict::{Outcome, Verdict, judge};
use crate::vars::VarMap;

pub(super) use ask::{Asked, Purpose};
pub(super) use way::not_begun;
pub use way::{About, Answer, Ask, Question};

/// What pre-flight needs from outside.
pub struct Hooks {
    /// Asks somebody (`on_mismatch: ask`).
    pub ask: Ask,
}

impl Default for Hooks {
    fn default() -> Self {
        Self {
            ask: Box::new(|_| Answer::Nobody),
        }
    }
}

/// Who goes on.
pub(super) enum Cleared {
    /// These.
    Hosts(Vec<HostName>),
    /// Nobody, in this play and the later ones, and why they are not begun; `None`: the user stopped the run.
    Nobody(Option<String>),
}

impl Engine<'_> {
    /// Asks the checks of a play of all its hosts. What is there of `hosts` is used, the others begin here.
    pub(super) fn preflight(
        &self,
        play: &Arc<Play>,
        run_magic: &Arc<VarMap>,
        hosts: &mut IndexMap<HostName, HostRun>,
        names: &[HostName],
        number: u32,
    ) -> Cleared {
        let shared = self.shared;
        for host in hosts.values_mut() {
            // What an earlier play approved was for its own tasks.
            host.evidence.clear();
        }
        if play.preflight.is_empty() || !self.has_wanted(&play.body) {
            return Cleared::Hosts(names.to_vec());
        }
        for name in names {
            hosts.entry(name.clone()).or_insert_with(|| self.shared.host(name));
        }
        let mut run = PlayRun::new(shared, play, run_magic, names, names);
        run.number = number;
        (shared.tell)(EventKind::PreflightStarted {
            play: run.name.clone(),
            checks: play.preflight.iter().map(|check| check.name.clone()).collect(),
            hosts: names.to_vec(),
        });
        let asked = self.ask_all(&run, hosts, names);
        if shared.cancel.is_winding_down() {
            for name in names {
                if let Some(host) = hosts.get_mut(name) {
                    host.cut = true;
                }
            }
            return Cleared::Nobody(None);
        }
        let verdicts: Vec<Verdict> = play
            .preflight
            .iter()
            .enumerate()
            .map(|(index, check)| {
                let outcomes: Vec<(&HostName, &Outcome)> = asked
                    .iter()
                    .filter_map(|asked| Some((&asked.host, asked.outcomes.get(index)?)))
                    .collect();
                judge(check, &outcomes, shared.prior().layouts(&check.name))
            })
            .collect();
        for verdict in &verdicts {
            // It is seen before anybody is asked about it, and in the journal before anything that it allows is done. Where
            // the journal cannot be written the run is winding down already.
            shared.tell_kept(EventKind::PreflightVerdict(Box::new(verdict.told.clone())));
        }
        self.decide(&run, hosts, asked, &verdicts)
    }

    /// Asks every host; the answers come in the order of `names`.
    fn ask_all(&self, run: &PlayRun, hosts: &mut IndexMap<HostName, HostRun>, names: &[HostName]) -> Vec<Asked> {
        // Later batches may wait for hours: their connections would only grow old.
        let keep = run.play.serial.is_none() && linear::keep_sessions(names.len());
        let place: IndexMap<&HostName, usize> = names.iter().zip(0..).collect();
        let mut work: Vec<(usize, &mut HostRun)> = hosts
            .values_mut()
            .filter_map(|host| Some((*place.get(&host.name)?, host)))
            .collect();
        work.sort_by_key(|(at, _)| *at);
        let hosts = work.into_iter().map(|(_, host)| host).collect();
        self.ask_each(run, &run.play.preflight, Purpose::Preflight, hosts, keep)
    }

    /// Asks checks of hosts; the answers come in the order of the hosts. `keep`: their sessions stay open.
    pub(super) fn ask_each(
        &self,
        run: &PlayRun,
        checks: &[Check],
        purpose: Purpose,
        hosts: Vec<&mut HostRun>,
        keep: bool,
    ) -> Vec<Asked> {
        let shared = self.shared;
        let mut slots: Vec<Option<Asked>> = hosts.iter().map(|_| None).collect();
        let items: Vec<_> = hosts.into_iter().zip(&mut slots).collect();
        self.each(items, |(host, slot), _| {
            if shared.cancel.is_winding_down() {
                return;
            }
            let asked = std::panic::catch_unwind(AssertUnwindSafe(|| ask::host(shared, run, checks, purpose, host)));
            *slot = Some(asked.unwrap_or_else(|_| {
                self.crashed.store(true, Ordering::Relaxed);
                host.links.close();
                Asked::broken(&host.name, checks.len())
            }));
            if !keep {
                host.links.close();
            }
        });
        slots.into_iter().flatten().collect()
    }

    /// Takes the verdicts together: who is out, and whether anybody goes on.
    fn decide(
        &self,
        run: &PlayRun,
        hosts: &mut IndexMap<HostName, HostRun>,
        asked: Vec<Asked>,
        verdicts: &[Verdict],
    ) -> Cleared {
        let mut refused: IndexMap<HostName, (usize, Status, String)> = IndexMap::new();
        for (index, verdict) in verdicts.iter().enumerate() {
            for one in &verdict.refused {
                let known = refused
                    .entry(one.host.clone())
                    .or_insert_with(|| (index, one.status, String::new()));
                let check = &verdict.told.check;
                if !known.2.is_empty() {
                    known.2.push_str("; ");
                }
                known.2.push_str(&format!("check `{check}`: {}", one.reason));
            }
        }
        let worst = verdicts.iter().max_by_key(|verdict| verdict.told.decision);
        let decision = worst.map_or(Decision::Passed, |verdict| verdict.told.decision);
        let decision = self.settle(decision, asked.len(), &refused, verdicts);
        for (name, (index, status, reason)) in &refused {
            if let (Some(host), Some(check)) = (hosts.get_mut(name), run.play.preflight.get(*index)) {
                way::refuse(self.shared, host, check, *status, reason);
            }
        }
        if decision == Decision::Stop {
            let why = way::stopped_by(worst.map_or("", |verdict| verdict.told.check.as_str()));
            for one in &asked {
                if let Some(host) = hosts.get_mut(&one.host) {
                    way::not_begun(host, &why);
                }
            }
            return Cleared::Nobody(Some(why));
        }
        let mut cleared = Vec::with_capacity(asked.len() - refused.len());
        for one in asked {
            if refused.contains_key(&one.host) {
                continue;
            }
            if let Some(host) = hosts.get_mut(&one.host) {
                one.leave(self.shared, host);
                cleared.push(host.name.clone());
            }
        }
        Cleared::Hosts(cleared)
    }

    /// The decision about all checks together: not too many may be left out, and somebody may have to be asked.
    fn settle(
        &self,
        decision: Decision,
        all: usize,
        refused: &IndexMap<HostName, (usize, Status, String)>,
        verdicts: &[Verdict],
    ) -> Decision {
        match decision {
            Decision::Passed | Decision::Stop => decision,
            Decision::Drop | Decision::Ask if (all - refused.len()) * 2 <= all => {
                let text =
                    "what all checks together leave is not more than half of the hosts: nothing is done on any of them";
                way::tell(self.shared, text);
                Decision::Stop
            }
            Decision::Drop => Decision::Drop,
            Decision::Ask => {
                let question = Question {
                    about: About::Preflight,
                    checks: verdicts
                        .iter()
                        .filter(|verdict| verdict.told.decision == Decision::Ask)
                        .map(|verdict| verdict.told.check.clone())
                        .collect(),
                    refused: refused.keys().cloned().collect(),
                    hosts: all,
                };
                way::ask(self.shared, &question)
            }
        }
    }

    /// Whether tags leave any task.
    pub(super) fn has_wanted(&self, entries: &[Entry]) -> bool {
        entries.iter().any(|entry| match entry {
            Entry::Task(task) => !task.implicit && self.is_wanted(task),
            Entry::Block(block) => [&block.body, &block.rescue, &block.always]
                .into_iter()
                .any(|part| self.has_wanted(part)),
        })
    }
}
