//! What a host printed, in every output: nothing of it drives the terminal, nothing of it becomes an event or a line of
//! somebody else.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value as Json;

use crate::event::{Diff, Event, EventKind, Status, TaskReport};
use crate::fuzzing::input::{self, Cut};
use crate::names::HostName;
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

fn report(cut: &mut Cut<'_>) -> TaskReport {
    let flags = cut.number();
    let status = usize::from(cut.byte()) % STATUS.len();
    let [stdout, stderr, msg, before, after, extra] = input::parts::<6>(cut.rest());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let result = serde_json::from_slice(extra).unwrap_or_else(|_| Json::String(text(extra)));
    let diff = Diff::Text {
        before_header: String::new(),
        after_header: text(extra.get(..extra.len().min(40)).unwrap_or_default()),
        before: text(before),
        after: text(after),
    };
    TaskReport {
        host: HostName::from("web1"),
        task: "the task".to_owned(),
        module: "command".to_owned(),
        path: "site.yml:3".to_owned(),
        status: STATUS[status],
        ignored: flags & 1 != 0,
        rescued: flags & 2 != 0,
        rc: (flags & 4 != 0).then_some(1),
        stdout: text(stdout),
        stderr: text(stderr),
        stdout_b64: None,
        stderr_b64: None,
        msg: text(msg),
        seconds: f64::from(flags >> 16),
        item: (flags & 8 != 0).then(|| Json::String(text(extra))),
        result,
        diff: if flags & 16 != 0 {
            vec![diff, Diff::Words(text(before))]
        } else {
            Vec::new()
        },
        notified: Vec::new(),
        looped: flags & 32 != 0,
        warnings: if flags & 64 != 0 { vec![text(msg)] } else { Vec::new() },
        verbose: flags & 128 != 0,
        delegated_to: (flags & 256 != 0).then(|| text(msg)),
        refused: None,
    }
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
    let hosts = vec![HostName::from("web1"), HostName::from("web2")];
    let kinds = [
        EventKind::RunStarted {
            run: "20261121-045100-1c97f3".to_owned(),
            command: Vec::new(),
            folder: String::new(),
            title: "site.yml".to_owned(),
            hosts: hosts.clone(),
            check: false,
            forks: 5,
            adhoc: verbosity == 4,
        },
        EventKind::PlayStarted {
            play: "all".to_owned(),
            hosts,
        },
        EventKind::TaskStarted {
            task: "the task".to_owned(),
            path: "site.yml:3".to_owned(),
            handler: false,
        },
        EventKind::ItemResult(Box::new(result.clone())),
        EventKind::TaskResult(Box::new(result.clone())),
        EventKind::HostDone {
            host: HostName::from("web1"),
            status: result.status,
            msg: Some(result.msg.clone()),
            task: None,
            seconds: 1.0,
        },
        EventKind::RunFinished {
            recap: Vec::new(),
            exit_code: 0,
            seconds: 2.0,
        },
    ];
    let count = kinds.len();
    let story: Vec<Event> = (1..)
        .zip(kinds)
        .map(|(seq, kind)| Event {
            kind,
            seq,
            time: "2026-11-21T04:51:00.000Z".to_owned(),
        })
        .collect();
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
    // A CSV reader finds the fields again.
    let table = told(|out, err| Box::new(csv::Csv::new(out, err)), &story);
    let mut reader = ::csv::ReaderBuilder::new().from_reader(table.as_bytes());
    for row in reader.records() {
        assert_eq!(row.expect("every row can be read").get(0), Some("web1"));
    }
}
