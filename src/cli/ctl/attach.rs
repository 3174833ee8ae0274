//! The live view of a run in another terminal: what its journal has so far, and then what happens. Ctrl-C leaves the run
//! alone.

use std::io::{self, BufRead, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::client::Line;
use super::protocol::Ask;
use crate::cli::exit_code::ExitCode;
use crate::cli::runs::store::{Store, unreadable};
use crate::cli::setup::Outside;
use crate::event::{Event, EventKind};
use crate::report::delivery::{Reporter, Teller};
use crate::report::human::{Human, HumanOptions};
use crate::report::progress::Progress;
use crate::report::{Sink, journal, jsonl};
use crate::source::{Diagnostic, Diagnostics};

/// Shows the run until it ends, or until Ctrl-C. Ends with the run's own exit code.
pub fn attach(mut line: Line, store: &Store, outside: &Outside, json: bool) -> Result<ExitCode, Diagnostics> {
    let answer = line.ask(&Ask::Attach)?;
    let begins = answer.attached.map_or(0, |attached| attached.seq);
    let path = store.journal(&line.run);
    let reporter = Reporter::start(sinks(outside, json))
        .map_err(|error| Diagnostic::new(format!("cannot show anything: {error}")))?;
    let mut view = View {
        teller: reporter.teller(),
        seen: 0,
        code: None,
    };
    let left = Arc::new(AtomicBool::new(false));
    let stream = line
        .events()
        .map_err(|error| Diagnostic::new(format!("cannot listen to the run: {error}")))?;
    let ends = ends_at_signals(&left, &stream);
    let shown = view
        .catch_up(&path, begins, &left)
        .and(ends)
        .and_then(|()| view.follow(stream))
        // What was on the way when the run ended is in the journal.
        .and_then(|()| view.catch_up(&path, u64::MAX, &left));
    let detached = left.load(Ordering::SeqCst) && view.code.is_none();
    let (_, broken) = reporter.finish();
    if detached {
        let _ = writeln!(io::stderr(), "detached; the run goes on");
        return Ok(ExitCode::Ok);
    }
    if !broken.is_empty() {
        return Ok(ExitCode::Output);
    }
    shown.map_err(|error| unreadable(&path, &error))?;
    match view.code {
        Some(code) => Ok(ExitCode::Hosts(code)),
        None => Err(Diagnostic::new("the run ended without a word: it was killed")
            .help("`batchssh retry` and `batchssh resume` go on with it")
            .into()),
    }
}

fn sinks(outside: &Outside, json: bool) -> Vec<Box<dyn Sink>> {
    if json {
        return vec![Box::new(jsonl::JsonLines::new(Box::new(io::stdout())))];
    }
    let progress = Progress::new(outside.stderr);
    let screen = progress.screen();
    let options = HumanOptions {
        term: outside.stdout,
        verbosity: 0,
        retry_file: None,
        rerun: None,
    };
    let human = Human::new(
        screen.over(Box::new(io::stdout())),
        screen.over(Box::new(io::stderr())),
        options,
    );
    vec![Box::new(human), Box::new(progress)]
}

/// Ctrl-C closes our end of the line, so that whoever reads it stops.
fn ends_at_signals(left: &Arc<AtomicBool>, stream: &io::BufReader<std::os::unix::net::UnixStream>) -> io::Result<()> {
    let ours = stream.get_ref().try_clone()?;
    let left = left.clone();
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for _ in signals.forever() {
            left.store(true, Ordering::SeqCst);
            let _ = ours.shutdown(std::net::Shutdown::Both);
        }
    })?;
    Ok(())
}

struct View {
    teller: Teller,
    /// The number of the last event that was shown.
    seen: u64,
    /// The run's exit code, once it ended.
    code: Option<u8>,
}

impl View {
    fn show(&mut self, event: Event) {
        if event.seq <= self.seen {
            return;
        }
        self.seen = event.seq;
        if let EventKind::RunFinished { exit_code, .. } = &event.kind {
            self.code = Some(*exit_code);
        }
        self.teller.tell(event.kind);
    }

    /// What the journal has up to the event `until`.
    fn catch_up(&mut self, path: &Path, until: u64, left: &AtomicBool) -> io::Result<()> {
        if self.code.is_some() || self.seen >= until {
            return Ok(());
        }
        for event in journal::read(path)? {
            let event = event?;
            if event.seq > until || left.load(Ordering::SeqCst) {
                break;
            }
            self.show(event);
        }
        Ok(())
    }

    /// What happens, until the run ends or our end is closed.
    fn follow(&mut self, mut stream: impl BufRead) -> io::Result<()> {
        let mut text = Vec::new();
        loop {
            text.clear();
            match stream.read_until(b'\n', &mut text) {
                // The end, maybe in the middle of a line.
                Ok(_) if text.last() != Some(&b'\n') => return Ok(()),
                Ok(_) => match serde_json::from_slice::<Event>(&text) {
                    // A note about events that are left out has the number of the last of them.
                    Ok(event) if matches!(event.kind, EventKind::Message { .. }) && event.seq <= self.seen => {
                        self.teller.tell(event.kind);
                    }
                    Ok(event) => self.show(event),
                    Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
                },
                // Closed by the run with something of ours unread, or by ourselves.
                Err(_) => return Ok(()),
            }
            if self.code.is_some() {
                return Ok(());
            }
        }
    }
}
