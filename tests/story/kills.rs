//! Whatever is killed at whatever moment: a playbook that is gone on with does everything exactly once.
//!
//! `BATCHSSH_KILLS` is the number of kills (a few by default), `BATCHSSH_SEED` the start of the random numbers; a failure
//! tells both.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Desk, Running, pause, wait_for};
use crate::wire::Wire;

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

#[expect(clippy::disallowed_methods, reason = "how much the test does is told from outside")]
fn number(name: &str) -> Option<u64> {
    Some(std::env::var(name).ok()?.parse().unwrap())
}

/// Tasks that must not run twice; each can be asked whether it was done.
fn playbook() -> String {
    let tasks = (1..=TASKS).map(|n| {
        format!(
            "    - name: count {n}\n      shell: sleep 0.01; echo x >> count.{n}; sleep 0.01\n      verify: test -s count.{n}\n"
        )
    });
    format!(
        "- hosts: web\n  gather_facts: false\n  tasks:\n{}",
        tasks.collect::<String>()
    )
}

/// What is killed.
#[derive(Clone, Copy, Debug)]
enum What {
    Controller,
    /// Everything that runs on the host for us.
    Host,
    /// The sshd process that serves us.
    Sshd,
    /// The network of all hosts.
    Wires,
    /// The shell that the connection holds, and not what it started.
    Shell,
    /// Some process of the host: the command itself, or a part of it.
    Command,
}

const WHAT: [What; 6] = [
    What::Controller,
    What::Host,
    What::Sshd,
    What::Wires,
    What::Shell,
    What::Command,
];

/// The processes of logins on a host, the oldest first: they have its home folder in their environment.
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

/// Field 4 of `/proc/PID/stat` (proc(5)).
fn parent_of(pid: i32) -> Option<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// The sshd processes that serve a host.
fn sshd_of(desk: &Desk, host: &str) -> Vec<i32> {
    let parents = processes_of(desk, host).into_iter().filter_map(parent_of);
    let is_sshd = |pid: &i32| {
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        name.starts_with("sshd")
    };
    parents.filter(is_sshd).collect()
}

fn kill(pids: impl IntoIterator<Item = i32>) {
    for pid in pids.into_iter().filter_map(Pid::from_raw) {
        let _ = kill_process(pid, Signal::KILL);
    }
}

fn strike(what: What, desk: &Desk, victim: &str, wires: &[Wire], running: &mut Running, random: &mut Random) {
    match what {
        What::Controller if running.is_running() => running.signal(Signal::KILL),
        What::Controller => {}
        What::Host => kill(processes_of(desk, victim)),
        What::Sshd => kill(sshd_of(desk, victim)),
        What::Wires => wires.iter().for_each(Wire::cut),
        What::Shell => kill(processes_of(desk, victim).into_iter().take(1)),
        What::Command => {
            let all = processes_of(desk, victim);
            let one = random.below(all.len().max(1) as u64);
            kill(all.get(usize::try_from(one).unwrap()).copied());
        }
    }
}

/// The inventory of the fleet, each host at the end of a wire.
fn wired(desk: &Desk) -> (String, Vec<Wire>) {
    let mut inventory = desk.fleet.inventory("web");
    let wires = HOSTS.map(|host| {
        let address = desk.fleet.host(host).unwrap().address;
        let wire = Wire::to(SocketAddr::V4(address));
        let direct = format!("{host} ansible_host={} ansible_port={} ", address.ip(), address.port());
        assert!(inventory.contains(&direct), "{inventory}");
        inventory = inventory.replace(
            &direct,
            &format!(
                "{host} ansible_host=127.0.0.1 ansible_port={} ansible_ssh_extra_args='-o HostKeyAlias=[{}]:{}' ",
                wire.address.port(),
                address.ip(),
                address.port()
            ),
        );
        wire
    });
    (inventory, wires.into())
}

/// Goes on, as an operator would, until there is nothing left; what was said is told when that does not come to pass.
fn go_on(desk: &Desk, killed: bool, story: &str) {
    let mut words = if killed { "resume" } else { "retry" };
    let mut said = String::new();
    for _ in 0..40 {
        let mut cmd = desk.cmd(words);
        // A lock is ours, or belongs to nobody: nothing to stand in line for.
        cmd.command.env("BATCHSSH_LOCK_WAIT", "5");
        let ran = cmd.run();
        said += &format!("{words}: {}\n{}{}\n", ran.code, ran.out, ran.err);
        match ran.code {
            0 => return,
            // It came to its end before it was killed.
            1 if ran.err.contains("no run was killed or stopped") => {}
            // A command of the run before still works there.
            2 | 4 | 6 | 10 | 11 | 12 => (0..10).for_each(|_| pause()),
            _ => break,
        }
        words = "retry";
    }
    panic!("{story}: it does not come to an end\n{said}");
}

#[test]
fn r43_whatever_is_killed_whenever_everything_is_done_exactly_once() {
    let kills = number("BATCHSSH_KILLS").unwrap_or(6);
    let seed = number("BATCHSSH_SEED").unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        u64::from(now.unwrap().subsec_nanos())
    });
    eprintln!("BATCHSSH_KILLS={kills} BATCHSSH_SEED={seed}");
    let mut random = Random(seed);
    let desk = Desk::hosts(&HOSTS);
    let (inventory, wires) = wired(&desk);
    desk.write("hosts.ini", &inventory);
    desk.write("count.yml", &playbook());
    let begun = Instant::now();
    desk.cmd("run count.yml -i hosts.ini -f 10").run().code(0);
    let usual = u64::try_from(begun.elapsed().as_millis()).unwrap();
    let mut wrong = Vec::new();
    for round in 0..kills {
        for host in HOSTS {
            wait_for("the end of what was killed", || processes_of(&desk, host).is_empty());
            for n in 1..=TASKS {
                let _ = std::fs::remove_file(desk.home(host).join(format!("count.{n}")));
            }
        }
        // Each kind in turn, at a random moment: of the whole run, or of the time in which tasks run.
        let what = WHAT[usize::try_from(round).unwrap() % WHAT.len()];
        let moment = Duration::from_millis(random.below(usual * 11 / 10));
        let victim = HOSTS[usize::try_from(random.below(10)).unwrap()];
        let story = format!("kill {round} of BATCHSSH_SEED={seed}: {what:?} of {victim} after {moment:?}");
        eprintln!("{story}");
        let before = desk.runs().len();
        let mut running = desk.cmd("run count.yml -i hosts.ini -f 10").spawn();
        let until = Instant::now() + moment;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            std::thread::park_timeout(left.min(Duration::from_millis(1)));
        }
        strike(what, &desk, victim, &wires, &mut running, &mut random);
        running.end_anyhow();
        let begun = desk.runs().get(before).is_some_and(|run| {
            std::fs::read_to_string(run.join("journal.ndjson")).is_ok_and(|journal| journal.contains('\n'))
        });
        if !begun {
            // Killed before it was a run at all: nothing was done, and there is nothing to go on with.
            desk.cmd("run count.yml -i hosts.ini -f 10").run().code(0);
        }
        go_on(&desk, matches!(what, What::Controller), &story);
        for host in HOSTS {
            for n in 1..=TASKS {
                let count = desk.host_file(host, &format!("count.{n}")).lines().count();
                if count != 1 {
                    wrong.push(format!("{story}: {count} lines in count.{n} of {host}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    desk.cmd("runs verify").run().code(0);
}
