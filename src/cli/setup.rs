//! From words to everything a run needs: settings, variables, inventory, secrets. Nothing is contacted here.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cli::args::{Common, HostKeyArg, InDoubtArg, OutputArg, PlaybookFlags};
use crate::cli::lineage::{Lineage, LineageArgs};
use crate::cli::runs::store::Store;
use crate::cli::secrets::{Secrets, vault_passwords, visible_words, written_secrets};
use crate::cli::signals::hold_workers_signals;
use crate::cli::vault::passwords::{self, Purpose};
use crate::deadline::CancelToken;
use crate::engine::mask::Mask;
use crate::engine::preflight::Hooks;
use crate::engine::shared::{ConnectDefaults, ElevateDefaults, Keep, LockOptions, Parts, RunOptions, Shared, Tell};
use crate::inventory::{Inventory, Limit, LoadOptions};
use crate::names::HostName;
use crate::plan::{CompileOptions, to_vars};
use crate::playbook::arguments::{self, Style};
use crate::policy::Bound;
use crate::report::terminal::{Terminal, TerminalEnv};
use crate::settings::{self, Color, Environment, Gathering, HostKeyChecking, InDoubt, Output, Settings, Source};
use crate::source::{Diagnostic, Diagnostics, SourceFile, Span};
use crate::transport::any::AnyTransport;
use crate::transport::ssh::SshTransport;
use crate::transport::ssh::config::{LocalUser, SshConfig};
use crate::transport::{ConnectRequest, HostKeyCheck};
use crate::vars::templar::{self, Templar};
use crate::vars::{VarMap, reveal};
use crate::vault::Keyring;
use crate::yaml::{self, Kind, Node, TextUse};

/// What is outside of the program: terminals and folders.
#[derive(Clone, Debug)]
pub struct Outside {
    /// Runs and their journals are kept here.
    pub state_dir: PathBuf,
    /// Sockets with short paths (`XDG_RUNTIME_DIR`).
    pub runtime_dir: Option<PathBuf>,
    /// What standard output can show.
    pub stdout: Terminal,
    /// What standard error can show.
    pub stderr: Terminal,
}

/// What is shown and written.
#[derive(Clone, Debug)]
pub struct OutputChoice {
    /// `--output`, or the configuration.
    pub form: Option<OutputArg>,
    /// `-v`, counted.
    pub verbosity: u8,
    retry_file: Option<PathBuf>,
    retry_folder: Option<PathBuf>,
    retry_files: bool,
}

impl OutputChoice {
    /// Where the retry file goes; `None`: nowhere.
    pub fn retry_file(&self, usual: &Path) -> Option<PathBuf> {
        if !self.retry_files {
            return None;
        }
        if let Some(path) = &self.retry_file {
            return Some(path.clone());
        }
        match (&self.retry_folder, usual.file_name()) {
            (Some(folder), Some(name)) => Some(folder.join(name)),
            _ => Some(usual.to_owned()),
        }
    }
}

/// Everything a run needs but its plan.
pub struct Setup {
    /// The words of the command line, secrets removed.
    pub words: Vec<String>,
    /// What is shown and written.
    pub output: OutputChoice,
    /// Terminals and folders.
    pub outside: Outside,
    /// All settings, each with who said it.
    pub settings: Settings,
    /// The hosts.
    pub inventory: Inventory,
    /// Hosts that `--limit` leaves.
    pub limit: Option<Vec<HostName>>,
    /// `--extra-vars`.
    pub extra_vars: Arc<VarMap>,
    /// Templates.
    pub templar: Arc<Templar>,
    /// The policies, once they were read.
    pub policy: Option<Arc<Bound>>,
    environment: Environment,
    common: Common,
    playbook: PlaybookFlags,
    /// Warnings of configuration files.
    pub warnings: Vec<Diagnostic>,
}

impl Setup {
    /// Reads and checks everything.
    pub fn new(common: &Common, playbook: &PlaybookFlags) -> Result<Self, Diagnostics> {
        Self::with_inventory(common, playbook, None)
    }

    /// The same with an inventory made by the caller instead of `-i`.
    pub fn with_inventory(
        common: &Common,
        playbook: &PlaybookFlags,
        made: Option<Inventory>,
    ) -> Result<Self, Diagnostics> {
        let loaded = settings::load(common.output.config.as_deref())?;
        let mut settings = loaded.settings;
        on_top(&mut settings, common);
        crate::cli::lock::on_top(&mut settings, &playbook.lock);
        let environment = loaded.environment;
        let mut warnings = loaded.warnings;
        crate::cli::logging::start(common.output.verbose, settings.log_file.value.as_deref())?;
        // First of all: every other file may be encrypted.
        let home = environment.home.as_deref();
        let (vault, odd) = passwords::keyring(&common.vault, &settings, home, Purpose::Run)?;
        let vault = Arc::new(vault);
        warnings.extend(odd);
        let extra_vars = Arc::new(extra_vars(&common.run.extra_vars, &vault)?);
        let inventory = match made {
            Some(inventory) => inventory,
            None => {
                let sources = match common.hosts.inventory.as_slice() {
                    [] => settings.inventory.value.0.clone(),
                    given => given.to_vec(),
                };
                let options = LoadOptions {
                    script_timeout_seconds: settings.inventory_timeout.value.as_secs().max(1),
                    vault: vault.clone(),
                    ..LoadOptions::default()
                };
                Inventory::load(&sources, &options)?
            }
        };
        let limit = match &common.hosts.limit {
            Some(text) => Some(inventory.check_limit(&Limit::read(text)?)?.hosts),
            None => None,
        };
        let outside = outside(&environment, settings.color.value)?;
        let form = common.output.output.or(settings.output.value.map(form));
        let verbosity = if common.output.verbose > 0 {
            common.output.verbose
        } else {
            u8::try_from(settings.verbosity.value).unwrap_or(u8::MAX)
        };
        let output = OutputChoice {
            form,
            verbosity,
            retry_file: common
                .run
                .retry_file
                .clone()
                .or_else(|| settings.retry_file.value.clone()),
            retry_folder: settings.retry_files_save_path.value.clone(),
            retry_files: !common.run.no_retry_file && (settings.retry_files.value || common.run.retry_file.is_some()),
        };
        Ok(Self {
            words: LineageArgs::strip(visible_words()),
            output,
            outside,
            inventory,
            limit,
            extra_vars,
            templar: Arc::new(Templar::with_options(templar::Options {
                environment: environment.vars.clone().into_iter().collect(),
                vault,
                isolated: false,
            })),
            policy: None,
            environment,
            common: common.clone(),
            playbook: playbook.clone(),
            warnings,
            settings,
        })
    }

    /// The hosts of a play, the limit applied.
    pub fn hosts_of(&self, play: &crate::plan::Play) -> Result<Vec<HostName>, Diagnostic> {
        let limit = self.limit.as_deref();
        Ok(crate::engine::select_hosts(&self.inventory, &self.templar, &self.extra_vars, limit, play)?.0)
    }

    /// Which run this one goes on with.
    pub fn lineage(&self) -> Lineage {
        Lineage::new(&self.common.lineage)
    }

    /// What compiling a playbook needs.
    pub fn compile_options(&self) -> CompileOptions {
        CompileOptions {
            roles_path: self.settings.roles_path.value.clone(),
            extra_vars: self.extra_vars.clone(),
            tags: (self.playbook.tags.clone(), self.playbook.skip_tags.clone()),
            templar: self.templar.clone(),
            literal_disks: self
                .policy
                .as_ref()
                .and_then(|bound| bound.policy.literal_disks)
                .unwrap_or_default(),
            ..CompileOptions::default()
        }
    }

    /// Asks for passwords, reads keys, and puts together what workers share.
    pub fn share(
        self,
        tell: Tell,
        keep: Keep,
        cancel: CancelToken,
        hooks: Hooks,
        adhoc: bool,
    ) -> Result<Arc<Shared>, Diagnostics> {
        let secrets = Secrets::ask(&self.common, &self.settings)?;
        // Nobody is asked at the terminal from here on, and there are no threads yet.
        hold_workers_signals();
        let mask = self.mask(&secrets);
        let mut options = self.run_options(&secrets, adhoc);
        let store = Store::at(&self.outside.state_dir);
        options.root_run_id = self.lineage().root(&store, &options.run_id)?;
        let resolve = self.resolver()?;
        let transport = SshTransport::new().map_err(Diagnostic::new)?;
        let compile = self.compile_options();
        let policy = self.policy.unwrap_or_default();
        Ok(Shared::new(Parts {
            inventory: Arc::new(self.inventory),
            templar: self.templar,
            options,
            transport: Box::new(AnyTransport::new(transport)),
            resolve,
            compile,
            policy,
            tell,
            keep,
            cancel,
            mask,
            preflight: hooks,
        }))
    }

    /// What must not be shown: passwords, and everything that was encrypted.
    pub(super) fn mask(&self, secrets: &Secrets) -> Mask {
        let vault = self.templar.vault();
        let texts = secrets.texts().chain(vault_passwords(vault));
        Mask::new(texts.chain(written_secrets(&self.inventory, &self.extra_vars))).and(vault.revealed().clone())
    }

    /// Mistakes without what was encrypted. To be called for those that are found once files are decrypted.
    pub fn without_secrets(&self, mut mistakes: Diagnostics) -> Diagnostics {
        let mask = self.mask(&Secrets::default());
        for mistake in &mut mistakes.0 {
            mistake.message = mask.text(&mistake.message);
            mistake.help = mistake.help.as_deref().map(|help| mask.text(help));
        }
        mistakes
    }

    fn resolver(&self) -> Result<crate::engine::shared::Resolve, Diagnostic> {
        let user = LocalUser {
            home: self.environment.home.clone().unwrap_or_else(|| PathBuf::from("/")),
            name: self.environment.user.clone().unwrap_or_else(|| "root".to_owned()),
            agent: self.environment.ssh_auth_sock.clone(),
        };
        let config = SshConfig::load(user, None).map_err(Diagnostic::new)?;
        Ok(Box::new(move |host: &HostName, request: &ConnectRequest| {
            config.resolve(host, request)
        }))
    }

    /// What the command line said that every command takes.
    pub(super) fn flags(&self) -> &Common {
        &self.common
    }

    /// `--tags` and `--skip-tags`.
    pub(super) fn tags(&self) -> (&[String], &[String]) {
        (&self.playbook.tags, &self.playbook.skip_tags)
    }

    /// How the run is to be done.
    pub(super) fn run_options(&self, secrets: &Secrets, adhoc: bool) -> RunOptions {
        let s = &self.settings;
        let run = &self.common.run;
        let forced = |source: &Source| matches!(source, Source::CommandLine(_));
        let mut connect = ConnectDefaults {
            connection: self.common.connect.connection.clone(),
            ..ConnectDefaults::default()
        };
        let mut place = |source: &Source, set: &dyn Fn(&mut ConnectRequest)| {
            set(if forced(source) {
                &mut connect.forced
            } else {
                &mut connect.fallback
            });
        };
        place(&s.remote_user.from, &|r| r.user.clone_from(&s.remote_user.value));
        place(&s.private_key_file.from, &|r| {
            r.key_file.clone_from(&s.private_key_file.value);
        });
        place(&s.known_hosts.from, &|r| r.known_hosts.clone_from(&s.known_hosts.value));
        place(&s.host_key_checking.from, &|r| {
            r.host_key_check = s.host_key_checking.value.map(check_of);
        });
        if !s.timeout.is_default() {
            place(&s.timeout.from, &|r| r.timeout = Some(s.timeout.value));
        }
        if !s.ssh_retries.is_default() {
            place(&s.ssh_retries.from, &|r| r.retries = Some(s.ssh_retries.value));
        }
        connect.forced.password.clone_from(&secrets.login);
        for setting in [&s.ssh_args, &s.ssh_common_args, &s.ssh_extra_args] {
            let words = setting
                .value
                .as_deref()
                .map(crate::shell::split_words)
                .and_then(Result::ok)
                .unwrap_or_default();
            if forced(&setting.from) {
                connect.forced.ssh_args.extend(words);
            } else {
                connect.fallback.ssh_args.extend(words);
            }
        }
        let run_id = crate::report::journal::new_run_id();
        RunOptions {
            in_doubt: s.in_doubt.value,
            any_errors_fatal: s.any_errors_fatal.value,
            forks: s.forks.value,
            check: run.check,
            diff: run.diff || s.diff.value,
            limit: self.limit.clone(),
            limit_text: self.common.hosts.limit.clone(),
            tags: self.playbook.tags.clone(),
            skip_tags: self.playbook.skip_tags.clone(),
            start_at: self.playbook.start_at_task.clone(),
            force_handlers: self.playbook.force_handlers || s.force_handlers.value,
            extra_vars: self.extra_vars.clone(),
            task_timeout: s.task_timeout.value.0,
            max_time: s.max_time.value.0,
            verbosity: self.output.verbosity,
            strategy: run
                .strategy
                .clone()
                .or_else(|| (!s.strategy.is_default()).then(|| s.strategy.value.name().to_owned())),
            gather_facts: s.gathering.value != Gathering::Explicit,
            connect,
            elevate: ElevateDefaults {
                on: s.r#become.value,
                user: s.become_user.value.clone(),
                method: (!s.become_method.is_default()).then(|| s.become_method.value.clone()),
                password: secrets.elevate.clone(),
            },
            adhoc,
            root_run_id: run_id.clone(),
            run_id,
            who: crate::cli::origin::who(),
            way: crate::cli::way::words(&self.words),
            seat: crate::process::seat(),
            lock: LockOptions {
                mode: s.host_lock.value,
                wait: s.lock_wait.value,
                expiry: s.lock_expiry.value,
            },
        }
    }
}

/// Puts what the command line says on top of the configuration.
fn on_top(settings: &mut Settings, common: &Common) {
    let (connect, run) = (&common.connect, &common.run);
    settings.forks.set_option(run.forks, "--forks");
    settings.timeout.set_option(connect.timeout, "--timeout");
    settings
        .task_timeout
        .set_option(run.task_timeout.map(|t| settings::Limit(Some(t))), "--task-timeout");
    settings
        .max_time
        .set_option(run.max_time.map(|t| settings::Limit(Some(t))), "--max-time");
    settings
        .remote_user
        .set_option(connect.user.clone().map(Some), "--user");
    settings
        .private_key_file
        .set_option(connect.private_key.clone().map(Some), "--private-key");
    settings
        .known_hosts
        .set_option(connect.known_hosts.clone().map(Some), "--known-hosts");
    let check = connect.host_key_checking.map(|how| match how {
        HostKeyArg::Strict => HostKeyChecking::Strict,
        HostKeyArg::AcceptNew => HostKeyChecking::AcceptNew,
        HostKeyArg::Off => HostKeyChecking::Off,
    });
    settings
        .host_key_checking
        .set_option(check.map(Some), "--host-key-checking");
    settings
        .ssh_common_args
        .set_option(connect.ssh_common_args.clone().map(Some), "--ssh-common-args");
    settings
        .ssh_extra_args
        .set_option(connect.ssh_extra_args.clone().map(Some), "--ssh-extra-args");
    settings
        .r#become
        .set_option(common.elevate.elevate.then_some(true), "--become");
    let in_doubt = run.in_doubt.map(|what| match what {
        InDoubtArg::Stop => InDoubt::Stop,
        InDoubtArg::Rerun => InDoubt::Rerun,
        InDoubtArg::Skip => InDoubt::Skip,
    });
    settings.in_doubt.set_option(in_doubt, "--in-doubt");
    settings
        .become_user
        .set_option(common.elevate.become_user.clone().map(Some), "--become-user");
    settings
        .become_method
        .set_option(common.elevate.become_method.clone(), "--become-method");
    settings
        .log_file
        .set_option(common.output.log_file.clone().map(Some), "--log-file");
}

fn check_of(check: HostKeyChecking) -> HostKeyCheck {
    match check {
        HostKeyChecking::Strict => HostKeyCheck::Strict,
        HostKeyChecking::AcceptNew => HostKeyCheck::AcceptNew,
        HostKeyChecking::Off => HostKeyCheck::Off,
    }
}

fn form(output: Output) -> OutputArg {
    match output {
        Output::Human => OutputArg::Human,
        Output::Ansible => OutputArg::Ansible,
        Output::Json => OutputArg::Json,
        Output::Csv => OutputArg::Csv,
        Output::Oneline => OutputArg::Oneline,
    }
}

/// Terminals and folders, as the environment says.
pub fn outside(environment: &Environment, color: Color) -> Result<Outside, Diagnostic> {
    let get = |name: &str| environment.get(name).map(str::to_owned);
    let mut env = TerminalEnv {
        no_color: get("NO_COLOR"),
        clicolor_force: get("CLICOLOR_FORCE"),
        clicolor: get("CLICOLOR"),
        term: get("TERM"),
        locale: get("LC_ALL").or_else(|| get("LC_CTYPE")).or_else(|| get("LANG")),
        columns: get("COLUMNS"),
    };
    match color {
        Color::Auto => {}
        Color::Always => {
            env.no_color = None;
            env.clicolor_force = Some("1".to_owned());
        }
        Color::Never => env.no_color = Some("1".to_owned()),
    }
    let state_dir = environment
        .state_home
        .clone()
        .or_else(|| environment.home.as_ref().map(|home| home.join(".local/state")))
        .ok_or_else(|| {
            Diagnostic::new("neither HOME nor XDG_STATE_HOME is set").help("set one of them: runs are recorded there")
        })?;
    Ok(Outside {
        state_dir: state_dir.join("batchssh"),
        runtime_dir: get("XDG_RUNTIME_DIR")
            .map(PathBuf::from)
            .filter(|dir| dir.is_absolute()),
        stdout: Terminal::of(std::io::stdout(), &env),
        stderr: Terminal::of(std::io::stderr(), &env),
    })
}

/// `-e`: `k=v` words, a mapping in JSON or YAML, or `@FILE`.
fn extra_vars(given: &[String], vault: &Keyring) -> Result<VarMap, Diagnostics> {
    let mut all = VarMap::new();
    let mut mistakes = Vec::new();
    for text in given {
        match extra(text, vault) {
            Ok(map) => all.extend(map),
            Err(errors) => mistakes.extend(errors.0),
        }
    }
    reveal(&all, vault.revealed());
    if mistakes.is_empty() {
        Ok(all)
    } else {
        Err(Diagnostics(mistakes))
    }
}

fn extra(text: &str, vault: &Keyring) -> Result<VarMap, Diagnostics> {
    if let Some(path) = text.strip_prefix('@') {
        return mapping(&yaml::parse(&vault.read(Path::new(path))?)?);
    }
    let typed = SourceFile::new("--extra-vars", text);
    if text.trim_start().starts_with(['{', '[']) {
        return mapping(&yaml::parse(&typed)?);
    }
    let at = Span::new(&typed, 1, 1);
    let entries = arguments::split(text, Style::Pairs, TextUse::Template, &at)?;
    mapping(&Node {
        span: at,
        kind: Kind::Map(entries),
    })
}

fn mapping(node: &Node) -> Result<VarMap, Diagnostics> {
    if node.is_null() {
        return Ok(VarMap::new());
    }
    if node.as_map().is_none() {
        let error = node.error(format!(
            "extra variables are `k=v` words or a mapping, not {}",
            node.kind_name()
        ));
        return Err(error.into());
    }
    to_vars(node)
}

/// A mistake on one line, for warnings.
pub fn one_line(diagnostic: &Diagnostic) -> String {
    let place = diagnostic.at.as_ref().map(|at| format!("{at}: ")).unwrap_or_default();
    let help = diagnostic
        .help
        .as_ref()
        .map(|help| format!(" ({help})"))
        .unwrap_or_default();
    format!("{place}{}{help}", diagnostic.message)
}
