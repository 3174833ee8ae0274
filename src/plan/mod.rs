//! Playbooks, checked whole and made ready to run. Static imports and roles are resolved, what blocks and plays say is
//! merged into their tasks, names and literal values of module arguments are checked. Values with templates wait until
//! their task is reached. Nothing here contacts a host.

mod actions;
pub mod canary;
mod check;
mod compile;
mod cycle;
mod disks;
mod files;
mod include;
mod keywords;
pub mod once;
pub mod preflight;
mod role_files;
mod roles;
pub mod serial;
pub mod show;
mod tags;
mod tasks;
mod variables;

use std::path::PathBuf;
use std::sync::Arc;

use crate::modules::Spec;
use crate::source::{Diagnostic, Span};
use crate::vars::VarMap;
use crate::yaml::Node;

pub use check::each_task;
pub use compile::{CompileOptions, Open, compile};
pub use include::{IncludedRole, RoleRequest, include_role, include_tasks};
pub use tags::selected;
pub use variables::{read_vars_file, to_vars};

/// Everything that is to run.
#[derive(Debug, Default)]
pub struct Plan {
    /// The plays of all playbooks, in order.
    pub plays: Vec<Arc<Play>>,
    /// What is odd but can run: modules that are not built, wrong arguments that a `rescue` waits for.
    pub warnings: Vec<Diagnostic>,
}

/// One play.
#[derive(Debug)]
pub struct Play {
    /// Its name as written.
    pub name: Option<Node>,
    /// The pattern of its hosts: text, or a list of texts; may hold templates.
    pub hosts: Node,
    /// Where it stands.
    pub at: Span,
    /// The playbook of the command line that it belongs to, as named there; several plays share it.
    pub playbook: PathBuf,
    /// Folder of the file it stands in, absolute.
    pub playbook_dir: PathBuf,
    /// `vars`.
    pub vars: Arc<VarMap>,
    /// `vars_files`: each a text, or a list of which the first that exists is read.
    pub vars_files: Vec<Node>,
    /// `vars_prompt`.
    pub vars_prompt: Vec<Node>,
    /// `gather_facts`; `None`: the default (yes).
    pub gather_facts: Option<Node>,
    /// `gather_subset`, `gather_timeout` are accepted; facts are always gathered whole.
    pub serial: Option<Node>,
    /// `strategy`.
    pub strategy: Option<Node>,
    /// `order`: `inventory`, `sorted`, `reverse_inventory`, `reverse_sorted`, `shuffle`.
    pub order: Option<Node>,
    /// `max_fail_percentage`.
    pub max_fail_percentage: Option<Node>,
    /// `force_handlers`.
    pub force_handlers: Option<Node>,
    /// `preflight`: checks that all hosts of the play must pass before its first task.
    pub preflight: Vec<preflight::Check>,
    /// `canary`: what is compared after each wave of `serial`.
    pub canary: Option<canary::Canary>,
    /// Keywords of the play itself: for connecting, and for the implicit fact gathering.
    pub keywords: Keywords,
    /// `pre_tasks`, roles, `tasks`, `post_tasks`, with the implicit `flush_handlers` between them.
    pub body: Vec<Entry>,
    /// Handlers of roles, then of the play.
    pub handlers: Vec<Entry>,
    /// The roles of the play, for their variables, in order.
    pub roles: Vec<Arc<Role>>,
}

/// A task or a block.
#[derive(Clone, Debug)]
pub enum Entry {
    /// A task.
    Task(Arc<Task>),
    /// A block.
    Block(Arc<Block>),
}

/// `block`, `rescue`, `always`. Its keywords are merged into its tasks already.
#[derive(Debug)]
pub struct Block {
    /// Its name as written.
    pub name: Option<Node>,
    /// The tasks.
    pub body: Vec<Entry>,
    /// What runs when one of them failed.
    pub rescue: Vec<Entry>,
    /// What runs in any case.
    pub always: Vec<Entry>,
    /// Where it stands.
    pub at: Span,
}

/// One use of a role in a play.
#[derive(Clone, Debug)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// Its folder.
    pub path: PathBuf,
    /// `defaults/`.
    pub defaults: Arc<VarMap>,
    /// `vars/`.
    pub vars: Arc<VarMap>,
    /// `vars` and further keys of the line that uses it.
    pub params: Arc<VarMap>,
    /// The roles it depends on, whose defaults and variables it sees, too.
    pub parents: Vec<Arc<Role>>,
    /// Equal for uses of the same role with the same parameters. Unless `allow_duplicates`, a use is passed over on a
    /// host where a task of another use with this key has run. (Uses that are sure to be repeated are not in the plan.)
    pub key: Arc<str>,
    /// It may run more than once (`allow_duplicates`).
    pub allow_duplicates: bool,
}

/// One task, keywords of its blocks, roles and play merged in.
#[derive(Debug)]
pub struct Task {
    /// Its name as written.
    pub name: Option<Node>,
    /// The role it belongs to.
    pub role: Option<Arc<Role>>,
    /// What it does.
    pub action: Action,
    /// The action's name as written (`ansible.builtin.copy`).
    pub action_name: String,
    /// Where it stands.
    pub at: Span,
    /// `loop` or `with_…`.
    pub repeat: Option<Loop>,
    /// `until`, `retries`, `delay`.
    pub until: Option<Until>,
    /// `async`, `poll`.
    pub detach: Option<Detach>,
    /// `register`.
    pub register: Option<String>,
    /// `changed_when`: all must be true.
    pub changed_when: Option<Vec<Node>>,
    /// `failed_when`: any... all of the list must be true to fail, as in Ansible.
    pub failed_when: Option<Vec<Node>>,
    /// `notify`: names, maybe templates.
    pub notify: Vec<Node>,
    /// `listen`: topics of a handler.
    pub listen: Vec<Node>,
    /// The rest, shared with blocks and plays.
    pub keywords: Keywords,
    /// Variables of included files' `vars:` (stronger than everything but extra vars).
    pub include_vars: Vec<Arc<VarMap>>,
    /// Folders to search relative files in, the first one first.
    pub search: Vec<PathBuf>,
    /// Put in by the program and not shown: the `flush_handlers` between the sections of a play.
    pub implicit: bool,
    /// How many dynamic includes it stands in.
    pub depth: u16,
}

/// What a task does.
#[derive(Debug)]
pub enum Action {
    /// A module with its arguments as written: a mapping, free-form text under `_raw_params`.
    Module {
        /// Which module.
        spec: &'static Spec,
        /// The arguments.
        args: Node,
    },
    /// `include_tasks`: the file is known when the task is reached.
    IncludeTasks {
        /// The file, maybe a template.
        file: Node,
        /// `apply`, under the keywords of what is around the include: what the included tasks inherit.
        apply: Box<Keywords>,
    },
    /// `include_role`.
    IncludeRole {
        /// The arguments: `name`, `tasks_from`, `vars_from`, `defaults_from`, `handlers_from`, `apply`, `public`.
        args: Node,
        /// The same for the tasks of the role.
        apply: Box<Keywords>,
    },
    /// `meta`.
    Meta(Meta),
    /// `include_vars`.
    IncludeVars {
        /// The arguments.
        args: Node,
    },
    /// What the engine does itself, because it is about the run and not about a host: `add_host`, `async_status`,
    /// `group_by`, `pause`.
    Engine {
        /// Its short name.
        name: &'static str,
        /// The arguments as written, a mapping.
        args: Node,
    },
    /// A module of Ansible's that is not built: an error only when it is reached.
    Missing {
        /// Its name as written.
        name: String,
        /// The arguments as written, a mapping.
        args: Node,
    },
}

/// `meta` actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meta {
    /// Run notified handlers now.
    FlushHandlers,
    /// Forget gathered facts.
    ClearFacts,
    /// Bring failed hosts back.
    ClearHostErrors,
    /// End the play.
    EndPlay,
    /// End this batch.
    EndBatch,
    /// End the play for the host.
    EndHost,
    /// End the role for the host.
    EndRole,
    /// Close the connection.
    ResetConnection,
    /// Read the inventory again.
    RefreshInventory,
    /// Nothing.
    Noop,
}

/// `loop`, `with_items`, …, and `loop_control`.
#[derive(Debug)]
pub struct Loop {
    /// Which lookup makes the items: `None` for `loop`, else the part after `with_`.
    pub lookup: Option<String>,
    /// The items, or the lookup's terms.
    pub items: Node,
    /// `loop_var`.
    pub var: String,
    /// `index_var`.
    pub index_var: Option<String>,
    /// `label`.
    pub label: Option<Node>,
    /// `pause`, seconds.
    pub pause: Option<Node>,
    /// `extended`.
    pub extended: bool,
    /// `break_when`.
    pub break_when: Vec<Node>,
}

/// `until`, `retries`, `delay`.
#[derive(Debug)]
pub struct Until {
    /// All must be true. None: until it does not fail.
    pub conditions: Vec<Node>,
    /// Further tries; default 3.
    pub retries: Option<Node>,
    /// Seconds between tries; default 5.
    pub delay: Option<Node>,
}

/// `async`, `poll`.
#[derive(Debug)]
pub struct Detach {
    /// Seconds the task may take.
    pub seconds: Node,
    /// Seconds between looks; zero: do not wait.
    pub poll: Option<Node>,
}

/// `once`: a task is done at most once on a host, over all runs.
#[derive(Clone, Debug)]
pub struct Once {
    /// A name or a boolean, maybe a template.
    pub name: Node,
    /// It stands at a block, a role or an import around the task.
    pub inherited: bool,
}

/// Keywords that plays, blocks and tasks share. Inner ones win, except those that add up: `when`, `tags`, `vars`,
/// `environment`, `module_defaults`.
#[derive(Clone, Debug, Default)]
pub struct Keywords {
    /// `when`: all must be true, the outermost first.
    pub when: Vec<Node>,
    /// `tags`, with those of all around it.
    pub tags: Vec<String>,
    /// `vars`, the outermost first (the play's own are in [`Play::vars`]).
    pub vars: Vec<Arc<VarMap>>,
    /// `environment`, the outermost first.
    pub environment: Vec<Node>,
    /// `become`.
    pub elevate: Option<Node>,
    /// `become_user`.
    pub become_user: Option<Node>,
    /// `become_method`.
    pub become_method: Option<Node>,
    /// `become_flags`.
    pub become_flags: Option<Node>,
    /// `become_exe`.
    pub become_exe: Option<Node>,
    /// `remote_user`.
    pub remote_user: Option<Node>,
    /// `port`.
    pub port: Option<Node>,
    /// `connection`.
    pub connection: Option<Node>,
    /// `check_mode`.
    pub check_mode: Option<Node>,
    /// `diff`.
    pub diff: Option<Node>,
    /// `no_log`.
    pub no_log: Option<Node>,
    /// `ignore_errors`.
    pub ignore_errors: Option<Node>,
    /// `ignore_unreachable`.
    pub ignore_unreachable: Option<Node>,
    /// `any_errors_fatal`.
    pub any_errors_fatal: Option<Node>,
    /// `timeout`, seconds.
    pub timeout: Option<Node>,
    /// `throttle`.
    pub throttle: Option<Node>,
    /// `run_once`.
    pub run_once: Option<Node>,
    /// `delegate_to`.
    pub delegate_to: Option<Node>,
    /// `delegate_facts`.
    pub delegate_facts: Option<Node>,
    /// `module_defaults`, the outermost first.
    pub module_defaults: Vec<Node>,
    /// `once`: a name or a boolean; the task is done at most once on a host, over all runs.
    pub once: Option<Once>,
    /// `on_change`: what is done when a task that was done `once` was changed since: `stop`, `rerun`, `keep`.
    pub on_change: Option<Node>,
    /// `verify`: a command that decides whether a task in doubt was done (0) or not (1).
    pub verify: Option<Node>,
    /// `danger`: what the task can destroy: `disk`, or `none` where the program would think so by itself.
    pub danger: Option<Node>,
}
