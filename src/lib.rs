//! `batchssh` runs Ansible playbooks and commands on large fleets over SSH and SFTP.
//!
//! Files become a plan; the engine walks hosts through it; a module looks at the host and returns steps, which only
//! the engine takes; whatever happens becomes an event; every output is a sink fed by events. `ARCHITECTURE.md` has
//! the map and the arrows.

pub mod deadline;
pub mod names;
pub mod process;
pub mod secret;
pub mod source;

pub mod vault;

pub mod yaml;

pub mod event;
pub mod layout;
pub mod shell;

pub mod settings;
pub mod vars;

pub mod inventory;
pub mod transport;

pub mod danger;
pub mod marker;
pub mod modules;
pub mod plan;
pub mod playbook;
pub mod policy;

pub mod canary;
pub mod preflight;

pub mod report;

pub mod engine;

pub mod cli;

#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
