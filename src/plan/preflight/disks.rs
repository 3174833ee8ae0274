//! What a `disks` check wants: which disk may be the system's, which disks are for data, and what must hold of them.

use serde_json::Value as Json;

use crate::inventory::matches_glob;
use crate::plan::keywords::several;
use crate::plan::preflight::read::{one_of, unknown_key};
use crate::plan::preflight::size::parse_size;
use crate::playbook::keywords::boolean;
use crate::source::Diagnostic;
use crate::yaml::{Kind as NodeKind, Node};

/// The rules of a `disks` check.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DiskRules {
    /// Which disks the system may be on.
    pub system: SystemRule,
    /// Which disks are for data, and what must hold of them; `None`: all that are not the system's, and nothing.
    pub data: Option<DataRule>,
    /// Where `/dev`, `/sys` and `/proc` of the machine are, when the login ends in a container; else empty.
    pub root: String,
}

/// What must hold of the disks that carry `/`, `/boot`, `/usr`, `/var` and swap.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SystemRule {
    /// There may be none that is known (a live system, a root on the network).
    pub may_be_absent: bool,
    /// How many there must be.
    pub count: Option<usize>,
    /// What each must be like.
    pub kind: Kind,
}

/// Which disks are for data, and what must hold of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DataRule {
    /// Which of the disks count, beside that they are not the system's, not removable and not in use.
    pub pick: Kind,
    /// Disks that are in use (mounted, swap, part of a volume) count, too.
    pub in_use: bool,
    /// Removable ones count, too: some controllers call every disk that can be plugged so.
    pub removable: bool,
    /// Fewest.
    pub least: Option<usize>,
    /// Most.
    pub most: Option<usize>,
    /// Nothing may be on them: no partition, no signature, no volume, not mounted.
    pub empty: bool,
    /// … or a file system with such a label: what an earlier run has made. Such disks count also when they are in use.
    pub label: Option<String>,
    /// What each must be like.
    pub kind: Kind,
}

/// What a disk is like.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kind {
    /// One of these names (`sda`, `nvme*`); none: any.
    pub names: Vec<String>,
    /// None of these names.
    pub not: Vec<String>,
    /// Smallest size, bytes.
    pub min_size: Option<u64>,
    /// Largest size, bytes.
    pub max_size: Option<u64>,
    /// Whether it turns.
    pub rotational: Option<bool>,
    /// Its model, `*` and `?` as in file names.
    pub model: Option<String>,
}

/// Whether a name fits a pattern of a rule.
pub fn fits(pattern: &str, name: &str) -> bool {
    matches_glob(pattern, name)
}

const RULES: &[&str] = &["system", "data", "root"];
const SYSTEM: &[&str] = &["name", "not", "min_size", "max_size", "rotational", "model", "count"];
const PICK: &[&str] = &["name", "not", "min_size", "max_size", "rotational", "model"];
const DATA: &[&str] = &[
    "count",
    "min_count",
    "max_count",
    "empty",
    "empty_or_label",
    "in_use",
    "removable",
    "pick",
    "min_size",
    "max_size",
    "rotational",
    "model",
];

impl DiskRules {
    /// Reads the value of `disks`. Values that are templates are left out: they are read again when they are filled in.
    pub fn read(node: &Node) -> (Self, Vec<Diagnostic>) {
        let mut mistakes = Vec::new();
        let mut rules = Self::default();
        for (key, value) in entries(node, "disks", RULES, &mut mistakes) {
            match key {
                "system" => rules.system = system(value, &mut mistakes),
                "data" => rules.data = Some(data(value, &mut mistakes)),
                "root" => rules.root = text(value, "root", &mut mistakes).unwrap_or_default(),
                _ => {}
            }
        }
        if !rules.root.is_empty() && !rules.root.starts_with('/') {
            mistakes.push(node.error("`root` is an absolute path of the host"));
        }
        (rules, mistakes)
    }

    /// The same with templates rendered. The first mistake is given.
    pub fn filled(node: &Node, render: &mut dyn FnMut(&Node) -> Result<Json, Diagnostic>) -> Result<Self, Diagnostic> {
        let (rules, mistakes) = Self::read(&fill(node, render)?);
        match mistakes.into_iter().next() {
            Some(mistake) => Err(mistake),
            None => Ok(rules),
        }
    }
}

/// The value with every template in it replaced by what it comes to.
fn fill(node: &Node, render: &mut dyn FnMut(&Node) -> Result<Json, Diagnostic>) -> Result<Node, Diagnostic> {
    let kind = match &node.kind {
        NodeKind::List(items) => {
            let items: Result<_, _> = items.iter().map(|item| fill(item, render)).collect();
            NodeKind::List(items?)
        }
        NodeKind::Map(entries) => {
            let entries: Result<_, Diagnostic> = entries
                .iter()
                .map(|(key, value)| Ok((key.clone(), fill(value, render)?)))
                .collect();
            NodeKind::Map(entries?)
        }
        NodeKind::Text(_) if node.has_template() => return Ok(of_json(&render(node)?, node)),
        NodeKind::Null | NodeKind::Bool(_) | NodeKind::Int(_) | NodeKind::Float(_) | NodeKind::Text(_) => {
            return Ok(node.clone());
        }
    };
    let span = node.span.clone();
    Ok(Node { span, kind })
}

/// What a template came to, at its place.
fn of_json(value: &Json, at: &Node) -> Node {
    let text = |text: &str| Node::text(text, &at.span);
    let kind = match value {
        Json::Null => NodeKind::Null,
        Json::Bool(yes) => NodeKind::Bool(*yes),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => NodeKind::Int(whole),
            (None, Some(float)) => NodeKind::Float(float),
            (None, None) => NodeKind::Null,
        },
        Json::String(value) => text(value).kind,
        Json::Array(items) => NodeKind::List(items.iter().map(|item| of_json(item, at)).collect()),
        Json::Object(map) => NodeKind::Map(map.iter().map(|(key, value)| (text(key), of_json(value, at))).collect()),
    };
    let span = at.span.clone();
    Node { span, kind }
}

/// The known entries of a mapping; nothing is an empty one.
fn entries<'a>(
    node: &'a Node,
    what: &str,
    known: &[&'static str],
    mistakes: &mut Vec<Diagnostic>,
) -> Vec<(&'static str, &'a Node)> {
    if node.is_null() || matches!(node.kind, NodeKind::Text(_)) && node.has_template() {
        return Vec::new();
    }
    let Some(map) = node.as_map() else {
        mistakes.push(node.error(format!("`{what}` must be a mapping, not {}", node.kind_name())));
        return Vec::new();
    };
    let mut out = Vec::new();
    for (key, value) in map {
        let name = key.as_str().unwrap_or_default();
        match known.iter().find(|known| **known == name) {
            Some(known) => out.push((*known, value)),
            None => mistakes.push(unknown_key(key, &format!("`{what}`"), known)),
        }
    }
    out
}

fn system(node: &Node, mistakes: &mut Vec<Diagnostic>) -> SystemRule {
    let mut rule = SystemRule::default();
    if node.as_map().is_none() {
        // `sda`, `not sdm`, `none`, or a list of names.
        for item in several(node.clone()) {
            let Some(word) = text(&item, "system", mistakes) else {
                continue;
            };
            match word.trim().split_once(char::is_whitespace) {
                None if word.trim() == "none" => rule.may_be_absent = true,
                None => rule.kind.names.push(name(word.trim())),
                Some(("not", word)) => rule.kind.not.push(name(word.trim())),
                Some(_) => mistakes.push(
                    item.error(format!("`{word}` is no rule for the system disk"))
                        .help("`sda`, `not sdm`, a list of such, `none`, or a mapping: {max_size: 600GB}"),
                ),
            }
        }
        return rule;
    }
    for (key, value) in entries(node, "system", SYSTEM, mistakes) {
        match key {
            "count" => rule.count = number(value, key, mistakes),
            _ => kind(&mut rule.kind, key, value, mistakes),
        }
    }
    rule
}

fn data(node: &Node, mistakes: &mut Vec<Diagnostic>) -> DataRule {
    let mut rule = DataRule::default();
    for (key, value) in entries(node, "data", DATA, mistakes) {
        match key {
            "count" => {
                rule.least = number(value, key, mistakes);
                rule.most = rule.least;
            }
            "min_count" => rule.least = number(value, key, mistakes),
            "max_count" => rule.most = number(value, key, mistakes),
            "empty" => rule.empty = flag(value, key, mistakes).unwrap_or(false),
            "empty_or_label" => rule.label = text(value, key, mistakes),
            "in_use" => rule.in_use = flag(value, key, mistakes).unwrap_or(false),
            "removable" => rule.removable = flag(value, key, mistakes).unwrap_or(false),
            "pick" => {
                for (key, value) in entries(value, "pick", PICK, mistakes) {
                    kind(&mut rule.pick, key, value, mistakes);
                }
            }
            _ => kind(&mut rule.kind, key, value, mistakes),
        }
    }
    if let (Some(least), Some(most)) = (rule.least, rule.most)
        && least > most
    {
        mistakes.push(node.error(format!(
            "at least {least} and at most {most} disks: no machine has that"
        )));
    }
    rule
}

fn kind(kind: &mut Kind, key: &str, value: &Node, mistakes: &mut Vec<Diagnostic>) {
    let names = |mistakes: &mut Vec<Diagnostic>| -> Vec<String> {
        let items = several(value.clone());
        items
            .iter()
            .filter_map(|item| text(item, key, mistakes))
            .map(|word| name(&word))
            .collect()
    };
    match key {
        "name" => kind.names = names(mistakes),
        "not" => kind.not = names(mistakes),
        "min_size" => kind.min_size = size(value, key, mistakes),
        "max_size" => kind.max_size = size(value, key, mistakes),
        "rotational" => kind.rotational = flag(value, key, mistakes),
        "model" => kind.model = text(value, key, mistakes),
        _ => {}
    }
}

/// Disks are named without their folder.
fn name(text: &str) -> String {
    text.trim().trim_start_matches("/dev/").to_owned()
}

fn is_open(node: &Node) -> bool {
    matches!(node.kind, NodeKind::Text(_)) && node.has_template()
}

fn text(node: &Node, key: &str, mistakes: &mut Vec<Diagnostic>) -> Option<String> {
    if is_open(node) {
        return None;
    }
    let text = node.scalar_text().filter(|text| !text.trim().is_empty());
    if text.is_none() {
        mistakes.push(node.error(format!("`{key}` must be text, not {}", node.kind_name())));
    }
    text
}

fn flag(node: &Node, key: &str, mistakes: &mut Vec<Diagnostic>) -> Option<bool> {
    if is_open(node) {
        return None;
    }
    let flag = boolean(node);
    if flag.is_none() {
        mistakes.push(one_of(node, key, &["true", "false"]));
    }
    flag
}

fn number(node: &Node, key: &str, mistakes: &mut Vec<Diagnostic>) -> Option<usize> {
    if is_open(node) {
        return None;
    }
    let number = node.scalar_text().and_then(|text| text.trim().parse().ok());
    if number.is_none() {
        mistakes.push(node.error(format!("`{key}` must be a whole number, not {}", written(node))));
    }
    number
}

fn size(node: &Node, key: &str, mistakes: &mut Vec<Diagnostic>) -> Option<u64> {
    if is_open(node) {
        return None;
    }
    match parse_size(&node.scalar_text().unwrap_or_default()) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            mistakes.push(node.error(format!("`{key}`: {error}")));
            None
        }
    }
}

/// A value as the user wrote it, or what it is.
pub(super) fn written(node: &Node) -> String {
    node.scalar_text()
        .map_or_else(|| node.kind_name().to_owned(), |text| format!("`{text}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::parse_text;

    fn read(text: &str) -> Result<DiskRules, Vec<String>> {
        let (rules, mistakes) = DiskRules::read(&parse_text("t.yml", text).unwrap());
        if mistakes.is_empty() {
            return Ok(rules);
        }
        Err(mistakes.iter().map(|mistake| mistake.message.clone()).collect())
    }

    #[test]
    fn the_rules_of_the_manual_are_read() {
        let rules = read("{system: not sdm, data: {count: 12, empty: true, min_size: 4TB}}").unwrap();
        assert_eq!(rules.system.kind.not, ["sdm"]);
        let data = rules.data.unwrap();
        assert_eq!((data.least, data.most, data.empty), (Some(12), Some(12), true));
        assert_eq!(data.kind.min_size, Some(4_000_000_000_000));
        assert_eq!(
            read("{system: [sda, /dev/nvme0n1]}").unwrap().system.kind.names,
            ["sda", "nvme0n1"]
        );
        assert!(read("{system: none}").unwrap().system.may_be_absent);
        let rules = read("{system: {max_size: 600GB, count: 2}, data: {pick: {rotational: yes}, in_use: no}}").unwrap();
        assert_eq!(
            (rules.system.count, rules.system.kind.max_size),
            (Some(2), Some(600_000_000_000))
        );
        assert_eq!(rules.data.unwrap().pick.rotational, Some(true));
        assert_eq!(read(""), Ok(DiskRules::default()));
    }

    #[test]
    fn wrong_rules_are_mistakes_all_at_once() {
        let mistakes =
            read("{systm: sda, system: maybe sdm, data: {cuont: 12, empty: perhaps, min_size: 4T}}").unwrap_err();
        assert_eq!(mistakes.len(), 5, "{mistakes:?}");
        assert_eq!(mistakes[0], "unknown key `systm` in `disks`");
        assert!(read("[sda]").is_err());
        assert!(read("{data: {min_count: 3, max_count: 2}}").is_err());
        assert!(read("{root: host}").is_err());
    }

    #[test]
    fn templates_are_read_when_they_are_filled_in() {
        let node = parse_text("t.yml", "{data: {count: '{{ n }}', min_size: '{{ size }}'}}").unwrap();
        assert!(DiskRules::read(&node).1.is_empty());
        let mut values = vec![Json::from("nothing"), Json::from(12)];
        let mut render = |_: &Node| Ok(values.pop().unwrap_or_default());
        let mistake = DiskRules::filled(&node, &mut render).unwrap_err();
        assert!(mistake.message.contains("`nothing` is no size"), "{mistake}");
        let mut render = |_: &Node| Ok(Json::from(12));
        let rules = DiskRules::filled(&node, &mut render).unwrap();
        assert_eq!(rules.data.unwrap().least, Some(12));
    }
}
