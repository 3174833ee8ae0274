//! `--output ansible`: line for line the look of Ansible's default callback, because people and scripts read it.

use std::collections::HashMap;
use std::io::{self, Write};

use super::terminal::{Colour, Terminal};
use super::{Sink, canary, diff, fold, json, minimal, preflight, text, words};
use crate::event::summary::RunSummary;
use crate::event::{Control, Event, EventKind, HostRecap, Severity, Status, TaskReport};

/// Columns Ansible's banners fill where the width is not known; wider terminals have wider banners.
const BANNER: usize = 79;
/// The fewest stars of a banner.
const LEAST_STARS: usize = 3;

/// Ansible's look.
pub struct Ansible {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    term: Terminal,
    verbosity: u8,
    summary: RunSummary,
    adhoc: bool,
    started: bool,
    /// Where the last heading stands for: `file:line`, or the name where that is not known.
    banner: String,
    headings: HashMap<String, (String, bool)>,
}

impl Ansible {
    /// Results go to `out`, warnings and errors to `err`. `verbosity` counts the `-v`.
    pub fn new(out: Box<dyn Write + Send>, err: Box<dyn Write + Send>, term: Terminal, verbosity: u8) -> Self {
        Self {
            out,
            err,
            term,
            verbosity,
            summary: RunSummary::default(),
            adhoc: false,
            started: false,
            banner: String::new(),
            headings: HashMap::new(),
        }
    }

    fn heading(&self, out: &mut String, words: &str) {
        let columns = if self.term.is_tty {
            BANNER.max(self.term.width.saturating_sub(1))
        } else {
            BANNER
        };
        let stars = columns.saturating_sub(text::width(words)).max(LEAST_STARS);
        put!(out, "\n{words} {}\n", "*".repeat(stars));
    }

    fn line(&self, out: &mut String, colour: Colour, line: &str) {
        out.push_str(&self.term.paint(colour, line));
        out.push('\n');
    }

    fn task_banner(&mut self, out: &mut String, task: &str, path: &str, handler: bool) {
        let what = if handler { "RUNNING HANDLER" } else { "TASK" };
        self.heading(out, &format!("{what} [{}]", text::one_line(task.trim())));
        if self.verbosity >= 2 && !path.is_empty() {
            self.line(out, Colour::DarkGray, &format!("task path: {}", text::one_line(path)));
        }
        key(task, path).clone_into(&mut self.banner);
    }

    /// Under the strategy `free` results come out of order; each needs its heading above it.
    fn banner_of(&mut self, out: &mut String, report: &TaskReport) {
        let key = key(&report.task, &report.path);
        if self.banner == key {
            return;
        }
        let (task, handler) = self
            .headings
            .get(key)
            .cloned()
            .unwrap_or_else(|| (report.task.clone(), false));
        self.task_banner(out, &task, &report.path, handler);
    }

    fn result(&mut self, out: &mut String, report: &TaskReport, item: bool) {
        self.banner_of(out, report);
        let status = report.status;
        if status == Status::Changed || !report.diff.is_empty() {
            out.push_str(&diff::paint(&report.diff, &self.term));
            if !report.diff.is_empty() {
                out.push('\n');
            }
        }
        // The items of a loop told the story already. Only "nothing was done" has a line of its own.
        if !report.looped || item || matches!(status, Status::Skipped | Status::Unreachable | Status::InDoubt) {
            let line = self.result_line(report, item);
            self.line(out, colour(status), &line);
        }
        if report.ignored && !item && !status.is_good() {
            self.line(out, Colour::Cyan, "...ignoring");
        }
    }

    fn result_line(&self, report: &TaskReport, item: bool) -> String {
        let label = match &report.delegated_to {
            Some(other) => format!("[{} -> {}]", report.host, text::one_line(other)),
            None => format!("[{}]", report.host),
        };
        let shown_item = words::item(report).filter(|_| item).unwrap_or_default();
        let values = || {
            let indent = (report.verbose || self.verbosity > 2).then_some(4);
            json::dump(&words::values(report), indent)
        };
        let shown = |word: &str| {
            let mut line = format!("{word}: {label}");
            if item {
                put!(line, " => (item={shown_item})");
                if word == "skipping" {
                    line.push(' ');
                }
            }
            if self.verbosity > 0 || report.verbose {
                put!(line, " => {}", values());
            }
            line
        };
        let word = match report.status {
            Status::Ok => return shown("ok"),
            Status::Changed => return shown("changed"),
            Status::Skipped => return shown("skipping"),
            _ if item => return format!("failed: {label} (item={shown_item}) => {}", values()),
            Status::Unreachable => "UNREACHABLE!",
            Status::InDoubt => "IN DOUBT!",
            Status::Failed | Status::TimedOut => "FAILED!",
        };
        format!("fatal: {label}: {word} => {}", values())
    }

    fn recap(&self, out: &mut String) {
        self.heading(out, "PLAY RECAP");
        let mut hosts = self.summary.recap();
        hosts.sort_by(|a, b| a.host.cmp(&b.host));
        // Ansible lists the hosts that had a result; one that was never begun is in the retry file.
        hosts.retain(has_result);
        for host in &hosts {
            out.push_str(&self.recap_line(host));
        }
        out.push('\n');
    }

    fn recap_line(&self, host: &HostRecap) -> String {
        let name_colour = if host.failed + host.unreachable + host.in_doubt > 0 {
            Colour::Red
        } else if host.changed > 0 {
            Colour::Yellow
        } else {
            Colour::Green
        };
        let name = text::one_line(&host.host);
        // The padding is outside the colour, so that both looks line up.
        let padding = " ".repeat(26usize.saturating_sub(text::width(&name)));
        let mut line = format!("{}{padding} :", self.term.paint(name_colour, &name));
        let mut counts = vec![
            ("ok", host.ok, Colour::Green),
            ("changed", host.changed, Colour::Yellow),
            ("unreachable", host.unreachable, Colour::BrightRed),
            ("failed", host.failed, Colour::Red),
            ("skipped", host.skipped, Colour::Cyan),
            ("rescued", host.rescued, Colour::Green),
            ("ignored", host.ignored, Colour::BrightPurple),
        ];
        if host.restored > 0 {
            counts.push(("restored", host.restored, Colour::Cyan));
        }
        if host.in_doubt > 0 {
            // One word of letters, as readers of this line expect.
            counts.push(("indoubt", host.in_doubt, Colour::BrightRed));
        }
        for (key, number, colour) in counts {
            let field = format!("{key}={number:<4}");
            let colour = if number > 0 { colour } else { Colour::None };
            line.push(' ');
            line.push_str(&self.term.paint(colour, &field));
        }
        line.push('\n');
        line
    }

    /// The lines for standard output and for standard error.
    fn tell(&mut self, event: &Event) -> (String, String) {
        let (mut out, mut err) = (String::new(), String::new());
        self.summary.observe(&event.kind);
        match &event.kind {
            EventKind::RunStarted { adhoc, .. } => {
                self.adhoc = *adhoc;
                self.started = true;
            }
            EventKind::PlayStarted { play, .. } if !self.adhoc => {
                self.heading(&mut out, &format!("PLAY [{}]", text::one_line(play.trim())));
                self.banner.clear();
            }
            EventKind::PreflightStarted { play, .. } => {
                self.heading(&mut out, &format!("PRE-FLIGHT [{}]", text::one_line(play.trim())));
                self.banner.clear();
            }
            EventKind::PreflightVerdict(verdict) => {
                let heading = format!("CHECK [{}]", text::one_line(verdict.check.trim()));
                self.verdict(&mut out, &heading, preflight::lines(verdict));
            }
            EventKind::CanaryVerdict(verdict) => {
                let heading = format!("CANARY [{}]", text::one_line(verdict.play.trim()));
                self.verdict(&mut out, &heading, canary::lines(verdict));
            }
            EventKind::PlaySkipped { play } if !self.adhoc => {
                self.heading(&mut out, &format!("PLAY [{}]", text::one_line(play.trim())));
                self.line(&mut out, Colour::Cyan, "skipping: no hosts matched");
            }
            EventKind::TaskStarted { task, path, handler } if !self.adhoc => {
                self.headings
                    .insert(key(task, path).to_owned(), (task.clone(), *handler));
                self.task_banner(&mut out, task, path, *handler);
            }
            EventKind::TaskRetrying {
                host,
                task,
                retries_left,
            } => {
                let task = text::one_line(task);
                let line = format!("FAILED - RETRYING: [{host}]: {task} ({retries_left} retries left).");
                self.line(&mut out, Colour::DarkGray, &line);
            }
            EventKind::ItemResult(report) | EventKind::TaskResult(report) => {
                for warning in &report.warnings {
                    let line = format!("[WARNING]: {}", text::one_line(warning));
                    self.line(&mut err, Colour::BrightPurple, &line);
                }
                let item = matches!(event.kind, EventKind::ItemResult(_));
                if self.adhoc {
                    minimal::result(&mut out, report, &self.term, self.verbosity);
                } else {
                    self.result(&mut out, report, item);
                }
            }
            EventKind::Included { file, hosts } => {
                let hosts: Vec<&str> = hosts.iter().map(crate::names::HostName::as_str).collect();
                let line = format!("included: {} for {}", text::one_line(file), hosts.join(", "));
                self.line(&mut out, Colour::Cyan, &line);
            }
            EventKind::TaskRestored { hosts, .. } => {
                let hosts = fold::fold(hosts.iter().map(crate::names::HostName::as_str));
                self.line(&mut out, Colour::Cyan, &format!("restored: [{hosts}]"));
            }
            EventKind::Message { severity, text } => self.message(&mut err, *severity, text),
            EventKind::Controlled { change, by } if *change != Control::Draining => {
                let line = format!("[{}] {}", text::one_line(by), text::one_line(&change.words()));
                self.line(&mut err, Colour::BrightPurple, &line);
            }
            EventKind::DuplicatesFound(found) => {
                self.message(&mut err, Severity::Warning, &words::duplicates(found));
            }
            EventKind::RunCancelled { reason } => {
                let line = format!("[ERROR]: stopped by {}", text::one_line(reason));
                self.line(&mut err, Colour::Red, &line);
            }
            EventKind::HostConnected { host, seconds, .. } if self.verbosity >= 3 => {
                let line = format!("<{host}> connected in {}", text::seconds(*seconds));
                self.line(&mut out, Colour::Blue, &line);
            }
            // That it drains is told as the end of the run.
            EventKind::Controlled { .. }
            | EventKind::PolicyChecked { .. }
            | EventKind::PlayStarted { .. }
            | EventKind::PlaySkipped { .. }
            | EventKind::PreflightAnswer(_)
            | EventKind::CanaryAnswer(_)
            | EventKind::CanaryDecided { .. }
            | EventKind::WaveStarted { .. }
            | EventKind::PlaybookRead { .. }
            | EventKind::TaskStarted { .. }
            | EventKind::HostStarted { .. }
            | EventKind::TaskActing { .. }
            | EventKind::HostConnected { .. }
            | EventKind::HostDone { .. }
            | EventKind::RunFinished { .. } => {}
        }
        (out, err)
    }

    fn verdict(&mut self, out: &mut String, heading: &str, lines: Vec<preflight::Line>) {
        self.heading(out, heading);
        self.banner.clear();
        for line in lines {
            let indent = match line.kind {
                preflight::Kind::Head => "",
                preflight::Kind::Detail => "    ",
                preflight::Kind::Quote => "    | ",
            };
            self.line(out, line.colour, &format!("{indent}{}", line.text));
        }
    }

    fn message(&self, err: &mut String, severity: Severity, message: &str) {
        let (colour, head) = match severity {
            Severity::Debug if self.verbosity == 0 => return,
            Severity::Debug => (Colour::DarkGray, ""),
            Severity::Info => (Colour::None, ""),
            Severity::Warning => (Colour::BrightPurple, "[WARNING]: "),
            Severity::Error => (Colour::Red, "[ERROR]: "),
        };
        let shown: Vec<String> = text::lines(message).collect();
        self.line(err, colour, &format!("{head}{}", shown.join("\n")));
    }
}

fn has_result(host: &HostRecap) -> bool {
    let counts = [
        host.ok,
        host.unreachable,
        host.failed,
        host.skipped,
        host.rescued,
        host.ignored,
        host.in_doubt,
        host.restored,
    ];
    counts.iter().any(|count| *count > 0)
}

fn key<'a>(task: &'a str, path: &'a str) -> &'a str {
    if path.is_empty() { task } else { path }
}

fn colour(status: Status) -> Colour {
    match status {
        Status::Ok => Colour::Green,
        Status::Changed => Colour::Yellow,
        Status::Skipped => Colour::Cyan,
        Status::Failed | Status::TimedOut => Colour::Red,
        Status::Unreachable | Status::InDoubt => Colour::BrightRed,
    }
}

impl Sink for Ansible {
    fn name(&self) -> &'static str {
        "standard output"
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        let (out, err) = self.tell(event);
        if !err.is_empty() {
            // A closed standard error must not cost the results.
            let _ = self.err.write_all(err.as_bytes()).and_then(|()| self.err.flush());
        }
        if !out.is_empty() {
            self.out.write_all(out.as_bytes())?;
            self.out.flush()?;
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        if self.adhoc || !self.started {
            return Ok(());
        }
        let mut out = String::new();
        self.recap(&mut out);
        self.out.write_all(out.as_bytes())?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::event::Diff;
    use crate::report::testing::{
        Paper, bad, command, done, feed, item, names, play, report, result, started, task, warning,
    };

    fn shown(verbosity: u8, term: Terminal, events: Vec<EventKind>) -> (String, String) {
        let (out, err) = (Paper::default(), Paper::default());
        feed(&mut Ansible::new(out.writer(), err.writer(), term, verbosity), events);
        (out.text(), err.text())
    }

    fn stars(heading: &str) -> String {
        format!("{heading} {}", "*".repeat(79 - heading.len()))
    }

    #[test]
    fn a_run_looks_as_ansible_shows_it() {
        let mut debug = report("web1", "nginx : say hi", Status::Ok);
        debug.module = "debug".to_owned();
        debug.verbose = true;
        debug.result = json!({"msg": "hi \u{1b}[2J", "changed": false});
        let mut delegated = report("web1", "copy", Status::Changed);
        delegated.delegated_to = Some("db1".to_owned());
        delegated.diff = vec![Diff::Text {
            before_header: "/etc/motd".to_owned(),
            after_header: "/etc/motd".to_owned(),
            before: "a\n".to_owned(),
            after: "b\n".to_owned(),
        }];
        let mut ignored = command("web1", Status::Failed, 3, "", "no\n");
        ignored.ignored = true;
        let (out, err) = shown(
            0,
            Terminal::plain(),
            vec![
                started("site.yml", &["web1", "web2"], false),
                play("common", &["web1", "web2"]),
                task("nginx : say hi"),
                result(debug),
                task("copy"),
                result(delegated),
                result(bad("web2", "copy", Status::Unreachable, "connect timeout")),
                EventKind::TaskRetrying {
                    host: "web1".into(),
                    task: "wait".to_owned(),
                    retries_left: 3,
                },
                task("command"),
                result(ignored),
                EventKind::Included {
                    file: "/p/more.yml".to_owned(),
                    hosts: names(&["web1", "web2"]),
                },
                warning("mind\u{7} the gap"),
                EventKind::PlaySkipped {
                    play: "none".to_owned(),
                },
            ],
        );
        let expected = [
            "",
            &stars("PLAY [common]"),
            "",
            &stars("TASK [nginx : say hi]"),
            "ok: [web1] => {",
            "    \"msg\": \"hi \\u001b[2J\"",
            "}",
            "",
            &stars("TASK [copy]"),
            "--- before: /etc/motd",
            "+++ after: /etc/motd",
            "@@ -1 +1 @@",
            "-a",
            "+b",
            "",
            "changed: [web1 -> db1]",
            "fatal: [web2]: UNREACHABLE! => {\"changed\": false, \"msg\": \"connect timeout\", \"unreachable\": true}",
            "FAILED - RETRYING: [web1]: wait (3 retries left).",
            "",
            &stars("TASK [command]"),
            "fatal: [web1]: FAILED! => {\"changed\": false, \"msg\": \"non-zero return code\", \"rc\": 3, \"stderr\": \"no\\n\", \
             \"stderr_lines\": [\"no\"], \"stdout\": \"\", \"stdout_lines\": []}",
            "...ignoring",
            "included: /p/more.yml for web1, web2",
            "",
            &stars("PLAY [none]"),
            "skipping: no hosts matched",
            "",
            &stars("PLAY RECAP"),
            "web1                       : ok=4    changed=1    unreachable=0    failed=0    skipped=0    rescued=0    ignored=1   ",
            "web2                       : ok=1    changed=0    unreachable=1    failed=0    skipped=0    rescued=0    ignored=0   ",
            "",
            "",
        ];
        assert_eq!(out, expected.join("\n"));
        assert_eq!(err, "[WARNING]: mind\\u{7} the gap\n");
    }

    #[test]
    fn loops_show_their_items_and_the_whole_only_when_nothing_was_done() {
        let looped = |status| {
            let mut whole = bad("h", "t", status, "One or more items failed");
            whole.looped = true;
            result(whole)
        };
        let (out, _) = shown(
            0,
            Terminal::plain(),
            vec![
                task("t"),
                item("a", report("h", "t", Status::Changed)),
                item("b", bad("h", "t", Status::Failed, "no")),
                looped(Status::Failed),
                task("u"),
                item("a", report("h", "u", Status::Skipped)),
                looped(Status::Skipped),
            ],
        );
        let lines: Vec<&str> = out.lines().filter(|l| !l.is_empty() && !l.contains("***")).collect();
        assert_eq!(
            lines,
            [
                "changed: [h] => (item=a)",
                "failed: [h] (item=b) => {\"changed\": false, \"item\": \"b\", \"msg\": \"no\"}",
                "skipping: [h] => (item=a) ",
                "skipping: [h]",
            ]
        );
    }

    #[test]
    fn results_out_of_order_get_their_heading_again() {
        let at = |path: &str, name: &str| {
            let mut report = report("h", name, Status::Ok);
            report.path = path.to_owned();
            result(report)
        };
        let start = |path: &str, name: &str, handler| EventKind::TaskStarted {
            task: name.to_owned(),
            path: path.to_owned(),
            handler,
        };
        let (out, _) = shown(
            0,
            Terminal::plain(),
            vec![
                start("s:1", "one", false),
                start("s:2", "restart", true),
                at("s:2", "restart x"),
                at("s:1", "one"),
                at("s:2", "restart"),
            ],
        );
        let heads: Vec<&str> = out
            .lines()
            .filter_map(|l| l.split(" *").next())
            .filter(|l| !l.is_empty())
            .collect();
        assert_eq!(
            heads,
            [
                "TASK [one]",
                "RUNNING HANDLER [restart]",
                "ok: [h]",
                "TASK [one]",
                "ok: [h]",
                "RUNNING HANDLER [restart]",
                "ok: [h]"
            ]
        );
    }

    #[test]
    fn timed_out_is_a_failure_and_doubt_has_its_own_word_and_count() {
        let (out, _) = shown(
            0,
            Terminal::plain(),
            vec![
                started("s", &["a", "b"], false),
                task("t"),
                result(bad("b", "t", Status::TimedOut, "task timeout")),
                result(bad("a", "t", Status::InDoubt, "connection lost")),
                done("c", Status::Failed, "never begun"),
            ],
        );
        assert!(out.contains("fatal: [b]: FAILED! => {\"changed\": false, \"msg\": \"task timeout\"}\n"));
        assert!(out.contains("fatal: [a]: IN DOUBT! => "));
        assert!(out.contains("ignored=0    indoubt=1   \n"));
        assert!(out.find("\na  ") < out.find("\nb  ") && !out.contains("\nc "));
    }

    #[test]
    fn colours_and_verbosity_are_ansibles() {
        let term = Terminal {
            colour: true,
            ..Terminal::plain()
        };
        let events = || {
            vec![
                started("s", &["a"], false),
                task("t"),
                result(report("a", "t", Status::Changed)),
            ]
        };
        let (out, _) = shown(0, term, events());
        assert!(out.contains("\x1b[0;33mchanged: [a]\x1b[0m\n"));
        assert!(out.contains("\x1b[0;33ma\x1b[0m                          : \x1b[0;32mok=1   \x1b[0m"));
        let (out, _) = shown(1, Terminal::plain(), events());
        assert!(out.contains("changed: [a] => {\"changed\": true}\n"));
    }
}
