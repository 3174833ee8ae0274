//! The plan against the rules, before anybody is contacted. What only rendering tells is judged again on each host.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;

use super::bound::{Bound, Refused, forbids, unchecked};
use super::{Require, Wanted};
use crate::danger::{self, Found};
use crate::names::HostName;
use crate::plan::{Action, Plan, Play, Task, each_task, selected};
use crate::shell::script::Simple;
use crate::source::Span;
use crate::yaml::{Kind, Node};

/// Modules that change nothing on a host.
const LOOKS: &[&str] = &[
    "assert",
    "debug",
    "fail",
    "fetch",
    "find",
    "get",
    "pause",
    "ping",
    "set_fact",
    "setup",
    "slurp",
    "stat",
    "wait_for",
    "wait_for_connection",
    "group_by",
    "add_host",
];

/// What a plan is checked for.
pub struct Occasion<'a> {
    /// The hosts of a play, the limit applied.
    pub hosts_of: &'a dyn Fn(&Play) -> Vec<HostName>,
    /// `--tags` and `--skip-tags`.
    pub tags: (&'a [String], &'a [String]),
    /// Nothing is changed: check mode, `audit`, `ping`. Limits and windows do not count then.
    pub looks: bool,
    /// `--yes-hosts`.
    pub yes_hosts: Option<usize>,
    /// The moment it is.
    pub now: Timestamp,
}

/// What is against a rule, where in the playbook, and on which hosts.
#[derive(Clone, Debug)]
pub struct Violation {
    /// What, by which rule.
    pub refused: Refused,
    /// The task or the play; `None`: the run as a whole.
    pub at: Option<Span>,
    /// The hosts, in the order of the plan; none: it is about their number.
    pub hosts: Vec<HostName>,
    /// What to do.
    pub help: Option<String>,
}

/// Everything in the plan that is against the rules.
pub fn check(bound: &Bound, plan: &Plan, occasion: &Occasion<'_>) -> Vec<Violation> {
    let mut checking = Checking {
        bound,
        occasion,
        found: Vec::new(),
        dangerous: Vec::new(),
        changed: Vec::new(),
        all: Vec::new(),
    };
    for play in &plan.plays {
        checking.play(play);
    }
    if !occasion.looks {
        checking.limits();
        checking.windows();
    }
    checking.found
}

struct Checking<'a> {
    bound: &'a Bound,
    occasion: &'a Occasion<'a>,
    found: Vec<Violation>,
    /// Hosts with dangerous tasks, in order, maybe several times; and where the first of them stands.
    dangerous: Vec<(HostName, Span)>,
    /// Hosts that may be changed.
    changed: Vec<HostName>,
    all: Vec<HostName>,
}

impl Checking<'_> {
    fn play(&mut self, play: &Play) {
        let hosts = (self.occasion.hosts_of)(play);
        if hosts.is_empty() {
            return;
        }
        let (only, skip) = self.occasion.tags;
        let changes = changes(play, only, skip);
        let mut tasks = Vec::new();
        for entries in [&play.body, &play.handlers] {
            each_task(entries, &mut |task| {
                if !task.implicit && selected(&task.keywords.tags, only, skip) {
                    tasks.extend(Seen::of(task));
                }
            });
        }
        for task in &tasks {
            self.task(play, task, &hosts);
        }
        self.required_of_play(play, &hosts);
        if changes {
            self.changed.extend(hosts.iter().cloned());
        }
        self.all.extend(hosts);
    }

    fn task(&mut self, play: &Play, task: &Seen, hosts: &[HostName]) {
        // Where it runs is known only later when `delegate_to` is a template.
        let delegated = match &task.target {
            Target::Own => None,
            Target::Other(name) => Some(vec![name.clone()]),
            Target::Later => return,
        };
        let targets = delegated.as_deref().unwrap_or(hosts);
        let mut grouped: BTreeMap<usize, (Refused, Vec<HostName>)> = BTreeMap::new();
        let rules = &self.bound.policy;
        for host in targets {
            let mut note = |key: usize, refused: Refused| {
                grouped
                    .entry(key)
                    .or_insert_with(|| (refused, Vec::new()))
                    .1
                    .push(host.clone());
            };
            for forbid in self.bound.forbidding(host) {
                let hit = task
                    .ways
                    .iter()
                    .find_map(|(commands, found)| forbids(forbid, &task.module, commands, found.as_ref()));
                if let Some(refused) = hit {
                    note(index_of(&rules.forbid, forbid), refused);
                }
            }
            let Some(found) = &task.found else { continue };
            for require in self.bound.requiring(host) {
                if require.danger == Some(found.danger) && !has(play, &require.preflight) {
                    note(
                        rules.forbid.len() + index_of(&rules.require, require),
                        unchecked(require, found),
                    );
                }
            }
        }
        for (refused, hosts) in grouped.into_values() {
            self.found.push(Violation {
                refused,
                at: Some(task.at.clone()),
                hosts,
                help: None,
            });
        }
        if task.found.is_some() {
            self.dangerous
                .extend(targets.iter().map(|host| (host.clone(), task.at.clone())));
        }
    }

    /// Checks that every play needs.
    fn required_of_play(&mut self, play: &Play, hosts: &[HostName]) {
        let mut missing: BTreeMap<usize, (&Require, Vec<HostName>)> = BTreeMap::new();
        for host in hosts {
            for require in self.bound.requiring(host) {
                if require.danger.is_none() && !has(play, &require.preflight) {
                    let key = index_of(&self.bound.policy.require, require);
                    missing.entry(key).or_insert((require, Vec::new())).1.push(host.clone());
                }
            }
        }
        for (require, hosts) in missing.into_values() {
            let what = match &require.preflight {
                Wanted::Disks => "the play needs a pre-flight check of the disks".to_owned(),
                Wanted::Named(name) => format!("the play needs the pre-flight check `{name}`"),
            };
            self.found.push(Violation {
                refused: Refused::new(what, &require.rule),
                at: Some(play.at.clone()),
                hosts,
                help: None,
            });
        }
    }

    fn limits(&mut self) {
        let policy = &self.bound.policy;
        let count = unique(&self.all).len();
        if let Some(limit) = &policy.hosts
            && count > limit.most
            && self.occasion.yes_hosts.is_none_or(|yes| yes < count)
        {
            let what = match self.occasion.yes_hosts {
                Some(yes) => format!("`--yes-hosts {yes}` allows {yes} hosts, and this run is for {count}"),
                None => format!(
                    "this run is for {count} hosts, and more than {} need `--yes-hosts`",
                    limit.most
                ),
            };
            self.found.push(Violation {
                refused: Refused::limit(what, limit),
                at: None,
                hosts: Vec::new(),
                help: Some(format!(
                    "`--yes-hosts {count}` when all of them are meant, `--limit` when not"
                )),
            });
        }
        let names: Vec<HostName> = self.dangerous.iter().map(|(host, _)| host.clone()).collect();
        let count = unique(&names).len();
        if let Some(limit) = &policy.dangerous_hosts
            && count > limit.most
        {
            let what = format!(
                "dangerous tasks are for {count} hosts of this run, and {} are the most",
                limit.most
            );
            self.found.push(Violation {
                refused: Refused::limit(what, limit),
                at: self.dangerous.first().map(|(_, at)| at.clone()),
                hosts: Vec::new(),
                help: Some(format!("run it on {} hosts at a time, with `--limit`", limit.most)),
            });
        }
    }

    fn windows(&mut self) {
        for (refused, hosts) in self.bound.shut_all(&unique(&self.changed), self.occasion.now) {
            self.found.push(Violation {
                refused,
                at: None,
                hosts,
                help: Some("`--check` is allowed at any time".to_owned()),
            });
        }
    }
}

/// Whether a play may change anything on its hosts, with these `--tags` and `--skip-tags`.
pub fn changes(play: &Play, only: &[String], skip: &[String]) -> bool {
    let mut changes = false;
    for entries in [&play.body, &play.handlers] {
        each_task(entries, &mut |task| {
            changes |= !task.implicit && selected(&task.keywords.tags, only, skip) && may_change(task);
        });
    }
    changes
}

/// What of a task matters here, found once for all hosts.
struct Seen {
    module: String,
    at: Span,
    target: Target,
    /// The commands and the danger, in each of the ways its templates can be read.
    ways: Vec<(Vec<Simple>, Option<Found>)>,
    found: Option<Found>,
}

enum Target {
    Own,
    Other(HostName),
    Later,
}

impl Seen {
    fn of(task: &Task) -> Option<Self> {
        let (module, args) = match &task.action {
            Action::Module { spec, args } => (spec.name, args),
            Action::Missing { name, args } => (name.as_str(), args),
            Action::Engine { name, args } => (*name, args),
            Action::IncludeTasks { .. } | Action::IncludeRole { .. } | Action::Meta(_) | Action::IncludeVars { .. } => {
                return None;
            }
        };
        let keyword = task.keywords.danger.as_ref().and_then(Node::as_str);
        let ways: Vec<_> = danger::arguments(args)
            .iter()
            .map(|args| (danger::commands(module, args), danger::of(module, args, keyword)))
            .collect();
        let target = match &task.keywords.delegate_to {
            None => Target::Own,
            Some(node) if node.has_template() => Target::Later,
            Some(node) => node
                .scalar_text()
                .map_or(Target::Own, |name| Target::Other(HostName::new(name))),
        };
        Some(Self {
            module: module.to_owned(),
            at: task.at.clone(),
            target,
            found: ways.iter().find_map(|(_, found)| found.clone()),
            ways,
        })
    }
}

/// Anything but a look.
fn may_change(task: &Task) -> bool {
    let only_checks = matches!(
        &task.keywords.check_mode,
        Some(Node {
            kind: Kind::Bool(true),
            ..
        })
    );
    let acts = match &task.action {
        Action::Module { spec, .. } => !LOOKS.contains(&spec.name),
        Action::Engine { name, .. } => !LOOKS.contains(name),
        Action::IncludeTasks { .. } | Action::IncludeRole { .. } | Action::Missing { .. } => true,
        Action::Meta(_) | Action::IncludeVars { .. } => false,
    };
    acts && !only_checks
}

/// Whether the play has such a pre-flight check.
fn has(play: &Play, wanted: &Wanted) -> bool {
    play.preflight.iter().any(|check| match wanted {
        Wanted::Disks => check.sees_disks(),
        Wanted::Named(name) => check.name == *name,
    })
}

fn index_of<T>(list: &[T], item: &T) -> usize {
    list.iter()
        .position(|other| std::ptr::eq(other, item))
        .unwrap_or(list.len())
}

fn unique(hosts: &[HostName]) -> Vec<HostName> {
    let mut seen = HashSet::new();
    hosts.iter().filter(|host| seen.insert(*host)).cloned().collect()
}
