//! What can be typed after `batchssh markers`.

use clap::{Args, Subcommand, ValueEnum};

use crate::cli::args::Common;

/// `batchssh markers`.
#[derive(Clone, Debug, Args)]
pub struct MarkersArgs {
    /// What to do
    #[command(subcommand)]
    pub what: What,
}

/// What can be done with markers.
#[derive(Clone, Debug, Subcommand)]
pub enum What {
    /// List the markers of hosts: what was done once, what failed, what is in doubt
    List(Choice),
    /// Show what each marker says: which task it was, who did it, when, how it ended
    Show(Choice),
    /// Forget markers, so that their tasks run again
    Clear(ClearArgs),
}

/// Which markers, where.
#[derive(Clone, Debug, Args)]
pub struct Choice {
    /// Hosts of the inventory [default: all]
    #[arg(value_name = "PATTERN")]
    pub pattern: Option<String>,
    /// Only markers of this name; `*` and `?` stand for other characters (may be repeated)
    #[arg(long, value_name = "NAME", help_heading = "Markers")]
    pub name: Vec<String>,
    /// Only markers in this state (may be repeated)
    #[arg(long, value_name = "STATE", help_heading = "Markers")]
    pub state: Vec<StateArg>,
    /// Show them as one JSON document
    #[arg(long, conflicts_with = "output", help_heading = "Markers")]
    pub json: bool,
    /// The rest.
    #[command(flatten)]
    pub common: Common,
}

/// `batchssh markers clear`.
#[derive(Clone, Debug, Args)]
pub struct ClearArgs {
    /// Every marker of the hosts
    #[arg(long, conflicts_with_all = ["name", "state"], help_heading = "Markers")]
    pub all: bool,
    /// Do not ask. Without it the markers are shown first, and somebody at the terminal must agree
    #[arg(long, help_heading = "Markers", overrides_with = "yes")]
    pub yes: bool,
    /// Which.
    #[command(flatten)]
    pub choice: Choice,
}

/// `--state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StateArg {
    /// The task was done
    Done,
    /// It ended with a failure, and runs again
    Failed,
    /// It was begun, and nobody saw its end
    InDoubt,
    /// A process of it is there
    Running,
    /// The record cannot be read
    Damaged,
}

impl StateArg {
    /// As the module calls it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::InDoubt => "doubt",
            Self::Running => "running",
            Self::Damaged => "damaged",
        }
    }
}
