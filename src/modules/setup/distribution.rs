//! Which distribution it is: from `/etc/os-release`, or from the older files of each.

use serde_json::json;

use super::Facts;
use super::raw::{Raw, assignment};

struct Found {
    name: String,
    version: String,
    release: String,
    file: &'static str,
    variety: &'static str,
}

pub(super) fn add(raw: &Raw, facts: &mut Facts) {
    let found = find(raw);
    let mut parts = found.version.split('.');
    let major = parts.next().unwrap_or_default().to_owned();
    let minor = parts.next().unwrap_or_default().to_owned();
    facts.set("distribution", "distribution", found.name.clone());
    facts.set("distribution", "distribution_version", found.version.clone());
    facts.set("distribution", "distribution_major_version", if major.is_empty() { "NA" } else { &major });
    facts.set_text("distribution", "distribution_minor_version", &minor);
    let release = if found.release.is_empty() { "NA" } else { &found.release };
    facts.set("distribution", "distribution_release", release);
    facts.set("distribution", "distribution_file_parsed", !found.file.is_empty());
    facts.set_text("distribution", "distribution_file_path", found.file);
    facts.set_text("distribution", "distribution_file_variety", found.variety);
    facts.set("distribution", "os_family", family(&found.name));
    let os = raw.get("os_release");
    let lsb = raw.get("lsb-release");
    if family(&found.name) == "Debian" || !lsb.is_empty() {
        let pretty = assignment(lsb, "DISTRIB_DESCRIPTION").or_else(|| assignment(os, "PRETTY_NAME"));
        facts.set(
            "lsb",
            "lsb",
            json!({
                "id": found.name, "release": found.version, "codename": found.release,
                "description": pretty.unwrap_or_default(), "major_release": major,
            }),
        );
    }
}

fn find(raw: &Raw) -> Found {
    let os = raw.get("os_release");
    let of = |key: &str| assignment(os, key).unwrap_or_default().to_owned();
    let redhat = raw.get("redhat-release");
    let id = of("ID");
    if !redhat.is_empty() && !matches!(id.as_str(), "amzn" | "sles" | "opensuse") {
        return red_hat(raw, redhat, &id);
    }
    let codename = Some(of("VERSION_CODENAME")).filter(|c| !c.is_empty());
    let bracketed = || of("VERSION").split_once('(').map(|(_, rest)| rest.trim_end_matches(')').to_owned());
    let release = codename.or_else(bracketed).unwrap_or_default();
    let debian = raw.get("debian_version");
    let (name, version, variety) = match id.as_str() {
        "debian" | "raspbian" => {
            let version = if debian.starts_with(|c: char| c.is_ascii_digit()) { debian.to_owned() } else { of("VERSION_ID") };
            ("Debian".to_owned(), version, "Debian")
        }
        "ubuntu" => ("Ubuntu".to_owned(), of("VERSION_ID"), "Debian"),
        "linuxmint" => ("Linux Mint".to_owned(), of("VERSION_ID"), "Debian"),
        "alpine" => ("Alpine".to_owned(), of("VERSION_ID"), "Alpine"),
        "amzn" => ("Amazon".to_owned(), of("VERSION_ID"), "Amazon"),
        "sles" | "sles_sap" => ("SLES".to_owned(), of("VERSION_ID"), "SUSE"),
        "opensuse" | "opensuse-leap" => ("openSUSE Leap".to_owned(), of("VERSION_ID"), "SUSE"),
        "opensuse-tumbleweed" => ("openSUSE Tumbleweed".to_owned(), of("VERSION_ID"), "SUSE"),
        "arch" => ("Archlinux".to_owned(), of("VERSION_ID"), "Archlinux"),
        "gentoo" => ("Gentoo".to_owned(), of("VERSION_ID"), "Gentoo"),
        "" if !debian.is_empty() => ("Debian".to_owned(), debian.to_owned(), "Debian"),
        "" if !raw.get("alpine-release").is_empty() => {
            ("Alpine".to_owned(), raw.get("alpine-release").to_owned(), "Alpine")
        }
        "" => return unknown(raw),
        _ => (of("NAME"), of("VERSION_ID"), ""),
    };
    Found {
        name,
        version,
        release,
        file: if os.is_empty() { "" } else { "/etc/os-release" },
        variety,
    }
}

fn unknown(raw: &Raw) -> Found {
    // Nothing says what it is: the kernel's name, as in Ansible.
    Found {
        name: raw.get("uname_s").to_owned(),
        version: raw.get("uname_r").to_owned(),
        release: String::new(),
        file: "",
        variety: "",
    }
}

/// `Red Hat Enterprise Linux Server release 6.10 (Santiago)`.
fn red_hat(raw: &Raw, text: &str, id: &str) -> Found {
    let oracle = raw.get("oracle-release");
    let text = if oracle.is_empty() { text } else { oracle };
    let names = [
        ("CentOS", "CentOS"),
        ("Rocky", "Rocky"),
        ("AlmaLinux", "AlmaLinux"),
        ("Oracle", "OracleLinux"),
        ("Scientific", "Scientific"),
        ("Fedora", "Fedora"),
        ("Amazon", "Amazon"),
        ("Red Hat", "RedHat"),
    ];
    let name = names.iter().find(|(begin, _)| text.starts_with(begin)).map_or_else(
        || if id == "rhel" { "RedHat".to_owned() } else { text.split(" release").next().unwrap_or(text).to_owned() },
        |(_, name)| (*name).to_owned(),
    );
    let after = text.split("release ").nth(1).unwrap_or_default();
    let version: String = after.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    // CentOS writes 7.9.2009, whose distribution_version is 7.9.
    let version: Vec<&str> = version.split('.').filter(|part| !part.is_empty()).take(2).collect();
    let release = after.split_once('(').map_or("", |(_, rest)| rest.split(')').next().unwrap_or_default());
    Found {
        name,
        version: version.join("."),
        release: release.to_owned(),
        file: "/etc/redhat-release",
        variety: "RedHat",
    }
}

fn family(name: &str) -> &str {
    match name {
        "RedHat" | "CentOS" | "Rocky" | "AlmaLinux" | "OracleLinux" | "Scientific" | "Fedora" | "Amazon" => "RedHat",
        "Debian" | "Ubuntu" | "Linux Mint" => "Debian",
        "SLES" | "openSUSE Leap" | "openSUSE Tumbleweed" => "Suse",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(pairs: &[(&str, &str)]) -> String {
        let mut facts = Facts::default();
        add(&Raw::of(pairs), &mut facts);
        let get = |name: &str| {
            let value = facts.0.iter().find(|(_, n, _)| n == name).map(|(_, _, v)| v.clone());
            value.and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
        };
        format!(
            "{} {} {} {} {}",
            get("distribution"),
            get("distribution_version"),
            get("distribution_major_version"),
            get("distribution_release"),
            get("os_family")
        )
    }

    #[test]
    fn old_and_new_distributions_are_known() {
        let seven = "NAME=\"CentOS Linux\"\nVERSION=\"7 (Core)\"\nID=\"centos\"\nVERSION_ID=\"7\"\n";
        for (pairs, expected) in [
            (&[("redhat-release", "CentOS release 5.11 (Final)\n")][..], "CentOS 5.11 5 Final RedHat"),
            (
                &[("redhat-release", "Red Hat Enterprise Linux Server release 6.10 (Santiago)\n")],
                "RedHat 6.10 6 Santiago RedHat",
            ),
            (
                &[("os_release", seven), ("redhat-release", "CentOS Linux release 7.9.2009 (Core)")],
                "CentOS 7.9 7 Core RedHat",
            ),
            (
                &[
                    ("oracle-release", "Oracle Linux Server release 7.9"),
                    ("redhat-release", "Red Hat Enterprise Linux Server release 7.9 (Maipo)"),
                ],
                "OracleLinux 7.9 7 NA RedHat",
            ),
            (
                &[("os_release", "ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n"), ("debian_version", "12.11\n")],
                "Debian 12.11 12 bookworm Debian",
            ),
            (
                &[("os_release", "ID=ubuntu\nVERSION_ID=\"22.04\"\nVERSION_CODENAME=jammy\n"), ("debian_version", "bookworm/sid\n")],
                "Ubuntu 22.04 22 jammy Debian",
            ),
            (&[("os_release", "ID=alpine\nVERSION_ID=3.19.1\n")], "Alpine 3.19.1 3 NA Alpine"),
        ] {
            assert_eq!(told(pairs), expected);
        }
    }
}
