//! Output of ad-hoc commands: equal output of many hosts is shown once, below the names of the hosts.

use indexmap::IndexMap;

use super::Fleet;
use super::style::{self, Mark};
use crate::event::{Status, TaskReport};
use crate::names::HostName;
use crate::report::terminal::{Colour, Terminal};
use crate::report::{fold, text, words};

/// Different output is held back up to this many bytes; then it is shown although more of the same may come.
const MOST_BYTES: usize = 64 << 20;
/// Lines the hosts may take below a heading that is too short for them.
const HOST_LINES: usize = 4;
/// Columns in front of a line of output.
const INDENT: usize = 2;

#[derive(Debug, PartialEq, Eq, Hash)]
struct Said {
    status: Status,
    rc: Option<i64>,
    stdout: String,
    stderr: String,
    msg: String,
}

/// Output that is not shown yet.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    held: IndexMap<Said, Vec<HostName>>,
    bytes: usize,
    /// Results taken, shown ones included.
    pub(super) taken: usize,
}

impl Blocks {
    /// Takes the result of a command.
    pub(super) fn take(&mut self, report: &TaskReport) {
        self.taken += 1;
        let said = Said {
            status: report.status,
            rc: report.rc,
            stdout: report.stdout.clone(),
            stderr: report.stderr.clone(),
            msg: report.msg.clone(),
        };
        let size = said.stdout.len() + said.stderr.len();
        let hosts = self.held.entry(said).or_default();
        if hosts.is_empty() {
            self.bytes += size;
        }
        hosts.push(report.host.clone());
    }

    /// Memory wants it shown now.
    pub(super) fn is_full(&self) -> bool {
        self.bytes > MOST_BYTES
    }

    /// Shows everything: what most hosts say first, the odd ones last, where they are seen; failures after them.
    pub(super) fn show(&mut self, fleet: &Fleet, term: &Terminal) -> String {
        let mut blocks: Vec<_> = std::mem::take(&mut self.held).into_iter().collect();
        self.bytes = 0;
        blocks.sort_by_key(|(said, hosts)| (!said.status.is_good(), std::cmp::Reverse(hosts.len())));
        let mut out = String::new();
        for (said, mut hosts) in blocks {
            fleet.sort(&mut hosts);
            show_block(&mut out, &said, &hosts, term);
        }
        out
    }
}

fn show_block(out: &mut String, said: &Said, hosts: &[HostName], term: &Terminal) {
    let mark = Mark::of(said.status, false, false);
    let mut facts = Vec::new();
    if hosts.len() > 1 {
        facts.push(text::hosts(hosts.len()));
    }
    if !said.status.is_good() {
        facts.push(words::word(said.status).to_owned());
        if let Some(rc) = said.rc {
            facts.push(format!("rc={rc}"));
        }
    }
    let names = fold::fold(hosts.iter().map(HostName::as_str));
    let fits = text::width(&names) + text::width(&style::join(&facts, term)) + 12 <= term.width;
    if fits {
        facts.insert(0, names);
    }
    let colour = if said.status.is_good() {
        Colour::Bold
    } else {
        mark.colour()
    };
    out.push_str(&style::rule(&style::join(&facts, term), colour, term));
    out.push('\n');
    if !fits {
        let room = term.width.saturating_sub(INDENT);
        for line in fold::fold_into(hosts.iter().map(HostName::as_str), room, HOST_LINES) {
            put!(out, "{}{}\n", " ".repeat(INDENT), term.paint(Colour::Bold, &line));
        }
    }
    let mut anything = false;
    for line in text::lines(&said.stdout) {
        anything = true;
        output_line(out, "", Colour::None, &line, term);
    }
    for line in text::lines(&said.stderr) {
        anything = true;
        output_line(out, "! ", Colour::Red, &line, term);
    }
    // The exit code stands in the heading already; other messages say more than that.
    if !said.status.is_good() && said.msg != "non-zero return code" && !said.msg.is_empty() {
        output_line(out, "", mark.colour(), &text::one_line(&said.msg), term);
    } else if !anything {
        output_line(out, "", Colour::Dim, "(no output)", term);
    }
}

/// Indented, and wrapped by us: a line that the terminal wraps could begin at the margin with whatever a host likes.
fn output_line(out: &mut String, mark: &str, colour: Colour, line: &str, term: &Terminal) {
    let room = term.width.saturating_sub(INDENT + mark.len()).max(1);
    for piece in style::pieces(line, room, term) {
        if piece.is_empty() && mark.is_empty() {
            out.push('\n');
            continue;
        }
        out.push_str(&" ".repeat(INDENT));
        out.push_str(&term.paint(colour, &format!("{mark}{piece}")));
        out.push('\n');
    }
}
