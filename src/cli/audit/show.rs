//! An audit for people: the odd ones first, each with what is otherwise than in the usual answer.

use super::answers::{Heard, Line};
use super::drift::Drift;
use super::view::View;
use crate::layout::words;
use crate::layout::{Change, Layout, Mask, Normaliser, Part, Shape, Value, changes};
use crate::report::terminal::{Colour, Terminal};
use crate::report::{fold, text};
use crate::source::visible;

/// Groups of hosts shown one by one, unless `-v` asks for all.
const MOST_GROUPS: usize = 30;
/// Lines of one answer or difference, unless `-v` asks for all.
const MOST_LINES: usize = 60;
/// Values shown of a place where many stand.
const MOST_VALUES: usize = 3;

/// Paper, and how much may be written on it.
struct Page<'t> {
    term: &'t Terminal,
    all: bool,
    text: String,
}

/// The whole audit.
pub fn audit(view: &View<'_>, term: &Terminal, all: bool) -> String {
    let mut page = Page::new(term, all);
    let heard = view.heard;
    let layouts = heard.layouts.groups.len();
    let mut count = plural(layouts, "layout");
    if view.shapes.len() < layouts {
        count += &format!(" of {}", plural(view.shapes.len(), "shape"));
    }
    page.title(heard, &count);
    if let Some((usual, odd)) = view.shapes.split_last() {
        page.groups(odd.len(), |page, number| {
            if let Some(shape) = odd.get(number) {
                page.odd(view, shape, usual);
            }
        });
        page.variants(view, usual);
        page.usual(view, usual);
    }
    page.notes(heard);
    page.silent(heard);
    page.finish()
}

/// What drifted. `than` is what it is compared with: the name of a file or of a run.
pub fn drift(view: &View<'_>, drift: &Drift, than: &str, term: &Terminal, all: bool) -> String {
    let mut page = Page::new(term, all);
    let changed: usize = drift.changed.iter().map(|group| group.hosts.len()).sum();
    let verdict = if drift.is_any() {
        let unknown: usize = drift
            .new
            .iter()
            .filter(|new| !new.known)
            .map(|new| new.hosts.len())
            .sum();
        let mut words = Vec::new();
        if changed > 0 {
            words.push(format!("{} otherwise than in {}", text::hosts(changed), visible(than)));
        }
        if unknown > 0 {
            words.push(format!("{} new and like no other", text::hosts(unknown)));
        }
        words.join(", ")
    } else {
        format!("as in {}", visible(than))
    };
    page.title(view.heard, &verdict);
    page.groups(drift.changed.len(), |page, number| {
        let Some(group) = drift.changed.get(number) else {
            return;
        };
        let count = text::hosts(group.hosts.len());
        page.heading(Colour::Yellow, "drift", group.hosts.iter().map(String::as_str), &count);
        page.changes(&changes(&group.was, &group.is));
    });
    page.groups(drift.new.len(), |page, number| {
        let Some(group) = drift.new.get(number) else {
            return;
        };
        let (colour, what) = if group.known {
            (Colour::Green, "known layout")
        } else {
            (Colour::Yellow, "unlike all others")
        };
        let count = format!("{}, {what}", text::hosts(group.hosts.len()));
        page.heading(colour, "new", group.hosts.iter().map(String::as_str), &count);
        if !group.known {
            page.lines(group.is.iter().map(String::as_str));
        }
    });
    if !drift.vanished.is_empty() {
        let count = format!("{}, not in the inventory any more", text::hosts(drift.vanished.len()));
        page.heading(
            Colour::Yellow,
            "vanished",
            drift.vanished.iter().map(String::as_str),
            &count,
        );
    }
    page.notes(view.heard);
    page.silent(view.heard);
    page.finish()
}

impl<'t> Page<'t> {
    fn new(term: &'t Terminal, all: bool) -> Self {
        let text = String::new();
        Self { term, all, text }
    }

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

    /// `odd: web[07,09]  (2 hosts, layout 1)`.
    fn heading<'h>(&mut self, colour: Colour, word: &str, hosts: impl IntoIterator<Item = &'h str>, count: &str) {
        let names = self.names(hosts, word.len() + 2);
        self.text += &self.term.paint(colour, &format!("\n{word}: {names}"));
        self.text += &format!("  ({count})\n");
    }

    /// A pipe gets all names, a terminal a few lines of them.
    fn names<'h>(&self, hosts: impl IntoIterator<Item = &'h str>, indent: usize) -> String {
        if !self.term.is_tty || self.all {
            return fold::fold(hosts);
        }
        let width = self.term.width.saturating_sub(indent + 20).max(20);
        fold::fold_into(hosts, width, 3).join(&format!("\n{}", " ".repeat(indent)))
    }

    /// Groups come with the fewest hosts first. Of very many, the smallest and the largest ones are shown.
    fn groups(&mut self, count: usize, mut show: impl FnMut(&mut Self, usize)) {
        let hidden = if self.all { 0 } else { count.saturating_sub(MOST_GROUPS) };
        let first = if hidden == 0 { count } else { MOST_GROUPS / 2 };
        for number in 0..first {
            show(self, number);
        }
        if hidden > 0 {
            let note = format!(
                "\n… {} more groups of hosts; -v shows them, --csv, --json and --html have all\n",
                text::count(hidden)
            );
            self.text += &self.term.paint(Colour::Dim, &note);
            for number in first + hidden..count {
                show(self, number);
            }
        }
    }

    fn odd(&mut self, view: &View<'_>, shape: &Shape, usual: &Shape) {
        let count = match shape.layouts.as_slice() {
            [layout] => format!("{}, layout {}", text::hosts(shape.hosts), layout + 1),
            layouts => format!(
                "{}, {} of one shape",
                text::hosts(shape.hosts),
                plural(layouts.len(), "layout")
            ),
        };
        self.heading(Colour::Yellow, "odd", view.hosts_of(shape), &count);
        // Where every host has its own numbers, only other lines are odd.
        if view.has_centre(usual) && view.has_centre(shape) {
            if let (Some(right), Some(other)) = (view.layout(usual.common()), view.layout(shape.common())) {
                self.changes(&changes(&right.lines, &other.lines));
            }
            self.variants(view, shape);
        } else {
            self.changes(&changes(&view.masked(usual.common()), &view.masked(shape.common())));
        }
    }

    /// The rarer layouts of a shape, where it has a common one.
    fn variants(&mut self, view: &View<'_>, shape: &Shape) {
        let Some((common, rarer)) = shape.layouts.split_last() else {
            return;
        };
        if !view.has_centre(shape) {
            return;
        }
        let Some(common) = view.layout(*common) else {
            return;
        };
        self.groups(rarer.len(), |page, number| {
            let Some((number, layout)) = rarer.get(number).and_then(|n| Some((n, view.layout(*n)?))) else {
                return;
            };
            let count = format!("{}, layout {}", text::hosts(layout.hosts.len()), number + 1);
            page.heading(
                Colour::Yellow,
                "nearly",
                layout.hosts.iter().map(String::as_str),
                &count,
            );
            page.changes(&changes(&common.lines, &layout.lines));
        });
    }

    fn usual(&mut self, view: &View<'_>, shape: &Shape) {
        let alone = view.shapes.len() == 1;
        if let (true, Some(layout)) = (view.has_centre(shape), view.layout(shape.common())) {
            let word = if alone && shape.layouts.len() == 1 {
                "all the same"
            } else {
                "most common"
            };
            let count = text::hosts(layout.hosts.len());
            self.heading(Colour::Green, word, layout.hosts.iter().map(String::as_str), &count);
            self.lines(layout.lines.iter().map(AsRef::as_ref));
            return;
        }
        let word = if alone { "all of one shape" } else { "most common" };
        let count = format!(
            "{}, {} of one shape",
            text::hosts(shape.hosts),
            plural(shape.layouts.len(), "layout")
        );
        self.heading(Colour::Green, word, view.hosts_of(shape), &count);
        let members: Vec<&Layout<Line>> = shape.layouts.iter().filter_map(|number| view.layout(*number)).collect();
        let mut rare = Vec::new();
        let template = view.template(shape);
        let shown = self.limit(template.len());
        for line in template.iter().take(shown) {
            let text: String = line.iter().map(|part| self.part(part)).collect();
            self.text += &format!("      {text}\n");
            for part in line {
                rare.extend(rarities(part, line, &members));
            }
        }
        self.more(template.len() - shown);
        let shown = self.limit(rare.len());
        for rarity in rare.iter().take(shown) {
            let names = self.names(rarity.hosts.iter().copied(), 4);
            let line = format!("    rare: {}: {names}\n", visible(&rarity.text));
            self.text += &self.term.paint(Colour::Yellow, &line);
        }
        self.more(rare.len() - shown);
    }

    fn part(&self, part: &Part) -> String {
        match part {
            Part::Same(text) => visible(text),
            Part::Varies(values) => {
                let shown: Vec<String> = values
                    .iter()
                    .take(MOST_VALUES)
                    .map(|value| visible(&value.text))
                    .collect();
                let more = values.len().saturating_sub(MOST_VALUES);
                let more = if more > 0 {
                    format!("|… {} more", text::count(more))
                } else {
                    String::new()
                };
                self.term.paint(Colour::Cyan, &format!("{{{}{more}}}", shown.join("|")))
            }
        }
    }

    fn lines<'l>(&mut self, lines: impl ExactSizeIterator<Item = &'l str>) {
        let count = lines.len();
        let shown = self.limit(count);
        for line in lines.take(shown) {
            self.text += &format!("      {}\n", visible(line));
        }
        self.more(count - shown);
    }

    fn changes(&mut self, changes: &[Change<'_>]) {
        let shown = self.limit(changes.len());
        for change in changes.iter().take(shown) {
            let line = match change {
                Change::Gone(_) => self.term.paint(Colour::Red, &visible(&change.line())),
                Change::Come(_) => self.term.paint(Colour::Green, &visible(&change.line())),
                Change::Order => change.line(),
                Change::Other(parts) => format!("~ {}", self.words(parts)),
            };
            self.text += &format!("    {line}\n");
        }
        self.more(changes.len() - shown);
    }

    /// With the marks of `git diff --word-diff`, which also those can read who see no colours.
    fn words(&self, parts: &[words::Part<'_>]) -> String {
        let mut out = String::new();
        for part in parts {
            match part {
                words::Part::Both(text) => out += &visible(text),
                words::Part::Instead(old, new) => {
                    if !old.is_empty() {
                        out += &self.term.paint(Colour::Red, &format!("[-{}-]", visible(old)));
                    }
                    if !new.is_empty() {
                        out += &self.term.paint(Colour::Green, &format!("{{+{}+}}", visible(new)));
                    }
                }
            }
        }
        out
    }

    fn limit(&self, count: usize) -> usize {
        if self.all { count } else { count.min(MOST_LINES) }
    }

    fn more(&mut self, hidden: usize) {
        if hidden > 0 {
            let note = format!("      … {} more lines; -v shows them\n", text::count(hidden));
            self.text += &self.term.paint(Colour::Dim, &note);
        }
    }

    fn notes(&mut self, heard: &Heard) {
        for (note, hosts) in &heard.notes {
            let names = self.names(hosts.iter().map(String::as_str), 4);
            self.text += &format!("\nnote: {}: {names}\n", visible(note));
        }
    }

    /// Equal reasons are one line, also when they differ in the host's own name or address.
    fn silent(&mut self, heard: &Heard) {
        if heard.silent.is_empty() {
            return;
        }
        self.text += &self.term.paint(Colour::Red, "\nno answer:\n");
        let normaliser = Normaliser::new([Mask::Hostname, Mask::Ip, Mask::Number]);
        let mut reasons: indexmap::IndexMap<String, (&str, Vec<&str>)> = indexmap::IndexMap::new();
        for (host, why) in &heard.silent {
            let why = why.lines().next().unwrap_or("");
            let group = reasons.entry(normaliser.line(why, host)).or_insert((why, Vec::new()));
            group.1.push(host);
        }
        for (why, hosts) in reasons.values() {
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

/// A value that few hosts have where most have another one.
struct Rarity<'a> {
    text: String,
    hosts: Vec<&'a str>,
}

/// Where at least half of the hosts agree, the others are worth a line each.
fn rarities<'a>(part: &Part, line: &[Part], members: &[&'a Layout<Line>]) -> Vec<Rarity<'a>> {
    let Part::Varies(values) = part else {
        return Vec::new();
    };
    let all: usize = values.iter().map(|value| value.hosts).sum();
    let Some((common, rarer)) = values.split_first() else {
        return Vec::new();
    };
    if common.hosts * 2 < all {
        return Vec::new();
    }
    let before = line.iter().take_while(|other| !std::ptr::eq(*other, part)).last();
    let context = match before {
        Some(Part::Same(text)) => text.rsplit([',', ';']).next().unwrap_or("").trim_start(),
        Some(Part::Varies(_)) | None => "",
    };
    let hosts = |value: &Value| {
        let layouts = value.layouts.iter().filter_map(|number| members.get(*number));
        layouts.flat_map(|layout| &layout.hosts).map(String::as_str).collect()
    };
    rarer
        .iter()
        .map(|value| Rarity {
            text: format!("{context}{} instead of {}", value.text, common.text),
            hosts: hosts(value),
        })
        .collect()
}

fn plural(count: usize, noun: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{} {noun}{s}", text::count(count))
}
