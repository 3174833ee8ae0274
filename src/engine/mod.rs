//! Runs plans.

pub mod take;
