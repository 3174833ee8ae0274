//! What goes around the exchanges in which a task acts: its marker is looked at, claimed and settled in the exchange of the
//! command where that is the only one, else in exchanges of their own.

use crate::engine::held;
use crate::engine::host::HostRun;
use crate::engine::outcome::{Outcome, Phase};
use crate::engine::shared::Shared;
use crate::engine::take;
use crate::event::Status;
use crate::marker::{Act, Envelope, Judge, Marker, Said, Verdict};
use crate::modules::step::{Link, Output, Reader, Step};
use crate::modules::{ModuleError, Values};
use crate::names::HostName;
use crate::shell::Command;
use crate::shell::elevate::{Become, exports};
use crate::transport::{ConnectSettings, Stdin};

/// Why the work of a task stopped before its end.
#[derive(Debug)]
pub enum Halt {
    /// Something went wrong.
    Error(ModuleError),
    /// There is nothing to run, or it must not be run: this is the result.
    Held(Box<Outcome>),
}

impl<E: Into<ModuleError>> From<E> for Halt {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

impl Halt {
    /// As the error of a module, where nothing can be held.
    pub(super) fn into_error(self) -> ModuleError {
        match self {
            Self::Error(error) => error,
            Self::Held(outcome) => ModuleError::failed(outcome.msg()),
        }
    }

    /// The result that follows.
    pub fn outcome(self, phase: Phase) -> Outcome {
        match self {
            Self::Error(error) => Outcome::of_error(error, phase),
            Self::Held(outcome) => *outcome,
        }
    }
}

/// What goes around one task's acting exchanges.
#[derive(Debug, Default)]
pub struct Enclosure {
    host: String,
    /// The run's name.
    run: String,
    store: Option<String>,
    marker: Option<Marker>,
    /// One exchange holds everything: the command's own.
    whole: bool,
    /// The exchange that claimed the marker.
    claimed: Option<String>,
    warnings: Vec<String>,
}

/// A claimed marker whose end the controller decides.
#[derive(Clone, Debug)]
pub struct Pending {
    marker: Marker,
    store: Option<String>,
    nonce: String,
    settings: Option<ConnectSettings>,
    elevate: Option<Become>,
}

impl Enclosure {
    /// For a task with or without a marker on a host.
    pub fn new(shared: &Shared, host: &HostName, store: Option<String>, marker: Option<Marker>) -> Self {
        Self {
            host: host.to_string(),
            run: shared.options.run_id.clone(),
            store,
            marker,
            whole: false,
            claimed: None,
            warnings: Vec::new(),
        }
    }

    /// Nothing: the steps are taken as they are.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// The task has a marker.
    pub fn has_marker(&self) -> bool {
        self.marker.is_some()
    }

    /// Looks at the marker before anything else: the result when there is nothing to do.
    pub fn look(&self, reader: &mut Reader<'_>) -> Result<(), Halt> {
        let Some(marker) = &self.marker else { return Ok(()) };
        let said = self.exchange(&Act::Look, reader)?.0;
        match said.verdict() {
            Verdict::Would => Ok(()),
            verdict => Err(self.held(marker, verdict)),
        }
    }

    /// Makes ready for `steps`: claims the marker, unless the exchange of the only step does that.
    pub fn begin(&mut self, steps: &[Step], reader: &mut Reader<'_>) -> Result<(), Halt> {
        let Some(marker) = &mut self.marker else { return Ok(()) };
        self.whole = matches!(steps, [Step::Run { .. }]);
        if self.whole {
            return Ok(());
        }
        marker.judge = Judge::Controller;
        let (said, nonce) = self.exchange(&Act::Claim, reader)?;
        match (&self.marker, said.verdict()) {
            (_, Verdict::Claimed) => {
                self.claimed = Some(nonce);
                Ok(())
            }
            (Some(marker), verdict) => Err(self.held(marker, verdict)),
            (None, _) => Ok(()),
        }
    }

    /// Runs the command of an acting step.
    pub fn run(
        &mut self,
        command: &Command,
        stdin: Stdin<'_>,
        plain: bool,
        reader: &mut Reader<'_>,
    ) -> Result<Output, Halt> {
        let stdin = shorter(stdin);
        let Some(marker) = self.marker.as_ref().filter(|_| self.whole) else {
            return Ok(reader.run(command, stdin, plain)?);
        };
        let envelope = Envelope::new(self.store.as_deref(), Some(marker))?;
        let environment = if plain { &[] } else { reader.environment };
        let exports = exports(environment).map_err(ModuleError::failed)?;
        let command = envelope.command(&Act::Run, command, &exports);
        let mut output = reader.run(&command, stdin, true)?;
        let said = Said::take(&envelope.nonce, &mut output.stderr);
        match said.verdict() {
            Verdict::Ran => {}
            Verdict::Unwritten(words) => self.warnings.push(format!(
                "the end of this task could not be written down on the host ({}); the next run will find it in doubt",
                crate::source::visible(&words)
            )),
            Verdict::Claimed => {
                return Err(Halt::Held(Box::new(held::in_doubt(
                    "in doubt: the shell around the command ended before the command's end was known",
                    Values::new(),
                ))));
            }
            Verdict::Silence => {
                return Err(ModuleError::failed(format!(
                    "the host did not say whether the command ran (rc {}): {}",
                    output.rc,
                    crate::modules::answer::reason(&output.stdout, &output.stderr)
                ))
                .into());
            }
            verdict => return Err(self.held(marker, verdict)),
        }
        self.claimed = (marker.judge == Judge::Controller).then(|| envelope.nonce.clone());
        Ok(output)
    }

    fn exchange(&self, act: &Act, reader: &mut Reader<'_>) -> Result<(Said, String), Halt> {
        let envelope = Envelope::new(self.store.as_deref(), self.marker.as_ref())?;
        let command = envelope.command(act, &Command::new(":"), b"");
        let mut output = reader.run(&command, Stdin::Empty, true)?;
        let said = Said::take(&envelope.nonce, &mut output.stderr);
        if said.verdict() == Verdict::Silence {
            return Err(ModuleError::failed(format!(
                "the host did not answer about the marker (rc {}): {}",
                output.rc,
                crate::modules::answer::reason(&output.stdout, &output.stderr)
            ))
            .into());
        }
        Ok((said, envelope.nonce))
    }

    fn held(&self, marker: &Marker, verdict: Verdict) -> Halt {
        Halt::Held(Box::new(held::outcome(marker, verdict, &self.host, &self.run)))
    }

    /// Warnings for the result.
    pub fn warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    /// What is left for the controller to decide.
    pub fn pending(&mut self, settings: Option<&ConnectSettings>, elevate: Option<&Become>) -> Option<Pending> {
        Some(Pending {
            nonce: self.claimed.take()?,
            marker: self.marker.clone()?,
            store: self.store.clone(),
            settings: settings.cloned(),
            elevate: elevate.cloned(),
        })
    }
}

impl Pending {
    /// Writes the controller's verdict down; `Some` says why that failed.
    pub fn settle(&self, shared: &Shared, host: &mut HostRun, outcome: &Outcome, done: bool) -> Option<String> {
        let act = Act::Decide {
            nonce: self.nonce.clone(),
            done,
            rc: outcome
                .values
                .get("rc")
                .and_then(serde_json::Value::as_i64)
                .and_then(|rc| i32::try_from(rc).ok())
                .unwrap_or(i32::from(!done)),
        };
        let name = host.name.clone();
        let settings = self.settings.clone()?;
        let mut link = crate::engine::link::TaskLink::new(shared, &mut host.links, settings, &name);
        let mut reader = Reader {
            link: &mut link as &mut dyn Link,
            elevate: self.elevate.as_ref(),
            environment: &[],
            deadline: &shared.deadline,
        };
        let enclosure = Enclosure::new(shared, &name, self.store.clone(), Some(self.marker.clone()));
        let why = match enclosure.exchange(&act, &mut reader) {
            Ok((said, _)) => match said.verdict() {
                Verdict::Settled => return None,
                Verdict::Store(words) => crate::source::visible(&words),
                other => format!("the host said {other:?}"),
            },
            Err(halt) => halt.outcome(Phase::Looking).msg(),
        };
        Some(format!(
            "the end of this task could not be written down on the host ({why}); the next run will find it in doubt"
        ))
    }
}

/// The same input for a command that lives shorter than it.
#[expect(
    clippy::needless_match,
    reason = "the lifetime of the reader's type becomes another one"
)]
fn shorter<'long: 'short, 'short>(stdin: Stdin<'long>) -> Stdin<'short> {
    match stdin {
        Stdin::Empty => Stdin::Empty,
        Stdin::Bytes(bytes) => Stdin::Bytes(bytes),
        Stdin::Reader(source) => Stdin::Reader(source),
    }
}

/// True for modules that act without a look before: their only exchange holds everything.
pub fn acts_at_once(module: &str) -> bool {
    matches!(module, "command" | "shell" | "raw" | "script")
}

/// Takes the steps inside of the enclosure.
pub fn take(
    steps: &[Step],
    reader: &mut Reader<'_>,
    around: &mut Enclosure,
) -> Result<Vec<crate::modules::Taken>, Halt> {
    around.begin(steps, reader)?;
    take::take_in(steps, reader, around)
}

/// A result whose end nobody knows is left to the next contact.
pub fn is_open(outcome: &Outcome) -> bool {
    matches!(outcome.status, Status::InDoubt | Status::TimedOut | Status::Unreachable)
}
