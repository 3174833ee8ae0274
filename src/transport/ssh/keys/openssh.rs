//! The `openssh-key-v1` file format (PROTOCOL.key of OpenSSH): reading it, and decrypting it to an unencrypted file.

use aes::cipher::block_padding::NoPadding;
use aes::cipher::{BlockModeDecrypt, KeyIvInit, StreamCipher};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

const BEGIN: &str = "-----BEGIN OPENSSH PRIVATE KEY-----";
const END: &str = "-----END OPENSSH PRIVATE KEY-----";
/// Most rounds of key derivation that are done: minutes.
const MOST_ROUNDS: u32 = 10_000;
const MAGIC: &[u8] = b"openssh-key-v1\0";

/// Why a file could not be decrypted.
#[derive(Debug)]
pub(super) enum Failure {
    WrongPassphrase,
    /// A cipher that is not known here.
    #[expect(dead_code, reason = "shown by Debug only")]
    Cipher(String),
    Malformed(&'static str),
}

/// A key file, taken apart.
pub(super) struct File {
    cipher: String,
    kdf: String,
    options: Vec<u8>,
    /// The public key as the protocol has it; it is never encrypted.
    pub(super) public: Vec<u8>,
    private: Zeroizing<Vec<u8>>,
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], &'static str> {
        let (head, tail) = self.0.split_at_checked(count).ok_or("it is cut short")?;
        self.0 = tail;
        Ok(head)
    }

    fn number(&mut self) -> Result<u32, &'static str> {
        let bytes = self.take(4)?;
        Ok(bytes.iter().fold(0, |sum, &b| sum << 8 | u32::from(b)))
    }

    fn string(&mut self) -> Result<&'a [u8], &'static str> {
        let length = usize::try_from(self.number()?).map_err(|_| "it is cut short")?;
        self.take(length)
    }
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    // Key files are checked to be under a MiB.
    let length = u32::try_from(bytes.len()).unwrap_or(0);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
}

impl File {
    /// Reads the PEM text.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let body = text.split_once(BEGIN).ok_or("no BEGIN line")?.1;
        let body = body.split_once(END).ok_or("no END line")?.0;
        let body: Zeroizing<String> = Zeroizing::new(body.split_ascii_whitespace().collect());
        let bytes = Zeroizing::new(STANDARD.decode(body.as_bytes()).map_err(|_| "its text is not base64")?);
        let mut reader = Reader(&bytes);
        if reader.take(MAGIC.len())? != MAGIC {
            return Err("no openssh-key-v1");
        }
        let cipher = String::from_utf8_lossy(reader.string()?).into_owned();
        let kdf = String::from_utf8_lossy(reader.string()?).into_owned();
        let options = reader.string()?.to_vec();
        if reader.number()? != 1 {
            return Err("it does not hold exactly one key");
        }
        let public = reader.string()?.to_vec();
        let private = Zeroizing::new(reader.string()?.to_vec());
        Ok(Self {
            cipher,
            kdf,
            options,
            public,
            private,
        })
    }

    /// True when a pass phrase is needed.
    pub(super) fn is_encrypted(&self) -> bool {
        self.cipher != "none"
    }

    /// How many rounds its key derivation takes.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn rounds(&self) -> Option<u32> {
        let mut options = Reader(&self.options);
        options.string().ok()?;
        options.number().ok()
    }

    /// The same key without a pass phrase, as PEM text.
    pub(super) fn decrypt(&self, passphrase: &str) -> Result<Zeroizing<String>, Failure> {
        if self.kdf != "bcrypt" {
            return Err(Failure::Cipher(self.kdf.clone()));
        }
        let key_length: usize = match self.cipher.as_str() {
            "aes256-ctr" | "aes256-cbc" => 32,
            "aes192-ctr" | "aes192-cbc" => 24,
            "aes128-ctr" | "aes128-cbc" => 16,
            _ => return Err(Failure::Cipher(self.cipher.clone())),
        };
        let mut options = Reader(&self.options);
        let salt = options.string().map_err(Failure::Malformed)?;
        let rounds = options.number().map_err(Failure::Malformed)?;
        let mut secret = Zeroizing::new(vec![0u8; key_length.saturating_add(16)]);
        if passphrase.is_empty() {
            return Err(Failure::WrongPassphrase);
        }
        // Each takes milliseconds; `ssh-keygen` makes 16 or 24, and a damaged file may ask for years.
        if rounds > MOST_ROUNDS {
            return Err(Failure::Malformed("its key derivation is out of bounds"));
        }
        bcrypt_pbkdf::bcrypt_pbkdf(passphrase.as_bytes(), salt, rounds, &mut secret)
            .map_err(|_| Failure::Malformed("its key derivation is out of bounds"))?;
        let (key, iv) = secret.split_at(key_length);
        let mut plain = self.private.clone();
        if !plain.len().is_multiple_of(16) {
            return Err(Failure::Malformed("its private part is cut short"));
        }
        self.apply(key, iv, &mut plain)?;
        let mut reader = Reader(&plain);
        let (first, second) = (reader.number(), reader.number());
        if first.map_err(Failure::Malformed)? != second.map_err(Failure::Malformed)? {
            return Err(Failure::WrongPassphrase);
        }
        let mut out = Zeroizing::new(MAGIC.to_vec());
        put(&mut out, b"none");
        put(&mut out, b"none");
        put(&mut out, b"");
        out.extend_from_slice(&1u32.to_be_bytes());
        put(&mut out, &self.public);
        put(&mut out, &plain);
        let encoded = Zeroizing::new(STANDARD.encode(&*out));
        let mut text = Zeroizing::new(String::with_capacity(encoded.len().saturating_mul(2)));
        text.push_str(BEGIN);
        for (index, letter) in encoded.chars().enumerate() {
            if index % 70 == 0 {
                text.push('\n');
            }
            text.push(letter);
        }
        text.push('\n');
        text.push_str(END);
        text.push('\n');
        Ok(text)
    }

    fn apply(&self, key: &[u8], iv: &[u8], bytes: &mut [u8]) -> Result<(), Failure> {
        const LENGTH: &str = "its cipher's key has another length";
        fn ctr<C: KeyIvInit + StreamCipher>(key: &[u8], iv: &[u8], bytes: &mut [u8]) -> Result<(), Failure> {
            C::new_from_slices(key, iv)
                .map_err(|_| Failure::Malformed(LENGTH))?
                .apply_keystream(bytes);
            Ok(())
        }
        fn cbc<C: KeyIvInit + BlockModeDecrypt>(key: &[u8], iv: &[u8], bytes: &mut [u8]) -> Result<(), Failure> {
            C::new_from_slices(key, iv)
                .map_err(|_| Failure::Malformed(LENGTH))?
                .decrypt_padded::<NoPadding>(bytes)
                .map(|_| ())
                .map_err(|_| Failure::Malformed("its private part is cut short"))
        }
        match self.cipher.as_str() {
            "aes256-ctr" => ctr::<ctr::Ctr128BE<aes::Aes256>>(key, iv, bytes),
            "aes192-ctr" => ctr::<ctr::Ctr128BE<aes::Aes192>>(key, iv, bytes),
            "aes128-ctr" => ctr::<ctr::Ctr128BE<aes::Aes128>>(key, iv, bytes),
            "aes256-cbc" => cbc::<cbc::Decryptor<aes::Aes256>>(key, iv, bytes),
            "aes192-cbc" => cbc::<cbc::Decryptor<aes::Aes192>>(key, iv, bytes),
            "aes128-cbc" => cbc::<cbc::Decryptor<aes::Aes128>>(key, iv, bytes),
            other => Err(Failure::Cipher(other.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_files_are_refused() {
        let magic = STANDARD.encode(b"openssh-key-v1\0\xff\xff\xff\xffnone");
        for body in ["", "!!!!", "AAAA", magic.as_str()] {
            assert!(File::parse(&format!("{BEGIN}\n{body}\n{END}\n")).is_err(), "{body}");
        }
        assert!(File::parse("no key").is_err());
    }
}
