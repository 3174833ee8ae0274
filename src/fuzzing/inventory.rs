//! Inventories, ranges, patterns.

use std::collections::HashSet;

use crate::fuzzing::input;
use crate::inventory::{Inventory, check_group_name, check_name, expand_range, matches_glob, show};

pub(super) fn ini(data: &[u8]) {
    source("hosts", data);
}

pub(super) fn yaml(data: &[u8]) {
    source("hosts.yml", data);
}

pub(super) fn csv(data: &[u8]) {
    source("hosts.csv", data);
}

pub(super) fn json(data: &[u8]) {
    source("hosts.json", data);
}

fn source(name: &str, data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let inventory = match Inventory::from_text(name, &text) {
        Ok(inventory) => inventory,
        Err(mistakes) => {
            // The message quotes the text; it must not drive a terminal.
            let shown = mistakes.to_string();
            assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{shown:?}");
            return;
        }
    };
    for host in inventory.hosts.keys() {
        check_name(host.as_str()).expect("a host got a name that no host may have");
    }
    for group in inventory
        .groups
        .keys()
        .filter(|name| *name != "all" && *name != "ungrouped")
    {
        check_group_name(group).expect("a group got a name that no group may have");
    }
    // No cycles, everybody is in `all`, once.
    let all = inventory.members("all");
    assert_eq!(
        all.iter().collect::<HashSet<_>>().len(),
        all.len(),
        "a host is in `all` twice"
    );
    assert_eq!(all.len(), inventory.hosts.len(), "a host is not in `all`");
    for host in all.iter().take(20) {
        let _ = inventory.layers_of(host, None);
        let _ = inventory.group_names(host);
    }
    let options = show::Options {
        yaml: true,
        export: true,
        ..show::Options::default()
    };
    let (Ok(shown), Ok(_)) = (
        show::list(&inventory, &options),
        show::graph(&inventory, "all", &options),
    ) else {
        return;
    };
    reads_back(&inventory, &shown);
}

/// What `inventory --list --yaml --export` prints is the same inventory.
fn reads_back(inventory: &Inventory, shown: &str) {
    let again = match Inventory::from_text("again.yml", shown) {
        Ok(again) => again,
        Err(mistakes) => panic!("what was shown cannot be read: {mistakes}\n{shown}"),
    };
    for group in inventory.groups.keys() {
        let (mut before, mut after) = (inventory.members(group), again.members(group));
        before.sort();
        after.sort();
        assert_eq!(before, after, "the group `{group}` reads back otherwise\n{shown}");
    }
}

pub(super) fn ranges(data: &[u8]) {
    let Some(text) = input::text(data) else { return };
    if let Ok(names) = expand_range(text) {
        assert!(
            !names.is_empty() && names.len() <= 1_000_000,
            "{} names of `{text}`",
            names.len()
        );
        assert_eq!(expand_range(text).as_ref(), Ok(&names));
    }
}

pub(super) fn patterns(data: &[u8]) {
    let Some(text) = input::text(data) else { return };
    let fleet =
        "lone ansible_port=1\n[web]\nweb[01:20]\nextra.example.org\n[db]\ndb1\nweb03\n[site:children]\nweb\ndb\n";
    let inventory = Inventory::from_text("hosts", fleet).expect("it is a good inventory");
    if let Ok(selection) = inventory.select(text) {
        let once: HashSet<_> = selection.hosts.iter().collect();
        assert_eq!(once.len(), selection.hosts.len(), "`{text}` gives a host twice");
        assert!(
            selection
                .hosts
                .iter()
                .all(|host| inventory.hosts.contains_key(host) || inventory.is_implicit(host)),
            "`{text}` gives a host that is not there"
        );
        let again = inventory.select(text).expect("it was read a moment ago");
        assert_eq!(again.hosts, selection.hosts);
    }
    let (pattern, name) = text.split_once('\n').unwrap_or((text, "web03.example.org"));
    let _ = matches_glob(pattern, name);
}
