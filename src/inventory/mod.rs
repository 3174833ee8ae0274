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

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use indexmap::IndexMap;

use crate::deadline::CancelToken;
use crate::names::HostName;
use crate::source::{Diagnostic, Diagnostics, SourceFile, Span};
use crate::vars::VarMap;
use crate::vault::Keyring;

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
    /// The sources that were read, each with its SHA-256; of a script that of what it said.
    sources: Vec<(PathBuf, String)>,
    /// Folders that `group_vars` and `host_vars` are looked for in, in the order of the sources.
    folders: Vec<PathBuf>,
    cache: layers::Cache,
    vault: Arc<Keyring>,
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

/// How sources are read.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// Executables may be run as inventory scripts, each within this many seconds. 0: a minute.
    pub script_timeout_seconds: u64,
    /// Ends a script that runs.
    pub cancel: CancelToken,
    /// Opens sources and files of variables that are encrypted whole.
    pub vault: Arc<Keyring>,
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

    /// Where the host was told first, as an absolute path: the magic variable `inventory_file`. For a host of a list
    /// (`-i host1,host2,`) that is the list.
    pub fn source_of(&self, host: &HostName) -> Option<PathBuf> {
        let file = &self.hosts.get(host)?.at.as_ref()?.file;
        Some(if is_list(file) {
            file.path.clone()
        } else {
            absolute(&file.path)
        })
    }

    /// The folder of that file: the magic variable `inventory_dir`. A list has none.
    pub fn dir_of(&self, host: &HostName) -> Option<PathBuf> {
        let file = &self.hosts.get(host)?.at.as_ref()?.file;
        if is_list(file) {
            return None;
        }
        absolute(&file.path).parent().map(Path::to_owned)
    }

    /// The files that told the hosts and their variables so far, each with the SHA-256 of its bytes, hexadecimal. A folder
    /// `group_vars` or `host_vars` is one entry: the SHA-256 of the lines that `sha256sum` writes about its files, sorted.
    pub fn files(&self) -> Vec<(PathBuf, String)> {
        let mut files = self.sources.clone();
        files.extend(self.vars_folders());
        files
    }

    /// True for a name that means this machine and is not told by any source.
    pub fn is_implicit(&self, host: &HostName) -> bool {
        LOCALHOST.contains(&host.as_str()) && !self.hosts.contains_key(host)
    }
}

/// A list of hosts on the command line is a file that holds its own name.
fn is_list(file: &SourceFile) -> bool {
    file.path.as_os_str() == file.text.as_str()
}

/// The path from the root, without `.` and `..`. Symbolic links stay.
fn absolute(path: &Path) -> PathBuf {
    let Ok(full) = std::path::absolute(path) else {
        return path.to_owned();
    };
    let mut clean = PathBuf::new();
    for part in full.components() {
        match part {
            Component::ParentDir => {
                clean.pop();
            }
            Component::CurDir => {}
            part => clean.push(part),
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(dir: &Path, files: &[(&str, &str)]) {
        for (name, text) in files {
            let path = dir.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
    }

    fn load(sources: &[&str]) -> Result<Inventory, String> {
        let sources: Vec<String> = sources.iter().map(|s| (*s).to_owned()).collect();
        Inventory::load(&sources, &LoadOptions::default()).map_err(|e| e.to_string())
    }

    fn names(inventory: &Inventory, group: &str) -> String {
        let names: Vec<String> = inventory.members(group).iter().map(ToString::to_string).collect();
        names.join(" ")
    }

    #[test]
    fn a_folder_of_sources_is_read_in_order_and_passes_over_what_is_none() {
        let dir = tempfile::tempdir().unwrap();
        write(
            dir.path(),
            &[
                ("inv/02-more.yml", "web:\n  hosts:\n    h2: {v: 2}\n"),
                ("inv/01-web.ini", "[web]\nh1 v=1\nh2 v=1\n"),
                ("inv/sub/x", "h3\n"),
                ("inv/old.bak", "[broken"),
                ("inv/site.retry", "[broken"),
                ("inv/notes.txt", "[broken"),
                ("inv/.hidden", "[broken"),
                ("inv/x~", "[broken"),
                ("inv/ansible.cfg", "[broken"),
                ("inv/group_vars/web.yml", "color: blue\n"),
            ],
        );
        let inventory = load(&[&dir.path().join("inv").display().to_string()]).unwrap();
        assert_eq!(names(&inventory, "all"), "h3 h1 h2");
        let h2 = inventory.vars_of(&"h2".into(), None).unwrap();
        let shown = |name: &str| match h2.get(name) {
            Some(crate::vars::Var::Source(node)) => node.scalar_text().unwrap(),
            _ => "-".to_owned(),
        };
        // A later source wins over an earlier one.
        assert_eq!((shown("v"), shown("color")), ("2".to_owned(), "blue".to_owned()));
        assert!(inventory.source_of(&"h2".into()).unwrap().ends_with("inv/01-web.ini"));
    }

    #[test]
    fn several_sources_are_merged() {
        let dir = tempfile::tempdir().unwrap();
        write(
            dir.path(),
            &[
                ("a.ini", "[web]\nh1 ansible_host=127.0.0.1\n[web:vars]\nx=a\n"),
                ("b/b.ini", "[web]\nh2\n[late]\nh1 ansible_host=127.0.0.2\n"),
            ],
        );
        let a = dir.path().join("a.ini").display().to_string();
        let b = dir.path().join("b/../b/b.ini").display().to_string();
        let inventory = load(&[&a, &b, "web[1:2],[::1]:22,"]).unwrap();
        assert_eq!(names(&inventory, "web"), "h1 h2");
        assert_eq!(names(&inventory, "ungrouped"), "web1 web2 ::1");
        assert_eq!(inventory.group_names(&"h1".into()), ["late", "web"]);
        assert_eq!(inventory.dir_of(&"h2".into()).unwrap(), dir.path().join("b"));
        assert_eq!(inventory.dir_of(&"web1".into()), None);
        assert_eq!(
            inventory.source_of(&"web1".into()).unwrap(),
            Path::new("web[1:2],[::1]:22,")
        );
    }

    #[test]
    fn sources_that_are_not_there_or_empty_are_mistakes() {
        let dir = tempfile::tempdir().unwrap();
        write(
            dir.path(),
            &[("empty", ""), ("comments", "# nobody\n"), ("groups", "[later]\n")],
        );
        let path = |name: &str| dir.path().join(name).display().to_string();
        assert!(load(&[&path("nosuch")]).unwrap_err().contains("nosuch"));
        for name in ["empty", "comments"] {
            assert!(load(&[&path(name)]).unwrap_err().contains("no hosts in the inventory"));
        }
        assert!(load(&[","]).unwrap_err().contains("no hosts"));
        assert!(load(&[""]).unwrap_err().contains("empty"));
        // Groups that a run is to fill are fine, and so is no source at all.
        assert_eq!(load(&[&path("groups")]).unwrap().hosts.len(), 0);
        assert_eq!(names(&load(&[]).unwrap(), "all"), "");
        // A mistake in one source does not hide those of another.
        write(dir.path(), &[("x", "-a\n"), ("y", "b:0\n")]);
        let error = load(&[&path("x"), &path("y"), &path("nosuch")]).unwrap_err();
        assert_eq!(error.matches("error:").count(), 3, "{error}");
    }

    #[test]
    fn slips_of_the_pen_are_told() {
        let inventory = Inventory::from_text("h", "a ansible_hots=1 ansible_users=2\nb ansible_hots=1\n").unwrap();
        assert_eq!(inventory.warnings.len(), 1);
        assert!(
            inventory.warnings[0]
                .to_string()
                .contains("did you mean `ansible_host`")
        );
        let inventory = Inventory::from_text("h", "web\n[web]\na\n").unwrap();
        assert!(inventory.warnings[0].to_string().contains("a group and of a host"));
    }

    #[test]
    fn localhost_is_implicit_until_a_source_tells_it() {
        let inventory = load(&["a,"]).unwrap();
        assert!(inventory.is_implicit(&"localhost".into()));
        assert_eq!(inventory.select("localhost").unwrap().hosts, ["localhost".into()]);
        assert_eq!(names(&inventory, "all"), "a");
        let inventory = load(&["localhost,"]).unwrap();
        assert!(!inventory.is_implicit(&"localhost".into()));
        assert_eq!(names(&inventory, "all"), "localhost");
    }

    #[test]
    fn workers_may_share_an_inventory() {
        fn shared<T: Send + Sync>() {}
        shared::<Inventory>();
    }

    #[test]
    fn time_grows_with_the_number_of_hosts_and_no_faster() {
        let text = |hosts: usize| -> String {
            let line = |n: usize| match n % 200 {
                0 => format!("[g{}]\nhost{n} rack=1\n", n / 200),
                _ => format!("host{n} ansible_host=10.0.0.1 rack={}\n", n % 40),
            };
            (0..hosts).map(line).collect()
        };
        let time = |text: &str| {
            let started = std::time::Instant::now();
            let inventory = Inventory::from_text("h", text).unwrap();
            for host in inventory.select("all").unwrap().hosts {
                inventory.layers_of(&host, None).unwrap();
            }
            started.elapsed()
        };
        let (small, large) = (text(2_000), text(20_000));
        // The best of several, as other tests run at the same time.
        let best = |text: &str| (0..3).map(|_| time(text)).min().unwrap();
        let (small, large) = (best(&small), best(&large));
        // Ten times as many hosts: a quadratic reader takes a hundred times as long.
        assert!(large < small * 40, "{small:?}, then {large:?}");
    }
}
