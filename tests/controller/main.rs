//! The controller's own trouble: its disk is full, descriptors or threads run out, its clock jumps, nobody reads what it
//! prints, and any call of the system fails at any moment. Every test is named after its promise of
//! `docs/reliability.md`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    unreachable_pub,
    reason = "a test: what fails is to fail here, and what is skipped is said"
)]

#[path = "../cli/support.rs"]
#[expect(dead_code, reason = "other tests use the rest of it")]
mod support;

mod clocks;
mod disk;
mod outputs;
mod resources;
mod sweep;
