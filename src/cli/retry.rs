//! `batchssh retry`: the last run again, on the hosts that did not succeed, with the arguments it had.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cli::args::RetryArgs;
use crate::cli::exit_code::ExitCode;
use crate::cli::run::print;
use crate::cli::setup::outside;
use crate::event::{Event, EventKind, Status};
use crate::report::journal;
use crate::settings;
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
    let loaded = settings::load(None)?;
    let runs = outside(&loaded.environment, loaded.settings.color.value)?
        .state_dir
        .join("runs");
    let past = read(&runs, args.run.as_deref())?;
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
    let list = runs.join(&past.id).join("retry-hosts");
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

/// The newest run, or the one whose id begins so.
fn read(runs: &Path, wanted: Option<&str>) -> Result<Past, Diagnostic> {
    let nothing = || {
        Diagnostic::new(format!("there is no run in {}", runs.display()))
            .help("runs are recorded by every command that contacts hosts")
    };
    let mut ids: Vec<String> = std::fs::read_dir(runs)
        .map_err(|_| nothing())?
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        .filter(|id| wanted.is_none_or(|wanted| id.starts_with(wanted)))
        .collect();
    ids.sort();
    if let (Some(wanted), true) = (wanted, ids.len() > 1) {
        return Err(Diagnostic::new(format!("{} runs begin with `{wanted}`", ids.len())).help("give more of the id"));
    }
    let id = ids.pop().ok_or_else(nothing)?;
    let path = runs.join(&id).join(journal::FILE_NAME);
    let unreadable = |error: std::io::Error| Diagnostic::new(format!("cannot read {}: {error}", path.display()));
    let mut past = Past {
        id,
        command: Vec::new(),
        folder: PathBuf::from("."),
        failed: Vec::new(),
    };
    let mut hosts: Vec<String> = Vec::new();
    let mut good = std::collections::HashSet::new();
    for event in journal::read(&path).map_err(unreadable)? {
        match event.map_err(unreadable)? {
            Event {
                kind:
                    EventKind::RunStarted {
                        command,
                        hosts: all,
                        folder,
                        ..
                    },
                ..
            } => {
                past.command = command;
                past.folder = PathBuf::from(folder);
                hosts = all.iter().map(ToString::to_string).collect();
            }
            Event {
                kind: EventKind::HostDone { host, status, .. },
                ..
            } if status <= Status::Changed => {
                good.insert(host.to_string());
            }
            _ => {}
        }
    }
    past.failed = hosts.into_iter().filter(|host| !good.contains(host)).collect();
    Ok(past)
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
