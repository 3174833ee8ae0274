//! What the scan found: a fold of its results, and what only shows when all hosts are compared.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value as Json;

use crate::event::{Event, EventKind, Status};
use crate::names::HostName;
use crate::report::Sink;

/// The results, while they come in and afterwards.
pub(super) type Shared = Arc<Mutex<Vec<Host>>>;

/// One host.
#[derive(Clone, Debug)]
pub(super) struct Host {
    pub(super) name: HostName,
    /// Why nothing was found out.
    pub(super) trouble: Option<String>,
    /// The name in known_hosts.
    pub(super) known_as: String,
    /// The file new keys go to.
    pub(super) file: Option<PathBuf>,
    /// The address that answered.
    pub(super) peer: String,
    pub(super) keys: Vec<Key>,
}

/// One key of a host.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) kind: String,
    /// Base64, as in known_hosts.
    pub(super) blob: String,
    pub(super) fingerprint: String,
    pub(super) verdict: Verdict,
    /// Where the files say something else.
    pub(super) at: Option<String>,
    /// Other names for it in the files.
    pub(super) elsewhere: Vec<String>,
}

/// What known_hosts says about a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    /// It is there.
    Known,
    /// Nothing is known about the host.
    New,
    /// Another type of a host that shows a known key, too.
    Added,
    /// Another key is there.
    Changed,
    /// It must not be accepted.
    Revoked,
}

impl Verdict {
    /// In a word.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Known => "known",
            Self::New => "new",
            Self::Added => "one more type",
            Self::Changed => "CHANGED",
            Self::Revoked => "REVOKED",
        }
    }

    fn read(word: &str) -> Option<Self> {
        Some(match word {
            "known" => Self::Known,
            "new" => Self::New,
            "added" => Self::Added,
            "changed" => Self::Changed,
            "revoked" => Self::Revoked,
            _ => return None,
        })
    }
}

/// Collects results.
pub(super) struct Collect(pub(super) Shared);

impl Sink for Collect {
    fn name(&self) -> &'static str {
        "the list of keys"
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        if let EventKind::TaskResult(report) = &event.kind {
            let text = |key: &str| report.result.get(key).and_then(Json::as_str).map(str::to_owned);
            let keys = report.result.get("keys").and_then(Json::as_array);
            let host = Host {
                name: report.host.clone(),
                trouble: (report.status == Status::Unreachable).then(|| report.msg.clone()),
                known_as: text("name").unwrap_or_default(),
                file: text("file").map(PathBuf::from),
                peer: text("peer").unwrap_or_default(),
                keys: keys.into_iter().flatten().filter_map(key).collect(),
            };
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(host);
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn key(json: &Json) -> Option<Key> {
    let text = |key: &str| json.get(key).and_then(Json::as_str).map(str::to_owned);
    Some(Key {
        kind: text("kind")?,
        blob: text("key")?,
        fingerprint: text("fingerprint")?,
        verdict: Verdict::read(&text("verdict")?)?,
        at: text("at"),
        elsewhere: json
            .get("elsewhere")
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect(),
    })
}

/// A key that several hosts show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SharedKey {
    pub(super) kind: String,
    pub(super) fingerprint: String,
    pub(super) hosts: Vec<HostName>,
    /// Names of known_hosts that are none of the hosts that were looked at.
    pub(super) elsewhere: Vec<String>,
}

/// Keys that are shown under names that mean different machines: different addresses answered, or known_hosts has the
/// key for a name that nobody answered for. Names that lead to the same address share nothing.
pub(super) fn shared(hosts: &[Host]) -> Vec<SharedKey> {
    let mut by_key: BTreeMap<&str, Vec<(&Host, &Key)>> = BTreeMap::new();
    for host in hosts {
        for key in &host.keys {
            by_key.entry(&key.blob).or_default().push((host, key));
        }
    }
    let names: BTreeSet<&str> = hosts.iter().map(|host| host.known_as.as_str()).collect();
    let mut found = Vec::new();
    for showing in by_key.values() {
        let Some((_, key)) = showing.first() else { continue };
        let peers: BTreeSet<&str> = showing.iter().map(|(host, _)| host.peer.as_str()).collect();
        // What is known already was accepted once; only news are looked at with suspicion.
        let is_new = showing.iter().any(|(_, key)| key.verdict != Verdict::Known);
        let elsewhere: Vec<String> = key
            .elsewhere
            .iter()
            .filter(|told| !names.contains(told.split(' ').next().unwrap_or_default()))
            .cloned()
            .collect();
        if peers.len() > 1 || (is_new && !elsewhere.is_empty()) {
            found.push(SharedKey {
                kind: key.kind.clone(),
                fingerprint: key.fingerprint.clone(),
                hosts: showing.iter().map(|(host, _)| host.name.clone()).collect(),
                elsewhere,
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str, peer: &str, key: &str, verdict: Verdict, elsewhere: &[&str]) -> Host {
        Host {
            name: HostName::new(name),
            trouble: None,
            known_as: name.to_owned(),
            file: None,
            peer: peer.to_owned(),
            keys: vec![Key {
                kind: "ssh-ed25519".to_owned(),
                blob: key.to_owned(),
                fingerprint: format!("SHA256:{key}"),
                verdict,
                at: None,
                elsewhere: elsewhere.iter().map(|name| (*name).to_owned()).collect(),
            }],
        }
    }

    #[test]
    fn a_key_of_two_machines_is_shared_and_one_of_two_names_is_not() {
        let names = |hosts: &[Host]| -> Vec<String> {
            let one = |shared: SharedKey| {
                let hosts: Vec<&str> = shared.hosts.iter().map(HostName::as_str).collect();
                format!(
                    "{} {}{}",
                    shared.fingerprint,
                    hosts.join(","),
                    shared.elsewhere.join(",")
                )
            };
            shared(hosts).into_iter().map(one).collect()
        };
        let two = [
            host("a", "10.0.0.1:22", "K", Verdict::New, &[]),
            host("b", "10.0.0.2:22", "K", Verdict::Known, &["a (kh:1)"]),
            host("c", "10.0.0.3:22", "L", Verdict::New, &[]),
        ];
        assert_eq!(names(&two), ["SHA256:K a,b"]);
        let alias = [
            host("a", "10.0.0.1:22", "K", Verdict::New, &[]),
            host("alias", "10.0.0.1:22", "K", Verdict::New, &[]),
        ];
        assert!(names(&alias).is_empty());
        let moved = [host("a", "10.0.0.1:22", "K", Verdict::New, &["gone (kh:7)"])];
        assert_eq!(names(&moved), ["SHA256:K agone (kh:7)"]);
        let known = [host("a", "10.0.0.1:22", "K", Verdict::Known, &["also (kh:7)"])];
        assert!(names(&known).is_empty());
    }
}
