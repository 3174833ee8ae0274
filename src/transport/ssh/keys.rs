//! Private key files: read, judged and decrypted once per run, not once per host (a pass phrase costs a quarter of a
//! second of CPU). libssh2 gives one error for a missing file, a wrong pass phrase and an unknown format; here each has
//! its own words.

#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod fuzz;
mod openssh;

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::secret::Secret;

/// A key that can log in.
pub(super) struct Key {
    /// The private part as PEM, for libssh2.
    pub(super) private: Zeroizing<String>,
    /// The pass phrase, when libssh2 has to decrypt it (old PEM forms only).
    pub(super) passphrase: Option<Secret<String>>,
    /// The public part as one line, where it is known.
    pub(super) public: Option<String>,
    /// The certificate beside it (`KEY-cert.pub`) as one line.
    pub(super) certificate: Option<String>,
}

/// Why a key file cannot be used by itself.
#[derive(Clone, Debug)]
pub(super) struct KeyProblem {
    /// For people; names the file.
    pub(super) reason: String,
    /// The public part, where it is known: the agent may hold the private one.
    pub(super) public_blob: Option<Vec<u8>>,
}

type Outcome = Arc<Result<Key, KeyProblem>>;
type Slot = Arc<Mutex<Vec<(Option<Secret<String>>, Outcome)>>>;

/// All keys of a run.
#[derive(Default)]
pub(super) struct KeyStore {
    slots: Mutex<HashMap<PathBuf, Slot>>,
}

impl KeyStore {
    /// The key in `path`. The first caller reads and decrypts it; the others wait for that.
    pub(super) fn load(&self, path: &Path, passphrase: Option<&Secret<String>>) -> Outcome {
        let slot = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            slots.entry(path.to_owned()).or_default().clone()
        };
        let mut known = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, outcome)) = known.iter().find(|(with, _)| with.as_ref() == passphrase) {
            return outcome.clone();
        }
        let outcome: Outcome = Arc::new(read(path, passphrase));
        known.push((passphrase.cloned(), outcome.clone()));
        outcome
    }
}

/// The bytes of a public key line (`TYPE BASE64 COMMENT`).
pub(super) fn public_blob(line: &str) -> Option<Vec<u8>> {
    let mut words = line.split_ascii_whitespace();
    let kind = words.next()?;
    let blob = STANDARD.decode(words.next()?).ok()?;
    (super::known_hosts::key_type(&blob) == Some(kind)).then_some(blob)
}

fn public_line(blob: &[u8]) -> Option<String> {
    Some(format!(
        "{} {}",
        super::known_hosts::key_type(blob)?,
        STANDARD.encode(blob)
    ))
}

/// `KEY` with `suffix` at its end.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn first_line(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with('#'))?;
    public_blob(line).map(|_| line.to_owned())
}

fn read(path: &Path, passphrase: Option<&Secret<String>>) -> Result<Key, KeyProblem> {
    let shown = path.display();
    let beside_public = first_line(&beside(path, ".pub"));
    let mut public = beside_public.as_deref().and_then(public_blob);
    let problem = |reason: String, public: &Option<Vec<u8>>| KeyProblem {
        reason,
        public_blob: public.clone(),
    };
    let meta = match std::fs::metadata(path) {
        Ok(meta) if meta.is_file() => meta,
        Ok(_) => return Err(problem(format!("key `{shown}` is not a file"), &public)),
        Err(error) => return Err(problem(format!("cannot read key `{shown}`: {error}"), &public)),
    };
    if meta.len() > 1 << 20 {
        return Err(problem(format!("`{shown}` is too big for a key"), &public));
    }
    let text = std::fs::read(path).map_err(|error| problem(format!("cannot read key `{shown}`: {error}"), &public))?;
    let text = Zeroizing::new(text);
    let text = std::str::from_utf8(&text)
        .map(|text| Zeroizing::new(text.replace("\r\n", "\n")))
        .map_err(|_| {
            problem(
                format!("`{shown}` is not a private key that is supported (no PEM text)"),
                &public,
            )
        })?;
    if let Some(blob) = public_blob(&text) {
        return Err(problem(
            format!("`{shown}` is a public key and no agent holds its private part"),
            &Some(blob),
        ));
    }
    // As ssh: others must not be able to read it.
    if meta.mode() & 0o077 != 0 && meta.uid() == rustix::process::getuid().as_raw() {
        return Err(problem(
            format!("key `{shown}` can be read by others and is not used: chmod 600 {shown}"),
            &public,
        ));
    }
    let passphrase_text = passphrase.map(|secret| secret.reveal().as_str());
    let header = text.lines().map(str::trim).find(|line| line.starts_with("-----BEGIN "));
    let (private, remaining) = match header {
        Some("-----BEGIN OPENSSH PRIVATE KEY-----") => {
            let file = openssh::File::parse(&text)
                .map_err(|why| problem(format!("key `{shown}` cannot be understood: {why}"), &public))?;
            public = Some(file.public.clone());
            let kind = super::known_hosts::key_type(&file.public)
                .unwrap_or("unknown")
                .to_owned();
            if kind.starts_with("sk-") {
                let reason = format!("key `{shown}` is on a hardware token: load it into ssh-agent");
                return Err(problem(reason, &public));
            }
            if !file.is_encrypted() {
                (text, None)
            } else if let Some(secret) = passphrase_text {
                match file.decrypt(secret) {
                    Ok(plain) => (plain, None),
                    Err(openssh::Failure::WrongPassphrase) => {
                        return Err(problem(format!("wrong pass phrase for key `{shown}`"), &public));
                    }
                    // A cipher only libssh2 knows: it decrypts for every host.
                    Err(openssh::Failure::Cipher(_)) => (text, passphrase.cloned()),
                    Err(openssh::Failure::Malformed(why)) => {
                        return Err(problem(format!("key `{shown}` cannot be understood: {why}"), &public));
                    }
                }
            } else {
                return Err(problem(needs_passphrase(path), &public));
            }
        }
        Some(
            "-----BEGIN RSA PRIVATE KEY-----"
            | "-----BEGIN EC PRIVATE KEY-----"
            | "-----BEGIN PRIVATE KEY-----"
            | "-----BEGIN ENCRYPTED PRIVATE KEY-----",
        ) => {
            let encrypted = text.contains("ENCRYPTED");
            if encrypted && passphrase.is_none() {
                return Err(problem(needs_passphrase(path), &public));
            }
            (text, passphrase.filter(|_| encrypted).cloned())
        }
        Some(other) => {
            let kind = other
                .trim_start_matches("-----BEGIN ")
                .trim_end_matches('-')
                .to_lowercase();
            return Err(problem(
                format!("key `{shown}` is a {kind}, which is not supported"),
                &public,
            ));
        }
        None if text.starts_with("PuTTY-User-Key-File") => {
            let reason = format!("key `{shown}` is in PuTTY's format: convert it with `puttygen -O private-openssh`");
            return Err(problem(reason, &public));
        }
        None => return Err(problem(format!("`{shown}` is not a private key"), &public)),
    };
    let certificate = first_line(&beside(path, "-cert.pub")).filter(|line| line.contains("-cert-v01@"));
    Ok(Key {
        private,
        passphrase: remaining,
        public: public.as_deref().and_then(public_line),
        certificate,
    })
}

fn needs_passphrase(path: &Path) -> String {
    format!(
        "key `{}` is encrypted and there is no pass phrase for it (`ansible_ssh_private_key_passphrase`, or ssh-add it)",
        path.display()
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    use super::*;

    fn generate(dir: &Path, name: &str, words: &[&str]) -> PathBuf {
        let path = dir.join(name);
        let done = Command::new("ssh-keygen")
            .args(["-q", "-C", "test", "-f"])
            .arg(&path)
            .args(words)
            .status()
            .expect("these tests need ssh-keygen (openssh-client)");
        assert!(done.success());
        path
    }

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    fn reason(store: &KeyStore, path: &Path, passphrase: Option<&str>) -> String {
        let secret = passphrase.map(secret);
        match &*store.load(path, secret.as_ref()) {
            Ok(_) => "ok".to_owned(),
            Err(problem) => problem.reason.clone(),
        }
    }

    #[test]
    fn every_problem_with_a_key_has_its_own_words() {
        let dir = tempfile::tempdir().unwrap();
        let store = KeyStore::default();
        let locked = generate(dir.path(), "locked", &["-t", "ed25519", "-N", "right", "-a", "4"]);
        assert_eq!(reason(&store, &locked, Some("right")), "ok");
        assert!(reason(&store, &locked, Some("wrong")).contains("wrong pass phrase"));
        assert!(reason(&store, &locked, None).contains("is encrypted"));
        assert!(reason(&store, &dir.path().join("none"), None).contains("cannot read key"));
        let junk = dir.path().join("junk");
        std::fs::write(&junk, "hello").unwrap();
        std::fs::set_permissions(&junk, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert!(reason(&store, &junk, None).contains("not a private key"));
        let open = generate(dir.path(), "open", &["-t", "ed25519", "-N", ""]);
        assert_eq!(reason(&KeyStore::default(), &open, None), "ok");
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(reason(&store, &open, None).contains("chmod 600"));
        assert!(reason(&store, &beside(&open, ".pub"), None).contains("public key"));
    }

    #[test]
    fn a_decrypted_key_is_the_same_key() {
        let dir = tempfile::tempdir().unwrap();
        for (name, cipher) in [("a", "aes256-ctr"), ("b", "aes256-cbc"), ("c", "aes128-ctr")] {
            for kind in ["ed25519", "rsa", "ecdsa"] {
                let words = ["-t", kind, "-N", "right", "-a", "2", "-Z", cipher];
                let path = generate(dir.path(), &format!("{name}{kind}"), &words);
                let outcome = KeyStore::default().load(&path, Some(&secret("right")));
                let key = outcome.as_ref().as_ref().map_err(|p| p.reason.clone()).unwrap();
                assert!(key.passphrase.is_none(), "{cipher} is decrypted here");
                let plain = dir.path().join("plain");
                std::fs::write(&plain, key.private.as_bytes()).unwrap();
                std::fs::set_permissions(&plain, std::fs::Permissions::from_mode(0o600)).unwrap();
                let out = Command::new("ssh-keygen")
                    .arg("-y")
                    .arg("-f")
                    .arg(&plain)
                    .output()
                    .unwrap();
                let said = String::from_utf8(out.stdout).unwrap();
                let public = key.public.as_deref().unwrap();
                assert!(said.starts_with(public), "{cipher} {kind}: {said} {public}");
            }
        }
    }

    #[test]
    fn a_pass_phrase_is_worked_out_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = generate(dir.path(), "slow", &["-t", "ed25519", "-N", "right", "-a", "16"]);
        let store = KeyStore::default();
        let first = store.load(&path, Some(&secret("right")));
        let second = store.load(&path, Some(&secret("right")));
        assert!(Arc::ptr_eq(&first, &second));
    }
}
