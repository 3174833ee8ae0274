//! The rules of a `disks` check, held against what is there.

use serde_json::Value as Json;

use crate::plan::preflight::{DataRule, DiskRules, Kind, fits, show_size};
use crate::preflight::disks::facts::{Disk, Machine};
use crate::preflight::disks::{roles, text};

/// What the rules came to on one host.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The disks in few lines, for comparing and for people.
    pub lines: Vec<String>,
    /// What is not as it must be.
    pub problems: Vec<String>,
    /// What is good to know.
    pub note: Option<String>,
    /// The variable `disk`.
    pub roles: Json,
}

/// Most disks that one problem names.
const NAMED: usize = 4;

/// Holds the rules against a machine.
pub fn judge(rules: &DiskRules, machine: &Machine) -> Finding {
    let system: Vec<&Disk> = machine.disks.iter().filter(|disk| disk.system).collect();
    let (mut data, mut others) = (Vec::new(), Vec::new());
    for disk in machine.disks.iter().filter(|disk| !disk.system) {
        if is_data(rules.data.as_ref(), disk) {
            data.push(disk);
        } else {
            others.push(disk);
        }
    }
    let mut problems = system_problems(rules, &system);
    if let Some(rule) = &rules.data {
        problems.extend(data_problems(rule, &data, &others));
    }
    let mut lines = text::lines("system", &system);
    if lines.is_empty() {
        lines.push("system: none found".to_owned());
    }
    lines.extend(text::lines("data", &data));
    lines.extend(text::lines("other", &others));
    let (roles, note) = roles::roles(&rules.root, &system, &data, &others);
    Finding {
        lines,
        problems,
        note,
        roles,
    }
}

/// Whether a disk that is not the system's is for data.
fn is_data(rule: Option<&DataRule>, disk: &Disk) -> bool {
    let Some(rule) = rule else {
        return !disk.removable && !disk.is_in_use();
    };
    let wanted = wrong(&rule.pick, disk).is_none();
    wanted && (!disk.removable || rule.removable) && (!disk.is_in_use() || rule.in_use || is_ours(rule, disk))
}

/// It carries file systems with the label of an earlier run, and nothing else.
fn is_ours(rule: &DataRule, disk: &Disk) -> bool {
    rule.label
        .as_ref()
        .is_some_and(|label| !disk.labels.is_empty() && disk.labels.iter().all(|found| fits(label, found)))
}

fn system_problems(rules: &DiskRules, system: &[&Disk]) -> Vec<String> {
    let rule = &rules.system;
    if system.is_empty() {
        if rule.may_be_absent {
            return Vec::new();
        }
        return vec!["no disk is known to carry /: nobody can tell which one is the system's".to_owned()];
    }
    let mut problems: Vec<String> = system
        .iter()
        .filter_map(|disk| {
            Some(format!(
                "the system disk is {}: {}",
                disk.name,
                wrong(&rule.kind, disk)?
            ))
        })
        .collect();
    if let Some(count) = rule.count.filter(|count| *count != system.len()) {
        let names = text::names(system);
        problems.push(format!("{} system disks ({names}) instead of {count}", system.len()));
    }
    problems
}

fn data_problems(rule: &DataRule, data: &[&Disk], others: &[&Disk]) -> Vec<String> {
    let mut problems = Vec::new();
    let wanted = match (rule.least, rule.most) {
        (Some(least), Some(most)) if least == most => least.to_string(),
        (Some(least), None) => format!("at least {least}"),
        (None, Some(most)) => format!("at most {most}"),
        (Some(least), Some(most)) => format!("{least} to {most}"),
        (None, None) => String::new(),
    };
    let count = data.len();
    if rule.least.is_some_and(|least| count < least) || rule.most.is_some_and(|most| count > most) {
        let left_out: Vec<String> = others
            .iter()
            .take(NAMED)
            .map(|disk| format!("{} ({})", disk.name, why_not(rule, disk)))
            .collect();
        let mut text = format!("{count} data disks instead of {wanted}");
        if !left_out.is_empty() {
            text.push_str(&format!("; not counted: {}", left_out.join(", ")));
            if others.len() > NAMED {
                text.push_str(&format!(" and {} more", others.len() - NAMED));
            }
        }
        problems.push(text);
    }
    several(&mut problems, data, |disk| wrong(&rule.kind, disk));
    if rule.empty || rule.label.is_some() {
        several(&mut problems, data, |disk| {
            if disk.is_empty() || is_ours(rule, disk) {
                return None;
            }
            let doubt = disk
                .doubt
                .clone()
                .filter(|_| disk.signatures.is_empty() && disk.parts.is_empty());
            Some(match doubt {
                Some(doubt) => format!("nobody can tell whether it is empty: {doubt}"),
                None => format!("not empty: {}", text::content(disk)),
            })
        });
    }
    problems
}

/// One problem for all disks that have the same.
fn several(problems: &mut Vec<String>, disks: &[&Disk], problem: impl Fn(&Disk) -> Option<String>) {
    let mut found: Vec<(String, Vec<&Disk>)> = Vec::new();
    for disk in disks {
        let Some(text) = problem(disk) else { continue };
        match found.iter_mut().find(|(known, _)| *known == text) {
            Some((_, disks)) => disks.push(disk),
            None => found.push((text, vec![disk])),
        }
    }
    for (text, disks) in found.iter().take(NAMED) {
        problems.push(format!("{}: {text}", text::names(disks)));
    }
    if found.len() > NAMED {
        problems.push(format!("and {} disks more", found.len() - NAMED));
    }
}

fn why_not(rule: &DataRule, disk: &Disk) -> String {
    if disk.removable && !rule.removable {
        return "removable".to_owned();
    }
    wrong(&rule.pick, disk).unwrap_or_else(|| text::content(disk))
}

/// What a disk is not that it should be.
fn wrong(kind: &Kind, disk: &Disk) -> Option<String> {
    if !kind.names.is_empty() && !kind.names.iter().any(|pattern| fits(pattern, &disk.name)) {
        return Some(format!("it must be {}", kind.names.join(" or ")));
    }
    if let Some(pattern) = kind.not.iter().find(|pattern| fits(pattern, &disk.name)) {
        return Some(format!("it must not be {pattern}"));
    }
    if let Some(least) = kind.min_size.filter(|least| disk.bytes < *least) {
        return Some(format!("{} is less than {}", show_size(disk.bytes), show_size(least)));
    }
    if let Some(most) = kind.max_size.filter(|most| disk.bytes > *most) {
        return Some(format!("{} is more than {}", show_size(disk.bytes), show_size(most)));
    }
    if let Some(turns) = kind.rotational
        && disk.rotational != Some(turns)
    {
        return Some(match disk.rotational {
            Some(true) => "it turns".to_owned(),
            Some(false) => "it does not turn".to_owned(),
            None => "nobody knows whether it turns".to_owned(),
        });
    }
    match &kind.model {
        Some(pattern) if !fits(pattern, disk.model.trim()) => Some(format!("its model is `{}`", disk.model.trim())),
        Some(_) | None => None,
    }
}
