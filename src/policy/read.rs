//! `policy.toml`: unknown keys and wrong values are mistakes with their places, all told together.

use std::sync::Arc;

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::windows::{self, Window};
use super::{File, Forbid, Limit, Pattern, Policy, Require, Rule, Wanted};
use crate::danger::{Danger, LiteralDisks};
use crate::source::{Diagnostic, Diagnostics, SourceFile, Span, nearest};

type Value<'a> = Spanned<DeValue<'a>>;

/// Reads a file of rules.
pub fn read(file: &Arc<SourceFile>) -> Result<Policy, Diagnostics> {
    let mut reading = Reading {
        file,
        mistakes: Vec::new(),
    };
    let policy = reading.policy();
    let mut mistakes = reading.mistakes;
    mistakes.sort_by_key(|mistake| mistake.at.as_ref().map(|at| (at.line, at.column)));
    if mistakes.is_empty() {
        Ok(policy)
    } else {
        Err(Diagnostics(mistakes))
    }
}

struct Reading<'a> {
    file: &'a Arc<SourceFile>,
    mistakes: Vec<Diagnostic>,
}

/// A table of the file: its entries, and the place it begins at.
struct Table<'a> {
    entries: Vec<(&'a Spanned<std::borrow::Cow<'a, str>>, &'a Value<'a>)>,
    at: Span,
}

impl<'a> Table<'a> {
    fn get(&self, name: &str) -> Option<&'a Value<'a>> {
        self.entries
            .iter()
            .find(|(key, _)| key.get_ref() == name)
            .map(|(_, value)| *value)
    }
}

impl Reading<'_> {
    fn policy(&mut self) -> Policy {
        let digest = Sha256::digest(self.file.text.as_bytes());
        let mut policy = Policy {
            files: vec![File {
                path: self.file.path.clone(),
                digest: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
            }],
            ..Policy::default()
        };
        let text = self.file.text.clone();
        let root = match DeTable::parse(&text) {
            Ok(root) => root,
            Err(error) => {
                let message = error.message().trim().replace('\n', ", ");
                let at = self.place(error.span().map_or(0, |span| span.start));
                self.mistakes
                    .push(Diagnostic::new(format!("invalid TOML: {message}")).at(at));
                return policy;
            }
        };
        let table = self.table(root.get_ref(), 0);
        self.known(
            &table,
            "a policy",
            &["literal_disks", "forbid", "require", "limits", "windows"],
        );
        policy.literal_disks = table.get("literal_disks").and_then(|value| {
            let choices = [
                ("error", LiteralDisks::Error),
                ("warn", LiteralDisks::Warn),
                ("allow", LiteralDisks::Allow),
            ];
            self.one_of(value, "literal_disks", &choices)
        });
        for table in self.tables(&table, "forbid") {
            policy.forbid.push(self.forbid(&table));
        }
        for table in self.tables(&table, "require") {
            policy.require.extend(self.require(&table));
        }
        for table in self.tables(&table, "windows") {
            policy.windows.extend(self.window(&table));
        }
        if let Some(value) = table.get("limits") {
            let DeValue::Table(limits) = value.get_ref() else {
                self.wrong(value, "`limits` must be a table: `[limits]`");
                return policy;
            };
            let limits = self.table(limits, value.span().start);
            self.known(&limits, "`[limits]`", &["hosts", "max_dangerous_hosts"]);
            policy.hosts = limits.get("hosts").and_then(|value| self.number(value, "hosts"));
            let most = limits.get("max_dangerous_hosts");
            policy.dangerous_hosts = most.and_then(|value| self.number(value, "max_dangerous_hosts"));
        }
        policy
    }

    fn forbid(&mut self, table: &Table<'_>) -> Forbid {
        let rule = self.rule(table, "`[[forbid]]`", &["commands", "modules", "danger"]);
        let mut commands = Vec::new();
        for (text, value) in self.texts(table, "commands") {
            match Pattern::read(&text) {
                Ok(pattern) => commands.push(pattern),
                Err(message) => self.wrong(value, message),
            }
        }
        let modules = self.texts(table, "modules").into_iter();
        let modules: Vec<String> = modules
            .map(|(name, _)| name.rsplit('.').next().unwrap_or(&name).to_owned())
            .collect();
        let danger = table
            .get("danger")
            .and_then(|value| self.one_of(value, "danger", &[("disk", Danger::Disk)]));
        let says = ["commands", "modules", "danger"]
            .iter()
            .any(|key| table.get(key).is_some());
        if !says {
            let mistake = Diagnostic::new("a rule that forbids nothing").at(table.at.clone());
            self.mistakes
                .push(mistake.help("say what: `commands`, `modules` or `danger`"));
        }
        Forbid {
            rule,
            commands,
            modules,
            danger,
        }
    }

    fn require(&mut self, table: &Table<'_>) -> Option<Require> {
        let rule = self.rule(table, "`[[require]]`", &["preflight", "for"]);
        let danger = match table.get("for") {
            None => None,
            Some(value) => Some(self.one_of(value, "for", &[("danger:disk", Danger::Disk)])?),
        };
        let Some(value) = table.get("preflight") else {
            let mistake = Diagnostic::new("`[[require]]` needs `preflight`").at(table.at.clone());
            self.mistakes
                .push(mistake.help("`disks`, or the name of a pre-flight check"));
            return None;
        };
        let preflight = match self.text(value, "preflight")?.as_str() {
            "disks" => Wanted::Disks,
            name => Wanted::Named(name.to_owned()),
        };
        Some(Require {
            rule,
            preflight,
            danger,
        })
    }

    fn window(&mut self, table: &Table<'_>) -> Option<Window> {
        let rule = self.rule(table, "`[[windows]]`", &["days", "from", "to", "timezone"]);
        let mut open: Vec<Weekday> = Vec::new();
        for (text, value) in self.texts(table, "days") {
            match windows::days(&text) {
                Some(days) => open.extend(days),
                None => self.wrong(value, format!("`{text}` is no day: `mon`, `tuesday`, `mon-fri`")),
            }
        }
        if table.get("days").is_none() {
            open.extend(windows::days("mon-sun").unwrap_or_default());
        }
        let mut clock = |key: &str| {
            let Some(value) = table.get(key) else {
                let mistake = Diagnostic::new(format!("a window needs `{key}`")).at(table.at.clone());
                self.mistakes
                    .push(mistake.help("for example `from = \"20:00\"` and `to = \"06:00\"`"));
                return None;
            };
            let text = self.text(value, key)?;
            let time = windows::time(&text);
            if time.is_none() {
                self.wrong(value, format!("`{text}` is no time of the day, such as `20:00`"));
            }
            time
        };
        let (from, to) = (clock("from"), clock("to"));
        let (zone, zone_name) = match table.get("timezone") {
            None => (TimeZone::system(), "here".to_owned()),
            Some(value) => {
                let name = self.text(value, "timezone")?;
                match TimeZone::get(&name) {
                    Ok(zone) => (zone, name),
                    Err(_) => {
                        self.wrong(
                            value,
                            format!("`{name}` is no time zone that is known here, such as `Europe/Berlin` or `UTC`"),
                        );
                        return None;
                    }
                }
            }
        };
        Some(Window {
            rule,
            days: open,
            from: from?,
            to: to?,
            zone,
            zone_name,
            file: 0,
        })
    }

    /// What all rules say, and whether they say something else than `keys`.
    fn rule(&mut self, table: &Table<'_>, place: &str, keys: &[&'static str]) -> Rule {
        let all: Vec<&'static str> = keys.iter().copied().chain(["groups", "reason"]).collect();
        self.known(table, place, &all);
        let mut groups = Vec::new();
        for (text, value) in self.texts(table, "groups") {
            if text.trim().is_empty() {
                self.wrong(value, "an empty pattern of hosts");
            }
            groups.push(text);
        }
        if let Some(value) = table.get("groups").filter(|_| groups.is_empty()) {
            // An empty list could mean nobody or everybody.
            self.wrong(value, "`groups` names no host; leave it out for all of them");
        }
        Rule {
            at: table.at.clone(),
            groups,
            reason: table.get("reason").and_then(|value| self.text(value, "reason")),
        }
    }

    fn known(&mut self, table: &Table<'_>, place: &str, keys: &[&'static str]) {
        for (key, _) in &table.entries {
            let name = key.get_ref().as_ref();
            if keys.contains(&name) {
                continue;
            }
            let mistake = Diagnostic::new(format!("unknown key `{name}` in {place}")).at(self.place(key.span().start));
            self.mistakes
                .push(mistake.help(match nearest(name, keys.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("there are {}", keys.join(", ")),
                }));
        }
    }

    fn table<'a>(&self, table: &'a DeTable<'a>, at: usize) -> Table<'a> {
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        Table {
            entries,
            at: self.place(at),
        }
    }

    /// `[[name]]`.
    fn tables<'a>(&mut self, table: &Table<'a>, name: &str) -> Vec<Table<'a>> {
        let Some(value) = table.get(name) else {
            return Vec::new();
        };
        let mut out = Vec::new();
        match value.get_ref() {
            DeValue::Array(items) => {
                for item in items {
                    match item.get_ref() {
                        DeValue::Table(inner) => out.push(self.table(inner, item.span().start)),
                        _ => self.wrong(item, format!("`{name}` is a list of tables: `[[{name}]]`")),
                    }
                }
            }
            _ => self.wrong(value, format!("`{name}` is a list of tables: `[[{name}]]`")),
        }
        out
    }

    fn text(&mut self, value: &Value<'_>, key: &str) -> Option<String> {
        let text = value.get_ref().as_str().map(str::to_owned);
        if text.is_none() {
            self.wrong(value, format!("`{key}` must be text"));
        }
        text
    }

    /// A text or a list of texts, each with its place.
    fn texts<'a>(&mut self, table: &Table<'a>, key: &str) -> Vec<(String, &'a Value<'a>)> {
        let Some(value) = table.get(key) else {
            return Vec::new();
        };
        if let Some(text) = value.get_ref().as_str() {
            return vec![(text.to_owned(), value)];
        }
        let DeValue::Array(items) = value.get_ref() else {
            self.wrong(value, format!("`{key}` must be text or a list of texts"));
            return Vec::new();
        };
        let mut out = Vec::new();
        for item in items {
            match item.get_ref().as_str() {
                Some(text) => out.push((text.to_owned(), item)),
                None => self.wrong(item, format!("`{key}` must be text or a list of texts")),
            }
        }
        out
    }

    fn number(&mut self, value: &Value<'_>, key: &str) -> Option<Limit> {
        let number = match value.get_ref() {
            DeValue::Integer(number) => usize::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        if number.is_none() {
            self.wrong(value, format!("`{key}` must be a whole number, not below 0"));
        }
        Some(Limit {
            most: number?,
            at: Some(self.place(value.span().start)),
        })
    }

    fn one_of<T: Copy>(&mut self, value: &Value<'_>, key: &str, choices: &[(&'static str, T)]) -> Option<T> {
        let text = self.text(value, key)?;
        let found = choices
            .iter()
            .find(|(name, _)| *name == text)
            .map(|(_, choice)| *choice);
        if found.is_none() {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            self.wrong(
                value,
                format!("`{key}` must be one of {}, not `{text}`", names.join(", ")),
            );
        }
        found
    }

    fn wrong(&mut self, value: &Value<'_>, message: impl Into<String>) {
        let at = self.place(value.span().start);
        self.mistakes.push(Diagnostic::new(message).at(at));
    }

    fn place(&self, offset: usize) -> Span {
        Span::at_offset(self.file, offset)
    }
}
