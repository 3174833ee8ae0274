//! A real OpenSSH server on loopback with its own directory, keys and configuration; killed when dropped.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

/// One server.
pub struct Sshd {
    /// Its directory: keys, configuration, log.
    pub dir: tempfile::TempDir,
    /// Its address, in 127.0.0.0/8.
    pub address: String,
    /// Its port.
    pub port: u16,
    child: Child,
}

/// How to start one.
#[derive(Default)]
pub struct Options<'a> {
    /// Further lines for sshd_config.
    pub config: &'a str,
    /// Types of host keys; ed25519 when empty.
    pub host_keys: &'a [&'a str],
    /// The server has no SFTP.
    pub no_sftp: bool,
}

/// A program this test needs; says how to get it when it is missing.
pub fn program(name: &str, package: &str) -> PathBuf {
    [
        "/usr/sbin",
        "/usr/bin",
        "/sbin",
        "/bin",
        "/usr/local/bin",
        "/usr/local/sbin",
    ]
    .iter()
    .map(|dir| Path::new(dir).join(name))
    .find(|path| path.exists())
    .unwrap_or_else(|| panic!("this test needs `{name}`: install {package}"))
}

/// Makes a key pair.
pub fn key(path: &Path, kind: &str, passphrase: &str) {
    let done = Command::new(program("ssh-keygen", "openssh-client"))
        .args(["-q", "-t", kind, "-N", passphrase, "-C", "test", "-a", "4", "-f"])
        .arg(path)
        .status()
        .expect("ssh-keygen starts");
    assert!(done.success());
}

fn free_port(address: &str) -> u16 {
    let listener = TcpListener::bind((address, 0)).expect("a free port on loopback");
    listener.local_addr().expect("it is bound").port()
}

impl Sshd {
    /// Starts a server and waits until it listens. The user key is `id` in its directory.
    pub fn start(options: &Options<'_>) -> Self {
        static NEXT: AtomicU8 = AtomicU8::new(1);
        let address = format!("127.0.{}.{}", 71, NEXT.fetch_add(1, Ordering::Relaxed));
        let dir = tempfile::tempdir().expect("a directory for the server");
        let path = dir.path();
        let port = free_port(&address);
        key(&path.join("id"), "ed25519", "");
        std::fs::copy(path.join("id.pub"), path.join("authorized_keys")).expect("the key is copied");
        let kinds = if options.host_keys.is_empty() {
            &["ed25519"][..]
        } else {
            options.host_keys
        };
        let mut text = format!(
            "ListenAddress {address}:{port}\nPidFile none\nAuthorizedKeysFile {0}/authorized_keys\nStrictModes no\n\
             UsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nMaxSessions 30\n\
             MaxStartups 200\nPermitRootLogin yes\nLogLevel VERBOSE\n",
            path.display()
        );
        if !options.no_sftp {
            text.push_str("Subsystem sftp internal-sftp\n");
        }
        for kind in kinds {
            let file = path.join(format!("host_{kind}"));
            key(&file, kind, "");
            text = format!("{text}HostKey {}\n", file.display());
        }
        text.push_str(options.config);
        text.push('\n');
        std::fs::write(path.join("sshd_config"), text).expect("the configuration is written");
        let _ = std::fs::create_dir_all("/run/sshd");
        let log = std::fs::File::create(path.join("log")).expect("a log file");
        let child = Command::new(program("sshd", "openssh-server"))
            .args(["-D", "-e", "-f"])
            .arg(path.join("sshd_config"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("sshd starts");
        let mut sshd = Self {
            dir,
            address,
            port,
            child,
        };
        let until = Instant::now() + Duration::from_secs(20);
        while std::net::TcpStream::connect((sshd.address.as_str(), sshd.port)).is_err() {
            let ended = sshd.child.try_wait().expect("sshd can be asked");
            assert!(
                ended.is_none() && Instant::now() < until,
                "sshd does not listen: {}",
                sshd.log()
            );
            std::thread::park_timeout(Duration::from_millis(20));
        }
        std::fs::write(sshd.path("known_hosts"), sshd.known_hosts_lines()).expect("known_hosts is written");
        sshd
    }

    /// A file in its directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// What it logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its host keys as known_hosts has them.
    pub fn known_hosts_lines(&self) -> String {
        let mut lines = String::new();
        for entry in std::fs::read_dir(self.dir.path()).expect("its directory").flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with("host_") && entry.path().extension().is_some_and(|end| end == "pub") {
                let key = std::fs::read_to_string(entry.path()).expect("a public key");
                lines = format!("{lines}[{}]:{} {key}", self.address, self.port);
            }
        }
        lines
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
