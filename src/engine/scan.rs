//! How far one gets with each host: name, TCP, SSH, host key, login.

use std::collections::HashMap;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use serde_json::{Map, Value as Json, json};

use crate::engine::duplicates::{self, Identity, Seen};
use crate::engine::host::HostRun;
use crate::engine::link::Lookup;
use crate::engine::shared::Shared;
use crate::engine::{Engine, scope};
use crate::event::{Duplicates, EventKind, Severity, Status, TaskReport};
use crate::modules::ModuleError;
use crate::names::HostName;
use crate::plan::Keywords;
use crate::transport::{ConnectSettings, Session, Stage};

/// How far a scan goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// No SSH is spoken.
    Tcp,
    /// To the login.
    Login,
    /// And which machine it is, to find names of the same one.
    Identity,
}

/// What is tried with a host, in order.
const STAGES: [(Stage, &str); 5] = [
    (Stage::Resolve, "name"),
    (Stage::Connect, "tcp"),
    (Stage::Handshake, "ssh"),
    (Stage::HostKey, "host key"),
    (Stage::Login, "login"),
];

impl Engine<'_> {
    /// Tries every host; gives the duplicates that were found, which are told of, too.
    pub fn scan(&self, hosts: &[HostName], depth: Depth) -> Vec<Duplicates> {
        let (found, finds) = std::sync::mpsc::channel();
        self.look_at_each(hosts, "ping", move |shared, name| {
            let (report, seen) = try_host(shared, name, depth);
            // Nobody listens any more only when the scan is over.
            let _ = found.send(seen);
            report
        });
        let shared = self.shared;
        let mut seen: HashMap<HostName, Seen> = finds
            .iter()
            .flatten()
            .map(|seen: Seen| (seen.host.clone(), seen))
            .collect();
        // In inventory order, however they answered.
        let seen: Vec<Seen> = hosts.iter().filter_map(|name| seen.remove(name)).collect();
        let duplicates = duplicates::find(&seen);
        for one in &duplicates {
            (shared.tell)(EventKind::DuplicatesFound(Box::new(one.clone())));
        }
        if depth == Depth::Identity && duplicates.is_empty() {
            let (severity, text) = (Severity::Info, format!("no duplicates among {} hosts", seen.len()));
            (shared.tell)(EventKind::Message { severity, text });
        }
        duplicates
    }

    /// Looks at every host once, outside of any plan. `what` is what people call it.
    pub(super) fn look_at_each(
        &self,
        hosts: &[HostName],
        what: &str,
        look: impl Fn(&Shared, &HostName) -> TaskReport + Sync,
    ) {
        let shared = self.shared;
        self.each(hosts.iter().collect(), |name, _| {
            if shared.cancel.is_winding_down() || shared.gate.skipped(name).is_some() {
                return;
            }
            let mut host = HostRun::new(name);
            host.started();
            (shared.tell)(EventKind::HostStarted {
                host: name.clone(),
                task: what.to_owned(),
            });
            let report = look(shared, name);
            host.judge(&report);
            (shared.tell)(EventKind::TaskResult(Box::new(report)));
            host.tell_done(shared);
        });
    }
}

/// What came of one host, and who it is when it was asked.
fn try_host(shared: &Shared, name: &HostName, depth: Depth) -> (TaskReport, Option<Seen>) {
    let begun = Instant::now();
    let mut stages = Map::new();
    let mut seen = None;
    let found = reach(shared, name, depth, &mut stages, &mut seen);
    let words: Vec<String> = stages
        .iter()
        .map(|(stage, what)| format!("{stage} {}", what.as_str().unwrap_or("ok")))
        .collect();
    let (status, msg) = match found {
        Ok(()) => (Status::Ok, words.join(", ")),
        Err(msg) => (Status::Unreachable, msg),
    };
    let unknown = seen.as_ref().is_some_and(|seen| seen.identity.is_none());
    let warnings = unknown.then(|| "it did not say which machine it is; only its host key was compared".to_owned());
    let mut report = report(name, "ping", begun);
    report.status = status;
    report.msg = msg;
    report.warnings = warnings.into_iter().collect();
    report.result = json!({ "stages": stages });
    if let Some(seen) = &seen {
        report.result["identity"] = seen.identity.as_ref().map_or(Json::Null, Identity::value);
        report.result["host_key"] = json!(seen.host_key);
    }
    (report, seen)
}

/// A report about a look, with nothing in it yet.
pub(super) fn report(name: &HostName, what: &str, begun: Instant) -> TaskReport {
    TaskReport {
        host: name.clone(),
        task: what.to_owned(),
        module: what.to_owned(),
        path: String::new(),
        status: Status::Ok,
        ignored: false,
        rescued: false,
        rc: None,
        stdout: String::new(),
        stderr: String::new(),
        stdout_b64: None,
        stderr_b64: None,
        msg: String::new(),
        seconds: begun.elapsed().as_secs_f64(),
        item: None,
        result: Json::Null,
        diff: Vec::new(),
        notified: Vec::new(),
        looped: false,
        warnings: Vec::new(),
        verbose: false,
        delegated_to: None,
        refused: None,
        did: Box::default(),
    }
}

/// How the host is connected to.
pub(super) fn settings_of(shared: &Shared, name: &HostName) -> Result<ConnectSettings, String> {
    scope::of_host(shared, name)
        .map_err(ModuleError::from)
        .and_then(|scope| Lookup::new(shared, &scope, name, None)?.connect_settings(name, &Keywords::default()))
        .map_err(|error| error.to_string())
}

/// Goes as far as it can; each stage's verdict goes to `stages`.
fn reach(
    shared: &Shared,
    name: &HostName,
    depth: Depth,
    stages: &mut Map<String, Json>,
    seen: &mut Option<Seen>,
) -> Result<(), String> {
    let settings = settings_of(shared, name)?;
    let direct = settings.jumps.is_empty() && settings.proxy_command.is_none() && !settings.local;
    if direct && let Err(error) = tcp(&settings, stages) {
        return Err(error);
    }
    if depth == Depth::Tcp {
        return if direct {
            Ok(())
        } else {
            Err("behind a proxy: TCP alone cannot be tried".to_owned())
        };
    }
    let begun = Instant::now();
    match shared.transport.connect(&settings, &shared.deadline) {
        Ok(mut session) => {
            for (_, stage) in STAGES {
                stages.entry(stage).or_insert_with(|| "ok".into());
            }
            stages.insert("login".into(), took(begun.elapsed()).into());
            if let Some(banner) = &session.info().banner {
                stages.insert("server".into(), banner.trim_start_matches("SSH-2.0-").into());
            }
            if depth == Depth::Identity {
                let asked = ask(shared, name, session.as_mut(), settings.timeout);
                if let Some(is) = &asked.identity {
                    stages.insert("machine".into(), is.id.clone().into());
                }
                *seen = Some(asked);
            }
            Ok(())
        }
        Err(error) => {
            for (stage, word) in STAGES.iter().take_while(|(stage, _)| *stage != error.stage) {
                let _ = stage;
                stages.entry(*word).or_insert_with(|| "ok".into());
            }
            let word = STAGES
                .iter()
                .find(|(stage, _)| *stage == error.stage)
                .map_or("ssh", |(_, word)| word);
            stages.insert(word.into(), "failed".into());
            Err(format!("{word}: {}", error.message))
        }
    }
}

/// Asks a host which machine it is. One that does not say is no failure: it can be reached.
fn ask(shared: &Shared, name: &HostName, session: &mut dyn Session, limit: Duration) -> Seen {
    let deadline = shared.deadline.within("the question which machine it is", limit);
    let identity = Identity::ask(session, &deadline);
    if let Err(error) = &identity {
        tracing::debug!(host = name.as_str(), %error, "it did not say which machine it is");
    }
    Seen {
        host: name.clone(),
        identity: identity.unwrap_or_default(),
        host_key: session.info().fingerprint.clone(),
    }
}

fn tcp(settings: &ConnectSettings, stages: &mut Map<String, Json>) -> Result<(), String> {
    let place = format!("{}:{}", settings.address, settings.port);
    let begun = Instant::now();
    let addresses = (settings.address.as_str(), settings.port)
        .to_socket_addrs()
        .map_err(|error| {
            stages.insert("name".into(), "failed".into());
            format!("name: cannot look up `{}`: {error}", settings.address)
        })?;
    stages.insert("name".into(), "ok".into());
    let mut last = format!("tcp: no address for {place}");
    for address in addresses {
        match TcpStream::connect_timeout(&address, settings.timeout) {
            Ok(_) => {
                stages.insert("tcp".into(), took(begun.elapsed()).into());
                return Ok(());
            }
            Err(error) => last = format!("tcp: cannot connect to {place}: {error}"),
        }
    }
    stages.insert("tcp".into(), "failed".into());
    Err(last)
}

fn took(time: Duration) -> String {
    format!("{:.1}ms", time.as_secs_f64() * 1000.0)
}
