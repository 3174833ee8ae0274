//! A run that is over, on one screen: who started it, what became of each host, and what each task did where. Hosts with the
//! same result of a task are one group, whatever their number.

use std::collections::{BTreeMap, HashMap, HashSet};

use indexmap::IndexMap;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Done, Past, Wanted, task_name};
use crate::event::{Event, EventKind, HashedFile, Origin, SentFile, Severity, Status};
use crate::names::HostName;
use crate::report::{text, words};

/// Most bytes of output that are kept of one group.
const MOST_SAID: usize = 64 * 1024;
/// Most warnings that are kept.
const MOST_WARNINGS: usize = 100;

/// How far a run came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It ended and said so.
    Ended,
    /// It goes on.
    Running,
    /// It was killed: its journal has no end.
    #[default]
    Killed,
    /// Its journal is damaged: how it ended cannot be read.
    Unreadable,
}

/// What a run was and came to. Serialized it is what `runs show --json` writes; docs/runs.md has its shape.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Overview {
    /// Its id.
    pub run: String,
    /// When it began, RFC 3339 in UTC.
    pub time: String,
    /// How far it came.
    pub state: State,
    /// How long it took, when it ended.
    pub seconds: Option<f64>,
    /// Its exit code, when it ended.
    pub exit_code: Option<u8>,
    /// What stopped it: `SIGINT`, …
    pub stopped_by: Option<String>,
    /// How many events were read.
    pub events: u64,
    /// What people call it.
    pub title: String,
    /// The words of the command line, secrets removed.
    pub command: Vec<String>,
    /// The same as one line for a shell; filled by whoever knows how to quote.
    pub command_line: String,
    /// The folder it was given in.
    pub folder: String,
    /// Nothing was to be changed.
    pub check: bool,
    /// Workers.
    pub forks: usize,
    /// Who started it, where, and which run it went on with.
    pub origin: Origin,
    /// Files of the playbook.
    pub playbooks: Vec<HashedFile>,
    /// Files of rules.
    pub policies: Vec<HashedFile>,
    /// What became of each host, in inventory order.
    pub hosts: Vec<HostLine>,
    /// The tasks, in the order in which they were reached.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<TaskLine>,
    /// What was changed while it ran.
    pub controlled: Vec<Changed>,
    /// What was odd; the first hundred.
    pub warnings: Vec<String>,
}

impl Overview {
    /// Folds further, for people: groups of a task that differ only in the host's own name (shown as `{host}`) in their
    /// commands and paths, and in what is in their files, become one.
    pub fn fold(&mut self) {
        let order: HashMap<HostName, usize> = self.hosts.iter().map(|line| line.host.clone()).zip(0..).collect();
        let place = |host: &HostName| order.get(host).copied().unwrap_or(usize::MAX);
        for task in &mut self.tasks {
            let mut shapes: IndexMap<Shape, Vec<Group>> = IndexMap::new();
            for group in std::mem::take(&mut task.results) {
                shapes.entry(Shape::of(&group)).or_default().push(group);
            }
            task.results = shapes
                .into_iter()
                .filter_map(|(shape, groups)| shape.merge(groups))
                .collect();
            for group in &mut task.results {
                group.hosts.sort_by_key(place);
            }
            task.results.sort_by_key(|group| {
                let first = group.hosts.first().map_or(usize::MAX, place);
                (std::cmp::Reverse(group.status), first)
            });
        }
    }
}

/// What groups have in common that are shown as one.
#[derive(PartialEq, Eq, Hash)]
struct Shape {
    verdict: String,
    reason: String,
    rc: Option<i64>,
    commands: Vec<String>,
    paths: Vec<String>,
    more: (u32, u32),
    became: Option<String>,
    delegated_to: Option<String>,
    output: Option<String>,
}

impl Shape {
    fn of(group: &Group) -> Self {
        // Where several hosts have the same words, no host's name in them is there because of the host.
        let own = match group.hosts.as_slice() {
            [host] => host.as_str(),
            _ => "",
        };
        let without = |text: &String| words::without_host(text, own);
        Self {
            verdict: group.verdict.clone(),
            reason: words::masked(&group.reason, own),
            rc: group.rc,
            commands: group.commands.iter().map(without).collect(),
            paths: group.files.iter().map(|file| without(&file.path)).collect(),
            more: (group.more_commands, group.more_files),
            became: group.became.clone(),
            delegated_to: group.delegated_to.clone(),
            output: group.output.clone(),
        }
    }

    /// One group of several; a single one stays as it is.
    fn merge(self, mut groups: Vec<Group>) -> Option<Group> {
        if groups.len() < 2 {
            return groups.pop();
        }
        let mut contents: Vec<HashSet<String>> = vec![HashSet::new(); self.paths.len()];
        for file in groups.iter().flat_map(|group| group.files.iter().enumerate()) {
            if let Some(known) = contents.get_mut(file.0) {
                known.insert(file.1.sha256.clone());
            }
        }
        let hosts = groups.iter().flat_map(|group| group.hosts.iter().cloned()).collect();
        let mut merged = groups.swap_remove(0);
        merged.hosts = hosts;
        merged.commands = self.commands;
        for (file, path) in merged.files.iter_mut().zip(self.paths) {
            file.path = path;
        }
        merged.contents = contents.iter().map(HashSet::len).collect();
        Some(merged)
    }
}

impl Group {
    /// Its files, each as one line of text.
    pub fn file_lines(&self) -> impl Iterator<Item = String> + '_ {
        self.files
            .iter()
            .enumerate()
            .map(|(number, file)| match self.contents.get(number) {
                Some(contents) if *contents > 1 => format!("{}  {contents} different contents", file.path),
                Some(_) | None => format!("{}  {} bytes  sha256 {}", file.path, file.size, file.sha256),
            })
    }
}

/// What became of one host.
#[derive(Clone, Debug, Serialize)]
pub struct HostLine {
    /// Which host.
    pub host: HostName,
    /// Its last word; `None`: it was not done when the run ended.
    pub status: Option<Status>,
    /// The task it stopped at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Why, when it is not good.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// One task of one play.
#[derive(Clone, Debug, Serialize)]
pub struct TaskLine {
    /// The play's name.
    pub play: String,
    /// The task's name.
    pub task: String,
    /// `file:line`.
    pub path: String,
    /// Its module.
    pub module: String,
    /// Hosts by verdict: `changed`, `failed, ignored`.
    pub counts: IndexMap<String, usize>,
    /// Who took longest.
    pub slowest: Option<Slowest>,
    /// The groups, the worst first.
    pub results: Vec<Group>,
}

/// Who took longest.
#[derive(Clone, Debug, Serialize)]
pub struct Slowest {
    /// Which host.
    pub host: HostName,
    /// How long.
    pub seconds: f64,
}

/// Hosts with the same result of a task.
#[derive(Clone, Debug, Serialize)]
pub struct Group {
    /// Which hosts, in inventory order.
    pub hosts: Vec<HostName>,
    /// How it ended.
    pub status: Status,
    /// In words, with what became of a failure.
    pub verdict: String,
    /// Exit code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rc: Option<i64>,
    /// Why it is not good.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The exact commands.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
    /// Commands that are not in the journal: there were too many.
    #[serde(skip_serializing_if = "is_zero")]
    pub more_commands: u32,
    /// Files that were put on the hosts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<SentFile>,
    /// Files that are not in the journal: there were too many.
    #[serde(skip_serializing_if = "is_zero")]
    pub more_files: u32,
    /// As whom, when not as the login user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub became: Option<String>,
    /// It ran on another host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delegated_to: Option<String>,
    /// What was printed, when that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// Of a group that was folded by [`Overview::fold`]: how many different contents each of its files has.
    #[serde(skip)]
    pub contents: Vec<usize>,
}

/// Something that was changed while the run went on.
#[derive(Clone, Debug, Serialize)]
pub struct Changed {
    /// When.
    pub time: String,
    /// What.
    pub what: String,
    /// By whom.
    pub by: String,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde's skip_serializing_if wants a reference"
)]
fn is_zero(value: &u32) -> bool {
    *value == 0
}

/// Which task: its play's number, its place and its name.
type TaskKey = (u32, String, String);

struct Task {
    line: TaskLine,
    counts: BTreeMap<(Status, bool, bool), (String, usize)>,
    groups: IndexMap<[u8; 32], Group>,
}

/// Makes an [`Overview`]. Fed with the events of one run, in order.
pub struct Observer<'a> {
    past: Past,
    wanted: Wanted<'a>,
    outputs: bool,
    overview: Overview,
    hosts: IndexMap<HostName, HostLine>,
    why: HashMap<HostName, (String, String)>,
    tasks: IndexMap<TaskKey, Task>,
}

impl<'a> Observer<'a> {
    /// Only results that are wanted get into the tasks. With `outputs` what was printed is part of a result, else hosts with
    /// the same verdict, commands and files are one group.
    pub fn new(wanted: Wanted<'a>, outputs: bool) -> Self {
        Self {
            past: Past::default(),
            wanted,
            outputs,
            overview: Overview::default(),
            hosts: IndexMap::new(),
            why: HashMap::new(),
            tasks: IndexMap::new(),
        }
    }

    /// Takes an event in.
    pub fn observe(&mut self, event: &Event) {
        let overview = &mut self.overview;
        overview.events = event.seq;
        match &event.kind {
            EventKind::RunStarted {
                run,
                command,
                folder,
                title,
                hosts,
                check,
                forks,
                origin,
                ..
            } => {
                overview.run.clone_from(run);
                overview.time.clone_from(&event.time);
                overview.command.clone_from(command);
                overview.folder.clone_from(folder);
                overview.title.clone_from(title);
                overview.check = *check;
                overview.forks = *forks;
                overview.origin = (**origin).clone();
                for host in hosts.iter().filter(|host| (self.wanted.host)(host)) {
                    self.hosts.entry(host.clone()).or_insert_with(|| unknown(host));
                }
            }
            EventKind::PlaybookRead { files } => {
                overview.playbooks.extend(files.iter().map(|file| HashedFile {
                    path: file.path.clone(),
                    sha256: file.sha256.clone(),
                }));
            }
            EventKind::PolicyChecked { policies, .. } => {
                overview.policies.extend(policies.iter().map(|file| HashedFile {
                    path: file.path.clone(),
                    sha256: file.sha256.clone(),
                }));
            }
            EventKind::HostDone {
                host,
                status,
                msg,
                task,
                ..
            } => self.host_done(host, *status, msg.as_deref(), task.as_deref()),
            EventKind::Message { severity, text } => {
                if matches!(severity, Severity::Warning | Severity::Error) && overview.warnings.len() < MOST_WARNINGS {
                    overview.warnings.push(text.clone());
                }
            }
            EventKind::Controlled { change, by } => overview.controlled.push(Changed {
                time: event.time.clone(),
                what: change.words(),
                by: by.clone(),
            }),
            EventKind::DuplicatesFound(found) => overview.warnings.push(words::duplicates(found)),
            EventKind::CanaryDecided { place, accepted, by } => {
                let word = if *accepted { "accepted" } else { "not accepted" };
                overview.controlled.push(Changed {
                    time: event.time.clone(),
                    what: format!("wave {} of {} {word}", place.wave, place.waves),
                    by: if by.is_empty() { "nobody".to_owned() } else { by.clone() },
                });
            }
            EventKind::RunCancelled { reason } => overview.stopped_by = Some(reason.clone()),
            EventKind::RunFinished { exit_code, seconds, .. } => {
                overview.state = State::Ended;
                overview.exit_code = Some(*exit_code);
                overview.seconds = Some(*seconds);
            }
            EventKind::PlayStarted { .. }
            | EventKind::PreflightStarted { .. }
            | EventKind::PreflightAnswer(_)
            | EventKind::PreflightVerdict(_)
            | EventKind::WaveStarted { .. }
            | EventKind::CanaryAnswer(_)
            | EventKind::CanaryVerdict(_)
            | EventKind::PlaySkipped { .. }
            | EventKind::TaskStarted { .. }
            | EventKind::HostStarted { .. }
            | EventKind::HostConnected { .. }
            | EventKind::TaskRetrying { .. }
            | EventKind::TaskActing { .. }
            | EventKind::TaskRestored { .. }
            | EventKind::ItemResult(_)
            | EventKind::TaskResult(_)
            | EventKind::Included { .. } => {}
        }
        if let Some(done) = self.past.observe(event) {
            self.done(&done);
        }
    }

    fn host_done(&mut self, host: &HostName, status: Status, msg: Option<&str>, task: Option<&str>) {
        if !(self.wanted.host)(host) {
            return;
        }
        let why = self.why.remove(host);
        let line = self.hosts.entry(host.clone()).or_insert_with(|| unknown(host));
        line.status = Some(status);
        line.reason.clear();
        line.task = None;
        if !status.is_good() {
            // What the result said is more than what the host's last word says of it.
            let (at, reason) = why.unwrap_or_default();
            let at = task.map(text::one_line).or(Some(at)).filter(|at| !at.is_empty());
            line.task = at;
            line.reason = if reason.is_empty() {
                text::one_line(msg.unwrap_or(words::word(status)))
            } else {
                reason
            };
        }
    }

    fn done(&mut self, done: &Done) {
        let report = &done.report;
        if !report.status.is_good() && !report.ignored && !report.rescued {
            let why = (task_name(report), done.reason());
            self.why.insert(report.host.clone(), why);
        }
        if !self.wanted.takes(report) {
            return;
        }
        let key = (done.number, report.path.clone(), report.task.clone());
        let task = self.tasks.entry(key).or_insert_with(|| Task::new(done));
        task.add(done, self.outputs);
    }

    /// The overview. `rest` says what it means when the end of the run is not among the events: only of one that was killed
    /// it is known that what is unfinished was never seen to end.
    pub fn finish(mut self, rest: State) -> Overview {
        if self.overview.state != State::Ended {
            self.overview.state = rest;
        }
        if self.overview.state == State::Killed {
            for done in self.past.unfinished() {
                self.done(&done);
                let host = &done.report.host;
                self.host_done(
                    host,
                    done.report.status,
                    Some(&done.report.msg),
                    Some(&done.report.task),
                );
            }
        }
        let mut overview = self.overview;
        let order = &self.hosts;
        let place = |host: &HostName| order.get_index_of(host).unwrap_or(usize::MAX);
        for group in self.tasks.values_mut().flat_map(|task| task.groups.values_mut()) {
            group.hosts.sort_by_key(place);
        }
        overview.hosts = self.hosts.into_values().collect();
        overview.tasks = self.tasks.into_values().map(Task::finish).collect();
        overview
    }
}

fn unknown(host: &HostName) -> HostLine {
    HostLine {
        host: host.clone(),
        status: None,
        task: None,
        reason: String::new(),
    }
}

impl Task {
    fn new(done: &Done) -> Self {
        Self {
            line: TaskLine {
                play: done.play.to_string(),
                task: done.report.task.clone(),
                path: done.report.path.clone(),
                module: done.report.module.clone(),
                counts: IndexMap::new(),
                slowest: None,
                results: Vec::new(),
            },
            counts: BTreeMap::new(),
            groups: IndexMap::new(),
        }
    }

    fn add(&mut self, done: &Done, outputs: bool) {
        let report = &done.report;
        let count = self
            .counts
            .entry((report.status, report.ignored, report.rescued))
            .or_insert_with(|| (done.verdict(), 0));
        count.1 += 1;
        let slowest = self.line.slowest.as_ref().map_or(0.0, |slowest| slowest.seconds);
        if report.seconds > slowest {
            self.line.slowest = Some(Slowest {
                host: report.host.clone(),
                seconds: report.seconds,
            });
        }
        let reason = done.reason();
        let said = outputs.then(|| done.said());
        let key = digest(done, &reason, said.as_deref());
        match self.groups.get_mut(&key) {
            Some(group) => group.hosts.push(report.host.clone()),
            None => {
                self.groups.insert(key, group(done, reason, said));
            }
        }
    }

    fn finish(self) -> TaskLine {
        let mut line = self.line;
        let counts = self.counts.into_values().rev();
        line.counts = counts.collect();
        line.results = self.groups.into_values().collect();
        // The sort is stable: groups of one verdict stay in the order in which they came.
        line.results.sort_by_key(|group| std::cmp::Reverse(group.status));
        line
    }
}

fn group(done: &Done, reason: String, mut said: Option<String>) -> Group {
    let report = &done.report;
    if let Some(said) = &mut said
        && said.len() > MOST_SAID
    {
        let left = said.len() - MOST_SAID;
        let cut = (0..=MOST_SAID).rev().find(|at| said.is_char_boundary(*at));
        said.truncate(cut.unwrap_or_default());
        put!(said, "\n… {left} bytes more");
    }
    Group {
        hosts: vec![report.host.clone()],
        status: report.status,
        verdict: done.verdict(),
        rc: report.rc,
        reason,
        commands: report.did.commands.clone(),
        more_commands: report.did.more_commands,
        files: report.did.files.clone(),
        more_files: report.did.more_files,
        became: report.did.became.clone(),
        delegated_to: report.delegated_to.clone(),
        output: said,
        contents: Vec::new(),
    }
}

/// What makes two results equal. Without outputs, reasons that differ in numbers and the host's name only are equal, too.
fn digest(done: &Done, reason: &str, said: Option<&str>) -> [u8; 32] {
    let report = &done.report;
    let reason = match said {
        Some(_) => reason.to_owned(),
        None => words::masked(reason, report.host.as_str()),
    };
    let mut hash = Sha256::new();
    let mut part = |part: &str| {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    };
    part(&done.verdict());
    part(&reason);
    part(&report.rc.map(|rc| rc.to_string()).unwrap_or_default());
    part(report.delegated_to.as_deref().unwrap_or_default());
    part(report.did.became.as_deref().unwrap_or_default());
    part(&report.did.commands.len().to_string());
    report.did.commands.iter().for_each(|command| part(command));
    part(&format!("{} {}", report.did.more_commands, report.did.more_files));
    for file in &report.did.files {
        part(&file.path);
        part(&file.sha256);
    }
    part(said.unwrap_or_default());
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::{bad, command, done, finished, play, report, result, started};

    fn overview(events: Vec<EventKind>, outputs: bool) -> Overview {
        let mut observer = Observer::new(Wanted::all(), outputs);
        for (seq, kind) in (1..).zip(events) {
            let time = "2026-11-21T04:51:00.000Z".to_owned();
            observer.observe(&Event { kind, seq, time });
        }
        observer.finish(State::Killed)
    }

    fn ran(host: &str, status: Status, line: &str, said: &str) -> EventKind {
        let mut report = command(host, status, i64::from(!status.is_good()), said, "");
        report.did.command(line.to_owned());
        result(report)
    }

    #[test]
    fn hosts_with_the_same_result_are_one_group_and_the_worst_comes_first() {
        let events = vec![
            started("site.yml", &["a", "b", "c", "d"], false),
            play("all", &["a", "b", "c", "d"]),
            ran("a", Status::Changed, "x", "1"),
            ran("b", Status::Changed, "x", "2"),
            ran("c", Status::Changed, "y", "1"),
            ran("d", Status::Failed, "x", "disk 7 is full"),
            done("a", Status::Changed, ""),
            done("b", Status::Changed, ""),
            done("c", Status::Changed, ""),
            done("d", Status::Failed, "non-zero return code"),
            finished(),
        ];
        let folded = overview(events.clone(), false);
        let groups = |overview: &Overview| -> Vec<Vec<String>> {
            let results = &overview.tasks[0].results;
            results
                .iter()
                .map(|group| group.hosts.iter().map(ToString::to_string).collect())
                .collect()
        };
        assert_eq!(groups(&folded), [vec!["d"], vec!["a", "b"], vec!["c"]]);
        assert_eq!(groups(&overview(events, true)).len(), 4);
        let task = &folded.tasks[0];
        assert_eq!(
            task.counts
                .iter()
                .map(|(word, n)| format!("{n} {word}"))
                .collect::<Vec<_>>(),
            ["1 failed", "3 changed"]
        );
        let failed = &folded.hosts[3];
        assert_eq!(
            (failed.status, failed.task.as_deref(), failed.reason.as_str()),
            (Some(Status::Failed), Some("command"), "rc=1: disk 7 is full")
        );
        assert_eq!((folded.state, folded.exit_code), (State::Ended, Some(0)));
    }

    #[test]
    fn what_differs_in_the_hosts_own_name_and_in_contents_is_folded_for_people() {
        let sent = |host: &str, content: &str, command: &str| {
            let mut one = report(host, "t", Status::Changed);
            one.did.command(command.to_owned());
            one.did.file(SentFile {
                path: format!("/etc/{host}.conf"),
                sha256: content.to_owned(),
                size: 1,
            });
            result(one)
        };
        let mut over = overview(
            vec![
                started("x", &["a1", "a2", "a3", "a4"], false),
                sent("a2", "22", "greet a2"),
                sent("a1", "11", "greet a1"),
                sent("a3", "33", "greet everybody"),
                sent("a4", "44", "greet a3"),
                finished(),
            ],
            false,
        );
        assert_eq!(over.tasks[0].results.len(), 4);
        over.fold();
        let groups = &over.tasks[0].results;
        let shown: Vec<(usize, &str, String)> = groups
            .iter()
            .map(|group| {
                (
                    group.hosts.len(),
                    group.commands[0].as_str(),
                    group.file_lines().collect(),
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                (2, "greet {host}", "/etc/{host}.conf  2 different contents".to_owned()),
                (1, "greet everybody", "/etc/a3.conf  1 bytes  sha256 33".to_owned()),
                (1, "greet a3", "/etc/a4.conf  1 bytes  sha256 44".to_owned()),
            ]
        );
        assert_eq!(groups[0].hosts, [HostName::from("a1"), HostName::from("a2")]);
    }

    #[test]
    fn a_killed_run_says_who_is_in_doubt_and_who_was_not_done() {
        let acting = EventKind::TaskActing {
            host: "a".into(),
            play: 1,
            task: "format".to_owned(),
            path: String::new(),
            id: String::new(),
            nth: 0,
            item: None,
            index: None,
            became: None,
            marker: None,
            repeatable: false,
            command: "mkfs".to_owned(),
        };
        let events = vec![
            started("site.yml", &["a", "b"], false),
            play("all", &["a", "b"]),
            acting,
        ];
        let killed = overview(events, false);
        assert_eq!(killed.state, State::Killed);
        assert_eq!(killed.hosts[0].status, Some(Status::InDoubt));
        assert_eq!(killed.hosts[0].task.as_deref(), Some("format"));
        assert_eq!(killed.hosts[1].status, None);
        assert_eq!(killed.tasks[0].results[0].commands, ["mkfs"]);
    }

    #[test]
    fn what_was_ignored_is_no_reason_of_its_host() {
        let mut ignored = bad("a", "t", Status::Failed, "never mind");
        ignored.ignored = true;
        let over = overview(
            vec![
                started("x", &["a"], false),
                result(ignored),
                result(report("a", "u", Status::Ok)),
                done("a", Status::Ok, ""),
                finished(),
            ],
            false,
        );
        assert_eq!(over.hosts[0].reason, "");
        assert_eq!(over.tasks[0].results[0].verdict, "failed, ignored");
    }
}
