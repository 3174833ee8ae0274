//! A directory of the controller and everything in it.

use std::path::Path;

use walkdir::WalkDir;

use crate::event::Diff;
use crate::modules::attrs::Wanted;
use crate::modules::given::Arguments;
use crate::modules::local;
use crate::modules::look::{DIRECTORY, Look, REGULAR, Seen, Sight, State};
use crate::modules::mode::Mode;
use crate::modules::place;
use crate::modules::step::{Content, Reader, Sent, Step, Write};
use crate::modules::{Change, Given, ModuleError, Values};

/// What is to be there.
#[derive(Debug)]
pub(super) struct Tree {
    source: String,
    dest: String,
    items: Vec<Item>,
    wanted: Wanted,
    directory_mode: Option<Mode>,
    force: bool,
    backup: bool,
    diff: bool,
}

#[derive(Debug)]
struct Item {
    /// Path below the destination.
    name: Vec<u8>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Directory,
    File {
        content: Content,
        size: u64,
        sha1: String,
        /// For `mode: preserve`.
        mode: u32,
    },
    Link(Vec<u8>),
}

impl Tree {
    pub(super) fn read(
        given: &Given<'_>,
        args: Arguments<'_>,
        path: &Path,
        contents_only: bool,
    ) -> Result<Self, ModuleError> {
        use std::os::unix::ffi::OsStrExt;
        let follow = args.flag("local_follow");
        let top = match path.file_name() {
            Some(name) if !contents_only => Some(name.as_bytes().to_vec()),
            _ => None,
        };
        let mut items = Vec::new();
        let walk = WalkDir::new(path).follow_links(follow).sort_by_file_name();
        for entry in walk {
            let entry = entry.map_err(|e| ModuleError::failed(format!("cannot read `{}`: {e}", path.display())))?;
            let below = entry.path().strip_prefix(path).unwrap_or(Path::new(""));
            let mut name = top.clone().unwrap_or_default();
            if !below.as_os_str().is_empty() {
                if !name.is_empty() {
                    name.push(b'/');
                }
                name.extend_from_slice(below.as_os_str().as_bytes());
            }
            if name.is_empty() {
                continue;
            }
            let kind = if entry.file_type().is_dir() {
                Kind::Directory
            } else if entry.file_type().is_symlink() {
                let target = std::fs::read_link(entry.path())
                    .map_err(|e| ModuleError::failed(format!("cannot read `{}`: {e}", entry.path().display())))?;
                Kind::Link(target.as_os_str().as_bytes().to_vec())
            } else if entry.file_type().is_file() {
                let path = entry.path().to_path_buf();
                let source = local::Source::read(&path, given.templar.vault(), args.flag("decrypt"))?;
                Kind::File {
                    mode: place::local_mode(&path)?,
                    size: source.digests.size,
                    sha1: source.digests.sha1,
                    content: source.content,
                }
            } else {
                return Err(ModuleError::failed(format!(
                    "`{}` is neither a file nor a directory nor a link",
                    entry.path().display()
                )));
            };
            items.push(Item { name, kind });
        }
        Ok(Self {
            source: path.display().to_string(),
            dest: args.required("dest")?.trim_end_matches('/').to_owned(),
            items,
            wanted: Wanted::read(args, None)?,
            directory_mode: place::mode_of(args.value("directory_mode"))?,
            force: args.flag("force"),
            backup: args.flag("backup"),
            diff: given.diff,
        })
        .map(|tree| tree.preserving(args))
    }

    /// With `mode: preserve` every file keeps its own permissions.
    fn preserving(mut self, args: Arguments<'_>) -> Self {
        let preserve = args.text("mode") == Some("preserve");
        for item in &mut self.items {
            if let Kind::File { mode, .. } = &mut item.kind
                && !preserve {
                    *mode = u32::MAX;
                }
        }
        self
    }

    /// Every file, and where links lead; a directory without files counts by its name.
    pub(super) fn sends(&self) -> Vec<Sent> {
        let items = self.items.iter().map(|item| {
            let (content, is_hidden) = match &item.kind {
                Kind::Directory => (Content::empty(), false),
                Kind::File { content, .. } => (content.clone(), matches!(content, Content::Bytes(_))),
                Kind::Link(target) => (Content::Bytes(target.as_slice().into()), false),
            };
            Sent {
                name: String::from_utf8_lossy(&item.name).into_owned(),
                content,
                is_hidden,
            }
        });
        items.collect()
    }

    pub(super) fn inspect(&self, host: &mut Reader<'_>) -> Result<Change, ModuleError> {
        let top = if self.dest.is_empty() { "/" } else { &self.dest };
        let mut sights: Vec<Sight> = place::ancestors(top).into_iter().map(Sight::of).collect();
        sights.push(Sight::of(top));
        let above = sights.len();
        for item in &self.items {
            let mut path = self.dest.clone().into_bytes();
            path.push(b'/');
            path.extend_from_slice(&item.name);
            sights.push(match &item.kind {
                Kind::File { size, .. } => Sight {
                    path,
                    algorithm: Some("sha1"),
                    if_size: Some(*size),
                },
                Kind::Directory | Kind::Link(_) => Sight::of(path),
            });
        }
        let look = host.look(&sights, None)?;
        let (folders, seen) = look.seen.split_at(above.min(look.seen.len()));
        let mut plan = Changes::default();
        for folder in folders {
            self.folder(&look, folder.known()?, false, &mut plan)?;
        }
        for (item, seen) in self.items.iter().zip(seen) {
            seen.known()?;
            match &item.kind {
                Kind::Directory => self.folder(&look, seen, true, &mut plan)?,
                Kind::File {
                    content, sha1, mode, ..
                } => self.file(&look, seen, content, sha1, *mode, &mut plan)?,
                Kind::Link(target) => link(seen, target, &mut plan),
            }
        }
        let mut values = Values::new();
        values.insert("dest".into(), format!("{}/", self.dest).into());
        values.insert("src".into(), self.source.clone().into());
        if plan.steps.is_empty() {
            return Ok(Change::None { values });
        }
        let diff = if self.diff { plan.words } else { Vec::new() };
        Ok(Change::Needed {
            diff,
            steps: plan.steps,
            values,
        })
    }

    fn folder(&self, look: &Look, seen: &Seen, own: bool, plan: &mut Changes) -> Result<(), ModuleError> {
        let wanted = self.wanted.with_mode(self.directory_mode.clone());
        match seen.followed().stat() {
            None if seen.is_absent() => {
                plan.add("directory", seen);
                plan.steps.push(Step::MakeDir { path: seen.path.clone() });
                plan.steps
                    .extend(wanted.steps_for_new(&seen.path, DIRECTORY, 0o777, look.umask));
                Ok(())
            }
            Some(stat) if stat.is(DIRECTORY) => {
                if own {
                    let steps = wanted.steps(&seen.path, stat, look.umask, false);
                    if !steps.is_empty() {
                        plan.add("permissions of", seen);
                        plan.steps.extend(steps);
                    }
                }
                Ok(())
            }
            _ => Err(ModuleError::failed(format!(
                "{} already exists as a {}",
                seen.name(),
                seen.word()
            ))),
        }
    }

    fn file(
        &self,
        look: &Look,
        seen: &Seen,
        content: &Content,
        sha1: &str,
        own_mode: u32,
        plan: &mut Changes,
    ) -> Result<(), ModuleError> {
        if seen.is_dir() && !seen.is_link() {
            return Err(ModuleError::failed(format!("{} already exists as a directory", seen.name())));
        }
        if !seen.is_absent() && !self.force {
            return Ok(());
        }
        let mut wanted = self.wanted.clone();
        if own_mode != u32::MAX {
            wanted.mode = Some(Mode::Bits(own_mode));
        }
        let found = seen.found();
        if let Some(found) = found.filter(|found| found.digest.as_deref() == Some(sha1)) {
            let steps = wanted.steps(&seen.path, &found.stat, look.umask, false);
            if !steps.is_empty() {
                plan.add("permissions of", seen);
                plan.steps.extend(steps);
            }
            return Ok(());
        }
        plan.add("file", seen);
        let base = found.map_or(REGULAR | 0o666 & !look.umask, |found| found.stat.mode);
        plan.steps.push(Step::Write(Box::new(Write {
            path: seen.path.clone(),
            content: content.clone(),
            sha1: Some(sha1.to_owned()),
            mode: Some(wanted.mode.as_ref().map_or(base & 0o7777, |mode| mode.apply(base, look.umask))),
            keep: found.map(|found| (found.stat.uid, found.stat.gid)),
            owner: wanted.owner_spec(),
            backup: self.backup && found.is_some(),
            validate: None,
            unsafe_writes: false,
        })));
        Ok(())
    }
}

fn link(seen: &Seen, target: &[u8], plan: &mut Changes) {
    if matches!(&seen.state, State::Link { target: old, .. } if old == target) {
        return;
    }
    plan.add("link", seen);
    plan.steps.push(Step::Symlink {
        path: seen.path.clone(),
        target: target.to_vec(),
    });
}

#[derive(Default)]
struct Changes {
    steps: Vec<Step>,
    words: Vec<Diff>,
}

/// So many changed paths are named in a difference.
const NAMED: usize = 200;

impl Changes {
    fn add(&mut self, what: &str, seen: &Seen) {
        if self.words.len() < NAMED {
            let name = seen.name();
            self.words.push(Diff::Words(if seen.is_absent() {
                format!("new {what} {name}")
            } else {
                format!("changed {what} {name}")
            }));
        }
    }
}
