//! Takes down what the hosts of a wave show.

use std::sync::{Mutex, PoisonError};

use crate::canary::{Named, Wave, Words};
use crate::engine::mask::Mask;
use crate::event::TaskReport;
use crate::event::canary::Subject;
use crate::plan::canary::Compared;

/// What the hosts of a wave have shown so far.
pub struct Watch {
    words: Words<'static>,
    compared: Compared,
    wave: Mutex<Wave>,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch")
            .field("compared", &self.compared)
            .finish_non_exhaustive()
    }
}

impl Watch {
    /// `mask` takes secrets away; of results, so much is `compared`.
    pub fn new(mask: Mask, compared: Compared) -> Self {
        Self {
            words: Words::new(move |text| mask.text(text)),
            compared,
            wave: Mutex::default(),
        }
    }

    /// A task ended on a host, in this run (`live`) or in an earlier one.
    pub fn note(&self, report: &TaskReport, live: bool) {
        let subject = Subject::Task {
            id: report.did.id.clone(),
            nth: report.did.nth,
        };
        let named = Named {
            name: report.task.clone(),
            path: report.path.clone(),
            once: report.did.run_once,
        };
        // The work is done outside of the lock.
        let kind = self.words.kind(report, self.compared);
        let mut wave = self.wave.lock().unwrap_or_else(PoisonError::into_inner);
        wave.note(subject, &named, &report.host, kind, live);
    }

    /// A host came to a task, and nobody knows how it ended: it is compared with nothing.
    pub fn came(&self, report: &TaskReport) {
        let subject = Subject::Task {
            id: report.did.id.clone(),
            nth: report.did.nth,
        };
        let mut wave = self.wave.lock().unwrap_or_else(PoisonError::into_inner);
        wave.note(subject, &Named::default(), &report.host, None, false);
    }

    /// All of it.
    pub fn take(&self) -> Wave {
        std::mem::take(&mut *self.wave.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
