//! Host keys against known_hosts files, as OpenSSH reads them. libssh2's own reader gives false alarms, accepts revoked
//! keys and stops at the first odd line.
//!
//! A file is parsed once and shared by all workers; it is parsed anew when somebody else changed it.

mod entry;
mod file;
#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod fuzz;
pub(super) mod pattern;
mod write;

use std::collections::HashMap;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest, Sha256};

pub use entry::{Entry, Marker, key_type};
use file::KnownFile;
pub use write::{NewKey, Written, hash_name, write_keys};

/// What the files say about a host's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The key is known.
    Known,
    /// Nothing is known about this host. `by_authority`: where a `@cert-authority` line is all there is.
    Unknown {
        /// `file:line`.
        by_authority: Option<String>,
    },
    /// Another key is known.
    Changed {
        /// `file:line`.
        at: String,
        /// The type of the known key.
        known: String,
    },
    /// The key is revoked.
    Revoked {
        /// `file:line`.
        at: String,
    },
}

/// A key's fingerprint as `ssh` shows it: `SHA256:…`.
pub fn fingerprint(key: &[u8]) -> String {
    format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(key)))
}

/// The name a host is looked up under: the alias as it is, else the name, with the port unless it is 22.
pub fn lookup_name(address: &str, port: u16, alias: Option<&str>) -> String {
    if let Some(alias) = alias {
        return alias.to_ascii_lowercase();
    }
    let address = address
        .strip_prefix('[')
        .and_then(|a| a.strip_suffix(']'))
        .unwrap_or(address)
        .to_ascii_lowercase();
    if port == 22 {
        address
    } else {
        format!("[{address}]:{port}")
    }
}

/// All known_hosts files of a run.
#[derive(Default)]
pub struct KnownHosts {
    files: Mutex<HashMap<PathBuf, Cached>>,
}

struct Cached {
    stamp: Stamp,
    base: Arc<KnownFile>,
    /// What this run wrote since `base` was read: plain names only.
    added: KnownFile,
}

/// A file as it was when it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: (u64, u64),
    length: u64,
    changed: (i64, i64),
}

impl Stamp {
    fn of(meta: &std::fs::Metadata) -> Self {
        Self {
            inode: (meta.dev(), meta.ino()),
            length: meta.len(),
            changed: (meta.mtime(), meta.mtime_nsec()),
        }
    }
}

impl KnownHosts {
    /// Nothing read yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What `files` say about `key` of the host known as `name` (see [`lookup_name`]). A file that does not exist says
    /// nothing; one that cannot be read is an error.
    pub fn check(&self, files: &[PathBuf], name: &str, key: &[u8]) -> Result<Answer, String> {
        let lines = self.lines_for(files, name)?;
        let answer = judge(&lines, key);
        // As `ssh` does: an entry without the port is good enough for a host on another one, and a key that is revoked
        // there is revoked. Another key is no alarm.
        if let (Answer::Unknown { .. }, Some(plain)) = (&answer, without_port(name)) {
            match judge(&self.lines_for(files, plain)?, key) {
                plain @ (Answer::Known | Answer::Revoked { .. }) => return Ok(plain),
                Answer::Unknown { .. } | Answer::Changed { .. } => {}
            }
        }
        Ok(answer)
    }

    /// The types of the keys known for `name`: asked of the server first.
    pub fn types(&self, files: &[PathBuf], name: &str) -> Result<Vec<String>, String> {
        let mut lines = self.lines_for(files, name)?;
        if lines.is_empty()
            && let Some(plain) = without_port(name)
        {
            lines = self.lines_for(files, plain)?;
        }
        let mut types: Vec<String> = Vec::new();
        for (_, line) in lines {
            if line.marker == Marker::None && !types.contains(&line.kind) {
                types.push(line.kind.clone());
            }
        }
        Ok(types)
    }

    /// Writes a new key down in `file` under a lock. Another key for the same name that came in between (from another
    /// worker or program) is looked at first.
    pub fn remember(&self, file: &Path, name: &str, key: &[u8]) -> Result<Answer, String> {
        let fail = |what: &str, error: std::io::Error| format!("cannot {what} `{}`: {error}", file.display());
        let mut cache = self.lock();
        let mut handle = write::locked(file)?;
        let cached = Self::fresh(&mut cache, file)?;
        let lines = collect(cached, name);
        match judge(&lines, key) {
            Answer::Unknown { .. } => {}
            other => return Ok(other),
        }
        let kind = key_type(key).ok_or("the server's key has no type")?;
        let mut line = format!("{name} {kind} {}\n", STANDARD.encode(key));
        let length = handle.metadata().map_err(|error| fail("read", error))?.len();
        if length > 0 && !ends_with_newline(&handle, length) {
            line.insert(0, '\n');
        }
        // One write with O_APPEND under the lock: readers see the whole line or nothing.
        handle
            .write_all(line.as_bytes())
            .map_err(|error| fail("write", error))?;
        let meta = handle.metadata().map_err(|error| fail("read", error))?;
        if let Some(cached) = cache.get_mut(file) {
            let number = cached
                .base
                .lines()
                .saturating_add(cached.added.lines())
                .saturating_add(1);
            cached.added.add_line(line.trim(), file, number);
            cached.stamp = Stamp::of(&meta);
        }
        Ok(Answer::Known)
    }

    /// Other names under which `files` have this key in plain words, with their places.
    pub fn names_of(&self, files: &[PathBuf], key: &[u8], but: &str) -> Result<Vec<String>, String> {
        let mut found = Vec::new();
        for file in files {
            let base = Self::fresh(&mut self.lock(), file)?.base.clone();
            found.extend(base.names_of(key));
        }
        found.retain(|name| name.split(' ').next() != Some(but));
        Ok(found)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PathBuf, Cached>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lines_for(&self, files: &[PathBuf], name: &str) -> Result<Vec<(String, Entry)>, String> {
        let mut found = Vec::new();
        for file in files {
            let (base, added) = {
                let mut cache = self.lock();
                let cached = Self::fresh(&mut cache, file)?;
                (cached.base.clone(), cached.added.matching(name))
            };
            // Hashed names cost a hash each: not under the lock.
            found.extend(base.matching(name));
            found.extend(added);
        }
        Ok(found)
    }

    /// The file as it is now.
    fn fresh<'a>(cache: &'a mut HashMap<PathBuf, Cached>, file: &Path) -> Result<&'a mut Cached, String> {
        let fail = |error: std::io::Error| format!("cannot read `{}`: {error}", file.display());
        let stamp = match std::fs::metadata(file) {
            Ok(meta) => Stamp::of(&meta),
            Err(error)
                if matches!(
                    error.kind(),
                    std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
                ) =>
            {
                Stamp {
                    inode: (0, 0),
                    length: 0,
                    changed: (0, 0),
                }
            }
            Err(error) => return Err(fail(error)),
        };
        let current = cache.get(file).is_some_and(|cached| cached.stamp == stamp);
        if !current {
            let text = if stamp.inode == (0, 0) {
                Vec::new()
            } else {
                std::fs::read(file).map_err(fail)?
            };
            let base = Arc::new(KnownFile::parse(&text, file));
            let cached = Cached {
                stamp,
                base,
                added: KnownFile::default(),
            };
            cache.insert(file.to_owned(), cached);
        }
        cache.get_mut(file).ok_or_else(|| "the file was forgotten".to_owned())
    }
}

fn collect(cached: &Cached, name: &str) -> Vec<(String, Entry)> {
    let mut lines = cached.base.matching(name);
    lines.extend(cached.added.matching(name));
    lines
}

fn ends_with_newline(mut handle: &std::fs::File, length: u64) -> bool {
    use std::io::{Read, Seek, SeekFrom};
    let mut last = [0u8; 1];
    handle.seek(SeekFrom::Start(length.saturating_sub(1))).is_ok()
        && handle.read_exact(&mut last).is_ok()
        && last == *b"\n"
}

fn without_port(name: &str) -> Option<&str> {
    name.strip_prefix('[')
        .and_then(|rest| rest.split_once("]:"))
        .map(|(host, _)| host)
}

fn judge(lines: &[(String, Entry)], key: &[u8]) -> Answer {
    let place = |(file, entry): &(String, Entry)| format!("{file}:{}", entry.line);
    // A revoked key stays revoked whatever else stands there.
    if let Some(line) = lines.iter().find(|(_, e)| e.marker == Marker::Revoked && e.key == key) {
        return Answer::Revoked { at: place(line) };
    }
    let plain = || lines.iter().filter(|(_, e)| e.marker == Marker::None);
    if plain().any(|(_, e)| e.key == key) {
        return Answer::Known;
    }
    let kind = key_type(key);
    let other = plain()
        .find(|(_, e)| Some(e.kind.as_str()) == kind)
        .or_else(|| plain().next());
    if let Some(line) = other {
        return Answer::Changed {
            at: place(line),
            known: line.1.kind.clone(),
        };
    }
    Answer::Unknown {
        by_authority: lines.iter().find(|(_, e)| e.marker == Marker::CertAuthority).map(place),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(kind: &str, seed: u8) -> Vec<u8> {
        let mut blob = u32::try_from(kind.len()).unwrap().to_be_bytes().to_vec();
        blob.extend_from_slice(kind.as_bytes());
        blob.extend_from_slice(&[0, 0, 0, 4, seed, seed, seed, seed]);
        blob
    }

    fn line(names: &str, key: &[u8]) -> String {
        format!("{names} {} {}\n", key_type(key).unwrap(), STANDARD.encode(key))
    }

    fn check(text: &str, name: &str, key: &[u8]) -> Answer {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("kh");
        std::fs::write(&file, text).unwrap();
        let mut answer = KnownHosts::new().check(&[file], name, key).unwrap();
        let strip = |at: &mut String| *at = at.rsplit(':').next().unwrap().to_owned();
        match &mut answer {
            Answer::Changed { at, .. } | Answer::Revoked { at } | Answer::Unknown { by_authority: Some(at) } => {
                strip(at);
            }
            _ => {}
        }
        answer
    }

    #[test]
    fn names_ports_and_lists_match_as_in_ssh() {
        let k = key("ssh-ed25519", 1);
        assert_eq!(check(&line("web1", &k), "web1", &k), Answer::Known);
        assert_eq!(check(&line("db,WEB1,10.0.0.1", &k), "web1", &k), Answer::Known);
        assert_eq!(check(&line("[web1]:2222", &k), "[web1]:2222", &k), Answer::Known);
        assert_eq!(check(&line("web1", &k), "[web1]:2222", &k), Answer::Known);
        assert_eq!(check(&line("web*,!web1", &k), "web2", &k), Answer::Known);
        let unknown = Answer::Unknown { by_authority: None };
        assert_eq!(check(&line("web*,!web1", &k), "web1", &k), unknown);
        assert_eq!(
            check(&line("[127.0.65.*]:2300", &k), "[127.0.65.9]:2300", &k),
            Answer::Known
        );
        assert_eq!(check(&line("[web1]:2222", &k), "web1", &k), unknown);
        assert_eq!(
            check(&line("web1", &k).replace('\n', "\r\n"), "web1", &k),
            Answer::Known
        );
    }

    #[test]
    fn a_hashed_name_matches() {
        let k = key("ssh-ed25519", 1);
        let (salt, hash) = (
            STANDARD.encode([7u8; 20]),
            STANDARD.encode(pattern::hash(&[7u8; 20], "web1")),
        );
        assert_eq!(
            check(&line(&format!("|1|{salt}|{hash}"), &k), "web1", &k),
            Answer::Known
        );
        assert_ne!(
            check(&line(&format!("|1|{salt}|{hash}"), &k), "web2", &k),
            Answer::Known
        );
    }

    #[test]
    fn a_revoked_key_wins_over_a_good_line() {
        let k = key("ssh-ed25519", 1);
        let text = format!("{}@revoked {}", line("web1", &k), line("*", &k));
        assert_eq!(check(&text, "web1", &k), Answer::Revoked { at: "2".to_owned() });
        // Also for the host on another port, which nothing else is known about.
        let text = format!("@revoked {}", line("web1", &k));
        assert_eq!(check(&text, "[web1]:2222", &k), Answer::Revoked { at: "1".to_owned() });
    }

    #[test]
    fn another_key_is_an_alarm_with_its_place() {
        let text = format!("# comment\n\n{}", line("web1", &key("ssh-ed25519", 1)));
        let answer = check(&text, "web1", &key("ssh-ed25519", 2));
        assert_eq!(
            answer,
            Answer::Changed {
                at: "3".to_owned(),
                known: "ssh-ed25519".to_owned()
            }
        );
    }

    #[test]
    fn an_odd_line_does_not_hide_the_others() {
        let k = key("ssh-ed25519", 1);
        let text = format!("web1 ssh-ed25519\nweb1 ssh-ed25519 !!!\n\u{fffd}\n{}", line("web1", &k));
        assert_eq!(check(&text, "web1", &k), Answer::Known);
    }

    #[test]
    fn an_authority_alone_is_told_from_nothing() {
        let k = key("ssh-ed25519", 1);
        let text = format!("@cert-authority {}", line("*", &key("ssh-ed25519", 9)));
        assert_eq!(
            check(&text, "web1", &k),
            Answer::Unknown {
                by_authority: Some("1".to_owned())
            }
        );
    }

    #[test]
    fn a_new_key_is_written_once_and_seen_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ssh/known_hosts");
        let known = KnownHosts::new();
        let k = key("ssh-ed25519", 1);
        std::thread::scope(|scope| {
            for number in 0..16 {
                let (known, file, k) = (&known, &file, &k);
                scope.spawn(move || {
                    let name = format!("web{}", number % 4);
                    assert_eq!(known.remember(file, &name, k).unwrap(), Answer::Known);
                });
            }
        });
        assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count(), 4);
        let files = [file.clone()];
        assert_eq!(known.check(&files, "web2", &k).unwrap(), Answer::Known);
        assert!(matches!(
            known.check(&files, "web2", &key("ssh-ed25519", 2)).unwrap(),
            Answer::Changed { at, .. } if at.contains("known_hosts:")
        ));
        assert_eq!(known.types(&files, "web2").unwrap(), ["ssh-ed25519"]);
        // Somebody else's edit is seen.
        std::fs::write(&file, line("other", &k)).unwrap();
        assert!(matches!(
            known.check(&files, "web2", &k).unwrap(),
            Answer::Unknown { .. }
        ));
    }

    #[test]
    fn many_lines_are_looked_up_fast() {
        use std::fmt::Write as _;
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("kh");
        let k = key("ssh-ed25519", 1);
        let mut text = String::new();
        for number in 0..30_000 {
            write!(text, "{}", line(&format!("host{number}"), &k)).unwrap();
        }
        std::fs::write(&file, text).unwrap();
        let known = KnownHosts::new();
        let files = [file];
        known.check(&files, "host1", &k).unwrap();
        let start = std::time::Instant::now();
        for number in 0..10_000 {
            assert_eq!(
                known.check(&files, &format!("host{number}"), &k).unwrap(),
                Answer::Known
            );
        }
        assert!(
            start.elapsed() < std::time::Duration::from_secs(3),
            "{:?}",
            start.elapsed()
        );
    }

    #[test]
    fn a_name_is_looked_up_as_ssh_writes_it() {
        assert_eq!(lookup_name("Web1", 22, None), "web1");
        assert_eq!(lookup_name("10.0.0.1", 2222, None), "[10.0.0.1]:2222");
        assert_eq!(lookup_name("10.0.0.1", 2222, Some("Web1")), "web1");
        assert_eq!(lookup_name("[::1]", 22, None), "::1");
    }
}
