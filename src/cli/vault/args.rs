//! What can be typed behind `batchssh vault`: the words of `ansible-vault`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Where vault passwords come from.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Vault")]
pub struct VaultFlags {
    /// Ask for the vault password
    #[arg(
        short = 'J',
        long,
        visible_alias = "ask-vault-password",
        conflicts_with = "vault_password_file"
    )]
    pub ask_vault_pass: bool,
    /// Read the vault password from a file, or from a script that prints it (may be repeated)
    #[arg(long, visible_alias = "vault-pass-file", value_name = "FILE")]
    pub vault_password_file: Vec<PathBuf>,
    /// Vault identity: [LABEL@]FILE, [LABEL@]SCRIPT or [LABEL@]prompt (may be repeated)
    #[arg(long, value_name = "ID")]
    pub vault_id: Vec<String>,
}

/// `batchssh vault`.
#[derive(Clone, Debug, Args)]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub struct VaultArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What `batchssh vault` does. Every FILE may be `-`: standard input, with the result on standard output.
#[derive(Clone, Debug, Subcommand)]
pub enum Action {
    /// Show what is encrypted in files, in a pager on a terminal
    View(ViewArgs),
    /// Edit what is encrypted in files; it never lies on a disk
    Edit(EditArgs),
    /// Make a new encrypted file with the editor
    Create(CreateArgs),
    /// Encrypt files in place
    Encrypt(EncryptArgs),
    /// Decrypt files in place
    Decrypt(DecryptArgs),
    /// Encrypt files anew, with another password
    Rekey(RekeyArgs),
    /// Encrypt values for a YAML file
    #[command(name = "encrypt_string", visible_alias = "encrypt-string")]
    EncryptString(StringArgs),
}

/// What every action takes.
#[derive(Clone, Debug, Args)]
pub struct Shared {
    /// The passwords.
    #[command(flatten)]
    pub vault: VaultFlags,
    /// Configuration file
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub config: Option<PathBuf>,
    /// Accepted for Ansible's sake
    #[arg(short, long, action = clap::ArgAction::Count, hide = true)]
    pub verbose: u8,
}

/// Which password encrypts.
#[derive(Clone, Debug, Args)]
pub struct EncryptWith {
    /// Label of the password to encrypt with; needed when there are several
    #[arg(long, value_name = "LABEL")]
    pub encrypt_vault_id: Option<String>,
}

/// `view`.
#[derive(Clone, Debug, Args)]
pub struct ViewArgs {
    /// Encrypted files
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The rest.
    #[command(flatten)]
    pub shared: Shared,
}

/// `edit`.
#[derive(Clone, Debug, Args)]
pub struct EditArgs {
    /// Encrypted files
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Accepted for Ansible's sake; a file keeps its label
    #[arg(long, value_name = "LABEL", hide = true)]
    pub encrypt_vault_id: Option<String>,
    /// The rest.
    #[command(flatten)]
    pub shared: Shared,
}

/// `create`.
#[derive(Clone, Debug, Args)]
pub struct CreateArgs {
    /// The file to be; it must not exist
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Open the editor also without a terminal
    #[arg(long)]
    pub skip_tty_check: bool,
    /// Which password.
    #[command(flatten)]
    pub with: EncryptWith,
    /// The rest.
    #[command(flatten)]
    pub shared: Shared,
}

/// `encrypt`.
#[derive(Clone, Debug, Args)]
pub struct EncryptArgs {
    /// Files [default: standard input]
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Write the result here instead; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Which password.
    #[command(flatten)]
    pub with: EncryptWith,
    /// The rest.
    #[command(flatten)]
    pub shared: Shared,
}

/// `decrypt`.
#[derive(Clone, Debug, Args)]
pub struct DecryptArgs {
    /// Encrypted files [default: standard input]
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Write the result here instead; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The rest.
    #[command(flatten)]
    pub shared: Shared,
}

/// `rekey`.
#[derive(Clone, Debug, Args)]
pub struct RekeyArgs {
    /// Encrypted files
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Read the new password from a file or script [default: ask for it]
    #[arg(long, value_name = "FILE", conflicts_with = "new_vault_id")]
    pub new_vault_password_file: Option<PathBuf>,
    /// The new identity: [LABEL@]FILE, [LABEL@]SCRIPT or [LABEL@]prompt
    #[arg(long, value_name = "ID")]
    pub new_vault_id: Option<String>,
    /// Which password.
    #[command(flatten)]
    pub with: EncryptWith,
    /// The rest.
    #[command(flatten)]
    pub shared: Shared,
}

/// `encrypt_string`.
#[derive(Clone, Debug, Args)]
pub struct StringArgs {
    /// Texts; `-` is standard input [default: standard input]. What is typed here other users may see
    #[arg(value_name = "TEXT")]
    pub texts: Vec<String>,
    /// Name of the variable; one for each text, in order
    #[arg(short, long, value_name = "NAME")]
    pub name: Vec<String>,
    /// Name of the variable for the text of standard input
    #[arg(long, value_name = "NAME")]
    pub stdin_name: Option<String>,
    /// Ask for the text
    #[arg(short, long)]
    pub prompt: bool,
    /// Show what is typed for --prompt
    #[arg(long)]
    pub show_input: bool,
    /// Write the result here instead of to standard output
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Which password.
    #[command(flatten)]
    pub with: EncryptWith,
    /// The rest.
    #[command(flatten)]
    pub shared: Shared,
}
