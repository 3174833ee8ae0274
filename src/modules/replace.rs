//! `replace`: replaces everything in a text file that fits a pattern.

use crate::modules::args::{Param, ParamKind};
use crate::modules::attrs::{self, param, with_default};
use crate::modules::edit::{self, Edited, TextFile};
use crate::modules::given::Arguments;
use crate::modules::pattern::{self, Text};
use crate::modules::step::{Reader, Taken};
use crate::modules::{BUILTIN, Change, Given, Module, ModuleError, Spec, Values};

/// The module.
pub const SPEC: Spec = Spec {
    name: "replace",
    collection: BUILTIN,
    doc: "Replaces everything in a text file that fits a pattern.

- hosts: all
  tasks:
    - replace:
        path: /etc/hosts
        regexp: '(\\s+)old\\.example\\.com(\\s+.*)?$'
        replace: '\\1new.example.com\\2'
        backup: true",
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
    attrs::required("regexp", ParamKind::Text, "Pattern; `^` and `$` match at every line."),
    with_default("replace", ParamKind::Text, "\"\"", "What stands there instead; nothing when it is not given."),
    param("after", ParamKind::Text, "Only what comes after a match of this pattern."),
    param("before", ParamKind::Text, "Only what comes before a match of this pattern."),
    with_default("encoding", ParamKind::Text, "utf-8", "Accepted; bytes stay as they are."),
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
struct Replace {
    file: TextFile,
    regexp: String,
    replacement: String,
    after: String,
    before: String,
}

fn read(given: &Given<'_>) -> Result<Box<dyn Module>, ModuleError> {
    let args = Arguments(&given.args);
    let text = |name: &str| args.text(name).unwrap_or_default().to_owned();
    let replace = Replace {
        file: TextFile::read(given, args)?,
        regexp: text("regexp"),
        replacement: text("replace"),
        after: text("after"),
        before: text("before"),
    };
    pattern::compile(&replace.regexp, true)?;
    Ok(Box::new(replace))
}

impl Replace {
    fn edit(&self, old: &[u8]) -> Result<Edited, ModuleError> {
        let text = Text::of(old);
        let Some((from, to)) = self.section(&text)? else {
            return Ok(Edited {
                msg: format!(
                    "Pattern for before/after params did not match the given file: {}",
                    self.named()
                ),
                ..Edited::default()
            });
        };
        let regex = pattern::compile(&text.own(&self.regexp), true)?;
        let (head, rest) = text.chars.split_at_checked(from).unwrap_or((&text.chars, ""));
        let (section, tail) = rest.split_at_checked(to.saturating_sub(from)).unwrap_or((rest, ""));
        let (new, count) = pattern::replace_all(&regex, section, &text.own(&self.replacement))?;
        let whole = [head, &new, tail].concat();
        if count == 0 || whole == text.chars {
            return Ok(Edited::default());
        }
        Ok(Edited {
            text: Some(text.bytes(&whole)),
            msg: format!("{count} replacements made"),
            values: Values::new(),
        })
    }

    /// The part between `after` and `before`.
    fn section(&self, text: &Text) -> Result<Option<(usize, usize)>, ModuleError> {
        if self.after.is_empty() && self.before.is_empty() {
            return Ok(Some((0, text.chars.len())));
        }
        let (after, before) = (text.own(&self.after), text.own(&self.before));
        let whole = match (after.as_str(), before.as_str()) {
            (after, "") => format!("(?s){after}(?P<subsection>.*)"),
            ("", before) => format!("(?s)(?P<subsection>.*){before}"),
            (after, before) => format!("(?s){after}(?P<subsection>.*?){before}"),
        };
        let regex = pattern::compile(&whole, false)?;
        let found = pattern::captures(&regex, &text.chars)?;
        Ok(found.and_then(|found| found.name("subsection").map(|part| (part.start(), part.end()))))
    }

    fn named(&self) -> String {
        match (self.after.as_str(), self.before.as_str()) {
            (after, "") => after.to_owned(),
            ("", before) => before.to_owned(),
            (after, before) => format!("{after}(?P<subsection>.*?){before}"),
        }
    }
}

impl Module for Replace {
    fn inspect(&self, host: &mut Reader<'_>) -> Result<Change, ModuleError> {
        self.file.inspect(host, &|old| self.edit(old.unwrap_or_default()))
    }

    fn conclude(&self, taken: &[Taken], values: &mut Values) -> Result<(), ModuleError> {
        TextFile::conclude(taken, values);
        Ok(())
    }
}
