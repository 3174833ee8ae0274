//! `batchssh --version`.

/// The program's version.
pub fn long() -> &'static str {
    env!("CARGO_PKG_VERSION")
}
