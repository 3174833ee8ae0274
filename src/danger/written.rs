//! The same look at arguments as they are written, before their templates are rendered.

use serde_json::{Map, Value as Json};

use super::{Found, devices};
use crate::shell::script::UNKNOWN;
use crate::source::Span;
use crate::yaml::{Kind, Node, TextUse};

/// What [`of`](super::of) says about arguments as written: whatever templates will be is not known yet.
pub fn written(module: &str, args: &Node, keyword: Option<&str>) -> Option<Found> {
    arguments(args).iter().find_map(|args| super::of(module, args, keyword))
}

/// Arguments as written, with what templates will be as unknown text: `{% if … %}` may be nothing at all, or stand
/// between commands, so there are two ways to see them.
pub fn arguments(args: &Node) -> [Map<String, Json>; 2] {
    [" ", "\n"].map(|tag| {
        let entries = args.as_map().unwrap_or_default().iter();
        entries
            .filter_map(|(key, value)| Some((key.scalar_text()?, to_json(value, tag))))
            .collect()
    })
}

fn to_json(node: &Node, tag: &str) -> Json {
    match &node.kind {
        Kind::Null => Json::Null,
        Kind::Bool(value) => (*value).into(),
        Kind::Int(number) => (*number).into(),
        Kind::Float(number) => (*number).into(),
        Kind::Text(text) => match text.use_as {
            TextUse::Template => without_templates(&text.value, tag).into(),
            TextUse::Literal => text.value.as_ref().into(),
            TextUse::Vault => UNKNOWN.to_string().into(),
        },
        Kind::List(items) => items.iter().map(|item| to_json(item, tag)).collect(),
        Kind::Map(entries) => entries
            .iter()
            .filter_map(|(key, value)| Some((key.scalar_text()?, to_json(value, tag))))
            .collect(),
    }
}

/// The text with [`UNKNOWN`] for every `{{ … }}`, `tag` for every `{% … %}`, and nothing for comments.
fn without_templates(text: &str, tag: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let (end, instead) = match from.as_bytes().get(1) {
            Some(b'{') => ("}}", UNKNOWN.to_string()),
            Some(b'%') => ("%}", tag.to_owned()),
            Some(b'#') => ("#}", String::new()),
            Some(_) | None => {
                out.push('{');
                rest = from.get(1..).unwrap_or_default();
                continue;
            }
        };
        out.push_str(&instead);
        rest = from.split_once(end).map_or("", |(_, after)| after);
    }
    out + rest
}

/// The first name of the kernel for a disk in any text below the node, and the place of that text.
pub fn in_node(node: &Node) -> Option<(String, Span)> {
    match &node.kind {
        Kind::Text(text) => {
            let text = without_templates(&text.value, " ");
            devices::kernel_disk(&text).map(|disk| (disk, node.span.clone()))
        }
        Kind::List(items) => items.iter().find_map(in_node),
        Kind::Map(entries) => entries.iter().find_map(|(_, value)| in_node(value)),
        Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) => None,
    }
}
