//! What a module may do: look ([`Reader`]) and ask for steps ([`Step`]).

use crate::deadline::Deadline;
use crate::modules::ModuleError;
use crate::shell::Command;
use crate::shell::elevate::Become;
use crate::transport::Session;

/// Gives the host's session; connects when it is first asked.
pub trait Link {
    /// The open session.
    fn session(&mut self) -> Result<&mut dyn Session, ModuleError>;
}

/// What a module may do while inspecting: look.
pub struct Reader<'a> {
    /// The way to the host.
    pub link: &'a mut dyn Link,
    /// As whom.
    pub elevate: Option<&'a Become>,
    /// The task's `environment`.
    pub environment: &'a [(String, String)],
    /// When to stop.
    pub deadline: &'a Deadline,
}

/// One thing to do on the host.
#[derive(Debug)]
pub enum Step {
    /// Runs a command.
    Run {
        /// The command.
        command: Command,
        /// What it reads.
        stdin: Vec<u8>,
    },
}

/// What a step did.
#[derive(Debug)]
pub struct Taken {
    /// Exit code of a command.
    pub rc: i32,
    /// Its output.
    pub stdout: Vec<u8>,
    /// Its errors.
    pub stderr: Vec<u8>,
}
