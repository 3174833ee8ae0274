//! The sink of an audit: collects the answers, and shows and writes everything when the last one is in.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::answers::Answers;
use super::drift::{self, Drift};
use super::outputs::Outputs;
use super::subject::Subject;
use super::view::View;
use super::{html, rows, show};
use crate::cli::args::OutputArg;
use crate::cli::outfile::replace;
use crate::event::{Event, EventKind, Severity};
use crate::layout::{Baseline, Normaliser};
use crate::report::Sink;
use crate::report::terminal::Terminal;
use crate::source::{Diagnostics, visible};

/// An audit as it was asked for; everything about it is checked.
#[derive(Clone, Debug)]
pub struct Audit {
    /// What is looked at.
    pub subject: Subject,
    /// What is replaced in every line before it is compared.
    pub normaliser: Normaliser,
    /// What is written.
    pub outputs: Outputs,
    /// What the answers have to be, and what it is called.
    pub baseline: Option<(Arc<Baseline>, String)>,
    /// All hosts of the inventory are asked.
    pub whole: bool,
    /// Set as soon as an answer is otherwise than in the baseline: part of the exit code.
    pub drifted: Arc<AtomicBool>,
}

impl Audit {
    /// Standard output takes one thing. Asked when the configuration is known: it may say `output = "json"`.
    pub fn check(&self, form: Option<OutputArg>) -> Result<(), Diagnostics> {
        let events = form.filter(|form| !form.is_for_people());
        let mistakes = self.outputs.mistakes(events.map(|_| "--output"));
        if mistakes.is_empty() {
            Ok(())
        } else {
            Err(Diagnostics(mistakes))
        }
    }
}

/// Where an audit is shown.
pub struct Screen {
    /// Results.
    pub out: Box<dyn Write + Send>,
    /// What is said beside them.
    pub err: Box<dyn Write + Send>,
    /// What `out` can show.
    pub term: Terminal,
    /// Everything, however long.
    pub all: bool,
    /// Nothing is shown for people: events go there.
    pub taken: bool,
}

impl Screen {
    fn put(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        if path.as_os_str() == "-" {
            self.out.write_all(bytes)
        } else {
            replace(path, bytes)
        }
    }

    /// A baseline is what all agreed on: not half of a run, and never nothing.
    fn save(&mut self, path: &Path, heard: &super::answers::Heard) -> io::Result<()> {
        let kept = if path.exists() {
            "the old one is kept"
        } else {
            "nothing is written"
        };
        if heard.cancelled {
            return self.say(&format!("no baseline: the audit was stopped; {kept}"));
        }
        if heard.hosts.is_empty() {
            return self.say(&format!("no baseline: no host answered; {kept}"));
        }
        replace(path, drift::baseline(heard).text().as_bytes())?;
        if !heard.silent.is_empty() {
            let count = crate::report::text::hosts(heard.silent.len());
            return self.say(&format!("the baseline knows nothing about {count} without an answer"));
        }
        Ok(())
    }

    fn say(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.err, "warning: {text}")
    }
}

/// The sink.
pub struct AuditSink {
    audit: Audit,
    answers: Option<Answers>,
    screen: Screen,
}

impl AuditSink {
    /// Shows on `screen`.
    pub fn new(audit: Audit, screen: Screen) -> Self {
        let answers = Answers::new(audit.subject.clone(), audit.normaliser.clone());
        Self {
            audit,
            answers: Some(answers),
            screen,
        }
    }

    fn write(&mut self, answers: Answers) -> io::Result<()> {
        let heard = answers.finish();
        let view = View::new(&heard);
        let whole = self.audit.whole && !heard.cancelled;
        let baseline = self.audit.baseline.as_ref();
        let drift = baseline.map(|(baseline, _)| Drift::new(baseline, &heard, whole));
        let compared = drift.as_ref().zip(baseline.map(|(_, name)| name.as_str()));
        let outputs = &self.audit.outputs;
        let screen = &mut self.screen;
        let mut first_error = Ok(());
        let mut keep = |result: io::Result<()>| {
            if first_error.is_ok() {
                first_error = result;
            }
        };
        if let Some(path) = &outputs.csv {
            keep(rows::csv(&view).and_then(|bytes| screen.put(path, &bytes)));
        }
        if let Some(path) = &outputs.json {
            keep(rows::json(&view, drift.as_ref()).and_then(|bytes| screen.put(path, &bytes)));
        }
        if let Some(path) = &outputs.html {
            let page = html::page(&view, compared);
            keep(screen.put(path, page.as_bytes()));
        }
        if let Some(path) = &outputs.save_baseline {
            keep(screen.save(path, &heard));
        }
        if !screen.taken && !outputs.to_stdout() {
            let text = show::show(&view, compared, &screen.term, screen.all);
            keep(screen.out.write_all(text.as_bytes()));
        }
        keep(screen.out.flush());
        first_error
    }
}

impl Sink for AuditSink {
    fn name(&self) -> &'static str {
        "the audit"
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        if let EventKind::Message { severity, text } = &event.kind {
            match severity {
                Severity::Warning => self.screen.say(&visible(text))?,
                Severity::Error => writeln!(self.screen.err, "error: {}", visible(text))?,
                Severity::Debug | Severity::Info => {}
            }
        }
        let answer = self.answers.as_mut().and_then(|answers| answers.observe(event));
        if let (Some((host, lines)), Some((baseline, _))) = (answer, &self.audit.baseline)
            && drift::is_drift(baseline, &host, &lines)
        {
            self.audit.drifted.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        match self.answers.take() {
            Some(answers) => self.write(answers),
            None => Ok(()),
        }
    }
}
