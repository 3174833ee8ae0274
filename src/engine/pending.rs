//! A task whose command ended, and of which only the controller can say whether it was done (`failed_when`, `until`, several
//! exchanges): its verdict is written down on the host.

use crate::engine::enclose::{Enclosure, Needs, unwritten};
use crate::engine::host::HostRun;
use crate::engine::lease::Hold;
use crate::engine::outcome::{Outcome, Phase};
use crate::engine::shared::Shared;
use crate::marker::{Act, Marker, Verdict};

/// A claimed marker whose end the controller decides.
#[derive(Clone, Debug)]
pub struct Pending {
    pub(super) marker: Marker,
    pub(super) nonce: String,
    pub(super) at: Hold,
}

impl Pending {
    /// Writes the verdict down; `Some` says why that failed.
    pub fn settle(&self, shared: &Shared, host: &mut HostRun, outcome: &Outcome, done: bool) -> Option<String> {
        let rc = outcome.values.get("rc").and_then(serde_json::Value::as_i64);
        let act = Act::Decide {
            nonce: self.nonce.clone(),
            done,
            rc: rc.and_then(|rc| i32::try_from(rc).ok()).unwrap_or(i32::from(!done)),
        };
        let enclosure = Enclosure::new(Needs {
            store: self.at.store.clone(),
            marker: Some(self.marker.clone()),
            ..Needs::default()
        });
        let name = host.name.clone();
        let answer = self
            .at
            .with_reader(shared, &mut host.links, &name, &shared.deadline, |reader| {
                enclosure.ask(&act, reader)
            });
        match answer {
            Ok((said, _)) => match said.verdict() {
                Verdict::Settled => None,
                Verdict::Store(words) => Some(unwritten(&words)),
                other => Some(unwritten(&format!("the host said {other:?}"))),
            },
            Err(halt) => Some(unwritten(&halt.outcome(Phase::Looking).msg())),
        }
    }
}
