//! `encrypt`, `decrypt` and `rekey`: every file is read and its new content made before the first one is replaced.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::cli::exit_code::ExitCode;
use crate::cli::limits;
use crate::cli::vault::args::{DecryptArgs, EncryptArgs, RekeyArgs};
use crate::cli::vault::passwords::{Purpose, new_passwords};
use crate::cli::vault::replace::{Replacement, is_stdio, read, write_output};
use crate::cli::vault::{Desk, cheer, choose, or_stdin, say, warn};
use crate::source::{Diagnostic, Diagnostics};
use crate::vault::{Key, Keyring, VaultError, is_vault, seal};

/// New content, wiped when it is dropped.
type Content = Zeroizing<Vec<u8>>;

/// `encrypt`.
pub(super) fn encrypt(args: &EncryptArgs) -> Result<ExitCode, Diagnostics> {
    one_output(&args.files, args.output.as_deref())?;
    let desk = Desk::open(&args.shared, Purpose::Encrypt)?;
    let key = desk.key(args.with.encrypt_vault_id.as_deref())?;
    if args.files.is_empty() && rustix::termios::isatty(std::io::stdin()) {
        say("reading plain text from standard input");
    }
    convert(&or_stdin(&args.files), args.output.as_deref(), Old::Plain, |text| {
        if is_vault(text) {
            return Err(Refusal::new("is encrypted already"));
        }
        sealed(text, key, None).map_err(|error| Refusal::new(error.message))
    })?;
    cheer("Encryption successful");
    Ok(ExitCode::Ok)
}

/// `decrypt`.
pub(super) fn decrypt(args: &DecryptArgs) -> Result<ExitCode, Diagnostics> {
    one_output(&args.files, args.output.as_deref())?;
    let desk = Desk::open(&args.shared, Purpose::Open)?;
    if args.files.is_empty() && rustix::termios::isatty(std::io::stdin()) {
        say("reading encrypted text from standard input");
    }
    convert(&or_stdin(&args.files), args.output.as_deref(), Old::Encrypted, |text| {
        Ok(desk.keyring.open(text)?.plain)
    })?;
    cheer("Decryption successful");
    Ok(ExitCode::Ok)
}

/// `rekey`.
pub(super) fn rekey(args: &RekeyArgs) -> Result<ExitCode, Diagnostics> {
    let desk = Desk::open(&args.shared, Purpose::Open)?;
    let label = args.with.encrypt_vault_id.as_deref();
    let (id, file) = (args.new_vault_id.as_deref(), args.new_vault_password_file.as_ref());
    let new;
    // To the password of another known label, or to a new one.
    let key = if label.is_some() && id.is_none() && file.is_none() {
        desk.key(label)?
    } else {
        let found = new_passwords(id, file, &desk.settings, desk.environment.home.as_deref())?;
        warn(&found.warnings);
        new = Keyring::new(found.keys, false);
        choose(&new, label)?
    };
    convert(&args.files, None, Old::Encrypted, |text| {
        let opened = desk.keyring.open(text)?;
        sealed(&opened.plain, key, None).map_err(|error| Refusal::new(error.message))
    })?;
    say("Rekey successful");
    Ok(ExitCode::Ok)
}

/// Why a file is not converted: what stands behind its name in the message, and what to do.
pub(super) struct Refusal {
    why: String,
    help: Option<String>,
}

impl Refusal {
    fn new(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            help: None,
        }
    }

    /// The message about the file of that name.
    pub(super) fn of(self, path: &Path) -> Diagnostic {
        let shown = if is_stdio(path) {
            "standard input".to_owned()
        } else {
            format!("`{}`", path.display())
        };
        let mistake = Diagnostic::new(format!("{shown} {}", self.why));
        match self.help {
            Some(help) => mistake.help(help),
            None => mistake,
        }
    }
}

impl From<VaultError> for Refusal {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::NotVault => Self::new("is not encrypted"),
            other => Self {
                why: format!("cannot be decrypted: {other}"),
                help: other.help(),
            },
        }
    }
}

/// Encrypts; `label` instead of the password's own.
pub(super) fn sealed(plain: &[u8], key: &Key, label: Option<&str>) -> Result<Content, Diagnostic> {
    let label = label.unwrap_or(&key.label);
    let text = seal(plain, key.password.reveal(), Some(label)).map_err(Diagnostic::new)?;
    Ok(Zeroizing::new(text.into_bytes()))
}

fn one_output(files: &[PathBuf], output: Option<&Path>) -> Result<(), Diagnostic> {
    if output.is_some() && files.len() > 1 {
        return Err(Diagnostic::new("`--output` takes the result of one file"));
    }
    Ok(())
}

/// What the old content of a file was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Old {
    /// It is overwritten before it is given back to the disk.
    Plain,
    Encrypted,
}

/// Makes new content of every file, and only then replaces them. All mistakes are told together.
fn convert(
    paths: &[PathBuf],
    output: Option<&Path>,
    old: Old,
    make: impl Fn(&[u8]) -> Result<Content, Refusal>,
) -> Result<(), Diagnostics> {
    let mut mistakes = Vec::new();
    let mut ready: Vec<(Option<Replacement>, Content)> = Vec::new();
    for path in paths {
        match prepare(path, output, &make) {
            // A file that was named twice is converted once.
            Ok((Some(new), _)) if ready.iter().flat_map(|(known, _)| known).any(|known| known.is(&new)) => {}
            Ok(one) => ready.push(one),
            Err(mistake) => mistakes.push(mistake),
        }
    }
    if !mistakes.is_empty() {
        return Err(Diagnostics(mistakes));
    }
    limits::no_core_dump();
    for (replacement, content) in ready {
        match replacement {
            Some(replacement) => replacement.finish(&content, old == Old::Plain)?,
            None => write_output(output, &content)?,
        }
    }
    Ok(())
}

fn prepare(
    path: &Path,
    output: Option<&Path>,
    make: &impl Fn(&[u8]) -> Result<Content, Refusal>,
) -> Result<(Option<Replacement>, Content), Diagnostic> {
    let wrong = |refusal: Refusal| refusal.of(path);
    if output.is_some() || is_stdio(path) {
        let content = make(&read(path)?).map_err(wrong)?;
        return Ok((None, content));
    }
    let replacement = Replacement::of(path)?;
    let content = make(replacement.old()).map_err(wrong)?;
    Ok((Some(replacement), content))
}
