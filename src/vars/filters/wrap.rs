//! `wordwrap`: text in lines of a width.

use std::sync::Arc;

use crate::vars::Value;
use crate::vars::context::Ctx;
use crate::vars::fault::{Fault, Res};
use crate::vars::filters::Args;
use crate::vars::python::text;

/// The filter `wordwrap`.
pub(super) fn wordwrap(_: &Arc<Ctx>, value: &Value, args: &Args) -> Res {
    let width = args.size(0, "width", 79)?;
    let (break_long, hyphens) = (
        args.flag(1, "break_long_words", true)?,
        args.flag(3, "break_on_hyphens", true)?,
    );
    let newline = args.text(2, "wrapstring", "\n")?;
    if width == 0 {
        return Err(Fault::new("the width must be at least 1"));
    }
    let text = text(value)?;
    let lines = text
        .lines()
        .map(|line| wrap(line, width, break_long, hyphens).join(&newline));
    Ok(Value::from(lines.collect::<Vec<_>>().join(&newline)))
}

/// Pieces a line may be broken between: words, the blanks between them, and parts of words with hyphens.
fn pieces(line: &str, hyphens: bool) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let chars: Vec<char> = line.chars().collect();
    for (i, c) in chars.iter().enumerate() {
        let before = i.checked_sub(1).and_then(|i| chars.get(i));
        let blank = c.is_whitespace();
        let after_hyphen = hyphens
            && before == Some(&'-')
            && c.is_alphabetic()
            && i.checked_sub(2)
                .and_then(|i| chars.get(i))
                .is_some_and(|c| c.is_alphanumeric());
        match (out.last_mut(), before) {
            (Some(last), Some(before)) if before.is_whitespace() == blank && !after_hyphen => last.push(*c),
            _ => out.push(c.to_string()),
        }
    }
    out
}

fn wrap(line: &str, width: usize, break_long: bool, hyphens: bool) -> Vec<String> {
    let size = |text: &str| text.chars().count();
    let mut lines = Vec::new();
    let mut current = String::new();
    for piece in pieces(line, hyphens) {
        if size(&current) + size(&piece) <= width {
            current.push_str(&piece);
            continue;
        }
        let is_blank = piece.trim().is_empty();
        let mut rest = piece;
        if break_long && size(&rest) > width && !is_blank {
            let room = width - size(&current).min(width);
            if room > 0 {
                current.extend(rest.chars().take(room));
                rest = rest.chars().skip(room).collect();
            }
            lines.push(std::mem::take(&mut current).trim_end().to_owned());
            while size(&rest) > width {
                lines.push(rest.chars().take(width).collect());
                rest = rest.chars().skip(width).collect();
            }
        } else if !current.is_empty() {
            lines.push(std::mem::take(&mut current).trim_end().to_owned());
        }
        if !is_blank {
            current = rest;
        }
    }
    if !current.trim_end().is_empty() {
        lines.push(current.trim_end().to_owned());
    }
    lines
}
