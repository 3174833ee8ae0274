//! The form of a vault text: a line that says what it is, then hexadecimal digits in lines of 80.
//!
//! The digits are those of three lines: salt, HMAC and cipher text, each in hexadecimal digits again. That is how
//! `ansible-vault` writes it; see the "Ansible Vault payload format" in Ansible's documentation.

use crate::vault::{DEFAULT_LABEL, VaultError};

/// How every vault text begins.
pub const HEADER: &str = "$ANSIBLE_VAULT";
/// Digits of a line.
const WIDTH: usize = 80;

/// A vault text taken apart. Nothing in it is verified yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The label of format 1.2. It is a hint for choosing a password and is not protected.
    pub label: Option<String>,
    /// What the password is salted with.
    pub salt: Vec<u8>,
    /// HMAC-SHA256 of the cipher text.
    pub hmac: Vec<u8>,
    /// What is encrypted.
    pub ciphertext: Vec<u8>,
}

impl Envelope {
    /// Takes a vault text apart. Blanks around lines are passed over: a value in a YAML file is indented.
    pub fn parse(text: &[u8]) -> Result<Self, VaultError> {
        let mut lines = split_lines(text);
        let first = lines.next().map(<[u8]>::trim_ascii).unwrap_or_default();
        let label = header(first)?;
        // Twice as many digits as bytes, on each of two levels: what is reserved is never more than what is there.
        let mut inner = Vec::with_capacity(text.len() / 2);
        let mut high = None;
        for (number, line) in (2..).zip(lines) {
            for byte in line.trim_ascii() {
                let digit = digit(*byte).ok_or(VaultError::Form {
                    what: "something else than hexadecimal digits",
                    line: number,
                })?;
                match high.take() {
                    None => high = Some(digit),
                    Some(high) => inner.push(high << 4 | digit),
                }
            }
        }
        if high.is_some() {
            return Err(form("a digit is missing"));
        }
        let mut parts = inner.splitn(3, |byte| *byte == b'\n');
        let mut part = |what| parts.next().ok_or(form(what));
        let salt = unhex(part("it is empty")?).ok_or(form("the salt is damaged"))?;
        let hmac = unhex(part("it is cut off")?).ok_or(form("the HMAC is damaged"))?;
        let ciphertext = unhex(part("it is cut off")?).ok_or(form("the cipher text is damaged"))?;
        if salt.is_empty() || hmac.is_empty() || ciphertext.is_empty() {
            return Err(form("it is cut off"));
        }
        Ok(Self {
            label,
            salt,
            hmac,
            ciphertext,
        })
    }

    /// The label that stands in the first line of a text, as far as the line can be read.
    pub fn label_of(text: &[u8]) -> Option<String> {
        header(split_lines(text).next()?.trim_ascii()).ok().flatten()
    }

    /// The text: format 1.2 with a label, 1.1 without one. The label [`DEFAULT_LABEL`] counts as none, as in Ansible.
    pub fn text(&self) -> String {
        let digits = hex([hex(&self.salt), hex(&self.hmac), hex(&self.ciphertext)]
            .join("\n")
            .as_bytes());
        let label = self
            .label
            .as_deref()
            .filter(|label| !label.is_empty() && *label != DEFAULT_LABEL);
        let mut out = match label {
            Some(label) => format!("{HEADER};1.2;AES256;{label}\n"),
            None => format!("{HEADER};1.1;AES256\n"),
        };
        let mut rest = digits.as_str();
        while !rest.is_empty() {
            // All of it is ASCII.
            let (line, more) = rest.split_at(rest.len().min(WIDTH));
            out.push_str(line);
            out.push('\n');
            rest = more;
        }
        out
    }
}

fn form(what: &'static str) -> VaultError {
    VaultError::Form { what, line: 2 }
}

/// `$ANSIBLE_VAULT;1.2;AES256;label`: gives the label.
fn header(line: &[u8]) -> Result<Option<String>, VaultError> {
    let broken = || VaultError::Form {
        what: "the first line is not `$ANSIBLE_VAULT;VERSION;CIPHER`",
        line: 1,
    };
    if !line.starts_with(HEADER.as_bytes()) {
        return Err(VaultError::NotVault);
    }
    let line = std::str::from_utf8(line).map_err(|_| broken())?;
    let mut parts = line.split(';').map(str::trim);
    if parts.next() != Some(HEADER) {
        return Err(broken());
    }
    let version = parts.next().ok_or_else(broken)?;
    let cipher = parts.next().ok_or_else(broken)?;
    if !matches!(version, "1.1" | "1.2") {
        return Err(VaultError::Version(shown(version)));
    }
    if cipher != "AES256" {
        return Err(VaultError::Cipher(shown(cipher)));
    }
    Ok(parts.next().filter(|label| !label.is_empty()).map(shown))
}

/// A word of the first line, bounded: it ends up in messages.
fn shown(word: &str) -> String {
    let short: String = word.chars().take(128).collect();
    // Where it was cut there may be blanks, which no label ends with.
    short.trim_end().to_owned()
}

/// Lines that end in `\n`, `\r` or both.
fn split_lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| matches!(byte, b'\n' | b'\r'))
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

fn unhex(digits: &[u8]) -> Option<Vec<u8>> {
    let (pairs, []) = digits.as_chunks::<2>() else {
        return None;
    };
    pairs
        .iter()
        .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?))
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}
