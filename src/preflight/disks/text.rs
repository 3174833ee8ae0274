//! Disks in few words.

use crate::plan::preflight::show_size;
use crate::preflight::disks::facts::{Disk, kernel_order};

/// `sdb, sdc, sdd`, of many the first and the last: `sdb … sdm`. In the kernel's order.
pub fn names(disks: &[&Disk]) -> String {
    let mut names: Vec<&str> = disks.iter().map(|disk| disk.name.as_str()).collect();
    names.sort_by(|a, b| kernel_order(a, b));
    match names.as_slice() {
        [] => "none".to_owned(),
        [first, _, _, .., last] => format!("{first} … {last}"),
        few => few.join(", "),
    }
}

/// What is on a disk: `empty`, `1 partition, xfs, mounted at /data`.
pub fn content(disk: &Disk) -> String {
    let mut words = Vec::new();
    match disk.parts.len() {
        0 => {}
        1 => words.push("1 partition".to_owned()),
        count => words.push(format!("{count} partitions")),
    }
    words.extend(disk.signatures.iter().cloned());
    let labels: Vec<&str> = disk
        .labels
        .iter()
        .map(String::as_str)
        .filter(|label| !label.is_empty())
        .collect();
    if !labels.is_empty() {
        words.push(format!("labelled {}", labels.join(" ")));
    }
    if !disk.holders.is_empty() {
        let holders: Vec<&str> = disk.holders.iter().map(String::as_str).collect();
        words.push(format!("part of {}", holders.join(" ")));
    }
    let places: Vec<&str> = disk.mounts.iter().map(String::as_str).collect();
    match places.as_slice() {
        [] => {}
        ["…"] => words.push("mounted".to_owned()),
        places => words.push(format!("mounted at {}", places.join(" "))),
    }
    if disk.swap {
        words.push("swap".to_owned());
    }
    if words.is_empty() {
        words.push(match &disk.doubt {
            Some(_) => "nobody can tell what is on it".to_owned(),
            None => "empty".to_owned(),
        });
    }
    words.join(", ")
}

/// What makes disks equal in a description. Labels do not: disks are labelled one after the other.
fn kind(disk: &Disk) -> (u64, Option<bool>, bool, String) {
    let mut plain = disk.clone();
    plain.labels.clear();
    let places: Vec<String> = plain.mounts.iter().map(|place| numberless(place)).collect();
    plain.mounts = places.into_iter().collect();
    plain.holders = plain.holders.iter().map(|name| numberless(name)).collect();
    (disk.bytes, disk.rotational, disk.removable, content(&plain))
}

fn numberless(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            c if !c.is_ascii_digit() => out.push(c),
            _ if out.ends_with('#') => {}
            _ => out.push('#'),
        }
    }
    out
}

/// Lines that describe a group of disks, equal neighbours as one: `data: sdb … sdm  12 × 4.0 TB  hdd  empty`.
pub fn lines(role: &str, disks: &[&Disk]) -> Vec<String> {
    let mut disks = disks.to_vec();
    disks.sort_by(|a, b| kernel_order(&a.name, &b.name));
    let mut runs: Vec<Vec<&Disk>> = Vec::new();
    for disk in disks {
        match runs.last_mut() {
            Some(run) if run.last().is_some_and(|last| kind(last) == kind(disk)) => run.push(disk),
            Some(_) | None => runs.push(vec![disk]),
        }
    }
    runs.iter().filter_map(|run| line(role, run)).collect()
}

fn line(role: &str, run: &[&Disk]) -> Option<String> {
    let first = run.first()?;
    let count = if run.len() > 1 {
        format!("{} × ", run.len())
    } else {
        String::new()
    };
    let turning = match first.rotational {
        Some(true) => "  hdd",
        Some(false) => "  ssd",
        None => "",
    };
    let content = if run.len() > 1 { kind(first).3 } else { content(first) };
    Some(format!(
        "{role}: {}  {count}{}{turning}  {content}",
        names(run),
        show_size(first.bytes)
    ))
}
