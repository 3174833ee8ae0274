//! Arguments written as text: `src=a dest="b c" mode={{ m }}`, and free-form text with a few of them in it.

use crate::source::{Diagnostic, Span};
use crate::yaml::{Kind, Node, Text, TextUse};

/// How an action reads text that stands for its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// `name=value` pairs and nothing else: most modules.
    Pairs,
    /// Pairs, and what is left is one more argument: `include_tasks: file.yml`, `meta: noop`.
    Mixed,
    /// Free text with a few pairs in it: `command: ls creates=/tmp/x`.
    Free,
}

/// Parameters that are picked out of free-form text; everything else in it stays text.
const IN_FREE_FORM: &[&str] = &[
    "creates",
    "removes",
    "chdir",
    "executable",
    "warn",
    "stdin",
    "stdin_add_newline",
    "strip_empty_ends",
];

/// A module's arguments as a mapping, however they were written.
pub fn normalize(action: &str, value: &Node, more: Option<&Node>, style: Style) -> Result<Node, Diagnostic> {
    let mut entries = match &value.kind {
        Kind::Null => Vec::new(),
        Kind::Map(entries) => entries.clone(),
        Kind::Text(_) if style == Style::Pairs && is_one_template(value) => vec![variable(value)],
        Kind::Text(text) => split(&text.value, style, text.use_as, &value.span)
            .map_err(|mistake| mistake.help(format!("arguments are `{action}: name=value` or a mapping")))?,
        Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) if style != Style::Pairs => {
            let text = value.scalar_text().unwrap_or_default();
            vec![(Node::text("_raw_params", &value.span), Node::text(text, &value.span))]
        }
        Kind::List(_) if style == Style::Free => {
            return Err(value
                .error(format!("`{action}` takes text or a mapping, not a list"))
                .help(format!("write `{action}: {{argv: [...]}}`")));
        }
        Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::List(_) => {
            return Err(value.error(format!(
                "the arguments of `{action}` must be a mapping, not {}",
                value.kind_name()
            )));
        }
    };
    match more.map(|node| (node, &node.kind)) {
        None | Some((_, Kind::Null)) => {}
        Some((_, Kind::Map(added))) => {
            // What stands with the module itself wins.
            for (key, value) in added {
                let name = key.scalar_text();
                if !entries.iter().any(|(known, _)| known.scalar_text() == name) {
                    entries.push((key.clone(), value.clone()));
                }
            }
        }
        Some((node, Kind::Text(_))) if is_one_template(node) => entries.push(variable(node)),
        Some((node, _)) => {
            return Err(node.error(format!("`args` must be a mapping, not {}", node.kind_name())));
        }
    }
    Ok(Node {
        span: value.span.clone(),
        kind: Kind::Map(entries),
    })
}

fn variable(node: &Node) -> (Node, Node) {
    (Node::text("_variable_params", &node.span), node.clone())
}

/// True for a text that is one `{{ … }}` and nothing else.
fn is_one_template(node: &Node) -> bool {
    let Some(text) = node.as_str().map(str::trim) else {
        return false;
    };
    node.has_template() && text.starts_with("{{") && text.ends_with("}}") && text.matches("{{").count() == 1
}

/// Splits text into `name=value` pairs. What the style leaves over is kept as it stands under `_raw_params`.
pub fn split(text: &str, style: Style, use_as: TextUse, span: &Span) -> Result<Vec<(Node, Node)>, Diagnostic> {
    let words = words(text).map_err(|what| Diagnostic::new(what).at(span.clone()))?;
    let node = |value: &str| Node {
        span: span.clone(),
        kind: Kind::Text(Text {
            value: value.into(),
            use_as,
            quoted: true,
        }),
    };
    let mut pairs: Vec<(Node, Node)> = Vec::new();
    let mut raw = String::new();
    for word in words {
        let decoded = if word.text.contains('\\') {
            unescape(word.text)
        } else {
            word.text.to_owned()
        };
        let pair = equals(&decoded).map(|at| (decoded[..at].trim().to_owned(), decoded[at + 1..].to_owned()));
        match pair {
            Some((name, value)) if style != Style::Free || IN_FREE_FORM.contains(&name.as_str()) => {
                let value = node(unquote(value.trim()));
                match pairs.iter_mut().find(|(known, _)| known.as_str() == Some(&name)) {
                    Some((_, earlier)) => *earlier = value,
                    None => pairs.push((Node::text(name.as_str(), span), value)),
                }
            }
            _ if style != Style::Pairs => {
                if !raw.is_empty() {
                    raw.push_str(word.before);
                }
                raw.push_str(word.text);
            }
            _ => {
                let shown: String = word.text.chars().take(60).collect();
                return Err(Diagnostic::new(format!("`{shown}` is not `name=value`")).at(span.clone()));
            }
        }
    }
    if !raw.is_empty() || style == Style::Free && pairs.is_empty() {
        pairs.insert(0, (Node::text("_raw_params", span), node(raw.trim_end())));
    }
    Ok(pairs)
}

struct Word<'a> {
    /// The blanks in front of it.
    before: &'a str,
    text: &'a str,
}

/// Words are separated by blanks that stand neither in quotes nor in a template.
fn words(text: &str) -> Result<Vec<Word<'_>>, String> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut quote = None;
    let mut templates = 0_usize;
    let mut end_of_last = 0;
    let mut start = None;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let next = bytes.get(at + 1).copied();
        let mut width = 1;
        match (byte, next) {
            (b'{', Some(b'{' | b'%' | b'#')) => {
                templates += 1;
                width = 2;
            }
            (b'}' | b'%' | b'#', Some(b'}')) if templates > 0 => {
                templates -= 1;
                width = 2;
            }
            // A backslash keeps the next character from ending a quote; before a line's end both are a blank.
            (b'\\', Some(b'\n')) if quote.is_none() && templates == 0 && start.is_none() => {
                at += 2;
                continue;
            }
            (b'\\', Some(b'"' | b'\'' | b'\\')) => width = 2,
            (b'"' | b'\'', _) => match quote {
                None => quote = Some(byte),
                Some(open) if open == byte => quote = None,
                Some(_) => {}
            },
            _ if byte.is_ascii_whitespace() && quote.is_none() && templates == 0 => {
                if let Some(from) = start.take() {
                    found.push(word(text, end_of_last, from, at));
                    end_of_last = at;
                }
                at += 1;
                continue;
            }
            _ => {}
        }
        start.get_or_insert(at);
        at += width;
    }
    if quote.is_some() {
        return Err("a quote is opened and never closed in the arguments".to_owned());
    }
    if templates > 0 {
        return Err("a template is opened and never closed in the arguments".to_owned());
    }
    if let Some(from) = start {
        found.push(word(text, end_of_last, from, text.len()));
    }
    Ok(found)
}

/// All cuts are at ASCII bytes, so they are at characters, too.
fn word(text: &str, before: usize, from: usize, to: usize) -> Word<'_> {
    Word {
        before: text.get(before..from).unwrap_or(" "),
        text: text.get(from..to).unwrap_or_default(),
    }
}

/// Where the `=` stands that ends the name: not the first character, not after a backslash.
fn equals(word: &str) -> Option<usize> {
    let bytes = word.as_bytes();
    let mut from = 1;
    loop {
        let at = from + word.get(from..)?.find('=')?;
        if bytes.get(at - 1) != Some(&b'\\') {
            return Some(at);
        }
        from = at + 1;
    }
}

/// Without the quotes around it.
fn unquote(text: &str) -> &str {
    for quote in ['"', '\''] {
        let inner = text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
        if let Some(inner) = inner
            && !inner.ends_with('\\')
        {
            return inner;
        }
    }
    text
}

/// Python's escapes: `\n`, `\t`, `\x41`, `\u00e4`, `\\`, `\"`.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let mut after = from.chars().skip(1);
        let (decoded, width) = match after.next() {
            Some('n') => (Some('\n'), 2),
            Some('t') => (Some('\t'), 2),
            Some('r') => (Some('\r'), 2),
            Some('a') => (Some('\x07'), 2),
            Some('b') => (Some('\x08'), 2),
            Some('f') => (Some('\x0c'), 2),
            Some('v') => (Some('\x0b'), 2),
            Some(c @ ('\\' | '"' | '\'')) => (Some(c), 2),
            Some('x') => (hex(from, 2), 4),
            Some('u') => (hex(from, 4), 6),
            Some('U') => (hex(from, 8), 10),
            _ => (None, 0),
        };
        let (c, width) = decoded.map_or(('\\', 1), |c| (c, width));
        out.push(c);
        rest = from.get(width..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

fn hex(from: &str, digits: usize) -> Option<char> {
    let digits = from.get(2..2 + digits)?;
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    char::from_u32(u32::from_str_radix(digits, 16).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::parse_text;

    fn shown(text: &str, style: Style) -> String {
        let span = parse_text("t.yml", "x").unwrap().span;
        match split(text, style, TextUse::Template, &span) {
            Ok(pairs) => {
                let pair = |(k, v): &(Node, Node)| format!("{}=<{}>", k.as_str().unwrap(), v.as_str().unwrap());
                pairs.iter().map(pair).collect::<Vec<_>>().join(" ")
            }
            Err(mistake) => mistake.message,
        }
    }

    #[test]
    fn pairs_are_split_at_blanks_outside_of_quotes_and_templates() {
        for (text, expected) in [
            ("a=b c=d", "a=<b> c=<d>"),
            (
                "dest={{ box }}/b content={{ a | default(\"x y\") }}",
                "dest=<{{ box }}/b> content=<{{ a | default(\"x y\") }}>",
            ),
            ("msg=\"a message for {{ h }}\"", "msg=<a message for {{ h }}>"),
            ("line='x = 1'", "line=<x = 1>"),
            ("a=b\n   c=d", "a=<b> c=<d>"),
            ("a=b \\\n c=d", "a=<b> c=<d>"),
            ("content=\"a\\nb\"", "content=<a\nb>"),
            ("msg=\"say \\\"hi\\\"\"", "msg=<say \"hi\">"),
            ("dyn_{{ h }}=yes", "dyn_{{ h }}=<yes>"),
            ("a=1 a=2", "a=<2>"),
            ("", ""),
            ("a=", "a=<>"),
            ("msg=\"open", "a quote is opened and never closed in the arguments"),
            ("msg={{ x", "a template is opened and never closed in the arguments"),
            ("a=b stray", "`stray` is not `name=value`"),
            ("u=\\u00e4\\q", "u=<ä\\q>"),
        ] {
            assert_eq!(shown(text, Style::Pairs), expected, "{text}");
        }
    }

    #[test]
    fn free_form_text_is_kept_but_for_known_names() {
        for (text, expected) in [
            ("ls  -l a=b", "_raw_params=<ls  -l a=b>"),
            ("touch made creates=made", "_raw_params=<touch made> creates=<made>"),
            ("chdir=/ sh -c \"pwd > x\"", "_raw_params=<sh -c \"pwd > x\"> chdir=</>"),
            ("echo a\\nb", "_raw_params=<echo a\\nb>"),
            ("cat <<E\n  x\nE", "_raw_params=<cat <<E\n  x\nE>"),
            ("", "_raw_params=<>"),
        ] {
            assert_eq!(shown(text, Style::Free), expected, "{text}");
        }
    }

    #[test]
    fn names_of_files_may_stand_beside_pairs() {
        assert_eq!(shown("a b.yml", Style::Mixed), "_raw_params=<a b.yml>");
        assert_eq!(shown("file=a.yml name=ns", Style::Mixed), "file=<a.yml> name=<ns>");
        assert_eq!(
            shown("{{ f }}.yml x=1", Style::Mixed),
            "_raw_params=<{{ f }}.yml> x=<1>"
        );
    }

    fn merged(value: &str, args: &str) -> Result<String, String> {
        let (value, args) = (parse_text("t", value).unwrap(), parse_text("t", args).unwrap());
        let node = normalize("copy", &value, Some(&args), Style::Pairs).map_err(|d| d.message)?;
        let pair = |(k, v): &(Node, Node)| format!("{}={}", k.as_str().unwrap(), v.scalar_text().unwrap());
        Ok(node.as_map().unwrap().iter().map(pair).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn args_are_added_and_what_stands_with_the_module_wins() {
        assert_eq!(merged("dest=a", "{dest: b, mode: x}").unwrap(), "dest=a mode=x");
        assert_eq!(
            merged("{dest: a}", "'{{ more }}'").unwrap(),
            "dest=a _variable_params={{ more }}"
        );
        assert_eq!(merged("'{{ all }}'", "").unwrap(), "_variable_params={{ all }}");
        assert_eq!(
            merged("dest=a", "[1]").unwrap_err(),
            "`args` must be a mapping, not a list"
        );
        assert_eq!(
            merged("[1]", "").unwrap_err(),
            "the arguments of `copy` must be a mapping, not a list"
        );
    }
}
