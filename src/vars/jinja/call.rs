//! Calls: macros, functions, methods, imported templates.

use std::sync::{Arc, Weak};

use minijinja::value::{Object, ObjectRepr};

use crate::vars::Value;
use crate::vars::context::{Ctx, may_be_template};
use crate::vars::fault::{Fault, Res};
use crate::vars::filters::Args;
use crate::vars::jinja::ast::{CallArgs, Expr, Macro, Name};
use crate::vars::jinja::globals::{self, Function};
use crate::vars::jinja::loops::LoopVar;
use crate::vars::jinja::render::{Frame, Render};
use crate::vars::objects::{dict, is_undef, iterate, list, lock, map_pairs};
use crate::vars::{methods, python};

/// A macro as a value.
#[derive(Debug)]
pub(super) struct MacroValue {
    definition: Arc<Macro>,
    /// The names it sees. Weak: the frame holds the macro; the rendering keeps the frame.
    frame: Weak<Frame>,
}

impl Object for MacroValue {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
}

impl MacroValue {
    /// A macro that sees what `frame` sees.
    pub(super) fn value(definition: &Arc<Macro>, frame: &Arc<Frame>, ctx: &Ctx) -> Value {
        let mut kept = lock(&ctx.kept);
        if !kept.last().is_some_and(|last| Arc::ptr_eq(last, frame)) {
            kept.push(frame.clone());
        }
        Value::from_object(Self {
            definition: definition.clone(),
            frame: Arc::downgrade(frame),
        })
    }
}

/// An imported template: its macros and variables.
#[derive(Debug)]
pub(super) struct Module(Weak<Frame>);

impl Object for Module {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
}

impl Module {
    /// What `frame` holds.
    pub(super) fn value(frame: &Arc<Frame>) -> Value {
        Value::from_object(Self(Arc::downgrade(frame)))
    }

    /// One of its names.
    pub(super) fn get(&self, name: &str) -> Option<Value> {
        let frame = self.0.upgrade()?;
        let value = lock(&frame.vars).get(name).cloned();
        value.filter(|_| !name.starts_with('_'))
    }
}

impl Render {
    /// The values of arguments.
    pub(super) fn args(&mut self, args: &CallArgs) -> Res<Args> {
        let mut out = Args::default();
        for arg in &args.pos {
            out.pos.push(self.eval(arg)?);
        }
        for (name, arg) in &args.named {
            out.named.push((name.clone(), self.eval(arg)?));
        }
        if let Some(star) = &args.star {
            let items = self.eval(star)?;
            out.pos.extend(iterate(&items)?);
        }
        if let Some(star) = &args.star_star {
            let map = self.eval(star)?;
            let pairs = map_pairs(&map)?.ok_or_else(|| Fault::new("a mapping is expected after `**`"))?;
            for (key, value) in pairs {
                out.named.push((python::text(&key)?.into(), value));
            }
        }
        Ok(out)
    }

    /// Evaluates a call; `caller`: the block of a `{% call %}`.
    pub(super) fn call_expr(&mut self, expr: &Expr, caller: Option<Value>) -> Res {
        let Expr::Call(callee, args) = expr else {
            return self.eval(expr);
        };
        self.ctx.spend(1)?;
        match &**callee {
            Expr::Attr(object, name) => {
                let value = self.eval(object)?;
                if is_undef(&value) {
                    return Ok(value);
                }
                let value = match &**object {
                    Expr::Var(variable) if methods::changes(name) => self.changeable(variable, value)?,
                    _ => value,
                };
                let object = value;
                let args = self.args(args)?;
                return self.call_attr(&object, name, args, caller);
            }
            Expr::Var(name) if &**name == "super" && self.block.is_some() => {
                let Some((name, version)) = self.block.clone() else {
                    return Err(Fault::new("`super()` outside of a block"));
                };
                return self.captured(|render| render.block(&name, version + 1));
            }
            _ => {}
        }
        let callee = self.eval(callee)?;
        if is_undef(&callee) {
            return Ok(callee);
        }
        let mut values = self.args(args)?;
        if matches!(callee.downcast_object_ref::<Function>(), Some(function) if function.is_lookup()) {
            self.render_constants(args, &mut values)?;
        }
        self.call_value(&callee, values, caller)
    }

    /// The list or mapping of a variable as one that methods may change, for the rest of this rendering.
    fn changeable(&self, name: &Name, value: Value) -> Res {
        let Some(changeable) = methods::changeable_copy(&value)? else {
            return Ok(value);
        };
        if self.frame.get(name).is_some() {
            self.frame.set(name, changeable.clone());
        } else {
            self.ctx.replace(name, changeable.clone());
        }
        Ok(changeable)
    }

    /// Texts in quotes in a lookup's arguments may be templates (`lookup('file', '{{ name }}')`).
    fn render_constants(&mut self, args: &CallArgs, values: &mut Args) -> Res<()> {
        for (expr, value) in args.pos.iter().zip(&mut values.pos) {
            if let Expr::Const(text) = expr
                && let Some(text) = text.as_str().filter(|text| may_be_template(text))
            {
                let template = self.ctx.shared.template(&text.into())?;
                *value = super::render::text(&self.ctx, &template)?;
            }
        }
        Ok(())
    }

    fn call_attr(&mut self, object: &Value, name: &Name, args: Args, caller: Option<Value>) -> Res {
        if let Some(variable) = object.downcast_object_ref::<LoopVar>()
            && let Some(value) = variable.method(name, &args)?
        {
            return Ok(value);
        }
        if let Some(module) = object.downcast_object_ref::<Module>() {
            let Some(value) = module.get(name) else {
                return Ok(super::expr::no_attribute(object, &Value::from(name.clone())));
            };
            return self.call_value(&value, args, caller);
        }
        if let Some(undefined) = args.first_undef() {
            return Ok(undefined);
        }
        if let Some(result) = methods::call(&self.ctx, object, name, &args)? {
            return Ok(result);
        }
        // A mapping may hold something that can be called: namespaces and imported macros.
        let value = Self::attribute(object, name)?;
        if is_undef(&value) {
            return Ok(value);
        }
        self.call_value(&value, args, caller)
    }

    /// Calls a value.
    pub(super) fn call_value(&mut self, callee: &Value, args: Args, caller: Option<Value>) -> Res {
        if let Some(called) = callee.downcast_object_ref::<MacroValue>() {
            return self.call_macro(called, args, caller);
        }
        if let Some(function) = callee.downcast_object_ref::<Function>() {
            return globals::call(&self.ctx, function, args);
        }
        if let Some(variable) = callee.downcast_object_ref::<LoopVar>() {
            let items = args.pos.first().cloned().unwrap_or_default();
            return self.loop_again(variable, &items);
        }
        Err(Fault::new(format!(
            "'{}' object is not callable",
            python::type_name(callee)
        )))
    }

    fn call_macro(&mut self, called: &MacroValue, args: Args, caller: Option<Value>) -> Res {
        let definition = &called.definition;
        let name = &definition.name;
        let parent = called
            .frame
            .upgrade()
            .ok_or_else(|| Fault::new(format!("macro `{name}` was called after its template")))?;
        let frame = Frame::inside(&parent);
        let mut inner = Render::new(&self.ctx, frame.clone());
        let mut pos = args.pos.into_iter();
        let mut named = args.named;
        for (param, default) in &definition.params {
            let given = pos.next().or_else(|| {
                let at = named.iter().position(|(n, _)| n == param)?;
                Some(named.remove(at).1)
            });
            let value = match (given, default) {
                (Some(value), _) => value,
                (None, Some(default)) => inner.eval(default)?,
                (None, None) => crate::vars::objects::Undef::value(format!(
                    "parameter '{param}' of macro '{name}' was not provided"
                )),
            };
            frame.set(param, value);
        }
        let uses = |word: &str| super::expr::mentions(&definition.body, word);
        let rest: Vec<Value> = pos.collect();
        if !rest.is_empty() && !uses("varargs") {
            let most = definition.params.len();
            return Err(Fault::new(format!(
                "macro '{name}' takes not more than {most} argument(s)"
            )));
        }
        if let Some((unknown, _)) = named.first().filter(|_| !uses("kwargs")) {
            return Err(Fault::new(format!(
                "macro '{name}' takes no keyword argument '{unknown}'"
            )));
        }
        frame.set(&"varargs".into(), list(rest));
        frame.set(
            &"kwargs".into(),
            dict(named.into_iter().map(|(k, v)| (Value::from(k), v))),
        );
        if let Some(caller) = caller {
            frame.set(&"caller".into(), caller);
        }
        inner.body(&definition.body)?;
        super::render::concat(inner.out)
    }
}
