//! `raw`: runs text on the host as it is, without the task's environment and without any wrapper: for what has no proper
//! shell.

use serde_json::Value as Json;

use crate::modules::args::{Param, ParamKind};
use crate::modules::attrs::param;
use crate::modules::given::Arguments;
use crate::modules::step::{Content, Reader, Step, Taken};
use crate::modules::{BUILTIN, Change, Given, Module, ModuleError, Spec, Values, outcome};
use crate::shell::Command;

/// The module.
pub const SPEC: Spec = Spec {
    name: "raw",
    collection: BUILTIN,
    doc: "Runs text on the host as it is, for hosts that have no proper shell.

- hosts: switches
  tasks:
    - raw: show version
      register: version
      changed_when: false",
    params: PARAMS,
    free_form: true,
    local: false,
    read,
};

const PARAMS: &[Param] = &[param(
    "executable",
    ParamKind::Path,
    "Shell that gets the text by `-c`; without it the login shell gets it.",
)];

#[derive(Debug)]
struct Raw {
    text: String,
    executable: Option<String>,
}

fn read(given: &Given<'_>) -> Result<Box<dyn Module>, ModuleError> {
    let text = given.args.get("_raw_params").and_then(Json::as_str).filter(|text| !text.trim().is_empty());
    let text = text.ok_or_else(crate::modules::command::nothing)?;
    Ok(Box::new(Raw {
        text: text.to_owned(),
        executable: Arguments(&given.args).filled("executable").map(str::to_owned),
    }))
}

impl Module for Raw {
    fn inspect(&self, _host: &mut Reader<'_>) -> Result<Change, ModuleError> {
        let command = match &self.executable {
            Some(executable) => Command::new(executable).arg("-c").arg(&self.text),
            None => Command::raw_script(&self.text),
        };
        Ok(Change::Opaque {
            steps: vec![Step::Run {
                command,
                stdin: Content::empty(),
                plain: true,
            }],
            values: Values::new(),
        })
    }

    fn conclude(&self, taken: &[Taken], values: &mut Values) -> Result<(), ModuleError> {
        match taken.first() {
            Some(ran) => outcome::conclude(ran, false, values),
            None => Ok(()),
        }
    }
}
