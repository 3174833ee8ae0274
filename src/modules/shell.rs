//! `shell`: runs shell text. What the user writes is the one thing that is never quoted.

use serde_json::Value as Json;

use crate::modules::args::{Param, ParamKind};
use crate::modules::attrs::param;
use crate::modules::command::{self, Run};
use crate::modules::given::Arguments;
use crate::modules::{BUILTIN, Given, Module, ModuleError, Spec};

/// The module.
pub const SPEC: Spec = Spec {
    name: "shell",
    collection: BUILTIN,
    doc: "Runs shell text by `/bin/sh` or another shell.

- hosts: all
  tasks:
    - shell: lsblk -rno NAME,SIZE | sort > /root/disks.txt
    - shell: set -o pipefail; zcat /var/log/messages.gz | grep -c oom
      args: {executable: /bin/bash}
      changed_when: false",
    params: PARAMS,
    free_form: true,
    local: false,
    read,
};

const PARAMS: &[Param] = &[
    param("cmd", ParamKind::Text, "The shell text; instead of free-form text."),
    command::CHDIR,
    command::CREATES,
    command::REMOVES,
    param("executable", ParamKind::Path, "Shell to use instead of `/bin/sh`, by its path."),
    command::STDIN,
    command::STDIN_ADD_NEWLINE,
    command::STRIP_EMPTY_ENDS,
];

fn read(given: &Given<'_>) -> Result<Box<dyn Module>, ModuleError> {
    let args = Arguments(&given.args);
    let text = given.args.get("_raw_params").and_then(Json::as_str).filter(|text| !text.trim().is_empty());
    let text = text.or_else(|| args.filled("cmd")).ok_or_else(command::nothing)?;
    let executable = args.filled("executable").unwrap_or("/bin/sh");
    let argv = vec![executable.to_owned(), "-c".to_owned(), text.to_owned()];
    let run = Run::read(given, argv, false, text.into())?;
    Ok(Box::new(run))
}
