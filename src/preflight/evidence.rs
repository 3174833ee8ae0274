//! What a pre-flight check saw on one host, and what it is worth now.

use std::collections::HashMap;

use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use crate::modules::local::hex;
use crate::names::HostName;

/// One check's evidence on one host: dangerous tasks are bound to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The check's name.
    pub check: String,
    /// `sh` text that only reads; its whole standard output is the evidence.
    pub command: String,
    /// SHA-256 of that output as it was last seen, hexadecimal; `None`: nobody knows what is there now (a task in doubt,
    /// a change by somebody else), and a dangerous task must not run.
    pub digest: Option<String>,
    /// What the check saw in this run while a task of an earlier one was in doubt: it counts as soon as that is decided,
    /// and for the command that decides it.
    pub seen: Option<String>,
}

impl Evidence {
    /// The doubt is decided: what was seen is what is there.
    pub fn settle(&mut self) {
        let seen = self.seen.take();
        if self.digest.is_none() {
            self.digest = seen;
        }
    }

    /// The digest of an answer.
    pub fn digest(stdout: &[u8]) -> String {
        hex(&Sha256::digest(stdout))
    }
}

/// What the run that this one goes on with knows about the evidence of each host, by the names of the checks.
#[derive(Clone, Debug, Default)]
pub struct PriorEvidence {
    hosts: HashMap<HostName, HashMap<String, Prior>>,
    /// Digests of the layouts that it approved, by check.
    layouts: HashMap<String, Vec<String>>,
}

/// What it knows about one check on one host.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prior {
    /// The digest that its pre-flight approved.
    pub approved: Option<String>,
    /// The digest that it saw last, after what it changed itself.
    pub left: Option<String>,
    /// A task of it is in doubt on the host: it may have changed what is looked at.
    pub in_doubt: bool,
    /// The variable `disk` as it was approved: the same disks keep their numbers.
    pub disk: Json,
}

/// How an answer stands to the run before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// There is none, or it approved nothing here.
    New,
    /// As it approved it.
    AsApproved,
    /// As it left it.
    AsLeft,
    /// Otherwise, and a task of it is in doubt here.
    InDoubt,
    /// Otherwise: somebody else was here.
    Changed,
}

impl PriorEvidence {
    /// Adds what is known about a check on a host.
    pub fn insert(&mut self, host: HostName, check: impl Into<String>, prior: Prior) {
        self.hosts.entry(host).or_default().insert(check.into(), prior);
    }

    /// What is known about a check on a host, to be changed.
    pub fn of_mut(&mut self, host: &HostName, check: &str) -> Option<&mut Prior> {
        self.hosts.get_mut(host)?.get_mut(check)
    }

    /// A task is in doubt on the host: what is looked at may be otherwise by that.
    pub fn doubt(&mut self, host: &HostName) {
        for prior in self.hosts.get_mut(host).into_iter().flat_map(HashMap::values_mut) {
            prior.in_doubt = true;
        }
    }

    /// Forgets what is known about a host.
    pub fn forget(&mut self, host: &HostName) {
        self.hosts.remove(host);
    }

    /// The layouts that a check has approved, by their digests.
    pub fn approve(&mut self, check: &str, layouts: Vec<String>) {
        self.layouts.insert(check.to_owned(), layouts);
    }

    /// The layouts that a check has approved; `None`: it has approved nothing yet. A host that comes later must have one of
    /// them: two odd hosts are alike, and are odd all the same.
    pub fn layouts(&self, check: &str) -> Option<&[String]> {
        self.layouts.get(check).map(Vec::as_slice)
    }

    /// What is known about a check on a host.
    pub fn of(&self, host: &HostName, check: &str) -> Option<&Prior> {
        self.hosts.get(host)?.get(check)
    }
}

impl Prior {
    /// How an answer with this digest stands to what is known.
    pub fn standing(&self, digest: &str) -> Standing {
        if self.left.as_deref() == Some(digest) {
            Standing::AsLeft
        } else if self.approved.as_deref() == Some(digest) {
            Standing::AsApproved
        } else if self.approved.is_none() {
            Standing::New
        } else if self.in_doubt {
            Standing::InDoubt
        } else {
            Standing::Changed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_stands_to_the_run_before_as_its_digest_says() {
        let mut prior = Prior {
            approved: Some("a".to_owned()),
            left: Some("b".to_owned()),
            ..Prior::default()
        };
        assert_eq!(prior.standing("a"), Standing::AsApproved);
        assert_eq!(prior.standing("b"), Standing::AsLeft);
        assert_eq!(prior.standing("c"), Standing::Changed);
        prior.in_doubt = true;
        assert_eq!(prior.standing("c"), Standing::InDoubt);
        assert_eq!(Prior::default().standing("c"), Standing::New);
    }

    #[test]
    fn the_digest_is_the_one_that_sha256sum_prints() {
        assert_eq!(
            Evidence::digest(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
