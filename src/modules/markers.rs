//! `markers`: what a host's store of records holds, and decisions about it. What `batchssh markers` and `batchssh doubt` run.

use serde_json::{Map, Value as Json, json};

use crate::modules::answer::Answer;
use crate::modules::args::{Param, ParamKind};
use crate::modules::attrs::{param, with_default};
use crate::modules::given::Arguments;
use crate::modules::step::{Content, Reader, Step, Taken};
use crate::modules::{BUILTIN, Change, Given, Module, ModuleError, Spec, Values};
use crate::shell::escape::{escape, unescape};
use crate::shell::{Command, snippets};
use crate::source::visible;
use crate::transport::Stdin;

/// The module.
pub const SPEC: Spec = Spec {
    name: "markers",
    collection: BUILTIN,
    doc: "Tells which tasks were done `once` on a host, which failed, and which are in doubt there.

- hosts: all
  gather_facts: false
  tasks:
    - markers: {states: [doubt, damaged]}
      register: known
    - assert:
        that: known.markers | length == 0",
    params: PARAMS,
    free_form: false,
    local: false,
    read,
};

const PARAMS: &[Param] = &[
    Param {
        choices: &["list", "clear", "done", "failed"],
        ..with_default(
            "act",
            ParamKind::Text,
            "list",
            "What is done: they are told, forgotten, or what is in doubt is decided.",
        )
    },
    param("names", ParamKind::List, "Names of markers; `*` and `?` stand for other characters. Without one all are meant."),
    param("files", ParamKind::List, "File names of records, as this module tells them."),
    param("states", ParamKind::List, "Only markers in these states: done, failed, doubt, running, damaged."),
    param("by", ParamKind::Text, "Who decides about a task in doubt."),
    with_default("full", ParamKind::Bool, "false", "Tell what the tasks were, too."),
];

/// The states there are.
pub const STATES: &[&str] = &["done", "failed", "doubt", "running", "damaged"];

/// The parts of a record that are told, in their order.
const TOLD: &[&str] = &[
    "name", "run", "root", "who", "host", "task", "path", "item", "began", "ended", "rc", "how", "by",
];
/// Most markers of one host that are told.
const MOST: usize = 2000;
/// Longest value that is told, in characters.
const LONGEST: usize = 1000;
/// Most parts of a task, and processes, that are told.
const PARTS: usize = 50;

#[derive(Debug)]
struct Markers {
    looks: bool,
    full: bool,
    command: Command,
}

fn read(given: &Given<'_>) -> Result<Box<dyn Module>, ModuleError> {
    let args = Arguments(&given.args);
    let act = args.filled("act").unwrap_or("list");
    let store = given.templar.variable("batchssh_store", given.scope)?;
    let store = store.filter(|value| !value.is_none()).map(|value| value.to_string());
    if let Some(store) = store.as_deref().filter(|store| !store.starts_with('/')) {
        return Err(ModuleError::failed(format!(
            "`batchssh_store` must be an absolute path; it is `{store}`"
        )));
    }
    let states = args.list("states");
    if let Some(odd) = states.iter().find(|state| !STATES.contains(&state.as_str())) {
        return Err(ModuleError::failed(format!(
            "`{odd}` is no state of a marker; those are {}",
            STATES.join(", ")
        )));
    }
    let states = if states.is_empty() {
        String::new()
    } else {
        format!(" {} ", states.join(" "))
    };
    let mut command = Command::snippet("markers", snippets::MARKERS)
        .arg(store.unwrap_or_default())
        .arg(act)
        .arg(escape(args.filled("by").unwrap_or("somebody")))
        .arg(states);
    for name in args.list("names") {
        command = command.arg(pattern(&name)).arg("%");
    }
    for file in args.list("files") {
        // No name is like that: a percent sign begins a code.
        command = command.arg("%").arg(file);
    }
    Ok(Box::new(Markers {
        looks: act == "list",
        full: args.flag("full"),
        command,
    }))
}

/// A pattern of the shell for escaped names, of one in which only `*` and `?` are special.
fn pattern(name: &str) -> String {
    let mut out = String::new();
    for c in escape(name).chars() {
        if matches!(c, '[' | ']' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn short(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

/// The lines of an answer.
struct Heard<'a> {
    answer: Answer<'a>,
    full: bool,
    markers: Vec<Json>,
    changed: bool,
    /// What could not be done, by marker.
    failures: Vec<String>,
    store: String,
    more: bool,
}

impl Markers {
    fn values(&self, stdout: &[u8], rc: i32, stderr: &[u8], values: &mut Values) -> Result<(), ModuleError> {
        let mut heard = Heard {
            answer: Answer::find(stdout, rc, stderr)?,
            full: self.full,
            markers: Vec::new(),
            changed: false,
            failures: Vec::new(),
            store: String::new(),
            more: false,
        };
        heard.read()?;
        let failures = heard.failures;
        let s = if heard.markers.len() == 1 { "" } else { "s" };
        values.insert("msg".into(), format!("{} marker{s}", heard.markers.len()).into());
        values.insert("markers".into(), heard.markers.into());
        values.insert("store".into(), heard.store.into());
        values.insert("changed".into(), heard.changed.into());
        if heard.more {
            values.insert("more".into(), true.into());
        }
        if failures.is_empty() {
            return Ok(());
        }
        Err(ModuleError::Failed {
            msg: failures.join("; "),
            values: Box::new(std::mem::take(values)),
        })
    }
}

impl Heard<'_> {
    fn read(&mut self) -> Result<(), ModuleError> {
        loop {
            match self.answer.field()? {
                b"end" => return Ok(()),
                b"bad" => {
                    let why = short(&visible(&self.answer.text()?));
                    return Err(ModuleError::failed(format!(
                        "the store of markers cannot be used: {why}; mend that, or name another folder with the variable \
                         `batchssh_store`"
                    )));
                }
                b"store" => self.store = short(&self.answer.text()?),
                b"more" => self.more = true,
                b"marker" if self.markers.len() < MOST => {
                    let marker = self.marker()?;
                    self.markers.push(marker);
                }
                other => {
                    return Err(ModuleError::failed(format!(
                        "the host's answer is damaged: `{}`",
                        visible(&String::from_utf8_lossy(other.get(..other.len().min(100)).unwrap_or_default()))
                    )));
                }
            }
        }
    }

    fn marker(&mut self) -> Result<Json, ModuleError> {
        let file = short(&self.answer.text()?);
        let attempt: u32 = self.answer.number()?;
        let (state, why) = (self.answer.text()?, short(&self.answer.text()?));
        let rebooted = self.answer.field()? == b"1";
        let alive = self.answer.text()?;
        let (did, words) = (self.answer.text()?, short(&self.answer.text()?));
        let record = self.answer.text()?;
        if !STATES.contains(&state.as_str()) {
            return Err(ModuleError::failed("the host's answer is damaged: there is no such state"));
        }
        let mut one = Map::new();
        one.insert("file".into(), file.clone().into());
        one.insert("attempt".into(), attempt.into());
        one.insert("state".into(), state.clone().into());
        if !why.is_empty() {
            one.insert("why".into(), why.into());
        }
        if state == "doubt" {
            one.insert("rebooted".into(), rebooted.into());
        }
        if !alive.is_empty() {
            one.insert("processes".into(), processes(&alive));
        }
        let lines = || record.lines().filter_map(|line| line.split_once(' '));
        for key in TOLD {
            let value = lines().find(|(known, _)| known == key);
            if let Some((_, value)) = value.filter(|(_, value)| !value.is_empty()) {
                one.insert((*key).to_owned(), short(&unescape(value)).into());
            }
        }
        if self.full {
            let parts = lines().filter(|(key, _)| *key == "part").filter_map(|(_, part)| {
                let mut words = part.splitn(3, ' ');
                let (name, _, text) = (words.next()?, words.next()?, words.next().unwrap_or_default());
                let text = (!text.is_empty()).then(|| short(&unescape(text)));
                Some(json!({ "name": short(&unescape(name)), "text": text }))
            });
            one.insert("parts".into(), parts.take(PARTS).collect());
        }
        if !did.is_empty() {
            self.changed |= matches!(did.as_str(), "cleared" | "decided");
            if did == "failed" {
                let name = one.get("name").and_then(Json::as_str).unwrap_or(&file);
                self.failures
                    .push(format!("`{}` cannot be changed: {}", visible(name), visible(&words)));
            }
            one.insert("did".into(), did.into());
        }
        Ok(one.into())
    }
}

/// Lines `alive PID COMMAND`.
fn processes(text: &str) -> Json {
    let lines = text.lines().filter_map(|line| line.strip_prefix("alive "));
    // Not the shell that goes around the command, unless that is all there is.
    let (ours, others): (Vec<&str>, Vec<&str>) = lines.partition(|line| line.contains("-c b_nonce="));
    let lines = if others.is_empty() { ours } else { others };
    let processes = lines.into_iter().take(PARTS).map(|line| {
        let (pid, command) = line.split_once(' ').unwrap_or((line, ""));
        json!({ "pid": pid.parse::<u32>().unwrap_or(0), "command": short(command.trim()) })
    });
    processes.collect()
}

impl Module for Markers {
    fn inspect(&self, host: &mut Reader<'_>) -> Result<Change, ModuleError> {
        let mut values = Values::new();
        if !self.looks {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_pattern_only_in_its_stars_and_question_marks() {
        assert_eq!(pattern("data disks[ab]*"), "data disks\\[ab\\]*");
        assert_eq!(pattern("a%\\é"), "a%25\\\\%C3%A9");
        assert_eq!(unescape("a%25\\%C3%A9"), "a%\\é");
    }

    #[test]
    fn a_host_that_lies_is_an_error_and_no_panic() {
        let module = Markers {
            looks: true,
            full: true,
            command: Command::new(":"),
        };
        for bad in [
            "6:marker,1:f,1:x,",
            "6:marker,1:f,1:1,5:happy,0:,1:0,0:,0:,0:,0:,3:end,",
            "5:other,",
            "6:marker,",
            "",
        ] {
            let text = format!("\nbatchssh-answer-1\n{bad}");
            assert!(module.values(text.as_bytes(), 0, b"", &mut Values::new()).is_err(), "{bad}");
        }
    }
}
