//! The SSH transport against a real OpenSSH server on loopback.

#![expect(missing_docs, reason = "a test")]

#[path = "../support/sshd.rs"]
mod sshd;

mod become_user;
mod exec;
mod host_keys;
mod login;
mod proxies;
mod support;
