//! `--output oneline`: one line a result, as `ansible -o` prints it.

use std::io::{self, Write};

use super::terminal::Terminal;
use super::{Sink, canary, json, minimal, preflight, text, words};
use crate::event::{Event, EventKind, Severity, Status, TaskReport};

/// One line a result.
pub struct OneLine {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    term: Terminal,
}

impl OneLine {
    /// Results go to `out`, warnings and errors to `err`.
    pub fn new(out: Box<dyn Write + Send>, err: Box<dyn Write + Send>, term: Terminal) -> Self {
        Self { out, err, term }
    }
}

fn line(report: &TaskReport) -> String {
    let (word, _) = minimal::head(report.status);
    let host = &report.host;
    let item = words::item(report).map(|i| format!(" (item={i})")).unwrap_or_default();
    let head = format!("{host}{item} | {word}");
    match report.rc {
        Some(rc) => {
            let mut line = format!("{head} | rc={rc} | (stdout) {}", flat(&report.stdout));
            if !report.stderr.is_empty() {
                put!(line, " (stderr) {}", flat(&report.stderr));
            }
            if !report.status.is_good() && report.status != Status::Failed {
                put!(line, " (msg) {}", text::one_line(&report.msg));
            }
            line
        }
        None if report.status == Status::Skipped => head,
        None if report.status == Status::Failed => format!("{head}! => {}", json::dump(&words::values(report), None)),
        None => format!("{head} => {}", json::dump(&words::values(report), None)),
    }
}

/// Output on one line, without the line feed that ends it.
fn flat(output: &str) -> String {
    text::lines(output).collect::<Vec<_>>().join("\\n")
}

impl Sink for OneLine {
    fn name(&self) -> &'static str {
        "standard output"
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        let report = match &event.kind {
            EventKind::ItemResult(report) => report,
            EventKind::TaskResult(report) if !report.looped => report,
            EventKind::PreflightVerdict(verdict) => {
                let line = format!(
                    "PRE-FLIGHT | {} | {}",
                    text::one_line(&verdict.check),
                    preflight::summary(verdict)
                );
                let line = self.term.paint(preflight::colour(verdict.decision), &line);
                self.out.write_all(format!("{line}\n").as_bytes())?;
                return self.out.flush();
            }
            EventKind::CanaryVerdict(verdict) => {
                let play = text::one_line(verdict.play.trim());
                let line = format!("CANARY | {play} | {}", canary::summary(verdict));
                let line = self.term.paint(preflight::colour(verdict.decision), &line);
                self.out.write_all(format!("{line}\n").as_bytes())?;
                return self.out.flush();
            }
            EventKind::Message {
                severity: Severity::Warning | Severity::Error,
                text,
            } => {
                let _ = writeln!(self.err, "[WARNING]: {}", text::one_line(text));
                return Ok(());
            }
            EventKind::DuplicatesFound(found) => {
                let _ = writeln!(self.err, "[WARNING]: {}", words::duplicates(found));
                return Ok(());
            }
            _ => return Ok(()),
        };
        for warning in &report.warnings {
            let _ = writeln!(self.err, "[WARNING]: {}: {}", report.host, text::one_line(warning));
        }
        let (_, colour) = minimal::head(report.status);
        let mut line = self.term.paint(colour, &line(report));
        line.push('\n');
        self.out.write_all(line.as_bytes())?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::{Paper, bad, command, feed, item, report, result, warning};

    #[test]
    fn a_result_is_one_line() {
        let (out, err) = (Paper::default(), Paper::default());
        feed(
            &mut OneLine::new(out.writer(), err.writer(), Terminal::plain()),
            [
                result(command("a", Status::Changed, 0, "a\nb\n", "")),
                result(command("b", Status::Failed, 1, "", "no\x07\n")),
                result(bad("c", "t", Status::Unreachable, "no route")),
                result(report("d", "t", Status::Skipped)),
                result(bad("e", "copy", Status::Failed, "no")),
                item("x", report("f", "t", Status::Ok)),
                warning("w"),
            ],
        );
        assert_eq!(
            out.text(),
            concat!(
                "a | CHANGED | rc=0 | (stdout) a\\nb\n",
                "b | FAILED | rc=1 | (stdout)  (stderr) no\\u{7}\n",
                "c | UNREACHABLE! => {\"changed\": false, \"msg\": \"no route\", \"unreachable\": true}\n",
                "d | SKIPPED\n",
                "e | FAILED! => {\"changed\": false, \"msg\": \"no\"}\n",
                "f (item=x) | SUCCESS => {\"changed\": false, \"item\": \"x\"}\n"
            )
        );
        assert_eq!(err.text(), "[WARNING]: w\n");
    }
}
