//! A session that runs commands by a shell of this machine: not a mock, so quoting, redirections and the snippets
//! themselves are what is tested.

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use batchssh::deadline::Deadline;
use batchssh::modules::ModuleError;
use batchssh::modules::step::Link;
use batchssh::names::Stream;
use batchssh::shell::elevate::Become;
use batchssh::transport::files::Files;
use batchssh::transport::{ConnectionInfo, Exec, ExitStatus, OnOutput, Session, SessionError, Stdin};

/// A shell to run everything by.
#[derive(Clone, Debug)]
pub(crate) struct Shell {
    /// Its name, for messages.
    pub(crate) name: &'static str,
    /// The program and its first arguments.
    pub(crate) words: Vec<String>,
    /// `PATH` of the commands.
    pub(crate) path: String,
}

/// All shells of this machine. BusyBox brings its own tools, too.
pub(crate) fn shells(scratch: &std::path::Path) -> Vec<Shell> {
    let path = "/usr/local/bin:/usr/bin:/bin".to_owned();
    let mut shells = Vec::new();
    for name in ["dash", "bash"] {
        if Command::new(name).arg("-c").arg(":").status().is_ok() {
            shells.push(Shell {
                name,
                words: vec![name.to_owned()],
                path: path.clone(),
            });
        }
    }
    let tools = scratch.join("busybox");
    std::fs::create_dir_all(&tools).unwrap();
    if Command::new("busybox")
        .arg("--install")
        .arg("-s")
        .arg(&tools)
        .status()
        .is_ok()
    {
        shells.push(Shell {
            name: "busybox",
            words: vec![tools.join("sh").display().to_string()],
            path: format!("{}:{path}", tools.display()),
        });
    }
    shells
}

/// The session.
pub(crate) struct Local {
    /// Its shell.
    pub(crate) shell: Shell,
    /// Home and working directory.
    pub(crate) home: PathBuf,
    /// How many commands it ran.
    pub(crate) count: usize,
    info: ConnectionInfo,
}

impl Local {
    pub(crate) fn new(shell: &Shell, home: PathBuf) -> Self {
        Self {
            shell: shell.clone(),
            home,
            count: 0,
            info: ConnectionInfo::default(),
        }
    }
}

impl Link for Local {
    fn session(&mut self) -> Result<&mut dyn Session, ModuleError> {
        Ok(self)
    }
}

impl Session for Local {
    fn exec(
        &mut self,
        request: Exec<'_>,
        _deadline: &Deadline,
        on_output: OnOutput<'_>,
    ) -> Result<ExitStatus, SessionError> {
        use std::os::unix::ffi::OsStrExt;
        self.count += 1;
        let mut command = Command::new(&self.shell.words[0]);
        command
            .args(&self.shell.words[1..])
            .arg("-c")
            .arg(std::ffi::OsStr::from_bytes(request.command.for_host()))
            .env_clear()
            .env("PATH", &self.shell.path)
            .env("HOME", &self.home)
            .envs(request.environment.iter().map(|(k, v)| (k, v)))
            .current_dir(&self.home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|e| SessionError::Local(e.to_string()))?;
        let mut stdin = child.stdin.take().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let bytes = match request.stdin {
            Stdin::Empty => Ok(Vec::new()),
            Stdin::Bytes(bytes) => Ok(bytes.to_vec()),
            Stdin::Reader(reader) => {
                let mut bytes = Vec::new();
                reader.read_to_end(&mut bytes).map(|_| bytes)
            }
        };
        let (out, err) = std::thread::scope(|scope| {
            let feeding = scope.spawn(move || {
                // A command that does not read all of it is no mistake.
                let _ = stdin.write_all(&bytes.unwrap_or_default());
            });
            let errors = scope.spawn(move || {
                let mut err = Vec::new();
                stderr.read_to_end(&mut err).unwrap();
                err
            });
            let mut out = Vec::new();
            stdout.read_to_end(&mut out).unwrap();
            feeding.join().unwrap();
            (out, errors.join().unwrap())
        });
        for piece in out.chunks(1000) {
            on_output(Stream::Stdout, piece);
        }
        on_output(Stream::Stderr, &err);
        let status = child.wait().map_err(|e| SessionError::Local(e.to_string()))?;
        Ok(match (status.code(), status.signal()) {
            (Some(code), _) => ExitStatus::Code(code),
            (None, signal) => ExitStatus::Signal(signal.map_or_else(String::new, |s| s.to_string())),
        })
    }

    fn files<'s>(
        &'s mut self,
        _elevate: Option<&Become>,
        _deadline: &Deadline,
    ) -> Result<Box<dyn Files + 's>, SessionError> {
        Err(SessionError::Refused {
            reason: "no files here".to_owned(),
        })
    }

    fn info(&self) -> &ConnectionInfo {
        &self.info
    }

    fn is_alive(&self) -> bool {
        true
    }
}
