//! Who is in which group.

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;

use super::{Group, Host, Inventory};
use crate::names::HostName;

type Groups = IndexMap<String, Group>;

/// Puts the group `child` into `parent`. The caller takes care of cycles.
pub(super) fn link(groups: &mut Groups, parent: usize, child: usize) -> bool {
    let name = |groups: &Groups, at: usize| groups.get_index(at).map(|(name, _)| name.clone());
    let (Some(parent_name), Some(child_name)) = (name(groups, parent), name(groups, child)) else {
        return false;
    };
    // Groups have few parents but may have many children.
    match groups.get_index_mut(child) {
        Some((_, child)) if !child.parents.contains(&parent_name) => child.parents.push(parent_name),
        _ => return false,
    }
    if let Some((_, parent)) = groups.get_index_mut(parent) {
        parent.children.push(child_name);
    }
    true
}

/// Puts a host into a group.
pub(super) fn put(hosts: &mut IndexMap<HostName, Host>, groups: &mut Groups, host: usize, group: usize) -> bool {
    let (Some((_, host)), Some((_, group))) = (hosts.get_index_mut(host), groups.get_index_mut(group)) else {
        return false;
    };
    // A host is in few groups; a group has many hosts.
    if host.groups.contains(&group.name) {
        return false;
    }
    host.groups.push(group.name.clone());
    group.hosts.push(host.name.clone());
    true
}

/// A cycle of groups, its first group also at the end.
pub(super) fn cycle(groups: &Groups) -> Option<Vec<usize>> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        Open,
        Done,
    }
    let mut marks = vec![Mark::New; groups.len()];
    for start in 0..groups.len() {
        if marks.get(start) != Some(&Mark::New) {
            continue;
        }
        // Each entry: a group, and which of its children is next. No recursion: chains may be long.
        let mut way = vec![(start, 0)];
        while let Some((group, next)) = way.last_mut() {
            let group_number = *group;
            if let Some(mark) = marks.get_mut(group_number) {
                *mark = Mark::Open;
            }
            let child = groups
                .get_index(group_number)
                .and_then(|(_, group)| group.children.get(*next))
                .and_then(|child| groups.get_index_of(child));
            *next += 1;
            let all_seen = groups
                .get_index(group_number)
                .is_none_or(|(_, group)| *next > group.children.len());
            let child_mark = child.and_then(|child| marks.get(child).copied());
            match (child, child_mark) {
                (Some(child), Some(Mark::Open)) => {
                    let from = way.iter().position(|(group, _)| *group == child).unwrap_or(0);
                    let mut cycle: Vec<usize> = way.iter().skip(from).map(|(group, _)| *group).collect();
                    cycle.push(child);
                    return Some(cycle);
                }
                (Some(child), Some(Mark::New)) => way.push((child, 0)),
                // The end of its children.
                (None, _) if all_seen => {
                    if let Some(mark) = marks.get_mut(group_number) {
                        *mark = Mark::Done;
                    }
                    way.pop();
                }
                _ => {}
            }
        }
    }
    None
}

impl Inventory {
    /// Makes the rules hold: every group is below `all`, every host in a group or in `ungrouped`, depths are right.
    pub(super) fn settle(&mut self) {
        for group in 1..self.groups.len() {
            let orphan = self.groups.get_index(group).is_some_and(|(_, g)| g.parents.is_empty());
            if orphan {
                link(&mut self.groups, 0, group);
            }
        }
        let mut leave: HashSet<HostName> = HashSet::new();
        for index in 0..self.hosts.len() {
            let Some((_, host)) = self.hosts.get_index_mut(index) else {
                break;
            };
            let grouped = host.groups.iter().any(|group| group != "all" && group != "ungrouped");
            let ungrouped = host.groups.iter().any(|group| group == "ungrouped");
            if grouped && ungrouped {
                host.groups.retain(|group| group != "ungrouped");
                leave.insert(host.name.clone());
            } else if !grouped && !ungrouped {
                put(&mut self.hosts, &mut self.groups, index, 1);
            }
        }
        if let Some(ungrouped) = self.groups.get_mut("ungrouped") {
            ungrouped.hosts.retain(|host| !leave.contains(host));
        }
        self.measure_depths();
        self.cache.clear();
    }

    /// Depths by the longest way from `all`. There is no cycle any more.
    pub(super) fn measure_depths(&mut self) {
        let mut depths = vec![0_u32; self.groups.len()];
        let mut waiting: Vec<usize> = self.groups.values().map(|group| group.parents.len()).collect();
        let mut ready: Vec<usize> = (0..waiting.len())
            .filter(|group| waiting.get(*group) == Some(&0))
            .collect();
        while let Some(group) = ready.pop() {
            let below = depths.get(group).copied().unwrap_or(0).saturating_add(1);
            let Some((_, group)) = self.groups.get_index(group) else {
                continue;
            };
            for child in &group.children {
                let Some(child) = self.groups.get_index_of(child) else {
                    continue;
                };
                if let (Some(depth), Some(parents)) = (depths.get_mut(child), waiting.get_mut(child)) {
                    *depth = (*depth).max(below);
                    *parents = parents.saturating_sub(1);
                    if *parents == 0 {
                        ready.push(child);
                    }
                }
            }
        }
        for (group, depth) in self.groups.values_mut().zip(depths) {
            group.depth = depth;
        }
    }

    /// Names of all groups a host is in, parents included, sorted; without `all`.
    pub fn group_names(&self, host: &HostName) -> Vec<String> {
        let mut names: Vec<String> = match self.hosts.get(host) {
            Some(host) => self.ancestors(&host.groups).into_iter().map(str::to_owned).collect(),
            None => Vec::new(),
        };
        names.sort_unstable();
        names
    }

    /// These groups and all groups above them, without `all`.
    pub(super) fn ancestors<'a>(&'a self, groups: &'a [String]) -> Vec<&'a str> {
        let mut found: Vec<&str> = Vec::new();
        let mut seen: HashSet<&str> = HashSet::from(["all"]);
        let mut next: Vec<&str> = groups.iter().map(String::as_str).collect();
        while let Some(name) = next.pop() {
            if !seen.insert(name) {
                continue;
            }
            found.push(name);
            if let Some(group) = self.groups.get(name) {
                next.extend(group.parents.iter().map(String::as_str));
            }
        }
        found
    }

    /// All hosts of a group, its children's included: its own first, then those of its children, then of theirs.
    pub fn members(&self, group: &str) -> Vec<HostName> {
        let mut hosts: Vec<HostName> = Vec::new();
        let mut seen_hosts: HashSet<&str> = HashSet::new();
        let mut seen: HashSet<&str> = HashSet::new();
        let mut level: Vec<&str> = vec![group];
        while !level.is_empty() {
            let mut below = Vec::new();
            for name in level {
                let Some(group) = self.groups.get(name).filter(|_| seen.insert(name)) else {
                    continue;
                };
                hosts.extend(group.hosts.iter().filter(|h| seen_hosts.insert(h.as_str())).cloned());
                below.extend(group.children.iter().map(String::as_str));
            }
            level = below;
        }
        hosts
    }

    /// All groups with all hosts in each, children's included: the magic variable `groups`.
    pub fn group_members(&self) -> IndexMap<String, Vec<HostName>> {
        self.groups
            .keys()
            .map(|name| (name.clone(), self.members(name)))
            .collect()
    }

    /// Where each host stands in the order of `all`, which is the order of a run over all of them.
    pub fn order(&self) -> HashMap<HostName, usize> {
        let all = self.members("all").into_iter();
        all.enumerate().map(|(place, host)| (host, place)).collect()
    }
}
