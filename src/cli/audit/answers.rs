//! The answers of an audit as a fold of its events: those of the run, or those of a journal.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use indexmap::IndexMap;

use super::subject::Subject;
use crate::event::{Event, EventKind, TaskReport};
use crate::layout::{Folding, Layouts, Normaliser};

/// A line that many hosts may share.
pub type Line = Arc<str>;

/// What the answers may take in memory, about. Equal answers are held once, equal lines of different answers too; whoever
/// comes after this limit is not compared, and that is said.
const MOST_BYTES: usize = 512 * 1024 * 1024;

/// All that was heard.
#[derive(Debug)]
pub struct Answers {
    /// What was looked at.
    pub subject: Subject,
    /// What is replaced in every line before it is compared.
    pub normaliser: Normaliser,
    /// The run's name.
    pub run: String,
    /// When it began.
    pub began: String,
    /// Somebody stopped it: what is missing says nothing.
    pub cancelled: bool,
    /// All hosts, as the inventory has them: answers come in any order, what is shown does not.
    order: Vec<String>,
    folding: Folding<Line>,
    lines: HashSet<Line>,
    bytes: usize,
    most: usize,
    /// The hosts that answered, each with what is its own.
    extra: HashMap<String, Vec<(Line, Line)>>,
    silent: IndexMap<String, String>,
    notes: BTreeMap<String, Vec<String>>,
}

impl Answers {
    /// Nothing yet.
    pub fn new(subject: Subject, normaliser: Normaliser) -> Self {
        Self {
            subject,
            normaliser,
            run: String::new(),
            began: String::new(),
            cancelled: false,
            order: Vec::new(),
            folding: Folding::default(),
            lines: HashSet::new(),
            bytes: 0,
            most: MOST_BYTES,
            extra: HashMap::new(),
            silent: IndexMap::new(),
            notes: BTreeMap::new(),
        }
    }

    /// Takes one event; gives the lines that are compared when it was an answer.
    pub fn observe(&mut self, event: &Event) -> Option<(String, Vec<Line>)> {
        match &event.kind {
            EventKind::RunStarted { run, hosts, .. } => {
                self.run.clone_from(run);
                self.began.clone_from(&event.time);
                self.order = hosts.iter().map(ToString::to_string).collect();
                None
            }
            EventKind::TaskResult(report) if report.status.is_good() => self.take(report),
            EventKind::TaskResult(report) => {
                let why = if report.msg.is_empty() {
                    report.status.as_str()
                } else {
                    &report.msg
                };
                self.silent.insert(report.host.to_string(), why.to_owned());
                None
            }
            EventKind::RunCancelled { .. } => {
                self.cancelled = true;
                None
            }
            _ => None,
        }
    }

    fn take(&mut self, report: &TaskReport) -> Option<(String, Vec<Line>)> {
        let host = report.host.to_string();
        if self.extra.contains_key(&host) {
            // A host is in one layout; its first answer counts.
            return None;
        }
        let read = self.subject.read(report);
        let lines: Vec<Line> = read
            .lines
            .iter()
            .map(|line| self.intern(&self.normaliser.line(line, &host)))
            .collect();
        let known = self.folding.knows(&lines);
        if !known {
            self.bytes += lines.len() * size_of::<Line>();
        }
        if self.bytes > self.most {
            let limit = self.most / (1024 * 1024);
            let why =
                format!("answered, but is not compared: the answers take more than {limit} MiB; look at fewer hosts");
            self.silent.insert(host, why);
            return None;
        }
        self.folding.add(host.clone(), lines.clone());
        let extra: Vec<(Line, Line)> = read
            .extra
            .iter()
            .map(|(name, value)| (self.intern(name), self.intern(value)))
            .collect();
        self.bytes += extra.len() * 2 * size_of::<Line>();
        self.extra.insert(host.clone(), extra);
        for note in read.notes {
            self.notes.entry(note).or_default().push(host.clone());
        }
        Some((host, lines))
    }

    fn intern(&mut self, text: &str) -> Line {
        if let Some(line) = self.lines.get(text) {
            return line.clone();
        }
        let line: Line = Arc::from(text);
        // The text, its counts, its place in the set.
        self.bytes += text.len() + 48;
        self.lines.insert(line.clone());
        line
    }

    /// All of them together, when the last one is in.
    pub fn finish(self) -> Heard {
        let place: HashMap<&str, usize> = self.order.iter().map(String::as_str).zip(0..).collect();
        let at = |host: &str| place.get(host).copied().unwrap_or(usize::MAX);
        let mut silent = self.silent;
        for host in &self.order {
            // Never started, or stopped: no answer either.
            if !self.extra.contains_key(host) && !silent.contains_key(host) {
                silent.insert(host.clone(), "not asked".to_owned());
            }
        }
        silent.sort_by_key(|host, _| at(host));
        let layouts = self.folding.finish();
        let mut hosts: Vec<Host> = layouts
            .groups
            .iter()
            .enumerate()
            .flat_map(|(layout, group)| group.hosts.iter().map(move |name| (layout, name)))
            .map(|(layout, name)| Host {
                name: name.clone(),
                layout,
                extra: self.extra.get(name).cloned().unwrap_or_default(),
            })
            .collect();
        hosts.sort_by_key(|host| at(&host.name));
        Heard {
            subject: self.subject,
            normaliser: self.normaliser,
            run: self.run,
            began: self.began,
            cancelled: self.cancelled,
            layouts,
            hosts,
            silent: silent.into_iter().collect(),
            notes: self.notes.into_iter().collect(),
        }
    }
}

/// A host that answered.
#[derive(Debug)]
pub struct Host {
    /// Its inventory name.
    pub name: String,
    /// The number of its layout in [`Layouts::groups`].
    pub layout: usize,
    /// What is its own: name and value.
    pub extra: Vec<(Line, Line)>,
}

/// What came of an audit.
#[derive(Debug)]
pub struct Heard {
    /// What was looked at.
    pub subject: Subject,
    /// What was replaced in every line.
    pub normaliser: Normaliser,
    /// The run's name.
    pub run: String,
    /// When it began.
    pub began: String,
    /// Somebody stopped it.
    pub cancelled: bool,
    /// Hosts with equal answers.
    pub layouts: Layouts<Line>,
    /// Those that answered, in inventory order.
    pub hosts: Vec<Host>,
    /// Those that did not, and why.
    pub silent: Vec<(String, String)>,
    /// How it was looked, and where so.
    pub notes: Vec<(String, Vec<String>)>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Status;
    use crate::report::testing::{bad, command, result, started};

    fn event(kind: EventKind) -> Event {
        Event {
            kind,
            seq: 1,
            time: String::new(),
        }
    }

    fn heard(most: usize, events: Vec<EventKind>) -> Heard {
        let mut answers = Answers::new(Subject::Command("x".to_owned()), Normaliser::new([]));
        answers.most = most;
        for kind in events {
            answers.observe(&event(kind));
        }
        answers.finish()
    }

    #[test]
    fn hosts_without_an_answer_are_equal_to_nobody() {
        let heard = heard(
            MOST_BYTES,
            vec![
                started("audit", &["c", "a", "b", "d"], true),
                result(command("a", Status::Ok, 0, "x\n", "")),
                result(bad("b", "audit", Status::Unreachable, "no route")),
                result(command("c", Status::Ok, 0, "x\n", "")),
            ],
        );
        assert_eq!(heard.layouts.groups.len(), 1);
        assert_eq!(
            heard.hosts.iter().map(|host| host.name.as_str()).collect::<Vec<_>>(),
            ["c", "a"]
        );
        let silent: Vec<_> = heard.silent.iter().map(|(host, why)| format!("{host} {why}")).collect();
        assert_eq!(silent, ["b no route", "d not asked"]);
    }

    #[test]
    fn answers_without_end_do_not_fill_the_memory() {
        let hosts: Vec<String> = (0..50).map(|i| format!("h{i}")).collect();
        let names: Vec<&str> = hosts.iter().map(String::as_str).collect();
        let mut events = vec![started("audit", &names, true)];
        for host in &hosts {
            events.push(result(command(
                host,
                Status::Ok,
                0,
                &format!("{host}{}\n", "x".repeat(1000)),
                "",
            )));
        }
        let heard = heard(20_000, events);
        assert!(heard.hosts.len() < 20 && heard.hosts.len() + heard.silent.len() == 50);
        assert!(heard.silent[0].1.contains("is not compared"), "{:?}", heard.silent[0]);
    }

    #[test]
    fn equal_answers_are_held_once() {
        let mut answers = Answers::new(Subject::Command("x".to_owned()), Normaliser::new([]));
        for i in 0..1000 {
            answers.observe(&event(result(command(
                &format!("h{i}"),
                Status::Ok,
                0,
                "the same\nfor all\n",
                "",
            ))));
        }
        assert_eq!(answers.lines.len(), 2);
        assert!(answers.bytes < 1000, "{}", answers.bytes);
    }
}
