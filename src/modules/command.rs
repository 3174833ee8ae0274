//! `command`: runs a program without a shell: words are words, and only `~` and set variables are expanded in them.
//! [`Run`] is shared with `shell`.

use serde_json::Value as Json;

use crate::modules::args::{Param, ParamKind};
use crate::modules::attrs::{param, with_default};
use crate::modules::given::Arguments;
use crate::modules::step::{Content, Reader, Step, Taken};
use crate::modules::{BUILTIN, Change, Given, Module, ModuleError, Spec, Values, outcome, words};
use crate::shell::{Command, snippets};

/// The module.
pub const SPEC: Spec = Spec {
    name: "command",
    collection: BUILTIN,
    doc: "Runs a program without a shell: pipes, redirections and patterns mean nothing.

- hosts: all
  tasks:
    - command: /usr/sbin/grubby --default-kernel
      register: kernel
      changed_when: false
    - command: tar xf /root/app.tar
      args: {chdir: /opt, creates: /opt/app/bin/app}",
    params: PARAMS,
    free_form: true,
    local: false,
    read,
};

const PARAMS: &[Param] = &[
    param("cmd", ParamKind::Text, "The command line; instead of free-form text."),
    param("argv", ParamKind::List, "The command as a list of words; nothing is split."),
    CHDIR,
    CREATES,
    REMOVES,
    STDIN,
    STDIN_ADD_NEWLINE,
    STRIP_EMPTY_ENDS,
    with_default(
        "expand_argument_vars",
        ParamKind::Bool,
        "true",
        "Expand a leading `~` and set variables in words.",
    ),
    param("executable", ParamKind::Text, "Accepted and not used, as in Ansible."),
];

/// `chdir`.
pub const CHDIR: Param = param("chdir", ParamKind::Path, "Directory to change to first.");
/// `creates`.
pub const CREATES: Param = param("creates", ParamKind::Path, "Do nothing when this path (a pattern is fine) exists.");
/// `removes`.
pub const REMOVES: Param = param(
    "removes",
    ParamKind::Path,
    "Do nothing when this path (a pattern is fine) does not exist.",
);
/// `stdin`.
pub const STDIN: Param = param("stdin", ParamKind::Text, "Text the command reads.");
/// `stdin_add_newline`.
pub const STDIN_ADD_NEWLINE: Param = with_default(
    "stdin_add_newline",
    ParamKind::Bool,
    "true",
    "Add a line end to `stdin`.",
);
/// `strip_empty_ends`.
pub const STRIP_EMPTY_ENDS: Param = with_default(
    "strip_empty_ends",
    ParamKind::Bool,
    "true",
    "Take line ends at the end of the output away.",
);

/// A command to run, under conditions.
#[derive(Debug)]
pub struct Run {
    /// The words, the program first.
    pub argv: Vec<String>,
    /// `~` and variables in the words are expanded.
    pub expand: bool,
    /// The return key `cmd`.
    pub shown: Json,
    /// What it reads.
    pub stdin: Content,
    chdir: String,
    creates: String,
    removes: String,
    strip: bool,
    check: bool,
    nonce: String,
}

fn read(given: &Given<'_>) -> Result<Box<dyn Module>, ModuleError> {
    let args = Arguments(&given.args);
    let line = given.args.get("_raw_params").and_then(Json::as_str).filter(|text| !text.trim().is_empty());
    let line = line.or_else(|| args.filled("cmd").filter(|text| !text.trim().is_empty()));
    let argv = match (line, args.list("argv")) {
        (Some(_), argv) if !argv.is_empty() => {
            return Err(ModuleError::failed("only command or argv can be given, not both"));
        }
        (Some(line), _) => words::split(line).map_err(ModuleError::failed)?,
        (None, argv) => argv,
    };
    if argv.is_empty() {
        return Err(nothing());
    }
    let shown = argv.iter().map(String::as_str).map(Json::from).collect();
    let run = Run::read(given, argv, args.flag("expand_argument_vars"), shown)?;
    Ok(Box::new(run))
}

/// No command was given.
pub fn nothing() -> ModuleError {
    let mut values = Values::new();
    values.insert("rc".into(), 256.into());
    ModuleError::Failed {
        msg: "no command given".into(),
        values: Box::new(values),
    }
}

impl Run {
    /// Takes the arguments that `command` and `shell` share.
    pub fn read(given: &Given<'_>, argv: Vec<String>, expand: bool, shown: Json) -> Result<Self, ModuleError> {
        let args = Arguments(&given.args);
        let stdin = match args.text("stdin") {
            None => Content::empty(),
            Some(text) if args.flag("stdin_add_newline") => Content::Bytes(format!("{text}\n").into_bytes().into()),
            Some(text) => Content::Bytes(text.as_bytes().into()),
        };
        let text = |name| args.text(name).unwrap_or_default().to_owned();
        Ok(Self {
            argv,
            expand,
            shown,
            stdin,
            chdir: text("chdir"),
            creates: text("creates"),
            removes: text("removes"),
            strip: args.flag("strip_empty_ends"),
            check: given.check,
            nonce: words::token()?,
        })
    }

    fn is_conditional(&self) -> bool {
        !self.creates.is_empty() || !self.removes.is_empty()
    }

    /// What the host gets. Without conditions no wrapper is needed.
    fn command(&self, probe: bool) -> Command {
        let mut command = if self.is_conditional() || !self.chdir.is_empty() {
            Command::snippet("run", snippets::RUN)
                .arg(&self.nonce)
                .expanding_arg(&self.chdir)
                .expanding_arg(&self.creates)
                .expanding_arg(&self.removes)
                .arg(if probe { "1" } else { "0" })
        } else {
            // `exec` makes sure that the first word is a program, not a word of the shell's own language.
            Command::new("exec")
        };
        for word in &self.argv {
            command = if self.expand {
                command.expanding_arg(word)
            } else {
                command.arg(word)
            };
        }
        command.shown_as(self.for_people())
    }

    /// The command as somebody would type it.
    fn for_people(&self) -> String {
        let words: Vec<String> = self.argv.iter().map(|word| crate::shell::quote_str(word)).collect();
        let words = words.join(" ");
        if self.chdir.is_empty() {
            words
        } else {
            format!("cd {} && {words}", crate::shell::quote_str(&self.chdir))
        }
    }

    /// What the wrapper said instead of running the command.
    fn said<'a>(&self, stderr: &'a [u8]) -> Option<&'a [u8]> {
        let after = stderr.strip_prefix(self.nonce.as_bytes())?.strip_prefix(b" ")?;
        Some(after.strip_suffix(b"\n").unwrap_or(after))
    }

    /// Return keys when a condition decided against running.
    fn not_run(&self, said: &[u8], values: &mut Values) {
        let did = if self.check { "Would" } else { "Did" };
        let (path, why) = match said {
            b"creates" => (&self.creates, "exists"),
            _ => (&self.removes, "does not exist"),
        };
        values.insert("changed".into(), false.into());
        values.insert("rc".into(), 0.into());
        values.insert("stdout".into(), format!("skipped, since {path} {why}").into());
        values.insert("stdout_lines".into(), vec![format!("skipped, since {path} {why}")].into());
        values.insert("stderr".into(), "".into());
        values.insert("stderr_lines".into(), Json::Array(Vec::new()));
        values.insert("msg".into(), format!("{did} not run command since '{path}' {why}").into());
    }

    fn no_such_program(&self, values: &Values) -> ModuleError {
        let program = self.argv.first().map(String::as_str).unwrap_or_default();
        failure(2, &format!("[Errno 2] No such file or directory: b'{program}'"), values)
    }
}

/// A failure before the command ran: the keys are there all the same.
fn failure(rc: i32, msg: &str, values: &Values) -> ModuleError {
    let mut values = values.clone();
    values.insert("rc".into(), rc.into());
    values.insert("msg".into(), msg.into());
    for name in ["stdout", "stderr"] {
        values.insert(name.into(), "".into());
        values.insert(format!("{name}_lines"), Json::Array(Vec::new()));
    }
    ModuleError::Failed {
        msg: msg.to_owned(),
        values: Box::new(values),
    }
}

impl Module for Run {
    fn inspect(&self, host: &mut Reader<'_>) -> Result<Change, ModuleError> {
        let mut values = Values::new();
        values.insert("cmd".into(), self.shown.clone());
        let steps = vec![Step::Run {
            command: self.command(false),
            stdin: self.stdin.clone(),
            plain: false,
        }];
        if !self.check || !self.is_conditional() {
            // Conditions are decided in the same exchange as the command runs.
            return Ok(Change::Opaque { steps, values });
        }
        let output = host.probe(&self.command(true))?;
        match self.said(&output.stderr) {
            Some(b"go") => {
                values.insert("rc".into(), 0.into());
                values.insert("msg".into(), "Command would have run if not in check mode".into());
                Ok(Change::Needed {
                    diff: Vec::new(),
                    steps,
                    values,
                })
            }
            Some(said @ (b"creates" | b"removes")) => {
                self.not_run(said, &mut values);
                Ok(Change::None { values })
            }
            Some(_) => Err(ModuleError::CannotTellYet(format!("there is no directory {}", self.chdir))),
            None => Err(ModuleError::failed(format!(
                "the host gave no answer (rc {}): {}",
                output.rc,
                crate::modules::answer::reason(&output.stdout, &output.stderr)
            ))),
        }
    }

    fn conclude(&self, taken: &[Taken], values: &mut Values) -> Result<(), ModuleError> {
        let Some(ran) = taken.first() else {
            return Ok(());
        };
        let said = if ran.stdout.is_empty() { self.said(&ran.stderr) } else { None };
        match said {
            Some(said @ (b"creates" | b"removes")) => {
                self.not_run(said, values);
                return Ok(());
            }
            Some(b"missing") => return Err(self.no_such_program(values)),
            Some(words) if words.starts_with(b"chdir ") => {
                let said = String::from_utf8_lossy(words.get(6..).unwrap_or_default()).into_owned();
                let msg = format!("Unable to change directory before execution: {}: {said}", self.chdir);
                return Err(failure(1, &msg, values));
            }
            Some(_) | None => {}
        }
        // The shell's own words for a program that is not there.
        let stderr = String::from_utf8_lossy(&ran.stderr);
        if ran.rc == 127 && ran.stdout.is_empty() && stderr.contains("exec: ") && stderr.contains("not found") {
            return Err(self.no_such_program(values));
        }
        outcome::conclude(ran, self.strip, values)
    }
}
