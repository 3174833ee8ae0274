//! Markers for people: equal ones of many hosts are one line, the ones to look at first.

use std::fmt::Write as _;

use indexmap::IndexMap;

use crate::cli::markers::found::{Found, Marker};
use crate::report::fold::fold;
use crate::report::text;
use crate::source::visible;

/// The states in the order in which they are shown.
const ORDER: &[&str] = &["running", "doubt", "damaged", "failed", "done"];
/// Widest column of names.
const WIDEST: usize = 48;

/// What makes markers of several hosts one line.
type Key = (String, String, String);

/// One line a marker and run, with its hosts.
pub fn list(found: &Found) -> String {
    let mut out = String::new();
    let width = found.markers.iter().map(|marker| text::width(&marker.title())).max();
    let width = width.unwrap_or(0).min(WIDEST);
    for state in ORDER {
        let mut groups: IndexMap<Key, Vec<&Marker>> = IndexMap::new();
        for marker in found.markers.iter().filter(|marker| marker.state == *state) {
            let run = marker.run.clone().unwrap_or_default();
            // A process is one host's own.
            let reason = if *state == "running" {
                format!("{} {}", marker.on, marker.reason())
            } else {
                marker.reason()
            };
            groups.entry((marker.title(), run, reason)).or_default().push(marker);
        }
        let Some(first) = groups.values().flatten().next() else {
            continue;
        };
        let _ = writeln!(out, "{}", first.state_words());
        groups.sort_by(|a, _, b, _| a.cmp(b));
        for ((title, ..), group) in &groups {
            line(&mut out, title, width, group);
        }
    }
    if found.markers.is_empty() {
        out.push_str("no markers\n");
    }
    out += &silent(found);
    for host in &found.more {
        let _ = writeln!(
            out,
            "{}: more markers than are shown; `--name` and `--state` choose",
            visible(host)
        );
    }
    out
}

fn line(out: &mut String, title: &str, width: usize, group: &[&Marker]) {
    let room = width.saturating_sub(text::width(title));
    let _ = write!(out, "  {title}{}  ", " ".repeat(room));
    if let Some(first) = group.first() {
        let times = group
            .iter()
            .filter_map(|marker| marker.ended.as_ref().or(marker.began.as_ref()));
        if let Some(run) = &first.run {
            let _ = write!(out, "run {}  ", visible(run));
        }
        if let Some(last) = times.max() {
            let _ = write!(out, "{}  ", visible(last));
        }
        out.push_str(&fold(group.iter().map(|marker| marker.on.as_str())));
        out.push('\n');
        let reason = first.reason();
        if !reason.is_empty() {
            let _ = writeln!(out, "      {reason}");
        }
    }
}

/// Hosts without an answer, by reason.
pub fn silent(found: &Found) -> String {
    let mut groups: IndexMap<(&str, &str), Vec<&str>> = IndexMap::new();
    for silent in &found.silent {
        groups
            .entry((silent.status, silent.msg.as_str()))
            .or_default()
            .push(&silent.host);
    }
    groups.sort_by(|(a, _), _, (b, _), _| a.cmp(b));
    let mut out = String::new();
    let mut last = "";
    for ((status, msg), hosts) in groups {
        if status != last {
            let _ = writeln!(out, "{}", if status == "skipped" { "no answer" } else { status });
        }
        last = status;
        let _ = writeln!(out, "  {}  {}", fold(hosts), text::one_line(msg));
    }
    out
}

/// Everything that each marker says.
pub fn whole(found: &Found) -> String {
    let mut out = String::new();
    for marker in &found.markers {
        if !out.is_empty() {
            out.push('\n');
        }
        let _ = writeln!(
            out,
            "{}: {}: {}",
            visible(&marker.on),
            marker.title(),
            marker.state_words()
        );
        let mut row = |name: &str, value: String| {
            if !value.is_empty() {
                let _ = writeln!(out, "  {name:9} {value}");
            }
        };
        let text = |value: &Option<String>| value.as_deref().map(visible).unwrap_or_default();
        row("because", marker.reason());
        if let Some(name) = &marker.name {
            row("name", visible(name));
        }
        let place = marker.path.as_deref().map(|path| format!(" ({})", visible(path)));
        row("task", text(&marker.task) + &place.unwrap_or_default());
        row("item", text(&marker.item));
        let by = marker.who.as_deref().map(|who| format!(" by {}", visible(who)));
        row("run", text(&marker.run) + &by.unwrap_or_default());
        if marker.host.as_ref().is_some_and(|host| *host != marker.on) {
            row("as host", text(&marker.host));
        }
        row("began", text(&marker.began));
        let rc = marker.rc.as_deref().map(|rc| format!(", rc {}", visible(rc)));
        row("ended", text(&marker.ended) + &rc.unwrap_or_default());
        row("record", format!("{}.{}", visible(&marker.file), marker.attempt));
        if !marker.parts.is_empty() {
            let _ = writeln!(out, "  what the task was:");
        }
        for part in &marker.parts {
            let text = part.text.as_deref().map_or_else(|| "(not shown)".to_owned(), visible);
            let _ = writeln!(out, "    {}: {text}", visible(&part.name));
        }
    }
    if found.markers.is_empty() {
        out.push_str("no markers\n");
    }
    out + &silent(found)
}

/// What was forgotten, and what was left alone.
pub fn cleared(found: &Found) -> String {
    let mut groups: IndexMap<(&str, String, String), Vec<&str>> = IndexMap::new();
    for marker in &found.markers {
        let (word, reason) = match marker.did.as_deref() {
            Some("cleared") if marker.state == "failed" => ("forgotten", "it had failed".to_owned()),
            Some("cleared") => ("forgotten", format!("it was {}", marker.state_words())),
            Some("left") => ("left alone", format!("it still runs: {}", marker.reason())),
            Some(_) | None => continue,
        };
        groups
            .entry((word, marker.title(), reason))
            .or_default()
            .push(&marker.on);
    }
    let mut out = String::new();
    for ((word, title, reason), hosts) in groups {
        let _ = writeln!(out, "{word}: {title} ({reason}): {}", fold(hosts));
    }
    if found.markers.is_empty() && found.silent.is_empty() {
        out.push_str("there is no such marker\n");
    }
    out + &silent(found)
}
