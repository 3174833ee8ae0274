//! Replaces known secrets in everything that is told.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::vault::Revealed;

/// What a secret is replaced by.
const MASK: &str = "********";
/// Shorter secrets are not searched for: replacing every `1` would make all output unreadable.
const SHORTEST: usize = 4;

/// The secrets of a run.
#[derive(Clone, Default)]
pub struct Mask {
    /// Those that are known from the beginning. All are found at once: a fleet may have a password for every host.
    given: Option<Finder>,
    /// Those that are decrypted on the way.
    revealed: Option<Arc<Growing>>,
}

type Finder = Arc<AhoCorasick>;

/// Texts that become more while they are searched for.
struct Growing {
    source: Arc<Revealed>,
    state: Mutex<State>,
}

/// Parts of texts, each with a finder of its own, the larger ones first. A part that has caught up with the one before
/// it is joined with it, so that each text is put into few finders on the whole.
#[derive(Default)]
struct State {
    /// How many texts were taken in.
    taken: usize,
    parts: Vec<(Vec<Arc<str>>, Option<Finder>)>,
}

impl Mask {
    /// Hides these texts, and their base64, URL-quoted and JSON-quoted forms.
    pub fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        Self {
            given: finder(secrets.into_iter().filter(|s| s.len() >= SHORTEST)),
            revealed: None,
        }
    }

    /// Hides as well what is decrypted, from the moment on it is.
    #[must_use]
    pub fn and(mut self, revealed: Arc<Revealed>) -> Self {
        self.revealed = Some(Arc::new(Growing {
            source: revealed,
            state: Mutex::default(),
        }));
        self
    }

    /// True when there is nothing to hide so far.
    pub fn is_empty(&self) -> bool {
        self.given.is_none() && self.revealed.as_ref().is_none_or(|texts| texts.source.count() == 0)
    }

    fn finders(&self) -> Vec<Finder> {
        let grown = self.revealed.iter().flat_map(|texts| texts.finders());
        self.given.iter().cloned().chain(grown).collect()
    }

    /// The text without secrets.
    pub fn text(&self, text: &str) -> String {
        match hide(&self.finders(), text.as_bytes()) {
            Cow::Borrowed(_) => text.to_owned(),
            // Whole characters were replaced by ASCII.
            Cow::Owned(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        }
    }

    /// The same for bytes that are no text, in base64. What cannot be looked at goes.
    pub fn encoded(&self, encoded: &str) -> Option<String> {
        let bytes = STANDARD.decode(encoded).ok()?;
        Some(STANDARD.encode(hide(&self.finders(), &bytes)))
    }

    /// True when there is something to hide in the text.
    pub fn hides(&self, text: &str) -> bool {
        is_told(&self.finders(), text)
    }

    /// True when there is something to hide in a value.
    pub fn hides_in(&self, value: &Value) -> bool {
        let finders = self.finders();
        !finders.is_empty() && is_told_in(&finders, value)
    }

    /// Hides secrets in every text of a value.
    pub fn value(&self, value: &mut Value) {
        let finders = self.finders();
        if !finders.is_empty() {
            hide_value(&finders, value);
        }
    }
}

impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mask")
    }
}

impl Growing {
    fn finders(&self) -> Vec<Finder> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if self.source.count() > state.taken {
            let new = self.source.since(state.taken);
            state.taken += new.len();
            state.add(new);
        }
        state.parts.iter().filter_map(|(_, finder)| finder.clone()).collect()
    }
}

impl State {
    fn add(&mut self, mut texts: Vec<Arc<str>>) {
        while let Some((last, _)) = self.parts.pop_if(|(last, _)| last.len() <= texts.len()) {
            texts.extend(last);
        }
        let finder = finder(texts.iter().map(ToString::to_string));
        self.parts.push((texts, finder));
    }
}

/// Finds these texts and their other forms. `None`: there is nothing to find.
fn finder(texts: impl Iterator<Item = String>) -> Option<Finder> {
    let mut all = std::collections::BTreeSet::new();
    for text in texts {
        all.insert(percent(&text));
        all.insert(STANDARD.encode(&text).trim_end_matches('=').to_owned());
        let quoted = Value::String(text.clone()).to_string();
        all.insert(quoted.trim_matches('"').to_owned());
        all.insert(text);
    }
    all.remove("");
    if all.is_empty() {
        return None;
    }
    AhoCorasick::new(&all).ok().map(Arc::new)
}

/// Replaces what any of the finders finds. Places that overlap are one.
fn hide<'t>(finders: &[Finder], text: &'t [u8]) -> Cow<'t, [u8]> {
    let mut places: Vec<(usize, usize)> = Vec::new();
    for finder in finders {
        let mut own: Vec<(usize, usize)> = Vec::new();
        // In the order of their ends.
        for found in finder.find_overlapping_iter(text) {
            let mut start = found.start();
            while let Some((earlier, _)) = own.pop_if(|(_, end)| *end > start) {
                start = start.min(earlier);
            }
            own.push((start, found.end()));
        }
        places.extend(own);
    }
    if places.is_empty() {
        return Cow::Borrowed(text);
    }
    places.sort_unstable();
    let mut out = Vec::with_capacity(text.len());
    let mut done = 0;
    let mut places = places.into_iter().peekable();
    while let Some((start, mut end)) = places.next() {
        while let Some((_, more)) = places.next_if(|(next, _)| *next < end) {
            end = end.max(more);
        }
        out.extend_from_slice(text.get(done..start).unwrap_or_default());
        out.extend_from_slice(MASK.as_bytes());
        done = end;
    }
    out.extend_from_slice(text.get(done..).unwrap_or_default());
    Cow::Owned(out)
}

fn is_told(finders: &[Finder], text: &str) -> bool {
    finders.iter().any(|finder| finder.is_match(text))
}

fn is_told_in(finders: &[Finder], value: &Value) -> bool {
    match value {
        Value::String(text) => is_told(finders, text),
        Value::Number(number) => is_told(finders, &number.to_string()),
        Value::Array(items) => items.iter().any(|item| is_told_in(finders, item)),
        Value::Object(map) => map.values().any(|item| is_told_in(finders, item)),
        Value::Null | Value::Bool(_) => false,
    }
}

fn hide_value(finders: &[Finder], value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Cow::Owned(bytes) = hide(finders, text.as_bytes()) {
                *text = String::from_utf8_lossy(&bytes).into_owned();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| hide_value(finders, item)),
        Value::Object(map) => map.values_mut().for_each(|item| hide_value(finders, item)),
        Value::Number(number) => {
            // A number that was encrypted is one all the same when it is told.
            if let Cow::Owned(_) = hide(finders, number.to_string().as_bytes()) {
                *value = MASK.into();
            }
        }
        Value::Null | Value::Bool(_) => {}
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
        let mask = Mask::new(["s3cr/et!".to_owned(), "1".to_owned(), "quo\"te".to_owned()]);
        assert_eq!(mask.text("pass=s3cr/et! 1"), "pass=******** 1");
        assert_eq!(mask.text("x s3cr%2Fet%21"), "x ********");
        assert_eq!(mask.text("czNjci9ldCE="), "********=");
        assert_eq!(mask.text("{\"a\": \"quo\\\"te\"}"), "{\"a\": \"********\"}");
        let mut value = serde_json::json!({"a": ["s3cr/et!", 1]});
        mask.value(&mut value);
        assert_eq!(value, serde_json::json!({"a": ["********", 1]}));
        let bytes = STANDARD.encode(b"\xff s3cr/et! \xfe");
        assert_eq!(mask.encoded(&bytes), Some(STANDARD.encode(b"\xff ******** \xfe")));
    }

    #[test]
    fn what_is_decrypted_later_is_hidden_from_then_on() {
        let revealed = Arc::new(Revealed::default());
        let mask = Mask::new(["given".to_owned()]).and(revealed.clone());
        assert_eq!(mask.text("given later7 7654321"), "******** later7 7654321");
        for number in 0..40 {
            revealed.add(&format!("later{number}"));
            let shown = mask.text(&format!("given later{number} later{}", number + 100));
            assert!(shown.starts_with("******** ********"), "{shown}");
        }
        revealed.add("7654321");
        let mut value = serde_json::json!({"n": 7_654_321, "m": 12});
        assert!(mask.hides_in(&value) && !mask.hides_in(&serde_json::json!({"m": [12]})) && mask.hides("xlater3"));
        mask.value(&mut value);
        assert_eq!(value, serde_json::json!({"n": "********", "m": 12}));
        // However many there are, few finders are searched.
        assert!(mask.finders().len() < 8, "{}", mask.finders().len());
    }

    #[test]
    fn overlapping_secrets_leave_no_rest() {
        let revealed = Arc::new(Revealed::default());
        revealed.add("bcdefg");
        let mask = Mask::new(["abcd".to_owned(), "defgh".to_owned()]).and(revealed);
        assert_eq!(mask.text("xabcdefghx"), "x********x");
    }
}
