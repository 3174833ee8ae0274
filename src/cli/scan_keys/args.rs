//! What can be typed behind `batchssh scan-keys`.

use clap::{Args, ValueEnum};

use crate::cli::args::Common;

/// `batchssh scan-keys`.
#[derive(Clone, Debug, Args)]
pub struct ScanKeysArgs {
    /// Pattern of the inventory, or addresses without one: `10.0.0.0/24`, `10.0.0.[1:20]`, `host:2222`
    #[arg(value_name = "TARGET")]
    pub targets: Vec<String>,
    /// Types of keys to collect
    #[arg(
        long,
        value_name = "TYPES",
        value_delimiter = ',',
        default_value = "ed25519,ecdsa,rsa"
    )]
    pub types: Vec<TypeArg>,
    /// Write new keys to known_hosts without asking
    #[arg(long)]
    pub write: bool,
    /// With --write: put changed keys in the place of the known ones
    #[arg(long, requires = "write")]
    pub replace_changed: bool,
    /// With --write: write also keys that several hosts show
    #[arg(long, requires = "write")]
    pub accept_shared: bool,
    /// Write names so that nobody can read them
    #[arg(long)]
    pub hash: bool,
    /// Print lines for known_hosts, as ssh-keyscan does, and nothing else on standard output
    #[arg(long, conflicts_with = "write")]
    pub print: bool,
    /// Show every key with its fingerprint
    #[arg(long)]
    pub all: bool,
    /// The rest.
    #[command(flatten)]
    pub common: Common,
}

/// `--types`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TypeArg {
    /// ssh-ed25519
    Ed25519,
    /// ecdsa-sha2-nistp256, 384 and 521
    Ecdsa,
    /// ssh-rsa
    Rsa,
}
