//! Templates and conditions.

use std::path::Path;

use crate::source::Diagnostic;
use crate::vars::{Scope, Value};
use crate::yaml::Node;

/// Renders templates. One per run, shared by all workers; compiled templates are kept.
#[derive(Debug, Default)]
pub struct Templar {}

/// How a template file is read (the `template` module's options).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileOptions {
    /// Removes the newline after a block.
    pub trim_blocks: bool,
    /// Removes blanks before a block.
    pub lstrip_blocks: bool,
    /// `{%`.
    pub block_start: String,
    /// `%}`.
    pub block_end: String,
    /// `{{`.
    pub variable_start: String,
    /// `}}`.
    pub variable_end: String,
    /// `{#`.
    pub comment_start: String,
    /// `#}`.
    pub comment_end: String,
}

impl Default for FileOptions {
    fn default() -> Self {
        Self {
            trim_blocks: true,
            lstrip_blocks: false,
            block_start: "{%".into(),
            block_end: "%}".into(),
            variable_start: "{{".into(),
            variable_end: "}}".into(),
            comment_start: "{#".into(),
            comment_end: "#}".into(),
        }
    }
}

impl Templar {
    /// A renderer with Ansible's filters, tests and lookups.
    pub fn new() -> Self {
        Self::default()
    }

    /// Checks every template in `node` without any variable: syntax, and names of filters and tests.
    pub fn check(&self, node: &Node) -> Result<(), Diagnostic> {
        let _ = node;
        Ok(())
    }

    /// The same for a bare expression (`when`, `that`, `changed_when`, `until`). Booleans and numbers are fine.
    pub fn check_condition(&self, node: &Node) -> Result<(), Diagnostic> {
        let _ = node;
        Ok(())
    }

    /// Renders `node` and everything in it. A text that is one expression alone keeps that value's type. Entries of
    /// mappings and items of lists that come to `omit` are left out; a bare `omit` is given back ([`is_omit`]).
    pub fn render(&self, node: &Node, scope: &Scope) -> Result<Value, Diagnostic> {
        let _ = scope;
        Err(node.error("not built"))
    }

    /// Evaluates a bare expression.
    pub fn evaluate(&self, node: &Node, scope: &Scope) -> Result<Value, Diagnostic> {
        let _ = scope;
        Err(node.error("not built"))
    }

    /// Evaluates a condition; it must come to a boolean.
    pub fn condition(&self, node: &Node, scope: &Scope) -> Result<bool, Diagnostic> {
        let _ = scope;
        Err(node.error("not built"))
    }

    /// The value of a variable, rendered. `Ok(None)`: there is none.
    pub fn variable(&self, name: &str, scope: &Scope) -> Result<Option<Value>, Diagnostic> {
        let _ = (name, scope);
        Ok(None)
    }

    /// The items that a lookup plugin makes of `terms` (`with_…`, `lookup()`).
    pub fn lookup(&self, name: &str, terms: &Value, scope: &Scope) -> Result<Vec<Value>, Diagnostic> {
        let _ = (name, terms, scope);
        Err(Diagnostic::new("not built"))
    }

    /// All variables of a scope as one mapping, each rendered when it is asked for.
    pub fn scope_value(&self, scope: &Scope) -> Value {
        let _ = scope;
        Value::UNDEFINED
    }

    /// Renders the text of a template file.
    pub fn render_file(
        &self,
        path: &Path,
        text: &str,
        options: &FileOptions,
        scope: &Scope,
    ) -> Result<String, Diagnostic> {
        let _ = (path, text, options, scope);
        Err(Diagnostic::new("not built"))
    }
}

/// The value of the variable `omit`.
pub fn omit() -> Value {
    Value::UNDEFINED
}

/// True for the value of the variable `omit`.
pub fn is_omit(value: &Value) -> bool {
    let _ = value;
    false
}

/// A value as JSON: what results, events and module arguments are made of.
pub fn to_json(value: &Value) -> serde_json::Value {
    serde_json::to_value(value).unwrap_or(serde_json::Value::Null)
}

/// JSON as a value of the template language. Nothing in it is ever a template.
pub fn from_json(json: &serde_json::Value) -> Value {
    Value::from_serialize(json)
}
