//! Facts of the network, from `ip`.

use std::net::Ipv4Addr;

use serde_json::{Map, Value as Json, json};

use super::Facts;
use super::raw::Raw;

pub(super) fn add(raw: &Raw, facts: &mut Facts) {
    if !raw.has("ip_link") {
        return;
    }
    let mut interfaces = links(raw);
    addresses(raw, &mut interfaces);
    let names: Vec<&String> = interfaces.keys().collect();
    facts.set("network", "interfaces", json!(names));
    let of = |kind: &str, include: fn(&str) -> bool| -> Vec<String> {
        let mut all = Vec::new();
        for entry in interfaces.values() {
            let lists = [entry.get(kind), entry.get("ipv4_secondaries").filter(|_| kind == "ipv4")];
            for value in lists.into_iter().flatten() {
                let items = match value {
                    Json::Array(items) => items.clone(),
                    single => vec![single.clone()],
                };
                all.extend(items.iter().filter_map(|item| item["address"].as_str()).map(str::to_owned));
            }
        }
        all.retain(|address| include(address));
        all
    };
    facts.set("network", "all_ipv4_addresses", of("ipv4", |a| !a.starts_with("127.")));
    facts.set("network", "all_ipv6_addresses", of("ipv6", |a| a != "::1"));
    facts.set("network", "default_ipv4", default(raw.get("route4"), "ipv4", &interfaces));
    facts.set("network", "default_ipv6", default(raw.get("route6"), "ipv6", &interfaces));
    for (name, entry) in interfaces {
        facts.set("network", name.replace('-', "_"), entry);
    }
}

/// `2: eth0@if5: <UP> mtu 1500 … state UP … \    link/ether 02:… brd ff:…`
fn links(raw: &Raw) -> Map<String, Json> {
    let mut all = Map::new();
    for line in raw.get("ip_link").lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some(name) = words.get(1).map(|name| name.trim_end_matches(':')) else {
            continue;
        };
        let name = name.split('@').next().unwrap_or(name);
        let after = |key: &str| {
            let at = words.iter().position(|word| *word == key)?;
            words.get(at.saturating_add(1)).copied()
        };
        let flags = words.get(2).copied().unwrap_or_default();
        let mut entry = Map::new();
        let mut set = |key: &str, value: Json| drop(entry.insert(key.to_owned(), value));
        set("device", name.into());
        set("active", (flags.contains("UP") && after("state") != Some("DOWN")).into());
        set("promisc", flags.contains("PROMISC").into());
        set("type", kind(raw, name).into());
        if let Some(mtu) = after("mtu").and_then(|mtu| mtu.parse::<u64>().ok()) {
            set("mtu", mtu.into());
        }
        let address = words.iter().position(|word| word.starts_with("link/"));
        if let Some(mac) = address.and_then(|at| words.get(at.saturating_add(1))).filter(|mac| mac.contains(':'))
            && *mac != "00:00:00:00:00:00" {
                set("macaddress", (*mac).into());
            }
        if let Some(speed) = column(raw, name, 2).and_then(|speed| speed.parse::<i64>().ok()) {
            set("speed", speed.into());
        }
        all.insert(name.to_owned(), Json::Object(entry));
    }
    all
}

fn column<'a>(raw: &'a Raw, name: &str, at: usize) -> Option<&'a str> {
    let mut lines = raw.get("net_types").lines();
    let line = lines.find(|line| line.split(' ').next() == Some(name))?;
    line.split(' ').nth(at).filter(|word| !word.is_empty())
}

fn kind(raw: &Raw, name: &str) -> &'static str {
    match (column(raw, name, 3), column(raw, name, 1)) {
        (Some("bridge"), _) => "bridge",
        (Some("bonding"), _) => "bonding",
        (_, Some("1")) => "ether",
        (_, Some("32")) => "infiniband",
        (_, Some("512")) => "ppp",
        (_, Some("772")) => "loopback",
        (_, Some("776" | "65534")) => "tunnel",
        _ => "unknown",
    }
}

/// `2: eth0    inet 192.0.2.2/24 brd 192.0.2.255 scope global secondary eth0\ …`
fn addresses(raw: &Raw, interfaces: &mut Map<String, Json>) {
    for line in raw.get("ip_addr").lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, name, family, address, rest @ ..] = words.as_slice() else {
            continue;
        };
        let Some(entry) = interfaces.get_mut(*name).and_then(Json::as_object_mut) else {
            continue;
        };
        let (address, prefix) = address.split_once('/').unwrap_or((address, "32"));
        let after = |key: &str| {
            let at = rest.iter().position(|word| *word == key)?;
            rest.get(at.saturating_add(1)).copied()
        };
        match *family {
            "inet" => {
                let Some(value) = ipv4(address, prefix, after("brd").unwrap_or_default()) else {
                    continue;
                };
                if entry.contains_key("ipv4") {
                    let list = entry.entry("ipv4_secondaries").or_insert_with(|| json!([]));
                    if let Json::Array(list) = list {
                        list.push(value);
                    }
                } else {
                    entry.insert("ipv4".into(), value);
                }
            }
            "inet6" => {
                let scope = after("scope").unwrap_or("unknown");
                let value = json!({"address": address, "prefix": prefix, "scope": scope});
                if let Json::Array(list) = entry.entry("ipv6").or_insert_with(|| json!([])) {
                    list.push(value);
                }
            }
            _ => {}
        }
    }
}

fn ipv4(address: &str, prefix: &str, broadcast: &str) -> Option<Json> {
    let number = u32::from(address.parse::<Ipv4Addr>().ok()?);
    let bits = prefix.parse::<u32>().ok().filter(|bits| *bits <= 32)?;
    let mask = u32::MAX.checked_shl(32_u32.saturating_sub(bits)).unwrap_or(0);
    Some(json!({
        "address": address, "prefix": prefix, "broadcast": broadcast,
        "netmask": Ipv4Addr::from(mask).to_string(), "network": Ipv4Addr::from(number & mask).to_string(),
    }))
}

/// `8.8.8.8 via 192.0.2.1 dev eth0 src 192.0.2.2 uid 0`
fn default(route: &str, family: &str, interfaces: &Map<String, Json>) -> Json {
    let words: Vec<&str> = route.lines().next().unwrap_or_default().split_whitespace().collect();
    let after = |key: &str| {
        let at = words.iter().position(|word| *word == key)?;
        words.get(at.saturating_add(1)).copied()
    };
    let Some(entry) = after("dev").and_then(|device| interfaces.get(device)) else {
        return json!({});
    };
    let source = after("src");
    let mut out = Map::new();
    let listed: Vec<&Json> = match entry.get(family) {
        Some(Json::Array(items)) => items.iter().collect(),
        Some(single) => {
            let more = entry.get("ipv4_secondaries").and_then(Json::as_array);
            std::iter::once(single).chain(more.into_iter().flatten()).collect()
        }
        None => Vec::new(),
    };
    let chosen = listed.iter().find(|a| a["address"].as_str() == source).or(listed.first());
    if let Some(Json::Object(address)) = chosen {
        out.extend(address.clone());
    }
    out.insert("interface".into(), entry["device"].clone());
    if family == "ipv4" {
        out.insert("alias".into(), entry["device"].clone());
    }
    if let Some(gateway) = after("via") {
        out.insert("gateway".into(), gateway.into());
    }
    for key in ["macaddress", "mtu", "type"] {
        if let Some(value) = entry.get(key) {
            out.insert(key.to_owned(), value.clone());
        }
    }
    Json::Object(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_addresses_and_the_way_out_are_found() {
        let link = "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN \\    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00\n\
                    2: br-x@if5: <BROADCAST,UP> mtu 1500 qdisc q state UP mode DEFAULT \\    link/ether 02:fc:00:00:00:01 brd ff:ff:ff:ff:ff:ff\n\
                    3: eth1: <BROADCAST> mtu 1500 state DOWN \\    link/ether 02:fc:00:00:00:02 brd ff:ff:ff:ff:ff:ff\n";
        let addr = "1: lo    inet 127.0.0.1/8 scope host lo\\ x\n\
                    2: br-x    inet 10.1.2.3/20 brd 10.1.15.255 scope global br-x\\ x\n\
                    2: br-x    inet 10.1.2.4/20 brd 10.1.15.255 scope global secondary br-x\\ x\n\
                    2: br-x    inet6 fe80::1/64 scope link \\ x\n";
        let raw = Raw::of(&[
            ("ip_link", link),
            ("ip_addr", addr),
            ("route4", "8.8.8.8 via 10.1.0.1 dev br-x src 10.1.2.3 uid 0 \\    cache"),
            ("net_types", "lo 772 -1 \nbr-x 1 1000 bridge\neth1 1 -1 "),
        ]);
        let mut facts = Facts::default();
        add(&raw, &mut facts);
        let facts: Map<String, Json> = facts.0.into_iter().map(|(_, name, value)| (name, value)).collect();
        assert_eq!(facts["interfaces"], json!(["lo", "br-x", "eth1"]));
        assert_eq!(facts["all_ipv4_addresses"], json!(["10.1.2.3", "10.1.2.4"]));
        assert_eq!(facts["br_x"]["type"], "bridge");
        assert_eq!(facts["eth1"]["active"], false);
        let default = &facts["default_ipv4"];
        assert_eq!(default["gateway"], "10.1.0.1");
        assert_eq!(default["address"], "10.1.2.3");
        assert_eq!((&default["netmask"], &default["network"]), (&json!("255.255.240.0"), &json!("10.1.0.0")));
        assert_eq!(facts["default_ipv6"], json!({}));
    }
}
