//! What goes around the exchanges in which a task acts: the run's lease on the host, the task's marker, the guard of what
//! was approved. All of it rides in the exchange of the command; only where a task has several exchanges, its marker is
//! claimed and settled in exchanges of their own.

use crate::engine::held;
use crate::engine::lease::{Hold, State};
use crate::engine::outcome::{Outcome, Phase};
use crate::engine::pending::Pending;
use crate::engine::take;
use crate::event::Status;
use crate::marker::{Act, Envelope, Guard, Judge, Lease, Marker, Said, Verdict};
use crate::modules::step::{Output, Reader, Step};
use crate::modules::{ModuleError, Taken, Values};
use crate::process::is_gone;
use crate::shell::Command;
use crate::shell::elevate::exports;
use crate::source::visible;
use crate::transport::Stdin;

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

/// What a task needs around it on one host.
#[derive(Debug, Default)]
pub struct Needs {
    /// The host's inventory name.
    pub host: String,
    /// The run's name.
    pub run: String,
    /// Words that lead another command to the same store: inventory, host, user.
    pub way: String,
    /// Where the host keeps its records; `None`: where it usually does.
    pub store: Option<String>,
    /// The run's lease.
    pub lease: Option<Lease>,
    /// The task's marker.
    pub marker: Option<Marker>,
    /// What was approved.
    pub guard: Option<Guard>,
    /// Names of what the guard holds, in its order.
    pub checks: Vec<String>,
}

/// What goes around one task's acting exchanges.
#[derive(Debug, Default)]
pub struct Enclosure {
    needs: Needs,
    /// One exchange holds everything: the command's own.
    whole: bool,
    /// The exchange that claimed the marker.
    claimed: Option<String>,
    /// What became of the lease.
    state: Option<State>,
    /// The process of the run that has the host.
    owner: Option<String>,
    warnings: Vec<String>,
}

impl Enclosure {
    /// Nothing: the steps are taken as they are.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// All that a task needs.
    pub fn new(needs: Needs) -> Self {
        Self {
            needs,
            ..Self::default()
        }
    }

    /// What the task needs, as far as it is known now.
    pub fn needs(&self) -> &Needs {
        &self.needs
    }

    fn envelope(&self, nonce: &str, act: &Act) -> Envelope<'_> {
        let marker = match act {
            Act::Look | Act::Probe | Act::Claim | Act::Decide { .. } => true,
            Act::Run => self.whole,
            Act::Hold | Act::Release(_) => false,
        };
        let lease = matches!(act, Act::Run | Act::Claim | Act::Hold | Act::Release(_));
        let guard = matches!(act, Act::Run | Act::Claim);
        Envelope {
            nonce: nonce.to_owned(),
            store: self.needs.store.as_deref(),
            lease: self.needs.lease.as_ref().filter(|_| lease),
            marker: self.needs.marker.as_ref().filter(|_| marker),
            guard: self.needs.guard.as_ref().filter(|_| guard),
        }
    }

    /// Looks at the marker before anything else: the result when there is nothing to do. In check mode nothing is decided.
    pub fn look(&mut self, check: bool, reader: &mut Reader<'_>) -> Result<(), Halt> {
        if self.needs.marker.is_none() {
            return Ok(());
        }
        let act = if check { Act::Look } else { Act::Probe };
        match self.ask(&act, reader)?.0.verdict() {
            Verdict::Would => Ok(()),
            // Between the exchanges of a task no process of it is there: whose host is it right now?
            verdict @ Verdict::Doubt(_) if !check && self.needs.lease.is_some() => {
                self.hold(reader)?;
                Err(self.held(verdict))
            }
            verdict => Err(self.held(verdict)),
        }
    }

    /// Makes ready for `steps`: where no command's own exchange can do it, lease and marker are asked first.
    pub fn begin(&mut self, steps: &[Step], reader: &mut Reader<'_>) -> Result<(), Halt> {
        self.whole = matches!(steps, [Step::Run { .. }]);
        if self.whole {
            return Ok(());
        }
        let act = match &mut self.needs.marker {
            Some(marker) => {
                marker.judge = Judge::Controller;
                Act::Claim
            }
            None if self.needs.lease.is_some() && steps.iter().any(|step| matches!(step, Step::Put(_))) => Act::Hold,
            None => return Ok(()),
        };
        let (said, nonce) = self.ask(&act, reader)?;
        self.note(&said);
        match said.verdict() {
            Verdict::Ready => {
                self.claimed = (act == Act::Claim).then_some(nonce);
                Ok(())
            }
            verdict => Err(self.held(verdict)),
        }
    }

    /// Takes the lease, and nothing else.
    pub(super) fn hold(&mut self, reader: &mut Reader<'_>) -> Result<(), Halt> {
        let said = self.ask(&Act::Hold, reader)?.0;
        self.note(&said);
        match said.verdict() {
            Verdict::Ready => Ok(()),
            verdict => Err(self.held(verdict)),
        }
    }

    /// Runs the command of an acting exchange; `send` is how.
    pub fn around(
        &mut self,
        command: &Command,
        plain: bool,
        reader: &mut Reader<'_>,
        send: impl FnOnce(&Command, &mut Reader<'_>) -> Result<Output, ModuleError>,
    ) -> Result<Output, Halt> {
        let nonce = Envelope::nonce()?;
        let envelope = self.envelope(&nonce, &Act::Run);
        if envelope.is_empty() {
            return Ok(send(command, reader)?);
        }
        let (with_marker, with_guard) = (envelope.marker.is_some(), envelope.guard.is_some());
        let environment = if plain { &[] } else { reader.environment };
        let exports = exports(environment).map_err(ModuleError::failed)?;
        let command = envelope.command(&Act::Run, command, &exports);
        let mut bare = Reader {
            link: &mut *reader.link,
            elevate: reader.elevate,
            environment: &[],
            deadline: reader.deadline,
        };
        let mut output = match send(&command, &mut bare) {
            Ok(output) => output,
            Err(error) => {
                if let Some(guard) = &mut self.needs.guard {
                    guard.forget();
                }
                return Err(error.into());
            }
        };
        let said = Said::take(&nonce, &mut output.stderr);
        self.note(&said);
        match said.verdict() {
            Verdict::Ran => {}
            Verdict::Ready if !with_marker && !with_guard => {}
            Verdict::Unwritten(words) => self.warnings.push(unwritten(&words)),
            Verdict::Silence => {
                return Err(ModuleError::failed(format!(
                    "the host did not say whether the command ran (rc {}): {}",
                    output.rc,
                    crate::modules::answer::reason(&output.stdout, &output.stderr)
                ))
                .into());
            }
            Verdict::Claimed | Verdict::Ready => {
                if let Some(guard) = &mut self.needs.guard {
                    guard.forget();
                }
                return Err(Halt::Held(Box::new(held::in_doubt(
                    "in doubt: the shell around the command ended before the command's end was known",
                    Values::new(),
                ))));
            }
            verdict => return Err(self.held(verdict)),
        }
        if let Some(guard) = &mut self.needs.guard {
            guard.learn(&said);
        }
        let judge = self.needs.marker.as_ref().map(|marker| marker.judge);
        if with_marker && judge == Some(Judge::Controller) {
            self.claimed = Some(nonce);
        }
        Ok(output)
    }

    /// An exchange without a command; what was said, and its nonce.
    pub(super) fn ask(&self, act: &Act, reader: &mut Reader<'_>) -> Result<(Said, String), Halt> {
        let nonce = Envelope::nonce()?;
        let command = self.envelope(&nonce, act).command(act, &Command::new(":"), b"");
        let mut bare = Reader {
            link: &mut *reader.link,
            elevate: reader.elevate,
            environment: &[],
            deadline: reader.deadline,
        };
        let mut output = bare.run(&command, Stdin::Empty, false)?;
        let said = Said::take(&nonce, &mut output.stderr);
        if said.verdict() == Verdict::Silence {
            return Err(ModuleError::failed(format!(
                "the host did not answer about markers and locks (rc {}): {}",
                output.rc,
                crate::modules::answer::reason(&output.stdout, &output.stderr)
            ))
            .into());
        }
        Ok((said, nonce))
    }

    /// Takes in what was said about the lease.
    fn note(&mut self, said: &Said) {
        let Some(lease) = &mut self.needs.lease else { return };
        if let Some(why) = lease.learn(said) {
            self.needs.lease = None;
            self.state = Some(State::None(visible(&why)));
        } else if let Some(held) = &lease.held {
            self.state = Some(State::Held(held.clone()));
        }
    }

    /// True when the run that was last found to have the host was killed on this machine, and that was not said to the
    /// host yet; the next exchange says it.
    pub(super) fn owner_is_gone(&mut self) -> bool {
        let Some(lease) = &mut self.needs.lease else {
            return false;
        };
        let gone = self.owner.as_deref().is_some_and(is_gone) && lease.gone != self.owner;
        if gone {
            lease.gone.clone_from(&self.owner);
        }
        gone
    }

    fn held(&mut self, verdict: Verdict) -> Halt {
        if let Verdict::Locked(owner) = &verdict {
            self.owner = Some(owner.seat.clone());
        }
        Halt::Held(Box::new(held::outcome(&self.needs, verdict)))
    }

    /// Warnings for the result.
    pub fn warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    /// What became of the lease since this was last asked.
    pub(super) fn state(&mut self) -> Option<State> {
        self.state.take()
    }

    /// What is left for the controller to decide.
    pub(super) fn pending(&mut self, at: &Hold) -> Option<Pending> {
        Some(Pending {
            nonce: self.claimed.take()?,
            marker: self.needs.marker.clone()?,
            at: at.clone(),
        })
    }
}

/// A record that could not be written.
pub(super) fn unwritten(words: &str) -> String {
    format!(
        "the end of this task could not be written down on the host ({}); the next run will find it in doubt",
        visible(words)
    )
}

/// True for modules that act without a look before: their only exchange holds everything.
pub fn acts_at_once(module: &str) -> bool {
    matches!(module, "command" | "shell" | "raw" | "script")
}

/// Takes the steps inside of the enclosure.
pub fn take(steps: &[Step], reader: &mut Reader<'_>, around: &mut Enclosure) -> Result<Vec<Taken>, Halt> {
    around.begin(steps, reader)?;
    take::take_in(steps, reader, around)
}

/// A result whose end nobody knows is left to the next contact.
pub fn is_open(outcome: &Outcome) -> bool {
    matches!(outcome.status, Status::InDoubt | Status::TimedOut | Status::Unreachable)
}
