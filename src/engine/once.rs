//! `once` and `verify`: the marker of a task on a host, made of what the task says.

use serde_json::{Map, Value as Json};

use crate::danger;
use crate::engine::acting::only_looks;
use crate::engine::enclose::{Enclosure, Needs};
use crate::engine::host::HostRun;
use crate::engine::lease::{self, Hold, State};
use crate::engine::link::truth;
use crate::engine::replay::Found;
use crate::engine::task::Work;
use crate::marker::{Approved, Guard, Judge, Marker, OnChange, TaskParts, WhenInDoubt, file_name, item_suffix};
use crate::modules::{Module, ModuleError, Spec};
use crate::names::HostName;
use crate::plan::once::{default_name, written_name};
use crate::settings::InDoubt;
use crate::shell::elevate::{Become, exports};
use crate::shell::quote_str;
use crate::source::Diagnostic;
use crate::transport::ConnectSettings;
use crate::vars::templar::to_json;
use crate::vars::{Scope, VarMap};
use crate::yaml::{Kind, Node};

/// How the names of markers begin that only one run and those that go on with it look for.
pub(super) const OF_RUN: &str = "run/";

/// What a task came to for one host.
pub(super) struct Rendered<'a> {
    pub(super) spec: &'static Spec,
    pub(super) args: &'a Map<String, Json>,
    pub(super) module: &'a dyn Module,
    pub(super) elevate: Option<&'a Become>,
    pub(super) environment: &'a [(String, String)],
    /// Where it runs.
    pub(super) target: &'a HostName,
    /// How to get there.
    pub(super) settings: &'a ConnectSettings,
}

impl Work<'_> {
    /// What goes around the exchanges in which this pass acts. `there` are the variables of the host that it runs on.
    pub(super) fn enclosure(
        &self,
        host: &HostRun,
        scope: &Scope,
        there: &Scope,
        what: &Rendered<'_>,
    ) -> Result<(Enclosure, Hold), ModuleError> {
        let store = self.shared.templar.variable("batchssh_store", there)?;
        let store = store.filter(|value| !value.is_none()).map(|value| value.to_string());
        if let Some(store) = store.as_deref().filter(|store| !store.starts_with('/')) {
            return Err(ModuleError::failed(format!(
                "`batchssh_store` must be an absolute path; it is `{store}`"
            )));
        }
        let hold = Hold::new(what.settings, what.elevate, store.as_deref());
        let own = *what.target == host.name;
        let danger = self.text(self.task.keywords.danger.as_ref(), scope)?;
        let dangerous = danger::of(what.spec.name, what.args, danger.as_deref()).is_some();
        let looks = only_looks(self.task);
        // `raw` is for hosts that may have no shell.
        let looks = looks || what.spec.name == "raw";
        let mut lease = if own && !what.settings.local && !looks {
            lease::lease(self.shared, &host.name)
        } else {
            None
        };
        match host.hold(&hold.key).map(|known| &known.state) {
            Some(Some(State::None(_))) => lease = None,
            Some(Some(State::Held(held))) => {
                if let Some(lease) = &mut lease {
                    lease.held = Some(held.clone());
                }
            }
            Some(None) | None => {}
        }
        let guard = own && !host.evidence.is_empty() && (dangerous || !looks);
        let guard = guard.then(|| Guard {
            approved: host
                .evidence
                .iter()
                .map(|evidence| Approved {
                    command: evidence.command.clone(),
                    // What decides a doubt is bound to what this run saw: its marker is asked first.
                    digest: evidence
                        .digest
                        .clone()
                        .or_else(|| evidence.seen.clone().filter(|_| host.decides)),
                })
                .collect(),
            dangerous,
            measured: false,
        });
        let needs = Needs {
            host: host.name.to_string(),
            run: self.shared.options.run_id.clone(),
            way: self.way(what, store.as_deref()),
            store,
            lease,
            marker: self.marker(host, scope, what)?,
            guard,
            checks: host.evidence.iter().map(|evidence| evidence.check.clone()).collect(),
        };
        Ok((Enclosure::new(needs), hold))
    }

    /// How `batchssh markers` gets to the store of this task.
    fn way(&self, what: &Rendered<'_>, store: Option<&str>) -> String {
        let mut words = self.shared.options.way.clone();
        words.extend(["--limit".to_owned(), what.target.to_string()]);
        if let Some(elevate) = what.elevate {
            words.push("--become".to_owned());
            if elevate.user != "root" {
                words.extend(["--become-user".to_owned(), self.shared.mask.text(&elevate.user)]);
            }
        }
        let of_inventory = |vars: std::sync::Arc<VarMap>| vars.contains_key("batchssh_store");
        let known = self.shared.inventory.vars_of(what.target, None).is_ok_and(of_inventory);
        if let Some(store) = store.filter(|_| !known) {
            words.extend(["-e".to_owned(), format!("batchssh_store={}", quote_str(store))]);
        }
        words.iter().map(|word| quote_str(word)).collect::<Vec<_>>().join(" ")
    }

    /// The marker of this pass on this host; `None`: it may be done as often as it is asked for.
    fn marker(&self, host: &HostRun, scope: &Scope, what: &Rendered<'_>) -> Result<Option<Marker>, ModuleError> {
        let keywords = &self.task.keywords;
        let delegated = *what.target != host.name;
        let name = match self.once_name(scope, host, delegated)? {
            Some(name) => name,
            None if keywords.verify.is_some() => self.run_name(scope, host)?,
            None => return Ok(None),
        };
        let verify = self.text(keywords.verify.as_ref(), scope)?;
        let verify = match verify {
            Some(text) => {
                let exports = exports(what.environment).map_err(ModuleError::failed)?;
                Some([exports.as_slice(), text.as_bytes()].concat())
            }
            None => None,
        };
        let on_change = match self.text(keywords.on_change.as_ref(), scope)?.as_deref() {
            None | Some("stop") => OnChange::Stop,
            Some("rerun") => OnChange::Rerun,
            Some("keep") => OnChange::Keep,
            Some(other) => {
                return Err(ModuleError::failed(format!(
                    "`on_change` is one of stop, rerun, keep; it is `{other}`"
                )));
            }
        };
        let options = &self.shared.options;
        let mut facts = vec![
            ("run", options.run_id.clone()),
            ("root", options.root_run_id.clone()),
            ("who", options.who.clone()),
            ("host", host.name.to_string()),
            ("task", self.name.to_owned()),
            ("path", self.path()),
        ];
        let hidden = self.flag(keywords.no_log.as_ref(), scope, false).unwrap_or(true);
        if let Some(item) = host.doing.item.as_ref().filter(|_| !hidden) {
            let text = item.as_str().map_or_else(|| item.to_string(), str::to_owned);
            facts.push(("item", self.shared.mask.text(&text)));
        }
        Ok(Some(Marker {
            file: file_name(&name),
            parts: self.parts(scope, what),
            facts,
            on_change,
            in_doubt: match (host.found, options.in_doubt) {
                (Some(Found::Done), _) => WhenInDoubt::Done,
                (Some(Found::NotDone), _) | (None, InDoubt::Rerun) => WhenInDoubt::Rerun,
                (None, InDoubt::Stop | InDoubt::Skip) => WhenInDoubt::Stop,
            },
            verify,
            judge: self.judge(),
            name,
        }))
    }

    /// A keyword that is text; nothing and empty text are the same.
    fn text(&self, node: Option<&Node>, scope: &Scope) -> Result<Option<String>, Diagnostic> {
        let Some(node) = node else { return Ok(None) };
        let text = self.shared.templar.render(node, scope)?.to_string();
        Ok((!text.trim().is_empty()).then_some(text))
    }

    fn once_name(&self, scope: &Scope, host: &HostRun, delegated: bool) -> Result<Option<String>, ModuleError> {
        let Some(once) = &self.task.keywords.once else {
            return Ok(None);
        };
        let value = self.shared.templar.render(&once.name, scope)?;
        let mut name = match truth(&value) {
            Some(false) => return Ok(None),
            Some(true) => {
                let mut name = default_name(&self.play.play, self.task).ok_or_else(|| self.nameless())?;
                if delegated && !self.flag(self.task.keywords.run_once.as_ref(), scope, false)? {
                    name += &format!("@{}", host.name);
                }
                name
            }
            None if once.inherited => {
                format!("{value}/{}", written_name(self.task).ok_or_else(|| self.nameless())?)
            }
            None => value.to_string(),
        };
        if name.trim().is_empty() {
            return Err(once.name.error("`once` needs a name; it is empty here").into());
        }
        name += &self.item(scope)?;
        if name.starts_with(OF_RUN) {
            let text = format!("names that begin with `{OF_RUN}` belong to the program; this one is `{name}`");
            return Err(once.name.error(text).into());
        }
        Ok(Some(name))
    }

    /// The name of a marker that only this run and those that go on with it look for.
    fn run_name(&self, scope: &Scope, host: &HostRun) -> Result<String, ModuleError> {
        let root = &self.shared.options.root_run_id;
        // Not where it stands: lines of a playbook may move before somebody goes on with it.
        let (play, id, nth) = (self.play.number, &self.id, host.doing.did.nth);
        let pass = if self.task.repeat.is_some() { host.pass } else { 0 };
        Ok(format!(
            "{OF_RUN}{root}/{}/{play}.{id}#{nth}.{pass}{}",
            host.name,
            self.item(scope)?
        ))
    }

    fn nameless(&self) -> Diagnostic {
        Diagnostic::new("a task that is done `once` needs a `name`: its marker is called by it")
            .at(self.task.at.clone())
    }

    fn item(&self, scope: &Scope) -> Result<String, Diagnostic> {
        let Some(repeat) = &self.task.repeat else {
            return Ok(String::new());
        };
        let item = self.shared.templar.variable(&repeat.var, scope)?;
        Ok(item.map(|item| item_suffix(&to_json(&item))).unwrap_or_default())
    }

    fn judge(&self) -> Judge {
        let task = self.task;
        if task.until.as_ref().is_some_and(|until| !until.conditions.is_empty()) {
            return Judge::Controller;
        }
        match task.failed_when.as_deref() {
            None => Judge::Host,
            Some([one]) if is_false(one) => Judge::Any,
            Some(_) => Judge::Controller,
        }
    }

    fn parts(&self, scope: &Scope, what: &Rendered<'_>) -> TaskParts {
        let mask = &self.shared.mask;
        let hidden = self
            .flag(self.task.keywords.no_log.as_ref(), scope, false)
            .unwrap_or(true);
        let mut parts = TaskParts::default();
        parts.add("module", what.spec.name, Some(what.spec.name));
        let mut keys: Vec<&String> = what.args.keys().collect();
        keys.sort();
        for key in keys {
            let text = match &what.args[key] {
                Json::String(text) => text.clone(),
                other => other.to_string(),
            };
            let shown = (!hidden).then(|| mask.text(&text));
            let name = if key == "_raw_params" { "cmd" } else { key.as_str() };
            parts.add(name, text, shown.as_deref());
        }
        let user = what.elevate.map_or("(login)", |elevate| elevate.user.as_str());
        parts.add("become_user", user, Some(user));
        for (name, value) in what.environment {
            parts.add(format!("environment {name}"), value.as_bytes(), None);
        }
        parts.add_sent(&what.module.sends(), hidden);
        parts
    }
}

fn is_false(node: &Node) -> bool {
    matches!(&node.kind, Kind::Bool(false)) || node.as_str().is_some_and(|text| text.trim() == "false")
}
