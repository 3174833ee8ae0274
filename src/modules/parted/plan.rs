//! What there is to do, from the table as it was seen.

use super::look::Look;
use super::size::float;
use super::table::{Part, Table};
use super::{Wanted, refused};
use crate::modules::ModuleError;

/// What is going to be done.
#[derive(Debug)]
pub(super) struct Plan {
    /// The words for parted, as Ansible returns them.
    pub(super) script: Vec<String>,
    /// The table afterwards, as far as that can be told; `None`: nothing changes.
    pub(super) after: Option<Vec<String>>,
}

/// Partitions begin and end at multiples of so many bytes, unless the disk wants larger ones.
const GRAIN: u64 = 1024 * 1024;
/// Sectors behind the last partition that a GPT needs.
const TAIL: u64 = 34;

impl Plan {
    /// Only telling.
    pub(super) fn info(unit: &str) -> Self {
        Self {
            script: ["unit", unit, "print"].map(str::to_owned).to_vec(),
            after: None,
        }
    }

    /// The partition is not to be there.
    pub(super) fn absent(number: u64, look: &Look, device: &str) -> Result<Self, ModuleError> {
        let Some(table) = look.exact.as_ref().filter(|table| table.part(number).is_some()) else {
            return Ok(Self {
                script: Vec::new(),
                after: None,
            });
        };
        if !look.part_user.is_empty() {
            return Err(refused(format!(
                "partition {number} of {device} is in use, it was not removed: {}",
                look.part_user
            )));
        }
        let mut left = table.clone();
        left.parts.retain(|part| part.number != number);
        Ok(Self {
            script: vec!["rm".to_owned(), number.to_string()],
            after: Some(left.lines()),
        })
    }

    /// The partition is to be there.
    pub(super) fn present(wanted: &Wanted, look: &Look, device: &str, unit: &str) -> Result<Self, ModuleError> {
        let number = wanted.number.to_string();
        let kept = look.exact.as_ref().filter(|table| table.label == wanted.label);
        let old = kept.and_then(|table| table.part(wanted.number));
        let mut first: Vec<&str> = Vec::new();
        if kept.is_none() {
            may_replace(wanted, look, device)?;
            first.extend(["mklabel", &wanted.label]);
        }
        if old.is_none() {
            is_next(wanted, kept, device)?;
            first.extend(["mkpart", &wanted.part_type]);
            if !wanted.fs_type.is_empty() {
                first.push(&wanted.fs_type);
            }
            first.extend([wanted.start.as_str(), &wanted.end.0]);
        } else if wanted.resize && moves_end(wanted, look) {
            first.extend(["resizepart", &number, &wanted.end.0]);
        }
        let mut second: Vec<String> = Vec::new();
        if let Some(name) = wanted.name.as_ref().filter(|name| old.is_none_or(|part| part.name != **name)) {
            second.extend(["name".to_owned(), number.clone(), quoted(name)]);
        }
        if !wanted.flags.is_empty() {
            let has: &[String] = old.map_or(&[], |part| &part.flags);
            let on = wanted.flags.iter().filter(|flag| !has.contains(flag)).map(|flag| (flag, "on"));
            let off = has.iter().filter(|flag| !wanted.flags.contains(flag)).map(|flag| (flag, "off"));
            for (flag, value) in on.chain(off) {
                second.extend(["set".to_owned(), number.clone(), flag.clone(), value.to_owned()]);
            }
        }
        let mut script: Vec<String> = Vec::new();
        let first: Vec<String> = first.into_iter().map(str::to_owned).collect();
        for part in [first, second].into_iter().filter(|part| !part.is_empty()) {
            // As in Ansible: the end of a partition that is moved has a unit of its own.
            if part.first().is_none_or(|word| word != "resizepart") {
                script.extend(["unit".to_owned(), unit.to_owned()]);
            }
            script.extend(part);
        }
        let after = (!script.is_empty()).then(|| after(wanted, kept, old));
        Ok(Self { script, after })
    }
}

/// A name as parted takes it: it reads quotes and backslashes itself.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The table as it will be.
fn after(wanted: &Wanted, kept: Option<&Table>, old: Option<&Part>) -> Vec<String> {
    let mut lines = kept.map_or_else(|| vec![format!("partition table: {}", wanted.label)], Table::lines);
    let name = wanted.name.as_deref().or(old.map(|part| part.name.as_str())).unwrap_or_default();
    let flags = match old {
        Some(part) if wanted.flags.is_empty() => part.flags.join(","),
        _ => wanted.flags.join(","),
    };
    let (begin, end) = match old {
        Some(part) if wanted.resize => (part.begin.as_str(), wanted.end.0.as_str()),
        Some(part) => (part.begin.as_str(), part.end.as_str()),
        None => (wanted.start.as_str(), wanted.end.0.as_str()),
    };
    let mut line = format!("{}: {begin} - {end}", wanted.number);
    for (word, text) in [("", wanted.fs_type.as_str()), ("name ", name), ("flags ", &flags)] {
        if !text.is_empty() {
            line.push_str("  ");
            line.push_str(word);
            line.push_str(text);
        }
    }
    match old.and_then(|part| lines.iter_mut().find(|line| **line == part.line())) {
        Some(place) => *place = line,
        None => lines.push(line),
    }
    lines
}

/// Refuses to replace a table that is worth something, unless the task says so, and one that is in use in any case.
fn may_replace(wanted: &Wanted, look: &Look, device: &str) -> Result<(), ModuleError> {
    let parts = look.exact.as_ref().map_or(&[][..], |table| &table.parts);
    let lost = match (parts, look.content.as_str()) {
        ([], "") => None,
        ([], content) => Some(format!("{content} on the whole disk")),
        (parts, _) => {
            let lines: Vec<String> = parts.iter().map(Part::line).collect();
            let count = if parts.len() == 1 { "1 partition".to_owned() } else { format!("{} partitions", parts.len()) };
            Some(format!(
                "a partition table ({}) with {count} ({})",
                look.label(),
                lines.join("; ")
            ))
        }
    };
    if let Some(lost) = lost.filter(|_| !wanted.destroy) {
        return Err(refused(format!(
            "{device} has {lost}, and a new {} table would destroy that; say `label: {}` to keep the table, or `destroy: \
             true` to lose it (`label` is msdos when it is not given)",
            wanted.label,
            look.label()
        )));
    }
    if !look.user.is_empty() {
        return Err(refused(format!(
            "{device} is in use, its partition table was not replaced: {}",
            look.user
        )));
    }
    Ok(())
}

/// Refuses a number that parted would not give: it takes the lowest that is free.
fn is_next(wanted: &Wanted, kept: Option<&Table>, device: &str) -> Result<(), ModuleError> {
    let mut numbers = match (wanted.label.as_str(), wanted.part_type.as_str()) {
        ("gpt", _) => 1..=u64::MAX,
        ("msdos", "logical") => 5..=u64::MAX,
        ("msdos", _) => 1..=4,
        _ => return Ok(()),
    };
    let next = numbers.find(|number| kept.is_none_or(|table| table.part(*number).is_none()));
    if next == Some(wanted.number) {
        return Ok(());
    }
    let what = match next {
        Some(next) => format!("a new partition would be number {next}; make those before it first"),
        None => "its table has no room for another primary partition".to_owned(),
    };
    Err(refused(format!("there can be no partition {} on {device}: {what}", wanted.number)))
}

/// True when the partition ends somewhere else than it should, by more than parted's own rounding.
pub(super) fn moves_end(wanted: &Wanted, look: &Look) -> bool {
    let Some(part) = look.exact.as_ref().and_then(|table| table.part(wanted.number)) else {
        return false;
    };
    let Ok(end) = part.end.trim_end_matches('s').parse::<u64>() else {
        return true;
    };
    // Where the sector behind the last one begins.
    let is = float(end.saturating_add(1)) * float(look.sector);
    let size = &wanted.end.1;
    match size.bytes(look.size, look.sector) {
        None => true,
        Some(at) if size.is_exact() => (at - is).abs() > float(look.sector),
        Some(at) => (at - is).abs() > float(GRAIN.max(look.optimal)) + float(TAIL) * float(look.sector),
    }
}
