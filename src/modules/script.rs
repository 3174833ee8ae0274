//! `script`: runs a script of the controller on the host. It travels through standard input into a private folder, which
//! is removed afterwards, whatever happens.

use std::path::PathBuf;

use serde_json::Value as Json;

use crate::modules::args::{Param, ParamKind};
use crate::modules::attrs::{param, with_default};
use crate::modules::given::Arguments;
use crate::modules::step::{Content, Reader, Sent, Step, Taken};
use crate::modules::{BUILTIN, Change, Given, Module, ModuleError, Spec, Values, command, local, outcome, place, words};
use crate::shell::{Command, snippets};

/// The module.
pub const SPEC: Spec = Spec {
    name: "script",
    collection: BUILTIN,
    doc: "Runs a script of the controller on the host.

- hosts: all
  tasks:
    - script: inventory-disks.sh --all
      register: disks
    - script: setup.sh
      args: {creates: /opt/app/installed, chdir: /opt/app}",
    params: PARAMS,
    free_form: true,
    local: false,
    read,
};

const PARAMS: &[Param] = &[
    param("cmd", ParamKind::Text, "Script and arguments; instead of free-form text."),
    command::CHDIR,
    command::CREATES,
    command::REMOVES,
    with_default("decrypt", ParamKind::Bool, "true", "Decrypt a script that is encrypted with vault."),
    param("executable", ParamKind::Text, "Program that runs the script, instead of its first line."),
];

#[derive(Debug)]
struct Script {
    path: PathBuf,
    content: Content,
    size: u64,
    /// Shell text behind the script's name.
    arguments: String,
    chdir: String,
    creates: String,
    removes: String,
    executable: String,
    check: bool,
    nonce: String,
}

fn read(given: &Given<'_>) -> Result<Box<dyn Module>, ModuleError> {
    let args = Arguments(&given.args);
    let line = given.args.get("_raw_params").and_then(Json::as_str).filter(|text| !text.trim().is_empty());
    let line = line.or_else(|| args.filled("cmd")).ok_or_else(command::nothing)?;
    let (name, arguments) = words::first(line).map_err(ModuleError::failed)?;
    let path = local::find(&name, "files", given.search)?;
    let meta = std::fs::metadata(&path)
        .map_err(|e| ModuleError::failed(format!("cannot read `{}`: {e}", path.display())))?;
    if !meta.is_file() {
        return Err(ModuleError::failed(format!("`{}` is no file", path.display())));
    }
    let text = |name| args.text(name).unwrap_or_default().to_owned();
    let plain = if args.flag("decrypt") { given.templar.vault().content(&path)? } else { None };
    let (content, size) = match plain {
        Some(plain) => (Content::Bytes(plain.as_slice().into()), plain.len() as u64),
        None => {
            let (path, size) = (path.clone(), meta.len());
            (Content::File { path, size }, size)
        }
    };
    Ok(Box::new(Script {
        content,
        size,
        path,
        arguments: arguments.to_owned(),
        chdir: text("chdir"),
        creates: text("creates"),
        removes: text("removes"),
        executable: text("executable"),
        check: given.check,
        nonce: words::token()?,
    }))
}

impl Script {
    /// Asks whether a condition decides against running. The script is not sent in vain.
    fn skips(&self, host: &mut Reader<'_>) -> Result<Option<String>, ModuleError> {
        if self.creates.is_empty() && self.removes.is_empty() {
            return Ok(None);
        }
        let probe = Command::snippet("run", snippets::RUN)
            .arg(&self.nonce)
            .expanding_arg(&self.chdir)
            .expanding_arg(&self.creates)
            .expanding_arg(&self.removes)
            .arg("1");
        let output = host.probe(&probe)?;
        let said = output.stderr.strip_prefix(self.nonce.as_bytes()).map(<[u8]>::trim_ascii);
        match said {
            Some(b"go") => Ok(None),
            Some(b"creates") => Ok(Some(format!("{} exists, matching creates option", self.creates))),
            Some(b"removes") => Ok(Some(format!(
                "{} does not exist, matching removes option",
                self.removes
            ))),
            _ => Err(ModuleError::failed(format!(
                "cannot test `creates` and `removes` (rc {}): {}",
                output.rc,
                crate::modules::answer::reason(&output.stdout, &output.stderr)
            ))),
        }
    }
}

impl Module for Script {
    fn inspect(&self, host: &mut Reader<'_>) -> Result<Change, ModuleError> {
        let mut values = Values::new();
        if let Some(msg) = self.skips(host)? {
            values.insert("msg".into(), msg.into());
            return Ok(Change::Skipped { values });
        }
        let name = place::base_name(&self.path.to_string_lossy()).to_owned();
        let command = Command::snippet("script", snippets::SCRIPT)
            .arg(&self.nonce)
            .arg(name)
            .arg(self.size.to_string())
            .expanding_arg(&self.chdir)
            .arg(&self.executable)
            .arg(&self.arguments);
        let steps = vec![Step::Run {
            command,
            stdin: self.content.clone(),
            plain: false,
        }];
        if self.check && !(self.creates.is_empty() && self.removes.is_empty()) {
            return Ok(Change::Needed {
                diff: Vec::new(),
                steps,
                values,
            });
        }
        Ok(Change::Opaque { steps, values })
    }

    fn sends(&self) -> Vec<Sent> {
        vec![Sent {
            name: place::base_name(&self.path.to_string_lossy()).to_owned(),
            content: self.content.clone(),
            is_hidden: matches!(self.content, Content::Bytes(_)),
        }]
    }

    fn conclude(&self, taken: &[Taken], values: &mut Values) -> Result<(), ModuleError> {
        let Some(ran) = taken.first() else {
            return Ok(());
        };
        if ran.rc == 1 && ran.stdout.is_empty() {
            let said = ran.stderr.strip_prefix(self.nonce.as_bytes()).map(<[u8]>::trim_ascii);
            if let Some(said) = said {
                let said = String::from_utf8_lossy(said).into_owned();
                return Err(ModuleError::failed(format!("the script was not run: {said}")));
            }
        }
        outcome::conclude(ran, false, values)
    }
}
