//! `report --json`: a run as one object, written result by result, so that its size does not matter. docs/runs.md has its
//! shape.

use std::io::{self, Write};

use serde::Serialize;

use super::json;
use super::past::overview::Overview;
use super::past::{Done, task_name};
use crate::event::{SentFile, Status};
use crate::names::HostName;

/// One result as the reports and the history write it.
#[derive(Serialize)]
pub struct Record<'a> {
    /// When it was known.
    pub time: &'a str,
    /// Which host.
    pub host: &'a HostName,
    /// The play's name.
    pub play: &'a str,
    /// The task's name.
    pub task: String,
    /// `file:line`.
    pub path: &'a str,
    /// Its module.
    pub module: &'a str,
    /// How it ended.
    pub status: Status,
    /// A failure that the user said to ignore.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub ignored: bool,
    /// A failure that a `rescue` section took over.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub rescued: bool,
    /// Exit code.
    pub rc: Option<i64>,
    /// How long it took.
    pub seconds: f64,
    /// The message; of what is not good: why.
    pub msg: String,
    /// Standard output; of a loop what was printed in its passes, each line behind its item.
    pub stdout: &'a str,
    /// Standard error.
    pub stderr: &'a str,
    /// The exact commands.
    pub commands: &'a [String],
    /// Commands that are not in the journal.
    pub more_commands: u32,
    /// Files that were put on the host.
    pub files: &'a [SentFile],
    /// Files that are not in the journal.
    pub more_files: u32,
    /// As whom, when not as the login user.
    pub became: Option<&'a str>,
    /// It ran on another host.
    pub delegated_to: Option<&'a str>,
}

impl<'a> Record<'a> {
    /// A result.
    pub fn of(done: &'a Done) -> Self {
        let report = &*done.report;
        Self {
            time: &done.time,
            host: &report.host,
            play: &done.play,
            task: task_name(report),
            path: &report.path,
            module: &report.module,
            status: report.status,
            ignored: report.ignored,
            rescued: report.rescued,
            rc: report.rc,
            seconds: report.seconds,
            msg: if report.status.is_good() {
                report.msg.clone()
            } else {
                done.reason()
            },
            stdout: if report.looped { &done.items } else { &report.stdout },
            stderr: &report.stderr,
            commands: &report.did.commands,
            more_commands: report.did.more_commands,
            files: &report.did.files,
            more_files: report.did.more_files,
            became: report.did.became.as_deref(),
            delegated_to: report.delegated_to.as_deref(),
        }
    }
}

/// The beginning of the object.
#[derive(Serialize)]
struct Head<'a> {
    batchssh_report: u8,
    #[serde(flatten)]
    overview: &'a Overview,
    damage: Option<&'a str>,
}

/// Writes the object.
pub struct Results<W> {
    out: W,
    first: bool,
}

impl<W: Write> Results<W> {
    /// Begins with what is known about the run. `damage` says what is wrong with its journal.
    pub fn begin(mut out: W, overview: &Overview, damage: Option<&str>) -> io::Result<Self> {
        let head = Head {
            batchssh_report: 1,
            overview,
            damage,
        };
        let mut line = json::line(&head)?;
        // The list of results takes the place of the closing brace.
        line.pop();
        out.write_all(&line)?;
        out.write_all(b",\n\"results\":[")?;
        Ok(Self { out, first: true })
    }

    /// Writes one result.
    pub fn add(&mut self, done: &Done) -> io::Result<()> {
        let comma: &[u8] = if std::mem::take(&mut self.first) { b"\n" } else { b",\n" };
        self.out.write_all(comma)?;
        self.out.write_all(&json::line(&Record::of(done))?)
    }

    /// Ends the object.
    pub fn end(mut self) -> io::Result<W> {
        self.out.write_all(b"\n]}\n")?;
        self.out.flush()?;
        Ok(self.out)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::event::Event;
    use crate::report::past::Past;
    use crate::report::testing::{bad, command, result};

    #[test]
    fn the_whole_is_one_object_with_a_result_a_line() {
        let mut past = Past::default();
        let mut results = Results::begin(Vec::new(), &Overview::default(), Some("torn")).unwrap();
        let reports = [
            command("a", Status::Ok, 0, "x\u{1b}\n", ""),
            bad("b", "t", Status::Unreachable, "no route"),
        ];
        for (seq, report) in (1..).zip(reports) {
            let (kind, time) = (result(report), "T".to_owned());
            let done = past.observe(&Event { kind, seq, time }).unwrap();
            results.add(&done).unwrap();
        }
        let text = String::from_utf8(results.end().unwrap()).unwrap();
        assert_eq!(text.lines().count(), 5);
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["batchssh_report"], 1);
        assert_eq!(value["damage"], "torn");
        assert_eq!(value["results"][0]["stdout"], "x\u{1b}\n");
        assert_eq!(value["results"][1]["msg"], "no route");
        assert!(!text.contains('\u{1b}'));
    }
}
