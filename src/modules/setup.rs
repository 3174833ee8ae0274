//! `setup`: gathers facts, all in one exchange: the host sends raw text, and the program makes facts of it.

use serde_json::{Map, Value as Json, json};

use crate::modules::args::{Param, ParamKind};
use crate::modules::attrs::{param, with_default};
use crate::modules::given::Arguments;
use crate::modules::step::Reader;
use crate::modules::{BUILTIN, Change, Given, Module, ModuleError, Spec, Values};
use crate::shell::{Command, snippets};
use crate::transport::Stdin;

mod distribution;
mod hardware;
mod network;
mod raw;
mod system;
mod virtualization;

use raw::Raw;

/// The module.
pub const SPEC: Spec = Spec {
    name: "setup",
    collection: BUILTIN,
    doc: "Gathers facts about the host; plays do it by themselves unless `gather_facts: false`.

- hosts: all
  gather_facts: false
  tasks:
    - setup: {gather_subset: [\"!all\", hardware], filter: ansible_mem*}",
    params: PARAMS,
    free_form: false,
    local: false,
    read,
};

const PARAMS: &[Param] = &[
    with_default(
        "gather_subset",
        ParamKind::List,
        "[\"all\"]",
        "Which facts: all, min, hardware, network, virtual, local, or single ones; `!` leaves some out.",
    ),
    with_default("filter", ParamKind::List, "[]", "Only facts whose name fits one of these patterns."),
    with_default("gather_timeout", ParamKind::Int, "10", "Accepted; the task's own limit counts."),
    with_default(
        "fact_path",
        ParamKind::Path,
        "/etc/ansible/facts.d",
        "Folder of the host's own facts (`*.fact`).",
    ),
    param("_cache", ParamKind::Raw, "For the engine."),
];

#[derive(Debug)]
struct Setup {
    subset: Vec<String>,
    filter: Vec<String>,
    folder: String,
}

/// Facts by name, each with the subset it belongs to.
#[derive(Debug, Default)]
struct Facts(Vec<(&'static str, String, Json)>);

impl Facts {
    fn set(&mut self, subset: &'static str, name: impl Into<String>, value: impl Into<Json>) {
        self.0.push((subset, name.into(), value.into()));
    }

    /// Only when there is something to say.
    fn set_text(&mut self, subset: &'static str, name: &str, value: &str) {
        if !value.is_empty() {
            self.set(subset, name, value);
        }
    }
}

fn read(given: &Given<'_>) -> Result<Box<dyn Module>, ModuleError> {
    let args = Arguments(&given.args);
    let subset = args.list("gather_subset");
    for name in &subset {
        let name = name.trim_start_matches('!');
        if !KNOWN.contains(&name) {
            return Err(ModuleError::failed(format!(
                "Bad subset '{name}' given to Ansible. gather_subset options allowed: {}",
                KNOWN.join(", ")
            )));
        }
    }
    Ok(Box::new(Setup {
        subset,
        filter: args.list("filter").into_iter().filter(|f| !f.is_empty()).collect(),
        folder: args.filled("fact_path").unwrap_or("/etc/ansible/facts.d").to_owned(),
    }))
}

/// Subsets that `min` stands for.
const MIN: &[&str] = &[
    "apparmor",
    "caps",
    "chroot",
    "cmdline",
    "date_time",
    "distribution",
    "dns",
    "env",
    "fips",
    "local",
    "lsb",
    "pkg_mgr",
    "platform",
    "python",
    "selinux",
    "service_mgr",
    "ssh_pub_keys",
    "systemd",
    "user",
];

/// Every name that `gather_subset` may hold.
const KNOWN: &[&str] = &[
    "all",
    "all_ipv4_addresses",
    "all_ipv6_addresses",
    "apparmor",
    "architecture",
    "caps",
    "chroot",
    "cmdline",
    "date_time",
    "default_ipv4",
    "default_ipv6",
    "devices",
    "distribution",
    "distribution_major_version",
    "distribution_release",
    "distribution_version",
    "dns",
    "effective_group_ids",
    "effective_user_id",
    "env",
    "facter",
    "fibre_channel_wwn",
    "fips",
    "hardware",
    "interfaces",
    "is_chroot",
    "iscsi",
    "kernel",
    "kernel_version",
    "loadavg",
    "local",
    "lsb",
    "machine",
    "machine_id",
    "min",
    "mounts",
    "network",
    "nvme",
    "ohai",
    "os_family",
    "pkg_mgr",
    "platform",
    "processor",
    "processor_cores",
    "processor_count",
    "python",
    "python_version",
    "real_user_id",
    "selinux",
    "service_mgr",
    "ssh_host_pub_keys",
    "ssh_pub_keys",
    "system",
    "system_capabilities",
    "systemd",
    "user",
    "user_dir",
    "user_gecos",
    "user_gid",
    "user_id",
    "user_shell",
    "user_uid",
    "virtual",
    "virtualization_role",
    "virtualization_type",
];

impl Setup {
    /// Whether a fact was asked for: by its own name, its subset, or `all` and `min`, unless left out.
    fn wants(&self, subset: &str, name: &str) -> bool {
        let is_min = MIN.contains(&subset);
        let mut wanted = self.subset.iter().all(|s| s.starts_with('!'));
        let mut min = true;
        let mut named = false;
        let mut left_out = false;
        for asked in &self.subset {
            match asked.strip_prefix('!') {
                Some("all") => wanted = false,
                Some("min") => min = false,
                Some(not) => left_out |= not == subset || not == name,
                None if asked == "all" => wanted = true,
                None if asked == "min" => {}
                None => named |= asked == subset || asked == name || (asked == "platform" && subset == "platform"),
            }
        }
        named || !left_out && if is_min { min } else { wanted }
    }

    /// Groups the host has to gather for that.
    fn groups(&self) -> Vec<&'static str> {
        let probes: [(&str, &[&str]); 4] = [
            ("hardware", &["mounts", "devices", "processor", "processor_cores", "processor_count", "loadavg"]),
            (
                "network",
                &["interfaces", "default_ipv4", "default_ipv6", "all_ipv4_addresses", "all_ipv6_addresses"],
            ),
            ("virtual", &["virtualization_type", "virtualization_role"]),
            ("local", &[]),
        ];
        let wanted = probes
            .into_iter()
            .filter(|(group, names)| self.wants(group, "") || names.iter().any(|name| self.wants("", name)));
        wanted.map(|(group, _)| group).collect()
    }

    fn passes(&self, name: &str) -> bool {
        self.filter.is_empty()
            || self.filter.iter().any(|pattern| {
                fits(pattern, name) || fits(pattern, &format!("ansible_{name}"))
            })
    }
}

impl Module for Setup {
    fn inspect(&self, host: &mut Reader<'_>) -> Result<Change, ModuleError> {
        let command = Command::snippet("facts", snippets::FACTS)
            .expanding_arg(&self.folder)
            .args(self.groups());
        let output = host.ask(&command, Stdin::Empty)?;
        let raw = Raw::read(&output.stdout, output.rc, &output.stderr)?;
        let mut all = Facts::default();
        system::add(&raw, &mut all);
        distribution::add(&raw, &mut all);
        hardware::add(&raw, &mut all);
        network::add(&raw, &mut all);
        virtualization::add(&raw, &mut all);
        let mut facts = Map::new();
        for (subset, name, value) in all.0 {
            if self.wants(subset, &name) && self.passes(&name) {
                facts.insert(format!("ansible_{name}"), value);
            }
        }
        if self.filter.is_empty() {
            facts.insert("gather_subset".into(), json!(self.subset));
            facts.insert("module_setup".into(), true.into());
        }
        let mut values = Values::new();
        values.insert("ansible_facts".into(), Json::Object(facts));
        Ok(Change::None { values })
    }
}

/// Whether a name fits a pattern with `*`, `?` and `[…]`, as Python's `fnmatch` sees it.
fn fits(pattern: &str, name: &str) -> bool {
    let mut regex = String::from("^");
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '*' => regex.push_str(".*"),
            '?' => regex.push('.'),
            '[' => {
                let class: String = chars.by_ref().take_while(|c| *c != ']').collect();
                let (not, class) = match class.strip_prefix('!') {
                    Some(rest) => ("^", rest.to_owned()),
                    None => ("", class),
                };
                let class = class.replace('\\', "\\\\").replace('[', "\\[");
                regex.push_str(&["[", not, &class, "]"].concat());
            }
            other => regex.push_str(&regex::escape(&other.to_string())),
        }
    }
    regex.push('$');
    regex::Regex::new(&regex).is_ok_and(|regex| regex.is_match(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setup(subset: &[&str]) -> Setup {
        Setup {
            subset: subset.iter().map(|s| (*s).to_owned()).collect(),
            filter: Vec::new(),
            folder: String::new(),
        }
    }

    #[test]
    fn subsets_are_added_and_left_out_as_in_ansible() {
        for (subset, env, memory, kernel) in [
            (&["all"][..], true, true, true),
            (&["!all"], true, false, true),
            (&["!all", "!min", "env"], true, false, false),
            (&["hardware"], true, true, true),
            (&["network"], true, false, true),
            (&["!hardware"], true, false, true),
            (&["!all", "!min"], false, false, false),
            (&["all", "!env"], false, true, true),
        ] {
            let setup = setup(subset);
            assert_eq!(setup.wants("env", "env"), env, "{subset:?}");
            assert_eq!(setup.wants("hardware", "memtotal_mb"), memory, "{subset:?}");
            assert_eq!(setup.wants("platform", "kernel"), kernel, "{subset:?}");
        }
    }

    #[test]
    fn only_what_is_wanted_is_gathered() {
        assert_eq!(setup(&["!all"]).groups(), ["local"]);
        assert_eq!(setup(&["all"]).groups(), ["hardware", "network", "virtual", "local"]);
        assert!(setup(&["!all", "!min", "mounts"]).groups().contains(&"hardware"));
    }

    #[test]
    fn patterns_are_shell_patterns() {
        assert!(fits("ansible_mem*", "ansible_memtotal_mb"));
        assert!(fits("*_[mk]b", "memtotal_mb"));
        assert!(!fits("mem?", "memory"));
        assert!(!fits("a.c", "abc"));
    }
}
