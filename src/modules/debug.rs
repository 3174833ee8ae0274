//! `debug`: shows a message or the value of an expression.

use serde_json::Value as Json;

use crate::modules::args::{Param, ParamKind};
use crate::modules::attrs::{param, with_default};
use crate::modules::given::{Arguments, text_of};
use crate::modules::step::Reader;
use crate::modules::{BUILTIN, Change, Given, Module, ModuleError, Spec, Values};
use crate::vars::templar;

/// The module.
pub const SPEC: Spec = Spec {
    name: "debug",
    collection: BUILTIN,
    doc: "Shows a message, or the value of a variable or expression.

- hosts: all
  tasks:
    - debug: msg=\"{{ inventory_hostname }} runs {{ ansible_kernel }}\"
    - debug: var=ansible_mounts",
    params: PARAMS,
    free_form: false,
    local: true,
    read,
};

const PARAMS: &[Param] = &[
    with_default("msg", ParamKind::Raw, "Hello world!", "The message."),
    param("var", ParamKind::Raw, "A variable or an expression, without braces."),
    with_default("verbosity", ParamKind::Int, "0", "Shown only when the run is at least so verbose."),
];

#[derive(Debug)]
struct Debug {
    values: Values,
    skipped: bool,
}

fn read(given: &Given<'_>) -> Result<Box<dyn Module>, ModuleError> {
    let args = Arguments(&given.args);
    let mut values = Values::new();
    if args.int("verbosity").unwrap_or(0) > i64::from(given.verbosity) {
        values.insert("skipped_reason".into(), "Verbosity threshold not met.".into());
        return Ok(Box::new(Debug { values, skipped: true }));
    }
    match args.value("var") {
        None => {
            let msg = args.value("msg").cloned().unwrap_or_default();
            values.insert("msg".into(), msg);
        }
        Some(_) if given.raw.get("msg").is_some() => {
            return Err(ModuleError::failed("parameters are mutually exclusive: msg|var"));
        }
        Some(rendered) => {
            let (name, value) = expression(given, rendered);
            values.insert(name, value);
        }
    }
    values.insert("_ansible_verbose_always".into(), true.into());
    Ok(Box::new(Debug { values, skipped: false }))
}

/// The expression's text and value. Only what the user wrote is evaluated; what a template in its place came to is
/// shown as it is, because a host may have said it.
fn expression(given: &Given<'_>, rendered: &Json) -> (String, Json) {
    let written = given.raw.get("var");
    let Some(node) = written.filter(|node| !node.has_template() && node.as_str().is_some()) else {
        return ("var".to_owned(), rendered.clone());
    };
    let name = node.as_str().map_or_else(|| text_of(rendered), str::to_owned);
    let value = match given.templar.evaluate(node, given.scope) {
        Ok(value) if value.is_undefined() => "VARIABLE IS NOT DEFINED!".into(),
        Ok(value) => templar::to_json(&value),
        Err(error) if error.message.contains("undefined") || error.message.contains("not defined") => {
            "VARIABLE IS NOT DEFINED!".into()
        }
        Err(error) => format!("cannot be evaluated: {}", error.message).into(),
    };
    (name, value)
}

impl Module for Debug {
    fn inspect(&self, _host: &mut Reader<'_>) -> Result<Change, ModuleError> {
        let values = self.values.clone();
        Ok(if self.skipped {
            Change::Skipped { values }
        } else {
            Change::None { values }
        })
    }
}
