//! `view`.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use zeroize::Zeroizing;

use crate::cli::exit_code::ExitCode;
use crate::cli::limits;
use crate::cli::vault::Desk;
use crate::cli::vault::files::Refusal;
use crate::cli::vault::replace::{read, write_output};
use crate::shell::split_words;
use crate::source::{Diagnostics, visible};

/// What `less` is to do: quit when it fits on the screen, show colours as text, leave it there.
const LESS: &str = "FRSX";

/// Shows files, one after the other.
pub(super) fn view(desk: &Desk, paths: &[PathBuf]) -> Result<ExitCode, Diagnostics> {
    let mut plains: Vec<Zeroizing<Vec<u8>>> = Vec::new();
    let mut mistakes = Vec::new();
    for path in paths {
        let found = read(path).and_then(|text| {
            let opened = desk.keyring.open(&text);
            opened
                .map(|opened| opened.plain)
                .map_err(|error| Refusal::from(error).of(path))
        });
        match found {
            Ok(plain) => plains.push(plain),
            Err(mistake) => mistakes.push(mistake),
        }
    }
    if !mistakes.is_empty() {
        return Err(Diagnostics(mistakes));
    }
    limits::no_core_dump();
    for plain in plains {
        if !rustix::termios::isatty(std::io::stdout()) {
            write_output(None, &plain)?;
        } else if !pager(&desk.settings.pager.value, &plain) {
            // Nothing in it may drive the terminal.
            let text = Zeroizing::new(String::from_utf8_lossy(&plain).into_owned());
            write_output(None, Zeroizing::new(visible(&text)).as_bytes())?;
        }
    }
    Ok(ExitCode::Ok)
}

/// Shows a text in the pager. False when there is none.
fn pager(setting: &str, plain: &[u8]) -> bool {
    let words = split_words(setting).unwrap_or_default();
    let Some((program, arguments)) = words.split_first() else {
        return false;
    };
    let child = Command::new(program)
        .args(arguments)
        .env("LESS", LESS)
        .stdin(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else { return false };
    if let Some(mut input) = child.stdin.take() {
        // Whoever has seen enough closes it.
        let _ = input.write_all(plain);
    }
    child.wait().is_ok()
}
