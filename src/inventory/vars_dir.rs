//! `group_vars/` and `host_vars/` of one folder: for each name a file, or a folder of files.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::build::check_variable;
use super::read::{json_node, read_file, sha256};
use crate::source::Diagnostic;
use crate::vars::{Var, VarMap, reveal};
use crate::vault::Keyring;
use crate::yaml::{Kind, parse};

/// How files of variables end. The first that exists is taken.
const ENDINGS: [&str; 4] = ["", ".yml", ".yaml", ".json"];
/// How deep folders of files may be nested.
const DEEPEST: u32 = 16;

/// Whose variables are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// `group_vars/`.
    Group,
    /// `host_vars/`.
    Host,
}

/// Both folders below one folder. Files are read when they are asked for, once.
#[derive(Debug)]
pub(super) struct VarsDir {
    groups: Folder,
    hosts: Folder,
}

#[derive(Debug)]
struct Folder {
    path: PathBuf,
    /// What is in it, so that no host costs a look at the disk.
    names: HashSet<OsString>,
    read: Mutex<HashMap<String, Arc<VarMap>>>,
    /// SHA-256 of every file that was read.
    hashes: Mutex<BTreeMap<PathBuf, String>>,
}

impl VarsDir {
    /// Lists both folders. Neither needs to exist.
    pub(super) fn open(dir: &Path) -> Result<Self, Diagnostic> {
        Ok(Self {
            groups: Folder::open(dir.join("group_vars"))?,
            hosts: Folder::open(dir.join("host_vars"))?,
        })
    }

    /// The variables of a group or host. `None`: there is no file.
    pub(super) fn vars(&self, of: Of, name: &str, vault: &Keyring) -> Result<Option<Arc<VarMap>>, Diagnostic> {
        match of {
            Of::Group => self.groups.vars(name, vault),
            Of::Host => self.hosts.vars(name, vault),
        }
    }

    /// The folders of which something was read, each with one SHA-256 over all that was.
    pub(super) fn read_so_far(&self) -> Vec<(PathBuf, String)> {
        [&self.groups, &self.hosts]
            .into_iter()
            .filter_map(|folder| {
                let hashes = folder.hashes.lock().unwrap_or_else(PoisonError::into_inner);
                let lines: String = hashes
                    .iter()
                    .map(|(path, sha256)| format!("{sha256}  {}\n", path.display()))
                    .collect();
                (!lines.is_empty()).then(|| (folder.path.clone(), sha256(lines.as_bytes())))
            })
            .collect()
    }

    /// True when there is no file at all.
    pub(super) fn is_empty(&self, of: Of) -> bool {
        match of {
            Of::Group => self.groups.names.is_empty(),
            Of::Host => self.hosts.names.is_empty(),
        }
    }
}

impl Folder {
    fn open(path: PathBuf) -> Result<Self, Diagnostic> {
        let names = match std::fs::read_dir(&path) {
            Ok(entries) => entries.map(|entry| entry.map(|entry| entry.file_name())).collect(),
            // Not there, or no folder: nothing is said.
            Err(e)
                if matches!(
                    e.kind(),
                    std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
                ) =>
            {
                Ok(HashSet::new())
            }
            Err(e) => Err(e),
        };
        let names = names.map_err(|e| Diagnostic::new(format!("cannot read the folder `{}`: {e}", path.display())))?;
        Ok(Self {
            path,
            names,
            read: Mutex::default(),
            hashes: Mutex::default(),
        })
    }

    fn vars(&self, name: &str, vault: &Keyring) -> Result<Option<Arc<VarMap>>, Diagnostic> {
        // Names of groups that a run makes are not checked by a reader.
        if self.names.is_empty() || name.contains('/') || matches!(name, "" | "." | "..") {
            return Ok(None);
        }
        let known = |ending: &&&str| self.names.contains(&OsString::from(format!("{name}{ending}")));
        let Some(ending) = ENDINGS.iter().find(known) else {
            return Ok(None);
        };
        let held = self
            .read
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .cloned();
        if let Some(vars) = held {
            return Ok(Some(vars));
        }
        let mut vars = VarMap::new();
        let path = self.path.join(format!("{name}{ending}"));
        for file in files(&path, 0)? {
            let sha256 = read_vars(&file, vault, &mut vars)?;
            let mut hashes = self.hashes.lock().unwrap_or_else(PoisonError::into_inner);
            hashes.insert(file, sha256);
        }
        let vars = Arc::new(vars);
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.insert(name.to_owned(), vars.clone());
        Ok(Some(vars))
    }
}

/// The file itself, or every file of a folder and its folders, in the order of their names.
fn files(path: &Path, depth: u32) -> Result<Vec<PathBuf>, Diagnostic> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    if depth > DEEPEST {
        let message = format!("`{}`: folders are nested deeper than {DEEPEST}", path.display());
        return Err(Diagnostic::new(message).help("look for a symbolic link that leads back"));
    }
    let cannot = |e| Diagnostic::new(format!("cannot read the folder `{}`: {e}", path.display()));
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(path).map_err(cannot)? {
        entries.push(entry.map_err(cannot)?.path());
    }
    entries.sort();
    let mut found = Vec::new();
    for entry in entries {
        let name = entry
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        if name.starts_with('.') || name.ends_with('~') {
            continue;
        }
        let ending = entry.extension().map(|e| e.to_string_lossy().into_owned());
        if entry.is_dir() {
            if ending.is_none() {
                found.extend(files(&entry, depth + 1)?);
            }
        } else if matches!(ending.as_deref(), None | Some("yml" | "yaml" | "json")) {
            found.push(entry);
        }
    }
    Ok(found)
}

/// Adds the variables of one file; what it says again wins whole. Gives its SHA-256.
fn read_vars(path: &Path, vault: &Keyring, vars: &mut VarMap) -> Result<String, Diagnostic> {
    let (file, sha256) = read_file(path)?;
    let file = vault.opened(file)?;
    let root = if path.extension().is_some_and(|ending| ending == "json") {
        json_node(&file)?
    } else {
        parse(&file)?
    };
    let entries = match root.kind {
        Kind::Map(entries) => entries,
        Kind::Null => return Ok(sha256),
        Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::Text(_) | Kind::List(_) => {
            return Err(root.error(format!("a file of variables is a mapping, not {}", root.kind_name())));
        }
    };
    for (key, value) in entries {
        let Some(name) = key.as_str() else {
            return Err(key.error(format!("the name of a variable is text, not {}", key.kind_name())));
        };
        let at = value.span.clone();
        let value = Var::Source(Arc::new(value));
        check_variable(name, &value, &at)?;
        vars.insert(name.to_owned(), value);
    }
    reveal(vars, vault.revealed());
    Ok(sha256)
}
