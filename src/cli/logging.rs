//! The program's own log: to standard error with `-vvv`, and to `--log-file`.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Mutex;

use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::source::Diagnostic;

/// Starts logging. Standard error gets warnings, with `-vvv` what connections do, with `-vvvv` everything.
pub fn start(verbosity: u8, file: Option<&Path>) -> Result<(), Diagnostic> {
    let level = match verbosity {
        0..=2 => LevelFilter::WARN,
        3 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let screen = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_target(false)
        .without_time()
        .with_filter(level);
    let to_file = match file {
        Some(path) => {
            let mut options = OpenOptions::new();
            options.create(true).append(true).mode(0o600);
            let file = options
                .open(path)
                .map_err(|error| Diagnostic::new(format!("cannot write the log file `{}`: {error}", path.display())))?;
            let layer = tracing_subscriber::fmt::layer()
                .with_writer(Mutex::new(file))
                .with_ansi(false);
            Some(layer.with_filter(LevelFilter::DEBUG))
        }
        None => None,
    };
    // A second start in one process (tests) keeps the first log.
    let _ = tracing_subscriber::registry().with(screen).with(to_file).try_init();
    Ok(())
}
