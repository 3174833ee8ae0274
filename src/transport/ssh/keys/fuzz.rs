//! Private key files for the fuzz target.

use super::{openssh, public_blob, public_line};

/// A key file in OpenSSH's format, and a public line.
pub(crate) fn private_key(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Some(blob) = public_blob(&text) {
        let line = public_line(&blob).expect("a key has a type");
        assert_eq!(public_blob(&line), Some(blob), "{line}");
    }
    let Ok(file) = openssh::File::parse(&text) else {
        return;
    };
    // Key derivation costs what the file says: a few rounds are enough here.
    if file.rounds().is_some_and(|rounds| rounds > 2) {
        return;
    }
    for passphrase in ["", "secret"] {
        if let Ok(plain) = file.decrypt(passphrase) {
            let again = openssh::File::parse(&plain).expect("what was decrypted can be read");
            assert!(!again.is_encrypted());
            assert_eq!(again.public, file.public);
        }
    }
}
