//! Keywords that are shared by plays, blocks and tasks, and how inner ones stand under outer ones.

use std::sync::Arc;

use crate::plan::variables::to_vars;
use crate::plan::{Keywords, Once};
use crate::playbook::Fields;
use crate::source::Diagnostic;
use crate::yaml::{Kind, Node};

impl Keywords {
    /// Takes what `fields` say. Mistakes in `vars` are added to `errors`.
    pub(super) fn read(fields: &Fields, errors: &mut Vec<Diagnostic>) -> Self {
        let get = |name: &str| fields.get(name).cloned();
        let vars = fields.get("vars").map(to_vars);
        let vars = vars.and_then(|vars| vars.map_err(|mistakes| errors.extend(mistakes.0)).ok());
        Self {
            when: get("when").map(several).unwrap_or_default(),
            tags: get("tags").map(|tags| words(&tags)).unwrap_or_default(),
            vars: vars.into_iter().filter(|vars| !vars.is_empty()).map(Arc::new).collect(),
            environment: get("environment").map(several).unwrap_or_default(),
            elevate: get("become"),
            become_user: get("become_user"),
            become_method: get("become_method"),
            become_flags: get("become_flags"),
            become_exe: get("become_exe"),
            remote_user: get("remote_user"),
            port: get("port"),
            connection: get("connection"),
            check_mode: get("check_mode"),
            diff: get("diff"),
            no_log: get("no_log"),
            ignore_errors: get("ignore_errors"),
            ignore_unreachable: get("ignore_unreachable"),
            any_errors_fatal: get("any_errors_fatal"),
            timeout: get("timeout"),
            throttle: get("throttle"),
            run_once: get("run_once"),
            delegate_to: get("delegate_to"),
            delegate_facts: get("delegate_facts"),
            module_defaults: get("module_defaults").map(several).unwrap_or_default(),
            once: get("once").map(|name| Once { name, inherited: false }),
            on_change: get("on_change"),
            verify: get("verify"),
            danger: get("danger"),
        }
    }

    /// These keywords inside of `outer`: what is said here wins, lists add up with the outer ones first.
    #[must_use]
    pub fn under(self, outer: &Self) -> Self {
        let inner = self;
        let either = |inner: Option<Node>, outer: &Option<Node>| inner.or_else(|| outer.clone());
        let mut tags = outer.tags.clone();
        for tag in inner.tags {
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        }
        Self {
            when: joined(&outer.when, inner.when),
            tags,
            vars: joined(&outer.vars, inner.vars),
            environment: joined(&outer.environment, inner.environment),
            module_defaults: joined(&outer.module_defaults, inner.module_defaults),
            once: inner.once.or_else(|| {
                outer.once.clone().map(|once| Once {
                    inherited: true,
                    ..once
                })
            }),
            on_change: either(inner.on_change, &outer.on_change),
            verify: either(inner.verify, &outer.verify),
            danger: either(inner.danger, &outer.danger),
            elevate: either(inner.elevate, &outer.elevate),
            become_user: either(inner.become_user, &outer.become_user),
            become_method: either(inner.become_method, &outer.become_method),
            become_flags: either(inner.become_flags, &outer.become_flags),
            become_exe: either(inner.become_exe, &outer.become_exe),
            remote_user: either(inner.remote_user, &outer.remote_user),
            port: either(inner.port, &outer.port),
            connection: either(inner.connection, &outer.connection),
            check_mode: either(inner.check_mode, &outer.check_mode),
            diff: either(inner.diff, &outer.diff),
            no_log: either(inner.no_log, &outer.no_log),
            ignore_errors: either(inner.ignore_errors, &outer.ignore_errors),
            ignore_unreachable: either(inner.ignore_unreachable, &outer.ignore_unreachable),
            any_errors_fatal: either(inner.any_errors_fatal, &outer.any_errors_fatal),
            timeout: either(inner.timeout, &outer.timeout),
            throttle: either(inner.throttle, &outer.throttle),
            run_once: either(inner.run_once, &outer.run_once),
            delegate_to: either(inner.delegate_to, &outer.delegate_to),
            delegate_facts: either(inner.delegate_facts, &outer.delegate_facts),
        }
    }
}

fn joined<T: Clone>(outer: &[T], inner: Vec<T>) -> Vec<T> {
    let mut all = outer.to_vec();
    all.extend(inner);
    all
}

/// A value or a list of values, as a list.
pub(super) fn several(node: Node) -> Vec<Node> {
    match node.kind {
        Kind::List(items) => items,
        Kind::Null => Vec::new(),
        _ => vec![node],
    }
}

/// Tags: text with commas, or a list of such texts.
pub(super) fn words(node: &Node) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for node in several(node.clone()) {
        let text = node.scalar_text().unwrap_or_default();
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            if !found.iter().any(|known| known == word) {
                found.push(word.to_owned());
            }
        }
    }
    found
}
