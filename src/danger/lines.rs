//! Command lines, command by command: what was assigned before, where `cd` went, and which command is dangerous.

use std::collections::HashMap;

use super::{Danger, Found, devices, rules};
use crate::shell::script::{Part, Simple, Word};

/// A word may stand for so many values of a loop's variable.
const MOST_VALUES: usize = 32;

/// What is known at a command from those before it.
#[derive(Debug, Default)]
pub(super) struct Known {
    values: HashMap<String, Vec<Word>>,
    /// The folder that relative paths begin at.
    pub cwd: Option<String>,
    /// `set -u`: the shell stops at variables that are not set.
    pub unset_stops: bool,
}

/// The first dangerous command, run in the folder `chdir`, and the disks that all dangerous ones name.
pub fn judge(commands: &[Simple], chdir: Option<&str>) -> Option<Found> {
    let mut known = Known {
        cwd: chdir.map(str::to_owned),
        ..Known::default()
    };
    let mut found: Option<Found> = None;
    for command in commands {
        let command = known.filled_in(command);
        if rules::is_dangerous(&command, &known) {
            let mut disks: Vec<String> = all_words(&command).flat_map(devices::in_word).collect();
            // `while read disk; do mkfs $disk`: which disks, the rest of the script says.
            if disks.is_empty() && command.words.iter().skip(1).any(|word| !word.is_known()) {
                disks = commands
                    .iter()
                    .filter(|c| !is_talk(c))
                    .flat_map(all_words)
                    .flat_map(devices::in_word)
                    .collect();
            }
            match &mut found {
                Some(found) => found.disks.extend(disks),
                None => {
                    found = Some(Found {
                        danger: Danger::Disk,
                        what: format!("`{command}`"),
                        disks,
                    });
                }
            }
        }
        known.learn(&command);
    }
    if let Some(found) = &mut found {
        found.disks.sort();
        found.disks.dedup();
    }
    found
}

/// Commands whose words are text for people or for matching.
fn is_talk(command: &Simple) -> bool {
    let program = command.program();
    matches!(
        program.as_deref(),
        Some("echo" | "printf" | "grep" | "egrep" | "fgrep" | "logger" | "sed" | "awk" | "test" | "[")
    )
}

fn all_words(command: &Simple) -> impl Iterator<Item = &Word> {
    let targets = command
        .redirects
        .iter()
        .filter(|redirect| redirect.writes)
        .map(|redirect| &redirect.target);
    let assigned = command.assigned.iter().map(|(_, value)| value);
    command.words.iter().chain(targets).chain(assigned)
}

/// `/dev/sd{b,c}` as bash and others take it: a word for each.
fn braces(word: &Word) -> Vec<Word> {
    for (index, part) in word.0.iter().enumerate() {
        let Part::Text { text, quoted: false } = part else {
            continue;
        };
        let Some((before, rest)) = text.split_once('{') else {
            continue;
        };
        let Some((inside, after)) = rest.split_once('}') else {
            continue;
        };
        if !inside.contains(',') || inside.contains('{') {
            continue;
        }
        let one = |choice: &str| {
            let mut parts = word.0.clone();
            if let Some(part) = parts.get_mut(index) {
                *part = Part::Text {
                    text: format!("{before}{choice}{after}"),
                    quoted: false,
                };
            }
            Word(parts)
        };
        return inside.split(',').take(MOST_VALUES).map(one).collect();
    }
    vec![word.clone()]
}

impl Known {
    /// The command with the variables that are known replaced.
    fn filled_in(&self, command: &Simple) -> Simple {
        let mut out = command.clone();
        let values = command.words.iter().flat_map(|word| self.values_of(word));
        out.words = values.flat_map(|word| braces(&word)).collect();
        for redirect in &mut out.redirects {
            if let Some(first) = self.values_of(&redirect.target).into_iter().next() {
                redirect.target = first;
            }
        }
        out
    }

    /// What a word stands for: one value, or those of a loop's variable.
    fn values_of(&self, word: &Word) -> Vec<Word> {
        let mut out = vec![Word::default()];
        for part in &word.0 {
            let choices: Vec<Word> = match part {
                Part::Variable { name, .. } => match self.values.get(name) {
                    Some(values) => values.clone(),
                    None => vec![Word(vec![part.clone()])],
                },
                Part::Text { .. } | Part::Unknown => vec![Word(vec![part.clone()])],
            };
            let mut next = Vec::new();
            for start in &out {
                for choice in &choices {
                    if next.len() < MOST_VALUES {
                        let mut word = start.clone();
                        word.0.extend(choice.0.iter().cloned());
                        next.push(word);
                    }
                }
            }
            out = next;
        }
        out
    }

    fn learn(&mut self, command: &Simple) {
        // In front of a command a value is for that command alone.
        if command.words.is_empty() {
            let mut fresh: HashMap<&str, Vec<Word>> = HashMap::new();
            for (name, value) in &command.assigned {
                for value in self.values_of(value) {
                    // A value that is not known is no better than the variable.
                    if value.is_known() || !value.head().is_empty() {
                        fresh.entry(name).or_default().push(value);
                    }
                }
            }
            for (name, _) in &command.assigned {
                match fresh.remove(name.as_str()) {
                    Some(values) => self.values.insert(name.clone(), values),
                    None => continue,
                };
            }
        }
        let Some(program) = command.program() else { return };
        let texts = || command.words.iter().skip(1).map(Word::text);
        match program.as_str() {
            "cd" | "pushd" => {
                let target = texts().flatten().find(|text| !text.starts_with('-'));
                self.cwd = match target {
                    Some(path) if path.starts_with('/') => Some(path),
                    Some(path) => self.cwd.as_ref().map(|cwd| format!("{cwd}/{path}")),
                    None => None,
                };
            }
            "set" => {
                let mut texts = texts();
                self.unset_stops |= texts.any(|text| {
                    text.is_some_and(|text| {
                        text == "nounset" || text.starts_with('-') && !text.starts_with("--") && text.contains('u')
                    })
                });
            }
            _ => {}
        }
    }
}
