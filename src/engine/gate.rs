//! The gate in front of every task: how many hosts are at work at once, whether any may begin, and who is left out. It is
//! what can be changed while a run goes on.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::deadline::Deadline;
use crate::engine::MOST_WORKERS;
use crate::names::HostName;

/// How often those who wait look whether the run is to end.
const LOOK: Duration = Duration::from_millis(100);

/// Lets hosts to work, at most so many at once.
#[derive(Debug)]
pub struct Gate {
    state: Mutex<State>,
    /// For those who wait for a place.
    place: Condvar,
    /// For whoever sees to it that there are enough workers.
    wanted: Condvar,
    deadline: Deadline,
}

#[derive(Debug)]
struct State {
    /// Most hosts at work.
    limit: usize,
    /// Hosts at work.
    working: usize,
    /// Workers that wait for a place.
    waiting: usize,
    /// Nobody may begin.
    paused: bool,
    /// Hosts that are left out, and who said so.
    skipped: HashMap<HostName, String>,
}

/// What a gate is like now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Most hosts at work.
    pub limit: usize,
    /// Hosts at work.
    pub working: usize,
    /// Nobody may begin.
    pub paused: bool,
}

/// A change of the number of workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forks {
    /// So many more.
    More(usize),
    /// So many fewer.
    Fewer(usize),
    /// So many.
    Exactly(usize),
}

/// The right to work on one host; given back when it is dropped.
#[derive(Debug)]
pub struct Turn<'a> {
    gate: &'a Gate,
}

impl Gate {
    /// A gate for `limit` hosts at once. `deadline` is that of the run: when it is over, nobody waits here any more.
    pub fn new(limit: usize, deadline: Deadline) -> Self {
        Self {
            state: Mutex::new(State {
                limit: limit.clamp(1, MOST_WORKERS),
                working: 0,
                waiting: 0,
                paused: false,
                skipped: HashMap::new(),
            }),
            place: Condvar::new(),
            wanted: Condvar::new(),
            deadline,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the right to work on a host. It is given to everybody when the run winds down: they find out themselves.
    pub fn enter(&self) -> Turn<'_> {
        let mut state = self.state();
        while (state.paused || state.working >= state.limit) && !self.is_over() {
            state = self.wait(state);
        }
        state.working += 1;
        Turn { gate: self }
    }

    /// Waits while the run is paused.
    pub fn pass(&self) {
        let mut state = self.state();
        while state.paused && !self.is_over() {
            state = self.wait(state);
        }
    }

    fn wait<'a>(&self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        state.waiting += 1;
        let waited = self.place.wait_timeout(state, LOOK);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        state.waiting -= 1;
        state
    }

    /// Gives a place back.
    fn leave(&self, mut state: MutexGuard<'_, State>) {
        state.working = state.working.saturating_sub(1);
        // Waking nobody costs a system call, too.
        if state.waiting > 0 {
            self.place.notify_one();
        }
    }

    fn is_over(&self) -> bool {
        self.deadline.cancel_token().is_winding_down() || self.deadline.remaining().is_err()
    }

    /// Changes how many hosts may be at work; the number before and after. At least one, at most [`MOST_WORKERS`].
    pub fn set_forks(&self, change: Forks) -> (usize, usize) {
        let mut state = self.state();
        let before = state.limit;
        let wanted = change.from(before);
        state.limit = wanted.clamp(1, MOST_WORKERS);
        let after = state.limit;
        drop(state);
        self.place.notify_all();
        self.wanted.notify_all();
        (before, after)
    }

    /// No host begins a task from now on (`true`), or all may go on; false when it was so already.
    pub fn set_paused(&self, paused: bool) -> bool {
        let before = std::mem::replace(&mut self.state().paused, paused);
        self.place.notify_all();
        before != paused
    }

    /// The host's remaining tasks are not run; false when that was said already.
    pub fn skip(&self, host: &HostName, by: &str) -> bool {
        self.state().skipped.insert(host.clone(), by.to_owned()).is_none()
    }

    /// Who said that the host is left out.
    pub fn skipped(&self, host: &HostName) -> Option<String> {
        self.state().skipped.get(host).cloned()
    }

    /// How it is set now.
    pub fn setting(&self) -> Setting {
        let state = self.state();
        Setting {
            limit: state.limit,
            working: state.working,
            paused: state.paused,
        }
    }

    /// Waits until more than `workers` are wanted (how many then), or `is_done`.
    pub(super) fn wait_for_more(&self, workers: usize, is_done: impl Fn() -> bool) -> Option<usize> {
        let mut state = self.state();
        loop {
            if is_done() || self.is_over() {
                return None;
            }
            if state.limit > workers {
                return Some(state.limit);
            }
            state = self.wanted.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Wakes whoever waits, to look again.
    pub(super) fn nudge(&self) {
        // Under the lock, or a waiter between its look and its sleep would miss it.
        let state = self.state();
        self.wanted.notify_all();
        drop(state);
    }
}

impl Forks {
    /// What it makes of `now`.
    pub fn from(self, now: usize) -> usize {
        match self {
            Self::More(more) => now.saturating_add(more),
            Self::Fewer(fewer) => now.saturating_sub(fewer),
            Self::Exactly(number) => number,
        }
    }
}

impl std::str::FromStr for Forks {
    type Err = String;

    /// `+10`, `-10`, `=20`, `20`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (change, number): (fn(usize) -> Self, &str) = match text.split_at_checked(1) {
            Some(("+", rest)) => (Self::More, rest),
            Some(("-", rest)) => (Self::Fewer, rest),
            Some(("=", rest)) => (Self::Exactly, rest),
            _ => (Self::Exactly, text),
        };
        let number = number
            .parse()
            .map_err(|_| format!("`{text}` is no number of workers: `+10`, `-10`, `=20`"))?;
        Ok(change(number))
    }
}

impl Turn<'_> {
    /// Between two tasks of a host: gives the right back when others should not wait for it, and waits for the next.
    pub fn again(&mut self) {
        let mut state = self.gate.state();
        if !state.paused && state.working <= state.limit {
            return;
        }
        self.gate.leave(state);
        state = self.gate.state();
        while (state.paused || state.working >= state.limit) && !self.gate.is_over() {
            state = self.gate.wait(state);
        }
        state.working += 1;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.gate.leave(self.gate.state());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;
    use crate::deadline::CancelToken;
    use crate::engine::crew::Crew;

    fn gate(limit: usize) -> Gate {
        Gate::new(limit, Deadline::none(CancelToken::new()))
    }

    #[test]
    fn changes_of_the_number_of_workers_are_read() {
        for (text, change, of_ten) in [
            ("+10", Forks::More(10), 20),
            ("-3", Forks::Fewer(3), 7),
            ("-30", Forks::Fewer(30), 0),
            ("=20", Forks::Exactly(20), 20),
            ("20", Forks::Exactly(20), 20),
        ] {
            assert_eq!(text.parse(), Ok(change));
            assert_eq!(change.from(10), of_ten);
        }
        for text in ["", "+", "many", "+-1", "1.5"] {
            assert!(text.parse::<Forks>().is_err(), "{text}");
        }
        let gate = gate(10);
        assert_eq!(gate.set_forks(Forks::Fewer(20)), (10, 1));
        assert_eq!(gate.set_forks(Forks::Exactly(10_000)), (1, MOST_WORKERS));
    }

    /// Items wait at a barrier that only `gate`'s limit lets so many reach.
    fn most_at_once(gate: &Gate, crew: &Crew, items: usize, change: impl FnOnce(usize) + Send) -> usize {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let (say, heard) = mpsc::channel();
        std::thread::scope(|scope| {
            let most = &most;
            scope.spawn(move || {
                // All first workers are at work before anything is changed.
                let first = heard.recv().unwrap_or(0);
                change(first);
            });
            let sleep = Deadline::none(CancelToken::new());
            crew.each(gate, (0..items).collect(), |item, _| {
                let here = now.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(here, Ordering::SeqCst);
                if item == 0 {
                    let _ = say.send(here);
                }
                let _ = sleep.sleep(Duration::from_millis(60));
                now.fetch_sub(1, Ordering::SeqCst);
            });
            drop(say);
        });
        most.into_inner()
    }

    #[test]
    fn workers_are_added_while_the_first_ones_are_at_work() {
        let (gate, crew) = (gate(2), Crew::new(2).unwrap());
        assert_eq!(most_at_once(&gate, &crew, 30, |_| ()), 2);
        let more = |_| {
            gate.set_forks(Forks::Exactly(9));
        };
        assert_eq!(most_at_once(&gate, &crew, 60, more), 9);
        // They stay, and they can be more still.
        assert_eq!(most_at_once(&gate, &crew, 60, |_| ()), 9);
        let more = |_| {
            gate.set_forks(Forks::More(3));
        };
        assert_eq!(most_at_once(&gate, &crew, 60, more), 12);
        gate.set_forks(Forks::Exactly(3));
        assert_eq!(most_at_once(&gate, &crew, 20, |_| ()), 3);
    }

    #[test]
    fn items_begin_in_their_order() {
        let (gate, crew) = (gate(3), Crew::new(3).unwrap());
        let begun = Mutex::new(Vec::new());
        crew.each(&gate, (0..50).collect(), |item: usize, _| {
            begun.lock().unwrap().push(item);
        });
        let begun = begun.into_inner().unwrap();
        // Three at once may overtake each other, not more.
        assert!(
            begun.iter().enumerate().all(|(at, item)| at.abs_diff(*item) <= 3),
            "{begun:?}"
        );
        assert_eq!(begun.len(), 50);
    }

    #[test]
    fn nobody_begins_while_it_is_paused_and_the_end_of_the_run_frees_all() {
        let cancel = CancelToken::new();
        let gate = Gate::new(4, Deadline::none(cancel.clone()));
        let crew = Crew::new(4).unwrap();
        assert!(gate.set_paused(true) && !gate.set_paused(true));
        let done = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            let runs = scope.spawn(|| {
                crew.each(&gate, (0..8).collect(), |_: usize, _| {
                    done.fetch_add(1, Ordering::SeqCst);
                });
            });
            std::thread::park_timeout(Duration::from_millis(50));
            assert_eq!(done.load(Ordering::SeqCst), 0);
            gate.set_paused(false);
            runs.join().unwrap();
            assert_eq!(done.load(Ordering::SeqCst), 8);
            gate.set_paused(true);
            let runs = scope.spawn(|| crew.each(&gate, (0..8).collect(), |_: usize, _| ()));
            cancel.wind_down();
            runs.join().unwrap();
        });
    }

    #[test]
    fn who_is_over_the_limit_gives_way_between_two_tasks() {
        let gate = gate(2);
        let mut first = gate.enter();
        let _second = gate.enter();
        gate.set_forks(Forks::Exactly(1));
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| first.again());
            std::thread::park_timeout(Duration::from_millis(50));
            assert!(!waits.is_finished());
            assert_eq!(gate.setting().working, 1);
            gate.set_forks(Forks::Exactly(2));
            waits.join().unwrap();
        });
        assert_eq!(gate.setting().working, 2);
    }
}
