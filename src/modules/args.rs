//! Arguments: one table per module says what there is; checking, converting and documentation follow from it.

/// One parameter.
#[derive(Debug)]
pub struct Param {
    /// Its name.
    pub name: &'static str,
    /// Other names for it.
    pub aliases: &'static [&'static str],
    /// It must be given.
    pub required: bool,
    /// What it takes.
    pub kind: ParamKind,
    /// The values it can have, when they are few.
    pub choices: &'static [&'static str],
    /// Value when it is not given, as YAML; empty: none.
    pub default: &'static str,
    /// What it does.
    pub doc: &'static str,
}

/// What a parameter takes. Conversions are Ansible's: `yes` is a boolean, `a,b` a list, a number fine as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamKind {
    /// Text; numbers and booleans become text.
    Text,
    /// A path, `~` and variables not expanded.
    Path,
    /// A boolean.
    Bool,
    /// A whole number.
    Int,
    /// A number.
    Float,
    /// A list; a single value or comma-separated text becomes one.
    List,
    /// A mapping.
    Map,
    /// File permissions: `0644`, `"0644"`, `u=rw,g=r`, `preserve`.
    Mode,
    /// Anything.
    Raw,
}

/// stub
pub fn convert(
    spec: &crate::modules::Spec,
    args: serde_json::Map<String, serde_json::Value>,
    span: &crate::source::Span,
) -> Result<serde_json::Map<String, serde_json::Value>, crate::modules::ModuleError> {
    let _ = (spec, span);
    Ok(args)
}
