//! A throw-away fleet of real `sshd` on loopback: one machine plays many hosts.
//!
//! Every host is one address and port. What logs in there gets a home folder and a PATH of its own by `ForceCommand`,
//! so that a host can have commands of its own (`lsblk`, `uname`). A host may also refuse every login, or take the
//! connection and say nothing. All of it lives in one temporary folder and is gone when the [`Fleet`] is dropped, and
//! also when the program is killed. It listens on 127.0.0.0/8 only, and works for root and for an ordinary user.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::deadline::{CancelToken, Deadline, Stop};
use crate::shell::quote_str;

/// One sshd takes this many addresses and no more (`MAX_LISTEN_SOCKS` of OpenSSH).
const ADDRESSES_PER_SERVER: usize = 16;
/// How many ports are tried before giving up.
const PORT_TRIES: usize = 20;
/// Where sshd is when `PATH` does not have it, as for ordinary users.
const SSHD_PATHS: &[&str] = &[
    "/usr/sbin/sshd",
    "/usr/local/sbin/sshd",
    "/sbin/sshd",
    "/usr/bin/sshd",
    "/opt/homebrew/sbin/sshd",
    "/run/current-system/sw/bin/sshd",
];
/// Where the systems keep the SFTP server.
const SFTP_PATHS: &[&str] = &[
    "/usr/lib/openssh/sftp-server",
    "/usr/libexec/openssh/sftp-server",
    "/usr/lib/ssh/sftp-server",
    "/usr/libexec/sftp-server",
    "/usr/lib/misc/sftp-server",
    "/opt/homebrew/libexec/sftp-server",
    "/run/current-system/sw/libexec/sftp-server",
];

/// Why a fleet did not start. The text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// A program is not on this machine.
    #[error("`{program}` is not on this machine: install {package} (scripts/demo does it where apt is)")]
    Missing {
        /// The program.
        program: &'static str,
        /// What brings it.
        package: &'static str,
    },
    /// sshd does not want to run.
    #[error("sshd did not start: {reason}")]
    Server {
        /// Its own words, or what was waited for.
        reason: String,
    },
    /// A host was asked for wrongly.
    #[error("{0}")]
    Host(String),
    /// Files or sockets.
    #[error("cannot {what}: {error}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// It took too long, or the user stopped it.
    #[error(transparent)]
    Stopped(#[from] Stop),
}

fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> FleetError {
    let what = what.into();
    move |error| FleetError::Io { what, error }
}

/// How a host treats those who come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Lets them in.
    Works,
    /// Speaks SSH and refuses the login.
    RefusesLogin,
    /// Takes the connection and never says a word.
    NeverAnswers,
}

/// A file in the folder that stands first in a host's `PATH`.
#[derive(Clone, Debug)]
pub struct FakeCommand {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub text: String,
    /// Whether it can be run.
    pub executable: bool,
}

impl FakeCommand {
    /// A script that stands for a program.
    pub fn program(name: &str, text: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            text: text.into(),
            executable: true,
        }
    }

    /// A file that such a script reads: it is in the same folder.
    pub fn data(name: &str, text: impl Into<String>) -> Self {
        Self {
            executable: false,
            ..Self::program(name, text)
        }
    }
}

/// What a host is to be.
#[derive(Clone, Debug)]
pub struct HostSpec {
    /// Its inventory name: letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// How it treats those who come.
    pub behaviour: Behaviour,
    /// Commands of its own.
    pub commands: Vec<FakeCommand>,
}

impl HostSpec {
    /// A host that works and has no commands of its own.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            behaviour: Behaviour::Works,
            commands: Vec::new(),
        }
    }

    /// The same host with another behaviour.
    #[must_use]
    pub fn behaving(mut self, behaviour: Behaviour) -> Self {
        self.behaviour = behaviour;
        self
    }

    /// The same host with these commands.
    #[must_use]
    pub fn with_commands(mut self, commands: Vec<FakeCommand>) -> Self {
        self.commands = commands;
        self
    }
}

/// A host that was started.
#[derive(Clone, Debug)]
pub struct Host {
    /// Its inventory name.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddrV4,
    /// Its home folder on this machine.
    pub home: PathBuf,
    /// How it treats those who come now.
    pub behaviour: Behaviour,
}

/// The running fleet. Dropping it ends every server and removes every file.
#[derive(Debug)]
pub struct Fleet {
    hosts: Vec<Host>,
    user: String,
    sshd: PathBuf,
    servers: Vec<Child>,
    // Never accepted from: the kernel completes the connection, and nobody answers.
    silent: Vec<(String, TcpListener)>,
    guard: Child,
    dir: tempfile::TempDir,
}

impl Fleet {
    /// Starts the hosts; every one listens when this returns.
    pub fn start(specs: &[HostSpec], deadline: &Deadline) -> Result<Self, FleetError> {
        Self::start_at(specs, &addresses(specs.len()), deadline)
    }

    fn start_at(specs: &[HostSpec], addresses: &[(Ipv4Addr, u16)], deadline: &Deadline) -> Result<Self, FleetError> {
        check_names(specs)?;
        let sshd = find_sshd()?;
        let user = login_name()?;
        let dir = tempfile::Builder::new()
            .prefix("batchssh-fleet-")
            .tempdir()
            .map_err(io("make a temporary folder"))?;
        let guard = start_guard(dir.path())?;
        let mut fleet = Self {
            hosts: Vec::new(),
            user,
            sshd,
            servers: Vec::new(),
            silent: Vec::new(),
            guard,
            dir,
        };
        fleet.write_files(specs)?;
        for _ in 0..PORT_TRIES {
            deadline.remaining()?;
            match fleet.try_start(specs, addresses, deadline) {
                Err(FleetError::Server { reason }) if reason.contains("in use") => fleet.stop_servers(),
                other => return other.map(|()| fleet),
            }
        }
        Err(FleetError::Server {
            reason: format!("no free port was found in {PORT_TRIES} tries"),
        })
    }

    /// The hosts, in the order they were asked for.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// The host with this name.
    pub fn host(&self, name: &str) -> Option<&Host> {
        self.hosts.iter().find(|host| host.name == name)
    }

    /// The folder all of it lives in. A caller may put files of its own there; they go with the fleet.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The login name on every host: the user this program runs as.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The private key that opens every host.
    pub fn key_file(&self) -> PathBuf {
        self.etc("client_key")
    }

    /// A known_hosts file with the keys of all hosts.
    pub fn known_hosts_file(&self) -> PathBuf {
        self.etc("known_hosts")
    }

    /// What the servers logged.
    pub fn log(&self) -> String {
        fs::read(self.etc("sshd.log")).map_or_else(|_| String::new(), |log| String::from_utf8_lossy(&log).into_owned())
    }

    /// An INI inventory of the hosts in the group `group`, with everything needed to log in.
    pub fn inventory(&self, group: &str) -> String {
        let mut out = format!("[{group}]\n");
        for host in &self.hosts {
            let (name, ip, port) = (&host.name, host.address.ip(), host.address.port());
            let _ = writeln!(out, "{name} ansible_host={ip} ansible_port={port}");
        }
        let _ = write!(
            out,
            "\n[{group}:vars]\nansible_user={}\nansible_ssh_private_key_file={}\nansible_ssh_common_args='-o UserKnownHostsFile={}'\n",
            self.user,
            self.key_file().display(),
            self.known_hosts_file().display(),
        );
        out
    }

    /// Makes a host that refused or was silent work, as an operator would between two runs.
    pub fn repair(&mut self, name: &str, deadline: &Deadline) -> Result<(), FleetError> {
        let index = self
            .hosts
            .iter()
            .position(|host| host.name == name)
            .ok_or_else(|| FleetError::Host(format!("no host `{name}` in the fleet")))?;
        let host = self.hosts[index].clone();
        match host.behaviour {
            Behaviour::Works => return Ok(()),
            Behaviour::RefusesLogin => {}
            Behaviour::NeverAnswers => {
                self.silent.retain(|(silent, _)| *silent != host.name);
                self.start_server(std::slice::from_ref(&host), deadline)?;
            }
        }
        let keys = self.etc(&format!("keys.{name}"));
        fs::copy(self.etc("client_key.pub"), &keys).map_err(io(format!("write {}", keys.display())))?;
        self.hosts[index].behaviour = Behaviour::Works;
        Ok(())
    }

    fn etc(&self, name: &str) -> PathBuf {
        self.dir.path().join("etc").join(name)
    }

    /// The files that do not depend on the port.
    fn write_files(&self, specs: &[HostSpec]) -> Result<(), FleetError> {
        let root = self.dir.path();
        for part in ["etc", "hosts", "bin"] {
            make_dir(&root.join(part))?;
        }
        for key in ["host_key", "client_key"] {
            make_key(&self.etc(key))?;
        }
        write_file(&self.etc("login"), include_str!("files/login.sh"), true)?;
        let public = self.etc("client_key.pub");
        for spec in specs {
            make_dir(&root.join("hosts").join(&spec.name))?;
            let bin = root.join("bin").join(&spec.name);
            make_dir(&bin)?;
            for command in &spec.commands {
                write_file(&bin.join(&command.name), &command.text, command.executable)?;
            }
            if spec.behaviour == Behaviour::Works {
                let keys = self.etc(&format!("keys.{}", spec.name));
                fs::copy(&public, &keys).map_err(io(format!("write {}", keys.display())))?;
            }
        }
        Ok(())
    }

    fn try_start(
        &mut self,
        specs: &[HostSpec],
        addresses: &[(Ipv4Addr, u16)],
        deadline: &Deadline,
    ) -> Result<(), FleetError> {
        let base = free_port(addresses)?;
        self.hosts = specs
            .iter()
            .zip(addresses)
            .map(|(spec, &(ip, offset))| Host {
                name: spec.name.clone(),
                address: SocketAddrV4::new(ip, base.saturating_add(offset)),
                home: self.dir.path().join("hosts").join(&spec.name),
                behaviour: spec.behaviour,
            })
            .collect();
        self.write_known_hosts()?;
        let (silent, speaking): (Vec<Host>, Vec<Host>) = self
            .hosts
            .iter()
            .cloned()
            .partition(|host| host.behaviour == Behaviour::NeverAnswers);
        for host in silent {
            let listener = TcpListener::bind(host.address).map_err(|error| FleetError::Server {
                reason: format!("{} is in use: {error}", host.address),
            })?;
            self.silent.push((host.name, listener));
        }
        for hosts in speaking.chunks(ADDRESSES_PER_SERVER) {
            self.start_server(hosts, deadline)?;
        }
        Ok(())
    }

    fn write_known_hosts(&self) -> Result<(), FleetError> {
        let path = self.etc("host_key.pub");
        let public = fs::read_to_string(&path).map_err(io(format!("read {}", path.display())))?;
        let key: Vec<&str> = public.split_whitespace().take(2).collect();
        let key = key.join(" ");
        let mut text = String::new();
        for host in &self.hosts {
            let _ = writeln!(text, "[{}]:{} {key}", host.address.ip(), host.address.port());
        }
        write_file(&self.known_hosts_file(), &text, false)
    }

    /// Starts one sshd for up to [`ADDRESSES_PER_SERVER`] hosts and waits until it listens.
    fn start_server(&mut self, hosts: &[Host], deadline: &Deadline) -> Result<(), FleetError> {
        let number = self.servers.len();
        let config = self.etc(&format!("sshd_config.{number}"));
        write_file(&config, &self.config(hosts)?, false)?;
        self.add_optional_lines(&config)?;
        // Its mistakes are told at once by the test mode; a running sshd hides them in its log.
        let test = self.sshd_test(&config)?;
        if !test.is_empty() {
            return Err(FleetError::Server { reason: test });
        }
        let logged = self.log().len();
        let server = Command::new(&self.sshd)
            .arg("-D")
            .arg("-f")
            .arg(&config)
            .arg("-E")
            .arg(self.etc("sshd.log"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C at the terminal is for the program that uses the fleet.
            .process_group(0)
            .spawn()
            .map_err(io(format!("run {}", self.sshd.display())))?;
        let pid = server.id();
        self.servers.push(server);
        self.tell_guard(&format!("watch {pid}\n"))?;
        let deadline = deadline.within("the start of sshd", Duration::from_secs(20));
        for host in hosts {
            while TcpStream::connect_timeout(&host.address.into(), Duration::from_secs(1)).is_err() {
                self.must_run(logged)?;
                deadline.sleep(Duration::from_millis(20)).map_err(|stop| match stop {
                    Stop::Cancelled => FleetError::Stopped(stop),
                    Stop::TimedOut { .. } => FleetError::Server {
                        reason: format!("{stop}; its log says: {}", last_lines(&self.log())),
                    },
                })?;
            }
        }
        // sshd goes on when it got only some of its addresses; another program may have the rest.
        self.must_run(logged)
    }

    /// An error when the newest server has ended or did not get all its addresses.
    fn must_run(&mut self, logged: usize) -> Result<(), FleetError> {
        let log = self.log();
        let news = log.get(logged..).unwrap_or_default();
        let ended = match self.servers.last_mut() {
            Some(server) => server.try_wait().map_err(io("look after sshd"))?.is_some(),
            None => true,
        };
        if ended || news.contains("Bind to port") || news.contains("Cannot bind") {
            return Err(FleetError::Server {
                reason: last_lines(news),
            });
        }
        Ok(())
    }

    fn config(&self, hosts: &[Host]) -> Result<String, FleetError> {
        let login = quote_str(&self.etc("login").to_string_lossy());
        let mut out = String::new();
        for host in hosts {
            let _ = writeln!(out, "ListenAddress {}", host.address);
        }
        let pam = if rustix::process::geteuid().is_root() && is_locked(&self.user) {
            // A locked account is let in by PAM only.
            "yes"
        } else {
            "no"
        };
        let _ = write!(
            out,
            "HostKey {}\n\
             PidFile none\n\
             AuthorizedKeysFile none\n\
             StrictModes no\n\
             UsePAM {pam}\n\
             PasswordAuthentication no\n\
             ChallengeResponseAuthentication no\n\
             PermitRootLogin without-password\n\
             PermitUserEnvironment no\n\
             PrintMotd no\n\
             PrintLastLog no\n\
             UseDNS no\n\
             X11Forwarding no\n\
             LogLevel INFO\n\
             MaxStartups 1000\n\
             MaxSessions 100\n",
            conf_path(&self.etc("host_key"))?
        );
        // With internal-sftp the forced command could not run it: it is no program.
        if let Some(sftp) = SFTP_PATHS.iter().find(|path| Path::new(path).exists()) {
            let _ = writeln!(out, "Subsystem sftp {sftp}");
        }
        for host in hosts {
            let keys = self.etc(&format!("keys.{}", host.name));
            let _ = write!(
                out,
                "Match LocalAddress {} LocalPort {}\n    AuthorizedKeysFile {}\n    ForceCommand {login} {}\n",
                host.address.ip(),
                host.address.port(),
                conf_path(&keys)?,
                host.name,
            );
        }
        Ok(out)
    }

    /// Adds the lines that not every version of sshd knows.
    fn add_optional_lines(&self, config: &Path) -> Result<(), FleetError> {
        // SHLVL keeps a bash from reading the user's .bashrc; the penalties would shut out a client with many
        // connections.
        for line in ["SetEnv SHLVL=2", "PerSourcePenalties no"] {
            let text = fs::read_to_string(config).map_err(io(format!("read {}", config.display())))?;
            // In front: after a Match line it would belong to that block.
            write_file(config, &format!("{line}\n{text}"), false)?;
            if !self.sshd_test(config)?.is_empty() {
                write_file(config, &text, false)?;
            }
        }
        Ok(())
    }

    /// What `sshd -t` has against a configuration; empty: nothing.
    fn sshd_test(&self, config: &Path) -> Result<String, FleetError> {
        let test = || {
            Command::new(&self.sshd)
                .arg("-t")
                .arg("-f")
                .arg(config)
                .stdin(Stdio::null())
                .output()
                .map_err(io(format!("run {}", self.sshd.display())))
        };
        let mut out = test()?;
        let text = String::from_utf8_lossy(&out.stderr).into_owned();
        // The folder is made by the service that nobody starts here.
        if let Some((_, folder)) = text.split_once("Missing privilege separation directory: ") {
            make_dir(Path::new(folder.trim()))?;
            out = test()?;
        }
        if out.status.success() {
            return Ok(String::new());
        }
        Ok(last_lines(&String::from_utf8_lossy(&out.stderr)))
    }

    fn tell_guard(&mut self, line: &str) -> Result<(), FleetError> {
        match self.guard.stdin.as_mut() {
            Some(pipe) => pipe
                .write_all(line.as_bytes())
                .map_err(io("tell the guard of the fleet")),
            None => Ok(()),
        }
    }

    fn stop_servers(&mut self) {
        self.silent.clear();
        for server in &self.servers {
            if let Some(pid) = i32::try_from(server.id()).ok().and_then(Pid::from_raw) {
                let _ = kill_process(pid, Signal::TERM);
            }
        }
        let deadline = Deadline::none(CancelToken::new()).within("the end of sshd", Duration::from_secs(2));
        for mut server in self.servers.drain(..) {
            while matches!(server.try_wait(), Ok(None)) {
                if deadline.sleep(Duration::from_millis(10)).is_err() {
                    let _ = server.kill();
                    let _ = server.wait();
                    break;
                }
            }
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.stop_servers();
        let _ = self.tell_guard("stop\n");
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
        // The folder goes with its own drop, after this.
    }
}

/// Starts the shell that cleans up when this program is killed.
fn start_guard(dir: &Path) -> Result<Child, FleetError> {
    Command::new("sh")
        .arg("-c")
        .arg(include_str!("files/guard.sh"))
        .arg("batchssh-fleet-guard")
        .arg(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(io("run sh"))
}

/// Names become parts of paths and of shell text.
fn check_names(specs: &[HostSpec]) -> Result<(), FleetError> {
    for (i, spec) in specs.iter().enumerate() {
        let name = &spec.name;
        let fine = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || name.starts_with(['.', '-']) || !name.chars().all(fine) {
            return Err(FleetError::Host(format!(
                "`{name}` cannot be the name of a host: use letters, digits, `-`, `_` and `.`"
            )));
        }
        if specs.iter().take(i).any(|other| other.name == *name) {
            return Err(FleetError::Host(format!("two hosts are called `{name}`")));
        }
    }
    Ok(())
}

fn find_sshd() -> Result<PathBuf, FleetError> {
    let missing = FleetError::Missing {
        program: "sshd",
        package: "openssh-server",
    };
    // sshd runs itself again for each connection and wants its absolute path.
    let found = Command::new("sh")
        .args(["-c", "command -v sshd"])
        .stdin(Stdio::null())
        .output()
        .map_err(io("run sh"))?;
    let found = PathBuf::from(String::from_utf8_lossy(&found.stdout).trim());
    if found.is_absolute() {
        return Ok(found);
    }
    SSHD_PATHS
        .iter()
        .map(PathBuf::from)
        .find(|path| path.exists())
        .ok_or(missing)
}

fn login_name() -> Result<String, FleetError> {
    let out = Command::new("id")
        .arg("-un")
        .stdin(Stdio::null())
        .output()
        .map_err(io("run id"))?;
    let name = String::from_utf8_lossy(&out.stdout).trim().to_owned();
    if !out.status.success() || name.is_empty() {
        return Err(FleetError::Host(
            "the user who runs this has no name in the user database: sshd lets nobody in without one".into(),
        ));
    }
    Ok(name)
}

/// Whether the account is locked in `/etc/shadow`.
fn is_locked(user: &str) -> bool {
    fs::read_to_string("/etc/shadow").is_ok_and(|shadow| {
        shadow
            .lines()
            .filter_map(|line| line.strip_prefix(user)?.strip_prefix(':'))
            .any(|rest| rest.starts_with('!'))
    })
}

/// An address for each host, and what to add to the port: 127.0.77.N where the whole of 127.0.0.0/8 is loopback
/// (Linux), else 127.0.0.1 with a port for each.
fn addresses(count: usize) -> Vec<(Ipv4Addr, u16)> {
    let whole = TcpListener::bind((Ipv4Addr::new(127, 0, 77, 1), 0)).is_ok();
    (0..u16::try_from(count).unwrap_or(u16::MAX))
        .map(|i| {
            let [block, last] = [i / 250, i % 250 + 1].map(|part| u8::try_from(part).unwrap_or(u8::MAX));
            if whole {
                (Ipv4Addr::new(127, 0, 77_u8.saturating_add(block), last), 0)
            } else {
                (Ipv4Addr::LOCALHOST, i)
            }
        })
        .collect()
}

/// A port that is free at every address now.
fn free_port(addresses: &[(Ipv4Addr, u16)]) -> Result<u16, FleetError> {
    for _ in 0..PORT_TRIES {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|listener| listener.local_addr())
            .map_err(io("find a free port"))?
            .port();
        let free = |&(ip, offset): &(Ipv4Addr, u16)| {
            port.checked_add(offset)
                .is_some_and(|port| TcpListener::bind((ip, port)).is_ok())
        };
        if addresses.iter().all(free) {
            return Ok(port);
        }
    }
    Err(FleetError::Server {
        reason: format!("no port is free at all {} addresses", addresses.len()),
    })
}

/// A path as one word of sshd_config.
fn conf_path(path: &Path) -> Result<String, FleetError> {
    let text = path.to_string_lossy();
    if text.contains(['"', '\'', '\\', '%']) || text.contains(char::is_whitespace) {
        return Err(FleetError::Host(format!(
            "the temporary folder `{text}` has white space, a quote, `\\` or `%` in its name, which sshd does not take: set TMPDIR"
        )));
    }
    Ok(format!("\"{text}\""))
}

fn make_key(path: &Path) -> Result<(), FleetError> {
    let out = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "batchssh-fleet", "-f"])
        .arg(path)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => FleetError::Missing {
                program: "ssh-keygen",
                package: "openssh-client",
            },
            _ => io("run ssh-keygen")(error),
        })?;
    if out.status.success() {
        return Ok(());
    }
    Err(FleetError::Server {
        reason: format!("ssh-keygen: {}", last_lines(&String::from_utf8_lossy(&out.stderr))),
    })
}

fn make_dir(path: &Path) -> Result<(), FleetError> {
    fs::create_dir_all(path).map_err(io(format!("make {}", path.display())))
}

fn write_file(path: &Path, text: &str, executable: bool) -> Result<(), FleetError> {
    let mode = if executable { 0o755 } else { 0o644 };
    fs::write(path, text)
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(mode)))
        .map_err(io(format!("write {}", path.display())))
}

/// The end of a log, on one line.
fn last_lines(log: &str) -> String {
    let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    let tail = lines.get(lines.len().saturating_sub(3)..).unwrap_or_default();
    if tail.is_empty() {
        return "it said nothing".into();
    }
    tail.iter().map(|line| line.trim()).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests;
