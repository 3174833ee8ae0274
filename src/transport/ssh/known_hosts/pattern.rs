//! Names in known_hosts and ssh_config: `*`, `?`, `!`, and hashed names.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

/// True when `text` matches `pattern`, where `*` is any bytes and `?` any one. Runs in time of the product of lengths.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p = p.saturating_add(1);
            }
            Some(b'?') => {
                p = p.saturating_add(1);
                t = t.saturating_add(1);
            }
            Some(byte) if Some(byte) == text.get(t) => {
                p = p.saturating_add(1);
                t = t.saturating_add(1);
            }
            _ => match star {
                Some((at, from)) => {
                    p = at.saturating_add(1);
                    t = from.saturating_add(1);
                    star = Some((at, t));
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|&b| b == b'*')
}

/// A comma list of patterns; one that begins with `!` takes names out again.
pub(crate) struct PatternList(Vec<(bool, String)>);

impl PatternList {
    /// Reads a list; patterns match without regard to case.
    pub(crate) fn parse(text: &str) -> Self {
        Self(
            text.split(',')
                .filter(|part| !part.is_empty())
                .map(|part| match part.strip_prefix('!') {
                    Some(rest) => (true, rest.to_ascii_lowercase()),
                    None => (false, part.to_ascii_lowercase()),
                })
                .collect(),
        )
    }

    /// True when a pattern matches `name` (in lower case) and none with `!` does.
    pub(crate) fn matches(&self, name: &str) -> bool {
        let mut hit = false;
        for (negated, pattern) in &self.0 {
            if matches(pattern, name) {
                if *negated {
                    return false;
                }
                hit = true;
            }
        }
        hit
    }
}

/// A name stored as `|1|salt|hash`.
pub(crate) struct Hashed {
    salt: Vec<u8>,
    hash: Vec<u8>,
}

impl Hashed {
    /// Reads the field.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (salt, hash) = text.strip_prefix("|1|")?.split_once('|')?;
        let (salt, hash) = (STANDARD.decode(salt).ok()?, STANDARD.decode(hash).ok()?);
        (hash.len() == 20).then_some(Self { salt, hash })
    }

    /// True when it is `name`'s.
    pub(crate) fn matches(&self, name: &str) -> bool {
        hash(&self.salt, name) == self.hash
    }
}

/// HMAC-SHA1 of a name.
#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
pub(crate) fn hash(salt: &[u8], name: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha1>::new_from_slice(salt).expect("HMAC takes keys of any length");
    mac.update(name.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_ssh() {
        assert!(matches("*", ""));
        assert!(matches("web*.example.??", "web12.example.de"));
        assert!(!matches("web?", "web"));
        assert!(matches("*a*a*a*b", &format!("{}b", "a".repeat(50))));
        assert!(!matches(&"*a".repeat(30), &"b".repeat(10_000)), "and soon");
    }

    #[test]
    fn a_hash_is_hmac_sha1() {
        // RFC 2202, test case 1.
        let hex = hash(&[0x0b; 20], "Hi There")
            .iter()
            .fold(String::new(), |hex, b| hex + &format!("{b:02x}"));
        assert_eq!(hex, "b617318655057264e28bc0b6fb378c8ef146be00");
    }
}
