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
        let counts: Vec<String> = totals
            .iter()
            .map(|(mark, number)| {
                let text = format!("{} {} {}", mark.symbol(term), text::count(*number), mark.word());
                term.paint(mark.colour(), &text)
            })
            .collect();
        out.push_str(&format!("  {}\n", counts.join("   ")));
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
        let mut groups: IndexMap<(Mark, &str, String), (Vec<HostName>, &str, bool)> = IndexMap::new();
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
            let group = groups
                .entry(key)
                .or_insert_with(|| (Vec::new(), outcome.reason.as_str(), true));
            group.2 &= group.1 == outcome.reason;
            group.0.push(host.clone());
        }
        if groups.is_empty() {
            return;
        }
        groups.sort_by(|a, ga, b, gb| b.0.cmp(&a.0).then(gb.0.len().cmp(&ga.0.len())));
        let lines = if groups.len() > ROOMY { 1 } else { 2 };
        out.push('\n');
        for ((mark, task, _), (hosts, reason, same)) in groups.iter().take(MOST_GROUPS) {
            let mut parts: Vec<String> = [task, reason]
                .iter()
                .filter(|part| !part.is_empty())
                .map(|part| (**part).to_owned())
                .collect();
            if !same && let Some(first) = hosts.first() {
                parts.push(format!("as on {first}, others differ in names or numbers"));
            }
            let why = style::join(&parts, term);
            let why = if lines == 1 {
                text::fit(&why, term.width.saturating_sub(style::INDENT), term.pick("…", "~"))
            } else {
                why
            };
            group::line(out, *mark, hosts, lines, &why, self.fleet, term);
        }
        let rest: Vec<usize> = groups.values().skip(MOST_GROUPS).map(|group| group.0.len()).collect();
        if !rest.is_empty() {
            let hosts = text::hosts(rest.iter().sum());
            out.push_str(&format!("  and {} more reasons on {hosts}\n", rest.len()));
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
            let path = text::one_line(&path.display().to_string());
            out.push_str(&format!("  retry file  {path} ({})\n", text::hosts(left)));
        }
        if let Some(command) = &self.options.rerun {
            let command = self.options.term.paint(Colour::Bold, &text::one_line(command));
            out.push_str(&format!("  run again   {command}\n"));
        }
    }
}
