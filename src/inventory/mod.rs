//! The hosts: which there are, in which groups, with which variables. Sources of every kind become one [`Inventory`];
//! patterns select from it. Nothing here contacts a host.

pub mod pattern;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use indexmap::IndexMap;

use crate::names::HostName;
use crate::source::{Diagnostic, Diagnostics, Span};
use crate::vars::VarMap;

/// All hosts and groups, in file order: that is the order of a run.
#[derive(Debug, Default)]
pub struct Inventory {
    /// The hosts by name.
    pub hosts: IndexMap<HostName, Host>,
    /// The groups by name; `all` and `ungrouped` are always there.
    pub groups: IndexMap<String, Group>,
    /// What was odd but could be read.
    pub warnings: Vec<Diagnostic>,
}

/// One host as the sources tell it.
#[derive(Clone, Debug)]
pub struct Host {
    /// Its name.
    pub name: HostName,
    /// Variables that stand with the host itself.
    pub vars: VarMap,
    /// Groups it was put into directly, in the order that was told.
    pub groups: Vec<String>,
    /// Where it was told first.
    pub at: Option<Span>,
}

/// One group.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Variables that stand with the group itself.
    pub vars: VarMap,
    /// Groups in it.
    pub children: Vec<String>,
    /// Hosts put into it directly.
    pub hosts: Vec<HostName>,
}

/// How sources are read.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// Executables may be run as inventory scripts, each within this many seconds.
    pub script_timeout_seconds: u64,
}

impl Inventory {
    /// Reads the sources of `-i`, in order: files, directories, executables, `host1,host2,` lists.
    pub fn load(sources: &[String], options: &LoadOptions) -> Result<Self, Diagnostics> {
        let _ = (sources, options);
        Err(Diagnostic::new("not built").into())
    }

    /// The hosts that `pattern` names, in inventory order. Groups or hosts that do not exist are warnings in `self`
    /// style: they are returned beside the hosts, each with a nearest name.
    pub fn select(&self, pattern: &str) -> Result<Selection, Diagnostic> {
        let _ = pattern;
        Err(Diagnostic::new("not built"))
    }

    /// A host's variables in Ansible's order of precedence: groups by depth and priority, `group_vars/` beside the
    /// inventory, then beside the playbook, the host's own, `host_vars/`.
    pub fn vars_of(&self, host: &HostName, playbook_dir: Option<&Path>) -> Result<Arc<VarMap>, Diagnostic> {
        let _ = (host, playbook_dir);
        Err(Diagnostic::new("not built"))
    }

    /// Names of all groups a host is in, parents included, sorted; without `all`.
    pub fn group_names(&self, host: &HostName) -> Vec<String> {
        let _ = host;
        Vec::new()
    }

    /// All groups with all hosts in each, children's included: the magic variable `groups`.
    pub fn group_members(&self) -> IndexMap<String, Vec<HostName>> {
        IndexMap::new()
    }

    /// Folder that `group_vars` of the inventory is looked for in, for messages and `inventory_dir`.
    pub fn source_of(&self, host: &HostName) -> Option<PathBuf> {
        self.hosts.get(host)?.at.as_ref().map(|span| span.file.path.clone())
    }
}

/// What a pattern selected.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// The hosts.
    pub hosts: Vec<HostName>,
    /// Parts of the pattern that matched nothing, in words.
    pub warnings: Vec<String>,
}
