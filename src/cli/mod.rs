//! The command line: what was typed becomes a plan and a run.

mod adhoc;
pub mod args;
mod audit;
pub mod demo;
pub mod exit_code;
mod signals;
mod version;
