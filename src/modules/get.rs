//! `get`: receives a file or directory of the host over SFTP into `DEST/HOST/NAME`.

use std::path::{Path, PathBuf};

use crate::modules::args::{Param, ParamKind};
use crate::modules::attrs::{self, with_default};
use crate::modules::given::Arguments;
use crate::modules::step::{Reader, Step, Taken, Transfer};
use crate::modules::{BUILTIN, Change, Given, Module, ModuleError, Spec, Values, local};

/// The module.
pub const SPEC: Spec = Spec {
    name: "get",
    collection: BUILTIN,
    doc: "Receives a file or directory of the host over SFTP into `DEST/HOST/NAME`.

- hosts: all
  tasks:
    - get: {src: /var/log/app, dest: logs}",
    params: PARAMS,
    free_form: false,
    local: false,
    read,
};

const PARAMS: &[Param] = &[
    attrs::required("src", ParamKind::Path, "File or directory of the host."),
    attrs::required("dest", ParamKind::Path, "Folder of the controller, relative to the playbook."),
    with_default("preserve_times", ParamKind::Bool, "false", "Keep the source's times of last change."),
];

#[derive(Debug)]
struct Get {
    transfer: Transfer,
}

fn read(given: &Given<'_>) -> Result<Box<dyn Module>, ModuleError> {
    let args = Arguments(&given.args);
    let mut dest = local::expand_home(args.required("dest")?);
    if dest.is_relative() {
        let playbook = given.search.last().map_or(Path::new("."), PathBuf::as_path);
        dest = playbook.join(dest);
    }
    let dest = dest.to_string_lossy().into_owned();
    Ok(Box::new(Get {
        transfer: Transfer::read(args, vec![args.required("src")?.to_owned()], dest, given.host)?,
    }))
}

impl Module for Get {
    fn inspect(&self, _host: &mut Reader<'_>) -> Result<Change, ModuleError> {
        Ok(Change::Opaque {
            steps: vec![Step::Get(Box::new(self.transfer.clone()))],
            values: self.transfer.values(),
        })
    }

    fn conclude(&self, taken: &[Taken], values: &mut Values) -> Result<(), ModuleError> {
        Transfer::conclude(taken, values)
    }
}
