//! How a vault text is encrypted: PBKDF2 makes two keys and a counter of the password, AES-256 in counter mode hides
//! the text, and an HMAC over what is hidden says whether the password was right before anything is decrypted.

use aes::cipher::{KeyIvInit, StreamCipher};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::vault::{Envelope, VaultError};

/// Rounds of PBKDF2; the format has no other number.
const ROUNDS: u32 = 10_000;
/// Bytes of a new salt.
const SALT: usize = 32;
/// Bytes of a block of AES.
const BLOCK: usize = 16;

type Aes256Ctr = ctr::Ctr128BE<aes::Aes256>;

/// What PBKDF2 makes of a password and a salt. That takes milliseconds, so it is worth keeping.
pub(super) struct Keys(Zeroizing<[u8; 32 + 32 + BLOCK]>);

impl Keys {
    pub(super) fn of(password: &[u8], salt: &[u8]) -> Self {
        let mut derived = Zeroizing::new([0; 32 + 32 + BLOCK]);
        pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, ROUNDS, derived.as_mut_slice());
        Self(derived)
    }

    fn apply(&self, data: &mut [u8]) {
        let (keys, counter) = self.0.split_at(64);
        let (key, _) = keys.split_at(32);
        let mut cipher = Aes256Ctr::new_from_slices(key, counter).expect("the lengths are those of AES-256");
        cipher.apply_keystream(data);
    }

    fn hmac(&self, ciphertext: &[u8]) -> Hmac<Sha256> {
        let (_, rest) = self.0.split_at(32);
        let (key, _) = rest.split_at(32);
        let mut hmac = Hmac::<Sha256>::new_from_slice(key).expect("an HMAC takes a key of any length");
        hmac.update(ciphertext);
        hmac
    }
}

/// Opens an envelope. `Ok(None)`: the password is another one.
pub fn open(envelope: &Envelope, password: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
    open_with(envelope, &Keys::of(password, &envelope.salt))
}

/// The same with keys that were made of the password and the salt of the envelope.
pub(super) fn open_with(envelope: &Envelope, keys: &Keys) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
    // Compared in constant time, and before anything is decrypted.
    if keys.hmac(&envelope.ciphertext).verify_slice(&envelope.hmac).is_err() {
        return Ok(None);
    }
    let mut plain = Zeroizing::new(envelope.ciphertext.clone());
    keys.apply(&mut plain);
    let length = unpadded(&plain).ok_or(VaultError::Padding)?;
    plain.truncate(length);
    Ok(Some(plain))
}

/// Encrypts with a salt of the system's random numbers. With a label the text is of format 1.2.
pub fn seal(plain: &[u8], password: &[u8], label: Option<&str>) -> Result<String, String> {
    let mut salt = [0; SALT];
    getrandom::fill(&mut salt).map_err(|error| format!("the system gives no random numbers: {error}"))?;
    Ok(seal_with_salt(plain, password, label, &salt))
}

/// The same with a salt that is given. A salt that is used twice gives something away: only the filter `vault`, whose
/// result has to be the same every time, asks for it.
pub fn seal_with_salt(plain: &[u8], password: &[u8], label: Option<&str>, salt: &[u8]) -> String {
    let keys = Keys::of(password, salt);
    let mut data = padded(plain);
    keys.apply(&mut data);
    let envelope = Envelope {
        label: label.map(str::to_owned),
        salt: salt.to_vec(),
        hmac: keys.hmac(&data).finalize().into_bytes().to_vec(),
        ciphertext: std::mem::take(&mut data),
    };
    envelope.text()
}

/// PKCS #7: as many bytes as the last block needs, at least one, each with their number.
fn padded(plain: &[u8]) -> Zeroizing<Vec<u8>> {
    let missing = BLOCK - plain.len() % BLOCK;
    // In one piece: what a vector leaves behind when it grows is not wiped.
    let mut data = Zeroizing::new(Vec::with_capacity(plain.len() + missing));
    data.extend_from_slice(plain);
    data.resize(plain.len() + missing, u8::try_from(missing).unwrap_or(0));
    data
}

/// The length without the padding, when it is one.
fn unpadded(data: &[u8]) -> Option<usize> {
    let last = *data.last()?;
    let count = usize::from(last);
    let length = data.len().checked_sub(count)?;
    let right = (1..=BLOCK).contains(&count)
        && data.len().is_multiple_of(BLOCK)
        && data.get(length..)?.iter().all(|byte| *byte == last);
    right.then_some(length)
}
