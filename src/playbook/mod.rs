//! Playbooks as written: YAML becomes plays, blocks, tasks and lines of roles. Every keyword is looked up in one table
//! ([`keywords`]), its value has the form that the table says, and a module's arguments are a mapping however they were
//! written. No other file is opened here and nothing is inherited: that is the work of `plan`.

pub mod arguments;
pub mod keywords;
pub mod known;
mod read;
mod task;

use crate::source::Span;
use crate::yaml::Node;

pub use read::Reader;

/// What stands at the top of a playbook.
#[derive(Clone, Debug)]
pub enum Top {
    /// A play.
    Play(Play),
    /// `import_playbook`.
    Import(Import),
}

/// One play.
#[derive(Clone, Debug)]
pub struct Play {
    /// Its keywords, without the lists below.
    pub fields: Fields,
    /// `pre_tasks`.
    pub pre_tasks: Vec<Item>,
    /// `roles`.
    pub roles: Vec<RoleUse>,
    /// `tasks`.
    pub tasks: Vec<Item>,
    /// `post_tasks`.
    pub post_tasks: Vec<Item>,
    /// `handlers`.
    pub handlers: Vec<Item>,
}

/// `import_playbook`.
#[derive(Clone, Debug)]
pub struct Import {
    /// The file, maybe a template.
    pub file: Node,
    /// `name`, `vars`, `when`, `tags`.
    pub fields: Fields,
}

/// A task or a block.
#[derive(Clone, Debug)]
pub enum Item {
    /// A task.
    Task(Task),
    /// A block.
    Block(Block),
}

/// `block`, `rescue`, `always`.
#[derive(Clone, Debug)]
pub struct Block {
    /// Its keywords, without the lists below.
    pub fields: Fields,
    /// `block`.
    pub body: Vec<Item>,
    /// `rescue`.
    pub rescue: Vec<Item>,
    /// `always`.
    pub always: Vec<Item>,
}

/// One task.
#[derive(Clone, Debug)]
pub struct Task {
    /// Its keywords.
    pub fields: Fields,
    /// The action's name as written.
    pub action: String,
    /// Where the action's name stands.
    pub action_at: Span,
    /// Its arguments: a mapping. Free-form text stands under `_raw_params`, a template that is to become more arguments
    /// under `_variable_params`.
    pub args: Node,
    /// `local_action`: runs on the controller.
    pub local: bool,
    /// `loop` (without a name) or `with_NAME`.
    pub repeat: Option<(Option<String>, Node)>,
}

/// One line of `roles` or of a role's `dependencies`.
#[derive(Clone, Debug)]
pub struct RoleUse {
    /// Its name, maybe a template.
    pub name: Node,
    /// Its keywords.
    pub fields: Fields,
    /// All other keys: parameters.
    pub params: Vec<(Node, Node)>,
}

/// Keywords with their values, in file order.
#[derive(Clone, Debug)]
pub struct Fields {
    /// Where the thing begins that they belong to.
    pub at: Span,
    entries: Vec<(&'static str, Node)>,
}

impl Fields {
    /// No keywords.
    pub fn none(at: &Span) -> Self {
        Self {
            at: at.clone(),
            entries: Vec::new(),
        }
    }

    /// The value of a keyword; `None` also when its place is empty.
    pub fn get(&self, name: &str) -> Option<&Node> {
        let (_, value) = self.entries.iter().find(|(known, _)| *known == name)?;
        (!value.is_null()).then_some(value)
    }

    /// The names of the keywords that are there, with their values.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Node)> {
        self.entries.iter().map(|(name, value)| (*name, value))
    }

    fn push(&mut self, name: &'static str, value: Node) {
        self.entries.push((name, value));
    }
}
