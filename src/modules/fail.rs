//! `fail`: fails, with a message.

use crate::modules::args::{Param, ParamKind};
use crate::modules::attrs::with_default;
use crate::modules::given::Arguments;
use crate::modules::step::Reader;
use crate::modules::{BUILTIN, Change, Given, Module, ModuleError, Spec};

/// The module.
pub const SPEC: Spec = Spec {
    name: "fail",
    collection: BUILTIN,
    doc: "Fails with a message; usually under a `when`.

- hosts: all
  tasks:
    - fail: msg=\"needs RHEL 7\"
      when: ansible_distribution_major_version != '7'",
    params: PARAMS,
    free_form: false,
    local: true,
    read,
};

const PARAMS: &[Param] = &[with_default(
    "msg",
    ParamKind::Text,
    "Failed as requested from task",
    "The message.",
)];

#[derive(Debug)]
struct Fail {
    msg: String,
}

#[expect(clippy::unnecessary_wraps, reason = "every module is read by a function of this type")]
fn read(given: &Given<'_>) -> Result<Box<dyn Module>, ModuleError> {
    Ok(Box::new(Fail {
        msg: Arguments(&given.args).text("msg").unwrap_or_default().to_owned(),
    }))
}

impl Module for Fail {
    fn inspect(&self, _host: &mut Reader<'_>) -> Result<Change, ModuleError> {
        Err(ModuleError::failed(self.msg.clone()))
    }
}
