//! What the hosts of a fleet are to be.

use super::FleetError;

/// How a host treats those who come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Lets them in.
    Works,
    /// Speaks SSH and refuses the login.
    RefusesLogin,
    /// Takes the connection and never says a word.
    NeverAnswers,
}

/// A file in the folder that stands first in a host's `PATH`.
#[derive(Clone, Debug)]
pub struct FakeCommand {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub text: String,
    /// Whether it can be run.
    pub executable: bool,
}

impl FakeCommand {
    /// A script that stands for a program.
    pub fn program(name: &str, text: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            text: text.into(),
            executable: true,
        }
    }

    /// A file that such a script reads: it is in the same folder.
    pub fn data(name: &str, text: impl Into<String>) -> Self {
        Self {
            executable: false,
            ..Self::program(name, text)
        }
    }
}

/// What a host is to be.
#[derive(Clone, Debug)]
pub struct HostSpec {
    /// Its inventory name: letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// How it treats those who come.
    pub behaviour: Behaviour,
    /// Commands of its own.
    pub commands: Vec<FakeCommand>,
}

impl HostSpec {
    /// A host that works and has no commands of its own.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            behaviour: Behaviour::Works,
            commands: Vec::new(),
        }
    }

    /// The same host with another behaviour.
    #[must_use]
    pub fn behaving(mut self, behaviour: Behaviour) -> Self {
        self.behaviour = behaviour;
        self
    }

    /// The same host, entered by this script: it gets the words to run, and runs them where the host really is (a
    /// namespace, a chroot).
    #[must_use]
    pub fn entered_by(mut self, text: impl Into<String>) -> Self {
        self.commands.push(FakeCommand::program("enter-host", text));
        self
    }

    /// The same host with these commands.
    #[must_use]
    pub fn with_commands(mut self, commands: Vec<FakeCommand>) -> Self {
        self.commands = commands;
        self
    }
}

/// Names become parts of paths and of shell text.
pub(super) fn check_names(specs: &[HostSpec]) -> Result<(), FleetError> {
    for (i, spec) in specs.iter().enumerate() {
        let name = &spec.name;
        let fine = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || name.starts_with(['.', '-']) || !name.chars().all(fine) {
            return Err(FleetError::Host(format!(
                "`{name}` cannot be the name of a host: use letters, digits, `-`, `_` and `.`"
            )));
        }
        if specs.iter().take(i).any(|other| other.name == *name) {
            return Err(FleetError::Host(format!("two hosts are called `{name}`")));
        }
    }
    Ok(())
}
