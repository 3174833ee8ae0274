//! A network whose packets are lost from one moment to the next: a namespace of its own, as root only.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::sshd::program;
use crate::support::{Desk, status_of, wait_for};

/// A namespace with an address, joined to ours by a pair of interfaces.
struct Namespace {
    name: String,
    number: u32,
}

fn ip(words: &str) -> bool {
    let done = Command::new("ip")
        .args(words.split_whitespace())
        .stderr(Stdio::null())
        .status();
    done.is_ok_and(|status| status.success())
}

impl Namespace {
    fn new() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            return None;
        }
        let number = std::process::id() % 250;
        let name = format!("batchssh-{number}");
        let made = Self { name, number };
        let (name, near, far) = (&made.name, made.near(), made.far());
        let all = ip(&format!("netns add {name}"))
            && ip(&format!("link add bs{number} type veth peer name bt{number}"))
            && ip(&format!("link set bt{number} netns {name}"))
            && ip(&format!("addr add {near}/24 dev bs{number}"))
            && ip(&format!("link set bs{number} up"))
            && ip(&format!("-n {name} addr add {far}/24 dev bt{number}"))
            && ip(&format!("-n {name} link set bt{number} up"))
            && ip(&format!("-n {name} link set lo up"));
        all.then_some(made)
    }

    fn near(&self) -> String {
        format!("10.213.{}.1", self.number)
    }

    fn far(&self) -> String {
        format!("10.213.{}.2", self.number)
    }

    /// From now on nothing that the host sends arrives.
    fn lose_everything(&self) {
        assert!(ip(&format!("-n {} route add blackhole {}/32", self.name, self.near())));
    }

    fn lose_nothing(&self) {
        assert!(ip(&format!("-n {} route del blackhole {}/32", self.name, self.near())));
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let number = self.number;
        ip(&format!("link del bs{number}"));
        ip(&format!("netns del {}", self.name));
    }
}

#[test]
fn r01_r03_r05_packets_that_are_lost_from_one_moment_to_the_next() {
    let Some(space) = Namespace::new() else {
        eprintln!("skipped: network namespaces cannot be made here (root and `ip` are needed)");
        return;
    };
    let desk = Desk::hosts(&["good"]);
    let dir = desk.fleet.dir();
    let config = dir.join("far_config");
    let keys = dir.join("etc/client_key.pub");
    std::fs::write(
        &config,
        format!(
            "ListenAddress {}:2222\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\nPidFile none\n",
            space.far(),
            dir.join("etc/host_key").display(),
            keys.display()
        ),
    )
    .unwrap();
    let mut server = Command::new("ip")
        .args(["netns", "exec", &space.name])
        .arg(program("sshd", "openssh-server"))
        .args(["-D", "-f"])
        .arg(&config)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for("the server in the namespace", || {
        std::net::TcpStream::connect((space.far(), 2222)).is_ok()
    });
    let line = format!(
        "far ansible_host={} ansible_port=2222 ansible_ssh_extra_args='-o HostKeyAlias=[{}]:{}'\n",
        space.far(),
        desk.fleet.hosts()[0].address.ip(),
        desk.fleet.hosts()[0].address.port()
    );
    let inventory = desk.read("hosts.ini").replacen("[web]\n", &format!("[web]\n{line}"), 1);
    desk.write("hosts.ini", &inventory);
    desk.cmd("exec -i hosts.ini -- true").run().code(0);

    // In the middle of a command.
    let begun_file = dir.join("far-begun");
    let running = desk
        .cmd("exec -i hosts.ini --task-timeout 3 --output json --")
        .arg(format!("echo $$ > {}; sleep 30", begun_file.display()))
        .args("--limit far")
        .spawn();
    let begun = Instant::now();
    wait_for("the command", || begun_file.exists());
    space.lose_everything();
    let ran = running.end();
    assert!(begun.elapsed() < Duration::from_millis(6500), "{:?}", begun.elapsed());
    assert_eq!(status_of(&ran, "far"), "timed_out");
    assert!(ran.out.contains("may still be running"), "{}", ran.out);

    // While connecting; the other host is not disturbed.
    let begun = Instant::now();
    let ran = desk
        .cmd("exec -i hosts.ini -T 2 --output json -- echo hi")
        .run()
        .code(4);
    assert!(begun.elapsed() < Duration::from_millis(3500), "{:?}", begun.elapsed());
    assert_eq!(status_of(&ran, "far"), "unreachable");
    assert_eq!(status_of(&ran, "good"), "changed");
    space.lose_nothing();
    desk.cmd("exec -i hosts.ini -- true").run().code(0);
    let _ = server.kill();
    let _ = server.wait();
}
