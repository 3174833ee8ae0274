//! `batchssh --version`: what is asked first when a library has a hole.

use crate::source::Diagnostic;
use crate::transport::ssh::{Offered, libssh2_version, openssl_version};

/// The program's version, those of the libraries that speak SSH, and what is offered to hosts, best first.
pub fn long() -> Result<String, Diagnostic> {
    let offered = Offered::find().map_err(|error| Diagnostic::new(format!("libssh2 cannot be used: {error}")))?;
    let mut text = format!(
        "batchssh {}\nlibssh2 {}\n{}\n",
        env!("CARGO_PKG_VERSION"),
        libssh2_version(),
        openssl_version()
    );
    for (what, names) in [
        ("kex", &offered.kex),
        ("host keys", &offered.host_keys),
        ("ciphers", &offered.ciphers),
        ("macs", &offered.macs),
    ] {
        text += &format!("{what}: {}\n", names.join(","));
    }
    Ok(text)
}
