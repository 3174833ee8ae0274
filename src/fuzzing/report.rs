//! What a host printed, in every output: nothing of it drives the terminal, nothing of it becomes an event or a line of
//! somebody else.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value as Json, json};

use crate::event::{Diff, Event, Status, TaskReport};
use crate::fuzzing::input::{self, Cut};
use crate::report::terminal::Terminal;
use crate::report::{Sink, ansible, csv, human, jsonl, lines, oneline};

/// Takes everything that is written.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Paper {
    fn writer(&self) -> Box<dyn Write + Send> {
        Box::new(self.clone())
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()).expect("outputs are UTF-8")
    }
}

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const STATUS: [Status; 7] = [
    Status::Ok,
    Status::Changed,
    Status::Failed,
    Status::Unreachable,
    Status::TimedOut,
    Status::Skipped,
    Status::InDoubt,
];

/// A result of the input.
fn report(cut: &mut Cut<'_>) -> TaskReport {
    let flags = cut.number();
    let status = usize::from(cut.byte()) % STATUS.len();
    let [stdout, stderr, msg, before, after, extra] = input::parts::<6>(cut.rest());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    // Fields that come later have their defaults.
    let plain = json!({"host": "web1", "task": "the task", "module": "command", "path": "site.yml:3", "status": "ok",
                       "seconds": 0.5});
    let mut report: TaskReport = serde_json::from_value(plain).expect("a result needs no more");
    report.status = STATUS[status];
    report.ignored = flags & 1 != 0;
    report.rescued = flags & 2 != 0;
    report.rc = (flags & 4 != 0).then_some(1);
    report.stdout = text(stdout);
    report.stderr = text(stderr);
    report.msg = text(msg);
    report.seconds = f64::from(flags >> 16);
    report.item = (flags & 8 != 0).then(|| Json::String(text(extra)));
    report.result = serde_json::from_slice(extra).unwrap_or_else(|_| Json::String(text(extra)));
    if flags & 16 != 0 {
        let headline = text(extra.get(..extra.len().min(40)).unwrap_or_default());
        report.diff = vec![
            Diff::Text {
                before_header: String::new(),
                after_header: headline,
                before: text(before),
                after: text(after),
            },
            Diff::Words(text(before)),
        ];
    }
    report.looped = flags & 32 != 0;
    if flags & 64 != 0 {
        report.warnings = vec![text(msg)];
    }
    report.verbose = flags & 128 != 0;
    report.delegated_to = (flags & 256 != 0).then(|| text(msg));
    report
}

/// A run of two hosts in which one has this result.
fn story(result: &TaskReport, adhoc: bool) -> Vec<Event> {
    let with = |kind: &str| {
        let mut value = serde_json::to_value(result).expect("a result can be written");
        value["event"] = kind.into();
        value
    };
    let told = [
        json!({"event": "run_started", "run": "20261121-045100-1c97f3", "command": [], "title": "site.yml",
               "hosts": ["web1", "web2"], "check": false, "forks": 5, "adhoc": adhoc}),
        json!({"event": "play_started", "play": "all", "hosts": ["web1", "web2"]}),
        json!({"event": "task_started", "task": "the task", "path": "site.yml:3", "handler": false}),
        with("item_result"),
        with("task_result"),
        json!({"event": "host_done", "host": "web1", "status": result.status, "msg": result.msg, "seconds": 1.0}),
        json!({"event": "run_finished", "recap": [], "exit_code": 0, "seconds": 2.0}),
    ];
    let event = |(seq, mut value): (u64, Json)| {
        value["seq"] = seq.into();
        value["time"] = "2026-11-21T04:51:00.000Z".into();
        serde_json::from_value(value).expect("the story is one of events")
    };
    (1..).zip(told).map(event).collect()
}

/// A sink's two streams after the whole story was told to it.
fn told(sink: impl FnOnce(Box<dyn Write + Send>, Box<dyn Write + Send>) -> Box<dyn Sink>, story: &[Event]) -> String {
    let (out, err) = (Paper::default(), Paper::default());
    let mut sink = sink(out.writer(), err.writer());
    for event in story {
        sink.event(event).expect("memory takes everything");
    }
    sink.tick().expect("memory takes everything");
    sink.finish().expect("memory takes everything");
    drop(sink);
    out.text() + &err.text()
}

pub(super) fn outputs(data: &[u8]) {
    let mut cut = Cut::new(data);
    let verbosity = cut.byte() % 5;
    let result = report(&mut cut);
    let story = story(&result, verbosity == 4);
    let count = story.len();
    let term = Terminal::plain;
    let json = told(|out, _| Box::new(jsonl::JsonLines::new(out)), &story);
    assert_eq!(json.lines().count(), count, "one line for each event");
    for line in json.lines() {
        let event: Json = serde_json::from_str(line).expect("every line is JSON");
        assert!(event.get("event").is_some_and(Json::is_string), "{line}");
    }
    let value: Json = serde_json::from_str(json.lines().nth(4).unwrap_or_default()).expect("every line is JSON");
    assert_eq!(value.get("stdout").and_then(Json::as_str), Some(result.stdout.as_str()));
    let options = human::HumanOptions {
        term: term(),
        verbosity,
        retry_file: None,
        rerun: None,
    };
    let shown = [
        told(
            |out, err| Box::new(ansible::Ansible::new(out, err, term(), verbosity)),
            &story,
        ),
        told(|out, err| Box::new(human::Human::new(out, err, options)), &story),
        told(|out, err| Box::new(oneline::OneLine::new(out, err, term())), &story),
        told(|out, err| Box::new(lines::Lines::new(out, err, verbosity)), &story),
        json,
    ];
    for text in &shown {
        let bad = text.chars().find(|c| c.is_control() && !matches!(c, '\n'));
        assert!(bad.is_none(), "{bad:?} reaches the terminal:\n{text:?}");
    }
    crate::cli::audit::fuzz::outputs(&story);
    // A CSV reader finds the fields again.
    let table = told(|out, err| Box::new(csv::Csv::new(out, err)), &story);
    let mut reader = ::csv::ReaderBuilder::new().from_reader(table.as_bytes());
    for row in reader.records() {
        assert_eq!(row.expect("every row can be read").get(0), Some("web1"));
    }
}
