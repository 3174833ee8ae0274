//! What kind of result a task had on a host: how it ended, and the words of what a command said, without what differs
//! between hosts that are alike.

use std::collections::HashSet;

use serde_json::Value as Json;

use crate::event::{Lost, Status, TaskReport};
use crate::layout::Normaliser;
use crate::plan::canary::Compared;
use crate::preflight::Evidence;

/// Lines of one output that are compared.
const LONGEST: usize = 2000;

/// One kind of result or answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kind {
    /// SHA-256 of the lines, hexadecimal.
    pub digest: String,
    /// What is compared.
    pub lines: Vec<String>,
    /// The host failed with it.
    pub bad: bool,
}

impl Kind {
    /// The kind with these lines.
    pub fn new(lines: Vec<String>, bad: bool) -> Self {
        let digest = Evidence::digest(lines.join("\n").as_bytes());
        Self { digest, lines, bad }
    }
}

/// How output becomes words that can be compared.
pub struct Words<'a> {
    normaliser: Normaliser,
    hide: Box<dyn Fn(&str) -> String + Send + Sync + 'a>,
}

impl<'a> Words<'a> {
    /// `hide` takes secrets away: what an earlier run left in its journal has none.
    pub fn new(hide: impl Fn(&str) -> String + Send + Sync + 'a) -> Self {
        Self {
            normaliser: Normaliser::all(),
            hide: Box::new(hide),
        }
    }

    /// The kind of a result; `None`: it cannot be compared, because the journal does not have it whole.
    pub fn kind(&self, report: &TaskReport, compared: Compared) -> Option<Kind> {
        let bad = !report.status.is_good() && !report.ignored && !report.rescued;
        if compared == Compared::Failures && !bad {
            return Some(Kind::new(Vec::new(), false));
        }
        let mut lines = vec![format!("outcome: {}", outcome(report))];
        if compared != Compared::Words || report.result.get("censored").is_some() {
            return Some(Kind::new(lines, bad));
        }
        if report.did.lost == Some(Lost::Large) {
            return None;
        }
        let host = report.host.as_str();
        if let Some(rc) = report.rc {
            lines.push(format!("rc: {rc}"));
            lines.extend(self.lines(&report.stdout, "", host));
            lines.extend(self.lines(&report.stderr, "stderr: ", host));
        }
        if bad {
            lines.extend(self.lines(&report.msg, "msg: ", host));
        }
        let items = report.result.get("results").and_then(Json::as_array);
        // How many items there are may differ; what kinds of them there are may not.
        let mut seen = HashSet::new();
        for item in items.into_iter().flatten().filter(|_| report.looped) {
            let of_item = self.item(item, host);
            if seen.insert(of_item.clone()) {
                lines.extend(of_item);
            }
        }
        Some(Kind::new(lines, bad))
    }

    /// One pass of a loop.
    fn item(&self, item: &Json, host: &str) -> Vec<String> {
        let is = |key: &str| item.get(key) == Some(&Json::Bool(true));
        let text = |key: &str| item.get(key).and_then(Json::as_str).unwrap_or_default();
        let ended = ["failed", "skipped", "changed"]
            .into_iter()
            .find(|key| is(key))
            .unwrap_or("ok");
        let mut lines = vec![format!("item: {ended}")];
        if is("_ansible_no_log") {
            return lines;
        }
        if let Some(rc) = item.get("rc").and_then(Json::as_i64) {
            lines.push(format!("item rc: {rc}"));
            lines.extend(self.lines(text("stdout"), "", host));
            lines.extend(self.lines(text("stderr"), "stderr: ", host));
        }
        lines
    }

    /// The words of an output, line by line: what differs between hosts that are alike is masked, a row of numbers is one
    /// number, and how far words stand from each other means nothing.
    fn lines(&self, text: &str, before: &str, host: &str) -> Vec<String> {
        let line = |line: &str| {
            let mut line = self.normaliser.line(&(self.hide)(line), host);
            for row in ["<number>.<number>", "<number>,<number>"] {
                while line.contains(row) {
                    line = line.replace(row, "<number>");
                }
            }
            let words: Vec<&str> = line.split_whitespace().collect();
            words.join(" ")
        };
        text.lines()
            .take(LONGEST)
            .map(line)
            .filter(|line| !line.is_empty())
            .map(|line| format!("{before}{line}"))
            .collect()
    }
}

/// How a task ended, in words.
fn outcome(report: &TaskReport) -> String {
    let word = match report.status {
        Status::Skipped => "skipped",
        Status::Ok => "ok",
        Status::Changed => "changed",
        Status::Failed => "failed",
        Status::TimedOut => "timed out",
        Status::Unreachable => "unreachable",
        Status::InDoubt => "in doubt",
    };
    let bad = !report.status.is_good();
    match (bad && report.ignored, bad && report.rescued, report.refused.is_some()) {
        (true, _, _) => format!("{word}, ignored"),
        (_, true, _) => format!("{word}, rescued"),
        (_, _, true) => "refused".to_owned(),
        (false, false, false) => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn words() -> Words<'static> {
        Words::new(|text| text.replace("hunter2", "********"))
    }

    fn command(host: &str, status: Status, rc: i64, stdout: &str) -> TaskReport {
        TaskReport {
            rc: Some(rc),
            stdout: stdout.to_owned(),
            ..TaskReport::bare(&host.into(), "t", status, "")
        }
    }

    fn kind(report: &TaskReport) -> Kind {
        words().kind(report, Compared::Words).unwrap()
    }

    #[test]
    fn hosts_that_are_alike_say_the_same_kind_of_thing() {
        let a = command(
            "web01.example.org",
            Status::Changed,
            0,
            "web01: 3 files in 1.25 s\n   size   7\n\n",
        );
        let b = command(
            "web02.example.org",
            Status::Changed,
            0,
            "web02: 12 files in 2 s\n size 120\n",
        );
        assert_eq!(kind(&a), kind(&b));
        assert_eq!(
            kind(&a).lines,
            [
                "outcome: changed",
                "rc: 0",
                "<hostname>: <number> files in <number> s",
                "size <number>"
            ]
        );
        let other = command(
            "web02.example.org",
            Status::Changed,
            0,
            "web02: 12 links in 2 s\nsize 120\n",
        );
        assert_ne!(kind(&a), kind(&other));
        assert_ne!(
            kind(&a),
            kind(&command(
                "web02",
                Status::Changed,
                1,
                "web02: 12 files in 2 s\nsize 120\n"
            ))
        );
    }

    #[test]
    fn how_it_ended_is_what_counts_where_nothing_was_said() {
        let ended = |status| kind(&TaskReport::bare(&"a".into(), "t", status, "no space on /var/7"));
        assert_eq!(ended(Status::Ok).lines, ["outcome: ok"]);
        assert_eq!(
            ended(Status::Failed).lines,
            ["outcome: failed", "msg: no space on /var/<number>"]
        );
        assert!(ended(Status::Failed).bad && !ended(Status::Changed).bad);
        let mut ignored = TaskReport::bare(&"a".into(), "t", Status::Failed, "x");
        ignored.ignored = true;
        assert_eq!(kind(&ignored).lines, ["outcome: failed, ignored"]);
        assert!(!kind(&ignored).bad);
    }

    #[test]
    fn what_no_log_hides_is_compared_by_its_outcome_only() {
        let mut a = command("a", Status::Changed, 0, "");
        a.result = json!({"censored": "hidden", "changed": true});
        (a.rc, a.stdout) = (None, "secret".to_owned());
        assert_eq!(kind(&a).lines, ["outcome: changed"]);
        let secret = kind(&command("a", Status::Ok, 0, "password hunter2"));
        assert_eq!(secret.lines[2], "password ********");
    }

    #[test]
    fn less_is_compared_when_less_is_asked_for() {
        let (a, b) = (command("a", Status::Ok, 0, "x"), command("a", Status::Ok, 0, "y"));
        let of = |report, compared| words().kind(report, compared).unwrap();
        assert_eq!(of(&a, Compared::Status), of(&b, Compared::Status));
        let changed = command("a", Status::Changed, 0, "x");
        assert_ne!(of(&a, Compared::Status), of(&changed, Compared::Status));
        assert_eq!(of(&a, Compared::Failures), of(&changed, Compared::Failures));
        assert!(of(&command("a", Status::Failed, 1, ""), Compared::Failures).bad);
    }

    #[test]
    fn a_loop_is_compared_by_the_kinds_of_its_items() {
        let looped = |items: Json| {
            let mut report = TaskReport::bare(&"a".into(), "t", Status::Changed, "");
            (report.looped, report.result) = (true, json!({"results": items}));
            kind(&report)
        };
        let one = json!({"changed": true, "rc": 0, "stdout": "done 1", "stderr": ""});
        let two = json!({"changed": true, "rc": 0, "stdout": "done 2", "stderr": ""});
        let odd = json!({"changed": true, "rc": 0, "stdout": "odd", "stderr": ""});
        assert_eq!(looped(json!([one])), looped(json!([one, two])));
        assert_ne!(looped(json!([one])), looped(json!([one, odd])));
        let hidden = json!({"changed": true, "rc": 0, "stdout": "odd", "_ansible_no_log": true});
        assert_eq!(looped(json!([hidden])).lines, ["outcome: changed", "item: changed"]);
    }
}
