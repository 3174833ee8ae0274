//! Owner, group and permissions: what is wanted, what differs, and the steps that make it so.

use serde_json::{Map, Value as Json, json};

use crate::event::Diff;
use crate::modules::ModuleError;
use crate::modules::args::{Param, ParamKind};
use crate::modules::given::Arguments;
use crate::modules::look::Stat;
use crate::modules::mode::{self, Mode};
use crate::modules::step::Step;

/// Owner, group and permissions that were asked for.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// User, by name or number.
    pub owner: Option<String>,
    /// Group, by name or number.
    pub group: Option<String>,
    /// Permissions.
    pub mode: Option<Mode>,
}

/// A parameter that is nothing special.
pub const fn param(name: &'static str, kind: ParamKind, doc: &'static str) -> Param {
    Param {
        name,
        aliases: &[],
        required: false,
        kind,
        choices: &[],
        default: "",
        doc,
    }
}

/// A parameter with a default.
pub const fn with_default(name: &'static str, kind: ParamKind, default: &'static str, doc: &'static str) -> Param {
    Param {
        default,
        ..param(name, kind, doc)
    }
}

/// A parameter that must be given.
pub const fn required(name: &'static str, kind: ParamKind, doc: &'static str) -> Param {
    Param {
        required: true,
        ..param(name, kind, doc)
    }
}

/// `owner`.
pub const OWNER: Param = param("owner", ParamKind::Text, "User that owns the file, by name or number.");
/// `group`.
pub const GROUP: Param = param("group", ParamKind::Text, "Group of the file, by name or number.");
/// `mode`.
pub const MODE: Param = param(
    "mode",
    ParamKind::Mode,
    "Permissions: `\"0644\"`, `u=rw,g=r,o=` or, with a source, `preserve`.",
);
/// `attributes`.
pub const ATTRIBUTES: Param = Param {
    aliases: &["attr"],
    ..param(
        "attributes",
        ParamKind::Text,
        "Flags as `chattr` takes them; refused, because they are not built.",
    )
};
/// `seuser`.
pub const SEUSER: Param = param(
    "seuser",
    ParamKind::Text,
    "User part of the SELinux context; refused, not built.",
);
/// `serole`.
pub const SEROLE: Param = param(
    "serole",
    ParamKind::Text,
    "Role part of the SELinux context; refused, not built.",
);
/// `setype`.
pub const SETYPE: Param = param(
    "setype",
    ParamKind::Text,
    "Type part of the SELinux context; refused, not built.",
);
/// `selevel`.
pub const SELEVEL: Param = param(
    "selevel",
    ParamKind::Text,
    "Level part of the SELinux context; refused, not built.",
);
/// `unsafe_writes`.
pub const UNSAFE_WRITES: Param = with_default(
    "unsafe_writes",
    ParamKind::Bool,
    "false",
    "Overwrite the file in place where it cannot be replaced (a bind mount).",
);

impl Wanted {
    /// Reads `owner`, `group`, `mode`; refuses what is not built instead of leaving it out silently. `source` has the
    /// bits for `mode: preserve`.
    pub fn read(args: Arguments<'_>, source: Option<u32>) -> Result<Self, ModuleError> {
        for name in ["attributes", "seuser", "serole", "setype", "selevel"] {
            if args.filled(name).is_some() {
                return Err(ModuleError::failed(format!(
                    "`{name}` is not built; set it with a `command` task after this one"
                )));
            }
        }
        let mode = match args.value("mode") {
            Some(Json::String(text)) if text == "preserve" => source.map(|bits| Mode::Bits(bits & 0o7777)),
            Some(value) => Some(Mode::parse(value).map_err(ModuleError::failed)?),
            None => None,
        };
        Ok(Self {
            owner: args.filled("owner").map(str::to_owned),
            group: args.filled("group").map(str::to_owned),
            mode,
        })
    }

    /// The same owner and group with other permissions.
    #[must_use]
    pub fn with_mode(&self, mode: Option<Mode>) -> Self {
        Self { mode, ..self.clone() }
    }

    /// Nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.owner.is_none() && self.group.is_none() && self.mode.is_none()
    }

    /// Owner and group as `chown` takes them.
    pub fn owner_spec(&self) -> Option<String> {
        match (&self.owner, &self.group) {
            (None, None) => None,
            (Some(owner), None) => Some(owner.clone()),
            (owner, Some(group)) => Some(format!("{}:{group}", owner.as_deref().unwrap_or_default())),
        }
    }

    /// True when owner or group are not as wanted.
    pub fn owner_differs(&self, stat: &Stat) -> bool {
        differs(self.owner.as_deref(), stat.uid, &stat.user) || differs(self.group.as_deref(), stat.gid, &stat.group)
    }

    /// The permissions to set, when they are not as wanted.
    pub fn mode_differs(&self, stat: &Stat, umask: u32) -> Option<u32> {
        let bits = self.mode.as_ref()?.apply(stat.mode, umask);
        (bits != stat.mode & 0o7777).then_some(bits)
    }

    /// What has to change on something that exists. A link has no permissions of its own.
    pub fn steps(&self, path: &[u8], stat: &Stat, umask: u32, link: bool) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut set_mode = self.mode_differs(stat, umask).filter(|_| !link);
        if self.owner_differs(stat) {
            if let Some(owner) = self.owner_spec() {
                steps.push(Step::SetOwner {
                    path: path.to_vec(),
                    owner,
                    link,
                });
            }
            // chown takes set-id bits away.
            if stat.mode & 0o6000 != 0 && !link && self.mode.is_some() {
                set_mode = set_mode.or(Some(stat.mode & 0o7777));
            }
        }
        if let Some(bits) = set_mode {
            steps.push(Step::SetMode {
                path: path.to_vec(),
                mode: Mode::Bits(bits).for_chmod(),
            });
        }
        steps
    }

    /// Steps for something just made.
    pub fn steps_for_new(&self, path: &[u8], kind: u32, default: u32, umask: u32) -> Vec<Step> {
        let mut steps = Vec::new();
        if let Some(owner) = self.owner_spec() {
            steps.push(Step::SetOwner {
                path: path.to_vec(),
                owner,
                link: false,
            });
        }
        if let Some(mode) = &self.mode {
            steps.push(Step::SetMode {
                path: path.to_vec(),
                mode: Mode::Bits(mode.apply(kind | default & !umask, umask)).for_chmod(),
            });
        }
        steps
    }

    /// Adds what differs to the two sides of a [`StateDiff`].
    pub fn tell(&self, stat: &Stat, umask: u32, link: bool, diff: &mut StateDiff) {
        if differs(self.owner.as_deref(), stat.uid, &stat.user) {
            diff.set("owner", json!(stat.uid), json!(self.owner));
        }
        if differs(self.group.as_deref(), stat.gid, &stat.group) {
            diff.set("group", json!(stat.gid), json!(self.group));
        }
        if let Some(bits) = self.mode_differs(stat, umask).filter(|_| !link) {
            diff.set("mode", json!(mode::show(stat.mode)), json!(mode::show(bits)));
        }
    }
}

fn differs(wanted: Option<&str>, id: u32, name: &str) -> bool {
    match wanted {
        None => false,
        Some(wanted) => match wanted.parse::<u32>() {
            Ok(number) => number != id,
            Err(_) => wanted != name,
        },
    }
}

/// What changes beside contents, as Ansible shows it: two mappings.
#[derive(Clone, Debug)]
pub struct StateDiff {
    before: Map<String, Json>,
    after: Map<String, Json>,
}

impl StateDiff {
    /// Of this path.
    pub fn of(path: &str) -> Self {
        let side = Map::from_iter([("path".to_owned(), json!(path))]);
        Self {
            before: side.clone(),
            after: side,
        }
    }

    /// One key.
    pub fn set(&mut self, key: &str, before: Json, after: Json) {
        self.before.insert(key.to_owned(), before);
        self.after.insert(key.to_owned(), after);
    }

    /// As text, when there is any difference.
    pub fn finish(self) -> Vec<Diff> {
        if self.before == self.after {
            return Vec::new();
        }
        vec![Diff::Text {
            before_header: "before".to_owned(),
            after_header: "after".to_owned(),
            before: pretty(&self.before),
            after: pretty(&self.after),
        }]
    }
}

fn pretty(side: &Map<String, Json>) -> String {
    let sorted: std::collections::BTreeMap<&String, &Json> = side.iter().collect();
    let mut out = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, formatter);
    // Strings and numbers always have a JSON form.
    if serde::Serialize::serialize(&sorted, &mut serializer).is_err() {
        return String::new();
    }
    out.push(b'\n');
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat() -> Stat {
        Stat {
            mode: 0o100_644,
            uid: 0,
            gid: 5,
            user: "root".into(),
            group: "games".into(),
            ..Stat::default()
        }
    }

    fn wanted(owner: Option<&str>, group: Option<&str>, mode: Option<&str>) -> Wanted {
        Wanted {
            owner: owner.map(str::to_owned),
            group: group.map(str::to_owned),
            mode: mode.map(|m| Mode::parse_text(m).unwrap()),
        }
    }

    #[test]
    fn what_is_as_wanted_needs_no_step() {
        let wanted = wanted(Some("root"), Some("5"), Some("u=rw,go=r"));
        assert!(wanted.steps(b"/f", &stat(), 0o022, false).is_empty());
    }

    #[test]
    fn owner_comes_before_mode() {
        let steps = wanted(Some("1"), None, Some("4755")).steps(b"/f", &stat(), 0o022, false);
        assert_eq!(
            format!("{steps:?}"),
            "[SetOwner { path: [47, 102], owner: \"1\", link: false }, SetMode { path: [47, 102], mode: \"04755\" }]"
        );
    }

    #[test]
    fn a_difference_is_two_mappings() {
        let mut diff = StateDiff::of("/f");
        wanted(None, Some("root"), Some("0600")).tell(&stat(), 0o022, false, &mut diff);
        let Some(Diff::Text { before, after, .. }) = diff.finish().pop() else {
            panic!("no text")
        };
        assert_eq!(
            before,
            "{\n    \"group\": 5,\n    \"mode\": \"0644\",\n    \"path\": \"/f\"\n}\n"
        );
        assert_eq!(
            after,
            "{\n    \"group\": \"root\",\n    \"mode\": \"0600\",\n    \"path\": \"/f\"\n}\n"
        );
    }
}
