//! `--output json`: one event a line. The journal has the same lines.

use std::io::{self, Write};

use super::{Sink, json};
use crate::event::Event;

/// The line of an event, with its line feed.
pub(crate) fn line(event: &Event) -> io::Result<Vec<u8>> {
    let mut line = json::line(event)?;
    line.push(b'\n');
    Ok(line)
}

/// Events as lines of JSON on a stream.
pub struct JsonLines {
    out: Box<dyn Write + Send>,
}

impl JsonLines {
    /// Writes to `out`, which is standard output for `--output json`.
    pub fn new(out: Box<dyn Write + Send>) -> Self {
        Self { out }
    }
}

impl Sink for JsonLines {
    fn name(&self) -> &'static str {
        "standard output"
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        self.out.write_all(&line(event)?)?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::event::{EventKind, Status};
    use crate::report::testing::{Paper, bad, command, feed, report, result, started};

    fn lines(events: Vec<EventKind>) -> String {
        let paper = Paper::default();
        feed(&mut JsonLines::new(paper.writer()), events);
        paper.text()
    }

    #[test]
    fn a_result_has_the_fields_readers_rely_on() {
        assert_eq!(
            lines(vec![result(command("web1", Status::Changed, 0, "a\n", ""))]),
            concat!(
                r#"{"event":"task_result","host":"web1","task":"command","module":"command","path":"","#,
                r#""status":"changed","rc":0,"stdout":"a\n","stderr":"","msg":"","seconds":0.5,"#,
                r#""seq":1,"time":"2026-11-21T04:51:00.000Z"}"#,
                "\n"
            )
        );
        let absent = lines(vec![result(bad("web1", "t", Status::Unreachable, "connect timeout"))]);
        let absent: Value = serde_json::from_str(&absent).unwrap();
        assert_eq!(
            (&absent["rc"], &absent["stdout"], &absent["msg"]),
            (&Value::Null, &json!(""), &json!("connect timeout"))
        );
    }

    #[test]
    fn every_line_reads_back_as_the_event() {
        let text = lines(vec![
            started("site.yml", &["a", "b"], false),
            result(report("a", "t", Status::InDoubt)),
        ]);
        let events: Vec<Event> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert!(matches!(&events[0].kind, EventKind::RunStarted { hosts, .. } if hosts.len() == 2));
        assert!(matches!(&events[1].kind, EventKind::TaskResult(r) if r.status == Status::InDoubt));
        assert_eq!(events[1].seq, 2);
    }

    proptest! {
        #[test]
        fn whatever_a_host_prints_is_one_valid_line(stdout in any::<String>(), bytes in any::<Vec<u8>>()) {
            let stderr = String::from_utf8_lossy(&bytes);
            let text = lines(vec![result(command("web1", Status::Ok, 0, &stdout, &stderr))]);
            prop_assert_eq!(text.matches('\n').count(), 1);
            prop_assert!(!text.trim_end_matches('\n').chars().any(char::is_control));
            let value: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(value["stdout"].as_str().unwrap(), stdout);
            prop_assert_eq!(value["stderr"].as_str().unwrap(), stderr);
            prop_assert_eq!(&value["event"], "task_result");
        }
    }
}
