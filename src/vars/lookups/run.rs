//! Lookups that run something on the controller (`pipe`, `lines`), and `password`.

use std::io::{Read, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::vars::Value;
use crate::vars::fault::{Fault, Res};
use crate::vars::filters::{hex, pick};
use crate::vars::lookups::{Call, words};

pub(super) const LOOKUPS: &[(&str, super::Lookup)] = &[("pipe", pipe), ("lines", lines), ("password", password)];

/// How long a local command may take.
const LONGEST: Duration = Duration::from_secs(300);

/// How much it may print.
const MOST: u64 = 64 << 20;

/// What a local command prints.
fn output(call: &Call<'_>, command: &str) -> Res<String> {
    let cannot = |e: std::io::Error| Fault::new(format!("cannot run `{command}`: {e}"));
    let mut shell = Command::new("/bin/sh");
    shell
        .arg("-c")
        .arg(command)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // A group of its own, so that all of it can be ended.
    shell.process_group(0);
    if let Some(folder) = call
        .ctx
        .text_variable("playbook_dir")
        .filter(|folder| Path::new(folder).is_dir())
    {
        shell.current_dir(folder);
    }
    let mut child = shell.spawn().map_err(cannot)?;
    let (ended, end) = mpsc::channel();
    let stdout = reader(child.stdout.take(), MOST + 1, ended.clone());
    let stderr = reader(child.stderr.take(), 1 << 20, ended);
    let until = Instant::now() + LONGEST;
    let in_time = (0..2).all(|_| {
        end.recv_timeout(until.saturating_duration_since(Instant::now()))
            .is_ok()
    });
    if !in_time {
        let group = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(group) = group {
            // Nothing more can be done when this fails.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = child.wait();
        let limit = LONGEST.as_secs();
        return Err(
            Fault::new(format!("`{command}` took longer than {limit} s")).help("run it in a task, with a time limit")
        );
    }
    let status = child.wait().map_err(cannot)?;
    let (stdout, stderr) = (stdout.join().unwrap_or_default(), stderr.join().unwrap_or_default());
    if stdout.len() as u64 > MOST {
        return Err(Fault::new(format!("`{command}` printed more than 64 MiB")));
    }
    if !status.success() {
        let said = String::from_utf8_lossy(&stderr)
            .trim()
            .chars()
            .take(500)
            .collect::<String>();
        let status = status
            .code()
            .map_or_else(|| "a signal".to_owned(), |code| format!("status {code}"));
        let fault = Fault::new(format!("`{command}` ended with {status}"));
        return Err(if said.is_empty() { fault } else { fault.help(said) });
    }
    String::from_utf8(stdout).map_err(|_| Fault::new(format!("the output of `{command}` is not UTF-8 text")))
}

/// Reads a stream aside, at most so many bytes, and says when it ended.
fn reader(stream: Option<impl Read + Send + 'static>, most: u64, ended: mpsc::Sender<()>) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(stream) = stream {
            // What was read before an error is what there is.
            let _ = stream.take(most).read_to_end(&mut bytes);
        }
        let _ = ended.send(());
        bytes
    })
}

fn pipe(call: &Call<'_>) -> Res<Vec<Value>> {
    let commands = call.texts()?;
    commands
        .iter()
        .map(|command| Ok(Value::from(output(call, command)?.trim_end())))
        .collect()
}

fn lines(call: &Call<'_>) -> Res<Vec<Value>> {
    let mut out = Vec::new();
    for command in call.texts()? {
        out.extend(output(call, &command)?.lines().map(|line| Value::from(line.trim_end())));
    }
    Ok(out)
}

/// The characters a word of `chars=` stands for.
fn alphabet(spec: &str) -> String {
    let letters = || ('a'..='z').chain('A'..='Z').collect::<String>();
    let mut out = String::new();
    for word in spec.split(',') {
        match word {
            "ascii_letters" => out.push_str(&letters()),
            "ascii_lowercase" => out.extend('a'..='z'),
            "ascii_uppercase" => out.extend('A'..='Z'),
            "digits" => out.extend('0'..='9'),
            "hexdigits" => out.push_str("0123456789abcdefABCDEF"),
            "octdigits" => out.push_str("01234567"),
            "punctuation" => out.push_str("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"),
            // Two commas in a row are a comma.
            "" => out.push(','),
            other => out.push_str(other),
        }
    }
    out
}

/// A password kept in a file, made when the file is not there.
fn password(call: &Call<'_>) -> Res<Vec<Value>> {
    let mut out = Vec::new();
    for term in call.texts()? {
        let mut length = call.text("length")?;
        let mut chars = call.text("chars")?;
        let mut name = String::new();
        for word in words(&term)? {
            match word.split_once('=') {
                Some(("length", value)) => length = Some(value.to_owned()),
                Some(("chars", value)) => chars = Some(value.to_owned()),
                Some((other @ ("encrypt" | "seed" | "ident"), _)) => {
                    return Err(Fault::new(format!("`{other}=` is not offered")).help("use the filter `password_hash`"));
                }
                _ if name.is_empty() => name = word,
                _ => {
                    name.push(' ');
                    name.push_str(&word);
                }
            }
        }
        let length: usize = length
            .as_deref()
            .unwrap_or("20")
            .parse()
            .ok()
            .filter(|n| (1..=10_000).contains(n))
            .ok_or_else(|| Fault::new("the length of a password must be between 1 and 10000"))?;
        let letters = alphabet(chars.as_deref().unwrap_or("ascii_letters,digits,.,:-_"));
        let letters: Vec<Value> = letters.chars().map(Value::from).collect();
        let fresh = || -> Res<String> {
            (0..length)
                .map(|_| Ok(pick(&letters)?.as_str().unwrap_or_default().to_owned()))
                .collect()
        };
        if name == "/dev/null" {
            out.push(Value::from(fresh()?));
            continue;
        }
        let path = match call.ctx.text_variable("playbook_dir") {
            Some(folder) => Path::new(&folder).join(&name),
            None => PathBuf::from(&name),
        };
        out.push(Value::from(kept(&path, fresh)?));
    }
    Ok(out)
}

/// The first line of the file, which is made with a fresh password when it is missing. Several workers may come at
/// once: only one makes it.
fn kept(path: &Path, fresh: impl Fn() -> Res<String>) -> Res<String> {
    let shown = path.display();
    let read = || {
        let text = std::fs::read_to_string(path)?;
        let line = text.lines().next().unwrap_or("").to_owned();
        Ok::<String, std::io::Error>(line.split(" salt=").next().unwrap_or("").to_owned())
    };
    if path.exists() {
        return read().map_err(|e| Fault::new(format!("cannot read the password in `{shown}`: {e}")));
    }
    let cannot = |e: std::io::Error| Fault::new(format!("cannot write the password to `{shown}`: {e}"));
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(cannot)?;
    let password = fresh()?;
    // Written whole under another name first, so that nobody reads half of it.
    let mut suffix = [0_u8; 8];
    getrandom::fill(&mut suffix).map_err(|e| Fault::new(format!("no random numbers: {e}")))?;
    let suffix = hex(&suffix);
    let temporary = folder.join(format!(".batchssh-{suffix}"));
    let written = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)
        .and_then(|mut file| file.write_all(format!("{password}\n").as_bytes()))
        .and_then(|()| match std::fs::hard_link(&temporary, path) {
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        });
    let removed = std::fs::remove_file(&temporary);
    written.and(removed).map_err(cannot)?;
    read().map_err(|e| Fault::new(format!("cannot read the password in `{shown}`: {e}")))
}
