//! What is otherwise than in a baseline, or than in an earlier audit.

use std::collections::HashSet;

use indexmap::IndexMap;
use serde::Serialize;

use super::answers::{Heard, Line};
use super::rows::texts;
use crate::layout::{Baseline, Layouts};

/// The whole comparison.
#[derive(Debug, Default, Serialize)]
pub struct Drift {
    /// Hosts that answer as they did.
    pub same: usize,
    /// Hosts that answer otherwise, those with the same change together, the fewest first.
    pub changed: Vec<Changed>,
    /// Hosts that the baseline does not know.
    pub new: Vec<New>,
    /// Hosts of the baseline that were not asked although nothing limited the hosts.
    pub vanished: Vec<String>,
}

/// One change.
#[derive(Debug, Serialize)]
pub struct Changed {
    /// Whose.
    pub hosts: Vec<String>,
    /// What they answered then.
    pub was: Vec<String>,
    /// What they answer now.
    pub is: Vec<String>,
    /// The number of their layout.
    #[serde(skip)]
    pub layout: Option<usize>,
}

/// Hosts that the baseline does not know.
#[derive(Debug, Serialize)]
pub struct New {
    /// Who.
    pub hosts: Vec<String>,
    /// Some other host of the baseline answers so.
    pub known: bool,
    /// What they answer.
    pub is: Vec<String>,
    /// The number of their layout.
    #[serde(skip)]
    pub layout: Option<usize>,
}

/// What one answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Verdict {
    Same,
    /// Another layout than the one with this number.
    Changed(usize),
    /// A new host; whether its answer is known.
    New(bool),
}

impl Verdict {
    fn is_drift(self) -> bool {
        match self {
            Self::Same | Self::New(true) => false,
            Self::Changed(_) | Self::New(false) => true,
        }
    }
}

fn judge(baseline: &Baseline, host: &str, found: Option<usize>) -> Verdict {
    match (baseline.number_of(host), found) {
        (Some(right), Some(found)) if right == found => Verdict::Same,
        (Some(right), _) => Verdict::Changed(right),
        (None, found) => Verdict::New(found.is_some()),
    }
}

/// Whether one answer is drift: a host that answers otherwise, or a new host that answers like no other.
pub fn is_drift(baseline: &Baseline, host: &str, lines: &[Line]) -> bool {
    judge(baseline, host, baseline.number_with(&texts(lines))).is_drift()
}

impl Drift {
    /// Compares. `whole`: all hosts of the inventory were asked, so that those who are missing are gone.
    pub fn new(baseline: &Baseline, heard: &Heard, whole: bool) -> Self {
        let mut drift = Self::default();
        let mut groups: IndexMap<(Verdict, usize), Vec<String>> = IndexMap::new();
        for (number, layout) in heard.layouts.groups.iter().enumerate() {
            let found = baseline.number_with(&texts(&layout.lines));
            for host in &layout.hosts {
                match judge(baseline, host, found) {
                    Verdict::Same => drift.same += 1,
                    other => groups.entry((other, number)).or_default().push(host.clone()),
                }
            }
        }
        groups.sort_by(|_, a, _, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
        for ((verdict, number), hosts) in groups {
            let is = heard
                .layouts
                .groups
                .get(number)
                .map_or_else(Vec::new, |layout| texts(&layout.lines));
            let layout = Some(number);
            match verdict {
                Verdict::Same => {}
                Verdict::Changed(right) => {
                    let was = baseline
                        .layouts
                        .get(right)
                        .map_or_else(Vec::new, |layout| layout.lines.clone());
                    drift.changed.push(Changed { hosts, was, is, layout });
                }
                Verdict::New(known) => drift.new.push(New {
                    hosts,
                    known,
                    is,
                    layout,
                }),
            }
        }
        if whole {
            let answered = heard.hosts.iter().map(|host| host.name.as_str());
            let silent = heard.silent.iter().map(|(host, _)| host.as_str());
            let asked: HashSet<&str> = answered.chain(silent).collect();
            let gone = baseline.hosts().into_iter().filter(|host| !asked.contains(host));
            drift.vanished = gone.map(str::to_owned).collect();
        }
        drift
    }

    /// True when something is to be looked after. New hosts that are like the others, and hosts that were taken out of the
    /// inventory, are told and are no drift.
    pub fn is_any(&self) -> bool {
        !self.changed.is_empty() || self.new.iter().any(|new| !new.known)
    }
}

/// An earlier audit as a baseline.
pub fn baseline(heard: &Heard) -> Baseline {
    let groups = heard.layouts.groups.iter().map(|layout| crate::layout::Layout {
        lines: texts(&layout.lines),
        hosts: layout.hosts.clone(),
    });
    let layouts = Layouts {
        groups: groups.collect(),
    };
    Baseline::new(heard.subject.name(), heard.normaliser.masks(), layouts)
}
