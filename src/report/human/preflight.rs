//! Verdicts of pre-flight checks in the folded look.

use super::style;
use crate::event::preflight::{Decision, PreflightVerdict};
use crate::report::preflight::{Kind, colour, lines};
use crate::report::terminal::{Colour, Terminal};
use crate::report::text;

/// A verdict with its heading.
pub(super) fn shown(verdict: &PreflightVerdict, term: &Terminal) -> String {
    let symbol = match verdict.decision {
        Decision::Passed => term.pick("✓", "+"),
        Decision::Drop | Decision::Ask => "!",
        Decision::Stop => term.pick("✗", "x"),
    };
    let name = text::fit(&text::one_line(verdict.check.trim()), term.width, term.pick("…", "~"));
    let mut out = format!("\n{}\n", term.paint(Colour::Bold, &name));
    let mut quotes = Vec::new();
    let all = lines(verdict);
    let last_head = all.iter().rposition(|line| line.kind == Kind::Head);
    for (index, line) in all.into_iter().enumerate() {
        if line.kind == Kind::Quote {
            quotes.push((line.colour, line.text));
            continue;
        }
        style::gutter(&mut out, &quotes, style::INDENT, term);
        quotes.clear();
        let (indent, tint, text) = match line.kind {
            // The verdict itself is the last of them.
            Kind::Head if Some(index) == last_head => (2, colour(verdict.decision), format!("{symbol} {}", line.text)),
            Kind::Head => (2, line.colour, line.text),
            Kind::Detail | Kind::Quote => (style::INDENT, line.colour, line.text),
        };
        for piece in style::pieces(&text, term.width.saturating_sub(indent), term) {
            put!(out, "{}{}\n", " ".repeat(indent), term.paint(tint, &piece));
        }
    }
    style::gutter(&mut out, &quotes, style::INDENT, term);
    out
}
