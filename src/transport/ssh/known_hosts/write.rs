//! Writing known_hosts: under a lock that other runs of this program wait for, whole or not at all.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::file::KnownFile;
use super::pattern::{self, PatternList};
use super::{Answer, entry, judge, key_type};

/// A key to be written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKey {
    /// Under which name (see [`lookup_name`](super::lookup_name)).
    pub name: String,
    /// The key as the protocol has it.
    pub key: Vec<u8>,
    /// Lines with another key of the same type for that name are taken out first.
    pub replace: bool,
}

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Keys that were added.
    pub added: usize,
    /// Lines, or names in lines, that were taken out.
    pub removed: usize,
    /// What was not written, and why: something else stands there now, or a pattern is in the way.
    pub refused: Vec<String>,
    /// The file as it was before something was taken out of it.
    pub old: Option<PathBuf>,
}

/// Opens a file for appending, made with its folder when it is not there, and locks it. The lock is on the file that
/// has the name at that moment: another run may have replaced it meanwhile.
pub(super) fn locked(file: &Path) -> Result<File, String> {
    let fail = |what: &str, error: io::Error| format!("cannot {what} `{}`: {error}", file.display());
    if let Some(dir) = file.parent().filter(|dir| !dir.as_os_str().is_empty() && !dir.exists()) {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(|error| fail("make the directory of", error))?;
    }
    loop {
        let handle = OpenOptions::new()
            .append(true)
            .read(true)
            .create(true)
            .mode(0o600)
            .open(file)
            .map_err(|error| fail("write", error))?;
        rustix::fs::flock(&handle, rustix::fs::FlockOperation::LockExclusive)
            .map_err(|error| fail("lock", error.into()))?;
        let own = handle.metadata().map_err(|error| fail("read", error))?;
        let named = std::fs::metadata(file);
        if named.is_ok_and(|named| (named.dev(), named.ino()) == (own.dev(), own.ino())) {
            return Ok(handle);
        }
    }
}

/// Writes keys down. What the file says when the lock is held counts, not what it said when the keys were looked at. With
/// `hashed` names are written so that nobody can read them (`HashKnownHosts`).
pub fn write_keys(file: &Path, keys: &[NewKey], hashed: bool) -> Result<Written, String> {
    let fail = |what: &str, error: io::Error| format!("cannot {what} `{}`: {error}", file.display());
    let mut written = Written::default();
    let mut handle = locked(file)?;
    // A link stays one: what it leads to is replaced.
    let real = std::fs::canonicalize(file).map_err(|error| fail("read", error))?;
    let mut old = Vec::new();
    handle.read_to_end(&mut old).map_err(|error| fail("read", error))?;
    let mut text = old.clone();
    if keys.iter().any(|key| key.replace) {
        text = without(&old, keys, &mut written);
        if written.removed > 0 {
            written.old = Some(keep(&real, &old).map_err(|error| fail("keep a copy of", error))?);
        }
    }
    if !text.is_empty() && !text.ends_with(b"\n") {
        text.push(b'\n');
    }
    let known = KnownFile::parse(&text, file);
    let mut added: Vec<(&str, &[u8])> = Vec::new();
    for new in keys {
        let kind = key_type(&new.key).ok_or("a key has no type")?;
        if added.contains(&(new.name.as_str(), new.key.as_slice())) {
            continue;
        }
        let lines = known.matching(&new.name);
        match judge(&lines, &new.key) {
            Answer::Known => continue,
            Answer::Revoked { at } => {
                written
                    .refused
                    .push(format!("{}: the key is revoked at {at}", new.name));
                continue;
            }
            // Another type stands beside it; another key of this type does not.
            Answer::Changed { at, known } if known == kind => {
                written
                    .refused
                    .push(format!("{}: {at} has another {kind} key", new.name));
                continue;
            }
            Answer::Changed { .. } | Answer::Unknown { .. } => {}
        }
        let name = if hashed {
            hash_name(&new.name)?
        } else {
            new.name.clone()
        };
        text.extend_from_slice(format!("{name} {kind} {}\n", STANDARD.encode(&new.key)).as_bytes());
        added.push((&new.name, &new.key));
    }
    written.added = added.len();
    if text != old {
        replace(&real, &text).map_err(|error| fail("write", error))?;
    }
    Ok(written)
}

/// The text without lines that have another key of the same type under a name that is to be replaced. Of a line with
/// several names only that name goes.
fn without(text: &[u8], keys: &[NewKey], written: &mut Written) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for (number, line) in (1..).zip(text.split_inclusive(|byte| *byte == b'\n')) {
        let parsed = std::str::from_utf8(line)
            .ok()
            .map(|text| (text, entry::parse(text, number)));
        let Some((shown, Ok(Some((names, entry))))) = parsed else {
            out.extend_from_slice(line);
            continue;
        };
        let in_the_way: Vec<&NewKey> = keys
            .iter()
            .filter(|new| new.replace && entry.marker == entry::Marker::None)
            .filter(|new| key_type(&new.key) == Some(entry.kind.as_str()) && new.key != entry.key)
            .filter(|new| names_match(names, &new.name))
            .collect();
        if in_the_way.is_empty() {
            out.extend_from_slice(line);
        } else if names.contains(['*', '?', '!']) {
            let all: Vec<&str> = in_the_way.iter().map(|new| new.name.as_str()).collect();
            written.refused.push(format!(
                "{}: line {number} has another key for the pattern `{names}`: change it by hand",
                all.join(", ")
            ));
            out.extend_from_slice(line);
        } else {
            written.removed = written.removed.saturating_add(1);
            let gone = |name: &&str| in_the_way.iter().any(|new| new.name.eq_ignore_ascii_case(name));
            let left: Vec<&str> = names.split(',').filter(|name| !gone(name)).collect();
            if !names.starts_with('|') && !left.is_empty() {
                out.extend_from_slice(shown.replacen(names, &left.join(","), 1).as_bytes());
            }
        }
    }
    out
}

fn names_match(names: &str, name: &str) -> bool {
    if names.starts_with('|') {
        return pattern::Hashed::parse(names).is_some_and(|hashed| hashed.matches(name));
    }
    PatternList::parse(names).matches(name)
}

/// A name that nobody can read: `|1|salt|hash`.
pub fn hash_name(name: &str) -> Result<String, String> {
    let mut salt = [0; 20];
    getrandom::fill(&mut salt).map_err(|error| format!("the system gives no random numbers: {error}"))?;
    let hash = pattern::hash(&salt, name);
    Ok(format!("|1|{}|{}", STANDARD.encode(salt), STANDARD.encode(hash)))
}

/// A copy beside the file, as `ssh-keygen -R` leaves one.
fn keep(file: &Path, text: &[u8]) -> io::Result<PathBuf> {
    let mut name = file.as_os_str().to_owned();
    name.push(".old");
    let old = PathBuf::from(name);
    replace(&old, text)?;
    Ok(old)
}

/// Puts a new content in place, with the mode and the owner of the old one.
fn replace(file: &Path, text: &[u8]) -> io::Result<()> {
    let folder = file
        .parent()
        .filter(|dir| !dir.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut temp = tempfile::Builder::new().prefix(".known_hosts-").tempfile_in(folder)?;
    temp.write_all(text)?;
    if let Ok(meta) = std::fs::metadata(file) {
        let own = temp.as_file().metadata()?;
        if (own.uid(), own.gid()) != (meta.uid(), meta.gid()) {
            let (user, group) = (
                rustix::fs::Uid::from_raw(meta.uid()),
                rustix::fs::Gid::from_raw(meta.gid()),
            );
            rustix::fs::fchown(temp.as_file(), Some(user), Some(group))?;
        }
        temp.as_file()
            .set_permissions(Permissions::from_mode(meta.mode() & 0o7777))?;
    }
    temp.as_file().sync_all()?;
    temp.persist(file).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::super::KnownHosts;
    use super::*;

    fn key(kind: &str, seed: u8) -> Vec<u8> {
        let mut blob = u32::try_from(kind.len()).unwrap().to_be_bytes().to_vec();
        blob.extend_from_slice(kind.as_bytes());
        blob.extend_from_slice(&[0, 0, 0, 1, seed]);
        blob
    }

    fn line(names: &str, key: &[u8]) -> String {
        format!("{names} {} {}\n", key_type(key).unwrap(), STANDARD.encode(key))
    }

    fn new(name: &str, key: &[u8], replace: bool) -> NewKey {
        NewKey {
            name: name.to_owned(),
            key: key.to_vec(),
            replace,
        }
    }

    const ED: &str = "ssh-ed25519";

    #[test]
    fn new_keys_are_added_behind_what_is_there_and_known_ones_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("sub/known_hosts");
        let (a, b, rsa) = (key(ED, 1), key(ED, 2), key("ssh-rsa", 3));
        let keys = [
            new("web1", &a, false),
            new("[web2]:22", &b, false),
            new("web1", &a, false),
        ];
        assert_eq!(write_keys(&file, &keys, false).unwrap().added, 2);
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        // No line end at the end, and a comment: both stay.
        std::fs::write(&file, format!("# mine\n{}", line("web1", &a).trim_end())).unwrap();
        let keys = [new("web1", &a, false), new("web1", &rsa, false), new("web1", &b, false)];
        let written = write_keys(&file, &keys, false).unwrap();
        assert_eq!((written.added, written.removed), (1, 0));
        assert!(
            written.refused[0].contains("known_hosts:2 has another ssh-ed25519 key"),
            "{written:?}"
        );
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(text, format!("# mine\n{}{}", line("web1", &a), line("web1", &rsa)));
    }

    #[test]
    fn a_changed_key_is_replaced_only_when_that_is_said_and_the_old_file_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("kh");
        let (old, now, rsa) = (key(ED, 1), key(ED, 2), key("ssh-rsa", 3));
        let before = format!(
            "{}{}{}@revoked {}\u{fffd}\n",
            line("web1,10.0.0.1", &old),
            line("WEB1", &old),
            line("web1", &rsa),
            line("other", &old)
        );
        std::fs::write(&file, &before).unwrap();
        let written = write_keys(&file, &[new("web1", &now, true)], false).unwrap();
        assert_eq!(
            (written.added, written.removed, written.refused.len()),
            (1, 2, 0),
            "{written:?}"
        );
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(
            text,
            format!(
                "{}{}@revoked {}\u{fffd}\n{}",
                line("10.0.0.1", &old),
                line("web1", &rsa),
                line("other", &old),
                line("web1", &now)
            )
        );
        assert_eq!(std::fs::read_to_string(written.old.unwrap()).unwrap(), before);
        // A revoked key is never written, a pattern is never changed.
        let written = write_keys(&file, &[new("other", &old, true)], false).unwrap();
        assert!(written.refused[0].contains("revoked at"), "{written:?}");
        std::fs::write(&file, line("web*", &old)).unwrap();
        let written = write_keys(&file, &[new("web1", &now, true)], false).unwrap();
        assert!(written.refused[0].contains("pattern `web*`"), "{written:?}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), line("web*", &old));
    }

    #[test]
    fn hashed_names_are_found_and_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("kh");
        let (old, now) = (key(ED, 1), key(ED, 2));
        write_keys(&file, &[new("[web1]:2222", &old, false)], true).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("|1|") && !text.contains("web1"), "{text}");
        let known = |key: &[u8]| {
            KnownHosts::new()
                .check(std::slice::from_ref(&file), "[web1]:2222", key)
                .unwrap()
        };
        assert_eq!(known(&old), Answer::Known);
        let written = write_keys(&file, &[new("[web1]:2222", &now, true)], true).unwrap();
        assert_eq!((written.added, written.removed), (1, 1));
        assert_eq!(known(&now), Answer::Known);
    }

    #[test]
    fn writers_at_the_same_time_lose_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("kh");
        let known = KnownHosts::new();
        std::thread::scope(|scope| {
            for number in 0..8 {
                let (file, known) = (&file, &known);
                scope.spawn(move || {
                    for turn in 0..5 {
                        let name = format!("web{number}-{turn}");
                        if number % 2 == 0 {
                            write_keys(file, &[new(&name, &key(ED, number), false)], turn % 2 == 0).unwrap();
                        } else {
                            known.remember(file, &name, &key(ED, number)).unwrap();
                        }
                    }
                });
            }
        });
        let files = [file.clone()];
        for number in 0..8 {
            for turn in 0..5 {
                let name = format!("web{number}-{turn}");
                let answer = KnownHosts::new().check(&files, &name, &key(ED, number)).unwrap();
                assert_eq!(answer, Answer::Known, "{name}");
            }
        }
        assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count(), 40);
    }
}
