//! The command line: what was typed becomes a plan and a run.

mod adhoc;
mod approve;
pub mod args;
mod ask;
pub(crate) mod audit;
mod collect;
mod commands;
mod conduct;
mod ctl;
pub mod demo;
mod doubt;
pub mod exit_code;
mod history;
mod inventory;
mod limits;
mod lineage;
mod lock;
mod logging;
mod markers;
mod origin;
mod outfile;
mod ping;
mod policy;
mod report;
mod retry;
mod run;
mod runs;
mod scan_keys;
mod secrets;
mod setup;
mod signals;
mod vault;
mod version;
mod way;

use std::io::Write as _;

use clap::Parser as _;
use clap::error::ErrorKind;

use crate::cli::args::{Cli, Command};
use crate::cli::exit_code::ExitCode;
use crate::source::Diagnostics;

/// The whole program: parses the command line, does what it says, and gives the exit code.
pub fn main() -> u8 {
    // A panic is told as the result of its host; where it happened is for the log.
    std::panic::set_hook(Box::new(|panic| tracing::debug!("{panic}")));
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // `-V` is the short one. The long one asks libraries, which no other command has to wait for.
        Err(error)
            if error.kind() == ErrorKind::DisplayVersion && std::env::args_os().any(|word| word == "--version") =>
        {
            return ended(
                version::long()
                    .map_err(Diagnostics::from)
                    .and_then(|text| run::print(&text)),
            );
        }
        Err(error) => {
            // Help and version are no mistakes.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::Usage.code() } else { 0 };
        }
    };
    ended(run(&cli.command))
}

/// The exit code; mistakes are told.
fn ended(result: Result<ExitCode, Diagnostics>) -> u8 {
    match result {
        Ok(code) => code.code(),
        Err(mistakes) => {
            // Nobody reads standard error any more when this fails.
            let _ = writeln!(std::io::stderr(), "{mistakes}");
            ExitCode::Usage.code()
        }
    }
}

fn run(command: &Command) -> Result<ExitCode, Diagnostics> {
    match command {
        Command::Run(args) => run::run(args),
        Command::Exec(args) => commands::exec(args),
        Command::Put(args) => commands::put(args),
        Command::Get(args) => commands::get(args),
        Command::Ping(args) => ping::ping(args),
        Command::ScanKeys(args) => scan_keys::scan_keys(args),
        Command::Audit(args) => audit::audit(args),
        Command::Ctl(args) => ctl::ctl(args),
        Command::Markers(args) => markers::markers(args),
        Command::Doubt(args) => doubt::doubt(args),
        Command::Retry(args) => retry::retry(args),
        Command::Resume(args) => retry::resume(args),
        Command::Runs(args) => runs::runs(args),
        Command::History(args) => history::history(args),
        Command::Report(args) => report::report(args),
        Command::Plan(args) => run::plan(args),
        Command::Inventory(args) => inventory::inventory(args),
        Command::Vault(args) => vault::vault(args),
        Command::Doc(args) => commands::doc(args),
        Command::Completions(args) => commands::completions(args),
        Command::Man => commands::man(),
        Command::Demo(args) => commands::demo(args),
    }
}
