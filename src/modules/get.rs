//! `get`: receives a file or directory of the host over SFTP into `DEST/HOST/NAME`.

use std::path::{Path, PathBuf};

use crate::modules::args::{Param, ParamKind};
use crate::modules::attrs::{self, param, with_default};
use crate::modules::given::Arguments;
use crate::modules::step::{Reader, Step, Taken, Transfer};
use crate::modules::{Change, Given, Module, ModuleError, Spec, Values, local};

/// The module.
pub const SPEC: Spec = Spec {
    name: "get",
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
    param("mode", ParamKind::Mode, "Permissions of files, instead of the source's."),
    param("directory_mode", ParamKind::Mode, "Permissions of directories, instead of the source's."),
    with_default(
        "checksum",
        ParamKind::Bool,
        "false",
        "Compare contents by digest; otherwise size and time decide.",
    ),
    with_default("times", ParamKind::Bool, "true", "Keep the source's times."),
    with_default("follow", ParamKind::Bool, "false", "Follow links of the source."),
];

#[derive(Debug)]
struct Get {
    transfer: Transfer,
}

fn read(given: &Given<'_>) -> Result<Box<dyn Module>, ModuleError> {
    let args = Arguments(&given.args);
    let host = given.host.as_str();
    if host.contains('/') || matches!(host, "" | "." | "..") {
        return Err(ModuleError::failed(format!("`{host}` cannot be the name of a folder")));
    }
    let mut dest = local::expand_home(args.required("dest")?);
    if dest.is_relative() {
        let playbook = given.search.last().map_or(Path::new("."), PathBuf::as_path);
        dest = playbook.join(dest);
    }
    let dest = dest.join(host).to_string_lossy().into_owned();
    Ok(Box::new(Get {
        transfer: Transfer::read(args, vec![args.required("src")?.to_owned()], dest)?,
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
        Transfer::conclude(taken, values);
        Ok(())
    }
}
