//! Places in files, and messages about them.

use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::{Zeroize, Zeroizing};

/// The largest file that is read: some, such as `/dev/zero`, never end.
const LARGEST: u64 = 256 << 20;

/// A file the user wrote, kept whole so that messages can quote it.
pub struct SourceFile {
    /// Where it was read from, as the user named it.
    pub path: PathBuf,
    /// What it holds.
    pub text: String,
    /// It was encrypted: messages name places in it, and quote nothing of it.
    pub is_hidden: bool,
}

impl fmt::Debug for SourceFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = if self.is_hidden { "***" } else { &self.text };
        f.debug_struct("SourceFile")
            .field("path", &self.path)
            .field("text", &text)
            .finish_non_exhaustive()
    }
}

impl Drop for SourceFile {
    fn drop(&mut self) {
        if self.is_hidden {
            self.text.zeroize();
        }
    }
}

impl SourceFile {
    /// Wraps text that was read from `path` (or stands on the command line: `--extra-vars`).
    pub fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self {
            path: path.into(),
            text: text.into(),
            is_hidden: false,
        })
    }

    /// Wraps what was encrypted in the file at `path`. What is no text is a mistake, as for other files.
    pub fn hidden(path: &Path, mut bytes: Vec<u8>) -> Result<Arc<Self>, Diagnostic> {
        let hide = |text: String| {
            Arc::new(Self {
                path: path.to_owned(),
                text,
                is_hidden: true,
            })
        };
        if bytes.starts_with("\u{feff}".as_bytes()) {
            bytes = Zeroizing::new(bytes).split_off("\u{feff}".len());
        }
        match String::from_utf8(bytes) {
            Ok(text) => {
                let file = hide(text);
                match file.text.find('\0') {
                    Some(at) => Err(Diagnostic::new("NUL byte in a text file").at(Span::at_offset(&file, at))),
                    None => Ok(file),
                }
            }
            Err(error) => {
                drop(Zeroizing::new(error.into_bytes()));
                Err(
                    Diagnostic::new("what is encrypted in it is not valid UTF-8").at(Span::new(
                        &hide(String::new()),
                        1,
                        1,
                    )),
                )
            }
        }
    }

    /// Reads a file. One that cannot be read, is not UTF-8 or holds a NUL byte is a mistake with a place.
    pub fn read(path: &Path) -> Result<Arc<Self>, Diagnostic> {
        let meta =
            std::fs::metadata(path).map_err(|e| Diagnostic::new(format!("cannot read `{}`: {e}", path.display())))?;
        if meta.is_dir() {
            return Err(Diagnostic::new(format!(
                "`{}` is a directory, a file is expected",
                path.display()
            )));
        }
        let mut bytes = Vec::new();
        let read = std::fs::File::open(path)
            .and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes))
            .map_err(|e| Diagnostic::new(format!("cannot read `{}`: {e}", path.display())))?;
        if read as u64 > LARGEST {
            let limit = LARGEST >> 20;
            return Err(Diagnostic::new(format!(
                "`{}` is larger than {limit} MiB",
                path.display()
            )));
        }
        Self::from_bytes(path, bytes)
    }

    /// The same for bytes already read.
    pub fn from_bytes(path: &Path, bytes: Vec<u8>) -> Result<Arc<Self>, Diagnostic> {
        match String::from_utf8(bytes) {
            Ok(text) => {
                let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
                let file = Self::new(path, text);
                match file.text.find('\0') {
                    Some(offset) => Err(Diagnostic::new("NUL byte in a text file").at(Span::at_offset(&file, offset))),
                    None => Ok(file),
                }
            }
            Err(error) => {
                let offset = error.utf8_error().valid_up_to();
                let bytes = error.into_bytes();
                let file = Self::new(path, String::from_utf8_lossy(&bytes).into_owned());
                // The lossy text has the same bytes up to the first bad one.
                Err(Diagnostic::new("not valid UTF-8").at(Span::at_offset(&file, offset)))
            }
        }
    }
}

/// A place in a file. Line and column count from 1, as editors do; columns count characters.
#[derive(Clone)]
pub struct Span {
    /// The file.
    pub file: Arc<SourceFile>,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1, in characters.
    pub column: u32,
}

impl Span {
    /// The place at line and column.
    pub fn new(file: &Arc<SourceFile>, line: u32, column: u32) -> Self {
        Self {
            file: file.clone(),
            line,
            column,
        }
    }

    /// The place of a byte offset.
    pub fn at_offset(file: &Arc<SourceFile>, offset: usize) -> Self {
        let before = file.text.get(..offset).unwrap_or(&file.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
        Self::new(
            file,
            u32::try_from(line).unwrap_or(u32::MAX),
            u32::try_from(column).unwrap_or(u32::MAX),
        )
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file.path.display(), self.line, self.column)
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A mistake in something the user wrote: what, where, and what to do about it.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// What is wrong; lower case, no full stop.
    pub message: String,
    /// Where.
    pub at: Option<Span>,
    /// What to do.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A mistake without a place yet.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            at: None,
            help: None,
        }
    }

    /// Adds the place. In a file that was encrypted nothing may be quoted, so what stands between backticks in the
    /// message goes.
    #[must_use]
    pub fn at(mut self, span: Span) -> Self {
        if span.file.is_hidden {
            self.message = without_quotes(&self.message);
        }
        self.at = Some(span);
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", visible(&self.message))?;
        if let Some(span) = &self.at {
            write!(f, "\n --> {}", visible(&span.to_string()))?;
            let line = span.file.text.lines().nth(span.line.saturating_sub(1) as usize);
            match line {
                Some(_) if span.file.is_hidden => {
                    f.write_str("\n  | (the file is encrypted: `batchssh vault view` shows it)")?;
                }
                Some(line) => quote_line(f, span, line)?,
                None => {}
            }
        }
        if let Some(help) = &self.help {
            write!(f, "\nhelp: {}", visible(help))?;
        }
        Ok(())
    }
}

/// A message without what it quotes between backticks.
fn without_quotes(message: &str) -> String {
    let parts: Vec<&str> = message.split('`').collect();
    let part = |(i, part): (usize, &&str)| match i % 2 {
        // A single backtick opens nothing.
        1 if i + 1 < parts.len() => "`***`".to_owned(),
        1 => format!("`{part}"),
        _ => (*part).to_owned(),
    };
    parts.iter().enumerate().map(part).collect()
}

/// How much of a long line is quoted.
const QUOTED: usize = 100;

fn quote_line(f: &mut fmt::Formatter<'_>, span: &Span, line: &str) -> fmt::Result {
    let column = span.column.saturating_sub(1) as usize;
    // Of a very long line only the part around the place is shown.
    let from = column.saturating_sub(QUOTED / 2);
    let part: String = line.chars().skip(from).take(QUOTED).collect();
    let before: String = line.chars().skip(from).take(column - from).collect();
    let number = span.line.to_string();
    let margin = " ".repeat(number.len());
    let indent = " ".repeat(visible(&before).chars().count());
    write!(
        f,
        "\n{margin} |\n{number} | {}\n{margin} | {indent}^",
        visible(part.trim_end())
    )
}

/// Text with control characters written as escapes, so that a message cannot drive the terminal.
/// Line feeds stay: messages may have several lines.
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push(c),
            '\t' => out.push(' '),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' => {
                out.extend(c.escape_unicode());
            }
            c if c.is_control() => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out
}

/// Every mistake found, in file order. Never empty.
#[derive(Clone, Debug)]
pub struct Diagnostics(pub Vec<Diagnostic>);

/// How many lines a message about several mistakes may have, so that it fits on a screen with what was asked for.
const LINES: usize = 9;

impl fmt::Display for Diagnostics {
    /// The first mistake in full, others with their line as long as there is room, then one line each, then a count.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut used = 0;
        for (i, diagnostic) in self.0.iter().enumerate() {
            let left = self.0.len() - i;
            let full = diagnostic.to_string();
            let height = full.lines().count();
            let room = LINES.saturating_sub(used);
            if i > 0 {
                f.write_str("\n")?;
            }
            // Every one that follows needs a line.
            if i == 0 || height + left - 1 <= room {
                f.write_str(&full)?;
                used += height;
            } else if room > 1 || left == 1 {
                let first = diagnostic.message.lines().next().unwrap_or_default();
                write!(f, "error: {}", visible(first))?;
                if let Some(span) = &diagnostic.at {
                    write!(f, " ({})", visible(&span.to_string()))?;
                }
                used += 1;
            } else {
                return write!(f, "error: {left} more mistakes were found");
            }
        }
        Ok(())
    }
}

impl From<Diagnostics> for Diagnostic {
    /// The first mistake, where only one can be told.
    fn from(diagnostics: Diagnostics) -> Self {
        let more = diagnostics.0.len().saturating_sub(1);
        let mut first = diagnostics
            .0
            .into_iter()
            .next()
            .unwrap_or_else(|| Self::new("an unknown mistake"));
        if more > 0 {
            first.message += &format!(" (and {more} more mistakes)");
        }
        first
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(vec![diagnostic])
    }
}

/// Longer words are near to nothing.
const LONGEST_NAME: usize = 200;

/// The known name closest to `typed`, when it is close enough to be meant.
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = typed.chars().count();
    // Comparing takes length times length, and nobody meant a short word by a long text.
    if length > LONGEST_NAME {
        return None;
    }
    let most = length.max(3) / 3;
    known
        .into_iter()
        .map(|name| (distance(typed, name), name))
        .filter(|(d, _)| *d <= most)
        .min_by_key(|(d, _)| *d)
        .map(|(_, name)| name)
}

/// Edit distance, with two neighbours swapped counted as one.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let cost = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j] + 1)
                .min(rows[i][j - 1] + 1)
                .min(rows[i - 1][j - 1] + cost);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_quotes_the_line_and_points_at_the_place() {
        let file = SourceFile::new("site.yml", "- hosts: all\n  tasks:\n    - lien: 1\n");
        let shown = Diagnostic::new("unknown key `lien`")
            .at(Span::new(&file, 3, 7))
            .help("did you mean `line`?")
            .to_string();
        assert_eq!(
            shown,
            "error: unknown key `lien`\n --> site.yml:3:7\n  |\n3 |     - lien: 1\n  |       ^\nhelp: did you mean `line`?"
        );
    }

    #[test]
    fn many_mistakes_fit_on_a_screen() {
        let file = SourceFile::new("site.yml", "a: 1\n".repeat(500));
        let mistake = |line| Diagnostic::new(format!("bad {line}")).at(Span::new(&file, line, 1));
        let shown = Diagnostics((1..=500).map(mistake).collect()).to_string();
        assert_eq!(
            shown,
            "error: bad 1\n --> site.yml:1:1\n  |\n1 | a: 1\n  | ^\nerror: bad 2 (site.yml:2:1)\n\
             error: bad 3 (site.yml:3:1)\nerror: bad 4 (site.yml:4:1)\nerror: 496 more mistakes were found"
        );
    }

    #[test]
    fn a_message_cannot_drive_the_terminal() {
        assert_eq!(
            Diagnostic::new("bad \u{1b}[31m name").to_string(),
            "error: bad \\u{1b}[31m name"
        );
    }

    #[test]
    fn nothing_of_a_file_that_was_encrypted_is_quoted() {
        let file = SourceFile::hidden(Path::new("v.yml"), b"a: 1\nhunter2: x\n".to_vec()).unwrap();
        let mistake = Diagnostic::new("unknown key `hunter2`, `a` is one").at(Span::new(&file, 2, 1));
        let shown = mistake.to_string();
        assert!(
            shown.starts_with("error: unknown key `***`, `***` is one\n --> v.yml:2:1"),
            "{shown}"
        );
        assert!(!format!("{shown}{mistake:?}{file:?}").contains("hunter2"));
        assert!(SourceFile::hidden(Path::new("v"), b"\xffhunter2".to_vec()).is_err());
        let file = SourceFile::hidden(Path::new("v"), "\u{feff}x".into()).unwrap();
        assert_eq!(file.text, "x");
    }

    #[test]
    fn the_nearest_name_is_offered_only_when_it_is_near() {
        assert_eq!(nearest("lien", ["line", "state"]), Some("line"));
        assert_eq!(nearest("zzzz", ["line", "state"]), None);
    }

    #[test]
    fn bytes_that_are_not_utf8_are_refused_with_their_line() {
        let error = SourceFile::from_bytes(Path::new("h"), b"a\nb\xff".to_vec()).unwrap_err();
        assert_eq!(error.at.map(|s| (s.line, s.column)), Some((2, 2)));
    }
}
