//! Disks of this machine that nobody else has.

use std::path::{Path, PathBuf};
use std::process::Command;

use batchssh::deadline::{CancelToken, Deadline};
use batchssh::engine::take::take;
use batchssh::modules::answer::Answer;
use batchssh::modules::step::{Reader, Step};
use serde_json::Value as Json;

use crate::harness::{Outcome, run};
use crate::session::{Local, Shell, shells};

/// A folder, and the shells of this machine.
pub(crate) struct Machine {
    folder: tempfile::TempDir,
    pub(crate) shells: Vec<Shell>,
}

impl Machine {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut shells = shells(folder.path());
        for shell in &mut shells {
            // What a login of root has.
            shell.path.push_str(":/usr/sbin:/sbin");
        }
        std::fs::create_dir(folder.path().join("box")).unwrap();
        Self { folder, shells }
    }

    /// Where a test may put things.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("box").join(name)
    }

    /// The same as text.
    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Two shells that are as different as can be, for what takes long under each.
    pub(crate) fn first_and_last(&self) -> Vec<&Shell> {
        let last = self.shells.last().filter(|_| self.shells.len() > 1);
        self.shells.first().into_iter().chain(last).collect()
    }

    /// A module once, under this shell.
    pub(crate) fn run(&self, shell: &Shell, module: &str, args: &Json) -> Outcome {
        let mut session = Local::new(shell, self.path(""));
        run(module, args, false, self.folder.path(), &mut session)
    }

    /// The same in check mode.
    pub(crate) fn check(&self, shell: &Shell, module: &str, args: &Json) -> Outcome {
        let mut session = Local::new(shell, self.path(""));
        run(module, args, true, self.folder.path(), &mut session)
    }

    /// Takes steps of which the first runs a snippet: `yes` or `no`, as it says whether it changed anything, or `fail`.
    pub(crate) fn take(&self, shell: &Shell, steps: &[Step]) -> Vec<u8> {
        let deadline = Deadline::none(CancelToken::new());
        let mut session = Local::new(shell, self.path(""));
        let mut reader = Reader {
            link: &mut session,
            elevate: None,
            environment: &[],
            deadline: &deadline,
        };
        let taken = take(steps, &mut reader).unwrap();
        let mut answer = Answer::find(&taken[0].stdout, taken[0].rc, &taken[0].stderr).unwrap();
        match answer.field().unwrap() {
            b"ok" => answer.field().unwrap().to_vec(),
            other => other.to_vec(),
        }
    }
}

/// True for root with loop devices and these programs; else it is said why the test does not run.
pub(crate) fn can(test: &str, programs: &[&str]) -> bool {
    let lacks = if rustix::process::geteuid().is_root() {
        let mut all = vec!["losetup", "mount", "umount"];
        all.extend(programs);
        let missing = all.into_iter().find(|program| !is_there(program));
        missing.map(str::to_owned).or_else(|| {
            let folder = tempfile::tempdir().unwrap();
            let probe = folder.path().join("probe");
            std::fs::write(&probe, vec![0; 65_536]).unwrap();
            match Loop::attach(&probe) {
                Some(_) => None,
                None => Some("loop devices".to_owned()),
            }
        })
    } else {
        Some("root".to_owned())
    };
    if let Some(lacks) = &lacks {
        eprintln!("SKIPPED {test}: it needs {lacks}");
    }
    lacks.is_none()
}

pub(crate) fn is_there(program: &str) -> bool {
    [
        "/usr/sbin",
        "/sbin",
        "/usr/bin",
        "/bin",
        "/usr/local/bin",
        "/usr/local/sbin",
    ]
    .iter()
    .any(|folder| Path::new(folder).join(program).exists())
}

/// A program of this machine; its output, and a panic when it fails.
pub(crate) fn program(words: &[&str]) -> String {
    let output = Command::new(words[0])
        .args(&words[1..])
        .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
        .output()
        .unwrap_or_else(|error| panic!("{words:?}: {error}"));
    assert!(
        output.status.success(),
        "{words:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A loop device. Whatever is mounted from it is unmounted and it is detached when it is dropped.
pub(crate) struct Loop {
    pub(crate) device: String,
}

impl Loop {
    /// A disk of so many MiB, empty and sparse.
    pub(crate) fn new(machine: &Machine, name: &str, mebibytes: u64) -> Self {
        let path = machine.path(name);
        let file = std::fs::File::create(&path).unwrap();
        file.set_len(mebibytes * 1024 * 1024).unwrap();
        Self::attach(&path).unwrap_or_else(|| panic!("no loop device for {}", path.display()))
    }

    fn attach(path: &Path) -> Option<Self> {
        let output = Command::new("losetup")
            .args(["-f", "-P", "--show"])
            .arg(path)
            .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
            .output()
            .ok()?;
        let device = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        (output.status.success() && Path::new(&device).exists()).then_some(Self { device })
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let table = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        for line in table.lines().rev() {
            let mut words = line.split(' ');
            let (source, place) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            if source == self.device || source.starts_with(&format!("{}p", self.device)) {
                drop(Command::new("umount").arg(place.replace("\\040", " ")).output());
            }
        }
        drop(Command::new("losetup").args(["-d", &self.device]).output());
    }
}

/// What `/proc/self/mounts` has for a path, the last line of it.
pub(crate) fn mounted(path: &str) -> Option<String> {
    let table = std::fs::read_to_string("/proc/self/mounts").unwrap();
    let line = table.lines().rev().find(|line| line.split(' ').nth(1) == Some(path));
    line.map(str::to_owned)
}
