//! Ansible Vault: text that only a password opens. Everything is decrypted in memory, with the same results as
//! `ansible-vault`.
//!
//! `envelope.rs` knows the form of the text, `cipher.rs` how it is encrypted, `identity.rs` where passwords come from,
//! `keyring.rs` which of them opens what, `revealed.rs` which plain texts must not be shown afterwards.

mod cipher;
mod envelope;
mod fault;
mod files;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod identity;
mod keyring;
mod revealed;
#[cfg(test)]
mod tests;

pub use cipher::{open, seal, seal_with_salt};
pub use envelope::{Envelope, HEADER};
pub use fault::VaultError;
pub use identity::{Ask, Found, Identity, collect};
pub use keyring::{Key, Keyring, Opened};
pub use revealed::Revealed;

/// The label that is meant where none is given.
pub const DEFAULT_LABEL: &str = "default";

/// True for a text that claims to be encrypted. Whether it can be read is another question.
pub fn is_vault(text: &[u8]) -> bool {
    text.starts_with(HEADER.as_bytes())
}
