//! What a run may change: `add_host` and `group_by`. The caller holds the only copy that is written to.

use super::{Group, Host, Inventory, check_group_name, check_name, entry, graph};
use crate::names::HostName;
use crate::source::Diagnostic;
use crate::vars::{Var, VarMap};

impl Inventory {
    /// Adds a host, or variables and groups to a host that is known. `name` may end in a port. True when anything
    /// changed; values that are computed count as changed, as they cannot be compared with their source.
    pub fn add_host(&mut self, name: &str, groups: &[String], vars: VarMap) -> Result<bool, Diagnostic> {
        let entry = entry::parse(name).map_err(Diagnostic::new)?;
        let [name] = entry.names.as_slice() else {
            return Err(Diagnostic::new(format!("`{name}` is not one host")));
        };
        check_name(name).map_err(Diagnostic::new)?;
        for group in groups {
            check_group_name(group).map_err(Diagnostic::new)?;
        }
        self.keep_roots();
        let name = HostName::new(name.as_str());
        let mut changed = false;
        let host = if let Some(known) = self.hosts.get_index_of(&name) {
            known
        } else {
            changed = true;
            let host = Host {
                name: name.clone(),
                vars: VarMap::new(),
                groups: Vec::new(),
                at: None,
            };
            let (host, _) = self.hosts.insert_full(name.clone(), host);
            graph::put(&mut self.hosts, &mut self.groups, host, 0);
            host
        };
        let port = entry
            .port
            .map(|port| ("ansible_port".to_owned(), Var::Data(port.into())));
        let user = entry
            .user
            .map(|user| ("ansible_user".to_owned(), Var::Data(user.into())));
        if let Some((_, known)) = self.hosts.get_index_mut(host) {
            for (key, value) in port.into_iter().chain(user).chain(vars) {
                changed |= !known.vars.get(&key).is_some_and(|old| same(old, &value));
                known.vars.insert(key, value);
            }
        }
        changed |= self.join(host, groups)?;
        self.cache.forget(&name);
        Ok(changed)
    }

    /// Puts a host into the group `key`, and that group into `parents`. Groups are made when there are none; blanks in
    /// their names become `-`. True when anything changed.
    pub fn group_by(&mut self, host: &HostName, key: &str, parents: &[String]) -> Result<bool, Diagnostic> {
        let dashed = |name: &str| name.trim().replace(char::is_whitespace, "-");
        let Some(host_number) = self.hosts.get_index_of(host) else {
            return Err(Diagnostic::new(format!("`{host}` is not in the inventory")));
        };
        self.keep_roots();
        let name = dashed(key);
        let mut changed = self.join(host_number, std::slice::from_ref(&name))?;
        let default = ["all".to_owned()];
        let parents = if parents.is_empty() { &default[..] } else { parents };
        for parent in parents {
            let (parent, fresh) = self.make_group(&dashed(parent))?;
            let (child, _) = self.make_group(&name)?;
            changed |= fresh;
            if parent == child || child == 0 {
                return Err(Diagnostic::new(format!(
                    "a cycle: the group `{name}` would be its own child"
                )));
            }
            if graph::link(&mut self.groups, parent, child) {
                if graph::cycle(&self.groups).is_some() {
                    self.unlink(parent, child);
                    return Err(Diagnostic::new(format!(
                        "the group `{name}` and its parents would be in a cycle"
                    )));
                }
                changed = true;
            }
            if fresh {
                graph::link(&mut self.groups, 0, parent);
            }
        }
        if changed {
            self.measure_depths();
            self.cache.clear();
        }
        Ok(changed)
    }

    fn join(&mut self, host: usize, groups: &[String]) -> Result<bool, Diagnostic> {
        let mut changed = false;
        for name in groups {
            let (group, fresh) = self.make_group(name)?;
            if fresh {
                graph::link(&mut self.groups, 0, group);
                self.measure_depths();
                changed = true;
            }
            changed |= graph::put(&mut self.hosts, &mut self.groups, host, group);
        }
        self.keep_ungrouped(host);
        if let Some((name, _)) = self.hosts.get_index(host) {
            let name = name.clone();
            self.cache.forget(&name);
        }
        Ok(changed)
    }

    /// A host is in `ungrouped` when it is in no other group but `all`.
    fn keep_ungrouped(&mut self, host: usize) {
        let Some((_, known)) = self.hosts.get_index_mut(host) else {
            return;
        };
        let grouped = known.groups.iter().any(|group| group != "all" && group != "ungrouped");
        let ungrouped = known.groups.iter().any(|group| group == "ungrouped");
        if grouped && ungrouped {
            known.groups.retain(|group| group != "ungrouped");
            let name = known.name.clone();
            if let Some(group) = self.groups.get_mut("ungrouped") {
                group.hosts.retain(|host| *host != name);
            }
        } else if !grouped && !ungrouped {
            graph::put(&mut self.hosts, &mut self.groups, host, 1);
        }
    }

    /// An inventory without sources has neither of the groups that are always there.
    fn keep_roots(&mut self) {
        if self.groups.is_empty() {
            self.insert_group("all");
            self.insert_group("ungrouped");
            graph::link(&mut self.groups, 0, 1);
        }
    }

    fn make_group(&mut self, name: &str) -> Result<(usize, bool), Diagnostic> {
        if let Some(known) = self.groups.get_index_of(name) {
            return Ok((known, false));
        }
        check_group_name(name).map_err(Diagnostic::new)?;
        Ok((self.insert_group(name), true))
    }

    fn insert_group(&mut self, name: &str) -> usize {
        let group = Group {
            name: name.to_owned(),
            ..Group::default()
        };
        self.groups.insert_full(name.to_owned(), group).0
    }

    fn unlink(&mut self, parent: usize, child: usize) {
        let name = |groups: &indexmap::IndexMap<String, Group>, at: usize| groups.get_index(at).map(|(n, _)| n.clone());
        let (Some(parent_name), Some(child_name)) = (name(&self.groups, parent), name(&self.groups, child)) else {
            return;
        };
        if let Some((_, group)) = self.groups.get_index_mut(parent) {
            group.children.retain(|name| *name != child_name);
        }
        if let Some((_, group)) = self.groups.get_index_mut(child) {
            group.parents.retain(|name| *name != parent_name);
        }
    }
}

fn same(old: &Var, new: &Var) -> bool {
    match (old, new) {
        (Var::Data(old), Var::Data(new)) => old == new,
        (Var::Source(old), Var::Source(new)) => std::sync::Arc::ptr_eq(old, new),
        (Var::Source(old), Var::Data(new)) => {
            !old.has_template() && crate::vars::templar::from_json(&super::read::json_of(old)) == *new
        }
        (Var::Data(_), Var::Source(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vars(entries: &[(&str, &str)]) -> VarMap {
        entries
            .iter()
            .map(|(k, v)| ((*k).to_owned(), Var::Data((*v).into())))
            .collect()
    }

    fn names(hosts: &[HostName]) -> String {
        hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    }

    #[test]
    fn added_hosts_are_in_their_groups_and_in_all() {
        let mut inventory = Inventory::from_text("h", "[boxes]\nh1\nh2\n").unwrap();
        let before = inventory.vars_of(&"new-2".into(), None).unwrap();
        assert!(before.is_empty());
        let groups = ["fresh".to_owned(), "g_2".to_owned()];
        assert!(
            inventory
                .add_host("new-2:2222", &groups, vars(&[("colour", "c2")]))
                .unwrap()
        );
        assert!(!inventory.add_host("new-2", &groups, vars(&[("colour", "c2")])).unwrap());
        assert!(inventory.add_host("h2", &["fresh".to_owned()], VarMap::new()).unwrap());
        assert_eq!(names(&inventory.members("fresh")), "new-2,h2");
        assert_eq!(inventory.group_names(&"new-2".into()), ["fresh", "g_2"]);
        assert_eq!(inventory.vars_of(&"new-2".into(), None).unwrap().len(), 2);
        assert_eq!(inventory.select("fresh:!h2").unwrap().hosts, ["new-2".into()]);
        assert!(inventory.add_host("lone", &[], VarMap::new()).unwrap());
        assert_eq!(inventory.group_names(&"lone".into()), ["ungrouped"]);
        assert!(inventory.members("all").contains(&"lone".into()));
        assert!(inventory.add_host("-x", &[], VarMap::new()).is_err());
        assert!(inventory.add_host("x[1:2]", &[], VarMap::new()).is_err());
    }

    #[test]
    fn hosts_are_grouped_by_a_value() {
        let mut inventory = Inventory::from_text("h", "[boxes]\nh1\nh2\n").unwrap();
        let parents = ["sorted".to_owned()];
        assert!(inventory.group_by(&"h1".into(), "is first", &parents).unwrap());
        assert!(!inventory.group_by(&"h1".into(), "is first", &parents).unwrap());
        assert!(inventory.group_by(&"h2".into(), "is_other", &parents).unwrap());
        assert_eq!(names(&inventory.members("sorted")), "h1,h2");
        assert_eq!(inventory.group_names(&"h1".into()), ["boxes", "is-first", "sorted"]);
        assert!(
            inventory
                .group_by(&"h1".into(), "sorted", &["is-first".to_owned()])
                .is_err()
        );
        assert!(inventory.group_by(&"h1".into(), "all", &["x".to_owned()]).is_err());
        assert!(inventory.group_by(&"h1".into(), "../x", &[]).is_err());
        assert_eq!(names(&inventory.members("all")), "h1,h2");
    }
}
