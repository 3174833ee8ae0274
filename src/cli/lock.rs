//! Options about the locks of hosts.

use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::cli::args::duration;
use crate::settings::{HostLock, Settings};

/// How a run gets and keeps its hosts.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Locks")]
pub struct LockArgs {
    /// Whether a run must have the lock of a host to change it [default: auto]
    #[arg(long, value_name = "WHETHER")]
    pub host_lock: Option<HostLockArg>,
    /// How long to wait for a host that another run has [default: 1m; 0: not at all]
    #[arg(long, value_name = "TIME", value_parser = duration, allow_hyphen_values = true)]
    pub lock_wait: Option<Duration>,
}

/// `--host-lock`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HostLockArg {
    /// Where one can be kept
    Auto,
    /// Always: a host that can keep none is refused
    Require,
    /// Never
    Off,
}

/// Puts what the command line says on top of the configuration.
pub fn on_top(settings: &mut Settings, args: &LockArgs) {
    let mode = args.host_lock.map(|mode| match mode {
        HostLockArg::Auto => HostLock::Auto,
        HostLockArg::Require => HostLock::Require,
        HostLockArg::Off => HostLock::Off,
    });
    settings.host_lock.set_option(mode, "--host-lock");
    settings.lock_wait.set_option(args.lock_wait, "--lock-wait");
}
