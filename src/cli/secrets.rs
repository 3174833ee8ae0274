//! Passwords: asked for before the run, found in inventories, kept out of what is written down.

use std::path::Path;

use crate::cli::args::Common;
use crate::cli::ask;
use crate::inventory::Inventory;
use crate::secret::Secret;
use crate::settings::Settings;
use crate::source::Diagnostic;
use crate::vars::{Var, VarMap};
use crate::vault::Keyring;

/// The passwords of a run.
#[derive(Default)]
pub struct Secrets {
    /// For the login.
    pub login: Option<Secret<String>>,
    /// For `become`.
    pub elevate: Option<Secret<String>>,
}

impl Secrets {
    /// Asks for what is wanted, or reads it from files.
    pub fn ask(common: &Common, settings: &Settings) -> Result<Self, Diagnostic> {
        let mut secrets = Self::default();
        if let Some(path) = &common.connect.connection_password_file {
            secrets.login = Some(password_file(path)?);
        } else if common.connect.ask_pass || settings.ask_pass.value {
            secrets.login = Some(prompt("SSH password: ")?);
        }
        if let Some(path) = &common.elevate.become_password_file {
            secrets.elevate = Some(password_file(path)?);
        } else if common.elevate.ask_become_pass || settings.become_ask_pass.value {
            let given = prompt("BECOME password [defaults to SSH password]: ")?;
            secrets.elevate = if given.reveal().is_empty() {
                secrets.login.clone()
            } else {
                Some(given)
            };
        }
        Ok(secrets)
    }

    /// What must not be shown.
    pub fn texts(&self) -> impl Iterator<Item = String> {
        let all = [&self.login, &self.elevate].into_iter().flatten();
        all.map(|secret| secret.reveal().clone())
    }
}

/// The vault passwords, those that are text.
pub fn vault_passwords(vault: &Keyring) -> impl Iterator<Item = String> {
    let keys = vault.keys().iter();
    keys.filter_map(|key| String::from_utf8(key.password.reveal().clone()).ok())
}

/// Passwords that stand in the inventory or were given as extra variables.
pub fn written_secrets(inventory: &Inventory, extra_vars: &VarMap) -> impl Iterator<Item = String> {
    let hosts = inventory.hosts.values().map(|host| &host.vars);
    let groups = inventory.groups.values().map(|group| &group.vars);
    let mut found = Vec::new();
    for vars in hosts.chain(groups).chain([extra_vars]) {
        for (name, var) in vars {
            if !(name.starts_with("ansible_") && name.contains("pass") && !name.ends_with("_file")) {
                continue;
            }
            match var {
                Var::Source(node) if !node.has_template() => found.extend(node.scalar_text()),
                Var::Data(value) => found.extend(value.as_str().map(str::to_owned)),
                Var::Source(_) => {}
            }
        }
    }
    found.into_iter()
}

fn prompt(text: &str) -> Result<Secret<String>, Diagnostic> {
    ask::hidden(text).map_err(|error| {
        Diagnostic::new(format!("cannot ask for a password: {error}"))
            .help("without a terminal, give --connection-password-file or --become-password-file")
    })
}

fn password_file(path: &Path) -> Result<Secret<String>, Diagnostic> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Diagnostic::new(format!("cannot read `{}`: {error}", path.display())))?;
    let secret = Secret::new(text.lines().next().unwrap_or_default().to_owned());
    drop(zeroize::Zeroizing::new(text));
    Ok(secret)
}

/// The words of the command line; values that look like secrets are left out.
pub fn visible_words() -> Vec<String> {
    let mut out = Vec::new();
    let mut is_vars = false;
    for word in std::env::args_os().skip(1) {
        let word = word.to_string_lossy().into_owned();
        let (head, value) = match word.split_once('=') {
            Some((head @ ("--extra-vars" | "-e"), value)) => (format!("{head}="), value.to_owned()),
            _ => (String::new(), word.clone()),
        };
        if is_vars || !head.is_empty() {
            out.push(format!("{head}{}", without_secrets(&value)));
        } else {
            out.push(word.clone());
        }
        is_vars = matches!(word.as_str(), "-e" | "--extra-vars");
    }
    out
}

fn without_secrets(vars: &str) -> String {
    let secret = |name: &str| {
        let name = name.to_ascii_lowercase();
        ["pass", "secret", "token", "key", "credential"]
            .iter()
            .any(|part| name.contains(part))
            && !name.contains("file")
    };
    if vars.trim_start().starts_with(['{', '[']) {
        return if secret(vars) {
            "***".to_owned()
        } else {
            vars.to_owned()
        };
    }
    let words: Vec<String> = vars
        .split(' ')
        .map(|word| match word.split_once('=') {
            Some((name, _)) if secret(name) => format!("{name}=***"),
            _ => word.to_owned(),
        })
        .collect();
    words.join(" ")
}
