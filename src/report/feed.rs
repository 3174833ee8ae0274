//! The events of a run for whoever watches it from another terminal. Each watcher has a queue of its own with a limit:
//! one that does not read loses events, and is told how many, but nobody ever waits for it.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::jsonl::line;
use super::live::Live;
use super::{Sink, delivery};
use crate::event::{Event, EventKind, Severity};

/// Bytes that wait for one watcher.
const MOST: usize = 8 * 1024 * 1024;

/// The way to the watchers; all clones are the same.
#[derive(Clone)]
pub struct Feed(Arc<Shared>);

struct Shared {
    inner: Mutex<Inner>,
    /// Called when there is something for a watcher.
    wake: Box<dyn Fn() + Send + Sync>,
}

struct Inner {
    live: Live,
    last: u64,
    next: u64,
    watchers: BTreeMap<u64, Watcher>,
}

#[derive(Default)]
struct Watcher {
    lines: VecDeque<Arc<[u8]>>,
    bytes: usize,
    left_out: u64,
}

impl Feed {
    /// A feed without watchers. `wake` must not wait.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(Shared {
            inner: Mutex::new(Inner {
                live: Live::new(Instant::now()),
                last: 0,
                next: 0,
                watchers: BTreeMap::new(),
            }),
            wake: Box::new(wake),
        }))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The sink that fills it.
    pub fn sink(&self) -> FeedSink {
        FeedSink(self.clone())
    }

    /// How far the run is.
    pub fn live(&self) -> Live {
        self.inner().live.clone()
    }

    /// A new watcher: its number, and that of the last event it will not get.
    pub fn watch(&self) -> (u64, u64) {
        let mut inner = self.inner();
        inner.next += 1;
        let number = inner.next;
        inner.watchers.insert(number, Watcher::default());
        (number, inner.last)
    }

    /// The watcher is gone.
    pub fn unwatch(&self, number: u64) {
        self.inner().watchers.remove(&number);
    }

    /// What waits for a watcher, about `most` bytes of it, whole lines.
    pub fn take(&self, number: u64, most: usize) -> Vec<Arc<[u8]>> {
        let mut inner = self.inner();
        let (last, mut taken, mut bytes) = (inner.last, Vec::new(), 0);
        let Some(watcher) = inner.watchers.get_mut(&number) else {
            return taken;
        };
        while bytes < most
            && let Some(line) = watcher.lines.pop_front()
        {
            watcher.bytes -= line.len();
            bytes += line.len();
            taken.push(line);
        }
        if watcher.left_out > 0 && watcher.lines.is_empty() {
            let lost = std::mem::take(&mut watcher.left_out);
            taken.extend(note(last, lost));
        }
        taken
    }
}

/// The event that tells a watcher what it missed.
fn note(seq: u64, lost: u64) -> Option<Arc<[u8]>> {
    let kind = EventKind::Message {
        severity: Severity::Warning,
        text: format!("{lost} events are left out here: this terminal was too slow; the journal has them"),
    };
    let time = delivery::now();
    line(&Event { kind, seq, time }).ok().map(Arc::from)
}

/// Fills a [`Feed`].
pub struct FeedSink(Feed);

impl Sink for FeedSink {
    fn name(&self) -> &'static str {
        "the feed of watchers"
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        let mut inner = self.0.inner();
        inner.last = event.seq;
        inner.live.observe(&event.kind, Instant::now());
        if inner.watchers.is_empty() {
            return Ok(());
        }
        let line: Arc<[u8]> = Arc::from(line(event)?);
        for watcher in inner.watchers.values_mut() {
            // From the first one that is left out until the rest was read: what a watcher gets has one gap, not many.
            if watcher.left_out > 0 || watcher.bytes + line.len() > MOST {
                watcher.left_out += 1;
                continue;
            }
            watcher.bytes += line.len();
            watcher.lines.push_back(line.clone());
        }
        drop(inner);
        (self.0.0.wake)();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Status;
    use crate::report::testing::{feed as told, report, result};

    fn seqs(lines: &[Arc<[u8]>]) -> Vec<(u64, String)> {
        let read = |line: &Arc<[u8]>| {
            let value: serde_json::Value = serde_json::from_slice(line).unwrap();
            (
                value["seq"].as_u64().unwrap(),
                value["event"].as_str().unwrap().to_owned(),
            )
        };
        lines.iter().map(read).collect()
    }

    #[test]
    fn a_watcher_gets_what_is_told_from_then_on() {
        let feed = Feed::new(|| ());
        let mut sink = feed.sink();
        told(&mut sink, vec![result(report("web1", "t", Status::Ok))]);
        let (number, last) = feed.watch();
        assert_eq!(last, 1);
        told(
            &mut sink,
            vec![
                result(report("web2", "t", Status::Ok)),
                result(report("web3", "t", Status::Ok)),
            ],
        );
        assert_eq!(feed.take(number, 1).len(), 1);
        assert_eq!(feed.take(number, MOST).len(), 1);
        assert!(feed.take(number, MOST).is_empty());
        feed.unwatch(number);
        told(&mut sink, vec![result(report("web2", "t", Status::Ok))]);
        assert!(feed.take(number, MOST).is_empty());
    }

    #[test]
    fn one_that_does_not_read_loses_events_and_is_told_how_many() {
        let feed = Feed::new(|| ());
        let mut sink = feed.sink();
        let (slow, _) = feed.watch();
        let (quick, _) = feed.watch();
        let mut got = 0;
        for _ in 0..40 {
            let mut large = report("web1", "t", Status::Ok);
            large.stdout = "x".repeat(MOST / 16);
            told(&mut sink, vec![result(large)]);
            got += feed.take(quick, MOST).len();
        }
        assert_eq!(got, 40);
        let kept = feed.take(slow, usize::MAX);
        let (last, rest) = kept.split_last().unwrap();
        assert!(rest.len() < 16, "{}", rest.len());
        let text = String::from_utf8_lossy(last).into_owned();
        assert!(
            text.contains(&format!("{} events are left out here", 40 - rest.len())),
            "{text}"
        );
        // After that it gets everything again.
        told(&mut sink, vec![result(report("web2", "t", Status::Ok))]);
        assert_eq!(seqs(&feed.take(slow, MOST)).len(), 1);
    }
}
