//! The passwords of a run, and which of them opens what.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::secret::Secret;
use crate::vault::cipher::{self, Keys};
use crate::vault::{DEFAULT_LABEL, Envelope, Revealed, VaultError};

/// How many decrypted values, and how many keys, are kept. Each costs some milliseconds to make again.
const KEPT: usize = 100_000;

/// A password and the label it goes by.
#[derive(Clone, Debug)]
pub struct Key {
    /// The label.
    pub label: String,
    /// The password.
    pub password: Secret<Vec<u8>>,
}

/// What came out of a vault text.
pub struct Opened<'a> {
    /// The plain text, wiped when it is dropped.
    pub plain: Zeroizing<Vec<u8>>,
    /// What opened it.
    pub key: &'a Key,
    /// The label that stands in the text.
    pub label: Option<String>,
}

/// Keys of a password for one salt, made once.
type Derived = Arc<OnceLock<Keys>>;
/// A value decrypted once for all who ask at the same time.
type Slot = Arc<OnceLock<Result<Arc<str>, VaultError>>>;

/// The passwords of a run. Without any it opens nothing, and says what is missing.
#[derive(Default)]
pub struct Keyring {
    keys: Vec<Key>,
    only_matching: bool,
    default_label: Option<String>,
    values: Mutex<Values>,
    /// By the number of the password and the salt: a file that goes to a thousand hosts is opened a thousand times.
    derived: Mutex<HashMap<(usize, Vec<u8>), Derived>>,
    revealed: Arc<Revealed>,
}

#[derive(Default)]
struct Values {
    /// By the digest of the vault text.
    slots: HashMap<[u8; 32], Slot>,
    /// By where the plain text lies in memory: that is how a value is known again that came out of a vault.
    places: HashMap<usize, Arc<str>>,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels: Vec<&str> = self.keys.iter().map(|key| key.label.as_str()).collect();
        f.debug_struct("Keyring")
            .field("labels", &labels)
            .field("only_matching", &self.only_matching)
            .finish_non_exhaustive()
    }
}

impl Keyring {
    /// These passwords, in the order they are tried. With `only_matching` (`vault_id_match`) only those with the
    /// label of the text.
    pub fn new(keys: Vec<Key>, only_matching: bool) -> Self {
        Self {
            keys,
            only_matching,
            ..Self::default()
        }
    }

    /// The label that texts without one are taken to have (`vault_identity`), instead of [`DEFAULT_LABEL`].
    #[must_use]
    pub fn with_default(mut self, label: &str) -> Self {
        self.default_label = Some(label.to_owned());
        self
    }

    /// The passwords, in order.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// Plain texts that must not be shown.
    pub fn revealed(&self) -> &Arc<Revealed> {
        &self.revealed
    }

    /// The password to encrypt with: the first one with that label, or the first of all.
    pub fn key_for(&self, label: Option<&str>) -> Option<&Key> {
        match label {
            Some(label) => self.keys.iter().find(|key| key.label == label),
            None => self.keys.first(),
        }
    }

    /// Opens a vault text: passwords with its label first, then the others in their order.
    pub fn open(&self, text: &[u8]) -> Result<Opened<'_>, VaultError> {
        let envelope = Envelope::parse(text)?;
        if self.keys.is_empty() {
            return Err(VaultError::NoPassword { wanted: envelope.label });
        }
        // As in Ansible, a text without a label has the default one.
        let default = self.default_label.as_deref().unwrap_or(DEFAULT_LABEL);
        let wanted = envelope.label.as_deref().unwrap_or(default);
        let all = || self.keys.iter().enumerate();
        let first = all().filter(|(_, key)| key.label == wanted);
        let rest = all().filter(|(_, key)| key.label != wanted && !self.only_matching);
        let mut tried: Vec<String> = Vec::new();
        for (number, key) in first.chain(rest) {
            let derived = self.derived(number, &envelope.salt);
            let keys = derived.get_or_init(|| Keys::of(key.password.reveal(), &envelope.salt));
            if let Some(plain) = cipher::open_with(&envelope, keys)? {
                return Ok(Opened {
                    plain,
                    key,
                    label: envelope.label,
                });
            }
            if !tried.contains(&key.label) {
                tried.push(key.label.clone());
            }
        }
        if tried.is_empty() {
            return Err(VaultError::NoMatch {
                wanted: wanted.to_owned(),
            });
        }
        Err(VaultError::NoneOpens {
            wanted: envelope.label,
            tried,
        })
    }

    fn derived(&self, number: usize, salt: &[u8]) -> Derived {
        let mut derived = self.derived.lock().unwrap_or_else(PoisonError::into_inner);
        if derived.len() >= KEPT {
            derived.clear();
        }
        derived.entry((number, salt.to_vec())).or_default().clone()
    }

    /// The plain text of a `!vault` value. It is decrypted once, and hidden from then on in everything that is told.
    pub fn value(&self, text: &str) -> Result<Arc<str>, VaultError> {
        let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
        let slot = {
            let mut values = self.values();
            if values.slots.len() >= KEPT {
                *values = Values::default();
            }
            values.slots.entry(digest).or_default().clone()
        };
        slot.get_or_init(|| {
            let opened = self.open(text.as_bytes())?;
            let plain: Arc<str> = std::str::from_utf8(&opened.plain)
                .map_err(|_| VaultError::NotText)?
                .into();
            self.revealed.add(&plain);
            self.values().places.insert(plain.as_ptr() as usize, plain.clone());
            Ok(plain)
        })
        .clone()
    }

    /// True for a text that [`value`](Self::value) gave: for that very one, not for an equal one.
    pub fn gave(&self, text: &str) -> bool {
        let values = self.values();
        let place = values.places.get(&(text.as_ptr() as usize));
        place.is_some_and(|known| known.len() == text.len())
    }

    fn values(&self) -> MutexGuard<'_, Values> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
