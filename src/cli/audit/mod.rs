//! `batchssh audit`: one look at every host, equal answers folded into layouts, the odd ones first.
//!
//! An audit is a plan of one task, the module `audit`, and a sink: limits, forks, the journal and the retry file are those
//! of every run. What is shown of it is a fold of its events, so it can be shown again from the journal.

mod answers;
pub mod args;
mod disks;
mod drift;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod html;
mod outputs;
mod past;
mod rows;
mod show;
mod sink;
mod story;
mod subject;
mod table;
mod view;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::cli::adhoc::{Adhoc, literal, mapping, typed};
use crate::cli::commands::{go, module};
use crate::cli::exit_code::ExitCode;
use crate::layout::{Baseline, Mask, Normaliser};
use crate::source::{Diagnostic, Diagnostics};

pub use args::AuditArgs;
pub use sink::{Audit, AuditSink, Screen};

use args::Past;
use subject::Subject;

/// Runs an audit, or shows one that is over.
pub fn audit(args: &AuditArgs) -> Result<ExitCode, Diagnostics> {
    match &args.past {
        Some(Past::Diff(args)) => return past::diff(args),
        Some(Past::Show(args)) => return past::show(args),
        None => {}
    }
    let subject = Subject::typed(args.name.as_deref(), &args.command)?;
    let outputs = args.outputs.outputs(args.save_baseline.clone());
    let mut mistakes = outputs.mistakes(None);
    mistakes.extend(harmful(&subject));
    let baseline = baseline_of(args.baseline.as_deref(), &subject, &mut mistakes);
    let normaliser = normaliser_of(&args.normalise, baseline.as_ref(), &mut mistakes);
    if !mistakes.is_empty() {
        return Err(Diagnostics(mistakes));
    }
    let (argument, value) = subject.argument();
    let at = typed("command line", value);
    let plan = Adhoc {
        origin: "audit",
        pattern: "all".to_owned(),
        spec: module("audit")?,
        args: mapping(vec![(argument, literal(value, &at))], &at),
        read_only: true,
    };
    let title = subject.title().to_owned();
    let audit = Audit {
        subject,
        normaliser,
        outputs,
        baseline: baseline.map(|(baseline, name)| (Arc::new(baseline), name)),
        whole: args.common.hosts.limit.is_none(),
        drifted: Arc::new(AtomicBool::new(false)),
    };
    go(plan, &args.common, title, false, Some(audit), None)
}

/// An audit only looks. The module would refuse as well, on every host; this is said once, and before anybody is asked.
fn harmful(subject: &Subject) -> Option<Diagnostic> {
    let Subject::Command(command) = subject else {
        return None;
    };
    let args = serde_json::Map::from_iter([("cmd".to_owned(), command.as_str().into())]);
    let found = crate::danger::of("audit", &args, None)?;
    Some(
        Diagnostic::new(format!(
            "an audit only looks, and {} destroys what is on disks",
            found.what
        ))
        .help("what changes hosts is run with `batchssh exec`, or in a playbook"),
    )
}

/// Reads the baseline and sees that it is of this subject.
fn baseline_of(path: Option<&Path>, subject: &Subject, mistakes: &mut Vec<Diagnostic>) -> Option<(Baseline, String)> {
    let path = path?;
    let shown = path.display().to_string();
    let read = std::fs::read_to_string(path)
        .map_err(|error| Diagnostic::new(format!("cannot read the baseline `{shown}`: {error}")))
        .and_then(|text| {
            Baseline::read(&text).map_err(|error| {
                Diagnostic::new(format!("`{shown}`: {error}")).help("`batchssh audit --save-baseline FILE` writes one")
            })
        });
    match read {
        Err(mistake) => {
            mistakes.push(mistake);
            None
        }
        // A text that somebody wrote is of no subject, and fits all.
        Ok(baseline) if !baseline.subject.is_empty() && baseline.subject != subject.name() => {
            let other = &baseline.subject;
            mistakes.push(
                Diagnostic::new(format!(
                    "the baseline `{shown}` is of `{other}`, not of `{}`",
                    subject.name()
                ))
                .help(format!("compare with `batchssh audit {other} --baseline {shown}`")),
            );
            None
        }
        Ok(baseline) => Some((baseline, shown)),
    }
}

/// What is replaced before lines are compared: as the baseline was made, or as it was asked for.
fn normaliser_of(asked: &[Mask], baseline: Option<&(Baseline, String)>, mistakes: &mut Vec<Diagnostic>) -> Normaliser {
    let Some((baseline, name)) = baseline else {
        return Normaliser::new(asked.iter().copied());
    };
    let normaliser = Normaliser::new(baseline.normalise.iter().copied());
    if !asked.is_empty() && Normaliser::new(asked.iter().copied()).masks() != normaliser.masks() {
        let words: Vec<&str> = normaliser.masks().iter().map(|mask| mask.name()).collect();
        let words = if words.is_empty() {
            "nothing".to_owned()
        } else {
            words.join(", ")
        };
        mistakes.push(
            Diagnostic::new(format!(
                "--normalise: `{name}` was made with {words} normalised, and is compared so"
            ))
            .help("leave --normalise away, or save a new baseline with it"),
        );
    }
    normaliser
}
