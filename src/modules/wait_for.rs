//! `wait_for`: waits for a port, a path, a text in a file, or just for some time. The host itself does the trying.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::modules::answer::Answer;
use crate::modules::args::{Param, ParamKind};
use crate::modules::attrs::{param, with_default};
use crate::modules::given::Arguments;
use crate::modules::look::Body;
use crate::modules::pattern::{self, Text};
use crate::modules::step::Reader;
use crate::modules::{BUILTIN, Change, Given, Module, ModuleError, Spec, Values};
use crate::shell::{Command, snippets};
use crate::transport::{SessionError, Stdin};

/// The module.
pub const SPEC: Spec = Spec {
    name: "wait_for",
    collection: BUILTIN,
    doc: "Waits for a port, a path, a text in a file, or just for some time.

- hosts: all
  tasks:
    - wait_for: {port: 8080, delay: 5, timeout: 60}
    - wait_for: {path: /var/log/app.log, search_regex: 'started in (\\d+) ms'}",
    params: PARAMS,
    free_form: false,
    local: false,
    read,
};

const PARAMS: &[Param] = &[
    with_default("host", ParamKind::Text, "127.0.0.1", "Where the port is, as the managed host sees it."),
    param("port", ParamKind::Int, "Port to connect to."),
    param("path", ParamKind::Path, "The path on the host."),
    Param {
        choices: &["absent", "drained", "present", "started", "stopped"],
        ..with_default(
            "state",
            ParamKind::Text,
            "started",
            "What to wait for; `drained` is refused, because it is not built.",
        )
    },
    param("search_regex", ParamKind::Text, "Pattern that the file must hold."),
    with_default("timeout", ParamKind::Int, "300", "Seconds to wait at most; without port and path the time itself."),
    with_default("connect_timeout", ParamKind::Int, "5", "Seconds for one attempt to connect."),
    with_default("delay", ParamKind::Int, "0", "Seconds to wait first."),
    with_default("sleep", ParamKind::Int, "1", "Seconds between two tries."),
    param("msg", ParamKind::Text, "Message of a failure."),
    param("active_connection_states", ParamKind::List, "Accepted for `drained`, which is not built."),
    param("exclude_hosts", ParamKind::List, "Accepted for `drained`, which is not built."),
];

/// One command on the host tries at most so long; then the limits are looked at again.
const ROUND: u64 = 20;
/// Largest file that is searched.
const LARGEST: u64 = 16 * 1024 * 1024;

#[derive(Debug)]
struct WaitFor {
    host: String,
    port: Option<i64>,
    path: Option<String>,
    gone: bool,
    regex: Option<fancy_regex::Regex>,
    written: String,
    timeout: u64,
    connect: u64,
    delay: u64,
    sleep: u64,
    msg: Option<String>,
    state: String,
    check: bool,
}

fn read(given: &Given<'_>) -> Result<Box<dyn Module>, ModuleError> {
    let args = Arguments(&given.args);
    let seconds = |name: &str| u64::try_from(args.int(name).unwrap_or(0)).unwrap_or(0);
    let state = args.text("state").unwrap_or("started").to_owned();
    let (port, path) = (args.int("port"), args.filled("path").map(str::to_owned));
    if port.is_some() && path.is_some() {
        return Err(ModuleError::failed("port and path parameter can not both be passed to wait_for"));
    }
    if state == "drained" {
        return Err(ModuleError::failed("state=drained is not built; use state=stopped"));
    }
    if path.is_some() && state == "stopped" {
        return Err(ModuleError::failed("state=stopped should only be used for checking a port in the wait_for module"));
    }
    if port.is_some_and(|port| !(1..=65_535).contains(&port)) {
        return Err(ModuleError::failed("port must be between 1 and 65535"));
    }
    let written = args.text("search_regex").unwrap_or_default().to_owned();
    if !written.is_empty() && path.is_none() {
        return Err(ModuleError::failed("search_regex needs a path here; searching what a port says is not built"));
    }
    Ok(Box::new(WaitFor {
        host: args.text("host").unwrap_or("127.0.0.1").to_owned(),
        port,
        path,
        gone: matches!(state.as_str(), "absent" | "stopped"),
        regex: if written.is_empty() { None } else { Some(pattern::compile(&written, true)?) },
        written,
        timeout: seconds("timeout"),
        connect: seconds("connect_timeout").max(1),
        delay: seconds("delay"),
        sleep: seconds("sleep"),
        msg: args.filled("msg").map(str::to_owned),
        state,
        check: given.check,
    }))
}

fn pause(host: &Reader<'_>, seconds: u64) -> Result<(), ModuleError> {
    host.deadline
        .sleep(Duration::from_secs(seconds))
        .map_err(|stop| SessionError::Stopped { stop, survivor: None }.into())
}

impl Module for WaitFor {
    fn inspect(&self, host: &mut Reader<'_>) -> Result<Change, ModuleError> {
        let mut values = Values::new();
        if self.check {
            values.insert("msg".into(), "remote module (wait_for) does not support check mode".into());
            return Ok(Change::Skipped { values });
        }
        let began = Instant::now();
        pause(host, self.delay)?;
        values.insert("state".into(), self.state.clone().into());
        values.insert("port".into(), json!(self.port));
        values.insert("path".into(), json!(self.path));
        values.insert("search_regex".into(), json!(self.regex.as_ref().map(|_| &self.written)));
        values.insert("match_groups".into(), json!([]));
        values.insert("match_groupdict".into(), json!({}));
        if self.port.is_none() && self.path.is_none() {
            pause(host, self.timeout.saturating_sub(self.delay))?;
        } else {
            self.wait(host, began, &mut values)?;
        }
        values.insert("elapsed".into(), began.elapsed().as_secs().into());
        Ok(Change::None { values })
    }
}

impl WaitFor {
    fn wait(&self, host: &mut Reader<'_>, began: Instant, values: &mut Values) -> Result<(), ModuleError> {
        loop {
            let left = self.timeout.saturating_sub(began.elapsed().as_secs());
            let there = self.round(host, left.min(ROUND))?;
            if there && (self.regex.is_none() || self.gone || self.search(host, values)?) {
                return Ok(());
            }
            if began.elapsed().as_secs() >= self.timeout {
                values.insert("elapsed".into(), began.elapsed().as_secs().into());
                return Err(ModuleError::Failed {
                    msg: self.msg.clone().unwrap_or_else(|| self.timed_out()),
                    values: Box::new(values.clone()),
                });
            }
            pause(host, self.sleep.max(1))?;
        }
    }

    /// One command on the host that tries for so many seconds.
    fn round(&self, host: &mut Reader<'_>, seconds: u64) -> Result<bool, ModuleError> {
        let kind = match (self.port, self.gone) {
            (Some(_), false) => "open",
            (Some(_), true) => "closed",
            (None, false) => "present",
            (None, true) => "absent",
        };
        let tries = seconds.checked_div(self.sleep.max(1)).unwrap_or(0);
        let command = Command::snippet("wait", snippets::WAIT)
            .arg(kind)
            .arg(tries.max(1).to_string())
            .arg(self.sleep.max(1).to_string())
            .arg(&self.host)
            .arg(self.port.unwrap_or(0).to_string())
            .arg(self.connect.to_string())
            .expanding_arg(self.path.as_deref().unwrap_or_default());
        let output = host.ask(&command, Stdin::Empty)?;
        let mut answer = Answer::find(&output.stdout, output.rc, &output.stderr)?;
        let yes = answer.field()? == b"yes";
        match answer.field()? {
            b"end" => Ok(yes),
            _ => Err(ModuleError::failed("the host's answer is damaged")),
        }
    }

    fn search(&self, host: &mut Reader<'_>, values: &mut Values) -> Result<bool, ModuleError> {
        let (Some(path), Some(regex)) = (&self.path, &self.regex) else {
            return Ok(true);
        };
        let content = match host.look(&[], Some((path.as_bytes(), LARGEST)))?.content {
            Body::Bytes(bytes) => bytes,
            Body::Nothing => return Ok(false),
            Body::Large => {
                return Err(ModuleError::failed(format!("{path} is larger than {LARGEST} bytes; it is not searched")));
            }
        };
        let text = Text::of(&content);
        let Some(found) = pattern::captures(regex, &text.chars)? else {
            return Ok(false);
        };
        let group = |found: Option<fancy_regex::Match<'_>>| json!(found.map(|m| m.as_str().to_owned()));
        let groups: Vec<_> = (1..found.len()).map(|at| group(found.get(at))).collect();
        let named = regex.capture_names().flatten();
        let named: Values = named.map(|name| (name.to_owned(), group(found.name(name)))).collect();
        values.insert("match_groups".into(), groups.into());
        values.insert("match_groupdict".into(), named.into());
        Ok(true)
    }

    fn timed_out(&self) -> String {
        match (&self.path, self.gone) {
            (Some(path), true) => format!("Timeout when waiting for {path} to be absent."),
            (Some(path), false) if self.regex.is_some() => {
                format!("Timeout when waiting for search string {} in {path}", self.written)
            }
            (Some(path), false) => format!("Timeout when waiting for file {path}"),
            (None, gone) => {
                let place = format!("{}:{}", self.host, self.port.unwrap_or(0));
                let stop = if gone { " to stop." } else { "" };
                format!("Timeout when waiting for {place}{stop}")
            }
        }
    }
}
