//! YAML text becomes a tree in which every value knows its place. Plain scalars follow PyYAML (YAML 1.1): `yes` and
//! `off` are booleans, `0644` is octal; quoted ones stay text. Duplicate keys, unknown tags and YAML bombs are refused.

mod parse;
mod scalar;

use std::sync::Arc;

use crate::source::{Diagnostic, Span};

pub use parse::{parse, parse_text};
pub use scalar::plain as plain_scalar;

/// One value and where it stands.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where it begins.
    pub span: Span,
    /// What it is.
    pub kind: Kind,
}

/// What a value is.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Nothing: `null`, `~`, or an empty place.
    Null,
    /// `true`, `yes`, `on` and their opposites.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// Text.
    Text(Text),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in file order, without duplicate keys.
    Map(Vec<(Node, Node)>),
}

/// A text and how it was written.
#[derive(Clone, Debug)]
pub struct Text {
    /// The characters.
    pub value: Arc<str>,
    /// How they may be used.
    pub use_as: TextUse,
    /// It was written with quotes or as a block: never anything but text.
    pub quoted: bool,
}

/// What a text's tag says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextUse {
    /// It may be a template.
    Template,
    /// `!unsafe`: taken as it is.
    Literal,
    /// `!vault`: encrypted.
    Vault,
}

impl Node {
    /// The text, when it is one.
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(&text.value),
            Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::List(_) | Kind::Map(_) => None,
        }
    }

    /// A scalar as the user would write it: text as it is, numbers and booleans in YAML's words (`True` as Python's).
    pub fn scalar_text(&self) -> Option<String> {
        match &self.kind {
            Kind::Text(text) => Some(text.value.to_string()),
            Kind::Bool(true) => Some("True".to_owned()),
            Kind::Bool(false) => Some("False".to_owned()),
            Kind::Int(n) => Some(n.to_string()),
            Kind::Float(n) => Some(n.to_string()),
            Kind::Null | Kind::List(_) | Kind::Map(_) => None,
        }
    }

    /// The list, when it is one.
    pub fn as_list(&self) -> Option<&[Node]> {
        match &self.kind {
            Kind::List(items) => Some(items),
            Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::Text(_) | Kind::Map(_) => None,
        }
    }

    /// The entries, when it is a mapping.
    pub fn as_map(&self) -> Option<&[(Node, Node)]> {
        match &self.kind {
            Kind::Map(entries) => Some(entries),
            Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::Text(_) | Kind::List(_) => None,
        }
    }

    /// The value of a mapping's key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.as_map()?
            .iter()
            .find(|(k, _)| k.as_str() == Some(key))
            .map(|(_, value)| value)
    }

    /// True for `null` and empty places.
    pub fn is_null(&self) -> bool {
        matches!(self.kind, Kind::Null)
    }

    /// What it is, for messages: `a list`, `text`.
    pub fn kind_name(&self) -> &'static str {
        match self.kind {
            Kind::Null => "nothing",
            Kind::Bool(_) => "a boolean",
            Kind::Int(_) | Kind::Float(_) => "a number",
            Kind::Text(_) => "text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a mapping",
        }
    }

    /// A mistake at this place.
    pub fn error(&self, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(message).at(self.span.clone())
    }

    /// True when a text in it could be a template.
    pub fn has_template(&self) -> bool {
        match &self.kind {
            Kind::Text(text) => {
                text.use_as == TextUse::Vault
                    || text.use_as == TextUse::Template
                        && (text.value.contains("{{") || text.value.contains("{%") || text.value.contains("{#"))
            }
            Kind::List(items) => items.iter().any(Node::has_template),
            Kind::Map(entries) => entries.iter().any(|(k, v)| k.has_template() || v.has_template()),
            Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) => false,
        }
    }

    /// A text made by the program at the place of another node.
    pub fn text(value: impl Into<Arc<str>>, span: &Span) -> Self {
        let text = Text {
            value: value.into(),
            use_as: TextUse::Template,
            quoted: true,
        };
        Self {
            span: span.clone(),
            kind: Kind::Text(text),
        }
    }
}
