//! One rendering: the variables it sees, what it has rendered so far, and how much more it may do.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

use crate::source::Span;
use crate::vars::fault::{Fault, Res};
use crate::vars::jinja::render::{self, Frame};
use crate::vars::lazy::{Lazy, scalar, walk};
use crate::vars::objects::{Undef, checked, located, lock};
use crate::vars::templar::Shared;
use crate::vars::{Scope, Value, Var, stack};
use crate::yaml::{Kind, Node, Text, TextUse};

/// How many statements and expressions one rendering may evaluate.
const FUEL: u64 = 10_000_000;
/// The same for text that nobody vouches for.
const FUEL_ISOLATED: u64 = 100_000;

/// One rendering.
#[derive(Debug)]
pub(in crate::vars) struct Ctx {
    me: Weak<Ctx>,
    /// What all renderings share.
    pub(in crate::vars) shared: Arc<Shared>,
    /// The variables.
    pub(in crate::vars) scope: Scope,
    /// The folder of the template file being rendered.
    pub(in crate::vars) folder: Option<PathBuf>,
    done: Mutex<HashMap<String, Value>>,
    /// The nodes being rendered now, by address: one that comes again is a loop.
    active: Mutex<Vec<usize>>,
    fuel: AtomicU64,
    /// Frames that macros refer to; they live as long as the rendering.
    pub(in crate::vars) kept: Mutex<Vec<Arc<Frame>>>,
}

/// True when a text could hold a template.
pub(in crate::vars) fn may_be_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%") || text.contains("{#")
}

impl Ctx {
    /// A rendering over `scope`.
    pub(in crate::vars) fn new(shared: &Arc<Shared>, scope: &Scope) -> Arc<Self> {
        Self::in_folder(shared, scope, None)
    }

    /// The same for a template file in `folder`.
    pub(in crate::vars) fn in_folder(shared: &Arc<Shared>, scope: &Scope, folder: Option<PathBuf>) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            me: me.clone(),
            shared: shared.clone(),
            scope: scope.clone(),
            folder,
            done: Mutex::default(),
            active: Mutex::default(),
            fuel: AtomicU64::new(if shared.options.isolated { FUEL_ISOLATED } else { FUEL }),
            kept: Mutex::default(),
        })
    }

    /// A handle for values that outlive a call.
    pub(in crate::vars) fn me(&self) -> Weak<Ctx> {
        self.me.clone()
    }

    /// Counts work; a rendering that does too much of it is an error.
    pub(in crate::vars) fn spend(&self, work: u64) -> Res<()> {
        let left = self.fuel.load(Ordering::Relaxed);
        if left < work {
            self.fuel.store(0, Ordering::Relaxed);
            return Err(Fault::new(
                "the template does too much work (a loop over too many items?)",
            ));
        }
        self.fuel.store(left - work, Ordering::Relaxed);
        Ok(())
    }

    /// The value of a variable, rendered as far as needed. `None`: there is none.
    pub(in crate::vars) fn variable(&self, name: &str) -> Res<Option<Value>> {
        if let Some(value) = lock(&self.done).get(name) {
            return Ok(Some(value.clone()));
        }
        let value = match self.scope.get(name) {
            None => return Ok(None),
            Some(Var::Data(value)) => checked(value.clone())?,
            Some(Var::Source(node)) => match self.node_value(node, Vec::new()) {
                Ok(value) => value,
                Err(fault) if fault.undefined => Undef::from_fault(fault),
                Err(fault) => return Err(fault),
            },
        };
        lock(&self.done).insert(name.to_owned(), value.clone());
        Ok(Some(value))
    }

    /// Gives a variable another value for the rest of this rendering.
    pub(in crate::vars) fn replace(&self, name: &str, value: Value) {
        lock(&self.done).insert(name.to_owned(), value);
    }

    /// The value of the node at `path` inside `root`: containers stay lazy.
    pub(in crate::vars) fn node_value(&self, root: &Arc<Node>, path: Vec<u32>) -> Res {
        let node = walk(root, &path);
        match &node.kind {
            Kind::List(_) | Kind::Map(_) => Ok(Lazy::value(root.clone(), path, self.me())),
            Kind::Text(text) if text.use_as == TextUse::Vault => {
                self.vault_value(node, text, || format!("the variable `{}`", self.name_of(root, &path)))
            }
            Kind::Text(text) => self.text_value(node, text),
            _ => Ok(scalar(node)),
        }
    }

    fn vault_value(&self, node: &Node, text: &Text, what: impl FnOnce() -> String) -> Res {
        let plain = self.shared.decrypt(&text.value, what);
        plain.map(Value::from).map_err(|fault| fault.at(|_| place(node, 1)))
    }

    /// What a variable's value, or a part of it, is called. Only messages need it.
    fn name_of(&self, root: &Arc<Node>, path: &[u32]) -> String {
        let is_it = |var: &&Var| matches!(var, Var::Source(node) if Arc::ptr_eq(node, root));
        let names = self.scope.names();
        let name = names
            .into_iter()
            .find(|name| self.scope.get(name).as_ref().is_some_and(is_it));
        let mut out = name.unwrap_or("?").to_owned();
        let mut node: &Node = root;
        for step in path {
            let (part, next) = match &node.kind {
                Kind::Map(entries) => match entries.get(*step as usize) {
                    Some((key, value)) => (key.scalar_text().unwrap_or_default(), value),
                    None => break,
                },
                Kind::List(items) => match items.get(*step as usize) {
                    Some(item) => (step.to_string(), item),
                    None => break,
                },
                _ => break,
            };
            out.push('.');
            out.push_str(&part);
            node = next;
        }
        out
    }

    /// A node that is not shared: containers are rendered whole.
    pub(in crate::vars) fn eager(&self, node: &Node) -> Res {
        if stack::is_low() {
            return Err(Fault::new("the value is nested too deeply").at(|_| node.span.clone()));
        }
        match &node.kind {
            Kind::List(items) => {
                let items: Vec<Value> = items.iter().map(|item| self.eager(item)).collect::<Res<_>>()?;
                Ok(Value::from_object(items))
            }
            Kind::Map(entries) => {
                let mut pairs = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    pairs.push((self.eager(key)?, self.eager(value)?));
                }
                Ok(pairs.into_iter().collect())
            }
            Kind::Text(text) => self
                .text_value(node, text)
                .and_then(|value| render::finish(&value))
                .map_err(|fault| fault.at(|line| place(node, line))),
            _ => Ok(scalar(node)),
        }
    }

    fn text_value(&self, node: &Node, text: &Text) -> Res {
        match text.use_as {
            TextUse::Literal => return Ok(Value::from(text.value.clone())),
            TextUse::Vault => return self.vault_value(node, text, || "the value".to_owned()),
            TextUse::Template => {}
        }
        if !may_be_template(&text.value) {
            return Ok(Value::from(text.value.clone()));
        }
        let id = std::ptr::from_ref(node) as usize;
        {
            let mut active = lock(&self.active);
            if active.contains(&id) {
                let fault = Fault::new("recursive loop detected in template: the value refers to itself");
                return Err(fault.at(|line| place(node, line)));
            }
            active.push(id);
        }
        let result = self.template_text(&text.value);
        lock(&self.active).pop();
        result
            .map(|value| located(value, 0, Some(&|line| place(node, line))))
            .map_err(|fault| fault.at(|line| place(node, line)))
    }

    /// Renders a text that is known to be a template.
    fn template_text(&self, text: &Arc<str>) -> Res {
        if stack::is_low() {
            return Err(Fault::new(
                "recursive loop detected in template: variables are nested too deeply",
            ));
        }
        let Some(me) = self.me.upgrade() else {
            return Err(Fault::new("a value was used after its template was rendered"));
        };
        let template = self.shared.template(text)?;
        render::text(&me, &template)
    }

    /// The text of a variable that is one, such as `playbook_dir`.
    pub(in crate::vars) fn text_variable(&self, name: &str) -> Option<String> {
        self.variable(name).ok()??.as_str().map(str::to_owned)
    }
}

/// The place of a line of a template inside the file it stands in. Only a text written as a block with `|` keeps its
/// lines; everything else points at its beginning.
pub(in crate::vars) fn place(node: &Node, line: u32) -> Span {
    let span = &node.span;
    let above = span
        .line
        .checked_sub(2)
        .and_then(|index| span.file.text.lines().nth(index as usize));
    // The digits of an encrypted value say nothing; the line above has its name.
    if let (Kind::Text(text), Some(above)) = (&node.kind, above)
        && text.use_as == TextUse::Vault
        && let Some(at) = above.find("!vault")
    {
        let column = above.get(..at).map_or(0, |before| before.chars().count()) + 1;
        return Span::new(&span.file, span.line - 1, u32::try_from(column).unwrap_or(u32::MAX));
    }
    let is_block = above.is_some_and(|above| {
        let bare = above.split(" #").next().unwrap_or("").trim_end();
        bare.rsplit(' ').next().is_some_and(|last| last.starts_with('|'))
    });
    if line <= 1 || !is_block {
        return span.clone();
    }
    let at = span.line.saturating_add(line - 1);
    let written = span.file.text.lines().nth(at.saturating_sub(1) as usize).unwrap_or("");
    let blanks = written.chars().take_while(|c| *c == ' ').count();
    Span::new(&span.file, at, u32::try_from(blanks).unwrap_or(0).saturating_add(1))
}
