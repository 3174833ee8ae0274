//! `connection: local`: commands of this machine, with the same verdicts and the same end at the deadline as by SSH.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal};

use crate::deadline::{CancelToken, Deadline, Stop};
use crate::names::Stream;
use crate::shell::elevate::{Become, kill_groups};
use crate::transport::conversation::Conversation;
use crate::transport::feed::Feed;
use crate::transport::shell_files::ShellFiles;
use crate::transport::{
    ConnectError, ConnectSettings, ConnectionInfo, Exec, ExitStatus, OnOutput, Session, SessionError, Stage, Stdin,
    Transport, files,
};

const BUFFER: usize = 64 * 1024;
const SLICE: Duration = Duration::from_millis(100);
/// A command that ended while something it started keeps its output open: how long silence is waited out.
const LINGER: Duration = Duration::from_millis(500);
const KILL_LIMIT: Duration = Duration::from_millis(500);

/// "Connects" to this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalTransport;

impl Transport for LocalTransport {
    fn connect(&self, target: &ConnectSettings, deadline: &Deadline) -> Result<Box<dyn Session>, ConnectError> {
        deadline.remaining().map_err(|stop| ConnectError {
            stage: Stage::Connect,
            message: format!("{}: {stop}", target.name),
            stop: Some(stop),
        })?;
        Ok(Box::new(LocalSession {
            info: ConnectionInfo {
                peer: Some("local".to_owned()),
                ..ConnectionInfo::default()
            },
        }))
    }
}

/// This machine.
struct LocalSession {
    info: ConnectionInfo,
}

impl Session for LocalSession {
    fn exec(
        &mut self,
        request: Exec<'_>,
        deadline: &Deadline,
        on_output: OnOutput<'_>,
    ) -> Result<ExitStatus, SessionError> {
        let elevate = request.elevate;
        let mut talk = Conversation::new(&request)?;
        match run(&mut talk, request.stdin, deadline, on_output) {
            Ok(status) => Ok(status),
            Err(Ended::Error(error)) => Err(error),
            Err(Ended::Stop(stop)) => Err(SessionError::Stopped {
                stop,
                survivor: elevate.and_then(|elevate| kill_elevated(talk.pids(), elevate)),
            }),
        }
    }

    fn files<'s>(
        &'s mut self,
        elevate: Option<&Become>,
        _deadline: &Deadline,
    ) -> Result<Box<dyn files::Files + 's>, SessionError> {
        Ok(Box::new(ShellFiles::new(self, elevate)))
    }

    fn info(&self) -> &ConnectionInfo {
        &self.info
    }

    fn is_alive(&self) -> bool {
        true
    }
}

enum Ended {
    Stop(Stop),
    Error(SessionError),
}

impl From<SessionError> for Ended {
    fn from(error: SessionError) -> Self {
        Self::Error(error)
    }
}

/// A child whose whole process group ends when this is dropped before it was waited for.
struct Group {
    child: Child,
    done: bool,
}

impl Drop for Group {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
        // One that runs as another user may survive the kill: it is not waited for without a limit.
        let begun = Instant::now();
        let pause = Deadline::none(CancelToken::new());
        while begun.elapsed() < KILL_LIMIT && matches!(self.child.try_wait(), Ok(None)) {
            let _ = pause.sleep(Duration::from_millis(5));
        }
    }
}

fn local(what: &str, error: impl std::fmt::Display) -> SessionError {
    SessionError::Local(format!("{what}: {error}"))
}

/// The elevated part belongs to somebody else: it is killed as that user.
fn kill_elevated(pids: &[u32], elevate: &Become) -> Option<String> {
    let command = kill_groups(pids);
    let mut request = Exec::new(&command);
    request.elevate = Some(elevate);
    let deadline = Deadline::none(CancelToken::new()).within("kill", KILL_LIMIT);
    let mut said = Vec::new();
    let result = Conversation::new(&request).map_err(Ended::Error).and_then(|mut talk| {
        run(&mut talk, Stdin::Empty, &deadline, &mut |stream, bytes| {
            if stream == Stream::Stdout && said.len() < 1024 {
                said.extend_from_slice(bytes);
            }
        })
    });
    match (result, String::from_utf8_lossy(&said).trim()) {
        (Ok(_), "killed" | "gone") => None,
        _ => Some(format!("the command may still be running as `{}`", elevate.user)),
    }
}

fn run(
    talk: &mut Conversation,
    stdin: Stdin<'_>,
    deadline: &Deadline,
    on_output: OnOutput<'_>,
) -> Result<ExitStatus, Ended> {
    deadline.remaining().map_err(Ended::Stop)?;
    let mut child = Command::new("/bin/sh")
        .arg("-c")
        .arg(std::ffi::OsStr::from_bytes(talk.script()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|error| local("cannot start /bin/sh", error))?;
    let mut input = child.stdin.take();
    let mut stdout = child.stdout.take();
    let mut stderr = child.stderr.take();
    let mut group = Group { child, done: false };
    for fd in [
        input.as_ref().map(AsFd::as_fd),
        stdout.as_ref().map(AsFd::as_fd),
        stderr.as_ref().map(AsFd::as_fd),
    ]
    .into_iter()
    .flatten()
    {
        rustix::io::ioctl_fionbio(fd, true).map_err(|error| local("cannot set up a pipe", error))?;
    }
    let mut feed = Feed::new(stdin);
    let mut password: Option<zeroize::Zeroizing<Vec<u8>>> = None;
    let mut buffer = vec![0; BUFFER];
    let mut ended: Option<(ExitStatus, Instant)> = None;
    loop {
        deadline.remaining().map_err(Ended::Stop)?;
        let mut moved = drain(&mut stdout, Stream::Stdout, talk, &mut buffer, on_output)?;
        moved |= drain(&mut stderr, Stream::Stderr, talk, &mut buffer, on_output)?;
        password = password.or_else(|| talk.password());
        moved |= send(&mut input, &mut password, &mut feed, talk.may_send())?;
        if ended.is_none() {
            let status = group
                .child
                .try_wait()
                .map_err(|error| local("cannot wait for the command", error))?;
            ended = status.map(|status| (verdict(status), Instant::now()));
        }
        if let Some((status, since)) = &mut ended {
            if stdout.is_none() && stderr.is_none() || since.elapsed() >= LINGER {
                // What it left behind on purpose (a daemon) lives on.
                group.done = true;
                return talk.finish(status.clone(), on_output).map_err(Ended::Error);
            }
            if moved {
                *since = Instant::now();
            }
        }
        if !moved {
            let writes = input.is_some() && (password.is_some() || talk.may_send());
            wait(
                input.as_ref(),
                writes,
                stdout.as_ref(),
                stderr.as_ref(),
                deadline.slice(SLICE).map_err(Ended::Stop)?,
            );
        }
    }
}

fn verdict(status: std::process::ExitStatus) -> ExitStatus {
    match (status.code(), status.signal()) {
        (Some(code), _) => ExitStatus::Code(code),
        (None, Some(number)) => {
            ExitStatus::Signal(Signal::from_named_raw(number).map_or_else(|| number.to_string(), signal_name))
        }
        (None, None) => ExitStatus::Signal("unknown".to_owned()),
    }
}

fn signal_name(signal: Signal) -> String {
    let name = match signal {
        Signal::HUP => "HUP",
        Signal::INT => "INT",
        Signal::QUIT => "QUIT",
        Signal::ILL => "ILL",
        Signal::ABORT => "ABRT",
        Signal::FPE => "FPE",
        Signal::KILL => "KILL",
        Signal::SEGV => "SEGV",
        Signal::PIPE => "PIPE",
        Signal::ALARM => "ALRM",
        Signal::TERM => "TERM",
        Signal::USR1 => "USR1",
        Signal::USR2 => "USR2",
        Signal::BUS => "BUS",
        other => return other.as_raw().to_string(),
    };
    name.to_owned()
}

fn drain<R: Read>(
    from: &mut Option<R>,
    stream: Stream,
    talk: &mut Conversation,
    buffer: &mut [u8],
    on_output: OnOutput<'_>,
) -> Result<bool, SessionError> {
    let mut moved = false;
    // Bounded, so that one stream cannot keep the others and the deadline waiting.
    for _ in 0..8 {
        let Some(reader) = from else { break };
        match reader.read(buffer) {
            Ok(0) => *from = None,
            Ok(count) => {
                moved = true;
                talk.feed(stream, buffer.get(..count).unwrap_or_default(), on_output)?;
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => break,
            Err(error) => return Err(local("cannot read the command's output", error)),
        }
    }
    Ok(moved)
}

fn send(
    input: &mut Option<ChildStdin>,
    password: &mut Option<zeroize::Zeroizing<Vec<u8>>>,
    feed: &mut Feed<'_>,
    may_send: bool,
) -> Result<bool, SessionError> {
    let mut moved = false;
    for _ in 0..8 {
        let Some(pipe) = input else { break };
        let bytes: &[u8] = match password {
            Some(password) => password,
            None if !may_send => break,
            None => feed.next()?,
        };
        if bytes.is_empty() {
            if password.take().is_none() {
                *input = None;
            }
            continue;
        }
        match pipe.write(bytes) {
            Ok(count) => {
                moved = true;
                match password {
                    Some(password) => {
                        let gone = count.min(password.len());
                        password.drain(..gone);
                    }
                    None => feed.advance(count),
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => break,
            // It does not read any more: not a failure.
            Err(_) => *input = None,
        }
    }
    Ok(moved)
}

fn wait(
    input: Option<&ChildStdin>,
    writes: bool,
    stdout: Option<&std::process::ChildStdout>,
    stderr: Option<&std::process::ChildStderr>,
    most: Duration,
) {
    let mut fds: Vec<PollFd<'_>> = Vec::with_capacity(3);
    if let (true, Some(pipe)) = (writes, input) {
        fds.push(PollFd::new(pipe, PollFlags::OUT));
    }
    if let Some(pipe) = stdout {
        fds.push(PollFd::new(pipe, PollFlags::IN));
    }
    if let Some(pipe) = stderr {
        fds.push(PollFd::new(pipe, PollFlags::IN));
    }
    // With both outputs closed only the child's end is awaited, which has no descriptor.
    let most = if fds.is_empty() {
        most.min(Duration::from_millis(5))
    } else {
        most.min(Duration::from_millis(20))
    };
    let time = Timespec {
        tv_sec: i64::try_from(most.as_secs()).unwrap_or(0),
        tv_nsec: i64::from(most.subsec_nanos()),
    };
    let _ = poll(&mut fds, Some(&time));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;
    use crate::shell::elevate::Method;

    fn exec(script: &str, stdin: &[u8], limit: u64) -> (Result<ExitStatus, SessionError>, Vec<u8>, Vec<u8>) {
        exec_as(script, stdin, limit, None)
    }

    fn exec_as(
        script: &str,
        stdin: &[u8],
        limit: u64,
        elevate: Option<&Become>,
    ) -> (Result<ExitStatus, SessionError>, Vec<u8>, Vec<u8>) {
        let command = crate::shell::Command::raw_script(script);
        let deadline = Deadline::none(CancelToken::new()).within("task timeout", Duration::from_millis(limit));
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let request = Exec {
            command: &command,
            stdin: Stdin::Bytes(stdin),
            elevate,
            environment: &[],
            must_start: false,
        };
        let mut session = LocalSession {
            info: ConnectionInfo::default(),
        };
        let result = session.exec(request, &deadline, &mut |stream, bytes| match stream {
            Stream::Stdout => out.extend_from_slice(bytes),
            Stream::Stderr => err.extend_from_slice(bytes),
        });
        (result, out, err)
    }

    #[test]
    fn outputs_and_status_are_the_commands_own() {
        let (status, out, err) = exec("echo out; echo err >&2; exit 3", b"", 10_000);
        assert_eq!(status.unwrap(), ExitStatus::Code(3));
        assert_eq!((out.as_slice(), err.as_slice()), (&b"out\n"[..], &b"err\n"[..]));
        let (status, ..) = exec("kill -9 $$", b"", 10_000);
        assert_eq!(status.unwrap(), ExitStatus::Signal("KILL".to_owned()));
    }

    #[test]
    fn eight_mib_each_way_do_not_block() {
        let input = vec![b'x'; 8 << 20];
        let (status, out, err) = exec("sleep 0.2; tee /dev/stderr", &input, 30_000);
        assert_eq!(status.unwrap(), ExitStatus::Code(0));
        assert_eq!((out.len(), err.len()), (8 << 20, 8 << 20));
    }

    #[test]
    fn a_time_out_kills_the_whole_group() {
        let start = Instant::now();
        let (status, out, _) = exec("sleep 4321 & echo $!; sleep 4322", b"", 300);
        assert!(
            matches!(status, Err(SessionError::Stopped { survivor: None, .. })),
            "{status:?}"
        );
        assert!(start.elapsed() < Duration::from_millis(1200));
        let pid = String::from_utf8(out).unwrap();
        let state = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        assert!(state.is_empty() || state.contains(") Z "), "{state}");
    }

    #[test]
    fn a_daemon_left_behind_does_not_hold_the_command() {
        let start = Instant::now();
        let (status, out, _) = exec("sleep 5 & echo done", b"", 10_000);
        assert_eq!(status.unwrap(), ExitStatus::Code(0));
        assert_eq!(out, b"done\n");
        assert!(start.elapsed() < Duration::from_secs(3));
    }

    /// A `sudo` that asks as the real one does and knows one password.
    fn fake_sudo(dir: &std::path::Path) -> String {
        use std::os::unix::fs::PermissionsExt;
        let path = dir.join("sudo");
        let text = r#"#!/bin/sh
while [ "$1" != -- ]; do
  case $1 in -p) prompt=$2; shift ;; -u) shift ;; -n) echo "sudo: a password is required" >&2; exit 1 ;; esac
  shift
done
shift
for try in 1 2 3; do
  printf '%s' "$prompt" >&2
  read -r word || exit 1
  echo >&2
  [ "$word" = right ] && exec "$@"
  echo "Sorry, try again." >&2
done
exit 1
"#;
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path.display().to_string()
    }

    #[test]
    fn become_gives_the_password_to_the_prompt_and_stdin_to_the_command() {
        let dir = tempfile::tempdir().unwrap();
        let mut elevate = Become {
            method: Method::Sudo,
            user: "root".to_owned(),
            password: Some(Secret::new("right".to_owned())),
            flags: vec![],
            exe: Some(fake_sudo(dir.path())),
        };
        let (status, out, err) = exec_as("cat; echo err >&2", b"input\n", 10_000, Some(&elevate));
        assert_eq!(status.unwrap(), ExitStatus::Code(0));
        assert_eq!((out.as_slice(), err.as_slice()), (&b"input\n"[..], &b"err\n"[..]));
        elevate.password = Some(Secret::new("wrong".to_owned()));
        let (status, ..) = exec_as("cat", b"input\n", 10_000, Some(&elevate));
        assert!(
            status
                .unwrap_err()
                .to_string()
                .starts_with("incorrect become password for `root`")
        );
        elevate.password = None;
        let (status, ..) = exec_as("cat", b"", 10_000, Some(&elevate));
        assert!(status.unwrap_err().to_string().ends_with("-K"));
    }
}
