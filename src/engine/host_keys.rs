//! Which keys each host shows, and what known_hosts says about them. Nobody logs in, and nothing is written.

use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};

use crate::engine::Engine;
use crate::engine::scan::{report, settings_of};
use crate::engine::shared::Shared;
use crate::event::{Status, TaskReport};
use crate::names::HostName;
use crate::transport::ssh::known_hosts::{Answer, fingerprint};
use crate::transport::{KeyKind, ShownKey, ShownKeys};

impl Engine<'_> {
    /// Looks at the keys of every host. What was found is in the results' `name`, `file`, `peer` and `keys`.
    pub fn scan_keys(&self, hosts: &[HostName], kinds: &[KeyKind]) {
        self.look_at_each(hosts, "scan-keys", |shared, name| keys_of(shared, name, kinds));
    }
}

fn keys_of(shared: &Shared, name: &HostName, kinds: &[KeyKind]) -> TaskReport {
    let begun = Instant::now();
    let shown = settings_of(shared, name).and_then(|settings| {
        let shown = shared.transport.host_keys(&settings, kinds, &shared.deadline);
        shown.map_err(|error| error.to_string())
    });
    let mut report = report(name, "scan-keys", begun);
    match shown {
        Ok(shown) => {
            let alarms = alarms(&shown);
            if alarms.is_empty() {
                report.msg = words(&shown);
            } else {
                report.status = Status::Failed;
                report.msg = alarms.join("; ");
            }
            report.result = json!({
                "name": shown.name,
                "file": shown.file.as_ref().map(|file| file.display().to_string()),
                "peer": shown.peer,
                "keys": shown.keys.iter().map(|key| told(&shown, key)).collect::<Vec<Json>>(),
            });
        }
        Err(why) => {
            report.status = Status::Unreachable;
            report.msg = why;
        }
    }
    report
}

/// What known_hosts says about one key, in a word, and where.
fn verdict<'s>(shown: &'s ShownKeys, key: &'s ShownKey) -> (&'static str, Option<&'s str>) {
    match &key.answer {
        Answer::Known => ("known", None),
        Answer::Unknown { by_authority } => ("new", by_authority.as_deref()),
        Answer::Revoked { at } => ("revoked", Some(at)),
        Answer::Changed { at, known } => {
            // Another type of a host that shows the known key, too, is one more key, and no alarm.
            let proven = shown.keys.iter().any(|other| other.answer == Answer::Known);
            if proven && *known != key.kind {
                ("added", None)
            } else {
                ("changed", Some(at))
            }
        }
    }
}

fn told(shown: &ShownKeys, key: &ShownKey) -> Json {
    let (verdict, at) = verdict(shown, key);
    json!({
        "kind": key.kind,
        "key": STANDARD.encode(&key.key),
        "fingerprint": fingerprint(&key.key),
        "verdict": verdict,
        "at": at,
        "elsewhere": key.elsewhere,
    })
}

fn alarms(shown: &ShownKeys) -> Vec<String> {
    let alarm = |key: &ShownKey| {
        let (kind, print) = (&key.kind, fingerprint(&key.key));
        match verdict(shown, key) {
            ("revoked", at) => Some(format!("its key {kind} {print} is REVOKED at {}", at.unwrap_or("?"))),
            ("changed", at) => Some(format!(
                "its key has CHANGED: it shows {kind} {print}, but {} has another one",
                at.unwrap_or("known_hosts")
            )),
            _ => None,
        }
    };
    shown.keys.iter().filter_map(alarm).collect()
}

fn words(shown: &ShownKeys) -> String {
    let one = |key: &ShownKey| format!("{} {} {}", verdict(shown, key).0, key.kind, fingerprint(&key.key));
    let all: Vec<String> = shown.keys.iter().map(one).collect();
    all.join(", ")
}
