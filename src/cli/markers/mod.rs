//! `batchssh markers` and `batchssh doubt`: what hosts and journals know about tasks that are to be done once.

mod doubt;

use clap::{Args, Subcommand};

use crate::cli::adhoc::{Adhoc, literal, mapping, typed};
use crate::cli::args::Common;
use crate::cli::commands::{go, module};
use crate::cli::exit_code::ExitCode;
use crate::cli::origin;
use crate::marker::file_name;
use crate::source::{Diagnostic, Diagnostics};
use crate::yaml::{Kind, Node};

pub use doubt::{DoubtArgs, doubt};

/// `batchssh markers`.
#[derive(Clone, Debug, Args)]
pub struct MarkersArgs {
    /// What to do
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    /// List the markers of hosts: what was done once, what is in doubt
    List(Choice),
    /// Show what markers say: who did it, when, and what it was
    Show(Choice),
    /// Forget markers: the tasks run again
    Clear(Choice),
    /// Say that tasks in doubt were done, or were not
    Resolve(ResolveArgs),
}

/// Which markers, where.
#[derive(Clone, Debug, Args)]
struct Choice {
    /// Names of markers, as `list` shows them
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// All of them
    #[arg(long, conflicts_with = "names")]
    all: bool,
    /// Hosts and how to get there.
    #[command(flatten)]
    common: Common,
}

/// A decision.
#[derive(Clone, Debug, Args)]
struct ResolveArgs {
    /// They were done
    #[arg(long, conflicts_with = "not_done", required_unless_present = "not_done")]
    done: bool,
    /// They were not done
    #[arg(long)]
    not_done: bool,
    /// Which markers, where.
    #[command(flatten)]
    choice: Choice,
}

/// Looks at markers, or changes them.
pub fn markers(args: &MarkersArgs) -> Result<ExitCode, Diagnostics> {
    match &args.what {
        What::List(choice) => run("list", choice),
        What::Show(choice) => run("show", choice),
        What::Clear(choice) => run("clear", &named(choice, "clear")?),
        What::Resolve(args) => {
            let act = if args.done { "done" } else { "undone" };
            run(act, &named(&args.choice, "resolve")?)
        }
    }
}

/// What cannot be undone must be asked for by name, or as a whole.
fn named(choice: &Choice, what: &str) -> Result<Choice, Diagnostic> {
    if choice.names.is_empty() && !choice.all {
        return Err(Diagnostic::new(format!("`markers {what}` needs the names of markers, or `--all`"))
            .help("`batchssh markers list` shows them; `--limit` says on which hosts"));
    }
    Ok(choice.clone())
}

fn run(act: &str, choice: &Choice) -> Result<ExitCode, Diagnostics> {
    let title = format!("markers {act} {}", choice.names.join(" ")).trim_end().to_owned();
    let at = typed("command line", &title);
    let files = choice.names.iter().map(|name| literal(&file_name(name), &at)).collect();
    let files = Node {
        span: at.clone(),
        kind: Kind::List(files),
    };
    let entries = vec![
        ("act", literal(act, &at)),
        ("files", files),
        ("who", literal(&origin::who(), &at)),
    ];
    let plan = Adhoc {
        origin: "markers",
        pattern: "all".to_owned(),
        spec: module("markers")?,
        args: mapping(entries, &at),
        read_only: matches!(act, "list" | "show"),
    };
    go(plan, &choice.common, title, true, None)
}
