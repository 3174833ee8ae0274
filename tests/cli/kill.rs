//! `kill -9` at any moment: what was shown is in the journal, what is in the journal was done, and going on ends where a
//! run that nothing disturbed ends.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Desk, events, mode, pause, text};

/// Kills of a test: few, so that the suite stays quick; `BATCHSSH_KILLS=500` for a night.
fn kills(usual: usize) -> usize {
    number("BATCHSSH_KILLS").map_or(usual, |kills| usize::try_from(kills).unwrap())
}

#[expect(clippy::disallowed_methods, reason = "how much the test does is told from outside")]
fn number(name: &str) -> Option<u64> {
    Some(std::env::var(name).ok()?.parse().unwrap())
}

/// Numbers that differ from run to run; the seed is told, and `BATCHSSH_SEED` gives them again.
struct Random(u64);

impl Random {
    fn new() -> Self {
        let seed = number("BATCHSSH_SEED").unwrap_or_else(|| {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            u64::from(now.unwrap().subsec_nanos())
        });
        tell(&format!("again with BATCHSSH_SEED={seed}"));
        Self(seed | 1)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// Shown when the test fails.
#[expect(clippy::print_stderr, reason = "a failure must be repeatable")]
fn tell(text: &str) {
    eprintln!("{text}");
}

fn wait(time: Duration) {
    let until = Instant::now() + time;
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        std::thread::park_timeout(left);
    }
}

/// `host task` of the results that are not failures.
fn results(events: &[Value]) -> Vec<String> {
    let results = events.iter().filter(|event| event["event"] == "task_result");
    results
        .filter(|event| event["status"] == "changed" || event["status"] == "ok")
        .map(|event| format!("{} {}", text(&event["host"]), text(&event["task"])))
        .collect()
}

/// Whole lines of text that may end in the middle of one.
fn whole(text: &str) -> &str {
    text.rfind('\n').map_or("", |end| &text[..=end])
}

const TASKS: [&str; 6] = ["one", "two", "three", "four", "five", "six"];

/// Tasks that must not run twice; each can be asked whether it was done.
fn counting() -> String {
    let tasks = TASKS.map(|task| {
        format!(
            "    - name: {task}\n      shell: echo {task} >> ran\n      verify: test -e ran && grep -qx {task} ran\n"
        )
    });
    format!("- hosts: all\n  gather_facts: false\n  tasks:\n{}", tasks.concat())
}

/// Goes on until nothing is left, and says how often that took.
fn resumed(desk: &Desk) -> usize {
    for times in 0.. {
        assert!(times < 20, "it does not come to an end");
        let ran = desk.cmd("resume").run();
        match ran.code {
            0 => return times,
            // A command of the killed run may still be at work: wait for it.
            11 => wait(Duration::from_millis(200)),
            1 if ran.err.contains("no run was killed or stopped") => {
                let ran = desk.cmd("retry").run();
                if ran.code == 0 {
                    return times;
                }
                assert_eq!(ran.code, 11, "{}\n{}", ran.out, ran.err);
                wait(Duration::from_millis(200));
            }
            code => panic!("{code}\n{}\n{}", ran.out, ran.err),
        }
    }
    0
}

#[test]
fn r22_what_was_shown_is_in_the_journal_and_what_is_in_the_journal_was_done_once() {
    let hosts = ["a", "b", "c"];
    let mut random = Random::new();
    let desk = Desk::hosts(&hosts);
    desk.write("site.yml", &counting());
    // How long an undisturbed run takes here and now.
    let begun = Instant::now();
    desk.cmd("run site.yml -i hosts.ini --output json").run().well();
    let longest = u64::try_from(begun.elapsed().as_millis()).unwrap();
    for number in 0..kills(8) {
        for host in hosts {
            std::fs::remove_file(desk.home(host).join("ran")).unwrap_or_default();
        }
        let before = desk.runs().len();
        let mut running = desk.cmd("run site.yml -i hosts.ini --output json").spawn();
        wait(Duration::from_millis(random.below(longest)));
        running.signal(Signal::KILL);
        let mut shown = String::new();
        running.output().read_to_string(&mut shown).unwrap();
        running.killed_or_ended();
        let newest = desk.runs().into_iter().nth(before);
        let Some(run) = newest.filter(|run| run.join("journal.ndjson").exists()) else {
            continue;
        };
        let journal = std::fs::read_to_string(run.join("journal.ndjson")).unwrap();
        let kept: Vec<Value> = events(whole(&journal));
        let started = kept.first().map(|event| text(&event["run"]).to_owned());
        // The lines of the output, each followed by a hash in the journal.
        for line in whole(&shown).lines() {
            let line = line.strip_suffix('}').unwrap();
            assert!(
                journal.contains(line),
                "kill {number}: shown and not in the journal: {line}"
            );
        }
        let done = results(&kept);
        let once: BTreeSet<&String> = done.iter().collect();
        assert_eq!(once.len(), done.len(), "kill {number}: a result stands there twice");
        for result in &done {
            let (host, task) = result.split_once(' ').unwrap();
            let ran = desk.host_file(host, "ran");
            let times = ran.lines().filter(|line| *line == task).count();
            assert_eq!(times, 1, "kill {number}: {result} is in the journal");
        }
        if started.is_none() || kept.iter().any(|event| event["event"] == "run_finished") {
            continue;
        }
        resumed(&desk);
        for host in hosts {
            let ran = desk.host_file(host, "ran");
            assert_eq!(ran.lines().collect::<Vec<_>>(), TASKS, "kill {number}: {host}");
        }
        desk.cmd("runs verify").run().well();
    }
}

#[test]
fn r22_a_journal_cut_anywhere_is_gone_on_from() {
    let desk = Desk::hosts(&["a", "b"]);
    desk.write("site.yml", &counting());
    desk.cmd("run site.yml -i hosts.ini").run().well();
    let path = desk.runs()[0].join("journal.ndjson");
    let bytes = std::fs::read(&path).unwrap();
    let first = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let last = bytes.len() - 1 - bytes.iter().rev().skip(1).position(|byte| *byte == b'\n').unwrap();
    // Every byte is tried by the tests of the reader; here some, and those around the ends of lines.
    let mut cuts: BTreeSet<usize> = (0..bytes.len()).step_by(bytes.len() / 24).collect();
    cuts.extend([
        0,
        1,
        first - 1,
        first,
        first + 1,
        last - 1,
        last,
        last + 1,
        bytes.len() - 1,
    ]);
    for cut in cuts {
        std::fs::write(&path, &bytes[..cut]).unwrap();
        let ran = desk.cmd("resume --show").run();
        if cut < first {
            assert_eq!(ran.code, 1, "{cut}: {}", ran.out);
            assert!(!ran.err.contains("panic"), "{}", ran.err);
        } else {
            assert_eq!(ran.code, 0, "{cut} of {}: {}", bytes.len(), ran.err);
        }
        let verified = desk.cmd("runs verify").run().code(2);
        assert!(verified.out.contains("CUT: "), "{cut}: {}", verified.out);
    }
    std::fs::write(&path, &bytes).unwrap();
    // Killed before it wrote anything, and before the register knew it; one line in it is another matter.
    let early = desk.path("state/batchssh/runs/20261125-000000-000000");
    std::fs::create_dir(&early).unwrap();
    desk.cmd("runs verify").run().well();
    std::fs::write(early.join("journal.ndjson"), "").unwrap();
    desk.cmd("runs verify").run().well();
    std::fs::write(early.join("journal.ndjson"), &bytes[..first]).unwrap();
    desk.cmd("runs verify").run().code(2);
}

/// Twenty steps of many kinds; a second run changes nothing.
const TWENTY: &str = r"
- hosts: all
  tasks:
    - {name: folder, file: {path: ~/app, state: directory, mode: '0750'}}
    - {name: deep, file: {path: ~/app/etc/conf.d, state: directory}}
    - {name: copied, copy: {dest: ~/app/etc/motd, content: 'hello {{ inventory_hostname }}', mode: '0640'}}
    - {name: line, lineinfile: {path: ~/app/etc/app.conf, line: 'port = 80', create: true}}
    - {name: another, lineinfile: {path: ~/app/etc/app.conf, regexp: '^host', line: 'host = {{ inventory_hostname }}'}}
    - {name: block, blockinfile: {path: ~/app/etc/app.conf, block: 'a = 1'}, notify: restart}
    - name: unpacked
      shell: mkdir -p lib && echo data >> lib/data && touch lib/.complete
      args: {chdir: ~/app, creates: ~/app/lib/.complete}
    - {name: formatted, shell: echo formatted >> ~/app/disk, once: format, verify: test -e ~/app/disk}
    - {name: link, file: {src: etc/motd, dest: ~/app/motd, state: link}}
    - {name: asked, command: cat app/etc/motd, changed_when: false, register: motd}
    - {name: fact, set_fact: {greeting: '{{ motd.stdout | upper }}'}}
    - {name: carried, copy: {dest: ~/app/greeting, content: '{{ greeting }}'}}
    - meta: flush_handlers
    - {name: tree, copy: {src: tree/, dest: ~/app/tree/}}
    - {name: numbers, lineinfile: {path: ~/app/numbers, line: 'n{{ item }}', create: true}, loop: [1, 2, 3, 4]}
    - {name: replaced, replace: {path: ~/app/etc/app.conf, regexp: '^port = \d+$', replace: 'port = 8080'}}
    - {name: rebuilt, lineinfile: {path: ~/app/etc/app.conf, regexp: '^port', line: 'port = 8080'}}
    - {name: mode, file: {path: ~/app/numbers, mode: '0600'}}
    - {name: registered, shell: echo registered >> ~/app/register, once: true, verify: test -e ~/app/register}
    - {name: gone, file: {path: ~/app/lib/data, state: absent}}
    - {name: last, copy: {dest: ~/app/done, content: '{{ ansible_facts.hostname | length > 0 }}'}}
  handlers:
    - {name: restart, shell: echo restarted >> ~/app/restarts, verify: test -e ~/app/restarts}
";

/// Every file below a folder: what it is, its mode, what it holds.
fn tree(root: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().display().to_string();
            let meta = path.symlink_metadata().unwrap();
            let what = if meta.is_symlink() {
                format!("-> {}", std::fs::read_link(&path).unwrap().display())
            } else if meta.is_dir() {
                folders.push(path.clone());
                "folder".to_owned()
            } else {
                std::fs::read_to_string(&path).unwrap()
            };
            found.insert(name, format!("{:o} {what}", mode(&path)));
        }
    }
    found
}

fn twenty() -> Desk {
    let desk = Desk::hosts(&["a", "b"]);
    // The replacement is made once; the task behind it keeps it.
    desk.write(
        "site.yml",
        &TWENTY.replace(
            "line: 'port = 80', create",
            "regexp: '^port', line: 'port = 8080', create",
        ),
    );
    desk.write("tree/one", "1\n");
    desk.write("tree/sub/two", "2\n");
    desk
}

#[test]
fn r43_a_run_killed_at_every_step_ends_as_one_that_nothing_disturbed() {
    let undisturbed = twenty();
    undisturbed.cmd("run site.yml -i hosts.ini").run().well();
    let wanted = ["a", "b"].map(|host| tree(&undisturbed.home(host).join("app")));
    let mut random = Random::new();

    let desk = twenty();
    let mut words = "run site.yml -i hosts.ini";
    let mut kills = 0;
    loop {
        let before = desk.runs().len();
        let mut running = desk.cmd(words).spawn();
        // As soon as the run does something of its own, and a moment later.
        loop {
            let newest = desk
                .runs()
                .into_iter()
                .nth_back(0)
                .filter(|_| desk.runs().len() > before);
            let journal = newest.map(|run| std::fs::read_to_string(run.join("journal.ndjson")).unwrap_or_default());
            if journal.is_some_and(|text| text.contains("\"event\":\"task_acting\"")) || !running.is_running() {
                break;
            }
            pause();
        }
        wait(Duration::from_millis(random.below(200)));
        if running.is_running() {
            running.signal(Signal::KILL);
            running.killed_or_ended();
            kills += 1;
        } else {
            let ran = running.wait();
            match ran.code {
                0 => break,
                // Something that a killed run began is still at work.
                11 => {}
                code => panic!("{code}: {}", ran.err),
            }
        }
        assert!(kills < 200, "it does not come to an end");
        words = if desk.cmd("resume --show").run().code == 0 {
            "resume"
        } else {
            "retry"
        };
    }
    tell(&format!("{kills} kills"));
    // How many fit in depends on the machine; a few there must be, or nothing was tried.
    assert!(kills >= 3, "{kills}");
    for (host, wanted) in ["a", "b"].iter().zip(wanted) {
        assert_eq!(tree(&desk.home(host).join("app")), wanted, "{host}");
    }
    desk.cmd("runs verify").run().well();
    let again = desk.cmd("run site.yml -i hosts.ini --output json").run().well();
    let changed: Vec<String> = again
        .results()
        .into_iter()
        .filter(|line| !line.ends_with(" ok"))
        .collect();
    assert!(changed.is_empty(), "{changed:?}");
}
