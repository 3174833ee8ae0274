//! What `lsblk -P` prints, as a short description of a machine's disks.

use std::collections::HashMap;

/// One disk and what hangs on it.
#[derive(Debug, Default)]
pub struct Disk {
    /// The kernel's name.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// It turns.
    pub rotating: bool,
    /// Where it, or what is on it, is mounted.
    pub mounts: Vec<String>,
    /// What is on it: partitions, volumes.
    pub parts: usize,
    /// The file system or signature on the disk itself, as far as it could be seen.
    pub content: String,
    /// Who made it what.
    pub model: String,
    /// The maker's number.
    pub serial: String,
    /// What is on it and not mounted could not be seen.
    pub unseen: bool,
}

impl Disk {
    /// What it is used for, in words.
    pub fn used(&self) -> String {
        match (self.mounts.as_slice(), self.parts) {
            ([], 0) if !self.content.is_empty() => format!("{}, not mounted", self.content),
            ([], 0) if self.unseen => "not partitioned, not mounted".to_owned(),
            ([], 0) => "empty".to_owned(),
            ([], 1) => "1 part, not mounted".to_owned(),
            ([], parts) => format!("{parts} parts, not mounted"),
            (mounts, _) => mounts.join(" "),
        }
    }

    /// `hdd` or `ssd`.
    pub fn turning(&self) -> &'static str {
        if self.rotating { "hdd" } else { "ssd" }
    }

    fn is_system(&self) -> bool {
        self.mounts.iter().any(|mount| mount == "/")
    }
}

/// One line a disk, equal neighbours as one: `sdb … sdm  12 × 4.0 TB  hdd  empty`. The system disk is named first.
/// An answer that is not lsblk's is given back as it is.
pub fn describe(answer: &str) -> Vec<String> {
    let Some(disks) = read(answer) else {
        return answer.lines().map(str::to_owned).collect();
    };
    if disks.is_empty() {
        return vec!["no disk".to_owned()];
    }
    let mut out = vec![format!("system disk: {}", system(&disks))];
    for run in disks.chunk_by(|a, b| kind(a) == kind(b)) {
        out.push(line(run));
    }
    out
}

fn system(disks: &[Disk]) -> String {
    let names: Vec<&str> = disks
        .iter()
        .filter(|disk| disk.is_system())
        .map(|disk| disk.name.as_str())
        .collect();
    if names.is_empty() {
        "none found".to_owned()
    } else {
        names.join(", ")
    }
}

/// The columns of a table: about the machine, then about every disk.
pub fn cells(answer: &str) -> Vec<(String, String)> {
    let Some(disks) = read(answer) else {
        return Vec::new();
    };
    let count = |wanted: &dyn Fn(&Disk) -> bool| disks.iter().filter(|disk| wanted(disk)).count().to_string();
    let mut out = vec![
        ("system_disk".to_owned(), system(&disks)),
        ("disks".to_owned(), disks.len().to_string()),
        ("hdd".to_owned(), count(&|disk| disk.rotating)),
        ("ssd".to_owned(), count(&|disk| !disk.rotating)),
        ("empty".to_owned(), count(&|disk| disk.used() == "empty")),
        (
            "total_bytes".to_owned(),
            disks
                .iter()
                .fold(0, |sum: u64, disk| sum.saturating_add(disk.bytes))
                .to_string(),
        ),
    ];
    for disk in &disks {
        let mut cell = |what: &str, value: &str| out.push((format!("{}_{what}", disk.name), value.to_owned()));
        cell("bytes", &disk.bytes.to_string());
        cell("kind", disk.turning());
        cell("use", &disk.used());
        cell("model", &disk.model);
        cell("serial", &disk.serial);
    }
    out
}

/// What makes two disks equal in the description.
fn kind(disk: &Disk) -> (u64, bool, String) {
    (disk.bytes, disk.rotating, disk.used())
}

fn line(run: &[Disk]) -> String {
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
    format!(
        "{names}  {count}{}  {}  {}",
        size(first.bytes),
        first.turning(),
        first.used()
    )
}

/// A size as makers of disks write it.
pub fn size(bytes: u64) -> String {
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
pub fn read(answer: &str) -> Option<Vec<Disk>> {
    let mut disks: Vec<Disk> = Vec::new();
    let mut unseen = false;
    let mut inside_other = false;
    for text in answer.lines().filter(|line| !line.trim().is_empty()) {
        let mut fields = pairs(text)?;
        if fields.contains_key("SIGNATURES") {
            unseen = true;
            continue;
        }
        let mut field = |name: &str| fields.remove(name).unwrap_or_default();
        let (name, mount, content) = (field("NAME"), field("MOUNTPOINT"), field("FSTYPE"));
        let bytes = field("SIZE").parse().unwrap_or(0);
        match field("TYPE").as_str() {
            "" => return None,
            "disk" if bytes > 0 && !name.starts_with("zram") => {
                inside_other = false;
                disks.push(Disk {
                    bytes,
                    rotating: field("ROTA") == "1",
                    model: field("MODEL").trim().to_owned(),
                    serial: field("SERIAL").trim().to_owned(),
                    name,
                    content,
                    ..Disk::default()
                });
            }
            // Removable media and what is made in memory come and go.
            "disk" | "rom" | "loop" => {
                inside_other = true;
                continue;
            }
            _ if inside_other => continue,
            // lsblk prints children after the disk they are on.
            _ => disks.last_mut()?.parts += 1,
        }
        if !mount.is_empty() {
            disks.last_mut()?.mounts.push(mount);
        }
    }
    for disk in &mut disks {
        disk.unseen = unseen;
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
    fn a_disk_with_something_on_it_is_not_empty() {
        let disk = |more: &str| format!("NAME=\"sdb\" TYPE=\"disk\" SIZE=\"4000787030016\" ROTA=\"1\" {more}\n");
        assert_eq!(
            describe(&disk("FSTYPE=\"xfs\" MOUNTPOINT=\"\""))[1],
            "sdb  4.0 TB  hdd  xfs, not mounted"
        );
        let unseen = format!("SIGNATURES=\"unseen\"\n{}", disk(""));
        assert_eq!(describe(&unseen)[1], "sdb  4.0 TB  hdd  not partitioned, not mounted");
        let card =
            "NAME=\"zram0\" TYPE=\"disk\" SIZE=\"9\" ROTA=\"0\"\nNAME=\"sr0\" TYPE=\"rom\" SIZE=\"9\" ROTA=\"1\"\n";
        assert_eq!(describe(card), ["no disk"]);
    }

    #[test]
    fn every_disk_has_its_columns() {
        let answer =
            "NAME=\"sda\" TYPE=\"disk\" SIZE=\"1000\" ROTA=\"0\" MOUNTPOINT=\"/\" MODEL=\"M 1 \" SERIAL=\"S\"\n";
        let cells: Vec<String> = cells(answer)
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(
            cells.join(" "),
            "system_disk=sda disks=1 hdd=0 ssd=1 empty=0 total_bytes=1000 sda_bytes=1000 sda_kind=ssd sda_use=/ sda_model=M 1 \
             sda_serial=S"
        );
    }

    #[test]
    fn an_answer_of_another_form_is_shown_as_it_is() {
        assert_eq!(describe("lsblk: not found"), ["lsblk: not found"]);
    }
}
