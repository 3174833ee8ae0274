//! Names every template knows: `range`, `lookup`, `now`, `omit`, …

use std::sync::{Arc, Mutex, Weak};

use indexmap::IndexMap;
use minijinja::value::{Enumerator, Object, ObjectRepr};

use crate::vars::context::Ctx;
use crate::vars::fault::{Fault, Res};
use crate::vars::filters::Args;
use crate::vars::objects::{Namespace, Omit, Range, Undef, dict, iterate, map_pairs};
use crate::vars::{Value, datetime, lookups, python};

/// A function.
#[derive(Debug)]
pub(super) struct Function(&'static str);

impl Object for Function {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
}

impl Function {
    /// True for `lookup` and its kin.
    pub(super) fn is_lookup(&self) -> bool {
        matches!(self.0, "lookup" | "query" | "q")
    }
}

/// `vars`: all variables by name.
#[derive(Debug)]
struct AllVars(Weak<Ctx>);

impl Object for AllVars {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let ctx = self.0.upgrade()?;
        match ctx.variable(key.as_str()?) {
            Ok(value) => value,
            Err(fault) => Some(Value::from(minijinja::Error::new(
                minijinja::ErrorKind::InvalidOperation,
                fault.message,
            ))),
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let names = self.0.upgrade().map(|ctx| {
            let names = ctx.scope.names();
            names.into_iter().map(Value::from).collect()
        });
        Enumerator::Values(names.unwrap_or_default())
    }
}

/// The value of a name no variable has.
pub(super) fn value(ctx: &Ctx, name: &str) -> Option<Value> {
    let function = match name {
        "omit" => return Some(Value::from_object(Omit)),
        "vars" => return Some(Value::from_object(AllVars(ctx.me()))),
        "range" => "range",
        "lookup" => "lookup",
        "query" => "query",
        "q" => "q",
        "now" => "now",
        "undef" => "undef",
        "namespace" => "namespace",
        "dict" => "dict",
        _ => return None,
    };
    Some(Value::from_object(Function(function)))
}

/// Calls a function.
pub(super) fn call(ctx: &Arc<Ctx>, function: &Function, args: Args) -> Res {
    if let Some(undefined) = args.first_undef() {
        return Ok(undefined);
    }
    match function.0 {
        "range" => range(&args),
        "lookup" => lookups::function(ctx, args, false),
        "query" | "q" => lookups::function(ctx, args, true),
        "now" => {
            let utc = args.flag(0, "utc", false)?;
            let now = datetime::Moment::now(utc);
            match args.opt_text(1, "fmt")? {
                Some(format) => now.format(&format).map(Value::from),
                None => Ok(Value::from_object(now)),
            }
        }
        "undef" => {
            let hint = args.opt_text(0, "hint")?;
            Ok(Undef::value(hint.unwrap_or_else(|| {
                "mandatory variable has not been overridden".to_owned()
            })))
        }
        "namespace" => {
            let mut fields: IndexMap<Value, Value> = IndexMap::new();
            for map in &args.pos {
                fields
                    .extend(map_pairs(map)?.ok_or_else(|| Fault::new("namespace() takes mappings and named values"))?);
            }
            fields.extend(args.named.iter().map(|(k, v)| (Value::from(k.clone()), v.clone())));
            Ok(Value::from_object(Namespace(Mutex::new(fields))))
        }
        _ => {
            let mut pairs = Vec::new();
            for source in &args.pos {
                match map_pairs(source)? {
                    Some(more) => pairs.extend(more),
                    None => {
                        for pair in iterate(source)? {
                            let pair = iterate(&pair)?;
                            let [key, value] = pair.as_slice() else {
                                return Err(Fault::new("dict() takes a list of pairs"));
                            };
                            pairs.push((key.clone(), value.clone()));
                        }
                    }
                }
            }
            pairs.extend(args.named.iter().map(|(k, v)| (Value::from(k.clone()), v.clone())));
            Ok(dict(pairs))
        }
    }
}

fn range(args: &Args) -> Res {
    let numbers = args.pos.iter().map(|value| {
        let number = python::whole(value).and_then(|n| i64::try_from(n).ok());
        number.ok_or_else(|| {
            let kind = python::type_name(value);
            Fault::new(format!("'{kind}' object cannot be interpreted as an integer")).help("convert it with `| int`")
        })
    });
    let numbers: Vec<i64> = numbers.collect::<Res<_>>()?;
    let (start, stop, step) = match *numbers.as_slice() {
        [stop] => (0, stop, 1),
        [start, stop] => (start, stop, 1),
        [start, stop, step] => (start, stop, step),
        _ => return Err(Fault::new("range() takes one to three numbers")),
    };
    if step == 0 {
        return Err(Fault::new("the step of range() must not be zero"));
    }
    let (low, high) = if step > 0 { (start, stop) } else { (stop, start) };
    let distance = u128::try_from(i128::from(high) - i128::from(low)).unwrap_or(0);
    let len = distance.div_ceil(u128::from(step.unsigned_abs()));
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    Ok(Value::from_object(Range { start, step, len }))
}
