//! An operator's desk: a fleet of hosts, a folder with an inventory, and a shell that knows nothing else.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use batchssh::cli::demo::fleet::{Fleet, HostSpec};
use batchssh::deadline::{CancelToken, Deadline};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Longer than this no command takes; one that hangs fails its test and does not stop the suite.
const LIMIT: Duration = Duration::from_secs(60);

/// A fleet, and the folder commands are given in. Everything of it lies in the folder of the fleet.
pub struct Desk {
    pub fleet: Fleet,
    pub dir: PathBuf,
}

/// A deadline for starting things.
pub fn soon() -> Deadline {
    Deadline::none(CancelToken::new()).within("the fleet", Duration::from_secs(40))
}

impl Desk {
    /// Hosts that work.
    pub fn hosts(names: &[&str]) -> Self {
        let specs: Vec<HostSpec> = names.iter().map(|name| HostSpec::new(*name)).collect();
        Self::new(&specs)
    }

    /// These hosts, all in the group `web` of `hosts.ini`.
    pub fn new(specs: &[HostSpec]) -> Self {
        let fleet = Fleet::start(specs, &soon()).unwrap_or_else(|error| panic!("{error}"));
        let dir = fleet.dir().join("desk");
        for part in ["", "home", "state", "tmp"] {
            std::fs::create_dir_all(dir.join(part)).unwrap();
        }
        let desk = Self { fleet, dir };
        desk.write("hosts.ini", &desk.fleet.inventory("web"));
        desk
    }

    /// A file of the desk.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Writes a file, its folders included.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Reads a file.
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The home folder of a host.
    pub fn home(&self, host: &str) -> PathBuf {
        self.fleet.host(host).unwrap().home.clone()
    }

    /// A file in the home folder of a host; empty when there is none.
    pub fn host_file(&self, host: &str, name: &str) -> String {
        std::fs::read_to_string(self.home(host).join(name)).unwrap_or_default()
    }

    /// From now on the commands that hosts are sent are counted.
    pub fn count_exchanges(&self) {
        let login = self.fleet.dir().join("etc/login");
        let text = std::fs::read_to_string(&login).unwrap();
        let line = "\nif [ -n \"${SSH_ORIGINAL_COMMAND:-}\" ]; then\n    echo x >>\"$root/exchanges.$HOST_OF_FLEET\"";
        let counted = text.replacen("\nHOME=", "\nHOST_OF_FLEET=$1\nHOME=", 1).replacen(
            "\nif [ -n \"${SSH_ORIGINAL_COMMAND:-}\" ]; then",
            line,
            1,
        );
        assert_eq!(counted.matches("HOST_OF_FLEET").count(), 2, "{text}");
        std::fs::write(login, counted).unwrap();
    }

    /// How many commands a host was sent since.
    pub fn exchanges(&self, host: &str) -> usize {
        let path = self.fleet.dir().join(format!("exchanges.{host}"));
        std::fs::read_to_string(path).unwrap_or_default().lines().count()
    }

    /// `batchssh` with these words, split at blanks; more are added with [`Cmd::arg`].
    pub fn cmd(&self, words: &str) -> Cmd {
        let mut command = Command::new(env!("CARGO_BIN_EXE_batchssh"));
        command
            .args(words.split_whitespace())
            .current_dir(&self.dir)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
            .env("HOME", self.path("home"))
            .env("XDG_STATE_HOME", self.path("state"))
            .env("TMPDIR", self.path("tmp"))
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Cmd { command }
    }

    /// The folder of the newest run; the runs are told apart by the journals' times.
    pub fn runs(&self) -> Vec<PathBuf> {
        let mut runs: Vec<PathBuf> = std::fs::read_dir(self.path("state/batchssh/runs"))
            .map(|entries| {
                entries
                    .map(|entry| entry.unwrap().path())
                    .filter(|path| path.is_dir())
                    .collect()
            })
            .unwrap_or_default();
        runs.sort();
        runs
    }

    /// The journal of the only run.
    pub fn journal(&self) -> String {
        let runs = self.runs();
        assert_eq!(runs.len(), 1, "{runs:?}");
        std::fs::read_to_string(runs[0].join("journal.ndjson")).unwrap()
    }

    /// A text without what differs between two runs of the tests: folders and the port.
    pub fn plain(&self, text: &str) -> String {
        let mut text = text
            .replace(self.dir.to_str().unwrap(), "DESK")
            .replace(self.fleet.dir().to_str().unwrap(), "FLEET")
            .replace(&format!("`{}`", self.fleet.user()), "`USER`");
        for host in self.fleet.hosts() {
            text = text.replace(&host.address.to_string(), &format!("{}:PORT", host.name));
        }
        text
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        // Directories without the right to write cannot be emptied by their owner.
        let open = Command::new("chmod")
            .args(["-R", "u+rwX"])
            .arg(self.fleet.dir())
            .output();
        drop(open);
    }
}

/// A command about to be run.
pub struct Cmd {
    pub command: Command,
}

impl Cmd {
    /// One more word, as it is.
    pub fn arg(mut self, word: impl AsRef<OsStr>) -> Self {
        self.command.arg(word);
        self
    }

    /// Further words, split at blanks.
    pub fn args(mut self, words: &str) -> Self {
        self.command.args(words.split_whitespace());
        self
    }

    /// The same command, run by another program (`strace -f`, `sh -c '… exec "$@"' sh`) in the same surroundings.
    pub fn under(self, program: &str, words: &[&str]) -> Self {
        let plain = self.command;
        let mut command = Command::new(program);
        command.args(words).arg(plain.get_program()).args(plain.get_args());
        if let Some(dir) = plain.get_current_dir() {
            command.current_dir(dir);
        }
        command.env_clear();
        for (key, value) in plain.get_envs() {
            command.env(key, value.unwrap_or_default());
        }
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Self { command }
    }

    /// Runs it to its end.
    pub fn run(self) -> Ran {
        self.spawn().end()
    }

    /// Starts it.
    pub fn spawn(mut self) -> Running {
        let line = format!("{:?}", self.command);
        let mut child = self.command.spawn().unwrap();
        let mut err = child.stderr.take().unwrap();
        let err = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            err.read_to_end(&mut bytes).unwrap();
            bytes
        });
        Running {
            line,
            out: child.stdout.take().map(BufReader::new),
            child,
            err,
        }
    }
}

/// A command that runs.
pub struct Running {
    line: String,
    child: Child,
    out: Option<BufReader<ChildStdout>>,
    err: JoinHandle<Vec<u8>>,
}

impl Running {
    /// The next line of its output.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.as_mut().unwrap().read_line(&mut line).unwrap();
        line
    }

    /// Closes the reading end of its output.
    pub fn close_output(&mut self) {
        self.out = None;
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Waits until a signal has ended it.
    pub fn killed(mut self) {
        let status = self.child.wait().unwrap();
        assert!(status.signal().is_some(), "{} ended by itself: {status}", self.line);
    }

    /// The same, or it had ended before the signal came.
    pub fn killed_or_ended(mut self) {
        self.child.wait().unwrap();
    }

    /// What it prints.
    pub fn output(&mut self) -> &mut BufReader<ChildStdout> {
        self.out.as_mut().unwrap()
    }

    /// True while it runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Finds out the most memory that it had at once, KiB, until it ends.
    pub fn peak(&self) -> JoinHandle<u64> {
        let status = format!("/proc/{}/status", self.child.id());
        std::thread::spawn(move || {
            let mut most = 0;
            while let Ok(text) = std::fs::read_to_string(&status) {
                let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
                let Some(line) = line else { break };
                most = line.trim().trim_end_matches(" kB").parse().unwrap_or(0).max(most);
                pause();
            }
            most
        })
    }

    /// Waits for its end and reads what it printed.
    pub fn end(mut self) -> Ran {
        let mut out = self.out.take().unwrap();
        let reader = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            out.read_to_end(&mut bytes).unwrap();
            bytes
        });
        let mut ran = self.wait();
        ran.out = String::from_utf8(reader.join().unwrap()).unwrap();
        ran
    }

    /// Waits for its end, also by a signal. What it still prints is not looked at.
    pub fn end_anyhow(mut self) {
        let out = self.out.take();
        let reader = std::thread::spawn(move || out.map(|mut out| out.read_to_end(&mut Vec::new())));
        self.child.wait().unwrap();
        let _ = reader.join();
        let _ = self.err.join();
    }

    /// Waits for its end. What it still prints is not read.
    pub fn wait(mut self) -> Ran {
        let until = Instant::now() + LIMIT;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if Instant::now() > until {
                self.child.kill().unwrap();
                self.child.wait().unwrap();
                let err = String::from_utf8_lossy(&self.err.join().unwrap()).into_owned();
                panic!("{} hangs\n{err}", self.line);
            }
            pause();
        };
        Ran {
            code: code(status),
            out: String::new(),
            err: String::from_utf8(self.err.join().unwrap()).unwrap(),
            line: self.line,
        }
    }
}

fn code(status: ExitStatus) -> i32 {
    status
        .code()
        .unwrap_or_else(|| panic!("killed by signal {:?}", status.signal()))
}

/// A short while.
pub fn pause() {
    std::thread::park_timeout(Duration::from_millis(10));
}

/// Waits until something is so.
pub fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < until, "waited too long for {what}");
        pause();
    }
}

/// What a command came to.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
    line: String,
}

impl Ran {
    /// It ended with this code.
    #[track_caller]
    pub fn code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}\n{}\n{}", self.line, self.out, self.err);
        self
    }

    /// It succeeded and had nothing to complain about.
    #[track_caller]
    pub fn well(self) -> Self {
        let ran = self.code(0);
        assert_eq!(ran.err, "", "{}", ran.line);
        ran
    }

    /// The events of `--output json`.
    #[track_caller]
    pub fn events(&self) -> Vec<Value> {
        events(&self.out)
    }

    /// `host status` of every result of `--output json`, sorted.
    #[track_caller]
    pub fn results(&self) -> Vec<String> {
        let mut results: Vec<String> = self
            .events()
            .iter()
            .filter(|event| event["event"] == "task_result")
            .map(|event| format!("{} {}", text(&event["host"]), text(&event["status"])))
            .collect();
        results.sort();
        results
    }
}

/// Lines of JSON.
#[track_caller]
pub fn events(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// A value that is a text.
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Lines in another order are the same lines.
pub fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

/// Permissions of a file.
pub fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

/// The verdict of a host, from `--output json`.
#[track_caller]
pub fn status_of(ran: &Ran, host: &str) -> String {
    let events = ran.events();
    let done: Vec<&Value> = events
        .iter()
        .filter(|event| event["event"] == "host_done" && event["host"] == host)
        .collect();
    assert_eq!(done.len(), 1, "{host}: {done:?}");
    text(&done[0]["status"]).to_owned()
}
