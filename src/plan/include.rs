//! Dynamic includes: files and roles that are read when their task is reached.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::plan::compile::{CompileOptions, Compiler, Here, Scene};
use crate::plan::roles::{From, Wanted};
use crate::plan::{Entry, Keywords, Play, Role, Task};
use crate::source::{Diagnostic, Diagnostics};
use crate::vars::VarMap;
use crate::yaml::Node;

/// Most dynamic includes one inside of the other.
const DEEPEST: u16 = 100;

/// The tasks of a file that `parent`, an `include_tasks`, names.
///
/// `path` is the rendered name; it is searched for beside the file of `parent`, in its role, and beside the playbook.
/// `apply` is that of the action. `vars` are the include's own `vars` and the variables of its loop, which are stronger in
/// the included tasks than anything but extra variables; weaker, as those of a block, are all `vars` that `parent` stands under.
pub fn include_tasks(
    path: &Path,
    parent: &Task,
    apply: &Keywords,
    vars: &Arc<VarMap>,
    play: &Play,
    options: &CompileOptions,
) -> Result<Vec<Entry>, Diagnostics> {
    let mut compiler = Compiler::new(options);
    let here = enter(&mut compiler, parent, apply, vars, play)?;
    let named = Node::text(path.display().to_string(), &parent.at);
    let name = path.to_string_lossy();
    let file = compiler.find_tasks(&name, &here);
    let file = file.map_err(|folders| super::tasks::missing_file(&named, &name, &folders))?;
    let entries = compiler.tasks_of(&file, here, &named, false);
    compiler.finish()?;
    Ok(entries)
}

/// The rendered arguments of `include_role`.
#[derive(Clone, Debug, Default)]
pub struct RoleRequest {
    /// `name`.
    pub name: String,
    /// `tasks_from`.
    pub tasks_from: Option<String>,
    /// `vars_from`.
    pub vars_from: Option<String>,
    /// `defaults_from`.
    pub defaults_from: Option<String>,
    /// `handlers_from`.
    pub handlers_from: Option<String>,
    /// `allow_duplicates`; `None`: yes.
    pub allow_duplicates: Option<bool>,
}

impl RoleRequest {
    /// Reads rendered arguments: a mapping with `name` (or `role`) and the others.
    pub fn from_json(args: &serde_json::Value) -> Result<Self, Diagnostic> {
        let text = |key: &str| match args.get(key) {
            None | Some(serde_json::Value::Null) => Ok(None),
            Some(serde_json::Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(Diagnostic::new(format!("`{key}` of `include_role` must be text"))),
        };
        let named = match text("name")? {
            Some(name) => Some(name),
            None => text("role")?,
        };
        Ok(Self {
            name: named.ok_or_else(|| Diagnostic::new("missing required arguments for `include_role`: name"))?,
            tasks_from: text("tasks_from")?,
            vars_from: text("vars_from")?,
            defaults_from: text("defaults_from")?,
            handlers_from: text("handlers_from")?,
            allow_duplicates: args.get("allow_duplicates").and_then(serde_json::Value::as_bool),
        })
    }
}

/// What an `include_role` brings.
#[derive(Debug)]
pub struct IncludedRole {
    /// The tasks of its dependencies, then its own.
    pub entries: Vec<Entry>,
    /// The handlers of its dependencies, then its own: they join those of the play.
    pub handlers: Vec<Entry>,
    /// The role.
    pub role: Arc<Role>,
    /// The role and its dependencies: with `public`, they join those of the play.
    pub roles: Vec<Arc<Role>>,
}

/// The tasks of a role that `parent`, an `include_role`, names. `apply` and `vars` are as for [`include_tasks`].
pub fn include_role(
    request: &RoleRequest,
    parent: &Task,
    apply: &Keywords,
    vars: &Arc<VarMap>,
    play: &Play,
    options: &CompileOptions,
) -> Result<IncludedRole, Diagnostics> {
    let mut compiler = Compiler::new(options);
    let here = enter(&mut compiler, parent, apply, vars, play)?;
    let named = Node::text(request.name.as_str(), &parent.at);
    let main = |name: &Option<String>| name.clone().unwrap_or_else(|| "main".to_owned());
    let wanted = Wanted {
        name: request.name.clone(),
        at: &named,
        from: From {
            tasks: main(&request.tasks_from),
            vars: main(&request.vars_from),
            defaults: main(&request.defaults_from),
            handlers: main(&request.handlers_from),
            named: request.tasks_from.is_some(),
        },
        params: VarMap::new(),
        distinct: "included".to_owned(),
        allow_duplicates: Some(request.allow_duplicates.unwrap_or(true)),
        is_dependency: false,
    };
    let (role, entries) = compiler.use_role(&wanted, &here);
    let handlers = std::mem::take(&mut compiler.scene.handlers);
    let roles = std::mem::take(&mut compiler.scene.roles);
    compiler.finish()?;
    // Without a role there is a mistake, so this is never seen.
    let role = role.ok_or_else(|| Diagnostics::from(named.error(format!("no role `{}`", request.name))))?;
    Ok(IncludedRole {
        entries,
        handlers,
        role,
        roles,
    })
}

fn enter(
    compiler: &mut Compiler<'_>,
    parent: &Task,
    apply: &Keywords,
    vars: &Arc<VarMap>,
    play: &Play,
) -> Result<Here, Diagnostic> {
    if parent.depth >= DEEPEST {
        let message = format!("includes are nested deeper than {DEEPEST} levels");
        return Err(Diagnostic::new(message).at(parent.at.clone()));
    }
    let folder = |path: &Path| path.parent().unwrap_or(Path::new("")).to_owned();
    compiler.scene = Scene {
        dir: folder(&play.at.file.path),
        vars: play.vars.clone(),
        checks_disks: play.preflight.iter().any(super::preflight::Check::sees_disks),
        ..Scene::default()
    };
    // All `vars` around the include are seen inside; `apply` has those of the blocks, and its own after them.
    let around = parent.keywords.vars.iter();
    let mut layers: Vec<Arc<VarMap>> = around.cloned().collect();
    let is_new = |layer: &&Arc<VarMap>| !parent.keywords.vars.iter().any(|known| Arc::ptr_eq(known, layer));
    layers.extend(apply.vars.iter().filter(is_new).cloned());
    let keywords = Keywords {
        vars: layers,
        ..apply.clone()
    };
    let mut include_vars = parent.include_vars.clone();
    if !vars.is_empty() {
        include_vars.push(vars.clone());
    }
    let role_path = parent.role.as_ref().map(|role| &role.path);
    let dir = folder(&parent.at.file.path);
    let ends = [super::files::absolute(&dir), play.playbook_dir.clone()];
    let is_dependent = |path: &&PathBuf| Some(*path) != role_path && !ends.contains(path);
    Ok(Here {
        keywords,
        role: parent.role.clone(),
        dependents: parent.search.iter().filter(is_dependent).cloned().collect(),
        dir,
        include_vars,
        depth: parent.depth + 1,
        ..Here::default()
    })
}
