//! `--html`: the audit as one page for the browser. What all pages have in common is `report::page`.

mod cards;
mod data;
mod picture;

use super::drift::Drift;
use super::story;
use super::subject::Subject;
use super::view::View;
use crate::report::page::{Page, Table, escape, time};
use crate::report::text;

/// Makes the rows of the table.
const SCRIPT: &str = include_str!("page.js");

/// The whole page.
pub fn page(view: &View<'_>, drift: Option<(&Drift, &str)>) -> String {
    let heard = view.heard;
    let title = heard.subject.title();
    let verdict = story::verdict(view, drift);
    let asked = heard.hosts.len() + heard.silent.len();
    let answered = format!("{} of {} answered", text::count(heard.hosts.len()), text::hosts(asked));
    let class = match heard.subject {
        Subject::Builtin(_) => " class=\"builtin\"",
        Subject::File(_) | Subject::Command(_) => "",
    };
    let header = format!(
        "<h1{class}>{}</h1>\n<p class=\"verdict\">{answered}, <strong>{}</strong></p>\n\
         <p class=\"meta\">run {} · {}</p>\n",
        escape(title),
        escape(&verdict),
        escape(&heard.run),
        time(&heard.began)
    );
    let mut main = picture::bars(view, drift.map(|(drift, _)| drift));
    main += &cards::cards(view, drift.map(|(drift, _)| drift));
    Page {
        title: &format!("{title}: {verdict}"),
        header: &header,
        main: &main,
        table: Table {
            heading: "Hosts",
            placeholder: "host or value",
            all: "show all hosts",
            caption: "One row a host; the buttons in the head sort",
        },
        data: &data::json(view),
        script: SCRIPT,
    }
    .text()
}

#[cfg(test)]
mod tests;
