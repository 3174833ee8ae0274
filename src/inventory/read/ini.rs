//! Plain lists and INI inventories. A plain list is an INI inventory without sections.

use std::sync::Arc;

use indexmap::IndexMap;

use super::super::build::Builder;
use super::super::name::short;
use super::literal;
use super::words;
use crate::source::{Diagnostic, SourceFile, Span, nearest};
use crate::vars::Var;

/// Longest line, in bytes.
const LONGEST: usize = 1024 * 1024;

/// What the lines of a section are.
#[derive(Clone, Copy)]
enum Section {
    Hosts(usize),
    Children(usize),
    Vars(usize),
    /// The header was wrong: its lines are passed over.
    Broken,
}

struct Reader<'a> {
    file: &'a Arc<SourceFile>,
    builder: &'a mut Builder,
    section: Section,
    /// Groups that were named as a child or given variables, but not declared yet, in the order they were met.
    pending: IndexMap<String, Pending>,
}

#[derive(Default)]
struct Pending {
    /// Where variables were given.
    vars: Option<Span>,
    /// Groups that name it as a child.
    parents: Vec<(usize, Span)>,
}

/// Reads a plain list or an INI inventory.
pub(super) fn read(file: &Arc<SourceFile>, builder: &mut Builder) {
    let mut reader = Reader {
        file,
        builder,
        section: Section::Hosts(1),
        pending: IndexMap::new(),
    };
    for (number, line) in (1_u32..).zip(file.text.lines()) {
        reader.line(number, line);
        if reader.builder.is_full() {
            return;
        }
    }
    reader.finish();
}

impl Reader<'_> {
    fn line(&mut self, number: u32, raw: &str) {
        let line = raw.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            return;
        }
        let indent = raw.chars().take_while(|c| c.is_whitespace()).count() + 1;
        let at = Span::new(self.file, number, u32::try_from(indent).unwrap_or(u32::MAX));
        if line.len() > LONGEST {
            let message = format!("a line of {} bytes; {LONGEST} is the most", line.len());
            return self.builder.error(Diagnostic::new(message).at(at));
        }
        if line.starts_with('[') && is_header(line) {
            self.section = self.header(line, &at);
            return;
        }
        match self.section {
            Section::Hosts(group) => self.host_line(group, line, &at),
            Section::Children(parent) => self.child_line(parent, line, &at),
            Section::Vars(group) => self.vars_line(group, line, &at),
            Section::Broken => {}
        }
    }

    fn header(&mut self, line: &str, at: &Span) -> Section {
        let Some((inside, tail)) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) else {
            let error = Diagnostic::new(format!("the section `{}` is not closed with `]`", short(line)));
            self.builder.error(error.at(at.clone()));
            return Section::Broken;
        };
        let tail = tail.trim();
        if !tail.is_empty() && !tail.starts_with(['#', ';']) {
            let error = Diagnostic::new(format!("`{}` stands behind a section header", short(tail)));
            self.builder.error(error.at(at.clone()));
            return Section::Broken;
        }
        let (name, kind) = match inside.split_once(':') {
            Some((name, kind)) => (name, kind),
            None => (inside, "hosts"),
        };
        if name.is_empty() || inside.contains(char::is_whitespace) {
            let error = Diagnostic::new(format!("`[{}]` is not a section", short(inside)))
                .help("write `[group]`, `[group:children]` or `[group:vars]`, without blanks");
            self.builder.error(error.at(at.clone()));
            return Section::Broken;
        }
        if !matches!(kind, "hosts" | "children" | "vars") {
            let help = nearest(kind, ["children", "vars", "hosts"]).map_or_else(
                || "a section is `[group]`, `[group:children]` or `[group:vars]`".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            let error = Diagnostic::new(format!(
                "unknown kind of section `{}` in `[{}]`",
                short(kind),
                short(inside)
            ));
            self.builder.error(error.at(at.clone()).help(help));
            return Section::Broken;
        }
        let known = self.builder.known_group(name).is_some();
        let Some(group) = self.builder.group(name, at) else {
            return Section::Broken;
        };
        if kind == "vars" {
            if !known {
                let pending = self.pending.entry(name.to_owned()).or_default();
                pending.vars.get_or_insert_with(|| at.clone());
            }
            return Section::Vars(group);
        }
        if let Some(pending) = self.pending.shift_remove(name) {
            for (parent, at) in pending.parents {
                self.builder.nest(parent, group, &at);
            }
        }
        if kind == "children" {
            Section::Children(group)
        } else {
            Section::Hosts(group)
        }
    }

    fn host_line(&mut self, group: usize, line: &str, at: &Span) {
        let words = match words::split(line) {
            Ok(words) => words,
            Err(why) => return self.builder.error(Diagnostic::new(why).at(at.clone())),
        };
        let Some((entry, values)) = words.split_first() else {
            return;
        };
        let hosts = self.builder.entry(entry, at);
        for &host in &hosts {
            self.builder.put(host, group);
        }
        for word in values {
            let Some((key, value)) = word.split_once('=') else {
                let error = Diagnostic::new(format!("`{}` is not a variable: `name=value` is expected", short(word)));
                self.builder.error(
                    error
                        .at(at.clone())
                        .help("one host a line; quote a value that holds blanks"),
                );
                return;
            };
            let value = Var::Source(Arc::new(literal::value(value, at)));
            self.builder.set_hosts(&hosts, key, &value, at);
        }
    }

    fn child_line(&mut self, parent: usize, line: &str, at: &Span) {
        let name = line.split('#').next().unwrap_or(line).trim();
        if name.is_empty() || name.contains(char::is_whitespace) || name.contains(['=', '[', ']']) {
            let error = Diagnostic::new(format!("`{}` is not the name of a group", short(line)));
            return self.builder.error(error.at(at.clone()).help("one group a line"));
        }
        if let Some(child) = self.builder.known_group(name) {
            // Also when it has variables only so far: whether it is declared is looked at in the end.
            self.builder.nest(parent, child, at);
        } else {
            let pending = self.pending.entry(name.to_owned()).or_default();
            pending.parents.push((parent, at.clone()));
        }
    }

    fn vars_line(&mut self, group: usize, line: &str, at: &Span) {
        let Some((key, value)) = line.split_once('=') else {
            let error = Diagnostic::new(format!("`{}` is not a variable: `name=value` is expected", short(line)));
            return self.builder.error(error.at(at.clone()));
        };
        let value = Var::Source(Arc::new(literal::value(value.trim(), at)));
        self.builder.set_group(group, key.trim(), value, at);
    }

    /// What was named and never declared is a mistake.
    fn finish(self) {
        for (name, pending) in &self.pending {
            let near = {
                let known = self.builder.group_names().filter(|known| known != name);
                nearest(name, known).map(|near| format!("did you mean `{near}`?"))
            };
            let mut errors = Vec::new();
            if let Some(at) = &pending.vars {
                errors.push(Diagnostic::new(format!("`[{name}:vars]`: there is no group `{name}`")).at(at.clone()));
            }
            for (_, at) in &pending.parents {
                errors.push(Diagnostic::new(format!("there is no group `{name}`")).at(at.clone()));
            }
            for mut error in errors {
                error.help = near.clone().or_else(|| Some(format!("declare it: `[{name}]`")));
                self.builder.error(error);
            }
        }
    }
}

/// False for host lines that begin with a bracket: `[2001:db8::1]:22`, `[a:c]web`.
fn is_header(line: &str) -> bool {
    let Some((inside, tail)) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) else {
        return true;
    };
    let address = super::super::name::is_ipv6(inside);
    let word = tail
        .chars()
        .next()
        .is_some_and(|c| !c.is_whitespace() && c != '#' && c != ';' && c != ']');
    !(address || word && inside.contains(':') || tail.starts_with(':'))
}

#[cfg(test)]
mod tests {
    use super::super::super::Inventory;
    use crate::source::Diagnostics;
    use crate::vars::Var;
    use crate::yaml::Kind;
    use proptest::prelude::*;

    fn read(text: &str) -> Inventory {
        Inventory::from_text("hosts", text).unwrap_or_else(|errors| panic!("{errors}"))
    }

    fn error(text: &str) -> String {
        let errors: Diagnostics = Inventory::from_text("hosts", text).unwrap_err();
        errors.to_string()
    }

    fn hosts(inventory: &Inventory, group: &str) -> String {
        inventory
            .members(group)
            .iter()
            .map(|h| h.as_str().to_owned())
            .collect::<Vec<_>>()
            .join(" ")
    }

    fn var(inventory: &Inventory, host: &str, name: &str) -> String {
        match inventory.hosts.get(host).and_then(|host| host.vars.get(name)) {
            Some(Var::Source(node)) => match &node.kind {
                Kind::Text(text) => format!("'{}'", text.value),
                Kind::List(items) => format!("list of {}", items.len()),
                Kind::Map(entries) => format!("map of {}", entries.len()),
                Kind::Null => "None".into(),
                Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) => node.scalar_text().unwrap(),
            },
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn a_plain_list_needs_nothing_but_names() {
        let inventory =
            read("# hosts\r\nweb1\r\n\r\n; more\r\nroot@web2:2222\r\n[2001:db8::1]:22\r\nweb3  # timed out\n");
        assert_eq!(hosts(&inventory, "all"), "web1 web2 2001:db8::1 web3");
        assert_eq!(hosts(&inventory, "ungrouped"), "web1 web2 2001:db8::1 web3");
        assert_eq!(var(&inventory, "web2", "ansible_user"), "'root'");
        assert_eq!(var(&inventory, "web2", "ansible_port"), "2222");
        assert_eq!(var(&inventory, "2001:db8::1", "ansible_port"), "22");
        assert_eq!(inventory.hosts.get("web3").unwrap().at.as_ref().unwrap().line, 7);
    }

    #[test]
    fn groups_children_and_variables_are_read() {
        let inventory = read(
            "lone\n[web]\nweb[1:2] port=80 name='a b' list=\"[1, 2]\" t={{x}}\n[db] # c\ndb1\nweb1\n[site:children]\nweb\ndb\n\
             [site:vars]\nx = 1\nwords = some text # here\n[all:vars]\ny=yes\n",
        );
        assert_eq!(hosts(&inventory, "all"), "lone web1 web2 db1");
        assert_eq!(hosts(&inventory, "site"), "web1 web2 db1");
        assert_eq!(var(&inventory, "web2", "port"), "80");
        assert_eq!(var(&inventory, "web2", "name"), "'a b'");
        assert_eq!(var(&inventory, "web2", "list"), "list of 2");
        assert_eq!(var(&inventory, "web2", "t"), "'{{x}}'");
        let site = inventory.groups.get("site").unwrap();
        assert_eq!(site.vars.len(), 2);
        assert_eq!(site.depth, 1);
        assert_eq!(inventory.groups.get("web").unwrap().depth, 2);
        assert_eq!(inventory.group_names(&"web1".into()), ["db", "site", "web"]);
        assert_eq!(inventory.group_names(&"lone".into()), ["ungrouped"]);
    }

    #[test]
    fn a_host_of_a_group_leaves_ungrouped() {
        let inventory = read("a\nb\n[g]\na\n");
        assert_eq!(hosts(&inventory, "ungrouped"), "b");
        assert_eq!(hosts(&inventory, "all"), "b a");
    }

    #[test]
    fn mistakes_have_a_line_and_a_reason() {
        for (text, line, words) in [
            (
                "a ansible_host=h1\nb\na ansible_host=h2\n",
                "hosts:3",
                "`a` has ansible_host `h2`",
            ),
            ("h:22\nh:23\n", "hosts:2", "ansible_port `23`"),
            ("\u{1b}[31mred ansible_host=1\n", "hosts:1", "`[31mred` is not closed"),
            ("\u{1b}red\n", "hosts:1", "invisible"),
            ("[web:childs]\nweb1\n", "hosts:1", "childs"),
            (
                "[a:children]\nb\n[b:children]\na\n[c]\nh\n",
                "hosts",
                "cycle: a > b > a",
            ),
            ("[a:children]\na\n", "hosts:2", "cycle"),
            ("[a:children]\nall\n", "hosts:2", "cycle"),
            ("[web\nweb1\n", "hosts:1", "not closed"),
            ("[a:children]\nnope\n[c]\nweb1\n", "hosts:2", "no group `nope`"),
            ("[nope:vars]\nu=1\n[web]\nweb1\n", "hosts:1", "no group `nope`"),
            ("[wbe:vars]\nu=1\n[web]\nweb1\n", "hosts:1", "did you mean `web`"),
            (
                "-oProxyCommand=id ansible_host=127.0.0.1\n",
                "hosts:1",
                "begins with `-`",
            ),
            ("../etc ansible_host=127.0.0.1\n", "hosts:1", "begins with `.`"),
            ("a\nb ansible_host=127.0.\0.2\n", "hosts:2", "NUL"),
            ("a ansible_port=-22\n", "hosts:1", "port"),
            ("a ansible_port=ssh\n", "hosts:1", "`ssh`"),
            ("a ansible_port=70000\n", "hosts:1", "70000"),
            ("a ansible_port=[1]\n", "hosts:1", "port"),
            ("a ansible_host=\n", "hosts:1", "address"),
            ("web[1:99999999999] ansible_port=1\n", "hosts:1", "more than"),
            ("web[9:1] ansible_port=1\n", "hosts:1", "[9:1]"),
            ("web[1:9 ansible_port=1\n", "hosts:1", "not closed"),
            ("a ansible_user=\"bob\n", "hosts:1", "not closed"),
            ("a b c\n", "hosts:1", "`b` is not a variable"),
            ("[g:vars]\nx\n[g]\n", "hosts:2", "`x` is not a variable"),
            ("[g:children]\na b\n", "hosts:2", "not the name of a group"),
            ("[g] x\na\n", "hosts:1", "behind a section"),
            ("[a b]\na\n", "hosts:1", "without blanks"),
            ("[g:vars]\nansible_group_priority=x\n[g]\n", "hosts:2", "whole number"),
        ] {
            let shown = error(text);
            assert!(shown.contains(line) && shown.contains(words), "{text}: {shown}");
        }
    }

    #[test]
    fn all_mistakes_are_told_together() {
        let shown = error("a ansible_port=x\n-b\n[c:foo]\n");
        assert_eq!(shown.matches("error:").count(), 3, "{shown}");
    }

    #[test]
    fn a_very_long_line_is_refused_in_a_few_lines() {
        let text = format!("web1\n{}", "x".repeat(2_000_000));
        let shown = error(&text);
        assert!(shown.contains("hosts:2") && shown.len() < 1000, "{}", shown.len());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "([\\[\\]:a-c=#;\"'\\\\,{}@ \t0-9\n-]|all|vars|children|é){0,60}") {
            let _ = Inventory::from_text("hosts", &text);
        }
    }
}
