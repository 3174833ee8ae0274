//! `canary` of a play: the waves of `serial` are compared, and the next one begins only when the last one was like those
//! before it.

use std::path::Path;

use crate::plan::compile::Compiler;
use crate::plan::keywords::several;
use crate::plan::preflight::{Check, OnMismatch, one_of, unknown_key};
use crate::source::Span;
use crate::yaml::{Kind, Node};

/// What is compared after each wave.
#[derive(Debug)]
pub struct Canary {
    /// Where it stands.
    pub at: Span,
    /// What of the results of tasks is compared.
    pub results: Compared,
    /// What is done when results are not as in the waves before.
    pub on_mismatch: OnMismatch,
    /// What the hosts of a wave are asked when they are through.
    pub checks: Vec<Check>,
}

/// What of a task's result is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compared {
    /// How it ended, and the words of a command's output.
    Words,
    /// How it ended.
    Status,
    /// Whether it failed.
    Failures,
}

impl Compared {
    const ALL: [Self; 3] = [Self::Words, Self::Status, Self::Failures];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Words => "words",
            Self::Status => "status",
            Self::Failures => "failures",
        }
    }
}

/// What the item about results may say.
const KEYS: [&str; 2] = ["results", "on_mismatch"];

impl Compiler<'_> {
    /// `canary` of a play that has `serial`, or has not; its playbook is in `dir`.
    pub(in crate::plan) fn canary(&mut self, node: Option<&Node>, serial: Option<&Node>, dir: &Path) -> Option<Canary> {
        let node = node.filter(|node| !matches!(node.kind, Kind::Null | Kind::Bool(false)))?;
        let mut canary = Canary {
            at: node.span.clone(),
            results: Compared::Words,
            on_mismatch: OnMismatch::Stop,
            checks: Vec::new(),
        };
        match &node.kind {
            Kind::Bool(_) => {}
            Kind::List(_) | Kind::Map(_) => {
                let (results, checks): (Vec<Node>, Vec<Node>) = several(node.clone())
                    .into_iter()
                    .partition(|item| item.get("results").is_some());
                let mut seen = false;
                for item in &results {
                    if std::mem::replace(&mut seen, true) {
                        self.report(item.error("`results` stands twice in `canary`"));
                    }
                    self.results(item, &mut canary);
                }
                canary.checks = self.checks(&checks, dir, true);
            }
            Kind::Null | Kind::Int(_) | Kind::Float(_) | Kind::Text(_) => {
                let mistake = node.error(format!(
                    "`canary` must be `true` or a list of checks, not {}",
                    node.kind_name()
                ));
                self.report(
                    mistake.help("for example `- command: systemctl is-active app`; `true` compares results only"),
                );
            }
        }
        if serial.is_none_or(Node::is_null) {
            let mistake = node.error("`canary` compares the waves of `serial`, and this play has none");
            self.report(
                mistake
                    .help("add `serial: [1, 5, 10%]` for example: one host, then five, then a tenth of all at a time"),
            );
        }
        Some(canary)
    }

    /// `{results: status, on_mismatch: ask}`.
    fn results(&mut self, item: &Node, canary: &mut Canary) {
        for (key, value) in item.as_map().unwrap_or_default() {
            let text = value.scalar_text().unwrap_or_default();
            match key.as_str() {
                Some("results") => match Compared::ALL.into_iter().find(|one| one.word() == text) {
                    Some(compared) => canary.results = compared,
                    None => self.report(one_of(value, "results", &Compared::ALL.map(Compared::word))),
                },
                Some("on_mismatch") => match text.as_str() {
                    "stop" => canary.on_mismatch = OnMismatch::Stop,
                    "ask" => canary.on_mismatch = OnMismatch::Ask,
                    "drop" => self.report(no_drop(value, "on_mismatch")),
                    _ => self.report(one_of(value, "on_mismatch", &["stop", "ask"])),
                },
                _ => self.report(unknown_key(key, "`results` of a canary", &KEYS)),
            }
        }
    }
}

/// `drop` where a wave is done already.
pub(super) fn no_drop(value: &Node, key: &str) -> crate::source::Diagnostic {
    value
        .error(format!(
            "`{key}: drop` has no meaning in `canary`: the hosts of a wave are done, and nobody can be left out"
        ))
        .help("`stop` begins no further wave, `ask` lets somebody at the terminal decide")
}
