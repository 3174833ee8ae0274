//! One check on one host: what it asks there, and what the answer is by itself.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::engine::shared::Shared;
use crate::engine::task::explain;
use crate::layout::{Normaliser, difference};
use crate::modules::words;
use crate::names::HostName;
use crate::plan::preflight::{Check, DiskRules, Look, parse_size, show_size};
use crate::preflight::ask::{LONGEST, Reply};
use crate::preflight::disks;
use crate::shell::{expand, quote};
use crate::source::Diagnostic;
use crate::vars::templar::{from_json, to_json};
use crate::vars::{Scope, Var, VarMap};
use crate::yaml::Node;

/// Answers are given in one language, wherever the host is.
const LANGUAGE: &str = "LC_ALL=C\nexport LC_ALL\n";
/// Differences from a baseline that a reason names.
const NAMED: usize = 4;

/// What a check asks a host.
pub(super) struct Question {
    /// `sh` text that only reads; the evidence is its whole output.
    pub text: Vec<u8>,
    /// The same for people.
    pub shown: String,
    /// The rules of a `disks` check, filled in.
    rules: Option<DiskRules>,
}

/// What an answer is by itself.
pub(super) struct Seen {
    /// What is compared with the answers of other hosts.
    pub lines: Vec<String>,
    /// What in it is not as it must be.
    pub problems: Vec<String>,
    /// What is good to know.
    pub note: Option<String>,
    /// The variable `disk`.
    pub disk: Json,
}

/// The check with its templates filled in.
pub(super) fn question(shared: &Shared, check: &Check, scope: &Scope) -> Result<Question, Diagnostic> {
    let render = |node: &Node| shared.templar.render(node, scope).map(|value| to_json(&value));
    let said = |node: &Node| render(node).map(|value| text(&value));
    let mut rules = None;
    let (text, shown) = match &check.look {
        Look::Command(node) => {
            let line = said(node)?;
            let words = words::split(&line).map_err(|error| node.error(error))?;
            let words: Vec<Vec<u8>> = words.iter().map(|word| expand::word(word.as_bytes())).collect();
            (words.join(&b' '), line)
        }
        Look::Shell(node) => {
            let line = said(node)?;
            (line.clone().into_bytes(), line)
        }
        Look::Disks(node) => {
            let filled = DiskRules::filled(node, &mut |node| render(node))?;
            let text = disks::command(&filled);
            rules = Some(filled);
            (text, "which disks there are, and what is on them".to_owned())
        }
        Look::Programs(node) => {
            let names: Vec<String> = match render(node)? {
                Json::Array(items) => items.iter().map(self::text).collect(),
                other => vec![self::text(&other)],
            };
            (programs(&names), format!("command -v {}", names.join(" ")))
        }
        Look::Space(node) => {
            let mut wanted = Vec::new();
            for (path, size) in node.as_map().unwrap_or_default() {
                let bytes = parse_size(&said(size)?).map_err(|error| size.error(error))?;
                wanted.push((said(path)?, bytes));
            }
            let paths: Vec<&str> = wanted.iter().map(|(path, _)| path.as_str()).collect();
            (space(&wanted), format!("df {}", paths.join(" ")))
        }
    };
    let text = match check.look {
        Look::Disks(_) => text,
        Look::Command(_) | Look::Shell(_) | Look::Programs(_) | Look::Space(_) => [LANGUAGE.as_bytes(), &text].concat(),
    };
    if text.contains(&0) {
        return Err(Diagnostic::new("a NUL byte in a command").at(check.at.clone()));
    }
    Ok(Question { text, shown, rules })
}

fn text(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// One line a program: `NAME: there` or `NAME: missing`.
fn programs(names: &[String]) -> Vec<u8> {
    let mut text = b"PATH=$PATH:/usr/sbin:/sbin\nfor program in".to_vec();
    for name in names {
        text.push(b' ');
        text.extend(quote(name));
    }
    text.extend_from_slice(
        b"; do\n    if command -v \"$program\" >/dev/null 2>&1; then\n        echo \"$program: there\"\n    else\n        \
          echo \"$program: missing\"\n    fi\ndone\n",
    );
    text
}

/// One line a path, which changes only when there is not enough any more, or enough again.
fn space(wanted: &[(String, u64)]) -> Vec<u8> {
    let mut text = b"look() {\n    free=$(df -P -k \"$1\" 2>/dev/null | awk 'NR == 2 { print $4 }')\n    \
                     if [ -z \"$free\" ]; then\n        echo \"$1: nobody can tell what is free\"\n    \
                     elif [ \"$free\" -ge \"$2\" ]; then\n        echo \"$1: $3 free\"\n    else\n        \
                     echo \"$1: less than $3 free\"\n    fi\n}\n"
        .to_vec();
    for (path, bytes) in wanted {
        text.extend_from_slice(b"look ");
        text.extend(quote(path));
        text.extend_from_slice(format!(" {} ", bytes.div_ceil(1024)).as_bytes());
        text.extend(quote(show_size(*bytes)));
        text.push(b'\n');
    }
    text
}

/// Looks at an answer. `Err`: it is none, and why.
pub(super) fn look(
    shared: &Shared,
    check: &Check,
    question: &Question,
    reply: &Reply,
    host: &HostName,
    scope: &Scope,
) -> Result<Seen, String> {
    if reply.cut {
        return Err(format!("the answer has more than {LONGEST} bytes"));
    }
    let rc = reply.rc.unwrap_or(-1);
    if !check.rc.contains(&rc) {
        let said = [&reply.stderr, &reply.stdout]
            .into_iter()
            .find_map(|out| last_line(out));
        return Err(match said {
            Some(said) => format!("rc={rc}: {said}"),
            None => format!("rc={rc}, and nothing was said"),
        });
    }
    let raw = String::from_utf8_lossy(&reply.stdout);
    let mut seen = Seen {
        lines: Vec::new(),
        problems: Vec::new(),
        note: None,
        disk: Json::Null,
    };
    if let Some(rules) = &question.rules {
        let found = disks::judge(rules, &disks::Machine::read(&raw)?);
        (seen.lines, seen.problems) = (found.lines, found.problems);
        (seen.note, seen.disk) = (found.note, found.roles);
    } else {
        seen.lines = lines(&raw);
        if matches!(check.look, Look::Programs(_) | Look::Space(_)) {
            let bad = |line: &&String| {
                let says = line.rsplit(": ").next().unwrap_or_default();
                says == "missing" || says.starts_with("less than") || says.starts_with("nobody")
            };
            seen.problems = seen.lines.iter().filter(bad).cloned().collect();
        }
    }
    let plain = seen.lines.clone();
    seen.lines = check.normaliser.lines(&seen.lines, host.as_str());
    if check.sorted {
        seen.lines.sort();
    }
    let scope = scope.with(Arc::new(variables(reply, rc, &raw, &seen.disk)));
    demands(shared, check, &plain, &mut seen, host, &scope);
    Ok(seen)
}

/// `answer`, and `disk` when the check is about disks.
fn variables(reply: &Reply, rc: i32, raw: &str, disk: &Json) -> VarMap {
    let stdout = raw.trim_end_matches(['\r', '\n']);
    let answer = json!({
        "stdout": stdout,
        "stdout_lines": stdout.lines().collect::<Vec<_>>(),
        "stderr": String::from_utf8_lossy(&reply.stderr).trim_end(),
        "rc": rc,
    });
    let mut map = VarMap::new();
    map.insert("answer".to_owned(), Var::Data(from_json(&answer)));
    if !disk.is_null() {
        map.insert("disk".to_owned(), Var::Data(from_json(disk)));
    }
    map
}

/// `expect`, `baseline` and `that`.
fn demands(shared: &Shared, check: &Check, plain: &[String], seen: &mut Seen, host: &HostName, scope: &Scope) {
    let demand = &check.demand;
    let mut problems = Vec::new();
    let ordered = |mut lines: Vec<String>| {
        if check.sorted {
            lines.sort();
        }
        lines
    };
    if !demand.expect.is_empty() {
        let mut wanted = Vec::new();
        for node in &demand.expect {
            match shared.templar.render(node, scope) {
                Ok(value) => wanted.push(lines(&text(&to_json(&value)))),
                Err(error) => problems.push(explain(&error)),
            }
        }
        let fits = |wanted: &Vec<String>| ordered(check.normaliser.lines(wanted, host.as_str())) == seen.lines;
        if !wanted.iter().any(fits) && problems.is_empty() {
            let wanted: Vec<String> = wanted.iter().map(|lines| short(lines)).collect();
            problems.push(format!(
                "it is {} instead of {}",
                short(&seen.lines),
                wanted.join(" or ")
            ));
        }
    }
    if let Some(baseline) = &demand.baseline {
        let (path, baseline) = baseline.as_ref();
        match baseline.of(host.as_str()) {
            None => problems.push(format!("the baseline `{}` does not know this host", path.display())),
            Some(wanted) => {
                let (wanted, found) = if baseline.normalise.is_empty() {
                    (check.normaliser.lines(wanted, host.as_str()), seen.lines.clone())
                } else {
                    let masks = Normaliser::new(baseline.normalise.iter().copied());
                    (wanted.to_vec(), masks.lines(plain, host.as_str()))
                };
                let other = difference(&ordered(wanted), &ordered(found));
                if !other.is_empty() {
                    problems.push(format!("not as in the baseline `{}`: {}", path.display(), few(&other)));
                }
            }
        }
    }
    for condition in &demand.that {
        match shared.templar.condition(condition, scope) {
            Ok(true) => {}
            Ok(false) => problems.push(format!("not true: {}", condition.scalar_text().unwrap_or_default())),
            Err(error) => problems.push(explain(&error)),
        }
    }
    seen.problems.extend(problems);
}

fn few(lines: &[String]) -> String {
    let mut text = lines
        .iter()
        .take(NAMED)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(" | ");
    if lines.len() > NAMED {
        text.push_str(&format!(" | and {} more", lines.len() - NAMED));
    }
    text
}

/// An answer in a sentence.
fn short(lines: &[String]) -> String {
    match lines {
        [] => "nothing".to_owned(),
        [line] => format!("`{line}`"),
        [first, ..] => format!("`{first}` and {} more lines", lines.len() - 1),
    }
}

/// The lines of an answer, without blanks at their ends and without empty ones at the end.
fn lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(|line| line.trim_end().to_owned()).collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines
}

fn last_line(out: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(out);
    let line = text.lines().rfind(|line| !line.trim().is_empty())?;
    Some(line.trim().chars().take(300).collect())
}
