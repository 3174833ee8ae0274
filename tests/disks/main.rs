//! The modules about disks against real ones: loop devices and file systems of this machine. What needs root, a loop
//! device or a program that is not there says so on standard error and is skipped.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test says what went wrong by panicking, and what it does not try"
)]

mod filesystem;
#[path = "../modules/harness.rs"]
mod harness;
mod machine;
mod mount;
mod parted;
#[path = "../modules/session.rs"]
mod session;
mod table;
