//! The text around a command, under dash, bash and BusyBox: markers, guards and leases as a host sees them, without a
//! connection. What the engine makes of the answers is in `tests/cli`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    unreachable_pub,
    reason = "a test: what fails is to fail here"
)]

mod guard;
mod lease;
mod marker;
mod records;
mod stores;
mod support;
