//! Two lines that are nearly the same, word by word.

/// Lines of more words are shown whole: the table of a comparison grows with the square.
const MOST_WORDS: usize = 200;

/// A part of two lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// In both.
    Both(&'a str),
    /// One text stands where the other line has another one; either may be empty.
    Instead(&'a str, &'a str),
}

/// Words, and everything between them by itself.
fn words(line: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut start = 0;
    let mut before: Option<bool> = None;
    for (at, c) in line.char_indices() {
        let wordly = c.is_alphanumeric();
        // A mark is a word of its own, letters and digits stay together.
        if at > start && !(wordly && before == Some(true)) {
            out.extend(line.get(start..at));
            start = at;
        }
        before = Some(wordly);
    }
    out.extend(line.get(start..).filter(|rest| !rest.is_empty()));
    out
}

/// What two lines have in common and what not; `None` when less than two thirds of their words are the same, or there are
/// too many of them.
pub fn compare<'a>(old: &'a str, new: &'a str) -> Option<Vec<Part<'a>>> {
    let (a, b) = (words(old), words(new));
    if a.is_empty() || b.is_empty() || a.len() > MOST_WORDS || b.len() > MOST_WORDS {
        return None;
    }
    let common = common(&a, &b);
    let is_word = |word: &&str| word.chars().any(char::is_alphanumeric);
    let shared = common
        .iter()
        .filter_map(|&(i, _)| a.get(i))
        .filter(|word| is_word(word))
        .count();
    let longer = a
        .iter()
        .filter(|word| is_word(word))
        .count()
        .max(b.iter().filter(|word| is_word(word)).count());
    if shared * 3 < longer * 2 || shared == 0 {
        return None;
    }
    let mut parts = Vec::new();
    let mut place = Place {
        old,
        new,
        old_at: 0,
        new_at: 0,
    };
    let starts = |words: &[&str]| -> Vec<usize> {
        words
            .iter()
            .scan(0, |at, word| {
                let start = *at;
                *at += word.len();
                Some(start)
            })
            .collect()
    };
    let (a_starts, b_starts) = (starts(&a), starts(&b));
    for (i, j) in common {
        let (Some(&old_from), Some(&new_from), Some(word)) = (a_starts.get(i), b_starts.get(j), a.get(i)) else {
            continue;
        };
        place.until(old_from, new_from, &mut parts);
        place.both(word.len(), &mut parts);
    }
    place.until(old.len(), new.len(), &mut parts);
    Some(parts)
}

struct Place<'a> {
    old: &'a str,
    new: &'a str,
    old_at: usize,
    new_at: usize,
}

impl<'a> Place<'a> {
    fn until(&mut self, old_at: usize, new_at: usize, parts: &mut Vec<Part<'a>>) {
        let gone = self.old.get(self.old_at..old_at).unwrap_or_default();
        let come = self.new.get(self.new_at..new_at).unwrap_or_default();
        if !gone.is_empty() || !come.is_empty() {
            parts.push(Part::Instead(gone, come));
        }
        (self.old_at, self.new_at) = (old_at, new_at);
    }

    fn both(&mut self, length: usize, parts: &mut Vec<Part<'a>>) {
        let from = self.old_at;
        self.old_at += length;
        self.new_at += length;
        // Neighbours are one part.
        if let Some(Part::Both(last)) = parts.last_mut() {
            let begin = from - last.len();
            *last = self.old.get(begin..self.old_at).unwrap_or(last);
        } else {
            parts.extend(self.old.get(from..self.old_at).map(Part::Both));
        }
    }
}

/// The longest common row of words: pairs of places, rising in both.
fn common(a: &[&str], b: &[&str]) -> Vec<(usize, usize)> {
    let width = b.len() + 1;
    let mut table = vec![0u16; (a.len() + 1) * width];
    let cell = |table: &[u16], i: usize, j: usize| table.get(i * width + j).copied().unwrap_or(0);
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            let best = if a.get(i) == b.get(j) {
                cell(&table, i + 1, j + 1) + 1
            } else {
                cell(&table, i + 1, j).max(cell(&table, i, j + 1))
            };
            if let Some(slot) = table.get_mut(i * width + j) {
                *slot = best;
            }
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut out = Vec::new();
    while i < a.len() && j < b.len() {
        if a.get(i) == b.get(j) {
            out.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if cell(&table, i + 1, j) >= cell(&table, i, j + 1) {
            i += 1;
        } else {
            j += 1;
        }
    }
    out
}

/// The two lines as one, as `git diff --word-diff` marks them: `kernel [-3.10-]{+4.18+}`.
pub fn marked(parts: &[Part<'_>]) -> String {
    let mut out = String::new();
    for part in parts {
        match part {
            Part::Both(text) => out.push_str(text),
            Part::Instead(old, new) => {
                if !old.is_empty() {
                    out.push_str(&format!("[-{old}-]"));
                }
                if !new.is_empty() {
                    out.push_str(&format!("{{+{new}+}}"));
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(old: &str, new: &str) -> Option<String> {
        compare(old, new).map(|parts| marked(&parts))
    }

    #[test]
    fn the_differing_words_are_marked() {
        assert_eq!(
            shown("system disk: sda", "system disk: sdm").as_deref(),
            Some("system disk: [-sda-]{+sdm+}")
        );
        assert_eq!(
            shown("kernel: 3.10.0-1160.119.1.el7", "kernel: 3.10.0-1160.88.1.el7").as_deref(),
            Some("kernel: 3.10.0-1160.[-119-]{+88+}.1.el7")
        );
        assert_eq!(
            shown("dns: 10.0.0.2 ntp", "dns: 10.0.0.2").as_deref(),
            Some("dns: 10.0.0.2[- ntp-]")
        );
        assert_eq!(shown("a b", "a b").as_deref(), Some("a b"));
    }

    #[test]
    fn lines_with_little_in_common_are_no_pair() {
        assert_eq!(shown("sda  480.1 GB  ssd  /boot", "sdb 12 disks empty"), None);
        assert_eq!(shown("", "a"), None);
        assert_eq!(shown(": :", "; :"), None);
        assert_eq!(shown(&"w ".repeat(300), &"w ".repeat(300)), None);
    }

    proptest! {
        #[test]
        fn both_lines_can_be_read_off(old in "[ab1 .ü]{0,20}", new in "[ab1 .ü]{0,20}") {
            if let Some(parts) = compare(&old, &new) {
                let side = |pick: fn(&Part<'_>) -> String| -> String { parts.iter().map(pick).collect() };
                let first = side(|part| match part { Part::Both(text) | Part::Instead(text, _) => (*text).to_owned() });
                let second = side(|part| match part { Part::Both(text) | Part::Instead(_, text) => (*text).to_owned() });
                prop_assert_eq!((first, second), (old, new));
            }
        }
    }
}
