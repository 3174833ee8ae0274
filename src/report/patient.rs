//! Standard output that is no terminal, behind a thread of its own: a reader that does not read (`| less`, a pipe to a
//! program that is busy) holds up what it is to read, and not the hosts. What waits is kept in memory up to a limit;
//! beyond that the run waits for the reader after all.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Most bytes that wait for the reader.
const ROOM: usize = 64 << 20;
/// How long a reader that does not read is waited for when the run was stopped.
const STOPPED: Duration = Duration::from_millis(500);

#[derive(Default)]
struct Waiting {
    texts: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Nothing more comes.
    closed: bool,
    /// The thread has ended.
    ended: bool,
    error: Option<(io::ErrorKind, String)>,
}

impl Waiting {
    fn error(&self) -> Option<io::Error> {
        let (kind, text) = self.error.as_ref()?;
        Some(io::Error::new(*kind, text.clone()))
    }
}

#[derive(Default)]
struct Between {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

impl Between {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, guard: MutexGuard<'a, Waiting>, most: Duration) -> MutexGuard<'a, Waiting> {
        let (guard, _) = self
            .changed
            .wait_timeout(guard, most)
            .unwrap_or_else(PoisonError::into_inner);
        guard
    }
}

/// Where the sinks write. An error of the stream comes with the next text.
pub struct Patient(Arc<Between>);

/// What is still to be written when the sinks are through.
pub struct Rest(Arc<Between>);

/// Puts a thread before a stream.
pub fn patient(mut stream: impl Write + Send + 'static) -> io::Result<(Patient, Rest)> {
    let between = Arc::new(Between::default());
    let inside = Arc::clone(&between);
    std::thread::Builder::new().name("output".to_owned()).spawn(move || {
        let mut guard = inside.lock();
        loop {
            let Some(text) = guard.texts.pop_front() else {
                if guard.closed {
                    break;
                }
                guard = inside.wait(guard, Duration::from_secs(3600));
                continue;
            };
            drop(guard);
            let written = stream.write_all(&text).and_then(|()| stream.flush());
            guard = inside.lock();
            guard.bytes = guard.bytes.saturating_sub(text.len());
            if let Err(error) = written {
                guard.error = Some((error.kind(), error.to_string()));
                guard.texts.clear();
                break;
            }
            inside.changed.notify_all();
        }
        guard.ended = true;
        inside.changed.notify_all();
    })?;
    Ok((Patient(Arc::clone(&between)), Rest(between)))
}

impl Write for Patient {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let mut guard = self.0.lock();
        while guard.bytes > ROOM && guard.error.is_none() {
            guard = self.0.wait(guard, Duration::from_secs(3600));
        }
        if let Some(error) = guard.error() {
            return Err(error);
        }
        guard.bytes += text.len();
        // Small pieces of one line travel together.
        match guard.texts.back_mut() {
            Some(last) if last.len() < 4096 => last.extend_from_slice(text),
            Some(_) | None => guard.texts.push_back(text.to_vec()),
        }
        self.0.changed.notify_all();
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.0.lock().error() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

impl Rest {
    /// Waits until all of it is written, or until `stopped` says that nobody wants to wait any more.
    ///
    /// # Errors
    /// The stream's own, also one that no sink heard of.
    pub fn finish(self, stopped: impl Fn() -> bool) -> io::Result<()> {
        let mut guard = self.0.lock();
        guard.closed = true;
        self.0.changed.notify_all();
        let mut since: Option<Instant> = None;
        while !guard.ended {
            guard = self.0.wait(guard, Duration::from_millis(50));
            if stopped() && since.get_or_insert_with(Instant::now).elapsed() > STOPPED {
                return Err(io::Error::new(io::ErrorKind::BrokenPipe, "nobody read it"));
            }
        }
        guard.error().map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream that takes texts only when it is let, and fails when it is told.
    struct Slow {
        gate: Arc<Mutex<()>>,
        taken: Arc<Mutex<Vec<u8>>>,
        fails: bool,
    }

    impl Write for Slow {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            drop(self.gate.lock());
            if self.fails {
                return Err(io::Error::from(io::ErrorKind::StorageFull));
            }
            self.taken.lock().unwrap().extend_from_slice(text);
            Ok(text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn slow(fails: bool) -> Slow {
        Slow {
            gate: Arc::default(),
            taken: Arc::default(),
            fails,
        }
    }

    #[test]
    fn who_writes_does_not_wait_and_nothing_is_lost_or_out_of_order() {
        let stream = slow(false);
        let (gate, taken) = (Arc::clone(&stream.gate), Arc::clone(&stream.taken));
        let closed = gate.lock().unwrap();
        let (mut output, rest) = patient(stream).unwrap();
        let mut wanted = Vec::new();
        for number in 0..20_000 {
            let line = format!("line {number}\n");
            output.write_all(line.as_bytes()).unwrap();
            output.flush().unwrap();
            wanted.extend_from_slice(line.as_bytes());
        }
        drop(closed);
        rest.finish(|| false).unwrap();
        assert!(*taken.lock().unwrap() == wanted);
    }

    #[test]
    fn an_error_comes_with_the_next_text_and_with_the_end() {
        let (mut output, rest) = patient(slow(true)).unwrap();
        output.write_all(b"x").unwrap();
        let kind = rest.finish(|| false).unwrap_err().kind();
        assert_eq!(kind, io::ErrorKind::StorageFull);
        assert_eq!(output.write_all(b"y").unwrap_err().kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn a_reader_that_never_reads_is_left_when_the_run_was_stopped() {
        let stream = slow(false);
        let gate = Arc::clone(&stream.gate);
        let _closed = gate.lock().unwrap();
        let (mut output, rest) = patient(stream).unwrap();
        output.write_all(b"x").unwrap();
        let kind = rest.finish(|| true).unwrap_err().kind();
        assert_eq!(kind, io::ErrorKind::BrokenPipe);
    }
}
