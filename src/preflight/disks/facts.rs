//! What `disks.sh` says, put together: each disk with all that lies on it, through partitions, LVM, md, multipath and LUKS.
//!
//! lsblk and /sys are two witnesses. /sys is believed about a disk only when both give it the same size; where they
//! speak of different machines (a container, a stand-in for lsblk) lsblk is asked alone.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The disks of a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// In an order that stays: by the slot they are in, then by their names that stay, then by the kernel's names.
    pub disks: Vec<Disk>,
}

/// One disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disk {
    /// The kernel's name, without `/dev/`. It may be another one after the next boot.
    pub name: String,
    /// Size.
    pub bytes: u64,
    /// Whether it turns; `None`: unknown.
    pub rotational: Option<bool>,
    /// A stick or a card.
    pub removable: bool,
    /// Its model.
    pub model: String,
    /// Its serial number.
    pub serial: String,
    /// Its world wide name.
    pub wwn: String,
    /// Its names in /dev/disk/by-id, the best one first.
    pub ids: Vec<String>,
    /// Its first name in /dev/disk/by-path: the slot.
    pub slot: Option<String>,
    /// Its partitions.
    pub parts: BTreeSet<String>,
    /// What is built on it: `dm-0`, `md127`.
    pub holders: BTreeSet<String>,
    /// Where it, or something on it, is mounted; `…` where the place is not known.
    pub mounts: BTreeSet<String>,
    /// It, or something on it, is swap.
    pub swap: bool,
    /// Kinds of file systems, partition tables and volumes on it.
    pub signatures: BTreeSet<String>,
    /// The labels of its file systems; one without a label has an empty one.
    pub labels: Vec<String>,
    /// Why nobody can tell whether it is empty.
    pub doubt: Option<String>,
    /// It carries `/`, `/boot`, `/usr`, `/var` or swap.
    pub system: bool,
}

impl Disk {
    /// Something uses it now.
    pub fn is_in_use(&self) -> bool {
        !self.mounts.is_empty() || self.swap || !self.holders.is_empty()
    }

    /// Nothing is on it, and that is certain.
    pub fn is_empty(&self) -> bool {
        !self.is_in_use() && self.parts.is_empty() && self.signatures.is_empty() && self.doubt.is_none()
    }
}

/// Most lines that are read: no machine has more, and a host must not make us work without end.
const MOST_LINES: usize = 20_000;
/// How deep volumes may lie on volumes.
const DEEPEST: usize = 16;

impl Machine {
    /// Reads what the snippet said. Errors say what the host did not tell.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut lines = text.lines();
        if lines.next() != Some("batchssh-disks 1") || !text.trim_end().ends_with("\nend") {
            return Err("the answer about the disks is not complete".to_owned());
        }
        let mut facts = Facts::default();
        for line in lines.take(MOST_LINES) {
            facts.line(line);
        }
        if facts.rows.is_empty() && facts.sys.is_empty() {
            return Err("no disk was found: there is no lsblk, and /sys/block is empty or not there".to_owned());
        }
        Ok(facts.put_together())
    }
}

/// The lines, by their kinds.
#[derive(Default)]
struct Facts<'a> {
    rows: Vec<HashMap<String, String>>,
    /// lsblk told what file systems there are.
    sees_signatures: bool,
    sys: BTreeMap<&'a str, Vec<&'a str>>,
    numbers: HashMap<&'a str, &'a str>,
    words: HashMap<(&'a str, &'a str), &'a str>,
    parts: HashMap<&'a str, Vec<&'a str>>,
    slaves: Vec<(&'a str, &'a str)>,
    names: HashMap<&'a str, &'a str>,
    mounts: Vec<(&'a str, &'a str, Option<&'a str>)>,
    swaps: Vec<&'a str>,
    ids: HashMap<&'a str, Vec<&'a str>>,
    slots: HashMap<&'a str, Vec<&'a str>>,
    probes: HashMap<&'a str, &'a str>,
}

impl<'a> Facts<'a> {
    fn line(&mut self, line: &'a str) {
        let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
        let mut fields = rest.split(' ');
        let (first, second) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
        match kind {
            "lsblk" => self.sees_signatures = first.contains("FSTYPE"),
            "row" => self.rows.extend(pairs(rest)),
            "sys" => {
                self.sys.insert(first, rest.split(' ').skip(1).collect());
            }
            "dev" => {
                self.numbers.insert(second, first);
            }
            "word" => {
                let value = rest.splitn(3, ' ').nth(2).unwrap_or_default();
                self.words.insert((first, second), value);
            }
            "part" => self.parts.entry(first).or_default().push(second),
            "slave" => self.slaves.push((first, second)),
            "name" => {
                self.names.insert(second, first);
            }
            "mount" => self.mounts.push((first, second, rest.splitn(3, ' ').nth(2))),
            "used" => self.mounts.push((first, second, None)),
            "swap" => self.swaps.push(rest),
            "id" => self.ids.entry(first).or_default().push(second),
            "path" => self.slots.entry(first).or_default().push(second),
            "probe" => {
                let words = rest.split_once(' ').map_or("", |(_, words)| words);
                self.probes.insert(first, words);
            }
            // `end`, and what a later version may say.
            _ => {}
        }
    }

    fn put_together(self) -> Machine {
        let mut disks: BTreeMap<String, Disk> = BTreeMap::new();
        for row in &self.rows {
            if field(row, "TYPE") == "disk" && !is_memory(field(row, "KNAME")) {
                disks.insert(field(row, "KNAME").to_owned(), disk_of(row));
            }
        }
        if self.rows.is_empty() {
            for name in self.sys.keys() {
                let name = (*name).to_owned();
                disks.insert(
                    name.clone(),
                    Disk {
                        name,
                        ..Disk::default()
                    },
                );
            }
        }
        let mut tree = Tree::default();
        for disk in disks.values_mut() {
            self.ask_sys(disk, &mut tree);
        }
        // A card reader without a card is no disk.
        disks.retain(|_, disk| disk.bytes > 0);
        for row in &self.rows {
            let (name, parent) = (field(row, "KNAME"), field(row, "PKNAME"));
            if !parent.is_empty() {
                tree.add(name, parent);
            }
        }
        tree.believe(&self.slaves);
        self.hang_on(&mut disks, &tree);
        let mut disks: Vec<Disk> = disks.into_values().collect();
        for disk in &mut disks {
            disk.system |= disk.swap || disk.mounts.iter().any(|place| is_system(place));
            disk.ids
                .sort_by(|a, b| preference(a).cmp(&preference(b)).then_with(|| a.cmp(b)));
        }
        disks.sort_by(in_order);
        Machine { disks }
    }

    /// What /sys and /dev know about a disk, when they mean the same one.
    fn ask_sys(&self, disk: &mut Disk, tree: &mut Tree) {
        // lsblk writes cciss/c0d0 where old ones write cciss!c0d0.
        let key = disk.name.clone();
        let Some(sys) = self.sys.get(key.as_str()) else { return };
        let said: u64 = sys.first().and_then(|bytes| bytes.parse().ok()).unwrap_or(0);
        if !self.rows.is_empty() && said != disk.bytes {
            return;
        }
        disk.bytes = said;
        let flag = |index: usize| match sys.get(index) {
            Some(&"1") => Some(true),
            Some(&"0") => Some(false),
            Some(_) | None => None,
        };
        disk.removable |= flag(1).unwrap_or(false);
        disk.rotational = disk.rotational.or(flag(3));
        tree.believed.insert(key.clone());
        let word = |name: &str| self.words.get(&(key.as_str(), name)).map(|text| (*text).to_owned());
        for (place, name) in [
            (&mut disk.model, "model"),
            (&mut disk.serial, "serial"),
            (&mut disk.wwn, "wwid"),
        ] {
            if place.is_empty() {
                *place = word(name).unwrap_or_default();
            }
        }
        let links = |map: &HashMap<&str, Vec<&str>>| -> Vec<String> {
            let found = map.get(key.as_str()).into_iter().flatten();
            found.map(|link| (*link).to_owned()).collect()
        };
        disk.ids = links(&self.ids);
        let mut slots = links(&self.slots);
        slots.sort_by(|a, b| natural(a, b));
        disk.slot = slots.into_iter().next();
        for part in self.parts.get(key.as_str()).into_iter().flatten() {
            tree.add(part, &key);
            tree.believed.insert((*part).to_owned());
            disk.parts.insert((*part).to_owned());
        }
        match self.probes.get(key.as_str()).copied() {
            Some("denied") => disk.doubt = Some("it may not be read by this user; `become: true` helps".to_owned()),
            Some("unreadable") => disk.doubt = Some("its first sector cannot be read".to_owned()),
            Some("weak") => {
                disk.doubt = Some("there is neither blkid nor wipefs of util-linux to look at it".to_owned());
            }
            Some("absent") if !self.sees_signatures => disk.doubt = Some(format!("there is no /dev/{key}")),
            Some(words) => {
                if let Some(found) = words.strip_prefix("found ") {
                    disk.signatures.extend(signatures(found));
                    disk.labels.push(pair(found, "LABEL").unwrap_or_default());
                }
            }
            None => {}
        }
    }

    /// Hangs everything that lies on disks on them.
    fn hang_on(&self, disks: &mut BTreeMap<String, Disk>, tree: &Tree) {
        let mut each = |name: &str, change: &mut dyn FnMut(&mut Disk)| {
            for below in tree.below(name) {
                if let Some(disk) = disks.get_mut(&below) {
                    change(disk);
                }
            }
        };
        for row in &self.rows {
            let (name, kind) = (field(row, "KNAME"), field(row, "TYPE"));
            each(name, &mut |disk| {
                match kind {
                    "disk" => {}
                    "part" => {
                        disk.parts.insert(name.to_owned());
                    }
                    _ => {
                        disk.holders.insert(name.to_owned());
                    }
                }
                match field(row, "MOUNTPOINT") {
                    "" => {}
                    "[SWAP]" => disk.swap = true,
                    place => {
                        disk.mounts.insert(unescaped(place));
                    }
                }
                let found = field(row, "FSTYPE");
                if !found.is_empty() {
                    disk.signatures.insert(found.to_owned());
                    // One file system is seen twice when the disk was looked at, too.
                    if kind != "disk" || disk.labels.is_empty() {
                        disk.labels.push(unescaped(field(row, "LABEL")));
                    }
                }
            });
        }
        for (above, _) in self.slaves.iter().filter(|(above, _)| tree.believed.contains(*above)) {
            each(above, &mut |disk| {
                disk.holders.insert((*above).to_owned());
            });
        }
        for (number, source, place) in &self.mounts {
            let Some(name) = self.device(number, source, tree) else {
                continue;
            };
            each(name, &mut |disk| match place {
                Some(place) => {
                    disk.mounts.insert((*place).to_owned());
                }
                None if disk.mounts.is_empty() => {
                    disk.mounts.insert("…".to_owned());
                }
                None => {}
            });
        }
        for source in &self.swaps {
            let Some(name) = self.device("", source, tree) else {
                continue;
            };
            each(name, &mut |disk| disk.swap = true);
        }
    }

    /// The kernel's name of what is mounted, when /sys is believed about it.
    fn device(&self, number: &str, source: &'a str, tree: &Tree) -> Option<&'a str> {
        let by_number = self.numbers.get(number).copied();
        let found = by_number.or_else(|| {
            let path = source.strip_prefix("/dev/")?;
            match path.strip_prefix("mapper/") {
                Some(name) => self.names.get(name).copied(),
                None => Some(path),
            }
        });
        found.filter(|name| tree.believed.contains(*name))
    }
}

/// What lies on what.
#[derive(Default)]
struct Tree {
    below: HashMap<String, BTreeSet<String>>,
    /// Devices about which /sys is believed: disks, their partitions, and what is built on those.
    believed: BTreeSet<String>,
}

impl Tree {
    fn add(&mut self, above: &str, below: &str) {
        if above != below {
            self.below.entry(above.to_owned()).or_default().insert(below.to_owned());
        }
    }

    /// Takes in what is built on devices that are believed, and on that again.
    fn believe(&mut self, slaves: &[(&str, &str)]) {
        for _ in 0..DEEPEST {
            let before = self.believed.len();
            for (above, below) in slaves {
                if self.believed.contains(*below) {
                    self.add(above, below);
                    self.believed.insert((*above).to_owned());
                }
            }
            if self.believed.len() == before {
                break;
            }
        }
    }

    /// Everything that a device lies on, itself included.
    fn below(&self, name: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::from([name.to_owned()]);
        let mut edge = vec![name.to_owned()];
        for _ in 0..DEEPEST {
            let next: Vec<String> = edge
                .iter()
                .filter_map(|name| self.below.get(name))
                .flatten()
                .filter(|name| !found.contains(*name))
                .cloned()
                .collect();
            if next.is_empty() {
                break;
            }
            found.extend(next.iter().cloned());
            edge = next;
        }
        found
    }
}

fn disk_of(row: &HashMap<String, String>) -> Disk {
    Disk {
        name: field(row, "KNAME").to_owned(),
        bytes: field(row, "SIZE").parse().unwrap_or(0),
        rotational: match field(row, "ROTA") {
            "1" => Some(true),
            "0" => Some(false),
            _ => None,
        },
        removable: field(row, "RM") == "1",
        model: unescaped(field(row, "MODEL")),
        serial: unescaped(field(row, "SERIAL")),
        wwn: field(row, "WWN").to_owned(),
        ..Disk::default()
    }
}

fn field<'r>(row: &'r HashMap<String, String>, key: &str) -> &'r str {
    row.get(key).map_or("", String::as_str)
}

/// Memory that looks like a disk.
fn is_memory(name: &str) -> bool {
    let number = name.strip_prefix("zram").or_else(|| name.strip_prefix("ram"));
    number.is_some_and(|number| number.bytes().all(|b| b.is_ascii_digit()))
}

fn is_system(place: &str) -> bool {
    matches!(place, "/" | "/usr" | "/var") || place == "/boot" || place.starts_with("/boot/")
}

/// `KEY="value" KEY="value"`.
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

fn pair(text: &str, key: &str) -> Option<String> {
    let at = text.match_indices(&format!("{key}=\"")).find(|(at, _)| {
        let before = text.get(..*at).and_then(|text| text.chars().next_back());
        before.is_none_or(|c| c == ' ')
    })?;
    let (_, after) = text.get(at.0..)?.split_once('"')?;
    after.split_once('"').map(|(value, _)| value.to_owned())
}

/// The kinds of signatures in what blkid or wipefs said.
fn signatures(found: &str) -> Vec<String> {
    let kinds: Vec<String> = ["TYPE", "PTTYPE"].iter().filter_map(|key| pair(found, key)).collect();
    if kinds.is_empty() {
        return vec!["a signature".to_owned()];
    }
    kinds
}

/// lsblk writes `\x20` for characters that could be misread.
fn unescaped(text: &str) -> String {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let code = rest
            .strip_prefix(b"\\x")
            .and_then(|code| code.get(..2))
            .and_then(|code| std::str::from_utf8(code).ok())
            .and_then(|code| u8::from_str_radix(code, 16).ok());
        if let Some(code) = code {
            out.push(code);
            rest = rest.get(4..).unwrap_or_default();
        } else {
            out.push(first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&out).trim().to_owned()
}

/// Which kind of name a disk is best called by: its world wide name belongs to it wherever it is plugged in.
fn preference(id: &str) -> usize {
    const BEST: [&str; 5] = ["wwn-", "nvme-eui.", "nvme-uuid.", "scsi-3", "ata-"];
    BEST.iter().position(|kind| id.starts_with(kind)).unwrap_or(BEST.len())
}

/// By slot, those without one last; then by the name that stays, then by the kernel's.
fn in_order(a: &Disk, b: &Disk) -> Ordering {
    let slots = match (&a.slot, &b.slot) {
        (Some(a), Some(b)) => natural(a, b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    };
    slots
        .then_with(|| match (a.ids.first(), b.ids.first()) {
            (Some(a), Some(b)) => a.cmp(b),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        })
        .then_with(|| kernel_order(&a.name, &b.name))
}

/// `sdz` before `sdaa`: shorter names first, numbers by their value.
pub(super) fn kernel_order(a: &str, b: &str) -> Ordering {
    let letters = |name: &str| name.bytes().take_while(|b| !b.is_ascii_digit()).count();
    letters(a).cmp(&letters(b)).then_with(|| natural(a, b))
}

/// Text in which numbers are compared by their value.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    loop {
        let (Some(x), Some(y)) = (a.first(), b.first()) else {
            return a.len().cmp(&b.len());
        };
        if x.is_ascii_digit() && y.is_ascii_digit() {
            let digits = |text: &[u8]| text.iter().take_while(|b| b.is_ascii_digit()).count();
            let (one, rest_a) = a.split_at(digits(a));
            let (two, rest_b) = b.split_at(digits(b));
            let trim = |text: &[u8]| -> Vec<u8> { text.iter().copied().skip_while(|b| *b == b'0').collect() };
            let (one, two) = (trim(one), trim(two));
            match one.len().cmp(&two.len()).then_with(|| one.cmp(&two)) {
                Ordering::Equal => (a, b) = (rest_a, rest_b),
                other => return other,
            }
        } else if x == y {
            a = a.get(1..).unwrap_or_default();
            b = b.get(1..).unwrap_or_default();
        } else {
            return x.cmp(y);
        }
    }
}
