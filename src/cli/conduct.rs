//! Conducts a run: outputs, signals, workers, verdict. Every command that contacts hosts ends up here.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::cli::approve;
use crate::cli::args::OutputArg;
use crate::cli::audit::{Audit, AuditSink, Screen};
use crate::cli::collect::Collector;
use crate::cli::ctl;
use crate::cli::ctl::server::{Bell, Server};
use crate::cli::exit_code::ExitCode;
use crate::cli::limits;
use crate::cli::lineage::{Lineage, files_of};
use crate::cli::policy::{self, Verdict};
use crate::cli::runs::store::Store;
use crate::cli::setup::{Outside, Setup};
use crate::cli::signals::{Drain, SignalGuard, listen_for_workers};
use crate::deadline::CancelToken;
use crate::engine::gate::Forks;
use crate::engine::preflight::Hooks;
use crate::engine::scan::Depth;
use crate::engine::shared::{RunOptions, Shared};
use crate::engine::{Ended, Engine, MOST_WORKERS, hosts_of};
use crate::event::{Control, EventKind, HashedFile, Severity, WrittenFile};
use crate::names::HostName;
use crate::plan::Plan;
use crate::report::delivery::{BrokenSink, Reporter};
use crate::report::feed::Feed;
use crate::report::human::{Human, HumanOptions};
use crate::report::journal::Journal;
use crate::report::patient::{Rest, patient};
use crate::report::progress::Progress;
use crate::report::retry_file::RetryFile;
use crate::report::{Sink, ansible, csv, jsonl, lines, oneline};
use crate::source::Diagnostics;
use crate::transport::KeyKind;

/// What a run is, beside its plan.
pub struct Occasion {
    /// What people call it.
    pub title: String,
    /// An ad-hoc command: no PLAY and TASK lines.
    pub adhoc: bool,
    /// Its output is lines of the hosts' output (`exec`).
    pub lines: bool,
    /// Where the retry file goes when nothing else is said.
    pub retry_file: PathBuf,
    /// The audit to show instead of results.
    pub audit: Option<Audit>,
    /// Who hears the results and shows them afterwards, instead of them.
    pub collect: Option<Collector>,
}

/// A run ready to go: everything is checked, nothing is contacted.
pub struct Ready {
    shared: Arc<Shared>,
    hosts: Vec<HostName>,
    reporter: Reporter,
    signals: SignalGuard,
    control: Option<Server>,
    /// Output that nobody has read yet.
    rest: Option<Rest>,
    /// The output is for people, and tells them what it cannot write; else standard error does.
    for_people: bool,
    /// Set when an output broke without which the run must not go on.
    stopped: Arc<AtomicBool>,
    title: String,
    words: Vec<String>,
    /// What is odd but no mistake; told after the first event.
    complaints: Vec<String>,
    /// The run it goes on with.
    lineage: Lineage,
    /// The tasks as written.
    files: Vec<WrittenFile>,
    /// Set when an answer is otherwise than in the baseline of an audit.
    drifted: Arc<AtomicBool>,
}

/// Runs the plan and gives the exit code.
pub fn conduct(mut setup: Setup, plan: &Plan, occasion: &Occasion) -> Result<ExitCode, Diagnostics> {
    match policy::admit(&mut setup, plan, occasion)? {
        Verdict::Refused => return Ok(ExitCode::Refused),
        Verdict::Admitted => {}
    }
    prepare(setup, plan, occasion, None)?.run(&Work::Plan(plan))
}

/// Finds out how far one gets with the hosts of the plan.
/// With `strict`, duplicates that are found count as a failure.
pub fn scan(
    setup: Setup,
    plan: &Plan,
    occasion: &Occasion,
    depth: Depth,
    strict: bool,
) -> Result<ExitCode, Diagnostics> {
    prepare(setup, plan, occasion, None)?.run(&Work::Scan { depth, strict })
}

/// Looks at the host keys of the hosts of the plan; `sink` gets the results.
pub fn scan_keys(
    setup: Setup,
    plan: &Plan,
    occasion: &Occasion,
    kinds: &[KeyKind],
    sink: Box<dyn Sink>,
) -> Result<ExitCode, Diagnostics> {
    prepare(setup, plan, occasion, Some(sink))?.run(&Work::Keys { kinds })
}

/// What the workers do.
enum Work<'a> {
    Plan(&'a Plan),
    Scan { depth: Depth, strict: bool },
    Keys { kinds: &'a [KeyKind] },
}

/// The hosts of all plays, each once, in inventory order.
pub fn all_hosts(shared: &Shared, plan: &Plan) -> Result<Vec<HostName>, Diagnostics> {
    let mut seen = std::collections::HashSet::new();
    for play in &plan.plays {
        seen.extend(hosts_of(shared, play)?.0);
    }
    let mut hosts: Vec<HostName> = shared
        .inventory
        .hosts
        .keys()
        .filter(|name| seen.remove(*name))
        .cloned()
        .collect();
    // Hosts outside of the inventory: the implicit localhost.
    let mut rest: Vec<HostName> = seen.into_iter().collect();
    rest.sort();
    hosts.extend(rest);
    Ok(hosts)
}

fn prepare(
    setup: Setup,
    plan: &Plan,
    occasion: &Occasion,
    instead: Option<Box<dyn Sink>>,
) -> Result<Ready, Diagnostics> {
    let cancel = CancelToken::new();
    let (late_teller, tell, keep) = late_tell();
    let words = setup.words.clone();
    let output = setup.output.clone();
    let outside = setup.outside.clone();
    let warnings = setup.warnings.clone();
    let late_screen = Arc::default();
    let hooks = Hooks {
        ask: approve::asker(Arc::clone(&late_screen), cancel.clone()),
    };
    let mut lineage = setup.lineage();
    let shared = setup.share(tell, keep, cancel.clone(), hooks, occasion.adhoc)?;
    let folders: std::collections::BTreeSet<_> = plan.plays.iter().map(|play| play.playbook_dir.as_path()).collect();
    for folder in folders {
        shared.inventory.check_vars_files(Some(folder))?;
    }
    let hosts = all_hosts(&shared, plan)?;
    if hosts.is_empty() && occasion.adhoc {
        let (what, help) = if shared.inventory.hosts.is_empty() {
            (
                "the inventory has no hosts",
                "name an inventory with -i: a file, or `host1,host2,`",
            )
        } else {
            ("no hosts matched", "`batchssh inventory --graph` shows what there is")
        };
        return Err(crate::source::Diagnostic::new(what).help(help).into());
    }
    limits::check(shared.options.forks, hosts.len())?;
    let store = Store::at(&outside.state_dir);
    if lineage.parent().is_some() {
        shared.go_on_from(lineage.replay(&store, plan, &hosts)?);
    }
    if let Some(audit) = &occasion.audit {
        audit.check(output.form)?;
    }
    let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
    let mut complaints = Vec::new();
    let bell = Bell::new()
        .map_err(|error| crate::source::Diagnostic::new(format!("cannot make a pair of sockets: {error}")))?;
    let rings = bell.0.clone();
    let feed = Feed::new(move || rings.ring());
    let mut journalled = false;
    match Journal::create(&store.dir, &shared.options.run_id) {
        Ok(journal) => {
            sinks.push(Box::new(journal));
            journalled = true;
        }
        // Nobody could go on with it, or tell afterwards what was done.
        Err(error) if !occasion.adhoc && !shared.options.check => {
            return Err(crate::source::Diagnostic::new(format!(
                "no journal can be written in {}: {error}; nothing was run",
                store.dir.display()
            ))
            .help("set XDG_STATE_HOME to a place that can be written to")
            .into());
        }
        Err(error) => complaints.push(format!(
            "no journal is written: cannot create it in {}: {error}; set XDG_STATE_HOME to a place that can be written to",
            outside.state_dir.display()
        )),
    }
    // Behind the journal: what a watcher is told to read there, is there.
    sinks.push(Box::new(feed.sink()));
    let retry_file = output.retry_file(&occasion.retry_file);
    if let Some(path) = &retry_file {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
        sinks.push(Box::new(
            RetryFile::new(path, hosts.iter().cloned()).owing(lineage.owed.clone()),
        ));
    }
    let progress = Progress::new(outside.stderr);
    let screen = progress.screen();
    let _ = late_screen.set(screen.clone());
    let term = outside.stdout;
    // What is written to a terminal must not cross with its progress line; nobody else need be waited for.
    let (out, rest): (Box<dyn Write + Send>, _) = if term.is_tty {
        (Box::new(io::stdout()), None)
    } else {
        let (out, rest) = patient(io::stdout())
            .map_err(|error| crate::source::Diagnostic::new(format!("cannot start the output: {error}")))?;
        (Box::new(out), Some(rest))
    };
    let out = screen.over(out);
    let err: Box<dyn Write + Send> = screen.over(Box::new(io::stderr()));
    let form = output.form.unwrap_or(if term.is_tty {
        OutputArg::Human
    } else {
        OutputArg::Ansible
    });
    let for_people = output.form.is_none_or(OutputArg::is_for_people);
    let mut instead = instead;
    if let Some(collector) = &occasion.collect {
        instead = Some(if for_people {
            collector.sink(screen.over(Box::new(io::stderr())))
        } else {
            collector.sink(Box::new(io::sink()))
        });
    }
    // An output of the command's own takes the place of those for people, and stands beside the others.
    let (instead, beside) = if for_people { (instead, None) } else { (None, instead) };
    sinks.extend(beside);
    let console: Box<dyn Sink> = match (instead, &occasion.audit) {
        (Some(own), _) => own,
        (None, Some(audit)) if for_people => Box::new(AuditSink::new(
            audit.clone(),
            Screen {
                out,
                err,
                term,
                all: output.verbosity > 0,
                taken: false,
            },
        )),
        _ if occasion.lines && output.form.is_none() && !term.is_tty => {
            Box::new(lines::Lines::new(out, err, output.verbosity))
        }
        _ => match form {
            OutputArg::Human => {
                let rerun = if journalled {
                    Some(format!("batchssh retry {}", shared.options.run_id))
                } else {
                    retry_file.as_ref().map(|path| rerun(&words, path))
                };
                let options = HumanOptions {
                    term,
                    verbosity: output.verbosity,
                    retry_file: retry_file.clone(),
                    rerun,
                };
                Box::new(Human::new(out, err, options))
            }
            OutputArg::Ansible => Box::new(ansible::Ansible::new(out, err, term, output.verbosity)),
            OutputArg::Json => Box::new(jsonl::JsonLines::new(out)),
            OutputArg::Csv => Box::new(csv::Csv::new(out, err)),
            OutputArg::Oneline => Box::new(oneline::OneLine::new(out, err, term)),
        },
    };
    sinks.push(console);
    if let Some(audit) = occasion.audit.as_ref().filter(|_| !for_people) {
        // Standard output has the events; the files are written all the same.
        sinks.push(Box::new(AuditSink::new(
            audit.clone(),
            Screen {
                out: Box::new(io::sink()),
                err: Box::new(io::sink()),
                term,
                all: false,
                taken: true,
            },
        )));
    }
    sinks.push(Box::new(progress));
    let stopped = Arc::new(AtomicBool::new(false));
    let on_broken = {
        let (cancel, stopped) = (cancel.clone(), Arc::clone(&stopped));
        move |broken: &BrokenSink| {
            if broken.essential {
                stopped.store(true, Ordering::Relaxed);
                cancel.wind_down();
            }
        }
    };
    let reporter = Reporter::start_with(sinks, on_broken)
        .map_err(|error| crate::source::Diagnostic::new(format!("cannot start the reporter: {error}")))?;
    let teller = reporter.teller();
    let _ = late_teller.set(reporter.teller());
    let all = warnings.iter().chain(&shared.inventory.warnings).chain(&plan.warnings);
    complaints.extend(all.map(crate::cli::setup::one_line));
    if shared.options.forks.min(hosts.len()) > MOST_WORKERS {
        complaints.push(format!(
            "{MOST_WORKERS} workers are the most that help; --forks {} is taken for that",
            shared.options.forks
        ));
    }
    let signals = SignalGuard::listen(&cancel, move |name, again| {
        let text = if again {
            "stopping now; what was running is in doubt".to_owned()
        } else {
            format!("{name}: running tasks finish, nothing new is started; once more stops at once")
        };
        teller.message(Severity::Warning, text);
        if !again {
            teller.tell(EventKind::RunCancelled {
                reason: name.to_owned(),
            });
        }
    })
    .map_err(|error| crate::source::Diagnostic::new(format!("cannot listen for signals: {error}")))?;
    let control = control(&shared, &hosts, &outside, (feed, bell), &reporter, signals.drain());
    let control = control
        .map_err(|error| complaints.push(format!("`batchssh ctl` cannot reach this run: {error}")))
        .ok();
    Ok(Ready {
        shared,
        hosts,
        reporter,
        signals,
        control,
        rest,
        for_people,
        stopped,
        title: occasion.title.clone(),
        words,
        complaints,
        lineage,
        files: if occasion.adhoc { Vec::new() } else { files_of(plan) },
        drifted: occasion
            .audit
            .as_ref()
            .map(|audit| audit.drifted.clone())
            .unwrap_or_default(),
    })
}

/// What is listened to while the run goes on: SIGTTIN, SIGTTOU, and the socket of `batchssh ctl`.
fn control(
    shared: &Arc<Shared>,
    hosts: &[HostName],
    outside: &Outside,
    (feed, (bell, hears)): (Feed, (Bell, std::os::unix::net::UnixStream)),
    reporter: &Reporter,
    drain: Drain,
) -> io::Result<Server> {
    let (gate, teller) = (shared.gate.clone(), reporter.teller());
    listen_for_workers(move |by, more| {
        let (from, to) = gate.set_forks(if more { Forks::More(1) } else { Forks::Fewer(1) });
        let (change, by) = (Control::Forks { from, to }, by.to_owned());
        if from != to {
            teller.tell(EventKind::Controlled { change, by });
        }
    })?;
    let teller = reporter.teller();
    let run = ctl::server::Run {
        id: shared.options.run_id.clone(),
        hosts: hosts.to_vec(),
        gate: shared.gate.clone(),
        feed,
        teller: reporter.teller(),
        drain: Box::new(move |by| {
            let (change, who) = (Control::Draining, by.to_owned());
            teller.tell(EventKind::Controlled { change, by: who });
            drain.ask(by);
        }),
    };
    let dir = outside.state_dir.join("runs").join(&shared.options.run_id);
    Server::start(&dir, outside.runtime_dir.as_deref(), run, bell, hears)
}

/// The reporter needs the run's facts, and the run needs a way to the reporter: the way is filled in later.
fn late_tell() -> (
    Arc<std::sync::OnceLock<crate::report::delivery::Teller>>,
    crate::engine::shared::Tell,
    crate::engine::shared::Keep,
) {
    let slot: Arc<std::sync::OnceLock<crate::report::delivery::Teller>> = Arc::default();
    let tell = {
        let slot = slot.clone();
        Box::new(move |kind: EventKind| {
            if let Some(teller) = slot.get() {
                teller.tell(kind);
            }
        })
    };
    let keep = {
        let slot = slot.clone();
        Box::new(move |kind: EventKind| slot.get().is_some_and(|teller| teller.keep(kind)))
    };
    (slot, tell, keep)
}

/// The command that runs again what did not succeed, where there is no journal to go on from.
fn rerun(words: &[String], retry_file: &std::path::Path) -> String {
    let mut out: Vec<String> = vec!["batchssh".to_owned()];
    let mut skip = false;
    for word in words {
        if std::mem::take(&mut skip) {
            continue;
        }
        if word == "--" {
            break;
        }
        if word == "-l" || word == "--limit" {
            skip = true;
            continue;
        }
        if word.starts_with("--limit=") {
            continue;
        }
        out.push(crate::shell::quote_str(word));
    }
    out.push("--limit".to_owned());
    out.push(crate::shell::quote_str(&format!("@{}", retry_file.display())));
    if let Some(at) = words.iter().position(|word| word == "--") {
        out.extend(words.iter().skip(at).map(|word| crate::shell::quote_str(word)));
    }
    out.join(" ")
}

/// The first event of a run.
pub fn run_started(options: &RunOptions, command: Vec<String>, title: String, hosts: Vec<HostName>) -> EventKind {
    let folder = std::env::current_dir().map(|dir| dir.display().to_string());
    EventKind::RunStarted {
        run: options.run_id.clone(),
        command,
        folder: folder.unwrap_or_default(),
        title,
        hosts,
        check: options.check,
        forks: options.forks,
        adhoc: options.adhoc,
        origin: Box::new(crate::cli::origin::here(options)),
    }
}

impl Ready {
    fn run(self, work: &Work<'_>) -> Result<ExitCode, Diagnostics> {
        let begun = Instant::now();
        let options = &self.shared.options;
        let mut started = run_started(options, self.words.clone(), self.title.clone(), self.hosts.clone());
        if let EventKind::RunStarted { origin, .. } = &mut started {
            self.lineage.complete(origin);
            let files = self.shared.inventory.files().into_iter();
            let hashed = files.map(|(path, sha256)| HashedFile {
                path: path.display().to_string(),
                sha256,
            });
            origin.inventory = hashed.collect();
        }
        (self.shared.tell)(started);
        if !self.files.is_empty() {
            (self.shared.tell)(EventKind::PlaybookRead {
                files: self.files.clone(),
            });
        }
        let policies = crate::engine::windows::files(&self.shared.policy.policy);
        if !policies.is_empty() {
            let refused = Vec::new();
            (self.shared.tell)(EventKind::PolicyChecked { policies, refused });
        }
        for text in &self.complaints {
            let (severity, text) = (Severity::Warning, text.clone());
            (self.shared.tell)(EventKind::Message { severity, text });
        }
        limits::no_core_dump();
        let engine = Engine::new(&self.shared, self.hosts.len()).map_err(crate::source::Diagnostic::new)?;
        let ended = match work {
            Work::Plan(plan) => engine.run(plan),
            Work::Scan { depth, strict } => {
                let found = engine.scan(&self.hosts, *depth);
                if *strict && !found.is_empty() {
                    self.drifted.store(true, Ordering::Relaxed);
                }
                Ok(Ended { crashed: false })
            }
            Work::Keys { kinds } => {
                engine.scan_keys(&self.hosts, kinds);
                Ok(Ended { crashed: false })
            }
        };
        drop(engine);
        let summary = self.reporter.summary();
        let signal = self.signals.seen();
        let code = match (&ended, signal) {
            (_, Some(number)) => ExitCode::Signal(number),
            (Err(_), None) => ExitCode::Usage,
            (Ok(ended), None) if ended.crashed => ExitCode::Bug,
            (Ok(_), None) => {
                let code = ExitCode::Hosts(summary.exit_code()).with_drift(self.drifted.load(Ordering::Relaxed));
                match code {
                    // The run was stopped by it: that hosts failed is less than that.
                    ExitCode::Hosts(0 | 2 | 4 | 6) if self.stopped.load(Ordering::Relaxed) => ExitCode::Output,
                    code => code,
                }
            }
        };
        (self.shared.tell)(EventKind::RunFinished {
            recap: summary.recap(),
            exit_code: code.code(),
            seconds: begun.elapsed().as_secs_f64(),
        });
        let cancel = self.shared.cancel.clone();
        drop(self.shared);
        let (_, mut broken) = self.reporter.finish();
        if let Some(Err(error)) = self.rest.map(|rest| rest.finish(|| cancel.is_cancelled()))
            && !broken.iter().any(|sink| sink.error.kind() == error.kind())
        {
            broken.push(BrokenSink {
                name: "the output",
                error,
                essential: false,
            });
        }
        drop(self.signals);
        drop(self.control);
        ended?;
        broken.retain(|sink| !sink.is_closed_pipe());
        for sink in &broken {
            if !self.for_people || sink.name == "the output" {
                let _ = writeln!(io::stderr(), "error: {sink}");
            }
        }
        let lost = !broken.is_empty();
        Ok(match code {
            ExitCode::Ok | ExitCode::Hosts(0) if lost => ExitCode::Output,
            code => code,
        })
    }
}
