//! `copy`: puts files, contents and whole directories on the host.

use std::path::PathBuf;

use serde_json::Value as Json;

use crate::modules::args::{Param, ParamKind};
use crate::modules::attrs::{self, Wanted, param, with_default};
use crate::modules::given::{Arguments, python_json, text_of};
use crate::modules::look::{DIRECTORY, State};
use crate::modules::place::{self, Placement};
use crate::modules::step::{Content, Reader, Sent, Taken};
use crate::modules::{BUILTIN, Change, Given, Module, ModuleError, Spec, Values, local};

mod remote_tree;
mod tree;

use remote_tree::RemoteTree;
use tree::Tree;

/// The module.
pub const SPEC: Spec = Spec {
    name: "copy",
    collection: BUILTIN,
    doc: "Puts a file, a content or a whole directory on the host; what is there is replaced whole or not at all.

- hosts: all
  tasks:
    - copy: {src: motd, dest: /etc/motd, mode: \"0644\"}
    - copy:
        dest: /etc/sudoers.d/ops
        content: \"%ops ALL=(ALL) NOPASSWD: ALL\\n\"
        mode: \"0440\"
        validate: visudo -cf %s
    - copy: src=site/ dest=/srv/www/",
    params: PARAMS,
    free_form: false,
    local: false,
    read,
};

const PARAMS: &[Param] = &[
    attrs::required("dest", ParamKind::Path, "Path on the host; with a slash at the end a directory."),
    param(
        "src",
        ParamKind::Path,
        "File or directory of the controller; of a directory with a slash at the end only what is in it.",
    ),
    param("content", ParamKind::Raw, "The content itself, instead of `src`; mappings and lists become JSON."),
    with_default("remote_src", ParamKind::Bool, "false", "`src` is on the host."),
    with_default("backup", ParamKind::Bool, "false", "Keep the old file under another name."),
    Param {
        aliases: &["thirsty"],
        ..with_default("force", ParamKind::Bool, "true", "Replace what exists and is different.")
    },
    param(
        "directory_mode",
        ParamKind::Mode,
        "Permissions of directories, when directories are copied or made.",
    ),
    param("validate", ParamKind::Text, "Command that must accept the new file; `%s` is its path."),
    with_default("follow", ParamKind::Bool, "false", "Follow a link at `dest`."),
    with_default("local_follow", ParamKind::Bool, "true", "Follow links in a directory of the controller."),
    param("checksum", ParamKind::Text, "SHA-1 that the source must have."),
    with_default("decrypt", ParamKind::Bool, "true", "Decrypt files that are encrypted with vault."),
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
enum Copy {
    /// One file.
    One(Placement),
    /// A directory of the controller.
    Tree(Tree),
    /// Something of the host: a file or a directory, known only when it is looked at.
    Remote(Placement, RemoteTree),
}

fn read(given: &Given<'_>) -> Result<Box<dyn Module>, ModuleError> {
    let args = Arguments(&given.args);
    let dest = args.required("dest")?;
    if dest.is_empty() {
        return Err(ModuleError::failed("dest is required"));
    }
    let copy = match (args.filled("src"), args.value("content")) {
        (Some(_), Some(_)) => return Err(ModuleError::failed("src and content are mutually exclusive")),
        (None, None) => return Err(ModuleError::failed("src (or content) is required")),
        (None, Some(content)) => content_of(given, args, content)?,
        (Some(src), None) if args.flag("remote_src") => remote(given, args, src)?,
        (Some(src), None) => source(given, args, src)?,
    };
    Ok(Box::new(copy))
}

/// What every way of copying one file has in common.
pub fn placement(
    given: &Given<'_>,
    args: Arguments<'_>,
    content: Content,
    source_mode: Option<u32>,
) -> Result<Placement, ModuleError> {
    Ok(Placement {
        content,
        sha1: None,
        md5: None,
        name: None,
        source: String::new(),
        dest: args.required("dest")?.to_owned(),
        wanted: Wanted::read(args, source_mode)?,
        preserve_remote: false,
        directory_mode: place::mode_of(args.value("directory_mode"))?,
        backup: args.flag("backup"),
        force: args.flag("force"),
        follow: args.flag("follow"),
        validate: args.filled("validate").map(str::to_owned),
        unsafe_writes: args.flag("unsafe_writes"),
        diff: given.diff,
        is_hidden: false,
        check: given.check,
    })
}

fn content_of(given: &Given<'_>, args: Arguments<'_>, content: &Json) -> Result<Copy, ModuleError> {
    let text = match content {
        Json::Array(_) | Json::Object(_) => python_json(content),
        other => text_of(other),
    };
    if args.required("dest")?.ends_with('/') {
        return Err(ModuleError::failed("can not use content with a dir as dest"));
    }
    let digests = local::digest(text.as_bytes());
    check_sum(args, &digests.sha1)?;
    let mut placement = placement(given, args, Content::Bytes(text.into_bytes().into()), None)?;
    placement.sha1 = Some(digests.sha1);
    placement.md5 = Some(digests.md5);
    "content".clone_into(&mut placement.source);
    Ok(Copy::One(placement))
}

fn source(given: &Given<'_>, args: Arguments<'_>, src: &str) -> Result<Copy, ModuleError> {
    let path = local::find(src.trim_end_matches('/'), "files", given.search)?;
    let meta = std::fs::metadata(&path)
        .map_err(|e| ModuleError::failed(format!("could not find src={}: {e}", path.display())))?;
    if meta.is_dir() {
        let tree = Tree::read(given, args, &path, src.ends_with('/'))?;
        return Ok(Copy::Tree(tree));
    }
    if !meta.is_file() {
        return Err(ModuleError::failed(format!("`{}` is neither a file nor a directory", path.display())));
    }
    one(given, args, &path, src).map(Copy::One)
}

fn one(given: &Given<'_>, args: Arguments<'_>, path: &PathBuf, src: &str) -> Result<Placement, ModuleError> {
    let local::Source {
        content,
        digests,
        is_hidden,
    } = local::Source::read(path, given.templar.vault(), args.flag("decrypt"))?;
    check_sum(args, &digests.sha1)?;
    let mut placement = placement(given, args, content, Some(place::local_mode(path)?))?;
    placement.is_hidden = is_hidden;
    placement.sha1 = Some(digests.sha1);
    placement.md5 = Some(digests.md5);
    placement.name = Some(place::base_name(src).to_owned());
    placement.source = path.display().to_string();
    Ok(placement)
}

fn check_sum(args: Arguments<'_>, is: &str) -> Result<(), ModuleError> {
    match args.filled("checksum") {
        Some(wanted) if wanted != is => Err(ModuleError::failed(
            "Copied file does not match the expected checksum. Transfer failed.",
        )),
        _ => Ok(()),
    }
}

fn remote(given: &Given<'_>, args: Arguments<'_>, src: &str) -> Result<Copy, ModuleError> {
    let mut placement = placement(given, args, Content::Remote(src.as_bytes().to_vec()), None)?;
    placement.sha1 = args.filled("checksum").map(str::to_owned);
    placement.preserve_remote = args.text("mode") == Some("preserve");
    placement.name = Some(place::base_name(src).to_owned());
    src.clone_into(&mut placement.source);
    let tree = RemoteTree::new(src, &placement);
    Ok(Copy::Remote(placement, tree))
}

impl Module for Copy {
    fn inspect(&self, host: &mut Reader<'_>) -> Result<Change, ModuleError> {
        match self {
            Self::One(placement) => placement.inspect(host),
            Self::Tree(tree) => tree.inspect(host),
            Self::Remote(placement, tree) => {
                if tree.source.ends_with('/') || is_directory(&tree.source, host)? {
                    tree.inspect(host)
                } else {
                    placement.inspect(host)
                }
            }
        }
    }

    fn sends(&self) -> Vec<Sent> {
        match self {
            Self::One(placement) => placement.sends(),
            Self::Tree(tree) => tree.sends(),
            Self::Remote(..) => Vec::new(),
        }
    }

    fn conclude(&self, taken: &[Taken], values: &mut Values) -> Result<(), ModuleError> {
        match self {
            Self::Remote(..) if taken.iter().any(|one| !one.stdout.is_empty()) => RemoteTree::conclude(taken),
            Self::One(_) | Self::Tree(_) | Self::Remote(..) => {
                Placement::conclude(taken, values);
                Ok(())
            }
        }
    }
}

fn is_directory(path: &str, host: &mut Reader<'_>) -> Result<bool, ModuleError> {
    let look = host.look(&[crate::modules::look::Sight::of(path)], None)?;
    Ok(look.seen.first().is_some_and(|seen| match &seen.followed().state {
        State::Found(found) => found.stat.is(DIRECTORY),
        State::Absent | State::Denied(_) | State::Link { .. } => false,
    }))
}
