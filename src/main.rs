//! Parses, runs, and exits with the code.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(batchssh::cli::main())
}
