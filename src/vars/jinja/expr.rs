//! Expressions: names, attributes, items, tests and filters.

use crate::vars::Value;
use crate::vars::context::may_be_template;
use crate::vars::datetime::{Elapsed, Moment};
use crate::vars::fault::{Fault, Res};
use crate::vars::format::{Operand, percent};
use crate::vars::jinja::ast::{Cmp, Expr, Kind, Name, Op, Stmt};
use crate::vars::jinja::call::Module;
use crate::vars::jinja::loops::LoopVar;
use crate::vars::jinja::render::{BODY, Render};
use crate::vars::jinja::{globals, operators};
use crate::vars::objects::{
    Group, Namespace, Undef, dict, is_list, is_map, is_undef, list, list_get, lock, map_get, undef,
};
use crate::vars::{filters, python, stack, tests};

/// The undefined value a missing attribute or item is.
pub(in crate::vars) fn no_attribute(object: &Value, key: &Value) -> Value {
    let kind = python::type_name(object);
    let key = python::repr(key).unwrap_or_default();
    Undef::value(format!("object of type '{kind}' has no attribute {key}"))
}

/// `object[key]` and `object.key`; what is not there is undefined.
pub(in crate::vars) fn item(object: &Value, key: &Value) -> Res {
    if is_undef(object) {
        return Ok(object.clone());
    }
    if let Some(undef) = undef(key) {
        return Err(undef.fault());
    }
    let found = if is_map(object) {
        map_get(object, key)?
    } else if is_list(object) || object.as_str().is_some() {
        let index = python::whole(key).and_then(|n| i64::try_from(n).ok());
        match (index, object.as_str()) {
            (None, _) => None,
            (Some(index), None) => list_get(object, index)?,
            (Some(index), Some(text)) => {
                let index = if index < 0 {
                    i64::try_from(text.chars().count())
                        .unwrap_or(i64::MAX)
                        .saturating_add(index)
                } else {
                    index
                };
                usize::try_from(index)
                    .ok()
                    .and_then(|i| text.chars().nth(i))
                    .map(Value::from)
            }
        }
    } else {
        None
    };
    if let (None, Some(_)) = (&found, object.downcast_object_ref::<Group>()) {
        return Ok(object
            .get_item(key)
            .ok()
            .filter(|v| !v.is_undefined())
            .unwrap_or_else(|| no_attribute(object, key)));
    }
    Ok(found.unwrap_or_else(|| no_attribute(object, key)))
}

/// `a.b.0.c` below `object`, as filters with `attribute=` read it.
pub(in crate::vars) fn path(object: &Value, path: &Value) -> Res {
    let Some(text) = path.as_str() else {
        return item(object, path);
    };
    let mut value = object.clone();
    for part in text.split('.') {
        let is_index = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let key = match part.parse::<i64>() {
            Ok(index) if is_index => Value::from(index),
            _ => Value::from(part),
        };
        value = match item(&value, &key)? {
            // A mapping may have the digits as a text.
            missing if is_index && is_undef(&missing) && is_map(&value) => item(&value, &Value::from(part))?,
            found => found,
        };
    }
    Ok(value)
}

impl Render {
    /// The value of an expression.
    pub(in crate::vars) fn eval(&mut self, expr: &Expr) -> Res {
        if stack::is_low() {
            return Err(Fault::new(
                "recursive loop detected in template: it is nested too deeply",
            ));
        }
        match expr {
            Expr::Const(value) => self.constant(value),
            Expr::Var(name) => self.name(name),
            Expr::Body => Ok(self.frame.get(BODY).unwrap_or_default()),
            Expr::List(items) | Expr::Tuple(items) => {
                self.ctx.spend(1)?;
                let items: Vec<Value> = items.iter().map(|item| self.eval(item)).collect::<Res<_>>()?;
                Ok(list(items))
            }
            Expr::Dict(pairs) => {
                self.ctx.spend(1)?;
                let pairs = pairs.iter().map(|(key, value)| {
                    let key = crate::vars::objects::defined(self.eval(key)?)?;
                    if is_list(&key) || is_map(&key) {
                        return Err(Fault::new(format!("unhashable type: '{}'", python::type_name(&key)))
                            .help("a mapping's keys are texts or numbers"));
                    }
                    Ok((key, self.eval(value)?))
                });
                let pairs: Vec<(Value, Value)> = pairs.collect::<Res<_>>()?;
                Ok(dict(pairs))
            }
            Expr::Attr(object, name) => {
                let object = self.eval(object)?;
                Self::attribute(&object, name)
            }
            Expr::Item(object, key) => {
                let object = self.eval(object)?;
                let key = self.eval(key)?;
                match key.as_str() {
                    Some(name) if !is_map(&object) => Self::attribute(&object, name),
                    _ => item(&object, &key),
                }
            }
            Expr::Slice(object, parts) => self.slice(object, parts),
            Expr::Cond(test, then, otherwise) => {
                if self.truth(test)? {
                    return self.eval(then);
                }
                match otherwise {
                    Some(otherwise) => self.eval(otherwise),
                    None => Ok(Value::from_object(Undef {
                        message: "the inline if-expression evaluated to false and no else section was defined".into(),
                        help: None,
                        at: None,
                        line: 0,
                        soft: true,
                    })),
                }
            }
            Expr::And(a, b) => {
                let left = self.eval(a)?;
                if python::truth(&left)? { self.eval(b) } else { Ok(left) }
            }
            Expr::Or(a, b) => {
                let left = self.eval(a)?;
                if python::truth(&left)? { Ok(left) } else { self.eval(b) }
            }
            Expr::Not(inner) => Ok(Value::from(!self.truth(inner)?)),
            Expr::Compare(first, rest) => self.compare(first, rest),
            Expr::Neg(inner) => operators::negative(&self.eval(inner)?),
            Expr::Pos(inner) => operators::positive(&self.eval(inner)?),
            Expr::Binary(Op::Rem, a, b) if matches!(**b, Expr::Tuple(_)) => {
                let (a, b) = (self.eval(a)?, self.eval(b)?);
                let text = crate::vars::objects::defined(a)?;
                let values = crate::vars::objects::iterate(&b)?;
                match text.as_str() {
                    Some(text) => percent(text, Operand::Many(&values)).map(Value::from),
                    None => operators::binary(Op::Rem, &text, &b),
                }
            }
            Expr::Binary(op, a, b) => {
                let (a, b) = (self.eval(a)?, self.eval(b)?);
                self.ctx.spend(1)?;
                operators::binary(*op, &a, &b)
            }
            Expr::Concat(parts) => {
                let mut out = String::new();
                for part in parts {
                    out.push_str(&python::text(&self.eval(part)?)?);
                    operators::check_length(out.len())?;
                }
                Ok(Value::from(out))
            }
            Expr::Filter(value, name, args) => {
                let value = self.eval(value)?;
                let args = self.args(args)?;
                filters::apply(&self.ctx, name, &value, &args)
            }
            Expr::Test(value, name, args) => {
                let value = self.eval(value)?;
                let args = self.args(args)?;
                tests::apply(&self.ctx, name, &value, &args)
            }
            Expr::Call(..) => self.call_expr(expr, None),
        }
    }

    /// Whether an expression is true.
    pub(super) fn truth(&mut self, expr: &Expr) -> Res<bool> {
        python::truth(&self.eval(expr)?)
    }

    fn constant(&mut self, value: &Value) -> Res {
        if self.constants
            && let Some(text) = value.as_str().filter(|text| may_be_template(text))
        {
            let template = self.ctx.shared.template(&text.into())?;
            return super::render::text(&self.ctx, &template);
        }
        Ok(value.clone())
    }

    fn name(&self, name: &Name) -> Res {
        if let Some(value) = self.frame.get(name) {
            return Ok(value);
        }
        if let Some(value) = self.ctx.variable(name)? {
            return Ok(value);
        }
        Ok(globals::value(&self.ctx, name).unwrap_or_else(|| Undef::value(format!("'{name}' is undefined"))))
    }

    /// `object.name`.
    pub(super) fn attribute(object: &Value, name: &str) -> Res {
        if is_undef(object) {
            return Ok(object.clone());
        }
        let found = if is_map(object) {
            map_get(object, &Value::from(name))?
        } else if let Some(variable) = object.downcast_object_ref::<LoopVar>() {
            variable.get(name)
        } else if let Some(namespace) = object.downcast_object_ref::<Namespace>() {
            lock(&namespace.0).get(&Value::from(name)).cloned()
        } else if let Some(module) = object.downcast_object_ref::<Module>() {
            module.get(name)
        } else if let Some(moment) = object.downcast_object_ref::<Moment>() {
            moment.attribute(name)
        } else if let Some(elapsed) = object.downcast_object_ref::<Elapsed>() {
            elapsed.attribute(name)
        } else {
            return item(object, &Value::from(name));
        };
        Ok(found.unwrap_or_else(|| no_attribute(object, &Value::from(name))))
    }

    fn slice(&mut self, object: &Expr, parts: &[Option<Expr>; 3]) -> Res {
        let object = self.eval(object)?;
        let mut bounds = [None; 3];
        for (bound, part) in bounds.iter_mut().zip(parts) {
            if let Some(part) = part {
                let value = crate::vars::objects::defined(self.eval(part)?)?;
                if !value.is_none() {
                    let number = python::whole(&value).and_then(|n| i64::try_from(n).ok());
                    *bound = Some(number.ok_or_else(|| Fault::new("slice indices must be whole numbers"))?);
                }
            }
        }
        if is_undef(&object) {
            return Ok(object);
        }
        operators::slice(&object, bounds)
    }

    fn compare(&mut self, first: &Expr, rest: &[(Cmp, Expr)]) -> Res {
        let mut left = self.eval(first)?;
        for (op, expr) in rest {
            let right = self.eval(expr)?;
            if !operators::compare(*op, &left, &right)? {
                return Ok(Value::from(false));
            }
            left = right;
        }
        Ok(Value::from(true))
    }
}

/// True when a name is used in statements: macros take further arguments only when they do something with them.
pub(super) fn mentions(body: &[Stmt], name: &str) -> bool {
    // The tree's debug text has every name in quotes; this runs only before an error.
    body.iter().any(|stmt| match &stmt.kind {
        Kind::Text(_) => false,
        other => format!("{other:?}").contains(&format!("Var(\"{name}\")")),
    })
}
