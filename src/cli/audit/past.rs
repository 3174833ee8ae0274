//! Audits that are over: `audit show` and `audit diff`, made of the journals. No host is contacted.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::answers::Answers;
use super::args::{DiffArgs, ShowArgs, WriteArgs};
use super::drift;
use super::outputs::Outputs;
use super::sink::{Audit, AuditSink, Screen};
use super::subject::Subject;
use super::{baseline_of, normaliser_of};
use crate::cli::exit_code::ExitCode;
use crate::cli::runs::store::{Store, unreadable};
use crate::cli::setup::{Outside, outside};
use crate::event::{Event, EventKind};
use crate::layout::Normaliser;
use crate::report::{Sink, journal};
use crate::settings;
use crate::source::{Diagnostic, Diagnostics};

/// `batchssh audit show`.
pub fn show(args: &ShowArgs) -> Result<ExitCode, Diagnostics> {
    let (store, outside) = surroundings()?;
    let run = find(&store, args.run.as_deref())?;
    let outputs = args.outputs.outputs(args.save_baseline.clone());
    let mut mistakes = outputs.mistakes(None);
    let baseline = baseline_of(args.baseline.as_deref(), &run.subject, &mut mistakes);
    let normaliser = normaliser_of(&args.normalise, baseline.as_ref(), &mut mistakes);
    if !mistakes.is_empty() {
        return Err(Diagnostics(mistakes));
    }
    let baseline = baseline.map(|(baseline, name)| (Arc::new(baseline), name));
    tell(&run, &outside, outputs, normaliser, baseline, args.verbose)
}

/// `batchssh audit diff`.
pub fn diff(args: &DiffArgs) -> Result<ExitCode, Diagnostics> {
    let (store, outside) = surroundings()?;
    let old = find(&store, Some(&args.old))?;
    let new = find(&store, args.new.as_deref())?;
    let outputs = outputs_of(&args.outputs);
    let mut mistakes = outputs.mistakes(None);
    if old.subject != new.subject {
        mistakes.push(
            Diagnostic::new(format!(
                "run {} looked at `{}`, run {} at `{}`",
                old.id,
                old.subject.name(),
                new.id,
                new.subject.name()
            ))
            .help("compare two audits of the same subject"),
        );
    }
    if !mistakes.is_empty() {
        return Err(Diagnostics(mistakes));
    }
    let normaliser = Normaliser::new(args.normalise.iter().copied());
    let mut answers = Answers::new(old.subject.clone(), normaliser.clone());
    for event in &old.events {
        answers.observe(event);
    }
    let baseline = drift::baseline(&answers.finish());
    let name = format!("run {}", old.id);
    tell(
        &new,
        &outside,
        outputs,
        normaliser,
        Some((Arc::new(baseline), name)),
        args.verbose,
    )
}

fn outputs_of(args: &WriteArgs) -> Outputs {
    args.outputs(None)
}

/// Feeds the events of a run to the sink that shows audits.
fn tell(
    run: &Run,
    outside: &Outside,
    outputs: Outputs,
    normaliser: Normaliser,
    baseline: Option<(Arc<crate::layout::Baseline>, String)>,
    all: bool,
) -> Result<ExitCode, Diagnostics> {
    let drifted = Arc::new(AtomicBool::new(false));
    let audit = Audit {
        subject: run.subject.clone(),
        normaliser,
        outputs,
        baseline,
        whole: !run.limited,
        drifted: drifted.clone(),
    };
    let screen = Screen {
        out: Box::new(io::stdout()),
        err: Box::new(io::stderr()),
        term: outside.stdout,
        all,
        taken: false,
    };
    let mut sink = AuditSink::new(audit, screen);
    let mut write = || {
        run.events.iter().try_for_each(|event| sink.event(event))?;
        sink.finish()
    };
    match write() {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Diagnostic::new(format!("cannot write: {error}")).into())
        }
        _ if drifted.load(Ordering::Relaxed) => Ok(ExitCode::Hosts(2)),
        _ => Ok(ExitCode::Ok),
    }
}

/// A run that was an audit.
struct Run {
    id: String,
    subject: Subject,
    /// Only a part of the inventory was asked.
    limited: bool,
    events: Vec<Event>,
}

fn surroundings() -> Result<(Store, Outside), Diagnostics> {
    let loaded = settings::load(None)?;
    let outside = outside(&loaded.environment, loaded.settings.color.value)?;
    Ok((Store::at(&outside.state_dir), outside))
}

/// The run whose id begins so, or the newest one that was an audit.
fn find(store: &Store, wanted: Option<&str>) -> Result<Run, Diagnostic> {
    if wanted.is_some() {
        let id = store.find(wanted)?;
        return read(store, &id)?.ok_or_else(|| {
            Diagnostic::new(format!("run {id} was no audit, or no host answered in it"))
                .help("`batchssh runs list` shows what each run was")
        });
    }
    let ids = store.ids();
    let last = ids.iter().rev().find_map(|id| read(store, id).ok().flatten());
    last.ok_or_else(|| {
        Diagnostic::new(format!("there is no audit in {}", store.dir.display()))
            .help("every `batchssh audit` is recorded there")
    })
}

/// The events of a run that matter here; `None` when it was no audit.
fn read(store: &Store, id: &str) -> Result<Option<Run>, Diagnostic> {
    let path = store.journal(id);
    let unreadable = |error: io::Error| unreadable(&path, &error);
    let mut events = Vec::new();
    let mut subject = None;
    let mut limited = false;
    for event in journal::read(&path).map_err(unreadable)? {
        let event = event.map_err(unreadable)?;
        match &event.kind {
            EventKind::RunStarted { command, .. } => {
                // Runs of other commands may be large: they are not read to their end.
                if command.first().is_none_or(|word| word != "audit") {
                    return Ok(None);
                }
                let words = command.iter().take_while(|word| *word != "--");
                limited = words
                    .into_iter()
                    .any(|word| word.starts_with("--limit") || (word.starts_with("-l") && !word.starts_with("--")));
            }
            EventKind::TaskResult(report) => {
                subject = subject.or_else(|| Subject::told(report));
            }
            EventKind::RunCancelled { .. } => {}
            _ => continue,
        }
        events.push(event);
    }
    Ok(subject.map(|subject| Run {
        id: id.to_owned(),
        subject,
        limited,
        events,
    }))
}
