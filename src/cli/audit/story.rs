//! What is told about an audit, in the order in which it is told, whoever tells it: the odd ones first, each with what is
//! otherwise than in the usual answer; or, against a baseline, what drifted.

use super::answers::Line;
use super::drift::Drift;
use super::view::View;
use crate::layout::words;
use crate::layout::{Change, Layout, Part, Shape, Value, changes, changes_by};
use crate::report::text;

/// Values shown of a place where many stand.
const MOST_VALUES: usize = 3;

/// How much is told.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Groups of hosts of one kind.
    pub groups: usize,
    /// Lines of one group.
    pub lines: usize,
}

impl Limits {
    /// Everything.
    pub const NONE: Self = Self {
        groups: usize::MAX,
        lines: usize::MAX,
    };
}

/// What the hosts of a section are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Another shape than the usual one.
    Odd,
    /// The usual shape, but for a number or a name.
    Nearly,
    /// The usual ones.
    Usual,
    /// Otherwise than in the baseline.
    Drift,
    /// Not in the baseline, and like those that are.
    New,
    /// Not in the baseline, and unlike all that are.
    Unknown,
    /// In the baseline, and not in the inventory.
    Vanished,
}

/// Some hosts, and what there is to say about them.
#[derive(Debug)]
pub struct Section {
    /// What they are.
    pub kind: Kind,
    /// The word for it: `odd`, `most common`.
    pub word: &'static str,
    /// `2 hosts, layout 1`.
    pub count: String,
    /// Who.
    pub hosts: Vec<String>,
    /// Their layouts.
    pub layouts: Vec<usize>,
    /// What they answer, or what is otherwise.
    pub body: Vec<Said>,
    /// Lines left out of the body.
    pub more: usize,
}

/// A line of a section.
#[derive(Debug)]
pub enum Said {
    /// A line of the answer.
    Line(Vec<Span>),
    /// A line that is missing here.
    Gone(String),
    /// A line that is only here.
    Come(String),
    /// A line that is nearly the same.
    Other(Vec<Word>),
    /// Only the order of the lines is another one.
    Order,
    /// A value that few hosts have, and who.
    Rare(String, Vec<String>),
}

/// A part of a line.
#[derive(Debug)]
pub enum Span {
    /// The same for all.
    Same(String),
    /// What stands there, and how many other values there are.
    Varies(Vec<String>, usize),
}

/// A part of two lines.
#[derive(Debug)]
pub enum Word {
    /// In both.
    Both(String),
    /// Old and new.
    Instead(String, String),
}

/// A section, or how many were left out.
#[derive(Debug)]
pub enum Item {
    /// A section.
    Section(Section),
    /// So many groups of hosts come between those before and those after.
    Hidden(usize),
}

/// The story of an audit by itself.
pub fn audit(view: &View<'_>, limits: Limits) -> Vec<Item> {
    let mut story = Story {
        view,
        limits,
        items: Vec::new(),
    };
    if let Some((usual, odd)) = view.shapes.split_last() {
        story.groups(odd.len(), |story, number| {
            if let Some(shape) = odd.get(number) {
                story.odd(shape, usual);
            }
        });
        story.variants(usual);
        story.usual(usual);
    }
    story.items
}

/// The story of what drifted.
pub fn drift(view: &View<'_>, drift: &Drift, limits: Limits) -> Vec<Item> {
    let mut story = Story {
        view,
        limits,
        items: Vec::new(),
    };
    story.groups(drift.changed.len(), |story, number| {
        if let Some(group) = drift.changed.get(number) {
            let count = text::hosts(group.hosts.len());
            let body = said(&changes(&group.was, &group.is));
            story.section(Kind::Drift, "drift", count, group.hosts.clone(), group.layout, body);
        }
    });
    story.groups(drift.new.len(), |story, number| {
        if let Some(group) = drift.new.get(number) {
            let hosts = text::hosts(group.hosts.len());
            let (kind, count, body) = if group.known {
                (Kind::New, format!("{hosts}, like others"), Vec::new())
            } else {
                (Kind::Unknown, format!("{hosts}, unlike all others"), plain(&group.is))
            };
            story.section(kind, "new", count, group.hosts.clone(), group.layout, body);
        }
    });
    if !drift.vanished.is_empty() {
        let count = format!("{}, not in the inventory any more", text::hosts(drift.vanished.len()));
        story.section(
            Kind::Vanished,
            "vanished",
            count,
            drift.vanished.clone(),
            None,
            Vec::new(),
        );
    }
    story.items
}

/// What the whole comes to, in a few words.
pub fn verdict(view: &View<'_>, drift: Option<(&Drift, &str)>) -> String {
    let Some((drift, than)) = drift else {
        let layouts = view.heard.layouts.groups.len();
        let mut count = plural(layouts, "layout");
        if view.shapes.len() < layouts {
            count += &format!(" of {}", plural(view.shapes.len(), "shape"));
        }
        return count;
    };
    if !drift.is_any() {
        return format!("as in {}", text::one_line(than));
    }
    let changed: usize = drift.changed.iter().map(|group| group.hosts.len()).sum();
    let unknown: usize = drift
        .new
        .iter()
        .filter(|new| !new.known)
        .map(|new| new.hosts.len())
        .sum();
    let mut words = Vec::new();
    if changed > 0 {
        words.push(format!(
            "{} otherwise than in {}",
            text::hosts(changed),
            text::one_line(than)
        ));
    }
    if unknown > 0 {
        words.push(format!("{} new and like no other", text::hosts(unknown)));
    }
    words.join(", ")
}

struct Story<'v> {
    view: &'v View<'v>,
    limits: Limits,
    items: Vec<Item>,
}

impl Story<'_> {
    /// Groups come with the fewest hosts first. Of very many, the smallest and the largest ones are told.
    fn groups(&mut self, count: usize, mut tell: impl FnMut(&mut Self, usize)) {
        let hidden = count.saturating_sub(self.limits.groups);
        let first = if hidden == 0 { count } else { self.limits.groups / 2 };
        for number in 0..first {
            tell(self, number);
        }
        if hidden > 0 {
            self.items.push(Item::Hidden(hidden));
            for number in first + hidden..count {
                tell(self, number);
            }
        }
    }

    fn section(
        &mut self,
        kind: Kind,
        word: &'static str,
        count: String,
        hosts: Vec<String>,
        layouts: impl IntoIterator<Item = usize>,
        mut body: Vec<Said>,
    ) {
        let more = body.len().saturating_sub(self.limits.lines);
        body.truncate(self.limits.lines);
        self.items.push(Item::Section(Section {
            kind,
            word,
            count,
            hosts,
            layouts: layouts.into_iter().collect(),
            body,
            more,
        }));
    }

    fn odd(&mut self, shape: &Shape, usual: &Shape) {
        let view = self.view;
        let count = match shape.layouts.as_slice() {
            [layout] => format!("{}, layout {}", text::hosts(shape.hosts), layout + 1),
            layouts => format!(
                "{}, {} of one shape",
                text::hosts(shape.hosts),
                plural(layouts.len(), "layout")
            ),
        };
        // Where every host has its own numbers, only other lines are odd.
        let centred = view.has_centre(usual) && view.has_centre(shape);
        let body = match (view.layout(usual.common()), view.layout(shape.common())) {
            (Some(right), Some(other)) if centred => said(&changes(&right.lines, &other.lines)),
            (Some(right), Some(other)) => {
                let (right_keys, other_keys) = (view.masked(usual.common()), view.masked(shape.common()));
                said(&changes_by(&right_keys, &right.lines, &other_keys, &other.lines))
            }
            (None, _) | (_, None) => Vec::new(),
        };
        let hosts = view.hosts_of(shape).into_iter().map(str::to_owned).collect();
        self.section(Kind::Odd, "odd", count, hosts, shape.layouts.iter().copied(), body);
        if centred {
            self.variants(shape);
        }
    }

    /// The rarer layouts of a shape, where it has a common one.
    fn variants(&mut self, shape: &Shape) {
        let view = self.view;
        let (Some((common, rarer)), true) = (shape.layouts.split_last(), view.has_centre(shape)) else {
            return;
        };
        let Some(common) = view.layout(*common) else {
            return;
        };
        self.groups(rarer.len(), |story, number| {
            if let Some((number, layout)) = rarer.get(number).and_then(|n| Some((*n, view.layout(*n)?))) {
                let count = format!("{}, layout {}", text::hosts(layout.hosts.len()), number + 1);
                let body = said(&changes(&common.lines, &layout.lines));
                story.section(Kind::Nearly, "nearly", count, layout.hosts.clone(), [number], body);
            }
        });
    }

    fn usual(&mut self, shape: &Shape) {
        let view = self.view;
        let alone = view.shapes.len() == 1;
        if let (true, Some(layout)) = (view.has_centre(shape), view.layout(shape.common())) {
            let same = alone && shape.layouts.len() == 1;
            let word = if same { "all the same" } else { "most common" };
            let count = text::hosts(layout.hosts.len());
            let body = plain(&layout.lines);
            self.section(Kind::Usual, word, count, layout.hosts.clone(), [shape.common()], body);
            return;
        }
        let word = if alone { "all of one shape" } else { "most common" };
        let count = format!(
            "{}, {} of one shape",
            text::hosts(shape.hosts),
            plural(shape.layouts.len(), "layout")
        );
        let members: Vec<&Layout<Line>> = shape.layouts.iter().filter_map(|number| view.layout(*number)).collect();
        let template = view.template(shape);
        let mut body: Vec<Said> = template
            .iter()
            .map(|line| Said::Line(line.iter().map(span).collect()))
            .collect();
        for line in &template {
            for place in 0..line.len() {
                body.extend(rarities(line, place, &members));
            }
        }
        let hosts = view.hosts_of(shape).into_iter().map(str::to_owned).collect();
        self.section(Kind::Usual, word, count, hosts, shape.layouts.iter().copied(), body);
    }
}

fn plain<L: AsRef<str>>(lines: &[L]) -> Vec<Said> {
    let line = |line: &L| Said::Line(vec![Span::Same(line.as_ref().to_owned())]);
    lines.iter().map(line).collect()
}

fn span(part: &Part) -> Span {
    match part {
        Part::Same(text) => Span::Same(text.clone()),
        Part::Varies(values) => Span::Varies(
            values
                .iter()
                .take(MOST_VALUES)
                .map(|value| value.text.clone())
                .collect(),
            values.len().saturating_sub(MOST_VALUES),
        ),
    }
}

fn said(changes: &[Change<'_>]) -> Vec<Said> {
    let word = |part: &words::Part<'_>| match part {
        words::Part::Both(text) => Word::Both((*text).to_owned()),
        words::Part::Instead(old, new) => Word::Instead((*old).to_owned(), (*new).to_owned()),
    };
    changes
        .iter()
        .map(|change| match change {
            Change::Gone(line) => Said::Gone((*line).to_owned()),
            Change::Come(line) => Said::Come((*line).to_owned()),
            Change::Other(parts) => Said::Other(parts.iter().map(word).collect()),
            Change::Order => Said::Order,
        })
        .collect()
}

/// Where at least half of the hosts agree about a place, the others are worth a line each.
fn rarities(line: &[Part], place: usize, members: &[&Layout<Line>]) -> Vec<Said> {
    let Some(Part::Varies(values)) = line.get(place) else {
        return Vec::new();
    };
    let all: usize = values.iter().map(|value| value.hosts).sum();
    let Some((common, rarer)) = values.split_first() else {
        return Vec::new();
    };
    if common.hosts * 2 < all {
        return Vec::new();
    }
    let before = match place.checked_sub(1).and_then(|before| line.get(before)) {
        Some(Part::Same(text)) => text.rsplit([',', ';']).next().unwrap_or("").trim_start(),
        Some(Part::Varies(_)) | None => "",
    };
    let hosts = |value: &Value| {
        let layouts = value.layouts.iter().filter_map(|number| members.get(*number));
        layouts.flat_map(|layout| layout.hosts.iter().cloned()).collect()
    };
    let say = |value: &Value| format!("{before}{} instead of {}", value.text, common.text);
    rarer.iter().map(|value| Said::Rare(say(value), hosts(value))).collect()
}

/// `1 layout`, `7 layouts`.
pub fn plural(count: usize, noun: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{} {noun}{s}", text::count(count))
}
