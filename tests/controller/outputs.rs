//! R27: those who read what the run prints go away, or do not read.

use std::fs::File;
use std::io::Read as _;
use std::process::Stdio;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::support::{Desk, events, wait_for};

const HOSTS: [&str; 4] = ["h1", "h2", "h3", "h4"];

fn desk() -> Desk {
    let desk = Desk::hosts(&HOSTS);
    desk.write(
        "site.yml",
        "- hosts: web\n  gather_facts: false\n  tasks:\n    - shell: touch $HOME/first; seq 20000\n    - shell: touch $HOME/second\n",
    );
    desk
}

fn did_all(desk: &Desk) -> bool {
    HOSTS.iter().all(|host| desk.home(host).join("second").exists())
}

fn ended(desk: &Desk) -> usize {
    let journal = events(&desk.journal());
    journal.iter().filter(|event| event["event"] == "host_done").count()
}

#[test]
fn r27_a_reader_that_does_not_read_holds_up_its_own_output_and_not_the_hosts() {
    let desk = desk();
    let mut running = desk.cmd("run site.yml -i hosts.ini -v").spawn();
    // Nobody has read a byte of it.
    wait_for("the hosts", || did_all(&desk));
    wait_for("the journal", || ended(&desk) == HOSTS.len());
    assert!(running.is_running(), "the pipe held everything: the test is no test");
    let ran = running.end().code(0);
    assert!(ran.out.contains("20000"), "{}", ran.out.len());
}

#[test]
fn r27_a_run_without_standard_streams_does_its_work() {
    let desk = desk();
    let text = "exec \"$@\" <&- >&- 2>&-";
    let mut command = desk
        .cmd("run site.yml -i hosts.ini")
        .under("sh", &["-c", text, "sh"])
        .command;
    assert_eq!(command.status().unwrap().code(), Some(0));
    assert!(did_all(&desk));
    assert_eq!(ended(&desk), HOSTS.len());
}

#[test]
fn r27_a_terminal_that_goes_away_ends_the_run_like_ctrl_c_and_its_journal_is_whole() {
    let desk = Desk::hosts(&HOSTS);
    desk.write(
        "site.yml",
        "- hosts: web\n  gather_facts: false\n  tasks:\n    - shell: touch $HOME/first; sleep 1; touch $HOME/ended\n    - shell: touch $HOME/second\n",
    );
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let end = || {
        Stdio::from(
            File::options()
                .read(true)
                .write(true)
                .open(name.to_str().unwrap())
                .unwrap(),
        )
    };
    let mut command = desk
        .cmd("run site.yml -i hosts.ini")
        .under("setsid", &["--ctty", "--wait"])
        .command;
    command.stdin(end()).stdout(end()).stderr(end());
    let mut child = command.spawn().unwrap();
    drop(command);
    rustix::io::ioctl_fionbio(&master, true).unwrap();
    let mut terminal = File::from(master);
    let mut buffer = [0; 512];
    let begun = || HOSTS.iter().all(|host| desk.home(host).join("first").exists());
    wait_for("the tasks", || {
        // Nothing to read is no reason to wait: the tasks say nothing before their end.
        let _ = terminal.read(&mut buffer);
        begun()
    });
    drop(terminal);
    child.wait().unwrap();
    // setsid may be ended by the same signal, and the run a moment later.
    wait_for("the journal", || desk.journal().contains("\"run_finished\""));
    let journal = desk.journal();
    assert!(journal.contains("\"reason\":\"SIGHUP\""), "{journal}");
    for host in HOSTS {
        assert!(
            desk.home(host).join("ended").exists(),
            "{host}: what ran was not let to end"
        );
        assert!(
            !desk.home(host).join("second").exists(),
            "{host}: a new task was begun\n{journal}"
        );
    }
    let retry = desk.read("site.retry");
    assert_eq!(retry.lines().count(), HOSTS.len(), "{retry}");
    desk.cmd("runs verify").run().code(0);
    desk.cmd("retry").run().code(0);
    assert!(did_all(&desk));
}
