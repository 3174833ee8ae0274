//! Events for tests, with as few words as possible.

use std::io;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::event::preflight::{Decision, PreflightLayout, PreflightNote, PreflightRefusal, PreflightVerdict};
use crate::event::{Event, EventKind, Severity, Status, TaskReport};
use crate::names::HostName;
use crate::report::Sink;

pub(crate) fn report(host: &str, task: &str, status: Status) -> TaskReport {
    TaskReport {
        host: host.into(),
        task: task.to_owned(),
        module: "command".to_owned(),
        path: String::new(),
        status,
        ignored: false,
        rescued: false,
        rc: None,
        stdout: String::new(),
        stderr: String::new(),
        stdout_b64: None,
        stderr_b64: None,
        msg: String::new(),
        seconds: 0.5,
        item: None,
        result: Value::Null,
        diff: Vec::new(),
        notified: Vec::new(),
        looped: false,
        warnings: Vec::new(),
        verbose: false,
        delegated_to: None,
        refused: None,
        did: Box::default(),
    }
}

/// A command's result.
pub(crate) fn command(host: &str, status: Status, rc: i64, stdout: &str, stderr: &str) -> TaskReport {
    TaskReport {
        rc: Some(rc),
        stdout: stdout.to_owned(),
        stderr: stderr.to_owned(),
        msg: if rc == 0 {
            String::new()
        } else {
            "non-zero return code".to_owned()
        },
        ..report(host, "command", status)
    }
}

/// A result that is not good, with its message.
pub(crate) fn bad(host: &str, task: &str, status: Status, msg: &str) -> TaskReport {
    TaskReport {
        msg: msg.to_owned(),
        ..report(host, task, status)
    }
}

pub(crate) fn result(report: TaskReport) -> EventKind {
    EventKind::TaskResult(Box::new(report))
}

pub(crate) fn item(item: &str, report: TaskReport) -> EventKind {
    EventKind::ItemResult(Box::new(TaskReport {
        item: Some(Value::from(item)),
        ..report
    }))
}

pub(crate) fn names(hosts: &[&str]) -> Vec<HostName> {
    hosts.iter().map(|h| HostName::from(*h)).collect()
}

pub(crate) fn started(title: &str, hosts: &[&str], adhoc: bool) -> EventKind {
    EventKind::RunStarted {
        folder: String::new(),
        run: "20261121-045100-7f3a".to_owned(),
        command: vec!["batchssh".to_owned(), "run".to_owned(), title.to_owned()],
        title: title.to_owned(),
        hosts: names(hosts),
        check: false,
        forks: 5,
        adhoc,
        origin: Box::default(),
    }
}

pub(crate) fn play(name: &str, hosts: &[&str]) -> EventKind {
    EventKind::PlayStarted {
        play: name.to_owned(),
        hosts: names(hosts),
        number: 1,
    }
}

pub(crate) fn task(name: &str) -> EventKind {
    EventKind::TaskStarted {
        task: name.to_owned(),
        path: String::new(),
        handler: false,
    }
}

pub(crate) fn done(host: &str, status: Status, msg: &str) -> EventKind {
    EventKind::HostDone {
        host: host.into(),
        status,
        msg: (!msg.is_empty()).then(|| msg.to_owned()),
        task: None,
        seconds: 1.0,
    }
}

pub(crate) fn warning(text: &str) -> EventKind {
    EventKind::Message {
        severity: Severity::Warning,
        text: text.to_owned(),
    }
}

pub(crate) fn finished() -> EventKind {
    EventKind::RunFinished {
        recap: Vec::new(),
        exit_code: 0,
        seconds: 185.0,
    }
}

/// Feeds a sink, and finishes it.
pub(crate) fn feed(sink: &mut dyn Sink, events: impl IntoIterator<Item = EventKind>) {
    for (seq, kind) in (1..).zip(events) {
        let time = "2026-11-21T04:51:00.000Z".to_owned();
        sink.event(&Event { kind, seq, time }).unwrap();
    }
    sink.finish().unwrap();
}

/// A stream that keeps what is written.
#[derive(Clone, Default)]
pub(crate) struct Paper(Arc<Mutex<Vec<u8>>>);

impl Paper {
    pub(crate) fn writer(&self) -> Box<dyn io::Write + Send> {
        Box::new(self.clone())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A check of five hosts: two are odd, one is silent.
pub(crate) fn verdict(decision: Decision) -> PreflightVerdict {
    let layout = |hosts: &[&str], line: &str, odd: bool| PreflightLayout {
        hosts: names(hosts),
        lines: vec![format!("system: {line}")],
        digest: String::new(),
        odd,
        difference: if odd {
            vec!["- system: sda".to_owned(), format!("+ system: {line}")]
        } else {
            Vec::new()
        },
    };
    let refusal = |hosts: &[&str], reason: &str, silent: bool| PreflightRefusal {
        hosts: names(hosts),
        reason: reason.to_owned(),
        silent,
    };
    PreflightVerdict {
        check: "disks are alike".to_owned(),
        path: "site.yml:3".to_owned(),
        decision,
        hosts: 5,
        layouts: vec![
            layout(&["s07", "s11"], "sdm", true),
            layout(&["s01", "s02"], "sda", false),
        ],
        refused: vec![
            refusal(&["s07", "s11"], "its answer is not that of most hosts", false),
            refusal(&["s05"], "connect timeout\u{1b}", true),
        ],
        notes: vec![PreflightNote {
            hosts: names(&["s01"]),
            text: "no name in /dev/disk/by-id".to_owned(),
        }],
        msg: "2 of 5 hosts are odd, 1 did not answer".to_owned(),
        help: vec!["mend them".to_owned()],
    }
}
