//! YAML as Ansible writes it: byte for byte what PyYAML with libyaml's emitter gives, since whole files are made of it.

use std::borrow::Cow;

use minijinja::value::ValueKind;

use crate::vars::Value;
use crate::vars::fault::{Fault, Res};
use crate::vars::objects::{LONGEST_TEXT, Omit, is_list, is_map, list_items, map_pairs, undef};
use crate::vars::python::{self, Num, float_text, order, strict_number, type_name};
use crate::vars::{datetime, stack};
use crate::yaml::plain_scalar;

/// How YAML is written.
#[derive(Clone, Debug)]
pub(in crate::vars) struct Style {
    /// Blanks for each level.
    pub(in crate::vars) indent: usize,
    /// Lines are broken at a blank behind this column.
    pub(in crate::vars) width: usize,
    /// `[a, b]` always, never, or where only scalars are inside (`None`).
    pub(in crate::vars) flow: Option<bool>,
    /// Keys in order.
    pub(in crate::vars) sorted: bool,
    /// `---` before.
    pub(in crate::vars) start: bool,
    /// `...` behind.
    pub(in crate::vars) end: bool,
}

/// A value ready to be written.
enum Node {
    /// Text that means a number, a boolean or nothing.
    Plain(String),
    Text(String),
    List(Vec<Node>, bool),
    Map(Vec<(Node, Node)>, bool),
}

impl Node {
    fn is_scalar(&self) -> bool {
        matches!(self, Node::Plain(_) | Node::Text(_))
    }
}

/// Writes a value as one document.
pub(in crate::vars) fn write(value: &Value, style: &Style) -> Res<String> {
    let node = node(value, style)?;
    let mut emitter = Emitter {
        out: String::new(),
        style,
        column: 0,
        indent: None,
        flow_level: 0,
        whitespace: true,
        indention: true,
    };
    if style.start {
        emitter.out.push_str("---");
        emitter.column = 3;
        emitter.whitespace = false;
        emitter.indention = false;
    }
    emitter.node(&node, Place::Root)?;
    if !emitter.out.ends_with('\n') {
        emitter.out.push('\n');
    }
    if style.end {
        emitter.out.push_str("...\n");
    }
    Ok(emitter.out)
}

fn node(value: &Value, style: &Style) -> Res<Node> {
    if stack::is_low() {
        return Err(Fault::new("the value is nested too deeply"));
    }
    if let Some(undef) = undef(value) {
        return Err(undef.fault());
    }
    let is_omit = |value: &Value| value.downcast_object_ref::<Omit>().is_some();
    if let Some(text) = value.as_str() {
        return Ok(Node::Text(text.to_owned()));
    }
    if is_list(value) {
        let items = list_items(value)?.unwrap_or_default();
        let items = items.iter().filter(|item| !is_omit(item)).map(|item| node(item, style));
        let items: Vec<Node> = items.collect::<Res<_>>()?;
        let flow = style.flow.unwrap_or_else(|| items.iter().all(Node::is_scalar));
        return Ok(Node::List(items, flow));
    }
    if is_map(value) {
        let mut pairs = map_pairs(value)?.unwrap_or_default();
        pairs.retain(|(_, item)| !is_omit(item));
        if style.sorted {
            sort(&mut pairs);
        }
        let pairs = pairs.iter().map(|(k, v)| Ok((node(k, style)?, node(v, style)?)));
        let pairs: Vec<(Node, Node)> = pairs.collect::<Res<_>>()?;
        let flow = style
            .flow
            .unwrap_or_else(|| pairs.iter().all(|(k, v)| k.is_scalar() && v.is_scalar()));
        return Ok(Node::Map(pairs, flow));
    }
    Ok(match (value.kind(), strict_number(value)) {
        (ValueKind::None, _) => Node::Plain("null".to_owned()),
        (ValueKind::Bool, _) => Node::Plain(if value.is_true() { "true" } else { "false" }.to_owned()),
        (_, Some(Num::Int(n))) => Node::Plain(n.to_string()),
        (_, Some(Num::Float(n))) => Node::Plain(float(n)),
        (ValueKind::Bytes, _) => Node::Text(python::text(value)?),
        _ if datetime::is_time(value) => Node::Plain(python::text(value)?),
        _ => {
            let kind = type_name(value);
            return Err(Fault::new(format!("cannot write an object of type '{kind}' as YAML")));
        }
    })
}

/// In Python's order; keys that have none stay as they are.
fn sort(pairs: &mut [(Value, Value)]) {
    let mut comparable = true;
    for pair in pairs.windows(2) {
        if let [(a, _), (b, _)] = pair {
            comparable &= order(a, b, "<").is_ok();
        }
    }
    if comparable {
        pairs.sort_by(|(a, _), (b, _)| order(a, b, "<").ok().flatten().unwrap_or(std::cmp::Ordering::Equal));
    }
}

fn float(number: f64) -> String {
    if number.is_nan() {
        return ".nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let text = float_text(number);
    if text.contains('.') {
        text
    } else {
        text.replacen('e', ".0e", 1)
    }
}

/// What a node stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    Item,
    Key,
    Value,
}

struct Emitter<'s> {
    out: String,
    style: &'s Style,
    column: usize,
    indent: Option<usize>,
    flow_level: usize,
    /// The last character was blank.
    whitespace: bool,
    /// Nothing but indentation stands on the line.
    indention: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Quotes {
    None,
    Single,
    Double,
}

/// Which ways a text may be written.
#[derive(Default)]
struct Allowed {
    multiline: bool,
    flow_plain: bool,
    block_plain: bool,
    single: bool,
}

/// What libyaml writes as it is.
fn printable(c: char) -> bool {
    matches!(c, '\n' | '\u{20}'..='\u{7e}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}') && c != '\u{feff}'
}

fn is_break(c: char) -> bool {
    matches!(c, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn allowed(text: &str) -> Allowed {
    if text.is_empty() {
        return Allowed {
            block_plain: true,
            single: true,
            ..Allowed::default()
        };
    }
    let chars: Vec<char> = text.chars().collect();
    let blank = |i: usize| chars.get(i).is_none_or(|c| is_break(*c) || matches!(c, ' ' | '\t'));
    let (mut block_sign, mut flow_sign) = (false, false);
    if text.starts_with("---") || text.starts_with("...") {
        (block_sign, flow_sign) = (true, true);
    }
    let (mut breaks, mut special, mut break_space, mut space_break) = (false, false, false, false);
    let last = chars.len() - 1;
    for (i, c) in chars.iter().copied().enumerate() {
        let followed = blank(i + 1);
        let preceded = i == 0 || blank(i - 1);
        match c {
            '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`'
                if i == 0 =>
            {
                (block_sign, flow_sign) = (true, true);
            }
            '-' if i == 0 && followed => (block_sign, flow_sign) = (true, true),
            '?' if i == 0 => {
                flow_sign = true;
                block_sign |= followed;
            }
            ':' => {
                flow_sign = true;
                block_sign |= followed;
            }
            ',' | '?' | '[' | ']' | '{' | '}' => flow_sign = true,
            '#' if preceded => (block_sign, flow_sign) = (true, true),
            _ => {}
        }
        // To YAML 1.1 they end a line, to 1.2 they do not: as escapes they are the same to both.
        special |= !printable(c) || matches!(c, '\u{2028}' | '\u{2029}');
        breaks |= is_break(c);
        let before = i.checked_sub(1).and_then(|i| chars.get(i)).copied();
        break_space |= c == ' ' && before.is_some_and(is_break);
        space_break |= is_break(c) && before == Some(' ');
    }
    let edge = |i: usize| chars.get(i).is_some_and(|c| *c == ' ' || is_break(*c));
    let edges = edge(0) || edge(last);
    let plain = !(edges || break_space || space_break || special || breaks);
    Allowed {
        multiline: breaks,
        flow_plain: plain && !flow_sign,
        block_plain: plain && !block_sign,
        single: !(break_space || space_break || special),
    }
}

/// True when a plain text would be read as something else than text.
fn is_ambiguous(text: &str) -> bool {
    let date = || {
        let digits = |part: &str, least: usize, most: usize| {
            (least..=most).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit())
        };
        let mut parts = text.splitn(3, '-');
        let (Some(year), Some(month), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
            return false;
        };
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (day, tail) = rest.split_at(end);
        if !digits(year, 4, 4) || !digits(month, 1, 2) || !digits(day, 1, 2) {
            return false;
        }
        if tail.is_empty() {
            return month.len() == 2 && day.len() == 2;
        }
        let time = tail.trim_start_matches(['T', 't', ' ', '\t']);
        let hms = time.split(['.', 'Z', '+', '-', ' ']).next().unwrap_or("");
        let parts: Vec<&str> = hms.split(':').collect();
        time.len() < tail.len()
            && matches!(parts.as_slice(), [h, m, s] if digits(h, 1, 2) && digits(m, 2, 2) && digits(s, 2, 2))
    };
    // Numbers too large to be read as such are numbers nevertheless.
    let long_number = || {
        let digits = text.trim_start_matches(['-', '+']);
        digits.len() > 15
            && digits.starts_with(|c: char| c.is_ascii_digit())
            && digits.bytes().all(|b| b.is_ascii_digit() || b == b'_')
    };
    matches!(text, "=" | "<<") || plain_scalar(text).is_some() || long_number() || date()
}

impl Emitter<'_> {
    fn put(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += text.chars().count();
    }

    fn line_break(&mut self) {
        self.out.push('\n');
        self.column = 0;
    }

    fn write_indent(&mut self) {
        let indent = self.indent.unwrap_or(0);
        if !self.indention || self.column > indent || (self.column == indent && !self.whitespace) {
            self.line_break();
        }
        while self.column < indent {
            self.put(" ");
        }
        self.whitespace = true;
        self.indention = true;
    }

    fn indicator(&mut self, sign: &str, spaced: bool, whitespace: bool, indention: bool) {
        if spaced && !self.whitespace {
            self.put(" ");
        }
        self.put(sign);
        self.whitespace = whitespace;
        self.indention = self.indention && indention;
    }

    /// Runs one level deeper.
    fn deeper(&mut self, flow: bool, indentless: bool, run: impl FnOnce(&mut Self) -> Res<()>) -> Res<()> {
        let outer = self.indent;
        self.indent = match outer {
            None => Some(if flow { self.style.indent } else { 0 }),
            Some(indent) if indentless => Some(indent),
            Some(indent) => Some(indent + self.style.indent),
        };
        let result = run(self);
        self.indent = outer;
        result
    }

    fn node(&mut self, node: &Node, place: Place) -> Res<()> {
        if stack::is_low() || self.out.len() > LONGEST_TEXT {
            return Err(Fault::new("the value is too large or nested too deeply"));
        }
        match node {
            Node::Plain(text) => self.deeper(true, false, |e| {
                e.plain(text, place != Place::Key);
                Ok(())
            }),
            Node::Text(text) => self.deeper(true, false, |e| {
                e.text(text, place == Place::Key);
                Ok(())
            }),
            Node::List(items, flow) if *flow || self.flow_level > 0 || items.is_empty() => self.flow_list(items),
            Node::List(items, _) => {
                let indentless = place == Place::Value && !self.indention;
                self.deeper(false, indentless, |e| {
                    for item in items {
                        e.write_indent();
                        e.indicator("-", true, false, true);
                        e.node(item, Place::Item)?;
                    }
                    Ok(())
                })
            }
            Node::Map(pairs, flow) if *flow || self.flow_level > 0 || pairs.is_empty() => self.flow_map(pairs),
            Node::Map(pairs, _) => self.deeper(false, false, |e| {
                for (key, value) in pairs {
                    e.write_indent();
                    if is_simple_key(key) {
                        e.node(key, Place::Key)?;
                        e.indicator(":", false, false, false);
                    } else {
                        e.indicator("?", true, false, true);
                        e.node(key, Place::Item)?;
                        e.write_indent();
                        e.indicator(":", true, false, true);
                    }
                    e.node(value, Place::Value)?;
                }
                Ok(())
            }),
        }
    }

    fn flow_list(&mut self, items: &[Node]) -> Res<()> {
        self.indicator("[", true, true, false);
        self.flow_level += 1;
        self.deeper(true, false, |e| {
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    e.indicator(",", false, false, false);
                }
                if e.column > e.style.width {
                    e.write_indent();
                }
                e.node(item, Place::Item)?;
            }
            Ok(())
        })?;
        self.flow_level -= 1;
        self.indicator("]", false, false, false);
        Ok(())
    }

    fn flow_map(&mut self, pairs: &[(Node, Node)]) -> Res<()> {
        self.indicator("{", true, true, false);
        self.flow_level += 1;
        self.deeper(true, false, |e| {
            for (i, (key, value)) in pairs.iter().enumerate() {
                if i > 0 {
                    e.indicator(",", false, false, false);
                }
                if e.column > e.style.width {
                    e.write_indent();
                }
                if is_simple_key(key) {
                    e.node(key, Place::Key)?;
                    e.indicator(":", false, false, false);
                } else {
                    e.indicator("?", true, false, false);
                    e.node(key, Place::Item)?;
                    if e.column > e.style.width {
                        e.write_indent();
                    }
                    e.indicator(":", true, false, false);
                }
                e.node(value, Place::Value)?;
            }
            Ok(())
        })?;
        self.flow_level -= 1;
        self.indicator("}", false, false, false);
        Ok(())
    }

    fn text(&mut self, text: &str, is_key: bool) {
        let allowed = allowed(text);
        let in_flow = self.flow_level > 0;
        let mut quotes = if is_key && allowed.multiline {
            Quotes::Double
        } else {
            Quotes::None
        };
        if quotes == Quotes::None {
            let plain = if in_flow {
                allowed.flow_plain
            } else {
                allowed.block_plain
            };
            if !plain || text.is_empty() || is_ambiguous(text) {
                quotes = Quotes::Single;
            }
        }
        if quotes == Quotes::Single && !allowed.single {
            quotes = Quotes::Double;
        }
        match quotes {
            Quotes::None => self.plain(text, !is_key),
            Quotes::Single => self.single(text, !is_key),
            Quotes::Double => self.double(text, !is_key),
        }
    }

    fn plain(&mut self, text: &str, may_break: bool) {
        if !self.whitespace && (!text.is_empty() || self.flow_level > 0) {
            self.put(" ");
        }
        let mut spaces = false;
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            if c == ' ' {
                if may_break && !spaces && self.column > self.style.width && chars.peek() != Some(&' ') {
                    self.write_indent();
                } else {
                    self.put(" ");
                }
                spaces = true;
            } else {
                self.put(c.encode_utf8(&mut [0; 4]));
                self.indention = false;
                spaces = false;
            }
        }
        self.whitespace = false;
        self.indention = false;
    }

    fn single(&mut self, text: &str, may_break: bool) {
        self.indicator("'", true, false, false);
        let (mut spaces, mut breaks) = (false, false);
        let count = text.chars().count();
        let mut chars = text.chars().enumerate().peekable();
        while let Some((i, c)) = chars.next() {
            let next = chars.peek().map(|(_, c)| *c);
            if c == ' ' {
                let inside = i > 0 && i + 1 < count;
                if may_break && !spaces && self.column > self.style.width && inside && next != Some(' ') {
                    self.write_indent();
                } else {
                    self.put(" ");
                }
                spaces = true;
            } else if is_break(c) {
                if !breaks && c == '\n' {
                    self.line_break();
                }
                if c == '\n' {
                    self.line_break();
                } else {
                    self.out.push(c);
                    self.column = 0;
                }
                self.indention = true;
                breaks = true;
            } else {
                if breaks {
                    self.write_indent();
                }
                if c == '\'' {
                    self.put("'");
                }
                self.put(c.encode_utf8(&mut [0; 4]));
                self.indention = false;
                spaces = false;
                breaks = false;
            }
        }
        if breaks {
            self.write_indent();
        }
        self.indicator("'", false, false, false);
    }

    fn double(&mut self, text: &str, may_break: bool) {
        self.indicator("\"", true, false, false);
        let mut spaces = false;
        let count = text.chars().count();
        let mut chars = text.chars().enumerate().peekable();
        while let Some((i, c)) = chars.next() {
            if !printable(c) || is_break(c) || matches!(c, '"' | '\\' | '\u{feff}') {
                let escaped = escape(c);
                self.put(&escaped);
                spaces = false;
            } else if c == ' ' {
                if may_break && !spaces && self.column > self.style.width && i > 0 && i + 1 < count {
                    self.write_indent();
                    if chars.peek().map(|(_, c)| *c) == Some(' ') {
                        self.put("\\");
                    }
                } else {
                    self.put(" ");
                }
                spaces = true;
            } else {
                self.put(c.encode_utf8(&mut [0; 4]));
                spaces = false;
            }
        }
        self.indicator("\"", false, false, false);
    }
}

fn escape(c: char) -> Cow<'static, str> {
    Cow::Borrowed(match c {
        '\0' => "\\0",
        '\u{7}' => "\\a",
        '\u{8}' => "\\b",
        '\t' => "\\t",
        '\n' => "\\n",
        '\u{b}' => "\\v",
        '\u{c}' => "\\f",
        '\r' => "\\r",
        '\u{1b}' => "\\e",
        '"' => "\\\"",
        '\\' => "\\\\",
        '\u{85}' => "\\N",
        '\u{a0}' => "\\_",
        '\u{2028}' => "\\L",
        '\u{2029}' => "\\P",
        c => {
            let code = u32::from(c);
            return Cow::Owned(match code {
                0..=0xff => format!("\\x{code:02X}"),
                0x100..=0xffff => format!("\\u{code:04X}"),
                _ => format!("\\U{code:08X}"),
            });
        }
    })
}

/// A key that stands before its colon; others are written behind `? `.
fn is_simple_key(node: &Node) -> bool {
    match node {
        Node::Plain(text) => text.len() <= 128,
        Node::Text(text) => text.len() <= 128 && !text.contains(is_break),
        Node::List(items, _) => items.is_empty(),
        Node::Map(pairs, _) => pairs.is_empty(),
    }
}
