//! Arguments: one table per module says what there is; checking, converting and documentation follow from it.

use crate::modules::Spec;
use crate::source::{Diagnostic, nearest};
use crate::yaml::{Kind, Node};

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

/// Modules whose arguments are names that the user makes up.
const ANY_NAMES: &[&str] = &["set_fact"];

impl Spec {
    /// The parameter of that name, or with that alias.
    pub fn param(&self, name: &str) -> Option<&'static Param> {
        let mut params = self.params.iter();
        params.find(|param| param.name == name || param.aliases.contains(&name))
    }
}

/// Checks what can be known before anything runs: names of arguments, required ones, and values without templates.
pub fn check(spec: &Spec, args: &Node) -> Vec<Diagnostic> {
    let mut mistakes = Vec::new();
    let Some(entries) = args.as_map() else {
        return vec![args.error(format!("the arguments of `{}` must be a mapping", spec.name))];
    };
    let mut given = Vec::new();
    // What a template makes of `args` or of a key is known only when the task is reached.
    let mut open = false;
    for (key, value) in entries {
        let Some(name) = key.scalar_text() else { continue };
        match spec.param(&name) {
            Some(param) => {
                if !value.is_null() {
                    given.push(param.name);
                }
                if let Err(mistake) = check_value(param, &name, value) {
                    mistakes.push(mistake);
                }
            }
            None if name == "_variable_params" || key.has_template() => open = true,
            None if name == "_raw_params" && spec.free_form || ANY_NAMES.contains(&spec.name) => {}
            None => mistakes.push(unsupported(spec, key, &name)),
        }
    }
    let required = spec.params.iter().filter(|param| param.required);
    let missing: Vec<&str> = required
        .map(|param| param.name)
        .filter(|name| !given.contains(name))
        .collect();
    if !missing.is_empty() && !open {
        let message = format!("missing required arguments for `{}`: {}", spec.name, missing.join(", "));
        mistakes.push(args.error(message));
    }
    mistakes
}

fn unsupported(spec: &Spec, key: &Node, name: &str) -> Diagnostic {
    let mistake = key.error(format!("unsupported parameters for `{}`: `{name}`", spec.name));
    let names = spec
        .params
        .iter()
        .flat_map(|p| p.aliases.iter().chain(std::iter::once(&p.name)));
    let mut all: Vec<&str> = spec.params.iter().map(|param| param.name).collect();
    all.sort_unstable();
    let all = all.join(", ");
    mistake.help(match nearest(name, names.copied()) {
        Some(near) => format!("did you mean `{near}`? Supported are: {all}"),
        None => format!("supported are: {all}"),
    })
}

fn check_value(param: &Param, name: &str, value: &Node) -> Result<(), Diagnostic> {
    if value.is_null() || value.has_template() {
        return Ok(());
    }
    let fits = match param.kind {
        ParamKind::Text | ParamKind::Raw => true,
        ParamKind::Path => value.scalar_text().is_some(),
        ParamKind::Bool => is_boolean(value),
        ParamKind::Int => is_whole(value),
        ParamKind::Float => is_number(value),
        ParamKind::List => value.as_map().is_none(),
        ParamKind::Map => value.as_map().is_some() || value.as_str().is_some(),
        ParamKind::Mode => is_mode(value),
    };
    let written = value.scalar_text();
    let shown = written.as_deref().filter(|text| text.chars().count() <= 60);
    let shown = shown.map_or_else(|| value.kind_name().to_owned(), |text| format!("`{text}`"));
    if !fits {
        return Err(value.error(format!("`{name}` must be {}, not {shown}", expected(param.kind))));
    }
    let values: Vec<String> = match &value.kind {
        _ if param.choices.is_empty() => Vec::new(),
        Kind::List(items) => items.iter().filter_map(Node::scalar_text).collect(),
        // YAML reads some of the words as booleans: `state: on`.
        Kind::Bool(_) => Vec::new(),
        _ => written.clone().into_iter().collect(),
    };
    let listed =
        |value: &str| param.kind == ParamKind::List && value.split(',').all(|v| param.choices.contains(&v.trim()));
    match values
        .iter()
        .find(|value| !param.choices.contains(&value.as_str()) && !listed(value))
    {
        None => Ok(()),
        Some(wrong) => {
            let all = param.choices.join(", ");
            let short: String = wrong.chars().take(60).collect();
            let mistake = value.error(format!("value of {name} must be one of: {all}, got: `{short}`"));
            Err(match nearest(wrong, param.choices.iter().copied()) {
                Some(near) => mistake.help(format!("did you mean `{near}`?")),
                None => mistake,
            })
        }
    }
}

fn expected(kind: ParamKind) -> &'static str {
    match kind {
        ParamKind::Text => "text",
        ParamKind::Path => "a path",
        ParamKind::Bool => "a boolean (`true` or `false`)",
        ParamKind::Int => "a whole number",
        ParamKind::Float => "a number",
        ParamKind::List => "a list",
        ParamKind::Map => "a mapping",
        ParamKind::Mode => "permissions (`\"0644\"`, `u=rw,g=r`, `preserve`)",
        ParamKind::Raw => "a value",
    }
}

fn is_boolean(value: &Node) -> bool {
    const WORDS: &[&str] = &["yes", "no", "on", "off", "true", "false", "1", "0", "t", "f", "y", "n"];
    match &value.kind {
        Kind::Bool(_) => true,
        Kind::Int(n) => *n == 0 || *n == 1,
        Kind::Float(n) => [0.0, 1.0].contains(n),
        Kind::Text(text) => WORDS.contains(&text.value.trim().to_ascii_lowercase().as_str()),
        Kind::Null | Kind::List(_) | Kind::Map(_) => false,
    }
}

fn is_whole(value: &Node) -> bool {
    match &value.kind {
        Kind::Int(_) => true,
        Kind::Float(n) => n.fract() == 0.0,
        Kind::Text(text) => text.value.trim().parse::<i64>().is_ok(),
        Kind::Null | Kind::Bool(_) | Kind::List(_) | Kind::Map(_) => false,
    }
}

fn is_number(value: &Node) -> bool {
    match &value.kind {
        Kind::Int(_) | Kind::Float(_) => true,
        Kind::Text(text) => text.value.trim().parse::<f64>().is_ok(),
        Kind::Null | Kind::Bool(_) | Kind::List(_) | Kind::Map(_) => false,
    }
}

fn is_mode(value: &Node) -> bool {
    match &value.kind {
        Kind::Int(n) => (0..=0o7777).contains(n),
        Kind::Text(text) => {
            let text = text.value.trim();
            let digits = text.strip_prefix("0o").unwrap_or(text);
            let octal = !digits.is_empty() && digits.len() <= 5 && digits.bytes().all(|b| (b'0'..=b'7').contains(&b));
            text == "preserve" || octal || text.split(',').all(is_symbolic)
        }
        Kind::Null | Kind::Bool(_) | Kind::Float(_) | Kind::List(_) | Kind::Map(_) => false,
    }
}

/// `u=rw`, `go-w`, `a+X`, `u=rwx+t`.
fn is_symbolic(clause: &str) -> bool {
    let Some(at) = clause.find(['=', '+', '-']) else {
        return false;
    };
    let (who, what) = clause.split_at(at);
    who.bytes().all(|b| b"ugoa".contains(&b)) && what.bytes().all(|b| b"=+-rwxXstugo".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modules::{Given, Module, ModuleError};
    use crate::yaml::parse_text;

    fn nothing(_: &Given<'_>) -> Result<Box<dyn Module>, ModuleError> {
        Err(ModuleError::failed("not for running"))
    }

    const fn param(name: &'static str, required: bool, kind: ParamKind, choices: &'static [&'static str]) -> Param {
        Param {
            name,
            aliases: &[],
            required,
            kind,
            choices,
            default: "",
            doc: "",
        }
    }

    const SPEC: Spec = Spec {
        name: "file",
        collection: "ansible.builtin",
        doc: "",
        params: &[
            Param {
                aliases: &["dest"],
                ..param("path", true, ParamKind::Path, &[])
            },
            param("state", false, ParamKind::Text, &["file", "directory", "absent"]),
            param("mode", false, ParamKind::Mode, &[]),
            param("recurse", false, ParamKind::Bool, &[]),
            param("size", false, ParamKind::Int, &[]),
        ],
        free_form: false,
        local: false,
        read: nothing,
    };

    fn mistakes(args: &str) -> String {
        let found = check(&SPEC, &parse_text("t.yml", args).unwrap());
        let one = |d: Diagnostic| match d.help {
            Some(help) => format!("{} ({help})", d.message),
            None => d.message,
        };
        found.into_iter().map(one).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn names_required_ones_and_literal_values_are_checked() {
        for (args, expected) in [
            ("{path: /a, state: absent, mode: '0644', recurse: yes, size: 5}", ""),
            ("{dest: /a, size: '7', mode: 'u=rwX,go-w'}", ""),
            ("{path: '{{ p }}', mode: '{{ m }}', state: '{{ s }}'}", ""),
            ("{_variable_params: '{{ all }}'}", ""),
            ("{path: , state: absent}", "missing required arguments for `file`: path"),
            (
                "{path: /a, stat: x}",
                "unsupported parameters for `file`: `stat` (did you mean `state`? Supported are: mode, path, recurse, size, state)",
            ),
            (
                "{path: /a, colour: red}",
                "unsupported parameters for `file`: `colour` (supported are: mode, path, recurse, size, state)",
            ),
            (
                "{path: /a, state: sideways}",
                "value of state must be one of: file, directory, absent, got: `sideways`",
            ),
            (
                "{path: /a, mode: rwx}",
                "`mode` must be permissions (`\"0644\"`, `u=rw,g=r`, `preserve`), not `rwx`",
            ),
            (
                "{path: /a, recurse: maybe}",
                "`recurse` must be a boolean (`true` or `false`), not `maybe`",
            ),
            ("{path: /a, size: big}", "`size` must be a whole number, not `big`"),
            ("{path: [a]}", "`path` must be a path, not a list"),
        ] {
            assert_eq!(mistakes(args), expected, "{args}");
        }
    }
}
