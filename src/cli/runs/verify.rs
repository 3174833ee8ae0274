//! `batchssh runs verify`: proves that journals are as they were written.

use clap::Args;

use crate::cli::exit_code::ExitCode;
use crate::cli::run::print;
use crate::cli::runs::store::{Store, unreadable};
use crate::report::journal::register;
use crate::report::journal::verify::{Verdict, verify as verify_run};
use crate::source::{Diagnostic, Diagnostics};

/// `batchssh runs verify`.
#[derive(Clone, Debug, Args)]
pub struct VerifyArgs {
    /// Which run; its id or the begin of it [default: all]
    run: Option<String>,
    /// All runs, and the register that ties them together
    #[arg(long, conflicts_with = "run")]
    all: bool,
    /// The register must still hold this head, which an earlier `verify` showed and you kept elsewhere
    #[arg(long, value_name = "HASH")]
    head: Option<String>,
}

/// Checks, and shows what was found. The exit code is 2 when something speaks against a journal.
pub fn verify(args: &VerifyArgs) -> Result<ExitCode, Diagnostics> {
    let store = Store::open()?;
    let register = register::read(&store.dir)
        .map_err(|error| Diagnostic::new(format!("cannot read {}: {error}", store.dir.display())))?;
    let one = match &args.run {
        Some(wanted) => Some(known(&store, &register, wanted)?),
        None => None,
    };
    let mut ids = match &one {
        Some(run) => vec![run.clone()],
        None => store.ids(),
    };
    if one.is_none() {
        ids.extend(register.entries.iter().map(|entry| entry.run.clone()));
        ids.sort();
        ids.dedup();
    }
    let mut text = String::new();
    let mut whole = 0;
    let mut sound = true;
    for run in &ids {
        let verdict = match verify_run(&store.dir, run, &register) {
            Ok(verdict) => verdict,
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => Verdict::Broken {
                line: 0,
                how: error.to_string(),
            },
            Err(error) => return Err(unreadable(&store.journal(run), &error).into()),
        };
        sound &= verdict.is_sound();
        if verdict == Verdict::Whole && one.is_none() {
            whole += 1;
        } else {
            text += &format!("{run}  {}\n", verdict.words());
        }
    }
    if one.is_none() {
        let s = if whole == 1 { "" } else { "s" };
        text += &format!("{whole} run{s} whole\n");
    }
    for line in &register.broken {
        sound = false;
        text += &format!(
            "register  BROKEN at line {line}: it does not follow from the line before; runs may have been removed there\n"
        );
    }
    if let Some(head) = register.head() {
        text += &format!("register  {} lines, head {head}\n", register.hashes.len());
    }
    if let Some(wanted) = &args.head {
        let held = register.hashes.iter().any(|hash| hash == wanted);
        sound &= held;
        if !held {
            text += "register  CUT or written anew: the head you gave is not in it\n";
        }
    }
    print(&text)?;
    Ok(if sound { ExitCode::Ok } else { ExitCode::Hosts(2) })
}

/// A run by the begin of its id; also one whose folder is gone.
fn known(store: &Store, register: &register::Register, wanted: &str) -> Result<String, Diagnostic> {
    match store.find(Some(wanted)) {
        Ok(run) => Ok(run),
        Err(error) => {
            let mut gone = register.entries.iter().map(|entry| &entry.run);
            gone.find(|run| run.starts_with(wanted)).cloned().ok_or(error)
        }
    }
}
