//! `lineinfile`: keeps one line in a text file, or keeps lines out of it.

use fancy_regex::Regex;

use crate::modules::args::{Param, ParamKind};
use crate::modules::attrs::{self, param, with_default};
use crate::modules::edit::{self, Edited, TextFile};
use crate::modules::given::Arguments;
use crate::modules::pattern::{self, Text};
use crate::modules::step::{Reader, Taken};
use crate::modules::{BUILTIN, Change, Given, Module, ModuleError, Spec, Values};

/// The module.
pub const SPEC: Spec = Spec {
    name: "lineinfile",
    collection: BUILTIN,
    doc: "Keeps one line in a text file, or keeps lines out of it.

- hosts: all
  tasks:
    - lineinfile:
        path: /etc/ssh/sshd_config
        regexp: '^#?PermitRootLogin'
        line: PermitRootLogin no
        validate: sshd -t -f %s
    - lineinfile: path=/etc/hosts regexp='old-server' state=absent",
    params: PARAMS,
    free_form: false,
    local: false,
    read,
};

const PARAMS: &[Param] = &[
    Param {
        aliases: &["dest", "destfile", "name"],
        ..attrs::required("path", ParamKind::Path, "The file to edit.")
    },
    Param {
        choices: &["absent", "present"],
        ..with_default("state", ParamKind::Text, "present", "Whether the line is to be there.")
    },
    Param {
        aliases: &["regex"],
        ..param(
            "regexp",
            ParamKind::Text,
            "Pattern of the line to replace (the last one that fits), or of the lines to remove.",
        )
    },
    param("search_string", ParamKind::Text, "Text of the line to replace or remove, instead of a pattern."),
    Param {
        aliases: &["value"],
        ..param("line", ParamKind::Text, "The line, without its end.")
    },
    with_default("backrefs", ParamKind::Bool, "false", "`\\1` in `line` stands for groups of `regexp`."),
    param(
        "insertafter",
        ParamKind::Text,
        "A new line goes behind the last line that fits this pattern; or `EOF`, the end.",
    ),
    param(
        "insertbefore",
        ParamKind::Text,
        "A new line goes before the last line that fits this pattern; or `BOF`, the beginning.",
    ),
    with_default("firstmatch", ParamKind::Bool, "false", "The first line that fits counts, not the last."),
    with_default("create", ParamKind::Bool, "false", "Make the file when there is none."),
    edit::BACKUP,
    edit::VALIDATE,
    attrs::OWNER,
    attrs::GROUP,
    attrs::MODE,
    attrs::ATTRIBUTES,
    attrs::SEUSER,
    attrs::SEROLE,
    attrs::SETYPE,
    attrs::SELEVEL,
    attrs::UNSAFE_WRITES,
];

#[derive(Debug)]
struct LineInFile {
    file: TextFile,
    present: bool,
    regexp: Option<String>,
    search: Option<String>,
    line: String,
    backrefs: bool,
    after: Option<String>,
    before: Option<String>,
    first: bool,
}

fn read(given: &Given<'_>) -> Result<Box<dyn Module>, ModuleError> {
    let args = Arguments(&given.args);
    let text = |name: &str| args.text(name).map(str::to_owned);
    let present = args.text("state") != Some("absent");
    let (regexp, search) = (text("regexp"), text("search_string"));
    if regexp.is_some() && search.is_some() {
        return Err(ModuleError::failed("parameters are mutually exclusive: regexp|search_string"));
    }
    if args.filled("insertafter").is_some() && args.filled("insertbefore").is_some() {
        return Err(ModuleError::failed("parameters are mutually exclusive: insertbefore|insertafter"));
    }
    let backrefs = args.flag("backrefs");
    if present {
        if backrefs && regexp.is_none() {
            return Err(ModuleError::failed("regexp is required with backrefs=true"));
        }
        if args.text("line").is_none() {
            return Err(ModuleError::failed("line is required with state=present"));
        }
    } else if regexp.is_none() && search.is_none() && args.text("line").is_none() {
        return Err(ModuleError::failed("one of line, search_string, or regexp is required with state=absent"));
    }
    for pattern in [&regexp, &text("insertafter"), &text("insertbefore")].into_iter().flatten() {
        pattern::compile(pattern, false)?;
    }
    let mut file = TextFile::read(given, args)?;
    if !present {
        file = file.optional();
    }
    let filled = |name: &str| args.filled(name).map(str::to_owned);
    Ok(Box::new(LineInFile {
        file,
        present,
        regexp,
        search,
        line: text("line").unwrap_or_default(),
        backrefs,
        after: filled("insertafter"),
        before: filled("insertbefore"),
        first: args.flag("firstmatch"),
    }))
}

impl Module for LineInFile {
    fn inspect(&self, host: &mut Reader<'_>) -> Result<Change, ModuleError> {
        self.file.inspect(host, &|old| {
            let text = Text::of(old.unwrap_or_default());
            if self.present {
                self.keep(&text)
            } else if old.is_none() {
                Ok(Edited {
                    msg: "file not present".to_owned(),
                    ..Edited::default()
                })
            } else {
                self.remove(&text)
            }
        })
    }

    fn conclude(&self, taken: &[Taken], values: &mut Values) -> Result<(), ModuleError> {
        TextFile::conclude(taken, values);
        Ok(())
    }
}

/// Where a line was found: its number, and the line that stands for it.
struct Hit {
    at: usize,
    line: String,
}

impl LineInFile {
    fn remove(&self, text: &Text) -> Result<Edited, ModuleError> {
        let regexp = compile(text, self.regexp.as_ref())?;
        let line = text.own(&self.line);
        let search = self.search.as_ref().map(|search| text.own(search));
        let mut kept = String::new();
        let mut found = 0_usize;
        for current in pattern::lines(&text.chars) {
            let hit = match (&regexp, &search) {
                (Some(regexp), _) => pattern::is_match(regexp, &current)?,
                (None, Some(search)) => current.contains(search.as_str()),
                (None, None) => without_end(&current) == line,
            };
            if hit {
                found = found.saturating_add(1);
            } else {
                kept.push_str(&current);
            }
        }
        let mut values = Values::new();
        values.insert("found".into(), found.into());
        Ok(Edited {
            text: (found > 0).then(|| text.bytes(&kept)),
            msg: if found > 0 { format!("{found} line(s) removed") } else { String::new() },
            values,
        })
    }

    fn keep(&self, text: &Text) -> Result<Edited, ModuleError> {
        let mut lines = pattern::lines(&text.chars);
        let line = text.own(&self.line);
        let (hit, exact) = match self.find(text, &lines, &line)? {
            Some(hit) => (Some(hit), None),
            None => (None, lines.iter().rposition(|current| without_end(current) == line)),
        };
        let msg = match (hit, exact) {
            (Some(hit), _) => replaced(&mut lines, hit.at, hit.line),
            // The line is there, wherever: it stays, and gets its end.
            (None, Some(at)) => replaced(&mut lines, at, line),
            // Without a match nobody knows what the groups stand for.
            (None, None) if self.backrefs => "",
            (None, None) => self.insert(text, &mut lines, &line)?,
        };
        Ok(Edited {
            text: (!msg.is_empty()).then(|| text.bytes(&lines.concat())),
            msg: msg.to_owned(),
            values: Values::new(),
        })
    }

    /// The line that `regexp` or `search_string` means, and what it becomes.
    fn find(&self, text: &Text, lines: &[String], line: &str) -> Result<Option<Hit>, ModuleError> {
        let regexp = compile(text, self.regexp.as_ref())?;
        let search = self.search.as_ref().map(|search| text.own(search));
        let mut hit = None;
        for (at, current) in lines.iter().enumerate() {
            let found = match (&regexp, &search) {
                (Some(regexp), _) => match pattern::captures(regexp, current)? {
                    Some(captures) if self.backrefs => Some(pattern::expand(line, &captures)?),
                    Some(_) => Some(line.to_owned()),
                    None => None,
                },
                (None, Some(search)) => current.contains(search.as_str()).then(|| line.to_owned()),
                (None, None) => None,
            };
            if let Some(line) = found {
                hit = Some(Hit { at, line });
                if self.first {
                    break;
                }
            }
        }
        Ok(hit)
    }

    fn insert(&self, text: &Text, lines: &mut Vec<String>, line: &str) -> Result<&'static str, ModuleError> {
        let ended = with_end(line.to_owned());
        if self.before.as_deref() == Some("BOF") || self.after.as_deref() == Some("BOF") {
            lines.insert(0, ended);
            return Ok("line added");
        }
        let anchor = match (self.after.as_deref(), self.before.as_deref()) {
            (Some("EOF") | None, None) => None,
            (Some(after), _) => self.anchor(text, lines, after)?.map(|at| at.saturating_add(1)),
            (None, Some(before)) => self.anchor(text, lines, before)?,
        };
        let at_the_end = anchor.is_none_or(|at| at > 0 && at >= lines.len());
        if let Some(last) = lines.last_mut().filter(|last| at_the_end && !last.ends_with(['\n', '\r'])) {
            // A last line without its end would run into the new one.
            last.push('\n');
        }
        match anchor {
            None => lines.push(ended),
            Some(at) if self.after.is_some() && lines.get(at).is_some_and(|next| without_end(next) == line) => {
                return Ok("");
            }
            Some(at) => lines.insert(at.min(lines.len()), ended),
        }
        Ok("line added")
    }

    fn anchor(&self, text: &Text, lines: &[String], written: &str) -> Result<Option<usize>, ModuleError> {
        let regex = pattern::compile(&text.own(written), false)?;
        let mut found = None;
        for (at, line) in lines.iter().enumerate() {
            if pattern::is_match(&regex, line)? {
                found = Some(at);
                if self.first {
                    break;
                }
            }
        }
        Ok(found)
    }
}

fn replaced(lines: &mut [String], at: usize, line: String) -> &'static str {
    let line = with_end(line);
    match lines.get_mut(at) {
        Some(current) if *current != line => {
            *current = line;
            "line replaced"
        }
        _ => "",
    }
}

fn with_end(mut line: String) -> String {
    if !line.ends_with('\n') {
        line.push('\n');
    }
    line
}

fn without_end(line: &str) -> &str {
    line.trim_end_matches(['\r', '\n'])
}

fn compile(text: &Text, pattern: Option<&String>) -> Result<Option<Regex>, ModuleError> {
    pattern.map(|pattern| pattern::compile(&text.own(pattern), false)).transpose()
}
