//! Redirections and here-documents.

use super::lex::{DEEPEST, Lexer};
use super::quotes::Reader;
use super::{Input, Redirect, Simple, Word};

/// A here-document whose text begins after the line.
pub(super) struct HereDoc {
    pub(super) end: String,
    strip: bool,
    quoted: bool,
}

impl Lexer<'_, '_> {
    /// `>`, `2>>`, `<<EOF`, `&>` with the word behind it.
    pub(super) fn redirect(&mut self, command: &mut Simple) {
        let mut sign = String::new();
        while let Some(c) = self.reader.peek() {
            let more = format!("{sign}{c}");
            let known = [
                "<", ">", ">>", ">|", "<>", "<<", "<<-", "<<<", ">&", "<&", "&", "&>", "&>>",
            ];
            if !known.contains(&more.as_str()) {
                break;
            }
            sign = more;
            self.reader.next();
        }
        self.blanks(false);
        let target = self.word();
        match sign.as_str() {
            "<<" | "<<-" => {
                self.here.push(HereDoc {
                    end: target.to_string(),
                    strip: sign == "<<-",
                    quoted: self.reader.was_quoted(),
                });
                if let Some(text) = self.here_document_ahead() {
                    command.input = Input::Text(text);
                }
            }
            "<<<" => command.input = Input::Text(target.to_string()),
            "<" => {
                command.input = Input::File;
                command.redirects.push(Redirect { writes: false, target });
            }
            "<&" => {}
            ">&" if target
                .text()
                .is_some_and(|t| t == "-" || t.bytes().all(|b| b.is_ascii_digit())) => {}
            _ => command.redirects.push(Redirect { writes: true, target }),
        }
    }

    /// The text of the here-document that was just announced: it stands behind the line, after those announced before.
    pub(super) fn here_document_ahead(&self) -> Option<String> {
        let rest = self.reader.rest();
        let mut lines = rest.split('\n');
        lines.next()?;
        let mut text = String::new();
        for (number, doc) in self.here.iter().enumerate() {
            text.clear();
            for line in lines.by_ref() {
                let line = if doc.strip { line.trim_start_matches('\t') } else { line };
                if line.trim_end_matches('\r') == doc.end {
                    break;
                }
                text.push_str(line);
                text.push('\n');
            }
            if number + 1 == self.here.len() {
                return Some(text);
            }
        }
        None
    }

    /// Behind the line: the announced here-documents are no commands. What an unquoted one substitutes is.
    pub(super) fn here_documents(&mut self) {
        for doc in std::mem::take(&mut self.here) {
            let mut text = String::new();
            while let Some(line) = self.reader.line() {
                let line = if doc.strip {
                    line.trim_start_matches('\t').to_owned()
                } else {
                    line
                };
                if line.trim_end_matches('\r') == doc.end {
                    break;
                }
                text.push_str(&line);
                text.push('\n');
            }
            if !doc.quoted && self.depth < DEEPEST {
                let chars: Vec<char> = text.chars().collect();
                let mut lexer = Lexer {
                    reader: Reader::new(&chars),
                    depth: self.depth + 1,
                    found: self.found,
                    here: Vec::new(),
                };
                lexer.double(&mut Word::default(), true);
            }
        }
    }
}
