//! Finds one line that starts with a secret mark in a stream of bytes and takes it out.

/// Longest number after a mark.
const MAX_NUMBER: usize = 10;

/// Looks for `MARK NUMBER \n`; holds back only bytes that may become it.
pub(super) struct MarkScan {
    /// Empty once found, or when there is nothing to look for.
    mark: Vec<u8>,
    /// The mark's beginning, or the whole of it and a part of its number.
    held: Vec<u8>,
}

/// The line that was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Its number.
    pub(super) number: Option<u32>,
    /// Where in the bytes given out what followed it begins.
    pub(super) at: usize,
}

impl MarkScan {
    /// Looks for `mark`.
    pub(super) fn new(mark: &str) -> Self {
        Self {
            mark: mark.as_bytes().to_vec(),
            held: Vec::new(),
        }
    }

    /// Looks for nothing.
    pub(super) fn done() -> Self {
        Self {
            mark: Vec::new(),
            held: Vec::new(),
        }
    }

    /// True once the mark was found.
    pub(super) fn is_done(&self) -> bool {
        self.mark.is_empty()
    }

    /// Bytes held back.
    pub(super) fn pending(&self) -> &[u8] {
        &self.held
    }

    /// Bytes held back, to be given out because nothing follows.
    pub(super) fn take_pending(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }

    /// Takes `bytes`; appends all but the marked line to `out`.
    pub(super) fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Option<Line> {
        if self.is_done() {
            out.extend_from_slice(bytes);
            return None;
        }
        let mut text = std::mem::take(&mut self.held);
        text.extend_from_slice(bytes);
        let mut from = 0;
        loop {
            let rest = text.get(from..).unwrap_or_default();
            let Some(step) = rest.iter().position(|b| Some(b) == self.mark.first()) else {
                out.extend_from_slice(rest);
                return None;
            };
            let (before, rest) = rest.split_at_checked(step).unwrap_or_default();
            out.extend_from_slice(before);
            from = from.saturating_add(step);
            match self.judge(rest) {
                Verdict::Found { number, length } => {
                    let at = out.len();
                    out.extend_from_slice(rest.get(length..).unwrap_or_default());
                    self.mark.clear();
                    return Some(Line { number, at });
                }
                Verdict::Maybe => {
                    self.held = rest.to_vec();
                    return None;
                }
                Verdict::No => {
                    out.extend(rest.first());
                    from = from.saturating_add(1);
                }
            }
        }
    }

    fn judge(&self, text: &[u8]) -> Verdict {
        let common = text.iter().zip(&self.mark).take_while(|(a, b)| a == b).count();
        if common < self.mark.len() {
            return if common == text.len() {
                Verdict::Maybe
            } else {
                Verdict::No
            };
        }
        let after = text.get(common..).unwrap_or_default();
        let digits = after.iter().take_while(|b| b.is_ascii_digit()).count();
        if digits > MAX_NUMBER {
            return Verdict::No;
        }
        let (number, end) = after.split_at_checked(digits).unwrap_or_default();
        let number = std::str::from_utf8(number).ok().and_then(|n| n.parse().ok());
        let length = common.saturating_add(digits);
        match end {
            [] | [b'\r'] => Verdict::Maybe,
            [b'\n', ..] => Verdict::Found {
                number,
                length: length.saturating_add(1),
            },
            [b'\r', b'\n', ..] => Verdict::Found {
                number,
                length: length.saturating_add(2),
            },
            _ => Verdict::No,
        }
    }
}

enum Verdict {
    Found { number: Option<u32>, length: usize },
    Maybe,
    No,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marked_line_is_taken_out_at_any_split() {
        let text = b"m\nmamark 12\nafter mark 13\n";
        for split in 0..text.len() {
            let mut scan = MarkScan::new("mark ");
            let mut out = Vec::new();
            let mut found = scan.feed(&text[..split], &mut out);
            found = scan.feed(&text[split..], &mut out).or(found);
            assert_eq!(out, b"m\nmaafter mark 13\n", "split at {split}");
            assert_eq!(found.unwrap().number, Some(12));
        }
    }

    #[test]
    fn what_is_no_mark_is_given_out() {
        let mut scan = MarkScan::new("mark ");
        let mut out = Vec::new();
        assert!(scan.feed(b"mark x, mark 123456789012\n", &mut out).is_none());
        out.extend(scan.take_pending());
        assert_eq!(out, b"mark x, mark 123456789012\n");
    }
}
