//! What pages for the browser have in common: `audit --html`, `report --html`. A page is one file, works offline, loads
//! nothing, and its only script is ours: the page's own policy names that script by its digest. Whatever hosts said is text
//! in it, never markup.

pub mod run;

use base64::Engine as _;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{json, text};

const STYLE: &str = include_str!("page.css");
/// What sorts, filters and draws a table of many rows.
const TABLE_SCRIPT: &str = include_str!("table.js");
/// Where the script draws the table.
const TABLE: &str = include_str!("table.html");

/// A page before it is put together. What is called markup was escaped by whoever made it.
pub struct Page<'a> {
    /// The title of the window, as text.
    pub title: &'a str,
    /// The heading and what follows it, as markup.
    pub header: &'a str,
    /// Everything between the header and the table, as markup.
    pub main: &'a str,
    /// The table's words.
    pub table: Table<'a>,
    /// What the script reads from the element `data`, as [`data`] writes it.
    pub data: &'a str,
    /// The page's own script; it calls `showTable`.
    pub script: &'a str,
}

/// The words around the table.
pub struct Table<'a> {
    /// Its heading.
    pub heading: &'a str,
    /// What can be typed into the filter.
    pub placeholder: &'a str,
    /// On the button that takes the filter away.
    pub all: &'a str,
    /// For those who do not see it.
    pub caption: &'a str,
}

impl Page<'_> {
    /// The whole file.
    pub fn text(&self) -> String {
        let script = self.full_script();
        let policy = format!(
            "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
            base64::engine::general_purpose::STANDARD.encode(Sha256::digest(&script))
        );
        let mut out = String::with_capacity(64 * 1024 + self.data.len() + self.main.len());
        put!(
            out,
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"generator\" content=\"batchssh {}\">\n\
             <title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
             <a class=\"skip\" href=\"#table-head\">to the table of {}</a>\n<header>\n{}</header>\n<main>\n{}",
            env!("CARGO_PKG_VERSION"),
            escape(self.title),
            escape(&self.table.heading.to_lowercase()),
            self.header,
            self.main
        );
        let words = [
            ("{heading}", self.table.heading),
            ("{placeholder}", self.table.placeholder),
            ("{all}", self.table.all),
            ("{caption}", self.table.caption),
        ];
        let table = words.iter().fold(TABLE.to_owned(), |table, (place, word)| {
            table.replace(place, &escape(word))
        });
        put!(
            out,
            "{table}</main>\n<script type=\"application/json\" id=\"data\">{}</script>\n<script>{script}</script>\n</body>\n</html>\n",
            self.data
        );
        out
    }

    /// The one script of the page.
    pub fn full_script(&self) -> String {
        format!("{TABLE_SCRIPT}{}", self.script)
    }
}

/// A value as JSON that can stand in a page: no `<` in it.
pub fn data(value: &impl Serialize) -> String {
    let line = json::line(value).unwrap_or_else(|_| b"null".to_vec());
    let text = String::from_utf8_lossy(&line);
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            c => out.push(c),
        }
    }
    out
}

/// Text in markup, also in a quoted attribute. What would move or hide text in a page is shown as an escape.
pub fn escape(said: &str) -> String {
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

/// A moment for people: `<time>` to the second.
pub fn time(began: &str) -> String {
    let began = escape(began);
    let shown = began.split('.').next().unwrap_or("").replace('T', " ");
    format!("<time datetime=\"{began}\">{shown} UTC</time>")
}
