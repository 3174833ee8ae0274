//! The page of a module for `batchssh doc`, made from its table.

use std::fmt::Write as _;

use crate::modules::args::{Param, ParamKind};
use crate::modules::{BUILTIN, Spec};

/// The parts of a module's documentation: a sentence, an example playbook, and what else there is to know.
pub fn parts(text: &str) -> (&str, &str, &str) {
    let mut parts = text.splitn(3, "\n\n");
    let mut next = || parts.next().unwrap_or_default().trim_matches('\n');
    (next(), next(), next())
}

/// The page as plain text.
pub fn doc(spec: &Spec) -> String {
    let (sentence, example, notes) = parts(spec.doc);
    let mut out = format!("{}: {}\n", spec.name, sentence.trim());
    // Writing into a String cannot fail, so the results of `writeln!` are dropped.
    if spec.collection != BUILTIN {
        let _ = writeln!(
            out,
            "\nIn Ansible it is `{}.{}`, and has that name here, too.",
            spec.collection, spec.name
        );
    }
    if spec.local {
        let _ = writeln!(out, "\nWorks on the controller alone; no connection is opened.");
    }
    if spec.free_form {
        let _ = writeln!(out, "\nTakes free-form text, too: `{}: TEXT`.", spec.name);
    }
    let shown: Vec<&Param> = spec.params.iter().filter(|p| !p.name.starts_with('_')).collect();
    if !shown.is_empty() {
        let _ = writeln!(out, "\nPARAMETERS");
        let width = shown.iter().map(|p| p.name.len()).max().unwrap_or(0);
        for param in shown {
            parameter(param, width, &mut out);
        }
    }
    if !example.trim().is_empty() {
        let _ = writeln!(out, "\nEXAMPLE");
        for line in example.lines() {
            let _ = writeln!(out, "  {line}");
        }
    }
    if !notes.is_empty() {
        let _ = writeln!(out, "\nNOTES");
        for line in notes.lines() {
            let _ = writeln!(out, "  {line}");
        }
    }
    out
}

fn parameter(param: &Param, width: usize, out: &mut String) {
    let mut facts = vec![kind(param.kind).to_owned()];
    if param.required {
        facts.push("required".to_owned());
    }
    if !param.choices.is_empty() {
        let choices: Vec<String> = param.choices.iter().map(|c| c.escape_debug().to_string()).collect();
        facts.push(format!("one of {}", choices.join(", ")));
    }
    if !param.default.is_empty() {
        facts.push(format!("default {}", param.default));
    }
    if !param.aliases.is_empty() {
        facts.push(format!("also {}", param.aliases.join(", ")));
    }
    let _ = writeln!(out, "  {:width$}  ({})", param.name, facts.join("; "));
    let _ = writeln!(out, "  {:width$}  {}", "", param.doc);
}

fn kind(kind: ParamKind) -> &'static str {
    match kind {
        ParamKind::Text => "text",
        ParamKind::Path => "path",
        ParamKind::Bool => "boolean",
        ParamKind::Int => "whole number",
        ParamKind::Float => "number",
        ParamKind::List => "list",
        ParamKind::Map => "mapping",
        ParamKind::Mode => "permissions",
        ParamKind::Raw => "anything",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_every_parameter() {
        let spec = crate::modules::find("file").unwrap();
        let page = doc(spec);
        for param in spec.params {
            assert!(page.contains(param.doc), "{}", param.name);
        }
        assert!(page.contains("EXAMPLE"), "{page}");
    }
}
