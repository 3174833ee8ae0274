//! Text to tree.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use granit_parser::{Event, Options, Parser, ScalarStyle, Tag};

use crate::source::{Diagnostic, SourceFile, Span};
use crate::yaml::{Kind, Node, Text, TextUse, scalar};

/// Deepest nesting of lists and mappings.
const DEPTH: usize = 64;
/// Most values that aliases may add: more is a bomb.
const ALIASED: usize = 200_000;

/// Reads the one document of a file. An empty file is `Null`. Of a file that was encrypted a mistake tells the place
/// alone: any other word may be a piece of it.
pub fn parse(file: &Arc<SourceFile>) -> Result<Node, Diagnostic> {
    read(file).map_err(|mistake| match mistake.at {
        Some(at) if file.is_hidden => Diagnostic::new("invalid YAML in the encrypted file").at(at),
        Some(_) | None => mistake,
    })
}

fn read(file: &Arc<SourceFile>) -> Result<Node, Diagnostic> {
    let mut options = Options::default();
    options.flow_nesting_limit = DEPTH + 1;
    options.block_nesting_limit = DEPTH + 1;
    options.emit_comments = false;
    let mut reader = Reader {
        file,
        parser: Parser::new_from_str_with_options(&file.text, options),
        anchors: HashMap::new(),
        aliased: 0,
    };
    reader.document()
}

/// Reads YAML that does not come from a file: a value of `--extra-vars`, a variable of an INI inventory.
pub fn parse_text(origin: &str, text: &str) -> Result<Node, Diagnostic> {
    parse(&SourceFile::new(origin, text))
}

struct Reader<'a> {
    file: &'a Arc<SourceFile>,
    parser: Parser<'a, granit_parser::StrInput<'a>>,
    /// Finished anchors with the number of values in each.
    anchors: HashMap<usize, (Node, usize)>,
    aliased: usize,
}

type Found<'a> = (Event<'a>, Span);

impl<'a> Reader<'a> {
    fn document(&mut self) -> Result<Node, Diagnostic> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentEnd => {}
                Event::DocumentStart(..) if root.is_some() => {
                    return Err(Diagnostic::new("a second YAML document in the file; one is expected").at(span));
                }
                Event::DocumentStart(..) => {
                    let first = self.next()?;
                    root = Some(self.node(first, 0)?.0);
                }
                Event::StreamEnd => {
                    return Ok(root.unwrap_or(Node {
                        span: Span::new(self.file, 1, 1),
                        kind: Kind::Null,
                    }));
                }
                other => return Err(Diagnostic::new(format!("unexpected YAML: {other:?}")).at(span)),
            }
        }
    }

    fn next(&mut self) -> Result<Found<'a>, Diagnostic> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => {
                let place = place(self.file, &span.start);
                Ok((event, place))
            }
            Some(Err(error)) => Err(self.explain(&error)),
            None => {
                Err(Diagnostic::new("the YAML ends too early").at(Span::at_offset(self.file, self.file.text.len())))
            }
        }
    }

    /// The parser's message, with a hint where the cause is one of the usual ones.
    fn explain(&self, error: &granit_parser::ScanError) -> Diagnostic {
        let mut span = place(self.file, error.marker());
        let text = error.to_string();
        let message = text.split(" at char ").next().unwrap_or(&text).trim().to_owned();
        let line_of = |number: u32| {
            self.file
                .text
                .lines()
                .nth(number.saturating_sub(1) as usize)
                .unwrap_or("")
        };
        // An open quote is noticed far below, often at the end of the file.
        if message.contains("quoted scalar")
            && let Some(open) = self.open_quote(span.line)
        {
            return Diagnostic::new("invalid YAML: a quote is opened and never closed").at(open);
        }
        let mut diagnostic = Diagnostic::new(format!("invalid YAML: {message}"));
        // A tab in the indentation is often noticed one line late.
        for number in [span.line, span.line.saturating_sub(1)] {
            let line = line_of(number);
            let indent = &line[..line.len() - line.trim_start().len()];
            if number > 0 && indent.contains('\t') {
                let column = indent.chars().position(|c| c == '\t').unwrap_or(0) + 1;
                span = Span::new(self.file, number, u32::try_from(column).unwrap_or(u32::MAX));
                return Diagnostic::new("invalid YAML: a tab is used for indentation")
                    .at(span)
                    .help("indent with spaces");
            }
        }
        let line = line_of(span.line);
        if line.matches(": ").count() > 1 {
            diagnostic = diagnostic.help("a value that holds `: ` must be quoted: key: \"value: more\"");
        } else if line.contains("{{") {
            diagnostic = diagnostic.help("a value that begins with `{{` must be quoted: key: \"{{ name }}\"");
        }
        diagnostic.at(span)
    }

    /// The last place above `line` where a quote is opened and not closed on its line.
    fn open_quote(&self, line: u32) -> Option<Span> {
        let lines: Vec<&str> = self.file.text.lines().take(line as usize).collect();
        let found = lines.iter().enumerate().rev().find_map(|(at, text)| {
            let mut open: Option<(usize, char)> = None;
            let mut before = ' ';
            for (column, c) in text.chars().enumerate() {
                match open {
                    Some((_, quote)) if c == quote && before != '\\' => open = None,
                    // A quote inside of a word is an apostrophe.
                    None if matches!(c, '"' | '\'') && matches!(before, ' ' | '[' | '{' | ',' | '(') => {
                        open = Some((column, c));
                    }
                    Some(_) | None => {}
                }
                before = c;
            }
            open.map(|(column, _)| (at + 1, column + 1))
        });
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        found.map(|(at, column)| Span::new(self.file, number(at), number(column)))
    }

    /// Reads the value that `first` begins; gives it with the number of values in it.
    fn node(&mut self, first: Found<'a>, depth: usize) -> Result<(Node, usize), Diagnostic> {
        let (event, span) = first;
        if depth > DEPTH {
            return Err(Diagnostic::new(format!("nested deeper than {DEPTH} levels")).at(span));
        }
        match event {
            Event::Alias(id) => self.alias(id, &span),
            Event::Scalar(text, style, anchor, tag) => {
                let kind = scalar_kind(&text, style, tag.as_deref(), &span)?;
                Ok(self.keep(anchor, Node { span, kind }, 1))
            }
            Event::SequenceStart(_, anchor, tag) => {
                check_tag(tag.as_deref(), "seq", &span)?;
                let mut items = Vec::new();
                let mut count = 1;
                loop {
                    let next = self.next()?;
                    if matches!(next.0, Event::SequenceEnd) {
                        break;
                    }
                    let (item, size) = self.node(next, depth + 1)?;
                    items.push(item);
                    count += size;
                }
                Ok(self.keep(
                    anchor,
                    Node {
                        span,
                        kind: Kind::List(items),
                    },
                    count,
                ))
            }
            Event::MappingStart(_, anchor, tag) => {
                check_tag(tag.as_deref(), "map", &span)?;
                let (entries, count) = self.entries(depth)?;
                Ok(self.keep(
                    anchor,
                    Node {
                        span,
                        kind: Kind::Map(entries),
                    },
                    count,
                ))
            }
            other => Err(Diagnostic::new(format!("unexpected YAML: {other:?}")).at(span)),
        }
    }

    fn entries(&mut self, depth: usize) -> Result<(Vec<(Node, Node)>, usize), Diagnostic> {
        let mut entries: Vec<(Node, Node)> = Vec::new();
        let mut merged: Vec<(Node, Node)> = Vec::new();
        let mut seen = HashSet::new();
        let mut count = 1;
        loop {
            let next = self.next()?;
            if matches!(next.0, Event::MappingEnd) {
                break;
            }
            let plain_merge = matches!(&next.0, Event::Scalar(text, ScalarStyle::Plain, ..) if text == "<<");
            let (key, key_size) = self.node(next, depth + 1)?;
            let after = self.next()?;
            let (value, size) = self.node(after, depth + 1)?;
            count += key_size + size;
            if plain_merge {
                merged.extend(merge_sources(&value)?);
                continue;
            }
            let Some(name) = key_name(&key) else {
                return Err(key
                    .error(format!("{} cannot be a key", key.kind_name()))
                    .help("a value that begins with `{{` must be quoted: \"{{ name }}\""));
            };
            if !seen.insert(name.clone()) {
                return Err(key
                    .error(format!("the key `{name}` stands here twice"))
                    .help("remove or rename one of them"));
            }
            entries.push((key, value));
        }
        // Own keys win over merged ones, and an earlier merge over a later one.
        for (key, value) in merged {
            if key_name(&key).is_some_and(|name| seen.insert(name)) {
                entries.push((key, value));
            }
        }
        Ok((entries, count))
    }

    fn alias(&mut self, id: usize, span: &Span) -> Result<(Node, usize), Diagnostic> {
        let Some((node, size)) = self.anchors.get(&id) else {
            return Err(Diagnostic::new("an alias inside of the value it stands for").at(span.clone()));
        };
        self.aliased = self.aliased.saturating_add(*size);
        if self.aliased > ALIASED {
            return Err(Diagnostic::new(format!("aliases expand to more than {ALIASED} values")).at(span.clone()));
        }
        Ok((node.clone(), *size))
    }

    fn keep(&mut self, anchor: usize, node: Node, size: usize) -> (Node, usize) {
        if anchor > 0 {
            self.anchors.insert(anchor, (node.clone(), size));
        }
        (node, size)
    }
}

fn place(file: &Arc<SourceFile>, marker: &granit_parser::Marker) -> Span {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Span::new(file, number(marker.line().max(1)), number(marker.col() + 1))
}

/// The text two keys are compared by.
fn key_name(key: &Node) -> Option<String> {
    match &key.kind {
        Kind::Text(text) => Some(text.value.to_string()),
        Kind::Null => Some("null".to_owned()),
        Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) => key.scalar_text(),
        Kind::List(_) | Kind::Map(_) => None,
    }
}

fn merge_sources(value: &Node) -> Result<Vec<(Node, Node)>, Diagnostic> {
    match &value.kind {
        Kind::Map(entries) => Ok(entries.clone()),
        Kind::List(items) => {
            let mut all = Vec::new();
            for item in items {
                all.extend(merge_sources(item)?);
            }
            Ok(all)
        }
        Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::Text(_) => {
            Err(value.error(format!("`<<` merges mappings; {} stands here", value.kind_name())))
        }
    }
}

fn scalar_kind(text: &str, style: ScalarStyle, tag: Option<&Tag>, span: &Span) -> Result<Kind, Diagnostic> {
    let plain = style == ScalarStyle::Plain;
    let as_text = |use_as| {
        Kind::Text(Text {
            value: text.into(),
            use_as,
            quoted: !plain,
        })
    };
    let wrong = |what: &str| Diagnostic::new(format!("`{text}` is not {what}")).at(span.clone());
    let Some(tag) = tag else {
        return Ok(if plain { scalar::plain(text) } else { None }.unwrap_or_else(|| as_text(TextUse::Template)));
    };
    match (tag.core_suffix(), tag.suffix()) {
        (Some("str"), _) => Ok(as_text(TextUse::Template)),
        (Some("int"), _) => match scalar::plain(text) {
            Some(Kind::Int(n)) => Ok(Kind::Int(n)),
            _ => Err(wrong("a whole number")),
        },
        (Some("float"), _) => match scalar::plain(text) {
            Some(Kind::Float(n)) => Ok(Kind::Float(n)),
            #[expect(clippy::cast_precision_loss, reason = "the user asked for a float")]
            Some(Kind::Int(n)) => Ok(Kind::Float(n as f64)),
            _ => Err(wrong("a number")),
        },
        (Some("bool"), _) => match scalar::plain(text) {
            Some(Kind::Bool(b)) => Ok(Kind::Bool(b)),
            _ => Err(wrong("a boolean")),
        },
        (Some("null"), _) => Ok(Kind::Null),
        (None, "unsafe") => Ok(as_text(TextUse::Literal)),
        (None, "vault" | "vault-encrypted") => Ok(as_text(TextUse::Vault)),
        _ if tag.original() == "!" => Ok(as_text(TextUse::Template)),
        _ => Err(unknown_tag(tag, span)),
    }
}

fn check_tag(tag: Option<&Tag>, expected: &str, span: &Span) -> Result<(), Diagnostic> {
    match tag {
        None => Ok(()),
        Some(tag) if tag.core_suffix() == Some(expected) || tag.suffix() == "unsafe" => Ok(()),
        Some(tag) => Err(unknown_tag(tag, span)),
    }
}

fn unknown_tag(tag: &Tag, span: &Span) -> Diagnostic {
    Diagnostic::new(format!("unknown YAML tag `{}`", tag.original()))
        .at(span.clone())
        .help("known tags: !unsafe, !vault, and YAML's own !!str, !!int, !!float, !!bool, !!null")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        let error = parse_text("t.yml", text).unwrap_err();
        let at = error.at.map(|s| format!("{}:{}", s.line, s.column)).unwrap_or_default();
        format!("{at} {}", error.message)
    }

    #[test]
    fn every_value_knows_its_place() {
        let node = parse_text(
            "t.yml",
            "- hosts: all\n  tasks:\n    - name: x\n      command: [a, 'b']\n",
        )
        .unwrap();
        let task = &node.as_list().unwrap()[0].get("tasks").unwrap().as_list().unwrap()[0];
        let command = task.get("command").unwrap();
        assert_eq!(command.as_list().unwrap()[1].span.to_string(), "t.yml:4:20");
        assert_eq!(command.as_list().unwrap()[1].as_str(), Some("b"));
    }

    #[test]
    fn r36_a_key_that_stands_twice_is_refused_at_its_second_place() {
        assert_eq!(error("a: 1\nb: 2\na: 3\n"), "3:1 the key `a` stands here twice");
    }

    #[test]
    fn merge_keys_add_what_is_not_there() {
        let node = parse_text("t.yml", "base: &b {x: 1, y: 2}\nall:\n  <<: *b\n  y: 3\n").unwrap();
        let all = node.get("all").unwrap();
        assert_eq!(all.get("x").unwrap().scalar_text(), Some("1".to_owned()));
        assert_eq!(all.get("y").unwrap().scalar_text(), Some("3".to_owned()));
    }

    #[test]
    fn bombs_and_deep_nesting_are_refused() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
        for i in 1..12 {
            let refs = vec![format!("*a{}", i - 1); 9].join(", ");
            bomb.push_str(&["a", &i.to_string(), ": &a", &i.to_string(), " [", &refs, "]\n"].concat());
        }
        assert!(error(&bomb).contains("aliases expand"));
        assert!(parse_text("t.yml", &"[".repeat(10_000)).is_err());
    }

    #[test]
    fn a_tab_is_named_as_the_cause() {
        assert_eq!(error("a:\n\tb: 1\n"), "2:1 invalid YAML: a tab is used for indentation");
    }

    #[test]
    fn an_open_quote_is_shown_where_it_is_opened() {
        assert_eq!(
            error("a: 1\nb: \"it's\nc: 2\n"),
            "2:4 invalid YAML: a quote is opened and never closed"
        );
    }

    #[test]
    fn tags_build_nothing() {
        assert!(error("!!python/object/apply:os.system ['true']").contains("unknown YAML tag"));
        let node = parse_text("t.yml", "!unsafe '{{ x }}'").unwrap();
        assert!(!node.has_template());
    }

    #[test]
    fn unquoted_templates_get_a_hint() {
        let error = parse_text("t.yml", "a: {{ b }}\n").unwrap_err();
        assert!(error.help.unwrap().contains("quoted"));
    }
}
