//! `--output human`: the story for somebody at a terminal. Equal results of many hosts are one line, failures are shown
//! as they come, and the end fits one screen.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use indexmap::{IndexMap, IndexSet};

use self::blocks::Blocks;
use self::group::Gathered;
use self::recap::{Outcome, Recap};
use super::terminal::{Colour, Terminal};
use super::{Sink, fold, text, words};
use crate::event::{Control, Event, EventKind, Severity, TaskReport};
use crate::names::HostName;

mod blocks;
mod group;
mod preflight;
mod recap;
mod style;

/// Failures wait this long for others of their kind.
const WINDOW: Duration = Duration::from_millis(700);
/// Results of a task that is not the newest (strategy `free`) wait this long.
const LATE: Duration = Duration::from_secs(2);
/// Different messages that are remembered, to say each only once.
const MESSAGES: usize = 1000;

/// How the story is to be told.
#[derive(Clone, Debug)]
pub struct HumanOptions {
    /// What the stream of the results can show.
    pub term: Terminal,
    /// Number of `-v`.
    pub verbosity: u8,
    /// The retry file, when one is kept.
    pub retry_file: Option<PathBuf>,
    /// The command that runs again what did not succeed.
    pub rerun: Option<String>,
}

/// The hosts of the run in inventory order, and what became of each.
#[derive(Debug, Default)]
struct Fleet {
    hosts: IndexMap<HostName, Outcome>,
}

impl Fleet {
    fn host(&mut self, host: &HostName) -> &mut Outcome {
        self.hosts.entry(host.clone()).or_default()
    }

    fn len(&self) -> usize {
        self.hosts.len()
    }

    /// Columns the largest count of hosts takes.
    fn digits(&self) -> usize {
        text::width(&text::count(self.hosts.len()))
    }

    fn outcomes(&self) -> impl Iterator<Item = (&HostName, &Outcome)> {
        self.hosts.iter()
    }

    /// Puts hosts into inventory order.
    fn sort(&self, hosts: &mut [HostName]) {
        hosts.sort_by_cached_key(|host| self.hosts.get_index_of(host).unwrap_or(usize::MAX));
    }
}

/// The results of a task that are not shown yet.
struct Pending {
    task: String,
    handler: bool,
    gathered: Gathered,
}

/// The folded look.
pub struct Human {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    options: HumanOptions,
    fleet: Fleet,
    title: String,
    adhoc: bool,
    check: bool,
    begun: Instant,
    seconds: Option<f64>,
    pending: IndexMap<String, Pending>,
    /// The newest task; its good results wait for its end.
    current: String,
    /// The task whose heading is the last one on the screen.
    headed: Option<String>,
    blocks: Blocks,
    messages: HashMap<String, usize>,
    ignored: u32,
    rescued: u32,
    restored: Restored,
}

/// What was done in an earlier run, not shown yet.
#[derive(Default)]
struct Restored {
    tasks: usize,
    hosts: IndexSet<HostName>,
}

impl Human {
    /// Results go to `out`, messages to `err`.
    pub fn new(out: Box<dyn Write + Send>, err: Box<dyn Write + Send>, options: HumanOptions) -> Self {
        Self {
            out,
            err,
            options,
            fleet: Fleet::default(),
            title: String::new(),
            adhoc: false,
            check: false,
            begun: Instant::now(),
            seconds: None,
            pending: IndexMap::new(),
            current: String::new(),
            headed: None,
            blocks: Blocks::default(),
            messages: HashMap::new(),
            ignored: 0,
            rescued: 0,
            restored: Restored::default(),
        }
    }

    fn term(&self) -> Terminal {
        self.options.term
    }

    fn observe(&mut self, event: &Event, now: Instant) -> (String, String) {
        let (mut out, mut err) = (String::new(), String::new());
        match &event.kind {
            EventKind::RunStarted {
                title,
                hosts,
                check,
                adhoc,
                ..
            } => {
                self.fleet.hosts = hosts.iter().map(|host| (host.clone(), Outcome::default())).collect();
                (self.adhoc, self.check, self.begun) = (*adhoc, *check, now);
                self.title.clone_from(title);
            }
            EventKind::PlayStarted { play, hosts, .. } => {
                self.flush(&mut out);
                if !self.adhoc {
                    self.headed = None;
                    self.play(&mut out, play, &text::hosts(hosts.len()));
                }
            }
            EventKind::PreflightStarted { play, checks, hosts } => {
                self.flush(&mut out);
                let checks = if checks.len() == 1 {
                    "1 check".to_owned()
                } else {
                    format!("{} checks", checks.len())
                };
                let facts = [
                    format!("pre-flight {}", text::one_line(play.trim())),
                    text::hosts(hosts.len()),
                    checks,
                ];
                let term = self.term();
                put!(
                    out,
                    "\n{}\n",
                    style::rule(&style::join(&facts, &term), Colour::Bold, &term)
                );
            }
            EventKind::PreflightVerdict(verdict) => out.push_str(&preflight::shown(verdict, &self.term())),
            EventKind::CanaryVerdict(verdict) => {
                self.flush(&mut out);
                out.push_str(&preflight::wave(verdict, &self.term()));
            }
            EventKind::PlaySkipped { play } => {
                self.flush(&mut out);
                self.play(&mut out, play, "no host matched");
            }
            EventKind::TaskStarted { task, path, handler } => {
                self.flush(&mut out);
                key(task, path).clone_into(&mut self.current);
                let pending = self.pending(task, path);
                pending.handler = *handler;
                task.clone_into(&mut pending.task);
            }
            EventKind::HostStarted { host, .. } | EventKind::HostConnected { host, .. } => {
                self.fleet.host(host).touched = true;
            }
            EventKind::TaskRetrying {
                host,
                task,
                retries_left,
            } if self.options.verbosity > 0 => {
                let key = self
                    .pending
                    .iter()
                    .find(|(_, p)| p.task == *task)
                    .map(|(key, _)| key.clone());
                let pending = self.pending(task, &key.unwrap_or_default());
                pending.gathered.retrying(host, *retries_left, now);
            }
            EventKind::ItemResult(report) => self.result(report, true, now),
            EventKind::TaskResult(report) => {
                self.result(report, false, now);
                let all = self.blocks.taken >= self.fleet.len();
                if self.adhoc && (all || self.blocks.is_full()) {
                    out.push_str(&self.blocks.show(&self.fleet, &self.options.term));
                }
            }
            EventKind::Included { file, hosts } if self.options.verbosity > 0 => {
                let line = format!("  included {} for {}\n", text::one_line(file), text::hosts(hosts.len()));
                out.push_str(&self.term().paint(Colour::Dim, &line));
            }
            EventKind::HostDone {
                host,
                status,
                msg,
                task,
                ..
            } => {
                let outcome = self.fleet.host(host);
                outcome.touched = true;
                outcome.status = Some(*status);
                if let Some(task) = task
                    && !self.adhoc
                {
                    outcome.task = text::one_line(task);
                }
                if outcome.reason.is_empty()
                    && let Some(msg) = msg
                {
                    outcome.reason = text::one_line(msg);
                }
            }
            EventKind::Message { severity, text } => self.message(&mut err, *severity, text),
            EventKind::Controlled { change, by } if *change != Control::Draining => {
                let line = format!("{} ({})", text::one_line(&change.words()), text::one_line(by));
                err.push_str(&self.term().paint(Colour::Yellow, &line));
                err.push('\n');
            }
            EventKind::DuplicatesFound(found) => {
                self.message(&mut err, Severity::Warning, &words::duplicates(found));
            }
            EventKind::RunCancelled { reason } => {
                let line = format!(
                    "stopping ({}): running tasks end first, nothing new starts",
                    text::one_line(reason)
                );
                err.push_str(&self.term().paint(Colour::Yellow, &line));
                err.push('\n');
            }
            EventKind::RunFinished { seconds, .. } => {
                self.seconds = Some(*seconds);
                self.flush(&mut out);
            }
            EventKind::PolicyChecked { policies, refused } if self.options.verbosity > 0 && refused.is_empty() => {
                let paths: Vec<String> = policies.iter().map(|policy| text::one_line(&policy.path)).collect();
                let line = format!("allowed by {}\n", paths.join(", "));
                out.push_str(&self.term().paint(Colour::Dim, &line));
            }
            EventKind::TaskRestored { hosts, .. } => {
                self.restored.tasks += 1;
                for host in hosts {
                    self.fleet.host(host).touched = true;
                    self.restored.hosts.insert(host.clone());
                }
            }
            // That it drains is told as the end of the run, an answer in its check's verdict.
            EventKind::Controlled { .. }
            | EventKind::PreflightAnswer(_)
            | EventKind::CanaryAnswer(_)
            | EventKind::CanaryDecided { .. }
            | EventKind::WaveStarted { .. }
            | EventKind::PlaybookRead { .. }
            | EventKind::PolicyChecked { .. }
            | EventKind::TaskActing { .. }
            | EventKind::TaskRetrying { .. }
            | EventKind::Included { .. } => {}
        }
        (out, err)
    }

    fn pending(&mut self, task: &str, path: &str) -> &mut Pending {
        self.pending
            .entry(key(task, path).to_owned())
            .or_insert_with(|| Pending {
                task: task.to_owned(),
                handler: false,
                gathered: Gathered::new(),
            })
    }

    fn result(&mut self, report: &TaskReport, item: bool, now: Instant) {
        let outcome = self.fleet.host(&report.host);
        outcome.touched = true;
        if !item && !report.status.is_good() {
            if report.ignored {
                self.ignored += 1;
            } else if report.rescued {
                self.rescued += 1;
            } else {
                outcome.reason = words::reason(report);
                outcome.task = if self.adhoc {
                    String::new()
                } else {
                    text::one_line(&report.task)
                };
            }
        }
        // The check's verdict has said so.
        if matches!(report.module.as_str(), "preflight" | "canary") && !item {
            return;
        }
        // Commands of `exec` are about their output; all else is about the result.
        if self.adhoc && report.rc.is_some() && !report.looped {
            self.blocks.take(report);
            return;
        }
        if self.adhoc && !item {
            self.blocks.taken += 1;
        }
        // Its items have told why.
        if report.looped && !item && !report.status.is_good() {
            return;
        }
        let verbosity = self.options.verbosity;
        let pending = self.pending(&report.task, &report.path);
        pending.gathered.take(report, verbosity, now);
    }

    fn play(&self, out: &mut String, play: &str, fact: &str) {
        let term = self.term();
        let title = style::join(
            &[format!("play {}", text::one_line(play.trim())), fact.to_owned()],
            &term,
        );
        put!(out, "\n{}\n", style::rule(&title, Colour::Bold, &term));
    }

    /// One line for all tasks in a row that were done in an earlier run.
    fn show_restored(&mut self, out: &mut String) {
        let restored = std::mem::take(&mut self.restored);
        if restored.tasks == 0 {
            return;
        }
        let mut hosts: Vec<HostName> = restored.hosts.into_iter().collect();
        self.fleet.sort(&mut hosts);
        let term = self.term();
        let s = if restored.tasks == 1 { "" } else { "s" };
        let head = format!("{} task{s} done before and not again: ", text::count(restored.tasks));
        let width = term.width.saturating_sub(text::width(&head)).max(20);
        let names = fold::fold_into(hosts.iter().map(HostName::as_str), width, 1);
        put!(
            out,
            "\n{}\n",
            term.paint(Colour::Dim, &format!("{head}{}", names.join("")))
        );
        self.headed = None;
    }

    /// Shows everything that waits.
    fn flush(&mut self, out: &mut String) {
        for key in self.pending.keys().cloned().collect::<Vec<_>>() {
            self.show(out, &key, false);
        }
        // Late results make new entries; headings are not needed for tasks that are over.
        self.pending.clear();
        out.push_str(&self.blocks.show(&self.fleet, &self.options.term));
    }

    /// Shows what waits of one task, below its heading.
    fn show(&mut self, out: &mut String, key: &str, urgent: bool) {
        let Some(pending) = self.pending.get_mut(key) else {
            return;
        };
        if pending.gathered.is_empty() {
            return;
        }
        let shown = pending.gathered.show(urgent, &self.fleet, &self.options.term);
        if shown.is_empty() {
            return;
        }
        self.show_restored(out);
        let Some(pending) = self.pending.get_mut(key) else {
            return;
        };
        if !self.adhoc && self.headed.as_deref() != Some(key) {
            let what = if pending.handler { "handler " } else { "" };
            let term = &self.options.term;
            let name = text::one_line(pending.task.trim());
            let mut heading = text::fit(&format!("{what}{name}"), term.width, term.pick("…", "~"));
            heading = term.paint(Colour::Bold, &heading);
            if self.options.verbosity >= 2 && key != pending.task {
                heading.push_str(&term.paint(Colour::Dim, &format!("  {}", text::one_line(key))));
            }
            put!(out, "\n{heading}\n");
            self.headed = Some(key.to_owned());
        }
        out.push_str(&shown);
    }

    /// Shows what has waited long enough.
    fn show_due(&mut self, now: Instant) -> String {
        let mut out = String::new();
        for key in self.pending.keys().cloned().collect::<Vec<_>>() {
            let Some(pending) = self.pending.get(&key) else {
                continue;
            };
            let since = pending.gathered.since;
            let late = since.is_some_and(|since| now.saturating_duration_since(since) >= LATE);
            if key != self.current && late {
                self.show(&mut out, &key, false);
            } else if pending.gathered.is_urgent(WINDOW, now) {
                self.show(&mut out, &key, true);
            }
        }
        out
    }

    fn message(&mut self, err: &mut String, severity: Severity, message: &str) {
        let (colour, head) = match severity {
            Severity::Debug if self.options.verbosity == 0 => return,
            Severity::Debug => (Colour::DarkGray, ""),
            Severity::Info => (Colour::None, ""),
            Severity::Warning => (Colour::BrightPurple, "warning: "),
            Severity::Error => (Colour::Red, "error: "),
        };
        // The same words thousands of times hide everything else.
        if self.messages.len() < MESSAGES || self.messages.contains_key(message) {
            let times = self.messages.entry(message.to_owned()).or_default();
            *times += 1;
            if *times > 1 && severity != Severity::Error {
                return;
            }
        }
        let term = self.term();
        for (index, line) in text::lines(message).enumerate() {
            let head = if index == 0 { head } else { "" };
            for piece in style::pieces(&format!("{head}{line}"), term.width, &term) {
                err.push_str(&term.paint(colour, &piece));
                err.push('\n');
            }
        }
    }

    fn recap(&self) -> String {
        let seconds = self.seconds.unwrap_or_else(|| self.begun.elapsed().as_secs_f64());
        Recap {
            fleet: &self.fleet,
            options: &self.options,
            title: &self.title,
            seconds,
            check: self.check,
            ignored: self.ignored,
            rescued: self.rescued,
        }
        .show()
    }

    fn write(&mut self, out: &str, err: &str) -> io::Result<()> {
        if !err.is_empty() {
            // A closed standard error must not cost the results.
            let _ = self.err.write_all(err.as_bytes()).and_then(|()| self.err.flush());
        }
        if !out.is_empty() {
            self.out.write_all(out.as_bytes())?;
            self.out.flush()?;
        }
        Ok(())
    }
}

fn key<'a>(task: &'a str, path: &'a str) -> &'a str {
    if path.is_empty() { task } else { path }
}

impl Sink for Human {
    fn name(&self) -> &'static str {
        "standard output"
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        let (out, err) = self.observe(event, Instant::now());
        self.write(&out, &err)
    }

    fn tick(&mut self) -> io::Result<()> {
        let out = self.show_due(Instant::now());
        self.write(&out, "")
    }

    fn finish(&mut self) -> io::Result<()> {
        let mut out = String::new();
        self.flush(&mut out);
        self.show_restored(&mut out);
        if self.fleet.len() > 0 {
            out.push_str(&self.recap());
        }
        self.write(&out, "")
    }
}

#[cfg(test)]
mod tests;
