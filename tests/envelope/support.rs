//! Hosts without a connection: a shell, a store, and envelopes that are run there.

use std::io::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Stdio};
use std::time::Duration;

use batchssh::marker::{
    Act, Envelope, Guard, Judge, Lease, Marker, OnChange, Said, TaskParts, Verdict, WhenInDoubt, file_name,
};
use batchssh::shell::Command;

/// One shell of this machine, and a home folder.
pub struct Host {
    /// The shell's name, for messages.
    pub shell: &'static str,
    program: String,
    path: String,
    pub home: tempfile::TempDir,
    tools: Option<tempfile::TempDir>,
}

/// What an exchange came to.
#[derive(Debug)]
pub struct Ran {
    pub rc: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub said: Said,
    pub verdict: Verdict,
}

const PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";

/// A host for every shell there is.
pub fn hosts() -> Vec<Host> {
    let mut hosts = Vec::new();
    for shell in ["dash", "bash"] {
        match Process::new(shell).arg("-c").arg(":").status() {
            Ok(_) => hosts.push(Host {
                shell,
                program: shell.to_owned(),
                path: PATH.to_owned(),
                home: tempfile::tempdir().unwrap(),
                tools: None,
            }),
            Err(_) => eprintln!("skipped: there is no {shell}"),
        }
    }
    let tools = tempfile::tempdir().unwrap();
    let installed = Process::new("busybox")
        .args(["--install", "-s"])
        .arg(tools.path())
        .status();
    if installed.is_ok_and(|status| status.success()) {
        hosts.push(Host {
            shell: "busybox",
            program: tools.path().join("sh").display().to_string(),
            path: format!("{}:{PATH}", tools.path().display()),
            home: tempfile::tempdir().unwrap(),
            tools: Some(tools),
        });
    } else {
        eprintln!("skipped: there is no busybox");
    }
    hosts
}

/// The first host there is.
pub fn host() -> Host {
    hosts().remove(0)
}

impl Host {
    /// Where it keeps its records.
    pub fn store(&self) -> PathBuf {
        self.home.path().join(".batchssh")
    }

    /// The files of its records, by name.
    pub fn records(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.store().join("markers")).into_iter().flatten();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// The record whose name ends like this.
    pub fn record(&self, ending: &str) -> PathBuf {
        let name = self.records().into_iter().find(|name| name.ends_with(ending));
        self.store()
            .join("markers")
            .join(name.unwrap_or_else(|| panic!("no {ending} in {:?}", self.records())))
    }

    /// The text of an exchange, for this shell.
    pub fn text(&self, envelope: &Envelope<'_>, act: &Act, inner: &str) -> Vec<u8> {
        let command = envelope.command(act, &Command::raw_script(inner), b"");
        let text = command.for_host();
        // The program everywhere is `/bin/sh`; here it is the shell under test.
        let program = if self.program.contains('/') {
            self.program.clone()
        } else {
            format!("/usr/bin/env {}", self.program)
        };
        let mut out = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.windows(8).position(|window| window == b"/bin/sh ") {
            out.extend_from_slice(&rest[..at]);
            out.extend_from_slice(program.as_bytes());
            out.push(b' ');
            rest = &rest[at + 8..];
        }
        out.extend_from_slice(rest);
        out
    }

    /// Runs a script by the shell under test, in its home, and gives what it prints.
    pub fn script(&self, text: &str) -> String {
        let mut words = self.program.split(' ');
        let output = Process::new(words.next().unwrap())
            .args(["-c", text])
            .env_clear()
            .env("PATH", &self.path)
            .current_dir(self.home.path())
            .stderr(Stdio::null())
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// Starts a text.
    pub fn start(&self, text: &[u8]) -> Child {
        use std::os::unix::process::CommandExt as _;
        Process::new("sh")
            .arg("-c")
            .arg(std::ffi::OsStr::from_bytes(text))
            .env_clear()
            .env("PATH", &self.path)
            .env("HOME", self.home.path())
            .current_dir(self.home.path())
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Runs an exchange to its end.
    pub fn run(&self, task: &Task, act: &Act, inner: &str) -> Ran {
        self.run_with(task, act, inner, b"")
    }

    /// The same with input.
    pub fn run_with(&self, task: &Task, act: &Act, inner: &str, input: &[u8]) -> Ran {
        let nonce = Envelope::nonce().unwrap();
        let text = self.text(&task.envelope(self, &nonce), act, inner);
        let mut child = self.start(&text);
        // A command that does not read leaves nobody at the other end.
        let _ = child.stdin.take().unwrap().write_all(input);
        finish(child, &nonce)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        drop(self.tools.take());
    }
}

/// Waits for the end of what was started.
pub fn finish(child: Child, nonce: &str) -> Ran {
    let output = child.wait_with_output().unwrap();
    let mut stderr = output.stderr;
    let said = Said::take(nonce, &mut stderr);
    Ran {
        rc: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
        verdict: said.verdict(),
        said,
    }
}

/// What goes around a command.
#[derive(Clone, Default)]
pub struct Task {
    pub lease: Option<Lease>,
    pub marker: Option<Marker>,
    pub guard: Option<Guard>,
}

impl Task {
    /// A task that is done once, by this name and with this text.
    pub fn once(name: &str, text: &str) -> Self {
        let mut parts = TaskParts::default();
        parts.add("cmd", text, Some(text));
        Self {
            marker: Some(Marker {
                name: name.to_owned(),
                file: file_name(name),
                parts,
                facts: vec![("run", "r1".to_owned()), ("who", "me@desk".to_owned())],
                on_change: OnChange::Stop,
                in_doubt: WhenInDoubt::Stop,
                verify: None,
                judge: Judge::Host,
            }),
            ..Self::default()
        }
    }

    /// The marker with something else in it.
    pub fn with(mut self, change: impl FnOnce(&mut Marker)) -> Self {
        change(self.marker.as_mut().unwrap());
        self
    }

    /// A run that wants the host.
    pub fn leased(root: &str) -> Self {
        Self {
            lease: Some(Lease {
                run: root.to_owned(),
                root: root.to_owned(),
                who: format!("{root}@desk"),
                seat: None,
                gone: None,
                name: "web1".into(),
                expiry: Duration::from_secs(60),
                required: false,
                held: None,
            }),
            ..Self::default()
        }
    }

    /// An envelope of it; nothing names the store, so it is that of the user.
    pub fn envelope<'a>(&'a self, host: &Host, nonce: &str) -> Envelope<'a> {
        Envelope {
            nonce: nonce.to_owned(),
            store: Some(Box::leak(host.store().display().to_string().into_boxed_str())),
            lease: self.lease.as_ref(),
            marker: self.marker.as_ref(),
            guard: self.guard.as_ref(),
        }
    }
}

/// How many lines a file has.
pub fn lines(path: &Path) -> usize {
    std::fs::read_to_string(path).unwrap_or_default().lines().count()
}

/// Waits until something is so.
pub fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = std::time::Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(std::time::Instant::now() < until, "waited too long for {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}
