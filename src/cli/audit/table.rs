//! The answers as a table: one row a host, one column a value. CSV, JSON and the page are made of it.

use std::collections::HashMap;

use indexmap::IndexMap;

use super::answers::{Heard, Line};
use super::subject::Subject;

/// More columns no spreadsheet opens.
const MOST_COLUMNS: usize = 16_000;

/// The table.
#[derive(Debug)]
pub struct Table<'a> {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// The values of each layout, by the number of the column.
    layouts: Vec<HashMap<usize, String>>,
    numbers: HashMap<String, usize>,
    heard: &'a Heard,
}

impl<'a> Table<'a> {
    /// Columns from the lines, where they are pairs; else one column with the whole answer. Then what is the hosts' own.
    pub fn new(heard: &'a Heard) -> Self {
        let layouts: Vec<IndexMap<&str, String>> = heard
            .layouts
            .groups
            .iter()
            .map(|layout| pairs(&heard.subject, &layout.lines))
            .collect::<Option<_>>()
            .unwrap_or_default();
        let mut numbers: IndexMap<String, usize> = IndexMap::new();
        let mut number = |name: &str| {
            let next = numbers.len();
            *numbers.entry(name.to_owned()).or_insert(next)
        };
        let in_columns: Vec<HashMap<usize, String>> = if layouts.is_empty() && !heard.subject.is_disks() {
            let column = number("answer");
            let whole = |lines: &[Line]| lines.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join("; ");
            heard
                .layouts
                .groups
                .iter()
                .map(|layout| HashMap::from([(column, whole(&layout.lines))]))
                .collect()
        } else {
            // The most common layout gives the order, the others add to it.
            for layout in layouts.iter().rev() {
                for name in layout.keys() {
                    number(name);
                }
            }
            layouts
                .into_iter()
                .map(|layout| layout.into_iter().map(|(name, value)| (number(name), value)).collect())
                .collect()
        };
        for host in &heard.hosts {
            for (name, _) in &host.extra {
                number(name);
            }
        }
        let mut columns: Vec<String> = numbers.keys().cloned().collect();
        columns.truncate(MOST_COLUMNS);
        Self {
            columns,
            layouts: in_columns,
            numbers: numbers.into_iter().collect(),
            heard,
        }
    }

    /// The values of a layout that are the same for all of its hosts, by column.
    pub fn of_layout(&self, layout: usize) -> Vec<&str> {
        let mut row = vec![""; self.columns.len()];
        for (column, value) in self.layouts.get(layout).into_iter().flatten() {
            if let Some(cell) = row.get_mut(*column) {
                *cell = value;
            }
        }
        row
    }

    /// The same by the names of the columns, without those that the layout has not.
    pub fn named_of_layout(&self, layout: usize) -> IndexMap<&str, &str> {
        let mut cells: Vec<(usize, &str)> = self
            .layouts
            .get(layout)
            .into_iter()
            .flatten()
            .map(|(column, value)| (*column, value.as_str()))
            .collect();
        cells.sort_unstable();
        cells
            .into_iter()
            .filter_map(|(column, value)| Some((self.columns.get(column)?.as_str(), value)))
            .collect()
    }

    /// The values of a host, by column.
    pub fn row(&self, host: usize) -> Vec<&str> {
        let Some(host) = self.heard.hosts.get(host) else {
            return Vec::new();
        };
        let mut row = self.of_layout(host.layout);
        for (name, value) in &host.extra {
            if let Some(cell) = self.numbers.get(name.as_ref()).and_then(|column| row.get_mut(*column)) {
                *cell = value;
            }
        }
        row
    }
}

/// The lines as pairs; `None` when one is none. Values of one name are put together.
fn pairs<'a>(subject: &Subject, lines: &'a [Line]) -> Option<IndexMap<&'a str, String>> {
    let mut out: IndexMap<&str, String> = IndexMap::new();
    for line in lines.iter().filter(|line| !line.is_empty()) {
        let (name, value) = subject.pair(line)?;
        out.entry(name)
            .and_modify(|before| {
                before.push_str("; ");
                before.push_str(value);
            })
            .or_insert_with(|| value.to_owned());
    }
    Some(out)
}
