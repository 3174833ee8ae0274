//! What the readers fill: hosts, groups, variables, and every mistake on the way.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indexmap::IndexMap;

use super::entry::{self, parse_port};
use super::{Group, Host, Inventory, check_group_name, check_name, graph};
use crate::names::HostName;
use crate::source::{Diagnostic, Diagnostics, Span, nearest};
use crate::vars::{Var, reveal, templar};
use crate::yaml::{Kind, Node};

/// Most hosts of an inventory.
const MOST_HOSTS: usize = 2_000_000;
/// After so many mistakes reading stops.
const MOST_ERRORS: usize = 100;
/// Where a host is reached. One file that tells two of them for one host means two hosts.
const ADDRESS: [&str; 4] = ["ansible_host", "ansible_ssh_host", "ansible_port", "ansible_ssh_port"];

/// Variables that say how to connect, behind `ansible_`.
const CONNECTING: [&str; 30] = [
    "host",
    "port",
    "user",
    "password",
    "connection",
    "timeout",
    "ssh_host",
    "ssh_port",
    "ssh_user",
    "ssh_pass",
    "ssh_password",
    "ssh_private_key_file",
    "private_key_file",
    "ssh_common_args",
    "ssh_extra_args",
    "ssh_args",
    "ssh_timeout",
    "ssh_retries",
    "ssh_host_key_checking",
    "host_key_checking",
    "become",
    "become_user",
    "become_method",
    "become_password",
    "become_pass",
    "become_exe",
    "become_flags",
    "shell_type",
    "python_interpreter",
    "group_priority",
];

/// An inventory while it is read. Groups and hosts are named by their number.
#[derive(Debug)]
pub(super) struct Builder {
    hosts: IndexMap<HostName, Host>,
    groups: IndexMap<String, Group>,
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
    sources: Vec<(PathBuf, String)>,
    folders: Vec<PathBuf>,
    edges: HashMap<(usize, usize), Span>,
    /// Addresses that the source being read told so far.
    addresses: HashMap<(usize, usize), (String, Span)>,
    /// Names of variables for connecting that were looked at for slips of the pen.
    looked_at: HashSet<String>,
    /// There are too many hosts.
    overflow: bool,
}

impl Builder {
    pub(super) fn new() -> Self {
        let mut groups = IndexMap::new();
        for name in ["all", "ungrouped"] {
            let group = Group {
                name: name.to_owned(),
                ..Group::default()
            };
            groups.insert(name.to_owned(), group);
        }
        let mut builder = Self {
            hosts: IndexMap::new(),
            groups,
            errors: Vec::new(),
            warnings: Vec::new(),
            sources: Vec::new(),
            folders: Vec::new(),
            edges: HashMap::new(),
            addresses: HashMap::new(),
            looked_at: HashSet::new(),
            overflow: false,
        };
        graph::link(&mut builder.groups, 0, 1);
        builder
    }

    /// A new source begins: what it says about an address may differ from what the last one said.
    pub(super) fn begin_source(&mut self) {
        self.addresses.clear();
    }

    /// A source was read.
    pub(super) fn has_read(&mut self, path: &Path, sha256: String) {
        self.sources.push((path.to_owned(), sha256));
    }

    /// A folder to look for `group_vars` and `host_vars` in.
    pub(super) fn folder(&mut self, folder: &Path) {
        let folder = if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        };
        if !self.folders.iter().any(|known| known == folder) {
            self.folders.push(folder.to_owned());
        }
    }

    pub(super) fn error(&mut self, error: Diagnostic) {
        self.errors.push(error);
    }

    pub(super) fn warn(&mut self, warning: Diagnostic) {
        self.warnings.push(warning);
    }

    /// True when there is no point in reading on.
    pub(super) fn is_full(&self) -> bool {
        self.overflow || self.errors.len() >= MOST_ERRORS
    }

    pub(super) fn host_count(&self) -> usize {
        self.hosts.len()
    }

    pub(super) fn known_host(&self, name: &str) -> Option<usize> {
        self.hosts.get_index_of(name)
    }

    pub(super) fn host_name(&self, host: usize) -> Option<HostName> {
        self.hosts.get_index(host).map(|(name, _)| name.clone())
    }

    /// Groups besides `all` and `ungrouped`.
    pub(super) fn group_count(&self) -> usize {
        self.groups.len().saturating_sub(2)
    }

    pub(super) fn known_group(&self, name: &str) -> Option<usize> {
        self.groups.get_index_of(name)
    }

    pub(super) fn group_names(&self) -> impl Iterator<Item = &str> {
        self.groups.keys().map(String::as_str)
    }

    /// The group of that name, made when there is none. `None`: the name is bad, which is noted.
    pub(super) fn group(&mut self, name: &str, at: &Span) -> Option<usize> {
        if let Some(known) = self.groups.get_index_of(name) {
            return Some(known);
        }
        if let Err(why) = check_group_name(name) {
            self.error(Diagnostic::new(why).at(at.clone()));
            return None;
        }
        let group = Group {
            name: name.to_owned(),
            ..Group::default()
        };
        Some(self.groups.insert_full(name.to_owned(), group).0)
    }

    /// The host of that name, made when there is none. `None`: the name is bad, which is noted.
    pub(super) fn host(&mut self, name: &str, at: &Span) -> Option<usize> {
        if let Some(known) = self.hosts.get_index_of(name) {
            return Some(known);
        }
        if let Err(why) = check_name(name) {
            self.error(Diagnostic::new(why).at(at.clone()));
            return None;
        }
        if self.hosts.len() >= MOST_HOSTS {
            if !self.overflow {
                self.overflow = true;
                self.error(Diagnostic::new(format!("more than {MOST_HOSTS} hosts")).at(at.clone()));
            }
            return None;
        }
        let name = HostName::new(name);
        let host = Host {
            name: name.clone(),
            vars: IndexMap::new(),
            groups: Vec::new(),
            at: Some(at.clone()),
        };
        Some(self.hosts.insert_full(name, host).0)
    }

    /// The hosts of an entry (`user@web[1:3]:22`), with what it says about them.
    pub(super) fn entry(&mut self, text: &str, at: &Span) -> Vec<usize> {
        let entry = match entry::parse(text) {
            Ok(entry) => entry,
            Err(why) => {
                self.error(Diagnostic::new(why).at(at.clone()));
                return Vec::new();
            }
        };
        let mut hosts = Vec::with_capacity(entry.names.len());
        for name in &entry.names {
            let Some(host) = self.host(name, at) else {
                // The other names of the range are bad for the same reason.
                break;
            };
            hosts.push(host);
        }
        if let Some(user) = entry.user {
            let user = Var::Source(Arc::new(Node::text(user, at)));
            self.set_hosts(&hosts, "ansible_user", &user, at);
        }
        if let Some(port) = entry.port {
            let port = Var::Source(Arc::new(Node {
                span: at.clone(),
                kind: Kind::Int(i64::from(port)),
            }));
            self.set_hosts(&hosts, "ansible_port", &port, at);
        }
        hosts
    }

    /// Puts a host into a group.
    pub(super) fn put(&mut self, host: usize, group: usize) {
        graph::put(&mut self.hosts, &mut self.groups, host, group);
    }

    /// Puts a group into a group.
    pub(super) fn nest(&mut self, parent: usize, child: usize, at: &Span) {
        if child == 0 {
            let error = Diagnostic::new("the group `all` holds every group, so it cannot be in one (a cycle)");
            self.error(error.at(at.clone()));
            return;
        }
        if parent == child {
            let name = self.groups.get_index(parent).map_or("", |(name, _)| name);
            let error = Diagnostic::new(format!("a cycle: the group `{name}` is its own child"));
            self.error(error.at(at.clone()));
            return;
        }
        self.edges.entry((parent, child)).or_insert_with(|| at.clone());
        graph::link(&mut self.groups, parent, child);
    }

    /// Sets a variable of hosts.
    pub(super) fn set_hosts(&mut self, hosts: &[usize], key: &str, value: &Var, at: &Span) {
        if let Err(error) = check_variable(key, value, at) {
            self.error(error);
            return;
        }
        self.look_at_name(key, at);
        let address = ADDRESS.iter().position(|name| *name == key);
        for &host in hosts {
            if let Some(address) = address
                && let Some(shown) = literal_text(value)
                && let Err(error) = self.check_address(host, address, &shown, at)
            {
                self.error(error);
                return;
            }
            if let Some((_, host)) = self.hosts.get_index_mut(host) {
                host.vars.insert(key.to_owned(), value.clone());
            }
        }
    }

    /// `ansible_hots` would be passed over, and the host be looked for under its name.
    fn look_at_name(&mut self, key: &str, at: &Span) {
        let Some(rest) = key.strip_prefix("ansible_") else {
            return;
        };
        if CONNECTING.contains(&rest) || self.looked_at.contains(key) {
            return;
        }
        self.looked_at.insert(key.to_owned());
        // What is written together (`users`, `host2`) may be meant so.
        if let Some(near) = nearest(rest, CONNECTING).filter(|near| !rest.starts_with(near)) {
            let warning = Diagnostic::new(format!("the variable `{key}` has no meaning of its own"));
            self.warn(warning.at(at.clone()).help(format!("did you mean `ansible_{near}`?")));
        }
    }

    /// One name with two addresses in one source is two hosts, of which one would never be reached.
    fn check_address(&mut self, host: usize, address: usize, shown: &str, at: &Span) -> Result<(), Diagnostic> {
        let known = self
            .addresses
            .entry((host, address))
            .or_insert_with(|| (shown.to_owned(), at.clone()));
        if known.0 == shown {
            return Ok(());
        }
        let name = self.hosts.get_index(host).map_or("", |(name, _)| name.as_str());
        let key = ADDRESS.get(address).unwrap_or(&"");
        Err(Diagnostic::new(format!(
            "the host `{name}` has {key} `{shown}` here and `{}` in line {}",
            known.0, known.1.line
        ))
        .at(at.clone())
        .help("give each its own name: `web1 ansible_host=192.0.2.1 ansible_port=2201`"))
    }

    /// Sets a variable of a group.
    pub(super) fn set_group(&mut self, group: usize, key: &str, value: Var, at: &Span) {
        if let Err(error) = check_variable(key, &value, at) {
            self.error(error);
            return;
        }
        self.look_at_name(key, at);
        let priority = (key == "ansible_group_priority").then(|| literal_text(&value).and_then(|t| t.parse().ok()));
        match (priority, self.groups.get_index_mut(group)) {
            (Some(Some(number)), Some((_, group))) => group.priority = number,
            (Some(None), _) => {
                let error = Diagnostic::new("ansible_group_priority must be a whole number");
                self.error(error.at(at.clone()));
            }
            (None, Some((_, group))) => {
                group.vars.insert(key.to_owned(), value);
            }
            (_, None) => {}
        }
    }

    /// Everything read becomes an inventory, unless there were mistakes.
    pub(super) fn finish(mut self, options: &super::LoadOptions) -> Result<Inventory, Diagnostics> {
        self.find_cycle();
        if !self.errors.is_empty() {
            return Err(Diagnostics(self.errors));
        }
        for name in self.groups.keys() {
            if let Some(host) = self.hosts.get(name.as_str()) {
                let mut warning = Diagnostic::new(format!("`{name}` is the name of a group and of a host"));
                warning.at.clone_from(&host.at);
                self.warnings.push(warning);
            }
        }
        let of_hosts = self.hosts.values().map(|host| &host.vars);
        for vars in of_hosts.chain(self.groups.values().map(|group| &group.vars)) {
            reveal(vars, options.vault.revealed());
        }
        let mut inventory = Inventory {
            hosts: self.hosts,
            groups: self.groups,
            warnings: self.warnings,
            sources: self.sources,
            folders: self.folders,
            vault: options.vault.clone(),
            ..Inventory::default()
        };
        inventory.settle();
        Ok(inventory)
    }

    fn find_cycle(&mut self) {
        if let Some(cycle) = graph::cycle(&self.groups) {
            let names: Vec<&str> = cycle
                .iter()
                .filter_map(|group| self.groups.get_index(*group))
                .map(|(name, _)| name.as_str())
                .collect();
            let mut error = Diagnostic::new(format!("the groups are in a cycle: {}", names.join(" > ")))
                .help("remove one of them from the children of the other");
            let mut edges = cycle.windows(2).rev().filter_map(|pair| match pair {
                [parent, child] => self.edges.get(&(*parent, *child)),
                _ => None,
            });
            error.at = edges.next().cloned();
            self.errors.push(error);
        }
    }
}

/// Ports and names of variables are checked when they are read, as far as they hold no template.
pub(super) fn check_variable(key: &str, value: &Var, at: &Span) -> Result<(), Diagnostic> {
    if key.is_empty() || key.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(Diagnostic::new(format!("`{key}` is not a name for a variable")).at(at.clone()));
    }
    if key.len() > 1000 {
        return Err(Diagnostic::new("the name of a variable is longer than 1000 bytes").at(at.clone()));
    }
    let wrong = |why: String| Err(Diagnostic::new(format!("{key}: {why}")).at(at.clone()));
    match key {
        // A template is checked when it is rendered.
        "ansible_port" | "ansible_ssh_port" => match literal_text(value) {
            Some(text) => parse_port(&text).map(|_| ()).or_else(wrong),
            None if is_literal(value) => wrong("a port is a number from 1 to 65535".to_owned()),
            None => Ok(()),
        },
        "ansible_host" | "ansible_ssh_host" => match literal_text(value) {
            Some(text) if text.is_empty() => wrong("an address is missing".to_owned()),
            Some(text) if text.chars().any(|c| c.is_control() || c.is_whitespace()) => {
                wrong("an address holds no blanks and no control characters".to_owned())
            }
            None if is_literal(value) => wrong("an address must be text".to_owned()),
            Some(_) if is_endless(value) => wrong("an address must be text".to_owned()),
            Some(_) | None => Ok(()),
        },
        _ => Ok(()),
    }
}

/// A scalar that holds no template, as text.
pub(super) fn literal_text(value: &Var) -> Option<String> {
    match value {
        Var::Source(node) if !node.has_template() => node.scalar_text(),
        Var::Source(_) => None,
        Var::Data(value) => match templar::to_json(value) {
            serde_json::Value::String(text) => Some(text),
            serde_json::Value::Number(number) => Some(number.to_string()),
            _ => None,
        },
    }
}

/// A number that JSON cannot write: shown, it would be nothing.
fn is_endless(value: &Var) -> bool {
    matches!(value, Var::Source(node) if matches!(node.kind, Kind::Float(n) if !n.is_finite()))
}

fn is_literal(value: &Var) -> bool {
    match value {
        Var::Source(node) => !node.has_template(),
        Var::Data(_) => true,
    }
}
