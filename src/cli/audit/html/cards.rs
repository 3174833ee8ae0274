//! The sections of the story as cards: what is odd, with what differs, and what is usual; each with its disks drawn.

use super::super::drift::Drift;
use super::super::show::reasons;
use super::super::story::{self, Item, Kind, Limits, Said, Section, Span, Word, plural};
use super::super::view::View;
use super::{escape, picture};
use crate::report::{fold, text};

/// What a page holds of groups and lines: the table has every host, and the page must stay small.
const SOME: Limits = Limits { groups: 60, lines: 200 };
/// Names of hosts that are shown without being asked for, in characters.
const NAMES: usize = 160;
/// Names in one card at most, in characters.
const MOST_NAMES: usize = 4_000;

/// All cards.
pub fn cards(view: &View<'_>, drift: Option<&Drift>) -> String {
    let items = match drift {
        Some(drift) => story::drift(view, drift, SOME),
        None => story::audit(view, SOME),
    };
    let title = if drift.is_some() { "Drift" } else { "Layouts" };
    let mut out = format!("<section aria-labelledby=\"cards\">\n<h2 id=\"cards\">{title}</h2>\n");
    if view.heard.subject.is_disks() && !view.heard.hosts.is_empty() {
        out += picture::LEGEND;
    }
    if items.is_empty() {
        out += "<p>There is nothing to show.</p>\n";
    }
    for item in &items {
        match item {
            Item::Section(section) => out += &card(view, section),
            Item::Hidden(groups) => {
                let groups = plural(*groups, "more group");
                out += &format!("<p class=\"hidden-groups\">… {groups} of hosts are in the table only …</p>\n");
            }
        }
    }
    out += &notes(view);
    out += &silent(view);
    out += "</section>\n";
    out
}

fn card(view: &View<'_>, section: &Section) -> String {
    let class = match section.kind {
        Kind::Odd | Kind::Drift | Kind::Unknown => "odd",
        Kind::Nearly => "nearly",
        Kind::Usual | Kind::New => "usual",
        Kind::Vanished => "gone",
    };
    let mut out = format!("<article class=\"card {class}\"");
    if let Some(layout) = section.layouts.first() {
        out += &format!(" id=\"layout-{}\"", layout + 1);
    }
    out += &format!(
        ">\n<h3><span class=\"tag\">{}</span> <span class=\"count\">{}</span></h3>\n",
        section.word,
        escape(&section.count)
    );
    out += &names(&section.hosts);
    if let ([layout], true) = (section.layouts.as_slice(), view.heard.subject.is_disks()) {
        out += &picture::disks(view, *layout);
    }
    if !section.body.is_empty() {
        // What has to be scrolled can be reached by keyboard.
        out += if section.body.len() > 20 {
            "<pre tabindex=\"0\">"
        } else {
            "<pre>"
        };
        for said in &section.body {
            out += &line(said);
        }
        if section.more > 0 {
            let more = plural(section.more, "more line");
            out += &format!("<span class=\"dim\">… {more}</span>\n");
        }
        out += "</pre>\n";
    }
    out += "</article>\n";
    out
}

/// Many names are folded away, very many are cut: the table has all.
fn names(hosts: &[String]) -> String {
    let folded = fold::fold(hosts.iter().map(String::as_str));
    if folded.chars().count() <= NAMES {
        return format!("<p class=\"names\">{}</p>\n", escape(&folded));
    }
    let shown: String = folded.chars().take(MOST_NAMES).collect();
    let cut = if shown.len() < folded.len() { " …" } else { "" };
    let begin: String = folded.chars().take(NAMES / 2).collect();
    format!(
        "<details class=\"names\"><summary>{} …</summary>{}{cut}</details>\n",
        escape(&begin),
        escape(&shown)
    )
}

fn line(said: &Said) -> String {
    match said {
        Said::Line(spans) => format!("  {}\n", spans.iter().map(span).collect::<String>()),
        Said::Gone(line) => format!("<del class=\"line\">- {}</del>\n", escape(line)),
        Said::Come(line) => format!("<ins class=\"line\">+ {}</ins>\n", escape(line)),
        Said::Other(words) => format!("~ {}\n", words.iter().map(word).collect::<String>()),
        Said::Order => "  the same lines in another order\n".to_owned(),
        Said::Rare(what, hosts) => {
            let hosts = fold::fold(hosts.iter().map(String::as_str));
            let shown = text::fit(&hosts, NAMES, "…");
            format!("<mark>rare: {}: {}</mark>\n", escape(what), escape(&shown))
        }
    }
}

fn span(span: &Span) -> String {
    match span {
        Span::Same(text) => escape(text),
        Span::Varies(values, more) => {
            let values: Vec<String> = values.iter().map(|value| escape(value)).collect();
            let more = if *more > 0 {
                format!("|… {} more", text::count(*more))
            } else {
                String::new()
            };
            format!("<var>{{{}{more}}}</var>", values.join("|"))
        }
    }
}

fn word(word: &Word) -> String {
    match word {
        Word::Both(text) => escape(text),
        Word::Instead(old, new) => {
            let mut out = String::new();
            if !old.is_empty() {
                out += &format!("<del>{}</del>", escape(old));
            }
            if !new.is_empty() {
                out += &format!("<ins>{}</ins>", escape(new));
            }
            out
        }
    }
}

fn notes(view: &View<'_>) -> String {
    let mut out = String::new();
    for (note, hosts) in &view.heard.notes {
        let names = fold::fold(hosts.iter().map(String::as_str));
        let shown = text::fit(&names, NAMES, "…");
        out += &format!("<p class=\"note\">note: {}: {}</p>\n", escape(note), escape(&shown));
    }
    out
}

fn silent(view: &View<'_>) -> String {
    if view.heard.silent.is_empty() {
        return String::new();
    }
    let count = text::hosts(view.heard.silent.len());
    let mut out = format!(
        "<article class=\"card gone\" id=\"silent\">\n<h3><span class=\"tag\">no answer</span> \
         <span class=\"count\">{count}</span></h3>\n<dl>\n"
    );
    for (why, hosts) in reasons(view.heard).into_iter().take(SOME.groups) {
        let names = fold::fold(hosts.iter().copied());
        let shown = text::fit(&names, MOST_NAMES, "…");
        out += &format!("<dt>{}</dt><dd>{}</dd>\n", escape(&shown), escape(why));
    }
    out += "</dl>\n</article>\n";
    out
}
