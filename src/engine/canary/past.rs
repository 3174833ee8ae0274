//! What earlier runs of a chain know about the waves of its plays: which hosts were in which wave, and what was right.

use std::collections::{HashMap, HashSet};

use crate::canary::Waves;
use crate::event::EventKind;
use crate::event::canary::{CanaryVerdict, WavePlace};
use crate::event::preflight::Decision;
use crate::names::HostName;

/// The fold of what concerns waves.
#[derive(Debug, Default)]
pub struct PastWaves {
    plays: HashMap<u32, PastPlay>,
}

/// The waves of one play.
#[derive(Debug, Default)]
pub struct PastPlay {
    total: usize,
    begun: usize,
    hosts: HashMap<HostName, usize>,
    accepted: HashSet<usize>,
    waves: Waves,
    /// The last wave that was not like those before it, and that nobody has called right.
    stopped: Option<Box<CanaryVerdict>>,
}

impl PastWaves {
    /// Takes an event into account.
    pub fn observe(&mut self, event: &EventKind) {
        match event {
            EventKind::RunStarted { origin, .. } if origin.from_start => self.plays.clear(),
            EventKind::WaveStarted { place, total, hosts } => {
                let play = self.plays.entry(place.number).or_default();
                play.total = play.total.max(*total);
                play.begun = play.begun.max(place.wave);
                for host in hosts {
                    play.hosts.entry(host.clone()).or_insert(place.wave);
                }
            }
            EventKind::CanaryVerdict(verdict) => {
                let play = self.plays.entry(verdict.place.number).or_default();
                match verdict.decision {
                    Decision::Passed => play.accept(verdict),
                    Decision::Drop | Decision::Ask | Decision::Stop => play.stopped = Some(verdict.clone()),
                }
            }
            EventKind::CanaryDecided {
                place, accepted: true, ..
            } => self.decided(*place),
            _ => {}
        }
    }

    fn decided(&mut self, place: WavePlace) {
        let Some(play) = self.plays.get_mut(&place.number) else {
            return;
        };
        if let Some(verdict) = play.stopped.take() {
            play.accept(&verdict);
        }
    }

    /// The waves of a play.
    pub fn play(&self, number: u32) -> Option<&PastPlay> {
        self.plays.get(&number)
    }

    /// Whether there is a wave that was not like those before it.
    pub fn has_stopped(&self) -> bool {
        self.plays.values().any(|play| play.stopped.is_some())
    }
}

impl PastPlay {
    fn accept(&mut self, verdict: &CanaryVerdict) {
        self.accepted.insert(verdict.place.wave);
        self.waves.accept(verdict);
        self.stopped = None;
    }

    /// How many hosts the play had when it was begun first.
    pub fn total(&self) -> usize {
        self.total
    }

    /// How many waves were begun.
    pub fn begun(&self) -> usize {
        self.begun
    }

    /// The wave in which a host was.
    pub fn wave_of(&self, host: &HostName) -> Option<usize> {
        self.hosts.get(host).copied()
    }

    /// Whether a wave counts as right.
    pub fn is_accepted(&self, wave: usize) -> bool {
        self.accepted.contains(&wave)
    }

    /// What counts as right.
    pub fn accepted(&self) -> Waves {
        self.waves.clone()
    }

    /// The last wave that was not.
    pub fn stopped(&self) -> Option<&CanaryVerdict> {
        self.stopped.as_deref()
    }
}
