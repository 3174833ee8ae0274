//! `assert`: fails unless all conditions hold.

use serde_json::Value as Json;

use crate::modules::args::{Param, ParamKind};
use crate::modules::attrs::{self, with_default};
use crate::modules::given::Arguments;
use crate::modules::step::Reader;
use crate::modules::{BUILTIN, Change, Given, Module, ModuleError, Spec, Values};
use crate::vars::templar;
use crate::yaml::Node;

/// The module.
pub const SPEC: Spec = Spec {
    name: "assert",
    collection: BUILTIN,
    doc: "Fails unless all conditions hold.

- hosts: all
  tasks:
    - assert:
        that:
          - ansible_memtotal_mb >= 2048
          - ansible_distribution_major_version == '7'
        fail_msg: this host is not fit for the upgrade
        quiet: true",
    params: PARAMS,
    free_form: false,
    local: true,
    read,
};

const PARAMS: &[Param] = &[
    attrs::required("that", ParamKind::Raw, "Conditions, as in `when`."),
    Param {
        aliases: &["msg"],
        ..with_default("fail_msg", ParamKind::Raw, "Assertion failed", "Message of a failure.")
    },
    with_default("success_msg", ParamKind::Raw, "All assertions passed", "Message of a success."),
    with_default("quiet", ParamKind::Bool, "false", "Show the message only on failure."),
];

#[derive(Debug)]
struct Assert {
    values: Values,
    failed: bool,
}

fn read(given: &Given<'_>) -> Result<Box<dyn Module>, ModuleError> {
    let args = Arguments(&given.args);
    let mut values = Values::new();
    if !args.flag("quiet") {
        values.insert("_ansible_verbose_always".into(), true.into());
    }
    for condition in conditions(given)? {
        let holds = condition.holds(given)?;
        if !holds {
            values.insert("assertion".into(), condition.shown());
            values.insert("evaluated_to".into(), false.into());
            values.insert("msg".into(), args.value("fail_msg").cloned().unwrap_or_default());
            return Ok(Box::new(Assert { values, failed: true }));
        }
    }
    values.insert("msg".into(), args.value("success_msg").cloned().unwrap_or_default());
    Ok(Box::new(Assert { values, failed: false }))
}

/// What the user wrote is evaluated. What a template came to must be a boolean: a text may come from a host.
enum Condition<'a> {
    Written(&'a Node),
    Rendered(Json),
}

fn conditions<'a>(given: &Given<'a>) -> Result<Vec<Condition<'a>>, ModuleError> {
    let whole = given.raw.get("that");
    match whole {
        Some(node) if node.as_list().is_some() => {
            Ok(node.as_list().into_iter().flatten().map(Condition::Written).collect())
        }
        Some(node) if !node.has_template() => Ok(vec![Condition::Written(node)]),
        _ => match given.args.get("that") {
            Some(Json::Array(items)) => Ok(items.iter().cloned().map(Condition::Rendered).collect()),
            Some(single) => Ok(vec![Condition::Rendered(single.clone())]),
            None => Err(ModuleError::failed("missing required arguments: that")),
        },
    }
}

impl Condition<'_> {
    fn holds(&self, given: &Given<'_>) -> Result<bool, ModuleError> {
        match self {
            Self::Written(node) => Ok(given.templar.condition(node, given.scope)?),
            Self::Rendered(Json::Bool(value)) => Ok(*value),
            Self::Rendered(other) => Err(ModuleError::failed(format!(
                "the condition `{}` came from a template and is no boolean; write the expression without braces",
                crate::modules::given::text_of(other)
            ))),
        }
    }

    fn shown(&self) -> Json {
        match self {
            Self::Written(node) => match node.scalar_text() {
                Some(_) if matches!(node.kind, crate::yaml::Kind::Bool(_)) => templar::to_json(&matches!(node.kind, crate::yaml::Kind::Bool(true)).into()),
                Some(text) => text.into(),
                None => Json::Null,
            },
            Self::Rendered(value) => value.clone(),
        }
    }
}

impl Module for Assert {
    fn inspect(&self, _host: &mut Reader<'_>) -> Result<Change, ModuleError> {
        let values = self.values.clone();
        if !self.failed {
            return Ok(Change::None { values });
        }
        let msg = match values.get("msg") {
            Some(Json::Array(lines)) => lines.iter().map(crate::modules::given::text_of).collect::<Vec<_>>().join("\n"),
            Some(other) => crate::modules::given::text_of(other),
            None => String::new(),
        };
        Err(ModuleError::Failed {
            msg,
            values: Box::new(values),
        })
    }
}
