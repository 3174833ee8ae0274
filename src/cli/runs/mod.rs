//! `batchssh runs`: what the journals of former runs tell.

mod diff;
mod list;
pub mod show;
pub mod store;
mod verify;
pub mod wanted;

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
    /// Show a run: who started it, what became of each host, the exact commands, the hashes of files that were sent
    Show(show::ShowArgs),
    /// What one run did otherwise than another one; exit code 2 when something is different
    Diff(diff::DiffArgs),
    /// Prove that journals are as they were written: no line changed, removed or added, no run removed
    Verify(verify::VerifyArgs),
}

/// Looks at former runs.
pub fn runs(args: &RunsArgs) -> Result<ExitCode, Diagnostics> {
    match &args.what {
        None => list::list(&list::ListArgs::default()),
        Some(RunsCommand::List(args)) => list::list(args),
        Some(RunsCommand::Show(args)) => show::show(args),
        Some(RunsCommand::Diff(args)) => diff::diff(args),
        Some(RunsCommand::Verify(args)) => verify::verify(args),
    }
}
