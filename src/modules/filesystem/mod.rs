//! `filesystem`: makes, grows and wipes file systems, swap and physical volumes. What acting does is decided anew on the
//! host, from what is on the device then: nothing is made on anything but what was looked at.

mod kind;
mod look;

use serde_json::{Value as Json, json};

use crate::modules::answer::Answer;
use crate::modules::args::{Param, ParamKind};
use crate::modules::attrs::{self, StateDiff, param, with_default};
use crate::modules::given::Arguments;
use crate::modules::step::{Content, Reader, Step, Taken};
use crate::modules::{Change, Given, Module, ModuleError, Spec, Values};
use crate::shell::{Command, snippets};
use crate::transport::Stdin;
use kind::{Grows, Kind};
use look::{Device, Look};

/// The module.
pub const SPEC: Spec = Spec {
    name: "filesystem",
    collection: "community.general",
    doc: "Makes a file system, swap space or a physical volume on a device; grows or wipes it.

- hosts: storage
  tasks:
    - community.general.filesystem: {dev: /dev/disk/by-id/ata-ST4000-part1, fstype: xfs, opts: -L data}
    - filesystem: {dev: /dev/vg0/home, fstype: ext4, resizefs: true}
    - filesystem: dev=/dev/vg0/scratch state=absent

A device with another file system is refused without `force`; one that is in use is refused always: mounted, used as
swap, a part of an active volume, a RAID or a multipath device, with a partition of which that is so, or a file that a loop
device shows. With `force` the file system is made again at every run, as in Ansible.

Other than in Ansible:
- A device with a partition table is refused without `force`, and one whose signatures contradict each other.
- `uuid` changes nothing when the file system has that UUID.
- An xfs whose mkfs was stopped before its end does not count as one.
- `resizefs` knows how much a physical volume can hold, and changes it only when it is less than its device could.
- With `force`, `pvcreate` wipes what it finds without asking.
- `bcachefs` and `ufs` are not built.",
    params: PARAMS,
    free_form: false,
    local: false,
    read,
};

const PARAMS: &[Param] = &[
    Param {
        aliases: &["device"],
        ..attrs::required("dev", ParamKind::Path, "Block device or regular file.")
    },
    Param {
        aliases: &["type"],
        choices: &[
            "bcachefs", "btrfs", "ext2", "ext3", "ext4", "ext4dev", "f2fs", "lvm", "ocfs2", "reiserfs", "swap", "ufs",
            "vfat", "xfs",
        ],
        ..param("fstype", ParamKind::Text, "What to make; required with `state: present`.")
    },
    Param {
        choices: &["absent", "present"],
        ..with_default(
            "state",
            ParamKind::Text,
            "present",
            "`absent` wipes the signatures of what is on the device.",
        )
    },
    with_default("force", ParamKind::Bool, "false", "Make it even where a file system is."),
    with_default(
        "resizefs",
        ParamKind::Bool,
        "false",
        "Let a file system that is there grow to its device's size.",
    ),
    param("opts", ParamKind::Text, "Options for mkfs."),
    param("uuid", ParamKind::Text, "UUID to have; for what is special see tune2fs(8) and xfs_admin(8)."),
];

#[derive(Debug)]
struct Filesystem {
    dev: String,
    /// What to make; `None`: wipe.
    kind: Option<&'static Kind>,
    force: bool,
    resize: bool,
    opts: Vec<String>,
    uuid: Option<String>,
}

fn read(given: &Given<'_>) -> Result<Box<dyn Module>, ModuleError> {
    let args = Arguments(&given.args);
    let dev = args.required("dev")?.to_owned();
    let present = args.text("state") != Some("absent");
    let fstype = args.filled("fstype");
    let (resize, uuid) = (args.flag("resizefs"), args.filled("uuid").map(str::to_owned));
    if resize && uuid.is_some() {
        return Err(ModuleError::failed("parameters are mutually exclusive: resizefs|uuid"));
    }
    let kind = match fstype.filter(|_| present) {
        None if present => {
            return Err(ModuleError::failed(
                "state is present but all of the following are missing: fstype",
            ));
        }
        None => None,
        Some(name) => Some(Kind::of(name).ok_or_else(|| {
            ModuleError::failed(format!("module does not support this filesystem ({name}) yet."))
        })?),
    };
    if let Some(kind) = kind.filter(|kind| uuid.is_some() && !kind.uuid) {
        return Err(ModuleError::failed(format!(
            "module does not support UUID option for this filesystem ({}) yet.",
            kind.name
        )));
    }
    Ok(Box::new(Filesystem {
        dev,
        kind,
        force: args.flag("force"),
        resize,
        opts: args
            .text("opts")
            .unwrap_or_default()
            .split_ascii_whitespace()
            .map(str::to_owned)
            .collect(),
        uuid,
    }))
}

/// What there is to do.
enum Work {
    Nothing(Values),
    Do {
        /// The snippet's word for it.
        what: &'static str,
        /// What is on the device afterwards.
        after: Json,
        values: Values,
    },
}

fn message(text: String) -> Values {
    Values::from_iter([("msg".to_owned(), Json::String(text))])
}

impl Module for Filesystem {
    fn inspect(&self, host: &mut Reader<'_>) -> Result<Change, ModuleError> {
        // What follows the fixed arguments is the program that tells the size, here.
        let look = self.command("look", b"").arg(self.kind.map_or("", |kind| kind.info));
        let output = host.ask(&look, Stdin::Empty)?;
        let device = match Look::read(&output)? {
            Look::Device(device) => device,
            Look::Absent { dev } => {
                let text = format!("Device {dev} not found.");
                return match self.kind {
                    Some(_) => Err(ModuleError::failed(text)),
                    None => Ok(Change::None { values: message(text) }),
                };
            }
        };
        let work = match self.kind {
            Some(kind) => self.present(kind, &device)?,
            None if device.fs.is_empty() => Work::Nothing(Values::new()),
            None => Work::Do {
                what: "wipe",
                after: Json::Null,
                values: Values::new(),
            },
        };
        match work {
            Work::Nothing(values) => Ok(Change::None { values }),
            Work::Do { what, after, values } => {
                if matches!(what, "wipe" | "create") && !device.user.is_empty() {
                    return Err(in_use(what, &device));
                }
                let mut diff = StateDiff::of(&device.dev);
                diff.set(if what == "uuid" { "uuid" } else { "fstype" }, before(what, &device), after);
                Ok(Change::Needed {
                    diff: diff.finish(),
                    steps: vec![Step::Run {
                        command: self.command(what, &device.seen).args(&self.opts),
                        stdin: Content::empty(),
                        plain: false,
                    }],
                    values,
                })
            }
        }
    }

    fn conclude(&self, taken: &[Taken], values: &mut Values) -> Result<(), ModuleError> {
        let Some(ran) = taken.first() else {
            return Ok(());
        };
        let mut answer = Answer::find(&ran.stdout, ran.rc, &ran.stderr)?;
        if answer.field()? != b"ok" {
            let msg = answer.text()?;
            let (cmd, rc) = (answer.text()?, answer.text()?);
            let mut values = Values::new();
            if let Ok(rc) = rc.parse::<i64>() {
                values.insert("cmd".into(), cmd.into());
                values.insert("rc".into(), rc.into());
                values.insert("stdout".into(), "".into());
                values.insert("stderr".into(), msg.clone().into());
            } else {
                // Refused, or a program that is not there: the device was not touched.
                values.insert("changed".into(), false.into());
            }
            return Err(ModuleError::Failed {
                msg,
                values: Box::new(values),
            });
        }
        let changed = answer.field()? == b"yes";
        let said = answer.text()?;
        look::ends(&mut answer)?;
        values.insert("changed".into(), changed.into());
        if values.contains_key("msg") {
            values.insert("msg".into(), said.into());
        }
        Ok(())
    }
}

/// Why a device that is in use is left alone.
fn in_use(what: &str, device: &Device) -> ModuleError {
    let nothing = if what == "wipe" { "nothing was wiped" } else { "no file system was made" };
    ModuleError::failed(format!("{} is in use, {nothing}: {}", device.dev, device.user))
}

/// What is on the device now, for the difference.
fn before(what: &str, device: &Device) -> Json {
    match what {
        "uuid" => json!(device.uuid),
        "grow" => json!(format!("{}, {} bytes", device.fs, device.fs_size.unwrap_or(0))),
        _ if device.fs.is_empty() && device.table.is_empty() => Json::Null,
        _ if device.fs.is_empty() => json!(format!("partition table {}", device.table)),
        _ => json!(device.fs),
    }
}

impl Filesystem {
    fn command(&self, what: &str, seen: &[u8]) -> Command {
        let bit = |value: bool| if value { "1" } else { "0" };
        Command::snippet("filesystem", snippets::FILESYSTEM)
            .arg(what)
            .expanding_arg(&self.dev)
            .arg(self.kind.map_or("-", |kind| kind.name))
            .arg(bit(self.resize))
            .arg(bit(self.force))
            .arg(self.uuid.as_deref().unwrap_or_default())
            .arg(seen)
    }

    fn present(&self, kind: &'static Kind, device: &Device) -> Result<Work, ModuleError> {
        let create = Work::Do {
            what: "create",
            after: json!(kind.found),
            values: Values::new(),
        };
        if kind.is(&device.fs) {
            return match &self.uuid {
                _ if self.resize => grow(kind, device),
                Some(uuid) if uuid.eq_ignore_ascii_case(&device.uuid) => Ok(Work::Nothing(Values::new())),
                Some(uuid) => Ok(Work::Do {
                    what: "uuid",
                    after: json!(uuid),
                    values: message(format!("Changing {} filesystem UUID on device {}", kind.shown, device.dev)),
                }),
                None if self.force => Ok(create),
                None => Ok(Work::Nothing(Values::new())),
            };
        }
        let found = match (device.fs.as_str(), device.table.as_str()) {
            ("", "") => None,
            ("", "several") => Some("something that has signatures of several types".to_owned()),
            ("", table) => Some(format!("a disk with a partition table ({table})")),
            (fs, _) => Some(fs.to_owned()),
        };
        match found.filter(|_| !self.force) {
            Some(found) => Err(ModuleError::failed(format!(
                "'{}' is already used as {found}, use force=true to overwrite",
                device.dev
            ))),
            None => Ok(create),
        }
    }
}

/// Makes what is there as large as its device, unless it is.
fn grow(kind: &'static Kind, device: &Device) -> Result<Work, ModuleError> {
    if kind.grows == Grows::No {
        return Err(ModuleError::failed(format!(
            "module does not support resizing {} filesystem yet.",
            kind.name
        )));
    }
    let unmounted = kind.grows == Grows::Mounted && device.place.is_empty();
    let must_be_mounted =
        || ModuleError::failed(format!("{} needs to be mounted for {} operations", device.dev, kind.shown));
    let (Some(size), Some(fs_size)) = (device.size, device.fs_size) else {
        return Err(if device.lacks_info {
            ModuleError::failed(format!("Failed to find required executable \"{}\"", kind.info))
        } else if unmounted {
            must_be_mounted()
        } else {
            ModuleError::failed(format!("unable to process {} output for {}", kind.info, device.dev))
        });
    };
    if fs_size >= size {
        return Ok(Work::Nothing(message(format!(
            "{} filesystem is using the whole device {}",
            kind.shown, device.dev
        ))));
    }
    if unmounted {
        return Err(must_be_mounted());
    }
    Ok(Work::Do {
        what: "grow",
        after: json!(format!("{}, {size} bytes", device.fs)),
        values: message(format!("resizing filesystem {} on device {}", kind.shown, device.dev)),
    })
}
