//! Policies: found, bound to the inventory, and asked before anybody is contacted.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use crate::cli::conduct::{Occasion, run_started};
use crate::cli::secrets::Secrets;
use crate::cli::setup::Setup;
use crate::engine::{hide, windows};
use crate::event::EventKind;
use crate::names::HostName;
use crate::plan::{Plan, Play};
use crate::policy::{self, Bound, Limit, Policy, Violation};
use crate::report::Sink;
use crate::report::delivery::Reporter;
use crate::report::fold::fold_into;
use crate::report::journal::Journal;
use crate::source::{Diagnostic, Diagnostics, SourceFile, visible};

/// The file that is looked for beside a playbook.
const BESIDE: &str = "policy.toml";

/// Most violations that are shown in full.
const SHOWN: usize = 20;
/// Columns for the names of hosts in a message.
const WIDTH: usize = 60;

/// What the policies say about a run.
pub enum Verdict {
    /// Nothing is against them.
    Admitted,
    /// It was told what is against them, and nothing was contacted.
    Refused,
}

/// Reads the policies that apply: those named by `--policy` and the setting, and `policy.toml` in each of the folders.
pub fn find(named: &[PathBuf], folders: &[&Path]) -> Result<Policy, Diagnostics> {
    let mut paths: Vec<PathBuf> = named.to_vec();
    let beside = folders.iter().map(|folder| folder.join(BESIDE));
    paths.extend(beside.filter(|path| path.is_file()));
    let mut policy = Policy::default();
    let mut seen = Vec::new();
    let mut mistakes = Vec::new();
    for path in paths {
        let whole = path.canonicalize().unwrap_or_else(|_| path.clone());
        if seen.contains(&whole) {
            continue;
        }
        seen.push(whole);
        match SourceFile::read(&path)
            .map_err(Diagnostics::from)
            .and_then(|file| policy::read(&file))
        {
            Ok(other) => policy.add(other),
            Err(more) => mistakes.extend(more.0),
        }
    }
    if mistakes.is_empty() {
        Ok(policy)
    } else {
        Err(Diagnostics(mistakes))
    }
}

impl Setup {
    /// Reads the policies for playbooks in these folders; the setting `yes_hosts` is one more limit.
    pub fn read_policies(&mut self, folders: &[&Path]) -> Result<(), Diagnostics> {
        let mut named = self.flags().hosts.policy.clone();
        named.extend(self.settings.policy.value.iter().cloned());
        let mut policy = find(&named, folders)?;
        let setting = self.settings.yes_hosts.value.map(|most| Limit { most, at: None });
        policy.hosts = policy::smaller(policy.hosts.take(), setting);
        self.policy = Some(Arc::new(Bound::new(policy, &self.inventory)?));
        Ok(())
    }

    /// What in the plan is against the policies.
    pub fn violations(&mut self, plan: &Plan, looks: bool) -> Result<Vec<Violation>, Diagnostics> {
        if self.policy.is_none() {
            let folders: Vec<&Path> = plan.plays.iter().map(|play| play.playbook_dir.as_path()).collect();
            self.read_policies(&folders)?;
        }
        let bound = self.policy.clone().unwrap_or_default();
        let mut plays: Vec<(*const Play, Vec<HostName>)> = Vec::new();
        for play in &plan.plays {
            plays.push((Arc::as_ptr(play), self.hosts_of(play)?));
        }
        let hosts_of = |play: &Play| {
            let found = plays.iter().find(|(known, _)| std::ptr::eq(*known, play));
            found.map(|(_, hosts)| hosts.clone()).unwrap_or_default()
        };
        let (only, skip) = self.tags();
        let occasion = policy::Occasion {
            hosts_of: &hosts_of,
            tags: (only, skip),
            looks: looks || self.flags().run.check,
            yes_hosts: self.flags().hosts.yes_hosts,
            now: Timestamp::now(),
        };
        Ok(policy::check(&bound, plan, &occasion))
    }
}

/// Asks the policies about a run. A refusal is told on standard error and kept in a journal.
pub fn admit(setup: &mut Setup, plan: &Plan, occasion: &Occasion) -> Result<Verdict, Diagnostics> {
    let violations = setup.violations(plan, occasion.audit.is_some() || occasion.collect.is_some())?;
    if violations.is_empty() {
        return Ok(Verdict::Admitted);
    }
    let all = setup.without_secrets(Diagnostics(violations.iter().map(diagnostic).collect()));
    let mut told: String = all.0.iter().take(SHOWN).map(|one| format!("{one}\n")).collect();
    if violations.len() > SHOWN {
        told += &format!("and {} more\n", violations.len() - SHOWN);
    }
    // Whoever reads standard error may be gone; the exit code says it, too.
    let _ = write!(std::io::stderr(), "{told}\nrefused by policy; nothing was contacted\n");
    record(setup, plan, occasion, &violations)?;
    Ok(Verdict::Refused)
}

/// A violation as a message with both places.
pub fn diagnostic(violation: &Violation) -> Diagnostic {
    let mut message = violation.refused.what.clone();
    if !violation.hosts.is_empty() {
        let count = violation.hosts.len();
        let hosts = fold_into(violation.hosts.iter().map(HostName::as_str), WIDTH, 1).join("");
        message += &format!(" ({count} {}: {hosts})", if count == 1 { "host" } else { "hosts" });
    }
    let source = violation.refused.source();
    let rule = (!source.is_empty()).then(|| format!("the rule is {source}"));
    let help: Vec<String> = rule.into_iter().chain(violation.help.clone()).collect();
    let mut diagnostic = Diagnostic::new(message);
    diagnostic.at.clone_from(&violation.at);
    if help.is_empty() {
        return diagnostic;
    }
    diagnostic.help(help.join("\n      "))
}

/// What `batchssh plan` says about the policies.
pub fn shown(setup: &Setup, violations: &[Violation]) -> String {
    let Some(bound) = setup.policy.as_ref().filter(|bound| !bound.policy.files.is_empty()) else {
        return String::new();
    };
    let paths: Vec<String> = bound
        .policy
        .files
        .iter()
        .map(|file| file.path.display().to_string())
        .collect();
    let verdict = match violations.len() {
        0 => "allowed".to_owned(),
        number => format!("refused, {number} {}", if number == 1 { "reason" } else { "reasons" }),
    };
    let mut text = format!("\npolicy {}: {verdict}\n", paths.join(", "));
    let all = setup.without_secrets(Diagnostics(violations.iter().map(diagnostic).collect()));
    for violation in &all.0 {
        text += &format!("  {}\n", visible(&one_line(violation)));
    }
    text
}

/// A journal of a run that was refused before it began.
fn record(setup: &Setup, plan: &Plan, occasion: &Occasion, violations: &[Violation]) -> Result<(), Diagnostics> {
    let mut hosts: Vec<HostName> = Vec::new();
    for play in &plan.plays {
        for host in setup.hosts_of(play)? {
            if !hosts.contains(&host) {
                hosts.push(host);
            }
        }
    }
    let options = setup.run_options(&Secrets::default(), occasion.adhoc);
    let Ok(journal) = Journal::create(&setup.outside.state_dir.join("runs"), &options.run_id) else {
        return Ok(());
    };
    let sinks: Vec<Box<dyn Sink>> = vec![Box::new(journal)];
    let Ok(reporter) = Reporter::start(sinks) else {
        return Ok(());
    };
    let teller = reporter.teller();
    let tell = hide::over(Box::new(move |kind| teller.tell(kind)), setup.mask(&Secrets::default()));
    tell(run_started(
        &options,
        setup.words.clone(),
        occasion.title.clone(),
        hosts,
    ));
    let bound = setup.policy.clone().unwrap_or_default();
    tell(EventKind::PolicyChecked {
        policies: windows::files(&bound.policy),
        refused: violations
            .iter()
            .map(|violation| one_line(&diagnostic(violation)))
            .collect(),
    });
    tell(EventKind::RunFinished {
        recap: Vec::new(),
        exit_code: crate::cli::exit_code::ExitCode::Refused.code(),
        seconds: 0.0,
    });
    reporter.finish();
    Ok(())
}

fn one_line(diagnostic: &Diagnostic) -> String {
    crate::cli::setup::one_line(diagnostic)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}
