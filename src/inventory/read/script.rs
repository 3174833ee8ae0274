//! Executables that print an inventory as JSON: `--list`, and `--host NAME` for each host when there is no `_meta`.
//! What they print is data: it never is a template.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use super::super::LoadOptions;
use super::super::build::Builder;
use super::{json, sha256};
use crate::deadline::Deadline;
use crate::source::{Diagnostic, SourceFile, Span};
use crate::vars::{Var, templar};
use crate::yaml::Node;

/// Most bytes of output that are kept.
const MOST_OUTPUT: u64 = 256 * 1024 * 1024;
/// Most bytes of messages that are kept.
const MOST_MESSAGES: usize = 4096;
/// The limit when none is given.
const DEFAULT_LIMIT: Duration = Duration::from_secs(60);

/// True for files that the system can run. The mode alone does not say so: on some file systems every file has it.
pub(super) fn is_script(path: &Path) -> Result<bool, Diagnostic> {
    let cannot = |e: std::io::Error| Diagnostic::new(format!("cannot read `{}`: {e}", path.display()));
    let meta = std::fs::metadata(path).map_err(cannot)?;
    if !meta.is_file() || meta.permissions().mode() & 0o111 == 0 {
        return Ok(false);
    }
    let mut start = Vec::new();
    File::open(path)
        .map_err(cannot)?
        .take(4)
        .read_to_end(&mut start)
        .map_err(cannot)?;
    Ok(start.starts_with(b"#!") || start == b"\x7fELF")
}

/// Runs a script and takes in what it prints.
pub(super) fn read(path: &Path, options: &LoadOptions, builder: &mut Builder) {
    let at = Span::new(&SourceFile::new(path, ""), 1, 1);
    let list = run(path, &["--list"], options);
    let root = match list.and_then(|text| Ok((to_node(path, &text, &at)?, sha256(&text)))) {
        Ok((root, sha256)) => {
            builder.has_read(path, sha256);
            root
        }
        Err(error) => return builder.error(error),
    };
    let data = |node: &Node| {
        if json::has_vault(node) {
            let mut node = node.clone();
            json::make_literal(&mut node);
            return Var::Source(Arc::new(node));
        }
        Var::Data(templar::from_json(&json::json_of(node)))
    };
    let told = json::script(&root, builder, &data);
    if root.get("_meta").and_then(|meta| meta.get("hostvars")).is_some() || builder.is_full() {
        return;
    }
    let mut seen = std::collections::HashSet::new();
    for host in told {
        let Some(name) = builder.host_name(host).filter(|_| seen.insert(host)) else {
            continue;
        };
        let answer = run(path, &["--host", name.as_str()], options);
        let vars = answer.and_then(|text| {
            if text.iter().all(u8::is_ascii_whitespace) {
                return Ok(None);
            }
            to_node(path, &text, &at).map(Some)
        });
        match vars {
            Ok(Some(vars)) => json::host_vars(host, name.as_str(), &vars, builder, &data),
            Ok(None) => {}
            // The next ones would fail for the same reason, each after its own time-out.
            Err(error) => return builder.error(error),
        }
    }
}

fn to_node(path: &Path, text: &[u8], at: &Span) -> Result<Node, Diagnostic> {
    let json: serde_json::Value = serde_json::from_slice(text).map_err(|error| {
        let message = format!(
            "the inventory script `{}` printed no valid JSON: {error}",
            path.display()
        );
        Diagnostic::new(message).at(at.clone())
    })?;
    Ok(json::node_of(&json, at))
}

/// Runs the script within its limit. Gives what it printed.
fn run(path: &Path, args: &[&str], options: &LoadOptions) -> Result<Vec<u8>, Diagnostic> {
    // A bare name would be looked for in `PATH`.
    let program: PathBuf = if path.is_absolute() {
        path.to_owned()
    } else {
        Path::new(".").join(path)
    };
    let shown = format!("inventory script `{} {}`", path.display(), args.join(" "));
    let failed = |why: String| Diagnostic::new(format!("{shown}: {why}"));
    let limit = match options.script_timeout_seconds {
        0 => DEFAULT_LIMIT,
        seconds => Duration::from_secs(seconds),
    };
    let deadline = Deadline::none(options.cancel.clone()).within("inventory script", limit);
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|e| failed(format!("cannot be run: {e}")))?;
    let result = collect(&mut child, &deadline);
    if result.is_err() {
        end(&mut child);
    }
    let (output, messages) = result.map_err(failed)?;
    let status = wait(&mut child, &deadline).map_err(failed)?;
    let messages = String::from_utf8_lossy(&messages);
    let messages = messages.trim();
    if !status.success() {
        let said = if messages.is_empty() {
            String::new()
        } else {
            format!(": {messages}")
        };
        return Err(failed(format!("ended with {status}{said}")));
    }
    if output.len() as u64 > MOST_OUTPUT {
        return Err(failed(format!("printed more than {} MiB", MOST_OUTPUT / 1024 / 1024)));
    }
    Ok(output)
}

/// Both outputs, to their ends.
fn collect(child: &mut Child, deadline: &Deadline) -> Result<(Vec<u8>, Vec<u8>), String> {
    let (send, receive) = mpsc::channel();
    let (Some(mut out), Some(mut err)) = (child.stdout.take(), child.stderr.take()) else {
        return Err("has no output".to_owned());
    };
    let send_messages = send.clone();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let result = out
            .by_ref()
            .take(MOST_OUTPUT + 1)
            .read_to_end(&mut bytes)
            .map(|_| bytes);
        let _ = send.send((true, result));
    });
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        let mut buffer = [0; 4096];
        let result = loop {
            match err.read(&mut buffer) {
                Ok(0) => break Ok(kept),
                Ok(n) => {
                    let room = MOST_MESSAGES.saturating_sub(kept.len());
                    kept.extend(buffer.iter().take(n.min(room)));
                }
                Err(e) => break Err(e),
            }
        };
        let _ = send_messages.send((false, result));
    });
    let (mut output, mut messages) = (None, None);
    while output.is_none() || messages.is_none() {
        let left = deadline.remaining().map_err(|stop| stop.to_string())?;
        let turn = left.unwrap_or(Duration::MAX).min(Duration::from_millis(100));
        match receive.recv_timeout(turn) {
            Ok((is_output, bytes)) => {
                let bytes = bytes.map_err(|e| format!("its output cannot be read: {e}"))?;
                if is_output && bytes.len() as u64 > MOST_OUTPUT {
                    return Err(format!("printed more than {} MiB", MOST_OUTPUT / 1024 / 1024));
                }
                *(if is_output { &mut output } else { &mut messages }) = Some(bytes);
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => return Err("its output cannot be read".to_owned()),
        }
    }
    Ok((output.unwrap_or_default(), messages.unwrap_or_default()))
}

/// It closed its outputs, so it ends soon; if not, it is ended.
fn wait(child: &mut Child, deadline: &Deadline) -> Result<std::process::ExitStatus, String> {
    loop {
        if let Some(status) = child.try_wait().map_err(|e| e.to_string())? {
            return Ok(status);
        }
        if let Err(stop) = deadline.sleep(Duration::from_millis(5)) {
            end(child);
            return Err(stop.to_string());
        }
    }
}

/// Ends the script with everything it started.
fn end(child: &mut Child) {
    let group = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
    if let Some(group) = group {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::super::super::{Inventory, LoadOptions};
    use super::*;

    fn load(body: &str, seconds: u64) -> Result<Inventory, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("inv.sh");
        std::fs::write(&path, format!("#!/bin/sh\n{body}")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let options = LoadOptions {
            script_timeout_seconds: seconds,
            ..LoadOptions::default()
        };
        Inventory::load(&[path.display().to_string()], &options).map_err(|e| e.to_string())
    }

    #[test]
    fn what_a_script_prints_is_data() {
        let inventory = load(
            "[ \"$1\" = --list ] && echo '{\"web\": {\"hosts\": [\"a\"], \"vars\": {\"g\": 1}}, \"_meta\": {\"hostvars\": {\"a\": {\"t\": \"{{ x }}\"}}}}'\n",
            10,
        )
        .unwrap();
        assert!(matches!(
            inventory.hosts.get("a").unwrap().vars.get("t"),
            Some(Var::Data(_))
        ));
        assert_eq!(inventory.group_names(&"a".into()), ["web"]);
    }

    #[test]
    fn without_meta_every_host_is_asked_for() {
        let inventory = load(
            "case $1 in --list) echo '{\"web\": [\"a\", \"b\"]}';; --host) echo \"{\\\"name\\\": \\\"$2\\\"}\";; esac\n",
            10,
        )
        .unwrap();
        assert!(inventory.hosts.get("b").unwrap().vars.contains_key("name"));
    }

    #[test]
    fn a_script_that_fails_or_hangs_is_a_mistake() {
        assert!(
            load("echo no credentials >&2; exit 3\n", 10)
                .unwrap_err()
                .contains("no credentials")
        );
        assert!(load("echo '{'\n", 10).unwrap_err().contains("no valid JSON"));
        assert!(
            load("echo '{\"web\": {\"hosts\": [\"-x\"]}}'\n", 10)
                .unwrap_err()
                .contains("begins with `-`")
        );
        let started = std::time::Instant::now();
        assert!(
            load("sleep 60 & sleep 60\n", 1)
                .unwrap_err()
                .contains("took longer than 1s")
        );
        assert!(started.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn an_executable_file_without_a_program_is_read_as_text() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hosts");
        std::fs::write(&path, "web1\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let inventory = Inventory::load(&[path.display().to_string()], &LoadOptions::default()).unwrap();
        assert!(inventory.hosts.contains_key("web1"));
    }
}
