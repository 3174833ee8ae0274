//! Markers as the module `markers` tells them.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::cli::collect::Heard;
use crate::event::{Status, TaskReport};
use crate::names::HostName;
use crate::source::visible;

/// One marker on one host.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Marker {
    /// On which host it is.
    #[serde(skip_deserializing)]
    pub on: String,
    /// `done`, `failed`, `doubt`, `running`, `damaged`.
    pub state: String,
    /// Why it is in doubt, or what is wrong with the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Its name; a record that cannot be read has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The item of a loop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    /// The task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// `file:line` of the task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The run that began it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// The first run of its chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// `user@controller`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// What the run called the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// When it began, by the host's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub began: Option<String>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
    /// How it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rc: Option<String>,
    /// `verified`, `resolved`: who said that it was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub how: Option<String>,
    /// Who looked and said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The host was started anew since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rebooted: Option<bool>,
    /// Processes of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub processes: Vec<Process>,
    /// What the task was.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
    /// Which attempt.
    pub attempt: u32,
    /// The file name of its record, without the attempt.
    pub file: String,
    /// What was done about it: `cleared`, `decided`, `left`, `failed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub did: Option<String>,
}

/// A process of a task that still runs.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Process {
    /// Its id; 0: nobody can tell.
    pub pid: u32,
    /// Its command line.
    pub command: String,
}

/// One part of what a task was.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// Its text; none: it is not shown.
    pub text: Option<String>,
}

/// A host that gave no answer.
#[derive(Clone, Debug, Serialize)]
pub struct Silent {
    /// Which.
    pub host: String,
    /// What became of it.
    pub status: &'static str,
    /// Why.
    pub msg: String,
}

/// What was found on all hosts.
#[derive(Debug, Default)]
pub struct Found {
    /// The hosts, in inventory order.
    pub hosts: Vec<HostName>,
    /// The markers, by host.
    pub markers: Vec<Marker>,
    /// Hosts without an answer, or with one that tells of a failure.
    pub silent: Vec<Silent>,
    /// Hosts with more markers than are told.
    pub more: Vec<String>,
}

/// The markers of one result.
pub fn of_report(report: &TaskReport) -> Vec<Marker> {
    let told = report.result.get("markers").and_then(|told| told.as_array());
    let read = |value: &serde_json::Value| {
        let mut marker: Marker = serde_json::from_value(value.clone()).ok()?;
        marker.on = report.host.to_string();
        Some(marker)
    };
    told.into_iter().flatten().filter_map(read).collect()
}

impl Found {
    /// From what the hosts said.
    pub fn new(mut heard: Heard) -> Self {
        let place: HashMap<HostName, usize> = heard.hosts.iter().cloned().zip(0..).collect();
        heard.reports.sort_by_key(|report| place.get(&report.host).copied());
        let mut found = Self {
            hosts: heard.hosts,
            ..Self::default()
        };
        let mut answered = std::collections::HashSet::new();
        for report in &heard.reports {
            answered.insert(&report.host);
            found.markers.extend(of_report(report));
            if report.result.get("more").is_some() {
                found.more.push(report.host.to_string());
            }
            if !report.status.is_good() {
                found.silent.push(Silent {
                    host: report.host.to_string(),
                    status: report.status.as_str(),
                    msg: report.msg.clone(),
                });
            }
        }
        for host in found.hosts.iter().filter(|host| !answered.contains(host)) {
            found.silent.push(Silent {
                host: host.to_string(),
                status: Status::Skipped.as_str(),
                msg: "not asked".to_owned(),
            });
        }
        found
    }

    /// As one JSON document.
    pub fn json(&self) -> String {
        let document = json!({
            "hosts": self.hosts,
            "markers": self.markers,
            "no_answer": self.silent,
            "cut": self.more,
        });
        format!("{document:#}\n")
    }
}

impl Marker {
    /// What people call it: its name with the item, or the file of a record that has none.
    pub fn title(&self) -> String {
        let Some(name) = &self.name else {
            return format!("(record {}.{})", visible(&self.file), self.attempt);
        };
        let name = match &self.task {
            // Nobody types such a name: it says which run and which task.
            Some(task) if name.starts_with("run/") => format!("{} (of one run)", visible(task)),
            Some(_) | None => visible(name),
        };
        let Some(item) = &self.item else { return name };
        // The digest of the item ends the name.
        let shown = name.rfind('[').map_or(name.as_str(), |at| &name[..at]);
        format!("{shown} ({})", visible(item))
    }

    /// Its state in words.
    pub fn state_words(&self) -> &str {
        match self.state.as_str() {
            "doubt" => "in doubt",
            other => other,
        }
    }

    /// Why it is not simply done, in words; empty when there is nothing to say.
    pub fn reason(&self) -> String {
        let why = self.why.as_deref().unwrap_or_default();
        let rc = self.rc.as_deref().map(visible).unwrap_or_default();
        match (self.state.as_str(), why) {
            ("running", _) => {
                let shown = self.processes.iter().take(4).map(|process| match process.pid {
                    0 => visible(&process.command),
                    pid => format!("process {pid} (`{}`)", visible(process.command.trim())),
                });
                shown.collect::<Vec<_>>().join(", ")
            }
            ("doubt", "unsettled") => {
                format!("it ended (rc {rc}), and what that came to was never written down")
            }
            ("doubt", "killed") => format!("it was killed (rc {rc}), maybe when its work was done"),
            ("doubt", "lost") => format!("it failed (rc {rc}) after the connection was lost, maybe because of that"),
            ("doubt", _) if self.rebooted == Some(true) => {
                "nobody saw its end; the host was started anew since".to_owned()
            }
            ("doubt", _) => "nobody saw its end; no process of it is left".to_owned(),
            ("damaged", why) => visible(why),
            ("failed", _) if self.how.is_some() => {
                format!(
                    "{} said that it was not done",
                    self.by.as_deref().map(visible).unwrap_or_default()
                )
            }
            ("failed", _) => format!("rc {rc}"),
            ("done", _) if self.by.is_some() => {
                format!(
                    "{} said that it was done",
                    self.by.as_deref().map(visible).unwrap_or_default()
                )
            }
            ("done", _) if self.how.as_deref() == Some("verified") => "`verify` said that it was done".to_owned(),
            _ => String::new(),
        }
    }
}
