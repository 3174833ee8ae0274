//! Verdicts of pre-flight checks and of waves in the folded look.

use super::style;
use crate::event::canary::CanaryVerdict;
use crate::event::preflight::{Decision, PreflightVerdict};
use crate::report::canary;
use crate::report::preflight::{Kind, Line, colour, lines};
use crate::report::terminal::{Colour, Terminal};
use crate::report::text;

/// A verdict with its heading.
pub(super) fn shown(verdict: &PreflightVerdict, term: &Terminal) -> String {
    let name = text::fit(&text::one_line(verdict.check.trim()), term.width, term.pick("…", "~"));
    let mut out = format!("\n{}\n", term.paint(Colour::Bold, &name));
    put(&mut out, lines(verdict), verdict.decision, term);
    out
}

/// What a wave came to.
pub(super) fn wave(verdict: &CanaryVerdict, term: &Terminal) -> String {
    let mut out = "\n".to_owned();
    put(&mut out, canary::lines(verdict), verdict.decision, term);
    out
}

fn put(out: &mut String, all: Vec<Line>, decision: Decision, term: &Terminal) {
    let symbol = match decision {
        Decision::Passed => term.pick("✓", "+"),
        Decision::Drop | Decision::Ask => "!",
        Decision::Stop => term.pick("✗", "x"),
    };
    let mut quotes = Vec::new();
    let last_head = all.iter().rposition(|line| line.kind == Kind::Head);
    for (index, line) in all.into_iter().enumerate() {
        if line.kind == Kind::Quote {
            quotes.push((line.colour, line.text));
            continue;
        }
        style::gutter(out, &quotes, style::INDENT, term);
        quotes.clear();
        let (indent, tint, text) = match line.kind {
            // The verdict itself is the last of them.
            Kind::Head if Some(index) == last_head => (2, colour(decision), format!("{symbol} {}", line.text)),
            Kind::Head => (2, line.colour, line.text),
            Kind::Detail | Kind::Quote => (style::INDENT, line.colour, line.text),
        };
        for piece in style::pieces(&text, term.width.saturating_sub(indent), term) {
            put!(out, "{}{}\n", " ".repeat(indent), term.paint(tint, &piece));
        }
    }
    style::gutter(out, &quotes, style::INDENT, term);
}
