//! `batchssh markers`: what hosts know about tasks that are done `once`.

mod args;
pub mod found;
mod view;

use crate::cli::adhoc::{Adhoc, literal, mapping, typed};
use crate::cli::args::OutputArg;
use crate::cli::ask;
use crate::cli::collect::Collector;
use crate::cli::commands::{go, module};
use crate::cli::exit_code::ExitCode;
use crate::cli::origin;
use crate::cli::run::print;
use crate::source::{Diagnostic, Diagnostics};
use crate::yaml::{Kind, Node};

pub use args::MarkersArgs;

use args::{Choice, ClearArgs, What};
use found::Found;

/// Looks at markers, or forgets them.
pub fn markers(args: &MarkersArgs) -> Result<ExitCode, Diagnostics> {
    match &args.what {
        What::List(choice) => look(choice, "list", false),
        What::Show(choice) => look(choice, "show", true),
        What::Clear(args) => clear(args),
    }
}

/// Is the command's own form asked for, and not events?
fn is_for_people(choice: &Choice) -> bool {
    choice.common.output.output.is_none_or(OutputArg::is_for_people)
}

fn look(choice: &Choice, word: &str, full: bool) -> Result<ExitCode, Diagnostics> {
    let (code, found) = contact(choice, "list", word, full)?;
    if choice.json {
        print(&found.json())?;
    } else if is_for_people(choice) {
        let text = if full { view::whole(&found) } else { view::list(&found) };
        print(&text)?;
        if found.markers.is_empty() && found.silent.is_empty() && !choice.common.elevate.elevate {
            print("tasks with `become` keep theirs with that user: `--become` looks there\n")?;
        }
    }
    Ok(code)
}

fn clear(args: &ClearArgs) -> Result<ExitCode, Diagnostics> {
    let choice = &args.choice;
    if choice.name.is_empty() && choice.state.is_empty() && !args.all {
        return Err(Diagnostic::new(
            "`markers clear` needs to be told which: `--name NAME`, `--state STATE`, or `--all`",
        )
        .help("`batchssh markers list` shows them; `--limit` says on which hosts")
        .into());
    }
    if args.yes && !choice.common.run.check {
        let (code, found) = contact(choice, "clear", "clear", false)?;
        if choice.json {
            print(&found.json())?;
        } else if is_for_people(choice) {
            print(&view::cleared(&found))?;
        }
        return Ok(code);
    }
    let (code, found) = contact(choice, "list", "clear", false)?;
    if choice.json {
        print(&found.json())?;
    } else {
        print(&view::list(&found))?;
    }
    if choice.common.run.check {
        return Ok(code);
    }
    let count = found.markers.iter().filter(|marker| marker.state != "running").count();
    if count == 0 {
        return Ok(code);
    }
    let (what, they) = if count == 1 {
        ("this marker".to_owned(), "its task runs")
    } else {
        (format!("these {count} markers"), "their tasks run")
    };
    let question = format!("forget {what}, so that {they} again when a run comes to it? [y/N] ");
    let said = ask::shown(&question).map_err(|error| {
        Diagnostic::new(format!("nothing was forgotten, because nobody could be asked: {error}"))
            .help("`--yes` forgets them without a question; `--check` shows which they are")
    })?;
    if !matches!(said.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
        print("nothing was forgotten\n")?;
        return Ok(code);
    }
    again()
}

/// Gives the same command (`markers clear …`) once more, with the answer: each command makes one run.
fn again() -> Result<ExitCode, Diagnostics> {
    use std::os::unix::process::CommandExt as _;
    let program = std::env::current_exe()
        .map_err(|error| Diagnostic::new(format!("cannot find the running program: {error}")))?;
    let error = std::process::Command::new(program)
        .args(std::env::args_os().skip(1).take(2))
        .arg("--yes")
        .args(std::env::args_os().skip(3))
        .exec();
    Err(Diagnostic::new(format!("cannot start the second half: {error}")).into())
}

/// Asks the hosts, in one exchange each.
fn contact(choice: &Choice, act: &str, word: &str, full: bool) -> Result<(ExitCode, Found), Diagnostics> {
    let title = format!("markers {word}");
    let at = typed("command line", &title);
    let texts = |words: Vec<&str>| Node {
        span: at.clone(),
        kind: Kind::List(words.into_iter().map(|word| literal(word, &at)).collect()),
    };
    let flag = |on: bool| Node {
        span: at.clone(),
        kind: Kind::Bool(on),
    };
    let entries = vec![
        ("act", literal(act, &at)),
        ("names", texts(choice.name.iter().map(String::as_str).collect())),
        ("states", texts(choice.state.iter().map(|state| state.word()).collect())),
        ("by", literal(&origin::who(), &at)),
        ("full", flag(full)),
    ];
    let plan = Adhoc {
        origin: "markers",
        pattern: choice.pattern.clone().unwrap_or_else(|| "all".to_owned()),
        spec: module("markers")?,
        args: mapping(entries, &at),
        read_only: act == "list",
    };
    let mut common = choice.common.clone();
    // What did not answer is asked again with the same words: there is no task to go on with.
    common.run.no_retry_file = true;
    common.run.check = false;
    let collector = Collector::default();
    let code = go(plan, &common, title, false, None, Some(collector.clone()))?;
    Ok((code, Found::new(collector.take())))
}
