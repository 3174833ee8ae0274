//! `canary`: after each wave of a play its results, and the answers of its hosts to the checks, are held against those of
//! the waves before. What is of a new kind stops the play before the next wave.

mod past;
mod watch;

use std::sync::Arc;

use indexmap::IndexMap;

use crate::canary::{Answers, Occasion, Refused, Verdict, Waves};
use crate::engine::Engine;
use crate::engine::host::HostRun;
use crate::engine::play::PlayRun;
use crate::engine::preflight::{About, Answer, Asked, Purpose, Question};
use crate::event::canary::WavePlace;
use crate::event::preflight::Decision;
use crate::event::{EventKind, Refusal, Severity, Status, TaskReport};
use crate::names::HostName;
use crate::plan::Play;
use crate::plan::canary::Canary;
use crate::preflight::verdict::Outcome;
use crate::source::Diagnostics;

pub use past::{PastPlay, PastWaves};
pub use watch::Watch;

/// One wave of a play.
pub(super) struct Wave {
    /// Its place.
    pub place: WavePlace,
    /// Its hosts.
    pub hosts: Vec<HostName>,
}

/// The comparison of the waves of one play.
pub(super) struct Comparison<'p> {
    canary: &'p Canary,
    /// What earlier runs of the chain know.
    past: Option<&'p PastPlay>,
    /// What counts as right so far.
    waves: Waves,
}

impl Engine<'_> {
    /// The waves of a play, in which the hosts of `names` are. A run that goes on with another one goes on at the wave
    /// that was begun.
    pub(super) fn waves(&self, play: &Play, names: &[HostName], number: u32) -> Result<Vec<Wave>, Diagnostics> {
        let past = play.canary.as_ref().and_then(|_| self.past(number));
        let mut groups: Vec<(usize, Vec<HostName>)> = Vec::new();
        let mut rest = names.to_vec();
        let mut total = names.len();
        if let Some(past) = past {
            total = past.total().max(total);
            let (begun, later): (Vec<HostName>, Vec<HostName>) =
                rest.into_iter().partition(|name| past.wave_of(name).is_some());
            let mut by_wave: std::collections::BTreeMap<usize, Vec<HostName>> = std::collections::BTreeMap::new();
            for name in begun {
                by_wave
                    .entry(past.wave_of(&name).unwrap_or_default())
                    .or_default()
                    .push(name);
            }
            groups.extend(by_wave);
            rest = later;
        }
        let begun = past.map_or(0, PastPlay::begun);
        let sizes = super::batches(self.shared, play, total)?;
        let mut sizes = sizes.iter().skip(begun).copied();
        let mut wave = begun;
        let mut left = rest.as_slice();
        while !left.is_empty() {
            let size = sizes.next().unwrap_or(left.len()).clamp(1, left.len());
            let (these, later) = left.split_at(size);
            wave += 1;
            groups.push((wave, these.to_vec()));
            left = later;
        }
        let waves = groups.last().map_or(0, |(wave, _)| *wave).max(begun);
        let wave = |(wave, hosts)| Wave {
            place: WavePlace { number, wave, waves },
            hosts,
        };
        Ok(groups.into_iter().map(wave).collect())
    }

    fn past(&self, number: u32) -> Option<&PastPlay> {
        self.shared.replay()?.waves.play(number)
    }

    /// Begins to compare the waves of a play; `None`: they are not compared.
    pub(super) fn comparison<'p>(&'p self, play: &'p Play, number: u32) -> Option<Comparison<'p>> {
        let canary = play.canary.as_ref().filter(|_| self.has_wanted(&play.body))?;
        let past = self.past(number);
        let mut waves = past.map(PastPlay::accepted).unwrap_or_default();
        let accepts = self.shared.replay().is_some_and(|replay| replay.accept_wave);
        if let Some(stopped) = past.and_then(PastPlay::stopped).filter(|_| accepts) {
            self.shared.tell_kept(EventKind::CanaryDecided {
                place: stopped.place,
                accepted: true,
                by: self.shared.options.who.clone(),
            });
            waves.accept(stopped);
        }
        Some(Comparison { canary, past, waves })
    }

    /// A wave is through: it is compared. Gives why nothing more is to be done, when that is so.
    pub(super) fn compare(
        &self,
        comparison: &mut Comparison<'_>,
        run: &PlayRun,
        wave: &Wave,
        hosts: &mut [HostRun],
        rest: usize,
    ) -> Option<String> {
        let shared = self.shared;
        let shown = run.watch.as_ref().map(Watch::take).unwrap_or_default();
        let was_accepted = comparison.past.is_some_and(|past| past.is_accepted(wave.place.wave));
        if was_accepted && !shown.is_live() {
            return None;
        }
        let through: Vec<HostName> = hosts
            .iter()
            .filter(|host| !host.out && !host.cut)
            .map(|host| host.name.clone())
            .collect();
        // All of them were left out by the user.
        if through.is_empty() && shown.is_empty() {
            return None;
        }
        let asked = self.ask_wave(comparison.canary, run, hosts);
        if shared.cancel.is_winding_down() {
            // It is compared when the run is gone on with.
            for host in hosts.iter_mut() {
                host.cut = true;
            }
            return None;
        }
        let occasion = Occasion {
            play: &run.name,
            place: wave.place,
            hosts: &wave.hosts,
            through: &through,
            rest,
        };
        let answers: Vec<Answers<'_>> = comparison
            .canary
            .checks
            .iter()
            .enumerate()
            .map(|(index, check)| {
                let outcomes: Vec<(&HostName, &Outcome)> = asked
                    .iter()
                    .filter_map(|asked| Some((&asked.host, asked.outcomes.get(index)?)))
                    .collect();
                Answers { check, outcomes }
            })
            .collect();
        let verdict = comparison.waves.judge(comparison.canary, shown, &answers, &occasion);
        // In the journal before the next wave begins: whoever goes on with this run knows what was right.
        shared.tell_kept(EventKind::CanaryVerdict(Box::new(verdict.told.clone())));
        if self.is_right(&verdict, wave) {
            comparison.waves.accept(&verdict.told);
            return None;
        }
        let mut refused: IndexMap<HostName, Refused> =
            verdict.refused.into_iter().map(|one| (one.host.clone(), one)).collect();
        for host in hosts.iter_mut().filter(|host| !host.out) {
            if let Some(one) = refused.swap_remove(&host.name) {
                self.refuse(comparison.canary, wave.place, host, &one.reason);
            }
        }
        let place = wave.place;
        Some(format!(
            "not begun: wave {} of {} was not like the waves before",
            place.wave, place.waves
        ))
    }

    /// Whether a wave counts as right; somebody may have to be asked.
    fn is_right(&self, verdict: &Verdict, wave: &Wave) -> bool {
        let shared = self.shared;
        match verdict.told.decision {
            Decision::Passed => return true,
            Decision::Stop | Decision::Drop => return false,
            Decision::Ask => {}
        }
        let question = Question {
            about: About::Wave(wave.place),
            checks: Vec::new(),
            refused: verdict.refused.iter().map(|one| one.host.clone()).collect(),
            hosts: wave.hosts.len(),
        };
        let (accepted, by, text) = match (shared.preflight.ask)(&question) {
            Answer::GoOn(who) => {
                let text = format!("{who} approved wave {}: later waves may be like it", wave.place.wave);
                (true, who, text)
            }
            Answer::Stop => (
                false,
                String::new(),
                "not approved: no further wave is begun".to_owned(),
            ),
            Answer::Nobody => {
                let text = "`on_mismatch: ask` needs a terminal, and there is none: no further wave is begun";
                (false, String::new(), text.to_owned())
            }
        };
        (shared.tell)(EventKind::Message {
            severity: Severity::Warning,
            text,
        });
        let place = wave.place;
        shared.tell_kept(EventKind::CanaryDecided { place, accepted, by });
        accepted
    }

    /// The host is done, and not like those before it.
    fn refuse(&self, canary: &Canary, place: WavePlace, host: &mut HostRun, reason: &str) {
        let report = TaskReport {
            module: "canary".to_owned(),
            path: format!("{}:{}", canary.at.file.path.display(), canary.at.line),
            refused: Some(Refusal::Guard),
            ..TaskReport::bare(
                &host.name,
                format!("canary, wave {}", place.wave),
                Status::Failed,
                format!("its tasks are done; {reason}"),
            )
        };
        host.judge(&report);
        host.out = true;
        (self.shared.tell)(EventKind::TaskResult(Box::new(report)));
    }

    /// The checks, asked of the hosts that went through the play.
    fn ask_wave(&self, canary: &Canary, run: &PlayRun, hosts: &mut [HostRun]) -> Vec<Asked> {
        if canary.checks.is_empty() {
            return Vec::new();
        }
        let hosts: Vec<&mut HostRun> = hosts.iter_mut().filter(|host| !host.out && !host.cut).collect();
        let keep = super::linear::keep_sessions(hosts.len());
        self.ask_each(run, &canary.checks, Purpose::Canary, hosts, keep)
    }

    /// What a play run needs to take down what its hosts show.
    pub(super) fn watch(&self, play: &Arc<Play>) -> Option<Watch> {
        let canary = play.canary.as_ref()?;
        Some(Watch::new(self.shared.mask.clone(), canary.results))
    }
}
