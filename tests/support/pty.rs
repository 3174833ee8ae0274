//! A terminal for a program, with somebody who reads and types.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// Longer than this nobody waits for a question.
const LIMIT: Duration = Duration::from_secs(30);

/// A program on a terminal of its own.
pub struct Terminal {
    master: File,
    child: Child,
    come: Receiver<Vec<u8>>,
    /// Everything that was shown so far.
    pub shown: String,
    /// How much of it was waited for.
    passed: usize,
}

impl Terminal {
    /// Starts a program; the terminal is its standard input, output, and what `/dev/tty` means.
    pub fn start(command: &Command) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let end = || {
            let mut options = File::options();
            options.read(true).write(true).open(name.to_str().unwrap()).unwrap()
        };
        // A controlling terminal needs a session of its own.
        let mut session = Command::new("setsid");
        session
            .args(["--ctty", "--wait"])
            .arg(command.get_program())
            .args(command.get_args());
        if let Some(dir) = command.get_current_dir() {
            session.current_dir(dir);
        }
        session.env_clear();
        for (name, value) in command.get_envs() {
            session.env(name, value.unwrap_or_default());
        }
        session
            .stdin(Stdio::from(end()))
            .stdout(Stdio::from(end()))
            .stderr(Stdio::from(end()));
        let child = session.spawn().unwrap();
        drop(session);
        let master = File::from(master);
        let mut reader = master.try_clone().unwrap();
        let (send, come) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // An error: nobody has the other end open any more.
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if send.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            master,
            child,
            come,
            shown: String::new(),
            passed: 0,
        }
    }

    /// Waits until words are shown, after the last ones that were waited for.
    #[track_caller]
    pub fn expect(&mut self, words: &str) -> &mut Self {
        let until = Instant::now() + LIMIT;
        loop {
            if let Some(at) = self.shown[self.passed..].find(words) {
                self.passed += at + words.len();
                return self;
            }
            let left = until.saturating_duration_since(Instant::now());
            match self.come.recv_timeout(left) {
                Ok(bytes) => self.shown += &String::from_utf8_lossy(&bytes),
                Err(error) => panic!("waited for {words:?} ({error}), there is: {}", self.shown),
            }
        }
    }

    /// Types a line.
    pub fn enter(&mut self, line: &str) -> &mut Self {
        self.master.write_all(format!("{line}\n").as_bytes()).unwrap();
        self
    }

    /// Waits for the end of the program; gives its exit code and everything it showed.
    #[track_caller]
    pub fn end(mut self) -> (i32, String) {
        let until = Instant::now() + LIMIT;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if Instant::now() > until {
                self.child.kill().unwrap();
                self.child.wait().unwrap();
                panic!("it hangs; it showed: {}", self.shown);
            }
            std::thread::park_timeout(Duration::from_millis(5));
        };
        while let Ok(bytes) = self.come.recv_timeout(Duration::from_millis(100)) {
            self.shown += &String::from_utf8_lossy(&bytes);
        }
        let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
        (code, self.shown)
    }
}
