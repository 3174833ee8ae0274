//! Ranges in names: `web[01:20]`, `db-[a:f]`, `n[0:10:2]`, several in one name.

/// Most names that one entry may stand for.
const MOST: u64 = 1_000_000;

/// Letters in the order that ranges count them.
const LETTERS: &[u8; 52] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// A piece of a name with ranges.
enum Part<'a> {
    Text(&'a str),
    Numbers {
        from: u64,
        count: u64,
        step: u64,
        width: usize,
    },
    Letters {
        from: usize,
        count: u64,
        step: usize,
    },
}

impl Part<'_> {
    fn count(&self) -> u64 {
        match self {
            Self::Text(_) => 1,
            Self::Numbers { count, .. } | Self::Letters { count, .. } => *count,
        }
    }

    fn write(&self, index: u64, out: &mut String) {
        use std::fmt::Write as _;
        match self {
            Self::Text(text) => out.push_str(text),
            Self::Numbers { from, step, width, .. } => {
                // The index is below the count, so this stays below the end of the range.
                let number = from.saturating_add(index.saturating_mul(*step));
                let width = *width;
                let _ = write!(out, "{number:0width$}");
            }
            Self::Letters { from, step, .. } => {
                let at = usize::try_from(index)
                    .unwrap_or(usize::MAX)
                    .saturating_mul(*step)
                    .saturating_add(*from);
                out.extend(LETTERS.get(at).map(|b| char::from(*b)));
            }
        }
    }
}

/// All names that `text` stands for, the first range counting slowest. Text without brackets is itself.
pub fn expand(text: &str) -> Result<Vec<String>, String> {
    if !text.contains(['[', ']']) {
        return Ok(vec![text.to_owned()]);
    }
    let parts = parts(text)?;
    let mut total: u64 = 1;
    for part in &parts {
        total = total.saturating_mul(part.count());
    }
    if total > MOST {
        return Err(format!(
            "`{}` stands for more than {MOST} hosts",
            super::name::short(text)
        ));
    }
    let mut names = Vec::with_capacity(usize::try_from(total).unwrap_or(0));
    for number in 0..total {
        let mut name = String::with_capacity(text.len());
        let mut left = number;
        let mut block = total;
        for part in &parts {
            block /= part.count().max(1);
            let block = block.max(1);
            part.write(left / block, &mut name);
            left %= block;
        }
        names.push(name);
    }
    Ok(names)
}

fn parts(text: &str) -> Result<Vec<Part<'_>>, String> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        if before.contains(']') {
            break;
        }
        if !before.is_empty() {
            parts.push(Part::Text(before));
        }
        let Some((inside, tail)) = after.split_once(']') else {
            return Err(format!(
                "the range `[{}` is not closed with `]`",
                super::name::short(after)
            ));
        };
        parts.push(range(inside)?);
        rest = tail;
    }
    if rest.contains(']') {
        return Err(format!("`]` without `[` in `{}`", super::name::short(text)));
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest));
    }
    Ok(parts)
}

fn range(inside: &str) -> Result<Part<'static>, String> {
    let shown = super::name::short(inside);
    let mut bounds = inside.split(':');
    let (Some(from), Some(to), step, None) = (bounds.next(), bounds.next(), bounds.next(), bounds.next()) else {
        return Err(format!(
            "`[{shown}]` is not a range: write `[first:last]` or `[first:last:step]`"
        ));
    };
    let from = if from.is_empty() { "0" } else { from };
    if to.is_empty() {
        return Err(format!("the range `[{shown}]` has no end"));
    }
    let step = match step {
        None => 1,
        Some(step) => match step.parse::<u32>() {
            Ok(step) if step > 0 => u64::from(step),
            _ => return Err(format!("the step of the range `[{shown}]` is not a positive number")),
        },
    };
    let backwards = || format!("the range `[{shown}]` runs backwards");
    let letter = |text: &str| match text.as_bytes() {
        [byte] => LETTERS.iter().position(|l| l == byte),
        _ => None,
    };
    if let (Some(first), Some(last)) = (letter(from), letter(to)) {
        let span = last.checked_sub(first).ok_or_else(backwards)?;
        let step = usize::try_from(step).unwrap_or(usize::MAX);
        return Ok(Part::Letters {
            from: first,
            count: (span / step) as u64 + 1,
            step,
        });
    }
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        match text.parse::<u64>() {
            Ok(number) if digits => Ok(number),
            Err(_) if digits => Err(format!("the range `[{shown}]` is too large")),
            _ => Err(format!(
                "`[{shown}]` is not a range of numbers or of letters: `{}` is neither",
                super::name::short(text)
            )),
        }
    };
    let (first, last) = (number(from)?, number(to)?);
    let padded = from.len() > 1 && from.starts_with('0');
    if padded && from.len() != to.len() {
        return Err(format!(
            "both ends of the range `[{shown}]` must have the same number of digits"
        ));
    }
    let span = last.checked_sub(first).ok_or_else(backwards)?;
    Ok(Part::Numbers {
        from: first,
        count: (span / step).saturating_add(1),
        step,
        width: if padded { from.len() } else { 0 },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(text: &str) -> String {
        expand(text).map_or_else(|error| format!("error: {error}"), |names| names.join(" "))
    }

    #[test]
    fn ranges_count_as_in_ansible() {
        assert_eq!(names("web"), "web");
        assert_eq!(names("web[01:03]"), "web01 web02 web03");
        assert_eq!(names("web[8:11]"), "web8 web9 web10 web11");
        assert_eq!(names("n[0:6:2]"), "n0 n2 n4 n6");
        assert_eq!(names("n[:2]"), "n0 n1 n2");
        assert_eq!(names("db-[a:c].net"), "db-a.net db-b.net db-c.net");
        assert_eq!(names("x[y:B]"), "xy xz xA xB");
        assert_eq!(names("r[1:2]n[1:2]"), "r1n1 r1n2 r2n1 r2n2");
        assert_eq!(names("[a:b]x"), "ax bx");
    }

    #[test]
    fn bad_ranges_say_what_is_wrong_at_once() {
        assert!(names("web[9:1]").contains("`[9:1]` runs backwards"));
        assert!(names("web[1:9").contains("not closed"));
        assert!(names("web1:9]").contains("`]` without `[`"));
        assert!(names("web[1-9]").contains("write `[first:last]`"));
        assert!(names("web[1:99999999999]").contains("more than 1000000"));
        assert!(names("w[1:1000]x[1:1000]y[1:1000]").contains("more than"));
        assert!(names("w[1:99999999999999999999999]").contains("too large"));
        assert!(names("w[01:100]").contains("same number of digits"));
        assert!(names("w[1:9:0]").contains("step"));
        assert!(names("w[1:]").contains("no end"));
        assert!(names("w[a:9]").contains("neither"));
        assert!(names("w[0:18446744073709551615]").contains("more than"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[a-z\\[\\]:0-9é-]{0,20}") {
            let _ = expand(&text);
        }

        #[test]
        fn a_range_has_as_many_names_as_numbers(from in 0u64..500, span in 0u64..500, step in 1u64..7) {
            let names = expand(&format!("w[{from}:{}:{step}]", from + span)).unwrap();
            prop_assert_eq!(names.len() as u64, span / step + 1);
            prop_assert_eq!(names.last().unwrap(), &format!("w{}", from + span / step * step));
        }
    }
}
