//! A pre-flight check's verdict as lines for people: who did not pass and why, what is otherwise, what is usual, the way on.

use super::terminal::Colour;
use super::{fold, text};
use crate::event::preflight::{Decision, PreflightLayout, PreflightRefusal, PreflightVerdict};
use crate::names::HostName;

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Begins something: hosts and what they are.
    Head,
    /// Belongs to the line above it.
    Detail,
    /// Somebody's answer.
    Quote,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub kind: Kind,
    pub colour: Colour,
    pub text: String,
}

/// Longest list of hosts in a line.
const HOSTS: usize = 60;

/// The word for what follows.
pub(super) fn word(decision: Decision) -> &'static str {
    match decision {
        Decision::Passed => "passed",
        Decision::Drop => "dropped",
        Decision::Ask => "asking",
        Decision::Stop => "stopped",
    }
}

pub(super) fn colour(decision: Decision) -> Colour {
    match decision {
        Decision::Passed => Colour::Green,
        Decision::Drop | Decision::Ask => Colour::Yellow,
        Decision::Stop => Colour::Red,
    }
}

/// The verdict in one line.
pub(super) fn summary(verdict: &PreflightVerdict) -> String {
    let follows = match verdict.decision {
        Decision::Passed => "",
        Decision::Drop => "; the others go on without them",
        Decision::Ask => "; somebody has to say how to go on",
        Decision::Stop => "; nothing was changed on any host",
    };
    format!("{}: {}{follows}", word(verdict.decision), text::one_line(&verdict.msg))
}

/// All of it.
pub(super) fn lines(verdict: &PreflightVerdict) -> Vec<Line> {
    let mut out = Lines::default();
    for refusal in &verdict.refused {
        let (what, colour) = if refusal.silent {
            ("no answer", Colour::BrightRed)
        } else {
            ("refused", Colour::Red)
        };
        out.head(colour, what, &refusal.hosts);
        out.push(Kind::Detail, Colour::None, &refusal.reason);
        if let Some(layout) = own_layout(verdict, refusal) {
            out.quotes(&layout.difference);
        }
    }
    if verdict.decision != Decision::Passed {
        layouts(&mut out, verdict);
    }
    for note in &verdict.notes {
        out.head(Colour::BrightPurple, "note", &note.hosts);
        out.push(Kind::Detail, Colour::None, &note.text);
    }
    out.push(Kind::Head, colour(verdict.decision), &summary(verdict));
    for way in &verdict.help {
        out.push(Kind::Detail, Colour::None, way);
    }
    out.0
}

/// The layout of exactly these hosts.
fn own_layout<'v>(verdict: &'v PreflightVerdict, refusal: &PreflightRefusal) -> Option<&'v PreflightLayout> {
    let mut all = verdict.layouts.iter();
    all.find(|layout| layout.hosts == refusal.hosts && !layout.difference.is_empty())
}

fn layouts(out: &mut Lines, verdict: &PreflightVerdict) {
    let Some((usual, others)) = verdict.layouts.split_last() else {
        return;
    };
    let mut hidden = (0, 0);
    for layout in others
        .iter()
        .filter(|layout| !layout.difference.is_empty() || layout.odd)
    {
        if layout.difference.is_empty() {
            hidden = (hidden.0 + 1, hidden.1 + layout.hosts.len());
        } else if !verdict.refused.iter().any(|refusal| refusal.hosts == layout.hosts) {
            out.head(Colour::Yellow, if layout.odd { "odd" } else { "other" }, &layout.hosts);
            out.quotes(&layout.difference);
        }
    }
    if hidden.0 > 0 {
        let line = format!(
            "and {} more layouts of {}",
            text::count(hidden.0),
            text::hosts(hidden.1)
        );
        out.push(Kind::Head, Colour::Yellow, &line);
    }
    let what = match (usual.odd, others.is_empty()) {
        (true, _) => "odd",
        (false, true) => "all of them",
        (false, false) => "most common",
    };
    out.head(
        if usual.odd { Colour::Yellow } else { Colour::Green },
        what,
        &usual.hosts,
    );
    for line in &usual.lines {
        out.push(Kind::Quote, Colour::None, line);
    }
}

/// Lines in the making.
#[derive(Default)]
pub(super) struct Lines(pub Vec<Line>);

impl Lines {
    pub fn push(&mut self, kind: Kind, colour: Colour, line: &str) {
        let text = match kind {
            Kind::Quote => text::lines(line).next().unwrap_or_default(),
            Kind::Head | Kind::Detail => text::one_line(line),
        };
        self.0.push(Line { kind, colour, text });
    }

    pub fn quotes(&mut self, difference: &[String]) {
        for line in difference {
            let colour = match line.chars().next() {
                Some('-') => Colour::Red,
                Some('+') => Colour::Green,
                Some('~') => Colour::Yellow,
                _ => Colour::None,
            };
            self.push(Kind::Quote, colour, line);
        }
    }

    pub fn head(&mut self, colour: Colour, what: &str, hosts: &[HostName]) {
        let names = fold::fold_into(hosts.iter().map(HostName::as_str), HOSTS, 1).join("");
        let line = format!("{what}: {names} ({})", text::hosts(hosts.len()));
        self.push(Kind::Head, colour, &line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::{names, verdict};

    #[test]
    fn a_verdict_shows_who_what_and_the_way_on() {
        let shown: Vec<String> = lines(&verdict(Decision::Stop))
            .into_iter()
            .map(|line| line.text)
            .collect();
        assert_eq!(
            shown,
            [
                "refused: s[07,11] (2 hosts)",
                "its answer is not that of most hosts",
                "- system: sda",
                "+ system: sdm",
                "no answer: s05 (1 host)",
                "connect timeout\\u{1b}",
                "most common: s[01,02] (2 hosts)",
                "system: sda",
                "note: s01 (1 host)",
                "no name in /dev/disk/by-id",
                "stopped: 2 of 5 hosts are odd, 1 did not answer; nothing was changed on any host",
                "mend them",
            ]
        );
    }

    #[test]
    fn what_passed_is_one_line() {
        let mut passed = verdict(Decision::Passed);
        (passed.refused, passed.notes, passed.help) = (Vec::new(), Vec::new(), Vec::new());
        passed.msg = "5 hosts, 1 layout".to_owned();
        let shown = lines(&passed);
        assert_eq!(shown.len(), 1);
        assert_eq!(shown[0].text, "passed: 5 hosts, 1 layout");
    }

    #[test]
    fn layouts_without_lines_are_counted() {
        let mut many = verdict(Decision::Stop);
        for layout in &mut many.layouts[..1] {
            layout.difference.clear();
            layout.hosts = names(&["a", "b", "c"]);
        }
        assert!(
            lines(&many)
                .iter()
                .any(|line| line.text == "and 1 more layouts of 3 hosts")
        );
    }
}
