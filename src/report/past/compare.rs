//! What one run did otherwise than another one: hosts and tasks that only one of them had, and for the others what changed
//! in verdicts, outputs, commands and files. Hosts with the same difference are one group.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use indexmap::{IndexMap, IndexSet};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Done, Past, Wanted};
use crate::event::{Event, EventKind, Status, TaskReport};
use crate::layout::{Normaliser, changes_by};
use crate::names::HostName;
use crate::report::{text, words};

/// Most lines of one output that are compared.
const MOST_LINES: usize = 5_000;
/// Most bytes of a line that are compared.
const LONGEST: usize = 4_096;
/// Between the path of a file and its digest.
const SHA256: &str = "  sha256 ";
/// Stands for a result that one of the runs does not have.
const NOT_RUN: &str = "not run";
/// Stands for a result that was taken over from the run before (`retry`, `resume`).
const RESTORED: &str = "done in an earlier run";

/// A task of a run: its play's name, its own, and how often the host had met both before.
type TaskKey = (Arc<str>, Arc<str>, u32);

/// What came of one task on one host, as far as it is compared. Equal ones are kept once.
#[derive(Debug, Default)]
struct Cell {
    verdict: String,
    lines: Vec<String>,
    /// The lines with what does not count replaced.
    keys: Vec<String>,
    commands: Vec<String>,
    files: Vec<String>,
}

/// One of the runs. Fed with its events, in order.
pub struct Side<'a> {
    past: Past,
    wanted: &'a Wanted<'a>,
    normaliser: &'a Normaliser,
    /// Which run.
    pub run: String,
    /// When it began.
    pub time: String,
    /// What people call it.
    pub title: String,
    hosts: IndexSet<HostName>,
    tasks: IndexSet<TaskKey>,
    /// Cells by number of host and task.
    cells: HashMap<(usize, usize), Arc<Cell>>,
    known: HashMap<[u8; 32], Arc<Cell>>,
    met: HashMap<(usize, Arc<str>, Arc<str>), u32>,
    words: HashMap<String, Arc<str>>,
}

impl<'a> Side<'a> {
    /// Nothing yet. Only results that are wanted are compared.
    pub fn new(wanted: &'a Wanted<'a>, normaliser: &'a Normaliser) -> Self {
        Self {
            past: Past::default(),
            wanted,
            normaliser,
            run: String::new(),
            time: String::new(),
            title: String::new(),
            hosts: IndexSet::new(),
            tasks: IndexSet::new(),
            cells: HashMap::new(),
            known: HashMap::new(),
            met: HashMap::new(),
            words: HashMap::new(),
        }
    }

    /// Takes an event in.
    pub fn observe(&mut self, event: &Event) {
        if let EventKind::RunStarted { run, title, hosts, .. } = &event.kind {
            self.run.clone_from(run);
            self.time.clone_from(&event.time);
            self.title.clone_from(title);
            let wanted = hosts.iter().filter(|host| (self.wanted.host)(host));
            self.hosts.extend(wanted.cloned());
        }
        if let EventKind::TaskRestored { task, hosts, .. } = &event.kind {
            let play = self.past.playing();
            for host in hosts {
                if self.wanted.takes(&TaskReport::bare(host, task.clone(), Status::Ok, "")) {
                    let cell = Cell {
                        verdict: RESTORED.to_owned(),
                        ..Cell::default()
                    };
                    self.put(host, &play, task, cell);
                }
            }
        }
        if let Some(done) = self.past.observe(event) {
            self.done(&done);
        }
    }

    /// Takes what is unfinished in. To be called once, at the end of a run that does not go on any more.
    pub fn close(&mut self) {
        for done in self.past.unfinished() {
            self.done(&done);
        }
    }

    fn done(&mut self, done: &Done) {
        if !self.wanted.takes(&done.report) {
            return;
        }
        let reason = done.reason();
        let said = done.said();
        let cut = |line: &str| line.chars().take(LONGEST).collect::<String>();
        let lines: Vec<String> = Some(reason.as_str())
            .filter(|reason| !reason.is_empty())
            .into_iter()
            .chain(said.lines().take(MOST_LINES))
            .map(cut)
            .collect();
        let did = &done.report.did;
        let cell = Cell {
            verdict: done.verdict(),
            keys: self.normaliser.lines(&lines, done.report.host.as_str()),
            lines,
            commands: did.commands.clone(),
            files: did
                .files
                .iter()
                .map(|file| format!("{}{SHA256}{}", file.path, file.sha256))
                .collect(),
        };
        self.put(&done.report.host, &done.play, &done.report.task, cell);
    }

    fn put(&mut self, host: &HostName, play: &Arc<str>, task: &str, cell: Cell) {
        let task = match self.words.get(task) {
            Some(word) => Arc::clone(word),
            None => {
                let word: Arc<str> = Arc::from(task);
                self.words.insert(task.to_owned(), Arc::clone(&word));
                word
            }
        };
        let (host, _) = self.hosts.insert_full(host.clone());
        let met = self.met.entry((host, Arc::clone(play), Arc::clone(&task))).or_default();
        let nth = *met;
        *met = met.saturating_add(1);
        let (task, _) = self.tasks.insert_full((Arc::clone(play), task, nth));
        let cell = match self.known.entry(cell.digest()) {
            Entry::Occupied(known) => Arc::clone(known.get()),
            Entry::Vacant(new) => Arc::clone(new.insert(Arc::new(cell))),
        };
        self.cells.insert((host, task), cell);
    }

    fn cell(&self, host: &HostName, task: &TaskKey) -> Option<&Arc<Cell>> {
        self.cells
            .get(&(self.hosts.get_index_of(host)?, self.tasks.get_index_of(task)?))
    }
}

impl Cell {
    fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        let mut part = |part: &str| {
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        };
        part(&self.verdict);
        for list in [&self.lines, &self.keys, &self.commands, &self.files] {
            part(&list.len().to_string());
            for line in list {
                part(line);
            }
        }
        hash.finalize().into()
    }
}

/// How two runs differ. Serialized it is what `runs diff --json` writes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Hosts that only the first, and only the second run had.
    pub hosts_only: [Vec<HostName>; 2],
    /// Tasks that only the first, and only the second run had.
    pub tasks_only: [Vec<TaskOnly>; 2],
    /// What changed in the others, in the order of the tasks.
    pub changes: Vec<Change>,
    /// Results that both have and that are the same.
    pub same: usize,
}

impl Difference {
    /// Folds further, for people: differences of a task that are the same but for the host's own name (shown as `{host}`) and
    /// for what is in the files become one.
    pub fn fold(&mut self) {
        let mut groups: IndexMap<Change, Vec<Change>> = IndexMap::new();
        for change in std::mem::take(&mut self.changes) {
            groups.entry(change.shape()).or_default().push(change);
        }
        for (shape, mut changes) in groups {
            if changes.len() < 2 {
                self.changes.append(&mut changes);
                continue;
            }
            // The same files on all of them are told with their digests.
            let mut files: Vec<Vec<String>> = changes.iter().map(Change::files_without_host).collect();
            files.dedup();
            let files = if files.len() == 1 {
                files.swap_remove(0)
            } else {
                shape.files
            };
            let hosts = changes.into_iter().flat_map(|change| change.hosts).collect();
            self.changes.push(Change { hosts, files, ..shape });
        }
    }

    /// Nothing is different.
    pub fn is_empty(&self) -> bool {
        self.hosts_only.iter().all(Vec::is_empty)
            && self.tasks_only.iter().all(Vec::is_empty)
            && self.changes.is_empty()
    }
}

/// A task that only one of the runs had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TaskOnly {
    /// The play's name.
    pub play: String,
    /// The task's name.
    pub task: String,
    /// On how many hosts it has a result.
    pub hosts: usize,
}

/// The same difference of a task on several hosts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Change {
    /// The play's name.
    pub play: String,
    /// The task's name.
    pub task: String,
    /// Which hosts, in the order of the second run.
    pub hosts: Vec<HostName>,
    /// The verdicts, when they differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<[String; 2]>,
    /// Lines of the message and the output: `- gone`, `+ come`, `~ changed [-from-]{+to+}`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub output: Vec<String>,
    /// The same for commands.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
    /// The same for files that were sent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
}

impl Change {
    /// The host's own name, where one host has it: where several have the same words, no host's name in them is there
    /// because of the host.
    fn own(&self) -> &str {
        match self.hosts.as_slice() {
            [host] => host.as_str(),
            _ => "",
        }
    }

    fn files_without_host(&self) -> Vec<String> {
        let own = self.own();
        self.files.iter().map(|line| words::without_host(line, own)).collect()
    }

    /// What it has in common with those of other hosts; without hosts.
    fn shape(&self) -> Self {
        let own = self.own();
        let without = |lines: &[String]| lines.iter().map(|line| words::without_host(line, own)).collect();
        let content = |line: String| match line.split_once(SHA256) {
            Some((path, _)) if !own.is_empty() => format!("{path}  another content on each host"),
            Some(_) | None => line,
        };
        Self {
            play: self.play.clone(),
            task: self.task.clone(),
            hosts: Vec::new(),
            verdict: self.verdict.clone(),
            output: without(&self.output),
            commands: without(&self.commands),
            files: self.files_without_host().into_iter().map(content).collect(),
        }
    }
}

/// Compares two runs.
pub fn compare(old: &Side<'_>, new: &Side<'_>) -> Difference {
    let mut difference = Difference {
        hosts_only: [only(&old.hosts, &new.hosts), only(&new.hosts, &old.hosts)],
        tasks_only: [tasks_only(old, new), tasks_only(new, old)],
        ..Difference::default()
    };
    let mut judged = HashMap::new();
    for task in new.tasks.iter().filter(|task| old.tasks.contains(*task)) {
        let mut groups: IndexMap<Told, Vec<HostName>> = IndexMap::new();
        for host in new.hosts.iter().filter(|host| old.hosts.contains(*host)) {
            let (was, is) = (old.cell(host, task), new.cell(host, task));
            if was.is_none() && is.is_none() {
                continue;
            }
            let address = |cell: Option<&Arc<Cell>>| cell.map(Arc::as_ptr);
            // Many hosts have the same pair of results: it is compared once.
            let told = judged
                .entry((address(was), address(is)))
                .or_insert_with(|| Told::of(was.map(Arc::as_ref), is.map(Arc::as_ref)));
            match told {
                None => difference.same += 1,
                Some(told) => match groups.get_mut(&*told) {
                    Some(hosts) => hosts.push(host.clone()),
                    None => {
                        groups.insert(told.clone(), vec![host.clone()]);
                    }
                },
            }
        }
        difference
            .changes
            .extend(groups.into_iter().map(|(told, hosts)| Change {
                play: text::one_line(&task.0),
                task: text::one_line(&task.1),
                hosts,
                verdict: told.verdict,
                output: told.output,
                commands: told.commands,
                files: told.files,
            }));
    }
    difference
}

fn only(these: &IndexSet<HostName>, others: &IndexSet<HostName>) -> Vec<HostName> {
    these.iter().filter(|host| !others.contains(*host)).cloned().collect()
}

fn tasks_only(one: &Side<'_>, other: &Side<'_>) -> Vec<TaskOnly> {
    let mut hosts: HashMap<usize, usize> = HashMap::new();
    #[expect(clippy::iter_over_hash_type, reason = "counting is the same in any order")]
    for (_, task) in one.cells.keys() {
        *hosts.entry(*task).or_default() += 1;
    }
    let alone = one
        .tasks
        .iter()
        .enumerate()
        .filter(|(_, task)| !other.tasks.contains(*task));
    alone
        .map(|(number, (play, task, _))| TaskOnly {
            play: text::one_line(play),
            task: text::one_line(task),
            hosts: hosts.get(&number).copied().unwrap_or_default(),
        })
        .collect()
}

/// What is told of a pair of results.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Told {
    verdict: Option<[String; 2]>,
    output: Vec<String>,
    commands: Vec<String>,
    files: Vec<String>,
}

impl Told {
    /// `None`: they are the same.
    fn of(was: Option<&Cell>, is: Option<&Cell>) -> Option<Self> {
        let word = |cell: Option<&Cell>| cell.map_or_else(|| NOT_RUN.to_owned(), |cell| cell.verdict.clone());
        let verdict = [word(was), word(is)];
        let verdict = (verdict[0] != verdict[1]).then_some(verdict);
        // Of what was not done again there is nothing to compare.
        let there = |cell: Option<&'_ Cell>| cell.is_some_and(|cell| cell.verdict != RESTORED);
        let (Some(was), Some(is), true, true) = (was, is, there(was), there(is)) else {
            if was.is_some() && is.is_some() && verdict.is_none() {
                return None;
            }
            return Some(Self {
                verdict,
                output: Vec::new(),
                commands: Vec::new(),
                files: Vec::new(),
            });
        };
        let lines = |changes: Vec<crate::layout::Change<'_>>| changes.iter().map(crate::layout::Change::line).collect();
        let plain = |was: &[String], is: &[String]| -> Vec<String> { lines(changes_by(was, was, is, is)) };
        let told = Self {
            verdict,
            output: if was.keys == is.keys {
                Vec::new()
            } else {
                lines(changes_by(&was.keys, &was.lines, &is.keys, &is.lines))
            },
            commands: plain(&was.commands, &is.commands),
            files: plain(&was.files, &is.files),
        };
        let changed =
            told.verdict.is_some() || !told.output.is_empty() || !told.commands.is_empty() || !told.files.is_empty();
        changed.then_some(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Mask;
    use crate::report::testing::{command, play, report, result, started};

    fn difference(old: Vec<EventKind>, new: Vec<EventKind>, masks: &[Mask]) -> Difference {
        let wanted = Wanted::all();
        let normaliser = Normaliser::new(masks.iter().copied());
        let side = |events: Vec<EventKind>| {
            let mut side = Side::new(&wanted, &normaliser);
            for (seq, kind) in (1..).zip(events) {
                let time = "2026-11-21T04:51:00.000Z".to_owned();
                side.observe(&Event { kind, seq, time });
            }
            side.close();
            side
        };
        let (old, new) = (side(old), side(new));
        compare(&old, &new)
    }

    fn run(hosts: &[&str], results: &[(&str, Status, &str)]) -> Vec<EventKind> {
        let mut events = vec![started("site.yml", hosts, false), play("all", hosts)];
        for (host, status, said) in results {
            events.push(result(command(host, *status, 0, said, "")));
        }
        events
    }

    #[test]
    fn the_same_run_twice_has_no_difference() {
        let once = run(&["a", "b"], &[("a", Status::Ok, "x"), ("b", Status::Ok, "y")]);
        let difference = difference(once.clone(), once, &[]);
        assert!(difference.is_empty());
        assert_eq!(difference.same, 2);
    }

    #[test]
    fn hosts_with_the_same_difference_are_one_group() {
        let old = run(
            &["a", "b", "c", "d"],
            &[
                ("a", Status::Ok, "id a\nkernel 1"),
                ("b", Status::Ok, "id b\nkernel 1"),
                ("c", Status::Ok, "id c\nkernel 2"),
                ("d", Status::Ok, "same"),
            ],
        );
        let new = run(
            &["a", "b", "c", "d"],
            &[
                ("a", Status::Ok, "id a\nkernel 2"),
                ("b", Status::Ok, "id b\nkernel 2"),
                ("c", Status::Changed, "id c\nkernel 2"),
                ("d", Status::Ok, "same"),
            ],
        );
        let found = difference(old, new, &[]);
        assert_eq!(found.changes.len(), 2);
        assert_eq!(found.changes[0].hosts, [HostName::from("a"), HostName::from("b")]);
        assert_eq!(found.changes[0].output, ["- kernel 1", "+ kernel 2"]);
        assert_eq!(found.changes[1].verdict, Some(["ok".to_owned(), "changed".to_owned()]));
        assert!(found.changes[1].output.is_empty());
        assert_eq!(found.same, 1);
    }

    #[test]
    fn hosts_and_tasks_of_one_run_only_are_named_and_a_missing_result_is_not_run() {
        let mut old = run(&["a", "b", "gone"], &[("a", Status::Ok, ""), ("b", Status::Ok, "")]);
        old.push(result(report("a", "old task", Status::Ok)));
        let mut new = run(&["a", "b", "come"], &[("a", Status::Ok, "")]);
        new.push(result(report("a", "new task", Status::Ok)));
        let found = difference(old, new, &[]);
        assert_eq!(
            found.hosts_only,
            [vec![HostName::from("gone")], vec![HostName::from("come")]]
        );
        assert_eq!(found.tasks_only[0][0].task, "old task");
        assert_eq!(found.tasks_only[1][0].task, "new task");
        assert_eq!(found.changes.len(), 1);
        assert_eq!(found.changes[0].hosts, [HostName::from("b")]);
        assert_eq!(found.changes[0].verdict, Some(["ok".to_owned(), "not run".to_owned()]));
    }

    #[test]
    fn differences_in_the_hosts_own_name_and_in_contents_are_folded_for_people() {
        let sent = |host: &str, content: &str| {
            let mut one = report(host, "t", Status::Changed);
            one.did.command(format!("write /etc/{host}"));
            one.did.file(crate::event::SentFile {
                path: format!("/etc/{host}"),
                sha256: content.to_owned(),
                size: 1,
            });
            result(one)
        };
        let mut old = run(&["a1", "a2"], &[]);
        old.extend([sent("a1", "11"), sent("a2", "22")]);
        let mut new = run(&["a1", "a2"], &[]);
        new.extend(["a1", "a2"].map(|host| result(report(host, "t", Status::Ok))));
        let mut found = difference(old, new, &[]);
        assert_eq!(found.changes.len(), 2);
        found.fold();
        assert_eq!(found.changes.len(), 1);
        let change = &found.changes[0];
        assert_eq!(change.hosts.len(), 2);
        assert_eq!(change.commands, ["- write /etc/{host}"]);
        assert_eq!(change.files, ["- /etc/{host}  another content on each host"]);
    }

    #[test]
    fn what_does_not_count_is_no_difference() {
        let old = run(&["a"], &[("a", Status::Ok, "took 17 seconds")]);
        let new = run(&["a"], &[("a", Status::Ok, "took 18 seconds")]);
        assert_eq!(difference(old.clone(), new.clone(), &[]).changes.len(), 1);
        assert!(difference(old, new, &[Mask::Number]).is_empty());
    }

    #[test]
    fn a_task_that_a_host_meets_twice_is_compared_one_by_one() {
        let twice = |second: &str| run(&["a"], &[("a", Status::Ok, "x"), ("a", Status::Ok, second)]);
        let found = difference(twice("y"), twice("z"), &[]);
        assert_eq!((found.same, found.changes.len()), (1, 1));
    }
}
