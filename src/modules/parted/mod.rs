//! `parted`: a disk's partition table and one partition of it. [`plan`] says what there is to do; the snippet decides it
//! anew, from the table as it is then, so that a step taken twice makes one partition.

mod look;
mod plan;
mod size;
mod table;

use serde_json::{Value as Json, json};

use crate::event::Diff;
use crate::modules::answer::Answer;
use crate::modules::args::{Param, ParamKind};
use crate::modules::attrs::{self, param, with_default};
use crate::modules::given::Arguments;
use crate::modules::step::{Content, Reader, Step, Taken};
use crate::modules::{Change, Given, Module, ModuleError, Spec, Values};
use crate::shell::{Command, snippets};
use crate::transport::Stdin;
use look::Look;
use plan::Plan;
use size::Size;
use table::Table;

/// The module.
pub const SPEC: Spec = Spec {
    name: "parted",
    collection: "community.general",
    doc: "Makes, resizes, names and removes partitions; tells what partitions a disk has.

- hosts: storage
  tasks:
    - community.general.parted: {device: /dev/disk/by-id/ata-ST4000, unit: MiB}
      register: disk
    - parted:
        device: /dev/disk/by-id/ata-ST4000
        label: gpt
        number: 1
        name: data
        part_start: 1MiB
        part_end: 100%
        state: present
      when: not disk.partitions

A partition table that has partitions is never replaced unless the task says `destroy: true`, which only we have; nor is
what lies on the whole disk: a file system, a physical volume, a part of a RAID. `label` is msdos when it is not given, so
that a task which forgets it is refused on a GPT disk that has partitions. A disk in use is refused even then, and a
partition in use is not removed: mounted, used as swap, a part of an active volume, a RAID or a multipath device.

Other than in Ansible:
- A number that parted would not give to a new partition is refused before anything is made: it takes the lowest free.
- `resize` sees that the end is where it should be, within parted's own rounding, and changes nothing then.
- Check mode of `state: absent` knows whether there is such a partition.
- `unit` of a disk without a label, under parted before 3.1, is the one that was asked for.",
    params: PARAMS,
    free_form: false,
    local: false,
    read,
};

const PARAMS: &[Param] = &[
    attrs::required("device", ParamKind::Text, "The disk; a regular file will do."),
    Param {
        choices: &["absent", "info", "present"],
        ..with_default(
            "state",
            ParamKind::Text,
            "info",
            "Whether the partition is to be there; `info` only tells.",
        )
    },
    param("number", ParamKind::Int, "Number of the partition; required unless `state` is info."),
    Param {
        choices: &["cylinder", "minimal", "none", "optimal", "undefined"],
        ..with_default(
            "align",
            ParamKind::Text,
            "optimal",
            "How new partitions are aligned; `undefined` leaves it to parted.",
        )
    },
    Param {
        choices: &[
            "s", "B", "KB", "KiB", "MB", "MiB", "GB", "GiB", "TB", "TiB", "%", "cyl", "chs", "compact",
        ],
        ..with_default("unit", ParamKind::Text, "KiB", "Unit of what is returned.")
    },
    Param {
        choices: &["aix", "amiga", "bsd", "dvh", "gpt", "loop", "mac", "msdos", "pc98", "sun"],
        ..with_default("label", ParamKind::Text, "msdos", "Type of the partition table.")
    },
    Param {
        choices: &["extended", "logical", "primary"],
        ..with_default(
            "part_type",
            ParamKind::Text,
            "primary",
            "Type of a new partition (msdos, dvh); becomes the name of one that has a name and gets none.",
        )
    },
    with_default(
        "part_start",
        ParamKind::Text,
        "0%",
        "Where a new partition begins: a number and a unit; negative from the end of the disk.",
    ),
    with_default("part_end", ParamKind::Text, "100%", "Where it ends."),
    param("name", ParamKind::Text, "Name of the partition (gpt, mac, pc98)."),
    param("flags", ParamKind::List, "Flags that are to be set on it; all others are taken away."),
    param("fs_type", ParamKind::Text, "Type of file system that the table is to name for a new partition."),
    with_default("resize", ParamKind::Bool, "false", "Move the end of a partition that is there to `part_end`."),
    with_default(
        "destroy",
        ParamKind::Bool,
        "false",
        "Replace a table that has partitions, or what lies on the whole disk. All of it is lost.",
    ),
];

#[derive(Debug)]
struct Parted {
    device: String,
    state: State,
    unit: String,
}

/// What the task wants.
#[derive(Debug)]
enum State {
    Info,
    Absent(u64),
    Present(Box<Wanted>),
}

/// A partition as it is wanted.
#[derive(Debug)]
struct Wanted {
    number: u64,
    label: String,
    align: String,
    part_type: String,
    fs_type: String,
    start: String,
    end: (String, Size),
    name: Option<String>,
    flags: Vec<String>,
    resize: bool,
    destroy: bool,
}

fn read(given: &Given<'_>) -> Result<Box<dyn Module>, ModuleError> {
    let args = Arguments(&given.args);
    let text = |name: &str| args.text(name).unwrap_or_default().to_owned();
    let device = args.required("device")?.to_owned();
    if device.is_empty() || device.starts_with('-') {
        return Err(ModuleError::failed(format!("`{device}` is no path of a device")));
    }
    let word = text("state");
    let number = match args.int("number") {
        None => None,
        Some(number) => Some(u64::try_from(number).ok().filter(|number| *number > 0).ok_or_else(|| {
            ModuleError::failed("The partition number must be greater then 0.")
        })?),
    };
    place(&text("part_start"), "part_start")?;
    let end = place(&text("part_end"), "part_end")?;
    let state = match (word.as_str(), number) {
        ("present" | "absent", None) => {
            return Err(ModuleError::failed(format!(
                "state is {word} but all of the following are missing: number"
            )));
        }
        ("absent", Some(number)) => State::Absent(number),
        ("present", Some(number)) => {
            let mut flags = args.list("flags");
            flags.retain(|flag| !flag.is_empty());
            // parted sets and clears both together.
            if flags.iter().any(|flag| flag == "esp") && !flags.iter().any(|flag| flag == "boot") {
                flags.push("boot".to_owned());
            }
            State::Present(Box::new(Wanted {
                number,
                label: text("label"),
                align: text("align"),
                part_type: text("part_type"),
                fs_type: text("fs_type"),
                start: text("part_start"),
                end: (text("part_end"), end),
                name: args.text("name").map(str::to_owned),
                flags,
                resize: args.flag("resize"),
                destroy: args.flag("destroy"),
            }))
        }
        _ => State::Info,
    };
    Ok(Box::new(Parted {
        device,
        state,
        unit: text("unit"),
    }))
}

/// A place on the disk as the user wrote it.
fn place(text: &str, name: &str) -> Result<Size, ModuleError> {
    let size = Size::parse(text)
        .ok_or_else(|| ModuleError::failed(format!("Error interpreting parted size output: '{text}'")))?;
    if size.has_known_unit() {
        return Ok(size);
    }
    Err(ModuleError::failed(format!(
        "The argument '{name}' doesn't respect required format. The size unit is case sensitive."
    )))
}

impl Module for Parted {
    fn inspect(&self, host: &mut Reader<'_>) -> Result<Change, ModuleError> {
        let command = Command::snippet("parted", snippets::PARTED)
            .arg("look")
            .arg(&self.device)
            .arg(&self.unit)
            .arg(self.number().to_string());
        let look = Look::read(&host.ask(&command, Stdin::Empty)?, &self.device, &self.unit)?;
        let plan = match &self.state {
            State::Info => Plan::info(&self.unit),
            State::Absent(number) => Plan::absent(*number, &look, &self.device)?,
            State::Present(wanted) => Plan::present(wanted, &look, &self.device, &self.unit)?,
        };
        let mut values = Values::new();
        values.insert("disk".into(), look.values.0.clone());
        values.insert("partitions".into(), look.values.1.clone());
        values.insert("script".into(), json!(plan.script));
        if plan.after.is_none() {
            return Ok(Change::None { values });
        }
        Ok(Change::Needed {
            diff: self.diff(&look, plan.after),
            steps: vec![Step::Run {
                command: self.act(&look),
                stdin: Content::empty(),
                plain: false,
            }],
            values,
        })
    }

    fn conclude(&self, taken: &[Taken], values: &mut Values) -> Result<(), ModuleError> {
        let Some(ran) = taken.first() else {
            return Ok(());
        };
        let mut answer = Answer::find(&ran.stdout, ran.rc, &ran.stderr)?;
        if answer.field()? != b"ok" {
            let msg = answer.text()?;
            let (words, rc) = (answer.text()?, answer.text()?);
            let mut values = Values::new();
            let Ok(rc) = rc.parse::<i64>() else {
                values.insert("changed".into(), false.into());
                return Err(ModuleError::Failed {
                    msg,
                    values: Box::new(values),
                });
            };
            values.insert("rc".into(), rc.into());
            values.insert("out".into(), "".into());
            values.insert("err".into(), words.clone().into());
            return Err(ModuleError::Failed {
                msg: format!("{msg}: {}", words.trim()),
                values: Box::new(values),
            });
        }
        let changed = answer.field()? == b"yes";
        let script = answer.text()?;
        let table = Table::read(&answer.text()?);
        look::ends(&mut answer)?;
        values.insert("changed".into(), changed.into());
        values.insert("script".into(), script.lines().collect::<Vec<_>>().into());
        if let Some(table) = table {
            let (disk, partitions) = table.values(&self.unit);
            values.insert("disk".into(), disk);
            values.insert("partitions".into(), partitions);
        }
        Ok(())
    }
}

impl Parted {
    fn number(&self) -> u64 {
        match &self.state {
            State::Info => 0,
            State::Absent(number) => *number,
            State::Present(wanted) => wanted.number,
        }
    }

    /// The snippet that changes the table. What was seen goes with it.
    fn act(&self, look: &Look) -> Command {
        let bit = |value: bool| if value { "1" } else { "0" };
        let command = Command::snippet("parted", snippets::PARTED);
        let command = match &self.state {
            State::Present(_) => command.arg("present"),
            State::Absent(_) | State::Info => command.arg("absent"),
        };
        let command = command
            .arg(&self.device)
            .arg(&self.unit)
            .arg(self.number().to_string())
            .arg(&look.seen);
        match &self.state {
            State::Present(wanted) => command
                .arg(&wanted.align)
                .arg(&wanted.label)
                .arg(&wanted.part_type)
                .arg(&wanted.fs_type)
                .arg(&wanted.start)
                .arg(&wanted.end.0)
                .arg(bit(wanted.resize && plan::moves_end(wanted, look)))
                .arg(wanted.name.as_deref().map(plan::quoted).unwrap_or_default())
                .arg(wanted.name.as_deref().unwrap_or_default())
                .args(&wanted.flags),
            State::Absent(_) | State::Info => command.args(["undefined", "", "", "", "", "", "0", "", ""]),
        }
    }

    fn diff(&self, look: &Look, after: Option<Vec<String>>) -> Vec<Diff> {
        let before = look.exact.as_ref().map_or_else(Vec::new, Table::lines);
        let text = |lines: Vec<String>| lines.into_iter().map(|line| line + "\n").collect::<String>();
        vec![Diff::Text {
            before_header: self.device.clone(),
            after_header: self.device.clone(),
            before: text(before),
            after: text(after.unwrap_or_default()),
        }]
    }
}

/// A failure that has not touched anything.
fn refused(msg: String) -> ModuleError {
    ModuleError::Failed {
        msg,
        values: Box::new(Values::from_iter([("changed".to_owned(), Json::Bool(false))])),
    }
}
