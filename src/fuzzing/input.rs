//! Bytes of a fuzzer as numbers, pieces and texts.

use serde_json::Value as Json;

use crate::yaml::{Kind, Node};

/// Stands between the parts of an input; never in UTF-8 text.
pub(crate) const SEPARATOR: u8 = 0xff;

/// Takes bytes from the front; nothing is left: zeros and empty pieces.
pub(crate) struct Cut<'a>(&'a [u8]);

impl<'a> Cut<'a> {
    /// From the first byte on.
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    /// One byte.
    pub(crate) fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                *first
            }
            None => 0,
        }
    }

    /// Four bytes.
    pub(crate) fn number(&mut self) -> u32 {
        u32::from_be_bytes([self.byte(), self.byte(), self.byte(), self.byte()])
    }

    /// So many bytes as the next byte says.
    pub(crate) fn piece(&mut self) -> &'a [u8] {
        let length = usize::from(self.byte()).min(self.0.len());
        let (piece, rest) = self.0.split_at(length);
        self.0 = rest;
        piece
    }

    /// True when nothing is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is left.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.0
    }
}

/// The parts of an input, as many as are wanted; missing ones are empty.
pub(crate) fn parts<const N: usize>(data: &[u8]) -> [&[u8]; N] {
    let mut parts = data.splitn(N, |b| *b == SEPARATOR);
    std::array::from_fn(|_| parts.next().unwrap_or_default())
}

/// The whole input as text.
pub(crate) fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}

/// A tree as JSON: texts stay as they are written.
pub(crate) fn json_of(node: &Node) -> Json {
    match &node.kind {
        Kind::Null => Json::Null,
        Kind::Bool(value) => (*value).into(),
        Kind::Int(value) => (*value).into(),
        Kind::Float(value) => (*value).into(),
        Kind::Text(text) => Json::String(text.value.to_string()),
        Kind::List(items) => items.iter().map(json_of).collect(),
        Kind::Map(entries) => {
            let entry =
                |(key, value): &(Node, Node)| (key.scalar_text().unwrap_or_else(|| "null".into()), json_of(value));
            Json::Object(entries.iter().map(entry).collect())
        }
    }
}
