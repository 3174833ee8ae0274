//! The files of a role: where it is, its variables, what it depends on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::plan::compile::{Compiler, Here};
use crate::plan::tasks::listed;
use crate::plan::variables::read_vars_file;
use crate::playbook::keywords::boolean;
use crate::playbook::{Reader, RoleUse};
use crate::source::{Diagnostic, nearest};
use crate::vars::VarMap;
use crate::yaml::{self, Node};

impl Compiler<'_> {
    /// The folder of a role, or where it was looked for.
    pub(super) fn find_role(&self, name: &str, here: &Here) -> Result<PathBuf, Vec<PathBuf>> {
        let mut folders = vec![self.scene.dir.join("roles")];
        folders.extend(self.options.roles_path.iter().cloned());
        // Beside the role that uses it.
        let beside = here.role.as_ref().and_then(|role| role.path.parent());
        folders.extend(beside.map(Path::to_owned));
        folders.push(self.scene.dir.clone());
        let found = folders
            .iter()
            .map(|folder| folder.join(name))
            .find(|folder| folder.is_dir());
        // An empty name would be the folder of roles itself.
        found.filter(|_| !name.trim().is_empty()).ok_or_else(|| {
            let mut absolute: Vec<PathBuf> = Vec::new();
            folders.retain(|folder| {
                let path = super::files::absolute(folder);
                let is_new = !absolute.contains(&path);
                absolute.push(path);
                is_new
            });
            folders
        })
    }

    /// Reads `defaults/` or `vars/`: one file, or all of a folder `main`.
    pub(super) fn role_vars(&mut self, folder: &Path, name: &str, at: &Node) -> Arc<VarMap> {
        let mut vars = VarMap::new();
        let mut files = Vec::new();
        match find_file(folder, name) {
            Some(file) => files.push(file),
            None if folder.join(name).is_dir() => {
                let found = walkdir::WalkDir::new(folder.join(name))
                    .max_depth(8)
                    .sort_by_file_name();
                let is_vars = |path: &Path| {
                    let kind = path.extension().and_then(|kind| kind.to_str());
                    matches!(kind, None | Some("yml" | "yaml" | "json"))
                };
                let found = found
                    .into_iter()
                    .filter_map(Result::ok)
                    .filter(|entry| entry.file_type().is_file());
                files.extend(found.map(walkdir::DirEntry::into_path).filter(|path| is_vars(path)));
            }
            None if name != "main" => {
                self.report(at.error(format!("no file of variables `{name}` in `{}`", folder.display())));
            }
            None => {}
        }
        for file in files {
            if let Some(more) = self.note(read_vars_file(&file, self.options)) {
                vars.extend(more);
            }
        }
        self.check_role_vars(&vars);
        Arc::new(vars)
    }

    pub(super) fn meta_of(&mut self, folder: &Path) -> Meta {
        let mut meta = Meta::default();
        let Some(path) = find_file(&folder.join("meta"), "main") else {
            return meta;
        };
        let root = match self.options.read(&path).and_then(|file| yaml::parse(&file)) {
            Ok(root) => root,
            Err(mistake) => {
                self.report(mistake);
                return meta;
            }
        };
        if root.as_map().is_none() && !root.is_null() {
            self.report(root.error(format!("a role's `meta` is a mapping, not {}", root.kind_name())));
        }
        if let Some(dependencies) = root.get("dependencies") {
            let knows = |_: &str| None;
            let mut reader = Reader::new(&knows);
            meta.dependencies = reader.roles(dependencies);
            let mistakes = std::mem::take(&mut reader.errors);
            self.report_all(mistakes);
        }
        if let Some(allow) = root.get("allow_duplicates") {
            match boolean(allow) {
                Some(yes) => meta.allow_duplicates = yes,
                None => self.report(allow.error("`allow_duplicates` must be a boolean")),
            }
        }
        meta
    }
}

/// `meta/main.yml`.
#[derive(Default)]
pub(super) struct Meta {
    pub dependencies: Vec<RoleUse>,
    pub allow_duplicates: bool,
}

/// The file of that name with one of the usual endings.
pub(super) fn find_file(folder: &Path, name: &str) -> Option<PathBuf> {
    let endings = ["", ".yml", ".yaml", ".json"];
    let has_ending = [".yml", ".yaml", ".json"].iter().any(|ending| name.ends_with(ending));
    let order: &[usize] = if has_ending { &[0, 1, 2, 3] } else { &[1, 2, 3, 0] };
    let file = |at: &usize| endings.get(*at).map(|ending| folder.join(format!("{name}{ending}")));
    order.iter().filter_map(file).find(|path| path.is_file())
}

/// What to say about a role that is not there.
pub(super) fn missing_role(at: &Node, name: &str, folders: &[PathBuf]) -> Diagnostic {
    let near = folders.iter().find_map(|folder| {
        let found = std::fs::read_dir(folder).ok()?;
        let mut names: Vec<String> = found
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .take(1000)
            .collect();
        names.sort_unstable();
        nearest(name, names.iter().map(String::as_str)).map(str::to_owned)
    });
    let near = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
    at.error(format!("no role `{name}`"))
        .help(format!("{near}searched in: {}", listed(folders)))
}
