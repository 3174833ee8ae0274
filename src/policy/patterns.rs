//! Patterns of commands.

use regex::Regex;

use crate::inventory::matches_glob;
use crate::shell::script::{Simple, Word};

/// A pattern of simple commands: a program's name, a glob over the whole command, or a regular expression after `~`.
#[derive(Clone, Debug)]
pub enum Pattern {
    /// `shutdown`: that program, whatever its arguments.
    Program(String),
    /// `systemctl stop *`: the whole command, words joined by one blank, the program without folders.
    Glob(String),
    /// `~^(halt|reboot)\b`: anywhere in the same text.
    Regex(Regex),
}

impl Pattern {
    /// Reads one; the error says what is wrong with it.
    pub fn read(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err("an empty pattern forbids nothing".to_owned());
        }
        if let Some(pattern) = text.strip_prefix('~') {
            let regex = Regex::new(pattern).map_err(|error| {
                let text = error.to_string();
                let last = text.lines().last().unwrap_or(&text).trim();
                format!(
                    "`{pattern}` is no regular expression: {}",
                    last.strip_prefix("error: ").unwrap_or(last)
                )
            })?;
            return Ok(Self::Regex(regex));
        }
        let is_program = !text.contains(|c: char| c.is_whitespace() || "*?[".contains(c));
        Ok(if is_program {
            Self::Program(text.to_owned())
        } else {
            Self::Glob(text.to_owned())
        })
    }

    /// True when the command is meant.
    pub fn matches(&self, command: &Simple) -> bool {
        let Some(program) = command.program() else {
            return false;
        };
        match self {
            Self::Program(name) => program == *name,
            Self::Glob(pattern) => matches_glob(pattern, &line(&program, command)),
            Self::Regex(regex) => regex.is_match(&line(&program, command)),
        }
    }
}

fn line(program: &str, command: &Simple) -> String {
    let rest = command.words.iter().skip(1).map(Word::to_string);
    std::iter::once(program.to_owned())
        .chain(rest)
        .collect::<Vec<_>>()
        .join(" ")
}
