//! `slurp`: a file's content as a return value.

use base64::Engine as _;

use crate::modules::args::{Param, ParamKind};
use crate::modules::attrs;
use crate::modules::given::Arguments;
use crate::modules::step::Reader;
use crate::modules::{BUILTIN, Change, Given, Module, ModuleError, Spec, Values};

/// The module.
pub const SPEC: Spec = Spec {
    name: "slurp",
    collection: BUILTIN,
    doc: "Gives a file's content in base64.

- hosts: all
  tasks:
    - slurp: src=/proc/mounts
      register: mounts
    - debug: msg=\"{{ mounts.content | b64decode }}\"",
    params: PARAMS,
    free_form: false,
    local: false,
    read,
};

const PARAMS: &[Param] = &[Param {
    aliases: &["path"],
    ..attrs::required("src", ParamKind::Path, "File on the host.")
}];

/// A result is kept in memory for every host: what is larger belongs to `fetch`.
const LARGEST: usize = 16 * 1024 * 1024;

#[derive(Debug)]
struct Slurp {
    src: String,
}

fn read(given: &Given<'_>) -> Result<Box<dyn Module>, ModuleError> {
    Ok(Box::new(Slurp {
        src: Arguments(&given.args).required("src")?.to_owned(),
    }))
}

impl Module for Slurp {
    fn inspect(&self, host: &mut Reader<'_>) -> Result<Change, ModuleError> {
        let mut content = Vec::new();
        let mut large = false;
        let seen = host.receive(self.src.as_bytes(), &mut |part| {
            large |= content.len().saturating_add(part.len()) > LARGEST;
            if !large {
                content.extend_from_slice(part);
            }
            Ok(())
        })?;
        let real = seen.followed();
        if large {
            return Err(ModuleError::failed(format!(
                "{} is larger than {LARGEST} bytes; use `fetch`",
                seen.name()
            )));
        }
        match real.known()?.found() {
            None => return Err(ModuleError::failed(format!("file not found: {}", seen.name()))),
            Some(_) if seen.is_dir() => {
                return Err(ModuleError::failed(format!(
                    "source is a directory and must be a file: {}",
                    seen.name()
                )));
            }
            Some(found) if !found.readable => {
                return Err(ModuleError::failed(format!("file is not readable: {}", seen.name())));
            }
            Some(_) => {}
        }
        let mut values = Values::new();
        let encoded = base64::engine::general_purpose::STANDARD.encode(&content);
        values.insert("content".into(), encoded.into());
        values.insert("source".into(), seen.name().into());
        values.insert("encoding".into(), "base64".into());
        Ok(Change::None { values })
    }
}
