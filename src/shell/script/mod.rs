//! Shell text taken apart into its simple commands, by the rules of POSIX `sh` with the usual extensions of bash. It is
//! for recognising what a line would run (`rm -rf "$DIR"/`), never for running it: what only the host can know (values of
//! variables, output of commands, what a glob matches) stays unknown. Text that no shell would take is taken apart as far
//! as it goes.

mod lex;
mod quotes;
mod redirect;
#[cfg(test)]
mod tests;
mod unwrap;
mod word;

pub use lex::{commands, line_words, words};

/// Stands in a text for what is not known yet: a template that will be rendered later.
pub const UNKNOWN: char = '\u{f8ff}';

/// A simple command: a program with its arguments, without `sudo`, `env`, `sh -c` and the like around it (those are
/// commands of their own).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Simple {
    /// `NAME=value` in front of it, or alone. A `for` is told as its variable set to each of its words.
    pub assigned: Vec<(String, Word)>,
    /// The program and its arguments; empty for assignments alone.
    pub words: Vec<Word>,
    /// Files it writes and reads by redirection.
    pub redirects: Vec<Redirect>,
    /// What it reads.
    pub input: Input,
}

/// Where a command's standard input comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Input {
    /// From where the shell's comes.
    #[default]
    Inherited,
    /// From the command before it, whose words these are.
    Pipe(Vec<Word>),
    /// The text stands in the script (`<<EOF`, `<<<`).
    Text(String),
    /// From a file.
    File,
}

/// A redirection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// True for `>`, `>>`, `>|`, `<>`, `&>`.
    pub writes: bool,
    /// The file.
    pub target: Word,
}

/// A word as written, its parts in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word(pub Vec<Part>);

/// A part of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Characters that stand for themselves, or, unquoted, may be a glob or a `~`.
    Text {
        /// The characters, quotes taken off.
        text: String,
        /// They were quoted.
        quoted: bool,
    },
    /// `$NAME`, `${NAME…}`.
    Variable {
        /// Its name.
        name: String,
        /// `${NAME:?}`: the shell stops when it is empty.
        guarded: bool,
        /// What stands for it when it is empty (`${NAME:-text}`).
        default: Option<String>,
    },
    /// `$(…)`, a template: nobody knows.
    Unknown,
}

impl Word {
    /// A word of plain text.
    pub fn plain(text: &str) -> Self {
        let mut word = Self::default();
        for c in text.chars() {
            word.push(c, true);
        }
        word
    }

    /// The whole text, when all of it is known.
    pub fn text(&self) -> Option<String> {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Text { text, .. } => out.push_str(text),
                Part::Variable { .. } | Part::Unknown => return None,
            }
        }
        Some(out)
    }

    /// The known text that it begins with.
    pub fn head(&self) -> String {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Text { text, .. } => out.push_str(text),
                Part::Variable { .. } | Part::Unknown => break,
            }
        }
        out
    }

    /// True when nothing of it is known.
    pub fn is_unknown(&self) -> bool {
        let is_empty = |part: &Part| matches!(part, Part::Text { text, .. } if text.is_empty());
        !self.is_known()
            && self
                .0
                .iter()
                .all(|part| is_empty(part) || !matches!(part, Part::Text { .. }))
    }

    /// True when all of it is known.
    pub fn is_known(&self) -> bool {
        self.0.iter().all(|part| matches!(part, Part::Text { .. }))
    }

    fn push(&mut self, c: char, quoted: bool) {
        if c == UNKNOWN {
            self.0.push(Part::Unknown);
            return;
        }
        match self.0.last_mut() {
            Some(Part::Text { text, quoted: same }) if *same == quoted => text.push(c),
            _ => self.0.push(Part::Text {
                text: c.to_string(),
                quoted,
            }),
        }
    }
}

impl std::fmt::Display for Word {
    /// As it was written, near enough to be recognised.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for part in &self.0 {
            match part {
                Part::Text { text, .. } => f.write_str(text)?,
                Part::Variable {
                    name, guarded: true, ..
                } => write!(f, "${{{name}:?}}")?,
                Part::Variable {
                    name,
                    default: Some(text),
                    ..
                } => write!(f, "${{{name}:-{text}}}")?,
                Part::Variable { name, .. } => write!(f, "${name}")?,
                Part::Unknown => f.write_str("…")?,
            }
        }
        Ok(())
    }
}

impl std::fmt::Display for Simple {
    /// The command on one line.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let words = self.words.iter().map(ToString::to_string);
        let redirects = self.redirects.iter().map(|redirect| {
            let sign = if redirect.writes { ">" } else { "<" };
            format!("{sign} {}", redirect.target)
        });
        let all: Vec<String> = words.chain(redirects).collect();
        f.write_str(&all.join(" "))
    }
}

impl Simple {
    /// The program's name without folders, when it is known: `mkfs.ext4` of `/sbin/mkfs.ext4`.
    pub fn program(&self) -> Option<String> {
        let text = self.words.first()?.text()?;
        Some(text.rsplit('/').next().unwrap_or(&text).to_owned())
    }
}
