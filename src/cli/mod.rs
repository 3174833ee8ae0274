//! The command line: what was typed becomes a plan and a run.

pub mod args;
pub mod exit_code;
mod signals;
mod version;
