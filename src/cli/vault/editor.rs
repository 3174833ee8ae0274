//! The user's editor, and signals while it runs.

use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::deadline::{CancelToken, Deadline};
use crate::shell::split_words;
use crate::source::Diagnostic;

/// How long an editor that was told to end may take.
const GRACE: Duration = Duration::from_secs(3);
/// How often it is looked at.
const TURN: Duration = Duration::from_millis(20);

/// How the editor ended.
pub(super) enum Edited {
    /// By itself.
    Ended(ExitStatus),
    /// Because we were to end, by the signal of this number.
    Stopped(u8),
}

/// Listens for signals from here on, so that plain text is removed whatever comes. Must be there before it is written.
pub(super) struct Editor {
    words: Vec<String>,
    signals: Signals,
}

impl Editor {
    /// The editor of the settings: a program and its arguments.
    pub(super) fn new(setting: &str) -> Result<Self, Diagnostic> {
        let words = split_words(setting)
            .ok()
            .filter(|words| !words.is_empty())
            .ok_or_else(|| Diagnostic::new(format!("`{setting}` is no command for an editor")).help("set EDITOR"))?;
        // Ctrl-C is for the editor; the other two end it, and then us.
        let signals = Signals::new([SIGINT, SIGQUIT, SIGTERM, SIGHUP])
            .map_err(|error| Diagnostic::new(format!("cannot listen for signals: {error}")))?;
        Ok(Self { words, signals })
    }

    /// Lets the user edit a file.
    pub(super) fn edit(&mut self, path: &Path) -> Result<Edited, Diagnostic> {
        let (program, arguments) = self.words.split_first().ok_or_else(|| Diagnostic::new("no editor"))?;
        let shown = self.words.join(" ");
        let mut child = Command::new(program)
            .args(arguments)
            .arg(path)
            .spawn()
            .map_err(|error| {
                Diagnostic::new(format!("cannot run the editor `{shown}`: {error}"))
                    .help("say which one with EDITOR, or `editor` of the configuration")
            })?;
        let lost = |error: std::io::Error| Diagnostic::new(format!("lost the editor `{shown}`: {error}"));
        let forever = Deadline::none(CancelToken::new());
        loop {
            if let Some(status) = child.try_wait().map_err(lost)? {
                return Ok(match self.stopped() {
                    Some(signal) => Edited::Stopped(signal),
                    None => Edited::Ended(status),
                });
            }
            if let Some(signal) = self.stopped() {
                end(&mut child, signal);
                return Ok(Edited::Stopped(signal));
            }
            // Nothing cancels it.
            let _ = forever.sleep(TURN);
        }
    }

    /// The signal that ends us, if one came.
    fn stopped(&mut self) -> Option<u8> {
        let mut come = self.signals.pending();
        let ends = come.find(|signal| matches!(*signal, SIGTERM | SIGHUP))?;
        u8::try_from(ends).ok()
    }
}

/// Hands the signal on, and does not wait for ever.
fn end(child: &mut Child, signal: u8) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let signal = if i32::from(signal) == SIGHUP {
        Signal::HUP
    } else {
        Signal::TERM
    };
    if let Some(pid) = pid {
        let _ = kill_process(pid, signal);
    }
    let grace = Deadline::none(CancelToken::new()).within("the editor", GRACE);
    while !matches!(child.try_wait(), Ok(Some(_)) | Err(_)) {
        if grace.sleep(TURN).is_err() {
            let _ = child.kill();
            let _ = child.wait();
            return;
        }
    }
}
