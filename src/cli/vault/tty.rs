//! Questions whose answers may be seen.

use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};

use crate::source::Diagnostic;

/// Longest answer.
const LONGEST: u64 = 1 << 20;

/// Asks on the terminal; what is typed is shown.
pub(super) fn ask(text: &str) -> Result<String, Diagnostic> {
    let cannot = |error: std::io::Error| Diagnostic::new(format!("cannot ask on the terminal: {error}"));
    let mut terminal = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/tty")
        .map_err(cannot)?;
    terminal.write_all(text.as_bytes()).map_err(cannot)?;
    let mut line = String::new();
    BufReader::new(terminal.take(LONGEST))
        .read_line(&mut line)
        .map_err(cannot)?;
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}
