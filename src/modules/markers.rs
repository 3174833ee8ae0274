//! `markers`: what a host's store of records holds, and decisions about it. What `batchssh markers` runs.

use serde_json::{Value as Json, json};

use crate::modules::answer::Answer;
use crate::modules::args::{Param, ParamKind};
use crate::modules::attrs::{param, with_default};
use crate::modules::given::Arguments;
use crate::modules::step::{Content, Reader, Step, Taken};
use crate::modules::{BUILTIN, Change, Given, Module, ModuleError, Spec, Values};
use crate::shell::{Command, snippets};
use crate::transport::Stdin;

/// The module.
pub const SPEC: Spec = Spec {
    name: "markers",
    collection: BUILTIN,
    doc: "Tells which tasks were done `once` on a host, or which are in doubt there.

- hosts: all
  gather_facts: false
  tasks:
    - markers:
      register: known
    - debug: var=known.markers",
    params: PARAMS,
    free_form: false,
    local: false,
    read,
};

const PARAMS: &[Param] = &[
    Param {
        choices: &["list", "show", "clear", "done", "undone"],
        ..with_default("act", ParamKind::Text, "list", "What is done: told, told in full, forgotten, decided.")
    },
    param("files", ParamKind::List, "File names of markers; without one all are meant."),
    param("who", ParamKind::Text, "Who decides about a task in doubt."),
];

/// The parts of a record that are told, in their order.
const TOLD: &[&str] = &["run", "root", "who", "host", "task", "attempt", "began", "ended", "rc", "resolved"];

#[derive(Debug)]
struct Markers {
    act: String,
    command: Command,
}

fn read(given: &Given<'_>) -> Result<Box<dyn Module>, ModuleError> {
    let args = Arguments(&given.args);
    let act = args.filled("act").unwrap_or("list").to_owned();
    let store = given.templar.variable("batchssh_store", given.scope)?;
    let store = store.filter(|value| !value.is_none()).map(|value| value.to_string());
    let word = if act == "show" { "list" } else { &act };
    let command = Command::snippet("markers", snippets::MARKERS)
        .arg(store.unwrap_or_default())
        // A run that owns nothing, for the part about leases.
        .args(["-", "0", "1800", "0", "", "-"])
        .arg(word)
        .arg(args.filled("who").unwrap_or("somebody"))
        .args(args.list("files"));
    Ok(Box::new(Markers { act, command }))
}

impl Markers {
    fn looks(&self) -> bool {
        matches!(self.act.as_str(), "list" | "show")
    }

    fn values(&self, stdout: &[u8], rc: i32, stderr: &[u8], values: &mut Values) -> Result<(), ModuleError> {
        let mut answer = Answer::find(stdout, rc, stderr)?;
        let mut lines = Vec::new();
        let mut markers = Vec::new();
        let mut changed = false;
        loop {
            match answer.field()? {
                b"end" => break,
                b"bad" => return Err(ModuleError::failed(format!("the store cannot be used: {}", answer.text()?))),
                b"lease" => {
                    let (run, who, since) = (answer.text()?, answer.text()?, answer.text()?);
                    if answer.field()? == b"1" {
                        let text = format!("locked by run {run} of {who} since {since}");
                        if !self.looks() {
                            return Err(ModuleError::failed(format!("{text}: nothing was changed")));
                        }
                        lines.push(text);
                    }
                }
                b"marker" => {
                    let one = Marker {
                        file: answer.text()?,
                        state: answer.text()?,
                        did: answer.text()?,
                        record: answer.text()?,
                    };
                    changed |= matches!(one.did.as_str(), "cleared" | "decided");
                    one.tell(&self.act, &mut lines);
                    markers.push(one.json());
                }
                other => {
                    return Err(ModuleError::failed(format!(
                        "the host's answer is damaged: `{}`",
                        String::from_utf8_lossy(other)
                    )));
                }
            }
        }
        values.insert("markers".into(), markers.into());
        values.insert("stdout".into(), lines.join("\n").into());
        values.insert("stdout_lines".into(), lines.into());
        values.insert("rc".into(), 0.into());
        values.insert("changed".into(), changed.into());
        Ok(())
    }
}

struct Marker {
    file: String,
    state: String,
    did: String,
    record: String,
}

impl Marker {
    fn get(&self, key: &str) -> Option<&str> {
        self.record
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix(' '))
            .filter(|value| !value.is_empty())
    }

    /// Its name, or its file's where the record cannot be read.
    fn name(&self) -> &str {
        self.get("name").unwrap_or(&self.file)
    }

    fn tell(&self, act: &str, lines: &mut Vec<String>) {
        let state = match self.state.as_str() {
            "doubt" => "in doubt",
            other => other,
        };
        match (act, self.did.as_str()) {
            ("list" | "show", _) => lines.push(format!("{state} {}", self.name())),
            (_, "cleared") => lines.push(format!("forgotten {} (it was {state})", self.name())),
            ("done", "decided") => lines.push(format!("done {} (it was in doubt)", self.name())),
            ("undone", "decided") => lines.push(format!("not done {} (it was in doubt)", self.name())),
            (_, "running") => lines.push(format!("left alone {}: it still runs", self.name())),
            (_, "-") => lines.push(format!("left alone {}: it is {state}, not in doubt", self.name())),
            (_, why) => lines.push(format!("left alone {}: {why}", self.name())),
        }
        if act != "show" {
            return;
        }
        lines.push(format!("  file: {}", self.file));
        for key in TOLD {
            if let Some(value) = self.get(key) {
                lines.push(format!("  {key}: {value}"));
            }
        }
        for part in self.record.lines().filter_map(|line| line.strip_prefix("part ")) {
            let mut words = part.splitn(3, ' ');
            if let (Some(name), Some(_), Some(text)) = (words.next(), words.next(), words.next())
                && !text.is_empty()
            {
                lines.push(format!("  {name}: {text}"));
            }
        }
    }

    fn json(&self) -> Json {
        let mut one = json!({ "name": self.name(), "file": self.file, "state": self.state, "did": self.did });
        for key in TOLD {
            if let Some(value) = self.get(key) {
                one[*key] = value.into();
            }
        }
        one
    }
}

impl Module for Markers {
    fn inspect(&self, host: &mut Reader<'_>) -> Result<Change, ModuleError> {
        let mut values = Values::new();
        if !self.looks() {
            let steps = vec![Step::Run {
                command: self.command.clone(),
                stdin: Content::empty(),
                plain: false,
            }];
            return Ok(Change::Opaque { steps, values });
        }
        let output = host.ask(&self.command, Stdin::Empty)?;
        self.values(&output.stdout, output.rc, &output.stderr, &mut values)?;
        Ok(Change::None { values })
    }

    fn conclude(&self, taken: &[Taken], values: &mut Values) -> Result<(), ModuleError> {
        match taken.first() {
            Some(ran) => self.values(&ran.stdout, ran.rc, &ran.stderr, values),
            None => Ok(()),
        }
    }
}
