//! Where vault passwords come from: files, scripts, questions.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use std::io::Read;
use std::os::unix::fs::PermissionsExt;

use zeroize::Zeroizing;

use crate::deadline::{CancelToken, Deadline};
use crate::secret::Secret;
use crate::source::Diagnostic;
use crate::vault::{DEFAULT_LABEL, Key, Keyring, is_vault};

/// Longest password.
const LONGEST: u64 = 1 << 20;
/// How long a script may take. It may ask somebody.
const LIMIT: Duration = Duration::from_secs(600);
/// What a `-client` script ends with when it has no password for the label.
const LABEL_UNKNOWN: i32 = 2;
/// Most of what a script complains about that is shown.
const COMPLAINT: u64 = 2048;

/// Asks for a password with this text. The error says why there was no answer.
pub type Ask<'a> = dyn FnMut(&str) -> Result<Secret<String>, String> + 'a;

/// `--vault-id`: `LABEL@SOURCE`, or `SOURCE` alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    label: Option<String>,
    origin: Origin,
}

/// Where a password comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Origin {
    /// `prompt`: asked for, the label stands in the question.
    Asked,
    /// `prompt_ask_vault_pass`: the same without the label.
    AskedPlainly,
    /// A file that holds it, or a script that prints it.
    File(PathBuf),
}

/// What [`collect`] found.
#[derive(Debug, Default)]
pub struct Found {
    /// The passwords, in the order of their sources.
    pub keys: Vec<Key>,
    /// Sources that gave none, and what else is odd. As in Ansible, a source may fail when another one does not.
    pub warnings: Vec<Diagnostic>,
}

impl Identity {
    /// Reads `LABEL@SOURCE` or `SOURCE`. `home` is what `~` means.
    pub fn parse(text: &str, home: Option<&Path>) -> Result<Self, Diagnostic> {
        let (label, source) = match text.split_once('@') {
            Some((label, source)) => (Some(label).filter(|label| !label.is_empty()), source),
            None => (None, text),
        };
        if let Some(label) = label {
            check_label(label)?;
        }
        if source.is_empty() {
            return Err(Diagnostic::new(format!("the vault identity `{text}` has no source"))
                .help("write LABEL@FILE, LABEL@SCRIPT or LABEL@prompt"));
        }
        let origin = match source {
            "prompt" => Origin::Asked,
            "prompt_ask_vault_pass" => Origin::AskedPlainly,
            path => Origin::File(expand(path, home)),
        };
        Ok(Self {
            label: label.map(str::to_owned),
            origin,
        })
    }

    /// `--vault-password-file`. `home` is what `~` means.
    pub fn file(path: &Path, home: Option<&Path>) -> Self {
        let path = match (path.strip_prefix("~"), home) {
            (Ok(rest), Some(home)) => home.join(rest),
            _ => path.to_owned(),
        };
        Self {
            label: None,
            origin: Origin::File(path),
        }
    }

    /// `--ask-vault-pass`.
    pub fn asked() -> Self {
        Self {
            label: None,
            origin: Origin::AskedPlainly,
        }
    }
}

/// Refuses labels that the first line of a vault text cannot hold.
pub(super) fn check_label(label: &str) -> Result<(), Diagnostic> {
    if label.contains(';') || label.chars().any(char::is_control) || label.trim() != label {
        let message = format!("`{label}` cannot be the label of a vault identity");
        return Err(Diagnostic::new(message).help("no `;`, no control characters, no blanks at its ends"));
    }
    Ok(())
}

fn expand(path: &str, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(path),
    }
}

/// Reads, runs and asks for all passwords, in order. With `new` each question is for a password that is to be
/// invented, and is asked twice. An error only when no source gave one.
pub fn collect(identities: &[Identity], default: &str, new: bool, ask: &mut Ask<'_>) -> Result<Found, Diagnostic> {
    let mut found = Found::default();
    let mut last = None;
    for identity in identities {
        let label = identity.label.as_deref().unwrap_or(default);
        let password = match &identity.origin {
            Origin::Asked => questions(new, Some(label), ask)?,
            Origin::AskedPlainly => questions(new, None, ask)?,
            Origin::File(path) => match from_file(path, identity.label.as_deref(), &mut found) {
                Ok(password) => password,
                Err(error) => {
                    found.warnings.push(error.clone());
                    last = Some(error);
                    continue;
                }
            },
        };
        found.keys.push(Key {
            label: label.to_owned(),
            password: Secret::new(password.to_vec()),
        });
    }
    match last {
        Some(error) if found.keys.is_empty() => Err(error),
        _ => Ok(found),
    }
}

/// The questions are Ansible's own: programs that answer them look for their words.
fn questions(new: bool, label: Option<&str>, ask: &mut Ask<'_>) -> Result<Zeroizing<Vec<u8>>, Diagnostic> {
    let texts = match (new, label) {
        (false, Some(label)) => vec![format!("Vault password ({label}): ")],
        (false, None) => vec!["Vault password: ".to_owned()],
        (true, Some(label)) => vec![
            format!("New vault password ({label}): "),
            format!("Confirm new vault password ({label}): "),
        ],
        (true, None) => vec![
            "New Vault password: ".to_owned(),
            "Confirm New Vault password: ".to_owned(),
        ],
    };
    let mut given: Option<Zeroizing<Vec<u8>>> = None;
    for text in texts {
        let answer = ask(&text).map_err(|why| {
            Diagnostic::new(format!("cannot ask for the vault password: {why}"))
                .help("without a terminal, give it with `--vault-password-file FILE` or `--vault-id LABEL@FILE`")
        })?;
        let answer = Zeroizing::new(answer.reveal().trim().as_bytes().to_vec());
        if answer.is_empty() {
            return Err(Diagnostic::new("the vault password is empty"));
        }
        if given.as_ref().is_some_and(|given| *given != answer) {
            return Err(Diagnostic::new("the two vault passwords are not the same"));
        }
        given = Some(answer);
    }
    Ok(given.unwrap_or_default())
}

fn from_file(path: &Path, label: Option<&str>, found: &mut Found) -> Result<Zeroizing<Vec<u8>>, Diagnostic> {
    let shown = path.display();
    let meta = std::fs::metadata(path)
        .map_err(|e| Diagnostic::new(format!("cannot read the vault password file `{shown}`: {e}")))?;
    if meta.is_dir() {
        return Err(Diagnostic::new(format!(
            "the vault password file `{shown}` is a directory"
        )));
    }
    let mode = meta.permissions().mode();
    let password = if mode & 0o111 == 0 {
        if meta.is_file() && mode & 0o004 != 0 {
            found.warnings.push(
                Diagnostic::new(format!(
                    "everybody on this machine may read the vault password file `{shown}`"
                ))
                .help(format!("chmod 600 {shown}")),
            );
        }
        read(path, &found.keys)?
    } else {
        run(path, label)?
    };
    if password.is_empty() {
        return Err(Diagnostic::new(format!("the vault password of `{shown}` is empty")));
    }
    Ok(password)
}

/// The file may itself be encrypted, with a password of a source before it.
fn read(path: &Path, known: &[Key]) -> Result<Zeroizing<Vec<u8>>, Diagnostic> {
    let shown = path.display();
    let mut text = Zeroizing::new(Vec::new());
    std::fs::File::open(path)
        .and_then(|file| file.take(LONGEST + 1).read_to_end(&mut text))
        .map_err(|e| Diagnostic::new(format!("cannot read the vault password file `{shown}`: {e}")))?;
    if text.len() as u64 > LONGEST {
        return Err(Diagnostic::new(format!(
            "the vault password file `{shown}` is larger than a password is"
        )));
    }
    let mut text = Zeroizing::new(text.trim_ascii().to_vec());
    if is_vault(&text) {
        let keyring = Keyring::new(known.to_vec(), false);
        text = keyring.open(&text).map(|opened| opened.plain).map_err(|error| {
            Diagnostic::new(format!("cannot decrypt the vault password file `{shown}`: {error}"))
                .help("its password must come from a source before it")
        })?;
    }
    Ok(without_line_ends(&text))
}

/// Runs a script; what it prints is the password. One whose name ends in `-client` is told the label.
fn run(path: &Path, label: Option<&str>) -> Result<Zeroizing<Vec<u8>>, Diagnostic> {
    let is_client = path
        .file_stem()
        .is_some_and(|stem| stem.to_string_lossy().ends_with("-client"));
    let failed = |why: String| Diagnostic::new(format!("the vault password script `{}` {why}", path.display()));
    // A bare name would be looked for in `PATH`.
    let program = std::path::absolute(path).map_err(|e| failed(format!("cannot be found: {e}")))?;
    let mut command = Command::new(program);
    // It may ask, so it has the terminal. Only what a client complains about is ours to show, as in Ansible.
    command
        .stdout(Stdio::piped())
        .stderr(if is_client { Stdio::piped() } else { Stdio::inherit() });
    if let (true, Some(label)) = (is_client, label) {
        command.args(["--vault-id", label]);
    }
    let mut child = command.spawn().map_err(|e| {
        failed(format!("cannot be run: {e}")).help("if it is no script, take its executable bit away: `chmod -x`")
    })?;
    let deadline = Deadline::none(CancelToken::new()).within("the vault password script", LIMIT);
    let (output, complaint) = talk(&mut child);
    let said = wait(&mut child, &deadline, &output, &complaint);
    if said.is_err() {
        let _ = child.kill();
        let _ = child.wait();
    }
    let (status, output, complaint) = said.map_err(failed)?;
    if is_client && status.code() == Some(LABEL_UNKNOWN) {
        let label = label.unwrap_or(DEFAULT_LABEL);
        return Err(failed(format!("has no password for the label `{label}`{complaint}")));
    }
    if !status.success() {
        return Err(failed(format!("ended with {status}{complaint}")));
    }
    Ok(without_line_ends(&output))
}

type Bytes = mpsc::Receiver<std::io::Result<Zeroizing<Vec<u8>>>>;

/// Reads both outputs, each as far as it is of use. Who complains a lot may do so; who floods the password is ended by
/// the closed pipe.
fn talk(child: &mut Child) -> (Bytes, Bytes) {
    fn reader(from: Option<impl Read + Send + 'static>, most: u64, drain: bool) -> Bytes {
        let (send, receive) = mpsc::channel();
        std::thread::spawn(move || {
            let mut bytes = Zeroizing::new(Vec::new());
            let result = match from {
                Some(mut from) => from.by_ref().take(most).read_to_end(&mut bytes).map(|_| {
                    if drain {
                        let _ = std::io::copy(&mut from, &mut std::io::sink());
                    }
                    bytes
                }),
                None => Ok(bytes),
            };
            let _ = send.send(result);
        });
        receive
    }
    (
        reader(child.stdout.take(), LONGEST + 1, false),
        reader(child.stderr.take(), COMPLAINT, true),
    )
}

type Said = (std::process::ExitStatus, Zeroizing<Vec<u8>>, String);

fn wait(child: &mut Child, deadline: &Deadline, output: &Bytes, complaint: &Bytes) -> Result<Said, String> {
    let status = loop {
        if let Some(status) = child.try_wait().map_err(|e| format!("cannot be waited for: {e}"))? {
            break status;
        }
        deadline
            .sleep(Duration::from_millis(5))
            .map_err(|_| format!("took longer than {} s", LIMIT.as_secs()))?;
    };
    // What it left running may hold its outputs open.
    let left = Duration::from_secs(2);
    let output = output
        .recv_timeout(left)
        .map_err(|_| "did not close its output".to_owned())?
        .map_err(|e| format!("has an output that cannot be read: {e}"))?;
    if output.len() as u64 > LONGEST {
        return Err("printed more than a password".to_owned());
    }
    let complaint = match complaint.recv_timeout(left) {
        Ok(Ok(bytes)) if !bytes.trim_ascii().is_empty() => {
            format!(": {}", String::from_utf8_lossy(bytes.trim_ascii()))
        }
        Ok(_) | Err(_) => String::new(),
    };
    Ok((status, output, complaint))
}

/// As Ansible does: line ends at both ends are no part of the password.
fn without_line_ends(text: &[u8]) -> Zeroizing<Vec<u8>> {
    let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
    let begin = text.iter().position(|byte| !is_end(byte)).unwrap_or(text.len());
    let end = text.iter().rposition(|byte| !is_end(byte)).map_or(begin, |at| at + 1);
    Zeroizing::new(text.get(begin..end).unwrap_or_default().to_vec())
}
