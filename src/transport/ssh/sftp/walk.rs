//! Walking a remote tree: many directories are read at once, each directory appears before what is in it.

use std::collections::{HashMap, VecDeque};

use crate::deadline::Deadline;
use crate::transport::SessionError;
use crate::transport::files::{FileError, FileKind, Walk, WalkEntry, WalkLimits, bad_name, join};
use crate::transport::ssh::sftp::client::{SftpClient, expect_attributes, expect_status, wrong_type};
use crate::transport::ssh::sftp::operations::{link_target, stat};
use crate::transport::ssh::sftp::packet::{Attributes, Response, kind, status};

/// Directories being read at once.
const OPEN_DIRS: usize = 16;

/// Link and type questions in flight.
const QUESTIONS: usize = 64;

/// What a request in flight is about; the numbers are places in the list of entries.
enum Asked {
    Open(usize),
    Read(usize, Vec<u8>),
    Close,
    Link(usize),
    Kind(usize, Vec<u8>),
}

struct Walker<'a> {
    root: &'a [u8],
    limits: WalkLimits,
    walk: Walk,
    asked: HashMap<u32, Asked>,
    dirs: VecDeque<usize>,
    links: VecDeque<usize>,
    /// Directory and name of what came without a type.
    unknown: VecDeque<(usize, Vec<u8>)>,
    open_dirs: usize,
    /// All paths seen, the good and the bad: a listing of bad names must end too.
    seen: usize,
}

pub(super) fn walk(
    client: &mut SftpClient,
    root: &[u8],
    limits: WalkLimits,
    deadline: &Deadline,
) -> Result<Walk, SessionError> {
    let Some(root_stat) = stat(client, root, deadline)? else {
        return Err(FileError::failed("no such file or directory").at(root));
    };
    let mut walker = Walker {
        root,
        limits,
        walk: Walk::default(),
        asked: HashMap::new(),
        dirs: VecDeque::new(),
        links: VecDeque::new(),
        unknown: VecDeque::new(),
        open_dirs: 0,
        seen: 0,
    };
    if root_stat.kind == FileKind::Directory {
        walker.dirs.push_back(0);
    }
    walker.walk.entries.push(WalkEntry {
        path: Box::default(),
        stat: root_stat,
        link: None,
    });
    let result = walker.run(client, deadline);
    if result.is_err() {
        client.abandon_all();
        // Directories still open are closed; the answers do not matter.
        let mut open: Vec<_> = walker.asked.into_values().collect();
        open.retain(|asked| matches!(asked, Asked::Read(..)));
        for asked in open {
            if let Asked::Read(_, handle) = asked {
                client.request_and_forget(kind::CLOSE, |w| w.string(&handle));
            }
        }
    }
    result.map(|()| walker.walk)
}

impl Walker<'_> {
    fn run(&mut self, client: &mut SftpClient, deadline: &Deadline) -> Result<(), SessionError> {
        loop {
            self.ask(client);
            if self.asked.is_empty() {
                return Ok(());
            }
            match client.take_answer()? {
                Some((id, response)) => {
                    let Some(asked) = self.asked.remove(&id) else {
                        return Err(client.protocol_error("an answer nobody waits for"));
                    };
                    let next = self.answer(asked, response)?;
                    match next {
                        Next::Nothing => {}
                        Next::Read(dir, handle) => {
                            let id = client.request(kind::READDIR, |w| w.string(&handle));
                            self.asked.insert(id, Asked::Read(dir, handle));
                        }
                        Next::Close(handle) => {
                            self.open_dirs = self.open_dirs.saturating_sub(1);
                            let id = client.request(kind::CLOSE, |w| w.string(&handle));
                            self.asked.insert(id, Asked::Close);
                        }
                    }
                }
                None => client.pump(deadline)?,
            }
        }
    }

    fn ask(&mut self, client: &mut SftpClient) {
        while self.open_dirs < OPEN_DIRS {
            let Some(dir) = self.dirs.pop_front() else { break };
            let path = self.full_path(dir, b"");
            let id = client.request(kind::OPENDIR, |w| w.string(&path));
            self.asked.insert(id, Asked::Open(dir));
            self.open_dirs = self.open_dirs.saturating_add(1);
        }
        while self.asked.len() < QUESTIONS {
            if let Some(link) = self.links.pop_front() {
                let path = self.full_path(link, b"");
                let id = client.request(kind::READLINK, |w| w.string(&path));
                self.asked.insert(id, Asked::Link(link));
            } else if let Some((dir, name)) = self.unknown.pop_front() {
                let path = self.full_path(dir, &name);
                let id = client.request(kind::LSTAT, |w| w.string(&path));
                self.asked.insert(id, Asked::Kind(dir, name));
            } else {
                break;
            }
        }
    }

    fn answer(&mut self, asked: Asked, response: Response<'_>) -> Result<Next, SessionError> {
        match asked {
            Asked::Open(dir) => {
                if let Response::Handle(handle) = response {
                    return Ok(Next::Read(dir, handle.to_vec()));
                }
                self.open_dirs = self.open_dirs.saturating_sub(1);
                let error = match expect_status("open directory", &response) {
                    Err(error) => error,
                    Ok(()) => wrong_type("open directory"),
                };
                self.fail_dir(dir, error)?;
                Ok(Next::Nothing)
            }
            Asked::Read(dir, handle) => match response {
                Response::Names(names) if names.is_empty() => {
                    self.fail_dir(
                        dir,
                        FileError::failed("read directory: the server lists nothing and no end"),
                    )?;
                    Ok(Next::Close(handle))
                }
                Response::Names(names) => {
                    for (name, attributes) in names {
                        self.name(dir, name, &attributes)?;
                    }
                    Ok(Next::Read(dir, handle))
                }
                Response::Status { code: status::EOF, .. } => Ok(Next::Close(handle)),
                other => {
                    let error = match expect_status("read directory", &other) {
                        Err(error) => error,
                        Ok(()) => wrong_type("read directory"),
                    };
                    self.fail_dir(dir, error)?;
                    Ok(Next::Close(handle))
                }
            },
            Asked::Close => Ok(Next::Nothing),
            Asked::Link(link) => {
                let target = link_target(&response);
                if let Some(entry) = self.walk.entries.get_mut(link) {
                    match target {
                        Ok(target) => entry.link = Some(target.into_boxed_slice()),
                        Err(error) => {
                            let path = entry.path.to_vec();
                            self.walk.failures.push((path, error));
                        }
                    }
                }
                Ok(Next::Nothing)
            }
            Asked::Kind(dir, name) => {
                match expect_attributes("lstat", &response) {
                    Ok(Some(attributes)) if attributes.stat().is_some() => self.entry(dir, &name, &attributes),
                    // Gone since the listing.
                    Ok(None) => {}
                    Ok(Some(_)) => self.fail(dir, &name, FileError::failed("the server does not say what it is")),
                    Err(error) => self.fail(dir, &name, error),
                }
                Ok(Next::Nothing)
            }
        }
    }

    /// Looks at one name of a listing.
    fn name(&mut self, dir: usize, name: &[u8], attributes: &Attributes) -> Result<(), SessionError> {
        // Every listing has these two.
        if matches!(name, b"." | b"..") {
            return self.count();
        }
        if let Some(why) = bad_name(name) {
            self.count()?;
            self.fail(dir, name, FileError::failed(why));
            return Ok(());
        }
        if attributes.stat().is_none() {
            self.count()?;
            self.unknown.push_back((dir, name.to_vec()));
            return Ok(());
        }
        self.count()?;
        self.entry(dir, name, attributes);
        Ok(())
    }

    fn entry(&mut self, dir: usize, name: &[u8], attributes: &Attributes) {
        let Some(stat) = attributes.stat() else { return };
        let path = self.relative(dir, name);
        let depth = path.split(|b| *b == b'/').count();
        let index = self.walk.entries.len();
        match stat.kind {
            FileKind::Directory if depth < self.limits.depth => self.dirs.push_back(index),
            FileKind::Directory if self.limits.depth > 1 => {
                let reason = format!("deeper than {} directories: not looked into", self.limits.depth);
                self.fail(dir, name, FileError::failed(reason));
            }
            FileKind::Link => self.links.push_back(index),
            FileKind::Directory | FileKind::File | FileKind::Special => {}
        }
        self.walk.entries.push(WalkEntry {
            path: path.into_boxed_slice(),
            stat,
            link: None,
        });
    }

    fn count(&mut self) -> Result<(), SessionError> {
        self.seen = self.seen.saturating_add(1);
        if self.seen > self.limits.entries {
            let reason = format!("more than {} paths are listed: given up", self.limits.entries);
            return Err(FileError::failed(reason).at(self.root));
        }
        Ok(())
    }

    fn fail_dir(&mut self, dir: usize, error: FileError) -> Result<(), SessionError> {
        if dir == 0 {
            // Nothing can be said about the tree.
            return Err(error.at(self.root));
        }
        self.fail(dir, b"", error);
        Ok(())
    }

    fn fail(&mut self, dir: usize, name: &[u8], error: FileError) {
        let path = self.relative(dir, name);
        self.walk.failures.push((path, error));
    }

    fn relative(&self, dir: usize, name: &[u8]) -> Vec<u8> {
        join(self.walk.entries.get(dir).map_or(&b""[..], |entry| &entry.path), name)
    }

    fn full_path(&self, dir: usize, name: &[u8]) -> Vec<u8> {
        join(self.root, &self.relative(dir, name))
    }
}

enum Next {
    Nothing,
    Read(usize, Vec<u8>),
    Close(Vec<u8>),
}
