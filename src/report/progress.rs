//! The line at the bottom of the terminal: how far the run is, how fast it goes, and who is slow right now.
//!
//! It is drawn on standard error, and only when that is a terminal whose cursor can be moved. Whatever else writes to
//! the same terminal does so through [`Screen`], which takes the line away while text is written.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use indexmap::IndexMap;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::terminal::{Colour, Terminal, columns};
use super::{Sink, text, words};
use crate::event::{Event, EventKind, Status};
use crate::names::{HostName, show_duration};

/// Hosts that have been at work for less are not called slow.
const SLOW: Duration = Duration::from_secs(3);
/// How many slow hosts are named.
const SLOW_SHOWN: usize = 4;
/// Columns of the bar itself.
const BAR: usize = 24;
/// Drawings a second, at most.
const HERTZ: u8 = 10;

/// The sink that draws the line.
pub struct Progress {
    bar: Option<ProgressBar>,
    term: Terminal,
    state: State,
}

/// Lets other outputs write to the terminal that the line is on.
#[derive(Clone)]
pub struct Screen(Option<ProgressBar>);

impl Screen {
    /// A stream that takes the progress line away while it writes. Feed it whole lines.
    pub fn over(&self, inner: Box<dyn Write + Send>) -> Box<dyn Write + Send> {
        match &self.0 {
            Some(bar) => Box::new(Over {
                bar: bar.clone(),
                inner,
            }),
            None => inner,
        }
    }
}

impl Screen {
    /// Does something at the terminal with the progress line out of the way.
    pub fn aside<T>(&self, what: impl FnOnce() -> T) -> T {
        match &self.0 {
            Some(bar) => bar.suspend(what),
            None => what(),
        }
    }
}

struct Over {
    bar: ProgressBar,
    inner: Box<dyn Write + Send>,
}

impl Write for Over {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // All of it, and out of the buffer, before the line comes back.
        self.bar.suspend(|| {
            self.inner.write_all(bytes)?;
            self.inner.flush()
        })?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Progress {
    /// `term` is what standard error can show. Where it cannot move the cursor, nothing is ever drawn.
    pub fn new(term: Terminal) -> Self {
        let bar = term.cursor.then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(HERTZ));
            bar.set_style(ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar
        });
        Self {
            bar,
            term,
            state: State::new(Instant::now()),
        }
    }

    /// The way other outputs write to this terminal.
    pub fn screen(&self) -> Screen {
        Screen(self.bar.clone())
    }

    fn draw(&self) {
        if let Some(bar) = &self.bar {
            let width = columns(io::stderr()).unwrap_or(self.term.width);
            bar.set_message(self.state.lines(Instant::now(), width, &self.term).join("\n"));
            bar.tick();
        }
    }
}

impl Sink for Progress {
    fn name(&self) -> &'static str {
        "the progress line"
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        if self.bar.is_some() {
            self.state.observe(&event.kind, Instant::now());
        }
        Ok(())
    }

    fn tick(&mut self) -> io::Result<()> {
        self.draw();
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        Ok(())
    }
}

/// What the line is made of.
struct State {
    begun: Instant,
    hosts: usize,
    /// Hosts through with everything, and how.
    done: usize,
    succeeded: usize,
    failed: usize,
    unreachable: usize,
    in_doubt: usize,
    adhoc: bool,
    play_hosts: usize,
    task: String,
    task_begun: Instant,
    task_done: usize,
    running: IndexMap<HostName, (Instant, String)>,
    stopping: bool,
}

impl State {
    fn new(now: Instant) -> Self {
        Self {
            begun: now,
            hosts: 0,
            done: 0,
            succeeded: 0,
            failed: 0,
            unreachable: 0,
            in_doubt: 0,
            adhoc: false,
            play_hosts: 0,
            task: String::new(),
            task_begun: now,
            task_done: 0,
            running: IndexMap::new(),
            stopping: false,
        }
    }

    fn observe(&mut self, kind: &EventKind, now: Instant) {
        match kind {
            EventKind::RunStarted { hosts, adhoc, .. } => {
                (self.hosts, self.play_hosts, self.adhoc, self.begun) = (hosts.len(), hosts.len(), *adhoc, now);
            }
            EventKind::PlayStarted { hosts, .. } => self.play_hosts = hosts.len(),
            EventKind::PreflightStarted { hosts, .. } => {
                (self.play_hosts, self.task_begun, self.task_done) = (hosts.len(), now, 0);
                "pre-flight".clone_into(&mut self.task);
            }
            EventKind::PreflightAnswer(answer) => {
                // The answers of a host come together.
                self.task_done += usize::from(self.running.swap_remove(&answer.host).is_some());
            }
            EventKind::TaskStarted { task, .. } => {
                (self.task_begun, self.task_done) = (now, 0);
                self.task = text::one_line(task);
            }
            EventKind::HostStarted { host, task } => {
                self.running.insert(host.clone(), (now, text::one_line(task)));
            }
            EventKind::TaskResult(report) => {
                self.running.swap_remove(&report.host);
                self.task_done += 1;
            }
            EventKind::HostDone { host, status, .. } => {
                self.running.swap_remove(host);
                self.done += 1;
                match status {
                    Status::Unreachable => self.unreachable += 1,
                    Status::InDoubt => self.in_doubt += 1,
                    Status::Failed | Status::TimedOut => self.failed += 1,
                    Status::Skipped | Status::Ok | Status::Changed => self.succeeded += 1,
                }
            }
            EventKind::RunCancelled { .. } => self.stopping = true,
            _ => {}
        }
    }

    /// Done, of how many, since when. While no host is through, one task is the measure; then the hosts are.
    fn measure(&self) -> (usize, usize, Instant) {
        if self.adhoc || self.succeeded > 0 || self.task.is_empty() {
            return (self.done.min(self.hosts), self.hosts, self.begun);
        }
        let out = self.done - self.succeeded;
        let of = self.play_hosts.saturating_sub(out).max(self.task_done);
        (self.task_done, of, self.task_begun)
    }

    fn lines(&self, now: Instant, width: usize, term: &Terminal) -> Vec<String> {
        if self.hosts == 0 {
            return Vec::new();
        }
        let (done, of, since) = self.measure();
        let mut parts = vec![(Colour::None, format!("{}/{}", text::count(done), text::count(of)))];
        for (number, status) in [
            (self.failed, Status::Failed),
            (self.unreachable, Status::Unreachable),
            (self.in_doubt, Status::InDoubt),
        ] {
            if number > 0 {
                parts.push((Colour::Red, format!("{} {}", text::count(number), words::word(status))));
            }
        }
        if !self.running.is_empty() {
            parts.push((Colour::None, format!("{} running", text::count(self.running.len()))));
        }
        parts.extend(speed(done, of, now.saturating_duration_since(since)));
        if self.stopping {
            parts.push((Colour::Yellow, "stopping, running tasks end first".to_owned()));
        }
        if !self.adhoc && !self.task.is_empty() {
            parts.push((Colour::Dim, self.task.clone()));
        }
        let mut out = vec![first_line(&parts, done, of, width, term)];
        out.extend(self.slow_line(now, width, term));
        out
    }

    fn slow_line(&self, now: Instant, width: usize, term: &Terminal) -> Option<String> {
        let mut slow: Vec<_> = self
            .running
            .iter()
            .map(|(host, (since, task))| (now.saturating_duration_since(*since), host, task))
            .filter(|(time, ..)| *time >= SLOW)
            .collect();
        slow.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
        slow.truncate(SLOW_SHOWN);
        let texts: Vec<String> = slow
            .iter()
            .map(|(time, host, task)| {
                let time = show_duration(Duration::from_secs(time.as_secs()));
                // The task is worth its place only where hosts can be at different ones.
                let at = if self.adhoc || **task == self.task {
                    String::new()
                } else {
                    format!(" at {task}")
                };
                format!("{host} {time}{at}")
            })
            .collect();
        if texts.is_empty() {
            return None;
        }
        let line = format!("slowest: {}", texts.join(term.pick(" · ", ", ")));
        let line = text::fit(&line, width.saturating_sub(1), term.pick("…", "~"));
        Some(term.paint(Colour::Dim, &line))
    }
}

fn first_line(parts: &[(Colour, String)], done: usize, of: usize, width: usize, term: &Terminal) -> String {
    // One column stays free: some terminals wrap when the last one is written.
    let mut room = width.saturating_sub(1);
    let mut line = String::new();
    if room > 2 * BAR {
        line.push_str(&bar(done, of, term));
        room = room.saturating_sub(BAR);
    }
    let mut used = 0;
    for (colour, part) in parts {
        let gap = if line.is_empty() { 0 } else { 2 };
        if used + gap + 4 > room {
            break;
        }
        let part = text::fit(part, room - used - gap, term.pick("…", "~"));
        line.push_str(&" ".repeat(gap));
        line.push_str(&term.paint(*colour, &part));
        used += gap + text::width(&part);
    }
    line
}

fn bar(done: usize, of: usize, term: &Terminal) -> String {
    let full = (done * BAR).checked_div(of).unwrap_or(0).min(BAR);
    let (on, off) = (term.pick("━", "#"), term.pick("─", "."));
    format!(
        "{}{}",
        term.paint(Colour::Green, &on.repeat(full)),
        term.paint(Colour::Dim, &off.repeat(BAR - full))
    )
}

/// Hosts a second and time left, once there is something to tell it from.
#[expect(clippy::cast_precision_loss, reason = "counts of hosts are far below 2^52")]
fn speed(done: usize, of: usize, elapsed: Duration) -> Vec<(Colour, String)> {
    let seconds = elapsed.as_secs_f64();
    let mut parts = Vec::new();
    if done > 0 && seconds >= 1.0 {
        let rate = done as f64 / seconds;
        parts.push((
            Colour::None,
            if rate >= 10.0 {
                format!("{rate:.0}/s")
            } else {
                format!("{rate:.1}/s")
            },
        ));
        let left = of.saturating_sub(done) as f64 / rate;
        if let Ok(left) = Duration::try_from_secs_f64(left.round())
            && !left.is_zero()
        {
            parts.push((Colour::None, format!("{} left", show_duration(left))));
        }
    } else if seconds >= 1.0 {
        parts.push((Colour::None, show_duration(Duration::from_secs(elapsed.as_secs()))));
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::{bad, done, feed, report, result, started, task};

    const HOSTS: [&str; 4] = ["web1", "web2", "web3", "web4"];

    fn start(host: &str, task: &str) -> EventKind {
        EventKind::HostStarted {
            host: host.into(),
            task: task.to_owned(),
        }
    }

    fn shown(adhoc: bool, events: &[EventKind], after: u64, width: usize) -> Vec<String> {
        let begun = Instant::now();
        let mut state = State::new(begun);
        state.observe(&started("site.yml", &HOSTS, adhoc), begun);
        for event in events {
            state.observe(event, begun);
        }
        state.lines(begun + Duration::from_secs(after), width, &Terminal::plain())
    }

    #[test]
    fn a_play_is_measured_by_its_task_until_hosts_are_through() {
        let mut events = vec![
            task("install"),
            start("web1", "install"),
            start("web2", "install"),
            start("web3", "install"),
            result(report("web1", "install", Status::Ok)),
            result(bad("web2", "install", Status::Failed, "no")),
            done("web2", Status::Failed, "no"),
        ];
        assert_eq!(
            shown(false, &events, 2, 120),
            ["################........  2/3  1 failed  1 running  1.0/s  1s left  install"]
        );
        events.push(done("web1", Status::Ok, ""));
        assert_eq!(
            shown(false, &events, 4, 80),
            [
                "############............  2/4  1 failed  1 running  0.5/s  4s left  install",
                "slowest: web3 4s"
            ]
        );
    }

    #[test]
    fn slow_hosts_are_named_and_no_line_is_too_wide() {
        let events: Vec<EventKind> = HOSTS.iter().map(|h| start(h, "command")).collect();
        assert_eq!(
            shown(true, &events, 75, 80),
            [
                "........................  0/4  4 running  1m15s",
                "slowest: web1 1m15s, web2 1m15s, web3 1m15s, web4 1m15s"
            ]
        );
        for width in 20..100 {
            for line in shown(true, &events, 75, width) {
                assert!(text::width(&line) < width, "{line}");
            }
        }
    }

    #[test]
    fn where_the_cursor_cannot_move_nothing_is_drawn() {
        let mut progress = Progress::new(Terminal::plain());
        assert!(progress.bar.is_none() && progress.screen().0.is_none());
        feed(&mut progress, [started("s", &HOSTS, true)]);
    }
}
