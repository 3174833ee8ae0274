//! Putting one content at one path of the host: what `copy` and `template` share.

use std::path::PathBuf;

use serde_json::Value as Json;

use crate::event::Diff;
use crate::modules::attrs::{StateDiff, Wanted};
use crate::modules::look::{Body, DIRECTORY, LARGEST_DIFF, Look, REGULAR, Seen, Sight, State};
use crate::modules::mode::Mode;
use crate::modules::step::{Content, Reader, Sent, Step, Taken, Write};
use crate::modules::{Change, ModuleError, Values};

/// A content and where it goes.
#[derive(Clone, Debug)]
pub struct Placement {
    /// The content.
    pub content: Content,
    /// Its SHA-1; `None` for a file of the host, which tells it itself.
    pub sha1: Option<String>,
    /// Its MD5.
    pub md5: Option<String>,
    /// The name it gets in a directory; `None`: it cannot go into one (`content`).
    pub name: Option<String>,
    /// What is shown as its source in differences and results.
    pub source: String,
    /// Where to, as the user wrote it.
    pub dest: String,
    /// Owner, group and permissions.
    pub wanted: Wanted,
    /// `mode: preserve` of a file of the host: its permissions are taken.
    pub preserve_remote: bool,
    /// Permissions of directories that are made.
    pub directory_mode: Option<Mode>,
    /// A copy of the old file stays.
    pub backup: bool,
    /// What exists is replaced.
    pub force: bool,
    /// A link at the path is followed.
    pub follow: bool,
    /// Command that must accept the file.
    pub validate: Option<String>,
    /// May be overwritten in place.
    pub unsafe_writes: bool,
    /// Differences are wanted.
    pub diff: bool,
    /// The source was encrypted: a difference is not shown.
    pub is_hidden: bool,
    /// Nothing is going to be changed: what an earlier task would have made may be missing.
    pub check: bool,
}

/// Where it goes in the end.
struct Target<'a> {
    path: Vec<u8>,
    seen: Option<&'a Seen>,
    /// Directories to be made first, the outermost first.
    missing: Vec<Vec<u8>>,
}

impl Placement {
    /// What is sent, where it is a file of the controller, or was made of one. `content` is an argument of its own.
    pub fn sends(&self) -> Vec<Sent> {
        let Some(name) = &self.name else { return Vec::new() };
        let is_hidden = match &self.content {
            Content::Bytes(_) => true,
            Content::File { .. } => self.is_hidden,
            Content::Remote(_) => return Vec::new(),
        };
        vec![Sent {
            name: name.clone(),
            content: self.content.clone(),
            is_hidden,
        }]
    }

    /// Compares and says what to do.
    pub fn inspect(&self, host: &mut Reader<'_>) -> Result<Change, ModuleError> {
        let sights = self.sights();
        let want_content = self.diff.then_some((self.dest.as_bytes(), LARGEST_DIFF));
        let mut look = host.look(&sights, want_content)?;
        let mut content = std::mem::take(&mut look.content);
        let (target, source) = self.target(&look)?;
        if self.diff
            && content == Body::Nothing
            && target.path != self.dest.as_bytes()
            && let Some(found) = target.seen.and_then(|seen| seen.followed().found())
            && found.stat.is(REGULAR)
        {
            content = host.look(&[], Some((&target.path, LARGEST_DIFF)))?.content;
        }
        self.compare(&look, &target, source, &content, host)
    }

    /// What to look at: the directories on the way when they may have to be made, the path, the path in a directory, and
    /// the source when it is on the host.
    fn sights(&self) -> Vec<Sight> {
        let mut sights = Vec::new();
        let dest = self.dest.trim_end_matches('/');
        let dest = if dest.is_empty() { "/" } else { dest };
        if self.dest.ends_with('/') {
            sights.extend(ancestors(dest).into_iter().map(|path| Sight::of(path.as_bytes())));
        } else {
            sights.push(Sight::of(parent(dest)));
        }
        sights.push(self.digested(dest.to_owned()));
        if let Some(name) = &self.name {
            sights.push(self.digested(join(dest, name)));
        }
        if let Content::Remote(path) = &self.content {
            sights.push(Sight {
                algorithm: Some("sha1"),
                ..Sight::of(path.clone())
            });
        }
        sights
    }

    fn digested(&self, path: String) -> Sight {
        Sight {
            path: path.into_bytes(),
            algorithm: Some("sha1"),
            if_size: self.content.size(),
        }
    }

    fn target<'a>(&self, look: &'a Look) -> Result<(Target<'a>, Option<&'a Seen>), ModuleError> {
        let mut seen: &[Seen] = &look.seen;
        let source = match &self.content {
            Content::Remote(_) => {
                let (last, rest) = seen.split_last().ok_or_else(incomplete)?;
                seen = rest;
                Some(last)
            }
            Content::Bytes(_) | Content::File { .. } => None,
        };
        let inside = match &self.name {
            Some(_) => {
                let (last, rest) = seen.split_last().ok_or_else(incomplete)?;
                seen = rest;
                Some(last)
            }
            None => None,
        };
        let (dest, above) = seen.split_last().ok_or_else(incomplete)?;
        dest.known()?;
        if dest.is_dir() {
            let Some(inside) = inside else {
                return Err(ModuleError::failed("can not use content with a dir as dest"));
            };
            return Ok((
                Target {
                    path: inside.path.clone(),
                    seen: Some(inside.known()?),
                    missing: Vec::new(),
                },
                source,
            ));
        }
        if self.dest.ends_with('/') {
            let Some(inside) = inside else {
                return Err(ModuleError::failed("can not use content with a dir as dest"));
            };
            if !dest.is_absent() {
                return Err(ModuleError::failed(format!(
                    "dest {} ends with a slash, but is a {}",
                    dest.name(),
                    dest.word()
                )));
            }
            let missing = above.iter().chain([dest]).filter(|seen| seen.is_absent());
            return Ok((
                Target {
                    path: inside.path.clone(),
                    seen: None,
                    missing: missing.map(|seen| seen.path.clone()).collect(),
                },
                source,
            ));
        }
        let parent = above.last().ok_or_else(incomplete)?.known()?;
        if !parent.is_dir() && !self.check {
            return Err(ModuleError::failed(format!(
                "Destination directory {} does not exist",
                parent.name()
            )));
        }
        let target = match &dest.state {
            State::Link { real, .. } if self.follow => Target {
                path: real.path.clone(),
                seen: Some(real.known()?),
                missing: Vec::new(),
            },
            State::Link { .. } | State::Found(_) | State::Absent | State::Denied(_) => Target {
                path: dest.path.clone(),
                seen: Some(dest),
                missing: Vec::new(),
            },
        };
        Ok((target, source))
    }

    fn compare(
        &self,
        look: &Look,
        target: &Target<'_>,
        source: Option<&Seen>,
        old: &Body,
        host: &mut Reader<'_>,
    ) -> Result<Change, ModuleError> {
        let name = String::from_utf8_lossy(&target.path).into_owned();
        let seen = target.seen.filter(|seen| !seen.is_absent());
        let (sha1, source_mode) = self.source(source)?;
        let mut values = Values::new();
        values.insert("dest".into(), name.clone().into());
        values.insert("src".into(), self.source.clone().into());
        let mut wanted = self.wanted.clone();
        if self.preserve_remote {
            wanted.mode = source_mode.map(|bits| Mode::Bits(bits & 0o7777));
        }
        if let Some(seen) = seen {
            if seen
                .followed()
                .found()
                .is_some_and(|f| !f.stat.is(REGULAR) && !f.stat.is(DIRECTORY))
                && !seen.is_link()
            {
                return Err(ModuleError::failed(format!("{name} is neither a file nor a directory")));
            }
            if !self.force {
                values.insert("msg".into(), "file already exists".into());
                return Ok(Change::None { values });
            }
        }
        if let Some(sha1) = &sha1 {
            values.insert("checksum".into(), sha1.clone().into());
        }
        // Without a digest (no tool on the host) nobody knows: it is written again.
        let same = seen
            .and_then(Seen::found)
            .is_some_and(|found| sha1.is_some() && found.digest == sha1);
        if same && let Some(seen) = seen {
            return Ok(attributes(look, seen, &wanted, values));
        }
        if let Some(md5) = &self.md5 {
            values.insert("md5sum".into(), md5.clone().into());
        }
        if let Some(validate) = self.validate.as_deref().filter(|v| !v.contains("%s")) {
            return Err(ModuleError::failed(format!("validate must contain %s: {validate}")));
        }
        let diff = self.content_diff(&name, seen, old, host)?;
        let mut steps = Vec::new();
        for path in &target.missing {
            steps.push(Step::MakeDir { path: path.clone() });
            steps.extend(
                wanted
                    .with_mode(self.directory_mode.clone())
                    .steps_for_new(path, DIRECTORY, 0o777, look.umask),
            );
        }
        let stat = seen.and_then(Seen::found).map(|found| &found.stat);
        let remote = matches!(self.content, Content::Remote(_));
        let base = match (stat, source_mode) {
            (Some(_), Some(mode)) if remote => mode,
            (Some(stat), _) => stat.mode,
            (None, _) => REGULAR | 0o666 & !look.umask,
        };
        let bits = wanted
            .mode
            .as_ref()
            .map_or(base & 0o7777, |mode| mode.apply(base, look.umask));
        steps.push(Step::Write(Box::new(Write {
            path: target.path.clone(),
            content: self.content.clone(),
            sha1,
            mode: Some(bits),
            keep: stat.filter(|_| !remote).map(|stat| (stat.uid, stat.gid)),
            owner: wanted.owner_spec(),
            backup: self.backup && seen.is_some(),
            validate: self.validate.clone(),
            unsafe_writes: self.unsafe_writes,
        })));
        steps.push(Step::Tell {
            path: target.path.clone(),
            algorithm: None,
        });
        Ok(Change::Needed { diff, steps, values })
    }

    /// The source's SHA-1 and permissions, as far as they are known.
    fn source(&self, source: Option<&Seen>) -> Result<(Option<String>, Option<u32>), ModuleError> {
        let Some(source) = source else {
            return Ok((self.sha1.clone(), None));
        };
        let found = source.known()?.followed().found();
        match found {
            None => Err(ModuleError::failed(format!("Source {} not found", source.name()))),
            Some(found) if !found.readable => {
                Err(ModuleError::failed(format!("Source {} not readable", source.name())))
            }
            Some(found) if !found.stat.is(REGULAR) => Err(ModuleError::failed(format!(
                "Cannot copy invalid source '{}': not a file",
                source.name()
            ))),
            Some(found) => match (&self.sha1, &found.digest) {
                (Some(wanted), Some(is)) if wanted != is => Err(ModuleError::failed(
                    "Copied file does not match the expected checksum. Transfer failed.",
                )),
                _ => Ok((found.digest.clone(), Some(found.stat.mode))),
            },
        }
    }

    fn content_diff(
        &self,
        name: &str,
        seen: Option<&Seen>,
        old: &Body,
        host: &mut Reader<'_>,
    ) -> Result<Vec<Diff>, ModuleError> {
        if !self.diff {
            return Ok(Vec::new());
        }
        if self.is_hidden {
            return Ok(vec![Diff::Hidden("the source is encrypted".to_owned())]);
        }
        let new = match &self.content {
            content if content.size().is_some_and(|size| size > LARGEST_DIFF) => Body::Large,
            Content::Bytes(bytes) => Body::Bytes(bytes.to_vec()),
            Content::File { path, .. } => std::fs::read(path).map_or(Body::Nothing, Body::Bytes),
            Content::Remote(path) => host.look(&[], Some((path, LARGEST_DIFF)))?.content,
        };
        let after_header = if self.name.is_some() {
            self.source.as_str()
        } else {
            name
        };
        let before_header = if seen.is_some() { name } else { "before" };
        Ok(vec![text_diff(before_header, old, after_header, &new)])
    }

    /// Return keys after the steps.
    pub fn conclude(taken: &[Taken], values: &mut Values) {
        for one in taken {
            if let Some(backup) = &one.backup {
                values.insert("backup_file".into(), backup.clone().into());
            }
            if let Some(seen) = &one.seen {
                seen.describe(values);
            }
        }
    }
}

/// The content is right; owner and permissions may not be.
fn attributes(look: &Look, seen: &Seen, wanted: &Wanted, mut values: Values) -> Change {
    values.insert("path".into(), seen.name().into());
    seen.describe(&mut values);
    let Some(stat) = seen.stat() else {
        return Change::None { values };
    };
    let mut steps = wanted.steps(&seen.path, stat, look.umask, false);
    if steps.is_empty() {
        return Change::None { values };
    }
    let mut diff = StateDiff::of(&seen.name());
    wanted.tell(stat, look.umask, false, &mut diff);
    steps.push(Step::Tell {
        path: seen.path.clone(),
        algorithm: None,
    });
    Change::Needed {
        diff: diff.finish(),
        steps,
        values,
    }
}

/// The difference of two contents, when it can be shown.
pub fn text_diff(before_header: &str, before: &Body, after_header: &str, after: &Body) -> Diff {
    let side = |body: &Body| match body {
        Body::Nothing => Ok(String::new()),
        Body::Large => Err(format!("a side is larger than {LARGEST_DIFF} bytes")),
        Body::Bytes(bytes) if bytes.contains(&0) => Err("a side is binary".to_owned()),
        Body::Bytes(bytes) => Ok(String::from_utf8_lossy(bytes).into_owned()),
    };
    match (side(before), side(after)) {
        (Ok(before), Ok(after)) => Diff::Text {
            before_header: before_header.to_owned(),
            after_header: after_header.to_owned(),
            before,
            after,
        },
        (Err(reason), _) | (_, Err(reason)) => Diff::Hidden(reason),
    }
}

fn incomplete() -> ModuleError {
    ModuleError::failed("the host's answer is not complete")
}

/// The directory a path is in.
pub fn parent(path: &str) -> String {
    match path.trim_end_matches('/').rfind('/') {
        None => ".".to_owned(),
        Some(0) => "/".to_owned(),
        Some(at) => path.get(..at).unwrap_or_default().to_owned(),
    }
}

/// The last part of a path.
pub fn base_name(path: &str) -> &str {
    let path = path.trim_end_matches('/');
    path.rsplit('/').next().unwrap_or(path)
}

/// All directories above a path, the outermost first, without `/`.
pub fn ancestors(path: &str) -> Vec<String> {
    let trimmed = path.trim_end_matches('/');
    let cuts = trimmed.char_indices().filter(|(i, c)| *c == '/' && *i > 0);
    cuts.filter_map(|(i, _)| trimmed.get(..i).map(str::to_owned))
        .filter(|part| !part.ends_with('/'))
        .collect()
}

/// A name in a directory.
pub fn join(folder: &str, name: &str) -> String {
    if folder.ends_with('/') {
        format!("{folder}{name}")
    } else {
        format!("{folder}/{name}")
    }
}

/// A permissions argument that is not `preserve`.
pub fn mode_of(value: Option<&Json>) -> Result<Option<Mode>, ModuleError> {
    match value {
        None => Ok(None),
        Some(Json::String(text)) if text == "preserve" => Ok(None),
        Some(value) => Mode::parse(value).map(Some).map_err(ModuleError::failed),
    }
}

/// Permissions of a local file.
pub fn local_mode(path: &PathBuf) -> Result<u32, ModuleError> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path)
        .map(|meta| meta.permissions().mode() & 0o7777)
        .map_err(|e| ModuleError::failed(format!("cannot read `{}`: {e}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_apart() {
        assert_eq!(parent("/a/b"), "/a");
        assert_eq!(parent("/a"), "/");
        assert_eq!(parent("a"), ".");
        assert_eq!(base_name("/a/b/"), "b");
        assert_eq!(ancestors("/a/b/c"), ["/a", "/a/b"]);
        assert_eq!(ancestors("~/x//y"), ["~", "~/x"]);
        assert_eq!(join("/", "x"), "/x");
    }
}
