//! Runs plans: hosts, tasks, transfers.

pub mod transfer;
