//! All checks of a play asked of one host: one exchange for all that run as the same user.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::engine::host::HostRun;
use crate::engine::keywords::first_false;
use crate::engine::link::{Lookup, TaskLink, truth};
use crate::engine::outcome::{Outcome as Ended, Phase};
use crate::engine::play::PlayRun;
use crate::engine::preflight::look::{self, Question};
use crate::engine::scope;
use crate::engine::shared::Shared;
use crate::engine::task::explain;
use crate::event::preflight::PreflightAnswer;
use crate::event::{EventKind, Status};
use crate::modules::step::{Link, Reader};
use crate::modules::{ModuleError, words};
use crate::names::HostName;
use crate::plan::preflight::Check;
use crate::preflight::Evidence;
use crate::preflight::ask::{Replies, Reply, script};
use crate::preflight::evidence::Standing;
use crate::preflight::verdict::Outcome;
use crate::shell::Command;
use crate::shell::elevate::Become;
use crate::source::Diagnostic;
use crate::transport::Stdin;
use crate::vars::templar::from_json;
use crate::vars::{Scope, Var, VarMap};

/// How long one check may take where nothing is said: a look at a dying disk may hang for ever.
const LIMIT: Duration = Duration::from_secs(60);
/// How much of an answer is told.
const TOLD: usize = 16 * 1024;
/// How much of what a host says instead of an answer is kept.
const SAID: usize = 4096;

/// What checks are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Purpose {
    /// Before a play.
    Preflight,
    /// After a wave.
    Canary,
}

/// What a host came to.
pub(in crate::engine) struct Asked {
    /// Which.
    pub host: HostName,
    /// One for each check.
    pub outcomes: Vec<Outcome>,
    evidence: Vec<Evidence>,
    disk: Json,
}

impl Asked {
    /// A host whose work we could not do.
    pub fn broken(host: &HostName, checks: usize) -> Self {
        let outcome = Outcome::Silent {
            status: Status::Failed,
            reason: "a bug in batchssh stopped the look at this host; please report it with the log (--log-file, -vvv)"
                .to_owned(),
        };
        Self {
            host: host.clone(),
            outcomes: vec![outcome; checks],
            evidence: Vec::new(),
            disk: Json::Null,
        }
    }

    /// Leaves with a host that goes on what was approved: its evidence, and the variable `disk`.
    pub fn leave(self, shared: &Shared, host: &mut HostRun) {
        host.evidence = self.evidence;
        if !self.disk.is_null() {
            host.learn(shared, |vars| vars.set("disk", from_json(&self.disk)));
        }
    }
}

/// A check on its way through a host.
enum Way {
    NotAsked,
    /// The check itself cannot be asked here, and why.
    Wrong(String),
    Asked(Box<Question>, Option<Become>),
}

/// What was heard.
enum Heard {
    Reply(Reply),
    Nothing(Status, String),
}

/// Asks all checks of a host.
pub(super) fn host(shared: &Shared, run: &PlayRun, checks: &[Check], purpose: Purpose, host: &mut HostRun) -> Asked {
    let asking = Asking {
        shared,
        run,
        checks,
        purpose,
        host: host.name.clone(),
        begun: Instant::now(),
    };
    host.started();
    (shared.tell)(EventKind::HostStarted {
        host: host.name.clone(),
        task: match purpose {
            Purpose::Preflight => "pre-flight".to_owned(),
            Purpose::Canary => "canary".to_owned(),
        },
    });
    let mut asked = Asked {
        host: host.name.clone(),
        outcomes: Vec::with_capacity(checks.len()),
        evidence: Vec::new(),
        disk: Json::Null,
    };
    let (mut scope, ways) = match scope::build(shared, run, &host.name, &host.vars, None) {
        Ok(scope) => {
            let ways: Vec<Way> = checks.iter().map(|check| asking.way(check, &scope)).collect();
            (scope, ways)
        }
        Err(error) => {
            let wrong = || Way::Wrong(explain(&error));
            (Scope::new(), checks.iter().map(|_| wrong()).collect())
        }
    };
    let heard = asking.exchanges(host, &scope, &ways);
    for ((check, way), heard) in checks.iter().zip(&ways).zip(heard) {
        let mut told = Told::default();
        let mut outcome = asking.conclude(check, way, heard, &mut scope, &mut asked, &mut told);
        if asking.is_hidden(check, &scope) {
            hide(&mut outcome, &mut told);
        }
        asking.tell(check, &outcome, told);
        asked.outcomes.push(outcome);
    }
    asked
}

/// The checks of a play on one host.
struct Asking<'a> {
    shared: &'a Shared,
    run: &'a PlayRun,
    checks: &'a [Check],
    purpose: Purpose,
    host: HostName,
    begun: Instant,
}

/// What is told of an answer, beside its outcome.
#[derive(Default)]
struct Told {
    shown: String,
    rc: Option<i32>,
    answer: String,
    digest: Option<String>,
    disk: Json,
}

impl Asking<'_> {
    fn lookup<'s>(&'s self, scope: &'s Scope) -> Result<Lookup<'s>, Diagnostic> {
        let dir = Some(self.run.play.playbook_dir.as_path());
        Lookup::new(self.shared, scope, &self.host, dir)
    }

    fn way(&self, check: &Check, scope: &Scope) -> Way {
        let ready = (|| -> Result<Way, Diagnostic> {
            if first_false(&self.shared.templar, &check.when, scope)?.is_some() {
                return Ok(Way::NotAsked);
            }
            let keywords = check.keywords.clone().under(&self.run.play.keywords);
            let elevate = self.lookup(scope)?.elevate(&keywords)?;
            let question = look::question(self.shared, check, scope)?;
            Ok(Way::Asked(Box::new(question), elevate))
        })();
        ready.unwrap_or_else(|error| Way::Wrong(explain(&error)))
    }

    /// Asks what can be asked: one exchange for each user it is asked as. Nearly always that is one.
    fn exchanges(&self, host: &mut HostRun, scope: &Scope, ways: &[Way]) -> Vec<Option<Heard>> {
        let mut heard: Vec<Option<Heard>> = ways.iter().map(|_| None).collect();
        let mut users: Vec<&Option<Become>> = Vec::new();
        for way in ways {
            if let Way::Asked(_, elevate) = way
                && !users.contains(&elevate)
            {
                users.push(elevate);
            }
        }
        for elevate in users {
            let mut numbers = Vec::new();
            let mut commands = Vec::new();
            let mut limit = Duration::ZERO;
            for (number, (way, check)) in ways.iter().zip(self.checks).enumerate() {
                if let Way::Asked(question, user) = way
                    && user == elevate
                {
                    numbers.push(number);
                    commands.push(question.text.clone());
                    let own = check.timeout.or(self.shared.options.task_timeout);
                    limit = limit.saturating_add(own.unwrap_or(LIMIT));
                }
            }
            let replies = self.exchange(host, scope, elevate.as_ref(), &commands, limit);
            for (number, reply) in numbers.into_iter().zip(replies) {
                if let Some(slot) = heard.get_mut(number) {
                    *slot = Some(reply);
                }
            }
        }
        heard
    }

    /// One exchange; something is heard of each command.
    fn exchange(
        &self,
        host: &mut HostRun,
        scope: &Scope,
        elevate: Option<&Become>,
        commands: &[Vec<u8>],
        limit: Duration,
    ) -> Vec<Heard> {
        let shared = self.shared;
        let mut said = Vec::new();
        let mut replies = Vec::new();
        let ended = (|| -> Result<i32, ModuleError> {
            let settings = self
                .lookup(scope)?
                .connect_settings(&self.host, &self.run.play.keywords)?;
            let environment = scope::environment(shared, &self.run.play.keywords.environment, scope)?;
            let nonce = words::token()?;
            let mut link = TaskLink::new(shared, &mut host.links, settings, &self.host);
            // The checks' own limit begins when the host is connected.
            link.session()?;
            let deadline = shared.deadline.within("the checks (timeout)", limit);
            let mut reader = Reader {
                link: &mut link,
                elevate,
                environment: &environment,
                deadline: &deadline,
            };
            let command = Command::new("sh").arg("-s");
            let text = script(&nonce, commands);
            let mut reading = Replies::new(&nonce, commands.len());
            let ended = reader.exec(&command, Stdin::Bytes(&text), &mut |stream, bytes| {
                let room = SAID.saturating_sub(said.len()).min(bytes.len());
                said.extend_from_slice(bytes.get(..room).unwrap_or_default());
                reading.push(stream, bytes);
            });
            replies = reading.finish();
            ended
        })();
        let (status, reason) = match ended {
            Err(error) => {
                let ended = Ended::of_error(error, Phase::Looking);
                (ended.status, ended.msg())
            }
            Ok(rc) => {
                let said = crate::modules::answer::reason(&said, &[]);
                (
                    Status::Failed,
                    format!("the host gave no whole answer (rc {rc}): {said}"),
                )
            }
        };
        replies.resize(commands.len(), Reply::default());
        let mut is_first = true;
        let heard = replies.into_iter().map(|reply| {
            if reply.rc.is_some() {
                return Heard::Reply(reply);
            }
            // The first that did not end is the one that took too long.
            let late = !std::mem::take(&mut is_first) && status == Status::TimedOut;
            let reason = if late {
                "not asked: a check before it did not end in time"
            } else {
                &reason
            };
            Heard::Nothing(status, reason.to_owned())
        });
        heard.collect()
    }

    /// What is made of what was heard of one check.
    fn conclude(
        &self,
        check: &Check,
        way: &Way,
        heard: Option<Heard>,
        scope: &mut Scope,
        asked: &mut Asked,
        told: &mut Told,
    ) -> Outcome {
        let silent = |status, reason| Outcome::Silent { status, reason };
        let question = match way {
            Way::NotAsked => return Outcome::NotAsked,
            Way::Wrong(reason) => return silent(Status::Failed, reason.clone()),
            Way::Asked(question, _) => question,
        };
        told.shown.clone_from(&question.shown);
        let reply = match heard {
            Some(Heard::Reply(reply)) => reply,
            Some(Heard::Nothing(status, reason)) => return silent(status, reason),
            None => return silent(Status::Failed, "no answer".to_owned()),
        };
        told.rc = reply.rc;
        told.answer = beginning(&reply.stdout);
        let seen = match look::look(self.shared, check, question, &reply, &self.host, scope) {
            Ok(seen) => seen,
            Err(reason) => return silent(Status::Failed, reason),
        };
        let digest = Evidence::digest(&reply.stdout);
        let prior = match self.purpose {
            Purpose::Preflight => self.shared.prior().of(&self.host, &check.name),
            // What earlier runs approved was asked before the first task.
            Purpose::Canary => None,
        };
        let standing = prior.map_or(Standing::New, |prior| prior.standing(&digest));
        let disk = match (standing, prior) {
            // The same disks keep their numbers: those that are formatted by now might not count any more.
            (Standing::AsApproved | Standing::AsLeft | Standing::InDoubt, Some(prior)) if !prior.disk.is_null() => {
                prior.disk.clone()
            }
            _ => seen.disk,
        };
        if !disk.is_null() {
            let mut map = VarMap::new();
            map.insert("disk".to_owned(), Var::Data(from_json(&disk)));
            *scope = scope.with(Arc::new(map));
            asked.disk = disk.clone();
        }
        told.disk = disk;
        told.digest = Some(digest.clone());
        asked.evidence.push(Evidence {
            check: check.name.clone(),
            command: String::from_utf8_lossy(&question.text).into_owned(),
            digest: (standing != Standing::InDoubt).then(|| digest.clone()),
            seen: (standing == Standing::InDoubt).then_some(digest),
        });
        Outcome::Answered {
            lines: seen.lines,
            problems: seen.problems,
            note: seen.note,
            standing,
        }
    }

    /// `no_log`; what cannot be told is taken as yes.
    fn is_hidden(&self, check: &Check, scope: &Scope) -> bool {
        let keywords = check.keywords.clone().under(&self.run.play.keywords);
        keywords.no_log.as_ref().is_some_and(|node| {
            let said = self.shared.templar.render(node, scope).ok();
            said.and_then(|value| truth(&value)).unwrap_or(true)
        })
    }

    fn tell(&self, check: &Check, outcome: &Outcome, told: Told) {
        let (status, msg) = match outcome {
            Outcome::NotAsked => (Status::Skipped, String::new()),
            Outcome::Silent { status, reason } => (*status, reason.clone()),
            Outcome::Answered { problems, .. } => (Status::Ok, problems.join("; ")),
        };
        let answer = PreflightAnswer {
            host: self.host.clone(),
            check: check.name.clone(),
            command: told.shown,
            status,
            rc: told.rc,
            digest: told.digest,
            answer: told.answer,
            msg,
            disk: told.disk,
            seconds: self.begun.elapsed().as_secs_f64(),
        };
        (self.shared.tell)(match self.purpose {
            Purpose::Preflight => EventKind::PreflightAnswer(Box::new(answer)),
            Purpose::Canary => EventKind::CanaryAnswer(Box::new(answer)),
        });
    }
}

/// Takes away what was said: equal answers stay equal, and nobody can read them.
fn hide(outcome: &mut Outcome, told: &mut Told) {
    const HIDDEN: &str = "hidden by no_log";
    (told.shown, told.answer) = (String::new(), String::new());
    match outcome {
        Outcome::NotAsked => {}
        Outcome::Silent { reason, .. } => HIDDEN.clone_into(reason),
        Outcome::Answered {
            lines, problems, note, ..
        } => {
            *lines = vec![format!("{HIDDEN}: {}", Evidence::digest(lines.join("\n").as_bytes()))];
            if !problems.is_empty() {
                *problems = vec![format!("not as demanded ({HIDDEN})")];
            }
            *note = None;
        }
    }
}

/// The beginning of an answer, in whole lines: half a secret would not be known as one.
fn beginning(stdout: &[u8]) -> String {
    let text = String::from_utf8_lossy(stdout);
    if text.len() <= TOLD {
        return text.into_owned();
    }
    let whole = text
        .as_bytes()
        .get(..TOLD)
        .and_then(|part| part.iter().rposition(|b| *b == b'\n'));
    let part = whole.and_then(|end| text.get(..=end)).unwrap_or_default();
    format!("{part}[{} bytes more]\n", text.len() - part.len())
}
