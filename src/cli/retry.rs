//! `batchssh retry` and `batchssh resume`: go on with a run. Both find out which hosts are left and give the command of
//! the run again, in its folder, limited to them; the new run takes over what was done.

use std::os::unix::process::CommandExt;
use std::process::Command;

use clap::{Args, ValueEnum};

use crate::cli::args::{InDoubtArg, OutputArg};
use crate::cli::exit_code::ExitCode;
use crate::cli::lineage::{Chain, LineageArgs, Stand};
use crate::cli::run::print;
use crate::cli::runs::store::{Head, Store};
use crate::names::HostName;
use crate::source::{Diagnostic, Diagnostics};

/// `batchssh retry`.
#[derive(Clone, Debug, Args)]
pub struct RetryArgs {
    /// Which run; its id or the begin of it [default: the last one]
    run: Option<String>,
    /// Begin with the first task again instead of the one that failed
    #[arg(long, conflicts_with_all = ["accept_changes", "accept_wave"])]
    from_start: bool,
    /// How it goes on.
    #[command(flatten)]
    how: How,
}

/// `batchssh resume`.
#[derive(Clone, Debug, Args)]
pub struct ResumeArgs {
    /// Which run; its id or the begin of it [default: the last one that was killed or stopped]
    run: Option<String>,
    /// How it goes on.
    #[command(flatten)]
    how: How,
}

/// What both take.
#[derive(Clone, Debug, Args)]
struct How {
    /// The playbook was changed in front of what was done: what was done stays done, new tasks run
    #[arg(long)]
    accept_changes: bool,
    /// What the wave showed that `canary` stopped is right: later waves may be like it
    #[arg(long)]
    accept_wave: bool,
    /// What to do about tasks that were begun and whose end nobody saw
    #[arg(long, value_name = "WHAT")]
    in_doubt: Option<InDoubtArg>,
    /// Hosts at work at once [default: as before]
    #[arg(short, long, value_name = "N")]
    forks: Option<usize>,
    /// How results are shown [default: as before]
    #[arg(long, value_name = "FORM")]
    output: Option<OutputArg>,
    /// Show more
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Only show the command line
    #[arg(long)]
    show: bool,
}

impl How {
    /// Options of the command that are given anew: name, letter, value.
    fn options(&self) -> Vec<Replaced> {
        let mut options = Vec::new();
        if let Some(forks) = self.forks {
            options.push(("--forks", Some("-f"), forks.to_string()));
        }
        if let Some(word) = self.in_doubt.as_ref().and_then(name) {
            options.push(("--in-doubt", None, word));
        }
        if let Some(word) = self.output.as_ref().and_then(name) {
            options.push(("--output", None, word));
        }
        options
    }
}

/// A value as it is typed.
fn name<V: ValueEnum>(value: &V) -> Option<String> {
    Some(value.to_possible_value()?.get_name().to_owned())
}

/// Goes on with the hosts that did not succeed.
pub fn retry(args: &RetryArgs) -> Result<ExitCode, Diagnostics> {
    let store = Store::open()?;
    let run = match &args.run {
        Some(wanted) => store.find(Some(wanted))?,
        None => match store.ids().into_iter().rev().find(|run| is_work(&store, run)) {
            Some(run) => run,
            None => store.find(None)?,
        },
    };
    let chain = Chain::of(&store, &run)?;
    chain.refuse_alive(&store)?;
    let stand = chain.stand(&store)?;
    if stand.left.is_empty() {
        return print(&format!(
            "run {}: every host succeeded, there is nothing to retry\n",
            chain.newest().run
        ));
    }
    go_on(&store, &chain, &stand.left, args.from_start, &args.how)
}

/// A run that did what somebody wanted done. Looks at markers and decisions about doubts are on the way back to it.
fn is_work(store: &Store, run: &str) -> bool {
    let Ok(Some(head)) = store.head(run) else { return true };
    !head
        .command
        .first()
        .is_some_and(|word| word == "markers" || word == "doubt")
}

/// Goes on with the hosts that were not through.
pub fn resume(args: &ResumeArgs) -> Result<ExitCode, Diagnostics> {
    let store = Store::open()?;
    let (chain, stand) = interrupted(&store, args.run.as_deref())?;
    let (failed, left): (Vec<HostName>, Vec<HostName>) =
        stand.left.into_iter().partition(|host| stand.failed.contains(host));
    let newest = &chain.newest().run;
    if left.is_empty() {
        return print(&format!(
            "run {newest}: no host is left to go on with{}\n",
            match failed.len() {
                0 => String::new(),
                n => format!("; {n} had failed, `batchssh retry` is for them"),
            }
        ));
    }
    go_on(&store, &chain, &left, false, &args.how)
}

/// The chain to resume: the wanted one, or the newest whose last run was killed or stopped.
fn interrupted(store: &Store, wanted: Option<&str>) -> Result<(Chain, Stand), Diagnostic> {
    if let Some(wanted) = wanted {
        let chain = Chain::of(store, &store.find(Some(wanted))?)?;
        chain.refuse_alive(store)?;
        let stand = chain.stand(store)?;
        if !stand.interrupted {
            return Err(
                Diagnostic::new(format!("run {} was neither killed nor stopped", chain.newest().run))
                    .help("`batchssh retry` goes on with the hosts that did not succeed"),
            );
        }
        return Ok((chain, stand));
    }
    let mut seen = std::collections::HashSet::new();
    let mut alive = None;
    for run in store.ids().into_iter().rev().filter(|run| is_work(store, run)) {
        let Ok(chain) = Chain::of(store, &run) else { continue };
        if !seen.insert(chain.root().to_owned()) {
            continue;
        }
        if let Err(error) = chain.refuse_alive(store) {
            alive.get_or_insert(error);
            continue;
        }
        let stand = chain.stand(store)?;
        if stand.interrupted {
            return Ok((chain, stand));
        }
    }
    Err(alive.unwrap_or_else(|| {
        Diagnostic::new("no run was killed or stopped")
            .help("`batchssh retry` goes on with the hosts that did not succeed; `batchssh runs` lists the runs")
    }))
}

/// Gives the command of the chain again.
fn go_on(
    store: &Store,
    chain: &Chain,
    hosts: &[HostName],
    from_start: bool,
    how: &How,
) -> Result<ExitCode, Diagnostics> {
    let mut options = how.options();
    let mut own = vec!["-v".to_owned(); how.verbose.into()];
    if how.show {
        let first = given(chain)?;
        options.push(limited(store, chain, hosts, "retry-hosts")?);
        let words = with(&first.command, &options, &own);
        let shown: Vec<String> = words.iter().map(|word| crate::shell::quote_str(word)).collect();
        return print(&format!(
            "cd {} && batchssh {}\n",
            crate::shell::quote_str(&first.folder.display().to_string()),
            shown.join(" ")
        ));
    }
    own.extend(LineageArgs::words(
        &chain.newest().run,
        from_start,
        how.accept_changes,
        how.accept_wave,
    ));
    give(store, chain, hosts, "retry-hosts", options, &own)
}

/// Gives the command of the chain again, limited to these hosts, with words of our own.
pub fn give_again(
    store: &Store,
    chain: &Chain,
    hosts: &[HostName],
    list: &str,
    own: &[String],
) -> Result<ExitCode, Diagnostics> {
    give(store, chain, hosts, list, Vec::new(), own)
}

/// The first run, whose command can be given again.
fn given(chain: &Chain) -> Result<&Head, Diagnostic> {
    let first = chain.first();
    if first.command.iter().any(|word| word.contains("***")) {
        return Err(Diagnostic::new(format!(
            "run {} was given a secret on its command line, which was not written down",
            first.run
        ))
        .help("run it by hand with --limit and the retry file; secrets in a file (`-e @FILE`) can be given again"));
    }
    if first.command.first().is_some_and(|word| word == "doubt") {
        return Err(
            Diagnostic::new(format!("run {} was `batchssh {}`", first.run, first.command.join(" ")))
                .help("give that command again; `batchssh runs` lists the other runs"),
        );
    }
    Ok(first)
}

/// `--limit` with a file that has these hosts.
fn limited(store: &Store, chain: &Chain, hosts: &[HostName], list: &str) -> Result<Replaced, Diagnostic> {
    let list = store.dir.join(&chain.newest().run).join(list);
    let text: String = hosts.iter().map(|host| format!("{host}\n")).collect();
    std::fs::write(&list, text)
        .map_err(|error| Diagnostic::new(format!("cannot write {}: {error}", list.display())))?;
    Ok(("--limit", Some("-l"), format!("@{}", list.display())))
}

/// An option that is given anew: name, letter, value.
type Replaced = (&'static str, Option<&'static str>, String);

fn give(
    store: &Store,
    chain: &Chain,
    hosts: &[HostName],
    list: &str,
    mut options: Vec<Replaced>,
    own: &[String],
) -> Result<ExitCode, Diagnostics> {
    let first = given(chain)?;
    options.push(limited(store, chain, hosts, list)?);
    let program = std::env::current_exe()
        .map_err(|error| Diagnostic::new(format!("cannot find the running program: {error}")))?;
    // The new run takes the place of this process: Ctrl-C, exit code and terminal are its own.
    let error = Command::new(program)
        .args(with(&first.command, &options, own))
        .current_dir(&first.folder)
        .exec();
    Err(Diagnostic::new(format!("cannot start the run in {}: {error}", first.folder.display())).into())
}

/// The command with these options (name, letter, value) in place of its own, and with further words.
fn with(command: &[String], options: &[(&str, Option<&str>, String)], own: &[String]) -> Vec<String> {
    let split = command.iter().position(|word| word == "--").unwrap_or(command.len());
    let (head, tail) = command.split_at(split);
    let mut out = Vec::new();
    let mut words = head.iter();
    while let Some(word) = words.next() {
        let replaced = |(long, short, _): &(&str, Option<&str>, String)| word == long || Some(word.as_str()) == *short;
        let joined = |(long, short, _): &(&str, Option<&str>, String)| {
            let short = short.is_some_and(|short| word.starts_with(short) && !word.starts_with("--"));
            short || word.strip_prefix(long).is_some_and(|rest| rest.starts_with('='))
        };
        if options.iter().any(replaced) {
            words.next();
        } else if !options.iter().any(joined) {
            out.push(word.clone());
        }
    }
    out.extend(
        options
            .iter()
            .flat_map(|(long, _, value)| [(*long).to_owned(), value.clone()]),
    );
    out.extend(own.iter().cloned());
    out.extend(tail.iter().cloned());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_replaced_and_the_command_kept() {
        let words = |text: &str| -> Vec<String> { text.split(' ').map(str::to_owned).collect() };
        let limit = ("--limit", Some("-l"), "@/r".to_owned());
        assert_eq!(
            with(
                &words("exec -i h -l old -- echo -l x"),
                std::slice::from_ref(&limit),
                &words("--own")
            )
            .join(" "),
            "exec -i h --limit @/r --own -- echo -l x"
        );
        let output = ("--output", None, "json".to_owned());
        let forks = ("--forks", Some("-f"), "7".to_owned());
        assert_eq!(
            with(
                &words("run p.yml --limit=a -f5 --output csv --forks 3 -i -"),
                &[forks, output, limit],
                &[]
            )
            .join(" "),
            "run p.yml -i - --forks 7 --output json --limit @/r"
        );
    }
}
