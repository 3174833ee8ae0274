//! `put`: sends files and directories of the controller over SFTP; a second run sends nothing.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use walkdir::WalkDir;

use crate::modules::args::{Param, ParamKind};
use crate::modules::attrs::{self, param, with_default};
use crate::modules::given::Arguments;
use crate::modules::step::{Content, Reader, Sent, Step, Taken, Transfer};
use crate::modules::{BUILTIN, Change, Given, Module, ModuleError, Spec, Values, local};

/// The module.
pub const SPEC: Spec = Spec {
    name: "put",
    collection: BUILTIN,
    doc: "Sends files and directories of the controller over SFTP; a second run sends nothing.

- hosts: all
  tasks:
    - put: {src: site/, dest: /srv/www, mode: \"0644\", directory_mode: \"0755\"}",
    params: PARAMS,
    free_form: false,
    local: false,
    read,
};

const PARAMS: &[Param] = &[
    attrs::required("src", ParamKind::List, "Files and directories of the controller."),
    attrs::required(
        "dest",
        ParamKind::Path,
        "The copy itself; with a slash at the end, or with several sources, the directory to put them into.",
    ),
    param("mode", ParamKind::Mode, "Permissions of files, instead of the source's."),
    param("directory_mode", ParamKind::Mode, "Permissions of directories, instead of the source's."),
    with_default("preserve_times", ParamKind::Bool, "false", "Keep the source's times of last change."),
];

#[derive(Debug)]
struct Put {
    transfer: Transfer,
}

/// Every file below a source, and where links lead. What cannot be read is left out: sending it will fail soon enough.
fn files(source: &str) -> impl Iterator<Item = Sent> {
    let top = Path::new(source);
    let above = top.parent().unwrap_or(Path::new("")).to_path_buf();
    let walk = WalkDir::new(top).follow_root_links(true).sort_by_file_name();
    walk.into_iter().filter_map(move |entry| {
        let entry = entry.ok()?;
        let content = if entry.file_type().is_file() {
            Content::File {
                path: entry.path().to_path_buf(),
                size: entry.metadata().ok()?.len(),
            }
        } else if entry.file_type().is_symlink() {
            Content::Bytes(std::fs::read_link(entry.path()).ok()?.as_os_str().as_bytes().into())
        } else {
            Content::empty()
        };
        let name = entry.path().strip_prefix(&above).unwrap_or(entry.path());
        Some(Sent {
            name: name.to_string_lossy().into_owned(),
            content,
            is_hidden: false,
        })
    })
}

fn read(given: &Given<'_>) -> Result<Box<dyn Module>, ModuleError> {
    let args = Arguments(&given.args);
    let mut sources = Vec::new();
    for src in args.list("src") {
        let found = local::find(src.trim_end_matches('/'), "files", given.search)?;
        let path = found.to_str().ok_or_else(|| ModuleError::failed(format!("{} is not valid UTF-8; name the folder it is in", found.display())))?;
        sources.push(path.to_owned());
    }
    if sources.is_empty() {
        return Err(ModuleError::failed("src is required"));
    }
    Ok(Box::new(Put {
        transfer: Transfer::read(args, sources, args.required("dest")?.to_owned(), given.host)?,
    }))
}

impl Module for Put {
    fn inspect(&self, _host: &mut Reader<'_>) -> Result<Change, ModuleError> {
        // What differs is found while it is sent: comparing first would walk both trees twice. In check mode the
        // engine compares and sends nothing.
        Ok(Change::Opaque {
            steps: vec![Step::Put(Box::new(self.transfer.clone()))],
            values: self.transfer.values(),
        })
    }

    fn sends(&self) -> Vec<Sent> {
        self.transfer.sources.iter().flat_map(|source| files(source)).collect()
    }

    fn conclude(&self, taken: &[Taken], values: &mut Values) -> Result<(), ModuleError> {
        Transfer::conclude(taken, values)
    }
}
