//! `set_fact`: variables of the host, from now on.

use crate::modules::args::{Param, ParamKind};
use crate::modules::attrs::with_default;
use crate::modules::given::Arguments;
use crate::modules::step::Reader;
use crate::modules::{BUILTIN, Change, Given, Module, ModuleError, Spec, Values};

/// The module.
pub const SPEC: Spec = Spec {
    name: "set_fact",
    collection: BUILTIN,
    doc: "Sets variables of the host for the rest of the run; every argument is one.

- hosts: all
  tasks:
    - set_fact:
        release: \"{{ ansible_date_time.date }}\"
        disks: \"{{ ansible_devices.keys() | list }}\"",
    params: PARAMS,
    free_form: false,
    local: true,
    read,
};

const PARAMS: &[Param] = &[with_default(
    "cacheable",
    ParamKind::Bool,
    "false",
    "Keep it in the fact cache, too.",
)];

#[derive(Debug)]
struct SetFact {
    values: Values,
}

fn read(given: &Given<'_>) -> Result<Box<dyn Module>, ModuleError> {
    let facts: Values = given
        .args
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "cacheable" | "_raw_params"))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if facts.is_empty() {
        return Err(ModuleError::failed(
            "No key/value pairs provided, at least one is required for this action to succeed",
        ));
    }
    if let Some(bad) = facts.keys().find(|name| !is_variable(name)) {
        return Err(ModuleError::failed(format!(
            "Invalid variable name '{bad}': it must begin with a letter or `_` and hold letters, digits and `_` only"
        )));
    }
    let mut values = Values::new();
    values.insert("ansible_facts".into(), serde_json::Value::Object(facts));
    let cacheable = Arguments(&given.args).flag("cacheable");
    values.insert("_ansible_facts_cacheable".into(), cacheable.into());
    Ok(Box::new(SetFact { values }))
}

fn is_variable(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

impl Module for SetFact {
    fn inspect(&self, _host: &mut Reader<'_>) -> Result<Change, ModuleError> {
        Ok(Change::None {
            values: self.values.clone(),
        })
    }
}
