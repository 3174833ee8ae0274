//! What is offered to a host in the key exchange, and which libraries do the work. For people who ask what they run.

use super::handshake::{CIPHERS, HOST_KEYS, MACS};

/// The algorithms offered, best first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offered {
    /// Key exchanges.
    pub kex: Vec<String>,
    /// Types of host keys. Those that known_hosts has for a host are offered to it first.
    pub host_keys: Vec<String>,
    /// Ciphers, the same in both directions.
    pub ciphers: Vec<String>,
    /// Message authentication codes, the same in both directions.
    pub macs: Vec<String>,
}

impl Offered {
    /// Asks the library, which leaves out what it was built without.
    pub fn find() -> Result<Self, String> {
        let session = ssh2::Session::new().map_err(|error| error.to_string())?;
        let known = |method| -> Result<Vec<String>, String> {
            let names = session.supported_algs(method).map_err(|error| error.to_string())?;
            Ok(names.into_iter().map(str::to_owned).collect())
        };
        let ours = |method, wanted: &[&str]| -> Result<Vec<String>, String> {
            let known = known(method)?;
            let there = |name: &&&str| known.iter().any(|known| known == **name);
            Ok(wanted.iter().filter(there).map(|name| (*name).to_owned()).collect())
        };
        let list = |text: &'static str| text.split(',').collect::<Vec<_>>();
        Ok(Self {
            kex: known(ssh2::MethodType::Kex)?
                .into_iter()
                .filter(|name| !is_sign(name))
                .collect(),
            host_keys: ours(ssh2::MethodType::HostKey, &HOST_KEYS)?,
            ciphers: ours(ssh2::MethodType::CryptCs, &list(CIPHERS))?,
            macs: ours(ssh2::MethodType::MacCs, &list(MACS))?,
        })
    }
}

/// Names in the list of key exchanges that are none: they say what a client can do (RFC 8308, the fix of Terrapin).
fn is_sign(name: &str) -> bool {
    name.starts_with("ext-info-") || name.starts_with("kex-strict-")
}
