//! Disks by what they are for, under names that stay: the variable `disk`.
//!
//! `disk.system` is the path of the system disk (of several the first), `disk.systems` the paths of all of them,
//! `disk.data[n]` those of the data disks: by the slot they are in (/dev/disk/by-path), then by their name in
//! /dev/disk/by-id, then by the kernel's name. `disk.facts[path]` has `name`, `size`, `serial`, `wwn`, `model`,
//! `rotational`, `slot` and `role` of each.

use serde_json::{Map, Value as Json, json};

use crate::preflight::disks::facts::Disk;
use crate::preflight::disks::text;

/// The variable, and what is good to know about it.
pub fn roles<'a>(root: &str, system: &[&'a Disk], data: &[&'a Disk], others: &[&'a Disk]) -> (Json, Option<String>) {
    let mut facts = Map::new();
    let mut nameless: Vec<&Disk> = Vec::new();
    let mut paths = |role: &str, disks: &[&'a Disk]| -> Vec<Json> {
        let mut out = Vec::new();
        for disk in disks {
            let path = match disk.ids.first() {
                Some(id) => format!("{root}/dev/disk/by-id/{id}"),
                None => format!("{root}/dev/{}", disk.name),
            };
            if disk.ids.is_empty() && role != "other" {
                nameless.push(disk);
            }
            facts.insert(
                path.clone(),
                json!({
                    "name": disk.name,
                    "size": disk.bytes,
                    "serial": disk.serial,
                    "wwn": disk.wwn,
                    "model": disk.model.trim(),
                    "rotational": disk.rotational,
                    "slot": disk.slot,
                    "role": role,
                }),
            );
            out.push(Json::from(path));
        }
        out
    };
    let systems = paths("system", system);
    let data = paths("data", data);
    paths("other", others);
    let value = json!({
        "system": systems.first().cloned().unwrap_or(Json::Null),
        "systems": systems,
        "data": data,
        "facts": facts,
    });
    let note = (!nameless.is_empty()).then(|| {
        format!(
            "no name in /dev/disk/by-id: {}; `disk` has the kernel's names of them, which may mean other disks after a boot",
            text::names(&nameless)
        )
    });
    (value, note)
}
