//! Tasks as written. The digest of a task says whether it is still the same task in a playbook that was changed since
//! an earlier run: comments, blanks and the line it stands in do not matter, everything else does.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::event::WrittenEntry as Entry;
use crate::plan::{Action, Task};
use crate::source::SourceFile;
use crate::transport::manifest::hex;
use crate::yaml::{self, Kind, Node, TextUse};

/// Hexadecimal digits of a digest that are kept: enough to tell tasks apart, short enough for every line of a journal.
const DIGITS: usize = 16;
/// Keys whose lists hold tasks of their own.
const LISTS: &[&str] = &[
    "tasks",
    "pre_tasks",
    "post_tasks",
    "handlers",
    "block",
    "rescue",
    "always",
];

/// The tasks of one file.
#[derive(Debug, Default)]
pub struct Written {
    /// Its plays or tasks.
    pub entries: Vec<Entry>,
    by_line: HashMap<u32, String>,
}

impl Written {
    /// Reads the tasks of a file; one that is no list of plays or tasks has none.
    pub fn read(file: &Arc<SourceFile>) -> Self {
        let entries = yaml::parse(file).map(|node| list(&node)).unwrap_or_default();
        let mut by_line = HashMap::new();
        index(&entries, &mut by_line);
        Self { entries, by_line }
    }

    /// The digest of what begins in a line.
    pub fn at(&self, line: u32) -> Option<&str> {
        self.by_line.get(&line).map(String::as_str)
    }
}

fn index(entries: &[Entry], by_line: &mut HashMap<u32, String>) {
    for entry in entries {
        by_line.insert(entry.line, entry.id.clone());
        for inside in entry.inside.values() {
            index(inside, by_line);
        }
    }
}

fn list(node: &Node) -> Vec<Entry> {
    let items = node.as_list().unwrap_or_default();
    items.iter().filter_map(entry).collect()
}

fn entry(item: &Node) -> Option<Entry> {
    let mut hash = Sha256::new();
    let mut inside = BTreeMap::new();
    let fields = item.as_map()?;
    for (key, value) in fields {
        match key.as_str() {
            Some(key) if LISTS.contains(&key) => {
                inside.insert(key.to_owned(), list(value));
            }
            _ => {
                feed(&mut hash, key);
                feed(&mut hash, value);
            }
        }
    }
    let name = item.get("name").and_then(Node::scalar_text);
    let first = || fields.first().and_then(|(key, _)| key.scalar_text());
    Some(Entry {
        line: item.span.line,
        id: short(hash),
        name: name.or_else(first).unwrap_or_default(),
        inside,
    })
}

/// The digest of a task that stands in no file: ad-hoc commands, the implicit gathering of facts.
pub fn of_task(task: &Task) -> String {
    let mut hash = Sha256::new();
    hash.update(task.action_name.as_bytes());
    hash.update([0]);
    match &task.action {
        Action::Module { args, .. } | Action::IncludeVars { args } | Action::Engine { args, .. } => {
            feed(&mut hash, args);
        }
        Action::IncludeTasks { file: node, .. } | Action::IncludeRole { args: node, .. } => feed(&mut hash, node),
        Action::Missing { .. } | Action::Meta(_) => {}
    }
    short(hash)
}

fn short(hash: Sha256) -> String {
    let mut text = hex(&hash.finalize());
    text.truncate(DIGITS);
    text
}

/// Adds a value: its kind, then what it is, so that different trees are different bytes.
fn feed(hash: &mut Sha256, node: &Node) {
    match &node.kind {
        Kind::Null => hash.update(b"n"),
        Kind::Bool(on) => hash.update(if *on { b"T" } else { b"F" }),
        Kind::Int(number) => {
            hash.update(b"i");
            hash.update(number.to_le_bytes());
        }
        Kind::Float(number) => {
            hash.update(b"f");
            hash.update(number.to_le_bytes());
        }
        Kind::Text(text) => {
            hash.update(match text.use_as {
                TextUse::Template => b"t",
                TextUse::Literal => b"l",
                TextUse::Vault => b"v",
            });
            hash.update(text.value.len().to_le_bytes());
            hash.update(text.value.as_bytes());
        }
        Kind::List(items) => {
            hash.update(b"[");
            hash.update(items.len().to_le_bytes());
            for item in items {
                feed(hash, item);
            }
        }
        Kind::Map(entries) => {
            hash.update(b"{");
            hash.update(entries.len().to_le_bytes());
            for (key, value) in entries {
                feed(hash, key);
                feed(hash, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> Written {
        Written::read(&SourceFile::new("site.yml", text))
    }

    const SITE: &str = "- hosts: all\n  vars: {a: 1}\n  tasks:\n    - name: one\n      command: a\n    - block:\n        - command: b\n      when: x\n    - command: c\n";

    fn ids(entries: &[Entry]) -> Vec<String> {
        let inside = |entry: &Entry| -> Vec<String> { entry.inside.values().flat_map(|list| ids(list)).collect() };
        entries
            .iter()
            .flat_map(|entry| [vec![format!("{} {}", entry.id, entry.name)], inside(entry)].concat())
            .collect()
    }

    #[test]
    fn comments_and_lines_do_not_matter() {
        let moved = SITE.replace("  tasks:", "  # a comment\n\n  tasks:");
        let (before, after) = (written(SITE), written(&moved));
        assert_eq!(ids(&before.entries), ids(&after.entries));
        assert_eq!(before.at(4), after.at(6));
        assert!(before.at(4).is_some());
        let names: Vec<String> = ids(&before.entries)
            .iter()
            .map(|text| text.split_once(' ').unwrap().1.to_owned())
            .collect();
        assert_eq!(names, ["hosts", "one", "block", "command", "command"]);
    }

    #[test]
    fn a_word_of_a_task_a_condition_of_its_block_and_a_variable_of_its_play_matter() {
        let before = written(SITE);
        let changed = |from: &str, to: &str, line: u32| {
            let after = written(&SITE.replace(from, to));
            assert_ne!(before.at(line), after.at(line), "{from} {to}");
            let same = [1, 4, 6, 7, 9]
                .iter()
                .filter(|at| before.at(**at) == after.at(**at))
                .count();
            assert_eq!(same, 4, "only that entry: {from}");
        };
        changed("command: a", "command: aa", 4);
        changed("when: x", "when: y", 6);
        changed("command: b", "command: bb", 7);
        changed("{a: 1}", "{a: 2}", 1);
    }

    #[test]
    fn trees_that_differ_only_in_shape_differ() {
        let id = |text: &str| written(text).at(1).unwrap().to_owned();
        assert_ne!(id("- a: [b, c]\n"), id("- a: [[b], c]\n"));
        assert_ne!(id("- a: 1\n"), id("- a: '1'\n"));
        assert_ne!(id("- a: bc\n  d: e\n"), id("- a: b\n  cd: e\n"));
    }
}
