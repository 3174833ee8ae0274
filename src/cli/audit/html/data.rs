//! The table's data for the page's script. What is equal for all hosts of a layout stands in it once.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::super::table::Table;
use super::super::view::View;
use crate::report::{page, text};

/// Columns of the table: more cannot be looked at, and CSV has them.
const MOST_COLUMNS: usize = 24;
/// Characters of a cell.
const MOST_CELL: usize = 160;
/// Bytes of all cells together, about: columns are left out until they fit.
const MOST_BYTES: usize = 6 * 1024 * 1024;

#[derive(Serialize)]
struct Data {
    columns: Vec<String>,
    /// Columns that are not shown.
    left_out: usize,
    /// Of each layout: its kind, and its cells.
    layouts: Vec<Cells>,
    hosts: Vec<Host>,
    silent: Vec<(String, String)>,
}

#[derive(Serialize)]
struct Cells {
    odd: bool,
    cells: Vec<String>,
}

/// Name, layout, and the cells that are the host's own, by column.
#[derive(Serialize)]
struct Host(String, usize, HashMap<usize, String>);

/// As JSON that can stand in a page.
pub fn json(view: &View<'_>) -> String {
    page::data(&data(view))
}

fn data(view: &View<'_>) -> Data {
    let heard = view.heard;
    let table = Table::new(heard);
    let chosen = columns(view, &table);
    let pick = |row: &[&str]| -> Vec<String> {
        chosen
            .iter()
            .map(|column| row.get(*column).map_or_else(String::new, |value| cell(value)))
            .collect()
    };
    let layouts: Vec<Vec<String>> = (0..heard.layouts.groups.len())
        .map(|number| pick(&table.of_layout(number)))
        .collect();
    let hosts = heard
        .hosts
        .iter()
        .enumerate()
        .map(|(number, host)| {
            let shared = layouts.get(host.layout);
            let own = pick(&table.row(number)).into_iter().enumerate();
            let own = own.filter(|(column, value)| shared.and_then(|cells| cells.get(*column)) != Some(value));
            Host(text::one_line(&host.name), host.layout, own.collect())
        })
        .collect();
    let usual = view.shapes.len().saturating_sub(1);
    Data {
        columns: chosen
            .iter()
            .filter_map(|column| table.columns.get(*column))
            .map(|name| cell(name))
            .collect(),
        left_out: table.columns.len() - chosen.len(),
        layouts: layouts
            .into_iter()
            .enumerate()
            .map(|(number, cells)| Cells {
                odd: match view.shapes.get(usual) {
                    Some(shape) if view.shape_of(number) == usual => view.has_centre(shape) && number != shape.common(),
                    Some(_) | None => true,
                },
                cells,
            })
            .collect(),
        hosts,
        silent: heard
            .silent
            .iter()
            .map(|(host, why)| (text::one_line(host), cell(why)))
            .collect(),
    }
}

fn cell(value: &str) -> String {
    text::fit(&text::one_line(value), MOST_CELL, "…")
}

/// The columns that are shown, in their order: those that differ come before those that are the same everywhere.
fn columns(view: &View<'_>, table: &Table<'_>) -> Vec<usize> {
    let heard = view.heard;
    let mut seen: Vec<HashSet<String>> = vec![HashSet::new(); table.columns.len()];
    let mut bytes = vec![0; table.columns.len()];
    let mut count = |row: &[&str], own: bool| {
        for (column, value) in row.iter().enumerate() {
            let (Some(seen), Some(bytes)) = (seen.get_mut(column), bytes.get_mut(column)) else {
                continue;
            };
            if seen.len() < 2 {
                seen.insert((*value).to_owned());
            }
            if own || !value.is_empty() {
                *bytes += value.len().min(MOST_CELL) + 3;
            }
        }
    };
    for number in 0..heard.layouts.groups.len() {
        count(&table.of_layout(number), true);
    }
    for (number, host) in heard.hosts.iter().enumerate() {
        if !host.extra.is_empty() {
            count(&table.row(number), false);
        }
    }
    let mut order: Vec<usize> = (0..table.columns.len()).collect();
    if heard.subject.is_disks() {
        // Of each disk there are five; those about the machine as a whole come first, and are enough here.
        order.truncate(6);
    }
    order.sort_by_key(|column| seen.get(*column).is_some_and(|values| values.len() < 2));
    let mut room = MOST_BYTES;
    let mut chosen = Vec::new();
    for column in order.into_iter().take(MOST_COLUMNS) {
        let size = bytes.get(column).copied().unwrap_or(0);
        if size <= room {
            room -= size;
            chosen.push(column);
        }
    }
    chosen.sort_unstable();
    chosen
}
