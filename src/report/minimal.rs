//! The look of Ansible's ad-hoc command: `host | CHANGED | rc=0 >>` and the output below.

use super::terminal::{Colour, Terminal};
use super::{diff, json, text, words};
use crate::event::{Status, TaskReport};

/// The words that stand after the name of a host.
const HEADS: [&str; 7] = [
    "SUCCESS",
    "CHANGED",
    "FAILED",
    "UNREACHABLE!",
    "IN DOUBT!",
    "SKIPPED",
    "TIMED OUT",
];

/// The word for a result and its colour, as `oneline` shows it, too.
pub(super) fn head(status: Status) -> (&'static str, Colour) {
    match status {
        Status::Ok => ("SUCCESS", Colour::Green),
        Status::Changed => ("CHANGED", Colour::Yellow),
        Status::Failed => ("FAILED", Colour::Red),
        Status::TimedOut => ("TIMED OUT", Colour::Red),
        Status::Unreachable => ("UNREACHABLE!", Colour::BrightRed),
        Status::InDoubt => ("IN DOUBT!", Colour::BrightRed),
        Status::Skipped => ("SKIPPED", Colour::Cyan),
    }
}

/// One result.
pub(super) fn result(out: &mut String, report: &TaskReport, term: &Terminal, verbosity: u8) {
    let (word, colour) = head(report.status);
    let host = report.host.as_str();
    out.push_str(&diff::paint(&report.diff, term));
    let text = match report.rc {
        Some(rc) if verbosity < 3 => {
            let mut text = format!("{host} | {word} | rc={rc} >>");
            for line in text::lines(&report.stdout).chain(text::lines(&report.stderr)) {
                text.push('\n');
                // A host must not write a line that looks like another host's.
                if looks_like_a_head(&line) {
                    text.push_str("  ");
                }
                text.push_str(&line);
            }
            if rc != 0 || !report.status.is_good() {
                text.push('\n');
                text.push_str(&text::one_line(&report.msg));
            }
            text
        }
        _ if report.status == Status::Skipped => format!("{host} | {word}"),
        _ => {
            let mark = if report.status == Status::Failed { "!" } else { "" };
            format!(
                "{host} | {word}{mark} => {}",
                json::dump(&words::values(report), Some(4))
            )
        }
    };
    out.push_str(&term.paint(colour, &text));
    out.push('\n');
}

fn looks_like_a_head(line: &str) -> bool {
    line.split_once(" | ")
        .is_some_and(|(_, rest)| HEADS.iter().any(|head| rest.starts_with(head)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::{bad, command, report};

    fn shown(report: &TaskReport) -> String {
        let mut out = String::new();
        result(&mut out, report, &Terminal::plain(), 0);
        out
    }

    #[test]
    fn results_look_as_in_ansibles_ad_hoc_command() {
        assert_eq!(
            shown(&command("web1", Status::Changed, 0, "a\nb\n", "warn\n")),
            "web1 | CHANGED | rc=0 >>\na\nb\nwarn\n"
        );
        assert_eq!(
            shown(&command("web1", Status::Failed, 2, "", "no\n")),
            "web1 | FAILED | rc=2 >>\nno\nnon-zero return code\n"
        );
        assert_eq!(
            shown(&report("web1", "ping", Status::Ok)),
            "web1 | SUCCESS => {\n    \"changed\": false\n}\n"
        );
        assert_eq!(
            shown(&bad("web1", "t", Status::Unreachable, "no route")),
            "web1 | UNREACHABLE! => {\n    \"changed\": false,\n    \"msg\": \"no route\",\n    \"unreachable\": true\n}\n"
        );
    }

    #[test]
    fn a_host_cannot_write_the_line_of_another_host() {
        let forged = command("evil", Status::Changed, 0, "web1 | FAILED | rc=1 >>\n", "");
        assert_eq!(shown(&forged), "evil | CHANGED | rc=0 >>\n  web1 | FAILED | rc=1 >>\n");
    }
}
