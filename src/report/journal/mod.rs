//! The journal of a run: `runs/<run id>/journal.ndjson`. What anybody was shown is in it.
//!
//! One `write` an event, so that a kill at any moment tears at most the last line. `fsync` is for power cuts and is
//! grouped: results that come within a fifth of a second share one.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

use self::chain::Chain;
pub use self::read::{Lines, last, read};
use self::register::{Entry, State};
use super::{Sink, json};
use crate::event::{Event, EventKind, Lost};

pub mod chain;
mod read;
pub mod register;
pub mod verify;

/// Results that come within this time share an `fsync`.
const SYNC_EVERY: Duration = Duration::from_millis(200);
/// Name of the journal in the run's directory.
pub const FILE_NAME: &str = "journal.ndjson";

/// A name for a new run: `20261121-045100-1c97f3`. The names sort by time, also those of one second (the first three
/// digits of the last part are its milliseconds), and two runs of one moment differ.
pub fn new_run_id() -> String {
    let random = getrandom::u32().unwrap_or_else(|_| std::process::id()) & 0xfff;
    let now = jiff::Timestamp::now();
    let time = now.strftime("%Y%m%d-%H%M%S").to_string();
    format!("{time}-{:03x}{random:03x}", now.subsec_millisecond().unsigned_abs())
}

/// The sink that writes the journal.
pub struct Journal {
    file: File,
    runs: PathBuf,
    run: String,
    chain: Chain,
    lines: u64,
    /// Length up to the last whole line.
    whole: u64,
    unsynced: bool,
    synced: Instant,
}

impl Journal {
    /// Makes the run's directory below `runs` (0700) and the journal in it (0600). A run is never written over. The
    /// journal is locked as long as the run goes on: see [`is_open`].
    pub fn create(runs: &Path, run: &str) -> io::Result<Self> {
        let dir = runs.join(run);
        DirBuilder::new().recursive(true).mode(0o700).create(runs)?;
        DirBuilder::new().mode(0o700).create(&dir)?;
        let made = Self::begin(runs, run, &dir);
        if made.is_err() {
            // A run without a journal is none: nobody could go on with it.
            let _ = std::fs::remove_file(dir.join(FILE_NAME));
            let _ = std::fs::remove_dir(&dir);
        }
        made
    }

    fn begin(runs: &Path, run: &str, dir: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(dir.join(FILE_NAME))?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        // The name of the file must survive a power cut as well.
        File::open(dir)?.sync_all()?;
        let journal = Self {
            file,
            runs: runs.to_owned(),
            run: run.to_owned(),
            chain: Chain::begin(run),
            lines: 0,
            whole: 0,
            unsynced: false,
            synced: Instant::now(),
        };
        journal.register(State::Begun)?;
        Ok(journal)
    }

    /// The run's directory, for whatever else belongs to the run.
    pub fn dir(&self) -> PathBuf {
        self.runs.join(&self.run)
    }

    /// Writes down in the register of all runs how far this one is.
    fn register(&self, state: State) -> io::Result<()> {
        let entry = Entry {
            run: self.run.clone(),
            state,
            time: super::delivery::now(),
            lines: self.lines,
            last: self.chain.last(),
        };
        register::add(&self.runs, &entry)
    }

    fn sync(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.unsynced) {
            self.file.sync_data()?;
            self.synced = Instant::now();
        }
        Ok(())
    }

    fn sync_when_due(&mut self) -> io::Result<()> {
        if self.synced.elapsed() >= SYNC_EVERY {
            self.sync()?;
        }
        Ok(())
    }
}

impl Sink for Journal {
    fn name(&self) -> &'static str {
        "the journal"
    }

    fn is_essential(&self) -> bool {
        true
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        let mut line = match without_the_large(event) {
            Some(event) => json::line(&event)?,
            None => json::line(event)?,
        };
        let mut chain = self.chain;
        chain.seal(&mut line);
        line.push(b'\n');
        if let Err(error) = self.file.write_all(&line) {
            // Half a line (the disk is full) would hide nothing, but a reader need not meet it.
            let _ = self.file.set_len(self.whole);
            return Err(error);
        }
        self.whole += u64::try_from(line.len()).unwrap_or(u64::MAX);
        self.chain = chain;
        self.lines += 1;
        self.unsynced = true;
        match event.kind {
            EventKind::RunStarted { .. } | EventKind::RunFinished { .. } | EventKind::RunCancelled { .. } => {
                self.sync()
            }
            EventKind::TaskResult(_) | EventKind::HostDone { .. } => self.sync_when_due(),
            _ => Ok(()),
        }
    }

    fn keep(&mut self) -> io::Result<()> {
        self.sync()
    }

    fn tick(&mut self) -> io::Result<()> {
        self.sync_when_due()
    }

    fn finish(&mut self) -> io::Result<()> {
        self.sync()?;
        self.register(State::Ended)
    }
}

/// Whether a journal is being written right now, by whatever process on whatever machine.
pub fn is_open(path: &Path) -> io::Result<bool> {
    match flock(&File::open(path)?, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(false),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// A result too large to go on from is kept without its return keys; its output and message stay.
fn without_the_large(event: &Event) -> Option<Event> {
    let (EventKind::TaskResult(report) | EventKind::ItemResult(report)) = &event.kind else {
        return None;
    };
    if report.did.lost != Some(Lost::Large) {
        return None;
    }
    let mut event = event.clone();
    if let EventKind::TaskResult(report) | EventKind::ItemResult(report) = &mut event.kind {
        report.result = serde_json::Value::Null;
    }
    Some(event)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::event::Status;
    use crate::report::testing::{command, feed, finished, result, started};

    fn write(runs: &Path) -> PathBuf {
        let mut journal = Journal::create(runs, "r1").unwrap();
        let events = [
            started("site.yml", &["a"], false),
            result(command("a", Status::Ok, 0, "x\n\u{1b}", "")),
            finished(),
        ];
        feed(&mut journal, events);
        journal.dir().join(FILE_NAME)
    }

    #[test]
    fn r21_a_journal_is_private_and_reads_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = write(&dir.path().join("state/runs"));
        let mode = |p: &Path| p.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        assert_eq!(mode(&dir.path().join("state")), 0o700);
        let seqs: Vec<u64> = read(&path).unwrap().map(|e| e.unwrap().seq).collect();
        assert_eq!(seqs, [1, 2, 3]);
    }

    #[test]
    fn a_run_is_never_written_over() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path());
        let error = Journal::create(dir.path(), "r1").err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    }

    #[test]
    fn a_journal_cut_anywhere_gives_its_whole_lines() {
        let dir = tempfile::tempdir().unwrap();
        let path = write(dir.path());
        let bytes = std::fs::read(&path).unwrap();
        for cut in 0..=bytes.len() {
            std::fs::write(&path, &bytes[..cut]).unwrap();
            let whole = String::from_utf8_lossy(&bytes[..cut]).matches('\n').count();
            let events: Vec<_> = read(&path).unwrap().collect::<Result<_, _>>().unwrap();
            assert_eq!(events.len(), whole);
        }
    }

    #[test]
    fn a_broken_line_in_the_middle_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("j");
        std::fs::write(&path, "{}\n{}\n").unwrap();
        let error = read(&path).unwrap().next().unwrap().unwrap_err().to_string();
        assert!(error.contains("j:1: not a line of a journal"), "{error}");
    }

    #[test]
    fn r25_a_full_disk_is_an_error_of_the_journal() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = Journal::create(dir.path(), "r1").unwrap();
        journal.file = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let event = Event {
            kind: finished(),
            seq: 1,
            time: String::new(),
        };
        assert_eq!(journal.event(&event).unwrap_err().kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn a_closed_standard_output_does_not_cost_the_journal() {
        use crate::report::ansible::Ansible;
        use crate::report::delivery::Reporter;
        use crate::report::terminal::Terminal;

        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::create(dir.path(), "r1").unwrap();
        let path = journal.dir().join(FILE_NAME);
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let console = Ansible::new(Box::new(writer), Box::new(io::sink()), Terminal::plain(), 0);
        let reporter = Reporter::start(vec![Box::new(journal), Box::new(console)]).unwrap();
        reporter.teller().tell(started("site.yml", &["a"], false));
        for _ in 0..10 {
            reporter.teller().tell(result(command("a", Status::Ok, 0, "x", "")));
        }
        let (summary, broken) = reporter.finish();
        assert_eq!(summary.recap()[0].ok, 10);
        assert!(broken.len() == 1 && broken[0].is_closed_pipe());
        assert_eq!(read(&path).unwrap().count(), 11);
    }

    #[test]
    fn run_ids_sort_by_time() {
        let mut last = String::new();
        for _ in 0..20 {
            let id = new_run_id();
            let parts: Vec<_> = id.split('-').map(str::len).collect();
            assert_eq!(parts, [8, 6, 6]);
            assert!(id > last, "{id} after {last}");
            last = id;
            std::thread::park_timeout(Duration::from_millis(3));
        }
    }
}
