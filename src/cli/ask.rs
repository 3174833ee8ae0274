//! Questions on the terminal, whatever standard input and output are.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::{SigId, flag, low_level};
use zeroize::Zeroizing;

use crate::secret::Secret;

/// Signals that end the program.
const ENDING: [i32; 4] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM];
/// Longest answer, in bytes.
const LONGEST: usize = 64 * 1024;

/// Asks for a secret: what is typed is not shown, from before the question is.
pub fn hidden(question: &str) -> io::Result<Secret<String>> {
    ask(question, false)
}

/// Asks for something that may be seen.
pub fn shown(question: &str) -> io::Result<String> {
    ask(question, true).map(|answer| answer.reveal().clone())
}

fn ask(question: &str, echo: bool) -> io::Result<Secret<String>> {
    let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
    // A program that answers may be quick: the echo goes first. And whatever ends us, the terminal is as before.
    let signals = Signals::listen()?;
    let quiet = if echo { None } else { Some(Quiet::make(&terminal)?) };
    (&terminal).write_all(question.as_bytes())?;
    let line = read_line(&terminal, &signals);
    if quiet.is_some() {
        // The line end was not shown either.
        let _ = (&terminal).write_all(b"\n");
    }
    drop(quiet);
    if let Some(signal) = signals.come() {
        drop(signals);
        low_level::emulate_default_handler(signal)?;
        return Err(io::Error::from(io::ErrorKind::Interrupted));
    }
    let line = line?;
    let text = std::str::from_utf8(&line).map_err(|_| io::Error::other("the answer is not UTF-8"))?;
    Ok(Secret::new(text.to_owned()))
}

/// A line without its end. Room for all of it is made at once: what a vector leaves behind when it grows is not wiped.
fn read_line(terminal: &File, signals: &Signals) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut line = Zeroizing::new(Vec::with_capacity(LONGEST));
    let mut byte = Zeroizing::new([0; 1]);
    loop {
        let mut ready = [PollFd::new(terminal, PollFlags::IN)];
        match poll(&mut ready, None) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) if signals.come().is_some() => return Ok(line),
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        if signals.come().is_some() {
            return Ok(line);
        }
        match rustix::io::read(terminal, byte.as_mut_slice())? {
            0 if line.is_empty() => return Err(io::Error::other("there was no answer (Ctrl-D)")),
            0 => return Ok(line),
            _ => match byte[0] {
                b'\n' | b'\r' => return Ok(line),
                _ if line.len() == LONGEST => return Err(io::Error::other("the answer is too long")),
                byte => line.push(byte),
            },
        }
    }
}

/// A terminal that does not show what is typed, until this is dropped.
struct Quiet<'t> {
    terminal: &'t File,
    before: Termios,
}

impl<'t> Quiet<'t> {
    fn make(terminal: &'t File) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ECHONL);
        quiet.local_modes.insert(LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(terminal, OptionalActions::Flush, &quiet)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.terminal.as_fd(), OptionalActions::Now, &self.before);
    }
}

/// Notes signals while a question is open.
struct Signals {
    seen: Arc<AtomicUsize>,
    ids: Vec<SigId>,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        let mut signals = Self {
            seen: Arc::default(),
            ids: Vec::new(),
        };
        for signal in ENDING {
            let number = usize::try_from(signal).unwrap_or(0);
            let id = flag::register_usize(signal, signals.seen.clone(), number)?;
            signals.ids.push(id);
        }
        Ok(signals)
    }

    fn come(&self) -> Option<i32> {
        i32::try_from(self.seen.load(Ordering::SeqCst))
            .ok()
            .filter(|signal| *signal != 0)
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for id in self.ids.drain(..) {
            low_level::unregister(id);
        }
    }
}
