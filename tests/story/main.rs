//! The story of an operator of many machines, whole: real sshd, real disks (loop devices), real failures. And the kill
//! tests: whatever is killed whenever, nothing is done twice.

#![expect(clippy::unwrap_used, unreachable_pub, reason = "a test: what fails is to fail here")]

#[path = "../cli/support.rs"]
#[expect(dead_code, reason = "other tests use the rest of it")]
mod support;
#[path = "../support/wire.rs"]
#[expect(dead_code, reason = "other tests use the rest of it")]
mod wire;

mod disks;
mod kills;
mod machines;
mod page;
