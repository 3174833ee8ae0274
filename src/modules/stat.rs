//! `stat`: tells what a path is.

use serde_json::{Map, Value as Json};

use crate::modules::args::{Param, ParamKind};
use crate::modules::attrs::{self, with_default};
use crate::modules::given::Arguments;
use crate::modules::look::{DIRECTORY, REGULAR, Seen, Sight, Stat, State};
use crate::modules::mode;
use crate::modules::step::Reader;
use crate::modules::{BUILTIN, Change, Given, Module, ModuleError, Spec, Values};

/// The module.
pub const SPEC: Spec = Spec {
    name: "stat",
    collection: BUILTIN,
    doc: "Tells what a path is; nothing is changed.

- hosts: all
  tasks:
    - stat: {path: /etc/fstab, get_checksum: false}
      register: fstab
    - fail: {msg: no fstab}
      when: not fstab.stat.exists",
    params: PARAMS,
    free_form: false,
    local: false,
    read,
};

const PARAMS: &[Param] = &[
    Param {
        aliases: &["dest", "name"],
        ..attrs::required("path", ParamKind::Path, "Path on the host.")
    },
    with_default("follow", ParamKind::Bool, "false", "Tell about what a link leads to."),
    with_default("get_checksum", ParamKind::Bool, "true", "Compute a digest of the content."),
    Param {
        aliases: &["checksum", "checksum_algo"],
        choices: &["md5", "sha1", "sha224", "sha256", "sha384", "sha512"],
        ..with_default("checksum_algorithm", ParamKind::Text, "sha1", "Which digest.")
    },
    Param {
        aliases: &["mime", "mime_type", "mime-type"],
        ..with_default("get_mime", ParamKind::Bool, "true", "Accepted; the type is `unknown`.")
    },
    Param {
        aliases: &["attr", "attributes"],
        ..with_default("get_attributes", ParamKind::Bool, "true", "Accepted; flags are not told.")
    },
    with_default("get_selinux_context", ParamKind::Bool, "false", "Accepted; the context is not told."),
];

#[derive(Debug)]
struct StatPath {
    path: String,
    follow: bool,
    algorithm: Option<&'static str>,
    mime: bool,
}

/// The names in Rust's hands, because an algorithm lives as long as the program.
pub fn algorithm(name: &str) -> Option<&'static str> {
    ["md5", "sha1", "sha224", "sha256", "sha384", "sha512"].into_iter().find(|known| *known == name)
}

fn read(given: &Given<'_>) -> Result<Box<dyn Module>, ModuleError> {
    let args = Arguments(&given.args);
    let wanted = args.text("checksum_algorithm").unwrap_or("sha1");
    Ok(Box::new(StatPath {
        path: args.required("path")?.to_owned(),
        follow: args.flag("follow"),
        algorithm: algorithm(wanted).filter(|_| args.flag("get_checksum")),
        mime: args.flag("get_mime"),
    }))
}

impl Module for StatPath {
    fn inspect(&self, host: &mut Reader<'_>) -> Result<Change, ModuleError> {
        let sight = Sight {
            algorithm: self.algorithm,
            ..Sight::of(self.path.as_bytes())
        };
        let look = host.look(&[sight], None)?;
        let seen = look.seen.first().ok_or_else(|| ModuleError::failed("the host's answer is not complete"))?;
        seen.known()?;
        let shown = if self.follow { seen.followed().known()? } else { seen };
        let mut values = Values::new();
        let map = match shown.stat() {
            None => Map::from_iter([("exists".to_owned(), Json::Bool(false))]),
            Some(stat) => self.describe(seen, shown, stat),
        };
        values.insert("stat".into(), Json::Object(map));
        Ok(Change::None { values })
    }
}

impl StatPath {
    fn describe(&self, seen: &Seen, shown: &Seen, stat: &Stat) -> Map<String, Json> {
        let mut map = Map::new();
        let mut set = |name: &str, value: Json| map.insert(name.to_owned(), value);
        set("exists", true.into());
        set("path", seen.name().into());
        map.extend(describe(stat));
        let mut set = |name: &str, value: Json| map.insert(name.to_owned(), value);
        let real = seen.followed().found();
        if let Some(found) = real {
            set("readable", found.readable.into());
            set("writeable", found.writeable.into());
            set("executable", found.executable.into());
        }
        if let State::Link { target, real, .. } = &shown.state {
            set("lnk_target", String::from_utf8_lossy(target).into_owned().into());
            set("lnk_source", real.name().into());
        }
        if let Some(digest) = shown.found().and_then(|found| found.digest.clone()) {
            set("checksum", digest.into());
        }
        if self.mime {
            let (kind, charset) = if stat.is(DIRECTORY) {
                ("inode/directory", "binary")
            } else {
                ("unknown", "unknown")
            };
            set("mimetype", kind.into());
            set("mime_type", kind.into());
            set("charset", charset.into());
        }
        map
    }
}

/// The keys that follow from `stat` alone.
pub fn describe(stat: &Stat) -> Map<String, Json> {
    let mut map = Map::new();
    let mut set = |name: &str, value: Json| map.insert(name.to_owned(), value);
    set("mode", mode::show(stat.mode).into());
    for (name, bits) in [
        ("isdir", DIRECTORY),
        ("ischr", 0o020_000),
        ("isblk", 0o060_000),
        ("isreg", REGULAR),
        ("isfifo", 0o010_000),
        ("islnk", 0o120_000),
        ("issock", 0o140_000),
    ] {
        set(name, stat.is(bits).into());
    }
    set("uid", stat.uid.into());
    set("gid", stat.gid.into());
    set("size", stat.size.into());
    set("inode", stat.inode.into());
    set("dev", stat.device.into());
    set("nlink", stat.links.into());
    for (name, time) in ["atime", "mtime", "ctime"].into_iter().zip(stat.times) {
        set(name, time.into());
    }
    for (name, bit) in [
        ("wusr", 0o200),
        ("rusr", 0o400),
        ("xusr", 0o100),
        ("wgrp", 0o020),
        ("rgrp", 0o040),
        ("xgrp", 0o010),
        ("woth", 0o002),
        ("roth", 0o004),
        ("xoth", 0o001),
        ("isuid", 0o4000),
        ("isgid", 0o2000),
    ] {
        set(name, (stat.mode & bit != 0).into());
    }
    set("blocks", stat.blocks.into());
    set("block_size", stat.block_size.into());
    set("device_type", stat.device_type.into());
    set("pw_name", stat.user.clone().into());
    set("gr_name", stat.group.clone().into());
    map
}
