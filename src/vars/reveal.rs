//! Variables of encrypted files: what they hold must not be shown.

use crate::vars::{Var, VarMap};
use crate::vault::Revealed;
use crate::yaml::{Kind, Node, TextUse};

/// Words in the names of connection variables that hold secrets. What else Ansible's own variables hold (addresses,
/// ports, user names) is no secret, and reports would be unreadable without it.
const SECRETS: [&str; 4] = ["pass", "secret", "token", "key"];

/// Hides what those of these variables hold that were written in an encrypted file, in everything that is told from
/// now on.
pub fn reveal(vars: &VarMap, revealed: &Revealed) {
    for (name, var) in vars {
        let is_settings = name.starts_with("ansible_") && !SECRETS.iter().any(|word| name.contains(word));
        match var {
            Var::Source(node) if node.span.file.is_hidden && !is_settings => leaves(node, revealed),
            Var::Source(_) | Var::Data(_) => {}
        }
    }
}

fn leaves(node: &Node, revealed: &Revealed) {
    match &node.kind {
        // Revealed when it is decrypted.
        Kind::Text(text) if text.use_as == TextUse::Vault => {}
        Kind::Text(text) => revealed.add(&text.value),
        Kind::Int(_) | Kind::Float(_) => {
            if let Some(text) = node.scalar_text() {
                revealed.add(&text);
            }
        }
        Kind::List(items) => items.iter().for_each(|item| leaves(item, revealed)),
        Kind::Map(entries) => entries.iter().for_each(|(_, value)| leaves(value, revealed)),
        Kind::Null | Kind::Bool(_) => {}
    }
}
