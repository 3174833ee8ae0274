//! What one answer has otherwise than another one.

use std::collections::HashMap;

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
    let gone = only(usual, odd);
    let mut come = only(odd, usual);
    if gone.is_empty() && come.is_empty() {
        let moved = usual.iter().map(AsRef::as_ref).ne(odd.iter().map(AsRef::as_ref));
        return if moved { vec![Change::Order] } else { Vec::new() };
    }
    // Lines about the same thing are compared with each other.
    let mut about: HashMap<&str, Vec<usize>> = HashMap::new();
    for (index, line) in come.iter().enumerate().rev() {
        if let Some(line) = line {
            about.entry(key(line)).or_default().push(index);
        }
    }
    let mut pairs = Vec::new();
    let mut missing = Vec::new();
    for line in gone.into_iter().flatten() {
        let candidates = about.get_mut(key(line));
        let pair = candidates.as_ref().and_then(|indices| {
            let other = come.get(*indices.last()?).copied().flatten()?;
            words::compare(line, other)
        });
        match (
            pair,
            candidates.and_then(|indices| if indices.is_empty() { None } else { Some(indices) }),
        ) {
            (Some(parts), Some(indices)) => {
                if let Some(slot) = indices.pop().and_then(|index| come.get_mut(index)) {
                    *slot = None;
                }
                pairs.push(Change::Other(parts));
            }
            _ => missing.push(Change::Gone(line)),
        }
    }
    pairs.extend(missing);
    pairs.extend(come.into_iter().flatten().map(Change::Come));
    pairs
}

/// What a line is about: the text before its first colon, or its first word.
fn key(line: &str) -> &str {
    let end = line
        .find(": ")
        .or_else(|| line.find([' ', '=', '\t']))
        .unwrap_or(line.len());
    line.get(..end).unwrap_or(line)
}

/// The lines of `these` that `those` have not, or less often.
fn only<'a, L: AsRef<str>>(these: &'a [L], those: &[L]) -> Vec<Option<&'a str>> {
    let mut left: HashMap<&str, usize> = HashMap::new();
    for line in those {
        *left.entry(line.as_ref()).or_default() += 1;
    }
    let mut out = Vec::new();
    for line in these {
        match left.get_mut(line.as_ref()) {
            Some(count) if *count > 0 => *count -= 1,
            Some(_) | None => out.push(Some(line.as_ref())),
        }
    }
    out
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
    fn each_line_is_compared_with_one_other() {
        let many = |n: usize| (0..3000).map(|i| format!("same key {i} of {n}")).collect::<Vec<_>>();
        let (usual, odd) = (many(1), many(2));
        assert_eq!(changes(&usual, &odd).len(), 3000);
    }
}
