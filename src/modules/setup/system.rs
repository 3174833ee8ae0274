//! Facts of the running system: names, kernel, user, time, environment, services, security.

use serde_json::{Map, Value as Json, json};

use super::Facts;
use super::raw::{Raw, assignment};

pub(super) fn add(raw: &Raw, facts: &mut Facts) {
    platform(raw, facts);
    user(raw, facts);
    time(raw, facts);
    environment(raw, facts);
    services(raw, facts);
    security(raw, facts);
    names(raw, facts);
    local(raw, facts);
}

fn platform(raw: &Raw, facts: &mut Facts) {
    let node = raw.get("uname_n");
    let host = node.split('.').next().unwrap_or_default();
    let fqdn = Some(raw.get("fqdn")).filter(|name| !name.is_empty()).unwrap_or(node);
    let domain = fqdn.split_once('.').map_or("", |(_, domain)| domain);
    let machine = raw.get("uname_m");
    facts.set("platform", "system", raw.get("uname_s"));
    facts.set("platform", "kernel", raw.get("uname_r"));
    facts.set("platform", "kernel_version", raw.get("uname_v"));
    facts.set("platform", "machine", machine);
    facts.set("platform", "nodename", node);
    facts.set("platform", "hostname", host);
    facts.set("platform", "fqdn", fqdn);
    facts.set("platform", "domain", domain);
    let architecture = match machine {
        "i386" | "i486" | "i586" | "i686" => "i386",
        other => other,
    };
    facts.set("platform", "architecture", architecture);
    let bits = raw.get("bits");
    if matches!(bits, "32" | "64") {
        facts.set("platform", "userspace_bits", bits);
        let userspace = if bits == "32" && machine == "x86_64" { "i386" } else { architecture };
        facts.set("platform", "userspace_architecture", userspace);
    }
    let id = Some(raw.get("machine_id")).filter(|id| !id.is_empty());
    facts.set_text("platform", "machine_id", id.unwrap_or_else(|| raw.get("dbus_machine_id")));
}

fn user(raw: &Raw, facts: &mut Facts) {
    facts.set("user", "user_id", raw.get("user"));
    let passwd: Vec<&str> = raw.get("passwd").split(':').collect();
    let field = |at: usize| passwd.get(at).copied().unwrap_or_default();
    let number = |text: &str| text.trim().parse::<u64>().map_or(Json::Null, Json::from);
    facts.set("user", "user_uid", number(raw.get("uid")));
    facts.set("user", "user_gid", number(raw.get("gid")));
    facts.set("user", "user_gecos", field(4));
    facts.set("user", "user_dir", field(5));
    facts.set("user", "user_shell", field(6));
    facts.set("user", "effective_user_id", number(raw.get("uid")));
    facts.set("user", "effective_group_id", number(raw.get("gid")));
    facts.set("user", "real_user_id", number(raw.get("real_uid")));
    facts.set("user", "real_group_id", number(raw.get("real_gid")));
}

fn time(raw: &Raw, facts: &mut Facts) {
    let parts: Vec<&str> = raw.get("date").split('|').collect();
    let [year, month, day, hour, minute, second, zone, offset, epoch, weekday, number, week] = parts.as_slice() else {
        return;
    };
    let utc = raw.get("date_utc");
    let value = json!({
        "year": year, "month": month, "day": day, "hour": hour, "minute": minute, "second": second,
        "weekday": weekday, "weekday_number": number, "weeknumber": week,
        "epoch": epoch, "epoch_int": epoch,
        "date": format!("{year}-{month}-{day}"), "time": format!("{hour}:{minute}:{second}"),
        "iso8601": format!("{utc}Z"), "iso8601_micro": format!("{utc}.000000Z"),
        "iso8601_basic": format!("{year}{month}{day}T{hour}{minute}{second}000000"),
        "iso8601_basic_short": format!("{year}{month}{day}T{hour}{minute}{second}"),
        "tz": zone, "tz_dst": zone, "tz_offset": offset,
    });
    facts.set("date_time", "date_time", value);
}

fn environment(raw: &Raw, facts: &mut Facts) {
    let mut env: Map<String, Json> = Map::new();
    let mut last: Option<String> = None;
    for line in raw.get("environ").lines() {
        match line.split_once('=').filter(|(name, _)| is_name(name)) {
            Some((name, value)) => {
                env.insert(name.to_owned(), value.replace('\u{1}', "\n").into());
                last = Some(name.to_owned());
            }
            // `env` writes values with line ends as they are.
            None => {
                if let Some(Json::String(value)) = last.as_ref().and_then(|name| env.get_mut(name)) {
                    value.push('\n');
                    value.push_str(line);
                }
            }
        }
    }
    facts.set("env", "env", Json::Object(env));
    let mut words = Map::new();
    for word in raw.get("cmdline").split_whitespace() {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, value.into()),
            None => (word, true.into()),
        };
        words.insert(name.to_owned(), value);
    }
    facts.set("cmdline", "cmdline", Json::Object(words.clone()));
    facts.set("cmdline", "proc_cmdline", Json::Object(words));
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic())
}

fn services(raw: &Raw, facts: &mut Facts) {
    let init = raw.get("init");
    let manager = match init {
        _ if raw.has("systemd") || init == "systemd" => "systemd",
        "init" | "" if !raw.get("upstart").is_empty() => "upstart",
        _ if raw.has("openrc") => "openrc",
        "init" | "" => "sysvinit",
        other => other,
    };
    facts.set("service_mgr", "service_mgr", manager);
    let release = raw.get("redhat-release");
    let manager = match raw.get("pkg_mgr") {
        "apt-get" => "apt",
        // Some have both; the old ones use yum.
        "dnf" if release.contains("release 7") || release.contains("release 6") => "yum",
        "" => "unknown",
        other => other,
    };
    facts.set("pkg_mgr", "pkg_mgr", manager);
}

fn security(raw: &Raw, facts: &mut Facts) {
    let config = raw.get("selinux_config");
    let selinux = match raw.get("selinux").to_ascii_lowercase().as_str() {
        "" | "disabled" => json!({"status": "disabled"}),
        mode => json!({
            "status": "enabled",
            "mode": mode,
            "config_mode": assignment(config, "SELINUX").unwrap_or("unknown"),
            "type": assignment(config, "SELINUXTYPE").unwrap_or("unknown"),
            "policyvers": raw.get("selinux_policy").parse::<u64>().map_or_else(|_| json!("unknown"), Json::from),
        }),
    };
    facts.set("selinux", "selinux", selinux);
    let apparmor = if raw.has("apparmor") { "enabled" } else { "disabled" };
    facts.set("apparmor", "apparmor", json!({"status": apparmor}));
    facts.set("fips", "fips", raw.get("fips") == "1");
    for key in raw.all("host_key") {
        let mut words = key.split_whitespace();
        let (Some(kind), Some(text)) = (words.next(), words.next()) else {
            continue;
        };
        let short = match kind {
            "ssh-rsa" => "rsa",
            "ssh-dss" => "dsa",
            "ssh-ed25519" => "ed25519",
            _ if kind.starts_with("ecdsa") => "ecdsa",
            _ => continue,
        };
        facts.set("ssh_pub_keys", format!("ssh_host_key_{short}_public"), text);
        facts.set("ssh_pub_keys", format!("ssh_host_key_{short}_public_keytype"), kind);
    }
}

/// `/etc/resolv.conf`.
fn names(raw: &Raw, facts: &mut Facts) {
    let mut dns: Map<String, Json> = Map::new();
    let mut servers = Vec::new();
    for line in raw.get("resolv").lines() {
        let mut words = line.split_whitespace();
        let Some(key) = words.next() else { continue };
        let rest: Vec<&str> = words.collect();
        match key {
            "nameserver" => servers.extend(rest),
            "domain" => {
                dns.insert("domain".into(), json!(rest.first()));
            }
            "search" | "sortlist" => {
                dns.insert(key.to_owned(), json!(rest));
            }
            "options" => {
                let options = rest.iter().map(|option| match option.split_once(':') {
                    Some((name, value)) => (name.to_owned(), json!(value)),
                    None => ((*option).to_owned(), json!(true)),
                });
                dns.insert("options".into(), Json::Object(options.collect()));
            }
            _ => {}
        }
    }
    if !servers.is_empty() {
        dns.insert("nameservers".into(), json!(servers));
    }
    facts.set("dns", "dns", Json::Object(dns));
}

/// The host's own facts: JSON, or INI sections.
fn local(raw: &Raw, facts: &mut Facts) {
    let mut all = Map::new();
    let mut pairs = raw.pairs().iter();
    while let Some((name, path)) = pairs.next() {
        if name != "local" {
            continue;
        }
        let Some((_, text)) = pairs.next() else { break };
        let name = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".fact");
        let value = serde_json::from_str(text).ok().or_else(|| sections(text)).unwrap_or_else(|| {
            json!(format!("error loading facts as JSON or ini - please check content: {path}"))
        });
        all.insert(name.to_owned(), value);
    }
    facts.set("local", "local", Json::Object(all));
}

fn sections(text: &str) -> Option<Json> {
    let mut all: Map<String, Json> = Map::new();
    let mut current: Option<String> = None;
    for line in text.lines() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            all.entry(name).or_insert_with(|| json!({}));
            current = Some(name.to_owned());
            continue;
        }
        let (key, value) = line.split_once(['=', ':'])?;
        let section = all.get_mut(current.as_ref()?)?.as_object_mut()?;
        section.insert(key.trim().to_lowercase(), value.trim().into());
    }
    (!all.is_empty()).then_some(Json::Object(all))
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
    fn names_of_the_host_are_taken_apart() {
        let facts = facts(&[("uname_n", "web1.example.com"), ("fqdn", "web1.example.com"), ("uname_m", "i686")]);
        assert_eq!(facts["hostname"], "web1");
        assert_eq!(facts["domain"], "example.com");
        assert_eq!(facts["architecture"], "i386");
    }

    #[test]
    fn a_value_of_the_environment_keeps_its_line_ends() {
        let facts = facts(&[("environ", "A=1\u{1}2\nHOME=/root\nB=x=y")]);
        assert_eq!(facts["env"], json!({"A": "1\n2", "HOME": "/root", "B": "x=y"}));
    }

    #[test]
    fn selinux_is_told_with_its_mode() {
        let config = "# comment\nSELINUX=permissive\nSELINUXTYPE=targeted\n";
        let facts = facts(&[("selinux", "Enforcing"), ("selinux_config", config), ("selinux_policy", "31")]);
        assert_eq!(
            facts["selinux"],
            json!({"status": "enabled", "mode": "enforcing", "config_mode": "permissive", "type": "targeted", "policyvers": 31})
        );
    }

    #[test]
    fn facts_of_the_host_are_json_or_ini() {
        let facts = facts(&[
            ("local", "/etc/ansible/facts.d/a.fact"),
            ("local_text", "{\"x\": 1}"),
            ("local", "/etc/ansible/facts.d/b.fact"),
            ("local_text", "[s]\nKey=v\n"),
        ]);
        assert_eq!(facts["local"], json!({"a": {"x": 1}, "b": {"s": {"key": "v"}}}));
    }

    #[test]
    fn the_service_manager_follows_from_the_first_process() {
        assert_eq!(facts(&[("init", "init"), ("upstart", "init (upstart 0.6.5)")])["service_mgr"], "upstart");
        assert_eq!(facts(&[("init", "init")])["service_mgr"], "sysvinit");
        assert_eq!(facts(&[("init", "runit")])["service_mgr"], "runit");
    }
}
