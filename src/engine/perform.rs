//! One module once: arguments rendered and checked, the host looked at, the steps taken.

use serde_json::{Map, Value as Json};

use crate::engine::enclose::{self, Enclosure, Halt, acts_at_once};
use crate::engine::held::is_held;
use crate::engine::host::HostRun;
use crate::engine::link::{Lookup, TaskLink};
use crate::engine::once::Rendered;
use crate::engine::outcome::{Outcome, Phase};
use crate::engine::task::{Work, explain};
use crate::engine::{acting, lease, scope, take};
use crate::modules::convert::convert;
use crate::modules::step::{Link, Reader};
use crate::modules::{Change, Given, Module, ModuleError, Spec};
use crate::names::HostName;
use crate::source::Diagnostic;
use crate::transport::SessionError;
use crate::vars::Scope;
use crate::vars::templar::to_json;
use crate::yaml::Node;

/// Does the work of one pass and says how it ended.
pub fn perform(work: &Work<'_>, host: &mut HostRun, spec: &'static Spec, args: &Node, scope: &Scope) -> Outcome {
    match prepare(work, host, spec, args, scope) {
        Ok(ready) => match work.refused_by_policy(host, &ready.target, spec, &ready.args) {
            Some(refused) => refused,
            None => {
                let outcome = ready.act(work, host, scope);
                host.decided(outcome.status);
                outcome
            }
        },
        Err(error) => Outcome::of_error(error, Phase::Looking),
    }
}

struct Ready {
    spec: &'static Spec,
    /// The arguments, converted.
    args: Map<String, Json>,
    module: Box<dyn Module>,
    /// The arguments as they were given, rendered.
    given: Map<String, Json>,
    check: bool,
    diff: bool,
    /// Where it runs: the host, or the one it is delegated to.
    target: HostName,
    target_scope: Option<Scope>,
}

fn prepare(
    work: &Work<'_>,
    host: &HostRun,
    spec: &'static Spec,
    args: &Node,
    scope: &Scope,
) -> Result<Ready, ModuleError> {
    let shared = work.shared;
    let keywords = &work.task.keywords;
    let check = work.flag(keywords.check_mode.as_ref(), scope, shared.options.check)?;
    let diff = work.flag(keywords.diff.as_ref(), scope, shared.options.diff)?;
    let rendered = render_args(work, spec, args, scope)?;
    let converted = convert(spec, rendered.clone(), &work.task.at)?;
    let mut search = work.task.search.clone();
    if !search.contains(&work.play.play.playbook_dir) {
        search.push(work.play.play.playbook_dir.clone());
    }
    let given = Given {
        args: converted.clone(),
        raw: args,
        span: &work.task.at,
        templar: &shared.templar,
        scope,
        host: &host.name,
        search: &search,
        diff,
        check,
        verbosity: shared.options.verbosity,
    };
    let module = (spec.read)(&given)?;
    let (target, target_scope) = target(work, host, scope)?;
    Ok(Ready {
        spec,
        args: converted,
        module,
        given: rendered,
        check,
        diff,
        target,
        target_scope,
    })
}

/// The host a task runs on, and that host's variables when it is another one.
fn target(work: &Work<'_>, host: &HostRun, scope: &Scope) -> Result<(HostName, Option<Scope>), Diagnostic> {
    let Some(node) = &work.task.keywords.delegate_to else {
        return Ok((host.name.clone(), None));
    };
    let value = work.shared.templar.render(node, scope)?;
    if value.is_none() || crate::vars::templar::is_omit(&value) || value.to_string() == host.name.as_str() {
        return Ok((host.name.clone(), None));
    }
    let name = HostName::new(value.to_string());
    let vars = work.shared.published(&name);
    let other = scope::connection(work.shared, work.play, &name, &vars)?;
    Ok((name, Some(other)))
}

fn render_args(work: &Work<'_>, spec: &Spec, args: &Node, scope: &Scope) -> Result<Map<String, Json>, ModuleError> {
    // The innermost entry for a module replaces the outer ones.
    let mut all = Map::new();
    for defaults in &work.task.keywords.module_defaults {
        let value = to_json(&work.shared.templar.render(defaults, scope)?);
        for name in spec.names() {
            if let Some(Json::Object(map)) = value.get(&name) {
                all.clone_from(map);
            }
        }
    }
    match to_json(&work.shared.templar.render(args, scope)?) {
        Json::Object(mut map) => {
            // `args: "{{ mapping }}"`: weaker than what is written beside it.
            if let Some(Json::Object(more)) = map.shift_remove("_variable_params") {
                all.extend(more);
            }
            all.extend(map);
        }
        Json::Null => {}
        Json::String(text) if text.trim().is_empty() => {}
        other => {
            return Err(ModuleError::failed(format!(
                "the arguments of `{}` must be a mapping; they are {other}",
                spec.name
            )));
        }
    }
    Ok(all)
}

impl Ready {
    fn act(&self, work: &Work<'_>, host: &mut HostRun, scope: &Scope) -> Outcome {
        let shared = work.shared;
        let name = host.name.clone();
        let connection_scope = self.target_scope.as_ref().unwrap_or(scope);
        let keywords = &work.task.keywords;
        let built = (|| -> Result<_, ModuleError> {
            let playbook_dir = Some(work.play.play.playbook_dir.as_path());
            let lookup = Lookup::new(shared, connection_scope, &self.target, playbook_dir)?;
            let settings = if self.spec.local {
                None
            } else {
                Some(lookup.connect_settings(&self.target, keywords)?)
            };
            let elevate = if self.spec.local {
                None
            } else {
                lookup.elevate(keywords)?
            };
            let environment = scope::environment(shared, &keywords.environment, scope)?;
            Ok((settings, elevate, environment))
        })();
        let (settings, elevate, environment) = match built {
            Ok(built) => built,
            Err(error) => return Outcome::of_error(error, Phase::Looking),
        };
        let built = match &settings {
            None => Ok((Enclosure::nothing(), None)),
            Some(settings) => {
                let rendered = Rendered {
                    spec: self.spec,
                    args: &self.given,
                    module: self.module.as_ref(),
                    elevate: elevate.as_ref(),
                    environment: &environment,
                    target: &self.target,
                    settings,
                };
                let built = work.enclosure(host, scope, connection_scope, &rendered);
                built.map(|(around, hold)| (around, Some(hold)))
            }
        };
        let (mut around, at) = match built {
            Ok(built) => built,
            Err(error) => return Outcome::of_error(error, Phase::Looking),
        };
        host.pending = None;
        let mut link: Box<dyn Link + '_> = match settings {
            Some(settings) => Box::new(TaskLink::new(shared, &mut host.links, settings, &name)),
            None => Box::new(NoLink),
        };
        // The task's own limit begins when the host is connected.
        if !self.spec.local
            && let Err(error) = link.session().map(|_| ())
        {
            return Outcome::of_error(error, Phase::Looking);
        }
        let deadline = match work.limit(scope) {
            Ok(deadline) => deadline,
            Err(error) => return Outcome::failed(explain(&error)),
        };
        let mut reader = Reader {
            link: link.as_mut(),
            elevate: elevate.as_ref(),
            environment: &environment,
            deadline: &deadline,
        };
        if self.check || !acts_at_once(self.spec.name) {
            let mut looked = around.look(self.check, &mut reader);
            if let Err(Halt::Held(refused)) = &looked
                && lease::may_wait(shared, &mut around, refused)
            {
                looked = match lease::wait(shared, &name, &mut around, &mut reader) {
                    Ok(()) => around.look(self.check, &mut reader),
                    Err(refused) => Err(Halt::Held(refused)),
                };
            }
            if let Err(halt) = looked {
                drop(link);
                host.take_in(shared, &mut around, at);
                return halt.outcome(Phase::Looking);
            }
        }
        let change = match self.module.inspect(&mut reader) {
            Ok(change) => change,
            Err(error) => return Outcome::of_error(error, Phase::Looking),
        };
        let repeatable = acting::is_repeatable(work.task, self.spec, &self.args, &change);
        let (diff, steps, mut values, opaque) = match change {
            Change::None { values } => {
                if !self.check
                    && let Err(halt) = around.begin(&[], &mut reader)
                {
                    return halt.outcome(Phase::Acting);
                }
                drop(link);
                host.take_in(shared, &mut around, at);
                return good(values, false, Vec::new());
            }
            Change::Skipped { values } => {
                let mut outcome = Outcome::skipped("the module says there is nothing to do", None);
                outcome.values.remove("skip_reason");
                outcome.values.extend(values);
                return outcome;
            }
            Change::Needed { diff, steps, values } => (diff, steps, values, false),
            Change::Opaque { steps, values } => (Vec::new(), steps, values, true),
        };
        if self.check && opaque {
            match take::preview(&steps, &mut reader) {
                Ok(Some(taken)) => {
                    return match self.module.conclude(&taken, &mut values) {
                        Ok(()) => good(values, true, Vec::new()),
                        Err(error) => Outcome::of_error(error, Phase::Looking),
                    };
                }
                Ok(None) => {}
                Err(error) => return Outcome::of_error(error, Phase::Looking),
            }
            let mut outcome = Outcome::skipped("Command would have run if not in check mode", None);
            outcome.values.remove("skip_reason");
            outcome
                .values
                .insert("msg".into(), "Command would have run if not in check mode".into());
            outcome.values.extend(values);
            outcome.values.insert("changed".into(), false.into());
            return outcome;
        }
        let diff = if self.diff { diff } else { Vec::new() };
        if self.check {
            return good(values, true, diff);
        }
        let hidden = work.flag(keywords.no_log.as_ref(), scope, false).unwrap_or(true);
        let mut reader = Reader {
            link: link.as_mut(),
            elevate: elevate.as_ref(),
            environment: &environment,
            deadline: &deadline,
        };
        // On the journal's disk before it can be on the host's.
        let marker = around.needs().marker.as_ref();
        let announced = work.announce(
            (&name, &mut host.doing),
            hidden,
            &steps,
            repeatable,
            elevate.as_ref(),
            marker,
        );
        if let Some(refused) = announced {
            return refused;
        }
        let mut taken = enclose::take(&steps, &mut reader, &mut around).map_err(|halt| halt.outcome(Phase::Acting));
        if let Err(outcome) = &taken
            && lease::may_wait(shared, &mut around, outcome)
        {
            // Another run has the host, and nothing was run. Standing in line is no part of the task's own time.
            let mut patient = Reader {
                link: link.as_mut(),
                elevate: elevate.as_ref(),
                environment: &[],
                deadline: &shared.deadline,
            };
            taken = match lease::wait(shared, &name, &mut around, &mut patient) {
                Ok(()) => match work.limit(scope) {
                    Ok(deadline) => {
                        let mut reader = Reader {
                            link: link.as_mut(),
                            elevate: elevate.as_ref(),
                            environment: &environment,
                            deadline: &deadline,
                        };
                        enclose::take(&steps, &mut reader, &mut around).map_err(|halt| halt.outcome(Phase::Acting))
                    }
                    Err(error) => Err(Outcome::failed(explain(&error))),
                },
                Err(outcome) => Err(*outcome),
            };
        }
        drop(link);
        host.take_in(shared, &mut around, at);
        let taken = match taken {
            Ok(taken) => taken,
            Err(outcome) => {
                if is_held(&outcome) {
                    host.doing.did.commands.clear();
                }
                return outcome;
            }
        };
        acting::note(&mut host.doing.did, &taken, hidden);
        let mut outcome = match self.module.conclude(&taken, &mut values) {
            Ok(()) => good(values, true, diff),
            Err(error) => {
                let mut outcome = Outcome::of_error(error, Phase::Acting);
                outcome.values.entry("changed").or_insert(true.into());
                outcome
            }
        };
        for warning in around.warnings() {
            outcome.warn(warning);
        }
        outcome
    }
}

/// Ended well, as far as the module says; an exit code that is not 0 is a failure all the same.
fn good(values: crate::modules::Values, changed: bool, diff: Vec<crate::event::Diff>) -> Outcome {
    if values.get("failed").and_then(Json::as_bool) == Some(true) {
        let msg = values.get("msg").and_then(Json::as_str).unwrap_or("failed").to_owned();
        return Outcome::of_error(
            ModuleError::Failed {
                msg,
                values: Box::new(values),
            },
            Phase::Acting,
        );
    }
    Outcome::done(values, changed, diff)
}

/// For modules that need no host.
struct NoLink;

impl Link for NoLink {
    fn session(&mut self) -> Result<&mut dyn crate::transport::Session, ModuleError> {
        Err(ModuleError::Session(SessionError::Local(
            "this module works without a connection".to_owned(),
        )))
    }
}
