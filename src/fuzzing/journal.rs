//! Lines of a journal: a crash, a disk or a hand may have changed them.

use crate::event::summary::RunSummary;
use crate::event::{Event, EventKind};
use crate::report::jsonl;

pub(super) fn lines(data: &[u8]) {
    let mut summary = RunSummary::default();
    for line in data.split(|b| *b == b'\n').take(64) {
        let Ok(event) = serde_json::from_slice::<Event>(line) else {
            continue;
        };
        // What is written is one line, and reads back as what it was.
        let written = jsonl::line(&event).expect("memory takes every line");
        let inner = written.strip_suffix(b"\n").expect("a line ends with a line feed");
        assert!(!inner.contains(&b'\n'), "an event is more than one line");
        let again: Event = serde_json::from_slice(inner).expect("what was written can be read");
        let twice = jsonl::line(&again).expect("memory takes every line");
        assert!(
            written == twice,
            "{}\nreads back as\n{}",
            String::from_utf8_lossy(&written),
            String::from_utf8_lossy(&twice)
        );
        summary.observe(&event.kind);
        if let EventKind::TaskResult(report) = &event.kind {
            let _ = report.status.as_str();
        }
    }
    let _ = summary.recap();
}
