//! Whatever is killed at whatever moment, a playbook that is resumed does everything exactly once.
//!
//! `BATCHSSH_KILLS` is the number of kills (a few by default), `BATCHSSH_SEED` the start of the random numbers; a failure
//! prints both.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::support::Desk;
use crate::wire::Wire;
use rustix::process::Signal;

const TASKS: usize = 12;
const HOSTS: [&str; 10] = ["c01", "c02", "c03", "c04", "c05", "c06", "c07", "c08", "c09", "c10"];

/// Random numbers that a seed repeats (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::vars()
        .find(|(key, _)| key == name)
        .map_or(default, |(_, value)| value.parse().unwrap())
}

fn playbook() -> String {
    let mut text = "- hosts: web\n  gather_facts: false\n  tasks:\n".to_owned();
    for n in 1..=TASKS {
        text += &format!(
            "    - name: count {n}\n      shell: sleep 0.01; echo x >> count.{n}; sleep 0.01\n      \
             verify: test -s count.{n}\n"
        );
    }
    text
}

/// The processes of sessions on a host, the leaders first: they have its home folder in their environment.
fn processes_of(desk: &Desk, host: &str) -> Vec<i32> {
    let home = format!("HOME={}", desk.home(host).display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        if environment.split(|&b| b == 0).any(|one| one == home.as_bytes()) {
            found.push(pid);
        }
    }
    found.sort_unstable();
    found
}

/// The sshd processes that serve a process of the fleet.
fn parent_of(pid: i32) -> Option<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

fn kill(pid: i32) {
    if let Some(pid) = rustix::process::Pid::from_raw(pid) {
        let _ = rustix::process::kill_process(pid, Signal::KILL);
    }
}

fn kill_sshd(desk: &Desk, host: &str) {
    for pid in processes_of(desk, host) {
        let Some(parent) = parent_of(pid) else { continue };
        let name = std::fs::read_to_string(format!("/proc/{parent}/comm")).unwrap_or_default();
        if name.starts_with("sshd") {
            kill(parent);
        }
    }
}

#[test]
fn r43_whatever_is_killed_everything_is_done_exactly_once() {
    let kills = number("BATCHSSH_KILLS", 6);
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let seed = number("BATCHSSH_SEED", u64::from(now.subsec_nanos()));
    println!("BATCHSSH_KILLS={kills} BATCHSSH_SEED={seed}");
    let mut random = Random(seed);

    let desk = Desk::hosts(&HOSTS);
    let wires: Vec<Wire> = HOSTS
        .iter()
        .map(|host| Wire::to(SocketAddr::V4(desk.fleet.host(host).unwrap().address)))
        .collect();
    let mut inventory = "[web]\n".to_owned();
    for (host, wire) in HOSTS.iter().zip(&wires) {
        let key = desk.fleet.host(host).unwrap().address;
        inventory += &format!(
            "{host} ansible_host=127.0.0.1 ansible_port={} ansible_ssh_extra_args='-o HostKeyAlias=[{}]:{}'\n",
            wire.address.port(),
            key.ip(),
            key.port()
        );
    }
    let vars = desk.fleet.inventory("web");
    inventory += vars.split_once("\n\n").unwrap().1;
    desk.write("hosts.ini", &inventory);
    desk.write("count.yml", &playbook());

    let whole = Instant::now();
    desk.cmd("run count.yml -i hosts.ini -f 10").run().code(0);
    let usual = u64::try_from(whole.elapsed().as_millis()).unwrap();
    for round in 0..kills {
        for host in HOSTS {
            for n in 1..=TASKS {
                let _ = std::fs::remove_file(desk.home(host).join(format!("count.{n}")));
            }
        }
        let what = random.below(5);
        let moment = random.below(usual.saturating_mul(11) / 10);
        let victim = HOSTS[usize::try_from(random.below(10)).unwrap()];
        let story = format!("round {round}, seed {seed}: kind {what} after {moment} ms, {victim}");
        let mut running = desk.cmd("run count.yml -i hosts.ini -f 10").spawn();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(moment) && running.is_running() {
            std::thread::park_timeout(Duration::from_millis(1));
        }
        match what {
            0 => running.signal(Signal::KILL),
            1 => processes_of(&desk, victim).into_iter().for_each(kill),
            2 => kill_sshd(&desk, victim),
            3 => wires.iter().for_each(Wire::cut),
            // Only the shell: what it started goes on without it.
            _ => processes_of(&desk, victim).into_iter().take(1).for_each(kill),
        }
        running.end_anyhow();
        let mut last = String::new();
        let mut done = false;
        // A killed run is resumed; one that ended with hosts that failed is retried.
        for go_on in ["resume", "retry", "retry", "retry", "retry"] {
            if what != 0 && go_on == "resume" {
                continue;
            }
            let ran = desk.cmd(go_on).run();
            last = format!("{go_on}: {} {}\n{}", ran.code, ran.out, ran.err);
            if ran.code == 0 {
                done = true;
                break;
            }
        }
        assert!(done, "{story}: not resumed: {last}");
        for host in HOSTS {
            for n in 1..=TASKS {
                let count = desk.host_file(host, &format!("count.{n}")).lines().count();
                assert_eq!(count, 1, "{story}: {host} count.{n}\n{last}");
            }
        }
    }
}
