//! `template`: renders a file of the controller and puts the result on the host.

use std::path::Path;
use std::sync::Arc;

use crate::modules::args::{Param, ParamKind};
use crate::modules::attrs::{self, param, with_default};
use crate::modules::given::Arguments;
use crate::modules::place::{self, Placement};
use crate::modules::step::{Content, Reader, Sent, Taken};
use crate::modules::{BUILTIN, Change, Given, Module, ModuleError, Spec, Values, copy, local};
use crate::vars::templar::FileOptions;
use crate::vars::{Scope, Value, Var, VarMap};

/// The module.
pub const SPEC: Spec = Spec {
    name: "template",
    collection: BUILTIN,
    doc: "Renders a template of the controller and puts the result on the host.

- hosts: all
  tasks:
    - template:
        src: app.conf.j2
        dest: /etc/app/app.conf
        mode: \"0640\"
        backup: true
        validate: app --check %s",
    params: PARAMS,
    free_form: false,
    local: false,
    read,
};

const PARAMS: &[Param] = &[
    attrs::required("src", ParamKind::Path, "Template, searched in `templates` folders first."),
    attrs::required("dest", ParamKind::Path, "Path on the host; with a slash at the end a directory."),
    with_default("backup", ParamKind::Bool, "false", "Keep the old file under another name."),
    with_default("force", ParamKind::Bool, "true", "Replace what exists and is different."),
    with_default("follow", ParamKind::Bool, "false", "Follow a link at `dest`."),
    param("validate", ParamKind::Text, "Command that must accept the new file; `%s` is its path."),
    with_default("trim_blocks", ParamKind::Bool, "true", "Remove the line end after a block."),
    with_default("lstrip_blocks", ParamKind::Bool, "false", "Remove blanks before a block."),
    with_default("block_start_string", ParamKind::Text, "{%", "Begin of a block."),
    with_default("block_end_string", ParamKind::Text, "%}", "End of a block."),
    with_default("variable_start_string", ParamKind::Text, "{{", "Begin of an expression."),
    with_default("variable_end_string", ParamKind::Text, "}}", "End of an expression."),
    with_default("comment_start_string", ParamKind::Text, "{#", "Begin of a comment."),
    with_default("comment_end_string", ParamKind::Text, "#}", "End of a comment."),
    Param {
        choices: &["\n", "\r", "\r\n", "\\n", "\\r", "\\r\\n"],
        ..with_default("newline_sequence", ParamKind::Raw, "\\n", "Line ends of the result.")
    },
    with_default("output_encoding", ParamKind::Text, "utf-8", "Encoding of the result."),
    attrs::OWNER,
    attrs::GROUP,
    attrs::MODE,
    attrs::ATTRIBUTES,
    attrs::SEUSER,
    attrs::SEROLE,
    attrs::SETYPE,
    attrs::SELEVEL,
    attrs::UNSAFE_WRITES,
];

#[derive(Debug)]
struct Template(Placement);

fn read(given: &Given<'_>) -> Result<Box<dyn Module>, ModuleError> {
    let args = Arguments(&given.args);
    let src = args.required("src")?;
    let path = local::find(src, "templates", given.search)?;
    let file = given.templar.vault().read(&path)?;
    let scope = variables(given, src, &path, args.required("dest")?);
    let mut text = given.templar.render_file(&path, &file.text, &options(args)?, &scope)?;
    let newline = args.text("newline_sequence").unwrap_or("\n").replace("\\r", "\r").replace("\\n", "\n");
    if newline != "\n" {
        text = text.replace("\r\n", "\n").replace('\n', &newline);
    }
    let bytes = encode(&text, args.text("output_encoding").unwrap_or("utf-8"))?;
    let digests = local::digest(&bytes);
    let source_mode = place::local_mode(&path)?;
    let mut placement = copy::placement(given, args, Content::Bytes(bytes.into()), Some(source_mode))?;
    placement.sha1 = Some(digests.sha1);
    placement.md5 = Some(digests.md5);
    placement.name = Some(place::base_name(&path.to_string_lossy()).to_owned());
    placement.source = path.display().to_string();
    placement.is_hidden = file.is_hidden;
    Ok(Box::new(Template(placement)))
}

fn options(args: Arguments<'_>) -> Result<FileOptions, ModuleError> {
    let text = |name: &str| {
        args.filled(name)
            .map(str::to_owned)
            .ok_or_else(|| ModuleError::failed(format!("`{name}` must not be empty")))
    };
    Ok(FileOptions {
        trim_blocks: args.flag("trim_blocks"),
        lstrip_blocks: args.flag("lstrip_blocks"),
        block_start: text("block_start_string")?,
        block_end: text("block_end_string")?,
        variable_start: text("variable_start_string")?,
        variable_end: text("variable_end_string")?,
        comment_start: text("comment_start_string")?,
        comment_end: text("comment_end_string")?,
    })
}

/// The variables that only templates have. `ansible_managed` is the user's own when there is one.
fn variables(given: &Given<'_>, src: &str, path: &Path, dest: &str) -> Scope {
    use std::os::unix::fs::MetadataExt;
    let meta = std::fs::metadata(path).ok();
    let zone = jiff::tz::TimeZone::system();
    let shown = |at: jiff::Timestamp| at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string();
    let changed = meta.as_ref().and_then(|m| jiff::Timestamp::from_second(m.mtime()).ok());
    let fullpath = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let mut layer = VarMap::new();
    let mut set = |name: &str, value: String| layer.insert(name.to_owned(), Var::Data(Value::from(value)));
    set("template_host", rustix::system::uname().nodename().to_string_lossy().into_owned());
    set("template_path", src.to_owned());
    set("template_fullpath", fullpath.display().to_string());
    set("template_destpath", dest.to_owned());
    set("template_run_date", shown(jiff::Timestamp::now()));
    if let Some(changed) = changed {
        set("template_mtime", shown(changed));
    }
    if let Some(meta) = meta {
        set("template_uid", owner_name(meta.uid()));
    }
    if given.scope.get("ansible_managed").is_none() {
        set("ansible_managed", "Ansible managed".to_owned());
    }
    given.scope.with(Arc::new(layer))
}

/// A local user's name; the number when there is none.
fn owner_name(uid: u32) -> String {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let number = uid.to_string();
    let name = users.lines().find_map(|line| {
        let mut parts = line.split(':');
        let name = parts.next()?;
        (parts.nth(1)? == number).then(|| name.to_owned())
    });
    name.unwrap_or(number)
}

fn encode(text: &str, encoding: &str) -> Result<Vec<u8>, ModuleError> {
    let cannot = |c: char| ModuleError::failed(format!("`{c}` cannot be written in {encoding} (output_encoding)"));
    match encoding.to_ascii_lowercase().replace('_', "-").as_str() {
        "utf-8" | "utf8" => Ok(text.as_bytes().to_vec()),
        "ascii" | "us-ascii" => match text.chars().find(|c| !c.is_ascii()) {
            Some(c) => Err(cannot(c)),
            None => Ok(text.as_bytes().to_vec()),
        },
        "latin-1" | "latin1" | "iso-8859-1" | "iso8859-1" => {
            text.chars().map(|c| u8::try_from(u32::from(c)).map_err(|_| cannot(c))).collect()
        }
        "utf-16" => {
            let marked = std::iter::once(0xfeff).chain(text.encode_utf16());
            Ok(marked.flat_map(u16::to_le_bytes).collect())
        }
        "utf-16-le" | "utf-16le" => Ok(text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        "utf-16-be" | "utf-16be" => Ok(text.encode_utf16().flat_map(u16::to_be_bytes).collect()),
        _ => Err(ModuleError::failed(format!(
            "unknown output_encoding `{encoding}`: use utf-8, ascii, latin-1 or utf-16"
        ))),
    }
}

impl Module for Template {
    fn inspect(&self, host: &mut Reader<'_>) -> Result<Change, ModuleError> {
        self.0.inspect(host)
    }

    fn sends(&self) -> Vec<Sent> {
        self.0.sends()
    }

    fn conclude(&self, taken: &[Taken], values: &mut Values) -> Result<(), ModuleError> {
        Placement::conclude(taken, values);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_that_an_encoding_lacks_is_an_error() {
        assert_eq!(encode("é", "latin-1").unwrap(), [0xe9]);
        assert!(encode("日", "latin-1").unwrap_err().to_string().contains("`日`"));
        assert!(encode("x", "klingon").unwrap_err().to_string().contains("klingon"));
        assert_eq!(encode("a", "utf-16").unwrap(), [0xff, 0xfe, b'a', 0]);
    }
}
