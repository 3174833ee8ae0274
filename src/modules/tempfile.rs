//! `tempfile`: makes a private file or directory with a name nobody can guess. It stays until it is removed.

use crate::modules::answer::Answer;
use crate::modules::args::{Param, ParamKind};
use crate::modules::attrs::{param, with_default};
use crate::modules::given::Arguments;
use crate::modules::step::{Content, Reader, Step, Taken};
use crate::modules::{BUILTIN, Change, Given, Module, ModuleError, Spec, Values, words};
use crate::shell::{Command, snippets};

/// The module.
pub const SPEC: Spec = Spec {
    name: "tempfile",
    collection: BUILTIN,
    doc: "Makes a private file or directory with a name nobody can guess.

- hosts: all
  tasks:
    - tempfile: {state: directory, suffix: build}
      register: scratch
    - file: path={{ scratch.path }} state=absent",
    params: PARAMS,
    free_form: false,
    local: false,
    read,
};

const PARAMS: &[Param] = &[
    Param {
        choices: &["file", "directory"],
        ..with_default("state", ParamKind::Text, "file", "What to make.")
    },
    param("path", ParamKind::Path, "Folder to make it in; the host's own for such files otherwise."),
    with_default("prefix", ParamKind::Text, "ansible.", "Begin of the name."),
    with_default("suffix", ParamKind::Text, "\"\"", "End of the name."),
];

#[derive(Debug)]
struct Tempfile {
    state: String,
    path: String,
    name: String,
    check: bool,
}

fn read(given: &Given<'_>) -> Result<Box<dyn Module>, ModuleError> {
    let args = Arguments(&given.args);
    let text = |name: &str| args.text(name).unwrap_or_default();
    let name = format!("{}{}{}", text("prefix"), words::token()?, text("suffix"));
    if name.contains('/') {
        return Err(ModuleError::failed("prefix and suffix must not hold a slash"));
    }
    Ok(Box::new(Tempfile {
        state: text("state").to_owned(),
        path: text("path").to_owned(),
        name,
        check: given.check,
    }))
}

impl Module for Tempfile {
    fn inspect(&self, _host: &mut Reader<'_>) -> Result<Change, ModuleError> {
        let values = Values::new();
        if self.check {
            return Ok(Change::Skipped { values });
        }
        let command = Command::snippet("tempfile", snippets::TEMPFILE)
            .arg(&self.state)
            .expanding_arg(&self.path)
            .arg(&self.name);
        let step = Step::Run {
            command,
            stdin: Content::empty(),
            plain: false,
        };
        Ok(Change::Opaque {
            steps: vec![step],
            values,
        })
    }

    fn conclude(&self, taken: &[Taken], values: &mut Values) -> Result<(), ModuleError> {
        let Some(ran) = taken.first() else {
            return Ok(());
        };
        let mut answer = Answer::find(&ran.stdout, ran.rc, &ran.stderr)?;
        let words = answer.text()?;
        let path = answer.text()?;
        if answer.field()? != b"end" {
            return Err(ModuleError::failed("the host's answer is not complete"));
        }
        if !words.is_empty() {
            return Err(ModuleError::failed(format!("cannot make {path}: {words}")));
        }
        values.insert("path".into(), path.into());
        values.insert("state".into(), self.state.clone().into());
        let (mode, size) = if self.state == "directory" { ("0700", None) } else { ("0600", Some(0)) };
        values.insert("mode".into(), mode.into());
        if let Some(size) = size {
            values.insert("size".into(), size.into());
        }
        Ok(())
    }
}
