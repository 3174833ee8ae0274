//! `audit`: one look at a host, whose answer is made to be compared with other hosts'. What `batchssh audit` runs.
//!
//! A look changes nothing and is no step: it is taken in check mode, too, and a connection that breaks in it leaves nothing
//! in doubt.

use std::time::SystemTime;

use serde_json::{Value as Json, json};

use crate::modules::answer::{Answer, reason};
use crate::modules::args::{Param, ParamKind};
use crate::modules::attrs::param;
use crate::modules::given::Arguments;
use crate::modules::step::Reader;
use crate::modules::{BUILTIN, Change, Given, Module, ModuleError, Spec, Values};
use crate::names::Stream;
use crate::shell::{Command, snippets};
use crate::transport::Stdin;

/// The module.
pub const SPEC: Spec = Spec {
    name: "audit",
    collection: BUILTIN,
    doc: "Looks at one side of a host, in words that can be compared with those of other hosts.

- hosts: all
  gather_facts: false
  tasks:
    - audit: subject=mounts
      register: mounts
    - assert:
        that: \"'not mounted' not in mounts.stdout\"
    - audit: path=/etc/ssh/sshd_config",
    params: PARAMS,
    free_form: false,
    local: false,
    read,
};

const PARAMS: &[Param] = &[
    Param {
        choices: &["disks", "mounts", "os", "packages", "time", "users", "network"],
        ..param("subject", ParamKind::Text, "What is looked at.")
    },
    param("path", ParamKind::Path, "A file to look at instead: permissions, owner, text."),
    param("cmd", ParamKind::Text, "Shell text that only looks, instead."),
];

/// The built-in subjects, each with what looks at it.
pub const SUBJECTS: &[(&str, &str)] = &[
    ("disks", snippets::AUDIT_DISKS),
    ("mounts", snippets::AUDIT_MOUNTS),
    ("os", snippets::AUDIT_OS),
    ("packages", snippets::AUDIT_PACKAGES),
    ("time", snippets::AUDIT_TIME),
    ("users", snippets::AUDIT_USERS),
    ("network", snippets::AUDIT_NETWORK),
];

/// Longest answer. Answers of all hosts are held at once, and one that was cut cannot be compared.
const LONGEST: usize = 4 * 1024 * 1024;

/// How a line begins that tells how it was looked.
const NOTE: &str = "note: ";

#[derive(Debug)]
enum Look {
    /// A snippet of ours with its name and arguments.
    Snippet(&'static str, &'static str, Vec<String>),
    /// What the user wrote.
    Command(String),
}

fn read(given: &Given<'_>) -> Result<Box<dyn Module>, ModuleError> {
    let args = Arguments(&given.args);
    let look = match (args.filled("subject"), args.filled("path"), args.filled("cmd")) {
        (Some(subject), None, None) => {
            let known = SUBJECTS.iter().find(|(name, _)| *name == subject);
            let (name, text) = known.ok_or_else(|| ModuleError::failed(format!("there is no audit `{subject}`")))?;
            Look::Snippet(name, text, Vec::new())
        }
        (None, Some(path), None) => Look::Snippet("file", snippets::AUDIT_FILE, vec![path.to_owned()]),
        (None, None, Some(command)) => {
            if let Some(found) = crate::danger::of("audit", &given.args, None) {
                return Err(ModuleError::failed(format!(
                    "an audit only looks, and {} destroys what is on disks; run it with `shell`",
                    found.what
                )));
            }
            Look::Command(command.to_owned())
        }
        _ => {
            return Err(ModuleError::failed(
                "one of subject, path and cmd is needed, and only one",
            ));
        }
    };
    Ok(Box::new(look))
}

impl Module for Look {
    fn inspect(&self, host: &mut Reader<'_>) -> Result<Change, ModuleError> {
        let mut values = match self {
            Self::Command(text) => run(host, text)?,
            Self::Snippet(name, text, args) => {
                // The empty argument stands for `/`; tests have another one there.
                let command = Command::snippet(&format!("audit {name}"), text).arg("").args(args);
                ask(host, &command)?
            }
        };
        values.insert("look".into(), self.argument());
        Ok(Change::None { values })
    }
}

impl Look {
    /// What was looked at, as an argument of this module: whoever reads a journal needs it.
    fn argument(&self) -> Json {
        match self {
            Self::Command(text) => json!({ "cmd": text }),
            Self::Snippet(_, _, args) if !args.is_empty() => json!({ "path": args.join("") }),
            Self::Snippet(name, _, _) => json!({ "subject": name }),
        }
    }
}

/// What a command of the user prints, when it succeeds.
fn run(host: &mut Reader<'_>, text: &str) -> Result<Values, ModuleError> {
    let heard = listen(host, &Command::raw_script(text))?;
    let stdout = String::from_utf8_lossy(&heard.stdout).into_owned();
    let mut values = Values::new();
    values.insert("rc".into(), heard.rc.into());
    values.insert("stderr".into(), String::from_utf8_lossy(&heard.stderr).into_owned().into());
    if heard.rc != 0 {
        values.insert("stdout".into(), stdout.into());
        let said = reason(&heard.stdout, &heard.stderr);
        let last = said.lines().next_back().unwrap_or_default();
        return Err(ModuleError::Failed {
            msg: format!("the command ended with {}: {last}", heard.rc),
            values: Box::new(values),
        });
    }
    keep(&mut values, stdout);
    Ok(values)
}

/// What a snippet of ours finds.
fn ask(host: &mut Reader<'_>, command: &Command) -> Result<Values, ModuleError> {
    let heard = listen(host, command)?;
    if heard.rc != 0 {
        return Err(ModuleError::failed(reason(b"", &heard.stderr)));
    }
    let mut answer = Answer::find(&heard.stdout, heard.rc, &heard.stderr)?;
    let mut values = Values::new();
    let mut text = String::new();
    let mut extra = Values::new();
    loop {
        let name = answer.text()?;
        let value = answer.text()?;
        match name.as_str() {
            "answer" => text = value,
            "now" => text_of_clock(&value, &heard, &mut extra),
            "end" => break,
            _ => {}
        }
    }
    let (notes, mut lines): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.starts_with(NOTE));
    let clock = extra.get("clock").and_then(Json::as_str).map(|clock| format!("clock: {clock}"));
    lines.extend(clock.as_deref());
    values.insert("rc".into(), 0.into());
    values.insert(
        "notes".into(),
        notes.iter().map(|note| note.trim_start_matches(NOTE)).collect(),
    );
    extra.shift_remove("clock");
    values.insert("extra".into(), Json::Object(extra));
    keep(&mut values, lines.join("\n"));
    Ok(values)
}

fn keep(values: &mut Values, stdout: String) {
    values.insert("changed".into(), false.into());
    values.insert("stdout_lines".into(), stdout.lines().collect());
    values.insert("stdout".into(), stdout.into());
}

/// What came, and when.
#[derive(Debug)]
struct Heard {
    rc: i32,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    sent: SystemTime,
    /// When the first byte was there.
    first: SystemTime,
}

fn listen(host: &mut Reader<'_>, command: &Command) -> Result<Heard, ModuleError> {
    // Opened first: the login must not count as time that the command took.
    host.link.session()?;
    let sent = SystemTime::now();
    let mut first = None;
    let mut stdout = Vec::new();
    let mut stderr = Vec::new();
    let mut over = false;
    let rc = host.exec(command, Stdin::Empty, &mut |stream, bytes| match stream {
        Stream::Stdout => {
            first.get_or_insert_with(SystemTime::now);
            over |= stdout.len().saturating_add(bytes.len()) > LONGEST;
            if !over {
                stdout.extend_from_slice(bytes);
            }
        }
        Stream::Stderr => {
            let room = (64 * 1024usize).saturating_sub(stderr.len()).min(bytes.len());
            stderr.extend(bytes.iter().take(room));
        }
    })?;
    if over {
        return Err(ModuleError::failed(format!(
            "the answer is longer than {} MiB, which cannot be compared; let the command say less",
            LONGEST / (1024 * 1024)
        )));
    }
    Ok(Heard {
        rc,
        stdout,
        stderr,
        sent,
        first: first.unwrap_or_else(SystemTime::now),
    })
}

/// The host's clock against ours. It was read at some moment between sending the command and the first byte of the answer:
/// half of that time is what nobody can know.
fn text_of_clock(now: &str, heard: &Heard, extra: &mut Values) {
    let since = |time: SystemTime| {
        time.duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0.0, |time| time.as_secs_f64())
    };
    let Some(theirs) = now.trim().parse::<f64>().ok().filter(|time| time.is_finite()) else {
        extra.insert("clock".into(), "not told (date has no %s)".into());
        return;
    };
    let (sent, first) = (since(heard.sent), since(heard.first));
    // BusyBox tells whole seconds, rounded down.
    let grain = if now.contains('.') { 0.0 } else { 1.0 };
    let offset = theirs + grain / 2.0 - sent.midpoint(first);
    let uncertainty = (first - sent).abs() / 2.0 + grain / 2.0;
    extra.insert("clock".into(), clock(offset, uncertainty).into());
    extra.insert("clock_offset_seconds".into(), json!(round(offset)));
    extra.insert("clock_uncertainty_seconds".into(), json!(round(uncertainty)));
}

fn round(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

/// The offset in classes, so that clocks that are right are equal.
fn clock(offset: f64, uncertainty: f64) -> String {
    let surely = (offset.abs() - uncertainty).max(0.0);
    if surely < 1.0 {
        return "as here".to_owned();
    }
    let side = if offset > 0.0 { "ahead" } else { "behind" };
    let size = match surely {
        s if s < 10.0 => "seconds",
        s if s < 60.0 => "more than 10 seconds",
        s if s < 3600.0 => "minutes",
        s if s < 86400.0 => "hours",
        _ => "days",
    };
    format!("{side} by {size}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn heard(took: Duration) -> (Heard, f64) {
        let sent = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let heard = Heard {
            rc: 0,
            stdout: Vec::new(),
            stderr: Vec::new(),
            sent,
            first: sent + took,
        };
        (heard, 1_700_000_000.0)
    }

    #[test]
    fn a_clock_is_wrong_only_by_more_than_the_exchange_can_explain() {
        let (quick, base) = heard(Duration::from_millis(100));
        let said = |heard: &Heard, now: String| {
            let mut extra = Values::new();
            text_of_clock(&now, heard, &mut extra);
            extra
        };
        let right = said(&quick, format!("{:.3}", base + 0.050));
        assert_eq!(right["clock"], "as here");
        assert_eq!((&right["clock_offset_seconds"], &right["clock_uncertainty_seconds"]), (&json!(0.0), &json!(0.05)));
        assert_eq!(said(&quick, format!("{:.3}", base + 37.0))["clock"], "ahead by more than 10 seconds");
        assert_eq!(said(&quick, format!("{:.3}", base - 3.0))["clock"], "behind by seconds");
        // Four seconds of an exchange hide two of the clock.
        let (slow, base) = heard(Duration::from_secs(4));
        assert_eq!(said(&slow, format!("{:.3}", base - 0.5))["clock"], "as here");
        // Whole seconds are less sure.
        let coarse = said(&quick, format!("{base}"));
        assert_eq!(coarse["clock_uncertainty_seconds"], json!(0.55));
        assert_eq!(said(&quick, "%s".to_owned())["clock"], "not told (date has no %s)");
    }
}
