//! Plans as text: `--list-hosts`, `--list-tasks`, `--list-tags` and `--syntax-check` as Ansible prints them, and
//! `batchssh plan`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::names::HostName;
use crate::plan::keywords::several;
use crate::plan::{Action, Entry, Plan, Play, Task, selected, serial};
use crate::source::{Span, visible};
use crate::yaml::{Kind, Node};

/// What is shown.
pub struct Show<'a> {
    /// `--list-hosts`.
    pub hosts: bool,
    /// `--list-tasks`.
    pub tasks: bool,
    /// `--list-tags`.
    pub tags: bool,
    /// `--tags`.
    pub only: &'a [String],
    /// `--skip-tags`.
    pub skip: &'a [String],
    /// The hosts of a play, the limit applied.
    pub hosts_of: &'a dyn Fn(&Play) -> Vec<HostName>,
}

impl Show<'_> {
    fn selects(&self, task: &Task) -> bool {
        !task.implicit && selected(&task.keywords.tags, self.only, self.skip)
    }
}

/// What `--syntax-check` prints when all is well.
pub fn syntax_check(playbooks: &[PathBuf]) -> String {
    let line = |playbook: &PathBuf| format!("\nplaybook: {}\n", visible(&playbook.display().to_string()));
    playbooks.iter().map(line).collect()
}

/// What the `--list-` flags print.
pub fn listing(plan: &Plan, show: &Show<'_>) -> String {
    let mut out = String::new();
    for (playbook, plays) in by_playbook(plan) {
        line(&mut out, &format!("\nplaybook: {}", playbook.display()));
        for (number, play) in plays.iter().enumerate() {
            let mut tags = play.keywords.tags.clone();
            tags.sort_unstable();
            let heading = format!(
                "\n  play #{} ({}): {}\tTAGS: [{}]",
                number + 1,
                pattern(play),
                title(play),
                tags.join(",")
            );
            line(&mut out, &heading);
            if show.hosts {
                let hosts = (show.hosts_of)(play);
                let patterns = pattern(play).replace(',', "', '");
                line(&mut out, &format!("    pattern: ['{patterns}']"));
                line(&mut out, &format!("    hosts ({}):", hosts.len()));
                for host in &hosts {
                    line(&mut out, &format!("      {host}"));
                }
            }
            let mut tasks = Vec::new();
            collect(&play.body, show, 0, &mut |_, shown| {
                if let Shown::Task(task) = shown
                    && !matches!(task.action, Action::Meta(_))
                {
                    tasks.push(task);
                }
            });
            if show.tasks {
                line(&mut out, "    tasks:");
                for task in &tasks {
                    let tags: BTreeSet<&str> = task.keywords.tags.iter().map(String::as_str).collect();
                    let tags: Vec<&str> = tags.into_iter().collect();
                    line(
                        &mut out,
                        &format!("      {}\tTAGS: [{}]", listed_name(task), tags.join(", ")),
                    );
                }
            }
            if show.tags {
                let own = play.keywords.tags.iter();
                let all: BTreeSet<&String> = own.chain(tasks.iter().flat_map(|task| &task.keywords.tags)).collect();
                let all: Vec<&str> = all.into_iter().map(String::as_str).collect();
                line(&mut out, &format!("      TASK TAGS: [{}]", all.join(", ")));
            }
        }
    }
    out
}

/// What would run where, each task and setting with the place it comes from.
pub fn plan(plan: &Plan, show: &Show<'_>) -> String {
    let mut out = String::new();
    for (playbook, plays) in by_playbook(plan) {
        line(&mut out, &format!("playbook: {}", playbook.display()));
        for (number, play) in plays.iter().enumerate() {
            show_play(&mut out, number + 1, play, show);
        }
    }
    out
}

/// Most host names that one line shows.
const HOSTS_SHOWN: usize = 8;
/// Most waves whose size is shown.
const WAVES_SHOWN: usize = 12;

fn show_play(out: &mut String, number: usize, play: &Play, show: &Show<'_>) {
    let hosts = (show.hosts_of)(play);
    line(
        out,
        &format!("\nplay #{number} `{}` ({})", title(play), place(&play.at)),
    );
    let mut names: Vec<String> = hosts.iter().take(HOSTS_SHOWN).map(HostName::to_string).collect();
    if hosts.len() > names.len() {
        names.push(format!("... and {} more", hosts.len() - names.len()));
    }
    let separator = if names.is_empty() { "" } else { ": " };
    let count = hosts.len();
    let of = pattern(play);
    line(out, &format!("  hosts: {of}: {count}{separator}{}", names.join(", ")));
    for (name, value) in settings(play) {
        line(out, &format!("  {name}: {} ({})", words(value), place(&value.span)));
    }
    for check in &play.preflight {
        let action = check.on_mismatch.word();
        line(
            out,
            &format!(
                "  pre-flight: {}  [{}]  {}  on mismatch: {action}",
                check.name,
                check.look.word(),
                place(&check.at)
            ),
        );
    }
    show_waves(out, play, hosts.len());
    for (heading, entries) in [("tasks", &play.body), ("handlers", &play.handlers)] {
        let mut shown = String::new();
        collect(entries, show, 2, &mut |depth, item| {
            let indent = "  ".repeat(depth);
            match item {
                Shown::Part(word) => line(&mut shown, &format!("{indent}{word}:")),
                Shown::Task(task) => {
                    line(&mut shown, &format!("{indent}{}", described(task)));
                    for condition in &task.keywords.when {
                        line(&mut shown, &format!("{indent}    when: {}", words(condition)));
                    }
                }
            }
        });
        if !shown.is_empty() {
            line(out, &format!("  {heading}:"));
            out.push_str(&shown);
        }
    }
}

/// The waves of `serial`, and what is compared after each.
fn show_waves(out: &mut String, play: &Play, hosts: usize) {
    if let Some(node) = play.serial.as_ref().filter(|node| !node.has_template()) {
        let items: Vec<String> = several(node.clone()).iter().filter_map(Node::scalar_text).collect();
        let sizes = serial::sizes(&items, hosts).unwrap_or_default();
        let mut shown: Vec<String> = sizes.iter().take(WAVES_SHOWN).map(ToString::to_string).collect();
        if sizes.len() > WAVES_SHOWN {
            shown.push("...".to_owned());
        }
        if !shown.is_empty() {
            line(out, &format!("  waves: {}: {}", sizes.len(), shown.join(", ")));
        }
    }
    let Some(canary) = &play.canary else { return };
    let at = place(&canary.at);
    let (compared, action) = (canary.results.word(), canary.on_mismatch.word());
    line(
        out,
        &format!("  canary: results  [{compared}]  {at}  on mismatch: {action}"),
    );
    for check in &canary.checks {
        let (name, look, action) = (&check.name, check.look.word(), check.on_mismatch.word());
        let at = place(&check.at);
        line(out, &format!("  canary: {name}  [{look}]  {at}  on mismatch: {action}"));
    }
}

/// `install : Copy it  [copy]  roles/install/tasks/main.yml:3  tags: a, b`.
fn described(task: &Task) -> String {
    let mut text = match (&task.role, &task.name) {
        // The role stands before a name already.
        (Some(role), None) => format!("{} : {}", role.name, task.action_name),
        _ => listed_name(task),
    };
    if task.name.is_some() {
        let _ = write!(text, "  [{}]", task.action_name);
    }
    let _ = write!(text, "  {}", place(&task.at));
    if task.repeat.is_some() {
        text.push_str("  loop");
    }
    if !task.keywords.tags.is_empty() {
        let _ = write!(text, "  tags: {}", task.keywords.tags.join(", "));
    }
    if !task.notify.is_empty() {
        let names: Vec<String> = task.notify.iter().map(words).collect();
        let _ = write!(text, "  notify: {}", names.join(", "));
    }
    text
}

/// What the play says about how it runs.
fn settings(play: &Play) -> Vec<(&'static str, &Node)> {
    let keywords = &play.keywords;
    let said = [
        ("gather_facts", &play.gather_facts),
        ("serial", &play.serial),
        ("strategy", &play.strategy),
        ("order", &play.order),
        ("max_fail_percentage", &play.max_fail_percentage),
        ("force_handlers", &play.force_handlers),
        ("connection", &keywords.connection),
        ("remote_user", &keywords.remote_user),
        ("port", &keywords.port),
        ("become", &keywords.elevate),
        ("become_user", &keywords.become_user),
        ("become_method", &keywords.become_method),
        ("check_mode", &keywords.check_mode),
        ("diff", &keywords.diff),
        ("timeout", &keywords.timeout),
        ("throttle", &keywords.throttle),
        ("any_errors_fatal", &keywords.any_errors_fatal),
        ("ignore_errors", &keywords.ignore_errors),
        ("ignore_unreachable", &keywords.ignore_unreachable),
        ("no_log", &keywords.no_log),
    ];
    let said = said
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_ref()?)));
    said.chain(play.vars_files.iter().map(|file| ("vars_files", file)))
        .collect()
}

enum Shown<'a> {
    /// `block`, `rescue`, `always`.
    Part(&'static str),
    Task(&'a Task),
}

fn collect<'a>(entries: &'a [Entry], show: &Show<'_>, depth: usize, each: &mut impl FnMut(usize, Shown<'a>)) {
    for entry in entries {
        match entry {
            Entry::Task(task) if show.selects(task) => each(depth, Shown::Task(task)),
            Entry::Task(_) => {}
            Entry::Block(block) => {
                for (word, part) in [
                    ("block", &block.body),
                    ("rescue", &block.rescue),
                    ("always", &block.always),
                ] {
                    let mut any = false;
                    super::check::each_task(part, &mut |task| any |= show.selects(task));
                    if any {
                        each(depth, Shown::Part(word));
                        collect(part, show, depth + 1, each);
                    }
                }
            }
        }
    }
}

fn by_playbook(plan: &Plan) -> Vec<(&Path, Vec<&Play>)> {
    let mut groups: Vec<(&Path, Vec<&Play>)> = Vec::new();
    for play in &plan.plays {
        match groups.last_mut() {
            Some((playbook, plays)) if *playbook == play.playbook => plays.push(play),
            _ => groups.push((&play.playbook, vec![play])),
        }
    }
    groups
}

fn line(out: &mut String, text: &str) {
    // Tabs are part of Ansible's form; everything else that could drive the terminal is escaped.
    let parts: Vec<String> = text.split('\t').map(visible).collect();
    out.push_str(&parts.join("\t"));
    out.push('\n');
}

fn listed_name(task: &Task) -> String {
    let Some(name) = task
        .name
        .as_ref()
        .and_then(Node::scalar_text)
        .filter(|name| !name.is_empty())
    else {
        return task.action_name.clone();
    };
    match &task.role {
        Some(role) => format!("{} : {name}", role.name),
        None => name,
    }
}

fn pattern(play: &Play) -> String {
    match &play.hosts.kind {
        Kind::List(items) => items.iter().filter_map(Node::scalar_text).collect::<Vec<_>>().join(","),
        _ => play.hosts.scalar_text().unwrap_or_default(),
    }
}

fn title(play: &Play) -> String {
    let name = play.name.as_ref().and_then(Node::scalar_text);
    name.unwrap_or_else(|| pattern(play))
}

fn place(at: &Span) -> String {
    format!("{}:{}", at.file.path.display(), at.line)
}

/// A value on one line.
fn words(node: &Node) -> String {
    match &node.kind {
        Kind::Bool(yes) => yes.to_string(),
        Kind::List(items) => format!("[{}]", items.iter().map(words).collect::<Vec<_>>().join(", ")),
        Kind::Map(entries) => {
            let entry = |(key, value): &(Node, Node)| format!("{}: {}", words(key), words(value));
            format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
        _ => node.scalar_text().unwrap_or_else(|| "null".to_owned()),
    }
}
