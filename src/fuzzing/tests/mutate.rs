//! A small mutator: bytes of the corpus changed, cut, doubled and mixed. The same seed gives the same inputs.

/// Numbers at the borders of things.
const NUMBERS: [&[u8]; 8] = [
    b"0",
    b"-1",
    b"18446744073709551615",
    b"-9223372036854775808",
    b"4294967296",
    b"1e999",
    b"0x",
    b"99999999999999999999",
];

/// Makes inputs out of inputs.
pub(super) struct Mutator<'c> {
    state: u64,
    corpus: &'c [&'c [u8]],
}

impl<'c> Mutator<'c> {
    pub(super) fn new(seed: u64, corpus: &'c [&'c [u8]]) -> Self {
        Self {
            state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            corpus,
        }
    }

    /// Xorshift: good enough, and the same everywhere.
    fn random(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }

    fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit.max(1)).unwrap();
        usize::try_from(self.random() % limit).unwrap()
    }

    fn pick(&mut self) -> &'c [u8] {
        let at = self.below(self.corpus.len());
        self.corpus[at]
    }

    /// A piece of some input, up to 40 bytes.
    fn snippet(&mut self) -> &'c [u8] {
        let from = self.pick();
        let start = self.below(from.len());
        let length = self.below(40);
        &from[start..from.len().min(start + length)]
    }

    pub(super) fn next(&mut self) -> Vec<u8> {
        let mut input = self.pick().to_vec();
        input.truncate(4096);
        for _ in 0..=self.below(4) {
            let at = self.below(input.len() + 1);
            let end = input.len().min(at + self.below(16));
            match self.below(8) {
                0 if at < input.len() => input[at] ^= 1 << self.below(8),
                1 if at < input.len() => input[at] = self.random().to_le_bytes()[0],
                2 => drop(input.drain(at..end)),
                3 => {
                    let piece = input[at..end].to_vec();
                    for _ in 0..self.below(20) {
                        input.splice(at..at, piece.iter().copied());
                    }
                }
                4 => {
                    let number = NUMBERS[self.below(NUMBERS.len())];
                    input.splice(at..end, number.iter().copied());
                }
                5 => drop(input.splice(at..end, self.snippet().iter().copied())),
                6 => input.truncate(at),
                _ => drop(input.splice(at..at, self.snippet().iter().copied())),
            }
        }
        input
    }
}
