//! What a result says, in the words every output shares: its reason in one line, its values as one object.

use serde_json::{Map, Value};

use super::{fold, text};
use crate::event::{Duplicates, Likeness, Status, TaskReport};
use crate::names::HostName;

/// Messages that say no more than the exit code does.
const EMPTY_WORDS: [&str; 2] = ["", "non-zero return code"];

/// Why a result is not good, in one safe line; never empty. A bare exit code is explained by the last thing said.
pub(crate) fn reason(report: &TaskReport) -> String {
    let message = report.msg.trim();
    if !EMPTY_WORDS.contains(&message) {
        return text::one_line(message);
    }
    let said = [&report.stderr, &report.stdout]
        .into_iter()
        .find_map(|out| text::lines(out).rfind(|line| !line.trim().is_empty()));
    match (report.rc, said) {
        (Some(rc), Some(said)) => format!("rc={rc}: {}", said.trim()),
        (Some(rc), None) => format!("rc={rc}, nothing was said"),
        (None, Some(said)) => said.trim().to_owned(),
        (None, None) => word(report.status).to_owned(),
    }
}

/// What a group of duplicates is, in one safe line.
pub(crate) fn duplicates(found: &Duplicates) -> String {
    let hosts = fold::fold(found.hosts.iter().map(HostName::as_str));
    let what = match found.likeness {
        Likeness::Machine => "are names of one machine",
        Likeness::Image => "are copies of one image: different machines with the same machine id and host key",
        Likeness::MachineId => "are different machines with the same machine id",
        Likeness::HostKey => "are different machines with the same host key",
    };
    let id = found.machine_id.as_ref().map(|id| format!("machine id {id}"));
    let key = found.host_key.as_ref().map(|key| format!("host key {key}"));
    let shared: Vec<String> = id.into_iter().chain(key).collect();
    text::one_line(&format!("duplicates: {hosts} {what} ({})", shared.join(", ")))
}

/// The word for a status as people read it.
pub(crate) fn word(status: Status) -> &'static str {
    match status {
        Status::TimedOut => "timed out",
        Status::InDoubt => "in doubt",
        other => other.as_str(),
    }
}

/// A reason made equal for hosts that differ only in their own name and in numbers. For grouping, not for showing.
pub(crate) fn masked(reason: &str, host: &str) -> String {
    let short = host.split('.').next().unwrap_or(host);
    let masked = replace_word(&replace_word(reason, host), short);
    let mut out = String::with_capacity(masked.len());
    let mut in_number = false;
    for c in masked.chars() {
        let digit = c.is_ascii_digit();
        if !digit {
            out.push(c);
        } else if !in_number {
            out.push('#');
        }
        in_number = digit;
    }
    out
}

/// A text with `{host}` in place of the host's own name, wherever that stands alone.
pub(crate) fn without_host(text: &str, host: &str) -> String {
    let short = host.split('.').next().unwrap_or(host);
    replace_word(&replace_word(text, host), short).replace('\u{1}', "{host}")
}

/// Replaces a word where it stands alone: the host `a` must not mask half of a sentence.
fn replace_word(text: &str, word: &str) -> String {
    let inside = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for (at, _) in text.match_indices(word).filter(|_| !word.is_empty()) {
        let (Some(between), Some(before), Some(after)) =
            (text.get(from..at), text.get(..at), text.get(at + word.len()..))
        else {
            continue;
        };
        out.push_str(between);
        if inside(before.chars().next_back()) || inside(after.chars().next()) {
            out.push_str(word);
        } else {
            out.push('\u{1}');
        }
        from = at + word.len();
    }
    out.push_str(text.get(from..).unwrap_or_default());
    out
}

/// All values of a result as Ansible registers them: the module's own keys and the common ones.
pub(crate) fn values(report: &TaskReport) -> Value {
    let mut map = match &report.result {
        Value::Object(map) => map.clone(),
        Value::Null => Map::new(),
        other => Map::from_iter([("result".to_owned(), other.clone())]),
    };
    let mut put = |key: &str, value: Value| {
        map.entry(key).or_insert(value);
    };
    if !report.msg.is_empty() {
        put("msg", Value::from(report.msg.as_str()));
    }
    if report.module != "debug" || !report.status.is_good() {
        put("changed", Value::from(report.status == Status::Changed));
    }
    if let Some(rc) = report.rc {
        put("rc", Value::from(rc));
        for (key, lines_key, out) in [
            ("stdout", "stdout_lines", &report.stdout),
            ("stderr", "stderr_lines", &report.stderr),
        ] {
            put(key, Value::from(out.as_str()));
            put(lines_key, out.lines().map(Value::from).collect());
        }
    }
    if report.status == Status::Unreachable {
        put("unreachable", Value::from(true));
    }
    if let Some(item) = &report.item {
        put("item", item.clone());
    }
    // Shown as lines of their own.
    for shown in ["warnings", "deprecations", "diff", "invocation"] {
        map.shift_remove(shown);
    }
    map.retain(|key, _| !key.starts_with("_ansible_"));
    if report.module == "debug" && report.status.is_good() {
        for noise in ["changed", "failed", "skipped"] {
            map.shift_remove(noise);
        }
    }
    Value::Object(map)
}

/// The label of a loop item: text as it is, other values as JSON.
pub(crate) fn item(report: &TaskReport) -> Option<String> {
    report.item.as_ref().map(|item| match item {
        Value::String(label) => text::one_line(label),
        other => super::json::dump(other, None),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::report::testing::{bad, command, report};

    #[test]
    fn a_bare_exit_code_is_explained_by_the_last_words() {
        let failed = |out, err| reason(&command("h", Status::Failed, 3, out, err));
        assert_eq!(failed("out\n", "first\nlast \n\n"), "rc=3: last");
        assert_eq!(failed("out\n", ""), "rc=3: out");
        assert_eq!(failed("", ""), "rc=3, nothing was said");
        assert_eq!(
            reason(&bad("h", "t", Status::Failed, "no\nway\u{1b}")),
            "no\\nway\\u{1b}"
        );
        assert_eq!(reason(&report("h", "t", Status::TimedOut)), "timed out");
    }

    #[test]
    fn reasons_that_differ_in_names_and_numbers_are_equal() {
        assert_eq!(
            masked("web01.example: disk 93% full", "web01.example"),
            masked("web02.example: disk 100% full", "web02.example")
        );
        assert_ne!(masked("no space", "a"), masked("no route", "a"));
        assert_eq!(masked("banana a", "a"), "banana \u{1}");
        assert_eq!(masked("é", ""), "é");
    }

    #[test]
    fn debug_shows_only_what_was_asked_for() {
        let mut debug = report("h", "t", Status::Ok);
        debug.module = "debug".to_owned();
        debug.result = json!({"msg": "hi", "changed": false, "_ansible_verbose_always": true});
        assert_eq!(values(&debug), json!({"msg": "hi"}));
    }
}
