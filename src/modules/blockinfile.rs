//! `blockinfile`: keeps a block of lines between two marker lines in a text file.

use crate::modules::args::{Param, ParamKind};
use crate::modules::attrs::{self, param, with_default};
use crate::modules::edit::{self, Edited, TextFile};
use crate::modules::given::Arguments;
use crate::modules::pattern::{self, Text};
use crate::modules::step::{Reader, Taken};
use crate::modules::{BUILTIN, Change, Given, Module, ModuleError, Spec, Values};

/// The module.
pub const SPEC: Spec = Spec {
    name: "blockinfile",
    collection: BUILTIN,
    doc: "Keeps a block of lines between two marker lines in a text file.

- hosts: all
  tasks:
    - blockinfile:
        path: /etc/ssh/sshd_config
        block: |
          Match User backup
            PasswordAuthentication no
        validate: sshd -t -f %s
    - blockinfile: {path: /etc/hosts, marker: \"# {mark} cluster\", state: absent}",
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
        ..with_default("state", ParamKind::Text, "present", "Whether the block is to be there.")
    },
    with_default(
        "marker",
        ParamKind::Text,
        "# {mark} ANSIBLE MANAGED BLOCK",
        "Marker line; `{mark}` becomes `marker_begin` and `marker_end`.",
    ),
    Param {
        aliases: &["content"],
        ..with_default("block", ParamKind::Text, "\"\"", "The lines; without any the block is removed.")
    },
    param("insertafter", ParamKind::Text, "A new block goes behind the last line that fits, or at the `EOF`."),
    param("insertbefore", ParamKind::Text, "A new block goes before the last line that fits, or at the `BOF`."),
    with_default("create", ParamKind::Bool, "false", "Make the file when there is none."),
    with_default("marker_begin", ParamKind::Text, "BEGIN", "What `{mark}` becomes before the block."),
    with_default("marker_end", ParamKind::Text, "END", "What `{mark}` becomes behind the block."),
    with_default("append_newline", ParamKind::Bool, "false", "An empty line behind the block."),
    with_default("prepend_newline", ParamKind::Bool, "false", "An empty line before the block."),
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
struct BlockInFile {
    file: TextFile,
    /// The lines; `None`: no block.
    block: Option<String>,
    begin: String,
    end: String,
    after: Option<String>,
    before: Option<String>,
    append: bool,
    prepend: bool,
}

fn read(given: &Given<'_>) -> Result<Box<dyn Module>, ModuleError> {
    let args = Arguments(&given.args);
    let text = |name: &str| args.text(name).unwrap_or_default().to_owned();
    let filled = |name: &str| args.filled(name).map(str::to_owned);
    if filled("insertafter").is_some() && filled("insertbefore").is_some() {
        return Err(ModuleError::failed("parameters are mutually exclusive: insertbefore|insertafter"));
    }
    let present = args.text("state") != Some("absent");
    let block = text("block");
    let marker = text("marker");
    let mut file = TextFile::read(given, args)?;
    if !present {
        file = file.optional();
    }
    Ok(Box::new(BlockInFile {
        file,
        block: Some(block).filter(|block| present && !block.is_empty()),
        begin: marker.replace("{mark}", &text("marker_begin")),
        end: marker.replace("{mark}", &text("marker_end")),
        after: filled("insertafter"),
        before: filled("insertbefore"),
        append: args.flag("append_newline"),
        prepend: args.flag("prepend_newline"),
    }))
}

impl BlockInFile {
    fn edit(&self, old: Option<&[u8]>) -> Result<Edited, ModuleError> {
        let text = Text::of(old.unwrap_or_default());
        let mut lines = pattern::lines(&text.chars);
        let (begin, end) = (text.own(&self.begin), text.own(&self.end));
        let is = |line: &String, marker: &str| line.trim_end_matches(['\r', '\n']) == marker;
        let first = lines.iter().rposition(|line| is(line, &begin));
        let last = lines.iter().rposition(|line| is(line, &end));
        let existed = first.is_some() && last.is_some();
        let mut place = match (first, last) {
            (Some(first), Some(last)) => {
                // Markers in the wrong order: what is between them goes, too, as in Ansible.
                let (from, to) = if first < last { (first, last) } else { (last, first) };
                lines.drain(from..=to);
                from
            }
            _ if self.block.is_some() => self.position(&text, &lines)?,
            _ => 0,
        };
        if let Some(block) = &self.block {
            let mut new = vec![format!("{begin}\n")];
            new.extend(text.own(block).lines().map(|line| format!("{line}\n")));
            new.push(format!("{end}\n"));
            if self.prepend && place.checked_sub(1).and_then(|before| lines.get(before)).is_some_and(|line| line != "\n") {
                new.insert(0, "\n".to_owned());
            }
            if self.append && lines.get(place).is_some_and(|line| line != "\n") {
                new.push("\n".to_owned());
            }
            let before = place.checked_sub(1).and_then(|at| lines.get_mut(at));
            if let Some(before) = before.filter(|line| !line.ends_with('\n')) {
                before.push('\n');
            }
            place = place.min(lines.len());
            lines.splice(place..place, new);
        }
        let new = text.bytes(&lines.concat());
        let msg = match (&self.block, existed, old) {
            _ if old == Some(new.as_slice()) => "",
            (None, _, None) => "",
            (None, _, Some(_)) => "Block removed",
            (Some(_), _, None) => "File created",
            (Some(_), true, _) => "Block updated",
            (Some(_), false, _) => "Block inserted",
        };
        Ok(Edited {
            text: (!msg.is_empty()).then_some(new),
            msg: msg.to_owned(),
            values: Values::new(),
        })
    }

    /// Where a new block goes.
    fn position(&self, text: &Text, lines: &[String]) -> Result<usize, ModuleError> {
        let (pattern, offset) = match (self.before.as_deref(), self.after.as_deref()) {
            (Some("BOF"), _) => return Ok(0),
            (Some(before), _) => (before, 0),
            (None, None | Some("EOF")) => return Ok(lines.len()),
            (None, Some(after)) => (after, 1),
        };
        let regex = pattern::compile(&text.own(pattern), false)?;
        let mut found = None;
        for (at, line) in lines.iter().enumerate() {
            if pattern::is_match(&regex, line)? {
                found = Some(at.saturating_add(offset));
            }
        }
        Ok(found.unwrap_or(lines.len()))
    }
}

impl Module for BlockInFile {
    fn inspect(&self, host: &mut Reader<'_>) -> Result<Change, ModuleError> {
        self.file.inspect(host, &|old| self.edit(old))
    }

    fn conclude(&self, taken: &[Taken], values: &mut Values) -> Result<(), ModuleError> {
        TextFile::conclude(taken, values);
        Ok(())
    }
}
