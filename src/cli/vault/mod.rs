//! `batchssh vault`: what `ansible-vault` does, with the same words.

pub mod args;
mod editor;
mod edits;
mod files;
pub mod passwords;
mod private;
mod replace;
mod strings;
mod view;

use std::io::Write as _;
use std::path::PathBuf;

use crate::cli::exit_code::ExitCode;
use crate::cli::setup::one_line;
use crate::settings::{self, Environment, Settings};
use crate::source::{Diagnostic, Diagnostics};
use crate::vault::{Key, Keyring};

use args::{Action, Shared, VaultArgs};
use passwords::Purpose;

/// `batchssh vault`.
pub fn vault(args: &VaultArgs) -> Result<ExitCode, Diagnostics> {
    match &args.action {
        Action::View(args) => view::view(&Desk::open(&args.shared, Purpose::Open)?, &args.files),
        Action::Edit(args) => edits::edit(&Desk::open(&args.shared, Purpose::Open)?, &args.files),
        Action::Create(args) => edits::create(args),
        Action::Encrypt(args) => files::encrypt(args),
        Action::Decrypt(args) => files::decrypt(args),
        Action::Rekey(args) => files::rekey(args),
        Action::EncryptString(args) => strings::encrypt(args),
    }
}

/// What every action works with.
struct Desk {
    keyring: Keyring,
    settings: Settings,
    environment: Environment,
}

impl Desk {
    /// Reads the configuration and the passwords.
    fn open(shared: &Shared, purpose: Purpose) -> Result<Self, Diagnostics> {
        let loaded = settings::load(shared.config.as_deref())?;
        crate::cli::logging::start(shared.verbose, loaded.settings.log_file.value.as_deref())?;
        let home = loaded.environment.home.as_deref();
        let (keyring, odd) = passwords::keyring(&shared.vault, &loaded.settings, home, purpose)?;
        warn(&odd);
        Ok(Self {
            keyring,
            settings: loaded.settings,
            environment: loaded.environment,
        })
    }

    /// The password to encrypt with.
    fn key(&self, asked: Option<&str>) -> Result<&Key, Diagnostic> {
        let label = asked.or(self.settings.vault_encrypt_identity.value.as_deref());
        choose(&self.keyring, label)
    }
}

/// The password of that label; without one, the only password there is.
fn choose<'k>(keyring: &'k Keyring, label: Option<&str>) -> Result<&'k Key, Diagnostic> {
    let labels: Vec<String> = keyring.keys().iter().map(|key| format!("`{}`", key.label)).collect();
    let labels = labels.join(", ");
    match (label, keyring.keys()) {
        (None, [_, _, ..]) => Err(Diagnostic::new(format!("there are several vault identities: {labels}"))
            .help("say which one encrypts with `--encrypt-vault-id LABEL`")),
        (label, _) => keyring.key_for(label).ok_or_else(|| {
            let label = label.unwrap_or_default();
            Diagnostic::new(format!(
                "no vault identity has the label `{label}`; there are: {labels}"
            ))
        }),
    }
}

/// Warnings, one a line, on standard error.
fn warn(warnings: &[Diagnostic]) {
    for warning in warnings {
        say(&format!("warning: {}", one_line(warning)));
    }
}

/// A line on standard error. Nobody reads it when this fails.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", crate::source::visible(text));
}

/// A line on standard error for people who look at standard output.
fn cheer(text: &str) {
    if rustix::termios::isatty(std::io::stdout()) {
        say(text);
    }
}

/// `-`, or standard input where nothing is named.
fn or_stdin(files: &[PathBuf]) -> Vec<PathBuf> {
    if files.is_empty() {
        vec![PathBuf::from("-")]
    } else {
        files.to_vec()
    }
}
