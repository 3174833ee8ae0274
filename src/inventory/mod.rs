//! The hosts: which there are, in which groups, with which variables. Sources of every kind become one [`Inventory`];
//! patterns select from it. Nothing here contacts a host.
//!
//! `read/` knows the formats, `build.rs` what they all say in the end, `graph.rs` who is in which group, `layers.rs`
//! and `vars_dir.rs` whose variables win, `pattern.rs` and `limit.rs` who is meant, `change.rs` what a run may add.

mod build;
mod change;
mod entry;
mod graph;
mod layers;
mod limit;
mod name;
mod pattern;
mod range;
mod read;
pub mod show;
mod vars_dir;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use indexmap::IndexMap;

use crate::deadline::CancelToken;
use crate::names::HostName;
use crate::source::{Diagnostic, Diagnostics, SourceFile, Span};
use crate::vars::VarMap;

pub use limit::Limit;
pub use name::{check_group_name, check_name};
pub use pattern::Selection;
pub use pattern::matches_glob;
pub use range::expand as expand_range;

/// Names that mean this machine when no source tells them.
pub const LOCALHOST: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// All hosts and groups, in file order.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// The hosts by name.
    pub hosts: IndexMap<HostName, Host>,
    /// The groups by name; `all` and `ungrouped` are always there.
    pub groups: IndexMap<String, Group>,
    /// What was odd but could be read.
    pub warnings: Vec<Diagnostic>,
    /// Folders that `group_vars` and `host_vars` are looked for in, in the order of the sources.
    folders: Vec<PathBuf>,
    cache: layers::Cache,
    decrypt: Option<Decrypt>,
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
#[derive(Clone, Debug)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Variables that stand with the group itself.
    pub vars: VarMap,
    /// Groups in it.
    pub children: Vec<String>,
    /// Groups it is in.
    pub parents: Vec<String>,
    /// Hosts put into it directly.
    pub hosts: Vec<HostName>,
    /// `ansible_group_priority`: among groups of the same depth the higher one wins.
    pub priority: i64,
    /// How far below `all` it is, by the longest way: the deeper group wins.
    pub depth: u32,
}

impl Default for Group {
    fn default() -> Self {
        Self {
            name: String::new(),
            vars: VarMap::new(),
            children: Vec::new(),
            parents: Vec::new(),
            hosts: Vec::new(),
            priority: 1,
            depth: 0,
        }
    }
}

/// Plain text of an encrypted one, or why not.
type Open = dyn Fn(&Path, &str) -> Result<String, String> + Send + Sync;

/// Makes plain text of a file that `ansible-vault` encrypted. The error says why not.
#[derive(Clone)]
pub struct Decrypt(pub Arc<Open>);

impl std::fmt::Debug for Decrypt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Decrypt")
    }
}

/// How sources are read.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// Executables may be run as inventory scripts, each within this many seconds. 0: a minute.
    pub script_timeout_seconds: u64,
    /// Ends a script that runs.
    pub cancel: CancelToken,
    /// Opens `group_vars` and `host_vars` files that are encrypted whole. `None`: they are a mistake.
    pub decrypt: Option<Decrypt>,
}

impl Inventory {
    /// Reads the sources of `-i`, in order: files, directories, executables, `host1,host2,` lists. No source at all is
    /// an inventory with nothing but the implicit `localhost`; sources without any host are a mistake.
    pub fn load(sources: &[String], options: &LoadOptions) -> Result<Self, Diagnostics> {
        let inventory = read::sources(sources, options)?;
        inventory.check_vars_files(None)?;
        Ok(inventory)
    }

    /// Reads text as if it were a file of that name: INI, a plain list, YAML, CSV or JSON.
    pub fn from_text(path: impl Into<PathBuf>, text: &str) -> Result<Self, Diagnostics> {
        let file = SourceFile::from_bytes(&path.into(), text.as_bytes().to_vec())?;
        read::text(&file)
    }

    /// Where the host was told first: the magic variable `inventory_file`.
    pub fn source_of(&self, host: &HostName) -> Option<PathBuf> {
        self.hosts.get(host)?.at.as_ref().map(|span| span.file.path.clone())
    }

    /// The folder of that file: the magic variable `inventory_dir`.
    pub fn dir_of(&self, host: &HostName) -> Option<PathBuf> {
        let source = self.source_of(host)?;
        let dir = source.parent().filter(|dir| !dir.as_os_str().is_empty());
        Some(dir.unwrap_or(Path::new(".")).to_owned())
    }

    /// True for a name that means this machine and is not told by any source.
    pub fn is_implicit(&self, host: &HostName) -> bool {
        LOCALHOST.contains(&host.as_str()) && !self.hosts.contains_key(host)
    }
}
