//! `edit` and `create`.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::cli::exit_code::ExitCode;
use crate::cli::limits;
use crate::cli::vault::args::CreateArgs;
use crate::cli::vault::editor::{Edited, Editor};
use crate::cli::vault::files::{Refusal, sealed};
use crate::cli::vault::passwords::Purpose;
use crate::cli::vault::private::PrivateFolder;
use crate::cli::vault::replace::{Replacement, is_stdio, write_output};
use crate::cli::vault::{Desk, cheer, say};
use crate::source::{Diagnostic, Diagnostics};

/// `edit`.
pub(super) fn edit(desk: &Desk, paths: &[PathBuf]) -> Result<ExitCode, Diagnostics> {
    for path in paths {
        if is_stdio(path) {
            return Err(Diagnostic::new("standard input cannot be edited").into());
        }
        if let Some(code) = edit_one(desk, path)? {
            return Ok(code);
        }
    }
    Ok(ExitCode::Ok)
}

/// Edits one file. A code when we are to end.
fn edit_one(desk: &Desk, path: &Path) -> Result<Option<ExitCode>, Diagnostic> {
    let replacement = Replacement::of(path)?;
    let opened = desk
        .keyring
        .open(replacement.old())
        .map_err(|error| Refusal::from(error).of(path))?;
    let new = match edited(desk, path, &opened.plain)? {
        Outcome::Text(new) => new,
        Outcome::Stopped(code) => return Ok(Some(code)),
    };
    if *new == *opened.plain {
        return Ok(None);
    }
    // Label and format stay.
    let label = opened.label.as_deref().unwrap_or(crate::vault::DEFAULT_LABEL);
    let content = sealed(&new, opened.key, Some(label))?;
    if let Err(mistake) = replacement.finish(&content, false) {
        return Err(rescued(mistake, path, &content));
    }
    Ok(None)
}

/// `create`.
pub(super) fn create(args: &CreateArgs) -> Result<ExitCode, Diagnostics> {
    let path = &args.file;
    let shown = path.display();
    if !args.skip_tty_check && !rustix::termios::isatty(std::io::stdout()) {
        let mistake = Diagnostic::new("standard output is no terminal, so no editor can be opened");
        return Err(mistake.help("`--skip-tty-check` opens it all the same").into());
    }
    if path.symlink_metadata().is_ok() {
        let mistake = Diagnostic::new(format!("`{shown}` exists"));
        return Err(mistake.help(format!("`batchssh vault edit {shown}` changes it")).into());
    }
    let desk = Desk::open(&args.shared, Purpose::Encrypt)?;
    let key = desk.key(args.with.encrypt_vault_id.as_deref())?;
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty() && !folder.exists())
    {
        say(&format!(
            "warning: the folder `{}` does not exist, it is made",
            folder.display()
        ));
        std::fs::create_dir_all(folder)
            .map_err(|error| Diagnostic::new(format!("cannot make the folder `{}`: {error}", folder.display())))?;
    }
    let new = match edited(&desk, path, b"")? {
        Outcome::Text(new) => new,
        Outcome::Stopped(code) => return Ok(code),
    };
    let content = sealed(&new, key, None)?;
    if path.symlink_metadata().is_ok() {
        let mistake = Diagnostic::new(format!(
            "`{shown}` was made by somebody else meanwhile, so it is left as it is"
        ));
        return Err(rescued(mistake, path, &content).into());
    }
    write_output(Some(path), &content).map_err(|mistake| rescued(mistake, path, &content))?;
    cheer("Encryption successful");
    Ok(ExitCode::Ok)
}

enum Outcome {
    /// What the editor left.
    Text(Zeroizing<Vec<u8>>),
    /// A signal came; nothing is to be written.
    Stopped(ExitCode),
}

/// Lets the user edit a text in a private place, which is gone afterwards.
fn edited(desk: &Desk, path: &Path, text: &[u8]) -> Result<Outcome, Diagnostic> {
    let shown = path.display();
    limits::no_core_dump();
    let mut editor = Editor::new(&desk.settings.editor.value)?;
    let folder = PrivateFolder::new(&desk.environment)?;
    if folder.is_on_disk {
        say(
            "warning: there is no place in memory (/dev/shm, XDG_RUNTIME_DIR), so the plain text lies on a disk while it is edited",
        );
    }
    // Under its own name: editors look at its ending.
    let name = path
        .file_name()
        .map_or("vault".into(), |name| name.to_string_lossy().into_owned());
    let file = folder.write(&name, text)?;
    match editor.edit(&file)? {
        Edited::Stopped(signal) => {
            say(&format!("stopped by signal {signal}; `{shown}` is unchanged"));
            return Ok(Outcome::Stopped(ExitCode::Signal(signal)));
        }
        Edited::Ended(status) if !status.success() => {
            return Err(Diagnostic::new(format!(
                "the editor ended with {status}; `{shown}` is unchanged"
            )));
        }
        Edited::Ended(_) => {}
    }
    match PrivateFolder::read(&file)? {
        Some(new) => Ok(Outcome::Text(new)),
        None => Err(Diagnostic::new(format!(
            "the editor left no file; `{shown}` is unchanged"
        ))),
    }
}

/// What was typed is not to be lost: the encrypted text is kept elsewhere.
fn rescued(mistake: Diagnostic, path: &Path, content: &[u8]) -> Diagnostic {
    let name = path
        .file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let kept = tempfile::Builder::new()
        .prefix(&format!("{name}-"))
        .suffix(".vault")
        .tempfile()
        .and_then(|mut file| std::io::Write::write_all(&mut file, content).map(|()| file))
        .ok()
        .and_then(|file| file.keep().ok());
    match kept {
        Some((_, kept)) => mistake.help(format!("what you wrote is kept, encrypted, in `{}`", kept.display())),
        None => mistake,
    }
}
