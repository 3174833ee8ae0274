//! Whose variables win. From the weakest: `all`, the host's groups by depth, priority and name; then their
//! `group_vars/` beside the inventory and beside the playbook; then the host's own and its `host_vars/`.
//! Mappings are replaced whole, as in Ansible.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::vars_dir::{Of, VarsDir};
use super::{Host, Inventory};
use crate::names::HostName;
use crate::source::{Diagnostic, Diagnostics};
use crate::vars::{Var, VarMap};

/// What was worked out before. Hosts with the same groups share what these say.
#[derive(Debug, Default)]
pub(super) struct Cache(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    dirs: HashMap<PathBuf, Arc<VarsDir>>,
    groups: HashMap<Option<PathBuf>, HashMap<Vec<String>, Arc<VarMap>>>,
    hosts: HashMap<Option<PathBuf>, HashMap<HostName, Option<Arc<VarMap>>>>,
    merged: HashMap<Option<PathBuf>, HashMap<HostName, Arc<VarMap>>>,
}

impl Clone for Cache {
    /// A copy of an inventory works its own out.
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Cache {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Groups or variables changed. Files that were read stay.
    pub(super) fn clear(&self) {
        let mut held = self.held();
        held.groups.clear();
        held.hosts.clear();
        held.merged.clear();
    }

    /// One host changed.
    pub(super) fn forget(&self, host: &HostName) {
        let mut held = self.held();
        let Held { hosts, merged, .. } = &mut *held;
        #[expect(clippy::iter_over_hash_type, reason = "the order does not matter")]
        for known in hosts.values_mut() {
            known.remove(host);
        }
        #[expect(clippy::iter_over_hash_type, reason = "the order does not matter")]
        for known in merged.values_mut() {
            known.remove(host);
        }
    }
}

impl Inventory {
    /// A host's variables in Ansible's order of precedence, in one map. A name that no source told gets what `all`
    /// says; the implicit `localhost` also `ansible_connection: local`.
    ///
    /// [`layers_of`](Self::layers_of) gives the same without a map for each host.
    pub fn vars_of(&self, host: &HostName, playbook_dir: Option<&Path>) -> Result<Arc<VarMap>, Diagnostic> {
        let dir = playbook_dir.map(Path::to_owned);
        let known = self
            .cache
            .held()
            .merged
            .get(&dir)
            .and_then(|hosts| hosts.get(host))
            .cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let mut layers = self.layers_of(host, playbook_dir)?;
        let merged = match (layers.pop(), layers.pop()) {
            (Some(only), None) => only,
            (Some(own), Some(groups)) => {
                let mut merged = VarMap::clone(&groups);
                merged.extend(own.iter().map(|(name, value)| (name.clone(), value.clone())));
                Arc::new(merged)
            }
            (None, _) => Arc::default(),
        };
        let mut held = self.cache.held();
        held.merged.entry(dir).or_default().insert(host.clone(), merged.clone());
        Ok(merged)
    }

    /// A host's variables as one or two layers, the weaker first: what its groups say, shared by all hosts of the same
    /// groups, and what is its own, when there is anything. Cheap to call for every host and task.
    pub fn layers_of(&self, host: &HostName, playbook_dir: Option<&Path>) -> Result<Vec<Arc<VarMap>>, Diagnostic> {
        let dir = playbook_dir.map(Path::to_owned);
        let known = self.hosts.get(host);
        let groups = self.group_layer(known, dir.as_ref())?;
        let own = self.own_layer(host, known, dir.as_ref())?;
        Ok(std::iter::once(groups).chain(own).collect())
    }

    fn group_layer(&self, host: Option<&Host>, dir: Option<&PathBuf>) -> Result<Arc<VarMap>, Diagnostic> {
        let direct = host.map(|host| host.groups.as_slice()).unwrap_or_default();
        let held = self
            .cache
            .held()
            .groups
            .get(&dir.cloned())
            .and_then(|sets| sets.get(direct))
            .cloned();
        if let Some(layer) = held {
            return Ok(layer);
        }
        let mut groups: Vec<_> = self
            .ancestors(direct)
            .into_iter()
            .filter_map(|name| self.groups.get(name))
            .collect();
        groups.sort_by(|a, b| (a.depth, a.priority, &a.name).cmp(&(b.depth, b.priority, &b.name)));
        let mut vars = self.groups.get("all").map(|all| all.vars.clone()).unwrap_or_default();
        for group in &groups {
            add(&mut vars, &group.vars);
        }
        let (beside_inventory, beside_playbook) = self.dirs(dir.map(PathBuf::as_path))?;
        for of in [Names::All, Names::Groups] {
            for folder in beside_inventory.iter().chain(&beside_playbook) {
                let names: Vec<&str> = match of {
                    Names::All => vec!["all"],
                    Names::Groups => groups.iter().map(|group| group.name.as_str()).collect(),
                };
                for name in names {
                    if let Some(found) = folder.vars(Of::Group, name, &self.vault)? {
                        add(&mut vars, &found);
                    }
                }
            }
        }
        let layer = Arc::new(vars);
        let mut held = self.cache.held();
        held.groups
            .entry(dir.cloned())
            .or_default()
            .insert(direct.to_vec(), layer.clone());
        Ok(layer)
    }

    fn own_layer(
        &self,
        name: &HostName,
        host: Option<&Host>,
        dir: Option<&PathBuf>,
    ) -> Result<Option<Arc<VarMap>>, Diagnostic> {
        let held = self
            .cache
            .held()
            .hosts
            .get(&dir.cloned())
            .and_then(|hosts| hosts.get(name))
            .cloned();
        if let Some(layer) = held {
            return Ok(layer);
        }
        let mut vars = host.map(|host| host.vars.clone()).unwrap_or_default();
        if self.is_implicit(name) {
            vars.insert("ansible_connection".to_owned(), Var::Data("local".into()));
        }
        let (beside_inventory, beside_playbook) = self.dirs(dir.map(PathBuf::as_path))?;
        for folder in beside_inventory.iter().chain(&beside_playbook) {
            if let Some(found) = folder.vars(Of::Host, name.as_str(), &self.vault)? {
                add(&mut vars, &found);
            }
        }
        let layer = (!vars.is_empty()).then(|| Arc::new(vars));
        let mut held = self.cache.held();
        held.hosts
            .entry(dir.cloned())
            .or_default()
            .insert(name.clone(), layer.clone());
        Ok(layer)
    }

    /// What is the host's own: variables of the sources and of `host_vars`.
    pub(super) fn own_vars(&self, host: &HostName, playbook_dir: Option<&Path>) -> Result<Arc<VarMap>, Diagnostic> {
        let dir = playbook_dir.map(Path::to_owned);
        Ok(self
            .own_layer(host, self.hosts.get(host), dir.as_ref())?
            .unwrap_or_default())
    }

    /// What is the group's own: variables of the sources and of `group_vars`.
    pub(super) fn vars_of_group(&self, group: &str, playbook_dir: Option<&Path>) -> Result<VarMap, Diagnostic> {
        let mut vars = self
            .groups
            .get(group)
            .map(|group| group.vars.clone())
            .unwrap_or_default();
        let (beside_inventory, beside_playbook) = self.dirs(playbook_dir)?;
        for folder in beside_inventory.iter().chain(&beside_playbook) {
            if let Some(found) = folder.vars(Of::Group, group, &self.vault)? {
                add(&mut vars, &found);
            }
        }
        Ok(vars)
    }

    /// The folders beside the inventory, and the one beside the playbook.
    #[expect(clippy::type_complexity, reason = "two lists of the same")]
    fn dirs(&self, playbook_dir: Option<&Path>) -> Result<(Vec<Arc<VarsDir>>, Option<Arc<VarsDir>>), Diagnostic> {
        let beside_inventory = self
            .folders
            .iter()
            .map(|folder| self.dir(folder))
            .collect::<Result<_, _>>()?;
        let beside_playbook = playbook_dir.map(|folder| self.dir(folder)).transpose()?;
        Ok((beside_inventory, beside_playbook))
    }

    /// The folders of variables that something was read of, each with one SHA-256 over all that was.
    pub(super) fn vars_folders(&self) -> Vec<(PathBuf, String)> {
        let dirs: Vec<Arc<VarsDir>> = self.cache.held().dirs.values().cloned().collect();
        let mut found: Vec<(PathBuf, String)> = dirs.iter().flat_map(|dir| dir.read_so_far()).collect();
        found.sort();
        found
    }

    fn dir(&self, folder: &Path) -> Result<Arc<VarsDir>, Diagnostic> {
        if let Some(known) = self.cache.held().dirs.get(folder) {
            return Ok(known.clone());
        }
        let opened = Arc::new(VarsDir::open(folder)?);
        self.cache.held().dirs.insert(folder.to_owned(), opened.clone());
        Ok(opened)
    }

    /// Reads every `group_vars` and `host_vars` file that a known group or host has: beside the inventory (`None`,
    /// which [`load`](Self::load) has done), or beside a playbook. To be called before the first host is contacted.
    pub fn check_vars_files(&self, playbook_dir: Option<&Path>) -> Result<(), Diagnostics> {
        let mut errors = Vec::new();
        let folders: Vec<&Path> = match playbook_dir {
            Some(dir) => vec![dir],
            None => self.folders.iter().map(PathBuf::as_path).collect(),
        };
        for folder in folders {
            let dir = match self.dir(folder) {
                Ok(dir) => dir,
                Err(error) => {
                    errors.push(error);
                    continue;
                }
            };
            let mut look = |of, name: &str| {
                if let Err(error) = dir.vars(of, name, &self.vault) {
                    errors.push(error);
                }
            };
            if !dir.is_empty(Of::Group) {
                self.groups.keys().for_each(|name| look(Of::Group, name));
            }
            if !dir.is_empty(Of::Host) {
                self.hosts.keys().for_each(|name| look(Of::Host, name.as_str()));
            }
        }
        if errors.is_empty() {
            Ok(())
        } else {
            Err(Diagnostics(errors))
        }
    }
}

/// `group_vars/all` of every folder comes before any other group's.
#[derive(Clone, Copy)]
enum Names {
    All,
    Groups,
}

fn add(vars: &mut VarMap, more: &VarMap) {
    for (name, value) in more {
        vars.insert(name.clone(), value.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::super::LoadOptions;
    use super::*;
    use crate::secret::Secret;
    use crate::vault::{Key, Keyring, seal};
    use std::fs;

    fn show(vars: &VarMap, name: &str) -> String {
        match vars.get(name) {
            Some(Var::Source(node)) => node
                .scalar_text()
                .unwrap_or_else(|| format!("{:?}", super::super::read::json_of(node))),
            Some(Var::Data(value)) => value.to_string(),
            None => "-".into(),
        }
    }

    struct Case {
        dir: tempfile::TempDir,
        inventory: Inventory,
    }

    fn case(files: &[(&str, &str)]) -> Case {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let source = dir.path().join("inv/hosts").display().to_string();
        let inventory = Inventory::load(&[source], &LoadOptions::default()).unwrap_or_else(|e| panic!("{e}"));
        Case { dir, inventory }
    }

    #[test]
    fn the_nearest_and_latest_wins() {
        let case = case(&[
            (
                "inv/hosts",
                "[web]\nh1 v=host own=1\nh2\n[site:children]\nweb\n[all:vars]\nv=all\na=all\n[site:vars]\nv=site\ns=site\na2=site\n[web:vars]\nv=web\n",
            ),
            ("inv/group_vars/all.yml", "g: inv all\nv: gv all\ns: gv all\n"),
            ("inv/group_vars/web/10.yml", "g: inv web\nconf: {a: 1, b: 2}\n"),
            ("inv/group_vars/web/20.yaml", "conf: {c: 3}\n"),
            ("inv/group_vars/web/sub/x.json", "{\"deep\": true}"),
            ("inv/group_vars/web/.hidden.yml", "hidden: 1\n"),
            ("inv/group_vars/web/old.yml~", "old: 1\n"),
            ("inv/group_vars/web/readme.txt", "no: [yaml"),
            ("inv/group_vars/site", "p: inv site\n"),
            ("inv/host_vars/h1.yml", "v: hv inv\nown: hv inv\n"),
            ("play/group_vars/all.yml", "g: play all\np: play all\n"),
            ("play/host_vars/h1.json", "{\"v\": \"hv play\"}"),
        ]);
        let play = case.dir.path().join("play");
        let h1 = case.inventory.vars_of(&"h1".into(), Some(&play)).unwrap();
        for (name, expected) in [
            ("v", "hv play"),
            ("own", "hv inv"),
            ("a", "all"),
            ("a2", "site"),
            // `group_vars/all` beside the inventory beats what stands in the inventory.
            ("s", "gv all"),
            ("g", "inv web"),
            ("p", "inv site"),
            ("deep", "True"),
            ("hidden", "-"),
            ("old", "-"),
        ] {
            assert_eq!(show(&h1, name), expected, "{name}");
        }
        assert!(show(&h1, "conf").contains("\"c\"") && !show(&h1, "conf").contains("\"a\""));
        let h2 = case.inventory.vars_of(&"h2".into(), None).unwrap();
        assert_eq!(show(&h2, "v"), "gv all");
        assert_eq!(show(&h2, "g"), "inv web");
    }

    #[test]
    fn depth_then_priority_then_name_decide_among_groups() {
        let inventory = Inventory::from_text(
            "h",
            "[b]\nh\n[a]\nh\n[c]\nh\n[top:children]\nb\n[a:vars]\nx=a\ny=a\nz=a\nansible_group_priority=10\n[b:vars]\nx=b\n[c:vars]\ny=c\nz=c\n",
        )
        .unwrap();
        let vars = inventory.vars_of(&"h".into(), None).unwrap();
        assert_eq!(show(&vars, "x"), "b", "b is deeper");
        assert_eq!(show(&vars, "y"), "a", "a has the higher priority");
        assert_eq!(show(&vars, "ansible_group_priority"), "-");
    }

    #[test]
    fn hosts_of_the_same_groups_share_one_layer() {
        let inventory = Inventory::from_text("h", "[g]\na\nb x=1\n[g:vars]\ny=2\n").unwrap();
        let (a, b) = (
            inventory.layers_of(&"a".into(), None).unwrap(),
            inventory.layers_of(&"b".into(), None).unwrap(),
        );
        assert_eq!((a.len(), b.len()), (1, 2));
        assert!(Arc::ptr_eq(&a[0], &b[0]));
        assert!(Arc::ptr_eq(&a[0], &inventory.vars_of(&"a".into(), None).unwrap()));
    }

    #[test]
    fn localhost_and_strangers_get_what_all_says() {
        let inventory = Inventory::from_text("h", "a\n[all:vars]\nx=1\n").unwrap();
        let local = inventory.vars_of(&"localhost".into(), None).unwrap();
        assert_eq!(
            (show(&local, "x"), show(&local, "ansible_connection")),
            ("1".into(), "local".into())
        );
        let stranger = inventory.vars_of(&"elsewhere".into(), None).unwrap();
        assert_eq!(
            (show(&stranger, "x"), show(&stranger, "ansible_connection")),
            ("1".into(), "-".into())
        );
    }

    #[test]
    fn bad_files_are_all_told_when_the_inventory_is_loaded() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("group_vars")).unwrap();
        fs::create_dir_all(dir.path().join("host_vars")).unwrap();
        fs::write(dir.path().join("hosts"), "[web]\na\nb\nc\n").unwrap();
        fs::write(dir.path().join("group_vars/web.yml"), "- x\n").unwrap();
        fs::write(dir.path().join("host_vars/a.yml"), "ansible_port: 99999\n").unwrap();
        fs::write(dir.path().join("host_vars/b"), "x: [\n").unwrap();
        fs::write(dir.path().join("host_vars/c"), seal(b"x: 1\n", b"pw", None).unwrap()).unwrap();
        let source = dir.path().join("hosts").display().to_string();
        let error = Inventory::load(&[source], &LoadOptions::default())
            .unwrap_err()
            .to_string();
        for words in ["web.yml:1:1", "a.yml:1:15", "host_vars/b:", "vault password"] {
            assert!(error.contains(words), "{words}: {error}");
        }
    }

    #[test]
    fn an_encrypted_file_is_opened_and_never_quoted() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("host_vars")).unwrap();
        fs::write(dir.path().join("hosts"), "a\nb\n").unwrap();
        let open = |text: &'static str| {
            let sealed = seal(text.as_bytes(), b"pw", None).unwrap();
            fs::write(dir.path().join("host_vars/a"), sealed).unwrap();
            let key = Key {
                label: "x".to_owned(),
                password: Secret::new(b"pw".to_vec()),
            };
            LoadOptions {
                vault: Arc::new(Keyring::new(vec![key], false)),
                ..LoadOptions::default()
            }
        };
        let source = [dir.path().join("hosts").display().to_string()];
        let options = open("pw: hunter2\nansible_host: 10.0.0.1\n");
        let inventory = Inventory::load(&source, &options).unwrap();
        assert_eq!(show(&inventory.vars_of(&"a".into(), None).unwrap(), "pw"), "hunter2");
        assert_eq!(options.vault.revealed().since(0), ["hunter2".into()]);
        let error = Inventory::load(&source, &open("pw: [hunter2\n"))
            .unwrap_err()
            .to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }
}
