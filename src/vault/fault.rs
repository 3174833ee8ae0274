//! Why a vault text was not opened.

use thiserror::Error;

/// Why a vault text was not opened. Says nothing about passwords and nothing about what was encrypted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum VaultError {
    /// The text is not one.
    #[error("not a vault text: it does not begin with `$ANSIBLE_VAULT;`")]
    NotVault,
    /// Its form is wrong.
    #[error("broken vault text: {what} (line {line} of it)")]
    Form {
        /// What is wrong.
        what: &'static str,
        /// The line inside the text, from 1.
        line: usize,
    },
    /// A version that is not read.
    #[error("vault format {0} is not read; 1.1 and 1.2 are")]
    Version(String),
    /// A cipher that is not read.
    #[error("vault cipher `{0}` is not read; AES256 is")]
    Cipher(String),
    /// There is no password at all.
    #[error("no vault password was given")]
    NoPassword {
        /// The label that stands in the text.
        wanted: Option<String>,
    },
    /// No password opens it.
    #[error("none of the vault passwords opens it ({})", labels(.wanted.as_deref(), .tried))]
    NoneOpens {
        /// The label that stands in the text.
        wanted: Option<String>,
        /// The labels of the passwords that were tried, each once.
        tried: Vec<String>,
    },
    /// `vault_id_match` is on, and there is no password with the label of the text.
    #[error("no vault password has the label `{wanted}`, and `vault_id_match` allows no other")]
    NoMatch {
        /// The label that stands in the text.
        wanted: String,
    },
    /// The password is right, and what it opens is not what encrypting makes.
    #[error("broken vault text: its padding is wrong")]
    Padding,
    /// What was decrypted is not text.
    #[error("what is encrypted is not UTF-8 text")]
    NotText,
}

fn labels(wanted: Option<&str>, tried: &[String]) -> String {
    let tried: Vec<String> = tried.iter().map(|label| format!("`{label}`")).collect();
    let tried = tried.join(", ");
    match wanted {
        Some(wanted) => format!("its label is `{wanted}`; tried: {tried}"),
        None => format!("tried: {tried}"),
    }
}

impl VaultError {
    /// What to do about it.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::NoPassword { wanted: None } => Some(
                "give it with `--vault-password-file FILE`, `--vault-id LABEL@SOURCE` or `--ask-vault-pass`".to_owned(),
            ),
            Self::NoPassword { wanted: Some(label) } => Some(format!(
                "give it with `--vault-id {label}@FILE` or `--vault-id {label}@prompt`"
            )),
            Self::NoneOpens { wanted, .. } => Some(match wanted {
                Some(label) => {
                    format!("give the right one with `--vault-id {label}@FILE` or `--vault-id {label}@prompt`")
                }
                None => "give the right one with `--vault-password-file` or `--vault-id`".to_owned(),
            }),
            Self::NoMatch { wanted } => Some(format!(
                "give it with `--vault-id {wanted}@FILE`, or switch `vault_id_match` off"
            )),
            Self::Version(old) | Self::Cipher(old) if matches!(old.as_str(), "1.0" | "AES") => {
                Some("encrypt it anew: only an `ansible-vault` of Ansible 1 reads it".to_owned())
            }
            Self::NotVault | Self::Form { .. } | Self::Version(_) | Self::Cipher(_) | Self::Padding | Self::NotText => {
                None
            }
        }
    }

    /// True when another password could help.
    pub fn is_about_passwords(&self) -> bool {
        match self {
            Self::NoPassword { .. } | Self::NoneOpens { .. } | Self::NoMatch { .. } => true,
            Self::NotVault | Self::Form { .. } | Self::Version(_) | Self::Cipher(_) | Self::Padding | Self::NotText => {
                false
            }
        }
    }
}
