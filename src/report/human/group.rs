//! Equal results of many hosts gathered into one group, and how a group looks.

use std::time::{Duration, Instant};

use indexmap::IndexMap;
use serde_json::Value;

use super::Fleet;
use super::style::{self, INDENT, Mark};
use crate::event::TaskReport;
use crate::names::HostName;
use crate::report::terminal::{Colour, Terminal};
use crate::report::{diff, fold, json, text, words};

/// Lines of a failure's own output that are shown.
const TAIL: usize = 6;
/// The time failures wait for others of their kind is doubled at most this often.
const MOST_DOUBLINGS: u32 = 5;
/// Lines a reason may take.
const REASON_LINES: usize = 3;
/// Lines the hosts of a failure may take; good results have one.
const HOST_LINES: usize = 3;

/// What makes results equal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    mark: Mark,
    rc: Option<i64>,
    /// The reason, masked, or what is shown below.
    text: String,
}

#[derive(Debug)]
struct Group {
    hosts: Vec<HostName>,
    /// The reason as `from` gave it.
    reason: String,
    from: HostName,
    /// The others gave exactly the same one.
    same: bool,
    details: Vec<(Colour, String)>,
}

/// The results of one task that are not shown yet.
#[derive(Debug)]
pub(super) struct Gathered {
    groups: IndexMap<Key, Group>,
    /// When the oldest of them came.
    pub(super) since: Option<Instant>,
    /// When the oldest came that should not wait.
    urgent_since: Option<Instant>,
    /// How often urgent ones were shown already.
    urgent_shown: u32,
}

impl Gathered {
    pub(super) fn new() -> Self {
        Self {
            groups: IndexMap::new(),
            since: None,
            urgent_since: None,
            urgent_shown: 0,
        }
    }

    /// Takes a result, or the result of one item of a loop.
    pub(super) fn take(&mut self, report: &TaskReport, verbosity: u8, now: Instant) {
        let host = &report.host;
        for warning in &report.warnings {
            let warning = text::one_line(warning);
            let key = words::masked(&warning, host.as_str());
            self.put(Mark::Warning, None, key, host, &warning, Vec::new, now);
        }
        let mark = Mark::of(report.status, report.ignored, report.rescued);
        let item = words::item(report).map(|item| format!("item={item}"));
        if report.status.is_good() {
            let details = good_details(report, verbosity);
            // A good item is worth a line only when there is something to see.
            if item.is_some() && details.is_empty() && verbosity == 0 {
                return;
            }
            let reason = item.unwrap_or_default();
            let mut key = reason.clone();
            for (_, line) in &details {
                key.push('\n');
                key.push_str(line);
            }
            self.put(mark, None, key, host, &reason, || details, now);
        } else {
            let why = words::reason(report);
            let reason = item.map_or_else(|| why.clone(), |item| format!("{item}: {why}"));
            let key = words::masked(&reason, host.as_str());
            let details = || bad_details(report, &why, verbosity);
            self.put(mark, report.rc, key, host, &reason, details, now);
        }
    }

    /// Another try of a task.
    pub(super) fn retrying(&mut self, host: &HostName, left: u32, now: Instant) {
        let reason = format!("{left} retries left");
        self.put(Mark::Retrying, None, reason.clone(), host, &reason, Vec::new, now);
    }

    #[expect(clippy::too_many_arguments, reason = "private, one caller's worth of facts each")]
    fn put(
        &mut self,
        mark: Mark,
        rc: Option<i64>,
        text: String,
        host: &HostName,
        reason: &str,
        details: impl FnOnce() -> Vec<(Colour, String)>,
        now: Instant,
    ) {
        self.since.get_or_insert(now);
        if mark.is_urgent() {
            self.urgent_since.get_or_insert(now);
        }
        let group = self.groups.entry(Key { mark, rc, text }).or_insert_with(|| Group {
            hosts: Vec::new(),
            reason: reason.to_owned(),
            from: host.clone(),
            same: true,
            details: details(),
        });
        group.same &= group.reason == reason;
        group.hosts.push(host.clone());
    }

    /// Something urgent has waited for `window`, which doubles every time: the first failure is shown at once, the
    /// hundredth of its kind can wait for its neighbours.
    pub(super) fn is_urgent(&self, window: Duration, now: Instant) -> bool {
        let window = window * 2u32.pow(self.urgent_shown.min(MOST_DOUBLINGS));
        self.urgent_since
            .is_some_and(|since| now.saturating_duration_since(since) >= window)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Shows the groups and forgets them; with `urgent` only those that should not wait.
    pub(super) fn show(&mut self, urgent: bool, fleet: &Fleet, term: &Terminal) -> String {
        let groups = std::mem::take(&mut self.groups);
        let (shown, kept): (Vec<_>, Vec<_>) = groups.into_iter().partition(|(key, _)| !urgent || key.mark.is_urgent());
        self.groups = kept.into_iter().collect();
        if self.urgent_since.take().is_some() {
            self.urgent_shown += 1;
        }
        if self.groups.is_empty() {
            self.since = None;
        }
        let mut shown = shown;
        // Good ones first, what needs attention last, where it is seen; many hosts before few.
        shown.sort_by(|(a, ga), (b, gb)| a.mark.cmp(&b.mark).then(gb.hosts.len().cmp(&ga.hosts.len())));
        let mut out = String::new();
        for (key, group) in shown {
            show_group(&mut out, key.mark, group, fleet, term);
        }
        out
    }
}

fn show_group(out: &mut String, mark: Mark, mut group: Group, fleet: &Fleet, term: &Terminal) {
    fleet.sort(&mut group.hosts);
    let lines = if mark.is_urgent() { HOST_LINES } else { 1 };
    let mut reason = group.reason;
    if !group.same {
        reason = as_on(&reason, &group.from);
    }
    line(out, mark, &group.hosts, lines, &reason, fleet, term);
    style::gutter(out, &group.details, INDENT, term);
}

/// A reason that the others gave with other names and numbers in it.
pub(super) fn as_on(reason: &str, host: &HostName) -> String {
    format!("{reason} (as on {host}; others differ in names or numbers)")
}

/// `  ✗ failed        5  db[03-05,08],cache1` and the reason below.
pub(super) fn line(
    out: &mut String,
    mark: Mark,
    hosts: &[HostName],
    lines: usize,
    reason: &str,
    fleet: &Fleet,
    term: &Terminal,
) {
    let (head, column) = style::head(mark, hosts.len(), fleet.digits(), term);
    let room = term.width.saturating_sub(column).max(10);
    let names = hosts.iter().map(HostName::as_str);
    let names = fold::fold_into(names, room, lines);
    out.push_str(&head);
    for (index, line) in names.iter().enumerate() {
        if index > 0 {
            out.push_str(&" ".repeat(column));
        }
        out.push_str(line);
        out.push('\n');
    }
    if reason.is_empty() {
        return;
    }
    let room = term.width.saturating_sub(INDENT).max(10);
    let mut wrapped = text::wrap(reason, room);
    if wrapped.len() > REASON_LINES {
        wrapped.truncate(REASON_LINES);
        if let Some(last) = wrapped.last_mut() {
            let mark = term.pick("…", "...");
            *last = text::fit(last, room.saturating_sub(text::width(mark)), "") + mark;
        }
    }
    let colour = if mark.is_urgent() { Colour::None } else { Colour::Dim };
    for line in wrapped {
        out.push_str(&" ".repeat(INDENT));
        out.push_str(&term.paint(colour, &line));
        out.push('\n');
    }
}

/// Diffs, what `debug` says, and with `-v` all values.
fn good_details(report: &TaskReport, verbosity: u8) -> Vec<(Colour, String)> {
    let mut details: Vec<_> = report.diff.iter().flat_map(diff::show).collect();
    if report.verbose || verbosity > 0 {
        let values = words::values(report);
        let said = match values.as_object() {
            Some(map) if report.module == "debug" && map.len() == 1 => map.get("msg").and_then(Value::as_str),
            _ => None,
        };
        match said {
            Some(said) => details.extend(text::lines(said).map(|line| (Colour::None, line))),
            None => details.extend(
                json::dump(&values, Some(2))
                    .lines()
                    .map(|line| (Colour::None, line.to_owned())),
            ),
        }
    }
    details
}

/// The end of what a failed task said, unless the reason says it all.
fn bad_details(report: &TaskReport, reason: &str, verbosity: u8) -> Vec<(Colour, String)> {
    if verbosity > 0 {
        let values = json::dump(&words::values(report), Some(2));
        return values.lines().map(|line| (Colour::None, line.to_owned())).collect();
    }
    let output = if report.stderr.trim().is_empty() {
        &report.stdout
    } else {
        &report.stderr
    };
    let mut lines: Vec<String> = text::lines(output).filter(|line| !line.trim().is_empty()).collect();
    // What the reason quotes need not be said twice.
    if lines.last().is_some_and(|line| reason.ends_with(line.trim())) {
        lines.pop();
    }
    let left_out = lines.len().saturating_sub(TAIL);
    let mut details = Vec::new();
    if left_out > 0 {
        details.push((Colour::Dim, format!("({left_out} lines before; -v shows all)")));
    }
    details.extend(lines.into_iter().skip(left_out).map(|line| (Colour::None, line)));
    details
}
