//! `report --html`: a run as one page. What became of the hosts, what each task did where, and a table of all results.

use std::collections::HashMap;

use indexmap::{IndexMap, IndexSet};
use serde::Serialize;

use super::{Page, Table, data, escape, time};
use crate::event::Status;
use crate::report::past::overview::{Group, HostLine, Overview, State, TaskLine};
use crate::report::past::{Done, task_name};
use crate::report::{fold, text, words};

const SCRIPT: &str = include_str!("run.js");
/// Rows of the table: beyond that results that are good are left out.
const MOST_ROWS: usize = 100_000;
/// Characters of a message.
const MOST_MESSAGE: usize = 300;
/// Groups of hosts in one list.
const MOST_GROUPS: usize = 60;
/// Commands and files of one group.
const MOST_DID: usize = 20;
/// Names in one list, in characters.
const MOST_NAMES: usize = 2_000;

/// The rows of the table, collected result by result.
#[derive(Default, Serialize)]
pub struct Rows {
    plays: IndexSet<String>,
    tasks: Vec<(String, usize, String)>,
    hosts: IndexSet<String>,
    verdicts: Vec<(String, &'static str)>,
    messages: IndexSet<String>,
    #[serde(rename = "rows")]
    all: Vec<(usize, usize, usize, Option<i64>, f64, usize)>,
    left_out: usize,
    #[serde(skip)]
    known_tasks: HashMap<(usize, String, String), usize>,
}

impl Rows {
    /// Takes a result in.
    pub fn add(&mut self, done: &Done) {
        let report = &done.report;
        let most = if report.status.is_good() {
            MOST_ROWS
        } else {
            MOST_ROWS * 2
        };
        if self.all.len() >= most {
            self.left_out += 1;
            return;
        }
        let (play, _) = self.plays.insert_full(text::one_line(&done.play));
        let (name, path) = (task_name(report), text::one_line(&report.path));
        let next = self.tasks.len();
        let task = *self
            .known_tasks
            .entry((play, name.clone(), path.clone()))
            .or_insert(next);
        if task == next {
            self.tasks.push((name, play, path));
        }
        let (host, _) = self.hosts.insert_full(text::one_line(report.host.as_str()));
        let word = done.verdict();
        let verdict = match self.verdicts.iter().position(|(known, _)| *known == word) {
            Some(verdict) => verdict,
            None => {
                self.verdicts
                    .push((word, kind(report.status, report.ignored || report.rescued)));
                self.verdicts.len() - 1
            }
        };
        let message = if report.status.is_good() {
            text::one_line(&report.msg)
        } else {
            done.reason()
        };
        let (message, _) = self.messages.insert_full(text::fit(&message, MOST_MESSAGE, "…"));
        let seconds = (report.seconds * 1000.0).round() / 1000.0;
        self.all.push((host, task, verdict, report.rc, seconds, message));
    }
}

/// How a verdict is painted.
fn kind(status: Status, passed: bool) -> &'static str {
    match status {
        Status::Changed => "changed",
        Status::Ok => "ok",
        Status::Skipped => "quiet",
        Status::Failed | Status::TimedOut | Status::Unreachable | Status::InDoubt if passed => "passed",
        Status::Failed | Status::TimedOut | Status::Unreachable | Status::InDoubt => "bad",
    }
}

/// The page. `damage` says what is wrong with the journal, when something is.
pub fn page(overview: &Overview, rows: &Rows, damage: Option<&str>) -> String {
    let title = &overview.title;
    let verdict = verdict(overview);
    Page {
        title: &format!("{title}: {verdict}"),
        header: &header(overview, &verdict, damage),
        main: &format!("{}{}", hosts(overview), tasks(overview)),
        table: Table {
            heading: "Results",
            placeholder: "host, task or word",
            all: "show all results",
            caption: "One row a host and task; the buttons in the head sort",
        },
        data: &data(rows),
        script: SCRIPT,
    }
    .text()
}

/// What the run came to, in one line of text.
pub fn verdict(overview: &Overview) -> String {
    let mut counts: IndexMap<&str, usize> = IndexMap::new();
    let mut not_done = 0;
    for host in &overview.hosts {
        match host.status {
            Some(status) => *counts.entry(words::word(status)).or_default() += 1,
            None => not_done += 1,
        }
    }
    let mut parts: Vec<String> = counts
        .iter()
        .map(|(word, count)| format!("{} {word}", text::count(*count)))
        .collect();
    if not_done > 0 {
        parts.push(format!("{} not done", text::count(not_done)));
    }
    if parts.is_empty() {
        parts.push("no hosts".to_owned());
    }
    let end = match (overview.state, overview.exit_code, &overview.stopped_by) {
        (State::Running, _, _) => "still running".to_owned(),
        (State::Killed, _, _) => "killed".to_owned(),
        (State::Unreadable, _, _) => "how it ended cannot be read".to_owned(),
        (State::Ended, code, Some(by)) => format!("stopped by {by}, exit code {}", code.unwrap_or_default()),
        (State::Ended, code, None) => format!("exit code {}", code.unwrap_or_default()),
    };
    text::one_line(&format!("{}; {end}", parts.join(", ")))
}

fn header(overview: &Overview, verdict: &str, damage: Option<&str>) -> String {
    let check = if overview.check {
        " <span class=\"tag\">check mode</span>"
    } else {
        ""
    };
    let origin = &overview.origin;
    let took = overview
        .seconds
        .map(|seconds| format!(" · took {}", text::seconds(seconds)))
        .unwrap_or_default();
    let mut out = format!(
        "<h1>{}{check}</h1>\n<p class=\"verdict\"><strong>{}</strong></p>\n<p class=\"meta\">run {} · {}{took} · {}@{}</p>\n",
        escape(&overview.title),
        escape(verdict),
        escape(&overview.run),
        time(&overview.time),
        escape(&origin.user),
        escape(&origin.controller)
    );
    if let Some(damage) = damage {
        put!(out, "<p class=\"verdict\"><mark>{}</mark></p>\n", escape(damage));
    }
    put!(out, "<dl class=\"facts\">\n");
    let mut fact = |name: &str, value: &str| {
        if !value.is_empty() {
            put!(out, "<dt>{name}</dt><dd><code>{}</code></dd>\n", escape(value));
        }
    };
    fact("command", &overview.command_line);
    fact("in", &overview.folder);
    fact("goes on with", origin.parent.as_deref().unwrap_or_default());
    for (name, files) in [
        ("playbook", &overview.playbooks),
        ("inventory", &origin.inventory),
        ("policy", &overview.policies),
    ] {
        for file in files {
            fact(name, &format!("{}  sha256 {}", file.path, file.sha256));
        }
    }
    for change in &overview.controlled {
        fact("changed", &format!("{} {} by {}", change.time, change.what, change.by));
    }
    put!(out, "</dl>\n");
    out
}

/// A bar of parts, and its key.
fn stack(counts: &[(String, &'static str, usize)]) -> String {
    let label: Vec<String> = counts
        .iter()
        .map(|(word, _, count)| format!("{count} {word}"))
        .collect();
    let mut out = format!(
        "<div class=\"stack\" role=\"img\" aria-label=\"{}\">",
        escape(&label.join(", "))
    );
    for (word, kind, count) in counts {
        put!(
            out,
            "<span class=\"fill-{kind}\" style=\"flex:{count}\" title=\"{count} {}\"></span>",
            escape(word)
        );
    }
    out.push_str("</div>");
    out
}

/// Hosts with the same end: the verdict (`None`: not done), the task they stopped at, why, and who.
pub(crate) type End<'a> = ((Option<Status>, &'a str, &'a str), Vec<&'a str>);

/// Hosts by what became of them, the worst first.
pub(crate) fn ends(hosts: &[HostLine]) -> Vec<End<'_>> {
    let mut groups: IndexMap<(Option<Status>, &str, &str), Vec<&str>> = IndexMap::new();
    let mut masked: HashMap<(Option<Status>, &str, String), &str> = HashMap::new();
    for line in hosts {
        let task = line.task.as_deref().unwrap_or_default();
        // Reasons that differ in numbers and in the host's own name are the same one.
        let key = (line.status, task, words::masked(&line.reason, line.host.as_str()));
        let reason = *masked.entry(key).or_insert(&line.reason);
        groups
            .entry((line.status, task, reason))
            .or_default()
            .push(line.host.as_str());
    }
    let mut groups: Vec<End<'_>> = groups.into_iter().collect();
    // Not done is worse than done well, and better than anything that went wrong.
    let rank = |status: Option<Status>| match status {
        Some(status) if status.is_good() => (0, Some(status)),
        None => (1, None),
        Some(status) => (2, Some(status)),
    };
    groups.sort_by_key(|((status, ..), _)| std::cmp::Reverse(rank(*status)));
    groups
}

fn hosts(overview: &Overview) -> String {
    let groups = ends(&overview.hosts);
    let mut counts: Vec<(String, &'static str, usize)> = Vec::new();
    for ((status, ..), hosts) in &groups {
        let (word, kind) = match status {
            Some(status) => (words::word(*status), kind(*status, false)),
            None => ("not done", "quiet"),
        };
        match counts.iter_mut().find(|(known, ..)| known == word) {
            Some((_, _, count)) => *count += hosts.len(),
            None => counts.push((word.to_owned(), kind, hosts.len())),
        }
    }
    let mut out = "<section aria-labelledby=\"hosts\">\n<h2 id=\"hosts\">Hosts</h2>\n".to_owned();
    if !counts.is_empty() {
        put!(out, "{}\n<ul class=\"key\">", stack(&counts));
        for (word, kind, count) in &counts {
            put!(
                out,
                "<li><i class=\"fill-{kind}\"></i>{} {word}</li>",
                text::count(*count)
            );
        }
        put!(out, "</ul>\n<p></p>\n");
    }
    for ((status, task, reason), hosts) in groups.iter().take(MOST_GROUPS) {
        let (word, class) = match status {
            Some(status) if status.is_good() => (words::word(*status), "usual"),
            Some(status) => (words::word(*status), "odd"),
            None => ("not done", "gone"),
        };
        put!(
            out,
            "<article class=\"card {class}\">\n<h3><span class=\"tag\">{word}</span> <span class=\"count\">{}</span></h3>\n<p class=\"names\">{}</p>\n",
            text::hosts(hosts.len()),
            names(hosts.iter().copied())
        );
        if !reason.is_empty() {
            let at = if task.is_empty() {
                String::new()
            } else {
                format!("{}: ", escape(task))
            };
            put!(out, "<p class=\"note\">{at}{}</p>\n", escape(reason));
        }
        put!(out, "</article>\n");
    }
    hidden(&mut out, groups.len(), "groups of hosts");
    out.push_str("</section>\n");
    out
}

fn hidden(out: &mut String, all: usize, what: &str) {
    if all > MOST_GROUPS {
        let more = text::count(all - MOST_GROUPS);
        put!(
            out,
            "<p class=\"hidden-groups\">… {more} more {what} are in the table only …</p>\n"
        );
    }
}

fn names<'a>(hosts: impl IntoIterator<Item = &'a str>) -> String {
    escape(&text::fit(&fold::fold(hosts), MOST_NAMES, "…"))
}

fn tasks(overview: &Overview) -> String {
    let mut out = "<section aria-labelledby=\"tasks\">\n<h2 id=\"tasks\">Tasks</h2>\n".to_owned();
    if overview.tasks.is_empty() {
        out.push_str("<p>No task has a result.</p>\n");
    }
    let mut play = "";
    for task in &overview.tasks {
        if task.play != play {
            play = &task.play;
            put!(out, "<h3>{}</h3>\n", escape(play));
        }
        out.push_str(&one_task(task));
    }
    out.push_str("</section>\n");
    out
}

fn one_task(task: &TaskLine) -> String {
    let mut counts: Vec<(String, &'static str, usize)> = Vec::new();
    for group in &task.results {
        let kind = kind(group.status, group.verdict.contains(','));
        match counts.iter_mut().find(|(word, ..)| *word == group.verdict) {
            Some((_, _, count)) => *count += group.hosts.len(),
            None => counts.push((group.verdict.clone(), kind, group.hosts.len())),
        }
    }
    let said: Vec<String> = counts
        .iter()
        .map(|(word, _, count)| format!("{} {word}", text::count(*count)))
        .collect();
    let bad = counts.iter().any(|(_, kind, _)| *kind == "bad");
    let mut out = format!(
        "<details class=\"task\"{}>\n<summary><b>{}</b>{}<span class=\"count\">{}</span></summary>\n<div class=\"did\">\n",
        if bad { " open" } else { "" },
        escape(if task.task.is_empty() { &task.module } else { &task.task }),
        stack(&counts),
        escape(&said.join(", "))
    );
    let slowest = task.slowest.as_ref().map(|slowest| {
        let took = text::seconds(slowest.seconds);
        format!("slowest {took} on {}", slowest.host)
    });
    let place = [task.path.clone(), task.module.clone(), slowest.unwrap_or_default()];
    let place: Vec<String> = place.into_iter().filter(|part| !part.is_empty()).collect();
    put!(out, "<p class=\"where\">{}</p>\n", escape(&place.join(" · ")));
    for group in task.results.iter().take(MOST_GROUPS) {
        out.push_str(&one_group(group));
    }
    hidden(&mut out, task.results.len(), "groups");
    out.push_str("</div>\n</details>\n");
    out
}

fn one_group(group: &Group) -> String {
    let mut out = format!(
        "<h4><span class=\"count\">{}:</span> {}</h4>\n",
        escape(&group.verdict),
        names(group.hosts.iter().map(crate::names::HostName::as_str))
    );
    if !group.reason.is_empty() {
        put!(out, "<p>{}</p>\n", escape(&text::fit(&group.reason, MOST_NAMES, "…")));
    }
    if let Some(on) = &group.delegated_to {
        put!(out, "<p class=\"where\">on {}</p>\n", escape(on));
    }
    let as_whom = group
        .became
        .as_ref()
        .map(|whom| format!(" <span class=\"where\">as {}</span>", escape(whom)));
    let as_whom = as_whom.unwrap_or_default();
    for command in group.commands.iter().take(MOST_DID) {
        put!(out, "<p><code>$ {}</code>{as_whom}</p>\n", escape(command));
    }
    for line in group.file_lines().take(MOST_DID) {
        put!(out, "<p><code>&gt; {}</code></p>\n", escape(&line));
    }
    let more = |shown: usize, left: u32| shown.saturating_sub(MOST_DID) + usize::try_from(left).unwrap_or(usize::MAX);
    let more = more(group.commands.len(), group.more_commands) + more(group.files.len(), group.more_files);
    if more > 0 {
        put!(
            out,
            "<p class=\"where\">… {} more commands and files</p>\n",
            text::count(more)
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, EventKind};
    use crate::report::past::overview::Observer;
    use crate::report::past::{Past, Wanted};
    use crate::report::testing::{bad, command, done, finished, play, result, started};

    fn made(events: Vec<EventKind>) -> String {
        let (mut observer, mut past, mut rows) =
            (Observer::new(Wanted::all(), false), Past::default(), Rows::default());
        for (seq, kind) in (1..).zip(events) {
            let time = "2026-11-21T04:51:00.000Z".to_owned();
            let event = Event { kind, seq, time };
            observer.observe(&event);
            if let Some(done) = past.observe(&event) {
                rows.add(&done);
            }
        }
        page(&observer.finish(State::Killed), &rows, None)
    }

    #[test]
    fn whatever_a_host_says_is_text_in_the_page() {
        let evil = "</script><img src=x onerror=alert(1)>\u{1b}[31m\u{202e}";
        let mut report = command("a", Status::Ok, 0, "", "");
        report.did.command(evil.to_owned());
        let page = made(vec![
            started(evil, &["a", "b"], false),
            play(evil, &["a", "b"]),
            result(report),
            result(bad("b", evil, Status::Failed, evil)),
            done("b", Status::Failed, evil),
            finished(),
        ]);
        assert!(
            !page.contains("<img") && page.matches("</script").count() == 2,
            "{page}"
        );
        assert!(!page.contains('\u{1b}') && !page.contains('\u{202e}'));
        assert!(page.contains("&lt;img src=x onerror=alert(1)&gt;"));
    }

    #[test]
    fn a_run_without_hosts_is_a_page() {
        let page = made(vec![started("x", &[], false), finished()]);
        assert!(
            page.contains("no hosts; exit code 0") && page.contains("No task has a result."),
            "{page}"
        );
    }

    #[test]
    fn the_worst_hosts_come_first_and_those_with_the_same_reason_are_one_card() {
        let line = |host: &str, status: Option<Status>, reason: &str| HostLine {
            host: host.into(),
            status,
            task: None,
            reason: reason.to_owned(),
        };
        let lines = [
            line("a", Some(Status::Ok), ""),
            line("b", Some(Status::Failed), "b: disk 1 is full"),
            line("c", None, ""),
            line("d", Some(Status::Failed), "d: disk 2 is full"),
        ];
        let groups: Vec<(Option<Status>, Vec<&str>)> = ends(&lines)
            .into_iter()
            .map(|((status, ..), hosts)| (status, hosts))
            .collect();
        assert_eq!(
            groups,
            [
                (Some(Status::Failed), vec!["b", "d"]),
                (None, vec!["c"]),
                (Some(Status::Ok), vec!["a"])
            ]
        );
    }
}
