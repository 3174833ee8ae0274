//! What the stream at the other end can show: colours, symbols, width. Asked once, passed to whoever draws.

use std::io::IsTerminal;
use std::os::fd::AsFd;

/// Width assumed when nobody says.
const DEFAULT_WIDTH: usize = 80;
/// Below this nothing sensible fits; narrower terminals wrap by themselves.
const LEAST_WIDTH: usize = 20;

/// What a stream can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terminal {
    /// Somebody looks at it now.
    pub is_tty: bool,
    /// Colours are wanted.
    pub colour: bool,
    /// The cursor may be moved, for a progress line.
    pub cursor: bool,
    /// Columns.
    pub width: usize,
    /// Symbols outside ASCII can be shown.
    pub unicode: bool,
}

/// The environment's say in it. Filled from the variables of the same names by whoever may read them.
#[derive(Clone, Debug, Default)]
pub struct TerminalEnv {
    /// `NO_COLOR`: not empty means no colour, whatever else is set.
    pub no_color: Option<String>,
    /// `CLICOLOR_FORCE`: not empty and not `0` means colour, also into a pipe.
    pub clicolor_force: Option<String>,
    /// `CLICOLOR`: `0` means no colour.
    pub clicolor: Option<String>,
    /// `TERM`: `dumb` means no colour and no cursor movement.
    pub term: Option<String>,
    /// The first of `LC_ALL`, `LC_CTYPE`, `LANG` that is set and not empty.
    pub locale: Option<String>,
    /// `COLUMNS`, when the stream itself does not know its width.
    pub columns: Option<String>,
}

impl Terminal {
    /// A pipe or a file: no colour, no cursor, plain symbols.
    pub const fn plain() -> Self {
        Self {
            is_tty: false,
            colour: false,
            cursor: false,
            width: DEFAULT_WIDTH,
            unicode: false,
        }
    }

    /// Looks at a stream.
    pub fn of(stream: impl AsFd, env: &TerminalEnv) -> Self {
        let fd = stream.as_fd();
        Self::decide(fd.is_terminal(), columns(fd), env)
    }

    /// The decision itself. `NO_COLOR` beats `CLICOLOR_FORCE` beats `CLICOLOR` beats what the stream is.
    pub fn decide(is_tty: bool, columns: Option<usize>, env: &TerminalEnv) -> Self {
        let set = |value: &Option<String>| value.as_deref().is_some_and(|v| !v.is_empty());
        let dumb = env.term.as_deref() == Some("dumb");
        let colour = if set(&env.no_color) {
            false
        } else if set(&env.clicolor_force) && env.clicolor_force.as_deref() != Some("0") {
            true
        } else if env.clicolor.as_deref() == Some("0") || dumb {
            false
        } else {
            is_tty
        };
        let locale = env.locale.as_deref().unwrap_or_default().to_ascii_lowercase();
        let width = columns
            .or_else(|| env.columns.as_deref().and_then(|c| c.trim().parse().ok()))
            .filter(|w| *w > 0)
            .unwrap_or(DEFAULT_WIDTH);
        Self {
            is_tty,
            colour,
            cursor: is_tty && !dumb,
            width: width.max(LEAST_WIDTH),
            unicode: locale.contains("utf-8") || locale.contains("utf8"),
        }
    }

    /// Text in a colour, line by line, when colours are wanted.
    pub fn paint(&self, colour: Colour, text: &str) -> String {
        if !self.colour || text.is_empty() || colour == Colour::None {
            return text.to_owned();
        }
        let code = colour.code();
        let painted: Vec<String> = text
            .split('\n')
            .map(|line| {
                if line.is_empty() {
                    String::new()
                } else {
                    format!("\x1b[{code}m{line}\x1b[0m")
                }
            })
            .collect();
        painted.join("\n")
    }

    /// The symbol, or what stands for it where only ASCII can be shown.
    pub fn pick(&self, symbol: &'static str, ascii: &'static str) -> &'static str {
        if self.unicode { symbol } else { ascii }
    }
}

/// The width a terminal has now.
pub fn columns(fd: impl AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(fd).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}

/// Colours, named as Ansible names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// As it is.
    None,
    /// `ok`.
    Green,
    /// `changed`.
    Yellow,
    /// `failed`.
    Red,
    /// `unreachable`.
    BrightRed,
    /// `skipped`, hunk headers.
    Cyan,
    /// Verbose text.
    Blue,
    /// Debug text.
    DarkGray,
    /// Warnings.
    BrightPurple,
    /// Headings.
    Bold,
    /// What matters less.
    Dim,
}

impl Colour {
    fn code(self) -> &'static str {
        match self {
            Self::None => "0",
            Self::Green => "0;32",
            Self::Yellow => "0;33",
            Self::Red => "0;31",
            Self::BrightRed => "1;31",
            Self::Cyan => "0;36",
            Self::Blue => "0;34",
            Self::DarkGray => "1;30",
            Self::BrightPurple => "1;35",
            Self::Bold => "1",
            Self::Dim => "2",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> TerminalEnv {
        let get = |name: &str| pairs.iter().find(|p| p.0 == name).map(|p| p.1.to_owned());
        TerminalEnv {
            no_color: get("NO_COLOR"),
            clicolor_force: get("CLICOLOR_FORCE"),
            clicolor: get("CLICOLOR"),
            term: get("TERM"),
            locale: get("LANG"),
            columns: get("COLUMNS"),
        }
    }

    #[test]
    fn colour_follows_the_documented_order() {
        let colour = |tty, pairs: &[(&str, &str)]| Terminal::decide(tty, None, &env(pairs)).colour;
        assert!(colour(true, &[]));
        assert!(!colour(false, &[]));
        assert!(!colour(true, &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")]));
        assert!(colour(true, &[("NO_COLOR", "")]));
        assert!(colour(false, &[("CLICOLOR_FORCE", "1"), ("CLICOLOR", "0")]));
        assert!(!colour(false, &[("CLICOLOR_FORCE", "0")]));
        assert!(!colour(true, &[("CLICOLOR", "0")]));
        assert!(!colour(true, &[("TERM", "dumb")]));
    }

    #[test]
    fn a_dumb_terminal_gets_no_cursor_movement() {
        assert!(!Terminal::decide(true, None, &env(&[("TERM", "dumb")])).cursor);
        assert!(Terminal::decide(true, None, &env(&[("TERM", "xterm")])).cursor);
        assert!(!Terminal::decide(false, None, &env(&[("CLICOLOR_FORCE", "1")])).cursor);
    }

    #[test]
    fn the_width_is_the_streams_then_columns_then_eighty() {
        let width = |columns, pairs: &[(&str, &str)]| Terminal::decide(true, columns, &env(pairs)).width;
        assert_eq!(width(Some(132), &[("COLUMNS", "40")]), 132);
        assert_eq!(width(None, &[("COLUMNS", "40")]), 40);
        assert_eq!(width(None, &[("COLUMNS", "x")]), 80);
        assert_eq!(width(Some(0), &[]), 80);
        assert_eq!(width(Some(3), &[]), 20);
    }

    #[test]
    fn every_line_is_painted_by_itself() {
        let term = Terminal {
            colour: true,
            ..Terminal::plain()
        };
        assert_eq!(
            term.paint(Colour::Green, "a\n\nb"),
            "\x1b[0;32ma\x1b[0m\n\n\x1b[0;32mb\x1b[0m"
        );
        assert_eq!(Terminal::plain().paint(Colour::Green, "a"), "a");
    }
}
