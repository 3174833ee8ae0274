//! What can be done on a host. A module looks ([`Module::inspect`]) and returns [`Step`]s; only the engine takes them.
//! Check mode is the engine not taking them: no module asks whether it is on.

// What hosts send cannot make this room panic: see docs/reliability.md.
#![cfg_attr(
    not(any(test, feature = "fuzzing")),
    warn(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::string_slice,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

pub mod answer;
pub mod args;
pub mod attrs;
pub mod convert;
pub mod doc;
pub mod edit;
pub mod given;
pub mod local;
pub mod look;
pub mod mode;
pub mod outcome;
pub mod output;
pub mod pattern;
pub mod place;
pub mod receive;
pub mod step;
mod transfer;
pub mod words;

use std::fmt::Debug;
use std::path::PathBuf;

use serde_json::{Map, Value as Json};

use crate::event::Diff;
use crate::names::HostName;
use crate::source::{Diagnostic, Span};
use crate::transport::{ConnectError, SessionError};
use crate::vars::Scope;
use crate::vars::templar::Templar;
use crate::yaml::Node;

pub use step::{Reader, Step, Taken};

/// Return keys of a module, as `register` stores them.
pub type Values = Map<String, Json>;

/// One module: its name, its arguments, and how they become work.
#[derive(Debug)]
pub struct Spec {
    /// Short name (`copy`); `ansible.builtin.copy` and `ansible.legacy.copy` mean it too.
    pub name: &'static str,
    /// Where Ansible keeps it: [`BUILTIN`], or a collection (`ansible.posix`), whose name may stand before the short one.
    pub collection: &'static str,
    /// What it does, in one sentence, then an example playbook.
    pub doc: &'static str,
    /// Its arguments.
    pub params: &'static [args::Param],
    /// Takes free-form text (`command: ls -l`), which arrives as `_raw_params`.
    pub free_form: bool,
    /// Works on the controller alone: no connection is opened (`debug`, `set_fact`).
    pub local: bool,
    /// Reads rendered arguments. Files of the controller are read here, too.
    pub read: fn(&Given<'_>) -> Result<Box<dyn Module>, ModuleError>,
}

/// What a module is given.
pub struct Given<'a> {
    /// The arguments, rendered, checked against the parameters, aliases resolved, types converted, defaults filled in.
    pub args: Map<String, Json>,
    /// The arguments as the user wrote them, for expressions (`assert: that`, `debug: var`): what a host said may be in
    /// `args`, and must never be evaluated.
    pub raw: &'a Node,
    /// Where the task stands.
    pub span: &'a Span,
    /// For modules that render more (`template`, `debug: var`, `assert`).
    pub templar: &'a Templar,
    /// The variables of the task.
    pub scope: &'a Scope,
    /// The host's inventory name (`fetch`, `get` make a folder of it).
    pub host: &'a HostName,
    /// Folders to search relative files in, the first one first, without the kind (`files`, `templates`): the role's, the
    /// including file's, the playbook's.
    pub search: &'a [PathBuf],
    /// The user wants to see differences: a module may fetch old contents for it.
    pub diff: bool,
    /// Only looking is allowed. For the few that must know (`setup` need not).
    pub check: bool,
    /// Verbosity of the run (`debug: verbosity`).
    pub verbosity: u8,
}

/// One task's work, its arguments already read and checked.
pub trait Module: Debug + Send + Sync {
    /// Compares the host with what is wanted. Must not modify the host: check mode stops here.
    fn inspect(&self, host: &mut Reader<'_>) -> Result<Change, ModuleError>;

    /// What of the controller it sends: with another content it is another task. Asked only for tasks that have a marker.
    fn sends(&self) -> Vec<step::Sent> {
        Vec::new()
    }

    /// Makes the result's values from what the steps did. Called after all of them succeeded.
    fn conclude(&self, taken: &[Taken], values: &mut Values) -> Result<(), ModuleError> {
        let _ = (taken, values);
        Ok(())
    }
}

/// What inspecting found.
#[derive(Debug)]
pub enum Change {
    /// As wanted already, or nothing but a look.
    None {
        /// Return keys.
        values: Values,
    },
    /// Work to do: what would change, and how.
    Needed {
        /// What would change.
        diff: Vec<Diff>,
        /// How.
        steps: Vec<Step>,
        /// Return keys.
        values: Values,
    },
    /// Work whose effect nobody can predict (`command`, `shell`): skipped in check mode.
    Opaque {
        /// What to do.
        steps: Vec<Step>,
        /// Return keys.
        values: Values,
    },
    /// The module itself says that there is nothing to do here (`skipped: true`), for example `creates`.
    Skipped {
        /// Return keys.
        values: Values,
    },
}

/// Why a module could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ModuleError {
    /// The host could not be reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The session broke, stopped or refused.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// It failed: the message, and return keys beside it.
    #[error("{msg}")]
    Failed {
        /// What went wrong and what to do.
        msg: String,
        /// Return keys (`rc`, `stdout`, …).
        values: Box<Values>,
    },
    /// In check mode: depends on a change that was not made.
    #[error("cannot tell yet: {0}")]
    CannotTellYet(String),
    /// The arguments are wrong: shown with the place.
    #[error("{}", .0.message)]
    Arguments(Diagnostic),
}

impl ModuleError {
    /// A failure without return keys.
    pub fn failed(msg: impl Into<String>) -> Self {
        Self::Failed {
            msg: msg.into(),
            values: Box::default(),
        }
    }
}

impl From<Diagnostic> for ModuleError {
    fn from(diagnostic: Diagnostic) -> Self {
        Self::Arguments(diagnostic)
    }
}

/// Makes the modules' files part of the program and fills the registry.
macro_rules! modules {
    ($($name:ident),* $(,)?) => {
        $(pub mod $name;)*
        /// Every module there is.
        pub const MODULES: &[&Spec] = &[$(&$name::SPEC),*];
    };
}

// The one line to add a module to.
modules! {
    assert, audit, blockinfile, command, copy, debug, fail, fetch, file, filesystem, find, get, lineinfile, markers, mount, parted, ping, put, raw,
    replace, script,
    set_fact, setup, shell, slurp, stat, tempfile, template, wait_for, wait_for_connection,
}

/// Where Ansible keeps the modules that come with itself.
pub const BUILTIN: &str = "ansible.builtin";

impl Spec {
    /// Every name it goes by, the short one first. Ansible sends names of modules that moved into a collection on from
    /// `ansible.builtin`, so all have that one.
    pub fn names(&self) -> Vec<String> {
        let mut names = vec![self.name.to_owned()];
        let mut prefixes = vec![BUILTIN, "ansible.legacy"];
        if self.collection != BUILTIN {
            prefixes.push(self.collection);
        }
        names.extend(prefixes.iter().map(|prefix| format!("{prefix}.{}", self.name)));
        names
    }
}

/// The module of that name: the short one, or with its collection before it.
pub fn find(name: &str) -> Option<&'static Spec> {
    let (prefix, short) = name.rsplit_once('.').unwrap_or((BUILTIN, name));
    let spec = MODULES.iter().find(|spec| spec.name == short)?;
    (prefix == BUILTIN || prefix == "ansible.legacy" || prefix == spec.collection).then_some(*spec)
}
