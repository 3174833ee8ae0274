//! CSV inventories: a header with a column `host`; `group` or `groups` puts into groups, any other column is a
//! variable. Empty cells say nothing.

use std::sync::Arc;

use super::super::build::Builder;
use crate::source::{Diagnostic, SourceFile, Span};
use crate::vars::Var;
use crate::yaml::{Kind, Node};

/// Longest row of values that is read.
const MOST_COLUMNS: usize = 1000;

/// True for a header: one of its columns is `host`, and there are several.
pub(super) fn is_header(line: &str) -> bool {
    separator(line).is_some_and(|separator| {
        line.split(separator)
            .any(|cell| cell.trim().trim_matches('"').eq_ignore_ascii_case("host"))
    })
}

fn separator(header: &str) -> Option<char> {
    [',', ';', '\t']
        .into_iter()
        .find(|separator| header.contains(*separator))
}

/// What a column is for.
enum Column {
    Host,
    Groups,
    Variable(String),
    /// A column without a name.
    Ignored,
}

/// Reads a CSV inventory.
pub(super) fn read(file: &Arc<SourceFile>, builder: &mut Builder) {
    let header = file
        .text
        .lines()
        .find(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let separator = header.and_then(separator).unwrap_or(',');
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .comment(Some(b'#'))
        .delimiter(u8::try_from(separator).unwrap_or(b','))
        .trim(csv::Trim::All)
        .from_reader(file.text.as_bytes());
    let mut columns: Option<Vec<Column>> = None;
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let line = error.position().map_or(1, csv::Position::line);
                builder.error(Diagnostic::new(format!("invalid CSV: {error}")).at(place(file, line)));
                return;
            }
        };
        let at = place(file, record.position().map_or(1, |position| first_line(file, position)));
        if record.iter().all(str::is_empty) {
            continue;
        }
        match &columns {
            None => match read_header(&record, &at) {
                Ok(read) => columns = Some(read),
                Err(error) => return builder.error(error),
            },
            Some(columns) => row(&record, columns, &at, builder),
        }
        if builder.is_full() {
            return;
        }
    }
}

/// The line a record stands in: the reader counts from the blank lines and comments before it.
fn first_line(file: &SourceFile, position: &csv::Position) -> u64 {
    let start = usize::try_from(position.byte()).unwrap_or(usize::MAX);
    let lines = file.text.get(start..).unwrap_or("").lines();
    let passed = lines
        .take_while(|line| line.trim().is_empty() || line.starts_with('#'))
        .count();
    position.line().saturating_add(passed as u64)
}

fn place(file: &Arc<SourceFile>, line: u64) -> Span {
    Span::new(file, u32::try_from(line).unwrap_or(u32::MAX), 1)
}

fn read_header(record: &csv::StringRecord, at: &Span) -> Result<Vec<Column>, Diagnostic> {
    if record.len() > MOST_COLUMNS {
        return Err(Diagnostic::new(format!("more than {MOST_COLUMNS} columns")).at(at.clone()));
    }
    let mut columns = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for name in record {
        if !name.is_empty() && !seen.insert(name.to_ascii_lowercase()) {
            return Err(Diagnostic::new(format!("the column `{name}` stands here twice")).at(at.clone()));
        }
        columns.push(match name.to_ascii_lowercase().as_str() {
            "" => Column::Ignored,
            "host" => Column::Host,
            "group" | "groups" => Column::Groups,
            _ => Column::Variable(name.to_owned()),
        });
    }
    if !columns.iter().any(|column| matches!(column, Column::Host)) {
        return Err(Diagnostic::new("the header has no column `host`")
            .at(at.clone())
            .help("host,ansible_host,groups"));
    }
    Ok(columns)
}

fn row(record: &csv::StringRecord, columns: &[Column], at: &Span, builder: &mut Builder) {
    if record.len() > columns.len() {
        let message = format!("{} cells in a table of {} columns", record.len(), columns.len());
        return builder.error(
            Diagnostic::new(message)
                .at(at.clone())
                .help("quote a cell that holds the separator"),
        );
    }
    let cells = || columns.iter().zip(record.iter()).filter(|(_, cell)| !cell.is_empty());
    let Some((_, name)) = cells().find(|(column, _)| matches!(column, Column::Host)) else {
        return builder.error(Diagnostic::new("this row has no host").at(at.clone()));
    };
    let hosts = builder.entry(name, at);
    let mut grouped = false;
    for (column, cell) in cells() {
        match column {
            Column::Groups => {
                for name in cell
                    .split([',', ';', ' ', '|'])
                    .map(str::trim)
                    .filter(|name| !name.is_empty())
                {
                    grouped = true;
                    if let Some(group) = builder.group(name, at) {
                        for &host in &hosts {
                            builder.put(host, group);
                        }
                    }
                }
            }
            Column::Variable(name) => {
                let value = Var::Source(Arc::new(value(name, cell, at)));
                builder.set_hosts(&hosts, name, &value, at);
            }
            Column::Host | Column::Ignored => {}
        }
    }
    if !grouped {
        for &host in &hosts {
            builder.put(host, 1);
        }
    }
}

/// Whole numbers that are written as a machine would, and booleans; everything else, and every secret, is text.
fn value(name: &str, cell: &str, at: &Span) -> Node {
    let lower = name.to_ascii_lowercase();
    let secret = ["pass", "token", "secret"].iter().any(|word| lower.contains(word));
    let kind = match cell.parse::<i64>() {
        _ if secret => None,
        Ok(number) if number.to_string() == cell => Some(Kind::Int(number)),
        _ if cell.eq_ignore_ascii_case("true") => Some(Kind::Bool(true)),
        _ if cell.eq_ignore_ascii_case("false") => Some(Kind::Bool(false)),
        _ => None,
    };
    match kind {
        Some(kind) => Node { span: at.clone(), kind },
        None => Node::text(cell, at),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::Inventory;
    use crate::vars::Var;
    use proptest::prelude::*;

    fn var(inventory: &Inventory, host: &str, name: &str) -> String {
        match inventory.hosts.get(host).and_then(|host| host.vars.get(name)) {
            Some(Var::Source(node)) => format!("{} {}", node.kind_name(), node.scalar_text().unwrap()),
            _ => "-".into(),
        }
    }

    #[test]
    fn rows_become_hosts_with_groups_and_variables() {
        let inventory = Inventory::from_text(
            "h.csv",
            "# list of March\nhost,ansible_host,groups,rack,ansible_password\nweb1,10.0.0.1,\"web, prod\",7,0123\nroot@db[1:2]:2222,,db,007,5\nlone,,,true,\n",
        )
        .unwrap();
        assert_eq!(inventory.group_names(&"web1".into()), ["prod", "web"]);
        assert_eq!(inventory.group_names(&"lone".into()), ["ungrouped"]);
        assert_eq!(var(&inventory, "web1", "rack"), "a number 7");
        assert_eq!(var(&inventory, "db2", "rack"), "text 007");
        assert_eq!(var(&inventory, "db2", "ansible_password"), "text 5");
        assert_eq!(var(&inventory, "db2", "ansible_port"), "a number 2222");
        assert_eq!(var(&inventory, "lone", "rack"), "a boolean True");
        assert_eq!(var(&inventory, "lone", "ansible_host"), "-");
    }

    #[test]
    fn semicolons_and_tabs_separate_too() {
        let inventory = Inventory::from_text("h.csv", "Host;group\na;x\n").unwrap();
        assert_eq!(inventory.group_names(&"a".into()), ["x"]);
    }

    #[test]
    fn mistakes_have_a_line_and_a_reason() {
        for (text, line, words) in [
            ("name,x\na,1\n", "h.csv:1", "no column `host`"),
            ("host,x,X\na,1,2\n", "h.csv:1", "twice"),
            ("host,x\na,1,2\n", "h.csv:2", "3 cells"),
            ("host,x\n\n,2\n", "h.csv:3", "no host"),
            ("host,ansible_port\na,0\n", "h.csv:2", "65535"),
            ("host\n../x\n", "h.csv:2", "begins with `.`"),
        ] {
            let shown = Inventory::from_text("h.csv", text).unwrap_err().to_string();
            assert!(shown.contains(line) && shown.contains(words), "{text}: {shown}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(host|group|a|,|;|\"|\n|#|1){0,40}") {
            let _ = Inventory::from_text("h.csv", &text);
        }
    }
}
