//! What is known only when a task is reached: `include_tasks`, `include_role`, `include_vars`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use crate::engine::outcome::Outcome;
use crate::engine::play::PlayRun;
use crate::engine::shared::Shared;
use crate::engine::task::{Wish, Work, explain};
use crate::names::HostName;
use crate::plan::{Action, Entry, RoleRequest, Task, include_role, include_tasks};
use crate::source::{Diagnostic, Diagnostics};
use crate::vars::templar::to_json;
use crate::vars::{Scope, Var, VarMap};
use crate::yaml::{Kind, Node};

/// A list with its order among those of its task, or why there is none.
type Listed = Result<(u32, Arc<Vec<Entry>>), String>;

/// Included lists of one task, each made once for all hosts that want it.
#[derive(Debug, Default)]
pub struct Included {
    lists: HashMap<String, Listed>,
    /// In the order they were first wished for: what is shown, and for whom.
    told: Vec<(String, String, Vec<HostName>)>,
}

impl Included {
    /// The list for a wish of `host`, with its order among the lists of this task.
    pub fn list(&mut self, shared: &Shared, play: &PlayRun, task: &Task, wish: &Wish, host: &HostName) -> Listed {
        let number = u32::try_from(self.lists.len()).unwrap_or(u32::MAX);
        let entry = self
            .lists
            .entry(wish.key.clone())
            .or_insert_with(|| load(shared, play, task, wish).map(|list| (number, Arc::new(list))));
        if entry.is_ok() {
            match self.told.iter_mut().find(|(key, _, _)| *key == wish.key) {
                Some((_, _, hosts)) => hosts.push(host.clone()),
                None => self
                    .told
                    .push((wish.key.clone(), shown(task, wish), vec![host.clone()])),
            }
        }
        entry.clone()
    }

    /// What was included, and for whom.
    pub fn told(self) -> impl Iterator<Item = (String, Vec<HostName>)> {
        self.told.into_iter().map(|(_, file, hosts)| (file, hosts))
    }
}

fn shown(task: &Task, wish: &Wish) -> String {
    match &wish.what {
        Json::String(file) => find_file(task, file).map_or_else(|| file.clone(), |path| path.display().to_string()),
        other => other
            .get("name")
            .or_else(|| other.get("role"))
            .and_then(Json::as_str)
            .unwrap_or("role")
            .to_owned(),
    }
}

fn load(shared: &Shared, play: &PlayRun, task: &Task, wish: &Wish) -> Result<Vec<Entry>, String> {
    match &task.action {
        Action::IncludeTasks { apply, .. } => {
            let file = Path::new(wish.what.as_str().unwrap_or_default());
            include_tasks(file, task, apply, &wish.vars, &play.play, &shared.compile).map_err(|errors| plainly(&errors))
        }
        Action::IncludeRole { apply, .. } => {
            let text = |key: &str| wish.what.get(key).and_then(Json::as_str).map(str::to_owned);
            let request = RoleRequest {
                name: text("name").or_else(|| text("role")).unwrap_or_default(),
                tasks_from: text("tasks_from"),
                vars_from: text("vars_from"),
                defaults_from: text("defaults_from"),
                handlers_from: text("handlers_from"),
                allow_duplicates: wish.what.get("allow_duplicates").and_then(Json::as_bool),
            };
            let role = include_role(&request, task, apply, &wish.vars, &play.play, &shared.compile)
                .map_err(|errors| plainly(&errors))?;
            play.add_handlers(&role.handlers, shared);
            if wish.what.get("public").and_then(Json::as_bool) == Some(true) {
                play.add_roles(&role.roles);
            }
            Ok(role.entries)
        }
        Action::Module { .. }
        | Action::IncludeVars { .. }
        | Action::Missing { .. }
        | Action::Engine { .. }
        | Action::Meta(_) => Ok(Vec::new()),
    }
}

/// Mistakes as the message of a result.
fn plainly(errors: &Diagnostics) -> String {
    let texts: Vec<String> = errors.0.iter().map(explain).collect();
    texts.join("; ")
}

fn find_file(task: &Task, file: &str) -> Option<PathBuf> {
    let places = task
        .search
        .iter()
        .flat_map(|dir| [dir.join("tasks").join(file), dir.join(file)]);
    places.into_iter().find(|path| path.is_file())
}

/// `include_vars`: variables of a file, or of all files of a folder.
pub fn variables(work: &Work<'_>, args: &Node, scope: &Scope) -> Outcome {
    match read_variables(work, args, scope) {
        Ok(outcome) => outcome,
        Err(error) => Outcome::failed(explain(&error)),
    }
}

fn read_variables(work: &Work<'_>, args: &Node, scope: &Scope) -> Result<Outcome, Diagnostic> {
    let rendered = to_json(&work.shared.templar.render(args, scope)?);
    let text = |key: &str| rendered.get(key).and_then(Json::as_str).map(str::to_owned);
    let files = if let Some(dir) = text("dir") {
        let dir = locate(work, &dir, true).ok_or_else(|| args.error(format!("{dir} directory does not exist")))?;
        files_of(&dir, &rendered, args)?
    } else {
        let name = text("file").or_else(|| text("_raw_params"));
        let name = name.ok_or_else(|| args.error("`include_vars` needs a file or a dir"))?;
        let name = name.trim();
        let path = locate(work, name, false)
            .ok_or_else(|| args.error(format!("Could not find file on the Ansible Controller: {name}")))?;
        vec![path]
    };
    let mut map = VarMap::new();
    let mut names = Vec::new();
    for file in files {
        let absolute = std::path::absolute(&file).unwrap_or_else(|_| file.clone());
        names.push(Json::from(absolute.display().to_string()));
        let read = work.shared.variables_of(&file)?;
        map.extend(read.iter().map(|(k, v)| (k.clone(), v.clone())));
    }
    let encrypted = map
        .values()
        .any(|var| matches!(var, Var::Source(node) if node.span.file.is_hidden));
    if let Some(name) = text("name") {
        let entries = map
            .into_iter()
            .filter_map(|(key, var)| match var {
                Var::Source(node) => Some((Node::text(key, &args.span), node.as_ref().clone())),
                Var::Data(_) => None,
            })
            .collect();
        map = VarMap::new();
        map.insert(
            name,
            Var::Source(Arc::new(Node {
                span: args.span.clone(),
                kind: Kind::Map(entries),
            })),
        );
    }
    let mut values = Map::new();
    let facts: Map<String, Json> = map.iter().map(|(name, var)| (name.clone(), plain(var))).collect();
    values.insert("ansible_facts".into(), Json::Object(facts));
    values.insert("ansible_included_var_files".into(), names.into());
    // As in Ansible, what an encrypted file holds is not shown.
    if encrypted {
        values.insert("_ansible_no_log".into(), true.into());
    }
    let mut outcome = Outcome::done(values, false, Vec::new());
    outcome.variables = Some(Arc::new(map));
    Ok(outcome)
}

fn plain(var: &Var) -> Json {
    match var {
        Var::Data(value) => to_json(value),
        Var::Source(node) => node_json(node),
    }
}

/// A tree as JSON, templates not rendered.
fn node_json(node: &Node) -> Json {
    match &node.kind {
        Kind::Null => Json::Null,
        Kind::Bool(b) => (*b).into(),
        Kind::Int(n) => (*n).into(),
        Kind::Float(n) => serde_json::Number::from_f64(*n).map_or(Json::Null, Json::Number),
        Kind::Text(text) => text.value.to_string().into(),
        Kind::List(items) => items.iter().map(node_json).collect(),
        Kind::Map(entries) => Json::Object(
            entries
                .iter()
                .map(|(k, v)| (k.scalar_text().unwrap_or_default(), node_json(v)))
                .collect(),
        ),
    }
}

fn locate(work: &Work<'_>, name: &str, dir: bool) -> Option<PathBuf> {
    let fits = |path: &PathBuf| if dir { path.is_dir() } else { path.is_file() };
    if Path::new(name).is_absolute() {
        return Some(PathBuf::from(name)).filter(fits);
    }
    let mut places: Vec<PathBuf> = Vec::new();
    let playbook = &work.play.play.playbook_dir;
    for folder in work.task.search.iter().chain([playbook]) {
        places.push(folder.join("vars").join(name));
        places.push(folder.join(name));
    }
    places.into_iter().find(fits)
}

fn files_of(dir: &Path, options: &Json, args: &Node) -> Result<Vec<PathBuf>, Diagnostic> {
    let texts = |key: &str| -> Option<Vec<String>> {
        Some(
            options
                .get(key)?
                .as_array()?
                .iter()
                .filter_map(Json::as_str)
                .map(str::to_owned)
                .collect(),
        )
    };
    let extensions = texts("extensions").unwrap_or_else(|| vec!["yaml".into(), "yml".into(), "json".into()]);
    let ignored = texts("ignore_files").unwrap_or_default();
    let unknown_is_fine = options
        .get("ignore_unknown_extensions")
        .and_then(Json::as_bool)
        .unwrap_or(false);
    let depth = options.get("depth").and_then(Json::as_u64).filter(|depth| *depth > 0);
    let depth = depth.map_or(usize::MAX, |depth| usize::try_from(depth).unwrap_or(usize::MAX));
    let matching = options.get("files_matching").and_then(Json::as_str);
    let matching = matching
        .map(fancy_regex::Regex::new)
        .transpose()
        .map_err(|error| args.error(format!("`files_matching`: {error}")))?;
    let mut found = Vec::new();
    for entry in walkdir::WalkDir::new(dir).max_depth(depth).sort_by_file_name() {
        let entry = entry.map_err(|error| args.error(error.to_string()))?;
        if !entry.file_type().is_file() {
            continue;
        }
        let name = entry.file_name().to_string_lossy().into_owned();
        if ignored.contains(&name) || matching.as_ref().is_some_and(|re| !re.is_match(&name).unwrap_or(false)) {
            continue;
        }
        let extension = entry
            .path()
            .extension()
            .map(|e| e.to_string_lossy().into_owned())
            .unwrap_or_default();
        if extensions.contains(&extension) {
            found.push(entry.into_path());
        } else if !unknown_is_fine {
            return Err(args.error(format!(
                "{} does not have a valid extension: {}",
                entry.path().display(),
                extensions.join(", ")
            )));
        }
    }
    Ok(found)
}
