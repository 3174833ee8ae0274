//! What hosts said, kept for a command that shows it in its own way when all is heard.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use crate::event::{Event, EventKind, Severity, TaskReport};
use crate::names::HostName;
use crate::report::Sink;
use crate::source::visible;

/// Everything that was said.
#[derive(Debug, Default)]
pub struct Heard {
    /// The hosts, in inventory order.
    pub hosts: Vec<HostName>,
    /// The results, as they came.
    pub reports: Vec<TaskReport>,
}

/// Takes the results of a run in.
#[derive(Clone, Debug, Default)]
pub struct Collector(Arc<Mutex<Heard>>);

impl Collector {
    /// The sink; warnings go to `err` at once.
    pub fn sink(&self, err: Box<dyn Write + Send>) -> Box<dyn Sink> {
        Box::new(Listener {
            heard: self.clone(),
            err,
        })
    }

    /// What was heard so far.
    pub fn take(&self) -> Heard {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Listener {
    heard: Collector,
    err: Box<dyn Write + Send>,
}

impl Sink for Listener {
    fn name(&self) -> &'static str {
        "what the hosts said"
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        let mut heard = self.heard.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &event.kind {
            EventKind::RunStarted { hosts, .. } => heard.hosts.clone_from(hosts),
            EventKind::TaskResult(report) => heard.reports.push((**report).clone()),
            EventKind::Message { severity, text } => match severity {
                Severity::Warning => writeln!(self.err, "warning: {}", visible(text))?,
                Severity::Error => writeln!(self.err, "error: {}", visible(text))?,
                Severity::Debug | Severity::Info => {}
            },
            _ => {}
        }
        Ok(())
    }
}
