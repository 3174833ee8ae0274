//! Inventory names that mean one machine, and machines that are copies of each other (`ping --duplicates`).
//!
//! Linear in the number of hosts: everything is found by look-ups.

mod identity;

use std::collections::{HashMap, HashSet};

use crate::event::{Duplicates, Likeness};
use crate::names::HostName;

pub use identity::Identity;

/// What was seen of a host.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its inventory name.
    pub host: HostName,
    /// The machine behind it; `None`: it did not say.
    pub identity: Option<Identity>,
    /// Fingerprint of its host key.
    pub host_key: Option<String>,
}

/// Finds them: names of one machine first, then copies, each in the order of their first hosts.
pub fn find(seen: &[Seen]) -> Vec<Duplicates> {
    let machines: Vec<String> = seen.iter().map(machine).collect();
    let mut found = Vec::new();
    for group in groups(seen.iter().zip(&machines).map(|(_, machine)| Some(machine.as_str()))) {
        found.push(duplicates(Likeness::Machine, seen, &group));
    }
    let several = |group: &[usize]| {
        let distinct: HashSet<&str> = group.iter().map(|at| machines[*at].as_str()).collect();
        distinct.len() > 1
    };
    let mut images: HashSet<Vec<usize>> = HashSet::new();
    for group in groups(seen.iter().map(|one| one.identity.as_ref().map(|is| is.id.as_str()))) {
        if !several(&group) {
            continue;
        }
        let mut one = duplicates(Likeness::MachineId, seen, &group);
        if one.host_key.is_some() {
            one.likeness = Likeness::Image;
            images.insert(group);
        }
        found.push(one);
    }
    for group in groups(seen.iter().map(|one| one.host_key.as_deref())) {
        if several(&group) && !images.contains(&group) {
            found.push(duplicates(Likeness::HostKey, seen, &group));
        }
    }
    found
}

/// What tells a machine from every other one, copies of it included.
fn machine(seen: &Seen) -> String {
    match (&seen.identity, &seen.host_key) {
        (Some(is), _) if !is.instance.is_empty() => format!("{} {}", is.id, is.instance),
        (Some(is), key) => format!("{} key {}", is.id, key.as_deref().unwrap_or_default()),
        // It did not say: nobody else can be the same.
        (None, _) => format!("host {}", seen.host),
    }
}

/// Numbers of those that have the same key, for keys that at least two have; in the order of the first ones.
fn groups<'a>(keys: impl Iterator<Item = Option<&'a str>>) -> Vec<Vec<usize>> {
    let mut index: HashMap<&str, usize> = HashMap::new();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (at, key) in keys.enumerate() {
        let Some(key) = key else { continue };
        let number = *index.entry(key).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        if let Some(group) = groups.get_mut(number) {
            group.push(at);
        }
    }
    groups.retain(|group| group.len() > 1);
    groups
}

fn duplicates(likeness: Likeness, seen: &[Seen], group: &[usize]) -> Duplicates {
    let members: Vec<&Seen> = group.iter().filter_map(|at| seen.get(*at)).collect();
    Duplicates {
        likeness,
        hosts: members.iter().map(|one| one.host.clone()).collect(),
        machine_id: common(members.iter().map(|one| one.identity.as_ref().map(|is| is.id.as_str()))),
        host_key: common(members.iter().map(|one| one.host_key.as_deref())),
    }
}

/// The value that all have.
fn common<'a>(mut values: impl Iterator<Item = Option<&'a str>>) -> Option<String> {
    let first = values.next()??;
    values.all(|value| value == Some(first)).then(|| first.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(host: &str, id: &str, instance: &str, key: &str) -> Seen {
        Seen {
            host: HostName::from(host),
            identity: (!id.is_empty()).then(|| Identity {
                source: "/etc/machine-id".to_owned(),
                id: id.to_owned(),
                instance: instance.to_owned(),
            }),
            host_key: (!key.is_empty()).then(|| key.to_owned()),
        }
    }

    fn told(seen: &[Seen]) -> Vec<String> {
        find(seen)
            .iter()
            .map(|one| {
                let hosts: Vec<&str> = one.hosts.iter().map(HostName::as_str).collect();
                format!("{:?} {}", one.likeness, hosts.join(","))
            })
            .collect()
    }

    #[test]
    fn two_names_of_one_machine_are_told_from_its_copies() {
        let fleet = [
            seen("a", "m1", "boot1", "k1"),
            seen("b", "m2", "boot2", "k2"),
            seen("alias", "m1", "boot1", "k1"),
            // Another sshd of the same machine has a key of its own.
            seen("port", "m2", "boot2", "k2b"),
            // A copy of `a`: everything is the same but the boot.
            seen("copy", "m1", "boot3", "k1"),
        ];
        assert_eq!(
            told(&fleet),
            ["Machine a,alias", "Machine b,port", "Image a,alias,copy"]
        );
    }

    #[test]
    fn copies_that_got_new_keys_or_new_ids_are_told_by_what_they_still_share() {
        let fleet = [
            seen("a", "m1", "boot1", "k1"),
            seen("b", "m1", "boot2", "k2"),
            seen("c", "m3", "boot3", "k3"),
            seen("d", "m4", "boot4", "k3"),
            seen("e", "m5", "boot5", "k5"),
        ];
        assert_eq!(told(&fleet), ["MachineId a,b", "HostKey c,d"]);
    }

    #[test]
    fn a_host_that_does_not_say_is_nobodys_duplicate_but_for_its_key() {
        let fleet = [
            seen("a", "", "", "k1"),
            seen("b", "", "", ""),
            seen("c", "m1", "", "k1"),
            seen("d", "m1", "", "k1"),
        ];
        assert_eq!(told(&fleet), ["Machine c,d", "HostKey a,c,d"]);
    }

    #[test]
    fn many_hosts_are_compared_in_linear_time() {
        // Every one with every other would take hours.
        let fleet: Vec<Seen> = (0..200_000)
            .map(|n| {
                seen(
                    &format!("h{n}"),
                    &format!("m{}", n / 2),
                    &format!("b{}", n / 2),
                    "one key",
                )
            })
            .collect();
        assert_eq!(find(&fleet).len(), 100_001);
    }
}
