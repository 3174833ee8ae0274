//! Hosts and networks that misbehave, against the program itself: silence, cuts, floods, servers that are stopped or at
//! their limits. Every test is named after its promise of `docs/reliability.md`.

#![expect(clippy::unwrap_used, unreachable_pub, reason = "a test: what fails is to fail here")]

#[path = "../support/sshd.rs"]
#[expect(dead_code, reason = "other tests use the rest of it")]
mod sshd;
#[path = "../cli/support.rs"]
#[expect(dead_code, reason = "other tests use the rest of it")]
mod support;
#[path = "../support/wire.rs"]
mod wire;

mod cuts;
mod limits;
mod namespaces;
mod output;
mod silence;
