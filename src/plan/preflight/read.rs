//! Reads `preflight` of a play, and the checks of `canary`. All mistakes are found before anybody is contacted.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::layout::{Baseline, Mask, Normaliser};
use crate::plan::canary::no_drop;
use crate::plan::compile::Compiler;
use crate::plan::keywords::{several, words};
use crate::plan::preflight::disks::written;
use crate::plan::preflight::size::parse_size;
use crate::plan::preflight::{Check, Demand, DiskRules, Look, OnMismatch};
use crate::plan::{CompileOptions, Keywords};
use crate::playbook::keywords::boolean;
use crate::source::{Diagnostic, nearest};
use crate::yaml::{Kind, Node};

/// What a check may ask; one of them.
const LOOKS: [&str; 5] = ["command", "shell", "disks", "programs", "space"];
/// What else it may say.
const KEYS: &[&str] = &[
    "name",
    "same",
    "max_layouts",
    "expect",
    "that",
    "baseline",
    "normalise",
    "lines",
    "rc",
    "on_mismatch",
    "on_no_answer",
    "when",
    "timeout",
    "become",
    "become_user",
    "become_method",
    "no_log",
];
/// The values of `on_mismatch` and `on_no_answer`.
const ANSWERS: [OnMismatch; 3] = [OnMismatch::Stop, OnMismatch::Drop, OnMismatch::Ask];
/// Longest name that a check gets from what it asks.
const LONGEST_NAME: usize = 60;

impl Compiler<'_> {
    /// The checks of a play whose playbook is in `dir`, before it (`preflight`) or after each wave (`canary`).
    pub(in crate::plan) fn checks(&mut self, nodes: &[Node], dir: &Path, canary: bool) -> Vec<Check> {
        let mut checks: Vec<Check> = Vec::new();
        for node in nodes {
            let mut reading = Reading {
                options: self.options,
                dir,
                canary,
                mistakes: Vec::new(),
            };
            let check = reading.check(node);
            self.report_all(reading.mistakes);
            let Some(check) = check else { continue };
            if let Some(other) = checks.iter().find(|other| other.name == check.name) {
                let line = other.at.line;
                let mistake = node.error(format!("a second check `{}`; the first is in line {line}", check.name));
                self.report(mistake.help("give each a `name` of its own"));
            }
            checks.push(check);
        }
        checks
    }
}

/// The mistake of a key that is not known where it stands.
pub(in crate::plan) fn unknown_key(key: &Node, place: &str, known: &[&'static str]) -> Diagnostic {
    let name = key.scalar_text().unwrap_or_default();
    let mistake = key.error(format!("unknown key `{name}` in {place}"));
    match nearest(&name, known.iter().copied()) {
        Some(near) => mistake.help(format!("did you mean `{near}`?")),
        None => mistake.help(format!("there are {}", known.join(", "))),
    }
}

/// The mistake of a value that is none of the words there are.
pub(in crate::plan) fn one_of(node: &Node, key: &str, known: &[&'static str]) -> Diagnostic {
    let mistake = node.error(format!(
        "`{key}` must be one of {}, not {}",
        known.join(", "),
        written(node)
    ));
    match nearest(&node.scalar_text().unwrap_or_default(), known.iter().copied()) {
        Some(near) => mistake.help(format!("did you mean `{near}`?")),
        None => mistake,
    }
}

struct Reading<'a> {
    options: &'a CompileOptions,
    dir: &'a Path,
    canary: bool,
    mistakes: Vec<Diagnostic>,
}

impl Reading<'_> {
    /// What is read.
    fn what(&self) -> &'static str {
        if self.canary {
            "a canary check"
        } else {
            "a pre-flight check"
        }
    }

    fn check(&mut self, node: &Node) -> Option<Check> {
        let Some(entries) = node.as_map() else {
            let mistake = node.error(format!("{} is a mapping, not {}", self.what(), node.kind_name()));
            self.mistakes
                .push(mistake.help("for example `- command: uname -r` with `same: true` below it"));
            return None;
        };
        for (key, _) in entries {
            let known = key
                .as_str()
                .is_some_and(|name| LOOKS.contains(&name) || KEYS.contains(&name));
            if !known {
                let all: Vec<&'static str> = LOOKS.iter().chain(KEYS).copied().collect();
                self.mistakes.push(unknown_key(key, self.what(), &all));
            }
        }
        let get = |name: &str| node.get(name).filter(|value| !value.is_null());
        let look = self.look(node)?;
        let demand = self.demand(node, &look);
        let on_mismatch = self.action(node, "on_mismatch").unwrap_or(OnMismatch::Stop);
        let mut masks = get("normalise").map(|value| self.masks(value)).unwrap_or_default();
        if let Some(baseline) = &demand.baseline {
            // The file's lines were normalised when it was written.
            masks.extend(&baseline.1.normalise);
        }
        let keywords = Keywords {
            elevate: self.boolean(node, "become"),
            become_user: get("become_user").cloned(),
            become_method: get("become_method").cloned(),
            no_log: self.boolean(node, "no_log"),
            ..Keywords::default()
        };
        Some(Check {
            name: self.name(node, &look),
            at: node.span.clone(),
            demand,
            normaliser: Normaliser::new(masks),
            sorted: self.sorted(node),
            on_mismatch,
            on_no_answer: self.action(node, "on_no_answer").unwrap_or(on_mismatch),
            when: self.conditions(node, "when"),
            keywords,
            timeout: self.timeout(node),
            rc: self.codes(node),
            look,
        })
    }

    /// What is asked, and whether that can be.
    fn look(&mut self, node: &Node) -> Option<Look> {
        let given: Vec<&str> = LOOKS.into_iter().filter(|name| node.get(name).is_some()).collect();
        let [word] = given.as_slice() else {
            // A key that is not known may have been meant to ask.
            if given.is_empty() && !self.mistakes.is_empty() {
                return None;
            }
            let mistake = if given.is_empty() {
                node.error(format!("{} that asks nothing", self.what()))
            } else {
                node.error(format!(
                    "{} asks one thing, not `{}`",
                    self.what(),
                    given.join("` and `")
                ))
            };
            self.mistakes.push(mistake.help(format!("one of {}", LOOKS.join(", "))));
            return None;
        };
        let value = node.get(word)?.clone();
        self.templates(&value);
        match *word {
            "disks" => {
                let (_, mistakes) = DiskRules::read(&value);
                self.mistakes.extend(mistakes);
                Some(Look::Disks(value))
            }
            "programs" => {
                let names = several(value.clone());
                if names.is_empty()
                    || names
                        .iter()
                        .any(|name| name.as_str().is_none_or(|name| name.trim().is_empty()))
                {
                    self.mistakes.push(value.error("`programs` is a list of their names"));
                }
                Some(Look::Programs(value))
            }
            "space" => {
                self.space(&value);
                Some(Look::Space(value))
            }
            _ => {
                let text = value.scalar_text().unwrap_or_default();
                if text.trim().is_empty() {
                    self.mistakes
                        .push(value.error(format!("`{word}` needs text: the command that looks")));
                } else if *word == "command"
                    && !value.has_template()
                    && let Err(error) = crate::shell::split_words(&text)
                {
                    self.mistakes.push(value.error(error));
                }
                Some(if *word == "command" {
                    Look::Command(value)
                } else {
                    Look::Shell(value)
                })
            }
        }
    }

    /// `space: {/var: 1GB}`.
    fn space(&mut self, value: &Node) {
        let Some(entries) = value.as_map().filter(|entries| !entries.is_empty()) else {
            let mistake = value.error(format!("`space` must be a mapping, not {}", value.kind_name()));
            self.mistakes.push(mistake.help("for example {/var: 1GB, /tmp: 200MB}"));
            return;
        };
        for (path, size) in entries {
            if path
                .as_str()
                .is_none_or(|path| !path.starts_with('/') && !path.contains("{{"))
            {
                self.mistakes
                    .push(path.error(format!("{} is no absolute path", written(path))));
            }
            if !size.has_template()
                && let Err(error) = parse_size(&size.scalar_text().unwrap_or_default())
            {
                self.mistakes.push(size.error(error));
            }
        }
    }

    fn demand(&mut self, node: &Node, look: &Look) -> Demand {
        let get = |name: &str| node.get(name).filter(|value| !value.is_null());
        let same = self.boolean(node, "same").as_ref().and_then(boolean).unwrap_or(false);
        let mut most = same.then_some(1);
        if let Some(value) = get("max_layouts") {
            let number = value.scalar_text().and_then(|text| text.trim().parse::<usize>().ok());
            match number.filter(|number| *number > 0) {
                Some(number) if same && number > 1 => self.mistakes.push(
                    value
                        .error(format!("`same` is one layout, `max_layouts` allows {number}"))
                        .help("leave one of them out"),
                ),
                Some(number) => most = Some(number),
                None => {
                    let text = format!("`max_layouts` must be a whole number from 1, not {}", written(value));
                    self.mistakes.push(value.error(text));
                }
            }
        }
        let expect: Vec<Node> = get("expect").cloned().map(several).unwrap_or_default();
        for value in &expect {
            self.templates(value);
            if value.scalar_text().is_none() {
                let text = format!("`expect` is text or a list of texts, not {}", value.kind_name());
                self.mistakes.push(value.error(text));
            }
        }
        let demand = Demand {
            most,
            expect,
            that: self.conditions(node, "that"),
            baseline: get("baseline").and_then(|value| self.baseline(value, look)),
        };
        let says_nothing = demand.most.is_none()
            && demand.expect.is_empty()
            && demand.that.is_empty()
            && get("baseline").is_none()
            && get("max_layouts").is_none();
        // After a wave, what was answered before is demand enough.
        if says_nothing && !look.demands() && !self.canary {
            let mistake = node.error("a pre-flight check that demands nothing of the answers");
            self.mistakes
                .push(mistake.help("add `same: true`, or one of `expect`, `that`, `baseline`, `max_layouts`"));
        }
        demand
    }

    fn baseline(&mut self, value: &Node, look: &Look) -> Option<Arc<(PathBuf, Baseline)>> {
        if !matches!(look, Look::Command(_) | Look::Shell(_)) {
            let mistake = value.error(format!(
                "a baseline is for `command` and `shell`, not for `{}`",
                look.word()
            ));
            self.mistakes
                .push(mistake.help("compare the output of a command, for example lsblk's"));
            return None;
        }
        let name = value
            .as_str()
            .map(str::trim)
            .filter(|name| !name.is_empty() && !value.has_template());
        let Some(name) = name else {
            let mistake = value.error("`baseline` is the name of a file, without templates: it is read before the run");
            self.mistakes.push(mistake);
            return None;
        };
        let path = self.dir.join(name);
        let read = (self.options.open)(&path).map_err(|error| error.message);
        match read.and_then(|file| Baseline::read(&file.text)) {
            Ok(baseline) => Some(Arc::new((path, baseline))),
            Err(error) => {
                let mistake = value.error(format!("cannot use `{}` as a baseline: {error}", path.display()));
                self.mistakes
                    .push(mistake.help("`batchssh audit … --save-baseline FILE` writes one"));
                None
            }
        }
    }

    fn name(&mut self, node: &Node, look: &Look) -> String {
        if let Some(value) = node.get("name").filter(|value| !value.is_null()) {
            let name = value.scalar_text().unwrap_or_default();
            if name.trim().is_empty() || value.has_template() {
                let text = "the name of a check is text without templates: it is the same for all hosts";
                self.mistakes.push(value.error(text));
            }
            return name.trim().to_owned();
        }
        let asked = match look {
            Look::Command(text) | Look::Shell(text) => text.scalar_text().unwrap_or_default(),
            Look::Disks(_) | Look::Programs(_) | Look::Space(_) => return look.word().to_owned(),
        };
        let line = asked.split_whitespace().collect::<Vec<_>>().join(" ");
        if line.chars().count() <= LONGEST_NAME {
            return line;
        }
        line.chars().take(LONGEST_NAME - 3).chain("...".chars()).collect()
    }

    fn masks(&mut self, value: &Node) -> Vec<Mask> {
        let known: Vec<&'static str> = Mask::ALL.into_iter().map(Mask::name).collect();
        let mut masks = Vec::new();
        for word in words(value) {
            match word.parse() {
                Ok(mask) => masks.push(mask),
                Err(_) => self
                    .mistakes
                    .push(one_of(&Node::text(word, &value.span), "normalise", &known)),
            }
        }
        masks
    }

    fn action(&mut self, node: &Node, key: &str) -> Option<OnMismatch> {
        let value = node.get(key).filter(|value| !value.is_null())?;
        let found = ANSWERS.into_iter().find(|action| value.as_str() == Some(action.word()));
        match found {
            Some(OnMismatch::Drop) if self.canary => {
                self.mistakes.push(no_drop(value, key));
                return None;
            }
            None if self.canary => self.mistakes.push(one_of(value, key, &["stop", "ask"])),
            None => self.mistakes.push(one_of(value, key, &ANSWERS.map(OnMismatch::word))),
            Some(_) => {}
        }
        found
    }

    fn sorted(&mut self, node: &Node) -> bool {
        match node.get("lines").filter(|value| !value.is_null()) {
            None => false,
            Some(value) if value.as_str() == Some("sort") => true,
            Some(value) => {
                self.mistakes.push(one_of(value, "lines", &["sort"]));
                false
            }
        }
    }

    fn boolean(&mut self, node: &Node, key: &str) -> Option<Node> {
        let value = node.get(key).filter(|value| !value.is_null())?;
        if boolean(value).is_none() {
            self.mistakes.push(one_of(value, key, &["true", "false"]));
            return None;
        }
        Some(value.clone())
    }

    fn conditions(&mut self, node: &Node, key: &str) -> Vec<Node> {
        let conditions: Vec<Node> = node.get(key).cloned().map(several).unwrap_or_default();
        for condition in &conditions {
            let checked = match condition.kind {
                Kind::List(_) | Kind::Map(_) => {
                    Err(condition.error(format!("`{key}` is a condition or a list of conditions")))
                }
                Kind::Null | Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::Text(_) => {
                    self.options.templar.check_condition(condition)
                }
            };
            self.mistakes.extend(checked.err());
        }
        conditions
    }

    fn timeout(&mut self, node: &Node) -> Option<Duration> {
        let value = node.get("timeout").filter(|value| !value.is_null())?;
        let seconds = value.scalar_text().and_then(|text| text.trim().parse::<f64>().ok());
        let limit = seconds
            .filter(|seconds| *seconds > 0.0)
            .and_then(|s| Duration::try_from_secs_f64(s).ok());
        if limit.is_none() {
            let text = format!("`timeout` must be a number of seconds, not {}", written(value));
            self.mistakes.push(value.error(text));
        }
        limit
    }

    fn codes(&mut self, node: &Node) -> Vec<i32> {
        let Some(value) = node.get("rc").filter(|value| !value.is_null()) else {
            return vec![0];
        };
        let mut codes = Vec::new();
        for item in several(value.clone()) {
            match item.scalar_text().and_then(|text| text.trim().parse().ok()) {
                Some(code) if (0..=255).contains(&code) => codes.push(code),
                Some(_) | None => {
                    let text = format!("`rc` is an exit code or a list of them, not {}", written(&item));
                    self.mistakes.push(item.error(text));
                }
            }
        }
        codes
    }

    fn templates(&mut self, node: &Node) {
        self.mistakes.extend(self.options.templar.check(node).err());
    }
}
