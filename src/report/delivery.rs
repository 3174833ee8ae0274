//! One thread that owns every output. Events go in from any thread, get their number and time there, and reach the
//! sinks one after the other, in one order.
//!
//! The journal is the first sink, so a result that anybody sees is in the journal already. A sink that fails is told
//! about and left alone from then on; the others go on. The queue is bounded: a slow terminal slows the workers down
//! instead of filling the memory; a pipe or a file that is slow has a thread and 64 MiB of its own ([`super::patient`]).

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::Sink;
use crate::event::summary::RunSummary;
use crate::event::{Event, EventKind, Severity};

/// Events that may wait. A result can hold some output, so this bounds memory, too.
const QUEUE: usize = 256;
/// How often sinks get to move a progress line or to show what they held back.
const TICK: Duration = Duration::from_millis(100);

enum Note {
    Tell(EventKind),
    /// To be answered when the journal has it for good; false: it could not be written.
    Keep(EventKind, Sender<bool>),
    Ask(Sender<RunSummary>),
    Finish,
}

/// Puts events into the stream. Cheap to clone, one for every worker.
#[derive(Clone)]
pub struct Teller {
    notes: Sender<Note>,
}

impl Teller {
    /// Tells what happened. Waits while the outputs are far behind. After [`Reporter::finish`] nothing is heard any more.
    pub fn tell(&self, kind: EventKind) {
        // The receiver is gone only after `finish`; there is nobody left who could show it.
        let _ = self.notes.send(Note::Tell(kind));
    }

    /// Tells what is about to happen, and waits until the sinks that must not lose it have it for good. False: one of
    /// them is broken, and what was announced must not be done.
    pub fn keep(&self, kind: EventKind) -> bool {
        let (answer, kept) = bounded(1);
        if self.notes.send(Note::Keep(kind, answer)).is_err() {
            return false;
        }
        kept.recv().unwrap_or(false)
    }

    /// A line for the user that is no result.
    pub fn message(&self, severity: Severity, text: impl Into<String>) {
        self.tell(EventKind::Message {
            severity,
            text: text.into(),
        });
    }
}

/// An output that failed during the run.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {name}: {error}")]
pub struct BrokenSink {
    /// Which one.
    pub name: &'static str,
    /// How.
    pub error: io::Error,
    /// The run must not go on without it.
    pub essential: bool,
}

impl BrokenSink {
    /// The reader went away (`| head`). That is no mistake, and nobody wants to hear about it.
    pub fn is_closed_pipe(&self) -> bool {
        self.error.kind() == io::ErrorKind::BrokenPipe
    }
}

/// The reporter thread, held by whoever runs the run.
pub struct Reporter {
    notes: Sender<Note>,
    thread: JoinHandle<(RunSummary, Vec<BrokenSink>)>,
}

impl Reporter {
    /// Starts the thread. The order of the sinks is the order in which they see an event: the journal first.
    pub fn start(sinks: Vec<Box<dyn Sink>>) -> io::Result<Self> {
        Self::start_with(sinks, |_| {})
    }

    /// The same; `on_broken` is called in the reporter thread as soon as a sink fails. When the sink is essential (the
    /// journal: the disk is full) it is the place to wind the run down. It must not tell anything itself.
    pub fn start_with(
        sinks: Vec<Box<dyn Sink>>,
        on_broken: impl FnMut(&BrokenSink) + Send + 'static,
    ) -> io::Result<Self> {
        Self::start_at(sinks, on_broken, now)
    }

    fn start_at(
        sinks: Vec<Box<dyn Sink>>,
        on_broken: impl FnMut(&BrokenSink) + Send + 'static,
        clock: impl Fn() -> String + Send + 'static,
    ) -> io::Result<Self> {
        let (sender, receiver) = bounded(QUEUE);
        let desk = Desk {
            outputs: sinks
                .into_iter()
                .map(|sink| Output {
                    sink,
                    broken: false,
                    finished: false,
                })
                .collect(),
            broken: Vec::new(),
            unsaid: Vec::new(),
            on_broken: Box::new(on_broken),
            clock: Box::new(clock),
            seq: 0,
            summary: RunSummary::default(),
        };
        let thread = std::thread::Builder::new()
            .name("reporter".to_owned())
            .spawn(move || desk.work(&receiver))?;
        Ok(Self { notes: sender, thread })
    }

    /// A handle to tell with.
    pub fn teller(&self) -> Teller {
        Teller {
            notes: self.notes.clone(),
        }
    }

    /// What the run came to so far. Everything this thread told before is counted.
    pub fn summary(&self) -> RunSummary {
        let (answer, summary) = bounded(1);
        if self.notes.send(Note::Ask(answer)).is_err() {
            return RunSummary::default();
        }
        summary.recv().unwrap_or_default()
    }

    /// Shows what is still queued, lets every sink finish, and ends the thread.
    pub fn finish(self) -> (RunSummary, Vec<BrokenSink>) {
        let _ = self.notes.send(Note::Finish);
        self.thread.join().unwrap_or_else(|_| {
            let error = io::Error::other("the reporter stopped by a bug; please report it");
            let broken = BrokenSink {
                name: "the report",
                error,
                essential: true,
            };
            (RunSummary::default(), vec![broken])
        })
    }
}

/// Wall-clock time as events carry it.
pub fn now() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}

struct Output {
    sink: Box<dyn Sink>,
    broken: bool,
    finished: bool,
}

/// What the thread works with.
struct Desk {
    outputs: Vec<Output>,
    broken: Vec<BrokenSink>,
    /// About sinks that broke, to be told when everybody has seen the event at hand.
    unsaid: Vec<String>,
    on_broken: Box<dyn FnMut(&BrokenSink) + Send>,
    clock: Box<dyn Fn() -> String + Send>,
    seq: u64,
    summary: RunSummary,
}

impl Desk {
    fn work(mut self, notes: &Receiver<Note>) -> (RunSummary, Vec<BrokenSink>) {
        let mut ticked = Instant::now();
        // Who waits for the journal. All that came while it was written share the next writing.
        let mut waiting = Vec::new();
        let mut behind = 0;
        loop {
            if !waiting.is_empty() && (notes.is_empty() || behind >= QUEUE) {
                self.keep(&mut waiting);
                behind = 0;
            }
            match notes.recv_timeout(TICK.saturating_sub(ticked.elapsed())) {
                Ok(Note::Tell(kind)) => {
                    behind += 1;
                    self.deliver(kind);
                }
                Ok(Note::Keep(kind, answer)) => {
                    behind += 1;
                    self.deliver(kind);
                    waiting.push(answer);
                }
                Ok(Note::Ask(answer)) => {
                    let _ = answer.send(self.summary.clone());
                }
                Ok(Note::Finish) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
            // Also while events keep coming, or a busy run would never show what is held back.
            if ticked.elapsed() >= TICK {
                for index in 0..self.outputs.len() {
                    self.call(index, |sink| sink.tick());
                }
                self.speak();
                ticked = Instant::now();
            }
        }
        self.keep(&mut waiting);
        for index in 0..self.outputs.len() {
            // Also those that failed before: a console may still have to give the terminal back.
            self.guard(index, |sink| sink.finish());
            if let Some(output) = self.outputs.get_mut(index) {
                output.finished = true;
            }
            self.speak();
        }
        (self.summary, self.broken)
    }

    /// Lets the sinks write for good what they have, and answers those who wait for it.
    fn keep(&mut self, waiting: &mut Vec<Sender<bool>>) {
        if waiting.is_empty() {
            return;
        }
        for index in 0..self.outputs.len() {
            self.call(index, |sink| sink.keep());
        }
        self.speak();
        let kept = !self.broken.iter().any(|sink| sink.essential);
        for answer in waiting.drain(..) {
            // Nobody waits any more when the worker is gone.
            let _ = answer.send(kept);
        }
    }

    fn deliver(&mut self, kind: EventKind) {
        self.pass_on(kind);
        self.speak();
    }

    /// Tells the others about sinks that broke, so that whoever watches knows at once.
    fn speak(&mut self) {
        // Each sink breaks only once, so this ends.
        while let Some(text) = self.unsaid.pop() {
            self.pass_on(EventKind::Message {
                severity: Severity::Error,
                text,
            });
        }
    }

    fn pass_on(&mut self, kind: EventKind) {
        self.summary.observe(&kind);
        self.seq += 1;
        let event = Event {
            kind,
            seq: self.seq,
            time: (self.clock)(),
        };
        for index in 0..self.outputs.len() {
            self.call(index, |sink| sink.event(&event));
        }
    }

    fn call(&mut self, index: usize, what: impl FnOnce(&mut dyn Sink) -> io::Result<()>) {
        if self.outputs.get(index).is_some_and(|o| !o.broken && !o.finished) {
            self.guard(index, what);
        }
    }

    /// Calls a sink. An error breaks it, and so does a panic.
    fn guard(&mut self, index: usize, what: impl FnOnce(&mut dyn Sink) -> io::Result<()>) {
        let Some(output) = self.outputs.get_mut(index) else {
            return;
        };
        let sink = output.sink.as_mut();
        let result = catch_unwind(AssertUnwindSafe(|| what(sink)))
            .unwrap_or_else(|_| Err(io::Error::other("stopped by a bug; please report it")));
        let Err(error) = result else { return };
        if std::mem::replace(&mut output.broken, true) {
            return;
        }
        let broken = BrokenSink {
            name: output.sink.name(),
            error,
            essential: output.sink.is_essential(),
        };
        (self.on_broken)(&broken);
        let quiet = broken.is_closed_pipe() && !broken.essential;
        let mut text = broken.to_string();
        if broken.essential {
            text.push_str("; no new task is started");
        }
        self.broken.push(broken);
        if !quiet {
            self.unsaid.push(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::event::Status;
    use crate::report::testing::{report, result};

    /// Writes down what it was called with.
    struct Notebook {
        name: &'static str,
        book: Arc<Mutex<Vec<String>>>,
        fail_at: Option<u64>,
        error: io::ErrorKind,
    }

    impl Notebook {
        fn new(name: &'static str, book: &Arc<Mutex<Vec<String>>>) -> Self {
            Self {
                name,
                book: book.clone(),
                fail_at: None,
                error: io::ErrorKind::StorageFull,
            }
        }

        fn note(&self, text: &str) {
            self.book.lock().unwrap().push(format!("{} {text}", self.name));
        }
    }

    impl Sink for Notebook {
        fn name(&self) -> &'static str {
            self.name
        }

        fn is_essential(&self) -> bool {
            self.name == "journal"
        }

        fn event(&mut self, event: &Event) -> io::Result<()> {
            if self.fail_at == Some(event.seq) {
                return Err(self.error.into());
            }
            let what = match &event.kind {
                EventKind::Message { text, .. } => text.clone(),
                EventKind::TaskResult(report) => report.host.to_string(),
                _ => String::new(),
            };
            self.note(&format!("{} {} {what}", event.seq, event.time));
            Ok(())
        }

        fn keep(&mut self) -> io::Result<()> {
            self.note("kept");
            Ok(())
        }

        fn finish(&mut self) -> io::Result<()> {
            self.note("finish");
            Ok(())
        }
    }

    fn run(first: Notebook, second: Notebook) -> (RunSummary, Vec<BrokenSink>) {
        let reporter = Reporter::start_at(vec![Box::new(first), Box::new(second)], |_| {}, || "T".to_owned()).unwrap();
        let teller = reporter.teller();
        teller.tell(result(report("web1", "t", Status::Ok)));
        teller.clone().tell(result(report("web2", "t", Status::Failed)));
        assert_eq!(reporter.summary().exit_code(), 0);
        reporter.finish()
    }

    #[test]
    fn every_sink_sees_every_event_in_order_the_first_one_first() {
        let book = Arc::default();
        let (summary, broken) = run(Notebook::new("journal", &book), Notebook::new("console", &book));
        assert_eq!(
            *book.lock().unwrap(),
            [
                "journal 1 T web1",
                "console 1 T web1",
                "journal 2 T web2",
                "console 2 T web2",
                "journal finish",
                "console finish"
            ]
        );
        assert_eq!(summary.recap().len(), 2);
        assert!(broken.is_empty());
    }

    #[test]
    fn a_broken_journal_is_named_and_the_console_goes_on() {
        let book = Arc::default();
        let mut journal = Notebook::new("journal", &book);
        journal.fail_at = Some(1);
        let (_, broken) = run(journal, Notebook::new("console", &book));
        assert_eq!(
            *book.lock().unwrap(),
            [
                "console 1 T web1",
                "console 2 T cannot write journal: no storage space; no new task is started",
                "console 3 T web2",
                "journal finish",
                "console finish"
            ]
        );
        assert!(broken[0].essential && broken[0].name == "journal");
    }

    #[test]
    fn what_is_kept_is_written_for_good_before_the_worker_goes_on() {
        let book = Arc::default();
        let reporter = Reporter::start_at(
            vec![Box::new(Notebook::new("journal", &book))],
            |_| {},
            || "T".to_owned(),
        );
        let reporter = reporter.unwrap();
        assert!(reporter.teller().keep(result(report("web1", "t", Status::Ok))));
        assert_eq!(*book.lock().unwrap(), ["journal 1 T web1", "journal kept"]);
        reporter.finish();
    }

    #[test]
    fn what_a_broken_journal_cannot_keep_must_not_be_done() {
        let book = Arc::default();
        let mut journal = Notebook::new("journal", &book);
        journal.fail_at = Some(2);
        let reporter = Reporter::start_at(vec![Box::new(journal)], |_| {}, || "T".to_owned()).unwrap();
        let keep = || reporter.teller().keep(result(report("web1", "t", Status::Ok)));
        assert_eq!([keep(), keep(), keep()], [true, false, false]);
        reporter.finish();
    }

    #[test]
    fn a_closed_pipe_is_quiet() {
        let book = Arc::default();
        let mut console = Notebook::new("console", &book);
        console.fail_at = Some(1);
        console.error = io::ErrorKind::BrokenPipe;
        let (_, broken) = run(Notebook::new("journal", &book), console);
        assert_eq!(
            *book.lock().unwrap(),
            [
                "journal 1 T web1",
                "journal 2 T web2",
                "journal finish",
                "console finish"
            ]
        );
        assert!(broken[0].is_closed_pipe());
    }

    #[test]
    fn a_panic_in_a_sink_breaks_only_that_sink() {
        struct Bomb;
        impl Sink for Bomb {
            fn name(&self) -> &'static str {
                "bomb"
            }
            fn event(&mut self, _: &Event) -> io::Result<()> {
                panic!("on purpose")
            }
        }
        let book = Arc::default();
        let reporter = Reporter::start(vec![Box::new(Bomb), Box::new(Notebook::new("console", &book))]).unwrap();
        reporter.teller().tell(result(report("web1", "t", Status::Ok)));
        let (_, broken) = reporter.finish();
        assert!(broken[0].to_string().contains("bug"));
        assert!(book.lock().unwrap().iter().any(|line| line.ends_with("web1")));
    }

    #[test]
    fn the_time_is_rfc_3339_in_utc() {
        let time = now();
        assert!(time.len() == 24 && time.ends_with('Z') && time.contains('T'), "{time}");
    }
}
