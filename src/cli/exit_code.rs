//! What the program ends with. `docs` and scripts rely on these numbers.

/// The exit codes. Of 10, 11 and 12 the highest decides; else 2 and 4 add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitCode {
    /// Every host succeeded, or there was nothing to do.
    Ok,
    /// The input is wrong; no host was contacted.
    Usage,
    /// What the hosts came to: 2 failed, 4 unreachable, 6 both, 11 in doubt.
    Hosts(u8),
    /// A check, a canary, a policy or a guard refused.
    Refused,
    /// An output could not be written (a full disk): the hosts themselves succeeded, or it was the journal, and the run was
    /// stopped.
    Output,
    /// A bug of ours, caught; the other hosts went on.
    Bug,
    /// Stopped by a signal after draining: 128 and its number.
    Signal(u8),
}

impl ExitCode {
    /// A host that answers otherwise than the baseline says counts as a failed one. What is worse stays as it is.
    #[must_use]
    pub fn with_drift(self, drifted: bool) -> Self {
        match self {
            Self::Ok | Self::Hosts(0) if drifted => Self::Hosts(2),
            Self::Hosts(4) if drifted => Self::Hosts(6),
            other => other,
        }
    }

    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Usage => 1,
            Self::Hosts(code) => code,
            Self::Refused => 10,
            Self::Output => 74,
            Self::Bug => 70,
            Self::Signal(number) => 128 + number,
        }
    }
}
