//! `mount`: what is mounted at a path, and its entry in the table of file systems.
//!
//! One snippet looks and acts, so that both read and write the table in the same way; what acting does it decides anew,
//! under a lock, from what is there then. [`look`] has its answers.

mod look;

use serde_json::Value as Json;

use crate::event::Diff;
use crate::modules::answer::Answer;
use crate::modules::args::{Param, ParamKind};
use crate::modules::attrs::{self, param, with_default};
use crate::modules::edit;
use crate::modules::given::Arguments;
use crate::modules::step::{Content, Reader, Step, Taken};
use crate::modules::{Change, Given, Module, ModuleError, Spec, Values, words};
use crate::shell::{Command, snippets};
use crate::transport::Stdin;
use look::{Look, Source};

/// The module.
pub const SPEC: Spec = Spec {
    name: "mount",
    collection: "ansible.posix",
    doc: "Mounts and unmounts, and keeps the entry in /etc/fstab.

- hosts: storage
  tasks:
    - ansible.posix.mount:
        path: /srv/data
        src: LABEL=data
        fstype: xfs
        opts: noatime
        state: mounted
    - mount: path=/mnt/old state=absent

Other than in Ansible:
- The table is edited under a lock and replaced whole, so that two runs at the same moment lose nothing. An entry that
  has to change keeps its columns and its comment; a second entry for the same mount point is taken out.
- Mount points are compared without slashes at their end, fields as what they stand for (`\\040` is a blank), and swap by
  its device also where its mount point is `swap`. Entries without options or numbers are entries.
- `mounted` mounts first and writes the entry then: an entry that cannot be mounted never gets into the table. When
  another device is mounted there and the entry changes, that one is unmounted; when the entry is right, you are warned.
- `absent` unmounts first and takes the entry out last. No state makes an empty table where there is none.
- `ephemeral` knows the device that is mounted also by LABEL= and UUID=.",
    params: PARAMS,
    free_form: false,
    local: false,
    read,
};

const PARAMS: &[Param] = &[
    Param {
        aliases: &["name"],
        ..attrs::required("path", ParamKind::Path, "The mount point; `none` for swap.")
    },
    param("src", ParamKind::Path, "The device, `LABEL=`, `UUID=`, or whatever is mounted."),
    param("fstype", ParamKind::Text, "Type of the file system."),
    param("opts", ParamKind::Text, "Options of the mount; `defaults` when there are none."),
    with_default(
        "opts_no_log",
        ParamKind::Bool,
        "false",
        "Never show the options. The host's process list has them while `mount` runs.",
    ),
    with_default("dump", ParamKind::Text, "0", "Fifth field of the entry."),
    with_default("passno", ParamKind::Text, "0", "Sixth field of the entry."),
    Param {
        required: true,
        choices: &[
            "absent",
            "absent_from_fstab",
            "ephemeral",
            "mounted",
            "present",
            "remounted",
            "unmounted",
        ],
        ..param(
            "state",
            ParamKind::Text,
            "`mounted`: mounted and in the table; `present`: in the table only; `ephemeral`: mounted only; \
             `unmounted`: the table stays; `absent`: neither, and no directory; `absent_from_fstab`: the mount stays; \
             `remounted`: mounted again.",
        )
    },
    param("fstab", ParamKind::Text, "The table, when it is not /etc/fstab; links are followed."),
    with_default("boot", ParamKind::Bool, "true", "Mount it at boot; without it `noauto` is added to `opts`."),
    edit::BACKUP,
];

/// What Ansible shows in place of options that must not be seen.
const HIDDEN: &str = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER";

/// The snippet's word for it.
const OTHER_SOURCE: &str = "other source";

/// What the module is to do, which is also how the snippet is asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Absent,
    AbsentFromFstab,
    Ephemeral,
    Mounted,
    Present,
    Remounted,
    Unmounted,
}

impl State {
    fn of(word: &str) -> Result<Self, ModuleError> {
        Ok(match word {
            "absent" => Self::Absent,
            "absent_from_fstab" => Self::AbsentFromFstab,
            "ephemeral" => Self::Ephemeral,
            "mounted" => Self::Mounted,
            "present" => Self::Present,
            "remounted" => Self::Remounted,
            "unmounted" => Self::Unmounted,
            other => return Err(ModuleError::failed(format!("`{other}` is no state of a mount"))),
        })
    }

    fn word(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::AbsentFromFstab => "absent_from_fstab",
            Self::Ephemeral => "ephemeral",
            Self::Mounted => "mounted",
            Self::Present => "present",
            Self::Remounted => "remounted",
            Self::Unmounted => "unmounted",
        }
    }
}

#[derive(Debug)]
struct Mount {
    state: State,
    path: String,
    src: Option<String>,
    fstype: Option<String>,
    /// With `noauto` where it is wanted.
    opts: Secretive,
    /// Nobody gave any options.
    plain: bool,
    dump: String,
    passno: String,
    fstab: String,
    boot: bool,
    backup: bool,
    /// `noauto` is among the options, and `boot` says otherwise.
    contradiction: bool,
    nonce: String,
}

/// Options that may be secret (`opts_no_log`).
struct Secretive {
    text: String,
    /// As the user gave them, when nobody may see them.
    hidden: Option<String>,
}

impl std::fmt::Debug for Secretive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.mask(&self.text))
    }
}

impl Secretive {
    /// A text without the options in it, when they are hidden.
    fn mask(&self, text: &str) -> String {
        match self.hidden.as_deref().filter(|hidden| !hidden.is_empty()) {
            Some(hidden) if hidden == text => HIDDEN.to_owned(),
            Some(hidden) => text.replace(hidden, "********"),
            None => text.to_owned(),
        }
    }
}

fn read(given: &Given<'_>) -> Result<Box<dyn Module>, ModuleError> {
    let args = Arguments(&given.args);
    let word = args.required("state")?;
    let state = State::of(word)?;
    let filled = |name: &str| args.filled(name).map(str::to_owned);
    let (src, fstype) = (filled("src"), filled("fstype"));
    if matches!(state, State::Mounted | State::Present | State::Ephemeral) {
        let missing: Vec<&str> = [("src", &src), ("fstype", &fstype)]
            .into_iter()
            .filter_map(|(name, value)| value.is_none().then_some(name))
            .collect();
        if !missing.is_empty() {
            return Err(ModuleError::failed(format!(
                "state is {word} but all of the following are missing: {}",
                missing.join(", ")
            )));
        }
    }
    let path = args.required("path")?.to_owned();
    if path.is_empty() {
        return Err(ModuleError::failed("path must not be empty"));
    }
    for name in ["dump", "passno"] {
        if args.text(name).is_some_and(|text| text.is_empty() || text.contains(char::is_whitespace)) {
            return Err(ModuleError::failed(format!("{name} must be a number")));
        }
    }
    let given_opts = filled("opts");
    let mut opts = given_opts.clone().unwrap_or_else(|| "defaults".to_owned());
    let boot = args.flag("boot");
    let noauto = opts.split(',').any(|one| one == "noauto");
    if !boot && !noauto {
        opts.push_str(",noauto");
    }
    let text = |name: &str| args.text(name).unwrap_or("0").to_owned();
    Ok(Box::new(Mount {
        state,
        path,
        src,
        fstype,
        plain: opts == "defaults",
        opts: Secretive {
            text: opts,
            hidden: given_opts.filter(|_| args.flag("opts_no_log")),
        },
        dump: text("dump"),
        passno: text("passno"),
        fstab: filled("fstab").unwrap_or_else(|| "/etc/fstab".to_owned()),
        boot,
        backup: args.flag("backup"),
        contradiction: boot && noauto,
        nonce: words::token()?,
    }))
}

impl Module for Mount {
    fn inspect(&self, host: &mut Reader<'_>) -> Result<Change, ModuleError> {
        let command = self.command("look");
        let output = host.ask(&command, Stdin::Bytes(self.opts.text.as_bytes()))?;
        let look = Look::read(&output).map_err(|error| self.masked(error))?;
        let mut values = self.values(&look);
        let from = look.mounted.as_ref().map(|mounted| mounted.from);
        if self.state == State::Ephemeral && matches!(from, Some(Source::Other | Source::Unknown)) {
            return Err(failure(OTHER_SOURCE));
        }
        if self.is_as_wanted(&look) {
            self.warn_of_another(&look, &mut values);
            return Ok(Change::None { values });
        }
        Ok(Change::Needed {
            diff: self.diff(&look),
            steps: vec![Step::Run {
                command: self.command("act"),
                stdin: Content::Bytes(self.opts.text.as_bytes().into()),
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
        match answer.field()? {
            b"ok" => {}
            _ => return Err(self.masked(failure(&answer.text()?))),
        }
        // Somebody else may have done it since it was looked at.
        let changed = answer.field()? == b"yes";
        let backup = answer.text()?;
        look::ends(&mut answer)?;
        values.insert("changed".into(), changed.into());
        values.insert("backup_file".into(), backup.into());
        Ok(())
    }
}

impl Mount {
    /// The snippet. The options are no argument of it, because they may be secret.
    fn command(&self, what: &str) -> Command {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let bit = |value: bool| if value { "1" } else { "0" };
        Command::snippet("mount", snippets::MOUNT)
            .arg(what)
            .arg(&self.nonce)
            .arg(self.state.word())
            .expanding_arg(&self.path)
            .expanding_arg(text(&self.src))
            .arg(text(&self.fstype))
            .arg(&self.dump)
            .arg(&self.passno)
            .arg(&self.fstab)
            .arg(bit(self.backup))
            .arg(bit(self.plain))
    }

    fn is_as_wanted(&self, look: &Look) -> bool {
        let same = look.table_before == look.table_after;
        match self.state {
            State::Absent | State::AbsentFromFstab | State::Present => same,
            State::Mounted => same && look.mounted.is_some(),
            State::Unmounted => look.mounted.is_none(),
            State::Ephemeral | State::Remounted => false,
        }
    }

    fn values(&self, look: &Look) -> Values {
        let mut values = Values::new();
        let mut put = |key: &str, value: Json| values.insert(key.to_owned(), value);
        put("name", look.path.clone().into());
        put("opts", self.opts.mask(&self.opts.text).into());
        put("dump", self.dump.clone().into());
        put("passno", self.passno.clone().into());
        put("fstab", self.fstab.clone().into());
        put("boot", if self.boot { "yes" } else { "no" }.into());
        put("backup_file", "".into());
        if self.src.is_some() {
            put("src", look.src.clone().into());
        }
        if let Some(fstype) = &self.fstype {
            put("fstype", fstype.clone().into());
        }
        if self.contradiction {
            put("warnings", vec!["Ignore the 'boot' due to 'opts' contains 'noauto'."].into());
        }
        values
    }

    /// The entry is right, but what is mounted is something else: that is left to people.
    fn warn_of_another(&self, look: &Look, values: &mut Values) {
        let Some(mounted) = look.mounted.as_ref().filter(|_| self.state == State::Mounted) else {
            return;
        };
        if mounted.from == Source::Other {
            let text = format!(
                "{} has {} mounted, not {}; unmount it to have that changed",
                look.path, mounted.src, look.src
            );
            let warnings = values.entry("warnings").or_insert_with(|| Json::Array(Vec::new()));
            if let Json::Array(warnings) = warnings {
                warnings.push(text.into());
            }
        }
    }

    fn diff(&self, look: &Look) -> Vec<Diff> {
        let mut diff = Vec::new();
        if look.table_before != look.table_after {
            diff.push(Diff::Text {
                before_header: self.fstab.clone(),
                after_header: self.fstab.clone(),
                before: self.opts.mask(&look.table_before),
                after: self.opts.mask(&look.table_after),
            });
        }
        diff.extend(self.deed(look).map(|words| Diff::Words(self.opts.mask(&words))));
        diff
    }

    /// What is done beside the table, in words.
    fn deed(&self, look: &Look) -> Option<String> {
        let path = &look.path;
        let what = format!("{} on {path} ({})", look.src, self.opts.text);
        match (self.state, &look.mounted) {
            (State::Present | State::AbsentFromFstab, _) | (State::Absent | State::Unmounted, None) => None,
            (State::Absent | State::Unmounted, Some(mounted)) => Some(format!("unmount {} from {path}", mounted.src)),
            (State::Mounted | State::Ephemeral, None) if look.is_there => Some(format!("mount {what}")),
            (State::Mounted | State::Ephemeral, None) => Some(format!("make the directory {path}, mount {what}")),
            (State::Mounted, Some(mounted)) if mounted.from == Source::Other => {
                Some(format!("unmount {} from {path}, mount {what}", mounted.src))
            }
            (State::Mounted | State::Ephemeral, Some(_)) => Some(format!("mount again {what}")),
            (State::Remounted, _) => Some(format!("mount {path} again")),
        }
    }

    fn masked(&self, error: ModuleError) -> ModuleError {
        match error {
            ModuleError::Failed { msg, values } => ModuleError::Failed {
                msg: self.opts.mask(&msg),
                values,
            },
            other @ (ModuleError::Connect(_)
            | ModuleError::Session(_)
            | ModuleError::CannotTellYet(_)
            | ModuleError::Arguments(_)) => other,
        }
    }
}

/// The snippet's reason, in Ansible's words where it has some.
fn failure(said: &str) -> ModuleError {
    if said == OTHER_SOURCE {
        return ModuleError::failed(
            "Ephemeral mount point is already mounted with a different source than the specified one. Failing in order \
             to prevent an unwanted unmount or override operation. Try replacing this command with a \"state: \
             unmounted\" followed by a \"state: ephemeral\", or use a different destination path.",
        );
    }
    if let Some(words) = said.strip_prefix("options: ") {
        return ModuleError::failed(format!(
            "Options were specified with remounted, but the remount command failed. Failing in order to prevent an \
             unexpected mount result. Try replacing this command with a \"state: unmounted\" followed by a \"state: \
             mounted\" using the full desired mount options instead. It said: {words}"
        ));
    }
    ModuleError::failed(said)
}
