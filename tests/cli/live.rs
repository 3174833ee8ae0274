//! What can be done with a run while it goes on: `batchssh ctl`, SIGTTIN and SIGTTOU.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Cmd, Desk, Running, events, pause, text, wait_for};

const NAMES: [&str; 8] = ["h1", "h2", "h3", "h4", "h5", "h6", "h7", "h8"];

/// Every host begins, and waits for a file of its own.
fn waiting(desk: &Desk, words: &str) -> Running {
    let line = "echo begun >> log; until [ -e go ]; do sleep 0.05; done; echo ended >> log";
    desk.cmd("exec -i hosts.ini").args(words).arg("--").arg(line).spawn()
}

/// The hosts whose log has the word.
fn logged(desk: &Desk, word: &str) -> Vec<&'static str> {
    let has = |name: &&str| desk.fleet.host(name).is_some() && desk.host_file(name, "log").contains(word);
    NAMES.into_iter().filter(has).collect()
}

fn begun(desk: &Desk) -> Vec<&'static str> {
    logged(desk, "begun")
}

fn let_go(desk: &Desk, names: &[&str]) {
    for name in names {
        std::fs::write(desk.home(name).join("go"), "").unwrap();
    }
}

/// Nothing happens for a while that is long for a host on loopback.
fn and_no_more(desk: &Desk, number: usize) {
    std::thread::park_timeout(Duration::from_millis(400));
    assert_eq!(begun(desk).len(), number, "{:?}", begun(desk));
}

fn controlled(journal: &str) -> Vec<(String, String)> {
    let events = events(journal);
    let of = |event: &Value| {
        let change = &event["change"];
        let what = match text(&change["what"]) {
            "forks" => format!("forks {} {}", change["from"], change["to"]),
            "skipped" => format!("skipped {}", text(&change["host"])),
            other => other.to_owned(),
        };
        (what, text(&event["by"]).to_owned())
    };
    events
        .iter()
        .filter(|event| event["event"] == "controlled")
        .map(of)
        .collect()
}

/// `ctl` that succeeds; what it said.
fn ctl(desk: &Desk, words: &str) -> String {
    desk.cmd("ctl").args(words).run().well().out
}

#[test]
fn workers_are_added_and_taken_while_the_run_goes_on() {
    let desk = Desk::hosts(&NAMES);
    let running = waiting(&desk, "-f 1");
    wait_for("the first host", || begun(&desk).len() == 1);
    and_no_more(&desk, 1);
    assert_eq!(ctl(&desk, "forks +3"), "forks 1 -> 4\n");
    wait_for("three more", || begun(&desk).len() == 4);
    and_no_more(&desk, 4);
    running.signal(Signal::TTIN);
    wait_for("one more", || begun(&desk).len() == 5);
    let status: Value = serde_json::from_str(&ctl(&desk, "status --json")).unwrap();
    assert_eq!(
        (&status["forks"], &status["working"], &status["hosts"]),
        (&5.into(), &5.into(), &8.into())
    );
    assert_eq!(status["slowest"].as_array().unwrap().len(), 5);
    // Those at work end; only then it is one at a time.
    assert_eq!(ctl(&desk, "forks =2"), "forks 5 -> 2\n");
    running.signal(Signal::TTOU);
    wait_for("the signal", || desk.journal().contains("SIGTTOU"));
    let_go(&desk, &NAMES[..4]);
    wait_for("the first four", || {
        NAMES[..4]
            .iter()
            .all(|name| desk.host_file(name, "log").contains("ended"))
    });
    and_no_more(&desk, 5);
    let_go(&desk, &NAMES[4..5]);
    wait_for("the sixth", || begun(&desk).len() == 6);
    and_no_more(&desk, 6);
    let_go(&desk, &NAMES);
    let journal = {
        running.wait().code(0);
        desk.journal()
    };
    let told = controlled(&journal);
    let what: Vec<&str> = told.iter().map(|(what, _)| what.as_str()).collect();
    assert_eq!(what, ["forks 1 4", "forks 4 5", "forks 5 2", "forks 2 1"]);
    assert!(told[0].1.contains(", process "), "{told:?}");
    assert_eq!((told[1].1.as_str(), told[3].1.as_str()), ("SIGTTIN", "SIGTTOU"));
}

const TWO: &str = "\
- hosts: web
  gather_facts: false
  STRATEGY
  tasks:
    - shell: echo begun >> log; until [ -e go ]; do sleep 0.05; done
    - block:
        - shell: echo second >> log
      rescue:
        - shell: echo rescued >> log
";

fn second(desk: &Desk) -> Vec<&'static str> {
    logged(desk, "second")
}

#[test]
fn a_paused_run_lets_running_tasks_end_and_begins_none_until_it_is_resumed() {
    for strategy in ["linear", "free"] {
        let desk = Desk::hosts(&NAMES[..3]);
        desk.write("site.yml", &TWO.replace("STRATEGY", &format!("strategy: {strategy}")));
        let mut running = desk.cmd("run site.yml -i hosts.ini -f 2").spawn();
        wait_for("two hosts", || begun(&desk).len() == 2);
        assert!(ctl(&desk, "pause").starts_with("paused: "));
        assert_eq!(ctl(&desk, "pause"), "it is paused already\n");
        let_go(&desk, &NAMES[..3]);
        let results = |desk: &Desk| {
            events(&desk.journal())
                .iter()
                .filter(|event| event["event"] == "task_result")
                .count()
        };
        wait_for("their end", || results(&desk) == 2);
        std::thread::park_timeout(Duration::from_millis(400));
        assert!(
            begun(&desk).len() == 2 && second(&desk).is_empty() && running.is_running(),
            "{strategy}"
        );
        let status = ctl(&desk, "status");
        assert!(
            status.contains("\npaused for ") && status.contains("forks 2, 0 at work"),
            "{status}"
        );
        assert_eq!(ctl(&desk, "resume"), "resumed\n");
        running.wait().code(0);
        assert_eq!(second(&desk).len(), 3, "{strategy}");
        let what: Vec<String> = controlled(&desk.journal()).into_iter().map(|(what, _)| what).collect();
        assert_eq!(what, ["paused", "resumed"]);
    }
}

#[test]
fn draining_is_the_first_ctrl_c() {
    let desk = Desk::hosts(&NAMES[..3]);
    let running = waiting(&desk, "-f 1");
    wait_for("the first host", || begun(&desk).len() == 1);
    assert_eq!(
        ctl(&desk, "drain"),
        "draining: running tasks end, nothing new is started\n"
    );
    wait_for("the drain", || desk.journal().contains("run_cancelled"));
    assert_eq!(ctl(&desk, "drain"), "it is draining already\n");
    let_go(&desk, &NAMES[..3]);
    running.wait().code(130);
    assert_eq!(desk.host_file("h1", "log"), "begun\nended\n");
    assert_eq!(desk.read("batchssh.retry"), "h2  # not started\nh3  # not started\n");
    // A paused run drains, too.
    let running = waiting(&desk, "-f 1");
    wait_for("the first host", || desk.runs().len() == 2);
    wait_for("the run", || desk.cmd("ctl pause").run().code == 0);
    wait_for("the end of the first", || ctl(&desk, "status").contains(", 0 at work"));
    ctl(&desk, "drain");
    running.wait().code(130);
}

#[test]
fn a_host_can_be_left_out_from_its_next_task_on() {
    let desk = Desk::hosts(&NAMES[..3]);
    desk.write("site.yml", &TWO.replace("STRATEGY", ""));
    let running = desk.cmd("run site.yml -i hosts.ini").spawn();
    wait_for("all hosts", || begun(&desk).len() == 3);
    let ran = desk.cmd("ctl skip h4").run().code(1);
    assert!(
        ran.err.contains("`h4` is no host of this run; did you mean `h"),
        "{}",
        ran.err
    );
    assert_eq!(ctl(&desk, "skip h2"), "h2 is left out from its next task on\n");
    let_go(&desk, &NAMES[..3]);
    let ran = running.wait().code(2);
    assert!(ran.err.contains("h2 is left out from its next task on"), "{}", ran.err);
    // No rescue either: the operator wanted nothing more there.
    assert_eq!(desk.host_file("h2", "log"), "begun\n");
    assert_eq!(second(&desk), ["h1", "h3"]);
    let retry = desk.read("site.retry");
    assert!(
        retry.lines().count() == 1 && retry.starts_with("h2  # ") && retry.contains("left out during the run, by "),
        "{retry}"
    );
    assert_eq!(controlled(&desk.journal())[0].0, "skipped h2");
}

#[test]
fn ctl_finds_the_only_run_and_wants_to_know_which_of_several() {
    let desk = Desk::hosts(&NAMES[..2]);
    let ran = desk.cmd("ctl pause").run().code(1);
    assert!(ran.err.contains("no run is going on"), "{}", ran.err);
    let first = waiting(&desk, "-f 1");
    wait_for("the first host", || begun(&desk).len() == 1);
    let id = desk.runs()[0].file_name().unwrap().to_str().unwrap().to_owned();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&desk.runs()[0]), 0o700);
    assert_eq!(mode(&desk.runs()[0].join("ctl.sock")), 0o600);
    let second = waiting(&desk, "-f 1 -l h2");
    wait_for("the second run", || begun(&desk).len() == 2);
    let ran = desk.cmd("ctl status").run().code(1);
    assert!(
        ran.err.contains("2 runs are going on: ") && ran.err.contains("say which"),
        "{}",
        ran.err
    );
    assert!(ctl(&desk, &format!("{id} status")).starts_with(&format!("run {id}  ")));
    let_go(&desk, &NAMES[..2]);
    first.wait().code(0);
    second.wait().code(0);
    let ran = desk.cmd(&format!("ctl {id} status")).run().code(1);
    assert!(ran.err.contains(&format!("run {id} is not going on")), "{}", ran.err);
    assert!(!desk.runs()[0].join("ctl.sock").exists());
    desk.cmd("ctl forks many").run().code(1);
}

#[test]
fn a_long_path_of_the_state_folder_is_no_obstacle() {
    let desk = Desk::hosts(&NAMES[..1]);
    let state = desk.path(&"deep/".repeat(20));
    std::fs::create_dir_all(&state).unwrap();
    let long = |mut cmd: Cmd| {
        cmd.command.env("XDG_STATE_HOME", &state);
        cmd
    };
    let line = "echo begun >> log; until [ -e go ]; do sleep 0.05; done";
    let running = long(desk.cmd("exec -i hosts.ini --").arg(line)).spawn();
    wait_for("the host", || begun(&desk).len() == 1);
    assert!(long(desk.cmd("ctl status")).run().well().out.contains("1 at work"));
    let_go(&desk, &NAMES[..1]);
    running.wait().code(0);
}

#[test]
fn another_user_cannot_reach_a_run() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can become another user");
        return;
    }
    let desk = Desk::hosts(&NAMES[..1]);
    let running = waiting(&desk, "");
    wait_for("the host", || begun(&desk).len() == 1);
    // Even when the folders were open to all, the run looks who it is.
    let socket = desk.runs()[0].join("ctl.sock");
    for folder in socket
        .ancestors()
        .skip(1)
        .take_while(|path| *path != std::path::Path::new("/"))
    {
        let mode = std::fs::metadata(folder).unwrap().permissions().mode();
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(mode | 0o005)).unwrap();
    }
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o666)).unwrap();
    let id = desk.runs()[0].file_name().unwrap().to_str().unwrap().to_owned();
    let mut cmd = desk.cmd(&format!("ctl {id} status"));
    std::os::unix::process::CommandExt::uid(&mut cmd.command, 65534);
    let out = cmd.command.output();
    let Ok(out) = out else {
        eprintln!("skipped: the other user cannot run the program");
        let_go(&desk, &NAMES);
        running.wait();
        return;
    };
    let err = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(
        err.contains(&format!("run {id} cannot be reached (it belongs to another user)")),
        "{out:?}"
    );
    assert!(out.stdout.is_empty());
    let_go(&desk, &NAMES[..1]);
    running.wait().code(0);
}

#[test]
fn the_live_view_in_another_terminal_begins_with_what_was_and_leaves_the_run_alone() {
    let desk = Desk::hosts(&NAMES[..3]);
    desk.write("site.yml", &TWO.replace("STRATEGY", "name: the play"));
    let running = desk.cmd("run site.yml -i hosts.ini -f 1").spawn();
    let_go(&desk, &["h1"]);
    wait_for("the second host", || begun(&desk).len() == 2);
    let watching = Pty::run(desk.cmd("ctl attach"));
    watching.wait_for("the play");
    watching.wait_for("1 running");
    // Ctrl-C at the watching terminal.
    watching.signal(Signal::INT);
    let (code, seen) = watching.wait();
    assert_eq!(code, Some(0), "{seen}");
    assert!(seen.contains("detached; the run goes on"), "{seen}");
    let json = desk.cmd("ctl attach --json").spawn();
    let watching = Pty::run(desk.cmd("ctl attach"));
    watching.wait_for("the play");
    let_go(&desk, &NAMES[..3]);
    running.wait().code(0);
    let (code, seen) = watching.wait();
    assert_eq!(code, Some(0), "{seen}");
    assert!(seen.contains("3 hosts") || seen.contains("h[1-3]"), "{seen}");
    let ran = json.end().code(0);
    let told = ran.events();
    let kinds: Vec<&str> = told.iter().map(|event| text(&event["event"])).collect();
    assert_eq!((kinds[0], kinds[kinds.len() - 1]), ("run_started", "run_finished"));
    let results = told.iter().filter(|event| event["event"] == "task_result").count();
    assert_eq!(results, 6, "{kinds:?}");
}

#[test]
fn a_watcher_that_does_not_read_never_holds_the_run_up() {
    let desk = Desk::hosts(&NAMES[..2]);
    let large = "    - shell: head -c 700000 /dev/zero | tr '\\0' x\n".repeat(12);
    let first = "    - shell: echo begun >> log; until [ -e go ]; do sleep 0.05; done\n";
    let play = "- hosts: web\n  gather_facts: false\n  tasks:\n";
    desk.write("site.yml", &format!("{play}{first}{large}"));
    let running = desk.cmd("run site.yml -i hosts.ini").spawn();
    wait_for("the hosts", || begun(&desk).len() == 2);
    let mut watching = desk.cmd("ctl attach --json").spawn();
    assert!(watching.line().contains("run_started"));
    watching.signal(Signal::STOP);
    let_go(&desk, &NAMES[..2]);
    // More than waits for a watcher, and nobody reads any of it: a run that waited for that would never end.
    running.wait().code(0);
    watching.signal(Signal::CONT);
    let ran = watching.end().code(0);
    let told = ran.events();
    // What it lost on the way it has from the journal, once the run is over.
    let results = told.iter().filter(|event| event["event"] == "task_result").count();
    assert_eq!((results, &told.last().unwrap()["event"]), (26, &"run_finished".into()));
}

#[test]
fn a_background_job_is_not_stopped_when_its_terminal_wants_that() {
    let desk = Desk::hosts(&NAMES[..1]);
    if Command::new("setsid").arg("--version").output().is_err() {
        eprintln!("skipped: there is no `setsid` to make a session with");
        return;
    }
    let program = env!("CARGO_BIN_EXE_batchssh");
    let job = format!(
        "set -m; stty tostop; {program} exec -i hosts.ini -- 'echo said; echo begun >> log; sleep 0.3' & wait $!; echo code $?"
    );
    let mut cmd = desk.cmd("");
    cmd.command = {
        let mut command = Command::new("setsid");
        command
            .args(["--ctty", "--wait", "sh", "-c"])
            .arg(job)
            .current_dir(&desk.dir)
            .env_clear();
        for (name, value) in cmd.command.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        command
    };
    let shell = Pty::run(cmd);
    let (_, seen) = shell.wait();
    assert!(seen.contains("said") && seen.contains("code 0"), "{seen}");
    assert!(controlled(&desk.journal()).is_empty());
}

/// A command at a terminal of its own.
struct Pty {
    child: std::process::Child,
    seen: std::sync::Arc<std::sync::Mutex<Vec<u8>>>,
    reader: std::thread::JoinHandle<()>,
}

impl Pty {
    fn run(mut cmd: Cmd) -> Self {
        use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open(name.to_str().unwrap())
            .unwrap();
        cmd.command
            .env("TERM", "xterm")
            .stdin(Stdio::from(slave.try_clone().unwrap()))
            .stdout(Stdio::from(slave.try_clone().unwrap()))
            .stderr(Stdio::from(slave));
        let child = cmd.command.spawn().unwrap();
        drop(cmd);
        let seen = std::sync::Arc::<std::sync::Mutex<Vec<u8>>>::default();
        let heard = seen.clone();
        let mut master = std::fs::File::from(master);
        let reader = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // The end of the last process at the terminal is an error here.
            while let Ok(count @ 1..) = master.read(&mut bytes) {
                heard.lock().unwrap().extend_from_slice(&bytes[..count]);
            }
        });
        Self { child, seen, reader }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().unwrap()).into_owned()
    }

    fn wait_for(&self, what: &str) {
        wait_for(what, || self.text().contains(what));
    }

    fn signal(&self, signal: Signal) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    fn wait(mut self) -> (Option<i32>, String) {
        let until = std::time::Instant::now() + Duration::from_secs(40);
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if std::time::Instant::now() > until {
                self.child.kill().unwrap();
                panic!("hangs: {}", self.text());
            }
            pause();
        };
        self.reader.join().unwrap();
        let text = String::from_utf8_lossy(&self.seen.lock().unwrap()).into_owned();
        (status.code(), text)
    }
}
