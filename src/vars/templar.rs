//! Templates and conditions.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use indexmap::IndexMap;

use crate::source::{Diagnostic, SourceFile, Span};
use crate::vars::context::{Ctx, may_be_template, place};
use crate::vars::fault::{Fault, Res};
use crate::vars::jinja::ast::{Expr, Template};
use crate::vars::jinja::{parser, render};
use crate::vars::objects::{Omit, Undef, lock};
use crate::vars::{Scope, Value, Var, json, lookups, python, stack};
use crate::vault::{Envelope, Keyring};
use crate::yaml::{Kind, Node, TextUse};

/// How many compiled templates are kept.
const KEPT: usize = 8192;

/// What rendering may use from outside.
#[derive(Clone, Default)]
pub struct Options {
    /// The controller's environment, for the lookup `env`.
    pub environment: IndexMap<String, String>,
    /// Nothing is started and no file is opened: lookups that would, and `include`, are errors; and less work may be
    /// done. For text that nobody vouches for, such as a fuzzer's.
    pub isolated: bool,
    /// Opens `!vault` values and encrypted files.
    pub vault: Arc<Keyring>,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The environment may hold secrets.
        f.debug_struct("Options")
            .field("isolated", &self.isolated)
            .field("vault", &self.vault)
            .finish_non_exhaustive()
    }
}

/// Renders templates. One per run, shared by all workers; compiled templates are kept.
#[derive(Clone, Debug, Default)]
pub struct Templar {
    shared: Arc<Shared>,
}

/// Template files by how they are read and what they hold.
type Files = HashMap<(FileOptions, Arc<str>), Arc<Template>>;

/// What all renderings share.
#[derive(Default)]
pub(in crate::vars) struct Shared {
    /// What rendering may use from outside.
    pub(in crate::vars) options: Options,
    templates: Mutex<HashMap<Arc<str>, Arc<Template>>>,
    files: Mutex<Files>,
    expressions: Mutex<HashMap<Arc<str>, Arc<Expr>>>,
    /// Regular expressions, see [`crate::vars::regex`].
    pub(in crate::vars) patterns: Mutex<HashMap<String, Arc<fancy_regex::Regex>>>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// How a template file is read (the `template` module's options).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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

/// From the cache, or made and put there.
fn cached<K, V>(cache: &Mutex<HashMap<K, Arc<V>>>, key: K, make: impl FnOnce(&K) -> Res<V>) -> Res<Arc<V>>
where
    K: std::hash::Hash + Eq,
{
    if let Some(found) = lock(cache).get(&key) {
        return Ok(found.clone());
    }
    let made = Arc::new(make(&key)?);
    let mut cache = lock(cache);
    if cache.len() >= KEPT {
        cache.clear();
    }
    cache.insert(key, made.clone());
    Ok(made)
}

impl Shared {
    /// A template in a playbook, an inventory or a file of variables.
    pub(in crate::vars) fn template(&self, text: &Arc<str>) -> Res<Arc<Template>> {
        cached(&self.templates, text.clone(), |text| {
            parser::template(text, &FileOptions::default(), true)
        })
    }

    /// A template file.
    pub(in crate::vars) fn file(&self, text: &str, options: &FileOptions) -> Res<Arc<Template>> {
        let (options, body) = header(text, options)?;
        cached(&self.files, (options, body.into()), |(options, body)| {
            parser::template(body, options, false)
        })
    }

    /// A bare expression.
    pub(in crate::vars) fn expression(&self, text: &str) -> Res<Arc<Expr>> {
        cached(&self.expressions, text.into(), |text| parser::expression(text))
    }

    /// What a `!vault` value hides. `what` says whose value it is.
    pub(in crate::vars) fn decrypt(&self, text: &str, what: impl FnOnce() -> String) -> Res<Arc<str>> {
        self.options.vault.value(text).map_err(|error| {
            let fault = Fault::new(format!("cannot decrypt {}: {error}", what()));
            match error.help() {
                Some(help) => fault.help(help),
                None => fault,
            }
        })
    }
}

/// The first line `#jinja2: trim_blocks: False, …` of a template file changes how it is read.
fn header<'t>(text: &'t str, options: &FileOptions) -> Res<(FileOptions, &'t str)> {
    let mut options = options.clone();
    let Some(rest) = text.strip_prefix("#jinja2:") else {
        return Ok((options, text));
    };
    let (line, body) = rest.split_once('\n').unwrap_or((rest, ""));
    for pair in line.split(',').filter(|pair| !pair.trim().is_empty()) {
        let (key, value) = pair
            .split_once(':')
            .ok_or_else(|| Fault::new("bad `#jinja2:` header, expected `name: value` pairs").on_line(1))?;
        let value = value.trim();
        let text = || value.trim_matches(['"', '\'']).to_owned();
        let flag = || match value {
            "True" | "true" | "yes" => Ok(true),
            "False" | "false" | "no" => Ok(false),
            _ => Err(Fault::new(format!("`{value}` in the `#jinja2:` header is neither True nor False")).on_line(1)),
        };
        match key.trim() {
            "trim_blocks" => options.trim_blocks = flag()?,
            "lstrip_blocks" => options.lstrip_blocks = flag()?,
            "block_start_string" => options.block_start = text(),
            "block_end_string" => options.block_end = text(),
            "variable_start_string" => options.variable_start = text(),
            "variable_end_string" => options.variable_end = text(),
            "comment_start_string" => options.comment_start = text(),
            "comment_end_string" => options.comment_end = text(),
            "newline_sequence" | "keep_trailing_newline" | "autoescape" => {}
            other => return Err(Fault::new(format!("unknown option `{other}` in the `#jinja2:` header")).on_line(1)),
        }
    }
    Ok((options, body))
}

/// A value that is not there; whoever uses it gets this message.
pub fn missing(message: &str) -> Value {
    Undef::value(message)
}

/// A condition written inside `{{ }}` or `{% %}`.
fn is_wrapped(text: &str) -> bool {
    (text.starts_with("{{") && text.ends_with("}}")) || (text.starts_with("{%") && text.ends_with("%}"))
}

/// The name in `{{ name }}`.
fn only_name(text: &str) -> Option<&str> {
    let name = text.strip_prefix("{{")?.strip_suffix("}}")?.trim();
    name.chars().all(|c| c.is_alphanumeric() || c == '_').then_some(name)
}

impl Templar {
    /// A renderer with Ansible's filters, tests and lookups.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with an environment for lookups and a way to read vault values.
    pub fn with_options(options: Options) -> Self {
        let shared = Shared {
            options,
            ..Shared::default()
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// What its renderings share.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(in crate::vars) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The vault passwords of the run.
    pub fn vault(&self) -> &Arc<Keyring> {
        &self.shared.options.vault
    }

    /// Checks every template in `node` without any variable: syntax, and names of filters and tests. Of a `!vault`
    /// value the form is checked.
    pub fn check(&self, node: &Node) -> Result<(), Diagnostic> {
        let _base = stack::Base::here();
        self.check_node(node)
    }

    fn check_node(&self, node: &Node) -> Result<(), Diagnostic> {
        if stack::is_low() {
            return Err(node.error("the value is nested too deeply"));
        }
        match &node.kind {
            Kind::List(items) => items.iter().try_for_each(|item| self.check_node(item)),
            Kind::Map(entries) => entries.iter().try_for_each(|(key, value)| {
                self.check_node(key)?;
                self.check_node(value)
            }),
            Kind::Text(text) if text.use_as == TextUse::Template && may_be_template(&text.value) => {
                let checked = self.shared.template(&text.value);
                checked.map(|_| ()).map_err(|fault| at_node(node, fault))
            }
            Kind::Text(text) if text.use_as == TextUse::Vault => {
                let form = Envelope::parse(text.value.as_bytes());
                form.map(|_| ())
                    .map_err(|error| at_node(node, Fault::new(error.to_string())))
            }
            _ => Ok(()),
        }
    }

    /// The same for a bare expression (`when`, `that`, `changed_when`, `until`). Booleans and numbers are fine.
    pub fn check_condition(&self, node: &Node) -> Result<(), Diagnostic> {
        let _base = stack::Base::here();
        match &node.kind {
            Kind::Text(text) if text.use_as == TextUse::Template => {
                let bare = text.value.trim();
                if bare.is_empty() {
                    return Err(node.error("empty conditions are not allowed"));
                }
                if is_wrapped(bare) {
                    return self.check_node(node);
                }
                let checked = self.shared.expression(bare);
                checked.map(|_| ()).map_err(|fault| at_node(node, fault))
            }
            Kind::List(items) => items.iter().try_for_each(|item| self.check_condition(item)),
            _ => Ok(()),
        }
    }

    /// Renders `node` and everything in it. A text that is one expression alone keeps that value's type. Entries of
    /// mappings and items of lists that come to `omit` are left out; a bare `omit` is given back ([`is_omit`]).
    /// Keys are rendered, too.
    pub fn render(&self, node: &Node, scope: &Scope) -> Result<Value, Diagnostic> {
        let _base = stack::Base::here();
        let ctx = Ctx::new(&self.shared, scope);
        ctx.eager(node)
            .and_then(|value| render::finish(&value))
            .map_err(|fault| at_node(node, fault))
    }

    /// Evaluates a bare expression.
    pub fn evaluate(&self, node: &Node, scope: &Scope) -> Result<Value, Diagnostic> {
        let _base = stack::Base::here();
        let ctx = Ctx::new(&self.shared, scope);
        self.evaluate_in(&ctx, node).map_err(|fault| at_node(node, fault))
    }

    fn evaluate_in(&self, ctx: &Arc<Ctx>, node: &Node) -> Res {
        match &node.kind {
            Kind::Text(text) if text.use_as == TextUse::Template => {
                let bare = text.value.trim();
                if bare.is_empty() {
                    return Err(Fault::new("an empty text is not an expression"));
                }
                if is_wrapped(bare) {
                    return ctx.eager(node);
                }
                let expr = self.shared.expression(bare)?;
                render::finish(&render::expression(ctx, &expr)?)
            }
            _ => ctx.eager(node),
        }
    }

    /// Evaluates a condition; it must come to a boolean.
    pub fn condition(&self, node: &Node, scope: &Scope) -> Result<bool, Diagnostic> {
        let _base = stack::Base::here();
        let ctx = Ctx::new(&self.shared, scope);
        let result = self.condition_in(&ctx, node).map_err(|fault| at_node(node, fault))?;
        if let Some(answer) = bool::try_from(result.clone())
            .ok()
            .filter(|_| result.kind() == minijinja::value::ValueKind::Bool)
        {
            return Ok(answer);
        }
        let truth = if python::truth(&result).unwrap_or(false) {
            "True"
        } else {
            "False"
        };
        let help = match result.kind() {
            minijinja::value::ValueKind::String => "compare it (`x == 'yes'`), or convert it (`x | bool`)",
            minijinja::value::ValueKind::Seq | minijinja::value::ValueKind::Map => {
                "ask for its length: `x | length > 0`"
            }
            minijinja::value::ValueKind::Number => "compare it: `x > 0`, `x != 0`",
            _ => "ask whether it is defined, or compare it",
        };
        let kind = python::type_name(&result);
        Err(node
            .error(format!(
                "conditional result ({truth}) was derived from value of type '{kind}'; conditionals must have a boolean result"
            ))
            .help(help))
    }

    fn condition_in(&self, ctx: &Arc<Ctx>, node: &Node) -> Res {
        let Kind::Text(text) = &node.kind else {
            return match &node.kind {
                Kind::Null => Err(Fault::new("empty conditional expressions are not allowed")),
                _ => ctx.eager(node),
            };
        };
        let bare = text.value.trim();
        if bare.is_empty() {
            return Err(Fault::new("empty conditional expressions are not allowed"));
        }
        // A variable may hold the condition's text, but only one that the user wrote: what a host said is never code.
        if let Some(name) = only_name(bare)
            && let Some(Var::Source(source)) = ctx.scope.get(name)
            && let Kind::Text(inner) = &source.kind
            && inner.use_as == TextUse::Template
            && !may_be_template(&inner.value)
        {
            let expr = self.shared.expression(inner.value.trim());
            let result = expr.and_then(|expr| render::expression(ctx, &expr));
            return result.map_err(|fault| fault.at(|line| place(source, line)));
        }
        self.evaluate_in(ctx, node)
    }

    /// The value of a variable, rendered. `Ok(None)`: there is none.
    pub fn variable(&self, name: &str, scope: &Scope) -> Result<Option<Value>, Diagnostic> {
        let _base = stack::Base::here();
        let ctx = Ctx::new(&self.shared, scope);
        let value = ctx.variable(name).and_then(|value| match value {
            Some(value) => render::finish(&value).map(Some),
            None => Ok(None),
        });
        value.map_err(Fault::into_diagnostic)
    }

    /// All variables of a scope as one mapping, each rendered when it is asked for.
    pub fn scope_value(&self, scope: &Scope) -> Value {
        Value::from_object(ScopeObject(Ctx::new(&self.shared, scope)))
    }

    /// Renders the text of a template file.
    pub fn render_file(
        &self,
        path: &Path,
        text: &str,
        options: &FileOptions,
        scope: &Scope,
    ) -> Result<String, Diagnostic> {
        let _base = stack::Base::here();
        let folder = path.parent().map(Path::to_path_buf);
        let ctx = Ctx::in_folder(&self.shared, scope, folder);
        render::file(&ctx, path, text, options)
            .and_then(|value| {
                if value.is_none() {
                    Ok(String::new())
                } else {
                    python::text(&value)
                }
            })
            .map_err(|fault| at_file(path, text, fault).into_diagnostic())
    }

    /// Checks a template file's text: syntax, and names of filters and tests.
    pub fn check_file(&self, path: &Path, text: &str, options: &FileOptions) -> Result<(), Diagnostic> {
        let _base = stack::Base::here();
        let checked = self.shared.file(text, options).map(|_| ());
        checked.map_err(|fault| at_file(path, text, fault).into_diagnostic())
    }

    /// What a lookup gives (`with_file`, `with_sequence`, …): always the list. `terms` are its arguments, `options` its
    /// named ones.
    pub fn lookup(
        &self,
        name: &str,
        terms: &Value,
        options: &[(String, Value)],
        scope: &Scope,
    ) -> Result<Vec<Value>, Diagnostic> {
        let _base = stack::Base::here();
        let ctx = Ctx::new(&self.shared, scope);
        let found = lookups::with(&ctx, name, terms, options);
        let found = found.and_then(|items| items.iter().map(render::finish).collect::<Res<Vec<Value>>>());
        found.map_err(Fault::into_diagnostic)
    }
}

fn at_node(node: &Node, fault: Fault) -> Diagnostic {
    fault.at(|line| place(node, line)).into_diagnostic()
}

/// A line of a template file.
pub(in crate::vars) fn file_place(path: &Path, text: &str, line: u32) -> Span {
    let header = u32::from(text.starts_with("#jinja2:"));
    Span::new(&SourceFile::new(path, text), line.saturating_add(header).max(1), 1)
}

/// A fault in a template file, at its line.
pub(in crate::vars) fn at_file(path: &Path, text: &str, fault: Fault) -> Fault {
    fault.at(|line| file_place(path, text, line))
}

/// The variables of a scope as a mapping (`hostvars[host]`).
#[derive(Debug)]
struct ScopeObject(Arc<Ctx>);

impl minijinja::value::Object for ScopeObject {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let _base = stack::Base::here();
        // Rendered whole: a part of it may outlive this rendering.
        let value = self
            .0
            .variable(key.as_str()?)
            .and_then(|value| value.map(|v| render::finish(&v)).transpose());
        value.unwrap_or_else(|fault| {
            Some(Value::from(minijinja::Error::new(
                minijinja::ErrorKind::InvalidOperation,
                fault.message,
            )))
        })
    }

    fn enumerate(self: &Arc<Self>) -> minijinja::value::Enumerator {
        minijinja::value::Enumerator::Values(self.0.scope.names().into_iter().map(Value::from).collect())
    }
}

/// The value of the variable `omit`.
pub fn omit() -> Value {
    Value::from_object(Omit)
}

/// True for the value of the variable `omit`.
pub fn is_omit(value: &Value) -> bool {
    value.downcast_object_ref::<Omit>().is_some()
}

/// A value as JSON: what results, events and module arguments are made of.
pub fn to_json(value: &Value) -> serde_json::Value {
    json::to_serde(value)
}

/// JSON as a value of the template language. Nothing in it is ever a template.
pub fn from_json(json: &serde_json::Value) -> Value {
    json::from_serde(json)
}
