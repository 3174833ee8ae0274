//! The end of a run on one screen: totals, what went wrong grouped by reason, what to do next.

use indexmap::IndexMap;

use super::group;
use super::style::{self, Mark};
use super::{Fleet, HumanOptions};
use crate::event::Status;
use crate::names::HostName;
use crate::report::terminal::Colour;
use crate::report::{text, words};

/// Groups shown; the journal and the retry file have all.
const MOST_GROUPS: usize = 15;
/// Blanks between two totals.
const GAP: usize = 3;
/// With more groups than this each gets a single line of hosts.
const ROOMY: usize = 6;

/// What a host came to.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    pub(super) touched: bool,
    pub(super) status: Option<Status>,
    /// The task it stopped at.
    pub(super) task: String,
    pub(super) reason: String,
}

impl Outcome {
    fn mark(&self) -> Mark {
        match self.status {
            Some(status) => Mark::of(status, false, false),
            None if self.touched => Mark::Interrupted,
            None => Mark::NotStarted,
        }
    }
}

/// What makes two hosts' trouble the same: how, at which task, for which reason (masked).
type Key<'a> = (Mark, &'a str, String);

/// The hosts with the same trouble.
struct Cases<'a> {
    hosts: Vec<HostName>,
    /// The reason as the first of them gave it.
    reason: &'a str,
    /// The others gave exactly the same one.
    same: bool,
}

/// What the recap is made of.
pub(super) struct Recap<'a> {
    pub(super) fleet: &'a Fleet,
    pub(super) options: &'a HumanOptions,
    pub(super) title: &'a str,
    pub(super) seconds: f64,
    pub(super) check: bool,
    pub(super) ignored: u32,
    pub(super) rescued: u32,
}

impl Recap<'_> {
    pub(super) fn show(&self) -> String {
        let term = &self.options.term;
        let mut totals: IndexMap<Mark, usize> = IndexMap::new();
        for (_, outcome) in self.fleet.outcomes() {
            *totals.entry(outcome.mark()).or_default() += 1;
        }
        totals.sort_keys();

        let mut title = vec![
            text::one_line(self.title),
            text::hosts(self.fleet.len()),
            text::seconds(self.seconds),
        ];
        if self.check {
            title.push("check mode, nothing was changed".to_owned());
        }
        let mut out = format!("\n{}\n", style::rule(&style::join(&title, term), Colour::Bold, term));
        let mut used = 0;
        for (mark, number) in &totals {
            let text = format!("{} {} {}", mark.symbol(term), text::count(*number), mark.word());
            let gap = if used == 0 { 2 } else { GAP };
            if used + gap + text::width(&text) > term.width && used > 0 {
                out.push_str("\n  ");
                used = 2;
            } else {
                out.push_str(&" ".repeat(gap));
                used += gap;
            }
            used += text::width(&text);
            out.push_str(&term.paint(mark.colour(), &text));
        }
        out.push('\n');
        for (number, what) in [(self.ignored, "ignored"), (self.rescued, "rescued")] {
            if number > 0 {
                let s = if number == 1 { "" } else { "s" };
                let text = format!("  {} failure{s} {what}\n", text::count(number as usize));
                out.push_str(&term.paint(Colour::Dim, &text));
            }
        }
        self.groups(&mut out);
        self.next(&mut out);
        out
    }

    /// What went wrong, worst first.
    fn groups(&self, out: &mut String) {
        let term = &self.options.term;
        let mut groups: IndexMap<Key<'_>, Cases<'_>> = IndexMap::new();
        for (host, outcome) in self.fleet.outcomes() {
            let mark = outcome.mark();
            if matches!(mark, Mark::Good(_)) {
                continue;
            }
            let key = (
                mark,
                outcome.task.as_str(),
                words::masked(&outcome.reason, host.as_str()),
            );
            let cases = groups.entry(key).or_insert_with(|| Cases {
                hosts: Vec::new(),
                reason: outcome.reason.as_str(),
                same: true,
            });
            cases.same &= cases.reason == outcome.reason;
            cases.hosts.push(host.clone());
        }
        if groups.is_empty() {
            return;
        }
        groups.sort_by(|a, ga, b, gb| b.0.cmp(&a.0).then(gb.hosts.len().cmp(&ga.hosts.len())));
        let lines = if groups.len() > ROOMY { 1 } else { 2 };
        out.push('\n');
        for ((mark, task, _), cases) in groups.iter().take(MOST_GROUPS) {
            let reason = match cases.hosts.first() {
                Some(first) if !cases.same => group::as_on(cases.reason, first),
                _ => cases.reason.to_owned(),
            };
            let parts: Vec<String> = [(*task).to_owned(), reason]
                .into_iter()
                .filter(|p| !p.is_empty())
                .collect();
            let why = style::join(&parts, term);
            let why = if lines == 1 {
                text::fit(&why, term.width.saturating_sub(style::INDENT), term.pick("…", "~"))
            } else {
                why
            };
            group::line(out, *mark, &cases.hosts, lines, &why, self.fleet, term);
        }
        let rest: Vec<usize> = groups
            .values()
            .skip(MOST_GROUPS)
            .map(|cases| cases.hosts.len())
            .collect();
        if !rest.is_empty() {
            let hosts = text::hosts(rest.iter().sum());
            put!(out, "  and {} more reasons on {hosts}\n", rest.len());
        }
    }

    /// Where the hosts are listed, and how to go on with them.
    fn next(&self, out: &mut String) {
        let left = self
            .fleet
            .outcomes()
            .filter(|(_, outcome)| !matches!(outcome.mark(), Mark::Good(_)))
            .count();
        if left == 0 {
            return;
        }
        out.push('\n');
        if let Some(path) = &self.options.retry_file {
            // Not cut, whatever the width: it is there to be copied, as is the command.
            let path = text::one_line(&path.display().to_string());
            put!(out, "  retry file  {path} ({})\n", text::hosts(left));
        }
        if let Some(command) = &self.options.rerun {
            let command = self.options.term.paint(Colour::Bold, &text::one_line(command));
            put!(out, "  run again   {command}\n");
        }
    }
}
