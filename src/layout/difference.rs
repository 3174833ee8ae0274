//! What one answer has otherwise than another one.

use std::collections::HashMap;
use std::hash::Hash;

use crate::layout::words;

/// One line of a difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// The usual answer has it, the odd one does not.
    Gone(&'a str),
    /// Only the odd answer has it.
    Come(&'a str),
    /// Nearly the same line in both: what is common and what not.
    Other(Vec<words::Part<'a>>),
    /// The same lines, in another order.
    Order,
}

impl Change<'_> {
    /// As one line: `- gone`, `+ come`, `~ system disk: [-sda-]{+sdm+}`.
    pub fn line(&self) -> String {
        match self {
            Self::Gone(line) => format!("- {line}"),
            Self::Come(line) => format!("+ {line}"),
            Self::Other(parts) => format!("~ {}", words::marked(parts)),
            Self::Order => "  the same lines in another order".to_owned(),
        }
    }
}

/// What `odd` has otherwise than `usual`, in lines ([`Change::line`]).
pub fn difference(usual: &[String], odd: &[String]) -> Vec<String> {
    changes(usual, odd).iter().map(Change::line).collect()
}

/// What `odd` has otherwise than `usual`: first the lines that are nearly the same, then those that are missing, then those
/// that are there instead; a line that stands there twice instead of once, too. Each line is looked at a fixed number of
/// times, however long the answers are.
pub fn changes<'a, L: AsRef<str>>(usual: &'a [L], odd: &'a [L]) -> Vec<Change<'a>> {
    changes_by(usual, usual, odd, odd)
}

/// The same, where lines also count as equal when their keys are equal: the lines of `usual` and `odd` normalised, one for
/// each line. What is told are the lines.
pub fn changes_by<'a, L: AsRef<str>, K: AsRef<str>>(
    usual_keys: &[K],
    usual: &'a [L],
    odd_keys: &[K],
    odd: &'a [L],
) -> Vec<Change<'a>> {
    let mut gone = only(usual_keys, usual, odd);
    let mut come = only(odd_keys, odd, usual);
    // First those about the same thing, or a package would be told in place of another one.
    cancel(&mut gone, &mut come, |line| (line.key, subject(line.text)));
    cancel(&mut gone, &mut come, |line| (line.key, ""));
    if gone.is_empty() && come.is_empty() {
        let moved = usual_keys
            .iter()
            .map(AsRef::as_ref)
            .ne(odd_keys.iter().map(AsRef::as_ref));
        return if moved { vec![Change::Order] } else { Vec::new() };
    }
    // Lines about the same thing are compared with each other, in their order.
    let mut about: HashMap<&str, Vec<usize>> = HashMap::new();
    for (index, line) in come.iter().enumerate().rev() {
        about.entry(subject(line.text)).or_default().push(index);
    }
    let mut paired = vec![false; come.len()];
    let mut pairs = Vec::new();
    let mut missing = Vec::new();
    for line in gone {
        let pair = about.get_mut(subject(line.text)).and_then(|candidates| {
            let index = *candidates.last()?;
            let parts = words::compare(line.text, come.get(index)?.text)?;
            candidates.pop();
            Some((index, parts))
        });
        match pair {
            Some((index, parts)) => {
                if let Some(slot) = paired.get_mut(index) {
                    *slot = true;
                }
                pairs.push(Change::Other(parts));
            }
            None => missing.push(Change::Gone(line.text)),
        }
    }
    let others = come.into_iter().zip(paired).filter(|(_, paired)| !paired);
    pairs.extend(missing);
    pairs.extend(others.map(|(line, _)| Change::Come(line.text)));
    pairs
}

/// A line and what it is compared by.
#[derive(Clone, Copy)]
struct Line<'k, 'a> {
    key: &'k str,
    text: &'a str,
}

/// The lines of `these` that `those` have not, or less often.
fn only<'k, 'a, L: AsRef<str>, K: AsRef<str>>(keys: &'k [K], these: &'a [L], those: &[L]) -> Vec<Line<'k, 'a>> {
    let mut left = counts(those.iter().map(AsRef::as_ref));
    let lines = keys.iter().zip(these).map(|(key, text)| Line {
        key: key.as_ref(),
        text: text.as_ref(),
    });
    lines.filter(|line| !take(&mut left, &line.text)).collect()
}

/// Takes lines out of both that are equal in `by`.
fn cancel<'k, 'a, B>(gone: &mut Vec<Line<'k, 'a>>, come: &mut Vec<Line<'k, 'a>>, by: impl Fn(Line<'k, 'a>) -> B)
where
    B: Eq + Hash,
{
    let mut left = counts(come.iter().map(|line| by(*line)));
    let mut taken: HashMap<B, usize> = HashMap::new();
    gone.retain(|line| {
        let found = take(&mut left, &by(*line));
        if found {
            *taken.entry(by(*line)).or_default() += 1;
        }
        !found
    });
    come.retain(|line| !take(&mut taken, &by(*line)));
}

fn counts<B: Eq + Hash>(all: impl Iterator<Item = B>) -> HashMap<B, usize> {
    let mut counts = HashMap::new();
    for one in all {
        *counts.entry(one).or_default() += 1;
    }
    counts
}

fn take<B: Eq + Hash>(left: &mut HashMap<B, usize>, one: &B) -> bool {
    match left.get_mut(one) {
        Some(count) if *count > 0 => {
            *count -= 1;
            true
        }
        Some(_) | None => false,
    }
}

/// What a line is about: the text before its first colon, or its first word.
fn subject(line: &str) -> &str {
    let end = line
        .find(": ")
        .or_else(|| line.find([' ', '=', '\t']))
        .unwrap_or(line.len());
    line.get(..end).unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn missing_and_new_lines_are_told() {
        assert_eq!(difference(&lines("x\ny"), &lines("x\nz")), ["- y", "+ z"]);
        assert_eq!(difference(&lines("x\ny"), &lines("y\nx")).len(), 1);
        assert_eq!(difference(&lines("x"), &lines("x")), Vec::<String>::new());
    }

    #[test]
    fn a_line_that_stands_there_twice_is_a_difference() {
        assert_eq!(
            difference(&lines("disk 4 TB"), &lines("disk 4 TB\ndisk 4 TB")),
            ["+ disk 4 TB"]
        );
    }

    #[test]
    fn lines_about_the_same_thing_are_compared_word_by_word() {
        let usual = lines("system disk: sda\nsda  480.1 GB  ssd  /boot /\nsdb  4 TB  hdd  empty");
        let odd = lines("system disk: sdb\nsda  12 x 4 TB  hdd  empty\nsdb  4 TB  hdd  /data");
        assert_eq!(
            difference(&usual, &odd),
            [
                "~ system disk: [-sda-]{+sdb+}",
                "~ sdb  4 TB  hdd  [-empty-]{+/data+}",
                "- sda  480.1 GB  ssd  /boot /",
                "+ sda  12 x 4 TB  hdd  empty",
            ]
        );
    }

    #[test]
    fn what_is_told_are_the_lines_not_their_keys() {
        let keys = |text: &str| lines(&text.replace(|c: char| c.is_ascii_digit(), "#"));
        let (usual, odd) = (lines("a 1\nb 2"), lines("a 7\nc 3"));
        let changes = changes_by(&keys("a 1\nb 2"), &usual, &keys("a 7\nc 3"), &odd);
        assert_eq!(changes, [Change::Gone("b 2"), Change::Come("c 3")]);
        // Of lines with one key, the one that is missing is told.
        let (usual, odd) = (lines("p1 1.0\np2 1.0\np3 1.0"), lines("p1 1.1\np3 1.0"));
        let changes = changes_by(&keys("p1 1.0\np2 1.0\np3 1.0"), &usual, &keys("p1 1.1\np3 1.0"), &odd);
        assert_eq!(changes, [Change::Gone("p2 1.0")]);
    }

    #[test]
    fn each_line_is_compared_with_one_other() {
        let many = |n: usize| (0..3000).map(|i| format!("same key {i} of {n}")).collect::<Vec<_>>();
        let (usual, odd) = (many(1), many(2));
        assert_eq!(changes(&usual, &odd).len(), 3000);
    }
}
