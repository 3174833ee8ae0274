//! `batchssh report`: a run, later, in any form: a page, a table, test results, one object. All are folds of its journal.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::exit_code::ExitCode;
use crate::cli::outfile::{self, OutFile};
use crate::cli::runs::show::{damaged, overview};
use crate::cli::runs::store::{Located, Store};
use crate::report::csv::Csv;
use crate::report::journal;
use crate::report::junit::{Junit, Tally};
use crate::report::page::run::{Rows, page};
use crate::report::past::overview::{Observer, Overview, State};
use crate::report::past::{Done, Past, Wanted};
use crate::report::results::Results;
use crate::source::{Diagnostic, Diagnostics};

/// `batchssh report`.
#[derive(Clone, Debug, Args)]
pub struct ReportArgs {
    /// Which run: its id or the begin of it, `last`, or a path [default: last]
    run: Option<String>,
    /// A page for the browser: one file, works offline (`-`: standard output, as for all of these)
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// A table: one row a host and task
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Test results, as CI servers read them
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Everything as one object
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl ReportArgs {
    fn files(&self) -> Vec<(&'static str, &Path)> {
        [
            ("--html", &self.html),
            ("--csv", &self.csv),
            ("--junit", &self.junit),
            ("--json", &self.json),
        ]
        .into_iter()
        .filter_map(|(flag, path)| Some((flag, path.as_deref()?)))
        .collect()
    }
}

/// Writes the reports. Exit code 1 when the journal is damaged: what was read before that is in them, and that it was.
pub fn report(args: &ReportArgs) -> Result<ExitCode, Diagnostics> {
    let files = args.files();
    if files.is_empty() {
        return Err(Diagnostic::new("which report?")
            .help("say --html FILE, --csv FILE, --junit FILE or --json FILE; `-` is standard output")
            .into());
    }
    let mistakes = outfile::mistakes(&files, None);
    if !mistakes.is_empty() {
        return Err(Diagnostics(mistakes));
    }
    let located = Store::open()?.locate(args.run.as_deref())?;
    // Read twice: what the whole came to stands before its parts.
    let wanted = if args.html.is_some() {
        Wanted::all()
    } else {
        Wanted::no_task()
    };
    let (mut overview, damage) = overview(&located, Observer::new(wanted, false))?;
    overview.fold();
    let found = write(args, &located, &overview, damage.as_deref());
    match found {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(ExitCode::Ok),
        Err(error) => return Err(Diagnostic::new(format!("cannot write {error}")).into()),
        Ok(()) => {}
    }
    damaged(damage)
}

fn write(args: &ReportArgs, located: &Located, overview: &Overview, damage: Option<&str>) -> std::io::Result<()> {
    if let Some(path) = &args.html {
        let mut rows = Rows::default();
        each(located, overview, &mut |done| {
            rows.add(done);
            Ok(())
        })?;
        let mut file = OutFile::create(path)?;
        file.write_all(page(overview, &rows, damage).as_bytes())?;
        file.keep()?;
    }
    if let Some(path) = &args.csv {
        let mut csv = Csv::new(OutFile::create(path)?, Box::new(std::io::sink()));
        each(located, overview, &mut |done| csv.row(&done.report))?;
        csv.end()?.keep()?;
    }
    if let Some(path) = &args.junit {
        let mut tally = Tally::default();
        each(located, overview, &mut |done| {
            tally.add(done);
            Ok(())
        })?;
        let mut junit = Junit::begin(OutFile::create(path)?, overview, damage, tally)?;
        each(located, overview, &mut |done| junit.add(done))?;
        junit.end()?.keep()?;
    }
    if let Some(path) = &args.json {
        let mut results = Results::begin(OutFile::create(path)?, overview, damage)?;
        each(located, overview, &mut |done| results.add(done))?;
        results.end()?.keep()?;
    }
    Ok(())
}

/// Calls `each` with every result of the run, as far as the overview goes: the run may go on meanwhile.
fn each(
    located: &Located,
    overview: &Overview,
    each: &mut dyn FnMut(&Done) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let mut past = Past::default();
    for event in journal::read(&located.journal)? {
        let event = match event {
            Ok(event) if event.seq <= overview.events => event,
            Ok(_) => break,
            // What is wrong was found by whoever made the overview.
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => break,
            Err(error) => return Err(error),
        };
        if let Some(done) = past.observe(&event) {
            each(&done)?;
        }
    }
    if overview.state == State::Killed {
        past.unfinished().iter().try_for_each(each)?;
    }
    Ok(())
}
