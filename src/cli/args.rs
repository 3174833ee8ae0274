//! What can be typed. Letters keep Ansible's meaning; what is ours is long only. Meaning is made elsewhere.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::cli::lock::LockArgs;
use crate::cli::scan_keys::args::ScanKeysArgs;
use crate::cli::vault::args::{VaultArgs, VaultFlags};
use crate::names::parse_duration;

/// Runs commands and Ansible playbooks on many hosts over SSH, with nothing on the hosts but sshd and sh.
#[derive(Debug, Parser)]
#[command(name = "batchssh", version, propagate_version = false)]
#[command(arg_required_else_help = true, max_term_width = 100, disable_help_subcommand = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Compile and run playbooks
    Run(RunArgs),
    /// Run one command or module on many hosts
    Exec(ExecArgs),
    /// Upload files and directories by SFTP, recursively
    Put(PutArgs),
    /// Download a file or directory from every host by SFTP, to DEST/<host>/
    Get(GetArgs),
    /// Find out which hosts are alive: TCP, SSH, host key, login
    Ping(PingArgs),
    /// Collect the host keys of a fleet; show what is new, changed, or shared by several hosts
    ScanKeys(ScanKeysArgs),
    /// Look at every host, fold equal answers, show the odd ones
    Audit(Box<crate::cli::audit::AuditArgs>),
    /// Look at the markers of hosts: what was done once, what is in doubt; forget them
    Markers(Box<super::markers::MarkersArgs>),
    /// List tasks in doubt, and say what became of them
    Doubt(super::doubt::DoubtArgs),
    /// Go on with a run on the hosts that did not succeed, each from the task it failed at
    Retry(super::retry::RetryArgs),
    /// Go on with a run that was killed or stopped, each host at its own task
    Resume(super::retry::ResumeArgs),
    /// Look at former runs: list, show, diff, verify
    Runs(super::runs::RunsArgs),
    /// What was run on a host, by whom, and what came of it
    History(super::history::HistoryArgs),
    /// Write a former run as a page, a table or test results
    Report(super::report::ReportArgs),
    /// Ask and change a run that is going on: more workers, pause, drain, attach
    Ctl(crate::cli::ctl::CtlArgs),
    /// Show what would run where; contacts nothing
    Plan(PlanArgs),
    /// Show the inventory as Ansible does
    Inventory(InventoryArgs),
    /// Encrypt, decrypt and edit files with Ansible Vault
    Vault(VaultArgs),
    /// Describe modules
    Doc(DocArgs),
    /// Write shell completions
    Completions(CompletionsArgs),
    /// Write the manual page
    Man,
    /// Start a throw-away fleet of real sshd on loopback and try everything on it
    Demo(DemoArgs),
}

/// Which hosts.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Hosts")]
pub struct HostArgs {
    /// Inventory: a file, a directory, an executable, or `host1,host2,` (may be repeated)
    #[arg(short, long, value_name = "SOURCE")]
    pub inventory: Vec<String>,
    /// Only these of the selected hosts: a pattern, or @FILE with names (a retry file)
    #[arg(short, long, value_name = "PATTERN", overrides_with = "limit")]
    pub limit: Option<String>,
    /// Show the hosts that would be used, and stop
    #[arg(long)]
    pub list_hosts: bool,
    /// Up to N hosts are meant, although a policy wants that said
    #[arg(long, value_name = "N")]
    pub yes_hosts: Option<usize>,
    /// Rules that the run must keep, beside `policy.toml` of the playbook's folder (may be repeated)
    #[arg(long, value_name = "FILE")]
    pub policy: Vec<PathBuf>,
}

/// How to connect.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Connection")]
pub struct ConnectArgs {
    /// Log in as this user
    #[arg(short, long, value_name = "USER")]
    pub user: Option<String>,
    /// Log in with this private key
    #[arg(long, visible_alias = "key-file", value_name = "FILE")]
    pub private_key: Option<PathBuf>,
    /// Ask for the login password
    #[arg(short = 'k', long)]
    pub ask_pass: bool,
    /// Read the login password from a file
    #[arg(
        long,
        visible_alias = "conn-pass-file",
        value_name = "FILE",
        conflicts_with = "ask_pass"
    )]
    pub connection_password_file: Option<PathBuf>,
    /// Time limit for connecting, from name look-up to login, in seconds [default: 10]
    #[arg(short = 'T', long, value_name = "TIME", value_parser = duration, allow_hyphen_values = true)]
    pub timeout: Option<Duration>,
    /// `ssh` or `local`
    #[arg(short, long, value_name = "TYPE")]
    pub connection: Option<String>,
    /// Look host keys up in this file instead of ~/.ssh/known_hosts
    #[arg(long, value_name = "FILE")]
    pub known_hosts: Option<PathBuf>,
    /// What to do about host keys
    #[arg(long, value_name = "HOW")]
    pub host_key_checking: Option<HostKeyArg>,
    /// Options for ssh: -o, -J, -p, -i, -l, -F
    #[arg(long, value_name = "ARGS", allow_hyphen_values = true)]
    pub ssh_common_args: Option<String>,
    /// The same, added at the end
    #[arg(long, value_name = "ARGS", allow_hyphen_values = true)]
    pub ssh_extra_args: Option<String>,
    /// Accepted for Ansible's sake; there is no separate sftp program
    #[arg(long, value_name = "ARGS", allow_hyphen_values = true, hide = true)]
    pub sftp_extra_args: Option<String>,
    /// Accepted for Ansible's sake; scp is not used
    #[arg(long, value_name = "ARGS", allow_hyphen_values = true, hide = true)]
    pub scp_extra_args: Option<String>,
}

/// `--host-key-checking`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HostKeyArg {
    /// Refuse unknown keys
    Strict,
    /// Write unknown keys down, refuse changed ones
    AcceptNew,
    /// Accept every key
    Off,
}

/// As whom.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Becoming another user")]
pub struct BecomeArgs {
    /// Run as another user where the playbook does not say otherwise
    #[arg(short = 'b', long = "become")]
    pub elevate: bool,
    /// Which user [default: root]
    #[arg(long, value_name = "USER")]
    pub become_user: Option<String>,
    /// `sudo` or `su` [default: sudo]
    #[arg(long, value_name = "METHOD")]
    pub become_method: Option<String>,
    /// Ask for the password of sudo or su
    #[arg(short = 'K', long)]
    pub ask_become_pass: bool,
    /// Read that password from a file
    #[arg(
        long,
        visible_alias = "become-pass-file",
        value_name = "FILE",
        conflicts_with = "ask_become_pass"
    )]
    pub become_password_file: Option<PathBuf>,
}

/// How a run goes.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Run")]
pub struct RunFlags {
    /// Hosts at work at once
    #[arg(short, long, value_name = "N", value_parser = positive)]
    pub forks: Option<usize>,
    /// Change nothing, say what would change
    #[arg(short = 'C', long)]
    pub check: bool,
    /// Show differences
    #[arg(short = 'D', long)]
    pub diff: bool,
    /// Set variables: k=v, JSON or YAML, @FILE (may be repeated)
    #[arg(short, long, value_name = "VARS", allow_hyphen_values = true)]
    pub extra_vars: Vec<String>,
    /// Time limit for one task on one host, connecting not included
    #[arg(long, value_name = "TIME", value_parser = duration, allow_hyphen_values = true)]
    pub task_timeout: Option<Duration>,
    /// Time limit for the whole run
    #[arg(long, value_name = "TIME", value_parser = duration, allow_hyphen_values = true)]
    pub max_time: Option<Duration>,
    /// Where the retry file goes
    #[arg(long, value_name = "PATH")]
    pub retry_file: Option<PathBuf>,
    /// Write no retry file
    #[arg(long, conflicts_with = "retry_file")]
    pub no_retry_file: bool,
    /// What to do about a task that was started and whose end nobody saw [default: stop]
    #[arg(long, value_name = "WHAT")]
    pub in_doubt: Option<InDoubtArg>,
    /// `linear`, `free` or `host_pinned`, when a play does not say
    #[arg(long, value_name = "NAME")]
    pub strategy: Option<String>,
}

/// `--in-doubt`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum InDoubtArg {
    /// The host stops there
    Stop,
    /// The task runs once more; only for tasks that may run twice
    Rerun,
    /// The host goes on behind it
    Skip,
}

/// What is shown.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// How results are shown [default: human on a terminal]
    #[arg(long, value_name = "FORM")]
    pub output: Option<OutputArg>,
    /// Show more; -vvv shows connections
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Write the program's own log to a file
    #[arg(long, value_name = "FILE")]
    pub log_file: Option<PathBuf>,
    /// Configuration file
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// `--output`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OutputArg {
    /// Folded, for people
    Human,
    /// As ansible-playbook prints
    Ansible,
    /// One JSON event a line
    Json,
    /// One row per host and task
    Csv,
    /// One line per result
    Oneline,
}

impl OutputArg {
    /// Told to people, who may be told in another way where a command has one (`audit`).
    pub fn is_for_people(self) -> bool {
        match self {
            Self::Human | Self::Ansible => true,
            Self::Json | Self::Csv | Self::Oneline => false,
        }
    }
}

/// Everything that every command which contacts hosts takes.
#[derive(Clone, Debug, Default, Args)]
pub struct Common {
    /// Which hosts.
    #[command(flatten)]
    pub hosts: HostArgs,
    /// How to connect.
    #[command(flatten)]
    pub connect: ConnectArgs,
    /// As whom.
    #[command(flatten)]
    pub elevate: BecomeArgs,
    /// How the run goes.
    #[command(flatten)]
    pub run: RunFlags,
    /// What opens encrypted files.
    #[command(flatten)]
    pub vault: VaultFlags,
    /// What is shown.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Which run it goes on with.
    #[command(flatten)]
    pub lineage: super::lineage::LineageArgs,
}

/// What of a playbook runs.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Playbook")]
pub struct PlaybookFlags {
    /// Only tasks with these tags
    #[arg(short, long, value_name = "TAGS", value_delimiter = ',')]
    pub tags: Vec<String>,
    /// No tasks with these tags
    #[arg(long, value_name = "TAGS", value_delimiter = ',')]
    pub skip_tags: Vec<String>,
    /// Begin at the task of this name
    #[arg(long, value_name = "NAME")]
    pub start_at_task: Option<String>,
    /// Run notified handlers also on hosts that failed
    #[arg(long)]
    pub force_handlers: bool,
    /// Forget facts of former runs (there is no fact cache: accepted for Ansible's sake)
    #[arg(long)]
    pub flush_cache: bool,
    /// Ask before each task
    #[arg(long)]
    pub step: bool,
    /// List the tasks, and stop
    #[arg(long)]
    pub list_tasks: bool,
    /// List the tags, and stop
    #[arg(long)]
    pub list_tags: bool,
    /// Check the files, and stop
    #[arg(long)]
    pub syntax_check: bool,
    /// Locks of hosts.
    #[command(flatten)]
    pub lock: LockArgs,
}

/// `batchssh run`.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// Playbooks, run one after the other
    #[arg(required = true, value_name = "PLAYBOOK")]
    pub playbooks: Vec<PathBuf>,
    /// What of them runs.
    #[command(flatten)]
    pub playbook: PlaybookFlags,
    /// The rest.
    #[command(flatten)]
    pub common: Common,
}

/// `batchssh exec`.
#[derive(Clone, Debug, Args)]
pub struct ExecArgs {
    /// Hosts of the inventory [default: all]
    #[arg(value_name = "PATTERN")]
    pub pattern: Option<String>,
    /// Module to run instead of a command
    #[arg(short, long, value_name = "NAME")]
    pub module_name: Option<String>,
    /// Its arguments: `k=v …`, or a mapping in JSON or YAML
    #[arg(short, long, value_name = "ARGS", allow_hyphen_values = true)]
    pub args: Option<String>,
    /// The rest.
    #[command(flatten)]
    pub common: Common,
    /// Shell command: the words are joined with blanks, as ssh does
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// `batchssh put`.
#[derive(Clone, Debug, Args)]
pub struct PutArgs {
    /// Files and directories, then the place on the hosts. DEST names the copy itself; with a trailing `/`, or with
    /// several sources, it is the directory to put them into
    #[arg(required = true, num_args = 2.., value_names = ["SRC", "DEST"])]
    pub paths: Vec<OsString>,
    /// Keep modification times
    #[arg(long)]
    pub preserve_times: bool,
    /// The rest.
    #[command(flatten)]
    pub common: Common,
}

/// `batchssh get`.
#[derive(Clone, Debug, Args)]
pub struct GetArgs {
    /// File or directory on the hosts
    pub src: OsString,
    /// Local directory; the copy is DEST/<host>/<last part of SRC>
    pub dest: PathBuf,
    /// Keep modification times
    #[arg(long)]
    pub preserve_times: bool,
    /// The rest.
    #[command(flatten)]
    pub common: Common,
}

/// `batchssh ping`.
#[derive(Clone, Debug, Args)]
pub struct PingArgs {
    /// Pattern of the inventory, or addresses without one: `10.0.0.0/24`, `10.0.0.[1:20]`, `host:2222`
    #[arg(value_name = "TARGET")]
    pub targets: Vec<String>,
    /// Stop after TCP: no SSH is spoken
    #[arg(long)]
    pub tcp: bool,
    /// Find names of the same machine, and machines that are copies of each other
    #[arg(long, conflicts_with = "tcp")]
    pub duplicates: bool,
    /// End with exit code 2 when there are duplicates
    #[arg(long, requires = "duplicates")]
    pub strict: bool,
    /// The rest.
    #[command(flatten)]
    pub common: Common,
}

/// `batchssh plan`.
#[derive(Clone, Debug, Args)]
pub struct PlanArgs {
    /// Playbooks
    #[arg(required = true, value_name = "PLAYBOOK")]
    pub playbooks: Vec<PathBuf>,
    /// What of them would run.
    #[command(flatten)]
    pub playbook: PlaybookFlags,
    /// Show every setting with its value and where it comes from
    #[arg(long)]
    pub show_settings: bool,
    /// The rest.
    #[command(flatten)]
    pub common: Common,
}

/// `batchssh inventory`.
#[derive(Clone, Debug, Args)]
pub struct InventoryArgs {
    /// Pattern of hosts, or the group to begin the graph at
    #[arg(value_name = "PATTERN")]
    pub pattern: Option<String>,
    /// Everything as JSON
    #[arg(long)]
    pub list: bool,
    /// The groups as a tree
    #[arg(long)]
    pub graph: bool,
    /// One host's variables as JSON
    #[arg(long, value_name = "HOST")]
    pub host: Option<String>,
    /// With variables in the graph
    #[arg(long)]
    pub vars: bool,
    /// YAML instead of JSON
    #[arg(short, long)]
    pub yaml: bool,
    /// Variables of groups stay with the groups
    #[arg(long)]
    pub export: bool,
    /// Variables beside this playbook folder count, too
    #[arg(long, value_name = "DIR")]
    pub playbook_dir: Option<PathBuf>,
    /// The rest.
    #[command(flatten)]
    pub common: Common,
}

/// `batchssh doc`.
#[derive(Clone, Debug, Args)]
pub struct DocArgs {
    /// Module to describe [default: list them]
    pub module: Option<String>,
}

/// `batchssh completions`.
#[derive(Clone, Debug, Args)]
pub struct CompletionsArgs {
    /// For which shell
    pub shell: clap_complete::Shell,
}

/// `batchssh demo`.
#[derive(Clone, Debug, Args)]
pub struct DemoArgs {
    /// Leave the fleet up after the story, until Ctrl-C
    #[arg(long)]
    pub stay: bool,
    /// Start the fleet and tell no story; it stays up until Ctrl-C
    #[arg(long)]
    pub fleet_only: bool,
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let time = parse_duration(text)?;
    if time.is_zero() {
        Err("must be more than 0".to_owned())
    } else {
        Ok(time)
    }
}

fn positive(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(0) => Err("must be at least 1".to_owned()),
        Ok(n) => Ok(n),
        Err(_) => Err("not a whole number".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    /// What the pages in `docs/` tell people to type.
    #[test]
    fn every_command_of_the_documentation_can_be_typed() {
        use clap::Parser as _;
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let pages = std::fs::read_dir(root.join("docs"))
            .unwrap()
            .flatten()
            .map(|entry| entry.path());
        let mut tried = 0;
        for page in pages.chain([root.join("README.md")]).filter(|page| page.is_file()) {
            let text = std::fs::read_to_string(&page).unwrap();
            for line in text.lines().filter_map(|line| line.strip_prefix("$ batchssh ")) {
                // As in a shell, what follows a `#` is said to the reader.
                let words = crate::shell::split_words(line.split(" #").next().unwrap()).unwrap();
                let words = std::iter::once("batchssh".to_owned()).chain(words);
                if let Err(error) = super::Cli::try_parse_from(words) {
                    assert!(!error.use_stderr(), "{}: {line}\n{error}", page.display());
                }
                tried += 1;
            }
        }
        assert!(tried > 10, "only {tried} commands were found");
    }

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
