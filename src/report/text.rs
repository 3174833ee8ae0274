//! Text from hosts made safe and fitting for people: nothing in it can drive a terminal or look like another line.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Characters that move the cursor, ring, change direction or end a line somewhere.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Adds a character to a JSON string the way NDJSON and Ansible's look both want it: what could drive a terminal is
/// an escape, other text stays as it is.
pub(crate) fn push_json_char(out: &mut String, c: char) {
    match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\u{8}' => out.push_str("\\b"),
        '\u{c}' => out.push_str("\\f"),
        // All of them are in the basic plane, so four digits do.
        c if is_unsafe(c) => put!(out, "\\u{:04x}", u32::from(c)),
        c => out.push(c),
    }
}

/// One line: line feeds become `\n`, control characters escapes.
pub(crate) fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push(' '),
            c if is_unsafe(c) => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out
}

/// The lines of a text, each safe. The carriage return of a line ended by CR LF goes, the last line feed too.
pub(crate) fn lines(text: &str) -> impl DoubleEndedIterator<Item = String> + '_ {
    text.lines().map(expand)
}

/// One line with tabs as blanks up to the next multiple of eight, so that tables of hosts stay tables.
fn expand(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut column = 0;
    for c in line.chars() {
        if c == '\t' {
            let blanks = 8 - column % 8;
            out.extend(std::iter::repeat_n(' ', blanks));
            column += blanks;
        } else if is_unsafe(c) {
            let escape: String = c.escape_default().collect();
            column += escape.len();
            out.push_str(&escape);
        } else {
            column += c.width().unwrap_or(0);
            out.push(c);
        }
    }
    out
}

/// Columns a text takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// The text, cut to at most `most` columns; `mark` (`…`) shows that something is missing.
pub(crate) fn fit(text: &str, most: usize, mark: &str) -> String {
    if width(text) <= most {
        return text.to_owned();
    }
    let room = most.saturating_sub(width(mark));
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let w = c.width().unwrap_or(0);
        if used + w > room {
            break;
        }
        used += w;
        out.push(c);
    }
    out.push_str(mark);
    out
}

/// The text cut into pieces of at most `most` columns, between words where there are words.
pub(crate) fn wrap(text: &str, most: usize) -> Vec<String> {
    let most = most.max(1);
    let mut out = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split_inclusive(' ') {
        let w = width(word.trim_end());
        if used > 0 && used + w > most {
            out.push(std::mem::take(&mut line).trim_end().to_owned());
            used = 0;
        }
        if w <= most {
            line.push_str(word);
            used += width(word);
            continue;
        }
        // A word longer than a line is cut anywhere.
        for c in word.chars() {
            let w = c.width().unwrap_or(0);
            if used + w > most {
                out.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push(c);
            used += w;
        }
    }
    if !line.trim_end().is_empty() || out.is_empty() {
        out.push(line.trim_end().to_owned());
    }
    out
}

/// The text cut anywhere into pieces of at most `most` columns; nothing is left out, blanks stay.
pub(crate) fn cut(text: &str, most: usize) -> Vec<String> {
    let most = most.max(1);
    let mut out = vec![String::new()];
    let mut used = 0;
    for c in text.chars() {
        let w = c.width().unwrap_or(0);
        if used + w > most && used > 0 {
            out.push(String::new());
            used = 0;
        }
        if let Some(last) = out.last_mut() {
            last.push(c);
        }
        used += w;
    }
    out
}

/// A number with its thousands set apart: `7 000`.
pub(crate) fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        // Four digits are read well without a gap.
        if digits.len() > 4 && i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(c);
    }
    out
}

/// `1 host`, `7 hosts`.
pub(crate) fn hosts(number: usize) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{} host{s}", count(number))
}

/// A length of time in seconds, for people.
pub(crate) fn seconds(seconds: f64) -> String {
    let time = std::time::Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or_default();
    crate::names::show_duration(time)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_host_says_cannot_drive_the_terminal() {
        assert_eq!(
            one_line("a\x1b[2J\nb\u{9b}c\u{202e}\u{7}"),
            "a\\u{1b}[2J\\nb\\u{9b}c\\u{202e}\\u{7}"
        );
        let shown: Vec<_> = lines("one\r\ntw\ro\n\x08x\ty\n").collect();
        assert_eq!(shown, ["one", "tw\\ro", "\\u{8}x  y"]);
    }

    #[test]
    fn text_is_cut_by_columns_not_by_bytes() {
        assert_eq!(fit("abcdef", 6, "…"), "abcdef");
        assert_eq!(fit("abcdefg", 6, "…"), "abcde…");
        assert_eq!(fit("日本語", 5, "…"), "日本…");
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("", 4), [""]);
    }

    #[test]
    fn numbers_are_grouped_from_five_digits_on() {
        assert_eq!(count(7000), "7000");
        assert_eq!(count(70_000), "70 000");
        assert_eq!(count(1_234_567), "1 234 567");
        assert_eq!(hosts(1), "1 host");
    }

    proptest! {
        #[test]
        fn no_line_holds_a_control_character_or_is_too_wide(text in any::<String>(), most in 4usize..60) {
            for line in lines(&text).chain([one_line(&text)]) {
                prop_assert!(!line.chars().any(is_unsafe));
                prop_assert!(width(&fit(&line, most, "…")) <= most);
                for piece in wrap(&line, most) {
                    // A cluster of joined characters can be narrower than the sum; it is never wider.
                    prop_assert!(width(&piece) <= most);
                }
            }
        }
    }
}
