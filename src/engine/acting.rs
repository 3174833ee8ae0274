//! What is told right before steps are taken. When doing them twice could do harm, the journal has it on disk first, so
//! that a controller that dies here leaves a task *in doubt* and never one that looks as if it was not begun.

use serde_json::{Map, Value as Json};

use crate::engine::host::HostRun;
use crate::engine::outcome::{self, Outcome};
use crate::engine::task::Work;
use crate::event::{Did, EventKind, Lost, Seen, TaskReport};
use crate::marker::Marker;
use crate::modules::step::{Step, Taken};
use crate::modules::{Change, Spec};
use crate::names::HostName;
use crate::plan::Task;
use crate::preflight::danger;
use crate::shell::elevate::Become;
use crate::shell::quote_str;
use crate::transport::files::show_path;
use crate::yaml::{Kind, Node};

/// One pass of one task on one host, as far as it got.
#[derive(Debug, Default)]
pub struct Doing {
    /// Label of the loop item.
    pub item: Option<Json>,
    /// Number of the loop's pass.
    pub index: Option<u32>,
    /// What was done so far.
    pub did: Did,
    /// Of passes that an earlier run did, a result was lost.
    pub lost: Option<Lost>,
}

impl Doing {
    /// A pass begins.
    pub fn begin(&mut self, item: Option<Json>, index: Option<u32>) {
        *self = Self {
            item,
            index,
            did: Did {
                nth: self.did.nth,
                again: self.did.again,
                ..Did::default()
            },
            lost: self.lost,
        };
    }
}

/// Whether a task says that doing it twice does no harm. The one rule:
///
/// - what looks first and changes the difference (`Change::Needed`, `put`, `get`) is repeatable: it looks again;
/// - `command` and the like are not, unless the task says so: with `creates` or `removes`, or with `changed_when: false`
///   (it only looks);
/// - what can destroy a disk never is.
pub fn is_repeatable(task: &Task, spec: &Spec, args: &Map<String, Json>, change: &Change) -> bool {
    let danger = task.keywords.danger.as_ref().and_then(Node::as_str);
    if danger::of(spec.name, args, danger).is_some() {
        return false;
    }
    let Change::Opaque { steps, .. } = change else {
        return true;
    };
    let given = |name: &str| {
        args.get(name)
            .is_some_and(|value| !value.is_null() && value.as_str() != Some(""))
    };
    only_looks(task)
        || given("creates")
        || given("removes")
        || steps.iter().all(compares_first)
        || matches!(spec.name, "tempfile" | "markers")
}

/// The task says that it changes nothing (`changed_when: false`).
pub fn only_looks(task: &Task) -> bool {
    task.changed_when.as_ref().is_some_and(|conditions| {
        conditions.iter().any(|node| match &node.kind {
            Kind::Bool(on) => !on,
            Kind::Text(text) => matches!(text.value.trim().to_ascii_lowercase().as_str(), "false" | "no"),
            Kind::Null | Kind::Int(_) | Kind::Float(_) | Kind::List(_) | Kind::Map(_) => false,
        })
    })
}

/// The step itself compares and changes only the difference.
fn compares_first(step: &Step) -> bool {
    match step {
        Step::Put(_) | Step::Get(_) | Step::Fetch { .. } | Step::Tell { .. } => true,
        Step::Run { .. }
        | Step::Write(_)
        | Step::MakeDir { .. }
        | Step::MakeEmpty { .. }
        | Step::SetMode { .. }
        | Step::SetOwner { .. }
        | Step::Symlink { .. }
        | Step::HardLink { .. }
        | Step::Remove { .. }
        | Step::Touch { .. }
        | Step::SetTree { .. } => false,
    }
}

impl Work<'_> {
    /// Tells that these steps are about to be taken. An outcome: they must not be, because the journal cannot be written.
    pub(super) fn announce(
        &self,
        (host, doing): (&HostName, &mut Doing),
        hidden: bool,
        steps: &[Step],
        repeatable: bool,
        elevate: Option<&Become>,
        marker: Option<&Marker>,
    ) -> Option<Outcome> {
        let did = &mut doing.did;
        did.repeatable = repeatable;
        did.became = elevate.map(|elevate| self.shared.mask.text(&elevate.user));
        if !hidden {
            for step in steps {
                if let Some(text) = words(step) {
                    did.command(self.shared.mask.text(&text));
                }
            }
        }
        let item = doing.item.clone().filter(|_| !hidden).map(|mut item| {
            self.shared.mask.value(&mut item);
            item
        });
        let acting = EventKind::TaskActing {
            host: host.clone(),
            play: self.play.number,
            task: self.name.to_owned(),
            path: self.path(),
            id: self.id.clone(),
            nth: doing.did.nth,
            item,
            index: doing.index,
            became: doing.did.became.clone(),
            marker: marker.map(|marker| marker.name.clone()),
            repeatable,
            command: doing.did.commands.join("; "),
        };
        if repeatable {
            (self.shared.tell)(acting);
            return None;
        }
        if self.shared.tell_kept(acting) {
            return None;
        }
        Some(Outcome::failed(
            "not started: the journal cannot be written, so nobody could tell later whether this was done",
        ))
    }

    /// `file:line` of the task.
    pub fn path(&self) -> String {
        format!("{}:{}", self.task.at.file.path.display(), self.task.at.line)
    }
}

/// A registered value up to this size, in bytes, is kept for going on.
const LARGEST: usize = 1024 * 1024;

impl Work<'_> {
    /// What was done, as it goes into the report. The report is filled in, its secrets are not masked yet.
    pub(super) fn did(&self, host: &HostRun, outcome: &Outcome, report: &TaskReport, censored: bool) -> Did {
        let mut did = host.doing.did.clone();
        did.play = self.play.number;
        did.id.clone_from(&self.id);
        did.index = host.doing.index;
        did.run_once = self.once;
        if did.index.is_none() {
            did.register.clone_from(&self.task.register);
        }
        if censored {
            did.commands.clear();
            did.files.clear();
        }
        if !did.commands.is_empty() || host.settled {
            did.evidence = seen(host);
        }
        did.keys = outcome::own_keys(outcome);
        let size = report.stdout.len() + report.stderr.len() + size(&report.result);
        did.lost = if censored {
            Some(Lost::NoLog)
        } else if size > LARGEST {
            Some(Lost::Large)
        } else {
            host.doing.lost
        };
        did
    }
}

/// About how many bytes of text a value is.
fn size(value: &Json) -> usize {
    match value {
        Json::Null | Json::Bool(_) | Json::Number(_) => 8,
        Json::String(text) => text.len(),
        Json::Array(items) => items.iter().map(size).sum(),
        Json::Object(map) => map.iter().map(|(key, value)| key.len() + size(value)).sum(),
    }
}

/// Takes into account what the steps did.
pub fn note(did: &mut Did, taken: &[Taken], hidden: bool) {
    if hidden {
        return;
    }
    for file in taken.iter().flat_map(|one| &one.sent) {
        did.file(file.clone());
    }
}

/// What a host's pre-flight evidence is now.
pub fn seen(host: &HostRun) -> Vec<Seen> {
    host.evidence
        .iter()
        .map(|evidence| Seen {
            check: evidence.check.clone(),
            digest: evidence.digest.clone(),
        })
        .collect()
}

/// A step as a command; file steps as the command that does the same. `None`: it changes nothing.
fn words(step: &Step) -> Option<String> {
    let path = |path: &[u8]| quote_str(&show_path(path));
    Some(match step {
        Step::Run { command, .. } => command.for_humans().to_owned(),
        Step::Write(write) => match write.mode {
            Some(mode) => format!("write {} (mode {mode:04o})", path(&write.path)),
            None => format!("write {}", path(&write.path)),
        },
        Step::MakeDir { path: at } => format!("mkdir {}", path(at)),
        Step::MakeEmpty { path: at } => format!("touch {}", path(at)),
        Step::SetMode { path: at, mode } => format!("chmod {} {}", quote_str(mode), path(at)),
        Step::SetOwner { path: at, owner, link } => {
            let link = if *link { "-h " } else { "" };
            format!("chown {link}{} {}", quote_str(owner), path(at))
        }
        Step::Symlink { path: at, target } => format!("ln -sf {} {}", path(target), path(at)),
        Step::HardLink { path: at, target } => format!("ln -f {} {}", path(target), path(at)),
        Step::Remove { path: at } => format!("rm -rf {}", path(at)),
        Step::Touch { path: at, .. } => format!("touch -c {}", path(at)),
        Step::SetTree { path: at, mode, owner } => {
            let mode = mode
                .iter()
                .map(|mode| format!("chmod -R {} {}", quote_str(mode), path(at)));
            let owner = owner
                .iter()
                .map(|owner| format!("chown -R {} {}", quote_str(owner), path(at)));
            mode.chain(owner).collect::<Vec<_>>().join(" && ")
        }
        Step::Put(transfer) => format!("put {} {}", transfer.sources.join(" "), transfer.dest),
        Step::Get(transfer) => format!("get {} {}", transfer.sources.join(" "), transfer.dest),
        Step::Fetch { .. } | Step::Tell { .. } => return None,
    })
}
