//! The program itself, as people and scripts use it: words in, text and an exit code out, on hosts that are real
//! OpenSSH servers on loopback.

#![expect(clippy::unwrap_used, unreachable_pub, reason = "a test: what fails is to fail here")]

#[path = "../support/sshd.rs"]
#[expect(dead_code, reason = "other tests use the rest of it")]
mod sshd;

#[path = "../support/pty.rs"]
mod pty;

mod approved;
mod audit;
mod become_user;
mod canary;
mod doubt;
mod exec;
mod files;
mod flow;
mod journal;
mod kill;
mod listings;
mod live;
mod locks;
mod looks;
mod marker_store;
mod markers;
mod mistakes;
mod outputs;
mod ping;
mod policy;
mod preflight;
mod replay;
mod resume;
mod retry;
mod runs;
mod scan_keys;
mod signals;
mod site;
#[expect(dead_code, reason = "other tests use the rest of it")]
mod support;
mod vault;
mod version;
mod ways_out;
