//! What `exec` prints into a pipe: `host | line` for every line of output, so that `grep` and `awk` work on a fleet.

use std::io::{self, Write};

use super::{Sink, text, words};
use crate::event::{Control, Event, EventKind, Severity, TaskReport};

/// Output line by line, each with its host.
pub struct Lines {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    verbosity: u8,
}

impl Lines {
    /// The hosts' standard output goes to `out`; their standard error and whatever went wrong goes to `err`.
    pub fn new(out: Box<dyn Write + Send>, err: Box<dyn Write + Send>, verbosity: u8) -> Self {
        Self { out, err, verbosity }
    }

    fn tell(&self, kind: &EventKind) -> (String, String) {
        let (mut out, mut err) = (String::new(), String::new());
        match kind {
            EventKind::TaskResult(report) if report.looped && report.status.is_good() => {}
            EventKind::TaskResult(report) if report.looped => failure(report, &mut err),
            EventKind::ItemResult(report) | EventKind::TaskResult(report) => show(report, &mut out, &mut err),
            EventKind::Message { severity, text } => {
                let head = match severity {
                    Severity::Debug if self.verbosity == 0 => return (out, err),
                    Severity::Debug | Severity::Info => "",
                    Severity::Warning => "warning: ",
                    Severity::Error => "error: ",
                };
                err.push_str(head);
                err.push_str(&text::lines(text).collect::<Vec<_>>().join("\n"));
                err.push('\n');
            }
            EventKind::Controlled { change, by } if *change != Control::Draining => {
                put!(err, "{} ({})\n", text::one_line(&change.words()), text::one_line(by));
            }
            EventKind::DuplicatesFound(found) => put!(err, "warning: {}\n", words::duplicates(found)),
            EventKind::RunCancelled { reason } => {
                put!(err, "stopped by {}\n", text::one_line(reason));
            }
            _ => {}
        }
        (out, err)
    }
}

fn show(report: &TaskReport, out: &mut String, err: &mut String) {
    let host = &report.host;
    for line in text::lines(&report.stdout) {
        put!(out, "{host} | {line}\n");
    }
    for line in text::lines(&report.stderr) {
        put!(err, "{host} | {line}\n");
    }
    for warning in &report.warnings {
        put!(err, "{host} | warning: {}\n", text::one_line(warning));
    }
    if !report.status.is_good() {
        failure(report, err);
    } else if report.rc.is_none() {
        // Not a command: what it came to is all there is to say.
        let message = text::one_line(report.msg.trim());
        let colon = if message.is_empty() { "" } else { ": " };
        put!(out, "{host} | {}{colon}{message}\n", words::word(report.status));
    }
}

fn failure(report: &TaskReport, err: &mut String) {
    let ignored = if report.ignored { " (ignored)" } else { "" };
    let host = &report.host;
    let word = words::word(report.status);
    put!(err, "{host} | {word}{ignored}: {}\n", words::reason(report));
}

impl Sink for Lines {
    fn name(&self) -> &'static str {
        "standard output"
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        let (out, err) = self.tell(&event.kind);
        if !out.is_empty() {
            self.out.write_all(out.as_bytes())?;
            self.out.flush()?;
        }
        if !err.is_empty() {
            // A closed standard error must not cost the results.
            let _ = self.err.write_all(err.as_bytes()).and_then(|()| self.err.flush());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Status;
    use crate::report::testing::{Paper, bad, command, feed, report, result, warning};

    #[test]
    fn every_line_has_its_host() {
        let (out, err) = (Paper::default(), Paper::default());
        feed(
            &mut Lines::new(out.writer(), err.writer(), 0),
            [
                result(command(
                    "web1",
                    Status::Changed,
                    0,
                    "one\r\ntwo\n\nweb2 | forged",
                    "careful\n",
                )),
                result(command("web2", Status::Failed, 1, "partly\n", "\x1b[31mno\n")),
                result(bad("web3", "t", Status::Unreachable, "connect timeout\nweb1 | ok")),
                result(report("web4", "t", Status::Changed)),
                warning("slow"),
            ],
        );
        assert_eq!(
            out.text(),
            "web1 | one\nweb1 | two\nweb1 | \nweb1 | web2 | forged\nweb2 | partly\nweb4 | changed\n"
        );
        assert_eq!(
            err.text(),
            concat!(
                "web1 | careful\nweb2 | \\u{1b}[31mno\n",
                "web2 | failed: rc=1: \\u{1b}[31mno\n",
                "web3 | unreachable: connect timeout\\nweb1 | ok\nwarning: slow\n"
            )
        );
    }
}
