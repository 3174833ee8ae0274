//! Ansible Vault: `batchssh vault`, and encrypted files and values in runs.

mod command;
mod editing;
mod peer;
mod prompts;
mod runs;
mod secrets;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use batchssh::vault::{Envelope, open, seal};

use crate::support::Cmd;

/// A folder with password files: `p1` (`correct horse`), `p2` (`пароль 🔑`).
pub struct Bench {
    dir: tempfile::TempDir,
}

pub const ONE: &str = "correct horse";
pub const TWO: &str = "пароль 🔑";

impl Bench {
    pub fn new() -> Self {
        let bench = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        bench.write("p1", format!("{ONE}\n"), 0o600);
        bench.write("p2", format!("{TWO}\n"), 0o600);
        for folder in ["home", "tmp", "run"] {
            std::fs::create_dir(bench.path(folder)).unwrap();
        }
        bench
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>, mode: u32) {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    /// An encrypted file.
    pub fn sealed(&self, name: &str, text: impl AsRef<[u8]>, password: &str, label: Option<&str>, mode: u32) {
        self.write(name, sealed(text, password, label), mode);
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// What is encrypted in a file.
    pub fn opened(&self, name: &str, password: &str) -> Vec<u8> {
        let envelope = Envelope::parse(self.read(name).as_bytes()).unwrap();
        open(&envelope, password.as_bytes())
            .unwrap()
            .expect("the password is right")
            .to_vec()
    }

    /// The first line of a file.
    pub fn first(&self, name: &str) -> String {
        self.read(name).lines().next().unwrap_or_default().to_owned()
    }

    /// `batchssh` with these words, split at blanks.
    pub fn cmd(&self, words: &str) -> Cmd {
        let mut command = Command::new(env!("CARGO_BIN_EXE_batchssh"));
        command
            .args(words.split_whitespace())
            .current_dir(self.dir.path())
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.path("tmp"))
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Cmd { command }
    }

    /// A script that stands for an editor; `$1` is the file.
    pub fn editor(&self, script: &str) -> String {
        self.write("editor", format!("#!/bin/sh\n{script}\n"), 0o700);
        self.path("editor").display().to_string()
    }
}

/// A vault text.
pub fn sealed(text: impl AsRef<[u8]>, password: &str, label: Option<&str>) -> String {
    seal(text.as_ref(), password.as_bytes(), label).unwrap()
}

/// `name: !vault |` with the text below it.
pub fn inline(name: &str, text: &str, password: &str, label: Option<&str>) -> String {
    let lines: String = sealed(text, password, label)
        .lines()
        .map(|line| format!("  {line}\n"))
        .collect();
    format!("{name}: !vault |\n{lines}")
}

/// Every file below a folder whose content or name holds the text, and every link that leads to it.
pub fn files_with(folder: &Path, text: &str) -> Vec<PathBuf> {
    let holds = |path: &Path| {
        let content = std::fs::read(path).unwrap_or_default();
        let name = path.to_string_lossy().into_owned();
        name.contains(text) || content.windows(text.len()).any(|window| window == text.as_bytes())
    };
    walkdir::WalkDir::new(folder)
        .into_iter()
        .flatten()
        .filter(|entry| !entry.file_type().is_dir())
        .map(walkdir::DirEntry::into_path)
        .filter(|path| holds(path))
        .collect()
}
