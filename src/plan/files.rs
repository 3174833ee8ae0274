//! Finding and reading files of tasks.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::plan::compile::{Compiler, Here, Items};
use crate::playbook::Reader;
use crate::vars::{Scope, Value, Var, VarMap};
use crate::yaml::{self, Node};

/// A path from the root, without looking at the file system.
pub(super) fn absolute(path: &Path) -> PathBuf {
    let path = if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    };
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

impl Compiler<'_> {
    /// Folders that a task's relative files are looked for in.
    pub(super) fn search(&self, here: &Here) -> Vec<PathBuf> {
        let mut folders: Vec<PathBuf> = Vec::new();
        let role = here.role.iter().map(|role| role.path.clone());
        let dependents = here.dependents.iter().cloned();
        let rest = [absolute(&here.dir), absolute(&self.scene.dir)];
        for folder in role.chain(dependents).chain(rest) {
            if !folders.contains(&folder) {
                folders.push(folder);
            }
        }
        folders
    }

    /// The file of tasks that `name` means here, or the folders where it is not.
    pub(super) fn find_tasks(&self, name: &str, here: &Here) -> Result<PathBuf, Vec<PathBuf>> {
        let mut folders = vec![here.dir.clone()];
        if let Some(role) = &here.role {
            folders.push(role.path.join("tasks"));
        }
        folders.push(self.scene.dir.clone());
        let found = folders
            .iter()
            .map(|folder| folder.join(name))
            .find(|path| path.is_file());
        found.ok_or_else(|| {
            folders.dedup();
            folders
        })
    }

    /// Reads a file of tasks once.
    pub(super) fn items(&mut self, path: &Path, role: Option<&Path>) -> Option<Arc<Vec<crate::playbook::Item>>> {
        if !self.files.contains_key(path) {
            let items = self.read_items(path, role);
            self.files.insert(path.to_owned(), items);
        }
        match self.files.get(path)?.clone() {
            Ok(items) => Some(items),
            Err(mistakes) => {
                self.report_all(mistakes);
                None
            }
        }
    }

    fn read_items(&self, path: &Path, role: Option<&Path>) -> Items {
        let file = self.options.read(path).map_err(|mistake| vec![mistake])?;
        let root = yaml::parse(&file).map_err(|mistake| vec![mistake])?;
        let mut libraries = vec![self.scene.dir.join("library")];
        libraries.extend(role.map(|role| role.join("library")));
        let options = self.options;
        let knows = |name: &str| super::actions::known(name, options, &libraries);
        let mut reader = Reader::new(&knows);
        let items = reader.items(&root);
        if reader.errors.is_empty() {
            Ok(Arc::new(items))
        } else {
            Err(reader.errors)
        }
    }

    /// A name that must be known before hosts are: of a file, of a role.
    pub(super) fn static_name(&mut self, node: &Node, here: &Here, what: &str) -> Option<String> {
        if !node.has_template() {
            return node.scalar_text();
        }
        match self.options.templar.render(node, &self.scope(here)) {
            Ok(value) => Some(value.to_string()),
            Err(cause) => {
                let message = format!("cannot work out the name in `{what}`: {}", cause.message);
                let help = "it is read before any host is known, so only variables of the play and --extra-vars can be \
                            used in it; the include_ form waits until the task is reached";
                self.report(node.error(message).help(help));
                None
            }
        }
    }

    /// The variables that are known without a host.
    fn scope(&self, here: &Here) -> Scope {
        let mut scope = Scope::new();
        if let Some(role) = &here.role {
            role.parents
                .iter()
                .for_each(|parent| scope.push(parent.defaults.clone()));
            scope.push(role.defaults.clone());
        }
        scope.push(self.scene.vars.clone());
        if let Some(role) = &here.role {
            role.parents.iter().for_each(|parent| scope.push(parent.vars.clone()));
            scope.push(role.vars.clone());
            scope.push(role.params.clone());
        }
        let layers = here.keywords.vars.iter().chain(&here.include_vars);
        layers.for_each(|layer| scope.push(layer.clone()));
        let mut magic = VarMap::new();
        let mut tell = |name: &str, value: String| magic.insert(name.to_owned(), Var::Data(Value::from(value)));
        tell("playbook_dir", absolute(&self.scene.dir).display().to_string());
        if let Some(role) = &here.role {
            tell("role_path", role.path.display().to_string());
            tell("role_name", role.name.clone());
            tell("ansible_role_name", role.name.clone());
        }
        scope.push(Arc::new(magic));
        scope.push(self.options.extra_vars.clone());
        scope
    }
}
