//! Sets of hosts in few characters: `web001`, `web002`, `web003` is `web[001-003]`. Linear but for one sort.

use std::collections::HashMap;

use super::text;

/// A folded group is cut into several when it grows longer, so that lines can break between them.
const PIECE: usize = 48;
/// Columns kept for ` +12 345 more`.
const COUNT: usize = 13;
/// Numbers with more digits are just text.
const MOST_DIGITS: usize = 18;

/// Part of a folded set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// `web[001-400,402]`.
    pub(crate) text: String,
    /// How many hosts that is.
    pub(crate) hosts: usize,
}

/// The whole set on one line, however long.
pub(crate) fn fold<'a>(hosts: impl IntoIterator<Item = &'a str>) -> String {
    let pieces = pieces(hosts, PIECE);
    let texts: Vec<&str> = pieces.iter().map(|p| p.text.as_str()).collect();
    texts.join(",")
}

/// The set on at most `lines` lines of `width` columns; what does not fit is counted: `web[001-400] +12 more`.
pub(crate) fn fold_into<'a>(hosts: impl IntoIterator<Item = &'a str>, width: usize, lines: usize) -> Vec<String> {
    // A piece has to fit beside the count of what does not, or it would be cut in the middle of a number.
    let pieces = pieces(hosts, PIECE.min(width.saturating_sub(COUNT)));
    let mut left: usize = pieces.iter().map(|p| p.hosts).sum();
    let mut out: Vec<String> = Vec::new();
    let mut line = String::new();
    for (index, piece) in pieces.iter().enumerate() {
        let last = index + 1 == pieces.len();
        let comma = if last { "" } else { "," };
        // The last line keeps room for the count, unless everything fits.
        let is_last_line = out.len() + 1 >= lines;
        let spare = if is_last_line && !last { more(left).len() } else { 0 };
        let needed = text::width(&line) + text::width(&piece.text) + comma.len() + spare;
        if needed > width && !line.is_empty() {
            if is_last_line {
                break;
            }
            out.push(std::mem::take(&mut line));
        }
        if line.is_empty() && text::width(&piece.text) + comma.len() > width {
            // One name longer than the line: cut, it is counted as shown.
            line = text::fit(&piece.text, width.saturating_sub(comma.len()), "~");
        } else {
            line.push_str(&piece.text);
        }
        line.push_str(comma);
        left -= piece.hosts;
    }
    if left > 0 {
        let room = width.saturating_sub(more(left).len());
        let kept = line.trim_end_matches(',');
        line = text::fit(kept, room, "~") + &more(left);
    }
    out.push(line);
    out
}

fn more(hosts: usize) -> String {
    format!(" +{} more", text::count(hosts))
}

/// A name cut at the number that is folded.
struct Cut<'a> {
    before: &'a str,
    digits: &'a str,
    after: &'a str,
}

/// The number is the last one of the first label (`db2` in `db2.eu1.example`), of the whole name where that has none.
fn cut(name: &str) -> Option<Cut<'_>> {
    let address = name.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let label = if address {
        name
    } else {
        name.split('.').next().unwrap_or(name)
    };
    cut_in(name, label.len()).or_else(|| cut_in(name, name.len()))
}

fn cut_in(name: &str, within: usize) -> Option<Cut<'_>> {
    let part = name.get(..within)?;
    let end = part.rfind(|c: char| c.is_ascii_digit())? + 1;
    let start = part.get(..end)?.rfind(|c: char| !c.is_ascii_digit()).map_or(0, |i| {
        i + part.get(i..).and_then(|p| p.chars().next()).map_or(1, char::len_utf8)
    });
    let digits = name.get(start..end)?;
    (digits.len() <= MOST_DIGITS).then_some(Cut {
        before: name.get(..start)?,
        digits,
        after: name.get(end..)?,
    })
}

/// Numbers found between the same text.
struct Group<'a> {
    before: &'a str,
    after: &'a str,
    /// Value and digits as written.
    numbers: Vec<(u64, &'a str)>,
}

/// The pieces of a set, each of about `most` columns at most, groups in the order in which their first host came.
pub(crate) fn pieces<'a>(hosts: impl IntoIterator<Item = &'a str>, most: usize) -> Vec<Piece> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    let mut index: HashMap<(&str, &str), usize> = HashMap::new();
    for name in hosts {
        let parsed = cut(name).and_then(|c| Some((c.digits.parse::<u64>().ok()?, c)));
        let (before, after, number) = match parsed {
            Some((value, c)) => (c.before, c.after, Some((value, c.digits))),
            None => (name, "", None),
        };
        let new = Group {
            before,
            after,
            numbers: Vec::new(),
        };
        // A name without a number is a group of its own.
        let Some(number) = number else {
            groups.push(new);
            continue;
        };
        let slot = *index.entry((before, after)).or_insert_with(|| {
            groups.push(new);
            groups.len() - 1
        });
        if let Some(group) = groups.get_mut(slot) {
            group.numbers.push(number);
        }
    }
    groups.into_iter().flat_map(|group| show(group, most)).collect()
}

fn show(mut group: Group<'_>, most: usize) -> Vec<Piece> {
    if group.numbers.is_empty() {
        return vec![Piece {
            text: text::one_line(group.before),
            hosts: 1,
        }];
    }
    // Padded numbers of one length belong together; without padding the length does not matter.
    let padded = group.numbers.iter().any(|(_, d)| d.len() > 1 && d.starts_with('0'));
    if padded {
        group
            .numbers
            .sort_unstable_by_key(|(value, digits)| (digits.len(), *value));
    } else {
        group.numbers.sort_unstable();
    }
    group.numbers.dedup();

    let mut ranges: Vec<(&str, &str, usize)> = Vec::new();
    let mut previous: Option<(u64, &str)> = None;
    for &(value, digits) in &group.numbers {
        let follows =
            previous.is_some_and(|(v, d)| v.checked_add(1) == Some(value) && (!padded || d.len() == digits.len()));
        match ranges.last_mut() {
            Some(range) if follows => {
                range.1 = digits;
                range.2 += 1;
            }
            _ => ranges.push((digits, digits, 1)),
        }
        previous = Some((value, digits));
    }

    let (before, after) = (text::one_line(group.before), text::one_line(group.after));
    let mut out = Vec::new();
    let mut inside = String::new();
    let mut hosts = 0;
    let mut single = true;
    let mut flush = |inside: &mut String, hosts: &mut usize, single: &mut bool| {
        let text = if *single {
            format!("{before}{inside}{after}")
        } else {
            format!("{before}[{inside}]{after}")
        };
        out.push(Piece { text, hosts: *hosts });
        inside.clear();
        (*hosts, *single) = (0, true);
    };
    for (from, to, size) in ranges {
        let added = 1 + from.len() + if size > 1 { 1 + to.len() } else { 0 };
        let brackets = 2;
        if !inside.is_empty() && before.len() + after.len() + inside.len() + added + brackets > most {
            flush(&mut inside, &mut hosts, &mut single);
        }
        if !inside.is_empty() {
            inside.push(',');
            single = false;
        }
        inside.push_str(from);
        if size > 1 {
            // Two neighbours are shorter and clearer with a comma.
            inside.push(if size == 2 { ',' } else { '-' });
            inside.push_str(to);
            single = false;
        }
        hosts += size;
    }
    flush(&mut inside, &mut hosts, &mut single);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn neighbours_are_ranges_and_padding_is_kept() {
        assert_eq!(fold(["web003", "web001", "web002", "web007"]), "web[001-003,007]");
        assert_eq!(fold(["n8", "n9", "n10", "n12"]), "n[8-10,12]");
        assert_eq!(fold(["n1", "n01", "n2", "n02", "n03"]), "n[1,2,01-03]");
        assert_eq!(fold(["db1"]), "db1");
        assert_eq!(fold(["db1", "db2"]), "db[1,2]");
    }

    #[test]
    fn the_number_of_the_host_part_is_folded() {
        assert_eq!(fold(["r1n1.eu2.example", "r1n2.eu2.example"]), "r1n[1,2].eu2.example");
        assert_eq!(fold(["10.0.0.7", "10.0.0.8", "10.0.0.9"]), "10.0.0.[7-9]");
        assert_eq!(fold(["gw.dc1", "gw.dc2"]), "gw.dc[1,2]");
        assert_eq!(fold(["ä1", "ä2", "ä3", "router"]), "ä[1-3],router");
        assert_eq!(fold(["web", "web1"]), "web,web1");
    }

    #[test]
    fn seven_thousand_hosts_are_one_range() {
        let names: Vec<String> = (1..=7000).rev().map(|i| format!("web{i:04}.example.net")).collect();
        assert_eq!(fold(names.iter().map(String::as_str)), "web[0001-7000].example.net");
        let odd: Vec<String> = (0..7000).map(|i| format!("n{}", i * 2)).collect();
        assert_eq!(
            pieces(odd.iter().map(String::as_str), PIECE)
                .iter()
                .map(|p| p.hosts)
                .sum::<usize>(),
            7000
        );
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let names: Vec<String> = ('a'..='z').map(|c| format!("host-{c}")).collect();
        let names = || names.iter().map(String::as_str);
        assert_eq!(fold_into(names(), 40, 1), ["host-a,host-b,host-c,host-d +22 more"]);
        assert_eq!(
            fold_into(names(), 40, 2),
            [
                "host-a,host-b,host-c,host-d,host-e,",
                "host-f,host-g,host-h,host-i +17 more"
            ]
        );
        assert_eq!(fold_into(["averyveryverylongname"], 10, 1), ["averyvery~"]);
        assert_eq!(fold_into(["a1", "a2", "b"], 40, 1), ["a[1,2],b"]);
        let odd: Vec<String> = (0..30).map(|i| format!("web{:03}", i * 2)).collect();
        let odd = || odd.iter().map(String::as_str);
        assert_eq!(fold_into(odd(), 30, 1), ["web[000,002,004] +27 more"]);
        assert_eq!(fold_into(odd(), 44, 1), ["web[000,002,004,006,008,010] +24 more"]);
    }

    proptest! {
        #[test]
        fn no_host_is_lost_and_no_line_too_wide(
            names in proptest::collection::hash_set("[a-c]{0,2}[0-9]{0,3}(\\.[a-b0-9]{1,2})?", 1..40),
            width in 14usize..60, lines in 1usize..4
        ) {
            let names: Vec<&str> = names.iter().map(String::as_str).filter(|n| !n.is_empty()).collect();
            prop_assert_eq!(pieces(names.iter().copied(), PIECE).iter().map(|p| p.hosts).sum::<usize>(), names.len());
            let shown = fold_into(names.iter().copied(), width, lines);
            prop_assert!(shown.len() <= lines);
            for line in shown {
                prop_assert!(text::width(&line) <= width, "{line:?}");
            }
        }
    }
}
