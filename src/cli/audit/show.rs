//! An audit on a terminal or a pipe.

use indexmap::IndexMap;

use super::answers::Heard;
use super::drift::Drift;
use super::story::{self, Item, Kind, Limits, Said, Section, Span, Word};
use super::view::View;
use crate::layout::{Mask, Normaliser};
use crate::report::terminal::{Colour, Terminal};
use crate::report::{fold, text};
use crate::source::visible;

/// What fits a few screens; `-v` shows all.
const SOME: Limits = Limits { groups: 30, lines: 60 };
/// Lines of names of one group on a terminal.
const NAME_LINES: usize = 3;

/// The whole audit, or what drifted from something with this name.
pub fn show(view: &View<'_>, drift: Option<(&Drift, &str)>, term: &Terminal, all: bool) -> String {
    let limits = if all { Limits::NONE } else { SOME };
    let items = match drift {
        Some((drift, _)) => story::drift(view, drift, limits),
        None => story::audit(view, limits),
    };
    let mut page = Page {
        term,
        all,
        text: String::new(),
    };
    page.title(view.heard, &story::verdict(view, drift));
    for item in &items {
        match item {
            Item::Section(section) => page.section(section),
            Item::Hidden(groups) => {
                let groups = text::count(*groups);
                page.dim(&format!(
                    "\n… {groups} more groups of hosts; -v shows them, --csv, --json and --html have all\n"
                ));
            }
        }
    }
    page.notes(view.heard);
    page.silent(view.heard);
    page.finish()
}

/// Paper, and how much may be written on it.
struct Page<'t> {
    term: &'t Terminal,
    all: bool,
    text: String,
}

impl Page<'_> {
    fn title(&mut self, heard: &Heard, verdict: &str) {
        let asked = heard.hosts.len() + heard.silent.len();
        let line = format!(
            "{}: {} of {} answered, {verdict}\n",
            text::one_line(heard.subject.title()),
            text::count(heard.hosts.len()),
            text::hosts(asked),
        );
        self.text += &self.term.paint(Colour::Bold, &line);
    }

    /// `odd: web[07,09]  (2 hosts, layout 1)`, and what is odd about them.
    fn section(&mut self, section: &Section) {
        let colour = match section.kind {
            Kind::Odd | Kind::Nearly | Kind::Drift | Kind::Unknown | Kind::Vanished => Colour::Yellow,
            Kind::Usual | Kind::New => Colour::Green,
        };
        let names = self.names(section.hosts.iter().map(String::as_str), section.word.len() + 2);
        self.text += &self.term.paint(colour, &format!("\n{}: {names}", section.word));
        self.text += &format!("  ({})\n", section.count);
        for said in &section.body {
            let line = self.said(said);
            self.text += &line;
        }
        if section.more > 0 {
            self.dim(&format!(
                "      … {} more lines; -v shows them\n",
                text::count(section.more)
            ));
        }
    }

    /// A pipe gets all names, a terminal a few lines of them.
    fn names<'h>(&self, hosts: impl IntoIterator<Item = &'h str>, indent: usize) -> String {
        if !self.term.is_tty || self.all {
            return fold::fold(hosts);
        }
        let width = self.term.width.saturating_sub(indent + 20).max(20);
        fold::fold_into(hosts, width, NAME_LINES).join(&format!("\n{}", " ".repeat(indent)))
    }

    fn said(&self, said: &Said) -> String {
        match said {
            Said::Line(spans) => {
                let text: String = spans.iter().map(|span| self.span(span)).collect();
                format!("      {text}\n")
            }
            Said::Gone(line) => format!(
                "    {}\n",
                self.term.paint(Colour::Red, &format!("- {}", visible(line)))
            ),
            Said::Come(line) => format!(
                "    {}\n",
                self.term.paint(Colour::Green, &format!("+ {}", visible(line)))
            ),
            Said::Other(words) => {
                let text: String = words.iter().map(|word| self.word(word)).collect();
                format!("    ~ {text}\n")
            }
            Said::Order => "      the same lines in another order\n".to_owned(),
            Said::Rare(what, hosts) => {
                let names = self.names(hosts.iter().map(String::as_str), 4);
                let line = format!("    rare: {}: {names}", visible(what));
                self.term.paint(Colour::Yellow, &line) + "\n"
            }
        }
    }

    /// Values of a place as `{64|32|… 5 more}`.
    fn span(&self, span: &Span) -> String {
        match span {
            Span::Same(text) => visible(text),
            Span::Varies(values, more) => {
                let values: Vec<String> = values.iter().map(|value| visible(value)).collect();
                let more = if *more > 0 {
                    format!("|… {} more", text::count(*more))
                } else {
                    String::new()
                };
                self.term
                    .paint(Colour::Cyan, &format!("{{{}{more}}}", values.join("|")))
            }
        }
    }

    /// With the marks of `git diff --word-diff`, which those can read, too, who see no colours.
    fn word(&self, word: &Word) -> String {
        match word {
            Word::Both(text) => visible(text),
            Word::Instead(old, new) => {
                let mut out = String::new();
                if !old.is_empty() {
                    out += &self.term.paint(Colour::Red, &format!("[-{}-]", visible(old)));
                }
                if !new.is_empty() {
                    out += &self.term.paint(Colour::Green, &format!("{{+{}+}}", visible(new)));
                }
                out
            }
        }
    }

    fn dim(&mut self, text: &str) {
        self.text += &self.term.paint(Colour::Dim, text);
    }

    fn notes(&mut self, heard: &Heard) {
        for (note, hosts) in &heard.notes {
            let names = self.names(hosts.iter().map(String::as_str), 4);
            self.text += &format!("\nnote: {}: {names}\n", visible(note));
        }
    }

    fn silent(&mut self, heard: &Heard) {
        if heard.silent.is_empty() {
            return;
        }
        self.text += &self.term.paint(Colour::Red, "\nno answer:\n");
        for (why, hosts) in reasons(heard) {
            let names = self.names(hosts.iter().copied(), 4);
            let more = if hosts.len() > 1 {
                format!("  ({})", text::hosts(hosts.len()))
            } else {
                String::new()
            };
            self.text += &format!("    {names}{more}  {}\n", visible(why));
        }
    }

    fn finish(self) -> String {
        if self.term.unicode {
            self.text
        } else {
            self.text.replace('…', "..").replace('×', "x")
        }
    }
}

/// The reasons of those that did not answer, and whose they are. Equal ones are one, also when they differ in the host's own
/// name or address.
pub fn reasons(heard: &Heard) -> Vec<(&str, Vec<&str>)> {
    let normaliser = Normaliser::new([Mask::Hostname, Mask::Ip, Mask::Number]);
    let mut reasons: IndexMap<String, (&str, Vec<&str>)> = IndexMap::new();
    for (host, why) in &heard.silent {
        let why = why.lines().next().unwrap_or("");
        let group = reasons.entry(normaliser.line(why, host)).or_insert((why, Vec::new()));
        group.1.push(host);
    }
    reasons.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::audit::answers::Answers;
    use crate::cli::audit::subject::Subject;
    use crate::event::{Event, EventKind, Status};
    use crate::report::testing::{command, result};

    fn heard(answers: impl IntoIterator<Item = (String, String)>) -> Heard {
        let mut fold = Answers::new(Subject::Command("x".to_owned()), Normaliser::new([]));
        for (host, text) in answers {
            let kind: EventKind = result(command(&host, Status::Ok, 0, &text, ""));
            fold.observe(&Event {
                kind,
                seq: 1,
                time: String::new(),
            });
        }
        fold.finish()
    }

    #[test]
    fn a_fleet_in_which_everybody_is_different_fits_some_screens() {
        let word = |n: usize| -> String { format!("{n:04}").bytes().map(|b| char::from(b + b'a' - b'0')).collect() };
        let heard = heard((0..2000).map(|n| (format!("web{n:04}"), format!("I like {}\n", word(n)))));
        let view = View::new(&heard);
        let text = show(&view, None, &Terminal::plain(), false);
        assert!(text.lines().count() < 150, "{}", text.lines().count());
        assert!(text.contains(".. 1969 more groups of hosts; -v shows them"), "{text}");
        let all = show(&view, None, &Terminal::plain(), true);
        assert_eq!(all.matches("\nodd: ").count(), 1999);
    }

    #[test]
    fn a_long_answer_is_cut_and_the_marks_are_coloured() {
        let long: String = (0..200).map(|n| format!("line {n} x\n")).collect();
        let odd = long.replace("line 7 x", "line 7 y");
        let heard = heard((0..5).map(|n| (format!("web{n}"), if n == 3 { odd.clone() } else { long.clone() })));
        let view = View::new(&heard);
        let colours = Terminal {
            colour: true,
            unicode: true,
            ..Terminal::plain()
        };
        let text = show(&view, None, &colours, false);
        assert!(
            text.contains("\u{1b}[0;31m[-x-]\u{1b}[0m\u{1b}[0;32m{+y+}\u{1b}[0m"),
            "{text:?}"
        );
        assert!(text.contains("… 140 more lines; -v shows them"), "{text}");
    }

    #[test]
    fn equal_reasons_are_one_line() {
        let mut heard = heard([]);
        heard.silent = (1..=300)
            .map(|n| {
                (
                    format!("web{n:03}"),
                    format!("cannot connect to 10.0.{}.{}:22: no route", n / 250, n % 250),
                )
            })
            .collect();
        let text = show(&View::new(&heard), None, &Terminal::plain(), false);
        assert!(
            text.ends_with("no answer:\n    web[001-300]  (300 hosts)  cannot connect to 10.0.0.1:22: no route\n"),
            "{text}"
        );
    }
}
