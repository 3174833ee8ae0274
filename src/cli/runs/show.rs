//! `batchssh runs show`: one run, from its journal: who started it, what became of each host, and what each task did where.

use std::io::{self, Write};

use clap::Args;
use serde::Serialize;

use crate::cli::exit_code::ExitCode;
use crate::cli::run::print;
use crate::cli::runs::store::{Located, Store};
use crate::cli::runs::wanted::WantedArgs;
use crate::cli::setup::outside;
use crate::report::journal::{register, verify};
use crate::report::page::run as page;
use crate::report::past::overview::{Group, Observer, Overview, State, TaskLine};
use crate::report::{fold, text, words};
use crate::settings;
use crate::source::{Diagnostic, Diagnostics};

/// Groups of one list that are shown without `-v`.
const MOST_GROUPS: usize = 12;
/// Commands, files and lines of output of one group that are shown without `-v`.
const MOST_LINES: usize = 12;
/// Columns of a list of hosts.
const NAMES: usize = 100;

/// `batchssh runs show`.
#[derive(Clone, Debug, Args)]
pub struct ShowArgs {
    /// Which run: its id or the begin of it, `last`, or a path [default: last]
    run: Option<String>,
    /// Which results.
    #[command(flatten)]
    wanted: WantedArgs,
    /// One object of JSON
    #[arg(long)]
    json: bool,
    /// Everything, however long
    #[arg(short, long)]
    verbose: bool,
}

/// What is known about the journal itself.
#[derive(Clone, Debug, Serialize)]
pub struct Proof {
    /// Nothing speaks against it.
    sound: bool,
    /// What `runs verify` says.
    verdict: String,
    /// The first line that cannot be read, when there is one; what follows it is not shown.
    damage: Option<String>,
}

/// What `--json` writes.
#[derive(Serialize)]
struct Json<'a> {
    batchssh_run: u8,
    #[serde(flatten)]
    overview: &'a Overview,
    journal: &'a Proof,
}

/// Reads a run into an overview. The second is what is wrong with the journal.
pub fn overview(located: &Located, observer: Observer<'_>) -> Result<(Overview, Option<String>), Diagnostic> {
    let mut observer = observer;
    // Asked before the end is read: a run that ends meanwhile is not taken for one that was killed.
    let running = located.is_running();
    let damage = located.read(&mut |event| {
        observer.observe(event);
        Ok(())
    })?;
    let mut overview = observer.finish(match (&damage, running) {
        (Some(_), _) => State::Unreadable,
        (None, true) => State::Running,
        (None, false) => State::Killed,
    });
    let words: Vec<String> = overview
        .command
        .iter()
        .map(|word| crate::shell::quote_str(word))
        .collect();
    overview.command_line = format!("batchssh {}", words.join(" "));
    Ok((overview, damage))
}

/// Shows a run. Exit code 1 when its journal is damaged: what was read before that is shown.
pub fn show(args: &ShowArgs) -> Result<ExitCode, Diagnostics> {
    let store = Store::open()?;
    let located = store.locate(args.run.as_deref())?;
    let observer = Observer::new(args.wanted.wanted(), !args.wanted.is_all());
    let (mut overview, damage) = overview(&located, observer)?;
    if !args.wanted.host.is_empty() && overview.hosts.is_empty() {
        let wanted = args.wanted.host.join(",");
        return Err(
            Diagnostic::new(format!("`{wanted}` is no host of run {}", overview.run))
                .help("`batchssh runs show` without --host shows its hosts")
                .into(),
        );
    }
    let proof = prove(&store, &located, &overview, damage.clone())?;
    if args.json {
        let json = Json {
            batchssh_run: 1,
            overview: &overview,
            journal: &proof,
        };
        let line = crate::report::json::line(&json).map_err(|error| cannot_write(&error))?;
        print(&format!("{}\n", String::from_utf8_lossy(&line)))?;
    } else {
        overview.fold();
        let loaded = settings::load(None)?;
        let terminal = outside(&loaded.environment, loaded.settings.color.value)?.stdout;
        let width = if terminal.is_tty { terminal.width } else { NAMES };
        let shown = Shown {
            all: args.verbose,
            filtered: !args.wanted.is_all(),
            width: width.max(40),
        };
        print(&shown.overview(&overview, &proof))?;
    }
    damaged(damage)
}

/// The exit code of a command that showed what it could of a journal.
pub fn damaged(damage: Option<String>) -> Result<ExitCode, Diagnostics> {
    match damage {
        None => Ok(ExitCode::Ok),
        Some(damage) => Err(
            Diagnostic::new(format!("{damage}; what follows that line is not shown"))
                .help("`batchssh runs verify` says what was changed or removed")
                .into(),
        ),
    }
}

/// An output cannot be written.
pub fn cannot_write(error: &io::Error) -> Diagnostic {
    Diagnostic::new(format!("cannot write: {error}"))
}

fn prove(store: &Store, located: &Located, overview: &Overview, damage: Option<String>) -> Result<Proof, Diagnostic> {
    let cannot = |error: io::Error| Diagnostic::new(format!("cannot read {}: {error}", located.journal.display()));
    let (sound, verdict) = match &located.run {
        Some(run) => {
            let register = register::read(&store.dir).map_err(cannot)?;
            match verify::verify(&store.dir, run, &register) {
                Ok(verdict) => (verdict.is_sound(), verdict.words()),
                Err(error) if error.kind() == io::ErrorKind::InvalidData => (false, error.to_string()),
                Err(error) => return Err(cannot(error)),
            }
        }
        None => match verify::check(&located.journal, &overview.run) {
            Ok(checked) => checked.alone(),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => (false, error.to_string()),
            Err(error) => return Err(cannot(error)),
        },
    };
    Ok(Proof { sound, verdict, damage })
}

/// How it is shown to people.
struct Shown {
    all: bool,
    /// Only some results are wanted.
    filtered: bool,
    width: usize,
}

impl Shown {
    fn overview(&self, overview: &Overview, proof: &Proof) -> String {
        let mut out = String::new();
        let mut fact = |name: &str, value: &str| {
            if !value.is_empty() {
                out += &format!("{name:<9}  {}\n", text::one_line(value));
            }
        };
        let origin = &overview.origin;
        let check = if overview.check { "  (check mode)" } else { "" };
        fact("run", &format!("{}{check}", overview.run));
        let took = overview
            .seconds
            .map(|seconds| format!(", took {}", text::seconds(seconds)));
        let began = moment(&overview.time);
        fact("began", &format!("{began} UTC{}", took.unwrap_or_default()));
        let version = if origin.version.is_empty() {
            String::new()
        } else {
            format!(", batchssh {}", origin.version)
        };
        fact("by", &format!("{}@{}{version}", origin.user, origin.controller));
        fact("command", &overview.command_line);
        fact("in", &overview.folder);
        if let Some(parent) = &origin.parent {
            let how = if origin.from_start { " from its start" } else { "" };
            fact("goes on", &format!("with {parent}{how}"));
        }
        for (name, files) in [
            ("playbook", &overview.playbooks),
            ("inventory", &origin.inventory),
            ("policy", &overview.policies),
        ] {
            for file in files {
                fact(name, &format!("{}  sha256 {}", file.path, file.sha256));
            }
        }
        for change in &overview.controlled {
            fact(
                "changed",
                &format!("{} {} by {}", moment(&change.time), change.what, change.by),
            );
        }
        fact("journal", &proof.verdict);
        fact("came to", &page::verdict(overview));
        out += &self.hosts(overview);
        for (number, warning) in overview.warnings.iter().enumerate() {
            let gap = if number == 0 { "\n" } else { "" };
            out += &format!("{gap}warning: {}\n", text::one_line(warning));
        }
        if overview.tasks.is_empty() && self.filtered {
            out += "\nno result is meant by --host and --task\n";
        }
        for task in &overview.tasks {
            out += &self.task(task);
        }
        out
    }

    fn hosts(&self, overview: &Overview) -> String {
        let groups = page::ends(&overview.hosts);
        if groups.is_empty() {
            return String::new();
        }
        let mut out = "\nhosts\n".to_owned();
        let most = self.most(MOST_GROUPS);
        for ((status, task, reason), hosts) in groups.iter().take(most) {
            let word = status.map_or("not done", words::word);
            self.names(&mut out, &format!("  {word:<11}  "), hosts.iter().copied());
            if !reason.is_empty() {
                let at = if task.is_empty() {
                    String::new()
                } else {
                    format!("{task}: ")
                };
                out += &format!("{:15}{}\n", "", text::one_line(&format!("{at}{reason}")));
            }
        }
        left(&mut out, groups.len(), most, "  ", "groups of hosts");
        out
    }

    fn task(&self, task: &TaskLine) -> String {
        let name = if task.task.is_empty() { &task.module } else { &task.task };
        let counts: Vec<String> = task
            .counts
            .iter()
            .map(|(word, count)| format!("{} {word}", text::count(*count)))
            .collect();
        let place: Vec<&str> = [task.play.as_str(), task.path.as_str()]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect();
        let mut out = format!("\n{}: {}", text::one_line(name), counts.join(", "));
        if !place.is_empty() {
            out += &format!("  ({})", text::one_line(&place.join(", ")));
        }
        out.push('\n');
        let most = self.most(MOST_GROUPS);
        for group in task.results.iter().take(most) {
            self.group(&mut out, group);
        }
        left(&mut out, task.results.len(), most, "  ", "groups of hosts");
        out
    }

    fn group(&self, out: &mut String, group: &Group) {
        let verdict = format!("  {:<11}  ", group.verdict);
        self.names(out, &verdict, group.hosts.iter().map(crate::names::HostName::as_str));
        let mut lines = Vec::new();
        if !group.reason.is_empty() {
            lines.push(group.reason.clone());
        }
        if let Some(on) = &group.delegated_to {
            lines.push(format!("on {on}"));
        }
        let whom = group
            .became
            .as_ref()
            .map(|whom| format!("  (as {whom})"))
            .unwrap_or_default();
        let most = self.most(MOST_LINES);
        let commands = group.commands.iter().take(most);
        lines.extend(commands.map(|command| format!("$ {command}{whom}")));
        lines.extend(group.file_lines().take(most).map(|line| format!("> {line}")));
        let unkept = usize::try_from(group.more_commands.saturating_add(group.more_files)).unwrap_or(usize::MAX);
        let more = group.commands.len().saturating_sub(most) + group.files.len().saturating_sub(most) + unkept;
        if more > 0 {
            lines.push(format!("… {} more commands and files", text::count(more)));
        }
        for line in lines {
            *out += &format!("      {}\n", text::one_line(&line));
        }
        if let Some(said) = &group.output {
            let said: Vec<String> = text::lines(said).collect();
            for line in said.iter().take(most) {
                *out += &format!("      | {line}\n");
            }
            left(out, said.len(), most, "      | ", "lines");
        }
    }

    fn names<'a>(&self, out: &mut String, before: &str, hosts: impl Iterator<Item = &'a str>) {
        let room = self.width.saturating_sub(text::width(before)).max(20);
        let hosts: Vec<&str> = hosts.collect();
        let lines = if self.all {
            vec![fold::fold(hosts.iter().copied())]
        } else {
            fold::fold_into(hosts.iter().copied(), room, 3)
        };
        for (number, line) in lines.iter().enumerate() {
            let before = if number == 0 {
                before.to_owned()
            } else {
                " ".repeat(text::width(before))
            };
            *out += &format!("{before}{}\n", text::one_line(line));
        }
    }

    fn most(&self, most: usize) -> usize {
        if self.all { usize::MAX } else { most }
    }
}

/// Says how many are not shown.
fn left(out: &mut String, all: usize, most: usize, before: &str, what: &str) {
    if all > most {
        let more = text::count(all - most);
        *out += &format!("{before}… {more} more {what}; -v shows all\n");
    }
}

/// A time as people read it: to the second.
pub fn moment(time: &str) -> String {
    text::one_line(time.get(..19).unwrap_or(time)).replace('T', " ")
}

/// Writes a line to standard output. False: nobody reads any more.
pub fn say(out: &mut impl Write, bytes: &[u8]) -> Result<bool, Diagnostic> {
    match out.write_all(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Diagnostic::new(format!("cannot write to standard output: {error}"))),
    }
}
