//! What all workers of a run read, and the one place where hosts publish their variables to each other.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use indexmap::IndexMap;

use crate::deadline::{CancelToken, Deadline};
use crate::engine::gate::Gate;
use crate::engine::hide;
use crate::engine::host::HostRun;
use crate::engine::mask::Mask;
use crate::engine::preflight;
use crate::engine::replay::Replay;
use crate::engine::written::{self, Written};
use crate::event::EventKind;
use crate::inventory::Inventory;
use crate::names::HostName;
use crate::plan::{CompileOptions, Task, read_vars_file};
use crate::policy::Bound;
use crate::preflight::PriorEvidence;
use crate::secret::Secret;
use crate::settings::{HostLock, InDoubt};
use crate::source::Diagnostics;
use crate::transport::{ConnectRequest, ConnectSettings, Transport};
use crate::vars::templar::Templar;
use crate::vars::{Value, Var, VarMap};

/// Makes connection settings of what variables say: ssh_config and the defaults fill in the rest.
pub type Resolve = Box<dyn Fn(&HostName, &ConnectRequest) -> Result<ConnectSettings, String> + Send + Sync>;
/// Facts of a result: gathered ones (`true`), or the host's own variables (`set_fact`).
pub type Facts = (bool, serde_json::Map<String, serde_json::Value>);
/// Takes events in; may wait when the outputs are slow.
pub type Tell = Box<dyn Fn(EventKind) + Send + Sync>;
/// Takes an event in and waits until the journal has it; false: it cannot be written.
pub type Keep = Box<dyn Fn(EventKind) -> bool + Send + Sync>;

/// How a run is to be done.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Most hosts at work at once.
    pub forks: usize,
    /// Change nothing.
    pub check: bool,
    /// Show differences.
    pub diff: bool,
    /// Hosts that `--limit` leaves, in inventory order; `None`: all.
    pub limit: Option<Vec<HostName>>,
    /// `--limit` as it was given.
    pub limit_text: Option<String>,
    /// `--tags`.
    pub tags: Vec<String>,
    /// `--skip-tags`.
    pub skip_tags: Vec<String>,
    /// `--start-at-task`.
    pub start_at: Option<String>,
    /// `--force-handlers`.
    pub force_handlers: bool,
    /// `--extra-vars`: stronger than everything.
    pub extra_vars: Arc<VarMap>,
    /// Limit for one task on one host, connecting not included.
    pub task_timeout: Option<Duration>,
    /// Limit for the whole run.
    pub max_time: Option<Duration>,
    /// `-v`, `-vv`, …
    pub verbosity: u8,
    /// What is done about a task nobody knows the end of.
    pub in_doubt: InDoubt,
    /// A failure ends the play for everybody, when the play does not say.
    pub any_errors_fatal: bool,
    /// `--strategy`, when a play says nothing.
    pub strategy: Option<String>,
    /// `gather_facts` when a play says nothing.
    pub gather_facts: bool,
    /// What the command line and the configuration say about connections.
    pub connect: ConnectDefaults,
    /// What they say about `become`.
    pub elevate: ElevateDefaults,
    /// An ad-hoc command: no PLAY and TASK lines.
    pub adhoc: bool,
    /// The id of this run.
    pub run_id: String,
    /// The id of the first run of the chain that this one goes on with; its own when there is none.
    pub root_run_id: String,
    /// `user@host` of the controller, for records that outlast the run.
    pub who: String,
    /// Words of the command line that lead another command to the same hosts: inventory, user, keys.
    pub way: Vec<String>,
    /// This process, for those who find its locks after it was killed ([`crate::process::seat`]).
    pub seat: Option<String>,
    /// How the run gets and keeps its hosts.
    pub lock: LockOptions,
}

/// How a run gets and keeps its hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockOptions {
    /// Whether there must be a lock.
    pub mode: HostLock,
    /// How long it waits for a host that another run has.
    pub wait: Duration,
    /// After so long without a sign of life a lock is over.
    pub expiry: Duration,
}

impl Default for LockOptions {
    fn default() -> Self {
        Self {
            mode: HostLock::Auto,
            wait: Duration::ZERO,
            expiry: Duration::from_secs(30 * 60),
        }
    }
}

/// Connection settings from outside of inventory and playbook.
#[derive(Clone, Debug, Default)]
pub struct ConnectDefaults {
    /// Given on the command line: stronger than inventory and playbook.
    pub forced: ConnectRequest,
    /// From configuration and environment: weaker.
    pub fallback: ConnectRequest,
    /// `-c`: used when no variable and no keyword says otherwise.
    pub connection: Option<String>,
}

/// `become` settings from outside: as in Ansible, used where plays, tasks and variables say nothing.
#[derive(Clone, Debug, Default)]
pub struct ElevateDefaults {
    /// `-b`.
    pub on: bool,
    /// `--become-user`.
    pub user: Option<String>,
    /// `--become-method`.
    pub method: Option<String>,
    /// `-K`.
    pub password: Option<Secret<String>>,
}

/// What all workers of a run read.
pub struct Shared {
    /// The hosts.
    pub inventory: Arc<Inventory>,
    /// Templates.
    pub templar: Arc<Templar>,
    /// How the run is to be done.
    pub options: RunOptions,
    /// The way to hosts.
    pub transport: Box<dyn Transport>,
    /// Variables to connection settings.
    pub resolve: Resolve,
    /// For what is included while running.
    pub compile: CompileOptions,
    /// Who may work, and how many at once.
    pub gate: Arc<Gate>,
    /// What operators allow.
    pub policy: Arc<Bound>,
    /// Where events go.
    pub tell: Tell,
    keep: Keep,
    /// It was told that a host can keep no lock: once is enough.
    pub told_no_lock: AtomicBool,
    /// When to stop.
    pub cancel: CancelToken,
    /// The limit of the whole run.
    pub deadline: Deadline,
    /// Secrets that must not be shown.
    pub mask: Mask,
    /// What pre-flight needs from outside.
    pub preflight: preflight::Hooks,
    /// Variables of every host, published after each of its tasks.
    hosts: IndexMap<HostName, Mutex<Arc<HostVars>>>,
    /// Facts that other hosts' tasks gave to a host (`delegate_facts`), until its next task.
    given: Mutex<HashMap<HostName, Vec<Facts>>>,
    /// Variable files already read.
    files: Mutex<HashMap<PathBuf, Arc<VarMap>>>,
    /// What earlier runs of the chain did.
    replay: OnceLock<Replay>,
    /// Tasks of playbooks and their files as written.
    written: Mutex<HashMap<PathBuf, Arc<Written>>>,
}

/// What was learnt about a host while running.
#[derive(Clone, Debug, Default)]
pub struct HostVars {
    /// Facts as variables: `ansible_…` each, and `ansible_facts`.
    pub facts: Arc<VarMap>,
    /// `set_fact`, `register`, `include_vars`.
    pub own: Arc<VarMap>,
    /// The facts without prefix, in the order they came.
    pub gathered: Arc<serde_json::Map<String, serde_json::Value>>,
}

impl HostVars {
    /// Adds facts (names with or without `ansible_`), replacing those of the same name.
    pub fn add_facts(&mut self, facts: &serde_json::Map<String, serde_json::Value>) {
        let gathered = Arc::make_mut(&mut self.gathered);
        let layer = Arc::make_mut(&mut self.facts);
        for (name, value) in facts {
            let bare = name.strip_prefix("ansible_").unwrap_or(name);
            gathered.insert(bare.to_owned(), value.clone());
            // `ansible_local` keeps its name; facts without prefix get it, as Ansible injects them.
            layer.insert(
                format!("ansible_{bare}"),
                Var::Data(crate::vars::templar::from_json(value)),
            );
        }
        let all = serde_json::Value::Object(gathered.clone());
        layer.insert(
            "ansible_facts".to_owned(),
            Var::Data(crate::vars::templar::from_json(&all)),
        );
    }

    /// Takes facts in: gathered ones (`true`) and those that are the host's own variables (`set_fact`).
    pub fn learn(&mut self, facts: &[Facts]) {
        for (gathered, facts) in facts {
            if *gathered {
                self.add_facts(facts);
            } else {
                for (name, value) in facts {
                    self.set(name, crate::vars::templar::from_json(value));
                }
            }
        }
    }

    /// Forgets the facts.
    pub fn clear_facts(&mut self) {
        self.facts = Arc::default();
        self.gathered = Arc::default();
    }

    /// Sets one variable of the host's own.
    pub fn set(&mut self, name: &str, value: Value) {
        Arc::make_mut(&mut self.own).insert(name.to_owned(), Var::Data(value));
    }
}

/// The parts a [`Shared`] is made of.
pub struct Parts {
    /// The hosts.
    pub inventory: Arc<Inventory>,
    /// Templates.
    pub templar: Arc<Templar>,
    /// How the run is to be done.
    pub options: RunOptions,
    /// The way to hosts.
    pub transport: Box<dyn Transport>,
    /// Variables to connection settings.
    pub resolve: Resolve,
    /// For what is included while running.
    pub compile: CompileOptions,
    /// What operators allow.
    pub policy: Arc<Bound>,
    /// Where events go.
    pub tell: Tell,
    /// Where events go that must be in the journal before the work goes on.
    pub keep: Keep,
    /// When to stop.
    pub cancel: CancelToken,
    /// Secrets that must not be shown.
    pub mask: Mask,
    /// What pre-flight needs from outside.
    pub preflight: preflight::Hooks,
}

impl Shared {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Arc<Self> {
        let unlimited = Deadline::none(parts.cancel.clone());
        let deadline = match parts.options.max_time {
            Some(limit) => unlimited.within("the run's time limit (--max-time)", limit),
            None => unlimited,
        };
        let hosts = parts
            .inventory
            .hosts
            .keys()
            .map(|name| (name.clone(), Mutex::default()))
            .collect();
        let gate = Gate::new(parts.options.forks, deadline.clone());
        Arc::new(Self {
            inventory: parts.inventory,
            templar: parts.templar,
            options: parts.options,
            transport: parts.transport,
            resolve: parts.resolve,
            compile: parts.compile,
            gate: Arc::new(gate),
            policy: parts.policy,
            tell: hide::over(parts.tell, parts.mask.clone()),
            keep: hide::over_kept(parts.keep, parts.mask.clone()),
            cancel: parts.cancel,
            deadline,
            mask: parts.mask,
            preflight: parts.preflight,
            hosts,
            told_no_lock: AtomicBool::new(false),
            given: Mutex::default(),
            files: Mutex::default(),
            replay: OnceLock::new(),
            written: Mutex::default(),
        })
    }

    /// Tells an event and waits until the journal has it, so that it is known also after a power cut. False: the journal
    /// cannot be written; what the event announces must not be done.
    pub fn tell_kept(&self, kind: EventKind) -> bool {
        (self.keep)(kind)
    }

    /// A host that has done nothing yet in this run.
    pub fn host(&self, name: &HostName) -> HostRun {
        let mut host = HostRun::new(name);
        host.track = self.replay().and_then(|replay| replay.track(name));
        host
    }

    /// Before the run: it goes on from what earlier runs did.
    pub fn go_on_from(&self, replay: Replay) {
        // It is called once, before there are workers.
        let _ = self.replay.set(replay);
    }

    /// What earlier runs of the chain did.
    pub fn replay(&self) -> Option<&Replay> {
        self.replay.get()
    }

    /// What earlier runs of the chain know about the hosts' evidence.
    pub fn prior(&self) -> &PriorEvidence {
        static NOTHING: LazyLock<PriorEvidence> = LazyLock::new(PriorEvidence::default);
        self.replay.get().map_or(&NOTHING, |replay| &replay.prior)
    }

    /// What a host published last.
    pub fn published(&self, host: &HostName) -> Arc<HostVars> {
        self.hosts
            .get(host)
            .map(|slot| slot.lock().unwrap_or_else(PoisonError::into_inner).clone())
            .unwrap_or_default()
    }

    /// Gives facts to another host: it sees them from its next task on, everybody else at once.
    pub fn give(&self, host: &HostName, facts: &[Facts]) {
        if let Some(slot) = self.hosts.get(host) {
            let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::make_mut(&mut slot).learn(facts);
        }
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        given.entry(host.clone()).or_default().extend(facts.iter().cloned());
    }

    /// The facts that others gave to a host since it last asked.
    pub fn take_given(&self, host: &HostName) -> Vec<Facts> {
        self.given
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(host)
            .unwrap_or_default()
    }

    /// The digest of a task as written.
    pub fn id_of(&self, task: &Task) -> String {
        let file = &task.at.file;
        let written = {
            let mut known = self.written.lock().unwrap_or_else(PoisonError::into_inner);
            let made = || Arc::new(Written::read(file));
            known.entry(file.path.clone()).or_insert_with(made).clone()
        };
        let found = written.at(task.at.line).filter(|_| task.action_name != "gather_facts");
        found.map_or_else(|| written::of_task(task), str::to_owned)
    }

    /// Publishes what was learnt about a host.
    pub fn publish(&self, host: &HostName, vars: &Arc<HostVars>) {
        if let Some(slot) = self.hosts.get(host) {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = vars.clone();
        }
    }

    /// Variables of a YAML file; each file is read once.
    pub fn variables_of(&self, path: &std::path::Path) -> Result<Arc<VarMap>, Diagnostics> {
        if let Some(known) = self.files.lock().unwrap_or_else(PoisonError::into_inner).get(path) {
            return Ok(known.clone());
        }
        let map = Arc::new(read_vars_file(path, &self.compile)?);
        self.files
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(path.to_owned(), map.clone());
        Ok(map)
    }
}
