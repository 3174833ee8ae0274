//! From playbooks to the plan: plays in order, with everything that can be known before the first host is contacted.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::danger::LiteralDisks;
use crate::modules::{self, Spec};
use crate::plan::cycle::{Chain, Step};
use crate::plan::keywords::several;
use crate::plan::roles::Use;
use crate::plan::{Action, Entry, Keywords, Meta, Plan, Play, Role, Task};
use crate::playbook::{self, Item, Reader, Top};
use crate::source::{Diagnostic, Diagnostics, SourceFile, Span};
use crate::vars::VarMap;
use crate::vars::templar::Templar;
use crate::yaml::{self, Node};

/// Reads a file as it is, encrypted or not.
pub type Open = Arc<dyn Fn(&Path) -> Result<Arc<SourceFile>, Diagnostic> + Send + Sync>;

/// What compiling needs to know beside the playbooks.
#[derive(Clone)]
pub struct CompileOptions {
    /// Folders to search roles in, after `roles/` beside the playbook.
    pub roles_path: Vec<PathBuf>,
    /// `--extra-vars`: may be used in names of imported files.
    pub extra_vars: Arc<VarMap>,
    /// `--tags` and `--skip-tags`: with them a role may be needed twice, because its first use is not selected.
    pub tags: (Vec<String>, Vec<String>),
    /// Checks templates, renders names of imported files, and has the vault passwords for files that are encrypted.
    pub templar: Arc<Templar>,
    /// Finds a module by its name.
    pub find: fn(&str) -> Option<&'static Spec>,
    /// Reads a file.
    pub open: Open,
    /// What is done about dangerous tasks that name disks literally.
    pub literal_disks: LiteralDisks,
}

impl Default for CompileOptions {
    fn default() -> Self {
        Self {
            roles_path: Vec::new(),
            extra_vars: Arc::default(),
            tags: (Vec::new(), Vec::new()),
            templar: Arc::default(),
            find: modules::find,
            open: Arc::new(SourceFile::read),
            literal_disks: LiteralDisks::default(),
        }
    }
}

impl CompileOptions {
    /// Reads a file; one that is encrypted is decrypted.
    pub(super) fn read(&self, path: &Path) -> Result<Arc<SourceFile>, Diagnostic> {
        self.templar.vault().opened((self.open)(path)?)
    }
}

impl fmt::Debug for CompileOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompileOptions")
            .field("roles_path", &self.roles_path)
            .field("extra_vars", &self.extra_vars)
            .finish_non_exhaustive()
    }
}

/// Reads and checks the playbooks and everything they import. All mistakes are given together.
pub fn compile(playbooks: &[PathBuf], options: &CompileOptions) -> Result<Plan, Diagnostics> {
    let mut compiler = Compiler::new(options);
    let mut plays = Vec::new();
    for playbook in playbooks {
        let import = Imported {
            playbook,
            chain: Chain::default(),
            keywords: Keywords::default(),
            vars: VarMap::new(),
        };
        compiler.playbook(playbook, None, &import, &mut plays);
    }
    compiler.report_all(super::once::check(&plays));
    let warnings = compiler.finish()?;
    Ok(Plan { plays, warnings })
}

/// What stands around the plays of a playbook.
struct Imported<'a> {
    /// The playbook of the command line.
    playbook: &'a Path,
    chain: Chain,
    /// `when` and `tags` of the imports.
    keywords: Keywords,
    /// `vars` of the imports.
    vars: VarMap,
}

/// Where in the files a task stands.
#[derive(Clone, Default)]
pub(super) struct Here {
    /// The keywords of all around it.
    pub keywords: Keywords,
    /// `notify` of a block around it.
    pub notify: Vec<Node>,
    /// The role it belongs to.
    pub role: Option<Arc<Role>>,
    /// Folders of the roles that depend on this one, the nearest first.
    pub dependents: Vec<PathBuf>,
    /// Folder of the file it stands in.
    pub dir: PathBuf,
    /// Files on the way to it.
    pub chain: Chain,
    /// Variables of the includes around it.
    pub include_vars: Vec<Arc<VarMap>>,
    /// Dynamic includes around it.
    pub depth: u16,
    /// A `rescue` waits for its failure.
    pub caught: bool,
    /// Blocks and files around it.
    pub nested: u16,
}

/// The play that is being compiled.
#[derive(Default)]
pub(super) struct Scene {
    /// Folder of its playbook as named.
    pub dir: PathBuf,
    /// Its variables.
    pub vars: Arc<VarMap>,
    /// A pre-flight check of the play looks at the disks.
    pub checks_disks: bool,
    /// Uses of roles so far.
    pub uses: Vec<Use>,
    /// The roles so far.
    pub roles: Vec<Arc<Role>>,
    /// The roles' handlers so far.
    pub handlers: Vec<Entry>,
    /// Mistakes that a task would make when it runs; true: something in the playbook waits for its failure.
    pub doubtful: Vec<(Diagnostic, bool)>,
}

/// What reading a file of tasks gave.
pub(super) type Items = Result<Arc<Vec<Item>>, Vec<Diagnostic>>;

/// Work in progress.
pub(super) struct Compiler<'a> {
    pub options: &'a CompileOptions,
    pub scene: Scene,
    pub errors: Vec<Diagnostic>,
    pub warnings: Vec<Diagnostic>,
    /// Above zero: what is being read may never be reached, so mistakes are warnings.
    pub lenient: u32,
    /// Files of tasks that were read.
    pub files: HashMap<PathBuf, Items>,
    /// Files of dynamic includes that were checked.
    pub checked: HashSet<(PathBuf, Option<PathBuf>, bool)>,
    /// Names of missing modules that were told.
    pub told: HashSet<String>,
    /// Tasks so far.
    pub tasks: usize,
    /// A task so far could have made files on the controller.
    pub makes_files: bool,
}

impl<'a> Compiler<'a> {
    pub(super) fn new(options: &'a CompileOptions) -> Self {
        Self {
            options,
            scene: Scene::default(),
            errors: Vec::new(),
            warnings: Vec::new(),
            lenient: 0,
            files: HashMap::new(),
            checked: HashSet::new(),
            told: HashSet::new(),
            tasks: 0,
            makes_files: false,
        }
    }

    /// Notes a mistake.
    pub(super) fn report(&mut self, mistake: Diagnostic) {
        if self.lenient > 0 {
            self.warnings.push(mistake);
        } else {
            self.errors.push(mistake);
        }
    }

    /// Notes several mistakes.
    pub(super) fn report_all(&mut self, mistakes: Vec<Diagnostic>) {
        for mistake in mistakes {
            self.report(mistake);
        }
    }

    /// Notes the mistakes of a result, and gives its value.
    pub(super) fn note<T>(&mut self, result: Result<T, Diagnostics>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(mistakes) => {
                self.report_all(mistakes.0);
                None
            }
        }
    }

    /// The warnings, or every mistake once and in file order.
    pub(super) fn finish(self) -> Result<Vec<Diagnostic>, Diagnostics> {
        if self.errors.is_empty() {
            return Ok(in_order(self.warnings));
        }
        Err(Diagnostics(in_order(self.errors)))
    }

    /// The keywords that `fields` say, inside of `outer`.
    pub(super) fn keywords(&mut self, fields: &playbook::Fields, outer: &Keywords) -> Keywords {
        let mut mistakes = Vec::new();
        let keywords = Keywords::read(fields, &mut mistakes).under(outer);
        self.report_all(mistakes);
        keywords
    }

    fn playbook(&mut self, path: &Path, named: Option<&Node>, import: &Imported<'_>, plays: &mut Vec<Arc<Play>>) {
        let chain = match import.chain.follow(path, false) {
            Step::On(chain) => chain,
            Step::Conditional => return,
            Step::Never(message) => {
                let mistake = Diagnostic::new(message);
                self.report(match named {
                    Some(node) => mistake.at(node.span.clone()),
                    None => mistake,
                });
                return;
            }
        };
        let root = self.options.read(path).and_then(|file| yaml::parse(&file));
        let root = match root {
            Ok(root) => root,
            Err(mut mistake) => {
                if let (None, Some(node)) = (&mistake.at, named) {
                    mistake = mistake.at(node.span.clone());
                }
                self.report(mistake);
                return;
            }
        };
        let dir = path.parent().unwrap_or(Path::new("")).to_owned();
        let options = self.options;
        let libraries = [dir.join("library")];
        let knows = |name: &str| super::actions::known(name, options, &libraries);
        let mut reader = Reader::new(&knows);
        let tops = reader.playbook(&root);
        let mistakes = std::mem::take(&mut reader.errors);
        self.report_all(mistakes);
        for top in &tops {
            match top {
                Top::Play(play) => {
                    let inner = Imported {
                        playbook: import.playbook,
                        chain: chain.clone(),
                        keywords: import.keywords.clone(),
                        vars: import.vars.clone(),
                    };
                    plays.push(Arc::new(self.play(play, dir.clone(), &inner)));
                }
                Top::Import(line) => self.import(line, &dir, &chain, import, plays),
            }
        }
    }

    fn import(
        &mut self,
        line: &playbook::Import,
        dir: &Path,
        chain: &Chain,
        import: &Imported<'_>,
        plays: &mut Vec<Arc<Play>>,
    ) {
        self.check_fields(&line.fields);
        let mut keywords = self.keywords(&line.fields, &import.keywords);
        // The vars of the outer import win.
        let mut vars = VarMap::new();
        for layer in keywords.vars.drain(..) {
            vars.extend(layer.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
        vars.extend(import.vars.iter().map(|(name, value)| (name.clone(), value.clone())));
        self.scene = Scene {
            dir: dir.to_owned(),
            vars: Arc::new(vars.clone()),
            ..Scene::default()
        };
        let Some(name) = self.static_name(&line.file, &Here::default(), "import_playbook") else {
            return;
        };
        let inner = Imported {
            playbook: import.playbook,
            chain: chain.clone(),
            keywords,
            vars,
        };
        self.playbook(&dir.join(name), Some(&line.file), &inner, plays);
    }

    fn play(&mut self, play: &playbook::Play, dir: PathBuf, import: &Imported<'_>) -> Play {
        let fields = &play.fields;
        self.check_fields(fields);
        let mut keywords = self.keywords(fields, &import.keywords);
        // The conditions of an import are about tasks, not about gathering facts.
        let when = std::mem::take(&mut keywords.when);
        let mut vars = VarMap::new();
        for layer in keywords.vars.drain(..) {
            vars.extend(layer.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
        vars.extend(import.vars.iter().map(|(name, value)| (name.clone(), value.clone())));
        let playbook_dir = super::files::absolute(&dir);
        let vars = Arc::new(vars);
        self.scene = Scene {
            dir: dir.clone(),
            vars: vars.clone(),
            ..Scene::default()
        };
        let here = Here {
            keywords: Keywords {
                when,
                ..keywords.clone()
            },
            dir,
            chain: import.chain.clone(),
            ..Here::default()
        };
        let checks: Vec<Node> = fields.get("preflight").cloned().map(several).unwrap_or_default();
        let preflight = self.checks(&checks, &here.dir, false);
        let canary = self.canary(fields.get("canary"), fields.get("serial"), &here.dir);
        self.scene.checks_disks = preflight.iter().any(super::preflight::Check::sees_disks);
        let vars_files: Vec<Node> = fields.get("vars_files").cloned().map(several).unwrap_or_default();
        self.check_vars_files(&vars_files);
        fields
            .get("vars_prompt")
            .into_iter()
            .for_each(|prompts| self.check_prompts(prompts));

        let mut body = self.entries(&play.pre_tasks, &here);
        if !body.is_empty() {
            body.push(self.flush(&fields.at, &here));
        }
        for line in &play.roles {
            let (_, entries) = self.role(line, &here);
            body.extend(entries);
        }
        body.extend(self.entries(&play.tasks, &here));
        body.push(self.flush(&fields.at, &here));
        let post_tasks = self.entries(&play.post_tasks, &here);
        if !post_tasks.is_empty() {
            body.extend(post_tasks);
            body.push(self.flush(&fields.at, &here));
        }
        let own_handlers = self.entries(&play.handlers, &here);
        let mut handlers = std::mem::take(&mut self.scene.handlers);
        handlers.extend(own_handlers);
        self.check_notified(&body, &handlers);
        self.decide();
        let get = |name: &str| fields.get(name).cloned();
        Play {
            name: get("name"),
            hosts: get("hosts").unwrap_or_else(|| Node::text("", &fields.at)),
            at: fields.at.clone(),
            playbook: import.playbook.to_owned(),
            playbook_dir,
            vars,
            vars_files,
            vars_prompt: get("vars_prompt").map(several).unwrap_or_default(),
            gather_facts: get("gather_facts"),
            serial: get("serial"),
            strategy: get("strategy"),
            order: get("order"),
            max_fail_percentage: get("max_fail_percentage"),
            force_handlers: get("force_handlers"),
            preflight,
            canary,
            keywords,
            body,
            handlers,
            roles: std::mem::take(&mut self.scene.roles),
        }
    }

    /// Wrong arguments and missing files are mistakes, unless the play reckons with tasks that fail in this way: then
    /// they are left to the run, where they fail their task.
    fn decide(&mut self) {
        let doubtful = std::mem::take(&mut self.scene.doubtful);
        let expected = doubtful.iter().any(|(_, caught)| *caught);
        for (mistake, _) in doubtful {
            if expected {
                self.warnings.push(mistake);
            } else {
                self.errors.push(mistake);
            }
        }
    }

    fn flush(&self, at: &Span, here: &Here) -> Entry {
        // No tags: it is not passed over by `--tags`.
        let keywords = Keywords {
            when: Vec::new(),
            tags: Vec::new(),
            ..here.keywords.clone()
        };
        Entry::Task(Arc::new(Task {
            name: None,
            role: None,
            action: Action::Meta(Meta::FlushHandlers),
            action_name: "meta".to_owned(),
            at: at.clone(),
            repeat: None,
            until: None,
            detach: None,
            register: None,
            changed_when: None,
            failed_when: None,
            notify: Vec::new(),
            listen: Vec::new(),
            keywords,
            include_vars: Vec::new(),
            search: self.search(here),
            implicit: true,
            depth: 0,
        }))
    }
}

/// Each mistake once, those of one file in the order of its lines.
fn in_order(mistakes: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut files: Vec<PathBuf> = Vec::new();
    let mut seen = HashSet::new();
    let mut keyed = Vec::new();
    for mistake in mistakes {
        let place = mistake.at.as_ref().map(|span| {
            let path = &span.file.path;
            let file = files.iter().position(|known| known == path).unwrap_or_else(|| {
                files.push(path.clone());
                files.len() - 1
            });
            (file, span.line, span.column)
        });
        if seen.insert((place, mistake.message.clone())) {
            keyed.push((place, mistake));
        }
    }
    keyed.sort_by_key(|(place, _)| *place);
    keyed.into_iter().map(|(_, mistake)| mistake).collect()
}
