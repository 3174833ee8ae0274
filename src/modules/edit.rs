//! Changing text files of the host: what `lineinfile`, `replace` and `blockinfile` share. One look brings the text, the new
//! text goes back whole.

use crate::event::Diff;
use crate::modules::args::{Param, ParamKind};
use crate::modules::attrs::{StateDiff, Wanted, param, with_default};
use crate::modules::given::Arguments;
use crate::modules::local;
use crate::modules::look::{Body, DIRECTORY, REGULAR, Seen, Sight};
use crate::modules::place::{self, text_diff};
use crate::modules::step::{Content, Reader, Step, Taken, Write};
use crate::modules::{Change, Given, ModuleError, Values};

/// `backup`.
pub const BACKUP: Param = with_default(
    "backup",
    ParamKind::Bool,
    "false",
    "Keep the old file under another name.",
);
/// `validate`.
pub const VALIDATE: Param = param(
    "validate",
    ParamKind::Text,
    "Command that must accept the new file; `%s` is its path.",
);

/// The largest file that is edited: it travels twice and is held in memory.
const LARGEST: u64 = 16 * 1024 * 1024;

/// A text file and how it is written.
#[derive(Debug)]
pub struct TextFile {
    /// Its path, as the user wrote it.
    pub path: String,
    wanted: Wanted,
    create: bool,
    backup: bool,
    validate: Option<String>,
    unsafe_writes: bool,
    check: bool,
}

/// Makes the new text from the old one; `None`: there is no file.
pub type Edit<'a> = &'a dyn Fn(Option<&[u8]>) -> Result<Edited, ModuleError>;

/// What an edit made.
#[derive(Debug, Default)]
pub struct Edited {
    /// The new text; `None`: as it was.
    pub text: Option<Vec<u8>>,
    /// What was done, in words.
    pub msg: String,
    /// Further return keys.
    pub values: Values,
}

impl TextFile {
    /// Reads the arguments that all have.
    pub fn read(given: &Given<'_>, args: Arguments<'_>) -> Result<Self, ModuleError> {
        Ok(Self {
            path: args.required("path")?.to_owned(),
            wanted: Wanted::read(args, None)?,
            create: args.flag("create"),
            backup: args.flag("backup"),
            validate: args.filled("validate").map(str::to_owned),
            unsafe_writes: args.flag("unsafe_writes"),
            check: given.check,
        })
    }

    /// The same for an edit that only takes away: without a file there is nothing to do, and nothing is made.
    #[must_use]
    pub fn optional(self) -> Self {
        Self { create: true, ..self }
    }

    /// Looks, edits, and says what to do. `edit` gets the text, or nothing when there is no file; links are followed.
    pub fn inspect(&self, host: &mut Reader<'_>, edit: Edit<'_>) -> Result<Change, ModuleError> {
        let sights = [Sight::of(self.path.as_bytes()), Sight::of(place::parent(&self.path))];
        let look = host.look(&sights, Some((self.path.as_bytes(), LARGEST)))?;
        let [seen, parent] = look.seen.as_slice() else {
            return Err(ModuleError::failed("the host's answer is not complete"));
        };
        let seen = seen.known()?.followed().known()?;
        let old = self.old(seen, &look.content)?;
        let edited = edit(old)?;
        let mut values = edited.values;
        values.insert("msg".into(), edited.msg.into());
        values.insert("backup".into(), "".into());
        let stat = seen.stat();
        let Some(text) = edited.text else {
            return Ok(match stat {
                Some(stat) => self.attributes(seen, stat, look.umask, values),
                None => Change::None { values },
            });
        };
        if let Some(validate) = self.validate.as_deref().filter(|v| !v.contains("%s")) {
            return Err(ModuleError::failed(format!("validate must contain %s: {validate}")));
        }
        let mut steps = Vec::new();
        if old.is_none() && !parent.is_dir() && !self.check {
            self.make_parents(host, &mut steps)?;
        }
        let base = stat.map_or(REGULAR | 0o666 & !look.umask, |stat| stat.mode);
        let mode = self.wanted.mode.as_ref();
        let header = format!("{} (content)", seen.name());
        let before = old.map_or(Body::Nothing, |bytes| Body::Bytes(bytes.to_vec()));
        let mut diff = vec![text_diff(&header, &before, &header, &Body::Bytes(text.clone()))];
        if let Some(stat) = stat {
            diff.extend(self.attribute_diff(seen, stat, look.umask));
            if self.wanted.owner_differs(stat) || self.wanted.mode_differs(stat, look.umask).is_some() {
                also(&mut values);
            }
        }
        steps.push(Step::Write(Box::new(Write {
            path: seen.path.clone(),
            sha1: Some(local::digest(&text).sha1),
            content: Content::Bytes(text.into()),
            mode: Some(mode.map_or(base & 0o7777, |mode| mode.apply(base, look.umask))),
            keep: stat.map(|stat| (stat.uid, stat.gid)),
            owner: self.wanted.owner_spec(),
            backup: self.backup && old.is_some(),
            validate: self.validate.clone(),
            unsafe_writes: self.unsafe_writes,
        })));
        Ok(Change::Needed { diff, steps, values })
    }

    fn old<'b>(&self, seen: &Seen, content: &'b Body) -> Result<Option<&'b [u8]>, ModuleError> {
        let fail = |rc: i32, msg: String| {
            let mut values = Values::new();
            values.insert("rc".into(), rc.into());
            Err(ModuleError::Failed {
                msg,
                values: Box::new(values),
            })
        };
        let Some(found) = seen.found() else {
            if self.create {
                return Ok(None);
            }
            return fail(257, format!("Destination {} does not exist !", seen.name()));
        };
        if found.stat.is(DIRECTORY) {
            return fail(256, format!("Destination {} is a directory !", seen.name()));
        }
        match content {
            Body::Bytes(bytes) => Ok(Some(bytes)),
            Body::Large => fail(1, format!("{} is larger than {LARGEST} bytes", seen.name())),
            Body::Nothing => fail(1, format!("{} cannot be read", seen.name())),
        }
    }

    fn make_parents(&self, host: &mut Reader<'_>, steps: &mut Vec<Step>) -> Result<(), ModuleError> {
        let above: Vec<Sight> = place::ancestors(&self.path).into_iter().map(Sight::of).collect();
        let look = host.look(&above, None)?;
        for seen in look.seen.iter().filter(|seen| seen.is_absent()) {
            steps.push(Step::MakeDir {
                path: seen.path.clone(),
            });
        }
        Ok(())
    }

    fn attribute_diff(&self, seen: &Seen, stat: &crate::modules::look::Stat, umask: u32) -> Vec<Diff> {
        let mut diff = StateDiff::of(&seen.name());
        self.wanted.tell(stat, umask, false, &mut diff);
        diff.finish()
    }

    fn attributes(&self, seen: &Seen, stat: &crate::modules::look::Stat, umask: u32, mut values: Values) -> Change {
        let steps = self.wanted.steps(&seen.path, stat, umask, false);
        if steps.is_empty() {
            return Change::None { values };
        }
        also(&mut values);
        Change::Needed {
            diff: self.attribute_diff(seen, stat, umask),
            steps,
            values,
        }
    }

    /// Return keys after the steps.
    pub fn conclude(taken: &[Taken], values: &mut Values) {
        if let Some(backup) = taken.iter().find_map(|one| one.backup.clone()) {
            values.insert("backup".into(), backup.clone().into());
            values.insert("backup_file".into(), backup.into());
        }
    }
}

/// Adds to the message that owner or permissions change, too.
fn also(values: &mut Values) {
    let words = "ownership, perms or SE linux context changed";
    let msg = match values.get("msg").and_then(serde_json::Value::as_str) {
        Some(msg) if !msg.is_empty() => format!("{msg} and {words}"),
        _ => words.to_owned(),
    };
    values.insert("msg".into(), msg.into());
}
