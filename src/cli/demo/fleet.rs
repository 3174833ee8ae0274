//! A throw-away fleet of real `sshd` on loopback: one machine plays many hosts.
//!
//! Every host is one address and port. What logs in there gets a home folder and a PATH of its own by `ForceCommand`,
//! so that a host can have commands of its own (`lsblk`, `uname`). A host may also refuse every login, or take the
//! connection and say nothing. All of it lives in one temporary folder and is gone when the [`Fleet`] is dropped, and
//! also when the program is killed. It listens on 127.0.0.0/8 only, and works for root and for an ordinary user.

mod ports;
mod spec;
mod sshd;

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::deadline::{CancelToken, Deadline, Stop};
use ports::PORT_TRIES;
use sshd::Sshd;

pub use spec::{Behaviour, FakeCommand, HostSpec};

/// One sshd takes this many addresses and no more (`MAX_LISTEN_SOCKS` of OpenSSH).
const ADDRESSES_PER_SERVER: usize = 16;

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
    sshd: Sshd,
    servers: Vec<Child>,
    // Never accepted from: the kernel completes the connection, and nobody answers.
    silent: Vec<(String, TcpListener)>,
    guard: Child,
    dir: tempfile::TempDir,
}

impl Fleet {
    /// Starts the hosts; every one listens when this returns.
    pub fn start(specs: &[HostSpec], deadline: &Deadline) -> Result<Self, FleetError> {
        Self::start_at(specs, &ports::addresses(specs.len()), deadline)
    }

    fn start_at(specs: &[HostSpec], addresses: &[(Ipv4Addr, u16)], deadline: &Deadline) -> Result<Self, FleetError> {
        spec::check_names(specs)?;
        let program = sshd::find()?;
        let user = login_name()?;
        let dir = tempfile::Builder::new()
            .prefix("batchssh-fleet-")
            .tempdir()
            .map_err(io("make a temporary folder"))?;
        let guard = start_guard(dir.path())?;
        let sshd = Sshd::new(program, dir.path().join("etc"), &user);
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
        self.sshd.log()
    }

    /// An INI inventory of the hosts in the group `group`, with everything needed to log in.
    pub fn inventory(&self, group: &str) -> String {
        let mut out = format!("[{group}]\n");
        for host in &self.hosts {
            let (name, ip, port) = (&host.name, host.address.ip(), host.address.port());
            // One machine plays all of them, so root's usual place would be shared.
            let store = host.home.join(".batchssh");
            let _ = writeln!(
                out,
                "{name} ansible_host={ip} ansible_port={port} batchssh_store={}",
                store.display()
            );
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
        let base = ports::free_port(addresses)?;
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
        let logged = self.log().len();
        let server = self.sshd.spawn(self.servers.len(), hosts)?;
        let pid = server.id();
        self.servers.push(server);
        self.tell_guard(&format!("watch {pid}\n"))?;
        match self.servers.last_mut() {
            Some(server) => self.sshd.wait_until_it_listens(server, hosts, logged, deadline),
            None => Ok(()),
        }
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
        reason: format!(
            "ssh-keygen: {}",
            sshd::last_lines(&String::from_utf8_lossy(&out.stderr))
        ),
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

#[cfg(test)]
mod tests;
