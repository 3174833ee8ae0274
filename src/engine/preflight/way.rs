//! The way on after the verdicts: who is refused and told so, and who is asked.

use crate::engine::host::HostRun;
use crate::engine::shared::Shared;
use crate::event::canary::WavePlace;
use crate::event::preflight::Decision;
use crate::event::{EventKind, Refusal, Severity, Status, TaskReport};
use crate::names::HostName;
use crate::plan::preflight::Check;

/// Asks somebody whether to go on; returns only with an answer.
pub type Ask = Box<dyn Fn(&Question) -> Answer + Send + Sync>;

/// Where a question comes up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// Before a play: whether to go on without the hosts that did not pass.
    Preflight,
    /// After a wave: whether what it showed is right.
    Wave(WavePlace),
}

/// What somebody is asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// Where it comes up.
    pub about: About,
    /// The checks that ask.
    pub checks: Vec<String>,
    /// The hosts that did not pass.
    pub refused: Vec<HostName>,
    /// How many hosts there are.
    pub hosts: usize,
}

/// What they said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Yes. Who said so.
    GoOn(String),
    /// No.
    Stop,
    /// There is nobody to ask.
    Nobody,
}

/// Asks, and tells what came of it.
pub fn ask(shared: &Shared, question: &Question) -> Decision {
    let (text, decision) = match (shared.preflight.ask)(question) {
        Answer::GoOn(who) => {
            let text = format!(
                "{who} approved to go on without {} of {} hosts",
                question.refused.len(),
                question.hosts
            );
            (text, Decision::Drop)
        }
        Answer::Stop => ("not approved: nothing is done on any host".to_owned(), Decision::Stop),
        Answer::Nobody => {
            let text = "`on_mismatch: ask` needs a terminal, and there is none: nothing is done on any host; leave the hosts \
                        out with --limit, or say `on_mismatch: drop`";
            (text.to_owned(), Decision::Stop)
        }
    };
    tell(shared, &text);
    decision
}

/// A line for everybody who watches.
pub fn tell(shared: &Shared, text: &str) {
    (shared.tell)(EventKind::Message {
        severity: Severity::Warning,
        text: text.to_owned(),
    });
}

/// The host is out: told as a task that was refused.
pub fn refuse(shared: &Shared, host: &mut HostRun, check: &Check, status: Status, reason: &str) {
    let msg = format!("{reason}; nothing was done here");
    let report = TaskReport {
        module: "preflight".to_owned(),
        path: format!("{}:{}", check.at.file.path.display(), check.at.line),
        refused: Some(Refusal::Guard),
        ..TaskReport::bare(&host.name, "pre-flight", status, msg)
    };
    host.judge(&report);
    host.out = true;
    (shared.tell)(EventKind::TaskResult(Box::new(report)));
}

/// Why hosts are not begun that passed a check, and others did not.
pub fn stopped_by(check: &str) -> String {
    format!("not begun: the pre-flight check `{check}` stopped the run")
}

/// Nothing is wrong with the host, and it is not begun because of others.
pub fn not_begun(host: &mut HostRun, why: &str) {
    if !host.out {
        host.note(Status::Failed, why, None);
        host.out = true;
    }
}
