//! Statements: what a template prints. Pieces are kept apart until the end, because a template that comes to one value
//! alone keeps that value's type.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::vars::Value;
use crate::vars::context::Ctx;
use crate::vars::fault::{Fault, Res};
use crate::vars::jinja::ast::{Block, Expr, Kind, Name, Stmt, Target, Template};
use crate::vars::jinja::call::{MacroValue, Module};
use crate::vars::lookups::files;
use crate::vars::objects::{
    LONGEST_TEXT, Namespace, Omit, Undef, is_list, is_map, iterate, list_items, located, lock, map_pairs, undef,
};
use crate::vars::templar::{FileOptions, at_file, file_place};
use crate::vars::{python, stack};

/// Names set inside a template: one frame for each loop turn, block, macro call.
#[derive(Debug, Default)]
pub(in crate::vars) struct Frame {
    pub(super) vars: Mutex<HashMap<Name, Value>>,
    parent: Option<Arc<Frame>>,
}

impl Frame {
    /// An inner frame.
    pub(super) fn inside(parent: &Arc<Frame>) -> Arc<Self> {
        Arc::new(Self {
            vars: Mutex::default(),
            parent: Some(parent.clone()),
        })
    }

    pub(super) fn get(&self, name: &str) -> Option<Value> {
        let mut frame = self;
        loop {
            if let Some(value) = lock(&frame.vars).get(name) {
                return Some(value.clone());
            }
            frame = frame.parent.as_deref()?;
        }
    }

    pub(super) fn set(&self, name: &Name, value: Value) {
        lock(&self.vars).insert(name.clone(), value);
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        // A long chain must not be dropped by recursion.
        let mut next = self.parent.take();
        while let Some(frame) = next {
            next = Arc::into_inner(frame).and_then(|mut frame| frame.parent.take());
        }
    }
}

/// One printed piece.
#[derive(Debug)]
pub(super) enum Chunk {
    Text(String),
    Value(Value),
}

/// What a statement asks the loop around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    On,
    Break,
    Continue,
}

/// The blocks of a template and of those it extends, the outermost child first.
type Blocks = HashMap<Name, Vec<Arc<Block>>>;

/// The evaluator.
pub(in crate::vars) struct Render {
    pub(in crate::vars) ctx: Arc<Ctx>,
    pub(super) frame: Arc<Frame>,
    pub(super) out: Vec<Chunk>,
    written: usize,
    blocks: Blocks,
    /// The block being printed, and which of its versions.
    pub(super) block: Option<(Name, usize)>,
    extends: Option<Arc<Template>>,
    /// Texts in quotes inside a condition may hold templates themselves.
    pub(super) constants: bool,
}

/// Renders a template to its value.
pub(in crate::vars) fn text(ctx: &Arc<Ctx>, template: &Template) -> Res {
    let mut render = Render::new(ctx, Arc::default());
    render.template(template)?;
    Ok(with_newlines(concat(render.out)?, template.final_newlines))
}

/// Renders a template file to its value.
pub(in crate::vars) fn file(ctx: &Arc<Ctx>, path: &Path, source: &str, options: &FileOptions) -> Res {
    let template = ctx.shared.file(source, options)?;
    let value = text(ctx, &template).map_err(|fault| at_file(path, source, fault))?;
    Ok(located(value, 0, Some(&|line| file_place(path, source, line))))
}

/// The value of an expression that stands alone (a condition).
pub(in crate::vars) fn expression(ctx: &Arc<Ctx>, expr: &Expr) -> Res {
    let mut render = Render::new(ctx, Arc::default());
    render.constants = true;
    let value = render.eval(expr)?;
    match undef(&value) {
        Some(undef) => Err(undef.fault()),
        None => Ok(value),
    }
}

/// A finished value: nothing in it is lazy, left out, or undefined.
pub(in crate::vars) fn finish(value: &Value) -> Res {
    if stack::is_low() {
        return Err(Fault::new("the value is nested too deeply"));
    }
    if let Some(undef) = undef(value) {
        return Err(undef.fault());
    }
    let is_omit = |value: &Value| value.downcast_object_ref::<Omit>().is_some();
    if is_list(value) {
        let items = list_items(value)?.unwrap_or_default();
        let items: Vec<Value> = items
            .iter()
            .filter(|item| !is_omit(item))
            .map(finish)
            .collect::<Res<_>>()?;
        return Ok(Value::from_object(items));
    }
    if is_map(value) {
        let pairs = map_pairs(value)?.unwrap_or_default();
        let pairs = pairs.iter().filter(|(_, item)| !is_omit(item));
        let pairs: Vec<(Value, Value)> = pairs.map(|(k, v)| Ok((finish(k)?, finish(v)?))).collect::<Res<_>>()?;
        return Ok(pairs.into_iter().collect());
    }
    if value.kind() == minijinja::value::ValueKind::Plain && !is_omit(value) {
        // Dates become text where they leave the templates; functions and macros never leave.
        if crate::vars::datetime::is_time(value) {
            return python::text(value).map(Value::from);
        }
        return Err(Fault::new("the result is a function or a macro, not a value").help("call it with `()`"));
    }
    crate::vars::objects::checked(value.clone())
}

/// The value of what was printed.
pub(super) fn concat(mut out: Vec<Chunk>) -> Res {
    out.retain(|chunk| !matches!(chunk, Chunk::Value(value) if value.is_none()));
    if out.len() <= 1 {
        return Ok(match out.pop() {
            None => Value::from(()),
            Some(Chunk::Text(text)) => Value::from(text),
            Some(Chunk::Value(value)) => value,
        });
    }
    let mut text = String::new();
    for chunk in out {
        match chunk {
            Chunk::Text(part) => text.push_str(&part),
            Chunk::Value(value) => match value.as_str() {
                Some(part) => text.push_str(part),
                None => text.push_str(&python::text(&value)?),
            },
        }
        if text.len() > LONGEST_TEXT {
            return Err(Fault::new("the rendered text is longer than 64 MiB"));
        }
    }
    Ok(Value::from(text))
}

/// Line feeds at the end of a template stay at the end of its text.
fn with_newlines(value: Value, wanted: usize) -> Value {
    let Some(text) = value.as_str().filter(|_| wanted > 0) else {
        return value;
    };
    let has = text.len() - text.trim_end_matches('\n').len();
    if has >= wanted {
        return value;
    }
    Value::from(format!("{text}{}", "\n".repeat(wanted - has)))
}

impl Render {
    pub(super) fn new(ctx: &Arc<Ctx>, frame: Arc<Frame>) -> Self {
        Self {
            ctx: ctx.clone(),
            frame,
            out: Vec::new(),
            written: 0,
            blocks: Blocks::new(),
            block: None,
            extends: None,
            constants: false,
        }
    }

    fn template(&mut self, template: &Template) -> Res<()> {
        self.add_blocks(template);
        self.body(&template.body)?;
        let mut chain = 0;
        while let Some(parent) = self.extends.take() {
            chain += 1;
            if chain > 50 {
                return Err(Fault::new("templates extend each other without end"));
            }
            self.out.clear();
            self.add_blocks(&parent);
            self.body(&parent.body)?;
        }
        Ok(())
    }

    fn add_blocks(&mut self, template: &Template) {
        for block in &template.blocks {
            self.blocks.entry(block.name.clone()).or_default().push(block.clone());
        }
    }

    /// Prints text.
    pub(super) fn print(&mut self, text: &str) -> Res<()> {
        self.written += text.len();
        if self.written > LONGEST_TEXT {
            return Err(Fault::new("the rendered text is longer than 64 MiB"));
        }
        if let Some(Chunk::Text(last)) = self.out.last_mut() {
            last.push_str(text);
        } else {
            self.out.push(Chunk::Text(text.to_owned()));
        }
        Ok(())
    }

    /// Runs statements; their prints are returned instead of printed.
    pub(super) fn captured(&mut self, run: impl FnOnce(&mut Self) -> Res<()>) -> Res {
        let outer = std::mem::take(&mut self.out);
        let result = run(self);
        let inner = std::mem::replace(&mut self.out, outer);
        result?;
        concat(inner)
    }

    /// Runs with an inner frame.
    pub(super) fn scoped<T>(&mut self, frame: Arc<Frame>, run: impl FnOnce(&mut Self) -> Res<T>) -> Res<T> {
        let outer = std::mem::replace(&mut self.frame, frame);
        let result = run(self);
        self.frame = outer;
        result
    }

    /// Runs statements; nothing after a `break` or `continue`.
    pub(super) fn flow(&mut self, body: &[Stmt]) -> Res<Flow> {
        for stmt in body {
            let flow = self.statement(stmt).map_err(|fault| fault.on_line(stmt.line))?;
            if flow != Flow::On {
                return Ok(flow);
            }
        }
        Ok(Flow::On)
    }

    pub(super) fn body(&mut self, body: &[Stmt]) -> Res<()> {
        self.flow(body).map(|_| ())
    }

    fn statement(&mut self, stmt: &Stmt) -> Res<Flow> {
        self.ctx.spend(1)?;
        if stack::is_low() {
            return Err(Fault::new(
                "the template is nested too deeply (a macro or include that calls itself?)",
            ));
        }
        match &stmt.kind {
            Kind::Text(text) => self.print(text)?,
            Kind::Print(expr) => {
                let value = self.eval(expr)?;
                self.written += value.as_str().map_or(8, str::len);
                if self.written > LONGEST_TEXT {
                    return Err(Fault::new("the rendered text is longer than 64 MiB"));
                }
                self.out.push(Chunk::Value(located(value, stmt.line, None)));
            }
            Kind::For(for_loop) => self.for_loop(for_loop)?,
            Kind::If(branches, otherwise) => {
                for (test, body) in branches {
                    if self.truth(test)? {
                        return self.flow(body);
                    }
                }
                return self.flow(otherwise);
            }
            Kind::Set(target, expr) => {
                let value = self.eval(expr)?;
                self.assign(target, value)?;
            }
            Kind::SetBlock(target, filter, body) => {
                let frame = Frame::inside(&self.frame);
                let text = self.scoped(frame, |render| render.captured(|render| render.body(body)))?;
                let value = self.filtered(filter.as_ref(), text)?;
                self.assign(target, value)?;
            }
            Kind::With(sets, body) => {
                let frame = Frame::inside(&self.frame);
                let values: Vec<Value> = sets.iter().map(|(_, expr)| self.eval(expr)).collect::<Res<_>>()?;
                return self.scoped(frame, |render| {
                    for ((target, _), value) in sets.iter().zip(values) {
                        render.assign(target, value)?;
                    }
                    render.flow(body)
                });
            }
            Kind::FilterBlock(filter, body) => {
                let frame = Frame::inside(&self.frame);
                let text = self.scoped(frame, |render| render.captured(|render| render.body(body)))?;
                let text = if text.is_none() { Value::from("") } else { text };
                let value = self.filtered(Some(filter), text)?;
                self.out.push(Chunk::Value(value));
            }
            Kind::Macro(definition) => {
                let value = MacroValue::value(definition, &self.frame, &self.ctx);
                self.frame.set(&definition.name, value);
            }
            Kind::CallBlock(definition, call) => {
                let caller = MacroValue::value(definition, &self.frame, &self.ctx);
                let value = self.call_expr(call, Some(caller))?;
                self.out.push(Chunk::Value(value));
            }
            // What stands outside of a parent's blocks is not printed, its blocks are, later.
            Kind::Block(_) if self.extends.is_some() => {}
            Kind::Block(block) => self.block(&block.name.clone(), 0)?,
            Kind::Extends(expr) => {
                let name = self.eval(expr)?;
                let found = self.find(&name, false)?;
                if let Some(found) = found {
                    self.extends = Some(found.template);
                }
            }
            Kind::Include {
                names,
                ignore_missing,
                with_context,
            } => {
                let names = self.eval(names)?;
                if let Some(found) = self.find(&names, *ignore_missing)? {
                    let frame = self.frame_for(*with_context);
                    let mut inner = Render::new(&self.ctx, frame);
                    inner
                        .template(&found.template)
                        .map_err(|fault| at_file(&found.path, &found.text, fault))?;
                    let span = |line| file_place(&found.path, &found.text, line);
                    let printed = inner.out.into_iter().map(|chunk| match chunk {
                        Chunk::Value(value) => Chunk::Value(located(value, 0, Some(&span))),
                        text @ Chunk::Text(_) => text,
                    });
                    self.out.extend(printed);
                }
            }
            Kind::Import {
                file,
                name,
                with_context,
            } => {
                let module = self.module(file, *with_context)?;
                self.frame.set(name, Module::value(&module));
            }
            Kind::From {
                file,
                names,
                with_context,
            } => {
                let module = self.module(file, *with_context)?;
                for (name, alias) in names {
                    let value = lock(&module.vars).get(name).cloned();
                    let value = value.unwrap_or_else(|| Undef::value(format!("the template does not export '{name}'")));
                    self.frame.set(alias, value);
                }
            }
            Kind::Do(expr) => {
                self.eval(expr)?;
            }
            Kind::Scope(body) => return self.flow(body),
            Kind::Break => return Ok(Flow::Break),
            Kind::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::On)
    }

    /// Prints version `version` of a block: 0 is that of the outermost child.
    pub(super) fn block(&mut self, name: &Name, version: usize) -> Res<()> {
        let Some(block) = self.blocks.get(name).and_then(|all| all.get(version)).cloned() else {
            return Err(Fault::new(format!(
                "block `{name}` has no parent to print with `super()`"
            )));
        };
        let outer = self.block.replace((name.clone(), version));
        let frame = Frame::inside(&self.frame);
        let result = self.scoped(frame, |render| render.body(&block.body));
        self.block = outer;
        result
    }

    fn filtered(&mut self, filter: Option<&Expr>, text: Value) -> Res {
        match filter {
            None => Ok(text),
            Some(filter) => {
                let frame = Frame::inside(&self.frame);
                frame.set(&BODY.into(), text);
                self.scoped(frame, |render| render.eval(filter))
            }
        }
    }

    pub(super) fn assign(&mut self, target: &Target, value: Value) -> Res<()> {
        match target {
            Target::Name(name) => self.frame.set(name, value),
            Target::Attr(name, attr) => {
                let Some(object) = self.frame.get(name) else {
                    return Err(Fault::undefined(format!("'{name}' is undefined")));
                };
                let Some(namespace) = object.downcast_object_ref::<Namespace>() else {
                    return Err(Fault::new(format!(
                        "cannot assign to `{name}.{attr}`: only namespaces can be changed"
                    ))
                    .help(format!("make it one: `{{% set {name} = namespace() %}}`")));
                };
                lock(&namespace.0).insert(Value::from(attr.clone()), value);
            }
            Target::Tuple(targets) => {
                let items = iterate(&value)?;
                if items.len() != targets.len() {
                    return Err(Fault::new(format!(
                        "cannot unpack {} values into {} names",
                        items.len(),
                        targets.len()
                    )));
                }
                for (target, item) in targets.iter().zip(items) {
                    self.assign(target, item)?;
                }
            }
        }
        Ok(())
    }

    fn frame_for(&self, with_context: bool) -> Arc<Frame> {
        if with_context {
            Frame::inside(&self.frame)
        } else {
            Arc::default()
        }
    }

    fn module(&mut self, file: &Expr, with_context: bool) -> Res<Arc<Frame>> {
        let name = self.eval(file)?;
        let Some(found) = self.find(&name, false)? else {
            return Err(Fault::new("template not found"));
        };
        let frame = self.frame_for(with_context);
        let mut inner = Render::new(&self.ctx, frame.clone());
        inner
            .template(&found.template)
            .map_err(|fault| at_file(&found.path, &found.text, fault))?;
        lock(&self.ctx.kept).push(frame.clone());
        Ok(frame)
    }

    fn find(&self, names: &Value, ignore_missing: bool) -> Res<Option<files::Found>> {
        let names = match names.as_str() {
            Some(name) => vec![Value::from(name)],
            None => iterate(names)?,
        };
        for name in &names {
            let name = python::text(name)?;
            if let Some(found) = files::find_template(&self.ctx, &name)? {
                return Ok(Some(found));
            }
        }
        if ignore_missing {
            return Ok(None);
        }
        let names: Vec<String> = names.iter().map(python::text).collect::<Res<_>>()?;
        Err(Fault::new(format!("template `{}` not found", names.join("`, `")))
            .help("it is searched next to the template and in the `templates` folders"))
    }
}

/// The name the text of a filter block goes by; no template can write it.
pub(super) const BODY: &str = "{filter}";
