//! The SSH transport against a real OpenSSH server on loopback.

#![expect(clippy::unwrap_used, unreachable_pub, reason = "a test: what fails is to fail here")]

#[path = "../support/sshd.rs"]
mod sshd;

mod become_user;
mod config_like_ssh;
mod dice;
mod exec;
mod host_keys;
mod keys_like_ssh;
mod login;
mod proxies;
mod support;
