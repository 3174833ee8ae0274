//! From characters to simple commands.

use super::quotes::Reader;
use super::redirect::HereDoc;
use super::unwrap::unwrap;
use super::word::assignment;
use super::{Input, Part, Simple, Word};

/// Text is looked at up to here.
const LONGEST: usize = 1 << 20;
/// Commands inside of commands.
pub(super) const DEEPEST: u8 = 12;
/// Most commands of one text.
const MOST: usize = 10_000;

/// Words that may stand where a command begins without being one.
const RESERVED: &[&str] = &[
    "!", "do", "done", "elif", "else", "esac", "fi", "if", "then", "time", "until", "while", "{", "}", "coproc",
];

/// The simple commands of a script, those inside of others (`$(…)`, `sh -c`, `sudo`, `xargs`, …) included.
pub fn commands(script: &str) -> Vec<Simple> {
    let mut found = Vec::new();
    scripted(script, 0, &mut found);
    found
}

/// The same for a command that no shell reads, given as its words (the module `command`).
pub fn words(words: impl IntoIterator<Item = Word>) -> Vec<Simple> {
    let command = Simple {
        words: words.into_iter().collect(),
        ..Simple::default()
    };
    let mut found = Vec::new();
    add(command, 0, &mut found);
    found
}

/// The words of a line that no shell reads, as the module `command` splits them: quotes and backslashes keep together,
/// `;` and `>` are characters, variables are replaced.
pub fn line_words(line: &str) -> Vec<Word> {
    let texts = crate::shell::split_words(line);
    let texts = texts.unwrap_or_else(|_| line.split_whitespace().map(str::to_owned).collect());
    texts.iter().map(|text| expanding(text)).collect()
}

fn expanding(text: &str) -> Word {
    let chars: Vec<char> = text.chars().collect();
    let mut reader = Reader::new(&chars);
    let mut word = Word::default();
    while let Some(c) = reader.next() {
        let part = match (c, reader.peek()) {
            ('$', Some('{')) => reader.braced().0,
            ('$', Some(c)) if c.is_ascii_alphabetic() || c == '_' => Part::Variable {
                name: reader.name(),
                guarded: false,
                default: None,
            },
            (c, _) => {
                word.push(c, c != '~');
                continue;
            }
        };
        word.0.push(part);
    }
    word
}

/// Adds the commands of a script that stands `depth` commands deep.
pub(super) fn scripted(script: &str, depth: u8, found: &mut Vec<Simple>) {
    if depth > DEEPEST {
        return;
    }
    let chars: Vec<char> = script.chars().take(LONGEST).collect();
    let mut lexer = Lexer {
        reader: Reader::new(&chars),
        depth,
        found,
        here: Vec::new(),
    };
    lexer.list(false);
}

/// Adds a command and what it runs in turn.
pub(super) fn add(command: Simple, depth: u8, found: &mut Vec<Simple>) {
    if found.len() >= MOST || depth > DEEPEST {
        return;
    }
    let inner = unwrap(&command);
    found.push(command);
    for inner in inner {
        match inner {
            super::unwrap::Inner::Command(command) => add(command, depth + 1, found),
            super::unwrap::Inner::Script(script) => scripted(&script, depth + 1, found),
        }
    }
}

pub(super) struct Lexer<'a, 'b> {
    pub(super) reader: Reader<'a>,
    pub(super) depth: u8,
    pub(super) found: &'b mut Vec<Simple>,
    /// Here-documents whose text begins after the line.
    pub(super) here: Vec<HereDoc>,
}

/// What separates commands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Break {
    End,
    Pipe,
    Close,
    CaseEnd,
    Other,
}

impl Lexer<'_, '_> {
    /// Commands up to the end, or to a `)` that closes what is around it.
    fn list(&mut self, inside: bool) {
        let mut cases: u32 = 0;
        let mut pattern = false;
        let mut before: Option<Input> = None;
        loop {
            if pattern {
                pattern = false;
                if self.skip_pattern() {
                    cases = cases.saturating_sub(1);
                    continue;
                }
            }
            let piped = before.take();
            let (command, end, opens_case) = self.simple(piped);
            let output = (end == Break::Pipe).then(|| piped_on(&command));
            if !command.words.is_empty() || !command.assigned.is_empty() || !command.redirects.is_empty() {
                add(command, self.depth, self.found);
            }
            if opens_case {
                cases += 1;
                pattern = true;
                continue;
            }
            match end {
                Break::End => return,
                Break::Close if inside => return,
                Break::CaseEnd if cases > 0 => pattern = true,
                Break::Pipe => before = output,
                Break::Close | Break::CaseEnd | Break::Other => {}
            }
        }
    }

    /// Behind `case … in` or `;;`: up to the `)` of the pattern. True at `esac` instead.
    fn skip_pattern(&mut self) -> bool {
        loop {
            self.blanks(true);
            match self.reader.peek() {
                None => return true,
                Some(')') => {
                    self.reader.next();
                    return false;
                }
                Some('(' | '|') => {
                    self.reader.next();
                }
                Some(_) => {
                    let word = self.word();
                    if word.text().as_deref() == Some("esac") {
                        return true;
                    }
                    if word.0.is_empty() && self.reader.next().is_none() {
                        return true;
                    }
                }
            }
        }
    }

    pub(super) fn blanks(&mut self, lines: bool) {
        while let Some(c) = self.reader.peek() {
            match c {
                ' ' | '\t' | '\r' => {
                    self.reader.next();
                }
                '\n' if lines => {
                    self.reader.next();
                }
                '\\' if self.reader.ahead(1) == Some('\n') => {
                    self.reader.next();
                    self.reader.next();
                }
                '#' => {
                    while self.reader.peek().is_some_and(|c| c != '\n') {
                        self.reader.next();
                    }
                }
                _ => return,
            }
        }
    }

    /// One simple command and what ended it; true when it is the head of a `case`.
    fn simple(&mut self, piped: Option<Input>) -> (Simple, Break, bool) {
        let mut command = Simple {
            input: piped.unwrap_or_default(),
            ..Simple::default()
        };
        let mut loop_name: Option<String> = None;
        loop {
            self.blanks(false);
            let Some(c) = self.reader.peek() else {
                return (command, Break::End, false);
            };
            match c {
                '\n' => {
                    self.reader.next();
                    self.here_documents();
                    return (command, Break::Other, false);
                }
                ';' => {
                    self.reader.next();
                    let mut end = Break::Other;
                    while matches!(self.reader.peek(), Some(';' | '&')) {
                        self.reader.next();
                        end = Break::CaseEnd;
                    }
                    return (command, end, false);
                }
                '&' if matches!(self.reader.ahead(1), Some('>')) => self.redirect(&mut command),
                '&' => {
                    self.reader.next();
                    self.reader.skip('&');
                    return (command, Break::Other, false);
                }
                '|' => {
                    self.reader.next();
                    let or = self.reader.skip('|');
                    self.reader.skip('&');
                    return (command, if or { Break::Other } else { Break::Pipe }, false);
                }
                '(' => {
                    self.reader.next();
                    if !command.words.is_empty() && self.reader.skip(')') {
                        // The name of a function.
                        return (Simple::default(), Break::Other, false);
                    }
                    if self.depth < DEEPEST {
                        self.nested();
                    }
                    return (command, Break::Other, false);
                }
                ')' => {
                    self.reader.next();
                    return (command, Break::Close, false);
                }
                '<' | '>' if self.reader.ahead(1) != Some('(') => self.redirect(&mut command),
                _ => {
                    let word = self.word();
                    if word.0.is_empty() && !self.reader.was_quoted() {
                        // Nothing that a word can begin with.
                        self.reader.next();
                        continue;
                    }
                    let is_number = word
                        .text()
                        .is_some_and(|t| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit()));
                    if is_number && matches!(self.reader.peek(), Some('<' | '>')) {
                        self.redirect(&mut command);
                        continue;
                    }
                    let bare = if self.reader.was_quoted() { None } else { word.text() };
                    match (bare.as_deref(), command.words.len()) {
                        (Some(name), 0) if RESERVED.contains(&name) && command.assigned.is_empty() => {}
                        (Some("for" | "select"), 0) => {
                            self.blanks(false);
                            loop_name = self.word().text();
                        }
                        (Some("case"), 0) => {
                            self.blanks(false);
                            self.word();
                            self.blanks(true);
                            let is_in = self.word().text().as_deref() == Some("in");
                            return (command, Break::Other, is_in);
                        }
                        (Some("[["), 0) => self.skip_test(),
                        (Some("function"), 0) => {
                            self.blanks(false);
                            self.word();
                        }
                        (Some("in"), _) if loop_name.is_some() && command.assigned.is_empty() => {}
                        _ => match (&loop_name, assignment(&word)) {
                            (Some(name), _) => command.assigned.push((name.clone(), word)),
                            (None, Some(pair)) if command.words.is_empty() => command.assigned.push(pair),
                            (None, _) => command.words.push(word),
                        },
                    }
                }
            }
        }
    }

    /// Up to `]]`.
    fn skip_test(&mut self) {
        loop {
            self.blanks(true);
            if self.reader.peek().is_none() {
                return;
            }
            let word = self.word();
            if word.text().as_deref() == Some("]]") {
                return;
            }
            if word.0.is_empty() {
                self.reader.next();
            }
        }
    }

    /// The commands of `( … )` and `$( … )`, the opening taken already.
    pub(super) fn nested(&mut self) {
        self.depth += 1;
        let outer = std::mem::take(&mut self.here);
        self.list(true);
        self.here = outer;
        self.depth -= 1;
    }
}

/// What the next command of a pipeline reads.
fn piped_on(command: &Simple) -> Input {
    match (&command.input, command.program().as_deref()) {
        (Input::Text(text), Some("cat" | "tee" | "sed" | "envsubst")) => Input::Text(text.clone()),
        _ => Input::Pipe(command.words.clone()),
    }
}
