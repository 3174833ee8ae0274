//! Facts of the hardware: memory, processors, disks, mounts, the machine's own description.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

use super::Facts;
use super::raw::Raw;

pub(super) fn add(raw: &Raw, facts: &mut Facts) {
    if raw.has("meminfo") {
        memory(raw, facts);
    }
    if raw.has("cpuinfo") {
        processors(raw, facts);
    }
    if raw.has("mounts") {
        facts.set("mounts", "mounts", mounts(raw));
        facts.set("hardware", "devices", devices(raw));
        machine(raw, facts);
    }
    let load: Vec<f64> = raw.get("loadavg").split(' ').take(3).filter_map(|n| n.parse().ok()).collect();
    if let [one, five, fifteen] = load.as_slice() {
        facts.set("loadavg", "loadavg", json!({"1m": one, "5m": five, "15m": fifteen}));
    }
    if let Some(seconds) = raw.get("uptime").split('.').next().and_then(|n| n.parse::<u64>().ok()) {
        facts.set("hardware", "uptime_seconds", seconds);
    }
    for (name, key) in [("vgs", "vgs"), ("lvs", "lvs"), ("pvs", "pvs")] {
        if raw.has(name) {
            let value = volumes(raw, key);
            facts.0.push(("hardware", format!("_{key}"), value));
        }
    }
    lvm(facts);
}

fn memory(raw: &Raw, facts: &mut Facts) {
    let mb = |key: &str| -> u64 {
        let line = raw.get("meminfo").lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        let kb = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
        kb.unwrap_or(0) / 1024
    };
    let (total, free) = (mb("MemTotal"), mb("MemFree"));
    let (swap, swap_free) = (mb("SwapTotal"), mb("SwapFree"));
    let idle = free.saturating_add(mb("Buffers")).saturating_add(mb("Cached"));
    facts.set("hardware", "memtotal_mb", total);
    facts.set("hardware", "memfree_mb", free);
    facts.set("hardware", "swaptotal_mb", swap);
    facts.set("hardware", "swapfree_mb", swap_free);
    facts.set(
        "hardware",
        "memory_mb",
        json!({
            "real": {"total": total, "used": total.saturating_sub(free), "free": free},
            "nocache": {"free": idle, "used": total.saturating_sub(idle)},
            "swap": {"total": swap, "free": swap_free, "used": swap.saturating_sub(swap_free), "cached": mb("SwapCached")},
        }),
    );
}

fn processors(raw: &Raw, facts: &mut Facts) {
    let mut list: Vec<Json> = Vec::new();
    let mut sockets = BTreeSet::new();
    let (mut count, mut cores, mut siblings) = (0_u64, 0_u64, 0_u64);
    let (mut vendor, mut model) = (String::new(), String::new());
    let text = format!("{}\n\n", raw.get("cpuinfo"));
    let mut number = None;
    for line in text.lines() {
        let Some((key, value)) = line.split_once(':') else {
            // An empty line ends one processor.
            if let Some(number) = number.take() {
                list.push(json!(number));
                list.extend([&vendor, &model].into_iter().filter(|t| !t.is_empty()).map(|t| json!(t)));
            }
            continue;
        };
        let value = value.trim();
        match key.trim() {
            "processor" => {
                count = count.saturating_add(1);
                number = Some(value.to_owned());
            }
            "vendor_id" => value.clone_into(&mut vendor),
            "model name" | "cpu" | "Processor" => value.clone_into(&mut model),
            "physical id" => {
                sockets.insert(value.to_owned());
            }
            "cpu cores" => cores = value.parse().unwrap_or(0),
            "siblings" => siblings = value.parse().unwrap_or(0),
            "flags" | "Features" if !facts.0.iter().any(|(_, name, _)| name == "flags") => {
                facts.set("hardware", "flags", value.split_whitespace().collect::<Vec<_>>());
            }
            _ => {}
        }
    }
    let count = count.max(1);
    let sockets = u64::try_from(sockets.len()).unwrap_or(0);
    let (sockets, cores) = match (sockets, cores) {
        (0, _) => (count, 1),
        (sockets, 0) => (sockets, count.checked_div(sockets).unwrap_or(0).max(1)),
        (sockets, cores) => (sockets, cores),
    };
    let threads = siblings.checked_div(cores).unwrap_or(0).max(1);
    facts.set("processor", "processor", list);
    facts.set("processor", "processor_count", sockets);
    facts.set("processor", "processor_cores", cores);
    facts.set("processor", "processor_threads_per_core", threads);
    facts.set("processor", "processor_vcpus", sockets.saturating_mul(cores).saturating_mul(threads));
    let usable = raw.get("nproc").parse::<u64>().unwrap_or(count);
    facts.set("processor", "processor_nproc", usable);
}

/// Octal escapes of `/proc/mounts`.
fn unescape(text: &str) -> String {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let code: Vec<u8> = if byte == b'\\' { bytes.clone().take(3).collect() } else { Vec::new() };
        let number = std::str::from_utf8(&code).ok().and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match number.filter(|_| code.len() == 3) {
            Some(number) => {
                out.push(number);
                bytes.nth(2);
            }
            None => out.push(byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn mounts(raw: &Raw) -> Json {
    let mut list = Vec::new();
    for line in raw.get("mounts").lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [device, mount, kind, options, rest @ ..] = words.as_slice() else {
            continue;
        };
        let device = unescape(device);
        if !device.starts_with('/') && !device.contains(":/") {
            continue;
        }
        let number = |at: usize| rest.get(at).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
        let mut entry = json!({
            "mount": unescape(mount), "device": device, "fstype": kind, "options": options,
            "dump": number(0), "passno": number(1), "uuid": uuid(raw, &device),
        });
        if let (Some(sizes), Some(entry)) = (sizes(raw, mount), entry.as_object_mut()) {
            entry.extend(sizes);
        }
        list.push(entry);
    }
    Json::Array(list)
}

fn uuid(raw: &Raw, device: &str) -> String {
    let line = raw.get("uuids").lines().find_map(|line| {
        let (uuid, path) = line.split_once(' ')?;
        (path == device).then(|| uuid.to_owned())
    });
    line.unwrap_or_else(|| "N/A".to_owned())
}

fn sizes(raw: &Raw, mount: &str) -> Option<Map<String, Json>> {
    let line = raw.get("filesystems").lines().find_map(|line| line.strip_prefix(mount)?.strip_prefix(' '))?;
    let numbers: Vec<u64> = line.split(' ').filter_map(|n| n.parse().ok()).collect();
    let [size, total, free, available, inodes, inodes_free] = numbers.as_slice() else {
        return None;
    };
    let value = json!({
        "size_total": total.saturating_mul(*size), "size_available": available.saturating_mul(*size),
        "block_size": size, "block_total": total, "block_available": available, "block_used": total.saturating_sub(*free),
        "inode_total": inodes, "inode_available": inodes_free, "inode_used": inodes.saturating_sub(*inodes_free),
    });
    value.as_object().cloned()
}

/// Bytes as Ansible shows sizes of disks: `10.00 GB`.
fn human(bytes: u64) -> String {
    let units = [("TB", 1_u64 << 40), ("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10)];
    for (unit, size) in units {
        if bytes >= size {
            #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
            let value = bytes as f64 / size as f64;
            return format!("{value:.2} {unit}");
        }
    }
    format!("{bytes}.00 Bytes")
}

fn devices(raw: &Raw) -> Json {
    let mut all: Map<String, Json> = Map::new();
    let (mut disk, mut part): (Option<String>, Option<String>) = (None, None);
    let mut sector = 512;
    for line in raw.get("blocks").lines() {
        let (key, value) = line.split_once(' ').unwrap_or((line, ""));
        let value = value.trim();
        match key {
            "disk" => {
                sector = 512;
                all.insert(value.to_owned(), new_disk(raw, value));
                (disk, part) = (Some(value.to_owned()), None);
                continue;
            }
            "part" => {
                part = Some(value.to_owned());
                if let Some(parts) = entry(&mut all, disk.as_ref(), None).and_then(|d| d.get_mut("partitions")) {
                    parts[value] = json!({
                        "holders": [], "links": links(raw, value), "uuid": uuid(raw, &format!("/dev/{value}")),
                    });
                }
                continue;
            }
            "queue/logical_block_size" => sector = value.parse().unwrap_or(512),
            _ => {}
        }
        let Some(entry) = entry(&mut all, disk.as_ref(), part.as_ref()) else {
            continue;
        };
        match key {
            "size" => {
                // The kernel counts in 512 bytes, whatever the disk does.
                let sectors: u64 = value.parse().unwrap_or(0);
                entry.insert("sectors".into(), sectors.into());
                entry.insert("sectorsize".into(), sector.into());
                entry.insert("size".into(), human(sectors.saturating_mul(512)).into());
            }
            "start" => {
                entry.insert("start".into(), value.into());
            }
            "removable" => {
                entry.insert("removable".into(), value.into());
            }
            "queue/rotational" => {
                entry.insert("rotational".into(), value.into());
            }
            "device/vendor" | "device/model" => {
                entry.insert(key.trim_start_matches("device/").to_owned(), value.into());
            }
            "holder" => {
                if let Some(Json::Array(holders)) = entry.get_mut("holders") {
                    holders.push(value.into());
                }
            }
            "queue/logical_block_size" => {
                entry.insert("sectorsize".into(), sector.into());
            }
            _ => {}
        }
    }
    Json::Object(all)
}

fn entry<'a>(
    all: &'a mut Map<String, Json>,
    disk: Option<&String>,
    part: Option<&String>,
) -> Option<&'a mut Map<String, Json>> {
    let disk = all.get_mut(disk?)?;
    match part {
        None => disk.as_object_mut(),
        Some(part) => disk.get_mut("partitions")?.get_mut(part)?.as_object_mut(),
    }
}

fn new_disk(raw: &Raw, name: &str) -> Json {
    let virtual_ = ["loop", "ram", "dm-", "md", "zram", "sr"].iter().any(|begin| name.starts_with(begin));
    json!({
        "virtual": i32::from(virtual_), "links": links(raw, name), "vendor": null, "model": null, "holders": [],
        "partitions": {}, "removable": "0", "host": "",
    })
}

fn links(raw: &Raw, name: &str) -> Json {
    let path = format!("/dev/{name}");
    let of = |text: &str| -> Vec<String> {
        let pairs = text.lines().filter_map(|line| line.split_once(' '));
        pairs.filter(|(_, to)| *to == path).map(|(label, _)| label.to_owned()).collect()
    };
    json!({"ids": [], "uuids": of(raw.get("uuids")), "labels": of(raw.get("labels")), "masters": []})
}

fn machine(raw: &Raw, facts: &mut Facts) {
    for (name, key) in [
        ("product_name", "product_name"),
        ("product_version", "product_version"),
        ("product_serial", "product_serial"),
        ("product_uuid", "product_uuid"),
        ("bios_date", "bios_date"),
        ("bios_vendor", "bios_vendor"),
        ("bios_version", "bios_version"),
        ("system_vendor", "sys_vendor"),
        ("board_name", "board_name"),
        ("board_vendor", "board_vendor"),
        ("board_version", "board_version"),
        ("board_serial", "board_serial"),
        ("board_asset_tag", "board_asset_tag"),
        ("chassis_vendor", "chassis_vendor"),
        ("chassis_version", "chassis_version"),
        ("chassis_serial", "chassis_serial"),
        ("chassis_asset_tag", "chassis_asset_tag"),
    ] {
        let value = raw.get(&format!("dmi_{key}")).trim();
        facts.set("hardware", name, if value.is_empty() { "NA" } else { value });
    }
    let form = match raw.get("dmi_chassis_type").parse::<u32>().unwrap_or(0) {
        1 => "Other",
        2 => "Unknown",
        3 => "Desktop",
        4 => "Low Profile Desktop",
        7 => "Tower",
        8 => "Portable",
        9 => "Laptop",
        10 => "Notebook",
        17 => "Main Server Chassis",
        23 => "Rack Mount Chassis",
        28 => "Blade",
        29 => "Blade Enclosure",
        _ => "NA",
    };
    facts.set("hardware", "form_factor", form);
}

fn volumes(raw: &Raw, key: &str) -> Json {
    let mut all = Map::new();
    for line in raw.get(key).lines() {
        let parts: Vec<&str> = line.trim().split('|').collect();
        let (name, value) = match (key, parts.as_slice()) {
            ("vgs", [name, lvs, pvs, size, free]) => {
                (name, json!({"num_lvs": lvs, "num_pvs": pvs, "size_g": size, "free_g": free}))
            }
            ("lvs", [name, vg, size]) => (name, json!({"vg": vg, "size_g": size})),
            ("pvs", [name, vg, size, free]) => (name, json!({"vg": vg, "size_g": size, "free_g": free})),
            _ => continue,
        };
        all.insert((*name).to_owned(), value);
    }
    Json::Object(all)
}

/// The three tables become one fact; without the tools it is `N/A`.
fn lvm(facts: &mut Facts) {
    let mut all = Map::new();
    facts.0.retain(|(_, name, value)| {
        let table = match name.as_str() {
            "_vgs" => "vgs",
            "_lvs" => "lvs",
            "_pvs" => "pvs",
            _ => return true,
        };
        all.insert(table.to_owned(), value.clone());
        false
    });
    let hardware = facts.0.iter().any(|(_, name, _)| name == "memtotal_mb");
    if hardware {
        let value = if all.is_empty() { json!("N/A") } else { Json::Object(all) };
        facts.set("hardware", "lvm", value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(pairs: &[(&str, &str)]) -> Map<String, Json> {
        let mut facts = Facts::default();
        add(&Raw::of(pairs), &mut facts);
        facts.0.into_iter().map(|(_, name, value)| (name, value)).collect()
    }

    #[test]
    fn processors_are_counted_by_sockets_cores_and_threads() {
        let one = |n: u32, socket: u32| {
            format!("processor\t: {n}\nvendor_id\t: I\nmodel name\t: M\nphysical id\t: {socket}\nsiblings\t: 4\ncpu cores\t: 2\nflags\t: a b\n\n")
        };
        let text: String = (0..8).map(|n| one(n, n / 4)).collect();
        let facts = facts(&[("cpuinfo", &text), ("nproc", "8")]);
        assert_eq!(facts["processor_count"], 2);
        assert_eq!(facts["processor_cores"], 2);
        assert_eq!(facts["processor_threads_per_core"], 2);
        assert_eq!(facts["processor_vcpus"], 8);
        assert_eq!(facts["processor"][3], "1");
        assert_eq!(facts["processor"].as_array().map(Vec::len), Some(24));
    }

    #[test]
    fn mounts_have_sizes_and_unescaped_names() {
        let facts = facts(&[
            ("mounts", "/dev/sda1 /a\\040b ext4 rw,relatime 0 1\nproc /proc proc rw 0 0\nnas:/x /n nfs rw 0 0\n"),
            ("filesystems", "/a\\040b 4096 100 60 50 20 15\n"),
            ("uuids", "1234-5678 /dev/sda1\n"),
        ]);
        let mounts = facts["mounts"].as_array().unwrap();
        assert_eq!(mounts.len(), 2);
        assert_eq!(mounts[0]["mount"], "/a b");
        assert_eq!(mounts[0]["size_available"], 204_800);
        assert_eq!(mounts[0]["uuid"], "1234-5678");
        assert_eq!(mounts[1].get("size_total"), None);
    }

    #[test]
    fn disks_have_partitions() {
        let blocks = "disk sda\nsize 41943040\nremovable 0\nqueue/rotational 1\nqueue/logical_block_size 512\ndevice/model VBOX\npart sda1\nsize 2097152\nstart 2048\nholder dm-0\n";
        let facts = facts(&[("mounts", ""), ("blocks", blocks)]);
        let sda = &facts["devices"]["sda"];
        assert_eq!(sda["size"], "20.00 GB");
        assert_eq!(sda["model"], "VBOX");
        assert_eq!(sda["partitions"]["sda1"]["size"], "1.00 GB");
        assert_eq!(sda["partitions"]["sda1"]["holders"], json!(["dm-0"]));
    }
}
