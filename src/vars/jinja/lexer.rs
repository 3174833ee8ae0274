//! Template text becomes tokens, with Jinja2's rules for blanks around tags.

use std::sync::Arc;

use crate::vars::fault::{Fault, Res};
use crate::vars::templar::FileOptions;

/// One token and the line it stands on.
#[derive(Clone, Debug)]
pub(in crate::vars) struct Token {
    /// What it is.
    pub(in crate::vars) tok: Tok,
    /// The line, from 1.
    pub(in crate::vars) line: u32,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::vars) enum Tok {
    /// Text outside of tags.
    Data(String),
    /// `{{`.
    VarStart,
    /// `}}`.
    VarEnd,
    /// `{%`.
    BlockStart,
    /// `%}`.
    BlockEnd,
    /// A word.
    Name(String),
    /// Text in quotes, its escapes done.
    Str(String),
    /// A whole number.
    Int(i128),
    /// Any other number.
    Float(f64),
    /// An operator or a bracket.
    Op(&'static str),
    /// The end of the template.
    End,
}

impl Tok {
    /// The token in words, for messages.
    pub(in crate::vars) fn shown(&self) -> String {
        match self {
            Tok::Data(_) => "text".to_owned(),
            Tok::VarStart => "begin of print statement".to_owned(),
            Tok::VarEnd => "end of print statement".to_owned(),
            Tok::BlockStart => "begin of statement block".to_owned(),
            Tok::BlockEnd => "end of statement block".to_owned(),
            Tok::Name(name) => format!("`{}`", short(name)),
            Tok::Str(text) => format!("the text '{}'", short(text)),
            Tok::Int(n) => format!("`{n}`"),
            Tok::Float(n) => format!("`{n}`"),
            Tok::Op(op) => format!("`{op}`"),
            Tok::End => "end of template".to_owned(),
        }
    }
}

fn short(text: &str) -> String {
    if text.chars().count() > 40 {
        format!("{}…", text.chars().take(40).collect::<String>())
    } else {
        text.to_owned()
    }
}

/// Longest first, so that `**` is not two `*`.
const OPERATORS: [&str; 25] = [
    "**", "//", "==", "!=", "<=", ">=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", "<", ">", "=", ".",
    ":", "|", ",",
];

/// The most characters one template may have.
const LONGEST: usize = 16 << 20;

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    line: u32,
    options: &'a FileOptions,
    raw_strings: bool,
    tokens: Vec<Token>,
    /// The text before the current place ended with a line feed (or nothing came before).
    line_starting: bool,
    /// Where the next block, variable and comment begin, as far as looked for: `None` is nowhere.
    ahead: [Option<usize>; 3],
}

/// Reads a template. `raw_strings`: a backslash in a text inside `{{ }}` is a backslash, as in Ansible's playbooks.
pub(in crate::vars) fn template(text: &str, options: &FileOptions, raw_strings: bool) -> Res<Vec<Token>> {
    if text.len() > LONGEST {
        return Err(Fault::new("the template is longer than 16 MiB"));
    }
    let text = if text.contains('\r') {
        text.replace("\r\n", "\n").replace('\r', "\n")
    } else {
        text.to_owned()
    };
    // One final line feed is not part of a template; the caller puts it back.
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let mut lexer = Lexer::new(text, options, raw_strings);
    lexer.root()?;
    lexer.push(Tok::End);
    Ok(lexer.tokens)
}

/// Reads a bare expression.
pub(in crate::vars) fn expression(text: &str, options: &FileOptions) -> Res<Vec<Token>> {
    if text.len() > LONGEST {
        return Err(Fault::new("the expression is longer than 16 MiB"));
    }
    let mut lexer = Lexer::new(text, options, false);
    lexer.code(None, false)?;
    lexer.push(Tok::End);
    Ok(lexer.tokens)
}

impl<'a> Lexer<'a> {
    fn new(text: &'a str, options: &'a FileOptions, raw_strings: bool) -> Self {
        Self {
            text,
            at: 0,
            line: 1,
            options,
            raw_strings,
            tokens: Vec::new(),
            line_starting: true,
            ahead: [Some(0); 3],
        }
    }

    /// Where the text `start` comes next, counted from here. What was found far ahead, or nowhere, is remembered: to look
    /// for it behind every tag would take the square of the length.
    fn find_ahead(&mut self, which: usize, start: &str) -> Option<usize> {
        let known = self.ahead.get_mut(which)?;
        let place = (*known)?;
        if place < self.at || !self.text.get(place..)?.starts_with(start) {
            *known = self.text.get(self.at..)?.find(start).map(|at| at + self.at);
        }
        known.map(|place| place - self.at)
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn push(&mut self, tok: Tok) {
        self.tokens.push(Token { tok, line: self.line });
    }

    fn advance(&mut self, bytes: usize) {
        let passed = self.rest().get(..bytes).unwrap_or("");
        self.line = self
            .line
            .saturating_add(u32::try_from(passed.matches('\n').count()).unwrap_or(u32::MAX));
        if !passed.is_empty() {
            self.line_starting = passed.ends_with('\n');
        }
        self.at += bytes;
    }

    fn fault(&self, message: impl Into<String>) -> Fault {
        Fault::new(message).on_line(self.line)
    }

    fn root(&mut self) -> Res<()> {
        loop {
            let rest = self.rest();
            let options = self.options;
            let starts = [
                (options.block_start.as_str(), 'b'),
                (options.variable_start.as_str(), 'v'),
                (options.comment_start.as_str(), 'c'),
            ];
            // The earliest tag; of two at the same place the longer one.
            let found = starts
                .iter()
                .enumerate()
                .filter(|(_, (start, _))| !start.is_empty())
                .filter_map(|(which, (start, kind))| Some((self.find_ahead(which, start)?, start.len(), *kind)))
                .min_by_key(|(at, len, _)| (*at, usize::MAX - len));
            let Some((at, len, kind)) = found else {
                if !rest.is_empty() {
                    self.push(Tok::Data(rest.to_owned()));
                }
                self.advance(rest.len());
                return Ok(());
            };
            let data = rest.get(..at).unwrap_or("");
            let sign = rest.get(at + len..).and_then(|tail| tail.chars().next());
            let kept = self.before_tag(data, sign, kind != 'v');
            if !kept.is_empty() {
                self.push(Tok::Data(kept.to_owned()));
            }
            self.advance(at + len);
            let signed = usize::from(matches!(sign, Some('-' | '+')));
            match kind {
                'c' => self.comment()?,
                'v' => {
                    self.advance(signed);
                    self.push(Tok::VarStart);
                    self.code(Some(false), self.raw_strings)?;
                }
                _ => {
                    self.advance(signed);
                    if self.raw_block()? {
                        continue;
                    }
                    self.push(Tok::BlockStart);
                    self.code(Some(true), false)?;
                }
            }
        }
    }

    /// What of the text before a tag is kept.
    fn before_tag<'t>(&self, data: &'t str, sign: Option<char>, lstrip: bool) -> &'t str {
        match sign {
            Some('-') => data.trim_end(),
            Some('+') => data,
            _ if lstrip && self.options.lstrip_blocks => {
                let start = data.rfind('\n').map_or(0, |at| at + 1);
                let tail = data.get(start..).unwrap_or("");
                if (start > 0 || self.line_starting) && tail.chars().all(char::is_whitespace) {
                    data.get(..start).unwrap_or(data)
                } else {
                    data
                }
            }
            _ => data,
        }
    }

    /// Passes the end of a block or comment and the blanks that go with it; `sign`: the character before the end.
    fn after_block(&mut self, end: &str, sign: Option<char>) {
        self.advance(usize::from(sign.is_some()) + end.len());
        match sign {
            Some('-') => {
                let blanks = self.rest().len() - self.rest().trim_start().len();
                self.advance(blanks);
            }
            None if self.options.trim_blocks && self.rest().starts_with('\n') => self.advance(1),
            _ => {}
        }
    }

    fn comment(&mut self) -> Res<()> {
        let end = self.options.comment_end.clone();
        let Some(at) = self.rest().find(&end) else {
            return Err(self.fault("missing end of comment tag"));
        };
        let sign = self
            .rest()
            .get(..at)
            .and_then(|body| body.chars().next_back())
            .filter(|c| matches!(c, '-' | '+'));
        self.advance(at - usize::from(sign.is_some()));
        self.after_block(&end, sign);
        Ok(())
    }

    /// `{% raw %} … {% endraw %}`; the block start has been passed.
    fn raw_block(&mut self) -> Res<bool> {
        let end = self.options.block_end.clone();
        let Some(used) = word_and_end(self.rest(), "raw", &end) else {
            return Ok(false);
        };
        self.advance(used.before_end);
        self.after_block(&end, used.sign);
        let start = self.options.block_start.clone();
        let mut from = 0;
        loop {
            let Some(found) = self.rest().get(from..).and_then(|tail| tail.find(&start)) else {
                return Err(self.fault("missing end of raw directive"));
            };
            let at = from + found;
            let after = self.rest().get(at + start.len()..).unwrap_or("");
            let sign = after.chars().next().filter(|c| matches!(c, '-' | '+'));
            let body_at = usize::from(sign.is_some());
            if let Some(used) = word_and_end(after.get(body_at..).unwrap_or(""), "endraw", &end) {
                let body = self.rest().get(..at).unwrap_or("");
                let kept = self.before_tag(body, sign, true).to_owned();
                if !kept.is_empty() {
                    self.push(Tok::Data(kept));
                }
                self.advance(at + start.len() + body_at + used.before_end);
                self.after_block(&end, used.sign);
                return Ok(true);
            }
            from = at + start.len();
        }
    }

    /// The inside of a tag. `block`: `None` for a bare expression, else whether a block's end is waited for.
    fn code(&mut self, block: Option<bool>, raw_strings: bool) -> Res<()> {
        let end: Arc<str> = match block {
            Some(true) => self.options.block_end.as_str().into(),
            Some(false) => self.options.variable_end.as_str().into(),
            None => "".into(),
        };
        let mut open: Vec<&'static str> = Vec::new();
        loop {
            let blanks = self.rest().len() - self.rest().trim_start().len();
            self.advance(blanks);
            let rest = self.rest();
            if let Some(block) = block
                && open.is_empty()
            {
                let sign = rest.chars().next().filter(|c| matches!(c, '-' | '+'));
                let ahead = rest.get(usize::from(sign.is_some())..).unwrap_or("");
                let signed_end = sign.is_some() && ahead.starts_with(&*end) && (block || sign == Some('-'));
                if signed_end || rest.starts_with(&*end) {
                    let sign = if signed_end { sign } else { None };
                    self.push(if block { Tok::BlockEnd } else { Tok::VarEnd });
                    if block {
                        self.after_block(&end, sign);
                    } else {
                        self.advance(end.len() + usize::from(sign.is_some()));
                        if sign.is_some() {
                            let blanks = self.rest().len() - self.rest().trim_start().len();
                            self.advance(blanks);
                        }
                    }
                    return Ok(());
                }
            }
            let Some(first) = rest.chars().next() else {
                return match block {
                    None => Ok(()),
                    Some(true) => {
                        Err(self.fault("unexpected end of template, expected the end of the statement block"))
                    }
                    Some(false) => Err(self
                        .fault("unexpected end of template, expected the end of the print statement")
                        .help(format!("close it with `{end}`"))),
                };
            };
            if first.is_alphabetic() || first == '_' {
                let len = rest
                    .find(|c: char| !(c.is_alphanumeric() || c == '_'))
                    .unwrap_or(rest.len());
                self.push(Tok::Name(rest.get(..len).unwrap_or("").to_owned()));
                self.advance(len);
            } else if first.is_ascii_digit() {
                self.number()?;
            } else if first == '"' || first == '\'' {
                self.string(first, raw_strings)?;
            } else if let Some(op) = OPERATORS.iter().find(|op| rest.starts_with(**op)) {
                match *op {
                    "(" | "[" | "{" => open.push(op),
                    ")" | "]" | "}" => {
                        let expected = match open.pop() {
                            Some("(") => ")",
                            Some("[") => "]",
                            Some(_) => "}",
                            None => return Err(self.fault(format!("unexpected `{op}`"))),
                        };
                        if *op != expected {
                            return Err(self.fault(format!("unexpected `{op}`, expected `{expected}`")));
                        }
                    }
                    _ => {}
                }
                self.push(Tok::Op(op));
                self.advance(op.len());
            } else {
                return Err(self.fault(format!("unexpected character `{first}` in a template expression")));
            }
        }
    }

    fn number(&mut self) -> Res<()> {
        let rest = self.rest();
        let bytes = rest.as_bytes();
        let digit_run = |from: usize, radix: u32| {
            let part = rest.get(from..).unwrap_or("");
            part.find(|c: char| !(c.is_digit(radix) || c == '_'))
                .unwrap_or(part.len())
        };
        let radix = match (bytes.first(), bytes.get(1).map(u8::to_ascii_lowercase)) {
            (Some(b'0'), Some(b'x')) => 16,
            (Some(b'0'), Some(b'o')) => 8,
            (Some(b'0'), Some(b'b')) => 2,
            _ => 10,
        };
        if radix != 10 {
            let len = 2 + digit_run(2, radix);
            let digits = rest.get(2..len).unwrap_or("").replace('_', "");
            let number = i128::from_str_radix(&digits, radix).map_err(|_| self.fault("bad number"))?;
            self.push(Tok::Int(number));
            self.advance(len);
            return Ok(());
        }
        let whole = digit_run(0, 10);
        let mut len = whole;
        // `a.0.1` is two indexes, not a fraction.
        let after_dot = self.at > 0 && self.text.as_bytes().get(self.at - 1) == Some(&b'.');
        if !after_dot {
            if bytes.get(len) == Some(&b'.') && bytes.get(len + 1).is_some_and(u8::is_ascii_digit) {
                len += 1 + digit_run(len + 1, 10);
            }
            if matches!(bytes.get(len), Some(b'e' | b'E')) {
                let signed = usize::from(matches!(bytes.get(len + 1), Some(b'+' | b'-')));
                if bytes.get(len + 1 + signed).is_some_and(u8::is_ascii_digit) {
                    len += 1 + signed;
                    len += digit_run(len, 10);
                }
            }
        }
        let digits = rest.get(..len).unwrap_or("").replace('_', "");
        let tok = if len == whole {
            Tok::Int(digits.parse().map_err(|_| self.fault("the number is too large"))?)
        } else {
            Tok::Float(digits.parse().map_err(|_| self.fault("bad number"))?)
        };
        self.push(tok);
        self.advance(len);
        Ok(())
    }

    fn string(&mut self, quote: char, raw: bool) -> Res<()> {
        let rest = self.rest();
        let mut escaped = false;
        let end = rest.char_indices().skip(1).find_map(|(at, c)| {
            if escaped {
                escaped = false;
            } else if c == '\\' {
                escaped = true;
            } else if c == quote {
                return Some(at);
            }
            None
        });
        let Some(end) = end else {
            return Err(self
                .fault("a text in quotes is not closed")
                .help(format!("add the missing {quote}")));
        };
        let body = rest.get(1..end).unwrap_or("");
        let text = if raw || !body.contains('\\') {
            body.to_owned()
        } else {
            unescape(body).map_err(|message| self.fault(message))?
        };
        self.push(Tok::Str(text));
        self.advance(end + 1);
        Ok(())
    }
}

struct Used {
    before_end: usize,
    sign: Option<char>,
}

/// Matches ` word [-+]END` and tells how many bytes come before the sign.
fn word_and_end(text: &str, word: &str, end: &str) -> Option<Used> {
    let rest = text.trim_start().strip_prefix(word)?.trim_start();
    let before_end = text.len() - rest.len();
    let sign = rest.chars().next().filter(|c| matches!(c, '-' | '+'));
    rest.get(usize::from(sign.is_some())..)?
        .starts_with(end)
        .then_some(Used { before_end, sign })
}

/// Python's escapes; unknown ones stay as they are.
fn unescape(body: &str) -> Result<String, &'static str> {
    let mut out = String::with_capacity(body.len());
    let mut chars = body.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('\n') => {}
            Some(c @ ('\\' | '\'' | '"')) => out.push(c),
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('a') => out.push('\u{7}'),
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('v') => out.push('\u{b}'),
            Some(kind @ ('x' | 'u' | 'U')) => {
                let count = match kind {
                    'x' => 2,
                    'u' => 4,
                    _ => 8,
                };
                let mut code = 0;
                for _ in 0..count {
                    let digit = chars.next().and_then(|c| c.to_digit(16));
                    code = code * 16 + digit.ok_or("bad `\\x` or `\\u` escape in a text")?;
                }
                out.push(char::from_u32(code).ok_or("no such character in an escape")?);
            }
            Some(first @ '0'..='7') => {
                let mut code = first.to_digit(8).unwrap_or(0);
                for _ in 0..2 {
                    if let Some(digit) = chars.peek().and_then(|c| c.to_digit(8)) {
                        code = code * 8 + digit;
                        chars.next();
                    }
                }
                out.push(char::from_u32(code).ok_or("no such character in an escape")?);
            }
            Some(other) => {
                out.push('\\');
                out.push(other);
            }
            None => out.push('\\'),
        }
    }
    Ok(out)
}
