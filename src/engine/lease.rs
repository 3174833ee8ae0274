//! The run's leases on its hosts: taken in the first exchange that acts, given back when the host is through.

use std::time::{Duration, Instant};

use crate::deadline::{CancelToken, Deadline};
use crate::engine::enclose::{Enclosure, Needs};
use crate::engine::held;
use crate::engine::host::HostRun;
use crate::engine::link::{Links, TaskLink};
use crate::engine::once::OF_RUN;
use crate::engine::outcome::{Outcome, Phase};
use crate::engine::shared::Shared;
use crate::event::{EventKind, Severity};
use crate::marker::{Act, Held, Lease, run_prefix};
use crate::modules::step::{Link, Reader};
use crate::names::HostName;
use crate::settings::HostLock;
use crate::shell::elevate::Become;
use crate::transport::ConnectSettings;

/// Longest time that giving a host back may take, also when the run was stopped.
const RELEASE: Duration = Duration::from_secs(3);
/// Longest pause between two looks at a host that another run has.
const POLL: Duration = Duration::from_secs(5);

/// What became of a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// This run has it.
    Held(Held),
    /// None can be kept there; why.
    None(String),
}

/// One store of a host in this run: how to get there, and whether its lease is ours.
#[derive(Clone, Debug)]
pub struct Hold {
    /// Equal for the same user on the same host.
    pub(super) key: String,
    pub(super) settings: ConnectSettings,
    pub(super) elevate: Option<Become>,
    pub(super) store: Option<String>,
    pub(super) state: Option<State>,
    /// Markers of the run itself were left there.
    pub(super) marked: bool,
    /// An earlier run of the chain was there and could not give it back.
    inherited: bool,
}

impl Hold {
    /// A place where a task acts.
    pub fn new(settings: &ConnectSettings, elevate: Option<&Become>, store: Option<&str>) -> Self {
        let user = elevate.map_or_else(String::new, |elevate| format!("{} {}", elevate.program(), elevate.user));
        Self {
            key: format!("{} {user}", TaskLink::key_of(settings)),
            settings: settings.clone(),
            elevate: elevate.cloned(),
            store: store.map(str::to_owned),
            state: None,
            marked: false,
            inherited: false,
        }
    }

    /// Lends a way to the host.
    pub(super) fn with_reader<T>(
        &self,
        shared: &Shared,
        links: &mut Links,
        name: &HostName,
        deadline: &Deadline,
        work: impl FnOnce(&mut Reader<'_>) -> T,
    ) -> T {
        let mut link = TaskLink::new(shared, links, self.settings.clone(), name);
        let mut reader = Reader {
            link: &mut link as &mut dyn Link,
            elevate: self.elevate.as_ref(),
            environment: &[],
            deadline,
        };
        work(&mut reader)
    }
}

/// What a run says to get a host; `None`: it takes none.
pub(super) fn lease(shared: &Shared, name: &HostName) -> Option<Lease> {
    let options = &shared.options;
    if options.adhoc || options.check || options.lock.mode == HostLock::Off {
        return None;
    }
    Some(Lease {
        run: options.run_id.clone(),
        root: options.root_run_id.clone(),
        who: options.who.clone(),
        seat: options.seat.clone(),
        gone: None,
        name: name.to_string(),
        expiry: options.lock.expiry,
        required: options.lock.mode == HostLock::Require,
        held: None,
    })
}

impl HostRun {
    /// What this run knows about a store.
    pub(super) fn hold(&self, key: &str) -> Option<&Hold> {
        self.holds.iter().find(|hold| hold.key == key)
    }

    /// Notes what became of a store's lease.
    fn note_hold(&mut self, shared: &Shared, hold: Hold) {
        if let Some(State::None(why)) = &hold.state
            && !shared.told_no_lock.swap(true, std::sync::atomic::Ordering::Relaxed)
        {
            let text = format!(
                "{}: no lock can be kept there: {why}; the run goes on without one, there and on other hosts like it \
                 (host_lock = auto)",
                self.name
            );
            (shared.tell)(EventKind::Message {
                severity: Severity::Warning,
                text,
            });
        }
        if let Some(known) = self.holds.iter_mut().find(|known| known.key == hold.key) {
            known.marked |= hold.marked;
            known.state = hold.state.or(known.state.take());
        } else if hold.state.is_some() || hold.marked {
            self.holds.push(hold);
        }
    }

    /// A task was done by an earlier run that could not give the host back: this run does, whether or not it needs it.
    pub(super) fn inherit(&mut self, mut hold: Hold, marked: bool) {
        (hold.inherited, hold.marked) = (true, marked);
        match self.holds.iter_mut().find(|known| known.key == hold.key) {
            Some(known) => {
                known.inherited = true;
                known.marked |= marked;
            }
            None => self.holds.push(hold),
        }
    }

    /// Takes in what the exchanges of a task left: the lease, a verdict that is due, what was approved.
    pub(super) fn take_in(&mut self, shared: &Shared, around: &mut Enclosure, at: Option<Hold>) {
        let Some(mut hold) = at else { return };
        hold.state = around.state();
        hold.marked = around
            .needs()
            .marker
            .as_ref()
            .is_some_and(|marker| marker.name.starts_with(OF_RUN));
        self.pending = around.pending(&hold);
        self.note_hold(shared, hold);
        // What was only asked about is as it was.
        if let Some(guard) = around.needs().guard.as_ref().filter(|guard| guard.measured) {
            for (evidence, now) in self.evidence.iter_mut().zip(&guard.approved) {
                evidence.digest.clone_from(&now.digest);
            }
        }
    }

    /// Gives the host back. What cannot be given back ends by itself: it is this run's, with nothing at work under it.
    pub(super) fn release(&mut self, shared: &Shared) {
        let good = self.is_good();
        for hold in std::mem::take(&mut self.holds) {
            if shared.cancel.is_cancelled() {
                return;
            }
            let forget = good && hold.marked;
            let held = match &hold.state {
                Some(State::Held(held)) => Some(held.clone()),
                Some(State::None(_)) | None => None,
            };
            if held.is_none() && !forget && !hold.inherited {
                continue;
            }
            let prefix = if forget {
                run_prefix(&shared.options.root_run_id, self.name.as_str())
            } else {
                String::new()
            };
            let enclosure = Enclosure::new(Needs {
                store: hold.store.clone(),
                lease: Some(Lease {
                    run: shared.options.run_id.clone(),
                    root: shared.options.root_run_id.clone(),
                    who: shared.options.who.clone(),
                    seat: shared.options.seat.clone(),
                    gone: None,
                    name: self.name.to_string(),
                    expiry: shared.options.lock.expiry,
                    required: false,
                    held,
                }),
                ..Needs::default()
            });
            // Also when time is up or the run winds down.
            let deadline = Deadline::none(CancelToken::new()).within("giving the host back", RELEASE);
            let name = self.name.clone();
            // A connection that is lost at this very moment must not keep the host from others; asking twice does no harm.
            for _ in 0..2 {
                self.links.drop_dead();
                if self.is_lost() && !self.links.has(&hold.settings) {
                    break;
                }
                let released = hold.with_reader(shared, &mut self.links, &name, &deadline, |reader| {
                    enclosure.ask(&Act::Release(prefix.clone()), reader)
                });
                match released {
                    Ok(_) => break,
                    Err(halt) => tracing::debug!("{name}: the lock stays: {halt:?}"),
                }
            }
        }
    }
}

/// Whether a task that was refused may try again: another run has the host, and this one had it never; it may stand in
/// line, or the other one was killed on this very machine.
pub(super) fn may_wait(shared: &Shared, around: &mut Enclosure, refused: &Outcome) -> bool {
    let never_held = around.needs().lease.as_ref().is_some_and(|lease| lease.held.is_none());
    held::is_locked(refused) && never_held && (around.owner_is_gone() || !shared.options.lock.wait.is_zero())
}

/// Waits in line for a host, as long as `lock_wait` says; an outcome: it was not given back in that time.
pub(super) fn wait(
    shared: &Shared,
    host: &HostName,
    around: &mut Enclosure,
    reader: &mut Reader<'_>,
) -> Result<(), Box<Outcome>> {
    let limit = shared.options.lock.wait;
    let begun = Instant::now();
    let mut pause = Duration::from_millis(100);
    let mut told = false;
    loop {
        let outcome = match around.hold(reader) {
            Ok(()) => return Ok(()),
            Err(halt) => halt.outcome(Phase::Looking),
        };
        if held::is_locked(&outcome) && !std::mem::replace(&mut told, true) {
            let text = format!("{host}: {}; waiting for it, {limit:?} at most", outcome.msg());
            let severity = Severity::Debug;
            (shared.tell)(EventKind::Message { severity, text });
        }
        if held::is_locked(&outcome) && around.owner_is_gone() {
            continue;
        }
        let left = limit.saturating_sub(begun.elapsed());
        let over = left.is_zero() || shared.cancel.is_winding_down();
        if !held::is_locked(&outcome) || over || shared.deadline.sleep(pause.min(left)).is_err() {
            return Err(Box::new(outcome));
        }
        pause = (pause * 2).min(POLL);
    }
}
