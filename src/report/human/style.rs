//! Symbols, words and rules of the folded look.

use crate::event::Status;
use crate::report::terminal::{Colour, Terminal};
use crate::report::{text, words};

/// Columns in front of what belongs to a group.
pub(super) const INDENT: usize = 4;

/// What a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Mark {
    /// A result that is good.
    Good(Status),
    /// Said while it ran.
    Warning,
    /// Tried again.
    Retrying,
    /// Not good, and the user said to go on.
    Ignored,
    /// Not good, and a `rescue` section took over.
    Rescued,
    /// The host was never begun.
    NotStarted,
    /// The host was at work when the run was stopped.
    Interrupted,
    /// Not good.
    Bad(Status),
}

impl Mark {
    pub(super) fn of(status: Status, ignored: bool, rescued: bool) -> Self {
        match status {
            _ if status.is_good() => Self::Good(status),
            _ if ignored => Self::Ignored,
            _ if rescued => Self::Rescued,
            _ => Self::Bad(status),
        }
    }

    /// Worth showing before the task is over.
    pub(super) fn is_urgent(self) -> bool {
        matches!(self, Self::Bad(_) | Self::Warning)
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Good(status) | Self::Bad(status) => words::word(status),
            Self::Warning => "warning",
            Self::Retrying => "retrying",
            Self::Ignored => "ignored",
            Self::Rescued => "rescued",
            Self::NotStarted => "not started",
            Self::Interrupted => "interrupted",
        }
    }

    pub(super) fn colour(self) -> Colour {
        match self {
            Self::Good(Status::Changed) | Self::NotStarted | Self::Interrupted => Colour::Yellow,
            Self::Good(Status::Skipped) => Colour::Cyan,
            Self::Good(_) => Colour::Green,
            Self::Warning => Colour::BrightPurple,
            Self::Retrying | Self::Ignored | Self::Rescued => Colour::Dim,
            Self::Bad(Status::Unreachable | Status::InDoubt) => Colour::BrightRed,
            Self::Bad(_) => Colour::Red,
        }
    }

    pub(super) fn symbol(self, term: &Terminal) -> &'static str {
        match self {
            Self::Good(Status::Changed) => term.pick("●", "*"),
            Self::Good(Status::Skipped) => term.pick("○", "-"),
            Self::Good(_) => term.pick("✓", "+"),
            Self::Warning => "!",
            Self::Retrying => term.pick("↻", "~"),
            Self::NotStarted | Self::Interrupted => term.pick("·", "."),
            Self::Bad(Status::InDoubt) => "?",
            Self::Bad(_) | Self::Ignored | Self::Rescued => term.pick("✗", "x"),
        }
    }
}

/// Widest word a line begins with.
const WORD: usize = "unreachable".len();

/// `  ✗ failed        5  `: the beginning of a group's line, and its width.
pub(super) fn head(mark: Mark, hosts: usize, digits: usize, term: &Terminal) -> (String, usize) {
    let plain = format!("{} {:<WORD$}", mark.symbol(term), mark.word());
    let count = format!("{:>digits$}", text::count(hosts));
    let width = 2 + text::width(&plain) + 1 + text::width(&count) + 2;
    (format!("  {} {count}  ", term.paint(mark.colour(), &plain)), width)
}

/// A heading across the terminal: `── recap · site.yml ─────────`.
pub(super) fn rule(title: &str, colour: Colour, term: &Terminal) -> String {
    let dash = term.pick("─", "-");
    let room = term.width.saturating_sub(6);
    let title = text::fit(title, room, term.pick("…", "~"));
    let rest = term.width.saturating_sub(text::width(&title) + 4);
    format!(
        "{} {} {}",
        term.paint(Colour::Dim, &dash.repeat(2)),
        term.paint(colour, &title),
        term.paint(Colour::Dim, &dash.repeat(rest))
    )
}

/// Several facts on one line.
pub(super) fn join(parts: &[String], term: &Terminal) -> String {
    parts.join(term.pick(" · ", ", "))
}

/// Lines of somebody's output behind a bar, no wider than the terminal. The bar also keeps a host from writing what
/// looks like a line of ours.
pub(super) fn gutter(out: &mut String, lines: &[(Colour, String)], indent: usize, term: &Terminal) {
    let bar = term.paint(Colour::Dim, term.pick("│", "|"));
    let room = term.width.saturating_sub(indent + 2).max(1);
    for (colour, line) in lines {
        for piece in pieces(line, room, term) {
            out.push_str(&" ".repeat(indent));
            out.push_str(&bar);
            if !piece.is_empty() {
                out.push(' ');
                out.push_str(&term.paint(*colour, &piece));
            }
            out.push('\n');
        }
    }
}

/// Only a terminal has an edge.
pub(super) fn pieces(line: &str, room: usize, term: &Terminal) -> Vec<String> {
    if term.is_tty {
        text::cut(line, room)
    } else {
        vec![line.to_owned()]
    }
}
