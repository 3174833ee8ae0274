//! Words: quotes, variables, and the commands inside of them.

use super::lex::{DEEPEST, Lexer, scripted};
use super::{Part, UNKNOWN, Word};

impl Lexer<'_, '_> {
    /// A word; empty when none begins here.
    pub(super) fn word(&mut self) -> Word {
        let mut word = Word::default();
        self.reader.quoted = false;
        while let Some(c) = self.reader.peek() {
            match c {
                '<' | '>' if word.0.is_empty() && self.reader.ahead(1) == Some('(') => {
                    self.reader.next();
                    self.reader.next();
                    if self.depth < DEEPEST {
                        self.nested();
                    }
                    word.0.push(Part::Unknown);
                }
                // `name=(a b)`: an array.
                '(' if word.head().ends_with('=') => {
                    self.reader.next();
                    self.nested_words(&mut word);
                }
                ' ' | '\t' | '\r' | '\n' | ';' | '&' | '|' | '(' | ')' | '<' | '>' => break,
                '\'' => {
                    self.reader.single(&mut word);
                }
                '"' => {
                    self.reader.next();
                    self.double(&mut word, false);
                }
                '\\' => {
                    self.reader.next();
                    match self.reader.next() {
                        None | Some('\n') => {}
                        Some(c) => {
                            self.reader.quoted = true;
                            word.push(c, true);
                        }
                    }
                }
                '$' => self.dollar(&mut word, false),
                '`' => self.backtick(&mut word),
                c => {
                    self.reader.next();
                    word.push(c, false);
                }
            }
        }
        word
    }

    /// The items of an array: one word with blanks in it is good enough.
    pub(super) fn nested_words(&mut self, word: &mut Word) {
        loop {
            self.blanks(true);
            match self.reader.peek() {
                None => return,
                Some(')') => {
                    self.reader.next();
                    return;
                }
                Some(_) => {
                    let item = self.word();
                    if item.0.is_empty() {
                        self.reader.next();
                    }
                    word.0.extend(item.0);
                    word.push(' ', true);
                }
            }
        }
    }

    /// Inside of `"…"`, the opening taken already; `to_end`: of a here-document, where quotes are characters.
    pub(super) fn double(&mut self, word: &mut Word, to_end: bool) {
        self.reader.quoted = true;
        // An empty pair of quotes is a word, too.
        word.0.push(Part::Text {
            text: String::new(),
            quoted: true,
        });
        while let Some(c) = self.reader.peek() {
            match c {
                '"' if !to_end => {
                    self.reader.next();
                    return;
                }
                '\\' => {
                    self.reader.next();
                    match self.reader.next() {
                        None | Some('\n') => {}
                        Some(c @ ('"' | '\\' | '$' | '`')) => word.push(c, true),
                        Some(c) => {
                            word.push('\\', true);
                            word.push(c, true);
                        }
                    }
                }
                '$' => self.dollar(word, true),
                '`' => self.backtick(word),
                c => {
                    self.reader.next();
                    word.push(c, true);
                }
            }
        }
    }

    pub(super) fn dollar(&mut self, word: &mut Word, quoted: bool) {
        self.reader.next();
        match self.reader.peek() {
            Some('(') if self.reader.ahead(1) == Some('(') => {
                self.reader.skip_arithmetic();
                word.0.push(Part::Unknown);
            }
            Some('(') => {
                self.reader.next();
                if self.depth < DEEPEST {
                    let keep = self.reader.quoted;
                    self.nested();
                    self.reader.quoted = keep;
                }
                word.0.push(Part::Unknown);
            }
            Some('{') => {
                let (part, inner) = self.reader.braced();
                word.0.push(part);
                // `${X:-$(command)}`
                if inner.contains("$(") || inner.contains('`') {
                    scripted(&inner, self.depth + 1, self.found);
                }
            }
            Some('\'') if !quoted => self.reader.ansi(word),
            Some('"') if !quoted => {
                self.reader.next();
                self.double(word, false);
            }
            Some(c) if c.is_ascii_alphanumeric() || "_@*#?$!-".contains(c) => {
                let name = self.reader.name();
                word.0.push(Part::Variable {
                    name,
                    guarded: false,
                    default: None,
                });
            }
            _ => word.push('$', quoted),
        }
    }

    pub(super) fn backtick(&mut self, word: &mut Word) {
        let inner = self.reader.backtick();
        scripted(&inner, self.depth + 1, self.found);
        word.0.push(Part::Unknown);
    }
}

/// `NAME=value` of a word.
pub(super) fn assignment(word: &Word) -> Option<(String, Word)> {
    let Some(Part::Text { text, quoted: false }) = word.0.first() else {
        return None;
    };
    let (name, rest) = text.split_once('=')?;
    let name = name.strip_suffix('+').unwrap_or(name);
    let mut chars = name.chars();
    let good = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !good || name.contains(UNKNOWN) {
        return None;
    }
    let mut value = Word::default();
    for c in rest.chars() {
        value.push(c, false);
    }
    value.0.extend(word.0.iter().skip(1).cloned());
    Some((name.to_owned(), value))
}
