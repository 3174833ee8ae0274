//! Waves against each other.

use std::sync::Arc;

use super::*;
use crate::event::canary::{CanaryVerdict, Subject, WavePlace};
use crate::event::preflight::Decision;
use crate::names::HostName;
use crate::plan::canary::Canary;
use crate::plan::{CompileOptions, compile};
use crate::preflight::evidence::Standing;
use crate::preflight::verdict::Outcome;
use crate::source::SourceFile;

fn canary(text: &str) -> Canary {
    let text = format!("- hosts: all\n  serial: 1\n  canary: {text}\n  tasks:\n    - ping:\n");
    let options = CompileOptions {
        open: Arc::new(move |path| Ok(SourceFile::new(path, text.as_str()))),
        ..CompileOptions::default()
    };
    let plan = compile(&["site.yml".into()], &options).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let play = Arc::into_inner(plan.plays.into_iter().next().unwrap()).unwrap();
    play.canary.unwrap()
}

fn task(name: &str) -> Subject {
    Subject::Task {
        id: name.to_owned(),
        nth: 0,
    }
}

/// One wave after the other.
struct Run {
    canary: Canary,
    waves: Waves,
    number: usize,
}

impl Run {
    fn new(text: &str) -> Self {
        Self {
            canary: canary(text),
            waves: Waves::default(),
            number: 0,
        }
    }

    /// A wave in which `(host, task, kind)` was shown; a kind that begins with `!` is a failure.
    fn wave(&mut self, shown: &[(&str, &str, &str)]) -> CanaryVerdict {
        self.judge(shown, &[])
    }

    fn judge(&mut self, shown: &[(&str, &str, &str)], answers: &[(&str, Outcome)]) -> CanaryVerdict {
        let mut wave = Wave::default();
        let mut hosts: Vec<HostName> = Vec::new();
        let mut failed: Vec<HostName> = Vec::new();
        for (host, name, kind) in shown {
            let host = HostName::from(*host);
            let bad = kind.starts_with('!');
            let named = Named {
                name: (*name).to_owned(),
                ..Named::default()
            };
            wave.note(
                task(name),
                &named,
                &host,
                Some(Kind::new(vec![(*kind).to_owned()], bad)),
                true,
            );
            if bad {
                failed.push(host.clone());
            }
            if !hosts.contains(&host) {
                hosts.push(host);
            }
        }
        let asked: Vec<HostName> = answers.iter().map(|(host, _)| HostName::from(*host)).collect();
        hosts.extend(
            asked
                .iter()
                .filter(|host| !hosts.contains(host))
                .cloned()
                .collect::<Vec<_>>(),
        );
        let through: Vec<HostName> = hosts.iter().filter(|host| !failed.contains(host)).cloned().collect();
        self.number += 1;
        let answers: Vec<Answers<'_>> = self
            .canary
            .checks
            .iter()
            .map(|check| Answers {
                check,
                outcomes: asked.iter().zip(answers.iter().map(|(_, outcome)| outcome)).collect(),
            })
            .collect();
        let occasion = Occasion {
            play: "p",
            place: WavePlace {
                number: 1,
                wave: self.number,
                waves: 9,
            },
            hosts: &hosts,
            through: &through,
            rest: 1,
        };
        let verdict = self.waves.judge(&self.canary, wave, &answers, &occasion).told;
        if verdict.decision == Decision::Passed {
            self.accept(&verdict);
        }
        verdict
    }

    /// As a later run does it: by way of the journal.
    fn accept(&mut self, verdict: &CanaryVerdict) {
        let line = serde_json::to_string(verdict).unwrap();
        self.waves.accept(&serde_json::from_str(&line).unwrap());
    }
}

fn said(line: &str) -> Outcome {
    Outcome::Answered {
        lines: vec![line.to_owned()],
        problems: Vec::new(),
        note: None,
        standing: Standing::New,
    }
}

fn found(verdict: &CanaryVerdict) -> Vec<String> {
    let one = |found: &crate::event::canary::CanaryFound| {
        let hosts: Vec<&str> = found.hosts.iter().map(HostName::as_str).collect();
        format!("{} {}", found.name, hosts.join(","))
    };
    verdict.found.iter().map(one).collect()
}

#[test]
fn what_any_wave_before_has_shown_is_nothing_new() {
    let mut run = Run::new("true");
    assert_eq!(run.wave(&[("a", "t", "x"), ("b", "t", "y")]).decision, Decision::Passed);
    assert_eq!(run.wave(&[("c", "t", "y")]).decision, Decision::Passed);
    let verdict = run.wave(&[("d", "t", "x"), ("e", "t", "z")]);
    assert_eq!(verdict.decision, Decision::Stop);
    assert_eq!(found(&verdict), ["t e"]);
    // Most hosts before said `y`.
    assert_eq!(
        (verdict.found[0].usual, verdict.found[0].difference.join(" ")),
        (2, "- y + z".to_owned())
    );
    assert_eq!(
        run.wave(&[("f", "t", "z")]).decision,
        Decision::Stop,
        "nobody has called it right"
    );
    run.accept(&verdict);
    assert_eq!(run.wave(&[("f", "t", "z")]).decision, Decision::Passed);
}

#[test]
fn a_task_that_a_host_did_not_come_to_is_compared_too() {
    let mut run = Run::new("true");
    run.wave(&[("a", "t", "x"), ("a", "u", "x")]);
    let fewer = run.wave(&[("b", "t", "x")]);
    assert_eq!(found(&fewer), ["u b"]);
    assert_eq!(fewer.found[0].difference, ["- x", "+ did not come to it"]);
    let more = run.wave(&[("b", "t", "x"), ("b", "u", "x"), ("b", "v", "x")]);
    assert_eq!(found(&more), ["v b"]);
    assert_eq!(more.found[0].difference, ["- did not come to it", "+ x"]);
    // In a wave that was right, some came and some did not.
    let mut run = Run::new("true");
    run.wave(&[("a", "t", "x"), ("b", "t", "x"), ("b", "u", "x")]);
    assert_eq!(run.wave(&[("c", "t", "x")]).decision, Decision::Passed);
    assert_eq!(run.wave(&[("c", "t", "x"), ("c", "u", "x")]).decision, Decision::Passed);
}

#[test]
fn a_failure_stops_the_first_wave_and_every_later_one_until_it_is_called_right() {
    let mut run = Run::new("true");
    let first = run.wave(&[("a", "t", "!boom"), ("b", "t", "x"), ("b", "u", "x")]);
    assert_eq!(first.decision, Decision::Stop);
    // That the host which failed came no further is no news of its own.
    assert_eq!(found(&first), ["t a"]);
    assert!(
        first.msg.starts_with("wave 1 of 9: 1 of 2 hosts did not pass"),
        "{}",
        first.msg
    );
    run.accept(&first);
    assert_eq!(run.wave(&[("c", "t", "!boom")]).decision, Decision::Passed);
    assert_eq!(run.wave(&[("c", "t", "!bang")]).decision, Decision::Stop);
}

#[test]
fn only_failures_count_when_nothing_else_is_asked_for() {
    let mut run = Run::new("[{results: failures, on_mismatch: ask}]");
    run.wave(&[("a", "t", "went well")]);
    assert_eq!(run.wave(&[("b", "u", "went well")]).decision, Decision::Ask);
    let mut run = Run::new("[{results: failures}]");
    run.wave(&[("a", "t", "went well"), ("a", "u", "went well")]);
    assert_eq!(run.wave(&[("b", "u", "went well")]).decision, Decision::Passed);
    assert_eq!(run.wave(&[("b", "u", "!boom")]).decision, Decision::Stop);
}

#[test]
fn answers_are_compared_as_the_check_demands() {
    let decide = |check: &str, waves: &[&[&str]]| {
        let mut run = Run::new(check);
        let mut last = Decision::Passed;
        for wave in waves {
            let names: Vec<String> = (0..wave.len()).map(|n| format!("h{n}")).collect();
            let answers: Vec<(&str, Outcome)> = names
                .iter()
                .map(String::as_str)
                .zip(wave.iter().map(|w| said(w)))
                .collect();
            last = run.judge(&[], &answers).decision;
        }
        last
    };
    let bare = "[{command: x}]";
    assert_eq!(decide(bare, &[&["1", "2"], &["2"]]), Decision::Passed);
    assert_eq!(decide(bare, &[&["1"], &["2"]]), Decision::Stop);
    let same = "[{command: x, same: true}]";
    assert_eq!(decide(same, &[&["1", "2"]]), Decision::Stop);
    assert_eq!(decide(same, &[&["1"], &["1", "2"]]), Decision::Stop);
    let two = "[{command: x, max_layouts: 2, on_mismatch: ask}]";
    assert_eq!(decide(two, &[&["1"], &["2"], &["1", "2"]]), Decision::Passed);
    assert_eq!(decide(two, &[&["1"], &["2"], &["3"]]), Decision::Ask);
    // What is judged by itself is not compared.
    assert_eq!(
        decide("[{command: x, that: true}]", &[&["1"], &["2"]]),
        Decision::Passed
    );
    assert_eq!(decide("[{programs: sh}]", &[&["1"], &["2"]]), Decision::Passed);
}

#[test]
fn a_host_without_an_answer_has_not_passed() {
    let silent = || Outcome::Silent {
        status: crate::event::Status::TimedOut,
        reason: "too slow".to_owned(),
    };
    let mut run = Run::new("[{command: x, on_no_answer: ask}]");
    let verdict = run.judge(&[], &[("a", silent()), ("b", said("1"))]);
    assert_eq!(
        (verdict.decision, found(&verdict)),
        (Decision::Ask, vec!["x a".to_owned()])
    );
    assert!(verdict.found[0].silent);
    let mut run = Run::new("[{command: x}]");
    assert_eq!(run.judge(&[], &[("a", silent())]).decision, Decision::Stop);
}

#[test]
fn seven_thousand_hosts_are_held_as_kinds() {
    let mut run = Run::new("true");
    run.wave(&[("first", "t", "0")]);
    let names: Vec<String> = (0..7000).map(|n| format!("h{n}")).collect();
    let mut wave = Wave::default();
    for (number, name) in names.iter().enumerate() {
        let kind = Kind::new(vec![format!("{}", number % 100)], false);
        wave.note(task("t"), &Named::default(), &name.as_str().into(), Some(kind), true);
    }
    let hosts: Vec<HostName> = names.iter().map(|name| name.as_str().into()).collect();
    let occasion = Occasion {
        play: "p",
        place: WavePlace::default(),
        hosts: &hosts,
        through: &hosts,
        rest: 0,
    };
    let verdict = run.waves.judge(&run.canary, wave, &[], &occasion);
    // One of the hundred kinds is known.
    assert_eq!(verdict.refused.len(), 7000 - 70);
    assert_eq!((verdict.told.found.len(), verdict.told.more), (SHOWN, 99 - SHOWN));
    assert_eq!(verdict.told.kinds.len(), 100);
    assert!(verdict.told.kinds.iter().filter(|kind| !kind.lines.is_empty()).count() <= SHOWN);
}
