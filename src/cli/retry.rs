//! `batchssh retry`: the last run again, on the hosts that did not succeed, with the arguments it had.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cli::args::RetryArgs;
use crate::cli::exit_code::ExitCode;
use crate::cli::run::print;
use crate::cli::runs::store::{Store, unreadable};
use crate::event::{EventKind, Status};
use crate::report::journal;
use crate::source::{Diagnostic, Diagnostics};

/// What a journal says about its run.
struct Past {
    id: String,
    command: Vec<String>,
    folder: PathBuf,
    failed: Vec<String>,
}

/// Runs again.
pub fn retry(args: &RetryArgs) -> Result<ExitCode, Diagnostics> {
    let store = Store::open()?;
    let past = read(&store, args.run.as_deref())?;
    if past.failed.is_empty() {
        return print(&format!(
            "run {}: every host succeeded, there is nothing to retry\n",
            past.id
        ));
    }
    if past.command.iter().any(|word| word.contains("***")) {
        return Err(Diagnostic::new(format!(
            "run {} was given a secret on its command line, which was not written down",
            past.id
        ))
        .help("run it by hand with --limit and the retry file")
        .into());
    }
    let list = store.dir.join(&past.id).join("retry-hosts");
    let text: String = past.failed.iter().map(|host| format!("{host}\n")).collect();
    std::fs::write(&list, text)
        .map_err(|error| Diagnostic::new(format!("cannot write {}: {error}", list.display())))?;
    let words = with_limit(&past.command, &list);
    if args.show {
        let shown: Vec<String> = words.iter().map(|word| crate::shell::quote_str(word)).collect();
        return print(&format!(
            "cd {} && batchssh {}\n",
            crate::shell::quote_str(&past.folder.display().to_string()),
            shown.join(" ")
        ));
    }
    let program = std::env::current_exe()
        .map_err(|error| Diagnostic::new(format!("cannot find the running program: {error}")))?;
    let status = Command::new(program)
        .args(&words)
        .current_dir(&past.folder)
        .status()
        .map_err(|error| Diagnostic::new(format!("cannot start the run in {}: {error}", past.folder.display())))?;
    Ok(ExitCode::Hosts(
        status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(70),
    ))
}

/// What is known of the newest run, or of the one whose id begins so.
fn read(store: &Store, wanted: Option<&str>) -> Result<Past, Diagnostic> {
    let id = store.find(wanted)?;
    let path = store.journal(&id);
    let head = store.head(&id)?.ok_or_else(|| {
        Diagnostic::new(format!("run {id} was killed before it began: it has nothing to retry"))
            .help("give the command again")
    })?;
    let mut good = std::collections::HashSet::new();
    for event in journal::read(&path).map_err(|error| unreadable(&path, &error))? {
        let event = event.map_err(|error| unreadable(&path, &error))?;
        if let EventKind::HostDone { host, status, .. } = event.kind
            && status <= Status::Changed
        {
            good.insert(host);
        }
    }
    Ok(Past {
        id,
        command: head.command,
        folder: head.folder,
        failed: head
            .hosts
            .iter()
            .filter(|host| !good.contains(*host))
            .map(ToString::to_string)
            .collect(),
    })
}

/// The command with its limit replaced by the list.
fn with_limit(command: &[String], list: &Path) -> Vec<String> {
    let mut out = Vec::new();
    let mut words = command.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--" => {
                out.push("--limit".to_owned());
                out.push(format!("@{}", list.display()));
                out.push(word.clone());
                out.extend(words.cloned());
                return out;
            }
            "-l" | "--limit" => {
                words.next();
            }
            other if other.starts_with("--limit=") => {}
            _ => out.push(word.clone()),
        }
    }
    out.push("--limit".to_owned());
    out.push(format!("@{}", list.display()));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_replaced_and_the_command_kept() {
        let words = ["exec", "-i", "h", "-l", "old", "--", "echo", "-l", "x"].map(str::to_owned);
        assert_eq!(
            with_limit(&words, Path::new("/r")),
            ["exec", "-i", "h", "--limit", "@/r", "--", "echo", "-l", "x"]
        );
    }
}
