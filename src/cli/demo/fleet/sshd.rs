//! One sshd for several hosts: its configuration, and starting it.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{FleetError, Host, io, make_dir, write_file};
use crate::deadline::{Deadline, Stop};
use crate::shell::quote_str;

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

/// The sshd of this machine, and the folder with the keys and configurations of a fleet.
#[derive(Debug)]
pub(super) struct Sshd {
    program: PathBuf,
    etc: PathBuf,
    user: String,
}

impl Sshd {
    pub(super) fn new(program: PathBuf, etc: PathBuf, user: &str) -> Self {
        Self {
            program,
            etc,
            user: user.to_owned(),
        }
    }

    /// What all servers of the fleet logged.
    pub(super) fn log(&self) -> String {
        let log = fs::read(self.etc.join("sshd.log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Starts the server with this number for these hosts. It may not listen yet.
    pub(super) fn spawn(&self, number: usize, hosts: &[Host]) -> Result<Child, FleetError> {
        let config = self.etc.join(format!("sshd_config.{number}"));
        write_file(&config, &self.config(hosts)?, false)?;
        self.add_optional_lines(&config)?;
        // Its mistakes are told at once by the test mode; a running sshd hides them in its log.
        let test = self.test(&config)?;
        if !test.is_empty() {
            return Err(FleetError::Server { reason: test });
        }
        Command::new(&self.program)
            .arg("-D")
            .arg("-f")
            .arg(&config)
            .arg("-E")
            .arg(self.etc.join("sshd.log"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C at the terminal is for the program that uses the fleet.
            .process_group(0)
            .spawn()
            .map_err(io(format!("run {}", self.program.display())))
    }

    /// Waits until the newest server says that it has every address. Its log before `logged` is not its own.
    pub(super) fn wait_until_it_listens(
        &self,
        server: &mut Child,
        hosts: &[Host],
        logged: usize,
        deadline: &Deadline,
    ) -> Result<(), FleetError> {
        let deadline = deadline.within("the start of sshd", Duration::from_secs(20));
        loop {
            let ended = server.try_wait().map_err(io("look after sshd"))?.is_some();
            let log = self.log();
            let news = log.get(logged..).unwrap_or_default();
            // sshd goes on when it got only some of its addresses; another program has the rest.
            if let Some(line) = news.lines().find(|line| line.contains("Bind to port")) {
                return Err(FleetError::Server {
                    reason: line.to_owned(),
                });
            }
            if ended {
                return Err(FleetError::Server {
                    reason: last_lines(news),
                });
            }
            let listens = |host: &Host| {
                let (ip, port) = (host.address.ip(), host.address.port());
                news.contains(&format!("Server listening on {ip} port {port}."))
            };
            if hosts.iter().all(listens) {
                return Ok(());
            }
            deadline.sleep(Duration::from_millis(10)).map_err(|stop| match stop {
                Stop::Cancelled => FleetError::Stopped(stop),
                Stop::TimedOut { .. } => FleetError::Server {
                    reason: format!("{stop}; its log says: {}", last_lines(&self.log())),
                },
            })?;
        }
    }

    fn config(&self, hosts: &[Host]) -> Result<String, FleetError> {
        let login = quote_str(&self.etc.join("login").to_string_lossy());
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
            conf_path(&self.etc.join("host_key"))?
        );
        // With internal-sftp the forced command could not run it: it is no program.
        if let Some(sftp) = SFTP_PATHS.iter().find(|path| Path::new(path).exists()) {
            let _ = writeln!(out, "Subsystem sftp {sftp}");
        }
        for host in hosts {
            let keys = self.etc.join(format!("keys.{}", host.name));
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
            if !self.test(config)?.is_empty() {
                write_file(config, &text, false)?;
            }
        }
        Ok(())
    }

    /// What `sshd -t` has against a configuration; empty: nothing.
    fn test(&self, config: &Path) -> Result<String, FleetError> {
        let test = || {
            Command::new(&self.program)
                .arg("-t")
                .arg("-f")
                .arg(config)
                .stdin(Stdio::null())
                .output()
                .map_err(io(format!("run {}", self.program.display())))
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
}

/// The sshd of this machine, by its absolute path: it runs itself again for each connection and wants that.
pub(super) fn find() -> Result<PathBuf, FleetError> {
    let missing = FleetError::Missing {
        program: "sshd",
        package: "openssh-server",
    };
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

/// Whether the account is locked in `/etc/shadow`.
fn is_locked(user: &str) -> bool {
    fs::read_to_string("/etc/shadow").is_ok_and(|shadow| {
        shadow
            .lines()
            .filter_map(|line| line.strip_prefix(user)?.strip_prefix(':'))
            .any(|rest| rest.starts_with('!'))
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

/// The end of a log, on one line.
pub(super) fn last_lines(log: &str) -> String {
    let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    let tail = lines.get(lines.len().saturating_sub(3)..).unwrap_or_default();
    if tail.is_empty() {
        return "it said nothing".into();
    }
    tail.iter().map(|line| line.trim()).collect::<Vec<_>>().join("; ")
}
