//! A wave held against those before it.

use std::cmp::Reverse;

use indexmap::IndexMap;

use super::wave::{Members, Shown};
use super::{Kind, Named, SHOWN, Wave, Waves, hosts};
use crate::event::canary::{CanaryFound, CanaryVerdict, Subject, WavePlace};
use crate::event::preflight::Decision;
use crate::layout::difference;
use crate::names::HostName;
use crate::plan::canary::{Canary, Compared};
use crate::plan::preflight::{Check, OnMismatch};
use crate::preflight::verdict::Outcome;

/// Characters of a reason.
const LONGEST: usize = 600;

/// What the hosts of a wave answered to one check.
pub struct Answers<'a> {
    /// The check.
    pub check: &'a Check,
    /// One for each host that was asked.
    pub outcomes: Vec<(&'a HostName, &'a Outcome)>,
}

/// Which wave is judged.
pub struct Occasion<'a> {
    /// The play's name.
    pub play: &'a str,
    /// The wave's place.
    pub place: WavePlace,
    /// Its hosts.
    pub hosts: &'a [HostName],
    /// Those of them that went through the play.
    pub through: &'a [HostName],
    /// How many hosts later waves have.
    pub rest: usize,
}

/// A host that is not as those of the waves before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Which.
    pub host: HostName,
    /// Why.
    pub reason: String,
}

/// What a wave came to.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// For the outputs, and for later waves.
    pub told: CanaryVerdict,
    /// Who is not like the hosts before.
    pub refused: Vec<Refused>,
}

impl Waves {
    /// Holds a wave against those before it. The first one has nothing to be like: it must not fail.
    pub fn judge(&self, canary: &Canary, mut wave: Wave, answers: &[Answers<'_>], occasion: &Occasion<'_>) -> Verdict {
        let mut judging = Judging {
            waves: self,
            canary,
            found: Vec::new(),
            decision: Decision::Passed,
            refused: IndexMap::new(),
        };
        if canary.results != Compared::Failures {
            wave.add_absent(occasion.through, self.subjects());
        }
        for (subject, shown) in &wave.subjects {
            judging.task(subject, shown);
        }
        for answers in answers {
            judging.check(answers, &mut wave);
        }
        judging.conclude(&wave, occasion)
    }
}

struct Judging<'a> {
    waves: &'a Waves,
    canary: &'a Canary,
    found: Vec<CanaryFound>,
    decision: Decision,
    refused: IndexMap<HostName, String>,
}

impl Judging<'_> {
    fn task(&mut self, subject: &Subject, shown: &Shown) {
        let is_first = self.waves.is_empty();
        for (digest, members) in &shown.kinds {
            if self.waves.knows(subject, digest) || is_first && !members.bad {
                continue;
            }
            let (usual, count) = match self.waves.usual(subject) {
                Some(usual) => usual,
                None => best(shown, digest),
            };
            let reason = match (is_first, members.bad) {
                (true, _) => "it failed in the first wave",
                (false, true) => "it failed in a way that no wave before has shown",
                (false, false) => "what it came to is of a kind that no wave before has shown",
            };
            let mut found = found(&shown.named, false, &members.hosts, reason);
            (found.usual, found.difference) = (count, difference(&usual, &members.lines));
            self.add(found, self.canary.on_mismatch);
        }
    }

    fn check(&mut self, answers: &Answers<'_>, wave: &mut Wave) {
        let check = answers.check;
        let named = Named {
            name: check.name.clone(),
            path: format!("{}:{}", check.at.file.path.display(), check.at.line),
            once: false,
        };
        let subject = Subject::Check {
            name: check.name.clone(),
        };
        let mut wrong: IndexMap<(&str, bool), Vec<HostName>> = IndexMap::new();
        let mut reasons: Vec<(String, bool, &HostName)> = Vec::new();
        for (host, outcome) in &answers.outcomes {
            match outcome {
                Outcome::NotAsked => {}
                Outcome::Silent { reason, .. } => reasons.push((reason.clone(), true, host)),
                Outcome::Answered { lines, problems, .. } => {
                    if !problems.is_empty() {
                        reasons.push((problems.join("; "), false, host));
                    }
                    if !check.judges_each() {
                        wave.note(
                            subject.clone(),
                            &named,
                            host,
                            Some(Kind::new(lines.clone(), false)),
                            true,
                        );
                    }
                }
            }
        }
        for (reason, silent, host) in &reasons {
            wrong.entry((reason, *silent)).or_default().push((*host).clone());
        }
        for ((reason, silent), hosts) in wrong {
            let mut found = found(&named, true, &hosts, reason);
            found.silent = silent;
            let action = if silent { check.on_no_answer } else { check.on_mismatch };
            self.add(found, action);
        }
        let Some(shown) = wave.subjects.get(&subject) else {
            return;
        };
        for (digest, members) in self.odd(check, &subject, shown) {
            let (usual, count) = match self.waves.usual(&subject) {
                Some(usual) => usual,
                None => best(shown, digest),
            };
            let reason = if self.waves.is_empty() {
                "its answer is not that of the others in the first wave"
            } else {
                "its answer is of a kind that no wave before has given"
            };
            let mut found = found(&named, true, &members.hosts, reason);
            (found.usual, found.difference) = (count, difference(&usual, &members.lines));
            self.add(found, check.on_mismatch);
        }
    }

    /// The kinds of answers that must not be.
    fn odd<'s>(&self, check: &Check, subject: &Subject, shown: &'s Shown) -> Vec<(&'s str, &'s Members)> {
        let kinds = shown.kinds.iter().map(|(digest, members)| (digest.as_str(), members));
        let mut new: Vec<(&str, &Members)> = kinds.filter(|(digest, _)| !self.waves.knows(subject, digest)).collect();
        let Some(most) = check.demand.most else {
            return if self.waves.is_empty() { Vec::new() } else { new };
        };
        // As many as may still come, the more common ones first.
        new.sort_by_key(|(_, members)| Reverse(members.hosts.len()));
        let room = most.saturating_sub(self.waves.count(subject));
        new.into_iter().skip(room).collect()
    }

    fn add(&mut self, found: CanaryFound, action: OnMismatch) {
        self.decision = self.decision.max(match action {
            OnMismatch::Ask => Decision::Ask,
            // Nobody can be left out of a wave that is done.
            OnMismatch::Stop | OnMismatch::Drop => Decision::Stop,
        });
        for host in &found.hosts {
            let known = self.refused.entry(host.clone()).or_default();
            if known.is_empty() {
                let what = if found.check { "check" } else { "task" };
                *known = format!("{what} `{}`: {}", found.name, found.reason);
            }
        }
        self.found.push(found);
    }

    fn conclude(mut self, wave: &Wave, occasion: &Occasion<'_>) -> Verdict {
        let all = occasion.hosts.len();
        let place = occasion.place;
        let head = format!("wave {} of {}: ", place.wave, place.waves);
        let is_first = self.waves.is_empty();
        let odd = self.refused.len();
        let mut msg = match (self.decision, is_first) {
            (Decision::Passed, true) if occasion.rest > 0 => {
                format!("{head}{}, which the next waves are compared with", hosts(all))
            }
            (Decision::Passed, true) => format!("{head}{}, and none of them failed", hosts(all)),
            (Decision::Passed, false) => format!("{head}{}, like the waves before", hosts(all)),
            (_, true) => format!("{head}{odd} of {} did not pass", hosts(all)),
            (_, false) if odd == 1 => format!("{head}1 of {} is not like the waves before", hosts(all)),
            (_, false) => format!("{head}{odd} of {} are not like the waves before", hosts(all)),
        };
        if self.decision == Decision::Stop && occasion.rest > 0 {
            msg.push_str(&format!("; the {} of later waves are not begun", hosts(occasion.rest)));
        }
        let help = self.way_on();
        let more = self.found.len().saturating_sub(SHOWN);
        self.found.truncate(SHOWN);
        let told = CanaryVerdict {
            play: occasion.play.to_owned(),
            place,
            hosts: occasion.hosts.to_vec(),
            compared: occasion.through.len(),
            decision: self.decision,
            found: self.found,
            more,
            kinds: wave.told(|subject, digest| self.waves.count(subject) > 0 && self.waves.knows(subject, digest)),
            msg,
            help,
        };
        let refused = self.refused.into_iter();
        let refused = refused.map(|(host, reason)| Refused { host, reason }).collect();
        Verdict { told, refused }
    }

    /// What can be done, the safest first.
    fn way_on(&self) -> Vec<String> {
        if self.decision == Decision::Passed {
            return Vec::new();
        }
        let mut way = vec![
            "mend them, then `batchssh retry`: it begins with this wave and compares again".to_owned(),
            "when what it shows is right: `batchssh retry --accept-wave`, and later waves may be like it".to_owned(),
        ];
        let results = self.found.iter().filter(|found| !found.check);
        let by_words = |found: &CanaryFound| {
            let outcome = |line: &String| line.contains("outcome: ") || line.contains(super::ABSENT);
            !found.difference.is_empty() && !found.difference.iter().any(outcome)
        };
        if self.canary.results == Compared::Words && results.clone().count() > 0 && results.clone().all(by_words) {
            way.push("to compare only how tasks end, not what they say: `canary: [{results: status}]`".to_owned());
        }
        way
    }
}

fn found(named: &Named, check: bool, hosts: &[HostName], reason: &str) -> CanaryFound {
    CanaryFound {
        name: named.name.clone(),
        check,
        path: named.path.clone(),
        hosts: hosts.to_vec(),
        reason: reason.chars().take(LONGEST).collect(),
        silent: false,
        usual: 0,
        difference: Vec::new(),
    }
}

/// What most of the other hosts of the same wave showed.
fn best(shown: &Shown, but: &str) -> (Vec<String>, usize) {
    let others = shown
        .kinds
        .iter()
        .filter(|(digest, members)| *digest != but && !members.bad);
    let best = others.max_by_key(|(_, members)| members.hosts.len());
    best.map_or_else(Default::default, |(_, members)| {
        (members.lines.clone(), members.hosts.len())
    })
}
