//! Ad-hoc commands are one-task plans, made in memory: every flag, output and retry file works for them too.

use std::path::PathBuf;
use std::sync::Arc;

use crate::modules::Spec;
use crate::plan::{Action, Entry, Keywords, Plan, Play, Task};
use crate::source::{SourceFile, Span};
use crate::vars::VarMap;
use crate::yaml::{Kind, Node, Text, TextUse};

/// A one-task plan.
pub struct Adhoc {
    /// What the messages call the place of its arguments: `exec`.
    pub origin: &'static str,
    /// The hosts.
    pub pattern: String,
    /// The module.
    pub spec: &'static Spec,
    /// Its arguments: a mapping.
    pub args: Node,
    /// Nothing it does is a change (`audit`).
    pub read_only: bool,
}

impl Adhoc {
    /// The plan.
    pub fn plan(self) -> Plan {
        let at = self.args.span.clone();
        let dir = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
        let task = Task {
            name: None,
            role: None,
            action: Action::Module {
                spec: self.spec,
                args: self.args,
            },
            action_name: self.spec.name.to_owned(),
            at: at.clone(),
            repeat: None,
            until: None,
            detach: None,
            register: None,
            changed_when: self.read_only.then(|| {
                vec![Node {
                    span: at.clone(),
                    kind: Kind::Bool(false),
                }]
            }),
            failed_when: None,
            notify: Vec::new(),
            listen: Vec::new(),
            keywords: Keywords::default(),
            include_vars: Vec::new(),
            search: vec![dir.clone()],
            implicit: false,
            depth: 0,
        };
        let play = Play {
            name: Some(literal(self.origin, &at)),
            hosts: literal(&self.pattern, &at),
            at: at.clone(),
            playbook: PathBuf::from(self.origin),
            playbook_dir: dir,
            vars: Arc::new(VarMap::new()),
            vars_files: Vec::new(),
            vars_prompt: Vec::new(),
            gather_facts: Some(Node {
                span: at,
                kind: Kind::Bool(false),
            }),
            serial: None,
            strategy: None,
            order: None,
            max_fail_percentage: None,
            force_handlers: None,
            preflight: Vec::new(),
            canary: None,
            keywords: Keywords::default(),
            body: vec![Entry::Task(Arc::new(task))],
            handlers: Vec::new(),
            roles: Vec::new(),
        };
        Plan {
            plays: vec![Arc::new(play)],
            ..Plan::default()
        }
    }
}

/// The place of something typed.
pub fn typed(origin: &str, text: &str) -> Span {
    Span::new(&SourceFile::new(origin, text), 1, 1)
}

/// A text that is never a template.
pub fn literal(text: &str, at: &Span) -> Node {
    let text = Text {
        value: text.into(),
        use_as: TextUse::Literal,
        quoted: true,
    };
    Node {
        span: at.clone(),
        kind: Kind::Text(text),
    }
}

/// A mapping of literal values.
pub fn mapping(entries: Vec<(&str, Node)>, at: &Span) -> Node {
    let entries = entries
        .into_iter()
        .map(|(key, value)| (literal(key, at), value))
        .collect();
    Node {
        span: at.clone(),
        kind: Kind::Map(entries),
    }
}
