//! `file`: states of paths: directories, links, empty files, permissions, nothing at all.

use serde_json::{Value as Json, json};

use crate::modules::args::{Param, ParamKind};
use crate::modules::attrs::{self, StateDiff, Wanted, param, with_default};
use crate::modules::given::Arguments;
use crate::modules::look::{DIRECTORY, Look, REGULAR, Seen, Sight, Stat, State};
use crate::modules::step::{Reader, Stamp, Step, Taken};
use crate::modules::{BUILTIN, Change, Given, Module, ModuleError, Spec, Values, place};
use crate::shell::{Command, snippets};
use crate::transport::Stdin;

/// The module.
pub const SPEC: Spec = Spec {
    name: "file",
    collection: BUILTIN,
    doc: "Makes a path what it should be: a directory, a link, an empty file, or nothing; sets owner and permissions.

- hosts: all
  tasks:
    - file: {path: /srv/app/conf, state: directory, owner: app, mode: \"0750\"}
    - file: {src: /srv/app/current, dest: /opt/app, state: link}
    - file: path=/tmp/old state=absent",
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
    Param {
        choices: &["absent", "directory", "file", "hard", "link", "touch"],
        ..param(
            "state",
            ParamKind::Text,
            "What it should be; without it what it is, or a file that must exist.",
        )
    },
    param("src", ParamKind::Path, "What a link leads to."),
    with_default(
        "recurse",
        ParamKind::Bool,
        "false",
        "Owner and permissions of all that is in the directory, too; links in it are left alone.",
    ),
    with_default(
        "force",
        ParamKind::Bool,
        "false",
        "Make links to what does not exist, and replace files by links.",
    ),
    with_default("follow", ParamKind::Bool, "true", "Follow a link at the path."),
    param(
        "modification_time",
        ParamKind::Text,
        "`now`, `preserve`, or a time as `modification_time_format` says.",
    ),
    with_default(
        "modification_time_format",
        ParamKind::Text,
        "\"%Y%m%d%H%M.%S\"",
        "How `modification_time` is written.",
    ),
    param(
        "access_time",
        ParamKind::Text,
        "`now`, `preserve`, or a time as `access_time_format` says.",
    ),
    with_default(
        "access_time_format",
        ParamKind::Text,
        "\"%Y%m%d%H%M.%S\"",
        "How `access_time` is written.",
    ),
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
struct FileState {
    path: String,
    state: Option<String>,
    src: Option<String>,
    recurse: bool,
    force: bool,
    follow: bool,
    access: Option<Stamp>,
    modification: Option<Stamp>,
    wanted: Wanted,
}

fn read(given: &Given<'_>) -> Result<Box<dyn Module>, ModuleError> {
    let args = Arguments(&given.args);
    let path = args.required("path")?;
    if path.is_empty() {
        return Err(ModuleError::failed("path must not be empty"));
    }
    let state = args.text("state").map(str::to_owned);
    let recurse = args.flag("recurse");
    if recurse && state.as_deref().is_some_and(|s| s != "directory") {
        return Err(ModuleError::failed("recurse option requires state to be 'directory'"));
    }
    let src = args.filled("src").map(str::to_owned);
    if src.is_some() && state.as_deref().is_some_and(|s| !matches!(s, "link" | "hard")) {
        return Err(ModuleError::failed("src option requires state to be 'link' or 'hard'"));
    }
    Ok(Box::new(FileState {
        path: path.to_owned(),
        state,
        src,
        recurse,
        force: args.flag("force"),
        follow: args.flag("follow"),
        access: stamp(args.text("access_time"), args.text("access_time_format"))?,
        modification: stamp(args.text("modification_time"), args.text("modification_time_format"))?,
        wanted: Wanted::read(args, None)?,
    }))
}

/// A time in the form `touch -t` takes.
fn stamp(text: Option<&str>, format: Option<&str>) -> Result<Option<Stamp>, ModuleError> {
    Ok(match text {
        None | Some("") => None,
        Some("preserve") => Some(Stamp::Keep),
        Some("now") => Some(Stamp::Now),
        Some(text) => {
            let format = format.unwrap_or("%Y%m%d%H%M.%S");
            let time = jiff::civil::DateTime::strptime(format, text)
                .map_err(|e| ModuleError::failed(format!("`{text}` is no time of the form `{format}`: {e}")))?;
            Some(Stamp::At(time.strftime("%Y%m%d%H%M.%S").to_string()))
        }
    })
}

impl Module for FileState {
    fn inspect(&self, host: &mut Reader<'_>) -> Result<Change, ModuleError> {
        let look = host.look(&self.sights(), None)?;
        let [seen, source, relative, above @ ..] = look.seen.as_slice() else {
            return Err(ModuleError::failed("the host's answer is not complete"));
        };
        seen.known()?;
        let state = match &self.state {
            Some(state) => state.as_str(),
            None if !seen.is_absent() => seen.word(),
            None if self.recurse => "directory",
            None => "file",
        };
        match state {
            "absent" => Ok(absent(seen)),
            "directory" => self.directory(&look, seen, above, host),
            "link" => self.link(&look, seen, source, relative),
            "hard" => self.hard(&look, seen, source),
            "touch" => self.touch(&look, seen),
            _ => self.file(&look, seen),
        }
    }

    fn conclude(&self, taken: &[Taken], values: &mut Values) -> Result<(), ModuleError> {
        if let Some(seen) = taken.iter().rev().find_map(|one| one.seen.as_ref()) {
            seen.describe(values);
            if seen.is_absent() {
                values.insert("state".into(), "absent".into());
            }
        }
        Ok(())
    }
}

impl FileState {
    /// The path; the link's source as it is and from the link's directory; the directories above the path.
    fn sights(&self) -> Vec<Sight> {
        let src = self.src.clone().unwrap_or_else(|| ".".to_owned());
        let relative = if src.starts_with('/') {
            src.clone()
        } else {
            place::join(&place::parent(&self.path), &src)
        };
        let mut sights = vec![
            Sight::of(trimmed(&self.path)),
            Sight::of(src),
            Sight::of(relative),
        ];
        if matches!(self.state.as_deref(), Some("directory")) || self.recurse {
            sights.extend(place::ancestors(&self.path).into_iter().map(Sight::of));
        }
        sights
    }

    fn directory(
        &self,
        look: &Look,
        seen: &Seen,
        above: &[Seen],
        host: &mut Reader<'_>,
    ) -> Result<Change, ModuleError> {
        let seen = if self.follow { seen.followed().known()? } else { seen };
        match &seen.state {
            State::Absent => Ok(self.make_directory(look, seen, above)),
            State::Found(found) if found.stat.is(DIRECTORY) => {
                let mut plan = self.attributes(look, seen, &found.stat, false);
                if self.recurse {
                    self.tree(look, seen, &mut plan, host)?;
                }
                Ok(plan.finish(seen, values("path", seen)))
            }
            State::Found(_) | State::Link { .. } | State::Denied(_) => Err(self.refuse(
                seen,
                format!("{} already exists as a {}", seen.name(), seen.word()),
            )),
        }
    }

    fn make_directory(&self, look: &Look, seen: &Seen, above: &[Seen]) -> Change {
        let mut steps = Vec::new();
        // Every directory that is made gets owner and permissions, as in Ansible.
        for new in above.iter().filter(|part| part.is_absent()).chain([seen]) {
            steps.push(Step::MakeDir { path: new.path.clone() });
            steps.extend(self.wanted.steps_for_new(&new.path, DIRECTORY, 0o777, look.umask));
        }
        steps.extend(self.times(&seen.path, false));
        steps.push(tell(&seen.path));
        let mut diff = StateDiff::of(&seen.name());
        diff.set("state", "absent".into(), "directory".into());
        Change::Needed {
            diff: diff.finish(),
            steps,
            values: values("path", seen),
        }
    }

    /// `recurse`: one more look, at which permissions and owners there are at all.
    fn tree(&self, look: &Look, seen: &Seen, plan: &mut Plan, host: &mut Reader<'_>) -> Result<(), ModuleError> {
        if self.wanted.is_empty() {
            return Ok(());
        }
        let command = Command::snippet("walk", snippets::WALK).arg(&seen.path);
        let output = host.ask(&command, Stdin::Empty)?;
        let mut answer = crate::modules::answer::Answer::find(&output.stdout, output.rc, &output.stderr)?;
        let lines = answer.text()?;
        let mut mode = false;
        let mut owner = false;
        for line in lines.lines() {
            let stat = tree_stat(line, seen)?;
            mode |= self.wanted.mode_differs(&stat, look.umask).is_some();
            owner |= self.wanted.owner_differs(&stat);
        }
        if mode || owner {
            plan.steps.push(Step::SetTree {
                path: seen.path.clone(),
                mode: self.wanted.mode.as_ref().map(crate::modules::mode::Mode::for_chmod),
                owner: self.wanted.owner_spec().filter(|_| owner),
            });
            plan.diff.set("recurse", json!("as it is"), json!("owner and permissions below"));
        }
        Ok(())
    }

    fn file(&self, look: &Look, seen: &Seen) -> Result<Change, ModuleError> {
        let seen = if self.follow { seen.followed().known()? } else { seen };
        match &seen.state {
            State::Found(found) if !found.stat.is(DIRECTORY) => {
                let plan = self.attributes(look, seen, &found.stat, false);
                Ok(plan.finish(seen, values("path", seen)))
            }
            State::Absent | State::Found(_) | State::Link { .. } | State::Denied(_) => Err(self.refuse(
                seen,
                format!("file ({}) is {}, cannot continue", seen.name(), seen.word()),
            )),
        }
    }

    fn touch(&self, look: &Look, seen: &Seen) -> Result<Change, ModuleError> {
        let target = if self.follow { seen.followed().known()? } else { seen };
        let access = self.access.clone().unwrap_or(Stamp::Now);
        let modification = self.modification.clone().unwrap_or(Stamp::Now);
        let Some(stat) = target.stat() else {
            let mut steps = vec![Step::MakeEmpty {
                path: target.path.clone(),
            }];
            steps.extend(self.wanted.steps_for_new(&target.path, REGULAR, 0o666, look.umask));
            steps.extend(touch_step(&target.path, access, modification, false));
            steps.push(tell(&target.path));
            let mut diff = StateDiff::of(&target.name());
            diff.set("state", "absent".into(), "touch".into());
            return Ok(Change::Needed {
                diff: diff.finish(),
                steps,
                values: values("dest", seen),
            });
        };
        let mut plan = self.attributes_only(look, target, stat, target.is_link());
        plan.times(target, stat, &access, &modification);
        Ok(plan.finish(target, values("dest", seen)))
    }

    fn link(&self, look: &Look, seen: &Seen, source: &Seen, relative: &Seen) -> Result<Change, ModuleError> {
        let old = match &seen.state {
            State::Link { target, .. } => Some(target.clone()),
            State::Absent | State::Denied(_) | State::Found(_) => None,
        };
        // `~` and variables are expanded by the host; a relative source stays as it was written.
        let wanted = match &self.src {
            Some(src) if src.starts_with('~') || src.contains('$') => Some(source.path.clone()),
            Some(src) => Some(src.clone().into_bytes()),
            None => old.clone(),
        };
        let Some(wanted) = wanted else {
            return Err(self.refuse(seen, "src is required for creating new symlinks".to_owned()));
        };
        if self.src.is_some() {
            self.may_link(seen, source, relative)?;
        }
        let mut values = values("dest", seen);
        values.insert("src".into(), String::from_utf8_lossy(&wanted).into_owned().into());
        let mut diff = StateDiff::of(&seen.name());
        if old.as_ref() == Some(&wanted) {
            return Ok(self.link_attributes(look, seen, values));
        }
        diff.set("state", seen.word().into(), "link".into());
        diff.set(
            "src",
            old.map_or(Json::Null, |old| String::from_utf8_lossy(&old).into_owned().into()),
            String::from_utf8_lossy(&wanted).into_owned().into(),
        );
        let mut steps = vec![Step::Symlink {
            path: seen.path.clone(),
            target: wanted,
        }];
        if let Some(owner) = self.wanted.owner_spec() {
            let through = self.follow && relative.followed().stat().is_some();
            steps.push(Step::SetOwner {
                path: seen.path.clone(),
                owner,
                link: !through,
            });
        }
        if let (Some(mode), true, Some(stat)) = (&self.wanted.mode, self.follow, relative.followed().stat()) {
            steps.push(Step::SetMode {
                path: seen.path.clone(),
                mode: crate::modules::mode::Mode::Bits(mode.apply(stat.mode, look.umask)).for_chmod(),
            });
        }
        steps.extend(self.times(&seen.path, !self.follow));
        steps.push(tell(&seen.path));
        Ok(Change::Needed {
            diff: diff.finish(),
            steps,
            values,
        })
    }

    /// Refuses links to nothing, and to replace what is no link, unless forced.
    fn may_link(&self, seen: &Seen, source: &Seen, relative: &Seen) -> Result<(), ModuleError> {
        // In a directory a relative source counts from that directory.
        let inside = seen.found().is_some_and(|found| found.stat.is(DIRECTORY));
        let exists = if inside { source } else { relative };
        if !self.force && !inside && exists.followed().stat().is_none() {
            return Err(self.refuse(
                seen,
                format!(
                    "src file does not exist, use 'force=yes' if you really want to create the link: {}",
                    exists.name()
                ),
            ));
        }
        match seen.word() {
            word @ ("directory" | "file" | "hard") if !self.force => Err(self.refuse(
                seen,
                format!("refusing to convert from {word} to symlink for {}", seen.name()),
            )),
            _ => Ok(()),
        }
    }

    /// The link is right; what it leads to (or itself) may have other owners and permissions.
    fn link_attributes(&self, look: &Look, seen: &Seen, mut values: Values) -> Change {
        let target = if self.follow { seen.followed() } else { seen };
        seen.describe(&mut values);
        if let Some(stat) = target.stat() {
            let mut plan = self.attributes_only(look, target, stat, target.is_link());
            if let (Some(access), Some(modification)) = self.both_times() {
                plan.times(target, stat, &access, &modification);
            }
            plan.finish(seen, values)
        } else {
            if !self.wanted.is_empty() {
                let warning = "Cannot set fs attributes on a non-existent symlink target. follow should be set to \
                               False to avoid this.";
                values.insert("warnings".into(), json!([warning]));
            }
            Change::None { values }
        }
    }

    fn hard(&self, look: &Look, seen: &Seen, source: &Seen) -> Result<Change, ModuleError> {
        let mut values = values("dest", seen);
        let Some(src) = &self.src else {
            if seen.word() == "hard" {
                return self.file(look, seen);
            }
            return Err(self.refuse(seen, "src is required for creating new hardlinks".to_owned()));
        };
        values.insert("src".into(), src.clone().into());
        let from = if self.follow { source.followed() } else { source };
        let Some(stat) = from.known()?.stat() else {
            return Err(self.refuse(seen, "src does not exist".to_owned()));
        };
        if let Some(found) = seen.found() {
            if (found.stat.inode, found.stat.device) == (stat.inode, stat.device) {
                seen.describe(&mut values);
                let plan = self.attributes_only(look, seen, &found.stat, false);
                return Ok(plan.finish(seen, values));
            }
            if !self.force {
                let msg = match seen.word() {
                    "hard" => "Cannot link, different hard link exists at destination".to_owned(),
                    word => format!("Cannot link, {word} exists at destination"),
                };
                return Err(self.refuse(seen, msg));
            }
        }
        let mut diff = StateDiff::of(&seen.name());
        diff.set("state", seen.word().into(), "hard".into());
        let mut steps = vec![Step::HardLink {
            path: seen.path.clone(),
            target: from.path.clone(),
        }];
        steps.extend(self.wanted.steps(&seen.path, stat, look.umask, false));
        steps.push(tell(&seen.path));
        Ok(Change::Needed {
            diff: diff.finish(),
            steps,
            values,
        })
    }

    /// Owner, permissions and times of what exists, without a change of its state.
    fn attributes(&self, look: &Look, seen: &Seen, stat: &Stat, link: bool) -> Plan {
        let mut plan = self.attributes_only(look, seen, stat, link);
        let (access, modification) = self.both_times();
        plan.times(
            seen,
            stat,
            &access.unwrap_or(Stamp::Keep),
            &modification.unwrap_or(Stamp::Keep),
        );
        plan
    }

    fn attributes_only(&self, look: &Look, seen: &Seen, stat: &Stat, link: bool) -> Plan {
        let mut diff = StateDiff::of(&seen.name());
        self.wanted.tell(stat, look.umask, link, &mut diff);
        Plan {
            steps: self.wanted.steps(&seen.path, stat, look.umask, link),
            diff,
        }
    }

    fn both_times(&self) -> (Option<Stamp>, Option<Stamp>) {
        match (&self.access, &self.modification) {
            (None, None) => (None, None),
            (access, modification) => (
                Some(access.clone().unwrap_or(Stamp::Keep)),
                Some(modification.clone().unwrap_or(Stamp::Keep)),
            ),
        }
    }

    fn times(&self, path: &[u8], link: bool) -> Option<Step> {
        let (access, modification) = self.both_times();
        touch_step(path, access?, modification?, link)
    }

    fn refuse(&self, seen: &Seen, msg: String) -> ModuleError {
        let mut values = values("path", seen);
        values.insert("state".into(), seen.word().into());
        if let Some(src) = &self.src {
            values.insert("src".into(), src.clone().into());
        }
        ModuleError::Failed {
            msg,
            values: Box::new(values),
        }
    }
}

fn absent(seen: &Seen) -> Change {
    let mut values = values("path", seen);
    values.insert("state".into(), "absent".into());
    if seen.is_absent() {
        return Change::None { values };
    }
    let mut diff = StateDiff::of(&seen.name());
    diff.set("state", seen.word().into(), "absent".into());
    Change::Needed {
        diff: diff.finish(),
        steps: vec![Step::Remove {
            path: seen.path.clone(),
        }],
        values,
    }
}

/// The key that names the path.
fn values(key: &str, seen: &Seen) -> Values {
    let mut values = Values::new();
    values.insert(key.into(), seen.name().into());
    values
}

/// Steps and what they change.
struct Plan {
    steps: Vec<Step>,
    diff: StateDiff,
}

impl Plan {
    fn times(&mut self, seen: &Seen, stat: &Stat, access: &Stamp, modification: &Stamp) {
        let access = needed(access, &stat.times_text[0]);
        let modification = needed(modification, &stat.times_text[1]);
        for (name, stamp, old) in [
            ("atime", &access, stat.times[0]),
            ("mtime", &modification, stat.times[1]),
        ] {
            match stamp {
                Stamp::Keep => {}
                Stamp::Now => self.diff.set(name, json!(old), json!("now")),
                Stamp::At(text) => self.diff.set(name, json!(old), json!(text)),
            }
        }
        self.steps
            .extend(touch_step(&seen.path, access, modification, seen.is_link()));
    }

    fn finish(mut self, seen: &Seen, mut values: Values) -> Change {
        if self.steps.is_empty() {
            seen.describe(&mut values);
            return Change::None { values };
        }
        self.steps.push(tell(&seen.path));
        Change::Needed {
            diff: self.diff.finish(),
            steps: self.steps,
            values,
        }
    }
}

/// A time that is as wanted already need not be set.
fn needed(stamp: &Stamp, current: &str) -> Stamp {
    let Stamp::At(wanted) = stamp else {
        return stamp.clone();
    };
    // `2020-01-02 03:04:05.000 +0000` and `202001020304.05`: the same digits.
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).take(14).collect::<String>();
    if digits(current) == digits(wanted) {
        Stamp::Keep
    } else {
        stamp.clone()
    }
}

fn touch_step(path: &[u8], access: Stamp, modification: Stamp, link: bool) -> Option<Step> {
    (access != Stamp::Keep || modification != Stamp::Keep).then(|| Step::Touch {
        path: path.to_vec(),
        access,
        modification,
        link,
    })
}

fn tell(path: &[u8]) -> Step {
    Step::Tell {
        path: path.to_vec(),
        algorithm: None,
    }
}

/// A path without slashes at its end: with one, `stat` follows a link.
fn trimmed(path: &str) -> String {
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() { "/" } else { trimmed }.to_owned()
}

/// One `MODE UID GID` of a tree. Names are not looked up on the way: a wanted name is compared by the name of the tree's
/// top when the numbers are the same.
fn tree_stat(line: &str, top: &Seen) -> Result<Stat, ModuleError> {
    let damaged = || ModuleError::failed(format!("cannot look into {}: {line}", top.name()));
    let mut parts = line.split_ascii_whitespace();
    let mode = parts.next().and_then(|n| u32::from_str_radix(n, 16).ok()).ok_or_else(damaged)?;
    let mut id = || parts.next().and_then(|n| n.parse::<u32>().ok()).ok_or_else(damaged);
    let (uid, gid) = (id()?, id()?);
    let name = |number: u32, of_top: Option<(u32, &str)>| match of_top {
        Some((top, name)) if top == number => name.to_owned(),
        _ => number.to_string(),
    };
    let stat = top.stat();
    Ok(Stat {
        mode,
        uid,
        gid,
        user: name(uid, stat.map(|s| (s.uid, s.user.as_str()))),
        group: name(gid, stat.map(|s| (s.gid, s.group.as_str()))),
        ..Stat::default()
    })
}
