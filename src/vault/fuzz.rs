//! Vault texts for the fuzz target.

use crate::vault::{DEFAULT_LABEL, Envelope, is_vault};

/// A vault text: what is taken apart is put together again as the same. No key is tried: deriving one is slow.
pub(crate) fn vault(data: &[u8]) {
    let _ = Envelope::label_of(data);
    let Ok(envelope) = Envelope::parse(data) else {
        return;
    };
    assert!(
        is_vault(data.trim_ascii_start()),
        "a text was read that does not begin as one"
    );
    let again = Envelope::parse(envelope.text().as_bytes()).expect("what was written can be read");
    let label = envelope
        .label
        .clone()
        .filter(|label| !label.is_empty() && label != DEFAULT_LABEL);
    assert_eq!(again, Envelope { label, ..envelope });
}
