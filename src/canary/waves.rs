//! What the waves showed that count as right: the reference for the next one. Memory grows with the kinds, not with the
//! hosts.

use indexmap::IndexMap;

use super::{ABSENT, Kind, Named, SHOWN};
use crate::event::canary::{CanaryKind, CanaryVerdict, Subject};

/// How often a kind was seen, and what it looks like.
#[derive(Clone, Debug, Default)]
struct Known {
    lines: Vec<String>,
    hosts: usize,
}

/// The waves so far.
#[derive(Clone, Debug, Default)]
pub struct Waves {
    subjects: IndexMap<Subject, (Named, IndexMap<String, Known>)>,
    /// Hosts that were compared so far.
    hosts: usize,
}

impl Waves {
    /// Takes a wave in as right.
    pub fn accept(&mut self, verdict: &CanaryVerdict) {
        let before = self.hosts;
        self.hosts += verdict.compared;
        for kind in &verdict.kinds {
            self.take(kind, before);
        }
    }

    fn take(&mut self, kind: &CanaryKind, before: usize) {
        let (_, known) = self.subjects.entry(kind.subject.clone()).or_insert_with(|| {
            let named = Named {
                name: kind.name.clone(),
                path: kind.path.clone(),
                once: kind.once,
            };
            let mut known = IndexMap::new();
            if before > 0 && !kind.once && matches!(kind.subject, Subject::Task { .. }) {
                // No host of the waves before came to it.
                let absent = Kind::new(vec![ABSENT.to_owned()], false);
                let (lines, hosts) = (absent.lines, before);
                known.insert(absent.digest, Known { lines, hosts });
            }
            (named, known)
        });
        let has_room = known.len() < SHOWN;
        let one = known.entry(kind.digest.clone()).or_default();
        one.hosts += kind.hosts;
        if one.lines.is_empty() && has_room {
            one.lines.clone_from(&kind.lines);
        }
    }

    /// There is nothing yet to compare with.
    pub fn is_empty(&self) -> bool {
        self.hosts == 0
    }

    /// The tasks and checks that were seen.
    pub(super) fn subjects(&self) -> impl Iterator<Item = (Subject, Named)> {
        self.subjects
            .iter()
            .map(|(subject, (named, _))| (subject.clone(), named.clone()))
    }

    /// Whether hosts of waves before showed it.
    pub(super) fn knows(&self, subject: &Subject, digest: &str) -> bool {
        match self.subjects.get(subject) {
            Some((_, known)) => known.contains_key(digest),
            // Nobody came to it so far; not coming to it is nothing new.
            None => {
                matches!(subject, Subject::Task { .. }) && digest == Kind::new(vec![ABSENT.to_owned()], false).digest
            }
        }
    }

    /// How many kinds of a subject are known.
    pub(super) fn count(&self, subject: &Subject) -> usize {
        self.subjects.get(subject).map_or(0, |(_, known)| known.len())
    }

    /// What most hosts showed, and how many they are.
    pub(super) fn usual(&self, subject: &Subject) -> Option<(Vec<String>, usize)> {
        let Some((_, known)) = self.subjects.get(subject) else {
            let absent = matches!(subject, Subject::Task { .. }) && self.hosts > 0;
            return absent.then(|| (vec![ABSENT.to_owned()], self.hosts));
        };
        let shown = known.values().filter(|one| !one.lines.is_empty());
        let usual = shown.max_by_key(|one| one.hosts)?;
        Some((usual.lines.clone(), usual.hosts))
    }
}
