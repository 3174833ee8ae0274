//! Which vault passwords a command has: those of the configuration, of the command line, and those asked for.

use std::path::{Path, PathBuf};

use crate::cli::ask;
use crate::cli::vault::args::VaultFlags;
use crate::settings::Settings;
use crate::source::Diagnostic;
use crate::vault::{Found, Identity, Keyring, collect};

/// What the questions are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Running: what needs no password is not asked about.
    Run,
    /// Opening: without a source the password is asked for.
    Open,
    /// Encrypting: the same, and a password that is asked for is new, so it is asked for twice.
    Encrypt,
}

/// Reads and asks for the passwords, in Ansible's order: the configured identities, `--vault-id`, password files (the
/// configured one last), `--ask-vault-pass`. Gives them with what is odd about their sources.
pub fn keyring(
    flags: &VaultFlags,
    settings: &Settings,
    home: Option<&Path>,
    purpose: Purpose,
) -> Result<(Keyring, Vec<Diagnostic>), Diagnostic> {
    let configured = settings.vault_identity_list.value.0.iter();
    let mut identities = configured
        .chain(&flags.vault_id)
        .map(|text| Identity::parse(text, home))
        .collect::<Result<Vec<Identity>, Diagnostic>>()?;
    let files = flags
        .vault_password_file
        .iter()
        .chain(&settings.vault_password_file.value);
    identities.extend(files.map(|path| Identity::file(path, home)));
    let asked = flags.ask_vault_pass || settings.ask_vault_pass.value;
    if asked || (identities.is_empty() && purpose != Purpose::Run) {
        identities.push(Identity::asked());
    }
    let found = passwords(&identities, settings, purpose == Purpose::Encrypt)?;
    let keyring = Keyring::new(found.keys, settings.vault_id_match.value).with_default(&settings.vault_identity.value);
    Ok((keyring, found.warnings))
}

/// The password that `rekey` encrypts with anew: the given one, or one that is asked for.
pub fn new_passwords(
    id: Option<&str>,
    file: Option<&PathBuf>,
    settings: &Settings,
    home: Option<&Path>,
) -> Result<Found, Diagnostic> {
    let identity = match (id, file) {
        (Some(id), _) => Identity::parse(id, home)?,
        (None, Some(path)) => Identity::file(path, home),
        (None, None) => Identity::asked(),
    };
    passwords(&[identity], settings, true)
}

fn passwords(identities: &[Identity], settings: &Settings, new: bool) -> Result<Found, Diagnostic> {
    let mut asking = |text: &str| ask::hidden(text).map_err(|error| error.to_string());
    collect(identities, &settings.vault_identity.value, new, &mut asking)
}
