//! For tests: the channel of a real `sftp-server` over pipes, a scripted server, and a session that runs its commands
//! on this machine.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::deadline::{CancelToken, Deadline};
use crate::names::Stream;
use crate::shell::elevate::Become;
use crate::transport::files::Files;
use crate::transport::shell_files::ShellFiles;
use crate::transport::ssh::sftp::SftpClient;
use crate::transport::{ConnectionInfo, Duplex, Exec, ExitStatus, OnOutput, Pumped, Session, SessionError, Stdin};

/// A deadline long enough for every test.
pub(crate) fn soon() -> Deadline {
    Deadline::none(CancelToken::new()).within("test", Duration::from_secs(120))
}

/// Where this machine has its sftp-server, if it has one.
pub(crate) fn sftp_server() -> Option<&'static Path> {
    [
        "/usr/lib/openssh/sftp-server",
        "/usr/libexec/openssh/sftp-server",
        "/usr/lib/ssh/sftp-server",
        "/usr/libexec/sftp-server",
    ]
    .into_iter()
    .map(Path::new)
    .find(|path| path.exists())
}

/// The standard input and output of a process as one channel.
pub(crate) struct Pipes {
    process: Child,
    to: OwnedFd,
    from: OwnedFd,
}

impl Pipes {
    /// Starts `program` in `dir`.
    pub(crate) fn start(program: &Path, dir: &Path) -> Self {
        let mut process = Process::new(program)
            .current_dir(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let to: OwnedFd = process.stdin.take().unwrap().into();
        let from: OwnedFd = process.stdout.take().unwrap().into();
        rustix::io::ioctl_fionbio(&to, true).unwrap();
        rustix::io::ioctl_fionbio(&from, true).unwrap();
        Self { process, to, from }
    }
}

impl Drop for Pipes {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Duplex for Pipes {
    fn pump(&mut self, out: &[u8], input: &mut Vec<u8>, deadline: &Deadline) -> Result<Pumped, SessionError> {
        let mut pumped = Pumped::default();
        loop {
            let left = deadline
                .slice(Duration::from_millis(100))
                .map_err(|stop| SessionError::Stopped { stop, survivor: None })?;
            if !out.is_empty() {
                match rustix::io::write(&self.to, out) {
                    Ok(n) => pumped.sent = n,
                    Err(Errno::AGAIN) => {}
                    Err(e) => return Err(SessionError::Lost { reason: e.to_string() }),
                }
            }
            let mut buffer = [0; 16_384];
            match rustix::io::read(&self.from, &mut buffer) {
                Ok(0) => pumped.eof = true,
                Ok(n) => {
                    input.extend_from_slice(&buffer[..n]);
                    pumped.received = n;
                }
                Err(Errno::AGAIN) => {}
                Err(e) => return Err(SessionError::Lost { reason: e.to_string() }),
            }
            if pumped != Pumped::default() {
                return Ok(pumped);
            }
            let mut fds = vec![PollFd::from_borrowed_fd(self.from.as_fd(), PollFlags::IN)];
            if !out.is_empty() {
                fds.push(PollFd::from_borrowed_fd(self.to.as_fd(), PollFlags::OUT));
            }
            let _ = poll(&mut fds, Some(&Timespec::try_from(left).unwrap()));
        }
    }
}

/// A server made of a function from one request (type, id, rest) to the bytes of its answers.
pub(crate) struct Scripted<F> {
    pub(crate) answer: F,
    received: Vec<u8>,
    pending: VecDeque<u8>,
    /// The connection is lost after so many requests.
    pub(crate) requests_left: usize,
}

impl<F: FnMut(u8, u32, &[u8]) -> Vec<u8> + Send> Scripted<F> {
    pub(crate) fn new(answer: F) -> Self {
        Self {
            answer,
            received: Vec::new(),
            pending: VecDeque::new(),
            requests_left: usize::MAX,
        }
    }
}

impl<F: FnMut(u8, u32, &[u8]) -> Vec<u8> + Send> Duplex for Scripted<F> {
    fn pump(&mut self, out: &[u8], input: &mut Vec<u8>, deadline: &Deadline) -> Result<Pumped, SessionError> {
        deadline
            .remaining()
            .map_err(|stop| SessionError::Stopped { stop, survivor: None })?;
        self.received.extend_from_slice(out);
        while self.received.len() >= 9 {
            let size = u32::from_be_bytes(self.received[..4].try_into().unwrap()) as usize;
            if self.received.len() < size + 4 {
                break;
            }
            if self.requests_left == 0 {
                return Err(SessionError::Lost {
                    reason: "reset by peer".to_owned(),
                });
            }
            self.requests_left -= 1;
            let packet: Vec<u8> = self.received.drain(..size + 4).collect();
            let id = u32::from_be_bytes(packet[5..9].try_into().unwrap());
            self.pending.extend((self.answer)(packet[4], id, &packet[9..]));
        }
        if out.is_empty() && self.pending.is_empty() {
            deadline
                .sleep(Duration::from_millis(5))
                .map_err(|stop| SessionError::Stopped { stop, survivor: None })?;
        }
        let received = self.pending.len();
        input.extend(self.pending.drain(..));
        Ok(Pumped {
            sent: out.len(),
            received,
            eof: false,
        })
    }
}

/// A session whose host is a directory of this machine.
pub(crate) struct LocalSession {
    /// The words of the shell: `sh`, or `busybox sh`.
    pub(crate) shell: Vec<String>,
    /// The only directories with programs, when they are not the machine's own.
    pub(crate) path: Option<String>,
    /// The home directory.
    pub(crate) home: PathBuf,
    /// Commands answer nothing and exit with this code.
    pub(crate) no_exec: Option<i32>,
    /// Commands run so far.
    pub(crate) execs: usize,
    pub(crate) sftp: Option<SftpClient>,
    info: ConnectionInfo,
}

impl LocalSession {
    /// Files by sftp-server; `None` when the machine has none.
    pub(crate) fn sftp(home: &Path) -> Option<Self> {
        let pipes = Pipes::start(sftp_server()?, home);
        let mut session = Self::shell(home, &["sh"]);
        session.sftp = Some(SftpClient::start(Box::new(pipes), &soon()).unwrap());
        Some(session)
    }

    /// Files by a shell.
    pub(crate) fn shell(home: &Path, shell: &[&str]) -> Self {
        Self {
            shell: shell.iter().map(|&word| word.to_owned()).collect(),
            path: None,
            home: home.to_owned(),
            no_exec: None,
            execs: 0,
            sftp: None,
            info: ConnectionInfo::default(),
        }
    }

    /// Files by busybox, with no other programs; `None` when the machine has none.
    pub(crate) fn busybox(home: &Path, programs: &Path) -> Option<Self> {
        let busybox = ["/bin/busybox", "/usr/bin/busybox"]
            .into_iter()
            .find(|p| Path::new(p).exists())?;
        std::fs::create_dir_all(programs).unwrap();
        let list = Process::new(busybox).arg("--list").output().unwrap().stdout;
        for applet in String::from_utf8(list).unwrap().lines() {
            let _ = std::os::unix::fs::symlink(busybox, programs.join(applet));
        }
        let mut session = Self::shell(home, &[busybox, "sh"]);
        session.path = Some(programs.display().to_string());
        Some(session)
    }
}

impl Session for LocalSession {
    fn exec(
        &mut self,
        mut request: Exec<'_>,
        _deadline: &Deadline,
        on_output: OnOutput<'_>,
    ) -> Result<ExitStatus, SessionError> {
        self.execs += 1;
        if let Some(code) = self.no_exec {
            return Ok(ExitStatus::Code(code));
        }
        let mut process = Process::new(&self.shell[0]);
        process
            .args(&self.shell[1..])
            .arg("-c")
            .arg(std::ffi::OsStr::from_bytes(request.command.for_host()))
            .current_dir(&self.home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(path) = &self.path {
            process.env("PATH", path);
        }
        let mut process = process.spawn().unwrap();
        let mut stderr = process.stderr.take().unwrap();
        let stderr = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            stderr.read_to_end(&mut bytes).unwrap();
            bytes
        });
        // In odd pieces, as a network would; few, so that memory is bounded as it is there.
        let (send, receive) = std::sync::mpsc::sync_channel(64);
        let mut stdout = process.stdout.take().unwrap();
        let stdout = std::thread::spawn(move || {
            let mut buffer = [0; 10_007];
            loop {
                match stdout.read(&mut buffer).unwrap() {
                    0 => return,
                    n => send.send(buffer[..n].to_vec()).unwrap(),
                }
            }
        });
        let mut stdin = process.stdin.take().unwrap();
        match &mut request.stdin {
            Stdin::Empty => {}
            Stdin::Bytes(bytes) => {
                let bytes = bytes.to_vec();
                std::thread::spawn(move || stdin.write_all(&bytes));
            }
            Stdin::Reader(reader) => {
                let mut buffer = [0; 16_384];
                while let Ok(n @ 1..) = reader.read(&mut buffer) {
                    if stdin.write_all(&buffer[..n]).is_err() {
                        break;
                    }
                    for piece in receive.try_iter() {
                        on_output(Stream::Stdout, &piece);
                    }
                }
                drop(stdin);
            }
        }
        for piece in receive {
            on_output(Stream::Stdout, &piece);
        }
        stdout.join().unwrap();
        on_output(Stream::Stderr, &stderr.join().unwrap());
        let status = process.wait().unwrap();
        Ok(ExitStatus::Code(status.code().unwrap_or(-1)))
    }

    fn files<'s>(
        &'s mut self,
        elevate: Option<&Become>,
        _deadline: &Deadline,
    ) -> Result<Box<dyn Files + 's>, SessionError> {
        if elevate.is_none()
            && let Some(client) = self.sftp.take()
        {
            return Ok(Box::new(self.sftp.insert(client)));
        }
        Ok(Box::new(ShellFiles::new(self, elevate)))
    }

    fn info(&self) -> &ConnectionInfo {
        &self.info
    }

    fn is_alive(&self) -> bool {
        true
    }
}
