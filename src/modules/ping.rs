//! `ping`: proves that a command runs on the host.

use crate::modules::args::{Param, ParamKind};
use crate::modules::attrs::with_default;
use crate::modules::given::Arguments;
use crate::modules::step::Reader;
use crate::modules::{BUILTIN, Change, Given, Module, ModuleError, Spec, Values, answer};
use crate::shell::Command;

/// The module.
pub const SPEC: Spec = Spec {
    name: "ping",
    collection: BUILTIN,
    doc: "Runs an empty command on the host, and answers `pong`.

- hosts: all
  gather_facts: false
  tasks:
    - ping:",
    params: PARAMS,
    free_form: false,
    local: false,
    read,
};

const PARAMS: &[Param] = &[with_default(
    "data",
    ParamKind::Text,
    "pong",
    "What is answered; `crash` fails.",
)];

#[derive(Debug)]
struct Ping {
    data: String,
}

#[expect(clippy::unnecessary_wraps, reason = "every module is read by a function of this type")]
fn read(given: &Given<'_>) -> Result<Box<dyn Module>, ModuleError> {
    Ok(Box::new(Ping {
        data: Arguments(&given.args).text("data").unwrap_or("pong").to_owned(),
    }))
}

impl Module for Ping {
    fn inspect(&self, host: &mut Reader<'_>) -> Result<Change, ModuleError> {
        if self.data == "crash" {
            return Err(ModuleError::failed("boom"));
        }
        // The word comes back through the host's shell: a login that prints and runs nothing is no answer.
        let output = host.probe(&Command::new("echo").arg("batchssh-pong"))?;
        let pong = output.stdout.windows(13).any(|w| w == b"batchssh-pong");
        if output.rc != 0 || !pong {
            return Err(ModuleError::failed(format!(
                "the host did not run a command (rc {}): {}",
                output.rc,
                answer::reason(&output.stdout, &output.stderr)
            )));
        }
        let mut values = Values::new();
        values.insert("ping".into(), self.data.clone().into());
        Ok(Change::None { values })
    }
}
