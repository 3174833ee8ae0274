//! `--output csv`: one row per host and task, safe to open in a spreadsheet.

use std::io::{self, Write};

use super::past::answered;
use super::{Sink, text, words};
use crate::event::{Event, EventKind, Severity, TaskReport};

/// Rows of host, task, status, rc, seconds, message.
pub struct Csv<W: Write> {
    rows: csv::Writer<W>,
    err: Box<dyn Write + Send>,
    headed: bool,
}

impl<W: Write> Csv<W> {
    /// Rows go to `out`, warnings and errors to `err`.
    pub fn new(out: W, err: Box<dyn Write + Send>) -> Self {
        Self {
            rows: csv::Writer::from_writer(out),
            err,
            headed: false,
        }
    }

    fn head(&mut self) -> io::Result<()> {
        if !std::mem::replace(&mut self.headed, true) {
            self.rows
                .write_record(["host", "task", "status", "rc", "seconds", "message"])
                .map_err(io::Error::from)?;
        }
        Ok(())
    }

    /// Writes the row of a result.
    pub fn row(&mut self, report: &TaskReport) -> io::Result<()> {
        self.head()?;
        let rc = report.rc.map(|rc| rc.to_string()).unwrap_or_default();
        let seconds = format!("{:.3}", report.seconds);
        let message = if !report.status.is_good() {
            words::reason(report)
        } else if report.msg.is_empty() {
            text::lines(&report.stdout).collect::<Vec<_>>().join("\\n")
        } else {
            text::one_line(&report.msg)
        };
        self.rows
            .write_record([
                cell(report.host.as_str()).as_str(),
                cell(&text::one_line(&report.task)).as_str(),
                report.status.as_str(),
                rc.as_str(),
                seconds.as_str(),
                cell(&message).as_str(),
            ])
            .map_err(io::Error::from)
    }

    /// Ends the table, and gives the stream back.
    pub fn end(mut self) -> io::Result<W> {
        // An empty run is a table without rows, not an empty file.
        self.head()?;
        self.rows.into_inner().map_err(csv::IntoInnerError::into_error)
    }
}

/// Text that a spreadsheet would take for a formula gets an apostrophe, which spreadsheets read as "this is text".
pub(crate) fn cell(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '|', '%']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

impl<W: Write + Send> Sink for Csv<W> {
    fn name(&self) -> &'static str {
        "standard output"
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        match &event.kind {
            EventKind::TaskResult(report) => {
                self.row(report)?;
                self.rows.flush()
            }
            EventKind::PreflightAnswer(answer) => {
                self.row(&answered("pre-flight", answer))?;
                self.rows.flush()
            }
            EventKind::CanaryAnswer(answer) => {
                self.row(&answered("canary", answer))?;
                self.rows.flush()
            }
            EventKind::Message {
                severity: severity @ (Severity::Warning | Severity::Error),
                text,
            } => {
                let word = if *severity == Severity::Error {
                    "error"
                } else {
                    "warning"
                };
                let _ = writeln!(self.err, "{word}: {}", text::one_line(text));
                Ok(())
            }
            EventKind::DuplicatesFound(found) => {
                let _ = writeln!(self.err, "warning: {}", words::duplicates(found));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        // An empty run is a table without rows, not an empty file.
        self.head()?;
        self.rows.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Status;
    use crate::report::testing::{Paper, bad, command, feed, result};

    fn table(events: Vec<EventKind>) -> String {
        let paper = Paper::default();
        feed(&mut Csv::new(paper.writer(), Paper::default().writer()), events);
        paper.text()
    }

    #[test]
    fn a_row_is_one_line_and_no_formula() {
        assert_eq!(
            table(vec![
                result(command("web1", Status::Changed, 0, "3.10, x\n\"two\"\n", "")),
                result(bad("web2", "t", Status::Failed, "=HYPERLINK(\"http://x\")\n@b")),
                result(command("-db", Status::Failed, -1, "", "")),
            ]),
            concat!(
                "host,task,status,rc,seconds,message\n",
                "web1,command,changed,0,0.500,\"3.10, x\\n\"\"two\"\"\"\n",
                "web2,t,failed,,0.500,\"'=HYPERLINK(\"\"http://x\"\")\\n@b\"\n",
                "'-db,command,failed,-1,0.500,\"rc=-1, nothing was said\"\n"
            )
        );
    }

    #[test]
    fn a_run_without_results_is_a_table_without_rows() {
        assert_eq!(table(vec![]), "host,task,status,rc,seconds,message\n");
    }
}
