//! Before each wave of `serial` the policies' time windows are looked at again: a play that takes longer than its window
//! stops between two waves, where nothing is half done.

use jiff::Timestamp;

use crate::engine::Engine;
use crate::event::{EventKind, PolicyFile, Severity};
use crate::names::HostName;
use crate::plan::Play;
use crate::policy::{self, Policy};
use crate::report::fold::fold;

/// The policies as an event has them.
pub fn files(policy: &Policy) -> Vec<PolicyFile> {
    let file = |file: &policy::File| PolicyFile {
        path: file.path.display().to_string(),
        sha256: file.digest.clone(),
    };
    policy.files.iter().map(file).collect()
}

impl Engine<'_> {
    /// Why a wave must not begin now: its hosts may not be changed at this time. It is told, too.
    pub(super) fn shut(&self, play: &Play, wave: &[HostName]) -> Option<String> {
        let shared = self.shared;
        let (bound, options) = (&shared.policy, &shared.options);
        if bound.policy.windows.is_empty() || options.check || !policy::changes(play, &options.tags, &options.skip_tags)
        {
            return None;
        }
        let refused: Vec<String> = bound
            .shut_all(wave, Timestamp::now())
            .into_iter()
            .map(|(refused, hosts)| format!("{refused}: {}", fold(hosts.iter().map(HostName::as_str))))
            .collect();
        let reason = refused.join("; ");
        if reason.is_empty() {
            return None;
        }
        (shared.tell)(EventKind::PolicyChecked {
            policies: files(&bound.policy),
            refused,
        });
        (shared.tell)(EventKind::Message {
            severity: Severity::Error,
            text: format!(
                "stopped between two waves, refused by policy: {reason}; what follows is not begun, and `batchssh retry` goes on \
                 with it when it is allowed"
            ),
        });
        Some(format!("not begun, refused by policy: {reason}"))
    }
}
