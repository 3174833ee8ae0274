//! The policies' last word about a task, when its arguments are rendered and before anything is done.

use serde_json::{Map, Value as Json};

use crate::engine::host::HostRun;
use crate::engine::outcome::Outcome;
use crate::engine::task::Work;
use crate::event::Refusal;
use crate::modules::Spec;
use crate::names::HostName;
use crate::policy::{Asked, Wanted};
use crate::yaml::Node;

impl Work<'_> {
    /// Why the task must not run on `target`; `None`: it may.
    pub(super) fn refused_by_policy(
        &self,
        host: &HostRun,
        target: &HostName,
        spec: &Spec,
        args: &Map<String, Json>,
    ) -> Option<Outcome> {
        let checks = &self.play.play.preflight;
        let passed = |wanted: &Wanted| {
            host.evidence.iter().any(|seen| match wanted {
                Wanted::Named(name) => seen.check == *name,
                Wanted::Disks => checks
                    .iter()
                    .any(|check| check.sees_disks() && check.name == seen.check),
            })
        };
        let refused = self.shared.policy.judge(&Asked {
            host: target,
            module: spec.name,
            args,
            danger: self.task.keywords.danger.as_ref().and_then(Node::as_str),
            passed: &passed,
        })?;
        let mut outcome = Outcome::failed(format!("refused by policy: {refused}"));
        outcome.refused = Some(Refusal::Guard);
        Some(outcome)
    }
}
