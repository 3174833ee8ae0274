//! `vault` and `unvault`: encrypted text made and opened in a template, with a password that is given there.

use std::sync::Arc;

use crate::secret::Secret;
use crate::vars::context::Ctx;
use crate::vars::fault::{Fault, Res};
use crate::vars::filters::{Args, Entry};
use crate::vars::{Value, python};
use crate::vault::{Key, Keyring, is_vault, seal, seal_with_salt};

pub(super) const FILTERS: &[Entry] = &[
    ("vault", &["secret", "salt", "vault_id", "wrap_object"], vault),
    ("unvault", &["secret", "vault_id"], unvault),
];

/// The label that Ansible gives where none is said.
const LABEL: &str = "filter_default";

fn vault(ctx: &Arc<Ctx>, value: &Value, args: &Args) -> Res {
    let plain = text_of(value, "can only vault strings")?;
    let secret = secret(ctx, args)?;
    if is_vault(plain.as_bytes()) {
        return Err(Fault::new("the text is encrypted already"));
    }
    ctx.shared.options.vault.revealed().add(plain);
    let label = args.text(2, "vault_id", LABEL)?;
    let text = match args.get(1, "salt").filter(|salt| !salt.is_none()) {
        // A number, say of `random(seed=…)`, is taken as its digits.
        Some(salt) => {
            let salt = python::text(salt)?;
            if salt.is_empty() {
                return Err(Fault::new("the salt is empty"));
            }
            seal_with_salt(plain.as_bytes(), secret.as_bytes(), Some(&label), salt.as_bytes())
        }
        None => seal(plain.as_bytes(), secret.as_bytes(), Some(&label)).map_err(Fault::new)?,
    };
    Ok(Value::from(text))
}

fn unvault(ctx: &Arc<Ctx>, value: &Value, args: &Args) -> Res {
    let text = text_of(value, "the vault is a string")?;
    let secret = secret(ctx, args)?;
    // A variable that was written as `!vault` is open already.
    if !is_vault(text.as_bytes()) {
        return Ok(value.clone());
    }
    let key = Key {
        label: args.text(1, "vault_id", LABEL)?,
        password: Secret::new(secret.as_bytes().to_vec()),
    };
    let keyring = Keyring::new(vec![key], false);
    let plain = keyring.value(text).map_err(|error| Fault::new(error.to_string()))?;
    ctx.shared.options.vault.revealed().add(&plain);
    Ok(Value::from(plain))
}

fn text_of<'v>(value: &'v Value, expected: &str) -> Res<&'v str> {
    value
        .as_str()
        .ok_or_else(|| Fault::new(format!("{expected}, got '{}'", python::type_name(value))))
}

/// The password, hidden from then on in everything that is told.
fn secret<'a>(ctx: &Arc<Ctx>, args: &'a Args) -> Res<&'a str> {
    let secret = text_of(args.need(0, "secret")?, "the secret is a string")?;
    if secret.is_empty() {
        return Err(Fault::new("the secret is empty"));
    }
    ctx.shared.options.vault.revealed().add(secret);
    Ok(secret)
}
