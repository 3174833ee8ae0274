//! `report --junit`: a run as CI servers read test results. A play is a suite, a task on a host a case: its class is the
//! host. What failed is a `failure`; what was not reached, is in doubt or was refused is an `error`. The first suite is the
//! run itself, so that one that was killed or stopped is never green.

use std::io::{self, Write};
use std::sync::Arc;

use super::past::overview::{Overview, State};
use super::past::{Done, task_name};
use super::text;
use crate::event::Status;

/// Most lines of output in one case.
const MOST_LINES: usize = 200;

/// What a case comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Passed,
    Skipped,
    Failure,
    Error,
}

impl Verdict {
    fn of(done: &Done) -> Self {
        let report = &done.report;
        match report.status {
            Status::Skipped => Self::Skipped,
            Status::Ok | Status::Changed => Self::Passed,
            Status::Failed | Status::TimedOut | Status::Unreachable | Status::InDoubt
                if report.ignored || report.rescued =>
            {
                Self::Passed
            }
            Status::Failed | Status::TimedOut if report.refused.is_none() => Self::Failure,
            Status::Failed | Status::TimedOut | Status::Unreachable | Status::InDoubt => Self::Error,
        }
    }
}

/// What a suite says about itself before its cases.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
    seconds: f64,
}

impl Counts {
    fn add(&mut self, verdict: Verdict, seconds: f64) {
        self.tests += 1;
        self.seconds += seconds;
        match verdict {
            Verdict::Passed => {}
            Verdict::Skipped => self.skipped += 1,
            Verdict::Failure => self.failures += 1,
            Verdict::Error => self.errors += 1,
        }
    }
}

/// Counts what will be written: a suite says its numbers first. Fed with the results of a run, in order.
#[derive(Default)]
pub struct Tally(Vec<(Arc<str>, Counts)>);

impl Tally {
    /// Counts one result.
    pub fn add(&mut self, done: &Done) {
        if self.0.last().is_none_or(|(play, _)| *play != done.play) {
            self.0.push((Arc::clone(&done.play), Counts::default()));
        }
        if let Some((_, counts)) = self.0.last_mut() {
            counts.add(Verdict::of(done), done.report.seconds);
        }
    }
}

/// Writes the file, a case at a time.
pub struct Junit<W> {
    out: W,
    suites: std::vec::IntoIter<(Arc<str>, Counts)>,
    /// Cases that are missing in the suite that is open.
    left: usize,
    open: bool,
    timestamp: String,
    controller: String,
}

impl<W: Write> Junit<W> {
    /// Begins: the run itself. `damage` says what is wrong with the journal, when something is.
    pub fn begin(mut out: W, overview: &Overview, damage: Option<&str>, tally: Tally) -> io::Result<Self> {
        let cases = of_run(overview, damage);
        let mut own = Counts::default();
        for (_, problem) in &cases {
            own.add(
                if problem.is_some() {
                    Verdict::Error
                } else {
                    Verdict::Passed
                },
                0.0,
            );
        }
        let mut all = own;
        for (_, counts) in &tally.0 {
            all.tests += counts.tests;
            all.failures += counts.failures;
            all.errors += counts.errors;
        }
        let timestamp = overview.time.get(..19).unwrap_or_default().to_owned();
        let controller = overview.origin.controller.clone();
        let seconds = overview.seconds.unwrap_or_default();
        writeln!(
            out,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" time=\"{seconds:.3}\">",
            attribute(&overview.title),
            all.tests,
            all.failures,
            all.errors
        )?;
        let mut junit = Self {
            out,
            suites: tally.0.into_iter(),
            left: 0,
            open: false,
            timestamp,
            controller,
        };
        own.seconds = seconds;
        junit.suite("run", &own)?;
        junit.properties(overview)?;
        for (name, problem) in &cases {
            let (out, name) = (&mut junit.out, attribute(name));
            match problem {
                None => writeln!(
                    out,
                    "    <testcase classname=\"batchssh\" name=\"{name}\" time=\"0.000\"/>"
                )?,
                Some(problem) => writeln!(
                    out,
                    "    <testcase classname=\"batchssh\" name=\"{name}\" time=\"0.000\"><error type=\"run\" message=\"{}\"/></testcase>",
                    attribute(problem)
                )?,
            }
        }
        junit.left = 0;
        Ok(junit)
    }

    fn suite(&mut self, name: &str, counts: &Counts) -> io::Result<()> {
        self.close()?;
        self.open = true;
        self.left = counts.tests;
        writeln!(
            self.out,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{:.3}\" timestamp=\"{}\" hostname=\"{}\">",
            attribute(name),
            counts.tests,
            counts.failures,
            counts.errors,
            counts.skipped,
            counts.seconds,
            attribute(&self.timestamp),
            attribute(&self.controller)
        )
    }

    fn close(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.open) {
            writeln!(self.out, "  </testsuite>")?;
        }
        Ok(())
    }

    fn properties(&mut self, overview: &Overview) -> io::Result<()> {
        let code = overview.exit_code.map(|code| code.to_string()).unwrap_or_default();
        writeln!(self.out, "    <properties>")?;
        for (name, value) in [
            ("run", overview.run.as_str()),
            ("command", overview.command_line.as_str()),
            ("folder", overview.folder.as_str()),
            ("user", overview.origin.user.as_str()),
            ("exit_code", code.as_str()),
        ] {
            writeln!(
                self.out,
                "      <property name=\"{name}\" value=\"{}\"/>",
                attribute(value)
            )?;
        }
        writeln!(self.out, "    </properties>")
    }

    /// Writes one result. They come in the order in which they were counted.
    pub fn add(&mut self, done: &Done) -> io::Result<()> {
        if self.left == 0
            && let Some((play, counts)) = self.suites.next()
        {
            let name = if play.is_empty() { "tasks" } else { &*play };
            self.suite(name, &counts)?;
        }
        self.left = self.left.saturating_sub(1);
        let report = &done.report;
        write!(
            self.out,
            "    <testcase classname=\"{}\" name=\"{}\" time=\"{:.3}\"",
            attribute(report.host.as_str()),
            attribute(&task_name(report)),
            report.seconds
        )?;
        let (element, kind) = match Verdict::of(done) {
            Verdict::Passed if !report.status.is_good() => {
                let said = format!("{}: {}", done.verdict(), done.reason());
                return writeln!(self.out, "><system-out>{}</system-out></testcase>", attribute(&said));
            }
            Verdict::Passed => return writeln!(self.out, "/>"),
            Verdict::Skipped => return writeln!(self.out, "><skipped/></testcase>"),
            Verdict::Failure => ("failure", report.status.as_str()),
            Verdict::Error if report.refused.is_some() => ("error", "refused"),
            Verdict::Error => ("error", report.status.as_str()),
        };
        writeln!(
            self.out,
            "><{element} type=\"{kind}\" message=\"{}\">{}</{element}></testcase>",
            attribute(&done.reason()),
            body(done)
        )
    }

    /// Ends the file.
    pub fn end(mut self) -> io::Result<W> {
        self.close()?;
        writeln!(self.out, "</testsuites>")?;
        self.out.flush()?;
        Ok(self.out)
    }
}

/// The cases of the run itself, each with what is wrong.
fn of_run(overview: &Overview, damage: Option<&str>) -> Vec<(String, Option<String>)> {
    let end = match (overview.state, &overview.stopped_by) {
        (State::Killed, _) => Some("the run was killed".to_owned()),
        (State::Unreadable, _) => Some("how the run ended cannot be read".to_owned()),
        (State::Running, _) => Some("the run still goes on".to_owned()),
        (State::Ended, Some(by)) => Some(format!("the run was stopped by {by}")),
        (State::Ended, None) => None,
    };
    let mut cases = vec![
        ("the run came to its end".to_owned(), end),
        ("the journal can be read".to_owned(), damage.map(str::to_owned)),
    ];
    for host in overview.hosts.iter().filter(|host| host.status.is_none()) {
        cases.push((format!("{} was done", host.host), Some("not done".to_owned())));
    }
    cases
}

/// What is said about a failure: where, the commands, the output.
fn body(done: &Done) -> String {
    let report = &done.report;
    let mut out = String::new();
    if !report.path.is_empty() {
        put!(out, "{}\n", report.path);
    }
    for command in &report.did.commands {
        put!(out, "$ {command}\n");
    }
    out.push_str(&done.said());
    let mut lines: Vec<String> = text::lines(&out)
        .take(MOST_LINES + 1)
        .map(|line| escape(&line))
        .collect();
    if lines.len() > MOST_LINES {
        lines.pop();
        lines.push("…".to_owned());
    }
    lines.join("\n")
}

/// Text as the value of an attribute, in one line.
fn attribute(said: &str) -> String {
    escape(&text::one_line(said))
}

/// Text in markup. What XML has no way to write is shown as an escape; control characters were made so before.
fn escape(said: &str) -> String {
    let mut out = String::with_capacity(said.len() + 8);
    for c in said.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, EventKind, TaskReport};
    use crate::report::past::overview::Observer;
    use crate::report::past::{Past, Wanted};
    use crate::report::testing::{bad, command, done, finished, play, report, result, started};

    fn junit(events: Vec<EventKind>, damage: Option<&str>) -> String {
        let mut observer = Observer::new(Wanted::all(), false);
        let (mut past, mut all, mut tally) = (Past::default(), Vec::new(), Tally::default());
        for (seq, kind) in (1..).zip(events) {
            let time = "2026-11-21T04:51:00.000Z".to_owned();
            let event = Event { kind, seq, time };
            observer.observe(&event);
            all.extend(past.observe(&event));
        }
        all.extend(past.unfinished());
        for done in &all {
            tally.add(done);
        }
        let mut junit = Junit::begin(Vec::new(), &observer.finish(State::Killed), damage, tally).unwrap();
        for done in &all {
            junit.add(done).unwrap();
        }
        String::from_utf8(junit.end().unwrap()).unwrap()
    }

    #[test]
    fn a_task_on_a_host_is_a_case_of_its_play_and_the_numbers_are_those_of_the_cases() {
        let refused = TaskReport {
            refused: Some(crate::event::Refusal::Guard),
            ..bad("d", "format", Status::Failed, "the disks changed")
        };
        let text = junit(
            vec![
                started("site.yml", &["a", "b", "c", "d"], false),
                play("storage", &["a", "b", "c", "d"]),
                result(report("a", "format", Status::Changed)),
                result(command("b", Status::Failed, 1, "", "no space <left>\u{1b}[0m")),
                result(bad("c", "format", Status::Unreachable, "gone")),
                result(refused),
                result(report("a", "skipped", Status::Skipped)),
                done("a", Status::Changed, ""),
                done("b", Status::Failed, "x"),
                done("c", Status::Unreachable, "x"),
                done("d", Status::Failed, "x"),
                finished(),
            ],
            None,
        );
        assert!(
            text.contains("<testsuite name=\"storage\" tests=\"5\" failures=\"1\" errors=\"2\" skipped=\"1\" "),
            "{text}"
        );
        assert!(
            text.contains("<testcase classname=\"a\" name=\"format\" time=\"0.500\"/>"),
            "{text}"
        );
        assert!(
            text.contains("<failure type=\"failed\" message=\"rc=1: no space &lt;left&gt;\\u{1b}[0m\">"),
            "{text}"
        );
        assert!(text.contains("<error type=\"unreachable\" message=\"gone\">"), "{text}");
        assert!(
            text.contains("<error type=\"refused\" message=\"the disks changed\">"),
            "{text}"
        );
        assert!(
            text.contains("<testsuites name=\"site.yml\" tests=\"7\" failures=\"1\" errors=\"2\" "),
            "{text}"
        );
    }

    #[test]
    fn a_run_that_did_not_end_is_not_green() {
        let events = vec![started("x", &["a", "b"], false), done("a", Status::Ok, "")];
        let text = junit(events.clone(), None);
        assert!(text.contains("message=\"the run was killed\""), "{text}");
        assert!(text.contains("name=\"b was done\""), "{text}");
        let text = junit(events, Some("journal.ndjson:7: not a line of a journal"));
        assert!(text.contains("errors=\"3\""), "{text}");
    }

    #[test]
    fn what_xml_cannot_write_is_shown_as_an_escape() {
        assert_eq!(escape("a\u{ffff}<&\">"), "a\\u{ffff}&lt;&amp;&quot;&gt;");
        assert_eq!(attribute("\u{0}\n"), "\\u{0}\\n");
    }
}
