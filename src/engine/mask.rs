//! Replaces known secrets in everything that is told.

use std::sync::Arc;

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use serde_json::Value;

/// What a secret is replaced by.
const MASK: &str = "********";
/// Shorter secrets are not searched for: replacing every `1` would make all output unreadable.
const SHORTEST: usize = 4;

/// The secrets of a run.
#[derive(Clone, Default)]
pub struct Mask {
    /// Finds all of them at once: a fleet may have a password for every host.
    finder: Option<Arc<AhoCorasick>>,
}

impl Mask {
    /// Hides these texts, and their base64 and URL-quoted forms.
    pub fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        let mut all = std::collections::BTreeSet::new();
        for secret in secrets.into_iter().filter(|s| s.len() >= SHORTEST) {
            let encoded = base64::engine::general_purpose::STANDARD.encode(&secret);
            all.insert(percent(&secret));
            all.insert(encoded.trim_end_matches('=').to_owned());
            all.insert(secret);
        }
        if all.is_empty() {
            return Self::default();
        }
        // The longest match first, so that a secret that holds another one goes whole.
        let built = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(&all);
        Self {
            finder: built.ok().map(Arc::new),
        }
    }

    /// True when there is nothing to hide.
    pub fn is_empty(&self) -> bool {
        self.finder.is_none()
    }

    /// The text without secrets.
    pub fn text(&self, text: &str) -> String {
        let Some(finder) = &self.finder else {
            return text.to_owned();
        };
        let mut out = String::with_capacity(text.len());
        finder.replace_all_with(text, &mut out, |_, _, out| {
            out.push_str(MASK);
            true
        });
        out
    }

    /// True when there is something to hide in the text.
    pub fn hides(&self, text: &str) -> bool {
        self.finder.as_ref().is_some_and(|finder| finder.is_match(text))
    }

    /// True when there is something to hide in a value.
    pub fn hides_in(&self, value: &Value) -> bool {
        match value {
            _ if self.is_empty() => false,
            Value::String(text) => self.hides(text),
            Value::Array(items) => items.iter().any(|item| self.hides_in(item)),
            Value::Object(map) => map.values().any(|item| self.hides_in(item)),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }

    /// Hides secrets in every text of a value.
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
        f.write_str("Mask")
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
