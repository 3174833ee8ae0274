//! The chain of hashes through a journal. Every line ends with a hash over the line before it and itself, so a line that
//! was changed, taken out or put in breaks the chain at its place.

use sha2::{Digest, Sha256};

/// A hash: SHA-256.
pub type Hash = [u8; 32];

/// What stands before the hash in a line.
const BEFORE: &[u8] = b",\"hash\":\"";
/// What stands behind it.
const BEHIND: &[u8] = b"\"}";
/// Hexadecimal digits of a hash.
const DIGITS: usize = 64;

/// The end of a chain, to which the next line is tied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain(Hash);

impl Chain {
    /// The begin: tied to the name of what is chained, so that one journal cannot stand for another.
    pub fn begin(name: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"batchssh chain 1\n");
        hash.update(name.as_bytes());
        Self(hash.finalize().into())
    }

    /// The hash of the last line, hexadecimal.
    pub fn last(&self) -> String {
        hex(&self.0)
    }

    /// Adds a line: an object of JSON without its line feed becomes one with the hash as its last field.
    pub fn seal(&mut self, line: &mut Vec<u8>) {
        self.0 = self.next(line);
        // The closing brace makes room for the hash.
        line.pop();
        line.extend_from_slice(BEFORE);
        line.extend_from_slice(hex(&self.0).as_bytes());
        line.extend_from_slice(BEHIND);
    }

    /// Takes a sealed line in, without its line feed. False: it does not follow from what came before; the chain goes
    /// on from what the line says all the same.
    pub fn follow(&mut self, line: &[u8]) -> Option<bool> {
        let (bare, said) = open(line)?;
        let follows = self.next(&bare) == said;
        self.0 = said;
        Some(follows)
    }

    fn next(&self, line: &[u8]) -> Hash {
        let mut hash = Sha256::new();
        hash.update(self.0);
        hash.update(line);
        hash.finalize().into()
    }
}

/// A sealed line as it was before, and the hash it says. `None`: it has none.
fn open(line: &[u8]) -> Option<(Vec<u8>, Hash)> {
    let rest = line.strip_suffix(BEHIND)?;
    let (rest, digits) = rest.split_at_checked(rest.len().checked_sub(DIGITS)?)?;
    let mut bare = rest.strip_suffix(BEFORE)?.to_vec();
    bare.push(b'}');
    Some((bare, unhex(digits)?))
}

fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

fn unhex(digits: &[u8]) -> Option<Hash> {
    let mut hash = [0; 32];
    let digit = |byte: u8| char::from(byte).to_digit(16).filter(|_| !byte.is_ascii_uppercase());
    for (byte, pair) in hash.iter_mut().zip(digits.chunks(2)) {
        let [high, low] = pair else { return None };
        *byte = u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(lines: &[&str]) -> Vec<Vec<u8>> {
        let mut chain = Chain::begin("r1");
        let seal = |line: &&str| {
            let mut line = line.as_bytes().to_vec();
            chain.seal(&mut line);
            line
        };
        lines.iter().map(seal).collect()
    }

    fn followed(lines: &[Vec<u8>]) -> Vec<Option<bool>> {
        let mut chain = Chain::begin("r1");
        lines.iter().map(|line| chain.follow(line)).collect()
    }

    #[test]
    fn a_sealed_line_is_json_and_follows_from_the_one_before() {
        let lines = sealed(&[r#"{"a":1}"#, r#"{"b":2}"#]);
        let value: serde_json::Value = serde_json::from_slice(&lines[1]).unwrap();
        assert_eq!(value["b"], 2);
        assert_eq!(value["hash"].as_str().unwrap().len(), 64);
        assert_eq!(followed(&lines), [Some(true), Some(true)]);
        assert_eq!(Chain::begin("r2").follow(&lines[0]), Some(false));
    }

    #[test]
    fn any_changed_byte_and_any_missing_line_is_seen() {
        let lines = sealed(&[r#"{"a":1}"#, r#"{"b":2}"#, r#"{"c":3}"#]);
        for at in 0..lines[1].len() {
            let mut changed = lines.clone();
            changed[1][at] ^= 1;
            assert!(
                followed(&changed).contains(&Some(false)) || followed(&changed).contains(&None),
                "{at}"
            );
        }
        assert_eq!(
            followed(&[lines[0].clone(), lines[2].clone()]),
            [Some(true), Some(false)]
        );
        assert_eq!(followed(&lines[1..]), [Some(false), Some(true)]);
    }

    #[test]
    fn a_line_without_a_hash_is_told_from_one_with_a_wrong_one() {
        assert_eq!(Chain::begin("r1").follow(br#"{"a":1}"#), None);
        assert_eq!(Chain::begin("r1").follow(b""), None);
    }
}
