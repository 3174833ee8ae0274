//! `batchssh --version`.

use std::sync::LazyLock;

/// The program's version, and that of the library that speaks SSH.
pub fn long() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        format!(
            "{}\nlibssh2 {}",
            env!("CARGO_PKG_VERSION"),
            crate::transport::ssh::libssh2_version()
        )
    });
    &TEXT
}
