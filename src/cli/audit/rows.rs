//! `--csv` and `--json`: the table for spreadsheets, and everything for programs.

use std::io;

use indexmap::IndexMap;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::answers::Line;
use super::drift::Drift;
use super::table::Table;
use super::view::View;
use crate::report::csv::cell;
use crate::report::{json, text};

/// The rows of a table, headed by the names of the columns; safe to open in a spreadsheet.
pub fn csv(view: &View<'_>) -> io::Result<Vec<u8>> {
    let table = Table::new(view.heard);
    let safe = |value: &str| cell(&text::one_line(value));
    let mut rows = csv::Writer::from_writer(Vec::new());
    let heads = ["host", "layout", "answered"].map(str::to_owned);
    let names = table.columns.iter().map(|name| safe(name));
    rows.write_record(heads.into_iter().chain(names).chain(["reason".to_owned()]))?;
    // In the order of the inventory: first those that answered.
    for (number, host) in view.heard.hosts.iter().enumerate() {
        let heads = [safe(&host.name), (host.layout + 1).to_string(), "yes".to_owned()];
        let values = table.row(number).into_iter().map(safe);
        rows.write_record(heads.into_iter().chain(values).chain([String::new()]))?;
    }
    for (host, why) in &view.heard.silent {
        let heads = [safe(host), String::new(), "no".to_owned()];
        let empty = std::iter::repeat_n(String::new(), table.columns.len());
        rows.write_record(heads.into_iter().chain(empty).chain([safe(why)]))?;
    }
    rows.into_inner().map_err(|error| io::Error::other(error.to_string()))
}

/// Everything, as one object. `docs/audit.md` has the form.
pub fn json(view: &View<'_>, drift: Option<&Drift>) -> io::Result<Vec<u8>> {
    let mut bytes = json::line(&Whole { view, drift })?;
    bytes.push(b'\n');
    Ok(bytes)
}

struct Whole<'a> {
    view: &'a View<'a>,
    drift: Option<&'a Drift>,
}

/// What is the same for all hosts of a layout stands in it once.
#[derive(Serialize)]
struct LayoutRow<'a> {
    layout: usize,
    shape: usize,
    usual: bool,
    hosts: &'a [String],
    lines: &'a [Line],
    values: IndexMap<&'a str, &'a str>,
}

/// What is the host's own.
#[derive(Serialize)]
struct HostRow<'a> {
    host: &'a str,
    layout: usize,
    values: IndexMap<&'a str, &'a str>,
}

#[derive(Serialize)]
struct Silent<'a> {
    host: &'a str,
    reason: &'a str,
}

#[derive(Serialize)]
struct Note<'a> {
    text: &'a str,
    hosts: &'a [String],
}

impl Serialize for Whole<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let heard = self.view.heard;
        let table = Table::new(heard);
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("batchssh_audit", &1)?;
        map.serialize_entry("subject", heard.subject.name())?;
        map.serialize_entry("run", &heard.run)?;
        map.serialize_entry("time", &heard.began)?;
        map.serialize_entry("asked", &(heard.hosts.len() + heard.silent.len()))?;
        map.serialize_entry("answered", &heard.hosts.len())?;
        map.serialize_entry("normalise", heard.normaliser.masks())?;
        let layouts: Vec<LayoutRow<'_>> = heard
            .layouts
            .groups
            .iter()
            .enumerate()
            .map(|(number, layout)| LayoutRow {
                layout: number + 1,
                shape: self.view.shape_of(number) + 1,
                usual: self.view.usual() == Some(number),
                hosts: &layout.hosts,
                lines: &layout.lines,
                values: table.named_of_layout(number),
            })
            .collect();
        map.serialize_entry("layouts", &layouts)?;
        let hosts: Vec<HostRow<'_>> = heard
            .hosts
            .iter()
            .map(|host| HostRow {
                host: &host.name,
                layout: host.layout + 1,
                values: host
                    .extra
                    .iter()
                    .map(|(name, value)| (name.as_ref(), value.as_ref()))
                    .collect(),
            })
            .collect();
        map.serialize_entry("hosts", &hosts)?;
        let silent: Vec<Silent<'_>> = heard
            .silent
            .iter()
            .map(|(host, reason)| Silent { host, reason })
            .collect();
        map.serialize_entry("no_answer", &silent)?;
        let notes: Vec<Note<'_>> = heard.notes.iter().map(|(text, hosts)| Note { text, hosts }).collect();
        map.serialize_entry("notes", &notes)?;
        if let Some(drift) = self.drift {
            map.serialize_entry("drift", drift)?;
        }
        map.end()
    }
}

/// Lines as texts.
pub fn texts(lines: &[Line]) -> Vec<String> {
    lines.iter().map(ToString::to_string).collect()
}
