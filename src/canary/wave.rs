//! What the hosts of one wave showed, in kinds: of each kind one is held, however many hosts showed it.

use std::collections::HashSet;

use indexmap::IndexMap;

use super::{ABSENT, Kind, SHOWN, cut};
use crate::event::canary::{CanaryKind, Subject};
use crate::names::HostName;

/// A task or a check, as it is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// `file:line`.
    pub path: String,
    /// It runs once for a whole wave.
    pub once: bool,
}

/// The hosts of a kind.
#[derive(Clone, Debug, Default)]
pub(super) struct Members {
    pub lines: Vec<String>,
    pub bad: bool,
    pub hosts: Vec<HostName>,
}

/// What the wave showed of one subject.
#[derive(Clone, Debug, Default)]
pub(super) struct Shown {
    pub named: Named,
    pub kinds: IndexMap<String, Members>,
    /// Hosts that came to it, also those whose result cannot be compared.
    came: HashSet<HostName>,
}

/// A wave on its way.
#[derive(Debug, Default)]
pub struct Wave {
    pub(super) subjects: IndexMap<Subject, Shown>,
    is_live: bool,
}

impl Wave {
    /// A host showed this; `None`: something that cannot be compared. `live`: in this run, and not in an earlier one.
    pub fn note(&mut self, subject: Subject, named: &Named, host: &HostName, kind: Option<Kind>, live: bool) {
        self.is_live |= live;
        let shown = self.subjects.entry(subject).or_insert_with(|| Shown {
            named: named.clone(),
            ..Shown::default()
        });
        // A host that comes to a task twice (its include failed behind it) shows both.
        shown.came.insert(host.clone());
        let Some(kind) = kind else { return };
        let has_room = shown.kinds.len() < SHOWN;
        let members = shown.kinds.entry(kind.digest).or_insert_with(|| Members {
            lines: if has_room { cut(&kind.lines) } else { Vec::new() },
            bad: kind.bad,
            hosts: Vec::new(),
        });
        members.hosts.push(host.clone());
    }

    /// Something was done in this run.
    pub fn is_live(&self) -> bool {
        self.is_live
    }

    /// Nothing was shown.
    pub fn is_empty(&self) -> bool {
        self.subjects.is_empty()
    }

    /// Hosts that went through the play and did not come to a task to which others came: they are a kind, too.
    pub(super) fn add_absent(&mut self, through: &[HostName], before: impl Iterator<Item = (Subject, Named)>) {
        for (subject, named) in before {
            let is_task = matches!(subject, Subject::Task { .. });
            if is_task && !named.once && !through.is_empty() {
                self.subjects.entry(subject).or_insert_with(|| Shown {
                    named,
                    ..Shown::default()
                });
            }
        }
        let absent = Kind::new(vec![ABSENT.to_owned()], false);
        for (subject, shown) in &mut self.subjects {
            if shown.named.once || matches!(subject, Subject::Check { .. }) {
                continue;
            }
            let hosts: Vec<HostName> = through
                .iter()
                .filter(|host| !shown.came.contains(*host))
                .cloned()
                .collect();
            if !hosts.is_empty() {
                let (lines, bad) = (absent.lines.clone(), false);
                shown.kinds.insert(absent.digest.clone(), Members { lines, bad, hosts });
            }
        }
    }

    /// All kinds, as they are told.
    pub(super) fn told(&self, is_known: impl Fn(&Subject, &str) -> bool) -> Vec<CanaryKind> {
        let kinds = self.subjects.iter().flat_map(|(subject, shown)| {
            let is_known = &is_known;
            shown.kinds.iter().map(move |(digest, members)| CanaryKind {
                subject: subject.clone(),
                name: shown.named.name.clone(),
                path: shown.named.path.clone(),
                once: shown.named.once,
                digest: digest.clone(),
                lines: if is_known(subject, digest) {
                    Vec::new()
                } else {
                    members.lines.clone()
                },
                hosts: members.hosts.len(),
            })
        });
        kinds.collect()
    }
}
