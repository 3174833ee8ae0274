//! Diffs as text: unified, three lines of context, the headlines Ansible writes.

use super::terminal::{Colour, Terminal};
use super::text;
use crate::event::Diff;

/// Lines of context around a change.
const CONTEXT: usize = 3;
/// With more changed lines than this the changed part is shown as replaced: a shortest diff would cost too much.
const MOST_EDITS: usize = 1000;

/// The lines of a diff, safe to show, each with its colour.
pub(crate) fn show(diff: &Diff) -> Vec<(Colour, String)> {
    match diff {
        Diff::Text {
            before_header,
            after_header,
            before,
            after,
        } => unified(
            &headline("before", before_header),
            &headline("after", after_header),
            before,
            after,
        ),
        Diff::Words(words) => text::lines(words).map(|line| (Colour::None, line)).collect(),
        Diff::Hidden(reason) => vec![(Colour::Dim, format!("diff not shown: {}", text::one_line(reason)))],
    }
}

/// All diffs of a result as one painted text, every line ended; empty when there is nothing to show.
pub(crate) fn paint(diffs: &[Diff], term: &Terminal) -> String {
    let mut out = String::new();
    for diff in diffs {
        for (colour, line) in show(diff) {
            out.push_str(&term.paint(colour, &line));
            out.push('\n');
        }
    }
    out
}

fn headline(side: &str, header: &str) -> String {
    let header = text::one_line(header);
    if header.is_empty() || header == side {
        side.to_owned()
    } else if header.starts_with(&format!("{side}:")) {
        header
    } else {
        format!("{side}: {header}")
    }
}

fn unified(from: &str, to: &str, before: &str, after: &str) -> Vec<(Colour, String)> {
    let old: Vec<&str> = before.split_inclusive('\n').collect();
    let new: Vec<&str> = after.split_inclusive('\n').collect();
    let edits = edits(&old, &new);
    if !edits.iter().any(|e| e.kind != Kind::Same) {
        return Vec::new();
    }
    let mut out = vec![
        (Colour::Red, format!("--- {from}")),
        (Colour::Green, format!("+++ {to}")),
    ];
    for hunk in hunks(&edits) {
        let part = edits.get(hunk).unwrap_or_default();
        let Some(first) = part.first() else { continue };
        let olds = part.iter().filter(|e| e.kind != Kind::Added).count();
        let news = part.iter().filter(|e| e.kind != Kind::Removed).count();
        out.push((
            Colour::Cyan,
            format!("@@ -{} +{} @@", range(first.old, olds), range(first.new, news)),
        ));
        for edit in part {
            let (sign, colour, line) = match edit.kind {
                Kind::Same => (' ', Colour::None, old.get(edit.old)),
                Kind::Removed => ('-', Colour::Red, old.get(edit.old)),
                Kind::Added => ('+', Colour::Green, new.get(edit.new)),
            };
            let line = line.copied().unwrap_or_default();
            let shown: String = text::lines(line).collect();
            out.push((colour, format!("{sign}{shown}")));
            if !line.ends_with('\n') {
                out.push((Colour::None, "\\ No newline at end of file".to_owned()));
            }
        }
    }
    out
}

fn range(start: usize, len: usize) -> String {
    match len {
        1 => (start + 1).to_string(),
        0 => format!("{start},0"),
        _ => format!("{},{len}", start + 1),
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Same,
    Removed,
    Added,
}

/// One line of the edit script, with where both sides stand before it.
#[derive(Clone, Copy, Debug)]
struct Edit {
    kind: Kind,
    old: usize,
    new: usize,
}

/// Parts of the edit script with their context; parts that would touch are one.
fn hunks(edits: &[Edit]) -> Vec<std::ops::Range<usize>> {
    let mut out: Vec<std::ops::Range<usize>> = Vec::new();
    for (i, _) in edits.iter().enumerate().filter(|(_, e)| e.kind != Kind::Same) {
        let from = i.saturating_sub(CONTEXT);
        let to = (i + CONTEXT + 1).min(edits.len());
        match out.last_mut() {
            Some(last) if from <= last.end => last.end = to,
            _ => out.push(from..to),
        }
    }
    out
}

fn edits(old: &[&str], new: &[&str]) -> Vec<Edit> {
    let prefix = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let (old_rest, new_rest) = (&old[prefix..], &new[prefix..]);
    let suffix = old_rest
        .iter()
        .rev()
        .zip(new_rest.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let old_middle = &old_rest[..old_rest.len() - suffix];
    let new_middle = &new_rest[..new_rest.len() - suffix];

    let mut out = Vec::with_capacity(old.len().max(new.len()));
    let (mut o, mut n) = (0, 0);
    let mut push = |kind| {
        out.push(Edit { kind, old: o, new: n });
        o += usize::from(kind != Kind::Added);
        n += usize::from(kind != Kind::Removed);
    };
    (0..prefix).for_each(|_| push(Kind::Same));
    if let Some(kinds) = shortest(old_middle, new_middle) {
        kinds.into_iter().for_each(&mut push);
    } else {
        (0..old_middle.len()).for_each(|_| push(Kind::Removed));
        (0..new_middle.len()).for_each(|_| push(Kind::Added));
    }
    (0..suffix).for_each(|_| push(Kind::Same));
    out
}

/// Myers' shortest edit script; `None` when it needs more than [`MOST_EDITS`] edits.
fn shortest(old: &[&str], new: &[&str]) -> Option<Vec<Kind>> {
    let most = (old.len() + new.len()).min(MOST_EDITS);
    // `furthest[most + k]`: how far into `old` the best path on diagonal k (old − new) got. One copy a round, to walk back.
    let mut furthest = vec![0usize; 2 * most + 2];
    let mut rounds: Vec<Vec<usize>> = Vec::new();
    for d in 0..=most {
        // Only the diagonals −d−1 ..= d+1 are ever looked at when walking back from round d.
        rounds.push(furthest[most - d..=most + d].to_vec());
        for k in (most - d..=most + d).step_by(2) {
            let down = k == most - d || (k != most + d && furthest[k - 1] < furthest[k + 1]);
            let mut x = if down { furthest[k + 1] } else { furthest[k - 1] + 1 };
            let Some(mut y) = (x + most).checked_sub(k) else {
                furthest[k] = x;
                continue;
            };
            while x < old.len() && y < new.len() && old[x] == new[y] {
                x += 1;
                y += 1;
            }
            furthest[k] = x;
            if x >= old.len() && y >= new.len() {
                return Some(walk_back(&rounds, old.len(), new.len()));
            }
        }
    }
    None
}

fn walk_back(rounds: &[Vec<usize>], old: usize, new: usize) -> Vec<Kind> {
    let mut kinds = Vec::new();
    let (mut x, mut y) = (old, new);
    for (d, round) in rounds.iter().enumerate().rev() {
        // Diagonal k = x − y lies at k + d in this round's copy.
        let at = |k: isize| {
            usize::try_from(k + d.cast_signed())
                .ok()
                .and_then(|i| round.get(i).copied())
        };
        let k = x.cast_signed() - y.cast_signed();
        let reach = d.cast_signed();
        let previous = if d == 0 {
            None
        } else {
            let down = k == -reach || (k != reach && at(k - 1) < at(k + 1));
            let k = if down { k + 1 } else { k - 1 };
            let px = at(k).unwrap_or(0);
            Some((px, px.cast_signed() - k, down))
        };
        let (px, py) = previous.map_or((0, 0), |(px, py, _)| (px, usize::try_from(py).unwrap_or(0)));
        while x > px && y > py {
            kinds.push(Kind::Same);
            x -= 1;
            y -= 1;
        }
        if let Some((_, _, down)) = previous {
            kinds.push(if down { Kind::Added } else { Kind::Removed });
            (x, y) = (px, py);
        }
    }
    kinds.reverse();
    kinds
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text_of(before: &str, after: &str) -> String {
        let diff = Diff::Text {
            before_header: "/etc/motd".to_owned(),
            after_header: String::new(),
            before: before.to_owned(),
            after: after.to_owned(),
        };
        paint(&[diff], &Terminal::plain())
    }

    #[test]
    fn a_diff_is_unified_with_three_lines_of_context() {
        assert_eq!(
            text_of("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n"),
            "--- before: /etc/motd\n+++ after\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n"
        );
    }

    #[test]
    fn a_new_file_and_a_missing_final_newline_look_as_in_diff() {
        assert_eq!(
            text_of("", "a\nb\n"),
            "--- before: /etc/motd\n+++ after\n@@ -0,0 +1,2 @@\n+a\n+b\n"
        );
        assert_eq!(
            text_of("a", "b\n"),
            "--- before: /etc/motd\n+++ after\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n"
        );
        assert_eq!(text_of("a\n", "a\n"), "");
    }

    #[test]
    fn words_and_hidden_diffs_are_one_line_each() {
        let diffs = [
            Diff::Words("mode 0644 -> 0600".to_owned()),
            Diff::Hidden("no_log".to_owned()),
        ];
        assert_eq!(
            paint(&diffs, &Terminal::plain()),
            "mode 0644 -> 0600\ndiff not shown: no_log\n"
        );
    }

    #[test]
    fn a_file_that_changed_all_over_is_shown_as_replaced() {
        let before = (0..3000).map(|i| format!("a{i}\n")).collect::<Vec<_>>().concat();
        let after = (0..3000).map(|i| format!("b{i}\n")).collect::<Vec<_>>().concat();
        assert_eq!(text_of(&before, &after).lines().count(), 3 + 6000);
    }

    proptest! {
        #[test]
        fn the_edits_turn_one_side_into_the_other_and_are_fewest(
            old in proptest::collection::vec(0u8..4, 0..14), new in proptest::collection::vec(0u8..4, 0..14)
        ) {
            let show = |side: &[u8]| side.iter().map(|n| format!("{n}\n")).collect::<Vec<_>>();
            let (old, new) = (show(&old), show(&new));
            let (old, new): (Vec<&str>, Vec<&str>) =
                (old.iter().map(String::as_str).collect(), new.iter().map(String::as_str).collect());
            let script = edits(&old, &new);
            let kept: Vec<_> = script.iter().filter(|e| e.kind != Kind::Added).map(|e| old[e.old]).collect();
            let made: Vec<_> = script.iter().filter(|e| e.kind != Kind::Removed)
                .map(|e| if e.kind == Kind::Same { old[e.old] } else { new[e.new] }).collect();
            prop_assert_eq!(&kept, &old);
            prop_assert_eq!(&made, &new);
            prop_assert!(script.iter().filter(|e| e.kind == Kind::Same).all(|e| old[e.old] == new[e.new]));
            // The longest common subsequence, the slow way.
            let mut table = vec![vec![0usize; new.len() + 1]; old.len() + 1];
            for i in 1..=old.len() {
                for j in 1..=new.len() {
                    table[i][j] = if old[i - 1] == new[j - 1] { table[i - 1][j - 1] + 1 }
                        else { table[i - 1][j].max(table[i][j - 1]) };
                }
            }
            let same = script.iter().filter(|e| e.kind == Kind::Same).count();
            prop_assert_eq!(same, table[old.len()][new.len()]);
        }
    }
}
