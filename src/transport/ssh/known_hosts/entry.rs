//! One line of a known_hosts file.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What stands before the names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marker {
    /// Nothing: this key is the host's.
    None,
    /// `@revoked`: this key must never be accepted.
    Revoked,
    /// `@cert-authority`: this key signs host keys.
    CertAuthority,
}

/// One key and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What kind of line.
    pub marker: Marker,
    /// The key's type.
    pub kind: String,
    /// The key as the protocol has it.
    pub key: Vec<u8>,
    /// The line, from 1.
    pub line: usize,
}

/// The type a key says it is of. `None`: not a key.
pub fn key_type(key: &[u8]) -> Option<&str> {
    let (length, rest) = key.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    std::str::from_utf8(rest.get(..length)?)
        .ok()
        .filter(|kind| !kind.is_empty())
}

/// Reads a line: its names and its entry. `Ok(None)`: empty or a comment.
pub(super) fn parse(text: &str, line: usize) -> Result<Option<(&str, Entry)>, &'static str> {
    let text = text.trim();
    if text.is_empty() || text.starts_with('#') {
        return Ok(None);
    }
    let mut words = text.split_ascii_whitespace();
    let mut names = words.next().unwrap_or_default();
    let marker = match names {
        "@revoked" => Marker::Revoked,
        "@cert-authority" => Marker::CertAuthority,
        other if other.starts_with('@') => return Err("unknown marker"),
        _ => Marker::None,
    };
    if marker != Marker::None {
        names = words.next().ok_or("no host names")?;
    }
    let kind = words.next().ok_or("no key type")?;
    let key = words.next().ok_or("no key")?;
    let key = STANDARD.decode(key).map_err(|_| "the key is not base64")?;
    if key_type(&key) != Some(kind) {
        return Err("the key is not of the type the line says");
    }
    let kind = kind.to_owned();
    Ok(Some((
        names,
        Entry {
            marker,
            kind,
            key,
            line,
        },
    )))
}
