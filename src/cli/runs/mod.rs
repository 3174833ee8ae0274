//! `batchssh runs`: what the journals of former runs tell.

mod list;
pub mod store;
mod verify;

use clap::{Args, Subcommand};

use crate::cli::exit_code::ExitCode;
use crate::source::Diagnostics;

/// `batchssh runs`.
#[derive(Clone, Debug, Args)]
pub struct RunsArgs {
    /// What to do with them [default: list]
    #[command(subcommand)]
    what: Option<RunsCommand>,
}

/// What can be done with former runs.
#[derive(Clone, Debug, Subcommand)]
enum RunsCommand {
    /// List the runs, the newest first
    List(list::ListArgs),
    /// Prove that journals are as they were written: no line changed, removed or added, no run removed
    Verify(verify::VerifyArgs),
}

/// Looks at former runs.
pub fn runs(args: &RunsArgs) -> Result<ExitCode, Diagnostics> {
    match &args.what {
        None => list::list(&list::ListArgs::default()),
        Some(RunsCommand::List(args)) => list::list(args),
        Some(RunsCommand::Verify(args)) => verify::verify(args),
    }
}
