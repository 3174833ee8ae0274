//! Rules bound to the hosts of an inventory, and the judgement of one task on one host.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use super::{Forbid, Limit, Policy, Require, Rule, Wanted, Window};
use crate::danger::{self, Found};
use crate::inventory::Inventory;
use crate::names::HostName;
use crate::shell::script::Simple;
use crate::source::{Diagnostics, Span};

/// The hosts that a rule is for; `None`: all of them, also those outside of the inventory.
type Members = Option<HashSet<HostName>>;

/// A policy and the hosts that each of its rules is for.
#[derive(Debug, Default)]
pub struct Bound {
    /// The rules.
    pub policy: Policy,
    forbid: Vec<Members>,
    require: Vec<Members>,
    windows: Vec<Members>,
    /// Hosts on which a dangerous task was let through in this run.
    dangerous: Mutex<HashSet<HostName>>,
}

/// What is asked about a task on one host.
pub struct Asked<'a> {
    /// Where it runs: with `delegate_to` the other host.
    pub host: &'a HostName,
    /// Its module's name.
    pub module: &'a str,
    /// Its arguments.
    pub args: &'a Map<String, Json>,
    /// `danger`, when the task says it.
    pub danger: Option<&'a str>,
    /// Whether the host passed such a pre-flight check.
    pub passed: &'a dyn Fn(&Wanted) -> bool,
}

/// Why a task must not run.
#[derive(Clone, Debug)]
pub struct Refused {
    /// What is against the rule: `` `reboot` is forbidden ``.
    pub what: String,
    /// Where the rule stands; `None`: a setting.
    pub rule: Option<Span>,
    /// Why it is there.
    pub reason: Option<String>,
}

impl Refused {
    pub(super) fn new(what: String, rule: &Rule) -> Self {
        Self {
            what,
            rule: Some(rule.at.clone()),
            reason: rule.reason.clone(),
        }
    }

    pub(super) fn limit(what: String, limit: &Limit) -> Self {
        Self {
            what,
            rule: limit.at.clone(),
            reason: limit.at.is_none().then(|| "the setting `yes_hosts`".to_owned()),
        }
    }

    /// The rule's place and reason: `policy.toml:3:1: the data there is the only copy`.
    pub fn source(&self) -> String {
        let parts = [self.rule.as_ref().map(ToString::to_string), self.reason.clone()];
        parts.into_iter().flatten().collect::<Vec<_>>().join(": ")
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.what, self.source())
    }
}

impl Bound {
    /// Finds the hosts of every rule. Groups that this inventory does not have are no mistake: a policy is for many.
    pub fn new(policy: Policy, inventory: &Inventory) -> Result<Self, Diagnostics> {
        let mut mistakes = Vec::new();
        let mut members = |rule: &Rule| -> Members {
            if rule.groups.is_empty() {
                return None;
            }
            match inventory.select(&rule.groups.join(",")) {
                Ok(selection) => Some(selection.hosts.into_iter().collect()),
                Err(error) => {
                    mistakes.push(error.at(rule.at.clone()));
                    None
                }
            }
        };
        let forbid = policy.forbid.iter().map(|forbid| members(&forbid.rule)).collect();
        let require = policy.require.iter().map(|require| members(&require.rule)).collect();
        let windows = policy.windows.iter().map(|window| members(&window.rule)).collect();
        if !mistakes.is_empty() {
            return Err(Diagnostics(mistakes));
        }
        Ok(Self {
            policy,
            forbid,
            require,
            windows,
            dangerous: Mutex::default(),
        })
    }

    /// True when there is nothing that a task could be against.
    pub fn is_empty(&self) -> bool {
        self.policy.forbid.is_empty() && self.policy.require.is_empty() && self.policy.dangerous_hosts.is_none()
    }

    pub(super) fn forbidding(&self, host: &HostName) -> impl Iterator<Item = &Forbid> {
        let pairs = self.policy.forbid.iter().zip(&self.forbid);
        pairs
            .filter(|(_, members)| is_for(members, host))
            .map(|(forbid, _)| forbid)
    }

    pub(super) fn requiring(&self, host: &HostName) -> impl Iterator<Item = &Require> {
        let pairs = self.policy.require.iter().zip(&self.require);
        pairs
            .filter(|(_, members)| is_for(members, host))
            .map(|(require, _)| require)
    }

    /// The windows of a file for a host, when none of them is open.
    pub(super) fn closed(&self, host: &HostName, file: usize, now: Timestamp) -> Option<Vec<&Window>> {
        let pairs = self.policy.windows.iter().zip(&self.windows);
        let own: Vec<&Window> = pairs
            .filter(|(window, members)| window.file == file && is_for(members, host))
            .map(|(window, _)| window)
            .collect();
        (!own.is_empty() && !own.iter().any(|window| window.is_open(now))).then_some(own)
    }

    /// Why the host may not be changed now.
    pub fn shut(&self, host: &HostName, now: Timestamp) -> Option<Refused> {
        (0..self.policy.files.len()).find_map(|file| {
            let windows = self.closed(host, file, now)?;
            let first = windows.first()?;
            let times: Vec<String> = windows.iter().map(|window| window.shown()).collect();
            Some(Refused::new(
                format!("changes are allowed {}", times.join(" or ")),
                &first.rule,
            ))
        })
    }

    /// Of these hosts, those that may not be changed now, in groups with the same reason.
    pub fn shut_all(&self, hosts: &[HostName], now: Timestamp) -> Vec<(Refused, Vec<HostName>)> {
        let mut shut: Vec<(Refused, Vec<HostName>)> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        for host in hosts {
            let Some(refused) = self.shut(host, now) else { continue };
            let place = *places.entry(refused.to_string()).or_insert_with(|| {
                shut.push((refused, Vec::new()));
                shut.len() - 1
            });
            if let Some((_, hosts)) = shut.get_mut(place) {
                hosts.push(host.clone());
            }
        }
        shut
    }

    /// Judges a task as it is about to run. The dangerous ones that are let through are counted.
    pub fn judge(&self, asked: &Asked<'_>) -> Option<Refused> {
        if self.is_empty() {
            return None;
        }
        let commands = danger::commands(asked.module, asked.args);
        let found = danger::of(asked.module, asked.args, asked.danger);
        if let Some(refused) = self
            .forbidding(asked.host)
            .find_map(|forbid| forbids(forbid, asked.module, &commands, found.as_ref()))
        {
            return Some(refused);
        }
        let found = found?;
        let required = self
            .requiring(asked.host)
            .filter(|require| require.danger == Some(found.danger));
        for require in required {
            if !(asked.passed)(&require.preflight) {
                return Some(unchecked(require, &found));
            }
        }
        let limit = self.policy.dangerous_hosts.as_ref()?;
        let mut hosts = self.dangerous.lock().unwrap_or_else(PoisonError::into_inner);
        if hosts.len() >= limit.most && !hosts.contains(asked.host) {
            let what = format!(
                "{} is dangerous, and it has run on {} hosts already, which is the most",
                found.what, limit.most
            );
            return Some(Refused::limit(what, limit));
        }
        hosts.insert(asked.host.clone());
        None
    }
}

fn is_for(members: &Members, host: &HostName) -> bool {
    members.as_ref().is_none_or(|members| members.contains(host))
}

/// What of a task is against a rule.
pub(super) fn forbids(forbid: &Forbid, module: &str, commands: &[Simple], found: Option<&Found>) -> Option<Refused> {
    let refused = |what: String| Some(Refused::new(what, &forbid.rule));
    let short = module.rsplit('.').next().unwrap_or(module);
    if forbid.modules.iter().any(|name| name == short) {
        return refused(format!("the module `{short}` is forbidden"));
    }
    let hit = commands
        .iter()
        .find(|command| forbid.commands.iter().any(|pattern| pattern.matches(command)));
    if let Some(command) = hit {
        return refused(format!("`{command}` is forbidden"));
    }
    match (found, forbid.danger) {
        (Some(found), Some(danger)) if found.danger == danger => {
            refused(format!("{} is dangerous, which is forbidden", found.what))
        }
        _ => None,
    }
}

/// A dangerous task without the pre-flight check that is required.
pub(super) fn unchecked(require: &Require, found: &Found) -> Refused {
    let what = match &require.preflight {
        Wanted::Disks => format!("{} is dangerous and needs a pre-flight check of the disks", found.what),
        Wanted::Named(name) => format!("{} is dangerous and needs the pre-flight check `{name}`", found.what),
    };
    Refused::new(what, &require.rule)
}
