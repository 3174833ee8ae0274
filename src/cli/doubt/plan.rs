//! The plan of a look at markers in doubt: the plays and tasks of the run, with their keywords and variables, because these
//! say how to get to the host, as whom, and where its records are; but the only thing that is done is to look, or to decide.

use std::collections::BTreeMap;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::cli::adhoc::{literal, mapping};
use crate::cli::commands::module;
use crate::cli::doubt::open::Doubt;
use crate::cli::lineage::every_task;
use crate::marker::file_name;
use crate::names::HostName;
use crate::plan::{Action, Entry, Keywords, Plan, Play, Task};
use crate::source::{Diagnostic, Span};
use crate::vars::templar::from_json;
use crate::vars::{Var, VarMap};
use crate::yaml::{Kind, Node, Text, TextUse};

/// The variable that has the file names of a host's records.
const FILES: &str = "batchssh_doubt_files";

/// Doubts of one task, all about the same user's store.
type Key<'a> = (u32, &'a str, &'a str, Option<&'a str>);

/// The plan. `act` is what the module `markers` is to do.
pub fn of(compiled: &Plan, doubts: &[Doubt], act: &str, by: &str) -> Result<Plan, Diagnostic> {
    let mut groups: IndexMap<Key<'_>, Vec<&Doubt>> = IndexMap::new();
    for doubt in doubts {
        let key = (doubt.play, &*doubt.path, &*doubt.task, doubt.became.as_deref());
        groups.entry(key).or_default().push(doubt);
    }
    let mut plays = Vec::new();
    for ((number, path, ..), group) in &groups {
        let index = usize::try_from(*number).unwrap_or(0).saturating_sub(1);
        let Some(play) = compiled.plays.get(index) else {
            return Err(Diagnostic::new(format!(
                "the playbook has no play {number} any more, in which {path} was"
            ))
            .help("put it back as it was, or use `batchssh markers` with the same hosts and user"));
        };
        plays.push(Arc::new(look(compiled, play, group, act, by)?));
    }
    Ok(Plan {
        plays,
        ..Plan::default()
    })
}

/// The task as written, where it is known before the run: what is included is not.
fn keywords(compiled: &Plan, play: &Play, doubt: &Doubt) -> Keywords {
    let mut found = None;
    every_task(compiled, &mut |task| {
        if format!("{}:{}", task.at.file.path.display(), task.at.line) == doubt.path {
            found = Some(task.keywords.clone());
        }
    });
    found.unwrap_or_else(|| {
        let mut keywords = play.keywords.clone();
        if let Some(user) = &doubt.became {
            keywords.elevate = Some(Node {
                span: play.at.clone(),
                kind: Kind::Bool(true),
            });
            keywords.become_user = Some(literal(user, &play.at));
        }
        keywords
    })
}

fn look(compiled: &Plan, play: &Play, group: &[&Doubt], act: &str, by: &str) -> Result<Play, Diagnostic> {
    let at = &play.at;
    let mut files: BTreeMap<&HostName, Vec<String>> = BTreeMap::new();
    for doubt in group {
        let names = files.entry(&doubt.host).or_default();
        names.extend(doubt.marker.as_deref().map(file_name));
    }
    let hosts = files.keys().map(|host| literal(host.as_str(), at)).collect();
    let table = serde_json::to_value(&files).unwrap_or_default();
    let mut vars = VarMap::new();
    vars.insert(FILES.to_owned(), Var::Data(from_json(&table)));
    let first = group.first().ok_or_else(|| Diagnostic::new("nothing is in doubt"))?;
    let mut keywords = Keywords {
        when: Vec::new(),
        tags: Vec::new(),
        environment: Vec::new(),
        check_mode: None,
        no_log: None,
        ignore_errors: None,
        ignore_unreachable: None,
        any_errors_fatal: None,
        throttle: None,
        run_once: None,
        module_defaults: Vec::new(),
        once: None,
        on_change: None,
        verify: None,
        danger: None,
        ..keywords(compiled, play, first)
    };
    keywords.vars.push(Arc::new(vars));
    let args = mapping(
        vec![
            ("act", literal(act, at)),
            ("by", literal(by, at)),
            ("files", template(&format!("{{{{ {FILES}[inventory_hostname] }}}}"), at)),
        ],
        at,
    );
    let no = || Node {
        span: at.clone(),
        kind: Kind::Bool(false),
    };
    let task = Task {
        name: Some(literal(&first.task, at)),
        role: None,
        action: Action::Module {
            spec: module("markers")?,
            args,
        },
        action_name: "markers".to_owned(),
        at: at.clone(),
        repeat: None,
        until: None,
        detach: None,
        register: None,
        changed_when: (act == "list").then(|| vec![no()]),
        failed_when: None,
        notify: Vec::new(),
        listen: Vec::new(),
        keywords,
        include_vars: Vec::new(),
        search: Vec::new(),
        implicit: false,
        depth: 0,
    };
    Ok(Play {
        name: Some(literal("doubt", at)),
        hosts: Node {
            span: at.clone(),
            kind: Kind::List(hosts),
        },
        vars_prompt: Vec::new(),
        gather_facts: Some(no()),
        serial: None,
        strategy: None,
        order: None,
        max_fail_percentage: None,
        force_handlers: None,
        preflight: Vec::new(),
        body: vec![Entry::Task(Arc::new(task))],
        handlers: Vec::new(),
        at: at.clone(),
        playbook: play.playbook.clone(),
        playbook_dir: play.playbook_dir.clone(),
        vars: play.vars.clone(),
        vars_files: play.vars_files.clone(),
        keywords: play.keywords.clone(),
        roles: play.roles.clone(),
        canary: None,
    })
}

fn template(text: &str, at: &Span) -> Node {
    let text = Text {
        value: text.into(),
        use_as: TextUse::Template,
        quoted: true,
    };
    Node {
        span: at.clone(),
        kind: Kind::Text(text),
    }
}
