//! Replaces known secrets in everything that is told.

use serde_json::Value;

use base64::Engine as _;

/// What a secret is replaced by.
const MASK: &str = "********";
/// Shorter secrets are not searched for: replacing every `1` would make all output unreadable.
const SHORTEST: usize = 4;

/// The secrets of a run.
#[derive(Clone, Default)]
pub struct Mask {
    /// The longest first, so that a secret that holds another one goes whole.
    secrets: Vec<zeroize::Zeroizing<String>>,
}

impl Mask {
    /// Hides these texts, and their base64 and URL-quoted forms.
    pub fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        let mut all = Vec::new();
        for secret in secrets.into_iter().filter(|s| s.len() >= SHORTEST) {
            let encoded = base64::engine::general_purpose::STANDARD.encode(&secret);
            let quoted = percent(&secret);
            if quoted != secret {
                all.push(zeroize::Zeroizing::new(quoted));
            }
            all.push(zeroize::Zeroizing::new(encoded.trim_end_matches('=').to_owned()));
            all.push(zeroize::Zeroizing::new(secret));
        }
        all.sort_by_key(|s| std::cmp::Reverse(s.len()));
        Self { secrets: all }
    }

    /// True when there is nothing to hide.
    pub fn is_empty(&self) -> bool {
        self.secrets.is_empty()
    }

    /// The text without secrets.
    pub fn text(&self, text: &str) -> String {
        let mut out = text.to_owned();
        for secret in &self.secrets {
            if out.contains(secret.as_str()) {
                out = out.replace(secret.as_str(), MASK);
            }
        }
        out
    }

    /// The same for every text in a value.
    pub fn value(&self, value: &mut Value) {
        if self.is_empty() {
            return;
        }
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            Value::Object(map) => map.values_mut().for_each(|item| self.value(item)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mask({} secrets)", self.secrets.len())
    }
}

fn percent(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out += &format!("%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_in_every_form() {
        let mask = Mask::new(["s3cr/et!".to_owned(), "1".to_owned()]);
        assert_eq!(mask.text("pass=s3cr/et! 1"), "pass=******** 1");
        assert_eq!(mask.text("x s3cr%2Fet%21"), "x ********");
        assert_eq!(mask.text("czNjci9ldCE="), "********=");
        let mut value = serde_json::json!({"a": ["s3cr/et!"]});
        mask.value(&mut value);
        assert_eq!(value, serde_json::json!({"a": ["********"]}));
    }
}
