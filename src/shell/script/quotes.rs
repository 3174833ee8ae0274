//! The characters of a script, and what quotes and `${…}` make of them.

use super::{Part, Word};

/// Reads characters one by one.
pub(super) struct Reader<'a> {
    chars: &'a [char],
    at: usize,
    /// The last word had quotes.
    pub quoted: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(chars: &'a [char]) -> Self {
        Self {
            chars,
            at: 0,
            quoted: false,
        }
    }

    pub(super) fn was_quoted(&self) -> bool {
        self.quoted
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.ahead(0)
    }

    pub(super) fn ahead(&self, by: usize) -> Option<char> {
        self.chars.get(self.at + by).copied()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        Some(c)
    }

    pub(super) fn skip(&mut self, wanted: char) -> bool {
        let is_there = self.peek() == Some(wanted);
        self.at += usize::from(is_there);
        is_there
    }

    pub(super) fn rest(&self) -> String {
        self.chars.get(self.at..).unwrap_or_default().iter().collect()
    }

    /// A whole line, its end taken off.
    pub(super) fn line(&mut self) -> Option<String> {
        self.peek()?;
        let mut line = String::new();
        while let Some(c) = self.next() {
            if c == '\n' {
                break;
            }
            line.push(c);
        }
        Some(line)
    }

    /// `'…'`.
    pub(super) fn single(&mut self, word: &mut Word) {
        self.next();
        self.quoted = true;
        word.0.push(Part::Text {
            text: String::new(),
            quoted: true,
        });
        while let Some(c) = self.next() {
            if c == '\'' {
                return;
            }
            word.push(c, true);
        }
    }

    /// `$'…'`, at the quote.
    pub(super) fn ansi(&mut self, word: &mut Word) {
        self.next();
        self.quoted = true;
        while let Some(c) = self.next() {
            match c {
                '\'' => return,
                '\\' => {
                    let c = match self.next() {
                        Some('n') => '\n',
                        Some('t') => '\t',
                        Some('x') => self.number(16, 2),
                        Some(first @ '0'..='7') => {
                            self.at -= 1;
                            let _ = first;
                            self.number(8, 3)
                        }
                        Some(c) => c,
                        None => return,
                    };
                    word.push(c, true);
                }
                c => word.push(c, true),
            }
        }
    }

    fn number(&mut self, base: u32, most: usize) -> char {
        let mut value = 0;
        for _ in 0..most {
            let Some(digit) = self.peek().and_then(|c| c.to_digit(base)) else {
                break;
            };
            value = value * base + digit;
            self.at += 1;
        }
        char::from_u32(value).unwrap_or('?')
    }

    /// A variable's name behind `$`.
    pub(super) fn name(&mut self) -> String {
        let mut name = String::new();
        while let Some(c) = self.peek() {
            let special = !(c.is_ascii_alphanumeric() || c == '_');
            if special && !name.is_empty() {
                break;
            }
            name.push(c);
            self.at += 1;
            // `$1`, `$@`: one character.
            if special || (name.len() == 1 && c.is_ascii_digit()) {
                break;
            }
        }
        name
    }

    /// `${…}`, at the brace: the variable, and the text inside.
    pub(super) fn braced(&mut self) -> (Part, String) {
        self.next();
        let mut inner = String::new();
        let mut depth = 1;
        while let Some(c) = self.next() {
            match c {
                '{' => depth += 1,
                '}' => {
                    depth -= 1;
                    if depth == 0 {
                        break;
                    }
                }
                '\\' => {
                    inner.push(c);
                    if let Some(c) = self.next() {
                        inner.push(c);
                    }
                    continue;
                }
                _ => {}
            }
            inner.push(c);
        }
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let text = inner.trim_start_matches(['#', '!']);
        let name: String = text.chars().take_while(|c| is_name(*c)).collect();
        let rest = text.get(name.len()..).unwrap_or_default();
        let guarded = rest.starts_with(":?") || rest.starts_with('?');
        let default = rest
            .strip_prefix(":-")
            .or_else(|| rest.strip_prefix('-'))
            .or_else(|| rest.strip_prefix(":="))
            .map(|text| text.trim_matches(['"', '\'']).to_owned())
            .filter(|text| !text.is_empty());
        // `${#NAME}` is a number.
        let part = if inner.starts_with('#') && inner.len() > 1 {
            Part::Unknown
        } else {
            Part::Variable { name, guarded, default }
        };
        (part, inner)
    }

    /// `$(( … ))`, at the first of the two.
    pub(super) fn skip_arithmetic(&mut self) {
        let mut depth = 0;
        while let Some(c) = self.next() {
            match c {
                '(' => depth += 1,
                ')' => {
                    depth -= 1;
                    if depth == 0 {
                        return;
                    }
                }
                _ => {}
            }
        }
    }

    /// `` `…` ``: the text inside, its backslashes taken off.
    pub(super) fn backtick(&mut self) -> String {
        self.next();
        let mut inner = String::new();
        while let Some(c) = self.next() {
            match c {
                '`' => break,
                '\\' => match self.next() {
                    Some(c @ ('`' | '\\' | '$')) => inner.push(c),
                    Some(c) => inner.extend(['\\', c]),
                    None => {}
                },
                c => inner.push(c),
            }
        }
        inner
    }
}
