//! What `lsblk -P` prints, as a short description of a machine's disks.

use std::collections::HashMap;

/// One disk and what hangs on it.
#[derive(Debug, Default)]
struct Disk {
    name: String,
    bytes: u64,
    rotating: bool,
    mounts: Vec<String>,
    parts: usize,
}

/// One line a disk, equal neighbours as one: `sdb … sdm  12 × 4.0 TB  hdd  empty`. The system disk is named first.
/// An answer that is not lsblk's is given back as it is.
pub fn describe(answer: &str) -> Vec<String> {
    let Some(disks) = read(answer) else {
        return answer.lines().map(str::to_owned).collect();
    };
    let mut out = Vec::new();
    let system: Vec<&str> = disks
        .iter()
        .filter(|disk| disk.mounts.iter().any(|m| m == "/"))
        .map(|disk| disk.name.as_str())
        .collect();
    out.push(match system.as_slice() {
        [] => "system disk: none found".to_owned(),
        names => format!("system disk: {}", names.join(", ")),
    });
    let mut run: Vec<&Disk> = Vec::new();
    for disk in &disks {
        if run.last().is_some_and(|last| kind(last) != kind(disk)) {
            out.push(line(&run));
            run.clear();
        }
        run.push(disk);
    }
    if !run.is_empty() {
        out.push(line(&run));
    }
    out
}

/// What makes two disks equal in the description.
fn kind(disk: &Disk) -> (u64, bool, usize, &[String]) {
    (disk.bytes, disk.rotating, disk.parts, &disk.mounts)
}

fn line(run: &[&Disk]) -> String {
    let (Some(first), Some(last)) = (run.first(), run.last()) else {
        return String::new();
    };
    let names = match run.len() {
        1 => first.name.clone(),
        2 => format!("{}, {}", first.name, last.name),
        _ => format!("{} … {}", first.name, last.name),
    };
    let count = if run.len() > 1 {
        format!("{} × ", run.len())
    } else {
        String::new()
    };
    let turning = if first.rotating { "hdd" } else { "ssd" };
    let used = match (first.mounts.as_slice(), first.parts) {
        ([], 0) => "empty".to_owned(),
        ([], parts) => format!("{parts} parts, not mounted"),
        (mounts, _) => mounts.join(" "),
    };
    format!("{names}  {count}{}  {turning}  {used}", size(first.bytes))
}

fn size(bytes: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB", "PB"];
    #[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    let name = units.get(unit).copied().unwrap_or("B");
    if unit == 0 {
        format!("{bytes} B")
    } else {
        format!("{value:.1} {name}")
    }
}

/// The disks, in lsblk's order; `None` when a line is not of its form.
fn read(answer: &str) -> Option<Vec<Disk>> {
    let mut disks: Vec<Disk> = Vec::new();
    for text in answer.lines().filter(|line| !line.trim().is_empty()) {
        let fields = pairs(text)?;
        let name = fields.get("NAME")?.clone();
        let mount = fields.get("MOUNTPOINT").cloned().unwrap_or_default();
        match fields.get("TYPE")?.as_str() {
            "disk" => disks.push(Disk {
                name,
                bytes: fields.get("SIZE").and_then(|s| s.parse().ok()).unwrap_or(0),
                rotating: fields.get("ROTA").is_some_and(|r| r == "1"),
                mounts: Vec::new(),
                parts: 0,
            }),
            // Removable media come and go.
            "rom" | "loop" => continue,
            // lsblk prints children after the disk they are on.
            _ => disks.last_mut()?.parts += 1,
        }
        if !mount.is_empty() {
            disks.last_mut()?.mounts.push(mount);
        }
    }
    Some(disks)
}

/// `KEY="value" KEY="value"`, with lsblk's `\x20` for odd characters left as it is.
fn pairs(line: &str) -> Option<HashMap<String, String>> {
    let mut out = HashMap::new();
    let mut rest = line.trim();
    while !rest.is_empty() {
        let (key, after) = rest.split_once("=\"")?;
        let (value, after) = after.split_once('"')?;
        out.insert(key.trim().to_owned(), value.to_owned());
        rest = after.trim_start();
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disks_are_described_in_few_lines() {
        let answer = concat!(
            "NAME=\"sda\" SIZE=\"480103981056\" TYPE=\"disk\" ROTA=\"0\" MOUNTPOINT=\"\"\n",
            "NAME=\"sda1\" SIZE=\"1073741824\" TYPE=\"part\" ROTA=\"0\" MOUNTPOINT=\"/boot\"\n",
            "NAME=\"rhel-root\" SIZE=\"479029010432\" TYPE=\"lvm\" ROTA=\"0\" MOUNTPOINT=\"/\"\n",
            "NAME=\"sdb\" SIZE=\"4000787030016\" TYPE=\"disk\" ROTA=\"1\" MOUNTPOINT=\"\"\n",
            "NAME=\"sdc\" SIZE=\"4000787030016\" TYPE=\"disk\" ROTA=\"1\" MOUNTPOINT=\"\"\n",
            "NAME=\"sr0\" SIZE=\"1073741312\" TYPE=\"rom\" ROTA=\"1\" MOUNTPOINT=\"\"\n",
        );
        assert_eq!(
            describe(answer),
            [
                "system disk: sda",
                "sda  480.1 GB  ssd  /boot /",
                "sdb, sdc  2 × 4.0 TB  hdd  empty"
            ]
        );
    }

    #[test]
    fn an_answer_of_another_form_is_shown_as_it_is() {
        assert_eq!(describe("lsblk: not found"), ["lsblk: not found"]);
    }
}
