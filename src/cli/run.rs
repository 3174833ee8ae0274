//! `batchssh run` and `batchssh plan`.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::cli::args::{PlanArgs, PlaybookFlags, RunArgs};
use crate::cli::conduct::{Occasion, conduct};
use crate::cli::doubt;
use crate::cli::exit_code::ExitCode;
use crate::cli::policy;
use crate::cli::setup::Setup;
use crate::names::HostName;
use crate::plan::{self, Plan, Play, show};
use crate::source::{Diagnostic, Diagnostics};

/// Compiles and runs playbooks.
pub fn run(args: &RunArgs) -> Result<ExitCode, Diagnostics> {
    if let Some(asked) = args.common.lineage.asked() {
        return doubt::contact(args, asked);
    }
    let mut setup = Setup::new(&args.common, &args.playbook)?;
    let compiled = compile(&mut setup, &args.playbooks)?;
    let flags = &args.playbook;
    if flags.syntax_check {
        return print(&show::syntax_check(&args.playbooks));
    }
    if args.common.hosts.list_hosts || flags.list_tasks || flags.list_tags {
        let listing = listing(&setup, &compiled, flags, args.common.hosts.list_hosts)?;
        return print(&listing);
    }
    if flags.step {
        return Err(Diagnostic::new(
            "`--step` asks before each task, which needs a terminal dialogue that a batch run does not have",
        )
        .help("use `--start-at-task`, `--tags` and `--check` to go step by step")
        .into());
    }
    let title = args
        .playbooks
        .iter()
        .map(|path| path.display().to_string())
        .collect::<Vec<_>>()
        .join(" ");
    let occasion = Occasion {
        title,
        adhoc: false,
        lines: false,
        retry_file: retry_file(&args.playbooks),
        audit: None,
        collect: None,
    };
    conduct(setup, &compiled, &occasion)
}

/// Shows what would run where.
pub fn plan(args: &PlanArgs) -> Result<ExitCode, Diagnostics> {
    let mut setup = Setup::new(&args.common, &args.playbook)?;
    let compiled = compile(&mut setup, &args.playbooks)?;
    let hosts = HostsOf::new(&setup, &compiled)?;
    let mut text = show::plan(&compiled, &hosts.show(&args.playbook, true, true, false));
    if args.show_settings {
        text.push_str("\nsettings\n");
        for (name, value, from) in setup.settings.entries() {
            text.push_str(&format!("  {name} = {value}  ({from})\n"));
        }
    }
    let violations = setup.violations(&compiled, false)?;
    text.push_str(&policy::shown(&setup, &violations));
    print(&text)?;
    Ok(if violations.is_empty() {
        ExitCode::Ok
    } else {
        ExitCode::Refused
    })
}

pub(super) fn compile(setup: &mut Setup, playbooks: &[PathBuf]) -> Result<Plan, Diagnostics> {
    let folder = |path: &PathBuf| path.parent().unwrap_or(Path::new("")).to_owned();
    let folders: Vec<PathBuf> = playbooks.iter().map(folder).collect();
    setup.read_policies(&folders.iter().map(PathBuf::as_path).collect::<Vec<_>>())?;
    plan::compile(playbooks, &setup.compile_options()).map_err(|mistakes| setup.without_secrets(mistakes))
}

fn listing(setup: &Setup, compiled: &Plan, flags: &PlaybookFlags, list_hosts: bool) -> Result<String, Diagnostics> {
    let hosts = HostsOf::new(setup, compiled)?;
    Ok(show::listing(
        compiled,
        &hosts.show(flags, list_hosts, flags.list_tasks, flags.list_tags),
    ))
}

/// `--list-hosts` of an ad-hoc command.
pub fn list_hosts(setup: &Setup, plan: &Plan) -> Result<ExitCode, Diagnostics> {
    let mut hosts = Vec::new();
    for play in &plan.plays {
        hosts.extend(setup.hosts_of(play)?);
    }
    let mut text = format!("  hosts ({}):\n", hosts.len());
    for host in hosts {
        text += &format!("    {host}\n");
    }
    print(&text)
}

/// The retry file of a playbook: beside it, its name with another ending.
fn retry_file(playbooks: &[PathBuf]) -> PathBuf {
    playbooks
        .first()
        .map_or_else(|| PathBuf::from("batchssh.retry"), |path| path.with_extension("retry"))
}

/// Writes to standard output; a reader that went away is fine.
pub fn print(text: &str) -> Result<ExitCode, Diagnostics> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Diagnostic::new(format!("cannot write to standard output: {error}")).into())
        }
        _ => Ok(ExitCode::Ok),
    }
}

/// The hosts of each play, found before anything is shown so that mistakes come first.
struct HostsOf {
    lookup: Lookup,
}

type Lookup = Box<dyn Fn(&Play) -> Vec<HostName>>;

impl HostsOf {
    fn new(setup: &Setup, compiled: &Plan) -> Result<Self, Diagnostics> {
        let mut plays: Vec<(*const Play, Vec<HostName>)> = Vec::new();
        for play in &compiled.plays {
            plays.push((std::ptr::from_ref::<Play>(play), setup.hosts_of(play)?));
        }
        let lookup = Box::new(move |play: &Play| {
            let found = plays.iter().find(|(known, _)| std::ptr::eq(*known, play));
            found.map(|(_, hosts)| hosts.clone()).unwrap_or_default()
        });
        Ok(Self { lookup })
    }

    fn show<'a>(&'a self, flags: &'a PlaybookFlags, hosts: bool, tasks: bool, tags: bool) -> show::Show<'a> {
        show::Show {
            hosts,
            tasks,
            tags,
            only: &flags.tags,
            skip: &flags.skip_tags,
            hosts_of: &*self.lookup,
        }
    }
}
