//! Dangerous tasks do not name a disk as the kernel happened to number it, unless the play looks at the disks first.

use crate::danger::{self, LiteralDisks};
use crate::plan::Keywords;
use crate::plan::compile::Compiler;
use crate::playbook::Task;
use crate::source::{Diagnostic, Span};
use crate::yaml::Node;

impl Compiler<'_> {
    /// `mkfs.ext4 /dev/sdb1`: which disk that is, may be another one on the next host, and after the next boot.
    pub(super) fn check_literal_disks(&mut self, task: &Task, keywords: &Keywords) {
        if self.scene.checks_disks || self.options.literal_disks == LiteralDisks::Allow {
            return;
        }
        let keyword = keywords.danger.as_ref();
        if keyword.is_some_and(Node::has_template) {
            return;
        }
        let Some(found) = danger::written(&task.action, &task.args, keyword.and_then(Node::as_str)) else {
            return;
        };
        let Some((disk, at)) = literal(task, &found) else {
            return;
        };
        let message = format!(
            "{} is dangerous, and `{disk}` may be another disk on another host or after a boot",
            found.what
        );
        let mistake = Diagnostic::new(message).at(at).help(
            "look at the disks before: `preflight: [{disks: {…}}]` on the play, and name them by role, `{{ disk.data[0] }}`; a task \
             that cannot harm says `danger: none`; `literal_disks` in `policy.toml` makes this a warning",
        );
        match self.options.literal_disks {
            LiteralDisks::Error => self.report(mistake),
            LiteralDisks::Warn => self.warnings.push(mistake),
            LiteralDisks::Allow => {}
        }
    }
}

/// The disk that the task names, in its arguments, its loop or its variables, and where.
fn literal(task: &Task, found: &danger::Found) -> Option<(String, Span)> {
    let args = task.args.as_map().unwrap_or_default();
    if let Some(disk) = found.disks.first() {
        let at = args.iter().find(|(_, value)| danger::in_node(value).is_some());
        let at = at.map_or(&task.args.span, |(_, value)| &value.span);
        return Some((disk.clone(), at.clone()));
    }
    if !task.args.has_template() {
        return None;
    }
    let items = task.repeat.as_ref().map(|(_, items)| items);
    items
        .into_iter()
        .chain(task.fields.get("vars"))
        .find_map(danger::in_node)
}
