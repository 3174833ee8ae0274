//! What a command prints, kept within bounds: the beginning and the end of a long output, and how much is missing between
//! them.

use std::collections::VecDeque;

/// How much of one stream is kept.
pub const KEPT: usize = 4 * 1024 * 1024;

/// Collects one stream.
#[derive(Debug)]
pub struct Bounded {
    most: usize,
    head: Vec<u8>,
    tail: VecDeque<u8>,
    left_out: u64,
}

impl Bounded {
    /// Keeps `most` bytes: half from the beginning, half from the end.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            head: Vec::new(),
            tail: VecDeque::new(),
            left_out: 0,
        }
    }

    /// Takes what came.
    pub fn push(&mut self, bytes: &[u8]) {
        let half = self.most / 2;
        let room = half.saturating_sub(self.head.len()).min(bytes.len());
        let (first, rest) = bytes.split_at(room);
        self.head.extend_from_slice(first);
        self.tail.extend(rest);
        let over = self.tail.len().saturating_sub(half);
        if over > 0 {
            self.tail.drain(..over);
            self.left_out = self.left_out.saturating_add(over as u64);
        }
    }

    /// How many bytes are missing.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// All that was kept, with a line that says what is missing.
    pub fn finish(mut self) -> Vec<u8> {
        let mut out = std::mem::take(&mut self.head);
        if self.left_out > 0 {
            out.extend_from_slice(format!("\n[{} bytes left out]\n", self.left_out).as_bytes());
        }
        out.extend(self.tail);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_output_is_kept_whole() {
        let mut bounded = Bounded::new(10);
        bounded.push(b"abcd");
        bounded.push(b"efghij");
        assert_eq!(bounded.left_out(), 0);
        assert_eq!(bounded.finish(), b"abcdefghij");
    }

    #[test]
    fn of_a_long_output_the_beginning_and_the_end_are_kept() {
        let mut bounded = Bounded::new(4);
        for chunk in [&b"abc"[..], b"defgh", b"ij"] {
            bounded.push(chunk);
        }
        assert_eq!(bounded.left_out(), 6);
        assert_eq!(bounded.finish(), b"ab\n[6 bytes left out]\nij");
    }
}
