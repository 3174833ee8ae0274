//! Tasks in doubt for people, and as JSON.

use std::fmt::Write as _;

use indexmap::IndexMap;
use serde_json::{Value as Json, json};

use crate::cli::doubt::contact::Says;
use crate::cli::doubt::open::{Doubt, Open};
use crate::cli::lineage::Chain;
use crate::cli::markers::found::Marker;
use crate::cli::runs::store::Store;
use crate::engine::replay::Found;
use crate::report::fold::fold;
use crate::report::text;
use crate::shell::quote_str;
use crate::source::{Diagnostic, visible};

/// Longest command that is shown.
const LONGEST: usize = 160;

/// What somebody said about a doubt.
fn said(found: Option<Found>) -> Option<&'static str> {
    found.map(|found| match found {
        Found::Done => "somebody said that it was done",
        Found::NotDone => "somebody said that it was not done",
    })
}

/// A marker in words.
pub fn of_marker(marker: &Marker) -> String {
    let reason = marker.reason();
    let mut words = match marker.state.as_str() {
        "done" => "done".to_owned(),
        "failed" => "it ended with a failure".to_owned(),
        "running" => "it still runs there".to_owned(),
        "damaged" => "its record is damaged".to_owned(),
        _ => "in doubt there, too".to_owned(),
    };
    if !reason.is_empty() {
        words += &format!(": {reason}");
    }
    if let (Some(run), "done" | "failed") = (&marker.run, marker.state.as_str()) {
        words += &format!(" (run {}", visible(run));
        if let Some(ended) = &marker.ended {
            words += &format!(", {}", visible(ended));
        }
        words.push(')');
    }
    words
}

fn says_words(says: &Says) -> String {
    match says {
        Says::Marker(marker) => of_marker(marker),
        Says::Absent => "the host has no record that it was begun".to_owned(),
        Says::Silent(status, msg) => format!("{status}: {}", text::one_line(msg)),
    }
}

/// Doubts that are shown together: task, item, command, marker, what was said, what the hosts say.
type Key = (String, String, Option<String>, String, Option<String>, String);

/// What is in doubt, run by run; `says` goes with the doubts of the only run.
pub fn list(open: &[Open], says: Option<&[Says]>) -> String {
    let mut out = String::new();
    if open.iter().all(|one| one.doubts.is_empty()) {
        return "nothing is in doubt in the latest runs\n".to_owned();
    }
    for one in open {
        let head = one.chain.newest();
        let goes_on = if one.alive { ", and still goes on" } else { "" };
        let _ = writeln!(
            out,
            "run {}: {}, begun {} by {}@{}{goes_on}",
            head.run,
            visible(&one.chain.first().title),
            visible(&head.time),
            visible(&head.origin.user),
            visible(&head.origin.controller)
        );
        let mut groups: IndexMap<Key, Vec<&Doubt>> = IndexMap::new();
        for (index, doubt) in one.doubts.iter().enumerate() {
            let heard = says.and_then(|says| says.get(index));
            let marker = match &doubt.marker {
                None => "none: only you can tell, or a `verify:` of the task".to_owned(),
                Some(name) if name.starts_with("run/") => "of this run only".to_owned(),
                Some(name) => format!("`{}`", visible(name)),
            };
            let key = (
                format!("`{}` ({})", visible(&doubt.task), visible(&doubt.path)),
                marker,
                doubt.item.clone(),
                text::fit(&visible(&doubt.command), LONGEST, "…"),
                heard.map(says_words),
                said(doubt.found).unwrap_or_default().to_owned(),
            );
            groups.entry(key).or_default().push(doubt);
        }
        for ((task, marker, item, command, heard, said), doubts) in &groups {
            let item = item.as_deref().map(|item| format!(" for `{}`", visible(item)));
            let hosts = fold(doubts.iter().map(|doubt| doubt.host.as_str()));
            let _ = writeln!(out, "  {task}{} on {hosts}", item.unwrap_or_default());
            for (name, value) in [("command", command), ("marker", marker), ("said", said)] {
                if !value.is_empty() {
                    let _ = writeln!(out, "    {name:8} {value}");
                }
            }
            if let Some(heard) = heard {
                let _ = writeln!(out, "    {:8} {heard}", "host");
            }
        }
        out += &way_on(one, says);
    }
    out
}

/// What to type next.
fn way_on(one: &Open, says: Option<&[Says]>) -> String {
    let run = quote_str(&one.chain.newest().run);
    if one.alive {
        return "  wait for its end\n".to_owned();
    }
    let mut out = String::new();
    // What the host knows needs nobody's word.
    let state = |index: usize| match says.and_then(|says| says.get(index)) {
        Some(Says::Marker(marker)) => marker.state.as_str(),
        Some(Says::Absent) => "absent",
        Some(Says::Silent(..)) | None => "",
    };
    let all = || one.doubts.iter().enumerate();
    let open = all().filter(|(index, doubt)| {
        doubt.found.is_none() && !matches!(state(*index), "done" | "failed" | "running" | "absent")
    });
    let open: Vec<&Doubt> = open.map(|(_, doubt)| doubt).collect();
    if all().any(|(index, _)| state(index) == "running") {
        out.push_str("  wait for the end of what still runs\n");
    }
    if says.is_none() && open.iter().any(|doubt| doubt.marker.is_some()) {
        let _ = writeln!(out, "  what the hosts know:    batchssh doubt list {run} --look");
    }
    if let Some(first) = open.first() {
        let host = quote_str(first.host.as_str());
        let _ = writeln!(
            out,
            "  look there, then say:   batchssh doubt resolve {run} {host} --done   (or --not-done)"
        );
    }
    let _ = writeln!(out, "  then go on:             batchssh retry {run}");
    out
}

/// The same as one JSON document.
pub fn json(open: &[Open], says: Option<&[Says]>) -> String {
    let runs: Vec<Json> = open
        .iter()
        .map(|one| {
            let doubts = one.doubts.iter().enumerate().map(|(index, doubt)| {
                let host_says = says.and_then(|says| says.get(index)).map(|says| match says {
                    Says::Marker(marker) => json!({ "state": marker.state, "marker": marker }),
                    Says::Absent => json!({ "state": "absent" }),
                    Says::Silent(status, msg) => json!({ "state": "silent", "status": status, "msg": msg }),
                });
                json!({
                    "host": doubt.host,
                    "task": doubt.task,
                    "path": doubt.path,
                    "item": doubt.item,
                    "run": doubt.run,
                    "command": doubt.command,
                    "marker": doubt.marker,
                    "said": doubt.found.map(|found| match found {
                        Found::Done => "done",
                        Found::NotDone => "not_done",
                    }),
                    "host_says": host_says,
                })
            });
            let doubts: Vec<Json> = doubts.collect();
            json!({
                "run": one.chain.newest().run,
                "root": one.chain.root(),
                "title": one.chain.first().title,
                "goes_on": one.alive,
                "doubts": doubts,
            })
        })
        .collect();
    format!("{:#}\n", json!({ "runs": runs }))
}

/// One line about a doubt.
pub fn about(doubt: &Doubt, words: &str) -> String {
    let item = doubt.item.as_deref().map(|item| format!(" for `{}`", visible(item)));
    format!(
        "{}: `{}` ({}){}: {words}\n",
        visible(doubt.host.as_str()),
        visible(&doubt.task),
        visible(&doubt.path),
        item.unwrap_or_default()
    )
}

/// What was decided, and what follows.
pub fn decided(doubts: &[&Doubt], found: Found) -> String {
    let words = match found {
        Found::Done => "done: it is not run again, the next retry goes on behind it",
        Found::NotDone => "not done: the next retry runs it",
    };
    doubts.iter().map(|doubt| about(doubt, words)).collect()
}

/// The command that goes on with the run.
pub fn go_on(store: &Store, chain: &Chain) -> Result<String, Diagnostic> {
    let left = Open::of(store, Chain::of(store, &chain.newest().run)?)?;
    let open = left.doubts.iter().filter(|doubt| doubt.found.is_none()).count();
    let run = quote_str(&chain.newest().run);
    let mut text = format!("go on with: batchssh retry {run}\n");
    if open > 0 {
        let _ = writeln!(text, "still in doubt: {open}, see `batchssh doubt list {run}`");
    }
    Ok(text)
}
