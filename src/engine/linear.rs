//! The `linear` strategy: every host passes a task before any starts the next. In each round the task with the
//! smallest position runs on the hosts that stand at it; the others wait.

use std::sync::Arc;

use crate::engine::cursor::Position;
use crate::engine::host::HostRun;
use crate::engine::include::Included;
use crate::engine::play::PlayRun;
use crate::engine::task::{Learnt, Next, Wish, Work};
use crate::engine::tell::learn;
use crate::engine::{Engine, scope};
use crate::event::{EventKind, Status};
use crate::plan::{Action, Meta, Task};
use crate::vars::Scope;
use crate::yaml::Node;

/// Runs a batch to its end. False: nothing more of the whole run is to be done.
pub fn run(engine: &Engine<'_>, play: &PlayRun, hosts: &mut [HostRun], last: bool) -> bool {
    let round = Rounds {
        engine,
        play,
        last,
        keep: keep_sessions(hosts.len()),
    };
    for host in hosts.iter_mut() {
        engine.skip_to_start(play, host);
        round.look_ahead(host);
    }
    loop {
        if engine.shared.cancel.is_winding_down() {
            for host in hosts.iter_mut().filter(|host| host.next.is_some()) {
                host.cut = true;
            }
            return false;
        }
        let Some((position, task)) = hosts
            .iter()
            .filter_map(|host| host.next.clone())
            .min_by(|a, b| a.0.cmp(&b.0))
        else {
            return true;
        };
        match round.run(&position, &task, hosts) {
            Verdict::GoOn => {}
            Verdict::EndPlay => return true,
            Verdict::EndRun => return false,
        }
    }
}

/// How many sessions may stay open at once; with more hosts each closes its own after every task.
pub(super) fn keep_sessions(hosts: usize) -> bool {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile)
        .current
        .unwrap_or(u64::MAX);
    u64::try_from(hosts)
        .unwrap_or(u64::MAX)
        .saturating_mul(3)
        .saturating_add(64)
        <= limit
}

struct Rounds<'a> {
    engine: &'a Engine<'a>,
    play: &'a PlayRun,
    last: bool,
    keep: bool,
}

enum Verdict {
    GoOn,
    EndPlay,
    EndRun,
}

impl Rounds<'_> {
    fn run(&self, position: &Position, task: &Arc<Task>, hosts: &mut [HostRun]) -> Verdict {
        let shared = self.engine.shared;
        let at: Vec<usize> = (0..hosts.len())
            .filter(|i| hosts[*i].next.as_ref().is_some_and(|(p, _)| p == position))
            .collect();
        let Some(&first) = at.first() else {
            return Verdict::EndPlay;
        };
        let scope =
            scope::build(shared, self.play, &hosts[first].name, &hosts[first].vars, Some(task)).unwrap_or_default();
        let name = self.engine.title(task, &scope);
        let mut work = Work {
            shared,
            play: self.play,
            task,
            name: &name,
            id: shared.id_of(task),
            once: false,
        };
        let once = work
            .flag(task.keywords.run_once.as_ref(), &scope, false)
            .unwrap_or(false);
        work.once = once;
        if !matches!(task.action, Action::Meta(_)) {
            (shared.tell)(EventKind::TaskStarted {
                task: name.clone(),
                path: work.path(),
                handler: hosts[first].cursor.is_at_handler(),
            });
        }
        for &index in &at {
            hosts[index].next = None;
        }
        let (mut results, at) = self.recall(&work, at, hosts);
        let first = at.first().copied().unwrap_or(first);
        let running: Vec<usize> = if once {
            at.iter().copied().take(1).collect()
        } else {
            at.clone()
        };
        let mut shared_result = None;
        for (index, next, learnt) in self.dispatch(&work, &running, hosts, &scope) {
            if once {
                shared_result = Some(learnt);
            }
            results.push((index, next));
        }
        if let Some(learnt) = shared_result {
            let next = results.pop().map_or(Next::Advance, |(_, next)| next);
            results.extend(self.share(&work, &at, first, next, &learnt, hosts));
        }
        results.sort_by_key(|(index, _)| *index);
        self.conclude(&work, results, hosts)
    }

    /// Hosts on which an earlier run did the task go on behind it. Gives how, and the hosts that are left.
    fn recall(&self, work: &Work<'_>, at: Vec<usize>, hosts: &mut [HostRun]) -> (Vec<(usize, Next)>, Vec<usize>) {
        let mut results = Vec::with_capacity(at.len());
        let mut restored = Vec::new();
        let mut left = Vec::with_capacity(at.len());
        for index in at {
            let host = &mut hosts[index];
            match work.recall(host) {
                Some(next) => {
                    restored.push(host.name.clone());
                    let next = self.step(host, next);
                    results.push((index, next));
                }
                None => left.push(index),
            }
        }
        work.tell_restored(restored);
        (results, left)
    }

    /// Runs the task on these hosts, at most `throttle` at once.
    fn dispatch(
        &self,
        work: &Work<'_>,
        running: &[usize],
        hosts: &mut [HostRun],
        scope: &Scope,
    ) -> Vec<(usize, Next, Learnt)> {
        let throttle = work
            .task
            .keywords
            .throttle
            .as_ref()
            .map_or(0, |node| self.throttle(node, scope));
        let group = if throttle == 0 { running.len() } else { throttle }.max(1);
        let mut out = Vec::with_capacity(running.len());
        for part in running.chunks(group) {
            let mut slots: Vec<Option<(Next, Learnt)>> = part.iter().map(|_| None).collect();
            let mut wanted = part.iter().copied().peekable();
            self.engine.pool.in_place_scope_fifo(|spawner| {
                let mut slots = slots.iter_mut();
                for (index, host) in hosts.iter_mut().enumerate() {
                    if wanted.next_if_eq(&index).is_none() {
                        continue;
                    }
                    let Some(slot) = slots.next() else { break };
                    spawner.spawn_fifo(move |_| {
                        let (next, learnt) = self.engine.guarded(work, host);
                        let next = self.step(host, next);
                        *slot = Some((next, learnt));
                    });
                }
            });
            for (index, slot) in part.iter().zip(slots) {
                let (next, learnt) = slot.unwrap_or((Next::NotRun, Learnt::default()));
                out.push((*index, next, learnt));
            }
        }
        out
    }

    /// What a host can do by itself after a task: go on, or to its rescue. The rest is for the round to decide.
    fn step(&self, host: &mut HostRun, next: Next) -> Next {
        if !self.keep {
            host.links.close();
        }
        match next {
            Next::Advance => {
                host.cursor.advance();
                self.look_ahead(host);
            }
            Next::Fail => {
                self.engine.host_failed(self.play, host);
                self.look_ahead(host);
            }
            Next::Out => {
                host.out = true;
                host.cursor.end();
                self.look_ahead(host);
            }
            Next::NotRun => host.cut = true,
            Next::Include(_) | Next::Meta(_) => {}
        }
        next
    }

    /// Finds the host's next task. One that is through with the last play is done with.
    fn look_ahead(&self, host: &mut HostRun) {
        let handlers = self.play.handlers();
        host.next = host.cursor.peek(&handlers.tasks, &|task| self.engine.is_wanted(task));
        if host.next.is_none() && self.last && host.has_verdict() && !host.cut {
            // A host with a lock is given back at the end of the batch, with all others at once.
            if host.holds.is_empty() {
                host.links.close();
            }
            host.tell_done(self.engine.shared);
        }
    }

    /// `run_once`: what the first host came to goes for all.
    fn share(
        &self,
        work: &Work<'_>,
        at: &[usize],
        first: usize,
        next: Next,
        learnt: &Learnt,
        hosts: &mut [HostRun],
    ) -> Vec<(usize, Next)> {
        let shared = self.engine.shared;
        let failed = matches!(next, Next::Fail | Next::Out);
        let mut results = Vec::new();
        let notified = hosts[first].cursor.notified();
        for &index in at {
            if index == first {
                continue;
            }
            let host = &mut hosts[index];
            learn(shared, host, learnt);
            for handler in &notified {
                host.cursor.notify(*handler);
            }
            let own = match &next {
                Next::NotRun => Next::NotRun,
                Next::Advance => Next::Advance,
                Next::Fail | Next::Out => Next::Fail,
                Next::Include(wishes) => Next::Include(wishes.clone()),
                Next::Meta(meta) => Next::Meta(*meta),
            };
            if failed && host.cursor.after_failure() == crate::engine::cursor::AfterFailure::Failed {
                let msg = format!(
                    "`{}` runs once for all hosts, and failed on {}",
                    work.name, "the first of them"
                );
                host.note(Status::Failed, &msg, Some(work.name));
            }
            let own = self.step(host, own);
            results.push((index, own));
        }
        results.push((first, next));
        results.sort_by_key(|(index, _)| *index);
        results
    }

    /// Includes, meta actions, and limits on failures.
    fn conclude(&self, work: &Work<'_>, results: Vec<(usize, Next)>, hosts: &mut [HostRun]) -> Verdict {
        let mut included = Included::default();
        let mut failed = false;
        let mut verdict = Verdict::GoOn;
        for (index, next) in results {
            let host = &mut hosts[index];
            match next {
                Next::Include(wishes) => {
                    failed |= !self.include(work, host, &wishes, &mut included);
                    self.look_ahead(host);
                }
                Next::Meta(meta) => {
                    if let Some(other) = self.meta(meta, index, hosts) {
                        verdict = other;
                    }
                }
                Next::Fail | Next::Out => failed = true,
                Next::Advance | Next::NotRun => {}
            }
        }
        for (file, hosts) in included.told() {
            (self.engine.shared.tell)(EventKind::Included { file, hosts });
        }
        if failed && self.is_fatal(work, hosts) {
            let mut stopped = false;
            for host in hosts.iter_mut().filter(|host| !host.out && !host.cursor.is_rescuing()) {
                host.note(
                    Status::Failed,
                    "another host failed, and errors are fatal here (any_errors_fatal, max_fail_percentage)",
                    None,
                );
                host.out = true;
                host.cursor.end();
                self.look_ahead(host);
                stopped = true;
            }
            if stopped || hosts.iter().all(|host| host.out) {
                verdict = Verdict::EndRun;
            }
        }
        verdict
    }

    fn include(&self, work: &Work<'_>, host: &mut HostRun, wishes: &[Wish], included: &mut Included) -> bool {
        let mut lists = Vec::new();
        for wish in wishes {
            match included.list(self.engine.shared, self.play, work.task, wish, &host.name) {
                Ok(list) => lists.push(list),
                Err(error) => {
                    let next = work.fail(host, &error);
                    let good = matches!(next, Next::Advance);
                    self.step(host, next);
                    return good;
                }
            }
        }
        host.note(Status::Ok, "", None);
        host.cursor.enter(lists);
        true
    }

    fn meta(&self, meta: Meta, index: usize, hosts: &mut [HostRun]) -> Option<Verdict> {
        let shared = self.engine.shared;
        if matches!(meta, Meta::EndPlay | Meta::EndBatch) {
            for host in hosts.iter_mut() {
                host.cursor.end();
                self.look_ahead(host);
            }
            return if meta == Meta::EndPlay {
                Some(Verdict::EndPlay)
            } else {
                None
            };
        }
        if meta == Meta::ClearHostErrors {
            for host in hosts.iter_mut() {
                host.forgive();
            }
        }
        let host = hosts.get_mut(index)?;
        Engine::host_meta(shared, meta, host);
        self.look_ahead(host);
        None
    }

    /// Whether a failure ends the play for everybody.
    fn is_fatal(&self, work: &Work<'_>, hosts: &[HostRun]) -> bool {
        let shared = self.engine.shared;
        let scope = Scope::new()
            .with(self.play.play.vars.clone())
            .with(shared.options.extra_vars.clone());
        if work
            .flag(
                work.task.keywords.any_errors_fatal.as_ref(),
                &scope,
                shared.options.any_errors_fatal,
            )
            .unwrap_or(false)
        {
            return true;
        }
        let Some(node) = &self.play.play.max_fail_percentage else {
            return false;
        };
        let most = shared
            .templar
            .render(node, &scope)
            .ok()
            .and_then(|value| value.to_string().trim_end_matches('%').parse::<f64>().ok());
        let failed = hosts.iter().filter(|host| host.out).count();
        #[expect(clippy::cast_precision_loss, reason = "host counts are small")]
        let percentage = failed as f64 * 100.0 / hosts.len().max(1) as f64;
        most.is_some_and(|most| percentage > most)
    }

    fn throttle(&self, node: &Node, scope: &Scope) -> usize {
        let value = self.engine.shared.templar.render(node, scope).ok();
        value
            .and_then(|value| value.to_string().trim().parse().ok())
            .unwrap_or(0)
    }
}
