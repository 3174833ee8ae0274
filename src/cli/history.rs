//! `batchssh history HOST`: what was run on a host, over all runs, the oldest first, so that what is newest stands at the end of
//! the screen. Journals are read one after the other, line by line; only lines that name the host are looked at closer.

use std::collections::VecDeque;
use std::io::{self, BufWriter, Write as _};

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use crate::cli::exit_code::ExitCode;
use crate::cli::runs::show::{cannot_write, moment, say};
use crate::cli::runs::store::{Head, Store};
use crate::cli::runs::wanted::TaskPattern;
use crate::event::{Event, EventKind, Status, TaskReport};
use crate::names::{HostName, parse_duration};
use crate::report::journal::{self, Lines};
use crate::report::past::{Done, Past, task_name};
use crate::report::results::Record;
use crate::report::text;
use crate::source::{Diagnostic, Diagnostics, nearest};

/// `batchssh history`.
#[derive(Clone, Debug, Args)]
pub struct HistoryArgs {
    /// The host's name in the inventory
    #[arg(value_name = "HOST")]
    host: String,
    /// Not what is older: `7d`, `12h`, or a moment in UTC (`2026-11-20`, `2026-11-20T16:00`)
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Only tasks with this in their name, in any case; or a shell pattern of the whole name
    #[arg(long, value_name = "PATTERN")]
    task: Option<String>,
    /// Only the newest N
    #[arg(short = 'n', long, value_name = "N")]
    last: Option<usize>,
    /// Also tasks that were skipped
    #[arg(long)]
    all: bool,
    /// One object of JSON a line
    #[arg(long)]
    json: bool,
}

/// One line of `--json`.
#[derive(Serialize)]
struct Json<'a> {
    run: &'a str,
    title: &'a str,
    user: &'a str,
    controller: &'a str,
    check: bool,
    #[serde(flatten)]
    record: Record<'a>,
}

/// What is looked for.
struct Search {
    host: HostName,
    /// The host's name as it stands in a line of a journal.
    quoted: Vec<u8>,
    since: Option<String>,
    task: Option<TaskPattern>,
    all: bool,
}

/// Where entries go: printed as they are found, or the last ones kept.
struct Out {
    json: bool,
    most: Option<usize>,
    kept: VecDeque<Vec<u8>>,
    stdout: BufWriter<io::Stdout>,
    found: usize,
    closed: bool,
}

/// Shows what was run on a host. Journals that cannot be read are named, and the exit code is 1 then.
pub fn history(args: &HistoryArgs) -> Result<ExitCode, Diagnostics> {
    let search = Search {
        host: HostName::new(args.host.as_str()),
        quoted: crate::report::json::line(&args.host).map_err(|error| cannot_write(&error))?,
        since: args.since.as_deref().map(since).transpose()?,
        task: args.task.as_deref().map(TaskPattern::new),
        all: args.all,
    };
    let store = Store::open()?;
    let mut out = Out {
        json: args.json,
        most: args.last,
        kept: VecDeque::new(),
        stdout: BufWriter::new(io::stdout()),
        found: 0,
        closed: false,
    };
    let mut mistakes = Vec::new();
    let mut runs = 0;
    let mut known = false;
    let mut names = std::collections::HashSet::new();
    for run in store.ids() {
        if out.closed {
            break;
        }
        // Ids begin with their time: a run that began later cannot hold anything older, an earlier one may.
        runs += 1;
        match one_run(&store, &run, &search, &mut out) {
            Ok(head) => {
                if let Some(head) = head {
                    known |= head.hosts.contains(&search.host);
                    if !known && names.len() < 10_000 {
                        names.extend(head.hosts);
                    }
                }
            }
            Err(mistake) => mistakes.push(mistake),
        }
    }
    for entry in std::mem::take(&mut out.kept) {
        if !say(&mut out.stdout, &entry)? {
            break;
        }
    }
    if let Err(error) = out.stdout.flush()
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        mistakes.push(cannot_write(&error));
    }
    if out.found == 0 && !known && mistakes.is_empty() {
        let host = &args.host;
        let mut mistake = Diagnostic::new(format!(
            "none of {runs} runs in {} had a host `{host}`",
            store.dir.display()
        ));
        if let Some(near) = nearest(host, names.iter().map(HostName::as_str)) {
            mistake = mistake.help(format!("did you mean `{near}`?"));
        }
        mistakes.push(mistake);
    }
    if mistakes.is_empty() {
        Ok(ExitCode::Ok)
    } else {
        Err(Diagnostics(mistakes))
    }
}

/// A moment that `--since` says, as journals write it.
fn since(said: &str) -> Result<String, Diagnostic> {
    let now = Timestamp::now();
    let moment = match parse_duration(said) {
        // A number alone would be seconds, which nobody means; it is a year.
        Ok(ago) if !said.trim().bytes().all(|byte| byte.is_ascii_digit()) => jiff::SignedDuration::try_from(ago)
            .ok()
            .and_then(|ago| now.checked_sub(ago).ok()),
        Ok(_) | Err(_) => None,
    };
    let moment = moment.or_else(|| {
        let zone = jiff::tz::TimeZone::UTC;
        let at = said.parse::<Timestamp>().ok();
        let date = || said.parse::<jiff::civil::DateTime>().ok();
        let day = || said.parse::<jiff::civil::Date>().ok().map(|day| day.at(0, 0, 0, 0));
        at.or_else(|| date().or_else(day)?.to_zoned(zone).ok().map(|zoned| zoned.timestamp()))
    });
    let moment = moment.ok_or_else(|| {
        Diagnostic::new(format!("--since `{said}` is neither a length of time nor a moment"))
            .help("examples: `7d`, `12h`, `2026-11-20`, `2026-11-20T16:00` (UTC)")
    })?;
    Ok(moment.strftime("%Y-%m-%dT%H:%M:%S").to_string())
}

/// Tells the entries of one run, and gives its head. `None`: it was killed before it had one.
fn one_run(store: &Store, run: &str, search: &Search, out: &mut Out) -> Result<Option<Head>, Diagnostic> {
    let path = store.journal(run);
    if let Some(since) = &search.since {
        // What was not written to since then has nothing to tell.
        let written = std::fs::metadata(&path).and_then(|meta| meta.modified()).ok();
        let written = written.and_then(|time| Timestamp::try_from(time).ok());
        if written.is_some_and(|time| time.strftime("%Y-%m-%dT%H:%M:%S").to_string() < *since) {
            return Ok(store.head(run).ok().flatten());
        }
    }
    let Some(head) = store.head(run)? else { return Ok(None) };
    let unreadable = |error: &io::Error| crate::cli::runs::store::unreadable(&path, error);
    let running = journal::is_open(&path).unwrap_or(false);
    let mut past = Past::default();
    let mut lines = Lines::open(&path).map_err(|error| unreadable(&error))?;
    while let Some(line) = lines.next() {
        let line = line.map_err(|error| unreadable(&error))?;
        // Nobody knows whom it was about.
        if !line.starts_with(b"{\"event\":\"") || !line.ends_with(b"}") {
            return Err(unreadable(&lines.error("it is no event")));
        }
        if !concerns(&line, &search.quoted) {
            continue;
        }
        let event: Event =
            serde_json::from_slice(&line).map_err(|error| unreadable(&lines.error(&error.to_string())))?;
        if is_of_another(&event, &search.host) {
            continue;
        }
        if let Some(done) = past.observe(&event) {
            tell(&head, &done, search, out)?;
        }
        if out.closed {
            return Ok(Some(head));
        }
    }
    if !running {
        for done in past.unfinished() {
            tell(&head, &done, search, out)?;
        }
    }
    Ok(Some(head))
}

/// Whether a line can matter: it names the host, or a play. Most lines of a large run do neither, and are not parsed.
fn concerns(line: &[u8], quoted: &[u8]) -> bool {
    const PLAYS: [&[u8]; 2] = [b"{\"event\":\"play_started\"", b"{\"event\":\"preflight_started\""];
    PLAYS.iter().any(|begin| line.starts_with(begin)) || contains(line, quoted)
}

fn contains(line: &[u8], wanted: &[u8]) -> bool {
    let Some((first, rest)) = wanted.split_first() else {
        return true;
    };
    let mut at = 0;
    while let Some(found) = line
        .get(at..)
        .and_then(|left| left.iter().position(|byte| byte == first))
    {
        let begin = at + found + 1;
        if line.get(begin..).is_some_and(|left| left.starts_with(rest)) {
            return true;
        }
        at = begin;
    }
    false
}

/// An event that names the host only in passing: what another host did, and not on this one.
fn is_of_another(event: &Event, host: &HostName) -> bool {
    let other = |report: &TaskReport| report.host != *host && report.delegated_to.as_deref() != Some(host.as_str());
    match &event.kind {
        EventKind::TaskResult(report) | EventKind::ItemResult(report) => other(report),
        EventKind::PreflightAnswer(answer) | EventKind::CanaryAnswer(answer) => answer.host != *host,
        EventKind::TaskActing { host: of, .. } | EventKind::TaskRetrying { host: of, .. } => of != host,
        _ => false,
    }
}

fn tell(head: &Head, done: &Done, search: &Search, out: &mut Out) -> Result<(), Diagnostic> {
    let report = &done.report;
    // A task that was delegated elsewhere ran there, and not here.
    let elsewhere = report
        .delegated_to
        .as_deref()
        .is_some_and(|on| on != search.host.as_str());
    let old = search.since.as_deref().is_some_and(|since| done.time.as_str() < since);
    let skipped = report.status == Status::Skipped && !search.all;
    let other = search.task.as_ref().is_some_and(|task| !task.matches(&report.task));
    if elsewhere || old || skipped || other {
        return Ok(());
    }
    out.found += 1;
    let entry = if out.json {
        let json = Json {
            run: &head.run,
            title: &head.title,
            user: &head.origin.user,
            controller: &head.origin.controller,
            check: head.check,
            record: Record::of(done),
        };
        let mut line = crate::report::json::line(&json).map_err(|error| cannot_write(&error))?;
        line.push(b'\n');
        line
    } else {
        shown(head, done, search).into_bytes()
    };
    match out.most {
        Some(most) => {
            out.kept.push_back(entry);
            if out.kept.len() > most {
                out.kept.pop_front();
            }
        }
        None => out.closed = !say(&mut out.stdout, &entry)?,
    }
    Ok(())
}

/// One entry: a line, and the commands and files below it.
fn shown(head: &Head, done: &Done, search: &Search) -> String {
    let report = &done.report;
    let check = if head.check { " (check)" } else { "" };
    let line = format!(
        "{}  {}  {}@{}  {}{check}  {}  ({})",
        moment(&done.time),
        head.run,
        head.origin.user,
        head.origin.controller,
        done.verdict(),
        task_name(report),
        head.title
    );
    let mut out = format!("{}\n", text::one_line(&line));
    let mut add = |line: &str| out += &format!("    {}\n", text::one_line(line));
    if report.host != search.host {
        add(&format!("for {}", report.host));
    }
    let whom = report
        .did
        .became
        .as_ref()
        .map(|whom| format!("  (as {whom})"))
        .unwrap_or_default();
    for command in &report.did.commands {
        add(&format!("$ {command}{whom}"));
    }
    for file in &report.did.files {
        add(&format!("> {}  {} bytes  sha256 {}", file.path, file.size, file.sha256));
    }
    let more = report.did.more_commands.saturating_add(report.did.more_files);
    if more > 0 {
        add(&format!("… {more} more commands and files"));
    }
    let reason = done.reason();
    if !reason.is_empty() {
        add(&reason);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_day_a_time_or_so_long_ago() {
        assert_eq!(since("2026-11-20").unwrap(), "2026-11-20T00:00:00");
        assert_eq!(since("2026-11-20T16:00").unwrap(), "2026-11-20T16:00:00");
        assert_eq!(since("2026-11-20T16:00:05Z").unwrap(), "2026-11-20T16:00:05");
        assert!(since("7d").unwrap() < Timestamp::now().to_string());
        assert!(since("yesterday").is_err());
        assert!(since("-3d").is_err());
    }

    #[test]
    fn a_line_is_looked_at_when_it_names_the_host() {
        let quoted = b"\"web1\"";
        assert!(concerns(br#"{"event":"task_result","host":"web1"}"#, quoted));
        assert!(!concerns(br#"{"event":"task_result","host":"web11"}"#, quoted));
        assert!(concerns(br#"{"event":"play_started","play":"x"}"#, quoted));
        assert!(!contains(b"\"\"web", quoted));
        assert!(contains(b"\"\"web1\"", quoted));
    }
}
