//! What can be typed after `batchssh audit`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::outputs::Outputs;
use crate::cli::args::Common;
use crate::layout::Mask;

/// `batchssh audit`.
#[derive(Clone, Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct AuditArgs {
    /// Audits that are over.
    #[command(subcommand)]
    pub past: Option<Past>,
    /// What to look at: disks, mounts, os, packages, time, users, network, or a file of the hosts (with a `/`)
    #[arg(value_name = "NAME", required_unless_present = "command")]
    pub name: Option<String>,
    /// What is written.
    #[command(flatten)]
    pub outputs: WriteArgs,
    /// Compare with this baseline: exit code 2 when a host answers otherwise
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Write a baseline: what the hosts answer now is right
    #[arg(long, value_name = "FILE")]
    pub save_baseline: Option<PathBuf>,
    /// Differences that do not count: hostname, uuid, mac, date, ip, serial, number
    #[arg(long, value_name = "KIND,…", value_delimiter = ',')]
    pub normalise: Vec<Mask>,
    /// The rest.
    #[command(flatten)]
    pub common: Common,
    /// A command that only looks
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// What is written beside the text for people.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Audit")]
pub struct WriteArgs {
    /// Write one row a host as CSV to this file (`-`: standard output)
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Write everything as JSON to standard output, or to a file with `--json=FILE`
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "-")]
    pub json: Option<PathBuf>,
    /// Write a page for the browser: one file, works offline
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

impl WriteArgs {
    /// As outputs.
    pub fn outputs(&self, save_baseline: Option<PathBuf>) -> Outputs {
        Outputs {
            csv: self.csv.clone(),
            json: self.json.clone(),
            html: self.html.clone(),
            save_baseline,
        }
    }
}

/// Audits that are over, from their journals. No host is contacted.
#[derive(Clone, Debug, Subcommand)]
pub enum Past {
    /// What changed from one audit to another
    Diff(DiffArgs),
    /// Show an audit again, in any form
    Show(ShowArgs),
}

/// `batchssh audit diff`.
#[derive(Clone, Debug, Args)]
pub struct DiffArgs {
    /// The earlier run: its id or the begin of it
    #[arg(value_name = "RUN1")]
    pub old: String,
    /// The later run [default: the last audit]
    #[arg(value_name = "RUN2")]
    pub new: Option<String>,
    /// What is written.
    #[command(flatten)]
    pub outputs: WriteArgs,
    /// Differences that do not count: hostname, uuid, mac, date, ip, serial, number
    #[arg(long, value_name = "KIND,…", value_delimiter = ',')]
    pub normalise: Vec<Mask>,
    /// Everything, however long
    #[arg(short, long)]
    pub verbose: bool,
}

/// `batchssh audit show`.
#[derive(Clone, Debug, Args)]
pub struct ShowArgs {
    /// Which run; its id or the begin of it [default: the last audit]
    #[arg(value_name = "RUN")]
    pub run: Option<String>,
    /// What is written.
    #[command(flatten)]
    pub outputs: WriteArgs,
    /// Write a baseline: what the hosts answered then is right
    #[arg(long, value_name = "FILE")]
    pub save_baseline: Option<PathBuf>,
    /// Compare with this baseline: exit code 2 when a host answered otherwise
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Differences that do not count: hostname, uuid, mac, date, ip, serial, number
    #[arg(long, value_name = "KIND,…", value_delimiter = ',')]
    pub normalise: Vec<Mask>,
    /// Everything, however long
    #[arg(short, long)]
    pub verbose: bool,
}
