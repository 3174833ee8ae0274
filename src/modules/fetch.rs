//! `fetch`: brings one file of the host to the controller. Where it lands follows from the inventory name and the
//! arguments alone: nothing the host says decides a local path.

use std::path::{Path, PathBuf};

use crate::modules::args::{Param, ParamKind};
use crate::modules::attrs::{self, with_default};
use crate::modules::given::Arguments;
use crate::modules::look::{DIRECTORY, Sight};
use crate::modules::step::{Reader, Step, Taken};
use crate::modules::{BUILTIN, Change, Given, Module, ModuleError, Spec, Values, local, place};

/// The module.
pub const SPEC: Spec = Spec {
    name: "fetch",
    collection: BUILTIN,
    doc: "Brings one file of the host to the controller, into a folder for each host.

- hosts: all
  tasks:
    - fetch: {src: /etc/fstab, dest: fetched}
    - fetch: {src: /var/log/app.log, dest: \"logs/{{ inventory_hostname }}.log\", flat: true, fail_on_missing: false}",
    params: PARAMS,
    free_form: false,
    local: false,
    read,
};

const PARAMS: &[Param] = &[
    attrs::required("src", ParamKind::Path, "File on the host."),
    attrs::required(
        "dest",
        ParamKind::Path,
        "Folder of the controller, in which `HOST/PATH` is made; relative to the playbook.",
    ),
    with_default(
        "flat",
        ParamKind::Bool,
        "false",
        "`dest` is the file itself; with a slash at the end the folder it goes into.",
    ),
    with_default("fail_on_missing", ParamKind::Bool, "true", "A file that is not there is a failure."),
    with_default("validate_checksum", ParamKind::Bool, "true", "Compare digests after the transfer."),
];

#[derive(Debug)]
struct Fetch {
    src: String,
    to: PathBuf,
    fail_on_missing: bool,
    validate: bool,
    check: bool,
}

fn read(given: &Given<'_>) -> Result<Box<dyn Module>, ModuleError> {
    let args = Arguments(&given.args);
    let src = args.required("src")?;
    let dest = args.required("dest")?;
    if src.is_empty() || dest.is_empty() {
        return Err(ModuleError::failed("src and dest are required"));
    }
    let mut base = local::expand_home(dest);
    if base.is_relative() {
        let playbook = given.search.last().map_or(Path::new("."), PathBuf::as_path);
        base = playbook.join(base);
    }
    let to = if args.flag("flat") {
        flat(&base, dest.ends_with('/'), src)?
    } else {
        let host = given.host.as_str();
        if host.contains('/') || host.contains('\0') || matches!(host, "" | "." | "..") {
            return Err(ModuleError::failed(format!("`{host}` cannot be the name of a folder")));
        }
        let below = local::below(src).ok_or_else(|| {
            ModuleError::failed(format!(
                "Detected directory traversal: `{src}` leads out of the folder `{}`",
                base.display()
            ))
        })?;
        base.join(host).join(below)
    };
    Ok(Box::new(Fetch {
        src: src.to_owned(),
        to,
        fail_on_missing: args.flag("fail_on_missing"),
        validate: args.flag("validate_checksum"),
        check: given.check,
    }))
}

fn flat(base: &Path, folder: bool, src: &str) -> Result<PathBuf, ModuleError> {
    if folder {
        let name = place::base_name(src);
        if matches!(name, "" | "." | "..") {
            return Err(ModuleError::failed(format!("`{src}` has no file name")));
        }
        return Ok(base.join(name));
    }
    if base.is_dir() {
        return Err(ModuleError::failed(
            "dest is an existing directory, use a trailing slash if you want to fetch src into that directory",
        ));
    }
    Ok(base.to_path_buf())
}

impl Module for Fetch {
    fn inspect(&self, host: &mut Reader<'_>) -> Result<Change, ModuleError> {
        let mut values = Values::new();
        if self.check {
            values.insert("msg".into(), "check mode not (yet) supported for this module".into());
            return Ok(Change::Skipped { values });
        }
        let sight = Sight {
            algorithm: Some("sha1"),
            ..Sight::of(self.src.as_bytes())
        };
        let look = host.look(&[sight], None)?;
        let seen = look.seen.first().ok_or_else(|| ModuleError::failed("the host's answer is not complete"))?;
        values.insert("file".into(), self.src.clone().into());
        let found = match seen.followed().known() {
            Ok(real) => real.found(),
            Err(error) => return self.missing(&error.to_string(), values),
        };
        let Some(found) = found else {
            return self.missing("the remote file does not exist", values);
        };
        if found.stat.is(DIRECTORY) {
            return self.missing("remote file is a directory, fetch cannot work on directories", values);
        }
        if !found.readable {
            return self.missing("the remote file is not readable", values);
        }
        values.insert("dest".into(), self.to.display().to_string().into());
        if self.to.is_file() {
            let own = local::digest_file(&self.to)?;
            if found.digest.as_ref() == Some(&own.sha1) {
                values.insert("checksum".into(), own.sha1.into());
                values.insert("md5sum".into(), own.md5.into());
                return Ok(Change::None { values });
            }
        }
        Ok(Change::Needed {
            diff: Vec::new(),
            steps: vec![Step::Fetch {
                path: seen.followed().path.clone(),
                to: self.to.clone(),
                sha1: found.digest.clone().filter(|_| self.validate),
            }],
            values,
        })
    }

    fn conclude(&self, taken: &[Taken], values: &mut Values) -> Result<(), ModuleError> {
        if let Some(transfer) = taken.iter().find_map(|one| one.transfer.as_ref()) {
            let checksum = transfer.get("checksum").cloned().unwrap_or_default();
            values.insert("remote_checksum".into(), checksum.clone());
            values.insert("checksum".into(), checksum);
            let own = local::digest_file(&self.to)?;
            values.insert("md5sum".into(), own.md5.into());
            values.insert("remote_md5sum".into(), serde_json::Value::Null);
        }
        Ok(())
    }
}

impl Fetch {
    fn missing(&self, msg: &str, mut values: Values) -> Result<Change, ModuleError> {
        if self.fail_on_missing {
            return Err(ModuleError::Failed {
                msg: msg.to_owned(),
                values: Box::new(values),
            });
        }
        values.insert("msg".into(), format!("{msg}, not transferring, ignored").into());
        Ok(Change::None { values })
    }
}
