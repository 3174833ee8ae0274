//! The one table of keywords: where each may stand and what it takes.

use crate::source::{Diagnostic, nearest};
use crate::yaml::{Kind, Node};

/// Where a keyword may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a play.
    Play,
    /// In a block.
    Block,
    /// In a task.
    Task,
    /// In a line of `roles`.
    Role,
    /// Beside `import_playbook`.
    Import,
}

impl Place {
    const fn bit(self) -> u8 {
        match self {
            Self::Play => P,
            Self::Block => B,
            Self::Task => T,
            Self::Role => R,
            Self::Import => I,
        }
    }

    /// `a play`, for messages.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Play => "a play",
            Self::Block => "a block",
            Self::Task => "a task",
            Self::Role => "a line of `roles`",
            Self::Import => "an `import_playbook`",
        }
    }
}

/// What a keyword takes. Where a scalar is expected a template may stand, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Anything; looked at later.
    Any,
    /// Text; numbers and booleans become text.
    Text,
    /// A name that is not a template: `register`.
    Name,
    /// A boolean.
    Bool,
    /// A whole number, not negative.
    Int,
    /// A number, not negative.
    Number,
    /// A number up to 100, with or without `%`.
    Percentage,
    /// Text, or a list of texts.
    Texts,
    /// A condition, or a list of conditions.
    Conditions,
    /// A mapping.
    Map,
    /// A mapping, or a list of mappings.
    Maps,
    /// A list of tasks and blocks.
    Tasks,
    /// A list.
    List,
    /// A number, a percentage, or a list of them.
    Batches,
    /// A boolean, or a name that is not empty: `once`.
    NameOrBool,
    /// One of these words.
    OneOf(&'static [&'static str]),
}

/// One keyword.
#[derive(Debug)]
pub struct Keyword {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub form: Form,
    places: u8,
}

const P: u8 = 1;
const B: u8 = 2;
const T: u8 = 4;
const R: u8 = 8;
const I: u8 = 16;
const ALL: u8 = P | B | T | R;
const INNER: u8 = B | T | R;

const fn word(name: &'static str, form: Form, places: u8) -> Keyword {
    Keyword { name, form, places }
}

/// Every keyword.
pub const KEYWORDS: &[Keyword] = &[
    word("name", Form::Text, P | B | T | I),
    word("tasks", Form::Tasks, P),
    word("vars", Form::Maps, ALL | I),
    word("tags", Form::Texts, ALL | I),
    word("when", Form::Conditions, INNER | I),
    word("any_errors_fatal", Form::Bool, ALL),
    word("become", Form::Bool, ALL),
    word("become_exe", Form::Text, ALL),
    word("become_flags", Form::Text, ALL),
    word("become_method", Form::Text, ALL),
    word("become_user", Form::Text, ALL),
    word("check_mode", Form::Bool, ALL),
    word("collections", Form::Texts, ALL),
    word("connection", Form::Text, ALL),
    word("debugger", Form::Text, ALL),
    word("delegate_facts", Form::Bool, INNER),
    word("delegate_to", Form::Text, INNER),
    word("diff", Form::Bool, ALL),
    word("environment", Form::Maps, ALL),
    word("ignore_errors", Form::Bool, ALL),
    word("ignore_unreachable", Form::Bool, ALL),
    word("module_defaults", Form::Maps, ALL),
    word("no_log", Form::Bool, ALL),
    word("port", Form::Int, ALL),
    word("remote_user", Form::Text, ALL),
    word("run_once", Form::Bool, ALL),
    word("throttle", Form::Int, ALL),
    word("timeout", Form::Int, ALL),
    // Ours: the safety net.
    word("once", Form::NameOrBool, INNER),
    word("on_change", Form::OneOf(ON_CHANGE), INNER),
    word("verify", Form::Text, INNER),
    word("danger", Form::OneOf(DANGERS), INNER),
    // Plays.
    word("hosts", Form::Texts, P),
    word("user", Form::Text, P),
    word("fact_path", Form::Text, P),
    word("force_handlers", Form::Bool, P),
    word("gather_facts", Form::Bool, P),
    word("gather_subset", Form::Texts, P),
    word("gather_timeout", Form::Int, P),
    word("handlers", Form::Tasks, P),
    word("max_fail_percentage", Form::Percentage, P),
    word("order", Form::OneOf(ORDERS), P),
    word("post_tasks", Form::Tasks, P),
    word("pre_tasks", Form::Tasks, P),
    word("roles", Form::List, P),
    word("serial", Form::Batches, P),
    word("strategy", Form::OneOf(STRATEGIES), P),
    word("vars_files", Form::Any, P),
    word("vars_prompt", Form::Maps, P),
    // Ours: the safety net.
    word("preflight", Form::List, P),
    word("canary", Form::Any, P),
    // Blocks.
    word("block", Form::Tasks, B),
    word("rescue", Form::Tasks, B),
    word("always", Form::Tasks, B),
    // Tasks.
    word("action", Form::Any, T),
    word("args", Form::Any, T),
    word("async", Form::Int, T),
    word("changed_when", Form::Conditions, T),
    word("delay", Form::Number, T),
    word("failed_when", Form::Conditions, T),
    word("listen", Form::Texts, T),
    word("local_action", Form::Any, T),
    word("loop", Form::Any, T),
    word("loop_control", Form::Map, T),
    word("notify", Form::Texts, B | T),
    word("poll", Form::Int, T),
    word("register", Form::Name, T),
    word("retries", Form::Int, T),
    word("until", Form::Conditions, T),
    // Lines of roles.
    word("role", Form::Text, R),
];

/// The values of `order`.
pub const ORDERS: &[&str] = &["inventory", "sorted", "reverse_inventory", "reverse_sorted", "shuffle"];

/// The values of `strategy`.
pub const STRATEGIES: &[&str] = &[
    "linear",
    "free",
    "host_pinned",
    "debug",
    "ansible.builtin.linear",
    "ansible.builtin.free",
    "ansible.builtin.host_pinned",
    "ansible.builtin.debug",
];

/// The values of `on_change`: what is done when a task that was done `once` was changed since.
pub const ON_CHANGE: &[&str] = &["stop", "rerun", "keep"];

/// The values of `danger`: what a task can destroy.
pub const DANGERS: &[&str] = &["disk", "none"];

/// Keywords of old playbooks that Ansible does not have any more.
const RENAMED: &[(&str, &str)] = &[
    ("always_run", "check_mode: false"),
    ("su", "become"),
    ("su_user", "become_user"),
    ("sudo", "become"),
    ("sudo_user", "become_user"),
];

/// The keyword of that name in that place.
pub fn find(name: &str, place: Place) -> Option<&'static Keyword> {
    KEYWORDS
        .iter()
        .find(|keyword| keyword.name == name && keyword.places & place.bit() != 0)
}

/// The names of all keywords of a place.
pub fn names(place: Place) -> impl Iterator<Item = &'static str> {
    let of_place = KEYWORDS.iter().filter(move |keyword| keyword.places & place.bit() != 0);
    of_place.map(|keyword| keyword.name)
}

/// What to say about a keyword that is not there.
pub fn unknown(key: &Node, place: Place) -> Diagnostic {
    let name = key.scalar_text().unwrap_or_default();
    let mistake = key.error(format!("unknown keyword `{name}` in {}", place.words()));
    if let Some((_, now)) = RENAMED.iter().find(|(old, _)| *old == name) {
        return mistake.help(format!("Ansible has `{now}` in its place"));
    }
    if let Some(near) = nearest(&name, names(place)) {
        return mistake.help(format!("did you mean `{near}`?"));
    }
    let fits = [Place::Play, Place::Block, Place::Task, Place::Role];
    match fits.into_iter().find(|other| find(&name, *other).is_some()) {
        Some(other) => mistake.help(format!("`{name}` belongs to {}", other.words())),
        None => mistake,
    }
}

/// Checks a keyword's value against its form.
pub fn check(keyword: &Keyword, value: &Node) -> Result<(), Diagnostic> {
    let fits = match keyword.form {
        Form::Any => true,
        _ if value.is_null() => true,
        Form::Tasks | Form::List => value.as_list().is_some(),
        Form::Map => value.as_map().is_some(),
        Form::Maps => is_map(value) || value.as_list().is_some_and(|items| items.iter().all(is_map)),
        Form::Name => value.as_str().is_some_and(is_variable_name),
        Form::Text => value.scalar_text().is_some(),
        Form::Texts => value.scalar_text().is_some() || all_scalars(value),
        Form::Conditions => is_condition(value) || value.as_list().is_some_and(|c| c.iter().all(is_condition)),
        Form::Bool => is_template(value) || boolean(value).is_some(),
        Form::NameOrBool => {
            is_template(value) || boolean(value).is_some() || value.as_str().is_some_and(|name| !name.trim().is_empty())
        }
        Form::Int => is_template(value) || whole_number(value).is_some(),
        Form::Number => is_template(value) || number(value),
        Form::Percentage => is_template(value) || is_percentage(value),
        Form::Batches => is_batch(value) || value.as_list().is_some_and(|items| items.iter().all(is_batch)),
        Form::OneOf(words) => is_template(value) || value.as_str().is_some_and(|text| words.contains(&text)),
    };
    if fits {
        return Ok(());
    }
    let written = value
        .scalar_text()
        .filter(|text| text.chars().count() <= 60)
        .map_or_else(|| value.kind_name().to_owned(), |text| format!("`{text}`"));
    let message = format!("`{}` must be {}, not {written}", keyword.name, expected(keyword.form));
    let mistake = value.error(message);
    Err(match (keyword.form, &value.kind) {
        (Form::OneOf(words), Kind::Text(text)) => match nearest(&text.value, words.iter().copied()) {
            Some(near) => mistake.help(format!("did you mean `{near}`?")),
            None => mistake,
        },
        (Form::Tasks, Kind::Map(_)) => mistake.help("begin each task with `- `"),
        _ => mistake,
    })
}

fn expected(form: Form) -> String {
    match form {
        Form::Any => "a value".to_owned(),
        Form::Text => "text".to_owned(),
        Form::Name => "the name of a variable (letters, digits, `_`)".to_owned(),
        Form::Bool => "a boolean (`true` or `false`)".to_owned(),
        Form::NameOrBool => "a name or a boolean".to_owned(),
        Form::Int => "a whole number".to_owned(),
        Form::Number => "a number".to_owned(),
        Form::Percentage => "a percentage".to_owned(),
        Form::Texts => "text or a list of texts".to_owned(),
        Form::Conditions => "a condition or a list of conditions".to_owned(),
        Form::Map => "a mapping".to_owned(),
        Form::Maps => "a mapping or a list of mappings".to_owned(),
        Form::Tasks => "a list of tasks".to_owned(),
        Form::List => "a list".to_owned(),
        Form::Batches => "a number, a percentage, or a list of them".to_owned(),
        Form::OneOf(words) => {
            let short: Vec<&str> = words.iter().copied().filter(|word| !word.contains('.')).collect();
            format!("one of {}", short.join(", "))
        }
    }
}

/// True when the value could become anything, because a template makes it.
pub fn is_template(value: &Node) -> bool {
    matches!(value.kind, Kind::Text(_)) && value.has_template()
}

/// A boolean as Ansible reads it, also from text.
pub fn boolean(value: &Node) -> Option<bool> {
    match &value.kind {
        Kind::Bool(yes) => Some(*yes),
        Kind::Int(1) => Some(true),
        Kind::Int(0) => Some(false),
        Kind::Text(text) => match text.value.trim().to_ascii_lowercase().as_str() {
            "yes" | "on" | "1" | "true" | "t" | "y" => Some(true),
            "no" | "off" | "0" | "false" | "f" | "n" => Some(false),
            _ => None,
        },
        Kind::Null | Kind::Int(_) | Kind::Float(_) | Kind::List(_) | Kind::Map(_) => None,
    }
}

/// True for a name that a variable can have.
pub fn is_variable_name(name: &str) -> bool {
    let mut letters = name.chars();
    letters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && letters.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn whole_number(value: &Node) -> Option<u64> {
    match &value.kind {
        Kind::Int(n) => u64::try_from(*n).ok(),
        Kind::Text(text) => text.value.trim().parse().ok(),
        Kind::Null | Kind::Bool(_) | Kind::Float(_) | Kind::List(_) | Kind::Map(_) => None,
    }
}

fn number(value: &Node) -> bool {
    match &value.kind {
        Kind::Int(n) => *n >= 0,
        Kind::Float(n) => *n >= 0.0,
        Kind::Text(text) => text.value.trim().parse::<f64>().is_ok_and(|n| n >= 0.0),
        Kind::Null | Kind::Bool(_) | Kind::List(_) | Kind::Map(_) => false,
    }
}

fn is_map(value: &Node) -> bool {
    value.as_map().is_some() || is_template(value)
}

fn all_scalars(value: &Node) -> bool {
    value
        .as_list()
        .is_some_and(|items| items.iter().all(|item| item.scalar_text().is_some()))
}

/// Conditions are expressions: booleans, numbers and text.
fn is_condition(value: &Node) -> bool {
    value.scalar_text().is_some()
}

fn is_batch(value: &Node) -> bool {
    let has_sign = value.as_str().is_some_and(|text| text.trim().ends_with('%'));
    is_template(value) || whole_number(value).is_some() || has_sign && is_percentage(value)
}

fn is_percentage(value: &Node) -> bool {
    let text = value.scalar_text().unwrap_or_default();
    let number = text.trim();
    let number = number.strip_suffix('%').unwrap_or(number).trim_end();
    number.parse::<f64>().is_ok_and(|n| (0.0..=100.0).contains(&n))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::parse_text;

    fn mistake(name: &str, place: Place, value: &str) -> Option<String> {
        let keyword = find(name, place).expect("a keyword");
        check(keyword, &parse_text("t.yml", value).unwrap())
            .err()
            .map(|d| d.message)
    }

    #[test]
    fn a_value_must_have_the_form_of_its_keyword() {
        assert_eq!(
            mistake("serial", Place::Play, "many").as_deref(),
            Some("`serial` must be a number, a percentage, or a list of them, not `many`")
        );
        assert_eq!(mistake("serial", Place::Play, "[1, 30%, '100%']"), None);
        assert_eq!(
            mistake("timeout", Place::Task, "soon").as_deref(),
            Some("`timeout` must be a whole number, not `soon`")
        );
        assert_eq!(mistake("timeout", Place::Task, "'{{ t }}'"), None);
        assert_eq!(mistake("become", Place::Task, "'yes'"), None);
        assert!(mistake("become", Place::Task, "maybe").is_some());
        assert_eq!(mistake("max_fail_percentage", Place::Play, "30%"), None);
        assert!(mistake("max_fail_percentage", Place::Play, "130").is_some());
        assert!(mistake("register", Place::Task, "a-b").is_some());
        assert!(mistake("tasks", Place::Play, "{command: x}").is_some());
        assert_eq!(mistake("when", Place::Task, "[true, a == 1]"), None);
        assert!(mistake("when", Place::Task, "{a: b}").is_some());
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = KEYWORDS.iter().map(|k| k.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), KEYWORDS.len());
    }

    #[test]
    fn a_keyword_in_the_wrong_place_is_told_where_it_belongs() {
        let key = parse_text("t.yml", "serial").unwrap();
        let mistake = unknown(&key, Place::Task);
        assert_eq!(mistake.message, "unknown keyword `serial` in a task");
        assert_eq!(mistake.help.as_deref(), Some("`serial` belongs to a play"));
    }
}
