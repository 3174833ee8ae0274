//! The format against texts of the real `ansible-vault`, and against everything else.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::secret::Secret;

const PLAIN: &str = "correct horse";
const UNICODE: &str = "пароль-密碼 🔑";

fn made(name: &str) -> Vec<u8> {
    std::fs::read(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/data/vault")
            .join(name),
    )
    .unwrap()
}

fn key(label: &str, password: &str) -> Key {
    Key {
        label: label.to_owned(),
        password: Secret::new(password.as_bytes().to_vec()),
    }
}

fn ring(keys: &[(&str, &str)]) -> Keyring {
    Keyring::new(
        keys.iter().map(|(label, password)| key(label, password)).collect(),
        false,
    )
}

fn error(keyring: &Keyring, text: &[u8]) -> VaultError {
    keyring.open(text).map(|_| ()).unwrap_err()
}

#[test]
fn what_ansible_vault_encrypted_is_opened() {
    let keyring = ring(&[("default", PLAIN), ("prod", UNICODE), ("dev", "dev secret")]);
    for size in [0, 1, 15, 16, 17, 32, 33, 1000] {
        let opened = keyring.open(&made(&format!("size-{size}.vault"))).unwrap();
        let wanted: Vec<u8> = (0..size)
            .map(|i: usize| u8::try_from((i * 7 + size) % 256).unwrap())
            .collect();
        assert_eq!(*opened.plain, wanted, "{size}");
        assert_eq!(opened.label, None);
    }
    let opened = keyring.open(&made("prod.vault")).unwrap();
    assert_eq!(*opened.plain, "geheim: ürgl\n".as_bytes());
    assert_eq!(
        (opened.label.as_deref(), opened.key.label.as_str()),
        (Some("prod"), "prod")
    );
    assert_eq!(*keyring.open(&made("dev.vault")).unwrap().plain, b"x: 1\n");
}

#[test]
fn with_the_same_salt_the_text_is_that_of_ansible_vault() {
    for (name, password, label) in [
        ("size-33.vault", PLAIN, None),
        ("size-16.vault", PLAIN, Some("default")),
        ("prod.vault", UNICODE, Some("prod")),
    ] {
        let text = String::from_utf8(made(name)).unwrap();
        let envelope = Envelope::parse(text.as_bytes()).unwrap();
        let plain = open(&envelope, password.as_bytes()).unwrap().unwrap();
        assert_eq!(seal_with_salt(&plain, password.as_bytes(), label, &envelope.salt), text);
    }
}

#[test]
fn every_text_has_a_salt_of_its_own() {
    let salt = |text: &str| Envelope::parse(text.as_bytes()).unwrap().salt;
    let (a, b) = (seal(b"x", b"p", None).unwrap(), seal(b"x", b"p", None).unwrap());
    assert_eq!(salt(&a).len(), 32);
    assert_ne!(salt(&a), salt(&b));
}

#[test]
fn a_wrong_password_is_told_from_a_damaged_text() {
    let keyring = ring(&[("default", "wrong"), ("dev", "dev secret"), ("dev", "older")]);
    let failed = error(&keyring, &made("prod.vault"));
    assert_eq!(
        failed.to_string(),
        "none of the vault passwords opens it (its label is `prod`; tried: `default`, `dev`)"
    );
    assert!(failed.help().unwrap().contains("--vault-id prod@"));
    // A digit of the cipher text, of the HMAC, of the salt: none is decrypted.
    let right = ring(&[("prod", UNICODE)]);
    for at in [40, 200, 340] {
        let mut text = made("prod.vault");
        let place = text.iter().skip(at).position(u8::is_ascii_digit).unwrap() + at;
        text[place] = if text[place] == b'3' { b'2' } else { b'3' };
        let failed = error(&right, &text);
        assert!(
            matches!(failed, VaultError::NoneOpens { .. } | VaultError::Form { .. }),
            "{at}: {failed}"
        );
    }
}

#[test]
fn what_is_not_read_is_named() {
    let none = Keyring::default();
    let first = |header: &str| error(&none, format!("{header}\n6161\n").as_bytes()).to_string();
    assert_eq!(
        first("$ANSIBLE_VAULT;1.0;AES"),
        "vault format 1.0 is not read; 1.1 and 1.2 are"
    );
    assert_eq!(
        first("$ANSIBLE_VAULT;1.1;AES"),
        "vault cipher `AES` is not read; AES256 is"
    );
    assert!(first("$ANSIBLE_VAULT;1.1").contains("line 1"));
    assert!(first("hello").contains("does not begin"));
    let failed = error(&none, b"$ANSIBLE_VAULT;1.1;AES256\n61\n6g\n");
    assert_eq!(
        failed.to_string(),
        "broken vault text: something else than hexadecimal digits (line 3 of it)"
    );
    let text = made("prod.vault");
    for end in 0..text.len() - 1 {
        assert!(none.open(&text[..end]).is_err(), "{end}");
    }
    assert_eq!(
        error(&none, &text),
        VaultError::NoPassword {
            wanted: Some("prod".to_owned())
        }
    );
}

#[test]
fn a_wrong_padding_is_no_plain_text() {
    // The HMAC is right, so somebody with the password wrote it.
    let envelope = |ciphertext: Vec<u8>| {
        let text = seal_with_salt(b"", b"p", None, b"salt");
        let mut envelope = Envelope::parse(text.as_bytes()).unwrap();
        envelope.ciphertext = ciphertext;
        envelope
    };
    assert!(open(&envelope(vec![0; 16]), b"p").unwrap().is_none());
    assert!(open(&envelope(vec![0; 5]), b"p").unwrap().is_none());
}

#[test]
fn with_vault_id_match_only_the_label_counts() {
    let keys = || vec![key("other", UNICODE), key("prod", "wrong")];
    assert_eq!(
        Keyring::new(keys(), false).open(&made("prod.vault")).unwrap().key.label,
        "other"
    );
    let strict = Keyring::new(keys(), true);
    assert!(matches!(error(&strict, &made("prod.vault")), VaultError::NoneOpens { tried, .. } if tried == ["prod"]));
    assert!(matches!(error(&strict, &made("dev.vault")), VaultError::NoMatch { wanted } if wanted == "dev"));
    // A text without a label has the default one.
    assert!(matches!(error(&strict, &made("size-1.vault")), VaultError::NoMatch { wanted } if wanted == "default"));
}

#[test]
fn a_value_is_decrypted_once_and_known_again() {
    let keyring = ring(&[("default", PLAIN)]);
    let text = seal(b"hunter22", PLAIN.as_bytes(), None).unwrap();
    let first = keyring.value(&text).unwrap();
    let again = keyring.value(&text).unwrap();
    assert!(std::sync::Arc::ptr_eq(&first, &again));
    assert!(keyring.gave(&first) && !keyring.gave("hunter22"));
    assert_eq!(keyring.revealed().since(0), ["hunter22".into()]);
    let binary = seal(b"\xff", PLAIN.as_bytes(), None).unwrap();
    assert_eq!(keyring.value(&binary), Err(VaultError::NotText));
}

#[test]
fn a_file_that_was_encrypted_is_not_quoted() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("v.yml");
    std::fs::write(&path, seal(b"hunter22: x\n", PLAIN.as_bytes(), None).unwrap()).unwrap();
    let keyring = ring(&[("default", PLAIN)]);
    let file = keyring.read(&path).unwrap();
    assert_eq!((file.text.as_str(), file.is_hidden), ("hunter22: x\n", true));
    assert_eq!(**keyring.content(&path).unwrap().unwrap(), *b"hunter22: x\n");
    let missing = Keyring::default().read(&path).unwrap_err().to_string();
    assert!(
        missing.contains("cannot decrypt the file: no vault password was given") && missing.contains("v.yml:1:1"),
        "{missing}"
    );
    std::fs::write(&path, "plain: 1\n").unwrap();
    assert!(keyring.content(&path).unwrap().is_none());
    assert!(!keyring.read(&path).unwrap().is_hidden);
}

/// Sources of passwords, on disk.
struct Sources {
    dir: tempfile::TempDir,
    asked: Vec<String>,
    answers: Vec<&'static str>,
}

impl Sources {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            asked: Vec::new(),
            answers: Vec::new(),
        }
    }

    fn write(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    fn collect(&mut self, ids: &[&str], new: bool) -> Result<Found, String> {
        let home = self.dir.path().to_owned();
        let ids: Vec<Identity> = ids
            .iter()
            .map(|id| Identity::parse(&id.replace("DIR", home.to_str().unwrap()), Some(&home)).unwrap())
            .collect();
        let (asked, answers) = (&mut self.asked, &mut self.answers);
        let mut ask = |text: &str| {
            asked.push(text.to_owned());
            if answers.is_empty() {
                return Err("nobody is there".to_owned());
            }
            Ok(Secret::new(answers.remove(0).to_owned()))
        };
        collect(&ids, "default", new, &mut ask).map_err(|error| error.to_string())
    }
}

fn shown(found: &Found) -> Vec<String> {
    let one = |key: &Key| format!("{}={}", key.label, String::from_utf8_lossy(key.password.reveal()));
    found.keys.iter().map(one).collect()
}

#[test]
fn passwords_come_from_files_scripts_and_questions_in_order() {
    let mut sources = Sources::new();
    sources.write("file", " \n  two words \n", 0o600);
    sources.write("script", "#!/bin/sh\nprintf '\\n spaced \\r\\n\\n'\n", 0o700);
    sources.write("keys-client.sh", "#!/bin/sh\necho \"$1 $2\"\n", 0o700);
    sources.write("client", "#!/bin/sh\necho \"no arguments:$*\"\n", 0o700);
    sources.answers = vec![" asked ", "plainly"];
    let found = sources
        .collect(
            &[
                "a@~/file",
                "DIR/script",
                "prod@DIR/keys-client.sh",
                "DIR/keys-client.sh",
                "x@DIR/client",
                "b@prompt",
                "prompt_ask_vault_pass",
            ],
            false,
        )
        .unwrap();
    assert_eq!(
        shown(&found),
        [
            "a=two words",
            "default= spaced ",
            "prod=--vault-id prod",
            "default= ",
            "x=no arguments:",
            "b=asked",
            "default=plainly"
        ]
    );
    assert_eq!(sources.asked, ["Vault password (b): ", "Vault password: "]);
    assert!(found.warnings.is_empty(), "{:?}", found.warnings);
}

#[test]
fn a_new_password_is_asked_for_twice() {
    let mut sources = Sources::new();
    sources.answers = vec!["one", "one", "two", "three"];
    assert_eq!(shown(&sources.collect(&["a@prompt"], true).unwrap()), ["a=one"]);
    let error = sources.collect(&["prompt_ask_vault_pass"], true).unwrap_err();
    assert!(error.contains("not the same"), "{error}");
    assert_eq!(
        sources.asked,
        [
            "New vault password (a): ",
            "Confirm new vault password (a): ",
            "New Vault password: ",
            "Confirm New Vault password: "
        ]
    );
    assert!(
        sources
            .collect(&["prompt"], false)
            .unwrap_err()
            .contains("--vault-password-file")
    );
}

#[test]
fn a_source_that_fails_is_passed_over_when_another_gives_a_password() {
    let mut sources = Sources::new();
    sources.write("good", "secret\n", 0o640);
    sources.write("open", "secret\n", 0o644);
    sources.write("empty", "\n", 0o600);
    sources.write("fails", "#!/bin/sh\nexit 3\n", 0o700);
    sources.write(
        "x-client",
        "#!/bin/sh\necho what is that >&2\nhead -c 100000 /dev/zero | tr '\\0' x >&2\nexit 2\n",
        0o700,
    );
    sources.write("text", "no script\n", 0o700);
    sources.write("flood", "#!/bin/sh\nyes\n", 0o700);
    for (source, words) in [
        ("DIR/missing", "missing"),
        ("DIR", "is a directory"),
        ("DIR/empty", "is empty"),
        ("DIR/fails", "ended with exit status: 3"),
        (
            "prod@DIR/x-client",
            "has no password for the label `prod`: what is that",
        ),
        ("DIR/text", "chmod -x"),
        ("DIR/flood", "printed more than a password"),
    ] {
        let error = sources.collect(&[source], false).unwrap_err();
        assert!(error.contains(words), "{source}: {error}");
        let found = sources.collect(&[source, "DIR/good"], false).unwrap();
        assert_eq!(shown(&found), ["default=secret"], "{source}");
        assert_eq!(found.warnings.len(), 1, "{source}");
    }
    let found = sources.collect(&["DIR/open"], false).unwrap();
    assert!(found.warnings[0].to_string().contains("chmod 600"));
}

#[test]
fn a_password_file_may_be_encrypted_with_a_password_before_it() {
    let mut sources = Sources::new();
    sources.write("first", "master\n", 0o600);
    sources.write("second", &seal(b"inner\n", b"master", None).unwrap(), 0o600);
    let found = sources.collect(&["DIR/first", "b@DIR/second"], false).unwrap();
    assert_eq!(shown(&found), ["default=master", "b=inner"]);
    let error = sources.collect(&["b@DIR/second"], false).unwrap_err();
    assert!(error.contains("a source before it"), "{error}");
}

#[test]
fn labels_that_a_header_cannot_hold_are_refused() {
    for id in ["a;b@x", "a\nb@x", " a@x", "a@", ""] {
        assert!(Identity::parse(id, None).is_err(), "{id:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn what_is_sealed_is_opened_by_its_password_alone(
        plain in proptest::collection::vec(any::<u8>(), 0..200),
        password in "\\PC{1,20}",
        label in "[a-z]{0,8}",
    ) {
        let text = seal(&plain, password.as_bytes(), Some(&label)).unwrap();
        prop_assert!(text.lines().all(|line| line.len() <= 80) && text.ends_with('\n'));
        let envelope = Envelope::parse(text.as_bytes()).unwrap();
        let found = envelope.label.clone().unwrap_or_default();
        prop_assert_eq!(found, if label == DEFAULT_LABEL { String::new() } else { label });
        let opened = open(&envelope, password.as_bytes()).unwrap().unwrap();
        prop_assert_eq!(&*opened, &plain);
        prop_assert!(open(&envelope, b"\0another").unwrap().is_none());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_text_makes_the_reader_panic_or_grow(
        head in prop_oneof![
            Just(&b"$ANSIBLE_VAULT;1.1;AES256\n"[..]),
            Just(&b"$ANSIBLE_VAULT;1.2;AES256;x\r\n"[..]),
            Just(&b"$ANSIBLE_VAULT;"[..]),
            Just(&b""[..]),
        ],
        body in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..300),
            "[0-9a-f\\n ]{0,300}".prop_map(String::into_bytes),
            "(3[0-9]|6[1-6]|0a){0,150}".prop_map(String::into_bytes),
        ],
    ) {
        let text = [head, &body].concat();
        if let Ok(envelope) = Envelope::parse(&text) {
            let size = envelope.salt.len() + envelope.hmac.len() + envelope.ciphertext.len();
            prop_assert!(size * 4 <= text.len());
            // What was read is written in the one canonical way, and read again the same.
            let written = envelope.text();
            prop_assert_eq!(Envelope::parse(written.as_bytes()).unwrap(), envelope);
        }
        let _ = Envelope::label_of(&text);
    }
}
