//! Walks hosts through plans. Every host is owned by one worker at a time; what happens becomes events; only this room
//! takes steps. It builds its own rayon pool, because its threads wait for the network.

mod acting;
pub mod canary;
mod crew;
pub mod cursor;
pub mod duplicates;
mod enclose;
mod free;
pub mod gate;
mod held;
pub mod hide;
mod host;
mod host_keys;
pub mod include;
mod keywords;
mod lease;
mod linear;
pub mod link;
pub mod mask;
mod once;
mod outcome;
mod passes;
mod pending;
mod perform;
mod play;
mod policed;
pub mod preflight;
mod recall;
pub mod replay;
pub mod scan;
pub mod scope;
mod sent;
pub mod shared;
mod steps;
pub mod take;
mod task;
mod tell;
#[cfg(test)]
mod tests;
pub mod transfer;
pub mod windows;
pub mod written;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use indexmap::IndexMap;

use crate::engine::crew::Crew;
use crate::engine::gate::Turn;
use crate::engine::host::HostRun;
use crate::engine::play::PlayRun;
use crate::engine::preflight::Cleared;
use crate::engine::shared::Shared;
use crate::engine::task::{Learnt, Next, Work};
use crate::event::{EventKind, Severity, Status};
use crate::inventory::Inventory;
use crate::names::HostName;
use crate::plan::{Action, Entry, Plan, Play, Task, serial};
use crate::source::{Diagnostic, Diagnostics};
use crate::vars::templar::Templar;
use crate::vars::{Scope, Var, VarMap};
use crate::yaml::{Kind, Node};

/// More workers than this cost more than they bring: rayon's idle threads look for work with each other.
pub const MOST_WORKERS: usize = 256;

/// A run over a plan.
pub struct Engine<'a> {
    shared: &'a Arc<Shared>,
    crew: Crew,
    crashed: AtomicBool,
}

/// What follows from a play for the run.
#[derive(PartialEq, Eq)]
enum Flow {
    /// On to the next play.
    GoOn,
    /// Nothing more is to run.
    End,
    /// A check or a policy says that nothing more is to run; why the hosts that are left are not begun.
    Refused(String),
}

/// How a run ended, beside what its events tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The work of a host panicked.
    pub crashed: bool,
}

/// The hosts of a play, templates in its pattern rendered, the limit applied; and what in the pattern matched nothing.
pub fn hosts_of(shared: &Shared, play: &Play) -> Result<(Vec<HostName>, Vec<String>), Diagnostic> {
    let options = &shared.options;
    select_hosts(
        &shared.inventory,
        &shared.templar,
        &options.extra_vars,
        options.limit.as_deref(),
        play,
    )
}

/// The same before there is a run.
pub fn select_hosts(
    inventory: &Inventory,
    templar: &Templar,
    extra_vars: &Arc<VarMap>,
    limit: Option<&[HostName]>,
    play: &Play,
) -> Result<(Vec<HostName>, Vec<String>), Diagnostic> {
    let scope = Scope::new().with(play.vars.clone()).with(extra_vars.clone());
    let pattern = templar.render(&play.hosts, &scope)?;
    let pattern = match pattern.try_iter() {
        Ok(items) if pattern.as_str().is_none() => items.map(|item| item.to_string()).collect::<Vec<_>>().join(","),
        _ => pattern.to_string(),
    };
    let selection = inventory.select(&pattern).map_err(|error| {
        if error.at.is_some() {
            error
        } else {
            error.at(play.hosts.span.clone())
        }
    })?;
    let mut hosts = selection.hosts;
    if let Some(limit) = limit {
        let allowed: std::collections::HashSet<&HostName> = limit.iter().collect();
        hosts.retain(|host| allowed.contains(host));
    }
    match play.order.as_ref().and_then(Node::as_str) {
        Some("sorted") => hosts.sort(),
        Some("reverse_sorted") => {
            hosts.sort();
            hosts.reverse();
        }
        Some("reverse_inventory") => hosts.reverse(),
        _ => {}
    }
    Ok((hosts, selection.warnings))
}

impl<'a> Engine<'a> {
    /// Starts the workers.
    pub fn new(shared: &'a Arc<Shared>, hosts: usize) -> Result<Self, String> {
        let workers = shared.options.forks.min(hosts).clamp(1, MOST_WORKERS);
        Ok(Self {
            shared,
            crew: Crew::new(workers)?,
            crashed: AtomicBool::new(false),
        })
    }

    /// Runs the plan to its end, or until the user stops it. `RunStarted` and `RunFinished` are the caller's to tell.
    pub fn run(&self, plan: &Plan) -> Result<Ended, Diagnostics> {
        let shared = self.shared;
        for (host, vars) in shared.replay().into_iter().flat_map(replay::Replay::others) {
            shared.publish(host, vars);
        }
        let run_magic = Arc::new(self.run_magic());
        let mut hosts: IndexMap<HostName, HostRun> = IndexMap::new();
        for (index, play) in plan.plays.iter().enumerate() {
            let (mut names, warnings) = hosts_of(shared, play)?;
            for text in warnings {
                let text = format!("{}: {text}", play.at);
                (shared.tell)(EventKind::Message {
                    severity: Severity::Warning,
                    text,
                });
            }
            names.retain(|name| !hosts.get(name).is_some_and(|host| host.out));
            let last = index + 1 == plan.plays.len();
            let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
            let flow = self.play(play, &run_magic, &mut hosts, &names, number, last)?;
            if let Flow::Refused(why) = &flow {
                let later = plan.plays.iter().skip(index + 1);
                self.leave_out(later, why, &mut hosts)?;
            }
            if flow != Flow::GoOn || shared.cancel.is_winding_down() {
                break;
            }
        }
        self.release(hosts.values_mut().collect());
        for host in hosts.values_mut() {
            host.links.close();
            if !host.cut {
                if !host.has_verdict() {
                    host.note(Status::Ok, "", None);
                }
                host.tell_done(shared);
            }
        }
        Ok(Ended {
            crashed: self.crashed.load(Ordering::Relaxed),
        })
    }

    /// The run was stopped by us: the hosts of later plays are not through.
    fn leave_out<'p>(
        &self,
        later: impl Iterator<Item = &'p Arc<Play>>,
        why: &str,
        hosts: &mut IndexMap<HostName, HostRun>,
    ) -> Result<(), Diagnostics> {
        for play in later {
            for name in hosts_of(self.shared, play)?.0 {
                let host = hosts.entry(name.clone()).or_insert_with(|| self.shared.host(&name));
                preflight::not_begun(host, why);
            }
        }
        Ok(())
    }

    /// These hosts of the play are not begun.
    fn leave<'n>(&self, hosts: &mut IndexMap<HostName, HostRun>, names: impl Iterator<Item = &'n HostName>, why: &str) {
        for name in names {
            let host = hosts.entry(name.clone()).or_insert_with(|| self.shared.host(name));
            preflight::not_begun(host, why);
        }
    }

    /// Gives the hosts back, many at once.
    fn release(&self, hosts: Vec<&mut HostRun>) {
        let held: Vec<&mut HostRun> = hosts.into_iter().filter(|host| !host.holds.is_empty()).collect();
        self.each(held, |host, _| {
            host.release(self.shared);
            host.links.close();
        });
    }

    fn run_magic(&self) -> VarMap {
        let base = Arc::new(scope::run_magic(self.shared));
        let hostvars = scope::HostVarsObject::value(self.shared, &base);
        let mut map = Arc::unwrap_or_clone(base);
        map.insert("hostvars".into(), Var::Data(hostvars));
        map
    }

    /// One play: its pre-flight, then batch by batch.
    fn play(
        &self,
        play: &Arc<Play>,
        run_magic: &Arc<VarMap>,
        hosts: &mut IndexMap<HostName, HostRun>,
        names: &[HostName],
        number: u32,
        last: bool,
    ) -> Result<Flow, Diagnostics> {
        let shared = self.shared;
        if names.is_empty() {
            let run = PlayRun::new(shared, play, run_magic, &[], &[]);
            (shared.tell)(EventKind::PlaySkipped { play: run.name });
            return Ok(Flow::GoOn);
        }
        // What is wrong in the play is found before anybody is asked anything.
        batches(shared, play, names.len())?;
        let is_free = is_free(shared, play)?;
        let names = match self.preflight(play, run_magic, hosts, names, number) {
            Cleared::Hosts(names) => names,
            Cleared::Nobody(None) => return Ok(Flow::End),
            Cleared::Nobody(Some(why)) => return Ok(Flow::Refused(why)),
        };
        let names = names.as_slice();
        let waves = self.waves(play, names, number)?;
        let mut comparison = self.comparison(play, number);
        for (index, wave) in waves.iter().enumerate() {
            let batch = wave.hosts.as_slice();
            let rest = || waves.iter().skip(index + 1).flat_map(|wave| &wave.hosts);
            if let Some(why) = self.shut(play, batch) {
                self.leave(hosts, batch.iter().chain(rest()), &why);
                return Ok(Flow::Refused(why));
            }
            let mut run = PlayRun::new(shared, play, run_magic, names, batch);
            run.number = number;
            if comparison.is_some() {
                run.watch = self.watch(play);
                (shared.tell)(EventKind::WaveStarted {
                    place: wave.place,
                    total: names.len(),
                    hosts: batch.to_vec(),
                });
            }
            (shared.tell)(EventKind::PlayStarted {
                play: run.name.clone(),
                hosts: batch.to_vec(),
                number,
            });
            let body = Arc::new(self.body(play));
            let mut workers: Vec<HostRun> = batch
                .iter()
                .map(|name| {
                    // Their order is made anew below, and a removal that keeps it would take a time that grows with the fleet.
                    let mut host = hosts.swap_remove(name).unwrap_or_else(|| shared.host(name));
                    host.begin(cursor::Cursor::new(body.clone()));
                    host
                })
                .collect();
            // A host of a wave that is compared is done only when the wave has passed.
            let last_here = last && comparison.is_none();
            let go_on = if is_free {
                free::run(self, &run, &mut workers, last_here)
            } else {
                linear::run(self, &run, &mut workers, last_here)
            };
            let stopped = comparison
                .as_mut()
                .filter(|_| !shared.cancel.is_winding_down() && workers.iter().all(|host| !host.cut))
                .and_then(|comparison| self.compare(comparison, &run, wave, &mut workers, rest().count()));
            if last {
                self.release(workers.iter_mut().collect());
                for host in workers
                    .iter_mut()
                    .filter(|host| host.next.is_none() && host.has_verdict() && !host.cut)
                {
                    host.tell_done(shared);
                }
            }
            let all_out = workers.iter().all(|host| host.out);
            for host in workers {
                hosts.insert(host.name.clone(), host);
            }
            if let Some(why) = stopped {
                self.leave(hosts, rest(), &why);
                return Ok(Flow::Refused(why));
            }
            if !go_on || all_out || shared.cancel.is_winding_down() {
                for name in rest() {
                    hosts.entry(name.clone()).or_insert_with(|| self.shared.host(name)).cut = true;
                }
                return Ok(Flow::End);
            }
        }
        Ok(Flow::GoOn)
    }

    /// The play's tasks with the implicit fact gathering in front.
    fn body(&self, play: &Play) -> Vec<Entry> {
        let mut body = Vec::new();
        let gather = match &play.gather_facts {
            Some(node) => self
                .shared
                .templar
                .render(
                    node,
                    &Scope::new()
                        .with(play.vars.clone())
                        .with(self.shared.options.extra_vars.clone()),
                )
                .ok()
                .and_then(|value| link::truth(&value))
                .unwrap_or(true),
            None => self.shared.options.gather_facts,
        };
        if gather && let Some(spec) = crate::modules::find("setup") {
            let mut keywords = play.keywords.clone();
            keywords.tags = vec!["always".to_owned()];
            keywords.when.clear();
            body.push(Entry::Task(Arc::new(Task {
                name: Some(Node::text("Gathering Facts", &play.at)),
                role: None,
                action: Action::Module {
                    spec,
                    args: Node {
                        span: play.at.clone(),
                        kind: Kind::Map(Vec::new()),
                    },
                },
                action_name: "gather_facts".to_owned(),
                at: play.at.clone(),
                repeat: None,
                until: None,
                detach: None,
                register: None,
                changed_when: None,
                failed_when: None,
                notify: Vec::new(),
                listen: Vec::new(),
                keywords,
                include_vars: Vec::new(),
                search: Vec::new(),
                implicit: false,
                depth: 0,
            })));
        }
        body.extend(play.body.iter().cloned());
        body
    }

    /// Whether tags select a task.
    fn is_wanted(&self, task: &Task) -> bool {
        let options = &self.shared.options;
        task.implicit || crate::plan::selected(&task.keywords.tags, &options.tags, &options.skip_tags)
    }

    /// Does `work` for every item, at most as many at once as the gate lets in.
    fn each<T: Send>(&self, items: Vec<T>, work: impl Fn(T, &mut Turn<'_>) + Sync) {
        self.crew.each(&self.shared.gate, items, work);
    }

    /// Runs a task on a host; a panic fails that host and nothing else.
    fn guarded(&self, work: &Work<'_>, host: &mut HostRun) -> (Next, Learnt) {
        if let Some(by) = self.shared.gate.skipped(&host.name) {
            return (work.leave_out(host, &by), Learnt::default());
        }
        let result = std::panic::catch_unwind(AssertUnwindSafe(|| work.run(host)));
        result.unwrap_or_else(|_| {
            self.crashed.store(true, Ordering::Relaxed);
            host.links.close();
            (
                work.fail(
                    host,
                    "a bug in batchssh stopped this host's work; please report it with the log (--log-file, -vvv)",
                ),
                Learnt::default(),
            )
        })
    }
}

/// `strategy`.
fn is_free(shared: &Shared, play: &Play) -> Result<bool, Diagnostic> {
    let name = match &play.strategy {
        Some(node) => node.as_str().map(str::to_owned).unwrap_or_default(),
        None => shared.options.strategy.clone().unwrap_or_else(|| "linear".to_owned()),
    };
    match name.strip_prefix("ansible.builtin.").unwrap_or(&name) {
        // Strategies of accelerators change speed, not results.
        "linear" | "debug" | "mitogen_linear" | "mitogen" => Ok(false),
        "free" | "host_pinned" | "mitogen_free" | "mitogen_host_pinned" => Ok(true),
        other => {
            let error = Diagnostic::new(format!("unknown strategy `{other}`"))
                .help("`linear`, `free` and `host_pinned` are there");
            Err(match &play.strategy {
                Some(node) => error.at(node.span.clone()),
                None => error,
            })
        }
    }
}

/// Sizes of the batches of `serial` for so many hosts.
fn batches(shared: &Shared, play: &Play, total: usize) -> Result<Vec<usize>, Diagnostics> {
    let Some(node) = &play.serial else {
        return Ok(vec![total]);
    };
    let scope = Scope::new()
        .with(play.vars.clone())
        .with(shared.options.extra_vars.clone());
    let value = shared.templar.render(node, &scope)?;
    let items: Vec<String> = match value.try_iter() {
        Ok(items) if value.as_str().is_none() => items.map(|item| item.to_string()).collect(),
        _ => vec![value.to_string()],
    };
    Ok(serial::sizes(&items, total).map_err(|wrong| node.error(wrong))?)
}
