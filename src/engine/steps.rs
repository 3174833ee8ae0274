//! What both strategies do with one host between its tasks.

use crate::engine::Engine;
use crate::engine::cursor::AfterFailure;
use crate::engine::host::HostRun;
use crate::engine::play::PlayRun;
use crate::engine::shared::Shared;
use crate::plan::{Action, Meta, Task};
use crate::vars::Scope;

impl Engine<'_> {
    /// A task's title: `role : name`, or the action's name.
    pub(super) fn title(&self, task: &Task, scope: &Scope) -> String {
        let shown = task
            .name
            .as_ref()
            .map(|node| match self.shared.templar.render(node, scope) {
                Ok(value) => value.to_string(),
                Err(_) => node.scalar_text().unwrap_or_default(),
            });
        let shown = shown
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| task.action_name.clone());
        match &task.role {
            Some(role) => format!("{} : {shown}", role.name),
            None => shown,
        }
    }

    /// A task failed and is not ignored: on to `rescue`, `always`, forced handlers, or out.
    pub(super) fn host_failed(&self, play: &PlayRun, host: &mut HostRun) {
        let force = self.shared.options.force_handlers
            || play.play.force_handlers.as_ref().is_some_and(|node| {
                let scope = Scope::new()
                    .with(play.play.vars.clone())
                    .with(self.shared.options.extra_vars.clone());
                let value = self.shared.templar.render(node, &scope).ok();
                value
                    .and_then(|value| crate::engine::link::truth(&value))
                    .unwrap_or(false)
            });
        if host.cursor.fail(force) == AfterFailure::Failed {
            host.out = true;
        }
    }

    /// A `meta` action that concerns one host.
    pub(super) fn host_meta(shared: &Shared, meta: Meta, host: &mut HostRun) {
        match meta {
            Meta::FlushHandlers => host.cursor.flush(),
            Meta::ClearFacts => {
                host.learn(shared, crate::engine::shared::HostVars::clear_facts);
                host.cursor.advance();
            }
            Meta::EndHost => {
                host.ended = true;
                host.cursor.end();
            }
            Meta::EndRole => {
                let handlers = Vec::new();
                let role = host
                    .cursor
                    .peek(&handlers, &|_| true)
                    .and_then(|(_, task)| task.role.clone());
                match role {
                    Some(role) => host.cursor.end_role(&role),
                    None => host.cursor.advance(),
                }
            }
            Meta::ResetConnection => {
                host.links.close();
                host.cursor.advance();
            }
            Meta::ClearHostErrors | Meta::RefreshInventory | Meta::Noop | Meta::EndPlay | Meta::EndBatch => {
                host.cursor.advance();
            }
        }
    }

    /// `--start-at-task`: passes over everything before it.
    pub(super) fn skip_to_start(&self, play: &PlayRun, host: &mut HostRun) {
        let Some(start) = &self.shared.options.start_at else {
            return;
        };
        let handlers = play.handlers();
        while host.before_start {
            let Some((_, task)) = host.cursor.peek(&handlers.tasks, &|task| self.is_wanted(task)) else {
                return;
            };
            let bare = task
                .name
                .as_ref()
                .and_then(crate::yaml::Node::scalar_text)
                .unwrap_or_default();
            let full = self.title(&task, &Scope::new());
            let is_meta = matches!(task.action, Action::Meta(_));
            if !is_meta && (bare == *start || full == *start || crate::inventory::matches_glob(start, &full)) {
                host.before_start = false;
                return;
            }
            host.cursor.advance();
        }
    }
}
