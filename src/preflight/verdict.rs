//! From the answers of all hosts to one check's verdict. Each answer is looked at once, so it takes as long as there are
//! hosts, however different they are.

use std::collections::HashMap;

use indexmap::IndexMap;

use crate::event::Status;
use crate::event::preflight::{Decision, PreflightLayout, PreflightNote, PreflightRefusal, PreflightVerdict};
use crate::layout::{Layouts, difference};
use crate::names::HostName;
use crate::plan::preflight::{Check, OnMismatch};
use crate::preflight::evidence::{Evidence, Standing};

/// Layouts that are shown with their lines, beside the most common one.
const SHOWN: usize = 20;
/// Lines of a layout that are shown.
const LINES: usize = 100;
/// Characters of a line that are shown.
const WIDTH: usize = 400;
/// Hosts that the way on names one by one.
const NAMED: usize = 8;

/// What one host came to in one check.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// `when` says that it does not concern it.
    NotAsked,
    /// It did not answer; that is never a pass.
    Silent {
        /// How.
        status: Status,
        /// Why.
        reason: String,
    },
    /// It answered.
    Answered {
        /// What, normalised.
        lines: Vec<String>,
        /// What in it is not as demanded of each host.
        problems: Vec<String>,
        /// What is good to know.
        note: Option<String>,
        /// How it stands to the run before.
        standing: Standing,
    },
}

/// A host that did not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Which.
    pub host: HostName,
    /// `failed`, or how it was not heard.
    pub status: Status,
    /// Why.
    pub reason: String,
}

/// What a check came to.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// For the outputs.
    pub told: PreflightVerdict,
    /// Who did not pass.
    pub refused: Vec<Refused>,
}

/// Why an answer that is fine by itself did not pass.
const ODD: &str = "its answer is not that of most hosts";
const NEW: &str = "its answer is none of those that the run before approved";
const UNCLEAR: &str = "the answers differ, and none of them is clearly that of most hosts";

/// Judges one check. The hosts come in inventory order; `before` are the layouts that the run before has approved.
pub fn judge(check: &Check, outcomes: &[(&HostName, &Outcome)], before: Option<&[String]>) -> Verdict {
    let mut refused: Vec<Option<Refused>> = outcomes
        .iter()
        .map(|(host, outcome)| by_itself(host, outcome))
        .collect();
    let places: HashMap<&str, usize> = outcomes.iter().map(|(host, _)| host.as_str()).zip(0..).collect();
    let layouts = Layouts::of(outcomes.iter().filter_map(|(host, outcome)| match outcome {
        Outcome::Answered { lines, standing, .. } if !is_exempt(*standing) => Some((host.to_string(), lines.clone())),
        Outcome::Answered { .. } | Outcome::NotAsked | Outcome::Silent { .. } => None,
    }));
    for (number, reason) in odd_layouts(check.demand.most, &layouts, before) {
        for host in layouts.groups.get(number).into_iter().flat_map(|group| &group.hosts) {
            let Some(at) = places.get(host.as_str()) else { continue };
            if let (Some(slot), Some((host, _))) = (refused.get_mut(*at), outcomes.get(*at)) {
                slot.get_or_insert_with(|| Refused {
                    host: (*host).clone(),
                    status: Status::Failed,
                    reason: reason.to_owned(),
                });
            }
        }
    }
    let silent = |at: &usize| matches!(outcomes.get(*at), Some((_, Outcome::Silent { .. })));
    let bad: Vec<usize> = (0..outcomes.len())
        .filter(|at| refused.get(*at).is_some_and(Option::is_some))
        .collect();
    let mute = bad.iter().filter(|at| silent(at)).count();
    let asked = outcomes
        .iter()
        .filter(|(_, outcome)| !matches!(outcome, Outcome::NotAsked))
        .count();
    let refused: Vec<Refused> = refused.into_iter().flatten().collect();
    let count = Count {
        asked,
        odd: bad.len() - mute,
        mute,
        layouts: layouts.groups.len(),
    };
    let decision = count.decision(check);
    let told = PreflightVerdict {
        check: check.name.clone(),
        path: format!("{}:{}", check.at.file.path.display(), check.at.line),
        decision,
        hosts: asked,
        layouts: shown(&layouts, &refused, &places, outcomes),
        refused: grouped(&refused, &places, outcomes),
        notes: notes(outcomes),
        msg: count.words(check, decision),
        help: count.way_on(check, decision, &refused),
    };
    Verdict { told, refused }
}

/// What is wrong with a host whatever the others say.
fn by_itself(host: &HostName, outcome: &Outcome) -> Option<Refused> {
    let (status, reason) = match outcome {
        Outcome::Silent { status, reason } => (*status, reason.clone()),
        Outcome::Answered { problems, standing, .. } if !problems.is_empty() && !is_exempt(*standing) => {
            (Status::Failed, problems.join("; "))
        }
        Outcome::NotAsked | Outcome::Answered { .. } => return None,
    };
    let host = host.clone();
    Some(Refused { host, status, reason })
}

/// The run before has approved what is there, or made it: it is not compared with the others.
fn is_exempt(standing: Standing) -> bool {
    match standing {
        Standing::AsApproved | Standing::AsLeft | Standing::InDoubt => true,
        Standing::New | Standing::Changed => false,
    }
}

/// The numbers of the layouts that are odd, and why.
fn odd_layouts(most: Option<usize>, layouts: &Layouts, before: Option<&[String]>) -> Vec<(usize, &'static str)> {
    let Some(most) = most else { return Vec::new() };
    let groups = || layouts.groups.iter().enumerate().rev();
    if let Some(before) = before {
        // The largest of those that are new, as many as may still come.
        let room = most.saturating_sub(before.len());
        let new = groups().filter(|(_, group)| !before.contains(&digest(&group.lines)));
        return new.skip(room).map(|(number, _)| (number, NEW)).collect();
    }
    if layouts.groups.len() <= most {
        return Vec::new();
    }
    let sizes: Vec<usize> = groups().map(|(_, group)| group.hosts.len()).collect();
    let all: usize = sizes.iter().sum();
    let usual: usize = sizes.iter().take(most).sum();
    let last = most.checked_sub(1).and_then(|last| sizes.get(last));
    // A tie: nobody knows which of them is the odd one.
    let is_clear = usual * 2 > all && last > sizes.get(most);
    let (skipped, reason) = if is_clear { (most, ODD) } else { (0, UNCLEAR) };
    groups().skip(skipped).map(|(number, _)| (number, reason)).collect()
}

/// What a layout is known by in later runs.
fn digest(lines: &[String]) -> String {
    Evidence::digest(lines.join("\n").as_bytes())
}

/// The numbers of a verdict.
struct Count {
    asked: usize,
    odd: usize,
    mute: usize,
    layouts: usize,
}

impl Count {
    fn decision(&self, check: &Check) -> Decision {
        let follows = |count: usize, action: OnMismatch| match (count, action) {
            (0, _) => Decision::Passed,
            (_, OnMismatch::Drop) => Decision::Drop,
            (_, OnMismatch::Ask) => Decision::Ask,
            (_, OnMismatch::Stop) => Decision::Stop,
        };
        let decision = follows(self.odd, check.on_mismatch).max(follows(self.mute, check.on_no_answer));
        let too_few = (self.asked - self.odd - self.mute) * 2 <= self.asked;
        match decision {
            Decision::Drop | Decision::Ask if too_few => Decision::Stop,
            other => other,
        }
    }

    fn words(&self, check: &Check, decision: Decision) -> String {
        let mut words = Vec::new();
        if self.odd > 0 {
            words.push(format!("{} of {} {} odd", self.odd, hosts(self.asked), are(self.odd)));
        }
        if self.mute > 0 {
            words.push(if self.odd > 0 {
                format!("{} did not answer", self.mute)
            } else {
                format!("{} of {} did not answer", self.mute, hosts(self.asked))
            });
        }
        if words.is_empty() {
            words.push(match (self.asked, self.layouts) {
                (0, _) => "no host was asked".to_owned(),
                // The run before answers for them: they are not compared.
                (asked, 0) => hosts(asked),
                (asked, 1) => format!("{}, 1 layout", hosts(asked)),
                (asked, layouts) => format!("{}, {layouts} layouts", hosts(asked)),
            });
        }
        let wanted_less = check.on_mismatch != OnMismatch::Stop && check.on_no_answer != OnMismatch::Stop;
        if decision == Decision::Stop && wanted_less {
            words.push("what is left is not more than half of them".to_owned());
        }
        words.join(", ")
    }

    /// What can be done, the safest first.
    fn way_on(&self, check: &Check, decision: Decision, refused: &[Refused]) -> Vec<String> {
        let mut way = Vec::new();
        if decision == Decision::Passed {
            return way;
        }
        let too_few = (self.asked - self.odd - self.mute) * 2 <= self.asked;
        if too_few {
            way.push("look at the answers: `batchssh audit` shows which host says what".to_owned());
        } else if refused.len() <= NAMED {
            let names: Vec<String> = refused.iter().map(|refused| format!("!{}", refused.host)).collect();
            way.push(format!(
                "mend them, or leave them out: --limit 'all:{}'",
                names.join(":")
            ));
        } else {
            way.push("mend them, or leave them out with --limit".to_owned());
        }
        let more = self.layouts.min(SHOWN);
        if self.odd > 0 && check.demand.most.is_some_and(|most| more > most) && more == self.layouts {
            way.push(format!(
                "when all of these layouts are right: `max_layouts: {}`",
                self.layouts
            ));
        }
        if refused.iter().any(|refused| refused.reason == NEW) {
            way.push("to compare all hosts anew: `batchssh run` instead of retry or resume".to_owned());
        }
        if decision == Decision::Stop && !too_few {
            if self.odd > 0 && check.on_mismatch == OnMismatch::Stop {
                way.push("to go on without such hosts: `on_mismatch: drop`, or `ask`".to_owned());
            } else if self.mute > 0 && check.on_no_answer == OnMismatch::Stop {
                way.push("to go on without silent hosts: `on_no_answer: drop`, or `ask`".to_owned());
            }
        }
        way
    }
}

pub(crate) fn hosts(count: usize) -> String {
    if count == 1 {
        "1 host".to_owned()
    } else {
        format!("{count} hosts")
    }
}

fn are(count: usize) -> &'static str {
    if count == 1 { "is" } else { "are" }
}

type Places<'a> = HashMap<&'a str, usize>;

/// Names in the order of the inventory.
fn in_order(names: impl Iterator<Item = usize>, outcomes: &[(&HostName, &Outcome)]) -> Vec<HostName> {
    let mut places: Vec<usize> = names.collect();
    places.sort_unstable();
    places
        .into_iter()
        .filter_map(|at| Some(outcomes.get(at)?.0.clone()))
        .collect()
}

fn shown(
    layouts: &Layouts,
    refused: &[Refused],
    places: &Places<'_>,
    outcomes: &[(&HostName, &Outcome)],
) -> Vec<PreflightLayout> {
    let bad: std::collections::HashSet<&str> = refused.iter().map(|refused| refused.host.as_str()).collect();
    let common = layouts.groups.last();
    let last = layouts.groups.len().saturating_sub(1);
    let layout = |(number, group): (usize, &crate::layout::Layout)| {
        let is_shown = number < SHOWN || number == last;
        let usual = common.filter(|_| is_shown && number != last);
        PreflightLayout {
            hosts: in_order(
                group.hosts.iter().filter_map(|host| places.get(host.as_str()).copied()),
                outcomes,
            ),
            lines: if is_shown { cut(&group.lines) } else { Vec::new() },
            digest: digest(&group.lines),
            odd: group.hosts.iter().all(|host| bad.contains(host.as_str())),
            difference: usual
                .map(|usual| cut(&difference(&usual.lines, &group.lines)))
                .unwrap_or_default(),
        }
    };
    layouts.groups.iter().enumerate().map(layout).collect()
}

fn cut(lines: &[String]) -> Vec<String> {
    within(lines, LINES, WIDTH)
}

/// At most so many lines, and so many characters of each; what is left out is counted.
pub(crate) fn within(lines: &[String], most: usize, width: usize) -> Vec<String> {
    let mut out: Vec<String> = lines
        .iter()
        .take(most)
        .map(|line| line.chars().take(width).collect())
        .collect();
    if lines.len() > most {
        out.push(format!("… {} more lines", lines.len() - most));
    }
    out
}

/// Hosts with the same reason together.
fn grouped(refused: &[Refused], places: &Places<'_>, outcomes: &[(&HostName, &Outcome)]) -> Vec<PreflightRefusal> {
    let mut groups: IndexMap<(&str, bool), Vec<usize>> = IndexMap::new();
    for one in refused {
        let Some(&at) = places.get(one.host.as_str()) else {
            continue;
        };
        let silent = matches!(outcomes.get(at), Some((_, Outcome::Silent { .. })));
        groups.entry((&one.reason, silent)).or_default().push(at);
    }
    let refusal = |((reason, silent), hosts): ((&str, bool), Vec<usize>)| PreflightRefusal {
        hosts: in_order(hosts.into_iter(), outcomes),
        reason: reason.chars().take(4 * WIDTH).collect(),
        silent,
    };
    groups.into_iter().map(refusal).collect()
}

fn notes(outcomes: &[(&HostName, &Outcome)]) -> Vec<PreflightNote> {
    let mut notes: IndexMap<&str, Vec<HostName>> = IndexMap::new();
    for (host, outcome) in outcomes {
        let Outcome::Answered { note, standing, .. } = outcome else {
            continue;
        };
        let standing = match standing {
            Standing::New => None,
            Standing::AsApproved => Some("as the run before approved it"),
            Standing::AsLeft => Some("as the run before left it"),
            Standing::InDoubt => Some(
                "not as the run before approved it, and a task is in doubt: dangerous tasks do not run here until it is resolved",
            ),
            Standing::Changed => Some("neither as the run before approved it nor as it left it"),
        };
        for text in standing.into_iter().chain(note.as_deref()) {
            notes.entry(text).or_default().push((*host).clone());
        }
    }
    let note = |(text, hosts): (&str, Vec<HostName>)| PreflightNote {
        hosts,
        text: text.to_owned(),
    };
    notes.into_iter().map(note).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{CompileOptions, compile};
    use crate::source::SourceFile;

    /// The only check of a play.
    fn check(text: &str) -> Check {
        let text = format!("- hosts: all\n  preflight:\n    - {text}\n");
        let options = CompileOptions {
            open: std::sync::Arc::new(move |path| Ok(SourceFile::new(path, text.as_str()))),
            ..CompileOptions::default()
        };
        let plan = compile(&["site.yml".into()], &options).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let play = std::sync::Arc::into_inner(plan.plays.into_iter().next().unwrap()).unwrap();
        play.preflight.into_iter().next().unwrap()
    }

    fn said(line: &str) -> Outcome {
        Outcome::Answered {
            lines: vec![line.to_owned()],
            problems: Vec::new(),
            note: None,
            standing: Standing::New,
        }
    }

    fn bad(problem: &str) -> Outcome {
        Outcome::Answered {
            lines: vec!["x".to_owned()],
            problems: vec![problem.to_owned()],
            note: None,
            standing: Standing::New,
        }
    }

    fn before(line: &str, standing: Standing) -> Outcome {
        Outcome::Answered {
            lines: vec![line.to_owned()],
            problems: vec!["not empty".to_owned()],
            note: None,
            standing,
        }
    }

    fn silent() -> Outcome {
        Outcome::Silent {
            status: Status::TimedOut,
            reason: "no answer".to_owned(),
        }
    }

    fn judged(text: &str, outcomes: &[Outcome]) -> Verdict {
        let names: Vec<HostName> = (1..=outcomes.len()).map(|n| HostName::new(format!("h{n}"))).collect();
        let pairs: Vec<(&HostName, &Outcome)> = names.iter().zip(outcomes).collect();
        judge(&check(text), &pairs, None)
    }

    /// The decision, and who is refused.
    fn outcome(text: &str, outcomes: &[Outcome]) -> (Decision, String) {
        let verdict = judged(text, outcomes);
        let names: Vec<&str> = verdict.refused.iter().map(|refused| refused.host.as_str()).collect();
        (verdict.told.decision, names.join(","))
    }

    const SAME: &str = "{command: x, same: true}";
    const DROP: &str = "{command: x, same: true, on_mismatch: drop}";

    #[test]
    fn same_is_exactly_one_layout() {
        let all = [said("a"), said("a"), said("a")];
        assert_eq!(outcome(SAME, &all), (Decision::Passed, String::new()));
        let odd = [said("a"), said("b"), said("a")];
        assert_eq!(outcome(SAME, &odd), (Decision::Stop, "h2".to_owned()));
        assert_eq!(outcome(DROP, &odd), (Decision::Drop, "h2".to_owned()));
        assert_eq!(
            outcome("{command: x, same: true, on_mismatch: ask}", &odd).0,
            Decision::Ask
        );
        assert_eq!(
            outcome("{command: x, max_layouts: 2}", &odd),
            (Decision::Passed, String::new())
        );
    }

    #[test]
    fn who_did_not_answer_has_not_passed_and_is_nobodys_equal() {
        let all = [said("a"), silent(), said("a")];
        assert_eq!(outcome(SAME, &all), (Decision::Stop, "h2".to_owned()));
        assert_eq!(outcome(DROP, &all), (Decision::Drop, "h2".to_owned()));
        let one_rule = "{command: x, same: true, on_no_answer: drop}";
        assert_eq!(outcome(one_rule, &all), (Decision::Drop, "h2".to_owned()));
        assert_eq!(
            outcome(one_rule, &[said("a"), silent(), said("b"), said("a"), said("a")]).0,
            Decision::Stop
        );
        assert_eq!(outcome(SAME, &[silent(), silent()]).0, Decision::Stop);
        let verdict = judged(SAME, &all);
        assert_eq!(verdict.refused[0].status, Status::TimedOut);
        assert!(verdict.told.refused[0].silent);
    }

    #[test]
    fn without_a_clear_majority_nobody_is_dropped() {
        let tie = [said("a"), said("b"), said("a"), said("b")];
        assert_eq!(outcome(DROP, &tie), (Decision::Stop, "h1,h2,h3,h4".to_owned()));
        let thirds = [said("a"), said("a"), said("b"), said("c")];
        assert_eq!(outcome(DROP, &thirds).0, Decision::Stop);
        // Two of the layouts may be, and the second place is shared.
        let shared = [said("a"), said("a"), said("a"), said("b"), said("c")];
        assert_eq!(
            outcome("{command: x, max_layouts: 2, on_mismatch: drop}", &shared).0,
            Decision::Stop
        );
        // Half of the hosts are not more than half.
        assert_eq!(
            outcome(DROP, &[said("a"), silent(), said("a"), silent()]).0,
            Decision::Stop
        );
    }

    #[test]
    fn what_is_demanded_of_each_host_has_nothing_to_do_with_the_others() {
        let all = [said("a"), bad("2 data disks instead of 12"), said("b")];
        let verdict = judged("{command: x, that: true}", &all);
        assert_eq!(verdict.told.decision, Decision::Stop);
        assert_eq!(verdict.refused[0].reason, "2 data disks instead of 12");
        assert_eq!(verdict.told.msg, "1 of 3 hosts is odd");
        assert!(
            verdict.told.help[0].contains("--limit 'all:!h2'"),
            "{:?}",
            verdict.told.help
        );
    }

    #[test]
    fn a_host_that_is_not_asked_is_not_judged() {
        let all = [said("a"), Outcome::NotAsked, said("a")];
        assert_eq!(outcome(SAME, &all), (Decision::Passed, String::new()));
        assert_eq!(judged(SAME, &all).told.hosts, 2);
        assert_eq!(outcome(SAME, &[Outcome::NotAsked]).0, Decision::Passed);
    }

    #[test]
    fn what_the_run_before_approved_or_left_passes_again() {
        let all = [
            before("formatted", Standing::AsLeft),
            said("empty"),
            before("half", Standing::InDoubt),
            before("as it was", Standing::AsApproved),
            said("empty"),
        ];
        let verdict = judged(SAME, &all);
        assert_eq!(verdict.told.decision, Decision::Passed);
        assert_eq!(verdict.told.layouts.len(), 1);
        let notes: Vec<&str> = verdict.told.notes.iter().map(|note| note.text.as_str()).collect();
        assert!(notes.iter().any(|note| note.contains("in doubt")), "{notes:?}");
        // Somebody else was there: judged as anybody.
        let changed = [before("other", Standing::Changed), said("empty"), said("empty")];
        assert_eq!(outcome(SAME, &changed), (Decision::Stop, "h1".to_owned()));
    }

    #[test]
    fn odd_hosts_do_not_become_usual_by_being_alone() {
        let names: Vec<HostName> = ["h7", "h8", "h9"].map(HostName::from).to_vec();
        let outcomes = [said("sdm"), said("sdm"), said("sda")];
        let pairs: Vec<(&HostName, &Outcome)> = names.iter().zip(&outcomes).collect();
        let first = judge(&check(SAME), &[(&names[2], &outcomes[2])], None);
        let approved = [first.told.layouts[0].digest.clone()];
        let retried = judge(&check(SAME), &pairs, Some(&approved));
        let refused: Vec<&str> = retried.refused.iter().map(|refused| refused.host.as_str()).collect();
        assert_eq!(refused, ["h7", "h8"]);
        assert_eq!(retried.refused[0].reason, NEW);
        let two = judge(&check("{command: x, max_layouts: 2}"), &pairs, Some(&approved));
        assert_eq!(two.told.decision, Decision::Passed, "one more layout may come");
    }

    #[test]
    fn the_verdict_shows_what_is_otherwise_and_the_way_on() {
        let verdict = judged(SAME, &[said("sda"), said("sdm"), said("sda")]).told;
        assert_eq!(verdict.layouts[0].difference, ["- sda", "+ sdm"]);
        assert!(verdict.layouts[0].odd && !verdict.layouts[1].odd);
        assert_eq!(verdict.msg, "1 of 3 hosts is odd");
        assert_eq!(
            verdict.help,
            [
                "mend them, or leave them out: --limit 'all:!h2'",
                "when all of these layouts are right: `max_layouts: 2`",
                "to go on without such hosts: `on_mismatch: drop`, or `ask`",
            ]
        );
    }

    #[test]
    fn r32_seven_thousand_different_answers_are_shown_in_bounds() {
        let all: Vec<Outcome> = (0..7000).map(|n| said(&format!("answer {n}"))).collect();
        let verdict = judged(SAME, &all);
        assert_eq!(verdict.refused.len(), 7000);
        assert_eq!(verdict.told.layouts.len(), 7000);
        let with_lines = verdict
            .told
            .layouts
            .iter()
            .filter(|layout| !layout.lines.is_empty())
            .count();
        assert_eq!(with_lines, SHOWN + 1);
        assert_eq!(verdict.told.refused.len(), 1);
    }
}
