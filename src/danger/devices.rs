//! Names of devices.

use serde_json::{Map, Value as Json};

use crate::shell::script::{self, Part, Word};

/// What stands below `/dev` and is no disk.
const HARMLESS: &[&str] = &[
    "console",
    "fd",
    "full",
    "fuse",
    "hugepages",
    "initctl",
    "input",
    "kmsg",
    "log",
    "mqueue",
    "net",
    "null",
    "ptmx",
    "pts",
    "random",
    "rtc",
    "shm",
    "stderr",
    "stdin",
    "stdout",
    "tcp",
    "tty",
    "udp",
    "urandom",
    "watchdog",
    "zero",
    "cpu_dma_latency",
];

/// How the kernel's own names of disks begin, and whether a letter follows (else a number).
const KERNEL: &[(&str, bool)] = &[("sd", true), ("hd", true), ("vd", true), ("xvd", true), ("nvme", false)];

/// True for a path below `/dev` that may be a disk.
pub fn is_device(path: &str) -> bool {
    let path = super::files::normal(path);
    let Some(name) = path.strip_prefix("/dev/") else {
        return false;
    };
    let first = name.split('/').next().unwrap_or_default();
    let stem = first.trim_end_matches(|c: char| c.is_ascii_digit());
    let is_tty = first.starts_with("tty") || first.starts_with("vcs") || first.starts_with("st") && first != stem;
    !name.is_empty() && !is_tty && !HARMLESS.contains(&stem) && !HARMLESS.contains(&first)
}

/// True when the word names, or may name, a disk: a path below `/dev`, also one whose end is not known.
pub fn may_be_device(word: &Word) -> bool {
    let head = word.head();
    match word.text() {
        Some(text) => is_device(&text),
        // `/dev/sd$x`, `/dev/$x`
        None => head == "/dev/" || is_device(&head),
    }
}

/// The name that the kernel gave to a disk, when the text has one: `/dev/sdb` of `/dev/sdb1`.
pub fn kernel_disk(text: &str) -> Option<String> {
    kernel_disks(text).into_iter().next()
}

/// All of them. `/dev/sd` with a letter that is not known yet, or with a glob, counts.
pub fn kernel_disks(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    for (at, found) in text.match_indices("/dev/") {
        // `/host/dev/sda` may be something else, `of=/dev/sda` is not.
        let before = text[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || "_-./".contains(c)) {
            continue;
        }
        let name = &text[at + found.len()..];
        let is_open = |c: char| "*?[{$".contains(c) || c == script::UNKNOWN || c == '…';
        let is_disk = KERNEL.iter().any(|(start, letter)| {
            let Some(rest) = name.strip_prefix(start) else {
                return false;
            };
            let mut chars = rest.chars();
            match chars.next() {
                Some(c) if is_open(c) => true,
                Some(c) if *letter && c.is_ascii_lowercase() => {
                    // `sda`, `sdab3`; not `sdcard`, `hdmi`.
                    let letters = rest.chars().take_while(char::is_ascii_lowercase).count();
                    let after = rest.chars().nth(letters);
                    letters <= 3 && after.is_none_or(|c| !(c == '_' || c == '-' || c.is_ascii_uppercase()))
                }
                Some(c) => !*letter && c.is_ascii_digit(),
                None => false,
            }
        });
        if is_disk {
            let end = name
                .find(|c: char| !(c.is_ascii_alphanumeric() || is_open(c) || "]}-,".contains(c)))
                .unwrap_or(name.len());
            let name = name.get(..end).unwrap_or(name).trim_end_matches(',');
            out.push(format!("/dev/{}", name.replace(script::UNKNOWN, "…")));
        }
    }
    out.dedup();
    out
}

/// The kernel's names that stand in a word.
pub fn in_word(word: &Word) -> Vec<String> {
    let text: String = word
        .0
        .iter()
        .map(|part| match part {
            Part::Text { text, .. } => text.clone(),
            Part::Variable { .. } | Part::Unknown => script::UNKNOWN.to_string(),
        })
        .collect();
    kernel_disks(&text)
}

/// The kernel's names in any text of the arguments.
pub fn in_args(args: &Map<String, Json>) -> Vec<String> {
    let mut out = Vec::new();
    for value in args.values() {
        in_value(value, &mut out);
    }
    out
}

fn in_value(value: &Json, out: &mut Vec<String>) {
    match value {
        Json::String(text) => {
            for disk in kernel_disks(text) {
                if !out.contains(&disk) {
                    out.push(disk);
                }
            }
        }
        Json::Array(items) => items.iter().for_each(|item| in_value(item, out)),
        Json::Object(map) => map.values().for_each(|item| in_value(item, out)),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

/// True for a command line that looks at the disks of its host: a pre-flight check made of it is about them.
pub fn reads_disks(line: &str) -> bool {
    const READERS: &[&str] = &[
        "blkid",
        "blockdev",
        "fdisk",
        "hdparm",
        "lsblk",
        "lshw",
        "lsscsi",
        "mdadm",
        "multipath",
        "nvme",
        "parted",
        "pvs",
        "sfdisk",
        "sgdisk",
        "smartctl",
        "udevadm",
        "gdisk",
        "ssacli",
        "hpssacli",
        "hpacucli",
        "storcli",
        "storcli64",
        "MegaCli",
        "MegaCli64",
        "perccli",
        "perccli64",
    ];
    const PLACES: &[&str] = &["/proc/partitions", "/sys/block", "/sys/class/block", "/dev/disk/by-"];
    script::commands(line).iter().any(|command| {
        command.program().is_some_and(|name| READERS.contains(&name.as_str()))
            || command
                .words
                .iter()
                .chain(command.redirects.iter().map(|redirect| &redirect.target))
                .any(|word| PLACES.iter().any(|place| word.head().contains(place)))
    })
}
