//! The retry file: the hosts that did not succeed, as an inventory and a `--limit` list, each with its reason.
//!
//! Hosts of the run that succeeded leave the file, hosts of earlier runs that were not in this one stay: a rerun of a
//! part of them must not lose the rest. Written under a temporary name and renamed.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use super::{Sink, text, words};
use crate::event::{Event, EventKind, Status};
use crate::names::HostName;

/// Longest reason, in columns.
const REASON: usize = 200;

/// One line of a retry file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The inventory name.
    pub host: HostName,
    /// Why it is there; empty when the file does not say.
    pub reason: String,
}

/// Reads a retry file. One that does not exist has no entries; a file that holds anything but names and comments (an
/// inventory with groups or variables) is an error, because it is about to be replaced.
pub fn read(path: &Path) -> io::Result<Vec<Entry>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut entries = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let (name, reason) = line.split_once('#').unwrap_or((line, ""));
        let name = name.trim();
        if name.is_empty() {
            continue;
        }
        if name.contains(|c: char| c.is_whitespace() || "[]=:{}".contains(c)) && !is_address(name) {
            let text = format!(
                "`{}`:{number}: not a line of a retry file; the file is left as it is, name another with --retry-file",
                path.display()
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        entries.push(Entry {
            host: HostName::from(name),
            reason: reason.trim().to_owned(),
        });
    }
    Ok(entries)
}

/// Host names that hold colons: IPv6 addresses.
fn is_address(name: &str) -> bool {
    name.trim_matches(['[', ']']).parse::<std::net::Ipv6Addr>().is_ok()
}

/// What is known of a host.
#[derive(Default)]
struct Known {
    touched: bool,
    status: Option<Status>,
    /// Task and reason of its last bad result, and how bad it was.
    bad: Option<(String, String, Status)>,
    msg: Option<String>,
}

/// The sink that keeps the retry file.
pub struct RetryFile {
    path: PathBuf,
    hosts: IndexMap<HostName, Known>,
    /// Whether the run got as far as having hosts at all.
    started: bool,
    check: bool,
    /// Hosts that an earlier run of the chain left, and this one does not go on with.
    owed: Vec<Entry>,
}

impl RetryFile {
    /// Keeps the file at `path`; `hosts` are those of the run in inventory order.
    pub fn new(path: impl Into<PathBuf>, hosts: impl IntoIterator<Item = HostName>) -> Self {
        Self {
            path: path.into(),
            hosts: hosts.into_iter().map(|host| (host, Known::default())).collect(),
            started: false,
            check: false,
            owed: Vec::new(),
        }
    }

    /// Also lists these hosts, unless the run has them: a killed run could not list them.
    #[must_use]
    pub fn owing(mut self, owed: Vec<Entry>) -> Self {
        self.owed = owed;
        self
    }

    /// The hosts that did not succeed, with the reason.
    pub fn left(&self) -> Vec<Entry> {
        self.hosts
            .iter()
            .filter_map(|(host, known)| Some((host, reason(known)?)))
            .map(|(host, reason)| Entry {
                host: host.clone(),
                reason: text::fit(&text::one_line(&reason), REASON, "..."),
            })
            .collect()
    }

    fn write(&self, entries: &[Entry]) -> io::Result<()> {
        let dir = match self.path.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => dir,
            _ => Path::new("."),
        };
        let mut file = tempfile::Builder::new()
            .prefix(".batchssh-retry-")
            .permissions(fs::Permissions::from_mode(0o666)) // the umask takes its part
            .tempfile_in(dir)?;
        let mut lines = String::new();
        for entry in entries {
            lines.push_str(entry.host.as_str());
            if !entry.reason.is_empty() {
                lines.push_str("  # ");
                lines.push_str(&entry.reason);
            }
            lines.push('\n');
        }
        file.write_all(lines.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(&self.path).map_err(|e| e.error)?;
        // Not every file system can sync a directory; the file itself is complete either way.
        let _ = File::open(dir).and_then(|d| d.sync_all());
        Ok(())
    }
}

fn reason(known: &Known) -> Option<String> {
    match known.status {
        Some(status) if status.is_good() => None,
        Some(status) => {
            let why = match (&known.bad, &known.msg) {
                (Some((task, reason, _)), _) if !task.is_empty() => format!(" at `{task}`: {reason}"),
                (Some((_, reason, _)), _) | (None, Some(reason)) => format!(": {reason}"),
                (None, None) => String::new(),
            };
            Some(format!("{}{why}", words::word(status)))
        }
        None if known.bad.is_some() => {
            // The run was killed before it could give a verdict.
            let (task, why, status) = known.bad.as_ref()?;
            Some(format!("{} at `{task}`: {why}", words::word(*status)))
        }
        None if known.touched => Some("interrupted".to_owned()),
        None => Some("not started".to_owned()),
    }
}

impl Sink for RetryFile {
    fn name(&self) -> &'static str {
        "the retry file"
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        match &event.kind {
            EventKind::RunStarted { hosts, check, .. } => {
                self.started = true;
                self.check = *check;
                for host in hosts {
                    // Of a chain of runs, the last that has a host decides.
                    self.hosts.insert(host.clone(), Known::default());
                }
            }
            EventKind::HostStarted { host, .. } | EventKind::HostConnected { host, .. } => {
                self.hosts.entry(host.clone()).or_default().touched = true;
            }
            EventKind::TaskResult(report) => {
                let known = self.hosts.entry(report.host.clone()).or_default();
                known.touched = true;
                if !report.status.is_good() && !report.ignored && !report.rescued {
                    known.bad = Some((report.task.clone(), words::reason(report), report.status));
                }
            }
            EventKind::HostDone { host, status, msg, .. } => {
                let known = self.hosts.entry(host.clone()).or_default();
                known.status = Some(*status);
                known.msg.clone_from(msg);
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        if !self.started {
            return Ok(());
        }
        let mut entries = self.left();
        // Looking is not doing: a check that finds nothing wrong has retried nobody.
        if self.check && entries.is_empty() {
            return Ok(());
        }
        let before = read(&self.path)?;
        let mut seen: HashSet<&HostName> = self.hosts.keys().collect();
        let others = self.owed.iter().chain(&before);
        let others: Vec<Entry> = others.filter(|e| seen.insert(&e.host)).cloned().collect();
        entries.extend(others);
        if entries.is_empty() {
            return match fs::remove_file(&self.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
        }
        if entries == before {
            return Ok(());
        }
        self.write(&entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::{bad, command, done, feed, names, report, result, started};

    fn run(path: &Path, hosts: &[&str], events: Vec<EventKind>) {
        feed(&mut RetryFile::new(path, names(hosts)), events);
    }

    fn host_started(host: &str) -> EventKind {
        EventKind::HostStarted {
            host: host.into(),
            task: "t".to_owned(),
        }
    }

    #[test]
    fn hosts_without_success_are_listed_in_inventory_order_with_their_reason() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("site.retry");
        let hosts = ["d", "good", "a", "b", "c", "e"];
        run(
            &path,
            &hosts,
            vec![
                started("site.yml", &hosts, false),
                host_started("b"),
                result(command("a", Status::Failed, 1, "", "no space\x1b[0m\n")),
                done("a", Status::Failed, "x"),
                result(bad(
                    "d",
                    "setup",
                    Status::Unreachable,
                    "connect timeout\nafter 10s # really",
                )),
                done("d", Status::Unreachable, ""),
                result(report("good", "t", Status::Changed)),
                done("good", Status::Changed, ""),
                done("e", Status::InDoubt, "connection lost"),
            ],
        );
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            concat!(
                "d  # unreachable at `setup`: connect timeout\\nafter 10s # really\n",
                "a  # failed at `command`: rc=1: no space\\u{1b}[0m\n",
                "b  # interrupted\n",
                "c  # not started\n",
                "e  # in doubt: connection lost\n"
            )
        );
        let entries = read(&path).unwrap();
        assert_eq!(entries[2].host.as_str(), "b");
        assert_eq!(
            entries[0].reason,
            "unreachable at `setup`: connect timeout\\nafter 10s # really"
        );
        let files: Vec<_> = fs::read_dir(dir.path()).unwrap().collect();
        assert_eq!(files.len(), 1, "no temporary file stays");
    }

    #[test]
    fn hosts_that_succeed_leave_the_file_and_the_last_takes_it_along() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r");
        fs::write(&path, "a  # failed\nb\n\n# note\n::1\n").unwrap();
        let good = |host: &str| vec![started("s", &[host], false), done(host, Status::Ok, "")];
        run(&path, &["a"], good("a"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "b\n::1\n");
        run(
            &path,
            &["b"],
            vec![started("s", &["b"], false), done("b", Status::Failed, "again")],
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "b  # failed: again\n::1\n");
        run(&path, &["b"], good("b"));
        run(&path, &["::1"], good("::1"));
        assert!(!path.exists());
        run(&path, &["b"], good("b"));
        assert!(!path.exists());
    }

    #[test]
    fn a_check_takes_nobody_out_and_a_run_that_never_began_writes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r");
        fs::write(&path, "a\n").unwrap();
        let mut start = started("s", &["a"], false);
        if let EventKind::RunStarted { check, .. } = &mut start {
            *check = true;
        }
        run(&path, &["a"], vec![start, done("a", Status::Ok, "")]);
        run(&path, &["b"], vec![]);
        assert_eq!(fs::read_to_string(&path).unwrap(), "a\n");
    }

    #[test]
    fn an_inventory_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hosts.ini");
        for inventory in ["[web]\na\n", "a ansible_port=22\n"] {
            fs::write(&path, inventory).unwrap();
            let mut sink = RetryFile::new(&path, names(&["a"]));
            let event = Event {
                kind: started("s", &["a"], false),
                seq: 1,
                time: String::new(),
            };
            sink.event(&event).unwrap();
            let error = sink.finish().unwrap_err().to_string();
            assert!(error.contains(":1: not a line of a retry file"), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), inventory);
        }
    }
}
