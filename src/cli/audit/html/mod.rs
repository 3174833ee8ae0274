//! `--html`: the audit as one page for the browser. It works offline, loads nothing, and its only script is ours: the
//! page's own policy names that script by its digest. Whatever hosts said is text in it, never markup.

mod cards;
mod data;
mod picture;

use base64::Engine as _;
use sha2::{Digest as _, Sha256};

use super::answers::Heard;
use super::drift::Drift;
use super::story;
use super::subject::Subject;
use super::view::View;
use crate::report::text;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// Where the script draws the table.
const TABLE: &str = include_str!("table.html");

/// The whole page.
pub fn page(view: &View<'_>, drift: Option<(&Drift, &str)>) -> String {
    let heard = view.heard;
    let title = escape(heard.subject.title());
    let verdict = escape(&story::verdict(view, drift));
    let asked = heard.hosts.len() + heard.silent.len();
    let answered = format!("{} of {} answered", text::count(heard.hosts.len()), text::hosts(asked));
    let policy = format!(
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        base64::engine::general_purpose::STANDARD.encode(Sha256::digest(SCRIPT))
    );
    let class = match heard.subject {
        Subject::Builtin(_) => " class=\"builtin\"",
        Subject::File(_) | Subject::Command(_) => "",
    };
    let mut out = String::with_capacity(64 * 1024);
    out += &format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"generator\" content=\"batchssh {}\">\n\
         <title>{title}: {verdict}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#hosts\">to the table of hosts</a>\n",
        env!("CARGO_PKG_VERSION")
    );
    out += &format!(
        "<header>\n<h1{class}>{title}</h1>\n<p class=\"verdict\">{answered}, <strong>{verdict}</strong></p>\n\
         <p class=\"meta\">run {} · {}</p>\n</header>\n<main>\n",
        escape(&heard.run),
        time(heard)
    );
    out += &picture::bars(view, drift.map(|(drift, _)| drift));
    out += &cards::cards(view, drift.map(|(drift, _)| drift));
    out += TABLE;
    out += &format!(
        "</main>\n<script type=\"application/json\" id=\"data\">{}</script>\n<script>{SCRIPT}</script>\n</body>\n</html>\n",
        data::json(view)
    );
    out
}

fn time(heard: &Heard) -> String {
    let began = escape(&heard.began);
    let shown = began.split('.').next().unwrap_or("").replace('T', " ");
    format!("<time datetime=\"{began}\">{shown} UTC</time>")
}

/// Text in markup, also in a quoted attribute. What would move or hide text in a page is shown as an escape.
fn escape(said: &str) -> String {
    let line = text::one_line(said);
    let mut out = String::with_capacity(line.len() + 8);
    for c in line.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests;
