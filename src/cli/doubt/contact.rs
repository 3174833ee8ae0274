//! Asks the hosts about tasks in doubt. How to get there, as whom, and where the records are, the command of the run says: it is
//! given once more, and asks instead of running.

use std::collections::HashMap;
use std::path::PathBuf;

use crate::cli::args::{PlaybookFlags, RunArgs};
use crate::cli::collect::Collector;
use crate::cli::conduct::{Occasion, conduct};
use crate::cli::doubt::args::Asked;
use crate::cli::doubt::open::{Doubt, Open};
use crate::cli::doubt::{chosen, plan, view};
use crate::cli::exit_code::ExitCode;
use crate::cli::lineage::{Chain, LineageArgs, resolve};
use crate::cli::markers::found::{self, Marker};
use crate::cli::run::{compile, print};
use crate::cli::runs::store::Store;
use crate::cli::setup::Setup;
use crate::cli::{origin, retry};
use crate::engine::replay::{Found, Resolution};
use crate::marker::file_name;
use crate::names::HostName;
use crate::source::{Diagnostic, Diagnostics};

/// What a host says about a task in doubt.
#[derive(Clone, Debug)]
pub enum Says {
    /// Its record.
    Marker(Box<Marker>),
    /// It has none: the task was never begun there, or the record was removed.
    Absent,
    /// Nothing: the status and why.
    Silent(&'static str, String),
}

/// Gives the command of the run again, which then calls [`contact`]. Returns only when that cannot be.
pub fn give(store: &Store, chain: &Chain, doubts: &[Doubt], asked: &Asked) -> Result<ExitCode, Diagnostics> {
    let mut hosts: Vec<HostName> = doubts.iter().map(|doubt| doubt.host.clone()).collect();
    hosts.sort();
    hosts.dedup();
    let words = serde_json::to_string(asked).map_err(|error| Diagnostic::new(error.to_string()))?;
    retry::give_again(store, chain, &hosts, "doubt-hosts", &[LineageArgs::doubts(&words)])
}

/// The command of a run was given, not to run it: its hosts are asked about its tasks in doubt.
pub fn contact(args: &RunArgs, asked: &str) -> Result<ExitCode, Diagnostics> {
    let asked: Asked = serde_json::from_str(asked)
        .map_err(|error| Diagnostic::new(format!("--doubts is for `batchssh doubt` alone: {error}")))?;
    let mut common = args.common.clone();
    common.lineage = LineageArgs::default();
    (common.run.check, common.run.diff, common.run.no_retry_file) = (false, false, true);
    common.output.output = None;
    let flags = PlaybookFlags {
        lock: args.playbook.lock.clone(),
        ..PlaybookFlags::default()
    };
    let mut setup = Setup::new(&common, &flags)?;
    // What the run was told to print is no matter here.
    setup.output.form = None;
    let compiled = compile(&mut setup, &args.playbooks)?;
    let store = Store::at(&setup.outside.state_dir);
    let chain = Chain::of(&store, &asked.run)?;
    let _held = match asked.say {
        Some(_) => {
            chain.refuse_alive(&store)?;
            Some(resolve::hold(&store, &chain)?)
        }
        None => None,
    };
    let mut open = Open::of(&store, chain)?;
    let all = std::mem::take(&mut open.doubts);
    let hosts = asked.hosts.as_deref().unwrap_or("all");
    let chosen: Vec<Doubt> = chosen(&all, hosts, asked.task.as_deref())
        .into_iter()
        .cloned()
        .collect();
    let (marked, bare): (Vec<Doubt>, Vec<Doubt>) = chosen.into_iter().partition(|doubt| doubt.marker.is_some());
    let (act, words) = match asked.say {
        None => ("list", vec!["doubt", "list", asked.run.as_str(), "--look"]),
        Some(true) => ("done", vec!["doubt", "resolve", asked.run.as_str(), hosts, "--done"]),
        Some(false) => (
            "failed",
            vec!["doubt", "resolve", asked.run.as_str(), hosts, "--not-done"],
        ),
    };
    let by = origin::who();
    let plan = plan::of(&compiled, &marked, act, &by)?;
    setup.words = words.iter().map(|word| (*word).to_owned()).collect();
    let collector = Collector::default();
    let occasion = Occasion {
        title: words.join(" "),
        adhoc: true,
        lines: false,
        retry_file: PathBuf::new(),
        audit: None,
        collect: Some(collector.clone()),
    };
    let code = conduct(setup, &plan, &occasion)?;
    if code == ExitCode::Refused {
        return Ok(code);
    }
    let says = heard(&marked, &collector);
    let Some(done) = asked.say else {
        open.doubts = marked;
        open.doubts.extend(bare);
        let open = [open];
        let text = if asked.json {
            view::json(&open, Some(&says))
        } else {
            view::list(&open, Some(&says))
        };
        print(&text)?;
        return Ok(code);
    };
    let found = if done { Found::Done } else { Found::NotDone };
    let stopped = matches!(code, ExitCode::Signal(_));
    let outcome = Outcome::new(&marked, &says, found, stopped);
    resolve::add(&store, &open.chain, &outcome.said, &by)?;
    print(&outcome.text)?;
    print(&view::go_on(&store, &open.chain)?)?;
    Ok(match code {
        ExitCode::Ok | ExitCode::Hosts(0) if outcome.refused => ExitCode::Hosts(2),
        code => code,
    })
}

/// What the hosts said, in the order of the doubts.
fn heard(doubts: &[Doubt], collector: &Collector) -> Vec<Says> {
    let heard = collector.take();
    let mut markers: HashMap<(String, String), Marker> = HashMap::new();
    let mut silent: HashMap<String, (&'static str, String)> = HashMap::new();
    let mut answered = std::collections::HashSet::new();
    for report in &heard.reports {
        let host = report.host.to_string();
        for marker in found::of_report(report) {
            markers.insert((host.clone(), marker.file.clone()), marker);
        }
        if report.status.is_good() {
            answered.insert(host);
        } else {
            silent.insert(host, (report.status.as_str(), report.msg.clone()));
        }
    }
    let says = doubts.iter().map(|doubt| {
        let host = doubt.host.to_string();
        let file = doubt.marker.as_deref().map(file_name).unwrap_or_default();
        if let Some(marker) = markers.remove(&(host.clone(), file)) {
            return Says::Marker(Box::new(marker));
        }
        match silent.get(&host) {
            Some((status, msg)) => Says::Silent(status, msg.clone()),
            None if answered.contains(&host) => Says::Absent,
            None => Says::Silent("no answer", "not asked".to_owned()),
        }
    });
    says.collect()
}

/// What came of a decision.
struct Outcome {
    /// What is written down on the controller.
    said: Vec<Resolution>,
    text: String,
    /// Somewhere it was not taken.
    refused: bool,
}

impl Outcome {
    /// `stopped`: somebody stopped it, and what was not asked then is not decided.
    fn new(doubts: &[Doubt], says: &[Says], found: Found, stopped: bool) -> Self {
        let mut outcome = Self {
            said: Vec::new(),
            text: String::new(),
            refused: false,
        };
        let mut taken = Vec::new();
        for (doubt, says) in doubts.iter().zip(says) {
            let line = match says {
                Says::Marker(marker) if marker.did.as_deref() == Some("decided") => {
                    taken.push(doubt);
                    outcome.said.push(doubt.resolution(found));
                    continue;
                }
                Says::Marker(marker) => match (marker.state.as_str(), found) {
                    ("done", Found::Done) | ("failed", Found::NotDone) => {
                        format!("the host knows it already: {}", view::of_marker(marker))
                    }
                    ("damaged", _) => {
                        outcome.said.push(doubt.resolution(found));
                        format!(
                            "{}; your word is written down here, and the next retry goes by it",
                            view::of_marker(marker)
                        )
                    }
                    _ => {
                        outcome.refused = true;
                        format!(
                            "not decided, because the host knows better: {}",
                            view::of_marker(marker)
                        )
                    }
                },
                Says::Absent if found == Found::NotDone => {
                    "the host has no record that it was begun: the next retry runs it anyhow".to_owned()
                }
                Says::Absent => {
                    outcome.refused = true;
                    "not decided: the host has no record that it was begun, so the next retry runs it".to_owned()
                }
                Says::Silent(..) if stopped => "not decided: stopped before the host was told".to_owned(),
                Says::Silent(status, msg) => {
                    outcome.said.push(doubt.resolution(found));
                    format!(
                        "the host could not be told ({status}: {}); your word is written down here, and the next retry tells it",
                        crate::report::text::one_line(msg)
                    )
                }
            };
            outcome.text += &view::about(doubt, &line);
        }
        outcome.text = view::decided(&taken, found) + &outcome.text;
        outcome
    }
}
